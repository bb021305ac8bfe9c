//! What travels, its bounds, and the bytes that are signed.
//!
//! Enums carry fixed codec indices; `tests/encoding.rs` pins their bytes. A change
//! that old peers would misread needs a new protocol name.

use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask},
	ed25519::Signature,
	signing::{device_payload, Domain},
	telemetry::{Beat, BeatAck},
	DeviceId, LeaseId, Moment, RoundId, H256,
};
use codec::{Decode, DecodeLimit, Encode};

/// Name of the control protocol.
pub const CONTROL_PROTOCOL: &str = "/armature/control/2";

/// Name of the blob protocol.
pub const BLOB_PROTOCOL: &str = "/armature/blob/1";

/// The largest control request or response, in bytes.
pub const MAX_CONTROL_LEN: u32 = 256 * 1024;

/// The most bytes of a blob that one message carries.
pub const MAX_CHUNK_LEN: u32 = 1024 * 1024;

/// The largest blob request or response, in bytes: a chunk and its envelope.
pub const MAX_BLOB_LEN: u32 = MAX_CHUNK_LEN + 1024;

/// The longest peer id, in bytes.
pub const MAX_PEER_ID_LEN: usize = 64;

/// The most segments that one request may ask to be opened: their openings fit one response.
pub const MAX_SEGMENTS: usize = 160;

/// The most bytes of openings in one response.
pub const MAX_OPENINGS_LEN: usize = 255 * 1024;

/// The longest version string of a status report, in bytes.
pub const MAX_VERSION_LEN: usize = 64;

/// Nesting that a decoder follows.
const MAX_DEPTH: u32 = 8;

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ServiceKind {
	/// Runs a device.
	#[codec(index = 0)]
	Agent,
	/// Serves a region.
	#[codec(index = 1)]
	Orchestrator,
	/// Challenges devices and settles disputes.
	#[codec(index = 2)]
	Verifier,
	/// An application's or provider's command line.
	#[codec(index = 3)]
	Client,
}

/// Why a request was not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, thiserror::Error)]
pub enum Refusal {
	/// More requests than the peer may send.
	#[error("rate limited")]
	#[codec(index = 0)]
	RateLimited,
	/// The chain does not know the device, or the peer has not said hello for it.
	#[error("unknown device")]
	#[codec(index = 1)]
	UnknownDevice,
	/// A signature is not valid for its key and message.
	#[error("bad signature")]
	#[codec(index = 2)]
	BadSignature,
	/// The message does not decode, breaks a bound or contradicts what was said before.
	#[error("malformed")]
	#[codec(index = 3)]
	Malformed,
	/// A frame or a blob is over its cap.
	#[error("too large")]
	#[codec(index = 4)]
	TooLarge,
	/// The owner's or the store's quota is used up.
	#[error("quota exceeded")]
	#[codec(index = 5)]
	QuotaExceeded,
	/// The thing asked for is not here.
	#[error("not found")]
	#[codec(index = 6)]
	NotFound,
	/// The bytes do not have the hash that they were announced with.
	#[error("hash mismatch")]
	#[codec(index = 7)]
	HashMismatch,
	/// The request concerns something that the answering service does not serve or is not party
	/// to.
	#[error("not assigned")]
	#[codec(index = 8)]
	NotAssigned,
	/// Too much work is waiting; try later.
	#[error("busy")]
	#[codec(index = 9)]
	Busy,
	/// The service failed.
	#[error("internal failure")]
	#[codec(index = 10)]
	Internal,
}

/// A request of [`CONTROL_PROTOCOL`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ControlRequest {
	/// A device introduces the peer that speaks for it.
	#[codec(index = 0)]
	Hello {
		/// The device.
		device: DeviceId,
		/// The sender's own peer id.
		peer: Vec<u8>,
		/// The sender's clock.
		sent_at: Moment,
		/// The device key's, over [`hello_payload`].
		signature: Signature,
	},
	/// Proof of life.
	#[codec(index = 1)]
	Beat {
		/// The beat.
		beat: Beat,
		/// The device key's, over [`beat_payload`].
		signature: Signature,
	},
	/// Run the challenge and answer with the commitment.
	#[codec(index = 2)]
	StartChallenge {
		/// What to run.
		task: ChallengeTask,
	},
	/// Open segments of a committed round.
	#[codec(index = 3)]
	OpenSegments {
		/// The round.
		round: RoundId,
		/// Hash of the task that was committed to: a round whose block was replaced has another.
		task: H256,
		/// Lane and segment of each, at most [`MAX_SEGMENTS`].
		segments: Vec<(u16, u32)>,
	},
	/// A lease waits for the device. A hint only: the device reads the lease from the chain.
	#[codec(index = 4)]
	LeaseNotice {
		/// The lease.
		lease: LeaseId,
	},
	/// How are you?
	#[codec(index = 5)]
	Status,
}

/// A response of [`CONTROL_PROTOCOL`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ControlResponse {
	/// To `Hello`.
	#[codec(index = 0)]
	Welcome {
		/// What the answering service is.
		service: ServiceKind,
		/// Its clock.
		now: Moment,
	},
	/// To `Beat`.
	#[codec(index = 1)]
	BeatAck {
		/// The acknowledgement.
		ack: BeatAck,
		/// The orchestrator's, over [`beat_ack_payload`].
		signature: Signature,
	},
	/// To `StartChallenge`.
	#[codec(index = 2)]
	Committed {
		/// The commitment.
		commit: ChallengeCommit,
		/// The device key's, over [`commit_payload`].
		signature: Signature,
	},
	/// To `OpenSegments`.
	#[codec(index = 3)]
	Segments {
		/// SCALE of `Vec<armature_verifier::challenge::SegmentOpening>`, one for each asked for
		/// and in that order; at most [`MAX_OPENINGS_LEN`] bytes.
		openings: Vec<u8>,
	},
	/// To `LeaseNotice`.
	#[codec(index = 4)]
	Accepted,
	/// To `Status`.
	#[codec(index = 5)]
	Status {
		/// The report.
		report: StatusReport,
	},
	/// To anything.
	#[codec(index = 6)]
	Refused {
		/// Why.
		reason: Refusal,
	},
}

/// What a service says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StatusReport {
	/// What it is.
	pub service: ServiceKind,
	/// Its version, at most [`MAX_VERSION_LEN`] bytes.
	pub version: Vec<u8>,
	/// Its clock.
	pub now: Moment,
	/// When it started, by its clock.
	pub started_at: Moment,
	/// Devices that have said hello and are connected.
	pub devices: u32,
	/// Challenges, leases or disputes that it works on.
	pub in_flight: u32,
	/// Blobs that it stores.
	pub blobs: u64,
	/// Bytes of these blobs.
	pub blob_bytes: u64,
}

/// A request of [`BLOB_PROTOCOL`]. A blob's name is the blake2b-256 of its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum BlobRequest {
	/// Is it here, and how long is it?
	#[codec(index = 0)]
	Stat {
		/// Its name.
		hash: H256,
	},
	/// Read a part.
	#[codec(index = 1)]
	Get {
		/// Its name.
		hash: H256,
		/// First byte wanted.
		offset: u64,
		/// Bytes wanted, from 1 to [`MAX_CHUNK_LEN`]; fewer come at the end.
		len: u32,
	},
	/// Write the next part. Parts come in order; offset 0 starts anew.
	#[codec(index = 2)]
	Put {
		/// Its name.
		hash: H256,
		/// Its whole length.
		total: u64,
		/// Where `bytes` belong.
		offset: u64,
		/// The part, at most [`MAX_CHUNK_LEN`]; empty only when `total` is 0.
		bytes: Vec<u8>,
		/// On whose quota, and that owner's word for it.
		auth: PutAuth,
	},
}

/// A response of [`BLOB_PROTOCOL`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum BlobResponse {
	/// To `Stat`.
	#[codec(index = 0)]
	Stat {
		/// Its length, if it is here.
		len: Option<u64>,
	},
	/// To `Get`.
	#[codec(index = 1)]
	Chunk {
		/// The part, at most [`MAX_CHUNK_LEN`].
		bytes: Vec<u8>,
	},
	/// To `Put`.
	#[codec(index = 2)]
	Stored {
		/// Whether the blob is now whole, checked and durable.
		complete: bool,
	},
	/// To anything.
	#[codec(index = 3)]
	Refused {
		/// Why.
		reason: Refusal,
	},
}

/// Who vouches for an upload, over [`put_payload`] with the uploader's peer id.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum PutAuth {
	/// An account (sr25519).
	#[codec(index = 0)]
	Account {
		/// The account's public key.
		account: [u8; 32],
		/// Its signature.
		signature: [u8; 64],
	},
	/// A device (ed25519, the key that the chain knows).
	#[codec(index = 1)]
	Device {
		/// The device.
		device: DeviceId,
		/// Its signature.
		signature: [u8; 64],
	},
}

/// What a device signs in [`ControlRequest::Hello`]. The peer id ties it to one connection's
/// authenticated end, so that nobody else can use it.
pub fn hello_payload(genesis: &H256, device: DeviceId, peer: &[u8], sent_at: Moment) -> Vec<u8> {
	device_payload(Domain::Hello, genesis, device, &(peer, sent_at))
}

/// What a device signs in [`ControlRequest::Beat`].
pub fn beat_payload(genesis: &H256, beat: &Beat) -> Vec<u8> {
	device_payload(Domain::Beat, genesis, beat.device, beat)
}

/// What an orchestrator signs in [`ControlResponse::BeatAck`].
pub fn beat_ack_payload(genesis: &H256, device: DeviceId, ack: &BeatAck) -> Vec<u8> {
	device_payload(Domain::BeatAck, genesis, device, ack)
}

/// What a device signs in [`ControlResponse::Committed`].
pub fn commit_payload(genesis: &H256, device: DeviceId, commit: &ChallengeCommit) -> Vec<u8> {
	device_payload(Domain::ChallengeCommit, genesis, device, commit)
}

/// What an owner signs in [`PutAuth`]: prefix, genesis hash, the blob's hash, its length (8 bytes,
/// little-endian) and the uploader's peer id.
pub fn put_payload(genesis: &H256, hash: &H256, total: u64, peer: &[u8]) -> Vec<u8> {
	let mut out = Vec::from(&b"armature/put\0"[..]);
	genesis.encode_to(&mut out);
	hash.encode_to(&mut out);
	total.encode_to(&mut out);
	out.extend_from_slice(peer);
	out
}

/// A message with bounds beyond what its type says.
pub(crate) trait Message: Encode + Decode {
	/// The largest frame.
	const CAP: u32;

	/// Whether every list is within its bound.
	fn is_within_bounds(&self) -> bool;

	/// Its frame, if it keeps its bounds.
	fn to_bytes(&self) -> Result<Vec<u8>, usize> {
		let bytes = self.encode();
		let fits = u32::try_from(bytes.len()).is_ok_and(|len| len <= Self::CAP);
		if fits && self.is_within_bounds() {
			Ok(bytes)
		} else {
			Err(bytes.len())
		}
	}

	/// The message in `bytes`, if they are exactly one and it keeps its bounds.
	fn from_bytes(bytes: &[u8]) -> Option<Self> {
		if u32::try_from(bytes.len()).map_or(true, |len| len > Self::CAP) {
			return None;
		}
		let mut input = bytes;
		Self::decode_all_with_depth_limit(MAX_DEPTH, &mut input)
			.ok()
			.filter(Self::is_within_bounds)
	}
}

impl Message for ControlRequest {
	const CAP: u32 = MAX_CONTROL_LEN;

	fn is_within_bounds(&self) -> bool {
		match self {
			ControlRequest::Hello { peer, .. } => peer.len() <= MAX_PEER_ID_LEN,
			ControlRequest::OpenSegments { segments, .. } => segments.len() <= MAX_SEGMENTS,
			ControlRequest::Beat { .. }
			| ControlRequest::StartChallenge { .. }
			| ControlRequest::LeaseNotice { .. }
			| ControlRequest::Status => true,
		}
	}
}

impl Message for ControlResponse {
	const CAP: u32 = MAX_CONTROL_LEN;

	fn is_within_bounds(&self) -> bool {
		match self {
			ControlResponse::Segments { openings } => openings.len() <= MAX_OPENINGS_LEN,
			ControlResponse::Status { report } => report.version.len() <= MAX_VERSION_LEN,
			ControlResponse::Welcome { .. }
			| ControlResponse::BeatAck { .. }
			| ControlResponse::Committed { .. }
			| ControlResponse::Accepted
			| ControlResponse::Refused { .. } => true,
		}
	}
}

impl Message for BlobRequest {
	const CAP: u32 = MAX_BLOB_LEN;

	fn is_within_bounds(&self) -> bool {
		match self {
			BlobRequest::Stat { .. } => true,
			BlobRequest::Get { len, .. } => (1..=MAX_CHUNK_LEN).contains(len),
			BlobRequest::Put { total, offset, bytes, .. } => {
				is_chunk(bytes)
					&& bytes.is_empty() == (*total == 0)
					&& u64::try_from(bytes.len())
						.ok()
						.and_then(|len| offset.checked_add(len))
						.is_some_and(|end| end <= *total)
			},
		}
	}
}

impl Message for BlobResponse {
	const CAP: u32 = MAX_BLOB_LEN;

	fn is_within_bounds(&self) -> bool {
		match self {
			BlobResponse::Chunk { bytes } => is_chunk(bytes),
			BlobResponse::Stat { .. }
			| BlobResponse::Stored { .. }
			| BlobResponse::Refused { .. } => true,
		}
	}
}

fn is_chunk(bytes: &[u8]) -> bool {
	u32::try_from(bytes.len()).is_ok_and(|len| len <= MAX_CHUNK_LEN)
}
