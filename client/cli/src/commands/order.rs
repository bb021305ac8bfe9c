//! `armature order`.

use crate::{
	cli::{Order, Submit},
	commands::{
		blob::Store,
		job::Job,
		watch::{watch, Watched},
	},
	context::Context,
	output::Progress,
	show::{or_dash, when, Done, Planck, RefusalView, SpecView},
};
use anyhow::{bail, ensure, Context as _, Result};
use armature_primitives::OrderId;
use armature_sandbox::Sandbox;
use armature_sdk::{
	api,
	query::{self, MatchedOrder, OpenOrder},
	AccountId32, Included, Static,
};
use serde::Serialize;

#[derive(Serialize)]
struct Submitted {
	order: u64,
	escrow: Planck,
	module: String,
	input: String,
	deadline: u64,
}

#[derive(Serialize)]
struct Subject {
	order: u64,
}

#[derive(Serialize)]
struct Row {
	order: u64,
	/// `open` or `matched`.
	state: &'static str,
	tenant: String,
	lease: Option<u64>,
	price_per_gfuel: Option<Planck>,
	escrow: Option<Planck>,
	spec: Option<SpecView>,
	last_refusal: Option<RefusalView>,
}

impl Row {
	fn open(id: OrderId, order: &OpenOrder<AccountId32>) -> Self {
		Self {
			order: id.0,
			state: "open",
			tenant: order.tenant.to_string(),
			lease: None,
			price_per_gfuel: None,
			escrow: Some(Planck(order.escrow)),
			spec: Some(SpecView::from(&order.spec.0)),
			last_refusal: order.last_refusal.as_ref().map(|refusal| RefusalView::from(&refusal.0)),
		}
	}

	fn matched(id: OrderId, order: &MatchedOrder<AccountId32>) -> Self {
		Self {
			order: id.0,
			state: "matched",
			tenant: order.tenant.to_string(),
			lease: Some(order.lease.0 .0),
			price_per_gfuel: Some(Planck(order.price_per_gfuel)),
			escrow: None,
			spec: None,
			last_refusal: None,
		}
	}
}

pub(crate) async fn run(context: &Context, command: Order) -> Result<()> {
	match command {
		Order::Submit(submit) => self::submit(context, submit).await,
		Order::Show { id } => show(context, id).await,
		Order::List { who } => list(context, who).await,
		Order::Cancel { id } => {
			let call = api::tx().market().cancel_order(Static(id));
			done(context, &context.submit(&call).await?, id)
		},
		Order::TopUp { id, price } => {
			let call = api::tx().market().top_up_order(Static(id), price);
			done(context, &context.submit(&call).await?, id)
		},
		Order::Expire { id } => {
			let call = api::tx().market().expire_order(Static(id));
			done(context, &context.submit(&call).await?, id)
		},
	}
}

fn done(context: &Context, included: &Included, id: OrderId) -> Result<()> {
	context.output.record(&Done::new(included, Subject { order: id.0 }), |done| {
		done.rows(vec![("order", done.of.order.to_string())])
	})
}

async fn submit(context: &Context, submit: Submit) -> Result<()> {
	let account = context.account()?;
	let job = Job::load(&submit.job)?;
	let chain = context.chain().await?;
	let progress = Progress::start("checking the module");
	check_module(&job).await?;
	progress.say("uploading module and input");
	let store = Store::open(context, job.region()).await?;
	store.put(&account, &job.module).await.context("uploading the module")?;
	store.put(&account, &job.input).await.context("uploading the input")?;

	progress.say("submitting the order");
	let at = chain.best().await?;
	let spec = job.spec_at(query::now(&at).await?);
	let call = api::tx().market().submit_order(Static(spec.clone()));
	let included = context.submit(&call).await?;
	let event: api::market::events::OrderSubmitted =
		included.expect("Market.submit_order", "OrderSubmitted")?;
	let order = event.order.0;
	if submit.watch {
		let watched = Watched { order, spec, from_block: at.block_number() };
		return watch(context, &account, watched, &submit, progress).await;
	}
	drop(progress);
	let submitted = Submitted {
		order: order.0,
		escrow: Planck(event.escrow),
		module: format!("{:?}", spec.module),
		input: format!("{:?}", spec.input),
		deadline: spec.deadline,
	};
	context.output.record(&Done::new(&included, submitted), |done| {
		done.rows(vec![
			("order", done.of.order.to_string()),
			("escrow", done.of.escrow.to_string()),
			("module", done.of.module.clone()),
			("input", done.of.input.clone()),
		])
	})
}

/// Refuses here what every provider would decline.
async fn check_module(job: &Job) -> Result<()> {
	let (module, within) = (job.module.clone(), job.max_duration());
	tokio::task::spawn_blocking(move || Sandbox::new()?.validate(&module, within))
		.await
		.context("checking the module")?
		.context("no device would run this module")
}

async fn show(context: &Context, id: OrderId) -> Result<()> {
	let at = context.best().await?;
	let now = query::now(&at).await?;
	let row = if let Some(order) = query::open_order(&at, id).await? {
		Row::open(id, &order)
	} else if let Some(order) = query::matched_order(&at, id).await? {
		Row::matched(id, &order)
	} else {
		bail!(
			"there is no open or matched order {id}; the receipt of one that has ended is under \
			 its lease: armature lease receipt LEASE"
		);
	};
	context.output.record(&row, |row| {
		let mut rows = vec![
			("order", row.order.to_string()),
			("state", row.state.to_string()),
			("tenant", row.tenant.clone()),
			("lease", or_dash(&row.lease)),
			("price for 10^9 fuel", or_dash(&row.price_per_gfuel)),
			("escrow", or_dash(&row.escrow)),
		];
		if let Some(spec) = &row.spec {
			rows.push(("limit for 10^9 fuel", spec.max_price_per_gfuel.to_string()));
			rows.push(("fuel limit", spec.max_fuel.to_string()));
			rows.push(("module", spec.module.clone()));
			rows.push(("input", spec.input.clone()));
			rows.push(("lapses", when(spec.deadline, now)));
		}
		if let Some(refusal) = &row.last_refusal {
			rows.push(("last refusal", refusal.sentence.clone()));
		}
		rows
	})
}

async fn list(context: &Context, who: Option<AccountId32>) -> Result<()> {
	let at = context.best().await?;
	let ours = |tenant: &AccountId32| who.as_ref().is_none_or(|who| who == tenant);
	let mut rows = Vec::new();
	for (id, order) in query::open_orders(&at).await? {
		if ours(&order.tenant) {
			rows.push(Row::open(id, &order));
		}
	}
	for (id, order) in query::matched_orders(&at).await? {
		if ours(&order.tenant) {
			rows.push(Row::matched(id, &order));
		}
	}
	rows.sort_by_key(|row| row.order);
	let headings = ["order", "state", "tenant", "lease", "escrow", "last refusal"];
	context.output.rows(&headings, &rows, |row| {
		vec![
			row.order.to_string(),
			row.state.to_string(),
			row.tenant.clone(),
			or_dash(&row.lease),
			or_dash(&row.escrow),
			row.last_refusal.as_ref().map_or_else(|| "-".into(), |r| r.sentence.clone()),
		]
	})
}

/// Checks what was downloaded against what the provider reported.
pub(crate) fn check_output(
	bytes: &[u8],
	report: &armature_primitives::lease::RunReport,
) -> Result<()> {
	ensure!(
		u64::try_from(bytes.len()) == Ok(report.output_len),
		"the result has {} bytes where {} were reported",
		bytes.len(),
		report.output_len
	);
	let hash = super::job::digest(bytes);
	ensure!(
		hash == report.output,
		"the result's hash is {hash:?} where {:?} was reported",
		report.output
	);
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::commands::job::digest;
	use armature_primitives::lease::{RunReport, RunStatus};

	#[test]
	fn output_should_be_checked_by_length_and_hash() {
		let report = RunReport {
			status: RunStatus::Success,
			output: digest(b"148933\n"),
			output_len: 7,
			fuel: 1,
		};
		assert!(check_output(b"148933\n", &report).is_ok());
		let changed = check_output(b"148934\n", &report).unwrap_err().to_string();
		assert!(changed.contains("hash"), "{changed}");
		let short = check_output(b"148933", &report).unwrap_err().to_string();
		assert!(short.contains("6 bytes where 7"), "{short}");
	}
}
