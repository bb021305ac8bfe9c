//! What must hold of proofs about any kind of work.

use crate::{
	changes::{change, graft, Changes},
	task, WORKS,
};
use armature_fuzz::{device, Input};
use armature_primitives::{
	challenge::{
		ChallengeTask, CpuChallenge, GemmChallenge, MemoryChallenge, StorageChallenge, Work,
	},
	H256,
};
use armature_verifier::challenge::fraud::{FraudError, FraudProof, SignedCommit};
use codec::{Decode, DecodeAll, Encode};
use std::fmt::Debug;

/// A round whose device committed to work of which an input made something up.
pub(crate) trait Round {
	/// What one proof is about.
	type Place: Copy + Debug;

	/// What shows it.
	type Opening: Encode + Decode + Clone + Debug + PartialEq;

	/// Bytes of a place: of a checkpoint, a block, an entry.
	const LEN: u32;

	/// Places of the work.
	const COUNT: u32;

	/// The round.
	fn task(&self) -> ChallengeTask;

	/// What the device committed to.
	fn root(&self) -> H256;

	/// A place by its number, which is that of its bytes among all of the work.
	fn place(&self, number: u32) -> Self::Place;

	/// Where an opening says to be; `None` outside the work.
	fn place_of(&self, opening: &Self::Opening) -> Option<Self::Place>;

	/// Opens a place.
	fn open(&self, place: Self::Place) -> Self::Opening;

	/// Whether what stands there is not what should.
	fn is_wrong(&self, place: Self::Place) -> bool;

	/// The proof that an opening makes.
	fn proof(signed: SignedCommit, opening: Self::Opening) -> FraudProof;
}

/// What an opening that is all right proves.
fn expected<R: Round>(round: &R, place: R::Place) -> Result<(), FraudError> {
	if round.is_wrong(place) {
		Ok(())
	} else {
		Err(FraudError::RightResult)
	}
}

/// Opens what the input says of work with these changes, and changes what the input says.
pub(crate) fn judge<R: Round>(input: &mut Input<'_>, changes: &Changes, round: &R) {
	let mut number = || u32::from(u16::from_le_bytes(input.array()));
	let (place, other) = (number() % R::COUNT, round.place(number() % R::COUNT));
	let place = changes.opened().map_or(place, |at| at % (R::LEN * R::COUNT) / R::LEN);
	let place = round.place(place);
	let task = round.task();
	let signed = device::sign(&task, round.root());
	let opening = round.open(place);
	let check = |signed: &SignedCommit, opening: &R::Opening| {
		device::check_proof(&task, &R::proof(signed.clone(), opening.clone()))
	};
	assert_eq!(check(&signed, &opening), expected(round, place), "{place:?}");
	match input.u8() % 4 {
		0 => {
			// Nothing but the opening of a place is one, wherever its parts are from.
			let mut bytes = opening.encode();
			graft(input, &mut bytes, &round.open(other).encode());
			change(input, &mut bytes);
			let Ok(changed) = R::Opening::decode_all(&mut &*bytes) else { return };
			let right = round.place_of(&changed).filter(|place| round.open(*place) == changed);
			let expected =
				right.map_or(Err(FraudError::BadOpening), |place| expected(round, place));
			assert_eq!(check(&signed, &changed), expected, "{changed:?}");
		},
		1 => {
			let mut bytes = signed.encode();
			change(input, &mut bytes);
			let Ok(said) = SignedCommit::decode_all(&mut &*bytes) else { return };
			let expected = if said == signed {
				expected(round, place)
			} else {
				Err(device::forged_error(&task, &R::proof(said.clone(), opening.clone())))
			};
			assert_eq!(check(&said, &opening), expected, "{said:?}");
		},
		2 => {
			let root = H256(input.array());
			let expected = if root == round.root() {
				expected(round, place)
			} else {
				Err(FraudError::BadOpening)
			};
			assert_eq!(check(&device::sign(&task, root), &opening), expected);
			let forged = device::forge(input.u8(), &task, round.root());
			assert_eq!(check(&forged, &opening), Err(FraudError::BadSignature));
		},
		_ => judge_elsewhere(input, round, opening),
	}
}

/// The opening in another round, whose device committed to the same root: of another kind it is of
/// nothing that was asked for; of another size it is judged, and twice the same.
fn judge_elsewhere<R: Round>(input: &mut Input<'_>, round: &R, opening: R::Opening) {
	let (ours, root) = (round.task(), round.root());
	let check = |task: &ChallengeTask| {
		let signed = device::sign(task, root);
		device::check_proof(task, &R::proof(signed, opening.clone()))
	};
	for work in WORKS.iter().filter(|work| work.kind() != ours.work.kind()) {
		assert_eq!(check(&task(*work)), Err(FraudError::BadOpening));
	}
	let resized = task(resized(input, ours.work));
	let outcome = check(&resized);
	assert_eq!(outcome, check(&resized));
	let is_judged =
		matches!(outcome, Ok(()) | Err(FraudError::BadOpening | FraudError::RightResult));
	assert!(is_judged, "{outcome:?}");
}

/// Work of the same kind and any size, which the chain need not have asked for. Not with more steps or
/// compressions than take no time; those bounds are other targets'.
fn resized(input: &mut Input<'_>, work: Work) -> Work {
	let (small, large) = (u16::from_le_bytes(input.array()), u32::from_le_bytes(input.array()));
	let other = u32::from_le_bytes(input.array());
	match work {
		Work::Cpu(_) => {
			Work::Cpu(CpuChallenge { lanes: small, segments: large, steps_per_segment: other % 4 })
		},
		Work::Memory(memory) => {
			Work::Memory(MemoryChallenge { lanes: small, blocks: large, reads: other, ..memory })
		},
		Work::Gemm(_) => Work::Gemm(GemmChallenge { side: large, states: other }),
		Work::Storage(storage) => Work::Storage(StorageChallenge {
			sectors: large,
			blocks: other,
			compressions: small % 8,
			..storage
		}),
		Work::Network(_) => work,
	}
}
