use super::*;
use armature_primitives::telemetry::PowerSource;
use proptest::prelude::*;

/// Of an accelerator with 3 int8 operations per second and picowatt, and 700 W.
const LIMITS: PowerLimits = PowerLimits {
	operations_per_joule: 3_000_000_000_000,
	most: MilliWatts(700_000),
	most_error: Ppm(200_000),
};

/// 15 s at 1.2e15 operations a second take at least 6 kJ: 400 W.
const OPERATIONS: u128 = 18_000_000_000_000_000;
const MILLIS: u32 = 15_000;

fn reading(milliwatts: u32, error: u32) -> PowerReading {
	PowerReading {
		idle: MilliWatts(0),
		loaded: MilliWatts(milliwatts),
		source: PowerSource::BoardSensor,
		error: Ppm(error),
	}
}

fn check(milliwatts: u32, error: u32) -> Result<(), PowerFault> {
	check_energy(&reading(milliwatts, error), OPERATIONS, MILLIS, &LIMITS)
}

#[test]
fn figures_should_be_held_against_physics_and_class() {
	assert_eq!(least_energy(OPERATIONS, &LIMITS), 6_000_000);
	assert_eq!(check(400_000, 0), Ok(()));
	assert_eq!(check(399_999, 0), Err(PowerFault::BelowPhysics));
	assert_eq!(check(770_000, 0), Ok(()));
	assert_eq!(check(770_001, 0), Err(PowerFault::AboveLimit));
	assert_eq!(check(0, 0), Err(PowerFault::BelowPhysics));
	assert_eq!(check(u32::MAX, 0), Err(PowerFault::AboveLimit));
}

#[test]
fn an_admitted_error_should_count_for_the_reading() {
	assert_eq!(check(363_637, 100_000), Ok(()));
	assert_eq!(check(363_000, 100_000), Err(PowerFault::BelowPhysics));
	assert_eq!(check(855_000, 100_000), Ok(()));
	assert_eq!(check(856_000, 100_000), Err(PowerFault::AboveLimit));
	// And no more than the class allows.
	for error in [200_000, 1_000_000, u32::MAX] {
		assert_eq!(check(333_334, error), Ok(()));
		assert_eq!(check(333_333, error), Err(PowerFault::BelowPhysics));
		assert_eq!(check(962_500, error), Ok(()));
		assert_eq!(check(962_502, error), Err(PowerFault::AboveLimit));
	}
}

#[test]
fn a_class_without_a_limit_of_efficiency_should_accept_nothing() {
	let limits = PowerLimits { operations_per_joule: 0, ..LIMITS };
	let found = check_energy(&reading(400_000, 0), OPERATIONS, MILLIS, &limits);
	assert_eq!(found, Err(PowerFault::BelowPhysics));
}

proptest! {
	#[test]
	fn more_power_should_never_fall_below_physics(power: u32, more: u32, operations: u64) {
		let low = check_energy(&reading(power, 0), operations.into(), MILLIS, &LIMITS);
		let high = check_energy(
			&reading(power.saturating_add(more), 0), operations.into(), MILLIS, &LIMITS,
		);
		if low != Err(PowerFault::BelowPhysics) {
			prop_assert_ne!(high, Err(PowerFault::BelowPhysics));
		}
	}
}
