//! The verifier daemon: challenges devices, times them, posts verdicts, and settles disputes about
//! results by running the module again.
//!
//! Devices dial in and say hello. When the chain lists a round for this verifier, its clock starts;
//! the device computes and commits to all its checkpoints by one root; only then does the verifier
//! draw, from the operating system's randomness, which segments it wants opened, and re-runs them.
//! Its own clock is the only one that counts.
//!
//! Findings enter a journal before they are posted: a restart neither repeats nor forgets one.

pub mod chain;
mod config;
mod disputes;
mod error;
mod journal;
mod rounds;
mod service;

pub use chain::{ChainError, ChainView, Dispute};
pub use config::{ChallengeConfig, Config, DisputeConfig, NetworkConfig};
pub use error::Error;
pub use journal::JournalError;
pub use service::{run, Verifier};

#[cfg(test)]
mod tests;
