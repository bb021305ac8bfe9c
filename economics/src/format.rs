//! The sentences that people read: why a device did not take an order, with the sum behind it.
//!
//! Money is written out to the last planck; measured figures are rounded to four significant
//! digits, which is more than any of them is good for.

use crate::break_even::shortfall_ppm;
use alloc::{
	format,
	string::{String, ToString},
};
use armature_primitives::{
	device::Tier,
	energy::{BreakEven, CurrencyCode, QuoteError},
	market::{Refusal, RefusalReason},
	telemetry::PowerSource,
	units::MILLIS_PER_HOUR,
	Balance, MilliWatts, Ppm,
};

/// Decimals of one ARMA.
const ARMA_DECIMALS: u32 = 12;
const DIGITS: u32 = 4;

/// An amount in ARMA, exact: `0.0173 ARMA`.
pub fn arma(planck: Balance) -> String {
	format!("{} ARMA", decimal(planck, ARMA_DECIMALS, 0))
}

/// A power in kilowatt: `0.041 kW`.
pub fn kilowatts(power: MilliWatts) -> String {
	format!("{} kW", significant(power.0.into(), 6, 0))
}

/// A share in percent: `12 %`, `2.5 %`.
pub fn percent(share: Ppm) -> String {
	format!("{} %", significant(share.0.into(), 4, 0))
}

/// A currency code; what is not an upper-case letter shows as `?`.
pub fn currency(code: CurrencyCode) -> String {
	code.0
		.iter()
		.map(|c| if c.is_ascii_uppercase() { char::from(*c) } else { '?' })
		.collect()
}

/// A price of energy: `0.29 EUR/kWh`.
pub fn energy_price(micro_per_kwh: u32, code: CurrencyCode) -> String {
	format!("{} {}/kWh", significant(micro_per_kwh.into(), 6, 2), currency(code))
}

/// A length of time: `0.01 h`.
pub fn hours(millis: u64) -> String {
	// Millionths of an hour, rounded up: a stretch of work never shows as nothing.
	let micro = u128::from(millis)
		.saturating_mul(1_000_000)
		.div_ceil(u128::from(MILLIS_PER_HOUR));
	format!("{} h", significant(micro, 6, 0))
}

/// How a power figure was come by.
pub fn power_source(source: PowerSource) -> &'static str {
	match source {
		PowerSource::WallMeter => "wall meter",
		PowerSource::BoardSensor => "board sensor",
		PowerSource::PackageCounter => "package counter",
		PowerSource::Estimated => "estimated",
	}
}

/// The electricity of a placement as a product: `0.041 kW (board sensor) x PUE 1.10 x 0.01 h x
/// 0.29 EUR/kWh = 0.0001308 EUR = 0.01308 ARMA`.
pub fn energy_sum(quote: &BreakEven) -> String {
	let micro_mwh = u128::from(quote.energy.0).saturating_mul(quote.micro_per_kwh.into());
	format!(
		"{} ({}) x PUE {} x {} x {} = {} {} = {}",
		kilowatts(quote.power),
		power_source(quote.power_source),
		significant(quote.pue.0.into(), 6, 2),
		hours(quote.duration_millis),
		energy_price(quote.micro_per_kwh, quote.currency),
		significant(micro_mwh, 12, 0),
		currency(quote.currency),
		arma(quote.energy_cost),
	)
}

/// What a placement must earn, from the electricity on: the second half of a refusal, and of the
/// answer to "what must this earn".
pub fn least_payout(quote: &BreakEven) -> String {
	format!(
		"{}; with {} of transaction fees, a margin of {} and a protocol fee of {} the payout must \
		 be at least {}",
		energy_sum(quote),
		arma(quote.fixed_fee),
		percent(quote.margin),
		percent(quote.protocol_fee),
		arma(quote.break_even),
	)
}

/// The refusal of a payout that is too low: by how much, and the whole sum.
pub fn below_break_even(payout: Balance, quote: &BreakEven) -> String {
	format!(
		"below break-even by {}: {}, and is at most {}",
		percent(shortfall_ppm(payout, quote)),
		least_payout(quote),
		arma(payout),
	)
}

/// Why there is no break-even, and what helps.
pub fn quote_error(error: QuoteError) -> &'static str {
	match error {
		QuoteError::UnknownDevice => "the device or its site does not exist",
		QuoteError::NoTariff => "the site has no electricity tariff: its provider must set one",
		QuoteError::NoPower => {
			"the device has no recent power figures: they come with its next passed challenge"
		},
		QuoteError::FeedStale => "too few fresh exchange rates for the tariff's currency",
		QuoteError::Overflow => {
			"a figure of the sum is out of range: more lanes than the device has, no duration, or \
			 an amount that does not fit"
		},
	}
}

/// One refusal with the device that gave it.
pub fn refusal(refusal: &Refusal) -> String {
	match refusal.device {
		Some(device) => format!("device {device}: {}", reason(&refusal.reason)),
		None => reason(&refusal.reason),
	}
}

/// Why a device could not take an order, as one sentence without a full stop.
pub fn reason(reason: &RefusalReason) -> String {
	match reason {
		RefusalReason::NoAsks => "no device is on offer".to_string(),
		RefusalReason::NotActive => "the device is not active".to_string(),
		RefusalReason::Busy => {
			"the device runs a lease, or its memory is being measured".to_string()
		},
		RefusalReason::Region => "the device is in another region".to_string(),
		RefusalReason::Tier { has: Some(has) } => {
			format!("the device is attested at {} only", tier(*has))
		},
		RefusalReason::Tier { has: None } => "the device has no valid attestation".to_string(),
		RefusalReason::Availability { has: Some(has) } => {
			format!("the device's availability of {} is too low or not fresh", percent(*has))
		},
		RefusalReason::Availability { has: None } => {
			"the device has no availability score yet".to_string()
		},
		RefusalReason::Performance { has: Some(has) } => {
			format!("the device is too slow: {has} challenge steps per second on one lane")
		},
		RefusalReason::Performance { has: None } => {
			"the device has no recent performance score".to_string()
		},
		RefusalReason::Memory { has_mib: 0 } => {
			"the device has not shown its memory yet: a memory round is to come".to_string()
		},
		RefusalReason::Memory { has_mib } => {
			format!("the device has shown to have {has_mib} MiB of memory only")
		},
		RefusalReason::TooSlow { needs_millis } => format!(
			"the fuel takes {} at the device's speed, longer than the order's time limit",
			hours(*needs_millis)
		),
		RefusalReason::SitePower { in_use, needs, limit } => format!(
			"the site's circuit is full: {} in use, {} needed, {} allowed",
			kilowatts(*in_use),
			kilowatts(*needs),
			kilowatts(*limit)
		),
		RefusalReason::PriceTooHigh { asked } => {
			format!("the ask of {} for 10^9 fuel is above the order's limit", arma(*asked))
		},
		RefusalReason::BelowBreakEven { payout, quote } => below_break_even(*payout, quote),
		RefusalReason::NoQuote { error } => format!("no break-even: {}", quote_error(*error)),
		RefusalReason::BelowReserve { reserve } => format!(
			"below the provider's reserve of {} for 10^9 fuel, which holds while there is no fresh \
			 exchange rate",
			arma(*reserve)
		),
	}
}

/// The name of a tier.
pub fn tier(tier: Tier) -> &'static str {
	match tier {
		Tier::T0 => "T0",
		Tier::T1 => "T1",
		Tier::T2 => "T2",
		Tier::T3 => "T3",
	}
}

/// `value / 10^decimals`, exact, without trailing zeros but with at least `keep` decimals.
fn decimal(value: u128, decimals: u32, keep: u32) -> String {
	let unit = 10u128.checked_pow(decimals).unwrap_or(u128::MAX);
	let whole = value.checked_div(unit).unwrap_or(0);
	let mut rest = value.checked_rem(unit).unwrap_or(0);
	let mut places = decimals;
	while places > keep && rest.checked_rem(10) == Some(0) {
		rest = rest.checked_div(10).unwrap_or(0);
		places = places.saturating_sub(1);
	}
	if places == 0 {
		return whole.to_string();
	}
	let width = usize::try_from(places).unwrap_or(usize::MAX);
	format!("{whole}.{rest:0width$}")
}

/// `value / 10^decimals`, its decimals rounded half up so that four significant digits are left;
/// digits before the point all stay.
fn significant(value: u128, decimals: u32, keep: u32) -> String {
	let length = value.checked_ilog10().map_or(1, |log| log.saturating_add(1));
	let dropped = length.saturating_sub(DIGITS).min(decimals);
	let step = 10u128.checked_pow(dropped).unwrap_or(u128::MAX);
	let half = step.checked_div(2).unwrap_or(0);
	let rounded = value.saturating_add(half).checked_div(step).unwrap_or(0);
	let places = decimals.saturating_sub(dropped);
	decimal(rounded, places, keep.min(places))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn decimal_should_be_exact_and_trimmed() {
		assert_eq!(decimal(0, 12, 0), "0");
		assert_eq!(decimal(1, 12, 0), "0.000000000001");
		assert_eq!(decimal(1_500_000_000_000, 12, 0), "1.5");
		assert_eq!(decimal(1_000_000, 6, 2), "1.00");
		assert_eq!(decimal(7, 0, 0), "7");
		assert_eq!(decimal(u128::MAX, 12, 0), "340282366920938463463374607.431768211455");
	}

	#[test]
	fn significant_should_round_half_up_and_keep_whole_digits() {
		assert_eq!(significant(123_456, 6, 0), "0.1235");
		assert_eq!(significant(123_449, 6, 0), "0.1234");
		assert_eq!(significant(1_234_567_890, 3, 0), "1234568");
		assert_eq!(significant(99_999, 4, 0), "10");
		assert_eq!(significant(1_100_000, 6, 2), "1.10");
		assert_eq!(significant(0, 6, 2), "0.00");
		assert_eq!(significant(u128::MAX, 12, 0), "340282366920938463463374607");
	}
}
