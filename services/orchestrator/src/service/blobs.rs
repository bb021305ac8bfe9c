//! Requests for blobs: who may store them, and parts in and out.

use super::{timed, unix_millis, Service};
use crate::{
	chain::Account,
	store::{Owner, Part},
};
use armature_p2p::{messages::put_payload, BlobRequest, BlobResponse, PeerId, PutAuth, Refusal};
use armature_primitives::{device::DeviceStatus, ed25519::Signature, Balance};

impl Service {
	pub(super) async fn blob(
		&self,
		peer: PeerId,
		request: BlobRequest,
	) -> Result<BlobResponse, Refusal> {
		let now = unix_millis();
		match request {
			BlobRequest::Stat { hash } => {
				Ok(BlobResponse::Stat { len: self.store.stat(&hash, now) })
			},
			BlobRequest::Get { hash, offset, len } => {
				let bytes = self
					.with_store(move |store| {
						store.read(&hash, offset, len, now).map_err(|error| {
							tracing::debug!(blob = ?hash, %error, "read refused");
							error.refusal()
						})
					})
					.await?;
				Ok(BlobResponse::Chunk { bytes })
			},
			BlobRequest::Put { hash, total, offset, bytes, auth } => {
				let owner = match &auth {
					PutAuth::Account { account, .. } => Owner::Account(*account),
					PutAuth::Device { device, .. } => Owner::Device(*device),
				};
				if offset == 0 {
					if self.store.stat(&hash, now).is_some() {
						return Ok(BlobResponse::Stored { complete: true });
					}
					if total > self.config.blobs.max_blob_bytes {
						return Err(Refusal::TooLarge);
					}
					let payload = put_payload(&self.genesis, &hash, total, &peer.to_bytes());
					// Later parts belong to the upload that this opens, of this peer and owner.
					self.authorize(auth, payload).await?;
				}
				let complete = self
					.with_store(move |store| {
						let part = Part { peer, owner, hash, total, offset, bytes: &bytes };
						store.put(part, now).map_err(|error| {
							tracing::debug!(blob = ?hash, %error, "write refused");
							error.refusal()
						})
					})
					.await?;
				Ok(BlobResponse::Stored { complete })
			},
		}
	}

	async fn authorize(&self, auth: PutAuth, payload: Vec<u8>) -> Result<(), Refusal> {
		match auth {
			PutAuth::Account { account, signature } => {
				let is_signed = tokio::task::spawn_blocking(move || {
					armature_verifier::signature::verify_account(
						&payload,
						&sp_core::sr25519::Signature::from(signature),
						&sp_core::sr25519::Public::from(account),
					)
				});
				if !is_signed.await.map_err(|_| Refusal::Internal)? {
					return Err(Refusal::BadSignature);
				}
				self.can_store(account).await
			},
			PutAuth::Device { device, signature } => {
				let view = self.device(device).await?;
				if view.status == DeviceStatus::Jailed {
					return Err(Refusal::NotAssigned);
				}
				if !self.is_signed(payload, Signature::from(signature), view.key).await? {
					return Err(Refusal::BadSignature);
				}
				Ok(())
			},
		}
	}

	async fn can_store(&self, account: Account) -> Result<(), Refusal> {
		let _permit = self.chain_requests.acquire().await.map_err(|_| Refusal::Internal)?;
		let balance = timed(self.chain.free_balance(account)).await.map_err(|error| {
			tracing::warn!(%error, "cannot read a balance");
			Refusal::Internal
		})?;
		if balance < Balance::from(self.config.blobs.min_account_balance) {
			return Err(Refusal::QuotaExceeded);
		}
		Ok(())
	}
}
