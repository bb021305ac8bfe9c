//! A round that was answered with what was planted. Whoever opens nothing sees the same as in one that
//! was answered with work.

use super::{
	kept::{Plant, Used},
	likeness::Likeness,
};
use crate::{
	challenge::{
		encoded,
		gemm::MAX_ENTRIES_OF_PEER,
		memory::MAX_BLOCK_REQUESTS,
		quota::{asked, Quota},
		stored::{MAX_READS_OF_PEER, MAX_SEALED_OF_PEER},
		turns::{Patience, Turns},
		ChallengeFault,
	},
	lock::lock,
};
use armature_p2p::PeerId;
use armature_primitives::{challenge::WorkKind, telemetry::PowerReading, H256};
use armature_verifier::challenge::{
	fill::FillOpening,
	gemm::EntryOpening,
	memory::WalkOpening,
	storage::{SealedOpening, StoredBlock},
	SegmentOpening,
};
use codec::Encode;
use std::{
	sync::{Arc, Mutex},
	time::{Duration, Instant},
};

/// What a round is answered with instead of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::challenge) struct Planted {
	/// Of the work that is not done.
	pub(in crate::challenge) kind: WorkKind,
	/// The root to commit to. There is nothing under it.
	pub(in crate::challenge) root: H256,
	salt: H256,
	likeness: Likeness,
}

impl Planted {
	/// What was planted, as the answer to the task that it was used for.
	pub(super) fn new(plant: &Plant, used: &Used, kind: WorkKind) -> Self {
		Self { kind, root: plant.root, salt: plant.salt, likeness: used.likeness }
	}

	/// The power to commit to.
	pub(in crate::challenge) fn power(&self) -> PowerReading {
		self.likeness.power
	}

	/// How long the answer takes.
	pub(in crate::challenge) fn after(&self) -> Duration {
		self.likeness.after()
	}

	/// The ends of a walk that nobody made.
	fn ends(&self, key: &H256) -> H256 {
		let input = (b"armature/planted-ends", self.salt, key).encode();
		H256(sp_crypto_hashing::blake2_256(&input))
	}
}

/// A round with such an answer.
pub(in crate::challenge) struct PlantedRound {
	planted: Planted,
	turns: Mutex<Turns>,
	block_requests: Mutex<Quota>,
	entries: Mutex<Quota>,
	reads: Mutex<Quota>,
	sealed: Mutex<Quota>,
	/// Whose the last walk was, and what it started from.
	walked: Mutex<Option<(PeerId, H256)>>,
}

impl PlantedRound {
	pub(in crate::challenge) fn new(planted: Planted, patience: Patience) -> Self {
		Self {
			planted,
			turns: Mutex::new(Turns::new(patience)),
			block_requests: Mutex::new(Quota::new(MAX_BLOCK_REQUESTS)),
			entries: Mutex::new(Quota::new(MAX_ENTRIES_OF_PEER)),
			reads: Mutex::new(Quota::new(MAX_READS_OF_PEER)),
			sealed: Mutex::new(Quota::new(MAX_SEALED_OF_PEER)),
			walked: Mutex::default(),
		}
	}

	/// Of the work that is not done.
	pub(in crate::challenge) fn kind(&self) -> WorkKind {
		self.planted.kind
	}

	/// The openings of segments: a list that no verifier takes. It fails the device at once, and does not
	/// ask again.
	///
	/// # Errors
	///
	/// Those of [`encoded`].
	pub(in crate::challenge) fn open(&self) -> Result<Vec<u8>, ChallengeFault> {
		encoded::<SegmentOpening>(&[])
	}

	/// Keeps the next walk for a peer.
	///
	/// # Errors
	///
	/// Those of [`Turns::reserve`].
	pub(in crate::challenge) fn reserve(&self, peer: PeerId) -> Result<(), ChallengeFault> {
		lock(&self.turns).reserve(peer, Instant::now())
	}

	/// Takes as long as a walk in the turn of a peer, and returns what nobody can tell from its ends.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NotYourTurn`], [`ChallengeFault::Failed`] when the agent stops.
	pub(in crate::challenge) async fn walk(
		self: Arc<Self>,
		peer: PeerId,
		key: H256,
	) -> Result<H256, ChallengeFault> {
		lock(&self.turns).begin(peer, Instant::now())?;
		// Goes on, and settles the turn, when whoever asked hangs up.
		let walking = tokio::spawn(async move {
			*lock(&self.walked) = None;
			tokio::time::sleep(self.planted.likeness.walk()).await;
			*lock(&self.walked) = Some((peer, key));
			lock(&self.turns).walked(Instant::now());
			self.planted.ends(&key)
		});
		walking.await.map_err(|error| ChallengeFault::Failed(error.to_string()))
	}

	/// The openings of blocks: a list that no verifier takes.
	///
	/// # Errors
	///
	/// [`ChallengeFault::TooManyRequests`].
	pub(in crate::challenge) fn open_blocks(
		&self,
		peer: PeerId,
	) -> Result<Vec<u8>, ChallengeFault> {
		if !lock(&self.block_requests).take(peer) {
			return Err(ChallengeFault::TooManyRequests);
		}
		encoded::<FillOpening>(&[])
	}

	/// The openings of entries: a list that no verifier takes.
	///
	/// # Errors
	///
	/// [`ChallengeFault::TooManyRequests`].
	pub(in crate::challenge) fn open_entries(
		&self,
		peer: PeerId,
		entries: &[(u32, u32, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		if !lock(&self.entries).take_some(peer, asked(entries)) {
			return Err(ChallengeFault::TooManyRequests);
		}
		encoded::<EntryOpening>(&[])
	}

	/// Blocks of storage: a list that no verifier takes.
	///
	/// # Errors
	///
	/// [`ChallengeFault::TooManyRequests`].
	pub(in crate::challenge) fn read_stored(
		&self,
		peer: PeerId,
	) -> Result<Vec<u8>, ChallengeFault> {
		if !lock(&self.reads).take(peer) {
			return Err(ChallengeFault::TooManyRequests);
		}
		encoded::<StoredBlock>(&[])
	}

	/// The openings of blocks of storage: a list that no verifier takes.
	///
	/// # Errors
	///
	/// [`ChallengeFault::TooManyRequests`].
	pub(in crate::challenge) fn open_sealed(
		&self,
		peer: PeerId,
		blocks: &[(u32, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		if !lock(&self.sealed).take_some(peer, asked(blocks)) {
			return Err(ChallengeFault::TooManyRequests);
		}
		encoded::<SealedOpening>(&[])
	}

	/// The openings of segments of a peer's walk: a list that no verifier takes. Ends its turn.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`] for another walk than its last one, and when another followed.
	pub(in crate::challenge) fn open_walk(
		&self,
		peer: PeerId,
		key: H256,
	) -> Result<Vec<u8>, ChallengeFault> {
		if *lock(&self.walked) != Some((peer, key)) {
			return Err(ChallengeFault::NothingToOpen);
		}
		lock(&self.turns).opened(peer);
		encoded::<WalkOpening>(&[])
	}
}
