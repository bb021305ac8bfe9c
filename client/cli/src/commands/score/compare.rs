//! How figures of a device stand beside those of others: of its class, and of all.

use super::{
	class::{Class, Dimension},
	loads::Loads,
	peers::Peers,
};
use armature_primitives::{
	device::Performance,
	telemetry::{PowerLoad, PowerReading, PowerSource},
};
use serde::{ser::SerializeMap, Serialize, Serializer};

/// What counts of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
	/// Where it lies.
	pub(super) class: Class,
	/// What it has shown. All parts count.
	pub(super) score: Performance,
	/// What it draws. `None` where no figures count.
	pub(super) power: Loads<Option<PowerReading>>,
}

impl Machine {
	/// What it draws under a load by a meter: what was estimated comes from a table, and a comparison would say
	/// nothing of the machine.
	pub(super) fn metered(&self, load: PowerLoad) -> Option<PowerReading> {
		self.power.of(load).filter(|power| power.source != PowerSource::Estimated)
	}

	/// Whether there is something to compare its power under a load by: a meter, and what it does there.
	pub(super) fn has_efficiency(&self, load: PowerLoad) -> bool {
		let works = match load {
			PowerLoad::Lanes => self.score.cpu.is_some(),
			PowerLoad::Accelerator => self.score.gemm.is_some(),
		};
		works && self.metered(load).is_some()
	}
}

/// Something that devices are compared by.
#[derive(Debug)]
pub(super) struct Figure {
	/// What it is called in JSON.
	name: &'static str,
	/// What one that is ahead is, up to the share of others: `faster than`.
	lead: &'static str,
	/// Of a device; `None` where that has not shown it.
	of: fn(&Machine) -> Option<u64>,
	/// Whether the first one is behind the second.
	is_behind: fn(&u64, &u64) -> bool,
}

impl Figure {
	/// One of which more is better.
	pub(super) const fn larger(
		name: &'static str,
		lead: &'static str,
		of: fn(&Machine) -> Option<u64>,
	) -> Self {
		Self { name, lead, of, is_behind: |other, own| other < own }
	}

	/// One of which less is better.
	pub(super) const fn smaller(
		name: &'static str,
		lead: &'static str,
		of: fn(&Machine) -> Option<u64>,
	) -> Self {
		Self { name, lead, of, is_behind: |other, own| other > own }
	}
}

/// Figures that devices show together.
#[derive(Debug)]
pub(super) struct Aspect {
	/// What makes a class here. Empty where nothing does.
	pub(super) by: &'static [Dimension],
	/// At least one.
	pub(super) figures: &'static [Figure],
	/// Which others are compared with a device at all, in its class and beyond.
	pub(super) beside: fn(own: &Machine, other: &Machine) -> bool,
	/// Which those are, in words, after their number; empty for all.
	pub(super) whom: &'static str,
}

impl Aspect {
	/// All figures of a device; `None` where it lacks one.
	fn values(&self, machine: &Machine) -> Option<Vec<u64>> {
		self.figures.iter().map(|figure| (figure.of)(machine)).collect()
	}
}

/// A figure beside those of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Comparison {
	/// Devices that are behind.
	behind: usize,
	/// Devices that were compared.
	others: usize,
	/// The former in percent of the latter, rounded down.
	percent: usize,
	/// Whether there may be more others.
	partial: bool,
}

/// All figures of an aspect beside those of the same others.
#[derive(Clone, Debug)]
struct Standing {
	figures: &'static [Figure],
	/// As many, in the same order.
	comparisons: Vec<Comparison>,
}

impl Standing {
	/// `None` without others.
	fn beside<'a>(
		aspect: &Aspect,
		own: &Machine,
		others: impl Iterator<Item = &'a Machine>,
		partial: bool,
	) -> Option<Self> {
		let own = aspect.values(own)?;
		let others: Vec<_> = others.filter_map(|other| aspect.values(other)).collect();
		let comparisons =
			aspect.figures.iter().zip(own).enumerate().map(|(index, (figure, own))| {
				let values = others.iter().filter_map(|values| values.get(index));
				let behind = values.filter(|other| (figure.is_behind)(other, &own)).count();
				let percent = behind.saturating_mul(100).checked_div(others.len())?;
				Some(Comparison { behind, others: others.len(), percent, partial })
			});
		let comparisons = comparisons.collect::<Option<_>>()?;
		Some(Self { figures: aspect.figures, comparisons })
	}

	/// With what each one leads: `faster than 73 %, more memory than 40 %`.
	fn leads(&self) -> String {
		let figures = self.figures.iter().zip(&self.comparisons);
		let leads = figures.map(|(figure, found)| format!("{} {} %", figure.lead, found.percent));
		leads.collect::<Vec<_>>().join(", ")
	}

	/// The shares alone: `73 %, 40 %`.
	fn shares(&self) -> String {
		let shares = self.comparisons.iter().map(|found| format!("{} %", found.percent));
		shares.collect::<Vec<_>>().join(", ")
	}

	/// How many others there are, and whether there may be more. The same of all figures.
	fn others(&self) -> (usize, bool) {
		self.comparisons
			.first()
			.map_or((0, false), |found| (found.others, found.partial))
	}
}

impl Serialize for Standing {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		let mut map = serializer.serialize_map(Some(self.figures.len()))?;
		for (figure, found) in self.figures.iter().zip(&self.comparisons) {
			map.serialize_entry(figure.name, found)?;
		}
		map.end()
	}
}

/// Where a device stands in an aspect.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Standings {
	/// Dimensions of the class that others share; empty where no class is told apart.
	by: &'static [Dimension],
	/// Beside others that share them. `null` where there are none.
	class: Option<Standing>,
	/// Beside all others. `null` where there are none.
	all: Option<Standing>,
	#[serde(skip)]
	whom: &'static str,
}

impl Standings {
	/// Of the device that the others are peers of.
	pub(super) fn new(aspect: &Aspect, peers: &Peers) -> Self {
		let Aspect { by, beside, whom, .. } = *aspect;
		let own = peers.own();
		let others = || peers.others().iter().filter(move |other| beside(own, other));
		let classmates = || others().filter(move |other| own.class.is_same(&other.class, by));
		let partial = peers.is_partial();
		let class = (!by.is_empty()).then(|| Standing::beside(aspect, own, classmates(), partial));
		let all = Standing::beside(aspect, own, others(), partial);
		Self { by, class: class.flatten(), all, whom }
	}

	/// In words; `None` without others.
	pub(super) fn sentence(&self) -> Option<String> {
		let all = self.all.as_ref()?;
		let whom = self.whom;
		let Some(class) = &self.class else {
			let lonely =
				if self.by.is_empty() { "" } else { ", none of them known to be of its class" };
			let others = other_devices(all.others());
			return Some(format!("{} of {others}{whom}{lonely}", all.leads()));
		};
		// With several figures a comma would not tell where those of the class end.
		let then = if class.figures.len() > 1 { ";" } else { "," };
		let (count, is_partial) = all.others();
		let of_all = if is_partial { "at least" } else { "all" };
		let (leads, others) = (class.leads(), other_devices(class.others()));
		let shares = all.shares();
		Some(format!("{leads} of {others} of its class{then} {shares} of {of_all} {count}{whom}"))
	}
}

fn other_devices((count, is_partial): (usize, bool)) -> String {
	let at_least = if is_partial { "at least " } else { "" };
	let devices = if count == 1 { "device" } else { "devices" };
	format!("{at_least}{count} other {devices}")
}

#[cfg(test)]
mod tests;
