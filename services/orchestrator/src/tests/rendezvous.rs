//! Hello, status and lease notices.

use super::*;
use armature_p2p::{Refusal, ServiceKind};
use armature_primitives::{
	challenge::{ChallengeTask, CpuChallenge, Work},
	RoundId,
};

#[tokio::test]
async fn hello_should_be_welcomed_when_the_device_is_known() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	let device = Client::connect(1, &orchestrator).await;
	let before = unix_millis();
	let ControlResponse::Welcome { service, now } = device.hello(1).await else {
		panic!("not welcome")
	};
	assert_eq!(service, ServiceKind::Orchestrator);
	assert!((before..=unix_millis()).contains(&now));
	let ControlResponse::Status { report } = device.ask(ControlRequest::Status).await else {
		panic!("no status")
	};
	assert_eq!((report.service, report.devices), (ServiceKind::Orchestrator, 1));
	orchestrator.stop().await;
}

#[tokio::test]
async fn hello_should_be_refused_when_anything_is_wrong() {
	let dir = tempfile::tempdir().unwrap();
	let chain = chain();
	let orchestrator = start(dir.path(), chain.clone()).await;
	let client = Client::connect(1, &orchestrator).await;
	assert_eq!(client.hello(99).await, refused(Refusal::UnknownDevice));
	assert_eq!(client.hello(3).await, refused(Refusal::NotAssigned));
	assert_eq!(client.hello(4).await, refused(Refusal::NotAssigned));

	// A signature of another key.
	let ControlRequest::Hello { peer, sent_at, signature, .. } = client.hello_at(2, unix_millis())
	else {
		unreachable!()
	};
	let forged =
		ControlRequest::Hello { device: DeviceId(1), peer: peer.clone(), sent_at, signature };
	assert_eq!(client.ask(forged).await, refused(Refusal::BadSignature));

	// A hello of another peer, repeated.
	let other = Client::connect(2, &orchestrator).await;
	let stolen = other.hello_at(1, unix_millis());
	assert_eq!(client.ask(stolen).await, refused(Refusal::Malformed));

	// Clocks too far off, either way.
	for sent_at in [unix_millis() - 70_000, unix_millis() + 70_000] {
		let request = client.hello_at(1, sent_at);
		assert_eq!(client.ask(request).await, refused(Refusal::Malformed));
	}

	chain.set_down(true);
	assert_eq!(client.hello(1).await, refused(Refusal::Internal));
	chain.set_down(false);
	assert!(matches!(client.hello(1).await, ControlResponse::Welcome { .. }));
	// One device a peer.
	assert_eq!(client.hello(2).await, refused(Refusal::NotAssigned));
	orchestrator.stop().await;
}

#[tokio::test]
async fn newer_hello_should_move_the_device_and_an_older_one_should_not() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	let first = Client::connect(1, &orchestrator).await;
	let second = Client::connect(2, &orchestrator).await;
	let now = unix_millis();
	assert!(matches!(first.ask(first.hello_at(1, now)).await, ControlResponse::Welcome { .. }));
	let older = second.hello_at(1, now - 1);
	assert_eq!(second.ask(older).await, refused(Refusal::Malformed));
	assert!(first.handle.is_connected(&first.server));

	let newer = second.hello_at(1, now + 1);
	assert!(matches!(second.ask(newer).await, ControlResponse::Welcome { .. }));
	wait_until(|| !first.handle.is_connected(&first.server)).await;
	assert!(second.handle.is_connected(&second.server));
	orchestrator.stop().await;
}

#[tokio::test]
async fn lease_should_be_announced_to_its_device_only_and_again_later() {
	let dir = tempfile::tempdir().unwrap();
	let chain = chain();
	let orchestrator = start(dir.path(), chain.clone()).await;
	let mut one = Client::connect(1, &orchestrator).await;
	let mut two = Client::connect(2, &orchestrator).await;
	one.hello(1).await;
	two.hello(2).await;
	chain.offer(41, 1);
	chain.offer(42, 2);
	chain.offer(43, 99);
	assert_eq!(one.next_notice().await, LeaseId(41));
	assert_eq!(two.next_notice().await, LeaseId(42));
	// Still offered: told again, not before the time, and nothing else.
	let told = tokio::time::Instant::now();
	assert_eq!(one.next_notice().await, LeaseId(41));
	assert!(told.elapsed() >= Duration::from_millis(300), "{:?}", told.elapsed());
	orchestrator.stop().await;
}

#[tokio::test]
async fn lease_should_be_announced_when_its_device_arrives() {
	let dir = tempfile::tempdir().unwrap();
	let chain = chain();
	chain.offer(41, 1);
	let orchestrator = start(dir.path(), chain).await;
	let mut device = Client::connect(1, &orchestrator).await;
	tokio::time::sleep(Duration::from_millis(200)).await;
	assert!(device.inbound.try_recv().is_err());
	device.hello(1).await;
	assert_eq!(device.next_notice().await, LeaseId(41));
	orchestrator.stop().await;
}

#[tokio::test]
async fn requests_of_other_services_should_be_refused() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	let client = Client::connect(1, &orchestrator).await;
	let task = ChallengeTask {
		round: RoundId(1),
		device: DeviceId(1),
		seed: H256::zero(),
		work: Work::Cpu(CpuChallenge { lanes: 1, segments: 1, steps_per_segment: 1 }),
		deadline: 0,
	};
	for request in [
		ControlRequest::StartChallenge { task },
		ControlRequest::OpenSegments { round: RoundId(1), task: H256::zero(), segments: vec![] },
		ControlRequest::ReserveWalk { task: H256::zero() },
		ControlRequest::Walk { task: H256::zero(), key: H256::zero() },
		ControlRequest::OpenBlocks { task: H256::zero(), positions: vec![] },
		ControlRequest::OpenWalk { task: H256::zero(), key: H256::zero(), segments: vec![] },
		ControlRequest::Echo { task: H256::zero(), nonce: H256::zero() },
		ControlRequest::Fetch { task: H256::zero(), key: H256::zero(), number: 0, len: 1 },
		ControlRequest::Deliver { task: H256::zero(), key: H256::zero(), number: 0, data: vec![1] },
		ControlRequest::LeaseNotice { lease: LeaseId(1) },
	] {
		assert_eq!(client.ask(request).await, refused(Refusal::NotAssigned));
	}
	orchestrator.stop().await;
}

#[tokio::test]
async fn idle_stranger_should_be_disconnected_and_a_device_kept() {
	let dir = tempfile::tempdir().unwrap();
	let mut config = test_config(dir.path());
	config.network.idle_peer_millis = 100;
	let orchestrator = Orchestrator::start(config, chain()).await.unwrap();
	let device = Client::connect(1, &orchestrator).await;
	device.hello(1).await;
	let stranger = Client::connect(2, &orchestrator).await;
	// The sweep notes the stranger once and disconnects it at the next.
	wait_until(|| !stranger.handle.is_connected(&stranger.server)).await;
	assert!(device.handle.is_connected(&device.server));
	orchestrator.stop().await;
}

#[tokio::test]
async fn start_should_fail_when_the_chain_is_down() {
	let dir = tempfile::tempdir().unwrap();
	let chain = chain();
	chain.set_down(true);
	let result = Orchestrator::start(test_config(dir.path()), chain).await;
	assert!(matches!(result, Err(crate::Error::Chain(_))));
}

pub(super) async fn wait_until(condition: impl Fn() -> bool) {
	for _ in 0..1500 {
		if condition() {
			return;
		}
		tokio::time::sleep(Duration::from_millis(10)).await;
	}
	panic!("condition did not come true in 15 s");
}
