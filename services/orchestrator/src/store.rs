//! Content-addressed blobs in a folder, with an index.
//!
//! A blob is written to a temporary file, synced, hashed, renamed to its hash and only then
//! entered into the index; whatever a crash leaves behind is removed at the next start. Bytes are
//! hashed again before they are served.

use crate::config::BlobConfig;
use armature_p2p::{PeerId, Refusal};
use armature_primitives::{DeviceId, Moment, H256};
use codec::{Decode, DecodeAll, Encode};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
	collections::{HashMap, HashSet},
	fs::{self, File},
	io::{self, Read, Seek, SeekFrom, Write},
	path::{Path, PathBuf},
	sync::{Mutex, MutexGuard},
	time::{Duration, Instant, SystemTime},
};
use tokio::sync::watch;

/// The index: hash to SCALE of [`Entry`].
const BLOBS: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("blobs");

/// Uploads under way at once.
const MAX_UPLOADS: usize = 256;

/// Uploads of one peer under way at once.
const MAX_UPLOADS_PER_PEER: usize = 4;

/// A blob that was hashed is not hashed again for its next chunks for this long, as long as its
/// file does not change.
const VERIFIED_FOR: Duration = Duration::from_secs(60);

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
	/// The blob is over the cap.
	#[error("blob is over the cap")]
	TooLarge,
	/// The owner's or the store's room is used up.
	#[error("quota is used up")]
	QuotaExceeded,
	/// Too many uploads are under way.
	#[error("too many uploads are under way")]
	Busy,
	/// The part does not continue an upload.
	#[error("part does not continue an upload")]
	OutOfOrder,
	/// The bytes do not have the announced hash.
	#[error("bytes do not have the announced hash")]
	HashMismatch,
	/// A stored blob no longer has its hash; it has been removed.
	#[error("stored blob is damaged")]
	Damaged,
	/// There is no such blob.
	#[error("no such blob")]
	NotFound,
	/// A range lies outside the blob.
	#[error("range lies outside the blob")]
	OutOfRange,
	/// The file system failed.
	#[error("file system")]
	Io(#[from] io::Error),
	/// The index failed.
	#[error("index: {0}")]
	Index(String),
}

impl StoreError {
	/// What the peer is told.
	pub(crate) fn refusal(&self) -> Refusal {
		match self {
			StoreError::TooLarge => Refusal::TooLarge,
			StoreError::QuotaExceeded => Refusal::QuotaExceeded,
			StoreError::Busy => Refusal::Busy,
			StoreError::OutOfOrder | StoreError::OutOfRange => Refusal::Malformed,
			StoreError::HashMismatch | StoreError::Damaged => Refusal::HashMismatch,
			StoreError::NotFound => Refusal::NotFound,
			StoreError::Io(_) | StoreError::Index(_) => Refusal::Internal,
		}
	}
}

fn index(error: impl std::fmt::Display) -> StoreError {
	StoreError::Index(error.to_string())
}

/// On whose quota a blob counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub(crate) enum Owner {
	#[codec(index = 0)]
	Account([u8; 32]),
	#[codec(index = 1)]
	Device(DeviceId),
}

#[derive(Clone, Debug, Encode, Decode)]
struct Entry {
	len: u64,
	owner: Owner,
	last_used: Moment,
}

/// A part of a blob on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
	pub(crate) peer: PeerId,
	pub(crate) owner: Owner,
	pub(crate) hash: H256,
	pub(crate) total: u64,
	pub(crate) offset: u64,
	pub(crate) bytes: &'a [u8],
}

struct Upload {
	path: PathBuf,
	file: File,
	owner: Owner,
	total: u64,
	written: u64,
	touched: Instant,
}

impl Drop for Upload {
	fn drop(&mut self) {
		// Fails when the file has been renamed to its hash, which is the good end.
		let _ = fs::remove_file(&self.path);
	}
}

struct Verified {
	at: Instant,
	modified: SystemTime,
}

#[derive(Default)]
struct State {
	entries: HashMap<H256, Entry>,
	/// Bytes of entries and of uploads under way.
	used: u64,
	/// Bytes of entries.
	stored: u64,
	by_owner: HashMap<Owner, u64>,
	uploads: HashMap<(PeerId, H256), Upload>,
	/// Uploads whose part is being written, thus not in `uploads`.
	writing: HashSet<(PeerId, H256)>,
	verified: HashMap<H256, Verified>,
	/// Entries whose `last_used` the index does not have yet.
	dirty: HashSet<H256>,
	next_temporary: u64,
}

impl State {
	fn take_room(&mut self, owner: Owner, len: u64) {
		self.used = self.used.saturating_add(len);
		let by_owner = self.by_owner.entry(owner).or_default();
		*by_owner = by_owner.saturating_add(len);
	}

	fn free_room(&mut self, owner: Owner, len: u64) {
		self.used = self.used.saturating_sub(len);
		if let Some(by_owner) = self.by_owner.get_mut(&owner) {
			*by_owner = by_owner.saturating_sub(len);
			if *by_owner == 0 {
				self.by_owner.remove(&owner);
			}
		}
	}

	/// Enters a blob whose room has been taken.
	fn insert(&mut self, hash: H256, entry: Entry) {
		self.stored = self.stored.saturating_add(entry.len);
		self.entries.insert(hash, entry);
	}

	fn remove(&mut self, hash: &H256) {
		if let Some(entry) = self.entries.remove(hash) {
			self.stored = self.stored.saturating_sub(entry.len);
			self.free_room(entry.owner, entry.len);
		}
		self.verified.remove(hash);
		self.dirty.remove(hash);
	}

	fn touch(&mut self, hash: &H256, now: Moment) -> Option<u64> {
		let entry = self.entries.get_mut(hash)?;
		entry.last_used = entry.last_used.max(now);
		self.dirty.insert(*hash);
		Some(entry.len)
	}
}

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

	/// Takes the next part of a blob; `true` when the blob is whole, checked and durable.
	pub(crate) fn put(&self, part: Part<'_>, now: Moment) -> Result<bool, StoreError> {
		let key = (part.peer, part.hash);
		let mut upload = {
			let mut state = self.lock();
			if state.touch(&part.hash, now).is_some() {
				return Ok(true);
			}
			if state.writing.contains(&key) {
				return Err(StoreError::OutOfOrder);
			}
			let previous = state.uploads.remove(&key);
			let upload = match previous {
				Some(upload)
					if part.offset > 0
						&& upload.written == part.offset
						&& upload.total == part.total
						&& upload.owner == part.owner =>
				{
					upload
				},
				previous => {
					if let Some(upload) = previous {
						state.free_room(upload.owner, upload.total);
					}
					if part.offset > 0 {
						return Err(StoreError::OutOfOrder);
					}
					self.begin(&mut state, part, now)?
				},
			};
			state.writing.insert(key);
			upload
		};
		let result = self.write(&mut upload, part, now);
		let mut state = self.lock();
		state.writing.remove(&key);
		match result {
			Ok(true) => Ok(true),
			Ok(false) => {
				state.uploads.insert(key, upload);
				Ok(false)
			},
			Err(error) => {
				state.free_room(upload.owner, upload.total);
				Err(error)
			},
		}
	}

	/// Removes what is past its time, and stores when the rest was last used.
	pub(crate) fn sweep(&self, now: Moment) -> Result<(), StoreError> {
		let timeout = Duration::from_millis(self.limits.upload_timeout_millis);
		let _commit = self.committing();
		let (expired, dirty) = {
			let mut state = self.lock();
			let stale: Vec<_> = state
				.uploads
				.iter()
				.filter(|(_, upload)| upload.touched.elapsed() >= timeout)
				.map(|(key, _)| *key)
				.collect();
			for key in stale {
				if let Some(upload) = state.uploads.remove(&key) {
					state.free_room(upload.owner, upload.total);
				}
			}
			state.verified.retain(|_, verified| verified.at.elapsed() < VERIFIED_FOR);
			let expired = self.expired(&state, now);
			for hash in &expired {
				state.remove(hash);
			}
			let dirty: Vec<_> = state.dirty.drain().collect();
			let dirty: Vec<_> = dirty
				.into_iter()
				.filter_map(|hash| state.entries.get(&hash).map(|entry| (hash, entry.encode())))
				.collect();
			(expired, dirty)
		};
		if !dirty.is_empty() {
			let write = self.index.begin_write().map_err(index)?;
			{
				let mut table = write.open_table(BLOBS).map_err(index)?;
				for (hash, entry) in &dirty {
					// Only what is still indexed: a blob may have been removed meanwhile.
					if table.get(&hash.0).map_err(index)?.is_some() {
						table.insert(&hash.0, entry.as_slice()).map_err(index)?;
					}
				}
			}
			write.commit().map_err(index)?;
		}
		self.delete(&expired)
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

	/// Checks the limits, makes room and opens a temporary file.
	fn begin(&self, state: &mut State, part: Part<'_>, now: Moment) -> Result<Upload, StoreError> {
		let limits = &self.limits;
		if part.total > limits.max_blob_bytes {
			return Err(StoreError::TooLarge);
		}
		let under_way = state.uploads.keys().chain(&state.writing);
		if state.uploads.len().saturating_add(state.writing.len()) >= MAX_UPLOADS
			|| under_way.filter(|(peer, _)| *peer == part.peer).count() >= MAX_UPLOADS_PER_PEER
		{
			return Err(StoreError::Busy);
		}
		if !self.has_room(state, part) {
			let mut evicted = Vec::new();
			// The owner's own old blobs make room in its quota; anybody's do in the store.
			for is_own in [true, false] {
				for hash in self.expired(state, now) {
					let is_owners =
						state.entries.get(&hash).is_some_and(|entry| entry.owner == part.owner);
					let helps = !is_own || (is_owners && !self.owner_has_room(state, part));
					if helps && !self.has_room(state, part) {
						state.remove(&hash);
						evicted.push(hash);
					}
				}
				if !self.owner_has_room(state, part) {
					break;
				}
			}
			self.delete(&evicted)?;
			if !self.has_room(state, part) {
				return Err(StoreError::QuotaExceeded);
			}
		}
		let path = self.incoming.join(state.next_temporary.to_string());
		state.next_temporary = state.next_temporary.wrapping_add(1);
		let mut options = fs::OpenOptions::new();
		let file = options.read(true).write(true).create_new(true).open(&path)?;
		state.take_room(part.owner, part.total);
		Ok(Upload {
			path,
			file,
			owner: part.owner,
			total: part.total,
			written: 0,
			touched: Instant::now(),
		})
	}

	fn owner_has_room(&self, state: &State, part: Part<'_>) -> bool {
		let used = state.by_owner.get(&part.owner).copied().unwrap_or_default();
		used.checked_add(part.total)
			.is_some_and(|sum| sum <= self.limits.max_owner_bytes)
	}

	fn has_room(&self, state: &State, part: Part<'_>) -> bool {
		let under_way = state.uploads.len().saturating_add(state.writing.len());
		let count = u64::try_from(state.entries.len().saturating_add(under_way));
		let sum = state.used.checked_add(part.total);
		self.owner_has_room(state, part)
			&& count.is_ok_and(|count| count < self.limits.max_blobs)
			&& sum.is_some_and(|sum| sum <= self.limits.max_total_bytes)
	}

	/// Blobs past their time, least recently used first.
	fn expired(&self, state: &State, now: Moment) -> Vec<H256> {
		let mut expired: Vec<_> = state
			.entries
			.iter()
			.filter(|(_, entry)| entry.last_used.saturating_add(self.limits.ttl_millis) <= now)
			.map(|(hash, entry)| (entry.last_used, *hash))
			.collect();
		expired.sort_unstable();
		expired.into_iter().map(|(_, hash)| hash).collect()
	}

	/// Appends the part and, when it is the last, makes the blob durable.
	fn write(&self, upload: &mut Upload, part: Part<'_>, now: Moment) -> Result<bool, StoreError> {
		let len = u64::try_from(part.bytes.len()).map_err(|_| StoreError::TooLarge)?;
		let written = upload
			.written
			.checked_add(len)
			.filter(|written| *written <= upload.total)
			.ok_or(StoreError::OutOfOrder)?;
		upload.file.write_all(part.bytes)?;
		upload.written = written;
		upload.touched = Instant::now();
		if written < upload.total {
			return Ok(false);
		}
		upload.file.sync_all()?;
		upload.file.rewind()?;
		// What the disk gives back is hashed, not what the network gave.
		let bytes = read_at_most(&mut upload.file, upload.total)?;
		if hash_of(&bytes) != part.hash {
			return Err(StoreError::HashMismatch);
		}
		drop(bytes);
		let entry = Entry { len: upload.total, owner: upload.owner, last_used: now };
		let _commit = self.committing();
		{
			let mut state = self.lock();
			if state.entries.contains_key(&part.hash) {
				// Somebody else completed the same blob first, on their quota.
				state.free_room(upload.owner, upload.total);
				return Ok(true);
			}
			fs::rename(&upload.path, self.path(&part.hash))?;
			state.insert(part.hash, entry.clone());
		}
		if let Err(error) = self.enter(&part.hash, &entry) {
			let mut state = self.lock();
			state.remove(&part.hash);
			// The caller frees the upload's room, which the entry had taken over.
			state.take_room(upload.owner, upload.total);
			drop(state);
			fs::remove_file(self.path(&part.hash))?;
			return Err(error);
		}
		Ok(true)
	}

	fn enter(&self, hash: &H256, entry: &Entry) -> Result<(), StoreError> {
		File::open(&self.blobs)?.sync_all()?;
		let write = self.index.begin_write().map_err(index)?;
		{
			let mut table = write.open_table(BLOBS).map_err(index)?;
			table.insert(&hash.0, entry.encode().as_slice()).map_err(index)?;
		}
		write.commit().map_err(index)
	}

	/// Forgets a blob that turned out unusable and returns `why`.
	fn discard(&self, hash: &H256, why: StoreError) -> StoreError {
		let _commit = self.committing();
		self.lock().remove(hash);
		match self.delete(&[*hash]) {
			Ok(()) => why,
			Err(error) => error,
		}
	}

	/// Removes index entries, then files: a crash in between leaves files that the next start
	/// removes.
	fn delete(&self, hashes: &[H256]) -> Result<(), StoreError> {
		if hashes.is_empty() {
			return Ok(());
		}
		self.unindex(hashes)?;
		for hash in hashes {
			match fs::remove_file(self.path(hash)) {
				Ok(()) => {},
				Err(error) if error.kind() == io::ErrorKind::NotFound => {},
				Err(error) => return Err(error.into()),
			}
		}
		Ok(())
	}

	fn unindex(&self, hashes: &[H256]) -> Result<(), StoreError> {
		let write = self.index.begin_write().map_err(index)?;
		{
			let mut table = write.open_table(BLOBS).map_err(index)?;
			for hash in hashes {
				table.remove(&hash.0).map_err(index)?;
			}
		}
		write.commit().map_err(index)
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
