//! The way between a device and its verifiers: how soon it answers, and how much it moves.
//!
//! Each verifier sends nonces, which the device signs; the fastest answer is the round trip to that
//! verifier. It can be later than need be, and never earlier than light allows ([`super::location`]).
//! Then all verifiers of a round fetch data from the device at once, and send it some, for a given
//! time. What they move is made of a key that the verifier draws and nobody knew before: it cannot be
//! packed, made ahead, or acknowledged without having come.
//!
//! The verifiers' own connections and clocks are in the figures, and each says what it likes. So the
//! rate of each counts up to their lower median only ([`together`]): a minority that says too much adds
//! no more than honest ones have moved, and one that says too little takes no more than its own part.

use super::{fill::SizeError, task_hash};
use crate::signature::verify_device;
use alloc::{vec, vec::Vec};
use armature_primitives::{
	challenge::{ChallengeTask, Echo, NetworkChallenge},
	ed25519::{Public, Signature},
	signing::Domain,
	H256,
};
use codec::Encode;
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};

#[cfg(test)]
mod tests;

/// The most echoes of one verifier.
pub const MAX_ECHOES: u16 = 64;

/// The latest start of transfers, in milliseconds after the round's block.
pub const MAX_LEAD_MILLIS: u32 = 600_000;

/// The longest transfer in one direction, in milliseconds.
pub const MAX_TRANSFER_MILLIS: u32 = 60_000;

/// The most that one verifier moves in one direction, in KiB.
pub const MAX_TRANSFER_KIB: u32 = 1 << 18;

/// The most bytes of one chunk.
pub const MAX_CHUNK_LEN: u32 = 240 * 1_024;

/// Which way data goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
	/// From the device to the verifier.
	Up,
	/// From the verifier to the device.
	Down,
}

/// Checks the size of a round on chain.
///
/// # Errors
///
/// [`SizeError`].
pub fn check_size(network: &NetworkChallenge) -> Result<(), SizeError> {
	let NetworkChallenge { echoes, lead_millis, transfer_millis, transfer_kib } = *network;
	if [echoes.into(), lead_millis, transfer_millis, transfer_kib].contains(&0) {
		return Err(SizeError::TooSmall);
	}
	let is_within = echoes <= MAX_ECHOES
		&& lead_millis <= MAX_LEAD_MILLIS
		&& transfer_millis <= MAX_TRANSFER_MILLIS
		&& transfer_kib <= MAX_TRANSFER_KIB;
	if is_within {
		Ok(())
	} else {
		Err(SizeError::TooLarge)
	}
}

/// The root that a device commits to: nothing is computed, so that it can only be this one.
pub fn commit_root(task: &ChallengeTask) -> H256 {
	task_hash(task)
}

/// Whether the device with this `key` has answered the `nonce` in the round of `task`.
pub fn check_echo(
	genesis: &H256,
	task: &ChallengeTask,
	key: &Public,
	nonce: H256,
	signature: &Signature,
) -> bool {
	let echo = Echo { task: task_hash(task), nonce };
	verify_device(Domain::Echo, genesis, task.device, &echo, key, signature)
}

/// The bytes of a chunk, at most [`MAX_CHUNK_LEN`]: the ChaCha8 key stream (nonce and counter zero)
/// under `blake2b256(domain || SCALE(task, key, number))`. The key is the verifier's, and new for each
/// direction of each round.
pub fn chunk(direction: Direction, task: &H256, key: &H256, number: u32, len: u32) -> Vec<u8> {
	let domain = match direction {
		Direction::Up => b"armature/data-up",
		Direction::Down => b"armature/data-dn",
	};
	let seed = (domain, task, key, number).using_encoded(sp_io::hashing::blake2_256);
	let mut bytes = vec![0; usize::try_from(len.min(MAX_CHUNK_LEN)).unwrap_or_default()];
	ChaCha8Rng::from_seed(seed).fill_bytes(&mut bytes);
	bytes
}

/// What a device answers a chunk with, which it can only know once all of it has come:
/// `blake2b256("armature/receipt" || SCALE(task, key, number, bytes))`.
pub fn receipt(task: &H256, key: &H256, number: u32, bytes: &[u8]) -> H256 {
	H256((b"armature/receipt", task, key, number, bytes).using_encoded(sp_io::hashing::blake2_256))
}

/// Kilobits per second, rounded down, saturating. No time at all is no measurement: zero.
pub fn kbps(bytes: u64, micros: u64) -> u32 {
	let millibits = u128::from(bytes).saturating_mul(8_000);
	let rate = millibits.checked_div(micros.into()).unwrap_or_default();
	u32::try_from(rate).unwrap_or(u32::MAX)
}

/// The round trip to the nearest verifier, in microseconds: the second least of all, for one verifier alone
/// could say anything. The only one where there is one, and zero where there is none.
pub fn nearest(round_trips: &[u32]) -> u32 {
	let mut sorted = round_trips.to_vec();
	sorted.sort_unstable();
	sorted.get(1).or(sorted.first()).copied().unwrap_or_default()
}

/// What the verifiers of a round moved at once, in kilobits per second, saturating: the sum of their
/// `rates`, each up to the lower median of all.
pub fn together(rates: &[u32]) -> u32 {
	let mut sorted = rates.to_vec();
	sorted.sort_unstable();
	let middle = sorted.len().saturating_sub(1) / 2;
	let median = sorted.get(middle).copied().unwrap_or_default();
	rates.iter().map(|rate| (*rate).min(median)).fold(0, u32::saturating_add)
}
