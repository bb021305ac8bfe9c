//! `set_tariff`, `clear_tariff`, `reap_device`.

use super::*;
use crate::{AcceleratorPower, Ledgers, Power, Tariffs};
use armature_primitives::{
	energy::CurrencyCode,
	telemetry::PowerLoad,
	traits::{EnergyLedger, PowerSink},
	DeviceId, MilliWattHours, SiteId,
};

#[test]
fn tariff_should_be_stored_and_replaced_when_the_owner_sets_it() {
	ExtBuilder::default().build_and_execute(|| {
		for price in [300_000, 0, MAX_MICRO_PER_KWH] {
			assert_ok!(Energy::set_tariff(signed(PROVIDER), SITE, flat(EUR, price)));
			assert_eq!(Tariffs::<Test>::get(SITE), Some(flat(EUR, price)));
			assert_eq!(events(), [Event::TariffSet { site: SITE }]);
		}
	});
}

#[test]
fn tariff_should_be_refused_when_the_site_is_unknown_or_not_the_signers() {
	ExtBuilder::default().build_and_execute(|| {
		let tariff = flat(EUR, 300_000);
		assert_noop!(
			Energy::set_tariff(signed(PROVIDER), SiteId(5), tariff.clone()),
			Error::<Test>::UnknownSite
		);
		assert_noop!(
			Energy::set_tariff(signed(STRANGER), SITE, tariff.clone()),
			Error::<Test>::NotSiteOwner
		);
		assert_noop!(Energy::set_tariff(RuntimeOrigin::root(), SITE, tariff.clone()), BadOrigin);
		assert_noop!(Energy::set_tariff(RuntimeOrigin::none(), SITE, tariff), BadOrigin);
	});
}

#[test]
fn tariff_should_be_refused_when_one_hour_is_too_dear() {
	ExtBuilder::default().build_and_execute(|| {
		let mut tariff = flat(EUR, 300_000);
		tariff.micro_per_kwh[23] = MAX_MICRO_PER_KWH + 1;
		assert_noop!(
			Energy::set_tariff(signed(PROVIDER), SITE, tariff),
			Error::<Test>::PriceTooHigh
		);
	});
}

#[test]
fn tariff_should_be_refused_when_nobody_feeds_its_currency() {
	ExtBuilder::default().build_and_execute(|| {
		for currency in [USD, CurrencyCode([0; 3])] {
			assert_noop!(
				Energy::set_tariff(signed(PROVIDER), SITE, flat(currency, 1)),
				Error::<Test>::UnknownCurrency
			);
		}
	});
}

#[test]
fn tariff_should_be_cleared_when_its_owner_asks() {
	ExtBuilder::default().ready().build_and_execute(|| {
		assert_noop!(Energy::clear_tariff(signed(STRANGER), SITE), Error::<Test>::NotSiteOwner);
		assert_noop!(Energy::clear_tariff(RuntimeOrigin::none(), SITE), BadOrigin);
		assert_ok!(Energy::clear_tariff(signed(PROVIDER), SITE));
		assert_eq!(Tariffs::<Test>::get(SITE), None);
		assert_eq!(events(), [Event::TariffCleared { site: SITE }]);
		assert_noop!(Energy::clear_tariff(signed(PROVIDER), SITE), Error::<Test>::NoTariff);
	});
}

#[test]
fn tariff_should_be_cleared_by_anyone_when_the_site_is_gone() {
	ExtBuilder::default().ready().build_and_execute(|| {
		SiteTable::mutate(|table| table.clear());
		assert_ok!(Energy::clear_tariff(signed(STRANGER), SITE));
		assert_eq!(Tariffs::<Test>::get(SITE), None);
	});
}

#[test]
fn records_should_be_reaped_only_when_the_device_is_gone() {
	ExtBuilder::default().ready().build_and_execute(|| {
		<Energy as EnergyLedger>::on_energy(DEVICE, MilliWattHours(1), START);
		assert!(Ledgers::<Test>::contains_key(DEVICE) && Power::<Test>::contains_key(DEVICE));
		assert_noop!(Energy::reap_device(signed(STRANGER), DEVICE), Error::<Test>::DeviceExists);
		DeviceTable::mutate(|table| table.clear());
		assert_noop!(Energy::reap_device(RuntimeOrigin::none(), DEVICE), BadOrigin);
		assert_ok!(Energy::reap_device(signed(STRANGER), DEVICE));
		assert!(!Ledgers::<Test>::contains_key(DEVICE) && !Power::<Test>::contains_key(DEVICE));
		assert_eq!(events(), [Event::DeviceReaped { device: DEVICE }]);
		assert_noop!(Energy::reap_device(signed(STRANGER), DEVICE), Error::<Test>::NothingToReap);
	});
}

#[test]
fn records_should_be_reaped_when_only_one_of_them_is_left() {
	ExtBuilder::default().build_and_execute(|| {
		<Energy as EnergyLedger>::on_income(DEVICE, 1);
		DeviceTable::mutate(|table| table.clear());
		assert_ok!(Energy::reap_device(signed(STRANGER), DEVICE));
		for load in [PowerLoad::Lanes, PowerLoad::Accelerator] {
			insert_device(device_info());
			<Energy as PowerSink>::on_power(DEVICE, load, reading());
			DeviceTable::mutate(|table| table.clear());
			assert_ok!(Energy::reap_device(signed(STRANGER), DEVICE));
			assert!(AcceleratorPower::<Test>::get(DEVICE).is_none());
			assert!(Power::<Test>::get(DEVICE).is_none());
		}
		assert_noop!(
			Energy::reap_device(signed(STRANGER), DeviceId(8)),
			Error::<Test>::NothingToReap
		);
	});
}
