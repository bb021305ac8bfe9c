//! How verdicts become an outcome. Pure.

use crate::types::RoundOutcome;
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{ChallengeTask, Verdict},
	device::Performance,
	telemetry::PowerReading,
	Moment,
};
use armature_verifier::challenge::steps_per_second_per_lane;

/// Judges a round. With at least half of the verdicts failed (a tie fails), the round failed.
/// Otherwise the upper medians of the passed verdicts stand: of an even number the slower time and
/// the higher power, so that a doubt never flatters the device. Each field of the power figures is
/// taken for itself, the source by its trust; where every reading has `loaded >= idle`, the
/// medians have it too.
pub(crate) fn judge(
	task: &ChallengeTask,
	verdicts: &[Verdict],
	now: Moment,
) -> (RoundOutcome, Option<PowerReading>) {
	let passed: Vec<(u32, PowerReading)> = verdicts
		.iter()
		.filter_map(|verdict| match verdict {
			Verdict::Passed { elapsed_millis, power } => Some((*elapsed_millis, *power)),
			Verdict::Failed { .. } => None,
		})
		.collect();
	let failed = verdicts.len().saturating_sub(passed.len());
	if verdicts.is_empty() {
		return (RoundOutcome::Void, None);
	}
	let lost =
		(RoundOutcome::Failed { failed: count(failed), posted: count(verdicts.len()) }, None);
	if failed >= passed.len() {
		return lost;
	}
	let medians = (
		upper_median(passed.iter().map(|(elapsed, _)| *elapsed)),
		upper_median(passed.iter().map(|(_, power)| power.idle)),
		upper_median(passed.iter().map(|(_, power)| power.loaded)),
		upper_median(passed.iter().map(|(_, power)| power.source)),
		upper_median(passed.iter().map(|(_, power)| power.error)),
	);
	// More passed than failed, so there is one; an impossible absence counts against the device.
	let (Some(elapsed), Some(idle), Some(loaded), Some(source), Some(error)) = medians else {
		return lost;
	};
	let performance = Performance {
		steps_per_second_per_lane: steps_per_second_per_lane(task, elapsed),
		lanes: task.cpu.lanes,
		measured_at: now,
	};
	(RoundOutcome::Passed { performance }, Some(PowerReading { idle, loaded, source, error }))
}

/// The middle value in order, of an even number the larger of the two.
fn upper_median<V: Ord + Copy>(values: impl Iterator<Item = V>) -> Option<V> {
	let mut sorted: Vec<V> = values.collect();
	sorted.sort();
	sorted.get(sorted.len() / 2).copied()
}

/// A committee's count; committees have at most five members.
fn count(n: usize) -> u32 {
	u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::{
		challenge::{ChallengeFailure, CpuChallenge},
		telemetry::PowerSource,
		DeviceId, MilliWatts, Ppm, RoundId, H256,
	};
	use proptest::prelude::*;

	fn task() -> ChallengeTask {
		ChallengeTask {
			round: RoundId(1),
			device: DeviceId(2),
			seed: H256::zero(),
			cpu: CpuChallenge { lanes: 6, segments: 10, steps_per_segment: 100 },
			deadline: 5,
		}
	}

	fn passed(
		elapsed_millis: u32,
		idle: u32,
		loaded: u32,
		source: PowerSource,
		error: u32,
	) -> Verdict {
		let power = PowerReading {
			idle: MilliWatts(idle),
			loaded: MilliWatts(loaded),
			source,
			error: Ppm(error),
		};
		Verdict::Passed { elapsed_millis, power }
	}

	const FAILED: Verdict = Verdict::Failed { reason: ChallengeFailure::WrongResult };

	#[test]
	fn outcome_should_be_void_when_there_is_no_verdict() {
		assert_eq!(judge(&task(), &[], 9), (RoundOutcome::Void, None));
	}

	#[test]
	fn outcome_should_be_failed_when_half_or_more_failed() {
		let ok = passed(100, 1, 2, PowerSource::WallMeter, 0);
		let failed = |failed, posted| (RoundOutcome::Failed { failed, posted }, None);
		assert_eq!(judge(&task(), &[FAILED], 9), failed(1, 1));
		assert_eq!(judge(&task(), &[ok, FAILED], 9), failed(1, 2));
		assert_eq!(judge(&task(), &[ok, FAILED, FAILED, ok], 9), failed(2, 4));
		assert_eq!(judge(&task(), &[ok, FAILED, FAILED, ok, FAILED], 9), failed(3, 5));
		assert!(matches!(
			judge(&task(), &[ok, FAILED, FAILED, ok, ok], 9).0,
			RoundOutcome::Passed { .. }
		));
	}

	#[test]
	fn outcome_should_take_each_upper_median_by_itself() {
		use PowerSource::*;
		let verdicts = [
			passed(400, 10, 70, WallMeter, 5),
			passed(100, 40, 50, Estimated, 9),
			FAILED,
			passed(300, 20, 90, WallMeter, 7),
			passed(200, 30, 80, BoardSensor, 1),
		];
		let (outcome, power) = judge(&task(), &verdicts, 77);
		// Of 100, 200, 300, 400 ms the upper median is 300 ms: 1,000 steps in it.
		let performance =
			Performance { steps_per_second_per_lane: 3_333, lanes: 6, measured_at: 77 };
		assert_eq!(outcome, RoundOutcome::Passed { performance });
		let expected = PowerReading {
			idle: MilliWatts(30),
			loaded: MilliWatts(80),
			source: BoardSensor,
			error: Ppm(7),
		};
		assert_eq!(power, Some(expected));
	}

	proptest! {
		#[test]
		fn median_should_lie_within_what_was_said(
			said in proptest::collection::vec((1u32..10_000, 0u32..1_000, 0u32..1_000), 1..6),
		) {
			let verdicts: Vec<_> = said
				.iter()
				.map(|(ms, idle, more)| passed(*ms, *idle, idle + more + 1, PowerSource::WallMeter, 0))
				.collect();
			let (outcome, power) = judge(&task(), &verdicts, 0);
			let RoundOutcome::Passed { performance } = outcome else { panic!("all passed") };
			let speed = |ms: u32| 1_000_000 / u64::from(ms);
			let slowest = said.iter().map(|s| speed(s.0)).min().unwrap();
			let fastest = said.iter().map(|s| speed(s.0)).max().unwrap();
			prop_assert!((slowest..=fastest).contains(&performance.steps_per_second_per_lane));
			// At least half of the verdicts were no slower than what stands.
			let no_faster =
				said.iter().filter(|s| speed(s.0) >= performance.steps_per_second_per_lane).count();
			prop_assert!(no_faster * 2 >= said.len());
			let power = power.unwrap();
			prop_assert!(power.loaded > power.idle);
		}
	}
}
