use super::{
	kept::{ENTRY, PLANTED},
	*,
};
use crate::{
	chain::Announced,
	testing::{FakeChain, GENESIS, PLANTED_IN},
};
use armature_primitives::{
	challenge::{CpuChallenge, MemoryChallenge, StorageChallenge},
	device::{CpuScore, MemoryScore, Performance, StorageOffer, StorageScore},
	telemetry::PowerSource,
	MilliWatts, RoundId,
};
use armature_verifier::challenge::verdict::planted_hash;
use std::path::{Path, PathBuf};

const DEVICE: DeviceId = DeviceId(7);

/// The chain's time when an answer is announced.
const PLANTED_AT: Moment = 10_000_000;
const LEAD: u32 = 64;

const WORK: Work = Work::Cpu(CpuChallenge { lanes: 3, segments: 20, steps_per_segment: 16 });
const MEMORY: Work = Work::Memory(MemoryChallenge { lanes: 2, blocks: 40, segments: 6, reads: 5 });
const STORAGE: Work = Work::Storage(StorageChallenge {
	sectors: 3,
	blocks: 40,
	compressions: 2,
	commit_millis: 1_000,
	read_millis: 1_000,
});

const TOOK: Duration = Duration::from_millis(1_500);

const CPU: CpuScore = CpuScore { steps_per_second_per_lane: 1, lanes: 3, measured_at: 1 };
const SHOWN: MemoryScore = MemoryScore {
	offered_mib: 1,
	filled_mib: 1,
	fill_mib_per_second: 1,
	read_nanos: 1,
	measured_at: 1,
};

const STORED: StorageScore = StorageScore {
	offer: StorageOffer { sectors: 3, blocks: 40, compressions: 2 },
	read_millis: 1,
	measured_at: 1,
};

fn task(round: u64, work: Work) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(round),
		device: DEVICE,
		seed: H256([9; 32]),
		work,
		deadline: clock::now() + 60_000,
	}
}

fn power() -> PowerReading {
	PowerReading {
		idle: MilliWatts(1_000),
		loaded: MilliWatts(2_000),
		source: PowerSource::Estimated,
		error: Ppm(5),
	}
}

fn open(path: &Path, share: u32) -> Plants {
	let store = Store::open(path, &GENESIS, DEVICE).expect("opens");
	Plants::new(Arc::new(store), DEVICE, share)
}

/// A device whose every round would be answered with what it has planted.
struct Bed {
	_dir: tempfile::TempDir,
	path: PathBuf,
	chain: FakeChain,
	plants: Plants,
}

impl Bed {
	/// Nothing is announced yet.
	fn new(share: u32) -> Self {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("db");
		let chain = FakeChain::default();
		let view = PlantedView {
			announced: None,
			may_show_from: 0,
			opened_in: None,
			lead_blocks: LEAD,
			performance: Performance { cpu: Some(CPU), memory: Some(SHOWN), ..Default::default() },
			now: PLANTED_AT,
		};
		chain.edit(|chain| chain.planted = Some(view));
		let plants = open(&path, share);
		Self { _dir: dir, path, chain, plants }
	}

	/// An answer is announced, a round of each kind was answered with work, and another one is open.
	async fn ready(share: u32) -> Self {
		let bed = Self::new(share);
		bed.tend(0).await.expect("announced");
		bed.work();
		bed.view(|view| view.opened_in = Some(PLANTED_IN + LEAD + MARGIN_BLOCKS));
		bed
	}

	/// It was used for round 2, whose deadline is returned, and which has closed.
	async fn used() -> (Self, Moment) {
		let bed = Self::ready(1_000_000).await;
		let round = task(2, WORK);
		bed.answer(&round).await.expect("planted");
		(bed, round.deadline)
	}

	fn restart(self, share: u32) -> Self {
		let Self { _dir, path, chain, plants } = self;
		drop(plants);
		let plants = open(&path, share);
		Self { _dir, path, chain, plants }
	}

	/// A round of each kind was answered with work.
	fn work(&self) {
		for work in [WORK, MEMORY, STORAGE] {
			self.plants.remember(work, TOOK, power());
			self.plants.remember_walk(work, TOOK);
		}
	}

	fn view(&self, edit: impl FnOnce(&mut PlantedView)) {
		self.chain.edit(|chain| edit(chain.planted.as_mut().expect("enrolled")));
	}

	fn announced(&self) -> Option<H256> {
		let view = self.chain.edit(|chain| chain.planted)?;
		Some(view.announced?.hash)
	}

	fn calls(&self) -> Vec<&'static str> {
		self.chain.edit(|chain| chain.calls.clone())
	}

	fn refuse(&self, error: Option<ChainError>) {
		self.chain.edit(|chain| chain.refuse_planted = error);
	}

	fn stored(&self) -> Option<Plant> {
		self.plants.kept.load().expect("whole")
	}

	async fn is_used(&self) -> bool {
		self.plants.has_used().await.expect("the store works")
	}

	async fn tend(&self, now: Moment) -> Result<(), PlantedError> {
		self.plants.tend(&self.chain, now).await
	}

	/// What a task that nothing was signed for is answered with.
	async fn answer(&self, task: &ChallengeTask) -> Option<Planted> {
		self.answer_again(task, None).await
	}

	async fn answer_again(&self, task: &ChallengeTask, signed: Option<H256>) -> Option<Planted> {
		self.plants.answer(&self.chain, task, signed).await.expect("the store works")
	}
}

/// A refusal by the pallet.
fn rejected(error: &str) -> Option<ChainError> {
	let text = format!("Challenges.show_planted was refused: Challenges.{error}");
	Some(ChainError::Rejected(text))
}

/// A refusal before any pallet is asked.
fn penniless() -> Option<ChainError> {
	let text = "Challenges.show_planted was refused: Token error: FundsUnavailable";
	Some(ChainError::Rejected(text.into()))
}

fn away() -> Option<ChainError> {
	Some(ChainError::Unavailable("away".into()))
}

#[test]
fn the_chain_should_have_half_of_what_an_answer_is_held_back_for() {
	assert_eq!(ask_patience(&WORK), ASK_PATIENCE);
	assert_eq!(ask_patience(&MEMORY), ASK_PATIENCE);
	assert_eq!(ask_patience(&STORAGE), Duration::from_millis(125));
}

#[tokio::test]
async fn an_answer_should_be_on_disk_before_it_is_announced() {
	let bed = Bed::new(1);
	bed.refuse(away());
	let failed = bed.tend(0).await;
	assert!(matches!(failed, Err(PlantedError::Chain(ChainError::Unavailable(_)))));
	let stored = bed.stored().expect("stored");
	assert_eq!(stored.used, None);
	// The same one is announced after a restart.
	let bed = bed.restart(1);
	bed.refuse(None);
	bed.tend(0).await.expect("announced");
	assert_eq!(bed.stored(), Some(stored));
	assert_eq!(bed.announced(), Some(planted_hash(DEVICE, &stored.root, &stored.salt)));
	assert_eq!(bed.calls(), ["planting refused", "plant"]);
}

#[tokio::test]
async fn an_answer_should_be_announced_once_and_again_where_it_is_gone() {
	let bed = Bed::new(1);
	for _ in 0..3 {
		bed.tend(0).await.expect("announced");
	}
	let own = bed.announced();
	assert_eq!(bed.calls(), ["plant"]);
	// The block of the announcement was replaced.
	bed.view(|view| view.announced = None);
	bed.tend(0).await.expect("announced");
	// Somebody else announced for the device.
	let foreign = Announced { hash: H256::zero(), planted_in: 1 };
	bed.view(|view| view.announced = Some(foreign));
	bed.tend(0).await.expect("announced");
	assert_eq!(bed.calls(), ["plant", "plant", "plant"]);
	assert_eq!(bed.announced(), own);
	// A refusal is told, for it costs a fee each time.
	bed.view(|view| view.announced = None);
	bed.refuse(rejected("NotOperator: No."));
	let refused = bed.tend(0).await;
	assert!(matches!(refused, Err(PlantedError::Chain(ChainError::Rejected(_)))));
}

#[tokio::test]
async fn nothing_should_be_announced_where_nothing_is_planted() {
	let off = Bed::new(0);
	off.tend(0).await.expect("nothing to do");
	let not_enrolled = Bed::new(1_000_000);
	not_enrolled.chain.edit(|chain| chain.planted = None);
	not_enrolled.tend(0).await.expect("nothing to do");
	for bed in [off, not_enrolled] {
		assert!(bed.calls().is_empty());
		assert_eq!(bed.stored(), None);
	}
}

#[tokio::test]
async fn what_is_used_should_be_on_disk_when_it_is_answered() {
	let bed = Bed::ready(1_000_000).await;
	let round = task(2, WORK);
	let planted = bed.answer(&round).await.expect("planted");
	let stored = bed.stored().expect("stored");
	let used = stored.used.map(|used| (used.task, used.round, used.deadline));
	assert_eq!(used, Some((task_hash(&round), RoundId(2), round.deadline)));
	assert_eq!((planted.root, planted.kind), (stored.root, WorkKind::Cpu));
	// It looks like the earlier one.
	assert!(planted.after().abs_diff(TOOK) <= TOOK / 100, "{planted:?}");
	assert!(planted.power().loaded.0.abs_diff(2_000) <= 20, "{planted:?}");
	// It is the only answer from now on, whatever is set and known.
	assert_eq!(bed.answer(&round).await, Some(planted));
	let bed = bed.restart(0);
	bed.chain.edit(|chain| chain.down = true);
	assert_eq!(bed.answer_again(&round, Some(planted.root)).await, Some(planted));
	assert!(bed.is_used().await);
	// No other round gets it.
	bed.work();
	for round in [3, 4] {
		assert_eq!(bed.answer(&task(round, WORK)).await, None);
	}
}

#[tokio::test]
async fn another_task_of_a_round_should_be_answered_with_work() {
	let bed = Bed::ready(1_000_000).await;
	let round = task(2, WORK);
	let planted = bed.answer(&round).await.expect("planted");
	let stored = bed.stored();
	// After a fork, which may have taken the announcement away.
	let seed = ChallengeTask { seed: H256([8; 32]), ..round };
	let work = ChallengeTask { work: MEMORY, ..round };
	let deadline = ChallengeTask { deadline: round.deadline + 1, ..round };
	for replaced in [seed, work, deadline] {
		assert_eq!(bed.answer(&replaced).await, None);
		assert_eq!(bed.answer_again(&replaced, Some(planted.root)).await, None);
	}
	// The fork is gone.
	assert_eq!(bed.stored(), stored);
	assert_eq!(bed.answer(&round).await, Some(planted));
}

#[tokio::test]
async fn a_task_that_another_root_was_signed_for_should_not_get_the_planted_one() {
	let other = Some(H256([1; 32]));
	let bed = Bed::ready(1_000_000).await;
	let round = task(2, WORK);
	assert_eq!(bed.answer_again(&round, other).await, None);
	assert!(!bed.is_used().await);
	let planted = bed.answer(&round).await.expect("planted");
	assert_eq!(bed.answer_again(&round, other).await, None);
	assert_eq!(bed.answer_again(&round, Some(planted.root)).await, Some(planted));
}

/// Whether an answer is used for round 2 with this work after an edit of what the chain says.
async fn is_used_for(work: Work, edit: impl FnOnce(&mut PlantedView)) -> bool {
	let bed = Bed::ready(1_000_000).await;
	bed.view(edit);
	let planted = bed.answer(&task(2, work)).await;
	assert_eq!(planted.is_some(), bed.is_used().await);
	planted.is_some()
}

/// The same for work of any kind.
async fn is_used(edit: impl Fn(&mut PlantedView)) -> bool {
	let (lanes, memory) = (is_used_for(WORK, &edit).await, is_used_for(MEMORY, &edit).await);
	assert_eq!(lanes, memory);
	lanes
}

#[tokio::test]
async fn only_what_was_announced_well_before_the_round_should_be_used() {
	let soonest = PLANTED_IN + LEAD + MARGIN_BLOCKS;
	assert!(is_used(|view| view.opened_in = Some(soonest)).await);
	assert!(!is_used(|view| view.opened_in = Some(soonest - 1)).await);
	assert!(!is_used(|view| view.opened_in = None).await);
	assert!(!is_used(|view| view.announced = None).await);
	let foreign = Announced { hash: H256::zero(), planted_in: PLANTED_IN };
	assert!(!is_used(|view| view.announced = Some(foreign)).await);
}

#[tokio::test]
async fn only_what_may_be_shown_by_then_should_be_used() {
	assert!(is_used(|view| view.may_show_from = view.now).await);
	assert!(!is_used(|view| view.may_show_from = view.now + 1).await);
}

#[tokio::test]
async fn a_device_should_have_a_score_of_the_kind_to_come_back() {
	assert!(!is_used(|view| view.performance = Performance::default()).await);
	let lanes = Performance { cpu: Some(CPU), ..Performance::default() };
	let memory = Performance { memory: Some(SHOWN), ..Performance::default() };
	let storage = Performance { storage: Some(STORED), ..Performance::default() };
	for (work, performance, has_it) in [
		(WORK, lanes, true),
		(MEMORY, lanes, false),
		(STORAGE, lanes, false),
		(WORK, memory, false),
		(MEMORY, memory, true),
		(STORAGE, memory, false),
		(STORAGE, storage, true),
		(MEMORY, storage, false),
	] {
		assert_eq!(is_used_for(work, |view| view.performance = performance).await, has_it);
	}
}

#[tokio::test]
async fn a_round_should_be_answered_with_work_where_the_chain_is_away() {
	let bed = Bed::ready(1_000_000).await;
	bed.chain.edit(|chain| chain.down = true);
	assert_eq!(bed.answer(&task(2, WORK)).await, None);
	bed.chain.edit(|chain| {
		chain.down = false;
		chain.planted = None;
	});
	assert_eq!(bed.answer(&task(3, WORK)).await, None);
	assert!(!bed.is_used().await);
}

#[tokio::test]
async fn a_round_should_be_answered_with_work_where_no_like_one_was() {
	let bed = Bed::ready(1_000_000).await;
	let more = Work::Cpu(CpuChallenge { lanes: 3, segments: 21, steps_per_segment: 16 });
	let fewer = Work::Cpu(CpuChallenge { lanes: 2, segments: 20, steps_per_segment: 16 });
	for work in [more, fewer] {
		assert_eq!(bed.answer(&task(2, work)).await, None);
	}
	let took = u64::try_from(TOOK.as_millis()).expect("small");
	let hasty = ChallengeTask { deadline: clock::now() + took / 2, ..task(2, WORK) };
	assert_eq!(bed.answer(&hasty).await, None);
	// After a restart nothing is known.
	let bed = bed.restart(1_000_000);
	assert_eq!(bed.answer(&task(2, WORK)).await, None);
	assert!(!bed.is_used().await);
}

#[tokio::test]
async fn the_lot_should_decide_how_often() {
	let never = Bed::ready(1_000_000).await.restart(0);
	never.work();
	for round in 2..50 {
		assert_eq!(never.answer(&task(round, WORK)).await, None);
	}
	for (share, random, drawn) in [
		(0, 0, false),
		(1, 0, true),
		(1, 1, false),
		(999_999, 999_998, true),
		(999_999, 999_999, false),
		(1_000_000, 999_999, true),
		(1, 1_000_000, true),
		(1_000_000, u64::MAX, true),
	] {
		assert_eq!(is_drawn(Ppm(share), random), drawn, "{random} of {share}");
	}
}

#[tokio::test]
async fn an_answer_should_not_be_used_while_the_chain_is_told_of_it() {
	let bed = Bed::ready(1_000_000).await;
	let tending = bed.plants.tending.lock().await;
	assert_eq!(bed.answer(&task(2, WORK)).await, None);
	drop(tending);
	bed.answer(&task(3, WORK)).await.expect("planted");
}

#[tokio::test]
async fn what_was_used_should_be_shown_once_its_round_has_closed() {
	let (bed, deadline) = Bed::used().await;
	let used = bed.stored().expect("stored");
	let before = bed.announced().expect("announced");
	bed.chain.edit(|chain| chain.rounds = vec![task(2, WORK)]);
	bed.tend(0).await.expect("still open");
	// All have sealed, but nobody has said what.
	bed.chain.edit(|chain| {
		chain.rounds.clear();
		chain.sealed = vec![RoundId(2)];
	});
	bed.tend(deadline + 1).await.expect("still open");
	assert_eq!(bed.calls(), ["plant"]);
	// It has closed long before its deadline. Nothing needs to be set for it any more.
	let bed = bed.restart(0);
	bed.chain.edit(|chain| chain.sealed.clear());
	bed.tend(0).await.expect("shown");
	let shown = bed.chain.edit(|chain| chain.shown.clone());
	assert_eq!(shown, [(RoundId(2), used.root, used.salt)]);
	assert_eq!(planted_hash(DEVICE, &used.root, &used.salt), before);
	assert_eq!(bed.stored(), None);
	assert!(!bed.is_used().await);
	// Another one takes its place.
	let bed = bed.restart(1);
	bed.tend(0).await.expect("announced");
	let next = bed.stored().expect("stored");
	assert_ne!((next.root, next.salt), (used.root, used.salt));
	assert_ne!(bed.announced(), Some(before));
}

#[tokio::test]
async fn what_cannot_be_shown_for_now_should_be_shown_later() {
	let (bed, _) = Bed::used().await;
	bed.refuse(away());
	let failed = bed.tend(0).await;
	assert!(matches!(failed, Err(PlantedError::Chain(ChainError::Unavailable(_)))));
	let bed = bed.restart(1_000_000);
	assert!(bed.is_used().await);
	bed.chain.edit(|chain| chain.down = true);
	let failed = bed.tend(0).await;
	assert!(matches!(failed, Err(PlantedError::Chain(ChainError::Unavailable(_)))));
	bed.chain.edit(|chain| chain.down = false);
	// At once where the chain was only away; after a pause where it refused.
	let mut now = 1;
	for (refusal, pause) in
		[(rejected("RoundOpen: The round has not ended."), 60_000), (penniless(), 120_000)]
	{
		bed.refuse(refusal);
		bed.tend(now).await.expect("later");
		bed.refuse(None);
		bed.tend(now + pause - 1).await.expect("too early");
		assert!(bed.is_used().await);
		now += pause;
	}
	bed.tend(now).await.expect("shown");
	let refused = "showing refused";
	assert_eq!(bed.calls(), ["plant", refused, refused, refused, "show"]);
	assert!(!bed.is_used().await);
}

#[tokio::test]
async fn what_can_never_be_shown_should_be_given_up() {
	for reason in ["RoundNotFound: None.", "DisputeWindowOver: Late.", "NotOperator: No."] {
		let (bed, deadline) = Bed::used().await;
		bed.refuse(rejected(reason));
		bed.tend(deadline + 1).await.expect("given up");
		assert_eq!(bed.stored(), None);
		// Another one takes its place.
		bed.refuse(None);
		let before = bed.announced();
		bed.tend(deadline + 1).await.expect("announced");
		assert_ne!(bed.announced(), before);
		assert_eq!(bed.calls(), ["plant", "showing refused", "plant"]);
	}
}

#[tokio::test]
async fn a_round_that_the_chain_does_not_know_may_come_back_until_its_deadline() {
	let (bed, deadline) = Bed::used().await;
	bed.refuse(rejected("RoundNotFound: None."));
	bed.tend(deadline).await.expect("later");
	assert!(bed.is_used().await);
	bed.tend(deadline + 60_000).await.expect("given up");
	assert!(!bed.is_used().await);
}

#[tokio::test]
async fn what_is_refused_for_a_day_should_be_given_up() {
	let (bed, _) = Bed::used().await;
	let day = 24 * 3_600_000;
	bed.refuse(penniless());
	for now in [1, day] {
		bed.tend(now).await.expect("later");
		assert!(bed.is_used().await, "{now}");
	}
	bed.tend(2 * day).await.expect("given up");
	assert_eq!(bed.stored(), None);
	// The next one starts with a clean slate.
	assert_eq!(*lock(&bed.plants.refused), None);
}

#[tokio::test]
async fn a_damaged_entry_should_be_planted_anew() {
	let (bed, _) = Bed::used().await;
	let damage = |bed: &Bed| {
		let write = bed.plants.kept.store.db.begin_write().expect("writes");
		{
			let mut table = write.open_table(PLANTED).expect("opens");
			table.insert(ENTRY, [1u8, 2, 3].as_slice()).expect("inserted");
		}
		write.commit().expect("written");
	};
	damage(&bed);
	assert!(matches!(bed.plants.kept.load(), Err(StoreError::Damaged(_))));
	assert!(!bed.is_used().await);
	assert_eq!(bed.stored(), None);
	damage(&bed);
	assert_eq!(bed.answer(&task(3, WORK)).await, None);
	damage(&bed);
	let before = bed.announced();
	bed.tend(0).await.expect("announced");
	assert!(bed.stored().is_some_and(|plant| plant.used.is_none()));
	assert_ne!(bed.announced(), before);
}
