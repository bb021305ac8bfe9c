//! The journal alone.

use crate::journal::{Decision, Journal};
use armature_primitives::{
	challenge::{ChallengeFailure, Verdict},
	lease::{RunReport, RunStatus},
	LeaseId, RoundId, H256,
};
use std::{collections::HashSet, sync::Arc, time::Duration};

const NO_ANSWER: Verdict = Verdict::Failed { reason: ChallengeFailure::NoAnswer };
const MALFORMED: Verdict = Verdict::Failed { reason: ChallengeFailure::Malformed };
const REPORT: RunReport =
	RunReport { status: RunStatus::Trapped, output: H256([1; 32]), output_len: 2, fuel: 3 };

#[test]
fn first_sight_and_first_decision_should_stand_over_reopening() {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("journal.redb");
	let journal = Journal::open(&path).unwrap();
	let rounds = [RoundId(1), RoundId(2)];
	assert_eq!(journal.first_seen(&rounds[..1], 10).unwrap(), [10]);
	assert_eq!(journal.first_seen(&rounds, 20).unwrap(), [10, 20]);
	assert_eq!(journal.verdicts(&rounds).unwrap(), [None, None]);
	journal.decide_round(RoundId(1), NO_ANSWER, 30).unwrap();
	journal.decide_round(RoundId(1), MALFORMED, 31).unwrap();
	journal.decide_dispute(LeaseId(1), REPORT, 32).unwrap();
	drop(journal);

	let journal = Journal::open(&path).unwrap();
	assert_eq!(journal.first_seen(&rounds, 99).unwrap(), [10, 20]);
	let decided = Decision { finding: NO_ANSWER, decided_at: 30, posted_at: None };
	assert_eq!(journal.verdicts(&rounds).unwrap(), [Some(decided), None]);
	journal.posted_rounds(&rounds, 40).unwrap();
	let posted = Decision { posted_at: Some(40), ..decided };
	assert_eq!(journal.verdicts(&rounds).unwrap(), [Some(posted), None]);
	journal.posted_dispute(LeaseId(1), 41).unwrap();
	let reported = Decision { finding: REPORT, decided_at: 32, posted_at: Some(41) };
	assert_eq!(journal.reports(&[LeaseId(1), LeaseId(2)]).unwrap(), [Some(reported), None]);
}

#[test]
fn decision_should_be_due_until_posted_and_again_later() {
	let decision = Decision { finding: (), decided_at: 5, posted_at: None };
	assert!(decision.is_due(0, 10));
	let posted = Decision { posted_at: Some(20), ..decision };
	assert!(!posted.is_due(29, 10));
	assert!(posted.is_due(30, 10));
}

#[tokio::test]
async fn closing_should_end_with_the_last_holder() {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("journal.redb");
	let journal = Arc::new(Journal::open(&path).unwrap());
	let (mut closing, held) = (journal.closing(), journal.clone());
	let work = tokio::task::spawn_blocking(move || {
		std::thread::sleep(Duration::from_millis(200));
		held.decide_round(RoundId(1), NO_ANSWER, 30)
	});
	drop(journal);
	assert!(closing.changed().await.is_err());
	let journal = Journal::open(&path).unwrap();
	work.await.unwrap().unwrap();
	assert!(journal.verdicts(&[RoundId(1)]).unwrap()[0].is_some());
}

#[test]
fn old_and_closed_should_be_forgotten_only() {
	let dir = tempfile::tempdir().unwrap();
	let journal = Journal::open(&dir.path().join("journal.redb")).unwrap();
	let rounds = [RoundId(1), RoundId(2), RoundId(3)];
	for (round, at) in rounds.into_iter().zip([10, 20, 10]) {
		journal.first_seen(&[round], at).unwrap();
		journal.decide_round(round, NO_ANSWER, at).unwrap();
	}
	journal.decide_dispute(LeaseId(1), REPORT, 10).unwrap();
	journal.decide_dispute(LeaseId(2), REPORT, 20).unwrap();
	// Round 3 is old and still open.
	let open = HashSet::from([RoundId(3)]);
	journal.forget(&open, &HashSet::new(), 20).unwrap();
	let kept: Vec<_> = journal.verdicts(&rounds).unwrap().iter().map(Option::is_some).collect();
	assert_eq!(kept, [false, true, true]);
	assert_eq!(journal.first_seen(&rounds, 99).unwrap(), [99, 20, 10]);
	let kept: Vec<_> = journal
		.reports(&[LeaseId(1), LeaseId(2)])
		.unwrap()
		.iter()
		.map(Option::is_some)
		.collect();
	assert_eq!(kept, [false, true]);
}
