//! Stored types.

use crate::Config;
use alloc::collections::BTreeSet;
use armature_primitives::{
	challenge::{ChallengeTask, CpuChallenge, Verdict, MAX_LANES},
	device::Performance,
	service::ServiceAddress,
	Balance, DeviceId, Moment, Ppm,
};
use armature_verifier::challenge::{checkpoints, DEFAULT_STEPS_PER_SEGMENT};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The most verifiers of one round.
pub const MAX_COMMITTEE: u32 = 5;

/// The longest verdict window: one hour.
pub const MAX_WINDOW_MILLIS: u64 = 3_600_000;

/// The most rounds that a view returns.
pub const MAX_VIEWED_ROUNDS: usize = 256;

/// Lengths and rates; see [`Parameters::validate`] for their bounds.
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
	/// A draw over all enrolled devices starts every so many blocks, at least 1.
	pub round_interval_blocks: u32,
	/// Probability of a device with a valid score to be challenged in one draw, above 0, at most
	/// 100 %.
	pub challenge_share: Ppm,
	/// Verifiers of a round, 1 to [`MAX_COMMITTEE`].
	pub committee: u8,
	/// How long after its block a round takes verdicts, 1 to [`MAX_WINDOW_MILLIS`].
	pub window_millis: u64,
	/// How long a score counts, at least the window.
	pub score_max_age_millis: u64,
	/// Segments of each lane.
	pub segments: u32,
	/// Steps of a segment.
	pub steps_per_segment: u32,
	/// What a new verifier bonds, in planck, above 0.
	pub verifier_bond: Balance,
	/// How long a retired verifier's bond stays held, at least the window.
	pub verifier_unbonding_millis: u64,
}

impl Parameters {
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
		self.round_interval_blocks > 0
			&& self.challenge_share.0 > 0
			&& self.challenge_share <= Ppm::ONE
			&& (1..=MAX_COMMITTEE).contains(&u32::from(self.committee))
			&& (1..=MAX_WINDOW_MILLIS).contains(&self.window_millis)
			&& self.score_max_age_millis >= self.window_millis
			&& self.verifier_unbonding_millis >= self.window_millis
			&& self.verifier_bond > 0
			&& checkpoints(&cpu).is_ok()
			&& cpu.steps_per_lane().saturating_mul(1_000) >= self.window_millis
	}
}

impl Default for Parameters {
	/// Production: a draw every 10 minutes of 3 s blocks in which one device in 36 is challenged,
	/// so four surprise rounds a day (techniques 2.7); 3,000 segments of 3 to 4 ms are 9 to 12 s of
	/// work on a current core, and three minutes leave room for cores ten times slower; a score
	/// counts for three days; 10,000 ARMA of bond, seven days of unbonding.
	fn default() -> Self {
		Self {
			round_interval_blocks: 200,
			challenge_share: Ppm(27_778),
			committee: 5,
			window_millis: 180_000,
			score_max_age_millis: 259_200_000,
			segments: 3_000,
			steps_per_segment: DEFAULT_STEPS_PER_SEGMENT,
			verifier_bond: 10_000_000_000_000_000,
			verifier_unbonding_millis: 604_800_000,
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
	/// What is on hold for it, in planck.
	pub bond: Balance,
	/// When it retired; `None` while it takes assignments.
	pub retired_at: Option<Moment>,
}

/// An enrolled device.
#[derive(
	Clone,
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
pub struct EnrolmentRecord {
	/// Whether it waits in the queue for a requested round.
	pub queued: bool,
	/// When its last round closed; `None` before the first.
	pub last_closed_at: Option<Moment>,
	/// Rounds failed since the last one it passed.
	pub failures: u32,
}

/// One member of a round's committee.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Seat<AccountId> {
	/// The verifier.
	pub verifier: AccountId,
	/// What it found, once posted.
	pub verdict: Option<Verdict>,
}

/// An open round.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Round<AccountId> {
	/// What the device has to do.
	pub task: ChallengeTask,
	/// The committee, at least one seat, all different.
	pub seats: BoundedVec<Seat<AccountId>, ConstU32<MAX_COMMITTEE>>,
	/// The chain's time when the round was drawn (the clock of the block before).
	pub opened_at: Moment,
}

impl<AccountId: Ord> Round<AccountId> {
	/// Whether no verdict is missing.
	pub fn is_complete(&self) -> bool {
		self.seats.iter().all(|seat| seat.verdict.is_some())
	}

	/// Whether no verifier sits twice.
	pub fn is_distinct(&self) -> bool {
		self.seats.iter().map(|seat| &seat.verifier).collect::<BTreeSet<_>>().len()
			== self.seats.len()
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
	/// More verdicts said passed than failed.
	#[codec(index = 0)]
	Passed {
		/// The new score.
		performance: Performance,
	},
	/// At least half of the verdicts said failed.
	#[codec(index = 1)]
	Failed {
		/// Verdicts that said so.
		failed: u32,
		/// Verdicts in all.
		posted: u32,
	},
	/// No verdict came in time: nothing is known, nothing changes.
	#[codec(index = 2)]
	Void,
}

/// The round type of a runtime.
pub type RoundOf<T> = Round<<T as frame_system::Config>::AccountId>;

/// A running draw.
#[derive(
	Clone,
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
pub struct Draw {
	/// The device visited last; `None` at the start.
	pub cursor: Option<DeviceId>,
}

/// The queue of requested rounds: entries `head..tail`.
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
	BoundedVec<<T as frame_system::Config>::AccountId, <T as Config>::MaxVerifiers>;

/// The argument of `post_verdicts`.
pub type VerdictsOf<T> =
	BoundedVec<(armature_primitives::RoundId, Verdict), <T as Config>::MaxVerdictsPerCall>;
