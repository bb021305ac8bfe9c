//! Reference values: whom to trust and what to accept.
//!
//! The defaults are strict: everything that lets a device be somebody else's, or be debugged, or be
//! a cloud tenant, is refused unless the policy says otherwise.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{de::Error as _, Deserialize, Deserializer, Serialize, Serializer};

/// SHA-256 of a certificate or of a public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Digest256(pub [u8; 32]);

impl Serialize for Digest256 {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(&super::claims::Hex(&self.0))
	}
}

impl<'de> Deserialize<'de> for Digest256 {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let bytes = HexBytes::deserialize(deserializer)?.0;
		let digest = bytes.try_into().map_err(|_| D::Error::custom("not 64 hex digits"))?;
		Ok(Self(digest))
	}
}

/// Bytes that are written as hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct HexBytes(pub Vec<u8>);

impl Serialize for HexBytes {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(&super::claims::Hex(&self.0))
	}
}

impl<'de> Deserialize<'de> for HexBytes {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let text = String::deserialize(deserializer)?;
		from_hex(&text).map(Self).ok_or_else(|| D::Error::custom("not hex"))
	}
}

/// Bytes of a hex text of either case, without prefix.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
	let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
	let bytes = text.as_bytes();
	if !bytes.len().is_multiple_of(2) {
		return None;
	}
	bytes
		.chunks_exact(2)
		.map(|pair| match pair {
			[high, low] => Some((digit(*high)? << 4) | digit(*low)?),
			_ => None,
		})
		.collect()
}

/// Security levels of an Android key, in rising order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityLevel {
	/// Held by the operating system.
	Software,
	/// Held by the trusted execution environment.
	TrustedEnvironment,
	/// Held by a security chip.
	StrongBox,
}

/// Intel's verdict on a platform's versions, as its TCB info names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TcbStatus {
	/// Nothing to do.
	UpToDate,
	/// Software in the enclave must mitigate something.
	SWHardeningNeeded,
	/// The platform's configuration leaves something open.
	ConfigurationNeeded,
	/// Both.
	ConfigurationAndSWHardeningNeeded,
	/// Updates are missing.
	OutOfDate,
	/// Updates are missing and the configuration leaves something open.
	OutOfDateConfigurationNeeded,
	/// The keys are not trusted any more.
	Revoked,
}

/// The least firmware versions of an AMD product, each a floor of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnpTcbFloor {
	/// FMC, Turin and later.
	pub fmc: u8,
	/// Boot loader.
	pub bootloader: u8,
	/// Trusted execution environment.
	pub tee: u8,
	/// SNP firmware.
	pub snp: u8,
	/// Microcode.
	pub microcode: u8,
}

/// Trusted roots, by SHA-256 of the certificate in DER or of its public key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roots {
	/// AMD root keys (ARK), by SHA-256 of the certificate.
	pub amd: Vec<Digest256>,
	/// Intel SGX root CA, by SHA-256 of the certificate.
	pub intel: Vec<Digest256>,
	/// NVIDIA device identity CA, by SHA-256 of the certificate.
	pub nvidia: Vec<Digest256>,
	/// AWS Nitro root, by SHA-256 of the certificate.
	pub nitro: Vec<Digest256>,
	/// Google hardware attestation roots, by SHA-256 of the public key (`SubjectPublicKeyInfo`).
	pub android: Vec<Digest256>,
	/// Roots of TPM makers, by SHA-256 of the certificate.
	pub tpm: Vec<Digest256>,
}

impl Roots {
	/// Whether a certificate, by its SHA-256, is itself one of the trusted.
	pub fn pin(&self, sha256: &[u8; 32]) -> bool {
		let Self { amd, intel, nvidia, nitro, tpm, android: _ } = self;
		[amd, intel, nvidia, nitro, tpm]
			.into_iter()
			.flatten()
			.any(|pinned| pinned.0 == *sha256)
	}
}

/// What is accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
	/// Whom to trust.
	pub roots: Roots,
	/// Accept evidence of something that can be debugged.
	pub allow_debug: bool,
	/// Accept AMD's vendor-loaded keys (VLEK), which name a cloud, not a chip.
	pub allow_vlek: bool,
	/// Accept TPMs of hypervisors.
	pub allow_virtual_tpm: bool,
	/// Accept TPMs in software, known by their firmware version.
	pub allow_software_tpm: bool,
	/// Accept keys of a TPM that no maker certified: no identity follows.
	pub allow_uncertified_tpm: bool,
	/// Accept certified attestation keys of TPMs without the endorsement key: one TPM can have many,
	/// unless the authority certifies only one of each.
	pub allow_attestation_key: bool,
	/// Accept identities of cloud tenants.
	pub allow_cloud: bool,
	/// Accept keys of Android devices, which name a key and no device: one device can make as many as
	/// it likes.
	pub allow_android_key: bool,
	/// Accept an unlocked boot loader.
	pub allow_unlocked_boot: bool,
	/// Accept a booted system that was not verified.
	pub allow_unverified_boot: bool,
	/// Accept a guest that a migration agent may move (SEV-SNP, TDX).
	pub allow_migration_agent: bool,
	/// The highest privilege level (VMPL) of an SEV-SNP report that is accepted; 0 is the most
	/// privileged.
	pub max_vmpl: u32,
	/// Least AMD firmware by product ("Milan", "Genoa", "Turin").
	pub min_snp_tcb: BTreeMap<String, SnpTcbFloor>,
	/// Verdicts of Intel that are accepted.
	pub tcb_statuses: Vec<TcbStatus>,
	/// The least `tcbEvaluationDataNumber` of Intel's TCB info and of the quoting enclave's identity;
	/// it rises with every recovery. 0 accepts all.
	pub min_tcb_evaluation_data_number: u32,
	/// The greatest such number that is accepted: Intel publishes numbers early, for those who update
	/// before others must. `u32::MAX` accepts all.
	pub max_tcb_evaluation_data_number: u32,
	/// Least security level of an Android key.
	pub min_android_level: SecurityLevel,
	/// Least patch level of an Android system, YYYYMM; 0 accepts all.
	pub min_android_patch: u32,
	/// Accepted launch measurements (SEV-SNP, MRTD, MRENCLAVE, Nitro PCR0); empty accepts all.
	pub measurements: Vec<HexBytes>,
	/// Accepted launch measurements of Azure's firmware (HCL). Nothing else is compared with them,
	/// and an Azure VM with nothing else; empty accepts no Azure VM.
	pub azure_measurements: Vec<HexBytes>,
	/// Accepted PCR values by index, SHA-256 bank; an index that is not here is not compared.
	pub pcrs: BTreeMap<u8, Vec<HexBytes>>,
	/// Accepted values of GPU measurements by index; an index that is not here is not compared.
	pub gpu_measurements: BTreeMap<u8, Vec<HexBytes>>,
	/// Serial numbers of revoked certificates, hex, without leading zeros.
	pub revoked_serials: Vec<HexBytes>,
	/// Revoked identities (chip ids, PPIDs, GPU serials), hex.
	pub revoked_ids: Vec<HexBytes>,
}

const fn digest(hex: &str) -> Digest256 {
	const fn nibble(byte: u8) -> u8 {
		match byte {
			b'0'..=b'9' => byte - b'0',
			_ => byte - b'a' + 10,
		}
	}
	let bytes = hex.as_bytes();
	let mut out = [0u8; 32];
	let mut at = 0;
	while at < 32 {
		out[at] = (nibble(bytes[2 * at]) << 4) | nibble(bytes[2 * at + 1]);
		at += 1;
	}
	Digest256(out)
}

impl Default for Roots {
	/// The makers' roots, as they publish them.
	fn default() -> Self {
		Self {
			amd: alloc::vec![AMD_MILAN, AMD_GENOA, AMD_TURIN],
			intel: alloc::vec![INTEL],
			nvidia: alloc::vec![NVIDIA],
			nitro: alloc::vec![NITRO],
			android: alloc::vec![GOOGLE_2016],
			tpm: Vec::new(),
		}
	}
}

/// SHA-256 of ARK-Milan, valid 2020 to 2045.
const AMD_MILAN: Digest256 =
	digest("69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd");
/// SHA-256 of ARK-Genoa, valid 2022 to 2047.
const AMD_GENOA: Digest256 =
	digest("4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1");
/// SHA-256 of ARK-Turin, valid 2023 to 2048.
const AMD_TURIN: Digest256 =
	digest("1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a");
/// SHA-256 of the Intel SGX Root CA, valid 2018 to 2049.
const INTEL: Digest256 = digest("44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3");
/// SHA-256 of the NVIDIA Device Identity CA, valid from 2021.
const NVIDIA: Digest256 =
	digest("102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48");
/// SHA-256 of the AWS Nitro Enclaves Root G1, valid 2019 to 2049.
const NITRO: Digest256 = digest("641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b");
/// SHA-256 of the key of Google's hardware attestation root (RSA-4096, serial e8fa196314d2fa18).
const GOOGLE_2016: Digest256 =
	digest("feb2ea7551ee316ed4bb443c8293b884dbfdea40b603ee3e4f4a897e4580fbae");

impl Default for Policy {
	fn default() -> Self {
		Self {
			roots: Roots::default(),
			allow_debug: false,
			allow_vlek: false,
			allow_virtual_tpm: false,
			allow_software_tpm: false,
			allow_uncertified_tpm: false,
			allow_attestation_key: false,
			allow_cloud: false,
			allow_android_key: false,
			allow_unlocked_boot: false,
			allow_unverified_boot: false,
			allow_migration_agent: false,
			max_vmpl: 0,
			min_snp_tcb: BTreeMap::new(),
			tcb_statuses: alloc::vec![TcbStatus::UpToDate, TcbStatus::SWHardeningNeeded],
			min_tcb_evaluation_data_number: 0,
			max_tcb_evaluation_data_number: u32::MAX,
			min_android_level: SecurityLevel::TrustedEnvironment,
			min_android_patch: 0,
			measurements: Vec::new(),
			azure_measurements: Vec::new(),
			pcrs: BTreeMap::new(),
			gpu_measurements: BTreeMap::new(),
			revoked_serials: Vec::new(),
			revoked_ids: Vec::new(),
		}
	}
}

impl Policy {
	/// Whether a certificate's serial number (big endian, no leading zeros) is revoked.
	pub fn revokes_serial(&self, serial: &[u8]) -> bool {
		let strip = |bytes: &[u8]| {
			let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
			bytes.get(zeros..).unwrap_or_default().to_vec()
		};
		// Zero is no serial number: AMD gives it to every certificate.
		!serial.is_empty() && self.revoked_serials.iter().any(|revoked| strip(&revoked.0) == serial)
	}

	/// Whether an identity is revoked.
	pub fn revokes_id(&self, id: &[u8]) -> bool {
		!id.is_empty() && self.revoked_ids.iter().any(|revoked| revoked.0 == id)
	}

	/// Whether a launch measurement is accepted.
	pub fn accepts_measurement(&self, digest: &[u8]) -> bool {
		accepts(&self.measurements, digest)
	}
}

/// Whether a digest is in a list; an empty list accepts all.
pub(super) fn accepts(list: &[HexBytes], digest: &[u8]) -> bool {
	list.is_empty() || list.iter().any(|known| known.0 == digest)
}
