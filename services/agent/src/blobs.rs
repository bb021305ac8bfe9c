//! Blobs over the orchestrators that the device is connected to.

use crate::{
	key::DeviceKey,
	peers::Peers,
	workload::{BlobError, BlobPort},
};
use armature_p2p::{get_blob, put_blob, Handle, P2pError, PutAuth};
use armature_primitives::{DeviceId, H256};
use async_trait::async_trait;
use std::sync::Arc;

/// Fetches from, and stores with, connected orchestrators.
pub struct OrchestratorBlobs {
	handle: Handle,
	peers: Arc<Peers>,
	key: DeviceKey,
	genesis: H256,
	device: DeviceId,
}

impl OrchestratorBlobs {
	/// Over the node's connections.
	pub fn new(
		handle: Handle,
		peers: Arc<Peers>,
		key: DeviceKey,
		genesis: H256,
		device: DeviceId,
	) -> Self {
		Self { handle, peers, key, genesis, device }
	}
}

#[async_trait]
impl BlobPort for OrchestratorBlobs {
	async fn fetch(&self, hash: H256, max: u64) -> Result<Vec<u8>, BlobError> {
		let mut failure = BlobError::Unavailable("no orchestrator is connected".into());
		let mut missing = false;
		for peer in self.peers.orchestrators() {
			match get_blob(&self.handle, peer, hash, max).await {
				Ok(bytes) => return Ok(bytes),
				Err(P2pError::BlobNotFound) => missing = true,
				Err(P2pError::BlobTooLarge { len, max }) => {
					failure = BlobError::TooLarge { len, max }
				},
				Err(error) => {
					tracing::debug!(%peer, %error, "fetching a blob failed");
					if !matches!(failure, BlobError::TooLarge { .. }) {
						failure = BlobError::Unavailable(error.to_string());
					}
				},
			}
		}
		match failure {
			// One peer's word for a size is not enough while another merely lacks the blob.
			BlobError::Unavailable(_) | BlobError::TooLarge { .. } if missing => {
				Err(BlobError::NotFound)
			},
			failure => Err(failure),
		}
	}

	/// Stores with every connected orchestrator, so that the tenant finds the output wherever it
	/// asks; one is enough to go on.
	async fn store(&self, bytes: &[u8]) -> Result<(), BlobError> {
		let mut stored = false;
		let mut failure = BlobError::Unavailable("no orchestrator is connected".into());
		for peer in self.peers.orchestrators() {
			let sign = |payload: &[u8]| PutAuth::Device {
				device: self.device,
				signature: self.key.sign_payload(payload).0,
			};
			match put_blob(&self.handle, peer, self.genesis, bytes, sign).await {
				Ok(_) => stored = true,
				Err(error) => {
					tracing::warn!(%peer, %error, "storing an output failed");
					failure = BlobError::Unavailable(error.to_string());
				},
			}
		}
		if stored {
			Ok(())
		} else {
			Err(failure)
		}
	}
}
