//! What a device committed to, and has to hold until it has opened what is drawn of it.
//!
//! What is drawn is drawn once, and nothing that a device loses gets it another draw: it is asked for the
//! same until it opens that. Where it has lost what it committed to, as when it was restarted, it does its
//! work again. What that is is in the task, so the root has to be the same, and only the first
//! commitment is timed.

use super::{
	asking::{pause, RETRY_PAUSE},
	openings::{decoded, exactly},
	Halt, Judge, Place, RoundClock,
};
use armature_p2p::{ControlRequest, Refusal};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask},
	ed25519::Public,
};
use armature_verifier::challenge::fraud::SignedCommit;
use codec::Decode;
use tokio::time::Instant;

/// What a device committed to in one round.
pub(super) struct Held<'a> {
	pub(super) judge: &'a Judge,
	pub(super) task: &'a ChallengeTask,
	pub(super) clock: RoundClock,
	/// The device's.
	pub(super) key: &'a Public,
	/// What it committed to first.
	pub(super) signed: &'a SignedCommit,
	/// How often the device may still lose it.
	pub(super) losses_left: u32,
}

impl<'a> Held<'a> {
	/// Has the device do its work again by `until`, which it lost, and sign the same root.
	pub(super) async fn again(&mut self, until: Instant) -> Result<(), Halt> {
		let Some(left) = self.losses_left.checked_sub(1) else {
			let (round, device) = (self.task.round.0, self.task.device.0);
			tracing::warn!(round, device, "device does not keep what it commits to");
			return Err(ChallengeFailure::NoAnswer.into());
		};
		self.losses_left = left;
		let Self { judge, task, clock, key, signed, .. } = *self;
		judge.commit_again(task, clock, until.min(clock.ends), key, signed).await?;
		// A device that says both at once would be asked without a rest.
		pause(clock.ends, RETRY_PAUSE).await;
		Ok(())
	}

	/// The encoded openings that a request asks for, with the place that they take.
	pub(super) async fn opened(
		&mut self,
		mut place: Place<'a>,
		open: ControlRequest,
	) -> Result<(Vec<u8>, Place<'a>), Halt> {
		let gone = [Refusal::NotFound];
		loop {
			match self.judge.open(self.task, open.clone(), place.until, &gone).await {
				Ok(Some(encoded)) => return Ok((encoded, place)),
				Ok(None) => {
					drop(place);
					self.again(self.clock.ends).await?;
				},
				// Others come first for now.
				Err(ChallengeFailure::NoAnswer) if !self.clock.left().is_zero() => drop(place),
				Err(reason) => return Err(reason.into()),
			}
			place = self.judge.place(self.clock).await?;
		}
	}

	/// The openings of all that is `wanted`, `most` of them by one request, with the place that they take.
	pub(super) async fn all_opened<Opening: Decode, At: Clone + PartialEq>(
		&mut self,
		mut place: Place<'a>,
		wanted: &[At],
		most: usize,
		open: impl Fn(Vec<At>) -> ControlRequest,
		at: impl Fn(&Opening) -> Option<At>,
	) -> Result<(Vec<Opening>, Place<'a>), Halt> {
		let mut all = Vec::with_capacity(wanted.len());
		for part in wanted.chunks(most.max(1)) {
			let (encoded, kept) = self.opened(place, open(part.to_vec())).await?;
			place = kept;
			all.extend(exactly(decoded(&encoded)?, part, &at)?);
		}
		Ok((all, place))
	}
}
