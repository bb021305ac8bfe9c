//! Memory: a walk that is timed, and blocks and segments that are looked at.
//!
//! One walk at a time is timed on a device, so its verifiers take turns ([`walking`]). What a walk starts
//! from is fresh for each, and is sent only once: a device that has seen it could have walked before it
//! is asked again. So whatever goes wrong between a turn and the segments of its walk, the next try is
//! another turn with another walk, whose segments are drawn anew.
//!
//! The blocks are drawn once ([`opening`]), and nothing that a device loses gets it others. After it was
//! told any of them, or any segment, there is no excuse for it either: it could make up what it likes,
//! and stay away where it is unlucky.
//!
//! Memory that is gone, for the agent was restarted or the chain forked, is filled again. What it is
//! filled with is in the task, so the root has to be the same, and only the first fill is timed.

mod opening;
mod walking;

use super::{held::Held, openings::Fault, Finding, Halt, Judge, Place, RoundClock, Unjudged};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, WorkKind},
	ed25519::Public,
};
use armature_verifier::challenge::{
	fill::FillOpening,
	fraud::{FraudProof, SignedCommit},
};
use opening::{look, wanted_blocks};
use walking::Walked;

#[cfg(test)]
mod tests;

/// The most walks that a device is asked for in one round.
const MAX_WALKS: u32 = 3;

/// How often a device may lose what it has filled, and fill it again.
const MAX_REFILLS: u32 = 2;

/// What a device showed of its memory, with the place that it takes.
struct Shown<'a> {
	walked: Walked,
	blocks: Vec<FillOpening>,
	place: Place<'a>,
}

/// How far looking at the memory of one round has come.
struct Inspection<'a> {
	held: Held<'a>,
	/// Walks that it was asked for.
	walks: u32,
	/// A turn was lost while this verifier had no place for it, and the device has had no whole one since.
	let_go: bool,
}

impl Judge {
	/// Times a walk over the committed memory, and looks at a sample of both. Nothing of what was opened
	/// is kept.
	pub(super) async fn examine_memory(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: &Public,
		signed: &SignedCommit,
		fill_millis: u32,
	) -> Result<Finding, Unjudged> {
		// Drawn only now: the device could not know them when it committed.
		let positions = wanted_blocks(task, signed.commit.root, self.config.memory_samples)?;
		let mut inspection = Inspection {
			held: Held { judge: self, task, clock, key, signed, losses_left: MAX_REFILLS },
			walks: 0,
			let_go: false,
		};
		let shown = match inspection.shown(&positions).await {
			Ok(shown) => shown,
			Err(halt) => return inspection.blamed(halt).settled(),
		};
		let Shown { walked: Walked { walk, read_nanos, segments }, blocks, place: _place } = shown;
		let round = task.round;
		let look = move || look(round, &walk, blocks, &segments);
		let (result, proof) = match self.check(WorkKind::Memory, look).await? {
			Ok(()) => (Ok(Measured::Memory { fill_millis, read_nanos }), None),
			Err(Fault { reason, wrong }) => {
				let proof = |opening| FraudProof::Block {
					signed: signed.clone(),
					opening: Box::new(opening),
				};
				(Err(reason), wrong.map(proof))
			},
		};
		Ok(Finding { result, proof, openings: Vec::new() })
	}
}

impl<'a> Inspection<'a> {
	/// Has the device walk, and open the segments of that and the blocks at `positions`.
	async fn shown(&mut self, positions: &[u32]) -> Result<Shown<'a>, Halt> {
		// Segments first, since that ends the turn for the others.
		let (walked, place) = self.walked().await?;
		let (blocks, place) = self.opened_blocks(place, &walked.walk.fill, positions).await?;
		Ok(Shown { walked, blocks, place })
	}

	/// Holds against this verifier what it let go.
	fn blamed(&self, halt: Halt) -> Halt {
		match halt {
			Halt::Failed(ChallengeFailure::NoAnswer) if self.let_go => Unjudged::NoPlace.into(),
			other => other,
		}
	}
}
