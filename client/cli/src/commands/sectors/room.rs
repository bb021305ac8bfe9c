//! How much is sealed, and how much of it at once.

use super::sector_bytes;
use crate::context::Usage;
use anyhow::Result;
use armature_verifier::challenge::storage::MAX_SECTORS;
use std::num::NonZeroUsize;

/// The sectors that fit a size, at least one.
///
/// # Errors
///
/// [`Usage`] where none fit, or more than there can be.
pub(super) fn sectors_in(size: u64, blocks: u32) -> Result<u32> {
	let sector = sector_bytes(blocks).max(1);
	let (sector_mib, most_mib) =
		(sector.div_ceil(1 << 20), sector.saturating_mul(MAX_SECTORS.into()) >> 20);
	u32::try_from(size / sector)
		.ok()
		.filter(|sectors| (1..=MAX_SECTORS).contains(sectors))
		.ok_or_else(|| {
			Usage(format!(
				"{} MiB are not what can be sealed: a sector has {sector_mib} MiB, and all of a device have \
				 {most_mib} MiB at most",
				size >> 20
			))
			.into()
		})
}

/// As many threads as there are cores and memory for, and sectors; at least one.
pub(super) fn threads_for(
	cores: usize,
	available: Option<u64>,
	blocks: u32,
	sectors: u32,
) -> NonZeroUsize {
	let sector = sector_bytes(blocks);
	// Hashes are beside it.
	let needed = sector.saturating_add(sector / 16).max(1);
	let fitting = available.map_or(u64::MAX, |bytes| bytes / needed);
	let most = fitting.min(sectors.into());
	let threads = cores.min(usize::try_from(most).unwrap_or(usize::MAX));
	NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
	use super::*;

	const GIB: u64 = 1 << 30;

	/// A sector of a GiB.
	const BLOCKS: u32 = 1 << 20;

	#[test]
	fn as_many_sectors_should_be_sealed_as_fit() {
		for (size, sectors) in
			[(GIB, 1), (2 * GIB - 1, 1), (500 * GIB, 500), (65_536 * GIB, 65_536)]
		{
			assert_eq!(sectors_in(size, BLOCKS).expect("they fit"), sectors, "{size}");
		}
		for size in [0, GIB - 1, 65_537 * GIB, u64::MAX] {
			let refused = sectors_in(size, BLOCKS).expect_err("they do not");
			assert!(refused.is::<Usage>());
			let bounds = "a sector has 1024 MiB, and all of a device have 67108864 MiB at most";
			assert!(refused.to_string().ends_with(bounds), "{refused}");
		}
	}

	#[test]
	fn threads_should_have_cores_memory_and_sectors() {
		let threads =
			|cores, available, sectors| threads_for(cores, available, BLOCKS, sectors).get();
		assert_eq!(threads(16, Some(100 * GIB), 500), 16);
		assert_eq!(threads(16, Some(8 * GIB), 500), 7);
		assert_eq!(threads(16, Some(100 * GIB), 3), 3);
		assert_eq!(threads(16, None, 500), 16);
		// One is tried with whatever there is.
		assert_eq!(threads(16, Some(0), 500), 1);
		assert_eq!(threads(0, None, 0), 1);
	}
}
