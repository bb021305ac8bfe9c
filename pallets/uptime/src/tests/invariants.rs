//! Sequences of operations. After each one:
//!
//! INV1 `do_try_state` holds.
//! INV2 Total issuance never changes.
//! INV3 No score is above one.
//! INV4 `proved` never falls, and a leaf adds no more than its slots.
//! INV5 What is held equals the bonds of the registered orchestrators.

use crate::{mock::*, Orchestrators, Records, UptimeParameters};
use armature_primitives::{DeviceId, Ppm, RegionId};
use frame_support::weights::Weight;
use pallet_balances::TotalIssuance;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
	Register { who: usize, region: u16 },
	Update { who: usize },
	Deregister { who: usize },
	Leaf { device: u32, back: u64, up: u32 },
	Advance { millis: u64 },
	Stall { millis: u64 },
	Sweep,
	Withdraw { device: u32 },
	Retune { slot_millis: u64, bond: u128 },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
	let who = 0..ACCOUNTS.len();
	prop::collection::vec(
		prop_oneof![
			2 => (who.clone(), 0u16..3).prop_map(|(who, region)| Op::Register { who, region }),
			1 => who.clone().prop_map(|who| Op::Update { who }),
			1 => who.prop_map(|who| Op::Deregister { who }),
			8 => (1u32..6, 0u64..5, 0u32..=60)
				.prop_map(|(device, back, up)| Op::Leaf { device, back, up }),
			6 => (1u64..3 * EPOCH).prop_map(|millis| Op::Advance { millis }),
			2 => (1u64..40 * EPOCH).prop_map(|millis| Op::Stall { millis }),
			3 => Just(Op::Sweep),
			1 => (1u32..6).prop_map(|device| Op::Withdraw { device }),
			1 => (50u64..200, 1u128..4)
				.prop_map(|(slot_millis, n)| Op::Retune { slot_millis, bond: n * BOND }),
		],
		1..60,
	)
}

/// Whether the operation was accepted.
fn apply(op: Op) -> bool {
	let signed = |who: usize| RuntimeOrigin::signed(ACCOUNTS[who]);
	match op {
		Op::Register { who, region } => {
			Uptime::register_orchestrator(signed(who), RegionId(region), address("/a")).is_ok()
		},
		Op::Update { who } => Uptime::update_orchestrator(signed(who), address("/b")).is_ok(),
		Op::Deregister { who } => Uptime::deregister_orchestrator(signed(who)).is_ok(),
		Op::Leaf { device, back, up } => {
			let clock = crate::Parameters::<Test>::get().clock();
			let mut leaf = leaf(device, 0, up);
			leaf.epoch.0 = clock.epoch_at(Now::get()).0 - back;
			submit(leaf).is_ok()
		},
		Op::Advance { millis } => {
			run_until(Now::get() + millis);
			true
		},
		Op::Stall { millis } => {
			stall_until(Now::get() + millis);
			true
		},
		Op::Sweep => {
			block_at(Now::get() + 1, Weight::MAX);
			true
		},
		Op::Withdraw { device } => Fleet::mutate(|fleet| fleet.remove(&DeviceId(device)).is_some()),
		Op::Retune { slot_millis, bond } => {
			let parameters =
				UptimeParameters { slot_millis, orchestrator_bond: bond, ..test_parameters() };
			Uptime::set_parameters(RuntimeOrigin::root(), parameters).is_ok()
		},
	}
}

fn proved(device: u32) -> Option<u64> {
	Records::<Test>::get(DeviceId(device)).map(|record| record.proved)
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(128))]

	#[test]
	fn invariants_should_hold_after_any_operations(ops in ops()) {
		ExtBuilder::default().devices(4).build_and_execute(|| {
			let issuance = TotalIssuance::<Test>::get();
			assert_eq!(issuance, FUNDS * ACCOUNTS.len() as u128);
			for op in ops {
				let before: Vec<_> = (1..6).map(proved).collect();
				let accepted = apply(op.clone());
				// INV1, INV2
				Uptime::do_try_state().unwrap_or_else(|e| panic!("{op:?}: {e:?}"));
				assert_eq!(TotalIssuance::<Test>::get(), issuance);
				for (device, before) in (1..6).zip(before) {
					// INV3
					let score = Uptime::availability_of(DeviceId(device));
					assert!(score.is_none_or(|score| score <= Ppm::ONE));
					// INV4
					let gained = match (before, proved(device)) {
						(before, Some(after)) => after.checked_sub(before.unwrap_or(0)),
						(_, None) => Some(0),
					};
					let most = match &op {
						Op::Leaf { device: of, up, .. } if *of == device && accepted =>
							u64::from(*up),
						_ => 0,
					};
					assert!(gained.is_some_and(|gained| gained <= most), "{op:?}");
				}
				// INV5
				let bonds: u128 = Orchestrators::<Test>::iter_values().map(|o| o.bond).sum();
				let held: u128 =
					ACCOUNTS.iter().map(|who| System::account(who).data.reserved).sum();
				assert_eq!(bonds, held);
			}
		});
	}
}
