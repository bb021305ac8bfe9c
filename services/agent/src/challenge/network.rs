//! Rounds about the way to verifiers: nothing is computed, but answered as fast as can be.
//!
//! Each verifier of the committee gets its echoes and its data, and some more where it was restarted
//! meanwhile, but not more: the connection is somebody's home's.

use super::{quota::Quota, ChallengeFault};
use crate::{clock, lock::lock};
use armature_p2p::{messages::MAX_DATA_LEN, PeerId};
use armature_primitives::{
	challenge::{ChallengeTask, NetworkChallenge},
	H256,
};
use armature_verifier::challenge::{
	network::{chunk, receipt, Direction, MAX_CHUNK_LEN},
	task_hash,
};
use std::sync::Mutex;

// What the verifier's code makes fits a message.
const _: () = assert!(MAX_CHUNK_LEN as usize == MAX_DATA_LEN);

/// How often a peer may measure all of it.
const TIMES: u32 = 2;

/// Echoes beyond that: those that were under way when a verifier was restarted.
const MORE_ECHOES: u32 = 8;

/// A round that is ready to be measured.
pub(super) struct Network {
	hash: H256,
	deadline: u64,
	echoes: Mutex<Quota>,
	/// In KiB.
	up: Mutex<Quota>,
	/// In KiB.
	down: Mutex<Quota>,
}

impl Network {
	pub(super) fn new(task: &ChallengeTask, network: &NetworkChallenge) -> Self {
		let echoes = u32::from(network.echoes).saturating_mul(TIMES).saturating_add(MORE_ECHOES);
		let data = || Mutex::new(Quota::new(network.transfer_kib.saturating_mul(TIMES)));
		Self {
			hash: task_hash(task),
			deadline: task.deadline,
			echoes: Mutex::new(Quota::new(echoes)),
			up: data(),
			down: data(),
		}
	}

	/// Counts an echo of a peer.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`] after the deadline, [`ChallengeFault::TooManyRequests`].
	pub(super) fn count_echo(&self, peer: PeerId) -> Result<(), ChallengeFault> {
		self.take(&self.echoes, peer, 1)
	}

	/// A chunk of data for a peer.
	///
	/// # Errors
	///
	/// As [`Network::count_echo`].
	pub(super) fn fetch(
		&self,
		peer: PeerId,
		key: &H256,
		number: u32,
		len: u32,
	) -> Result<Vec<u8>, ChallengeFault> {
		self.take(&self.up, peer, len.div_ceil(1_024))?;
		Ok(chunk(Direction::Up, &self.hash, key, number, len))
	}

	/// What shows that all of the data of a peer has come.
	///
	/// # Errors
	///
	/// As [`Network::count_echo`].
	pub(super) fn deliver(
		&self,
		peer: PeerId,
		key: &H256,
		number: u32,
		data: &[u8],
	) -> Result<H256, ChallengeFault> {
		let kib = u32::try_from(data.len().div_ceil(1_024)).unwrap_or(u32::MAX);
		self.take(&self.down, peer, kib)?;
		Ok(receipt(&self.hash, key, number, data))
	}

	fn take(&self, quota: &Mutex<Quota>, peer: PeerId, amount: u32) -> Result<(), ChallengeFault> {
		if clock::now() >= self.deadline {
			return Err(ChallengeFault::NothingToOpen);
		}
		if lock(quota).take_some(peer, amount) {
			Ok(())
		} else {
			Err(ChallengeFault::TooManyRequests)
		}
	}
}
