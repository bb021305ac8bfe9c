//! A device whose key the targets have, and what it signs in a round.

use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask},
	signing::{device_payload, Domain},
	telemetry::{PowerReading, PowerSource},
	MilliWatts, Ppm, H256,
};
use armature_verifier::challenge::{
	fraud::{check_fraud, FraudError, FraudProof, SignedCommit},
	task_hash,
};
use sp_core::{ed25519, Pair};
use std::sync::LazyLock;

const GENESIS: H256 = H256([1; 32]);

static DEVICE: LazyLock<ed25519::Pair> = LazyLock::new(|| ed25519::Pair::from_seed(&[3; 32]));

/// What the device signs when it commits to a root in the round of `task`.
pub fn sign(task: &ChallengeTask, root: H256) -> SignedCommit {
	let power = PowerReading {
		idle: MilliWatts(1),
		loaded: MilliWatts(2),
		source: PowerSource::WallMeter,
		error: Ppm(0),
	};
	let commit = ChallengeCommit { task: task_hash(task), root, power };
	let payload = device_payload(Domain::ChallengeCommit, &GENESIS, task.device, &commit);
	let signature = DEVICE.sign(&payload);
	SignedCommit { commit, signature }
}

/// Whether a proof shows a fraud of the device in the round of `task`.
///
/// # Errors
///
/// [`FraudError`].
pub fn check_proof(task: &ChallengeTask, proof: &FraudProof) -> Result<(), FraudError> {
	check_fraud(&GENESIS, task, &DEVICE.public(), proof)
}
