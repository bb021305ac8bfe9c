//! Filling memory, and walking over it, with one thread for each lane.

use armature_primitives::{DeviceId, H256};
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{fill_lane, open_fill, FillOpening, FillSize, OpenedBlock, SizeError},
		memory::{
			line_of, memory_key, walk_leaf, walk_segment, walk_start, Walk, WalkOpening, WalkSize,
			WalkState, READ_LEN,
		},
	},
	merkle::{leaf_hash, left_siblings, Frontier, Tree},
};
use std::{convert::Infallible, thread::Builder};

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
	/// A thread could not be started, or failed.
	#[error("a thread that fills or walks could not be started, or failed")]
	Thread,
}

/// Filled memory with its tree, which takes a tenth of it beside while it is built.
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
	/// Fills memory for a challenge of a device.
	///
	/// # Errors
	///
	/// [`MemoryFault`].
	pub fn fill(seed: &H256, device: DeviceId, size: FillSize) -> Result<Self, MemoryFault> {
		size.count()?;
		let key = memory_key(seed, device, &size);
		let len = usize::try_from(size.blocks).ok().and_then(|n| n.checked_mul(BLOCK_LEN));
		let len = len.ok_or(MemoryFault::NoMemory(size.bytes()))?;
		// Asked for before anything is filled. A system that promises more than it has may still end the
		// process later.
		let mut lanes = Vec::new();
		for _ in 0..size.lanes {
			let mut lane = Vec::new();
			lane.try_reserve_exact(len).map_err(|_| MemoryFault::NoMemory(size.bytes()))?;
			lanes.push(lane);
		}
		let numbered = (0u16..).zip(lanes.iter_mut());
		let hashes = on_threads(numbered, |(number, lane): (u16, &mut Vec<u8>)| {
			fill(&key, &size, number, lane)
		})?;
		let tree = Tree::from_hashes(hashes.concat()).ok_or(MemoryFault::Thread)?;
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
	/// after the root was sent.
	///
	/// # Errors
	///
	/// [`MemoryFault`].
	pub fn walk(&self, key: H256, size: WalkSize) -> Result<WalkedMemory<'_>, MemoryFault> {
		size.count(&self.size)?;
		let count = self.size.count()?;
		let memory = self.root();
		let walk_lane = |lane: u16| {
			let mut frontier = Frontier::default();
			let mut ends = Vec::new();
			let mut hashes = Vec::new();
			for segment in 0..size.segments {
				let start = walk_start(&key, &memory, lane, segment, &frontier.lefts());
				let end =
					walk_segment(start, count, size.reads, |block, line| self.read(block, line));
				let hash = leaf_hash(&walk_leaf(lane, segment, &end));
				frontier.push(hash);
				hashes.push(hash);
				ends.push(end);
			}
			Some(WalkedLane { ends, tree: Tree::from_hashes(hashes)? })
		};
		let lanes: Option<Vec<_>> =
			on_threads(0..self.size.lanes, walk_lane)?.into_iter().collect();
		let lanes = lanes.ok_or(MemoryFault::Thread)?;
		let roots = lanes.iter().map(|lane| lane.tree.root().0);
		let tree = Tree::new(roots).ok_or(MemoryFault::Thread)?;
		let (fill, fill_key, ends) = (self.size, self.key, tree.root());
		let walk = Walk { fill, size, fill_key, key, memory, ends };
		Ok(WalkedMemory { memory: self, walk, lanes, tree })
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

/// Fills one lane and returns the hashes of its blocks.
fn fill(key: &H256, size: &FillSize, number: u16, lane: &mut Vec<u8>) -> Vec<H256> {
	let lane = std::cell::RefCell::new(lane);
	let mut hashes = Vec::new();
	let get = |at| {
		let lane = lane.borrow();
		// Parents are always before the block that is filled.
		Ok::<_, Infallible>(bytes_of(&lane, at).map(Block::from_bytes).unwrap_or_default())
	};
	let put = |_, block: &Block| {
		let bytes = block.to_bytes();
		hashes.push(leaf_hash(&bytes));
		lane.borrow_mut().extend_from_slice(&bytes);
		Ok(())
	};
	match fill_lane(key, size, number, get, put) {
		Ok(()) => hashes,
		Err(never) => match never {},
	}
}

/// What one lane walked.
#[derive(Debug)]
struct WalkedLane {
	/// The ends of its segments.
	ends: Vec<WalkState>,
	tree: Tree,
}

/// A walk, as whoever walked keeps it.
#[derive(Debug)]
pub struct WalkedMemory<'m> {
	memory: &'m FilledMemory,
	walk: Walk,
	lanes: Vec<WalkedLane>,
	tree: Tree,
}

impl WalkedMemory<'_> {
	/// What was walked, with the roots to commit to.
	pub fn walk(&self) -> &Walk {
		&self.walk
	}

	/// Opens a segment; `None` outside.
	pub fn open(&self, lane: u16, segment: u32) -> Option<WalkOpening> {
		let WalkedLane { ends, tree } = self.lanes.get(usize::from(lane))?;
		let end = *ends.get(usize::try_from(segment).ok()?)?;
		let path = tree.prove(segment)?.into_inner();
		let Walk { fill, size, key, memory, .. } = &self.walk;
		let lefts = left_siblings(size.segments, segment, &path)?;
		let start = walk_start(key, memory, lane, segment, &lefts);
		let mut read = Vec::new();
		walk_segment(start, fill.count().ok()?, size.reads, |block, line| {
			read.push(block);
			self.memory.read(block, line)
		});
		let blocks: Option<Vec<_>> = read.into_iter().map(|at| self.memory.opened(at)).collect();
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
mod tests {
	use super::*;
	use armature_verifier::challenge::memory::{check_walk, sample_memory};

	const KEY: H256 = H256([3; 32]);

	#[test]
	fn what_was_filled_and_walked_should_be_accepted_by_the_verifier() {
		let size = FillSize { lanes: 3, blocks: 50 };
		let memory = FilledMemory::fill(&KEY, DeviceId(1), size).expect("filled");
		let walked =
			memory.walk(H256([4; 32]), WalkSize { segments: 6, reads: 5 }).expect("walked");
		let (blocks, segments) =
			sample_memory(&H256([5; 32]), walked.walk(), 1_000).expect("in bounds");
		assert_eq!((blocks.len(), segments.len()), (150, 18));
		for position in blocks {
			let opening = memory.open(position).expect("inside");
			assert_eq!(walked.walk().check_fill(&opening), Ok(()), "{position}");
		}
		for (lane, segment) in segments {
			let opening = walked.open(lane, segment).expect("inside");
			assert_eq!(check_walk(walked.walk(), &opening), Ok(()), "{lane} {segment}");
		}
		assert!(memory.open(150).is_none());
		assert!(walked.open(3, 0).is_none() && walked.open(0, 6).is_none());
	}

	#[test]
	fn sizes_out_of_bounds_should_be_refused_before_anything_is_reserved() {
		let fill =
			|lanes, blocks| FilledMemory::fill(&KEY, DeviceId(1), FillSize { lanes, blocks }).err();
		assert_eq!(fill(0, 9), Some(MemoryFault::Size(SizeError::TooSmall)));
		assert_eq!(fill(9, u32::MAX), Some(MemoryFault::Size(SizeError::TooLarge)));
		let memory = FilledMemory::fill(&KEY, DeviceId(1), FillSize { lanes: 1, blocks: 2 })
			.expect("filled");
		let walk = memory.walk(KEY, WalkSize { segments: 0, reads: 1 }).err();
		assert_eq!(walk, Some(MemoryFault::Size(SizeError::TooSmall)));
	}
}
