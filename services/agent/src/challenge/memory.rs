//! The memory of a round: filled once, walked over by one verifier after the other, and given back as
//! soon as nobody has a use for it.

use super::{
	encoded,
	quota::Quota,
	turns::{Patience, Turns},
	ChallengeFault,
};
use crate::{
	chain::ChainPort,
	clock,
	compute::{FilledMemory, WalkedMemory},
};
use armature_p2p::PeerId;
use armature_primitives::{challenge::ChallengeTask, H256};
use armature_verifier::challenge::{
	fill::FillOpening,
	memory::{WalkOpening, WalkSize},
};
use std::{
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError, Weak,
	},
	time::{Duration, Instant},
};
use tokio::sync::Notify;

/// How often one verifier may ask for blocks of a round. Unless configured otherwise it asks two times,
/// and again where an answer is lost; each has up to a quarter of a megabyte.
pub(super) const MAX_BLOCK_REQUESTS: u32 = 16;

/// Whether memory is to be given back.
#[derive(Debug, Default)]
struct End {
	is_near: AtomicBool,
	told: Notify,
}

/// Filled memory of one round, until it is given back.
pub(super) struct Held {
	task: ChallengeTask,
	size: WalkSize,
	memory: RwLock<Option<FilledMemory>>,
	/// The last walk, and whose it was.
	walked: Mutex<Option<(PeerId, WalkedMemory)>>,
	turns: Mutex<Turns>,
	block_requests: Mutex<Quota>,
	end: Arc<End>,
}

impl Held {
	pub(super) fn new(
		task: ChallengeTask,
		size: WalkSize,
		memory: FilledMemory,
		patience: Patience,
	) -> Self {
		Self {
			task,
			size,
			memory: RwLock::new(Some(memory)),
			walked: Mutex::default(),
			turns: Mutex::new(Turns::new(patience)),
			block_requests: Mutex::new(Quota::new(MAX_BLOCK_REQUESTS)),
			end: Arc::default(),
		}
	}

	/// Whether the memory is still there to be asked about.
	pub(super) fn is_kept(&self) -> bool {
		!self.end.is_near.load(Ordering::SeqCst)
	}

	/// Whether the memory is given back.
	#[cfg(test)]
	pub(super) fn is_empty(&self) -> bool {
		self.memory.read().unwrap_or_else(PoisonError::into_inner).is_none()
	}

	/// Ends a walk that lasts, and has [`watch`] give the memory back. Returns at once.
	pub(super) fn end(&self) {
		self.end.is_near.store(true, Ordering::SeqCst);
		self.end.told.notify_one();
	}

	/// Gives the memory back. Returns when that is done, and waits for whoever still reads in it.
	pub(super) fn free(&self) {
		self.end();
		let memory = self.memory.write().unwrap_or_else(PoisonError::into_inner).take();
		drop(memory);
		*lock(&self.walked) = None;
	}

	/// Keeps the next walk for a peer.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], and those of [`Turns::reserve`].
	pub(super) fn reserve(&self, peer: PeerId) -> Result<(), ChallengeFault> {
		if !self.is_kept() {
			return Err(ChallengeFault::NothingToOpen);
		}
		lock(&self.turns).reserve(peer, Instant::now())
	}

	/// Walks in the turn of a peer, and returns the root of what came of it, and how long it took.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NotYourTurn`], [`ChallengeFault::NothingToOpen`], and those of the walk.
	pub(super) async fn walk(
		self: Arc<Self>,
		peer: PeerId,
		key: H256,
	) -> Result<(H256, Duration), ChallengeFault> {
		if !self.is_kept() {
			return Err(ChallengeFault::NothingToOpen);
		}
		let began = Instant::now();
		lock(&self.turns).begin(peer, began)?;
		// Goes on, and settles the turn, when whoever asked hangs up.
		tokio::task::spawn_blocking(move || {
			let walked = self.walk_blocking(peer, key);
			let mut turns = lock(&self.turns);
			match walked {
				Ok(_) => turns.walked(Instant::now()),
				Err(_) => turns.fail(),
			}
			walked.map(|ends| (ends, began.elapsed()))
		})
		.await
		.map_err(|error| ChallengeFault::Failed(error.to_string()))?
	}

	fn walk_blocking(&self, peer: PeerId, key: H256) -> Result<H256, ChallengeFault> {
		let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
		let memory = memory.as_ref().ok_or(ChallengeFault::NothingToOpen)?;
		// One walk is kept only, and this one takes its memory.
		*lock(&self.walked) = None;
		let walked = memory.walk(key, self.size, &|| !self.is_kept())?;
		let ends = walked.walk().ends;
		// Whoever gives the memory back waits until it is no longer read, and finds this walk.
		*lock(&self.walked) = Some((peer, walked));
		Ok(ends)
	}

	/// The encoded openings of blocks for a peer, in the order asked for.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::TooManyRequests`],
	/// [`ChallengeFault::TooLarge`].
	pub(super) fn open_blocks(
		&self,
		peer: PeerId,
		positions: &[u32],
	) -> Result<Vec<u8>, ChallengeFault> {
		let memory = self.kept().ok_or(ChallengeFault::NothingToOpen)?;
		if !lock(&self.block_requests).take(peer) {
			return Err(ChallengeFault::TooManyRequests);
		}
		let memory = memory.as_ref().ok_or(ChallengeFault::NothingToOpen)?;
		let openings: Vec<FillOpening> = positions
			.iter()
			.map(|position| memory.open(*position))
			.collect::<Option<_>>()
			.ok_or(ChallengeFault::NothingToOpen)?;
		encoded(&openings)
	}

	/// The encoded openings of segments of a peer's walk, in the order asked for. Ends its turn.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], also when another walk followed; [`ChallengeFault::TooLarge`].
	pub(super) fn open_walk(
		&self,
		peer: PeerId,
		key: H256,
		segments: &[(u16, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		let openings = self.openings(peer, key, segments).ok_or(ChallengeFault::NothingToOpen)?;
		let openings = encoded(&openings)?;
		lock(&self.turns).opened(peer);
		Ok(openings)
	}

	fn openings(
		&self,
		peer: PeerId,
		key: H256,
		segments: &[(u16, u32)],
	) -> Option<Vec<WalkOpening>> {
		let memory = self.kept()?;
		let memory = memory.as_ref()?;
		let walked = lock(&self.walked);
		let (walker, walked) = walked.as_ref()?;
		if *walker != peer || walked.walk().key != key {
			return None;
		}
		segments
			.iter()
			.map(|(lane, segment)| walked.open(memory, *lane, *segment))
			.collect()
	}

	/// The memory, unless it is given back; never waits.
	fn kept(&self) -> Option<RwLockReadGuard<'_, Option<FilledMemory>>> {
		if !self.is_kept() {
			return None;
		}
		match self.memory.try_read() {
			Ok(kept) => Some(kept),
			Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
			// It is being given back.
			Err(TryLockError::WouldBlock) => None,
		}
	}
}

/// Watches over the memory of a round, and gives it back at the task's deadline, when the chain no
/// longer has the task open, or when [`Held::end`] is called. `every` so often the chain is asked. Keeps
/// nothing alive.
pub(super) fn watch(
	held: &Arc<Held>,
	chain: Arc<dyn ChainPort>,
	every: Duration,
) -> impl std::future::Future<Output = ()> + Send + 'static {
	let (task, end, held) = (held.task, held.end.clone(), Arc::downgrade(held));
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
async fn free(held: Weak<Held>) {
	let Some(held) = held.upgrade() else { return };
	let round = held.task.round.0;
	match tokio::task::spawn_blocking(move || held.free()).await {
		Ok(()) => tracing::info!(round, "the memory of a round is given back"),
		Err(error) => tracing::error!(round, %error, "giving memory back failed"),
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
