use super::*;
use armature_primitives::{
	device::Tier,
	traits::{DeviceInspect, DeviceLifecycle},
};
use frame_support::assert_storage_noop;
use DeviceStatus::*;

type Lifecycle = Pallet<Test>;

const ALL: [DeviceStatus; 9] =
	[Registered, Attested, Active, Suspect, Draining, Standby, Offline, Jailed, Retired];

/// Puts the device into a state as calls and hooks would leave it.
fn put(device: DeviceId, status: DeviceStatus) {
	Devices::<Test>::mutate(device, |record| {
		let record = record.as_mut().unwrap();
		record.status = status;
		record.tier = is_attested(status).then_some(Tier::T1);
		record.locked_until = matches!(status, Jailed | Retired).then_some(2_000_000);
	});
}

/// Checks where `act` leads from each state: to what `expected` names, else nowhere.
fn check(act: impl Fn(DeviceId), expected: &[(DeviceStatus, DeviceStatus)]) {
	run(|| {
		let device = registered_device();
		for from in ALL {
			put(device, from);
			let before = Devices::<Test>::get(device);
			System::reset_events();
			let to = expected.iter().find(|(state, _)| *state == from).map(|(_, to)| *to);
			act(device);
			match to {
				Some(to) => {
					assert_eq!(status(device), to, "from {from:?}");
					assert_eq!(last_event(), Event::DeviceStatusChanged { device, from, to });
				},
				None => {
					assert_eq!(Devices::<Test>::get(device), before, "from {from:?}");
					assert!(System::events().is_empty());
				},
			}
			Lifecycle::do_try_state().unwrap();
			// Idempotent: the same again changes nothing, unless the state leads on.
			if !expected.iter().any(|(state, _)| Some(*state) == to) {
				assert_storage_noop!(act(device));
			}
		}
		assert_storage_noop!(act(DeviceId(99)));
	});
}

#[test]
fn on_alive_should_activate() {
	check(Lifecycle::on_alive, &[(Attested, Active), (Suspect, Active), (Offline, Active)]);
}

#[test]
fn on_suspect_should_suspect_working_devices() {
	check(Lifecycle::on_suspect, &[(Active, Suspect), (Standby, Suspect)]);
}

#[test]
fn on_offline_should_take_all_living_devices() {
	let from = [Attested, Active, Suspect, Standby, Draining];
	check(Lifecycle::on_offline, &from.map(|state| (state, Offline)));
}

#[test]
fn on_attestation_lost_should_lead_back_to_registered() {
	let from = [Attested, Active, Suspect, Standby, Offline, Draining];
	check(Lifecycle::on_attestation_lost, &from.map(|state| (state, Registered)));
}

#[test]
fn on_profitability_should_switch_standby() {
	check(|device| Lifecycle::on_profitability(device, false), &[(Active, Standby)]);
	check(|device| Lifecycle::on_profitability(device, true), &[(Standby, Active)]);
}

#[test]
fn on_attested_should_attest_registered_devices() {
	check(|device| Lifecycle::on_attested(device, Tier::T1), &[(Registered, Attested)]);
	run(|| {
		let device = registered_device();
		Lifecycle::on_attested(device, Tier::T0);
		assert_eq!(Devices::<Test>::get(device).unwrap().tier, Some(Tier::T0));
		Lifecycle::on_alive(device);
		// A renewal at another tier keeps the state.
		Lifecycle::on_attested(device, Tier::T2);
		let record = Devices::<Test>::get(device).unwrap();
		assert_eq!((record.status, record.tier), (Active, Some(Tier::T2)));
	});
}

#[test]
fn slash_should_take_the_share_and_jail() {
	for from in ALL {
		run(|| {
			let device = registered_device();
			put(device, from);
			let issuance = Balances::total_issuance();
			assert_eq!(bond(), 5_056);
			assert_eq!(Lifecycle::slash(device, Ppm(1)), 1);
			assert_eq!(Lifecycle::slash(device, Ppm(500_000)), 2_528);
			let record = Devices::<Test>::get(device).unwrap();
			assert_eq!(record.bond, 2_527);
			assert_eq!(record.tier, None);
			assert_eq!(held(HoldReason::DeviceBond, ALICE), 2_527);
			assert_eq!(Slashed::get(), 2_529);
			assert_eq!(Balances::total_issuance(), issuance - 2_529);
			System::assert_has_event(Event::DeviceSlashed { device, amount: 2_528 }.into());
			if from == Retired {
				assert_eq!((record.status, record.locked_until), (Retired, Some(2_000_000)));
			} else {
				assert_eq!((record.status, record.locked_until), (Jailed, Some(1_009_000)));
			}
		});
	}
}

#[test]
fn slash_should_start_the_jail_anew_when_jailed_already() {
	run(|| {
		let device = registered_device();
		Lifecycle::slash(device, Ppm(1));
		advance(5_000);
		Lifecycle::slash(device, Ppm(1));
		assert_eq!(Devices::<Test>::get(device).unwrap().locked_until, Some(1_014_000));
	});
}

#[test]
fn slash_should_touch_only_the_device_when_its_provider_has_others() {
	run(|| {
		let device = registered_device();
		assert_ok!(Registration::new(SiteId(0), 2).submit());
		assert_eq!(Lifecycle::slash(device, Ppm(u32::MAX)), bond());
		assert_eq!(Lifecycle::slash(device, Ppm::ONE), 0);
		assert_eq!(Devices::<Test>::get(DeviceId(1)).unwrap().bond, bond());
		assert_eq!(held(HoldReason::DeviceBond, ALICE), bond());
		assert_eq!(held(HoldReason::ProviderDeposit, ALICE), 1_000);
	});
}

#[test]
fn slash_should_do_nothing_when_the_device_is_unknown() {
	run(|| {
		assert_storage_noop!(assert_eq!(Lifecycle::slash(DeviceId(3), Ppm::ONE), 0));
		assert_eq!(Lifecycle::device(DeviceId(3)), None);
	});
}
