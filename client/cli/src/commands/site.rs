//! `armature site`.

use crate::{
	amount::parse_millionths,
	cli::{Site, TariffArgs},
	context::{self, Context, Usage},
	show::{Done, Planck},
};
use anyhow::{bail, ensure, Context as _, Result};
use armature_economics::format;
use armature_primitives::{
	energy::{Tariff, HOURS_PER_DAY},
	MilliWatts, Ppm, SiteId,
};
use armature_sdk::{api, query, AtBlock, Included, Static};
use serde::Serialize;
use std::{fs, path::Path};

/// The largest tariff file that is read, in bytes.
const MAX_TARIFF_FILE: u64 = 4 * 1024;

#[derive(Serialize)]
struct Added {
	site: u32,
	region: u16,
	tariff: Option<TariffView>,
}

#[derive(Serialize)]
struct Subject {
	site: u32,
}

#[derive(Serialize)]
struct TariffView {
	currency: String,
	/// By UTC hour, in millionths of the currency.
	micro_per_kwh: [u32; HOURS_PER_DAY],
}

impl From<&Tariff> for TariffView {
	fn from(tariff: &Tariff) -> Self {
		Self { currency: format::currency(tariff.currency), micro_per_kwh: tariff.micro_per_kwh }
	}
}

impl TariffView {
	fn of(tariff: &Tariff) -> String {
		let (min, max) = (
			tariff.micro_per_kwh.iter().min().copied().unwrap_or(0),
			tariff.micro_per_kwh.iter().max().copied().unwrap_or(0),
		);
		let max_text = format::energy_price(max, tariff.currency);
		if min == max {
			max_text
		} else {
			format!("{} to {max_text}", format::energy_price(min, tariff.currency))
		}
	}
}

#[derive(Serialize)]
struct Row {
	id: u32,
	region: u16,
	power_cap_milliwatts: u32,
	pue_ppm: u32,
	racks: u32,
	devices: u32,
	deposit: Planck,
	tariff: Option<TariffView>,
	#[serde(skip)]
	tariff_text: String,
}

pub(crate) async fn run(context: &Context, command: Site) -> Result<()> {
	match command {
		Site::Add { region, power_cap, pue, tariff } => {
			// Read before anything is written: a bad file must not leave a site behind.
			let tariff = tariff.read()?;
			let call = api::tx().devices().register_site(
				Static(region),
				Static(watts(power_cap)?),
				Static(Ppm(pue)),
			);
			let included = context.submit(&call).await?;
			let event: api::devices::events::SiteRegistered =
				included.expect("Devices.register_site", "SiteRegistered")?;
			let site = event.site.0;
			if let Some(tariff) = &tariff {
				let call = api::tx().energy().set_tariff(Static(site), Static(tariff.clone()));
				context.submit(&call).await.with_context(|| {
					format!("site {site} is registered, but setting its tariff failed")
				})?;
			}
			let added = Added {
				site: site.0,
				region: region.0,
				tariff: tariff.as_ref().map(TariffView::from),
			};
			context.output.record(&Done::new(&included, added), |done| {
				done.rows(vec![
					("site", done.of.site.to_string()),
					("region", done.of.region.to_string()),
					("tariff", tariff.as_ref().map_or_else(|| "-".into(), TariffView::of)),
				])
			})
		},
		Site::List { who } => {
			let who = context.who(who)?;
			let at = context.best().await?;
			let mut rows = Vec::new();
			for (id, site) in query::sites(&at, Some(&who)).await? {
				let tariff = query::tariff(&at, id).await?;
				rows.push(Row {
					id: id.0,
					region: site.region.0 .0,
					power_cap_milliwatts: site.power_cap.0 .0,
					pue_ppm: site.pue.0 .0,
					racks: site.racks,
					devices: site.devices,
					deposit: Planck(site.deposit),
					tariff_text: tariff.as_ref().map_or_else(|| "-".into(), TariffView::of),
					tariff: tariff.as_ref().map(TariffView::from),
				});
			}
			let headings = ["site", "region", "power cap", "PUE", "racks", "devices", "tariff"];
			context.output.rows(&headings, &rows, |row| {
				vec![
					row.id.to_string(),
					row.region.to_string(),
					format::kilowatts(MilliWatts(row.power_cap_milliwatts)),
					format::percent(Ppm(row.pue_ppm)),
					row.racks.to_string(),
					row.devices.to_string(),
					row.tariff_text.clone(),
				]
			})
		},
		Site::Tariff { site, tariff, clear } => {
			let at = context.best().await?;
			context::site(&at, site).await?;
			let included = if clear {
				context.submit(&api::tx().energy().clear_tariff(Static(site))).await?
			} else if let Some(tariff) = tariff.read()? {
				context
					.submit(&api::tx().energy().set_tariff(Static(site), Static(tariff)))
					.await?
			} else {
				return show_tariff(context, &at, site).await;
			};
			done(context, &included, site)
		},
		Site::Update { site, power_cap, pue } => {
			let found = context::site(&context.best().await?, site).await?;
			if power_cap.is_none() && pue.is_none() {
				return Err(
					Usage("nothing to change: give --power-cap, --pue or both".into()).into()
				);
			}
			let power_cap = power_cap.map_or(Ok(found.power_cap.0), watts)?;
			let pue = pue.map_or(found.pue.0, Ppm);
			let call =
				api::tx().devices().update_site(Static(site), Static(power_cap), Static(pue));
			done(context, &context.submit(&call).await?, site)
		},
		Site::Remove { site } => {
			let included = context.submit(&api::tx().devices().remove_site(Static(site))).await?;
			done(context, &included, site)
		},
	}
}

fn done(context: &Context, included: &Included, site: SiteId) -> Result<()> {
	context.output.record(&Done::new(included, Subject { site: site.0 }), |done| {
		done.rows(vec![("site", done.of.site.to_string())])
	})
}

async fn show_tariff(context: &Context, at: &AtBlock, site: SiteId) -> Result<()> {
	let Some(tariff) = query::tariff(at, site).await? else {
		bail!("site {site} has no tariff; set one with --currency EUR --tariff 0.29");
	};
	context.output.record(&TariffView::from(&tariff), |view| {
		let mut rows = vec![("currency", view.currency.clone())];
		rows.extend(view.micro_per_kwh.iter().enumerate().map(|(hour, price)| {
			let price = format::energy_price(*price, tariff.currency);
			("UTC hour", format!("{hour:02}: {price}"))
		}));
		rows
	})
}

fn watts(watts: u32) -> Result<MilliWatts> {
	watts
		.checked_mul(1_000)
		.map(MilliWatts)
		.with_context(|| format!("a power cap of {watts} W is more than the chain can hold"))
}

impl TariffArgs {
	/// The tariff that the flags name, if any.
	fn read(&self) -> Result<Option<Tariff>> {
		let Some(currency) = self.currency else { return Ok(None) };
		let micro_per_kwh = match (self.tariff, &self.tariff_file) {
			(Some(price), _) => [price; HOURS_PER_DAY],
			(None, Some(path)) => read_prices(path)?,
			(None, None) => {
				return Err(Usage("--currency needs --tariff or --tariff-file".into()).into())
			},
		};
		Ok(Some(Tariff { currency, micro_per_kwh }))
	}
}

fn read_prices(path: &Path) -> Result<[u32; HOURS_PER_DAY]> {
	let reading = || format!("reading the tariff file {}", path.display());
	ensure!(
		fs::metadata(path).with_context(reading)?.len() <= MAX_TARIFF_FILE,
		"the tariff file {} is over {MAX_TARIFF_FILE} bytes",
		path.display()
	);
	parse_prices(&fs::read_to_string(path).with_context(reading)?).with_context(reading)
}

/// Prices separated by blanks, line ends or commas; `#` starts a comment.
fn parse_prices(text: &str) -> Result<[u32; HOURS_PER_DAY]> {
	let prices = text
		.lines()
		.map(|line| line.split('#').next().unwrap_or_default())
		.flat_map(|line| line.split(|c: char| c.is_whitespace() || c == ','))
		.filter(|price| !price.is_empty())
		.map(parse_millionths)
		.collect::<Result<Vec<_>>>()?;
	let count = prices.len();
	prices
		.try_into()
		.map_err(|_| anyhow::anyhow!("a tariff has {HOURS_PER_DAY} prices, not {count}"))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn prices_should_be_read_in_order_of_hours() {
		let text = (0..24).map(|hour| format!("0.{hour:02} # hour {hour}\n")).collect::<String>();
		let prices = parse_prices(&text).unwrap();
		assert_eq!((prices[0], prices[1], prices[23]), (0, 10_000, 230_000));
		assert_eq!(parse_prices(&["0.3"; 24].join(", ")).unwrap(), [300_000; 24]);
	}

	#[test]
	fn wrong_tariff_files_should_say_what_is_wrong() {
		let few = parse_prices("0.1 0.2").unwrap_err().to_string();
		assert!(few.contains("24 prices, not 2"), "{few}");
		let many = parse_prices(&"0.1 ".repeat(25)).unwrap_err().to_string();
		assert!(many.contains("not 25"), "{many}");
		assert!(parse_prices(&"x ".repeat(24)).unwrap_err().to_string().contains('x'));
	}

	#[test]
	fn power_caps_should_be_milliwatts() {
		assert_eq!(watts(3_000).unwrap(), MilliWatts(3_000_000));
		assert!(watts(u32::MAX).unwrap_err().to_string().contains("4294967295"));
	}
}
