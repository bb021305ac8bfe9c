//! Proofs that a device answered a round with what no honest device sends.

use super::{
	check_opening,
	fill::{check_fill, FillOpening},
	gemm::{check_entry, committed, EntryOpening, GemmTask},
	memory::{memory_key, sizes},
	storage::{check_sealed, SealedOpening, SealedStorage},
	task_hash, SegmentOpening,
};
use crate::signature::verify_device;
use alloc::boxed::Box;
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeFailure, ChallengeTask},
	ed25519::{Public, Signature},
	signing::Domain,
	H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What a device committed to in a round, with its signature.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SignedCommit {
	/// What it committed to.
	pub commit: ChallengeCommit,
	/// The device's, under [`Domain::ChallengeCommit`].
	pub signature: Signature,
}

/// A proof against a device, at most 17.2 kB, or 101 kB of an entry; every bound is enforced while decoding.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum FraudProof {
	/// A segment under the committed root is wrong.
	#[codec(index = 0)]
	Segment {
		/// What the device committed to.
		signed: SignedCommit,
		/// The segment.
		opening: SegmentOpening,
	},
	/// The device committed to two different roots in one round.
	#[codec(index = 1)]
	Equivocation {
		/// One commitment.
		first: SignedCommit,
		/// Another one.
		second: SignedCommit,
	},
	/// A block of memory under the committed root is not filled as it should be.
	#[codec(index = 2)]
	Block {
		/// What the device committed to.
		signed: SignedCommit,
		/// The block.
		opening: Box<FillOpening>,
	},
	/// An entry of a state under the committed root is not the product that it should be.
	#[codec(index = 3)]
	Entry {
		/// What the device committed to.
		signed: SignedCommit,
		/// The entry.
		opening: Box<EntryOpening>,
	},
	/// A block of sealed storage under the committed root is not filled as it should be.
	#[codec(index = 4)]
	Sealed {
		/// What the device committed to.
		signed: SignedCommit,
		/// The block.
		opening: Box<SealedOpening>,
	},
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FraudError {
	/// A commitment is for another task.
	OtherTask,
	/// A commitment's signature is not the device's.
	BadSignature,
	/// Both commitments have the same root.
	SameRoot,
	/// The opening is not under the committed root, or of nothing that the task asks for.
	BadOpening,
	/// The segment was re-run, the block filled or the entry computed again, and is right.
	RightResult,
}

/// Whether `proof` shows a fraud of the device with this `key` in the round of `task`. Costs at most
/// two signature checks, or one and the re-run of a segment, a block's compressions, or the hashes and the
/// product of three rows.
///
/// # Errors
///
/// See [`FraudError`]; only [`FraudError::RightResult`] costs a re-run.
pub fn check_fraud(
	genesis: &H256,
	task: &ChallengeTask,
	key: &Public,
	proof: &FraudProof,
) -> Result<(), FraudError> {
	let expected = task_hash(task);
	let check = |signed: &SignedCommit| {
		let SignedCommit { commit, signature } = signed;
		if commit.task != expected {
			return Err(FraudError::OtherTask);
		}
		let domain = Domain::ChallengeCommit;
		if verify_device(domain, genesis, task.device, commit, key, signature) {
			Ok(commit.root)
		} else {
			Err(FraudError::BadSignature)
		}
	};
	let is_wrong = |checked| match checked {
		Err(ChallengeFailure::WrongResult) => Ok(()),
		Err(_) => Err(FraudError::BadOpening),
		Ok(()) => Err(FraudError::RightResult),
	};
	match proof {
		FraudProof::Segment { signed, opening } => {
			is_wrong(check_opening(task, check(signed)?, opening))
		},
		FraudProof::Block { signed, opening } => {
			let root = check(signed)?;
			let (fill, _) = sizes(task.memory().ok_or(FraudError::BadOpening)?);
			let key = memory_key(&task.seed, task.device, &fill);
			is_wrong(check_fill(&key, &fill, &root, opening))
		},
		FraudProof::Entry { signed, opening } => {
			let root = check(signed)?;
			let products = GemmTask::of_round(task).ok_or(FraudError::BadOpening)?;
			is_wrong(check_entry(&products, &[committed(task, root)], opening))
		},
		FraudProof::Sealed { signed, opening } => {
			let root = check(signed)?;
			let storage = SealedStorage::of_round(task, root).ok_or(FraudError::BadOpening)?;
			let wanted = (opening.sector, opening.fill.at);
			is_wrong(check_sealed(genesis, task.device, &storage, wanted, opening))
		},
		FraudProof::Equivocation { first, second } => {
			if first.commit.root == second.commit.root {
				return Err(FraudError::SameRoot);
			}
			check(first)?;
			check(second).map(|_| ())
		},
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		challenge::{
			block::{Block, BLOCK_LEN},
			fill::{fill_lane, open_fill, FillSize, OpenedBlock},
			gemm::{round_nonce, Backend, GemmProver, HostStates},
			run_lane,
			storage::{committed_root, sector_key, SectorPlace},
			State, Transcript,
		},
		merkle::Tree,
	};
	use armature_primitives::{
		challenge::{CpuChallenge, GemmChallenge, MemoryChallenge, StorageChallenge, Work},
		signing::device_payload,
		telemetry::{PowerReading, PowerSource},
		DeviceId, MilliWatts, Ppm, RoundId,
	};
	use core::{cell::RefCell, convert::Infallible, ops::ControlFlow};
	use sp_core::{ed25519::Pair, Pair as _};

	const GENESIS: H256 = H256([3; 32]);
	const WRONG: u32 = 5;
	const CPU: CpuChallenge = CpuChallenge { lanes: 2, segments: 8, steps_per_segment: 16 };

	fn task() -> ChallengeTask {
		ChallengeTask {
			round: RoundId(4),
			device: DeviceId(2),
			seed: H256([9; 32]),
			work: Work::Cpu(CPU),
			deadline: 1_000,
		}
	}

	fn key() -> Pair {
		Pair::from_seed(&[1; 32])
	}

	fn sign(key: &Pair, genesis: &H256, seed: u8, device: u32, root: H256) -> SignedCommit {
		let power = PowerReading {
			idle: MilliWatts(1),
			loaded: MilliWatts(2),
			source: PowerSource::WallMeter,
			error: Ppm(0),
		};
		let task = task_hash(&ChallengeTask { seed: H256([seed; 32]), ..task() });
		let commit = ChallengeCommit { task, root, power };
		let domain = Domain::ChallengeCommit;
		let payload = device_payload(domain, genesis, DeviceId(device), &commit);
		SignedCommit { commit, signature: key.sign(&payload) }
	}

	fn signed(root: H256) -> SignedCommit {
		sign(&key(), &GENESIS, 9, 2, root)
	}

	/// Segment [`WRONG`] of lane 1 is made up, the rest is computed.
	fn transcript() -> Transcript {
		let task = task();
		let mut states = Vec::new();
		for lane in 0..CPU.lanes {
			run_lane(&task, lane, |_, state| {
				states.push(state);
				ControlFlow::Continue(())
			})
			.expect("a valid task");
		}
		let at = (CPU.segments + WRONG) as usize;
		states[at] = State::from_bytes(&[7; 64]);
		Transcript::new(task, states).expect("all segments")
	}

	fn segment(root: H256, lane: u16, segment: u32) -> FraudProof {
		let opening = transcript().open(lane, segment).expect("within the task");
		FraudProof::Segment { signed: signed(root), opening }
	}

	fn check(proof: &FraudProof) -> Result<(), FraudError> {
		check_fraud(&GENESIS, &task(), &key().public(), proof)
	}

	#[test]
	fn wrong_segment_should_be_fraud_and_a_right_one_not() {
		let root = transcript().root();
		assert_eq!(check(&segment(root, 1, WRONG)), Ok(()));
		assert_eq!(check(&segment(root, 1, WRONG - 1)), Err(FraudError::RightResult));
		assert_eq!(check(&segment(root, 0, WRONG)), Err(FraudError::RightResult));
	}

	#[test]
	fn segment_should_count_only_under_what_the_device_signed() {
		let root = transcript().root();
		assert_eq!(check(&segment(H256([1; 32]), 1, WRONG)), Err(FraudError::BadOpening));
		let FraudProof::Segment { opening, .. } = segment(root, 1, WRONG) else { unreachable!() };
		let with = |signed| FraudProof::Segment { signed, opening: opening.clone() };
		let stranger = Pair::from_seed(&[2; 32]);
		for signed in [
			sign(&stranger, &GENESIS, 9, 2, root),
			sign(&key(), &H256([4; 32]), 9, 2, root),
			sign(&key(), &GENESIS, 9, 3, root),
		] {
			assert_eq!(check(&with(signed)), Err(FraudError::BadSignature));
		}
		let other = sign(&key(), &GENESIS, 5, 2, root);
		assert_eq!(check(&with(other)), Err(FraudError::OtherTask));
		let mut changed = opening.clone();
		changed.end = [8; 64];
		let proof = FraudProof::Segment { signed: signed(root), opening: changed };
		assert_eq!(check(&proof), Err(FraudError::BadOpening));
		let mut outside = opening;
		outside.segment = 8;
		let proof = FraudProof::Segment { signed: signed(root), opening: outside };
		assert_eq!(check(&proof), Err(FraudError::BadOpening));
	}

	#[test]
	fn two_roots_should_be_fraud_and_two_power_figures_not() {
		let (one, two) = (signed(H256([1; 32])), signed(H256([2; 32])));
		let proof = |first, second| FraudProof::Equivocation { first, second };
		assert_eq!(check(&proof(one.clone(), two.clone())), Ok(()));
		assert_eq!(check(&proof(one.clone(), one.clone())), Err(FraudError::SameRoot));
		let mut warmer = one.clone();
		warmer.commit.power.loaded = MilliWatts(3);
		assert_eq!(check(&proof(one.clone(), warmer)), Err(FraudError::SameRoot));
		let forged = SignedCommit { signature: one.signature, ..two.clone() };
		assert_eq!(check(&proof(one.clone(), forged.clone())), Err(FraudError::BadSignature));
		assert_eq!(check(&proof(forged, one.clone())), Err(FraudError::BadSignature));
		let elsewhere = sign(&key(), &GENESIS, 5, 2, H256([2; 32]));
		assert_eq!(check(&proof(one, elsewhere)), Err(FraudError::OtherTask));
	}

	const MEMORY: MemoryChallenge = MemoryChallenge { lanes: 2, blocks: 12, segments: 1, reads: 1 };

	fn memory_task() -> ChallengeTask {
		ChallengeTask { work: Work::Memory(MEMORY), ..task() }
	}

	/// Filled memory of which one block, at this position, is made up and all others are computed; and
	/// what opens its blocks.
	fn block(made_up: u32, opened: u32) -> (H256, FillOpening) {
		let task = memory_task();
		let (fill, _) = sizes(&MEMORY);
		let key = memory_key(&task.seed, task.device, &fill);
		let mut blocks = filled(&key, &fill).expect("in bounds");
		blocks[made_up as usize] = [9; BLOCK_LEN];
		let tree = Tree::new(&blocks).expect("not empty");
		let opening = open_fill(&fill, opened, |position| {
			let path = tree.prove(position)?.into_inner().try_into().ok()?;
			Some(OpenedBlock { bytes: blocks[position as usize], path })
		});
		(tree.root(), opening.expect("inside"))
	}

	/// The blocks of all lanes, lane 0's first.
	fn filled(key: &H256, size: &FillSize) -> Result<Vec<[u8; BLOCK_LEN]>, Infallible> {
		let blocks = RefCell::new(Vec::new());
		for lane in 0..size.lanes {
			let before = blocks.borrow().len();
			fill_lane(
				key,
				size,
				lane,
				|at| Ok::<_, Infallible>(Block::from_bytes(&blocks.borrow()[before + at as usize])),
				|_, block| {
					blocks.borrow_mut().push(block.to_bytes());
					Ok(())
				},
			)?;
		}
		Ok(blocks.into_inner())
	}

	#[test]
	fn wrong_block_should_be_fraud_and_a_right_one_not() {
		let task = memory_task();
		let signed = |root| {
			let commit = ChallengeCommit { task: task_hash(&task), ..signed(root).commit };
			let domain = Domain::ChallengeCommit;
			let payload = device_payload(domain, &GENESIS, task.device, &commit);
			SignedCommit { commit, signature: key().sign(&payload) }
		};
		let check = |task: &ChallengeTask, root, opening| {
			let proof = FraudProof::Block { signed: signed(root), opening: Box::new(opening) };
			check_fraud(&GENESIS, task, &key().public(), &proof)
		};
		// Block 0 of the second lane, and one that has parents.
		for made_up in [12, 17] {
			let (root, opening) = block(made_up, made_up);
			assert_eq!(check(&task, root, opening.clone()), Ok(()), "{made_up}");
			assert_eq!(check(&task, H256([1; 32]), opening.clone()), Err(FraudError::BadOpening));
			let lanes = super::tests::task();
			assert_eq!(check(&lanes, root, opening), Err(FraudError::OtherTask));
		}
		let (root, opening) = block(17, 3);
		assert_eq!(check(&task, root, opening), Err(FraudError::RightResult));
	}

	const STORAGE: StorageChallenge = StorageChallenge {
		sectors: 3,
		blocks: 12,
		compressions: 2,
		commit_millis: 8,
		read_millis: 9,
	};

	fn storage_task() -> ChallengeTask {
		ChallengeTask { work: Work::Storage(STORAGE), ..task() }
	}

	/// Sealed sectors of which the second one has a made-up block, and what opens a block of that one.
	fn sealed(made_up: u32, opened: u32) -> (H256, SealedOpening) {
		let task = storage_task();
		let storage = SealedStorage::of_round(&task, H256::zero()).expect("of this kind");
		let size = storage.sector();
		let blocks = |sector| {
			let key = sector_key(&GENESIS, task.device, sector);
			filled(&key, &size).expect("in bounds")
		};
		let mut wrong = blocks(1);
		wrong[made_up as usize] = [9; BLOCK_LEN];
		let sectors = [blocks(0), wrong, blocks(2)];
		let trees = sectors.each_ref().map(|blocks| Tree::new(blocks).expect("not empty"));
		let tree = Tree::new(trees.each_ref().map(|tree| tree.root().0)).expect("not empty");
		let fill = open_fill(&size, opened, |position| {
			let path = trees[1].prove(position)?.into_inner().try_into().ok()?;
			Some(OpenedBlock { bytes: sectors[1][position as usize], path })
		});
		let path = tree.prove(1).expect("inside").into_inner().try_into();
		let salt = H256([6; 32]);
		let opening = SealedOpening {
			sector: 1,
			fill: fill.expect("inside"),
			place: SectorPlace { root: trees[1].root(), path: path.expect("short"), salt },
		};
		(committed_root(&task_hash(&task), &salt, &tree.root()), opening)
	}

	#[test]
	fn wrong_sealed_block_should_be_fraud_and_a_right_one_not() {
		let sign = |task: &ChallengeTask, root| {
			let commit = ChallengeCommit { task: task_hash(task), ..signed(root).commit };
			let payload = device_payload(Domain::ChallengeCommit, &GENESIS, task.device, &commit);
			SignedCommit { commit, signature: key().sign(&payload) }
		};
		let check = |task: &ChallengeTask, root, opening: &SealedOpening| {
			let opening = Box::new(opening.clone());
			let proof = FraudProof::Sealed { signed: sign(task, root), opening };
			check_fraud(&GENESIS, task, &key().public(), &proof)
		};
		let task = storage_task();
		for made_up in [0, 5] {
			let (root, opening) = sealed(made_up, made_up);
			assert_eq!(check(&task, root, &opening), Ok(()), "{made_up}");
			let bad = Err(FraudError::BadOpening);
			assert_eq!(check(&task, H256([1; 32]), &opening), bad);
			assert_eq!(check(&memory_task(), root, &opening), bad);
			let mut outside = opening.clone();
			outside.sector = 3;
			assert_eq!(check(&task, root, &outside), bad);
		}
		let (root, opening) = sealed(5, 3);
		assert_eq!(check(&task, root, &opening), Err(FraudError::RightResult));
	}

	const GEMM: GemmChallenge = GemmChallenge { side: 8, states: 5 };

	fn gemm_task() -> ChallengeTask {
		ChallengeTask { work: Work::Gemm(GEMM), ..task() }
	}

	/// Multiplies nothing: every state is full of one byte.
	struct Lazy(HostStates);

	impl Backend for Lazy {
		type Error = Infallible;

		fn begin(&mut self, task: &GemmTask) -> Result<(), Infallible> {
			self.0 = HostStates::first(task);
			Ok(())
		}

		fn step(&mut self, _: &GemmTask, step: u32, _: &[u32]) -> Result<Vec<H256>, Infallible> {
			Ok(self.0.push([step as u8; 64].to_vec()))
		}

		fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Infallible> {
			Ok(self.0.after(step, row).map(<[u8]>::to_vec))
		}
	}

	#[test]
	fn wrong_entry_should_be_fraud_and_a_right_one_not() {
		let task = gemm_task();
		let products = GemmTask::of_round(&task).expect("of this kind");
		let sign = |root| {
			let commit = ChallengeCommit { task: task_hash(&task), ..signed(root).commit };
			let payload = device_payload(Domain::ChallengeCommit, &GENESIS, task.device, &commit);
			SignedCommit { commit, signature: key().sign(&payload) }
		};
		let check = |task: &ChallengeTask, root, opening: &EntryOpening| {
			let opening = Box::new(opening.clone());
			let proof = FraudProof::Entry { signed: sign(root), opening };
			check_fraud(&GENESIS, task, &key().public(), &proof)
		};
		let lazy = Lazy(HostStates::first(&products));
		let mut prover = GemmProver::begin(products, lazy).expect("in bounds");
		let root = prover.round(round_nonce(&task)).expect("done");
		let entries = (0..GEMM.side).map(|column| prover.open(4, 2, column).expect("kept"));
		let entries: Vec<_> = entries.collect();
		let wrong = entries.iter().find(|opening| check(&task, root, opening) == Ok(()));
		let wrong = wrong.expect("of eight made-up entries one that is wrong");
		assert_eq!(check(&task, H256([1; 32]), wrong), Err(FraudError::BadOpening));
		assert_eq!(check(&memory_task(), root, wrong), Err(FraudError::OtherTask));
		let mut outside = wrong.clone();
		outside.row = GEMM.side;
		assert_eq!(check(&task, root, &outside), Err(FraudError::BadOpening));

		let reference = crate::challenge::gemm::Reference::default();
		let mut prover = GemmProver::begin(products, reference).expect("in bounds");
		let root = prover.round(round_nonce(&task)).expect("done");
		let right = prover.open(4, 2, 3).expect("kept");
		assert_eq!(check(&task, root, &right), Err(FraudError::RightResult));
	}

	#[test]
	fn kinds_should_not_be_mixed_up() {
		let opening = transcript().open(1, WRONG).expect("within the task");
		let task = memory_task();
		let commit = ChallengeCommit { task: task_hash(&task), ..signed(H256([1; 32])).commit };
		let payload = device_payload(Domain::ChallengeCommit, &GENESIS, task.device, &commit);
		let memory = SignedCommit { commit, signature: key().sign(&payload) };
		let proof = FraudProof::Segment { signed: memory, opening };
		let outcome = check_fraud(&GENESIS, &task, &key().public(), &proof);
		assert_eq!(outcome, Err(FraudError::BadOpening));
		let (root, opening) = block(17, 17);
		let proof = FraudProof::Block { signed: signed(root), opening: Box::new(opening) };
		assert_eq!(check(&proof), Err(FraudError::BadOpening));
		let gemm = gemm_task();
		let products = GemmTask::of_round(&gemm).expect("of this kind");
		let lazy = Lazy(HostStates::first(&products));
		let mut prover = GemmProver::begin(products, lazy).expect("in bounds");
		let root = prover.round(round_nonce(&gemm)).expect("done");
		let opening = Box::new(prover.open(4, 2, 3).expect("kept"));
		let proof = FraudProof::Entry { signed: signed(root), opening };
		assert_eq!(check(&proof), Err(FraudError::BadOpening));
		let (root, opening) = sealed(5, 5);
		let proof = FraudProof::Sealed { signed: signed(root), opening: Box::new(opening) };
		assert_eq!(check(&proof), Err(FraudError::BadOpening));
	}

	#[test]
	fn proof_should_have_its_stated_size() {
		assert!(FraudProof::max_encoded_len() <= 102_000, "{}", FraudProof::max_encoded_len());
		let openings = [FillOpening::max_encoded_len(), SealedOpening::max_encoded_len()];
		for opening in openings {
			let of_others = SignedCommit::max_encoded_len() + opening;
			assert!(of_others < 17_200, "{of_others}");
		}
	}
}
