//! A restart neither repeats nor forgets.

use super::*;
use crate::journal::Journal;

#[tokio::test]
async fn verdict_should_be_posted_after_a_restart_when_the_chain_was_away() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.is_deaf.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_round(5, 1, 60_000);
	wait_for(|| chain.calls.load(Ordering::SeqCst) > 0).await;
	verifier.stop().await;
	device.handle.shutdown().await;
	assert!(chain.seals.lock().unwrap().is_empty());

	// WHEN it comes back and the device is gone
	chain.is_deaf.store(false, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	// THEN the verdict that was reached before is sealed and revealed
	assert!(matches!(chain.verdict(5).await, Verdict::Passed { .. }));
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}

#[tokio::test]
async fn sealed_round_should_be_sealed_as_before_after_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.is_lagging.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_round(5, 1, 60_000);
	let seal = chain.seal(5).await;
	// Time for the journal to note that it was posted.
	tokio::time::sleep(Duration::from_millis(200)).await;
	verifier.stop().await;

	let calls = chain.calls.load(Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	device.hello(&verifier).await;
	// The chain still waits for a seal, as after a fork: the same is posted again, after a while and
	// not at once, and the device is not asked again.
	wait_for(|| chain.calls.load(Ordering::SeqCst) > calls).await;
	assert_eq!(chain.seal(5).await, seal);
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}

#[tokio::test]
async fn sealed_verdict_should_be_revealed_after_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.holds_back.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_round(5, 1, 60_000);
	let seal = chain.seal(5).await;
	verifier.stop().await;
	device.handle.shutdown().await;

	let verifier = start(dir.path(), &chain).await;
	chain.holds_back.store(false, Ordering::SeqCst);
	// The chain takes nothing but what was sealed, with its salt.
	assert!(matches!(chain.verdict(5).await, Verdict::Passed { .. }));
	assert_eq!(chain.seal(5).await, seal);
	verifier.stop().await;
}

#[tokio::test]
async fn time_before_a_restart_should_count() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	chain.open_round(5, 1, 60_000);
	tokio::time::sleep(Duration::from_millis(700)).await;
	verifier.stop().await;

	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, Script::Honest, &verifier).await;
	let verdict = chain.verdict(5).await;
	assert!((650..30_000).contains(&elapsed_of(&verdict)), "{verdict:?}");
	verifier.stop().await;
}

#[tokio::test]
async fn stop_should_leave_the_journal_free() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	for attempt in 0..20 {
		let verifier = start(dir.path(), &chain).await;
		// Its first sight is written, and it is judged, for the device is away, until the stop.
		chain.open_round(attempt, 1, 600_000);
		tokio::time::sleep(Duration::from_millis(15 + attempt)).await;
		verifier.stop().await;
		drop(Journal::open(&dir.path().join("data/journal.redb")).unwrap());
	}
}

pub(super) async fn wait_for(condition: impl Fn() -> bool) {
	for _ in 0..1_500 {
		if condition() {
			return;
		}
		tokio::time::sleep(Duration::from_millis(10)).await;
	}
	panic!("condition did not come true in 15 s");
}
