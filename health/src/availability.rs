//! The availability score: how much of its time a device proved itself up.
//!
//! Three exponentially weighted means of the share of proven slots, with half-lives of one day, a
//! week and a month. The score is the least of them: the short one makes it fall fast, the long
//! one makes it rise slowly. Per epoch each mean moves by `a <- a + alpha * (up - a)` with
//! `alpha = 1 - 2^-(epoch / half-life)`; `n` silent epochs multiply it by `2^-(n * epoch /
//! half-life)` in one step.

use crate::fixed::Fraction;
use armature_primitives::Ppm;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::num::NonZeroU64;
use scale_info::TypeInfo;

/// Milliseconds of a day.
const DAY_MILLIS: u64 = 86_400_000;

const fn days(n: u64) -> NonZeroU64 {
	match NonZeroU64::new(n.saturating_mul(DAY_MILLIS)) {
		Some(millis) => millis,
		None => NonZeroU64::MIN,
	}
}

/// The half-lives in milliseconds: a day, a week, a month of 30 days.
pub const HALF_LIVES_MILLIS: [NonZeroU64; 3] = [days(1), days(7), days(30)];

/// What the three means need to know of the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AvailabilityParams {
	/// Length of an epoch in milliseconds.
	pub epoch_millis: NonZeroU64,
}

impl AvailabilityParams {
	/// The factor that one mean keeps over `epochs` epochs.
	fn keep(&self, epochs: u64, half_life: NonZeroU64) -> Fraction {
		let elapsed = u128::from(epochs).saturating_mul(u128::from(self.epoch_millis.get()));
		Fraction::half_to_the(elapsed, half_life)
	}
}

/// The three means of one device. See the [module](self).
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Availability {
	/// In the order of [`HALF_LIVES_MILLIS`].
	means: [Fraction; 3],
}

impl Availability {
	/// Starts all means at the first observation.
	pub fn new(first: Fraction) -> Self {
		Self { means: [first; 3] }
	}

	/// Takes in an epoch of which the share `up` was proven.
	pub fn observe(&mut self, up: Fraction, params: AvailabilityParams) {
		for (mean, half_life) in self.means.iter_mut().zip(HALF_LIVES_MILLIS) {
			*mean = mean.blend(up, params.keep(1, half_life));
		}
	}

	/// Takes in `epochs` epochs of which nothing was proven. The work does not grow with `epochs`.
	pub fn miss(&mut self, epochs: u64, params: AvailabilityParams) {
		for (mean, half_life) in self.means.iter_mut().zip(HALF_LIVES_MILLIS) {
			*mean = mean.times(params.keep(epochs, half_life));
		}
	}

	/// The least of the three means, rounded down.
	pub fn score(&self) -> Ppm {
		self.means.iter().min().copied().unwrap_or(Fraction::ZERO).to_ppm()
	}

	/// Whether all means are at most one, as every sequence of calls leaves them.
	pub fn is_valid(&self) -> bool {
		self.means.iter().all(|mean| mean.is_valid())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::MaxEncodedLen;
	use proptest::prelude::*;

	/// Production: 60 slots of 10 s.
	const PARAMS: AvailabilityParams =
		AvailabilityParams { epoch_millis: NonZeroU64::new(600_000).unwrap() };
	const EPOCHS_PER_DAY: u64 = 144;

	fn share(slots: u32) -> Fraction {
		Fraction::from_ratio(slots, 60).unwrap()
	}

	fn perfect() -> Availability {
		Availability::new(Fraction::ONE)
	}

	#[test]
	fn score_should_halve_when_a_day_is_missed() {
		let mut a = perfect();
		a.miss(EPOCHS_PER_DAY, PARAMS);
		assert_eq!(a.score(), Ppm(500_000));
	}

	#[test]
	fn score_should_rise_slowly_after_it_fell_fast() {
		// GIVEN a perfect device that is silent for a day.
		let mut a = perfect();
		a.miss(EPOCHS_PER_DAY, PARAMS);
		// WHEN it is perfect again for a day.
		for _ in 0..EPOCHS_PER_DAY {
			a.observe(Fraction::ONE, PARAMS);
		}
		// THEN the day-long mean is back at 0.75 and is still the least: 1 - 0.5 * 0.5.
		assert!(a.score().0.abs_diff(750_000) <= 1, "{:?}", a.score());
		// WHEN a week passes, the month-long mean is what holds it down.
		for _ in 0..6 * EPOCHS_PER_DAY {
			a.observe(Fraction::ONE, PARAMS);
		}
		let week = 1.0 - (1.0 - (-1.0f64 / 7.0).exp2()) * 0.5;
		let month = 1.0 - (1.0 - (-1.0f64 / 30.0).exp2()) * (-7.0f64 / 30.0).exp2();
		let want = (week.min(month) * 1e6) as u32;
		assert!(a.score().0.abs_diff(want) <= 1, "{:?} {want}", a.score());
	}

	#[test]
	fn score_should_converge_when_the_share_is_steady() {
		let mut a = Availability::new(Fraction::ZERO);
		for _ in 0..400 * EPOCHS_PER_DAY {
			a.observe(share(54), PARAMS);
		}
		assert!(a.score().0.abs_diff(900_000) <= 100, "{:?}", a.score());
		assert!(a.score().0 <= 900_000);
	}

	#[test]
	fn score_should_follow_the_half_life_when_epochs_are_short() {
		// A development network: slots of 100 ms, epochs of 6 s; the half-lives stay in days.
		let params = AvailabilityParams { epoch_millis: NonZeroU64::new(6_000).unwrap() };
		let mut a = perfect();
		for _ in 0..14_400 {
			a.observe(Fraction::ZERO, params);
		}
		assert!(a.score().0.abs_diff(500_000) <= 1, "{:?}", a.score());
	}

	#[test]
	fn miss_should_reach_zero_when_epochs_are_extreme() {
		let mut a = perfect();
		a.miss(u64::MAX, AvailabilityParams { epoch_millis: NonZeroU64::MAX });
		assert_eq!(a.score(), Ppm(0));
	}

	#[test]
	fn encoding_should_be_three_words() {
		assert_eq!(Availability::max_encoded_len(), 24);
		assert_eq!(perfect().encode().len(), 24);
	}

	#[derive(Clone, Debug)]
	enum Step {
		Observe(u32),
		Miss(u64),
	}

	fn steps() -> impl Strategy<Value = Vec<Step>> {
		prop::collection::vec(
			prop_oneof![(0u32..=60).prop_map(Step::Observe), (0u64..2_000).prop_map(Step::Miss)],
			0..60,
		)
	}

	fn apply(a: &mut Availability, step: &Step) {
		match step {
			Step::Observe(slots) => a.observe(share(*slots), PARAMS),
			Step::Miss(epochs) => a.miss(*epochs, PARAMS),
		}
	}

	proptest! {
		#[test]
		fn score_should_stay_in_range(first in 0u32..=60, steps in steps()) {
			let mut a = Availability::new(share(first));
			for step in &steps {
				apply(&mut a, step);
				prop_assert!(a.is_valid());
				prop_assert!(a.score() <= Ppm::ONE);
			}
		}

		#[test]
		fn score_should_be_monotone_in_every_observation(
			first in 0u32..=60, steps in steps(), at in 0usize..60, extra in 1u32..=60,
		) {
			let mut worse = Availability::new(share(first));
			let mut better = worse;
			for (i, step) in steps.iter().enumerate() {
				apply(&mut worse, step);
				match step {
					Step::Observe(slots) if i == at =>
						apply(&mut better, &Step::Observe(slots.saturating_add(extra).min(60))),
					other => apply(&mut better, other),
				}
				prop_assert!(better.score() >= worse.score());
			}
		}

		#[test]
		fn observe_should_move_towards_what_is_seen(first in 0u32..=60, seen in 0u32..=60) {
			let mut a = Availability::new(share(first));
			let before = a.score();
			a.observe(share(seen), PARAMS);
			if seen >= first {
				prop_assert!(a.score() >= before);
			} else {
				prop_assert!(a.score() < before);
			}
		}

		#[test]
		fn miss_should_compose(first in 0u32..=60, a in 0u64..1 << 40, b in 0u64..1 << 40) {
			let mut once = Availability::new(share(first));
			let mut twice = once;
			once.miss(a + b, PARAMS);
			twice.miss(a, PARAMS);
			twice.miss(b, PARAMS);
			prop_assert!(once.score().0.abs_diff(twice.score().0) <= 1);
		}

		#[test]
		fn miss_should_equal_empty_observations(first in 0u32..=60, n in 0u64..500) {
			let mut missed = Availability::new(share(first));
			let mut empty = missed;
			missed.miss(n, PARAMS);
			for _ in 0..n {
				empty.observe(Fraction::ZERO, PARAMS);
			}
			prop_assert!(missed.score().0.abs_diff(empty.score().0) <= 1);
		}
	}
}
