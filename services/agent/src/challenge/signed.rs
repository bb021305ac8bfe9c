//! What was signed, so that no second root is signed for a task: that would cost the device a part of
//! its bond.
//!
//! A task is noted with its root before the commitment is signed. Whatever happens after that, it gets
//! the same root or no answer: after a restart, when its memory was given back and is filled anew, when
//! a bit has flipped meanwhile, when what was planted is lost. Where the notes themselves are lost,
//! nothing is signed before all tasks that they may have been about are over.

use super::ChallengeFault;
use crate::store::{database, decode, Store, StoreError};
use armature_primitives::{challenge::ChallengeTask, Moment, RoundId, H256};
use armature_verifier::challenge::task_hash;
use codec::{Decode, Encode};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

/// All notes, under [`ENTRY`].
const SIGNED: TableDefinition<&str, &[u8]> = TableDefinition::new("signed");

/// They are one list.
const ENTRY: &str = "all";

/// How long after its deadline a task is remembered, in milliseconds: clocks may differ, and blocks be
/// replaced.
const KEEP_MILLIS: u64 = 3_600_000;

/// The most tasks that are remembered. A device has one open round.
const MAX_SIGNED: usize = 1_024;

/// The longest window of a round, and so how long a lost note may have been about an open one.
const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

/// A root that was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Note {
	task: H256,
	root: H256,
	round: RoundId,
	deadline: Moment,
}

/// The notes of one device. Everything here waits for the disk.
pub(super) struct Signed {
	store: Arc<Store>,
	started: Instant,
	/// How long after the start nothing is signed where the notes are lost.
	patience: Duration,
}

impl Signed {
	/// Over the device's store.
	pub(super) fn new(store: Arc<Store>) -> Self {
		let signed = Self { store, started: Instant::now(), patience: LONGEST_WINDOW };
		if let Err(error @ StoreError::Damaged(_)) = signed.load() {
			tracing::error!(%error, "no round is answered within an hour from now");
		}
		signed
	}

	/// The root that was signed for a task.
	///
	/// # Errors
	///
	/// [`ChallengeFault::SignedLost`] where that cannot be told, [`ChallengeFault::Failed`].
	pub(super) fn root(&self, task: &ChallengeTask) -> Result<Option<H256>, ChallengeFault> {
		let task = task_hash(task);
		let notes = self.known(self.load())?;
		Ok(notes.iter().find(|note| note.task == task).map(|note| note.root))
	}

	/// Notes the root that is about to be signed for a task. Returns when that is on disk.
	///
	/// # Errors
	///
	/// [`ChallengeFault::OtherRoot`] when another one was signed, [`ChallengeFault::SignedLost`] where
	/// that cannot be told, [`ChallengeFault::Failed`]: then nothing must be signed.
	pub(super) fn note(
		&self,
		task: &ChallengeTask,
		root: H256,
		now: Moment,
	) -> Result<(), ChallengeFault> {
		let write = self.store.db.begin_write().map_err(database)?;
		{
			let mut table = write.open_table(SIGNED).map_err(database)?;
			let found = table.get(ENTRY).map_err(database)?.map(|notes| notes.value().to_vec());
			let mut notes = self.known(decoded(found))?;
			notes.retain(|note| now <= note.deadline.saturating_add(KEEP_MILLIS));
			let hash = task_hash(task);
			match notes.iter().find(|note| note.task == hash) {
				Some(note) if note.root == root => return Ok(()),
				Some(_) => return Err(ChallengeFault::OtherRoot),
				None if notes.len() >= MAX_SIGNED => {
					return Err(ChallengeFault::Failed("too many rounds in an hour".into()))
				},
				None => {},
			}
			let (round, deadline) = (task.round, task.deadline);
			notes.push(Note { task: hash, root, round, deadline });
			table.insert(ENTRY, notes.encode().as_slice()).map_err(database)?;
		}
		write.commit().map_err(database)?;
		Ok(())
	}

	/// The notes. Those that are lost were about tasks that are over, once the agent has run for longer than
	/// any window.
	fn known(&self, loaded: Result<Vec<Note>, StoreError>) -> Result<Vec<Note>, ChallengeFault> {
		let are_over = self.started.elapsed() >= self.patience;
		match loaded {
			Err(StoreError::Damaged(_)) if are_over => Ok(Vec::new()),
			Err(StoreError::Damaged(_)) => Err(ChallengeFault::SignedLost),
			loaded => Ok(loaded?),
		}
	}

	fn load(&self) -> Result<Vec<Note>, StoreError> {
		let read = self.store.db.begin_read().map_err(database)?;
		let table = match read.open_table(SIGNED) {
			Ok(table) => table,
			Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
			Err(error) => return Err(database(error)),
		};
		let found = table.get(ENTRY).map_err(database)?;
		decoded(found.map(|notes| notes.value().to_vec()))
	}
}

fn decoded(notes: Option<Vec<u8>>) -> Result<Vec<Note>, StoreError> {
	notes.map_or(Ok(Vec::new()), |notes| decode(&notes, "signed commitments"))
}

#[cfg(test)]
mod tests;
