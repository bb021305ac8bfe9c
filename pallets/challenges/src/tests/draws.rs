use crate::{mock::*, *};
use armature_primitives::{
	challenge::CpuChallenge, device::DeviceStatus, DeviceId, Ppm, RoundId, H256,
};
use codec::Encode;
use frame_support::{assert_ok, traits::Hooks};
use std::collections::BTreeSet;

fn enrol_all(devices: u32) {
	for device in 0..devices {
		assert_ok!(Challenges::enrol_device(
			RuntimeOrigin::signed(provider(device)),
			DeviceId(device)
		));
	}
}

/// Enrols devices, runs their first rounds and gives them scores.
fn score_all(devices: u32) {
	enrol_all(devices);
	while (0..devices).any(|device| !Performances::<Test>::contains_key(DeviceId(device))) {
		run_blocks(1);
		for device in 0..devices {
			if round_of(device).is_some() {
				settle(device, passed(1_000, 80));
			}
		}
	}
}

fn opened() -> Vec<(RoundId, DeviceId)> {
	events()
		.into_iter()
		.filter_map(|event| match event {
			Event::RoundOpened { round, device, .. } => Some((round, device)),
			_ => None,
		})
		.collect()
}

#[test]
fn round_should_be_what_the_parameters_and_the_device_say() {
	ExtBuilder::default().build_and_execute(|| {
		let before = Now::get();
		let round = open_first_round(1);
		let block = System::block_number();
		assert_eq!(round.opened_at, before);
		assert_eq!(round.task.round, RoundId(0));
		assert_eq!(round.task.device, DeviceId(1));
		assert_eq!(round.task.deadline, before + WINDOW);
		assert_eq!(round.task.cpu, CpuChallenge { lanes: 5, segments: 8, steps_per_segment: 100 });
		let subject = (b"armature/challenge", System::parent_hash()).encode();
		let randomness = sp_io::hashing::blake2_256(&(subject, 0u64, block).encode());
		let mut input = b"chl1".to_vec();
		input.extend_from_slice(&randomness);
		input.extend_from_slice(&block.encode());
		input.extend_from_slice(&1u32.to_le_bytes());
		input.extend_from_slice(&0u64.to_le_bytes());
		assert_eq!(round.task.seed, H256(sp_io::hashing::blake2_256(&input)));

		let verifiers: Vec<_> = round.seats.iter().map(|seat| seat.verifier).collect();
		assert_eq!(verifiers.len(), 3);
		for who in &verifiers {
			assert_eq!(Challenges::open_rounds_of_verifier(*who), vec![round.task]);
		}
		assert_eq!(
			last_event(),
			Event::RoundOpened {
				round: RoundId(0),
				device: DeviceId(1),
				seed: round.task.seed,
				verifiers,
				deadline: before + WINDOW,
			}
		);
	});
}

#[test]
fn seed_should_differ_by_device_round_and_block() {
	ExtBuilder::default().devices(4).build_and_execute(|| {
		enrol_all(4);
		run_blocks(1);
		let seeds: BTreeSet<_> = Rounds::<Test>::iter().map(|(_, r)| r.task.seed).collect();
		assert_eq!(seeds.len(), 4);
	});
	// The same round of the same device under other randomness.
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
		let key = armature_primitives::ed25519::Public::from_raw([9; 32]);
		put_device_with(DeviceId(0), provider(0), DeviceStatus::Active, u16::MAX, key);
		put_device_with(DeviceId(1), provider(1), DeviceStatus::Active, 0, key);
		assert_eq!(open_first_round(0).task.cpu.lanes, 1_024);
		assert_eq!(open_first_round(1).task.cpu.lanes, 1);
	});
}

#[test]
fn committee_should_leave_out_the_devices_own_people() {
	ExtBuilder::default().devices(1).verifiers(3).build_and_execute(|| {
		let key = armature_primitives::ed25519::Public::from_raw([9; 32]);
		// Verifier 2 owns the device, verifier 3 operates it.
		put_device_with(DeviceId(0), 2, DeviceStatus::Active, 4, key);
		DeviceTable::mutate(|table| table.get_mut(&DeviceId(0)).unwrap().1 = Some(3));
		assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(2), DeviceId(0)));
		run_blocks(1);
		let seated: Vec<_> = round_of(0).unwrap().seats.iter().map(|seat| seat.verifier).collect();
		assert_eq!(seated, vec![1]);
	});
}

#[test]
fn lack_of_verifiers_should_be_said_once_per_interval() {
	ExtBuilder::default().devices(1).verifiers(0).build_and_execute(|| {
		enrol_all(1);
		let said = || events().iter().filter(|e| **e == Event::NoVerifiers).count();
		run_to(6);
		assert_eq!(said(), 1);
		run_to(7);
		assert_eq!(said(), 2);
		assert!(Enrolments::<Test>::get(DeviceId(0)).unwrap().queued);
		// The request has waited.
		assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(1), address(1)));
		run_to(8);
		assert!(round_of(0).is_some());
	});
	// A verifier that may not judge this device is none.
	ExtBuilder::default().devices(1).verifiers(1).build_and_execute(|| {
		DeviceTable::mutate(|table| table.get_mut(&DeviceId(0)).unwrap().1 = Some(1));
		enrol_all(1);
		run_blocks(1);
		assert_eq!(last_event(), Event::NoVerifiers);
		assert!(round_of(0).is_none());
		assert!(!Enrolments::<Test>::get(DeviceId(0)).unwrap().queued);
	});
}

#[test]
fn nothing_should_be_drawn_before_the_first_timestamp() {
	ExtBuilder::default().build_and_execute(|| {
		enrol_all(2);
		Now::set(0);
		Challenges::on_initialize(5);
		assert_eq!(Rounds::<Test>::iter().count(), 0);
	});
}

#[test]
fn block_should_look_at_no_more_devices_than_it_may() {
	ExtBuilder::default().devices(11).build_and_execute(|| {
		enrol_all(11);
		run_to(2);
		assert_eq!(opened().len(), 4);
		// First come, first served.
		let devices: Vec<_> = opened().iter().map(|(_, device)| device.0).collect();
		assert_eq!(devices, vec![0, 1, 2, 3]);
		run_to(3);
		assert_eq!(opened().len(), 8);
		run_to(4);
		assert_eq!(opened().len(), 11);
	});
}

#[test]
fn draw_should_pass_every_device_once_per_interval() {
	ExtBuilder::default()
		.devices(10)
		.parameters(|p| p.challenge_share = Ppm::ONE)
		.build_and_execute(|| {
			score_all(10);
			let start = System::block_number().next_multiple_of(5);
			run_to(start - 1);
			System::reset_events();
			// Four devices a block: three blocks for ten.
			run_to(start);
			assert_eq!(opened().len(), 4);
			run_to(start + 2);
			assert!(!CurrentDraw::<Test>::exists());
			run_to(start + 4);
			let devices: BTreeSet<_> = opened().into_iter().map(|(_, device)| device).collect();
			assert_eq!((opened().len(), devices.len()), (10, 10));
		});
}

#[test]
fn draw_should_hit_the_stated_share_of_scored_devices() {
	ExtBuilder::default()
		.devices(40)
		.parameters(|p| {
			p.challenge_share = Ppm(250_000);
			p.round_interval_blocks = 1;
			p.score_max_age_millis = u64::MAX / 2;
		})
		.build_and_execute(|| {
			score_all(40);
			System::reset_events();
			let mut draws = 0usize;
			for _ in 0..1_000 {
				run_blocks(1);
				draws += usize::from(!CurrentDraw::<Test>::exists());
				for device in 0..40 {
					if round_of(device).is_some() {
						settle(device, passed(1_000, 80));
					}
				}
			}
			// A draw over 40 takes ten blocks of four devices and one that finds the end. A
			// quarter of some 3,600 visits is 900, with a standard deviation of 26.
			assert!((89..=91).contains(&draws), "{draws}");
			let (drawn, expected) = (opened().len(), draws * 10);
			assert!(drawn.abs_diff(expected) <= 130, "{drawn}, not {expected}");
		});
}

#[test]
fn draw_should_go_by_the_devices_state() {
	use DeviceStatus::*;
	for (status, hit) in [
		(Registered, false),
		(Attested, true),
		(Active, true),
		(Suspect, true),
		(Draining, true),
		(Standby, false),
		(Offline, false),
	] {
		ExtBuilder::default()
			.devices(1)
			.parameters(|p| p.challenge_share = Ppm::ONE)
			.build_and_execute(|| {
				score_all(1);
				set_status(0, status);
				run_to(5);
				assert_eq!(round_of(0).is_some(), hit, "{status:?}");
				assert!(Enrolments::<Test>::contains_key(DeviceId(0)));
			});
	}
}

#[test]
fn draw_should_always_hit_a_device_whose_score_ran_out() {
	let drawn_after = |failed: bool| {
		let mut hit = false;
		ExtBuilder::default()
			.devices(1)
			.parameters(|p| p.challenge_share = Ppm(1))
			.build_and_execute(|| {
				open_first_round(0);
				settle(0, if failed { FAILED } else { passed(1_000, 80) });
				Now::mutate(|now| *now += MAX_AGE + 1);
				run_to(5);
				hit = round_of(0).is_some();
			});
		hit
	};
	assert!(drawn_after(false));
	// After a failure chance or the operator decides.
	assert!(!drawn_after(true));
}

#[test]
fn device_should_have_one_open_round_only() {
	ExtBuilder::default()
		.devices(1)
		.parameters(|p| p.challenge_share = Ppm::ONE)
		.build_and_execute(|| {
			open_first_round(0);
			run_to(15);
			assert_eq!(opened().len(), 1);
		});
}

#[test]
fn requests_should_leave_room_for_a_running_draw() {
	ExtBuilder::default()
		.devices(30)
		.parameters(|p| p.challenge_share = Ppm::ONE)
		.build_and_execute(|| {
			score_all(2);
			run_to(System::block_number().next_multiple_of(5) + 4);
			for device in 0..2 {
				if round_of(device).is_some() {
					settle(device, passed(1_000, 80));
				}
			}
			for device in 2..30 {
				assert_ok!(Challenges::enrol_device(
					RuntimeOrigin::signed(provider(device)),
					DeviceId(device)
				));
			}
			System::reset_events();
			run_blocks(1);
			assert!(CurrentDraw::<Test>::exists());
			let requested = opened().iter().filter(|(_, device)| device.0 >= 2).count();
			assert!(requested >= 2);
			assert_eq!(QueueEnds::<Test>::get().tail - QueueEnds::<Test>::get().head, 26);
		});
}

#[test]
fn hook_should_report_weight_for_what_it_did() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(Challenges::on_initialize(2), <()>::draw_base());
		enrol_all(2);
		assert_eq!(
			Challenges::on_initialize(3),
			<()>::draw_base().saturating_add(<()>::open_round().saturating_mul(2))
		);
	});
}
