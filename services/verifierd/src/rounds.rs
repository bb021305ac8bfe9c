//! Judging one round.

use crate::{chain::ChainView, config::ChallengeConfig, service::lock};
use armature_p2p::{ControlRequest, ControlResponse, Handle, P2pError, PeerId, Sessions};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeFailure, ChallengeTask, Verdict},
	ed25519::{Public, Signature},
	signing::Domain,
	DeviceId, H256,
};
use armature_verifier::challenge::{
	check_openings, check_power, checkpoints, sample, SegmentOpening,
};
use codec::DecodeLimit;
use rand::RngCore;
use std::{
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// Pause before a device that is away, busy or was cut off is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Pause before the chain is asked again.
const CHAIN_PAUSE: Duration = Duration::from_secs(1);

/// Nesting of openings: a list of records with lists.
const MAX_DEPTH: u32 = 8;

/// The verifier's clock of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundClock {
	/// Time that had passed before `since`: the round was first seen before a restart.
	pub(crate) already: Duration,
	/// When this run saw it first.
	pub(crate) since: Instant,
	/// When the verdict is due.
	pub(crate) ends: Instant,
}

impl RoundClock {
	fn elapsed(&self) -> Duration {
		self.already.saturating_add(self.since.elapsed())
	}
}

/// Why there is no verdict: nothing that the device is to blame for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unjudged {
	#[error("the task is out of bounds: {0}")]
	BadTask(armature_verifier::challenge::ChallengeError),
	#[error("the chain does not know the device")]
	UnknownDevice,
	#[error("the device's key could not be read in time")]
	NoChain,
	#[error("no randomness from the operating system: {0}")]
	Randomness(rand::Error),
	#[error("checking was interrupted")]
	Interrupted,
}

/// Judges rounds.
pub(crate) struct Judge {
	pub(crate) handle: Handle,
	pub(crate) chain: Arc<dyn ChainView>,
	pub(crate) genesis: H256,
	pub(crate) sessions: Arc<Mutex<Sessions>>,
	pub(crate) config: ChallengeConfig,
	pub(crate) checks: Semaphore,
}

impl Judge {
	/// The verdict on a round, at `clock.ends` or a little later at the latest.
	pub(crate) async fn judge(
		&self,
		task: ChallengeTask,
		clock: RoundClock,
	) -> Result<Verdict, Unjudged> {
		checkpoints(&task.cpu).map_err(Unjudged::BadTask)?;
		let key = self.device_key(task.device, clock.ends).await?;
		match self.examine(&task, clock, key).await? {
			Ok((commit, elapsed)) => {
				let millis = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
				Ok(Verdict::Passed { elapsed_millis: millis.max(1), power: commit.power })
			},
			Err(reason) => Ok(Verdict::Failed { reason }),
		}
	}

	async fn device_key(&self, device: DeviceId, until: Instant) -> Result<Public, Unjudged> {
		loop {
			let asked = tokio::time::timeout_at(until, self.chain.device_key(device));
			match asked.await {
				Ok(Ok(key)) => return key.ok_or(Unjudged::UnknownDevice),
				Ok(Err(error)) => {
					tracing::warn!(device = device.0, %error, "cannot read a device's key");
					tokio::time::sleep(CHAIN_PAUSE).await;
				},
				Err(_) => return Err(Unjudged::NoChain),
			}
		}
	}

	/// Commitment, sample, openings, check. The inner result is the finding.
	async fn examine(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: Public,
	) -> Result<Result<(ChallengeCommit, Duration), ChallengeFailure>, Unjudged> {
		let start = ControlRequest::StartChallenge { task: *task };
		let response = match self.ask(task.device, start, clock.ends).await {
			Ok(response) => response,
			Err(reason) => return Ok(Err(reason)),
		};
		let elapsed = clock.elapsed();
		let ControlResponse::Committed { commit, signature } = response else {
			return Ok(Err(ChallengeFailure::Malformed));
		};
		if let Err(reason) = self.check_commit(task, &commit, &key, &signature) {
			return Ok(Err(reason));
		}

		// Drawn only now: the device could not know it when it committed.
		let mut randomness = [0u8; 32];
		rand::rngs::OsRng
			.try_fill_bytes(&mut randomness)
			.map_err(Unjudged::Randomness)?;
		let wanted =
			sample(H256(randomness), task, self.config.samples).map_err(Unjudged::BadTask)?;
		let open = ControlRequest::OpenSegments { round: task.round, segments: wanted.clone() };
		let response = match self.ask(task.device, open, clock.ends).await {
			Ok(response) => response,
			Err(reason) => return Ok(Err(reason)),
		};
		let ControlResponse::Segments { openings } = response else {
			return Ok(Err(ChallengeFailure::Malformed));
		};
		let mut input = openings.as_slice();
		let Ok(openings) =
			Vec::<SegmentOpening>::decode_all_with_depth_limit(MAX_DEPTH, &mut input)
		else {
			return Ok(Err(ChallengeFailure::Malformed));
		};

		// Re-running is this machine's work, not the device's time.
		let _permit = self.checks.acquire().await.map_err(|_| Unjudged::Interrupted)?;
		let (task, root) = (*task, commit.root);
		let checked =
			tokio::task::spawn_blocking(move || check_openings(&task, root, &wanted, &openings));
		let finding = checked.await.map_err(|_| Unjudged::Interrupted)?;
		Ok(finding.map(|()| (commit, elapsed)))
	}

	fn check_commit(
		&self,
		task: &ChallengeTask,
		commit: &ChallengeCommit,
		key: &Public,
		signature: &Signature,
	) -> Result<(), ChallengeFailure> {
		let is_signed = armature_verifier::signature::verify_device(
			Domain::ChallengeCommit,
			&self.genesis,
			task.device,
			commit,
			key,
			signature,
		);
		if !is_signed {
			return Err(ChallengeFailure::BadSignature);
		}
		// A commitment to another round, validly signed, is no answer to this one.
		if commit.round != task.round {
			return Err(ChallengeFailure::Malformed);
		}
		check_power(&commit.power)
	}

	/// Asks until the device answers or the time is over. The request is the same each time, so
	/// that coming back changes nothing for the device.
	async fn ask(
		&self,
		device: DeviceId,
		request: ControlRequest,
		until: Instant,
	) -> Result<ControlResponse, ChallengeFailure> {
		loop {
			let left = until.saturating_duration_since(Instant::now());
			if left.is_zero() {
				return Err(ChallengeFailure::NoAnswer);
			}
			if let Some(peer) = self.peer_of(device) {
				match self.handle.control(peer, request.clone(), left).await {
					Ok(ControlResponse::Refused { reason }) => {
						tracing::debug!(device = device.0, %reason, "device refuses for now");
					},
					Ok(response) => return Ok(response),
					Err(P2pError::BadResponse) => return Err(ChallengeFailure::Malformed),
					Err(error) => {
						tracing::debug!(device = device.0, %error, "device did not answer");
					},
				}
			}
			tokio::time::sleep_until(until.min(Instant::now() + RETRY_PAUSE)).await;
		}
	}

	fn peer_of(&self, device: DeviceId) -> Option<PeerId> {
		let peer = lock(&self.sessions).peer_of(device)?;
		self.handle.is_connected(&peer).then_some(peer)
	}
}
