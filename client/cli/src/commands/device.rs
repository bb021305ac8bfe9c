//! `armature device`.

use crate::{
	cli::Device,
	commands::{
		accelerator, maintenance, position,
		score::{figures, Circumstances, Peers, PowerView, ScoreView},
		storage,
	},
	context::{self, Context},
	show::{name, or_dash, when, AskView, Done, Planck},
};
use anyhow::Result;
use armature_agent::DeviceKey;
use armature_economics::format;
use armature_primitives::{
	device::{Performance, MAX_LABEL_LEN},
	telemetry::PowerLoad,
	DeviceId, Moment, Ppm,
};
use armature_sdk::{api, bounded, query, AccountId32, AtBlock, Included, Static};
use serde::Serialize;

#[derive(Serialize)]
struct Added {
	device: u32,
	bond: Planck,
	site: u32,
	public_key: String,
}

#[derive(Serialize)]
struct Changed {
	device: u32,
	status: Option<String>,
}

#[derive(Serialize)]
struct Row {
	id: u32,
	provider: String,
	site: u32,
	rack: Option<u32>,
	label: String,
	status: String,
	tier: Option<String>,
	lanes: u16,
	memory_mib: u32,
	bond: Planck,
}

/// A device's running account.
#[derive(Serialize)]
pub(crate) struct LedgerView {
	pub(crate) since: Moment,
	pub(crate) income: Planck,
	pub(crate) energy_cost: Planck,
	pub(crate) energy_milliwatt_hours: u64,
	pub(crate) unpriced_milliwatt_hours: u64,
}

impl From<&query::Ledger> for LedgerView {
	fn from(ledger: &query::Ledger) -> Self {
		Self {
			since: ledger.since,
			income: Planck(ledger.income),
			energy_cost: Planck(ledger.energy_cost),
			energy_milliwatt_hours: ledger.energy.0 .0,
			unpriced_milliwatt_hours: ledger.unpriced.0 .0,
		}
	}
}

#[derive(Serialize)]
struct Shown {
	#[serde(flatten)]
	row: Row,
	region: Option<u16>,
	public_key: String,
	tier_expires_at: Option<Moment>,
	locked_until: Option<Moment>,
	availability: Option<u32>,
	last_proved_at: Option<Moment>,
	enrolled: bool,
	/// The parts that count; `null` for others.
	performance: Performance,
	/// `null` for a device that is not enrolled.
	score: Option<ScoreView>,
	/// With all lanes busy; `null` for a device that has never shown any.
	power: Option<PowerView>,
	/// While it computes products; `null` for a device that has never shown any.
	accelerator_power: Option<PowerView>,
	ask: Option<AskView>,
	lease: Option<u64>,
	ledger: Option<LedgerView>,
}

fn row(id: DeviceId, device: &query::Device<AccountId32>) -> Row {
	Row {
		id: id.0,
		provider: device.provider.to_string(),
		site: device.site.0 .0,
		rack: device.rack.as_ref().map(|rack| rack.0 .0),
		label: query::text(&device.label.0),
		status: name(&device.status.0),
		tier: device.tier.as_ref().map(|tier| name(&tier.0)),
		lanes: device.lanes,
		memory_mib: device.memory_mib,
		bond: Planck(device.bond),
	}
}

pub(crate) async fn run(context: &Context, command: Device) -> Result<()> {
	let (included, id) = match command {
		Device::Add { .. } => return add(context, command).await,
		Device::List { who } => return list(context, who).await,
		Device::Show { id } => return show(context, id).await,
		Device::Drain { id } => {
			(context.submit(&api::tx().devices().drain_device(Static(id))).await?, id)
		},
		Device::Resume { id } => {
			(context.submit(&api::tx().devices().resume_device(Static(id))).await?, id)
		},
		Device::Maintenance(command) => return maintenance::run(context, command).await,
		Device::Position(command) => return position::of_device(context, command).await,
		Device::Accelerator(command) => return accelerator::run(context, command).await,
		Device::Storage(command) => return storage::run(context, command).await,
		Device::ClearJail { id } => {
			(context.submit(&api::tx().devices().clear_jail(Static(id))).await?, id)
		},
		Device::Retire { id } => {
			(context.submit(&api::tx().devices().retire_device(Static(id))).await?, id)
		},
		Device::Withdraw { id } => {
			(context.submit(&api::tx().devices().withdraw_bond(Static(id))).await?, id)
		},
	};
	changed(context, &included, id).await
}

async fn changed(context: &Context, included: &Included, id: DeviceId) -> Result<()> {
	let found = query::device(&context.best().await?, id).await?;
	let changed = Changed { device: id.0, status: found.map(|device| name(&device.status.0)) };
	context.output.record(&Done::new(included, changed), |done| {
		done.rows(vec![
			("device", done.of.device.to_string()),
			("status", done.of.status.clone().unwrap_or_else(|| "gone".into())),
		])
	})
}

async fn add(context: &Context, command: Device) -> Result<()> {
	let Device::Add { site, rack, key, lanes, memory, label } = command else {
		return Ok(());
	};
	let provider = context.account()?.id();
	let key = DeviceKey::load(&key)?;
	let chain = context.chain().await?;
	let at = chain.best().await?;
	context::site(&at, site).await?;
	let nonce = query::registration_nonce(&at, &provider).await?;
	let signature = key.sign_registration(&chain.genesis(), &provider.0, nonce);
	let label = bounded(label.into_bytes(), MAX_LABEL_LEN, "the label")?;
	let call = api::tx().devices().register_device(
		Static(site),
		rack.map(Static),
		key.public().0,
		lanes,
		memory,
		label,
		signature.0,
	);
	let included = context.submit(&call).await?;
	let event: api::devices::events::DeviceRegistered =
		included.expect("Devices.register_device", "DeviceRegistered")?;
	let id = event.device.0;
	let bond = context::device(&chain.best().await?, id).await?.bond;
	let added = Added {
		device: id.0,
		bond: Planck(bond),
		site: site.0,
		public_key: format!("0x{}", hex::encode(key.public().0)),
	};
	context.output.record(&Done::new(&included, added), |done| {
		done.rows(vec![
			("device", done.of.device.to_string()),
			("bond", done.of.bond.to_string()),
			("site", done.of.site.to_string()),
			("public key", done.of.public_key.clone()),
		])
	})
}

async fn list(context: &Context, who: Option<AccountId32>) -> Result<()> {
	let at = context.best().await?;
	let rows: Vec<_> = query::devices(&at, who.as_ref())
		.await?
		.iter()
		.map(|(id, device)| row(*id, device))
		.collect();
	let headings = ["device", "label", "status", "tier", "site", "lanes", "memory", "bond"];
	context.output.rows(&headings, &rows, |row| {
		vec![
			row.id.to_string(),
			row.label.clone(),
			row.status.clone(),
			or_dash(&row.tier),
			row.site.to_string(),
			row.lanes.to_string(),
			format!("{} MiB", row.memory_mib),
			row.bond.to_string(),
		]
	})
}

async fn gather(at: &AtBlock, id: DeviceId, now: Moment) -> Result<Shown> {
	let device = context::device(at, id).await?;
	let performance = query::performance(at, id).await?;
	let lease = query::lease_of_device(at, id).await?;
	let circumstances = Circumstances { status: device.status.0, is_leased: lease.is_some() };
	let parameters = query::challenge_parameters(at).await?;
	let peers = Peers::gather(at, id, &performance, &parameters, now).await?;
	let score = ScoreView::gather(at, id, circumstances, &peers, &parameters, now).await?;
	let attestation = query::attestation(at, id).await?.filter(|attestation| !attestation.lapsed);
	Ok(Shown {
		region: query::site(at, device.site.0).await?.map(|site| site.region.0 .0),
		public_key: format!("0x{}", hex::encode(device.key)),
		tier_expires_at: attestation.map(|attestation| attestation.expires_at),
		locked_until: device.locked_until,
		availability: query::availability(at, id).await?.map(|share| share.0),
		last_proved_at: query::uptime_record(at, id).await?.map(|record| record.alive_until),
		enrolled: score.is_some(),
		performance,
		score,
		power: PowerView::new(&peers, PowerLoad::Lanes),
		accelerator_power: PowerView::new(&peers, PowerLoad::Accelerator),
		ask: query::ask(at, id).await?.map(|terms| AskView::new(id.0, &terms)),
		lease: lease.map(|lease| lease.0),
		ledger: query::ledger(at, id).await?.as_ref().map(LedgerView::from),
		row: row(id, &device),
	})
}

async fn show(context: &Context, id: DeviceId) -> Result<()> {
	let at = context.best().await?;
	let now = query::now(&at).await?;
	let shown = gather(&at, id, now).await?;
	let at_time =
		|moment: Option<Moment>| moment.map_or_else(|| "-".to_owned(), |moment| when(moment, now));
	context.output.record(&shown, |shown| {
		let row = &shown.row;
		let ledger = shown.ledger.as_ref().map(|ledger| {
			format!(
				"{} earned, {} of electricity, since {}",
				ledger.income,
				ledger.energy_cost,
				when(ledger.since, now)
			)
		});
		let mut rows = vec![
			("device", row.id.to_string()),
			("label", row.label.clone()),
			("status", row.status.clone()),
			("provider", row.provider.clone()),
			("site", row.site.to_string()),
			("rack", or_dash(&row.rack)),
			("region", or_dash(&shown.region)),
			("public key", shown.public_key.clone()),
			("lanes", row.lanes.to_string()),
			("memory", format!("{} MiB", row.memory_mib)),
			("bond", row.bond.to_string()),
			("locked until", at_time(shown.locked_until)),
			("tier", or_dash(&row.tier)),
			("attestation ends", at_time(shown.tier_expires_at)),
			("availability", or_dash(&shown.availability.map(|share| format::percent(Ppm(share))))),
			("up until", at_time(shown.last_proved_at)),
			("enrolled", shown.enrolled.to_string()),
		];
		rows.extend(figures(&shown.performance, now));
		rows.extend(shown.score.iter().flat_map(|score| score.rows(now)));
		for (power, load) in
			[(&shown.power, PowerLoad::Lanes), (&shown.accelerator_power, PowerLoad::Accelerator)]
		{
			rows.extend(PowerView::rows(power.as_ref(), load, now));
		}
		rows.extend([
			("ask", or_dash(&shown.ask.as_ref().map(|ask| ask.price_per_gfuel))),
			("lease", or_dash(&shown.lease)),
			("ledger", or_dash(&ledger)),
		]);
		rows
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::device::MemoryScore;
	use serde_json::json;

	const MEMORY: MemoryScore = MemoryScore {
		offered_mib: 64,
		filled_mib: 57,
		fill_mib_per_second: 9,
		read_nanos: 320,
		measured_at: 8,
	};

	#[test]
	fn shown_device_should_be_flat_with_nulls_for_what_is_unknown() {
		let shown = Shown {
			row: Row {
				id: 3,
				provider: "p".into(),
				site: 1,
				rack: None,
				label: "box".into(),
				status: "active".into(),
				tier: Some("t0".into()),
				lanes: 2,
				memory_mib: 64,
				bond: Planck(5),
			},
			region: Some(0),
			public_key: "0x".into(),
			tier_expires_at: None,
			locked_until: None,
			availability: Some(990_000),
			last_proved_at: None,
			enrolled: true,
			performance: Performance { memory: Some(MEMORY), ..Performance::default() },
			score: None,
			power: None,
			accelerator_power: None,
			ask: None,
			lease: None,
			ledger: None,
		};
		let value = serde_json::to_value(&shown).unwrap();
		assert_eq!(value["status"], json!("active"));
		assert_eq!(value["bond"], json!("5"));
		let memory = json!({
			"offered_mib": 64,
			"filled_mib": 57,
			"fill_mib_per_second": 9,
			"read_nanos": 320,
			"measured_at": 8,
		});
		let performance = json!({
			"cpu": null,
			"memory": memory,
			"network": null,
			"gemm": null,
			"storage": null,
		});
		assert_eq!(value["performance"], performance);
		assert!(value["score"].is_null() && value["lease"].is_null());
		assert!(value["power"].is_null() && value["accelerator_power"].is_null());
	}
}
