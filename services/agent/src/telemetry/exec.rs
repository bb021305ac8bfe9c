//! A command that prints watts: the way to any meter that this crate does not know.

use super::{MeterError, PowerMeter};
use armature_primitives::{telemetry::PowerSource, MilliWatts, Ppm};
use std::{
	io::Read,
	process::{Command, Stdio},
	sync::mpsc,
	time::{Duration, Instant},
};

/// Bytes of output that are looked at.
const MAX_OUTPUT: u64 = 256;

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(10);

/// The most watts that one machine is believed to draw.
const MAX_WATTS: f64 = 100_000.0;

/// Runs the command for each reading.
#[derive(Debug)]
pub struct ExecMeter {
	program: String,
	arguments: Vec<String>,
	timeout: Duration,
	error: Ppm,
}

impl ExecMeter {
	/// A meter that runs `command`, program first, without a shell. Its figures count as a wall
	/// meter's.
	pub fn new(command: &[String], timeout: Duration, error: Ppm) -> Result<Self, MeterError> {
		let (program, arguments) = command
			.split_first()
			.filter(|(program, _)| !program.is_empty())
			.ok_or(MeterError::Incomplete { source_name: "exec", field: "command" })?;
		Ok(Self { program: program.clone(), arguments: arguments.to_vec(), timeout, error })
	}
}

impl PowerMeter for ExecMeter {
	fn name(&self) -> &str {
		&self.program
	}

	fn source(&self) -> PowerSource {
		PowerSource::WallMeter
	}

	fn error(&self) -> Ppm {
		self.error
	}

	fn read(&mut self, _load: Ppm) -> Result<Option<MilliWatts>, MeterError> {
		let io = |what: &str, error: std::io::Error| {
			MeterError::Io(format!("{what} {}: {error}", self.program))
		};
		let began = Instant::now();
		let mut child = Command::new(&self.program)
			.args(&self.arguments)
			.stdin(Stdio::null())
			.stdout(Stdio::piped())
			.stderr(Stdio::null())
			.spawn()
			.map_err(|error| io("starting", error))?;
		// Read beside the command: a full pipe must not block it, and a grandchild that keeps the
		// pipe open must not block us.
		let (sender, receiver) = mpsc::sync_channel(1);
		if let Some(stdout) = child.stdout.take() {
			std::thread::spawn(move || {
				let mut text = String::new();
				stdout.take(MAX_OUTPUT).read_to_string(&mut text).ok();
				sender.send(text).ok();
			});
		}
		let status = loop {
			if let Some(status) = child.try_wait().map_err(|error| io("waiting for", error))? {
				break status;
			}
			if began.elapsed() >= self.timeout {
				child.kill().map_err(|error| io("killing", error))?;
				child.wait().map_err(|error| io("waiting for", error))?;
				return Err(MeterError::Timeout(self.timeout));
			}
			std::thread::sleep(POLL);
		};
		if !status.success() {
			return Err(MeterError::Io(format!("{} failed: {status}", self.program)));
		}
		let left = self.timeout.saturating_sub(began.elapsed()).max(POLL);
		let text = receiver.recv_timeout(left).map_err(|_| MeterError::Timeout(self.timeout))?;
		parse_watts(&text).map(Some)
	}
}

/// One number of watts, such as `112.5`.
fn parse_watts(text: &str) -> Result<MilliWatts, MeterError> {
	let watts: f64 =
		text.trim().parse().map_err(|_| MeterError::Nonsense(text.trim().to_owned()))?;
	if !(0.0..=MAX_WATTS).contains(&watts) {
		return Err(MeterError::Nonsense(text.trim().to_owned()));
	}
	// In 0..=10^8, so within u32, and never NaN.
	Ok(MilliWatts((watts * 1_000.0).round() as u32))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn meter(script: &str, timeout: Duration) -> ExecMeter {
		let command = ["/bin/sh", "-c", script].map(String::from);
		ExecMeter::new(&command, timeout, Ppm(1)).expect("complete")
	}

	#[test]
	fn numbers_should_parse_and_nonsense_should_not() {
		assert_eq!(parse_watts("112.5\n").expect("a number"), MilliWatts(112_500));
		assert_eq!(parse_watts("0").expect("a number"), MilliWatts(0));
		assert_eq!(parse_watts("100000").expect("the cap"), MilliWatts(100_000_000));
		for text in ["", "-1", "nan", "inf", "100001", "12 W", "1e99"] {
			assert!(parse_watts(text).is_err(), "{text:?}");
		}
	}

	#[test]
	fn a_command_should_be_read() {
		let mut meter = meter("echo 42.25", Duration::from_secs(10));
		assert_eq!(meter.read(Ppm(0)).expect("reads"), Some(MilliWatts(42_250)));
	}

	#[test]
	fn a_hanging_command_should_be_killed() {
		let mut meter = meter("sleep 60", Duration::from_millis(100));
		let began = Instant::now();
		assert!(matches!(meter.read(Ppm(0)), Err(MeterError::Timeout(_))));
		assert!(began.elapsed() < Duration::from_secs(20));
	}

	#[test]
	fn a_grandchild_that_keeps_the_pipe_should_not_block() {
		let mut meter = meter("sleep 5 & echo 1", Duration::from_millis(300));
		let began = Instant::now();
		// The pipe never ends in time, and that is a timeout, not a hang.
		assert!(matches!(meter.read(Ppm(0)), Err(MeterError::Timeout(_))));
		assert!(began.elapsed() < Duration::from_secs(4));
	}

	#[test]
	fn failures_and_floods_should_be_errors() {
		let wait = Duration::from_secs(10);
		assert!(matches!(meter("exit 3", wait).read(Ppm(0)), Err(MeterError::Io(_))));
		let flood = meter("head -c 100000 /dev/zero", wait).read(Ppm(0));
		assert!(flood.is_err());
		let missing = ExecMeter::new(&["/no/such/program".into()], wait, Ppm(1));
		assert!(matches!(missing.expect("complete").read(Ppm(0)), Err(MeterError::Io(_))));
	}
}
