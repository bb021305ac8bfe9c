//! Committees, and what is common to rounds of all kinds.

use crate::{
	chance::{majority, percent},
	money::{Books, Result},
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, Verdict},
	ed25519::Signature,
	telemetry::{PowerReading, PowerSource},
	MilliWatts, Ppm, H256,
};
use armature_verifier::challenge::verdict::{conclude, Conclusion};
use codec::{Decode, DecodeAll};
use rand::{rngs::StdRng, RngCore};

/// Verifiers of a round.
pub(crate) const COMMITTEE: usize = 5;

/// The bytes of what is no answer.
const GARBAGE_LEN: usize = 4_096;

/// What a look comes to.
pub(crate) type Looked = core::result::Result<(), ChallengeFailure>;

/// What a device says of its power.
pub(crate) const POWER: PowerReading = PowerReading {
	idle: MilliWatts(20_000),
	loaded: MilliWatts(200_000),
	source: PowerSource::WallMeter,
	error: Ppm(0),
};

/// A device in a round of some kind, and what verifiers see of it.
pub(crate) trait Round {
	/// What is asked.
	fn task(&self) -> &ChallengeTask;

	/// What the device computed.
	fn root(&self) -> H256;

	/// What a verifier finds in what it draws, where the device has committed to `root`.
	fn look(&mut self, root: H256, rng: &mut StdRng) -> Looked;

	/// What a verifier measures, whether it looks or not.
	fn measured(&self, rng: &mut StdRng) -> Measured;

	/// What a verifier says that looks.
	fn verdict(&mut self, root: H256, rng: &mut StdRng) -> Verdict {
		let measured = self.measured(rng);
		said(self.look(root, rng), measured, root)
	}
}

/// A verdict that a round was passed, under the root that the device committed to.
pub(crate) fn passed(measured: Measured, root: H256) -> Verdict {
	Verdict::Passed { measured, power: POWER, root, signature: Signature::from_raw([0; 64]) }
}

/// What a verifier says of what it found.
pub(crate) fn said(looked: Looked, measured: Measured, root: H256) -> Verdict {
	match looked {
		Ok(()) => passed(measured, root),
		Err(reason) => Verdict::Failed { reason },
	}
}

/// An answer that is none.
pub(crate) fn garbage(rng: &mut StdRng) -> Vec<u8> {
	let mut bytes = vec![0; GARBAGE_LEN];
	rng.fill_bytes(&mut bytes);
	bytes
}

/// What a verifier makes of an answer's bytes.
pub(crate) fn decoded<T: Decode>(
	mut bytes: &[u8],
) -> core::result::Result<Vec<T>, ChallengeFailure> {
	Vec::decode_all(&mut bytes).map_err(|_| ChallengeFailure::Malformed)
}

/// Where the median of a round stands that was passed.
pub(crate) fn median(verdicts: &[Verdict]) -> Option<Measured> {
	match conclude(verdicts, COMMITTEE).0 {
		Conclusion::Passed { measured, .. } => Some(measured),
		_ => None,
	}
}

/// What rounds of a device came to.
#[derive(Default)]
pub(crate) struct Outcomes {
	rounds: u32,
	looks: u32,
	found: u32,
	failed: u32,
	pub(crate) books: Books,
}

impl Outcomes {
	/// Enters a round: what stands is what was measured, where `figure` says how much that is of what an
	/// honest device shows; `None` of what counts as failed.
	pub(crate) fn enter(
		&mut self,
		verdicts: &[Verdict],
		figure: impl FnOnce(Measured) -> Option<f64>,
	) -> Result {
		let is_failed = |verdict: &&Verdict| matches!(verdict, Verdict::Failed { .. });
		let result = median(verdicts).and_then(figure).map_or(Result::Failed, Result::Passed);
		self.rounds += 1;
		self.looks += verdicts.len() as u32;
		self.found += verdicts.iter().filter(is_failed).count() as u32;
		self.failed += u32::from(matches!(result, Result::Failed));
		result
	}

	/// Rounds that were passed.
	pub(crate) fn passes(&self) -> u32 {
		self.rounds - self.failed
	}

	/// Looks that there were.
	pub(crate) fn looks(&self) -> u32 {
		self.looks
	}

	/// Found and failed, in percent.
	pub(crate) fn shares(&self) -> String {
		let found = percent(self.found, self.looks);
		format!("{found:>6.2} % | {:>6.2} %", percent(self.failed, self.rounds))
	}

	/// Found and failed, each beside what the formula says for what one verifier finds.
	pub(crate) fn columns(&self, found: f64) -> String {
		format!(
			"{:>6.2} % | {:>6.2} % | {:>6.2} % | {:>6.2} %",
			percent(self.found, self.looks),
			found * 100.0,
			percent(self.failed, self.rounds),
			majority(found) * 100.0,
		)
	}
}

/// Names of [`Outcomes::columns`].
pub(crate) const HEAD: &str = "found | formula | failed | formula";
