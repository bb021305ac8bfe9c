//! Openings of matrix products, filled memory, walks and sealed storage: decoding, and small honest
//! ones with one thing changed.
#![no_main]

use armature_fuzz::Input;
use armature_primitives::{challenge::ChallengeFailure, DeviceId, H256};
use armature_verifier::{
	challenge::{
		block::Block,
		fill::{fill_lane, open_fill, FillOpening, FillSize, OpenedBlock},
		gemm::{
			check_entry, EntryOpening, GemmProver, GemmRound, GemmSize, GemmTask, Reference,
		},
		memory::{
			check_walk, line_of, walk_leaf, walk_segment, walk_start, Walk, WalkOpening, WalkSize,
			WalkState,
		},
		storage::{check_stored, SealedStorage, StoredBlock},
	},
	merkle::{leaf_hash, left_siblings, Frontier, Tree},
};
use codec::{Decode, Encode};
use libfuzzer_sys::fuzz_target;
use std::{cell::RefCell, convert::Infallible, sync::LazyLock};

const KEY: H256 = H256([5; 32]);
const FILL: FillSize = FillSize { lanes: 2, blocks: 9 };
const WALK: WalkSize = WalkSize { segments: 3, reads: 2 };
const GEMM: GemmTask = GemmTask {
	seed: KEY,
	device: DeviceId(9),
	size: GemmSize { side: 5, window: 2, rounds: 2, steps: 3 },
};

/// Filled memory, a walk over it, and the same as a sealed sector beside another root.
struct Memory {
	blocks: Vec<Block>,
	tree: Tree,
	/// The ends of each lane, with their tree.
	lanes: Vec<(Vec<WalkState>, Tree)>,
	lanes_tree: Tree,
	walk: Walk,
	sectors: Tree,
	storage: SealedStorage,
}

impl Memory {
	fn new() -> Self {
		let mut blocks = Vec::new();
		for lane in 0..FILL.lanes {
			let filled = RefCell::new(Vec::<Block>::new());
			let get = |at| Ok::<_, Infallible>(filled.borrow()[at as usize].clone());
			let put = |_, block: &Block| {
				filled.borrow_mut().push(block.clone());
				Ok(())
			};
			let Ok(()) = fill_lane(&KEY, &FILL, lane, get, put);
			blocks.extend(filled.into_inner());
		}
		let tree = Tree::new(blocks.iter().map(Block::to_bytes)).expect("not empty");
		let count = FILL.count().expect("in bounds");
		let mut lanes = Vec::new();
		for lane in 0..FILL.lanes {
			let mut frontier = Frontier::default();
			let (mut ends, mut hashes) = (Vec::new(), Vec::new());
			for segment in 0..WALK.segments {
				let start = walk_start(&KEY, &tree.root(), lane, segment, &frontier.lefts());
				let end = walk_segment(start, count, WALK.reads, |block, line| {
					line_of(&blocks[block as usize].to_bytes(), line)
				});
				let hash = leaf_hash(&walk_leaf(lane, segment, &end));
				frontier.push(hash);
				hashes.push(hash);
				ends.push(end);
			}
			lanes.push((ends, Tree::from_hashes(hashes).expect("not empty")));
		}
		let roots = lanes.iter().map(|(_, tree)| tree.root().0);
		let lanes_tree = Tree::new(roots).expect("not empty");
		let (memory, ends) = (tree.root(), lanes_tree.root());
		let walk = Walk { fill: FILL, size: WALK, fill_key: KEY, key: KEY, memory, ends };
		let sectors = Tree::new([KEY.0, memory.0]).expect("not empty");
		let storage = SealedStorage { sectors: 2, blocks: count, root: sectors.root() };
		Self { blocks, tree, lanes, lanes_tree, walk, sectors, storage }
	}

	fn opened(&self, position: u32) -> Option<OpenedBlock> {
		let path = self.tree.prove(position)?.into_inner().try_into().ok()?;
		Some(OpenedBlock { bytes: self.blocks[position as usize].to_bytes(), path })
	}

	fn filled(&self, position: u32) -> FillOpening {
		open_fill(&FILL, position, |position| self.opened(position)).expect("inside")
	}

	fn walked(&self, lane: u16, segment: u32) -> WalkOpening {
		let (ends, tree) = &self.lanes[usize::from(lane)];
		let path = tree.prove(segment).expect("inside").into_inner();
		let lefts = left_siblings(WALK.segments, segment, &path).expect("of this length");
		let start = walk_start(&KEY, &self.tree.root(), lane, segment, &lefts);
		let mut blocks = Vec::new();
		walk_segment(start, self.blocks.len() as u32, WALK.reads, |block, line| {
			blocks.push(self.opened(block).expect("inside"));
			line_of(&self.blocks[block as usize].to_bytes(), line)
		});
		let lane_path = self.lanes_tree.prove(lane.into()).expect("inside").into_inner();
		WalkOpening {
			lane,
			segment,
			end: ends[segment as usize],
			path: path.try_into().expect("in bounds"),
			lane_root: tree.root(),
			lane_path: lane_path.try_into().expect("in bounds"),
			blocks: blocks.try_into().expect("in bounds"),
		}
	}

	fn stored(&self, at: u32) -> StoredBlock {
		let OpenedBlock { bytes, path } = self.opened(at).expect("inside");
		let sector_path = self.sectors.prove(1).expect("inside").into_inner();
		StoredBlock {
			sector: 1,
			at,
			bytes,
			path,
			sector_root: self.tree.root(),
			sector_path: sector_path.try_into().expect("in bounds"),
		}
	}
}

static MEMORY: LazyLock<Memory> = LazyLock::new(Memory::new);

/// Rounds of a product, and the openings of the last one.
static PRODUCT: LazyLock<(Vec<GemmRound>, Vec<EntryOpening>)> = LazyLock::new(|| {
	let mut prover = GemmProver::begin(GEMM, Reference::default()).expect("in bounds");
	let mut rounds = Vec::new();
	for nonce in 0..2 {
		let nonce = H256([nonce; 32]);
		rounds.push(GemmRound { nonce, root: prover.round(nonce).expect("computed") });
	}
	let side = GEMM.size.side;
	let entries = (4..=6).flat_map(|step| (0..side * side).map(move |at| (step, at)));
	let open = |(step, at): (u32, u32)| prover.open(step, at / side, at % side).expect("kept");
	let openings = entries.map(open).collect();
	(rounds, openings)
});

/// Bytes as an opening, which has one encoding, and passes only where it is an honest one; then an
/// honest one with a bit changed.
fn judge<O: Encode + Decode + PartialEq>(
	input: &mut Input<'_>,
	honest: O,
	is_honest: impl Fn(&O) -> bool,
	check: impl Fn(&O) -> Result<(), ChallengeFailure>,
) {
	assert_eq!(check(&honest), Ok(()));
	if input.u8() % 2 == 0 {
		let rest = input.take(usize::MAX);
		let Ok(opening) = O::decode(&mut &*rest) else { return };
		assert!(rest.starts_with(&opening.encode()), "two encodings of one opening");
		assert_eq!(check(&opening).is_ok(), is_honest(&opening));
	} else {
		let mut bytes = honest.encode();
		let at = u32::from_le_bytes(input.array()) as usize % bytes.len();
		bytes[at] ^= 1 << (input.u8() % 8);
		if let Ok(changed) = O::decode(&mut bytes.as_slice()) {
			assert_eq!(check(&changed).is_ok(), is_honest(&changed));
		}
	}
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let (memory, (rounds, entries)) = (&*MEMORY, &*PRODUCT);
	let (kind, at) = (input.u8(), u32::from(input.u8()));
	match kind % 4 {
		0 => {
			let honest = entries[at as usize % entries.len()].clone();
			// Rows of an entry say nothing of the other entries of their row: bytes that pass are right.
			let of_entry = |opening: &EntryOpening| entries.contains(opening);
			judge(&mut input, honest, of_entry, |opening| check_entry(&GEMM, rounds, opening));
		},
		1 => {
			let count = memory.blocks.len() as u32;
			let is_honest = |opening: &FillOpening| {
				FILL.position(opening.lane, opening.at)
					.is_some_and(|position| memory.filled(position) == *opening)
			};
			judge(&mut input, memory.filled(at % count), is_honest, |opening| {
				memory.walk.check_fill(opening)
			});
		},
		2 => {
			let (lane, segment) = ((at % 2) as u16, at / 2 % WALK.segments);
			let is_honest = |opening: &WalkOpening| {
				let WalkOpening { lane, segment, .. } = *opening;
				let inside = lane < FILL.lanes && segment < WALK.segments;
				inside && memory.walked(lane, segment) == *opening
			};
			judge(&mut input, memory.walked(lane, segment), is_honest, |opening| {
				check_walk(&memory.walk, opening)
			});
		},
		_ => {
			let at = at % memory.blocks.len() as u32;
			let is_honest = |opening: &StoredBlock| *opening == memory.stored(at);
			judge(&mut input, memory.stored(at), is_honest, |opening| {
				check_stored(&memory.storage, (1, at), opening)
			});
		},
	}
});
