//! Shares in Q62 fixed point and the powers of one half that decay them.

use armature_primitives::Ppm;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::num::{NonZeroU128, NonZeroU64};
use scale_info::TypeInfo;

/// Fraction bits of a [`Fraction`]. The product of two fits `u128` with bits to spare, and a
/// rounding error of 2^-62 per epoch stays invisible over any number of epochs.
const BITS: u32 = 62;

/// One in Q62.
const ONE: u64 = 1 << BITS;

/// Bits of the fractional part of an exponent that [`Fraction::half_to_the`] uses.
const EXPONENT_BITS: u32 = 32;

/// `2^(-2^-i)` for i = 1..=32 in Q62, rounded to nearest (computed with 60 decimal digits).
const ROOTS_OF_HALF: [u64; 32] = [
	3260954456333195553,
	3877950241171266237,
	4228934724888366668,
	4416165660797809419,
	4512867096753504463,
	4562008997483360349,
	4586780255215411731,
	4599216278082138665,
	4605446927862164404,
	4608565417332308035,
	4610125453837388245,
	4610905670110601999,
	4611295827762151833,
	4611490918967884501,
	4611588467665893036,
	4611637242788701951,
	4611661630543559956,
	4611673824469352645,
	4611679921444339948,
	4611682969934856344,
	4611684494180870228,
	4611685256304066092,
	4611685637365711255,
	4611685827896545643,
	4611685923161965790,
	4611685970794676601,
	4611685994611032191,
	4611686006519210032,
	4611686012473298964,
	4611686015450343433,
	4611686016938865668,
	4611686017683126786,
];

/// A share between zero and one, in Q62.
///
/// All constructors keep it in range. A value decoded from foreign bytes may not be: see
/// [`Fraction::is_valid`].
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Default,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Fraction(u64);

impl Fraction {
	/// Nothing.
	pub const ZERO: Fraction = Fraction(0);

	/// The whole.
	pub const ONE: Fraction = Fraction(ONE);

	/// `part / whole`, rounded down; a part above the whole counts as the whole. `None` when
	/// `whole` is zero.
	pub fn from_ratio(part: u32, whole: u32) -> Option<Self> {
		let share = (u128::from(part.min(whole)) << BITS).checked_div(u128::from(whole))?;
		Some(Self::clamped(share))
	}

	/// The share in parts per million, rounded down.
	pub fn to_ppm(self) -> Ppm {
		let scaled = u128::from(self.0).saturating_mul(u128::from(Ppm::ONE.0)) >> BITS;
		Ppm(u32::try_from(scaled).unwrap_or(u32::MAX).min(Ppm::ONE.0))
	}

	/// `2^-(elapsed / half_life)`, to within 2^-32 of itself and never above one.
	///
	/// Both arguments are in the same unit. The time taken does not depend on them beyond a
	/// constant.
	pub fn half_to_the(elapsed: u128, half_life: NonZeroU64) -> Self {
		let half_life = NonZeroU128::from(half_life);
		let whole = elapsed / half_life;
		let Ok(shift @ 0..BITS) = u32::try_from(whole) else { return Self::ZERO };
		// The remainder is below 2^64, so the shift loses nothing.
		let fraction = ((elapsed % half_life) << EXPONENT_BITS) / half_life;
		let mut bit = 1u128 << EXPONENT_BITS;
		let mut power = Self::ONE;
		for root in ROOTS_OF_HALF {
			bit >>= 1;
			if fraction & bit != 0 {
				power = power.times(Self(root));
			}
		}
		Self(power.0 >> shift)
	}

	/// The product, rounded down.
	pub fn times(self, other: Self) -> Self {
		Self::clamped(u128::from(self.0).saturating_mul(u128::from(other.0)) >> BITS)
	}

	/// What is missing to one.
	pub fn complement(self) -> Self {
		Self(ONE.saturating_sub(self.0))
	}

	/// `self * keep + other * (1 - keep)`, rounded down once. Monotone in `self` and in `other`
	/// and never outside of the two.
	pub fn blend(self, other: Self, keep: Self) -> Self {
		let kept = u128::from(self.0).saturating_mul(u128::from(keep.0));
		let added = u128::from(other.0).saturating_mul(u128::from(keep.complement().0));
		Self::clamped(kept.saturating_add(added) >> BITS)
	}

	/// Whether the value is at most one.
	pub fn is_valid(self) -> bool {
		self.0 <= ONE
	}

	/// The value in Q62.
	pub(crate) fn to_bits(self) -> u64 {
		self.0
	}

	fn clamped(bits: u128) -> Self {
		Self(u64::try_from(bits).unwrap_or(ONE).min(ONE))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn as_f64(value: Fraction) -> f64 {
		value.0 as f64 / ONE as f64
	}

	#[test]
	fn half_to_the_should_be_exact_at_whole_powers() {
		let h = NonZeroU64::new(144).unwrap();
		assert_eq!(Fraction::half_to_the(0, h), Fraction::ONE);
		assert_eq!(Fraction::half_to_the(144, h), Fraction(ONE / 2));
		assert_eq!(Fraction::half_to_the(144 * 61, h), Fraction(2));
		assert_eq!(Fraction::half_to_the(144 * 62, h), Fraction::ZERO);
		assert_eq!(Fraction::half_to_the(u128::MAX, NonZeroU64::MIN), Fraction::ZERO);
	}

	#[test]
	fn from_ratio_should_hit_both_ends_and_refuse_an_empty_whole() {
		assert_eq!(Fraction::from_ratio(0, 60), Some(Fraction::ZERO));
		assert_eq!(Fraction::from_ratio(60, 60), Some(Fraction::ONE));
		assert_eq!(Fraction::from_ratio(61, 60), Some(Fraction::ONE));
		assert_eq!(Fraction::from_ratio(u32::MAX, u32::MAX), Some(Fraction::ONE));
		assert_eq!(Fraction::from_ratio(1, 2), Some(Fraction(ONE / 2)));
		assert_eq!(Fraction::from_ratio(1, 0), None);
	}

	#[test]
	fn to_ppm_should_round_down() {
		assert_eq!(Fraction::ONE.to_ppm(), Ppm::ONE);
		assert_eq!(Fraction(ONE - 1).to_ppm(), Ppm(999_999));
		assert_eq!(Fraction::from_ratio(1, 3).unwrap().to_ppm(), Ppm(333_333));
	}

	#[test]
	fn is_valid_should_see_foreign_bits() {
		assert!(Fraction::ONE.is_valid());
		assert!(!Fraction(ONE + 1).is_valid());
	}

	proptest! {
		#[test]
		fn half_to_the_should_agree_with_floats(elapsed in 0u64..1 << 40, h in 1u64..1 << 40) {
			let got = as_f64(Fraction::half_to_the(elapsed.into(), NonZeroU64::new(h).unwrap()));
			let want = (-(elapsed as f64) / h as f64).exp2();
			prop_assert!((got - want).abs() <= want * 3e-10 + 1e-18, "{got} {want}");
		}

		#[test]
		fn half_to_the_should_fall_with_time(
			a in 0u128..1 << 50, b in 0u128..1 << 50, h in 1u64..u64::MAX,
		) {
			let h = NonZeroU64::new(h).unwrap();
			let (early, late) = (a.min(b), a.max(b));
			let (early, late) = (Fraction::half_to_the(early, h), Fraction::half_to_the(late, h));
			// A carry in the exponent replaces a product of rounded roots by one rounded root.
			prop_assert!(late.0 <= early.0.saturating_add(64));
		}

		#[test]
		fn blend_should_stay_between_its_arguments(a in 0..=ONE, b in 0..=ONE, k in 0..=ONE) {
			let blended = Fraction(a).blend(Fraction(b), Fraction(k));
			prop_assert!(blended.0 >= a.min(b) && blended.0 <= a.max(b));
		}
	}
}
