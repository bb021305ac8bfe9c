//! What devices are compared by, and what makes a class there: whatever else that they have shown tells how the
//! figure comes out, and no more, so that few are alone in theirs.

use super::{
	class::Dimension,
	compare::{Aspect, Figure, Machine},
};
use armature_primitives::telemetry::{PowerLoad, PowerReading};

/// What compares a device with all others.
const EVERYONE: Aspect = Aspect { by: &[], figures: &[], beside: |_, _| true, whom: "" };

/// Lanes are measured while all of them are busy: the more share caches and power, the slower is each.
pub(super) const CPU: Aspect = Aspect {
	by: &[Dimension::Lanes],
	figures: &[Figure::larger("speed", "faster than", |machine| {
		machine.score.cpu.map(|cpu| cpu.steps_per_second_per_lane)
	})],
	..EVERYONE
};

/// All lanes fill and read at once, and reads over more memory miss more caches. Within a class sizes differ by less
/// than a factor of two, so that beside all of them size tells more.
pub(super) const MEMORY: Aspect = Aspect {
	by: &[Dimension::Lanes, Dimension::MemoryMib],
	figures: &[
		Figure::larger("size", "more memory than", |machine| {
			machine.score.memory.map(|memory| memory.offered_mib.into())
		}),
		Figure::larger("fill", "filled faster than", |machine| {
			machine.score.memory.map(|memory| memory.fill_mib_per_second.into())
		}),
		Figure::smaller("reads", "faster reads than", |machine| {
			machine.score.memory.map(|memory| memory.read_nanos.into())
		}),
	],
	..EVERYONE
};

/// A connection is what the place gives, whatever machine is there: no class is told apart.
pub(super) const NETWORK: Aspect = Aspect {
	by: &[],
	figures: &[
		Figure::smaller("nearest", "nearer to two verifiers than", |machine| {
			machine.score.network.map(|network| network.nearest_micros.into())
		}),
		Figure::smaller("median", "nearer to half of them than", |machine| {
			machine.score.network.map(|network| network.median_micros.into())
		}),
		Figure::larger("up", "faster up than", |machine| {
			machine.score.network.map(|network| network.up_kbps.into())
		}),
		Figure::larger("down", "faster down than", |machine| {
			machine.score.network.map(|network| network.down_kbps.into())
		}),
	],
	..EVERYONE
};

/// Memory is what sets accelerators apart that was measured; lanes and the machine's own memory have no part. How long
/// rows are is no trait of one but chosen by its operator, and part of what the operator gets out of it.
pub(super) const GEMM: Aspect = Aspect {
	by: &[Dimension::AcceleratorMib],
	figures: &[
		Figure::larger("speed", "faster than", |machine| {
			machine.score.gemm.map(|gemm| gemm.operations_per_second)
		}),
		Figure::larger("size", "more memory than", |machine| {
			machine.score.gemm.map(|gemm| gemm.shown_mib.into())
		}),
	],
	..EVERYONE
};

/// Large storage is on spinning disks, or on many: that tells how soon blocks are there.
pub(super) const STORAGE: Aspect = Aspect {
	by: &[Dimension::StorageMib],
	figures: &[
		Figure::larger("size", "more storage than", |machine| {
			machine.score.storage.map(|storage| storage.offer.mib())
		}),
		Figure::smaller("reads", "faster reads than", |machine| {
			machine.score.storage.map(|storage| storage.read_millis.into())
		}),
	],
	..EVERYONE
};

/// Lanes draw power, and an accelerator does also while it rests.
const POWER: Aspect = Aspect {
	by: &[Dimension::Lanes, Dimension::AcceleratorMib],
	figures: &[
		Figure::smaller("idle", IDLE, |machine| idle(machine, PowerLoad::Lanes)),
		Figure::smaller("loaded", LOADED, |machine| loaded(machine, PowerLoad::Lanes)),
		Figure::larger("efficiency", EFFICIENCY, steps_per_joule),
	],
	beside: |own, other| is_metered_alike(own, other, PowerLoad::Lanes),
	whom: WITH_SUCH_A_METER,
};

/// While products are computed, what computes them draws most of the power, whatever lanes are beside it.
const ACCELERATOR_POWER: Aspect = Aspect {
	by: &[Dimension::AcceleratorMib],
	figures: &[
		Figure::smaller("idle", IDLE, |machine| idle(machine, PowerLoad::Accelerator)),
		Figure::smaller("loaded", LOADED, |machine| loaded(machine, PowerLoad::Accelerator)),
		Figure::larger("efficiency", EFFICIENCY, operations_per_joule),
	],
	beside: |own, other| is_metered_alike(own, other, PowerLoad::Accelerator),
	whom: WITH_SUCH_A_METER,
};

/// What compares a device by its power under a load.
pub(super) const fn power(load: PowerLoad) -> &'static Aspect {
	match load {
		PowerLoad::Lanes => &POWER,
		PowerLoad::Accelerator => &ACCELERATOR_POWER,
	}
}

const IDLE: &str = "less power idle than";
const LOADED: &str = "less loaded than";
const EFFICIENCY: &str = "more work for a joule than";
const WITH_SUCH_A_METER: &str = " with such a meter";

fn idle(machine: &Machine, load: PowerLoad) -> Option<u64> {
	machine.power.of(load).map(|power| power.idle.0.into())
}

fn loaded(machine: &Machine, load: PowerLoad) -> Option<u64> {
	machine.power.of(load).map(|power| power.loaded.0.into())
}

/// Meters see different parts of a machine, so that those of one kind are compared alone.
fn is_metered_alike(own: &Machine, other: &Machine, load: PowerLoad) -> bool {
	let sources = [own, other].map(|machine| machine.metered(load).map(|power| power.source));
	matches!(sources, [Some(own), Some(other)] if own == other)
}

/// Challenge steps that all lanes together make with a joule, rounded down.
fn steps_per_joule(machine: &Machine) -> Option<u64> {
	let cpu = machine.score.cpu?;
	let steps = u128::from(cpu.steps_per_second_per_lane).saturating_mul(cpu.lanes.into());
	per_joule(steps, machine.power.lanes?)
}

/// Operations of products that are made with a joule, rounded down.
fn operations_per_joule(machine: &Machine) -> Option<u64> {
	per_joule(machine.score.gemm?.operations_per_second.into(), machine.power.accelerator?)
}

fn per_joule(per_second: u128, power: PowerReading) -> Option<u64> {
	// A milliwatt is a thousandth of a joule in each second.
	let per_joule = per_second.saturating_mul(1_000).checked_div(power.loaded.0.into())?;
	Some(u64::try_from(per_joule).unwrap_or(u64::MAX))
}
