//! Rounds, run one after the other.

use super::{
	available,
	fault::Pauses,
	floor::floor_of,
	gemm::Products,
	holding::{watch, Holding},
	memory::Held,
	network::Network,
	planted::{PlantedRound, Plants},
	power::{of_all, Meter},
	signed::Signed,
	stored::{sealed, Stored},
	turns::Patience,
	ChallengeFault,
};
use crate::{
	chain::ChainPort,
	clock,
	compute::{
		needed_bytes, run_lanes, Accelerator, AcceleratorBackend, AcceleratorConfig, FilledMemory,
		MEMINFO,
	},
	config::StorageConfig,
	key::DeviceKey,
	lock::lock,
	metrics::{Metrics, RoundOutcome},
	store::{blocking, Store},
	telemetry::Collector,
};
use armature_primitives::{
	challenge::{
		ChallengeCommit, ChallengeTask, Echo, GemmChallenge, MemoryChallenge, StorageChallenge,
		Work, WorkKind,
	},
	ed25519,
	signing::Domain,
	telemetry::PowerReading,
	DeviceId, Moment, H256,
};
use armature_verifier::challenge::{
	gemm::GemmTask, memory::sizes, network::commit_root, task_hash, ChallengeError, Transcript,
};
use codec::Encode;
use std::{
	path::PathBuf,
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		Arc, Mutex, MutexGuard,
	},
	time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How often the chain is asked about a round that it has confirmed.
const WATCH_INTERVAL: Duration = Duration::from_secs(6);

/// How far the chain's clock may be from this machine's.
const CLOCK_MARGIN: Duration = Duration::from_secs(5);

/// How often it is looked whether an answer that waits is still wanted.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// What is configured, and what tests set otherwise.
#[derive(Clone, Debug)]
pub(super) struct Settings {
	/// What computes products.
	pub(super) accelerator: AcceleratorConfig,
	/// Where sealed sectors are.
	pub(super) storage: StorageConfig,
	/// The file that tells how much memory the machine can give.
	pub(super) meminfo: PathBuf,
	/// How long turns are kept.
	pub(super) patience: Patience,
	/// How often the chain is asked whether a round is open, and who else is of its committee.
	pub(super) watch: Duration,
	/// How long a round is not tried again where the machine could not run it.
	pub(super) pauses: Pauses,
	/// How far the chain's clock may be from this machine's: see [`Signed::new`].
	pub(super) clock_margin: Duration,
}

impl Default for Settings {
	fn default() -> Self {
		Self {
			accelerator: AcceleratorConfig::default(),
			storage: StorageConfig::default(),
			meminfo: MEMINFO.into(),
			patience: Patience::default(),
			watch: WATCH_INTERVAL,
			pauses: Pauses::default(),
			clock_margin: CLOCK_MARGIN,
		}
	}
}

/// What a finished round can show.
pub(super) enum Shown {
	/// Checkpoints of lanes.
	Lanes(Transcript),
	/// Filled memory.
	Memory(Arc<Held>),
	/// Nothing: the answer was made up.
	Planted(Arc<PlantedRound>),
	/// Nothing: the way to verifiers is measured.
	Network(Arc<Network>),
	/// States of products.
	Products(Arc<Products>),
	/// Sealed sectors.
	Storage(Arc<Stored>),
}

/// What verifiers ask about in a round that holds something.
pub(super) enum Asked<T> {
	/// What it holds.
	Held(Arc<T>),
	/// None: the answer was made up.
	Planted(Arc<PlantedRound>),
}

impl Shown {
	/// What verifiers ask about in a round of this kind, of which it `holds` something.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`] in one of another kind.
	pub(super) fn asked<T>(
		&self,
		kind: WorkKind,
		holds: impl FnOnce(&Self) -> Option<&Arc<T>>,
	) -> Result<Asked<T>, ChallengeFault> {
		match self {
			Shown::Planted(round) if round.kind() == kind => Ok(Asked::Planted(round.clone())),
			shown => {
				let held = holds(shown).ok_or(ChallengeFault::NothingToOpen)?;
				Ok(Asked::Held(held.clone()))
			},
		}
	}

	pub(super) fn memory(&self) -> Option<&Arc<Held>> {
		if let Shown::Memory(held) = self {
			Some(held)
		} else {
			None
		}
	}

	pub(super) fn products(&self) -> Option<&Arc<Products>> {
		if let Shown::Products(held) = self {
			Some(held)
		} else {
			None
		}
	}

	pub(super) fn storage(&self) -> Option<&Arc<Stored>> {
		if let Shown::Storage(held) = self {
			Some(held)
		} else {
			None
		}
	}

	/// What it holds of the machine until it is given back.
	fn holding(&self) -> Option<Arc<dyn Holding>> {
		match self {
			Shown::Memory(held) => Some(held.clone()),
			Shown::Products(held) => Some(held.clone()),
			Shown::Storage(held) => Some(held.clone()),
			Shown::Lanes(_) | Shown::Planted(_) | Shown::Network(_) => None,
		}
	}
}

/// A finished round.
pub(super) struct Done {
	pub(super) shown: Shown,
	pub(super) commit: ChallengeCommit,
	pub(super) signature: ed25519::Signature,
}

impl Done {
	/// Whether its commitment can still be opened.
	pub(super) fn is_kept(&self) -> bool {
		self.shown.holding().is_none_or(|held| held.is_kept())
	}
}

/// Runs the rounds of one device.
pub(super) struct Runner {
	pub(super) chain: Arc<dyn ChainPort>,
	pub(super) device: DeviceId,
	pub(super) plants: Plants,
	pub(super) settings: Settings,
	pub(super) signed: Signed,
	key: DeviceKey,
	genesis: H256,
	meter: Meter,
	metrics: Arc<Metrics>,
	/// Rounds run one after the other: two at once would both look slow. But for those of storage, which take
	/// nothing of the machine.
	pub(super) turn: Semaphore,
	stop: AtomicBool,
	in_flight: AtomicUsize,
	/// What the last rounds hold.
	held: Mutex<Vec<Arc<dyn Holding>>>,
	/// The accelerator once more, which keeps its driver ready: to wake it takes a round's time.
	_awake: Mutex<Option<Accelerator>>,
}

/// What came of a round, and the power that it took.
type Proved = (H256, Shown, PowerReading);

impl Runner {
	pub(super) fn new(
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
		let awake = awake(&settings.accelerator);
		look(&settings.storage, &genesis, device, &metrics);
		Self {
			chain,
			device,
			plants: Plants::new(store.clone(), device, planted_share_ppm),
			signed: Signed::new(store, settings.clock_margin),
			settings,
			key,
			genesis,
			meter: Meter::new(collector),
			metrics,
			turn: Semaphore::new(1),
			stop: AtomicBool::new(false),
			in_flight: AtomicUsize::new(0),
			held: Mutex::default(),
			_awake: Mutex::new(awake),
		}
	}

	/// Rounds that run or wait to.
	pub(super) fn in_flight(&self) -> usize {
		self.in_flight.load(Ordering::SeqCst)
	}

	/// Ends the round that runs, and gives back what is filled.
	pub(super) fn stop(&self) {
		self.stop.store(true, Ordering::SeqCst);
		for held in self.held().iter() {
			held.end().tell();
		}
	}

	/// Runs a round, which the chain opened at `opened_at`, when those before it are done. `stop` ends it.
	pub(super) async fn run(
		self: Arc<Self>,
		task: ChallengeTask,
		opened_at: Moment,
		stop: Arc<AtomicBool>,
	) -> Result<Arc<Done>, ChallengeFault> {
		self.in_flight.fetch_add(1, Ordering::SeqCst);
		let began = Instant::now();
		let result = async {
			let _turn = match task.work.kind() {
				WorkKind::Storage => None,
				WorkKind::Cpu | WorkKind::Memory | WorkKind::Network | WorkKind::Gemm => {
					Some(self.turn.acquire().await.map_err(|_| ChallengeFault::Stopped)?)
				},
			};
			if let Some(done) = self.planted(&task, opened_at, &stop).await? {
				return Ok(done);
			}
			let runner = self.clone();
			blocking(move || runner.run_blocking(task, opened_at, &stop)).await
		}
		.await;
		self.metrics.round(task.work.kind(), outcome_of(&result));
		if let Some(held) = result.as_ref().ok().and_then(|done| done.shown.holding()) {
			tokio::spawn(watch(&held, self.chain.clone(), self.settings.watch));
		}
		if let (Ok(_), Some(floor)) = (&result, floor_of(&task.work)) {
			tokio::time::sleep(floor.saturating_sub(began.elapsed())).await;
		}
		self.in_flight.fetch_sub(1, Ordering::SeqCst);
		result
	}

	/// Gives back the memory that earlier rounds hold, and returns when that is done.
	pub(super) async fn free_memory(self: &Arc<Self>) {
		let runner = self.clone();
		if let Err(error) = tokio::task::spawn_blocking(move || runner.free()).await {
			tracing::error!(%error, "giving memory back failed");
		}
	}

	/// Answers a round with what is planted, as late as with work, or by [`floor_of`]; `None` where it is to be
	/// answered with work.
	async fn planted(
		self: &Arc<Self>,
		task: &ChallengeTask,
		opened_at: Moment,
		stop: &AtomicBool,
	) -> Result<Option<Arc<Done>>, ChallengeFault> {
		if !task.work.kind().is_computed() {
			return Ok(None);
		}
		let began = Instant::now();
		let in_time = || {
			let is_stopped = stop.load(Ordering::SeqCst) || self.stop.load(Ordering::SeqCst);
			if is_stopped || clock::now() >= task.deadline {
				Err(ChallengeFault::Stopped)
			} else {
				Ok(())
			}
		};
		// An answer that nobody gets would use it up, too.
		in_time()?;
		let (runner, of) = (self.clone(), *task);
		let signed = blocking(move || runner.signed.root(&of, opened_at)).await?;
		let planted = self.plants.answer(self.chain.as_ref(), task, signed).await?;
		let Some(planted) = planted else { return Ok(None) };
		loop {
			in_time()?;
			let left = planted.after().saturating_sub(began.elapsed());
			if left.is_zero() {
				break;
			}
			tokio::time::sleep(left.min(STOP_CHECK)).await;
		}
		let round = PlantedRound::new(planted, self.settings.patience);
		let (runner, shown) = (self.clone(), Shown::Planted(Arc::new(round)));
		let sign = move || runner.sign(&of, opened_at, planted.root, shown, planted.power());
		let done = blocking(sign).await?;
		self.metrics.round_took(task.work.kind(), began.elapsed());
		tracing::info!(round = task.round.0, "challenge answered with what was planted");
		Ok(Some(done))
	}

	fn run_blocking(
		&self,
		task: ChallengeTask,
		opened_at: Moment,
		stop: &AtomicBool,
	) -> Result<Arc<Done>, ChallengeFault> {
		let began = Instant::now();
		let left = Duration::from_millis(task.deadline.saturating_sub(clock::now()));
		let is_stopped = || stop.load(Ordering::SeqCst) || self.stop.load(Ordering::SeqCst);
		let expired = || is_stopped() || began.elapsed() >= left;
		// It may have waited for its turn.
		if expired() {
			return Err(ChallengeFault::Stopped);
		}
		match task.work.kind() {
			// This round may need the memory of an earlier one, and a walk over it would slow this one down.
			WorkKind::Cpu | WorkKind::Memory | WorkKind::Gemm => self.free(),
			WorkKind::Network | WorkKind::Storage => {},
		}
		let (root, shown, power) = match &task.work {
			Work::Cpu(_) => self.run_lanes(&task, &expired)?,
			Work::Memory(memory) => self.fill_memory(&task, memory, &expired)?,
			Work::Network(network) => {
				let shown = Shown::Network(Arc::new(Network::new(&task, network)));
				(commit_root(&task), shown, self.meter.present()?)
			},
			Work::Gemm(gemm) => self.multiply(&task, gemm, &expired)?,
			Work::Storage(storage) => self.open_storage(&task, storage)?,
		};
		// It may have ended between two looks.
		if expired() {
			return Err(ChallengeFault::Stopped);
		}
		let took = began.elapsed();
		let done = self.sign(&task, opened_at, root, shown, power)?;
		if let Some(held) = done.shown.holding() {
			self.hold(held);
		}
		self.plants.remember(task.work, took, power);
		self.metrics.round_took(task.work.kind(), took);
		tracing::info!(
			round = task.round.0,
			kind = ?task.work.kind(),
			lanes = task.work.lanes(),
			elapsed_millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
			power_milliwatts = power.loaded.0,
			"challenge done"
		);
		Ok(done)
	}

	/// Signs what came of a round, unless another root was signed for it. Waits for the disk, but where
	/// there is one root only that it can be.
	fn sign(
		&self,
		task: &ChallengeTask,
		opened_at: Moment,
		root: H256,
		shown: Shown,
		power: PowerReading,
	) -> Result<Arc<Done>, ChallengeFault> {
		if task.work.kind().is_computed() {
			self.signed.note(task, opened_at, root, clock::now())?;
		}
		let commit = ChallengeCommit { task: task_hash(task), root, power };
		let signature = self.key.sign(Domain::ChallengeCommit, &self.genesis, self.device, &commit);
		Ok(Arc::new(Done { shown, commit, signature }))
	}

	/// Signs an echo, which waits for nothing.
	pub(super) fn sign_echo(&self, echo: &Echo) -> ed25519::Signature {
		self.key.sign(Domain::Echo, &self.genesis, self.device, echo)
	}

	fn run_lanes(
		&self,
		task: &ChallengeTask,
		expired: &(impl Fn() -> bool + Sync),
	) -> Result<Proved, ChallengeFault> {
		let (states, power) = self.meter.metered(|| run_lanes(task, expired))?;
		let transcript = Transcript::new(*task, states?).map_err(ChallengeFault::Task)?;
		Ok((transcript.root(), Shown::Lanes(transcript), power))
	}

	fn fill_memory(
		&self,
		task: &ChallengeTask,
		memory: &MemoryChallenge,
		expired: &(impl Fn() -> bool + Sync),
	) -> Result<Proved, ChallengeFault> {
		available::check(&self.settings.meminfo, needed_bytes(memory))?;
		let (size, walk) = sizes(memory);
		let fill = || FilledMemory::fill(&task.seed, task.device, size, expired);
		let (filled, power) = self.meter.metered(fill)?;
		let filled = filled?;
		let root = filled.root();
		let held = Held::new(*task, walk, filled, self.settings.patience);
		Ok((root, Shown::Memory(Arc::new(held)), power))
	}

	fn multiply(
		&self,
		task: &ChallengeTask,
		gemm: &GemmChallenge,
		expired: &(impl Fn() -> bool + Sync),
	) -> Result<Proved, ChallengeFault> {
		let products = GemmTask::of_round(task).ok_or(ChallengeError::OtherKind);
		let products = products.map_err(ChallengeFault::Task)?;
		let accelerator = Accelerator::open(&self.settings.accelerator)
			.map_err(|error| ChallengeFault::Accelerator(error.to_string()))?;
		tracing::debug!(round = task.round.0, accelerator = accelerator.name(), "products begin");
		available::check(&self.settings.meminfo, accelerator.needed_host_bytes(gemm))?;
		let is_apart = accelerator.is_apart();
		let compute = || Products::compute(task, products, accelerator, expired);
		let (computed, power) = self.meter.metered(compute)?;
		let (root, held) = computed?;
		let power = if is_apart { of_all(power) } else { power };
		Ok((root, Shown::Products(Arc::new(held)), power))
	}

	/// Opens what was sealed before: there is nothing to run.
	fn open_storage(
		&self,
		task: &ChallengeTask,
		storage: &StorageChallenge,
	) -> Result<Proved, ChallengeFault> {
		let sealed = sealed(&self.settings.storage)?;
		self.metrics.sealed(sealed.bytes());
		let salt = self.salt(task);
		let (root, held) = Stored::open(sealed, self.genesis, task, storage, salt)?;
		Ok((root, Shown::Storage(Arc::new(held)), self.meter.present()?))
	}

	/// What storage is committed to with for a task: known to the device alone, and the same after a restart.
	fn salt(&self, task: &ChallengeTask) -> H256 {
		let input = (self.key.derive_secret("armature/stored-salt"), task_hash(task));
		H256(input.using_encoded(sp_crypto_hashing::blake2_256))
	}

	fn hold(&self, held: Arc<dyn Holding>) {
		let mut all = self.held();
		// A stop that came meanwhile found nothing to end.
		if self.stop.load(Ordering::SeqCst) {
			held.end().tell();
		}
		all.retain(|earlier| earlier.is_kept());
		all.push(held);
	}

	/// Gives back the memory that earlier rounds hold, and waits for that.
	fn free(&self) {
		let taking: Vec<_> = {
			let mut all = self.held();
			let (taking, others) = all.drain(..).partition(|held| held.takes_memory());
			*all = others;
			taking
		};
		for held in taking {
			held.free();
		}
	}

	fn held(&self) -> MutexGuard<'_, Vec<Arc<dyn Holding>>> {
		lock(&self.held)
	}
}

/// An accelerator that has to be woken, and stays awake while this is kept. That it cannot be used is told
/// now, and not first in a round.
fn awake(config: &AcceleratorConfig) -> Option<Accelerator> {
	match config.backend {
		AcceleratorBackend::Processor => return None,
		AcceleratorBackend::Cuda => {},
	}
	match Accelerator::open(config) {
		Ok(accelerator) => {
			tracing::info!(accelerator = accelerator.name(), "an accelerator is ready");
			Some(accelerator)
		},
		Err(error) => {
			tracing::error!(%error, "the accelerator cannot be used");
			None
		},
	}
}

/// Looks at what is sealed. That it cannot be used is told now, and not first in a round.
fn look(config: &StorageConfig, genesis: &H256, device: DeviceId, metrics: &Metrics) {
	if config.directory.is_none() {
		return;
	}
	match sealed(config) {
		Ok(sealed) if (sealed.plan().genesis, sealed.plan().device) == (*genesis, device) => {
			let (sectors, bytes) = (sealed.plan().sectors, sealed.bytes());
			metrics.sealed(bytes);
			tracing::info!(sectors, bytes, "sealed storage is ready");
		},
		Ok(sealed) => tracing::error!(
			device = sealed.plan().device.0,
			genesis = ?sealed.plan().genesis,
			"storage was sealed for this device, and is of no use to another one or on another chain: \
			 name another directory in the configuration (`[storage]`, `directory`)"
		),
		Err(error) => tracing::error!(%error, "the sealed storage cannot be used"),
	}
}

/// How a run counts.
fn outcome_of(result: &Result<Arc<Done>, ChallengeFault>) -> RoundOutcome {
	match result {
		// What was planted is not told apart: that is for nobody to know before it is shown.
		Ok(_) => RoundOutcome::Answered,
		Err(ChallengeFault::Stopped) => RoundOutcome::Stopped,
		Err(ChallengeFault::NoMemory { .. }) => RoundOutcome::NoMemory,
		Err(ChallengeFault::OtherRoot) => RoundOutcome::OtherRoot,
		Err(ChallengeFault::SignedLost) => RoundOutcome::SignedLost,
		Err(_) => RoundOutcome::Failed,
	}
}
