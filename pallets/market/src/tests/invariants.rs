//! Random sequences of operations. After each: the pallet's own invariants (`do_try_state`), and
//! INV-A total issuance is unchanged, INV-B the sum of all accounts is the issuance, INV-C no lease
//! costs more than its order's escrow nor pays less than the ask or break-even, INV-D no device has
//! two leases, INV-E no site draws above 80 % of its cap.

use crate::mock::*;
use armature_primitives::{
	device::{DeviceStatus, Tier},
	energy::QuoteError,
	market::{AskTerms, OrderSpec},
	traits::LeaseOpener,
	Balance, DeviceId, MilliWatts, OrderId, Ppm, SiteId,
};
use frame_support::weights::Weight;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
	SetAsk(u32, u128, Option<u128>),
	WithdrawAsk(u32),
	Submit(u64, OrderSpec),
	Cancel(u64, u64),
	TopUp(u64, u64, u128),
	Expire(u64),
	Change(u32, Option<Machine>),
	Close(u32),
	Transfer(u64, u64, u128),
	FailOpen(bool),
	Wait(u64),
	Idle(u64),
}

fn tenant() -> impl Strategy<Value = u64> {
	prop::sample::select(vec![TENANT, OTHER])
}

fn order_spec() -> impl Strategy<Value = OrderSpec> {
	(1u64..5_000_000_000, 1u128..100_000, 1u64..100_000, 1u64..300_000, 0u8..2).prop_map(
		|(max_fuel, max_price_per_gfuel, max_duration_millis, life, tier)| OrderSpec {
			max_fuel,
			max_price_per_gfuel,
			max_duration_millis,
			deadline: Now::get() + life,
			min_tier: if tier == 0 { Tier::T0 } else { Tier::T1 },
			..spec()
		},
	)
}

fn machine() -> impl Strategy<Value = Machine> {
	let break_even = prop_oneof![
		3 => (1u128..100_000).prop_map(Ok),
		1 => Just(Err(QuoteError::FeedStale)),
		1 => Just(Err(QuoteError::NoTariff)),
	];
	(any::<bool>(), 1u64..5_000, 1u32..400_000, 0u32..2, 0u8..8, break_even).prop_map(
		|(fresh, speed, power, site, status, break_even)| Machine {
			site: SiteId(site),
			status: match status {
				0 => DeviceStatus::Retired,
				1 => DeviceStatus::Suspect,
				_ => DeviceStatus::Active,
			},
			fresh,
			availability: Some(Ppm(900_000)),
			speed: Some(speed),
			power: Ok(MilliWatts(power)),
			break_even,
			..Machine::default()
		},
	)
}

fn op() -> impl Strategy<Value = Op> {
	let device = || 0u32..8;
	let order = || 0u64..20;
	prop_oneof![
		3 => (device(), 0u128..50_000, prop::option::of(0u128..50_000))
			.prop_map(|(device, price, reserve)| Op::SetAsk(device, price, reserve)),
		1 => device().prop_map(Op::WithdrawAsk),
		5 => (tenant(), order_spec()).prop_map(|(who, spec)| Op::Submit(who, spec)),
		1 => (tenant(), order()).prop_map(|(who, order)| Op::Cancel(who, order)),
		1 => (tenant(), order(), 1u128..200_000)
			.prop_map(|(who, order, price)| Op::TopUp(who, order, price)),
		1 => order().prop_map(Op::Expire),
		3 => (device(), prop::option::weighted(0.9, machine()))
			.prop_map(|(device, one)| Op::Change(device, one)),
		2 => device().prop_map(Op::Close),
		1 => (tenant(), tenant(), 1u128..2_000_000)
			.prop_map(|(from, to, sum)| Op::Transfer(from, to, sum)),
		1 => prop::bool::weighted(0.2).prop_map(Op::FailOpen),
		1 => (1u64..100_000).prop_map(Op::Wait),
		5 => prop_oneof![Just(u64::MAX), 0u64..20_000_000_000].prop_map(Op::Idle),
	]
}

fn apply(op: Op) {
	// Whether an operation succeeds is the other tests' matter.
	let _ = match op {
		Op::SetAsk(device, price_per_gfuel, reserve_per_gfuel) => Market::set_ask(
			signed(PROVIDER),
			DeviceId(device),
			AskTerms { price_per_gfuel, reserve_per_gfuel },
		),
		Op::WithdrawAsk(device) => Market::withdraw_ask(signed(PROVIDER), DeviceId(device)),
		Op::Submit(who, spec) => Market::submit_order(signed(who), spec),
		Op::Cancel(who, order) => Market::cancel_order(signed(who), OrderId(order)),
		Op::TopUp(who, order, price) => Market::top_up_order(signed(who), OrderId(order), price),
		Op::Expire(order) => Market::expire_order(signed(STRANGER), OrderId(order)),
		Op::Change(device, one) => {
			Boxes::mutate(|all| match one {
				Some(one) => all.insert(DeviceId(device), one),
				None => all.remove(&DeviceId(device)),
			});
			Ok(())
		},
		Op::Close(device) => {
			close(DeviceId(device));
			Ok(())
		},
		Op::Transfer(from, to, sum) => {
			Balances::transfer_allow_death(signed(from), to, sum).map(|_| ())
		},
		Op::FailOpen(fail) => {
			FailOpen::set(fail);
			Ok(())
		},
		Op::Wait(millis) => {
			Now::mutate(|now| *now += millis);
			Ok(())
		},
		Op::Idle(ref_time) => {
			idle_checked(Weight::from_parts(ref_time, u64::MAX));
			Ok(())
		},
	};
}

/// Runs one block's idle hook and judges the leases that it opened.
fn idle_checked(limit: Weight) {
	let before = Opened::get().len();
	let asks: std::collections::BTreeMap<_, _> = crate::Asks::<Test>::iter().collect();
	let orders: std::collections::BTreeMap<_, _> = crate::OpenOrders::<Test>::iter().collect();
	let busy = Running::get();
	assert!(idle(1, limit).all_lte(limit), "on_idle used more than it was given");
	for lease in &Opened::get()[before..] {
		let (ask, order) = (asks[&lease.device], &orders[&lease.order]);
		assert!(lease.escrow <= order.escrow, "INV-C: above the order's escrow");
		assert!(lease.price_per_gfuel >= ask.price_per_gfuel, "INV-C: below the ask");
		match Boxes::get()[&lease.device].break_even {
			Ok(break_even) => assert!(lease.escrow >= break_even, "INV-C: below break-even"),
			Err(error) => {
				assert_eq!(error, QuoteError::FeedStale, "INV-C: matched without quote");
				assert!(
					ask.reserve_per_gfuel.is_some_and(|least| lease.price_per_gfuel >= least),
					"INV-C: below the reserve"
				);
			},
		}
		assert!(!busy.contains_key(&lease.device), "INV-D: device was busy");
		// The check at the match; a machine that changes its power later is not its matter.
		let drawn = LeaseDouble::reserved_power(lease.site).0;
		assert!(drawn <= PowerCap::get().0 / 100 * 80, "INV-E: site draws {drawn}");
	}
	let devices: std::collections::BTreeSet<_> =
		Opened::get()[before..].iter().map(|lease| lease.device).collect();
	assert_eq!(devices.len(), Opened::get().len() - before, "INV-D: device matched twice");
}

fn check(issued: Balance) {
	Market::do_try_state().unwrap();
	assert_eq!(Balances::total_issuance(), issued, "INV-A");
	let sum: Balance = frame_system::Account::<Test>::iter_values()
		.map(|account| account.data.free + account.data.reserved)
		.sum();
	assert_eq!(sum, issued, "INV-B");
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

	#[test]
	fn market_should_keep_every_invariant_when_anything_happens(
		ops in prop::collection::vec(op(), 1..80),
	) {
		let builder = (0..4).fold(ExtBuilder::default(), |builder, n| builder.ask(n, 100));
		builder.build().execute_with(|| {
			let issued = Balances::total_issuance();
			for op in ops {
				apply(op);
				check(issued);
			}
			// Whatever happened, every open order is refunded in the end.
			Now::mutate(|now| *now += LIFE);
			for id in 0..crate::NextOrderId::<Test>::get().0 {
				if crate::OpenOrders::<Test>::contains_key(OrderId(id)) {
					Market::expire_order(signed(STRANGER), OrderId(id)).unwrap();
				}
			}
			check(issued);
			assert_eq!((held(TENANT), held(OTHER)), (0, 0));
		});
	}
}
