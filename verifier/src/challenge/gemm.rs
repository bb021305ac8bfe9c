//! Accelerators: a chain of exact integer matrix products over resident states ("IntGEMM").
//!
//! A state is a square matrix of bytes. Each step multiplies the last state with rows of earlier ones,
//! both masked by key streams, in int8 with int32 sums, and keeps eight bits of each sum. Sums are exact
//! for every side up to [`MAX_SIDE`] whatever their order, so all hardware gives the same bytes.
//!
//! With `S_t` the state after step `t`, `q` as in [`keep`], and the masks as in [`mask_row`]:
//!
//! ```text
//! S_(1-window) .. S_0 = key streams, see `first_row`
//! S_t[i][j] = q(sum over k of int8(S_(t-1)[i][k] ^ left_t[i][k]) * int8(S_s[j][k] ^ right_t[j][k]))
//! s = t - 1 - choice_t[j], see `choose`
//! ```
//!
//! Each column takes its row from a state of its own, which the root of the last state chooses: a
//! prover that keeps a share of the last [`GemmSize::window`] states lacks as large a share of each
//! step's rows, and each lacking row costs what a row of a product costs. One choice for a whole step
//! would not do: a prover could change one entry until a state that it kept is chosen.
//!
//! Steps come in rounds. The device commits to the states of a round before it gets the nonce of the
//! next one, which the choices depend on, so whoever forwards the work pays a round trip each time;
//! and it is asked for entries of a round while the states that they are made of are still there.
//!
//! A verifier opens single entries: row `i` of `S_(t-1)`, row `j` of `S_s` and row `i` of `S_t`. Both
//! masks have full rank whatever the states are, so that no structure of forged ones (zeros, low rank,
//! Hankel) makes what follows from them cheap: an entry is right or wrong by itself. A wrong entry passes with 1/256, since
//! eight bits are kept, so `f` of them wrong pass `k` openings with `(1 - f * 255/256)^k`.
//!
//! Rows are hashed with BLAKE2s-256, which 32-bit accelerators can do beside the products; the rows of
//! a state, and the states of a round, are in Merkle trees ([`crate::merkle`]).

mod prover;
mod round;
#[cfg(test)]
mod tests;

pub use prover::{Backend, GemmError, GemmProver, HostStates, Reference};
pub use round::{check_size, committed, opening_len, operations_per_second, round_nonce};

use super::{fill::SizeError, sampling::draw};
use crate::merkle::{self, Path};
use alloc::{vec, vec::Vec};
use armature_primitives::{challenge::ChallengeFailure, DeviceId, H256};
use blake2::{Blake2s256, Digest};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};
use scale_info::TypeInfo;
use sp_core::{bounded::BoundedVec, ConstU32};

/// The longest side. Sums are exact up to 131,071: `side * 2^14 < 2^31`.
pub const MAX_SIDE: u32 = 1 << MAX_SIDE_DEPTH;

/// Levels of the tree of the longest side.
pub const MAX_SIDE_DEPTH: u32 = 15;

/// The most steps of a round, and the most states of a window.
pub const MAX_STEPS: u32 = 1 << MAX_STEP_DEPTH;

/// Levels of the tree of the most steps.
pub const MAX_STEP_DEPTH: u32 = 14;

/// The most rounds.
pub const MAX_ROUNDS: u32 = 256;

/// A row of a state.
pub type Row = BoundedVec<u8, ConstU32<MAX_SIDE>>;

/// The path of a row.
pub type RowPath = Path<MAX_SIDE_DEPTH>;

/// The path of a state's root.
pub type StepPath = Path<MAX_STEP_DEPTH>;

/// How much is multiplied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode)]
pub struct GemmSize {
	/// Rows and columns of a state, 1 to [`MAX_SIDE`].
	pub side: u32,
	/// States that a column may be taken from, 1 to [`MAX_STEPS`].
	pub window: u32,
	/// Rounds, 1 to [`MAX_ROUNDS`].
	pub rounds: u32,
	/// Steps of a round, 1 to [`MAX_STEPS`].
	pub steps: u32,
}

impl GemmSize {
	/// Checks the bounds.
	///
	/// # Errors
	///
	/// [`SizeError`].
	pub fn check(&self) -> Result<(), SizeError> {
		let bounds = [
			(self.side, MAX_SIDE),
			(self.window, MAX_STEPS),
			(self.rounds, MAX_ROUNDS),
			(self.steps, MAX_STEPS),
		];
		if bounds.iter().any(|(value, _)| *value == 0) {
			return Err(SizeError::TooSmall);
		}
		if bounds.iter().any(|(value, most)| value > most) {
			return Err(SizeError::TooLarge);
		}
		Ok(())
	}

	/// The most states, of those that were computed, that have to be at hand at once: a window, and a round
	/// until it is opened.
	pub fn kept(&self) -> u32 {
		// Of one round that the window covers, none is let go.
		if self.rounds == 1 && self.steps <= self.window {
			self.steps
		} else {
			self.window.saturating_add(self.steps)
		}
	}

	/// Steps of all rounds together.
	pub fn all_steps(&self) -> u32 {
		self.rounds.saturating_mul(self.steps)
	}

	/// Multiplications and additions of all steps: two for each product.
	pub fn operations(&self) -> u128 {
		let side = u128::from(self.side);
		let product = side.saturating_mul(side).saturating_mul(side).saturating_mul(2);
		product.saturating_mul(u128::from(self.all_steps()))
	}

	/// Bytes that were shown to be at hand when `steps` were made: the states of the window, but for
	/// those before step 1, which anyone can make again.
	pub fn shown_bytes(&self, steps: u32) -> u128 {
		let side = u128::from(self.side);
		side.saturating_mul(side).saturating_mul(self.window.min(steps).into())
	}

	/// The round of a step, from 0, and the step's place in it; `None` outside.
	fn place(&self, step: u32) -> Option<(usize, u32)> {
		let at = step.checked_sub(1).filter(|at| *at < self.all_steps())?;
		let round = usize::try_from(at.checked_div(self.steps)?).ok()?;
		Some((round, at.checked_rem(self.steps)?))
	}
}

/// Who computes, and from what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode)]
pub struct GemmTask {
	/// From the chain's randomness; unknown before the challenge.
	pub seed: H256,
	/// The device.
	pub device: DeviceId,
	/// How much.
	pub size: GemmSize,
}

/// A round that the device committed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode)]
pub struct GemmRound {
	/// From the verifier, after the round before.
	pub nonce: H256,
	/// Over the roots of the round's states, in their order.
	pub root: H256,
}

/// The key of a stream, of which there is one for each row: `blake2b256(domain || SCALE(task, number,
/// row))`.
fn stream_key(domain: &[u8; 16], task: &GemmTask, number: u32, row: u32) -> [u8; 32] {
	(domain, task, number, row).using_encoded(sp_io::hashing::blake2_256)
}

/// The ChaCha8 key stream (nonce and counter zero) under a key, as long as a row.
fn stream(key: [u8; 32], task: &GemmTask) -> Vec<u8> {
	let mut bytes = vec![0; usize::try_from(task.size.side.min(MAX_SIDE)).unwrap_or_default()];
	ChaCha8Rng::from_seed(key).fill_bytes(&mut bytes);
	bytes
}

/// The key whose ChaCha8 stream [`first_row`] is.
pub fn first_row_key(task: &GemmTask, back: u32, row: u32) -> [u8; 32] {
	stream_key(b"armature/gemm-s\0", task, back, row)
}

/// A row of the state that is `back` steps before the first one: 0 is `S_0`.
pub fn first_row(task: &GemmTask, back: u32, row: u32) -> Vec<u8> {
	stream(first_row_key(task, back, row), task)
}

/// The two factors of a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Factor {
	/// The last state.
	Left,
	/// Rows of earlier ones, one for each column of the product.
	Right,
}

/// The key whose ChaCha8 stream [`mask_row`] is.
pub fn mask_key(factor: Factor, task: &GemmTask, step: u32, row: u32) -> [u8; 32] {
	let domain = match factor {
		Factor::Left => b"armature/gemm-l\0",
		Factor::Right => b"armature/gemm-r\0",
	};
	stream_key(domain, task, step, row)
}

/// What a row of a factor is masked with in a step.
pub fn mask_row(factor: Factor, task: &GemmTask, step: u32, row: u32) -> Vec<u8> {
	stream(mask_key(factor, task, step, row), task)
}

/// What the choices of a step are made of: the nonce of its round and the root of the last state,
/// which is `None` in step 1.
pub fn choices_key(task: &GemmTask, nonce: &H256, step: u32, last: Option<&H256>) -> H256 {
	let key = (b"armature/gemm-y\0", task, nonce, step, last);
	H256(key.using_encoded(sp_io::hashing::blake2_256))
}

/// How far back the state is that a column takes its row from: 0 is the last one.
pub fn choose(size: &GemmSize, key: &H256, column: u32) -> u32 {
	let hash = (key, column).using_encoded(sp_io::hashing::blake2_128);
	let choice = u128::from_le_bytes(hash).checked_rem(size.window.into());
	choice.and_then(|choice| u32::try_from(choice).ok()).unwrap_or_default()
}

/// The eight bits of a sum that are kept: its lowest, mixed with those from bit 12 on.
pub fn keep(sum: i32) -> u8 {
	let [low, ..] = (sum ^ (sum >> 12)).to_le_bytes();
	low
}

/// The sum of products of two rows, as int8. Exact for rows of up to 131,071 bytes.
pub fn dot(left: &[u8], right: &[u8]) -> i32 {
	let int8 = |byte: &u8| i32::from(i8::from_le_bytes([*byte]));
	let products = left.iter().zip(right).map(|(left, right)| int8(left).wrapping_mul(int8(right)));
	products.fold(0, i32::wrapping_add)
}

/// A row of a factor, masked for a step.
pub fn masked(factor: Factor, task: &GemmTask, step: u32, row: u32, bytes: &[u8]) -> Vec<u8> {
	let mask = mask_row(factor, task, step, row);
	bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

/// The hash of a row as a leaf: BLAKE2s-256 of its bytes.
pub fn row_hash(row: &[u8]) -> H256 {
	H256(Blake2s256::digest(row).into())
}

/// A row with what shows where it stands.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OpenedRow {
	/// The row.
	pub row: Row,
	/// From it to its state's root.
	pub path: RowPath,
	/// The state's root.
	pub state_root: H256,
	/// From there to the root of its round.
	pub state_path: StepPath,
}

/// What shows that one entry was computed.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct EntryOpening {
	/// The step, from 1.
	pub step: u32,
	/// Row of the entry.
	pub row: u32,
	/// Its column.
	pub column: u32,
	/// The entry's row of the last state; `None` in step 1, where everyone can compute it.
	pub last: Option<OpenedRow>,
	/// The column's row of the state that it chose; `None` where that is older than step 1.
	pub other: Option<OpenedRow>,
	/// The entry's row.
	pub result: OpenedRow,
}

/// The entries of a round to look at, as step, row and column: `count` different ones, or all. The
/// `randomness` must not have been known before the device committed to the round.
///
/// # Errors
///
/// [`SizeError`]; [`SizeError::TooLarge`] also for a round that the task does not have.
pub fn sample_entries(
	randomness: &H256,
	task: &GemmTask,
	round: u32,
	committed: &GemmRound,
	count: u32,
) -> Result<Vec<(u32, u32, u32)>, SizeError> {
	let GemmSize { side, rounds, steps, .. } = task.size;
	task.size.check()?;
	if round >= rounds {
		return Err(SizeError::TooLarge);
	}
	let key = (b"armature/sample-gemm", randomness, task, round, committed);
	let key = key.using_encoded(sp_io::hashing::blake2_256);
	let side = u64::from(side);
	let entries = side.saturating_mul(side);
	let first = round.saturating_mul(steps).saturating_add(1);
	let place = |position: u64| {
		let part = |part: Option<u64>| u32::try_from(part?).ok();
		let entry = position.checked_rem(entries)?;
		Some((
			part(position.checked_div(entries))?.checked_add(first)?,
			part(entry.checked_div(side))?,
			part(entry.checked_rem(side))?,
		))
	};
	let total = entries.saturating_mul(steps.into());
	Ok(draw(key, total, count).into_iter().filter_map(place).collect())
}

/// Checks one entry against the rounds that the device committed to, from the first one on.
///
/// # Errors
///
/// - [`ChallengeFailure::Malformed`]: sizes are out of bounds, there is no such entry, a row has
///   another length, or is given or left out where it should not be.
/// - [`ChallengeFailure::BadOpening`]: a row is not under its root at its place.
/// - [`ChallengeFailure::WrongResult`]: the entry is another than its rows give.
pub fn check_entry(
	task: &GemmTask,
	rounds: &[GemmRound],
	opening: &EntryOpening,
) -> Result<(), ChallengeFailure> {
	let malformed = ChallengeFailure::Malformed;
	let size = &task.size;
	size.check().map_err(|_| malformed)?;
	let EntryOpening { step, row, column, last, other, result } = opening;
	if *row >= size.side || *column >= size.side {
		return Err(malformed);
	}
	let (round, _) = size.place(*step).ok_or(malformed)?;
	let nonce = rounds.get(round).ok_or(malformed)?.nonce;
	under(size, rounds, *step, *row, result)?;
	let before = i64::from(*step).saturating_sub(1);
	let left = source(task, rounds, before, *row, last.as_ref())?;
	let key = choices_key(task, &nonce, *step, last.as_ref().map(|last| &last.state_root));
	let chosen = before.saturating_sub(choose(size, &key, *column).into());
	let right = source(task, rounds, chosen, *column, other.as_ref())?;
	let sum = dot(
		&masked(Factor::Left, task, *step, *row, &left),
		&masked(Factor::Right, task, *step, *column, &right),
	);
	let at = usize::try_from(*column).map_err(|_| malformed)?;
	if result.row.get(at) == Some(&keep(sum)) {
		Ok(())
	} else {
		Err(ChallengeFailure::WrongResult)
	}
}

/// A row that goes into an entry: opened, or computed where its state is older than step 1.
fn source(
	task: &GemmTask,
	rounds: &[GemmRound],
	state: i64,
	row: u32,
	opened: Option<&OpenedRow>,
) -> Result<Vec<u8>, ChallengeFailure> {
	let malformed = ChallengeFailure::Malformed;
	match opened {
		Some(opened) if state > 0 => {
			let step = u32::try_from(state).map_err(|_| malformed)?;
			under(&task.size, rounds, step, row, opened)?;
			Ok(opened.row.to_vec())
		},
		None if state <= 0 => {
			let back = u32::try_from(state.unsigned_abs()).map_err(|_| malformed)?;
			Ok(first_row(task, back, row))
		},
		_ => Err(malformed),
	}
}

/// Checks that a row stands in a state, and the state in its round.
fn under(
	size: &GemmSize,
	rounds: &[GemmRound],
	step: u32,
	row: u32,
	opened: &OpenedRow,
) -> Result<(), ChallengeFailure> {
	let malformed = ChallengeFailure::Malformed;
	let OpenedRow { row: bytes, path, state_root, state_path } = opened;
	if u32::try_from(bytes.len()) != Ok(size.side) {
		return Err(malformed);
	}
	let (round, at) = size.place(step).ok_or(malformed)?;
	let root = rounds.get(round).ok_or(malformed)?.root;
	let in_round = merkle::verify(&root, size.steps, at, state_root.as_bytes(), state_path);
	// The row last: its hash is the costly one.
	if in_round && merkle::verify_hash(state_root, size.side, row, row_hash(bytes), path) {
		Ok(())
	} else {
		Err(ChallengeFailure::BadOpening)
	}
}
