//! Repository checks: `cargo run -p xtask -- check`.

mod duplicates;
mod layers;
mod tidy;

use anyhow::{bail, Result};
use cargo_metadata::MetadataCommand;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Repository checks")]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Everything below.
	Check,
	/// Dependencies between our crates go only along the edges that ARCHITECTURE.md allows.
	Layers,
	/// Crates that must exist once exist once.
	Duplicates,
	/// Sources: no unmeasured weights, unfinished markers or oversized files.
	Tidy,
}

fn main() -> Result<()> {
	let cli = Cli::parse();
	let metadata = MetadataCommand::new().other_options(vec!["--locked".into()]).exec()?;
	let (layers, duplicates, tidy) = match cli.command {
		Command::Check => (true, true, true),
		Command::Layers => (true, false, false),
		Command::Duplicates => (false, true, false),
		Command::Tidy => (false, false, true),
	};
	let mut findings = Vec::new();
	if layers {
		findings.extend(layers::check(&metadata));
	}
	if duplicates {
		findings.extend(duplicates::check(&metadata));
	}
	if tidy {
		findings.extend(tidy::check(metadata.workspace_root.as_std_path())?);
	}
	for finding in &findings {
		eprintln!("{finding}");
	}
	if !findings.is_empty() {
		bail!("{} finding(s)", findings.len());
	}
	Ok(())
}
