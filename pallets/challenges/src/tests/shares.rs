//! How often owners are drawn.

use crate::{mock::*, *};
use armature_primitives::{challenge::Verdict, device::DeviceStatus, DeviceId, Ppm};
use frame_support::assert_ok;

fn share(owner: u64) -> u32 {
	Owners::<Test>::get(owner).unwrap().share.0
}

#[test]
fn share_should_begin_at_the_most_and_fall_with_surprises_that_are_passed() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		assert_eq!(share(provider(0)), 500_000);
		settle(0, pass(1_000));
		// It had asked for that one.
		assert_eq!(share(provider(0)), 500_000);
		surprise(0);
		settle(0, pass(1_000));
		assert_eq!(share(provider(0)), 500_000 - 31_250);
		for _ in 0..60 {
			surprise(0);
			settle(0, pass(1_000));
		}
		assert_eq!(share(provider(0)), 100_000);
		surprise(0);
		settle(0, fail);
		assert_eq!(share(provider(0)), 200_000);
		for _ in 0..3 {
			surprise(0);
			settle(0, fail);
		}
		assert_eq!(share(provider(0)), 500_000);
	});
}

#[test]
fn device_should_move_the_share_by_what_it_is_of_all() {
	ExtBuilder::default()
		.devices(4)
		.parameters(without_draws)
		.build_and_execute(|| {
			for device in 0..4 {
				put_device_of(7, device, DeviceStatus::Active);
				assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(7), DeviceId(device)));
			}
			Challenges::change_owner(&7, |owner| owner.share = Ppm(160_000));
			surprise(0);
			settle(0, pass(1_000));
			assert_eq!(share(7), 160_000 - 2_500);
			surprise(1);
			settle(1, fail);
			assert_eq!(share(7), 157_500 + 39_375);
		});
}

#[test]
fn single_verdicts_and_void_rounds_should_not_move_it() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		let round = surprise(0);
		Challenges::change_owner(&provider(0), |owner| owner.share = Ppm(160_000));
		let ok = passed(&round, 1_000, 80);
		judge(&round, &[ok, FAILED, ok]);
		assert_eq!(share(provider(0)), 150_000);
		let round = surprise(0);
		Now::set(round.reveal_until + 1);
		run_blocks(1);
		assert!(round_of(0).is_none());
		assert_eq!(share(provider(0)), 150_000);
	});
}

#[test]
fn bounds_should_hold_at_once_when_they_change() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		let narrow = Parameters { max_share: Ppm(200_000), ..crate::mock::parameters() };
		assert_ok!(Challenges::set_parameters(RuntimeOrigin::root(), Box::new(narrow)));
		settle(0, |_| Verdict::Failed {
			reason: armature_primitives::challenge::ChallengeFailure::NoAnswer,
		});
		assert_eq!(share(provider(0)), 200_000);
	});
}
