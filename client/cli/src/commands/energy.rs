//! `armature energy`.

use crate::{
	cli::Energy,
	commands::device::LedgerView,
	context::{self, Context},
	show::{or_dash, when, Done, Planck, QuoteView},
};
use anyhow::{anyhow, bail, Context as _, Result};
use armature_economics::{format, pricing};
use armature_primitives::{
	energy::{BreakEven, CurrencyCode},
	units::MILLIS_PER_HOUR,
	Balance, DeviceId,
};
use armature_sdk::{api, query, AtBlock, Static};
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
struct Quoted {
	device: u32,
	sum: String,
	quote: QuoteView,
}

#[derive(Serialize)]
struct Floor {
	device: u32,
	price_per_gfuel: Planck,
	fuel: u64,
	sum: String,
	quote: QuoteView,
}

#[derive(Serialize)]
struct Profit {
	device: u32,
	#[serde(flatten)]
	ledger: LedgerView,
	/// Planck; below zero when the electricity cost more than the work earned.
	net: String,
	/// The mean over the ledger's time; `null` for an empty one.
	net_per_hour: Option<String>,
}

#[derive(Serialize)]
struct Rate {
	currency: String,
	/// Planck for one unit; `null` while too few fresh rates exist.
	rate: Option<Planck>,
}

pub(crate) async fn run(context: &Context, command: Energy) -> Result<()> {
	match command {
		Energy::Quote { device, duration, lanes } => {
			show_quote(context, device, duration, lanes).await
		},
		Energy::BreakEven { device, fuel } => break_even(context, device, fuel).await,
		Energy::Profit { device } => profit(context, device).await,
		Energy::Rate { currency } => {
			let rate = query::rate(&context.best().await?, currency).await?;
			let shown = Rate { currency: format::currency(currency), rate: rate.map(Planck) };
			context.output.record(&shown, |shown| {
				let rate = shown.rate.map_or_else(
					|| "unknown: too few fresh rates".to_owned(),
					|rate| format!("{rate} for one {}", shown.currency),
				);
				vec![("currency", shown.currency.clone()), ("rate", rate)]
			})
		},
		Energy::Feed { currency, rate } => feed(context, currency, rate).await,
	}
}

async fn feed(context: &Context, currency: CurrencyCode, rate: Balance) -> Result<()> {
	let included = context.submit(&api::tx().energy().submit_rate(Static(currency), rate)).await?;
	let fed = Rate { currency: format::currency(currency), rate: Some(Planck(rate)) };
	context.output.record(&Done::new(&included, fed), |done| {
		done.rows(vec![("currency", done.of.currency.clone()), ("rate", or_dash(&done.of.rate))])
	})
}

/// The chain's own sum, from now on.
async fn quote(
	at: &AtBlock,
	device: DeviceId,
	lanes: u16,
	duration_millis: u64,
) -> Result<BreakEven> {
	context::device(at, device).await?;
	let start = query::now(at).await?;
	query::quote(at, device, lanes, duration_millis, start).await?.map_err(|error| {
		anyhow!("device {device} has no break-even: {}", format::quote_error(error))
	})
}

async fn show_quote(
	context: &Context,
	device: DeviceId,
	duration: Duration,
	lanes: u16,
) -> Result<()> {
	let millis = u64::try_from(duration.as_millis()).context("the duration is too long")?;
	let quote = quote(&context.best().await?, device, lanes, millis).await?;
	let shown = Quoted {
		device: device.0,
		sum: format::least_payout(&quote),
		quote: QuoteView::from(&quote),
	};
	context.output.record(&shown, |shown| {
		vec![
			("device", shown.device.to_string()),
			("least payout", Planck(quote.break_even).to_string()),
			("electricity", Planck(quote.energy_cost).to_string()),
			("sum", shown.sum.clone()),
		]
	})
}

async fn break_even(context: &Context, device: DeviceId, fuel: u64) -> Result<()> {
	let at = context.best().await?;
	context::device(&at, device).await?;
	let Some(cpu) = query::performance(&at, device).await?.cpu else {
		bail!(
			"device {device} has no fresh score of its speed: its agent must pass a challenge of \
			 its lanes first"
		);
	};
	let speed = pricing::fuel_rate(cpu.steps_per_second_per_lane, query::fuel_per_step(&at).await?)
		.and_then(|rate| pricing::duration_millis(fuel, rate))
		.map_err(|error| anyhow!("computing how long {fuel} fuel takes: {error}"))?;
	let quote = quote(&at, device, 1, speed).await?;
	let price = pricing::price_floor_per_gfuel(quote.break_even, fuel)
		.map_err(|error| anyhow!("computing the price: {error}"))?;
	let shown = Floor {
		device: device.0,
		price_per_gfuel: Planck(price),
		fuel,
		sum: format::least_payout(&quote),
		quote: QuoteView::from(&quote),
	};
	context.output.record(&shown, |shown| {
		vec![
			("device", shown.device.to_string()),
			("least price for 10^9 fuel", shown.price_per_gfuel.to_string()),
			("for a job of", format!("{} fuel", shown.fuel)),
			("sum", shown.sum.clone()),
		]
	})
}

async fn profit(context: &Context, device: DeviceId) -> Result<()> {
	let at = context.best().await?;
	context::device(&at, device).await?;
	let now = query::now(&at).await?;
	let Some(ledger) = query::ledger(&at, device).await? else {
		bail!("device {device} has no ledger yet: nothing was earned and no energy was booked");
	};
	let net = net(ledger.income, ledger.energy_cost)?;
	let shown = Profit {
		device: device.0,
		net: net.to_string(),
		net_per_hour: per_hour(net, now.saturating_sub(ledger.since)).map(|net| net.to_string()),
		ledger: LedgerView::from(&ledger),
	};
	context.output.record(&shown, |shown| {
		let ledger = &shown.ledger;
		vec![
			("device", shown.device.to_string()),
			("since", when(ledger.since, now)),
			("income", ledger.income.to_string()),
			("electricity", ledger.energy_cost.to_string()),
			("energy", format!("{} mWh", ledger.energy_milliwatt_hours)),
			("of it without a price", format!("{} mWh", ledger.unpriced_milliwatt_hours)),
			("net", format!("{} plk", shown.net)),
			("net per hour", or_dash(&shown.net_per_hour.as_ref().map(|net| format!("{net} plk")))),
		]
	})
}

fn net(income: Balance, cost: Balance) -> Result<i128> {
	let signed = |amount: Balance| i128::try_from(amount).context("an amount is out of range");
	Ok(signed(income)?.saturating_sub(signed(cost)?))
}

fn per_hour(net: i128, millis: u64) -> Option<i128> {
	net.checked_mul(MILLIS_PER_HOUR.into())?.checked_div(millis.into())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn net_should_be_signed() {
		assert_eq!(net(5, 8).unwrap(), -3);
		assert_eq!(net(8, 5).unwrap(), 3);
		let error = net(u128::MAX, 0).unwrap_err();
		assert_eq!(error.to_string(), "an amount is out of range");
	}

	#[test]
	fn net_per_hour_should_be_a_mean_and_unknown_for_no_time() {
		assert_eq!(per_hour(-30, MILLIS_PER_HOUR / 2), Some(-60));
		assert_eq!(per_hour(30, 2 * MILLIS_PER_HOUR), Some(15));
		assert_eq!(per_hour(30, 0), None);
	}
}
