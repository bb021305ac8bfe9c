//! `armature lease`.

use crate::{
	cli::Lease,
	commands::outcome::{outcome_text, state_name},
	context::{self, Context},
	show::{or_dash, when, Done, Planck, ReceiptView, ReportView, SpecView},
};
use anyhow::{bail, Result};
use armature_primitives::{LeaseId, Moment};
use armature_sdk::{
	api,
	query::{self, LeaseState},
	AccountId32, Included, Static,
};
use serde::Serialize;

#[derive(Serialize)]
struct Row {
	lease: u64,
	order: u64,
	device: u32,
	site: u32,
	tenant: String,
	provider: String,
	state: &'static str,
	/// The last moment of the state.
	until: Moment,
	price_per_gfuel: Planck,
	escrow: Planck,
	power_milliwatts: u32,
	opened_at: Moment,
	verifier: Option<String>,
	report: Option<ReportView>,
	spec: SpecView,
}

fn row(id: LeaseId, lease: &query::Lease<AccountId32>) -> Row {
	let (until, report, verifier) = match &lease.state {
		LeaseState::Offered { ack_by } => (*ack_by, None, None),
		LeaseState::Acknowledged { start_by } => (*start_by, None, None),
		LeaseState::Running { finish_by, .. } => (*finish_by, None, None),
		LeaseState::Reported { report, accept_by } => {
			(*accept_by, Some(ReportView::from(&report.0)), None)
		},
		LeaseState::Disputed { report, resolve_by, verifier, .. } => {
			(*resolve_by, Some(ReportView::from(&report.0)), Some(verifier.to_string()))
		},
	};
	Row {
		lease: id.0,
		order: lease.order.0 .0,
		device: lease.device.0 .0,
		site: lease.site.0 .0,
		tenant: lease.tenant.to_string(),
		provider: lease.provider.to_string(),
		state: state_name(lease),
		until,
		price_per_gfuel: Planck(lease.price_per_gfuel),
		escrow: Planck(lease.escrow),
		power_milliwatts: lease.power.0 .0,
		opened_at: lease.opened_at,
		verifier,
		report,
		spec: SpecView::from(&lease.spec.0),
	}
}

#[derive(Serialize)]
struct Subject {
	lease: u64,
	/// Where the lease stands now; `null` when it is settled.
	state: Option<&'static str>,
	receipt: Option<ReceiptView>,
}

pub(crate) async fn run(context: &Context, command: Lease) -> Result<()> {
	let (included, id) = match command {
		Lease::List { device, tenant } => {
			let at = context.best().await?;
			let now = query::now(&at).await?;
			let rows: Vec<_> = query::leases(&at)
				.await?
				.iter()
				.filter(|(_, lease)| device.is_none_or(|device| lease.device.0 == device))
				.filter(|(_, lease)| tenant.as_ref().is_none_or(|tenant| lease.tenant == *tenant))
				.map(|(id, lease)| row(*id, lease))
				.collect();
			let headings = ["lease", "order", "device", "state", "until", "escrow", "tenant"];
			return context.output.rows(&headings, &rows, |row| {
				vec![
					row.lease.to_string(),
					row.order.to_string(),
					row.device.to_string(),
					row.state.to_string(),
					when(row.until, now),
					row.escrow.to_string(),
					row.tenant.clone(),
				]
			});
		},
		Lease::Show { id } => return show(context, id).await,
		Lease::Receipt { id } => return receipt(context, id).await,
		Lease::Accept { id } => {
			(context.submit(&api::tx().leases().accept_result(Static(id))).await?, id)
		},
		Lease::Dispute { id } => {
			(context.submit(&api::tx().leases().dispute_result(Static(id))).await?, id)
		},
		Lease::Cancel { id } => {
			(context.submit(&api::tx().leases().cancel_lease(Static(id))).await?, id)
		},
		Lease::Settle { id } => {
			(context.submit(&api::tx().leases().settle_expired(Static(id))).await?, id)
		},
	};
	done(context, &included, id).await
}

async fn done(context: &Context, included: &Included, id: LeaseId) -> Result<()> {
	let at = context.best().await?;
	let state = query::lease(&at, id).await?.map(|lease| state_name(&lease));
	let settled: Option<api::leases::events::LeaseSettled> = included.find();
	let receipt = settled.map(|settled| ReceiptView::from(&settled.receipt.0));
	let subject = Subject { lease: id.0, state, receipt };
	context.output.record(&Done::new(included, subject), |done| {
		let mut rows = vec![("lease", done.of.lease.to_string())];
		match &done.of.receipt {
			Some(receipt) => rows.extend(receipt.rows().into_iter().skip(1)),
			None => rows.push(("state", done.of.state.unwrap_or("settled").to_string())),
		}
		done.rows(rows)
	})
}

async fn show(context: &Context, id: LeaseId) -> Result<()> {
	let at = context.best().await?;
	let now = query::now(&at).await?;
	let shown = row(id, &context::lease(&at, id).await?);
	context.output.record(&shown, |row| {
		let mut rows = vec![
			("lease", row.lease.to_string()),
			("order", row.order.to_string()),
			("state", row.state.to_string()),
			("until", when(row.until, now)),
			("device", row.device.to_string()),
			("site", row.site.to_string()),
			("tenant", row.tenant.clone()),
			("provider", row.provider.clone()),
			("price for 10^9 fuel", row.price_per_gfuel.to_string()),
			("escrow", row.escrow.to_string()),
			("module", row.spec.module.clone()),
			("input", row.spec.input.clone()),
			("fuel limit", row.spec.max_fuel.to_string()),
			("verifier", or_dash(&row.verifier)),
		];
		if let Some(report) = &row.report {
			rows.push(("run", report.status.clone()));
			rows.push(("output", report.output.clone()));
			rows.push(("fuel", report.fuel.to_string()));
		}
		rows
	})
}

async fn receipt(context: &Context, id: LeaseId) -> Result<()> {
	let at = context.best().await?;
	let Some(receipt) = query::receipt(&at, id).await? else {
		if query::lease(&at, id).await?.is_some() {
			bail!("lease {id} is still open; see `armature lease show {id}`");
		}
		bail!("the chain has no receipt of lease {id}: it never was, or it is too long ago");
	};
	context.output.record(&ReceiptView::from(&receipt), |view| {
		let mut rows = view.rows();
		rows.push(("meaning", outcome_text(receipt.outcome).to_string()));
		rows
	})
}
