//! What was signed, so that no second root is signed for a task: that would cost the device a part of
//! its bond.
//!
//! A task is noted with its root before the commitment is signed. Whatever happens after that, it gets
//! the same root or no answer: after a restart, when its memory was given back and is filled anew, when
//! a bit has flipped meanwhile, when what was planted is lost. The record says since when it knows all
//! tasks. Where it is lost it begins anew, and what it may not know is not signed: tasks of rounds that
//! opened before.

use super::ChallengeFault;
use crate::{
	clock,
	store::{database, decode, Store, StoreError},
};
use armature_primitives::{challenge::ChallengeTask, Moment, RoundId, H256};
use armature_verifier::challenge::task_hash;
use codec::{Decode, Encode};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use std::{sync::Arc, time::Duration};

/// The record, under [`ENTRY`].
const SIGNED: TableDefinition<&str, &[u8]> = TableDefinition::new("signed");

/// There is one.
const ENTRY: &str = "all";

/// How long after its deadline a task is remembered, in milliseconds: clocks may differ, and blocks be
/// replaced.
const KEEP_MILLIS: u64 = 3_600_000;

/// The most tasks that are remembered. A device has one open round.
const MAX_SIGNED: usize = 1_024;

/// A root that was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Note {
	task: H256,
	root: H256,
	round: RoundId,
	deadline: Moment,
}

/// What was signed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Record {
	/// Of rounds that opened from then on, by the chain's clock, it has all tasks that were signed.
	since: Moment,
	notes: Vec<Note>,
}

impl Record {
	/// The root that was signed for a task, whose round opened at `opened_at`.
	///
	/// # Errors
	///
	/// [`ChallengeFault::SignedLost`] where that cannot be told.
	fn root(&self, task: &H256, opened_at: Moment) -> Result<Option<H256>, ChallengeFault> {
		match self.notes.iter().find(|note| note.task == *task) {
			Some(note) => Ok(Some(note.root)),
			None if opened_at < self.since => Err(ChallengeFault::SignedLost),
			None => Ok(None),
		}
	}
}

/// The record of one device. Everything here waits for the disk.
pub(super) struct Signed {
	store: Arc<Store>,
	/// How far the chain's clock may be from this machine's, in milliseconds.
	margin: u64,
}

impl Signed {
	/// Over the device's store. A record that is lost is begun anew, with rounds that open later than now
	/// on both clocks: the chain's may be this far from the machine's.
	pub(super) fn new(store: Arc<Store>, margin: Duration) -> Self {
		let margin = u64::try_from(margin.as_millis()).unwrap_or(u64::MAX);
		let signed = Self { store, margin };
		let latest = clock::now().saturating_add(signed.margin);
		// Nothing was signed in rounds that are yet to open. It says otherwise where the clock was ahead.
		let begun = signed.change(|record| {
			record.since = record.since.min(latest);
			Ok(())
		});
		if let Err(error) = begun {
			tracing::error!(%error, "no round is answered until the store can be written");
		}
		signed
	}

	/// The root that was signed for a task, whose round opened at `opened_at`.
	///
	/// # Errors
	///
	/// [`ChallengeFault::SignedLost`] where that cannot be told, [`ChallengeFault::Failed`].
	pub(super) fn root(
		&self,
		task: &ChallengeTask,
		opened_at: Moment,
	) -> Result<Option<H256>, ChallengeFault> {
		let record = match self.load() {
			Ok(Some(record)) => record,
			// It is begun anew.
			Ok(None) | Err(StoreError::Damaged(_)) => self.change(|record| Ok(record.clone()))?,
			Err(error) => return Err(error.into()),
		};
		record.root(&task_hash(task), opened_at)
	}

	/// Notes the root that is about to be signed for a task, whose round opened at `opened_at`. Returns when
	/// that is on disk.
	///
	/// # Errors
	///
	/// [`ChallengeFault::OtherRoot`] when another one was signed, [`ChallengeFault::SignedLost`] where
	/// that cannot be told, [`ChallengeFault::Failed`]: then nothing must be signed.
	pub(super) fn note(
		&self,
		task: &ChallengeTask,
		opened_at: Moment,
		root: H256,
		now: Moment,
	) -> Result<(), ChallengeFault> {
		let hash = task_hash(task);
		self.change(|record| {
			record.notes.retain(|note| now <= note.deadline.saturating_add(KEEP_MILLIS));
			match record.root(&hash, opened_at)? {
				Some(signed) if signed == root => return Ok(()),
				Some(_) => return Err(ChallengeFault::OtherRoot),
				None if record.notes.len() >= MAX_SIGNED => {
					return Err(ChallengeFault::Failed("too many rounds in an hour".into()))
				},
				None => {},
			}
			let (round, deadline) = (task.round, task.deadline);
			record.notes.push(Note { task: hash, root, round, deadline });
			Ok(())
		})
	}

	/// Changes the record, and returns when that is on disk. One that is lost is begun anew before, which
	/// is kept also when the change fails.
	fn change<T>(
		&self,
		change: impl FnOnce(&mut Record) -> Result<T, ChallengeFault>,
	) -> Result<T, ChallengeFault> {
		let write = self.store.db.begin_write().map_err(database)?;
		let (changed, is_same) = {
			let mut table = write.open_table(SIGNED).map_err(database)?;
			let before = table.get(ENTRY).map_err(database)?.map(|record| record.value().to_vec());
			let mut record = match decoded(before.as_deref()) {
				Ok(Some(record)) => record,
				Ok(None) => {
					let record = self.begin();
					tracing::info!(since = record.since, "what is signed is recorded from now on");
					record
				},
				Err(error) => {
					let record = self.begin();
					let since = record.since;
					tracing::error!(%error, since, "rounds that opened before are not answered");
					record
				},
			};
			let changed = change(&mut record);
			let after = record.encode();
			let is_same = before.as_ref() == Some(&after);
			if !is_same {
				table.insert(ENTRY, after.as_slice()).map_err(database)?;
			}
			(changed, is_same)
		};
		if is_same {
			write.abort().map_err(database)?;
		} else {
			write.commit().map_err(database)?;
		}
		changed
	}

	fn begin(&self) -> Record {
		Record { since: clock::now().saturating_add(self.margin), notes: Vec::new() }
	}

	fn load(&self) -> Result<Option<Record>, StoreError> {
		let read = self.store.db.begin_read().map_err(database)?;
		let table = match read.open_table(SIGNED) {
			Ok(table) => table,
			Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
			Err(error) => return Err(database(error)),
		};
		let found = table.get(ENTRY).map_err(database)?;
		decoded(found.as_ref().map(|record| record.value()))
	}
}

fn decoded(record: Option<&[u8]>) -> Result<Option<Record>, StoreError> {
	record.map(|record| decode(record, "signed commitments")).transpose()
}

#[cfg(test)]
mod tests;
