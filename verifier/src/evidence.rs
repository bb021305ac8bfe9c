//! Attestation evidence to a tier.
//!
//! The steps are size, format, decoding, trailing bytes, nonce, signature, inventory; the first
//! that fails names the error. Everything before the signature is cheap.
//!
//! Evidence that is rooted in hardware is judged by [`hardware`].

pub mod hardware;

use armature_primitives::{
	device::Tier,
	evidence::{Evidence, EvidenceFormat, Inventory, InventoryStatement, MAX_EVIDENCE_LEN},
	signing::Domain,
	DeviceId, H256,
};
use codec::{Decode, DecodeLimit, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::ed25519;

use crate::signature::verify_device;

/// Levels of nesting that a decoder may enter. The formats nest four deep.
const MAX_DEPTH: u32 = 8;

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

/// What valid evidence proves.
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
)]
pub struct AttestationResult {
	/// How far the identity is rooted in hardware.
	pub tier: Tier,
	/// The format that proved it.
	pub format: EvidenceFormat,
	/// Blake2b-256 of the SCALE encoding of the [`Inventory`].
	pub inventory: H256,
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
		}
	}
}

impl core::error::Error for EvidenceError {}

/// Judges evidence.
///
/// # Errors
///
/// The first step that fails, see [`EvidenceError`].
pub fn verify(bytes: &[u8], ctx: &Context) -> Result<AttestationResult, EvidenceError> {
	match decode(bytes)? {
		Evidence::DeviceKeyInventory { statement, signature } => {
			verify_inventory(&statement, &signature, ctx)
		},
	}
}

/// Bounds and decodes; the whole input must be used.
fn decode(bytes: &[u8]) -> Result<Evidence, EvidenceError> {
	// A length that does not fit is over the limit too.
	if u32::try_from(bytes.len()).map_or(true, |len| len > MAX_EVIDENCE_LEN) {
		return Err(EvidenceError::TooLarge);
	}
	let format = *bytes.first().ok_or(EvidenceError::Malformed)?;
	EvidenceFormat::decode(&mut [format].as_slice())
		.map_err(|_| EvidenceError::UnknownFormat(format))?;
	let mut rest = bytes;
	let evidence = Evidence::decode_with_depth_limit(MAX_DEPTH, &mut rest)
		.map_err(|_| EvidenceError::Malformed)?;
	if rest.is_empty() {
		Ok(evidence)
	} else {
		Err(EvidenceError::TrailingBytes)
	}
}

/// [`EvidenceFormat::DeviceKeyInventory`]: tier T0.
fn verify_inventory(
	statement: &InventoryStatement,
	signature: &ed25519::Signature,
	ctx: &Context,
) -> Result<AttestationResult, EvidenceError> {
	if statement.nonce != ctx.nonce {
		return Err(EvidenceError::NonceMismatch);
	}
	if !verify_device(Domain::Evidence, &ctx.genesis, ctx.device, statement, &ctx.key, signature) {
		return Err(EvidenceError::BadSignature);
	}
	check_inventory(&statement.inventory).map_err(EvidenceError::BadInventory)?;
	Ok(AttestationResult {
		tier: Tier::T0,
		format: EvidenceFormat::DeviceKeyInventory,
		inventory: H256(sp_io::hashing::blake2_256(&statement.inventory.encode())),
	})
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

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::signing::device_payload;
	use proptest::prelude::*;
	use sp_core::Pair;

	fn pair() -> ed25519::Pair {
		ed25519::Pair::from_seed(&[3; 32])
	}

	fn ctx() -> Context {
		Context {
			genesis: H256([1; 32]),
			device: DeviceId(9),
			key: pair().public(),
			nonce: H256([2; 32]),
		}
	}

	fn inventory() -> Inventory {
		Inventory {
			cpu_model: b"AMD EPYC 9354P".to_vec().try_into().unwrap(),
			threads: 64,
			memory_mib: 262_144,
			storage_mib: 1_000_000,
			system: b"Debian 12, Linux 6.1.0".to_vec().try_into().unwrap(),
			agent: b"armature 0.1.0".to_vec().try_into().unwrap(),
			machine_digest: H256([4; 32]),
		}
	}

	fn evidence_of(nonce: H256, inventory: Inventory) -> Vec<u8> {
		let statement = InventoryStatement { nonce, inventory };
		let payload = device_payload(Domain::Evidence, &ctx().genesis, ctx().device, &statement);
		Evidence::DeviceKeyInventory { statement, signature: pair().sign(&payload) }.encode()
	}

	fn valid() -> Vec<u8> {
		evidence_of(ctx().nonce, inventory())
	}

	#[test]
	fn evidence_should_give_tier_and_digest_when_valid() {
		let result = verify(&valid(), &ctx()).unwrap();
		assert_eq!(result.tier, Tier::T0);
		assert_eq!(result.format, EvidenceFormat::DeviceKeyInventory);
		assert_eq!(result.inventory, H256(sp_io::hashing::blake2_256(&inventory().encode())));
	}

	#[test]
	fn evidence_should_be_refused_when_any_bit_is_flipped() {
		let good = valid();
		for at in 0..good.len() {
			for bit in 0..8 {
				let mut bad = good.clone();
				bad[at] ^= 1 << bit;
				assert!(verify(&bad, &ctx()).is_err(), "byte {at}, bit {bit}");
			}
		}
	}

	#[test]
	fn evidence_should_be_refused_when_truncated() {
		let good = valid();
		for len in 0..good.len() {
			assert_eq!(verify(&good[..len], &ctx()), Err(EvidenceError::Malformed), "{len}");
		}
	}

	#[test]
	fn evidence_should_be_refused_when_bytes_follow() {
		let mut bytes = valid();
		bytes.push(0);
		assert_eq!(verify(&bytes, &ctx()), Err(EvidenceError::TrailingBytes));
		bytes.resize(MAX_EVIDENCE_LEN as usize, 0);
		assert_eq!(verify(&bytes, &ctx()), Err(EvidenceError::TrailingBytes));
		bytes.push(0);
		assert_eq!(verify(&bytes, &ctx()), Err(EvidenceError::TooLarge));
	}

	#[test]
	fn evidence_should_be_refused_when_its_format_is_unknown() {
		let mut bytes = valid();
		for format in 1..=u8::MAX {
			bytes[0] = format;
			assert_eq!(verify(&bytes, &ctx()), Err(EvidenceError::UnknownFormat(format)));
		}
	}

	#[test]
	fn evidence_should_be_refused_when_made_for_another_nonce() {
		let bytes = evidence_of(H256([5; 32]), inventory());
		assert_eq!(verify(&bytes, &ctx()), Err(EvidenceError::NonceMismatch));
	}

	#[test]
	fn evidence_should_be_refused_when_key_device_or_chain_differs() {
		let other_key = Context { key: ed25519::Pair::from_seed(&[8; 32]).public(), ..ctx() };
		let other_device = Context { device: DeviceId(10), ..ctx() };
		let other_chain = Context { genesis: H256([6; 32]), ..ctx() };
		for other in [other_key, other_device, other_chain] {
			assert_eq!(verify(&valid(), &other), Err(EvidenceError::BadSignature));
		}
	}

	#[test]
	fn evidence_should_be_refused_when_its_inventory_cannot_be() {
		let cases: [(InventoryField, fn(&mut Inventory)); 6] = [
			(InventoryField::CpuModel, |i| i.cpu_model = vec![0xff].try_into().unwrap()),
			(InventoryField::Threads, |i| i.threads = 0),
			(InventoryField::Memory, |i| i.memory_mib = 0),
			(InventoryField::System, |i| i.system = b"a\x1b[2Jb".to_vec().try_into().unwrap()),
			(InventoryField::Agent, |i| i.agent = b"a\nb".to_vec().try_into().unwrap()),
			(InventoryField::MachineDigest, |i| i.machine_digest = H256::zero()),
		];
		for (field, spoil) in cases {
			let mut inventory = inventory();
			spoil(&mut inventory);
			let bytes = evidence_of(ctx().nonce, inventory);
			assert_eq!(verify(&bytes, &ctx()), Err(EvidenceError::BadInventory(field)));
		}
	}

	#[test]
	fn evidence_should_pass_at_the_limits_of_its_texts() {
		let mut inventory = inventory();
		inventory.cpu_model = Default::default();
		inventory.system = vec![b'x'; 128].try_into().unwrap();
		assert!(verify(&evidence_of(ctx().nonce, inventory), &ctx()).is_ok());
	}

	#[test]
	fn errors_should_say_what_failed() {
		assert_eq!(
			EvidenceError::BadInventory(InventoryField::Threads).to_string(),
			"the inventory cannot be: there are no hardware threads"
		);
		assert_eq!(
			EvidenceError::UnknownFormat(7).to_string(),
			"evidence format 7 is not known to this version"
		);
	}

	#[test]
	fn encodings_should_stay() {
		assert_eq!(EvidenceError::UnknownFormat(7).encode(), [1, 7]);
		assert_eq!(EvidenceError::BadInventory(InventoryField::Agent).encode(), [6, 4]);
	}

	proptest! {
		#[test]
		fn random_bytes_should_be_refused_without_panic(
			mut bytes in prop::collection::vec(any::<u8>(), 0..600),
			known_format: bool,
		) {
			if let (true, Some(first)) = (known_format, bytes.first_mut()) {
				*first = 0;
			}
			prop_assert!(verify(&bytes, &ctx()).is_err());
		}

		#[test]
		fn spliced_evidence_should_be_refused_without_panic(
			at in 0usize..300,
			noise in prop::collection::vec(any::<u8>(), 1..40),
		) {
			let good = valid();
			let mut bytes = good.clone();
			let at = at.min(bytes.len());
			bytes.splice(at..(at + noise.len()).min(good.len()), noise);
			prop_assume!(bytes != good);
			prop_assert!(verify(&bytes, &ctx()).is_err());
		}
	}
}
