//! Storage that is sealed at home.

use super::{drawn, figure, micros, rate, Checks, MeasureError, Measurement, NOBODY, SAMPLES};
use crate::compute::{OfferedSectors, SealPlan, SealedSectors, StorageFault};
use armature_primitives::Ppm;
use armature_verifier::challenge::{
	block::BLOCK_LEN,
	fill::SizeError,
	storage::{
		check_sealed, check_stored, longest_deadline, sample_sealed, sample_storage, SealedStorage,
		DEFAULT_COMPRESSIONS, DEFAULT_SECTOR_BLOCKS,
	},
};
use rand::Rng;
use std::{
	num::NonZeroUsize,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// The most bytes of a sector, which every thread has in memory while it seals. Less than on chain, so that
/// all threads have something to seal.
const SECTOR_BYTES: u64 = 64 << 20;

/// The share of a sector that a deadline lets anyone leave out.
const LEFT_OUT: Ppm = Ppm(50_000);

/// Seals `bytes` of storage, in sectors of 64 MiB at most, in a folder of its own under `directory`,
/// and asks for blocks of it until about `time` has passed. A thread seals some 8 MiB a second. The folder
/// goes at the end, also when it fails or `is_stopped` says so.
///
/// The figures:
///
/// - *sealing speed*: until all is on disk, with a thread for each lane, but no more than sectors.
/// - *time of a block*: the least of filling alone, hashes and disk left out.
/// - *slowest* and *mean answer*: from a request for [`SAMPLES`] blocks at once until all of them are read
///   and looked at. What was written a moment ago mostly comes from the system's cache, which needs
///   privileges to be emptied: on a disk that is slow to seek, only storage above the machine's memory shows
///   that.
/// - *deadline*: the longest by which no more than 5 % of a sector can be left out by a device as fast
///   as this one, where sectors are as large as they are on chain unless its parameters say otherwise. The
///   time that the chain gives for blocks (`storage_read_millis`) should not be above it.
/// - *late answers*: those that missed it, of all that were asked for.
///
/// # Errors
///
/// [`MeasureError`].
pub fn storage(
	directory: &Path,
	bytes: u64,
	lanes: u16,
	time: Duration,
	is_stopped: &(impl Fn() -> bool + Sync),
) -> Result<Measurement, MeasureError> {
	let plan = plan(bytes)?;
	let threads = NonZeroUsize::new(lanes.into()).unwrap_or(NonZeroUsize::MIN);
	let folder = Folder::make(directory)?;
	let began = Instant::now();
	let sealed = SealedSectors::seal(&folder.0, plan, threads, is_stopped, |_| ())?;
	let sealing = began.elapsed();
	// In a new folder there was something to fill.
	let nanos = sealed.block_nanos().unwrap_or_default();
	let sectors = sealed.offered(&plan, drawn(), drawn())?;
	let storage = sectors.storage();

	let mut checks = Checks::default();
	let wanted = sample_sealed(&drawn(), &storage, SAMPLES)?;
	for (wanted, opening) in wanted.iter().zip(sectors.sealed(&wanted)?) {
		checks.check(&opening, |opening| {
			check_sealed(&plan.genesis, plan.device, &storage, *wanted, opening)
		})?;
	}
	let on_chain = SealedStorage { blocks: DEFAULT_SECTOR_BLOCKS, ..storage };
	let deadline = longest_deadline(&on_chain, nanos, LEFT_OUT);
	let mut answers = Answers::until(Duration::from_millis(deadline));
	answers.ask(&sectors, &mut checks, is_stopped)?;
	// The first draw is what a verifier asks for and gets; the others are for the times alone.
	while began.elapsed() < time {
		answers.ask(&sectors, &mut Checks::default(), is_stopped)?;
	}
	Ok(checks.measurement(
		"storage",
		sealing,
		vec![
			figure("sealed", storage.bytes(), "bytes"),
			figure("sectors", storage.sectors.into(), "sectors"),
			figure("sealing speed", rate(storage.bytes().into(), sealing), "bytes/s"),
			figure("time of a block", nanos.into(), "ns"),
			figure("slowest answer", micros(answers.slowest), "µs"),
			figure("mean answer", micros(answers.mean()), "µs"),
			figure("deadline, 5 % left out", deadline, "ms"),
			figure("late answers", answers.late.into(), "answers"),
		],
	))
}

fn plan(bytes: u64) -> Result<SealPlan, SizeError> {
	let block = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
	let sectors = bytes.div_ceil(SECTOR_BYTES).max(1);
	let blocks = bytes / sectors / block;
	Ok(SealPlan {
		genesis: drawn(),
		device: NOBODY,
		sectors: u32::try_from(sectors).map_err(|_| SizeError::TooLarge)?,
		blocks: u32::try_from(blocks).map_err(|_| SizeError::TooLarge)?,
		compressions: DEFAULT_COMPRESSIONS,
	})
}

/// How long answers took.
struct Answers {
	deadline: Duration,
	count: u32,
	late: u32,
	slowest: Duration,
	all: Duration,
}

impl Answers {
	fn until(deadline: Duration) -> Self {
		Self { deadline, count: 0, late: 0, slowest: Duration::ZERO, all: Duration::ZERO }
	}

	/// Asks for the blocks of one draw, all at once, as a verifier does.
	fn ask(
		&mut self,
		sectors: &OfferedSectors,
		checks: &mut Checks,
		is_stopped: &impl Fn() -> bool,
	) -> Result<(), MeasureError> {
		if is_stopped() {
			return Err(StorageFault::Stopped.into());
		}
		let storage = sectors.storage();
		let wanted = sample_storage(&drawn(), &storage, SAMPLES)?;
		let asked = Instant::now();
		let answer = sectors.stored(&wanted)?;
		self.note(asked.elapsed());
		for (wanted, block) in wanted.iter().zip(&answer) {
			checks.check(block, |block| check_stored(&storage, *wanted, block))?;
		}
		Ok(())
	}

	fn note(&mut self, took: Duration) {
		self.count = self.count.saturating_add(1);
		self.late = self.late.saturating_add(u32::from(took > self.deadline));
		self.slowest = self.slowest.max(took);
		self.all = self.all.saturating_add(took);
	}

	fn mean(&self) -> Duration {
		self.all.checked_div(self.count).unwrap_or_default()
	}
}

/// A new folder. Dropping it removes it, and what was sealed in it.
struct Folder(PathBuf);

impl Folder {
	fn make(directory: &Path) -> Result<Self, StorageFault> {
		let number: u64 = rand::thread_rng().gen();
		let path = directory.join(format!("armature-challenge-{number:016x}"));
		std::fs::create_dir(&path).map_err(StorageFault::io("creating", &path))?;
		Ok(Self(path))
	}

	fn remove(&self) -> Result<(), StorageFault> {
		SealedSectors::remove(&self.0)?;
		// Fails if somebody else put something there.
		std::fs::remove_dir(&self.0).map_err(StorageFault::io("removing", &self.0))
	}
}

impl Drop for Folder {
	fn drop(&mut self) {
		if let Err(error) = self.remove() {
			tracing::error!(
				path = %self.0.display(),
				%error,
				"the folder of a storage challenge was not removed: remove it by hand"
			);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn folder() -> tempfile::TempDir {
		tempfile::tempdir().expect("a folder")
	}

	fn measure(folder: &Path, bytes: u64) -> Result<Measurement, MeasureError> {
		storage(folder, bytes, 2, Duration::from_millis(30), &|| false)
	}

	fn is_empty(folder: &Path) -> bool {
		std::fs::read_dir(folder).expect("listed").next().is_none()
	}

	fn value(measured: &Measurement, name: &str) -> u64 {
		measured.figures.iter().find(|figure| figure.name == name).expect("named").value
	}

	#[test]
	fn storage_should_pass_its_own_check_and_leave_nothing_behind() {
		let folder = folder();
		let measured = measure(folder.path(), 1 << 20).expect("measured");
		assert_eq!(value(&measured, "sealed"), 1 << 20);
		assert_eq!(value(&measured, "sectors"), 1);
		assert_eq!(measured.samples, 2 * SAMPLES);
		for name in ["sealing speed", "time of a block", "slowest answer", "mean answer"] {
			assert!(value(&measured, name) > 0, "{name}");
		}
		assert!(value(&measured, "mean answer") <= value(&measured, "slowest answer"));
		assert!(is_empty(folder.path()));
	}

	#[test]
	fn sectors_should_be_of_a_bounded_size() {
		for (bytes, sectors, blocks) in [
			(SECTOR_BYTES, 1, 1 << 16),
			(SECTOR_BYTES + 2_048, 2, (1 << 15) + 1),
			(4 * SECTOR_BYTES, 4, 1 << 16),
		] {
			let plan = plan(bytes).expect("in bounds");
			assert_eq!((plan.sectors, plan.blocks), (sectors, blocks), "{bytes}");
		}
	}

	#[test]
	fn sizes_out_of_bounds_should_be_refused_and_leave_nothing_behind() {
		let folder = folder();
		for (bytes, wanted) in [
			(2_047, SizeError::TooSmall),
			(0, SizeError::TooSmall),
			(SECTOR_BYTES << 20, SizeError::TooLarge),
			(u64::MAX, SizeError::TooLarge),
		] {
			match measure(folder.path(), bytes).expect_err("out of bounds") {
				MeasureError::Size(found) | MeasureError::Storage(StorageFault::Size(found)) => {
					assert_eq!(found, wanted, "{bytes}");
				},
				error => panic!("{error}"),
			}
		}
		assert!(is_empty(folder.path()));
	}

	#[test]
	fn whoever_stops_should_find_nothing_left() {
		let folder = folder();
		let stopped = storage(folder.path(), 1 << 20, 1, Duration::ZERO, &|| true);
		assert!(matches!(stopped, Err(MeasureError::Storage(StorageFault::Stopped))));
		assert!(is_empty(folder.path()));
	}

	#[test]
	fn a_directory_that_is_not_there_should_be_told() {
		let missing = folder().path().join("missing");
		let error = measure(&missing, 1 << 20).expect_err("not there");
		assert!(matches!(error, MeasureError::Storage(StorageFault::Io { .. })), "{error}");
	}

	#[test]
	fn answers_should_be_late_only_after_the_deadline() {
		let mut answers = Answers::until(Duration::from_millis(5));
		assert_eq!(answers.mean(), Duration::ZERO);
		answers.note(Duration::from_millis(5));
		assert_eq!(answers.late, 0);
		answers.note(Duration::from_millis(7));
		assert_eq!((answers.late, answers.count), (1, 2));
		assert_eq!(answers.slowest, Duration::from_millis(7));
		assert_eq!(answers.mean(), Duration::from_millis(6));
	}
}
