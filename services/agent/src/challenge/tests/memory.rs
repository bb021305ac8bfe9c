use super::*;
use crate::challenge::holding::Holding;
use crate::challenge::memory::MAX_BLOCK_REQUESTS;
use armature_verifier::challenge::{
	check_power,
	fill::FillOpening,
	memory::{check_walk, sample_memory, Walk, WalkOpening},
};
use std::future::Future;

/// A key of a walk.
fn start(number: u8) -> H256 {
	H256([number; 32])
}

/// A filled round.
struct Filled {
	challenges: Arc<Challenges>,
	chain: Arc<FakeChain>,
	task: ChallengeTask,
	hash: H256,
	root: H256,
}

impl Filled {
	async fn with(work: MemoryChallenge, deadline: u64, settings: Settings) -> Self {
		let task = ChallengeTask { deadline, ..task(1, Work::Memory(work)) };
		let chain = Arc::new(FakeChain::default());
		chain.edit(|chain| chain.rounds = vec![task]);
		let challenges = Arc::new(super::with(&chain, settings));
		let (commit, _) = challenges.answer(task).await.expect("answered");
		Self { challenges, chain, task, hash: task_hash(&task), root: commit.root }
	}

	async fn new() -> Self {
		Self::with(MEMORY, clock::now() + 60_000, settings()).await
	}

	async fn reserve(&self, number: u8) -> Result<(), ChallengeFault> {
		self.challenges.reserve_walk(peer(number), self.hash).await
	}

	async fn walk(&self, number: u8, key: H256) -> Result<H256, ChallengeFault> {
		self.challenges.walk(peer(number), self.hash, key).await
	}

	async fn open(&self, number: u8, key: H256) -> Result<Vec<u8>, ChallengeFault> {
		self.challenges.open_walk(peer(number), self.hash, key, &[(1, 5)]).await
	}

	async fn blocks(&self, number: u8, positions: &[u32]) -> Result<Vec<u8>, ChallengeFault> {
		self.challenges.open_blocks(peer(number), self.hash, positions).await
	}

	/// Whether its memory is there to be asked about.
	fn is_open(&self) -> bool {
		self.held(|held| held.is_kept()).unwrap_or_default()
	}

	/// Whether its memory is given back.
	fn is_gone(&self) -> bool {
		self.held(|held| held.is_empty()).unwrap_or(true)
	}

	fn held<T>(&self, look: impl FnOnce(&Held) -> T) -> Option<T> {
		let committed = self.challenges.rounds.committed(self.hash)?;
		let Shown::Memory(held) = &committed.done.shown else { return None };
		Some(look(held))
	}

	/// Waits until its memory is given back: then nothing of the round can be asked for.
	async fn gone(&self) {
		until("its end", || self.is_gone()).await;
		assert!(!self.is_open());
		assert!(is_nothing(self.reserve(2).await));
		assert!(is_nothing(self.walk(2, start(2)).await));
		assert!(is_nothing(self.open(2, start(2)).await));
		assert!(is_nothing(self.blocks(2, &[0]).await));
	}
}

fn is_busy(answer: Result<(), ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::Busy))
}

fn is_nothing<T>(answer: Result<T, ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::NothingToOpen))
}

fn is_not_ones_turn(answer: Result<H256, ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::NotYourTurn))
}

/// Asks again and again until the answer is one of these.
async fn until_answered<T, F: Future<Output = T>>(
	what: &str,
	ask: impl Fn() -> F,
	is_it: impl Fn(&T) -> bool,
) {
	let deadline = Instant::now() + Duration::from_secs(60);
	while !is_it(&ask().await) {
		assert!(Instant::now() < deadline, "{what} did not happen in time");
		tokio::time::sleep(Duration::from_millis(5)).await;
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_should_convince_the_verifiers_code() {
	let task = task(1, Work::Memory(MEMORY));
	let (challenges, _) = challenges(&[task]);
	let hash = task_hash(&task);
	let (commit, _) = challenges.answer(task).await.expect("answered");
	check_power(&commit.power).expect("plausible");
	// A committee: one fill, and a walk for each verifier.
	for number in 1..=3 {
		let (who, key) = (peer(number), start(number));
		let (again, _) = challenges.commit(who, task).await.expect("answered");
		assert_eq!(again, commit);
		challenges.reserve_walk(who, hash).await.expect("free");
		let ends = challenges.walk(who, hash, key).await.expect("walked");
		let walk = Walk::of_task(&task, key, commit.root, ends).expect("of this kind");
		let (blocks, segments) = sample_memory(&start(99), &walk, 12).expect("in bounds");
		let bytes = challenges.open_blocks(who, hash, &blocks).await.expect("opened");
		let openings = decoded::<FillOpening>(&bytes);
		let found: Vec<_> = openings
			.iter()
			.filter_map(|found| walk.fill.position(found.lane, found.at))
			.collect();
		assert_eq!(found, blocks);
		for opening in &openings {
			assert_eq!(walk.check_fill(opening), Ok(()));
		}
		let bytes = challenges.open_walk(who, hash, key, &segments).await.expect("opened");
		let openings = decoded::<WalkOpening>(&bytes);
		let found: Vec<_> = openings.iter().map(|found| (found.lane, found.segment)).collect();
		assert_eq!(found, segments);
		for opening in &openings {
			assert_eq!(check_walk(&walk, opening), Ok(()));
		}
	}
	assert_eq!(challenges.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_or_does_not_fit_should_not_be_opened() {
	let filled = Filled::new().await;
	filled.blocks(1, &[0, 79]).await.expect("the first and the last");
	assert!(is_nothing(filled.blocks(1, &[80]).await));
	let elsewhere = filled.challenges.open_blocks(peer(1), H256::zero(), &[0]).await;
	assert!(is_nothing(elsewhere));
	let many = filled.blocks(1, &[79; 60]).await;
	assert!(matches!(many, Err(ChallengeFault::TooLarge)), "{many:?}");
	filled.reserve(1).await.expect("free");
	filled.walk(1, start(1)).await.expect("walked");
	let open = |segments: Vec<(u16, u32)>| {
		let (challenges, hash) = (&filled.challenges, filled.hash);
		async move { challenges.open_walk(peer(1), hash, start(1), &segments).await }
	};
	for outside in [(2, 0), (0, 6)] {
		assert!(is_nothing(open(vec![outside]).await), "{outside:?}");
	}
	let many = open(vec![(0, 0); 100]).await;
	assert!(matches!(many, Err(ChallengeFault::TooLarge)), "{many:?}");
	// None of that ended the turn.
	assert!(is_busy(filled.reserve(2).await));
	open(vec![(0, 0), (1, 5)]).await.expect("the first and the last");
	filled.reserve(2).await.expect("free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_ask_for_blocks_so_often_only() {
	let filled = Filled::new().await;
	for _ in 0..MAX_BLOCK_REQUESTS {
		filled.blocks(1, &[0]).await.expect("one of its requests");
	}
	let refused = filled.blocks(1, &[0]).await;
	assert!(matches!(refused, Err(ChallengeFault::TooManyRequests)), "{refused:?}");
	filled.blocks(2, &[0]).await.expect("another verifier's");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifiers_should_walk_one_after_the_other() {
	let filled = Filled::new().await;
	assert!(is_not_ones_turn(filled.walk(1, start(1)).await));
	filled.reserve(1).await.expect("free");
	assert!(is_busy(filled.reserve(2).await));
	assert!(is_not_ones_turn(filled.walk(2, start(2)).await));
	assert!(is_nothing(filled.open(1, start(1)).await));
	filled.walk(1, start(1)).await.expect("walked");
	// One walk each turn.
	assert!(is_not_ones_turn(filled.walk(1, start(3)).await));
	// Its walk is opened for the peer that asked for it, under its key.
	assert!(is_nothing(filled.open(1, start(3)).await));
	assert!(is_nothing(filled.open(2, start(1)).await));
	assert!(is_busy(filled.reserve(2).await));
	filled.open(1, start(1)).await.expect("opened");
	filled.reserve(2).await.expect("free");
	// It can be opened again until the next walk begins.
	filled.open(1, start(1)).await.expect("opened");
	assert!(is_busy(filled.reserve(1).await));
	filled.walk(2, start(2)).await.expect("walked");
	assert!(is_nothing(filled.open(1, start(1)).await));
	filled.open(2, start(2)).await.expect("opened");
}

/// With other settings of how long turns are kept.
async fn impatient(edit: impl FnOnce(&mut Patience)) -> Filled {
	let mut settings = settings();
	edit(&mut settings.patience);
	Filled::with(MEMORY, clock::now() + 60_000, settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_without_a_walk_should_go_to_the_next() {
	let filled = impatient(|patience| patience.walk = Duration::from_millis(300)).await;
	filled.reserve(1).await.expect("free");
	until_answered("the next turn", || filled.reserve(2), Result::is_ok).await;
	assert!(is_not_ones_turn(filled.walk(1, start(1)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_whose_walk_is_not_opened_should_go_to_the_next() {
	let filled = impatient(|patience| patience.opening = Duration::from_millis(300)).await;
	filled.reserve(1).await.expect("free");
	filled.walk(1, start(1)).await.expect("walked");
	until_answered("the next turn", || filled.reserve(2), Result::is_ok).await;
	// The walk is there until another one begins.
	filled.open(1, start(1)).await.expect("late");
	assert!(is_busy(filled.reserve(1).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_get_three_turns() {
	let filled = Filled::new().await;
	for number in 1..=3 {
		filled.reserve(1).await.expect("one of three");
		filled.walk(1, start(number)).await.expect("walked");
		filled.open(1, start(number)).await.expect("opened");
	}
	let refused = filled.reserve(1).await;
	assert!(matches!(refused, Err(ChallengeFault::TooManyTurns)), "{refused:?}");
	filled.reserve(2).await.expect("another verifier's");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_verifier_at_once_should_leave_it_one_walk() {
	let filled = Filled::new().await;
	filled.reserve(1).await.expect("free");
	let (first, second) = tokio::join!(filled.walk(1, start(1)), filled.walk(1, start(2)));
	let (walked, refused, key) =
		if first.is_ok() { (first, second, start(1)) } else { (second, first, start(2)) };
	walked.expect("one walk");
	assert!(is_not_ones_turn(refused));
	filled.open(1, key).await.expect("opened");
	filled.reserve(2).await.expect("free");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_should_be_given_back_when_the_chain_closes_the_round() {
	let settings = Settings { watch: Duration::from_millis(20), ..settings() };
	let filled = Filled::with(MEMORY, clock::now() + 60_000, settings).await;
	// As long as the round is open, or nobody can tell, it is kept.
	for down in [false, true, false] {
		filled.chain.edit(|chain| chain.down = down);
		tokio::time::sleep(Duration::from_millis(100)).await;
		assert!(filled.is_open());
	}
	filled.chain.edit(|chain| chain.rounds.clear());
	filled.gone().await;
	let refused = filled.challenges.answer(filled.task).await;
	assert!(matches!(refused, Err(ChallengeFault::NotOnChain)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_a_replaced_task_should_be_given_back() {
	let settings = Settings { watch: Duration::from_millis(20), ..settings() };
	let filled = Filled::with(MEMORY, clock::now() + 60_000, settings).await;
	let later = ChallengeTask { seed: H256([8; 32]), ..filled.task };
	filled.chain.edit(|chain| chain.rounds = vec![later]);
	filled.gone().await;
	// The chain changes its mind: what was given back is filled anew.
	filled.chain.edit(|chain| chain.rounds = vec![filled.task]);
	let (commit, _) = filled.challenges.answer(filled.task).await.expect("answered");
	assert_eq!(commit.root, filled.root);
	assert!(filled.is_open());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_should_be_given_back_at_the_deadline() {
	let filled = Filled::with(MEMORY, clock::now() + 10_000, settings()).await;
	assert!(filled.is_open());
	filled.gone().await;
	assert!(clock::now() >= filled.task.deadline);
	let refused = filled.challenges.answer(filled.task).await;
	assert!(matches!(refused, Err(ChallengeFault::Stopped)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_should_be_given_back_on_stop() {
	let filled = Filled::new().await;
	filled.challenges.stop();
	assert!(!filled.is_open());
	filled.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_should_be_given_back_before_another_run() {
	let filled = Filled::new().await;
	let next = task(2, lanes(20, 16));
	filled.chain.edit(|chain| chain.rounds.push(next));
	filled.challenges.answer(next).await.expect("answered");
	assert!(filled.is_gone());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_should_be_given_back_for_a_workload() {
	let filled = Filled::new().await;
	filled.challenges.free_memory().await;
	assert!(filled.is_gone());
	filled.gone().await;
	// There is nothing more to free.
	filled.challenges.free_memory().await;

	// What is being filled is, too.
	let long = task(2, Work::Memory(MUCH_MEMORY));
	filled.chain.edit(|chain| chain.rounds = vec![long]);
	let asking = filled.challenges.clone();
	let filling = tokio::spawn(async move { asking.answer(long).await });
	until("the run", || filled.challenges.in_flight() > 0).await;
	filled.challenges.free_memory().await;
	assert_eq!(filled.challenges.in_flight(), 0);
	assert!(matches!(filling.await.expect("no panic"), Err(ChallengeFault::Stopped)));
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_should_go_on_beside_a_workload() {
	let task = task(1, lanes(100, 256));
	let (challenges, _) = challenges(&[task]);
	let challenges = Arc::new(challenges);
	let asking = challenges.clone();
	let running = tokio::spawn(async move { asking.answer(task).await });
	until("the run", || challenges.in_flight() > 0).await;
	challenges.free_memory().await;
	running.await.expect("no panic").expect("answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_should_end_with_its_round() {
	// Some millions of reads.
	let long = MemoryChallenge { lanes: 1, blocks: 64, segments: 1 << 20, reads: 16 };
	let filled = Arc::new(Filled::with(long, clock::now() + 120_000, settings()).await);
	filled.reserve(1).await.expect("free");
	let walking = filled.clone();
	let walk = tokio::spawn(async move { walking.walk(1, start(1)).await });
	until_answered("the walk", || filled.reserve(1), Result::is_err).await;
	// Others are answered meanwhile, but for walks.
	filled.blocks(2, &[0]).await.expect("opened");
	assert!(is_busy(filled.reserve(2).await));
	filled.challenges.stop();
	let ended = walk.await.expect("no panic");
	// The latter where it was not begun yet.
	let is_ended = matches!(ended, Err(ChallengeFault::Stopped | ChallengeFault::NothingToOpen));
	assert!(is_ended, "{ended:?}");
	filled.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_should_settle_its_turn_when_nobody_waits_for_it() {
	let filled = Filled::new().await;
	filled.reserve(1).await.expect("free");
	{
		let walk = filled.walk(1, start(1));
		tokio::pin!(walk);
		// Begun, and hung up.
		let _ = futures::poll!(walk.as_mut());
	}
	let next = || async {
		let _ = filled.open(1, start(1)).await;
		filled.reserve(2).await
	};
	until_answered("the next turn", next, Result::is_ok).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_should_be_told_before_anything_is_filled() {
	let dir = tempfile::tempdir().expect("a directory");
	let meminfo = dir.path().join("meminfo");
	let needed = crate::compute::needed_bytes(&MEMORY);
	let write = |kib: u64| {
		std::fs::write(&meminfo, format!("MemAvailable: {kib} kB\n")).expect("written");
	};
	let task = task(1, Work::Memory(MEMORY));
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = vec![task]);
	let at = |work| {
		let pauses = Pauses { work, ..settings().pauses };
		Settings { meminfo: meminfo.clone(), pauses, ..settings() }
	};
	let challenges = with(&chain, at(Duration::ZERO));
	let has = (needed - 1) / 1_024;
	write(has);
	let refused = challenges.answer(task).await.expect_err("a KiB is missing");
	assert!(
		matches!(
			refused,
			ChallengeFault::NoMemory { needed: told, available }
				if told == needed && available == has * 1_024
		),
		"{refused}"
	);
	// It has what it needs now, and tries again.
	write(has + 1);
	challenges.answer(task).await.expect("answered");

	// After a while: until then it is not even looked.
	let challenges = with(&chain, at(LONG));
	write(has);
	challenges.answer(task).await.expect_err("a KiB is missing");
	write(has + 1);
	let refused = challenges.answer(task).await.expect_err("too soon");
	assert!(matches!(refused, ChallengeFault::NoMemory { .. }), "{refused}");
	let stranger = challenges.commit(peer(6), task).await.expect_err("not heard");
	assert!(matches!(stranger, ChallengeFault::NotOfCommittee), "{stranger}");
	// Another round is.
	let other = ChallengeTask { round: RoundId(2), ..task };
	chain.edit(|chain| chain.rounds = vec![other]);
	challenges.answer(other).await.expect("answered");
}
