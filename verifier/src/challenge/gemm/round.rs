//! Rounds on chain: there is one commitment, to all states, which stay at hand until it was opened.
//!
//! Nobody gives a device nonces on the way, since five verifiers would each give another. All rows that
//! columns can choose are of states that the round makes, or key streams: what a device does not keep it
//! has to make again while it computes, and for whoever opens an entry of it.

use super::{GemmRound, GemmSize, GemmTask};
use crate::challenge::{fill::SizeError, task_hash};
use armature_primitives::{
	challenge::{ChallengeTask, GemmChallenge},
	H256,
};

impl GemmSize {
	/// Of a round on chain.
	pub fn of_round(gemm: &GemmChallenge) -> Self {
		Self { side: gemm.side, window: gemm.states, rounds: 1, steps: gemm.states }
	}
}

impl GemmTask {
	/// Of a round on chain, if it is of this kind.
	pub fn of_round(task: &ChallengeTask) -> Option<Self> {
		let size = GemmSize::of_round(task.gemm()?);
		Some(Self { seed: task.seed, device: task.device, size })
	}
}

/// What stands in the place of a nonce: nobody knows it before the task.
pub fn round_nonce(task: &ChallengeTask) -> H256 {
	task_hash(task)
}

/// What a device has committed to in a round on chain.
pub fn committed(task: &ChallengeTask, root: H256) -> GemmRound {
	GemmRound { nonce: round_nonce(task), root }
}

/// Checks the size of a round on chain.
///
/// # Errors
///
/// [`SizeError`].
pub fn check_size(gemm: &GemmChallenge) -> Result<(), SizeError> {
	GemmSize::of_round(gemm).check()
}

/// The most bytes of the opening of an entry, encoded.
pub fn opening_len(size: &GemmSize) -> usize {
	/// Step, row and column, and that both sources are given.
	const PLACE: u32 = 3 * 4 + 2;
	/// The state's root, and the lengths of the row and of both paths.
	const ROW: u32 = 32 + 4 + 1 + 1;
	let depth = |leaves: u32| leaves.max(1).next_power_of_two().trailing_zeros();
	let hashes = depth(size.side).saturating_add(depth(size.steps)).saturating_mul(32);
	let row = size.side.saturating_add(hashes).saturating_add(ROW);
	usize::try_from(row.saturating_mul(3).saturating_add(PLACE)).unwrap_or(usize::MAX)
}

/// Multiplications and additions per second, rounded down, saturating. No time at all is no measurement:
/// zero.
pub fn operations_per_second(gemm: &GemmChallenge, elapsed_millis: u32) -> u64 {
	let operations = gemm.operations().saturating_mul(1_000);
	operations
		.checked_div(elapsed_millis.into())
		.map_or(0, |speed| u64::try_from(speed).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::challenge::gemm::{
		check_entry, sample_entries, EntryOpening, GemmProver, Reference, MAX_SIDE, MAX_STEPS,
	};
	use armature_primitives::{
		challenge::{CpuChallenge, Work},
		DeviceId, RoundId,
	};
	use codec::{Encode, MaxEncodedLen};

	const GEMM: GemmChallenge = GemmChallenge { side: 10, states: 6 };

	fn task(work: Work) -> ChallengeTask {
		let (round, device, seed) = (RoundId(3), DeviceId(5), H256([6; 32]));
		ChallengeTask { round, device, seed, work, deadline: 9 }
	}

	#[test]
	fn all_entries_of_a_round_should_be_there_to_be_opened() {
		let task = task(Work::Gemm(GEMM));
		let products = GemmTask::of_round(&task).unwrap();
		let mut prover = GemmProver::begin(products, Reference::default()).unwrap();
		let committed = committed(&task, prover.round(round_nonce(&task)).unwrap());
		let all = sample_entries(&H256::zero(), &products, 0, &committed, 600).unwrap();
		assert_eq!(all.len(), 600);
		for (step, row, column) in all {
			let opening = prover.open(step, row, column).unwrap();
			assert_eq!(check_entry(&products, &[committed], &opening), Ok(()), "{step}");
		}
		// Another root, or the same one for another task.
		let opening = prover.open(6, 1, 1).unwrap();
		let bad = Err(armature_primitives::challenge::ChallengeFailure::BadOpening);
		assert_eq!(check_entry(&products, &[super::committed(&task, H256::zero())], &opening), bad);
		let later = ChallengeTask { deadline: 10, ..task };
		let later = super::committed(&later, committed.root);
		assert!(check_entry(&products, &[later], &opening).is_err());
	}

	#[test]
	fn openings_should_have_their_stated_size() {
		for (side, states) in [(10, 6), (64, 3), (65, 5)] {
			let task = task(Work::Gemm(GemmChallenge { side, states }));
			let products = GemmTask::of_round(&task).unwrap();
			let mut prover = GemmProver::begin(products, Reference::default()).unwrap();
			prover.round(round_nonce(&task)).unwrap();
			let most = opening_len(&products.size);
			let all = (0..side).map(|at| prover.open(states, at, at).unwrap().encoded_size());
			let longest = all.max().unwrap();
			// Short lengths take fewer bytes, and paths may lack a hash.
			assert!(longest <= most && longest + 105 >= most, "{side}: {longest} {most}");
		}
		let largest = GemmChallenge { side: MAX_SIDE, states: MAX_STEPS };
		let most = opening_len(&GemmSize::of_round(&largest));
		assert_eq!(most, EntryOpening::max_encoded_len());
	}

	#[test]
	fn only_rounds_of_products_should_be_of_this_kind() {
		let cpu = CpuChallenge { lanes: 1, segments: 1, steps_per_segment: 1 };
		assert_eq!(GemmTask::of_round(&task(Work::Cpu(cpu))), None);
	}

	#[test]
	fn sizes_should_be_bounded() {
		let check = |side, states| check_size(&GemmChallenge { side, states });
		assert_eq!(check(1, 1), Ok(()));
		assert_eq!(check(MAX_SIDE, MAX_STEPS), Ok(()));
		assert_eq!(check(0, 1), Err(SizeError::TooSmall));
		assert_eq!(check(1, 0), Err(SizeError::TooSmall));
		assert_eq!(check(MAX_SIDE + 1, 1), Err(SizeError::TooLarge));
		assert_eq!(check(1, MAX_STEPS + 1), Err(SizeError::TooLarge));
	}

	#[test]
	fn speed_should_be_what_was_multiplied_in_the_time() {
		assert_eq!(GEMM.operations(), 12_000);
		assert_eq!(GemmSize::of_round(&GEMM).operations(), GEMM.operations());
		assert_eq!(GemmSize::of_round(&GEMM).shown_bytes(GEMM.states), GEMM.bytes());
		assert_eq!(GemmSize::of_round(&GEMM).kept(), GEMM.states);
		assert_eq!(operations_per_second(&GEMM, 7), 1_714_285);
		assert_eq!(operations_per_second(&GEMM, 0), 0);
		let most = GemmChallenge { side: u32::MAX, states: u32::MAX };
		assert_eq!(operations_per_second(&most, 1), u64::MAX);
		let (largest, least) = (GemmChallenge { side: 1_024, states: 3 }, GEMM);
		assert_eq!((largest.mib(), least.mib()), (3, 0));
	}
}
