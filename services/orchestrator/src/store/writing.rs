//! Blobs on their way in.

use super::{
	error::index,
	hash_of, read_at_most,
	state::{Entry, State, Upload},
	Owner, Store, StoreError, BLOBS,
};
use armature_p2p::PeerId;
use armature_primitives::{Moment, H256};
use codec::Encode;
use std::{
	fs::{self, File},
	io::{Seek, Write},
	time::Instant,
};

/// Uploads under way at once.
const MAX_UPLOADS: usize = 256;

/// Uploads of one peer under way at once.
const MAX_UPLOADS_PER_PEER: usize = 4;

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

impl Store {
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
}
