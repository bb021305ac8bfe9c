//! `armature rack`.

use crate::{
	cli::Rack,
	context::{self, Context},
	show::Done,
};
use anyhow::Result;
use armature_sdk::{api, query, Static};
use serde::Serialize;

#[derive(Serialize)]
struct Subject {
	rack: u32,
}

#[derive(Serialize)]
struct Row {
	id: u32,
	site: u32,
	devices: u32,
}

pub(crate) async fn run(context: &Context, command: Rack) -> Result<()> {
	let (included, rack) = match command {
		Rack::Add { site } => {
			let included = context.submit(&api::tx().devices().register_rack(Static(site))).await?;
			let event: api::devices::events::RackRegistered =
				included.expect("Devices.register_rack", "RackRegistered")?;
			(included, event.rack.0 .0)
		},
		Rack::Remove { rack } => {
			(context.submit(&api::tx().devices().remove_rack(Static(rack))).await?, rack.0)
		},
		Rack::List { site } => {
			let at = context.best().await?;
			context::site(&at, site).await?;
			let rows: Vec<_> = query::racks(&at, site)
				.await?
				.into_iter()
				.map(|(id, rack)| Row { id: id.0, site: site.0, devices: rack.devices })
				.collect();
			return context.output.rows(&["rack", "site", "devices"], &rows, |row| {
				vec![row.id.to_string(), row.site.to_string(), row.devices.to_string()]
			});
		},
	};
	context.output.record(&Done::new(&included, Subject { rack }), |done| {
		done.rows(vec![("rack", done.of.rack.to_string())])
	})
}
