//! Tier T0, and what every kind of evidence has.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use armature_primitives::signing::device_payload;
use hardware::{Check, CheckKind, Fault, FaultKind};
use proptest::prelude::*;
use sp_core::Pair;

/// What needs no references.
fn verify(bytes: &[u8], context: &Context) -> Result<AttestationResult, EvidenceError> {
	let policy = Policy::default();
	let known = Known::nothing();
	let references = References { policy: &policy, known, collateral: None, now: 0 };
	appraise(&decode(bytes)?, context, &references)
}

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
	for format in ENVELOPES..=u8::MAX {
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
	let failure = Failure::in_part(1, Check::CertificateDates(3), Fault::UnknownVersion(9));
	let bytes = [7, 4, 3, 4, 9, 0, 0, 0, 1, 1];
	assert_eq!(EvidenceError::Hardware(failure).encode(), bytes);
	assert_eq!(EvidenceError::decode(&mut &bytes[..]), Ok(EvidenceError::Hardware(failure)));
	assert_eq!(EvidenceError::CollateralMissing.encode(), [8]);
	assert_eq!(EvidenceError::GpuWithoutConfidentialPlatform.encode(), [9]);
	assert_eq!(Check::CertificateDates(3).kind().encode(), [4]);
	assert_eq!(CheckKind::SecurityLevel.encode(), [37]);
	assert_eq!(Fault::UnknownVersion(9).kind().encode(), [4]);
	assert_eq!(FaultKind::NoReference.encode(), [14]);
	let key = CollateralKey { fmspc: [1; 6], tee: Tee::Tdx, ca: PckCaKind::Platform };
	assert_eq!(key.encode(), [1, 1, 1, 1, 1, 1, 1, 1]);
	let least = CollateralKey { fmspc: [1; 6], tee: Tee::Sgx, ca: PckCaKind::Processor };
	assert_eq!(least.encode(), [1, 1, 1, 1, 1, 1, 0, 0]);
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
