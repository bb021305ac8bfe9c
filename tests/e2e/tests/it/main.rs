//! End-to-end tests: real processes on loopback. They share one machine, so they run one after the
//! other.

#![allow(
	clippy::print_stdout,
	clippy::unwrap_used,
	reason = "helpers of tests fail and speak as tests do"
)]

mod attestation;
mod blobs;
mod cheats;
mod failures;
mod forgeries;
mod happy_path;
mod planted;
mod refusals;
mod witness;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Two networks at once would measure each other instead of the devices.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
	ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}
