//! Rounds of products: entries are opened, in as many parts as it takes, and computed again.

use super::{
	device::REFILL,
	fairness::{cramped, is_judged},
	restart::wait_for,
	*,
};
use crate::journal::Journal;
use armature_p2p::messages::MAX_ENTRIES;
use armature_verifier::challenge::fraud::check_fraud;
use std::{collections::HashSet, time::Instant};

/// The verdict on a device whose products are looked at, all entries of them.
async fn judged(millis: u64, script: Script) -> (Verdict, Device) {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, script, &verifier).await;
	chain.open_gemm_round(5, 1, millis);
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	(verdict, device)
}

/// With ample time.
async fn verdict_on(script: Script) -> Verdict {
	judged(10_000, script).await.0
}

/// The one proof that the chain got, of a round 5.
async fn proved(script: Script) -> (ChallengeTask, FraudProof) {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, script, &verifier).await;
	let task = chain.open_gemm_round(5, 1, 60_000);
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::WrongResult));
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	verifier.stop().await;
	let proofs = chain.proofs.lock().unwrap();
	let [(RoundId(5), proof)] = proofs.as_slice() else { panic!("{proofs:?}") };
	(task, proof.clone())
}

fn check(task: &ChallengeTask, proof: &FraudProof) {
	assert_eq!(check_fraud(&GENESIS, task, &public_key(task.device), proof), Ok(()));
}

#[tokio::test]
async fn honest_device_should_pass_with_its_time_and_power() {
	let verdict = verdict_on(Script::Slow(Duration::from_millis(300))).await;
	let Verdict::Passed { measured, power, .. } = verdict else { panic!("{verdict:?}") };
	assert!(matches!(measured, Measured::Gemm { elapsed_millis: 300..9_900 }), "{measured:?}");
	assert_eq!(power, POWER);
}

#[tokio::test]
async fn as_many_entries_as_the_settings_say_should_be_opened() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let mut config = test_config(dir.path());
	config.challenges.gemm_samples = 24;
	let verifier = Verifier::start(config, chain.clone()).await.unwrap();
	let device = Device::connect(1, Script::Honest, &verifier).await;
	let rounds = [5, 6];
	for round in rounds {
		chain.open_work(round, 1, 60_000, Work::Gemm(GemmChallenge { side: 64, states: 3 }));
		assert!(matches!(chain.verdict(round).await, Verdict::Passed { .. }));
	}
	verifier.stop().await;
	let asked = device.entries();
	assert_eq!(asked.len(), rounds.len());
	for entries in &asked {
		assert_eq!(entries.iter().collect::<HashSet<_>>().len(), 24);
	}
	assert_ne!(asked[0], asked[1]);
}

#[tokio::test]
async fn entries_should_be_asked_for_in_parts_and_put_together() {
	let (verdict, device) = judged(10_000, Script::Honest).await;
	assert!(matches!(verdict, Verdict::Passed { .. }), "{verdict:?}");
	let asked = device.entries();
	let lengths: Vec<_> = asked.iter().map(Vec::len).collect();
	let all = usize::try_from(ENTRIES).unwrap();
	assert_eq!(lengths, [MAX_ENTRIES, all - MAX_ENTRIES]);
	assert_eq!(asked.iter().flatten().collect::<HashSet<_>>().len(), all);
}

#[tokio::test]
async fn no_more_entries_should_be_asked_for_than_their_rows_leave_room_for() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	// Of rows that are not much shorter 64 openings would be sure to fit.
	let gemm = GemmChallenge { side: 1_025, states: 1 };
	chain.open_work(5, 1, 60_000, Work::Gemm(gemm));
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	assert!(matches!(verdict, Verdict::Passed { .. }), "{verdict:?}");
	let lengths: Vec<_> = device.entries().iter().map(Vec::len).collect();
	let first = lengths[0];
	assert!((50..MAX_ENTRIES).contains(&first), "{first}");
	assert_eq!(lengths, [first, usize::try_from(ENTRIES).unwrap() - first]);
}

#[tokio::test]
async fn wrong_entry_should_lead_to_a_proof_that_the_chain_accepts() {
	let (task, proof) = proved(Script::Skips).await;
	let FraudProof::Entry { opening, .. } = &proof else { panic!("{proof:?}") };
	// The one that is made up.
	assert_eq!((opening.step, opening.row, opening.column), (4, 3, 2));
	check(&task, &proof);
}

#[tokio::test]
async fn device_should_fail_when_it_opens_something_else() {
	for (script, reason) in [
		(Script::OpensOthers, ChallengeFailure::BadOpening),
		(Script::OpensTooFew, ChallengeFailure::Malformed),
		(Script::OpensBackwards, ChallengeFailure::Malformed),
		(Script::OpensGarbage, ChallengeFailure::Malformed),
	] {
		assert_eq!(verdict_on(script).await, failed(reason), "{script:?}");
	}
}

#[tokio::test]
async fn device_should_fail_when_its_commitment_is_wrong() {
	for (script, reason) in [
		(Script::ForgesSignature, ChallengeFailure::BadSignature),
		(Script::OtherTask, ChallengeFailure::Malformed),
		(Script::AbsurdPower, ChallengeFailure::BadPower),
		(Script::Confused, ChallengeFailure::Malformed),
	] {
		let (verdict, device) = judged(10_000, script).await;
		assert_eq!((verdict, device.openings()), (failed(reason), 0), "{script:?}");
	}
}

#[tokio::test]
async fn device_should_fail_when_it_is_silent_or_late() {
	let late = Script::Slow(Duration::from_millis(2_000));
	for script in [Script::Silent, Script::NeverOpens, late] {
		let (verdict, _device) = judged(1_200, script).await;
		assert_eq!(verdict, failed(ChallengeFailure::NoAnswer), "{script:?}");
	}
}

#[tokio::test]
async fn states_that_are_gone_should_be_computed_again_and_timed_once() {
	for times in [1, 2] {
		let begun = Instant::now();
		let (verdict, device) = judged(60_000, Script::LosesWork(times)).await;
		let took = u32::try_from(begun.elapsed().as_millis()).unwrap();
		let again = times * u32::try_from(REFILL.as_millis()).unwrap();
		assert!(elapsed_of(&verdict) + again <= took, "{verdict:?} of {took}");
		assert_eq!((device.started(), device.openings()), (1 + times, 2 + times));
		// What was drawn stays.
		let asked = device.entries();
		let (rest, firsts) = asked.split_last().unwrap();
		assert!(firsts.iter().all(|first| *first == firsts[0]), "{asked:?}");
		assert_ne!(*rest, firsts[0]);
	}
}

#[tokio::test]
async fn what_was_opened_before_states_were_lost_should_count() {
	let (verdict, device) = judged(60_000, Script::LosesRest).await;
	assert!(matches!(verdict, Verdict::Passed { .. }), "{verdict:?}");
	let asked = device.entries();
	let [first, lost, rest] = asked.as_slice() else { panic!("{asked:?}") };
	assert_eq!((first.len(), lost), (MAX_ENTRIES, rest));
	assert_eq!(device.started(), 2);
}

#[tokio::test]
async fn device_should_fail_when_it_does_not_keep_its_states() {
	// Long before the time is over.
	let (verdict, device) = judged(600_000, Script::LosesWork(3)).await;
	assert_eq!(verdict, failed(ChallengeFailure::NoAnswer));
	assert_eq!((device.started(), device.openings()), (3, 3));
}

#[tokio::test]
async fn two_roots_should_lead_to_a_proof_that_the_chain_accepts() {
	let (task, proof) = proved(Script::ComputesOtherwise).await;
	assert!(matches!(proof, FraudProof::Equivocation { .. }), "{proof:?}");
	check(&task, &proof);
}

#[tokio::test]
async fn same_entries_should_be_asked_for_when_others_came_first() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 1_000).await;
	let device = Device::connect(1, Script::MissesOpenings, &verifier).await;
	chain.open_gemm_round(5, 1, 60_000);
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	assert!(matches!(verdict, Verdict::Passed { .. }), "{verdict:?}");
	let asked = device.entries();
	let [first, second, _] = asked.as_slice() else { panic!("{asked:?}") };
	assert_eq!(first, second);
	assert_eq!(device.started(), 1);
}

#[tokio::test]
async fn device_that_is_slow_to_open_should_give_its_place_to_the_next() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 1_000).await;
	let slow = Device::connect(1, Script::NeverOpens, &verifier).await;
	let _honest = Device::connect(2, Script::Honest, &verifier).await;
	chain.open_gemm_round(1, 1, 120_000);
	wait_for(|| slow.openings() > 0).await;
	chain.open_gemm_round(2, 2, 60_000);
	assert!(matches!(chain.verdict(2).await, Verdict::Passed { .. }));
	// It gets another one.
	let asked = slow.openings();
	wait_for(|| slow.openings() > asked).await;
	assert!(!is_judged(&chain, 1));
	verifier.stop().await;
}

#[tokio::test]
async fn what_was_signed_should_be_kept_and_nothing_that_was_opened() {
	for script in [Script::Honest, Script::Skips, Script::OpensGarbage] {
		let dir = tempfile::tempdir().unwrap();
		let chain = Arc::new(MemoryChain::default());
		let verifier = start(dir.path(), &chain).await;
		let device = Device::connect(1, script, &verifier).await;
		let task = chain.open_gemm_round(5, 1, 10_000);
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
	chain.open_work(1, 1, 60_000, Work::Gemm(GemmChallenge { side: 0, states: 1 }));
	chain.open_gemm_round(2, 1, 60_000);
	assert!(matches!(chain.verdict(2).await, Verdict::Passed { .. }));
	assert!(!is_judged(&chain, 1));
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}
