//! CPU lanes, with one thread for each.

use armature_primitives::challenge::ChallengeTask;
use armature_verifier::challenge::{checkpoints, run_lane, ChallengeError, State};
use std::ops::ControlFlow;

/// Why lanes were not run to their end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaneFault {
	/// The task is of another kind or breaks its bounds, or the run was stopped.
	#[error(transparent)]
	Task(#[from] ChallengeError),
	/// A thread could not be started, or failed.
	#[error("a lane failed: {0}")]
	Thread(String),
}

/// Runs all lanes at once, each on a thread of its own, and returns the checkpoints lane-major.
/// `expired` is asked after each segment.
///
/// # Errors
///
/// [`LaneFault`]; [`ChallengeError::Stopped`] in it when `expired` said so.
pub fn run_lanes(
	task: &ChallengeTask,
	expired: &(impl Fn() -> bool + Sync),
) -> Result<Vec<State>, LaneFault> {
	let cpu = task.cpu().ok_or(ChallengeError::OtherKind)?;
	let total = checkpoints(cpu)?;
	std::thread::scope(|scope| {
		let mut lanes = Vec::new();
		for lane in 0..cpu.lanes {
			let thread = std::thread::Builder::new()
				.name(format!("lane-{lane}"))
				.spawn_scoped(scope, move || {
					let mut states = Vec::new();
					run_lane(task, lane, |_, state| {
						states.push(state);
						if expired() {
							ControlFlow::Break(())
						} else {
							ControlFlow::Continue(())
						}
					})
					.map(|()| states)
				})
				.map_err(|error| LaneFault::Thread(error.to_string()))?;
			lanes.push(thread);
		}
		let mut all = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
		for lane in lanes {
			all.extend(lane.join().map_err(|_| LaneFault::Thread("it panicked".into()))??);
		}
		Ok(all)
	})
}
