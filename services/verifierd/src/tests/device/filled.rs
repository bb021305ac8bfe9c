//! Memory that is filled and walked over as the algorithm says, without a thought of speed.

use super::*;
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{fill_lane, open_fill, FillOpening, FillSize, OpenedBlock},
		memory::{
			line_of, memory_key, sizes, walk_lanes, walk_leaf, walk_segment, walk_start,
			WalkOpening, WalkSize, WalkState, READ_LEN,
		},
	},
	merkle::{leaf_hash, left_siblings, Frontier, Tree},
};
use std::{cell::RefCell, convert::Infallible};

pub(super) fn index(number: u32) -> usize {
	usize::try_from(number).unwrap()
}

/// The blocks of one lane. Where it `skips`, the second half is made up.
pub(super) fn filled_lane(
	key: &H256,
	size: &FillSize,
	lane: u16,
	skips: bool,
) -> Vec<[u8; BLOCK_LEN]> {
	let filled = RefCell::new(Vec::<Block>::new());
	let get = |at| Ok::<_, Infallible>(filled.borrow()[index(at)].clone());
	let put = |_, block: &Block| {
		filled.borrow_mut().push(block.clone());
		Ok(())
	};
	fill_lane(key, size, lane, get, put).unwrap();
	let mut bytes: Vec<_> = filled.borrow().iter().map(Block::to_bytes).collect();
	if skips {
		bytes[index(size.blocks) / 2..].iter_mut().for_each(|block| block[100] ^= 1);
	}
	bytes
}

/// Filled memory, with how it is to be walked over.
pub(super) struct Filled {
	size: FillSize,
	walk: WalkSize,
	/// Lane 0's first.
	blocks: Vec<[u8; BLOCK_LEN]>,
	tree: Tree,
}

impl Filled {
	/// Where it `skips`, the second half of every lane is made up.
	pub(super) fn new(task: &ChallengeTask, skips: bool) -> Self {
		let (size, walk) = sizes(task.memory().unwrap());
		let key = memory_key(&task.seed, task.device, &size);
		let mut blocks = Vec::new();
		for lane in 0..size.lanes {
			blocks.extend(filled_lane(&key, &size, lane, skips));
		}
		let tree = Tree::new(&blocks).unwrap();
		Self { size, walk, blocks, tree }
	}

	pub(super) fn root(&self) -> H256 {
		self.tree.root()
	}

	fn count(&self) -> u32 {
		self.size.count().unwrap()
	}

	fn read(&self, block: u32, line: u32) -> [u8; READ_LEN] {
		line_of(&self.blocks[index(block)], line)
	}

	fn opened(&self, position: u32) -> OpenedBlock {
		let path = self.tree.prove(position).unwrap().into_inner();
		OpenedBlock { bytes: self.blocks[index(position)], path: path.try_into().unwrap() }
	}

	pub(super) fn open(&self, position: u32) -> FillOpening {
		open_fill(&self.size, position, |position| Some(self.opened(position))).unwrap()
	}
}

/// The ends of a lane's segments.
struct Lane {
	ends: Vec<WalkState>,
	tree: Tree,
}

/// A walk over filled memory.
pub(super) struct Walked {
	key: H256,
	lanes: Vec<Lane>,
	tree: Tree,
}

impl Walked {
	/// Where it is `made_up`, every segment ends elsewhere than it should.
	pub(super) fn new(filled: &Filled, key: H256, made_up: bool) -> Self {
		let walk_lane = |lane| {
			let mut frontier = Frontier::default();
			let (mut ends, mut hashes) = (Vec::new(), Vec::new());
			for segment in 0..filled.walk.segments {
				let start = walk_start(&key, &filled.root(), lane, segment, &frontier.lefts());
				let mut end = walk_from(filled, start, |_| ());
				end[0] ^= u8::from(made_up);
				let hash = leaf_hash(&walk_leaf(lane, segment, &end));
				frontier.push(hash);
				hashes.push(hash);
				ends.push(end);
			}
			Lane { ends, tree: Tree::from_hashes(hashes).unwrap() }
		};
		let lanes: Vec<_> = (0..walk_lanes(&filled.size)).map(walk_lane).collect();
		let tree = Tree::new(lanes.iter().map(|lane| lane.tree.root().0)).unwrap();
		Self { key, lanes, tree }
	}

	pub(super) fn key(&self) -> H256 {
		self.key
	}

	pub(super) fn root(&self) -> H256 {
		self.tree.root()
	}

	pub(super) fn open(&self, filled: &Filled, lane: u16, segment: u32) -> WalkOpening {
		let Lane { ends, tree } = &self.lanes[usize::from(lane)];
		let path = tree.prove(segment).unwrap().into_inner();
		let lefts = left_siblings(filled.walk.segments, segment, &path).unwrap();
		let start = walk_start(&self.key, &filled.root(), lane, segment, &lefts);
		let mut blocks = Vec::new();
		walk_from(filled, start, |block| blocks.push(filled.opened(block)));
		let lane_path = self.tree.prove(lane.into()).unwrap().into_inner();
		WalkOpening {
			lane,
			segment,
			end: ends[index(segment)],
			path: path.try_into().unwrap(),
			lane_root: tree.root(),
			lane_path: lane_path.try_into().unwrap(),
			blocks: blocks.try_into().unwrap(),
		}
	}
}

/// Walks a segment, and tells which blocks it reads.
fn walk_from(filled: &Filled, start: WalkState, mut on_block: impl FnMut(u32)) -> WalkState {
	walk_segment(start, filled.count(), filled.walk.reads, |block, line| {
		on_block(block);
		filled.read(block, line)
	})
}
