//! The storage of a round: sectors that were sealed long before, and are read for each verifier.
//!
//! Blocks that are timed are read at once, for all verifiers that ask, but one request of each after the
//! other: so much of the disk as one of them takes, the others get, too. Blocks that are shown to be filled as
//! they should be take eight times as many reads and have time: one request after the other, one read after
//! the other, and none of them begun while anything timed is read, unless that takes longer than the task
//! gives for it.

use super::{
	encoded,
	holding::{End, Holding},
	hurried::Hurried,
	quota::{asked, Quota, MAX_PEERS},
	ChallengeFault,
};
use crate::{
	compute::{OfferedSectors, SealPlan, SealedSectors, StorageFault},
	config::StorageConfig,
	lock::lock,
};
use armature_p2p::{
	messages::{MAX_BLOCKS, MAX_STORED},
	PeerId,
};
use armature_primitives::{
	challenge::{ChallengeTask, StorageChallenge},
	H256,
};
use armature_verifier::challenge::task_hash;
use std::{
	error::Error,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// How often one verifier may have blocks read in a round. It draws them once, and once more where the
/// connection breaks; again where it is restarted.
pub(super) const MAX_READS_OF_PEER: u32 = 3;

/// How many blocks of a round one verifier may have shown: it looks at 12 unless configured otherwise, at
/// 140 at most; again where an answer is lost.
pub(super) const MAX_SEALED_OF_PEER: u32 = 280;

/// The sectors of one round, until nobody asks for them any more.
pub(super) struct Stored {
	task: ChallengeTask,
	sectors: Mutex<Option<Arc<OfferedSectors>>>,
	reads: Mutex<Quota>,
	sealed: Mutex<Quota>,
	/// Requests for blocks that are timed.
	hurried: Hurried,
	/// How long the task gives for one of them.
	hurry: Duration,
	/// One request for blocks that are not timed is worked on at once,
	unhurried: Arc<Semaphore>,
	/// and so many wait for that or are: others' requests need room, too.
	line: Semaphore,
	end: Arc<End>,
}

/// What is sealed by now, where the configuration says.
///
/// # Errors
///
/// [`ChallengeFault::Storage`].
pub(super) fn sealed(config: &StorageConfig) -> Result<SealedSectors, ChallengeFault> {
	let Some(directory) = &config.directory else {
		return Err(ChallengeFault::Storage(
			"no directory of sealed sectors is named: seal some (`armature storage seal`), and name \
			 it in the agent's configuration (`[storage]`, `directory`)"
				.into(),
		));
	};
	Ok(SealedSectors::open(directory)?)
}

impl Stored {
	/// Opens the sectors that a task asks for, and returns them with what to commit to. For one task it must
	/// always be the same `salt`.
	///
	/// # Errors
	///
	/// [`ChallengeFault::Storage`], also where others were sealed, or fewer.
	pub(super) fn open(
		sealed: SealedSectors,
		genesis: H256,
		task: &ChallengeTask,
		storage: &StorageChallenge,
		salt: H256,
	) -> Result<(H256, Self), ChallengeFault> {
		let StorageChallenge { sectors, blocks, compressions, read_millis, .. } = *storage;
		let plan = SealPlan { genesis, device: task.device, sectors, blocks, compressions };
		let sectors = sealed.offered(&plan, task_hash(task), salt)?;
		let root = sectors.storage().root;
		let stored = Self {
			task: *task,
			sectors: Mutex::new(Some(Arc::new(sectors))),
			reads: Mutex::new(Quota::new(MAX_READS_OF_PEER)),
			sealed: Mutex::new(Quota::new(MAX_SEALED_OF_PEER)),
			hurried: Hurried::default(),
			hurry: Duration::from_millis(read_millis.into()),
			unhurried: Arc::new(Semaphore::new(1)),
			line: Semaphore::new(MAX_PEERS),
			end: Arc::default(),
		};
		Ok((root, stored))
	}

	/// Whether the sectors are closed.
	#[cfg(test)]
	pub(super) fn is_empty(&self) -> bool {
		lock(&self.sectors).is_none()
	}

	/// Whose turn it is to have blocks shown, and who waits for one.
	#[cfg(test)]
	pub(super) fn turns(&self) -> (&Semaphore, &Semaphore) {
		(&self.unhurried, &self.line)
	}

	/// Requests for blocks that are timed.
	#[cfg(test)]
	pub(super) fn hurried(&self) -> &Hurried {
		&self.hurried
	}

	/// The encoded blocks that a peer asks for, in that order. Waits until those are read that it asked for
	/// before, for its connection may have broken meanwhile, and for nobody else's.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::TooManyRequests`],
	/// [`ChallengeFault::TooLarge`], [`ChallengeFault::Storage`].
	pub(super) async fn read(
		self: Arc<Self>,
		peer: PeerId,
		blocks: Vec<(u32, u32)>,
	) -> Result<Vec<u8>, ChallengeFault> {
		self.sectors(&blocks, MAX_STORED)?;
		if !lock(&self.reads).take(peer) {
			return Err(ChallengeFault::TooManyRequests);
		}
		let hurry = self.hurried.begin(peer).await?;
		// The round may be over by now.
		let sectors = self.sectors(&blocks, MAX_STORED)?;
		let stored = move || {
			let stored = sectors.stored(&blocks);
			// Kept until then, also when whoever asked hangs up.
			drop(hurry);
			stored
		};
		encoded(&self.reading(stored).await?)
	}

	/// The encoded openings of blocks that a peer asks for, in that order, with what they were filled from.
	/// Waits for those of other peers, and before each of them for what is timed: for that no longer, in all,
	/// than the task gives for it.
	///
	/// # Errors
	///
	/// As [`Stored::read`]; [`ChallengeFault::Busy`] where many wait.
	pub(super) async fn show(
		self: Arc<Self>,
		peer: PeerId,
		blocks: Vec<(u32, u32)>,
	) -> Result<Vec<u8>, ChallengeFault> {
		self.sectors(&blocks, MAX_BLOCKS)?;
		let _place = self.line.try_acquire().map_err(|_| ChallengeFault::Busy)?;
		if !lock(&self.sealed).take_some(peer, asked(&blocks)) {
			return Err(ChallengeFault::TooManyRequests);
		}
		let turn = self.unhurried.clone().acquire_owned().await;
		let turn = turn.map_err(|_| ChallengeFault::Stopped)?;
		let turn = Arc::new(turn);
		let until = Instant::now() + self.hurry;
		let mut shown = Vec::with_capacity(blocks.len());
		for at in &blocks {
			self.hurried.lull(until).await;
			// The round may be over by now.
			let sectors = self.sectors(&blocks, MAX_BLOCKS)?;
			let (turn, at) = (turn.clone(), *at);
			let sealed = move || {
				let sealed = sectors.sealed(&[at]);
				drop(turn);
				sealed
			};
			shown.extend(self.reading(sealed).await?);
		}
		encoded(&shown)
	}

	/// The sectors, for a request of `most` blocks at most.
	fn sectors(
		&self,
		blocks: &[(u32, u32)],
		most: usize,
	) -> Result<Arc<OfferedSectors>, ChallengeFault> {
		if blocks.len() > most {
			return Err(ChallengeFault::TooLarge);
		}
		let sectors = lock(&self.sectors).clone();
		sectors.filter(|_| self.is_kept()).ok_or(ChallengeFault::NothingToOpen)
	}

	/// Reads on a thread that may wait for disks. What is damaged there is told in the log.
	async fn reading<O: Send + 'static>(
		&self,
		read: impl FnOnce() -> Result<Vec<O>, StorageFault> + Send + 'static,
	) -> Result<Vec<O>, ChallengeFault> {
		let read = tokio::task::spawn_blocking(read).await;
		let read = read.map_err(|error| ChallengeFault::Failed(error.to_string()));
		let read = read.and_then(|read| Ok(read?));
		if let Err(fault @ ChallengeFault::Storage(_)) = &read {
			tracing::error!(round = self.task.round.0, error = %fault, "blocks were not read");
		}
		read
	}
}

impl Holding for Stored {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn end(&self) -> &Arc<End> {
		&self.end
	}

	fn free(&self) {
		self.end.tell();
		let sectors = lock(&self.sectors).take();
		drop(sectors);
	}

	fn takes_memory(&self) -> bool {
		false
	}
}

impl From<StorageFault> for ChallengeFault {
	fn from(fault: StorageFault) -> Self {
		match fault {
			StorageFault::Outside { .. } => ChallengeFault::NothingToOpen,
			StorageFault::Stopped => ChallengeFault::Stopped,
			StorageFault::Size(error) => ChallengeFault::Task(error.into()),
			fault => {
				let source = fault.source().map(|source| format!(": {source}"));
				ChallengeFault::Storage(format!("{fault}{}", source.unwrap_or_default()))
			},
		}
	}
}
