//! Storage: what devices offer, and rounds about it.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{Measured, StorageChallenge, Verdict, Work, WorkKind},
	device::{AcceleratorOffer, DeviceStatus, Performance, StorageOffer, StorageScore},
	traits::PerformanceInspect,
	DeviceId, Ppm, H256,
};
use armature_verifier::challenge::{storage::MAX_SECTORS, verdict::planted_hash};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, DispatchResult};

const OFFER: StorageOffer = StorageOffer { sectors: 3, blocks: 16, compressions: 2 };
const STORAGE: StorageChallenge = StorageChallenge {
	sectors: 3,
	blocks: 16,
	compressions: 2,
	commit_millis: 5_000,
	read_millis: 400,
};
const DEVICE: DeviceId = DeviceId(0);

fn offer(offer: Option<StorageOffer>) -> DispatchResult {
	Challenges::offer_storage(RuntimeOrigin::signed(OPERATOR), DEVICE, offer)
}

fn score() -> Option<StorageScore> {
	Challenges::performance_of(DEVICE).storage
}

/// Device 0 has shown its lanes, and offers storage.
fn with_offer(test: impl FnOnce()) {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		assert_ok!(offer(Some(OFFER)));
		test();
	});
}

#[test]
fn storage_should_be_offered_by_who_runs_the_device() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let call =
			|origin, device| Challenges::offer_storage(origin, DeviceId(device), Some(OFFER));
		assert_noop!(call(RuntimeOrigin::signed(9), 0), Error::<Test>::NotOperator);
		assert_noop!(call(RuntimeOrigin::signed(9), 77), Error::<Test>::UnknownDevice);
		assert_noop!(call(RuntimeOrigin::signed(OPERATOR), 0), Error::<Test>::NotEnrolled);
		assert_noop!(call(RuntimeOrigin::root(), 0), DispatchError::BadOrigin);
		// A round of lanes is none of its business.
		open_first_round(0);
		assert_ok!(call(RuntimeOrigin::signed(OPERATOR), 0));
		let offered = Event::StorageOffered { device: DEVICE, offer: Some(OFFER) };
		assert_eq!(last_event(), offered);
		settle(0, pass(1_000));
		assert_eq!(Enrolments::<Test>::get(DEVICE).unwrap().storage, Some(OFFER));
		surprise_with(0, WorkKind::Storage);
		assert_noop!(offer(None), Error::<Test>::RoundOpen);
		settle(0, pass(50));
		assert_ok!(offer(None));
		assert_eq!(last_event(), Event::StorageOffered { device: DEVICE, offer: None });
		assert_eq!(Enrolments::<Test>::get(DEVICE).unwrap().storage, None);
	});
}

#[test]
fn offer_should_be_within_its_bounds() {
	let fits = |sectors, blocks, compressions| {
		parameters().storage(&StorageOffer { sectors, blocks, compressions }).is_some()
	};
	assert_eq!(parameters().storage(&OFFER), Some(STORAGE));
	assert!(fits(1, 16, 2) && fits(MAX_SECTORS, 16, 2));
	assert!(!fits(0, 16, 2) && !fits(MAX_SECTORS + 1, 16, 2));
	assert!(!fits(1, 15, 2) && !fits(1, 17, 2) && !fits(1, 16, 1) && !fits(1, 16, 3));
	with_offer(|| {
		Now::mutate(|now| *now += OFFER_INTERVAL);
		let none = StorageOffer { sectors: 0, ..OFFER };
		assert_noop!(offer(Some(none)), Error::<Test>::InvalidOffer);
		// What is offered already says nothing new.
		assert_ok!(offer(Some(OFFER)));
	});
}

#[test]
fn offers_should_be_made_now_and_then_only() {
	with_offer(|| {
		let more = StorageOffer { sectors: 4, ..OFFER };
		assert_noop!(offer(Some(more)), Error::<Test>::OfferTooOften);
		// One of an accelerator is another one.
		let accelerator = Some(AcceleratorOffer { memory_mib: 1, side: 128 });
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::offer_accelerator(who, DEVICE, accelerator));
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
fn passed_round_should_show_what_was_read() {
	with_offer(|| {
		let before = Performances::<Test>::get(DEVICE);
		PowerLog::set(Vec::new());
		let round = surprise_with(0, WorkKind::Storage);
		assert_eq!(round.task.work, Work::Storage(STORAGE));
		assert_eq!(round.offer.storage, Some(OFFER));
		settle(0, pass(50));
		let read_millis = READ_MILLIS;
		let storage = StorageScore { offer: OFFER, read_millis, measured_at: Now::get() };
		let performance = Performance { storage: Some(storage), ..before };
		assert_eq!(Challenges::performance_of(DEVICE), performance);
		let measured = Measured::Storage { answer_millis: 50, read_millis };
		let (round, outcome) = (round.task.round, RoundOutcome::Passed { measured });
		assert!(events().contains(&Event::RoundClosed { round, device: DEVICE, outcome }));
		assert!(PowerLog::get().is_empty());
		assert_eq!(Enrolments::<Test>::get(DEVICE).unwrap().last_rounds.storage, Some(round));
		Now::mutate(|now| *now += MAX_AGE);
		assert!(score().is_some());
		Now::mutate(|now| *now += 1);
		assert!(score().is_none());
	});
}

#[test]
fn failed_round_should_cost_only_what_it_was_about() {
	with_offer(|| {
		surprise_with(0, WorkKind::Storage);
		settle(0, pass(50));
		surprise_with(0, WorkKind::Storage);
		settle(0, fail);
		let left = Performances::<Test>::get(DEVICE);
		assert!(left.cpu.is_some() && left.storage.is_none());
		surprise_with(0, WorkKind::Storage);
		settle(0, pass(50));
		surprise(0);
		settle(0, fail);
		let left = Performances::<Test>::get(DEVICE);
		assert!(left.cpu.is_none() && left.storage.is_some());
	});
}

#[test]
fn figures_that_cannot_be_should_be_refused() {
	let cases = [(0, 9), (5_001, 9), (50, 0), (50, 401)];
	for (answer_millis, read_millis) in cases {
		with_offer(|| {
			let round = surprise_with(0, WorkKind::Storage);
			let (id, who) = (round.task.round, seats(&round));
			let Verdict::Passed { power, root, signature, .. } = passed(&round, 1, 80) else {
				unreachable!()
			};
			let measured = Measured::Storage { answer_millis, read_millis };
			let verdict = Verdict::Passed { measured, power, root, signature };
			for who in &who {
				assert_ok!(seal_one(*who, id, verdict));
			}
			let implausible = Error::<Test>::ImplausibleVerdict;
			assert_noop!(reveal_one(who[0], id, verdict), implausible);
		});
	}
	with_offer(|| {
		let round = surprise_with(0, WorkKind::Storage);
		let measured = Measured::Storage { answer_millis: 5_000, read_millis: 400 };
		for who in seats(&round) {
			assert_ok!(seal_one(who, round.task.round, of(&round, measured)));
		}
		for who in seats(&round) {
			assert_ok!(reveal_one(who, round.task.round, of(&round, measured)));
		}
		assert_eq!(score().map(|score| score.read_millis), Some(400));
	});
}

/// A passed verdict with these figures.
fn of(round: &RoundOf<Test>, measured: Measured) -> Verdict {
	match passed(round, 1, 80) {
		Verdict::Passed { power, root, signature, .. } => {
			Verdict::Passed { measured, power, root, signature }
		},
		failed => failed,
	}
}

#[test]
fn what_was_shown_should_go_with_its_offer_alone() {
	for next in [None, Some(StorageOffer { sectors: 4, ..OFFER })] {
		with_offer(|| {
			let accelerator = Some(AcceleratorOffer { memory_mib: 1, side: 128 });
			let who = RuntimeOrigin::signed(OPERATOR);
			assert_ok!(Challenges::offer_accelerator(who.clone(), DEVICE, accelerator));
			surprise_with(0, WorkKind::Gemm);
			settle(0, pass(50));
			surprise_with(0, WorkKind::Storage);
			settle(0, pass(50));
			Now::mutate(|now| *now += OFFER_INTERVAL);
			assert_ok!(offer(Some(OFFER)));
			assert!(score().is_some());
			assert_ok!(offer(next));
			let left = Performances::<Test>::get(DEVICE);
			assert!(left.storage.is_none() && left.gemm.is_some() && left.cpu.is_some());
			assert_ok!(Challenges::offer_accelerator(who, DEVICE, None));
			let left = Performances::<Test>::get(DEVICE);
			assert!(left.gemm.is_none() && left.cpu.is_some());
		});
	}
}

#[test]
fn planted_answer_should_not_bring_back_what_an_earlier_offer_showed() {
	for changed in [false, true] {
		with_offer(|| {
			surprise_with(0, WorkKind::Storage);
			settle(0, pass(50));
			let (root, salt) = (H256([9; 32]), H256::zero());
			let hash = planted_hash(DEVICE, &root, &salt);
			let who = || RuntimeOrigin::signed(OPERATOR);
			assert_ok!(Challenges::plant_answer(who(), DEVICE, hash));
			run_blocks(u64::from(LEAD));
			let round = surprise_with(0, WorkKind::Storage).task.round;
			settle(0, fail);
			let failures = || Enrolments::<Test>::get(DEVICE).unwrap().failures;
			assert!(score().is_none() && failures() == 1);
			if changed {
				Now::mutate(|now| *now += OFFER_INTERVAL);
				assert_ok!(offer(Some(StorageOffer { sectors: 4, ..OFFER })));
			}
			assert_ok!(Challenges::show_planted(who(), round, root, salt));
			// It was no failure; but what the new offer shows is not known.
			assert_eq!((score().is_some(), failures()), (!changed, 0));
		});
	}
}

#[test]
fn lease_should_not_keep_storage_from_being_read() {
	with_offer(|| {
		give_memory(0);
		give_network(0);
		Leased::mutate(|leased| leased.insert(DEVICE));
		let is_busy = || <Challenges as PerformanceInspect>::is_memory_busy(DEVICE);
		let round = surprise_with(0, WorkKind::Storage);
		assert_eq!(round.task.work, Work::Storage(STORAGE));
		assert!(!is_busy());
		settle(0, fail);
		// The operator asks for what is missing, lease or not.
		Now::mutate(|now| *now += 200_000);
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::request_challenge(who, DEVICE));
		run_blocks(1);
		assert_eq!(round_of(0).unwrap().task.work, Work::Storage(STORAGE));
	});
}

#[test]
fn sectors_of_other_sizes_than_those_that_count_by_now_should_be_none() {
	with_offer(|| {
		give_memory(0);
		give_network(0);
		Now::mutate(|now| *now += 20_000);
		assert!(Challenges::may_request_challenge(DEVICE));
		Params::<Test>::mutate(|parameters| {
			(parameters.sector_blocks, parameters.storage_part) = (32, Ppm::ONE);
		});
		assert!(!Challenges::may_request_challenge(DEVICE));
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Cpu)]);
	});
}

#[test]
fn devices_without_storage_should_not_have_the_machine_while_others_read() {
	with_offer(|| {
		Params::<Test>::mutate(|parameters| parameters.storage_part = Ppm::ONE);
		put_device_of(provider(0), 1, DeviceStatus::Active);
		Challenges::enrol(DeviceId(1), EnrolmentRecord::new(provider(0))).unwrap();
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Storage)]);
		settle(0, pass(50));
		// Both read where both offer to.
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::offer_storage(who.clone(), DeviceId(1), Some(OFFER)));
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Storage), (1, WorkKind::Storage)]);
		settle(0, pass(50));
		settle(1, pass(50));
		// Where nobody does, all run lanes.
		assert_ok!(offer(None));
		assert_ok!(Challenges::offer_storage(who, DeviceId(1), None));
		assert_eq!(started(provider(0)), vec![(0, WorkKind::Cpu), (1, WorkKind::Cpu)]);
	});
}

#[test]
fn reads_should_be_followed_by_a_rest() {
	with_offer(|| {
		Params::<Test>::mutate(|parameters| parameters.max_load = Ppm(10_000));
		let round = surprise_with(0, WorkKind::Storage);
		settle(0, pass(30));
		let rests = Owners::<Test>::get(provider(0)).unwrap().rests_until;
		// Once for each of the committee.
		let worked = 30 + 3 * u64::from(READ_MILLIS);
		assert_eq!(rests, round.opened_at + 100 * worked);
	});
}

#[test]
fn device_should_be_asked_for_storage_only_while_it_offers_it() {
	with_offer(|| {
		give_memory(0);
		let request = || Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), DEVICE);
		for (kind, millis) in [(WorkKind::Network, 300), (WorkKind::Storage, 50)] {
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
	});
}

#[test]
fn maintenance_should_leave_the_offer_and_take_the_score() {
	with_offer(|| {
		surprise_with(0, WorkKind::Storage);
		settle(0, pass(50));
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::start_maintenance(who, DEVICE));
		assert!(score().is_none());
		let record = Enrolments::<Test>::get(DEVICE).unwrap();
		assert_eq!((record.storage, record.last_rounds.storage), (Some(OFFER), None));
	});
}

#[test]
fn lease_should_not_keep_storage_from_being_asked_for_where_more_is_missing() {
	with_offer(|| {
		Now::mutate(|now| *now += 20_000);
		// Memory and the way to verifiers are missing too, but have to wait for the end of the lease.
		Leased::mutate(|leased| leased.insert(DEVICE));
		let who = || RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::request_challenge(who(), DEVICE));
		run_blocks(1);
		assert_eq!(round_of(0).unwrap().task.work, Work::Storage(STORAGE));
		settle(0, pass(50));
		Now::mutate(|now| *now += 20_000);
		assert_noop!(Challenges::request_challenge(who(), DEVICE), Error::<Test>::LeaseOpen);
	});
}

#[test]
fn device_that_cannot_start_should_not_spare_the_others() {
	for (spares, expected) in [(false, (1, WorkKind::Cpu)), (true, (0, WorkKind::Storage))] {
		with_offer(|| {
			Params::<Test>::mutate(|parameters| parameters.storage_part = Ppm::ONE);
			put_device_of(provider(0), 1, DeviceStatus::Active);
			Challenges::enrol(DeviceId(1), EnrolmentRecord::new(provider(0))).unwrap();
			if !spares {
				let who = RuntimeOrigin::signed(OPERATOR);
				assert_ok!(Challenges::start_maintenance(who, DEVICE));
			}
			assert_eq!(started(provider(0)), vec![expected]);
		});
	}
	with_offer(|| {
		Params::<Test>::mutate(|parameters| parameters.storage_part = Ppm::ONE);
		put_device_of(provider(0), 1, DeviceStatus::Active);
		Challenges::enrol(DeviceId(1), EnrolmentRecord::new(provider(0))).unwrap();
		set_status(0, DeviceStatus::Standby);
		assert_eq!(started(provider(0)), vec![(1, WorkKind::Cpu)]);
	});
}

#[test]
fn what_the_parameters_rule_out_should_count_no_more() {
	with_offer(|| {
		surprise_with(0, WorkKind::Storage);
		settle(0, pass(50));
		assert!(score().is_some());
		Params::<Test>::mutate(|parameters| parameters.sector_compressions = 3);
		assert!(score().is_none());
		// The round that is open is what was asked for.
		Params::<Test>::mutate(|parameters| parameters.sector_compressions = 2);
		let round = surprise_with(0, WorkKind::Storage);
		Params::<Test>::mutate(|parameters| parameters.sector_compressions = 3);
		settle(0, pass(50));
		assert!(EndedRounds::<Test>::get(round.task.round).is_some_and(|ended| !ended.is_failed));
		assert!(score().is_none());
	});
}

#[test]
fn verdict_of_another_kind_should_be_refused() {
	with_offer(|| {
		let round = surprise_with(0, WorkKind::Storage);
		let (id, who) = (round.task.round, seats(&round));
		for measured in [
			Measured::Cpu { elapsed_millis: 50 },
			Measured::Gemm { elapsed_millis: 50 },
			Measured::Memory { fill_millis: 50, read_nanos: 9 },
		] {
			let verdict = of(&round, measured);
			Rounds::<Test>::mutate_extant(id, |round| {
				round.seats.iter_mut().for_each(|seat| seat.state = SeatState::Empty);
			});
			for who in &who {
				assert_ok!(seal_one(*who, id, verdict));
			}
			assert_noop!(reveal_one(who[0], id, verdict), Error::<Test>::ImplausibleVerdict);
		}
	});
}

#[test]
fn device_that_left_and_came_back_should_get_no_score_of_before() {
	with_offer(|| {
		surprise_with(0, WorkKind::Storage);
		Challenges::unenrol(DEVICE);
		Challenges::enrol(DEVICE, EnrolmentRecord::new(provider(0))).unwrap();
		settle(0, pass(50));
		assert!(!Performances::<Test>::contains_key(DEVICE));
	});
}
