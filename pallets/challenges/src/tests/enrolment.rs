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
fn device_should_be_queued_when_enrolled() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(enrol(OPERATOR, 1));
		assert_eq!(last_event(), Event::DeviceEnrolled { who: OPERATOR, device: DeviceId(1) });
		let record = Enrolments::<Test>::get(DeviceId(1)).unwrap();
		assert!(record.queued && record.last_closed_at.is_none() && record.failures == 0);
		assert_eq!(Queue::<Test>::get(0), Some(DeviceId(1)));
		assert!(round_of(1).is_none());
		run_blocks(1);
		assert!(round_of(1).is_some());
		assert_eq!(Queue::<Test>::iter().count(), 0);
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
	ExtBuilder::default()
		.parameters(|p| p.round_interval_blocks = 1_000)
		.build_and_execute(|| {
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
			settle(0, passed(2_000, 80));
			assert_noop!(request(provider(0), 0), Error::<Test>::ScoreValid);

			// The score counts up to and including its age limit.
			let measured_at = Now::get();
			Now::set(measured_at + MAX_AGE);
			assert_noop!(request(provider(0), 0), Error::<Test>::ScoreValid);
			assert!(Challenges::performance(DeviceId(0), Now::get()).is_some());
			assert!(Challenges::performance_of(DeviceId(0)).is_some());
			Now::set(measured_at + MAX_AGE + 1);
			assert!(Challenges::performance(DeviceId(0), Now::get()).is_none());
			assert!(Challenges::performance_of(DeviceId(0)).is_none());
			set_status(0, DeviceStatus::Offline);
			assert_noop!(request(provider(0), 0), Error::<Test>::DeviceNotReady);
			set_status(0, DeviceStatus::Standby);
			assert_ok!(request(OPERATOR, 0));
			assert_eq!(
				last_event(),
				Event::ChallengeRequested { who: OPERATOR, device: DeviceId(0) }
			);
			run_blocks(1);
			assert!(round_of(0).is_some());
		});
}

#[test]
fn request_should_cool_down_for_one_window() {
	ExtBuilder::default()
		.parameters(|p| p.round_interval_blocks = 1_000)
		.build_and_execute(|| {
			open_first_round(0);
			settle(0, FAILED);
			let closed = Now::get();
			Now::set(closed + WINDOW - 1);
			assert_noop!(request(provider(0), 0), Error::<Test>::CoolingDown);
			Now::set(closed + WINDOW);
			assert_ok!(request(provider(0), 0));
		});
}

#[test]
fn device_should_be_forgotten_when_it_is_gone() {
	for status in [Some(DeviceStatus::Retired), Some(DeviceStatus::Jailed), None] {
		ExtBuilder::default().build_and_execute(|| {
			open_first_round(0);
			settle(0, passed(1_000, 70));
			match status {
				Some(status) => set_status(0, status),
				None => assert!(DeviceTable::mutate(|table| table.remove(&DeviceId(0))).is_some()),
			}
			run_to(10);
			assert_eq!(Enrolments::<Test>::count(), 0);
			assert_eq!(Performances::<Test>::get(DeviceId(0)), None);
			assert_eq!(last_event(), Event::DeviceUnenrolled { device: DeviceId(0) });
		});
	}
}

#[test]
fn device_should_have_one_round_when_it_comes_back_with_an_old_request() {
	// No verifier, so the queue stands still while the draw's visit forgets the device.
	ExtBuilder::default().verifiers(0).build_and_execute(|| {
		assert_ok!(enrol(provider(0), 0));
		Challenges::unenrol(DeviceId(0));
		assert_ok!(enrol(provider(0), 0));
		assert_eq!(Queue::<Test>::iter().count(), 2);
		Challenges::do_try_state().unwrap();
		assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(1), address(1)));
		run_blocks(1);
		assert_eq!(Rounds::<Test>::iter().count(), 1);
		settle(0, passed(1_000, 70));
		assert_eq!(NextRound::<Test>::get().0, 1);
		assert_eq!(Queue::<Test>::iter().count(), 0);
	});
}

#[test]
fn round_should_leave_no_score_when_its_device_left_meanwhile() {
	ExtBuilder::default().build_and_execute(|| {
		open_first_round(0);
		Challenges::unenrol(DeviceId(0));
		settle(0, passed(1_000, 70));
		assert_eq!(Performances::<Test>::get(DeviceId(0)), None);
		assert!(PowerLog::get().is_empty());
		assert!(matches!(last_event(), Event::RoundClosed { .. }));
	});
}
