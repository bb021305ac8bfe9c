//! Work that is due soon after the round's block: the way to a device, and storage.
//!
//! Data is moved when the others move theirs, and storage that was not kept could be filled again before
//! it is committed to. So the device has to commit soon, though nothing has to be computed for that, and a
//! verifier that is not in time for all of it says nothing.

use super::{RoundClock, Unjudged};
use armature_primitives::challenge::{ChallengeFailure, ChallengeTask, Work};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// When work is due, after the round's block.
pub(super) struct Hurry {
	/// When the device has to have committed.
	pub(super) commit: Duration,
	/// When all of it is over, at the earliest, where the device takes what time it has.
	ends: Duration,
}

impl Hurry {
	/// Of a task; `None` where the device has until the round's end.
	pub(super) fn of(task: &ChallengeTask) -> Option<Self> {
		let (commit_millis, ends_millis) = match &task.work {
			Work::Network(network) => (network.lead_millis, network.ends_millis()),
			Work::Storage(storage) => {
				let ends =
					u64::from(storage.commit_millis).saturating_add(storage.read_millis.into());
				(storage.commit_millis, ends)
			},
			Work::Cpu(_) | Work::Memory(_) | Work::Gemm(_) => return None,
		};
		let commit = Duration::from_millis(commit_millis.into());
		Some(Self { commit, ends: Duration::from_millis(ends_millis) })
	}
}

/// Whether this verifier is in time for a round, from its begin to its end.
pub(super) fn check_start(task: &ChallengeTask, clock: RoundClock) -> Result<(), Unjudged> {
	let Some(Hurry { commit, ends }) = Hurry::of(task) else { return Ok(()) };
	if clock.elapsed() < commit && clock.at(ends) <= clock.ends {
		Ok(())
	} else {
		Err(Unjudged::TooLate)
	}
}

/// Whether a first commitment came in time, after so many milliseconds: it may have come while nothing
/// more was waited for.
pub(super) fn check_answer(task: &ChallengeTask, millis: u32) -> Result<(), ChallengeFailure> {
	match Hurry::of(task) {
		Some(hurry) if Duration::from_millis(millis.into()) > hurry.commit => {
			Err(ChallengeFailure::NoAnswer)
		},
		_ => Ok(()),
	}
}

/// Holds against this verifier that it was away for a part of the time to commit: a device that was not
/// there by its end may have looked for it in vain.
pub(super) fn blamed(
	task: &ChallengeTask,
	clock: RoundClock,
	reason: ChallengeFailure,
) -> Result<ChallengeFailure, Unjudged> {
	let is_absent = reason == ChallengeFailure::NoAnswer && Hurry::of(task).is_some();
	if is_absent && !clock.already.is_zero() {
		Err(Unjudged::TooLate)
	} else {
		Ok(reason)
	}
}
