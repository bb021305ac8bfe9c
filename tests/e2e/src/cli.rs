//! The `armature` command, run as a user runs it.

use crate::process::program;
use anyhow::{bail, Context, Result};
use serde_json::Value;
use std::{
	path::PathBuf,
	process::{Command, Output, Stdio},
	thread,
	time::{Duration, Instant},
};

/// The command line with its chain.
#[derive(Clone)]
pub struct Armature {
	program: PathBuf,
	url: String,
}

/// How a command ended.
pub struct Outcome {
	/// Its exit code.
	pub code: i32,
	/// What it printed.
	pub stdout: String,
	/// What it said beside that.
	pub stderr: String,
}

impl Armature {
	/// For the node at `url`.
	pub fn new(url: &str) -> Result<Self> {
		Ok(Self { program: program("armature")?, url: url.to_owned() })
	}

	/// Path of the program.
	pub fn program(&self) -> &PathBuf {
		&self.program
	}

	/// The node's address.
	pub fn url(&self) -> &str {
		&self.url
	}

	/// Runs a command as `account` (a secret URI; empty for none) and returns how it ended.
	pub fn try_run(&self, account: &str, arguments: &[&str]) -> Result<Outcome> {
		let mut command = Command::new(&self.program);
		command
			.args(["--url", &self.url, "--output", "json"])
			.args(arguments)
			.stdin(Stdio::null());
		if account.is_empty() {
			command.env_remove("ARMATURE_ACCOUNT");
		} else {
			command.env("ARMATURE_ACCOUNT", account);
		}
		let Output { status, stdout, stderr } = command.output().context("running armature")?;
		Ok(Outcome {
			code: status.code().unwrap_or(-1),
			stdout: String::from_utf8(stdout)?,
			stderr: String::from_utf8_lossy(&stderr).into_owned(),
		})
	}

	/// Runs a command that must succeed and returns its JSON.
	pub fn run(&self, account: &str, arguments: &[&str]) -> Result<Value> {
		let outcome = self.try_run(account, arguments)?;
		if outcome.code != 0 {
			bail!(
				"armature {} ended with {}: {}",
				arguments.join(" "),
				outcome.code,
				outcome.stderr
			);
		}
		serde_json::from_str(&outcome.stdout).with_context(|| {
			format!("armature {} printed no JSON: {}", arguments.join(" "), outcome.stdout)
		})
	}

	/// Runs a command that must be refused and returns what it said.
	pub fn refused(&self, account: &str, arguments: &[&str]) -> Result<String> {
		let outcome = self.try_run(account, arguments)?;
		if outcome.code != 1 {
			bail!(
				"armature {} ended with {} where 1 was expected: {}{}",
				arguments.join(" "),
				outcome.code,
				outcome.stdout,
				outcome.stderr
			);
		}
		Ok(outcome.stderr)
	}

	/// Repeats a reading command until `done` makes something of its answer.
	pub fn until<T>(
		&self,
		what: &str,
		arguments: &[&str],
		limit: Duration,
		done: impl Fn(&Value) -> Option<T>,
	) -> Result<T> {
		let until = Instant::now() + limit;
		loop {
			let answer = self.run("", arguments)?;
			if let Some(found) = done(&answer) {
				return Ok(found);
			}
			if Instant::now() >= until {
				bail!("no {what} within {} s; last answer: {answer}", limit.as_secs());
			}
			thread::sleep(Duration::from_millis(500));
		}
	}
}
