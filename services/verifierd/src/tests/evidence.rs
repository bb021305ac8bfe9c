//! What is kept can be read.

use super::*;
use crate::{
	evidence::{read_evidence, EvidenceError, KeptRound},
	journal::{Journal, Judged, Sealed},
};
use armature_verifier::challenge::fraud::SignedCommit;
use std::path::PathBuf;

const NO_ANSWER: Verdict = Verdict::Failed { reason: ChallengeFailure::NoAnswer };
const WRONG: Verdict = Verdict::Failed { reason: ChallengeFailure::WrongResult };

fn journal_of(dir: &Path) -> PathBuf {
	dir.join("data/journal.redb")
}

fn decided(round: u64, task: u8, verdict: Verdict) -> Judged {
	let sealed =
		Sealed { round: RoundId(round), task: H256([task; 32]), verdict, salt: H256([9; 32]) };
	Judged { sealed, evidence: None, proof: None }
}

/// What is kept of a device that was judged, with the task.
async fn kept_of(script: Script, opens: impl Fn(&MemoryChain) -> ChallengeTask) -> KeptRound {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	// So that a proof waits, too.
	chain.holds_back.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, script, &verifier).await;
	let task = opens(&chain);
	chain.seal(5).await;
	// Time for the journal to note that it was posted.
	tokio::time::sleep(Duration::from_millis(200)).await;
	verifier.stop().await;
	let mut kept = read_evidence(&journal_of(dir.path())).unwrap();
	assert_eq!(kept.len(), 1, "{kept:?}");
	let kept = kept.remove(0);
	assert_eq!((kept.round, kept.task), (5, task_hash(&task)));
	assert!(kept.decided_at <= unix_millis());
	assert!(kept.seal_posted_at >= Some(kept.decided_at), "{kept:?}");
	assert_eq!(kept.reveal_posted_at, None);
	kept
}

fn lanes(chain: &MemoryChain) -> ChallengeTask {
	chain.open_round(5, 1, 5_000)
}

#[tokio::test]
async fn what_was_signed_and_opened_should_be_listed() {
	let kept = kept_of(Script::Honest, lanes).await;
	let Verdict::Passed { root, signature, .. } = kept.verdict else { panic!("{kept:?}") };
	let SignedCommit { commit, signature: signed } = kept.signed.clone().unwrap();
	assert_eq!((commit.root, commit.power, signed), (root, POWER, signature));
	assert_eq!((kept.segments.len(), kept.proof), (10, None));
	assert!(kept.segments.iter().all(|(lane, segment)| *lane < 2 && *segment < 20), "{kept:?}");
	assert!(kept.openings_len > 10, "{kept:?}");
}

#[tokio::test]
async fn fraud_that_is_not_proved_yet_should_be_named() {
	let kept = kept_of(Script::Skips, lanes).await;
	assert_eq!((kept.verdict, kept.proof), (WRONG, Some("segment")));
	let memory = |chain: &MemoryChain| chain.open_memory_round(5, 1, 60_000);
	let kept = kept_of(Script::Skips, memory).await;
	assert_eq!((kept.verdict, kept.proof), (WRONG, Some("block")));
	assert_eq!((kept.openings_len, kept.segments), (0, vec![]));
	let products = |chain: &MemoryChain| chain.open_gemm_round(5, 1, 60_000);
	let kept = kept_of(Script::Skips, products).await;
	assert_eq!((kept.verdict, kept.proof), (WRONG, Some("entry")));
	assert_eq!((kept.openings_len, kept.segments), (0, vec![]));
	let storage = |chain: &MemoryChain| chain.open_storage_round(5, 1, 60_000);
	let kept = kept_of(Script::Skips, storage).await;
	assert_eq!((kept.verdict, kept.proof), (WRONG, Some("sealed")));
	assert_eq!((kept.openings_len, kept.segments), (0, vec![]));
	let kept = kept_of(Script::FillsOtherwise, memory).await;
	assert_eq!((kept.verdict, kept.proof), (WRONG, Some("equivocation")));
}

#[tokio::test]
async fn what_is_no_opening_should_be_counted_only() {
	let kept = kept_of(Script::OpensGarbage, lanes).await;
	assert_eq!((kept.openings_len, kept.segments.len()), (100, 0));
	assert!(kept.signed.is_some());
	let kept = kept_of(Script::Silent, lanes).await;
	assert_eq!((kept.verdict, kept.signed, kept.openings_len), (NO_ANSWER, None, 0));
}

#[test]
fn rounds_should_be_listed_as_they_were_judged() {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("journal.redb");
	let journal = Journal::open(&path).unwrap();
	let rounds = [(7, 3, 20), (5, 1, 30), (6, 2, 10), (5, 4, 30)];
	for (round, task, at) in rounds {
		journal.decide_round(&decided(round, task, NO_ANSWER), at).unwrap();
	}
	let posted = [H256([3; 32])];
	journal.posted_seals(&posted, 40).unwrap();
	journal.posted_reveals(&posted, 50).unwrap();
	drop(journal);
	let kept = read_evidence(&path).unwrap();
	let order: Vec<_> = kept.iter().map(|kept| (kept.round, kept.decided_at)).collect();
	assert_eq!(order, [(6, 10), (7, 20), (5, 30), (5, 30)]);
	let told: Vec<_> =
		kept.iter().map(|kept| (kept.seal_posted_at, kept.reveal_posted_at)).collect();
	assert_eq!(told, [(None, None), (Some(40), Some(50)), (None, None), (None, None)]);
	// Looking has changed nothing.
	assert_eq!(read_evidence(&path).unwrap(), kept);
	let journal = Journal::open(&path).unwrap();
	assert_eq!(journal.revealed(&posted).unwrap(), [Some(50)]);
}

#[test]
fn journal_without_a_round_should_be_empty() {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("journal.redb");
	drop(Journal::open(&path).unwrap());
	assert_eq!(read_evidence(&path).unwrap(), []);
}

#[tokio::test]
async fn journal_of_a_running_verifier_should_be_in_use() {
	let dir = tempfile::tempdir().unwrap();
	let verifier = start(dir.path(), &Arc::default()).await;
	let error = read_evidence(&journal_of(dir.path())).unwrap_err();
	assert!(matches!(error, EvidenceError::InUse), "{error}");
	assert_eq!(error.to_string(), "the journal is in use: stop the verifier first");
	verifier.stop().await;
	assert_eq!(read_evidence(&journal_of(dir.path())).unwrap(), []);
}

#[test]
fn what_is_no_journal_should_be_told() {
	let dir = tempfile::tempdir().unwrap();
	let missing = dir.path().join("journal.redb");
	let error = read_evidence(&missing).unwrap_err();
	assert!(matches!(&error, EvidenceError::Missing(path) if *path == missing), "{error}");
	assert!(error.to_string().contains("data_dir"), "{error}");
	assert!(!missing.exists());
	let other = dir.path().join("other");
	std::fs::write(&other, [7; 5_000]).unwrap();
	let error = read_evidence(&other).unwrap_err();
	assert!(matches!(error, EvidenceError::Unreadable(_)), "{error}");
}
