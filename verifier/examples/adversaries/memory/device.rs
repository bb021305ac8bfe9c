//! Memory that a device keeps, all of it or a part, and its walks.

use armature_primitives::{challenge::ChallengeTask, H256};
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{
			fill_lane, first_block, next_block, open_fill, parents, BlockPath, FillOpening,
			FillSize, LaneKey, OpenedBlock,
		},
		memory::{
			line_of, walk_leaf, walk_segment, walk_start, Walk, WalkOpening, WalkSize, WalkState,
			READ_LEN,
		},
	},
	merkle::{leaf_hash, left_siblings, Frontier, Tree},
};
use rand::{rngs::StdRng, RngCore};
use std::{
	cell::{Cell, RefCell},
	collections::{BTreeMap, BTreeSet},
	convert::Infallible,
	iter::once,
	ops::Range,
	rc::Rc,
};

/// How much is filled: so many blocks that a hundredth of them are some.
pub(super) const FILL: FillSize = FillSize { lanes: 2, blocks: 200, compressions: 1 };

/// How far each lane walks; a power of two segments, so that half of them are one subtree.
pub(super) const WALK: WalkSize = WalkSize { segments: 64, reads: 4 };

/// All blocks.
pub(super) const BLOCKS: u32 = FILL.lanes as u32 * FILL.blocks;

/// The position of a block.
pub(super) fn position_of(lane: u16, at: u32) -> u32 {
	FILL.position(lane, at).expect("a block of the memory")
}

/// Lane and number of a block.
fn place_of(position: u32) -> (u16, u32) {
	FILL.place(position).expect("a block of the memory")
}

/// Block `at` of a lane, from those before it.
fn block_from(key: &H256, lane: u16, at: u32, mut get: impl FnMut(u32) -> Rc<Block>) -> Block {
	let Some(previous) = at.checked_sub(1) else { return first_block(&LaneKey::new(key, lane)) };
	let before = get(previous);
	let sources = parents(&before, at).map(get);
	next_block(&LaneKey::new(key, lane), &before, sources.each_ref().map(Rc::as_ref), at, 1)
}

fn filled_lane(key: &H256, lane: u16) -> Vec<Rc<Block>> {
	let blocks = RefCell::new(Vec::<Rc<Block>>::new());
	let get = |at: u32| Ok(Block::clone(&blocks.borrow()[at as usize]));
	let put = |_: u32, block: &Block| {
		blocks.borrow_mut().push(Rc::new(block.clone()));
		Ok(())
	};
	let Ok(()) = fill_lane::<Infallible>(key, &FILL, lane, get, put);
	blocks.into_inner()
}

fn random_block(rng: &mut StdRng) -> Block {
	let mut bytes = [0; BLOCK_LEN];
	rng.fill_bytes(&mut bytes);
	Block::from_bytes(&bytes)
}

/// Memory with the tree of all its blocks, of which some may not be kept.
pub(crate) struct Memory {
	key: H256,
	kept: Vec<Option<Rc<Block>>>,
	tree: Tree,
	compressions: Cell<u64>,
}

impl Memory {
	/// Filled under a key, as it should be.
	pub(crate) fn filled(key: H256) -> Self {
		Self::of(key, (0..FILL.lanes).flat_map(|lane| filled_lane(&key, lane)).collect())
	}

	/// One lane in the place of all.
	pub(super) fn one_lane(key: H256) -> Self {
		Self::of(key, vec![filled_lane(&key, 0); usize::from(FILL.lanes)].concat())
	}

	/// With these blocks made up; what follows is filled from them, as the best cheat does.
	pub(super) fn made_up(key: H256, made_up: &BTreeSet<u32>, rng: &mut StdRng) -> Self {
		let mut blocks = Vec::<Rc<Block>>::new();
		for position in 0..BLOCKS {
			let block = if made_up.contains(&position) {
				random_block(rng)
			} else {
				let (lane, at) = place_of(position);
				block_from(&key, lane, at, |at| blocks[position_of(lane, at) as usize].clone())
			};
			blocks.push(Rc::new(block));
		}
		Self::of(key, blocks)
	}

	fn of(key: H256, blocks: Vec<Rc<Block>>) -> Self {
		let tree = Tree::new(blocks.iter().map(|block| block.to_bytes())).expect("some blocks");
		let kept = blocks.into_iter().map(Some).collect();
		Self { key, kept, tree, compressions: Cell::new(0) }
	}

	/// Without these blocks, which are filled again when they are read.
	pub(super) fn without(mut self, left_out: &BTreeSet<u32>) -> Self {
		for position in left_out {
			self.kept[*position as usize] = None;
		}
		self
	}

	/// Blocks that take one compression each to be filled again: all of their sources are kept.
	pub(super) fn independent(&self) -> BTreeSet<u32> {
		let mut chosen = BTreeSet::new();
		for position in 0..BLOCKS {
			if self.sources(position).iter().all(|source| !chosen.contains(source)) {
				chosen.insert(position);
			}
		}
		chosen
	}

	fn sources(&self, position: u32) -> Vec<u32> {
		let (lane, at) = place_of(position);
		let Some(previous) = at.checked_sub(1) else { return Vec::new() };
		let before = self.block(position_of(lane, previous));
		let sources = once(previous).chain(parents(&before, at));
		sources.map(|at| position_of(lane, at)).collect()
	}

	/// Blocks that are not kept.
	pub(super) fn left_out(&self) -> u32 {
		self.kept.iter().filter(|block| block.is_none()).count() as u32
	}

	/// The root that the device commits to.
	pub(crate) fn root(&self) -> H256 {
		self.tree.root()
	}

	/// A block, kept or filled again. What that takes is forgotten afterwards.
	fn block(&self, position: u32) -> Rc<Block> {
		self.found(position, &mut BTreeMap::new())
	}

	fn found(&self, position: u32, filled: &mut BTreeMap<u32, Rc<Block>>) -> Rc<Block> {
		let kept = self.kept[position as usize].as_ref();
		if let Some(block) = kept.or_else(|| filled.get(&position)) {
			return block.clone();
		}
		let (lane, at) = place_of(position);
		let get = |at| self.found(position_of(lane, at), filled);
		let block = Rc::new(block_from(&self.key, lane, at, get));
		self.compressions.set(self.compressions.get() + 1);
		filled.insert(position, block.clone());
		block
	}

	fn opened(&self, position: u32) -> OpenedBlock {
		let path = self.tree.prove(position).expect("a block of the memory").into_inner();
		let path: BlockPath = path.try_into().expect("a path of the memory");
		OpenedBlock { bytes: self.block(position).to_bytes(), path }
	}

	/// Opens a block with what it was filled from.
	pub(crate) fn open(&self, position: u32) -> FillOpening {
		let opening = open_fill(&FILL, position, |at| Some(self.opened(at)));
		opening.expect("a block of the memory")
	}

	/// Walks under a verifier's key. With a hash that is `made_up` for the first half of each lane, both
	/// halves are walked at once.
	pub(crate) fn walk(&self, task: &ChallengeTask, key: H256, made_up: Option<H256>) -> Walked {
		let compressions = self.compressions.get();
		let middle = if made_up.is_some() { WALK.segments / 2 } else { WALK.segments };
		let lanes: Vec<_> = (0..FILL.lanes)
			.map(|lane| {
				let mut ends = self.walk_part(&key, lane, 0..middle, None);
				ends.extend(self.walk_part(&key, lane, middle..WALK.segments, made_up));
				WalkedLane::new(lane, ends)
			})
			.collect();
		let compressions = self.compressions.get() - compressions;
		let tree = Tree::new(lanes.iter().map(|lane| lane.tree.root().0)).expect("some lanes");
		let walk = Walk::of_task(task, key, self.root(), tree.root()).expect("a task of memory");
		Walked { walk, compressions, lanes, tree }
	}

	/// Some segments of a lane, one after the other. All that is before them is one hash.
	fn walk_part(
		&self,
		key: &H256,
		lane: u16,
		segments: Range<u32>,
		before: Option<H256>,
	) -> Vec<WalkState> {
		let mut frontier = Frontier::default();
		let mut ends = Vec::new();
		for segment in segments {
			let mut lefts = frontier.lefts();
			lefts.extend(before);
			let start = walk_start(key, &self.root(), lane, segment, &lefts);
			let read = |block, line| self.read(block, line);
			let end = walk_segment(start, BLOCKS, WALK.reads, read);
			frontier.push(leaf_hash(&walk_leaf(lane, segment, &end)));
			ends.push(end);
		}
		ends
	}

	fn read(&self, block: u32, line: u32) -> [u8; READ_LEN] {
		line_of(&self.block(block).to_bytes(), line)
	}
}

/// What one lane walked.
struct WalkedLane {
	ends: Vec<WalkState>,
	tree: Tree,
}

impl WalkedLane {
	fn new(lane: u16, ends: Vec<WalkState>) -> Self {
		let leaves = (0u32..).zip(&ends).map(|(segment, end)| walk_leaf(lane, segment, end));
		let tree = Tree::new(leaves).expect("some segments");
		Self { ends, tree }
	}
}

/// A walk, as whoever walked keeps it.
pub(crate) struct Walked {
	/// With the roots that the device committed to.
	pub(crate) walk: Walk,
	/// What it took to fill the blocks again that were read and not kept.
	pub(super) compressions: u64,
	lanes: Vec<WalkedLane>,
	tree: Tree,
}

impl Walked {
	/// Opens a segment.
	pub(crate) fn open(&self, memory: &Memory, lane: u16, segment: u32) -> WalkOpening {
		let WalkedLane { ends, tree } = &self.lanes[usize::from(lane)];
		let path = tree.prove(segment).expect("a segment of the lane").into_inner();
		let lefts = left_siblings(WALK.segments, segment, &path).expect("a path of the lane");
		let start = walk_start(&self.walk.key, &self.walk.memory, lane, segment, &lefts);
		let mut blocks = Vec::new();
		walk_segment(start, BLOCKS, WALK.reads, |block, line| {
			let opened = memory.opened(block);
			let line = line_of(&opened.bytes, line);
			blocks.push(opened);
			line
		});
		let lane_path = self.tree.prove(lane.into()).expect("a lane of the walk").into_inner();
		WalkOpening {
			lane,
			segment,
			end: ends[segment as usize],
			path: path.try_into().expect("a path of the lane"),
			lane_root: tree.root(),
			lane_path: lane_path.try_into().expect("a path of the walk"),
			blocks: blocks.try_into().expect("as many blocks as reads"),
		}
	}
}
