//! Disputes and their verifiers.

use crate::{mock::*, Error, Event, LeaseState};
use armature_primitives::{
	lease::{LeaseOutcome, RunReport, RunStatus},
	Ppm, H256,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::TokenError;

#[test]
fn dispute_should_hold_deposit_and_draw_an_outsider_when_the_tenant_disputes() {
	ExtBuilder::default().build_and_execute(|| {
		// The double offers tenant, provider and operator first.
		let id = disputed(report());
		assert_eq!(deposited(TENANT), 500);
		assert_eq!(
			Leases::lease(id).unwrap().state,
			LeaseState::Disputed {
				report: report(),
				verifier: VERIFIER,
				deposit: 500,
				resolve_by: START + 90_000
			}
		);
		System::assert_last_event(Event::ResultDisputed { lease: id, verifier: VERIFIER }.into());
		assert_noop!(Leases::accept_result(signed(TENANT), id), Error::<Test>::WrongState);
		assert_noop!(Leases::dispute_result(signed(TENANT), id), Error::<Test>::WrongState);
	});
}

#[test]
fn dispute_should_fail_when_no_verifier_is_free_of_ties() {
	ExtBuilder::default().build_and_execute(|| {
		let id = reported(report());
		Verifiers::set(vec![TENANT, PROVIDER, OPERATOR]);
		assert_noop!(Leases::dispute_result(signed(TENANT), id), Error::<Test>::NoVerifier);
		// A set that breaks the exclusion is not believed either.
		DrawsAnyone::set(true);
		assert_noop!(Leases::dispute_result(signed(TENANT), id), Error::<Test>::NoVerifier);
	});
}

#[test]
fn dispute_should_fail_when_the_deposit_is_not_there() {
	ExtBuilder::default().build_and_execute(|| {
		let id = reported(report());
		let spare = Balances::free_balance(TENANT) - ED - 499;
		assert_ok!(Balances::transfer_keep_alive(signed(TENANT), STRANGER, spare));
		assert_noop!(Leases::dispute_result(signed(TENANT), id), TokenError::FundsUnavailable);
		assert_ok!(Balances::transfer_keep_alive(signed(STRANGER), TENANT, 1));
		assert_ok!(Leases::dispute_result(signed(TENANT), id));
	});
}

#[test]
fn resolve_should_pay_provider_and_verifier_when_the_reports_are_equal() {
	ExtBuilder::default().build_and_execute(|| {
		let id = disputed(report());
		assert_ok!(Leases::resolve_dispute(signed(VERIFIER), id, report()));
		System::assert_has_event(Event::DisputeResolved { lease: id, upheld: true }.into());
		assert_eq!(receipt(id).outcome, LeaseOutcome::Completed);
		assert_eq!(receipt(id).paid, 490);
		assert_eq!(Balances::free_balance(VERIFIER), FUNDS + 5 + 500);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1 - 500 - 500);
		assert!(Slashes::get().is_empty());
	});
}

#[test]
fn resolve_should_confirm_a_failed_workload_when_the_verifier_sees_the_same() {
	ExtBuilder::default().build_and_execute(|| {
		let failed = RunReport { status: RunStatus::OutOfMemory, ..report() };
		let id = disputed(failed);
		assert_ok!(Leases::resolve_dispute(signed(VERIFIER), id, failed));
		assert_eq!(receipt(id).outcome, LeaseOutcome::WorkloadFailed);
		assert_eq!(receipt(id).paid, 490);
	});
}

#[test]
fn resolve_should_slash_and_refund_when_any_part_differs() {
	for rerun in [
		RunReport { status: RunStatus::Trapped, ..report() },
		RunReport { output: H256::zero(), ..report() },
		RunReport { output_len: 41, ..report() },
		RunReport { fuel: report().fuel - 1, ..report() },
	] {
		ExtBuilder::default().build_and_execute(|| {
			let id = disputed(report());
			assert_ok!(Leases::resolve_dispute(signed(VERIFIER), id, rerun));
			System::assert_has_event(Event::DisputeResolved { lease: id, upheld: false }.into());
			let receipt = receipt(id);
			assert_eq!(receipt.outcome, LeaseOutcome::WrongResult);
			assert_eq!((receipt.paid, receipt.fee, receipt.refunded), (0, 0, 1_000));
			assert_eq!(receipt.report, Some(report()));
			assert_eq!(Slashes::get(), vec![(DEVICE, Ppm(123_000))]);
			assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
			assert_eq!(Balances::free_balance(VERIFIER), FUNDS + 5);
			assert!(Income::get().is_empty());
		});
	}
}

#[test]
fn resolve_should_blame_no_one_when_a_wall_clock_ended_one_run() {
	let slow = RunReport { status: RunStatus::OutOfTime, fuel: 1_000, ..report() };
	for (claimed, rerun) in
		[(report(), slow), (slow, report()), (slow, RunReport { fuel: 2_000, ..slow })]
	{
		ExtBuilder::default().build_and_execute(|| {
			let id = disputed(claimed);
			assert_ok!(Leases::resolve_dispute(signed(VERIFIER), id, rerun));
			assert_eq!(receipt(id).outcome, LeaseOutcome::Unresolved);
			assert_eq!(receipt(id).refunded, 1_000);
			assert!(Slashes::get().is_empty());
			assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
		});
	}
}

#[test]
fn resolve_should_fail_when_it_is_not_the_drawn_verifier_or_not_a_possible_run() {
	ExtBuilder::default().build_and_execute(|| {
		let id = disputed(report());
		for who in [TENANT, PROVIDER, OPERATOR, STRANGER] {
			assert_noop!(
				Leases::resolve_dispute(signed(who), id, report()),
				Error::<Test>::NotVerifier
			);
		}
		let over = RunReport { fuel: spec().max_fuel + 1, ..report() };
		assert_noop!(
			Leases::resolve_dispute(signed(VERIFIER), id, over),
			Error::<Test>::FuelAboveLimit
		);
	});
}
