//! Proofs against devices, each as dear as it can be.

use super::{close_with, enrolled, open, prover, signed};
use crate::pallet::*;
use alloc::{boxed::Box, vec::Vec};
use armature_primitives::{
	challenge::{ChallengeTask, GemmChallenge, MemoryChallenge, StorageChallenge, Work},
	RoundId, H256,
};
use armature_verifier::{
	challenge::{
		block::BLOCK_LEN,
		fill::{open_fill, BlockPath, FillSize, OpenedBlock},
		fraud::FraudProof,
		gemm::{self, EntryOpening, GemmTask, OpenedRow},
		memory::sizes,
		storage::{committed_root, SealedOpening, SectorPlace, MAX_SECTORS, MAX_SECTOR_DEPTH},
		task_hash,
	},
	merkle,
};

/// The path to a leaf of a tree of `depth` levels, and its root, where all leaves to the left of the last one
/// are the same: every level has one hash only.
fn same_leaves(leaf: H256, depth: usize) -> (Vec<H256>, H256) {
	let mut levels = alloc::vec![leaf];
	for _ in 0..depth {
		let below = *levels.last().expect("not empty");
		levels.push(merkle::node_hash(&below, &below));
	}
	let root = levels.pop().expect("not empty");
	(levels, root)
}

/// A proof against the device of an ended round whose storage is nothing: with the longest paths, and
/// `compressions` of a block.
pub(super) fn wrong_sector<T: Config>(compressions: u16) -> (T::AccountId, RoundId, FraudProof) {
	let id = open::<T>(0);
	enrolled::<T>(1);
	let round = Rounds::<T>::take(id).expect("it is open");
	let (sectors, blocks) = (MAX_SECTORS, u32::MAX);
	let storage =
		StorageChallenge { sectors, blocks, compressions, commit_millis: 1, read_millis: 1 };
	let task = ChallengeTask { work: Work::Storage(storage), ..round.task };
	let bytes = [5u8; BLOCK_LEN];
	let (path, sector_root) = same_leaves(merkle::leaf_hash(&bytes), 32);
	let path: BlockPath = path.try_into().expect("as deep as a path");
	let leaf = merkle::leaf_hash(sector_root.as_bytes());
	let (sectors, all) = same_leaves(leaf, MAX_SECTOR_DEPTH as usize);
	let fill = FillSize { lanes: 1, blocks, compressions };
	let fill = open_fill(&fill, blocks / 2, |_| Some(OpenedBlock { bytes, path: path.clone() }));
	let salt = H256([6; 32]);
	let sectors = sectors.try_into().expect("as deep as a path");
	let place = SectorPlace { root: sector_root, path: sectors, salt };
	let opening = SealedOpening { sector: 5, fill: fill.expect("inside"), place };
	let root = committed_root(&task_hash(&task), &salt, &all);
	let signed = signed::<T>(&task, &round.key, root);
	close_with::<T>(id, &round, task);
	(prover::<T>(), id, FraudProof::Sealed { signed, opening: Box::new(opening) })
}

/// A proof against the device of an ended round whose memory, all but one block, is nothing: with the
/// longest paths.
pub(super) fn wrong_block<T: Config>() -> (T::AccountId, RoundId, FraudProof) {
	let id = open::<T>(0);
	enrolled::<T>(1);
	let round = Rounds::<T>::take(id).expect("it is open");
	let memory = MemoryChallenge { lanes: 1, blocks: u32::MAX, segments: 1, reads: 1 };
	let task = ChallengeTask { work: Work::Memory(memory), ..round.task };
	let bytes = [5u8; BLOCK_LEN];
	let (path, root) = same_leaves(merkle::leaf_hash(&bytes), 32);
	let path: BlockPath = path.try_into().expect("as deep as a path");
	let (fill, _) = sizes(&memory);
	let opening =
		open_fill(&fill, u32::MAX / 2, |_| Some(OpenedBlock { bytes, path: path.clone() }));
	let signed = signed::<T>(&task, &round.key, root);
	close_with::<T>(id, &round, task);
	let opening = opening.expect("inside");
	(prover::<T>(), id, FraudProof::Block { signed, opening: Box::new(opening) })
}

/// A proof against the device of an ended round whose states are all the same, with rows of `kib` KiB and
/// the longest paths.
pub(super) fn wrong_entry<T: Config>(kib: u32) -> (T::AccountId, RoundId, FraudProof) {
	let id = open::<T>(0);
	enrolled::<T>(1);
	let round = Rounds::<T>::take(id).expect("it is open");
	let side = kib.max(1).saturating_mul(1_024);
	let work = Work::Gemm(GemmChallenge { side, states: gemm::MAX_STEPS });
	let task = ChallengeTask { work, ..round.task };
	let row = alloc::vec![5u8; usize::try_from(side).expect("in memory")];
	let rows = alloc::vec![gemm::row_hash(&row); row.len()];
	let state = merkle::Tree::from_hashes(rows).expect("not empty");
	let states = usize::try_from(gemm::MAX_STEPS).expect("in memory");
	let states = merkle::Tree::new(alloc::vec![state.root().0; states]).expect("not empty");
	let opened = |step: u32, at: u32| OpenedRow {
		row: row.clone().try_into().expect("a row"),
		path: state.prove(at).expect("inside").into_inner().try_into().expect("a path"),
		state_root: state.root(),
		state_path: states
			.prove(step.checked_sub(1).expect("a step"))
			.expect("inside")
			.into_inner()
			.try_into()
			.expect("a path"),
	};
	let products = GemmTask::of_round(&task).expect("of this kind");
	let committed = gemm::committed(&task, states.root());
	let (step, at) = (gemm::MAX_STEPS, 3);
	let key = gemm::choices_key(&products, &committed.nonce, step, Some(&state.root()));
	// Some entry is wrong, and made of a state that was committed to.
	let opening = (0..side)
		.filter_map(|column| {
			let back = gemm::choose(&products.size, &key, column).checked_add(1)?;
			let chosen = step.checked_sub(back).filter(|chosen| *chosen > 0)?;
			let (last, other) = (opened(step.checked_sub(1)?, at), opened(chosen, column));
			let (last, other, result) = (Some(last), Some(other), opened(step, at));
			Some(EntryOpening { step, row: at, column, last, other, result })
		})
		.find(|opening| gemm::check_entry(&products, &[committed], opening).is_err())
		.expect("one of many");
	let signed = signed::<T>(&task, &round.key, states.root());
	close_with::<T>(id, &round, task);
	(prover::<T>(), id, FraudProof::Entry { signed, opening: Box::new(opening) })
}
