//! What leads from blocks to the root of their sector, as it lies beside them on disk.
//!
//! There is one record for each 64 blocks: their hashes, then the path from the root of these to that
//! of the sector. A path so takes one read of at most 2,880 bytes and 63 hashes, some ten
//! microseconds. For each block there are 32 bytes of hash and 13 of path at most, while a whole tree
//! would take 64, and a read for each level.

use super::StorageFault;
use armature_primitives::H256;
use armature_verifier::{
	challenge::{block::BLOCK_LEN, fill::SizeError},
	merkle::{leaf_hash, path_len, Tree},
};
use std::io::{self, BufWriter, Write};

/// Blocks of a group, a power of two: groups are subtrees.
const GROUP: u32 = 64;

/// The same.
const GROUP_BLOCKS: usize = 64;

const HASH_LEN: usize = 32;

/// What the hashes of a group take.
const GROUP_LEN: usize = GROUP_BLOCKS * HASH_LEN;

/// How the records of a sector lie in their file: all of one length, filled up with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Records {
	blocks: u32,
	record_len: usize,
}

impl Records {
	/// Those of a sector of so many blocks.
	pub(super) fn new(blocks: u32) -> Self {
		// No path is longer than that of the first one.
		let above = path_len(blocks.div_ceil(GROUP), 0).unwrap_or(0);
		let record_len = GROUP_BLOCKS.saturating_add(above).saturating_mul(HASH_LEN);
		Self { blocks, record_len }
	}

	fn groups(&self) -> u32 {
		self.blocks.div_ceil(GROUP)
	}

	/// Bytes of a record.
	pub(super) fn record_len(&self) -> usize {
		self.record_len
	}

	/// Bytes of so many records.
	fn bytes_of(&self, records: u32) -> u64 {
		let record_len = u64::try_from(self.record_len).unwrap_or(u64::MAX);
		u64::from(records).saturating_mul(record_len)
	}

	/// Bytes of all records.
	pub(super) fn bytes(&self) -> u64 {
		self.bytes_of(self.groups())
	}

	/// Where the record of a block begins.
	pub(super) fn offset(&self, at: u32) -> u64 {
		self.bytes_of(at / GROUP)
	}

	/// The path of a block, by its record; `None` outside.
	pub(super) fn path(&self, at: u32, record: &[u8]) -> Option<Vec<H256>> {
		let (group, in_group) = (at / GROUP, at % GROUP);
		let rest = self.blocks.checked_sub(at.checked_sub(in_group)?)?;
		let count = usize::try_from(rest).ok()?.min(GROUP_BLOCKS);
		let (leaves, above) = record.split_at_checked(GROUP_LEN)?;
		let tree = Tree::from_hashes(hashes(leaves).take(count).collect())?;
		let mut path = tree.prove(in_group)?.into_inner();
		path.extend(hashes(above).take(path_len(self.groups(), group)?));
		Some(path)
	}
}

fn hashes(bytes: &[u8]) -> impl Iterator<Item = H256> + '_ {
	bytes.chunks_exact(HASH_LEN).map(H256::from_slice)
}

/// The hashes of a sector.
#[derive(Debug)]
pub(super) struct SectorTree {
	/// Of all blocks.
	leaves: Vec<H256>,
	/// Over the roots of groups.
	groups: Tree,
	records: Records,
}

impl SectorTree {
	/// Hashes the blocks of a sector.
	///
	/// # Errors
	///
	/// [`StorageFault::Size`] without blocks, or with too many.
	pub(super) fn new(blocks: &[u8]) -> Result<Self, StorageFault> {
		let mut leaves = Vec::with_capacity(blocks.len() / BLOCK_LEN);
		let mut roots = Vec::new();
		for group in blocks.chunks(GROUP_BLOCKS * BLOCK_LEN) {
			let hashes: Vec<H256> = group.chunks_exact(BLOCK_LEN).map(leaf_hash).collect();
			leaves.extend_from_slice(&hashes);
			roots.push(Tree::from_hashes(hashes).ok_or(SizeError::TooSmall)?.root());
		}
		let count = u32::try_from(leaves.len()).map_err(|_| SizeError::TooLarge)?;
		let groups = Tree::from_hashes(roots).ok_or(SizeError::TooSmall)?;
		Ok(Self { leaves, groups, records: Records::new(count) })
	}

	/// The root of the sector.
	pub(super) fn root(&self) -> H256 {
		self.groups.root()
	}

	/// Writes all records.
	pub(super) fn write(&self, out: impl Write) -> io::Result<()> {
		let mut out = BufWriter::new(out);
		let mut record: Vec<u8> = Vec::with_capacity(self.records.record_len);
		for (group, leaves) in (0u32..).zip(self.leaves.chunks(GROUP_BLOCKS)) {
			record.clear();
			record.extend(leaves.iter().flat_map(|hash| hash.0));
			record.resize(GROUP_LEN, 0);
			let above = self.groups.prove(group);
			let above = above.ok_or_else(|| io::Error::other("a group outside of its sector"))?;
			record.extend(above.iter().flat_map(|hash| hash.0));
			record.resize(self.records.record_len, 0);
			out.write_all(&record)?;
		}
		out.flush()
	}
}
