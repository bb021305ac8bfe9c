//! Runs the benchmarks of a runtime's pallets: `armature-bencher --runtime FILE --pallet NAME ...`, with
//! the arguments of the SDK's `benchmark pallet` command. Only standard host functions are
//! offered, which is all that our runtime may use.

use clap::Parser;
use frame_benchmarking_cli::PalletCmd;
use sp_runtime::traits::BlakeTwo256;
use tracing_subscriber::EnvFilter;

fn main() -> sc_cli::Result<()> {
	tracing_subscriber::fmt()
		.with_env_filter(
			EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")),
		)
		.with_writer(std::io::stderr)
		.init();
	PalletCmd::parse().run_with_spec::<BlakeTwo256, ()>(None)
}
