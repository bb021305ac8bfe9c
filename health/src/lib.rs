//! Health and availability of devices, judged in integers.
//!
//! Every estimator has constant-size state and no clock of its own: times and lengths are
//! arguments. Nothing uses floats, so the runtime and the services get the same bits.
//!
//! - [`availability`]: the score that the market reads, an exponentially weighted share of proven
//!   slots at three half-lives.
//! - [`phi`]: how surprising a device's silence is, for an orchestrator that decides on failover.
//! - [`cusum`]: whether a metric left the range that it had when it was healthy.
//! - [`fixed`]: the fixed-point numbers behind them.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod availability;
pub mod cusum;
pub mod fixed;
pub mod phi;

pub use availability::{Availability, AvailabilityParams};
pub use cusum::{Alarm, Cusum};
pub use fixed::Fraction;
pub use phi::Phi;
