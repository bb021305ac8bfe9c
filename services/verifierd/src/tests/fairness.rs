//! Slow devices do not keep others from being judged.

use super::{restart::wait_for, *};

/// A verifier with one place for openings.
pub(super) async fn cramped(dir: &Path, chain: &Arc<MemoryChain>, opening_millis: u64) -> Verifier {
	let mut config = test_config(dir);
	config.challenges.max_concurrent = 1;
	config.challenges.opening_millis = opening_millis;
	Verifier::start(config, chain.clone()).await.unwrap()
}

pub(super) fn is_judged(chain: &MemoryChain, round: u64) -> bool {
	chain.seals.lock().unwrap().contains_key(&RoundId(round))
}

#[tokio::test]
async fn round_that_waits_for_its_device_should_take_no_place() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 60_000).await;
	let silent = Device::connect(1, Script::Silent, &verifier).await;
	let busy = Device::connect(2, Script::BusyTurns(u32::MAX), &verifier).await;
	let _honest = Device::connect(3, Script::Honest, &verifier).await;
	chain.open_round(1, 1, 60_000);
	chain.open_memory_round(2, 2, 60_000);
	wait_for(|| silent.started() > 0 && busy.turns() > 0).await;
	chain.open_round(3, 3, 60_000);
	assert!(matches!(chain.verdict(3).await, Verdict::Passed { .. }));
	assert!(!is_judged(&chain, 1) && !is_judged(&chain, 2));
	verifier.stop().await;
}

#[tokio::test]
async fn device_that_is_slow_to_open_should_give_its_place_to_the_next() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 1_000).await;
	let lanes = Device::connect(1, Script::NeverOpens, &verifier).await;
	let memory = Device::connect(2, Script::NeverOpens, &verifier).await;
	chain.open_round(1, 1, 120_000);
	chain.open_memory_round(2, 2, 120_000);
	// Each has had the one place.
	wait_for(|| lanes.openings() > 0 && memory.openings() > 0).await;
	for id in 3..6u32 {
		let _honest = Device::connect(id, Script::Honest, &verifier).await;
		chain.open_round(id.into(), id, 60_000);
		assert!(matches!(chain.verdict(id.into()).await, Verdict::Passed { .. }));
	}
	// A device is asked for three walks, not more. (While the other one had the place, this one's turns
	// were let go.)
	wait_for(|| memory.walks() == 3).await;
	let asked = lanes.openings();
	wait_for(|| lanes.openings() > asked).await;
	assert!(!is_judged(&chain, 1));
	assert_eq!(memory.walks(), 3);
	verifier.stop().await;
}

#[tokio::test]
async fn device_should_have_one_round_under_judgement_at_a_time() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Silent, &verifier).await;
	let _other = Device::connect(2, Script::Honest, &verifier).await;
	chain.open_round(1, 1, 60_000);
	chain.open_round(2, 1, 60_000);
	wait_for(|| device.started() > 0).await;
	// What is listed later has been looked at, too.
	chain.open_round(3, 2, 60_000);
	chain.verdict(3).await;
	assert_eq!(device.started(), 1);
	// Another block takes the place of the first one's: the device has to do what the chain lists.
	chain.open.lock().unwrap().retain(|task| task.round != RoundId(1));
	wait_for(|| device.started() > 1).await;
	// The first one comes back, and waits.
	chain.open_round(1, 1, 60_000);
	chain.open_round(4, 2, 60_000);
	chain.verdict(4).await;
	assert_eq!(device.started(), 2);
	assert!(!is_judged(&chain, 1) && !is_judged(&chain, 2));
	verifier.stop().await;
}
