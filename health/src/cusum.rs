//! Two-sided CUSUM: whether a metric left the level that it had when the device was healthy.
//!
//! Page's cumulative sums `S+ <- max(0, S+ + z - k)` and `S- <- max(0, S- - z - k)` with
//! `z = (x - mu) / sigma`, k = 0.5 and an alarm above h = 5. On independent normal samples that is
//! one false alarm in about 465 and about ten samples to see a shift of one sigma. `mu` is the
//! median of the first 256 samples and `sigma` 1.4826 times their median absolute deviation, so
//! that a few wild samples at the start do not blind the detector.
//!
//! Real metrics are not independent: a temperature follows load and the hour of the day, and a raw
//! one alarms far more often than the figure above says. Give such a metric's residual against its
//! own [`Trend`]. An alarm is a hint to drain and look, never a proof of fault.

use crate::fixed::Fraction;
use alloc::vec::Vec;
use core::num::NonZeroU64;

/// Samples that a baseline is learned from.
pub const BASELINE_SAMPLES: usize = 256;

/// Fraction bits of sums and limits.
const BITS: u32 = 16;

/// The slack k = 0.5, in Q16 sigmas.
const SLACK: i64 = 1 << (BITS - 1);

/// The limit h = 5, in Q16 sigmas.
const LIMIT: i64 = 5 << BITS;

/// No sample counts for more sigmas than this (Q16); far above the limit, far below overflow.
const MAX_Z: i128 = 1 << 40;

/// Samples are clamped to this magnitude before any arithmetic.
const MAX_SAMPLE: i64 = 1 << 40;

/// In which direction a metric left its baseline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
	/// It rose.
	Rise,
	/// It fell.
	Fall,
}

/// The level and spread of a healthy metric, in the metric's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Baseline {
	/// The usual value.
	pub mu: i64,
	/// The standard deviation around it.
	pub sigma: NonZeroU64,
}

impl Baseline {
	/// Median and scaled median absolute deviation of `samples`; `sigma` is rounded up and at least
	/// `min_sigma`. `None` for no samples.
	pub fn from_samples(samples: &[i64], min_sigma: NonZeroU64) -> Option<Self> {
		let mut sorted: Vec<i64> =
			samples.iter().map(|x| (*x).clamp(-MAX_SAMPLE, MAX_SAMPLE)).collect();
		let mu = median(&mut sorted)?;
		for x in sorted.iter_mut() {
			*x = x.saturating_sub(mu).saturating_abs();
		}
		let mad = u64::try_from(median(&mut sorted)?).unwrap_or(0);
		let sigma = mad.saturating_mul(14_826).div_ceil(10_000);
		Some(Self { mu, sigma: NonZeroU64::new(sigma).map_or(min_sigma, |s| s.max(min_sigma)) })
	}

	/// How many sigmas `x` is off, in Q16.
	fn z(&self, x: i64) -> i64 {
		let x = x.clamp(-MAX_SAMPLE, MAX_SAMPLE);
		let offset = i128::from(x).saturating_sub(i128::from(self.mu));
		let scaled = offset.saturating_mul(1 << BITS);
		let z = scaled.checked_div(i128::from(self.sigma.get())).unwrap_or(0);
		i64::try_from(z.clamp(-MAX_Z, MAX_Z)).unwrap_or(0)
	}
}

/// The median; of an even number, the mean of the middle two rounded towards zero.
fn median(values: &mut [i64]) -> Option<i64> {
	values.sort_unstable();
	let upper = values.len() / 2;
	let lower = values.len().checked_sub(1)? / 2;
	let sum = i128::from(*values.get(lower)?).saturating_add(i128::from(*values.get(upper)?));
	i64::try_from(sum / 2).ok()
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
	/// Fewer than [`BASELINE_SAMPLES`] so far.
	Learning(Vec<i64>),
	/// Comparing; both sums are Q16 sigmas, at least 0.
	Watching { baseline: Baseline, rise: i64, fall: i64 },
}

/// The detector of one metric of one device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cusum {
	min_sigma: NonZeroU64,
	state: State,
	alarms: u32,
}

impl Cusum {
	/// A detector that first learns. `min_sigma` is the resolution of the sensor in the metric's
	/// unit: a metric that never moved while it was learned is not alarming for moving by that.
	pub fn new(min_sigma: NonZeroU64) -> Self {
		let state = State::Learning(Vec::with_capacity(BASELINE_SAMPLES));
		Self { min_sigma, state, alarms: 0 }
	}

	/// A detector with a known baseline.
	pub fn with_baseline(baseline: Baseline) -> Self {
		Self {
			min_sigma: baseline.sigma,
			state: State::Watching { baseline, rise: 0, fall: 0 },
			alarms: 0,
		}
	}

	/// Takes in a sample. After an alarm both sums start again from zero, so that a metric that
	/// stays away keeps alarming and one that came back stops.
	pub fn observe(&mut self, x: i64) -> Option<Alarm> {
		match &mut self.state {
			State::Learning(samples) => {
				samples.push(x);
				if samples.len() >= BASELINE_SAMPLES {
					if let Some(baseline) = Baseline::from_samples(samples, self.min_sigma) {
						self.state = State::Watching { baseline, rise: 0, fall: 0 };
					}
				}
				None
			},
			State::Watching { baseline, rise, fall } => {
				let z = baseline.z(x);
				*rise = rise.saturating_add(z).saturating_sub(SLACK).max(0);
				*fall = fall.saturating_sub(z).saturating_sub(SLACK).max(0);
				let alarm = match (*rise > LIMIT, *fall > LIMIT) {
					(true, _) => Alarm::Rise,
					(_, true) => Alarm::Fall,
					(false, false) => return None,
				};
				(*rise, *fall) = (0, 0);
				self.alarms = self.alarms.saturating_add(1);
				Some(alarm)
			},
		}
	}

	/// The baseline, once learned.
	pub fn baseline(&self) -> Option<Baseline> {
		match &self.state {
			State::Learning(_) => None,
			State::Watching { baseline, .. } => Some(*baseline),
		}
	}

	/// Whether the device should be drained and looked at: there was an alarm since the baseline
	/// was learned. Stays until [`Cusum::relearn`].
	pub fn drain_hint(&self) -> bool {
		self.alarms > 0
	}

	/// Alarms since the baseline was learned.
	pub fn alarms(&self) -> u32 {
		self.alarms
	}

	/// Forgets the baseline and learns again: after maintenance, or once someone looked.
	pub fn relearn(&mut self) {
		*self = Self::new(self.min_sigma);
	}
}

/// Fraction bits of a trend's level.
const LEVEL_BITS: u32 = 20;

/// The slow level of a metric, an exponentially weighted mean over samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trend {
	/// What the level takes of each sample, Q62.
	gain: i128,
	/// Q20 of the metric's unit.
	level: Option<i128>,
}

impl Trend {
	/// A trend that forgets half in `half_life` samples.
	pub fn new(half_life: NonZeroU64) -> Self {
		let gain = Fraction::half_to_the(1, half_life).complement();
		Self { gain: i128::from(gain.to_bits()), level: None }
	}

	/// How far `x` is from the level so far (0 for the first sample); then moves the level.
	pub fn residual(&mut self, x: i64) -> i64 {
		// With 41 + 20 bits of level and 62 of gain every product fits i128.
		let x = i128::from(x.clamp(-MAX_SAMPLE, MAX_SAMPLE)).saturating_mul(1 << LEVEL_BITS);
		let level = self.level.unwrap_or(x);
		let off = x.saturating_sub(level);
		let step = off.saturating_mul(self.gain) >> 62;
		self.level = Some(level.saturating_add(step));
		i64::try_from(off >> LEVEL_BITS).unwrap_or(0)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	/// Nearly normal samples (sum of twelve uniforms) with sigma = 1,000, the same in every run.
	struct Noise(u64);

	impl Noise {
		fn uniform(&mut self) -> i64 {
			// SplitMix64.
			self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
			let mut z = self.0;
			z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
			z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
			((z ^ (z >> 31)) % 1_000) as i64
		}

		fn next(&mut self) -> i64 {
			(0..12).map(|_| self.uniform()).sum::<i64>() - 5_994
		}
	}

	fn unit_baseline() -> Baseline {
		Baseline { mu: 0, sigma: NonZeroU64::new(1_000).unwrap() }
	}

	fn mean_run_length(shift: i64) -> u64 {
		let mut noise = Noise(7);
		let runs = 2_000;
		let mut samples = 0;
		for _ in 0..runs {
			let mut cusum = Cusum::with_baseline(unit_baseline());
			loop {
				samples += 1;
				if cusum.observe(noise.next() + shift).is_some() {
					break;
				}
			}
		}
		samples / runs
	}

	#[test]
	fn run_length_should_be_as_published_when_nothing_is_wrong() {
		// 465 for exactly normal samples; ours have slightly thinner tails.
		let arl = mean_run_length(0);
		assert!((420..=560).contains(&arl), "{arl}");
	}

	#[test]
	fn run_length_should_be_short_when_the_mean_moves_by_one_sigma() {
		for shift in [1_000, -1_000] {
			let arl = mean_run_length(shift);
			assert!((9..=11).contains(&arl), "{arl}");
		}
	}

	#[test]
	fn observe_should_name_the_direction() {
		let mut cusum = Cusum::with_baseline(unit_baseline());
		assert_eq!((0..20).find_map(|_| cusum.observe(2_000)), Some(Alarm::Rise));
		let mut cusum = Cusum::with_baseline(unit_baseline());
		assert_eq!((0..20).find_map(|_| cusum.observe(-2_000)), Some(Alarm::Fall));
	}

	#[test]
	fn observe_should_alarm_only_above_the_limit() {
		// 5.5 sigma minus the slack is exactly the limit.
		let mut cusum = Cusum::with_baseline(unit_baseline());
		assert_eq!(cusum.observe(5_500), None);
		let mut cusum = Cusum::with_baseline(unit_baseline());
		assert_eq!(cusum.observe(5_501), Some(Alarm::Rise));
	}

	#[test]
	fn baseline_should_be_robust_when_some_samples_are_wild() {
		let mut noise = Noise(3);
		let mut cusum = Cusum::new(NonZeroU64::MIN);
		for i in 0..BASELINE_SAMPLES {
			assert_eq!(cusum.baseline(), None);
			let x = if i % 10 == 0 { i64::MAX } else { noise.next() };
			assert_eq!(cusum.observe(x), None);
		}
		let baseline = cusum.baseline().unwrap();
		assert!(baseline.mu.abs() < 300, "{baseline:?}");
		assert!((850..1_300).contains(&baseline.sigma.get()), "{baseline:?}");
	}

	#[test]
	fn drain_hint_should_last_until_relearned() {
		let mut cusum = Cusum::new(NonZeroU64::new(5).unwrap());
		for _ in 0..BASELINE_SAMPLES {
			cusum.observe(40);
		}
		assert_eq!(cusum.baseline().map(|b| (b.mu, b.sigma.get())), Some((40, 5)));
		assert!(!cusum.drain_hint());
		assert_eq!(cusum.observe(400), Some(Alarm::Rise));
		assert_eq!(cusum.observe(40), None);
		assert!(cusum.drain_hint());
		assert_eq!(cusum.alarms(), 1);
		cusum.relearn();
		assert!(!cusum.drain_hint());
		assert_eq!(cusum.baseline(), None);
	}

	#[test]
	fn median_should_take_the_middle() {
		assert_eq!(median(&mut []), None);
		assert_eq!(median(&mut [3]), Some(3));
		assert_eq!(median(&mut [9, 1, 4]), Some(4));
		assert_eq!(median(&mut [4, 1, 9, 2]), Some(3));
		assert_eq!(median(&mut [i64::MAX, i64::MAX]), Some(i64::MAX));
	}

	#[test]
	fn trend_should_halve_a_step_in_its_half_life() {
		let mut trend = Trend::new(NonZeroU64::new(48).unwrap());
		assert_eq!(trend.residual(0), 0);
		for _ in 0..48 {
			trend.residual(100_000);
		}
		assert!(trend.residual(100_000).abs_diff(50_000) <= 1);
	}

	proptest! {
		#[test]
		fn detector_should_take_any_samples(
			mu: i64, sigma in 1u64.., xs in prop::collection::vec(any::<i64>(), 1..200),
		) {
			let sigma = NonZeroU64::new(sigma).unwrap();
			let mut known = Cusum::with_baseline(Baseline { mu, sigma });
			let mut learning = Cusum::new(sigma);
			let mut trend = Trend::new(sigma);
			for x in xs.iter().cycle().take(400) {
				let alarmed = known.observe(*x).is_some();
				prop_assert!(!alarmed || known.drain_hint());
				learning.observe(*x);
				trend.residual(*x);
			}
			prop_assert!(learning.baseline().is_some_and(|b| b.sigma >= sigma));
		}
	}
}
