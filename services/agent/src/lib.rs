#![doc = include_str!("../README.md")]

mod attest;
pub mod beats;
pub mod blobs;
pub mod chain;
pub mod challenge;
mod clock;
pub mod compute;
pub mod config;
mod daemon;
pub mod inventory;
pub mod key;
mod lock;
pub mod measure;
mod metrics;
pub mod peers;
mod retry;
pub mod store;
pub mod telemetry;
pub mod workload;

#[cfg(test)]
mod testing;

pub use attest::AttestError;
pub use chain::{ChainError, ChainPort};
pub use config::Config;
pub use daemon::{run, AgentError};
pub use key::DeviceKey;
