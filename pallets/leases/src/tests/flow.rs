//! Opening, the provider's calls, the tenant's calls, parameters.

use crate::{mock::*, Error, Event, LeaseState, Parameters};
use armature_primitives::{
	lease::{LeaseOutcome, RunReport, RunStatus},
	traits::{DeviceBusy, LeaseOpener},
	DeviceId, LeaseId, MilliWatts, Ppm, SiteId,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{traits::BadOrigin, TokenError};

fn last_event() -> Event<Test> {
	match System::events().pop().unwrap().event {
		RuntimeEvent::Leases(event) => event,
		other => panic!("not ours: {other:?}"),
	}
}

#[test]
fn open_should_hold_escrow_and_reserve_power_when_device_is_free() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();

		assert_eq!(id, LeaseId(0));
		assert_eq!(escrowed(TENANT), 1_000);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1 - 1_000);
		assert_eq!(Leases::leases_of_device(DEVICE), vec![id]);
		assert!(<Leases as DeviceBusy>::is_busy(DEVICE));
		assert!(<Leases as LeaseOpener<u64>>::is_busy(DEVICE));
		assert!(!<Leases as DeviceBusy>::is_busy(DeviceId(DEVICE.0 + 1)));
		let lease = Leases::lease(id).unwrap();
		assert_eq!(lease.state, LeaseState::Offered { ack_by: START + 60_000 });
		assert_eq!(lease.protocol_fee, Ppm(20_000));
		assert_eq!(
			last_event(),
			Event::LeaseOpened {
				lease: id,
				order: new_lease(0).order,
				device: DEVICE,
				tenant: TENANT,
				escrow: 1_000
			}
		);
	});
}

#[test]
fn reserved_power_should_sum_per_site_when_leases_open_and_close() {
	ExtBuilder::default().build_and_execute(|| {
		let first = open();
		open_as(new_lease(1)).unwrap();
		open_as(new_lease(2)).unwrap();
		let reserved = |site| <Leases as LeaseOpener<u64>>::reserved_power(SiteId(site));
		assert_eq!(reserved(SITE.0), MilliWatts(10_001));
		assert_eq!(reserved(SITE.0 + 1), MilliWatts(5_002));

		assert_ok!(Leases::cancel_lease(signed(TENANT), first));
		assert_eq!(reserved(SITE.0), MilliWatts(5_001));
	});
}

#[test]
fn open_should_fail_when_device_is_busy_or_leases_are_full() {
	ExtBuilder::default().build_and_execute(|| {
		open();
		assert_noop!(open_as(new_lease(0)), Error::<Test>::DeviceBusy);
		open_as(new_lease(1)).unwrap();
		open_as(new_lease(2)).unwrap();
		assert_noop!(open_as(new_lease(3)), Error::<Test>::TooManyLeases);
		MaxOpenLeases::set(4);
		assert_ok!(open_as(new_lease(3)));
	});
}

#[test]
fn open_should_fail_without_effect_when_tenant_cannot_pay() {
	ExtBuilder::default().build_and_execute(|| {
		let free = Balances::free_balance(TENANT);
		let mut new = new_lease(0);
		new.escrow = free - ED + 1;
		assert_noop!(open_as(new.clone()), TokenError::FundsUnavailable);
		new.escrow = free - ED;
		assert_ok!(open_as(new));
	});
}

#[test]
fn open_should_fail_when_ids_or_power_run_out() {
	ExtBuilder::default().build_and_execute(|| {
		let mut new = new_lease(0);
		new.power = MilliWatts(u32::MAX);
		assert_ok!(open_as(new));
		assert_noop!(open_as(new_lease(1)), Error::<Test>::Overflow);
		let before = crate::NextLeaseId::<Test>::get();
		crate::NextLeaseId::<Test>::put(LeaseId(u64::MAX));
		assert_noop!(open_as(new_lease(2)), Error::<Test>::NoMoreIds);
		crate::NextLeaseId::<Test>::put(before);
	});
}

#[test]
fn lease_should_pay_and_refund_when_everyone_does_their_part() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();
		assert_ok!(Leases::acknowledge(signed(PROVIDER), id));
		assert_eq!(last_event(), Event::LeaseAcknowledged { lease: id });
		advance(100);
		assert_ok!(Leases::start(signed(OPERATOR), id));
		assert_eq!(last_event(), Event::LeaseStarted { lease: id });
		assert_eq!(
			Leases::lease(id).unwrap().state,
			LeaseState::Running { started_at: START + 100, finish_by: START + 100 + 41_000 }
		);
		advance(100);
		assert_ok!(Leases::report_result(signed(OPERATOR), id, report()));
		assert_eq!(last_event(), Event::ResultReported { lease: id, report: report() });
		assert_ok!(Leases::accept_result(signed(TENANT), id));

		// 5 of 10 gigafuel at 100: 500 earned, 2 % fee.
		let receipt = receipt(id);
		assert_eq!((receipt.paid, receipt.fee, receipt.refunded), (490, 10, 500));
		assert_eq!(receipt.outcome, LeaseOutcome::Completed);
		assert_eq!(receipt.settled_at, START + 200);
		assert_eq!(receipt.report, Some(report()));
		assert_eq!(last_event(), Event::LeaseSettled { lease: id, receipt });
		assert_eq!(escrowed(TENANT), 0);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1 - 500);
		assert_eq!(Balances::free_balance(PROVIDER), FUNDS + 2 + 490);
		assert_eq!(Balances::free_balance(FEES), ED + 10);
		assert_eq!(Income::get(), vec![(DEVICE, 490)]);
		assert_eq!(Closed::get(), vec![(new_lease(0).order, id, LeaseOutcome::Completed)]);
		assert_eq!(Leases::lease(id), None);
		assert!(Leases::leases_of_device(DEVICE).is_empty());
	});
}

#[test]
fn failed_workload_should_be_paid_for_its_fuel_when_accepted() {
	for status in [
		RunStatus::OutOfFuel,
		RunStatus::OutOfMemory,
		RunStatus::OutOfTime,
		RunStatus::Trapped,
		RunStatus::OutputTooLarge,
	] {
		ExtBuilder::default().build_and_execute(|| {
			let id = reported(RunReport { status, fuel: 10_000_000_000, ..report() });
			assert_ok!(Leases::accept_result(signed(TENANT), id));
			let receipt = receipt(id);
			assert_eq!(receipt.outcome, LeaseOutcome::WorkloadFailed);
			assert_eq!((receipt.paid, receipt.fee, receipt.refunded), (980, 20, 0));
		});
	}
}

#[test]
fn fee_should_be_the_one_at_opening_when_it_changes_later() {
	ExtBuilder::default().build_and_execute(|| {
		let id = reported(report());
		ProtocolFee::set(Ppm(900_000));
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		assert_eq!(receipt(id).fee, 10);
	});
}

#[test]
fn decline_should_refund_in_full_when_no_result_was_reported() {
	for steps in 0..3 {
		ExtBuilder::default().build_and_execute(|| {
			let id = open();
			if steps > 0 {
				assert_ok!(Leases::acknowledge(signed(OPERATOR), id));
			}
			if steps > 1 {
				assert_ok!(Leases::start(signed(OPERATOR), id));
			}
			assert_noop!(Leases::decline(signed(TENANT), id), Error::<Test>::NotProvider);
			assert_ok!(Leases::decline(signed(OPERATOR), id));
			let receipt = receipt(id);
			assert_eq!(receipt.outcome, LeaseOutcome::ProviderDeclined);
			assert_eq!((receipt.paid, receipt.fee, receipt.refunded), (0, 0, 1_000));
			assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
			assert!(Income::get().is_empty());
		});
	}
	ExtBuilder::default().build_and_execute(|| {
		let id = reported(report());
		assert_noop!(Leases::decline(signed(OPERATOR), id), Error::<Test>::WrongState);
	});
}

#[test]
fn cancel_should_refund_in_full_when_it_does_not_run() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();
		assert_noop!(Leases::cancel_lease(signed(PROVIDER), id), Error::<Test>::NotTenant);
		assert_ok!(Leases::acknowledge(signed(OPERATOR), id));
		assert_ok!(Leases::cancel_lease(signed(TENANT), id));
		assert_eq!(receipt(id).outcome, LeaseOutcome::Cancelled);
		assert_eq!(receipt(id).refunded, 1_000);

		let id = running();
		assert_noop!(Leases::cancel_lease(signed(TENANT), id), Error::<Test>::WrongState);
	});
}

#[test]
fn calls_should_fail_when_the_caller_is_not_the_one() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();
		for who in [TENANT, STRANGER, VERIFIER] {
			assert_noop!(Leases::acknowledge(signed(who), id), Error::<Test>::NotProvider);
			assert_noop!(Leases::start(signed(who), id), Error::<Test>::NotProvider);
			assert_noop!(
				Leases::report_result(signed(who), id, report()),
				Error::<Test>::NotProvider
			);
		}
		for who in [PROVIDER, OPERATOR, STRANGER] {
			assert_noop!(Leases::accept_result(signed(who), id), Error::<Test>::NotTenant);
			assert_noop!(Leases::dispute_result(signed(who), id), Error::<Test>::NotTenant);
		}
	});
}

#[test]
fn calls_should_fail_when_the_state_is_another() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();
		assert_noop!(Leases::start(signed(PROVIDER), id), Error::<Test>::WrongState);
		assert_noop!(
			Leases::report_result(signed(PROVIDER), id, report()),
			Error::<Test>::WrongState
		);
		assert_noop!(Leases::accept_result(signed(TENANT), id), Error::<Test>::WrongState);
		assert_noop!(Leases::dispute_result(signed(TENANT), id), Error::<Test>::WrongState);
		assert_noop!(
			Leases::resolve_dispute(signed(VERIFIER), id, report()),
			Error::<Test>::WrongState
		);
		assert_ok!(Leases::acknowledge(signed(PROVIDER), id));
		assert_noop!(Leases::acknowledge(signed(PROVIDER), id), Error::<Test>::WrongState);
	});
}

#[test]
fn calls_should_fail_when_the_lease_is_unknown_or_unsigned() {
	ExtBuilder::default().build_and_execute(|| {
		let id = LeaseId(9);
		assert_noop!(Leases::acknowledge(signed(PROVIDER), id), Error::<Test>::LeaseNotFound);
		assert_noop!(Leases::decline(signed(PROVIDER), id), Error::<Test>::LeaseNotFound);
		assert_noop!(Leases::start(signed(PROVIDER), id), Error::<Test>::LeaseNotFound);
		assert_noop!(
			Leases::report_result(signed(PROVIDER), id, report()),
			Error::<Test>::LeaseNotFound
		);
		assert_noop!(Leases::accept_result(signed(TENANT), id), Error::<Test>::LeaseNotFound);
		assert_noop!(Leases::dispute_result(signed(TENANT), id), Error::<Test>::LeaseNotFound);
		assert_noop!(
			Leases::resolve_dispute(signed(VERIFIER), id, report()),
			Error::<Test>::LeaseNotFound
		);
		assert_noop!(Leases::cancel_lease(signed(TENANT), id), Error::<Test>::LeaseNotFound);
		assert_noop!(Leases::settle_expired(signed(STRANGER), id), Error::<Test>::LeaseNotFound);

		let none = RuntimeOrigin::none;
		assert_noop!(Leases::acknowledge(none(), id), BadOrigin);
		assert_noop!(Leases::decline(none(), id), BadOrigin);
		assert_noop!(Leases::start(none(), id), BadOrigin);
		assert_noop!(Leases::report_result(none(), id, report()), BadOrigin);
		assert_noop!(Leases::accept_result(none(), id), BadOrigin);
		assert_noop!(Leases::dispute_result(none(), id), BadOrigin);
		assert_noop!(Leases::resolve_dispute(none(), id, report()), BadOrigin);
		assert_noop!(Leases::cancel_lease(none(), id), BadOrigin);
		assert_noop!(Leases::settle_expired(none(), id), BadOrigin);
		assert_noop!(Leases::release_deferred(none(), TENANT), BadOrigin);
	});
}

#[test]
fn report_should_fail_when_it_claims_more_fuel_than_allowed() {
	ExtBuilder::default().build_and_execute(|| {
		let id = running();
		let over = RunReport { fuel: spec().max_fuel + 1, ..report() };
		assert_noop!(
			Leases::report_result(signed(PROVIDER), id, over),
			Error::<Test>::FuelAboveLimit
		);
		let full = RunReport { fuel: spec().max_fuel, ..report() };
		assert_ok!(Leases::report_result(signed(PROVIDER), id, full));
	});
}

#[test]
fn receipts_should_drop_the_oldest_when_the_ring_is_full() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..6 {
			let id = open();
			assert_ok!(Leases::cancel_lease(signed(TENANT), id));
		}
		for gone in 0..2 {
			assert_eq!(Leases::receipt(LeaseId(gone)), None);
		}
		for kept in 2..6 {
			assert_eq!(receipt(LeaseId(kept)).lease, LeaseId(kept));
		}
	});
}

#[test]
fn set_parameters_should_store_when_root_gives_valid_ones() {
	ExtBuilder::default().build_and_execute(|| {
		let new = Parameters { ack_millis: 5_000, ..parameters() };
		assert_noop!(Leases::set_parameters(signed(TENANT), new.clone()), BadOrigin);
		assert_ok!(Leases::set_parameters(RuntimeOrigin::root(), new.clone()));
		assert_eq!(last_event(), Event::ParametersSet { parameters: new });
		let id = open();
		assert_eq!(Leases::lease(id).unwrap().state, LeaseState::Offered { ack_by: START + 5_000 });
	});
}

#[test]
fn set_parameters_should_fail_when_a_figure_is_out_of_range() {
	ExtBuilder::default().build_and_execute(|| {
		let max = crate::types::MAX_WINDOW_MILLIS;
		let ok = parameters;
		for bad in [
			Parameters { ack_millis: 999, ..ok() },
			Parameters { start_millis: 999, ..ok() },
			Parameters { result_grace_millis: 0, ..ok() },
			Parameters { accept_millis: max + 1, ..ok() },
			Parameters { dispute_millis: max + 1, ..ok() },
			Parameters { dispute_deposit: 0, ..ok() },
			Parameters { wrong_result_slash: Ppm(1_000_001), ..ok() },
		] {
			assert_noop!(
				Leases::set_parameters(RuntimeOrigin::root(), bad),
				Error::<Test>::InvalidParameters
			);
		}
		for good in [
			Parameters { ack_millis: 1_000, accept_millis: max, ..ok() },
			Parameters { dispute_deposit: 1, wrong_result_slash: Ppm::ONE, ..ok() },
			Parameters::default(),
		] {
			assert_ok!(Leases::set_parameters(RuntimeOrigin::root(), good));
		}
	});
}
