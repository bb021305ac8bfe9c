use super::*;
use armature_primitives::{
	ed25519,
	signing::registration_payload,
	traits::{DeviceInspect, DeviceLifecycle},
	H256,
};
use sp_core::Pair;

type Lifecycle = Pallet<Test>;

fn attested_device() -> DeviceId {
	let device = registered_device();
	Lifecycle::on_attested(device, armature_primitives::device::Tier::T0);
	device
}

#[test]
fn register_device_should_bond_and_store() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_ok!(DevicesPallet::register_rack(signed(ALICE), site));
		let new = Registration { rack: Some(RackId(0)), ..Registration::new(site, 1) };
		assert_ok!(new.submit());

		let device = DeviceId(0);
		let key = key_pair(1).public();
		assert_eq!(last_event(), Event::DeviceRegistered { device, who: ALICE, site, key });
		assert_eq!(bond(), 5_056);
		assert_eq!(held(HoldReason::DeviceBond, ALICE), 5_056);
		assert_eq!(free(ALICE), FUNDS - 1_000 - 300 - 5_056);
		let record = Devices::<Test>::get(device).unwrap();
		assert_eq!(record.status, DeviceStatus::Registered);
		assert_eq!((record.bond, record.tier, record.locked_until), (5_056, None, None));
		assert_eq!(DeviceByKey::<Test>::get(key), Some(device));
		assert_eq!(Providers::<Test>::get(ALICE).unwrap().nonce, 1);
		assert_eq!(Racks::<Test>::get(RackId(0)).unwrap().devices, 1);
		assert_eq!(Sites::<Test>::get(site).unwrap().devices, 1);

		let info = Lifecycle::device(device).unwrap();
		assert_eq!((info.provider, info.site, info.rack), (ALICE, site, Some(RackId(0))));
		assert_eq!((info.key, info.lanes, info.memory_mib), (key, 8, 4_096));
		let site_info = <Lifecycle as DeviceInspect<AccountId>>::site(site).unwrap();
		assert_eq!((site_info.provider, site_info.region), (ALICE, RegionId(2)));
		let detail = Pallet::<Test>::device_detail(device).unwrap();
		assert_eq!(
			(detail.id, detail.region, detail.required_bond),
			(device, RegionId(2), Some(5_056))
		);
		assert_eq!(detail.device, record);
	});
}

#[test]
fn register_device_should_refuse_a_signature_for_anything_else() {
	run(|| {
		let site = provider_with_site(ALICE);
		provider_with_site(BOB);
		let new = Registration::new(site, 1);
		let genesis = System::block_hash(0);
		let wrong = [
			registration_payload(&H256([0xbb; 32]), &ALICE, 0),
			registration_payload(&genesis, &BOB, 0),
			registration_payload(&genesis, &ALICE, 1),
			Vec::new(),
		];
		for payload in wrong {
			assert_noop!(new.submit_with(key_pair(1).sign(&payload)), Error::BadSignature);
		}
		let other_key = key_pair(2).sign(&registration_payload(&genesis, &ALICE, 0));
		assert_noop!(new.submit_with(other_key), Error::BadSignature);
		assert_ok!(new.submit());
	});
}

#[test]
fn register_device_should_refuse_a_used_signature_for_ever() {
	run(|| {
		let site = provider_with_site(ALICE);
		let new = Registration::new(site, 1);
		let used = new.signature();
		assert_ok!(new.submit());
		assert_ok!(DevicesPallet::retire_device(signed(ALICE), DeviceId(0)));
		advance(60_000);
		assert_ok!(DevicesPallet::withdraw_bond(signed(ALICE), DeviceId(0)));
		assert_noop!(new.submit_with(used), Error::BadSignature);

		// Leaving and coming back does not reset the nonce.
		assert_ok!(DevicesPallet::remove_site(signed(ALICE), site));
		assert_ok!(DevicesPallet::deregister_provider(signed(ALICE)));
		assert_eq!(Pallet::<Test>::registration_nonce(ALICE), 1);
		let site = provider_with_site(ALICE);
		let again = Registration { site, ..new };
		assert_noop!(again.submit_with(used), Error::BadSignature);
		assert_ok!(again.submit());
		assert_eq!(Pallet::<Test>::registration_nonce(ALICE), 2);
	});
}

#[test]
fn register_device_should_fail_when_the_key_is_taken() {
	run(|| {
		let device = registered_device();
		let site = provider_with_site(BOB);
		let again = Registration { who: BOB, ..Registration::new(site, 1) };
		assert_noop!(again.submit(), Error::KeyInUse);
		// A retired device keeps its key until its bond is withdrawn.
		assert_ok!(DevicesPallet::retire_device(signed(ALICE), device));
		assert_noop!(again.submit(), Error::KeyInUse);
		advance(60_000);
		assert_ok!(DevicesPallet::withdraw_bond(signed(ALICE), device));
		assert_ok!(again.submit());
	});
}

#[test]
fn register_device_should_refuse_a_key_that_anybody_signs_for() {
	run(|| {
		let site = provider_with_site(ALICE);
		// The neutral element with the zero scalar signs everything.
		let mut neutral = [0u8; 32];
		neutral[0] = 1;
		let mut signature = [0u8; 64];
		signature[0] = 1;
		assert_noop!(
			DevicesPallet::register_device(
				signed(ALICE),
				site,
				None,
				ed25519::Public::from_raw(neutral),
				8,
				1,
				Default::default(),
				ed25519::Signature::from_raw(signature),
			),
			Error::WeakKey
		);
	});
}

#[test]
fn register_device_should_check_lanes_memory_and_label() {
	run(|| {
		let site = provider_with_site(ALICE);
		let new = Registration::new(site, 1);
		let cases = [
			(Registration { lanes: 0, ..new.clone() }, Error::InvalidLanes),
			(Registration { lanes: 1_025, ..new.clone() }, Error::InvalidLanes),
			(Registration { memory_mib: 0, ..new.clone() }, Error::InvalidMemory),
			(
				Registration { label: vec![0xff].try_into().unwrap(), ..new.clone() },
				Error::InvalidLabel,
			),
			(
				Registration { label: b"a\x1bb".to_vec().try_into().unwrap(), ..new.clone() },
				Error::InvalidLabel,
			),
		];
		for (bad, error) in cases {
			assert_noop!(bad.submit(), error);
		}
		assert_ok!(Registration { lanes: 1, memory_mib: 1, ..new.clone() }.submit());
		assert_ok!(Registration { lanes: 1_024, seed: 2, ..new }.submit());
	});
}

#[test]
fn register_device_should_check_site_and_rack() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_noop!(
			Registration { who: BOB, ..Registration::new(site, 1) }.submit(),
			Error::NotProvider
		);
		let bobs = provider_with_site(BOB);
		assert_ok!(DevicesPallet::register_rack(signed(BOB), bobs));
		assert_noop!(Registration::new(SiteId(9), 1).submit(), Error::UnknownSite);
		assert_noop!(Registration::new(bobs, 1).submit(), Error::NotOwner);
		let with_rack =
			|rack| Registration { rack: Some(RackId(rack)), ..Registration::new(site, 1) };
		assert_noop!(with_rack(9).submit(), Error::UnknownRack);
		assert_noop!(with_rack(0).submit(), Error::RackElsewhere);
	});
}

#[test]
fn register_device_should_fail_when_the_site_is_full() {
	run(|| {
		let site = provider_with_site(ALICE);
		for seed in 1..=4 {
			assert_ok!(Registration::new(site, seed).submit());
		}
		assert_noop!(Registration::new(site, 5).submit(), Error::TooManyDevices);
		let mut devices = Pallet::<Test>::devices_of(ALICE, None);
		devices.sort();
		assert_eq!(devices, (0..4).map(DeviceId).collect::<Vec<_>>());
	});
}

#[test]
fn devices_should_be_listed_after_any_of_them() {
	run(|| {
		let site = provider_with_site(ALICE);
		for seed in 1..=4 {
			assert_ok!(Registration::new(site, seed).submit());
		}
		let all = Pallet::<Test>::devices_of(ALICE, None);
		for (i, device) in all.iter().enumerate() {
			assert_eq!(Pallet::<Test>::devices_of(ALICE, Some(*device)), all[i + 1..]);
		}
		assert!(Pallet::<Test>::devices_of(BOB, None).is_empty());
	});
}

#[test]
fn register_device_should_fail_when_the_bond_is_not_there() {
	run(|| {
		let site = provider_with_site(ALICE);
		let left = free(ALICE);
		// The provider has to keep the existential deposit.
		assert_ok!(DevicesPallet::set_parameters(
			RuntimeOrigin::root(),
			DeviceParameters { device_bond: left - 56, ..parameters() }
		));
		assert_noop!(Registration::new(site, 1).submit(), TokenError::FundsUnavailable);
		assert_ok!(DevicesPallet::set_parameters(
			RuntimeOrigin::root(),
			DeviceParameters { device_bond: left - 57, ..parameters() }
		));
		assert_ok!(Registration::new(site, 1).submit());
		assert_eq!(free(ALICE), 1);
	});
}

#[test]
fn bond_for_should_answer_for_legal_lanes_only() {
	run(|| {
		assert_eq!(Pallet::<Test>::bond_for(0), None);
		assert_eq!(Pallet::<Test>::bond_for(1), Some(5_007));
		assert_eq!(Pallet::<Test>::bond_for(1_024), Some(5_000 + 7 * 1_024));
		assert_eq!(Pallet::<Test>::bond_for(1_025), None);
	});
}

#[test]
fn may_operate_should_hold_for_provider_and_operator_only() {
	run(|| {
		let device = registered_device();
		assert!(Lifecycle::may_operate(&ALICE, device));
		assert!(Lifecycle::may_operate(&OPERATOR, device));
		assert!(!Lifecycle::may_operate(&BOB, device));
		assert!(!Lifecycle::may_operate(&ALICE, DeviceId(9)));
		assert_ok!(DevicesPallet::set_operator(signed(ALICE), None));
		assert!(!Lifecycle::may_operate(&OPERATOR, device));
	});
}

#[test]
fn drain_and_resume_should_work_for_provider_and_operator() {
	run(|| {
		let device = attested_device();
		for who in [ALICE, OPERATOR] {
			assert_ok!(DevicesPallet::drain_device(signed(who), device));
			assert_eq!(
				last_event(),
				Event::DeviceStatusChanged {
					device,
					from: DeviceStatus::Attested,
					to: DeviceStatus::Draining
				}
			);
			assert_ok!(DevicesPallet::resume_device(signed(who), device));
			assert_eq!(status(device), DeviceStatus::Attested);
		}
		assert_noop!(DevicesPallet::drain_device(signed(BOB), device), Error::NotOperator);
		assert_noop!(DevicesPallet::resume_device(signed(BOB), device), Error::NotOperator);
		let unknown = DeviceId(7);
		assert_noop!(DevicesPallet::drain_device(signed(ALICE), unknown), Error::UnknownDevice);
		assert_noop!(DevicesPallet::resume_device(signed(ALICE), unknown), Error::UnknownDevice);
	});
}

#[test]
fn drain_and_resume_should_fail_in_other_states() {
	run(|| {
		let device = registered_device();
		assert_noop!(DevicesPallet::drain_device(signed(ALICE), device), Error::WrongStatus);
		assert_noop!(DevicesPallet::resume_device(signed(ALICE), device), Error::WrongStatus);
		Lifecycle::on_attested(device, armature_primitives::device::Tier::T0);
		assert_ok!(DevicesPallet::drain_device(signed(ALICE), device));
		assert_noop!(DevicesPallet::drain_device(signed(ALICE), device), Error::WrongStatus);
		Lifecycle::slash(device, Ppm(1));
		assert_noop!(DevicesPallet::drain_device(signed(ALICE), device), Error::WrongStatus);
		assert_noop!(DevicesPallet::resume_device(signed(ALICE), device), Error::WrongStatus);
		assert_ok!(DevicesPallet::retire_device(signed(ALICE), device));
		assert_noop!(DevicesPallet::drain_device(signed(ALICE), device), Error::WrongStatus);
	});
}

#[test]
fn clear_jail_should_top_up_the_bond_when_the_period_is_over() {
	run(|| {
		let device = attested_device();
		assert_noop!(DevicesPallet::clear_jail(signed(ALICE), device), Error::WrongStatus);
		assert_eq!(Lifecycle::slash(device, Ppm(100_000)), 506);
		advance(8_999);
		assert_noop!(DevicesPallet::clear_jail(signed(ALICE), device), Error::StillJailed);
		advance(1);
		assert_noop!(DevicesPallet::clear_jail(signed(OPERATOR), device), Error::NotOwner);
		assert_noop!(DevicesPallet::clear_jail(signed(ALICE), DeviceId(8)), Error::UnknownDevice);
		assert_ok!(DevicesPallet::clear_jail(signed(ALICE), device));
		System::assert_has_event(Event::BondToppedUp { device, amount: 506 }.into());
		assert_eq!(status(device), DeviceStatus::Registered);
		assert_eq!(held(HoldReason::DeviceBond, ALICE), bond());
		assert_eq!(free(ALICE), FUNDS - 1_300 - bond() - 506);
	});
}

#[test]
fn clear_jail_should_ask_for_the_bond_of_today() {
	run(|| {
		let device = registered_device();
		Lifecycle::slash(device, Ppm(0));
		advance(9_000);
		// A lower requirement gives nothing back before retirement.
		let lower = DeviceParameters { device_bond: 1, ..parameters() };
		assert_ok!(DevicesPallet::set_parameters(RuntimeOrigin::root(), lower));
		assert_ok!(DevicesPallet::clear_jail(signed(ALICE), device));
		assert_eq!(held(HoldReason::DeviceBond, ALICE), bond());

		Lifecycle::slash(device, Ppm(0));
		advance(9_000);
		let higher = DeviceParameters { device_bond: 6_000, ..parameters() };
		assert_ok!(DevicesPallet::set_parameters(RuntimeOrigin::root(), higher));
		assert_ok!(DevicesPallet::clear_jail(signed(ALICE), device));
		assert_eq!(held(HoldReason::DeviceBond, ALICE), 6_056);
	});
}

#[test]
fn clear_jail_should_fail_when_the_top_up_is_not_there() {
	run(|| {
		let device = registered_device();
		Lifecycle::slash(device, Ppm::ONE);
		advance(9_000);
		assert_ok!(Balances::transfer_allow_death(signed(ALICE), BOB, free(ALICE) - 100));
		assert_noop!(
			DevicesPallet::clear_jail(signed(ALICE), device),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn retire_device_should_wait_for_leases_and_start_unbonding() {
	run(|| {
		let device = attested_device();
		assert_noop!(DevicesPallet::retire_device(signed(BOB), device), Error::NotOwner);
		assert_noop!(DevicesPallet::retire_device(signed(OPERATOR), device), Error::NotOwner);
		assert_noop!(
			DevicesPallet::retire_device(signed(ALICE), DeviceId(5)),
			Error::UnknownDevice
		);
		BusyDevices::set(vec![device]);
		assert_noop!(DevicesPallet::retire_device(signed(ALICE), device), Error::Busy);
		BusyDevices::set(vec![DeviceId(77)]);
		assert_ok!(DevicesPallet::retire_device(signed(ALICE), device));
		assert_eq!(
			last_event(),
			Event::DeviceStatusChanged {
				device,
				from: DeviceStatus::Attested,
				to: DeviceStatus::Retired
			}
		);
		assert_eq!(Devices::<Test>::get(device).unwrap().locked_until, Some(1_060_000));
		assert_noop!(DevicesPallet::retire_device(signed(ALICE), device), Error::WrongStatus);
	});
}

#[test]
fn withdraw_bond_should_return_what_is_left_when_the_period_is_over() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_ok!(DevicesPallet::register_rack(signed(ALICE), site));
		assert_ok!(Registration { rack: Some(RackId(0)), ..Registration::new(site, 1) }.submit());
		let device = DeviceId(0);
		assert_noop!(DevicesPallet::withdraw_bond(signed(ALICE), device), Error::WrongStatus);
		assert_ok!(DevicesPallet::retire_device(signed(ALICE), device));
		advance(59_999);
		assert_noop!(DevicesPallet::withdraw_bond(signed(ALICE), device), Error::StillUnbonding);
		let taken = Lifecycle::slash(device, Ppm(250_000));
		assert_eq!(taken, 1_264);
		assert_eq!(status(device), DeviceStatus::Retired);
		advance(1);
		assert_noop!(DevicesPallet::withdraw_bond(signed(BOB), device), Error::NotOwner);
		assert_ok!(DevicesPallet::withdraw_bond(signed(ALICE), device));
		let amount = bond() - taken;
		assert_eq!(last_event(), Event::BondWithdrawn { device, who: ALICE, amount });
		assert_eq!(free(ALICE), FUNDS - 1_300 - taken);
		assert_eq!(Devices::<Test>::get(device), None);
		assert_eq!(DeviceByKey::<Test>::get(key_pair(1).public()), None);
		assert_noop!(DevicesPallet::withdraw_bond(signed(ALICE), device), Error::UnknownDevice);
		assert_ok!(DevicesPallet::remove_rack(signed(ALICE), RackId(0)));
		assert_ok!(DevicesPallet::remove_site(signed(ALICE), site));
	});
}

#[test]
fn withdraw_bond_should_pass_when_everything_was_slashed() {
	run(|| {
		let device = registered_device();
		assert_eq!(Lifecycle::slash(device, Ppm::ONE), bond());
		assert_ok!(DevicesPallet::retire_device(signed(ALICE), device));
		advance(60_000);
		assert_ok!(DevicesPallet::withdraw_bond(signed(ALICE), device));
		assert_eq!(last_event(), Event::BondWithdrawn { device, who: ALICE, amount: 0 });
	});
}
