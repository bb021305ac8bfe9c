//! Maintenance.

use crate::{mock::*, *};
use armature_primitives::{challenge::WorkKind, device::DeviceStatus, DeviceId};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, DispatchResult};

fn start(who: u64, device: u32) -> DispatchResult {
	Challenges::start_maintenance(RuntimeOrigin::signed(who), DeviceId(device))
}

fn end(who: u64, device: u32) -> DispatchResult {
	Challenges::end_maintenance(RuntimeOrigin::signed(who), DeviceId(device))
}

#[test]
fn score_should_go_with_the_start_and_a_round_come_with_the_end() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		give_memory(0);
		assert_ok!(start(OPERATOR, 0));
		let device = DeviceId(0);
		assert_eq!(last_event(), Event::MaintenanceStarted { who: OPERATOR, device });
		assert!(Challenges::performance_of(device).is_empty());
		assert!(!Performances::<Test>::contains_key(device));
		let since = Enrolments::<Test>::get(device).unwrap().maintenance_since;
		assert_eq!(since, Some(Now::get()));
		Now::mutate(|now| *now += 10_000);
		assert_ok!(end(provider(0), 0));
		assert_eq!(last_event(), Event::MaintenanceEnded { who: provider(0), device });
		run_blocks(1);
		assert_eq!(round_of(0).unwrap().task.work.kind(), WorkKind::Cpu);
	});
}

#[test]
fn device_should_be_left_alone_meanwhile() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		put_device_of(provider(0), 1, DeviceStatus::Active);
		open_first_round(0);
		settle(0, pass(1_000));
		Challenges::enrol(DeviceId(1), EnrolmentRecord::new(provider(0))).unwrap();
		assert_ok!(start(OPERATOR, 0));
		let request = Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), DeviceId(0));
		assert_noop!(request, Error::<Test>::InMaintenance);
		assert!(!Challenges::may_request_challenge(DeviceId(0)));
		Now::mutate(|now| *now += 10_000);
		let beacon = Challenges::advance_beacon();
		let context = Challenges::draw_context(50, beacon, Now::get()).unwrap();
		for asked in [None, Some(DeviceId(0))] {
			Challenges::start(&context, &provider(0), asked);
			assert!(round_of(0).is_none());
		}
		// Its neighbour is not.
		assert!(round_of(1).is_some());
	});
}

#[test]
fn start_should_be_refused_where_somebody_waits_for_the_device() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let origin = RuntimeOrigin::root();
		assert_noop!(Challenges::start_maintenance(origin, DeviceId(0)), DispatchError::BadOrigin);
		assert_noop!(start(provider(0), 77), Error::<Test>::UnknownDevice);
		assert_noop!(start(provider(1), 0), Error::<Test>::NotOperator);
		assert_noop!(start(provider(0), 0), Error::<Test>::NotEnrolled);
		open_first_round(0);
		assert_noop!(start(provider(0), 0), Error::<Test>::RoundOpen);
		settle(0, pass(1_000));
		Leased::mutate(|leased| leased.insert(DeviceId(0)));
		assert_noop!(start(provider(0), 0), Error::<Test>::LeaseOpen);
		Leased::mutate(|leased| leased.clear());
		assert_ok!(start(provider(0), 0));
		assert_noop!(start(provider(0), 0), Error::<Test>::InMaintenance);
	});
}

#[test]
fn end_should_be_refused_to_strangers_and_without_a_start() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let origin = RuntimeOrigin::none();
		assert_noop!(Challenges::end_maintenance(origin, DeviceId(0)), DispatchError::BadOrigin);
		assert_noop!(end(provider(0), 77), Error::<Test>::UnknownDevice);
		assert_noop!(end(provider(1), 0), Error::<Test>::NotOperator);
		assert_noop!(end(provider(0), 0), Error::<Test>::NotEnrolled);
		open_first_round(0);
		settle(0, pass(1_000));
		assert_noop!(end(provider(0), 0), Error::<Test>::NotInMaintenance);
	});
}

#[test]
fn maintenance_should_not_come_often() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		Now::mutate(|now| *now += SLOT);
		let began = Now::get();
		assert_ok!(start(provider(0), 0));
		assert_ok!(end(provider(0), 0));
		run_blocks(1);
		settle(0, pass(1_000));
		Now::set(began + MAINTENANCE_INTERVAL - 1);
		assert_noop!(start(provider(0), 0), Error::<Test>::MaintenanceTooOften);
		Now::set(began + MAINTENANCE_INTERVAL);
		assert_ok!(start(provider(0), 0));
	});
}

#[test]
fn identities_should_not_take_turns_on_one_machine() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		put_device_of(provider(0), 1, DeviceStatus::Active);
		for device in [0, 1] {
			let record = EnrolmentRecord::new(provider(0));
			Challenges::enrol(DeviceId(device), record).unwrap();
			assert_ok!(start(provider(0), device));
		}
		assert_ok!(end(provider(0), 1));
		run_blocks(1);
		assert!(round_of(0).is_none() && round_of(1).is_some());
		// Not beside it, when that is done with its work and only the verdicts are to come.
		assert_ok!(end(provider(0), 0));
		let request =
			|| Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), DeviceId(0));
		assert_noop!(request(), Error::<Test>::RoundOpen);
		let beacon = Challenges::advance_beacon();
		let context = Challenges::draw_context(50, beacon, Now::get()).unwrap();
		assert!(Challenges::start(&context, &provider(0), None).is_empty());
		settle(1, pass(1_000));
		Now::mutate(|now| *now += 10_000);
		assert_ok!(request());
		run_blocks(1);
		// Then both start.
		assert!(round_of(0).is_some() && round_of(1).is_some());
		assert_eq!(Owners::<Test>::get(provider(0)).unwrap().open, 2);
		settle(0, pass(1_000));
		settle(1, pass(1_000));
		assert_eq!(Owners::<Test>::get(provider(0)).unwrap().open, 0);
	});
}

#[test]
fn others_should_not_start_for_a_device_in_maintenance() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		put_device_of(provider(0), 1, DeviceStatus::Active);
		Challenges::enrol(DeviceId(1), EnrolmentRecord::new(provider(0))).unwrap();
		assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(provider(0)), DeviceId(0)));
		assert_ok!(start(provider(0), 0));
		run_blocks(1);
		assert!(round_of(0).is_none() && round_of(1).is_none());
	});
}

#[test]
fn round_of_a_device_that_left_should_not_count_for_its_owner() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		put_device_of(provider(0), 1, DeviceStatus::Active);
		Challenges::enrol(DeviceId(1), EnrolmentRecord::new(provider(0))).unwrap();
		open_first_round(0);
		assert_eq!(Owners::<Test>::get(provider(0)).unwrap().open, 2);
		Challenges::unenrol(DeviceId(0));
		assert_eq!(Owners::<Test>::get(provider(0)).unwrap().open, 1);
		Challenges::do_try_state().unwrap();
		settle(0, pass(1_000));
		settle(1, pass(1_000));
		assert_eq!(Owners::<Test>::get(provider(0)).unwrap().open, 0);
	});
}

#[test]
fn failures_should_be_waited_for_after_maintenance_as_before_it() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, fail);
		let closed = Now::get();
		assert_ok!(start(provider(0), 0));
		assert_ok!(end(provider(0), 0));
		assert_eq!(Owners::<Test>::get(provider(0)).unwrap().queued, None);
		assert!(!Challenges::may_request_challenge(DeviceId(0)));
		Now::set(closed + WINDOW);
		assert!(Challenges::may_request_challenge(DeviceId(0)));
	});
}

#[test]
fn device_that_waits_should_be_passed_over_when_maintenance_begins() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(provider(0)), DeviceId(0)));
		assert_ok!(start(provider(0), 0));
		run_blocks(1);
		assert!(round_of(0).is_none());
		assert_eq!(Queue::<Test>::iter().count(), 0);
		assert_ok!(end(provider(0), 0));
		run_blocks(1);
		assert!(round_of(0).is_some());
	});
}
