//! Rounds of memory: a walk is timed in a turn of its own, blocks and segments of it are looked at.

use super::{restart::wait_for, *};
use crate::journal::Journal;
use armature_verifier::challenge::fraud::check_fraud;

/// The verdict on a device whose memory is measured, and how often it was asked for a turn.
async fn verdict_within(millis: u64, script: Script) -> (Verdict, u32) {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, script, &verifier).await;
	chain.open_memory_round(5, 1, millis);
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	(verdict, device.turns())
}

/// With ample time.
async fn verdict_on(script: Script) -> (Verdict, u32) {
	verdict_within(10_000, script).await
}

/// More than a busy machine takes for what is small, and less than a test waits.
const DELAY: Duration = Duration::from_secs(4);
const DELAY_MILLIS: u32 = 4_000;

/// The figures of a device that passed, with the nanoseconds of all reads of a lane together in
/// milliseconds.
pub(super) fn figures(verdict: &Verdict) -> (u32, u32) {
	let Verdict::Passed { measured, power, .. } = verdict else { panic!("{verdict:?}") };
	assert_eq!(*power, POWER);
	let Measured::Memory { fill_millis, read_nanos } = measured else { panic!("{measured:?}") };
	assert!(*read_nanos > 0);
	let walk = u64::from(*read_nanos) * READS / 1_000_000;
	(*fill_millis, u32::try_from(walk).unwrap())
}

#[tokio::test]
async fn honest_device_should_pass_with_its_figures() {
	let (verdict, turns) = verdict_on(Script::Honest).await;
	let (fill, walk) = figures(&verdict);
	assert!((1..9_900).contains(&fill), "{verdict:?}");
	assert!(fill + walk < 9_900, "{verdict:?}");
	assert_eq!(turns, 1);
}

#[tokio::test]
async fn filling_and_walking_should_be_timed_apart() {
	let ((fills, _), (walks, _)) = tokio::join!(
		verdict_within(60_000, Script::Slow(DELAY)),
		verdict_within(60_000, Script::WalksSlowly(DELAY)),
	);
	let (fill, walk) = figures(&fills);
	assert!(fill >= DELAY_MILLIS && walk < DELAY_MILLIS, "{fills:?}");
	let (fill, walk) = figures(&walks);
	assert!(fill < DELAY_MILLIS && walk >= DELAY_MILLIS, "{walks:?}");
}

#[tokio::test]
async fn waiting_for_a_turn_should_not_count_against_the_device() {
	// Pauses of a quarter of a second.
	let (verdict, turns) = verdict_within(60_000, Script::BusyTurns(16)).await;
	let (fill, walk) = figures(&verdict);
	assert!(fill < DELAY_MILLIS && walk < DELAY_MILLIS, "{verdict:?}");
	assert_eq!(turns, 17);
}

#[tokio::test]
async fn walk_that_is_gone_should_be_followed_by_another_one() {
	let (verdict, turns) = verdict_on(Script::LosesWalk).await;
	figures(&verdict);
	assert_eq!(turns, 2);
}

#[tokio::test]
async fn device_should_fail_when_it_does_not_walk() {
	let no_answer = failed(ChallengeFailure::NoAnswer);
	let (never, refuses, opens, busy) = tokio::join!(
		verdict_on(Script::NeverWalks),
		// Three walks are asked for, long before the time is over.
		verdict_within(600_000, Script::RefusesWalks),
		verdict_on(Script::NeverOpens),
		verdict_on(Script::BusyTurns(u32::MAX)),
	);
	assert_eq!(never, (no_answer, 1));
	assert_eq!(refuses, (no_answer, 3));
	assert_eq!(opens, (no_answer, 1));
	assert_eq!(busy.0, no_answer);
	assert!(busy.1 > 1, "{}", busy.1);
}

#[tokio::test]
async fn device_should_fail_when_it_opens_something_else() {
	for (script, reason) in [
		(Script::OpensOthers, ChallengeFailure::BadOpening),
		(Script::OpensTooFew, ChallengeFailure::Malformed),
		(Script::OpensBackwards, ChallengeFailure::Malformed),
		(Script::OpensGarbage, ChallengeFailure::Malformed),
	] {
		assert_eq!(verdict_on(script).await.0, failed(reason), "{script:?}");
	}
}

#[tokio::test]
async fn device_should_fail_when_its_commitment_is_wrong() {
	for (script, reason) in [
		(Script::ForgesSignature, ChallengeFailure::BadSignature),
		(Script::OtherTask, ChallengeFailure::Malformed),
		(Script::AbsurdPower, ChallengeFailure::BadPower),
		(Script::Confused, ChallengeFailure::Malformed),
		(Script::Silent, ChallengeFailure::NoAnswer),
	] {
		assert_eq!(verdict_on(script).await, (failed(reason), 0), "{script:?}");
	}
}

#[tokio::test]
async fn wrong_block_should_lead_to_a_proof_that_the_chain_accepts() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	// Half of the blocks are made up, 24 are looked at.
	let _device = Device::connect(1, Script::Skips, &verifier).await;
	let task = chain.open_memory_round(5, 1, 60_000);
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::WrongResult));
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	verifier.stop().await;
	let proofs = chain.proofs.lock().unwrap();
	let [(RoundId(5), proof)] = proofs.as_slice() else { panic!("{proofs:?}") };
	assert!(matches!(proof, FraudProof::Block { .. }), "{proof:?}");
	assert_eq!(check_fraud(&GENESIS, &task, &public_key(task.device), proof), Ok(()));
}

#[tokio::test]
async fn wrong_walk_should_fail_the_round_and_prove_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, Script::MakesUpWalks, &verifier).await;
	let _other = Device::connect(2, Script::Skips, &verifier).await;
	chain.open_memory_round(5, 1, 60_000);
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::WrongResult));
	// What is proved of another device later is all that is.
	chain.open_memory_round(6, 2, 60_000);
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	verifier.stop().await;
	let proofs = chain.proofs.lock().unwrap();
	assert!(proofs.iter().all(|(round, _)| *round == RoundId(6)), "{proofs:?}");
}

#[tokio::test]
async fn what_was_signed_should_be_kept_and_nothing_that_was_opened() {
	for script in [Script::Honest, Script::Skips, Script::OpensGarbage, Script::NeverWalks] {
		let dir = tempfile::tempdir().unwrap();
		let chain = Arc::new(MemoryChain::default());
		let verifier = start(dir.path(), &chain).await;
		let device = Device::connect(1, script, &verifier).await;
		let task = chain.open_memory_round(5, 1, 10_000);
		chain.seal(5).await;
		verifier.stop().await;
		device.handle.shutdown().await;
		let journal = Journal::open(&dir.path().join("data/journal.redb")).unwrap();
		let kept = journal.evidence(task_hash(&task)).unwrap().unwrap();
		assert_eq!(kept.signed.commit.task, task_hash(&task), "{script:?}");
		assert!(kept.openings.is_empty(), "{script:?}");
	}
}

#[tokio::test]
async fn task_out_of_bounds_should_get_no_verdict() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	let bad = MemoryChallenge { lanes: 2, blocks: 1, segments: 8, reads: 4 };
	chain.open_work(1, 1, 60_000, Work::Memory(bad));
	chain.open_memory_round(2, 1, 60_000);
	assert!(matches!(chain.verdict(2).await, Verdict::Passed { .. }));
	assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(1)));
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}
