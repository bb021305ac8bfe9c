//! What must outlive a crash: when a task was first seen, what was decided and how it is sealed, what
//! was posted, what a device signed.
//!
//! A decision is in the journal before anything of it is posted. After a restart the same seal and the
//! same verdict are posted again if the chain still waits for them, and nothing is decided twice.
//!
//! A round comes back with another task when its block was replaced, and with the old one when that
//! block returns. Everything is kept by the hash of the task: each has its one first verdict and salt
//! for good, whichever the chain lists.

use armature_primitives::{challenge::Verdict, lease::RunReport, LeaseId, Moment, RoundId, H256};
use armature_verifier::challenge::{
	fraud::{FraudProof, SignedCommit},
	verdict::seal,
};
use codec::{Decode, DecodeAll, Encode};
use redb::{AccessGuard, Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{collections::HashSet, path::Path};
use tokio::sync::watch;

/// Hash of a task to the moment when it was first seen. (Tables of older files go by rounds, and have
/// other names.)
const SEEN: TableDefinition<&[u8; 32], u64> = TableDefinition::new("task_first_sights");

/// Hash of a task to SCALE of `Decision<Sealed>`.
pub(crate) const VERDICTS: TableDefinition<&[u8; 32], &[u8]> =
	TableDefinition::new("task_verdicts");

/// Hash of a task to the moment when the chain last answered to the reveal of its verdict.
pub(crate) const REVEALED: TableDefinition<&[u8; 32], u64> = TableDefinition::new("task_reveals");

/// Hash of a task to the moment of its decision, its round and SCALE of [`Evidence`].
pub(crate) const EVIDENCE: TableDefinition<&[u8; 32], &[u8]> =
	TableDefinition::new("task_evidence");

/// Hash of a task to its round and SCALE of a `FraudProof` that is still to be proved.
pub(crate) const PROOFS: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("task_proofs");

/// Lease to SCALE of `Decision<RunReport>`.
const REPORTS: TableDefinition<u64, &[u8]> = TableDefinition::new("reports");

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("journal: {0}")]
pub struct JournalError(String);

pub(crate) fn failed(error: impl std::fmt::Display) -> JournalError {
	JournalError(error.to_string())
}

/// A verdict and what it is sealed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Sealed {
	pub(crate) round: RoundId,
	/// Hash of the task that was judged.
	pub(crate) task: H256,
	pub(crate) verdict: Verdict,
	/// Random, and secret until the reveal.
	pub(crate) salt: H256,
}

impl Sealed {
	/// What is posted of it before its reveal.
	pub(crate) fn hash<AccountId: Encode>(&self, verifier: &AccountId) -> H256 {
		seal(self.round, verifier, &self.verdict, &self.salt)
	}
}

/// A fraud that is still to be proved to the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OpenProof {
	/// Hash of the task that was judged.
	pub(crate) task: H256,
	pub(crate) round: RoundId,
	pub(crate) proof: FraudProof,
}

/// What a device signed and opened in a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Evidence {
	/// Its first commitment.
	pub(crate) signed: SignedCommit,
	/// As they came, whatever they are; empty if none came. Of memory, products and storage always empty:
	/// 270 kB and more each would fill the disk, and what is wrong is in its proof. Of a network round
	/// nothing is opened.
	pub(crate) openings: Vec<u8>,
}

/// What judging a round came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Judged {
	pub(crate) sealed: Sealed,
	/// `None` without a commitment that the device signed.
	pub(crate) evidence: Option<Evidence>,
	/// To be posted: a segment, a block or an entry is wrong, or two roots were signed.
	pub(crate) proof: Option<FraudProof>,
}

/// A finding and how far it got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Decision<T> {
	pub(crate) finding: T,
	pub(crate) decided_at: Moment,
	/// When the chain last answered to it; of a verdict, to its seal.
	pub(crate) posted_at: Option<Moment>,
}

impl<T> Decision<T> {
	/// Whether it has to be posted (again).
	pub(crate) fn is_due(&self, now: Moment, repost_millis: u64) -> bool {
		is_due(self.posted_at, now, repost_millis)
	}
}

/// Whether what the chain last answered to at `posted_at` has to be posted (again).
pub(crate) fn is_due(posted_at: Option<Moment>, now: Moment, repost_millis: u64) -> bool {
	posted_at.is_none_or(|posted| posted.saturating_add(repost_millis) <= now)
}

/// From when on things are kept that are over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
	/// Evidence.
	pub(crate) evidence: Moment,
	/// Everything else.
	pub(crate) rest: Moment,
}

/// The journal keeps what is closed for a day, and evidence for longer.
pub(crate) const KEEP_MILLIS: u64 = 24 * 3_600_000;

impl Horizon {
	/// At this moment: evidence is kept for as long as the settings say, and as frauds can be proved.
	pub(crate) fn at(now: Moment, evidence_millis: u64, fraud_millis: u64) -> Self {
		Self {
			evidence: now.saturating_sub(evidence_millis.max(fraud_millis)),
			rest: now.saturating_sub(KEEP_MILLIS),
		}
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
		for table in [SEEN, REVEALED] {
			write.open_table(table).map_err(failed)?;
		}
		for table in [VERDICTS, EVIDENCE, PROOFS] {
			write.open_table(table).map_err(failed)?;
		}
		write.open_table(REPORTS).map_err(failed)?;
		write.commit().map_err(failed)?;
		Ok(Self { database, closing: watch::Sender::new(()) })
	}

	/// Nothing is ever sent here. It ends, with an error, when the last holder of this journal has
	/// dropped it and its file can be opened again.
	pub(crate) fn closing(&self) -> watch::Receiver<()> {
		self.closing.subscribe()
	}

	/// When each task, given by its hash, was first seen: `now` for those that are new.
	pub(crate) fn first_seen(
		&self,
		tasks: &[H256],
		now: Moment,
	) -> Result<Vec<Moment>, JournalError> {
		let known = self.moments(SEEN, tasks)?;
		if known.contains(&None) {
			let write = self.database.begin_write().map_err(failed)?;
			{
				let mut table = write.open_table(SEEN).map_err(failed)?;
				for (task, _) in tasks.iter().zip(&known).filter(|(_, known)| known.is_none()) {
					table.insert(&task.0, now).map_err(failed)?;
				}
			}
			write.commit().map_err(failed)?;
		}
		Ok(known.into_iter().map(|known| known.unwrap_or(now)).collect())
	}

	/// The verdicts on tasks, given by their hashes, as far as there are any.
	pub(crate) fn verdicts(
		&self,
		tasks: &[H256],
	) -> Result<Vec<Option<Decision<Sealed>>>, JournalError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(VERDICTS).map_err(failed)?;
		tasks.iter().map(|task| record(table.get(&task.0).map_err(failed)?)).collect()
	}

	/// When the chain last answered to the reveals of the verdicts on these tasks.
	pub(crate) fn revealed(&self, tasks: &[H256]) -> Result<Vec<Option<Moment>>, JournalError> {
		self.moments(REVEALED, tasks)
	}

	/// The frauds that are still to be proved.
	pub(crate) fn proofs(&self) -> Result<Vec<OpenProof>, JournalError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(PROOFS).map_err(failed)?;
		let mut proofs = Vec::new();
		for entry in table.iter().map_err(failed)? {
			let (task, bytes) = entry.map_err(failed)?;
			let (round, proof) =
				<(RoundId, FraudProof)>::decode_all(&mut bytes.value()).map_err(failed)?;
			proofs.push(OpenProof { task: H256(*task.value()), round, proof });
		}
		Ok(proofs)
	}

	/// The reports on these leases, as far as there are any.
	pub(crate) fn reports(
		&self,
		leases: &[LeaseId],
	) -> Result<Vec<Option<Decision<RunReport>>>, JournalError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(REPORTS).map_err(failed)?;
		leases.iter().map(|lease| record(table.get(lease.0).map_err(failed)?)).collect()
	}

	/// Records what judging a task came to, all of it or nothing, unless there is a verdict on it: the
	/// first stands, for it may be sealed.
	pub(crate) fn decide_round(&self, judged: &Judged, now: Moment) -> Result<(), JournalError> {
		let Judged { sealed, evidence, proof } = judged;
		let (round, task) = (sealed.round, &sealed.task.0);
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut verdicts = write.open_table(VERDICTS).map_err(failed)?;
			let is_known = verdicts.get(task).map_err(failed)?.is_some();
			if !is_known {
				let decision = Decision { finding: *sealed, decided_at: now, posted_at: None };
				verdicts.insert(task, decision.encode().as_slice()).map_err(failed)?;
				if let Some(evidence) = evidence {
					let mut table = write.open_table(EVIDENCE).map_err(failed)?;
					let kept = (now, round, evidence).encode();
					table.insert(task, kept.as_slice()).map_err(failed)?;
				}
				if let Some(proof) = proof {
					let mut table = write.open_table(PROOFS).map_err(failed)?;
					table.insert(task, (round, proof).encode().as_slice()).map_err(failed)?;
				}
			}
		}
		write.commit().map_err(failed)
	}

	/// Records a report, unless the lease has one: the first stands.
	pub(crate) fn decide_dispute(
		&self,
		lease: LeaseId,
		report: RunReport,
		now: Moment,
	) -> Result<(), JournalError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(REPORTS).map_err(failed)?;
			let is_known = table.get(lease.0).map_err(failed)?.is_some();
			if !is_known {
				let decision = Decision { finding: report, decided_at: now, posted_at: None };
				table.insert(lease.0, decision.encode().as_slice()).map_err(failed)?;
			}
		}
		write.commit().map_err(failed)
	}

	/// Notes that the chain has taken the seals of the verdicts on these tasks.
	pub(crate) fn posted_seals(&self, tasks: &[H256], now: Moment) -> Result<(), JournalError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(VERDICTS).map_err(failed)?;
			for task in tasks {
				let known = record::<Decision<Sealed>>(table.get(&task.0).map_err(failed)?)?;
				if let Some(decision) = known {
					let posted = Decision { posted_at: Some(now), ..decision };
					table.insert(&task.0, posted.encode().as_slice()).map_err(failed)?;
				}
			}
		}
		write.commit().map_err(failed)
	}

	/// Notes that the chain has answered to the reveals of the verdicts on these tasks.
	pub(crate) fn posted_reveals(&self, tasks: &[H256], now: Moment) -> Result<(), JournalError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(REVEALED).map_err(failed)?;
			for task in tasks {
				table.insert(&task.0, now).map_err(failed)?;
			}
		}
		write.commit().map_err(failed)
	}

	/// Notes that nothing is left to do for this proof. Another one of the same task stays.
	pub(crate) fn closed_proof(&self, closed: &OpenProof) -> Result<(), JournalError> {
		let OpenProof { task, round, proof } = closed;
		let bytes = (round, proof).encode();
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(PROOFS).map_err(failed)?;
			let known = table.get(&task.0).map_err(failed)?;
			let is_it = known.is_some_and(|known| known.value() == bytes.as_slice());
			if is_it {
				table.remove(&task.0).map_err(failed)?;
			}
		}
		write.commit().map_err(failed)
	}

	/// Notes that the chain has answered to this report.
	pub(crate) fn posted_dispute(&self, lease: LeaseId, now: Moment) -> Result<(), JournalError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(REPORTS).map_err(failed)?;
			let known = record::<Decision<RunReport>>(table.get(lease.0).map_err(failed)?)?;
			if let Some(decision) = known {
				let posted = Decision { posted_at: Some(now), ..decision };
				table.insert(lease.0, posted.encode().as_slice()).map_err(failed)?;
			}
		}
		write.commit().map_err(failed)
	}

	/// Drops what was last touched before the horizon and is not among the open tasks, given by their
	/// hashes, and disputes. Proofs are kept until they are closed.
	pub(crate) fn forget(
		&self,
		tasks: &HashSet<H256>,
		leases: &HashSet<LeaseId>,
		horizon: Horizon,
	) -> Result<(), JournalError> {
		let Horizon { evidence, rest } = horizon;
		let is_open = |task: &[u8; 32]| tasks.contains(&H256(*task));
		let write = self.database.begin_write().map_err(failed)?;
		{
			for table in [SEEN, REVEALED] {
				let mut table = write.open_table(table).map_err(failed)?;
				table.retain(|task, at| is_open(task) || at >= rest).map_err(failed)?;
			}
			let mut table = write.open_table(VERDICTS).map_err(failed)?;
			table
				.retain(|task, bytes| is_open(task) || is_newer::<Sealed>(bytes, rest))
				.map_err(failed)?;
			let mut table = write.open_table(EVIDENCE).map_err(failed)?;
			table
				.retain(|task, bytes| is_open(task) || was_kept_since(bytes, evidence))
				.map_err(failed)?;
			let mut table = write.open_table(REPORTS).map_err(failed)?;
			table
				.retain(|lease, bytes| {
					leases.contains(&LeaseId(lease)) || is_newer::<RunReport>(bytes, rest)
				})
				.map_err(failed)?;
		}
		write.commit().map_err(failed)
	}

	fn moments(
		&self,
		table: TableDefinition<&'static [u8; 32], u64>,
		tasks: &[H256],
	) -> Result<Vec<Option<Moment>>, JournalError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(table).map_err(failed)?;
		tasks
			.iter()
			.map(|task| Ok(table.get(&task.0).map_err(failed)?.map(|at| at.value())))
			.collect()
	}
}

/// A record of a table.
pub(crate) fn record<T: Decode>(
	bytes: Option<AccessGuard<'_, &'static [u8]>>,
) -> Result<Option<T>, JournalError> {
	let record = bytes.map(|bytes| T::decode_all(&mut bytes.value()));
	record.transpose().map_err(failed)
}

fn is_newer<T: Decode>(bytes: &[u8], before: Moment) -> bool {
	let mut input = bytes;
	Decision::<T>::decode_all(&mut input)
		.is_ok_and(|decision| decision.posted_at.unwrap_or(decision.decided_at) >= before)
}

/// Reads the moment alone: openings are long.
fn was_kept_since(bytes: &[u8], since: Moment) -> bool {
	let mut input = bytes;
	Moment::decode(&mut input).is_ok_and(|at| at >= since)
}

#[cfg(test)]
impl Journal {
	/// The evidence of a task, given by its hash. People read it ([`crate::evidence`]), the service does not.
	pub(crate) fn evidence(&self, task: H256) -> Result<Option<Evidence>, JournalError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(EVIDENCE).map_err(failed)?;
		let kept = record::<(Moment, RoundId, Evidence)>(table.get(&task.0).map_err(failed)?)?;
		Ok(kept.map(|(.., evidence)| evidence))
	}
}
