//! The work itself: table, state, segment.

use alloc::{boxed::Box, vec::Vec};
use armature_primitives::{DeviceId, H256};
use codec::Encode;
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};

/// Bytes of a lane's table: larger than common L1 caches, within common L2 caches, so that the
/// loads cost latency, which no wider core hides.
pub const TABLE_BYTES: usize = 256 * 1024;

/// Words of a lane's table; a power of two.
const TABLE_WORDS: usize = TABLE_BYTES / 8;

/// The bits of a word that address the table.
const TABLE_MASK: u64 = TABLE_WORDS as u64 - 1;

/// Rounds of one step.
pub const ROUNDS_PER_STEP: u32 = 64;

/// Bytes of an encoded state.
pub const STATE_LEN: usize = 64;

/// The rotation of each word; odd, all different, far from word and byte bounds.
const ROTATIONS: [u32; 8] = [11, 19, 23, 29, 37, 43, 47, 53];

/// A lane's read-only table.
#[derive(Clone, PartialEq, Eq)]
pub struct LaneTable(Box<[u64; TABLE_WORDS]>);

impl core::fmt::Debug for LaneTable {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.debug_tuple("LaneTable").field(&format_args!("{TABLE_BYTES} bytes")).finish()
	}
}

impl LaneTable {
	/// The whole table, for tests of the key stream.
	#[cfg(test)]
	pub(crate) fn to_bytes(&self) -> Vec<u8> {
		self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
	}

	/// The word that the high half of `address` selects. The mask keeps the index inside, so the
	/// fallback is never taken and the compiler drops it.
	#[inline(always)]
	fn load(&self, address: u64) -> u64 {
		let index = ((address >> 32) & TABLE_MASK) as usize; // below 2^15: lossless
		self.0.get(index).copied().unwrap_or_default()
	}
}

/// A lane's state: eight words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State(pub [u64; 8]);

impl State {
	/// The words in little-endian order, as checkpoints and openings carry them.
	pub fn to_bytes(&self) -> [u8; STATE_LEN] {
		let mut bytes = [0u8; STATE_LEN];
		for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0) {
			chunk.copy_from_slice(&word.to_le_bytes());
		}
		bytes
	}

	/// The inverse of [`Self::to_bytes`]. Every 64 bytes are a state.
	pub fn from_bytes(bytes: &[u8; STATE_LEN]) -> Self {
		let mut words = [0u64; 8];
		for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
			let mut le = [0u8; 8];
			le.copy_from_slice(chunk);
			*word = u64::from_le_bytes(le);
		}
		Self(words)
	}

	/// A state from 32 bytes: `blake2b256(digest || 0x00) || blake2b256(digest || 0x01)`.
	fn expand(digest: [u8; 32]) -> Self {
		let mut bytes = [0u8; STATE_LEN];
		for (half, tag) in bytes.chunks_exact_mut(32).zip(0u8..) {
			half.copy_from_slice(&sp_io::hashing::blake2_256(&(digest, tag).encode()));
		}
		Self::from_bytes(&bytes)
	}
}

fn prf(domain: &[u8], body: impl Encode) -> [u8; 32] {
	let mut input = Vec::from(domain);
	body.encode_to(&mut input);
	sp_io::hashing::blake2_256(&input)
}

/// The table of `lane`: the ChaCha8 key stream (nonce and counter zero) under
/// `blake2b256("armature/lane-table\0" || seed || lane)`, read as little-endian words.
pub fn lane_table(seed: &H256, lane: u16) -> LaneTable {
	let mut stream = ChaCha8Rng::from_seed(prf(b"armature/lane-table\0", (seed, lane)));
	let mut table = Box::new([0u64; TABLE_WORDS]);
	for word in table.iter_mut() {
		*word = stream.next_u64();
	}
	LaneTable(table)
}

/// The state that a segment starts from: the expansion of `blake2b256("armature/lane-state\0" ||
/// SCALE(seed, device, lane, segment, lefts))`. `lefts` are the hashes to the left of the segment's
/// path in the lane's tree ([`crate::merkle::left_siblings`]), which all segments before it are under.
pub fn segment_start(
	seed: &H256,
	device: DeviceId,
	lane: u16,
	segment: u32,
	lefts: &[H256],
) -> State {
	State::expand(prf(b"armature/lane-state\0", (seed, device, lane, segment, lefts)))
}

/// Runs one segment: `steps` steps of [`ROUNDS_PER_STEP`] rounds, then the hash of the state
/// (`blake2b256("armature/segment\0" || state)`), expanded again.
///
/// Round `i` (mod 8) loads a table word at the address that the word touched last holds, so every
/// round waits for the one before it: a lane cannot be spread over cores, and a core cannot run
/// ahead. Each round is a permutation of the states, so no entropy is lost within a segment.
pub fn run_segment(table: &LaneTable, start: State, steps: u32) -> State {
	let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = start.0;
	let [ra, rb, rc, rd, re, rf, rg, rh] = ROTATIONS;
	// One round: `$x` takes the word that `$last` addresses, is multiplied by an odd factor from
	// its neighbour, turned, and mixed into a third word.
	macro_rules! round {
		($last:ident, $x:ident, $next:ident, $mix:ident, $turn:ident) => {
			$x = ($x ^ table.load($last)).wrapping_mul($next | 1).rotate_left($turn);
			$mix ^= $x;
		};
	}
	for _ in 0..steps {
		for _ in 0..ROUNDS_PER_STEP / 8 {
			round!(h, a, b, d, ra);
			round!(a, b, c, e, rb);
			round!(b, c, d, f, rc);
			round!(c, d, e, g, rd);
			round!(d, e, f, h, re);
			round!(e, f, g, a, rf);
			round!(f, g, h, b, rg);
			round!(g, h, a, c, rh);
		}
	}
	State::expand(prf(b"armature/segment\0", State([a, b, c, d, e, f, g, h]).to_bytes()))
}
