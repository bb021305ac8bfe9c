//! When rounds begin, and of whom.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{Assignment, AssignmentPhase, CpuChallenge, Work, WorkKind},
	device::{AcceleratorOffer, DeviceStatus},
	ed25519, DeviceId, MilliWatts, Ppm, RoundId, H256,
};
use codec::Encode;
use frame_support::{assert_ok, traits::Hooks};
use std::collections::{BTreeMap, BTreeSet};

fn enrol(device: u32) {
	let who = DeviceTable::get()[&DeviceId(device)].0.provider;
	assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(who), DeviceId(device)));
}

fn enrol_all(devices: u32) {
	(0..devices).for_each(enrol);
}

/// Ends all open rounds with passed verdicts.
fn settle_open() {
	let open: Vec<_> = OpenRounds::<Test>::iter_keys().collect();
	for device in open {
		settle(device.0, pass(1_000));
	}
}

/// Enrols devices, runs their first rounds and lets them rest.
fn score_all(devices: u32) {
	enrol_all(devices);
	while QueueEnds::<Test>::get().head < QueueEnds::<Test>::get().tail {
		run_blocks(1);
		settle_open();
	}
	Now::mutate(|now| *now += 2_000);
}

/// Opened rounds by the block that opened them.
fn opened() -> Vec<(RoundId, DeviceId)> {
	events()
		.into_iter()
		.filter_map(|event| match event {
			Event::RoundOpened { round, device, .. } => Some((round, device)),
			_ => None,
		})
		.collect()
}

fn draw(block: u64) -> draw::DrawContext<Test> {
	System::set_block_number(block);
	let beacon = Challenges::advance_beacon();
	Challenges::draw_context(block, beacon, Now::get()).expect("there are verifiers")
}

#[test]
fn round_should_be_what_the_parameters_and_the_device_say() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		// By the clock of its own block.
		let at = Now::get() + SLOT;
		let old = Beacon::<Test>::get();
		let round = open_first_round(1);
		let block = System::block_number();
		assert_eq!(round.opened_at, at);
		assert_eq!(round.task.round, RoundId(0));
		assert_eq!(round.task.device, DeviceId(1));
		assert_eq!(round.task.deadline, at + WINDOW);
		assert_eq!(round.reveal_until, at + WINDOW + REVEAL);
		assert_eq!(round.key, key(1));
		let cpu = CpuChallenge { lanes: 5, segments: 8, steps_per_segment: 100 };
		assert_eq!(round.task.work, Work::Cpu(cpu));
		let random =
			sp_io::hashing::blake2_256(&(b"armature/challenge".as_slice(), 0u64, block).encode());
		let beacon = sp_io::hashing::blake2_256(&(b"chlb", old, random).encode());
		assert_eq!(Beacon::<Test>::get(), H256(beacon));
		let mut input = b"chl1".to_vec();
		input.extend_from_slice(&beacon);
		input.extend_from_slice(&block.encode());
		input.extend_from_slice(&1u32.to_le_bytes());
		input.extend_from_slice(&0u64.to_le_bytes());
		assert_eq!(round.task.seed, H256(sp_io::hashing::blake2_256(&input)));

		let verifiers = seats(&round);
		assert_eq!(verifiers.len(), 3);
		let assignment = Assignment { task: round.task, phase: AssignmentPhase::Seal };
		for who in &verifiers {
			assert_eq!(Challenges::open_rounds_of_verifier(*who), vec![assignment]);
		}
		assert_eq!(
			last_event(),
			Event::RoundOpened {
				round: RoundId(0),
				device: DeviceId(1),
				kind: WorkKind::Cpu,
				seed: round.task.seed,
				verifiers,
				deadline: at + WINDOW,
			}
		);
	});
}

#[test]
fn beacon_should_move_with_every_block_and_rest_on_all_before() {
	ExtBuilder::default().build_and_execute(|| {
		let mut seen = BTreeSet::new();
		for _ in 0..5 {
			run_blocks(1);
			assert!(seen.insert(Beacon::<Test>::get()));
		}
	});
	let after = |first| {
		let mut beacon = H256::zero();
		ExtBuilder::default().build_and_execute(|| {
			Entropy::set(first);
			run_blocks(1);
			Entropy::set(0);
			run_blocks(1);
			beacon = Beacon::<Test>::get();
		});
		beacon
	};
	assert_eq!(after(1), after(1));
	assert_ne!(after(1), after(2));
}

#[test]
fn seed_should_differ_by_device_and_beacon() {
	ExtBuilder::default().devices(4).build_and_execute(|| {
		enrol_all(4);
		run_blocks(2);
		let seeds: BTreeSet<_> = Rounds::<Test>::iter().map(|(_, r)| r.task.seed).collect();
		assert_eq!(seeds.len(), 4);
	});
	let seed_under = |entropy| {
		let mut seed = H256::zero();
		ExtBuilder::default().build_and_execute(|| {
			Entropy::set(entropy);
			seed = open_first_round(0).task.seed;
		});
		seed
	};
	assert_eq!(seed_under(1), seed_under(1));
	assert_ne!(seed_under(1), seed_under(2));
}

#[test]
fn lanes_should_be_capped() {
	ExtBuilder::default().build_and_execute(|| {
		let key = ed25519::Public::from_raw([9; 32]);
		put_device_with(DeviceId(0), provider(0), DeviceStatus::Active, u16::MAX, key);
		put_device_with(DeviceId(1), provider(1), DeviceStatus::Active, 0, key);
		assert_eq!(open_first_round(0).task.cpu().unwrap().lanes, 1_024);
		assert_eq!(open_first_round(1).task.cpu().unwrap().lanes, 1);
	});
}

#[test]
fn nothing_should_be_drawn_before_the_first_timestamp() {
	ExtBuilder::default().build_and_execute(|| {
		enrol_all(2);
		Now::set(0);
		Challenges::on_initialize(5);
		Challenges::on_finalize(5);
		assert_eq!(Rounds::<Test>::iter().count(), 0);
	});
}

#[test]
fn requests_should_be_served_in_order_and_within_the_blocks_room() {
	ExtBuilder::default()
		.devices(11)
		.parameters(without_draws)
		.build_and_execute(|| {
			enrol_all(11);
			run_to(2);
			// Sixteen places: an owner and its device take two.
			let devices: Vec<_> = opened().iter().map(|(_, device)| device.0).collect();
			assert_eq!(devices, vec![0, 1, 2, 3, 4, 5, 6, 7]);
			run_to(3);
			assert_eq!(opened().len(), 11);
		});
}

#[test]
fn all_devices_of_an_owner_should_start_together() {
	ExtBuilder::default()
		.devices(6)
		.parameters(without_draws)
		.build_and_execute(|| {
			for device in 0..3 {
				put_device_of(7, device, DeviceStatus::Active);
			}
			score_all(6);
			System::reset_events();
			// One of them asks.
			Performances::<Test>::remove(DeviceId(1));
			Now::mutate(|now| *now += WINDOW);
			assert_ok!(Challenges::request_challenge(RuntimeOrigin::signed(7), DeviceId(1)));
			run_blocks(1);
			let devices: BTreeSet<_> = opened().into_iter().map(|(_, device)| device.0).collect();
			assert_eq!(devices, BTreeSet::from([0, 1, 2]));
			let starts: BTreeSet<_> = Rounds::<Test>::iter().map(|(_, r)| r.opened_at).collect();
			assert_eq!(starts.len(), 1);
		});
}

#[test]
fn large_owner_should_start_as_many_random_devices_as_fit() {
	ExtBuilder::default()
		.devices(10)
		.verifiers(3)
		.parameters(without_draws)
		.build_and_execute(|| {
			for device in 0..10 {
				put_device_of(7, device, DeviceStatus::Active);
			}
			enrol_all(10);
			let mut together = BTreeMap::<(u32, u32), u32>::new();
			for block in 10..410 {
				System::reset_events();
				let looked_at = Challenges::start(&draw(block), &7, None).len();
				let devices: Vec<_> = opened().iter().map(|(_, device)| device.0).collect();
				// A quarter of sixteen places, without the owner's; picked twice counts once.
				assert!((1..=3).contains(&devices.len()) && looked_at == devices.len());
				for a in &devices {
					for b in devices.iter().filter(|b| a < *b) {
						*together.entry((*a, *b)).or_default() += 1;
					}
				}
				settle_open();
				Now::mutate(|now| *now += 2_000);
			}
			// Whichever two share a machine, they meet: in a draw of three places each pair is together with
			// 6/100 or a little less, some 23 times in 400 draws.
			assert_eq!(together.len(), 45, "{together:?}");
			assert!(together.values().all(|times| (8..45).contains(times)), "{together:?}");
		});
}

#[test]
fn owner_should_rest_after_it_worked() {
	ExtBuilder::default()
		.parameters(|p| {
			without_draws(p);
			p.max_load = Ppm::from_percent(10);
		})
		.build_and_execute(|| {
			put_device_of(provider(0), 1, DeviceStatus::Active);
			let opened_at = open_first_round(0).opened_at;
			settle(0, pass(4_000));
			let until = opened_at + 40_000;
			assert_eq!(Owners::<Test>::get(provider(0)).unwrap().rests_until, until);
			// Another device of the owner waits, too, however it is asked for.
			enrol(1);
			assert_eq!(Owners::<Test>::get(provider(0)).unwrap().queued, None);
			Now::set(until - 1);
			assert_eq!(Challenges::start(&draw(50), &provider(0), None).len(), 0);
			Now::set(until);
			assert_eq!(Challenges::start(&draw(51), &provider(0), None).len(), 2);
			assert!(round_of(0).is_some() && round_of(1).is_some());
			// A failed round gives no rest.
			settle(0, fail);
			assert_eq!(Owners::<Test>::get(provider(0)).unwrap().rests_until, until);
		});
}

#[test]
fn circuit_should_not_be_loaded_by_more_than_it_carries() {
	let started = |cap: u32, watts: [Option<u32>; 3]| {
		let mut count = 0;
		ExtBuilder::default()
			.devices(3)
			.parameters(without_draws)
			.build_and_execute(|| {
				PowerCap::set(MilliWatts(cap));
				for (device, watts) in (0..).zip(watts) {
					put_device_of(7, device, DeviceStatus::Active);
					if let Some(watts) = watts {
						let power = MilliWatts(watts);
						WallPower::mutate(|known| known.insert(DeviceId(device), power));
					}
				}
				enrol_all(3);
				run_blocks(1);
				count = Rounds::<Test>::iter().count();
			});
		count
	};
	// 80 % of the cap may be used.
	assert_eq!(started(1_000, [Some(400), Some(400), None]), 3);
	assert_eq!(started(1_000, [Some(401), Some(400), None]), 2);
	assert_eq!(started(999, [Some(400), Some(400), Some(400)]), 1);
	// One alone may always, and what is not known is not counted.
	assert_eq!(started(100, [Some(400), Some(400), Some(400)]), 1);
	assert_eq!(started(100, [None, None, None]), 3);
}

#[test]
fn draw_should_hit_owners_with_their_share() {
	ExtBuilder::default()
		.devices(12)
		.parameters(|p| {
			// Twelve owners at a half in twelve blocks: half an owner a block.
			p.round_interval_blocks = 12;
			p.score_max_age_millis = u64::MAX / 2;
		})
		.build_and_execute(|| {
			score_all(12);
			let mut hits = BTreeMap::<u32, u32>::new();
			for _ in 0..4_000 {
				for device in 0..12 {
					let share = if device < 6 { 500_000 } else { 250_000 };
					Challenges::change_owner(&provider(device), |owner| owner.share = Ppm(share));
				}
				System::reset_events();
				run_blocks(1);
				for (_, device) in opened() {
					*hits.entry(device.0).or_default() += 1;
				}
				settle_open();
			}
			// 4,000 blocks are 333 intervals: 167 hits with a standard deviation of 13, and 83 with 9.
			for (device, hits) in hits {
				let expected: u32 = if device < 6 { 167 } else { 83 };
				assert!(hits.abs_diff(expected) < 60, "{device}: {hits}, not {expected}");
			}
		});
}

#[test]
fn picks_should_be_the_fraction_on_average() {
	ExtBuilder::default()
		.devices(3)
		.parameters(|p| p.round_interval_blocks = 4)
		.build_and_execute(|| {
			enrol_all(3);
			let total: u32 = (10..2_010).map(|block| Challenges::picks(&draw(block))).sum();
			// 3 owners at a half in 4 blocks: 3/8 a block, 750 in all, standard deviation 22.
			assert!(total.abs_diff(750) < 110, "{total}");
		});
	// A whole number needs no lot.
	ExtBuilder::default()
		.devices(4)
		.parameters(|p| p.round_interval_blocks = 1)
		.build_and_execute(|| {
			enrol_all(4);
			assert!((10..50).all(|block| Challenges::picks(&draw(block)) == 2));
		});
}

#[test]
fn draw_should_go_by_the_devices_state() {
	use DeviceStatus::*;
	for (status, drawn, asked) in [
		(Registered, false, false),
		(Attested, true, true),
		(Active, true, true),
		(Suspect, true, true),
		(Draining, true, true),
		(Standby, false, true),
		(Offline, false, false),
	] {
		for (cause, hit) in [(None, drawn), (Some(DeviceId(0)), asked)] {
			ExtBuilder::default()
				.devices(1)
				.parameters(without_draws)
				.build_and_execute(|| {
					score_all(1);
					set_status(0, status);
					Challenges::start(&draw(50), &provider(0), cause);
					assert_eq!(round_of(0).is_some(), hit, "{status:?} {cause:?}");
					assert!(Enrolments::<Test>::contains_key(DeviceId(0)));
				});
		}
	}
}

#[test]
fn standby_device_should_be_left_alone_when_another_one_asks() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		put_device_of(provider(0), 1, DeviceStatus::Active);
		enrol_all(2);
		set_status(0, DeviceStatus::Standby);
		set_status(1, DeviceStatus::Standby);
		Challenges::start(&draw(50), &provider(0), Some(DeviceId(1)));
		assert!(round_of(0).is_none() && round_of(1).is_some());
	});
}

#[test]
fn device_should_have_one_open_round_only() {
	ExtBuilder::default()
		.devices(1)
		.parameters(without_draws)
		.build_and_execute(|| {
			open_first_round(0);
			assert!(Challenges::start(&draw(50), &provider(0), None).is_empty());
			assert_eq!(opened().len(), 1);
		});
}

#[test]
fn draws_should_leave_room_for_the_largest_request() {
	ExtBuilder::default()
		.devices(40)
		.parameters(|p| {
			p.round_interval_blocks = 1;
			p.max_share = Ppm::ONE;
		})
		.build_and_execute(|| {
			// As many owners as a block is full of are drawn in each block, with three devices each.
			for device in 0..30 {
				put_device_of(100 + u64::from(device / 3), device, DeviceStatus::Active);
			}
			score_all(30);
			// At the front of the queue is one with three devices, too.
			for device in 30..33 {
				put_device_of(7, device, DeviceStatus::Active);
				enrol(device);
			}
			(33..40).for_each(enrol);
			System::reset_events();
			run_blocks(1);
			let new: Vec<_> = opened().into_iter().filter(|(_, d)| d.0 >= 30).collect();
			let old = opened().len() - new.len();
			assert!(old >= 6, "{old} drawn");
			assert_eq!(new.iter().filter(|(_, device)| device.0 < 33).count(), 3, "{new:?}");
			assert!(opened().len() <= 16);
			for _ in 0..20 {
				settle_open();
				run_blocks(1);
			}
			assert_eq!(QueueEnds::<Test>::get().head, QueueEnds::<Test>::get().tail);
		});
}

#[test]
fn device_that_was_asked_for_should_be_among_those_that_start() {
	ExtBuilder::default()
		.devices(30)
		.parameters(without_draws)
		.build_and_execute(|| {
			for device in 0..30 {
				put_device_of(7, device, DeviceStatus::Active);
				enrol(device);
			}
			for device in [29, 3, 17] {
				let before = NextRound::<Test>::get();
				let visits =
					Challenges::start(&draw(50 + u64::from(device)), &7, Some(DeviceId(device)));
				assert!(visits.len() <= 3 && round_of(device).is_some());
				assert_eq!(Rounds::<Test>::get(before).unwrap().task.device, DeviceId(device));
				settle_open();
				Now::mutate(|now| *now += 2_000);
			}
		});
}

#[test]
fn circuit_should_carry_accelerators_that_multiply_together() {
	let started = |lanes, accelerator: Option<u32>| {
		let mut count = 0;
		ExtBuilder::default()
			.devices(2)
			.parameters(without_draws)
			.build_and_execute(|| {
				PowerCap::set(MilliWatts(1_000));
				for device in 0..2 {
					put_device_of(7, device, DeviceStatus::Active);
					enrol(device);
					let offer = AcceleratorOffer { memory_mib: 1, side: 128 };
					let who = RuntimeOrigin::signed(OPERATOR);
					assert_ok!(Challenges::offer_accelerator(who, DeviceId(device), Some(offer)));
					WallPower::mutate(|known| known.insert(DeviceId(device), MilliWatts(lanes)));
					if let Some(watts) = accelerator {
						let power = MilliWatts(watts);
						AcceleratorPower::mutate(|known| known.insert(DeviceId(device), power));
					}
				}
				Params::<Test>::mutate(|parameters| parameters.gemm_part = Ppm::ONE);
				Challenges::start(&draw(50), &7, None);
				let is_gemm = |round: &RoundOf<Test>| round.task.work.kind() == WorkKind::Gemm;
				count = Rounds::<Test>::iter_values().filter(is_gemm).count();
			});
		count
	};
	assert_eq!(started(100, Some(400)), 2);
	assert_eq!(started(100, Some(401)), 1);
	assert_eq!(started(500, Some(400)), 2);
	// What it draws under products is not known before the first round.
	assert_eq!(started(400, None), 2);
	assert_eq!(started(401, None), 1);
}

#[test]
fn devices_should_take_turns_where_a_circuit_carries_one() {
	ExtBuilder::default()
		.devices(3)
		.parameters(without_draws)
		.build_and_execute(|| {
			PowerCap::set(MilliWatts(999));
			for device in 0..3 {
				put_device_of(7, device, DeviceStatus::Active);
				WallPower::mutate(|known| known.insert(DeviceId(device), MilliWatts(400)));
				enrol(device);
			}
			let mut started = BTreeSet::new();
			for block in 50..80 {
				Challenges::start(&draw(block), &7, None);
				let open: Vec<_> = OpenRounds::<Test>::iter_keys().collect();
				assert_eq!(open.len(), 1);
				started.extend(open.clone());
				// What works already counts: nothing starts beside it.
				Challenges::start(&draw(block + 1_000), &7, None);
				assert_eq!(OpenRounds::<Test>::iter_keys().collect::<Vec<_>>(), open);
				settle_open();
				Now::mutate(|now| *now += 2_000);
			}
			assert_eq!(started.len(), 3);
		});
}

#[test]
fn requests_should_wait_while_there_are_too_few_verifiers() {
	ExtBuilder::default()
		.verifiers(2)
		.parameters(without_draws)
		.build_and_execute(|| {
			enrol_all(2);
			run_blocks(3);
			assert!(opened().is_empty());
			assert_eq!(QueueEnds::<Test>::get().tail - QueueEnds::<Test>::get().head, 2);
			assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(3), address(3)));
			run_blocks(1);
			assert_eq!(opened().len(), 2);
		});
}

#[test]
fn as_much_should_be_set_aside_as_draws_may_take() {
	let each = <()>::open_round().max(<()>::visit_owner());
	let set_aside = |places: u64| <()>::draw_base().saturating_add(each.saturating_mul(places));
	ExtBuilder::default()
		.devices(9)
		.parameters(without_draws)
		.build_and_execute(|| {
			// A group of three with its owner takes four places of sixteen.
			assert_eq!(Challenges::largest_group(), 3);
			assert_eq!(Challenges::on_initialize(2), set_aside(0));
			Challenges::on_finalize(2);
			enrol_all(1);
			// A place by lot, and a request.
			assert_eq!(Challenges::on_initialize(3), set_aside(8));
			assert_eq!(SetAside::<Test>::get(), 8);
			Challenges::on_finalize(3);
			assert!(!SetAside::<Test>::exists());
			assert_eq!(opened().len(), 1);
			for device in 1..9 {
				assert_ok!(Challenges::enrol_device(
					RuntimeOrigin::signed(OPERATOR),
					DeviceId(device)
				));
			}
			assert_eq!(Challenges::on_initialize(4), set_aside(16));
		});
}

#[test]
fn what_comes_after_the_start_of_a_block_should_wait_for_the_next() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		Challenges::on_initialize(2);
		enrol_all(2);
		Challenges::on_finalize(2);
		assert!(opened().is_empty());
		run_to(3);
		assert_eq!(opened().len(), 2);
	});
}

#[test]
fn randomness_should_count_that_is_there_when_the_block_ends() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		enrol_all(1);
		let seed_with = |entropy| {
			frame_support::storage::with_transaction(|| {
				Challenges::on_initialize(2);
				// Nobody knows it before.
				Entropy::set(entropy);
				Challenges::on_finalize(2);
				let seed = round_of(0).expect("opened").task.seed;
				sp_runtime::TransactionOutcome::Rollback(Ok::<_, sp_runtime::DispatchError>(seed))
			})
		};
		assert_ne!(seed_with(1), seed_with(2));
		assert_eq!(seed_with(1), seed_with(1));
	});
}
