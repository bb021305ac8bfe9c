//! Intel TDX and SGX with DCAP: a quote that Intel's quoting enclave signs, a certificate of the
//! platform's key (PCK), and what Intel says of platforms, the collateral.
//!
//! The chain of trust: Intel's root certifies a PCK CA, that one the platform's key, which signs the
//! report of the quoting enclave, which names the attestation key, which signs the quote. The
//! collateral is signed under the same root.
//!
//! The zeros behind a quote are not signed and an ECDSA signature `(r, s)` holds as `(r, n - s)` too;
//! therefore the bytes of the evidence must not serve as its name.

pub mod collateral;
mod endorsement;
pub mod pck;
pub mod pem;
pub mod quote;
pub mod tcb;

pub use collateral::{
	verify_collateral, Collateral, CollateralFacts, CollateralKey, IssueDates, Tee,
	MAX_COLLATERAL_LEN, MAX_JSON_LEN,
};
pub use endorsement::TCB_SIGNING_NAME;
pub use pck::{Pck, PckCaKind};
pub use quote::{Body, EnclaveReport, Quote, TdReport, MAX_QUOTE_LEN};

use super::{
	check::{Check, Checks, Failure, Fault},
	claims::{Claims, DebugStatus, Format, Hex, Identity, IdentityKind, Window},
	crypto::{sha256, Hash, PublicKey},
	instant::Rfc3339,
	policy::{Policy, TcbStatus},
	x509::{parse_chain, verify_chain, Certificate, ChainRules},
	Question,
};
use alloc::{format, string::ToString, vec::Vec};
use collateral::{Decoded, Parsed};
use core::fmt::Display;
use endorsement::PckChain;
use tcb::Verdict;

/// A quote with what Intel says of its platform.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DcapEvidence {
	/// The quote, as the quoting library or configfs-tsm give it.
	pub quote: Vec<u8>,
	/// From Intel's provisioning certification service. Without it the quote cannot pass.
	pub collateral: Option<Collateral>,
}

/// Verifies a quote: crypto first, the cheap checks before the signatures, then policy. The nonce is
/// looked for in the report data. Certificates are counted in the chain of the platform's key; what
/// is wrong with a signer of the collateral is a fault of what it signed.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify(
	evidence: &DcapEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	verify_quote(&evidence.quote, evidence.collateral.as_ref(), question, checks)
}

/// The same for parts that are stored apart.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify_quote(
	quote: &[u8],
	collateral: Option<&Collateral>,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let layout = |fault| Failure::new(Check::Layout, fault);
	let quote = read(Quote::parse(quote).map_err(layout), checks)?;
	let decoded = collateral.map(Decoded::read).transpose();
	let decoded = read(decoded.map_err(layout), checks)?;
	let parsed = decoded.as_ref().map(Parsed::read).transpose();
	let collateral = read(parsed.map_err(layout), checks)?;
	checks.note(Check::Layout, Ok(()))?;
	question.check_nonce(quote.body.report_data(), checks)?;
	let certificate = |fault| Failure::new(Check::CertificateLayout(0), fault);
	let chain = read(pem::certificates(quote.certificates).map_err(certificate), checks)?;
	let chain = parse_chain(&chain, checks)?;
	let [leaf, ca, root] = chain.as_slice() else {
		let fault = if chain.len() < 3 { Fault::Missing } else { Fault::TooLarge };
		return Err(checks.unreadable(Check::Root, fault));
	};
	let pck = read(Pck::read(leaf).map_err(certificate), checks)?;
	let evidence =
		Evidence { quote, pck, chain: &chain, platform: PckChain { leaf, ca, root }, collateral };
	evidence.judge(question, checks)
}

/// Which collateral a quote needs, according to the certificate of its platform's key. Nothing of it
/// is verified.
///
/// # Errors
///
/// What cannot be read.
pub fn collateral_key(quote: &[u8]) -> Result<CollateralKey, Failure> {
	let quote = Quote::parse(quote).map_err(|fault| Failure::new(Check::Layout, fault))?;
	let of = |at| move |fault| Failure::new(Check::CertificateLayout(at), fault);
	let chain = pem::certificates(quote.certificates).map_err(of(0))?;
	let [leaf, ca, _] = chain.as_slice() else {
		return Err(Failure::new(Check::Root, Fault::Missing));
	};
	let leaf = Certificate::parse(leaf).map_err(of(0))?;
	let ca = Certificate::parse(ca).map_err(of(1))?;
	let ca = ca
		.common_name()
		.and_then(PckCaKind::of)
		.ok_or(Failure::new(Check::CertificateAuthority(1), Fault::Mismatch))?;
	let pck = Pck::read(&leaf).map_err(of(0))?;
	let tee = match quote.body {
		Body::Tdx(_) => Tee::Tdx,
		Body::Sgx(_) => Tee::Sgx,
	};
	Ok(CollateralKey { fmspc: pck.fmspc, tee, ca })
}

/// What could be read.
fn read<T>(outcome: Result<T, Failure>, checks: &mut Checks) -> Result<T, Failure> {
	outcome.map_err(|failure| checks.unreadable(failure.check, failure.fault))
}

/// Evidence that could be read.
struct Evidence<'c, 'a> {
	quote: Quote<'a>,
	pck: Pck,
	chain: &'c [Certificate<'a>],
	platform: PckChain<'c, 'a>,
	collateral: Option<Parsed<'c>>,
}

/// Intel's verdicts on the parts in use; `None` where there is none.
struct Verdicts<'v> {
	platform: Option<Verdict<'v>>,
	/// `None` for SGX and for modules whose versions are among the platform's.
	module: Option<Option<Verdict<'v>>>,
	quoting_enclave: Option<Verdict<'v>>,
}

impl<'v> Verdicts<'v> {
	fn parts(&self) -> impl Iterator<Item = Option<Verdict<'v>>> {
		[self.platform, self.quoting_enclave].into_iter().chain(self.module)
	}

	/// The status of all parts together.
	fn status(&self) -> Result<TcbStatus, Fault> {
		self.parts().try_fold(TcbStatus::UpToDate, |worst, part| {
			let status = part.ok_or(Fault::NoReference)?.status().ok_or(Fault::NotAccepted)?;
			Ok(tcb::worse(worst, status))
		})
	}

	/// The oldest date of the parts' levels, in milliseconds since 1970; `None` where a part has none.
	fn date(&self) -> Option<u64> {
		self.parts().try_fold(u64::MAX, |oldest, part| Some(oldest.min(part?.date)))
	}

	/// The advisories that concern any part, each once.
	fn advisories(&self) -> Vec<&'v str> {
		let mut found = Vec::new();
		for name in self.parts().flatten().flat_map(|part| part.advisories) {
			if !found.contains(&name.as_str()) {
				found.push(name.as_str());
			}
		}
		found
	}
}

impl Evidence<'_, '_> {
	fn tdx(&self) -> Option<&TdReport> {
		match &self.quote.body {
			Body::Tdx(report) => Some(report),
			Body::Sgx(_) => None,
		}
	}

	fn judge(&self, question: &Question<'_>, checks: &mut Checks) -> Result<Claims, Failure> {
		self.check_bindings(checks)?;
		question.check_root(self.chain, &question.policy.roots.intel, checks)?;
		let current = match &self.collateral {
			Some(collateral) => collateral.check_dates(question.now, checks)?,
			None => Window::ALWAYS,
		};
		checks.note(Check::ReportSignature, self.verify_quote())?;
		checks.note(Check::QeReportSignature, self.verify_qe_report())?;
		let chain = verify_chain(self.chain, ChainRules::default(), question, checks)?;
		if let Some(collateral) = &self.collateral {
			let PckChain { ca, root, .. } = self.platform;
			collateral.check_signatures(ca, root, question.known.collateral, checks)?;
			collateral.check_revocation(&self.platform, checks)?;
		}
		let verdicts = self.collateral.as_ref().map(|collateral| self.verdicts(collateral));
		let claims = self.claims(verdicts.as_ref(), chain.intersect(current));
		self.check_policy(verdicts.as_ref(), &claims, question, checks)?;
		Ok(claims)
	}

	/// Checks that the parts belong to each other; that needs no signature.
	fn check_bindings(&self, checks: &mut Checks) -> Result<(), Failure> {
		checks.require(Check::KeyBinding, self.binds_key(), Fault::Mismatch)?;
		let leaf = self.platform.leaf.common_name() == Some(pck::PCK_NAME);
		checks.require(Check::CertificateLayout(0), leaf, Fault::Mismatch)?;
		let ca = self.platform.ca.common_name().and_then(PckCaKind::of);
		checks.require(Check::CertificateAuthority(1), ca.is_some(), Fault::Mismatch)?;
		let Some(collateral) = &self.collateral else {
			for check in [
				Check::TcbInfoSignature,
				Check::QeIdentitySignature,
				Check::PckCrlSignature,
				Check::RootCrlSignature,
			] {
				checks.note(check, Err(Fault::Missing))?;
			}
			return Ok(());
		};
		let info = &collateral.decoded.tcb_info;
		let tdx = self.tdx();
		let same = info.is_of(&self.pck, tdx.is_some());
		checks.require(Check::TcbInfoMatch, same, Fault::Mismatch)?;
		let enclave = collateral.decoded.qe_identity.is_of(&self.quote.qe_report, tdx.is_some());
		checks.require(Check::QeIdentityMatch, enclave, Fault::Mismatch)?;
		if let Some(report) = tdx {
			let module = match info.module(report) {
				Some(module) if module.is_of(report) => Ok(()),
				Some(_) => Err(Fault::Mismatch),
				None => Err(Fault::NoReference),
			};
			checks.note(Check::TdxModule, module)?;
		}
		Ok(())
	}

	/// Whether the quoting enclave names the attestation key.
	fn binds_key(&self) -> bool {
		let key = &self.quote.attestation_key;
		let digest = sha256(&[key.as_slice(), self.quote.qe_auth_data].concat());
		let expected = digest.iter().chain(&[0; 32]);
		self.quote.qe_report.report_data.iter().eq(expected)
	}

	fn verify_quote(&self) -> Result<(), Fault> {
		// The uncompressed form of SEC 1, 2.3.3.
		let point = [&[0x04], self.quote.attestation_key.as_slice()].concat();
		let key = PublicKey::p256(&point)?;
		key.verify_fixed(Hash::Sha256, self.quote.signed, &self.quote.signature)
	}

	fn verify_qe_report(&self) -> Result<(), Fault> {
		match self.platform.leaf.public_key()? {
			key @ PublicKey::P256(_) => key.verify_fixed(
				Hash::Sha256,
				self.quote.qe_report_bytes,
				&self.quote.qe_report_signature,
			),
			PublicKey::P384(_) | PublicKey::Rsa(_) => Err(Fault::UnknownAlgorithm),
		}
	}

	/// The levels of the collateral that the platform reaches. Levels of other platforms say nothing.
	fn verdicts<'v>(&self, collateral: &'v Parsed<'_>) -> Verdicts<'v> {
		let decoded = collateral.decoded;
		let info = &decoded.tcb_info;
		let tdx = self.tdx();
		let of_platform = info.is_of(&self.pck, tdx.is_some());
		let platform = if of_platform {
			info.level(&self.pck, tdx).map(|level| level.verdict())
		} else {
			None
		};
		let module = tdx.filter(|report| tcb::module_version(report) > 0).map(|report| {
			let module = if of_platform { info.module(report) } else { None };
			let svn = u16::from(tcb::module_svn(report));
			tcb::isv_level(&module?.tcb_levels, svn).map(|level| level.verdict())
		});
		let enclave = &self.quote.qe_report;
		let quoting_enclave = if decoded.qe_identity.is_of(enclave, tdx.is_some()) {
			tcb::isv_level(&decoded.qe_identity.tcb_levels, enclave.isv_svn)
				.map(|level| level.verdict())
		} else {
			None
		};
		Verdicts { platform, module, quoting_enclave }
	}

	/// What the policy accepts of what the quote says.
	fn check_policy(
		&self,
		verdicts: Option<&Verdicts<'_>>,
		claims: &Claims,
		question: &Question<'_>,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		let policy: &Policy = question.policy;
		let no_debug = policy.allow_debug || !self.quote.body.debugs();
		checks.require(Check::Debug, no_debug, Fault::NotAccepted)?;
		if let Some(report) = self.tdx() {
			let stays = policy.allow_migration_agent || !report.migratable();
			checks.require(Check::PlatformConfiguration, stays, Fault::NotAccepted)?;
		}
		let named = claims.identity.kind.names_box();
		checks.require(Check::BoxIdentity, named, Fault::NotAccepted)?;
		let level = verdicts.ok_or(Fault::Missing).and_then(Verdicts::status).and_then(|status| {
			if policy.tcb_statuses.contains(&status) {
				Ok(())
			} else {
				Err(Fault::NotAccepted)
			}
		});
		checks.note(Check::TcbLevel, level)?;
		if let Some(collateral) = &self.collateral {
			collateral.check_number(policy, checks)?;
		}
		let measured = policy.accepts_measurement(self.quote.body.measurement());
		checks.require(Check::Measurement, measured, Fault::NotAccepted)?;
		let signers = self.collateral.iter().flat_map(Parsed::signers);
		question.check_revocation(self.chain.iter().chain(signers), &claims.identity, checks)
	}

	fn identity(&self) -> Identity {
		if self.pck.ppid == [0; 16] {
			return Identity { kind: IdentityKind::None, id: Vec::new() };
		}
		Identity { kind: IdentityKind::IntelPlatform, id: self.pck.ppid.to_vec() }
	}

	/// What the quote says. [`Claims::model`] is the FMSPC. [`Claims::tcb`] is the date of the TCB
	/// levels that all parts reach, in seconds since 1970: Intel orders versions by its levels only.
	fn claims(&self, verdicts: Option<&Verdicts<'_>>, valid: Window) -> Claims {
		let quote = &self.quote;
		let pck = &self.pck;
		let format = if self.tdx().is_some() { Format::Tdx } else { Format::Sgx };
		let mut claims = Claims::new(format, "Intel");
		claims.nonce = quote.body.report_data().to_vec();
		claims.identity = self.identity();
		claims.model = Hex(&pck.fmspc).to_string();
		claims.debug =
			if quote.body.debugs() { DebugStatus::Enabled } else { DebugStatus::Disabled };
		claims.valid = valid;
		claims.tcb = verdicts.and_then(Verdicts::date).unwrap_or_default() / 1_000;
		let components = list(&pck.components);
		claims.fact("quote-version", quote.version);
		match &quote.body {
			Body::Tdx(report) => {
				claims.firmware = format!(
					"tee {}, cpu {components}, pce {}",
					list(&report.tee_tcb_svn),
					pck.pce_svn
				);
				tdx_claims(&mut claims, report);
			},
			Body::Sgx(report) => {
				claims.firmware = format!("cpu {components}, pce {}", pck.pce_svn);
				sgx_claims(&mut claims, report);
			},
		}
		self.platform_facts(&mut claims);
		if let (Some(verdicts), Some(collateral)) = (verdicts, &self.collateral) {
			verdict_facts(&mut claims, verdicts);
			let decoded = collateral.decoded;
			claims.fact("tcb-evaluation-data-number", decoded.tcb_info.tcb_evaluation_data_number);
			claims
				.fact("qe-evaluation-data-number", decoded.qe_identity.tcb_evaluation_data_number);
			if let Some(report) =
				self.tdx().filter(|report| decoded.tcb_info.module(report).is_some())
			{
				claims.fact("tdx-module", format_args!("TDX_{:02X}", tcb::module_version(report)));
			}
		}
		claims
	}

	fn platform_facts(&self, claims: &mut Claims) {
		let pck = &self.pck;
		claims.fact("fmspc", Hex(&pck.fmspc));
		claims.fact("pce-id", Hex(&pck.pce_id));
		claims.fact("pce-svn", pck.pce_svn);
		claims.fact("ppid", Hex(&pck.ppid));
		claims.fact("sgx-components", list(&pck.components));
		claims.fact("pck-cpu-svn", Hex(&pck.cpu_svn));
		claims.fact("sgx-type", pck.sgx_type);
		if let Some(id) = &pck.platform_instance_id {
			claims.fact("platform-instance-id", Hex(id));
		}
		if let Some(ca) = self.platform.ca.common_name().and_then(PckCaKind::of) {
			claims.fact("pck-ca", ca.name());
		}
		let window = self.platform.leaf.window();
		claims.fact("pck-from", Rfc3339(window.from));
		claims.fact("pck-until", Rfc3339(window.until));
		claims.fact("quoting-enclave-data", Hex(&self.quote.user_data));
		claims.fact("qe-isv-svn", self.quote.qe_report.isv_svn);
	}
}

/// Numbers in their order.
fn list(versions: &[u8]) -> impl Display {
	let texts: Vec<_> = versions.iter().map(ToString::to_string).collect();
	texts.join(",")
}

fn tdx_claims(claims: &mut Claims, report: &TdReport) {
	claims.measure("mrtd", &report.mrtd);
	for (name, register) in ["rtmr0", "rtmr1", "rtmr2", "rtmr3"].into_iter().zip(&report.rtmr) {
		claims.measure(name, register);
	}
	claims.measure("mrseam", &report.mrseam);
	claims.fact("tee-tcb-svn", Hex(&report.tee_tcb_svn));
	if let Some(more) = &report.more {
		claims.measure("mrservicetd", &more.mrservicetd);
		claims.fact("tee-tcb-svn-2", Hex(&more.tee_tcb_svn));
	}
	claims.fact("tdx-module-svn", tcb::module_svn(report));
	claims.fact("mrsignerseam", Hex(&report.mrsignerseam));
	claims.fact("seam-attributes", Hex(&report.seam_attributes));
	claims.fact("td-attributes", Hex(&report.td_attributes));
	claims.fact("sept-ve-disable", report.disables_sept_ve());
	claims.fact("migratable", report.migratable());
	claims.fact("xfam", Hex(&report.xfam));
	claims.fact("mrconfigid", Hex(&report.mrconfigid));
	claims.fact("mrowner", Hex(&report.mrowner));
	claims.fact("mrownerconfig", Hex(&report.mrownerconfig));
}

fn sgx_claims(claims: &mut Claims, report: &EnclaveReport) {
	claims.measure("mrenclave", &report.mrenclave);
	claims.measure("mrsigner", &report.mrsigner);
	claims.fact("attributes", Hex(&report.attributes));
	claims.fact("misc-select", Hex(&report.misc_select));
	claims.fact("isv-prod-id", report.isv_prod_id);
	claims.fact("isv-svn", report.isv_svn);
}

fn verdict_facts(claims: &mut Claims, verdicts: &Verdicts<'_>) {
	let name = |verdict: Option<Verdict<'_>>| {
		verdict.map_or("no level matches".to_string(), |verdict| verdict.status_name.to_string())
	};
	match verdicts.status() {
		Ok(status) => claims.fact("tcb-status", format_args!("{status:?}")),
		Err(fault) => claims.fact("tcb-status", fault),
	}
	claims.fact("platform-status", name(verdicts.platform));
	if let Some(module) = verdicts.module {
		claims.fact("tdx-module-status", name(module));
	}
	claims.fact("qe-status", name(verdicts.quoting_enclave));
	if let Some(date) = verdicts.date() {
		claims.fact("tcb-date", Rfc3339(date));
	}
	claims.fact("advisories", verdicts.advisories().join(","));
}
