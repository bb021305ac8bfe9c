//! Rounds of storage: blocks are read in time, and others are filled again.

use super::{
	chain::storage,
	device::REFILL,
	fairness::{cramped, is_judged},
	restart::wait_for,
	*,
};
use crate::journal::Journal;
use armature_p2p::messages::MAX_BLOCKS;
use armature_verifier::challenge::fraud::check_fraud;
use std::{collections::HashSet, time::Instant};

const NO_ANSWER: Verdict = Verdict::Failed { reason: ChallengeFailure::NoAnswer };

/// What has to be read in such a time, of what is in [`MemoryChain::open_storage_round`].
fn soon(read_millis: u32) -> Work {
	storage(COMMIT_MILLIS, read_millis)
}

/// The verdict on a device whose storage is looked at.
async fn judged_of(millis: u64, work: Work, script: Script) -> (Verdict, Device) {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, script, &verifier).await;
	chain.open_work(5, 1, millis, work);
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	(verdict, device)
}

/// With ample time to commit and to read.
async fn judged(millis: u64, script: Script) -> (Verdict, Device) {
	judged_of(millis, soon(READ_MILLIS), script).await
}

/// What a device that passed took to commit, and to read.
fn figures(verdict: &Verdict) -> (u32, u32) {
	let Verdict::Passed { measured, power, .. } = verdict else { panic!("{verdict:?}") };
	assert_eq!(*power, POWER);
	let Measured::Storage { answer_millis, read_millis } = *measured else {
		panic!("{measured:?}")
	};
	assert!((1..=COMMIT_MILLIS).contains(&answer_millis), "{measured:?}");
	assert!((1..=READ_MILLIS).contains(&read_millis), "{measured:?}");
	(answer_millis, read_millis)
}

/// The one proof that the chain got, of a round 5.
async fn proved(script: Script) -> (ChallengeTask, FraudProof) {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, script, &verifier).await;
	let task = chain.open_storage_round(5, 1, 60_000);
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::WrongResult));
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	verifier.stop().await;
	(task, only_proof(&chain))
}

fn only_proof(chain: &MemoryChain) -> FraudProof {
	let proofs = chain.proofs.lock().unwrap();
	let [(RoundId(5), proof)] = proofs.as_slice() else { panic!("{proofs:?}") };
	proof.clone()
}

fn check(task: &ChallengeTask, proof: &FraudProof) {
	assert_eq!(check_fraud(&GENESIS, task, &public_key(task.device), proof), Ok(()));
}

/// Has a device lose its connection, and come back.
async fn cut_off(device: &Device, verifier: &Verifier) {
	let peer = device.dial(verifier).await;
	device.handle.disconnect(peer).await.unwrap();
	wait_for(|| !device.handle.is_connected(&peer)).await;
	device.hello(verifier).await;
}

#[tokio::test]
async fn honest_device_should_pass_with_its_figures() {
	let (verdict, device) = judged(60_000, Script::Honest).await;
	figures(&verdict);
	let (reads, sealed) = (device.reads(), device.sealed());
	let [read] = reads.as_slice() else { panic!("{reads:?}") };
	assert_eq!(read.iter().collect::<HashSet<_>>().len(), 24);
	let lengths: Vec<_> = sealed.iter().map(Vec::len).collect();
	let all = usize::try_from(SEALED).unwrap();
	assert_eq!(lengths, [MAX_BLOCKS, all - MAX_BLOCKS]);
	assert_eq!(sealed.iter().flatten().collect::<HashSet<_>>().len(), all);
	assert_eq!(device.started(), 1);
}

#[tokio::test]
async fn committing_and_reading_should_be_timed_apart() {
	let delay = Duration::from_millis(2_000);
	let ((slow, _), (reads, _)) = tokio::join!(
		judged(60_000, Script::Slow(delay)),
		judged(60_000, Script::ReadsSlowly(delay)),
	);
	let (answer, read) = figures(&slow);
	assert!(answer >= 2_000 && read < 2_000, "{slow:?}");
	let (answer, read) = figures(&reads);
	assert!(answer < 2_000 && read >= 2_000, "{reads:?}");
}

#[tokio::test]
async fn as_many_blocks_as_the_settings_say_should_be_asked_for() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let mut config = test_config(dir.path());
	config.challenges.stored_samples = 5;
	config.challenges.sealed_samples = 7;
	let verifier = Verifier::start(config, chain.clone()).await.unwrap();
	let device = Device::connect(1, Script::Honest, &verifier).await;
	for round in [5, 6] {
		chain.open_storage_round(round, 1, 60_000);
		figures(&chain.verdict(round).await);
	}
	verifier.stop().await;
	for (asked, count) in [(device.reads(), 5), (device.sealed(), 7)] {
		assert_eq!(asked.iter().map(Vec::len).collect::<Vec<_>>(), [count, count]);
		assert_ne!(asked[0], asked[1]);
	}
}

#[tokio::test]
async fn device_should_fail_when_it_reads_too_slowly() {
	// It is slower than it may be, and than it is waited for; or it says nothing at all.
	for (limit, script) in [
		(300, Script::ReadsSlowly(Duration::from_millis(330))),
		(300, Script::ReadsSlowly(Duration::from_secs(3))),
		(300, Script::MissesReads(u32::MAX)),
	] {
		let begun = Instant::now();
		// Long before the time of the round is over.
		let (verdict, device) = judged_of(600_000, soon(limit), script).await;
		assert_eq!(verdict, NO_ANSWER, "{script:?}");
		assert!(begun.elapsed() < Duration::from_secs(15), "{script:?}");
		assert_eq!((device.reads().len(), device.openings()), (1, 0), "{script:?}");
	}
}

#[tokio::test]
async fn time_to_read_should_go_on_while_the_device_refuses() {
	// Pauses of a quarter of a second.
	let (verdict, device) = judged(60_000, Script::BusyReads(4)).await;
	let (_, read) = figures(&verdict);
	assert!(read >= 1_000, "{verdict:?}");
	let reads = device.reads();
	assert_eq!(reads.len(), 5);
	assert!(reads.iter().all(|read| *read == reads[0]), "{reads:?}");
}

#[tokio::test]
async fn device_should_fail_when_it_refuses_to_read() {
	let work = soon(700);
	let (verdict, device) = judged_of(600_000, work, Script::BusyReads(u32::MAX)).await;
	assert_eq!(verdict, NO_ANSWER);
	let reads = device.reads();
	assert!((2..=4).contains(&reads.len()), "{reads:?}");
	assert!(reads.iter().all(|read| *read == reads[0]), "{reads:?}");
}

#[tokio::test]
async fn device_should_fail_when_it_reads_or_opens_something_else() {
	for (script, reason, openings) in [
		(Script::SpoilsRead, ChallengeFailure::BadOpening, 0),
		(Script::OpensOthers, ChallengeFailure::BadOpening, 0),
		(Script::OpensTooFew, ChallengeFailure::Malformed, 0),
		(Script::OpensBackwards, ChallengeFailure::Malformed, 0),
		(Script::OpensGarbage, ChallengeFailure::Malformed, 0),
		(Script::ConfusedReads, ChallengeFailure::Malformed, 0),
		(Script::OpensSealedBackwards, ChallengeFailure::Malformed, 1),
	] {
		let (verdict, device) = judged(60_000, script).await;
		assert_eq!(verdict, failed(reason), "{script:?}");
		assert_eq!((device.reads().len(), device.openings()), (1, openings), "{script:?}");
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
		let (verdict, device) = judged(60_000, script).await;
		assert_eq!((verdict, device.reads().len()), (failed(reason), 0), "{script:?}");
	}
}

#[tokio::test]
async fn device_should_fail_when_it_is_silent_or_late() {
	let late = Script::Slow(Duration::from_millis(3_000));
	for (millis, script, reads) in
		[(600_000, Script::Silent, 0), (600_000, late, 0), (6_000, Script::NeverOpensSealed, 1)]
	{
		let begun = Instant::now();
		// Where it does not commit, long before the time of the round is over.
		let (verdict, device) = judged_of(millis, storage(2_000, 3_000), script).await;
		assert_eq!((verdict, device.reads().len()), (NO_ANSWER, reads), "{script:?}");
		assert!(begun.elapsed() < Duration::from_secs(15), "{script:?}");
	}
}

#[tokio::test]
async fn round_that_would_end_too_late_should_get_no_verdict() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_storage_round(5, 1, u64::from(COMMIT_MILLIS + READ_MILLIS));
	// The device has another round at once.
	chain.open_storage_round(6, 1, 60_000);
	figures(&chain.verdict(6).await);
	verifier.stop().await;
	assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(5)));
	assert_eq!(device.started(), 1);
}

#[tokio::test]
async fn verifier_that_was_away_while_the_device_had_to_commit_should_say_nothing() {
	let commit = Duration::from_millis(3_000);
	// It is back while there is time left to commit, or after that.
	for (away, started) in [(Duration::ZERO, 2), (commit, 1)] {
		let dir = tempfile::tempdir().unwrap();
		let chain = Arc::new(MemoryChain::default());
		let verifier = start(dir.path(), &chain).await;
		let device = Device::connect(1, Script::Silent, &verifier).await;
		chain.open_work(5, 1, 600_000, storage(3_000, READ_MILLIS));
		wait_for(|| device.started() > 0).await;
		verifier.stop().await;
		tokio::time::sleep(away).await;
		let verifier = start(dir.path(), &chain).await;
		device.hello(&verifier).await;
		tokio::time::sleep(commit).await;
		// A later one is judged.
		let _other = Device::connect(2, Script::Honest, &verifier).await;
		chain.open_storage_round(6, 2, 60_000);
		figures(&chain.verdict(6).await);
		verifier.stop().await;
		assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(5)), "{away:?}");
		assert_eq!(device.started(), started, "{away:?}");
	}
}

#[tokio::test]
async fn wrong_block_should_lead_to_a_proof_that_the_chain_accepts() {
	let (task, proof) = proved(Script::Skips).await;
	let FraudProof::Sealed { opening, .. } = &proof else { panic!("{proof:?}") };
	// One of those that are made up.
	assert!(opening.fill.at >= 8, "{opening:?}");
	check(&task, &proof);
}

#[tokio::test]
async fn two_roots_should_lead_to_a_proof_that_the_chain_accepts() {
	let (task, proof) = proved(Script::ComputesOtherwise).await;
	assert!(matches!(proof, FraudProof::Equivocation { .. }), "{proof:?}");
	check(&task, &proof);
}

#[tokio::test]
async fn other_blocks_should_be_read_once_after_the_connection_broke() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::MissesReads(1), &verifier).await;
	chain.open_storage_round(5, 1, 60_000);
	wait_for(|| device.reads().len() == 1).await;
	cut_off(&device, &verifier).await;
	figures(&chain.verdict(5).await);
	verifier.stop().await;
	let reads = device.reads();
	let [first, second] = reads.as_slice() else { panic!("{reads:?}") };
	assert_ne!(first, second);
	assert_eq!(device.started(), 1);
}

#[tokio::test]
async fn device_should_fail_when_its_connection_breaks_twice() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::MissesReads(u32::MAX), &verifier).await;
	chain.open_storage_round(5, 1, 600_000);
	for count in [1, 2] {
		wait_for(|| device.reads().len() == count).await;
		cut_off(&device, &verifier).await;
	}
	assert_eq!(chain.verdict(5).await, NO_ANSWER);
	verifier.stop().await;
	assert_eq!((device.reads().len(), device.openings()), (2, 0));
}

#[tokio::test]
async fn draw_should_wait_for_a_device_that_is_away() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 60_000).await;
	let holder = Device::connect(1, Script::OpensWhenTold, &verifier).await;
	let away = Device::connect(2, Script::Honest, &verifier).await;
	chain.open_round(1, 1, 300_000);
	wait_for(|| holder.openings() > 0).await;
	chain.open_storage_round(2, 2, 300_000);
	wait_for(|| away.started() > 0).await;
	// It is gone before there is a place for what it reads.
	tokio::time::sleep(Duration::from_millis(300)).await;
	let peer = away.dial(&verifier).await;
	away.handle.disconnect(peer).await.unwrap();
	tokio::time::sleep(Duration::from_secs(1)).await;
	holder.told.notify_one();
	assert!(matches!(chain.verdict(1).await, Verdict::Passed { .. }));
	tokio::time::sleep(Duration::from_secs(1)).await;
	assert!(away.reads().is_empty() && !is_judged(&chain, 2));
	away.hello(&verifier).await;
	figures(&chain.verdict(2).await);
	assert_eq!(away.reads().len(), 1);
	verifier.stop().await;
}

#[tokio::test]
async fn device_that_is_away_until_it_could_have_filled_its_sectors_should_fail() {
	// After its commitment, after a draw that it has not answered, and after it has lost its round.
	for (script, reads) in
		[(Script::Honest, 0), (Script::MissesReads(1), 1), (Script::LosesWork(1), 1)]
	{
		let dir = tempfile::tempdir().unwrap();
		let chain = Arc::new(MemoryChain::default());
		let verifier = cramped(dir.path(), &chain, 60_000).await;
		let holder = Device::connect(1, Script::OpensWhenTold, &verifier).await;
		let device = Device::connect(2, script, &verifier).await;
		if reads == 0 {
			chain.open_round(1, 1, 300_000);
			wait_for(|| holder.openings() > 0).await;
		}
		let begun = Instant::now();
		chain.open_work(2, 2, 600_000, storage(4_000, 1_000));
		wait_for(|| device.started() > 0 && device.reads().len() == reads).await;
		tokio::time::sleep(Duration::from_millis(200)).await;
		let peer = device.dial(&verifier).await;
		device.handle.disconnect(peer).await.unwrap();
		holder.told.notify_one();
		assert_eq!(chain.verdict(2).await, NO_ANSWER, "{script:?}");
		// A second draw is due after nine seconds.
		assert!(begun.elapsed() < Duration::from_secs(60), "{script:?}");
		assert_eq!((device.reads().len(), device.openings()), (reads, 0), "{script:?}");
		verifier.stop().await;
	}
}

#[tokio::test]
async fn nobody_should_fail_when_there_was_no_place_while_there_was_time_to_read() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 60_000).await;
	let holder = Device::connect(1, Script::OpensWhenTold, &verifier).await;
	let reader = Device::connect(2, Script::Honest, &verifier).await;
	chain.open_round(1, 1, 300_000);
	wait_for(|| holder.openings() > 0).await;
	chain.open_work(2, 2, u64::from(READ_MILLIS) + 6_000, storage(3_000, READ_MILLIS));
	wait_for(|| reader.started() > 0).await;
	tokio::time::sleep(Duration::from_secs(7)).await;
	holder.told.notify_one();
	assert!(matches!(chain.verdict(1).await, Verdict::Passed { .. }));
	// The device has another round after that.
	chain.open_storage_round(3, 2, 60_000);
	figures(&chain.verdict(3).await);
	assert!(!is_judged(&chain, 2));
	assert_eq!(reader.reads().len(), 1);
	verifier.stop().await;
}

#[tokio::test]
async fn device_that_has_lost_its_round_should_commit_again_and_read_other_blocks() {
	let begun = Instant::now();
	let (verdict, device) = judged(60_000, Script::LosesWork(1)).await;
	let (answer, _) = figures(&verdict);
	// Timed once.
	assert!(Duration::from_millis(answer.into()) + REFILL <= begun.elapsed(), "{verdict:?}");
	let reads = device.reads();
	let [first, second] = reads.as_slice() else { panic!("{reads:?}") };
	assert_ne!(first, second);
	assert_eq!(device.started(), 2);
}

#[tokio::test]
async fn device_should_commit_again_when_the_time_to_commit_is_over() {
	// It takes longer to have its sectors again.
	let commit_millis = 1_900;
	assert!(Duration::from_millis(commit_millis.into()) < REFILL);
	let work = storage(commit_millis, READ_MILLIS);
	let (verdict, device) = judged_of(60_000, work, Script::LosesWork(1)).await;
	assert!(figures(&verdict).0 <= commit_millis, "{verdict:?}");
	assert_eq!((device.started(), device.reads().len()), (2, 2));
}

#[tokio::test]
async fn device_should_fail_when_it_loses_its_round_twice() {
	// Long before the time is over.
	let (verdict, device) = judged(600_000, Script::LosesWork(2)).await;
	assert_eq!(verdict, NO_ANSWER);
	assert_eq!((device.started(), device.reads().len(), device.openings()), (2, 2, 0));
}

#[tokio::test]
async fn what_was_opened_before_the_round_was_lost_should_count() {
	let (verdict, device) = judged(60_000, Script::LosesRest).await;
	figures(&verdict);
	let asked = device.sealed();
	let [first, lost, rest] = asked.as_slice() else { panic!("{asked:?}") };
	assert_eq!((first.len(), lost), (MAX_BLOCKS, rest));
	assert_eq!((device.started(), device.reads().len()), (2, 1));
}

#[tokio::test]
async fn same_sealed_blocks_should_be_asked_for_when_others_came_first() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 1_000).await;
	let device = Device::connect(1, Script::MissesOpenings, &verifier).await;
	chain.open_storage_round(5, 1, 60_000);
	figures(&chain.verdict(5).await);
	verifier.stop().await;
	let asked = device.sealed();
	let [first, second, _] = asked.as_slice() else { panic!("{asked:?}") };
	assert_eq!(first, second);
	assert_eq!((device.started(), device.reads().len()), (1, 1));
}

#[tokio::test]
async fn round_should_be_judged_anew_after_a_restart_while_the_device_read() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::MissesReads(1), &verifier).await;
	chain.open_storage_round(5, 1, 60_000);
	wait_for(|| device.reads().len() == 1).await;
	tokio::time::sleep(Duration::from_millis(700)).await;
	verifier.stop().await;

	let verifier = start(dir.path(), &chain).await;
	device.hello(&verifier).await;
	let (answer, _) = figures(&chain.verdict(5).await);
	verifier.stop().await;
	// The time before counts, and what was drawn then is worth nothing.
	assert!(answer >= 700, "{answer}");
	let reads = device.reads();
	assert_ne!(reads[0], reads[1]);
	assert_eq!((device.started(), reads.len()), (2, 2));
}

#[tokio::test]
async fn what_was_found_should_be_posted_after_a_restart_when_the_chain_was_away() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.is_deaf.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Skips, &verifier).await;
	let task = chain.open_storage_round(5, 1, 60_000);
	wait_for(|| chain.calls.load(Ordering::SeqCst) > 0).await;
	verifier.stop().await;
	device.handle.shutdown().await;

	chain.is_deaf.store(false, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::WrongResult));
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	verifier.stop().await;
	check(&task, &only_proof(&chain));
}

#[tokio::test]
async fn what_was_signed_should_be_kept_and_nothing_that_was_opened() {
	for script in [Script::Honest, Script::Skips, Script::OpensGarbage] {
		let dir = tempfile::tempdir().unwrap();
		let chain = Arc::new(MemoryChain::default());
		let verifier = start(dir.path(), &chain).await;
		let device = Device::connect(1, script, &verifier).await;
		let task = chain.open_storage_round(5, 1, 60_000);
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
	chain.open_work(1, 1, 60_000, soon(0));
	chain.open_storage_round(2, 1, 60_000);
	figures(&chain.verdict(2).await);
	assert!(!is_judged(&chain, 1));
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}
