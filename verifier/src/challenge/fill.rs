//! Memory filled with blocks that can be stored, but not computed when they are asked for.
//!
//! Block 0 of a lane is a key stream. Every later block is compressed from the one before it, from
//! [`PARENTS`] earlier blocks, which the words of the one before it choose, and from the lane's key. Lanes
//! are independent, one for each hardware thread that fills them. Where filling again has to take long, the
//! result is compressed again and again; whoever checks a block does that once.
//!
//! What leaving blocks out costs: a missing block takes its predecessor and six parents, and blocks
//! cannot be kept in part ([`super::block`]), nor by a seed shorter than they are. Parents are near and far
//! ([`parents`]), so that nobody has few of the blocks and fills the others again in short chains. Whoever
//! chooses what to leave out with the graph in hand can leave out a fifth at one compression for each missing
//! block, two fifths at up to 30, and, with many processors, 56 % where chains may be 4.7 % of a lane of 2^20
//! blocks, or 62 % of 2^18 at 14 %. These are the best of what was tried, not a bound: choosing greedily, in
//! the order of the lane or another one, among 40,000 blocks; and cutting the lane into layers, and these into
//! segments, of which one block is kept, as is whatever has a parent in another segment of its layer.

use super::{
	block::{Block, BLOCK_LEN},
	sampling::scaled,
};
use crate::merkle::{self, Path};
use alloc::vec::Vec;
use armature_primitives::{challenge::ChallengeFailure, H256};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};
use scale_info::TypeInfo;
use sp_core::{bounded::BoundedVec, ConstU32};

#[cfg(test)]
pub(crate) mod tests;

/// Parents of a block beside the one before it.
pub const PARENTS: usize = 6;

/// Levels of the largest tree of blocks: 2^32 blocks are 4 TiB.
pub const MAX_FILL_DEPTH: u32 = 32;

/// The path of a block.
pub type BlockPath = Path<MAX_FILL_DEPTH>;

/// The most compressions of a block. A proof that one is wrong repeats them in the runtime.
pub const MAX_COMPRESSIONS: u16 = 1_024;

/// How much is filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode)]
pub struct FillSize {
	/// Lanes that fill at once, at least 1.
	pub lanes: u16,
	/// Blocks of each, at least 2.
	pub blocks: u32,
	/// Compressions of each block but the first, 1 to [`MAX_COMPRESSIONS`]; 1 for memory. Not in keys:
	/// blocks of other numbers are wrong under any.
	#[codec(skip)]
	pub compressions: u16,
}

/// Why the size of a challenge makes no sense. Each kind says what its bounds are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeError {
	/// A number is zero, or a lane has less than two blocks.
	TooSmall,
	/// A number is above its limit, or there are more than `u32::MAX` blocks.
	TooLarge,
}

impl core::fmt::Display for SizeError {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			SizeError::TooSmall => "the size of the challenge is too small",
			SizeError::TooLarge => "the size of the challenge is above what can be asked for",
		})
	}
}

impl core::error::Error for SizeError {}

impl FillSize {
	/// All blocks.
	///
	/// # Errors
	///
	/// [`SizeError`].
	pub fn count(&self) -> Result<u32, SizeError> {
		if self.lanes == 0 || self.blocks < 2 || self.compressions == 0 {
			return Err(SizeError::TooSmall);
		}
		if self.compressions > MAX_COMPRESSIONS {
			return Err(SizeError::TooLarge);
		}
		u32::from(self.lanes).checked_mul(self.blocks).ok_or(SizeError::TooLarge)
	}

	/// All bytes.
	pub fn bytes(&self) -> u64 {
		let blocks = u64::from(self.lanes).saturating_mul(u64::from(self.blocks));
		blocks.saturating_mul(BLOCK_LEN as u64)
	}

	/// The place of a block among all, lane 0's first; `None` outside.
	pub fn position(&self, lane: u16, at: u32) -> Option<u32> {
		if lane >= self.lanes || at >= self.blocks {
			return None;
		}
		u32::from(lane).checked_mul(self.blocks)?.checked_add(at)
	}

	/// Lane and number in it, the inverse of [`Self::position`].
	pub fn place(&self, position: u32) -> Option<(u16, u32)> {
		let lane = u16::try_from(position.checked_div(self.blocks)?).ok()?;
		(lane < self.lanes).then_some((lane, position.checked_rem(self.blocks)?))
	}
}

/// What every block of a lane is made with: blocks of other keys and lanes are worth nothing in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaneKey([u8; 32]);

impl LaneKey {
	/// `blake2b256("armature/fill\0" || SCALE(key, lane))`.
	pub fn new(key: &H256, lane: u16) -> Self {
		Self((b"armature/fill\0", key, lane).using_encoded(sp_io::hashing::blake2_256))
	}

	/// Its four words, little-endian.
	fn words(&self) -> impl Iterator<Item = u64> + '_ {
		self.0
			.chunks_exact(8)
			.filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)))
	}
}

/// Block 0 of a lane: the ChaCha8 key stream (nonce and counter zero) under the lane's key.
pub fn first_block(key: &LaneKey) -> Block {
	let mut bytes = [0; BLOCK_LEN];
	ChaCha8Rng::from_seed(key.0).fill_bytes(&mut bytes);
	Block::from_bytes(&bytes)
}

/// The parents of block `at` of a lane, above 0, by the words of the block before it; see [`parent`].
pub fn parents(before: &Block, at: u32) -> [u32; PARENTS] {
	let mut parents = [0; PARENTS];
	for (slot, word) in parents.iter_mut().zip(before.0.iter()) {
		*slot = parent(*word, at);
	}
	parents
}

/// A parent of block `at`, above 0, by a word. How far back it is is one of `1`, `2..4`, `4..8` and so on
/// with the same probability each, and any distance of that range, up to block 0, with the same: near and far
/// parents are what makes a graph depth-robust (DRSample; Alwen, Blocki and Harsha, "Practical graphs for
/// optimal side-channel resistant memory-hard functions", 2017). The word, as a fraction, times the number
/// of ranges is the range and, behind the point, the place in it.
fn parent(word: u64, at: u32) -> u32 {
	let ranges = at.checked_ilog2().map_or(1, |log| log.saturating_add(1));
	let nearest = 1u32.checked_shl(scaled(word, ranges)).unwrap_or(at);
	let farthest = nearest.saturating_sub(1).saturating_add(nearest).min(at);
	let distances = farthest.saturating_sub(nearest).saturating_add(1);
	let place = scaled(word.wrapping_mul(ranges.into()), distances);
	at.saturating_sub(nearest.saturating_add(place))
}

/// Block `at` of a lane, above 0: `G` of the block before it and of its parents. Parent `k` is turned
/// by `k + 1` words, so that equal ones do not cancel, and `at` is mixed into word 0, the lane's key into
/// words 1 to 4: what was filled under another key, or for another lane, is wrong in every block, since
/// verifiers look at single blocks only. The result is compressed again until there are as many
/// `compressions`.
pub fn next_block(
	key: &LaneKey,
	before: &Block,
	parents: [&Block; PARENTS],
	at: u32,
	compressions: u16,
) -> Block {
	let mut mixed = before.clone();
	for (turn, parent) in (1..).zip(parents) {
		mixed.xor_turned(parent, turn);
	}
	let mixins = core::iter::once(u64::from(at)).chain(key.words());
	for (word, mixin) in mixed.0.iter_mut().zip(mixins) {
		*word ^= mixin;
	}
	for _ in 0..compressions {
		mixed = Block::compress(&mixed);
	}
	mixed
}

/// Fills one lane, in order; `get` returns a block that was put before.
///
/// # Errors
///
/// Whatever `get` and `put` return.
pub fn fill_lane<E>(
	key: &H256,
	size: &FillSize,
	lane: u16,
	mut get: impl FnMut(u32) -> Result<Block, E>,
	mut put: impl FnMut(u32, &Block) -> Result<(), E>,
) -> Result<(), E> {
	let key = LaneKey::new(key, lane);
	let mut before = first_block(&key);
	put(0, &before)?;
	for at in 1..size.blocks {
		let [a, b, c, d, e, f] = parents(&before, at);
		let found = [get(a)?, get(b)?, get(c)?, get(d)?, get(e)?, get(f)?];
		before = next_block(&key, &before, found.each_ref(), at, size.compressions);
		put(at, &before)?;
	}
	Ok(())
}

/// A block with its path.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OpenedBlock {
	/// The block.
	pub bytes: [u8; BLOCK_LEN],
	/// From it to the root.
	pub path: BlockPath,
}

impl OpenedBlock {
	/// The block, if it stands at `position` under the root of `count` blocks.
	pub(crate) fn under(
		&self,
		root: &H256,
		count: u32,
		position: u32,
	) -> Result<Block, ChallengeFailure> {
		if merkle::verify(root, count, position, &self.bytes, &self.path) {
			Ok(Block::from_bytes(&self.bytes))
		} else {
			Err(ChallengeFailure::BadOpening)
		}
	}
}

/// What shows that one block was filled as it should be.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct FillOpening {
	/// Its lane.
	pub lane: u16,
	/// Its number in the lane.
	pub at: u32,
	/// The block.
	pub block: OpenedBlock,
	/// The one before it, then its parents in their order; none for block 0, which everyone can
	/// compute.
	pub sources: BoundedVec<OpenedBlock, ConstU32<7>>,
}

/// Opens a block of filled memory. `block` returns a block and its path by its position; `None`
/// where it has none.
pub fn open_fill(
	size: &FillSize,
	position: u32,
	block: impl Fn(u32) -> Option<OpenedBlock>,
) -> Option<FillOpening> {
	let (lane, at) = size.place(position)?;
	let mut sources = Vec::new();
	if let Some(previous) = at.checked_sub(1) {
		let before = block(size.position(lane, previous)?)?;
		let wanted = parents(&Block::from_bytes(&before.bytes), at);
		sources.push(before);
		for parent in wanted {
			sources.push(block(size.position(lane, parent)?)?);
		}
	}
	let sources = sources.try_into().ok()?;
	Some(FillOpening { lane, at, block: block(position)?, sources })
}

/// Checks that a block was filled from the ones it should be filled from.
///
/// # Errors
///
/// - [`ChallengeFailure::Malformed`]: sizes are out of bounds, there is no such block, or the number
///   of sources is wrong.
/// - [`ChallengeFailure::BadOpening`]: a block is not under the root at its place.
/// - [`ChallengeFailure::WrongResult`]: the block is another than its sources give.
pub fn check_fill(
	key: &H256,
	size: &FillSize,
	root: &H256,
	opening: &FillOpening,
) -> Result<(), ChallengeFailure> {
	let malformed = ChallengeFailure::Malformed;
	let count = size.count().map_err(|_| malformed)?;
	let FillOpening { lane, at, block, sources } = opening;
	let position = size.position(*lane, *at).ok_or(malformed)?;
	let found = block.under(root, count, position)?;
	let under = |source: &OpenedBlock, at| {
		let position = size.position(*lane, at).ok_or(malformed)?;
		source.under(root, count, position)
	};
	let key = LaneKey::new(key, *lane);
	let expected = match (at.checked_sub(1), sources.as_slice()) {
		(None, []) => first_block(&key),
		(Some(previous), [before, others @ ..]) => {
			let others = <&[OpenedBlock; PARENTS]>::try_from(others).map_err(|_| malformed)?;
			let before = under(before, previous)?;
			let mut blocks: [Block; PARENTS] = Default::default();
			let wanted = parents(&before, *at);
			for ((slot, other), at) in blocks.iter_mut().zip(others).zip(wanted) {
				*slot = under(other, at)?;
			}
			next_block(&key, &before, blocks.each_ref(), *at, size.compressions)
		},
		_ => return Err(malformed),
	};
	if expected == found {
		Ok(())
	} else {
		Err(ChallengeFailure::WrongResult)
	}
}
