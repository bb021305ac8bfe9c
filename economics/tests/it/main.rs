//! The formulas against worked examples, real prices and their own laws.

#![allow(
	clippy::print_stdout,
	clippy::unwrap_used,
	reason = "helpers of tests fail and speak as tests do"
)]

mod anchors;
mod format;
mod properties;
mod refusals;
mod traces;

use armature_economics::break_even::Terms;
use armature_primitives::{
	energy::{CurrencyCode, Placement, Tariff, HOURS_PER_DAY},
	telemetry::{PowerReading, PowerSource},
	units::{ARMA, MILLIS_PER_HOUR},
	MilliWatts, Ppm,
};

const EUR: CurrencyCode = CurrencyCode(*b"EUR");

fn flat(micro_per_kwh: u32) -> Tariff {
	Tariff { currency: EUR, micro_per_kwh: [micro_per_kwh; HOURS_PER_DAY] }
}

fn reading(idle: u32, loaded: u32, error: u32) -> PowerReading {
	PowerReading {
		idle: MilliWatts(idle),
		loaded: MilliWatts(loaded),
		source: PowerSource::WallMeter,
		error: Ppm(error),
	}
}

/// One ARMA per euro, no fees, no margin: the break-even is the electricity.
fn bare<'a>(reading: &'a PowerReading, tariff: &'a Tariff, pue: Ppm) -> Terms<'a> {
	Terms {
		reading,
		lanes_total: 8,
		pue,
		tariff,
		rate: ARMA,
		fixed_fee: 0,
		protocol_fee: Ppm(0),
		margin: Ppm(0),
	}
}

fn one_hour(lanes: u16) -> Placement {
	Placement { start: 0, duration_millis: MILLIS_PER_HOUR, lanes }
}
