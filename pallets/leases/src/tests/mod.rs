//! One file per concern.

mod disputes;
mod flow;
mod invariants;
mod money;
mod timeouts;
