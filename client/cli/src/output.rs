//! What commands print: a table or JSON on standard output, progress and errors on standard error.

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{presets::UTF8_HORIZONTAL_ONLY, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::{
	io::{IsTerminal, Write},
	time::{Duration, Instant},
};

/// Pause between lines that tell how far work is, where no bar can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
	/// For people.
	Table,
	/// For programs: one JSON document.
	Json,
}

/// Prints results in the chosen format.
#[derive(Clone, Copy)]
pub(crate) struct Output {
	format: Format,
	/// Exit code for when whoever reads standard output stops reading.
	closed: i32,
}

impl Output {
	pub(crate) fn new(format: Format) -> Self {
		Self { format, closed: 0 }
	}

	/// The same for a result whose exit code says something: that one also counts when nobody reads
	/// the text to its end.
	pub(crate) fn or_exit_with(self, closed: u8) -> Self {
		Self { closed: i32::from(closed), ..self }
	}

	/// Prints rows: a table with these headings, or a JSON array.
	pub(crate) fn rows<Row: Serialize>(
		&self,
		headings: &[&str],
		rows: &[Row],
		cells: impl Fn(&Row) -> Vec<String>,
	) -> Result<()> {
		match self.format {
			Format::Json => self.json(&rows),
			Format::Table if rows.is_empty() => self.print("none\n"),
			Format::Table => {
				let mut table = table();
				table.set_header(headings.iter().copied());
				for row in rows {
					table.add_row(cells(row));
				}
				self.print(&format!("{table}\n"))
			},
		}
	}

	/// Prints one record: two columns, or a JSON object.
	pub(crate) fn record<Record: Serialize>(
		&self,
		record: &Record,
		fields: impl FnOnce(&Record) -> Vec<(&'static str, String)>,
	) -> Result<()> {
		match self.format {
			Format::Json => self.json(record),
			Format::Table => {
				let mut table = table();
				for (name, value) in fields(record) {
					table.add_row([name.to_owned(), value]);
				}
				self.print(&format!("{table}\n"))
			},
		}
	}

	/// Prints text as it is, or with JSON output `value` in its place.
	pub(crate) fn text<Value: Serialize + ?Sized>(&self, text: &str, value: &Value) -> Result<()> {
		match self.format {
			Format::Json => self.json(value),
			Format::Table => self.print(text),
		}
	}

	fn json<Value: Serialize + ?Sized>(&self, value: &Value) -> Result<()> {
		self.print(&format!("{}\n", serde_json::to_string_pretty(value)?))
	}

	/// Writes to standard output; a closed pipe ends the program quietly, as `| head` expects.
	fn print(&self, text: &str) -> Result<()> {
		match std::io::stdout().write_all(text.as_bytes()) {
			Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
				std::process::exit(self.closed)
			},
			other => Ok(other?),
		}
	}
}

fn table() -> Table {
	let mut table = Table::new();
	table
		.load_style(UTF8_HORIZONTAL_ONLY)
		.set_content_arrangement(ContentArrangement::Dynamic);
	table
}

/// A spinner on standard error for work that takes longer than a moment; silent when that is not a
/// terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
	pub(crate) fn start(message: impl Into<String>) -> Self {
		let target = if std::io::stderr().is_terminal() {
			ProgressDrawTarget::stderr()
		} else {
			ProgressDrawTarget::hidden()
		};
		let bar = ProgressBar::with_draw_target(None, target);
		if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
			bar.set_style(style);
		}
		bar.enable_steady_tick(Duration::from_millis(120));
		bar.set_message(message.into());
		Self(bar)
	}

	pub(crate) fn say(&self, message: impl Into<String>) {
		self.0.set_message(message.into());
	}

	/// Prints a line on standard error that stays.
	pub(crate) fn note(&self, line: &str) {
		self.0.suspend(|| eprintln!("{line}"));
	}
}

impl Drop for Progress {
	fn drop(&mut self) {
		self.0.finish_and_clear();
	}
}

/// How far long work is, on standard error: a bar, and a line now and then where that is no terminal.
pub(crate) struct Bar {
	bar: ProgressBar,
	began: Instant,
	lines: Lines,
}

impl Bar {
	pub(crate) fn start() -> Self {
		let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
		if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent} % {msg} [{elapsed}]") {
			bar.set_style(style);
		}
		Self { bar, began: Instant::now(), lines: Lines::default() }
	}

	/// How long it lasts.
	pub(crate) fn elapsed(&self) -> Duration {
		self.began.elapsed()
	}

	/// Tells that so much `of` the work is done.
	pub(crate) fn tell(&mut self, done: u64, of: u64, message: String) {
		if self.bar.is_hidden() {
			if self.lines.is_due(self.began.elapsed()) {
				eprintln!("{message}");
			}
			return;
		}
		self.bar.set_length(of);
		self.bar.set_position(done);
		self.bar.set_message(message);
	}
}

impl Drop for Bar {
	fn drop(&mut self) {
		self.bar.finish_and_clear();
	}
}

/// When the next line is printed.
#[derive(Default)]
struct Lines {
	next: Duration,
}

impl Lines {
	fn is_due(&mut self, elapsed: Duration) -> bool {
		let is_due = elapsed >= self.next;
		if is_due {
			self.next = elapsed.saturating_add(LINE_INTERVAL);
		}
		is_due
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn lines_should_come_at_once_and_then_every_minute() {
		let mut lines = Lines::default();
		let due = [0, 1, 59, 60, 61, 200, 259, 260];
		let due = due.map(|seconds| lines.is_due(Duration::from_secs(seconds)));
		assert_eq!(due, [true, false, false, true, false, true, false, true]);
	}
}
