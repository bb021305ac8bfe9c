//! Multiplication and division through 256 bits.

use crate::Error;
use sp_arithmetic::{helpers_128bit::multiply_by_rational_with_rounding as mul_div, Rounding};

/// [`armature_primitives::Ppm::ONE`] as an operand.
pub(crate) const ONE: u128 = 1_000_000;

/// `a * b / c`, rounded up. [`Error::Overflow`] when it does not fit or `c` is zero.
pub(crate) fn mul_div_up(a: u128, b: u128, c: u128) -> Result<u128, Error> {
	mul_div(a, b, c, Rounding::Up).ok_or(Error::Overflow)
}

/// `a * b / c`, rounded down. [`Error::Overflow`] when it does not fit or `c` is zero.
pub(crate) fn mul_div_down(a: u128, b: u128, c: u128) -> Result<u128, Error> {
	mul_div(a, b, c, Rounding::Down).ok_or(Error::Overflow)
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::Ppm;

	#[test]
	fn one_should_be_the_whole_in_ppm() {
		assert_eq!(ONE, u128::from(Ppm::ONE.0));
	}

	#[test]
	fn mul_div_should_round_as_named_and_refuse_what_does_not_fit() {
		assert_eq!(mul_div_up(10, 1, 3), Ok(4));
		assert_eq!(mul_div_down(10, 1, 3), Ok(3));
		assert_eq!(mul_div_up(9, 1, 3), Ok(3));
		assert_eq!(mul_div_up(u128::MAX, u128::MAX, u128::MAX), Ok(u128::MAX));
		assert_eq!(mul_div_up(u128::MAX, 2, 1), Err(Error::Overflow));
		assert_eq!(mul_div_down(1, 1, 0), Err(Error::Overflow));
	}
}
