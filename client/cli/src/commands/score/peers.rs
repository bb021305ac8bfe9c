//! A device and the others that it is put beside, with what counts of each.

use super::{class::Class, compare::Machine, loads::Loads};
use anyhow::Result;
use armature_primitives::{
	device::Performance,
	telemetry::{PowerLoad, PowerReading},
	DeviceId, Moment,
};
use armature_sdk::{query, AtBlock};
use serde::Serialize;
use std::collections::BTreeMap;

/// Devices that are read for a comparison: a large chain has more than anyone waits for.
const MAX_COMPARED: usize = 10_000;

/// How old something that was measured may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ages {
	pub(super) now: Moment,
	pub(super) max_age_millis: u64,
}

impl Ages {
	/// The last moment at which it counts.
	fn end(&self, measured_at: Moment) -> Moment {
		measured_at.saturating_add(self.max_age_millis)
	}

	pub(super) fn counts(&self, measured_at: Moment) -> bool {
		self.now <= self.end(measured_at)
	}

	pub(super) fn span(&self, measured_at: Moment) -> Span {
		let age_millis = self.now.saturating_sub(measured_at);
		Span { age_millis, expires_at: self.end(measured_at) }
	}

	/// The parts of a score that count.
	fn of_score(&self, score: &Performance) -> Performance {
		Performance {
			cpu: score.cpu.filter(|part| self.counts(part.measured_at)),
			memory: score.memory.filter(|part| self.counts(part.measured_at)),
			network: score.network.filter(|part| self.counts(part.measured_at)),
			gemm: score.gemm.filter(|part| self.counts(part.measured_at)),
			storage: score.storage.filter(|part| self.counts(part.measured_at)),
		}
	}
}

/// How long something that was measured has counted, and will.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Span {
	pub(super) age_millis: u64,
	/// It counts until then.
	pub(super) expires_at: Moment,
}

/// Power figures, and when they were measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metered {
	pub(super) reading: PowerReading,
	pub(super) measured_at: Moment,
}

impl From<&query::PowerRecord> for Metered {
	fn from(record: &query::PowerRecord) -> Self {
		Self { reading: record.reading.0, measured_at: record.measured_at }
	}
}

/// Ages of all that is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
	/// Of parts of scores.
	pub(super) scores: Ages,
	/// Of power figures.
	pub(super) power: Ages,
}

impl Limits {
	fn machine(&self, score: &Performance, power: &Loads<Option<Metered>>) -> Machine {
		let score = self.scores.of_score(score);
		let counting = power.map(|power| {
			let counting = power.filter(|power| self.power.counts(power.measured_at));
			counting.map(|power| power.reading)
		});
		Machine { class: Class::of(&score), score, power: counting }
	}
}

/// What the chain has of some devices.
#[derive(Debug, Default)]
pub(super) struct Stored {
	pub(super) scores: Vec<(DeviceId, Performance)>,
	pub(super) powers: Loads<Vec<(DeviceId, Metered)>>,
	/// Whether there may be more of any.
	pub(super) is_partial: bool,
}

/// A device, and others beside it.
#[derive(Debug)]
pub(crate) struct Peers {
	own: Machine,
	/// Its last power figures, whatever their age.
	power: Loads<Option<Metered>>,
	/// All with a score.
	others: Vec<Machine>,
	is_partial: bool,
	limits: Limits,
}

impl Peers {
	/// Of the device with this score.
	pub(crate) async fn gather(
		at: &AtBlock,
		id: DeviceId,
		score: &Performance,
		parameters: &query::ChallengeParameters,
		now: Moment,
	) -> Result<Self> {
		let max_age_millis = parameters.score_max_age_millis;
		let power_age_millis = query::energy_parameters(at).await?.power_max_age_millis;
		let limits = Limits {
			scores: Ages { now, max_age_millis },
			power: Ages { now, max_age_millis: power_age_millis },
		};
		let records = Loads {
			lanes: query::power(at, id).await?,
			accelerator: query::accelerator_power(at, id).await?,
		};
		let power = records.map(|record| record.as_ref().map(Metered::from));
		let stored = Stored::read(at, &limits.machine(score, &power)).await?;
		Ok(Self::new(id, score, power, &stored, limits))
	}

	/// What is stored may have the device itself, and what counts no more.
	pub(super) fn new(
		id: DeviceId,
		score: &Performance,
		power: Loads<Option<Metered>>,
		stored: &Stored,
		limits: Limits,
	) -> Self {
		let powers = stored.powers.map(|powers| powers.iter().copied().collect::<BTreeMap<_, _>>());
		let others = stored.scores.iter().filter(|(other, _)| *other != id);
		let others = others.map(|(id, score)| {
			limits.machine(score, &powers.map(|powers| powers.get(id).copied()))
		});
		Self {
			own: limits.machine(score, &power),
			power,
			others: others.collect(),
			is_partial: stored.is_partial,
			limits,
		}
	}

	/// The device.
	pub(super) fn own(&self) -> &Machine {
		&self.own
	}

	/// Its last power figures under a load, whatever their age, and how long they count.
	pub(super) fn own_power(&self, load: PowerLoad) -> Option<(PowerReading, Moment, Span)> {
		let Metered { reading, measured_at } = (*self.power.of(load))?;
		Some((reading, measured_at, self.limits.power.span(measured_at)))
	}

	pub(super) fn others(&self) -> &[Machine] {
		&self.others
	}

	/// Whether there may be more others.
	pub(super) fn is_partial(&self) -> bool {
		self.is_partial
	}

	/// How long a part of the device's score counts.
	pub(super) fn span(&self, measured_at: Moment) -> Span {
		self.limits.scores.span(measured_at)
	}
}

impl Stored {
	/// What this device is compared with: nothing where nothing of it counts.
	async fn read(at: &AtBlock, own: &Machine) -> Result<Self> {
		if own.score.is_empty() {
			return Ok(Self::default());
		}
		let (scores, has_all) = query::some_performances(at, MAX_COMPARED).await?;
		let (lanes, has_all_lanes) = Self::powers(at, own, PowerLoad::Lanes).await?;
		let (accelerator, has_all_accelerators) =
			Self::powers(at, own, PowerLoad::Accelerator).await?;
		let powers = Loads { lanes, accelerator };
		let is_partial = !(has_all && has_all_lanes && has_all_accelerators);
		Ok(Self { scores, powers, is_partial })
	}

	/// What others draw under a load, and whether those are all: nobody where nothing is compared.
	async fn powers(
		at: &AtBlock,
		own: &Machine,
		load: PowerLoad,
	) -> Result<(Vec<(DeviceId, Metered)>, bool)> {
		if !own.has_efficiency(load) {
			return Ok((Vec::new(), true));
		}
		let (records, is_all) = match load {
			PowerLoad::Lanes => query::some_powers(at, MAX_COMPARED).await?,
			PowerLoad::Accelerator => query::some_accelerator_powers(at, MAX_COMPARED).await?,
		};
		let powers = records.iter().map(|(id, record)| (*id, Metered::from(record))).collect();
		Ok((powers, is_all))
	}
}
