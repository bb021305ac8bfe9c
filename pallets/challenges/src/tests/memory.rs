//! Rounds of memory.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{CpuChallenge, Measured, MemoryChallenge, Verdict, Work, WorkKind},
	device::{CpuScore, MemoryScore, Performance},
	traits::PerformanceInspect,
	DeviceId, Ppm,
};
use frame_support::{assert_noop, assert_ok};
use std::collections::BTreeSet;

fn memory_of(round: &RoundOf<Test>) -> MemoryChallenge {
	*round.task.memory().expect("a round of memory")
}

/// A verdict with these figures.
fn shown(round: &RoundOf<Test>, fill_millis: u32, read_nanos: u32) -> Verdict {
	let Verdict::Passed { power, root, signature, .. } = passed(round, 1_000, 80) else {
		unreachable!()
	};
	let measured = Measured::Memory { fill_millis, read_nanos };
	Verdict::Passed { measured, power, root, signature }
}

/// A device that has shown its lanes.
fn with_lanes(test: impl FnOnce()) {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		Now::mutate(|now| *now += 10_000);
		PowerLog::set(Vec::new());
		test();
	});
}

#[test]
fn round_should_fill_a_share_of_what_is_offered() {
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Memory);
		// Half of 16 GiB in four lanes, in KiB.
		let expected = MemoryChallenge { lanes: 4, blocks: 2 << 20, segments: 16, reads: 4 };
		assert_eq!(memory_of(&round), expected);
		assert_eq!(
			round.offer,
			Offer { lanes: 4, memory_mib: 16_384, accelerator: None, storage: None }
		);
		let kind = WorkKind::Memory;
		assert!(matches!(last_event(), Event::RoundOpened { kind: said, .. } if said == kind));
	});
}

#[test]
fn sizes_should_stay_within_their_bounds() {
	let parameters = Parameters { walk_segments: 1 << 20, ..crate::mock::parameters() };
	let memory = |lanes, mib| parameters.memory(lanes, mib);
	// At least two blocks of each lane, whatever little is offered.
	assert_eq!((memory(8, 0).blocks, memory(8, 0).segments), (2, 1 << 18));
	assert_eq!((memory(0, 1).lanes, memory(0, 1).blocks), (1, 512));
	assert_eq!(memory(u16::MAX, 1).lanes, 1_024);
	// Sixteen lanes walk. Half of 4 TiB, less one MiB.
	assert_eq!((memory(16, 1).segments, memory(17, 1).segments), (1 << 17, 1 << 17));
	let most = memory(1_024, u32::MAX);
	assert_eq!((most.blocks, most.segments), ((1 << 21) - 1, 1 << 17));
	assert_eq!(memory(1_024, MAX_MEMORY_MIB), most);
	assert_eq!(memory(1_024, MAX_MEMORY_MIB - 2).blocks, most.blocks - 1);
}

#[test]
fn passed_round_should_show_memory_and_keep_the_speed() {
	with_lanes(|| {
		let lanes = Performances::<Test>::get(DeviceId(0)).cpu;
		let round = surprise_with(0, WorkKind::Memory);
		let figures = [(8_192, 300), (4_096, 500), (2_000, 700)];
		judge(&round, &figures.map(|(fill, read)| shown(&round, fill, read)));
		let memory = MemoryScore {
			offered_mib: 16_384,
			filled_mib: 8_192,
			fill_mib_per_second: 2_000,
			read_nanos: 500,
			measured_at: Now::get(),
		};
		let performance = Performance { cpu: lanes, memory: Some(memory), ..Default::default() };
		assert!(lanes.is_some());
		assert_eq!(Challenges::performance_of(DeviceId(0)), performance);
		let (round, device) = (round.task.round, DeviceId(0));
		let measured = Measured::Memory { fill_millis: 4_096, read_nanos: 500 };
		let outcome = RoundOutcome::Passed { measured };
		assert!(events().contains(&Event::RoundClosed { round, device, outcome }));
		assert!(events().contains(&Event::PerformanceUpdated { device, performance }));
		// Memory loads a device less than all of its lanes do.
		assert!(PowerLog::get().is_empty());
	});
}

#[test]
fn failed_round_should_cost_only_what_it_was_about() {
	with_lanes(|| {
		give_memory(0);
		surprise_with(0, WorkKind::Memory);
		settle(0, fail);
		let left = Performances::<Test>::get(DeviceId(0));
		assert!(left.cpu.is_some() && left.memory.is_none());
		give_memory(0);
		surprise(0);
		settle(0, fail);
		let left = Performances::<Test>::get(DeviceId(0));
		assert!(left.cpu.is_none() && left.memory.is_some());
		surprise_with(0, WorkKind::Memory);
		settle(0, fail);
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		assert_eq!(Enrolments::<Test>::get(DeviceId(0)).unwrap().failures, 3);
	});
}

#[test]
fn slow_reads_should_be_no_memory() {
	for (nanos, counts) in [(1_000, true), (1_001, false)] {
		with_lanes(|| {
			let round = surprise_with(0, WorkKind::Memory);
			let rest = Owners::<Test>::get(provider(0)).unwrap().rests_until;
			judge(&round, &[shown(&round, 2_000, nanos); 3]);
			assert_eq!(Performances::<Test>::get(DeviceId(0)).memory.is_some(), counts);
			let record = Enrolments::<Test>::get(DeviceId(0)).unwrap();
			assert_eq!(record.failures, u32::from(!counts));
			let measured = Measured::Memory { fill_millis: 2_000, read_nanos: nanos };
			let outcome = if counts {
				RoundOutcome::Passed { measured }
			} else {
				RoundOutcome::TooSlow { measured }
			};
			let (round, device) = (round.task.round, DeviceId(0));
			assert!(events().contains(&Event::RoundClosed { round, device, outcome }));
			// Those who measured it are paid all the same, and it has no rest.
			assert_eq!(TotalEarned::<Test>::get(), 6 * FEE);
			let rests = Owners::<Test>::get(provider(0)).unwrap().rests_until > rest;
			assert_eq!(rests, counts);
			assert_eq!(EndedRounds::<Test>::get(round).unwrap().is_failed, !counts);
		});
	}
}

#[test]
fn figures_that_cannot_be_should_be_refused() {
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Memory);
		let id = round.task.round;
		let who = seats(&round);
		let window = WINDOW as u32;
		let wrong = [shown(&round, 0, 1), shown(&round, window + 1, 1), shown(&round, 1, 0)];
		for (who, verdict) in who.iter().zip(wrong) {
			assert_ok!(seal_one(*who, id, verdict));
		}
		for (who, verdict) in who.iter().zip(wrong) {
			let implausible = Error::<Test>::ImplausibleVerdict;
			assert_noop!(reveal_one(*who, id, verdict), implausible);
		}
	});
	// 64 reads in the window of 60 s are 937,500,000 ns each, rounded up by less than one.
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Memory);
		let (id, who) = (round.task.round, seats(&round));
		let slow = shown(&round, 1, 937_500_002);
		for who in &who {
			assert_ok!(seal_one(*who, id, slow));
		}
		assert_noop!(reveal_one(who[0], id, slow), Error::<Test>::ImplausibleVerdict);
	});
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Memory);
		judge(&round, &[shown(&round, WINDOW as u32, 937_500_001); 3]);
		assert!(round_of(0).is_none());
	});
}

#[test]
fn each_part_should_age_by_itself() {
	with_lanes(|| {
		let lanes_at = Performances::<Test>::get(DeviceId(0)).cpu.unwrap().measured_at;
		give_memory(0);
		let memory_at = Now::get();
		let counts = |at| {
			let found = <Challenges as PerformanceInspect>::performance(DeviceId(0), at);
			(found.cpu.is_some(), found.memory.is_some())
		};
		assert_eq!(counts(lanes_at + MAX_AGE), (true, true));
		assert_eq!(counts(lanes_at + MAX_AGE + 1), (false, true));
		assert_eq!(counts(memory_at + MAX_AGE), (false, true));
		assert_eq!(counts(memory_at + MAX_AGE + 1), (false, false));
	});
}

#[test]
fn device_should_be_asked_for_what_it_lacks() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let first = open_first_round(0);
		assert_eq!(first.task.work.kind(), WorkKind::Cpu);
		settle(0, pass(1_000));
		Now::mutate(|now| *now += SLOT);
		assert!(Challenges::may_request_challenge(DeviceId(0)));
		let device = DeviceId(0);
		assert_ok!(Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), device));
		run_blocks(1);
		assert_eq!(round_of(0).unwrap().task.work.kind(), WorkKind::Memory);
		settle(0, |round| shown(round, 1_000, 400));
		give_network(0);
		assert!(!Challenges::may_request_challenge(DeviceId(0)));
		assert_noop!(
			Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), device),
			Error::<Test>::ScoreValid
		);
	});
}

#[test]
fn devices_of_one_owner_should_do_the_same() {
	for part in [0, 1_000_000, 500_000] {
		let mut seen = BTreeSet::new();
		for entropy in 0..16 {
			ExtBuilder::default()
				.parameters(|p| {
					without_draws(p);
					p.memory_part = Ppm(part);
				})
				.build_and_execute(|| {
					put_device_of(
						provider(0),
						1,
						armature_primitives::device::DeviceStatus::Active,
					);
					for device in [0, 1] {
						let record = EnrolmentRecord::new(provider(0));
						Challenges::enrol(DeviceId(device), record).unwrap();
					}
					Entropy::set(entropy);
					let beacon = Challenges::advance_beacon();
					let context = Challenges::draw_context(50, beacon, Now::get()).unwrap();
					Challenges::start(&context, &provider(0), None);
					let kinds: BTreeSet<_> =
						[0, 1].map(|d| round_of(d).unwrap().task.work.kind()).into();
					assert_eq!(kinds.len(), 1);
					seen.extend(kinds);
				});
		}
		let expected: &[WorkKind] = match part {
			0 => &[WorkKind::Cpu],
			1_000_000 => &[WorkKind::Memory],
			_ => &[WorkKind::Cpu, WorkKind::Memory],
		};
		assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
	}
}

#[test]
fn lease_should_keep_a_lane_and_its_memory() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		Leased::mutate(|leased| leased.insert(DeviceId(0)));
		PowerLog::set(Vec::new());
		let round = surprise_with(0, WorkKind::Memory);
		let cpu = CpuChallenge { lanes: 3, segments: 8, steps_per_segment: 100 };
		assert_eq!(round.task.work, Work::Cpu(cpu));
		assert!(!<Challenges as PerformanceInspect>::is_memory_busy(DeviceId(0)));
		settle(0, pass(2_000));
		// The lease's lane was busy, too.
		let score = CpuScore { steps_per_second_per_lane: 400, lanes: 4, measured_at: Now::get() };
		assert_eq!(Performances::<Test>::get(DeviceId(0)).cpu, Some(score));
		assert_eq!(PowerLog::get().len(), 1);
	});
	// One lane is shared.
	let lanes = |lanes, is_leased| {
		parameters()
			.work(
				WorkKind::Cpu,
				Offer { lanes, memory_mib: 1, accelerator: None, storage: None },
				is_leased,
			)
			.lanes()
	};
	assert_eq!((lanes(1, true), lanes(2, true), lanes(2, false)), (1, 1, 2));
}

#[test]
fn leased_device_should_not_ask_for_what_it_cannot_show() {
	with_lanes(|| {
		let request =
			|| Challenges::request_challenge(RuntimeOrigin::signed(OPERATOR), DeviceId(0));
		Leased::mutate(|leased| leased.insert(DeviceId(0)));
		assert_noop!(request(), Error::<Test>::LeaseOpen);
		assert!(!Challenges::may_request_challenge(DeviceId(0)));
		// Its lanes, it can.
		Now::mutate(|now| *now += MAX_AGE + 1);
		assert_ok!(request());
	});
}

#[test]
fn memory_should_be_busy_while_it_is_measured() {
	with_lanes(|| {
		let is_busy = || <Challenges as PerformanceInspect>::is_memory_busy(DeviceId(0));
		assert!(!is_busy());
		surprise(0);
		assert!(!is_busy());
		settle(0, pass(1_000));
		let round = surprise_with(0, WorkKind::Memory);
		assert!(is_busy());
		// Only until all have measured it: others may take their time to say so.
		for who in seats(&round) {
			assert!(is_busy());
			assert_ok!(seal_one(who, round.task.round, FAILED));
		}
		assert!(!is_busy() && round_of(0).is_some());
	});
	with_lanes(|| {
		let round = surprise_with(0, WorkKind::Memory);
		let is_busy = || <Challenges as PerformanceInspect>::is_memory_busy(DeviceId(0));
		Now::set(round.task.deadline);
		assert!(is_busy());
		Now::set(round.task.deadline + 1);
		assert!(!is_busy());
	});
}

#[test]
fn rest_should_count_the_walks_of_the_whole_committee() {
	ExtBuilder::default()
		.parameters(|p| {
			without_draws(p);
			p.max_load = Ppm(500_000);
			(p.walk_segments, p.walk_reads, p.max_read_nanos) = (1 << 19, 2, u32::MAX);
		})
		.build_and_execute(|| {
			put_device(2, armature_primitives::device::DeviceStatus::Active);
			open_first_round(2);
			settle(2, pass(1));
			let round = surprise_with(2, WorkKind::Memory);
			// Six lanes: 2^21 segments leave each 349,525, of two reads; 1,430 ns each are 999.64 ms,
			// for each of three verifiers.
			judge(&round, &[shown(&round, 500, 1_430); 3]);
			let rests = Owners::<Test>::get(provider(2)).unwrap().rests_until;
			assert_eq!(rests, round.opened_at + 2 * (500 + 3 * 1_000));
		});
}
