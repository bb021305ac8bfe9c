//! What must outlive a crash: when a round was first seen, what was decided, what was posted.
//!
//! A decision is in the journal before it is posted. After a restart the same decision is posted
//! again if the chain still waits for it, and nothing is decided twice.

use armature_primitives::{challenge::Verdict, lease::RunReport, LeaseId, Moment, RoundId};
use codec::{Decode, DecodeAll, Encode};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{collections::HashSet, path::Path};
use tokio::sync::watch;

/// Round to the moment when it was first seen.
const SEEN: TableDefinition<u64, u64> = TableDefinition::new("seen");

/// Round to SCALE of `Decision<Verdict>`.
const VERDICTS: TableDefinition<u64, &[u8]> = TableDefinition::new("verdicts");

/// Lease to SCALE of `Decision<RunReport>`.
const REPORTS: TableDefinition<u64, &[u8]> = TableDefinition::new("reports");

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("journal: {0}")]
pub struct JournalError(String);

fn failed(error: impl std::fmt::Display) -> JournalError {
	JournalError(error.to_string())
}

/// A finding and how far it got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Decision<T> {
	pub(crate) finding: T,
	pub(crate) decided_at: Moment,
	/// When the chain last answered to it.
	pub(crate) posted_at: Option<Moment>,
}

impl<T> Decision<T> {
	/// Whether it has to be posted (again).
	pub(crate) fn is_due(&self, now: Moment, repost_millis: u64) -> bool {
		self.posted_at.is_none_or(|posted| posted.saturating_add(repost_millis) <= now)
	}
}

/// The journal. All calls block; callers use `spawn_blocking`.
pub(crate) struct Journal {
	database: Database,
	/// Dropped after the database: see [`Journal::closing`].
	closing: watch::Sender<()>,
}

impl Journal {
	pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
		let database = Database::create(path).map_err(failed)?;
		let write = database.begin_write().map_err(failed)?;
		write.open_table(SEEN).map_err(failed)?;
		write.open_table(VERDICTS).map_err(failed)?;
		write.open_table(REPORTS).map_err(failed)?;
		write.commit().map_err(failed)?;
		Ok(Self { database, closing: watch::Sender::new(()) })
	}

	/// Nothing is ever sent here. It ends, with an error, when the last holder of this journal has
	/// dropped it and its file can be opened again.
	pub(crate) fn closing(&self) -> watch::Receiver<()> {
		self.closing.subscribe()
	}

	/// When each round was first seen: `now` for those that are new.
	pub(crate) fn first_seen(
		&self,
		rounds: &[RoundId],
		now: Moment,
	) -> Result<Vec<Moment>, JournalError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(SEEN).map_err(failed)?;
		let mut seen = Vec::with_capacity(rounds.len());
		for round in rounds {
			seen.push(table.get(round.0).map_err(failed)?.map(|at| at.value()));
		}
		drop(read);
		if seen.contains(&None) {
			let write = self.database.begin_write().map_err(failed)?;
			{
				let mut table = write.open_table(SEEN).map_err(failed)?;
				for (round, at) in rounds.iter().zip(&seen) {
					if at.is_none() {
						table.insert(round.0, now).map_err(failed)?;
					}
				}
			}
			write.commit().map_err(failed)?;
		}
		Ok(seen.into_iter().map(|at| at.unwrap_or(now)).collect())
	}

	/// The verdicts on these rounds, as far as there are any.
	pub(crate) fn verdicts(
		&self,
		rounds: &[RoundId],
	) -> Result<Vec<Option<Decision<Verdict>>>, JournalError> {
		let ids: Vec<_> = rounds.iter().map(|round| round.0).collect();
		self.lookup(VERDICTS, &ids)
	}

	/// The reports on these leases, as far as there are any.
	pub(crate) fn reports(
		&self,
		leases: &[LeaseId],
	) -> Result<Vec<Option<Decision<RunReport>>>, JournalError> {
		let ids: Vec<_> = leases.iter().map(|lease| lease.0).collect();
		self.lookup(REPORTS, &ids)
	}

	/// Records a verdict, unless the round has one: the first stands.
	pub(crate) fn decide_round(
		&self,
		round: RoundId,
		verdict: Verdict,
		now: Moment,
	) -> Result<(), JournalError> {
		self.decide(VERDICTS, round.0, verdict, now)
	}

	/// Records a report, unless the lease has one: the first stands.
	pub(crate) fn decide_dispute(
		&self,
		lease: LeaseId,
		report: RunReport,
		now: Moment,
	) -> Result<(), JournalError> {
		self.decide(REPORTS, lease.0, report, now)
	}

	/// Notes that the chain has answered to these verdicts.
	pub(crate) fn posted_rounds(
		&self,
		rounds: &[RoundId],
		now: Moment,
	) -> Result<(), JournalError> {
		let ids: Vec<_> = rounds.iter().map(|round| round.0).collect();
		self.posted::<Verdict>(VERDICTS, &ids, now)
	}

	/// Notes that the chain has answered to this report.
	pub(crate) fn posted_dispute(&self, lease: LeaseId, now: Moment) -> Result<(), JournalError> {
		self.posted::<RunReport>(REPORTS, &[lease.0], now)
	}

	/// Drops what was last touched before `before` and is not among the open rounds and disputes.
	pub(crate) fn forget(
		&self,
		rounds: &HashSet<RoundId>,
		leases: &HashSet<LeaseId>,
		before: Moment,
	) -> Result<(), JournalError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(SEEN).map_err(failed)?;
			table
				.retain(|round, seen| seen >= before || rounds.contains(&RoundId(round)))
				.map_err(failed)?;
			let mut table = write.open_table(VERDICTS).map_err(failed)?;
			table
				.retain(|round, bytes| {
					rounds.contains(&RoundId(round)) || is_newer::<Verdict>(bytes, before)
				})
				.map_err(failed)?;
			let mut table = write.open_table(REPORTS).map_err(failed)?;
			table
				.retain(|lease, bytes| {
					leases.contains(&LeaseId(lease)) || is_newer::<RunReport>(bytes, before)
				})
				.map_err(failed)?;
		}
		write.commit().map_err(failed)
	}

	fn lookup<T: Decode>(
		&self,
		table: TableDefinition<u64, &'static [u8]>,
		ids: &[u64],
	) -> Result<Vec<Option<Decision<T>>>, JournalError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(table).map_err(failed)?;
		ids.iter()
			.map(|id| {
				let bytes = table.get(id).map_err(failed)?;
				let decision = bytes.map(|bytes| Decision::decode_all(&mut bytes.value()));
				decision.transpose().map_err(failed)
			})
			.collect()
	}

	fn decide<T: Encode>(
		&self,
		table: TableDefinition<u64, &'static [u8]>,
		id: u64,
		finding: T,
		now: Moment,
	) -> Result<(), JournalError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(table).map_err(failed)?;
			if table.get(id).map_err(failed)?.is_none() {
				let decision = Decision { finding, decided_at: now, posted_at: None };
				table.insert(id, decision.encode().as_slice()).map_err(failed)?;
			}
		}
		write.commit().map_err(failed)
	}

	fn posted<T: Encode + Decode>(
		&self,
		table: TableDefinition<u64, &'static [u8]>,
		ids: &[u64],
		now: Moment,
	) -> Result<(), JournalError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(table).map_err(failed)?;
			for id in ids {
				let decision = table
					.get(id)
					.map_err(failed)?
					.map(|bytes| Decision::<T>::decode_all(&mut bytes.value()))
					.transpose()
					.map_err(failed)?;
				if let Some(decision) = decision {
					let posted = Decision { posted_at: Some(now), ..decision };
					table.insert(id, posted.encode().as_slice()).map_err(failed)?;
				}
			}
		}
		write.commit().map_err(failed)
	}
}

fn is_newer<T: Decode>(bytes: &[u8], before: Moment) -> bool {
	let mut input = bytes;
	Decision::<T>::decode_all(&mut input)
		.is_ok_and(|decision| decision.posted_at.unwrap_or(decision.decided_at) >= before)
}
