use crate::{impls::energy_of, mock::*, Error, Event, Records};
use armature_primitives::{
	device::DeviceStatus,
	signing::{device_payload, Domain},
	telemetry::SLOT_MASK,
	traits::AvailabilityInspect,
	DeviceId, EpochIndex, MilliWattHours, MilliWatts, Ppm, H256,
};
use frame_support::{assert_noop, assert_ok};
use sp_core::Pair;
use sp_runtime::DispatchError;

const DEVICE: DeviceId = DeviceId(1);

fn availability() -> Option<Ppm> {
	Uptime::availability_of(DEVICE)
}

#[test]
fn first_leaf_should_count_from_its_first_proven_slot() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		// Joined in slot 40, then missed five.
		let mut joined = leaf(1, 0, 0);
		joined.slots = (((1 << 20) - 1) << 40) & !(0b11111 << 50);
		assert_ok!(submit(joined));
		assert_eq!(availability(), Some(Ppm(750_000)));

		// From the second leaf on, every slot counts.
		run_until(start_of(2));
		let mut late = leaf(1, 1, 0);
		late.slots = ((1 << 20) - 1) << 40;
		assert_ok!(submit(late));
		assert!(availability() < Some(Ppm(750_000)));
	});
}

#[test]
fn submit_leaf_should_create_a_record() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		assert_eq!(availability(), None);
		assert_ok!(submit(leaf(1, 0, 45)));

		let record = record(1);
		assert_eq!(record.last.epoch, EpochIndex(START));
		assert_eq!((record.last.start, record.last.end()), (start_of(0), start_of(1)));
		assert_eq!(record.previous, None);
		assert_eq!((record.proved, record.alive_until), (45, start_of(1)));
		assert_eq!(record.summary, leaf(1, 0, 45).summary);
		assert_eq!(record.beat_head, H256::repeat_byte(45));
		assert_eq!(record.telemetry_digest, H256::repeat_byte(0));
		assert_eq!(availability(), Some(Ppm(750_000)));
		assert_eq!(told(), vec![Told::Alive(DEVICE)]);
		// 120 W for 45 slots of 100 ms are 0.15 mWh.
		assert_eq!(EnergyLog::get(), vec![(DEVICE, MilliWattHours(150), start_of(0))]);
		System::assert_last_event(
			Event::LeafAccepted {
				device: DEVICE,
				epoch: EpochIndex(START),
				up_slots: 45,
				availability: Some(Ppm(750_000)),
			}
			.into(),
		);
	});
}

#[test]
fn submit_leaf_should_keep_the_last_two_epochs() {
	ExtBuilder::default().build_and_execute(|| {
		for offset in 0..3 {
			run_until(start_of(offset + 1));
			assert_ok!(submit(leaf(1, offset, 10 + offset as u32)));
		}
		let record = record(1);
		assert_eq!(record.last.slots.count_ones(), 12);
		assert_eq!(record.previous.map(|p| p.slots.count_ones()), Some(11));
		assert_eq!(record.proved, 33);
		assert_eq!(Uptime::proved_slots(DEVICE, 0, u64::MAX), 23);
		assert_eq!(Uptime::proved_slots(DEVICE, start_of(2), start_of(3)), 12);
		assert_eq!(Uptime::proved_slots(DEVICE, start_of(2) + 1, start_of(2) + 5 * SLOT), 4);
		assert_eq!(Uptime::proved_slots(DeviceId(2), 0, u64::MAX), 0);
	});
}

#[test]
fn submit_leaf_should_be_open_to_the_operator_only() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		let leaf = leaf(1, 0, 60);
		let signature = sign(&leaf);
		assert_noop!(
			Uptime::submit_leaf(RuntimeOrigin::signed(2), leaf.clone(), signature),
			Error::<Test>::NotOperator
		);
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			assert_noop!(
				Uptime::submit_leaf(origin, leaf.clone(), signature),
				DispatchError::BadOrigin
			);
		}
		assert_ok!(Uptime::submit_leaf(RuntimeOrigin::signed(OPERATOR), leaf, signature));
	});
}

#[test]
fn submit_leaf_should_fail_when_the_device_is_unknown_or_retired() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		assert_noop!(submit(leaf(3, 0, 60)), Error::<Test>::DeviceNotFound);
		Fleet::mutate(|fleet| fleet.get_mut(&DEVICE).unwrap().status = DeviceStatus::Retired);
		assert_noop!(submit(leaf(1, 0, 60)), Error::<Test>::DeviceRetired);
	});
}

#[test]
fn submit_leaf_should_check_the_bitmap_and_the_summary() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		let mut bad = leaf(1, 0, 60);
		bad.slots |= SLOT_MASK + 1;
		assert_noop!(submit(bad), Error::<Test>::BadSlotBitmap);
		let mut bad = leaf(1, 0, 60);
		bad.summary.mean_load = Ppm(1_000_001);
		assert_noop!(submit(bad), Error::<Test>::BadSummary);
		let mut bad = leaf(1, 0, 60);
		bad.summary.max_memory = Ppm(1_000_001);
		assert_noop!(submit(bad), Error::<Test>::BadSummary);
		let mut good = leaf(1, 0, 60);
		assert_eq!(good.slots, SLOT_MASK);
		good.summary.mean_load = Ppm::ONE;
		good.summary.max_memory = Ppm::ONE;
		assert_ok!(submit(good));
	});
}

#[test]
fn submit_leaf_should_fail_when_signed_for_anything_else() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		let (leaf, origin) = (leaf(1, 0, 60), RuntimeOrigin::signed(PROVIDER));
		let other = H256::repeat_byte(1);
		let payloads = [
			device_payload(Domain::Beat, &genesis(), DEVICE, &leaf),
			device_payload(Domain::Leaf, &other, DEVICE, &leaf),
			device_payload(Domain::Leaf, &genesis(), DeviceId(2), &leaf),
			device_payload(Domain::Leaf, &genesis(), DEVICE, &altered(&leaf)),
		];
		for payload in payloads {
			let signature = pair(DEVICE).sign(&payload);
			assert_noop!(
				Uptime::submit_leaf(origin.clone(), leaf.clone(), signature),
				Error::<Test>::BadSignature
			);
		}
		let payload = device_payload(Domain::Leaf, &genesis(), DEVICE, &leaf);
		let signature = pair(DeviceId(2)).sign(&payload);
		assert_noop!(
			Uptime::submit_leaf(origin.clone(), leaf.clone(), signature),
			Error::<Test>::BadSignature
		);
		let signature = pair(DEVICE).sign(&payload);
		assert_ok!(Uptime::submit_leaf(origin, leaf, signature));
	});
}

fn altered(leaf: &armature_primitives::telemetry::Leaf) -> armature_primitives::telemetry::Leaf {
	let mut altered = leaf.clone();
	altered.slots ^= 1;
	altered
}

#[test]
fn submit_leaf_should_open_at_the_end_of_the_epoch_less_the_skew() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1) - 251);
		assert_noop!(submit(leaf(1, 0, 60)), Error::<Test>::LeafFromTheFuture);
		run_until(start_of(1) - 250);
		assert_ok!(submit(leaf(1, 0, 60)));
		let mut far = leaf(1, 0, 60);
		far.epoch = EpochIndex(u64::MAX);
		assert_noop!(submit(far), Error::<Test>::LeafFromTheFuture);
	});
}

#[test]
fn submit_leaf_should_close_after_the_catch_up_epochs() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(3) - 1);
		assert_ok!(submit(leaf(1, 0, 60)));
		run_until(start_of(3));
		assert_noop!(submit(leaf(2, 0, 60)), Error::<Test>::LeafTooLate);
		assert_ok!(submit(leaf(2, 1, 60)));
	});
}

#[test]
fn submit_leaf_should_fail_when_the_epoch_is_not_after_the_last_one() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(2));
		assert_ok!(submit(leaf(1, 1, 60)));
		assert_noop!(submit(leaf(1, 1, 60)), Error::<Test>::LeafReplayed);
		assert_noop!(submit(leaf(1, 1, 59)), Error::<Test>::LeafReplayed);
		assert_noop!(submit(leaf(1, 0, 60)), Error::<Test>::LeafReplayed);
		// The other device is not concerned.
		assert_ok!(submit(leaf(2, 0, 60)));
		assert_ok!(submit(leaf(2, 1, 60)));
	});
}

#[test]
fn submit_leaf_should_apply_the_epochs_between() {
	ExtBuilder::default().build_and_execute(|| {
		use armature_health::{Availability, Fraction};
		run_until(start_of(1));
		assert_ok!(submit(leaf(1, 0, 60)));
		run_until(start_of(2_001));
		assert_ok!(submit(leaf(1, 2_000, 30)));

		let mut expected = Availability::new(Fraction::ONE);
		let params = test_parameters().availability();
		expected.miss(1_999, params);
		expected.observe(Fraction::from_ratio(1, 2).unwrap(), params);
		assert_eq!(record(1).availability, Some(expected));
		// 2,000 epochs of 6 s are 0.139 days.
		assert!(expected.score() < Ppm(909_000) && expected.score() > Ppm(907_000));
	});
}

#[test]
fn empty_leaf_should_lower_the_score_without_a_sign_of_life() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		assert_ok!(submit(leaf(1, 0, 60)));
		told();
		EnergyLog::take();
		run_until(start_of(2));
		assert_ok!(submit(leaf(1, 1, 0)));
		assert!(availability() < Some(Ppm::ONE));
		assert_eq!(told(), vec![]);
		assert_eq!(EnergyLog::get(), vec![]);
		let record = record(1);
		assert_eq!((record.proved, record.alive_until), (60, start_of(1)));
	});
}

#[test]
fn device_that_only_sent_empty_leaves_should_never_be_fresh() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		assert_ok!(submit(leaf(1, 0, 0)));
		assert_eq!(availability(), Some(Ppm(0)));
		assert!(!Uptime::is_fresh(DEVICE, start_of(1)));
		assert!(!Uptime::is_fresh(DeviceId(2), start_of(1)));
	});
}

#[test]
fn is_fresh_should_last_for_two_full_epochs() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		assert_ok!(submit(leaf(1, 0, 1)));
		assert!(Uptime::is_fresh(DEVICE, start_of(1)));
		assert!(Uptime::is_fresh(DEVICE, start_of(3) - 1));
		assert!(!Uptime::is_fresh(DEVICE, start_of(3)));
	});
}

#[test]
fn availability_should_decay_only_by_epochs_that_can_no_longer_be_proven() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		assert_ok!(submit(leaf(1, 0, 60)));
		let at = |offset| Uptime::availability(DEVICE, start_of(offset));
		// Epoch START + 1 can be proven until START + 4 begins.
		assert_eq!(Uptime::availability(DEVICE, start_of(4) - 1), Some(Ppm::ONE));
		assert!(at(4) < Some(Ppm::ONE));
		// Half of it is gone after a day of epochs that count.
		let day = 86_400_000 / EPOCH;
		assert_eq!(at(1 + 2 + day), Some(Ppm(500_000)));
		assert_eq!(at(u64::MAX / EPOCH - START), Some(Ppm(0)));
		// Reading changed nothing.
		assert_eq!(at(1), Some(Ppm::ONE));
		assert_eq!(Uptime::availability(DEVICE, 0), Some(Ppm::ONE));
	});
}

#[test]
fn energy_should_be_rounded_up_and_never_overflow() {
	assert_eq!(energy_of(MilliWatts(0), Ppm::ONE, 60, 10_000), MilliWattHours(0));
	assert_eq!(energy_of(MilliWatts(1), Ppm::ONE, 1, 1), MilliWattHours(1));
	// 300 W for ten minutes.
	assert_eq!(energy_of(MilliWatts(300_000), Ppm::ONE, 60, 10_000), MilliWattHours(50_000));
	assert_eq!(energy_of(MilliWatts(300_000), Ppm::ONE, 30, 10_000), MilliWattHours(25_000));
	assert_eq!(energy_of(MilliWatts(300_000), Ppm(1_100_000), 30, 10_000), MilliWattHours(27_500));
	assert_eq!(energy_of(MilliWatts(u32::MAX), Ppm::ONE, 60, u64::MAX), MilliWattHours(u64::MAX));
}

#[test]
fn records_should_not_be_created_by_refused_leaves() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(submit(leaf(1, 0, 60)), Error::<Test>::LeafFromTheFuture);
		assert_eq!(Records::<Test>::iter().count(), 0);
		assert_eq!(told(), vec![]);
	});
}
