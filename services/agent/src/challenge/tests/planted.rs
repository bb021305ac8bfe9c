use super::*;
use crate::{chain::PlantedView, testing::PLANTED_IN};
use armature_primitives::{
	challenge::ChallengeFailure,
	device::{
		AcceleratorOffer, CpuScore, GemmScore, MemoryScore, Performance, StorageOffer, StorageScore,
	},
	signing::Domain,
};
use armature_verifier::{
	challenge::{
		check_openings, check_power,
		fill::FillOpening,
		gemm::EntryOpening,
		memory::WalkOpening,
		sample,
		storage::{SealedOpening, StoredBlock},
		verdict::planted_hash,
	},
	signature::verify_device,
};

const NOW: u64 = 10_000_000;

/// A score with all parts that answers are planted for.
fn performance() -> Performance {
	let cpu = CpuScore { steps_per_second_per_lane: 1, lanes: 3, measured_at: 1 };
	let memory = MemoryScore {
		offered_mib: 1,
		filled_mib: 1,
		fill_mib_per_second: 1,
		read_nanos: 1,
		measured_at: 1,
	};
	let gemm = GemmScore {
		offer: AcceleratorOffer { memory_mib: 1, side: 64 },
		shown_mib: 1,
		operations_per_second: 1,
		measured_at: 1,
	};
	let storage = StorageScore {
		offer: StorageOffer { sectors: 3, blocks: 70, compressions: 2 },
		read_millis: 1,
		measured_at: 1,
	};
	Performance {
		cpu: Some(cpu),
		memory: Some(memory),
		gemm: Some(gemm),
		storage: Some(storage),
		network: None,
	}
}

/// A device whose every round would be answered with what it has planted.
struct Planting {
	dir: tempfile::TempDir,
	chain: Arc<FakeChain>,
	challenges: Challenges,
}

impl Planting {
	/// With an answer that was announced, and nothing done yet.
	async fn new() -> Self {
		Self::with(settings()).await
	}

	async fn with(settings: Settings) -> Self {
		let dir = tempfile::tempdir().expect("a directory");
		let chain = Arc::new(FakeChain::default());
		let view = PlantedView {
			announced: None,
			may_show_from: 0,
			opened_in: Some(PLANTED_IN),
			lead_blocks: 64,
			performance: performance(),
			now: NOW,
		};
		chain.edit(|chain| chain.planted = Some(view));
		let challenges = planting(&chain, settings, &dir.path().join("db"), 1_000_000);
		challenges.tend_planted().await.expect("announced");
		Self { dir, chain, challenges }
	}

	/// Answers a round with work, after which another one is open that may be answered otherwise.
	async fn work_first(&self, work: Work) -> (ChallengeCommit, ChallengeTask) {
		let [first, second] = [1, 2].map(|round| task(round, work));
		self.chain.edit(|chain| chain.rounds = vec![first]);
		let (commit, _) = self.challenges.answer(first).await.expect("answered");
		if work.kind() == WorkKind::Memory {
			let hash = task_hash(&first);
			self.challenges.reserve_walk(peer(1), hash).await.expect("free");
			self.challenges.walk(peer(1), hash, H256::zero()).await.expect("walked");
		}
		self.chain.edit(|chain| {
			chain.rounds = vec![second];
			let view = chain.planted.as_mut().expect("enrolled");
			view.opened_in = Some(PLANTED_IN + 74);
		});
		(commit, second)
	}

	async fn is_used(&self) -> bool {
		self.challenges.has_used_planted().await.expect("the store works")
	}

	/// The agent is started again.
	fn restart(self) -> Self {
		let Self { dir, chain, challenges } = self;
		drop(challenges);
		let challenges = planting(&chain, settings(), &dir.path().join("db"), 1_000_000);
		Self { dir, chain, challenges }
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committee_should_get_one_planted_answer_as_late_as_work() {
	let planting = Planting::new().await;
	let (worked, round) = planting.work_first(lanes(20, 16)).await;
	assert!(!planting.is_used().await);
	let longer = Duration::from_millis(400);
	planting.challenges.runner.plants.remember(round.work, longer, worked.power);
	let began = Instant::now();
	let all = (1..=5).map(|number| planting.challenges.commit(peer(number), round));
	let answers = futures::future::join_all(all).await;
	// As late as one that takes a hundredth less.
	assert!(began.elapsed() >= longer * 99 / 100);
	let (commit, signature) = answers[0].as_ref().expect("answered");
	for answer in &answers {
		assert_eq!(answer.as_ref().expect("answered").0, *commit);
	}
	assert_eq!(commit.task, task_hash(&round));
	assert_eq!(commit.power.source, worked.power.source);
	check_power(&commit.power).expect("plausible");
	let domain = Domain::ChallengeCommit;
	assert!(verify_device(domain, &GENESIS, DEVICE, commit, &key().public(), signature));
	assert!(planting.is_used().await);
	assert_eq!(planting.challenges.in_flight(), 0);
	// What is shown after it is what was announced and what was answered.
	let announced = planting.chain.edit(|chain| chain.planted).expect("enrolled").announced;
	planting.chain.edit(|chain| chain.rounds.clear());
	planting.challenges.tend_planted().await.expect("shown");
	let shown = planting.chain.edit(|chain| chain.shown.clone());
	let [(of, root, salt)] = shown.as_slice() else { panic!("{shown:?}") };
	assert_eq!((*of, *root), (round.round, commit.root));
	assert_eq!(announced.expect("announced").hash, planted_hash(DEVICE, root, salt));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_answer_should_open_nothing_that_verifiers_take() {
	let planting = Planting::new().await;
	let (_, round) = planting.work_first(lanes(20, 16)).await;
	let challenges = &planting.challenges;
	let (commit, _) = challenges.answer(round).await.expect("answered");
	assert!(planting.is_used().await);
	let (hash, peer) = (task_hash(&round), peer(1));
	let wanted = sample(H256([4; 32]), &round, 5).expect("a sample");
	let bytes = challenges.open(peer, hash, &wanted).await.expect("at once");
	let openings = decoded::<SegmentOpening>(&bytes);
	assert!(openings.is_empty());
	let checked = check_openings(&round, commit.root, &wanted, &openings);
	assert_eq!(checked, Err(ChallengeFailure::Malformed));
	// There is no memory in it.
	let none = |refused: ChallengeFault| matches!(refused, ChallengeFault::NothingToOpen);
	assert!(none(challenges.reserve_walk(peer, hash).await.expect_err("no walks")));
	assert!(none(challenges.open_blocks(peer, hash, &[0]).await.expect_err("no blocks")));
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_products_should_open_nothing_that_verifiers_take() {
	let planting = Planting::new().await;
	let (worked, round) = planting.work_first(Work::Gemm(GEMM)).await;
	let challenges = &planting.challenges;
	let (commit, _) = challenges.answer(round).await.expect("answered");
	assert!(planting.is_used().await && commit.root != worked.root);
	let hash = task_hash(&round);
	let bytes = challenges.open_entries(peer(1), hash, vec![(1, 0, 0)]).await.expect("at once");
	assert!(decoded::<EntryOpening>(&bytes).is_empty());
	let lanes = challenges.open(peer(1), hash, &[(0, 0)]).await;
	assert!(matches!(lanes, Err(ChallengeFault::NothingToOpen)), "{lanes:?}");
	// Only so often, as with any other.
	for _ in 1..crate::challenge::gemm::MAX_ENTRIES_OF_PEER {
		challenges.open_entries(peer(1), hash, Vec::new()).await.expect("at once");
	}
	let refused = challenges.open_entries(peer(1), hash, Vec::new()).await;
	assert!(matches!(refused, Err(ChallengeFault::TooManyRequests)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_storage_should_open_nothing_that_verifiers_take() {
	let folder = stored::sealed();
	let planting = Planting::with(stored::settings_of(&folder)).await;
	let (worked, round) = planting.work_first(Work::Storage(STORAGE)).await;
	let challenges = &planting.challenges;
	let (commit, _) = challenges.answer(round).await.expect("answered");
	assert!(planting.is_used().await && commit.root != worked.root);
	check_power(&commit.power).expect("plausible");
	let hash = task_hash(&round);
	let read = || challenges.read_stored(peer(1), hash, vec![(0, 0)]);
	for _ in 0..crate::challenge::stored::MAX_READS_OF_PEER {
		assert!(decoded::<StoredBlock>(&read().await.expect("at once")).is_empty());
	}
	// Only so often, as with any other.
	let refused = read().await;
	assert!(matches!(refused, Err(ChallengeFault::TooManyRequests)), "{refused:?}");
	let sealed = |blocks| challenges.open_sealed(peer(1), hash, vec![(0, 0); blocks]);
	for _ in 0..crate::challenge::stored::MAX_SEALED_OF_PEER / 14 {
		assert!(decoded::<SealedOpening>(&sealed(14).await.expect("at once")).is_empty());
	}
	let refused = sealed(0).await;
	assert!(matches!(refused, Err(ChallengeFault::TooManyRequests)), "{refused:?}");
	let entries = challenges.open_entries(peer(1), hash, vec![(1, 0, 0)]).await;
	assert!(matches!(entries, Err(ChallengeFault::NothingToOpen)), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_about_storage_should_tell_by_its_time_whether_it_was_planted() {
	let folder = stored::sealed();
	let planting = Planting::with(stored::settings_of(&folder)).await;
	let work = Work::Storage(STORAGE);
	let floor = floor::floor_of(&work).expect("one");
	let began = Instant::now();
	let (worked, round) = planting.work_first(work).await;
	assert!(began.elapsed() >= floor, "{:?}", began.elapsed());
	// As if the disk had taken no time.
	planting.challenges.runner.plants.remember(work, Duration::ZERO, worked.power);
	let began = Instant::now();
	planting.challenges.answer(round).await.expect("answered");
	assert!(began.elapsed() >= floor, "{:?}", began.elapsed());
	assert!(planting.is_used().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_memory_should_be_walked_over_like_any_other() {
	let planting = Planting::new().await;
	let (_, round) = planting.work_first(Work::Memory(MEMORY)).await;
	let walk = Duration::from_millis(200);
	planting.challenges.runner.plants.remember_walk(round.work, walk);
	let challenges = &planting.challenges;
	challenges.answer(round).await.expect("answered");
	assert!(planting.is_used().await);
	let hash = task_hash(&round);
	let is_busy = |answer: &Result<(), ChallengeFault>| matches!(answer, Err(ChallengeFault::Busy));
	let mut all = Vec::new();
	for number in 1..=5 {
		let (own, other, start) = (peer(number), peer(number % 5 + 1), H256([number; 32]));
		let early = challenges.walk(own, hash, start).await;
		assert!(matches!(early, Err(ChallengeFault::NotYourTurn)), "{early:?}");
		challenges.reserve_walk(own, hash).await.expect("free");
		let began = Instant::now();
		all.push(challenges.walk(own, hash, start).await.expect("walked"));
		assert!(began.elapsed() >= walk * 99 / 100);
		let again = challenges.walk(own, hash, start).await;
		assert!(matches!(again, Err(ChallengeFault::NotYourTurn)), "{again:?}");
		let waits = challenges.reserve_walk(other, hash).await;
		assert!(is_busy(&waits), "{waits:?}");
		for (peer, key) in [(other, start), (own, H256::zero())] {
			let gone = challenges.open_walk(peer, hash, key, &[(0, 0)]).await;
			assert!(matches!(gone, Err(ChallengeFault::NothingToOpen)), "{gone:?}");
		}
		let segments = challenges.open_walk(own, hash, start, &[(0, 0)]).await.expect("at once");
		assert!(decoded::<WalkOpening>(&segments).is_empty());
		let blocks = challenges.open_blocks(own, hash, &[0, 1]).await.expect("at once");
		assert!(decoded::<FillOpening>(&blocks).is_empty());
	}
	all.dedup();
	assert_eq!(all.len(), 5, "each walk ends elsewhere");
	let lanes = challenges.open(peer(1), hash, &[(0, 0)]).await;
	assert!(matches!(lanes, Err(ChallengeFault::NothingToOpen)), "{lanes:?}");
	// Only so often, as with any other.
	for _ in 1..crate::challenge::memory::MAX_BLOCK_REQUESTS {
		challenges.open_blocks(peer(1), hash, &[0]).await.expect("at once");
	}
	let refused = challenges.open_blocks(peer(1), hash, &[0]).await;
	assert!(matches!(refused, Err(ChallengeFault::TooManyRequests)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_walk_should_settle_its_turn_when_nobody_waits_for_it() {
	let planting = Planting::new().await;
	let (_, round) = planting.work_first(Work::Memory(MEMORY)).await;
	let challenges = &planting.challenges;
	challenges.answer(round).await.expect("answered");
	let (hash, start) = (task_hash(&round), H256([4; 32]));
	challenges.reserve_walk(peer(1), hash).await.expect("free");
	{
		let walk = challenges.walk(peer(1), hash, start);
		tokio::pin!(walk);
		// Begun, and hung up.
		let _ = futures::poll!(walk.as_mut());
	}
	let deadline = Instant::now() + Duration::from_secs(60);
	while challenges.open_walk(peer(1), hash, start, &[]).await.is_err() {
		assert!(Instant::now() < deadline, "the walk goes on");
		tokio::time::sleep(Duration::from_millis(5)).await;
	}
	challenges.reserve_walk(peer(2), hash).await.expect("free");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_should_not_be_planted_before_one_was_walked_over() {
	let planting = Planting::new().await;
	let [first, second] = [1, 2].map(|round| task(round, Work::Memory(MEMORY)));
	planting.chain.edit(|chain| {
		chain.rounds = vec![first];
		let view = chain.planted.as_mut().expect("enrolled");
		view.opened_in = Some(PLANTED_IN + 74);
	});
	planting.challenges.answer(first).await.expect("answered");
	planting.chain.edit(|chain| chain.rounds = vec![second]);
	planting.challenges.answer(second).await.expect("answered");
	assert!(!planting.is_used().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_answer_should_stay_the_same_after_a_restart() {
	let planting = Planting::new().await;
	let (_, round) = planting.work_first(lanes(20, 16)).await;
	let answer = planting.challenges.answer(round).await.expect("answered");
	assert!(planting.is_used().await);
	let planting = planting.restart();
	// A second root would cost a part of the device's bond.
	assert_eq!(planting.challenges.answer(round).await.expect("answered"), answer);
	// The block of the round was replaced: another task is answered with work. So is another round.
	let replaced = ChallengeTask { seed: H256([8; 32]), ..round };
	for other in [replaced, task(3, lanes(20, 16))] {
		planting.chain.edit(|chain| chain.rounds = vec![other]);
		let (commit, _) = planting.challenges.answer(other).await.expect("answered");
		assert_ne!(commit.root, answer.0.root);
		let hash = task_hash(&other);
		assert_eq!(commit.task, hash);
		let bytes = planting.challenges.open(peer(1), hash, &[(0, 0)]).await.expect("opened");
		assert_eq!(decoded::<SegmentOpening>(&bytes).len(), 1);
	}
	// The first block is there again after all.
	planting.chain.edit(|chain| chain.rounds = vec![round]);
	assert_eq!(planting.challenges.answer(round).await.expect("answered"), answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_root_should_be_signed_where_what_was_planted_is_lost() {
	let bed = Planting::new().await;
	let (_, round) = bed.work_first(lanes(20, 16)).await;
	bed.challenges.answer(round).await.expect("answered");
	assert!(bed.is_used().await);
	let Planting { dir, chain, challenges } = bed;
	drop(challenges);
	let path = dir.path().join("db");
	let store = Store::open(&path, &GENESIS, DEVICE).expect("opens");
	let write = store.db.begin_write().expect("writes");
	write
		.delete_table(redb::TableDefinition::<&str, &[u8]>::new("planted"))
		.expect("deleted");
	write.commit().expect("written");
	drop(store);
	let challenges = planting(&chain, settings(), &path, 1_000_000);
	challenges.tend_planted().await.expect("another one is announced");
	let refused = challenges.answer(round).await;
	assert!(matches!(refused, Err(ChallengeFault::OtherRoot)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_with_work_should_stay_so() {
	let planting = Planting::new().await;
	let [round, next] = [1, 2].map(|round| task(round, lanes(20, 16)));
	planting.chain.edit(|chain| {
		chain.rounds = vec![round];
		let view = chain.planted.as_mut().expect("enrolled");
		view.opened_in = Some(PLANTED_IN + 74);
	});
	let (worked, _) = planting.challenges.answer(round).await.expect("answered");
	let planting = planting.restart();
	// It could be planted now, but for what was signed.
	let took = Duration::from_millis(1);
	planting.challenges.runner.plants.remember(round.work, took, worked.power);
	let (again, _) = planting.challenges.answer(round).await.expect("answered");
	assert_eq!(again.root, worked.root);
	assert!(!planting.is_used().await);
	planting.chain.edit(|chain| chain.rounds = vec![next]);
	planting.challenges.answer(next).await.expect("answered");
	assert!(planting.is_used().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_whose_plant_was_shown_should_get_no_other_answer() {
	let planting = Planting::new().await;
	let (_, round) = planting.work_first(lanes(20, 16)).await;
	planting.challenges.answer(round).await.expect("answered");
	planting.chain.edit(|chain| chain.rounds.clear());
	planting.challenges.tend_planted().await.expect("shown");
	planting.challenges.tend_planted().await.expect("announced");
	assert!(!planting.is_used().await);
	// The block that closed it was replaced, and the agent started again.
	planting.chain.edit(|chain| chain.rounds = vec![round]);
	let planting = planting.restart();
	let refused = planting.challenges.answer(round).await;
	assert!(matches!(refused, Err(ChallengeFault::OtherRoot)), "{refused:?}");
	assert!(!planting.is_used().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_should_end_a_planted_answer() {
	let planting = Planting::new().await;
	let (_, round) = planting.work_first(lanes(20, 16)).await;
	planting.challenges.stop();
	assert!(matches!(planting.challenges.answer(round).await, Err(ChallengeFault::Stopped)));
	assert!(!planting.is_used().await);
	let planting = planting.restart();
	let late = ChallengeTask { deadline: clock::now(), ..round };
	planting.chain.edit(|chain| chain.rounds = vec![late]);
	assert!(matches!(planting.challenges.answer(late).await, Err(ChallengeFault::Stopped)));
	assert!(!planting.is_used().await);
}
