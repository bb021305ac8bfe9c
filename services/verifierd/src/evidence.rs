//! What a verifier keeps of the rounds that it judged, for people to read.
//!
//! Nothing is changed, so that it is safe to look. A verifier that runs has its journal for itself: stop it
//! first.

use crate::{
	journal::{
		failed, record, Decision, Evidence, JournalError, Sealed, EVIDENCE, PROOFS, REVEALED,
		VERDICTS,
	},
	rounds::decoded,
};
use armature_primitives::{challenge::Verdict, Moment, RoundId, H256};
use armature_verifier::challenge::{
	fraud::{FraudProof, SignedCommit},
	SegmentOpening,
};
use codec::DecodeAll;
use redb::{DatabaseError, ReadOnlyDatabase, ReadableDatabase, ReadableTable, StorageError};
use std::{
	io,
	path::{Path, PathBuf},
};

/// The name of the journal in the folder of a verifier.
pub const JOURNAL_FILE: &str = "journal.redb";

/// A round that this verifier judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptRound {
	/// Its number. Rounds whose block was replaced have been judged once for each task.
	pub round: u64,
	/// Hash of the task that was judged.
	pub task: H256,
	/// When the verdict was reached.
	pub decided_at: Moment,
	/// The verifier's own verdict.
	pub verdict: Verdict,
	/// When the chain last answered to its seal.
	pub seal_posted_at: Option<Moment>,
	/// When the chain last answered to its reveal.
	pub reveal_posted_at: Option<Moment>,
	/// What the device signed first, if it signed anything and that was not forgotten.
	pub signed: Option<SignedCommit>,
	/// Bytes of what it opened, whatever they are; none of memory, connections, products and
	/// storage.
	pub openings_len: usize,
	/// Lane and segment of each opening; empty where they are none of segments.
	pub segments: Vec<(u16, u32)>,
	/// The kind of a fraud that is still to be proved: `segment`, `block`, `entry`, `sealed` or
	/// `equivocation`.
	pub proof: Option<&'static str>,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
	/// There is none.
	#[error("there is no journal at {}: name the data_dir of a verifier that has run", .0.display())]
	Missing(PathBuf),
	/// The verifier runs.
	#[error("the journal is in use: stop the verifier first")]
	InUse,
	/// The verifier was killed.
	#[error("the journal was not closed: start the verifier and stop it, then look again")]
	NotClosed,
	/// It cannot be read, or holds something else.
	#[error("the journal cannot be read: {0}; was it written by another version of this program?")]
	Unreadable(JournalError),
}

/// The rounds that the journal in this file keeps, those judged first first. A verdict is forgotten a day
/// after the chain last answered to it, and its round is no longer listed.
///
/// # Errors
///
/// [`EvidenceError`].
pub fn read_evidence(journal: &Path) -> Result<Vec<KeptRound>, EvidenceError> {
	let database = ReadOnlyDatabase::open(journal).map_err(|error| match error {
		DatabaseError::DatabaseAlreadyOpen => EvidenceError::InUse,
		DatabaseError::RepairAborted => EvidenceError::NotClosed,
		DatabaseError::Storage(StorageError::Io(error))
			if error.kind() == io::ErrorKind::NotFound =>
		{
			EvidenceError::Missing(journal.to_path_buf())
		},
		other => EvidenceError::Unreadable(failed(other)),
	})?;
	kept_rounds(&database).map_err(EvidenceError::Unreadable)
}

fn kept_rounds(database: &ReadOnlyDatabase) -> Result<Vec<KeptRound>, JournalError> {
	let read = database.begin_read().map_err(failed)?;
	let verdicts = read.open_table(VERDICTS).map_err(failed)?;
	let revealed = read.open_table(REVEALED).map_err(failed)?;
	let evidence = read.open_table(EVIDENCE).map_err(failed)?;
	let proofs = read.open_table(PROOFS).map_err(failed)?;
	let mut rounds = Vec::new();
	for entry in verdicts.iter().map_err(failed)? {
		let (task, bytes) = entry.map_err(failed)?;
		let decision = Decision::<Sealed>::decode_all(&mut bytes.value()).map_err(failed)?;
		let Decision { finding, decided_at, posted_at } = decision;
		let task = task.value();
		let kept = record::<(Moment, RoundId, Evidence)>(evidence.get(task).map_err(failed)?)?;
		let (signed, openings) = match kept {
			Some((.., Evidence { signed, openings })) => (Some(signed), openings),
			None => (None, Vec::new()),
		};
		let proof = record::<(RoundId, FraudProof)>(proofs.get(task).map_err(failed)?)?;
		rounds.push(KeptRound {
			round: finding.round.0,
			task: H256(*task),
			decided_at,
			verdict: finding.verdict,
			seal_posted_at: posted_at,
			reveal_posted_at: revealed.get(task).map_err(failed)?.map(|at| at.value()),
			signed,
			openings_len: openings.len(),
			segments: segments_of(&openings),
			proof: proof.map(|(_, proof)| name_of(&proof)),
		});
	}
	rounds.sort_by_key(|kept| (kept.decided_at, kept.round));
	Ok(rounds)
}

/// What a device sent may be anything.
fn segments_of(openings: &[u8]) -> Vec<(u16, u32)> {
	let openings = decoded::<SegmentOpening>(openings).unwrap_or_default();
	openings.iter().map(|opening| (opening.lane, opening.segment)).collect()
}

fn name_of(proof: &FraudProof) -> &'static str {
	match proof {
		FraudProof::Segment { .. } => "segment",
		FraudProof::Block { .. } => "block",
		FraudProof::Entry { .. } => "entry",
		FraudProof::Sealed { .. } => "sealed",
		FraudProof::Equivocation { .. } => "equivocation",
	}
}
