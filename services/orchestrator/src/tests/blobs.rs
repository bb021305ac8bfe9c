//! The blob store over the wire.

use super::*;
use crate::{store::Store, BlobConfig};
use armature_p2p::{
	get_blob, messages::put_payload, put_blob, BlobRequest, BlobResponse, P2pError, Refusal,
};
use std::fs;

const MAX: u64 = 1 << 30;

fn content(len: usize, salt: u8) -> Vec<u8> {
	(0..len).map(|i| (i % 253) as u8 ^ salt).collect()
}

fn reason(result: Result<impl std::fmt::Debug, P2pError>) -> Refusal {
	match result {
		Err(P2pError::Refused(reason)) => reason,
		other => panic!("{other:?}"),
	}
}

#[tokio::test]
async fn blobs_should_be_stored_and_survive_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let chain = chain();
	let orchestrator = start(dir.path(), chain.clone()).await;
	let id = orchestrator.peer_id();
	let tenant = Client::connect(1, &orchestrator).await;
	let large = content(2_500_000, 1);
	let (handle, peer) = (&tenant.handle, tenant.server);
	let hash = put_blob(handle, peer, GENESIS, &large, account_auth(1)).await.unwrap();
	let empty = put_blob(handle, peer, GENESIS, &[], device_auth(1)).await.unwrap();
	assert_eq!(get_blob(handle, peer, hash, MAX).await.unwrap(), large);
	orchestrator.stop().await;

	let orchestrator = start(dir.path(), chain).await;
	assert_eq!(orchestrator.peer_id(), id);
	let other = Client::connect(2, &orchestrator).await;
	assert_eq!(get_blob(&other.handle, other.server, hash, MAX).await.unwrap(), large);
	assert_eq!(get_blob(&other.handle, other.server, empty, MAX).await.unwrap(), Vec::<u8>::new());
	let missing = get_blob(&other.handle, other.server, H256::zero(), MAX).await;
	assert!(matches!(missing, Err(P2pError::BlobNotFound)));
	orchestrator.stop().await;
}

#[tokio::test]
async fn stop_should_leave_the_store_free() {
	let dir = tempfile::tempdir().unwrap();
	for attempt in 0..20u8 {
		let orchestrator = start(dir.path(), chain()).await;
		let client = Client::connect(1, &orchestrator).await;
		let (handle, peer) = (client.handle.clone(), client.server);
		let upload = tokio::spawn(async move {
			put_blob(&handle, peer, GENESIS, &content(4_000_000, attempt), account_auth(1)).await
		});
		tokio::time::sleep(Duration::from_millis(5 * u64::from(attempt))).await;
		orchestrator.stop().await;
		drop(Store::open(&dir.path().join("data"), BlobConfig::default()).unwrap());
		// Cut off, or done before.
		upload.await.unwrap().ok();
	}
}

#[tokio::test]
async fn damaged_blob_should_not_be_served() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	let client = Client::connect(1, &orchestrator).await;
	let (handle, peer) = (&client.handle, client.server);
	let bytes = content(10_000, 2);
	let hash = put_blob(handle, peer, GENESIS, &bytes, account_auth(1)).await.unwrap();
	assert!(get_blob(handle, peer, hash, MAX).await.is_ok());

	let path = dir.path().join("data/blobs").join(hex::encode(hash));
	let mut damaged = bytes.clone();
	damaged[5_000] ^= 1;
	fs::write(&path, &damaged).unwrap();
	assert_eq!(reason(get_blob(handle, peer, hash, MAX).await), Refusal::HashMismatch);
	// It is gone, and can be stored anew.
	assert!(matches!(get_blob(handle, peer, hash, MAX).await, Err(P2pError::BlobNotFound)));
	put_blob(handle, peer, GENESIS, &bytes, account_auth(1)).await.unwrap();
	assert_eq!(get_blob(handle, peer, hash, MAX).await.unwrap(), bytes);
	orchestrator.stop().await;
}

#[tokio::test]
async fn upload_should_be_refused_when_its_bytes_are_others() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	let client = Client::connect(1, &orchestrator).await;
	let hash = H256([5; 32]);
	let payload = put_payload(&GENESIS, &hash, 3, &client.handle.peer_id().to_bytes());
	let put = |bytes: &[u8]| BlobRequest::Put {
		hash,
		total: 3,
		offset: 0,
		bytes: bytes.to_vec(),
		auth: account_auth(1)(&payload),
	};
	let response = client.handle.blob(client.server, put(b"abc"), WAIT).await.unwrap();
	assert_eq!(response, BlobResponse::Refused { reason: Refusal::HashMismatch });
	let stat = client.handle.blob(client.server, BlobRequest::Stat { hash }, WAIT).await;
	assert_eq!(stat.unwrap(), BlobResponse::Stat { len: None });
	// Nothing is left behind.
	for folder in ["data/blobs", "data/incoming"] {
		assert_eq!(fs::read_dir(dir.path().join(folder)).unwrap().count(), 0, "{folder}");
	}
	orchestrator.stop().await;
}

#[tokio::test]
async fn upload_should_be_refused_when_nobody_vouches_for_it() {
	let dir = tempfile::tempdir().unwrap();
	let chain = chain();
	chain.set_balance(tenant_account(2), ARMA - 1);
	chain.add_device(5, REGION, DeviceStatus::Jailed);
	let orchestrator = start(dir.path(), chain).await;
	let client = Client::connect(1, &orchestrator).await;
	let (handle, peer) = (&client.handle, client.server);
	let put = |genesis, auth: Box<dyn Fn(&[u8]) -> PutAuth>| async move {
		reason(put_blob(handle, peer, genesis, b"data", auth).await)
	};
	// Too poor, unknown, another chain's signature, another's signature.
	assert_eq!(put(GENESIS, Box::new(account_auth(2))).await, Refusal::QuotaExceeded);
	assert_eq!(put(GENESIS, Box::new(account_auth(3))).await, Refusal::QuotaExceeded);
	assert_eq!(put(H256::zero(), Box::new(account_auth(1))).await, Refusal::BadSignature);
	let stolen = |payload: &[u8]| {
		let PutAuth::Account { signature, .. } = account_auth(2)(payload) else { unreachable!() };
		PutAuth::Account { account: tenant_account(1), signature }
	};
	assert_eq!(put(GENESIS, Box::new(stolen)).await, Refusal::BadSignature);
	// Devices: unknown, elsewhere, jailed, another's key.
	assert_eq!(put(GENESIS, Box::new(device_auth(99))).await, Refusal::UnknownDevice);
	assert_eq!(put(GENESIS, Box::new(device_auth(3))).await, Refusal::NotAssigned);
	assert_eq!(put(GENESIS, Box::new(device_auth(5))).await, Refusal::NotAssigned);
	let stolen = |payload: &[u8]| {
		let PutAuth::Device { signature, .. } = device_auth(2)(payload) else { unreachable!() };
		PutAuth::Device { device: DeviceId(1), signature }
	};
	assert_eq!(put(GENESIS, Box::new(stolen)).await, Refusal::BadSignature);
	// A signature for another peer's upload.
	let hash = H256(sp_crypto_hashing::blake2_256(b"data"));
	let theirs = put_payload(&GENESIS, &hash, 4, &peer.to_bytes());
	let replayed = move |_: &[u8]| account_auth(1)(&theirs);
	assert_eq!(put(GENESIS, Box::new(replayed)).await, Refusal::BadSignature);
	orchestrator.stop().await;
}

#[tokio::test]
async fn quota_should_bind_each_owner() {
	let dir = tempfile::tempdir().unwrap();
	let mut config = test_config(dir.path());
	config.blobs.max_blob_bytes = 1_000;
	config.blobs.max_owner_bytes = 1_500;
	config.blobs.max_total_bytes = 2_600;
	let orchestrator = Orchestrator::start(config, chain()).await.unwrap();
	let client = Client::connect(1, &orchestrator).await;
	let (handle, peer) = (&client.handle, client.server);
	let put = |bytes: Vec<u8>, auth: Box<dyn Fn(&[u8]) -> PutAuth>| async move {
		put_blob(handle, peer, GENESIS, &bytes, auth).await
	};
	assert_eq!(reason(put(content(1_001, 0), Box::new(account_auth(1))).await), Refusal::TooLarge);
	put(content(1_000, 0), Box::new(account_auth(1))).await.unwrap();
	let over = put(content(501, 1), Box::new(account_auth(1))).await;
	assert_eq!(reason(over), Refusal::QuotaExceeded);
	put(content(500, 1), Box::new(account_auth(1))).await.unwrap();
	// Another owner has its own quota, up to what the store has left.
	let over = put(content(1_000, 2), Box::new(device_auth(1))).await;
	assert!(over.is_ok());
	let over = put(content(101, 3), Box::new(device_auth(2))).await;
	assert_eq!(reason(over), Refusal::QuotaExceeded);
	put(content(100, 3), Box::new(device_auth(2))).await.unwrap();
	orchestrator.stop().await;
}
