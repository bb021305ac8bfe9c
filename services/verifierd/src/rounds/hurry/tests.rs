use super::*;
use armature_primitives::{
	challenge::{CpuChallenge, NetworkChallenge, StorageChallenge},
	DeviceId, RoundId, H256,
};
use tokio::time::Instant;

/// The time to commit, of both kinds.
const COMMIT_MILLIS: u32 = 60_000;

const TRANSFER_MILLIS: u32 = 5_000;
const READ_MILLIS: u32 = 10_000;

/// From the round's block to the end of all of it, of both kinds.
const ENDS_MILLIS: u64 = 70_000;

fn task(work: Work) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(1),
		device: DeviceId(1),
		seed: H256::zero(),
		work,
		deadline: u64::MAX,
	}
}

fn network_task() -> ChallengeTask {
	task(Work::Network(NetworkChallenge {
		echoes: 3,
		lead_millis: COMMIT_MILLIS,
		transfer_millis: TRANSFER_MILLIS,
		transfer_kib: 1,
	}))
}

fn storage_task() -> ChallengeTask {
	storage_due(COMMIT_MILLIS, READ_MILLIS)
}

fn storage_due(commit_millis: u32, read_millis: u32) -> ChallengeTask {
	task(Work::Storage(StorageChallenge {
		sectors: 1,
		blocks: 16,
		compressions: 1,
		commit_millis,
		read_millis,
	}))
}

fn cpu_task() -> ChallengeTask {
	task(Work::Cpu(CpuChallenge { lanes: 1, segments: 1, steps_per_segment: 1 }))
}

/// A round that was first seen so long ago, and has to be judged so long from now.
fn clock(already: u64, left: u64) -> RoundClock {
	let since = Instant::now();
	RoundClock {
		already: Duration::from_millis(already),
		since,
		ends: since + Duration::from_millis(left),
	}
}

fn is_too_late<T>(result: Result<T, Unjudged>) -> bool {
	matches!(result, Err(Unjudged::TooLate))
}

#[test]
fn round_should_be_begun_only_when_all_of_it_is_ahead() {
	// Some time passes while this runs.
	let commit = u64::from(COMMIT_MILLIS);
	for task in [network_task(), storage_task()] {
		assert!(check_start(&task, clock(0, ENDS_MILLIS)).is_ok());
		assert!(is_too_late(check_start(&task, clock(0, ENDS_MILLIS - 1))));
		assert!(check_start(&task, clock(commit - 20_000, ENDS_MILLIS)).is_ok());
		assert!(is_too_late(check_start(&task, clock(commit, ENDS_MILLIS))));
		// What was seen before has less ahead.
		assert!(check_start(&task, clock(20_000, ENDS_MILLIS - 20_000)).is_ok());
		assert!(is_too_late(check_start(&task, clock(20_000, ENDS_MILLIS - 20_001))));
	}
	// The longest times that a task can name.
	let longest = u64::from(u32::MAX) * 2;
	assert!(check_start(&storage_due(u32::MAX, u32::MAX), clock(0, longest)).is_ok());
	assert!(is_too_late(check_start(&storage_due(u32::MAX, u32::MAX), clock(0, longest - 1))));
	// Other kinds take what time there is.
	assert!(check_start(&cpu_task(), clock(commit, 1)).is_ok());
}

#[test]
fn device_should_be_blamed_unless_this_verifier_was_away() {
	let (there, was_away) = (clock(0, ENDS_MILLIS), clock(1, ENDS_MILLIS));
	let no_answer = ChallengeFailure::NoAnswer;
	// What it says itself is its own doing.
	let forged = ChallengeFailure::BadSignature;
	for task in [network_task(), storage_task()] {
		assert_eq!(blamed(&task, there, no_answer).ok(), Some(no_answer));
		assert!(is_too_late(blamed(&task, was_away, no_answer)));
		assert_eq!(blamed(&task, was_away, forged).ok(), Some(forged));
	}
	assert_eq!(blamed(&cpu_task(), was_away, no_answer).ok(), Some(no_answer));
}

#[test]
fn commitments_should_be_waited_for_while_they_are_in_time() {
	let commit = Duration::from_millis(COMMIT_MILLIS.into());
	let of = |task: &ChallengeTask, already: u64, left: u64| {
		let clock = clock(already, left);
		clock.commit_ends(task).saturating_duration_since(clock.since)
	};
	for task in [network_task(), storage_task()] {
		assert_eq!(of(&task, 0, ENDS_MILLIS), commit);
		assert_eq!(of(&task, 1_000, ENDS_MILLIS), commit - Duration::from_secs(1));
		assert_eq!(of(&task, COMMIT_MILLIS.into(), ENDS_MILLIS), Duration::ZERO);
		assert_eq!(of(&task, 0, 10), Duration::from_millis(10));
	}
	assert_eq!(of(&cpu_task(), 0, ENDS_MILLIS), Duration::from_millis(ENDS_MILLIS));
}

#[test]
fn commitment_that_came_too_late_should_be_no_answer() {
	for task in [network_task(), storage_task()] {
		assert_eq!(check_answer(&task, 1), Ok(()));
		assert_eq!(check_answer(&task, COMMIT_MILLIS), Ok(()));
		assert_eq!(check_answer(&task, COMMIT_MILLIS + 1), Err(ChallengeFailure::NoAnswer));
	}
	assert_eq!(check_answer(&cpu_task(), u32::MAX), Ok(()));
}
