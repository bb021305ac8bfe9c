//! Attestation evidence as devices send it. Verification is in the `verifier` crate.

pub mod hardware;

pub use hardware::{GpuReport, GpuReports, PlatformEvidence};

use crate::H256;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::{ed25519, ConstU32};
use sp_runtime::BoundedVec;

/// No evidence may be larger than this, whatever its format; checked before decoding.
pub const MAX_EVIDENCE_LEN: u32 = 96 * 1024;

/// Evidence as it travels in an extrinsic: still undecoded.
pub type EvidenceBytes = BoundedVec<u8, ConstU32<MAX_EVIDENCE_LEN>>;

/// The longest part of Intel's collateral that the chain keeps, in bytes, but for the two below.
pub const MAX_COLLATERAL_PART_LEN: u32 = 8_192;

/// The longest revocation list of platform keys that the chain keeps, in bytes.
pub const MAX_PCK_CRL_LEN: u32 = 65_536;

/// The longest TCB info that the chain keeps, in bytes.
pub const MAX_TCB_INFO_LEN: u32 = 32_768;

/// A text of an inventory: printable in lists, never an input to a decision.
pub type InventoryText = BoundedVec<u8, ConstU32<128>>;

/// Names of the formats, for errors and events.
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
pub enum EvidenceFormat {
	/// Inventory signed by the device's software key.
	#[codec(index = 0)]
	DeviceKeyInventory,
	/// AMD SEV-SNP.
	#[codec(index = 1)]
	SevSnp,
	/// Intel TDX.
	#[codec(index = 2)]
	Tdx,
	/// Intel SGX.
	#[codec(index = 3)]
	Sgx,
	/// TPM 2.0.
	#[codec(index = 4)]
	Tpm,
	/// Azure: SEV-SNP with a vTPM.
	#[codec(index = 5)]
	AzureSnpVtpm,
	/// Android Key Attestation.
	#[codec(index = 6)]
	AndroidKey,
	/// AWS Nitro Enclaves.
	#[codec(index = 7)]
	NitroEnclave,
}

/// What a machine says it is made of. Tier T0 proves only who says it.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Inventory {
	/// CPU model as the kernel names it.
	pub cpu_model: InventoryText,
	/// Hardware threads.
	pub threads: u16,
	/// Physical memory in MiB.
	pub memory_mib: u32,
	/// Storage in MiB that the agent may use.
	pub storage_mib: u64,
	/// Operating system and kernel release.
	pub system: InventoryText,
	/// Version of the agent.
	pub agent: InventoryText,
	/// Blake2b-256 over salted stable machine ids: the same for one installation, telling nothing.
	pub machine_digest: H256,
}

/// What the device key signs in evidence of every kind.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct InventoryStatement {
	/// The nonce that the chain gave.
	pub nonce: H256,
	/// The inventory.
	pub inventory: Inventory,
}

/// Evidence in one of the supported formats.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Evidence {
	/// See [`EvidenceFormat::DeviceKeyInventory`].
	#[codec(index = 0)]
	DeviceKeyInventory {
		/// What is signed, under [`crate::signing::Domain::Evidence`].
		statement: InventoryStatement,
		/// The device key's signature.
		signature: ed25519::Signature,
	},
	/// The same with what the hardware says. The nonce of the statement is the chain's; that of the
	/// hardware is derived from it (`verifier::evidence::report_data`, `gpu_nonce`).
	#[codec(index = 1)]
	Hardware {
		/// What is signed, under [`crate::signing::Domain::Evidence`].
		statement: InventoryStatement,
		/// The device key's signature.
		signature: ed25519::Signature,
		/// The platform.
		platform: PlatformEvidence,
		/// Its GPUs; none is legal.
		gpus: GpuReports,
	},
}

impl Evidence {
	/// The statement that the device key signed, and the signature.
	pub fn statement(&self) -> (&InventoryStatement, &ed25519::Signature) {
		match self {
			Evidence::DeviceKeyInventory { statement, signature }
			| Evidence::Hardware { statement, signature, .. } => (statement, signature),
		}
	}

	/// The format; `None` for a quote that is neither of TDX nor of SGX.
	pub fn format(&self) -> Option<EvidenceFormat> {
		match self {
			Evidence::DeviceKeyInventory { .. } => Some(EvidenceFormat::DeviceKeyInventory),
			Evidence::Hardware { platform, .. } => platform.format(),
		}
	}

	/// The encoded form, for an extrinsic. `None` when it is over [`MAX_EVIDENCE_LEN`].
	pub fn to_bytes(&self) -> Option<EvidenceBytes> {
		let bytes: Vec<u8> = self.encode();
		bytes.try_into().ok()
	}
}
