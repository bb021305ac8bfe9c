//! Stored types.

use crate::Config;
use alloc::collections::BTreeSet;
use armature_primitives::{
	challenge::{
		cool_at, AssignmentPhase, ChallengeTask, CpuChallenge, Measured, MemoryChallenge, Verdict,
		Work, WorkKind, MAX_LANES,
	},
	device::Performance,
	ed25519,
	service::{Network, ServiceAddress},
	Balance, DeviceId, Moment, Ppm, RoundId, H256,
};
use armature_verifier::challenge::{
	check_work,
	memory::{MAX_READS, MAX_SEGMENTS, MAX_WALK_LANES},
	DEFAULT_STEPS_PER_SEGMENT,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The most verifiers of one round.
pub const MAX_COMMITTEE: u32 = 5;

/// The longest window for seals, and for reveals: one hour.
pub const MAX_WINDOW_MILLIS: u64 = 3_600_000;

/// The longest time to prove a fraud: thirty days.
pub const MAX_DISPUTE_MILLIS: u64 = 30 * 24 * 3_600_000;

/// A verdict is paid at most this part of what is there and nobody has earned yet, so that whoever
/// makes rounds happen cannot empty the account.
pub const PAY_DIVISOR: Balance = 10_000;

/// The same for the reward of a proof.
pub const REWARD_DIVISOR: Balance = 1_000;

/// The most memory that a device can show, in MiB: so many blocks can be numbered.
pub const MAX_MEMORY_MIB: u32 = u32::MAX / 1_024;

/// The most rounds that a view returns.
pub const MAX_VIEWED_ROUNDS: usize = 256;

/// Lengths, rates and sums; see [`Parameters::validate`] for their bounds.
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
pub struct Parameters {
	/// The number of blocks in which an owner is hit with its share, at least 1.
	pub round_interval_blocks: u32,
	/// What good history lowers an owner's share to, above 0.
	pub min_share: Ppm,
	/// The share of a new owner, and of one in doubt, at most 100 %.
	pub max_share: Ppm,
	/// The most of their time that an owner's devices spend on rounds that they pass, above 0, at most
	/// 100 %.
	pub max_load: Ppm,
	/// Verifiers of a round, 1 to [`MAX_COMMITTEE`]. With fewer than three of them, or than this, no
	/// round is opened.
	pub committee: u8,
	/// Whether no two of them may be reached in the same network.
	pub distinct_networks: bool,
	/// How long after its block a round takes seals, 1 to [`MAX_WINDOW_MILLIS`].
	pub window_millis: u64,
	/// How long reveals are taken after that, 1 to [`MAX_WINDOW_MILLIS`].
	pub reveal_millis: u64,
	/// How long frauds can be proved after a round has ended, 1 to [`MAX_DISPUTE_MILLIS`].
	pub dispute_millis: u64,
	/// How long a score counts, at least the window.
	pub score_max_age_millis: u64,
	/// Segments of each lane.
	pub segments: u32,
	/// Steps of a segment.
	pub steps_per_segment: u32,
	/// The part of drawn starts that are about memory; all others are about lanes. At most 100 %.
	pub memory_part: Ppm,
	/// What is filled of the memory that a device offers; above 0, at most 100 %.
	pub memory_share: Ppm,
	/// Segments of the walk of each lane, at least 1; with many lanes fewer, [`MAX_SEGMENTS`] together.
	pub walk_segments: u32,
	/// Reads of a segment, 1 to [`MAX_READS`].
	pub walk_reads: u32,
	/// Memory of which a read takes longer, in nanoseconds, is none: it may be a disk, or on another
	/// machine. Above 0.
	pub max_read_nanos: u32,
	/// What a new verifier bonds, in planck, above 0.
	pub verifier_bond: Balance,
	/// How long a retired verifier's bond stays held, at least both windows and the time for disputes.
	pub verifier_unbonding_millis: u64,
	/// What a verdict with the majority earns, and a missing one costs, in planck, as long as there is
	/// money: see [`PAY_DIVISOR`].
	pub verdict_fee: Balance,
	/// What a verdict that was sealed and not revealed costs, in planck; at least the fee and at most a
	/// tenth of `verifier_bond`.
	pub verdict_penalty: Balance,
	/// What a proof of fraud bonds, in planck, above 0.
	pub dispute_bond: Balance,
	/// What a wrong segment costs, of the device's bond; above 0, at most `fraud_slash`. Memory without
	/// error correction may be to blame.
	pub fault_slash: Ppm,
	/// What two roots in one round cost, which is no accident; at most 100 %.
	pub fraud_slash: Ppm,
	/// What a proof earns, in planck, but never more than a fifth of what was slashed, and as long as
	/// there is money: see [`REWARD_DIVISOR`].
	pub fraud_reward: Balance,
	/// How many blocks before a round its planted answer has to be announced, at least 3: whoever authors all
	/// of them knows the round's seed before.
	pub planted_lead_blocks: u32,
	/// How often a device's failed round may turn out to be a planted answer, at least one window.
	pub planted_interval_millis: u64,
	/// What it costs a verifier to have passed a planted answer, in planck; at most half of
	/// `verifier_bond`. Whoever planted it earns a fifth.
	pub planted_penalty: Balance,
	/// How long after the start of one maintenance of a device the next may start.
	pub maintenance_interval_millis: u64,
}

impl Parameters {
	/// The fewest verifiers of a round.
	pub fn quorum(&self) -> usize {
		usize::from(self.committee.min(3))
	}

	/// The challenge for a device of `lanes` lanes.
	pub fn cpu(&self, lanes: u16) -> CpuChallenge {
		CpuChallenge {
			lanes: lanes.clamp(1, MAX_LANES),
			segments: self.segments,
			steps_per_segment: self.steps_per_segment,
		}
	}

	/// The challenge for a device that offers so much memory, with as many lanes.
	pub fn memory(&self, lanes: u16, offered_mib: u32) -> MemoryChallenge {
		let lanes = lanes.clamp(1, MAX_LANES);
		let walk_lanes = u32::from(lanes.min(MAX_WALK_LANES));
		let blocks = u64::from(offered_mib.min(MAX_MEMORY_MIB)).saturating_mul(1_024);
		let blocks = u128::from(blocks).saturating_mul(self.memory_share.0.into());
		let blocks = u32::try_from(blocks / u128::from(Ppm::ONE.0)).unwrap_or(u32::MAX);
		MemoryChallenge {
			lanes,
			blocks: (blocks / u32::from(lanes)).max(2),
			segments: self.walk_segments.min(MAX_SEGMENTS / walk_lanes).max(1),
			reads: self.walk_reads,
		}
	}

	/// What a device with this offer has to do in a round of this kind. While it runs a
	/// lease, a lane is left to that, and so is all of the memory.
	pub fn work(&self, kind: WorkKind, offer: Offer, is_leased: bool) -> Work {
		let Offer { lanes, memory_mib } = offer;
		match kind {
			WorkKind::Memory if !is_leased => Work::Memory(self.memory(lanes, memory_mib)),
			_ => Work::Cpu(self.cpu(lanes.saturating_sub(is_leased.into()))),
		}
	}

	/// Whether every field is within its bounds, tasks for the most lanes are within the
	/// verifier's caps, and the slowest verdict in time still is a speed of at least one step per
	/// second (a score of zero would be none).
	pub fn validate(&self) -> bool {
		let cpu = self.cpu(MAX_LANES);
		let windows = self.window_millis.saturating_add(self.reveal_millis);
		let share = |share: Ppm| share.0 > 0 && share <= Ppm::ONE;
		self.round_interval_blocks > 0
			&& share(self.max_share)
			&& (Ppm(1)..=self.max_share).contains(&self.min_share)
			&& share(self.max_load)
			&& share(self.fraud_slash)
			&& (Ppm(1)..=self.fraud_slash).contains(&self.fault_slash)
			&& (1..=MAX_COMMITTEE).contains(&u32::from(self.committee))
			&& (1..=MAX_WINDOW_MILLIS).contains(&self.window_millis)
			&& (1..=MAX_WINDOW_MILLIS).contains(&self.reveal_millis)
			&& (1..=MAX_DISPUTE_MILLIS).contains(&self.dispute_millis)
			&& self.score_max_age_millis >= self.window_millis
			&& self.verifier_unbonding_millis >= windows.saturating_add(self.dispute_millis)
			&& self.verifier_bond > 0
			&& self.dispute_bond > 0
			&& (self.verdict_fee..=self.verifier_bond / 10).contains(&self.verdict_penalty)
			&& self.memory_part <= Ppm::ONE
			&& share(self.memory_share)
			&& (1..=MAX_SEGMENTS).contains(&self.walk_segments)
			&& (1..=MAX_READS).contains(&self.walk_reads)
			&& self.max_read_nanos > 0
			&& self.planted_lead_blocks > 2
			&& self.planted_interval_millis >= self.window_millis
			&& self.planted_penalty <= self.verifier_bond / 2
			&& check_work(&Work::Cpu(cpu)).is_ok()
			&& check_work(&Work::Memory(self.memory(MAX_LANES, u32::MAX))).is_ok()
			&& cpu.steps_per_lane().saturating_mul(1_000) >= self.window_millis
	}
}

impl Default for Parameters {
	/// Production: within 10 minutes of 3 s blocks a new owner is hit with 1 in 9, so sixteen times a
	/// day, and one with good history with 1 in 144, so once (techniques 2.7 begins at four), never for more
	/// than a hundredth of the time; 3,000 segments of 3 to 4 ms are 9 to 12 s of
	/// work on a current core, and three minutes leave room for cores ten times slower; ten minutes to
	/// reveal, a day to prove a fraud; a score counts for three days; 10,000 ARMA of bond, seven days
	/// of unbonding; 0.01 ARMA for a verdict. One start in four is about memory: nine tenths of what is
	/// offered, and a million reads of each lane, half a second and more. A read takes 0.2 to 1 µs with its
	/// hash, and 50 µs from a fast disk.
	fn default() -> Self {
		Self {
			round_interval_blocks: 200,
			min_share: Ppm(6_944),
			max_share: Ppm(111_112),
			max_load: Ppm(10_000),
			committee: 5,
			distinct_networks: true,
			window_millis: 180_000,
			reveal_millis: 600_000,
			dispute_millis: 86_400_000,
			score_max_age_millis: 259_200_000,
			segments: 3_000,
			steps_per_segment: DEFAULT_STEPS_PER_SEGMENT,
			verifier_bond: 10_000_000_000_000_000,
			verifier_unbonding_millis: 604_800_000,
			verdict_fee: 10_000_000_000,
			verdict_penalty: 50_000_000_000,
			dispute_bond: 10_000_000_000_000,
			fault_slash: Ppm(10_000),
			fraud_slash: Ppm(100_000),
			fraud_reward: 50_000_000_000_000,
			memory_part: Ppm(250_000),
			memory_share: Ppm(900_000),
			walk_segments: 131_072,
			walk_reads: 8,
			max_read_nanos: 5_000,
			planted_lead_blocks: 64,
			planted_interval_millis: 604_800_000,
			planted_penalty: 1_000_000_000_000_000,
			maintenance_interval_millis: 86_400_000,
		}
	}
}

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
}

impl LastRounds {
	/// The last one of this kind.
	pub fn of(&self, kind: WorkKind) -> Option<RoundId> {
		match kind {
			WorkKind::Cpu => self.cpu,
			WorkKind::Memory => self.memory,
		}
	}

	/// Notes the last one of this kind.
	pub fn set(&mut self, kind: WorkKind, round: RoundId) {
		match kind {
			WorkKind::Cpu => self.cpu = Some(round),
			WorkKind::Memory => self.memory = Some(round),
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
	/// A wrong segment or block.
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

/// The argument of `seal_verdicts`: hashes of verdicts, see
/// [`armature_verifier::challenge::verdict::seal`].
pub type SealsOf<T> = BoundedVec<(RoundId, H256), <T as Config>::MaxVerdictsPerCall>;

/// The argument of `reveal_verdicts`: verdicts with the salts that were sealed with them.
pub type RevealsOf<T> = BoundedVec<(RoundId, Verdict, H256), <T as Config>::MaxVerdictsPerCall>;
