//! Whole rounds, against a chain in memory.

use super::{fault::Pauses, turns::Patience, *};
use crate::{
	telemetry::PowerConfig,
	testing::{metrics, peer, FakeChain, GENESIS},
};
use armature_primitives::{
	challenge::{
		CpuChallenge, GemmChallenge, MemoryChallenge, NetworkChallenge, StorageChallenge, Work,
	},
	RoundId,
};
use armature_verifier::challenge::task_hash;
use codec::Decode;
use std::{
	path::Path,
	time::{Duration, Instant},
};

mod gemm;
mod lanes;
mod memory;
mod network;
mod planted;
mod stored;

const DEVICE: DeviceId = DeviceId(7);

fn key() -> DeviceKey {
	DeviceKey::from_seed(&[3; 32])
}

fn task(round: u64, work: Work) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(round),
		device: DEVICE,
		seed: H256([9; 32]),
		work,
		deadline: clock::now() + 60_000,
	}
}

fn lanes(segments: u32, steps_per_segment: u32) -> Work {
	Work::Cpu(CpuChallenge { lanes: 3, segments, steps_per_segment })
}

const MEMORY: MemoryChallenge = MemoryChallenge { lanes: 2, blocks: 40, segments: 6, reads: 5 };

const NETWORK: NetworkChallenge =
	NetworkChallenge { echoes: 2, lead_millis: 500, transfer_millis: 100, transfer_kib: 3 };

const GEMM: GemmChallenge = GemmChallenge { side: 64, states: 5 };

const STORAGE: StorageChallenge = StorageChallenge {
	sectors: 3,
	blocks: 70,
	compressions: 2,
	commit_millis: 1_000,
	read_millis: 1_000,
};

/// As long as it is filled, no test waits for it.
const MUCH_MEMORY: MemoryChallenge =
	MemoryChallenge { lanes: 1, blocks: 1 << 20, segments: 6, reads: 5 };

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3_600);

/// Settings with which nothing depends on the machine, and nothing is asked soon.
fn settings() -> Settings {
	Settings {
		accelerator: AcceleratorConfig::default(),
		storage: StorageConfig::default(),
		meminfo: "/nowhere/meminfo".into(),
		patience: Patience { walk: LONG, opening: LONG, asking: LONG },
		watch: LONG,
		pauses: Pauses { work: Duration::ZERO, storage: Duration::ZERO },
		clock_margin: Duration::ZERO,
	}
}

fn with(chain: &Arc<FakeChain>, settings: Settings) -> Challenges {
	// Gone at once; what is open in it stays.
	let dir = tempfile::tempdir().expect("a directory");
	planting(chain, settings, &dir.path().join("db"), 0)
}

/// With this share of planted answers, kept at `path`.
fn planting(chain: &Arc<FakeChain>, settings: Settings, path: &Path, share: u32) -> Challenges {
	let dir = std::env::temp_dir();
	let collector = Collector::new(&PowerConfig::default(), &dir).expect("auto works");
	let collector = Arc::new(Mutex::new(collector));
	let store = Arc::new(Store::open(path, &GENESIS, DEVICE).expect("opens"));
	let chain = chain.clone();
	let (key, metrics) = (key(), metrics());
	Challenges::with_settings(
		chain, key, GENESIS, DEVICE, collector, store, share, metrics, settings,
	)
}

impl Challenges {
	/// For the first member of every committee.
	async fn answer(
		&self,
		task: ChallengeTask,
	) -> Result<(ChallengeCommit, ed25519::Signature), ChallengeFault> {
		self.commit(peer(1), task).await
	}
}

/// With a chain that has these rounds open.
fn challenges(tasks: &[ChallengeTask]) -> (Challenges, Arc<FakeChain>) {
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = tasks.to_vec());
	(with(&chain, settings()), chain)
}

fn decoded<O: Decode>(bytes: &[u8]) -> Vec<O> {
	Vec::decode(&mut &bytes[..]).expect("decodes")
}

async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
	let deadline = Instant::now() + Duration::from_secs(60);
	while !is_true() {
		assert!(Instant::now() < deadline, "{what} did not happen in time");
		tokio::time::sleep(Duration::from_millis(5)).await;
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_the_chain_does_not_confirm_should_be_refused() {
	for work in [
		lanes(20, 16),
		Work::Memory(MEMORY),
		Work::Network(NETWORK),
		Work::Gemm(GEMM),
		Work::Storage(STORAGE),
	] {
		let known = task(1, work);
		let (challenges, chain) = challenges(&[known]);
		let more = match work {
			Work::Cpu(cpu) => Work::Cpu(CpuChallenge { segments: cpu.segments + 1, ..cpu }),
			Work::Memory(memory) => {
				Work::Memory(MemoryChallenge { blocks: memory.blocks + 1, ..memory })
			},
			Work::Network(network) => {
				Work::Network(NetworkChallenge { echoes: network.echoes + 1, ..network })
			},
			Work::Gemm(gemm) => Work::Gemm(GemmChallenge { states: gemm.states + 1, ..gemm }),
			Work::Storage(storage) => {
				Work::Storage(StorageChallenge { sectors: storage.sectors + 1, ..storage })
			},
		};
		let more = ChallengeTask { work: more, ..known };
		let unknown = ChallengeTask { round: RoundId(2), ..known };
		for forged in [more, unknown] {
			let refused = challenges.answer(forged).await;
			assert!(matches!(refused, Err(ChallengeFault::NotOnChain)), "{refused:?}");
		}
		let foreign = ChallengeTask { device: DeviceId(8), ..known };
		chain.edit(|chain| chain.rounds = vec![foreign]);
		let refused = challenges.answer(foreign).await;
		assert!(matches!(refused, Err(ChallengeFault::NotOnChain)), "{refused:?}");
		chain.edit(|chain| chain.down = true);
		let refused = challenges.answer(known).await;
		assert!(matches!(refused, Err(ChallengeFault::Chain(_))), "{refused:?}");
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn work_out_of_bounds_should_be_refused_even_when_the_chain_has_it() {
	for work in [
		lanes(0, 16),
		lanes(u32::MAX, 16),
		Work::Memory(MemoryChallenge { blocks: 1, ..MEMORY }),
		Work::Memory(MemoryChallenge { lanes: u16::MAX, ..MEMORY }),
		Work::Memory(MemoryChallenge { segments: u32::MAX, ..MEMORY }),
		Work::Memory(MemoryChallenge { reads: 0, ..MEMORY }),
		Work::Network(NetworkChallenge { echoes: 0, ..NETWORK }),
		Work::Network(NetworkChallenge { transfer_kib: u32::MAX, ..NETWORK }),
		Work::Storage(StorageChallenge { sectors: 0, ..STORAGE }),
		Work::Storage(StorageChallenge { sectors: u32::MAX, ..STORAGE }),
		Work::Storage(StorageChallenge { blocks: 1, ..STORAGE }),
		Work::Storage(StorageChallenge { compressions: u16::MAX, ..STORAGE }),
		Work::Storage(StorageChallenge { commit_millis: 0, ..STORAGE }),
		Work::Storage(StorageChallenge { read_millis: 0, ..STORAGE }),
	] {
		let task = task(1, work);
		let (challenges, _) = challenges(&[task]);
		let refused = challenges.answer(task).await;
		assert!(matches!(refused, Err(ChallengeFault::Task(_))), "{refused:?}");
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_should_end_at_its_deadline_and_on_stop() {
	for work in [lanes(100_000, 1_000), Work::Memory(MUCH_MEMORY)] {
		let late = ChallengeTask { deadline: clock::now() + 300, ..task(1, work) };
		let (challenges, chain) = challenges(&[late]);
		assert!(matches!(challenges.answer(late).await, Err(ChallengeFault::Stopped)));
		let endless = task(2, work);
		chain.edit(|chain| chain.rounds = vec![endless]);
		let challenges = Arc::new(challenges);
		let asking = challenges.clone();
		let running = tokio::spawn(async move { asking.answer(endless).await });
		until("the run", || challenges.in_flight() > 0).await;
		challenges.stop();
		assert!(matches!(running.await.expect("no panic"), Err(ChallengeFault::Stopped)));
		assert!(matches!(challenges.answer(endless).await, Err(ChallengeFault::Stopped)));
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_has_no_longer_open_should_take_no_time_from_the_next() {
	let long = [lanes(100_000, 1_000), Work::Memory(MUCH_MEMORY)];
	let short = [lanes(20, 16), Work::Memory(MEMORY)];
	// The block was replaced: the round has another seed, and may have another number.
	for ((work, short), round) in long.into_iter().zip(short).zip([1, 2]) {
		let replaced = task(1, work);
		let later = ChallengeTask { seed: H256([8; 32]), ..task(round, short) };
		let (challenges, chain) = challenges(&[replaced]);
		let challenges = Arc::new(challenges);
		let asking = challenges.clone();
		let old = tokio::spawn(async move { asking.answer(replaced).await });
		until("the run", || challenges.in_flight() > 0).await;
		chain.edit(|chain| chain.rounds = vec![later]);
		let (commit, _) = challenges.answer(later).await.expect("answered");
		assert_eq!(commit.task, task_hash(&later));
		assert!(matches!(old.await.expect("no panic"), Err(ChallengeFault::Stopped)));
		assert_eq!(challenges.in_flight(), 0);
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_should_open_only_what_its_kind_has() {
	let tasks = [task(1, lanes(20, 16)), task(2, Work::Memory(MEMORY))];
	let (challenges, _) = challenges(&tasks);
	for task in tasks {
		challenges.answer(task).await.expect("answered");
	}
	let [of_lanes, of_memory] = tasks.map(|task| task_hash(&task));
	let peer = peer(1);
	let none = |refused: ChallengeFault| matches!(refused, ChallengeFault::NothingToOpen);
	for task in [of_lanes, H256::zero()] {
		assert!(none(challenges.open_blocks(peer, task, &[0]).await.expect_err("no blocks")));
		assert!(none(challenges.reserve_walk(peer, task).await.expect_err("no walks")));
		assert!(none(challenges.walk(peer, task, H256::zero()).await.expect_err("no walk")));
		let opened = challenges.open_walk(peer, task, H256::zero(), &[(0, 0)]).await;
		assert!(none(opened.expect_err("no segments of walks")));
	}
	let opened = challenges.open(peer, of_memory, &[(0, 0)]).await;
	assert!(none(opened.expect_err("no segments")));
	challenges.open(peer, of_lanes, &[(0, 0)]).await.expect("its own");
	challenges.open_blocks(peer, of_memory, &[0]).await.expect("its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_committee_should_be_heard() {
	let tasks = [task(1, lanes(20, 16)), task(2, Work::Memory(MEMORY))];
	let (challenges, _) = challenges(&tasks);
	let (stranger, key) = (peer(6), H256::zero());
	let is_refused = |refused: &ChallengeFault| matches!(refused, ChallengeFault::NotOfCommittee);
	for task in tasks {
		let refused = challenges.commit(stranger, task).await.expect_err("not begun");
		assert!(is_refused(&refused), "{refused}");
		assert_eq!(challenges.in_flight(), 0);
		challenges.answer(task).await.expect("answered");
		let refused = challenges.commit(stranger, task).await.expect_err("done");
		assert!(is_refused(&refused), "{refused}");
	}
	let [of_lanes, of_memory] = tasks.map(|task| task_hash(&task));
	for refused in [
		challenges.open(stranger, of_lanes, &[(0, 0)]).await.err(),
		challenges.reserve_walk(stranger, of_memory).await.err(),
		challenges.walk(stranger, of_memory, key).await.err(),
		challenges.open_blocks(stranger, of_memory, &[0]).await.err(),
		challenges.open_walk(stranger, of_memory, key, &[(0, 0)]).await.err(),
	] {
		let refused = refused.expect("refused");
		assert!(is_refused(&refused), "{refused}");
	}
	// Nobody has taken a turn.
	challenges.reserve_walk(peer(2), of_memory).await.expect("free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_reached_elsewhere_by_now_should_be_heard() {
	let task = task(1, Work::Memory(MEMORY));
	let (challenges, chain) = challenges(&[task]);
	challenges.answer(task).await.expect("answered");
	chain.edit(|chain| chain.committee = vec![peer(6)]);
	challenges.commit(peer(6), task).await.expect("a member now");
	challenges.reserve_walk(peer(6), task_hash(&task)).await.expect("a member now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_should_never_be_answered_with_two_roots() {
	let dir = tempfile::tempdir().expect("a directory");
	let path = dir.path().join("db");
	let chain = Arc::new(FakeChain::default());
	let works = [lanes(20, 16), Work::Memory(MEMORY)];
	let mut roots = Vec::new();
	for work in works {
		let task = task(1, work);
		chain.edit(|chain| chain.rounds = vec![task]);
		let challenges = planting(&chain, settings(), &path, 0);
		roots.push(challenges.answer(task).await.expect("answered").0.root);
		drop(challenges);
		// The same one again, after a restart.
		let challenges = planting(&chain, settings(), &path, 0);
		let (commit, _) = challenges.answer(task).await.expect("answered");
		assert_eq!(Some(&commit.root), roots.last());

		// As if it had computed otherwise before.
		let other = ChallengeTask { seed: H256([8; 32]), ..task };
		chain.edit(|chain| chain.rounds = vec![other]);
		let signed = &challenges.runner.signed;
		let (root, now) = (H256([1; 32]), clock::now());
		signed.note(&other, now, root, now).expect("the first root");
		for _ in 0..2 {
			let refused = challenges.answer(other).await;
			assert!(matches!(refused, Err(ChallengeFault::OtherRoot)), "{refused:?}");
		}
		// What was filled for it is given back.
		let opened = challenges.open_blocks(peer(1), task_hash(&other), &[0]).await;
		assert!(matches!(opened, Err(ChallengeFault::NothingToOpen)), "{opened:?}");
	}
	assert_ne!(roots[0], roots[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_should_be_run_where_it_is_not_known_what_was_signed() {
	let dir = tempfile::tempdir().expect("a directory");
	let path = dir.path().join("db");
	let store = Store::open(&path, &GENESIS, DEVICE).expect("opens");
	let table = redb::TableDefinition::<&str, &[u8]>::new("signed");
	let write = store.db.begin_write().expect("writes");
	{
		let mut table = write.open_table(table).expect("opens");
		table.insert("all", [1u8, 2, 3].as_slice()).expect("inserted");
	}
	write.commit().expect("written");
	drop(store);
	let chain = Arc::new(FakeChain::default());
	let opened_at = clock::now();
	let settings = || Settings { clock_margin: LONG, ..settings() };
	for work in [lanes(20, 16), Work::Memory(MEMORY)] {
		let task = task(1, work);
		chain.edit(|chain| {
			chain.rounds = vec![task];
			chain.opened_at = opened_at;
		});
		let challenges = planting(&chain, settings(), &path, 1_000_000);
		let refused = challenges.answer(task).await;
		assert!(matches!(refused, Err(ChallengeFault::SignedLost)), "{refused:?}");
		// A restart does not mend that.
		drop(challenges);
		let challenges = planting(&chain, settings(), &path, 0);
		let refused = challenges.answer(task).await;
		assert!(matches!(refused, Err(ChallengeFault::SignedLost)), "{refused:?}");
		// A round that opens later is answered.
		chain.edit(|chain| chain.opened_at = opened_at + 2 * 3_600_000);
		challenges.answer(task).await.expect("answered");
	}
	// Of what is measured there is one root only.
	let task = task(3, Work::Network(NETWORK));
	chain.edit(|chain| {
		chain.rounds = vec![task];
		chain.opened_at = 0;
	});
	let challenges = planting(&chain, settings(), &path, 1_000_000);
	challenges.answer(task).await.expect("answered");
}
