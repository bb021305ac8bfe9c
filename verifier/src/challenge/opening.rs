//! Commitment, sample and openings.

use super::{
	checkpoints, initial_state, lane_table, run_segment, sampling::draw, ChallengeError, State,
	STATE_LEN,
};
use crate::merkle::{self, Path, Tree};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, CpuChallenge},
	H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Levels of the largest checkpoint tree.
pub const MAX_CHECKPOINT_DEPTH: u32 = 22;

/// The path of a checkpoint.
pub type CheckpointPath = Path<MAX_CHECKPOINT_DEPTH>;

/// One opened segment: its two ends and their places under the committed root. At most 1,546
/// bytes; every bound is enforced while decoding.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SegmentOpening {
	/// The lane.
	pub lane: u16,
	/// The segment of the lane.
	pub segment: u32,
	/// The checkpoint before it; for segment 0 the lane's initial state.
	pub start: [u8; STATE_LEN],
	/// Its own checkpoint.
	pub end: [u8; STATE_LEN],
	/// The path of `start`; empty for segment 0, whose start everyone can compute.
	pub start_path: CheckpointPath,
	/// The path of `end`.
	pub end_path: CheckpointPath,
}

/// The bytes of a checkpoint's leaf: SCALE of lane, segment and state.
fn leaf(lane: u16, segment: u32, state: &[u8; STATE_LEN]) -> [u8; 6 + STATE_LEN] {
	let mut bytes = [0u8; 6 + STATE_LEN];
	let (head, tail) = bytes.split_at_mut(6);
	let (a, b) = head.split_at_mut(2);
	a.copy_from_slice(&lane.to_le_bytes());
	b.copy_from_slice(&segment.to_le_bytes());
	tail.copy_from_slice(state);
	bytes
}

/// The place of a checkpoint among all: lane-major. `None` outside the task.
fn position(cpu: &CpuChallenge, lane: u16, segment: u32) -> Option<u32> {
	if lane >= cpu.lanes || segment >= cpu.segments {
		return None;
	}
	u32::from(lane).checked_mul(cpu.segments)?.checked_add(segment)
}

/// The lane and segment at `position`, the inverse of [`position`] for positions of the task.
fn place(cpu: &CpuChallenge, position: u32) -> Option<(u16, u32)> {
	let lane = u16::try_from(position.checked_div(cpu.segments)?).ok()?;
	Some((lane, position.checked_rem(cpu.segments)?))
}

/// The leaves of lane-major `states`.
fn leaves<'a>(
	cpu: &'a CpuChallenge,
	states: &'a [State],
) -> impl Iterator<Item = [u8; 6 + STATE_LEN]> + 'a {
	(0u32..).zip(states).filter_map(|(at, state)| {
		place(cpu, at).map(|(lane, segment)| leaf(lane, segment, &state.to_bytes()))
	})
}

fn check_count(cpu: &CpuChallenge, states: &[State]) -> Result<(), ChallengeError> {
	let expected = checkpoints(cpu)?;
	if u32::try_from(states.len()) == Ok(expected) {
		Ok(())
	} else {
		Err(ChallengeError::WrongCount)
	}
}

/// The root that a device commits to: over all checkpoints, lane 0's first.
pub fn commit_root(cpu: &CpuChallenge, states: &[State]) -> Result<H256, ChallengeError> {
	check_count(cpu, states)?;
	merkle::root(leaves(cpu, states)).ok_or(ChallengeError::NoWork)
}

/// A device's finished work: all checkpoints and their tree.
#[derive(Clone, Debug)]
pub struct Transcript {
	task: ChallengeTask,
	states: Vec<State>,
	tree: Tree,
}

impl Transcript {
	/// From the checkpoints of all lanes, lane 0's first.
	pub fn new(task: ChallengeTask, states: Vec<State>) -> Result<Self, ChallengeError> {
		check_count(&task.cpu, &states)?;
		let tree = Tree::new(leaves(&task.cpu, &states)).ok_or(ChallengeError::NoWork)?;
		Ok(Self { task, states, tree })
	}

	/// The root to commit to.
	pub fn root(&self) -> H256 {
		self.tree.root()
	}

	/// The opening of a segment; `None` outside the task.
	pub fn open(&self, lane: u16, segment: u32) -> Option<SegmentOpening> {
		let (end, end_path) = self.checkpoint(lane, segment)?;
		let (start, start_path) = match segment.checked_sub(1) {
			Some(before) => self.checkpoint(lane, before)?,
			None => {
				let state = initial_state(&self.task.seed, self.task.device, lane);
				(state.to_bytes(), CheckpointPath::new())
			},
		};
		Some(SegmentOpening { lane, segment, start, end, start_path, end_path })
	}

	fn checkpoint(&self, lane: u16, segment: u32) -> Option<([u8; STATE_LEN], CheckpointPath)> {
		let at = position(&self.task.cpu, lane, segment)?;
		let state = self.states.get(usize::try_from(at).ok()?)?;
		let path = self.tree.prove(at)?.into_inner();
		Some((state.to_bytes(), CheckpointPath::try_from(path).ok()?))
	}
}

/// The segments to open: `k` different ones, uniformly drawn, or all when there are no more. The
/// caller's `randomness` must have been unknown to the device when it committed. Sorted.
///
/// The key of the draw is `blake2b256("armature/sample\0" || randomness || task)`.
pub fn sample(
	randomness: H256,
	task: &ChallengeTask,
	k: u32,
) -> Result<Vec<(u16, u32)>, ChallengeError> {
	let total = checkpoints(&task.cpu)?;
	let mut input = Vec::from(b"armature/sample\0".as_slice());
	(randomness, task).encode_to(&mut input);
	let drawn = draw(sp_io::hashing::blake2_256(&input), total.into(), k).into_iter();
	Ok(drawn.filter_map(|at| place(&task.cpu, u32::try_from(at).ok()?)).collect())
}

/// Checks one opening against the committed root by re-running its segment.
///
/// - [`ChallengeFailure::Malformed`]: the task itself is out of bounds, the opening is for no
///   segment of it, or segment 0 carries a start path.
/// - [`ChallengeFailure::BadOpening`]: an end is not under the root at its place.
/// - [`ChallengeFailure::WrongResult`]: the segment started elsewhere than the task says
///   (segment 0), or ends elsewhere than committed.
pub fn check_opening(
	task: &ChallengeTask,
	root: H256,
	opening: &SegmentOpening,
) -> Result<(), ChallengeFailure> {
	let count = checkpoints(&task.cpu).map_err(|_| ChallengeFailure::Malformed)?;
	let &SegmentOpening { lane, segment, ref start, ref end, ref start_path, ref end_path } =
		opening;
	let at = position(&task.cpu, lane, segment).ok_or(ChallengeFailure::Malformed)?;
	// Paths first: they cost microseconds, a re-run milliseconds.
	if !merkle::verify(&root, count, at, &leaf(lane, segment, end), end_path) {
		return Err(ChallengeFailure::BadOpening);
	}
	match segment.checked_sub(1) {
		Some(before) => {
			let at = position(&task.cpu, lane, before).ok_or(ChallengeFailure::Malformed)?;
			if !merkle::verify(&root, count, at, &leaf(lane, before, start), start_path) {
				return Err(ChallengeFailure::BadOpening);
			}
		},
		None if !start_path.is_empty() => return Err(ChallengeFailure::Malformed),
		None if *start != initial_state(&task.seed, task.device, lane).to_bytes() => {
			return Err(ChallengeFailure::WrongResult)
		},
		None => {},
	}
	let table = lane_table(&task.seed, lane);
	let reached = run_segment(&table, State::from_bytes(start), task.cpu.steps_per_segment);
	if reached.to_bytes() == *end {
		Ok(())
	} else {
		Err(ChallengeFailure::WrongResult)
	}
}

/// Checks a whole answer: exactly the `wanted` segments (see [`sample`]), in their order, and each
/// right. Anything missing, added or out of order is [`ChallengeFailure::Malformed`], and so is an
/// empty request, which would prove nothing.
pub fn check_openings(
	task: &ChallengeTask,
	root: H256,
	wanted: &[(u16, u32)],
	openings: &[SegmentOpening],
) -> Result<(), ChallengeFailure> {
	let answered = openings.iter().map(|opening| (opening.lane, opening.segment));
	if wanted.is_empty() || !answered.eq(wanted.iter().copied()) {
		return Err(ChallengeFailure::Malformed);
	}
	openings.iter().try_for_each(|opening| check_opening(task, root, opening))
}
