//! Azure confidential VMs on AMD: an SEV-SNP report bound to a quote of the VM's own TPM.
//!
//! Microsoft's firmware (HCL, at VMPL 0 of the guest) runs the TPM. At launch it puts the hash of
//! runtime claims into the report data, and these contain the TPM's attestation key. The VM reads
//! both as one structure from NV index 0x01400001 (OpenHCL, `igvm_attest::get`,
//! `IgvmAttestRequestBase`; little endian). The nonce is in the quote.
//!
//! **The firmware is part of the proof.** Whoever owns an AMD machine can launch a guest that puts
//! runtime claims of its own into the report, with a key that is in no TPM. Only the launch
//! measurement tells them apart: a policy without [`Policy::azure_measurements`] is refused
//! ([`Check::Measurement`], [`Fault::NoReference`]). The measurements of other guests do not serve:
//! their owners, too, can have reports made with any report data.
//!
//! The chip is one that many tenants share and that a VM leaves at any time; therefore it is in the
//! claims of the part, and the identity is the VM's.
//!
//! [`Policy::azure_measurements`]: super::Policy::azure_measurements

use super::{
	base64,
	check::{Check, Checks, Failure, Fault},
	claims::{Claims, Format, Hex, Identity, IdentityKind},
	crypto::{sha256, PublicKey},
	policy::from_hex,
	reader::Fields,
	snp::{self, Report, REPORT_LEN},
	tpm::{Pcrs, Quote},
	Question,
};
use alloc::{string::String, vec::Vec};
use serde::Deserialize;

/// The largest HCL report that is read. The NV index has 2,600 bytes.
pub const MAX_HCL_LEN: usize = 4 * 1_024;

/// `header.signature`.
const MAGIC: &[u8; 4] = b"HCLA";

/// Length of the header in front of the SNP report.
const HEADER_LEN: u32 = 32;

/// Length of the header in front of the runtime claims.
const RUNTIME_HEADER_LEN: u32 = 20;

/// `header.request_type`, the only one that the NV index has.
const REQUEST_TYPE: u32 = 2;

/// `request_data.version`.
const RUNTIME_VERSION: u32 = 1;

/// `request_data.report_type`: SEV-SNP.
const REPORT_TYPE_SNP: u32 = 2;

/// `request_data.report_data_hash_type`.
const HASH_SHA256: u32 = 1;

/// Name of the attestation key in the runtime claims.
const ATTESTATION_KEY: &str = "HCLAkPub";

/// A report with the quote of the VM's TPM.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AzureEvidence {
	/// The HCL report, as NV index 0x01400001 has it; zero bytes may follow its end.
	pub hcl_report: Vec<u8>,
	/// The certificate of the VCEK, DER.
	pub vcek: Vec<u8>,
	/// ASK, then ARK, DER.
	pub issuers: Vec<Vec<u8>>,
	/// `TPMS_ATTEST`.
	pub attest: Vec<u8>,
	/// The bare bytes of an RSASSA signature with SHA-256, or `TPMT_SIGNATURE`.
	pub signature: Vec<u8>,
	/// PCR values of the SHA-256 bank by index.
	pub pcrs: Pcrs,
}

/// Verifies a report and a quote: layout and bindings, then signatures, then policy. The nonce is
/// looked for in the quote. Checks that both parts have (layout, measurement, revocation) hold if
/// they hold for both.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify(
	evidence: &AzureEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let unreadable = |fault, checks: &mut Checks| checks.unreadable(Check::Layout, fault);
	let hcl = Hcl::parse(&evidence.hcl_report).map_err(|fault| unreadable(fault, checks))?;
	let runtime = Runtime::parse(hcl.runtime).map_err(|fault| unreadable(fault, checks))?;
	let quote = Quote::read(&evidence.attest, &evidence.signature, &evidence.pcrs, &runtime.key)
		.map_err(|fault| unreadable(fault, checks))?;
	let report = Report::parse(hcl.report).map_err(|fault| unreadable(fault, checks))?;
	checks.note(Check::Layout, Ok(()))?;

	checks.note(Check::KeyBinding, is_bound(&report, hcl.runtime))?;
	question.check_nonce(quote.attest.extra_data, checks)?;
	quote.check_pcrs(checks)?;
	checks.note(Check::QuoteSignature, quote.verify_signature(&runtime.key))?;
	let firmware = &question.policy.azure_measurements;
	let AzureEvidence { vcek, issuers, .. } = evidence;
	let (snp, _) = snp::verify_report(hcl.report, vcek, issuers, firmware, question, checks)?;

	let claims = claims(&hcl, &runtime, &quote, snp);
	let policy = question.policy;
	checks.require(Check::PhysicalTpm, policy.allow_virtual_tpm, Fault::NotAccepted)?;
	checks.require(Check::BoxIdentity, policy.allow_cloud, Fault::NotAccepted)?;
	// Any guest's owner can put claims of its own there: without the firmware's digest they say
	// nothing.
	let is_pinned = !firmware.is_empty();
	checks.require(Check::Measurement, is_pinned, Fault::NoReference)?;
	quote.check_measurements(policy, checks)?;
	question.check_revocation(&[], &claims.identity, checks)?;
	Ok(claims)
}

/// Whether the firmware put the hash of the runtime claims, and nothing else, into the report data.
/// The VM itself runs at a higher VMPL of the same measurement and can have such reports made too,
/// with whatever report data it likes.
fn is_bound(report: &Report, runtime: &[u8]) -> Result<(), Fault> {
	let hash = sha256(runtime);
	let (head, rest) = report.report_data.split_at_checked(hash.len()).unwrap_or_default();
	if head != hash || rest.iter().any(|byte| *byte != 0) {
		Err(Fault::Mismatch)
	} else if report.vmpl != 0 {
		Err(Fault::NotAccepted)
	} else {
		Ok(())
	}
}

fn claims(hcl: &Hcl<'_>, runtime: &Runtime, quote: &Quote<'_>, snp: Claims) -> Claims {
	let tpm = quote.claims();
	let mut claims = Claims::new(Format::AzureSnpVtpm, "Microsoft");
	claims.nonce.clone_from(&tpm.nonce);
	claims.identity = Identity { kind: IdentityKind::CloudInstance, id: runtime.instance.clone() };
	claims.model.clone_from(&snp.model);
	claims.firmware.clone_from(&snp.firmware);
	claims.tcb = snp.tcb;
	claims.debug = snp.debug;
	claims.boot_count = tpm.boot_count;
	claims.clock_millis = tpm.clock_millis;
	claims.measurements = [&snp.measurements[..], &tpm.measurements].concat();
	claims.valid = snp.valid;
	claims.fact("hcl-version", hcl.version);
	claims.fact("runtime-claims-sha256", Hex(&sha256(hcl.runtime)));
	let content = &runtime.content;
	if let Some(vm) = &content.configuration {
		let flags = [
			("secure-boot", vm.secure_boot),
			("tpm-enabled", vm.tpm_enabled),
			("console-enabled", vm.console_enabled),
		];
		for (name, flag) in flags {
			if let Some(flag) = flag {
				claims.fact(name, flag);
			}
		}
		if let Some(id) = &vm.unique_id {
			claims.fact("vm-unique-id", id);
		}
	}
	if let Some(data) = &content.user_data {
		claims.fact("user-data", data);
	}
	claims.parts = alloc::vec![snp, tpm];
	claims
}

/// An HCL report. Its two headers are signed by nobody.
struct Hcl<'a> {
	version: u32,
	report: &'a [u8],
	runtime: &'a [u8],
}

impl<'a> Hcl<'a> {
	fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
		if bytes.len() > MAX_HCL_LEN {
			return Err(Fault::TooLarge);
		}
		let mut fields = Fields::new(bytes);
		if fields.take(MAGIC.len())? != MAGIC {
			return Err(Fault::Malformed);
		}
		let version = fields.u32_le()?;
		if !(1..=2).contains(&version) {
			return Err(Fault::UnknownVersion(version));
		}
		let total = fields.u32_le()?;
		let request_type = fields.u32_le()?;
		// The status, and what is reserved.
		let zero = fields.take(16)?;
		if request_type != REQUEST_TYPE || zero.iter().any(|byte| *byte != 0) {
			return Err(Fault::Malformed);
		}
		let report = fields.take(REPORT_LEN)?;
		let data_len = fields.u32_le()?;
		let runtime_version = fields.u32_le()?;
		if runtime_version != RUNTIME_VERSION {
			return Err(Fault::UnknownVersion(runtime_version));
		}
		let report_type = fields.u32_le()?;
		let hash = fields.u32_le()?;
		if report_type != REPORT_TYPE_SNP || hash != HASH_SHA256 {
			return Err(Fault::UnknownAlgorithm);
		}
		let len = fields.u32_le()?;
		let with_header = len.checked_add(RUNTIME_HEADER_LEN).ok_or(Fault::TooLarge)?;
		let before = u32::try_from(REPORT_LEN).map_err(|_| Fault::TooLarge)?;
		let whole = with_header.checked_add(before).and_then(|sum| sum.checked_add(HEADER_LEN));
		if data_len != with_header || whole != Some(total) {
			return Err(Fault::Malformed);
		}
		let runtime = fields.take(usize::try_from(len).map_err(|_| Fault::TooLarge)?)?;
		if fields.rest().iter().any(|byte| *byte != 0) {
			return Err(Fault::TrailingBytes);
		}
		Ok(Self { version, report, runtime })
	}
}

/// Runtime claims, JSON. Names that are not here are ignored.
#[derive(Deserialize)]
struct Content {
	keys: Vec<Jwk>,
	#[serde(rename = "vm-configuration")]
	configuration: Option<Configuration>,
	#[serde(rename = "user-data")]
	user_data: Option<String>,
}

/// A key (RFC 7517).
#[derive(Deserialize)]
struct Jwk {
	kid: String,
	kty: String,
	n: Option<String>,
	e: Option<String>,
}

#[derive(Deserialize)]
struct Configuration {
	#[serde(rename = "secure-boot")]
	secure_boot: Option<bool>,
	#[serde(rename = "tpm-enabled")]
	tpm_enabled: Option<bool>,
	#[serde(rename = "console-enabled")]
	console_enabled: Option<bool>,
	#[serde(rename = "vmUniqueId")]
	unique_id: Option<String>,
}

/// Runtime claims that could be read.
struct Runtime {
	content: Content,
	key: PublicKey,
	/// The VM: its id, or SHA-256 of the modulus of its key.
	instance: Vec<u8>,
}

impl Runtime {
	fn parse(json: &[u8]) -> Result<Self, Fault> {
		let content: Content = serde_json::from_slice(json).map_err(|_| Fault::Malformed)?;
		let mut keys = content.keys.iter().filter(|key| key.kid == ATTESTATION_KEY);
		let jwk = keys.next().ok_or(Fault::Missing)?;
		if keys.next().is_some() {
			return Err(Fault::Malformed);
		}
		if jwk.kty != "RSA" {
			return Err(Fault::UnknownAlgorithm);
		}
		let number = |text: &Option<String>| {
			let text = text.as_ref().ok_or(Fault::Missing)?;
			base64::url(text).ok_or(Fault::Malformed)
		};
		let modulus = number(&jwk.n)?;
		let key = PublicKey::rsa_from_parts(&modulus, &number(&jwk.e)?)?;
		let unique_id = content.configuration.as_ref().and_then(|vm| vm.unique_id.as_ref());
		let instance = match unique_id {
			Some(text) => guid(text).ok_or(Fault::Malformed)?,
			None => sha256(&modulus).to_vec(),
		};
		Ok(Self { content, key, instance })
	}
}

/// The 16 bytes of a GUID in the order of its digits.
fn guid(text: &str) -> Option<Vec<u8>> {
	let digits: String = text.chars().filter(|c| *c != '-').collect();
	from_hex(&digits).filter(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn guid_should_have_sixteen_bytes() {
		let id = guid("26F8BC30-774E-4290-8E7A-535F3B672AEE").unwrap();
		assert_eq!(id[..4], [0x26, 0xf8, 0xbc, 0x30]);
		assert_eq!(guid("26F8BC30"), None);
		assert_eq!(guid("26F8BC30-774E-4290-8E7A-535F3B672AEG"), None);
	}
}
