//! Performance challenges: what a round asks, what a device commits to, what a verifier says.

use crate::{ed25519::Signature, telemetry::PowerReading, DeviceId, Moment, RoundId, H256};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The most lanes one challenge may ask of a device.
pub const MAX_LANES: u16 = 1024;

/// How often failures double the time before the next request: up to 127 windows.
pub const MAX_COOLDOWN_DOUBLINGS: u32 = 7;

/// When a device's operator may ask for a round: at once after one that it passed; one window after
/// the first one that it failed, and each further failure doubles that and adds a window, up to
/// [`MAX_COOLDOWN_DOUBLINGS`] times.
pub fn cool_at(last_closed_at: Option<Moment>, failures: u32, window_millis: u64) -> Moment {
	let doublings = failures.min(MAX_COOLDOWN_DOUBLINGS);
	let windows = 1u64.checked_shl(doublings).unwrap_or(u64::MAX).saturating_sub(1);
	let cooldown = window_millis.saturating_mul(windows);
	last_closed_at.map_or(0, |closed| closed.saturating_add(cooldown))
}

/// The size of a CPU challenge. Work is fixed and time is measured.
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
pub struct CpuChallenge {
	/// Lanes that run at once; the device's offered lanes.
	pub lanes: u16,
	/// Segments of each lane; a checkpoint follows each.
	pub segments: u32,
	/// Steps of a segment, each 64 rounds (techniques 2.1).
	pub steps_per_segment: u32,
}

impl CpuChallenge {
	/// Steps that one lane makes.
	pub fn steps_per_lane(&self) -> u64 {
		u64::from(self.segments).saturating_mul(u64::from(self.steps_per_segment))
	}
}

/// The size of a memory challenge. How much is filled is fixed; how long that takes is measured, and
/// how long a read takes that depends on the last one.
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
pub struct MemoryChallenge {
	/// Lanes that fill and read at once.
	pub lanes: u16,
	/// Blocks of each lane, 1 KiB each.
	pub blocks: u32,
	/// Segments of the walk of each lane; the state at the end of each is committed to.
	pub segments: u32,
	/// Reads of a segment.
	pub reads: u32,
}

impl MemoryChallenge {
	/// Reads that one lane makes.
	pub fn reads_per_lane(&self) -> u64 {
		u64::from(self.segments).saturating_mul(u64::from(self.reads))
	}

	/// All memory that is filled, in MiB, rounded down.
	pub fn mib(&self) -> u32 {
		let blocks = u64::from(self.lanes).saturating_mul(u64::from(self.blocks));
		u32::try_from(blocks / 1_024).unwrap_or(u32::MAX)
	}
}

/// The size of a network challenge. What is moved, and how long it may take, is fixed; how much of it
/// arrives in that time is measured, and how soon a signed answer does.
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
pub struct NetworkChallenge {
	/// Signed echoes that each verifier asks for, one after the other; the fastest counts.
	pub echoes: u16,
	/// When all verifiers of a round begin to move data, in milliseconds after the round's block, so that
	/// they do it at once.
	pub lead_millis: u32,
	/// How long each of them moves data in one direction, then in the other, in milliseconds.
	pub transfer_millis: u32,
	/// The most that each of them moves in one direction, in KiB.
	pub transfer_kib: u32,
}

impl NetworkChallenge {
	/// When the last transfer ends, in milliseconds after the round's block.
	pub fn ends_millis(&self) -> u64 {
		u64::from(self.lead_millis).saturating_add(self.busy_millis())
	}

	/// How long the device's connection is used, in milliseconds.
	pub fn busy_millis(&self) -> u64 {
		u64::from(self.transfer_millis).saturating_mul(2)
	}
}

/// The size of a challenge of integer products, for accelerators. The states to make are fixed and time
/// is measured; all of them stay at hand.
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
pub struct GemmChallenge {
	/// Rows and columns of a state, a byte for each entry.
	pub side: u32,
	/// States to make, each a product of the last one with rows of all before it.
	pub states: u32,
}

impl GemmChallenge {
	/// Multiplications and additions of bytes, two for each pair of entries that meet.
	pub fn operations(&self) -> u128 {
		let side = u128::from(self.side);
		side.saturating_pow(3).saturating_mul(2).saturating_mul(self.states.into())
	}

	/// Bytes of all states.
	pub fn bytes(&self) -> u128 {
		u128::from(self.side).saturating_pow(2).saturating_mul(self.states.into())
	}

	/// All states, in MiB, rounded down.
	pub fn mib(&self) -> u32 {
		u32::try_from(self.bytes() >> 20).unwrap_or(u32::MAX)
	}
}

/// The size of a storage challenge: what was sealed before, and how soon blocks of it are due.
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
pub struct StorageChallenge {
	/// Sectors.
	pub sectors: u32,
	/// Blocks of each, 1 KiB each.
	pub blocks: u32,
	/// Compressions of each block.
	pub compressions: u16,
	/// How long after the round's block the device may commit, in milliseconds on the verifier's clock:
	/// nothing has to be filled for that.
	pub commit_millis: u32,
	/// How long it may take for all blocks that a verifier asks for at once, in milliseconds on the verifier's
	/// clock.
	pub read_millis: u32,
}

/// What a round asks for.
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
pub enum Work {
	/// Lanes of sequential work on all hardware threads.
	#[codec(index = 0)]
	Cpu(CpuChallenge),
	/// Memory to fill and to walk over.
	#[codec(index = 1)]
	Memory(MemoryChallenge),
	/// Echoes to sign, and data to move.
	#[codec(index = 2)]
	Network(NetworkChallenge),
	/// Integer products of matrices, on an accelerator.
	#[codec(index = 3)]
	Gemm(GemmChallenge),
	/// Blocks of sealed storage to read.
	#[codec(index = 4)]
	Storage(StorageChallenge),
}

/// A kind of work.
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
pub enum WorkKind {
	/// [`Work::Cpu`]
	#[codec(index = 0)]
	Cpu,
	/// [`Work::Memory`]
	#[codec(index = 1)]
	Memory,
	/// [`Work::Network`]
	#[codec(index = 2)]
	Network,
	/// [`Work::Gemm`]
	#[codec(index = 3)]
	Gemm,
	/// [`Work::Storage`]
	#[codec(index = 4)]
	Storage,
}

impl WorkKind {
	/// All kinds.
	pub const ALL: [Self; 5] = [Self::Cpu, Self::Memory, Self::Network, Self::Gemm, Self::Storage];

	/// What it is called in metrics, logs and lists; as it is serialized.
	pub fn name(self) -> &'static str {
		match self {
			WorkKind::Cpu => "cpu",
			WorkKind::Memory => "memory",
			WorkKind::Network => "network",
			WorkKind::Gemm => "gemm",
			WorkKind::Storage => "storage",
		}
	}

	/// Whether the device computes something, or has computed it before, and commits to it.
	pub fn is_computed(self) -> bool {
		match self {
			WorkKind::Cpu | WorkKind::Memory | WorkKind::Gemm | WorkKind::Storage => true,
			WorkKind::Network => false,
		}
	}
}

impl Work {
	/// Its kind.
	pub fn kind(&self) -> WorkKind {
		match self {
			Work::Cpu(_) => WorkKind::Cpu,
			Work::Memory(_) => WorkKind::Memory,
			Work::Network(_) => WorkKind::Network,
			Work::Gemm(_) => WorkKind::Gemm,
			Work::Storage(_) => WorkKind::Storage,
		}
	}

	/// Lanes that are busy at once; none while only data is moved or read, or an accelerator works.
	pub fn lanes(&self) -> u16 {
		match self {
			Work::Cpu(cpu) => cpu.lanes,
			Work::Memory(memory) => memory.lanes,
			Work::Network(_) | Work::Gemm(_) | Work::Storage(_) => 0,
		}
	}
}

/// A drawn round, as the chain announces it.
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
pub struct ChallengeTask {
	/// The round.
	pub round: RoundId,
	/// The device under test.
	pub device: DeviceId,
	/// From the beacon, the device and the round; unknown before the round's block.
	pub seed: H256,
	/// What to do.
	pub work: Work,
	/// Seals of verdicts are accepted until then.
	pub deadline: Moment,
}

impl ChallengeTask {
	/// The lanes to run, if it is of that kind.
	pub fn cpu(&self) -> Option<&CpuChallenge> {
		if let Work::Cpu(cpu) = &self.work {
			Some(cpu)
		} else {
			None
		}
	}

	/// The memory to fill, if it is of that kind.
	pub fn memory(&self) -> Option<&MemoryChallenge> {
		if let Work::Memory(memory) = &self.work {
			Some(memory)
		} else {
			None
		}
	}

	/// The data to move, if it is of that kind.
	pub fn network(&self) -> Option<&NetworkChallenge> {
		if let Work::Network(network) = &self.work {
			Some(network)
		} else {
			None
		}
	}

	/// The products to compute, if it is of that kind.
	pub fn gemm(&self) -> Option<&GemmChallenge> {
		if let Work::Gemm(gemm) = &self.work {
			Some(gemm)
		} else {
			None
		}
	}

	/// The storage to read, if it is of that kind.
	pub fn storage(&self) -> Option<&StorageChallenge> {
		if let Work::Storage(storage) = &self.work {
			Some(storage)
		} else {
			None
		}
	}
}

/// What the device signs (under [`crate::signing::Domain::ChallengeCommit`]) when its lanes are done,
/// its memory is filled, its products are computed, or it is ready to move data or to read its storage.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ChallengeCommit {
	/// Blake2b-256 of the task's SCALE encoding. A round whose block is replaced may come back with
	/// another seed: what was signed for the one is worth nothing for the other.
	pub task: H256,
	/// Merkle root over the roots of all lanes' checkpoints, lane 0's first; of memory, over all blocks; of
	/// products, over the roots of all states; of storage, see
	/// `armature_verifier::challenge::storage::committed_root`.
	/// Where nothing is computed, the task's hash once more.
	pub root: H256,
	/// Its own power figures under this load.
	pub power: PowerReading,
}

/// What the device signs (under [`crate::signing::Domain::Echo`]) to show how soon it can answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Echo {
	/// Blake2b-256 of the task's SCALE encoding, and with it what the chain drew a moment ago.
	pub task: H256,
	/// Random, from the verifier, a new one for each echo.
	pub nonce: H256,
}

/// Why a verifier failed a device.
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
pub enum ChallengeFailure {
	/// The device was not connected or did not answer in time.
	#[codec(index = 0)]
	NoAnswer,
	/// It answered with something that does not decode or exceeds its cap.
	#[codec(index = 1)]
	Malformed,
	/// The commitment's signature is not the device's.
	#[codec(index = 2)]
	BadSignature,
	/// An opened checkpoint, block or row is not under the committed root.
	#[codec(index = 3)]
	BadOpening,
	/// A re-run segment ended in another state than the committed one, a block was filled or an entry
	/// computed wrongly, or other data came than was asked for.
	#[codec(index = 4)]
	WrongResult,
	/// The power figures contradict themselves.
	#[codec(index = 5)]
	BadPower,
}

/// What a verifier measured in a round that a device passed.
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
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Measured {
	/// Of lanes.
	#[codec(index = 0)]
	Cpu {
		/// From the round's block to the commitment, by the verifier's clock.
		elapsed_millis: u32,
	},
	/// Of memory.
	#[codec(index = 1)]
	Memory {
		/// From the round's block to the commitment, by the verifier's clock.
		fill_millis: u32,
		/// Nanoseconds of one read that depends on the last one, with all lanes reading, rounded up. The
		/// way to the verifier and back is in it.
		read_nanos: u32,
	},
	/// Of the way between the device and one verifier, while the others measured theirs.
	#[codec(index = 2)]
	Network {
		/// From the round's block to the commitment, by the verifier's clock.
		answer_millis: u32,
		/// The fastest echo, in microseconds, rounded up.
		round_trip_micros: u32,
		/// What came from the device, in kilobits per second, rounded down.
		up_kbps: u32,
		/// What the device acknowledged, in kilobits per second, rounded down.
		down_kbps: u32,
	},
	/// Of products.
	#[codec(index = 3)]
	Gemm {
		/// From the round's block to the commitment, by the verifier's clock.
		elapsed_millis: u32,
	},
	/// Of storage.
	#[codec(index = 4)]
	Storage {
		/// From the round's block to the commitment, by the verifier's clock.
		answer_millis: u32,
		/// From a request for blocks until all of them had come, by the verifier's clock, rounded up. The
		/// way to the verifier and back is in it, and so is what the device read for others meanwhile.
		read_millis: u32,
	},
}

impl Measured {
	/// The kind of work that it is of.
	pub fn kind(&self) -> WorkKind {
		match self {
			Measured::Cpu { .. } => WorkKind::Cpu,
			Measured::Memory { .. } => WorkKind::Memory,
			Measured::Network { .. } => WorkKind::Network,
			Measured::Gemm { .. } => WorkKind::Gemm,
			Measured::Storage { .. } => WorkKind::Storage,
		}
	}

	/// From the round's block to the commitment, in milliseconds.
	pub fn elapsed_millis(&self) -> u32 {
		match self {
			Measured::Cpu { elapsed_millis } | Measured::Gemm { elapsed_millis } => *elapsed_millis,
			Measured::Memory { fill_millis, .. } => *fill_millis,
			Measured::Network { answer_millis, .. } | Measured::Storage { answer_millis, .. } => {
				*answer_millis
			},
		}
	}
}

/// One verifier's finding about one round.
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
pub enum Verdict {
	/// All samples were right.
	#[codec(index = 0)]
	Passed {
		/// How fast the device was.
		measured: Measured,
		/// The power figures that the device signed.
		power: PowerReading,
		/// The root that the device signed.
		root: H256,
		/// The device's signature of the commitment.
		signature: Signature,
	},
	/// The round failed.
	#[codec(index = 1)]
	Failed {
		/// Why.
		reason: ChallengeFailure,
	},
}

/// What a round waits for from one member of its committee.
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
pub enum AssignmentPhase {
	/// The hash of its verdict, until the task's deadline.
	#[codec(index = 0)]
	Seal,
	/// Nothing: others have to seal theirs, or the deadline to pass.
	#[codec(index = 1)]
	Wait,
	/// The verdict that it sealed.
	#[codec(index = 2)]
	Reveal {
		/// The last moment for it.
		until: Moment,
	},
}

/// A round that waits for a verifier.
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
pub struct Assignment {
	/// The round.
	pub task: ChallengeTask,
	/// What it waits for.
	pub phase: AssignmentPhase,
}
