//! Attestation evidence to a tier.
//!
//! The steps are size, format, decoding, trailing bytes, nonce, signature, inventory, then the
//! platform, then its GPUs; the first that fails names the error. Everything before the device's
//! signature is cheap.
//!
//! The chain gives one nonce. The device signs it; the platform is asked with [`report_data`], which
//! also binds chain, device and device key, and every GPU with [`gpu_nonce`], which binds the
//! platform. So the parts of other devices cannot stand in for those of this one.

pub mod hardware;
mod platform;
#[cfg(test)]
mod tests;

pub use hardware::{
	dcap::{CollateralKey, PckCaKind, Tee},
	Issuer,
};
pub use platform::{claimed_box, tier_of};

use alloc::vec::Vec;
use armature_primitives::{
	device::Tier,
	evidence::{
		Evidence, EvidenceFormat, Inventory, InventoryStatement, PlatformEvidence, MAX_EVIDENCE_LEN,
	},
	signing::Domain,
	DeviceId, Moment, H256,
};
use codec::{Decode, DecodeLimit, DecodeWithMemTracking, Encode, MaxEncodedLen};
use hardware::{dcap, Checks, Failure, Known, Policy};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::ed25519;
use sp_io::hashing::blake2_256;

use crate::signature::verify_device;

/// Levels of nesting that a decoder may enter. The formats nest six deep.
const MAX_DEPTH: u32 = 8;

/// Number of formats of the envelope, [`Evidence`].
const ENVELOPES: u8 = 2;

/// Parts [`report_data`] from every other hash.
const REPORT_DATA_DOMAIN: &[u8] = b"armature/report-data/1";
/// Parts [`gpu_nonce`] from every other hash.
const GPU_NONCE_DOMAIN: &[u8] = b"armature/gpu-nonce/1";
/// Parts [`hardware_id`] from every other hash.
const HARDWARE_ID_DOMAIN: &[u8] = b"armature/hardware-id/1";

/// What the evidence must speak of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
	/// Hash of the chain's first block.
	pub genesis: H256,
	/// The device that is to be attested.
	pub device: DeviceId,
	/// Its registered key.
	pub key: ed25519::Public,
	/// The nonce that the chain gave for this attestation.
	pub nonce: H256,
}

/// What evidence of hardware is held against, beside the [`Context`].
#[derive(Clone, Copy, Debug)]
pub struct References<'a> {
	/// Whom to trust and what to accept.
	pub policy: &'a Policy,
	/// Signatures that held before.
	pub known: &'a Known,
	/// What Intel says of the platform, see [`collateral_key`].
	pub collateral: Option<&'a dcap::Collateral>,
	/// The instant.
	pub now: Moment,
}

/// What valid evidence proves.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AttestationResult {
	/// How far the identity is rooted in hardware.
	pub tier: Tier,
	/// The format that proved it.
	pub format: EvidenceFormat,
	/// Blake2b-256 of the SCALE encoding of the [`Inventory`].
	pub inventory: H256,
	/// The platform, then its GPUs ([`hardware_id`]) in rising order, each once; empty when nothing
	/// names a box.
	pub identities: Vec<H256>,
	/// Firmware versions as a number to compare within one model; 0 where the format has none.
	pub tcb: u64,
	/// Blake2b-256 of the platform's maker with its model behind it; zero without hardware.
	pub model: H256,
	/// Every issuing certificate, roots included, each once: what need not be verified again.
	pub issuers: Vec<Issuer>,
	/// SHA-256 of every certificate that was consulted, each once.
	pub certificates: Vec<H256>,
	/// The first instant at which some certificate or the collateral does not hold any more;
	/// `u64::MAX` if none of them ends.
	pub expires_at: Moment,
}

/// The part of an inventory that cannot be.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum InventoryField {
	/// The CPU model is not text without control characters.
	#[codec(index = 0)]
	CpuModel,
	/// A machine has at least one hardware thread.
	#[codec(index = 1)]
	Threads,
	/// A machine has memory.
	#[codec(index = 2)]
	Memory,
	/// The system's name is not text without control characters.
	#[codec(index = 3)]
	System,
	/// The agent's version is not text without control characters.
	#[codec(index = 4)]
	Agent,
	/// The digest of the machine ids is zero.
	#[codec(index = 5)]
	MachineDigest,
}

/// The step at which evidence failed.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceError {
	/// It is longer than [`MAX_EVIDENCE_LEN`]; nothing of it was read.
	#[codec(index = 0)]
	TooLarge,
	/// Its first byte names no format of this version.
	#[codec(index = 1)]
	UnknownFormat(u8),
	/// It does not decode as its format.
	#[codec(index = 2)]
	Malformed,
	/// Bytes follow the decoded evidence.
	#[codec(index = 3)]
	TrailingBytes,
	/// It speaks of another nonce.
	#[codec(index = 4)]
	NonceMismatch,
	/// The signature is not the device's over this statement, chain and device.
	#[codec(index = 5)]
	BadSignature,
	/// The inventory contains something that cannot be.
	#[codec(index = 6)]
	BadInventory(InventoryField),
	/// What the hardware says does not hold or is not accepted. [`Failure::part`] counts GPUs; `None`
	/// is the platform, or the GPUs as a whole.
	#[codec(index = 7)]
	Hardware(Failure),
	/// The quote's collateral is not there: see [`collateral_key`].
	#[codec(index = 8)]
	CollateralMissing,
	/// GPUs count only beside a platform of tier T2: elsewhere nothing says which box they are in.
	#[codec(index = 9)]
	GpuWithoutConfidentialPlatform,
}

impl From<Failure> for EvidenceError {
	fn from(failure: Failure) -> Self {
		EvidenceError::Hardware(failure)
	}
}

impl core::fmt::Display for EvidenceError {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		match self {
			EvidenceError::TooLarge => {
				write!(f, "the evidence is longer than {MAX_EVIDENCE_LEN} bytes")
			},
			EvidenceError::UnknownFormat(byte) => {
				write!(f, "evidence format {byte} is not known to this version")
			},
			EvidenceError::Malformed => f.write_str("the evidence does not decode"),
			EvidenceError::TrailingBytes => f.write_str("bytes follow the evidence"),
			EvidenceError::NonceMismatch => {
				f.write_str("the evidence was made for another nonce: ask for a new one")
			},
			EvidenceError::BadSignature => {
				f.write_str("the signature is not the device key's for this chain and device")
			},
			EvidenceError::BadInventory(field) => {
				let what = match field {
					InventoryField::CpuModel => "the CPU model is not printable text",
					InventoryField::Threads => "there are no hardware threads",
					InventoryField::Memory => "there is no memory",
					InventoryField::System => "the system's name is not printable text",
					InventoryField::Agent => "the agent's version is not printable text",
					InventoryField::MachineDigest => "the machine digest is zero",
				};
				write!(f, "the inventory cannot be: {what}")
			},
			EvidenceError::Hardware(failure) => write!(f, "hardware: {failure}"),
			EvidenceError::CollateralMissing => {
				f.write_str("there is no collateral for this platform: submit it first")
			},
			EvidenceError::GpuWithoutConfidentialPlatform => f.write_str(
				"GPUs need a confidential platform (SEV-SNP with VCEK, or TDX) beside them",
			),
		}
	}
}

impl core::error::Error for EvidenceError {}

/// What the platform's freshness field must contain, possibly with zeros behind it:
/// `blake2_256(domain, genesis, SCALE(device), device key, nonce)`.
pub fn report_data(context: &Context) -> [u8; 32] {
	let Context { genesis, device, key, nonce } = context;
	// All parts have a fixed length.
	blake2_256(
		&[REPORT_DATA_DOMAIN, genesis.as_bytes(), &device.encode(), key.as_ref(), nonce.as_bytes()]
			.concat(),
	)
}

/// What every GPU is asked with: `blake2_256(domain, report data, hardware id of the platform)`.
pub fn gpu_nonce(report_data: &[u8; 32], platform: &H256) -> [u8; 32] {
	blake2_256(&[GPU_NONCE_DOMAIN, report_data, platform.as_bytes()].concat())
}

/// The name of a box or of a part of one (`ueid`): `blake2_256(domain, kind, 0, maker's bytes)`.
/// `None` where the identity names no box.
pub fn hardware_id(identity: &hardware::Identity) -> Option<H256> {
	let hardware::Identity { kind, id } = identity;
	// No kind has a zero in its name: the two cannot be cut elsewhere.
	let bytes = [HARDWARE_ID_DOMAIN, kind.name().as_bytes(), &[0], id].concat();
	kind.names_box().then(|| H256(blake2_256(&bytes)))
}

/// Bounds and decodes; the whole input must be used.
///
/// # Errors
///
/// [`EvidenceError::TooLarge`], [`EvidenceError::UnknownFormat`], [`EvidenceError::Malformed`],
/// [`EvidenceError::TrailingBytes`].
pub fn decode(bytes: &[u8]) -> Result<Evidence, EvidenceError> {
	// A length that does not fit is over the limit too.
	if u32::try_from(bytes.len()).map_or(true, |len| len > MAX_EVIDENCE_LEN) {
		return Err(EvidenceError::TooLarge);
	}
	let format = *bytes.first().ok_or(EvidenceError::Malformed)?;
	if format >= ENVELOPES {
		return Err(EvidenceError::UnknownFormat(format));
	}
	let mut rest = bytes;
	let evidence = Evidence::decode_with_depth_limit(MAX_DEPTH, &mut rest)
		.map_err(|_| EvidenceError::Malformed)?;
	if rest.is_empty() {
		Ok(evidence)
	} else {
		Err(EvidenceError::TrailingBytes)
	}
}

/// Which collateral the evidence needs, according to the certificate of its platform's key, of which
/// nothing is verified. `None` for formats that need none.
///
/// # Errors
///
/// [`EvidenceError::Hardware`] for what cannot be read.
pub fn collateral_key(evidence: &Evidence) -> Result<Option<CollateralKey>, EvidenceError> {
	match evidence {
		Evidence::Hardware { platform: PlatformEvidence::Dcap { quote }, .. } => {
			Ok(Some(dcap::collateral_key(quote)?))
		},
		_ => Ok(None),
	}
}

/// The cheap part: nonce, the device key's signature, inventory. Returns the format, and Blake2b-256
/// of the SCALE encoding of the inventory.
///
/// # Errors
///
/// [`EvidenceError::NonceMismatch`], [`EvidenceError::BadSignature`],
/// [`EvidenceError::BadInventory`]; [`EvidenceError::Hardware`] for a quote that is of neither TDX nor
/// SGX; [`EvidenceError::GpuWithoutConfidentialPlatform`] for GPUs beside a format without one.
pub fn check_statement(
	evidence: &Evidence,
	context: &Context,
) -> Result<(EvidenceFormat, H256), EvidenceError> {
	let (statement, signature) = evidence.statement();
	let InventoryStatement { nonce, inventory } = statement;
	let Context { genesis, device, key, .. } = context;
	if *nonce != context.nonce {
		return Err(EvidenceError::NonceMismatch);
	}
	if !verify_device(Domain::Evidence, genesis, *device, statement, key, signature) {
		return Err(EvidenceError::BadSignature);
	}
	check_inventory(inventory).map_err(EvidenceError::BadInventory)?;
	let unknown = Failure::new(hardware::Check::Layout, hardware::Fault::Malformed);
	let format = evidence.format().ok_or(unknown)?;
	let may_have_gpus = matches!(format, EvidenceFormat::SevSnp | EvidenceFormat::Tdx);
	if matches!(evidence, Evidence::Hardware { gpus, .. } if !gpus.is_empty() && !may_have_gpus) {
		return Err(EvidenceError::GpuWithoutConfidentialPlatform);
	}
	Ok((format, H256(blake2_256(&inventory.encode()))))
}

/// Judges evidence. GPUs are not looked at before the platform holds.
///
/// # Errors
///
/// The first step that fails, see [`EvidenceError`].
pub fn appraise(
	evidence: &Evidence,
	context: &Context,
	references: &References<'_>,
) -> Result<AttestationResult, EvidenceError> {
	let head = check_statement(evidence, context)?;
	appraise_hardware(evidence, context, references, head, &mut Checks::stop_at_first())
}

/// Judges what [`check_statement`] left: the hardware. `head` is what it returned. Where `checks` goes
/// on after failures, GPUs are judged whatever the platform failed, and an `Ok` says only that
/// everything could be read.
///
/// # Errors
///
/// [`EvidenceError::Hardware`], [`EvidenceError::CollateralMissing`],
/// [`EvidenceError::GpuWithoutConfidentialPlatform`].
pub fn appraise_hardware(
	evidence: &Evidence,
	context: &Context,
	references: &References<'_>,
	head: (EvidenceFormat, H256),
	checks: &mut Checks,
) -> Result<AttestationResult, EvidenceError> {
	let (format, inventory) = head;
	match evidence {
		Evidence::DeviceKeyInventory { .. } => Ok(AttestationResult {
			tier: Tier::T0,
			format,
			inventory,
			identities: Vec::new(),
			tcb: 0,
			model: H256::zero(),
			issuers: Vec::new(),
			certificates: Vec::new(),
			expires_at: Moment::MAX,
		}),
		Evidence::Hardware { platform, gpus, .. } => {
			platform::judge(platform, gpus, &report_data(context), references, head, checks)
		},
	}
}

/// Refuses what no machine has. Nothing else of an inventory is ever an input to a decision.
fn check_inventory(inventory: &Inventory) -> Result<(), InventoryField> {
	let ensure = |ok: bool, field| if ok { Ok(()) } else { Err(field) };
	ensure(is_text(&inventory.cpu_model), InventoryField::CpuModel)?;
	ensure(inventory.threads > 0, InventoryField::Threads)?;
	ensure(inventory.memory_mib > 0, InventoryField::Memory)?;
	ensure(is_text(&inventory.system), InventoryField::System)?;
	ensure(is_text(&inventory.agent), InventoryField::Agent)?;
	ensure(!inventory.machine_digest.is_zero(), InventoryField::MachineDigest)
}

/// UTF-8 without control characters, so that a list of devices cannot be made to drive a terminal.
/// An empty text is legal: some kernels name no CPU model.
pub fn is_text(bytes: &[u8]) -> bool {
	core::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}
