//! Real processes on loopback: a chain, its services and the command line, for the end-to-end tests
//! and the demo.
//!
//! Everything runs in a temporary directory, listens on ports that the system chose, and is stopped
//! when the value that started it is dropped.

pub mod cli;
pub mod job;
pub mod network;
pub mod process;

pub use cli::{Armature, Outcome};
pub use job::Job;
pub use network::{AgentOptions, Network, Options};
pub use process::Process;
