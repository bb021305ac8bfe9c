//! What is planted, as it is kept on disk.

use super::likeness::Likeness;
use crate::store::{blocking, database, decode, Store, StoreError};
use armature_primitives::{DeviceId, Moment, RoundId, H256};
use armature_verifier::challenge::verdict::planted_hash;
use codec::{Decode, Encode};
use rand::{rngs::OsRng, RngCore};
use redb::{ReadableDatabase, TableDefinition};
use std::sync::Arc;

/// What is planted, under [`ENTRY`].
pub(super) const PLANTED: TableDefinition<&str, &[u8]> = TableDefinition::new("planted");

/// There is one at a time.
pub(super) const ENTRY: &str = "answer";

/// A made-up answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Plant {
	pub(super) root: H256,
	/// Secret until it is shown.
	pub(super) salt: H256,
	pub(super) used: Option<Used>,
}

/// The task that a made-up answer was used for, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Used {
	pub(super) round: RoundId,
	/// Hash of its task. The round may come back with another one, when its block is replaced.
	pub(super) task: H256,
	/// After it nobody judges the round.
	pub(super) deadline: Moment,
	/// What the answer looks like.
	pub(super) likeness: Likeness,
}

impl Plant {
	/// A new one, not used.
	///
	/// # Errors
	///
	/// What the operating system says when it gives no randomness.
	pub(super) fn random() -> Result<Self, rand::Error> {
		Ok(Self { root: random()?, salt: random()?, used: None })
	}

	/// What is announced of it.
	pub(super) fn hash(&self, device: DeviceId) -> H256 {
		planted_hash(device, &self.root, &self.salt)
	}
}

fn random() -> Result<H256, rand::Error> {
	let mut bytes = [0; 32];
	OsRng.try_fill_bytes(&mut bytes)?;
	Ok(H256(bytes))
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
	pub(super) store: Arc<Store>,
}

impl Kept {
	/// What is planted. A damaged entry is removed, so that another is planted.
	///
	/// # Errors
	///
	/// [`StoreError`].
	pub(super) async fn plant(&self) -> Result<Option<Plant>, StoreError> {
		let kept = self.clone();
		blocking(move || match kept.load() {
			Err(error @ StoreError::Damaged(_)) => {
				tracing::error!(%error, "what was planted is lost: a round it was used for counts");
				kept.write(None)?;
				Ok(None)
			},
			loaded => loaded,
		})
		.await
	}

	/// Keeps another one, or none. Returns when that is on disk.
	///
	/// # Errors
	///
	/// [`StoreError`].
	pub(super) async fn save(&self, plant: Option<Plant>) -> Result<(), StoreError> {
		let kept = self.clone();
		blocking(move || kept.write(plant)).await
	}

	/// What is planted; waits for the disk.
	///
	/// # Errors
	///
	/// [`StoreError`].
	pub(super) fn load(&self) -> Result<Option<Plant>, StoreError> {
		let read = self.store.db.begin_read().map_err(database)?;
		let table = match read.open_table(PLANTED) {
			Ok(table) => table,
			Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
			Err(error) => return Err(database(error)),
		};
		let found = table.get(ENTRY).map_err(database)?;
		found.map(|plant| decode(plant.value(), "planted answer")).transpose()
	}

	fn write(&self, plant: Option<Plant>) -> Result<(), StoreError> {
		let write = self.store.db.begin_write().map_err(database)?;
		{
			let mut table = write.open_table(PLANTED).map_err(database)?;
			match plant {
				Some(plant) => {
					table.insert(ENTRY, plant.encode().as_slice()).map_err(database)?;
				},
				None => {
					table.remove(ENTRY).map_err(database)?;
				},
			}
		}
		write.commit().map_err(database)
	}
}
