use crate::{mock::*, *};
use armature_primitives::{device::DeviceStatus, traits::PerformanceInspect, DeviceId};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

fn enrol(who: u64, device: u32) -> sp_runtime::DispatchResult {
	Challenges::enrol_device(RuntimeOrigin::signed(who), DeviceId(device))
}

fn request(who: u64, device: u32) -> sp_runtime::DispatchResult {
	Challenges::request_challenge(RuntimeOrigin::signed(who), DeviceId(device))
}

#[test]
fn device_should_be_queued_with_its_owner_when_enrolled() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(enrol(OPERATOR, 1));
		assert_eq!(last_event(), Event::DeviceEnrolled { who: OPERATOR, device: DeviceId(1) });
		let record = Enrolments::<Test>::get(DeviceId(1)).unwrap();
		assert_eq!(record, EnrolmentRecord::new(provider(1)));
		let owner = Owners::<Test>::get(provider(1)).unwrap();
		assert!(owner.queued == Some(DeviceId(1)) && owner.devices == 1);
		assert_eq!(Queue::<Test>::get(0), Some(DeviceId(1)));
		assert!(round_of(1).is_none());
		run_blocks(1);
		assert!(round_of(1).is_some());
		assert_eq!(Queue::<Test>::iter().count(), 0);
		assert_eq!(Owners::<Test>::get(provider(1)).unwrap().queued, None);
	});
}

#[test]
fn owners_should_be_listed_without_a_hole() {
	ExtBuilder::default()
		.devices(5)
		.parameters(without_draws)
		.build_and_execute(|| {
			for device in 0..4 {
				assert_ok!(enrol(provider(device), device));
			}
			put_device_of(provider(1), 4, DeviceStatus::Active);
			assert_ok!(enrol(OPERATOR, 4));
			Challenges::unenrol(DeviceId(1));
			Challenges::do_try_state().unwrap();
			assert_eq!(Owners::<Test>::count(), 4);
			Challenges::unenrol(DeviceId(4));
			assert_eq!(Owners::<Test>::count(), 3);
			// The last one took the place.
			assert_eq!(OwnerIndex::<Test>::get(1), Some(provider(3)));
			Challenges::do_try_state().unwrap();
			for device in [3, 0, 2, 2] {
				Challenges::unenrol(DeviceId(device));
				Challenges::do_try_state().unwrap();
			}
			assert_eq!(OwnerIndex::<Test>::iter().count(), 0);
			assert_ok!(enrol(provider(1), 1));
		});
}

#[test]
fn enrolment_should_fail_when_it_may_not_be() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(
			Challenges::enrol_device(RuntimeOrigin::root(), DeviceId(0)),
			DispatchError::BadOrigin
		);
		assert_noop!(enrol(provider(0), 77), Error::<Test>::UnknownDevice);
		assert_noop!(enrol(provider(1), 0), Error::<Test>::NotOperator);
		assert_ok!(enrol(provider(0), 0));
		assert_noop!(enrol(provider(0), 0), Error::<Test>::AlreadyEnrolled);
	});
}

#[test]
fn enrolment_should_depend_on_the_status() {
	use DeviceStatus::*;
	for (status, ready) in [
		(Registered, false),
		(Attested, true),
		(Active, true),
		(Suspect, true),
		(Draining, true),
		(Standby, true),
		(Offline, false),
		(Jailed, false),
		(Retired, false),
	] {
		ExtBuilder::default().build_and_execute(|| {
			set_status(0, status);
			if ready {
				assert_ok!(enrol(provider(0), 0));
			} else {
				assert_noop!(enrol(provider(0), 0), Error::<Test>::DeviceNotReady);
			}
		});
	}
}

#[test]
fn request_should_be_refused_while_a_round_or_score_stands() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		assert_noop!(
			Challenges::request_challenge(RuntimeOrigin::none(), DeviceId(0)),
			DispatchError::BadOrigin
		);
		assert_noop!(request(provider(0), 77), Error::<Test>::UnknownDevice);
		assert_noop!(request(provider(1), 0), Error::<Test>::NotOperator);
		assert_noop!(request(provider(0), 0), Error::<Test>::NotEnrolled);
		assert_ok!(enrol(provider(0), 0));
		assert_noop!(request(provider(0), 0), Error::<Test>::AlreadyRequested);
		run_blocks(1);
		assert_noop!(request(provider(0), 0), Error::<Test>::RoundOpen);
		settle(0, pass(2_000));
		give_memory(0);
		give_network(0);
		assert_noop!(request(provider(0), 0), Error::<Test>::ScoreValid);

		// The score counts up to and including its age limit.
		let measured_at = Now::get();
		Now::set(measured_at + MAX_AGE);
		assert_noop!(request(provider(0), 0), Error::<Test>::ScoreValid);
		assert!(Challenges::performance(DeviceId(0), Now::get()).cpu.is_some());
		assert!(Challenges::performance_of(DeviceId(0)).cpu.is_some());
		Now::set(measured_at + MAX_AGE + 1);
		assert!(Challenges::performance(DeviceId(0), Now::get()).cpu.is_none());
		assert!(Challenges::performance_of(DeviceId(0)).cpu.is_none());
		set_status(0, DeviceStatus::Offline);
		assert_noop!(request(provider(0), 0), Error::<Test>::DeviceNotReady);
		set_status(0, DeviceStatus::Standby);
		assert_ok!(request(OPERATOR, 0));
		assert_eq!(last_event(), Event::ChallengeRequested { who: OPERATOR, device: DeviceId(0) });
		run_blocks(1);
		assert!(round_of(0).is_some());
	});
}

#[test]
fn request_should_cool_down_longer_with_each_failure() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, fail);
		for windows in [1, 3, 7] {
			let closed = Now::get();
			Now::set(closed + windows * WINDOW - 1);
			assert_noop!(request(provider(0), 0), Error::<Test>::CoolingDown);
			assert!(!Challenges::may_request_challenge(DeviceId(0)));
			Now::set(closed + windows * WINDOW);
			assert!(Challenges::may_request_challenge(DeviceId(0)));
			assert_ok!(request(provider(0), 0));
			run_blocks(1);
			settle(0, fail);
		}
		// A passed round ends it.
		surprise(0);
		settle(0, pass(1_000));
		Now::mutate(|now| *now += 1_000);
		assert_ok!(request(provider(0), 0));
	});
	let record = |failures| EnrolmentRecord {
		last_closed_at: Some(5),
		failures,
		..EnrolmentRecord::new(0u64)
	};
	assert_eq!(record(0).cool_at(10), 5);
	assert_eq!(record(7).cool_at(10), 5 + 1_270);
	assert_eq!(record(u32::MAX).cool_at(10), 5 + 1_270);
	assert_eq!(record(1).cool_at(u64::MAX), u64::MAX);
}

#[test]
fn request_should_wait_while_the_owner_rests() {
	ExtBuilder::default()
		.parameters(|p| {
			without_draws(p);
			p.max_load = armature_primitives::Ppm(1_000);
			p.score_max_age_millis = WINDOW;
		})
		.build_and_execute(|| {
			let opened_at = open_first_round(0).opened_at;
			settle(0, pass(1_000));
			let until = opened_at + 1_000_000;
			Now::set(until - 1);
			assert_noop!(request(provider(0), 0), Error::<Test>::Resting);
			Now::set(until);
			assert_ok!(request(provider(0), 0));
		});
}

#[test]
fn device_should_be_forgotten_when_it_is_gone() {
	for status in [Some(DeviceStatus::Retired), Some(DeviceStatus::Jailed), None] {
		ExtBuilder::default().build_and_execute(|| {
			open_first_round(0);
			settle(0, pass(1_000));
			match status {
				Some(status) => set_status(0, status),
				None => assert!(DeviceTable::mutate(|table| table.remove(&DeviceId(0))).is_some()),
			}
			run_to(60);
			assert_eq!(Enrolments::<Test>::iter().count(), 0);
			assert!(!Performances::<Test>::contains_key(DeviceId(0)));
			assert_eq!(last_event(), Event::DeviceUnenrolled { device: DeviceId(0) });
		});
	}
}

#[test]
fn device_should_have_one_round_when_it_comes_back_with_an_old_request() {
	// No verifier, so the queue stands still while the device is forgotten.
	ExtBuilder::default().verifiers(0).build_and_execute(|| {
		assert_ok!(enrol(provider(0), 0));
		Challenges::unenrol(DeviceId(0));
		assert_ok!(enrol(provider(0), 0));
		assert_eq!(Queue::<Test>::iter().count(), 2);
		Challenges::do_try_state().unwrap();
		for who in 1..=3 {
			assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(who), address(1)));
		}
		run_blocks(1);
		assert_eq!(Rounds::<Test>::iter().count(), 1);
		settle(0, pass(1_000));
		assert_eq!(NextRound::<Test>::get().0, 1);
		assert_eq!(Queue::<Test>::iter().count(), 0);
	});
}

#[test]
fn owner_should_be_able_to_ask_again_when_the_device_that_waited_left() {
	ExtBuilder::default()
		.verifiers(0)
		.parameters(without_draws)
		.build_and_execute(|| {
			put_device_of(provider(0), 1, DeviceStatus::Active);
			assert_ok!(enrol(provider(0), 0));
			assert_ok!(enrol(provider(0), 1));
			assert_noop!(request(provider(0), 1), Error::<Test>::AlreadyRequested);
			Challenges::unenrol(DeviceId(0));
			Challenges::do_try_state().unwrap();
			assert_ok!(request(provider(0), 1));
			for who in 1..=3 {
				assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(who), address(1)));
			}
			run_blocks(1);
			assert!(round_of(1).is_some());
			assert_eq!(Queue::<Test>::iter().count(), 0);
		});
}

#[test]
fn round_should_leave_no_score_when_its_device_left_meanwhile() {
	ExtBuilder::default().build_and_execute(|| {
		open_first_round(0);
		Challenges::unenrol(DeviceId(0));
		settle(0, pass(1_000));
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		assert!(PowerLog::get().is_empty());
		assert!(matches!(last_event(), Event::RoundClosed { .. }));
	});
}
