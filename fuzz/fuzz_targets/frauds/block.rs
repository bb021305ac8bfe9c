//! Filled memory of which blocks are made up.

use crate::{changes::Changes, judge::Round, task, MEMORY};
use armature_primitives::{
	challenge::{ChallengeTask, Work},
	H256,
};
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{
			first_block, next_block, open_fill, parents, FillOpening, FillSize, LaneKey,
			OpenedBlock,
		},
		fraud::{FraudProof, SignedCommit},
		memory::memory_key,
	},
	merkle::Tree,
};

const TASK: ChallengeTask = task(Work::Memory(MEMORY));
const FILL: FillSize = FillSize { lanes: MEMORY.lanes, blocks: MEMORY.blocks, compressions: 1 };

/// Block `at` of a lane with these blocks.
pub(crate) fn right(key: &LaneKey, blocks: &[Block], at: u32, compressions: u16) -> Block {
	let Some(previous) = at.checked_sub(1) else { return first_block(key) };
	let before = &blocks[previous as usize];
	let sources = parents(before, at).map(|parent| &blocks[parent as usize]);
	next_block(key, before, sources, at, compressions)
}

/// A lane filled with changes: a part of all bytes, from `from` on.
pub(crate) fn filled(
	key: &LaneKey,
	size: &FillSize,
	changes: &Changes,
	from: usize,
	all: usize,
) -> Vec<Block> {
	let (mut honest, mut blocks) = (Vec::new(), Vec::new());
	for at in 0..size.blocks {
		let sources = if changes.carries_on { &blocks } else { &honest };
		let block = right(key, sources, at, size.compressions);
		let mut bytes = block.to_bytes();
		changes.apply(&mut bytes, from + BLOCK_LEN * at as usize, all);
		honest.push(block);
		blocks.push(Block::from_bytes(&bytes));
	}
	blocks
}

/// The tree of these blocks.
pub(crate) fn tree_of<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Tree {
	Tree::new(blocks.into_iter().map(Block::to_bytes)).expect("not empty")
}

/// A block and its path.
pub(crate) fn opened(block: &Block, tree: &Tree, at: u32) -> OpenedBlock {
	let path = tree.prove(at).expect("inside").into_inner();
	OpenedBlock { bytes: block.to_bytes(), path: path.try_into().expect("in bounds") }
}

/// The blocks of all lanes.
pub(crate) struct Filled {
	lanes: Vec<(LaneKey, Vec<Block>)>,
	tree: Tree,
}

impl Filled {
	/// Filled with these changes.
	pub(crate) fn new(changes: &Changes) -> Self {
		let key = memory_key(&TASK.seed, TASK.device, &FILL);
		let of_lane = BLOCK_LEN * FILL.blocks as usize;
		let lane = |lane| {
			let key = LaneKey::new(&key, lane);
			let all = of_lane * usize::from(FILL.lanes);
			(key, filled(&key, &FILL, changes, of_lane * usize::from(lane), all))
		};
		let lanes: Vec<_> = (0..FILL.lanes).map(lane).collect();
		let tree = tree_of(lanes.iter().flat_map(|(_, blocks)| blocks));
		Self { lanes, tree }
	}

	fn opened(&self, position: u32) -> Option<OpenedBlock> {
		let (lane, at) = FILL.place(position)?;
		let (_, blocks) = &self.lanes[usize::from(lane)];
		Some(opened(&blocks[at as usize], &self.tree, position))
	}
}

impl Round for Filled {
	type Place = (u16, u32);
	type Opening = FillOpening;

	const LEN: u32 = BLOCK_LEN as u32;
	const COUNT: u32 = FILL.lanes as u32 * FILL.blocks;

	fn task(&self) -> ChallengeTask {
		TASK
	}

	fn root(&self) -> H256 {
		self.tree.root()
	}

	fn place(&self, number: u32) -> (u16, u32) {
		((number / FILL.blocks) as u16, number % FILL.blocks)
	}

	fn place_of(&self, opening: &FillOpening) -> Option<(u16, u32)> {
		let FillOpening { lane, at, .. } = *opening;
		FILL.position(lane, at).map(|_| (lane, at))
	}

	fn open(&self, (lane, at): (u16, u32)) -> FillOpening {
		let position = FILL.position(lane, at).expect("inside");
		open_fill(&FILL, position, |position| self.opened(position)).expect("inside")
	}

	fn is_wrong(&self, (lane, at): (u16, u32)) -> bool {
		let (key, blocks) = &self.lanes[usize::from(lane)];
		right(key, blocks, at, FILL.compressions) != blocks[at as usize]
	}

	fn proof(signed: SignedCommit, opening: FillOpening) -> FraudProof {
		FraudProof::Block { signed, opening: Box::new(opening) }
	}
}
