//! What the agent must not forget: beats made, leaves signed, leases begun.

use armature_primitives::{DeviceId, H256};
use codec::{Decode, Encode};
use redb::{Database, DatabaseError, ReadableTable, TableDefinition};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Facts of the whole store, by name.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// Whose store this is.
const OWNER: &str = "owner";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
	/// Another process has it open.
	#[error("{0} is in use: another agent runs on this data directory")]
	InUse(PathBuf),
	/// It belongs to another device or chain.
	#[error(
		"{0} belongs to another device or chain: give each its own data directory, for two agents \
		 that share one would contradict each other under the same key"
	)]
	Foreign(PathBuf),
	/// An entry does not decode.
	#[error("an entry of the store is damaged: {0}")]
	Damaged(&'static str),
	/// The database failed.
	#[error("the store failed")]
	Database(#[from] Box<redb::Error>),
	/// A thread that reads or writes it failed, or the agent stops.
	#[error("a thread of the store failed: {0}")]
	Thread(String),
}

/// Wraps any error of the database.
pub(crate) fn database<E: Into<redb::Error>>(error: E) -> StoreError {
	StoreError::Database(Box::new(error.into()))
}

/// Reads or writes the store on a thread that may wait for the disk.
///
/// # Errors
///
/// Those of the work, and [`StoreError::Thread`].
pub(crate) async fn blocking<T, E>(
	work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
	T: Send + 'static,
	E: From<StoreError> + Send + 'static,
{
	match tokio::task::spawn_blocking(work).await {
		Ok(done) => done,
		Err(error) => Err(StoreError::Thread(error.to_string()).into()),
	}
}

/// The agent's database. A write that returned is on disk.
#[derive(Debug)]
pub struct Store {
	pub(crate) db: Database,
	/// Dropped after the database: see [`Store::closing`].
	closing: watch::Sender<()>,
}

impl Store {
	/// Opens or creates the store of one device on one chain.
	pub fn open(path: &Path, genesis: &H256, device: DeviceId) -> Result<Self, StoreError> {
		let db = Database::create(path).map_err(|error| match error {
			DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
			error => database(error),
		})?;
		let owner = (genesis, device).encode();
		let write = db.begin_write().map_err(database)?;
		{
			let mut meta = write.open_table(META).map_err(database)?;
			let known = meta.get(OWNER).map_err(database)?.map(|value| value.value().to_vec());
			match known {
				Some(known) if known != owner => return Err(StoreError::Foreign(path.to_owned())),
				Some(_) => {},
				None => {
					meta.insert(OWNER, owner.as_slice()).map_err(database)?;
				},
			}
		}
		write.commit().map_err(database)?;
		Ok(Self { db, closing: watch::Sender::new(()) })
	}

	/// Nothing is ever sent here. It ends, with an error, when the last holder of this store has
	/// dropped it and its file can be opened again.
	pub(crate) fn closing(&self) -> watch::Receiver<()> {
		self.closing.subscribe()
	}
}

/// Decodes an entry; every byte must be used.
pub(crate) fn decode<T: Decode>(mut bytes: &[u8], what: &'static str) -> Result<T, StoreError> {
	let value = T::decode(&mut bytes).map_err(|_| StoreError::Damaged(what))?;
	if bytes.is_empty() {
		Ok(value)
	} else {
		Err(StoreError::Damaged(what))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_store_should_serve_one_process_one_device_and_one_chain() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("agent.redb");
		let open = |genesis: u8, device| Store::open(&path, &H256([genesis; 32]), DeviceId(device));
		let store = open(1, 1).expect("created");
		assert!(matches!(open(1, 1), Err(StoreError::InUse(_))));
		drop(store);
		assert!(matches!(open(1, 2), Err(StoreError::Foreign(_))));
		assert!(matches!(open(2, 1), Err(StoreError::Foreign(_))));
		open(1, 1).expect("reopened");
	}

	#[test]
	fn entries_should_decode_whole_or_not_at_all() {
		assert_eq!(decode::<u16>(&[1, 2], "entry").expect("two bytes"), 0x0201);
		assert!(matches!(decode::<u16>(&[1], "entry"), Err(StoreError::Damaged("entry"))));
		assert!(matches!(decode::<u16>(&[1, 2, 3], "entry"), Err(StoreError::Damaged("entry"))));
	}
}
