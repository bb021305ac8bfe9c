//! What the store knows of its blobs and uploads, and whose room they take.

use armature_p2p::PeerId;
use armature_primitives::{DeviceId, Moment, H256};
use codec::{Decode, Encode};
use std::{
	collections::{HashMap, HashSet},
	fs::{self, File},
	path::PathBuf,
	time::{Instant, SystemTime},
};

/// On whose quota a blob counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub(crate) enum Owner {
	#[codec(index = 0)]
	Account([u8; 32]),
	#[codec(index = 1)]
	Device(DeviceId),
}

#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct Entry {
	pub(super) len: u64,
	pub(super) owner: Owner,
	pub(super) last_used: Moment,
}

pub(super) struct Upload {
	pub(super) path: PathBuf,
	pub(super) file: File,
	pub(super) owner: Owner,
	pub(super) total: u64,
	pub(super) written: u64,
	pub(super) touched: Instant,
}

impl Drop for Upload {
	fn drop(&mut self) {
		// Fails when the file has been renamed to its hash, which is the good end.
		let _ = fs::remove_file(&self.path);
	}
}

pub(super) struct Verified {
	pub(super) at: Instant,
	pub(super) modified: SystemTime,
}

#[derive(Default)]
pub(super) struct State {
	pub(super) entries: HashMap<H256, Entry>,
	/// Bytes of entries and of uploads under way.
	pub(super) used: u64,
	/// Bytes of entries.
	pub(super) stored: u64,
	pub(super) by_owner: HashMap<Owner, u64>,
	pub(super) uploads: HashMap<(PeerId, H256), Upload>,
	/// Uploads whose part is being written, thus not in `uploads`.
	pub(super) writing: HashSet<(PeerId, H256)>,
	pub(super) verified: HashMap<H256, Verified>,
	/// Entries whose `last_used` the index does not have yet.
	pub(super) dirty: HashSet<H256>,
	pub(super) next_temporary: u64,
}

impl State {
	pub(super) fn take_room(&mut self, owner: Owner, len: u64) {
		self.used = self.used.saturating_add(len);
		let by_owner = self.by_owner.entry(owner).or_default();
		*by_owner = by_owner.saturating_add(len);
	}

	pub(super) fn free_room(&mut self, owner: Owner, len: u64) {
		self.used = self.used.saturating_sub(len);
		if let Some(by_owner) = self.by_owner.get_mut(&owner) {
			*by_owner = by_owner.saturating_sub(len);
			if *by_owner == 0 {
				self.by_owner.remove(&owner);
			}
		}
	}

	/// Enters a blob whose room has been taken.
	pub(super) fn insert(&mut self, hash: H256, entry: Entry) {
		self.stored = self.stored.saturating_add(entry.len);
		self.entries.insert(hash, entry);
	}

	pub(super) fn remove(&mut self, hash: &H256) {
		if let Some(entry) = self.entries.remove(hash) {
			self.stored = self.stored.saturating_sub(entry.len);
			self.free_room(entry.owner, entry.len);
		}
		self.verified.remove(hash);
		self.dirty.remove(hash);
	}

	pub(super) fn touch(&mut self, hash: &H256, now: Moment) -> Option<u64> {
		let entry = self.entries.get_mut(hash)?;
		entry.last_used = entry.last_used.max(now);
		self.dirty.insert(*hash);
		Some(entry.len)
	}
}
