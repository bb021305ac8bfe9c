//! A device whose key the targets have, and what it signs in a round.

use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask, Echo},
	signing::{device_payload, Domain},
	telemetry::{PowerReading, PowerSource},
	MilliWatts, Ppm, H256,
};
use armature_verifier::challenge::{
	fraud::{check_fraud, FraudError, FraudProof, SignedCommit},
	network, task_hash,
};
use sp_core::{ed25519, Pair};
use std::sync::LazyLock;

/// The genesis of its chain.
pub const GENESIS: H256 = H256([1; 32]);

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

/// What becomes of a proof in the round of `task` whose commitments the device has not signed: which
/// error is decided before any opening is looked at.
pub fn forged_error(task: &ChallengeTask, proof: &FraudProof) -> FraudError {
	let signed = match proof {
		FraudProof::Segment { signed, .. }
		| FraudProof::Block { signed, .. }
		| FraudProof::Entry { signed, .. } => signed,
		FraudProof::Equivocation { first, second } => {
			if first.commit.root == second.commit.root {
				return FraudError::SameRoot;
			}
			first
		},
	};
	if signed.commit.task == task_hash(task) {
		FraudError::BadSignature
	} else {
		FraudError::OtherTask
	}
}

/// What the device answers a verifier's nonce with in the round of `task`.
pub fn sign_echo(task: &ChallengeTask, nonce: H256) -> ed25519::Signature {
	let echo = Echo { task: task_hash(task), nonce };
	DEVICE.sign(&device_payload(Domain::Echo, &GENESIS, task.device, &echo))
}

/// Whether a signature is the device's answer to a nonce in the round of `task`.
pub fn check_echo(task: &ChallengeTask, nonce: H256, signature: &ed25519::Signature) -> bool {
	network::check_echo(&GENESIS, task, &DEVICE.public(), nonce, signature)
}
