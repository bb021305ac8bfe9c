//! Two commitments in a round of any kind.

use crate::{
	changes::{change, graft},
	task, WORKS,
};
use armature_fuzz::{device, Input};
use armature_primitives::{challenge::ChallengeTask, H256};
use armature_verifier::challenge::{
	fraud::{FraudError, FraudProof, SignedCommit},
	task_hash,
};
use codec::{DecodeAll, Encode};

/// Two commitments to any roots, each in this round or another one, and signed by the device or not;
/// then something is changed in them. They are a fraud exactly when the device signed both in this round,
/// and the roots are two.
pub(crate) fn judge_roots(input: &mut Input<'_>) {
	let (work, flags) = (WORKS[usize::from(input.u8()) % WORKS.len()], input.u8());
	let (ours, how) = (task(work), input.u8());
	let other = ChallengeTask { deadline: 1, ..ours };
	let flag = |bit: u8| flags >> bit & 1 == 1;
	let (mut said, mut signed) = (Vec::new(), Vec::new());
	for bit in [0, 2] {
		let (task, root) = (if flag(bit) { &other } else { &ours }, H256(input.array()));
		if flag(bit + 1) {
			said.push(device::forge(how, task, root));
		} else {
			said.push(device::sign(task, root));
			signed.push(device::sign(task, root));
		}
	}
	judge(&ours, &signed, &said[0], &said[1]);
	judge(&ours, &signed, &said[1], &said[0]);
	let mut bytes = said[0].encode();
	graft(input, &mut bytes, &said[1].encode());
	change(input, &mut bytes);
	let Ok(changed) = SignedCommit::decode_all(&mut &*bytes) else { return };
	judge(&ours, &signed, &changed, &said[1]);
	judge(&ours, &signed, &said[1], &changed);
	judge(&ours, &signed, &changed, &said[0]);
}

/// Two commitments, of which the device has made those that are `signed`.
fn judge(
	task: &ChallengeTask,
	signed: &[SignedCommit],
	first: &SignedCommit,
	second: &SignedCommit,
) {
	let check = |said: &SignedCommit| {
		if said.commit.task != task_hash(task) {
			Err(FraudError::OtherTask)
		} else if !signed.contains(said) {
			Err(FraudError::BadSignature)
		} else {
			Ok(())
		}
	};
	let expected = if first.commit.root == second.commit.root {
		Err(FraudError::SameRoot)
	} else {
		check(first).and_then(|()| check(second))
	};
	let proof = FraudProof::Equivocation { first: first.clone(), second: second.clone() };
	assert_eq!(device::check_proof(task, &proof), expected, "{proof:?}");
}
