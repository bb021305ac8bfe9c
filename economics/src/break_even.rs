//! The least payout at which a provider does not lose.

use crate::{
	math::{mul_div_up, ONE},
	power, tariff, Error,
};
use armature_primitives::{
	energy::{BreakEven, Placement, Tariff},
	telemetry::PowerReading,
	Balance, MilliWattHours, Ppm,
};

/// Milliwatt-hours of a kWh times micro-units of a currency unit.
const MWH_PER_KWH_TIMES_MICRO: u128 = 1_000_000_000_000;

/// Everything but the placement that a break-even sum depends on.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
	/// The device's measured power.
	pub reading: &'a PowerReading,
	/// Lanes that the device offers.
	pub lanes_total: u16,
	/// Power usage effectiveness of its site, at least one.
	pub pue: Ppm,
	/// The site's tariff.
	pub tariff: &'a Tariff,
	/// Planck per whole unit of the tariff's currency, not zero.
	pub rate: Balance,
	/// Transaction fees that the provider pays for a lease.
	pub fixed_fee: Balance,
	/// Protocol fee on the payout, below the whole.
	pub protocol_fee: Ppm,
	/// Margin that the provider must be left with.
	pub margin: Ppm,
}

/// Electricity in planck: `energy * micro_per_kwh * rate / 10^12`, rounded up.
///
/// # Errors
///
/// [`Error::ZeroRate`], [`Error::Overflow`].
pub fn energy_cost(
	energy: MilliWattHours,
	micro_per_kwh: u32,
	rate: Balance,
) -> Result<Balance, Error> {
	if rate == 0 {
		return Err(Error::ZeroRate);
	}
	// 64 bits times 32 bits: exact.
	let currency = u128::from(energy.0).saturating_mul(micro_per_kwh.into());
	mul_div_up(currency, rate, MWH_PER_KWH_TIMES_MICRO)
}

/// The least payout that leaves `costs * (1 + margin)` after the protocol fee.
///
/// Both steps round up, so that a payout of that size, settled by
/// [`crate::settlement::settle`], leaves the provider no less in whole planck.
///
/// # Errors
///
/// [`Error::Fee`] when the fee takes everything, [`Error::Overflow`].
pub fn least_payout(costs: Balance, margin: Ppm, protocol_fee: Ppm) -> Result<Balance, Error> {
	let kept = ONE
		.checked_sub(protocol_fee.0.into())
		.filter(|kept| *kept > 0)
		.ok_or(Error::Fee)?;
	let needed = mul_div_up(costs, ONE.saturating_add(margin.0.into()), ONE)?;
	mul_div_up(needed, ONE, kept)
}

/// The break-even sum of `placement` under `terms`:
/// `ceil((energy cost + fixed fee) * (1 + margin) / (1 - protocol fee))`.
///
/// # Errors
///
/// Those of [`power::placement_power`], [`power::wall_power`], [`tariff::mean_micro_per_kwh`],
/// [`energy_cost`] and [`least_payout`].
pub fn break_even(terms: &Terms<'_>, placement: &Placement) -> Result<BreakEven, Error> {
	let power = power::placement_power(terms.reading, placement.lanes, terms.lanes_total)?;
	let wall = power::wall_power(power, terms.pue)?;
	let micro_per_kwh =
		tariff::mean_micro_per_kwh(terms.tariff, placement.start, placement.duration_millis)?;
	let energy = tariff::energy(wall, placement.duration_millis)?;
	let energy_cost = energy_cost(energy, micro_per_kwh, terms.rate)?;
	let costs = energy_cost.checked_add(terms.fixed_fee).ok_or(Error::Overflow)?;
	Ok(BreakEven {
		power,
		power_source: terms.reading.source,
		pue: terms.pue,
		duration_millis: placement.duration_millis,
		energy,
		micro_per_kwh,
		currency: terms.tariff.currency,
		rate: terms.rate,
		energy_cost,
		fixed_fee: terms.fixed_fee,
		protocol_fee: terms.protocol_fee,
		margin: terms.margin,
		break_even: least_payout(costs, terms.margin, terms.protocol_fee)?,
	})
}

/// Whether `payout` is enough.
pub fn covers(payout: Balance, quote: &BreakEven) -> bool {
	payout >= quote.break_even
}

/// How far `payout` is below break-even, as a share of break-even, rounded up: zero exactly when
/// it [`covers`], never above the whole.
pub fn shortfall_ppm(payout: Balance, quote: &BreakEven) -> Ppm {
	let missing = quote.break_even.saturating_sub(payout);
	if missing == 0 {
		return Ppm(0);
	}
	mul_div_up(missing, ONE, quote.break_even)
		.ok()
		.and_then(|share| u32::try_from(share).ok())
		.map_or(Ppm::ONE, Ppm)
}
