//! Who judges.

use crate::{mock::*, *};
use armature_primitives::{device::DeviceStatus, DeviceId};
use frame_support::assert_ok;

fn enrol(device: u32) {
	let who = DeviceTable::get()[&DeviceId(device)].0.provider;
	assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(who), DeviceId(device)));
}

#[test]
fn committee_should_leave_out_the_devices_own_people() {
	ExtBuilder::default().devices(1).verifiers(5).build_and_execute(|| {
		// Verifier 2 owns the device, verifier 3 operates it.
		put_device_of(2, 0, DeviceStatus::Active);
		DeviceTable::mutate(|table| table.get_mut(&DeviceId(0)).unwrap().1 = Some(3));
		enrol(0);
		run_blocks(1);
		let mut seated = seats(&round_of(0).unwrap());
		seated.sort();
		assert_eq!(seated, vec![1, 4, 5]);
	});
}

#[test]
fn committee_should_have_no_two_of_one_network_where_the_parameters_say_so() {
	for (distinct, opens) in [(true, false), (false, true)] {
		ExtBuilder::default()
			.devices(1)
			.verifiers(0)
			.parameters(|p| p.distinct_networks = distinct)
			.build_and_execute(|| {
				// Three verifiers in two networks.
				for (who, network) in [(1, 1), (2, 1), (3, 2)] {
					let origin = RuntimeOrigin::signed(who);
					assert_ok!(Challenges::register_verifier(origin, address(network)));
				}
				enrol(0);
				run_blocks(1);
				assert_eq!(round_of(0).is_some(), opens);
				// A third network makes a committee of three.
				let origin = RuntimeOrigin::signed(2);
				assert_ok!(Challenges::update_verifier(origin, address(3)));
				if distinct {
					surprise(0);
					assert_eq!(seats(&round_of(0).unwrap()).len(), 3);
				}
			});
	}
}

#[test]
fn names_should_be_one_network() {
	ExtBuilder::default()
		.devices(1)
		.verifiers(0)
		.parameters(|p| p.distinct_networks = true)
		.build_and_execute(|| {
			for (who, name) in [(1, "/dns/a.example"), (2, "/dns/b.example"), (3, "/dns/c.example")]
			{
				let address = name.as_bytes().to_vec().try_into().unwrap();
				assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(who), address));
			}
			enrol(0);
			run_blocks(1);
			assert!(round_of(0).is_none());
			assert_eq!(last_event(), Event::NoVerifiers);
		});
}

#[test]
fn round_should_not_open_below_its_quorum() {
	// Three, or the whole of a smaller committee.
	for (committee, verifiers, opens) in [(5, 2, false), (5, 3, true), (2, 1, false), (1, 1, true)]
	{
		ExtBuilder::default()
			.devices(1)
			.verifiers(verifiers)
			.parameters(|p| p.committee = committee)
			.build_and_execute(|| {
				enrol(0);
				run_blocks(1);
				assert_eq!(round_of(0).is_some(), opens, "{verifiers} of {committee}");
			});
	}
}

#[test]
fn lack_of_verifiers_should_be_said_once_per_interval() {
	ExtBuilder::default().devices(1).verifiers(0).build_and_execute(|| {
		enrol(0);
		let said = || events().iter().filter(|e| **e == Event::NoVerifiers).count();
		run_to(6);
		assert_eq!(said(), 1);
		run_to(7);
		assert_eq!(said(), 2);
		// The request has waited.
		assert!(Owners::<Test>::get(provider(0)).unwrap().queued.is_some());
		for who in 1..=3 {
			assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(who), address(1)));
		}
		run_to(8);
		assert!(round_of(0).is_some());
	});
}
