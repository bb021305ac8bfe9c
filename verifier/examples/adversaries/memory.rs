//! Rounds of memory.

mod device;

pub(crate) use device::Memory;

use crate::{
	chance::{majority, miss, percent},
	COMMITTEE,
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, MemoryChallenge, Verdict, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::{
	fill::{FillOpening, PARENTS},
	memory::{check_walk, memory_key, nanos_per_read, sample_memory, Walk, WalkOpening, WalkSize},
	verdict::{conclude, Conclusion},
};
use codec::{Decode, DecodeAll, Encode};
use device::{position_of, Walked, BLOCKS, FILL, WALK};
use rand::{rngs::StdRng, seq::index, Rng, RngCore, SeedableRng};
use std::{collections::BTreeSet, thread};

/// What a round asks for.
const MEMORY: MemoryChallenge = MemoryChallenge {
	lanes: FILL.lanes,
	blocks: FILL.blocks,
	segments: WALK.segments,
	reads: WALK.reads,
};

/// Segments of all lanes.
const SEGMENTS: u32 = FILL.lanes as u32 * WALK.segments;

/// Blocks that a verifier looks at.
const BLOCK_SAMPLES: u32 = 24;

/// Segments that it looks at: what one response has room for.
const SEGMENT_SAMPLES: u32 = 12;

/// What times are told of: the walk of one lane in a round on chain.
const WALK_ON_CHAIN: WalkSize = WalkSize { segments: 131_072, reads: 8 };

/// How long the fill takes; it is the same for all here.
const FILL_MILLIS: u32 = 12_000;

/// A read from memory, with its hash.
const READ_NANOS: u64 = 500;

/// A compression, with the reads of its sources.
const COMPRESSION_NANOS: u64 = 500;

/// Memory of which a read takes longer is none: the round fails.
const MAX_READ_NANOS: u32 = 5_000;

/// What a device does instead of the work.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Device {
	Honest,
	/// Makes up so many blocks.
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
	/// Keeps all but so many blocks, left out by lot, and fills those again when they are read.
	LeavesOutByLot(u32),
	/// Leaves out those of which no source is left out.
	LeavesOutByGraph,
	/// Leaves out so many at the end of each lane.
	LeavesOutEnds(u32),
}

const DEVICES: [(&str, Device); 17] = [
	("honest", Device::Honest),
	("makes up 1 % of its blocks", Device::MakesUp(5)),
	("makes up 5 %", Device::MakesUp(26)),
	("makes up 10 %", Device::MakesUp(51)),
	("makes up 33 %", Device::MakesUp(169)),
	("walks both halves of a lane at once", Device::Halves),
	("memory of another seed", Device::OtherSeed),
	("another device's memory", Device::Foreign),
	("one lane in the place of all", Device::OneLane),
	("garbage", Device::Garbage),
	("leaves out 5 %, by lot", Device::LeavesOutByLot(26)),
	("leaves out 10 %, by lot", Device::LeavesOutByLot(51)),
	("leaves out 20 %, by lot", Device::LeavesOutByLot(102)),
	("leaves out what takes one compression", Device::LeavesOutByGraph),
	("leaves out the last 5 % of each lane", Device::LeavesOutEnds(13)),
	("leaves out the last 10 %", Device::LeavesOutEnds(26)),
	("leaves out the last 20 %", Device::LeavesOutEnds(51)),
];

const HEAD: &str =
	"| device | wrong blocks | wrong segments | found | formula | failed | formula | left out | \
	 compressions a read | formula | a read, µs |\n\
	 |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// A task of device 7.
pub(crate) fn task(rng: &mut StdRng) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DeviceId(7),
		seed: H256(rng.gen()),
		work: Work::Memory(MEMORY),
		deadline: 1,
	}
}

/// What memory is to be filled under.
pub(crate) fn key_of(task: &ChallengeTask) -> H256 {
	memory_key(&task.seed, task.device, &FILL)
}

fn by_lot(count: u32, rng: &mut StdRng) -> BTreeSet<u32> {
	let drawn = index::sample(rng, BLOCKS as usize, count as usize);
	drawn.into_iter().map(|position| position as u32).collect()
}

fn ends(count: u32) -> BTreeSet<u32> {
	let of_lane = |lane| (FILL.blocks - count..FILL.blocks).map(move |at| position_of(lane, at));
	(0..FILL.lanes).flat_map(of_lane).collect()
}

impl Device {
	/// The memory that it has for a task.
	fn memory(self, task: &ChallengeTask, rng: &mut StdRng) -> Memory {
		let key = key_of(task);
		let of_other = |seed, device| Memory::filled(memory_key(&seed, device, &FILL));
		match self {
			Device::Honest | Device::Halves | Device::Garbage => Memory::filled(key),
			Device::MakesUp(count) => Memory::made_up(key, &by_lot(count, rng), rng),
			Device::OtherSeed => of_other(H256(rng.gen()), task.device),
			Device::Foreign => of_other(task.seed, DeviceId(8)),
			Device::OneLane => Memory::one_lane(key),
			Device::LeavesOutByLot(count) => Memory::filled(key).without(&by_lot(count, rng)),
			Device::LeavesOutByGraph => {
				let memory = Memory::filled(key);
				let chosen = memory.independent();
				memory.without(&chosen)
			},
			Device::LeavesOutEnds(count) => Memory::filled(key).without(&ends(count)),
		}
	}

	fn walk(self, task: &ChallengeTask, memory: &Memory, rng: &mut StdRng) -> Walked {
		let key = H256(rng.gen());
		let made_up = (self == Device::Halves).then(|| H256(rng.gen()));
		memory.walk(task, key, made_up)
	}

	/// What a formula has for the compressions of a read where this share of all blocks is left out;
	/// `None` where there is none. By lot it is a bound: the sum over all ways through missing blocks.
	fn compressions(self, left_out: f64) -> Option<f64> {
		match self {
			Device::LeavesOutByLot(_) => {
				let sources = left_out * (PARENTS + 1) as f64;
				(sources < 1.0).then_some(left_out / (1.0 - sources))
			},
			Device::LeavesOutByGraph => Some(left_out),
			// A block at the end takes all that are missing before it.
			Device::LeavesOutEnds(count) => Some(left_out * f64::from(count + 1) / 2.0),
			_ => Some(0.0),
		}
	}
}

/// What one lane's walk on chain takes at as many compressions for each read as a walk here took.
pub(crate) fn walk_nanos(compressions: u64) -> u64 {
	let reads = u64::from(WALK_ON_CHAIN.segments) * u64::from(WALK_ON_CHAIN.reads);
	reads * READ_NANOS + reads * compressions * COMPRESSION_NANOS / WALK.reads(&FILL)
}

/// Nanoseconds of a read as a verifier has them: with the way to it and back.
pub(crate) fn read_nanos(walk_nanos: u64, rng: &mut StdRng) -> u32 {
	let micros = walk_nanos / 1_000 + rng.gen_range(10_000..60_000u64);
	nanos_per_read(&WALK_ON_CHAIN, micros).expect("a walk of some reads")
}

/// That the device passed.
pub(crate) fn passed(read_nanos: u32, root: H256) -> Verdict {
	crate::passed(Measured::Memory { fill_millis: FILL_MILLIS, read_nanos }, root)
}

/// What a verifier says that looks at what the device opens.
pub(crate) fn verdict(
	walk: &Walk,
	read_nanos: u32,
	rng: &mut StdRng,
	open_walk: impl FnOnce(&[(u16, u32)]) -> Vec<u8>,
	open_blocks: impl FnOnce(&[u32]) -> Vec<u8>,
) -> Verdict {
	match look(walk, rng, open_walk, open_blocks) {
		Ok(()) => passed(read_nanos, walk.memory),
		Err(reason) => Verdict::Failed { reason },
	}
}

/// Samples are drawn after the walk: fewer segments than blocks, in a draw of their own.
fn look(
	walk: &Walk,
	rng: &mut StdRng,
	open_walk: impl FnOnce(&[(u16, u32)]) -> Vec<u8>,
	open_blocks: impl FnOnce(&[u32]) -> Vec<u8>,
) -> Result<(), ChallengeFailure> {
	let mut draw = |count| sample_memory(&H256(rng.gen()), walk, count).expect("a valid walk");
	let (_, segments) = draw(SEGMENT_SAMPLES);
	let (positions, _) = draw(BLOCK_SAMPLES);
	let walked = decoded::<WalkOpening>(&open_walk(&segments))?;
	let filled = decoded::<FillOpening>(&open_blocks(&positions))?;
	let of_walk = walked.iter().map(|opening| (opening.lane, opening.segment));
	let of_fill = filled.iter().map(|opening| walk.fill.position(opening.lane, opening.at));
	if !of_walk.eq(segments) || !of_fill.eq(positions.into_iter().map(Some)) {
		return Err(ChallengeFailure::Malformed);
	}
	filled.iter().try_for_each(|opening| walk.check_fill(opening))?;
	walked.iter().try_for_each(|opening| check_walk(walk, opening))
}

fn decoded<T: Decode>(mut bytes: &[u8]) -> Result<Vec<T>, ChallengeFailure> {
	Vec::decode_all(&mut bytes).map_err(|_| ChallengeFailure::Malformed)
}

/// The encoded openings of segments.
pub(crate) fn open_walk(walked: &Walked, memory: &Memory, wanted: &[(u16, u32)]) -> Vec<u8> {
	let open = |(lane, segment): &(u16, u32)| walked.open(memory, *lane, *segment);
	let openings: Vec<_> = wanted.iter().map(open).collect();
	openings.encode()
}

/// The encoded openings of blocks.
pub(crate) fn open_blocks(memory: &Memory, wanted: &[u32]) -> Vec<u8> {
	let openings: Vec<_> = wanted.iter().map(|position| memory.open(*position)).collect();
	openings.encode()
}

/// All blocks and all segments that the checks refuse.
fn wrong(device: Device, memory: &Memory, walked: &Walked) -> (u32, u32) {
	if device == Device::Garbage {
		return (BLOCKS, SEGMENTS);
	}
	let is_bad = |position: &u32| walked.walk.check_fill(&memory.open(*position)).is_err();
	let blocks = (0..BLOCKS).filter(is_bad).count();
	let places = (0..FILL.lanes).flat_map(|lane| (0..WALK.segments).map(move |at| (lane, at)));
	let is_bad = |(lane, segment): &(u16, u32)| {
		check_walk(&walked.walk, &walked.open(memory, *lane, *segment)).is_err()
	};
	(blocks as u32, places.filter(is_bad).count() as u32)
}

#[derive(Default)]
struct Tally {
	/// Blocks and segments, in the first round.
	wrong: (u32, u32),
	left_out: u64,
	compressions: u64,
	walks: u32,
	found: u32,
	failed: u32,
	void: u32,
	nanos: u64,
}

fn play(device: Device, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(2);
	let mut tally = Tally::default();
	for round in 0..rounds {
		let task = task(&mut rng);
		let memory = device.memory(&task, &mut rng);
		tally.left_out += u64::from(memory.left_out());
		let mut verdicts = Vec::new();
		for seat in 0..COMMITTEE {
			let walked = device.walk(&task, &memory, &mut rng);
			if round == 0 && seat == 0 {
				tally.wrong = wrong(device, &memory, &walked);
			}
			tally.walks += 1;
			tally.compressions += walked.compressions;
			let verdict = answered(device, &memory, &walked, &mut rng);
			tally.found += u32::from(matches!(verdict, Verdict::Failed { .. }));
			verdicts.push(verdict);
		}
		match conclude(&verdicts, COMMITTEE).0 {
			Conclusion::Passed { measured: Measured::Memory { read_nanos, .. }, .. }
				if read_nanos <= MAX_READ_NANOS =>
			{
				tally.nanos += u64::from(read_nanos);
			},
			Conclusion::Void => tally.void += 1,
			_ => tally.failed += 1,
		}
	}
	tally
}

/// What a verifier says of a device's answer to it.
fn answered(device: Device, memory: &Memory, walked: &Walked, rng: &mut StdRng) -> Verdict {
	let took = walk_nanos(walked.compressions);
	let took = if device == Device::Halves { took / 2 } else { took };
	let read_nanos = read_nanos(took, rng);
	let garbage = (device == Device::Garbage).then(|| {
		let mut bytes = vec![0u8; 4_096];
		rng.fill_bytes(&mut bytes);
		bytes
	});
	verdict(
		&walked.walk,
		read_nanos,
		rng,
		|wanted| garbage.clone().unwrap_or_else(|| open_walk(walked, memory, wanted)),
		|wanted| garbage.clone().unwrap_or_else(|| open_blocks(memory, wanted)),
	)
}

fn row(name: &str, device: Device, tally: &Tally, rounds: u32) -> String {
	let (blocks, segments) = tally.wrong;
	let missed = miss(BLOCKS, blocks, BLOCK_SAMPLES) * miss(SEGMENTS, segments, SEGMENT_SAMPLES);
	let reads = u64::from(tally.walks.max(1)) * WALK.reads(&FILL);
	let left_out = tally.left_out as f64 / f64::from(rounds.max(1)) / f64::from(BLOCKS);
	let formula = device.compressions(left_out);
	let bound = if matches!(device, Device::LeavesOutByLot(_)) { "≤ " } else { "" };
	let passes = rounds - tally.failed - tally.void;
	let micros = tally.nanos as f64 / f64::from(passes.max(1)) / 1_000.0;
	format!(
		"| {name:<37} | {blocks:>3} | {segments:>3} | {:>6.2} % | {:>6.2} % | {:>6.2} % | \
		 {:>6.2} % | {:>5.1} % | {:>6.3} | {:>7} | {:>5} |",
		percent(tally.found, tally.walks),
		(1.0 - missed) * 100.0,
		percent(tally.failed, rounds),
		majority(1.0 - missed) * 100.0,
		left_out * 100.0,
		tally.compressions as f64 / reads as f64,
		formula.map_or("-".to_string(), |formula| format!("{bound}{formula:.3}")),
		if passes == 0 { "-".to_string() } else { format!("{micros:.2}") },
	)
}

pub(crate) fn print(rounds: u32, line: &mut impl FnMut(String)) {
	line(format!(
		"{rounds} rounds of memory each, {COMMITTEE} verifiers, {BLOCK_SAMPLES} samples of \
		 {BLOCKS} blocks and {SEGMENT_SAMPLES} of {SEGMENTS} segments, not put back"
	));
	line(String::new());
	line(HEAD.into());
	thread::scope(|scope| {
		let rows = DEVICES.map(|(name, device)| {
			let tally = scope.spawn(move || play(device, rounds));
			(name, device, tally)
		});
		for (name, device, tally) in rows {
			let tally = tally.join().expect("all rounds are played");
			line(row(name, device, &tally, rounds));
		}
	});
}
