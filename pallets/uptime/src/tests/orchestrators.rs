use crate::{mock::*, Error, Event, HoldReason, Orchestrators, RegionOrchestrators};
use armature_primitives::{service::MAX_ADDRESS_LEN, RegionId};
use frame_support::{
	assert_noop, assert_ok,
	traits::fungible::{Inspect, InspectHold},
};
use sp_runtime::{DispatchError, TokenError};

const REGION: RegionId = RegionId(9);

fn register(who: AccountId) -> sp_runtime::DispatchResult {
	Uptime::register_orchestrator(RuntimeOrigin::signed(who), REGION, address("/ip4/127.0.0.1"))
}

fn held(who: AccountId) -> u128 {
	Balances::balance_on_hold(&HoldReason::OrchestratorBond.into(), &who)
}

#[test]
fn register_should_hold_the_bond_and_list_the_orchestrator() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(register(2));
		assert_eq!(held(2), BOND);
		assert_eq!(Balances::balance(&2), FUNDS - BOND);
		let stored = Orchestrators::<Test>::get(2).unwrap();
		assert_eq!((stored.region, stored.bond), (REGION, BOND));
		assert_eq!(
			Uptime::orchestrators_of(REGION).into_inner(),
			vec![(2, address("/ip4/127.0.0.1"))]
		);
		assert!(Uptime::orchestrators_of(RegionId(1)).is_empty());
		System::assert_last_event(
			Event::OrchestratorRegistered {
				who: 2,
				region: REGION,
				address: address("/ip4/127.0.0.1"),
			}
			.into(),
		);
	});
}

#[test]
fn register_should_fail_when_registered_already() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(register(2));
		assert_noop!(
			Uptime::register_orchestrator(RuntimeOrigin::signed(2), RegionId(1), address("x")),
			Error::<Test>::AlreadyOrchestrator
		);
	});
}

#[test]
fn register_should_fail_when_the_region_is_full() {
	ExtBuilder::default().build_and_execute(|| {
		for who in [1, 2, 3] {
			assert_ok!(register(who));
		}
		assert_noop!(register(4), Error::<Test>::RegionFull);
		// Another region has room, and so has this one after one left.
		assert_ok!(Uptime::register_orchestrator(
			RuntimeOrigin::signed(4),
			RegionId(1),
			address("x")
		));
		assert_ok!(Uptime::deregister_orchestrator(RuntimeOrigin::signed(2)));
		assert_ok!(register(5));
		let members: Vec<_> =
			Uptime::orchestrators_of(REGION).into_iter().map(|(who, _)| who).collect();
		assert_eq!(members, vec![1, 3, 5]);
	});
}

#[test]
fn register_should_fail_when_funds_lack() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(register(99), TokenError::FundsUnavailable);
	});
}

#[test]
fn addresses_should_be_neither_empty_nor_too_long() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(
			Uptime::register_orchestrator(RuntimeOrigin::signed(2), REGION, address("")),
			Error::<Test>::EmptyAddress
		);
		let longest = address(&"a".repeat(MAX_ADDRESS_LEN as usize));
		assert_ok!(Uptime::register_orchestrator(RuntimeOrigin::signed(2), REGION, longest));
		assert_noop!(
			Uptime::update_orchestrator(RuntimeOrigin::signed(2), address("")),
			Error::<Test>::EmptyAddress
		);
	});
}

#[test]
fn update_should_replace_the_address_only() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(register(2));
		assert_ok!(Uptime::update_orchestrator(RuntimeOrigin::signed(2), address("/dns/b")));
		assert_eq!(Uptime::orchestrators_of(REGION).into_inner(), vec![(2, address("/dns/b"))]);
		assert_eq!(held(2), BOND);
		System::assert_last_event(
			Event::OrchestratorUpdated { who: 2, region: REGION, address: address("/dns/b") }
				.into(),
		);
		assert_noop!(
			Uptime::update_orchestrator(RuntimeOrigin::signed(3), address("x")),
			Error::<Test>::NotOrchestrator
		);
	});
}

#[test]
fn deregister_should_return_the_bond_held_even_when_the_price_changed() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(register(2));
		let dearer = crate::UptimeParameters { orchestrator_bond: 2 * BOND, ..test_parameters() };
		assert_ok!(Uptime::set_parameters(RuntimeOrigin::root(), dearer));
		assert_ok!(Uptime::deregister_orchestrator(RuntimeOrigin::signed(2)));
		assert_eq!((held(2), Balances::balance(&2)), (0, FUNDS));
		assert!(!RegionOrchestrators::<Test>::contains_key(REGION));
		System::assert_last_event(
			Event::OrchestratorDeregistered { who: 2, region: REGION }.into(),
		);
		assert_noop!(
			Uptime::deregister_orchestrator(RuntimeOrigin::signed(2)),
			Error::<Test>::NotOrchestrator
		);
		assert_ok!(register(2));
		assert_eq!(held(2), 2 * BOND);
	});
}

#[test]
fn calls_should_fail_when_unsigned() {
	ExtBuilder::default().build_and_execute(|| {
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			assert_noop!(
				Uptime::register_orchestrator(origin.clone(), REGION, address("x")),
				DispatchError::BadOrigin
			);
			assert_noop!(
				Uptime::update_orchestrator(origin.clone(), address("x")),
				DispatchError::BadOrigin
			);
			assert_noop!(Uptime::deregister_orchestrator(origin), DispatchError::BadOrigin);
		}
	});
}
