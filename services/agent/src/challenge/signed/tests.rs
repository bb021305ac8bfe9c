use super::*;
use crate::testing::GENESIS;
use armature_primitives::{
	challenge::{CpuChallenge, Work},
	DeviceId,
};

const DEVICE: DeviceId = DeviceId(7);
const DEADLINE: Moment = 1_000_000;

/// After any record of these tests begins.
const LATER: Moment = Moment::MAX;

const MARGIN: Duration = Duration::from_secs(10);

fn task(round: u64, deadline: Moment) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(round),
		device: DEVICE,
		seed: H256([9; 32]),
		work: Work::Cpu(CpuChallenge { lanes: 1, segments: 1, steps_per_segment: 1 }),
		deadline,
	}
}

fn root(number: u8) -> H256 {
	H256([number; 32])
}

fn note_of(task: &ChallengeTask, number: u8) -> Note {
	let (round, deadline) = (task.round, task.deadline);
	Note { task: task_hash(task), root: root(number), round, deadline }
}

/// A record in a directory of its own.
struct Bed {
	dir: tempfile::TempDir,
	signed: Signed,
}

impl Bed {
	fn new() -> Self {
		let dir = tempfile::tempdir().expect("a directory");
		let signed = open(&dir);
		Self { dir, signed }
	}

	fn restart(self) -> Self {
		let Self { dir, signed } = self;
		drop(signed);
		let signed = open(&dir);
		Self { dir, signed }
	}

	fn note(&self, task: &ChallengeTask, number: u8, now: Moment) -> Result<(), ChallengeFault> {
		self.signed.note(task, LATER, root(number), now)
	}

	/// The root that was signed for a task of a round that opened just now.
	fn root(&self, task: &ChallengeTask) -> Option<H256> {
		self.signed.root(task, LATER).expect("known")
	}

	fn since(&self) -> Moment {
		self.signed.load().expect("whole").expect("begun").since
	}

	/// Whether nothing can be told or signed of a task whose round opened then.
	fn is_lost(&self, task: &ChallengeTask, opened_at: Moment) -> bool {
		let told = self.signed.root(task, opened_at);
		let noted = self.signed.note(task, opened_at, root(2), 0);
		let is_lost = matches!(told, Err(ChallengeFault::SignedLost));
		assert_eq!(is_lost, matches!(noted, Err(ChallengeFault::SignedLost)));
		is_lost
	}

	fn store(&self, bytes: &[u8]) {
		let write = self.signed.store.db.begin_write().expect("writes");
		{
			let mut table = write.open_table(SIGNED).expect("opens");
			table.insert(ENTRY, bytes).expect("inserted");
		}
		write.commit().expect("written");
	}

	fn remove(&self) {
		let write = self.signed.store.db.begin_write().expect("writes");
		{
			let mut table = write.open_table(SIGNED).expect("opens");
			table.remove(ENTRY).expect("removed");
		}
		write.commit().expect("written");
	}
}

fn open(dir: &tempfile::TempDir) -> Signed {
	let store = Store::open(&dir.path().join("db"), &GENESIS, DEVICE).expect("opens");
	Signed::new(Arc::new(store), MARGIN)
}

fn is_other(answer: Result<(), ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::OtherRoot))
}

#[test]
fn a_task_should_get_one_root_for_all_time() {
	let bed = Bed::new();
	let (first, second) = (task(1, DEADLINE), task(2, DEADLINE));
	assert_eq!(bed.root(&first), None);
	bed.note(&first, 1, 0).expect("the first root");
	bed.note(&first, 1, 0).expect("the same root");
	assert!(is_other(bed.note(&first, 2, 0)));
	bed.note(&second, 2, 0).expect("another task");
	let bed = bed.restart();
	assert!(is_other(bed.note(&first, 2, 0)));
	bed.note(&first, 1, 0).expect("the same root");
	assert_eq!(bed.root(&first), Some(root(1)));
	assert_eq!(bed.root(&second), Some(root(2)));
	// Its block was replaced: what was signed for the one is worth nothing for the other.
	let replaced = ChallengeTask { seed: H256([8; 32]), ..first };
	assert_eq!(bed.root(&replaced), None);
	bed.note(&replaced, 2, 0).expect("another task");
}

#[test]
fn a_task_should_be_remembered_for_an_hour_after_its_deadline() {
	let bed = Bed::new();
	let (first, second) = (task(1, DEADLINE), task(2, u64::MAX));
	bed.note(&first, 1, 0).expect("noted");
	bed.note(&second, 1, DEADLINE + KEEP_MILLIS).expect("noted");
	assert_eq!(bed.root(&first), Some(root(1)));
	assert!(is_other(bed.note(&first, 2, DEADLINE + KEEP_MILLIS)));
	bed.note(&task(3, u64::MAX), 1, DEADLINE + KEEP_MILLIS + 1).expect("noted");
	assert_eq!(bed.root(&first), None);
	assert_eq!(bed.root(&second), Some(root(1)));
}

#[test]
fn no_more_should_be_signed_than_is_remembered() {
	let bed = Bed::new();
	let notes = (0..MAX_SIGNED as u64 - 1).map(|round| note_of(&task(round, DEADLINE), 1));
	bed.store(&Record { since: 0, notes: notes.collect() }.encode());
	let last = task(MAX_SIGNED as u64, DEADLINE);
	bed.note(&last, 1, 0).expect("the last one");
	let one_more = task(MAX_SIGNED as u64 + 1, DEADLINE);
	assert!(matches!(bed.note(&one_more, 1, 0), Err(ChallengeFault::Failed(_))));
	bed.note(&last, 1, 0).expect("known");
	bed.note(&one_more, 1, DEADLINE + KEEP_MILLIS + 1)
		.expect("the others are forgotten");
}

#[test]
fn a_record_should_begin_soon_after_the_first_start() {
	let before = clock::now();
	let bed = Bed::new();
	let since = bed.since();
	assert!((before + 10_000..=clock::now() + 10_000).contains(&since));
	let task = task(1, DEADLINE);
	assert!(bed.is_lost(&task, 0));
	assert!(bed.is_lost(&task, since - 1));
	assert!(!bed.is_lost(&task, since));
	// A restart changes nothing.
	std::thread::sleep(Duration::from_millis(20));
	assert_eq!(bed.restart().since(), since);
}

#[test]
fn a_record_that_is_lost_should_begin_anew() {
	let old_format = vec![note_of(&task(1, DEADLINE), 1)].encode();
	let none_in_old_format = Vec::<Note>::new().encode();
	let cut = Record { since: 0, notes: vec![note_of(&task(1, DEADLINE), 1)] }.encode();
	let cut = &cut[..cut.len() - 1];
	let damages: [&dyn Fn(&Bed); 5] = [
		&|bed| bed.store(&[1, 2, 3]),
		&|bed| bed.store(&old_format),
		&|bed| bed.store(&none_in_old_format),
		&|bed| bed.store(cut),
		&Bed::remove,
	];
	for (at, damage) in damages.into_iter().enumerate() {
		for restarts in [false, true] {
			let mut bed = Bed::new();
			let signed = task(1, DEADLINE);
			bed.note(&signed, 1, 0).expect("noted");
			let opened_at = bed.since();
			std::thread::sleep(Duration::from_millis(5));
			damage(&bed);
			if restarts {
				bed = bed.restart();
			}
			// It may have been signed with another root.
			assert!(bed.is_lost(&signed, opened_at), "{at}");
			let since = bed.since();
			assert!(since > opened_at, "{at}");
			assert!(bed.is_lost(&signed, since - 1), "{at}");
			// Later ones are signed as usual, and it begins once.
			let later = task(2, DEADLINE);
			bed.signed.note(&later, since, root(1), 0).expect("opened later");
			assert!(is_other(bed.signed.note(&later, since, root(2), 0)), "{at}");
			assert_eq!(bed.signed.root(&later, since).expect("known"), Some(root(1)));
			let bed = bed.restart();
			assert_eq!(bed.since(), since, "{at}");
			assert_eq!(bed.root(&later), Some(root(1)), "{at}");
		}
	}
}

#[test]
fn a_noted_task_should_be_known_whenever_its_round_opened() {
	let bed = Bed::new();
	let task = task(1, DEADLINE);
	bed.note(&task, 1, 0).expect("noted");
	assert_eq!(bed.signed.root(&task, 0).expect("known"), Some(root(1)));
	bed.signed.note(&task, 0, root(1), 0).expect("the same root");
	assert!(is_other(bed.signed.note(&task, 0, root(2), 0)));
}

#[test]
fn a_clock_that_was_ahead_should_not_keep_rounds_from_being_answered() {
	let bed = Bed::new();
	let task = task(1, DEADLINE);
	let year = 365 * 24 * 3_600_000;
	let since = clock::now() + year;
	bed.store(&Record { since, notes: vec![note_of(&task, 1)] }.encode());
	let bed = bed.restart();
	assert!(bed.since() <= clock::now() + 10_000);
	// What was noted is known still.
	assert_eq!(bed.root(&task), Some(root(1)));
}
