//! Ids, units, wire types and the traits through which Armature's pallets talk.
//!
//! Nothing here has behaviour beyond encoding and small total functions: the crate is the shared
//! vocabulary of the runtime, the pure crates and the off-chain services. Every enum that is
//! stored or sent carries fixed codec indices; `tests/encoding.rs` pins their bytes.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod challenge;
pub mod device;
pub mod energy;
pub mod evidence;
pub mod ids;
pub mod lease;
pub mod location;
pub mod market;
pub mod service;
pub mod signing;
pub mod telemetry;
pub mod traits;
pub mod units;

pub use ids::{DeviceId, EpochIndex, LeaseId, OrderId, RackId, RegionId, RoundId, SiteId};
pub use units::{Balance, MilliWattHours, MilliWatts, Moment, Ppm};

pub use sp_core::{ed25519, H256};
