//! What a round holds until nobody has a use for it: much memory, of the machine or of its accelerator, or
//! files.

use crate::{chain::ChainPort, clock};
use armature_primitives::challenge::ChallengeTask;
use std::{
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc, Weak,
	},
	time::Duration,
};
use tokio::sync::Notify;

/// Whether what is held is to be given back.
#[derive(Debug, Default)]
pub(super) struct End {
	is_near: AtomicBool,
	told: Notify,
}

impl End {
	/// Whether it is.
	pub(super) fn is_near(&self) -> bool {
		self.is_near.load(Ordering::SeqCst)
	}

	/// Ends work that lasts, and has [`watch`] give back what is held. Returns at once.
	pub(super) fn tell(&self) {
		self.is_near.store(true, Ordering::SeqCst);
		self.told.notify_one();
	}
}

/// What a round holds.
pub(super) trait Holding: Send + Sync + 'static {
	/// The round's task.
	fn task(&self) -> &ChallengeTask;

	/// Whether it is to be given back.
	fn end(&self) -> &Arc<End>;

	/// Gives it back. Returns when that is done, and waits for whoever still reads in it.
	fn free(&self);

	/// Whether a workload, or another round, needs what it takes of the machine.
	fn takes_memory(&self) -> bool {
		true
	}

	/// Whether it is still there to be asked about.
	fn is_kept(&self) -> bool {
		!self.end().is_near()
	}
}

/// Watches over what a round holds, and gives it back at the task's deadline, when the chain no longer has
/// the task open, or when [`End::tell`] is called. `every` so often the chain is asked. Keeps nothing alive.
pub(super) fn watch(
	held: &Arc<dyn Holding>,
	chain: Arc<dyn ChainPort>,
	every: Duration,
) -> impl std::future::Future<Output = ()> + Send + 'static {
	let (task, end, held) = (*held.task(), held.end().clone(), Arc::downgrade(held));
	async move {
		loop {
			tokio::select! {
				() = end.told.notified() => break,
				is_open = is_still_open(chain.as_ref(), &task, every) => if !is_open { break },
			}
			if held.strong_count() == 0 {
				return;
			}
		}
		free(held).await;
	}
}

/// Gives much memory back, which takes a while.
async fn free(held: Weak<dyn Holding>) {
	let Some(held) = held.upgrade() else { return };
	let round = held.task().round.0;
	match tokio::task::spawn_blocking(move || held.free()).await {
		Ok(()) => tracing::info!(round, "what a round held is given back"),
		Err(error) => tracing::error!(round, %error, "giving back what a round held failed"),
	}
}

/// Whether a task is open still, a while later: before its deadline, and by the chain unless that cannot
/// be asked.
async fn is_still_open(chain: &dyn ChainPort, task: &ChallengeTask, every: Duration) -> bool {
	let left = || Duration::from_millis(task.deadline.saturating_sub(clock::now()));
	tokio::time::sleep(left().min(every)).await;
	let patience = left().min(every);
	if patience.is_zero() {
		return false;
	}
	match tokio::time::timeout(patience, chain.open_round(task.round)).await {
		Ok(Ok(open)) => open.is_some_and(|open| open.task == *task),
		Ok(Err(error)) => {
			tracing::debug!(round = task.round.0, %error, "could not ask whether a round is open");
			true
		},
		Err(_) => {
			tracing::debug!(round = task.round.0, "the chain did not tell whether a round is open");
			true
		},
	}
}
