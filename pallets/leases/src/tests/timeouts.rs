//! Every timeout, by hand and by the sweep.

use crate::{mock::*, weights::WeightInfo, Error, NextBucket, BUCKET_MILLIS};
use armature_primitives::lease::{LeaseOutcome, RunReport, RunStatus};
use frame_support::{assert_noop, assert_ok, weights::Weight};

/// Both sides of a window: the act is legal at its last moment, the timeout one millisecond later.
fn expires(make: impl Fn() -> armature_primitives::LeaseId, window: u64, outcome: LeaseOutcome) {
	ExtBuilder::default().build_and_execute(|| {
		let id = make();
		advance(window);
		assert_noop!(Leases::settle_expired(signed(STRANGER), id), Error::<Test>::NotExpired);
		advance(1);
		assert_ok!(Leases::settle_expired(signed(STRANGER), id));
		assert_eq!(receipt(id).outcome, outcome);
		assert_eq!((escrowed(TENANT), deposited(TENANT)), (0, 0));
	});
}

#[test]
fn lease_should_end_by_its_state_when_the_window_is_over() {
	expires(open, 60_000, LeaseOutcome::NotAcknowledged);
	let acknowledged = || {
		let id = open();
		assert_ok!(Leases::acknowledge(signed(PROVIDER), id));
		id
	};
	expires(acknowledged, 70_000, LeaseOutcome::NotStarted);
	expires(running, 41_000, LeaseOutcome::NoResult);
	expires(|| reported(report()), 80_000, LeaseOutcome::Completed);
	let failed = RunReport { status: RunStatus::Trapped, ..report() };
	expires(move || reported(failed), 80_000, LeaseOutcome::WorkloadFailed);
	expires(|| disputed(report()), 90_000, LeaseOutcome::Unresolved);
}

#[test]
fn timeout_should_refund_in_full_when_the_provider_is_silent() {
	for make in [open, running] {
		ExtBuilder::default().build_and_execute(|| {
			let id = make();
			advance(100_000);
			assert_ok!(Leases::settle_expired(signed(STRANGER), id));
			assert_eq!(receipt(id).refunded, 1_000);
			assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
			assert!(Slashes::get().is_empty());
		});
	}
}

#[test]
fn timeout_should_pay_when_the_tenant_is_silent() {
	ExtBuilder::default().build_and_execute(|| {
		let id = reported(report());
		advance(80_001);
		assert_ok!(Leases::settle_expired(signed(STRANGER), id));
		assert_eq!((receipt(id).paid, receipt(id).refunded), (490, 500));
	});
}

#[test]
fn timeout_should_return_escrow_and_deposit_when_the_verifier_is_silent() {
	ExtBuilder::default().build_and_execute(|| {
		let id = disputed(report());
		advance(90_001);
		assert_noop!(
			Leases::resolve_dispute(signed(VERIFIER), id, report()),
			Error::<Test>::TooLate
		);
		assert_ok!(Leases::settle_expired(signed(STRANGER), id));
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
		assert_eq!(Balances::free_balance(PROVIDER), FUNDS + 2);
		assert!(Slashes::get().is_empty());
	});
}

#[test]
fn acts_should_work_at_the_last_moment_and_fail_one_later() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();
		advance(60_001);
		assert_noop!(Leases::acknowledge(signed(PROVIDER), id), Error::<Test>::TooLate);
		Now::mutate(|now| *now -= 1);
		assert_ok!(Leases::acknowledge(signed(PROVIDER), id));

		advance(70_001);
		assert_noop!(Leases::start(signed(PROVIDER), id), Error::<Test>::TooLate);
		Now::mutate(|now| *now -= 1);
		assert_ok!(Leases::start(signed(PROVIDER), id));

		advance(41_001);
		assert_noop!(Leases::report_result(signed(PROVIDER), id, report()), Error::<Test>::TooLate);
		Now::mutate(|now| *now -= 1);
		assert_ok!(Leases::report_result(signed(PROVIDER), id, report()));

		advance(80_001);
		assert_noop!(Leases::dispute_result(signed(TENANT), id), Error::<Test>::TooLate);
		Now::mutate(|now| *now -= 1);
		assert_ok!(Leases::dispute_result(signed(TENANT), id));

		advance(90_000);
		assert_ok!(Leases::resolve_dispute(signed(VERIFIER), id, report()));
	});
}

#[test]
fn sweep_should_settle_only_what_is_due_when_blocks_have_room() {
	ExtBuilder::default().build_and_execute(|| {
		let first = open();
		advance(30_000);
		let second = open_as(new_lease(1)).unwrap();
		// 60,000 after the first opened, plus at most one bucket.
		advance(30_000 + BUCKET_MILLIS);
		let used = idle(Weight::MAX);
		assert!(used.all_gte(<() as WeightInfo>::settle_expired()));
		assert_eq!(receipt(first).outcome, LeaseOutcome::NotAcknowledged);
		assert!(Leases::lease(second).is_some());
		advance(30_000);
		idle(Weight::MAX);
		assert!(Leases::lease(second).is_none());
	});
}

#[test]
fn sweep_should_stay_within_its_weight_and_go_on_later_when_blocks_are_full() {
	ExtBuilder::default().build_and_execute(|| {
		for n in 0..3 {
			open_as(new_lease(n)).unwrap();
		}
		advance(60_000 + BUCKET_MILLIS);
		// No room at all.
		assert_eq!(idle(Weight::zero()), Weight::zero());
		// The base only: nothing is swept.
		assert_eq!(idle(<() as WeightInfo>::sweep_base()), <() as WeightInfo>::sweep_base());
		assert_eq!(crate::Leases::<Test>::count(), 3);
		// Room for the empty buckets before and two of the three leases.
		let limit = <() as WeightInfo>::sweep_base()
			.saturating_add(<() as WeightInfo>::sweep_bucket().saturating_mul(7))
			.saturating_add(<() as WeightInfo>::settle_expired().saturating_mul(2));
		assert!(idle(limit).all_lte(limit));
		assert_eq!(crate::Leases::<Test>::count(), 1);
		Leases::do_try_state().unwrap();
		idle(limit);
		assert_eq!(crate::Leases::<Test>::count(), 0);
	});
}

#[test]
fn sweep_should_skip_idle_time_when_no_lease_is_open() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(NextBucket::<Test>::get(), 0);
		idle(Weight::MAX);
		assert_eq!(NextBucket::<Test>::get(), START / BUCKET_MILLIS);
		// A year later, without a sweep, opening moves the queue's head itself.
		advance(365 * 86_400_000);
		let id = open();
		assert_eq!(NextBucket::<Test>::get(), Now::get() / BUCKET_MILLIS);
		advance(60_000 + BUCKET_MILLIS);
		idle(Weight::MAX);
		assert_eq!(receipt(id).outcome, LeaseOutcome::NotAcknowledged);
	});
}

#[test]
fn sweep_should_follow_the_lease_when_its_state_moves_on() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();
		advance(59_000);
		assert_ok!(Leases::acknowledge(signed(PROVIDER), id));
		advance(20_000);
		idle(Weight::MAX);
		// Past the first window, within the second.
		assert!(Leases::lease(id).is_some());
		advance(70_000);
		idle(Weight::MAX);
		assert_eq!(receipt(id).outcome, LeaseOutcome::NotStarted);
	});
}
