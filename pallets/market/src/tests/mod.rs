//! One file per concern.

mod batch;
mod calls;
mod checks;
mod invariants;
