use super::*;
use armature_primitives::{
	challenge::{CpuChallenge, Work},
	DeviceId, RoundId, H256,
};

const LEAD_MILLIS: u32 = 60_000;
const TRANSFER_MILLIS: u32 = 5_000;

/// From the round's block to the end of all transfers.
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
		lead_millis: LEAD_MILLIS,
		transfer_millis: TRANSFER_MILLIS,
		transfer_kib: 1,
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
	let task = network_task();
	// Some time passes while this runs.
	let lead = u64::from(LEAD_MILLIS);
	assert!(check_start(&task, clock(0, ENDS_MILLIS)).is_ok());
	assert!(is_too_late(check_start(&task, clock(0, ENDS_MILLIS - 1))));
	assert!(check_start(&task, clock(lead - 20_000, ENDS_MILLIS)).is_ok());
	assert!(is_too_late(check_start(&task, clock(lead, ENDS_MILLIS))));
	// What was seen before has less ahead.
	assert!(check_start(&task, clock(20_000, ENDS_MILLIS - 20_000)).is_ok());
	assert!(is_too_late(check_start(&task, clock(20_000, ENDS_MILLIS - 20_001))));
	// Other kinds take what time there is.
	assert!(check_start(&cpu_task(), clock(lead, 1)).is_ok());
}

#[test]
fn device_should_be_blamed_unless_this_verifier_was_away() {
	let (network, cpu) = (network_task(), cpu_task());
	let (there, was_away) = (clock(0, ENDS_MILLIS), clock(1, ENDS_MILLIS));
	let no_answer = ChallengeFailure::NoAnswer;
	assert_eq!(blamed(&network, there, no_answer).ok(), Some(no_answer));
	assert!(is_too_late(blamed(&network, was_away, no_answer)));
	assert_eq!(blamed(&cpu, was_away, no_answer).ok(), Some(no_answer));
	// What it says itself is its own doing.
	let forged = ChallengeFailure::BadSignature;
	assert_eq!(blamed(&network, was_away, forged).ok(), Some(forged));
}

#[test]
fn commitments_should_be_waited_for_until_data_moves() {
	let lead = Duration::from_millis(LEAD_MILLIS.into());
	let of = |task: ChallengeTask, already: u64, left: u64| {
		let clock = clock(already, left);
		clock.commit_ends(&task).saturating_duration_since(clock.since)
	};
	assert_eq!(of(network_task(), 0, ENDS_MILLIS), lead);
	assert_eq!(of(network_task(), 1_000, ENDS_MILLIS), lead - Duration::from_secs(1));
	assert_eq!(of(network_task(), LEAD_MILLIS.into(), ENDS_MILLIS), Duration::ZERO);
	assert_eq!(of(network_task(), 0, 10), Duration::from_millis(10));
	assert_eq!(of(cpu_task(), 0, ENDS_MILLIS), Duration::from_millis(ENDS_MILLIS));
}

#[test]
fn round_trips_should_be_rounded_up() {
	assert_eq!(micros(Duration::ZERO), 1);
	assert_eq!(micros(Duration::from_nanos(1_000)), 1);
	assert_eq!(micros(Duration::from_nanos(1_001)), 2);
	assert_eq!(micros(Duration::MAX), u32::MAX);
}
