//! How each pallet is configured, one file per area.

pub mod consensus;
pub mod domain;
pub mod money;
pub mod system;

pub use system::{RuntimeBlockLength, RuntimeBlockWeights};
