//! Devices have to be sent to this node.

use super::*;
use crate::{run, Error};
use armature_p2p::peer_id_of;
use std::future::pending;

/// A node that nobody is here.
fn other() -> PeerId {
	peer_id_of([77; 32]).unwrap()
}

fn tell(chain: &MemoryChain, peer: PeerId) {
	*chain.address.lock().unwrap() = Some(format!("/ip4/192.0.2.1/tcp/30500/p2p/{peer}"));
}

/// The id of a verifier that has run in this folder.
async fn own(dir: &Path) -> PeerId {
	let verifier = start(dir, &Arc::default()).await;
	let own = verifier.peer_id();
	verifier.stop().await;
	own
}

#[tokio::test]
async fn verifier_should_start_where_devices_are_sent_to_it() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	tell(&chain, own(dir.path()).await);
	let mut verifier = start(dir.path(), &chain).await;
	// Time to see it: what is registered later ends nothing, for there may be verdicts to reveal.
	tokio::time::sleep(Duration::from_millis(500)).await;
	tell(&chain, other());
	let failed = tokio::time::timeout(Duration::from_secs(4), verifier.failed()).await;
	assert!(failed.is_err(), "{failed:?}");
	verifier.stop().await;
}

#[tokio::test]
async fn verifier_should_end_when_devices_are_sent_to_another_node() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	tell(&chain, other());
	let mut verifier = start(dir.path(), &chain).await;
	let error = tokio::time::timeout(WAIT, verifier.failed()).await.unwrap();
	assert!(matches!(error, Error::OtherPeer { .. }), "{error}");
	let text = error.to_string();
	let own = verifier.peer_id().to_string();
	for named in [own, other().to_string(), "armature verifier register".into()] {
		assert!(text.contains(&named), "{text}");
	}
	verifier.stop().await;
}

#[tokio::test]
async fn address_that_is_changed_at_the_start_should_end_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	tell(&chain, other());
	let mut config = test_config(dir.path());
	config.network.registration_millis = 60_000;
	let mut verifier = Verifier::start(config, chain.clone()).await.unwrap();
	tokio::time::sleep(Duration::from_millis(500)).await;
	tell(&chain, verifier.peer_id());
	let failed = tokio::time::timeout(Duration::from_secs(4), verifier.failed()).await;
	assert!(failed.is_err(), "{failed:?}");
	verifier.stop().await;
}

#[tokio::test]
async fn verifier_should_go_on_until_it_is_registered_as_another_node() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let mut verifier = start(dir.path(), &chain).await;
	let _device = Device::connect(1, Script::Honest, &verifier).await;
	chain.open_round(5, 1, 60_000);
	assert!(matches!(chain.verdict(5).await, Verdict::Passed { .. }));
	tell(&chain, other());
	let error = tokio::time::timeout(WAIT, verifier.failed()).await.unwrap();
	assert!(matches!(error, Error::OtherPeer { .. }), "{error}");
	verifier.stop().await;
}

#[tokio::test]
async fn run_should_end_with_what_is_wrong() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let running = tokio::spawn(run(test_config(dir.path()), chain.clone(), pending()));
	tokio::time::sleep(Duration::from_millis(500)).await;
	assert!(!running.is_finished());
	tell(&chain, other());
	let ended = tokio::time::timeout(WAIT, running).await.unwrap().unwrap();
	assert!(matches!(ended, Err(Error::OtherPeer { .. })), "{ended:?}");
	// The journal is free again.
	let ended = run(test_config(dir.path()), Arc::new(MemoryChain::default()), async {}).await;
	assert!(ended.is_ok(), "{ended:?}");
}
