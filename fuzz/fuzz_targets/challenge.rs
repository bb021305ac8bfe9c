//! Openings of challenges: decoding, Merkle paths, a small transcript with one thing changed, and proofs
//! of frauds.
#![no_main]

use armature_fuzz::{device, Input};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, CpuChallenge, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::{
	challenge::{
		check_opening, checkpoints,
		fraud::{FraudError, FraudProof, SignedCommit},
		run_lane, SegmentOpening, State, Transcript,
	},
	merkle::{self, Tree},
};
use armature_wire::MAX_DEPTH;
use codec::{Decode, DecodeLimit, Encode};
use libfuzzer_sys::fuzz_target;
use std::{ops::ControlFlow, sync::LazyLock};

/// Two lanes of five segments: no tree of a power of two.
const CPU: CpuChallenge = CpuChallenge { lanes: 2, segments: 5, steps_per_segment: 1 };

/// The segment of lane 1 that is made up in [`FORGED`].
const MADE_UP: u32 = 3;

static TRANSCRIPT: LazyLock<(ChallengeTask, Transcript)> = LazyLock::new(|| {
	let task = ChallengeTask {
		round: RoundId(7),
		device: DeviceId(9),
		seed: H256([5; 32]),
		work: Work::Cpu(CPU),
		deadline: 0,
	};
	(task, compute(task, |_, _| false))
});

/// A transcript of the same task with one segment made up.
static FORGED: LazyLock<Transcript> = LazyLock::new(|| {
	let (task, _) = &*TRANSCRIPT;
	compute(*task, |lane, segment| (lane, segment) == (1, MADE_UP))
});

fn compute(task: ChallengeTask, is_made_up: impl Fn(u16, u32) -> bool) -> Transcript {
	let mut states = Vec::new();
	for lane in 0..CPU.lanes {
		run_lane(&task, lane, |segment, state| {
			states.push(if is_made_up(lane, segment) { State([7; 8]) } else { state });
			ControlFlow::Continue(())
		})
		.expect("the task is in bounds");
	}
	Transcript::new(task, states).expect("all states are there")
}

/// What the device signs when it commits to a root.
fn sign(root: H256) -> SignedCommit {
	device::sign(&TRANSCRIPT.0, root)
}

fn check_proof(proof: &FraudProof) -> Result<(), FraudError> {
	device::check_proof(&TRANSCRIPT.0, proof)
}

/// Bytes as an opening of a task of any size.
fn judge_bytes(input: &mut Input<'_>) {
	let (task, transcript) = &*TRANSCRIPT;
	let cpu = CpuChallenge {
		lanes: u16::from_le_bytes(input.array()),
		segments: u32::from_le_bytes(input.array()),
		// Small, so that a re-run takes no time; the bound is another test's.
		steps_per_segment: u32::from(input.u8() % 4),
	};
	let root = H256(input.array());
	let rest = input.take(usize::MAX);
	let Ok(opening) = SegmentOpening::decode(&mut &*rest) else { return };
	assert!(rest.starts_with(&opening.encode()), "two encodings of one opening");
	let other = ChallengeTask { work: Work::Cpu(cpu), ..*task };
	let outcome = check_opening(&other, root, &opening);
	if checkpoints(&cpu).is_err() {
		assert_eq!(outcome, Err(ChallengeFailure::Malformed));
	}
	let ours = check_opening(task, transcript.root(), &opening);
	let honest = transcript.open(opening.lane, opening.segment);
	assert_eq!(ours.is_ok(), honest.as_ref() == Some(&opening));
}

/// An honest opening, then the same with one bit changed.
fn judge_changed(input: &mut Input<'_>) {
	let (task, transcript) = &*TRANSCRIPT;
	let (lane, segment) = (u16::from(input.u8() % 2), u32::from(input.u8() % 5));
	let honest = transcript.open(lane, segment).expect("it is of the task");
	assert_eq!(check_opening(task, transcript.root(), &honest), Ok(()));
	let mut bytes = honest.encode();
	let at = usize::from(u16::from_le_bytes(input.array())) % bytes.len();
	bytes[at] ^= 1 << (input.u8() % 8);
	if let Ok(changed) = SegmentOpening::decode(&mut bytes.as_slice()) {
		let is_inside = changed.lane < CPU.lanes && changed.segment < CPU.segments;
		let reason =
			if is_inside { ChallengeFailure::BadOpening } else { ChallengeFailure::Malformed };
		assert_eq!(check_opening(task, transcript.root(), &changed), Err(reason));
	}
}

/// A tree of any leaves: each proof holds for its leaf and place only.
fn judge_tree(input: &mut Input<'_>) {
	let leaves = input.list(|input| input.field());
	let (at, other) = (u32::from(input.u8()), u32::from(input.u8()));
	let Some(tree) = Tree::new(&leaves) else {
		assert!(leaves.is_empty());
		return;
	};
	let count = tree.leaf_count();
	assert_eq!(merkle::root(&leaves), Some(tree.root()));
	assert_eq!(tree.prove(at).is_some(), at < count);
	let (Some(path), Some(leaf)) = (tree.prove(at), leaves.get(at as usize)) else { return };
	assert!(merkle::verify(&tree.root(), count, at, leaf, &path));
	if other != at {
		let same = leaves.get(other as usize) == Some(leaf);
		assert!(!merkle::verify(&tree.root(), count, other, leaf, &path) || same);
	}
	let mut path = path.into_inner();
	path.push(H256::zero());
	assert!(!merkle::verify(&tree.root(), count, at, leaf, &path));
	path.pop();
	if path.pop().is_some() {
		assert!(!merkle::verify(&tree.root(), count, at, leaf, &path));
	}
	let path: Vec<_> = input.list(|input| H256(input.array()));
	let size = u32::from_le_bytes(input.array());
	if path.len() != merkle::path_len(size, at).unwrap_or(usize::MAX) {
		assert!(!merkle::verify(&tree.root(), size, at, leaf, &path));
	}
}

/// Bytes as a proof of fraud. Nobody but the device could have signed it as it is; with the device's
/// signatures it holds exactly where the opened segment is wrong, or the roots are two.
fn judge_proof(input: &mut Input<'_>) {
	let (task, transcript) = &*TRANSCRIPT;
	let is_honest = input.u8() & 1 == 1;
	let bytes = input.take(usize::MAX);
	let Ok(proof) = FraudProof::decode_all_with_depth_limit(MAX_DEPTH, &mut &*bytes) else {
		return;
	};
	assert_eq!(bytes, proof.encode(), "two encodings of one proof");
	let forged = device::forged_error(&TRANSCRIPT.0, &proof);
	assert_eq!(check_proof(&proof), Err(forged), "{proof:?}");
	let root =
		|signed: &SignedCommit| if is_honest { transcript.root() } else { signed.commit.root };
	match proof {
		FraudProof::Segment { signed, opening } => {
			let root = root(&signed);
			let expected = match check_opening(task, root, &opening) {
				Ok(()) => Err(FraudError::RightResult),
				Err(ChallengeFailure::WrongResult) => Ok(()),
				Err(_) => Err(FraudError::BadOpening),
			};
			assert!(!is_honest || expected.is_err(), "an honest device did it");
			let outcome = check_proof(&FraudProof::Segment { signed: sign(root), opening });
			assert_eq!(outcome, expected);
		},
		FraudProof::Equivocation { first, second } => {
			let (one, other) = (root(&first), root(&second));
			let proof = FraudProof::Equivocation { first: sign(one), second: sign(other) };
			let expected = if one == other { Err(FraudError::SameRoot) } else { Ok(()) };
			assert_eq!(check_proof(&proof), expected);
		},
		// The task is one of lanes; `openings` has those of memory and storage.
		FraudProof::Block { .. } | FraudProof::Entry { .. } | FraudProof::Sealed { .. } => {
			device::judge_other(task, &sign(transcript.root()), proof);
		},
	}
}

/// Openings of a transcript with one segment made up: that one is wrong, and so is all that follows in
/// its lane. One changed bit, and it is no proof of the round any more.
fn judge_forged(input: &mut Input<'_>) {
	let (lane, segment) = (u16::from(input.u8() % 2), u32::from(input.u8() % 5));
	let opening = FORGED.open(lane, segment).expect("it is of the task");
	let signed = sign(FORGED.root());
	let proof = FraudProof::Segment { signed: signed.clone(), opening };
	let is_wrong = lane == 1 && segment >= MADE_UP;
	let expected = if is_wrong { Ok(()) } else { Err(FraudError::RightResult) };
	assert_eq!(check_proof(&proof), expected);
	let mut bytes = proof.encode();
	let at = usize::from(u16::from_le_bytes(input.array())) % bytes.len();
	bytes[at] ^= 1 << (input.u8() % 8);
	if let Ok(changed) = FraudProof::decode_all_with_depth_limit(MAX_DEPTH, &mut bytes.as_slice()) {
		let expected = device::changed_error(&TRANSCRIPT.0, &signed, changed.clone());
		assert_eq!(check_proof(&changed), Err(expected));
	}
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	match input.u8() % 5 {
		0 => judge_bytes(&mut input),
		1 => judge_changed(&mut input),
		2 => judge_tree(&mut input),
		3 => judge_proof(&mut input),
		_ => judge_forged(&mut input),
	}
});
