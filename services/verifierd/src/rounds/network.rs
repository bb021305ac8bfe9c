//! The way to a device: how soon it answers, and how much data comes and goes.
//!
//! All verifiers of a round move data at once, or each would find the whole of the connection. So nothing
//! here waits in line: a transfer begins when the task says so, or the round gets no verdict.
//!
//! A device that is not there by then fails, unless this verifier was away for a part of that time.

mod flow;
mod transfer;

use super::{
	asking::RETRY_PAUSE, hurry::blamed, pause, randomness, Finding, Halt, Judge, RoundClock,
	Unjudged,
};
use armature_p2p::{ControlRequest, ControlResponse, P2pError, Refusal};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, NetworkChallenge},
	ed25519::Public,
};
use armature_verifier::challenge::{
	fraud::SignedCommit,
	network::{check_echo, Direction},
	task_hash,
};
use std::time::Duration;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// An echo that takes longer is lost: others may come in time.
const ECHO_PATIENCE: Duration = Duration::from_secs(5);

/// What is measured between a device and this verifier.
struct Way<'a> {
	judge: &'a Judge,
	task: &'a ChallengeTask,
	network: &'a NetworkChallenge,
	clock: RoundClock,
	/// The device's.
	key: &'a Public,
	/// What it committed to first.
	signed: &'a SignedCommit,
}

impl Judge {
	/// Times echoes of a device that has committed, and moves data from it and to it.
	pub(super) async fn examine_network(
		&self,
		task: &ChallengeTask,
		network: &NetworkChallenge,
		clock: RoundClock,
		key: &Public,
		signed: &SignedCommit,
		answer_millis: u32,
	) -> Result<Finding, Unjudged> {
		let way = Way { judge: self, task, network, clock, key, signed };
		let up_at = clock.at(Duration::from_millis(network.lead_millis.into()));
		let round_trip_micros = match way.fastest_echo(up_at).await {
			Ok(fastest) => micros(fastest),
			Err(Halt::Failed(reason)) => return Ok(blamed(task, clock, reason)?.into()),
			Err(halt) => return halt.settled(),
		};
		tokio::time::sleep_until(up_at).await;
		let _transfer = self.transfers.try_acquire().map_err(|_| Unjudged::NoTransfer)?;
		match way.rates(up_at).await {
			Ok((0, _) | (_, 0)) => Ok(ChallengeFailure::NoAnswer.into()),
			Ok((up_kbps, down_kbps)) => {
				let measured =
					Measured::Network { answer_millis, round_trip_micros, up_kbps, down_kbps };
				Ok(Finding { result: Ok(measured), proof: None, openings: Vec::new() })
			},
			Err(halt) => halt.settled(),
		}
	}
}

impl Way<'_> {
	/// The fastest of all echoes, or of as many as come in time.
	async fn fastest_echo(&self, until: Instant) -> Result<Duration, Halt> {
		let (mut fastest, mut echoes) = (None::<Duration>, 0u16);
		while echoes < self.network.echoes && Instant::now() < until {
			match self.echo(until).await? {
				Some(took) => {
					fastest = Some(fastest.map_or(took, |fastest| fastest.min(took)));
					echoes = echoes.saturating_add(1);
				},
				None => pause(until, RETRY_PAUSE).await,
			}
		}
		fastest.ok_or(ChallengeFailure::NoAnswer.into())
	}

	/// How long one echo takes; `None` where nothing comes of it.
	async fn echo(&self, until: Instant) -> Result<Option<Duration>, Halt> {
		let Way { judge, task, clock, key, signed, .. } = *self;
		let device = task.device;
		let Some(peer) = judge.peer_of(device) else { return Ok(None) };
		let nonce = randomness()?;
		let request = ControlRequest::Echo { task: task_hash(task), nonce };
		let since = Instant::now();
		let limit = until.saturating_duration_since(since).min(ECHO_PATIENCE);
		let answer = judge.handle.control(peer, request, limit).await;
		let took = since.elapsed();
		match answer {
			Ok(ControlResponse::Echoed { signature }) => {
				if check_echo(&judge.genesis, task, key, nonce, &signature) {
					Ok(Some(took))
				} else {
					Err(ChallengeFailure::BadSignature.into())
				}
			},
			Ok(ControlResponse::Refused { reason: Refusal::NotFound }) => {
				judge.commit_again(task, clock, until, key, signed).await?;
				Ok(None)
			},
			Ok(ControlResponse::Refused { reason }) => {
				tracing::debug!(device = device.0, %reason, "device refuses an echo");
				Ok(None)
			},
			Ok(_) | Err(P2pError::BadResponse) => Err(ChallengeFailure::Malformed.into()),
			Err(error) => {
				tracing::debug!(device = device.0, %error, "no echo");
				Ok(None)
			},
		}
	}

	/// What is moved up from `up_at` on, and down after that, in kilobits per second.
	async fn rates(&self, up_at: Instant) -> Result<(u32, u32), Halt> {
		let Way { judge, task, network, .. } = *self;
		let down_at = up_at + Duration::from_millis(network.transfer_millis.into());
		let up = judge.transfer(task, network, Direction::Up, up_at).await?;
		let down = judge.transfer(task, network, Direction::Down, down_at).await?;
		Ok((up, down))
	}
}

/// Microseconds, rounded up, at least one: what takes no time was not measured.
fn micros(took: Duration) -> u32 {
	u32::try_from(took.as_nanos().div_ceil(1_000).max(1)).unwrap_or(u32::MAX)
}
