//! What an attestation that ends does to a lease.

use crate::{mock::*, Error, LeaseState};
use armature_primitives::{
	device::Tier, lease::LeaseOutcome, traits::LeaseGuard, DeviceId, LeaseId,
};
use frame_support::{assert_noop, assert_ok};

fn lose(device: DeviceId) {
	<Leases as LeaseGuard>::on_tier_lost(device, None);
}

fn acknowledged() -> LeaseId {
	let id = open();
	assert_ok!(Leases::acknowledge(signed(OPERATOR), id));
	id
}

#[test]
fn start_should_fail_when_attestation_does_not_hold() {
	ExtBuilder::default().build_and_execute(|| {
		let id = acknowledged();
		AttestedTier::set(None);
		assert_noop!(Leases::start(signed(OPERATOR), id), Error::<Test>::NotAttested);
		AttestedTier::set(Some(Tier::T0));
		assert_ok!(Leases::start(signed(OPERATOR), id));
	});
}

#[test]
fn start_should_fail_when_tier_is_below_the_order() {
	ExtBuilder::default().build_and_execute(|| {
		let mut new = new_lease(0);
		new.spec.min_tier = Tier::T2;
		let id = open_as(new).unwrap();
		assert_ok!(Leases::acknowledge(signed(OPERATOR), id));
		AttestedTier::set(Some(Tier::T1));
		assert_noop!(Leases::start(signed(OPERATOR), id), Error::<Test>::NotAttested);
		AttestedTier::set(Some(Tier::T2));
		assert_ok!(Leases::start(signed(OPERATOR), id));
	});
}

#[test]
fn lost_attestation_should_refund_everything_when_no_result_is_there() {
	for make in [open, acknowledged, running] {
		ExtBuilder::default().build_and_execute(|| {
			let id = make();
			lose(DEVICE);
			let receipt = receipt(id);
			assert_eq!(receipt.outcome, LeaseOutcome::AttestationLost);
			assert_eq!((receipt.paid, receipt.fee, receipt.refunded), (0, 0, 1_000));
			assert_eq!(escrowed(TENANT), 0);
			assert_eq!(
				Closed::get(),
				vec![(new_lease(0).order, id, LeaseOutcome::AttestationLost)]
			);
			assert!(Leases::leases_of_device(DEVICE).is_empty());
		});
	}
}

#[test]
fn lost_attestation_should_leave_the_lease_alone_when_its_result_is_there() {
	ExtBuilder::default().build_and_execute(|| {
		let id = reported(report());
		lose(DEVICE);
		assert!(matches!(Leases::lease(id).unwrap().state, LeaseState::Reported { .. }));
		assert_ok!(Leases::accept_result(signed(TENANT), id));
		assert_eq!(receipt(id).outcome, LeaseOutcome::Completed);
	});
	ExtBuilder::default().build_and_execute(|| {
		let id = disputed(report());
		lose(DEVICE);
		assert!(matches!(Leases::lease(id).unwrap().state, LeaseState::Disputed { .. }));
		assert_ok!(Leases::resolve_dispute(signed(VERIFIER), id, report()));
		assert_eq!(receipt(id).outcome, LeaseOutcome::Completed);
	});
}

#[test]
fn lower_tier_should_end_only_a_lease_whose_order_asks_for_more() {
	for (left, ends) in [(Tier::T0, true), (Tier::T1, true), (Tier::T2, false), (Tier::T3, false)] {
		ExtBuilder::default().build_and_execute(|| {
			let mut new = new_lease(0);
			new.spec.min_tier = Tier::T2;
			let id = open_as(new).unwrap();
			assert_ok!(Leases::acknowledge(signed(OPERATOR), id));
			AttestedTier::set(Some(Tier::T2));
			assert_ok!(Leases::start(signed(OPERATOR), id));
			<Leases as LeaseGuard>::on_tier_lost(DEVICE, Some(left));
			assert_eq!(Leases::leases_of_device(DEVICE).is_empty(), ends, "{left:?}");
			if ends {
				assert_eq!(receipt(id).outcome, LeaseOutcome::AttestationLost);
			}
		});
	}
}

#[test]
fn lost_attestation_should_change_nothing_when_device_has_no_lease() {
	ExtBuilder::default().build_and_execute(|| {
		let id = open();
		lose(DeviceId(DEVICE.0 + 1));
		lose(DeviceId(9_999));
		assert!(matches!(Leases::lease(id).unwrap().state, LeaseState::Offered { .. }));
		assert!(Closed::get().is_empty());
	});
}
