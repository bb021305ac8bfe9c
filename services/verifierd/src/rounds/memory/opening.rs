//! What is looked at, and whether it is right.

use super::Inspection;
use crate::rounds::{
	openings::{check_each, Fault},
	randomness, Halt, Place, Unjudged,
};
use armature_p2p::{
	messages::{MAX_BLOCKS, MAX_WALK_SEGMENTS},
	ControlRequest,
};
use armature_primitives::{challenge::ChallengeTask, RoundId, H256};
use armature_verifier::challenge::{
	fill::{FillOpening, FillSize},
	memory::{check_walk, sample_memory, Walk, WalkOpening, WalkSize},
	task_hash, ChallengeError,
};

/// The most reads that are opened, each with its block: those of [`MAX_WALK_SEGMENTS`] segments of eight
/// reads fit one response.
const MAX_OPENED_READS: u32 = 96;

impl<'a> Inspection<'a> {
	/// The openings of the blocks at `positions`, with the place that they take.
	pub(super) async fn opened_blocks(
		&mut self,
		place: Place<'a>,
		fill: &FillSize,
		positions: &[u32],
	) -> Result<(Vec<FillOpening>, Place<'a>), Halt> {
		let task = task_hash(self.held.task);
		let open = |positions| ControlRequest::OpenBlocks { task, positions };
		let position = |opening: &FillOpening| fill.position(opening.lane, opening.at);
		self.held.all_opened(place, positions, MAX_BLOCKS, open, position).await
	}
}

/// The positions of the blocks to look at, sorted.
pub(super) fn wanted_blocks(
	task: &ChallengeTask,
	root: H256,
	samples: u32,
) -> Result<Vec<u32>, Unjudged> {
	// They are the same for every walk.
	let walk = Walk::of_task(task, H256::zero(), root, H256::zero())
		.ok_or(Unjudged::BadTask(ChallengeError::OtherKind))?;
	drawn(&walk, samples).map(|(positions, _)| positions)
}

/// The segments of a walk to look at, sorted.
pub(super) fn wanted_segments(walk: &Walk, samples: u32) -> Result<Vec<(u16, u32)>, Unjudged> {
	drawn(walk, segments_of(&walk.size, samples)).map(|(_, segments)| segments)
}

/// A draw of its own for each number: a part of what is sorted is not drawn uniformly.
fn drawn(walk: &Walk, count: u32) -> Result<(Vec<u32>, Vec<(u16, u32)>), Unjudged> {
	sample_memory(&randomness()?, walk, count).map_err(|error| Unjudged::BadTask(error.into()))
}

/// How many segments are opened where `samples` blocks are: fewer where one response has no room for so
/// many.
pub(super) fn segments_of(size: &WalkSize, samples: u32) -> u32 {
	let most = u32::try_from(MAX_WALK_SEGMENTS).unwrap_or(u32::MAX);
	let fitting = MAX_OPENED_READS.checked_div(size.reads).unwrap_or_default();
	samples.min(most).min(fitting)
}

/// Checks blocks and segments. A wrong segment can be proved to nobody, for walks are not signed.
pub(super) fn look(
	round: RoundId,
	walk: &Walk,
	blocks: Vec<FillOpening>,
	segments: &[WalkOpening],
) -> Result<(), Fault<FillOpening>> {
	check_each(round, blocks, |opening| walk.check_fill(opening))?;
	for opening in segments {
		check_walk(walk, opening)?;
	}
	Ok(())
}
