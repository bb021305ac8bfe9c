use super::*;
use sp_core::Pair;

#[test]
fn register_provider_should_hold_the_deposit() {
	run(|| {
		assert_ok!(DevicesPallet::register_provider(signed(ALICE), Some(OPERATOR)));
		assert_eq!(held(HoldReason::ProviderDeposit, ALICE), 1_000);
		assert_eq!(free(ALICE), FUNDS - 1_000);
		let provider = Providers::<Test>::get(ALICE).unwrap();
		assert_eq!(
			provider,
			Provider { operator: Some(OPERATOR), deposit: 1_000, sites: 0, nonce: 0 }
		);
		assert_eq!(last_event(), Event::ProviderRegistered { who: ALICE });
	});
}

#[test]
fn register_provider_should_fail_when_repeated_or_poor() {
	run(|| {
		assert_noop!(
			DevicesPallet::register_provider(signed(POOR), None),
			TokenError::FundsUnavailable
		);
		assert_ok!(DevicesPallet::register_provider(signed(ALICE), None));
		assert_noop!(DevicesPallet::register_provider(signed(ALICE), None), Error::AlreadyProvider);
	});
}

#[test]
fn every_call_should_refuse_a_wrong_origin() {
	run(|| {
		let device = registered_device();
		let (site, rack) = (SiteId(0), RackId(0));
		let root = RuntimeOrigin::root;
		let bad = DispatchError::BadOrigin;
		assert_noop!(DevicesPallet::register_provider(root(), None), bad);
		assert_noop!(DevicesPallet::set_operator(root(), None), bad);
		assert_noop!(
			DevicesPallet::register_site(root(), RegionId(0), MilliWatts(1), Ppm::ONE),
			bad
		);
		assert_noop!(DevicesPallet::update_site(root(), site, MilliWatts(1), Ppm::ONE), bad);
		assert_noop!(DevicesPallet::register_rack(root(), site), bad);
		assert_noop!(DevicesPallet::remove_rack(root(), rack), bad);
		assert_noop!(DevicesPallet::remove_site(root(), site), bad);
		assert_noop!(DevicesPallet::deregister_provider(root()), bad);
		let new = Registration::new(site, 9);
		assert_noop!(
			DevicesPallet::register_device(
				root(),
				site,
				None,
				key_pair(9).public(),
				8,
				1,
				new.label.clone(),
				new.signature()
			),
			bad
		);
		assert_noop!(DevicesPallet::drain_device(root(), device), bad);
		assert_noop!(DevicesPallet::resume_device(root(), device), bad);
		assert_noop!(DevicesPallet::clear_jail(root(), device), bad);
		assert_noop!(DevicesPallet::retire_device(root(), device), bad);
		assert_noop!(DevicesPallet::withdraw_bond(root(), device), bad);
		assert_noop!(DevicesPallet::set_parameters(signed(ALICE), parameters()), bad);
	});
}

#[test]
fn set_operator_should_replace_the_operator() {
	run(|| {
		assert_noop!(DevicesPallet::set_operator(signed(ALICE), None), Error::NotProvider);
		provider_with_site(ALICE);
		assert_ok!(DevicesPallet::set_operator(signed(ALICE), Some(BOB)));
		assert_eq!(Providers::<Test>::get(ALICE).unwrap().operator, Some(BOB));
		assert_eq!(last_event(), Event::OperatorSet { who: ALICE, operator: Some(BOB) });
		assert_ok!(DevicesPallet::set_operator(signed(ALICE), None));
		assert_eq!(Providers::<Test>::get(ALICE).unwrap().operator, None);
	});
}

#[test]
fn register_site_should_hold_the_deposit_and_list_the_site() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_eq!(last_event(), Event::SiteRegistered { site, who: ALICE });
		assert_eq!(held(HoldReason::SiteDeposit, ALICE), 300);
		assert_eq!(free(ALICE), FUNDS - 1_300);
		let record = Sites::<Test>::get(site).unwrap();
		assert_eq!(record.region, RegionId(2));
		assert_eq!(record.power_cap, MilliWatts(3_000_000));
		assert_eq!(record.pue, Ppm(1_100_000));
		assert_eq!(Pallet::<Test>::sites_of(ALICE), vec![site]);
		assert!(Pallet::<Test>::sites_of(BOB).is_empty());
	});
}

#[test]
fn register_site_should_fail_when_arguments_or_caller_are_wrong() {
	run(|| {
		let call = |who, cap, pue| {
			DevicesPallet::register_site(signed(who), RegionId(0), MilliWatts(cap), Ppm(pue))
		};
		assert_noop!(call(ALICE, 1, 1_000_000), Error::NotProvider);
		assert_ok!(DevicesPallet::register_provider(signed(ALICE), None));
		assert_noop!(call(ALICE, 0, 1_000_000), Error::InvalidPowerCap);
		assert_noop!(call(ALICE, 1, 999_999), Error::InvalidPue);
		assert_noop!(call(ALICE, 1, 5_000_001), Error::InvalidPue);
		assert_ok!(call(ALICE, 1, 1_000_000));
		assert_ok!(call(ALICE, u32::MAX, 5_000_000));
		assert_ok!(call(ALICE, 1, 1_000_000));
		assert_noop!(call(ALICE, 1, 1_000_000), Error::TooManySites);
	});
}

#[test]
fn register_site_should_fail_when_deposit_is_not_there() {
	run(|| {
		assert_ok!(DevicesPallet::set_parameters(
			RuntimeOrigin::root(),
			DeviceParameters { provider_deposit: 50, ..parameters() }
		));
		assert_ok!(DevicesPallet::register_provider(signed(POOR), None));
		assert_noop!(
			DevicesPallet::register_site(signed(POOR), RegionId(0), MilliWatts(1), Ppm::ONE),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn ids_should_be_refused_when_used_up() {
	run(|| {
		let site = provider_with_site(ALICE);
		NextSiteId::<Test>::put(SiteId(u32::MAX));
		NextRackId::<Test>::put(RackId(u32::MAX));
		NextDeviceId::<Test>::put(DeviceId(u32::MAX));
		assert_noop!(
			DevicesPallet::register_site(signed(ALICE), RegionId(0), MilliWatts(1), Ppm::ONE),
			Error::IdsExhausted
		);
		assert_noop!(DevicesPallet::register_rack(signed(ALICE), site), Error::IdsExhausted);
		let new = Registration::new(site, 1);
		assert_noop!(new.submit(), Error::IdsExhausted);
		NextDeviceId::<Test>::put(DeviceId(0));
		Providers::<Test>::mutate(ALICE, |p| p.as_mut().unwrap().nonce = u32::MAX);
		assert_noop!(new.submit(), Error::IdsExhausted);
	});
}

#[test]
fn update_site_should_change_circuit_only() {
	run(|| {
		let site = provider_with_site(ALICE);
		let before = Sites::<Test>::get(site).unwrap();
		assert_ok!(DevicesPallet::update_site(signed(ALICE), site, MilliWatts(5), Ppm(2_000_000)));
		let after = Sites::<Test>::get(site).unwrap();
		assert_eq!(after, Site { power_cap: MilliWatts(5), pue: Ppm(2_000_000), ..before });
		assert_eq!(
			last_event(),
			Event::SiteUpdated { site, power_cap: MilliWatts(5), pue: Ppm(2_000_000) }
		);
	});
}

#[test]
fn update_site_should_fail_when_unknown_foreign_or_out_of_range() {
	run(|| {
		let site = provider_with_site(ALICE);
		let call = |who, site, cap, pue| {
			DevicesPallet::update_site(signed(who), site, MilliWatts(cap), Ppm(pue))
		};
		assert_noop!(call(ALICE, SiteId(9), 1, 1_000_000), Error::UnknownSite);
		assert_noop!(call(BOB, site, 1, 1_000_000), Error::NotOwner);
		// The operator runs devices, not topology.
		assert_noop!(call(OPERATOR, site, 1, 1_000_000), Error::NotOwner);
		assert_noop!(call(ALICE, site, 0, 1_000_000), Error::InvalidPowerCap);
		assert_noop!(call(ALICE, site, 1, 999_999), Error::InvalidPue);
	});
}

#[test]
fn racks_should_be_registered_up_to_the_bound_and_removed() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_noop!(DevicesPallet::register_rack(signed(ALICE), SiteId(7)), Error::UnknownSite);
		assert_noop!(DevicesPallet::register_rack(signed(BOB), site), Error::NotOwner);
		assert_ok!(DevicesPallet::register_rack(signed(ALICE), site));
		assert_eq!(last_event(), Event::RackRegistered { rack: RackId(0), site });
		assert_ok!(DevicesPallet::register_rack(signed(ALICE), site));
		assert_noop!(DevicesPallet::register_rack(signed(ALICE), site), Error::TooManyRacks);

		assert_noop!(DevicesPallet::remove_rack(signed(ALICE), RackId(5)), Error::UnknownRack);
		assert_noop!(DevicesPallet::remove_rack(signed(BOB), RackId(0)), Error::NotOwner);
		assert_ok!(DevicesPallet::remove_rack(signed(ALICE), RackId(0)));
		assert_eq!(last_event(), Event::RackRemoved { rack: RackId(0) });
		assert_eq!(Racks::<Test>::get(RackId(0)), None);
		// A new rack gets a new id.
		assert_ok!(DevicesPallet::register_rack(signed(ALICE), site));
		assert_eq!(last_event(), Event::RackRegistered { rack: RackId(2), site });
	});
}

#[test]
fn remove_rack_should_fail_when_a_device_is_in_it() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_ok!(DevicesPallet::register_rack(signed(ALICE), site));
		assert_ok!(Registration { rack: Some(RackId(0)), ..Registration::new(site, 1) }.submit());
		assert_noop!(DevicesPallet::remove_rack(signed(ALICE), RackId(0)), Error::InUse);
	});
}

#[test]
fn remove_site_should_return_the_deposit_when_empty() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_noop!(DevicesPallet::remove_site(signed(ALICE), SiteId(4)), Error::UnknownSite);
		assert_noop!(DevicesPallet::remove_site(signed(BOB), site), Error::NotOwner);
		assert_ok!(DevicesPallet::register_rack(signed(ALICE), site));
		assert_noop!(DevicesPallet::remove_site(signed(ALICE), site), Error::InUse);
		assert_ok!(DevicesPallet::remove_rack(signed(ALICE), RackId(0)));
		assert_ok!(DevicesPallet::remove_site(signed(ALICE), site));
		assert_eq!(last_event(), Event::SiteRemoved { site });
		assert_eq!(held(HoldReason::SiteDeposit, ALICE), 0);
		assert_eq!(free(ALICE), FUNDS - 1_000);
		assert!(Pallet::<Test>::sites_of(ALICE).is_empty());
	});
}

#[test]
fn remove_site_should_fail_when_a_device_is_there() {
	run(|| {
		registered_device();
		assert_noop!(DevicesPallet::remove_site(signed(ALICE), SiteId(0)), Error::InUse);
	});
}

#[test]
fn deposits_should_come_back_as_they_were_held_when_parameters_changed() {
	run(|| {
		let site = provider_with_site(ALICE);
		assert_ok!(DevicesPallet::set_parameters(
			RuntimeOrigin::root(),
			DeviceParameters { provider_deposit: 1, site_deposit: 9_999, ..parameters() }
		));
		assert_ok!(DevicesPallet::remove_site(signed(ALICE), site));
		assert_ok!(DevicesPallet::deregister_provider(signed(ALICE)));
		assert_eq!(free(ALICE), FUNDS);
	});
}

#[test]
fn deregister_provider_should_return_the_deposit_when_without_sites() {
	run(|| {
		assert_noop!(DevicesPallet::deregister_provider(signed(ALICE)), Error::NotProvider);
		let site = provider_with_site(ALICE);
		assert_noop!(DevicesPallet::deregister_provider(signed(ALICE)), Error::InUse);
		assert_ok!(DevicesPallet::remove_site(signed(ALICE), site));
		assert_ok!(DevicesPallet::deregister_provider(signed(ALICE)));
		assert_eq!(last_event(), Event::ProviderDeregistered { who: ALICE });
		assert_eq!(Providers::<Test>::get(ALICE), None);
		assert_eq!(free(ALICE), FUNDS);
	});
}

#[test]
fn set_parameters_should_check_and_store() {
	run(|| {
		let new = DeviceParameters { jail_period: 1, ..parameters() };
		assert_noop!(
			DevicesPallet::set_parameters(
				RuntimeOrigin::root(),
				DeviceParameters { jail_period: 0, ..new }
			),
			Error::InvalidParameters
		);
		assert_ok!(DevicesPallet::set_parameters(RuntimeOrigin::root(), new));
		assert_eq!(Parameters::<Test>::get(), new);
		assert_eq!(last_event(), Event::ParametersSet { parameters: new });
	});
}
