use super::*;
use crate::{
	challenge::stored::{MAX_READS_OF_PEER, MAX_SEALED_OF_PEER},
	compute::{SealPlan, SealedSectors, StorageFault},
};
use armature_primitives::challenge::ChallengeFailure;
use armature_verifier::challenge::{
	check_power,
	storage::{
		check_sealed, check_stored, sample_sealed, sample_storage, SealedOpening, SealedStorage,
		StoredBlock,
	},
};
use std::num::NonZeroUsize;
use tempfile::TempDir;

const PLAN: SealPlan = SealPlan {
	genesis: GENESIS,
	device: DEVICE,
	sectors: STORAGE.sectors,
	blocks: STORAGE.blocks,
	compressions: STORAGE.compressions,
};

fn seal(folder: &TempDir, plan: SealPlan) {
	let threads = NonZeroUsize::MIN;
	SealedSectors::seal(folder.path(), plan, threads, &|| false, |_| ()).expect("sealed");
}

/// What the device has offered.
pub(super) fn sealed() -> TempDir {
	let folder = tempfile::tempdir().expect("a folder");
	seal(&folder, PLAN);
	folder
}

pub(super) fn settings_of(folder: &TempDir) -> Settings {
	let directory = Some(folder.path().to_owned());
	Settings { storage: StorageConfig { directory }, ..settings() }
}

/// A round that was answered, and who asks about it.
struct Answered {
	folder: TempDir,
	challenges: Arc<Challenges>,
	chain: Arc<FakeChain>,
	task: ChallengeTask,
	storage: SealedStorage,
}

impl Answered {
	async fn with(watch: Duration) -> Self {
		Self::of(STORAGE, watch).await
	}

	/// With so much time for what is timed.
	async fn timed(read_millis: u32) -> Self {
		Self::of(StorageChallenge { read_millis, ..STORAGE }, LONG).await
	}

	async fn of(storage: StorageChallenge, watch: Duration) -> Self {
		let folder = sealed();
		let task = task(1, Work::Storage(storage));
		let chain = Arc::new(FakeChain::default());
		chain.edit(|chain| chain.rounds = vec![task]);
		let settings = Settings { watch, ..settings_of(&folder) };
		let challenges = Arc::new(with(&chain, settings));
		let (commit, _) = challenges.answer(task).await.expect("answered");
		let storage = SealedStorage::of_round(&task, commit.root).expect("of this kind");
		Self { folder, challenges, chain, task, storage }
	}

	async fn new() -> Self {
		Self::with(LONG).await
	}

	async fn read(
		&self,
		number: u8,
		blocks: Vec<(u32, u32)>,
	) -> Result<Vec<StoredBlock>, ChallengeFault> {
		let task = task_hash(&self.task);
		let read = self.challenges.read_stored(peer(number), task, blocks).await;
		read.map(|blocks| decoded(&blocks))
	}

	async fn show(
		&self,
		number: u8,
		blocks: Vec<(u32, u32)>,
	) -> Result<Vec<SealedOpening>, ChallengeFault> {
		let task = task_hash(&self.task);
		let opened = self.challenges.open_sealed(peer(number), task, blocks).await;
		opened.map(|openings| decoded(&openings))
	}

	fn held(&self) -> Arc<Stored> {
		let committed = self.challenges.rounds.committed(task_hash(&self.task));
		match &committed.expect("answered").done.shown {
			Shown::Storage(held) => held.clone(),
			_ => panic!("another kind"),
		}
	}

	/// Looks at it as a verifier does.
	async fn convinces(&self, number: u8) {
		let randomness = H256([number; 32]);
		let wanted = sample_storage(&randomness, &self.storage, 24).expect("in bounds");
		let read = self.read(number, wanted.clone()).await.expect("read");
		assert_eq!(read.len(), wanted.len());
		for (at, block) in wanted.iter().zip(&read) {
			assert_eq!(check_stored(&self.storage, *at, block), Ok(()));
		}
		let wanted = sample_sealed(&randomness, &self.storage, 12).expect("in bounds");
		let shown = self.show(number, wanted.clone()).await.expect("shown");
		assert_eq!(shown.len(), wanted.len());
		for (at, opening) in wanted.iter().zip(&shown) {
			assert_eq!(check_sealed(&GENESIS, DEVICE, &self.storage, *at, opening), Ok(()));
			let other = check_sealed(&GENESIS, DeviceId(8), &self.storage, *at, opening);
			assert_eq!(other, Err(ChallengeFailure::WrongResult));
		}
	}
}

fn is_nothing<T>(answer: Result<T, ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::NothingToOpen))
}

fn is_too_often<T>(answer: Result<T, ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::TooManyRequests))
}

/// What a task is refused with by a device with these settings.
async fn refused(settings: Settings, task: ChallengeTask) -> String {
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = vec![task]);
	match with(&chain, settings).answer(task).await {
		Err(fault @ ChallengeFault::Storage(_)) => fault.to_string(),
		other => panic!("{other:?}"),
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_should_convince_the_whole_committee_at_once() {
	let round = Answered::new().await;
	let (again, _) = round.challenges.commit(peer(3), round.task).await.expect("answered");
	assert_eq!((again.root, again.task), (round.storage.root, task_hash(&round.task)));
	check_power(&again.power).expect("plausible");
	futures::future::join_all((1..=5).map(|number| round.convinces(number))).await;
	assert_eq!(round.challenges.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_should_get_one_root_also_after_a_restart_and_with_more_sealed() {
	let folder = sealed();
	let dir = tempfile::tempdir().expect("a directory");
	let path = dir.path().join("db");
	let [first, second] = [1, 2].map(|round| task(round, Work::Storage(STORAGE)));
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = vec![first]);
	let mut roots = Vec::new();
	for _ in 0..2 {
		let challenges = planting(&chain, settings_of(&folder), &path, 0);
		for number in 1..=5 {
			roots.push(challenges.commit(peer(number), first).await.expect("answered").0.root);
		}
		drop(challenges);
		seal(&folder, SealPlan { sectors: STORAGE.sectors + 1, ..PLAN });
	}
	roots.dedup();
	assert_eq!(roots.len(), 1, "{roots:?}");
	// Of another task nobody can tell that it is the same storage.
	chain.edit(|chain| chain.rounds = vec![second]);
	let challenges = planting(&chain, settings_of(&folder), &path, 0);
	assert_ne!(challenges.answer(second).await.expect("answered").0.root, roots[0]);
	// As if other sectors had been sealed before.
	let third = task(3, Work::Storage(STORAGE));
	chain.edit(|chain| chain.rounds = vec![third]);
	let now = clock::now();
	challenges
		.runner
		.signed
		.note(&third, now, H256([1; 32]), now)
		.expect("the first root");
	let other = challenges.answer(third).await;
	assert!(matches!(other, Err(ChallengeFault::OtherRoot)), "{other:?}");
	assert!(is_nothing(challenges.read_stored(peer(1), task_hash(&third), vec![(0, 0)]).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_what_it_offered_should_refuse_and_say_what_to_do() {
	let task = task(1, Work::Storage(STORAGE));
	let told = refused(settings(), task).await;
	assert!(told.contains("[storage]") && told.contains("armature storage seal"), "{told}");
	assert!(told.contains("device storage withdraw"), "{told}");
	let empty = tempfile::tempdir().expect("a folder");
	let told = refused(settings_of(&empty), task).await;
	assert!(told.contains("holds no sealed sectors"), "{told}");
	let missing = StorageConfig { directory: Some(empty.path().join("gone")) };
	let told = refused(Settings { storage: missing, ..settings() }, task).await;
	assert!(told.contains("gone: No such file"), "{told}");
	for plan in [
		SealPlan { genesis: H256::zero(), ..PLAN },
		SealPlan { device: DeviceId(8), ..PLAN },
		SealPlan { blocks: PLAN.blocks + 1, ..PLAN },
		SealPlan { compressions: PLAN.compressions + 1, ..PLAN },
	] {
		let folder = tempfile::tempdir().expect("a folder");
		seal(&folder, plan);
		let told = refused(settings_of(&folder), task).await;
		assert!(told.contains("for another device or chain, or of other sizes"), "{told}");
	}
	let few = tempfile::tempdir().expect("a folder");
	seal(&few, SealPlan { sectors: 2, ..PLAN });
	let told = refused(settings_of(&few), task).await;
	assert!(told.contains("holds 2 sealed sectors, and 3 are asked for"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_while_a_round_is_refused_should_be_found_by_the_next_try() {
	let folder = tempfile::tempdir().expect("a folder");
	let task = task(1, Work::Storage(STORAGE));
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = vec![task]);
	let challenges = with(&chain, settings_of(&folder));
	let early = challenges.answer(task).await;
	assert!(matches!(early, Err(ChallengeFault::Storage(_))), "{early:?}");
	seal(&folder, PLAN);
	challenges.answer(task).await.expect("answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_should_be_looked_at_again_after_a_pause_of_its_own() {
	for (pauses, is_found) in [
		(Pauses { work: LONG, storage: Duration::ZERO }, true),
		(Pauses { work: Duration::ZERO, storage: LONG }, false),
	] {
		let folder = tempfile::tempdir().expect("a folder");
		let task = task(1, Work::Storage(STORAGE));
		let chain = Arc::new(FakeChain::default());
		chain.edit(|chain| chain.rounds = vec![task]);
		let challenges = with(&chain, Settings { pauses, ..settings_of(&folder) });
		challenges.answer(task).await.expect_err("nothing is sealed");
		seal(&folder, PLAN);
		match challenges.answer(task).await {
			Ok(_) => assert!(is_found),
			Err(fault) => assert!(matches!(fault, ChallengeFault::Storage(_)) && !is_found),
		}
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_should_not_be_opened() {
	let round = Answered::new().await;
	for (number, outside) in (1..).zip([(3, 0), (0, 70), (u32::MAX, 0)]) {
		assert!(is_nothing(round.read(number, vec![(0, 0), outside]).await), "{outside:?}");
		assert!(is_nothing(round.show(number, vec![(0, 0), outside]).await), "{outside:?}");
	}
	let (challenges, hash) = (&round.challenges, task_hash(&round.task));
	assert!(is_nothing(challenges.read_stored(peer(1), H256::zero(), vec![(0, 0)]).await));
	assert!(is_nothing(challenges.open_sealed(peer(1), H256::zero(), vec![(0, 0)]).await));
	// There is nothing else in it.
	assert!(is_nothing(challenges.open(peer(1), hash, &[(0, 0)]).await));
	assert!(is_nothing(challenges.open_blocks(peer(1), hash, &[0]).await));
	assert!(is_nothing(challenges.open_entries(peer(1), hash, vec![(1, 0, 0)]).await));
	assert!(is_nothing(challenges.echo(peer(1), hash, H256::zero()).await));
	for stranger in [
		challenges.read_stored(peer(6), hash, vec![(0, 0)]).await,
		challenges.open_sealed(peer(6), hash, vec![(0, 0)]).await,
	] {
		assert!(matches!(stranger, Err(ChallengeFault::NotOfCommittee)), "{stranger:?}");
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_have_blocks_read_so_often_only() {
	let round = Answered::new().await;
	let many = round.read(1, vec![(0, 0); 65]).await;
	assert!(matches!(many, Err(ChallengeFault::TooLarge)), "{many:?}");
	for _ in 0..MAX_READS_OF_PEER {
		assert_eq!(round.read(1, vec![(0, 0); 64]).await.expect("read").len(), 64);
	}
	assert!(is_too_often(round.read(1, vec![(0, 0)]).await));
	round.read(2, vec![(0, 0)]).await.expect("another verifier's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_get_so_many_blocks_shown_only() {
	let round = Answered::new().await;
	let many = round.show(1, vec![(0, 9); 15]).await;
	assert!(matches!(many, Err(ChallengeFault::TooLarge)), "{many:?}");
	for _ in 0..MAX_SEALED_OF_PEER / 14 - 1 {
		round.show(1, vec![(2, 69); 14]).await.expect("some of its blocks");
	}
	round.show(1, vec![(0, 0); 12]).await.expect("all but two");
	assert!(is_too_often(round.show(1, vec![(0, 0); 3]).await));
	round.show(1, vec![(0, 0)]).await.expect("all but one");
	round.show(1, Vec::new()).await.expect("the last");
	assert!(is_too_often(round.show(1, vec![(0, 0)]).await));
	round.show(2, vec![(0, 0)]).await.expect("another verifier's");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_timed_should_not_wait_for_what_is_not() {
	let round = Answered::new().await;
	let held = round.held();
	let (turns, line) = held.turns();
	let turn = turns.acquire().await.expect("open");
	let mut waiting = Box::pin(round.show(1, vec![(0, 9)]));
	assert!(futures::poll!(waiting.as_mut()).is_pending());
	for number in 1..=5 {
		round.read(number, vec![(0, 9)]).await.expect("at once");
	}
	assert!(futures::poll!(waiting.as_mut()).is_pending());
	// No more wait than are counted.
	let others = line.acquire_many(15).await.expect("open");
	let busy = round.show(2, vec![(0, 9)]).await;
	assert!(matches!(busy, Err(ChallengeFault::Busy)), "{busy:?}");
	drop((turn, others));
	assert_eq!(waiting.await.expect("in its turn").len(), 1);
	for _ in 0..MAX_SEALED_OF_PEER / 14 {
		round.show(2, vec![(0, 9); 14]).await.expect("the refusal took nothing");
	}
	assert_eq!((turns.available_permits(), line.available_permits()), (1, 16));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_have_one_read_at_once_and_wait_for_no_others() {
	let round = Answered::new().await;
	let held = round.held();
	// As if the disk took its time.
	let first = held.hurried().begin(peer(1)).await.expect("begun");
	let mut second = Box::pin(round.read(1, vec![(0, 9)]));
	let mut third = Box::pin(round.read(1, vec![(1, 9)]));
	assert!(futures::poll!(second.as_mut()).is_pending());
	assert!(futures::poll!(third.as_mut()).is_pending());
	for number in 2..=5 {
		assert_eq!(round.read(number, vec![(0, 9); 64]).await.expect("read").len(), 64);
	}
	assert!(futures::poll!(second.as_mut()).is_pending());
	// Whoever hangs up is in nobody's way.
	drop(second);
	drop(first);
	assert_eq!(third.await.expect("in its turn")[0].sector, 1);

	// Whoever waits keeps nothing open.
	let first = held.hurried().begin(peer(2)).await.expect("begun");
	let mut second = Box::pin(round.read(2, vec![(0, 9)]));
	assert!(futures::poll!(second.as_mut()).is_pending());
	round.challenges.stop();
	until("its end", || held.is_empty()).await;
	SealedSectors::remove(round.folder.path()).expect("closed");
	drop(first);
	assert!(is_nothing(second.await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_timed_should_leave_the_disk_to_what_is() {
	let round = Answered::timed(3_600_000).await;
	let held = round.held();
	let (turns, _) = held.turns();
	let soon = Duration::from_millis(200);
	// Before the first block, and after it.
	for is_begun in [false, true] {
		let begin = || held.hurried().begin(peer(2));
		let mut timed = Vec::new();
		if !is_begun {
			timed.push(begin().await.expect("begun"));
		}
		let mut waiting = Box::pin(round.show(1, vec![(0, 9), (1, 9), (2, 9)]));
		assert!(futures::poll!(waiting.as_mut()).is_pending());
		assert_eq!(turns.available_permits(), 0);
		if is_begun {
			timed.push(begin().await.expect("begun"));
		}
		assert!(tokio::time::timeout(soon, waiting.as_mut()).await.is_err());
		round.read(3, Vec::new()).await.expect("beside it");
		// The next one of the same peer waits for its turn, and counts by then.
		let mut next = Box::pin(begin());
		assert!(futures::poll!(next.as_mut()).is_pending());
		timed.clear();
		assert!(tokio::time::timeout(soon, waiting.as_mut()).await.is_err());
		drop(next.await.expect("begun"));
		assert_eq!(waiting.await.expect("shown").len(), 3);
		assert_eq!(turns.available_permits(), 1);
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_timed_should_not_take_the_disk_for_ever() {
	let round = Answered::timed(300).await;
	let held = round.held();
	let timed = held.hurried().begin(peer(2)).await.expect("begun");
	let began = Instant::now();
	assert_eq!(round.show(1, vec![(0, 9); 14]).await.expect("shown").len(), 14);
	// Once, not for each of them.
	let took = began.elapsed().as_millis();
	assert!((300..300 * 14).contains(&took), "{took}");
	drop(timed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_should_be_refused_and_the_others_read() {
	let round = Answered::new().await;
	let path = round.folder.path().join("sector-1.blocks");
	let mut bytes = std::fs::read(&path).expect("read");
	bytes[5 * 1_024] ^= 1;
	std::fs::write(&path, bytes).expect("written");
	for refused in [
		round.read(1, vec![(0, 0), (1, 5)]).await.err(),
		round.show(1, vec![(1, 6), (0, 0)]).await.err(),
	] {
		let refused = refused.expect("refused");
		let told = refused.to_string();
		assert!(matches!(refused, ChallengeFault::Storage(_)), "{told}");
		assert_eq!(refused.refusal(), armature_p2p::Refusal::Internal);
		assert!(told.contains("sector 1 in") && told.contains("damaged at block 5"), "{told}");
		assert!(told.contains("remove its files and seal again"), "{told}");
	}
	round.read(1, vec![(0, 5), (1, 4), (2, 5)]).await.expect("whole");
	// Mended while the round is open.
	std::fs::remove_file(&path).expect("removed");
	seal(&round.folder, PLAN);
	round.read(1, vec![(1, 5)]).await.expect("sealed anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_should_wait_for_no_other_round_and_stay_for_a_workload() {
	let folder = sealed();
	let [round, next] = [1, 2].map(|round| task(round, Work::Storage(STORAGE)));
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = vec![round, next]);
	let challenges = with(&chain, settings_of(&folder));
	// As if another round were run.
	let turn = challenges.runner.turn.acquire().await.expect("open");
	challenges.answer(round).await.expect("beside it");
	drop(turn);
	challenges.free_memory().await;
	let read = |task| challenges.read_stored(peer(1), task_hash(task), vec![(0, 0)]);
	read(&round).await.expect("it takes nothing of a workload");
	challenges.answer(next).await.expect("while that runs");
	read(&next).await.expect("at hand");

	// Memory that a round has filled goes, also where storage was asked for after it.
	let memory = task(3, Work::Memory(MEMORY));
	let last = task(4, Work::Storage(STORAGE));
	chain.edit(|chain| chain.rounds = vec![memory, last]);
	challenges.answer(memory).await.expect("answered");
	challenges.answer(last).await.expect("answered");
	challenges.open_blocks(peer(1), task_hash(&memory), &[0]).await.expect("kept");
	challenges.free_memory().await;
	assert!(is_nothing(challenges.open_blocks(peer(1), task_hash(&memory), &[0]).await));
	read(&last).await.expect("at hand");
}

#[tokio::test(flavor = "multi_thread")]
async fn sectors_should_be_closed_when_the_chain_closes_the_round() {
	let round = Answered::with(Duration::from_millis(20)).await;
	let held = round.held();
	tokio::time::sleep(Duration::from_millis(100)).await;
	round.read(1, vec![(0, 0)]).await.expect("kept while it is open");
	let in_use = SealedSectors::remove(round.folder.path());
	assert!(matches!(in_use, Err(StorageFault::InUse(_))));
	round.chain.edit(|chain| chain.rounds.clear());
	until("its end", || held.is_empty()).await;
	assert!(is_nothing(round.read(2, vec![(0, 0)]).await));
	// The chain changes its mind.
	round.chain.edit(|chain| chain.rounds = vec![round.task]);
	let (commit, _) = round.challenges.answer(round.task).await.expect("answered");
	assert_eq!(commit.root, round.storage.root);
	round.read(2, vec![(0, 0)]).await.expect("opened anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn sectors_should_be_closed_on_stop_and_at_the_deadline() {
	let round = Answered::new().await;
	let held = round.held();
	round.challenges.stop();
	assert!(is_nothing(round.read(1, vec![(0, 0)]).await));
	until("its end", || held.is_empty()).await;

	let folder = sealed();
	let near = clock::now() + 1_500;
	let task = ChallengeTask { deadline: near, ..task(1, Work::Storage(STORAGE)) };
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.rounds = vec![task]);
	let challenges = with(&chain, settings_of(&folder));
	challenges.answer(task).await.expect("in time");
	until("the deadline", || SealedSectors::remove(folder.path()).is_ok()).await;
	assert!(clock::now() >= near);
	let late = challenges.read_stored(peer(1), task_hash(&task), vec![(0, 0)]).await;
	assert!(is_nothing(late));
}
