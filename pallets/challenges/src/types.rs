//! Stored types.

pub use crate::parameters::*;

use crate::Config;
use alloc::collections::BTreeSet;
use armature_primitives::{
	challenge::{cool_at, AssignmentPhase, ChallengeTask, Measured, Verdict, WorkKind},
	device::{AcceleratorOffer, Performance, RoundTripTo, StorageOffer},
	ed25519,
	location::Position,
	service::{Network, ServiceAddress},
	Balance, DeviceId, Moment, Ppm, RoundId, H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// The most verifiers of one round.
pub const MAX_COMMITTEE: u32 = 5;

/// A verdict is paid at most this part of what is there and nobody has earned yet, so that whoever
/// makes rounds happen cannot empty the account.
pub const PAY_DIVISOR: Balance = 10_000;

/// The same for the reward of a proof.
pub const REWARD_DIVISOR: Balance = 1_000;

/// The most memory that a device can show, in MiB: so many blocks can be numbered.
pub const MAX_MEMORY_MIB: u32 = u32::MAX / 1_024;

/// The most rounds that a view returns.
pub const MAX_VIEWED_ROUNDS: usize = 256;

/// A registered verifier.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct VerifierRecord {
	/// Where devices and services reach it.
	pub address: ServiceAddress,
	/// What it bonded when it registered, in planck.
	pub bonded: Balance,
	/// What is left of that, on hold.
	pub bond: Balance,
	/// What it has earned and not claimed, in planck.
	pub earned: Balance,
	/// When it retired or was retired; `None` while it takes assignments.
	pub retired_at: Option<Moment>,
	/// How its verdicts fared.
	pub history: VerdictHistory,
	/// Where it says to be.
	pub position: Option<Position>,
}

/// How a verifier's verdicts fared, counted since it registered.
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
)]
pub struct VerdictHistory {
	/// With the majority.
	pub agreed: u32,
	/// Without it, or far from its time.
	pub differed: u32,
	/// Never sealed.
	pub missed: u32,
	/// Sealed and never revealed.
	pub unrevealed: u32,
	/// Said that a planted answer passed.
	pub fooled: u32,
}

/// A verifier that takes assignments.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ActiveVerifier<AccountId> {
	/// The verifier.
	pub who: AccountId,
	/// Where it is reached.
	pub network: Network,
}

/// An enrolled device.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct EnrolmentRecord<AccountId> {
	/// Its provider.
	pub owner: AccountId,
	/// Its place among all devices of that.
	pub place: u32,
	/// When its last round closed; `None` before the first.
	pub last_closed_at: Option<Moment>,
	/// Rounds failed since the last one it passed.
	pub failures: u32,
	/// Since when it is in maintenance: it has no score, and is not challenged.
	pub maintenance_since: Option<Moment>,
	/// What it may answer a round with instead of work.
	pub planted: Option<PlantedAnswer>,
	/// When it showed a planted answer last.
	pub planted_shown_at: Option<Moment>,
	/// When its last maintenance began.
	pub last_maintenance_at: Option<Moment>,
	/// The rounds that its score is of, or is gone for.
	pub last_rounds: LastRounds,
	/// Where it is claimed to be.
	pub position: Option<Position>,
	/// What it offers to compute products with.
	pub accelerator: Option<AcceleratorOffer>,
	/// When that, or an earlier one, was offered last.
	pub accelerator_offered_at: Option<Moment>,
	/// Storage that it offers to be measured.
	pub storage: Option<StorageOffer>,
	/// When that, or other storage, was offered last.
	pub storage_offered_at: Option<Moment>,
}

/// The round of each kind that has changed a device's score last, since its last maintenance.
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
)]
pub struct LastRounds {
	/// Of lanes.
	pub cpu: Option<RoundId>,
	/// Of memory.
	pub memory: Option<RoundId>,
	/// Of its way to verifiers.
	pub network: Option<RoundId>,
	/// Of its accelerators.
	pub gemm: Option<RoundId>,
	/// Of its storage.
	pub storage: Option<RoundId>,
}

impl LastRounds {
	/// The last one of this kind.
	pub fn of(&self, kind: WorkKind) -> Option<RoundId> {
		match kind {
			WorkKind::Cpu => self.cpu,
			WorkKind::Memory => self.memory,
			WorkKind::Network => self.network,
			WorkKind::Gemm => self.gemm,
			WorkKind::Storage => self.storage,
		}
	}

	/// Notes the last one of this kind.
	pub fn set(&mut self, kind: WorkKind, round: RoundId) {
		match kind {
			WorkKind::Cpu => self.cpu = Some(round),
			WorkKind::Memory => self.memory = Some(round),
			WorkKind::Network => self.network = Some(round),
			WorkKind::Gemm => self.gemm = Some(round),
			WorkKind::Storage => self.storage = Some(round),
		}
	}
}

/// A wrong answer that was announced before the round: whoever says that it passed has not looked.
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
pub struct PlantedAnswer {
	/// Of its root; see [`armature_verifier::challenge::verdict::planted_hash`].
	pub hash: H256,
	/// In which block it was announced.
	pub planted_in: u32,
}

impl<AccountId> EnrolmentRecord<AccountId> {
	/// A device that was never challenged, before it has its place.
	pub fn new(owner: AccountId) -> Self {
		Self {
			owner,
			place: 0,
			last_closed_at: None,
			failures: 0,
			maintenance_since: None,
			planted: None,
			planted_shown_at: None,
			last_maintenance_at: None,
			last_rounds: LastRounds::default(),
			position: None,
			accelerator: None,
			accelerator_offered_at: None,
			storage: None,
			storage_offered_at: None,
		}
	}

	/// What of a score was shown with what it still offers.
	pub fn of_offers(&self, score: Performance) -> Performance {
		Performance {
			gemm: score.gemm.filter(|gemm| self.accelerator == Some(gemm.offer)),
			storage: score.storage.filter(|storage| self.storage == Some(storage.offer)),
			..score
		}
	}

	/// When its operator may ask for a round; see [`cool_at`].
	pub fn cool_at(&self, window_millis: u64) -> Moment {
		cool_at(self.last_closed_at, self.failures, window_millis)
	}
}

/// An owner of enrolled devices.
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
pub struct OwnerRecord {
	/// Its place among all owners.
	pub index: u32,
	/// How many, at least one.
	pub devices: u32,
	/// Its probability to be hit within `round_interval_blocks`.
	pub share: Ppm,
	/// The device that waits in the queue for a requested start.
	pub queued: Option<DeviceId>,
	/// Open rounds of its devices: none of them is started before all have closed.
	pub open: u32,
	/// Its devices are not started before: they have just worked.
	pub rests_until: Moment,
}

/// What a member of a committee has done.
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
pub enum SeatState {
	/// Nothing.
	#[codec(index = 0)]
	Empty,
	/// It posted this hash of its verdict.
	#[codec(index = 1)]
	Sealed(H256),
	/// It said what it found.
	#[codec(index = 2)]
	Revealed(Verdict),
}

/// One member of a round's committee.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Seat<AccountId> {
	/// The verifier.
	pub verifier: AccountId,
	/// Where it was reached when the round was drawn.
	pub network: Network,
	/// What it has done.
	pub state: SeatState,
}

/// An open round.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Round<AccountId> {
	/// What the device has to do. Seals are taken until its deadline.
	pub task: ChallengeTask,
	/// The device's key when the round was drawn.
	pub key: ed25519::Public,
	/// The committee, at least one seat, all different.
	pub seats: BoundedVec<Seat<AccountId>, ConstU32<MAX_COMMITTEE>>,
	/// The chain's time when the round was drawn (the clock of the block before).
	pub opened_at: Moment,
	/// Reveals are taken until then.
	pub reveal_until: Moment,
	/// The owner among whose open rounds it counts; `None` once the device has left.
	pub owner: Option<AccountId>,
	/// In which block the round was drawn.
	pub opened_in: u32,
	/// Whether it was asked for: then it is no surprise.
	pub is_asked: bool,
	/// What the device offered when the round was drawn.
	pub offer: Offer,
	/// What was proved of the device in this round: then it is failed, whatever the verdicts.
	pub proved: Proved,
}

impl<AccountId: Ord> Round<AccountId> {
	/// Whether reveals are taken: no seal can come any more.
	pub fn is_sealed(&self, now: Moment) -> bool {
		now > self.task.deadline || self.seats.iter().all(|seat| seat.state != SeatState::Empty)
	}

	/// Whether nothing can come any more before the last moment to reveal.
	pub fn is_complete(&self, now: Moment) -> bool {
		let sealed = |seat: &Seat<_>| matches!(seat.state, SeatState::Sealed(_));
		self.is_sealed(now) && !self.seats.iter().any(sealed)
	}

	/// What it waits for from a member of its committee; `None` for nothing any more.
	pub fn phase(&self, who: &AccountId, now: Moment) -> Option<AssignmentPhase> {
		let seat = self.seats.iter().find(|seat| &seat.verifier == who)?;
		match seat.state {
			SeatState::Empty if now <= self.task.deadline => Some(AssignmentPhase::Seal),
			SeatState::Sealed(_) if !self.is_sealed(now) => Some(AssignmentPhase::Wait),
			SeatState::Sealed(_) if now <= self.reveal_until => {
				Some(AssignmentPhase::Reveal { until: self.reveal_until })
			},
			_ => None,
		}
	}

	/// Who has said that the device passed, and the root that it answered with.
	pub fn passed(&self) -> BoundedVec<(AccountId, H256), ConstU32<MAX_COMMITTEE>>
	where
		AccountId: Clone,
	{
		let passed = self.seats.iter().filter_map(|seat| match seat.state {
			SeatState::Revealed(Verdict::Passed { root, .. }) => {
				Some((seat.verifier.clone(), root))
			},
			_ => None,
		});
		BoundedVec::truncate_from(passed.collect())
	}

	/// Whether no verifier sits twice.
	pub fn is_distinct(&self) -> bool {
		self.seats.iter().map(|seat| &seat.verifier).collect::<BTreeSet<_>>().len()
			== self.seats.len()
	}
}

/// What a device offered when its round was drawn.
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
pub struct Offer {
	/// Lanes, at most [`MAX_LANES`]; one is left to a lease.
	pub lanes: u16,
	/// Memory, in MiB, at most [`MAX_MEMORY_MIB`].
	pub memory_mib: u32,
	/// An accelerator.
	pub accelerator: Option<AcceleratorOffer>,
	/// Storage.
	pub storage: Option<StorageOffer>,
}

/// A round that has ended, as long as a fraud in it can be proved or its planted answer shown.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct EndedRound<AccountId> {
	/// What the device had to do.
	pub task: ChallengeTask,
	/// The device's key when the round was drawn.
	pub key: ed25519::Public,
	/// In which block the round was drawn.
	pub opened_in: u32,
	/// When it ended.
	pub ended_at: Moment,
	/// Who said that the device passed, and the root that it answered with.
	pub passed: BoundedVec<(AccountId, H256), ConstU32<MAX_COMMITTEE>>,
	/// What counted of the device before.
	pub before: Performance,
	/// Whether it counted as failed.
	pub is_failed: bool,
	/// What that raised the owner's share by.
	pub raised_share: Ppm,
	/// What was proved of the device in it.
	pub proved: Proved,
}

/// What was proved of a device in a round.
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
)]
pub struct Proved {
	/// A wrong segment, block or entry.
	pub fault: bool,
	/// Two roots.
	pub equivocation: bool,
}

impl Proved {
	/// Whether anything was.
	pub fn any(self) -> bool {
		self.fault || self.equivocation
	}
}

/// How a round ended.
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
pub enum RoundOutcome {
	/// More than half of the verdicts said passed.
	#[codec(index = 0)]
	Passed {
		/// What stands.
		measured: Measured,
	},
	/// More than half of the verdicts said failed, the device signed two roots, or a fraud was proved.
	#[codec(index = 1)]
	Failed {
		/// Verdicts that said so.
		failed: u32,
		/// Verdicts in all.
		posted: u32,
	},
	/// No more than half of the committee spoke, or neither side has a majority: nothing changes.
	#[codec(index = 2)]
	Void,
	/// The device did all that was asked, but what it filled is no memory: reads take too long.
	#[codec(index = 3)]
	TooSlow {
		/// What was measured.
		measured: Measured,
	},
}

/// The round type of a runtime.
pub type RoundOf<T> = Round<<T as frame_system::Config>::AccountId>;

/// The type of an ended round of a runtime.
pub type EndedRoundOf<T> = EndedRound<<T as frame_system::Config>::AccountId>;

/// The queue of requested starts: entries `head..tail`.
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
)]
pub struct QueueBounds {
	/// The first entry.
	pub head: u64,
	/// Past the last entry.
	pub tail: u64,
}

/// The verifiers that take assignments, in no particular order.
pub type ActiveVerifiersOf<T> =
	BoundedVec<ActiveVerifier<<T as frame_system::Config>::AccountId>, <T as Config>::MaxVerifiers>;

/// The round trips of a device to the verifiers of its last round of that kind.
pub type RoundTripsOf<T> =
	BoundedVec<RoundTripTo<<T as frame_system::Config>::AccountId>, ConstU32<MAX_COMMITTEE>>;

/// The argument of `seal_verdicts`: hashes of verdicts, see
/// [`armature_verifier::challenge::verdict::seal`].
pub type SealsOf<T> = BoundedVec<(RoundId, H256), <T as Config>::MaxVerdictsPerCall>;

/// The argument of `reveal_verdicts`: verdicts with the salts that were sealed with them.
pub type RevealsOf<T> = BoundedVec<(RoundId, Verdict, H256), <T as Config>::MaxVerdictsPerCall>;
