//! The command line.

use sc_cli::RunCmd;

/// What was typed.
#[derive(Debug, clap::Parser)]
pub(crate) struct Cli {
	/// What to do instead of running a node.
	#[command(subcommand)]
	pub(crate) subcommand: Option<Subcommand>,

	/// How to run a node.
	#[clap(flatten)]
	pub(crate) run: RunCmd,
}

/// What a node's binary can do besides running.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
	/// Make, inspect and store keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Write the chain spec of a known network, plain or raw.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Write a chain spec (older form of export-chain-spec, takes a path too).
	BuildSpec(sc_cli::BuildSpecCmd),

	/// Import one block again and check it.
	CheckBlock(sc_cli::CheckBlockCmd),

	/// Write blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Write the state of a block as a chain spec.
	ExportState(sc_cli::ExportStateCmd),

	/// Import blocks from a file.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Delete the chain's database.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Go back a number of blocks, never behind the last final one.
	Revert(sc_cli::RevertCmd),

	/// Show what the database says of the chain.
	ChainInfo(sc_cli::ChainInfoCmd),
}
