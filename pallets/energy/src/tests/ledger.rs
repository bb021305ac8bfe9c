//! Bookings, windows and Standby.
//!
//! In the mock a window is 10 h, a ledger is fledged after 25 h, Standby is retried after 30 h,
//! a device sleeps under a ratio of 1 and wakes from 1.2 on. 1 kWh costs 0.30 EUR = 15 ARMA.

use super::*;
use crate::{Ledger, Ledgers, Window};
use armature_primitives::{
	device::DeviceStatus, traits::EnergyLedger, units::ARMA, Balance, DeviceId, MilliWattHours, Ppm,
};

const KWH: MilliWattHours = MilliWattHours(1_000_000);

fn energy(energy: MilliWattHours) {
	<Energy as EnergyLedger>::on_energy(DEVICE, energy, Now::get());
}

fn income(amount: Balance) {
	<Energy as EnergyLedger>::on_income(DEVICE, amount);
}

fn ledger() -> Ledger {
	Energy::ledger(DEVICE).unwrap()
}

/// Lets `hours` pass with rates that stay fresh.
fn pass(hours: u64) {
	advance(hours * HOUR);
	submit_all(50 * ARMA);
	System::reset_events();
}

/// An Active device whose ledger is fledged and whose window has just begun.
fn fledged() {
	income(1);
	pass(25);
	income(1);
	assert_eq!(ledger().window, Window::starting(Now::get()));
}

fn changed(ratio: Option<u32>, profitable: bool) -> Event<Test> {
	Event::ProfitabilityChanged { device: DEVICE, ratio: ratio.map(Ppm), profitable }
}

#[test]
fn ledger_should_add_up_when_energy_and_income_are_booked() {
	ExtBuilder::default().ready().build_and_execute(|| {
		energy(KWH);
		income(20 * ARMA);
		energy(MilliWattHours(1));
		assert_eq!(
			ledger(),
			Ledger {
				since: START,
				income: 20 * ARMA,
				energy: MilliWattHours(1_000_001),
				energy_cost: 15 * ARMA + 15_000_000,
				unpriced: MilliWattHours(0),
				window: Window {
					since: START,
					income: 20 * ARMA,
					energy_cost: 15 * ARMA + 15_000_000
				},
			}
		);
		assert_eq!(Energy::ledger(DeviceId(8)), None);
	});
}

#[test]
fn energy_should_be_priced_at_the_hour_of_its_use() {
	ExtBuilder::default().ready().build_and_execute(|| {
		let mut tariff = flat(EUR, 300_000);
		tariff.micro_per_kwh[3] = 600_000;
		assert_ok!(Energy::set_tariff(signed(PROVIDER), SITE, tariff));
		// 03:00 UTC of the same day.
		<Energy as EnergyLedger>::on_energy(DEVICE, KWH, START - 5 * HOUR);
		assert_eq!(ledger().energy_cost, 30 * ARMA);
	});
}

#[test]
fn energy_should_be_unpriced_when_rate_or_tariff_is_missing() {
	ExtBuilder::default().ready().build_and_execute(|| {
		advance(HOUR + 1);
		energy(KWH);
		submit_all(50 * ARMA);
		energy(KWH);
		assert_ok!(Energy::clear_tariff(signed(PROVIDER), SITE));
		energy(MilliWattHours(5));
		let ledger = ledger();
		assert_eq!(ledger.energy, MilliWattHours(2_000_005));
		assert_eq!(ledger.unpriced, MilliWattHours(1_000_005));
		assert_eq!(ledger.energy_cost, 15 * ARMA);
	});
}

#[test]
fn ledger_should_stop_at_the_top_when_sums_do_not_fit() {
	ExtBuilder::default().ready().build_and_execute(|| {
		for _ in 0..2 {
			energy(MilliWattHours(u64::MAX));
			income(u128::MAX);
		}
		assert_eq!(ledger().energy, MilliWattHours(u64::MAX));
		assert_eq!(ledger().income, u128::MAX);
	});
}

#[test]
fn booking_should_be_ignored_when_the_device_is_unknown() {
	ExtBuilder::default().ready().build_and_execute(|| {
		<Energy as EnergyLedger>::on_energy(DeviceId(8), KWH, START);
		<Energy as EnergyLedger>::on_income(DeviceId(8), 1);
		assert_eq!(Ledgers::<Test>::iter().count(), 0);
		assert!(events().is_empty());
	});
}

#[test]
fn device_should_stay_active_when_its_ledger_is_young() {
	ExtBuilder::default().ready().build_and_execute(|| {
		energy(KWH);
		// Two windows without income, the second ends one hour too early to count.
		for hours in [10, 14] {
			pass(hours);
			energy(KWH);
			assert_eq!(ledger().window, Window::starting(Now::get()));
		}
		assert!(Judged::get().is_empty());
		assert!(events().is_empty());
	});
}

#[test]
fn device_should_go_to_standby_when_a_full_window_does_not_pay_for_its_energy() {
	ExtBuilder::default().ready().build_and_execute(|| {
		fledged();
		energy(KWH);
		income(15 * ARMA - 1);
		pass(10);
		assert!(Judged::get().is_empty());
		income(0);
		// 0.9999999 of the cost, rounded down.
		assert_eq!(events(), [changed(Some(999_999), false)]);
		assert_eq!(Judged::get(), [(DEVICE, false)]);
		assert_eq!(ledger().window, Window::starting(Now::get()));
		assert_eq!(ledger().energy, KWH);
	});
}

#[test]
fn device_should_stay_active_when_it_just_pays_for_its_energy() {
	ExtBuilder::default().ready().build_and_execute(|| {
		fledged();
		energy(KWH);
		income(15 * ARMA);
		pass(10);
		income(0);
		assert!(Judged::get().is_empty());
		assert_eq!(ledger().window, Window::starting(Now::get()));
	});
}

#[test]
fn window_should_go_on_when_it_is_not_full() {
	ExtBuilder::default().ready().build_and_execute(|| {
		fledged();
		let since = Now::get();
		energy(KWH);
		advance(10 * HOUR - 1);
		energy(KWH);
		assert_eq!(ledger().window.since, since);
		assert!(Judged::get().is_empty());
		assert_noop!(Energy::review(signed(STRANGER), DEVICE), Error::<Test>::NothingToReview);
		advance(1);
		assert_ok!(Energy::review(signed(STRANGER), DEVICE));
		assert_eq!(Judged::get(), [(DEVICE, false)]);
	});
}

#[test]
fn unpriced_energy_should_not_count_against_a_device() {
	ExtBuilder::default().ready().build_and_execute(|| {
		fledged();
		assert_ok!(Energy::clear_tariff(signed(PROVIDER), SITE));
		energy(KWH);
		pass(10);
		energy(KWH);
		assert!(Judged::get().is_empty());
		assert_eq!(ledger().unpriced, MilliWattHours(2_000_000));
	});
}

/// In Standby since now.
fn asleep() {
	fledged();
	energy(KWH);
	pass(10);
	assert_ok!(Energy::review(signed(STRANGER), DEVICE));
	assert_eq!(events(), [changed(Some(0), false)]);
	assert_eq!(DeviceTable::get()[&DEVICE].status, DeviceStatus::Standby);
}

#[test]
fn device_should_wake_when_a_window_in_standby_pays_well() {
	ExtBuilder::default().ready().build_and_execute(|| {
		asleep();
		energy(KWH);
		// Late income of the last lease: just under 1.2, and then enough.
		income(18 * ARMA - 1);
		pass(10);
		income(0);
		assert_eq!(DeviceTable::get()[&DEVICE].status, DeviceStatus::Standby);
		assert_noop!(Energy::review(signed(STRANGER), DEVICE), Error::<Test>::NothingToReview);
		income(1);
		assert_eq!(events(), [changed(Some(1_200_000), true)]);
		assert_eq!(DeviceTable::get()[&DEVICE].status, DeviceStatus::Active);
		assert_eq!(ledger().window, Window::starting(Now::get()));
	});
}

#[test]
fn device_should_be_tried_again_when_it_slept_long_enough() {
	ExtBuilder::default().ready().build_and_execute(|| {
		asleep();
		advance(30 * HOUR - 1);
		assert_noop!(Energy::review(signed(STRANGER), DEVICE), Error::<Test>::NothingToReview);
		advance(1);
		assert_ok!(Energy::review(signed(STRANGER), DEVICE));
		assert_eq!(events(), [changed(None, true)]);
		assert_eq!(DeviceTable::get()[&DEVICE].status, DeviceStatus::Active);
		// It has a whole window to prove itself.
		energy(KWH);
		assert_noop!(Energy::review(signed(STRANGER), DEVICE), Error::<Test>::NothingToReview);
	});
}

#[test]
fn window_should_roll_without_judgement_when_the_device_is_in_another_state() {
	ExtBuilder::default().ready().build_and_execute(|| {
		fledged();
		for status in [
			DeviceStatus::Registered,
			DeviceStatus::Attested,
			DeviceStatus::Suspect,
			DeviceStatus::Draining,
			DeviceStatus::Offline,
			DeviceStatus::Jailed,
			DeviceStatus::Retired,
		] {
			set_status(status);
			energy(KWH);
			pass(10);
			energy(KWH);
			assert_eq!(ledger().window, Window::starting(Now::get()), "{status:?}");
			assert!(Judged::get().is_empty(), "{status:?}");
		}
	});
}

#[test]
fn review_should_be_refused_when_there_is_no_ledger_or_no_signer() {
	ExtBuilder::default().ready().build_and_execute(|| {
		assert_noop!(Energy::review(signed(STRANGER), DEVICE), Error::<Test>::NoLedger);
		income(1);
		assert_noop!(Energy::review(RuntimeOrigin::none(), DEVICE), BadOrigin);
		DeviceTable::mutate(|table| table.clear());
		assert_noop!(Energy::review(signed(STRANGER), DEVICE), Error::<Test>::NoLedger);
	});
}
