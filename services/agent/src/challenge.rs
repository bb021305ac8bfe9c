//! Answers performance challenges.
//!
//! A round is run once, however many verifiers of its committee ask, and only after the chain has
//! confirmed the task: nobody can make a device compute by asking, and only its committee is heard.
//! Memory that a round fills is kept until the round is over, and verifiers walk over it one after the
//! other; so are the states of a round of products, of which they ask for entries. No task is answered with
//! two roots.
//!
//! What a round of storage asks for was sealed long before: there is nothing to run, the answer comes soon,
//! beside anything else that runs, and blocks are read for verifiers until the round is over.
//!
//! Where the way to verifiers is measured there is nothing to run, but echoes and data to answer with.
//!
//! A few rounds are answered with what was planted, and not run.

mod available;
mod committee;
mod fault;
mod floor;
mod gemm;
mod holding;
mod hurried;
mod memory;
mod network;
mod planted;
mod power;
mod quota;
mod rounds;
mod runner;
mod signed;
mod stored;
mod turns;

use crate::{
	chain::ChainPort,
	clock,
	compute::AcceleratorConfig,
	config::StorageConfig,
	key::DeviceKey,
	metrics::Metrics,
	store::{Store, StoreError},
	telemetry::Collector,
};
use armature_p2p::{messages::MAX_OPENINGS_LEN, PeerId};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask, Echo, WorkKind},
	ed25519, DeviceId, Moment, H256,
};
use armature_verifier::challenge::{check_work, SegmentOpening};
use codec::Encode;
use futures::FutureExt;
use memory::Held;
use network::Network;
use rounds::{Committed, Rounds, Running};
use runner::{Asked, Runner, Settings, Shown};
use std::sync::{atomic::AtomicBool, Arc, Mutex};
use stored::Stored;

pub use fault::ChallengeFault;
pub use planted::PlantedError;

/// Runs and remembers rounds of one device.
pub struct Challenges {
	runner: Arc<Runner>,
	rounds: Rounds,
}

impl Challenges {
	/// For one device. What must not be forgotten is kept in its store. Of all rounds,
	/// `planted_share_ppm` are answered with what is planted, in parts per million, where the chain allows
	/// it; with 0 nothing is planted.
	pub(crate) fn new(
		chain: Arc<dyn ChainPort>,
		key: DeviceKey,
		genesis: H256,
		device: DeviceId,
		collector: Arc<Mutex<Collector>>,
		store: Arc<Store>,
		planted_share_ppm: u32,
		accelerator: AcceleratorConfig,
		storage: StorageConfig,
		metrics: Arc<Metrics>,
	) -> Self {
		let settings = Settings { accelerator, storage, ..Settings::default() };
		Self::with_settings(
			chain,
			key,
			genesis,
			device,
			collector,
			store,
			planted_share_ppm,
			metrics,
			settings,
		)
	}

	fn with_settings(
		chain: Arc<dyn ChainPort>,
		key: DeviceKey,
		genesis: H256,
		device: DeviceId,
		collector: Arc<Mutex<Collector>>,
		store: Arc<Store>,
		planted_share_ppm: u32,
		metrics: Arc<Metrics>,
		settings: Settings,
	) -> Self {
		let rounds = Rounds::new(settings.pauses);
		let runner = Runner::new(
			chain,
			key,
			genesis,
			device,
			collector,
			store,
			planted_share_ppm,
			metrics,
			settings,
		);
		Self { runner: Arc::new(runner), rounds }
	}

	/// Runs the round, or waits for the run that another verifier asked for, and returns the
	/// signed commitment to a peer of the round's committee.
	///
	/// # Errors
	///
	/// [`ChallengeFault`]. The next verifier that asks gets a new attempt; where the machine could not run the
	/// round, some seconds later.
	pub async fn commit(
		&self,
		peer: PeerId,
		task: ChallengeTask,
	) -> Result<(ChallengeCommit, ed25519::Signature), ChallengeFault> {
		let Runner { chain, device, settings, .. } = self.runner.as_ref();
		let running = match self.rounds.known(&task) {
			Some((running, committee)) => {
				committee.admit(&peer, &task, chain.as_ref(), settings.watch).await?;
				running
			},
			None => {
				check_work(&task.work).map_err(ChallengeFault::Task)?;
				let open = chain.open_round(task.round).await.map_err(ChallengeFault::Chain)?;
				let open = open
					.filter(|open| open.task == task && task.device == *device)
					.ok_or(ChallengeFault::NotOnChain)?;
				if !open.committee.contains(&peer) {
					return Err(ChallengeFault::NotOfCommittee);
				}
				let begin = |stop| self.begin(task, open.opened_at, stop);
				self.rounds.begin(task, open.committee, begin)
			},
		};
		let result = running.clone().await;
		if let Err(fault) = &result {
			self.rounds.failed(&running, fault);
		}
		result.map(|done| (done.commit.clone(), done.signature))
	}

	/// Announces an answer to plant where none is announced, or shows the one that was used, once its
	/// round has closed. To be called again and again.
	///
	/// # Errors
	///
	/// [`PlantedError`]. What was used and could not be shown for now is shown by a later call.
	pub async fn tend_planted(&self) -> Result<(), PlantedError> {
		self.runner.plants.tend(self.runner.chain.as_ref(), clock::now()).await
	}

	/// Whether a planted answer was used and is not shown yet. What the device was scored before comes
	/// back with it.
	///
	/// # Errors
	///
	/// [`StoreError`].
	pub async fn has_used_planted(&self) -> Result<bool, StoreError> {
		self.runner.plants.has_used().await
	}

	/// The encoded openings of segments of a committed task, given by its hash, in the order asked for. A
	/// round whose block was replaced has another task, and other segments. Of what was planted there are
	/// none: the list is empty.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::TooLarge`], and those of a peer that is not
	/// heard: [`ChallengeFault::NotOfCommittee`], [`ChallengeFault::Chain`].
	pub async fn open(
		&self,
		peer: PeerId,
		task: H256,
		segments: &[(u16, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		let committed = self.committed(peer, task).await?;
		let transcript = match &committed.done.shown {
			Shown::Lanes(transcript) => transcript,
			Shown::Planted(round) if round.kind() == WorkKind::Cpu => return round.open(),
			Shown::Planted(_)
			| Shown::Memory(_)
			| Shown::Network(_)
			| Shown::Products(_)
			| Shown::Storage(_) => return Err(ChallengeFault::NothingToOpen),
		};
		let openings: Vec<SegmentOpening> = segments
			.iter()
			.map(|(lane, segment)| transcript.open(*lane, *segment))
			.collect::<Option<_>>()
			.ok_or(ChallengeFault::NothingToOpen)?;
		encoded(&openings)
	}

	/// Keeps the next walk over the memory of a committed task, given by its hash, for a peer. A peer
	/// gets three of them.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::Busy`], [`ChallengeFault::TooManyTurns`], and
	/// those of a peer that is not heard.
	pub async fn reserve_walk(&self, peer: PeerId, task: H256) -> Result<(), ChallengeFault> {
		match self.memory(peer, task).await?.1 {
			Asked::Held(held) => held.reserve(peer),
			Asked::Planted(round) => round.reserve(peer),
		}
	}

	/// Walks over the memory of a committed task from a key on, and returns the root over the roots of
	/// all lanes' ends.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NotYourTurn`] when the peer has not reserved a walk or has had it,
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::Stopped`], [`ChallengeFault::Failed`], and
	/// those of a peer that is not heard.
	pub async fn walk(&self, peer: PeerId, task: H256, key: H256) -> Result<H256, ChallengeFault> {
		let (task, memory) = self.memory(peer, task).await?;
		match memory {
			Asked::Held(held) => {
				let (ends, took) = held.walk(peer, key).await?;
				self.runner.plants.remember_walk(task.work, took);
				Ok(ends)
			},
			Asked::Planted(round) => round.walk(peer, key).await,
		}
	}

	/// The encoded openings of blocks of the memory of a committed task, in the order asked for. A peer may
	/// ask sixteen times.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::TooManyRequests`],
	/// [`ChallengeFault::TooLarge`], and those of a peer that is not heard.
	pub async fn open_blocks(
		&self,
		peer: PeerId,
		task: H256,
		positions: &[u32],
	) -> Result<Vec<u8>, ChallengeFault> {
		match self.memory(peer, task).await?.1 {
			Asked::Held(held) => held.open_blocks(peer, positions),
			Asked::Planted(round) => round.open_blocks(peer),
		}
	}

	/// The encoded openings of segments of a peer's last walk, in the order asked for. Ends the peer's
	/// turn.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], also when another walk followed; [`ChallengeFault::TooLarge`],
	/// and those of a peer that is not heard.
	pub async fn open_walk(
		&self,
		peer: PeerId,
		task: H256,
		key: H256,
		segments: &[(u16, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		match self.memory(peer, task).await?.1 {
			Asked::Held(held) => held.open_walk(peer, key, segments),
			Asked::Planted(round) => round.open_walk(peer, key),
		}
	}

	/// The encoded openings of entries of the states of a committed task, in the order asked for. A peer may
	/// ask for 1,024.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::TooManyRequests`],
	/// [`ChallengeFault::TooLarge`], and those of a peer that is not heard.
	pub async fn open_entries(
		&self,
		peer: PeerId,
		task: H256,
		entries: Vec<(u32, u32, u32)>,
	) -> Result<Vec<u8>, ChallengeFault> {
		let Committed { done, .. } = self.committed(peer, task).await?;
		match done.shown.asked(WorkKind::Gemm, Shown::products)? {
			// It may wait for an accelerator.
			Asked::Held(held) => tokio::task::spawn_blocking(move || held.open(peer, &entries))
				.await
				.map_err(|error| ChallengeFault::Failed(error.to_string()))?,
			Asked::Planted(round) => round.open_entries(peer, &entries),
		}
	}

	/// The encoded blocks of the storage of a committed task, in the order asked for: they are timed, and wait
	/// for none but those that the same peer asked for before. A peer may ask three times.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], [`ChallengeFault::TooManyRequests`],
	/// [`ChallengeFault::TooLarge`], [`ChallengeFault::Storage`], and those of a peer that is not heard.
	pub async fn read_stored(
		&self,
		peer: PeerId,
		task: H256,
		blocks: Vec<(u32, u32)>,
	) -> Result<Vec<u8>, ChallengeFault> {
		match self.sectors(peer, task).await? {
			Asked::Held(held) => held.read(peer, blocks).await,
			Asked::Planted(round) => round.read_stored(peer),
		}
	}

	/// The encoded openings of blocks of the storage of a committed task, in the order asked for, with what
	/// they were filled from. One request is worked on after the other, and leaves the disk to what is timed. A
	/// peer may ask for 280 blocks.
	///
	/// # Errors
	///
	/// As [`Challenges::read_stored`]; [`ChallengeFault::Busy`] where many wait.
	pub async fn open_sealed(
		&self,
		peer: PeerId,
		task: H256,
		blocks: Vec<(u32, u32)>,
	) -> Result<Vec<u8>, ChallengeFault> {
		match self.sectors(peer, task).await? {
			Asked::Held(held) => held.show(peer, blocks).await,
			Asked::Planted(round) => round.open_sealed(peer, &blocks),
		}
	}

	/// Signs a peer's nonce in a round about the way to verifiers, given by its task's hash.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], also after the deadline; [`ChallengeFault::TooManyRequests`],
	/// and those of a peer that is not heard.
	pub async fn echo(
		&self,
		peer: PeerId,
		task: H256,
		nonce: H256,
	) -> Result<ed25519::Signature, ChallengeFault> {
		self.network(peer, task).await?.count_echo(peer)?;
		Ok(self.runner.sign_echo(&Echo { task, nonce }))
	}

	/// A chunk of data, which a peer has the key of.
	///
	/// # Errors
	///
	/// As [`Challenges::echo`].
	pub async fn fetch(
		&self,
		peer: PeerId,
		task: H256,
		key: H256,
		number: u32,
		len: u32,
	) -> Result<Vec<u8>, ChallengeFault> {
		self.network(peer, task).await?.fetch(peer, &key, number, len)
	}

	/// What shows that a chunk of data has come.
	///
	/// # Errors
	///
	/// As [`Challenges::echo`].
	pub async fn deliver(
		&self,
		peer: PeerId,
		task: H256,
		key: H256,
		number: u32,
		data: &[u8],
	) -> Result<H256, ChallengeFault> {
		self.network(peer, task).await?.deliver(peer, &key, number, data)
	}

	/// Gives back all memory that rounds have filled or fill, and all states of products, and returns when
	/// that is done. The chain has no use for them where it has begun a lease. Storage stays open: that takes
	/// nothing of a lease.
	pub async fn free_memory(&self) {
		for running in self.rounds.stop_filling() {
			// However it ends.
			running.await.ok();
		}
		self.runner.free_memory().await;
	}

	/// Rounds that run or wait to.
	pub fn in_flight(&self) -> usize {
		self.runner.in_flight()
	}

	/// Ends the round that runs, and has the memory of one that is done given back.
	pub fn stop(&self) {
		self.runner.stop();
	}

	/// A committed task, for a peer of its committee.
	async fn committed(&self, peer: PeerId, task: H256) -> Result<Committed, ChallengeFault> {
		let committed = self.rounds.committed(task).ok_or(ChallengeFault::NothingToOpen)?;
		let Runner { chain, settings, .. } = self.runner.as_ref();
		let Committed { task, committee, .. } = &committed;
		committee.admit(&peer, task, chain.as_ref(), settings.watch).await?;
		Ok(committed)
	}

	/// The memory of a committed task, for a peer of its committee.
	async fn memory(
		&self,
		peer: PeerId,
		task: H256,
	) -> Result<(ChallengeTask, Asked<Held>), ChallengeFault> {
		let Committed { task, done, .. } = self.committed(peer, task).await?;
		Ok((task, done.shown.asked(WorkKind::Memory, Shown::memory)?))
	}

	/// The storage of a committed task, for a peer of its committee.
	async fn sectors(&self, peer: PeerId, task: H256) -> Result<Asked<Stored>, ChallengeFault> {
		let Committed { done, .. } = self.committed(peer, task).await?;
		done.shown.asked(WorkKind::Storage, Shown::storage)
	}

	/// A committed task about the way to verifiers, for a peer of its committee.
	async fn network(&self, peer: PeerId, task: H256) -> Result<Arc<Network>, ChallengeFault> {
		match &self.committed(peer, task).await?.done.shown {
			Shown::Network(network) => Ok(network.clone()),
			Shown::Lanes(_)
			| Shown::Planted(_)
			| Shown::Memory(_)
			| Shown::Products(_)
			| Shown::Storage(_) => Err(ChallengeFault::NothingToOpen),
		}
	}

	/// Begins a run, which `stop` ends.
	fn begin(&self, task: ChallengeTask, opened_at: Moment, stop: Arc<AtomicBool>) -> Running {
		// A task of its own: it goes on when the verifier that asked first hangs up.
		let handle = tokio::spawn(self.runner.clone().run(task, opened_at, stop));
		async move {
			handle
				.await
				.unwrap_or_else(|error| Err(ChallengeFault::Failed(error.to_string())))
		}
		.boxed()
		.shared()
	}
}

/// Openings as they are sent.
///
/// # Errors
///
/// [`ChallengeFault::TooLarge`].
fn encoded<O: Encode>(openings: &[O]) -> Result<Vec<u8>, ChallengeFault> {
	let openings = openings.encode();
	if openings.len() > MAX_OPENINGS_LEN {
		return Err(ChallengeFault::TooLarge);
	}
	Ok(openings)
}

#[cfg(test)]
mod tests;
