//! The `armature` command: provider, application and service front end.

mod amount;
mod attest;
mod cli;
mod commands;
mod context;
mod degrees;
mod output;
mod show;

use clap::Parser;
use cli::{Cli, Command};
use context::{Context, Usage};
use std::{io::IsTerminal, process::ExitCode, time::Duration};
use tracing_subscriber::EnvFilter;

/// Something was refused or failed.
const FAILED: u8 = 1;

/// The command was called wrongly; clap exits with the same code.
const USAGE: u8 = 2;

/// How long blocking work may go on once the command is done.
const LAST_WAIT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
	let cli = Cli::parse();
	log_to_stderr(cli.globals.verbose, cli.command.is_daemon());
	let done = tokio::runtime::Builder::new_multi_thread()
		.enable_all()
		.build()
		.map_err(anyhow::Error::from)
		.and_then(|runtime| {
			let done = runtime.block_on(run(cli));
			// A thread that cannot be interrupted (a module being compiled) must not keep a finished
			// command from ending.
			runtime.shutdown_timeout(LAST_WAIT);
			done
		});
	match done {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			report(&error);
			ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILED })
		},
	}
}

async fn run(cli: Cli) -> anyhow::Result<()> {
	let Cli { globals, command } = cli;
	let context = Context::new(globals);
	match command {
		Command::Keys(command) => commands::keys::run(&context, command),
		Command::Account(command) => commands::account::run(&context, command).await,
		Command::Chain(command) => commands::chain::run(&context, command).await,
		Command::Provider(command) => commands::provider::run(&context, command).await,
		Command::Site(command) => commands::site::run(&context, command).await,
		Command::Rack(command) => commands::rack::run(&context, command).await,
		Command::Device(command) => commands::device::run(&context, command).await,
		Command::Ask(command) => commands::ask::run(&context, command).await,
		Command::Order(command) => commands::order::run(&context, command).await,
		Command::Lease(command) => commands::lease::run(&context, command).await,
		Command::Energy(command) => commands::energy::run(&context, command).await,
		Command::Orchestrator(command) => commands::services::orchestrator(&context, command).await,
		Command::Verifier(command) => commands::services::verifier(&context, command).await,
		Command::Agent(command) => commands::services::agent(&context, command).await,
		Command::Blob(command) => commands::blob::run(&context, command).await,
		Command::Workload(command) => commands::workload::run(&context, command).await,
		Command::Challenge(command) => commands::challenge::run(&context, command).await,
		Command::Storage(command) => commands::sectors::run(&context, command).await,
		Command::Config(command) => commands::config::run(&context, command),
		Command::Attest(command) => commands::attest::run(&context, command).await,
	}
}

/// Prints an error and its causes, one a line. Causes that the line above already tells are left
/// out.
fn report(error: &anyhow::Error) {
	let mut said = error.to_string();
	eprintln!("error: {}", one_line(&said));
	for cause in error.chain().skip(1) {
		let text = cause.to_string();
		if !said.contains(&text) {
			eprintln!("  because: {}", one_line(&text));
		}
		said = text;
	}
}

fn one_line(text: &str) -> String {
	text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `RUST_LOG` decides; without it daemons tell what they do, and other commands only with `-v`.
fn log_to_stderr(verbose: u8, daemon: bool) {
	let default = match (verbose, daemon) {
		(0, false) => "error",
		(0, true) | (1, false) => "info",
		(1, true) | (2, _) => "info,armature=debug",
		_ => "trace",
	};
	let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
	tracing_subscriber::fmt()
		.with_env_filter(filter)
		.with_writer(std::io::stderr)
		.with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
		.init();
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn errors_should_fit_one_line() {
		assert_eq!(one_line("a\n\tb   c"), "a b c");
	}

	#[test]
	fn usage_errors_should_be_told_apart_through_context() {
		let error = anyhow::Error::from(Usage("no account".into()));
		assert!(error.is::<Usage>());
		assert!(error.context("while adding a device").is::<Usage>());
		assert!(!anyhow::anyhow!("refused").is::<Usage>());
	}
}
