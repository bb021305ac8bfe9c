//! Content-addressed blobs in a folder, with an index.
//!
//! A blob is written to a temporary file, synced, hashed, renamed to its hash and only then
//! entered into the index; whatever a crash leaves behind is removed at the next start. Bytes are
//! hashed again before they are served.

mod error;
mod removal;
mod state;
mod writing;

pub use error::StoreError;
pub(crate) use state::Owner;
pub(crate) use writing::Part;

use self::{
	error::index,
	state::{Entry, State, Verified},
};
use crate::config::BlobConfig;
use armature_primitives::{Moment, H256};
use codec::DecodeAll;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
	collections::HashSet,
	fs::{self, File},
	io::{self, Read, Seek, SeekFrom},
	path::{Path, PathBuf},
	sync::{Mutex, MutexGuard},
	time::{Duration, Instant},
};
use tokio::sync::watch;

/// The index: hash to SCALE of [`Entry`].
const BLOBS: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("blobs");

/// A blob that was hashed is not hashed again for its next chunks for this long, as long as its
/// file does not change.
const VERIFIED_FOR: Duration = Duration::from_secs(60);

/// The store. All calls block; callers use `spawn_blocking`.
pub(crate) struct Store {
	blobs: PathBuf,
	incoming: PathBuf,
	index: Database,
	limits: BlobConfig,
	state: Mutex<State>,
	/// Held while a blob enters or leaves both folder and index, so that a late removal cannot hit
	/// a newer upload of the same blob. Taken before `state`.
	commit: Mutex<()>,
	/// Dropped after all else: see [`Store::closing`].
	closing: watch::Sender<()>,
}

impl Store {
	/// Opens the store in `dir`, drops what a crash left half-done and what the index does not
	/// know, and forgets what the folder no longer has.
	pub(crate) fn open(dir: &Path, limits: BlobConfig) -> Result<Self, StoreError> {
		let (blobs, incoming) = (dir.join("blobs"), dir.join("incoming"));
		fs::create_dir_all(&blobs)?;
		fs::create_dir_all(&incoming)?;
		for leftover in fs::read_dir(&incoming)? {
			fs::remove_file(leftover?.path())?;
		}
		let database = Database::create(dir.join("blobs.redb")).map_err(index)?;
		let mut state = State::default();
		let mut lost = Vec::new();
		let write = database.begin_write().map_err(index)?;
		write.open_table(BLOBS).map_err(index)?;
		write.commit().map_err(index)?;
		let read = database.begin_read().map_err(index)?;
		for item in read.open_table(BLOBS).map_err(index)?.iter().map_err(index)? {
			let (key, value) = item.map_err(index)?;
			let hash = H256(*key.value());
			let entry = Entry::decode_all(&mut value.value()).map_err(index)?;
			let on_disk = fs::metadata(blobs.join(hex::encode(hash))).map(|file| file.len());
			if on_disk.is_ok_and(|len| len == entry.len) {
				state.take_room(entry.owner, entry.len);
				state.insert(hash, entry);
			} else {
				lost.push(hash);
			}
		}
		drop(read);
		let known: HashSet<_> = state.entries.keys().map(hex::encode).collect();
		for file in fs::read_dir(&blobs)? {
			let file = file?;
			if !file.file_name().to_str().is_some_and(|name| known.contains(name)) {
				fs::remove_file(file.path())?;
			}
		}
		let store = Self {
			blobs,
			incoming,
			index: database,
			limits,
			state: Mutex::new(state),
			commit: Mutex::new(()),
			closing: watch::Sender::new(()),
		};
		if !lost.is_empty() {
			tracing::warn!(count = lost.len(), "blobs of the index are missing or cut short");
			store.unindex(&lost)?;
		}
		Ok(store)
	}

	/// Nothing is ever sent here. It ends, with an error, when the last holder of this store has
	/// dropped it and its folder can be opened again.
	pub(crate) fn closing(&self) -> watch::Receiver<()> {
		self.closing.subscribe()
	}

	/// The length of a blob that is here.
	pub(crate) fn stat(&self, hash: &H256, now: Moment) -> Option<u64> {
		self.lock().touch(hash, now)
	}

	/// Blobs and their bytes, uploads under way not counted.
	pub(crate) fn totals(&self) -> (u64, u64) {
		let state = self.lock();
		(u64::try_from(state.entries.len()).unwrap_or(u64::MAX), state.stored)
	}

	/// Bytes `offset .. offset + len`, fewer at the end.
	pub(crate) fn read(
		&self,
		hash: &H256,
		offset: u64,
		len: u32,
		now: Moment,
	) -> Result<Vec<u8>, StoreError> {
		let total = self.lock().touch(hash, now).ok_or(StoreError::NotFound)?;
		if offset >= total {
			return Err(StoreError::OutOfRange);
		}
		let path = self.path(hash);
		let mut file = match File::open(&path) {
			Ok(file) => file,
			Err(error) if error.kind() == io::ErrorKind::NotFound => {
				return Err(self.discard(hash, StoreError::NotFound))
			},
			Err(error) => return Err(error.into()),
		};
		let modified = file.metadata()?.modified()?;
		let is_verified = self.lock().verified.get(hash).is_some_and(|verified| {
			verified.modified == modified && verified.at.elapsed() < VERIFIED_FOR
		});
		if !is_verified {
			let bytes = read_at_most(&mut file, total)?;
			if u64::try_from(bytes.len()) != Ok(total) || hash_of(&bytes) != *hash {
				tracing::error!(blob = ?hash, "stored blob is damaged, removing it");
				return Err(self.discard(hash, StoreError::Damaged));
			}
			let verified = Verified { at: Instant::now(), modified };
			self.lock().verified.insert(*hash, verified);
			file.rewind()?;
		}
		file.seek(SeekFrom::Start(offset))?;
		Ok(read_part(&mut file, u64::from(len))?)
	}

	fn lock(&self) -> MutexGuard<'_, State> {
		// Every change to the state is complete before anything can panic.
		self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
	}

	fn committing(&self) -> MutexGuard<'_, ()> {
		self.commit.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
	}

	fn path(&self, hash: &H256) -> PathBuf {
		self.blobs.join(hex::encode(hash))
	}
}

fn hash_of(bytes: &[u8]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(bytes))
}

/// The whole file, but never more than one byte over `len`, whatever has become of it.
fn read_at_most(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
	read_part(file, len.saturating_add(1))
}

fn read_part(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
	let mut bytes = Vec::new();
	file.take(len).read_to_end(&mut bytes)?;
	Ok(bytes)
}
