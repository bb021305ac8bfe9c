//! CPU challenges: sequential lanes with checkpoints.
//!
//! A device runs one lane for each hardware thread that it offers, all at once. A lane is a chain
//! of segments; each segment's end state is a checkpoint, and the device commits to all of them by
//! one Merkle root before it knows which will be opened. Because the work is fixed by the task and
//! the verifier's clock is the only clock, speed is `steps / elapsed`. A segment starts from the hashes
//! to the left of its path in the lane's tree, so it depends on all that was computed before it, and
//! still anyone can check one alone: a verifier re-runs a random sample, a dispute re-runs one segment
//! in the runtime.
//!
//! Whoever makes a checkpoint up to compute what follows at the same time makes up the hash of a whole
//! subtree, and every segment below that fails: a lane that was computed in `m` parts at once passes
//! `k` samples with `m^-k` at most (Cohen and Pietrzak, "Simple proofs of sequential work", 2018).
//!
//! If a share `f` of the segments is wrong and `k` of `n` are sampled after the commitment, a lie
//! passes with probability `C(n - fn, k) / C(n, k) <= (1 - f)^k`.
//!
//! The algorithm is part of the protocol: `tests::algorithm_should_never_drift` pins its result.

pub mod block;
pub mod fill;
pub mod fraud;
pub mod gemm;
mod lane;
pub mod location;
pub mod memory;
pub mod network;
mod opening;
pub mod power;
pub mod sampling;
pub mod storage;
pub mod verdict;

pub use lane::{
	lane_table, run_segment, segment_start, LaneTable, State, ROUNDS_PER_STEP, STATE_LEN,
	TABLE_BYTES,
};
pub use opening::{
	check_opening, check_openings, commit_root, sample, CheckpointPath, LanePath, SegmentOpening,
	Transcript, MAX_CHECKPOINT_DEPTH, MAX_LANE_DEPTH,
};

use crate::merkle::Frontier;
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, CpuChallenge, Work, MAX_LANES},
	telemetry::PowerReading,
	Ppm, H256,
};
use codec::Encode;
use core::ops::ControlFlow;

/// The most checkpoints (lanes times segments) of one task. At 64 bytes of state and as much of
/// tree, the largest transcript takes 512 MiB; a task for `n` lanes takes `n / 1024` of it.
pub const MAX_CHECKPOINTS: u32 = 1 << MAX_CHECKPOINT_DEPTH;

/// Steps of a segment unless parameters say otherwise. Table and segment together took 3.1 ms
/// natively (fastest of 40) and 4.5 ms in wasmtime (fastest of 15) on one AMD EPYC virtual core
/// that had other load. `cargo run --release -p armature-verifier --example segment` prints the
/// native figures of a machine.
pub const DEFAULT_STEPS_PER_SEGMENT: u32 = 8_192;

/// The most steps of a segment: three times the default. A proof that one is wrong, all of it, then
/// weighs 14.4 ms in the runtime; 5.6 ms at the default (`pallet_challenges`' benchmark).
pub const MAX_STEPS_PER_SEGMENT: u32 = 3 * DEFAULT_STEPS_PER_SEGMENT;

/// Why a task or a request about it makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChallengeError {
	/// The task has no lane, no segment or no step.
	NoWork,
	/// More than [`MAX_LANES`] lanes.
	TooManyLanes,
	/// More than [`MAX_CHECKPOINTS`] lanes times segments.
	TooManyCheckpoints,
	/// More than [`MAX_STEPS_PER_SEGMENT`] steps in a segment.
	TooManySteps,
	/// The task has no lane of this number.
	NoSuchLane,
	/// The number of states is not lanes times segments.
	WrongCount,
	/// The task asks for another kind of work.
	OtherKind,
	/// The memory of the task, what it moves, multiplies or reads is out of bounds.
	Size(fill::SizeError),
	/// The caller stopped the run.
	Stopped,
}

impl core::fmt::Display for ChallengeError {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			ChallengeError::NoWork => "the challenge has no lane, no segment or no step",
			ChallengeError::TooManyLanes => "the challenge has too many lanes",
			ChallengeError::TooManyCheckpoints => "the challenge has too many checkpoints",
			ChallengeError::TooManySteps => "the challenge has too many steps per segment",
			ChallengeError::NoSuchLane => "the challenge has no such lane",
			ChallengeError::WrongCount => "the states are not lanes times segments",
			ChallengeError::OtherKind => "the challenge asks for another kind of work",
			ChallengeError::Size(error) => return error.fmt(f),
			ChallengeError::Stopped => "the run was stopped",
		})
	}
}

impl core::error::Error for ChallengeError {}

impl From<fill::SizeError> for ChallengeError {
	fn from(error: fill::SizeError) -> Self {
		ChallengeError::Size(error)
	}
}

/// What a commitment says which task it answers: Blake2b-256 of the SCALE encoding.
pub fn task_hash(task: &ChallengeTask) -> H256 {
	H256(task.using_encoded(sp_io::hashing::blake2_256))
}

/// Checks the size of what a round asks for.
///
/// # Errors
///
/// [`ChallengeError`].
pub fn check_work(work: &Work) -> Result<(), ChallengeError> {
	match work {
		Work::Cpu(cpu) => checkpoints(cpu).map(|_| ()),
		Work::Memory(memory) => Ok(memory::check_size(memory)?),
		Work::Network(network) => Ok(network::check_size(network)?),
		Work::Gemm(gemm) => Ok(gemm::check_size(gemm)?),
		Work::Storage(storage) => Ok(storage::check_size(storage)?),
	}
}

/// The lanes that a task asks for.
fn cpu_of(task: &ChallengeTask) -> Result<&CpuChallenge, ChallengeError> {
	task.cpu().ok_or(ChallengeError::OtherKind)
}

/// Checks a task's size and returns its number of checkpoints, lanes times segments. Everything
/// here checks it before it allocates or computes.
pub fn checkpoints(cpu: &CpuChallenge) -> Result<u32, ChallengeError> {
	if cpu.lanes == 0 || cpu.segments == 0 || cpu.steps_per_segment == 0 {
		return Err(ChallengeError::NoWork);
	}
	if cpu.lanes > MAX_LANES {
		return Err(ChallengeError::TooManyLanes);
	}
	if cpu.steps_per_segment > MAX_STEPS_PER_SEGMENT {
		return Err(ChallengeError::TooManySteps);
	}
	u32::from(cpu.lanes)
		.checked_mul(cpu.segments)
		.filter(|count| *count <= MAX_CHECKPOINTS)
		.ok_or(ChallengeError::TooManyCheckpoints)
}

/// Runs one lane and hands each checkpoint, `(segment, state)`, to `on_checkpoint` as it is
/// reached. `ControlFlow::Break` stops the run with [`ChallengeError::Stopped`].
pub fn run_lane(
	task: &ChallengeTask,
	lane: u16,
	mut on_checkpoint: impl FnMut(u32, State) -> ControlFlow<()>,
) -> Result<(), ChallengeError> {
	let cpu = cpu_of(task)?;
	checkpoints(cpu)?;
	if lane >= cpu.lanes {
		return Err(ChallengeError::NoSuchLane);
	}
	let table = lane_table(&task.seed, lane);
	let mut before = Frontier::default();
	for segment in 0..cpu.segments {
		let start = segment_start(&task.seed, task.device, lane, segment, &before.lefts());
		let state = run_segment(&table, start, cpu.steps_per_segment);
		before.push(opening::checkpoint_hash(lane, segment, &state.to_bytes()));
		if on_checkpoint(segment, state).is_break() {
			return Err(ChallengeError::Stopped);
		}
	}
	Ok(())
}

/// Challenge steps per second of one lane with all lanes busy, rounded down, saturating. No time
/// at all is no measurement: zero.
pub fn steps_per_second_per_lane(cpu: &CpuChallenge, elapsed_millis: u32) -> u64 {
	let steps = u128::from(cpu.steps_per_lane()).saturating_mul(1_000);
	steps
		.checked_div(u128::from(elapsed_millis))
		.map_or(0, |speed| u64::try_from(speed).unwrap_or(u64::MAX))
}

/// Whether power figures agree with themselves: a loaded device draws something and not less than
/// an idle one, and the error band is at most 100 %.
pub fn check_power(reading: &PowerReading) -> Result<(), ChallengeFailure> {
	let plausible =
		reading.loaded.0 > 0 && reading.loaded >= reading.idle && reading.error <= Ppm::ONE;
	if plausible {
		Ok(())
	} else {
		Err(ChallengeFailure::BadPower)
	}
}

#[cfg(test)]
mod tests;
