//! [`ChainView`] over the SDK.

use super::{Account, ChainError, ChainView, DeviceView, OfferedLease};
use armature_primitives::{
	ed25519, telemetry::EpochClock, Balance, DeviceId, Moment, RegionId, H256,
};
use armature_sdk::{
	query::{self, LeaseState},
	AccountId32, AtBlock, Chain, Error,
};
use async_trait::async_trait;

/// A chain reached over RPC.
pub struct SdkChain {
	chain: Chain,
}

impl SdkChain {
	/// Over a connection.
	pub fn new(chain: Chain) -> Self {
		Self { chain }
	}

	async fn best(&self) -> Result<AtBlock, ChainError> {
		self.chain.best().await.map_err(failed)
	}
}

fn failed(error: Error) -> ChainError {
	ChainError(error.to_string())
}

#[async_trait]
impl ChainView for SdkChain {
	fn genesis(&self) -> H256 {
		self.chain.genesis()
	}

	async fn now(&self) -> Result<Moment, ChainError> {
		query::now(&self.best().await?).await.map_err(failed)
	}

	async fn epoch_clock(&self) -> Result<EpochClock, ChainError> {
		query::uptime_timing(&self.best().await?)
			.await
			.map(|(clock, _)| clock)
			.map_err(failed)
	}

	async fn device(&self, id: DeviceId) -> Result<Option<DeviceView>, ChainError> {
		let at = self.best().await?;
		let Some(device) = query::device(&at, id).await.map_err(failed)? else { return Ok(None) };
		let site = query::site(&at, device.site.0).await.map_err(failed)?;
		Ok(site.map(|site| DeviceView {
			key: ed25519::Public::from_raw(device.key),
			provider: device.provider.0,
			region: site.region.0,
			status: device.status.0,
		}))
	}

	async fn free_balance(&self, account: Account) -> Result<Balance, ChainError> {
		self.chain.free_balance(&AccountId32(account)).await.map_err(failed)
	}

	async fn offered_leases(&self, region: RegionId) -> Result<Vec<OfferedLease>, ChainError> {
		let at = self.best().await?;
		let mut offered = Vec::new();
		for (lease, found) in query::leases(&at).await.map_err(failed)? {
			if !matches!(found.state, LeaseState::Offered { .. }) {
				continue;
			}
			let site = query::site(&at, found.site.0).await.map_err(failed)?;
			if site.is_some_and(|site| site.region.0 == region) {
				offered.push(OfferedLease { lease, device: found.device.0 });
			}
		}
		Ok(offered)
	}
}
