//! Sectors that a device has offered, as it commits to them in one round, and blocks of them.

use super::{
	paths::Records,
	reading::{read_all, Part, Piece},
	SealPlan, SealedSectors, StorageFault,
};
use armature_primitives::H256;
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{open_fill, parents, OpenedBlock, SizeError},
		storage::{committed_root, SealedOpening, SealedStorage, SectorPlace, StoredBlock},
	},
	merkle::{self, Tree},
};
use std::collections::{BTreeMap, BTreeSet};

/// Threads that read blocks for which somebody waits: disks do several reads at once, or put them in order.
const READERS: usize = 8;

/// Where a block is: its sector, and its number there.
type At = (u32, u32);

/// The first of the sectors that are sealed, as they are committed to for one task.
#[derive(Debug)]
pub struct OfferedSectors {
	sealed: SealedSectors,
	plan: SealPlan,
	records: Records,
	/// Over the roots of the sectors.
	tree: Tree,
	task: H256,
	salt: H256,
}

impl OfferedSectors {
	pub(super) fn new(
		sealed: SealedSectors,
		plan: &SealPlan,
		task: H256,
		salt: H256,
	) -> Result<Self, StorageFault> {
		let directory = || sealed.directory.path().to_owned();
		if (SealPlan { sectors: plan.sectors, ..sealed.plan }) != *plan {
			return Err(StorageFault::Other(directory()));
		}
		let (wanted, there) = (plan.sectors, sealed.plan.sectors);
		if wanted > there {
			return Err(StorageFault::Fewer { directory: directory(), sealed: there, wanted });
		}
		let count = usize::try_from(wanted).map_err(|_| SizeError::TooLarge)?;
		let roots = sealed.roots.iter().take(count).map(|root| root.0);
		let tree = Tree::new(roots).ok_or(SizeError::TooSmall)?;
		Ok(Self { plan: *plan, records: Records::new(plan.blocks), tree, task, salt, sealed })
	}

	/// What to commit to.
	pub fn storage(&self) -> SealedStorage {
		let SealPlan { sectors, blocks, compressions, .. } = self.plan;
		let root = committed_root(&self.task, &self.salt, &self.tree.root());
		SealedStorage { sectors, blocks, compressions, task: self.task, root }
	}

	/// Blocks that were asked for, in that order: two reads for each, in the order of the disk, several at
	/// once. They are looked at before they are given away, which takes some ten microseconds each.
	///
	/// # Errors
	///
	/// [`StorageFault::Outside`], before anything is read; [`StorageFault::Damaged`],
	/// [`StorageFault::Thread`], [`StorageFault::Io`].
	pub fn stored(&self, wanted: &[At]) -> Result<Vec<StoredBlock>, StorageFault> {
		let opened = self.opened(&wanted.iter().copied().collect(), READERS)?;
		let stored = |at: &At| {
			let OpenedBlock { bytes, path } = opened.get(at).cloned().ok_or(outside(*at))?;
			let place = self.place(*at)?;
			let (sector, at) = *at;
			Ok(StoredBlock { sector, at, bytes, path, place })
		};
		wanted.iter().map(stored).collect()
	}

	/// Shows that blocks were filled as they should be: each, the one before it, and its parents, by two
	/// reads for each of them, one after the other. Whoever reads meanwhile has most of the disk.
	///
	/// # Errors
	///
	/// Those of [`Self::stored`].
	pub fn sealed(&self, wanted: &[At]) -> Result<Vec<SealedOpening>, StorageFault> {
		let before = |(sector, at): &At| Some((*sector, at.checked_sub(1)?));
		let near = wanted.iter().copied().chain(wanted.iter().filter_map(before));
		let mut opened = self.opened(&near.collect(), 1)?;
		let mut others = BTreeSet::new();
		for found in wanted {
			let Some(before) = before(found).and_then(|at| opened.get(&at)) else { continue };
			let (sector, at) = *found;
			let parents = parents(&Block::from_bytes(&before.bytes), at);
			let parents = parents.into_iter().map(|parent| (sector, parent));
			others.extend(parents.filter(|parent| !opened.contains_key(parent)));
		}
		opened.append(&mut self.opened(&others, 1)?);
		let size = self.plan.sector();
		let sealed = |(sector, at): &At| {
			let found = |at| opened.get(&(*sector, at)).cloned();
			let fill = open_fill(&size, *at, found).ok_or(outside((*sector, *at)))?;
			let place = self.place((*sector, *at))?;
			Ok(SealedOpening { sector: *sector, fill, place })
		};
		wanted.iter().map(sealed).collect()
	}

	/// Where the sector of a block stands in what is committed to.
	fn place(&self, at: At) -> Result<SectorPlace, StorageFault> {
		let root = self.root(at)?;
		let path = self.tree.prove(at.0).and_then(|path| path.into_inner().try_into().ok());
		let path = path.ok_or(outside(at))?;
		Ok(SectorPlace { root, path, salt: self.salt })
	}

	/// The root of the sector of a block, if there is such a block.
	fn root(&self, at: At) -> Result<H256, StorageFault> {
		let is_inside = at.0 < self.plan.sectors && at.1 < self.plan.blocks;
		let sector = usize::try_from(at.0).ok().filter(|_| is_inside);
		let root = sector.and_then(|sector| self.sealed.roots.get(sector));
		root.copied().ok_or(outside(at))
	}

	/// Blocks with their paths, read by so many threads.
	fn opened(
		&self,
		wanted: &BTreeSet<At>,
		threads: usize,
	) -> Result<BTreeMap<At, OpenedBlock>, StorageFault> {
		let mut pieces = Vec::new();
		for at in wanted {
			self.root(*at)?;
			pieces.extend(self.pieces(*at));
		}
		pieces.sort_unstable();
		pieces.dedup();
		let read = read_all(&self.sealed.directory, &pieces, threads)?;
		let bytes_at = |piece: &Piece| {
			let found = pieces.binary_search(piece).ok()?;
			read.get(found)?.as_deref()
		};
		let open = |at: &At| {
			let [block, record] = self.pieces(*at);
			let opened = || self.open(*at, bytes_at(&block)?, bytes_at(&record)?);
			Ok((*at, opened().ok_or_else(|| self.damaged(*at))?))
		};
		wanted.iter().map(open).collect()
	}

	/// Where a block is, and the record that its path is in.
	fn pieces(&self, (sector, at): At) -> [Piece; 2] {
		let block_len = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
		let block = u64::from(at).saturating_mul(block_len);
		let (record, record_len) = (self.records.offset(at), self.records.record_len());
		[
			Piece { sector, part: Part::Blocks, offset: block, len: BLOCK_LEN },
			Piece { sector, part: Part::Paths, offset: record, len: record_len },
		]
	}

	/// A block with its path, unless they are not what was sealed.
	fn open(&self, at: At, block: &[u8], record: &[u8]) -> Option<OpenedBlock> {
		let path = self.records.path(at.1, record)?;
		let root = self.root(at).ok()?;
		let is_whole = merkle::verify(&root, self.plan.blocks, at.1, block, &path);
		let opened =
			|| Some(OpenedBlock { bytes: block.try_into().ok()?, path: path.try_into().ok()? });
		is_whole.then(opened)?
	}

	fn damaged(&self, (sector, at): At) -> StorageFault {
		let directory = self.sealed.directory.path().to_owned();
		StorageFault::Damaged { directory, sector, at }
	}
}

fn outside((sector, at): At) -> StorageFault {
	StorageFault::Outside { sector, at }
}
