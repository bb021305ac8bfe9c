//! Whether the machine can give the memory that a round needs.

use super::ChallengeFault;
use crate::compute::available_bytes;
use std::path::Path;

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

#[cfg(test)]
mod tests {
	use super::*;

	const TEXT: &str = "MemAvailable:    8192 kB\n";

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
