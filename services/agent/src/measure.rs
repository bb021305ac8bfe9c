//! Challenges that a provider gives the own machine, in private: the same work, the same commitments
//! and the same checks as on chain, with nobody else there. Nothing is sent anywhere.

use crate::compute::{
	run_lanes, Accelerator, AcceleratorError, FilledMemory, LaneFault, MemoryFault, StorageFault,
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, CpuChallenge, Work, MAX_LANES},
	DeviceId, Moment, RoundId, H256,
};
use armature_verifier::challenge::{
	self as protocol, check_opening, commit_root,
	fill::{FillSize, SizeError},
	gemm::{check_entry, sample_entries, GemmError, GemmProver, GemmRound, GemmSize, GemmTask},
	memory::{check_walk, sample_memory, walk_lanes, WalkSize, MAX_READS},
	sample, steps_per_second_per_lane, Transcript, DEFAULT_STEPS_PER_SEGMENT,
};
use codec::Encode;
use rand::Rng;
use serde::Serialize;
use std::time::{Duration, Instant};

mod storage;

pub use storage::storage;

/// Samples that are looked at, as a verifier looks at them: one tenth left out is found with 99 %
/// ([`protocol::sampling::samples_for`]).
pub const SAMPLES: u32 = 44;

/// Whose the local challenges are. Seeds are drawn, so that no result is of use elsewhere.
const NOBODY: DeviceId = DeviceId(u32::MAX);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
	/// Sizes out of bounds.
	#[error(transparent)]
	Size(#[from] SizeError),
	/// The lanes did not run.
	#[error(transparent)]
	Lanes(#[from] LaneFault),
	/// The memory could not be filled or walked over.
	#[error(transparent)]
	Memory(#[from] MemoryFault),
	/// Sectors could not be sealed or opened.
	#[error(transparent)]
	Storage(#[from] StorageFault),
	/// The products were not computed.
	#[error("the products were not computed: {0}")]
	Gemm(GemmError<AcceleratorError>),
	/// The accelerator could not be opened.
	#[error(transparent)]
	Accelerator(#[from] AcceleratorError),
	/// This machine computes wrongly: what it did does not pass its own check.
	#[error(
		"this machine computed wrongly ({0:?}): its memory or processor may be defective, or \
		 overclocked; run a memory test before it takes work"
	)]
	Wrong(ChallengeFailure),
}

impl From<GemmError<AcceleratorError>> for MeasureError {
	fn from(error: GemmError<AcceleratorError>) -> Self {
		MeasureError::Gemm(error)
	}
}

impl From<ChallengeFailure> for MeasureError {
	fn from(failure: ChallengeFailure) -> Self {
		MeasureError::Wrong(failure)
	}
}

/// A measured figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Figure {
	/// What it is.
	pub name: &'static str,
	/// How much.
	pub value: u64,
	/// Of what.
	pub unit: &'static str,
}

/// What one challenge showed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Measurement {
	/// Its kind.
	pub kind: &'static str,
	/// What counts.
	pub figures: Vec<Figure>,
	/// From the seed to the commitment.
	pub elapsed_millis: u64,
	/// Samples that were checked.
	pub samples: u32,
	/// How long checking took, on one core.
	pub check_micros: u64,
	/// What would be sent to the verifier, in bytes.
	pub opening_bytes: u64,
}

fn figure(name: &'static str, value: u64, unit: &'static str) -> Figure {
	Figure { name, value, unit }
}

fn millis(time: Duration) -> u64 {
	u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn micros(time: Duration) -> u64 {
	u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What was done, by the second, rounded down.
fn rate(amount: u128, time: Duration) -> u64 {
	let nanos = time.as_nanos().max(1);
	u64::try_from(amount.saturating_mul(1_000_000_000) / nanos).unwrap_or(u64::MAX)
}

fn drawn() -> H256 {
	H256(rand::thread_rng().gen())
}

/// Adds up what checking takes.
#[derive(Default)]
struct Checks {
	samples: u32,
	time: Duration,
	bytes: u64,
}

impl Checks {
	fn check<O: Encode>(
		&mut self,
		opening: &O,
		check: impl FnOnce(&O) -> Result<(), ChallengeFailure>,
	) -> Result<(), ChallengeFailure> {
		self.bytes = self
			.bytes
			.saturating_add(u64::try_from(opening.encoded_size()).unwrap_or(u64::MAX));
		let began = Instant::now();
		let outcome = check(opening);
		self.time = self.time.saturating_add(began.elapsed());
		self.samples = self.samples.saturating_add(1);
		outcome
	}

	fn measurement(
		self,
		kind: &'static str,
		elapsed: Duration,
		figures: Vec<Figure>,
	) -> Measurement {
		Measurement {
			kind,
			figures,
			elapsed_millis: millis(elapsed),
			samples: self.samples,
			check_micros: micros(self.time),
			opening_bytes: self.bytes,
		}
	}
}

/// Runs lanes for about `time`.
///
/// # Errors
///
/// [`MeasureError`].
pub fn cpu(lanes: u16, time: Duration) -> Result<Measurement, MeasureError> {
	/// Segments of a lane that tell how long one takes.
	const PROBE: u32 = 16;
	let lanes = lanes.clamp(1, MAX_LANES);
	let steps_per_segment = DEFAULT_STEPS_PER_SEGMENT;
	let size = |segments| CpuChallenge { lanes, segments, steps_per_segment };
	let task = |size| ChallengeTask {
		round: RoundId(0),
		device: NOBODY,
		seed: drawn(),
		work: Work::Cpu(size),
		deadline: Moment::MAX,
	};
	// Some segments tell how many fit; the first alone would count the table and a cold core.
	let began = Instant::now();
	run_lanes(&task(size(PROBE)), &|| false)?;
	let fit = time.as_nanos().saturating_mul(PROBE.into()) / began.elapsed().as_nanos().max(1);
	let most = protocol::MAX_CHECKPOINTS / u32::from(lanes);
	let size = size(u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, most));
	let task = task(size);

	let began = Instant::now();
	let states = run_lanes(&task, &|| false)?;
	let root = commit_root(&size, &states).map_err(LaneFault::from)?;
	let elapsed = began.elapsed();
	let transcript = Transcript::new(task, states).map_err(LaneFault::from)?;
	let mut checks = Checks::default();
	for (lane, segment) in sample(drawn(), &task, SAMPLES).map_err(LaneFault::from)? {
		let opening = transcript.open(lane, segment).ok_or(ChallengeFailure::Malformed)?;
		checks.check(&opening, |opening| check_opening(&task, root, opening))?;
	}
	let by_clock = u32::try_from(millis(elapsed)).unwrap_or(u32::MAX);
	let speed = steps_per_second_per_lane(&size, by_clock);
	Ok(checks.measurement(
		"cpu",
		elapsed,
		vec![
			figure("lanes", lanes.into(), "lanes"),
			figure("speed of each", speed, "steps/s"),
			figure("segments", size.segments.into(), "segments/lane"),
		],
	))
}

/// Multiplies matrices of this side for about `time`, round after round.
///
/// # Errors
///
/// [`MeasureError`].
pub fn gemm(
	side: u32,
	window: u32,
	accelerator: Accelerator,
	time: Duration,
) -> Result<Measurement, MeasureError> {
	const ROUNDS: u32 = protocol::gemm::MAX_ROUNDS;
	let size = GemmSize { side, window, rounds: ROUNDS, steps: 1 };
	let task = GemmTask { seed: drawn(), device: NOBODY, size };
	let mut prover = GemmProver::begin(task, accelerator)?;
	let mut rounds = Vec::new();
	let mut computing = Duration::ZERO;
	let mut checks = Checks::default();
	let began = Instant::now();
	for round in 0..ROUNDS {
		let nonce = drawn();
		let step_began = Instant::now();
		let root = prover.round(nonce)?;
		computing = computing.saturating_add(step_began.elapsed());
		let committed = GemmRound { nonce, root };
		rounds.push(committed);
		// Some of each round, as long as what they are made of is there.
		for (step, row, column) in sample_entries(&drawn(), &task, round, &committed, 2)? {
			let opening = prover.open(step, row, column)?;
			checks.check(&opening, |opening| check_entry(&task, &rounds, opening))?;
		}
		if began.elapsed() >= time {
			break;
		}
	}
	let steps = u32::try_from(rounds.len()).unwrap_or(u32::MAX);
	let done = GemmSize { rounds: steps, ..size };
	let shown = u64::try_from(size.shown_bytes(steps)).unwrap_or(u64::MAX);
	Ok(checks.measurement(
		"gemm",
		computing,
		vec![
			figure("side", side.into(), "rows"),
			figure("steps", steps.into(), "steps"),
			figure("speed", rate(done.operations(), computing), "int8 operations/s"),
			figure("memory shown", shown, "bytes"),
		],
	))
}

/// Fills `bytes` of memory and walks over it for about `time`.
///
/// # Errors
///
/// [`MeasureError`].
pub fn memory(bytes: u64, lanes: u16, time: Duration) -> Result<Measurement, MeasureError> {
	/// Reads of a lane that tell how long a read takes.
	const PROBE: u32 = 4_096;
	let lanes = lanes.max(1);
	let block = u64::try_from(protocol::block::BLOCK_LEN).unwrap_or(u64::MAX);
	let blocks = bytes / block / u64::from(lanes);
	let blocks = u32::try_from(blocks).map_err(|_| SizeError::TooLarge)?;
	let size = FillSize { lanes, blocks, compressions: 1 };
	let began = Instant::now();
	let filled = FilledMemory::fill(&drawn(), NOBODY, size, &|| false)?;
	let filling = began.elapsed();

	let began = Instant::now();
	let probe = WalkSize { segments: PROBE / MAX_READS, reads: MAX_READS };
	filled.walk(drawn(), probe, &|| false)?;
	let segment = began.elapsed().as_nanos() / u128::from(PROBE / MAX_READS);
	let fit = time.saturating_sub(filling).as_nanos() / segment.max(1);
	let most = (1u32 << protocol::memory::MAX_WALK_DEPTH) / u32::from(walk_lanes(&size));
	let segments = u32::try_from(fit).unwrap_or(u32::MAX).clamp(PROBE / MAX_READS, most);
	let began = Instant::now();
	let walked = filled.walk(drawn(), WalkSize { segments, reads: MAX_READS }, &|| false)?;
	let walking = began.elapsed();

	let mut checks = Checks::default();
	let (blocks, ends) = sample_memory(&drawn(), walked.walk(), SAMPLES)?;
	for position in blocks {
		let opening = filled.open(position).ok_or(ChallengeFailure::Malformed)?;
		checks.check(&opening, |opening| walked.walk().check_fill(opening))?;
	}
	for (lane, segment) in ends {
		let opening = walked.open(&filled, lane, segment).ok_or(ChallengeFailure::Malformed)?;
		checks.check(&opening, |opening| check_walk(walked.walk(), opening))?;
	}
	let reads = u128::from(segments).saturating_mul(u128::from(MAX_READS));
	let nanos = u64::try_from(walking.as_nanos() / reads.max(1)).unwrap_or(u64::MAX);
	Ok(checks.measurement(
		"memory",
		filling.saturating_add(walking),
		vec![
			figure("filled", size.bytes(), "bytes"),
			figure("fill speed", rate(size.bytes().into(), filling), "bytes/s"),
			figure("lanes", lanes.into(), "lanes"),
			figure("time of a dependent read", nanos, "ns"),
		],
	))
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::num::NonZeroUsize;

	const MOMENT: Duration = Duration::from_millis(30);

	fn value(measured: &Measurement, name: &str) -> u64 {
		measured.figures.iter().find(|figure| figure.name == name).expect("named").value
	}

	fn two_threads() -> Accelerator {
		Accelerator::processor(NonZeroUsize::new(2).expect("not zero"))
	}

	#[test]
	fn each_kind_should_pass_its_own_check() {
		let cpu = cpu(2, MOMENT).expect("measured");
		assert!(value(&cpu, "speed of each") > 0);
		assert!(cpu.samples > 0 && cpu.check_micros > 0 && cpu.opening_bytes > 0);
		let gemm = gemm(64, 3, two_threads(), MOMENT).expect("measured");
		assert_eq!(u64::from(gemm.samples), 2 * value(&gemm, "steps"));
		assert!(value(&gemm, "speed") > 0);
		assert_eq!(value(&gemm, "memory shown"), 64 * 64 * value(&gemm, "steps").min(3));
		let memory = memory(1 << 20, 2, MOMENT).expect("measured");
		assert_eq!(value(&memory, "filled"), 1 << 20);
		assert_eq!(memory.samples, 2 * SAMPLES);
		assert!(value(&memory, "time of a dependent read") > 0);
	}

	#[test]
	fn sizes_out_of_bounds_should_be_refused() {
		let error = gemm(0, 1, two_threads(), MOMENT).expect_err("no side");
		assert!(matches!(error, MeasureError::Gemm(GemmError::Size(SizeError::TooSmall))));
		let error = gemm(1 << 16, 1, two_threads(), MOMENT).expect_err("too long a side");
		assert!(matches!(error, MeasureError::Gemm(GemmError::Size(SizeError::TooLarge))));
		let error = memory(1_000, 1, MOMENT).expect_err("less than a block");
		assert!(matches!(error, MeasureError::Memory(MemoryFault::Size(SizeError::TooSmall))));
		let error = memory(u64::MAX, 1, MOMENT).expect_err("too much");
		assert!(matches!(error, MeasureError::Size(SizeError::TooLarge)));
	}
}
