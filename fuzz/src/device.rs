//! A device whose key the targets have, and what it signs in a round.

use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask, Echo},
	signing::{device_payload, Domain},
	telemetry::{PowerReading, PowerSource},
	DeviceId, MilliWatts, Ppm, H256,
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

static STRANGER: LazyLock<ed25519::Pair> = LazyLock::new(|| ed25519::Pair::from_seed(&[2; 32]));

/// What the device commits to in the round of `task`.
fn commit(task: &ChallengeTask, root: H256) -> ChallengeCommit {
	let power = PowerReading {
		idle: MilliWatts(1),
		loaded: MilliWatts(2),
		source: PowerSource::WallMeter,
		error: Ppm(0),
	};
	ChallengeCommit { task: task_hash(task), root, power }
}

/// What the device signs when it commits to a root in the round of `task`.
pub fn sign(task: &ChallengeTask, root: H256) -> SignedCommit {
	let commit = commit(task, root);
	let payload = device_payload(Domain::ChallengeCommit, &GENESIS, task.device, &commit);
	let signature = DEVICE.sign(&payload);
	SignedCommit { commit, signature }
}

/// The same commitment under a signature that is not the device's word for it: of a stranger, for another
/// purpose, chain or device, or for another root.
pub fn forge(how: u8, task: &ChallengeTask, root: H256) -> SignedCommit {
	let commit = commit(task, root);
	let (domain, device) = (Domain::ChallengeCommit, task.device);
	let signature = match how % 5 {
		0 => STRANGER.sign(&device_payload(domain, &GENESIS, device, &commit)),
		1 => DEVICE.sign(&device_payload(Domain::Echo, &GENESIS, device, &commit)),
		2 => DEVICE.sign(&device_payload(domain, &H256::zero(), device, &commit)),
		3 => DEVICE.sign(&device_payload(domain, &GENESIS, DeviceId(!device.0), &commit)),
		_ => sign(task, H256(root.0.map(|byte| !byte))).signature,
	};
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
		| FraudProof::Entry { signed, .. }
		| FraudProof::Sealed { signed, .. } => signed,
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

/// The commitment under which a proof opens something; `None` where it opens nothing.
pub fn commit_of(proof: &mut FraudProof) -> Option<&mut SignedCommit> {
	match proof {
		FraudProof::Segment { signed, .. }
		| FraudProof::Block { signed, .. }
		| FraudProof::Entry { signed, .. }
		| FraudProof::Sealed { signed, .. } => Some(signed),
		FraudProof::Equivocation { .. } => None,
	}
}

/// What becomes of a proof in the round of `task` that was one under what the device has `signed` there,
/// and was changed since.
pub fn changed_error(
	task: &ChallengeTask,
	signed: &SignedCommit,
	mut proof: FraudProof,
) -> FraudError {
	match commit_of(&mut proof) {
		Some(said) if said == signed => FraudError::BadOpening,
		_ => forged_error(task, &proof),
	}
}

/// Looks at a proof about another kind of work than that of `task`: whatever root the device signed in
/// that round, nothing is opened under it.
///
/// # Panics
///
/// When it proves something.
pub fn judge_other(task: &ChallengeTask, honest: &SignedCommit, mut proof: FraudProof) {
	let Some(said) = commit_of(&mut proof).cloned() else { return };
	for signed in [honest.clone(), sign(task, said.commit.root)] {
		if let Some(place) = commit_of(&mut proof) {
			*place = signed;
		}
		assert_eq!(check_proof(task, &proof), Err(FraudError::BadOpening));
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
