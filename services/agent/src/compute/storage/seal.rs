//! Sealing, several sectors at once.

use super::{files::Directory, files_of, index::Index, paths::SectorTree, SealPlan, StorageFault};
use crate::lock::lock;
use armature_verifier::challenge::{
	block::{Block, BLOCK_LEN},
	fill::fill_lane,
};
use std::{
	cell::{Cell, RefCell},
	io::Write,
	num::NonZeroUsize,
	sync::{
		atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
		mpsc::{self, RecvTimeoutError},
		Mutex, MutexGuard, PoisonError,
	},
	thread::Builder,
	time::{Duration, Instant},
};

/// Compressions that are made before it is asked whether to stop: some milliseconds.
const FILL_CHECK: u32 = 4_096;

/// How often it is told how far sealing is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// How far sealing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealProgress {
	/// Sectors that are on disk, those that were there before included.
	pub sectors: u32,
	/// Sectors that are to be there.
	pub of_sectors: u32,
	/// Blocks that were filled meanwhile.
	pub blocks: u64,
	/// Blocks that had to be filled.
	pub of_blocks: u64,
}

impl SealProgress {
	/// How long the rest takes where this took so long; `None` as long as nothing is filled.
	pub fn left(&self, elapsed: Duration) -> Option<Duration> {
		let rest = u128::from(self.of_blocks.saturating_sub(self.blocks));
		let millis = elapsed.as_millis().saturating_mul(rest);
		let millis = millis.checked_div(self.blocks.into())?;
		Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
	}
}

/// Seals the sectors that the index lacks, and returns it with the least time of a block in nanoseconds if
/// there was one to fill.
pub(super) fn seal_missing(
	directory: &Directory,
	index: Index,
	threads: NonZeroUsize,
	is_stopped: &(impl Fn() -> bool + Sync),
	progress: impl FnMut(SealProgress),
) -> Result<(Index, Option<u32>), StorageFault> {
	let plan = index.plan;
	let missing = index.missing(directory)?;
	// What an interruption left would count as room that is taken.
	for name in missing.iter().copied().flat_map(files_of) {
		directory.remove(&name)?;
	}
	let mut lanes = reserve(&plan, threads.get().min(missing.len()))?;
	if !missing.is_empty() {
		let count = u64::try_from(missing.len()).unwrap_or(u64::MAX);
		// The index is there twice while it is written.
		let indices = index.disk_bytes().saturating_mul(2);
		directory.check_room(count.saturating_mul(plan.disk_bytes()).saturating_add(indices))?;
		index.store(directory)?;
	}
	let sealing = Sealing {
		directory,
		plan: &plan,
		missing: &missing,
		taken: AtomicUsize::new(0),
		index: Mutex::new(index),
		done: AtomicUsize::new(0),
		filled: AtomicU64::new(0),
		block_nanos: AtomicU64::new(u64::MAX),
	};
	sealing.run(&mut lanes, is_stopped, progress)?;
	let nanos = sealing.block_nanos.into_inner();
	let nanos = (!missing.is_empty()).then(|| u32::try_from(nanos).unwrap_or(u32::MAX));
	let index = sealing.index.into_inner().unwrap_or_else(PoisonError::into_inner);
	// A sector that nobody sealed is one whose thread failed.
	if index.roots.contains(&None) {
		return Err(StorageFault::Thread);
	}
	Ok((index, nanos))
}

/// Memory for sectors that are filled at once, all of it before anything is filled. A system that
/// promises more than it has may still end the process later.
fn reserve(plan: &SealPlan, count: usize) -> Result<Vec<Vec<u8>>, StorageFault> {
	let bytes = plan.sector().bytes();
	let all = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(bytes);
	let no_memory = || StorageFault::NoMemory(all);
	let len = usize::try_from(bytes).map_err(|_| no_memory())?;
	let mut lanes = Vec::new();
	for _ in 0..count {
		let mut lane = Vec::new();
		lane.try_reserve_exact(len).map_err(|_| no_memory())?;
		lanes.push(lane);
	}
	Ok(lanes)
}

/// What threads that seal share.
struct Sealing<'a> {
	directory: &'a Directory,
	plan: &'a SealPlan,
	missing: &'a [u32],
	/// How many of them were taken on.
	taken: AtomicUsize,
	index: Mutex<Index>,
	/// How many of them are on disk.
	done: AtomicUsize,
	/// Blocks that were filled.
	filled: AtomicU64,
	block_nanos: AtomicU64,
}

impl Sealing<'_> {
	/// Seals on one thread for each of the `lanes`, and tells meanwhile how far that is. When one fails,
	/// the others stop.
	fn run(
		&self,
		lanes: &mut [Vec<u8>],
		is_stopped: &(impl Fn() -> bool + Sync),
		mut progress: impl FnMut(SealProgress),
	) -> Result<(), StorageFault> {
		let failed = AtomicBool::new(false);
		let is_over = || failed.load(Ordering::Relaxed) || is_stopped();
		let work = |lane: &mut Vec<u8>| {
			let outcome = self.seal_all(lane, &is_over);
			if outcome.is_err() {
				failed.store(true, Ordering::Relaxed);
			}
			outcome
		};
		let outcomes: Vec<Result<(), StorageFault>> = std::thread::scope(|scope| {
			let work = &work;
			// Nothing is ever sent: it ends when all threads have.
			let (working, all_done) = mpsc::channel::<()>();
			let mut running = Vec::new();
			for lane in lanes {
				let working = working.clone();
				let seal = move || {
					let outcome = work(lane);
					drop(working);
					outcome
				};
				let thread = Builder::new().name("seal".into()).spawn_scoped(scope, seal);
				if thread.is_err() {
					failed.store(true, Ordering::Relaxed);
				}
				running.push(thread);
			}
			drop(working);
			progress(self.progress());
			while all_done.recv_timeout(PROGRESS_INTERVAL) == Err(RecvTimeoutError::Timeout) {
				progress(self.progress());
			}
			progress(self.progress());
			running
				.into_iter()
				.map(|thread| match thread {
					Ok(thread) => thread.join().unwrap_or(Err(StorageFault::Thread)),
					Err(_) => Err(StorageFault::Thread),
				})
				.collect()
		});
		// Why one failed is told before that others stopped.
		let mut stopped = Ok(());
		for outcome in outcomes {
			match outcome {
				Err(StorageFault::Stopped) => stopped = Err(StorageFault::Stopped),
				outcome => outcome?,
			}
		}
		stopped
	}

	fn progress(&self) -> SealProgress {
		let count = |sectors| u32::try_from(sectors).unwrap_or(u32::MAX);
		let to_fill = count(self.missing.len());
		let before = self.plan.sectors.saturating_sub(to_fill);
		SealProgress {
			sectors: before.saturating_add(count(self.done.load(Ordering::Relaxed))),
			of_sectors: self.plan.sectors,
			blocks: self.filled.load(Ordering::Relaxed),
			of_blocks: u64::from(to_fill).saturating_mul(self.plan.blocks.into()),
		}
	}

	/// Seals one sector after the other, until none is left.
	fn seal_all(
		&self,
		lane: &mut Vec<u8>,
		is_stopped: &impl Fn() -> bool,
	) -> Result<(), StorageFault> {
		while let Some(sector) = self.missing.get(self.taken.fetch_add(1, Ordering::Relaxed)) {
			self.seal(*sector, lane, is_stopped)?;
		}
		Ok(())
	}

	/// Seals a sector. What is filled is written, also when the work is stopped meanwhile: filling takes long.
	fn seal(
		&self,
		sector: u32,
		lane: &mut Vec<u8>,
		is_stopped: &impl Fn() -> bool,
	) -> Result<(), StorageFault> {
		let began = Instant::now();
		self.fill(sector, lane, is_stopped)?;
		let nanos = began.elapsed().as_nanos() / u128::from(self.plan.blocks.max(1));
		let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
		self.block_nanos.fetch_min(nanos, Ordering::Relaxed);
		let tree = SectorTree::new(lane)?;
		if !self.index().allows(sector, &tree.root()) {
			return Err(StorageFault::Changed(sector));
		}
		let [blocks, paths] = files_of(sector);
		self.directory.write(&blocks, |file| file.write_all(lane))?;
		self.directory.write(&paths, |file| tree.write(file))?;
		{
			let mut index = self.index();
			index.enter(sector, tree.root());
			index.store(self.directory)?;
		}
		self.done.fetch_add(1, Ordering::Relaxed);
		Ok(())
	}

	/// Fills a sector. It is hashed after that, so that the time of a block is that of filling alone.
	fn fill(
		&self,
		sector: u32,
		lane: &mut Vec<u8>,
		is_stopped: &impl Fn() -> bool,
	) -> Result<(), StorageFault> {
		lane.clear();
		let size = self.plan.sector();
		let check = FILL_CHECK.checked_div(size.compressions.into()).unwrap_or(1).max(1);
		let (lane, counted) = (RefCell::new(lane), Cell::new(0));
		let count = |at: u32| {
			let more = at.saturating_sub(counted.replace(at));
			self.filled.fetch_add(more.into(), Ordering::Relaxed);
		};
		let get = |at| {
			let lane = lane.borrow();
			// Parents are always before the block that is filled.
			Ok(block_of(&lane, at).map(Block::from_bytes).unwrap_or_default())
		};
		let put = |at: u32, block: &Block| {
			if at.is_multiple_of(check) {
				count(at);
				if is_stopped() {
					return Err(StorageFault::Stopped);
				}
			}
			lane.borrow_mut().extend_from_slice(&block.to_bytes());
			Ok(())
		};
		fill_lane(&self.plan.key(sector), &size, 0, get, put)?;
		count(size.blocks);
		Ok(())
	}

	fn index(&self) -> MutexGuard<'_, Index> {
		lock(&self.index)
	}
}

/// The bytes of a block in a sector.
fn block_of(lane: &[u8], at: u32) -> Option<&[u8; BLOCK_LEN]> {
	let begin = usize::try_from(at).ok()?.checked_mul(BLOCK_LEN)?;
	lane.get(begin..)?.first_chunk()
}
