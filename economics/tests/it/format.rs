//! The sentences.

use crate::{bare, flat, reading};
use armature_economics::{break_even, format};
use armature_primitives::{
	device::Tier,
	energy::{BreakEven, CurrencyCode, Placement, QuoteError},
	market::{Refusal, RefusalReason},
	telemetry::PowerSource,
	DeviceId, MilliWatts, Ppm,
};

fn quote() -> BreakEven {
	let mut r = reading(12_000, 41_000, 0);
	r.source = PowerSource::BoardSensor;
	let t = flat(290_000);
	let mut terms = bare(&r, &t, Ppm(1_100_000));
	// 100 ARMA per euro.
	terms.rate *= 100;
	terms.fixed_fee = 3_000_000_000;
	terms.margin = Ppm::from_percent(5);
	terms.protocol_fee = Ppm(25_000);
	let placement = Placement { start: 0, duration_millis: 36_000, lanes: 8 };
	break_even::break_even(&terms, &placement).expect("a sum")
}

#[test]
fn refusal_should_show_the_whole_sum_when_below_break_even() {
	let quote = quote();
	let payout = quote.break_even * 88 / 100 + 1;
	let refusal = Refusal {
		device: Some(DeviceId(5)),
		reason: RefusalReason::BelowBreakEven { payout, quote },
	};
	// 0.041 x 1.1 x 0.01 h is 0.451 Wh; times 0.29 EUR/kWh is 0.00013079 EUR, 0.013079 ARMA.
	// (0.013079 + 0.003) x 1.05 / 0.975 = 0.017315846154 ARMA.
	assert_eq!(
		format::refusal(&refusal),
		"device 5: below break-even by 12 %: 0.041 kW (board sensor) x PUE 1.10 x 0.01 h x \
		 0.29 EUR/kWh = 0.0001308 EUR = 0.013079 ARMA; with 0.003 ARMA of transaction fees, a \
		 margin of 5 % and a protocol fee of 2.5 % the payout must be at least 0.017315846154 \
		 ARMA, and is at most 0.015237944616 ARMA"
	);
}

#[test]
fn power_should_not_be_called_measured_when_estimated() {
	let mut quote = quote();
	quote.power_source = PowerSource::Estimated;
	assert!(format::energy_sum(&quote).starts_with("0.041 kW (estimated) x "));
}

#[test]
fn small_figures_should_not_show_as_nothing() {
	assert_eq!(format::hours(1), "0.000001 h");
	assert_eq!(format::kilowatts(MilliWatts(1)), "0.000001 kW");
	assert_eq!(format::arma(1), "0.000000000001 ARMA");
	assert_eq!(format::percent(Ppm(1)), "0.0001 %");
	assert_eq!(format::energy_price(87_300, CurrencyCode(*b"EUR")), "0.0873 EUR/kWh");
	assert_eq!(format::energy_price(300_000, CurrencyCode(*b"EUR")), "0.30 EUR/kWh");
	assert_eq!(format::currency(CurrencyCode([b'U', 0, 0xff])), "U??");
}

#[test]
fn memory_should_be_told_as_shown_or_as_still_to_be_shown() {
	assert_eq!(
		format::reason(&RefusalReason::Memory { has_mib: 0 }),
		"the device has not shown its memory yet: a memory round is to come"
	);
	assert_eq!(
		format::reason(&RefusalReason::Memory { has_mib: 1 }),
		"the device has shown to have 1 MiB of memory only"
	);
	assert_eq!(
		format::reason(&RefusalReason::Busy),
		"the device runs a lease, or its memory is being measured"
	);
}

#[test]
fn every_reason_should_have_its_own_sentence() {
	let mut reasons = vec![
		RefusalReason::NoAsks,
		RefusalReason::NotActive,
		RefusalReason::Busy,
		RefusalReason::Region,
		RefusalReason::Tier { has: None },
		RefusalReason::Availability { has: None },
		RefusalReason::Availability { has: Some(Ppm(990_000)) },
		RefusalReason::Performance { has: None },
		RefusalReason::Performance { has: Some(7) },
		RefusalReason::Memory { has_mib: 0 },
		RefusalReason::Memory { has_mib: 512 },
		RefusalReason::TooSlow { needs_millis: 7_200_000 },
		RefusalReason::SitePower {
			in_use: MilliWatts(2_000_000),
			needs: MilliWatts(41_000),
			limit: MilliWatts(2_040_000),
		},
		RefusalReason::PriceTooHigh { asked: 2 },
		RefusalReason::BelowBreakEven { payout: 1, quote: quote() },
		RefusalReason::BelowReserve { reserve: 2 },
	];
	reasons.extend(
		[Tier::T0, Tier::T1, Tier::T2, Tier::T3].map(|t| RefusalReason::Tier { has: Some(t) }),
	);
	reasons.extend(
		[
			QuoteError::UnknownDevice,
			QuoteError::NoTariff,
			QuoteError::NoPower,
			QuoteError::FeedStale,
			QuoteError::Overflow,
		]
		.map(|error| RefusalReason::NoQuote { error }),
	);
	let mut sentences: Vec<String> = reasons.iter().map(format::reason).collect();
	assert_eq!(
		format::reason(&RefusalReason::SitePower {
			in_use: MilliWatts(2_000_000),
			needs: MilliWatts(41_000),
			limit: MilliWatts(2_040_000),
		}),
		"the site's circuit is full: 2 kW in use, 0.041 kW needed, 2.04 kW allowed"
	);
	sentences.sort();
	sentences.dedup();
	assert_eq!(sentences.len(), reasons.len());
	assert!(sentences.iter().all(|s| !s.ends_with('.') && !s.contains("  ")));
	let nobody = Refusal { device: None, reason: RefusalReason::NoAsks };
	assert_eq!(format::refusal(&nobody), "no device is on offer");
}
