use crate::{mock::*, *};
use armature_primitives::{
	challenge::{ChallengeFailure, Verdict},
	device::Performance,
	telemetry::PowerSource,
	DeviceId, MilliWatts, Ppm, RoundId,
};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use sp_runtime::DispatchError;

fn seats(round: &RoundOf<Test>) -> Vec<u64> {
	round.seats.iter().map(|seat| seat.verifier).collect()
}

#[test]
fn round_should_close_with_its_last_verdict() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		assert_ok!(post(who[0], &[(id, passed(4_000, 70))]));
		assert_eq!(
			last_event(),
			Event::VerdictPosted { who: who[0], round: id, verdict: passed(4_000, 70) }
		);
		assert_ok!(post(who[1], &[(id, FAILED)]));
		assert_eq!(Performances::<Test>::get(DeviceId(0)), None);
		assert_ok!(post(who[2], &[(id, passed(5_000, 90))]));

		// Two passed: the slower time and the higher power stand. 800 steps in 5 s.
		let performance =
			Performance { steps_per_second_per_lane: 160, lanes: 4, measured_at: Now::get() };
		assert_eq!(Performances::<Test>::get(DeviceId(0)), Some(performance));
		assert_eq!(Challenges::performance_of(DeviceId(0)), Some(performance));
		let log = PowerLog::get();
		assert_eq!(log.len(), 1);
		assert_eq!(log[0].0, DeviceId(0));
		assert_eq!((log[0].1.idle, log[0].1.loaded), (MilliWatts(22), MilliWatts(90)));
		assert_eq!((log[0].1.source, log[0].1.error), (PowerSource::BoardSensor, Ppm(50_000)));
		let tail: Vec<_> = events().into_iter().rev().take(2).collect();
		let outcome = RoundOutcome::Passed { performance };
		assert_eq!(
			tail,
			vec![
				Event::PerformanceUpdated { device: DeviceId(0), performance },
				Event::RoundClosed { round: id, device: DeviceId(0), outcome },
			]
		);
		assert!(round_of(0).is_none() && !Rounds::<Test>::contains_key(id));
		let record = Enrolments::<Test>::get(DeviceId(0)).unwrap();
		assert_eq!((record.last_closed_at, record.failures), (Some(Now::get()), 0));
		assert_noop!(post(who[0], &[(id, FAILED)]), Error::<Test>::RoundNotFound);
	});
}

#[test]
fn failed_round_should_take_the_score_and_be_counted() {
	ExtBuilder::default()
		.parameters(|p| p.round_interval_blocks = 1_000)
		.build_and_execute(|| {
			open_first_round(0);
			settle(0, passed(1_000, 80));
			assert!(Performances::<Test>::contains_key(DeviceId(0)));
			for failures in 1..=2 {
				// A surprise round, however it came about.
				let context = Challenges::draw_context(1_000, Now::get()).unwrap();
				let info = DeviceTable::get()[&DeviceId(0)].0.clone();
				assert!(Challenges::open_round(&context, DeviceId(0), &info));
				settle(0, FAILED);
				assert_eq!(
					last_event(),
					Event::RoundClosed {
						round: RoundId(failures),
						device: DeviceId(0),
						outcome: RoundOutcome::Failed { failed: 3, posted: 3 },
					}
				);
				assert_eq!(Performances::<Test>::get(DeviceId(0)), None);
				let record = Enrolments::<Test>::get(DeviceId(0)).unwrap();
				assert_eq!(u64::from(record.failures), failures);
			}
			assert_eq!(PowerLog::get().len(), 1);
			let context = Challenges::draw_context(1_000, Now::get()).unwrap();
			let info = DeviceTable::get()[&DeviceId(0)].0.clone();
			assert!(Challenges::open_round(&context, DeviceId(0), &info));
			settle(0, passed(1_000, 80));
			assert_eq!(Enrolments::<Test>::get(DeviceId(0)).unwrap().failures, 0);
		});
}

#[test]
fn verdict_should_be_refused_when_it_is_not_the_callers_to_give() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		let stranger = (1..=4).find(|v| !who.contains(v)).unwrap();
		assert_noop!(
			Challenges::post_verdicts(
				RuntimeOrigin::root(),
				vec![(id, FAILED)].try_into().unwrap()
			),
			DispatchError::BadOrigin
		);
		assert_noop!(post(who[0], &[]), Error::<Test>::NoVerdicts);
		assert_noop!(post(who[0], &[(RoundId(9), FAILED)]), Error::<Test>::RoundNotFound);
		assert_noop!(post(stranger, &[(id, FAILED)]), Error::<Test>::NotAssigned);
		assert_noop!(post(99, &[(id, FAILED)]), Error::<Test>::NotAssigned);
		assert_ok!(post(who[0], &[(id, FAILED)]));
		assert_noop!(post(who[0], &[(id, passed(1, 2))]), Error::<Test>::VerdictTwice);
	});
}

#[test]
fn verdict_should_be_refused_after_the_deadline() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let who = seats(&round);
		Now::set(round.task.deadline);
		assert_ok!(post(who[0], &[(round.task.round, FAILED)]));
		Now::set(round.task.deadline + 1);
		assert_noop!(post(who[1], &[(round.task.round, FAILED)]), Error::<Test>::DeadlinePassed);
	});
}

#[test]
fn verdict_should_be_refused_when_it_is_implausible() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		let refused = |verdict| {
			assert_noop!(post(who[0], &[(id, verdict)]), Error::<Test>::ImplausibleVerdict);
		};
		refused(passed(0, 80));
		refused(passed(WINDOW as u32 + 1, 80));
		refused(passed(1_000, 0));
		let bent = |change: &dyn Fn(&mut armature_primitives::telemetry::PowerReading)| {
			let Verdict::Passed { elapsed_millis, mut power } = passed(1_000, 80) else {
				unreachable!()
			};
			change(&mut power);
			Verdict::Passed { elapsed_millis, power }
		};
		refused(bent(&|power| power.idle = MilliWatts(81)));
		refused(bent(&|power| power.error = Ppm(1_000_001)));
		assert_ok!(post(who[0], &[(id, passed(WINDOW as u32, 80))]));
		assert_ok!(post(who[1], &[(id, passed(1, 80))]));
	});
}

#[test]
fn batch_should_fail_whole_when_one_item_is_bad() {
	ExtBuilder::default().verifiers(1).build_and_execute(|| {
		let first = open_first_round(0).task.round;
		let second = open_first_round(1).task.round;
		assert_noop!(
			post(1, &[(first, FAILED), (RoundId(7), FAILED)]),
			Error::<Test>::RoundNotFound
		);
		// The first item closes its round, so the repetition finds none.
		assert_noop!(post(1, &[(first, FAILED), (first, FAILED)]), Error::<Test>::RoundNotFound);
		assert_ok!(post(1, &[(first, FAILED), (second, passed(1_000, 80))]));
		assert!(round_of(0).is_none() && round_of(1).is_none());
		assert!(Performances::<Test>::contains_key(DeviceId(1)));
	});
}

#[test]
fn round_should_close_on_idle_when_its_deadline_has_passed() {
	ExtBuilder::default()
		.parameters(|p| p.round_interval_blocks = 1_000)
		.build_and_execute(|| {
			let round = open_first_round(0);
			let id = round.task.round;
			assert_ok!(post(seats(&round)[0], &[(id, passed(2_000, 80))]));
			Now::set(round.task.deadline);
			Challenges::on_idle(3, Weight::MAX);
			assert!(Rounds::<Test>::contains_key(id));
			Now::set(round.task.deadline + 1);
			Challenges::on_idle(3, Weight::MAX);
			assert!(!Rounds::<Test>::contains_key(id));
			// The one verdict that came stands.
			assert!(matches!(
				last_event(),
				Event::PerformanceUpdated { performance, .. }
					if performance.steps_per_second_per_lane == 400
			));
			assert_eq!(Assignments::<Test>::iter().count(), 0);
			assert_eq!(OldestRound::<Test>::get(), RoundId(1));
		});
}

#[test]
fn round_should_be_void_when_no_verdict_came() {
	ExtBuilder::default().build_and_execute(|| {
		let first = open_first_round(0);
		settle(0, passed(1_000, 80));
		let score = Performances::<Test>::get(DeviceId(0));
		let context = Challenges::draw_context(5, Now::get()).unwrap();
		let info = DeviceTable::get()[&DeviceId(0)].0.clone();
		assert!(Challenges::open_round(&context, DeviceId(0), &info));
		Now::mutate(|now| *now += WINDOW + 1);
		Challenges::on_idle(5, Weight::MAX);
		assert_eq!(
			last_event(),
			Event::RoundClosed {
				round: RoundId(first.task.round.0 + 1),
				device: DeviceId(0),
				outcome: RoundOutcome::Void,
			}
		);
		assert_eq!(Performances::<Test>::get(DeviceId(0)), score);
		assert_eq!(Enrolments::<Test>::get(DeviceId(0)).unwrap().failures, 0);
	});
}

#[test]
fn idle_sweep_should_keep_within_its_weight() {
	ExtBuilder::default().devices(4).verifiers(1).build_and_execute(|| {
		for device in 0..4 {
			open_first_round(device);
		}
		settle(1, FAILED);
		Now::mutate(|now| *now += 2 * WINDOW);
		let close = <()>::close_round();
		assert_eq!(Challenges::on_idle(9, Weight::zero()), Weight::zero());
		assert_eq!(Rounds::<Test>::iter().count(), 3);
		// Enough for one round, and one short of a second.
		let one = <()>::close_base().saturating_add(close);
		let left = one.saturating_add(close).saturating_sub(Weight::from_parts(1, 0));
		assert_eq!(Challenges::on_idle(9, left), one);
		assert_eq!(Rounds::<Test>::iter().count(), 2);
		assert_eq!(OldestRound::<Test>::get(), RoundId(1));
		// Round 1 is gone already, 2 and 3 expire.
		let rest = one.saturating_add(close).saturating_add(<()>::skip_round());
		assert_eq!(Challenges::on_idle(9, Weight::MAX), rest);
		assert_eq!(OldestRound::<Test>::get(), RoundId(4));
		assert_eq!(Challenges::on_idle(9, Weight::MAX), <()>::close_base());
	});
}

#[test]
fn outcome_should_not_depend_on_the_order_of_verdicts() {
	let run = |order: [usize; 3]| {
		let mut score = None;
		ExtBuilder::default().build_and_execute(|| {
			let round = open_first_round(0);
			let who = seats(&round);
			let found = [passed(3_000, 80), passed(1_000, 60), passed(2_000, 70)];
			for i in order {
				assert_ok!(post(who[i], &[(round.task.round, found[i])]));
			}
			score = Performances::<Test>::get(DeviceId(0));
		});
		score.unwrap()
	};
	assert_eq!(run([0, 1, 2]), run([2, 0, 1]));
	assert_eq!(run([0, 1, 2]).steps_per_second_per_lane, 400);
}

#[test]
fn absent_device_should_lose_its_score() {
	ExtBuilder::default().build_and_execute(|| {
		open_first_round(0);
		settle(0, passed(1_000, 80));
		run_to(5);
		Now::mutate(|now| *now += MAX_AGE + 1);
		run_to(10);
		assert!(round_of(0).is_some());
		settle(0, Verdict::Failed { reason: ChallengeFailure::NoAnswer });
		assert_eq!(Performances::<Test>::get(DeviceId(0)), None);
	});
}
