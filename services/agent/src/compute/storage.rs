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
//! A sector is filled in memory, one for each thread that seals, with 3.2 % beside for hashes. Files get
//! their names when they are on disk, and a sector's root gets into the index after that, so that sealing
//! goes on where it was interrupted. A block is opened by two reads, whatever the number of blocks.

use armature_primitives::{DeviceId, H256};
use armature_verifier::{
	challenge::{
		block::BLOCK_LEN,
		fill::{open_fill, FillSize, OpenedBlock, SizeError},
		storage::{sector_key, SealedOpening, SealedStorage, SectorPath, StoredBlock, MAX_SECTORS},
	},
	merkle::{self, Tree},
};
use codec::{Decode, Encode};
use files::Directory;
use index::Index;
use paths::Records;
use std::{
	cell::Cell,
	io::{self, ErrorKind},
	num::NonZeroUsize,
	path::{Path, PathBuf},
};

mod files;
mod index;
mod paths;
mod seal;

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
	/// The directory holds sectors of another device, chain, time or size; they were left alone.
	#[error(
		"{0} holds sectors that were sealed for another device, chain or time, or of other sizes: \
		 name another directory, or remove it if they are no longer needed"
	)]
	Other(PathBuf),
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
	/// Somebody else seals or opens sectors in the directory.
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
	#[error("a thread that seals could not be started, or failed")]
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
	/// The chain's randomness when the device began to seal.
	pub epoch: H256,
	/// Sectors, 1 to [`MAX_SECTORS`].
	pub sectors: u32,
	/// Blocks of each, at least 2.
	pub blocks: u32,
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
		FillSize { lanes: 1, blocks: self.blocks }
	}

	fn key(&self, sector: u32) -> H256 {
		sector_key(&self.genesis, self.device, &self.epoch, sector)
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

/// Sectors that were sealed, all of them. The directory is locked as long as this lives, and stays as
/// it is when it is dropped; see [`Self::remove`].
#[derive(Debug)]
pub struct SealedSectors {
	directory: Directory,
	plan: SealPlan,
	records: Records,
	roots: Vec<H256>,
	/// Over the roots.
	tree: Tree,
	block_nanos: Option<u32>,
}

impl SealedSectors {
	/// Seals what the plan says in a directory, which is made if it is not there, with at most as many
	/// `threads` as given, each of which has one sector in memory. Sectors that were sealed before and
	/// have files of the right length are taken as they are. The threads ask `is_stopped` again and
	/// again, but not while they write a sector.
	///
	/// Whether there is room is looked at before anything is written, where the system tells it (it
	/// does not for `tmpfs` and file systems over a network).
	///
	/// # Errors
	///
	/// [`StorageFault`]; [`StorageFault::Stopped`] when `is_stopped` said so.
	pub fn seal(
		directory: &Path,
		plan: SealPlan,
		threads: NonZeroUsize,
		is_stopped: &(impl Fn() -> bool + Sync),
	) -> Result<Self, StorageFault> {
		plan.check()?;
		std::fs::create_dir_all(directory).map_err(StorageFault::io("creating", directory))?;
		let directory = Directory::lock(directory)?;
		let index = match Index::load(&directory)? {
			None => Index::new(plan),
			Some(index) if index.plan == plan => index,
			Some(_) => return Err(StorageFault::Other(directory.path().to_owned())),
		};
		let (roots, block_nanos) = seal::seal_missing(&directory, index, threads, is_stopped)?;
		let leaves = roots.iter().map(|root| root.0);
		let tree = Tree::new(leaves).ok_or(SizeError::TooSmall)?;
		let records = Records::new(plan.blocks);
		Ok(Self { directory, plan, records, roots, tree, block_nanos })
	}

	/// Removes what was sealed in a directory, even in part, and nothing else: the directory stays.
	///
	/// # Errors
	///
	/// [`StorageFault::Foreign`], [`StorageFault::DamagedIndex`] and [`StorageFault::InUse`], after which
	/// everything is as it was; [`StorageFault::Io`].
	pub fn remove(directory: &Path) -> Result<(), StorageFault> {
		let directory = Directory::lock(directory)?;
		if let Some(Index { plan, .. }) = Index::load(&directory)? {
			for name in (0..plan.sectors).flat_map(files_of) {
				directory.remove(&name)?;
			}
		}
		// The last, since it says whose the others are.
		directory.remove(index::NAME)
	}

	/// What to commit to.
	pub fn storage(&self) -> SealedStorage {
		let SealPlan { sectors, blocks, .. } = self.plan;
		SealedStorage { sectors, blocks, root: self.tree.root() }
	}

	/// The least time that filling took for one block, in nanoseconds, hashes and disk left out; `None`
	/// when all sectors had been sealed before.
	pub fn block_nanos(&self) -> Option<u32> {
		self.block_nanos
	}

	/// A block that was asked for: one read of it, and one of its path. It is looked at before it is
	/// given away, which takes some ten microseconds.
	///
	/// # Errors
	///
	/// [`StorageFault::Outside`], [`StorageFault::Damaged`], [`StorageFault::Io`].
	pub fn stored(&self, sector: u32, at: u32) -> Result<StoredBlock, StorageFault> {
		let OpenedBlock { bytes, path } = self.opened(sector, at)?;
		let (sector_root, sector_path) = self.sector(sector, at)?;
		Ok(StoredBlock { sector, at, bytes, path, sector_root, sector_path })
	}

	/// Shows that a block was filled as it should be: it, the one before it, and its parents, by two
	/// reads for each.
	///
	/// # Errors
	///
	/// Those of [`Self::stored`].
	pub fn sealed(&self, sector: u32, at: u32) -> Result<SealedOpening, StorageFault> {
		let fault = Cell::new(None);
		let opened = |at| match self.opened(sector, at) {
			Ok(opened) => Some(opened),
			Err(error) => {
				fault.set(Some(error));
				None
			},
		};
		let fill = open_fill(&self.plan.sector(), at, opened);
		let fill =
			fill.ok_or_else(|| fault.take().unwrap_or(StorageFault::Outside { sector, at }))?;
		let (sector_root, sector_path) = self.sector(sector, at)?;
		Ok(SealedOpening { sector, fill, sector_root, sector_path })
	}

	/// The root of the sector of a block, and the path from there.
	fn sector(&self, sector: u32, at: u32) -> Result<(H256, SectorPath), StorageFault> {
		let found = || -> Option<(H256, SectorPath)> {
			let root = *self.roots.get(usize::try_from(sector).ok()?)?;
			let path = self.tree.prove(sector)?.into_inner().try_into().ok()?;
			Some((root, path))
		};
		found().ok_or(StorageFault::Outside { sector, at })
	}

	fn opened(&self, sector: u32, at: u32) -> Result<OpenedBlock, StorageFault> {
		let (root, _) = self.sector(sector, at)?;
		if at >= self.plan.blocks {
			return Err(StorageFault::Outside { sector, at });
		}
		let damaged = || {
			let directory = self.directory.path().to_owned();
			StorageFault::Damaged { directory, sector, at }
		};
		let read = |name: &str, offset, buffer: &mut [u8]| {
			self.directory.read(name, offset, buffer).map_err(|error| match error.kind() {
				ErrorKind::UnexpectedEof | ErrorKind::NotFound => damaged(),
				_ => StorageFault::io("reading", &self.directory.path().join(name))(error),
			})
		};
		let [blocks, paths] = files_of(sector);
		let mut bytes = [0; BLOCK_LEN];
		read(&blocks, FillSize { lanes: 1, blocks: at }.bytes(), &mut bytes)?;
		let mut record = vec![0; self.records.record_len()];
		read(&paths, self.records.offset(at), &mut record)?;
		let path = self.records.path(at, &record).ok_or_else(damaged)?;
		if !merkle::verify(&root, self.plan.blocks, at, &bytes, &path) {
			return Err(damaged());
		}
		Ok(OpenedBlock { bytes, path: path.try_into().map_err(|_| damaged())? })
	}
}

#[cfg(test)]
mod tests;
