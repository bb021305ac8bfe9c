//! Sealed sectors on a disk, and what is asked of them later.
//!
//! They lie in a directory of their own:
//!
//! | file | what is in it |
//! |---|---|
//! | `storage.index` | what was sealed for whom, and the roots of sealed sectors |
//! | `sector-N.blocks` | the blocks of a sector, one behind the other |
//! | `sector-N.paths` | what leads from there to the sector's root: some 40 bytes a block, 4 % |
//!
//! | `storage.lock` | nothing: it is locked by whoever seals |
//!
//! A sector is filled in memory, one for each thread that seals, with 3.2 % beside for hashes. Files get
//! their names when they are on disk, and a sector's root gets into the index after that, so that sealing
//! goes on where it was interrupted, and sectors are added later. A block is opened by two reads, whatever
//! the number of blocks.
//!
//! Sectors are read while others are sealed: the first ones, as far as there is none missing among them.
//! Whoever reads or seals has a shared lock on the directory, and whoever removes everything an exclusive
//! one; of several that would seal, one gets the lock for that.

use armature_primitives::{DeviceId, H256};
use armature_verifier::challenge::{
	fill::{FillSize, SizeError},
	storage::{sector_key, MAX_SECTORS},
};
use codec::{Decode, Encode};
use files::Directory;
use index::Index;
use paths::Records;
use std::{
	io::{self, ErrorKind},
	num::NonZeroUsize,
	path::{Path, PathBuf},
};

mod files;
mod index;
mod offered;
mod paths;
mod reading;
mod seal;

pub use offered::OfferedSectors;
pub use seal::SealProgress;

/// Why sectors were not sealed, or not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageFault {
	/// Sizes out of bounds.
	#[error(transparent)]
	Size(#[from] SizeError),
	/// The system has no memory for the sectors that are filled at once.
	#[error("{0} bytes of memory are not to be had: seal with fewer threads, or smaller sectors")]
	NoMemory(u64),
	/// There is too little room; nothing was written.
	#[error("{directory} has {free} bytes free, and {needed} are needed: make room, or seal less")]
	NoRoom {
		/// The directory.
		directory: PathBuf,
		/// Bytes that sealing still writes.
		needed: u64,
		/// Bytes that are free.
		free: u64,
	},
	/// Room ran out.
	#[error("writing {0}: the disk or the quota is full; make room and seal again, which goes on")]
	Full(PathBuf),
	/// The directory holds what others wrote; it was left alone.
	#[error("{0} holds other files than sealed sectors: name an empty directory")]
	Foreign(PathBuf),
	/// The directory holds sectors of another device, chain or size; they were left alone.
	#[error(
		"{0} holds sectors that were sealed for another device or chain, or of other sizes: name \
		 another directory, or remove it if they are no longer needed"
	)]
	Other(PathBuf),
	/// The directory holds no sealed sector, or the first one is missing.
	#[error(
		"{0} holds no sealed sectors: is its disk mounted? If it is, seal some (`armature storage seal`)"
	)]
	Nothing(PathBuf),
	/// The directory holds fewer sealed sectors than are asked for.
	#[error(
		"{directory} holds {sealed} sealed sectors, and {wanted} are asked for: seal more (`armature \
		 storage seal`), or offer no more than there are (`armature device storage offer`)"
	)]
	Fewer {
		/// The directory.
		directory: PathBuf,
		/// Sectors from the first one on, with none missing.
		sealed: u32,
		/// Sectors that are asked for.
		wanted: u32,
	},
	/// The directory holds more sealed sectors than are to be sealed; they were left alone.
	#[error("{directory} holds {sealed} sealed sectors already: seal as many, or more")]
	More {
		/// The directory.
		directory: PathBuf,
		/// Sectors up to the last one that is sealed.
		sealed: u32,
	},
	/// The index does not decode.
	#[error("the index {0} is damaged: remove its directory, seal anew, and check the disk")]
	DamagedIndex(PathBuf),
	/// A file of a sector is cut short, gone or changed.
	#[error(
		"sector {sector} in {directory} is damaged at block {at}: remove its files and seal again, \
		 which seals it alone; where it happens again, replace the disk"
	)]
	Damaged {
		/// The directory.
		directory: PathBuf,
		/// The sector.
		sector: u32,
		/// The block that was asked for.
		at: u32,
	},
	/// A sector that was sealed before has another root now.
	#[error(
		"sector {0} has another root than when it was sealed before: this machine computes wrongly, \
		 or its index is damaged; run a memory test, then remove the directory and seal anew"
	)]
	Changed(u32),
	/// Somebody else seals in the directory, or reads there what is to be removed.
	#[error("{0} is in use: wait until the other process is done, or name another directory")]
	InUse(PathBuf),
	/// There is no such block.
	#[error("there is no block {at} of a sector {sector}")]
	Outside {
		/// The sector.
		sector: u32,
		/// The block.
		at: u32,
	},
	/// The caller stopped the work.
	#[error("the work on sealed storage was stopped before it was done")]
	Stopped,
	/// A thread could not be started, or failed.
	#[error("a thread that seals or reads could not be started, or failed")]
	Thread,
	/// Reading or writing failed.
	#[error("{what} {path}")]
	Io {
		/// What was being done.
		what: &'static str,
		/// The file or directory.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
}

impl StorageFault {
	/// What to tell when something could not be done to a file.
	pub(crate) fn io<'a>(
		what: &'static str,
		path: &'a Path,
	) -> impl FnOnce(io::Error) -> Self + 'a {
		move |source| match source.kind() {
			ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
			_ => Self::Io { what, path: path.to_owned(), source },
		}
	}
}

/// What is sealed, and for whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SealPlan {
	/// The chain's genesis hash.
	pub genesis: H256,
	/// The device.
	pub device: DeviceId,
	/// Sectors, 1 to [`MAX_SECTORS`].
	pub sectors: u32,
	/// Blocks of each, at least 2.
	pub blocks: u32,
	/// Compressions of each block, 1 to [`armature_verifier::challenge::fill::MAX_COMPRESSIONS`].
	pub compressions: u16,
}

impl SealPlan {
	fn check(&self) -> Result<(), SizeError> {
		self.sector().count()?;
		match self.sectors {
			0 => Err(SizeError::TooSmall),
			sectors if sectors > MAX_SECTORS => Err(SizeError::TooLarge),
			_ => Ok(()),
		}
	}

	/// What a sector is filled with.
	fn sector(&self) -> FillSize {
		FillSize { lanes: 1, blocks: self.blocks, compressions: self.compressions }
	}

	fn key(&self, sector: u32) -> H256 {
		sector_key(&self.genesis, self.device, sector)
	}

	/// Bytes of a sector's files.
	fn disk_bytes(&self) -> u64 {
		self.sector().bytes().saturating_add(Records::new(self.blocks).bytes())
	}
}

/// The files of a sector: its blocks, and the paths from there.
fn files_of(sector: u32) -> [String; 2] {
	[format!("sector-{sector}.blocks"), format!("sector-{sector}.paths")]
}

/// Sectors that were sealed: the first ones, with none missing among them. Nobody removes them as long as
/// this lives, but others may be sealed meanwhile. They stay when it is dropped; see [`Self::remove`].
#[derive(Debug)]
pub struct SealedSectors {
	directory: Directory,
	plan: SealPlan,
	/// Of each sector.
	roots: Vec<H256>,
	block_nanos: Option<u32>,
}

impl SealedSectors {
	/// Seals what the plan says in a directory, which is made if it is not there, with at most as many
	/// `threads` as given, each of which has one sector in memory. Sectors that were sealed before and
	/// have files of the right length are taken as they are, also where fewer were planned then. The threads
	/// ask `is_stopped` again and again, but write what they have filled. `progress` is called on the
	/// caller's thread, four times a second.
	///
	/// Whether there is room is looked at before anything is written, where the system tells it (it
	/// does not for `tmpfs` and file systems over a network).
	///
	/// # Errors
	///
	/// [`StorageFault`]; [`StorageFault::Stopped`] when `is_stopped` said so. What was sealed by then stays,
	/// and is gone on with by the next call.
	pub fn seal(
		directory: &Path,
		plan: SealPlan,
		threads: NonZeroUsize,
		is_stopped: &(impl Fn() -> bool + Sync),
		progress: impl FnMut(SealProgress),
	) -> Result<Self, StorageFault> {
		plan.check()?;
		std::fs::create_dir_all(directory).map_err(StorageFault::io("creating", directory))?;
		let directory = Directory::shared(directory)?;
		// Nothing is put into a directory that holds what others wrote, not even a file to lock.
		Index::load(&directory)?;
		let _sealing = directory.lock_sealing()?;
		let index = match Index::load(&directory)? {
			None => Index::new(plan),
			Some(index) => index.fit(plan, &directory)?,
		};
		let (index, block_nanos) =
			seal::seal_missing(&directory, index, threads, is_stopped, progress)?;
		Self::of(directory, &index, block_nanos)
	}

	/// Whether anything was begun to be sealed in a directory, which need not be there.
	///
	/// # Errors
	///
	/// As [`Self::open`], but for [`StorageFault::Nothing`].
	pub fn is_begun(directory: &Path) -> Result<bool, StorageFault> {
		if !directory.try_exists().map_err(StorageFault::io("examining", directory))? {
			return Ok(false);
		}
		Ok(Index::load(&Directory::shared(directory)?)?.is_some())
	}

	/// Opens what is sealed by now.
	///
	/// # Errors
	///
	/// [`StorageFault::Nothing`], [`StorageFault::Foreign`], [`StorageFault::DamagedIndex`],
	/// [`StorageFault::InUse`] while it is removed, [`StorageFault::Io`].
	pub fn open(directory: &Path) -> Result<Self, StorageFault> {
		let directory = Directory::shared(directory)?;
		match Index::load(&directory)? {
			Some(index) => Self::of(directory, &index, None),
			None => Err(StorageFault::Nothing(directory.path().to_owned())),
		}
	}

	fn of(
		directory: Directory,
		index: &Index,
		block_nanos: Option<u32>,
	) -> Result<Self, StorageFault> {
		let roots = index.leading();
		if roots.is_empty() {
			return Err(StorageFault::Nothing(directory.path().to_owned()));
		}
		let sectors = u32::try_from(roots.len()).map_err(|_| SizeError::TooLarge)?;
		let plan = SealPlan { sectors, ..index.plan };
		Ok(Self { directory, plan, roots, block_nanos })
	}

	/// Removes what was sealed in a directory, even in part, and nothing else: the directory stays.
	///
	/// # Errors
	///
	/// [`StorageFault::Foreign`], [`StorageFault::DamagedIndex`] and [`StorageFault::InUse`], after which
	/// everything is as it was; [`StorageFault::Io`].
	pub fn remove(directory: &Path) -> Result<(), StorageFault> {
		let directory = Directory::alone(directory)?;
		if let Some(Index { plan, .. }) = Index::load(&directory)? {
			for name in (0..plan.sectors).flat_map(files_of) {
				directory.remove(&name)?;
			}
		}
		// After them, since it says whose they are.
		directory.remove(index::NAME)?;
		directory.remove(files::LOCK)
	}

	/// What is sealed, and for whom.
	pub fn plan(&self) -> SealPlan {
		self.plan
	}

	/// All bytes of the blocks.
	pub fn bytes(&self) -> u64 {
		u64::from(self.plan.sectors).saturating_mul(self.plan.sector().bytes())
	}

	/// The least time that filling took for one block, in nanoseconds, hashes and disk left out; `None`
	/// when all sectors had been sealed before.
	pub fn block_nanos(&self) -> Option<u32> {
		self.block_nanos
	}

	/// The first sectors, as many as the `plan` has: what was offered. They are committed to for a task, given
	/// by its hash, with a salt; see [`armature_verifier::challenge::storage::committed_root`].
	///
	/// # Errors
	///
	/// [`StorageFault::Other`] where anything else was sealed, [`StorageFault::Fewer`],
	/// [`StorageFault::Size`] without any.
	pub fn offered(
		self,
		plan: &SealPlan,
		task: H256,
		salt: H256,
	) -> Result<OfferedSectors, StorageFault> {
		OfferedSectors::new(self, plan, task, salt)
	}
}

#[cfg(test)]
mod tests;
