//! Beats, leaves and what a device says about its condition.

use crate::{DeviceId, EpochIndex, MilliWatts, Moment, Ppm, H256};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Slots of one epoch; a leaf's bitmap has one bit for each.
pub const SLOTS_PER_EPOCH: u32 = 60;

/// The bits that a slot bitmap may use.
pub const SLOT_MASK: u64 = (1 << SLOTS_PER_EPOCH) - 1;

/// Where a power figure comes from, from the most to the least trusted.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum PowerSource {
	/// A meter at the wall or a BMC.
	#[codec(index = 0)]
	WallMeter,
	/// Sensors on the board (hwmon, PSU).
	#[codec(index = 1)]
	BoardSensor,
	/// The CPU package's energy counter (RAPL); sees neither disks nor supply losses.
	#[codec(index = 2)]
	PackageCounter,
	/// No sensor: a published table by utilisation. Never called measured.
	#[codec(index = 3)]
	Estimated,
}

/// What a device was busy with while its power was read.
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
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum PowerLoad {
	/// All of its lanes.
	#[codec(index = 0)]
	Lanes,
	/// Products, on what it multiplies with.
	#[codec(index = 1)]
	Accelerator,
}

/// A power figure with what is known of its error.
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
	Serialize,
	Deserialize,
)]
pub struct PowerReading {
	/// Power with no work running.
	pub idle: MilliWatts,
	/// Power with every lane busy, at least `idle`.
	pub loaded: MilliWatts,
	/// Where the figures come from.
	pub source: PowerSource,
	/// Half-width of the error band, relative: the true value lies within
	/// `loaded * (1 +- error)`.
	pub error: Ppm,
}

/// Means and extremes of one epoch; all self-reported by the device.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Default,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub struct TelemetrySummary {
	/// Mean power over the epoch.
	pub mean_power: MilliWatts,
	/// Mean CPU utilisation of all lanes.
	pub mean_load: Ppm,
	/// Highest temperature seen, in tenths of a degree Celsius; `i16::MIN` when there is no sensor.
	pub max_temperature: i16,
	/// Highest memory use.
	pub max_memory: Ppm,
}

/// What a device signs once per epoch.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Leaf {
	/// The device.
	pub device: DeviceId,
	/// The epoch it speaks of.
	pub epoch: EpochIndex,
	/// Bit `i` says that the device was up in slot `i`; bits from [`SLOTS_PER_EPOCH`] on are zero.
	pub slots: u64,
	/// Head of the epoch's beat chain (see [`Beat::link`]).
	pub beat_head: H256,
	/// Blake2b-256 of the epoch's full telemetry record.
	pub telemetry_digest: H256,
	/// The part of it that the chain keeps.
	pub summary: TelemetrySummary,
}

/// Proof of life to an orchestrator, every slot.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Beat {
	/// The device.
	pub device: DeviceId,
	/// The epoch.
	pub epoch: EpochIndex,
	/// The slot in it, below [`SLOTS_PER_EPOCH`].
	pub slot: u8,
	/// Head of the chain before this beat; the zero hash at the first beat of an epoch.
	pub previous: H256,
	/// A recent best block that the device has seen.
	pub block_hash: H256,
	/// Blake2b-256 of the slot's telemetry sample.
	pub telemetry: H256,
	/// The device's clock.
	pub sent_at: Moment,
}

impl Beat {
	/// The head of the beat chain after this beat: `blake2b256(previous || block || telemetry)`.
	pub fn link(&self) -> H256 {
		let mut input = [0u8; 96];
		let (a, rest) = input.split_at_mut(32);
		let (b, c) = rest.split_at_mut(32);
		a.copy_from_slice(self.previous.as_bytes());
		b.copy_from_slice(self.block_hash.as_bytes());
		c.copy_from_slice(self.telemetry.as_bytes());
		H256(sp_crypto_hashing::blake2_256(&input))
	}
}

/// What an orchestrator signs to acknowledge a beat.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct BeatAck {
	/// Head of the beat chain that it acknowledges.
	pub head: H256,
	/// The epoch.
	pub epoch: EpochIndex,
	/// The slot.
	pub slot: u8,
	/// The orchestrator's clock when the beat arrived.
	pub received_at: Moment,
}

/// Epoch arithmetic for one slot length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochClock {
	/// Length of a slot in milliseconds, at least 1.
	pub slot_millis: core::num::NonZeroU64,
}

impl EpochClock {
	/// Length of an epoch in milliseconds.
	pub fn epoch_millis(&self) -> u64 {
		self.slot_millis.get().saturating_mul(u64::from(SLOTS_PER_EPOCH))
	}

	/// The epoch that `now` lies in.
	pub fn epoch_at(&self, now: Moment) -> EpochIndex {
		EpochIndex(now.checked_div(self.epoch_millis()).unwrap_or(0))
	}

	/// The first instant of `epoch`.
	pub fn start_of(&self, epoch: EpochIndex) -> Moment {
		epoch.0.saturating_mul(self.epoch_millis())
	}

	/// The first instant after `epoch`.
	pub fn end_of(&self, epoch: EpochIndex) -> Moment {
		self.start_of(epoch).saturating_add(self.epoch_millis())
	}

	/// The slot of its epoch that `now` lies in, below [`SLOTS_PER_EPOCH`].
	pub fn slot_at(&self, now: Moment) -> u8 {
		let into = now.saturating_sub(self.start_of(self.epoch_at(now)));
		u8::try_from(into.checked_div(self.slot_millis.get()).unwrap_or(0)).unwrap_or(u8::MAX)
	}
}
