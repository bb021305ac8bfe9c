//! Devices and where they stand.

use crate::{location::LocationFinding, MilliWatts, Moment, Ppm, RackId, RegionId, SiteId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::ed25519;

/// How far a device's identity is rooted in hardware. Ordered: a higher tier satisfies a lower
/// requirement.
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
pub enum Tier {
	/// A software key signed the inventory: an identity, not a unique box.
	#[codec(index = 0)]
	T0,
	/// A processor that names itself (SGX); off line also a TPM known by its endorsement key.
	#[codec(index = 1)]
	T1,
	/// A confidential-computing CPU (SEV-SNP with VCEK, TDX).
	#[codec(index = 2)]
	T2,
	/// T2 with accelerators attested under the same nonce.
	#[codec(index = 3)]
	T3,
}

/// Where a device is in its life.
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
pub enum DeviceStatus {
	/// Bonded, not attested (or its attestation lapsed).
	#[codec(index = 0)]
	Registered,
	/// Attested at a tier; no fresh proof of life yet.
	#[codec(index = 1)]
	Attested,
	/// Attested and alive: may be matched.
	#[codec(index = 2)]
	Active,
	/// Missed recent epochs: keeps its leases, gets no new ones.
	#[codec(index = 3)]
	Suspect,
	/// Its provider asked for no new work.
	#[codec(index = 4)]
	Draining,
	/// Earns less than its electricity: no new work, no penalty.
	#[codec(index = 5)]
	Standby,
	/// Silent for long.
	#[codec(index = 6)]
	Offline,
	/// Slashed: no work until its provider clears it.
	#[codec(index = 7)]
	Jailed,
	/// Leaving: its bond is unbonding or returned.
	#[codec(index = 8)]
	Retired,
}

/// What other pallets may know of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceInfo<AccountId> {
	/// The account that bonded it.
	pub provider: AccountId,
	/// Its site.
	pub site: SiteId,
	/// Its rack, if the provider keeps racks.
	pub rack: Option<RackId>,
	/// The key its messages are signed with.
	pub key: ed25519::Public,
	/// Its state now.
	pub status: DeviceStatus,
	/// Parallel lanes (hardware threads) its provider offers, at least 1.
	pub lanes: u16,
	/// Memory that its provider offers to workloads, in MiB.
	pub memory_mib: u32,
}

/// What other pallets may know of a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteInfo<AccountId> {
	/// The account that registered it.
	pub provider: AccountId,
	/// The region whose orchestrators serve it.
	pub region: RegionId,
	/// What its circuit may carry. Running work may use 80 % of it (continuous-load rule).
	pub power_cap: MilliWatts,
	/// Power usage effectiveness: wall power over IT power, at least one.
	pub pue: Ppm,
}

/// What a device has shown in challenges. Each part has its own age.
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
pub struct Performance {
	/// The speed of its lanes.
	pub cpu: Option<CpuScore>,
	/// Its memory.
	pub memory: Option<MemoryScore>,
	/// Its way to verifiers.
	pub network: Option<NetworkScore>,
	/// Its accelerators.
	pub gemm: Option<GemmScore>,
	/// Its storage.
	pub storage: Option<StorageScore>,
}

impl Performance {
	/// Whether nothing was shown.
	pub fn is_empty(&self) -> bool {
		*self == Self::default()
	}
}

/// A measured speed. Off chain it explains prices; on chain it turns fuel into time.
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
pub struct CpuScore {
	/// Challenge steps per second that one lane sustains with all lanes busy.
	pub steps_per_second_per_lane: u64,
	/// Lanes that were busy together.
	pub lanes: u16,
	/// When the round that measured it closed.
	pub measured_at: Moment,
}

/// Memory that a device has filled, and how fast it is.
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
pub struct MemoryScore {
	/// What the device offered when it was measured, in MiB, and what counts as shown.
	pub offered_mib: u32,
	/// What it filled of that, in MiB.
	pub filled_mib: u32,
	/// How fast it filled it, with all lanes together, in MiB per second.
	pub fill_mib_per_second: u32,
	/// Nanoseconds of one read that depends on the last one, with all lanes reading.
	pub read_nanos: u32,
	/// When the round that measured it closed.
	pub measured_at: Moment,
}

/// How a device is connected, as verifiers at different places have measured it at once.
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
pub struct NetworkScore {
	/// The second shortest of their round trips, in microseconds: one of them alone could say anything.
	pub nearest_micros: u32,
	/// The upper median of their round trips, in microseconds.
	pub median_micros: u32,
	/// What the device sent to all of them together, in kilobits per second.
	pub up_kbps: u32,
	/// What it received from all of them together, in kilobits per second.
	pub down_kbps: u32,
	/// What the round trips say of where it claims to be.
	pub location: LocationFinding,
	/// When the round that measured it closed.
	pub measured_at: Moment,
}

/// The most memory of accelerators that a device can offer, in MiB: a tebibyte.
pub const MAX_ACCELERATOR_MIB: u32 = 1 << 20;

/// What a device offers to compute integer products with.
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
pub struct AcceleratorOffer {
	/// Memory that states are kept in, in MiB, at most [`MAX_ACCELERATOR_MIB`].
	pub memory_mib: u32,
	/// Rows and columns of a state. A fast accelerator needs long ones to be busy, and with them a round
	/// takes longer: two times `side` operations for each byte of memory.
	pub side: u32,
}

/// What a device's accelerators have computed, and the memory that they had at hand.
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
pub struct GemmScore {
	/// What it offered when it was measured.
	pub offer: AcceleratorOffer,
	/// Memory of that whose contents it had at hand, in MiB.
	pub shown_mib: u32,
	/// Multiplications and additions of bytes (int8, with sums of 32 bits) per second.
	pub operations_per_second: u64,
	/// When the round that measured it closed.
	pub measured_at: Moment,
}

/// Storage that a device offers to be measured: sectors that it has sealed.
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
pub struct StorageOffer {
	/// How many.
	pub sectors: u32,
	/// Blocks of each, 1 KiB each.
	pub blocks: u32,
	/// Compressions of each block.
	pub compressions: u16,
}

impl StorageOffer {
	/// All sectors, in MiB, rounded down.
	pub fn mib(&self) -> u64 {
		u64::from(self.sectors).saturating_mul(u64::from(self.blocks)) / 1_024
	}
}

/// Storage of which a device had blocks at hand, and how soon.
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
pub struct StorageScore {
	/// What it offered when it was measured. Decision 0016 has what a device can leave out of that which takes
	/// the trouble to choose what it fills again in time.
	pub offer: StorageOffer,
	/// How long it took for the blocks that a verifier asked for, in milliseconds, with the way there and
	/// back, and with others asking at the same time.
	pub read_millis: u32,
	/// When the round that measured it closed.
	pub measured_at: Moment,
}

/// One verifier's round trip to a device.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct RoundTripTo<AccountId> {
	/// The verifier.
	pub verifier: AccountId,
	/// Its fastest echo, in microseconds.
	pub micros: u32,
	/// When the round that measured it closed.
	pub measured_at: Moment,
}

/// The longest device name and inventory strings, in bytes.
pub const MAX_LABEL_LEN: u32 = 64;

/// Shown in lists; `id` is what everything else uses.
pub type DeviceLabel = sp_runtime::BoundedVec<u8, sp_core::ConstU32<MAX_LABEL_LEN>>;
