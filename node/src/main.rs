//! The Armature node: BABE and GRANDPA service, chain specs, RPC.
//!
//! It knows nothing of devices, markets or leases: those are the runtime's.

mod chain_spec;
mod cli;
mod command;
mod database;
mod rpc;
mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
	match command::run() {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("Error: {error}");
			ExitCode::FAILURE
		},
	}
}
