//! Each error, and that nothing overflows silently at the ends of the types.

use crate::{bare, flat, one_hour, reading};
use armature_economics::{break_even, power, pricing, settlement, tariff, Error};
use armature_primitives::{energy::Placement, MilliWattHours, MilliWatts, Ppm};

#[test]
fn reading_should_be_refused_when_it_contradicts_itself() {
	assert!(power::plausible(&reading(1, 1, 1_000_000)));
	for bad in [reading(0, 1, 0), reading(2, 1, 0), reading(1, 1, 1_000_001)] {
		assert!(!power::plausible(&bad));
		assert_eq!(power::placement_power(&bad, 1, 1), Err(Error::ImplausibleReading));
		assert_eq!(
			power::plausible_for_work(&bad, 1, 1, MilliWatts(1)),
			Err(Error::ImplausibleReading)
		);
	}
	assert_eq!(
		power::plausible_for_work(&reading(1, 1, 0), 1, 0, MilliWatts(1)),
		Err(Error::ZeroSpeed)
	);
}

#[test]
fn lanes_should_be_between_one_and_all() {
	let r = reading(1, 1, 0);
	assert_eq!(power::placement_power(&r, 0, 8), Err(Error::Lanes));
	assert_eq!(power::placement_power(&r, 9, 8), Err(Error::Lanes));
	assert_eq!(power::placement_power(&r, 0, 0), Err(Error::Lanes));
	assert!(power::placement_power(&r, 8, 8).is_ok());
}

#[test]
fn pue_should_be_at_least_one() {
	assert_eq!(power::wall_power(MilliWatts(1), Ppm(999_999)), Err(Error::Pue));
	assert_eq!(power::wall_power(MilliWatts(1), Ppm::ONE), Ok(MilliWatts(1)));
}

#[test]
fn figures_should_be_refused_when_they_do_not_fit() {
	let most = reading(1, u32::MAX, 1_000_000);
	assert_eq!(power::placement_power(&most, 8, 8), Err(Error::Overflow));
	assert!(power::placement_power(&reading(1, u32::MAX, 0), 8, 8).is_ok());
	assert_eq!(power::wall_power(MilliWatts(u32::MAX), Ppm(1_000_001)), Err(Error::Overflow));
	assert_eq!(tariff::energy(MilliWatts(u32::MAX), u64::MAX), Err(Error::Overflow));
	assert_eq!(
		break_even::energy_cost(MilliWattHours(u64::MAX), u32::MAX, u128::MAX),
		Err(Error::Overflow)
	);
	assert_eq!(break_even::least_payout(u128::MAX, Ppm(1), Ppm(0)), Err(Error::Overflow));
	assert_eq!(break_even::least_payout(u128::MAX, Ppm(0), Ppm(1)), Err(Error::Overflow));
	assert_eq!(pricing::cost_of_fuel(u128::MAX, u64::MAX), Err(Error::Overflow));
	assert_eq!(pricing::fuel_rate(u64::MAX, 2), Err(Error::Overflow));
	assert_eq!(pricing::duration_millis(u64::MAX, 1), Err(Error::Overflow));
	assert_eq!(pricing::price_floor_per_gfuel(u128::MAX, 1), Err(Error::Overflow));

	let (r, t) = (reading(1, 1, 0), flat(1));
	let mut terms = bare(&r, &t, Ppm::ONE);
	terms.fixed_fee = u128::MAX;
	assert_eq!(break_even::break_even(&terms, &one_hour(8)), Err(Error::Overflow));
}

#[test]
fn zeros_should_be_refused_where_they_mean_nothing() {
	let (r, t) = (reading(1, 1, 0), flat(1));
	let mut terms = bare(&r, &t, Ppm::ONE);
	let empty = Placement { start: 0, duration_millis: 0, lanes: 1 };
	assert_eq!(break_even::break_even(&terms, &empty), Err(Error::EmptyPlacement));
	terms.rate = 0;
	assert_eq!(break_even::break_even(&terms, &one_hour(8)), Err(Error::ZeroRate));
	assert_eq!(pricing::fuel_rate(0, 1), Err(Error::ZeroSpeed));
	assert_eq!(pricing::fuel_rate(1, 0), Err(Error::ZeroSpeed));
	assert_eq!(pricing::duration_millis(1, 0), Err(Error::ZeroSpeed));
	assert_eq!(pricing::price_floor_per_gfuel(1, 0), Err(Error::ZeroFuel));
}

#[test]
fn fee_should_be_refused_when_it_takes_more_than_there_is() {
	assert_eq!(break_even::least_payout(1, Ppm(0), Ppm::ONE), Err(Error::Fee));
	assert_eq!(break_even::least_payout(1, Ppm(0), Ppm(999_999)), Ok(1_000_000));
	assert_eq!(settlement::settle(1, 1, 1, 1, Ppm(1_000_001)), Err(Error::Fee));
	assert!(settlement::settle(1, 1, 1, 1, Ppm::ONE).is_ok());
}

#[test]
fn settlement_should_still_work_when_earnings_do_not_fit() {
	let s = settlement::settle(u128::MAX, u128::MAX, u64::MAX, u64::MAX, Ppm(25_000)).unwrap();
	assert_eq!(s.paid + s.fee, u128::MAX);
	assert_eq!(s.refunded, 0);
}
