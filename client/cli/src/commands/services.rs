//! `armature orchestrator`, `armature verifier` and `armature agent`; their daemons are in
//! `daemons.rs`.

use crate::{
	cli::{Agent, Orchestrator, Verifier},
	commands::{
		daemons::{run_agent, run_orchestrator, run_verifier},
		evidence, position, verifier,
	},
	context::{local_now, Context},
	show::{name, or_dash, Done, Planck},
};
use anyhow::{bail, ensure, Context as _, Result};
use armature_agent::telemetry::{Collector, PowerConfig};
use armature_primitives::{service::MAX_ADDRESS_LEN, RegionId};
use armature_sdk::{api, bounded, query, Included, Static};
use serde::Serialize;
use std::{
	path::{Path, PathBuf},
	time::Duration,
};

/// What a telemetry sample is taken over: rates need a stretch of time.
const SAMPLE_TIME: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct Service {
	account: String,
	region: Option<u16>,
	address: String,
}

#[derive(Serialize)]
struct Changed {
	account: String,
}

#[derive(Serialize)]
struct Sample {
	taken_at: u64,
	power_milliwatts: u32,
	power_source: String,
	power_error_ppm: u32,
	load_ppm: u32,
	memory_ppm: u32,
	/// `null` when there is no sensor.
	temperature_tenths_celsius: Option<i16>,
	disk_free_mib: u64,
	received_bytes: u64,
	sent_bytes: u64,
}

pub(crate) async fn orchestrator(context: &Context, command: Orchestrator) -> Result<()> {
	match command {
		Orchestrator::Register { region, address } => {
			let included = register_orchestrator(context, region, &address).await?;
			registered(context, included.as_ref(), Some(region), address)
		},
		Orchestrator::Deregister => {
			let call = api::tx().uptime().deregister_orchestrator();
			changed(context, &context.submit(&call).await?)
		},
		Orchestrator::List { region } => {
			let rows: Vec<_> = query::orchestrators(&context.best().await?, region)
				.await?
				.into_iter()
				.map(|(who, region, address)| Service {
					account: who.to_string(),
					region: Some(region.0),
					address,
				})
				.collect();
			list(context, &rows)
		},
		Orchestrator::Run(options) => run_orchestrator(context, options).await,
	}
}

pub(crate) async fn verifier(context: &Context, command: Verifier) -> Result<()> {
	match command {
		Verifier::Register { address } => {
			let included = register_verifier(context, &address).await?;
			registered(context, included.as_ref(), None, address)
		},
		Verifier::Retire => {
			let call = api::tx().challenges().retire_verifier();
			changed(context, &context.submit(&call).await?)
		},
		Verifier::Withdraw { forfeit } => verifier::withdraw(context, forfeit).await,
		Verifier::Claim => verifier::claim(context).await,
		Verifier::List => verifier::list(context).await,
		Verifier::Show { who } => verifier::show(context, who).await,
		Verifier::Position(command) => position::of_verifier(context, command).await,
		Verifier::Evidence(options) => evidence::run(context, options).await,
		Verifier::Run(options) => run_verifier(context, options).await,
	}
}

pub(crate) async fn agent(context: &Context, command: Agent) -> Result<()> {
	match command {
		Agent::Run { config } => run_agent(context, config).await,
		Agent::Telemetry { config } => telemetry(context, config).await,
	}
}

fn list(context: &Context, rows: &[Service]) -> Result<()> {
	context.output.rows(&["account", "region", "address"], rows, |row| {
		vec![row.account.clone(), or_dash(&row.region), row.address.clone()]
	})
}

fn changed(context: &Context, included: &Included) -> Result<()> {
	let changed = Changed { account: context.account()?.id().to_string() };
	context.output.record(&Done::new(included, changed), |done| {
		done.rows(vec![("account", done.of.account.clone())])
	})
}

fn registered(
	context: &Context,
	included: Option<&Included>,
	region: Option<RegionId>,
	address: String,
) -> Result<()> {
	let account = context.account()?.id().to_string();
	let service = Service { account, region: region.map(|region| region.0), address };
	let rows = |service: &Service| {
		vec![
			("account", service.account.clone()),
			("region", or_dash(&service.region)),
			("address", service.address.clone()),
		]
	};
	match included {
		Some(included) => context
			.output
			.record(&Done::new(included, service), |done| done.rows(rows(&done.of))),
		// It was registered like that already.
		None => context.output.record(&service, rows),
	}
}

/// Registers the account or changes its address. `None` when nothing had to change.
pub(crate) async fn register_orchestrator(
	context: &Context,
	region: RegionId,
	address: &str,
) -> Result<Option<Included>> {
	let who = context.account()?.id();
	let bytes = address_bytes(address)?;
	let found = query::orchestrator(&context.best().await?, &who).await?;
	let Some(found) = found else {
		let address = bounded(bytes, MAX_ADDRESS_LEN, "the address")?;
		let call = api::tx().uptime().register_orchestrator(Static(region), address);
		return context.submit(&call).await.map(Some);
	};
	ensure!(
		found.region.0 == region,
		"the account is an orchestrator of region {}; run `armature orchestrator deregister` first",
		found.region.0
	);
	if found.address.0 == bytes {
		return Ok(None);
	}
	let address = bounded(bytes, MAX_ADDRESS_LEN, "the address")?;
	context.submit(&api::tx().uptime().update_orchestrator(address)).await.map(Some)
}

pub(crate) async fn register_verifier(
	context: &Context,
	address: &str,
) -> Result<Option<Included>> {
	let who = context.account()?.id();
	let bytes = address_bytes(address)?;
	let found = query::verifier(&context.best().await?, &who).await?;
	match found {
		Some(found) if found.retired_at.is_some() => bail!(
			"the account is a retired verifier; withdraw its bond with `armature verifier \
			 withdraw` before registering again"
		),
		Some(found) if found.address.0 == bytes => Ok(None),
		Some(_) => {
			let address = bounded(bytes, MAX_ADDRESS_LEN, "the address")?;
			context.submit(&api::tx().challenges().update_verifier(address)).await.map(Some)
		},
		None => {
			let address = bounded(bytes, MAX_ADDRESS_LEN, "the address")?;
			context
				.submit(&api::tx().challenges().register_verifier(address))
				.await
				.map(Some)
		},
	}
}

/// An address that others can dial, as the chain keeps it.
fn address_bytes(address: &str) -> Result<Vec<u8>> {
	let parsed: armature_p2p::Multiaddr = address.parse().with_context(|| {
		format!("{address} is no multiaddress such as /ip4/192.0.2.1/tcp/30400/p2p/ID")
	})?;
	ensure!(
		parsed.to_string().rsplit('/').nth(1) == Some("p2p"),
		"the address {address} must end in /p2p/<peer id>"
	);
	Ok(address.as_bytes().to_vec())
}

/// The power meter and folder of an agent's configuration, or the defaults.
pub(crate) fn meter_of(config: Option<&Path>) -> Result<(PowerConfig, PathBuf)> {
	match config {
		Some(path) => {
			let config = armature_agent::Config::load(path)?;
			Ok((config.power, config.data_dir))
		},
		None => Ok((PowerConfig::default(), PathBuf::from("/"))),
	}
}

async fn telemetry(context: &Context, config: Option<PathBuf>) -> Result<()> {
	let (power, folder) = meter_of(config.as_deref())?;
	let sample = tokio::task::spawn_blocking(move || {
		let mut collector = Collector::new(&power, &folder)?;
		std::thread::sleep(SAMPLE_TIME);
		anyhow::Ok(collector.sample(local_now()))
	})
	.await??;
	let shown = Sample {
		taken_at: sample.taken_at,
		power_milliwatts: sample.power.0,
		power_source: name(&sample.power_source),
		power_error_ppm: sample.power_error.0,
		load_ppm: sample.load.0,
		memory_ppm: sample.memory.0,
		temperature_tenths_celsius: (sample.temperature != i16::MIN).then_some(sample.temperature),
		disk_free_mib: sample.disk_free_mib,
		received_bytes: sample.received,
		sent_bytes: sample.sent,
	};
	context.output.record(&shown, |_| {
		use armature_economics::format::{kilowatts, percent};
		let temperature = (sample.temperature != i16::MIN)
			.then(|| format!("{:.1} degrees Celsius", f64::from(sample.temperature) / 10.0));
		vec![
			("power", kilowatts(sample.power)),
			(
				"power from",
				format!("{}, within {}", name(&sample.power_source), percent(sample.power_error)),
			),
			("load", percent(sample.load)),
			("memory", percent(sample.memory)),
			("temperature", or_dash(&temperature)),
			("free disk", format!("{} MiB", sample.disk_free_mib)),
		]
	})
}

/// What a bond costs, for messages.
pub(crate) fn needs(what: &str, amount: u128) -> String {
	format!("{what} takes {}", Planck(amount))
}

#[cfg(test)]
mod tests {
	use super::*;

	const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

	#[test]
	fn addresses_should_be_dialable() {
		assert!(address_bytes(&format!("/ip4/192.0.2.1/tcp/30400/p2p/{PEER}")).is_ok());
		assert!(address_bytes(&format!("/dns/a.example/udp/1/quic-v1/p2p/{PEER}")).is_ok());
		let bare = address_bytes("/ip4/192.0.2.1/tcp/30400").unwrap_err().to_string();
		assert!(bare.contains("/p2p/"), "{bare}");
		let socket = address_bytes("192.0.2.1:30400").unwrap_err().to_string();
		assert!(socket.contains("192.0.2.1:30400"), "{socket}");
	}
}
