//! What is looked at, and what a liar risks.

use alloc::{collections::BTreeSet, vec::Vec};
use armature_primitives::Ppm;
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};

/// A word scaled to the numbers below `places`: `places * word / 2^64`, rounded down; 0 for none. Its
/// bias is below `places / 2^64`.
pub(crate) fn scaled(word: u64, places: u32) -> u32 {
	let scaled = u128::from(word).saturating_mul(u128::from(places)) >> 64;
	u32::try_from(scaled).unwrap_or_default()
}

/// The most samples of one draw, whatever is asked for.
pub const MAX_SAMPLES: u32 = 1 << 16;

/// `count` (at most [`MAX_SAMPLES`]) different numbers below `total`, uniformly drawn, or all of them when there are no more;
/// sorted. Floyd's algorithm (Bentley, "Programming Pearls: a sample of brilliance", 1987) over the
/// ChaCha8 stream under `key`.
pub(crate) fn draw(key: [u8; 32], total: u64, count: u32) -> Vec<u64> {
	let mut stream = ChaCha8Rng::from_seed(key);
	let mut chosen = BTreeSet::new();
	let count = u64::from(count.min(MAX_SAMPLES));
	for top in total.saturating_sub(count)..total {
		let places = u128::from(top).saturating_add(1);
		let drawn = u128::from(stream.next_u64()).saturating_mul(places) >> 64;
		let drawn = u64::try_from(drawn).unwrap_or(top);
		if !chosen.insert(drawn) {
			chosen.insert(top);
		}
	}
	chosen.into_iter().collect()
}

/// The probability that a share `skipped` of all units passes unseen when `samples` are looked at:
/// `(1 - skipped)^samples`, rounded up.
pub fn miss_probability(skipped: Ppm, samples: u32) -> Ppm {
	// Fractions of 2^63, every one rounded up, so that the result is never too small.
	const ONE: u128 = 1 << 63;
	let ppm = u128::from(Ppm::ONE.0);
	let right = ppm.saturating_sub(u128::from(skipped.0)).saturating_mul(ONE).div_ceil(ppm);
	let times = |a: u128, b: u128| a.saturating_mul(b).div_ceil(ONE);
	let (mut result, mut power, mut left) = (ONE, right, samples);
	while left > 0 {
		if left & 1 == 1 {
			result = times(result, power);
		}
		power = times(power, power);
		left >>= 1;
	}
	Ppm(u32::try_from(result.saturating_mul(ppm).div_ceil(ONE)).unwrap_or(Ppm::ONE.0))
}

/// How many samples let a share `skipped` pass with a probability of at most `miss`; `None` where no
/// number of them does, within what parts per million can tell.
pub fn samples_for(skipped: Ppm, miss: Ppm) -> Option<u32> {
	const MOST: u32 = 1 << 24;
	if miss_probability(skipped, MOST) > miss {
		return None;
	}
	// It falls with the number: the least one is between two bounds.
	let (mut low, mut high) = (0u32, MOST);
	while low < high {
		let middle = low.midpoint(high);
		if miss_probability(skipped, middle) <= miss {
			high = middle;
		} else {
			low = middle.saturating_add(1);
		}
	}
	Some(low)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn samples_should_be_those_of_the_literature() {
		// k = ceil(ln eps / ln(1 - f)).
		for (skipped, miss, samples) in [
			(10_000, 50_000, 299),
			(10_000, 10_000, 459),
			(50_000, 10_000, 90),
			(100_000, 10_000, 44),
			(100_000, 50_000, 29),
			(330_000, 50_000, 8),
		] {
			assert_eq!(samples_for(Ppm(skipped), Ppm(miss)), Some(samples), "{skipped}");
		}
		assert_eq!(samples_for(Ppm(0), Ppm(10_000)), None);
		assert_eq!(samples_for(Ppm::ONE, Ppm(0)), Some(1));
		assert_eq!(samples_for(Ppm(1), Ppm::ONE), Some(0));
	}

	proptest! {
		#[test]
		fn a_miss_should_never_be_told_too_small(skipped in 0u32..=1_000_000, samples in 0u32..5_000) {
			let told = f64::from(miss_probability(Ppm(skipped), samples).0) / 1e6;
			let exact = (1.0 - f64::from(skipped) / 1e6).powi(samples as i32);
			prop_assert!(told >= exact - 1e-9, "{told} {exact}");
			prop_assert!(told <= exact + 1.01e-6, "{told} {exact}");
		}

		#[test]
		fn draws_should_be_different_and_below(total in 0u64..200, count in 0u32..220, key: [u8; 32]) {
			let drawn = draw(key, total, count);
			prop_assert_eq!(drawn.len() as u64, total.min(count.into()));
			prop_assert!(drawn.windows(2).all(|two| two[0] < two[1]));
			prop_assert!(drawn.iter().all(|at| *at < total));
		}

		#[test]
		fn draws_should_be_bounded(total in 100_000u64..) {
			prop_assert_eq!(draw([1; 32], total, u32::MAX).len() as u32, MAX_SAMPLES);
		}

		#[test]
		fn words_should_be_scaled_below(word: u64, places in 1u32..) {
			prop_assert!(scaled(word, places) < places);
			prop_assert_eq!(scaled(u64::MAX, places), places - 1);
			prop_assert_eq!(scaled(word, 0), 0);
		}
	}
}
