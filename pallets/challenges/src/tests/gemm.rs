//! Accelerators: what devices offer, and rounds of products.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{GemmChallenge, Measured, Verdict, Work, WorkKind},
	device::{AcceleratorOffer, DeviceStatus, GemmScore, Performance, MAX_ACCELERATOR_MIB},
	telemetry::PowerLoad,
	traits::PerformanceInspect,
	DeviceId, Ppm, H256,
};
use armature_verifier::challenge::{
	gemm::{MAX_SIDE, MAX_STEPS},
	verdict::planted_hash,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, DispatchResult};
use std::collections::BTreeSet;

/// Half of it are 32 states of 16 KiB.
const OFFER: AcceleratorOffer = AcceleratorOffer { memory_mib: 1, side: 128 };
const GEMM: GemmChallenge = GemmChallenge { side: 128, states: 32 };

fn offer(offer: Option<AcceleratorOffer>) -> DispatchResult {
	Challenges::offer_accelerator(RuntimeOrigin::signed(OPERATOR), DeviceId(0), offer)
}

fn score() -> Option<GemmScore> {
	Challenges::performance_of(DeviceId(0)).gemm
}

/// Device 0 has shown its lanes, and offers an accelerator.
fn with_offer(test: impl FnOnce()) {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		assert_ok!(offer(Some(OFFER)));
		test();
	});
}

#[test]
fn accelerator_should_be_offered_by_who_runs_the_device() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let call =
			|origin, device| Challenges::offer_accelerator(origin, DeviceId(device), Some(OFFER));
		assert_noop!(call(RuntimeOrigin::signed(9), 0), Error::<Test>::NotOperator);
		assert_noop!(call(RuntimeOrigin::signed(9), 77), Error::<Test>::UnknownDevice);
		assert_noop!(call(RuntimeOrigin::signed(OPERATOR), 0), Error::<Test>::NotEnrolled);
		assert_noop!(call(RuntimeOrigin::root(), 0), DispatchError::BadOrigin);
		// A round of lanes is none of its business.
		open_first_round(0);
		assert_ok!(call(RuntimeOrigin::signed(OPERATOR), 0));
		settle(0, pass(1_000));
		let device = DeviceId(0);
		let offered = Event::AcceleratorOffered { device, offer: Some(OFFER) };
		assert!(events().contains(&offered));
		assert_eq!(Enrolments::<Test>::get(device).unwrap().accelerator, Some(OFFER));
		surprise_with(0, WorkKind::Gemm);
		assert_noop!(offer(None), Error::<Test>::RoundOpen);
		settle(0, pass(50));
		assert_ok!(offer(None));
		assert_eq!(last_event(), Event::AcceleratorOffered { device, offer: None });
		assert_eq!(Enrolments::<Test>::get(device).unwrap().accelerator, None);
	});
}

#[test]
fn offer_should_be_within_its_bounds() {
	let gemm = |memory_mib, side| parameters().gemm(&AcceleratorOffer { memory_mib, side });
	assert_eq!(gemm(1, 128), Some(GEMM));
	// 16 to 1,024, in the mock.
	assert_eq!(gemm(8, 16), Some(GemmChallenge { side: 16, states: MAX_STEPS }));
	assert_eq!(gemm(8, 15), None);
	assert_eq!(gemm(2, 1_024), Some(GemmChallenge { side: 1_024, states: 1 }));
	assert_eq!(gemm(2, 1_025), None);
	// Half of one MiB is less than a state.
	assert_eq!(gemm(1, 1_024), None);
	assert_eq!(gemm(0, 16), None);
	// More states than can be numbered.
	assert_eq!(gemm(9, 16), None);
	let most = Parameters { max_gemm_side: MAX_SIDE, ..Parameters::default() };
	let gemm = |memory_mib| most.gemm(&AcceleratorOffer { memory_mib, side: MAX_SIDE });
	assert_eq!(gemm(MAX_ACCELERATOR_MIB).map(|gemm| gemm.states), Some(921));
	assert_eq!(gemm(MAX_ACCELERATOR_MIB + 1), None);
	assert_eq!(gemm(u32::MAX), None);
	with_offer(|| {
		Now::mutate(|now| *now += OFFER_INTERVAL);
		let longer = AcceleratorOffer { memory_mib: 1, side: 1_024 };
		assert_noop!(offer(Some(longer)), Error::<Test>::InvalidOffer);
		// What is offered already says nothing new.
		assert_ok!(offer(Some(OFFER)));
	});
}

#[test]
fn offers_should_be_made_now_and_then_only() {
	with_offer(|| {
		let more = AcceleratorOffer { memory_mib: 2, ..OFFER };
		assert_noop!(offer(Some(more)), Error::<Test>::OfferTooOften);
		// It may always be taken back; the next has to wait all the same.
		assert_ok!(offer(None));
		Now::mutate(|now| *now += OFFER_INTERVAL - 1);
		assert_noop!(offer(Some(OFFER)), Error::<Test>::OfferTooOften);
		Now::mutate(|now| *now += 1);
		assert_ok!(offer(Some(more)));
		assert_noop!(offer(Some(OFFER)), Error::<Test>::OfferTooOften);
	});
}

#[test]
fn passed_round_should_show_what_was_computed() {
	with_offer(|| {
		let before = Performances::<Test>::get(DeviceId(0));
		PowerLog::set(Vec::new());
		let round = surprise_with(0, WorkKind::Gemm);
		assert_eq!(round.task.work, Work::Gemm(GEMM));
		assert_eq!(round.offer.accelerator, Some(OFFER));
		settle(0, pass(50));
		let gemm = GemmScore {
			offer: OFFER,
			shown_mib: 0,
			// 2 * 128^3 * 32 in 50 ms, and 50 ms of head start.
			operations_per_second: 1_342_177_280,
			measured_at: Now::get(),
		};
		let performance = Performance { gemm: Some(gemm), ..before };
		assert_eq!(Challenges::performance_of(DeviceId(0)), performance);
		let outcome = RoundOutcome::Passed { measured: Measured::Gemm { elapsed_millis: 50 } };
		let (round, device) = (round.task.round, DeviceId(0));
		assert!(events().contains(&Event::RoundClosed { round, device, outcome }));
		assert!(events().contains(&Event::PerformanceUpdated { device, performance }));
		let power: Vec<_> =
			PowerLog::get().into_iter().map(|(device, load, _)| (device, load)).collect();
		assert_eq!(power, [(DeviceId(0), PowerLoad::Accelerator)]);
		assert_eq!(Enrolments::<Test>::get(device).unwrap().last_rounds.gemm, Some(round));
	});
}

#[test]
fn failed_round_should_cost_only_what_it_was_about() {
	with_offer(|| {
		surprise_with(0, WorkKind::Gemm);
		settle(0, pass(50));
		surprise_with(0, WorkKind::Gemm);
		settle(0, fail);
		let left = Performances::<Test>::get(DeviceId(0));
		assert!(left.cpu.is_some() && left.gemm.is_none());
		surprise_with(0, WorkKind::Gemm);
		settle(0, pass(50));
		surprise(0);
		settle(0, fail);
		let left = Performances::<Test>::get(DeviceId(0));
		assert!(left.cpu.is_none() && left.gemm.is_some());
	});
}

#[test]
fn figures_that_cannot_be_should_be_refused() {
	with_offer(|| {
		let round = surprise_with(0, WorkKind::Gemm);
		let (id, who) = (round.task.round, seats(&round));
		let Verdict::Passed { power, root, signature, .. } = passed(&round, 1, 80) else {
			unreachable!()
		};
		let window = WINDOW as u32;
		let with = |measured| Verdict::Passed { measured, power, root, signature };
		let wrong = [
			with(Measured::Gemm { elapsed_millis: 0 }),
			with(Measured::Gemm { elapsed_millis: window + 1 }),
			with(Measured::Cpu { elapsed_millis: 50 }),
		];
		for (who, verdict) in who.iter().zip(wrong) {
			assert_ok!(seal_one(*who, id, verdict));
		}
		for (who, verdict) in who.iter().zip(wrong) {
			let implausible = Error::<Test>::ImplausibleVerdict;
			assert_noop!(reveal_one(*who, id, verdict), implausible);
		}
	});
	with_offer(|| {
		surprise_with(0, WorkKind::Gemm);
		settle(0, pass(WINDOW as u32));
		assert!(score().is_some());
	});
}

#[test]
fn what_was_shown_should_go_with_its_offer() {
	for next in [None, Some(AcceleratorOffer { memory_mib: 2, ..OFFER })] {
		with_offer(|| {
			surprise_with(0, WorkKind::Gemm);
			settle(0, pass(50));
			Now::mutate(|now| *now += OFFER_INTERVAL);
			assert_ok!(offer(Some(OFFER)));
			assert!(score().is_some());
			assert_ok!(offer(next));
			assert!(score().is_none() && Performances::<Test>::get(DeviceId(0)).cpu.is_some());
		});
	}
}

#[test]
fn planted_answer_should_not_bring_back_what_an_earlier_offer_showed() {
	for changed in [false, true] {
		with_offer(|| {
			surprise_with(0, WorkKind::Gemm);
			settle(0, pass(50));
			let device = DeviceId(0);
			let (root, salt) = (H256([9; 32]), H256::zero());
			let hash = planted_hash(device, &root, &salt);
			let who = || RuntimeOrigin::signed(OPERATOR);
			assert_ok!(Challenges::plant_answer(who(), device, hash));
			run_blocks(u64::from(LEAD));
			let round = surprise_with(0, WorkKind::Gemm).task.round;
			settle(0, fail);
			let failures = || Enrolments::<Test>::get(device).unwrap().failures;
			assert!(score().is_none() && failures() == 1);
			if changed {
				Now::mutate(|now| *now += OFFER_INTERVAL);
				assert_ok!(offer(Some(AcceleratorOffer { memory_mib: 2, ..OFFER })));
			}
			assert_ok!(Challenges::show_planted(who(), round, root, salt));
			// It was no failure; but what the new offer shows is not known.
			assert_eq!((score().is_some(), failures()), (!changed, 0));
		});
	}
}

#[test]
fn device_that_runs_a_lease_should_run_lanes() {
	with_offer(|| {
		Leased::mutate(|leased| leased.insert(DeviceId(0)));
		let round = surprise_with(0, WorkKind::Gemm);
		assert_eq!((round.task.work.kind(), round.task.work.lanes()), (WorkKind::Cpu, 3));
	});
}

#[test]
fn offer_that_is_out_of_bounds_by_now_should_count_as_none() {
	with_offer(|| {
		Params::<Test>::mutate(|parameters| {
			(parameters.max_gemm_side, parameters.gemm_part) = (127, Ppm::ONE);
		});
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Cpu)]);
		settle(0, pass(1_000));
		give_memory(0);
		give_network(0);
		assert!(!Challenges::may_request_challenge(DeviceId(0)));
	});
}

#[test]
fn devices_without_an_accelerator_should_not_have_the_machine_while_others_multiply() {
	with_offer(|| {
		Params::<Test>::mutate(|parameters| parameters.gemm_part = Ppm::ONE);
		put_device_of(provider(0), 1, DeviceStatus::Active);
		Challenges::enrol(DeviceId(1), EnrolmentRecord::new(provider(0))).unwrap();
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Gemm)]);
		settle(0, pass(50));
		// Both multiply where both offer to.
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::offer_accelerator(who, DeviceId(1), Some(OFFER)));
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Gemm), (1, WorkKind::Gemm)]);
		settle(0, pass(50));
		settle(1, pass(50));
		// Where nobody does, all run lanes.
		assert_ok!(offer(None));
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::offer_accelerator(who, DeviceId(1), None));
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Cpu), (1, WorkKind::Cpu)]);
	});
}

#[test]
fn however_little_is_multiplied_should_be_followed_by_a_rest() {
	with_offer(|| {
		Params::<Test>::mutate(|parameters| parameters.max_load = Ppm(10_000));
		let round = surprise_with(0, WorkKind::Gemm);
		settle(0, pass(1));
		let rests = Owners::<Test>::get(provider(0)).unwrap().rests_until;
		assert_eq!(rests, round.opened_at + 100 * 51);
	});
}

#[test]
fn device_that_left_and_came_back_should_get_no_score_of_before() {
	with_offer(|| {
		surprise_with(0, WorkKind::Gemm);
		Challenges::unenrol(DeviceId(0));
		Challenges::enrol(DeviceId(0), EnrolmentRecord::new(provider(0))).unwrap();
		settle(0, pass(50));
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		assert_eq!(Enrolments::<Test>::get(DeviceId(0)).unwrap().last_closed_at, None);
	});
}

#[test]
fn device_should_be_asked_for_products_only_while_it_offers_them() {
	with_offer(|| {
		give_memory(0);
		let device = DeviceId(0);
		let request = || Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), device);
		// An accelerator that fails leaves all else to be shown.
		for (kind, millis) in [(WorkKind::Network, 300), (WorkKind::Gemm, 50)] {
			Now::mutate(|now| *now += 20_000);
			assert_ok!(request());
			run_blocks(1);
			assert_eq!(round_of(0).unwrap().task.work.kind(), kind);
			settle(0, pass(millis));
		}
		Now::mutate(|now| *now += 20_000);
		assert_noop!(request(), Error::<Test>::ScoreValid);
		assert_ok!(offer(None));
		assert_noop!(request(), Error::<Test>::ScoreValid);
		Now::mutate(|now| *now += OFFER_INTERVAL);
		assert_ok!(offer(Some(OFFER)));
		Leased::mutate(|leased| leased.insert(device));
		assert_noop!(request(), Error::<Test>::LeaseOpen);
		Leased::mutate(|leased| leased.clear());
		assert_ok!(request());
	});
}

#[test]
fn draws_should_be_about_products_as_often_as_they_are_to_be() {
	for (part, expected) in [
		(0, vec![WorkKind::Cpu]),
		(1_000_000, vec![WorkKind::Gemm]),
		(500_000, vec![WorkKind::Cpu, WorkKind::Gemm]),
	] {
		let mut seen = BTreeSet::new();
		for entropy in 0..16 {
			with_offer(|| {
				Params::<Test>::mutate(|parameters| parameters.gemm_part = Ppm(part));
				Entropy::set(entropy);
				let beacon = Challenges::advance_beacon();
				Now::mutate(|now| *now += 100_000);
				let context = Challenges::draw_context(50, beacon, Now::get()).unwrap();
				Challenges::start(&context, &provider(0), None);
				seen.insert(round_of(0).unwrap().task.work.kind());
			});
		}
		assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
	}
}

#[test]
fn accelerator_should_be_busy_while_it_is_measured() {
	with_offer(|| {
		let is_busy = || <Challenges as PerformanceInspect>::is_memory_busy(DeviceId(0));
		assert!(!is_busy());
		let round = surprise_with(0, WorkKind::Gemm);
		for who in seats(&round) {
			assert!(is_busy());
			assert_ok!(seal_one(who, round.task.round, FAILED));
		}
		assert!(!is_busy());
	});
}

#[test]
fn maintenance_should_leave_the_offer_and_take_the_score() {
	with_offer(|| {
		surprise_with(0, WorkKind::Gemm);
		settle(0, pass(50));
		let who = || RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::start_maintenance(who(), DeviceId(0)));
		assert!(score().is_none());
		let record = Enrolments::<Test>::get(DeviceId(0)).unwrap();
		assert_eq!((record.accelerator, record.last_rounds.gemm), (Some(OFFER), None));
	});
}
