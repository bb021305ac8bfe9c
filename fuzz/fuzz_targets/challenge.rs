//! Openings of challenges: decoding, Merkle paths, and a small transcript with one thing changed.
#![no_main]

use armature_fuzz::Input;
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, CpuChallenge},
	DeviceId, RoundId, H256,
};
use armature_verifier::{
	challenge::{check_opening, checkpoints, run_lane, SegmentOpening, Transcript},
	merkle::{self, Tree},
};
use codec::{Decode, Encode};
use libfuzzer_sys::fuzz_target;
use std::{ops::ControlFlow, sync::LazyLock};

/// Two lanes of five segments: no tree of a power of two.
const CPU: CpuChallenge = CpuChallenge { lanes: 2, segments: 5, steps_per_segment: 1 };

static TRANSCRIPT: LazyLock<(ChallengeTask, Transcript)> = LazyLock::new(|| {
	let task = ChallengeTask {
		round: RoundId(7),
		device: DeviceId(9),
		seed: H256([5; 32]),
		cpu: CPU,
		deadline: 0,
	};
	let mut states = Vec::new();
	for lane in 0..CPU.lanes {
		run_lane(&task, lane, |_, state| {
			states.push(state);
			ControlFlow::Continue(())
		})
		.expect("the task is in bounds");
	}
	(task, Transcript::new(task, states).expect("all states are there"))
});

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
	let other = ChallengeTask { cpu, ..*task };
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
		assert!(check_opening(task, transcript.root(), &changed).is_err());
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

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	match input.u8() % 3 {
		0 => judge_bytes(&mut input),
		1 => judge_changed(&mut input),
		_ => judge_tree(&mut input),
	}
});
