//! The journal alone.

use crate::journal::{Decision, Evidence, Horizon, Journal, Judged, OpenProof, Sealed};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeFailure, ChallengeTask, CpuChallenge, Verdict, Work},
	ed25519::Signature,
	lease::{RunReport, RunStatus},
	DeviceId, LeaseId, RoundId, H256,
};
use armature_verifier::challenge::{
	fraud::{FraudProof, SignedCommit},
	task_hash,
};
use redb::{Database, TableDefinition};
use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

const NO_ANSWER: Verdict = Verdict::Failed { reason: ChallengeFailure::NoAnswer };
const MALFORMED: Verdict = Verdict::Failed { reason: ChallengeFailure::Malformed };
const REPORT: RunReport =
	RunReport { status: RunStatus::Trapped, output: H256([1; 32]), output_len: 2, fuel: 3 };

fn open(dir: &Path) -> Journal {
	Journal::open(&dir.join("journal.redb")).unwrap()
}

fn task(round: u64) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(round),
		device: DeviceId(1),
		seed: H256([2; 32]),
		work: Work::Cpu(CpuChallenge { lanes: 1, segments: 1, steps_per_segment: 1 }),
		deadline: 0,
	}
}

fn sealed(task: &ChallengeTask, verdict: Verdict, salt: u8) -> Sealed {
	Sealed { round: task.round, task: task_hash(task), verdict, salt: H256([salt; 32]) }
}

fn plain(sealed: Sealed) -> Judged {
	Judged { sealed, evidence: None, proof: None }
}

fn signed(task: &ChallengeTask, root: u8) -> SignedCommit {
	let commit =
		ChallengeCommit { task: task_hash(task), root: H256([root; 32]), power: super::POWER };
	SignedCommit { commit, signature: Signature::from_raw([root; 64]) }
}

/// With evidence and something to post.
fn fraud(task: &ChallengeTask) -> Judged {
	let (first, second) = (signed(task, 1), signed(task, 2));
	let evidence = Evidence { signed: first.clone(), openings: vec![7; 100] };
	Judged {
		sealed: sealed(task, MALFORMED, 3),
		evidence: Some(evidence),
		proof: Some(FraudProof::Equivocation { first, second }),
	}
}

#[test]
fn first_sight_and_first_decision_should_stand_over_reopening() {
	let dir = tempfile::tempdir().unwrap();
	let journal = open(dir.path());
	let tasks = [task(1), task(2)];
	let hashes = tasks.map(|task| task_hash(&task));
	assert_eq!(journal.first_seen(&hashes[..1], 10).unwrap(), [10]);
	assert_eq!(journal.first_seen(&hashes, 20).unwrap(), [10, 20]);
	assert_eq!(journal.verdicts(&hashes).unwrap(), [None, None]);
	let first = sealed(&tasks[0], NO_ANSWER, 1);
	journal.decide_round(&plain(first), 30).unwrap();
	// Neither another verdict nor another salt.
	for other in [sealed(&tasks[0], MALFORMED, 1), sealed(&tasks[0], NO_ANSWER, 2)] {
		journal.decide_round(&plain(other), 31).unwrap();
	}
	journal.decide_dispute(LeaseId(1), REPORT, 32).unwrap();
	drop(journal);

	let journal = open(dir.path());
	assert_eq!(journal.first_seen(&hashes, 99).unwrap(), [10, 20]);
	let decided = Decision { finding: first, decided_at: 30, posted_at: None };
	assert_eq!(journal.verdicts(&hashes).unwrap(), [Some(decided), None]);
	journal.posted_seals(&hashes, 40).unwrap();
	let posted = Decision { posted_at: Some(40), ..decided };
	assert_eq!(journal.verdicts(&hashes).unwrap(), [Some(posted), None]);
	assert_eq!(journal.revealed(&hashes).unwrap(), [None, None]);
	journal.posted_reveals(&hashes[..1], 50).unwrap();
	assert_eq!(journal.revealed(&hashes).unwrap(), [Some(50), None]);
	assert_eq!(journal.verdicts(&hashes).unwrap(), [Some(posted), None]);
	journal.posted_dispute(LeaseId(1), 41).unwrap();
	let reported = Decision { finding: REPORT, decided_at: 32, posted_at: Some(41) };
	assert_eq!(journal.reports(&[LeaseId(1), LeaseId(2)]).unwrap(), [Some(reported), None]);
}

#[test]
fn each_task_of_a_round_should_keep_its_first_verdict_and_salt() {
	let dir = tempfile::tempdir().unwrap();
	let journal = open(dir.path());
	let (a, mut b) = (task(1), task(1));
	b.seed = H256([9; 32]);
	let hashes = [a, b].map(|task| task_hash(&task));
	assert_eq!(journal.first_seen(&hashes[..1], 10).unwrap(), [10]);
	assert_eq!(journal.first_seen(&hashes[1..], 20).unwrap(), [20]);
	// The replaced task is judged last, and once more when it comes back.
	let (on_a, on_b) = (sealed(&a, NO_ANSWER, 1), sealed(&b, MALFORMED, 2));
	journal.decide_round(&plain(on_b), 30).unwrap();
	journal.posted_reveals(&hashes[1..], 31).unwrap();
	journal.decide_round(&plain(on_a), 40).unwrap();
	journal.decide_round(&plain(sealed(&a, MALFORMED, 3)), 50).unwrap();
	let decided = |finding, decided_at| Some(Decision { finding, decided_at, posted_at: None });
	assert_eq!(journal.verdicts(&hashes).unwrap(), [decided(on_a, 40), decided(on_b, 30)]);
	assert_eq!(journal.revealed(&hashes).unwrap(), [None, Some(31)]);
	assert_eq!(journal.first_seen(&hashes, 99).unwrap(), [10, 20]);
}

#[test]
fn decision_should_be_due_until_posted_and_again_later() {
	let decision = Decision { finding: (), decided_at: 5, posted_at: None };
	assert!(decision.is_due(0, 10));
	let posted = Decision { posted_at: Some(20), ..decision };
	assert!(!posted.is_due(29, 10));
	assert!(posted.is_due(30, 10));
}

#[test]
fn evidence_and_proof_should_outlive_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let journal = open(dir.path());
	let judged = fraud(&task(1));
	journal.decide_round(&judged, 10).unwrap();
	drop(journal);
	let journal = open(dir.path());
	let hash = task_hash(&task(1));
	assert_eq!(journal.evidence(hash).unwrap(), judged.evidence);
	assert_eq!(journal.evidence(task_hash(&task(2))).unwrap(), None);
	let proof = judged.proof.clone().unwrap();
	let kept = OpenProof { task: hash, round: RoundId(1), proof };
	assert_eq!(journal.proofs().unwrap(), std::slice::from_ref(&kept));
	// Another proof of the same task is none of this one's business.
	let (first, second) = (signed(&task(1), 1), signed(&task(1), 3));
	let proof = FraudProof::Equivocation { first, second };
	journal.closed_proof(&OpenProof { proof, ..kept.clone() }).unwrap();
	assert_eq!(journal.proofs().unwrap(), std::slice::from_ref(&kept));
	journal.closed_proof(&kept).unwrap();
	assert!(journal.proofs().unwrap().is_empty());
	// What was decided once brings nothing to be posted a second time.
	journal.decide_round(&judged, 20).unwrap();
	assert!(journal.proofs().unwrap().is_empty());
}

#[tokio::test]
async fn closing_should_end_with_the_last_holder() {
	let dir = tempfile::tempdir().unwrap();
	let journal = Arc::new(open(dir.path()));
	let (mut closing, held) = (journal.closing(), journal.clone());
	let work = tokio::task::spawn_blocking(move || {
		std::thread::sleep(Duration::from_millis(200));
		held.decide_round(&plain(sealed(&task(1), NO_ANSWER, 1)), 30)
	});
	drop(journal);
	assert!(closing.changed().await.is_err());
	let journal = open(dir.path());
	work.await.unwrap().unwrap();
	assert!(journal.verdicts(&[task_hash(&task(1))]).unwrap()[0].is_some());
}

#[test]
fn old_and_closed_should_be_forgotten_only() {
	let dir = tempfile::tempdir().unwrap();
	let journal = open(dir.path());
	let tasks = [task(1), task(2), task(3)];
	let hashes = tasks.map(|task| task_hash(&task));
	for (task, at) in tasks.iter().zip([10, 20, 10]) {
		let hash = task_hash(task);
		journal.first_seen(&[hash], at).unwrap();
		journal.decide_round(&fraud(task), at).unwrap();
		journal.posted_reveals(&[hash], at).unwrap();
	}
	journal.decide_dispute(LeaseId(1), REPORT, 10).unwrap();
	journal.decide_dispute(LeaseId(2), REPORT, 20).unwrap();
	// Round 3 is old and still open. Evidence is kept for longer.
	let open = HashSet::from([hashes[2]]);
	let forget = |evidence| {
		journal.forget(&open, &HashSet::new(), Horizon { evidence, rest: 20 }).unwrap();
	};
	let evidence = || hashes.map(|task| journal.evidence(task).unwrap().is_some());
	forget(10);
	let kept: Vec<_> = journal.verdicts(&hashes).unwrap().iter().map(Option::is_some).collect();
	assert_eq!(kept, [false, true, true]);
	assert_eq!(journal.revealed(&hashes).unwrap(), [None, Some(20), Some(10)]);
	assert_eq!(evidence(), [true; 3]);
	forget(11);
	assert_eq!(evidence(), [false, true, true]);
	assert_eq!(journal.first_seen(&hashes, 99).unwrap(), [99, 20, 10]);
	// The chain has not answered to these.
	assert_eq!(journal.proofs().unwrap().len(), 3);
	let kept: Vec<_> = journal
		.reports(&[LeaseId(1), LeaseId(2)])
		.unwrap()
		.iter()
		.map(Option::is_some)
		.collect();
	assert_eq!(kept, [false, true]);
}

#[test]
fn file_of_an_older_version_should_open() {
	const SEEN: TableDefinition<u64, u64> = TableDefinition::new("seen");
	const VERDICTS: TableDefinition<u64, &[u8]> = TableDefinition::new("verdicts");
	const SEALED: TableDefinition<u64, &[u8]> = TableDefinition::new("sealed_verdicts");
	const PROOFS: TableDefinition<u64, &[u8]> = TableDefinition::new("proofs");
	let dir = tempfile::tempdir().unwrap();
	let database = Database::create(dir.path().join("journal.redb")).unwrap();
	let write = database.begin_write().unwrap();
	{
		let mut seen = write.open_table(SEEN).unwrap();
		seen.insert(1u64, 10u64).unwrap();
		for table in [VERDICTS, SEALED, PROOFS] {
			let mut table = write.open_table(table).unwrap();
			table.insert(1u64, [1u8, 0].as_slice()).unwrap();
		}
	}
	write.commit().unwrap();
	drop(database);
	let journal = open(dir.path());
	let hash = task_hash(&task(1));
	assert_eq!(journal.verdicts(&[hash]).unwrap(), [None]);
	assert_eq!(journal.first_seen(&[hash], 20).unwrap(), [20]);
	assert!(journal.proofs().unwrap().is_empty());
}

#[test]
fn evidence_should_be_kept_while_a_fraud_can_be_proved() {
	const DAY: u64 = 86_400_000;
	let horizon = |settings, frauds| Horizon::at(40 * DAY, settings, frauds).evidence / DAY;
	assert_eq!(horizon(2 * DAY, DAY), 38);
	// The chain takes proofs for longer.
	assert_eq!(horizon(2 * DAY, 30 * DAY), 10);
	assert_eq!(Horizon::at(40 * DAY, DAY, 30 * DAY).rest, 39 * DAY);
	// Before there was time.
	assert_eq!(Horizon::at(1, DAY, DAY).evidence, 0);
}
