//! Rounds about the way to a device: echoes, and data in both directions.

use super::*;
use crate::journal::Journal;
use armature_verifier::challenge::network::commit_root;

/// When transfers begin, after more than a busy machine takes for echoes.
const LEAD: u32 = 2_000;

const NETWORK: NetworkChallenge =
	NetworkChallenge { echoes: 3, lead_millis: LEAD, transfer_millis: 1_000, transfer_kib: 512 };

async fn verdict_with(network: NetworkChallenge, script: Script) -> Verdict {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, script, &verifier).await;
	chain.open_work(5, 1, 20_000, Work::Network(network));
	let verdict = chain.verdict(5).await;
	verifier.stop().await;
	verdict
}

async fn verdict_on(script: Script) -> Verdict {
	verdict_with(NETWORK, script).await
}

/// Round trip in microseconds, and rates up and down.
fn figures(verdict: &Verdict) -> (u32, u32, u32) {
	let Verdict::Passed { measured, power, .. } = verdict else { panic!("{verdict:?}") };
	assert_eq!(*power, POWER);
	let Measured::Network { answer_millis, round_trip_micros, up_kbps, down_kbps } = *measured
	else {
		panic!("{measured:?}")
	};
	assert!((1..LEAD).contains(&answer_millis));
	(round_trip_micros, up_kbps, down_kbps)
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_device_should_pass_with_its_figures() {
	let verdict = verdict_on(Script::Honest).await;
	let (round_trip, up, down) = figures(&verdict);
	assert!((1..LEAD * 1_000).contains(&round_trip), "{verdict:?}");
	// All of it, in less than the time that there is.
	let least = 512 * 1_024 * 8 / 1_000;
	assert!(up > least && down > least, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_come_in_time_should_not_count() {
	// More than comes in that time, however fast the machine.
	let network = NetworkChallenge { transfer_kib: 1 << 18, transfer_millis: 250, ..NETWORK };
	let (_, up, down) = figures(&verdict_with(network, Script::Honest).await);
	let all = u32::try_from((1u64 << 28) * 8 / 250).unwrap();
	assert!((1..all).contains(&up) && (1..all).contains(&down), "{up} {down}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_echoes_should_tell_of_a_long_way() {
	let pause = Duration::from_millis(300);
	let verdict = verdict_on(Script::EchoesSlowly(pause)).await;
	assert!(figures(&verdict).0 >= 300_000, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn device_should_fail_when_it_answers_something_else() {
	for (script, reason) in [
		(Script::NeverEchoes, ChallengeFailure::NoAnswer),
		(Script::ForgesEchoes, ChallengeFailure::BadSignature),
		(Script::SendsNothing, ChallengeFailure::NoAnswer),
		(Script::SendsOther, ChallengeFailure::WrongResult),
		(Script::TakesNothing, ChallengeFailure::NoAnswer),
		(Script::TakesOther, ChallengeFailure::WrongResult),
		(Script::OpensOthers, ChallengeFailure::BadOpening),
		(Script::ForgesSignature, ChallengeFailure::BadSignature),
		(Script::AbsurdPower, ChallengeFailure::BadPower),
		(Script::Silent, ChallengeFailure::NoAnswer),
	] {
		assert_eq!(verdict_on(script).await, failed(reason), "{script:?}");
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn device_that_comes_after_the_lead_should_fail() {
	let late = Script::Slow(Duration::from_millis(u64::from(LEAD) + 500));
	assert_eq!(verdict_on(late).await, failed(ChallengeFailure::NoAnswer));
}

#[tokio::test(flavor = "multi_thread")]
async fn device_should_pass_when_it_was_restarted_before_its_echoes() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::LosesRound, &verifier).await;
	chain.open_work(5, 1, 20_000, Work::Network(NETWORK));
	figures(&chain.verdict(5).await);
	assert_eq!(device.started(), 2);
	verifier.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_should_be_kept_and_nothing_else() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, Script::Honest, &verifier).await;
	let task = chain.open_work(5, 1, 20_000, Work::Network(NETWORK));
	chain.seal(5).await;
	verifier.stop().await;
	let journal = Journal::open(&dir.path().join("data/journal.redb")).unwrap();
	let kept = journal.evidence(task_hash(&task)).unwrap().unwrap();
	assert_eq!(kept.signed.commit.root, commit_root(&task));
	assert!(kept.openings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn round_that_would_end_too_late_should_get_no_verdict() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_work(5, 1, 3_900, Work::Network(NETWORK));
	// The device has another round at once.
	chain.open_round(6, 1, 60_000);
	assert!(matches!(chain.verdict(6).await, Verdict::Passed { .. }));
	assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(5)));
	assert_eq!(device.started(), 1);
	verifier.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifier_that_was_away_during_the_lead_should_say_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let device = Device::connect(1, Script::NeverEchoes, &verifier).await;
	chain.open_work(5, 1, 20_000, Work::Network(NETWORK));
	restart::wait_for(|| device.started() > 0).await;
	verifier.stop().await;
	tokio::time::sleep(Duration::from_millis(LEAD.into())).await;
	let verifier = start(dir.path(), &chain).await;
	let _again = Device::connect(1, Script::Honest, &verifier).await;
	// A later one is judged.
	chain.open_work(6, 2, 20_000, Work::Network(NETWORK));
	let _other = Device::connect(2, Script::Honest, &verifier).await;
	figures(&chain.verdict(6).await);
	assert!(!chain.seals.lock().unwrap().contains_key(&RoundId(5)));
	verifier.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_beyond_the_transfers_at_once_should_get_no_verdict() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let mut config = test_config(dir.path());
	config.challenges.max_transfers = 1;
	let verifier = Verifier::start(config, chain.clone()).await.unwrap();
	let _one = Device::connect(1, Script::Honest, &verifier).await;
	let _two = Device::connect(2, Script::Honest, &verifier).await;
	chain.open_work(5, 1, 20_000, Work::Network(NETWORK));
	chain.open_work(6, 2, 20_000, Work::Network(NETWORK));
	restart::wait_for(|| !chain.seals.lock().unwrap().is_empty()).await;
	assert_eq!(chain.seals.lock().unwrap().len(), 1);
	verifier.stop().await;
}

#[test]
fn devices_should_commit_to_what_the_verifiers_code_says() {
	let task = ChallengeTask {
		round: RoundId(1),
		device: DeviceId(2),
		seed: H256::zero(),
		work: Work::Network(NETWORK),
		deadline: 3,
	};
	assert_eq!(commit_root(&task), task_hash(&task));
}
