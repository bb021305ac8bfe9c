//! Every kind of device gets the verdict that it has earned.

use super::*;

/// The verdict on a device with ample time.
async fn verdict_on(script: Script) -> Verdict {
	verdict_within(10_000, script).await
}

async fn verdict_within(millis: u64, script: Script) -> Verdict {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, script, &verifier).await;
	chain.open_round(5, 1, millis);
	let verdict = chain.verdict(5).await;
	assert!(chain.open.lock().unwrap().is_empty());
	verifier.stop().await;
	verdict
}

#[tokio::test]
async fn honest_device_should_pass_with_its_time_and_power() {
	let slow = Duration::from_millis(300);
	let verdict = verdict_on(Script::Slow(slow)).await;
	let Verdict::Passed { measured, power, .. } = verdict else { panic!("{verdict:?}") };
	assert!(matches!(measured, Measured::Cpu { elapsed_millis: 300..9_900 }), "{measured:?}");
	assert_eq!(power, POWER);
	let verdict = verdict_on(Script::Honest).await;
	assert!((1..9_900).contains(&elapsed_of(&verdict)), "{verdict:?}");
}

#[tokio::test]
async fn device_should_fail_when_it_made_up_segments() {
	// Half of the segments are made up, ten are sampled: a miss has odds of 1 in 4,500 at most.
	assert_eq!(verdict_on(Script::Skips).await, failed(ChallengeFailure::WrongResult));
}

#[tokio::test]
async fn device_should_fail_when_it_opens_something_else() {
	assert_eq!(verdict_on(Script::OpensOthers).await, failed(ChallengeFailure::BadOpening));
	assert_eq!(verdict_on(Script::OpensTooFew).await, failed(ChallengeFailure::Malformed));
	assert_eq!(verdict_on(Script::OpensBackwards).await, failed(ChallengeFailure::Malformed));
	assert_eq!(verdict_on(Script::OpensGarbage).await, failed(ChallengeFailure::Malformed));
}

#[tokio::test]
async fn device_should_fail_when_its_commitment_is_wrong() {
	assert_eq!(verdict_on(Script::ForgesSignature).await, failed(ChallengeFailure::BadSignature));
	assert_eq!(verdict_on(Script::OtherTask).await, failed(ChallengeFailure::Malformed));
	assert_eq!(verdict_on(Script::AbsurdPower).await, failed(ChallengeFailure::BadPower));
	assert_eq!(verdict_on(Script::Confused).await, failed(ChallengeFailure::Malformed));
}

#[tokio::test]
async fn device_should_fail_when_it_is_silent_or_late() {
	let late = Script::Slow(Duration::from_millis(2_000));
	for script in [Script::Silent, Script::NeverOpens, late] {
		let verdict = verdict_within(1_200, script).await;
		assert_eq!(verdict, failed(ChallengeFailure::NoAnswer), "{script:?}");
	}
}

#[tokio::test]
async fn device_should_pass_when_it_was_busy_at_first() {
	let verdict = verdict_on(Script::BusyAtFirst(2)).await;
	// Two pauses of a quarter of a second count against it.
	assert!((500..9_900).contains(&elapsed_of(&verdict)), "{verdict:?}");
}

#[tokio::test]
async fn absent_device_should_fail_at_the_deadline_and_not_before() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let mut config = test_config(dir.path());
	config.challenges.posting_margin_millis = 8_000;
	let verifier = Verifier::start(config, chain.clone()).await.unwrap();
	let task = chain.open_round(5, 1, 9_000);
	chain.seal(5).await;
	let margin = task.deadline.saturating_sub(unix_millis());
	assert!((1..=8_010).contains(&margin), "{margin}");
	assert_eq!(chain.verdict(5).await, failed(ChallengeFailure::NoAnswer));
	verifier.stop().await;
}

#[tokio::test]
async fn round_that_is_seen_too_late_should_be_left_alone() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let mut config = test_config(dir.path());
	config.challenges.min_window_millis = 5_000;
	let verifier = Verifier::start(config, chain.clone()).await.unwrap();
	let device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_round(5, 1, 1_000);
	chain.open_round(6, 1, 20_000);
	assert!(matches!(chain.verdict(6).await, Verdict::Passed { .. }));
	tokio::time::sleep(Duration::from_millis(1_100)).await;
	verifier.stop().await;
	assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(5)));
	assert_eq!(device.started(), 1);
}

#[tokio::test]
async fn device_that_comes_late_should_still_pass_and_its_absence_count() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	chain.open_round(5, 1, 20_000);
	tokio::time::sleep(Duration::from_millis(600)).await;
	let _device = Device::connect(1, Script::Honest, &verifier).await;
	let verdict = chain.verdict(5).await;
	assert!((550..19_900).contains(&elapsed_of(&verdict)), "{verdict:?}");
	verifier.stop().await;
}

#[tokio::test]
async fn rounds_should_be_judged_side_by_side() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let mut devices = vec![Device::connect(1, Script::Silent, &verifier).await];
	for id in 2..8 {
		devices.push(Device::connect(id, Script::Honest, &verifier).await);
	}
	chain.open_round(1, 1, 12_000);
	for id in 2..8u32 {
		chain.open_round(u64::from(id), id, 60_000);
	}
	for id in 2..8 {
		assert!(matches!(chain.verdict(id).await, Verdict::Passed { .. }));
	}
	// None of them had to wait for the silent one.
	assert!(!chain.verdicts.lock().unwrap().contains_key(&RoundId(1)));
	assert_eq!(chain.verdict(1).await, failed(ChallengeFailure::NoAnswer));
	verifier.stop().await;
}

#[tokio::test]
async fn refused_seal_should_not_hold_up_the_others() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.refused.lock().unwrap().push(RoundId(2));
	let verifier = start(dir.path(), &chain).await;
	let mut devices = Vec::new();
	for id in 1..4 {
		devices.push(Device::connect(id, Script::Honest, &verifier).await);
	}
	chain.is_deaf.store(true, Ordering::SeqCst);
	for id in 1..4u32 {
		chain.open_round(u64::from(id), id, 20_000);
	}
	// All are decided before the first can be posted, so they go out as one batch.
	tokio::time::sleep(Duration::from_millis(1_500)).await;
	chain.is_deaf.store(false, Ordering::SeqCst);
	for id in [1, 3] {
		assert!(matches!(chain.verdict(id).await, Verdict::Passed { .. }));
	}
	assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(2)));
	verifier.stop().await;
}

#[tokio::test]
async fn task_out_of_bounds_should_get_no_verdict_and_hurt_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	let bad = CpuChallenge { lanes: 0, segments: 20, steps_per_segment: 16 };
	chain.open_work(1, 1, 60_000, Work::Cpu(bad));
	chain.open_round(2, 1, 60_000);
	assert!(matches!(chain.verdict(2).await, Verdict::Passed { .. }));
	assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(1)));
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}

#[tokio::test]
async fn hello_should_be_refused_when_anything_is_wrong() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let stranger = Device::offline(100, Script::Honest);
	let refused = |reason| ControlResponse::Refused { reason };
	assert_eq!(stranger.hello(&verifier).await, refused(Refusal::UnknownDevice));
	let device = Device::offline(1, Script::Honest);
	let peer = device.dial(&verifier).await;
	let ask = |request| device.handle.control(peer, request, WAIT);
	let forged = device.hello_at(unix_millis(), 2);
	assert_eq!(ask(forged).await.unwrap(), refused(Refusal::BadSignature));
	let old = device.hello_at(unix_millis() - 10_000, 1);
	assert_eq!(ask(old).await.unwrap(), refused(Refusal::Malformed));
	let others = Device::offline(2, Script::Honest).hello_at(unix_millis(), 2);
	assert_eq!(ask(others).await.unwrap(), refused(Refusal::Malformed));
	let beside = ControlRequest::LeaseNotice { lease: LeaseId(1) };
	assert_eq!(ask(beside).await.unwrap(), refused(Refusal::NotAssigned));
	let ControlResponse::Status { report } = ask(ControlRequest::Status).await.unwrap() else {
		panic!("no status")
	};
	assert_eq!(report.devices, 0);
	verifier.stop().await;
}
