//! Rounds about the way to verifiers, and claims about places.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{ChallengeFailure, Measured, NetworkChallenge, Verdict, Work, WorkKind},
	device::{AcceleratorOffer, NetworkScore, Performance, RoundTripTo, StorageOffer},
	location::{LocationFinding, Position},
	service::Network,
	DeviceId, Ppm, H256,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, DispatchResult};

const DEVICE: DeviceId = DeviceId(0);

/// A verdict with these figures.
fn said(round: &RoundOf<Test>, measured: Measured) -> Verdict {
	let Verdict::Passed { power, root, signature, .. } = passed(round, 1_000, 80) else {
		unreachable!()
	};
	Verdict::Passed { measured, power, root, signature }
}

/// A device that has shown its lanes.
fn with_lanes(test: impl FnOnce()) {
	ExtBuilder::default()
		.verifiers(4)
		.parameters(without_draws)
		.build_and_execute(|| {
			open_first_round(0);
			settle(0, pass(1_000));
			Now::mutate(|now| *now += 10_000);
			test();
		});
}

fn score() -> Option<NetworkScore> {
	Performances::<Test>::get(DEVICE).network
}

fn place(latitude: i32, longitude: i32) -> Option<Position> {
	Some(Position { latitude, longitude })
}

fn frankfurt() -> Option<Position> {
	place(50_110_000, 8_680_000)
}

fn claim(who: u64, device: u32, position: Option<Position>) -> DispatchResult {
	Challenges::claim_position(RuntimeOrigin::signed(who), DeviceId(device), position)
}

fn set_position(who: u64, position: Option<Position>) -> DispatchResult {
	Challenges::set_verifier_position(RuntimeOrigin::signed(who), position)
}

#[test]
fn round_should_ask_for_what_the_parameters_say() {
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Network);
		let expected = NetworkChallenge {
			echoes: 4,
			lead_millis: 10_000,
			transfer_millis: 5_000,
			transfer_kib: 1_024,
		};
		assert_eq!(round.task.network(), Some(&expected));
		assert_eq!((round.task.cpu(), round.task.memory()), (None, None));
		for seat in &round.seats {
			assert_eq!(seat.network, Network::V4([203, seat.verifier as u8]));
		}
	});
}

#[test]
fn passed_round_should_show_the_way_to_each_verifier_and_what_all_moved() {
	with_lanes(|| {
		let lanes = Performances::<Test>::get(DEVICE).cpu;
		let round = surprise_with(0, WorkKind::Network);
		let figures =
			[way(40_000, 9_000, 80_000), way(5_000, 7_000, 30_000), way(70_000, 60_000, 50_000)];
		judge(&round, &figures.map(|figure| said(&round, figure)));
		let network = NetworkScore {
			// One verifier alone brings nothing nearer.
			nearest_micros: 40_000,
			median_micros: 40_000,
			// None counts beyond the median.
			up_kbps: 9_000 + 7_000 + 9_000,
			down_kbps: 50_000 + 30_000 + 50_000,
			location: LocationFinding::Unknown,
			measured_at: Now::get(),
		};
		let performance = Performance { cpu: lanes, network: Some(network), ..Default::default() };
		assert!(lanes.is_some());
		assert_eq!(Challenges::performance_of(DEVICE), performance);
		let trips: Vec<_> = seats(&round)
			.into_iter()
			.zip([40_000, 5_000, 70_000])
			.map(|(verifier, micros)| RoundTripTo { verifier, micros, measured_at: Now::get() })
			.collect();
		assert_eq!(Challenges::round_trips_of(DEVICE), trips);
		let (round, device) = (round.task.round, DEVICE);
		let measured = way(40_000, 9_000, 50_000);
		let outcome = RoundOutcome::Passed { measured };
		assert!(events().contains(&Event::RoundClosed { round, device, outcome }));
		// Both ages: the view forgets what is too old.
		Now::mutate(|now| *now += MAX_AGE + 1);
		assert!(Challenges::round_trips_of(DEVICE).is_empty());
		assert_eq!(Challenges::performance_of(DEVICE).network, None);
	});
}

#[test]
fn verifiers_that_failed_the_device_should_have_no_round_trip() {
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Network);
		let ok = said(&round, way(5_000, 9_000, 9_000));
		let silent = Verdict::Failed { reason: ChallengeFailure::NoAnswer };
		judge(&round, &[ok, silent, ok]);
		let verifiers: Vec<_> =
			RoundTrips::<Test>::get(DEVICE).into_iter().map(|trip| trip.verifier).collect();
		assert_eq!(verifiers, [seats(&round)[0], seats(&round)[2]]);
		assert_eq!(score().unwrap().up_kbps, 18_000);
	});
}

#[test]
fn failed_round_should_cost_only_what_it_was_about() {
	with_lanes(|| {
		give_network(0);
		surprise_with(0, WorkKind::Network);
		settle(0, fail);
		let left = Performances::<Test>::get(DEVICE);
		assert!(left.cpu.is_some() && left.network.is_none());
		assert!(!RoundTrips::<Test>::contains_key(DEVICE));
		assert_eq!(Enrolments::<Test>::get(DEVICE).unwrap().failures, 1);
	});
}

/// Seals what a verifier would say of a round, and reveals it.
fn revealed(verdict: impl Fn(&RoundOf<Test>) -> Verdict) -> DispatchResult {
	let mut result = Ok(());
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Network);
		let (id, who, verdict) = (round.task.round, seats(&round)[0], verdict(&round));
		assert_ok!(seal_one(who, id, verdict));
		Now::set(round.task.deadline + 1);
		result = reveal_one(who, id, verdict);
	});
	result
}

#[test]
fn implausible_figures_should_not_be_taken() {
	const MICROS: u32 = WINDOW as u32 * 1_000;
	let at = |answer_millis| Measured::Network {
		answer_millis,
		round_trip_micros: 1,
		up_kbps: 1,
		down_kbps: 1,
	};
	for (measured, is_taken) in [
		(way(1, 1, 1), true),
		(way(0, 1, 1), false),
		(way(1, 0, 1), false),
		(way(1, 1, 0), false),
		(way(u32::MAX, 1, 1), false),
		(way(MICROS, u32::MAX, u32::MAX), true),
		(way(MICROS + 1, 1, 1), false),
		(at(0), false),
		(at(WINDOW as u32), true),
		(at(WINDOW as u32 + 1), false),
		(Measured::Cpu { elapsed_millis: 9 }, false),
		(Measured::Memory { fill_millis: 9, read_nanos: 9 }, false),
	] {
		let result = revealed(|round| said(round, measured));
		let refused = Err(Error::<Test>::ImplausibleVerdict.into());
		assert_eq!(result, if is_taken { Ok(()) } else { refused }, "{measured:?}");
	}
}

#[test]
fn nothing_but_the_tasks_hash_should_be_committed_to() {
	let under = |root| {
		revealed(move |round| {
			let power = power(80);
			let signature = sign(round, root, power);
			Verdict::Passed { measured: way(1, 1, 1), power, root, signature }
		})
	};
	for root in [ROOT, H256::zero()] {
		assert_eq!(under(root), Err(Error::<Test>::ImplausibleVerdict.into()));
	}
}

#[test]
fn rest_should_be_that_of_the_connection() {
	ExtBuilder::default()
		.parameters(|p| {
			without_draws(p);
			p.max_load = Ppm(100_000);
		})
		.build_and_execute(|| {
			open_first_round(0);
			settle(0, pass(1_000));
			Owners::<Test>::mutate(provider(0), |owner| {
				owner.as_mut().unwrap().rests_until = 0;
			});
			let round = surprise_with(0, WorkKind::Network);
			settle(0, |round| said(round, way(1, 1, 1)));
			// Five seconds each way are a tenth of 100 s.
			let owner = Owners::<Test>::get(provider(0)).unwrap();
			assert_eq!(owner.rests_until, round.opened_at + 100_000);
		});
}

#[test]
fn what_is_lacking_should_be_asked_for_in_its_order() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let device = DEVICE;
		let request = || Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), device);
		for kind in [WorkKind::Cpu, WorkKind::Memory, WorkKind::Network] {
			if kind == WorkKind::Cpu {
				open_first_round(0);
			} else {
				Now::mutate(|now| *now += 30_000);
				assert_ok!(request());
				run_blocks(1);
			}
			assert_eq!(round_of(0).unwrap().task.work.kind(), kind);
			settle(0, pass(1_000));
		}
		Now::mutate(|now| *now += 30_000);
		assert_noop!(request(), Error::<Test>::ScoreValid);
	});
}

#[test]
fn draws_should_be_of_each_kind_as_often_as_the_parameters_say() {
	let kinds = |memory, network, gemm, storage| {
		let mut counts = [0u32; 5];
		ExtBuilder::default()
			.parameters(|p| {
				(p.memory_part, p.network_part) = (Ppm(memory), Ppm(network));
				(p.gemm_part, p.storage_part) = (Ppm(gemm), Ppm(storage));
			})
			.build_and_execute(|| {
				open_first_round(0);
				let devices = [DeviceId(0)];
				Enrolments::<Test>::mutate_extant(DeviceId(0), |record| {
					record.accelerator = Some(AcceleratorOffer { memory_mib: 1, side: 128 });
					record.storage = Some(StorageOffer { sectors: 1, blocks: 16, compressions: 2 });
				});
				let record = Owners::<Test>::get(provider(0)).unwrap();
				for block in 0..1_000 {
					Entropy::set(block);
					let beacon = Challenges::advance_beacon();
					let context = Challenges::draw_context(block, beacon, Now::get()).unwrap();
					match Challenges::kind_of_start(&context, &record, &devices, None) {
						WorkKind::Cpu => counts[0] += 1,
						WorkKind::Memory => counts[1] += 1,
						WorkKind::Network => counts[2] += 1,
						WorkKind::Gemm => counts[3] += 1,
						WorkKind::Storage => counts[4] += 1,
					}
				}
			});
		counts
	};
	assert_eq!(kinds(0, 0, 0, 0), [1_000, 0, 0, 0, 0]);
	assert_eq!(kinds(0, 1_000_000, 0, 0), [0, 0, 1_000, 0, 0]);
	assert_eq!(kinds(1_000_000, 0, 0, 0), [0, 1_000, 0, 0, 0]);
	assert_eq!(kinds(0, 0, 1_000_000, 0), [0, 0, 0, 1_000, 0]);
	assert_eq!(kinds(0, 0, 0, 1_000_000), [0, 0, 0, 0, 1_000]);
	let [cpu, memory, network, gemm, storage] = kinds(250_000, 150_000, 100_000, 100_000);
	assert!((60..140).contains(&storage), "{storage}");
	assert!((330..470).contains(&cpu) && (180..320).contains(&memory), "{cpu} {memory}");
	assert!((100..200).contains(&network) && (60..140).contains(&gemm), "{network} {gemm}");
}

#[test]
fn leased_device_should_keep_its_connection() {
	with_lanes(|| {
		Leased::mutate(|leased| {
			leased.insert(DEVICE);
		});
		let round = surprise_with(0, WorkKind::Network);
		assert!(matches!(round.task.work, Work::Cpu(_)));
		settle(0, pass(1_000));
		Leased::mutate(|leased| leased.clear());
	});
}

#[test]
fn nothing_planted_should_be_shown_of_such_a_round() {
	with_lanes(|| {
		let (root, salt) = (ROOT, H256([2; 32]));
		let hash = armature_verifier::challenge::verdict::planted_hash(DEVICE, &root, &salt);
		assert_ok!(Challenges::plant_answer(RuntimeOrigin::signed(OPERATOR), DEVICE, hash));
		System::set_block_number(System::block_number() + u64::from(LEAD));
		let round = surprise_with(0, WorkKind::Network);
		settle(0, fail);
		assert_noop!(
			Challenges::show_planted(RuntimeOrigin::signed(OPERATOR), round.task.round, root, salt),
			Error::<Test>::OtherAnswerGiven
		);
	});
}

/// The verifiers of the next round are at these places, and measure these times.
fn found(claimed: Option<Position>, trips: [(Option<Position>, u32); 3]) -> LocationFinding {
	let mut found = LocationFinding::Unknown;
	with_lanes(|| {
		assert_ok!(claim(OPERATOR, 0, claimed));
		let round = surprise_with(0, WorkKind::Network);
		let verdicts = trips.map(|(_, micros)| said(&round, way(micros, 1, 1)));
		for (who, (position, _)) in seats(&round).into_iter().zip(trips) {
			assert_ok!(set_position(who, position));
		}
		judge(&round, &verdicts);
		found = score().unwrap().location;
	});
	found
}

#[test]
fn claims_should_be_held_against_light() {
	use LocationFinding::*;
	let (near, sydney) = (place(50_000_000, 8_000_000), place(-33_870_000, 151_210_000));
	// 100 km and back take 1.5 ms at the Internet's speed, and 2 ms are the last mile.
	assert_eq!(found(frankfurt(), [(near, 3_000); 3]), Supported);
	assert_eq!(found(frankfurt(), [(near, 4_000); 3]), Unknown);
	assert_eq!(found(None, [(near, 3_000); 3]), Unknown);
	assert_eq!(found(frankfurt(), [(near, 3_000), (None, 3_000), (near, 3_000)]), Unknown);
	// 16,500 km take 110 ms there and back.
	let (fast, slow) = ((sydney, 20_000), (sydney, 120_000));
	assert_eq!(found(frankfurt(), [fast; 3]), Refuted);
	assert_eq!(found(frankfurt(), [fast, slow, fast]), Refuted);
	assert_eq!(found(frankfurt(), [slow, slow, fast]), Unknown);
	assert_eq!(found(frankfurt(), [slow; 3]), Unknown);
}

#[test]
fn claim_should_be_kept_and_an_earlier_finding_forgotten() {
	with_lanes(|| {
		give_network(0);
		Performances::<Test>::mutate(DEVICE, |known| {
			known.network.as_mut().unwrap().location = LocationFinding::Supported;
		});
		assert_ok!(claim(provider(0), 0, frankfurt()));
		let (device, position) = (DEVICE, frankfurt());
		assert_eq!(last_event(), Event::PositionClaimed { device, position });
		assert_eq!(Enrolments::<Test>::get(DEVICE).unwrap().position, frankfurt());
		assert_eq!(score().unwrap().location, LocationFinding::Unknown);
		// The same claim again changes nothing.
		Performances::<Test>::mutate(DEVICE, |known| {
			known.network.as_mut().unwrap().location = LocationFinding::Supported;
		});
		assert_ok!(claim(OPERATOR, 0, frankfurt()));
		assert_eq!(score().unwrap().location, LocationFinding::Supported);
		assert_ok!(claim(OPERATOR, 0, None));
		assert_eq!(Enrolments::<Test>::get(DEVICE).unwrap().position, None);
		assert_eq!(score().unwrap().location, LocationFinding::Unknown);
	});
}

#[test]
fn claims_of_strangers_and_of_no_places_should_be_refused() {
	with_lanes(|| {
		assert_noop!(
			Challenges::claim_position(RuntimeOrigin::root(), DEVICE, None),
			DispatchError::BadOrigin
		);
		assert_noop!(claim(OPERATOR, 77, None), Error::<Test>::UnknownDevice);
		assert_noop!(claim(provider(1), 0, None), Error::<Test>::NotOperator);
		assert_noop!(claim(OPERATOR, 1, None), Error::<Test>::NotEnrolled);
		let beyond = place(90_000_001, 0);
		assert_noop!(claim(OPERATOR, 0, beyond), Error::<Test>::InvalidPosition);
		assert_ok!(claim(OPERATOR, 0, place(90_000_000, -180_000_000)));

		assert_noop!(
			Challenges::set_verifier_position(RuntimeOrigin::root(), None),
			DispatchError::BadOrigin
		);
		assert_noop!(set_position(15, None), Error::<Test>::NotVerifier);
		assert_noop!(set_position(1, beyond), Error::<Test>::InvalidPosition);
		assert_ok!(set_position(1, frankfurt()));
		assert_eq!(Verifiers::<Test>::get(1).unwrap().position, frankfurt());
		let (who, position) = (1, frankfurt());
		assert_eq!(last_event(), Event::VerifierPositionSet { who, position });
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(1)));
		assert_noop!(set_position(1, None), Error::<Test>::VerifierRetired);
	});
}

#[test]
fn device_that_leaves_should_leave_no_round_trips() {
	with_lanes(|| {
		give_network(0);
		assert_ok!(Challenges::start_maintenance(RuntimeOrigin::signed(OPERATOR), DEVICE));
		assert!(!RoundTrips::<Test>::contains_key(DEVICE));
		Challenges::unenrol(DEVICE);
		assert!(!Performances::<Test>::contains_key(DEVICE));
	});
}
