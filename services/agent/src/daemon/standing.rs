//! What a device needs to be seen to again and again: its attestation, its enrolment, its score.

use super::{Agent, AgentError};
use crate::{
	attest::AttestError,
	chain::{ChainError, ChainResult, ChallengeStanding},
	challenge::PlantedError,
	retry::Backoff,
	store::StoreError,
};
use armature_sdk::refused_error;
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

/// Pauses after refused calls, which cost fees.
const REFUSED_RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3_600));

/// Pauses after the machine gave no evidence, which costs nothing and may pass soon.
const UNREADY_RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));

impl Agent {
	/// Keeps the device attested, enrolled and scored, and its planted answers announced and shown, until
	/// the agent stops.
	///
	/// # Errors
	///
	/// [`AgentError::Store`].
	pub(super) async fn keep_standing(self: Arc<Self>) -> Result<(), AgentError> {
		let upkeep = Duration::from_millis(self.config.poll.upkeep_millis);
		let mut refused = Backoff::new(REFUSED_RETRY.0, REFUSED_RETRY.1);
		let mut unready = Backoff::new(UNREADY_RETRY.0, UNREADY_RETRY.1);
		let mut unplanted = Backoff::new(REFUSED_RETRY.0, REFUSED_RETRY.1);
		loop {
			match self.chain.uptime_timing().await {
				Ok(timing) => {
					self.timing.send_if_modified(|known| {
						let changed = *known != timing;
						*known = timing;
						changed
					});
				},
				Err(error) => tracing::warn!(%error, "could not ask for the epoch's length"),
			}
			// Apart from all else: what was used must be shown in time.
			if unplanted.is_due(Instant::now()) {
				self.tend_planted(&mut unplanted).await?;
			}
			let now = Instant::now();
			if refused.is_due(now) && unready.is_due(now) {
				// With what was planted, once that is shown.
				let score_returns = self.challenges.has_used_planted().await?;
				match self.improve_standing(score_returns).await {
					Ok(()) => {
						refused.succeed();
						unready.succeed();
					},
					Err(error @ AttestError::Chain(ChainError::Unavailable(_))) => {
						tracing::warn!(%error, "could not see to the device's standing")
					},
					Err(error @ AttestError::Chain(_)) => {
						let pause = refused.fail(Instant::now());
						tracing::warn!(%error, ?pause, "the device's standing cannot be improved");
					},
					Err(error) => {
						let pause = unready.fail(Instant::now());
						tracing::warn!(%error, ?pause, "this machine gives no evidence");
					},
				}
			}
			if !self.pause(upkeep).await {
				return Ok(());
			}
		}
	}

	/// Announces and shows planted answers.
	async fn tend_planted(&self, refused: &mut Backoff) -> Result<(), StoreError> {
		match self.challenges.tend_planted().await {
			Ok(()) => refused.succeed(),
			Err(PlantedError::Store(error)) => return Err(error),
			Err(error @ PlantedError::Chain(ChainError::Rejected(_))) => {
				let pause = refused.fail(Instant::now());
				tracing::warn!(%error, ?pause, "no answer can be planted");
			},
			Err(error) => tracing::warn!(%error, "could not see to planted answers"),
		}
		Ok(())
	}

	/// Attests and enrols the device where that is due, and asks for a round if a part of its score is
	/// missing, unless its score comes back by itself.
	async fn improve_standing(&self, score_returns: bool) -> Result<(), AttestError> {
		let best = self.chain.best_block().await?;
		let attestation = self.chain.attestation(self.device).await?;
		let is_due = attestation.is_none_or(|valid| {
			let length = valid.expires_at.saturating_sub(valid.attested_at);
			let left = valid.expires_at.saturating_sub(best.time);
			left < length.div_ceil(4)
		});
		if is_due {
			self.attestor.attest(attestation.map(|valid| valid.tier)).await?;
		}
		let mut standing = self.chain.challenge_standing(self.device).await?;
		if standing == ChallengeStanding::NotEnrolled {
			if is_done(self.chain.enrol_device(self.device).await)? {
				tracing::info!("enrolled for challenges");
			}
			standing = self.chain.challenge_standing(self.device).await?;
		}
		if standing == ChallengeStanding::Unscored
			&& !score_returns
			&& is_done(self.chain.request_challenge(self.device).await)?
		{
			tracing::info!("challenge requested");
		}
		Ok(())
	}
}

/// Whether a call to take part in challenges was executed. One that came too late, for a round is to come
/// or just ended, is no fault: what it was to bring about is settled.
pub(super) fn is_done(called: ChainResult<()>) -> ChainResult<bool> {
	const SETTLED: [&str; 5] =
		["AlreadyRequested", "RoundOpen", "ScoreValid", "CoolingDown", "Resting"];
	match called {
		Ok(()) => Ok(true),
		Err(ChainError::Rejected(text))
			if refused_error(&text, "Challenges").is_some_and(|name| SETTLED.contains(&name)) =>
		{
			tracing::debug!(text, "the device's challenges are settled for now");
			Ok(false)
		},
		Err(error) => Err(error),
	}
}
