//! Memory: how much there is, and how fast it is read where nobody can look ahead.
//!
//! A device fills memory ([`super::fill`]) and commits to its root. Then it walks: every lane reads
//! one place after the other, and the bytes that it reads decide where it reads next. It commits to
//! the states at the end of each segment. A read takes some 0.1 µs from memory, 50 µs and more from a
//! disk, 200 µs and more over a network (techniques 2.3), so the time of the walk tells where the
//! blocks are; and a block that is nowhere takes a compression and more ([`super::fill`]).
//!
//! A segment starts from all that was walked before it in its lane: from the hashes that stand to the
//! left of its path. Whoever makes an end up to walk what follows at the same time makes up the hash of
//! a whole subtree, and every segment below that fails. So a lane that was walked in `m` parts at once
//! passes `k` samples with `m^-k` at most (Cohen and Pietrzak, "Simple proofs of sequential work",
//! 2018).
//!
//! The verifier looks at filled blocks and at segments of the walk, both drawn after the commitments.

use super::{
	block::BLOCK_LEN,
	fill::{check_fill, FillOpening, FillSize, OpenedBlock, SizeError},
	sampling::draw,
};
use crate::merkle::{self, Path};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, MemoryChallenge, MAX_LANES},
	DeviceId, H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{bounded::BoundedVec, ConstU32};

#[cfg(test)]
mod tests;

/// Bytes of one read: a line of most caches.
pub const READ_LEN: usize = 64;

/// Reads of a block.
const READS_PER_BLOCK: u32 = 16;

/// The most reads of a segment. Each is opened with its whole block.
pub const MAX_READS: u32 = 16;

/// Levels of the largest tree of a lane's segment ends.
pub const MAX_WALK_DEPTH: u32 = 24;

/// Levels of the largest tree of lanes.
pub const MAX_LANE_DEPTH: u32 = 16;

/// The most segments of all lanes together in a round on chain: what a device keeps of a walk takes
/// some 100 bytes for each, beside the memory that it fills.
pub const MAX_SEGMENTS: u32 = 1 << 21;

/// The path of a segment's end.
pub type WalkPath = Path<MAX_WALK_DEPTH>;

/// The path of a lane.
pub type LanePath = Path<MAX_LANE_DEPTH>;

/// The most lanes that walk at once. More would make each walk so short that the way to the verifier
/// and back would be most of its time.
pub const MAX_WALK_LANES: u16 = 16;

/// Lanes that walk: those that fill, up to [`MAX_WALK_LANES`].
pub fn walk_lanes(fill: &FillSize) -> u16 {
	fill.lanes.min(MAX_WALK_LANES)
}

/// How far is walked. Each lane that walks does so over all of the memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode)]
pub struct WalkSize {
	/// Segments of each lane, at least 1.
	pub segments: u32,
	/// Reads of a segment, 1 to [`MAX_READS`].
	pub reads: u32,
}

/// How much a round on chain has to be filled, and how far to be walked.
pub fn sizes(memory: &MemoryChallenge) -> (FillSize, WalkSize) {
	let MemoryChallenge { lanes, blocks, segments, reads } = *memory;
	(FillSize { lanes, blocks, compressions: 1 }, WalkSize { segments, reads })
}

/// Checks the size of a round on chain.
///
/// # Errors
///
/// [`SizeError`].
pub fn check_size(memory: &MemoryChallenge) -> Result<(), SizeError> {
	let (fill, walk) = sizes(memory);
	if fill.lanes > MAX_LANES || walk.count(&fill)? > MAX_SEGMENTS {
		return Err(SizeError::TooLarge);
	}
	Ok(())
}

/// What a walk has read so far.
pub type WalkState = [u8; 32];

impl WalkSize {
	/// All segments of the walk over a fill of this size.
	///
	/// # Errors
	///
	/// [`SizeError`].
	pub fn count(&self, fill: &FillSize) -> Result<u32, SizeError> {
		fill.count()?;
		if self.segments == 0 || self.reads == 0 {
			return Err(SizeError::TooSmall);
		}
		u32::from(walk_lanes(fill))
			.checked_mul(self.segments)
			.filter(|count| *count <= 1 << MAX_WALK_DEPTH && self.reads <= MAX_READS)
			.ok_or(SizeError::TooLarge)
	}

	/// Reads of all lanes together.
	pub fn reads(&self, fill: &FillSize) -> u64 {
		u64::from(walk_lanes(fill))
			.saturating_mul(u64::from(self.segments))
			.saturating_mul(u64::from(self.reads))
	}
}

/// The key that memory is filled under: `blake2b256("armature/memory\0" || SCALE(seed, device, size))`.
/// The seed is from the chain's randomness, and not known before the challenge.
pub fn memory_key(seed: &H256, device: DeviceId, size: &FillSize) -> H256 {
	H256((b"armature/memory\0", seed, device, size).using_encoded(sp_io::hashing::blake2_256))
}

/// The state that a segment starts from: `blake2b256("armature/walk\0" || SCALE(key, memory, lane,
/// segment, lefts))`. The key must not have been known before the device committed to the memory's
/// root. `lefts` are the hashes to the left of the segment's path ([`merkle::left_siblings`]).
pub fn walk_start(key: &H256, memory: &H256, lane: u16, segment: u32, lefts: &[H256]) -> WalkState {
	(b"armature/walk\0", key, memory, lane, segment, lefts)
		.using_encoded(sp_io::hashing::blake2_256)
}

/// Where a state reads: block and line. The first eight bytes, scaled to all lines.
pub fn walk_place(state: &WalkState, count: u32) -> (u32, u32) {
	let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = *state;
	let word = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
	let lines = u128::from(count).saturating_mul(u128::from(READS_PER_BLOCK));
	let line = u64::try_from(u128::from(word).saturating_mul(lines) >> 64).unwrap_or_default();
	let per_block = u64::from(READS_PER_BLOCK);
	let block = line.checked_div(per_block).and_then(|block| u32::try_from(block).ok());
	let line = line.checked_rem(per_block).and_then(|line| u32::try_from(line).ok());
	(block.unwrap_or_default(), line.unwrap_or_default())
}

/// The state after a read: `blake2b256(state || line)`.
pub fn walk_step(state: &WalkState, line: &[u8; READ_LEN]) -> WalkState {
	let mut input = [0; 32 + READ_LEN];
	let (head, tail) = input.split_at_mut(32);
	head.copy_from_slice(state);
	tail.copy_from_slice(line);
	sp_io::hashing::blake2_256(&input)
}

/// Walks one segment. `read` returns a line of a block.
pub fn walk_segment(
	mut state: WalkState,
	count: u32,
	reads: u32,
	mut read: impl FnMut(u32, u32) -> [u8; READ_LEN],
) -> WalkState {
	for _ in 0..reads {
		let (block, line) = walk_place(&state, count);
		state = walk_step(&state, &read(block, line));
	}
	state
}

/// A line of a block.
pub fn line_of(bytes: &[u8; BLOCK_LEN], line: u32) -> [u8; READ_LEN] {
	let at = usize::try_from(line).unwrap_or_default();
	bytes
		.chunks_exact(READ_LEN)
		.nth(at)
		.and_then(|line| line.try_into().ok())
		.unwrap_or([0; READ_LEN])
}

/// The leaf of a segment's end: lane, segment and state.
pub fn walk_leaf(lane: u16, segment: u32, state: &WalkState) -> [u8; 38] {
	let mut bytes = [0; 38];
	let (head, tail) = bytes.split_at_mut(6);
	let (first, second) = head.split_at_mut(2);
	first.copy_from_slice(&lane.to_le_bytes());
	second.copy_from_slice(&segment.to_le_bytes());
	tail.copy_from_slice(state);
	bytes
}

/// What shows that one segment was walked.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct WalkOpening {
	/// Its lane.
	pub lane: u16,
	/// Its number.
	pub segment: u32,
	/// The state after it.
	pub end: WalkState,
	/// From there to the root of the lane's ends. What it starts from is in it, too.
	pub path: WalkPath,
	/// The root of the lane's ends.
	pub lane_root: H256,
	/// From there to the root of all lanes.
	pub lane_path: LanePath,
	/// The blocks that were read, in their order.
	pub blocks: BoundedVec<OpenedBlock, ConstU32<MAX_READS>>,
}

/// What a walk is over, with the roots that the device committed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode)]
pub struct Walk {
	/// Size of the memory.
	pub fill: FillSize,
	/// Length of the walk.
	pub size: WalkSize,
	/// What the memory is filled under, see [`memory_key`].
	pub fill_key: H256,
	/// What the starts are made of, see [`walk_start`].
	pub key: H256,
	/// Over all blocks.
	pub memory: H256,
	/// Over the roots of all lanes' ends.
	pub ends: H256,
}

impl Walk {
	/// Of a round on chain: under the `key` that a verifier gave. `None` for a task of another kind.
	pub fn of_task(task: &ChallengeTask, key: H256, memory: H256, ends: H256) -> Option<Self> {
		let (fill, size) = sizes(task.memory()?);
		let fill_key = memory_key(&task.seed, task.device, &fill);
		Some(Self { fill, size, fill_key, key, memory, ends })
	}

	/// Checks that a block was filled as it should be.
	///
	/// # Errors
	///
	/// Those of [`check_fill`].
	pub fn check_fill(&self, opening: &FillOpening) -> Result<(), ChallengeFailure> {
		check_fill(&self.fill_key, &self.fill, &self.memory, opening)
	}
}

/// The filled blocks and the segments to look at, as positions: `count` of each, or all. The
/// `randomness` must not have been known before the device committed to the walk.
///
/// # Errors
///
/// [`SizeError`].
pub fn sample_memory(
	randomness: &H256,
	walk: &Walk,
	count: u32,
) -> Result<(Vec<u32>, Vec<(u16, u32)>), SizeError> {
	let blocks = walk.fill.count()?;
	let ends = walk.size.count(&walk.fill)?;
	let key = |domain: &[u8]| (domain, randomness, walk).using_encoded(sp_io::hashing::blake2_256);
	let segments = walk.size.segments;
	let drawn = |key, total: u32| {
		let drawn = draw(key, total.into(), count).into_iter();
		drawn.filter_map(|position| u32::try_from(position).ok())
	};
	let place = |position: u32| {
		let lane = u16::try_from(position.checked_div(segments)?).ok()?;
		Some((lane, position.checked_rem(segments)?))
	};
	Ok((
		drawn(key(b"armature/sample-fill"), blocks).collect(),
		drawn(key(b"armature/sample-walk"), ends).filter_map(place).collect(),
	))
}

/// Checks that a segment was walked over the committed memory, after all that is before it.
///
/// # Errors
///
/// - [`ChallengeFailure::Malformed`]: sizes are out of bounds, there is no such segment, or the number
///   of blocks is not that of reads.
/// - [`ChallengeFailure::BadOpening`]: something is not under its root at its place. So is a block that
///   the segment does not read.
/// - [`ChallengeFailure::WrongResult`]: the segment ends elsewhere.
pub fn check_walk(walk: &Walk, opening: &WalkOpening) -> Result<(), ChallengeFailure> {
	let malformed = ChallengeFailure::Malformed;
	let Walk { fill, size, key, memory, ends, .. } = walk;
	let blocks = fill.count().map_err(|_| malformed)?;
	size.count(fill).map_err(|_| malformed)?;
	let WalkOpening { lane, segment, end, path, lane_root, lane_path, blocks: read } = opening;
	let lanes = walk_lanes(fill);
	let inside = *lane < lanes && *segment < size.segments;
	if !inside || u32::try_from(read.len()) != Ok(size.reads) {
		return Err(malformed);
	}
	let leaf = walk_leaf(*lane, *segment, end);
	let lanes = u32::from(lanes);
	if !merkle::verify(ends, lanes, u32::from(*lane), lane_root.as_bytes(), lane_path)
		|| !merkle::verify(lane_root, size.segments, *segment, &leaf, path)
	{
		return Err(ChallengeFailure::BadOpening);
	}
	let lefts = merkle::left_siblings(size.segments, *segment, path).ok_or(malformed)?;
	let mut state = walk_start(key, memory, *lane, *segment, &lefts);
	for opened in read {
		let (block, line) = walk_place(&state, blocks);
		opened.under(memory, blocks, block)?;
		state = walk_step(&state, &line_of(&opened.bytes, line));
	}
	if state == *end {
		Ok(())
	} else {
		Err(ChallengeFailure::WrongResult)
	}
}

/// Nanoseconds of one read, with all lanes reading at once, rounded up, saturating; `None` without a
/// read.
pub fn nanos_per_read(size: &WalkSize, elapsed_micros: u64) -> Option<u32> {
	let reads = u64::from(size.segments).saturating_mul(u64::from(size.reads));
	let nanos = elapsed_micros.saturating_mul(1_000);
	(reads > 0).then(|| u32::try_from(nanos.div_ceil(reads)).unwrap_or(u32::MAX))
}

/// How fast memory was filled, in MiB per second, rounded down, saturating. No time at all is no
/// measurement: zero.
pub fn fill_mib_per_second(memory: &MemoryChallenge, fill_millis: u32) -> u32 {
	let blocks = u64::from(memory.lanes).saturating_mul(u64::from(memory.blocks));
	let speed = u128::from(blocks).saturating_mul(1_000) / 1_024;
	speed
		.checked_div(u128::from(fill_millis))
		.map_or(0, |speed| u32::try_from(speed).unwrap_or(u32::MAX))
}
