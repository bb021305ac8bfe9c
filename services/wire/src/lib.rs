//! What agents, orchestrators and verifiers send each other: the messages, their bounds, and the
//! bytes that are signed.
//!
//! Two protocols, each versioned in its name: [`CONTROL_PROTOCOL`] for greetings, beats, challenges
//! and notices, and [`BLOB_PROTOCOL`] for content-addressed bytes. A message is canonical SCALE
//! that decodes whole, within [`MAX_DEPTH`] and within the bounds of its type ([`Message`]). How it
//! travels is `armature-p2p`'s; nothing here knows a transport.
//!
//! Enums carry fixed codec indices; `tests/encoding.rs` pins their bytes. A change that old peers
//! would misread needs a new protocol name.

mod blob;
mod control;
mod signing;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use blob::{BlobRequest, BlobResponse, PutAuth, BLOB_PROTOCOL, MAX_BLOB_LEN, MAX_CHUNK_LEN};
pub use control::{
	ControlRequest, ControlResponse, ServiceKind, StatusReport, CONTROL_PROTOCOL, MAX_BLOCKS,
	MAX_CONTROL_LEN, MAX_DATA_LEN, MAX_ENTRIES, MAX_OPENINGS_LEN, MAX_PEER_ID_LEN, MAX_SEGMENTS,
	MAX_STORED, MAX_VERSION_LEN, MAX_WALK_SEGMENTS,
};
pub use signing::{
	beat_ack_payload, beat_payload, commit_payload, echo_payload, hello_payload, put_payload,
};

use codec::{Decode, DecodeLimit, Encode};

/// Nesting that a decoder follows.
pub const MAX_DEPTH: u32 = 8;

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

/// A message with bounds beyond what its type says.
pub trait Message: Encode + Decode {
	/// The largest frame.
	const CAP: u32;

	/// Whether every list is within its bound.
	fn is_within_bounds(&self) -> bool;

	/// Its frame, if it keeps its bounds.
	///
	/// # Errors
	///
	/// Its length in bytes, if it does not, or is over [`Self::CAP`].
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

#[cfg(test)]
mod tests;
