//! Turns without a place, memory that is lost, and devices that say that nobody asked them.

use super::{
	device::REFILL,
	fairness::{cramped, is_judged},
	memory::figures,
	restart::wait_for,
	*,
};
use armature_p2p::messages::MAX_BLOCKS;
use armature_verifier::challenge::fraud::check_fraud;

/// Several times what a turn waits for a place.
const LET_GO: Duration = Duration::from_secs(6);

const NO_ANSWER: Verdict = Verdict::Failed { reason: ChallengeFailure::NoAnswer };

/// Has a device judged in round 2, a round of memory, whose first turn finds no place.
async fn let_go(
	dir: &Path,
	chain: &Arc<MemoryChain>,
	script: Script,
	millis: u64,
) -> (Verifier, Device, Device) {
	let verifier = cramped(dir, chain, 60_000).await;
	let holder = Device::connect(1, Script::OpensWhenTold, &verifier).await;
	let walker = Device::connect(2, script, &verifier).await;
	chain.open_round(1, 1, 300_000);
	wait_for(|| holder.openings() > 0).await;
	chain.open_memory_round(2, 2, millis);
	wait_for(|| walker.turns() > 0).await;
	tokio::time::sleep(LET_GO).await;
	assert_eq!((walker.turns(), walker.walks()), (1, 0));
	holder.told.notify_one();
	(verifier, holder, walker)
}

#[tokio::test]
async fn turn_should_be_let_go_while_no_place_is_free() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let (verifier, _holder, walker) = let_go(dir.path(), &chain, Script::Honest, 300_000).await;
	figures(&chain.verdict(2).await);
	assert_eq!((walker.turns(), walker.walks()), (2, 1));
	assert!(matches!(chain.verdict(1).await, Verdict::Passed { .. }));
	verifier.stop().await;
}

#[tokio::test]
async fn device_should_fail_when_it_loses_its_own_turns_after_one_was_let_go() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let script = Script::RefusesWalks;
	let (verifier, _holder, walker) = let_go(dir.path(), &chain, script, 300_000).await;
	assert_eq!(chain.verdict(2).await, NO_ANSWER);
	// The turn that was let go was none of the three.
	assert_eq!((walker.turns(), walker.walks()), (4, 3));
	verifier.stop().await;
}

/// Leaves a whole turn after one that was let go, and is over before tests give up.
const FADING: u64 = 19_000;

#[tokio::test]
async fn device_should_fail_when_it_is_silent_after_it_lost_a_turn_of_its_own() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	// One that is let go, and one of its own.
	let (verifier, _holder, walker) = let_go(dir.path(), &chain, Script::Fades(2), FADING).await;
	assert_eq!(chain.verdict(2).await, NO_ANSWER);
	assert_eq!(walker.walks(), 1);
	verifier.stop().await;
}

#[tokio::test]
async fn nobody_should_fail_when_the_only_turn_was_let_go() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let (verifier, _holder, walker) = let_go(dir.path(), &chain, Script::Fades(1), FADING).await;
	// The device has another round after that.
	chain.open_round(3, 2, 300_000);
	wait_for(|| walker.started() > 1).await;
	assert!(matches!(chain.verdict(3).await, Verdict::Passed { .. }));
	assert!(!is_judged(&chain, 2));
	assert_eq!(walker.walks(), 0);
	verifier.stop().await;
}

/// The verdict on a device whose memory is measured, with ample time.
async fn judged(script: Script) -> (Verdict, Device) {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, script, &verifier).await;
	chain.open_memory_round(5, 1, 60_000);
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	(verdict, device)
}

#[tokio::test]
async fn memory_that_is_gone_should_be_filled_again_and_timed_once() {
	for times in [1, 2] {
		let begun = std::time::Instant::now();
		let (verdict, device) = judged(Script::LosesMemory(times)).await;
		let took = u32::try_from(begun.elapsed().as_millis()).unwrap();
		let refills = times * u32::try_from(REFILL.as_millis()).unwrap();
		let (fill, _) = figures(&verdict);
		assert!(fill + refills <= took, "{fill} of {took}");
		let asked = (device.started(), device.turns(), device.walks());
		assert_eq!(asked, (1 + times, 1 + times, 1));
	}
}

#[tokio::test]
async fn device_should_fail_when_it_does_not_keep_its_memory() {
	let (at_turns, at_blocks) =
		tokio::join!(judged(Script::LosesMemory(3)), judged(Script::LosesMemoryLate(3)));
	for ((verdict, device), walks) in [(at_turns, 0), (at_blocks, 1)] {
		assert_eq!(verdict, NO_ANSWER);
		assert_eq!((device.started(), device.walks()), (3, walks));
	}
}

#[tokio::test]
async fn same_blocks_should_be_asked_for_after_memory_was_lost() {
	let (verdict, device) = judged(Script::LosesMemoryLate(2)).await;
	figures(&verdict);
	assert_eq!((device.started(), device.turns(), device.walks()), (3, 1, 1));
	let blocks = device.blocks();
	let [first, second, third, rest] = blocks.as_slice() else { panic!("{blocks:?}") };
	assert_eq!((first, first), (second, third));
	assert_eq!((first.len(), rest.len()), (MAX_BLOCKS, 24 - MAX_BLOCKS));
}

#[tokio::test]
async fn same_blocks_should_be_asked_for_when_others_came_first() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = cramped(dir.path(), &chain, 5_000).await;
	let device = Device::connect(1, Script::MissesOpenings, &verifier).await;
	chain.open_memory_round(5, 1, 60_000);
	figures(&chain.verdict(5).await);
	verifier.stop().await;
	// The walk was opened: there is no need of another one.
	assert_eq!((device.turns(), device.walks()), (1, 1));
	let blocks = device.blocks();
	let [first, second, _] = blocks.as_slice() else { panic!("{blocks:?}") };
	assert_eq!(first, second);
}

#[tokio::test]
async fn two_roots_should_lead_to_a_proof_that_the_chain_accepts() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, Script::FillsOtherwise, &verifier).await;
	let task = chain.open_memory_round(5, 1, 60_000);
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::WrongResult));
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	verifier.stop().await;
	let proofs = chain.proofs.lock().unwrap();
	let [(RoundId(5), proof)] = proofs.as_slice() else { panic!("{proofs:?}") };
	assert!(matches!(proof, FraudProof::Equivocation { .. }), "{proof:?}");
	assert_eq!(check_fraud(&GENESIS, &task, &public_key(task.device), proof), Ok(()));
}

#[tokio::test]
async fn device_that_denies_at_first_should_pass() {
	let (verdict, device) = judged(Script::DeniesTurns(4)).await;
	figures(&verdict);
	assert_eq!((device.turns(), device.walks()), (5, 1));
}

#[tokio::test]
async fn device_that_denies_to_the_end_should_fail() {
	for script in [Script::DeniesTurns(u32::MAX), Script::DeniesRound(5)] {
		let dir = tempfile::tempdir().unwrap();
		let chain = Arc::new(MemoryChain::default());
		let verifier = start(dir.path(), &chain).await;
		let device = Device::connect(1, script, &verifier).await;
		chain.open_memory_round(5, 1, 10_000);
		assert_eq!(chain.verdict(5).await, NO_ANSWER);
		// It was asked again and again.
		assert!(device.started() > 2 || device.turns() > 1);
		assert_eq!(device.walks(), 0);
		verifier.stop().await;
	}
}

#[tokio::test]
async fn device_should_fail_when_it_denies_after_it_was_told_what_is_looked_at() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::DeniesAfterWalk, &verifier).await;
	chain.open_memory_round(5, 1, 10_000);
	assert_eq!(chain.verdict(5).await, NO_ANSWER);
	assert_eq!(device.walks(), 1);
	assert!(device.turns() > 2);
	verifier.stop().await;
}
