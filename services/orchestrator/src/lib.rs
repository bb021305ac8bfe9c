//! The regional daemon: rendezvous of devices, beat acknowledgements, blob store, lease dispatch.
//!
//! Devices dial in, say hello under their device key and keep the connection. Each slot they send a
//! beat, which the orchestrator checks and acknowledges with the key that its peer id names.
//! Applications and devices store and fetch blobs by hash. Leases that wait for a connected device
//! are announced to it.
//!
//! Nothing that a peer says is believed without a signature of a key that the chain knows; what the
//! orchestrator itself says is never needed to be believed either: blobs are checked by their hash,
//! lease notices by reading the chain.
//!
//! Where the settings name an address on loopback, Prometheus finds there what was done.

mod beats;
pub mod chain;
mod config;
mod error;
mod metrics;
mod service;
mod store;

pub use chain::{ChainError, ChainView, DeviceView, OfferedLease};
pub use config::{BeatConfig, BlobConfig, Config, DispatchConfig, MetricsConfig, NetworkConfig};
pub use error::Error;
pub use service::{run, Orchestrator};
pub use store::StoreError;

#[cfg(test)]
mod tests;
