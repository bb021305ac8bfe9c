//! What the service counts is served.

use super::*;
use crate::Error;
use armature_metrics::MetricsError;
use std::net::SocketAddr;
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::TcpStream,
};

const NO_WORK: CpuChallenge = CpuChallenge { lanes: 1, segments: 0, steps_per_segment: 1 };

fn with_metrics(dir: &Path, listen: &str) -> Config {
	let mut config = test_config(dir);
	config.metrics.listen = Some(listen.parse().unwrap());
	config
}

async fn read(address: SocketAddr) -> String {
	let mut stream = TcpStream::connect(address).await.unwrap();
	stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
	let mut answer = String::new();
	stream.read_to_string(&mut answer).await.unwrap();
	answer
}

/// Waits until all these lines are served.
async fn wait_for_lines(address: SocketAddr, lines: &[&str]) {
	let mut text = String::new();
	for _ in 0..500 {
		text = read(address).await;
		if lines.iter().all(|line| text.lines().any(|served| served == *line)) {
			return;
		}
		tokio::time::sleep(Duration::from_millis(20)).await;
	}
	panic!("not all of {lines:#?} in {text}")
}

#[tokio::test]
async fn work_should_be_counted_by_kind_and_outcome() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let config = with_metrics(dir.path(), "127.0.0.1:0");
	let verifier = Verifier::start(config, chain.clone()).await.unwrap();
	let address = verifier.metrics_address().unwrap();
	let nothing = [
		r#"armature_verifier_rounds_open{phase="seal"} 0"#,
		r#"armature_verifier_rounds_judged_total{kind="cpu",verdict="passed"} 0"#,
		r#"armature_verifier_rounds_judged_total{kind="memory",verdict="bad-power"} 0"#,
		r#"armature_verifier_round_seconds_count{kind="memory"} 0"#,
		r#"armature_verifier_posts_total{step="dispute",outcome="unavailable"} 0"#,
		r#"armature_verifier_rounds_judged_total{kind="network",verdict="passed"} 0"#,
		r#"armature_verifier_rounds_judged_total{kind="gemm",verdict="wrong-result"} 0"#,
		r#"armature_verifier_opening_bytes_total{kind="gemm"} 0"#,
		r#"armature_verifier_rounds_judged_total{kind="storage",verdict="no-answer"} 0"#,
		r#"armature_verifier_opening_bytes_total{kind="storage"} 0"#,
		r#"armature_verifier_moved_bytes_total{direction="down"} 0"#,
		"armature_verifier_unjudged_total 0",
		"armature_verifier_devices_connected 0",
		"armature_verifier_disputes_open 0",
	];
	wait_for_lines(address, &nothing).await;

	let _honest = Device::connect(1, Script::Honest, &verifier).await;
	let _liar = Device::connect(2, Script::Skips, &verifier).await;
	let _silent = Device::connect(3, Script::Silent, &verifier).await;
	chain.open_round(1, 1, 60_000);
	chain.open_memory_round(2, 2, 60_000);
	chain.verdict(1).await;
	chain.verdict(2).await;
	chain.open_gemm_round(5, 1, 60_000);
	chain.verdict(5).await;
	chain.open_storage_round(6, 1, 60_000);
	chain.verdict(6).await;
	chain.open_round(3, 3, 60_000);
	chain.open_work(4, 1, 60_000, Work::Cpu(NO_WORK));
	let something = [
		r#"armature_verifier_rounds_open{phase="seal"} 2"#,
		r#"armature_verifier_rounds_open{phase="reveal"} 0"#,
		r#"armature_verifier_rounds_judged_total{kind="cpu",verdict="passed"} 1"#,
		r#"armature_verifier_rounds_judged_total{kind="memory",verdict="wrong-result"} 1"#,
		r#"armature_verifier_round_seconds_count{kind="cpu"} 1"#,
		r#"armature_verifier_checks_seconds_count{kind="memory"} 1"#,
		r#"armature_verifier_rounds_judged_total{kind="gemm",verdict="passed"} 1"#,
		r#"armature_verifier_round_seconds_count{kind="gemm"} 1"#,
		// Its entries come in two parts.
		r#"armature_verifier_checks_seconds_count{kind="gemm"} 2"#,
		r#"armature_verifier_rounds_judged_total{kind="storage",verdict="passed"} 1"#,
		r#"armature_verifier_round_seconds_count{kind="storage"} 1"#,
		// What was read, and what was sealed in two parts.
		r#"armature_verifier_checks_seconds_count{kind="storage"} 3"#,
		r#"armature_verifier_posts_total{step="fraud",outcome="ok"} 1"#,
		"armature_verifier_unjudged_total 1",
		"armature_verifier_devices_connected 3",
	];
	wait_for_lines(address, &something).await;
	let text = read(address).await;
	for zero in [
		r#"armature_verifier_opening_bytes_total{kind="cpu"} 0"#,
		r#"armature_verifier_opening_bytes_total{kind="memory"} 0"#,
		r#"armature_verifier_opening_bytes_total{kind="gemm"} 0"#,
		r#"armature_verifier_opening_bytes_total{kind="storage"} 0"#,
		r#"armature_verifier_posts_total{step="seal",outcome="ok"} 0"#,
		r#"armature_verifier_posts_total{step="reveal",outcome="ok"} 0"#,
	] {
		let (series, _) = zero.split_once(' ').unwrap();
		assert!(text.contains(series) && !text.contains(zero), "{zero}");
	}
	verifier.stop().await;
	assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn nothing_should_be_served_unless_the_settings_say_so() {
	let dir = tempfile::tempdir().unwrap();
	let verifier = start(dir.path(), &Arc::default()).await;
	assert_eq!(verifier.metrics_address(), None);
	verifier.stop().await;
}

#[tokio::test]
async fn start_should_fail_when_metrics_cannot_be_served() {
	let dir = tempfile::tempdir().unwrap();
	let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
	let taken = listener.local_addr().unwrap().to_string();
	let failure = |listen: &str| {
		let config = with_metrics(dir.path(), listen);
		Verifier::start(config, Arc::new(MemoryChain::default()))
	};
	let Err(Error::Metrics(error)) = failure(&taken).await else { panic!("started") };
	assert!(matches!(error, MetricsError::InUse(_)), "{error}");
	let Err(Error::Metrics(error)) = failure("192.0.2.1:9702").await else { panic!("started") };
	assert!(matches!(error, MetricsError::NotLoopback(_)), "{error}");
}
