//! Blobs on their way out.

use super::{error::index, state::State, Store, StoreError, BLOBS, VERIFIED_FOR};
use armature_primitives::{Moment, H256};
use codec::Encode;
use redb::ReadableTable;
use std::{fs, io, time::Duration};

impl Store {
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

	/// Blobs past their time, least recently used first.
	pub(super) fn expired(&self, state: &State, now: Moment) -> Vec<H256> {
		let mut expired: Vec<_> = state
			.entries
			.iter()
			.filter(|(_, entry)| entry.last_used.saturating_add(self.limits.ttl_millis) <= now)
			.map(|(hash, entry)| (entry.last_used, *hash))
			.collect();
		expired.sort_unstable();
		expired.into_iter().map(|(_, hash)| hash).collect()
	}

	/// Forgets a blob that turned out unusable and returns `why`.
	pub(super) fn discard(&self, hash: &H256, why: StoreError) -> StoreError {
		let _commit = self.committing();
		self.lock().remove(hash);
		match self.delete(&[*hash]) {
			Ok(()) => why,
			Err(error) => error,
		}
	}

	/// Removes index entries, then files: a crash in between leaves files that the next start
	/// removes.
	pub(super) fn delete(&self, hashes: &[H256]) -> Result<(), StoreError> {
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

	pub(super) fn unindex(&self, hashes: &[H256]) -> Result<(), StoreError> {
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
