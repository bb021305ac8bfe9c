//! Commitment, sample and openings.

use super::{
	checkpoints, cpu_of, lane_table, run_segment, sampling::draw, segment_start, ChallengeError,
	State, STATE_LEN,
};
use crate::merkle::{self, Path, Tree};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, CpuChallenge},
	H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Levels of the largest tree of a lane's checkpoints.
pub const MAX_CHECKPOINT_DEPTH: u32 = 22;

/// Levels of the largest tree of lanes.
pub const MAX_LANE_DEPTH: u32 = 10;

/// The path of a checkpoint in its lane.
pub type CheckpointPath = Path<MAX_CHECKPOINT_DEPTH>;

/// The path of a lane.
pub type LanePath = Path<MAX_LANE_DEPTH>;

/// One opened segment: its end, and its place under the committed root. At most 1,128 bytes; every
/// bound is enforced while decoding.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SegmentOpening {
	/// The lane.
	pub lane: u16,
	/// The segment of the lane.
	pub segment: u32,
	/// Its checkpoint.
	pub end: [u8; STATE_LEN],
	/// From the checkpoint to the root of its lane. What the segment starts from is in it, too.
	pub path: CheckpointPath,
	/// The root of the lane's checkpoints.
	pub lane_root: H256,
	/// From there to the committed root.
	pub lane_path: LanePath,
}

/// The hash of a checkpoint as a leaf: SCALE of lane, segment and state.
pub(super) fn checkpoint_hash(lane: u16, segment: u32, state: &[u8; STATE_LEN]) -> H256 {
	merkle::leaf_hash(&(lane, segment, state).encode())
}

/// The place of a checkpoint among all, lane 0's first, to its lane and segment.
fn place(cpu: &CpuChallenge, position: u32) -> Option<(u16, u32)> {
	let lane = u16::try_from(position.checked_div(cpu.segments)?).ok()?;
	Some((lane, position.checked_rem(cpu.segments)?))
}

/// The trees of all lanes' checkpoints, `states` being lane 0's first.
fn lane_trees(cpu: &CpuChallenge, states: &[State]) -> Result<Vec<Tree>, ChallengeError> {
	if u32::try_from(states.len()) != Ok(checkpoints(cpu)?) {
		return Err(ChallengeError::WrongCount);
	}
	let segments = usize::try_from(cpu.segments).map_err(|_| ChallengeError::TooManyCheckpoints)?;
	let tree = |(lane, states): (u16, &[State])| {
		let leaves = (0u32..)
			.zip(states)
			.map(|(segment, state)| checkpoint_hash(lane, segment, &state.to_bytes()));
		Tree::from_hashes(leaves.collect()).ok_or(ChallengeError::NoWork)
	};
	(0u16..).zip(states.chunks(segments.max(1))).map(tree).collect()
}

/// The tree of the lanes.
fn tree_of(lanes: &[Tree]) -> Result<Tree, ChallengeError> {
	Tree::new(lanes.iter().map(|lane| lane.root().0)).ok_or(ChallengeError::NoWork)
}

/// The root that a device commits to: over the roots of all lanes' checkpoints; `states` are those of
/// lane 0 first.
pub fn commit_root(cpu: &CpuChallenge, states: &[State]) -> Result<H256, ChallengeError> {
	Ok(tree_of(&lane_trees(cpu, states)?)?.root())
}

/// A device's finished work: all checkpoints and their trees.
#[derive(Clone, Debug)]
pub struct Transcript {
	cpu: CpuChallenge,
	states: Vec<State>,
	lanes: Vec<Tree>,
	tree: Tree,
}

impl Transcript {
	/// From the checkpoints of all lanes, lane 0's first.
	pub fn new(task: ChallengeTask, states: Vec<State>) -> Result<Self, ChallengeError> {
		let cpu = *cpu_of(&task)?;
		let lanes = lane_trees(&cpu, &states)?;
		let tree = tree_of(&lanes)?;
		Ok(Self { cpu, states, lanes, tree })
	}

	/// The root to commit to.
	pub fn root(&self) -> H256 {
		self.tree.root()
	}

	/// The opening of a segment; `None` outside the task.
	pub fn open(&self, lane: u16, segment: u32) -> Option<SegmentOpening> {
		let tree = self.lanes.get(usize::from(lane))?;
		let path = tree.prove(segment)?.into_inner();
		let at = u32::from(lane).checked_mul(self.cpu.segments)?.checked_add(segment)?;
		let end = self.states.get(usize::try_from(at).ok()?)?.to_bytes();
		Some(SegmentOpening {
			lane,
			segment,
			end,
			path: path.try_into().ok()?,
			lane_root: tree.root(),
			lane_path: self.tree.prove(lane.into())?.into_inner().try_into().ok()?,
		})
	}
}

/// The segments to open: `k` different ones, at most
/// [`super::sampling::MAX_SAMPLES`], uniformly drawn, or all when there are no more. The caller's
/// `randomness` must have been unknown to the device when it committed. Sorted.
///
/// The key of the draw is `blake2b256("armature/sample\0" || randomness || task)`.
pub fn sample(
	randomness: H256,
	task: &ChallengeTask,
	k: u32,
) -> Result<Vec<(u16, u32)>, ChallengeError> {
	let cpu = cpu_of(task)?;
	let total = checkpoints(cpu)?;
	let mut input = Vec::from(b"armature/sample\0".as_slice());
	(randomness, task).encode_to(&mut input);
	let drawn = draw(sp_io::hashing::blake2_256(&input), total.into(), k).into_iter();
	Ok(drawn.filter_map(|at| place(cpu, u32::try_from(at).ok()?)).collect())
}

/// Checks one opening against the committed root by re-running its segment.
///
/// - [`ChallengeFailure::Malformed`]: the task itself is of another kind or out of bounds, or the
///   opening is for no segment of it.
/// - [`ChallengeFailure::BadOpening`]: the end is not under the root at its place.
/// - [`ChallengeFailure::WrongResult`]: the segment, started from all that is before it, ends
///   elsewhere than committed.
pub fn check_opening(
	task: &ChallengeTask,
	root: H256,
	opening: &SegmentOpening,
) -> Result<(), ChallengeFailure> {
	let malformed = ChallengeFailure::Malformed;
	let ChallengeTask { seed, device, .. } = task;
	let cpu = cpu_of(task).map_err(|_| malformed)?;
	checkpoints(cpu).map_err(|_| malformed)?;
	let SegmentOpening { lane, segment, end, path, lane_root, lane_path } = opening;
	if *lane >= cpu.lanes || *segment >= cpu.segments {
		return Err(malformed);
	}
	// Paths first: they cost microseconds, a re-run milliseconds.
	let leaf = checkpoint_hash(*lane, *segment, end);
	let lanes = u32::from(cpu.lanes);
	if !merkle::verify(&root, lanes, u32::from(*lane), lane_root.as_bytes(), lane_path)
		|| !merkle::verify_hash(lane_root, cpu.segments, *segment, leaf, path)
	{
		return Err(ChallengeFailure::BadOpening);
	}
	let lefts = merkle::left_siblings(cpu.segments, *segment, path).ok_or(malformed)?;
	let start = segment_start(seed, *device, *lane, *segment, &lefts);
	let reached = run_segment(&lane_table(seed, *lane), start, cpu.steps_per_segment);
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
