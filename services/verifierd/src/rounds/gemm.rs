//! Products: entries are drawn after the commitment, opened, and computed again.
//!
//! The rows of an entry are long, so that a response has room for a few of the longest only, and the
//! entries are asked for in parts. They are drawn once; a device that has lost its states computes them
//! again, and opens the same entries ([`super::held`]). It may lose them twice: one that never has them
//! when they are to be opened need not be asked to the end of its round.
//!
//! Nothing of what was opened is kept, which is up to 2.4 MB a round with the default samples: a wrong
//! entry is in its proof.

use super::{
	held::Held,
	openings::{check_each, Fault},
	randomness, Finding, Judge, RoundClock, Unjudged,
};
use armature_p2p::{
	messages::{MAX_ENTRIES, MAX_OPENINGS_LEN},
	ControlRequest,
};
use armature_primitives::{
	challenge::{ChallengeTask, Measured, WorkKind},
	ed25519::Public,
};
use armature_verifier::challenge::{
	fraud::{FraudProof, SignedCommit},
	gemm::{check_entry, committed, opening_len, sample_entries, EntryOpening, GemmSize, GemmTask},
	task_hash, ChallengeError,
};

/// How often a device may lose its states, and compute them again.
const MAX_LOSSES: u32 = 2;

/// What the length of a list takes at most, encoded.
const LENGTH_LEN: usize = 4;

impl Judge {
	/// Computes a sample of the committed entries again. Nothing of what was opened is kept.
	pub(super) async fn examine_gemm(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: &Public,
		signed: &SignedCommit,
		elapsed_millis: u32,
	) -> Result<Finding, Unjudged> {
		let products =
			GemmTask::of_round(task).ok_or(Unjudged::BadTask(ChallengeError::OtherKind))?;
		let committed = committed(task, signed.commit.root);
		// Drawn only now: the device could not know them when it committed.
		let samples = self.config.gemm_samples;
		let wanted = sample_entries(&randomness()?, &products, 0, &committed, samples)
			.map_err(|error| Unjudged::BadTask(error.into()))?;
		let mut held = Held { judge: self, task, clock, key, signed, losses_left: MAX_LOSSES };
		let hash = task_hash(task);
		let open = |entries| ControlRequest::OpenEntries { task: hash, entries };
		let at = |entry: &EntryOpening| Some((entry.step, entry.row, entry.column));
		let mut place = self.place(clock).await?;
		let (round, most) = (task.round, entries_of(&products.size));
		// Each part is looked at when it comes: all of many rounds would take much memory.
		for part in wanted.chunks(most) {
			let (entries, kept) = match held.all_opened(place, part, most, open, at).await {
				Ok(opened) => opened,
				Err(halt) => return halt.settled(),
			};
			place = kept;
			let compute = move || {
				check_each(round, entries, |entry| check_entry(&products, &[committed], entry))
			};
			if let Err(Fault { reason, wrong }) = self.check(WorkKind::Gemm, compute).await? {
				let proof = |opening| FraudProof::Entry {
					signed: signed.clone(),
					opening: Box::new(opening),
				};
				let proof = wrong.map(proof);
				return Ok(Finding { result: Err(reason), proof, openings: Vec::new() });
			}
		}
		let result = Ok(Measured::Gemm { elapsed_millis });
		Ok(Finding { result, proof: None, openings: Vec::new() })
	}
}

/// How many entries one request asks for: as many as fit one response, at least one.
fn entries_of(size: &GemmSize) -> usize {
	let room = MAX_OPENINGS_LEN.saturating_sub(LENGTH_LEN);
	room.checked_div(opening_len(size)).unwrap_or(MAX_ENTRIES).clamp(1, MAX_ENTRIES)
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::challenge::GemmChallenge;
	use armature_verifier::challenge::gemm::{MAX_SIDE, MAX_STEPS};

	fn of(side: u32, states: u32) -> GemmSize {
		GemmSize::of_round(&GemmChallenge { side, states })
	}

	#[test]
	fn no_more_entries_should_be_asked_for_than_fit_one_response() {
		for side in (1..=MAX_SIDE).step_by(97).chain([MAX_SIDE]) {
			for states in [1, 2, 100, MAX_STEPS] {
				let size = of(side, states);
				let (count, each) = (entries_of(&size), opening_len(&size));
				assert!((1..=MAX_ENTRIES).contains(&count), "{side}, {states}: {count}");
				assert!(count * each + LENGTH_LEN <= MAX_OPENINGS_LEN, "{side}, {states}: {count}");
				let is_most =
					count == MAX_ENTRIES || (count + 1) * each + LENGTH_LEN > MAX_OPENINGS_LEN;
				assert!(is_most, "{side}, {states}: {count}");
			}
		}
	}

	#[test]
	fn fewer_entries_should_be_asked_for_where_rows_are_longer() {
		let counts = [4, 1_024, 8_192, MAX_SIDE].map(|side| entries_of(&of(side, 8)));
		assert_eq!(counts, [64, 58, 9, 2]);
	}
}
