//! A child process with its log in a file.

use anyhow::{bail, Context, Result};
use std::{
	ffi::OsStr,
	fs::{self, File, OpenOptions},
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	thread,
	time::{Duration, Instant},
};

/// Path of one of the project's programs, next to the running test or demo.
pub fn program(name: &str) -> Result<PathBuf> {
	let own = std::env::current_exe().context("finding this program")?;
	let found = own
		.ancestors()
		.skip(1)
		.take(2)
		.map(|folder| folder.join(name))
		.find(|p| p.exists());
	found.with_context(|| {
		format!("{name} is not built; run: cargo build --workspace --release --locked")
	})
}

/// A running program; killed when dropped.
pub struct Process {
	name: String,
	child: Child,
	log: PathBuf,
	/// What the log held before this start.
	from: u64,
}

impl Process {
	/// Starts `program` with its output appended to `<folder>/<name>.log`.
	pub fn start<A: AsRef<OsStr>>(
		folder: &Path,
		name: &str,
		program: &Path,
		arguments: impl IntoIterator<Item = A>,
		environment: &[(&str, &str)],
	) -> Result<Self> {
		let log = folder.join(format!("{name}.log"));
		let file = OpenOptions::new().create(true).append(true).open(&log)?;
		let from = file.metadata()?.len();
		let child = Command::new(program)
			.args(arguments)
			.envs(environment.iter().copied())
			.stdin(Stdio::null())
			.stdout(file.try_clone()?)
			.stderr(file)
			.spawn()
			.with_context(|| format!("starting {}", program.display()))?;
		Ok(Self { name: name.to_owned(), child, log, from })
	}

	/// What it has written since it was started.
	pub fn output(&self) -> Result<String> {
		use std::io::{Read, Seek, SeekFrom};
		let mut file = File::open(&self.log)?;
		file.seek(SeekFrom::Start(self.from))?;
		let mut bytes = Vec::new();
		file.read_to_end(&mut bytes)?;
		Ok(String::from_utf8_lossy(&bytes).into_owned())
	}

	/// Waits for a line that `find` makes something of.
	pub fn wait_for<T>(
		&mut self,
		what: &str,
		limit: Duration,
		find: impl Fn(&str) -> Option<T>,
	) -> Result<T> {
		let until = Instant::now() + limit;
		loop {
			let output = self.output()?;
			if let Some(found) = output.lines().find_map(&find) {
				return Ok(found);
			}
			if let Some(status) = self.child.try_wait()? {
				bail!("{} ended with {status} before {what}:\n{}", self.name, tail(&output));
			}
			if Instant::now() >= until {
				bail!("{}: no {what} within {} s:\n{}", self.name, limit.as_secs(), tail(&output));
			}
			thread::sleep(Duration::from_millis(100));
		}
	}

	/// Asks it to stop and waits; kills it when it does not. Whether it ended as asked and with
	/// success; how else it ended is printed with the end of its log.
	pub fn stop(mut self, limit: Duration) -> Result<bool> {
		let how = if let Some(status) = self.child.try_wait()? {
			format!("had ended before with {status}")
		} else {
			signal(self.child.id(), "-TERM")?;
			let until = Instant::now() + limit;
			loop {
				if let Some(status) = self.child.try_wait()? {
					if status.success() {
						return Ok(true);
					}
					break format!("ended with {status}");
				}
				if Instant::now() >= until {
					break format!("did not end within {} s", limit.as_secs());
				}
				thread::sleep(Duration::from_millis(50));
			}
		};
		eprintln!("{} was to stop and {how}:\n{}", self.name, tail(&self.output()?));
		Ok(false)
	}

	/// Ends it at once, as a power cut would.
	pub fn kill(mut self) -> Result<()> {
		self.child.kill()?;
		self.child.wait()?;
		Ok(())
	}

	/// Its process id.
	pub fn id(&self) -> u32 {
		self.child.id()
	}

	/// Whether it still runs.
	pub fn is_running(&mut self) -> bool {
		matches!(self.child.try_wait(), Ok(None))
	}
}

impl Drop for Process {
	fn drop(&mut self) {
		// It may have ended already; there is nobody to tell.
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

fn signal(id: u32, signal: &str) -> Result<()> {
	let status = Command::new("kill").arg(signal).arg(id.to_string()).status()?;
	if !status.success() {
		bail!("kill {signal} {id} failed");
	}
	Ok(())
}

/// The end of a log, for error messages.
fn tail(text: &str) -> String {
	let lines: Vec<_> = text.lines().collect();
	lines[lines.len().saturating_sub(25)..].join("\n")
}

/// Reads a whole file for an error message; empty when it is not there.
pub fn read_log(folder: &Path, name: &str) -> String {
	fs::read_to_string(folder.join(format!("{name}.log")))
		.map(|text| tail(&text))
		.unwrap_or_default()
}

/// A TCP port that was free a moment ago.
pub fn free_port() -> Result<u16> {
	Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
