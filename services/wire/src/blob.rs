//! Content-addressed bytes.

use crate::{Message, Refusal};
use armature_primitives::{DeviceId, H256};
use codec::{Decode, Encode};

/// Name of the blob protocol.
pub const BLOB_PROTOCOL: &str = "/armature/blob/1";

/// The most bytes of a blob that one message carries.
pub const MAX_CHUNK_LEN: u32 = 1024 * 1024;

/// The largest blob request or response, in bytes: a chunk and its envelope.
pub const MAX_BLOB_LEN: u32 = MAX_CHUNK_LEN + 1024;

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

/// Who vouches for an upload, over [`crate::put_payload`] with the uploader's peer id.
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
