//! Answers performance challenges.
//!
//! A round is run once, however many verifiers of its committee ask, and only after the chain has
//! confirmed the task: nobody can make a device compute by asking.

use crate::{
	chain::{ChainError, ChainPort},
	clock,
	compute::{run_lanes, LaneFault},
	key::DeviceKey,
	telemetry::Collector,
};
use armature_p2p::{messages::MAX_OPENINGS_LEN, Refusal};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask},
	ed25519,
	signing::Domain,
	telemetry::{PowerReading, PowerSource},
	DeviceId, MilliWatts, Ppm, H256,
};
use armature_verifier::challenge::{
	checkpoints, task_hash, ChallengeError, SegmentOpening, Transcript,
};
use codec::Encode;
use futures::{
	future::{BoxFuture, Shared},
	FutureExt,
};
use std::{
	collections::VecDeque,
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		Arc, Mutex, PoisonError,
	},
	time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Rounds that are remembered, the one that runs included. Each takes up to half a gigabyte at the
/// protocol's largest task, and some megabytes at a usual one.
const KEEP_ROUNDS: usize = 2;

/// How often power is read under load.
const POWER_INTERVAL: Duration = Duration::from_millis(250);

/// Why a round is not answered.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeFault {
	/// The chain has no such task open for this device.
	#[error("the chain has no such task open for this device")]
	NotOnChain,
	/// The chain could not be asked.
	#[error(transparent)]
	Chain(ChainError),
	/// The task breaks its bounds.
	#[error("the task cannot be run: {0}")]
	Task(ChallengeError),
	/// The deadline passed, another task took this one's place, or the agent stops.
	#[error("the run was stopped before it was done")]
	Stopped,
	/// The round is unknown or forgotten, or has no such segment.
	#[error("nothing to open")]
	NothingToOpen,
	/// The openings asked for do not fit one answer.
	#[error("too many openings for one answer")]
	TooLarge,
	/// A thread failed.
	#[error("the run failed: {0}")]
	Failed(String),
}

impl From<LaneFault> for ChallengeFault {
	fn from(fault: LaneFault) -> Self {
		match fault {
			LaneFault::Task(ChallengeError::Stopped) => ChallengeFault::Stopped,
			LaneFault::Task(error) => ChallengeFault::Task(error),
			LaneFault::Thread(error) => ChallengeFault::Failed(error),
		}
	}
}

impl ChallengeFault {
	/// What a verifier is told.
	pub fn refusal(&self) -> Refusal {
		match self {
			ChallengeFault::NotOnChain => Refusal::NotAssigned,
			ChallengeFault::Task(_) => Refusal::Malformed,
			ChallengeFault::NothingToOpen => Refusal::NotFound,
			ChallengeFault::TooLarge => Refusal::TooLarge,
			ChallengeFault::Chain(_) | ChallengeFault::Stopped | ChallengeFault::Failed(_) => {
				Refusal::Internal
			},
		}
	}
}

/// A finished round.
struct Done {
	transcript: Transcript,
	commit: ChallengeCommit,
	signature: ed25519::Signature,
}

type Running = Shared<BoxFuture<'static, Result<Arc<Done>, ChallengeFault>>>;

/// Runs and remembers rounds of one device.
pub struct Challenges {
	chain: Arc<dyn ChainPort>,
	runner: Arc<Runner>,
	rounds: Mutex<VecDeque<Run>>,
}

/// A round that runs, or has run.
struct Run {
	task: ChallengeTask,
	running: Running,
	/// Ends this run, if it has not ended.
	stop: Arc<AtomicBool>,
}

struct Runner {
	key: DeviceKey,
	genesis: H256,
	device: DeviceId,
	collector: Arc<Mutex<Collector>>,
	/// Rounds run one after the other: two at once would both look slow.
	turn: Semaphore,
	stop: AtomicBool,
	in_flight: AtomicUsize,
}

impl Challenges {
	/// For one device.
	pub fn new(
		chain: Arc<dyn ChainPort>,
		key: DeviceKey,
		genesis: H256,
		device: DeviceId,
		collector: Arc<Mutex<Collector>>,
	) -> Self {
		let runner = Runner {
			key,
			genesis,
			device,
			collector,
			turn: Semaphore::new(1),
			stop: AtomicBool::new(false),
			in_flight: AtomicUsize::new(0),
		};
		Self { chain, runner: Arc::new(runner), rounds: Mutex::default() }
	}

	/// Runs the round, or waits for the run that another verifier asked for, and returns the
	/// signed commitment.
	pub async fn commit(
		&self,
		task: ChallengeTask,
	) -> Result<(ChallengeCommit, ed25519::Signature), ChallengeFault> {
		let running = match self.known(&task) {
			Some(running) => running,
			None => {
				checkpoints(&task.cpu).map_err(ChallengeFault::Task)?;
				let on_chain =
					self.chain.open_round(task.round).await.map_err(ChallengeFault::Chain)?;
				if on_chain != Some(task) || task.device != self.runner.device {
					return Err(ChallengeFault::NotOnChain);
				}
				self.begin(task)
			},
		};
		let result = running.await;
		if result.is_err() {
			// The next verifier that asks gets a new attempt.
			self.lock().retain(|known| known.task != task);
		}
		result.map(|done| (done.commit.clone(), done.signature))
	}

	/// The encoded openings of segments of a committed task, given by its hash, in the order asked for.
	/// A round whose block was replaced has another task, and other segments.
	pub async fn open(
		&self,
		task: H256,
		segments: &[(u16, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		let done = self
			.lock()
			.iter()
			.find(|known| task_hash(&known.task) == task)
			.and_then(|known| known.running.peek().cloned())
			.and_then(Result::ok)
			.ok_or(ChallengeFault::NothingToOpen)?;
		let openings: Vec<SegmentOpening> = segments
			.iter()
			.map(|(lane, segment)| done.transcript.open(*lane, *segment))
			.collect::<Option<_>>()
			.ok_or(ChallengeFault::NothingToOpen)?;
		let openings = openings.encode();
		if openings.len() > MAX_OPENINGS_LEN {
			return Err(ChallengeFault::TooLarge);
		}
		Ok(openings)
	}

	/// Rounds that run or wait to.
	pub fn in_flight(&self) -> usize {
		self.runner.in_flight.load(Ordering::SeqCst)
	}

	/// Ends the round that runs.
	pub fn stop(&self) {
		self.runner.stop.store(true, Ordering::SeqCst);
	}

	fn known(&self, task: &ChallengeTask) -> Option<Running> {
		self.lock()
			.iter()
			.find(|known| known.task == *task)
			.map(|known| known.running.clone())
	}

	/// Begins the round unless another call just did.
	fn begin(&self, task: ChallengeTask) -> Running {
		let mut rounds = self.lock();
		if let Some(known) = rounds.iter().find(|known| known.task == task) {
			return known.running.clone();
		}
		// The block of a replaced task is gone. Its run would lengthen the time of this one.
		for replaced in rounds.iter().filter(|known| known.task.round == task.round) {
			replaced.stop.store(true, Ordering::SeqCst);
		}
		let stop = Arc::new(AtomicBool::new(false));
		// A task of its own: it goes on when the verifier that asked first hangs up.
		let handle = tokio::spawn(self.runner.clone().run(task, stop.clone()));
		let running: Running = async move {
			handle
				.await
				.unwrap_or_else(|error| Err(ChallengeFault::Failed(error.to_string())))
		}
		.boxed()
		.shared();
		while rounds.len() >= KEEP_ROUNDS {
			rounds.pop_front();
		}
		rounds.push_back(Run { task, running: running.clone(), stop });
		running
	}

	fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Run>> {
		self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

impl Runner {
	async fn run(
		self: Arc<Self>,
		task: ChallengeTask,
		stop: Arc<AtomicBool>,
	) -> Result<Arc<Done>, ChallengeFault> {
		self.in_flight.fetch_add(1, Ordering::SeqCst);
		let runner = self.clone();
		let result = async {
			let _turn = self.turn.acquire().await.map_err(|_| ChallengeFault::Stopped)?;
			tokio::task::spawn_blocking(move || runner.run_blocking(task, &stop))
				.await
				.map_err(|error| ChallengeFault::Failed(error.to_string()))?
		}
		.await;
		self.in_flight.fetch_sub(1, Ordering::SeqCst);
		result
	}

	fn run_blocking(
		&self,
		task: ChallengeTask,
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
		let finished = AtomicBool::new(false);
		let (states, power) = std::thread::scope(|scope| {
			let meter = scope.spawn(|| self.measure(&finished));
			let states = run_lanes(&task, &expired);
			finished.store(true, Ordering::SeqCst);
			(states, meter.join())
		});
		let states = states?;
		let power = power.map_err(|_| ChallengeFault::Failed("the power meter".into()))?;
		let transcript = Transcript::new(task, states).map_err(ChallengeFault::Task)?;
		let commit = ChallengeCommit { task: task_hash(&task), root: transcript.root(), power };
		let signature = self.key.sign(Domain::ChallengeCommit, &self.genesis, self.device, &commit);
		tracing::info!(
			round = task.round.0,
			lanes = task.cpu.lanes,
			elapsed_millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
			power_milliwatts = power.loaded.0,
			"challenge done"
		);
		Ok(Arc::new(Done { transcript, commit, signature }))
	}

	/// Reads power until the lanes are done: the mean over the load, the worst source and error.
	fn measure(&self, finished: &AtomicBool) -> PowerReading {
		let read = || self.collector.lock().unwrap_or_else(PoisonError::into_inner).power();
		// Closes the interval before the load; energy counters tell the mean since then.
		read();
		let mut readings = Vec::new();
		while !finished.load(Ordering::SeqCst) {
			std::thread::sleep(POWER_INTERVAL);
			readings.push(read());
		}
		let idle = self.collector.lock().unwrap_or_else(PoisonError::into_inner).idle_power();
		power_reading(&readings, idle)
	}
}

/// Condenses readings under load. `readings` is not empty outside of tests.
fn power_reading(
	readings: &[(MilliWatts, PowerSource, Ppm)],
	idle: Option<MilliWatts>,
) -> PowerReading {
	let sum: u64 = readings.iter().map(|(power, ..)| u64::from(power.0)).sum();
	let count = u64::try_from(readings.len()).unwrap_or(u64::MAX);
	let mean = sum.checked_div(count).unwrap_or(0);
	// A device that computes draws something.
	let loaded = MilliWatts(u32::try_from(mean).unwrap_or(u32::MAX).max(1));
	PowerReading {
		// Never seen idle: then nothing says that the load added anything.
		idle: idle.unwrap_or(loaded).min(loaded),
		loaded,
		source: readings
			.iter()
			.map(|(_, source, _)| *source)
			.max()
			.unwrap_or(PowerSource::Estimated),
		error: readings
			.iter()
			.map(|(.., error)| *error)
			.max()
			.unwrap_or(Ppm::ONE)
			.min(Ppm::ONE),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{telemetry::PowerConfig, testing::FakeChain};
	use armature_primitives::{
		challenge::{ChallengeFailure, CpuChallenge},
		RoundId,
	};
	use armature_verifier::{
		challenge::{check_openings, check_power, sample},
		signature::verify_device,
	};
	use codec::Decode;

	const GENESIS: H256 = H256([1; 32]);
	const DEVICE: DeviceId = DeviceId(7);

	fn key() -> DeviceKey {
		DeviceKey::from_seed(&[3; 32])
	}

	fn task(round: u64, segments: u32) -> ChallengeTask {
		ChallengeTask {
			round: RoundId(round),
			device: DEVICE,
			seed: H256([9; 32]),
			cpu: CpuChallenge { lanes: 3, segments, steps_per_segment: 16 },
			deadline: clock::now() + 60_000,
		}
	}

	fn challenges(chain: Arc<FakeChain>) -> Challenges {
		let dir = std::env::temp_dir();
		let collector = Collector::new(&PowerConfig::default(), &dir).expect("auto works");
		let collector = Arc::new(Mutex::new(collector));
		Challenges::new(chain, key(), GENESIS, DEVICE, collector)
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn an_answer_should_convince_the_verifiers_code() {
		let chain = Arc::new(FakeChain::default());
		let task = task(1, 20);
		chain.edit(|chain| chain.rounds.push(task));
		let challenges = challenges(chain);
		let (commit, signature) = challenges.commit(task).await.expect("answered");
		assert_eq!(commit.task, task_hash(&task));
		assert!(verify_device(
			Domain::ChallengeCommit,
			&GENESIS,
			DEVICE,
			&commit,
			&key().public(),
			&signature
		));
		check_power(&commit.power).expect("plausible");
		let wanted = sample(H256([4; 32]), &task, 12).expect("a sample");
		let bytes = challenges.open(task_hash(&task), &wanted).await.expect("opened");
		let openings = Vec::<SegmentOpening>::decode(&mut &bytes[..]).expect("decodes");
		assert_eq!(check_openings(&task, commit.root, &wanted, &openings), Ok(()));
		let other = check_openings(&task, H256::zero(), &wanted, &openings);
		assert_eq!(other, Err(ChallengeFailure::BadOpening));
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn a_committee_should_get_one_answer() {
		let chain = Arc::new(FakeChain::default());
		let task = task(1, 400);
		chain.edit(|chain| chain.rounds.push(task));
		let challenges = challenges(chain);
		let answers = futures::future::join_all((0..5).map(|_| challenges.commit(task))).await;
		let first = answers[0].as_ref().expect("answered");
		for answer in &answers {
			assert_eq!(answer.as_ref().expect("answered"), first);
		}
		assert_eq!(challenges.in_flight(), 0);
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn tasks_that_the_chain_does_not_confirm_should_be_refused() {
		let chain = Arc::new(FakeChain::default());
		let task = task(1, 20);
		chain.edit(|chain| chain.rounds.push(task));
		let challenges = challenges(chain.clone());
		let mut more = task;
		more.cpu.segments += 1;
		let mut unknown = task;
		unknown.round = RoundId(2);
		for forged in [more, unknown] {
			let refused = challenges.commit(forged).await;
			assert!(matches!(refused, Err(ChallengeFault::NotOnChain)), "{refused:?}");
		}
		let mut endless = task;
		endless.cpu.segments = u32::MAX;
		assert!(matches!(challenges.commit(endless).await, Err(ChallengeFault::Task(_))));
		let mut foreign = task;
		foreign.device = DeviceId(8);
		chain.edit(|chain| chain.rounds = vec![foreign]);
		assert!(matches!(challenges.commit(foreign).await, Err(ChallengeFault::NotOnChain)));
		chain.edit(|chain| chain.down = true);
		assert!(matches!(challenges.commit(task).await, Err(ChallengeFault::Chain(_))));
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn a_run_should_end_at_its_deadline_and_on_stop() {
		let chain = Arc::new(FakeChain::default());
		let mut late = task(1, 100_000);
		late.cpu.steps_per_segment = 1_000;
		late.deadline = clock::now() + 300;
		chain.edit(|chain| chain.rounds.push(late));
		let challenges = challenges(chain);
		assert!(matches!(challenges.commit(late).await, Err(ChallengeFault::Stopped)));
		challenges.stop();
		assert!(matches!(challenges.commit(late).await, Err(ChallengeFault::Stopped)));
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn only_the_last_rounds_should_be_open() {
		let chain = Arc::new(FakeChain::default());
		let tasks: Vec<_> = (1..=3).map(|round| task(round, 20)).collect();
		chain.edit(|chain| chain.rounds = tasks.clone());
		let challenges = challenges(chain);
		for task in &tasks {
			challenges.commit(*task).await.expect("answered");
		}
		let hashes: Vec<_> = tasks.iter().map(task_hash).collect();
		let open = |round: usize, segment| {
			let (challenges, hash) = (&challenges, hashes[round - 1]);
			async move { challenges.open(hash, &[(0, segment)]).await }
		};
		assert!(matches!(open(1, 0).await, Err(ChallengeFault::NothingToOpen)));
		open(2, 0).await.expect("remembered");
		open(3, 19).await.expect("remembered");
		assert!(matches!(open(3, 20).await, Err(ChallengeFault::NothingToOpen)));
		let many = vec![(0u16, 1u32); 4_096];
		let refused = challenges.open(hashes[2], &many).await;
		assert!(matches!(refused, Err(ChallengeFault::TooLarge)));
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn each_task_of_a_round_should_be_opened_by_itself() {
		let chain = Arc::new(FakeChain::default());
		let replaced = task(1, 20);
		let later = ChallengeTask { seed: H256([8; 32]), ..replaced };
		let challenges = challenges(chain.clone());
		let mut answers = Vec::new();
		for task in [replaced, later] {
			chain.edit(|chain| chain.rounds = vec![task]);
			answers.push(challenges.commit(task).await.expect("answered").0);
		}
		let [first, second] = answers.as_slice() else { panic!("two answers") };
		assert_eq!((first.task, second.task), (task_hash(&replaced), task_hash(&later)));
		let wanted = [(2, 19)];
		for (task, commit) in [(replaced, first), (later, second)] {
			let bytes = challenges.open(task_hash(&task), &wanted).await.expect("opened");
			let openings = Vec::<SegmentOpening>::decode(&mut &bytes[..]).expect("decodes");
			assert_eq!(check_openings(&task, commit.root, &wanted, &openings), Ok(()));
		}
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn a_replaced_task_should_take_no_time_from_the_next() {
		let chain = Arc::new(FakeChain::default());
		let mut replaced = task(1, 100_000);
		replaced.cpu.steps_per_segment = 1_000;
		let later = ChallengeTask { seed: H256([8; 32]), ..task(1, 20) };
		chain.edit(|chain| chain.rounds = vec![replaced]);
		let challenges = Arc::new(challenges(chain.clone()));
		let asking = challenges.clone();
		let old = tokio::spawn(async move { asking.commit(replaced).await });
		while challenges.in_flight() == 0 {
			tokio::time::sleep(Duration::from_millis(5)).await;
		}
		chain.edit(|chain| chain.rounds = vec![later]);
		let (commit, _) = challenges.commit(later).await.expect("answered");
		assert_eq!(commit.task, task_hash(&later));
		assert!(matches!(old.await.expect("no panic"), Err(ChallengeFault::Stopped)));
		assert_eq!(challenges.in_flight(), 0);
	}

	#[test]
	fn power_should_be_condensed_with_the_worst_trust() {
		let readings = [
			(MilliWatts(100), PowerSource::PackageCounter, Ppm(5)),
			(MilliWatts(301), PowerSource::Estimated, Ppm(9)),
		];
		let reading = power_reading(&readings, Some(MilliWatts(50)));
		assert_eq!(reading.loaded, MilliWatts(200));
		assert_eq!(reading.idle, MilliWatts(50));
		assert_eq!((reading.source, reading.error), (PowerSource::Estimated, Ppm(9)));
		assert_eq!(power_reading(&readings, Some(MilliWatts(900))).idle, MilliWatts(200));
		assert_eq!(power_reading(&readings, None).idle, MilliWatts(200));
		check_power(&power_reading(&[], None)).expect("plausible even without readings");
	}
}
