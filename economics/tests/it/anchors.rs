//! Figures worked out by hand.

use crate::{bare, flat, one_hour, reading, EUR};
use armature_economics::{break_even, power, pricing, rates, settlement, slashing, tariff};
use armature_primitives::{
	energy::{Placement, Tariff},
	units::{ARMA, MILLIS_PER_HOUR},
	MilliWattHours, MilliWatts, Ppm,
};

/// Planck of electricity for one hour of a fully busy machine, at one ARMA per euro.
fn hour_cost(loaded: u32, pue: Ppm, micro_per_kwh: u32) -> u128 {
	let (reading, tariff) = (reading(30_000, loaded, 0), flat(micro_per_kwh));
	break_even::break_even(&bare(&reading, &tariff, pue), &one_hour(8))
		.expect("a sum")
		.energy_cost
}

#[test]
fn electricity_should_match_the_published_anchors() {
	// H100 SXM: 0.70 kW x 1.3 x 0.19 EUR/kWh = 0.1729 EUR/h.
	assert_eq!(hour_cost(700_000, Ppm(1_300_000), 190_000), 172_900_000_000);
	// RTX 4090 at home: 0.45 kW x 1.0 x 0.287 EUR/kWh = 0.12915 EUR/h.
	assert_eq!(hour_cost(450_000, Ppm::ONE, 287_000), 129_150_000_000);
	// RTX 3090 at home: 0.35 kW x 1.0 x 0.287 EUR/kWh = 0.10045 EUR/h.
	assert_eq!(hour_cost(350_000, Ppm::ONE, 287_000), 100_450_000_000);
}

#[test]
fn break_even_should_add_fees_and_margin_when_all_are_set() {
	let (reading, tariff) = (reading(30_000, 700_000, 0), flat(190_000));
	let mut terms = bare(&reading, &tariff, Ppm(1_300_000));
	terms.fixed_fee = 2_100_000_000;
	terms.margin = Ppm::from_percent(10);
	terms.protocol_fee = Ppm(25_000);
	let quote = break_even::break_even(&terms, &one_hour(8)).unwrap();
	assert_eq!(quote.power, MilliWatts(700_000));
	assert_eq!(quote.energy, MilliWattHours(910_000));
	assert_eq!(quote.micro_per_kwh, 190_000);
	assert_eq!(quote.energy_cost, 172_900_000_000);
	// (172.9 + 2.1) * 1.1 / 0.975 = 197.435897435897..., rounded up.
	assert_eq!(quote.break_even, 197_435_897_436);
	assert!(break_even::covers(197_435_897_436, &quote));
	assert!(!break_even::covers(197_435_897_435, &quote));
	assert_eq!(break_even::shortfall_ppm(197_435_897_436, &quote), Ppm(0));
	assert_eq!(break_even::shortfall_ppm(197_435_897_435, &quote), Ppm(1));
	assert_eq!(break_even::shortfall_ppm(0, &quote), Ppm::ONE);
}

#[test]
fn placement_power_should_take_lanes_and_the_upper_end_of_the_error_band() {
	// 80 W at full load, 3 of 8 lanes, +5 %: 31.5 W.
	let r = reading(20_000, 80_000, 50_000);
	assert_eq!(power::placement_power(&r, 3, 8), Ok(MilliWatts(31_500)));
	assert_eq!(power::placement_power(&r, 8, 8), Ok(MilliWatts(84_000)));
	// 10 mW over 3 lanes rounds up.
	assert_eq!(power::placement_power(&reading(1, 10, 0), 1, 3), Ok(MilliWatts(4)));
	assert_eq!(power::wall_power(MilliWatts(41_001), Ppm(1_100_000)), Ok(MilliWatts(45_102)));
}

#[test]
fn energy_should_round_up() {
	assert_eq!(tariff::energy(MilliWatts(41_000), 36_000), Ok(MilliWattHours(410)));
	assert_eq!(tariff::energy(MilliWatts(1), 1), Ok(MilliWattHours(1)));
	assert_eq!(tariff::energy(MilliWatts(0), 1), Ok(MilliWattHours(0)));
}

/// 100 by night, 300 from 06:00 to 18:00 UTC, 1,000 from 23:00 on.
fn day_and_night() -> Tariff {
	let mut micro_per_kwh = [100; 24];
	micro_per_kwh[6..18].fill(300);
	micro_per_kwh[23] = 1_000;
	Tariff { currency: EUR, micro_per_kwh }
}

#[test]
fn mean_price_should_weigh_by_time_when_hours_differ() {
	let t = day_and_night();
	let hour = MILLIS_PER_HOUR;
	// Half an hour at 100, half at 300.
	assert_eq!(tariff::mean_micro_per_kwh(&t, 5 * hour + hour / 2, hour), Ok(200));
	// Over midnight: half an hour at 1,000, half at 100.
	assert_eq!(tariff::mean_micro_per_kwh(&t, 23 * hour + hour / 2, hour), Ok(550));
	// A whole day from anywhere: (11 * 100 + 12 * 300 + 1,000) / 24 = 237.5.
	assert_eq!(tariff::mean_micro_per_kwh(&t, 7 * hour + 1, 24 * hour), Ok(238));
	// Two days and one hour at 300: (2 * 5,700 + 300) / 49 = 238.8.
	assert_eq!(tariff::mean_micro_per_kwh(&t, 6 * hour, 49 * hour), Ok(239));
	// One millisecond before and after the boundary.
	assert_eq!(tariff::mean_micro_per_kwh(&t, 6 * hour - 1, 1), Ok(100));
	assert_eq!(tariff::mean_micro_per_kwh(&t, 6 * hour, 1), Ok(300));
	assert_eq!(tariff::price_at(&t, 30 * hour - 1), 100);
	assert_eq!(tariff::price_at(&t, 30 * hour), 300);
	assert_eq!(tariff::price_at(&t, u64::MAX), 300);
}

#[test]
fn fuel_should_turn_into_money_and_time() {
	assert_eq!(pricing::cost_of_fuel(ARMA, 1_500_000_000), Ok(ARMA * 3 / 2));
	assert_eq!(pricing::cost_of_fuel(1, 1), Ok(1));
	assert_eq!(pricing::fuel_rate(1_000_000, 350), Ok(350_000_000));
	assert_eq!(pricing::duration_millis(1_000_000_000, 350_000_000), Ok(2_858));
	assert_eq!(pricing::price_floor_per_gfuel(10, 3_000_000_000), Ok(4));
}

#[test]
fn settlement_should_pay_all_on_full_fuel_and_round_down_on_part_of_it() {
	// 10 planck per 10^9 fuel, at most 1.25 * 10^9: escrow of 13.
	let (price, max) = (10, 1_250_000_000);
	let escrow = pricing::cost_of_fuel(price, max).unwrap();
	assert_eq!(escrow, 13);
	let settle = |used, fee| settlement::settle(escrow, price, used, max, Ppm(fee)).unwrap();
	let parts = |s: settlement::Settlement| (s.paid, s.fee, s.refunded);
	assert_eq!(parts(settle(max, 0)), (13, 0, 0));
	assert_eq!(parts(settle(u64::MAX, 0)), (13, 0, 0));
	assert_eq!(parts(settle(max - 1, 0)), (12, 0, 1));
	assert_eq!(parts(settle(99_999_999, 0)), (0, 0, 13));
	assert_eq!(parts(settle(0, 25_000)), (0, 0, 13));
	// A fee of 2.5 % of 13 is 0.325: one planck.
	assert_eq!(parts(settle(max, 25_000)), (12, 1, 0));
	assert_eq!(parts(settle(max, 1_000_000)), (0, 13, 0));
	assert_eq!(parts(settlement::refund_all(13)), (0, 0, 13));
}

#[test]
fn slash_should_round_up_and_stop_at_the_bond() {
	assert_eq!(slashing::slash_amount(1_000, Ppm::from_percent(5)), 50);
	assert_eq!(slashing::slash_amount(1, Ppm(1)), 1);
	assert_eq!(slashing::slash_amount(0, Ppm::ONE), 0);
	assert_eq!(slashing::slash_amount(7, Ppm::ONE), 7);
	assert_eq!(slashing::slash_amount(7, Ppm(u32::MAX)), 7);
	assert_eq!(slashing::slash_amount(u128::MAX, Ppm(u32::MAX)), u128::MAX);
}

#[test]
fn median_should_be_the_upper_one_of_fresh_feeds_only() {
	let feed = |rate, at| rates::Feed { rate, at };
	let now = 10_000;
	let odd = [feed(30, 9_000), feed(10, 10_000), feed(20, 9_500)];
	assert_eq!(rates::fresh_median(odd, now, 1_000, 3), Some(20));
	let even = [feed(30, 9_000), feed(10, 10_000), feed(20, 9_500), feed(40, 9_999)];
	assert_eq!(rates::fresh_median(even, now, 1_000, 3), Some(30));
	// The oldest is at the limit; one millisecond later it is stale.
	assert_eq!(rates::fresh_median(odd, now + 1, 1_000, 3), None);
	assert_eq!(rates::fresh_median(odd, now + 1, 1_000, 2), Some(20));
	// Neither zero nor the future counts.
	assert_eq!(rates::fresh_median([feed(0, 10_000)], now, 1_000, 1), None);
	assert_eq!(rates::fresh_median([feed(5, 10_001)], now, 1_000, 1), None);
	// Not even a quorum of none makes a rate of nothing.
	assert_eq!(rates::fresh_median([], now, 1_000, 0), None);
}

#[test]
fn work_bounds_should_catch_what_physics_forbids() {
	// RTX 4090: 450 W, 1.47 * 10^12 int8 operations per joule at best.
	let best = 1_470_000_000_000;
	let tdp = MilliWatts(450_000);
	let check = |loaded, error, ops| {
		power::plausible_for_work(&reading(20_000, loaded, error), ops, best, tdp).unwrap()
	};
	// 441 * 10^12 operations per second need 300 W.
	let ops = 441_000_000_000_000;
	assert!(check(300_000, 0, ops));
	assert!(!check(299_999, 0, ops));
	assert!(check(299_999, 1_000, ops));
	assert!(check(495_000, 0, ops));
	assert!(!check(495_001, 0, ops));
	assert!(check(495_001, 1_000, ops));
}

#[test]
fn placement_should_scale_with_its_own_length_when_longer_than_a_day() {
	let (r, t) = (reading(10_000, 100_000, 0), flat(200_000));
	let terms = bare(&r, &t, Ppm::ONE);
	let placement = Placement { start: 12_345, duration_millis: 1_000 * MILLIS_PER_HOUR, lanes: 8 };
	let quote = break_even::break_even(&terms, &placement).unwrap();
	// 0.1 kW x 1,000 h x 0.2 EUR/kWh = 20 EUR.
	assert_eq!(quote.energy_cost, 20 * ARMA);
}
