use crate::{mock::*, types::*, Error, Event, GenesisConfig, Parameters};
use armature_primitives::{units::ARMA, EpochIndex};
use frame_support::{assert_noop, assert_ok, traits::BuildGenesisConfig};
use sp_runtime::DispatchError;

#[test]
fn production_parameters_should_be_valid_and_the_genesis_default() {
	ExtBuilder::default().build_and_execute(|| {
		GenesisConfig::<Test>::default().build();
		let parameters = Parameters::<Test>::get();
		assert_eq!(parameters, UptimeParameters::default());
		assert_eq!(parameters.validate(), Ok(()));
		assert_eq!(parameters.clock().epoch_millis(), 600_000);
		assert_eq!(parameters.orchestrator_bond, 1_000 * ARMA);
	});
}

#[test]
fn set_parameters_should_store_them() {
	ExtBuilder::default().build_and_execute(|| {
		let parameters = UptimeParameters { slot_millis: 7, skew_millis: 3, ..Default::default() };
		assert_ok!(Uptime::set_parameters(RuntimeOrigin::root(), parameters.clone()));
		assert_eq!(Parameters::<Test>::get(), parameters);
		System::assert_last_event(Event::ParametersSet { parameters }.into());
	});
}

#[test]
fn set_parameters_should_fail_when_not_admin() {
	ExtBuilder::default().build_and_execute(|| {
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::signed(1)] {
			assert_noop!(
				Uptime::set_parameters(origin, test_parameters()),
				DispatchError::BadOrigin
			);
		}
	});
}

#[test]
fn set_parameters_should_hold_both_sides_of_each_range() {
	type P = UptimeParameters;
	let cases: [(fn(&mut P), fn(&mut P)); 8] = [
		(|p| (p.slot_millis, p.skew_millis) = (1, 0), |p| p.slot_millis = 0),
		(|p| p.slot_millis = MAX_SLOT_MILLIS, |p| p.slot_millis = MAX_SLOT_MILLIS + 1),
		(|p| p.skew_millis = EPOCH, |p| p.skew_millis = EPOCH + 1),
		(
			|p| {
				p.catch_up_epochs = MAX_CATCH_UP_EPOCHS;
				p.suspect_after = MAX_CATCH_UP_EPOCHS + 1;
				p.offline_after = MAX_CATCH_UP_EPOCHS + 2;
			},
			|p| {
				p.catch_up_epochs = MAX_CATCH_UP_EPOCHS + 1;
				p.suspect_after = MAX_CATCH_UP_EPOCHS + 2;
				p.offline_after = MAX_CATCH_UP_EPOCHS + 3;
			},
		),
		(|p| p.outage_millis = 1, |p| p.outage_millis = 0),
		(|p| p.suspect_after = 2, |p| p.suspect_after = 1),
		(|p| p.offline_after = 4, |p| p.offline_after = 3),
		(|p| p.orchestrator_bond = 1, |p| p.orchestrator_bond = 0),
	];
	for (inside, outside) in cases {
		ExtBuilder::default().build_and_execute(|| {
			let (mut good, mut bad) = (test_parameters(), test_parameters());
			inside(&mut good);
			outside(&mut bad);
			assert_noop!(
				Uptime::set_parameters(RuntimeOrigin::root(), bad),
				Error::<Test>::InvalidParameters
			);
			assert_ok!(Uptime::set_parameters(RuntimeOrigin::root(), good));
		});
	}
}

#[test]
fn leaves_should_stay_in_order_when_the_slot_length_changes() {
	ExtBuilder::default().build_and_execute(|| {
		run_until(start_of(2));
		assert_ok!(submit(leaf(1, 1, 60)));
		// GIVEN slots of half the length: each epoch number doubles.
		let halved = UptimeParameters { slot_millis: SLOT / 2, ..test_parameters() };
		assert_ok!(Uptime::set_parameters(RuntimeOrigin::root(), halved));
		let halved_leaf = |offset: u64| {
			let mut leaf = leaf(1, 0, 60);
			leaf.epoch = EpochIndex(2 * START + offset);
			leaf
		};
		// THEN the halves of the proven epoch are taken, and the next half epoch is not.
		assert_noop!(submit(halved_leaf(2)), Error::<Test>::LeafReplayed);
		assert_noop!(submit(halved_leaf(3)), Error::<Test>::LeafReplayed);
		run_until(start_of(2) + EPOCH / 2);
		assert_ok!(submit(halved_leaf(4)));
		// WHEN slots get longer again, an epoch that overlaps a proven one is refused.
		assert_ok!(Uptime::set_parameters(RuntimeOrigin::root(), test_parameters()));
		run_until(start_of(3));
		assert_noop!(submit(leaf(1, 2, 60)), Error::<Test>::LeafReplayed);
		run_until(start_of(4));
		assert_ok!(submit(leaf(1, 3, 60)));
	});
}
