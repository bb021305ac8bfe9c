//! How much memory the machine can give.

use super::ChallengeFault;
use std::path::Path;

/// Where Linux tells it.
pub(super) const MEMINFO: &str = "/proc/meminfo";

/// Checks that the machine has `needed` bytes to give, by the file at `meminfo`. A machine that does not
/// tell is tried.
///
/// # Errors
///
/// [`ChallengeFault::NoMemory`].
pub(super) fn check(meminfo: &Path, needed: u64) -> Result<(), ChallengeFault> {
	match available_bytes(meminfo) {
		Ok(available) if available < needed => Err(ChallengeFault::NoMemory { needed, available }),
		Ok(_) => Ok(()),
		Err(error) => {
			tracing::debug!(
				path = %meminfo.display(),
				%error,
				"this machine does not tell how much memory it can give"
			);
			Ok(())
		},
	}
}

fn available_bytes(meminfo: &Path) -> std::io::Result<u64> {
	let text = std::fs::read_to_string(meminfo)?;
	parse(&text).ok_or_else(|| std::io::Error::other("no MemAvailable in kB"))
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

	#[test]
	fn a_machine_should_be_refused_only_when_it_tells_that_it_has_too_little() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("meminfo");
		assert!(check(&path, u64::MAX).is_ok());
		std::fs::write(&path, "nothing").expect("written");
		assert!(check(&path, u64::MAX).is_ok());
		std::fs::write(&path, TEXT).expect("written");
		assert!(check(&path, 8 << 20).is_ok());
		let refused = check(&path, (8 << 20) + 1).expect_err("too little");
		assert!(matches!(
			refused,
			ChallengeFault::NoMemory { needed: 8_388_609, available: 8_388_608 }
		));
		// It says what to do.
		let text = refused.to_string();
		assert!(text.contains("9 MiB") && text.contains("armature device add"), "{text}");
	}
}
