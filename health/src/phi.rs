//! The phi-accrual failure detector (Hayashibara, Defago, Yared, Katayama, 2004) in its
//! exponential form.
//!
//! `phi = -log10(P(silence lasts at least this long))`; with exponential gaps between signs of
//! life that is `elapsed / (mean * ln 10)`. A suspicion of 8 is wrong once in 10^8 gaps, if gaps
//! are as assumed.

use core::num::NonZeroU64;

/// Suspicion in thousandths: `MilliPhi(8_000)` is phi = 8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MilliPhi(pub u32);

/// From here on a device is suspect: no new work.
pub const SUSPECT: MilliPhi = MilliPhi(8_000);

/// From here on a device counts as down: its work moves.
pub const DOWN: MilliPhi = MilliPhi(12_000);

/// Gaps over which the mean is taken, once there are as many.
const WINDOW: u64 = 128;

/// A gap counts as at most this many expected gaps, so that one outage does not blunt the
/// detector for the next.
const MAX_GAP: u64 = 16;

/// Fraction bits of the mean.
const MEAN_BITS: u32 = 16;

/// ln 10 in Q32.
const LN_10: u128 = 9_889_527_671;
const LN_10_BITS: u32 = 32;

/// The detector of one device. Times are milliseconds of one clock, the observer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Phi {
	/// The gap that the protocol asks for, in milliseconds.
	expected: u64,
	/// Running mean gap in Q16 milliseconds, never below `expected`.
	mean: u128,
	/// Gaps in the mean, at most [`WINDOW`].
	gaps: u64,
	/// The last sign of life.
	last: u64,
}

impl Phi {
	/// A device that was just heard for the first time, at `now`, and is expected to be heard every
	/// `expected` milliseconds.
	pub fn new(expected: NonZeroU64, now: u64) -> Self {
		// Kept small enough that no product below can leave u128.
		let expected = expected.get().min(u64::from(u32::MAX));
		Self { expected, mean: u128::from(expected) << MEAN_BITS, gaps: 1, last: now }
	}

	/// The device was heard at `now`. A time before the last one is ignored.
	pub fn heard(&mut self, now: u64) {
		let Some(gap) = now.checked_sub(self.last) else { return };
		self.last = now;
		// A device may beat faster than asked, but not so as to be called down sooner.
		let gap = gap.clamp(self.expected, self.expected.saturating_mul(MAX_GAP));
		self.gaps = self.gaps.saturating_add(1).min(WINDOW);
		let weight = u128::from(self.gaps);
		let old = self.mean.saturating_mul(weight.saturating_sub(1));
		let sum = old.saturating_add(u128::from(gap) << MEAN_BITS);
		// Rounded up: the mean has a floor at `expected` and must not sink through it.
		self.mean = sum.div_ceil(weight.max(1));
	}

	/// The suspicion at `now`, rounded down.
	pub fn phi(&self, now: u64) -> MilliPhi {
		let elapsed = u128::from(now.saturating_sub(self.last));
		let scaled = elapsed.saturating_mul(1_000) << MEAN_BITS.saturating_add(LN_10_BITS);
		let phi = scaled.checked_div(self.mean.saturating_mul(LN_10)).unwrap_or(u128::MAX);
		MilliPhi(u32::try_from(phi).unwrap_or(u32::MAX))
	}

	/// The mean gap in milliseconds, rounded down.
	pub fn mean_gap(&self) -> u64 {
		u64::try_from(self.mean >> MEAN_BITS).unwrap_or(u64::MAX)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	const SLOT: NonZeroU64 = NonZeroU64::new(10_000).unwrap();

	fn steady(beats: u64) -> (Phi, u64) {
		let mut phi = Phi::new(SLOT, 1_000);
		let mut now = 1_000;
		for _ in 0..beats {
			now += SLOT.get();
			phi.heard(now);
		}
		(phi, now)
	}

	#[test]
	fn phi_should_match_the_formula_when_gaps_are_steady() {
		let (phi, now) = steady(200);
		assert_eq!(phi.mean_gap(), 10_000);
		assert_eq!(phi.phi(now), MilliPhi(0));
		for elapsed in [1u64, 9_999, 10_000, 123_456, 1_000_000] {
			let want = elapsed as f64 / (10_000.0 * std::f64::consts::LN_10) * 1e3;
			assert_eq!(phi.phi(now + elapsed), MilliPhi(want as u32), "{elapsed}");
		}
	}

	#[test]
	fn phi_should_cross_the_thresholds_at_ln_10_multiples() {
		// 8 ln 10 = 18.42 gaps and 12 ln 10 = 27.63 gaps.
		let (phi, now) = steady(10);
		assert!(phi.phi(now + 184_206) < SUSPECT);
		assert!(phi.phi(now + 184_207) >= SUSPECT);
		assert!(phi.phi(now + 276_310) < DOWN);
		assert!(phi.phi(now + 276_311) >= DOWN);
	}

	#[test]
	fn mean_should_forget_an_outage_and_never_sink_below_the_protocol() {
		let (mut phi, mut now) = steady(200);
		now += 86_400_000;
		phi.heard(now);
		// One gap counts as at most 16: (127 * 10 s + 160 s) / 128.
		assert_eq!(phi.mean_gap(), 11_171);
		for _ in 0..2_000 {
			now += 1;
			phi.heard(now);
		}
		assert_eq!(phi.mean_gap(), 10_000);
	}

	#[test]
	fn heard_should_ignore_a_clock_that_steps_back() {
		let (mut phi, now) = steady(5);
		let before = phi;
		phi.heard(now - 1);
		assert_eq!(phi, before);
	}

	proptest! {
		#[test]
		fn phi_should_rise_with_silence_and_never_overflow(
			expected in 1u64.., gaps in prop::collection::vec(0u64.., 0..40), a: u64, b: u64,
		) {
			let mut phi = Phi::new(NonZeroU64::new(expected).unwrap(), 0);
			let mut now = 0u64;
			for gap in gaps {
				now = now.saturating_add(gap);
				phi.heard(now);
				prop_assert!(phi.mean_gap() >= expected.min(u32::MAX.into()));
			}
			let (early, late) = (now.saturating_add(a.min(b)), now.saturating_add(a.max(b)));
			prop_assert!(phi.phi(early) <= phi.phi(late));
		}
	}
}
