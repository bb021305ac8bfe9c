//! Lanes: segments are drawn after the commitment, opened, and run again.
//!
//! A device that was restarted in between has lost them, and computes them again: see [`super::held`].

use super::{
	held::Held,
	openings::{decoded, Fault},
	randomness, Finding, Judge, RoundClock, Unjudged,
};
use armature_p2p::ControlRequest;
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, WorkKind},
	ed25519::Public,
	H256,
};
use armature_verifier::challenge::{
	check_opening, check_openings,
	fraud::{FraudProof, SignedCommit},
	sample, task_hash, SegmentOpening,
};

impl Judge {
	/// Holds a sample of the committed segments against a re-run. What was opened is kept, whatever it
	/// is.
	pub(super) async fn examine_lanes(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: &Public,
		signed: &SignedCommit,
		elapsed_millis: u32,
	) -> Result<Finding, Unjudged> {
		// Drawn only now: the device could not know it when it committed.
		let wanted = sample(randomness()?, task, self.config.samples).map_err(Unjudged::BadTask)?;
		let open = ControlRequest::OpenSegments {
			round: task.round,
			task: task_hash(task),
			segments: wanted.clone(),
		};
		// As often as the round has time for.
		let mut held = Held { judge: self, task, clock, key, signed, losses_left: u32::MAX };
		let place = self.place(clock).await?;
		let (openings, _place) = match held.opened(place, open).await {
			Ok(opened) => opened,
			Err(halt) => return halt.settled(),
		};
		let segments = match decoded::<SegmentOpening>(&openings) {
			Ok(segments) => segments,
			Err(reason) => return Ok(Finding { openings, ..Finding::from(reason) }),
		};
		let (of_task, root) = (*task, signed.commit.root);
		let rerun = move || rerun(&of_task, root, &wanted, segments);
		let (result, proof) = match self.check(WorkKind::Cpu, rerun).await? {
			Ok(()) => (Ok(Measured::Cpu { elapsed_millis }), None),
			Err(Fault { reason, wrong }) => {
				let proof = |opening| FraudProof::Segment { signed: signed.clone(), opening };
				(Err(reason), wrong.map(proof))
			},
		};
		Ok(Finding { result, proof, openings })
	}
}

/// Checks a whole answer by re-running its segments. A wrong one is run a second time before anybody is
/// accused: the first result may be this machine's fault.
fn rerun(
	task: &ChallengeTask,
	root: H256,
	wanted: &[(u16, u32)],
	openings: Vec<SegmentOpening>,
) -> Result<(), Fault<SegmentOpening>> {
	match check_openings(task, root, wanted, &openings) {
		Ok(()) => Ok(()),
		Err(ChallengeFailure::WrongResult) => again(task, root, openings),
		Err(reason) => Err(reason.into()),
	}
}

/// The second run, which decides.
fn again(
	task: &ChallengeTask,
	root: H256,
	openings: Vec<SegmentOpening>,
) -> Result<(), Fault<SegmentOpening>> {
	for opening in openings {
		match check_opening(task, root, &opening) {
			Ok(()) => {},
			Err(reason @ ChallengeFailure::WrongResult) => {
				return Err(Fault { reason, wrong: Some(opening) })
			},
			Err(reason) => return Err(reason.into()),
		}
	}
	tracing::error!(
		round = task.round.0,
		"this machine computed a segment in two ways; check its memory and processor"
	);
	Ok(())
}
