//! Filling memory, and walking over it, with one thread for each lane.

use armature_primitives::{challenge::MemoryChallenge, DeviceId, H256};
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{fill_lane, open_fill, FillOpening, FillSize, OpenedBlock, SizeError},
		memory::{
			line_of, memory_key, sizes, walk_lanes, walk_leaf, walk_segment, walk_start, Walk,
			WalkOpening, WalkSize, WalkState, READ_LEN,
		},
	},
	merkle::{leaf_hash, left_siblings, parents, Frontier, Tree},
};
use std::thread::Builder;

/// Blocks that a lane fills before it asks whether to stop: some milliseconds.
const FILL_CHECK: u32 = 4_096;

/// Hashes of a level that a thread takes together before it asks whether to stop: some milliseconds. An
/// even number: their parents are those of the whole level.
const TREE_CHECK: usize = 16_384;

/// Segments that a lane walks before it asks whether to stop: some milliseconds.
const WALK_CHECK: u32 = 1_024;

/// What a filled block takes beside its own bytes: its hash, the hashes above it, about as many, and
/// what threads hand over while the tree is built, which is at most the lowest level once more.
const BESIDE_BLOCK: u64 = 96;

/// What a segment of a walk takes: its end, its hash and the hashes above it are 96 bytes; the rest is for
/// what threads take of their stacks.
const WALKED_SEGMENT: u64 = 128;

/// Why memory was not filled or walked over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryFault {
	/// Sizes out of bounds.
	#[error(transparent)]
	Size(#[from] SizeError),
	/// The system has no such memory to give.
	#[error("{0} bytes of memory are not to be had: ask for less")]
	NoMemory(u64),
	/// The caller stopped the work.
	#[error("filling or walking was stopped before it was done")]
	Stopped,
	/// A thread could not be started, or failed.
	#[error("a thread that fills or walks could not be started, or failed")]
	Thread,
}

/// The most bytes of memory that the answer to a round takes: what is filled, the tree of its blocks,
/// which takes a sixteenth of it beside and up to a tenth while it is built, and one walk with its
/// trees, 128 bytes for each segment. Saturates.
pub fn needed_bytes(memory: &MemoryChallenge) -> u64 {
	let (fill, walk) = sizes(memory);
	let lanes = u64::from(fill.lanes);
	let blocks = lanes.saturating_mul(u64::from(fill.blocks));
	let segments = u64::from(walk_lanes(&fill)).saturating_mul(u64::from(walk.segments));
	fill.bytes()
		.saturating_add(blocks.saturating_mul(BESIDE_BLOCK))
		.saturating_add(segments.saturating_mul(WALKED_SEGMENT))
}

/// Filled memory with the tree of its blocks, see [`needed_bytes`].
#[derive(Debug)]
pub struct FilledMemory {
	size: FillSize,
	key: H256,
	/// The blocks of each lane, one behind the other.
	lanes: Vec<Vec<u8>>,
	tree: Tree,
}

/// The bytes of a block in a lane.
fn bytes_of(lane: &[u8], at: u32) -> Option<&[u8; BLOCK_LEN]> {
	let begin = usize::try_from(at).ok()?.checked_mul(BLOCK_LEN)?;
	lane.get(begin..)?.first_chunk()
}

impl FilledMemory {
	/// Fills memory for a challenge of a device. Every lane asks `is_stopped` before it begins, and
	/// after each four thousand blocks; the tree over them is made by as many threads, which ask as often.
	///
	/// # Errors
	///
	/// [`MemoryFault`]; [`MemoryFault::Stopped`] when `is_stopped` said so.
	pub fn fill(
		seed: &H256,
		device: DeviceId,
		size: FillSize,
		is_stopped: &(impl Fn() -> bool + Sync),
	) -> Result<Self, MemoryFault> {
		size.count()?;
		let key = memory_key(seed, device, &size);
		let no_memory = || MemoryFault::NoMemory(size.bytes());
		let blocks = usize::try_from(size.blocks).map_err(|_| no_memory())?;
		let len = blocks.checked_mul(BLOCK_LEN).ok_or_else(no_memory)?;
		// Asked for before anything is filled. A system that promises more than it has may still end the
		// process later.
		let mut lanes = Vec::new();
		for _ in 0..size.lanes {
			let mut lane = Vec::new();
			lane.try_reserve_exact(len).map_err(|_| no_memory())?;
			lanes.push(lane);
		}
		let numbered = (0u16..).zip(lanes.iter_mut());
		let hashes = on_threads(numbered, |(number, lane): (u16, &mut Vec<u8>)| {
			fill(&key, &size, number, lane, blocks, is_stopped)
		})?
		.into_iter()
		.collect::<Result<Vec<_>, MemoryFault>>()?;
		let tree = built(joined(hashes, is_stopped)?, size.lanes, is_stopped)?;
		Ok(Self { size, key, lanes, tree })
	}

	/// The root to commit to.
	pub fn root(&self) -> H256 {
		self.tree.root()
	}

	/// Opens a filled block, by its position; `None` outside.
	pub fn open(&self, position: u32) -> Option<FillOpening> {
		open_fill(&self.size, position, |position| self.opened(position))
	}

	fn bytes(&self, position: u32) -> Option<&[u8; BLOCK_LEN]> {
		let (lane, at) = self.size.place(position)?;
		bytes_of(self.lanes.get(usize::from(lane))?, at)
	}

	fn opened(&self, position: u32) -> Option<OpenedBlock> {
		let path = self.tree.prove(position)?.into_inner().try_into().ok()?;
		Some(OpenedBlock { bytes: *self.bytes(position)?, path })
	}

	/// Reads one line. Positions are always inside.
	fn read(&self, block: u32, line: u32) -> [u8; READ_LEN] {
		self.bytes(block).map_or([0; READ_LEN], |bytes| line_of(bytes, line))
	}

	/// Walks over all of it, every lane on a thread of its own. The key must come from the verifier
	/// after the root was sent. Every lane asks `is_stopped` before it begins, and after each
	/// thousand segments.
	///
	/// # Errors
	///
	/// [`MemoryFault`]; [`MemoryFault::Stopped`] when `is_stopped` said so.
	pub fn walk(
		&self,
		key: H256,
		size: WalkSize,
		is_stopped: &(impl Fn() -> bool + Sync),
	) -> Result<WalkedMemory, MemoryFault> {
		size.count(&self.size)?;
		let walk = |lane| self.walk_lane(key, size, lane, is_stopped);
		let lanes: Vec<WalkedLane> = on_threads(0..walk_lanes(&self.size), walk)?
			.into_iter()
			.collect::<Result<_, MemoryFault>>()?;
		let roots = lanes.iter().map(|lane| lane.tree.root().0);
		let tree = Tree::new(roots).ok_or(MemoryFault::Thread)?;
		let (fill, fill_key, memory) = (self.size, self.key, self.root());
		let walk = Walk { fill, size, fill_key, key, memory, ends: tree.root() };
		Ok(WalkedMemory { walk, lanes, tree })
	}

	fn walk_lane(
		&self,
		key: H256,
		size: WalkSize,
		lane: u16,
		is_stopped: &impl Fn() -> bool,
	) -> Result<WalkedLane, MemoryFault> {
		let count = self.size.count()?;
		let memory = self.root();
		let segments = usize::try_from(size.segments).map_err(|_| SizeError::TooLarge)?;
		let mut frontier = Frontier::default();
		let mut ends = Vec::with_capacity(segments);
		let mut hashes = Vec::with_capacity(segments);
		for segment in 0..size.segments {
			if segment.is_multiple_of(WALK_CHECK) && is_stopped() {
				return Err(MemoryFault::Stopped);
			}
			let start = walk_start(&key, &memory, lane, segment, &frontier.lefts());
			let end = walk_segment(start, count, size.reads, |block, line| self.read(block, line));
			let hash = leaf_hash(&walk_leaf(lane, segment, &end));
			frontier.push(hash);
			hashes.push(hash);
			ends.push(end);
		}
		let tree = Tree::from_hashes(hashes).ok_or(MemoryFault::Thread)?;
		Ok(WalkedLane { ends, tree })
	}
}

/// Does the work of each item on a thread of its own.
fn on_threads<I: Send, T: Send>(
	items: impl Iterator<Item = I>,
	work: impl Fn(I) -> T + Sync,
) -> Result<Vec<T>, MemoryFault> {
	std::thread::scope(|scope| {
		let work = &work;
		let mut running = Vec::new();
		for item in items {
			let thread =
				Builder::new().name("memory".into()).spawn_scoped(scope, move || work(item));
			running.push(thread.map_err(|_| MemoryFault::Thread)?);
		}
		running
			.into_iter()
			.map(|lane| lane.join().map_err(|_| MemoryFault::Thread))
			.collect()
	})
}

/// Fills one lane of so many `blocks`, and returns their hashes.
fn fill(
	key: &H256,
	size: &FillSize,
	number: u16,
	lane: &mut Vec<u8>,
	blocks: usize,
	is_stopped: &impl Fn() -> bool,
) -> Result<Vec<H256>, MemoryFault> {
	let lane = std::cell::RefCell::new(lane);
	let mut hashes = reserved(blocks)?;
	let get = |at| {
		let lane = lane.borrow();
		// Parents are always before the block that is filled.
		Ok(bytes_of(&lane, at).map(Block::from_bytes).unwrap_or_default())
	};
	let put = |at: u32, block: &Block| {
		if at.is_multiple_of(FILL_CHECK) && is_stopped() {
			return Err(MemoryFault::Stopped);
		}
		let bytes = block.to_bytes();
		hashes.push(leaf_hash(&bytes));
		lane.borrow_mut().extend_from_slice(&bytes);
		Ok(())
	};
	fill_lane(key, size, number, get, put)?;
	Ok(hashes)
}

/// Room for so many hashes, and no more.
fn reserved(count: usize) -> Result<Vec<H256>, MemoryFault> {
	let mut hashes = Vec::new();
	hashes.try_reserve_exact(count).map_err(|_| no_room(count))?;
	Ok(hashes)
}

/// There is no room for so many hashes.
fn no_room(count: usize) -> MemoryFault {
	let bytes = count.saturating_mul(size_of::<H256>());
	MemoryFault::NoMemory(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// Puts the parts of a level behind each other. Each is given back before the next one is taken, so that
/// there is one of them twice at most.
fn joined(parts: Vec<Vec<H256>>, is_stopped: &impl Fn() -> bool) -> Result<Vec<H256>, MemoryFault> {
	let count = parts.iter().fold(0usize, |count, part| count.saturating_add(part.len()));
	let mut parts = parts.into_iter();
	let mut level = parts.next().unwrap_or_default();
	let more = count.saturating_sub(level.len());
	level.try_reserve_exact(more).map_err(|_| no_room(count))?;
	for mut part in parts {
		if is_stopped() {
			return Err(MemoryFault::Stopped);
		}
		level.append(&mut part);
	}
	Ok(level)
}

/// The tree over these leaves, made by so many threads. Each asks `is_stopped` again and again.
fn built(
	leaves: Vec<H256>,
	threads: u16,
	is_stopped: &(impl Fn() -> bool + Sync),
) -> Result<Tree, MemoryFault> {
	let mut levels = Vec::new();
	let mut level = leaves;
	while level.len() > 1 {
		let next = level_above(&level, threads, is_stopped)?;
		levels.push(level);
		level = next;
	}
	levels.push(level);
	Tree::from_levels(levels).ok_or(MemoryFault::Thread)
}

fn level_above(
	level: &[H256],
	threads: u16,
	is_stopped: &(impl Fn() -> bool + Sync),
) -> Result<Vec<H256>, MemoryFault> {
	if level.len() <= TREE_CHECK {
		return Ok(parents(level));
	}
	// Whole pieces for each thread.
	let pieces = level.len().div_ceil(TREE_CHECK).div_ceil(usize::from(threads.max(1)));
	let share = pieces.saturating_mul(TREE_CHECK);
	let parts = on_threads(level.chunks(share), |part: &[H256]| {
		let mut above = reserved(part.len().div_ceil(2))?;
		for piece in part.chunks(TREE_CHECK) {
			if is_stopped() {
				return Err(MemoryFault::Stopped);
			}
			above.append(&mut parents(piece));
		}
		Ok(above)
	})?;
	joined(parts.into_iter().collect::<Result<_, MemoryFault>>()?, is_stopped)
}

/// What one lane walked.
#[derive(Debug)]
struct WalkedLane {
	/// The ends of its segments.
	ends: Vec<WalkState>,
	tree: Tree,
}

/// A walk, as whoever walked keeps it: the ends of its segments with their trees. What it was over is
/// kept apart.
#[derive(Debug)]
pub struct WalkedMemory {
	walk: Walk,
	lanes: Vec<WalkedLane>,
	tree: Tree,
}

impl WalkedMemory {
	/// What was walked, with the roots to commit to.
	pub fn walk(&self) -> &Walk {
		&self.walk
	}

	/// Opens a segment of a walk over this `memory`; `None` outside, and for a walk over another.
	pub fn open(&self, memory: &FilledMemory, lane: u16, segment: u32) -> Option<WalkOpening> {
		if memory.root() != self.walk.memory {
			return None;
		}
		let WalkedLane { ends, tree } = self.lanes.get(usize::from(lane))?;
		let end = *ends.get(usize::try_from(segment).ok()?)?;
		let path = tree.prove(segment)?.into_inner();
		let Walk { fill, size, key, memory: root, .. } = &self.walk;
		let lefts = left_siblings(size.segments, segment, &path)?;
		let start = walk_start(key, root, lane, segment, &lefts);
		let mut read = Vec::new();
		walk_segment(start, fill.count().ok()?, size.reads, |block, line| {
			read.push(block);
			memory.read(block, line)
		});
		let blocks: Option<Vec<_>> = read.into_iter().map(|at| memory.opened(at)).collect();
		Some(WalkOpening {
			lane,
			segment,
			end,
			path: path.try_into().ok()?,
			lane_root: tree.root(),
			lane_path: self.tree.prove(lane.into())?.into_inner().try_into().ok()?,
			blocks: blocks?.try_into().ok()?,
		})
	}
}

#[cfg(test)]
mod tests;
