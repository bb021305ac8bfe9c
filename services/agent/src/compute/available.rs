//! How much memory the machine can give.

use std::{io, path::Path};

/// Where Linux tells it.
pub const MEMINFO: &str = "/proc/meminfo";

/// The bytes that a file such as [`MEMINFO`] says the machine can give.
///
/// # Errors
///
/// Those of reading the file; also where it does not tell.
pub fn available_bytes(meminfo: &Path) -> io::Result<u64> {
	let text = std::fs::read_to_string(meminfo)?;
	parse(&text).ok_or_else(|| io::Error::other("no MemAvailable in kB"))
}

/// The line `MemAvailable:  12345 kB`, in bytes.
fn parse(text: &str) -> Option<u64> {
	let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
	let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
	kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
	use super::*;

	const TEXT: &str = "MemTotal:       16384 kB\n\
		MemFree:          100 kB\n\
		MemAvailable:    8192 kB\n\
		SwapTotal:          0 kB\n";

	#[test]
	fn what_linux_tells_should_be_read_in_bytes() {
		assert_eq!(parse(TEXT), Some(8 << 20));
		assert_eq!(parse("MemAvailable: 0 kB"), Some(0));
	}

	#[test]
	fn what_is_no_such_line_should_tell_nothing() {
		for text in [
			"",
			"MemTotal: 5 kB\nMemFree: 5 kB\n",
			"MemAvailable:",
			"MemAvailable: 5",
			"MemAvailable: 5 MB",
			"MemAvailable: -5 kB",
			"MemAvailable: 18446744073709551615 kB",
		] {
			assert_eq!(parse(text), None, "{text}");
		}
	}
}
