//! From seals to outcomes.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{Assignment, AssignmentPhase, ChallengeFailure, Measured, Verdict},
	device::{CpuScore, Performance},
	telemetry::{PowerLoad, PowerReading, PowerSource},
	DeviceId, MilliWatts, Ppm, RoundId, H256,
};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};
use sp_runtime::DispatchError;

fn history(device: u32) -> (Option<u64>, u32) {
	let record = Enrolments::<Test>::get(DeviceId(device)).unwrap();
	(record.last_closed_at, record.failures)
}

#[test]
fn round_should_close_with_its_last_verdict() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		let (slow, quick) = (passed(&round, 5_000, 90), passed(&round, 4_000, 70));
		for (who, verdict) in who.iter().zip([quick, FAILED, slow]) {
			assert_ok!(seal_one(*who, id, verdict));
			assert_eq!(last_event(), Event::VerdictSealed { who: *who, round: id });
		}
		assert_ok!(reveal_one(who[0], id, quick));
		let revealed = Event::VerdictRevealed { who: who[0], round: id, verdict: quick };
		assert_eq!(last_event(), revealed);
		assert_ok!(reveal_one(who[1], id, FAILED));
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		System::reset_events();
		assert_ok!(reveal_one(who[2], id, slow));

		// Two passed: the slower time and the higher power stand. 800 steps in 5 s.
		let score = CpuScore { steps_per_second_per_lane: 160, lanes: 4, measured_at: Now::get() };
		let performance = Performance { cpu: Some(score), ..Default::default() };
		assert_eq!(Performances::<Test>::get(DeviceId(0)), performance);
		assert_eq!(Challenges::performance_of(DeviceId(0)), performance);
		let log = PowerLog::get();
		assert_eq!(log.len(), 1);
		let (device, load, reading) = log[0];
		assert_eq!((device, load), (DeviceId(0), PowerLoad::Lanes));
		assert_eq!((reading.idle, reading.loaded), (MilliWatts(22), MilliWatts(90)));
		assert_eq!((reading.source, reading.error), (PowerSource::BoardSensor, Ppm(50_000)));
		let outcome = RoundOutcome::Passed { measured: Measured::Cpu { elapsed_millis: 5_000 } };
		assert_eq!(
			events()[1..],
			[
				Event::RoundClosed { round: id, device: DeviceId(0), outcome },
				Event::PerformanceUpdated { device: DeviceId(0), performance },
			]
		);
		assert!(round_of(0).is_none() && !Rounds::<Test>::contains_key(id));
		assert_eq!(history(0), (Some(Now::get()), 0));
		let ended = EndedRounds::<Test>::get(id).unwrap();
		assert_eq!((ended.task, ended.key), (round.task, round.key));
		assert_eq!((ended.ended_at, ended.proved), (Now::get(), Proved::default()));
		assert_noop!(seal_one(who[0], id, FAILED), Error::<Test>::RoundNotFound);
		assert_noop!(reveal_one(who[0], id, FAILED), Error::<Test>::RoundNotFound);
	});
}

#[test]
fn nothing_should_be_revealed_before_all_have_sealed_or_the_deadline() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		let phase = |who: u64| Challenges::open_rounds_of_verifier(who).pop().map(|a| a.phase);
		assert_eq!(phase(who[0]), Some(AssignmentPhase::Seal));
		assert_noop!(reveal_one(who[0], id, FAILED), Error::<Test>::NotSealed);
		assert_ok!(seal_one(who[0], id, FAILED));
		assert_eq!(phase(who[0]), Some(AssignmentPhase::Wait));
		assert_noop!(reveal_one(who[0], id, FAILED), Error::<Test>::RevealTooEarly);
		assert_ok!(seal_one(who[1], id, FAILED));
		Now::set(round.task.deadline);
		assert_noop!(reveal_one(who[0], id, FAILED), Error::<Test>::RevealTooEarly);
		assert_eq!(phase(who[2]), Some(AssignmentPhase::Seal));
		Now::set(round.task.deadline + 1);
		let until = round.reveal_until;
		assert_eq!(phase(who[0]), Some(AssignmentPhase::Reveal { until }));
		assert_eq!(phase(who[2]), None);
		assert_noop!(seal_one(who[2], id, FAILED), Error::<Test>::DeadlinePassed);
		assert_ok!(reveal_one(who[0], id, FAILED));
		assert_eq!(phase(who[0]), None);
		assert_noop!(reveal_one(who[0], id, FAILED), Error::<Test>::NotSealed);
		Now::set(until + 1);
		assert_eq!(phase(who[1]), None);
		assert_noop!(reveal_one(who[1], id, FAILED), Error::<Test>::RevealTooLate);
		Now::set(until);
		assert_ok!(reveal_one(who[1], id, FAILED));
		assert!(round_of(0).is_none());
	});
	// With all seals there, the deadline need not be waited for.
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let who = seats(&round);
		for who in &who {
			assert_ok!(seal_one(*who, round.task.round, FAILED));
		}
		let task = round.task;
		let phase = AssignmentPhase::Reveal { until: round.reveal_until };
		assert_eq!(Challenges::open_rounds_of_verifier(who[0]), vec![Assignment { task, phase }]);
		assert_ok!(reveal_one(who[0], round.task.round, FAILED));
	});
}

#[test]
fn seal_should_bind_its_verdict_its_salt_and_its_sender() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		let ok = passed(&round, 1_000, 80);
		assert_ok!(seal_one(who[0], id, ok));
		// A copy of another one's seal opens to nothing.
		let copied = armature_verifier::challenge::verdict::seal(id, &who[0], &ok, &salt(who[0]));
		let seals = vec![(id, copied)].try_into().unwrap();
		assert_ok!(Challenges::seal_verdicts(RuntimeOrigin::signed(who[1]), seals));
		assert_ok!(seal_one(who[2], id, ok));
		let reveal = |who: u64, verdict, salt| {
			let reveals = vec![(id, verdict, salt)].try_into().unwrap();
			Challenges::reveal_verdicts(RuntimeOrigin::signed(who), reveals)
		};
		assert_noop!(reveal(who[1], ok, salt(who[0])), Error::<Test>::SealBroken);
		assert_noop!(reveal(who[1], ok, salt(who[1])), Error::<Test>::SealBroken);
		assert_noop!(reveal(who[0], FAILED, salt(who[0])), Error::<Test>::SealBroken);
		assert_noop!(
			reveal(who[0], passed(&round, 1_001, 80), salt(who[0])),
			Error::<Test>::SealBroken
		);
		assert_noop!(reveal(who[0], ok, H256::zero()), Error::<Test>::SealBroken);
		assert_ok!(reveal(who[0], ok, salt(who[0])));
	});
}

#[test]
fn failed_round_should_take_the_score_and_be_counted() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		assert!(Performances::<Test>::contains_key(DeviceId(0)));
		for failures in 1..=2 {
			surprise(0);
			settle(0, fail);
			let closed = Event::RoundClosed {
				round: RoundId(failures),
				device: DeviceId(0),
				outcome: RoundOutcome::Failed { failed: 3, posted: 3 },
			};
			assert!(events().contains(&closed));
			assert!(!Performances::<Test>::contains_key(DeviceId(0)));
			assert_eq!(u64::from(history(0).1), failures);
		}
		assert_eq!(PowerLog::get().len(), 1);
		surprise(0);
		settle(0, pass(1_000));
		assert_eq!(history(0).1, 0);
	});
}

#[test]
fn two_roots_should_fail_a_round() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let other = passed_under(&round, 1_000, H256([8; 32]));
		let ok = passed(&round, 1_000, 80);
		judge(&round, &[ok, ok, other]);
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		// All of them did their work.
		assert_eq!(TotalEarned::<Test>::get(), 3 * FEE);
		// What it signed is proof enough: a tenth of 5,000.
		assert_eq!(SlashLog::get(), vec![(DeviceId(0), Ppm(100_000))]);
		let (round, device) = (round.task.round, DeviceId(0));
		assert!(events().contains(&Event::TwoRootsSigned { round, device, slashed: 500 }));
		assert!(!Enrolments::<Test>::contains_key(device));
		assert!(EndedRounds::<Test>::get(round).unwrap().proved.equivocation);
	});
}

#[test]
fn two_roots_should_be_punished_in_a_round_that_ran_out_too() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		let verdicts = [passed(&round, 1_000, 80), passed_under(&round, 1_000, H256([8; 32]))];
		for (who, verdict) in who.iter().zip(verdicts) {
			assert_ok!(seal_one(*who, id, verdict));
		}
		assert_ok!(seal_one(who[2], id, FAILED));
		for (who, verdict) in who.iter().zip(verdicts) {
			assert_ok!(reveal_one(*who, id, verdict));
		}
		Now::set(round.reveal_until + 1);
		// No room for what it may come to.
		let close = <Test as Config>::WeightInfo::close_round;
		let two_roots = <Test as Config>::WeightInfo::two_roots;
		let base = <Test as Config>::WeightInfo::close_base().saturating_mul(2);
		let tight = base.saturating_add(close());
		Challenges::on_idle(System::block_number(), tight);
		assert!(SlashLog::get().is_empty());
		let most = two_roots().max(<Test as Config>::WeightInfo::score_network());
		let room = tight.saturating_add(most);
		let used = Challenges::on_idle(System::block_number(), room);
		assert_eq!(SlashLog::get().len(), 1);
		assert!(used.all_gte(close().saturating_add(two_roots())));
	});
}

#[test]
fn reveals_should_cost_the_punishment_only_where_there_is_one() {
	use frame_support::traits::UnfilteredDispatchable;
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		for (device, other) in [(0, ROOT), (1, H256([8; 32]))] {
			let round = open_first_round(device);
			let id = round.task.round;
			let verdict = passed(&round, 1_000, 80);
			let who = seats(&round);
			let last = passed_under(&round, 1_000, other);
			for (who, verdict) in who.iter().zip([verdict, verdict, last]) {
				assert_ok!(seal_one(*who, id, verdict));
			}
			for who in &who[..2] {
				assert_ok!(reveal_one(*who, id, verdict));
			}
			let reveals = vec![(id, last, salt(who[2]))].try_into().unwrap();
			let call = RuntimeCall::Challenges(Call::reveal_verdicts { reveals });
			let done = call.dispatch_bypass_filter(RuntimeOrigin::signed(who[2])).unwrap();
			let one = <Test as Config>::WeightInfo::reveal_verdicts(1);
			let more = <Test as Config>::WeightInfo::two_roots();
			let expected = if other == ROOT { one } else { one.saturating_add(more) };
			assert_eq!(done.actual_weight, Some(expected));
		}
	});
}

#[test]
fn verdict_should_be_refused_when_it_is_not_the_callers_to_give() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let who = seats(&round);
		let stranger = (1..=4).find(|v| !who.contains(v)).unwrap();
		let root = RuntimeOrigin::root;
		let seals = vec![(id, H256::zero())].try_into().unwrap();
		assert_noop!(Challenges::seal_verdicts(root(), seals), DispatchError::BadOrigin);
		let reveals = vec![(id, FAILED, H256::zero())].try_into().unwrap();
		assert_noop!(Challenges::reveal_verdicts(root(), reveals), DispatchError::BadOrigin);
		assert_noop!(seal_all(who[0], &[]), Error::<Test>::NoVerdicts);
		assert_noop!(reveal_all(who[0], &[]), Error::<Test>::NoVerdicts);
		assert_noop!(seal_one(who[0], RoundId(9), FAILED), Error::<Test>::RoundNotFound);
		for nobody in [stranger, 99] {
			assert_noop!(seal_one(nobody, id, FAILED), Error::<Test>::NotAssigned);
			assert_noop!(reveal_one(nobody, id, FAILED), Error::<Test>::NotAssigned);
		}
		assert_ok!(seal_one(who[0], id, FAILED));
		assert_noop!(seal_one(who[0], id, FAILED), Error::<Test>::SealedTwice);
	});
}

#[test]
fn seal_should_be_refused_after_the_deadline() {
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let who = seats(&round);
		Now::set(round.task.deadline);
		assert_ok!(seal_one(who[0], round.task.round, FAILED));
		Now::set(round.task.deadline + 1);
		assert_noop!(seal_one(who[1], round.task.round, FAILED), Error::<Test>::DeadlinePassed);
	});
}

/// What becomes of a reveal of a verdict.
fn revealed(verdict: impl Fn(&RoundOf<Test>) -> Verdict) -> Result<(), DispatchError> {
	let mut result = Ok(());
	ExtBuilder::default().build_and_execute(|| {
		let round = open_first_round(0);
		let verdict = verdict(&round);
		for who in seats(&round) {
			assert_ok!(seal_one(who, round.task.round, verdict));
		}
		result = reveal_one(seats(&round)[0], round.task.round, verdict);
	});
	result
}

#[test]
fn verdict_should_be_refused_when_it_is_implausible() {
	let refused = |verdict: &dyn Fn(&RoundOf<Test>) -> Verdict| {
		assert_eq!(revealed(verdict), Err(Error::<Test>::ImplausibleVerdict.into()));
	};
	refused(&|round| passed(round, 0, 80));
	refused(&|round| passed(round, WINDOW as u32 + 1, 80));
	refused(&|round| passed(round, 1_000, 0));
	// Another kind of work.
	refused(&|round| {
		let Verdict::Passed { power, root, signature, .. } = passed(round, 1_000, 80) else {
			unreachable!()
		};
		let measured = Measured::Memory { fill_millis: 1_000, read_nanos: 1 };
		Verdict::Passed { measured, power, root, signature }
	});
	let bent = |round: &RoundOf<Test>, change: &dyn Fn(&mut PowerReading)| {
		let mut power = power(80);
		change(&mut power);
		let signature = sign(round, ROOT, power);
		Verdict::Passed { measured: measured(round, 1_000), power, root: ROOT, signature }
	};
	refused(&|round| bent(round, &|power| power.idle = MilliWatts(81)));
	refused(&|round| bent(round, &|power| power.error = Ppm(1_000_001)));
	assert_ok!(revealed(|round| passed(round, WINDOW as u32, 80)));
	assert_ok!(revealed(|round| passed(round, 1, 80)));
}

#[test]
fn verdict_should_be_refused_when_the_device_did_not_sign_it() {
	let forged: DispatchError = Error::<Test>::ForgedCommitment.into();
	let with = |change: &'static dyn Fn(&mut Verdict)| {
		revealed(move |round| {
			let mut verdict = passed(round, 1_000, 80);
			change(&mut verdict);
			verdict
		})
	};
	let changes: [&'static dyn Fn(&mut Verdict); 3] = [
		&|verdict| {
			let Verdict::Passed { root, .. } = verdict else { unreachable!() };
			root.0[0] ^= 1;
		},
		&|verdict| {
			let Verdict::Passed { power, .. } = verdict else { unreachable!() };
			power.loaded = MilliWatts(81);
		},
		&|verdict| {
			let Verdict::Passed { signature, .. } = verdict else { unreachable!() };
			signature.0[5] ^= 1;
		},
	];
	for change in changes {
		assert_eq!(with(change), Err(forged));
	}
	// A signature for another task of the same device is none.
	let other = revealed(|round| {
		let mut other = round.clone();
		other.task.seed = H256([1; 32]);
		passed(&other, 1_000, 80)
	});
	assert_eq!(other, Err(forged));
}

#[test]
fn key_should_be_the_one_at_the_start_of_the_round() {
	ExtBuilder::default().build_and_execute(|| {
		open_first_round(0);
		DeviceTable::mutate(|table| table.clear());
		settle(0, pass(1_000));
		assert!(round_of(0).is_none());
	});
}

#[test]
fn batch_should_fail_whole_when_one_item_is_bad() {
	ExtBuilder::default()
		.verifiers(1)
		.parameters(|p| p.committee = 1)
		.build_and_execute(|| {
			let first = open_first_round(0);
			let second = open_first_round(1);
			let (one, two) = (first.task.round, second.task.round);
			let missing = RoundId(7);
			assert_noop!(
				seal_all(1, &[(one, FAILED), (missing, FAILED)]),
				Error::<Test>::RoundNotFound
			);
			assert_noop!(seal_all(1, &[(one, FAILED), (one, FAILED)]), Error::<Test>::SealedTwice);
			let ok = passed(&second, 1_000, 80);
			assert_ok!(seal_all(1, &[(one, FAILED), (two, ok)]));
			// The first item closes its round, so the repetition finds none.
			assert_noop!(
				reveal_all(1, &[(one, FAILED), (one, FAILED)]),
				Error::<Test>::RoundNotFound
			);
			assert_ok!(reveal_all(1, &[(one, FAILED), (two, ok)]));
			assert!(round_of(0).is_none() && round_of(1).is_none());
			assert!(Performances::<Test>::contains_key(DeviceId(1)));
		});
}

#[test]
fn round_should_close_on_idle_when_nothing_can_come_any_more() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		let verdict = passed(&round, 2_000, 80);
		for who in &seats(&round)[..2] {
			assert_ok!(seal_one(*who, id, verdict));
		}
		Now::set(round.task.deadline + 1);
		assert_ok!(reveal_one(seats(&round)[0], id, verdict));
		Now::set(round.reveal_until);
		Challenges::on_idle(3, Weight::MAX);
		assert!(Rounds::<Test>::contains_key(id));
		Now::set(round.reveal_until + 1);
		Challenges::on_idle(3, Weight::MAX);
		assert!(!Rounds::<Test>::contains_key(id));
		// One of three is not enough to say anything.
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		assert_eq!(history(0), (Some(Now::get()), 0));
		assert_eq!(Assignments::<Test>::iter().count(), 0);
		assert_eq!(OldestRound::<Test>::get(), RoundId(1));
	});
	// Without a seal there is nothing to reveal after the deadline.
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		Now::set(round.task.deadline + 1);
		Challenges::on_idle(3, Weight::MAX);
		assert!(round_of(0).is_none());
		assert_eq!(EndedRounds::<Test>::iter().count(), 0);
	});
}

#[test]
fn void_round_should_change_nothing() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		let score = Performances::<Test>::get(DeviceId(0));
		// A tie of two that are left of three.
		let round = surprise(0);
		let (id, who) = (round.task.round, seats(&round));
		let ok = passed(&round, 1_000, 80);
		assert_ok!(seal_one(who[0], id, ok));
		assert_ok!(seal_one(who[1], id, FAILED));
		Now::set(round.task.deadline + 1);
		assert_ok!(reveal_one(who[0], id, ok));
		System::reset_events();
		assert_ok!(reveal_one(who[1], id, FAILED));
		let device = DeviceId(0);
		let closed = Event::RoundClosed { round: id, device, outcome: RoundOutcome::Void };
		assert!(events().contains(&closed));
		assert_eq!(Performances::<Test>::get(DeviceId(0)), score);
		assert_eq!(history(0).1, 0);
	});
}

#[test]
fn idle_sweep_should_keep_within_its_weight() {
	ExtBuilder::default()
		.devices(4)
		.parameters(without_draws)
		.build_and_execute(|| {
			for device in 0..4 {
				open_first_round(device);
			}
			settle(1, fail);
			Now::mutate(|now| *now += 2 * WINDOW);
			let (base, close) = (<()>::close_base(), <()>::close_round());
			assert_eq!(Challenges::on_idle(9, Weight::zero()), Weight::zero());
			assert_eq!(Rounds::<Test>::iter().count(), 3);
			// Enough for one round, and one short of a second; the rest is too little to forget any.
			let one = base.saturating_add(close);
			let most = <()>::two_roots().max(<()>::score_network());
			let left = one.saturating_add(close.max(most)).saturating_sub(Weight::from_parts(1, 0));
			let spent = Challenges::on_idle(9, left);
			assert!(spent.all_lte(left) && spent.all_gte(one));
			assert_eq!(Rounds::<Test>::iter().count(), 2);
			assert_eq!(OldestRound::<Test>::get(), RoundId(1));
			Challenges::on_idle(9, Weight::MAX);
			assert_eq!(OldestRound::<Test>::get(), RoundId(4));
			// Round 1 has a verdict and can still be disputed.
			let looked_at = base.saturating_mul(2).saturating_add(<()>::forget_round());
			assert_eq!(Challenges::on_idle(9, Weight::MAX), looked_at);
		});
}

#[test]
fn ended_rounds_should_be_forgotten_after_the_time_to_dispute_them() {
	ExtBuilder::default()
		.devices(3)
		.parameters(without_draws)
		.build_and_execute(|| {
			for device in 0..3 {
				open_first_round(device);
			}
			settle(0, fail);
			settle(2, pass(1_000));
			let ended = Now::get();
			Now::mutate(|now| *now += WINDOW + 1);
			Challenges::on_idle(9, Weight::MAX);
			assert_eq!(OldestRound::<Test>::get(), RoundId(3));
			Now::set(ended + DISPUTE);
			Challenges::on_idle(9, Weight::MAX);
			assert_eq!(EndedRounds::<Test>::iter().count(), 2);
			Now::set(ended + DISPUTE + 1);
			// Little by little, when there is little room.
			let little = <()>::close_base().saturating_mul(2).saturating_add(<()>::forget_round());
			Challenges::on_idle(9, little);
			assert_eq!(EndedRounds::<Test>::iter().count(), 1);
			Challenges::on_idle(9, Weight::MAX);
			assert_eq!(EndedRounds::<Test>::iter().count(), 0);
			assert_eq!(OldestEnded::<Test>::get(), RoundId(3));
		});
}

#[test]
fn outcome_should_not_depend_on_the_order_of_verdicts() {
	let run = |order: [usize; 3]| {
		let mut score = None;
		ExtBuilder::default().build_and_execute(|| {
			let round = open_first_round(0);
			let found = [3_000, 1_000, 2_000].map(|ms| passed(&round, ms, 80));
			judge(&round, &order.map(|i| found[i]));
			score = Performances::<Test>::get(DeviceId(0)).cpu;
		});
		score.unwrap()
	};
	assert_eq!(run([0, 1, 2]), run([2, 0, 1]));
	assert_eq!(run([0, 1, 2]).steps_per_second_per_lane, 400);
}

#[test]
fn absent_device_should_lose_its_score() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		surprise(0);
		settle(0, |_| Verdict::Failed { reason: ChallengeFailure::NoAnswer });
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
	});
}
