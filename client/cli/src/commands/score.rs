//! Where a device's score comes from: how old its parts are, how they compare with those of its class and of all,
//! and what comes next. Printed by `armature device show`.

mod aspects;
mod class;
mod compare;
mod failure;
mod figures;
mod loads;
mod parts;
mod peers;
mod power;
mod ways;

pub(crate) use figures::figures;
pub(crate) use peers::Peers;
pub(crate) use power::PowerView;

use crate::{
	commands::{accelerator, storage},
	show::{or_dash, when},
};
use anyhow::{anyhow, Result};
use armature_primitives::{
	challenge::{cool_at, WorkKind},
	device::{AcceleratorOffer, DeviceStatus, StorageOffer},
	DeviceId, Moment, Ppm,
};
use armature_sdk::{query, AtBlock};
use class::Class;
use failure::Failure;
use parts::{Asked, Parts};
use serde::Serialize;
use ways::Ways;

const MILLIS_PER_DAY: u64 = 24 * 3_600_000;

/// The score of an enrolled device and its circumstances.
#[derive(Debug, Serialize)]
pub(crate) struct ScoreView {
	/// Where it lies among all devices.
	class: Class,
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
	/// `null` where nothing is missing for one, or the chain has forgotten it.
	last_failure: Option<Failure>,
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
	/// Of the device that the others are peers of; `None` for a device that is not enrolled.
	pub(crate) async fn gather(
		at: &AtBlock,
		id: DeviceId,
		circumstances: Circumstances,
		peers: &Peers,
		parameters: &query::ChallengeParameters,
		now: Moment,
	) -> Result<Option<Self>> {
		let Circumstances { status, is_leased } = circumstances;
		let Some(enrolment) = query::enrolment(at, id).await? else { return Ok(None) };
		let owner = query::enrolled_owner(at, &enrolment.owner).await?;
		let (queued, rests_until, share) = owner.map_or((false, 0, Ppm(0)), |owner| {
			(owner.queued.is_some(), owner.rests_until, owner.share.0)
		});
		// As a draw takes it: the bounds may have changed since it was written.
		let share = share.max(parameters.min_share.0).min(parameters.max_share.0);
		let own = peers.own();
		let parts = Parts::new(peers);
		let (closed_at, failures) = (enrolment.last_closed_at, enrolment.failures);
		let cool_at = cool_at(closed_at, failures, parameters.window_millis);
		let maintenance_since = enrolment.maintenance_since;
		let is_maintained = maintenance_since.is_some();
		let accelerator = enrolment.accelerator.as_ref().map(|offer| offer.0);
		let storage_offer = enrolment.storage.as_ref().map(|offer| offer.0);
		let terms = accelerator::Terms::from(parameters);
		let storage_terms = storage::Terms::from(parameters);
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
		let ways = Ways::new(position, &own.score, query::round_trips(at, id).await?);
		Ok(Some(Self {
			class: own.class,
			last_failure: Failure::find(at, &enrolment.last_rounds, &parts).await?,
			next_request_kind: parts.lacking_at(asked, next_request_at.unwrap_or(now)),
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
			("class", or_dash(&self.class.show())),
			("accelerator offered", offered(accelerator, self.next_offer_at, now)),
			("storage offered", offered(storage, self.next_storage_offer_at, now)),
		];
		rows.extend(self.parts.rows(now));
		rows.extend(self.ways.rows(now));
		rows.extend([
			("open round", or_dash(&round)),
			("in maintenance since", at_time(self.maintenance_since)),
			("failures", format!("{} since the last passed round", self.failures)),
			("last failure", or_dash(&self.last_failure.map(|failure| failure.show(now)))),
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
mod samples;
#[cfg(test)]
mod tests;
