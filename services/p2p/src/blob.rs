//! Moving whole blobs.

use crate::{
	error::P2pError,
	handle::Handle,
	messages::{put_payload, BlobRequest, BlobResponse, PutAuth, Refusal, MAX_CHUNK_LEN},
};
use armature_primitives::H256;
use libp2p::PeerId;
use std::time::Duration;

/// One chunk must be through by then.
pub const BLOB_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a request is repeated when the peer asks for patience.
const MAX_ATTEMPTS: u32 = 40;

/// Pause before such a repetition.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Stores `bytes` with `peer` and returns their name. `sign` gets the bytes to sign (see
/// [`put_payload`]) and answers for whose quota they count. Nothing is sent when the peer has the
/// blob.
pub async fn put_blob(
	handle: &Handle,
	peer: PeerId,
	genesis: H256,
	bytes: &[u8],
	sign: impl Fn(&[u8]) -> PutAuth,
) -> Result<H256, P2pError> {
	let hash = H256(sp_crypto_hashing::blake2_256(bytes));
	let total = u64::try_from(bytes.len())
		.map_err(|_| P2pError::BlobTooLarge { len: u64::MAX, max: u64::MAX })?;
	match request(handle, peer, BlobRequest::Stat { hash }).await? {
		BlobResponse::Stat { len: Some(len) } if len == total => return Ok(hash),
		BlobResponse::Stat { len: None } => {},
		_ => return Err(P2pError::BadResponse),
	}
	let auth = sign(&put_payload(&genesis, &hash, total, &handle.peer_id().to_bytes()));
	let mut rest = bytes;
	let mut offset = 0u64;
	loop {
		let at = rest.len().min(usize::try_from(MAX_CHUNK_LEN).unwrap_or(usize::MAX));
		let (chunk, tail) = rest.split_at(at);
		let put =
			BlobRequest::Put { hash, total, offset, bytes: chunk.to_vec(), auth: auth.clone() };
		let BlobResponse::Stored { complete } = request(handle, peer, put).await? else {
			return Err(P2pError::BadResponse);
		};
		// Another uploader may have completed the same blob meanwhile.
		if complete {
			return Ok(hash);
		}
		if tail.is_empty() {
			return Err(P2pError::BadResponse);
		}
		rest = tail;
		offset = offset.saturating_add(u64::try_from(at).unwrap_or(u64::MAX));
	}
}

/// Fetches a blob of at most `max_len` bytes and checks that its bytes have its hash.
pub async fn get_blob(
	handle: &Handle,
	peer: PeerId,
	hash: H256,
	max_len: u64,
) -> Result<Vec<u8>, P2pError> {
	let len = match request(handle, peer, BlobRequest::Stat { hash }).await? {
		BlobResponse::Stat { len: Some(len) } => len,
		BlobResponse::Stat { len: None } => return Err(P2pError::BlobNotFound),
		_ => return Err(P2pError::BadResponse),
	};
	if len > max_len {
		return Err(P2pError::BlobTooLarge { len, max: max_len });
	}
	// Grows with what arrives: a length alone reserves nothing.
	let mut bytes = Vec::new();
	let mut offset = 0u64;
	while offset < len {
		let missing = len.saturating_sub(offset);
		let wanted = u32::try_from(missing).unwrap_or(u32::MAX).min(MAX_CHUNK_LEN);
		let get = BlobRequest::Get { hash, offset, len: wanted };
		let BlobResponse::Chunk { bytes: chunk } = request(handle, peer, get).await? else {
			return Err(P2pError::BadResponse);
		};
		let got = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
		if got == 0 || got > wanted {
			return Err(P2pError::BadResponse);
		}
		bytes.extend_from_slice(&chunk);
		offset = offset.saturating_add(u64::from(got));
	}
	if H256(sp_crypto_hashing::blake2_256(&bytes)) != hash {
		return Err(P2pError::HashMismatch);
	}
	Ok(bytes)
}

async fn request(
	handle: &Handle,
	peer: PeerId,
	request: BlobRequest,
) -> Result<BlobResponse, P2pError> {
	let mut attempt = 1;
	loop {
		let response = handle.blob(peer, request.clone(), BLOB_REQUEST_TIMEOUT).await?;
		match response {
			BlobResponse::Refused { reason: Refusal::RateLimited | Refusal::Busy }
				if attempt < MAX_ATTEMPTS =>
			{
				attempt += 1;
				tokio::time::sleep(RETRY_PAUSE).await;
			},
			BlobResponse::Refused { reason } => return Err(P2pError::Refused(reason)),
			response => return Ok(response),
		}
	}
}
