//! The verifier daemon: challenges devices, times them, posts verdicts, proves frauds, and settles
//! disputes about results by running the module again.
//!
//! Devices dial in and say hello. When the chain lists a round for this verifier, its clock starts;
//! the device computes and commits to all its checkpoints by one root; only then does the verifier
//! draw, from the operating system's randomness, which segments it wants opened, and re-runs them.
//! Its own clock is the only one that counts. Of memory the device commits to what it has filled; then it
//! walks over that from a place that the verifier draws, which is timed too, and blocks and segments of
//! the walk are drawn. Of products, which it commits to as it does to lanes, single entries are drawn, and
//! computed again. Of the way between them the verifier times signed echoes, and moves data when all
//! others do. Of sealed storage it times how long blocks take that it draws, and has others filled again.
//!
//! A verdict is posted twice: first its hash with a secret salt, and, once nobody of the committee can
//! learn from it any more, the verdict itself. Where a segment, a block or an entry is wrong, or a device that had
//! to do its work again signs something else, the device has signed the proof, and the chain gets it
//! at once.
//!
//! Renewals of attestations, which the chain takes unverified, are verified here by the chain's own
//! verification, run on this verifier's node, and disputed where they do not hold.
//!
//! Findings enter a journal before they are posted: a restart neither repeats nor forgets one. So does
//! what devices signed and opened, which is kept as long as a fraud can be proved by it.
//!
//! A verifier that the chain tells devices to find at another node does not run: all of them would fail.
//!
//! Where the settings name an address on loopback, Prometheus finds there what was done.

pub mod chain;
mod config;
mod disputes;
mod error;
pub mod evidence;
mod journal;
mod metrics;
mod posting;
mod registration;
mod renewals;
mod rounds;
mod service;

pub use chain::{ChainError, ChainView, Dispute, Renewal, RenewalOutcome};
pub use config::{
	ChallengeConfig, Config, DisputeConfig, MetricsConfig, NetworkConfig, RenewalConfig,
};
pub use error::Error;
pub use evidence::{read_evidence, EvidenceError, KeptRound};
pub use journal::JournalError;
pub use service::{run, Verifier};

#[cfg(test)]
mod tests;
