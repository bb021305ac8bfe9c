//! Shapes that several commands print.

use crate::amount::{show_amount, show_millis};
use armature_economics::format;
use armature_primitives::{
	energy::BreakEven,
	lease::{Receipt, RunReport},
	market::{AskTerms, OrderSpec, Refusal, RefusalReason},
	Balance, Moment,
};
use armature_sdk::{AccountId32, Included};
use serde::{Serialize, Serializer};

/// Money: a decimal string in JSON, ARMA in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planck(pub(crate) Balance);

impl Serialize for Planck {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(&self.0)
	}
}

impl std::fmt::Display for Planck {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str(&show_amount(self.0))
	}
}

/// A call that was executed, with what came of it.
#[derive(Serialize)]
pub(crate) struct Done<Of> {
	#[serde(flatten)]
	pub(crate) of: Of,
	/// The block that holds it.
	block: String,
	/// The transaction.
	transaction: String,
}

impl<Of> Done<Of> {
	pub(crate) fn new(included: &Included, of: Of) -> Self {
		Self {
			of,
			block: format!("{:?}", included.block),
			transaction: format!("{:?}", included.hash),
		}
	}

	/// Rows for the table, below those of the subject.
	pub(crate) fn rows(
		&self,
		mut rows: Vec<(&'static str, String)>,
	) -> Vec<(&'static str, String)> {
		rows.push(("block", self.block.clone()));
		rows.push(("transaction", self.transaction.clone()));
		rows
	}
}

/// The name of a value that serialises as a plain string; `-` for others.
pub(crate) fn name(value: &impl Serialize) -> String {
	match serde_json::to_value(value) {
		Ok(serde_json::Value::String(name)) => name,
		_ => "-".into(),
	}
}

/// A value or a dash.
pub(crate) fn or_dash<T: ToString>(value: &Option<T>) -> String {
	value.as_ref().map_or_else(|| "-".into(), ToString::to_string)
}

/// A moment against the chain's time.
pub(crate) fn when(moment: Moment, now: Moment) -> String {
	if moment >= now {
		format!("in {}", show_millis(moment.saturating_sub(now)))
	} else {
		format!("{} ago", show_millis(now.saturating_sub(moment)))
	}
}

/// Why an order was not matched.
#[derive(Serialize)]
pub(crate) struct RefusalView {
	device: Option<u32>,
	reason: &'static str,
	pub(crate) sentence: String,
}

impl From<&Refusal> for RefusalView {
	fn from(refusal: &Refusal) -> Self {
		Self {
			device: refusal.device.map(|id| id.0),
			reason: match refusal.reason {
				RefusalReason::NoAsks => "no-asks",
				RefusalReason::NotActive => "not-active",
				RefusalReason::Busy => "busy",
				RefusalReason::Region => "region",
				RefusalReason::Tier { .. } => "tier",
				RefusalReason::Availability { .. } => "availability",
				RefusalReason::Performance { .. } => "performance",
				RefusalReason::Memory { .. } => "memory",
				RefusalReason::TooSlow { .. } => "too-slow",
				RefusalReason::SitePower { .. } => "site-power",
				RefusalReason::PriceTooHigh { .. } => "price-too-high",
				RefusalReason::BelowBreakEven { .. } => "below-break-even",
				RefusalReason::NoQuote { .. } => "no-quote",
				RefusalReason::BelowReserve { .. } => "below-reserve",
			},
			sentence: format::refusal(refusal),
		}
	}
}

/// A break-even sum.
#[derive(Serialize)]
pub(crate) struct QuoteView {
	power_milliwatts: u32,
	power_source: String,
	pue_ppm: u32,
	duration_millis: u64,
	energy_milliwatt_hours: u64,
	micro_per_kwh: u32,
	currency: String,
	rate: Planck,
	energy_cost: Planck,
	fixed_fee: Planck,
	protocol_fee_ppm: u32,
	margin_ppm: u32,
	break_even: Planck,
}

impl From<&BreakEven> for QuoteView {
	fn from(quote: &BreakEven) -> Self {
		Self {
			power_milliwatts: quote.power.0,
			power_source: name(&quote.power_source),
			pue_ppm: quote.pue.0,
			duration_millis: quote.duration_millis,
			energy_milliwatt_hours: quote.energy.0,
			micro_per_kwh: quote.micro_per_kwh,
			currency: format::currency(quote.currency),
			rate: Planck(quote.rate),
			energy_cost: Planck(quote.energy_cost),
			fixed_fee: Planck(quote.fixed_fee),
			protocol_fee_ppm: quote.protocol_fee.0,
			margin_ppm: quote.margin.0,
			break_even: Planck(quote.break_even),
		}
	}
}

/// A device's ask.
#[derive(Serialize)]
pub(crate) struct AskView {
	pub(crate) device: u32,
	pub(crate) price_per_gfuel: Planck,
	pub(crate) reserve_per_gfuel: Option<Planck>,
}

impl AskView {
	pub(crate) fn new(device: u32, terms: &AskTerms) -> Self {
		Self {
			device,
			price_per_gfuel: Planck(terms.price_per_gfuel),
			reserve_per_gfuel: terms.reserve_per_gfuel.map(Planck),
		}
	}
}

/// What an order asks for.
#[derive(Serialize)]
pub(crate) struct SpecView {
	pub(crate) module: String,
	pub(crate) input: String,
	pub(crate) max_fuel: u64,
	max_memory_mib: u32,
	max_duration_millis: u64,
	pub(crate) max_price_per_gfuel: Planck,
	min_tier: String,
	min_availability_ppm: u32,
	min_steps_per_second: u64,
	region: Option<u16>,
	pub(crate) deadline: Moment,
}

impl From<&OrderSpec> for SpecView {
	fn from(spec: &OrderSpec) -> Self {
		Self {
			module: format!("{:?}", spec.module),
			input: format!("{:?}", spec.input),
			max_fuel: spec.max_fuel,
			max_memory_mib: spec.max_memory_mib,
			max_duration_millis: spec.max_duration_millis,
			max_price_per_gfuel: Planck(spec.max_price_per_gfuel),
			min_tier: name(&spec.min_tier),
			min_availability_ppm: spec.min_availability.0,
			min_steps_per_second: spec.min_steps_per_second,
			region: spec.region.map(|region| region.0),
			deadline: spec.deadline,
		}
	}
}

/// What a provider reported.
#[derive(Serialize)]
pub(crate) struct ReportView {
	pub(crate) status: String,
	pub(crate) output: String,
	output_len: u64,
	pub(crate) fuel: u64,
}

impl From<&RunReport> for ReportView {
	fn from(report: &RunReport) -> Self {
		Self {
			status: name(&report.status),
			output: format!("{:?}", report.output),
			output_len: report.output_len,
			fuel: report.fuel,
		}
	}
}

/// A settled lease.
#[derive(Serialize)]
pub(crate) struct ReceiptView {
	lease: u64,
	order: u64,
	device: u32,
	tenant: String,
	provider: String,
	pub(crate) outcome: String,
	report: Option<ReportView>,
	escrow: Planck,
	paid: Planck,
	fee: Planck,
	refunded: Planck,
	settled_at: Moment,
}

impl From<&Receipt<AccountId32>> for ReceiptView {
	fn from(receipt: &Receipt<AccountId32>) -> Self {
		Self {
			lease: receipt.lease.0,
			order: receipt.order.0,
			device: receipt.device.0,
			tenant: receipt.tenant.to_string(),
			provider: receipt.provider.to_string(),
			outcome: name(&receipt.outcome),
			report: receipt.report.as_ref().map(ReportView::from),
			escrow: Planck(receipt.escrow),
			paid: Planck(receipt.paid),
			fee: Planck(receipt.fee),
			refunded: Planck(receipt.refunded),
			settled_at: receipt.settled_at,
		}
	}
}

impl ReceiptView {
	/// Rows for a table.
	pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
		let report = self.report.as_ref();
		vec![
			("lease", self.lease.to_string()),
			("order", self.order.to_string()),
			("device", self.device.to_string()),
			("tenant", self.tenant.clone()),
			("provider", self.provider.clone()),
			("outcome", self.outcome.clone()),
			("run", or_dash(&report.map(|report| &report.status))),
			("output", or_dash(&report.map(|report| &report.output))),
			("fuel", or_dash(&report.map(|report| report.fuel))),
			("escrow", self.escrow.to_string()),
			("paid", self.paid.to_string()),
			("protocol fee", self.fee.to_string()),
			("refunded", self.refunded.to_string()),
		]
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::{
		device::{DeviceStatus, Tier},
		lease::{LeaseOutcome, RunStatus},
		DeviceId, LeaseId, OrderId, H256,
	};
	use serde_json::json;

	#[test]
	fn money_should_be_a_decimal_string() {
		assert_eq!(
			serde_json::to_string(&Planck(u128::MAX)).unwrap(),
			format!("\"{}\"", u128::MAX)
		);
		assert_eq!(Planck(1_500_000_000_000).to_string(), "1.5 ARMA");
	}

	#[test]
	fn names_should_be_kebab_case() {
		assert_eq!(name(&DeviceStatus::Active), "active");
		assert_eq!(name(&Tier::T0), "t0");
		assert_eq!(name(&LeaseOutcome::WorkloadFailed), "workload-failed");
		assert_eq!(name(&RunStatus::OutputTooLarge), "output-too-large");
		assert_eq!(name(&RefusalReason::Memory { has_mib: 1 }), "-");
	}

	#[test]
	fn moments_should_be_told_from_now() {
		assert_eq!(when(5_000, 2_000), "in 3.0 s");
		assert_eq!(when(2_000, 62_000), "1 min 0 s ago");
	}

	#[test]
	fn receipts_should_have_the_documented_fields() {
		let receipt = Receipt {
			lease: LeaseId(7),
			order: OrderId(6),
			device: DeviceId(5),
			tenant: AccountId32([1; 32]),
			provider: AccountId32([2; 32]),
			outcome: LeaseOutcome::Completed,
			report: Some(RunReport {
				status: RunStatus::Success,
				output: H256([3; 32]),
				output_len: 7,
				fuel: 9,
			}),
			escrow: u128::from(u64::MAX) + 10,
			paid: 4,
			fee: 1,
			refunded: 5,
			settled_at: 8,
		};
		let shown = serde_json::to_value(ReceiptView::from(&receipt)).unwrap();
		assert_eq!(shown["escrow"], json!("18446744073709551625"));
		assert_eq!(shown["outcome"], json!("completed"));
		assert_eq!(shown["lease"], json!(7));
		assert_eq!(shown["report"]["status"], json!("success"));
		assert_eq!(shown["report"]["output"], json!(format!("0x{}", "03".repeat(32))));
	}

	#[test]
	fn refusals_should_carry_the_sentence_of_the_economics_crate() {
		let refusal =
			Refusal { device: Some(DeviceId(3)), reason: RefusalReason::Memory { has_mib: 64 } };
		let view = RefusalView::from(&refusal);
		assert_eq!(view.reason, "memory");
		assert_eq!(view.sentence, "device 3: the device has shown to have 64 MiB of memory only");
	}
}
