//! Stored types and the time arithmetic on them.

use armature_health::{Availability, AvailabilityParams};
use armature_primitives::{
	service::ServiceAddress,
	telemetry::{EpochClock, TelemetrySummary, SLOTS_PER_EPOCH, SLOT_MASK},
	units::ARMA,
	Balance, EpochIndex, Moment, RegionId, H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::num::NonZeroU64;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The longest slot that parameters may name: one hour.
pub const MAX_SLOT_MILLIS: u64 = 3_600_000;

/// The most full epochs late that parameters may let a leaf come.
pub const MAX_CATCH_UP_EPOCHS: u32 = 144;

/// Lengths and prices that differ between networks.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct UptimeParameters {
	/// Length of a slot in milliseconds, 1 to [`MAX_SLOT_MILLIS`]. An epoch is 60 of them.
	pub slot_millis: u64,
	/// How far a device's clock may run ahead of the chain's, in milliseconds; at most an epoch.
	pub skew_millis: u64,
	/// How many full epochs late a leaf may come, at most [`MAX_CATCH_UP_EPOCHS`].
	pub catch_up_epochs: u32,
	/// A gap between two blocks longer than this, in milliseconds, is an outage of the chain.
	pub outage_millis: u64,
	/// Full epochs without a proven slot after which a device is suspect; above
	/// `catch_up_epochs`, or a device that uses its grace would be.
	pub suspect_after: u32,
	/// The same for offline; above `suspect_after`.
	pub offline_after: u32,
	/// What a new orchestrator has to bond, in planck; above zero.
	pub orchestrator_bond: Balance,
}

impl Default for UptimeParameters {
	/// Production: epochs of ten minutes, suspect after half an hour, offline after two hours.
	fn default() -> Self {
		Self {
			slot_millis: 10_000,
			skew_millis: 5_000,
			catch_up_epochs: 1,
			outage_millis: 60_000,
			suspect_after: 3,
			offline_after: 12,
			orchestrator_bond: 1_000 * ARMA,
		}
	}
}

impl UptimeParameters {
	/// Checks the ranges that the fields name; the error says which one is broken.
	pub fn validate(&self) -> Result<(), &'static str> {
		let check = |ok: bool, rule: &'static str| if ok { Ok(()) } else { Err(rule) };
		check((1..=MAX_SLOT_MILLIS).contains(&self.slot_millis), "slot_millis out of range")?;
		check(
			self.skew_millis <= self.clock().epoch_millis(),
			"skew_millis is longer than an epoch",
		)?;
		check(self.catch_up_epochs <= MAX_CATCH_UP_EPOCHS, "catch_up_epochs is too large")?;
		check(self.outage_millis > 0, "outage_millis is zero")?;
		check(
			self.suspect_after > self.catch_up_epochs,
			"suspect_after is not above catch_up_epochs",
		)?;
		check(self.offline_after > self.suspect_after, "offline_after is not above suspect_after")?;
		check(self.orchestrator_bond > 0, "orchestrator_bond is zero")
	}

	/// The epoch arithmetic of these parameters.
	pub fn clock(&self) -> EpochClock {
		EpochClock { slot_millis: NonZeroU64::new(self.slot_millis).unwrap_or(NonZeroU64::MIN) }
	}

	/// What the availability score needs of them.
	pub fn availability(&self) -> AvailabilityParams {
		let epoch_millis = NonZeroU64::new(self.clock().epoch_millis());
		AvailabilityParams { epoch_millis: epoch_millis.unwrap_or(NonZeroU64::MIN) }
	}

	/// Full epochs in `millis`.
	pub(crate) fn full_epochs(&self, millis: u64) -> u64 {
		millis.checked_div(self.clock().epoch_millis()).unwrap_or(0)
	}
}

/// A stretch of time in which the chain made no blocks: `from <= t < to`.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Outage {
	/// The last block before it.
	pub from: Moment,
	/// The first block after it.
	pub to: Moment,
}

impl Outage {
	/// The part of it that lies in `from..to`, if any.
	fn within(&self, from: Moment, to: Moment) -> Option<Outage> {
		let cut = Outage { from: self.from.max(from), to: self.to.min(to) };
		(cut.from < cut.to).then_some(cut)
	}
}

/// Milliseconds of `from..to` outside of all `outages`, which are disjoint. Zero when `to` is not
/// after `from`.
pub(crate) fn live_millis(outages: &[Outage], from: Moment, to: Moment) -> u64 {
	outages
		.iter()
		.filter_map(|outage| outage.within(from, to))
		.fold(to.saturating_sub(from), |live, cut| {
			live.saturating_sub(cut.to.saturating_sub(cut.from))
		})
}

/// The bits of the slots of the epoch from `start` that no outage touches.
pub(crate) fn counted_slots(outages: &[Outage], clock: EpochClock, start: Moment) -> u64 {
	let slot = clock.slot_millis.get();
	let end = start.saturating_add(clock.epoch_millis());
	outages
		.iter()
		.filter_map(|outage| outage.within(start, end))
		.fold(SLOT_MASK, |counted, cut| {
			let first = cut.from.saturating_sub(start).checked_div(slot).unwrap_or(0);
			let after = cut.to.saturating_sub(start).div_ceil(slot);
			counted & !(low_bits(after) & !low_bits(first))
		})
}

/// The lowest `n` bits of an epoch's bitmap.
fn low_bits(n: u64) -> u64 {
	let n = u32::try_from(n).unwrap_or(SLOTS_PER_EPOCH).min(SLOTS_PER_EPOCH);
	1u64.checked_shl(n).unwrap_or(0).wrapping_sub(1) & SLOT_MASK
}

/// An epoch that a device has spoken of. It keeps its own times, so that it means the same after a
/// change of the slot length.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct ProvedEpoch {
	/// Its number, by the slot length at the time.
	pub epoch: EpochIndex,
	/// Its first instant.
	pub start: Moment,
	/// The slot length at the time, in milliseconds.
	pub slot_millis: u64,
	/// The slots that the device proved.
	pub slots: u64,
}

impl ProvedEpoch {
	/// The first instant after it.
	pub fn end(&self) -> Moment {
		self.slot_start(SLOTS_PER_EPOCH)
	}

	/// Proven slots that lie wholly in `from..to`.
	pub fn proved_within(&self, from: Moment, to: Moment) -> u32 {
		let inside = (0..SLOTS_PER_EPOCH).filter(|slot| {
			self.slots & 1u64.checked_shl(*slot).unwrap_or(0) != 0
				&& self.slot_start(*slot) >= from
				&& self.slot_start(slot.saturating_add(1)) <= to
		});
		u32::try_from(inside.count()).unwrap_or(SLOTS_PER_EPOCH)
	}

	fn slot_start(&self, slot: u32) -> Moment {
		self.start.saturating_add(self.slot_millis.saturating_mul(slot.into()))
	}
}

/// What the chain keeps of a device's leaves.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct UptimeRecord {
	/// The epoch of the last leaf.
	pub last: ProvedEpoch,
	/// The epoch of the leaf before it.
	pub previous: Option<ProvedEpoch>,
	/// The score as of `last`; `None` while every slot spoken of fell into outages.
	pub availability: Option<Availability>,
	/// Slots proven ever, without those that fell into outages.
	pub proved: u64,
	/// The end of the last epoch with a proven slot; the start of the first one spoken of while
	/// there is none. Silence is counted from here.
	pub alive_until: Moment,
	/// The summary in the last leaf.
	pub summary: TelemetrySummary,
	/// The telemetry digest in the last leaf.
	pub telemetry_digest: H256,
	/// The head of the beat chain in the last leaf.
	pub beat_head: H256,
}

/// A registered orchestrator.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Orchestrator {
	/// The region that it serves.
	pub region: RegionId,
	/// Where it is reached.
	pub address: ServiceAddress,
	/// What it has bonded, held on its account.
	pub bond: Balance,
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	const CLOCK: EpochClock = EpochClock { slot_millis: NonZeroU64::new(10).unwrap() };

	#[test]
	fn counted_slots_should_lose_every_slot_that_an_outage_touches() {
		let counted = |from, to| !counted_slots(&[Outage { from, to }], CLOCK, 600) & SLOT_MASK;
		assert_eq!(counted(0, 600), 0);
		assert_eq!(counted(0, 601), 0b1);
		assert_eq!(counted(610, 620), 0b10);
		assert_eq!(counted(619, 621), 0b110);
		assert_eq!(counted(1_190, 5_000), 1 << 59);
		assert_eq!(counted(1_200, 5_000), 0);
		assert_eq!(counted(0, u64::MAX), SLOT_MASK);
	}

	#[test]
	fn proved_within_should_count_whole_slots_only() {
		let epoch =
			ProvedEpoch { epoch: EpochIndex(1), start: 600, slot_millis: 10, slots: SLOT_MASK };
		assert_eq!(epoch.end(), 1_200);
		assert_eq!(epoch.proved_within(600, 1_200), 60);
		assert_eq!(epoch.proved_within(601, 1_199), 58);
		assert_eq!(epoch.proved_within(0, u64::MAX), 60);
		assert_eq!(epoch.proved_within(1_200, 600), 0);
	}

	proptest! {
		#[test]
		fn live_millis_should_agree_with_counting(
			bounds in prop::collection::btree_set(0u64..200, 0..8), from in 0u64..200, to in 0u64..200,
		) {
			let bounds: Vec<_> = bounds.into_iter().collect();
			let outages: Vec<_> =
				bounds.chunks_exact(2).map(|b| Outage { from: b[0], to: b[1] }).collect();
			let live = (from..to).filter(|t| !outages.iter().any(|o| (o.from..o.to).contains(t)));
			prop_assert_eq!(live_millis(&outages, from, to), live.count() as u64);
		}
	}
}
