//! Stored types.

use crate::Config;
use alloc::collections::BTreeSet;
use armature_primitives::{
	challenge::{cool_at, AssignmentPhase, ChallengeTask, CpuChallenge, Verdict, MAX_LANES},
	device::Performance,
	ed25519,
	service::{Network, ServiceAddress},
	Balance, DeviceId, Moment, Ppm, H256,
};
use armature_verifier::challenge::{checkpoints, DEFAULT_STEPS_PER_SEGMENT};
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
	/// What a new verifier bonds, in planck, above 0.
	pub verifier_bond: Balance,
	/// How long a retired verifier's bond stays held, at least both windows.
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
			&& self.verifier_unbonding_millis >= windows
			&& self.verifier_bond > 0
			&& self.dispute_bond > 0
			&& (self.verdict_fee..=self.verifier_bond / 10).contains(&self.verdict_penalty)
			&& checkpoints(&cpu).is_ok()
			&& cpu.steps_per_lane().saturating_mul(1_000) >= self.window_millis
	}
}

impl Default for Parameters {
	/// Production: within 10 minutes of 3 s blocks a new owner is hit with 1 in 9, so sixteen times a
	/// day, and one with good history with 1 in 144, so once (techniques 2.7 begins at four), never for more
	/// than a hundredth of the time; 3,000 segments of 3 to 4 ms are 9 to 12 s of
	/// work on a current core, and three minutes leave room for cores ten times slower; ten minutes to
	/// reveal, a day to prove a fraud; a score counts for three days; 10,000 ARMA of bond, seven days
	/// of unbonding; 0.01 ARMA for a verdict.
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
}

impl<AccountId> EnrolmentRecord<AccountId> {
	/// A device that was never challenged, before it has its place.
	pub fn new(owner: AccountId) -> Self {
		Self { owner, place: 0, last_closed_at: None, failures: 0 }
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

	/// Whether no verifier sits twice.
	pub fn is_distinct(&self) -> bool {
		self.seats.iter().map(|seat| &seat.verifier).collect::<BTreeSet<_>>().len()
			== self.seats.len()
	}
}

/// A round that has ended and whose device can still be proved a fraud.
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
pub struct EndedRound {
	/// What the device had to do.
	pub task: ChallengeTask,
	/// The device's key when the round was drawn.
	pub key: ed25519::Public,
	/// When it ended.
	pub ended_at: Moment,
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
	/// A wrong segment.
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
		/// The new score.
		performance: Performance,
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
}

/// The round type of a runtime.
pub type RoundOf<T> = Round<<T as frame_system::Config>::AccountId>;

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
pub type SealsOf<T> =
	BoundedVec<(armature_primitives::RoundId, H256), <T as Config>::MaxVerdictsPerCall>;

/// The argument of `reveal_verdicts`: verdicts with the salts that were sealed with them.
pub type RevealsOf<T> =
	BoundedVec<(armature_primitives::RoundId, Verdict, H256), <T as Config>::MaxVerdictsPerCall>;
