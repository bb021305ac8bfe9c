//! What states and ends of orders and leases mean, in words.

use crate::show::{name, Planck};
use anyhow::{bail, Result};
use armature_economics::format;
use armature_primitives::{
	lease::{LeaseOutcome, Receipt, RunReport, RunStatus},
	market::Refusal,
	DeviceId, LeaseId, OrderId,
};
use armature_sdk::{
	query::{Lease, LeaseState},
	AccountId32,
};

/// What a lease is doing, for a progress line.
pub(crate) fn stage(lease: LeaseId, device: DeviceId, state: &LeaseState<AccountId32>) -> String {
	let what = match state {
		LeaseState::Offered { .. } => "is offered",
		LeaseState::Acknowledged { .. } => "is acknowledged; the device fetches module and input",
		LeaseState::Running { .. } => "runs",
		LeaseState::Reported { .. } => "is reported",
		LeaseState::Disputed { .. } => "is disputed; a verifier runs the module again",
	};
	format!("lease {lease} on device {device} {what}")
}

/// The report of a settled lease that ended with a run; otherwise what happened instead.
pub(crate) fn completed(receipt: &Receipt<AccountId32>) -> Result<RunReport> {
	match (receipt.outcome, receipt.report) {
		(LeaseOutcome::Completed | LeaseOutcome::WorkloadFailed, Some(report)) => Ok(report),
		(outcome, _) => bail!(
			"lease {} ended without a result: {}; {} of {} refunded",
			receipt.lease,
			outcome_text(outcome),
			Planck(receipt.refunded),
			Planck(receipt.escrow)
		),
	}
}

/// What an outcome means to the tenant.
pub(crate) fn outcome_text(outcome: LeaseOutcome) -> &'static str {
	match outcome {
		LeaseOutcome::Completed => "the result was accepted",
		LeaseOutcome::NotAcknowledged => "the provider never acknowledged it",
		LeaseOutcome::NotStarted => "the provider never started it",
		LeaseOutcome::NoResult => "no result arrived in time",
		LeaseOutcome::WorkloadFailed => "the module failed by itself",
		LeaseOutcome::AttestationLost => {
			"the device's attestation was revoked or ran out before a result was there"
		},
		LeaseOutcome::ProviderDeclined => "the provider declined: it could not run the module",
		LeaseOutcome::WrongResult => "a verifier's re-execution contradicted the result",
		LeaseOutcome::Unresolved => "a disputed result was not re-executed in time",
		LeaseOutcome::Cancelled => "it was cancelled before the start",
	}
}

/// Why a run failed and what it cost.
pub(crate) fn failed_run(
	lease: LeaseId,
	report: &RunReport,
	receipt: Option<&Receipt<AccountId32>>,
) -> String {
	let what = match report.status {
		RunStatus::Success => "the module succeeded",
		RunStatus::OutOfFuel => "the module asked for more fuel than max-fuel",
		RunStatus::OutOfMemory => "the module asked for more memory than max-memory-mib",
		RunStatus::OutOfTime => "the module ran longer than max-duration",
		RunStatus::Trapped => "the module trapped or exited with an error",
		RunStatus::OutputTooLarge => "the module wrote more output than allowed",
	};
	let money = receipt.map_or_else(
		|| "not settled yet".to_owned(),
		|receipt| {
			format!(
				"{} paid for the fuel it burnt, {} of {} refunded",
				Planck(receipt.paid.saturating_add(receipt.fee)),
				Planck(receipt.refunded),
				Planck(receipt.escrow)
			)
		},
	);
	format!(
		"lease {lease} ended as {}: {what} ({} fuel); {money}",
		name(&report.status),
		report.fuel
	)
}

/// What became of an order that found no device, and why.
pub(crate) fn unmatched(what: &str, order: OrderId, last: Option<&Refusal>) -> String {
	let why = last.map_or_else(
		|| "no batch has looked at it".to_owned(),
		|refusal| format!("last refusal: {}", format::refusal(refusal)),
	);
	format!("order {order} {what}, and its escrow is released; {why}")
}

/// The kebab-case name of a lease's state.
pub(crate) fn state_name(lease: &Lease<AccountId32>) -> &'static str {
	match &lease.state {
		LeaseState::Offered { .. } => "offered",
		LeaseState::Acknowledged { .. } => "acknowledged",
		LeaseState::Running { .. } => "running",
		LeaseState::Reported { .. } => "reported",
		LeaseState::Disputed { .. } => "disputed",
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::{market::RefusalReason, units::ARMA, H256};

	fn receipt(outcome: LeaseOutcome, report: Option<RunReport>) -> Receipt<AccountId32> {
		Receipt {
			lease: LeaseId(4),
			order: OrderId(3),
			device: DeviceId(2),
			tenant: AccountId32([1; 32]),
			provider: AccountId32([2; 32]),
			outcome,
			report,
			escrow: 2 * ARMA,
			paid: 0,
			fee: 0,
			refunded: 2 * ARMA,
			settled_at: 0,
		}
	}

	#[test]
	fn leases_without_a_run_should_say_why_and_what_was_refunded() {
		let error = completed(&receipt(LeaseOutcome::NotAcknowledged, None)).unwrap_err();
		assert_eq!(
			error.to_string(),
			"lease 4 ended without a result: the provider never acknowledged it; 2 ARMA of 2 ARMA \
			 refunded"
		);
		let report =
			RunReport { status: RunStatus::Success, output: H256([0; 32]), output_len: 0, fuel: 1 };
		for (outcome, why) in [
			(LeaseOutcome::WrongResult, "re-execution contradicted the result"),
			(LeaseOutcome::AttestationLost, "attestation was revoked or ran out"),
		] {
			let error = completed(&receipt(outcome, Some(report))).unwrap_err().to_string();
			assert!(error.contains(why) && error.ends_with("2 ARMA of 2 ARMA refunded"), "{error}");
		}
		assert_eq!(completed(&receipt(LeaseOutcome::Completed, Some(report))).unwrap(), report);
	}

	#[test]
	fn failed_runs_should_say_why_and_what_was_paid() {
		let report = RunReport {
			status: RunStatus::OutOfFuel,
			output: H256([0; 32]),
			output_len: 0,
			fuel: 9,
		};
		let settled = Receipt {
			paid: ARMA,
			refunded: ARMA,
			..receipt(LeaseOutcome::WorkloadFailed, Some(report))
		};
		assert_eq!(
			failed_run(LeaseId(4), &report, Some(&settled)),
			"lease 4 ended as out-of-fuel: the module asked for more fuel than max-fuel (9 fuel); \
			 1 ARMA paid for the fuel it burnt, 1 ARMA of 2 ARMA refunded"
		);
		assert!(failed_run(LeaseId(4), &report, None).contains("not settled yet"));
	}

	#[test]
	fn unmatched_orders_should_end_with_the_last_refusal() {
		let refusal = Refusal { device: None, reason: RefusalReason::NoAsks };
		let text = unmatched("lapsed", OrderId(7), Some(&refusal));
		assert!(text.starts_with("order 7 lapsed") && text.ends_with("no device is on offer"));
		assert!(unmatched("lapsed", OrderId(7), None).contains("no batch"));
	}
}
