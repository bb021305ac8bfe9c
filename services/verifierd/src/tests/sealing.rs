//! Verdicts are sealed first and revealed later.

use super::{restart::wait_for, *};
use armature_verifier::signature::verify_device;

fn calls(chain: &MemoryChain) -> u32 {
	chain.calls.load(Ordering::SeqCst)
}

/// A chain on which others have not sealed, and honest devices that are judged and sealed.
async fn all_sealed(
	dir: &Path,
	devices: std::ops::Range<u32>,
) -> (Arc<MemoryChain>, Verifier, Vec<Device>) {
	let chain = Arc::new(MemoryChain::default());
	chain.holds_back.store(true, Ordering::SeqCst);
	let verifier = start(dir, &chain).await;
	let mut connected = Vec::new();
	for id in devices.clone() {
		connected.push(Device::connect(id, Script::Honest, &verifier).await);
	}
	for id in devices.clone() {
		chain.open_round(id.into(), id, 60_000);
	}
	for id in devices {
		chain.seal(id.into()).await;
	}
	(chain, verifier, connected)
}

#[tokio::test]
async fn nothing_should_be_revealed_before_the_others_have_sealed() {
	let dir = tempfile::tempdir().unwrap();
	let (chain, verifier, _device) = all_sealed(dir.path(), 5..6).await;
	// Longer than anything waits before it is posted again.
	tokio::time::sleep(Duration::from_millis(1_700)).await;
	assert_eq!(calls(&chain), 1);
	assert!(chain.verdicts.lock().unwrap().is_empty());

	chain.holds_back.store(false, Ordering::SeqCst);
	assert!(matches!(chain.verdict(5).await, Verdict::Passed { .. }));
	assert_eq!(calls(&chain), 2);
	verifier.stop().await;
}

#[tokio::test]
async fn seal_should_be_posted_again_while_the_chain_waits_for_it() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.is_lagging.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_round(5, 1, 60_000);
	let seal = chain.seal(5).await;
	wait_for(|| calls(&chain) > 2).await;
	assert_eq!(chain.seal(5).await, seal);
	assert!(chain.verdicts.lock().unwrap().is_empty());
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}

#[tokio::test]
async fn verdict_should_be_posted_again_while_the_chain_waits_for_it() {
	let dir = tempfile::tempdir().unwrap();
	let (chain, verifier, _device) = all_sealed(dir.path(), 5..6).await;
	chain.is_lagging.store(true, Ordering::SeqCst);
	chain.holds_back.store(false, Ordering::SeqCst);
	let verdict = chain.verdict(5).await;
	let first = calls(&chain);
	wait_for(|| calls(&chain) > first).await;
	assert_eq!(chain.verdict(5).await, verdict);
	verifier.stop().await;
}

#[tokio::test]
async fn refused_reveal_should_not_hold_up_the_others() {
	let dir = tempfile::tempdir().unwrap();
	let (chain, verifier, _devices) = all_sealed(dir.path(), 1..4).await;
	chain.refused.lock().unwrap().push(RoundId(2));
	chain.holds_back.store(false, Ordering::SeqCst);
	for id in [1, 3] {
		assert!(matches!(chain.verdict(id).await, Verdict::Passed { .. }));
	}
	assert!(!chain.verdicts.lock().unwrap().contains_key(&RoundId(2)));
	verifier.stop().await;
}

#[tokio::test]
async fn passed_verdict_should_carry_what_the_device_signed() {
	let dir = tempfile::tempdir().unwrap();
	let (chain, verifier, _device) = all_sealed(dir.path(), 5..6).await;
	let task = chain.open.lock().unwrap()[0];
	chain.holds_back.store(false, Ordering::SeqCst);
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	assert!(is_signed(&task, &verdict), "{verdict:?}");
}

#[tokio::test]
async fn round_that_comes_back_with_another_task_should_be_judged_anew() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.is_lagging.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	let mut task = chain.open_round(5, 1, 60_000);
	let seal = chain.seal(5).await;
	// Another block takes the place of the round's, and the seal is not in what follows.
	task.seed = H256::repeat_byte(9);
	*chain.open.lock().unwrap() = vec![task];
	chain.seals.lock().unwrap().clear();
	chain.is_lagging.store(false, Ordering::SeqCst);
	let verdict = chain.verdict(5).await;
	assert!(is_signed(&task, &verdict), "{verdict:?}");
	assert_ne!(chain.seal(5).await, seal);
	assert_eq!(device.started(), 2);
	verifier.stop().await;
}

/// Whether the verdict is passed, with the signature that the chain asks for.
fn is_signed(task: &ChallengeTask, verdict: &Verdict) -> bool {
	let Verdict::Passed { root, power, signature, .. } = verdict else { return false };
	let commit = ChallengeCommit { task: task_hash(task), root: *root, power: *power };
	let domain = armature_primitives::signing::Domain::ChallengeCommit;
	let key = public_key(task.device);
	verify_device(domain, &GENESIS, task.device, &commit, &key, signature)
}
