//! What the service counts is served.

use super::{
	beats::{base, beat_at, request},
	*,
};
use crate::Error;
use armature_metrics::MetricsError;
use armature_p2p::{get_blob, put_blob, P2pError, Refusal};
use std::{fs, net::SocketAddr};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::TcpStream,
};

fn with_metrics(dir: &Path, listen: &str) -> Config {
	let mut config = test_config(dir);
	config.metrics.listen = Some(listen.parse().unwrap());
	config
}

/// An orchestrator that serves its metrics, and where.
async fn start_with_metrics(dir: &Path) -> (Orchestrator, SocketAddr) {
	let config = with_metrics(dir, "127.0.0.1:0");
	let orchestrator = Orchestrator::start(config, chain()).await.unwrap();
	let address = orchestrator.metrics_address().unwrap();
	(orchestrator, address)
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
	for _ in 0..750 {
		text = read(address).await;
		if lines.iter().all(|line| text.lines().any(|served| served == *line)) {
			return;
		}
		tokio::time::sleep(Duration::from_millis(20)).await;
	}
	panic!("not all of {lines:#?} in {text}")
}

#[tokio::test]
async fn beats_should_be_counted_by_outcome() {
	let dir = tempfile::tempdir().unwrap();
	let (orchestrator, address) = start_with_metrics(dir.path()).await;
	let nothing = [
		"armature_orchestrator_devices_connected 0",
		r#"armature_orchestrator_beats_total{outcome="acknowledged"} 0"#,
		r#"armature_orchestrator_beats_total{outcome="unannounced"} 0"#,
		r#"armature_orchestrator_beats_total{outcome="untimely"} 0"#,
		r#"armature_orchestrator_beats_total{outcome="bad-signature"} 0"#,
		r#"armature_orchestrator_beats_total{outcome="unchecked"} 0"#,
		r#"armature_orchestrator_beats_total{outcome="out-of-order"} 0"#,
	];
	wait_for_lines(address, &nothing).await;

	let device = Client::connect(1, &orchestrator).await;
	let base = base();
	let first = beat_at(base, 1, H256::zero());
	let second = beat_at(base + 1_000, 1, first.link());
	let early = beat_at(base + 300_000, 1, H256::zero());
	assert_eq!(device.ask(request(&first, 1)).await, refused(Refusal::UnknownDevice));
	device.hello(1).await;
	assert_eq!(device.ask(request(&first, 2)).await, refused(Refusal::BadSignature));
	for _ in 0..2 {
		assert_eq!(device.ask(request(&early, 1)).await, refused(Refusal::Malformed));
	}
	for beat in [&first, &first, &second] {
		assert!(matches!(device.ask(request(beat, 1)).await, ControlResponse::BeatAck { .. }));
	}
	assert_eq!(device.ask(request(&first, 1)).await, refused(Refusal::Malformed));
	let something = [
		"armature_orchestrator_devices_connected 1",
		r#"armature_orchestrator_beats_total{outcome="acknowledged"} 3"#,
		r#"armature_orchestrator_beats_total{outcome="unannounced"} 1"#,
		r#"armature_orchestrator_beats_total{outcome="untimely"} 2"#,
		r#"armature_orchestrator_beats_total{outcome="bad-signature"} 1"#,
		r#"armature_orchestrator_beats_total{outcome="unchecked"} 0"#,
		r#"armature_orchestrator_beats_total{outcome="out-of-order"} 1"#,
	];
	wait_for_lines(address, &something).await;
	// Who is gone is not counted any more, from the next sweep on.
	device.handle.shutdown().await;
	wait_for_lines(address, &["armature_orchestrator_devices_connected 0"]).await;
	orchestrator.stop().await;
	assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stored_blobs_should_be_told_from_the_start_on() {
	let dir = tempfile::tempdir().unwrap();
	let (orchestrator, address) = start_with_metrics(dir.path()).await;
	let of = |blobs: u64, bytes: u64| {
		[
			format!("armature_orchestrator_blobs {blobs}"),
			format!("armature_orchestrator_blob_bytes {bytes}"),
		]
	};
	let told = |address, lines: [String; 2]| async move {
		wait_for_lines(address, &lines.each_ref().map(String::as_str)).await;
	};
	told(address, of(0, 0)).await;
	let client = Client::connect(1, &orchestrator).await;
	let (handle, peer) = (&client.handle, client.server);
	let hash = put_blob(handle, peer, GENESIS, &[1; 10_000], account_auth(1)).await.unwrap();
	put_blob(handle, peer, GENESIS, &[2; 500], account_auth(1)).await.unwrap();
	told(address, of(2, 10_500)).await;
	orchestrator.stop().await;

	let (orchestrator, address) = start_with_metrics(dir.path()).await;
	told(address, of(2, 10_500)).await;
	// A damaged one goes.
	fs::write(dir.path().join("data/blobs").join(hex::encode(hash)), [3; 10_000]).unwrap();
	let client = Client::connect(1, &orchestrator).await;
	let damaged = get_blob(&client.handle, client.server, hash, 1 << 20).await;
	assert!(matches!(damaged, Err(P2pError::Refused(Refusal::HashMismatch))), "{damaged:?}");
	told(address, of(1, 500)).await;
	orchestrator.stop().await;
}

#[tokio::test]
async fn nothing_should_be_served_unless_the_settings_say_so() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	assert_eq!(orchestrator.metrics_address(), None);
	orchestrator.stop().await;
}

#[tokio::test]
async fn start_should_fail_when_metrics_cannot_be_served() {
	let dir = tempfile::tempdir().unwrap();
	let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
	let taken = listener.local_addr().unwrap().to_string();
	let failure = |listen: &str| Orchestrator::start(with_metrics(dir.path(), listen), chain());
	let Err(Error::Metrics(error)) = failure(&taken).await else { panic!("started") };
	assert!(matches!(error, MetricsError::InUse(_)), "{error}");
	let Err(Error::Metrics(error)) = failure("192.0.2.1:9701").await else { panic!("started") };
	assert!(matches!(error, MetricsError::NotLoopback(_)), "{error}");
}
