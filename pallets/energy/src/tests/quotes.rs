//! Quotes, wall power and power readings.

use super::*;
use crate::{AcceleratorPower, Parameters, Power, PowerRecord};
use armature_primitives::{
	energy::{BreakEven, Placement, QuoteError},
	telemetry::{PowerLoad, PowerReading, PowerSource},
	traits::{EnergyInspect, PowerSink},
	units::ARMA,
	DeviceId, MilliWattHours, MilliWatts, Ppm,
};

fn hour() -> Placement {
	Placement { start: START, duration_millis: HOUR, lanes: LANES }
}

fn quote(placement: Placement) -> Result<BreakEven, QuoteError> {
	<Energy as EnergyInspect>::quote(DEVICE, placement)
}

#[test]
fn quote_should_show_the_whole_sum_when_all_is_known() {
	ExtBuilder::default().ready().build_and_execute(|| {
		let quote = quote(hour()).unwrap();
		assert_eq!(
			quote,
			BreakEven {
				// 100 W and 5 %.
				power: MilliWatts(105_000),
				power_source: PowerSource::PackageCounter,
				pue: Ppm(1_100_000),
				duration_millis: HOUR,
				energy: MilliWattHours(115_500),
				micro_per_kwh: 300_000,
				currency: EUR,
				rate: 50 * ARMA,
				// 0.1155 kWh x 0.30 EUR x 50 ARMA.
				energy_cost: 1_732_500_000_000,
				fixed_fee: 2_000_000_000,
				protocol_fee: Ppm(25_000),
				margin: Ppm(100_000),
				// (1.7325 + 0.002) x 1.1 / 0.975 = 1.956871794871.8
				break_even: 1_956_871_794_872,
			}
		);
		assert_eq!(Energy::quote(DEVICE, LANES, HOUR, START), Ok(quote));
	});
}

#[test]
fn quote_should_follow_the_hours_when_the_tariff_does() {
	ExtBuilder::default().ready().build_and_execute(|| {
		let mut tariff = flat(EUR, 100_000);
		// START is 08:00 UTC.
		tariff.micro_per_kwh[9] = 500_000;
		assert_ok!(Energy::set_tariff(signed(PROVIDER), SITE, tariff));
		let price = |start, duration_millis| {
			quote(Placement { start, duration_millis, lanes: 1 }).unwrap().micro_per_kwh
		};
		assert_eq!(price(START, HOUR), 100_000);
		assert_eq!(price(START, 2 * HOUR), 300_000);
		assert_eq!(price(START + HOUR, HOUR), 500_000);
	});
}

#[test]
fn quote_should_fail_when_the_device_or_site_is_unknown() {
	ExtBuilder::default().ready().build_and_execute(|| {
		assert_eq!(
			<Energy as EnergyInspect>::quote(DeviceId(8), hour()),
			Err(QuoteError::UnknownDevice)
		);
		assert_eq!(Energy::wall_power(DeviceId(8), 1), Err(QuoteError::UnknownDevice));
		SiteTable::mutate(|table| table.clear());
		assert_eq!(quote(hour()), Err(QuoteError::UnknownDevice));
		assert_eq!(Energy::wall_power(DEVICE, 1), Err(QuoteError::UnknownDevice));
	});
}

#[test]
fn quote_should_fail_when_there_is_no_tariff() {
	ExtBuilder::default().ready().build_and_execute(|| {
		assert_ok!(Energy::clear_tariff(signed(PROVIDER), SITE));
		assert_eq!(quote(hour()), Err(QuoteError::NoTariff));
		// What a site has to reserve does not depend on prices.
		assert!(Energy::wall_power(DEVICE, 1).is_ok());
	});
}

#[test]
fn quote_should_fail_when_power_was_never_measured_or_too_long_ago() {
	ExtBuilder::default().ready().build_and_execute(|| {
		advance(5 * HOUR);
		submit_all(50 * ARMA);
		assert!(quote(hour()).is_ok());
		assert!(Energy::wall_power(DEVICE, 1).is_ok());
		advance(1);
		assert_eq!(quote(hour()), Err(QuoteError::NoPower));
		assert_eq!(Energy::wall_power(DEVICE, 1), Err(QuoteError::NoPower));
		Power::<Test>::remove(DEVICE);
		assert_eq!(quote(hour()), Err(QuoteError::NoPower));
	});
}

#[test]
fn quote_should_fail_when_rates_are_stale() {
	ExtBuilder::default().ready().build_and_execute(|| {
		advance(HOUR);
		assert!(quote(hour()).is_ok());
		advance(1);
		assert_eq!(quote(hour()), Err(QuoteError::FeedStale));
		submit_all(60 * ARMA);
		assert_eq!(quote(hour()).unwrap().rate, 60 * ARMA);
	});
}

#[test]
fn quote_should_fail_when_a_figure_is_out_of_range() {
	ExtBuilder::default().ready().build_and_execute(|| {
		for lanes in [0, LANES + 1] {
			assert_eq!(quote(Placement { lanes, ..hour() }), Err(QuoteError::Overflow));
			assert_eq!(Energy::wall_power(DEVICE, lanes), Err(QuoteError::Overflow));
		}
		let empty = Placement { duration_millis: 0, ..hour() };
		assert_eq!(quote(empty), Err(QuoteError::Overflow));
		let endless = Placement { duration_millis: u64::MAX, ..hour() };
		assert!(quote(endless).is_ok_and(|q| q.duration_millis == u64::MAX));
		ProtocolFee::set(Ppm::ONE);
		assert_eq!(quote(hour()), Err(QuoteError::Overflow));
	});
}

#[test]
fn wall_power_should_include_pue_and_the_error_band() {
	ExtBuilder::default().ready().build_and_execute(|| {
		assert_eq!(Energy::wall_power(DEVICE, LANES), Ok(MilliWatts(115_500)));
		// 105 W / 8 = 13.125 W; with PUE 14.4375 W, rounded up.
		assert_eq!(Energy::wall_power(DEVICE, 1), Ok(MilliWatts(14_438)));
	});
}

#[test]
fn power_should_be_stored_with_the_time_when_plausible() {
	ExtBuilder::default().build_and_execute(|| {
		advance(9);
		<Energy as PowerSink>::on_power(DEVICE, PowerLoad::Lanes, reading());
		assert_eq!(
			Power::<Test>::get(DEVICE),
			Some(PowerRecord { reading: reading(), measured_at: START + 9 })
		);
		assert_eq!(
			events(),
			[Event::PowerRecorded { device: DEVICE, load: PowerLoad::Lanes, reading: reading() }]
		);
	});
}

#[test]
fn power_of_an_accelerator_should_be_kept_apart() {
	ExtBuilder::default().ready().build_and_execute(|| {
		let full = |load| <Energy as EnergyInspect>::full_power(DEVICE, load);
		// 105 W with the error band, and PUE.
		assert_eq!(full(PowerLoad::Lanes), Ok(MilliWatts(115_500)));
		assert_eq!(full(PowerLoad::Accelerator), Err(QuoteError::NoPower));
		let busy = PowerReading { loaded: MilliWatts(700_000), ..reading() };
		<Energy as PowerSink>::on_power(DEVICE, PowerLoad::Accelerator, busy);
		let load = PowerLoad::Accelerator;
		assert_eq!(events(), [Event::PowerRecorded { device: DEVICE, load, reading: busy }]);
		assert_eq!(full(PowerLoad::Accelerator), Ok(MilliWatts(808_500)));
		assert_eq!(full(PowerLoad::Lanes), Ok(MilliWatts(115_500)));
		assert_eq!(Energy::wall_power(DEVICE, LANES), Ok(MilliWatts(115_500)));
		let record = AcceleratorPower::<Test>::get(DEVICE).unwrap();
		assert_eq!(record, PowerRecord { reading: busy, measured_at: START });
		// It counts as long as that of lanes.
		advance(Parameters::<Test>::get().power_max_age_millis);
		assert!(full(PowerLoad::Accelerator).is_ok());
		advance(1);
		assert_eq!(full(PowerLoad::Accelerator), Err(QuoteError::NoPower));
	});
}

#[test]
fn power_should_be_rejected_when_implausible_and_the_last_stands() {
	ExtBuilder::default().ready().build_and_execute(|| {
		let bad = [
			PowerReading { idle: MilliWatts(0), ..reading() },
			PowerReading { loaded: MilliWatts(19_999), ..reading() },
			PowerReading { error: Ppm(1_000_001), ..reading() },
		];
		for reading in bad {
			<Energy as PowerSink>::on_power(DEVICE, PowerLoad::Lanes, reading);
			assert_eq!(events(), [Event::PowerRejected { device: DEVICE }]);
		}
		assert_eq!(Power::<Test>::get(DEVICE).unwrap().reading, reading());
	});
}

#[test]
fn power_should_be_rejected_when_the_device_is_unknown() {
	ExtBuilder::default().build_and_execute(|| {
		<Energy as PowerSink>::on_power(DeviceId(8), PowerLoad::Lanes, reading());
		assert_eq!(events(), [Event::PowerRejected { device: DeviceId(8) }]);
		assert_eq!(Power::<Test>::iter().count(), 0);
	});
}
