//! Devices that have lost their lanes when these are to be opened.

use super::{device::REFILL, restart::wait_for, *};
use armature_verifier::challenge::fraud::check_fraud;

/// The verdict on a device whose lanes are opened.
async fn judged(millis: u64, script: Script) -> (Verdict, Device) {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, script, &verifier).await;
	chain.open_round(5, 1, millis);
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	(verdict, device)
}

#[tokio::test]
async fn lanes_that_are_gone_should_be_computed_again_and_timed_once() {
	for times in [1, 2] {
		let begun = std::time::Instant::now();
		let (verdict, device) = judged(60_000, Script::LosesWork(times)).await;
		let took = u32::try_from(begun.elapsed().as_millis()).unwrap();
		let again = times * u32::try_from(REFILL.as_millis()).unwrap();
		assert!(elapsed_of(&verdict) + again <= took, "{verdict:?} of {took}");
		assert_eq!((device.started(), device.openings()), (1 + times, 1 + times));
	}
}

#[tokio::test]
async fn same_segments_should_be_asked_for_after_lanes_were_lost() {
	let (verdict, device) = judged(60_000, Script::LosesWork(1)).await;
	assert!(matches!(verdict, Verdict::Passed { .. }), "{verdict:?}");
	let segments = device.segments();
	let [first, second] = segments.as_slice() else { panic!("{segments:?}") };
	assert_eq!((first, first.len()), (second, 10));
}

#[tokio::test]
async fn device_should_fail_when_it_loses_its_lanes_to_the_end() {
	let (verdict, device) = judged(7_000, Script::LosesWork(u32::MAX)).await;
	assert_eq!(verdict, failed(ChallengeFailure::NoAnswer));
	assert!(device.started() > 2, "{}", device.started());
}

#[tokio::test]
async fn two_roots_should_lead_to_a_proof_that_the_chain_accepts() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, Script::ComputesOtherwise, &verifier).await;
	let task = chain.open_round(5, 1, 60_000);
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::WrongResult));
	wait_for(|| !chain.proofs.lock().unwrap().is_empty()).await;
	verifier.stop().await;
	let proofs = chain.proofs.lock().unwrap();
	let [(RoundId(5), proof)] = proofs.as_slice() else { panic!("{proofs:?}") };
	assert!(matches!(proof, FraudProof::Equivocation { .. }), "{proof:?}");
	assert_eq!(check_fraud(&GENESIS, &task, &public_key(task.device), proof), Ok(()));
}
