use crate::{mock::*, Error, Event, Outage, Outages};
use armature_primitives::{traits::AvailabilityInspect, DeviceId, Ppm};
use frame_support::{assert_noop, assert_ok, weights::Weight};

fn outages() -> Vec<(u64, u64)> {
	Outages::<Test>::get()
		.into_iter()
		.map(|Outage { from, to }| (from, to))
		.collect()
}

#[test]
fn outage_should_be_recorded_only_above_the_limit() {
	ExtBuilder::default().build_and_execute(|| {
		let start = Now::get();
		stall_until(start + 1_500);
		assert_eq!(outages(), vec![]);
		stall_until(start + 3_001);
		assert_eq!(outages(), vec![(start + 1_500, start + 3_001)]);
		System::assert_last_event(
			Event::OutageRecorded { from: start + 1_500, to: start + 3_001 }.into(),
		);
	});
}

#[test]
fn outages_should_merge_when_one_block_lies_between_and_forget_the_oldest() {
	ExtBuilder::default().build_and_execute(|| {
		let start = Now::get();
		stall_until(start + 2_000);
		stall_until(start + 4_000);
		assert_eq!(outages(), vec![(start, start + 4_000)]);
		for n in 1..=4u64 {
			run_until(start + n * 10_000);
			stall_until(start + n * 10_000 + 5_000);
		}
		let kept: Vec<_> =
			(1..=4).map(|n| (start + n * 10_000, start + n * 10_000 + 5_000)).collect();
		assert_eq!(outages(), kept);
	});
}

#[test]
fn clock_should_be_ignored_when_unset_or_stepping_back() {
	ExtBuilder::default().build_and_execute(|| {
		let start = Now::get();
		stall_until(0);
		stall_until(start - 10);
		stall_until(start + 10);
		assert_eq!(outages(), vec![]);
	});
}

#[test]
fn amnestied_slots_should_count_neither_up_nor_down() {
	ExtBuilder::default().build_and_execute(|| {
		// GIVEN an outage over the slots 20 to 39 of an epoch.
		run_until(start_of(0) + 20 * SLOT);
		stall_until(start_of(0) + 40 * SLOT);
		run_until(start_of(1));
		// WHEN one device proves the first 20 slots, and another one the first 30.
		assert_ok!(submit(leaf(1, 0, 20)));
		assert_ok!(submit(leaf(2, 0, 30)));
		// THEN both proved 20 of 40.
		for device in [1, 2] {
			assert_eq!(Uptime::availability_of(DeviceId(device)), Some(Ppm(500_000)));
			assert_eq!(record(device).proved, 20);
		}
	});
}

#[test]
fn score_should_start_later_when_the_first_epoch_fell_into_an_outage() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		stall_until(start_of(2));
		assert_ok!(submit(leaf(1, 1, 30)));
		assert_eq!(Uptime::availability_of(DeviceId(1)), None);
		assert!(!Uptime::is_fresh(DeviceId(1), Now::get()));
		run_until(start_of(3));
		assert_ok!(submit(leaf(1, 2, 60)));
		assert_eq!(Uptime::availability_of(DeviceId(1)), Some(Ppm::ONE));
	});
}

#[test]
fn outage_should_not_count_as_missed_epochs() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		assert_ok!(submit(leaf(1, 0, 60)));
		stall_until(start_of(5_000));
		let at = |offset| Uptime::availability(DeviceId(1), start_of(offset));
		assert_eq!(at(5_000), Some(Ppm::ONE));
		assert!(Uptime::is_fresh(DeviceId(1), start_of(5_001)));
		// Time goes on where it stopped: epochs 5,000 and 5,001 are still open.
		assert_eq!(at(5_002), Some(Ppm::ONE));
		assert!(at(5_003) < Some(Ppm::ONE));
		run_until(start_of(5_001));
		assert_ok!(submit(leaf(1, 5_000, 60)));
		assert_eq!(at(5_001), Some(Ppm::ONE));
	});
}

#[test]
fn catch_up_should_reach_back_over_an_outage() {
	ExtBuilder::default().build_and_execute(|| {
		// GIVEN a chain that stops when an epoch ended, before its leaf was sent.
		run_until(start_of(1));
		stall_until(start_of(100));
		// THEN its time limit is as long as ever.
		run_until(start_of(102) - 1);
		assert_ok!(submit(leaf(1, 0, 60)));
		run_until(start_of(102));
		assert_noop!(submit(leaf(2, 0, 60)), Error::<Test>::LeafTooLate);
	});
}

#[test]
fn open_gap_should_count_as_outage_in_the_first_block_after_it() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(1));
		// The first block after the gap runs its transactions before the gap is recorded.
		Now::set(start_of(50));
		assert_eq!(outages(), vec![]);
		assert_ok!(submit(leaf(1, 0, 60)));
		assert_eq!(Uptime::availability_of(DeviceId(1)), Some(Ppm::ONE));
		told();
		block_at(start_of(50), Weight::MAX);
		assert_eq!(told(), vec![]);
		assert_eq!(outages(), vec![(start_of(1), start_of(50))]);
		assert_eq!(Uptime::availability_of(DeviceId(1)), Some(Ppm::ONE));
	});
}
