//! Power figures held against physics and class.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{Work, WorkKind},
	device::AcceleratorOffer,
	telemetry::PowerLoad,
	DeviceId, MilliWatts, Ppm, RoundId,
};
use armature_verifier::challenge::power::PowerFault;
use frame_support::assert_ok;

/// Of products that fill half a MiB, with rows of 128.
const OPERATIONS: u128 = 2 * 128 * 128 * 128 * 32;

/// What is wrong with this figure in a passed round: 3,200 steps of four lanes in a second.
fn fault(loaded: u32) -> Option<PowerFault> {
	let mut found = None;
	// 3,200 steps take 32 mJ at least.
	let parameters = |p: &mut Parameters| {
		without_draws(p);
		p.most_steps_per_joule = 100_000;
	};
	ExtBuilder::default().parameters(parameters).build_and_execute(|| {
		open_first_round(0);
		PowerLog::set(Vec::new());
		settle(0, |round| passed(round, 1_000, loaded));
		found = events().into_iter().find_map(|event| match event {
			Event::PowerImplausible { round, device, fault } => {
				assert_eq!((round, device), (RoundId(0), DeviceId(0)));
				Some(fault)
			},
			_ => None,
		});
		// The speed counts whatever the meter says.
		assert!(Performances::<Test>::get(DeviceId(0)).cpu.is_some());
		assert_eq!(PowerLog::get().len(), usize::from(found.is_none()));
	});
	found
}

#[test]
fn figures_should_be_taken_within_what_physics_and_class_allow() {
	// Readings admit 5 %: 31 mW may be 32.55.
	assert_eq!(fault(31), None);
	assert_eq!(fault(30), Some(PowerFault::BelowPhysics));
	// 500 mW and 100 for each of four lanes, a tenth more, and 5 % of error.
	assert_eq!(fault(1_042), None);
	assert_eq!(fault(1_043), Some(PowerFault::AboveLimit));
}

/// The same of a round of products that took 50 ms.
fn fault_of_products(loaded: u32) -> Option<PowerFault> {
	let mut found = None;
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		let who = RuntimeOrigin::signed(OPERATOR);
		let offer = AcceleratorOffer { memory_mib: 1, side: 128 };
		assert_ok!(Challenges::offer_accelerator(who, DeviceId(0), Some(offer)));
		// 32 states of 2 * 128^3 operations, which take 134 mJ at least.
		Params::<Test>::mutate(|p| p.most_operations_per_joule = 1_000_000_000);
		let round = surprise_with(0, WorkKind::Gemm);
		let Work::Gemm(gemm) = round.task.work else { panic!("{:?}", round.task.work) };
		assert_eq!(gemm.operations(), OPERATIONS);
		PowerLog::set(Vec::new());
		settle(0, |round| passed(round, 50, loaded));
		found = events().into_iter().find_map(|event| match event {
			Event::PowerImplausible { fault, .. } => Some(fault),
			_ => None,
		});
		// The speed counts whatever the meter says.
		assert!(Performances::<Test>::get(DeviceId(0)).gemm.is_some());
		let log = PowerLog::get();
		assert_eq!(log.len(), usize::from(found.is_none()));
		assert!(log.iter().all(|(_, load, _)| *load == PowerLoad::Accelerator));
	});
	found
}

#[test]
fn figures_of_products_should_be_taken_within_what_physics_and_class_allow() {
	// In 50 ms and with 5 % of error.
	let least = u32::try_from(OPERATIONS / 1_000_000 * 20 * 100 / 105).unwrap();
	assert_eq!(fault_of_products(least), Some(PowerFault::BelowPhysics));
	assert_eq!(fault_of_products(least + 1), None);
	// 500 mW, 100 for each of four lanes and 2,000 of accelerators, a tenth more, and 5 % of error.
	assert_eq!(fault_of_products(3_357), None);
	assert_eq!(fault_of_products(3_358), Some(PowerFault::AboveLimit));
}

#[test]
fn limits_should_grow_with_the_lanes() {
	let limits = parameters().power_limits(PowerLoad::Lanes, 4);
	assert_eq!(limits.most, MilliWatts(900));
	assert_eq!((limits.operations_per_joule, limits.most_error), (1_000_000, Ppm(100_000)));
	assert_eq!(parameters().power_limits(PowerLoad::Lanes, 0).most, MilliWatts(500));
	let limits = parameters().power_limits(PowerLoad::Accelerator, 4);
	assert_eq!(limits.most, MilliWatts(2_900));
	assert_eq!((limits.operations_per_joule, limits.most_error), (1_000_000_000_000, Ppm(100_000)));
	let most = Parameters { most_lane_power: MilliWatts(u32::MAX), ..parameters() };
	for load in [PowerLoad::Lanes, PowerLoad::Accelerator] {
		assert_eq!(most.power_limits(load, u16::MAX).most, MilliWatts(u32::MAX));
	}
}

#[test]
fn figures_of_other_kinds_should_not_be_taken() {
	for kind in [WorkKind::Memory, WorkKind::Network] {
		ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
			open_first_round(0);
			settle(0, pass(1_000));
			PowerLog::set(Vec::new());
			surprise_with(0, kind);
			settle(0, |round| passed(round, 1_000, 1_000_000));
			assert!(PowerLog::get().is_empty(), "{kind:?}");
			let is_fault = |event: &Event<Test>| matches!(event, Event::PowerImplausible { .. });
			assert!(!events().iter().any(is_fault), "{kind:?}");
		});
	}
}
