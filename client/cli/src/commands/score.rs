//! Where a device's score comes from: how old its parts are, how they compare, and what comes next.
//! Printed by `armature device show`.

mod parts;
mod ways;

pub(crate) use parts::figures;

use crate::{
	commands::{accelerator, storage},
	show::{or_dash, when},
};
use anyhow::{anyhow, Result};
use armature_primitives::{
	challenge::{cool_at, WorkKind},
	device::{AcceleratorOffer, DeviceStatus, Performance, StorageOffer},
	DeviceId, Moment, Ppm,
};
use armature_sdk::{query, AtBlock};
use parts::{Ages, Asked, Others, Parts};
use serde::Serialize;
use ways::Ways;

/// Scores of other devices that are read for a comparison: a large chain has more than anyone waits for.
const MAX_COMPARED: usize = 10_000;

const MILLIS_PER_DAY: u64 = 24 * 3_600_000;

/// The score of an enrolled device and its circumstances.
#[derive(Debug, Serialize)]
pub(crate) struct ScoreView {
	#[serde(flatten)]
	parts: Parts,
	#[serde(flatten)]
	ways: Ways,
	/// What it offers to compute products with; `null` for a device that offers nothing.
	accelerator: Option<AcceleratorOffer>,
	/// When another accelerator may be offered; `null` when it may be already.
	next_offer_at: Option<Moment>,
	/// What it offers to read blocks of; `null` for a device that offers nothing.
	storage_offer: Option<StorageOffer>,
	/// When other storage may be offered; `null` when it may be already.
	next_storage_offer_at: Option<Moment>,
	/// Rounds failed since the last one that was passed.
	failures: u32,
	open_round: Option<OpenRound>,
	/// `null` for a device that is not in maintenance.
	maintenance_since: Option<Moment>,
	/// Whether the owner's devices wait to be started.
	queued: bool,
	/// Whether a round may be asked for now.
	may_request: bool,
	/// When time allows that; `null` when it does already, and in maintenance.
	next_request_at: Option<Moment>,
	/// What such a round is about then.
	next_request_kind: Option<WorkKind>,
	/// Whether the device runs a lease.
	#[serde(skip)]
	is_leased: bool,
	/// How likely the owner's devices are drawn within an interval.
	owner_share_ppm: u32,
	/// The mean that follows from it, rounded to tenths; `null` for a device that gets none in its
	/// status or in maintenance.
	surprise_rounds_per_day: Option<f64>,
	/// The owner's devices are not started before; `null` when they do not rest.
	rests_until: Option<Moment>,
}

/// What else is known of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
	/// Where it is in its life.
	pub(crate) status: DeviceStatus,
	/// Whether it runs a lease.
	pub(crate) is_leased: bool,
}

/// A round that a device works for.
#[derive(Clone, Copy, Debug, Serialize)]
struct OpenRound {
	id: u64,
	kind: WorkKind,
}

impl OpenRound {
	async fn find(at: &AtBlock, id: DeviceId) -> Result<Option<Self>> {
		let Some(round) = query::open_round_of(at, id).await? else { return Ok(None) };
		let found = query::round(at, round)
			.await?
			.ok_or_else(|| anyhow!("the chain has no record of the open round {round}"))?;
		Ok(Some(Self { id: round.0, kind: found.task.0.work.kind() }))
	}
}

impl ScoreView {
	/// Of a device with this score; `None` for a device that is not enrolled.
	pub(crate) async fn gather(
		at: &AtBlock,
		id: DeviceId,
		circumstances: Circumstances,
		score: &Performance,
		now: Moment,
	) -> Result<Option<Self>> {
		let Circumstances { status, is_leased } = circumstances;
		let Some(enrolment) = query::enrolment(at, id).await? else { return Ok(None) };
		let parameters = query::challenge_parameters(at).await?;
		let owner = query::enrolled_owner(at, &enrolment.owner).await?;
		let (queued, rests_until, share) = owner.map_or((false, 0, Ppm(0)), |owner| {
			(owner.queued.is_some(), owner.rests_until, owner.share.0)
		});
		// As a draw takes it: the bounds may have changed since it was written.
		let share = share.max(parameters.min_share.0).min(parameters.max_share.0);
		let (scores, is_all) = if score.is_empty() {
			(Vec::new(), true)
		} else {
			query::some_performances(at, MAX_COMPARED).await?
		};
		let others = Others { scores: &scores, partial: !is_all };
		let ages = Ages { now, max_age_millis: parameters.score_max_age_millis };
		let parts = Parts::new(id, score, &others, ages);
		let (closed_at, failures) = (enrolment.last_closed_at, enrolment.failures);
		let cool_at = cool_at(closed_at, failures, parameters.window_millis);
		let maintenance_since = enrolment.maintenance_since;
		let is_maintained = maintenance_since.is_some();
		let accelerator = enrolment.accelerator.as_ref().map(|offer| offer.0);
		let storage_offer = enrolment.storage.as_ref().map(|offer| offer.0);
		let terms = accelerator::Terms::from(&parameters);
		let storage_terms = storage::Terms::from(&parameters);
		// The chain's bounds may have changed since it was offered.
		let asked = Asked {
			gemm: accelerator.is_some_and(|offer| terms.challenge(&offer).is_ok()),
			storage: storage_offer.is_some_and(|offer| storage_terms.is_asked(&offer)),
			is_leased: false,
		};
		let beside = Asked { is_leased: true, ..asked };
		// What can be measured beside its lease comes first.
		let is_beside = is_leased && parts.lacking_at(beside, now).is_some();
		let asked = if is_beside { beside } else { asked };
		let next_request_at = later(now, [cool_at, rests_until, parts.missing_from(asked)]);
		let interval_millis = parameters.offer_interval_millis;
		let offered_at = enrolment.accelerator_offered_at;
		let offer_at = offered_at.map_or(0, |last| last.saturating_add(interval_millis));
		let block_millis = query::block_millis(at)?;
		let rounds = rounds_per_day(share, parameters.round_interval_blocks, block_millis);
		let position = enrolment.position.as_ref().map(|position| position.0);
		let ways = Ways::new(position, score, query::round_trips(at, id).await?);
		Ok(Some(Self {
			parts,
			ways,
			accelerator,
			next_offer_at: later(now, [offer_at]),
			storage_offer,
			next_storage_offer_at: later(
				now,
				[storage_terms.next_offer_at(enrolment.storage_offered_at)],
			),
			failures,
			open_round: OpenRound::find(at, id).await?,
			maintenance_since,
			queued,
			may_request: query::may_request_challenge(at, id).await?,
			next_request_at: next_request_at.filter(|_| !is_maintained),
			next_request_kind: parts.lacking_at(asked, next_request_at.unwrap_or(now)),
			is_leased,
			owner_share_ppm: share.0,
			surprise_rounds_per_day: rounds.filter(|_| may_be_drawn(status) && !is_maintained),
			rests_until: later(now, [rests_until]),
		}))
	}

	/// Rows for a table.
	pub(crate) fn rows(&self, now: Moment) -> Vec<(&'static str, String)> {
		let at_time = |moment: Option<Moment>| or_dash(&moment.map(|moment| when(moment, now)));
		let round = self.open_round.map(|round| format!("{} ({})", round.id, round.kind.name()));
		let accelerator = self.accelerator.as_ref().map(accelerator::show_offer);
		let storage = self.storage_offer.as_ref().map(storage::show_offer);
		let mut rows = vec![
			("accelerator offered", offered(accelerator, self.next_offer_at, now)),
			("storage offered", offered(storage, self.next_storage_offer_at, now)),
		];
		rows.extend(self.parts.rows(now));
		rows.extend(self.ways.rows(now));
		rows.extend([
			("open round", or_dash(&round)),
			("in maintenance since", at_time(self.maintenance_since)),
			("failures", format!("{} since the last passed round", self.failures)),
			("next request", self.next_request(now)),
			("surprise rounds", or_dash(&self.surprise_rounds_per_day.map(mean))),
			("rests until", at_time(self.rests_until)),
		]);
		rows
	}

	/// When a round can be asked for, and what it is about.
	fn next_request(&self, now: Moment) -> String {
		let kind = self.next_request_kind;
		let about = kind.map(|kind| format!(" ({})", kind.name())).unwrap_or_default();
		if self.may_request {
			return format!("now{about}");
		}
		if self.maintenance_since.is_some() {
			return "after its maintenance".into();
		}
		if let Some(round) = self.open_round {
			return format!("round {} has to end first", round.id);
		}
		if self.queued {
			return "a round is about to begin".into();
		}
		if let Some(at) = self.next_request_at {
			return format!("{}{about}", when(at, now));
		}
		// Beside a lease there are rounds of these alone.
		let is_beside = matches!(kind, Some(WorkKind::Cpu | WorkKind::Storage));
		if self.is_leased && !is_beside {
			format!("after its lease{about}")
		} else {
			format!("once it is attested and up{about}")
		}
	}
}

/// What is offered, and when that may be changed where it may not be yet.
fn offered(offer: Option<String>, next: Option<Moment>, now: Moment) -> String {
	let offer = or_dash(&offer);
	match next {
		Some(at) => format!("{offer}, another one may be offered {}", when(at, now)),
		None => offer,
	}
}

/// Whether surprise rounds begin with a device in this status.
fn may_be_drawn(status: DeviceStatus) -> bool {
	matches!(
		status,
		DeviceStatus::Attested
			| DeviceStatus::Active
			| DeviceStatus::Suspect
			| DeviceStatus::Draining
	)
}

/// The last of some moments, unless it is over.
fn later<const N: usize>(now: Moment, moments: [Moment; N]) -> Option<Moment> {
	moments.into_iter().max().filter(|last| *last > now)
}

/// The mean number of draws that hit an owner with this share within each interval, to tenths.
fn rounds_per_day(share: Ppm, interval_blocks: u32, block_millis: u64) -> Option<f64> {
	let interval = u64::from(interval_blocks).checked_mul(block_millis)?;
	let per = u128::from(interval).checked_mul(Ppm::ONE.0.into())?;
	let hits = u128::from(share.0).checked_mul(MILLIS_PER_DAY.into())?.checked_mul(10)?;
	let tenths = hits.checked_add(per / 2)?.checked_div(per)?;
	Some(f64::from(u32::try_from(tenths).ok()?) / 10.0)
}

fn mean(rounds: f64) -> String {
	if rounds < 10.0 {
		format!("about {rounds:.1} a day")
	} else {
		format!("about {rounds:.0} a day")
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::device::CpuScore;
	use serde_json::json;

	/// With a speed that counts until 200,000, and without memory.
	fn view() -> ScoreView {
		let cpu = CpuScore { steps_per_second_per_lane: 5, lanes: 4, measured_at: 80_000 };
		let own = Performance { cpu: Some(cpu), ..Performance::default() };
		let ages = Ages { now: 140_000, max_age_millis: 120_000 };
		let parts = Parts::new(DeviceId(1), &own, &Others { scores: &[], partial: false }, ages);
		ScoreView {
			parts,
			ways: Ways::new(None, &own, Vec::new()),
			accelerator: None,
			next_offer_at: None,
			storage_offer: None,
			next_storage_offer_at: None,
			failures: 0,
			open_round: None,
			maintenance_since: None,
			queued: false,
			may_request: false,
			next_request_at: Some(200_001),
			next_request_kind: Some(WorkKind::Memory),
			is_leased: false,
			owner_share_ppm: 6_944,
			surprise_rounds_per_day: Some(1.0),
			rests_until: None,
		}
	}

	fn cell(view: &ScoreView, name: &str) -> String {
		let rows = view.rows(140_000);
		let found = rows.into_iter().find(|(row, _)| *row == name);
		found.map(|(_, cell)| cell).expect("the row")
	}

	#[test]
	fn draws_should_be_told_by_the_day() {
		// Ten minutes of 3 s blocks, 144 times a day: the production values.
		assert_eq!(rounds_per_day(Ppm(111_112), 200, 3_000), Some(16.0));
		assert_eq!(rounds_per_day(Ppm(6_944), 200, 3_000), Some(1.0));
		assert_eq!(rounds_per_day(Ppm(29_000), 200, 3_000), Some(4.2));
		assert_eq!(rounds_per_day(Ppm(1), 0, 3_000), None);
		assert_eq!(mean(16.0), "about 16 a day");
		assert_eq!(mean(4.2), "about 4.2 a day");
	}

	#[test]
	fn last_moment_should_count_unless_it_is_over() {
		assert_eq!(later(5, [3, 9, 7]), Some(9));
		assert_eq!(later(9, [3, 9, 7]), None);
	}

	#[test]
	fn draws_should_be_told_only_of_devices_that_get_rounds() {
		assert!(may_be_drawn(DeviceStatus::Attested) && may_be_drawn(DeviceStatus::Draining));
		assert!(!may_be_drawn(DeviceStatus::Standby) && !may_be_drawn(DeviceStatus::Offline));
	}

	#[test]
	fn next_request_should_name_what_stands_in_its_way() {
		assert_eq!(view().next_request(140_001), "in 1 min 0 s (memory)");
		let now = ScoreView { may_request: true, ..view() };
		assert_eq!(now.next_request(0), "now (memory)");
		let queued = ScoreView { queued: true, ..view() };
		assert_eq!(queued.next_request(0), "a round is about to begin");
		let round = OpenRound { id: 7, kind: WorkKind::Memory };
		let open = ScoreView { open_round: Some(round), ..queued };
		assert_eq!(open.next_request(0), "round 7 has to end first");
		let kept = ScoreView { maintenance_since: Some(0), next_request_at: None, ..view() };
		assert_eq!(kept.next_request(0), "after its maintenance");
		let down = ScoreView { next_request_at: None, ..view() };
		assert_eq!(down.next_request(0), "once it is attested and up (memory)");
		let leased = ScoreView { is_leased: true, ..down };
		assert_eq!(leased.next_request(0), "after its lease (memory)");
		let stored = ScoreView { next_request_kind: Some(WorkKind::Storage), ..leased };
		assert_eq!(stored.next_request(0), "once it is attested and up (storage)");
		let stored = ScoreView { may_request: true, ..stored };
		assert_eq!(stored.next_request(0), "now (storage)");
	}

	#[test]
	fn score_should_be_told_to_people_and_programs() {
		let view = view();
		assert_eq!(cell(&view, "speed counts until"), "in 1 min 0 s");
		assert_eq!(cell(&view, "memory counts until"), "-");
		assert_eq!(cell(&view, "network counts until"), "-");
		assert_eq!(cell(&view, "accelerator counts until"), "-");
		assert_eq!(cell(&view, "accelerator offered"), "-");
		assert_eq!(cell(&view, "storage counts until"), "-");
		assert_eq!(cell(&view, "storage offered"), "-");
		assert_eq!(cell(&view, "position"), "-");
		assert_eq!(cell(&view, "open round"), "-");
		assert_eq!(cell(&view, "in maintenance since"), "-");
		assert_eq!(cell(&view, "failures"), "0 since the last passed round");
		assert_eq!(cell(&view, "surprise rounds"), "about 1.0 a day");
		assert_eq!(cell(&view, "rests until"), "-");
		let value = serde_json::to_value(view).unwrap();
		assert_eq!(value["cpu"]["expires_at"], json!(200_000));
		assert_eq!(value["surprise_rounds_per_day"], json!(1.0));
		assert!(value["memory"].is_null() && value["open_round"].is_null());
		assert!(value["network"].is_null() && value["position"].is_null());
		assert!(value["gemm"].is_null() && value["accelerator"].is_null());
		assert!(value["next_offer_at"].is_null() && value["next_storage_offer_at"].is_null());
		assert!(value["storage"].is_null() && value["storage_offer"].is_null());
		assert_eq!(value["next_request_kind"], json!("memory"));
		assert_eq!(value["round_trips"], json!([]));
		assert!(value["maintenance_since"].is_null() && value["rests_until"].is_null());
	}

	#[test]
	fn open_round_should_be_told_with_its_kind() {
		for kind in WorkKind::ALL {
			let value = kind.name();
			let row = format!("7 ({value})");
			let open = ScoreView { open_round: Some(OpenRound { id: 7, kind }), ..view() };
			assert_eq!(cell(&open, "open round"), row);
			let shown = serde_json::to_value(open).unwrap();
			assert_eq!(shown["open_round"], json!({ "id": 7, "kind": value }));
		}
	}

	#[test]
	fn offer_should_be_told_with_when_it_may_be_changed() {
		let accelerator = Some(AcceleratorOffer { memory_mib: 24_576, side: 4_096 });
		let offering = ScoreView { accelerator, ..view() };
		let offer = "24576 MiB with a side of 4096 rows";
		assert_eq!(cell(&offering, "accelerator offered"), offer);
		let waiting = ScoreView { next_offer_at: Some(200_000), ..offering };
		let expected = format!("{offer}, another one may be offered in 1 min 0 s");
		assert_eq!(cell(&waiting, "accelerator offered"), expected);
		let withdrawn = ScoreView { accelerator: None, next_offer_at: Some(200_000), ..view() };
		let expected = "-, another one may be offered in 1 min 0 s";
		assert_eq!(cell(&withdrawn, "accelerator offered"), expected);
		let value = serde_json::to_value(waiting).unwrap();
		assert_eq!(value["accelerator"], json!({ "memory_mib": 24_576, "side": 4_096 }));
		assert_eq!(value["next_offer_at"], json!(200_000));
	}

	#[test]
	fn storage_should_be_told_with_when_it_may_be_changed() {
		let offer = StorageOffer { sectors: 500, blocks: 1 << 20, compressions: 256 };
		let offering = ScoreView { storage_offer: Some(offer), ..view() };
		assert_eq!(cell(&offering, "storage offered"), "500 sectors, 512000 MiB");
		let waiting = ScoreView { next_storage_offer_at: Some(200_000), ..offering };
		let expected = "500 sectors, 512000 MiB, another one may be offered in 1 min 0 s";
		assert_eq!(cell(&waiting, "storage offered"), expected);
		let value = serde_json::to_value(waiting).unwrap();
		let expected = json!({ "sectors": 500, "blocks": 1_048_576, "compressions": 256 });
		assert_eq!(value["storage_offer"], expected);
		assert_eq!(value["next_storage_offer_at"], json!(200_000));
	}

	#[test]
	fn maintenance_should_be_told_since_when() {
		let kept = ScoreView { maintenance_since: Some(80_000), ..view() };
		assert_eq!(cell(&kept, "in maintenance since"), "1 min 0 s ago");
		let value = serde_json::to_value(kept).unwrap();
		assert_eq!(value["maintenance_since"], json!(80_000));
	}
}
