//! `armature ask`.

use crate::{
	cli::Ask,
	context::{self, Context},
	show::{or_dash, AskView, Done},
};
use anyhow::Result;
use armature_primitives::market::AskTerms;
use armature_sdk::{api, query, Static};
use serde::Serialize;

#[derive(Serialize)]
struct Withdrawn {
	device: u32,
}

pub(crate) async fn run(context: &Context, command: Ask) -> Result<()> {
	match command {
		Ask::Set { device, price, reserve } => {
			context::device(&context.best().await?, device).await?;
			let terms = AskTerms { price_per_gfuel: price, reserve_per_gfuel: reserve };
			let included = context
				.submit(&api::tx().market().set_ask(Static(device), Static(terms)))
				.await?;
			let done = Done::new(&included, AskView::new(device.0, &terms));
			context.output.record(&done, |done| {
				done.rows(vec![
					("device", done.of.device.to_string()),
					("price for 10^9 fuel", done.of.price_per_gfuel.to_string()),
					("reserve", or_dash(&done.of.reserve_per_gfuel)),
				])
			})
		},
		Ask::Withdraw { device } => {
			let included = context.submit(&api::tx().market().withdraw_ask(Static(device))).await?;
			let done = Done::new(&included, Withdrawn { device: device.0 });
			context
				.output
				.record(&done, |done| done.rows(vec![("device", done.of.device.to_string())]))
		},
		Ask::List => {
			let rows: Vec<_> = query::asks(&context.best().await?)
				.await?
				.iter()
				.map(|(device, terms)| AskView::new(device.0, terms))
				.collect();
			context
				.output
				.rows(&["device", "price for 10^9 fuel", "reserve"], &rows, |row| {
					vec![
						row.device.to_string(),
						row.price_per_gfuel.to_string(),
						or_dash(&row.reserve_per_gfuel),
					]
				})
		},
	}
}
