//! What is timed, and what has to leave the disk to it.

use super::ChallengeFault;
use crate::lock::lock;
use armature_p2p::PeerId;
use std::{
	collections::HashMap,
	sync::{Arc, Mutex},
};
use tokio::{
	sync::{watch, OwnedSemaphorePermit, Semaphore},
	time::{timeout_at, Instant},
};

/// Work of peers that is timed. One piece of each is done at once: whoever asks for more, takes no more of
/// the disk than others do.
#[derive(Default)]
pub(super) struct Hurried {
	/// Of each peer. The caller sees to it that there are few.
	turns: Mutex<HashMap<PeerId, Arc<Semaphore>>>,
	/// Pieces that are worked on, or wait for the peer's turn.
	count: Arc<watch::Sender<usize>>,
}

/// A piece of work that is timed, until this is dropped.
pub(super) struct Hurry {
	_turn: OwnedSemaphorePermit,
	_counted: Counted,
}

/// Counts one.
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
	fn new(count: &Arc<watch::Sender<usize>>) -> Self {
		count.send_modify(|count| *count = count.saturating_add(1));
		Self(count.clone())
	}
}

impl Drop for Counted {
	fn drop(&mut self) {
		self.0.send_modify(|count| *count = count.saturating_sub(1));
	}
}

impl Hurried {
	/// Begins a piece of work of a peer, once its last one is done. Waits for no other peer's.
	///
	/// # Errors
	///
	/// [`ChallengeFault::Stopped`].
	pub(super) async fn begin(&self, peer: PeerId) -> Result<Hurry, ChallengeFault> {
		// Also while it waits: between two of them there is no time for anything else.
		let counted = Counted::new(&self.count);
		let one = || Arc::new(Semaphore::new(1));
		let turn = lock(&self.turns).entry(peer).or_insert_with(one).clone();
		let turn = turn.acquire_owned().await.map_err(|_| ChallengeFault::Stopped)?;
		Ok(Hurry { _turn: turn, _counted: counted })
	}

	/// Waits until nothing is timed, but no longer than `until`.
	pub(super) async fn lull(&self, until: Instant) {
		let mut count = self.count.subscribe();
		// Whoever would not let others have the disk is not heeded then.
		timeout_at(until, count.wait_for(|count| *count == 0)).await.ok();
	}
}
