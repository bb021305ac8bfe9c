//! The store alone.

use super::*;
use crate::{
	config::BlobConfig,
	store::{Owner, Part, Store},
	StoreError,
};
use std::fs;

const OWNER: Owner = Owner::Device(DeviceId(1));

fn limits() -> BlobConfig {
	BlobConfig {
		max_blob_bytes: 100,
		max_owner_bytes: 250,
		max_total_bytes: 300,
		max_blobs: 4,
		ttl_millis: 1_000,
		upload_timeout_millis: 50,
		..BlobConfig::default()
	}
}

fn hash_of(bytes: &[u8]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(bytes))
}

fn peer(seed: u8) -> PeerId {
	armature_p2p::peer_id_of([seed; 32]).unwrap()
}

/// Puts `bytes` in parts of `step`.
fn put(store: &Store, bytes: &[u8], step: usize, now: Moment) -> Result<H256, StoreError> {
	let (hash, total) = (hash_of(bytes), bytes.len() as u64);
	let mut done = bytes.is_empty() && {
		let part = Part { peer: peer(1), owner: OWNER, hash, total, offset: 0, bytes };
		store.put(part, now)?
	};
	for (index, chunk) in bytes.chunks(step).enumerate() {
		assert!(!done);
		let offset = (index * step) as u64;
		let part = Part { peer: peer(1), owner: OWNER, hash, total, offset, bytes: chunk };
		done = store.put(part, now)?;
	}
	assert!(done);
	Ok(hash)
}

#[test]
fn parts_should_make_a_blob_and_ranges_read_it() {
	let dir = tempfile::tempdir().unwrap();
	let store = Store::open(dir.path(), limits()).unwrap();
	let bytes: Vec<u8> = (0..100).collect();
	let hash = put(&store, &bytes, 30, 0).unwrap();
	assert_eq!(store.stat(&hash, 0), Some(100));
	assert_eq!(store.totals(), (1, 100));
	assert_eq!(store.read(&hash, 0, 100, 0).unwrap(), bytes);
	assert_eq!(store.read(&hash, 90, 100, 0).unwrap(), bytes[90..]);
	assert!(matches!(store.read(&hash, 100, 1, 0), Err(StoreError::OutOfRange)));
	assert!(matches!(store.read(&H256::zero(), 0, 1, 0), Err(StoreError::NotFound)));
}

#[test]
fn parts_should_be_refused_out_of_order_and_from_others() {
	let dir = tempfile::tempdir().unwrap();
	let store = Store::open(dir.path(), limits()).unwrap();
	let bytes: Vec<u8> = (0..100).collect();
	let hash = hash_of(&bytes);
	let part = |peer, owner, offset: usize, len: usize| {
		let bytes = &bytes[offset..offset + len];
		store.put(Part { peer, owner, hash, total: 100, offset: offset as u64, bytes }, 0)
	};
	assert!(matches!(part(peer(1), OWNER, 10, 10), Err(StoreError::OutOfOrder)));
	assert!(!part(peer(1), OWNER, 0, 10).unwrap());
	// Another peer's upload is another upload.
	assert!(matches!(part(peer(2), OWNER, 10, 10), Err(StoreError::OutOfOrder)));
	// A gap ends it.
	assert!(matches!(part(peer(1), OWNER, 20, 10), Err(StoreError::OutOfOrder)));
	assert!(matches!(part(peer(1), OWNER, 10, 10), Err(StoreError::OutOfOrder)));
	// So does another owner.
	assert!(!part(peer(1), OWNER, 0, 10).unwrap());
	let other = Owner::Account([1; 32]);
	assert!(matches!(part(peer(1), other, 10, 90), Err(StoreError::OutOfOrder)));
	// Starting anew is fine, and frees what was taken before.
	for _ in 0..10 {
		assert!(!part(peer(1), OWNER, 0, 10).unwrap());
	}
	assert!(part(peer(1), OWNER, 10, 90).unwrap());
}

#[test]
fn room_should_be_reserved_and_given_back() {
	let dir = tempfile::tempdir().unwrap();
	let store = Store::open(dir.path(), limits()).unwrap();
	let begin = |peer, salt: u8, total| {
		let part =
			Part { peer, owner: OWNER, hash: H256([salt; 32]), total, offset: 0, bytes: &[1] };
		store.put(part, 0)
	};
	assert!(matches!(begin(peer(1), 0, 101), Err(StoreError::TooLarge)));
	assert!(!begin(peer(1), 1, 100).unwrap());
	assert!(!begin(peer(1), 2, 100).unwrap());
	// 200 of 250 are spoken for though one byte each has come.
	assert!(matches!(begin(peer(1), 3, 51), Err(StoreError::QuotaExceeded)));
	std::thread::sleep(Duration::from_millis(60));
	store.sweep(0).unwrap();
	assert_eq!(fs::read_dir(dir.path().join("incoming")).unwrap().count(), 0);
	for salt in 3..7 {
		assert!(!begin(peer(1), salt, 50).unwrap());
	}
	// Four uploads a peer, four blobs in all.
	assert!(matches!(begin(peer(1), 7, 2), Err(StoreError::Busy)));
	assert!(matches!(begin(peer(2), 8, 2), Err(StoreError::QuotaExceeded)));
	// Wrong bytes give their room back too.
	std::thread::sleep(Duration::from_millis(60));
	store.sweep(0).unwrap();
	for _ in 0..20 {
		let part = Part {
			peer: peer(1),
			owner: OWNER,
			hash: H256([9; 32]),
			total: 100,
			offset: 0,
			bytes: &[0; 100],
		};
		assert!(matches!(store.put(part, 0), Err(StoreError::HashMismatch)));
	}
	put(&store, &[0; 100], 100, 0).unwrap();
}

#[test]
fn unused_blobs_should_go_first_and_used_ones_stay() {
	let dir = tempfile::tempdir().unwrap();
	let mut wide = limits();
	wide.max_owner_bytes = 300;
	let store = Store::open(dir.path(), wide).unwrap();
	let old = put(&store, &[1; 100], 100, 0).unwrap();
	let used = put(&store, &[2; 100], 100, 0).unwrap();
	let young = put(&store, &[3; 100], 100, 900).unwrap();
	// Full, and nothing is past its time.
	assert!(matches!(put(&store, &[4; 100], 100, 999), Err(StoreError::QuotaExceeded)));
	store.read(&used, 0, 1, 500).unwrap();
	let new = put(&store, &[4; 100], 100, 1_000).unwrap();
	assert_eq!(store.stat(&old, 1_000), None);
	assert!(!dir.path().join("blobs").join(hex::encode(old)).exists());
	for kept in [used, young, new] {
		assert_eq!(store.stat(&kept, 1_000), Some(100));
	}
	// Sweeping removes the rest once its time is over, and remembers uses over a restart.
	store.read(&young, 0, 1, 1_500).unwrap();
	store.sweep(1_600).unwrap();
	drop(store);
	let store = Store::open(dir.path(), limits()).unwrap();
	store.sweep(2_100).unwrap();
	assert_eq!(store.totals(), (1, 100));
	assert_eq!(store.stat(&young, 2_100), Some(100));
}

#[test]
fn old_blobs_of_others_should_not_go_for_a_full_owner() {
	let dir = tempfile::tempdir().unwrap();
	let store = Store::open(dir.path(), limits()).unwrap();
	let put_for = |owner, byte: u8, now| {
		let bytes = &[byte; 60];
		let part = Part { peer: peer(1), owner, hash: hash_of(bytes), total: 60, offset: 0, bytes };
		store.put(part, now).map(|done| assert!(done))
	};
	let other = Owner::Account([9; 32]);
	put_for(other, 0, 0).unwrap();
	for byte in 1..4 {
		put_for(OWNER, byte, 5_000).unwrap();
	}
	// 180 of 250 are used: nothing of the owner is old, and the other's old blob does not help.
	let wide = [7; 71];
	let part = Part {
		peer: peer(1),
		owner: OWNER,
		hash: hash_of(&wide),
		total: 71,
		offset: 0,
		bytes: &wide,
	};
	assert!(matches!(store.put(part, 5_000), Err(StoreError::QuotaExceeded)));
	assert_eq!(store.totals(), (4, 240));
	// The store's own bound of four blobs lets the old one go.
	put_for(OWNER, 4, 5_000).unwrap();
	assert_eq!(store.stat(&hash_of(&[0; 60]), 5_000), None);
	assert_eq!(store.totals(), (4, 240));
}

#[test]
fn start_should_clean_up_after_a_crash() {
	let dir = tempfile::tempdir().unwrap();
	let store = Store::open(dir.path(), limits()).unwrap();
	let kept = put(&store, b"kept", 4, 0).unwrap();
	let lost = put(&store, b"lost", 4, 0).unwrap();
	let short = put(&store, b"short", 5, 0).unwrap();
	drop(store);
	let path = |hash: H256| dir.path().join("blobs").join(hex::encode(hash));
	fs::remove_file(path(lost)).unwrap();
	fs::write(path(short), b"shor").unwrap();
	fs::write(path(hash_of(b"never indexed")), b"never indexed").unwrap();
	fs::write(dir.path().join("incoming/0"), b"half").unwrap();

	let store = Store::open(dir.path(), limits()).unwrap();
	assert_eq!(store.totals(), (1, 4));
	assert_eq!(store.read(&kept, 0, 9, 0).unwrap(), b"kept");
	assert_eq!(store.stat(&lost, 0), None);
	assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 1);
	assert_eq!(fs::read_dir(dir.path().join("incoming")).unwrap().count(), 0);
	// What was lost can be stored again.
	put(&store, b"short", 2, 0).unwrap();
	drop(store);
	let store = Store::open(dir.path(), limits()).unwrap();
	assert_eq!(store.totals(), (2, 9));
}

#[tokio::test]
async fn closing_should_end_with_the_last_holder() {
	let dir = tempfile::tempdir().unwrap();
	let store = Arc::new(Store::open(dir.path(), limits()).unwrap());
	let (mut closing, held) = (store.closing(), store.clone());
	let work = tokio::task::spawn_blocking(move || {
		std::thread::sleep(Duration::from_millis(200));
		put(&held, b"late", 4, 0)
	});
	drop(store);
	assert!(closing.changed().await.is_err());
	let store = Store::open(dir.path(), limits()).unwrap();
	let hash = work.await.unwrap().unwrap();
	assert_eq!(store.read(&hash, 0, 4, 0).unwrap(), b"late");
}

#[test]
fn damage_should_be_found_after_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let store = Store::open(dir.path(), limits()).unwrap();
	let hash = put(&store, b"good", 4, 0).unwrap();
	drop(store);
	fs::write(dir.path().join("blobs").join(hex::encode(hash)), b"evil").unwrap();
	let store = Store::open(dir.path(), limits()).unwrap();
	assert!(matches!(store.read(&hash, 0, 4, 0), Err(StoreError::Damaged)));
	assert_eq!(store.stat(&hash, 0), None);
	assert_eq!(store.totals(), (0, 0));
}
