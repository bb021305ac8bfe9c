use super::*;
use crate::challenge::gemm::MAX_ENTRIES_OF_PEER;
use armature_primitives::challenge::ChallengeFailure;
use armature_verifier::challenge::{
	check_power,
	gemm::{check_entry, committed, sample_entries, EntryOpening, GemmTask},
};

/// A round that is computed, and who asks about it.
struct Computed {
	challenges: Arc<Challenges>,
	chain: Arc<FakeChain>,
	task: ChallengeTask,
	root: H256,
}

impl Computed {
	async fn with(settings: Settings) -> Self {
		let task = task(1, Work::Gemm(GEMM));
		let chain = Arc::new(FakeChain::default());
		chain.edit(|chain| chain.rounds = vec![task]);
		let challenges = Arc::new(with(&chain, settings));
		let (commit, _) = challenges.answer(task).await.expect("answered");
		Self { challenges, chain, task, root: commit.root }
	}

	async fn new() -> Self {
		Self::with(settings()).await
	}

	async fn open(
		&self,
		number: u8,
		entries: &[(u32, u32, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		let task = task_hash(&self.task);
		self.challenges.open_entries(peer(number), task, entries.to_vec()).await
	}

	fn is_gone(&self) -> bool {
		let committed = self.challenges.rounds.committed(task_hash(&self.task));
		match committed.map(|committed| committed.done) {
			Some(done) => match &done.shown {
				Shown::Products(held) => held.is_empty(),
				_ => panic!("another kind"),
			},
			None => true,
		}
	}

	/// Waits until its states are given back: then nothing of the round can be asked for.
	async fn gone(&self) {
		until("its end", || self.is_gone()).await;
		assert!(is_nothing(self.open(2, &[(1, 0, 0)]).await));
	}
}

fn is_nothing<T>(answer: Result<T, ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::NothingToOpen))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_should_convince_the_verifiers_code() {
	let round = Computed::new().await;
	let (again, _) = round.challenges.commit(peer(3), round.task).await.expect("answered");
	assert_eq!((again.root, again.task), (round.root, task_hash(&round.task)));
	check_power(&again.power).expect("plausible");
	let products = GemmTask::of_round(&round.task).expect("of this kind");
	let under = committed(&round.task, round.root);
	for number in 1..=5 {
		let randomness = H256([number; 32]);
		let wanted = sample_entries(&randomness, &products, 0, &under, 12).expect("in bounds");
		let bytes = round.open(number, &wanted).await.expect("opened");
		let openings = decoded::<EntryOpening>(&bytes);
		let found: Vec<_> = openings.iter().map(|o| (o.step, o.row, o.column)).collect();
		assert_eq!(found, wanted);
		for opening in &openings {
			assert_eq!(check_entry(&products, &[under], opening), Ok(()));
			let other = committed(&round.task, H256::zero());
			let refused = check_entry(&products, &[other], opening);
			assert_eq!(refused, Err(ChallengeFailure::BadOpening));
		}
	}
	assert_eq!(round.challenges.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_or_does_not_fit_should_not_be_opened() {
	let round = Computed::new().await;
	round.open(1, &[(1, 0, 0), (5, 63, 63)]).await.expect("the first and the last");
	for outside in [(0, 0, 0), (6, 0, 0), (1, 64, 0), (1, 0, 64)] {
		assert!(is_nothing(round.open(1, &[outside]).await), "{outside:?}");
	}
	let many: Vec<_> = (0..500).map(|at| (5, at % 64, at / 2 % 64)).collect();
	let many = round.open(2, &many).await;
	assert!(matches!(many, Err(ChallengeFault::TooLarge)), "{many:?}");
	let (challenges, hash) = (&round.challenges, task_hash(&round.task));
	let elsewhere = challenges.open_entries(peer(1), H256::zero(), vec![(1, 0, 0)]).await;
	assert!(is_nothing(elsewhere));
	// There is nothing else in it.
	assert!(is_nothing(challenges.open(peer(1), hash, &[(0, 0)]).await));
	assert!(is_nothing(challenges.reserve_walk(peer(1), hash).await));
	assert!(is_nothing(challenges.echo(peer(1), hash, H256::zero()).await));
	let stranger = challenges.open_entries(peer(6), hash, vec![(1, 0, 0)]).await;
	assert!(matches!(stranger, Err(ChallengeFault::NotOfCommittee)), "{stranger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_get_so_many_entries_only() {
	let round = Computed::new().await;
	for _ in 0..MAX_ENTRIES_OF_PEER / 64 - 1 {
		round.open(1, &[(1, 0, 0); 64]).await.expect("some of its entries");
	}
	let many = round.open(1, &[(1, 0, 0); 65]).await;
	assert!(matches!(many, Err(ChallengeFault::TooManyRequests)), "{many:?}");
	round.open(1, &[(1, 0, 0); 63]).await.expect("all but one");
	round.open(1, &[]).await.expect("the last");
	let refused = round.open(1, &[(1, 0, 0)]).await;
	assert!(matches!(refused, Err(ChallengeFault::TooManyRequests)), "{refused:?}");
	round.open(2, &[(1, 0, 0)]).await.expect("another verifier's");
}

#[tokio::test(flavor = "multi_thread")]
async fn states_should_be_given_back_when_the_chain_closes_the_round() {
	let round = Computed::with(Settings { watch: Duration::from_millis(20), ..settings() }).await;
	tokio::time::sleep(Duration::from_millis(100)).await;
	round.open(1, &[(1, 0, 0)]).await.expect("kept while it is open");
	round.chain.edit(|chain| chain.rounds.clear());
	round.gone().await;
	// The chain changes its mind: the same is computed anew.
	round.chain.edit(|chain| chain.rounds = vec![round.task]);
	let (commit, _) = round.challenges.answer(round.task).await.expect("answered");
	assert_eq!(commit.root, round.root);
	round.open(2, &[(1, 0, 0)]).await.expect("computed anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn states_should_be_given_back_on_stop_and_before_another_run() {
	let round = Computed::new().await;
	round.challenges.stop();
	assert!(is_nothing(round.open(1, &[(1, 0, 0)]).await));
	round.gone().await;

	let round = Computed::new().await;
	let next = task(2, lanes(20, 16));
	round.chain.edit(|chain| chain.rounds.push(next));
	round.challenges.answer(next).await.expect("answered");
	assert!(round.is_gone());
}

#[tokio::test(flavor = "multi_thread")]
async fn states_should_be_given_back_for_a_workload() {
	let round = Computed::new().await;
	round.challenges.free_memory().await;
	assert!(round.is_gone());
	round.gone().await;

	// What is being computed is, too.
	let long = task(2, Work::Gemm(GemmChallenge { side: 64, states: 16_384 }));
	round.chain.edit(|chain| chain.rounds = vec![long]);
	let asking = round.challenges.clone();
	let computing = tokio::spawn(async move { asking.answer(long).await });
	until("the run", || round.challenges.in_flight() > 0).await;
	round.challenges.free_memory().await;
	assert_eq!(round.challenges.in_flight(), 0);
	let ended = computing.await.expect("no panic");
	assert!(matches!(ended, Err(ChallengeFault::Stopped)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_step_should_end_with_its_round() {
	// One step of half a minute and more.
	let long = task(1, Work::Gemm(GemmChallenge { side: 8_192, states: 1 }));
	let (challenges, _) = challenges(&[long]);
	let challenges = Arc::new(challenges);
	let asking = challenges.clone();
	let computing = tokio::spawn(async move { asking.answer(long).await });
	until("the run", || challenges.in_flight() > 0).await;
	tokio::time::sleep(Duration::from_millis(300)).await;
	challenges.free_memory().await;
	let ended = computing.await.expect("no panic");
	assert!(matches!(ended, Err(ChallengeFault::Stopped)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_should_be_told_before_anything_is_computed() {
	let dir = tempfile::tempdir().expect("a directory");
	let meminfo = dir.path().join("meminfo");
	let needed = crate::compute::needed_host_bytes(&GEMM, true);
	let has = (needed - 1) / 1_024;
	std::fs::write(&meminfo, format!("MemAvailable: {has} kB\n")).expect("written");
	let task = task(1, Work::Gemm(GEMM));
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = vec![task]);
	let challenges = with(&chain, Settings { meminfo: meminfo.clone(), ..settings() });
	let refused = challenges.answer(task).await.expect_err("a KiB is missing");
	assert!(
		matches!(refused, ChallengeFault::NoMemory { needed: told, .. } if told == needed),
		"{refused}"
	);
	assert!(refused.to_string().contains("device accelerator"), "{refused}");
	std::fs::write(&meminfo, format!("MemAvailable: {} kB\n", has + 1)).expect("written");
	challenges.answer(task).await.expect("answered");
}
