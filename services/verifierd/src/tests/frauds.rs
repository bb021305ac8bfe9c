//! What devices signed is kept, and what is wrong is proved to the chain.

use super::{restart::wait_for, *};
use crate::journal::{Evidence, Journal};
use armature_verifier::challenge::fraud::check_fraud;

const WRONG: Verdict = Verdict::Failed { reason: ChallengeFailure::WrongResult };

fn proof_calls(chain: &MemoryChain) -> u32 {
	chain.proof_calls.load(Ordering::SeqCst)
}

/// Has a device judged in round 5 that makes half of its segments up.
async fn judged_liar(chain: &Arc<MemoryChain>, verifier: &Verifier) -> (ChallengeTask, Device) {
	let device = Device::connect(1, Script::Skips, verifier).await;
	(chain.open_round(5, 1, 60_000), device)
}

#[tokio::test]
async fn wrong_segment_should_lead_to_a_proof_that_the_chain_accepts() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let (task, _device) = judged_liar(&chain, &verifier).await;
	assert_eq!(chain.verdict(5).await, WRONG);
	wait_for(|| proof_calls(&chain) > 0).await;
	verifier.stop().await;
	let proofs = chain.proofs.lock().unwrap();
	let [(RoundId(5), proof)] = proofs.as_slice() else { panic!("{proofs:?}") };
	assert_eq!(check_fraud(&GENESIS, &task, &public_key(task.device), proof), Ok(()));
}

#[tokio::test]
async fn nothing_else_should_lead_to_a_proof() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let scripts = [Script::Honest, Script::OpensOthers, Script::AbsurdPower, Script::OpensGarbage];
	let mut devices = Vec::new();
	for (id, script) in (1u32..).zip(scripts) {
		devices.push(Device::connect(id, script, &verifier).await);
		chain.open_round(id.into(), id, 60_000);
		chain.verdict(id.into()).await;
	}
	tokio::time::sleep(Duration::from_millis(1_200)).await;
	verifier.stop().await;
	assert_eq!(proof_calls(&chain), 0);
}

#[tokio::test]
async fn proof_should_wait_for_the_others_seals() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.holds_back.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let (_task, _device) = judged_liar(&chain, &verifier).await;
	chain.seal(5).await;
	// Longer than anything waits before it is posted.
	tokio::time::sleep(Duration::from_millis(1_500)).await;
	assert_eq!(proof_calls(&chain), 0);
	chain.holds_back.store(false, Ordering::SeqCst);
	wait_for(|| proof_calls(&chain) > 0).await;
	verifier.stop().await;
}

#[tokio::test]
async fn proof_should_be_posted_after_a_restart_when_the_chain_was_away() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.holds_back.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let (task, device) = judged_liar(&chain, &verifier).await;
	chain.seal(5).await;
	chain.is_deaf.store(true, Ordering::SeqCst);
	chain.holds_back.store(false, Ordering::SeqCst);
	// It is tried until the chain answers.
	wait_for(|| proof_calls(&chain) > 1).await;
	verifier.stop().await;
	device.handle.shutdown().await;
	assert!(chain.proofs.lock().unwrap().is_empty());

	chain.is_deaf.store(false, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	assert_eq!(chain.verdict(5).await, WRONG);
	verifier.stop().await;
	let proofs = chain.proofs.lock().unwrap();
	let [(RoundId(5), proof)] = proofs.as_slice() else { panic!("{proofs:?}") };
	assert_eq!(check_fraud(&GENESIS, &task, &public_key(task.device), proof), Ok(()));
}

#[tokio::test]
async fn refused_proof_should_be_given_up() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.unprovable.lock().unwrap().push(RoundId(5));
	let verifier = start(dir.path(), &chain).await;
	let (_task, _device) = judged_liar(&chain, &verifier).await;
	wait_for(|| proof_calls(&chain) > 0).await;
	tokio::time::sleep(Duration::from_millis(1_500)).await;
	verifier.stop().await;
	let verifier = start(dir.path(), &chain).await;
	tokio::time::sleep(Duration::from_millis(300)).await;
	verifier.stop().await;
	assert_eq!(proof_calls(&chain), 1);
	assert!(chain.proofs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_should_be_proved_when_the_settings_say_so() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let mut config = test_config(dir.path());
	config.challenges.prove_frauds = false;
	let verifier = Verifier::start(config, chain.clone()).await.unwrap();
	let (_task, _device) = judged_liar(&chain, &verifier).await;
	assert_eq!(chain.verdict(5).await, WRONG);
	tokio::time::sleep(Duration::from_millis(300)).await;
	verifier.stop().await;
	assert_eq!(proof_calls(&chain), 0);
	// Nothing waits for the settings to change either.
	let verifier = start(dir.path(), &chain).await;
	tokio::time::sleep(Duration::from_millis(300)).await;
	verifier.stop().await;
	assert_eq!(proof_calls(&chain), 0);
}

/// What the journal keeps of a device's round.
async fn kept_of(script: Script) -> Option<Evidence> {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, script, &verifier).await;
	chain.holds_back.store(true, Ordering::SeqCst);
	chain.open_round(5, 1, 5_000);
	chain.seal(5).await;
	let task = chain.open.lock().unwrap()[0];
	verifier.stop().await;
	let journal = Journal::open(&dir.path().join("data/journal.redb")).unwrap();
	journal.evidence(task_hash(&task)).unwrap()
}

#[tokio::test]
async fn what_a_device_signed_and_opened_should_be_kept() {
	for (script, opens) in
		[(Script::Honest, true), (Script::Skips, true), (Script::NeverOpens, false)]
	{
		let kept = kept_of(script).await.unwrap();
		assert_eq!(kept.signed.commit.power, POWER, "{script:?}");
		assert_eq!(!kept.openings.is_empty(), opens, "{script:?}");
	}
	assert_eq!(kept_of(Script::OpensGarbage).await.unwrap().openings, [0xff; 100]);
	for script in [Script::ForgesSignature, Script::Confused, Script::Silent] {
		assert_eq!(kept_of(script).await, None, "{script:?}");
	}
}
