//! Random sequences of operations. After each: the pallet's own invariants (`do_try_state`), and
//! INV-A total issuance is unchanged, INV-B the sum of all accounts is the issuance, INV-C every
//! closed lease was reported to the market exactly once, INV-D income equals what receipts paid.

use crate::{mock::*, Event};
use armature_primitives::{
	lease::{LeaseOutcome, NewLease, RunReport, RunStatus},
	traits::LeaseGuard,
	Balance, DeviceId, LeaseId, H256,
};
use frame_support::weights::Weight;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Op {
	Open { n: u32, tenant: u64, provider: u64, price: u128, max_fuel: u64 },
	Acknowledge(u64, u64),
	Decline(u64, u64),
	Start(u64, u64),
	Report(u64, RunReport),
	Accept(u64, u64),
	Dispute(u64, u64),
	Resolve(u64, RunReport),
	Cancel(u64, u64),
	Expire(u64),
	ReleaseDeferred(u64),
	Transfer(u64, u64, u128),
	Wait(u64),
	Idle(u64),
	LoseAttestation(u32),
}

const WHO: [u64; 6] = [TENANT, PROVIDER, OPERATOR, STRANGER, VERIFIER, GHOST];

fn who() -> impl Strategy<Value = u64> {
	prop::sample::select(WHO.to_vec())
}

fn run_report() -> impl Strategy<Value = RunReport> {
	let status = prop::sample::select(vec![
		RunStatus::Success,
		RunStatus::Success,
		RunStatus::Trapped,
		RunStatus::OutOfTime,
	]);
	(status, 0u8..2, 0u64..2, 0u64..12_000_000_000).prop_map(|(status, byte, output_len, fuel)| {
		// Few different fuels, so that re-runs agree now and then.
		let fuel = fuel / 4_000_000_000 * 4_000_000_000;
		RunReport { status, output: H256::repeat_byte(byte), output_len, fuel }
	})
}

fn op() -> impl Strategy<Value = Op> {
	let id = || 0u64..8;
	prop_oneof![
		4 => (0u32..4, who(), who(), 1u128..200, 1u64..10_000_000_000).prop_map(
			|(n, tenant, provider, price, max_fuel)| Op::Open {
				n, tenant, provider, price, max_fuel
			}
		),
		3 => (id(), who()).prop_map(|(id, who)| Op::Acknowledge(id, who)),
		1 => (id(), who()).prop_map(|(id, who)| Op::Decline(id, who)),
		3 => (id(), who()).prop_map(|(id, who)| Op::Start(id, who)),
		4 => (id(), run_report()).prop_map(|(id, report)| Op::Report(id, report)),
		2 => (id(), who()).prop_map(|(id, who)| Op::Accept(id, who)),
		3 => (id(), who()).prop_map(|(id, who)| Op::Dispute(id, who)),
		3 => (id(), run_report()).prop_map(|(id, report)| Op::Resolve(id, report)),
		1 => (id(), who()).prop_map(|(id, who)| Op::Cancel(id, who)),
		2 => id().prop_map(Op::Expire),
		1 => who().prop_map(Op::ReleaseDeferred),
		2 => (who(), who(), 1u128..2_000_000).prop_map(|(a, b, sum)| Op::Transfer(a, b, sum)),
		2 => (1u64..100_000).prop_map(Op::Wait),
		2 => (0u64..2_000_000_000).prop_map(Op::Idle),
		1 => (0u32..4).prop_map(Op::LoseAttestation),
	]
}

fn apply(op: Op) {
	// Whether an operation succeeds is the other tests' matter.
	let _ = match op {
		Op::Open { n, tenant, provider, price, max_fuel } => {
			let mut new = NewLease { tenant, provider, price_per_gfuel: price, ..new_lease(n) };
			new.spec.max_fuel = max_fuel;
			new.escrow =
				armature_economics::pricing::cost_of_fuel(price, max_fuel).unwrap_or_default();
			open_as(new).map(|_| ())
		},
		Op::Acknowledge(id, who) => Leases::acknowledge(signed(who), LeaseId(id)),
		Op::Decline(id, who) => Leases::decline(signed(who), LeaseId(id)),
		Op::Start(id, who) => Leases::start(signed(who), LeaseId(id)),
		Op::Report(id, report) => Leases::report_result(signed(OPERATOR), LeaseId(id), report),
		Op::Accept(id, who) => Leases::accept_result(signed(who), LeaseId(id)),
		Op::Dispute(id, who) => Leases::dispute_result(signed(who), LeaseId(id)),
		Op::Resolve(id, report) => Leases::resolve_dispute(signed(VERIFIER), LeaseId(id), report),
		Op::Cancel(id, who) => Leases::cancel_lease(signed(who), LeaseId(id)),
		Op::Expire(id) => Leases::settle_expired(signed(STRANGER), LeaseId(id)),
		Op::ReleaseDeferred(who) => Leases::release_deferred(signed(STRANGER), who),
		Op::Transfer(from, to, sum) => {
			Balances::transfer_allow_death(signed(from), to, sum).map(|_| ())
		},
		Op::Wait(millis) => {
			advance(millis);
			Ok(())
		},
		Op::Idle(ref_time) => {
			let limit = Weight::from_parts(ref_time, u64::MAX);
			assert!(idle(limit).all_lte(limit), "on_idle used more than it was given");
			Ok(())
		},
		Op::LoseAttestation(n) => {
			<Leases as LeaseGuard>::on_tier_lost(DeviceId(DEVICE.0 + n), None);
			Ok(())
		},
	};
}

fn check(issued: Balance) {
	Leases::do_try_state().unwrap();
	assert_eq!(Balances::total_issuance(), issued, "INV-A");
	let sum: Balance = frame_system::Account::<Test>::iter_values()
		.map(|account| account.data.free + account.data.reserved)
		.sum();
	assert_eq!(sum, issued, "INV-B");
	let closed = Closed::get();
	let ids: BTreeSet<_> = closed.iter().map(|(_, lease, _)| *lease).collect();
	assert_eq!(ids.len(), closed.len(), "INV-C: a lease closed twice");
	let opened = crate::NextLeaseId::<Test>::get().0;
	let open = u64::from(crate::Leases::<Test>::count());
	assert_eq!(u64::try_from(ids.len()).unwrap() + open, opened, "INV-C: a lease was lost");
	let mut paid: Balance = 0;
	for record in System::events() {
		if let RuntimeEvent::Leases(Event::LeaseSettled { receipt, .. }) = record.event {
			assert_eq!(receipt.paid + receipt.fee + receipt.refunded, receipt.escrow);
			if !matches!(receipt.outcome, LeaseOutcome::Completed | LeaseOutcome::WorkloadFailed) {
				assert_eq!(receipt.paid + receipt.fee, 0, "paid for nothing");
			}
			paid += receipt.paid;
		}
	}
	let income: Balance = Income::get().iter().map(|(_, amount)| amount).sum();
	assert_eq!(income, paid, "INV-D");
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

	#[test]
	fn leases_should_keep_every_invariant_when_anything_happens(
		ops in prop::collection::vec(op(), 1..80),
		fees_exist in any::<bool>(),
	) {
		let builder = if fees_exist {
			ExtBuilder::default()
		} else {
			ExtBuilder::default().without_fee_account()
		};
		builder.build().execute_with(|| {
			let issued = Balances::total_issuance();
			for op in ops {
				apply(op);
				check(issued);
			}
			// Whatever happened, everything settles in the end.
			Now::mutate(|now| *now += 10 * 86_400_000);
			for id in 0..crate::NextLeaseId::<Test>::get().0 {
				if Leases::lease(LeaseId(id)).is_some() {
					Leases::settle_expired(signed(STRANGER), LeaseId(id)).unwrap();
				}
			}
			check(issued);
			assert_eq!(crate::Leases::<Test>::count(), 0);
		});
	}
}
