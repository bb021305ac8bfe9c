//! What does not travel: messages over a bound or a cap, cut off, or with a tail.

use crate::{
	testing::{blob_requests, blob_responses, control_requests, control_responses},
	BlobRequest, BlobResponse, ControlRequest, ControlResponse, Message, PutAuth, ServiceKind,
	StatusReport, MAX_BLOB_LEN, MAX_BLOCKS, MAX_CHUNK_LEN, MAX_CONTROL_LEN, MAX_DATA_LEN,
	MAX_ENTRIES, MAX_OPENINGS_LEN, MAX_PEER_ID_LEN, MAX_SEGMENTS, MAX_STORED, MAX_VERSION_LEN,
	MAX_WALK_SEGMENTS,
};
use armature_primitives::{ed25519::Signature, DeviceId, RoundId, H256};
use core::fmt::Debug;

/// Whether a message travels: both ends say the same.
fn travels<M: Message + PartialEq + Debug>(message: &M) -> bool {
	let bytes = message.encode();
	let received = M::from_bytes(&bytes);
	match message.to_bytes() {
		Ok(sent) => {
			assert_eq!(sent, bytes);
			assert_eq!(received.as_ref(), Some(message));
			true
		},
		Err(len) => {
			assert_eq!(len, bytes.len());
			assert_eq!(received, None);
			false
		},
	}
}

fn check_ends<M: Message + PartialEq + Debug>(messages: &[M]) {
	for message in messages {
		assert!(travels(message), "{message:?}");
		let mut bytes = message.encode();
		bytes.push(0);
		assert_eq!(M::from_bytes(&bytes), None, "with a tail: {message:?}");
		bytes.truncate(bytes.len().saturating_sub(2));
		assert_eq!(M::from_bytes(&bytes), None, "cut off: {message:?}");
	}
}

#[test]
fn decoder_should_take_exactly_one_message() {
	check_ends(&control_requests());
	check_ends(&control_responses());
	check_ends(&blob_requests());
	check_ends(&blob_responses());
}

#[test]
fn lists_should_be_bounded() {
	let hello = |len| ControlRequest::Hello {
		device: DeviceId(1),
		peer: vec![2; len],
		sent_at: 3,
		signature: Signature::from([4; 64]),
	};
	assert!(travels(&hello(MAX_PEER_ID_LEN)));
	assert!(!travels(&hello(MAX_PEER_ID_LEN + 1)));

	let open = |count| ControlRequest::OpenSegments {
		round: RoundId(1),
		task: H256::zero(),
		segments: vec![(0, 0); count],
	};
	assert!(travels(&open(MAX_SEGMENTS)));
	assert!(!travels(&open(MAX_SEGMENTS + 1)));

	let open = |count| ControlRequest::OpenBlocks { task: H256::zero(), positions: vec![0; count] };
	assert!(travels(&open(MAX_BLOCKS)));
	assert!(!travels(&open(MAX_BLOCKS + 1)));

	let open = |count| ControlRequest::OpenWalk {
		task: H256::zero(),
		key: H256::zero(),
		segments: vec![(0, 0); count],
	};
	assert!(travels(&open(MAX_WALK_SEGMENTS)));
	assert!(!travels(&open(MAX_WALK_SEGMENTS + 1)));

	let open =
		|count| ControlRequest::OpenEntries { task: H256::zero(), entries: vec![(0, 0, 0); count] };
	assert!(travels(&open(MAX_ENTRIES)));
	assert!(!travels(&open(MAX_ENTRIES + 1)));

	let read =
		|count| ControlRequest::ReadStored { task: H256::zero(), blocks: vec![(0, 0); count] };
	assert!(travels(&read(MAX_STORED)));
	assert!(!travels(&read(MAX_STORED + 1)));

	let open =
		|count| ControlRequest::OpenSealed { task: H256::zero(), blocks: vec![(0, 0); count] };
	assert!(travels(&open(MAX_BLOCKS)));
	assert!(!travels(&open(MAX_BLOCKS + 1)));

	let opened = |len| ControlResponse::Opened { openings: vec![0; len] };
	assert!(travels(&opened(MAX_OPENINGS_LEN)));
	assert!(!travels(&opened(MAX_OPENINGS_LEN + 1)));

	let status = |len| ControlResponse::Status {
		report: StatusReport {
			service: ServiceKind::Agent,
			version: vec![b'1'; len],
			now: 0,
			started_at: 0,
			devices: 0,
			in_flight: 0,
			blobs: 0,
			blob_bytes: 0,
		},
	};
	assert!(travels(&status(MAX_VERSION_LEN)));
	assert!(!travels(&status(MAX_VERSION_LEN + 1)));
}

#[test]
fn data_should_be_bounded() {
	let (task, key) = (H256::zero(), H256::zero());
	let fetch = |len| ControlRequest::Fetch { task, key, number: 0, len };
	let deliver = |len| ControlRequest::Deliver { task, key, number: 0, data: vec![0; len] };
	for (len, fits) in [(0, false), (1, true), (MAX_DATA_LEN, true), (MAX_DATA_LEN + 1, false)] {
		assert_eq!(travels(&fetch(u32::try_from(len).unwrap())), fits, "{len}");
		assert_eq!(travels(&deliver(len)), fits, "{len}");
	}
	assert!(!travels(&fetch(u32::MAX)));
	let data = |len| ControlResponse::Data { data: vec![0; len] };
	assert!(travels(&data(0)));
	assert!(travels(&data(MAX_DATA_LEN)));
	assert!(!travels(&data(MAX_DATA_LEN + 1)));
}

#[test]
fn parts_of_blobs_should_be_bounded() {
	let get = |len| BlobRequest::Get { hash: H256::zero(), offset: 0, len };
	assert!(travels(&get(1)));
	assert!(travels(&get(MAX_CHUNK_LEN)));
	assert!(!travels(&get(0)));
	assert!(!travels(&get(MAX_CHUNK_LEN + 1)));

	let put = |total, offset, len: usize| BlobRequest::Put {
		hash: H256::zero(),
		total,
		offset,
		bytes: vec![0; len],
		auth: PutAuth::Account { account: [0; 32], signature: [0; 64] },
	};
	let chunk = usize::try_from(MAX_CHUNK_LEN).unwrap();
	assert!(travels(&put(9, 4, 5)));
	assert!(travels(&put(0, 0, 0)));
	assert!(travels(&put(u64::from(MAX_CHUNK_LEN), 0, chunk)));
	assert!(!travels(&put(9, 4, 6)));
	assert!(!travels(&put(9, 4, 0)));
	assert!(!travels(&put(u64::MAX, u64::MAX, 1)));
	assert!(!travels(&put(u64::MAX, 0, chunk + 1)));

	let part = |len| BlobResponse::Chunk { bytes: vec![0; len] };
	assert!(travels(&part(0)));
	assert!(travels(&part(chunk)));
	assert!(!travels(&part(chunk + 1)));
}

#[test]
fn message_over_its_cap_should_not_decode() {
	let zeros = |cap: u32| vec![0u8; usize::try_from(cap).unwrap() + 1];
	assert_eq!(ControlRequest::from_bytes(&zeros(MAX_CONTROL_LEN)), None);
	assert_eq!(ControlResponse::from_bytes(&zeros(MAX_CONTROL_LEN)), None);
	assert_eq!(BlobRequest::from_bytes(&zeros(MAX_BLOB_LEN)), None);
	assert_eq!(BlobResponse::from_bytes(&zeros(MAX_BLOB_LEN)), None);
}
