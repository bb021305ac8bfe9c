//! Sealed storage of which blocks are made up.

use crate::{
	block::{filled, opened, right, tree_of},
	changes::Changes,
	judge::Round,
	task, STORAGE,
};
use armature_fuzz::device::GENESIS;
use armature_primitives::{
	challenge::{ChallengeTask, Work},
	H256,
};
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{open_fill, FillSize, LaneKey},
		fraud::{FraudProof, SignedCommit},
		storage::{committed_root, sector_key, SealedOpening, SectorPlace},
		task_hash,
	},
	merkle::Tree,
};

const TASK: ChallengeTask = task(Work::Storage(STORAGE));
const SECTOR: FillSize =
	FillSize { lanes: 1, blocks: STORAGE.blocks, compressions: STORAGE.compressions };

/// The blocks of a sector.
struct Sector {
	key: LaneKey,
	blocks: Vec<Block>,
	tree: Tree,
}

/// All sectors of the device.
pub(crate) struct Sectors {
	sectors: Vec<Sector>,
	tree: Tree,
	salt: H256,
}

impl Sectors {
	/// Sealed with these changes, and committed to with a salt.
	pub(crate) fn new(changes: &Changes, salt: H256) -> Self {
		let of_sector = BLOCK_LEN * SECTOR.blocks as usize;
		let sector = |number: u32| {
			let key = LaneKey::new(&sector_key(&GENESIS, TASK.device, number), 0);
			let all = of_sector * STORAGE.sectors as usize;
			let blocks = filled(&key, &SECTOR, changes, of_sector * number as usize, all);
			let tree = tree_of(&blocks);
			Sector { key, blocks, tree }
		};
		let sectors: Vec<_> = (0..STORAGE.sectors).map(sector).collect();
		let roots = sectors.iter().map(|sector| sector.tree.root().0);
		let tree = Tree::new(roots).expect("not empty");
		Self { sectors, tree, salt }
	}
}

impl Round for Sectors {
	type Place = (u32, u32);
	type Opening = SealedOpening;

	const LEN: u32 = BLOCK_LEN as u32;
	const COUNT: u32 = STORAGE.sectors * STORAGE.blocks;

	fn task(&self) -> ChallengeTask {
		TASK
	}

	fn root(&self) -> H256 {
		committed_root(&task_hash(&TASK), &self.salt, &self.tree.root())
	}

	fn place(&self, number: u32) -> (u32, u32) {
		(number / STORAGE.blocks, number % STORAGE.blocks)
	}

	fn place_of(&self, opening: &SealedOpening) -> Option<(u32, u32)> {
		let (sector, at) = (opening.sector, opening.fill.at);
		(sector < STORAGE.sectors && at < STORAGE.blocks).then_some((sector, at))
	}

	fn open(&self, (number, at): (u32, u32)) -> SealedOpening {
		let Sector { blocks, tree, .. } = &self.sectors[number as usize];
		let block = |at| Some(opened(blocks.get(at as usize)?, tree, at));
		let path = self.tree.prove(number).expect("inside").into_inner();
		let place = SectorPlace {
			root: tree.root(),
			path: path.try_into().expect("in bounds"),
			salt: self.salt,
		};
		SealedOpening {
			sector: number,
			fill: open_fill(&SECTOR, at, block).expect("inside"),
			place,
		}
	}

	fn is_wrong(&self, (number, at): (u32, u32)) -> bool {
		let Sector { key, blocks, .. } = &self.sectors[number as usize];
		right(key, blocks, at, SECTOR.compressions) != blocks[at as usize]
	}

	fn proof(signed: SignedCommit, opening: SealedOpening) -> FraudProof {
		FraudProof::Sealed { signed, opening: Box::new(opening) }
	}
}
