//! One file per concern.

mod attestation;
mod disputes;
mod flow;
mod invariants;
mod money;
mod timeouts;
