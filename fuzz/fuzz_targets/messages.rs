//! What agents, orchestrators and verifiers send each other, and what a verifier posts on chain.
#![no_main]

#[path = "messages/opened.rs"]
mod opened;
#[path = "messages/posted.rs"]
mod posted;
#[path = "messages/verdicts.rs"]
mod verdicts;

use armature_fuzz::Input;
use armature_primitives::{ed25519::Signature, DeviceId, RoundId, H256};
use armature_wire::{
	testing::{blob_requests, blob_responses, control_requests, control_responses},
	BlobRequest, BlobResponse, ControlRequest, ControlResponse, Message, PutAuth, ServiceKind,
	StatusReport, MAX_BLOCKS, MAX_CHUNK_LEN, MAX_DATA_LEN, MAX_DEPTH, MAX_ENTRIES,
	MAX_OPENINGS_LEN, MAX_PEER_ID_LEN, MAX_SEGMENTS, MAX_STORED, MAX_VERSION_LEN,
	MAX_WALK_SEGMENTS,
};
use codec::{Decode, DecodeAll, DecodeLimit, Encode};
use libfuzzer_sys::fuzz_target;
use std::fmt::Debug;

/// Decodes bytes whole: what does has one encoding, and nests no deeper than a decoder follows.
fn decode<T: Encode + Decode + Debug + PartialEq>(bytes: &[u8]) -> Option<T> {
	let whole = T::decode_all(&mut &*bytes).ok();
	let limited = T::decode_all_with_depth_limit(MAX_DEPTH, &mut &*bytes).ok();
	assert_eq!(whole, limited, "nested too deep");
	if let Some(value) = &whole {
		assert_eq!(bytes, value.encode(), "two encodings of one value");
	}
	whole
}

/// A message, and its bounds said again.
trait Bounded: Message + Debug + PartialEq {
	fn is_bounded(&self) -> bool;
}

impl Bounded for ControlRequest {
	fn is_bounded(&self) -> bool {
		match self {
			ControlRequest::Hello { peer, .. } => peer.len() <= MAX_PEER_ID_LEN,
			ControlRequest::OpenSegments { segments, .. } => segments.len() <= MAX_SEGMENTS,
			ControlRequest::OpenBlocks { positions, .. } => positions.len() <= MAX_BLOCKS,
			ControlRequest::OpenWalk { segments, .. } => segments.len() <= MAX_WALK_SEGMENTS,
			ControlRequest::OpenEntries { entries, .. } => entries.len() <= MAX_ENTRIES,
			ControlRequest::ReadStored { blocks, .. } => blocks.len() <= MAX_STORED,
			ControlRequest::OpenSealed { blocks, .. } => blocks.len() <= MAX_BLOCKS,
			ControlRequest::Fetch { len, .. } => (1..=MAX_DATA_LEN).contains(&(*len as usize)),
			ControlRequest::Deliver { data, .. } => (1..=MAX_DATA_LEN).contains(&data.len()),
			// The others have no lists: their types bound them.
			_ => true,
		}
	}
}

impl Bounded for ControlResponse {
	fn is_bounded(&self) -> bool {
		match self {
			ControlResponse::Opened { openings } => openings.len() <= MAX_OPENINGS_LEN,
			ControlResponse::Data { data } => data.len() <= MAX_DATA_LEN,
			ControlResponse::Status { report } => report.version.len() <= MAX_VERSION_LEN,
			_ => true,
		}
	}
}

impl Bounded for BlobRequest {
	fn is_bounded(&self) -> bool {
		match self {
			BlobRequest::Stat { .. } => true,
			BlobRequest::Get { len, .. } => *len > 0 && *len <= MAX_CHUNK_LEN,
			BlobRequest::Put { total, offset, bytes, .. } => {
				let end = u128::from(*offset) + bytes.len() as u128;
				let is_inside = end <= u128::from(*total) && bytes.len() <= MAX_CHUNK_LEN as usize;
				is_inside && bytes.is_empty() == (*total == 0)
			},
		}
	}
}

impl Bounded for BlobResponse {
	fn is_bounded(&self) -> bool {
		match self {
			BlobResponse::Chunk { bytes } => bytes.len() <= MAX_CHUNK_LEN as usize,
			_ => true,
		}
	}
}

/// Bytes as a message: it is taken when it keeps its bounds and cap, and goes out as it came in.
fn judge<M: Bounded>(bytes: &[u8]) {
	let message = M::from_bytes(bytes);
	let decoded = decode::<M>(bytes);
	let fits = bytes.len() <= M::CAP as usize;
	match &decoded {
		Some(decoded) if fits && decoded.is_bounded() => {
			assert_eq!(message.as_ref(), Some(decoded));
			assert_eq!(decoded.to_bytes().as_deref(), Ok(bytes));
		},
		Some(decoded) => {
			assert_eq!(message, None, "out of bounds");
			assert_eq!(decoded.to_bytes(), Err(bytes.len()));
		},
		None => assert_eq!(message, None),
	}
}

fn judge_all(bytes: &[u8]) {
	judge::<ControlRequest>(bytes);
	judge::<ControlResponse>(bytes);
	judge::<BlobRequest>(bytes);
	judge::<BlobResponse>(bytes);
}

/// A message that keeps its bounds, then the same cut off, with a tail, and with one bit changed.
fn judge_changed<M: Bounded>(input: &mut Input<'_>, messages: &[M]) {
	let message = &messages[usize::from(input.u8()) % messages.len()];
	let mut bytes = message.encode();
	judge::<M>(&bytes);
	assert_eq!(M::from_bytes(&bytes).as_ref(), Some(message));
	let at = usize::from(u16::from_le_bytes(input.array())) % bytes.len();
	assert_eq!(M::from_bytes(&bytes[..at]), None, "cut off");
	let bit = input.u8() % 8;
	assert_eq!(M::from_bytes(&[&bytes[..], &[bit]].concat()), None, "with a tail");
	bytes[at] ^= 1 << bit;
	judge_all(&bytes);
}

/// A message with a list as long as the input says, on either side of its bound.
fn judge_sized(input: &mut Input<'_>) {
	let (kind, len) = (input.u8(), u32::from_le_bytes(input.array()));
	let up_to = |most: usize| len as usize % (2 * most);
	let (task, key) = (H256([1; 32]), H256([2; 32]));
	match kind % 15 {
		0 => {
			let peer = vec![3; up_to(MAX_PEER_ID_LEN)];
			let signature = Signature::from([4; 64]);
			let hello = ControlRequest::Hello { device: DeviceId(5), peer, sent_at: 6, signature };
			judge::<ControlRequest>(&hello.encode());
		},
		1 => {
			let segments = vec![(3, 4); up_to(MAX_SEGMENTS)];
			let open = ControlRequest::OpenSegments { round: RoundId(5), task, segments };
			judge::<ControlRequest>(&open.encode());
		},
		2 => {
			let positions = vec![3; up_to(MAX_BLOCKS)];
			judge::<ControlRequest>(&ControlRequest::OpenBlocks { task, positions }.encode());
		},
		3 => {
			let segments = vec![(3, 4); up_to(MAX_WALK_SEGMENTS)];
			judge::<ControlRequest>(&ControlRequest::OpenWalk { task, key, segments }.encode());
		},
		4 => {
			// Twice the bound is over the cap.
			let openings = vec![3; up_to(MAX_OPENINGS_LEN)];
			judge::<ControlResponse>(&ControlResponse::Opened { openings }.encode());
		},
		5 => {
			let report = StatusReport {
				service: ServiceKind::Agent,
				version: vec![3; up_to(MAX_VERSION_LEN)],
				now: 4,
				started_at: 5,
				devices: 6,
				in_flight: 7,
				blobs: 8,
				blob_bytes: 9,
			};
			judge::<ControlResponse>(&ControlResponse::Status { report }.encode());
		},
		6 => judge::<BlobRequest>(&BlobRequest::Get { hash: key, offset: 3, len }.encode()),
		7 => {
			let bytes = vec![3; up_to(MAX_CHUNK_LEN as usize)];
			let total = u64::from_le_bytes(input.array());
			let offset = u64::from_le_bytes(input.array());
			let auth = PutAuth::Device { device: DeviceId(4), signature: [5; 64] };
			let put = BlobRequest::Put { hash: key, total, offset, bytes, auth };
			judge::<BlobRequest>(&put.encode());
		},
		8 => {
			let fetch = ControlRequest::Fetch { task, key, number: 3, len };
			judge::<ControlRequest>(&fetch.encode());
		},
		9 => {
			let data = vec![3; up_to(MAX_DATA_LEN)];
			let deliver = ControlRequest::Deliver { task, key, number: 3, data };
			judge::<ControlRequest>(&deliver.encode());
		},
		10 => {
			let data = vec![3; up_to(MAX_DATA_LEN)];
			judge::<ControlResponse>(&ControlResponse::Data { data }.encode());
		},
		11 => {
			let entries = vec![(3, 4, 5); up_to(MAX_ENTRIES)];
			judge::<ControlRequest>(&ControlRequest::OpenEntries { task, entries }.encode());
		},
		12 => {
			let blocks = vec![(3, 4); up_to(MAX_STORED)];
			judge::<ControlRequest>(&ControlRequest::ReadStored { task, blocks }.encode());
		},
		13 => {
			let blocks = vec![(3, 4); up_to(MAX_BLOCKS)];
			judge::<ControlRequest>(&ControlRequest::OpenSealed { task, blocks }.encode());
		},
		_ => {
			let bytes = vec![3; up_to(MAX_CHUNK_LEN as usize)];
			judge::<BlobResponse>(&BlobResponse::Chunk { bytes }.encode());
		},
	}
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	match input.u8() % 6 {
		0 => judge_all(input.rest()),
		1 => match input.u8() % 4 {
			0 => judge_changed(&mut input, &control_requests()),
			1 => judge_changed(&mut input, &control_responses()),
			2 => judge_changed(&mut input, &blob_requests()),
			_ => judge_changed(&mut input, &blob_responses()),
		},
		2 => judge_sized(&mut input),
		3 => posted::judge_posted(input.rest()),
		4 => verdicts::judge_verdicts(&mut input),
		_ => opened::judge_opened(&mut input),
	}
});
