//! The memory of a round: filled once, walked over by one verifier after the other, and given back as
//! soon as nobody has a use for it.

use super::{
	encoded,
	holding::{End, Holding},
	quota::Quota,
	turns::{Patience, Turns},
	ChallengeFault,
};
use crate::{
	compute::{FilledMemory, WalkedMemory},
	lock::lock,
};
use armature_p2p::PeerId;
use armature_primitives::{challenge::ChallengeTask, H256};
use armature_verifier::challenge::{
	fill::FillOpening,
	memory::{WalkOpening, WalkSize},
};
use std::{
	sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError},
	time::{Duration, Instant},
};

/// How often one verifier may ask for blocks of a round. Unless configured otherwise it asks two times,
/// and again where an answer is lost; each has up to a quarter of a megabyte.
pub(super) const MAX_BLOCK_REQUESTS: u32 = 16;

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

	/// Whether the memory is given back.
	#[cfg(test)]
	pub(super) fn is_empty(&self) -> bool {
		self.memory.read().unwrap_or_else(PoisonError::into_inner).is_none()
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

impl Holding for Held {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn end(&self) -> &Arc<End> {
		&self.end
	}

	fn free(&self) {
		self.end.tell();
		let memory = self.memory.write().unwrap_or_else(PoisonError::into_inner).take();
		drop(memory);
		*lock(&self.walked) = None;
	}
}
