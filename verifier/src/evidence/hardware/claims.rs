//! What evidence says, in one form for every format. The names are those of EAT (RFC 9711) where
//! it has one.

use super::check::Fault;
use alloc::{borrow::Cow, string::String, vec::Vec};
use serde::{Serialize, Serializer};

/// A span of time in milliseconds since 1970: from the first instant to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Window {
	/// The first instant inside.
	pub from: u64,
	/// The last instant inside.
	pub until: u64,
}

impl Window {
	/// All of time.
	pub const ALWAYS: Self = Self { from: 0, until: u64::MAX };

	/// Whether `now` is inside.
	///
	/// # Errors
	///
	/// [`Fault::NotYetValid`], [`Fault::Expired`].
	pub fn contains(self, now: u64) -> Result<(), Fault> {
		if now < self.from {
			Err(Fault::NotYetValid)
		} else if now > self.until {
			Err(Fault::Expired)
		} else {
			Ok(())
		}
	}

	/// What is inside both.
	pub fn intersect(self, other: Self) -> Self {
		Self { from: self.from.max(other.from), until: self.until.min(other.until) }
	}
}

/// The kinds of evidence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
	/// AMD SEV-SNP attestation report.
	SevSnp,
	/// Intel TDX quote.
	Tdx,
	/// Intel SGX quote.
	Sgx,
	/// TPM 2.0 quote.
	Tpm,
	/// TPM 2.0 quote of an Azure vTPM, bound to an SEV-SNP report.
	AzureSnpVtpm,
	/// NVIDIA GPU confidential-computing reports.
	NvidiaGpu,
	/// Android Key Attestation.
	AndroidKey,
	/// AWS Nitro Enclaves attestation document.
	NitroEnclave,
}

impl Format {
	/// Its name in outputs, the same as serde's.
	pub fn name(self) -> &'static str {
		match self {
			Format::SevSnp => "sev-snp",
			Format::Tdx => "tdx",
			Format::Sgx => "sgx",
			Format::Tpm => "tpm",
			Format::AzureSnpVtpm => "azure-snp-vtpm",
			Format::NvidiaGpu => "nvidia-gpu",
			Format::AndroidKey => "android-key",
			Format::NitroEnclave => "nitro-enclave",
		}
	}
}

/// What the identity in the evidence stands for. Only some stand for one box.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
	/// An AMD processor: the chip id that its VCEK certifies.
	AmdChip,
	/// An Intel platform: the PPID of its PCK certificate.
	IntelPlatform,
	/// A TPM: its certified endorsement key.
	TpmEndorsementKey,
	/// A certified attestation key of a TPM; one TPM can have many.
	TpmAttestationKey,
	/// An NVIDIA GPU: the serial number of its boot ROM's certificate.
	NvidiaGpu,
	/// An NVIDIA switch, by the same number: part of a box with GPUs, and no box of its own.
	NvidiaSwitch,
	/// A key in the trusted environment of an Android device; names no device.
	AndroidTee,
	/// A key in an Android device's security chip; names no device.
	AndroidStrongBox,
	/// A cloud tenant's virtual machine or enclave.
	CloudInstance,
	/// Nothing: anyone could have made it.
	None,
}

impl IdentityKind {
	/// Its name in outputs, the same as serde's.
	pub fn name(self) -> &'static str {
		match self {
			IdentityKind::AmdChip => "amd-chip",
			IdentityKind::IntelPlatform => "intel-platform",
			IdentityKind::TpmEndorsementKey => "tpm-endorsement-key",
			IdentityKind::TpmAttestationKey => "tpm-attestation-key",
			IdentityKind::NvidiaGpu => "nvidia-gpu",
			IdentityKind::NvidiaSwitch => "nvidia-switch",
			IdentityKind::AndroidTee => "android-tee",
			IdentityKind::AndroidStrongBox => "android-strong-box",
			IdentityKind::CloudInstance => "cloud-instance",
			IdentityKind::None => "none",
		}
	}

	/// Whether two boxes never share it and one box cannot have many.
	pub fn names_box(self) -> bool {
		matches!(
			self,
			Self::AmdChip | Self::IntelPlatform | Self::TpmEndorsementKey | Self::NvidiaGpu
		)
	}
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
	serializer.collect_str(&Hex(bytes))
}

/// Bytes as lower-case hex.
pub struct Hex<'a>(pub &'a [u8]);

impl core::fmt::Display for Hex<'_> {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
	}
}

/// Who the evidence is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Identity {
	/// What it stands for.
	pub kind: IdentityKind,
	/// Its bytes, as the maker gives them; empty where there is none.
	#[serde(serialize_with = "hex")]
	pub id: Vec<u8>,
}

/// `dbgstat` of EAT (RFC 9711 4.2.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DebugStatus {
	/// Debugging is possible.
	Enabled,
	/// It is off.
	Disabled,
	/// The format does not say.
	Unknown,
}

/// A digest that the hardware took.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Measurement {
	/// What was measured: "launch", "mrtd", "rtmr0", "pcr7", "gpu2".
	pub name: Cow<'static, str>,
	/// The digest.
	#[serde(serialize_with = "hex")]
	pub digest: Vec<u8>,
}

/// Something else that the format says, for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fact {
	/// Its name in the format's own terms, in kebab case.
	pub name: &'static str,
	/// Its value, as text.
	pub value: String,
}

/// What the evidence says. It is worth what the checks say of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Claims {
	/// The kind of evidence.
	pub format: Format,
	/// The freshness field as it stands in the evidence (`eat_nonce`).
	#[serde(rename = "eat_nonce", serialize_with = "hex")]
	pub nonce: Vec<u8>,
	/// Whom it is about (`ueid` is derived from it).
	pub identity: Identity,
	/// The maker of the hardware (`oemid`).
	#[serde(rename = "oemid")]
	pub maker: &'static str,
	/// The product (`hwmodel`).
	#[serde(rename = "hwmodel")]
	pub model: String,
	/// Firmware versions in the maker's notation (`swversion`).
	#[serde(rename = "swversion")]
	pub firmware: String,
	/// Firmware versions as a number to compare within one product; 0 where the format has none.
	pub tcb: u64,
	/// Whether debugging is possible (`dbgstat`).
	#[serde(rename = "dbgstat")]
	pub debug: DebugStatus,
	/// Boots that the hardware counted (`bootcount`), where it does.
	#[serde(rename = "bootcount", skip_serializing_if = "Option::is_none")]
	pub boot_count: Option<u32>,
	/// Milliseconds of operation (`uptime` in EAT is in seconds), where the hardware counts them.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub clock_millis: Option<u64>,
	/// Digests (`measurements`).
	pub measurements: Vec<Measurement>,
	/// Whatever else it says.
	pub facts: Vec<Fact>,
	/// When everything that has dates is valid at once.
	pub valid: Window,
	/// Evidence inside this evidence: the GPUs of a box, the report below a vTPM (`submods`).
	#[serde(rename = "submods", skip_serializing_if = "Vec::is_empty")]
	pub parts: Vec<Claims>,
}

impl Claims {
	/// Claims of a format with nothing said yet.
	pub fn new(format: Format, maker: &'static str) -> Self {
		Self {
			format,
			nonce: Vec::new(),
			identity: Identity { kind: IdentityKind::None, id: Vec::new() },
			maker,
			model: String::new(),
			firmware: String::new(),
			tcb: 0,
			debug: DebugStatus::Unknown,
			boot_count: None,
			clock_millis: None,
			measurements: Vec::new(),
			facts: Vec::new(),
			valid: Window::ALWAYS,
			parts: Vec::new(),
		}
	}

	/// Adds a fact.
	pub fn fact(&mut self, name: &'static str, value: impl core::fmt::Display) {
		self.facts.push(Fact { name, value: alloc::format!("{value}") });
	}

	/// Adds a measurement.
	pub fn measure(&mut self, name: impl Into<Cow<'static, str>>, digest: &[u8]) {
		self.measurements
			.push(Measurement { name: name.into(), digest: digest.to_vec() });
	}
}

/// Whether the freshness field of a report is `expected`, possibly padded with zeros, as devices
/// do with shorter nonces. An empty expectation matches nothing.
pub fn nonce_matches(field: &[u8], expected: &[u8]) -> bool {
	let Some((head, padding)) = field.split_at_checked(expected.len()) else { return false };
	!expected.is_empty() && head == expected && padding.iter().all(|byte| *byte == 0)
}
