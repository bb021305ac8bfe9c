//! Asks, orders, parameters.

use crate::{mock::*, Asks, Error, Event, MatchedOrder, OpenOrdersOf, OrderStatus, Parameters};
use armature_primitives::{
	device::DeviceStatus,
	market::{AskTerms, OrderSpec},
	DeviceId, LeaseId, OrderId, Ppm,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{traits::BadOrigin, TokenError};

const DEVICE: DeviceId = DeviceId(7);

fn add(device: u32, one: Machine) {
	Boxes::mutate(|all| all.insert(DeviceId(device), one));
}

#[test]
fn set_ask_should_store_terms_when_provider_or_operator_signs() {
	ExtBuilder::default().build_and_execute(|| {
		add(7, Machine::default());
		for (who, price) in [(PROVIDER, 3), (OPERATOR, 4)] {
			let terms = AskTerms { price_per_gfuel: price, reserve_per_gfuel: Some(1) };
			assert_ok!(Market::set_ask(signed(who), DEVICE, terms));
			assert_eq!(Market::ask(DEVICE), Some(terms));
			System::assert_last_event(Event::AskSet { device: DEVICE, terms }.into());
		}
		assert_eq!(Asks::<Test>::count(), 1);
	});
}

#[test]
fn set_ask_should_fail_when_device_or_terms_are_wrong() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(Market::set_ask(RuntimeOrigin::none(), DEVICE, terms(1)), BadOrigin);
		assert_noop!(
			Market::set_ask(signed(PROVIDER), DEVICE, terms(1)),
			Error::<Test>::DeviceNotFound
		);
		add(7, Machine { status: DeviceStatus::Retired, ..Machine::default() });
		assert_noop!(
			Market::set_ask(signed(STRANGER), DEVICE, terms(1)),
			Error::<Test>::NotOperator
		);
		assert_noop!(
			Market::set_ask(signed(PROVIDER), DEVICE, terms(1)),
			Error::<Test>::DeviceRetired
		);
		add(7, Machine::default());
		assert_noop!(Market::set_ask(signed(PROVIDER), DEVICE, terms(0)), Error::<Test>::ZeroPrice);
		let free = AskTerms { price_per_gfuel: 1, reserve_per_gfuel: Some(0) };
		assert_noop!(Market::set_ask(signed(PROVIDER), DEVICE, free), Error::<Test>::ZeroPrice);
	});
}

#[test]
fn set_ask_should_fail_when_the_book_is_full_unless_it_is_in_it() {
	ExtBuilder::default().build_and_execute(|| {
		for device in 0..7 {
			add(device, Machine::default());
		}
		for device in 0..6 {
			assert_ok!(Market::set_ask(signed(PROVIDER), DeviceId(device), terms(1)));
		}
		assert_noop!(
			Market::set_ask(signed(PROVIDER), DeviceId(6), terms(1)),
			Error::<Test>::TooManyAsks
		);
		assert_ok!(Market::set_ask(signed(PROVIDER), DeviceId(5), terms(2)));
	});
}

#[test]
fn withdraw_ask_should_remove_it_when_provider_or_operator_signs() {
	ExtBuilder::default().ask(7, 1).build_and_execute(|| {
		assert_noop!(Market::withdraw_ask(RuntimeOrigin::none(), DEVICE), BadOrigin);
		assert_noop!(Market::withdraw_ask(signed(STRANGER), DEVICE), Error::<Test>::NotOperator);
		assert_ok!(Market::withdraw_ask(signed(OPERATOR), DEVICE));
		System::assert_last_event(Event::AskWithdrawn { device: DEVICE }.into());
		assert_eq!(Market::ask(DEVICE), None);
		assert_noop!(Market::withdraw_ask(signed(OPERATOR), DEVICE), Error::<Test>::AskNotFound);
	});
}

#[test]
fn submit_should_hold_the_escrow_rounded_up_when_valid() {
	ExtBuilder::default().build_and_execute(|| {
		let odd = OrderSpec { max_fuel: 2_000_000_001, ..spec() };
		assert_ok!(Market::submit_order(signed(TENANT), odd.clone()));
		assert_eq!(held(TENANT), 1_001);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1 - 1_001);
		let order = OrderId(0);
		System::assert_last_event(
			Event::OrderSubmitted { order, who: TENANT, escrow: 1_001 }.into(),
		);
		let Some(OrderStatus::Open(open)) = Market::order(order) else {
			panic!("not open");
		};
		assert_eq!(
			(open.tenant, open.spec, open.escrow, open.submitted_at, open.last_refusal),
			(TENANT, odd, 1_001, START, None)
		);
		assert_eq!(submit(spec()), OrderId(1));
		assert_eq!(OpenOrdersOf::<Test>::get(TENANT), 2);
	});
}

#[test]
fn submit_should_fail_when_a_figure_is_out_of_range() {
	ExtBuilder::default().build_and_execute(|| {
		let ok = spec;
		let cases: Vec<(OrderSpec, Error<Test>)> = vec![
			(OrderSpec { max_fuel: 0, ..ok() }, Error::ZeroFuel),
			(OrderSpec { max_price_per_gfuel: 0, ..ok() }, Error::ZeroPrice),
			(OrderSpec { max_memory_mib: 0, ..ok() }, Error::ZeroMemory),
			(OrderSpec { max_duration_millis: 0, ..ok() }, Error::ZeroDuration),
			(OrderSpec { max_duration_millis: MAX_DURATION + 1, ..ok() }, Error::DurationTooLong),
			(OrderSpec { min_availability: Ppm(1_000_001), ..ok() }, Error::InvalidAvailability),
			(OrderSpec { deadline: START, ..ok() }, Error::DeadlinePassed),
			(OrderSpec { deadline: START + LIFE + 1, ..ok() }, Error::DeadlineTooFar),
			(OrderSpec { deadline: u64::MAX, ..ok() }, Error::DeadlineTooFar),
			(OrderSpec { max_price_per_gfuel: 49, ..ok() }, Error::EscrowTooSmall),
			(
				OrderSpec { max_fuel: u64::MAX, max_price_per_gfuel: u128::MAX, ..ok() },
				Error::Overflow,
			),
		];
		for (bad, error) in cases {
			assert_noop!(Market::submit_order(signed(TENANT), bad), error);
		}
		assert_noop!(Market::submit_order(RuntimeOrigin::none(), ok()), BadOrigin);
		for good in [
			OrderSpec { max_duration_millis: MAX_DURATION, ..ok() },
			OrderSpec { min_availability: Ppm::ONE, ..ok() },
			OrderSpec { deadline: START + 1, ..ok() },
			OrderSpec { deadline: START + LIFE, ..ok() },
			OrderSpec { max_price_per_gfuel: 50, ..ok() },
		] {
			assert_ok!(Market::submit_order(signed(TENANT), good));
		}
	});
}

#[test]
fn submit_should_fail_when_funds_are_missing() {
	ExtBuilder::default().build_and_execute(|| {
		// Free balance 1,000,001; 10 must stay.
		let all = OrderSpec { max_fuel: 1_000_000_000, ..spec() };
		let with = |price| OrderSpec { max_price_per_gfuel: price, ..all.clone() };
		let free = Balances::free_balance(TENANT);
		assert_noop!(
			Market::submit_order(signed(TENANT), with(free - ED + 1)),
			TokenError::FundsUnavailable
		);
		assert_ok!(Market::submit_order(signed(TENANT), with(free - ED)));
	});
}

#[test]
fn submit_should_fail_when_a_book_is_full_or_ids_are_used_up() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..6 {
			submit(spec());
		}
		assert_noop!(Market::submit_order(signed(TENANT), spec()), Error::<Test>::TooManyOwnOrders);
		for _ in 0..2 {
			assert_ok!(Market::submit_order(signed(OTHER), spec()));
		}
		assert_noop!(Market::submit_order(signed(OTHER), spec()), Error::<Test>::TooManyOrders);
		assert_ok!(Market::cancel_order(signed(TENANT), OrderId(0)));
		crate::NextOrderId::<Test>::put(OrderId(u64::MAX));
		assert_noop!(Market::submit_order(signed(OTHER), spec()), Error::<Test>::NoMoreIds);
		crate::NextOrderId::<Test>::put(OrderId(8));
		assert_ok!(Market::submit_order(signed(TENANT), spec()));
	});
}

#[test]
fn cancel_should_release_the_escrow_when_the_tenant_signs() {
	ExtBuilder::default().build_and_execute(|| {
		let order = submit(spec());
		assert_noop!(Market::cancel_order(RuntimeOrigin::none(), order), BadOrigin);
		assert_noop!(Market::cancel_order(signed(OTHER), order), Error::<Test>::NotTenant);
		assert_ok!(Market::cancel_order(signed(TENANT), order));
		System::assert_last_event(Event::OrderCancelled { order }.into());
		assert_eq!((held(TENANT), Balances::free_balance(TENANT)), (0, FUNDS + 1));
		assert_eq!(Market::order(order), None);
		assert!(!OpenOrdersOf::<Test>::contains_key(TENANT));
		assert_noop!(Market::cancel_order(signed(TENANT), order), Error::<Test>::OrderNotFound);
	});
}

#[test]
fn top_up_should_hold_the_difference_when_it_raises() {
	ExtBuilder::default().build_and_execute(|| {
		let order = submit(spec());
		let top_up = |who, price| Market::top_up_order(signed(who), order, price);
		assert_noop!(Market::top_up_order(RuntimeOrigin::none(), order, 501), BadOrigin);
		assert_noop!(top_up(OTHER, 501), Error::<Test>::NotTenant);
		assert_noop!(top_up(TENANT, 500), Error::<Test>::NotARaise);
		assert_noop!(top_up(TENANT, 499), Error::<Test>::NotARaise);
		assert_noop!(top_up(TENANT, u128::MAX), Error::<Test>::Overflow);
		assert_noop!(top_up(TENANT, FUNDS), TokenError::FundsUnavailable);
		assert_ok!(top_up(TENANT, 501));
		assert_eq!(held(TENANT), 1_002);
		System::assert_last_event(
			Event::OrderToppedUp { order, max_price_per_gfuel: 501, escrow: 1_002 }.into(),
		);
		Now::set(spec().deadline);
		assert_ok!(top_up(TENANT, 502));
		Now::set(spec().deadline + 1);
		assert_noop!(top_up(TENANT, 503), Error::<Test>::DeadlinePassed);
		assert_noop!(
			Market::top_up_order(signed(TENANT), OrderId(9), 1),
			Error::<Test>::OrderNotFound
		);
	});
}

#[test]
fn expire_should_release_the_escrow_when_the_deadline_has_passed() {
	ExtBuilder::default().build_and_execute(|| {
		let order = submit(spec());
		Now::set(spec().deadline);
		assert_noop!(Market::expire_order(RuntimeOrigin::none(), order), BadOrigin);
		assert_noop!(Market::expire_order(signed(STRANGER), order), Error::<Test>::NotExpired);
		Now::set(spec().deadline + 1);
		assert_ok!(Market::expire_order(signed(STRANGER), order));
		System::assert_last_event(Event::OrderExpired { order, refunded: 1_000 }.into());
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
		assert_noop!(Market::expire_order(signed(STRANGER), order), Error::<Test>::OrderNotFound);
	});
}

#[test]
fn matched_order_should_be_closed_to_calls_and_forgotten_when_its_lease_closes() {
	ExtBuilder::default().ask(7, 300).build_and_execute(|| {
		let order = submit(spec());
		batch();
		assert_eq!(
			Market::order(order),
			Some(OrderStatus::Matched(MatchedOrder {
				tenant: TENANT,
				lease: LeaseId(500),
				price_per_gfuel: 300
			}))
		);
		assert_noop!(Market::cancel_order(signed(TENANT), order), Error::<Test>::OrderNotFound);
		assert_noop!(
			Market::top_up_order(signed(TENANT), order, 900),
			Error::<Test>::OrderNotFound
		);
		use armature_primitives::{lease::LeaseOutcome, traits::OnLeaseClosed};
		// Another lease's end is not this order's.
		Market::on_lease_closed(order, LeaseId(9), LeaseOutcome::Completed);
		assert!(Market::order(order).is_some());
		close(DEVICE);
		assert_eq!(Market::order(order), None);
	});
}

#[test]
fn set_parameters_should_store_when_root_gives_valid_ones() {
	ExtBuilder::default().build_and_execute(|| {
		let ok = parameters;
		assert_noop!(Market::set_parameters(signed(TENANT), ok()), BadOrigin);
		for bad in [
			Parameters { batch_blocks: 0, ..ok() },
			Parameters { fuel_per_step: 0, ..ok() },
			Parameters { max_open_orders_per_tenant: 0, ..ok() },
			Parameters { min_escrow: ED - 1, ..ok() },
		] {
			assert_noop!(
				Market::set_parameters(RuntimeOrigin::root(), bad),
				Error::<Test>::InvalidParameters
			);
		}
		let new = Parameters { batch_blocks: 1, min_escrow: ED, ..ok() };
		assert_ok!(Market::set_parameters(RuntimeOrigin::root(), new.clone()));
		System::assert_last_event(Event::ParametersSet { parameters: new }.into());
		assert!(Parameters::default().validate(1_000_000_000));
	});
}
