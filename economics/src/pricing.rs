//! Fuel to money and to time. Prices are in planck per 10^9 fuel.

use crate::{math::mul_div_up, Error};
use armature_primitives::{units::FUEL_PER_GFUEL, Balance};

/// What `fuel` costs at `price_per_gfuel`, rounded up: the escrow of an order, and the most that
/// its lease can pay.
///
/// # Errors
///
/// [`Error::Overflow`].
pub fn cost_of_fuel(price_per_gfuel: Balance, fuel: u64) -> Result<Balance, Error> {
	mul_div_up(price_per_gfuel, fuel.into(), FUEL_PER_GFUEL.into())
}

/// Fuel per second of one lane that makes `steps_per_second` challenge steps, each worth
/// `fuel_per_step` fuel.
///
/// # Errors
///
/// [`Error::ZeroSpeed`] when either is zero, [`Error::Overflow`].
pub fn fuel_rate(steps_per_second: u64, fuel_per_step: u32) -> Result<u64, Error> {
	if steps_per_second == 0 || fuel_per_step == 0 {
		return Err(Error::ZeroSpeed);
	}
	steps_per_second.checked_mul(fuel_per_step.into()).ok_or(Error::Overflow)
}

/// Milliseconds that `fuel` takes at `fuel_per_second`, rounded up.
///
/// # Errors
///
/// [`Error::ZeroSpeed`], [`Error::Overflow`].
pub fn duration_millis(fuel: u64, fuel_per_second: u64) -> Result<u64, Error> {
	if fuel_per_second == 0 {
		return Err(Error::ZeroSpeed);
	}
	let millis = mul_div_up(fuel.into(), 1_000, fuel_per_second.into())?;
	u64::try_from(millis).map_err(|_| Error::Overflow)
}

/// The least price per 10^9 fuel at which `fuel` pays `break_even`, rounded up. At that price
/// [`cost_of_fuel`] is no less than `break_even`.
///
/// # Errors
///
/// [`Error::ZeroFuel`], [`Error::Overflow`].
pub fn price_floor_per_gfuel(break_even: Balance, fuel: u64) -> Result<Balance, Error> {
	if fuel == 0 {
		return Err(Error::ZeroFuel);
	}
	mul_div_up(break_even, FUEL_PER_GFUEL.into(), fuel.into())
}
