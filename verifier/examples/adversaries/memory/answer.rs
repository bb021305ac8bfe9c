//! What devices do instead of filling memory, and what verifiers see of it.

use super::device::{position_of, Memory, Walked, BLOCKS, FILL, WALK};
use crate::committee::{decoded, garbage, Looked, Round};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, MemoryChallenge, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::{
	fill::{FillOpening, PARENTS},
	memory::{check_walk, memory_key, nanos_per_read, sample_memory, Walk, WalkOpening, WalkSize},
};
use codec::Encode;
use rand::{rngs::StdRng, seq::index, Rng};
use std::collections::BTreeSet;

/// What a round asks for.
const MEMORY: MemoryChallenge = MemoryChallenge {
	lanes: FILL.lanes,
	blocks: FILL.blocks,
	segments: WALK.segments,
	reads: WALK.reads,
};

/// Segments of all lanes.
pub(super) const SEGMENTS: u32 = FILL.lanes as u32 * WALK.segments;

/// Blocks that a verifier looks at.
pub(super) const BLOCK_SAMPLES: u32 = 24;

/// Segments that it looks at: what one response has room for.
pub(super) const SEGMENT_SAMPLES: u32 = 12;

/// What times are told of: the walk of one lane in a round on chain.
const WALK_ON_CHAIN: WalkSize = WalkSize { segments: 131_072, reads: 8 };

/// How long the fill takes; it is the same for all here.
pub(super) const FILL_MILLIS: u32 = 12_000;

/// A read from memory, with its hash.
pub(crate) const READ_NANOS: u64 = 500;

/// A compression, with the reads of its sources.
const COMPRESSION_NANOS: u64 = 500;

/// What a device does instead of the work. Shares are in percent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Device {
	Honest,
	/// Makes up such a share of its blocks.
	MakesUp(u32),
	/// Walks both halves of each lane at once, the second from a made-up hash of the first.
	Halves,
	/// Answers with memory that it filled for another seed.
	OtherSeed,
	/// Answers with another device's memory.
	Foreign,
	/// Fills one lane, and says that all are like it.
	OneLane,
	/// Opens with bytes.
	Garbage,
	/// Has filled its memory when nobody waits for it any more.
	Late,
	/// Keeps all but such a share, left out by lot, and fills those blocks again when they are read.
	LeavesOutByLot(u32),
	/// Leaves out those of which no source is left out.
	LeavesOutByGraph,
	/// Leaves out such a share at the end of each lane.
	LeavesOutEnds(u32),
}

/// A task of device 7.
fn task(rng: &mut StdRng) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DeviceId(7),
		seed: H256(rng.gen()),
		work: Work::Memory(MEMORY),
		deadline: 1,
	}
}

fn by_lot(share: u32, rng: &mut StdRng) -> BTreeSet<u32> {
	let drawn = index::sample(rng, BLOCKS as usize, (BLOCKS * share / 100) as usize);
	drawn.into_iter().map(|position| position as u32).collect()
}

/// Blocks of a lane that are such a share.
fn of_lane(share: u32) -> u32 {
	FILL.blocks * share / 100
}

fn ends(share: u32) -> BTreeSet<u32> {
	let first = FILL.blocks - of_lane(share);
	let of_lane = |lane| (first..FILL.blocks).map(move |at| position_of(lane, at));
	(0..FILL.lanes).flat_map(of_lane).collect()
}

impl Device {
	/// The memory that it has for a task.
	fn memory(self, task: &ChallengeTask, rng: &mut StdRng) -> Memory {
		let key = memory_key(&task.seed, task.device, &FILL);
		let of_other = |seed, device| Memory::filled(memory_key(&seed, device, &FILL));
		match self {
			Device::Honest | Device::Halves | Device::Garbage | Device::Late => Memory::filled(key),
			Device::MakesUp(share) => Memory::made_up(key, &by_lot(share, rng), rng),
			Device::OtherSeed => of_other(H256(rng.gen()), task.device),
			Device::Foreign => of_other(task.seed, DeviceId(8)),
			Device::OneLane => Memory::one_lane(key),
			Device::LeavesOutByLot(share) => Memory::filled(key).without(&by_lot(share, rng)),
			Device::LeavesOutByGraph => {
				let memory = Memory::filled(key);
				let chosen = memory.independent();
				memory.without(&chosen)
			},
			Device::LeavesOutEnds(share) => Memory::filled(key).without(&ends(share)),
		}
	}

	/// The share of the fill that it does not make in the round, and of the memory that it does not keep
	/// beside what is `left_out`.
	pub(super) fn spared(self, left_out: f64) -> (f64, f64) {
		match self {
			Device::MakesUp(share) => (f64::from(share) / 100.0, f64::from(share) / 100.0),
			Device::OtherSeed => (1.0, 0.0),
			Device::Foreign | Device::Garbage => (1.0, 1.0),
			Device::OneLane => (0.5, 0.5),
			_ => (0.0, left_out),
		}
	}

	/// What a formula has for the compressions of a read where this share of all blocks is left out;
	/// `None` where there is none. By lot it is a bound: the sum over all ways through missing blocks.
	pub(super) fn compressions(self, left_out: f64) -> Option<f64> {
		match self {
			Device::LeavesOutByLot(_) => {
				let sources = left_out * (PARENTS + 1) as f64;
				(sources < 1.0).then_some(left_out / (1.0 - sources))
			},
			Device::LeavesOutByGraph => Some(left_out),
			// A block at the end takes all that are missing before it.
			Device::LeavesOutEnds(share) => Some(left_out * f64::from(of_lane(share) + 1) / 2.0),
			_ => Some(0.0),
		}
	}
}

/// What one lane's walk on chain takes at as many compressions for each read as a walk here took.
fn walk_nanos(compressions: u64) -> u64 {
	let reads = u64::from(WALK_ON_CHAIN.segments) * u64::from(WALK_ON_CHAIN.reads);
	reads * READ_NANOS + reads * compressions * COMPRESSION_NANOS / WALK.reads(&FILL)
}

/// Nanoseconds of a read as a verifier has them: with the way to it and back.
fn read_nanos(walk_nanos: u64, rng: &mut StdRng) -> u32 {
	let micros = walk_nanos / 1_000 + rng.gen_range(10_000..60_000u64);
	nanos_per_read(&WALK_ON_CHAIN, micros).expect("a walk of some reads")
}

/// What a verifier measures of a lane's walk that took so long for each read.
pub(crate) fn measured(nanos: u64, rng: &mut StdRng) -> Measured {
	let reads = u64::from(WALK_ON_CHAIN.segments) * u64::from(WALK_ON_CHAIN.reads);
	let read_nanos = read_nanos(reads * nanos, rng);
	Measured::Memory { fill_millis: FILL_MILLIS, read_nanos }
}

/// What a device has filled for a task.
pub(super) struct Answer {
	device: Device,
	task: ChallengeTask,
	pub(super) memory: Memory,
}

impl Answer {
	pub(super) fn new(device: Device, rng: &mut StdRng) -> Self {
		let task = task(rng);
		let memory = device.memory(&task, rng);
		Self { device, task, memory }
	}

	/// The next verifier's walk.
	pub(super) fn walk(&self, rng: &mut StdRng) -> Walked {
		let key = H256(rng.gen());
		let made_up = (self.device == Device::Halves).then(|| H256(rng.gen()));
		self.memory.walk(&self.task, key, made_up)
	}

	/// What a verifier measures of a walk.
	pub(super) fn measured_of(&self, walked: &Walked, rng: &mut StdRng) -> Measured {
		let took = walk_nanos(walked.compressions);
		let took = if self.device == Device::Halves { took / 2 } else { took };
		Measured::Memory { fill_millis: FILL_MILLIS, read_nanos: read_nanos(took, rng) }
	}

	/// What a verifier finds. Samples are drawn after the walk: fewer segments than blocks, in a draw of
	/// their own.
	pub(super) fn look_at(&self, walked: &Walked, walk: &Walk, rng: &mut StdRng) -> Looked {
		if self.device == Device::Late {
			return Err(ChallengeFailure::NoAnswer);
		}
		let mut draw = |count| sample_memory(&H256(rng.gen()), walk, count).expect("a valid walk");
		let (_, segments) = draw(SEGMENT_SAMPLES);
		let (positions, _) = draw(BLOCK_SAMPLES);
		let is_garbage = self.device == Device::Garbage;
		let open = |(lane, segment): &(u16, u32)| walked.open(&self.memory, *lane, *segment);
		let openings: Vec<_> = segments.iter().map(open).collect();
		let bytes = if is_garbage { garbage(rng) } else { openings.encode() };
		let walked = decoded::<WalkOpening>(&bytes)?;
		let openings: Vec<_> = positions.iter().map(|at| self.memory.open(*at)).collect();
		let bytes = if is_garbage { garbage(rng) } else { openings.encode() };
		let filled = decoded::<FillOpening>(&bytes)?;
		let of_walk = walked.iter().map(|opening| (opening.lane, opening.segment));
		let of_fill = filled.iter().map(|opening| walk.fill.position(opening.lane, opening.at));
		if !of_walk.eq(segments) || !of_fill.eq(positions.into_iter().map(Some)) {
			return Err(ChallengeFailure::Malformed);
		}
		filled.iter().try_for_each(|opening| walk.check_fill(opening))?;
		walked.iter().try_for_each(|opening| check_walk(walk, opening))
	}

	/// All blocks and all segments that are refused.
	pub(super) fn wrong(&self, walked: &Walked) -> (u32, u32) {
		if matches!(self.device, Device::Garbage | Device::Late) {
			return (BLOCKS, SEGMENTS);
		}
		let is_bad = |position: &u32| walked.walk.check_fill(&self.memory.open(*position)).is_err();
		let blocks = (0..BLOCKS).filter(is_bad).count();
		let places = (0..FILL.lanes).flat_map(|lane| (0..WALK.segments).map(move |at| (lane, at)));
		let is_bad = |(lane, segment): &(u16, u32)| {
			check_walk(&walked.walk, &walked.open(&self.memory, *lane, *segment)).is_err()
		};
		(blocks as u32, places.filter(is_bad).count() as u32)
	}
}

impl Round for Answer {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn root(&self) -> H256 {
		self.memory.root()
	}

	fn look(&mut self, root: H256, rng: &mut StdRng) -> Looked {
		let walked = self.walk(rng);
		// Under another root it walks from elsewhere.
		let walk = Walk { memory: root, ..walked.walk };
		self.look_at(&walked, &walk, rng)
	}

	fn measured(&self, rng: &mut StdRng) -> Measured {
		measured(READ_NANOS, rng)
	}
}

/// A round that an honest device or, with a third of its blocks made up, a cheat answers.
pub(crate) fn round(is_cheat: bool, rng: &mut StdRng) -> Box<dyn Round> {
	Box::new(Answer::new(if is_cheat { Device::MakesUp(33) } else { Device::Honest }, rng))
}
