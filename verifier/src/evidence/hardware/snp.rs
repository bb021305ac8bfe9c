//! AMD SEV-SNP: a report of the chip's firmware, signed with a key that AMD certifies (AMD 56860
//! and 57230).
//!
//! The chain has always three certificates: the VCEK (the key of one chip at one firmware level) or
//! the VLEK (the key of a cloud), the ASK or ASVK that issues them, and the product's root, the ARK.
//! Only a VCEK names a box.
//!
//! An ECDSA signature `(r, s)` holds as `(r, n - s)` too, and honest chips make both; therefore the
//! bytes of the evidence must not serve as its name.

pub mod endorsement;
pub mod report;

pub use endorsement::KeyKind;
pub use report::{Product, Report, Tcb, REPORT_LEN};

use super::{
	check::{Check, Checks, Failure, Fault},
	claims::{Claims, DebugStatus, Format, Hex, Identity, IdentityKind, Window},
	policy::{self, HexBytes},
	x509::{parse_chain, verify_chain, Certificate, ChainRules},
	Question,
};
use alloc::{format, string::String, vec::Vec};
use endorsement::Endorsement;

/// Certificates that issue: ASK or ASVK, and ARK.
const ISSUERS: usize = 2;

/// A report with its certificates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SnpEvidence {
	/// The report, [`REPORT_LEN`] bytes, as `SNP_GET_REPORT` and configfs-tsm give it.
	pub report: Vec<u8>,
	/// The certificate of the VCEK or VLEK, DER.
	pub leaf: Vec<u8>,
	/// ASK or ASVK, then ARK, DER.
	pub issuers: Vec<Vec<u8>>,
}

/// Verifies a report: crypto first, the cheap checks before the signatures, then policy. The nonce
/// is looked for in the report data.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify(
	evidence: &SnpEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let report = read_report(&evidence.report, checks)?;
	let chain = chain_of(&evidence.leaf, &evidence.issuers, checks)?;
	let evidence = Evidence::read(&evidence.report, report, &chain, checks)?;
	question.check_nonce(&evidence.report.report_data, checks)?;
	evidence.judge(&question.policy.measurements, question, checks)
}

/// Verifies a report in all but its nonce, for formats that put something else into the report
/// data. The caller must check [`Report::report_data`]: without that the report proves nothing about
/// whoever sent it. `measurements` are those that are accepted in place of the policy's.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify_report<C: AsRef<[u8]>>(
	report: &[u8],
	leaf: &[u8],
	issuers: &[C],
	measurements: &[HexBytes],
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<(Claims, Report), Failure> {
	let parsed = read_report(report, checks)?;
	let chain = chain_of(leaf, issuers, checks)?;
	let evidence = Evidence::read(report, parsed, &chain, checks)?;
	let claims = evidence.judge(measurements, question, checks)?;
	Ok((claims, evidence.report))
}

fn read_report(bytes: &[u8], checks: &mut Checks) -> Result<Report, Failure> {
	Report::parse(bytes).map_err(|fault| checks.unreadable(Check::Layout, fault))
}

/// Leaf, ASK or ASVK, ARK.
fn chain_of<'a, C: AsRef<[u8]>>(
	leaf: &'a [u8],
	issuers: &'a [C],
	checks: &mut Checks,
) -> Result<Vec<&'a [u8]>, Failure> {
	if leaf.is_empty() {
		return Err(checks.unreadable(Check::CertificateLayout(0), Fault::Missing));
	}
	if issuers.len() < ISSUERS {
		return Err(checks.unreadable(Check::Root, Fault::Missing));
	}
	if issuers.len() > ISSUERS {
		return Err(checks.unreadable(Check::Layout, Fault::TooLarge));
	}
	checks.note(Check::Layout, Ok(()))?;
	Ok(core::iter::once(leaf).chain(issuers.iter().map(AsRef::as_ref)).collect())
}

/// Evidence that could be read.
struct Evidence<'a> {
	bytes: &'a [u8],
	report: Report,
	chain: Vec<Certificate<'a>>,
}

impl<'a> Evidence<'a> {
	fn read(
		bytes: &'a [u8],
		report: Report,
		chain: &'a [&'a [u8]],
		checks: &mut Checks,
	) -> Result<Self, Failure> {
		Ok(Self { bytes, report, chain: parse_chain(chain, checks)? })
	}

	/// The leaf and what it says.
	fn endorsement(&self, checks: &mut Checks) -> Result<Endorsement<'_>, Failure> {
		self.chain
			.first()
			.ok_or(Fault::Missing)
			.and_then(Endorsement::read)
			.map_err(|fault| checks.unreadable(Check::CertificateLayout(0), fault))
	}

	/// Everything but the nonce.
	fn judge(
		&self,
		measurements: &[HexBytes],
		question: &Question<'_>,
		checks: &mut Checks,
	) -> Result<Claims, Failure> {
		let endorsement = self.endorsement(checks)?;
		self.check_bindings(&endorsement, checks)?;
		question.check_root(&self.chain, &question.policy.roots.amd, checks)?;
		let valid = verify_chain(&self.chain, ChainRules::default(), question, checks)?;
		checks.note(Check::ReportSignature, self.verify_signature())?;
		let claims = self.claims(&endorsement, valid);
		self.check_policy(&endorsement, &claims, measurements, question, checks)?;
		Ok(claims)
	}

	/// Checks that certificates and report are about the same key, chip and firmware.
	fn check_bindings(
		&self,
		endorsement: &Endorsement<'_>,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		let name = |at: usize| self.chain.get(at).and_then(Certificate::common_name);
		// The ASK must not vouch for a VLEK, nor the ASVK for a chip, nor one product for another.
		let issued = endorsement.is_issued_by(name(1));
		checks.require(Check::CertificateAuthority(1), issued, Fault::Mismatch)?;
		let rooted = endorsement.is_rooted_in(name(2));
		checks.require(Check::CertificateAuthority(2), rooted, Fault::Mismatch)?;
		let same_kind = self.report.signing_key() == endorsement.kind.number();
		checks.require(Check::KeyBinding, same_kind, Fault::Mismatch)?;
		checks.note(Check::ChipBinding, self.chip_agrees(endorsement))?;
		let reported = Tcb::read(self.report.reported_tcb, endorsement.product);
		let same_tcb = endorsement.tcb.and_then(|tcb| equal(tcb == reported));
		checks.note(Check::TcbBinding, same_tcb)?;
		match endorsement.kind {
			KeyKind::Vcek => Ok(()),
			KeyKind::Vlek => {
				checks.note(Check::CertificateLayout(0), endorsement.csp_id.map(|_| ()))
			},
		}
	}

	/// Whether the chip of the report is the certificate's. A VLEK names only the product.
	fn chip_agrees(&self, endorsement: &Endorsement<'_>) -> Result<(), Fault> {
		let product = self.report.cpuid.and_then(|cpu| Product::of_cpu(cpu.family, cpu.model));
		equal(product.is_none_or(|product| product == endorsement.product))?;
		match endorsement.kind {
			KeyKind::Vcek => equal(endorsement.hardware_id? == self.chip_id(endorsement.product)),
			KeyKind::Vlek => Ok(()),
		}
	}

	/// As many bytes of the chip id as the maker gives out.
	fn chip_id(&self, product: Product) -> &[u8] {
		self.report.chip_id.get(..product.chip_id_len()).unwrap_or_default()
	}

	fn verify_signature(&self) -> Result<(), Fault> {
		let (signed, rest) =
			self.bytes.split_at_checked(report::SIGNED_LEN).ok_or(Fault::Truncated)?;
		let signature = report::signature(rest)?;
		let leaf = self.chain.first().ok_or(Fault::Missing)?;
		leaf.verify_p384(signed, &signature)
	}

	fn identity(&self, endorsement: &Endorsement<'_>) -> Identity {
		match endorsement.kind {
			KeyKind::Vlek => Identity {
				kind: IdentityKind::CloudInstance,
				id: endorsement.csp_id.unwrap_or_default().as_bytes().to_vec(),
			},
			KeyKind::Vcek if self.report.masks_chip_key() || self.report.hides_chip() => {
				Identity { kind: IdentityKind::None, id: Vec::new() }
			},
			KeyKind::Vcek => Identity {
				kind: IdentityKind::AmdChip,
				id: self.chip_id(endorsement.product).to_vec(),
			},
		}
	}

	/// What the policy accepts of what the report says.
	fn check_policy(
		&self,
		endorsement: &Endorsement<'_>,
		claims: &Claims,
		measurements: &[HexBytes],
		question: &Question<'_>,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		let policy = question.policy;
		let report = &self.report;
		let no_debug = policy.allow_debug || !report.allows_debug();
		checks.require(Check::Debug, no_debug, Fault::NotAccepted)?;
		let stays = policy.allow_migration_agent || !report.allows_migration();
		checks.require(Check::PlatformConfiguration, stays, Fault::NotAccepted)?;
		let privileged = report.vmpl <= policy.max_vmpl;
		checks.require(Check::PrivilegeLevel, privileged, Fault::NotAccepted)?;
		let box_named = match endorsement.kind {
			KeyKind::Vcek => claims.identity.kind == IdentityKind::AmdChip,
			KeyKind::Vlek => policy.allow_vlek,
		};
		checks.require(Check::BoxIdentity, box_named, Fault::NotAccepted)?;
		// A list of floors that has none for this product accepts no version of it.
		let level = match policy.min_snp_tcb.get(endorsement.product.name()) {
			Some(floor) if Tcb::read(report.reported_tcb, endorsement.product).reaches(floor) => {
				Ok(())
			},
			Some(_) => Err(Fault::NotAccepted),
			None if policy.min_snp_tcb.is_empty() => Ok(()),
			None => Err(Fault::NoReference),
		};
		checks.note(Check::TcbLevel, level)?;
		let measured = policy::accepts(measurements, &report.measurement);
		checks.require(Check::Measurement, measured, Fault::NotAccepted)?;
		question.check_revocation(&self.chain, &claims.identity, checks)
	}

	/// What the report says. [`Claims::tcb`] is [`Tcb::packed`] of the reported versions.
	fn claims(&self, endorsement: &Endorsement<'_>, valid: Window) -> Claims {
		let report = &self.report;
		let product = endorsement.product;
		let reported = Tcb::read(report.reported_tcb, product);
		let mut claims = Claims::new(Format::SevSnp, "AMD");
		claims.nonce = report.report_data.to_vec();
		claims.identity = self.identity(endorsement);
		claims.model = String::from(product.name());
		claims.firmware = notation(reported, product);
		claims.tcb = reported.packed();
		claims.debug =
			if report.allows_debug() { DebugStatus::Enabled } else { DebugStatus::Disabled };
		claims.valid = valid;
		claims.measure("launch", &report.measurement);
		claims.fact("report-version", report.version);
		claims.fact("product-name", endorsement.product_name);
		claims.fact(
			"signing-key",
			match endorsement.kind {
				KeyKind::Vcek => "vcek",
				KeyKind::Vlek => "vlek",
			},
		);
		if let Ok(csp_id) = endorsement.csp_id {
			claims.fact("csp-id", csp_id);
		}
		claims.fact("guest-svn", report.guest_svn);
		claims.fact("vmpl", report.vmpl);
		claims.fact("guest-policy", format_args!("{:#x}", report.policy));
		claims.fact("platform-info", format_args!("{:#04x}", report.platform_info));
		claims.fact("key-flags", format_args!("{:#x}", report.key_flags));
		claims.fact("reported-tcb", Hex(&report.reported_tcb));
		claims.fact("current-tcb", Hex(&report.current_tcb));
		claims.fact("committed-tcb", Hex(&report.committed_tcb));
		claims.fact("launch-tcb", Hex(&report.launch_tcb));
		for (name, version) in [
			("current-version", report.current_version),
			("committed-version", report.committed_version),
		] {
			let report::FirmwareVersion { major, minor, build } = version;
			claims.fact(name, format_args!("{major}.{minor}.{build}"));
		}
		if let Some(cpu) = report.cpuid {
			claims.fact("cpuid", Hex(&[cpu.family, cpu.model, cpu.stepping]));
		}
		if let Some((launch, current)) = report.mitigations {
			claims.fact("launch-mitigations", format_args!("{launch:#x}"));
			claims.fact("current-mitigations", format_args!("{current:#x}"));
		}
		claims.fact("chip-id", Hex(&report.chip_id));
		claims.fact("report-id", Hex(&report.report_id));
		claims.fact("report-id-ma", Hex(&report.report_id_ma));
		claims.fact("host-data", Hex(&report.host_data));
		claims.fact("family-id", Hex(&report.family_id));
		claims.fact("image-id", Hex(&report.image_id));
		claims.fact("id-key-digest", Hex(&report.id_key_digest));
		claims.fact("author-key-digest", Hex(&report.author_key_digest));
		claims
	}
}

fn equal(holds: bool) -> Result<(), Fault> {
	if holds {
		Ok(())
	} else {
		Err(Fault::Mismatch)
	}
}

/// Versions as AMD's key server names them.
fn notation(tcb: Tcb, product: Product) -> String {
	let Tcb { fmc, bootloader, tee, snp, microcode } = tcb;
	let parts = format!("bl {bootloader}, tee {tee}, snp {snp}, ucode {microcode}");
	match product {
		Product::Milan | Product::Genoa => parts,
		Product::Turin => format!("fmc {fmc}, {parts}"),
	}
}
