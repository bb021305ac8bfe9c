//! Leases, from one step to the next.

use super::{Agent, AgentError};
use crate::{
	chain::{LeasePhase, LeaseView},
	workload::{Progress, WorkError},
};
use std::{sync::Arc, time::Duration};

impl Agent {
	/// Takes the device's leases from one step to the next, until the agent stops.
	///
	/// # Errors
	///
	/// [`AgentError::Store`].
	pub(super) async fn run_leases(self: Arc<Self>) -> Result<(), AgentError> {
		let pause = Duration::from_millis(self.config.poll.leases_millis);
		loop {
			let moved = match self.step_leases().await {
				Ok(moved) => moved,
				Err(WorkError::Store(error)) => return Err(error.into()),
				Err(error) => {
					tracing::warn!(%error, "a lease got no further");
					false
				},
			};
			if *self.stop.borrow() {
				return Ok(());
			}
			if moved {
				continue;
			}
			tokio::select! {
				go_on = self.pause(pause) => if !go_on { return Ok(()) },
				() = self.lease_notice.notified() => {},
			}
		}
	}

	/// One step of each open lease; true when one moved.
	async fn step_leases(&self) -> Result<bool, WorkError> {
		let leases = self.chain.leases_of_device(self.device).await?;
		self.workloads.forget_closed(&leases)?;
		let running = |lease: &&LeaseView| matches!(lease.phase, LeasePhase::Running { .. });
		self.metrics.running(leases.iter().filter(running).count());
		let mut moved = false;
		for lease in &leases {
			// Verifiers have no use for what is filled any more, and the workload needs it.
			if matches!(lease.phase, LeasePhase::Acknowledged { .. } | LeasePhase::Running { .. }) {
				self.challenges.free_memory().await;
			}
			match self.workloads.step(lease).await {
				Ok(progress) => moved |= progress == Progress::Moved,
				Err(WorkError::Store(error)) => return Err(error.into()),
				Err(error) => tracing::warn!(lease = lease.id.0, %error, "a lease got no further"),
			}
		}
		Ok(moved)
	}
}
