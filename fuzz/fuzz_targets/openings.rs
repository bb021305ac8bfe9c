//! Openings of matrix products, filled memory, walks and sealed storage: decoding, and small honest
//! ones with one thing changed. Proofs that memory or storage was filled wrongly.
#![no_main]

#[path = "openings/sealed.rs"]
mod sealed;

use armature_fuzz::{device, Input};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, MemoryChallenge, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{fill_lane, open_fill, FillOpening, FillSize, OpenedBlock},
		fraud::{FraudError, FraudProof, SignedCommit},
		gemm::{check_entry, EntryOpening, GemmProver, GemmRound, GemmSize, GemmTask, Reference},
		memory::{
			check_walk, line_of, memory_key, walk_leaf, walk_segment, walk_start, Walk,
			WalkOpening, WalkSize, WalkState,
		},
	},
	merkle::{leaf_hash, left_siblings, Frontier, Tree},
};
use armature_wire::MAX_DEPTH;
use codec::{Decode, DecodeLimit, Encode};
use libfuzzer_sys::fuzz_target;
use std::{cell::RefCell, convert::Infallible, sync::LazyLock};

const KEY: H256 = H256([5; 32]);
const FILL: FillSize = FillSize { lanes: 2, blocks: 9, compressions: 1 };
const WALK: WalkSize = WalkSize { segments: 3, reads: 2 };
const TASK: ChallengeTask = ChallengeTask {
	round: RoundId(7),
	device: DeviceId(9),
	seed: H256([4; 32]),
	work: Work::Memory(MemoryChallenge {
		lanes: FILL.lanes,
		blocks: FILL.blocks,
		segments: WALK.segments,
		reads: WALK.reads,
	}),
	deadline: 0,
};
const GEMM: GemmTask = GemmTask {
	seed: KEY,
	device: DeviceId(9),
	size: GemmSize { side: 5, window: 2, rounds: 2, steps: 3 },
};

/// The position of the block that is made up in [`FORGED`]: in the second lane, with blocks after
/// it that are filled from it.
const MADE_UP: u32 = 12;

/// What stands there.
const NO_BLOCK: [u8; BLOCK_LEN] = [7; BLOCK_LEN];

/// Filled memory, and a walk over it.
struct Memory {
	blocks: Vec<Block>,
	tree: Tree,
	/// The ends of each lane, with their tree.
	lanes: Vec<(Vec<WalkState>, Tree)>,
	lanes_tree: Tree,
	walk: Walk,
}

impl Memory {
	/// Filled as [`TASK`] says, but for the block at the position `made_up`.
	fn new(made_up: Option<u32>) -> Self {
		let key = memory_key(&TASK.seed, TASK.device, &FILL);
		let mut blocks: Vec<_> =
			(0..FILL.lanes).flat_map(|lane| filled_lane(&key, &FILL, lane)).collect();
		if let Some(position) = made_up {
			blocks[position as usize] = Block::from_bytes(&NO_BLOCK);
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
		let walk = Walk::of_task(&TASK, KEY, memory, ends).expect("a task of memory");
		Self { blocks, tree, lanes, lanes_tree, walk }
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
}

fn filled_lane(key: &H256, size: &FillSize, lane: u16) -> Vec<Block> {
	let filled = RefCell::new(Vec::<Block>::new());
	let get = |at| Ok::<_, Infallible>(filled.borrow()[at as usize].clone());
	let put = |_, block: &Block| {
		filled.borrow_mut().push(block.clone());
		Ok(())
	};
	let Ok(()) = fill_lane(key, size, lane, get, put);
	filled.into_inner()
}

static MEMORY: LazyLock<Memory> = LazyLock::new(|| Memory::new(None));

/// The same with one block made up.
static FORGED: LazyLock<Memory> = LazyLock::new(|| Memory::new(Some(MADE_UP)));

/// What the device signed in the round of [`TASK`] for each.
static SIGNED: LazyLock<[SignedCommit; 2]> =
	LazyLock::new(|| [&MEMORY, &FORGED].map(|memory| device::sign(&TASK, memory.tree.root())));

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

fn is_filled(opening: &FillOpening) -> bool {
	let position = FILL.position(opening.lane, opening.at);
	position.is_some_and(|position| MEMORY.filled(position) == *opening)
}

fn check_block(signed: &SignedCommit, opening: &FillOpening) -> Result<(), FraudError> {
	let (signed, opening) = (signed.clone(), Box::new(opening.clone()));
	device::check_proof(&TASK, &FraudProof::Block { signed, opening })
}

/// Bytes as a proof of fraud, which has one encoding. Nobody but the device could have signed it as it
/// is.
fn proof_of(input: &mut Input<'_>, task: &ChallengeTask) -> Option<FraudProof> {
	let bytes = input.take(usize::MAX);
	let proof = FraudProof::decode_all_with_depth_limit(MAX_DEPTH, &mut &*bytes).ok()?;
	assert_eq!(bytes, proof.encode(), "two encodings of one proof");
	let forged = device::forged_error(task, &proof);
	assert_eq!(device::check_proof(task, &proof), Err(forged), "{proof:?}");
	Some(proof)
}

/// Bytes as a proof: under the device's signature of honestly filled memory no block is a fraud, and
/// under that of another root only a wrong one. What is no fraud ends in the error that says why.
fn judge_proof(input: &mut Input<'_>) {
	let Some(proof) = proof_of(input, &TASK) else { return };
	let [honest, _] = &*SIGNED;
	match proof {
		FraudProof::Block { signed, opening } => {
			let right = is_filled(&opening);
			let expected = if right { FraudError::RightResult } else { FraudError::BadOpening };
			assert_eq!(check_block(honest, &opening), Err(expected));
			let root = signed.commit.root;
			let expected = match (Walk { memory: root, ..MEMORY.walk }).check_fill(&opening) {
				Ok(()) => Err(FraudError::RightResult),
				Err(ChallengeFailure::WrongResult) => Ok(()),
				Err(_) => Err(FraudError::BadOpening),
			};
			assert_eq!(check_block(&device::sign(&TASK, root), &opening), expected);
		},
		// The task is one of memory.
		FraudProof::Segment { .. } | FraudProof::Entry { .. } | FraudProof::Sealed { .. } => {
			device::judge_other(&TASK, honest, proof);
		},
		// Two roots are two roots, whatever the work.
		FraudProof::Equivocation { first, second } => {
			let [first, second] =
				[first, second].map(|signed| device::sign(&TASK, signed.commit.root));
			let is_one = first == second;
			let expected = if is_one { Err(FraudError::SameRoot) } else { Ok(()) };
			let proof = FraudProof::Equivocation { first, second };
			assert_eq!(device::check_proof(&TASK, &proof), expected);
		},
	}
}

/// A block of memory with one block made up: that one is wrong, and so is every one that would be
/// filled from it. One changed bit, and it is no proof of the round any more.
fn judge_forged(input: &mut Input<'_>, position: u32) {
	let opening = FORGED.filled(position);
	let [honest, forged] = &*SIGNED;
	let is_made_up = |block: &OpenedBlock| block.bytes == NO_BLOCK;
	let is_wrong = is_made_up(&opening.block) || opening.sources.iter().any(is_made_up);
	let expected = if is_wrong { Ok(()) } else { Err(FraudError::RightResult) };
	assert_eq!(check_block(forged, &opening), expected);
	assert_eq!(check_block(honest, &opening), Err(FraudError::BadOpening));
	let proof = FraudProof::Block { signed: forged.clone(), opening: Box::new(opening) };
	judge_changed(input, &TASK, forged, &proof);
}

/// A proof under what the device has `signed`, with one bit changed.
fn judge_changed(
	input: &mut Input<'_>,
	task: &ChallengeTask,
	signed: &SignedCommit,
	proof: &FraudProof,
) {
	let mut bytes = proof.encode();
	let at = u32::from_le_bytes(input.array()) as usize % bytes.len();
	bytes[at] ^= 1 << (input.u8() % 8);
	if let Ok(changed) = FraudProof::decode_all_with_depth_limit(MAX_DEPTH, &mut bytes.as_slice()) {
		let expected = device::changed_error(task, signed, changed.clone());
		assert_eq!(device::check_proof(task, &changed), Err(expected));
	}
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let (memory, (rounds, entries)) = (&*MEMORY, &*PRODUCT);
	let (kind, at) = (input.u8(), u32::from(input.u8()));
	match kind % 7 {
		0 => {
			let honest = entries[at as usize % entries.len()].clone();
			// Rows of an entry say nothing of the other entries of their row: bytes that pass are right.
			let of_entry = |opening: &EntryOpening| entries.contains(opening);
			judge(&mut input, honest, of_entry, |opening| check_entry(&GEMM, rounds, opening));
		},
		1 => {
			let count = memory.blocks.len() as u32;
			judge(&mut input, memory.filled(at % count), is_filled, |opening| {
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
		3 => sealed::judge_read(&mut input, at),
		4 => sealed::judge_sealed(&mut input, at),
		5 => sealed::judge_proofs(&mut input, at),
		_ => {
			let at = at % memory.blocks.len() as u32;
			let [honest, _] = &*SIGNED;
			assert_eq!(check_block(honest, &memory.filled(at)), Err(FraudError::RightResult));
			if input.u8() % 2 == 0 {
				judge_proof(&mut input);
			} else {
				judge_forged(&mut input, at);
			}
		},
	}
});
