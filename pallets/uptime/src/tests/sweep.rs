use crate::{mock::*, Records, SweepCursor, WeightInfo};
use armature_primitives::DeviceId;
use frame_support::{assert_ok, traits::Hooks, weights::Weight};

/// Runs a sweep with all the weight it wants and returns what the life cycle was told.
fn swept() -> Vec<Told> {
	told();
	let n = System::block_number();
	Uptime::on_idle(n, Weight::MAX);
	told()
}

fn prove_all(devices: u32) {
	run_until(start_of(1));
	for device in 1..=devices {
		assert_ok!(submit(leaf(device, 0, 60)));
	}
}

#[test]
fn sweep_should_tell_of_silence_at_the_thresholds() {
	ExtBuilder::default().devices(1).build_and_execute(|| {
		prove_all(1);
		run_until(start_of(4) - 1);
		assert_eq!(swept(), vec![]);
		run_until(start_of(4));
		assert_eq!(swept(), vec![Told::Suspect(DeviceId(1))]);
		run_until(start_of(8) - 1);
		assert_eq!(swept(), vec![Told::Suspect(DeviceId(1))]);
		run_until(start_of(8));
		assert_eq!(swept(), vec![Told::Offline(DeviceId(1))]);
		// A leaf ends the silence.
		assert_ok!(submit(leaf(1, 7, 1)));
		assert_eq!(told(), vec![Told::Alive(DeviceId(1))]);
		assert_eq!(swept(), vec![]);
	});
}

#[test]
fn sweep_should_not_count_outages_as_silence() {
	ExtBuilder::default().devices(1).build_and_execute(|| {
		prove_all(1);
		stall_until(start_of(1_000));
		assert_eq!(swept(), vec![]);
		run_until(start_of(1_003) - 1);
		assert_eq!(swept(), vec![]);
		run_until(start_of(1_003));
		assert_eq!(swept(), vec![Told::Suspect(DeviceId(1))]);
	});
}

#[test]
fn sweep_should_count_empty_leaves_as_silence() {
	ExtBuilder::default().devices(1).build_and_execute(|| {
		prove_all(1);
		for offset in 1..4 {
			run_until(start_of(offset + 1));
			assert_ok!(submit(leaf(1, offset, 0)));
		}
		assert_eq!(swept(), vec![Told::Suspect(DeviceId(1))]);
	});
}

#[test]
fn sweep_should_reach_every_record_in_bounded_steps() {
	ExtBuilder::default().devices(12).build_and_execute(|| {
		prove_all(12);
		run_until(start_of(4));
		// The cap of five per block: three blocks for twelve, then the round begins again.
		let mut seen: Vec<Told> = Vec::new();
		for expected in [5, 5, 2] {
			let told = swept();
			assert_eq!(told.len(), expected);
			seen.extend(told);
		}
		assert_eq!(SweepCursor::<Test>::get(), None);
		let mut ids: Vec<_> = (seen.iter())
			.map(|told| match told {
				Told::Suspect(id) => id.0,
				other => panic!("{other:?}"),
			})
			.collect();
		ids.sort_unstable();
		assert_eq!(ids, (1..=12).collect::<Vec<_>>());
		assert_eq!(swept().len(), 5);
	});
}

#[test]
fn sweep_should_stay_within_the_weight_left() {
	ExtBuilder::default().devices(4).build_and_execute(|| {
		prove_all(4);
		run_until(start_of(4));
		told();
		let base = <() as WeightInfo>::sweep_base();
		let unit = <() as WeightInfo>::sweep_record();
		let one = base + unit;
		assert_eq!(Uptime::on_idle(9, one - Weight::from_parts(1, 0)), Weight::zero());
		assert_eq!(Uptime::on_idle(9, one - Weight::from_parts(0, 1)), Weight::zero());
		assert_eq!(told(), vec![]);
		assert_eq!(Uptime::on_idle(9, one), one);
		assert_eq!(told().len(), 1);
		assert_eq!(Uptime::on_idle(9, one + unit), one + unit);
		assert_eq!(told().len(), 2);
	});
}

#[test]
fn sweep_should_remove_records_of_devices_that_are_gone() {
	ExtBuilder::default().devices(3).build_and_execute(|| {
		prove_all(3);
		Fleet::mutate(|fleet| fleet.remove(&DeviceId(2)));
		assert_eq!(swept(), vec![]);
		assert!(!Records::<Test>::contains_key(DeviceId(2)));
		assert_eq!(Records::<Test>::iter().count(), 2);
		assert_eq!(SweepCursor::<Test>::get(), None);
	});
}

#[test]
fn on_initialize_should_pay_for_on_finalize() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(Uptime::on_initialize(2), <() as WeightInfo>::record_block_time());
	});
}
