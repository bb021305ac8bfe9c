//! Time-of-use prices and energy.

use crate::{math::mul_div_up, Error};
use armature_primitives::{
	energy::Tariff, units::MILLIS_PER_HOUR, MilliWattHours, MilliWatts, Moment,
};

const MILLIS_PER_DAY: u64 = 24 * MILLIS_PER_HOUR;

/// The price of the UTC hour that `at` lies in, in micro-currency per kWh.
pub fn price_at(tariff: &Tariff, at: Moment) -> u32 {
	let hour = at.rem_euclid(MILLIS_PER_DAY).div_euclid(MILLIS_PER_HOUR);
	// The index is below 24 by the two divisions; the dearest hour stands in if it ever is not.
	usize::try_from(hour)
		.ok()
		.and_then(|hour| tariff.micro_per_kwh.get(hour).copied())
		.unwrap_or_else(|| tariff.micro_per_kwh.iter().copied().max().unwrap_or(u32::MAX))
}

/// The time-weighted mean price over `[start, start + duration_millis)`, in micro-currency per kWh,
/// rounded up. Exact to the millisecond, in 24 steps whatever the duration.
///
/// # Errors
///
/// [`Error::EmptyPlacement`] for a duration of zero.
pub fn mean_micro_per_kwh(
	tariff: &Tariff,
	start: Moment,
	duration_millis: u64,
) -> Result<u32, Error> {
	if duration_millis == 0 {
		return Err(Error::EmptyPlacement);
	}
	let days = duration_millis.div_euclid(MILLIS_PER_DAY);
	let rest = duration_millis.rem_euclid(MILLIS_PER_DAY);
	// What is left after whole days is one window of less than a day. It starts on day 0 and may
	// reach into day 1, where the same 24 prices hold again.
	let from = start.rem_euclid(MILLIS_PER_DAY);
	let to = from.saturating_add(rest);

	let mut total = 0u128;
	let mut hour_start = 0u64;
	for price in tariff.micro_per_kwh {
		let next_day = hour_start.saturating_add(MILLIS_PER_DAY);
		let millis = days
			.saturating_mul(MILLIS_PER_HOUR)
			.saturating_add(overlap(from, to, hour_start))
			.saturating_add(overlap(from, to, next_day));
		total = total.saturating_add(u128::from(millis).saturating_mul(price.into()));
		hour_start = hour_start.saturating_add(MILLIS_PER_HOUR);
	}
	// A mean is never above the dearest price, so it fits.
	let mean = mul_div_up(total, 1, duration_millis.into())?;
	u32::try_from(mean).map_err(|_| Error::Overflow)
}

/// Milliseconds that `[from, to)` shares with the hour that starts at `hour_start`.
fn overlap(from: u64, to: u64, hour_start: u64) -> u64 {
	let hour_end = hour_start.saturating_add(MILLIS_PER_HOUR);
	to.min(hour_end).saturating_sub(from.max(hour_start))
}

/// Energy of `power` over `duration_millis`, rounded up.
///
/// # Errors
///
/// [`Error::Overflow`].
pub fn energy(power: MilliWatts, duration_millis: u64) -> Result<MilliWattHours, Error> {
	let energy = mul_div_up(power.0.into(), duration_millis.into(), MILLIS_PER_HOUR.into())?;
	u64::try_from(energy).map(MilliWattHours).map_err(|_| Error::Overflow)
}
