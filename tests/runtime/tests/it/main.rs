//! Tests of the real runtime in externalities.

#![allow(
	clippy::print_stdout,
	clippy::unwrap_used,
	reason = "helpers of tests fail and speak as tests do"
)]

mod metadata;
