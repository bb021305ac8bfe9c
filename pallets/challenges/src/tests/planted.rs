//! Planted answers.

use crate::{mock::*, *};
use armature_primitives::{challenge::WorkKind, DeviceId, Ppm, RoundId, H256};
use armature_verifier::challenge::verdict::planted_hash;
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect as _};
use sp_runtime::{DispatchError, DispatchResult};

const PLANT: H256 = H256([0xbd; 32]);
const SALT: H256 = H256([3; 32]);

fn plant(who: u64) -> DispatchResult {
	let hash = planted_hash(DeviceId(0), &PLANT, &SALT);
	Challenges::plant_answer(RuntimeOrigin::signed(who), DeviceId(0), hash)
}

fn show(who: u64, id: RoundId) -> DispatchResult {
	Challenges::show_planted(RuntimeOrigin::signed(who), id, PLANT, SALT)
}

/// A device with a score that has planted an answer, and then a round of it.
fn with_round(kind: WorkKind, test: impl FnOnce(RoundOf<Test>)) {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		give_memory(0);
		assert_ok!(plant(OPERATOR));
		Now::mutate(|now| *now += 10_000);
		run_blocks(LEAD.into());
		test(surprise_with(0, kind));
	});
}

#[test]
fn those_who_passed_it_should_pay_and_the_round_not_count() {
	for kind in [WorkKind::Cpu, WorkKind::Memory] {
		with_round(kind, |round| {
			let id = round.task.round;
			let before = Performances::<Test>::get(DeviceId(0));
			let share = Owners::<Test>::get(provider(0)).unwrap().share;
			let who = seats(&round);
			judge(&round, &[FAILED, passed_under(&round, 1_000, PLANT), FAILED]);
			assert_ne!(Performances::<Test>::get(DeviceId(0)), before);
			let burnt = Burnt::get();
			assert_ok!(show(OPERATOR, id));
			assert_eq!(Performances::<Test>::get(DeviceId(0)), before);
			let record = Enrolments::<Test>::get(DeviceId(0)).unwrap();
			assert_eq!((record.failures, record.planted), (0, None));
			assert_eq!(record.planted_shown_at, Some(Now::get()));
			assert_eq!(Owners::<Test>::get(provider(0)).unwrap().share, share);
			let verifier = |who| Verifiers::<Test>::get(who).unwrap();
			assert_eq!(verifier(who[1]).bond, BOND - PLANTED_PENALTY);
			assert_eq!(verifier(who[1]).history.fooled, 1);
			for honest in [who[0], who[2]] {
				assert_eq!((verifier(honest).bond, verifier(honest).history.fooled), (BOND, 0));
			}
			assert_eq!(Burnt::get() - burnt, PLANTED_PENALTY);
			let reward = PLANTED_PENALTY / 5;
			assert_eq!(Balances::balance(&OPERATOR), reward);
			let (device, taken) = (DeviceId(0), PLANTED_PENALTY);
			let event =
				Event::PlantedShown { who: OPERATOR, round: id, device, fooled: 1, taken, reward };
			assert_eq!(last_event(), event);
			// Once.
			assert_noop!(show(OPERATOR, id), Error::<Test>::NothingPlanted);
		});
	}
}

#[test]
fn score_that_a_lazy_committee_gave_should_be_taken_back() {
	with_round(WorkKind::Cpu, |round| {
		let before = Performances::<Test>::get(DeviceId(0));
		judge(&round, &[passed_under(&round, 1, PLANT); 3]);
		assert_ne!(Performances::<Test>::get(DeviceId(0)), before);
		assert_ok!(show(provider(0), round.task.round));
		assert_eq!(Performances::<Test>::get(DeviceId(0)), before);
		assert_eq!(Burnt::get(), 3 * PLANTED_PENALTY);
	});
}

#[test]
fn later_round_should_stand() {
	// One that it passes, one that it fails, and one that it passes before it fails.
	let sequences: [&[bool]; 3] = [&[true], &[false], &[true, false]];
	for passes in sequences {
		with_round(WorkKind::Cpu, |round| {
			settle(0, fail);
			for passed in passes {
				Now::mutate(|now| *now += 10_000);
				surprise(0);
				settle(
					0,
					move |round| if *passed { passed_under(round, 3_000, ROOT) } else { FAILED },
				);
			}
			let score = Performances::<Test>::get(DeviceId(0));
			let failures = Enrolments::<Test>::get(DeviceId(0)).unwrap().failures;
			let share = Owners::<Test>::get(provider(0)).unwrap().share;
			assert_ok!(show(provider(0), round.task.round));
			assert_eq!(Performances::<Test>::get(DeviceId(0)), score);
			assert_eq!(Enrolments::<Test>::get(DeviceId(0)).unwrap().failures, failures);
			assert_eq!(Owners::<Test>::get(provider(0)).unwrap().share, share);
		});
	}
}

#[test]
fn maintenance_should_stand() {
	for ended in [false, true] {
		with_round(WorkKind::Cpu, |round| {
			settle(0, fail);
			let origin = || RuntimeOrigin::signed(OPERATOR);
			assert_ok!(Challenges::start_maintenance(origin(), DeviceId(0)));
			if ended {
				assert_ok!(Challenges::end_maintenance(origin(), DeviceId(0)));
			}
			assert_ok!(show(OPERATOR, round.task.round));
			assert!(!Performances::<Test>::contains_key(DeviceId(0)));
			assert_eq!(Enrolments::<Test>::get(DeviceId(0)).unwrap().failures, 1);
		});
	}
}

#[test]
fn honest_committee_should_lose_nothing() {
	with_round(WorkKind::Cpu, |round| {
		settle(0, fail);
		assert_ok!(show(provider(0), round.task.round));
		assert_eq!(Burnt::get(), 0);
		let event = last_event();
		assert!(matches!(event, Event::PlantedShown { fooled: 0, taken: 0, reward: 0, .. }));
	});
}

#[test]
fn round_that_was_answered_otherwise_should_not_be_undone() {
	let ours = |round: &RoundOf<Test>| passed(round, 9_000, 80);
	for verdicts in [[ours; 3].map(Some), [Some(ours), None, None]] {
		with_round(WorkKind::Cpu, |round| {
			let said = verdicts.map(|verdict| verdict.map_or(FAILED, |verdict| verdict(&round)));
			judge(&round, &said);
			assert_noop!(show(provider(0), round.task.round), Error::<Test>::OtherAnswerGiven);
		});
	}
}

#[test]
fn answer_should_have_been_planted_long_before_the_round() {
	for (blocks, refused) in [(LEAD, false), (LEAD - 1, true)] {
		ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
			open_first_round(0);
			settle(0, pass(1_000));
			assert_ok!(plant(OPERATOR));
			// A halt of the chain is no time.
			Now::mutate(|now| *now += 1_000_000);
			run_blocks(blocks.into());
			let id = surprise(0).task.round;
			settle(0, fail);
			if refused {
				assert_noop!(show(OPERATOR, id), Error::<Test>::PlantedTooLate);
			} else {
				assert_ok!(show(OPERATOR, id));
			}
		});
	}
	with_round(WorkKind::Cpu, |round| {
		assert_ok!(plant(OPERATOR));
		settle(0, fail);
		assert_noop!(show(OPERATOR, round.task.round), Error::<Test>::PlantedTooLate);
	});
}

#[test]
fn answers_should_not_be_shown_often() {
	with_round(WorkKind::Cpu, |round| {
		settle(0, fail);
		assert_ok!(show(OPERATOR, round.task.round));
		let shown = Now::get();
		assert_ok!(plant(OPERATOR));
		run_blocks(LEAD.into());
		let id = surprise(0).task.round;
		settle(0, fail);
		Now::set(shown + PLANTED_INTERVAL - 1);
		assert_noop!(show(OPERATOR, id), Error::<Test>::PlantedTooOften);
		Now::set(shown + PLANTED_INTERVAL);
		assert_ok!(show(OPERATOR, id));
	});
}

#[test]
fn what_is_shown_should_be_what_was_planted() {
	with_round(WorkKind::Cpu, |round| {
		let id = round.task.round;
		assert_noop!(show(OPERATOR, id), Error::<Test>::RoundOpen);
		settle(0, fail);
		let shown =
			|root, salt| Challenges::show_planted(RuntimeOrigin::signed(OPERATOR), id, root, salt);
		assert_noop!(shown(H256([1; 32]), SALT), Error::<Test>::OtherAnswerPlanted);
		assert_noop!(shown(PLANT, H256([1; 32])), Error::<Test>::OtherAnswerPlanted);
		let origin = RuntimeOrigin::root();
		let refused = Challenges::show_planted(origin, id, PLANT, SALT);
		assert_noop!(refused, DispatchError::BadOrigin);
		assert_noop!(show(provider(1), id), Error::<Test>::NotOperator);
		assert_noop!(show(OPERATOR, RoundId(9)), Error::<Test>::RoundNotFound);
		Now::mutate(|now| *now += DISPUTE + 1);
		assert_noop!(show(OPERATOR, id), Error::<Test>::DisputeWindowOver);
		Now::mutate(|now| *now -= 1);
		assert_ok!(show(OPERATOR, id));
	});
}

#[test]
fn fraud_should_not_be_excused() {
	with_round(WorkKind::Cpu, |round| {
		let id = round.task.round;
		settle(0, fail);
		EndedRounds::<Test>::mutate_extant(id, |ended| ended.proved.fault = true);
		assert_noop!(show(OPERATOR, id), Error::<Test>::FraudKnown);
		Challenges::unenrol(DeviceId(0));
		assert_noop!(show(OPERATOR, id), Error::<Test>::NotEnrolled);
		DeviceTable::mutate(|table| table.clear());
		assert_noop!(show(OPERATOR, id), Error::<Test>::UnknownDevice);
	});
}

#[test]
fn planting_should_be_the_operators() {
	ExtBuilder::default().build_and_execute(|| {
		let hash = planted_hash(DeviceId(0), &PLANT, &SALT);
		let of = |who, device| {
			Challenges::plant_answer(RuntimeOrigin::signed(who), DeviceId(device), hash)
		};
		let origin = RuntimeOrigin::none();
		let refused = Challenges::plant_answer(origin, DeviceId(0), hash);
		assert_noop!(refused, DispatchError::BadOrigin);
		assert_noop!(of(OPERATOR, 77), Error::<Test>::UnknownDevice);
		assert_noop!(of(provider(1), 0), Error::<Test>::NotOperator);
		assert_noop!(of(OPERATOR, 0), Error::<Test>::NotEnrolled);
		open_first_round(0);
		assert_ok!(of(OPERATOR, 0));
		assert_eq!(last_event(), Event::AnswerPlanted { device: DeviceId(0), hash });
		let planted = Enrolments::<Test>::get(DeviceId(0)).unwrap().planted;
		assert_eq!(
			planted,
			Some(PlantedAnswer { hash, planted_in: System::block_number() as u32 })
		);
	});
}

#[test]
fn raised_share_should_be_taken_back() {
	ExtBuilder::default()
		.parameters(|p| p.max_share = Ppm(1_000_000))
		.build_and_execute(|| {
			for device in [0, 1, 2] {
				put_device_of(
					provider(0),
					device,
					armature_primitives::device::DeviceStatus::Active,
				);
				let record = EnrolmentRecord::new(provider(0));
				Challenges::enrol(DeviceId(device), record).unwrap();
			}
			let share = || Owners::<Test>::get(provider(0)).unwrap().share;
			Challenges::change_owner(&provider(0), |owner| owner.share = Ppm(300_001));
			let raised = Challenges::adapt_share(&provider(0), false);
			assert_eq!((share(), raised), (Ppm(400_002), Ppm(100_001)));
			Challenges::lower_share(&provider(0), raised);
			assert_eq!(share(), Ppm(300_001));
			// At the upper bound it was raised by less, and no more comes off.
			Challenges::change_owner(&provider(0), |owner| owner.share = Ppm(999_999));
			let raised = Challenges::adapt_share(&provider(0), false);
			assert_eq!((share(), raised), (Ppm(1_000_000), Ppm(1)));
			Challenges::lower_share(&provider(0), raised);
			assert_eq!(share(), Ppm(999_999));
			assert_eq!(Challenges::adapt_share(&provider(0), true), Ppm(0));
			Challenges::lower_share(&provider(0), Ppm(u32::MAX));
			assert_eq!(share(), parameters().min_share);
		});
}
