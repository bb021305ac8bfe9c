//! Settlements whose receivers cannot take the money.

use crate::{mock::*, Deferred, DeferredRefund, Error, Event};
use armature_primitives::lease::{LeaseOutcome, NewLease, RunReport};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::TokenError;

/// A lease whose provider has no account.
fn for_ghost() -> NewLease<AccountId> {
	NewLease { provider: GHOST, ..new_lease(0) }
}

/// Opens, runs and reports `new` with `fuel`.
fn report_as(new: NewLease<AccountId>, fuel: u64) -> armature_primitives::LeaseId {
	let id = open_as(new).unwrap();
	assert_ok!(Leases::acknowledge(signed(OPERATOR), id));
	assert_ok!(Leases::start(signed(OPERATOR), id));
	assert_ok!(Leases::report_result(signed(OPERATOR), id, RunReport { fuel, ..report() }));
	id
}

#[test]
fn dust_payment_should_go_to_the_fee_account_when_the_provider_has_no_account() {
	ExtBuilder::default().build_and_execute(|| {
		// 10 earned: 9 paid, below the existential deposit of 10; 1 fee.
		let id = report_as(for_ghost(), 100_000_000);
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		let receipt = receipt(id);
		assert_eq!((receipt.paid, receipt.fee, receipt.refunded), (0, 10, 990));
		assert_eq!(Balances::free_balance(FEES), ED + 10);
		assert_eq!(Balances::free_balance(GHOST), 0);
		assert!(Income::get().is_empty());
	});
}

#[test]
fn payment_should_create_the_account_when_it_is_no_dust() {
	ExtBuilder::default().build_and_execute(|| {
		// 11 earned: 10 paid, exactly the existential deposit.
		let id = report_as(for_ghost(), 110_000_000);
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		assert_eq!(receipt(id).paid, 10);
		assert_eq!(Balances::free_balance(GHOST), 10);
	});
}

#[test]
fn dust_fee_should_be_refunded_when_the_fee_account_does_not_exist() {
	ExtBuilder::default().without_fee_account().build_and_execute(|| {
		let id = report_as(new_lease(0), 100_000_000);
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		let receipt = receipt(id);
		assert_eq!((receipt.paid, receipt.fee, receipt.refunded), (9, 0, 991));
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1 - 9);
	});
}

#[test]
fn everything_should_be_refunded_when_nobody_can_take_dust() {
	ExtBuilder::default().without_fee_account().build_and_execute(|| {
		let id = report_as(for_ghost(), 50_000_000);
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		assert_eq!(receipt(id).refunded, 1_000);
		assert_eq!(receipt(id).outcome, LeaseOutcome::Completed);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
	});
}

#[test]
fn provider_should_be_paid_when_it_is_the_tenant() {
	ExtBuilder::default().build_and_execute(|| {
		let id = report_as(NewLease { provider: TENANT, ..new_lease(0) }, 5_000_000_000);
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		assert_eq!(receipt(id).paid, 490);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1 - 10);
	});
}

/// Puts the whole balance of the tenant, kept alive by another provider, on hold.
fn all_in() -> armature_primitives::LeaseId {
	System::inc_providers(&TENANT);
	let escrow = Balances::free_balance(TENANT);
	// 10 gigafuel at this price cost all of the escrow but one planck.
	let price_per_gfuel = (escrow - 1) / 10;
	assert_eq!(price_per_gfuel * 10, escrow - 1);
	let mut new = NewLease { escrow, price_per_gfuel, ..new_lease(0) };
	new.spec.max_fuel = 10_000_000_000;
	let id = report_as(new, 10_000_000_000);
	assert_eq!(Balances::free_balance(TENANT), 0);
	id
}

#[test]
fn refund_should_be_deferred_and_released_later_when_the_tenant_cannot_take_dust() {
	ExtBuilder::default().build_and_execute(|| {
		let id = all_in();
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		let refunded = receipt(id).refunded;
		assert!(refunded > 0 && refunded < ED, "{refunded} is no dust");
		assert_eq!(
			Deferred::<Test>::get(TENANT),
			Some(DeferredRefund { escrow: refunded, deposit: 0 })
		);
		System::assert_has_event(Event::RefundDeferred { who: TENANT, amount: refunded }.into());
		assert_eq!(escrowed(TENANT), refunded);
		Leases::do_try_state().unwrap();

		assert_noop!(Leases::release_deferred(signed(STRANGER), TENANT), TokenError::CannotCreate);
		assert_ok!(Balances::transfer_keep_alive(signed(STRANGER), TENANT, ED));
		assert_ok!(Leases::release_deferred(signed(STRANGER), TENANT));
		System::assert_last_event(Event::RefundReleased { who: TENANT, amount: refunded }.into());
		assert_eq!(Balances::free_balance(TENANT), ED + refunded);
		assert_eq!(escrowed(TENANT), 0);
		assert_noop!(
			Leases::release_deferred(signed(STRANGER), TENANT),
			Error::<Test>::NothingDeferred
		);
	});
}

#[test]
fn refunds_should_add_up_when_several_are_deferred() {
	ExtBuilder::default().build_and_execute(|| {
		let id = all_in();
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		assert_eq!(receipt(id).refunded, 1);
		// A second lease that again takes everything the tenant has free: 990 of 995 are spent.
		assert_ok!(Balances::transfer_keep_alive(signed(STRANGER), TENANT, 995));
		let second = NewLease { escrow: 995, price_per_gfuel: 99, ..new_lease(0) };
		let id = report_as(second, 10_000_000_000);
		assert_eq!(Balances::free_balance(TENANT), 0);
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		assert_eq!(Deferred::<Test>::get(TENANT), Some(DeferredRefund { escrow: 6, deposit: 0 }));
		assert_ok!(Balances::transfer_keep_alive(signed(STRANGER), TENANT, ED));
		assert_ok!(Leases::release_deferred(signed(TENANT), TENANT));
		assert_eq!(Balances::free_balance(TENANT), ED + 6);
	});
}

/// A disputed lease of a tenant that has nothing free any more: `dust` planck of the escrow stay
/// unspent by the price, and 2 are deposited.
fn stripped(dust: u128) -> armature_primitives::LeaseId {
	let small = crate::Parameters { dispute_deposit: 2, ..parameters() };
	assert_ok!(Leases::set_parameters(RuntimeOrigin::root(), small));
	// Kept alive from elsewhere, so that its free balance may go below the existential deposit.
	System::inc_providers(&TENANT);
	System::inc_providers(&TENANT);
	let price_per_gfuel = 90_000;
	let escrow = price_per_gfuel * 10 + dust;
	let id = report_as(NewLease { escrow, price_per_gfuel, ..new_lease(0) }, 10_000_000_000);
	assert_ok!(Leases::dispute_result(signed(TENANT), id));
	let rest = Balances::free_balance(TENANT);
	assert_ok!(Balances::transfer_allow_death(signed(TENANT), STRANGER, rest));
	assert_eq!(Balances::free_balance(TENANT), 0);
	id
}

#[test]
fn escrow_should_be_deferred_alone_when_the_deposit_goes_to_the_verifier() {
	ExtBuilder::default().build_and_execute(|| {
		let id = stripped(9);
		let rerun = RunReport { fuel: 10_000_000_000, ..report() };
		assert_ok!(Leases::resolve_dispute(signed(VERIFIER), id, rerun));
		assert_eq!(Balances::free_balance(VERIFIER), FUNDS + 5 + 2);
		assert_eq!(Deferred::<Test>::get(TENANT), Some(DeferredRefund { escrow: 9, deposit: 0 }));
		assert_ok!(Balances::transfer_keep_alive(signed(STRANGER), TENANT, ED));
		assert_ok!(Leases::release_deferred(signed(STRANGER), TENANT));
		assert_eq!(Balances::free_balance(TENANT), ED + 9);
	});
}

#[test]
fn deposit_should_be_deferred_alone_when_the_escrow_is_no_dust() {
	ExtBuilder::default().build_and_execute(|| {
		let id = stripped(9);
		advance(90_001);
		assert_ok!(Leases::settle_expired(signed(STRANGER), id));
		assert_eq!(Deferred::<Test>::get(TENANT), Some(DeferredRefund { escrow: 0, deposit: 2 }));
		assert_eq!(Balances::free_balance(TENANT), 900_009);
		assert_ok!(Leases::release_deferred(signed(STRANGER), TENANT));
		assert_eq!(Balances::free_balance(TENANT), 900_011);
		assert_eq!(deposited(TENANT), 0);
	});
}

#[test]
fn deposit_should_follow_the_same_rules_when_the_verifier_has_no_account() {
	ExtBuilder::default().build_and_execute(|| {
		let dust = crate::Parameters { dispute_deposit: ED - 1, ..parameters() };
		assert_ok!(Leases::set_parameters(RuntimeOrigin::root(), dust));
		Verifiers::set(vec![GHOST]);
		let id = disputed(report());
		assert_ok!(Leases::resolve_dispute(signed(GHOST), id, report()));
		assert_eq!(deposited(TENANT), 0);
		// The deposit and the fee of 10.
		assert_eq!(Balances::free_balance(FEES), ED + 10 + ED - 1);
	});
}
