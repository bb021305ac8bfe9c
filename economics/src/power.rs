//! Power of a placement.

use crate::{
	math::{mul_div_up, ONE},
	Error,
};
use armature_primitives::{telemetry::PowerReading, MilliWatts, Ppm};

/// Whether a reading agrees with itself: something is drawn when idle, no less under load, and the
/// error band does not reach below zero.
///
/// These are the bounds that hold for every machine. Bounds from efficiency and thermal design
/// power (`operations / best operations per joule <= energy <= 1.1 * TDP * time`) need the device's
/// class, see [`plausible_for_work`].
pub fn plausible(reading: &PowerReading) -> bool {
	reading.idle > MilliWatts(0) && reading.loaded >= reading.idle && reading.error <= Ppm::ONE
}

/// Whether a loaded power can have done the work that was measured with it.
///
/// `operations_per_second` is the speed under that load, `best_operations_per_joule` the highest
/// efficiency that the device's class can reach, `design_power` the sum of its parts' thermal
/// design power. Below `operations_per_second / best_operations_per_joule` the meter lies or the
/// work ran elsewhere; above 110 % of the design power the meter lies as well. The reading's error
/// band is given the benefit of the doubt on both sides.
///
/// # Errors
///
/// [`Error::ImplausibleReading`] for a reading that is not [`plausible`], [`Error::ZeroSpeed`] for
/// an efficiency of zero, [`Error::Overflow`].
pub fn plausible_for_work(
	reading: &PowerReading,
	operations_per_second: u128,
	best_operations_per_joule: u128,
	design_power: MilliWatts,
) -> Result<bool, Error> {
	if !plausible(reading) {
		return Err(Error::ImplausibleReading);
	}
	if best_operations_per_joule == 0 {
		return Err(Error::ZeroSpeed);
	}
	let loaded = u128::from(reading.loaded.0);
	let error = u128::from(reading.error.0);
	let upper = mul_div_up(loaded, ONE.saturating_add(error), ONE)?;
	// Rounding up on both sides keeps a reading on the bound.
	let lower = loaded.saturating_sub(mul_div_up(loaded, error, ONE)?);
	let floor = mul_div_up(operations_per_second, 1_000, best_operations_per_joule)?;
	let ceiling = mul_div_up(u128::from(design_power.0), 110, 100)?;
	Ok(upper >= floor && lower <= ceiling)
}

/// Power at the device of a placement that keeps `lanes_used` of `lanes_total` lanes busy: for each
/// lane its share of the idle power and of what load adds to it, at the upper end of the reading's
/// error band.
///
/// `(idle + (loaded - idle)) * lanes_used / lanes_total * (1 + error)`, rounded up.
///
/// # Errors
///
/// [`Error::ImplausibleReading`], [`Error::Lanes`], [`Error::Overflow`].
pub fn placement_power(
	reading: &PowerReading,
	lanes_used: u16,
	lanes_total: u16,
) -> Result<MilliWatts, Error> {
	if !plausible(reading) {
		return Err(Error::ImplausibleReading);
	}
	if lanes_used == 0 || lanes_used > lanes_total {
		return Err(Error::Lanes);
	}
	// Idle and active power are shared by the same key, so their sum is the loaded power.
	let lanes = u128::from(lanes_used).saturating_mul(ONE.saturating_add(reading.error.0.into()));
	let whole = u128::from(lanes_total).saturating_mul(ONE);
	let power = mul_div_up(reading.loaded.0.into(), lanes, whole)?;
	u32::try_from(power).map(MilliWatts).map_err(|_| Error::Overflow)
}

/// Power at the wall: `power * pue`, rounded up.
///
/// # Errors
///
/// [`Error::Pue`] below one, [`Error::Overflow`].
pub fn wall_power(power: MilliWatts, pue: Ppm) -> Result<MilliWatts, Error> {
	if pue < Ppm::ONE {
		return Err(Error::Pue);
	}
	let wall = mul_div_up(power.0.into(), pue.0.into(), ONE)?;
	u32::try_from(wall).map(MilliWatts).map_err(|_| Error::Overflow)
}
