//! What an orchestrator reads from the chain.

pub mod sdk;

use armature_primitives::{
	device::DeviceStatus, ed25519, telemetry::EpochClock, Balance, DeviceId, LeaseId, Moment,
	RegionId, H256,
};
use async_trait::async_trait;

/// An account's public key.
pub type Account = [u8; 32];

/// A device as the chain knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceView {
	/// The key its messages are signed with.
	pub key: ed25519::Public,
	/// The account that bonded it.
	pub provider: Account,
	/// The region of its site.
	pub region: RegionId,
	/// Its state now.
	pub status: DeviceStatus,
}

/// A lease that waits for its device to acknowledge it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfferedLease {
	/// The lease.
	pub lease: LeaseId,
	/// The device that it was matched with.
	pub device: DeviceId,
}

/// The chain could not be read. Nothing is known then; nothing is assumed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("reading the chain: {0}")]
pub struct ChainError(
	/// What failed.
	pub String,
);

/// The chain, at its best known state. Implementations reconnect by themselves.
#[async_trait]
pub trait ChainView: Send + Sync {
	/// The genesis hash, which every signature binds.
	fn genesis(&self) -> H256;

	/// The time of the newest block.
	async fn now(&self) -> Result<Moment, ChainError>;

	/// Epoch and slot lengths.
	async fn epoch_clock(&self) -> Result<EpochClock, ChainError>;

	/// A device; `None` when no such device is registered.
	async fn device(&self, id: DeviceId) -> Result<Option<DeviceView>, ChainError>;

	/// What an account can spend, in planck; 0 for unknown accounts.
	async fn free_balance(&self, account: Account) -> Result<Balance, ChainError>;

	/// Leases in the state Offered of devices in `region`, oldest first.
	async fn offered_leases(&self, region: RegionId) -> Result<Vec<OfferedLease>, ChainError>;
}
