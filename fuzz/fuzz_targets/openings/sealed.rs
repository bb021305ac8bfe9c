//! Sealed storage: blocks that are read, blocks that are filled again, and proofs that one is wrong.

use crate::{filled_lane, judge, judge_changed, proof_of, NO_BLOCK};
use armature_fuzz::{device, Input};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, StorageChallenge, Work},
	H256,
};
use armature_verifier::{
	challenge::{
		block::Block,
		fill::{open_fill, FillSize, OpenedBlock},
		fraud::{FraudError, FraudProof, SignedCommit},
		storage::{
			check_sealed, check_stored, committed_root, sector_key, SealedOpening, SealedStorage,
			SectorPlace, StoredBlock,
		},
		task_hash,
	},
	merkle::Tree,
};
use std::sync::LazyLock;

/// No trees of a power of two.
const STORAGE: StorageChallenge =
	StorageChallenge { sectors: 3, blocks: 9, compressions: 2, commit_millis: 1, read_millis: 1 };
const SECTOR: FillSize =
	FillSize { lanes: 1, blocks: STORAGE.blocks, compressions: STORAGE.compressions };
const TASK: ChallengeTask = ChallengeTask { work: Work::Storage(STORAGE), ..crate::TASK };
const SALT: H256 = H256([6; 32]);

/// The block that is made up in [`FORGED`]: of the second sector, with blocks after it that are filled
/// from it.
const MADE_UP: (u32, u32) = (1, 4);

/// The blocks of a sector, and their tree.
struct Sector {
	blocks: Vec<Block>,
	tree: Tree,
}

/// All sectors of the device.
struct Sealed {
	sectors: Vec<Sector>,
	tree: Tree,
	storage: SealedStorage,
}

impl Sealed {
	/// Sealed as they should be, but for one block.
	fn new(made_up: Option<(u32, u32)>) -> Self {
		let sector = |number| {
			let key = sector_key(&device::GENESIS, TASK.device, number);
			let mut blocks = filled_lane(&key, &SECTOR, 0);
			if let Some((_, at)) = made_up.filter(|(sector, _)| *sector == number) {
				blocks[at as usize] = Block::from_bytes(&NO_BLOCK);
			}
			let tree = Tree::new(blocks.iter().map(Block::to_bytes)).expect("not empty");
			Sector { blocks, tree }
		};
		let sectors: Vec<_> = (0..STORAGE.sectors).map(sector).collect();
		let roots = sectors.iter().map(|sector| sector.tree.root().0);
		let tree = Tree::new(roots).expect("not empty");
		let root = committed_root(&task_hash(&TASK), &SALT, &tree.root());
		let storage = SealedStorage::of_round(&TASK, root).expect("a task of storage");
		Self { sectors, tree, storage }
	}

	fn opened(&self, sector: u32, at: u32) -> Option<OpenedBlock> {
		let Sector { blocks, tree } = &self.sectors[sector as usize];
		let path = tree.prove(at)?.into_inner().try_into().ok()?;
		Some(OpenedBlock { bytes: blocks[at as usize].to_bytes(), path })
	}

	fn place(&self, sector: u32) -> SectorPlace {
		let path = self.tree.prove(sector).expect("inside").into_inner();
		SectorPlace {
			root: self.sectors[sector as usize].tree.root(),
			path: path.try_into().expect("in bounds"),
			salt: SALT,
		}
	}

	fn read(&self, (sector, at): (u32, u32)) -> StoredBlock {
		let OpenedBlock { bytes, path } = self.opened(sector, at).expect("inside");
		StoredBlock { sector, at, bytes, path, place: self.place(sector) }
	}

	fn sealed(&self, (sector, at): (u32, u32)) -> SealedOpening {
		let fill = open_fill(&SECTOR, at, |at| self.opened(sector, at)).expect("inside");
		SealedOpening { sector, fill, place: self.place(sector) }
	}
}

static HONEST: LazyLock<Sealed> = LazyLock::new(|| Sealed::new(None));

/// The same with one block made up.
static FORGED: LazyLock<Sealed> = LazyLock::new(|| Sealed::new(Some(MADE_UP)));

/// What the device signed in the round of [`TASK`] for each.
static SIGNED: LazyLock<[SignedCommit; 2]> =
	LazyLock::new(|| [&HONEST, &FORGED].map(|sealed| device::sign(&TASK, sealed.storage.root)));

fn place_of(at: u32) -> (u32, u32) {
	(at / STORAGE.blocks % STORAGE.sectors, at % STORAGE.blocks)
}

/// A block that is read: of another place it is malformed, and else not under the root.
pub(crate) fn judge_read(input: &mut Input<'_>, at: u32) {
	let wanted = place_of(at);
	let is_honest = |opening: &StoredBlock| *opening == HONEST.read(wanted);
	judge(input, HONEST.read(wanted), is_honest, |opening| {
		let outcome = check_stored(&HONEST.storage, wanted, opening);
		let is_other = (opening.sector, opening.at) != wanted;
		assert_eq!(outcome == Err(ChallengeFailure::Malformed), is_other);
		assert_ne!(outcome, Err(ChallengeFailure::WrongResult), "nothing was filled");
		outcome
	});
}

/// A block that is filled again: under the root of sealed sectors none is wrong.
pub(crate) fn judge_sealed(input: &mut Input<'_>, at: u32) {
	let wanted = place_of(at);
	let is_honest = |opening: &SealedOpening| *opening == HONEST.sealed(wanted);
	judge(input, HONEST.sealed(wanted), is_honest, |opening| {
		let outcome = check(&HONEST.storage, wanted, opening);
		assert_ne!(outcome, Err(ChallengeFailure::WrongResult), "an honest device did it");
		outcome
	});
}

fn check(
	storage: &SealedStorage,
	wanted: (u32, u32),
	opening: &SealedOpening,
) -> Result<(), ChallengeFailure> {
	check_sealed(&device::GENESIS, TASK.device, storage, wanted, opening)
}

fn check_proof(signed: &SignedCommit, opening: &SealedOpening) -> Result<(), FraudError> {
	let (signed, opening) = (signed.clone(), Box::new(opening.clone()));
	device::check_proof(&TASK, &FraudProof::Sealed { signed, opening })
}

/// Proofs that a block of storage is wrong: bytes, or one that is right but for a bit.
pub(crate) fn judge_proofs(input: &mut Input<'_>, at: u32) {
	let wanted = place_of(at);
	let [honest, _] = &*SIGNED;
	assert_eq!(check_proof(honest, &HONEST.sealed(wanted)), Err(FraudError::RightResult));
	if input.u8() % 2 == 0 {
		judge_proof(input);
	} else {
		judge_forged(input, wanted);
	}
}

/// Bytes as a proof in a round of storage, as those in one of memory.
fn judge_proof(input: &mut Input<'_>) {
	let Some(proof) = proof_of(input, &TASK) else { return };
	let [honest, _] = &*SIGNED;
	match proof {
		FraudProof::Sealed { signed, opening } => {
			let wanted = (opening.sector, opening.fill.at);
			let is_inside = wanted.0 < STORAGE.sectors && wanted.1 < STORAGE.blocks;
			let right = is_inside && HONEST.sealed(wanted) == *opening;
			let expected = if right { FraudError::RightResult } else { FraudError::BadOpening };
			assert_eq!(check_proof(honest, &opening), Err(expected));
			let root = signed.commit.root;
			let storage = SealedStorage { root, ..HONEST.storage };
			let expected = match check(&storage, wanted, &opening) {
				Ok(()) => Err(FraudError::RightResult),
				Err(ChallengeFailure::WrongResult) => Ok(()),
				Err(_) => Err(FraudError::BadOpening),
			};
			assert_eq!(check_proof(&device::sign(&TASK, root), &opening), expected);
		},
		FraudProof::Segment { .. } | FraudProof::Block { .. } | FraudProof::Entry { .. } => {
			device::judge_other(&TASK, honest, proof);
		},
		// Two roots are two roots, whatever the work.
		FraudProof::Equivocation { .. } => {},
	}
}

/// A block of storage with one made up: that one is wrong, and so is every one that would be filled from
/// it. One changed bit, and it is no proof of the round any more.
fn judge_forged(input: &mut Input<'_>, wanted: (u32, u32)) {
	let opening = FORGED.sealed(wanted);
	let [honest, forged] = &*SIGNED;
	let is_made_up = |block: &OpenedBlock| block.bytes == NO_BLOCK;
	let is_wrong = is_made_up(&opening.fill.block) || opening.fill.sources.iter().any(is_made_up);
	let expected = if is_wrong { Ok(()) } else { Err(FraudError::RightResult) };
	assert_eq!(check_proof(forged, &opening), expected);
	assert_eq!(check_proof(honest, &opening), Err(FraudError::BadOpening));
	let proof = FraudProof::Sealed { signed: forged.clone(), opening: Box::new(opening) };
	judge_changed(input, &TASK, forged, &proof);
}
