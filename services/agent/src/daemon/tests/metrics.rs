//! What the agent counts is served.

use super::*;
use armature_metrics::MetricsError;
use std::{
	io::{Read, Write},
	net::{SocketAddr, TcpListener, TcpStream},
};

fn with_metrics(dir: &std::path::Path, listen: SocketAddr) -> Config {
	let mut config = config(dir);
	config.metrics.listen = Some(listen);
	config
}

/// What is served; nothing where nobody listens.
fn read(address: SocketAddr) -> String {
	let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
	stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
	let mut answer = String::new();
	stream.read_to_string(&mut answer).expect("answered");
	answer
}

/// Waits until all these lines are served.
async fn until_served(address: SocketAddr, lines: &[&str]) {
	let mut text = String::new();
	let deadline = Instant::now() + Duration::from_secs(60);
	while !lines.iter().all(|line| text.lines().any(|served| served == *line)) {
		assert!(Instant::now() < deadline, "not all of {lines:#?} in {text}");
		tokio::time::sleep(Duration::from_millis(20)).await;
		text = read(address);
	}
}

/// Waits until a series has counted something.
async fn until_counted(address: SocketAddr, series: &str) {
	until(series, || {
		let text = read(address);
		text.contains(series) && !text.contains(&format!("{series} 0"))
	})
	.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_should_be_counted_by_kind_and_outcome() {
	let dir = tempfile::tempdir().expect("a directory");
	// Free again at once.
	let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
	let address = listener.local_addr().expect("bound");
	drop(listener);
	let config = with_metrics(dir.path(), address);
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let service = Service::spawn(key.public()).await;
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	let round = |id: u64| ChallengeTask {
		round: RoundId(id),
		device: DEVICE,
		seed: H256([8; 32]),
		work: Work::Cpu(CpuChallenge { lanes: 2, segments: 10, steps_per_segment: 16 }),
		deadline: clock::now() + 120_000,
	};
	let (in_time, late) = (round(1), ChallengeTask { deadline: clock::now(), ..round(2) });
	chain.edit(|chain| {
		chain.slot_millis = 20;
		chain.verifiers = vec![service.address.clone()];
	});
	let (stop, stopped) = oneshot::channel::<()>();
	let agent = tokio::spawn(run(config, chain.clone(), async {
		stopped.await.ok();
	}));
	let nothing = [
		r#"armature_agent_beats_total{outcome="acknowledged"} 0"#,
		r#"armature_agent_rounds_total{kind="cpu",outcome="answered"} 0"#,
		r#"armature_agent_rounds_total{kind="gemm",outcome="failed"} 0"#,
		r#"armature_agent_rounds_total{kind="network",outcome="no-memory"} 0"#,
		r#"armature_agent_round_seconds_count{kind="network"} 0"#,
		r#"armature_agent_rounds_total{kind="storage",outcome="failed"} 0"#,
		"armature_agent_sealed_storage_bytes 0",
		r#"armature_agent_leases_total{outcome="success"} 0"#,
		r#"armature_agent_leases_total{outcome="declined"} 0"#,
		"armature_agent_leases_running 0",
		"armature_agent_services_connected 1",
	];
	until_served(address, &nothing).await;
	until_counted(address, r#"armature_agent_beats_total{outcome="unsent"}"#).await;

	let peer = service.seen(|seen| seen.hello).expect("greeted");
	for task in [in_time, late] {
		chain.edit(|chain| chain.rounds = vec![task]);
		let start = ControlRequest::StartChallenge { task };
		let answer = service.handle.control(peer, start, Duration::from_secs(60)).await;
		answer.expect("answered");
	}
	chain.edit(|chain| {
		chain.orchestrators = vec![service.address.clone()];
		// Too late to be run: it stays.
		let phase = LeasePhase::Running { until: 1 };
		chain.leases = vec![LeaseView { id: LeaseId(5), spec: order(), phase }];
	});
	let something = [
		r#"armature_agent_rounds_total{kind="cpu",outcome="answered"} 1"#,
		r#"armature_agent_rounds_total{kind="cpu",outcome="stopped"} 1"#,
		r#"armature_agent_rounds_total{kind="cpu",outcome="failed"} 0"#,
		r#"armature_agent_round_seconds_count{kind="cpu"} 1"#,
		"armature_agent_leases_running 1",
	];
	until_served(address, &something).await;
	until_counted(address, r#"armature_agent_beats_total{outcome="acknowledged"}"#).await;

	// One that wants more memory than the device offers is given back.
	chain.edit(|chain| {
		let phase = LeasePhase::Offered { until: clock::now() + 120_000 };
		let spec = OrderSpec { max_memory_mib: 1_025, ..order() };
		chain.leases = vec![LeaseView { id: LeaseId(6), spec, phase }];
	});
	let declined =
		[r#"armature_agent_leases_total{outcome="declined"} 1"#, "armature_agent_leases_running 0"];
	until_served(address, &declined).await;
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
	assert!(TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_should_not_start_where_metrics_cannot_be_served() {
	let dir = tempfile::tempdir().expect("a directory");
	let key = DeviceKey::generate(&config(dir.path()).key_path()).expect("a key");
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
	let taken = listener.local_addr().expect("bound");
	let go = |listen| run(with_metrics(dir.path(), listen), chain.clone(), std::future::pending());
	let refused = go(taken).await;
	assert!(matches!(refused, Err(AgentError::Metrics(MetricsError::InUse(_)))), "{refused:?}");
	let elsewhere = "192.0.2.1:9703".parse().expect("an address");
	let refused = go(elsewhere).await;
	let is_refused = matches!(refused, Err(AgentError::Metrics(MetricsError::NotLoopback(_))));
	assert!(is_refused, "{refused:?}");
}
