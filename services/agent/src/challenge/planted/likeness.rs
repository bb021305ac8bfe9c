//! How rounds went that were answered with work: a planted answer looks like them.

use armature_primitives::{
	challenge::{Work, WorkKind},
	telemetry::{PowerReading, PowerSource},
	MilliWatts, Ppm,
};
use codec::{Decode, Encode};
use rand::Rng;
use std::time::Duration;

/// How far apart the times of two rounds with the same work are, about.
const TIME_SPREAD: Ppm = Ppm(10_000);

/// How far apart measured power of two such rounds is.
const POWER_SPREAD: Ppm = Ppm(20_000);

/// How far apart estimates are, which know no more than the load: and never above the one for all of it.
const ESTIMATE_SPREAD: Ppm = Ppm(10_000);

/// What an answer looks like to whoever waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Likeness {
	/// How long it takes, in milliseconds.
	pub(super) millis: u64,
	/// How long a walk takes, in microseconds; 0 where there is none.
	pub(super) walk_micros: u64,
	/// The power that it took.
	pub(super) power: PowerReading,
}

/// How a round went that was answered with work.
#[derive(Clone, Copy, Debug)]
struct Run {
	work: Work,
	took: Duration,
	power: PowerReading,
	/// How long the last walk took over memory of this size, if one was made.
	walk: Option<Duration>,
}

/// The last rounds that were answered with work since the start.
#[derive(Debug, Default)]
pub(super) struct Honest {
	cpu: Option<Run>,
	memory: Option<Run>,
	gemm: Option<Run>,
	storage: Option<Run>,
}

impl Honest {
	/// Remembers how a round went.
	pub(super) fn remember(&mut self, work: Work, took: Duration, power: PowerReading) {
		let last = match work.kind() {
			WorkKind::Cpu => &mut self.cpu,
			WorkKind::Memory => &mut self.memory,
			WorkKind::Gemm => &mut self.gemm,
			WorkKind::Storage => &mut self.storage,
			// No answer looks like that.
			WorkKind::Network => return,
		};
		let walk = last.filter(|last| last.work == work).and_then(|last| last.walk);
		*last = Some(Run { work, took, power, walk });
	}

	/// Remembers how long a walk took in a round of memory.
	pub(super) fn remember_walk(&mut self, work: Work, took: Duration) {
		if let Some(last) = self.memory.as_mut().filter(|last| last.work == work) {
			last.walk = Some(took);
		}
	}

	/// What another round with this work looks like, if one was done in less time than is `left`, and
	/// walked over where it was of memory.
	pub(super) fn like(&self, work: &Work, left: Duration) -> Option<Likeness> {
		let (run, walk) = match work.kind() {
			WorkKind::Cpu => (self.cpu?, Duration::ZERO),
			WorkKind::Memory => (self.memory?, self.memory?.walk?),
			WorkKind::Gemm => (self.gemm?, Duration::ZERO),
			WorkKind::Storage => (self.storage?, Duration::ZERO),
			WorkKind::Network => return None,
		};
		let likeness = Likeness {
			millis: near(millis(run.took), TIME_SPREAD, TIME_SPREAD),
			walk_micros: u64::try_from(walk.as_micros()).unwrap_or(u64::MAX),
			power: power_like(run.power),
		};
		(run.work == *work && likeness.millis < millis(left)).then_some(likeness)
	}
}

impl Likeness {
	/// How long the answer takes.
	pub(super) fn after(&self) -> Duration {
		Duration::from_millis(self.millis)
	}

	/// How long one more walk takes.
	pub(super) fn walk(&self) -> Duration {
		Duration::from_micros(near(self.walk_micros, TIME_SPREAD, TIME_SPREAD))
	}
}

/// Power like this. The lowest power that was seen idle is the same from round to round, so it is kept,
/// unless the machine was never seen idle: then it goes along with the power under load.
fn power_like(power: PowerReading) -> PowerReading {
	let (less, more) = match power.source {
		PowerSource::Estimated => (ESTIMATE_SPREAD, Ppm(0)),
		_ => (POWER_SPREAD, POWER_SPREAD),
	};
	let loaded = near(power.loaded.0.into(), less, more);
	let loaded = MilliWatts(u32::try_from(loaded).unwrap_or(u32::MAX).max(1));
	let idle =
		if power.idle == power.loaded { loaded } else { power.idle.clamp(MilliWatts(1), loaded) };
	PowerReading { idle, loaded, ..power }
}

/// A random number near another one: as much as these shares of it below and above.
fn near(value: u64, less: Ppm, more: Ppm) -> u64 {
	let least = Ppm::ONE.0.saturating_sub(less.0);
	let most = Ppm::ONE.0.saturating_add(more.0);
	let share = rand::thread_rng().gen_range(least..=most.max(least));
	let scaled = u128::from(value).saturating_mul(share.into()) / u128::from(Ppm::ONE.0);
	u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
	u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::challenge::{
		CpuChallenge, GemmChallenge, MemoryChallenge, StorageChallenge,
	};
	use armature_verifier::challenge::check_power;
	use std::collections::HashSet;

	const WORK: Work = Work::Cpu(CpuChallenge { lanes: 3, segments: 20, steps_per_segment: 16 });
	const MORE: Work = Work::Cpu(CpuChallenge { lanes: 3, segments: 21, steps_per_segment: 16 });
	const MEMORY: Work =
		Work::Memory(MemoryChallenge { lanes: 2, blocks: 40, segments: 6, reads: 5 });
	const BIGGER: Work =
		Work::Memory(MemoryChallenge { lanes: 2, blocks: 41, segments: 6, reads: 5 });
	const TOOK: Duration = Duration::from_secs(10);
	const LEFT: Duration = Duration::from_secs(60);

	fn power(idle: u32, loaded: u32, source: PowerSource) -> PowerReading {
		let (idle, loaded) = (MilliWatts(idle), MilliWatts(loaded));
		PowerReading { idle, loaded, source, error: Ppm(5) }
	}

	fn measured() -> PowerReading {
		power(10_000, 100_000, PowerSource::WallMeter)
	}

	#[test]
	fn only_a_round_with_the_same_work_should_be_taken_for_a_like_one() {
		let mut honest = Honest::default();
		assert_eq!(honest.like(&WORK, LEFT), None);
		honest.remember(WORK, TOOK, measured());
		assert!(honest.like(&WORK, LEFT).is_some());
		assert!(honest.like(&MORE, LEFT).is_none() && honest.like(&MEMORY, LEFT).is_none());
		// There must be time for it, however long it takes exactly.
		assert!(honest.like(&WORK, Duration::from_millis(9_900)).is_none());
		assert!(honest.like(&WORK, Duration::from_millis(10_101)).is_some());
	}

	#[test]
	fn kinds_should_be_remembered_apart() {
		let mut honest = Honest::default();
		let gemm = Work::Gemm(GemmChallenge { side: 64, states: 3 });
		honest.remember(WORK, TOOK, measured());
		assert_eq!(honest.like(&gemm, LEFT), None);
		honest.remember(gemm, Duration::from_secs(20), measured());
		let millis = |work| honest.like(&work, LEFT).expect("known").millis;
		assert!(millis(gemm).abs_diff(20_000) <= 200 && millis(WORK).abs_diff(10_000) <= 100);
		let more = Work::Gemm(GemmChallenge { side: 64, states: 4 });
		assert_eq!(honest.like(&more, LEFT), None);
		let sealed = |sectors| {
			let (blocks, compressions, commit_millis, read_millis) = (2, 1, 1, 1);
			Work::Storage(StorageChallenge {
				sectors,
				blocks,
				compressions,
				commit_millis,
				read_millis,
			})
		};
		honest.remember(sealed(3), Duration::from_secs(1), measured());
		let like = honest.like(&sealed(3), LEFT).expect("known");
		assert!(like.millis.abs_diff(1_000) <= 10);
		assert_eq!(honest.like(&sealed(4), LEFT), None);
	}

	#[test]
	fn memory_should_have_been_walked_over() {
		let mut honest = Honest::default();
		let walk = Duration::from_millis(500);
		// Of nothing.
		honest.remember_walk(MEMORY, walk);
		honest.remember(MEMORY, TOOK, measured());
		honest.remember_walk(BIGGER, walk);
		honest.remember_walk(WORK, walk);
		assert!(honest.like(&MEMORY, LEFT).is_none());
		honest.remember_walk(MEMORY, walk);
		for _ in 0..2 {
			let likeness = honest.like(&MEMORY, LEFT).expect("walked");
			assert_eq!(likeness.walk_micros, 500_000);
			// Another round of it without a walk changes nothing.
			honest.remember(MEMORY, TOOK, measured());
		}
		honest.remember(BIGGER, TOOK, measured());
		assert!(honest.like(&BIGGER, LEFT).is_none() && honest.like(&MEMORY, LEFT).is_none());
	}

	#[test]
	fn no_two_answers_should_look_the_same_nor_very_different() {
		let mut honest = Honest::default();
		honest.remember(WORK, TOOK, measured());
		let mut seen = HashSet::new();
		for _ in 0..200 {
			let likeness = honest.like(&WORK, LEFT).expect("known");
			assert!(likeness.millis.abs_diff(10_000) <= 100, "{likeness:?}");
			assert!(likeness.power.loaded.0.abs_diff(100_000) <= 2_000, "{likeness:?}");
			let loaded = likeness.power.loaded;
			assert_eq!(likeness.power, PowerReading { loaded, ..measured() });
			assert!((9_900..=10_100).contains(&likeness.after().as_millis()));
			seen.insert((likeness.millis, likeness.power.loaded.0));
		}
		assert!(seen.len() > 100);
		let likeness = Likeness { millis: 1, walk_micros: 500_000, power: measured() };
		let walks: HashSet<_> = (0..200).map(|_| likeness.walk().as_micros()).collect();
		assert!(walks.len() > 100 && walks.iter().all(|walk| walk.abs_diff(500_000) <= 5_000));
	}

	#[test]
	fn power_should_stay_plausible() {
		for _ in 0..200 {
			for (idle, loaded) in [(0, 1), (1, 1), (99_999, 100_000), (7, u32::MAX), (0, 50)] {
				for source in [PowerSource::Estimated, PowerSource::PackageCounter] {
					let like = power_like(power(idle, loaded, source));
					check_power(&like).expect("plausible");
					assert!(like.idle.0 > 0 && like.source == source, "{like:?}");
				}
			}
			// Never seen idle, and not now either.
			let like = power_like(power(100_000, 100_000, PowerSource::BoardSensor));
			assert_eq!(like.idle, like.loaded);
			// An estimate is never above that for all threads.
			let like = power_like(power(10_000, 100_000, PowerSource::Estimated));
			assert!((99_000..=100_000).contains(&like.loaded.0), "{like:?}");
		}
	}
}
