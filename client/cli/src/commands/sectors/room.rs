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

/// What a machine has for sealing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
	/// Hardware threads.
	pub(super) threads: usize,
	/// Bytes of memory that it can give; `None` where it does not tell, which is tried.
	pub(super) available: Option<u64>,
}

impl Machine {
	/// Half of it. The other half is left to an agent that runs beside it, or its rounds of memory are lost and
	/// those of processors show a fraction of their speed.
	fn half(self) -> Self {
		let Self { threads, available } = self;
		Self { threads: threads / 2, available: available.map(|bytes| bytes / 2) }
	}
}

/// As many threads as are `asked` for, or else as half of the machine has, but no more than there is memory
/// for, and sectors; at least one.
pub(super) fn threads_for(
	asked: Option<u16>,
	machine: Machine,
	blocks: u32,
	sectors: u32,
) -> NonZeroUsize {
	let Machine { threads, available } = match asked {
		Some(threads) => Machine { threads: threads.into(), ..machine },
		None => machine.half(),
	};
	let sector = sector_bytes(blocks);
	// Hashes are beside it.
	let needed = sector.saturating_add(sector / 16).max(1);
	let fitting = available.map_or(u64::MAX, |bytes| bytes / needed);
	let most = fitting.min(sectors.into());
	let threads = threads.min(usize::try_from(most).unwrap_or(usize::MAX));
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

	/// What a thread takes.
	const NEEDED: u64 = GIB + GIB / 16;

	fn threads(asked: Option<u16>, threads: usize, available: Option<u64>, sectors: u32) -> usize {
		threads_for(asked, Machine { threads, available }, BLOCKS, sectors).get()
	}

	#[test]
	fn half_of_the_machine_should_be_left_to_its_agent() {
		for (all, used) in [(16, 8), (17, 8), (3, 1), (2, 1), (1, 1), (0, 1)] {
			assert_eq!(threads(None, all, Some(100 * GIB), 500), used, "{all}");
			assert_eq!(threads(None, all, None, 500), used, "{all}");
		}
		for (available, used) in
			[(8 * NEEDED, 4), (8 * NEEDED - 1, 3), (100 * GIB, 8), (4 * NEEDED, 2)]
		{
			assert_eq!(threads(None, 16, Some(available), 500), used, "{available}");
		}
		assert_eq!(threads(None, 16, Some(100 * GIB), 3), 3);
	}

	#[test]
	fn as_many_threads_as_are_asked_for_should_seal_where_there_is_memory() {
		assert_eq!(threads(Some(16), 16, Some(100 * GIB), 500), 16);
		assert_eq!(threads(Some(20), 16, None, 500), 20);
		for (available, used) in [(7 * NEEDED, 7), (7 * NEEDED - 1, 6), (8 * NEEDED - 1, 7)] {
			assert_eq!(threads(Some(16), 16, Some(available), 500), used, "{available}");
		}
		assert_eq!(threads(Some(1), 16, Some(100 * GIB), 500), 1);
		assert_eq!(threads(Some(16), 16, Some(100 * GIB), 3), 3);
	}

	#[test]
	fn one_thread_should_be_tried_with_whatever_there_is() {
		for asked in [None, Some(4)] {
			assert_eq!(threads(asked, 16, Some(0), 500), 1);
			assert_eq!(threads(asked, 0, None, 0), 1);
		}
	}
}
