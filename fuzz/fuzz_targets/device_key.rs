//! Tier T0: evidence that the device's own key signed, as the chain takes it.
#![no_main]

use armature_fuzz::Input;
use armature_primitives::{
	device::Tier,
	evidence::{Evidence, EvidenceFormat, Inventory, InventoryStatement, MAX_EVIDENCE_LEN},
	signing::{device_payload, Domain},
	DeviceId, H256,
};
use armature_verifier::evidence::{
	appraise, decode,
	hardware::{Known, Policy},
	is_text, AttestationResult, Context, EvidenceError, References,
};
use codec::{Decode, Encode};
use libfuzzer_sys::fuzz_target;
use sp_core::{ed25519, Pair};
use std::sync::LazyLock;

static DEVICE: LazyLock<ed25519::Pair> = LazyLock::new(|| ed25519::Pair::from_seed(&[3; 32]));

fn context() -> Context {
	Context {
		genesis: H256([1; 32]),
		device: DeviceId(9),
		key: DEVICE.public(),
		nonce: H256([2; 32]),
	}
}

fn verify(bytes: &[u8], context: &Context) -> Result<AttestationResult, EvidenceError> {
	let policy = Policy::default();
	let references = References {
		policy: &policy,
		known: Known::nothing(),
		collateral: None,
		now: 1_767_225_600_000,
	};
	appraise(&decode(bytes)?, context, &references)
}

/// Bytes as they come, without the device's key: never accepted.
fn judge_bytes(bytes: &[u8]) {
	let outcome = verify(bytes, &context());
	assert_eq!(outcome, verify(bytes, &context()));
	match outcome {
		Ok(result) => panic!("forged: {result:?}"),
		Err(EvidenceError::TooLarge) => assert!(bytes.len() > MAX_EVIDENCE_LEN as usize),
		Err(EvidenceError::BadInventory(field)) => panic!("judged before its signature: {field:?}"),
		Err(_) => {},
	}
}

/// A statement of these parts, signed by the device: accepted when such a machine can be.
fn judge_signed(input: &mut Input<'_>) {
	let mut text = || input.field().iter().copied().take(128).collect::<Vec<_>>();
	let (cpu_model, system, agent) = (text(), text(), text());
	let possible = [&cpu_model, &system, &agent].into_iter().all(|text| is_text(text));
	let inventory = Inventory {
		cpu_model: cpu_model.try_into().expect("at most 128"),
		threads: u16::from_le_bytes(input.array()),
		memory_mib: u32::from_le_bytes(input.array()),
		storage_mib: u64::from_le_bytes(input.array()),
		system: system.try_into().expect("at most 128"),
		agent: agent.try_into().expect("at most 128"),
		machine_digest: H256(input.array()),
	};
	let possible = possible
		&& inventory.threads > 0
		&& inventory.memory_mib > 0
		&& !inventory.machine_digest.is_zero();
	let digest = sp_crypto_hashing::blake2_256(&inventory.encode());
	let context = context();
	let statement = InventoryStatement { nonce: context.nonce, inventory };
	let payload = device_payload(Domain::Evidence, &context.genesis, context.device, &statement);
	let signature = DEVICE.sign(&payload);
	let mut bytes = Evidence::DeviceKeyInventory { statement, signature }.encode();
	match verify(&bytes, &context) {
		Ok(result) => {
			assert!(possible);
			assert_eq!(result.tier, Tier::T0);
			assert_eq!(result.format, EvidenceFormat::DeviceKeyInventory);
			assert_eq!(result.inventory, H256(digest));
		},
		Err(error) => {
			assert!(!possible);
			assert!(matches!(error, EvidenceError::BadInventory(_)), "{error}");
		},
	}
	// One changed bit, wherever it is, and it is not the device's any more.
	let at = usize::from(u16::from_le_bytes(input.array())) % bytes.len();
	bytes[at] ^= 1 << (input.u8() % 8);
	let error = verify(&bytes, &context).expect_err("changed");
	let signature = bytes.len() - 64;
	let is_expected = match at {
		// As the format that has hardware beside the statement it ends too soon.
		0 if bytes[0] == 1 => error == EvidenceError::Malformed,
		0 => error == EvidenceError::UnknownFormat(bytes[0]),
		1..=32 => error == EvidenceError::NonceMismatch,
		at if at >= signature => error == EvidenceError::BadSignature,
		// Lengths move what follows.
		_ => matches!(
			error,
			EvidenceError::Malformed | EvidenceError::TrailingBytes | EvidenceError::BadSignature
		),
	};
	assert!(is_expected, "{error}, byte {at}");
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	if input.u8() & 1 == 0 {
		let rest = input.rest();
		// What decodes has one encoding.
		if let Ok(evidence) = Evidence::decode(&mut &*rest) {
			assert!(rest.starts_with(&evidence.encode()));
		}
		judge_bytes(rest);
	} else {
		judge_signed(&mut input);
	}
});
