//! Asking a device, again and again, until it answers.

use super::{hurry::check_answer, Halt, Judge, RoundClock};
use crate::service::lock;
use armature_p2p::{ControlRequest, ControlResponse, P2pError, PeerId, Refusal};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask},
	ed25519::Public,
	signing::Domain,
	DeviceId,
};
use armature_verifier::challenge::{
	fraud::{FraudProof, SignedCommit},
	task_hash,
};
use std::time::Duration;
use tokio::time::Instant;

/// Pause before a device that is away, busy or was cut off is asked again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Why there is no answer to go on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoReply {
	/// What came does not decode.
	Malformed,
	/// The time is over.
	Late,
}

impl NoReply {
	/// What the device fails for. Also where it says to the end that this verifier is not assigned: who seals
	/// nothing is fined, and a device must not bring that about.
	pub(super) fn reason(self) -> ChallengeFailure {
		match self {
			Self::Malformed => ChallengeFailure::Malformed,
			Self::Late => ChallengeFailure::NoAnswer,
		}
	}
}

impl Judge {
	/// What the device signs when its work is done, in the time that it has for that; or why it fails.
	pub(super) async fn first_commitment(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: &Public,
	) -> Result<(SignedCommit, u32), ChallengeFailure> {
		let committed = self.commitment(task, clock, clock.commit_ends(task), key).await?;
		check_answer(task, committed.1)?;
		Ok(committed)
	}

	/// What the device signs when its work is done, and after how many milliseconds, at least one; or
	/// why it fails.
	async fn commitment(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		until: Instant,
		key: &Public,
	) -> Result<(SignedCommit, u32), ChallengeFailure> {
		let start = ControlRequest::StartChallenge { task: *task };
		let answer = self.ask(task.device, start, until, &[]).await;
		let response = answer.map_err(NoReply::reason)?;
		let millis = u32::try_from(clock.elapsed().as_millis()).unwrap_or(u32::MAX).max(1);
		let ControlResponse::Committed { commit, signature } = response else {
			return Err(ChallengeFailure::Malformed);
		};
		let is_signed = armature_verifier::signature::verify_device(
			Domain::ChallengeCommit,
			&self.genesis,
			task.device,
			&commit,
			key,
			&signature,
		);
		if is_signed {
			Ok((SignedCommit { commit, signature }, millis))
		} else {
			Err(ChallengeFailure::BadSignature)
		}
	}

	/// Has a device commit again by `until`, which has lost what it committed to, as when it was restarted.
	/// What it `signed` first stands, with its time; another root is a fraud.
	pub(super) async fn commit_again(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		until: Instant,
		key: &Public,
		signed: &SignedCommit,
	) -> Result<(), Halt> {
		let (round, device) = (task.round.0, task.device.0);
		tracing::info!(
			round,
			device,
			"device has lost what it committed to, and is to do it again"
		);
		let (again, _) = self.commitment(task, clock, until, key).await?;
		if again.commit.task != task_hash(task) {
			return Err(ChallengeFailure::Malformed.into());
		}
		if again.commit.root != signed.commit.root {
			tracing::warn!(round, device, "device has signed two roots");
			let proof = FraudProof::Equivocation { first: signed.clone(), second: again };
			return Err(Halt::Fraud(Box::new(proof)));
		}
		Ok(())
	}

	/// Asks until the device answers or the time is over. The request is the same each time, so
	/// that coming back changes nothing for the device. Refusals are answers where they are among the
	/// `final_ones`.
	pub(super) async fn ask(
		&self,
		device: DeviceId,
		request: ControlRequest,
		until: Instant,
		final_ones: &[Refusal],
	) -> Result<ControlResponse, NoReply> {
		loop {
			let left = until.saturating_duration_since(Instant::now());
			if left.is_zero() {
				return Err(NoReply::Late);
			}
			if let Some(peer) = self.peer_of(device) {
				match self.handle.control(peer, request.clone(), left).await {
					Ok(ControlResponse::Refused { reason }) if !final_ones.contains(&reason) => {
						tracing::debug!(device = device.0, %reason, "device refuses for now");
					},
					Ok(response) => return Ok(response),
					Err(P2pError::BadResponse) => return Err(NoReply::Malformed),
					Err(error) => {
						tracing::debug!(device = device.0, %error, "device did not answer");
					},
				}
			}
			pause(until, RETRY_PAUSE).await;
		}
	}

	/// Asks for openings, and returns them encoded; `None` where it is refused with one of the
	/// `final_ones`.
	pub(super) async fn open(
		&self,
		task: &ChallengeTask,
		request: ControlRequest,
		until: Instant,
		final_ones: &[Refusal],
	) -> Result<Option<Vec<u8>>, ChallengeFailure> {
		let answer = self.ask(task.device, request, until, final_ones).await;
		match answer.map_err(NoReply::reason)? {
			ControlResponse::Opened { openings } => {
				self.metrics.opened(task.work.kind(), openings.len());
				Ok(Some(openings))
			},
			ControlResponse::Refused { .. } => Ok(None),
			_ => Err(ChallengeFailure::Malformed),
		}
	}

	/// The peer that speaks for a device, while it is connected.
	pub(super) fn peer_of(&self, device: DeviceId) -> Option<PeerId> {
		let peer = lock(&self.sessions).peer_of(device)?;
		self.handle.is_connected(&peer).then_some(peer)
	}
}

/// Waits, but not beyond `until`.
pub(super) async fn pause(until: Instant, pause: Duration) {
	tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
}
