use super::*;
use crate::testing::GENESIS;
use armature_primitives::{
	challenge::{CpuChallenge, Work},
	DeviceId,
};

const DEVICE: DeviceId = DeviceId(7);
const DEADLINE: Moment = 1_000_000;

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

/// Notes in a directory of their own.
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
		self.signed.note(task, root(number), now)
	}

	fn damage(&self) {
		let write = self.signed.store.db.begin_write().expect("writes");
		{
			let mut table = write.open_table(SIGNED).expect("opens");
			table.insert(ENTRY, [1u8, 2, 3].as_slice()).expect("inserted");
		}
		write.commit().expect("written");
	}
}

fn open(dir: &tempfile::TempDir) -> Signed {
	let store = Store::open(&dir.path().join("db"), &GENESIS, DEVICE).expect("opens");
	Signed::new(Arc::new(store))
}

fn is_other(answer: Result<(), ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::OtherRoot))
}

#[test]
fn a_task_should_get_one_root_for_all_time() {
	let bed = Bed::new();
	let (first, second) = (task(1, DEADLINE), task(2, DEADLINE));
	assert_eq!(bed.signed.root(&first).expect("whole"), None);
	bed.note(&first, 1, 0).expect("the first root");
	bed.note(&first, 1, 0).expect("the same root");
	assert!(is_other(bed.note(&first, 2, 0)));
	bed.note(&second, 2, 0).expect("another task");
	let bed = bed.restart();
	assert!(is_other(bed.note(&first, 2, 0)));
	bed.note(&first, 1, 0).expect("the same root");
	assert_eq!(bed.signed.root(&first).expect("whole"), Some(root(1)));
	assert_eq!(bed.signed.root(&second).expect("whole"), Some(root(2)));
	// Its block was replaced: what was signed for the one is worth nothing for the other.
	let replaced = ChallengeTask { seed: H256([8; 32]), ..first };
	assert_eq!(bed.signed.root(&replaced).expect("whole"), None);
	bed.note(&replaced, 2, 0).expect("another task");
}

#[test]
fn a_task_should_be_remembered_for_an_hour_after_its_deadline() {
	let bed = Bed::new();
	let (first, second) = (task(1, DEADLINE), task(2, u64::MAX));
	bed.note(&first, 1, 0).expect("noted");
	bed.note(&second, 1, DEADLINE + KEEP_MILLIS).expect("noted");
	assert_eq!(bed.signed.root(&first).expect("whole"), Some(root(1)));
	assert!(is_other(bed.note(&first, 2, DEADLINE + KEEP_MILLIS)));
	bed.note(&task(3, u64::MAX), 1, DEADLINE + KEEP_MILLIS + 1).expect("noted");
	assert_eq!(bed.signed.root(&first).expect("whole"), None);
	assert_eq!(bed.signed.root(&second).expect("whole"), Some(root(1)));
}

#[test]
fn no_more_should_be_signed_than_is_remembered() {
	let bed = Bed::new();
	let notes: Vec<Note> = (0..MAX_SIGNED as u64 - 1)
		.map(|round| Note {
			task: task_hash(&task(round, DEADLINE)),
			root: root(1),
			round: RoundId(round),
			deadline: DEADLINE,
		})
		.collect();
	let write = bed.signed.store.db.begin_write().expect("writes");
	{
		let mut table = write.open_table(SIGNED).expect("opens");
		table.insert(ENTRY, notes.encode().as_slice()).expect("inserted");
	}
	write.commit().expect("written");
	let last = task(MAX_SIGNED as u64, DEADLINE);
	bed.note(&last, 1, 0).expect("the last one");
	let one_more = task(MAX_SIGNED as u64 + 1, DEADLINE);
	assert!(matches!(bed.note(&one_more, 1, 0), Err(ChallengeFault::Failed(_))));
	bed.note(&last, 1, 0).expect("known");
	bed.note(&one_more, 1, DEADLINE + KEEP_MILLIS + 1)
		.expect("the others are forgotten");
}

#[test]
fn nothing_should_be_signed_while_a_lost_note_may_be_about_an_open_round() {
	let bed = Bed::new();
	let task = task(1, DEADLINE);
	bed.note(&task, 1, 0).expect("noted");
	bed.damage();
	let is_lost = |bed: &Bed| {
		matches!(bed.note(&task, 2, 0), Err(ChallengeFault::SignedLost))
			&& matches!(bed.signed.root(&task), Err(ChallengeFault::SignedLost))
	};
	assert!(is_lost(&bed));
	// A restart does not mend it: it may have come at once.
	let mut bed = bed.restart();
	assert!(is_lost(&bed));
	bed.signed.patience = Duration::ZERO;
	assert_eq!(bed.signed.root(&task).expect("over"), None);
	bed.note(&task, 2, 0).expect("over");
	let bed = bed.restart();
	assert!(is_other(bed.note(&task, 1, 0)));
}
