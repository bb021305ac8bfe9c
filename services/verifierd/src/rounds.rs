//! Judging one round.

use crate::{
	chain::ChainView,
	config::ChallengeConfig,
	journal::{Evidence, Judged, Sealed},
	service::{lock, timed, CHAIN_TIMEOUT},
};
use armature_p2p::{ControlRequest, ControlResponse, Handle, P2pError, PeerId, Sessions};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeFailure, ChallengeTask, Verdict},
	ed25519::Public,
	signing::Domain,
	DeviceId, H256,
};
use armature_verifier::challenge::{
	check_opening, check_openings, check_power, checkpoints,
	fraud::{FraudProof, SignedCommit},
	sample, task_hash, SegmentOpening,
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

	/// Time until the verdict is due.
	pub(crate) fn left(&self) -> Duration {
		self.ends.saturating_duration_since(Instant::now())
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

/// Why a device did not pass.
struct Fault {
	reason: ChallengeFailure,
	/// The segment that is wrong.
	wrong: Option<SegmentOpening>,
}

impl From<ChallengeFailure> for Fault {
	fn from(reason: ChallengeFailure) -> Self {
		Self { reason, wrong: None }
	}
}

impl Judge {
	/// What a round comes to, at `clock.ends` or a little later at the latest.
	pub(crate) async fn judge(
		&self,
		task: ChallengeTask,
		clock: RoundClock,
	) -> Result<Judged, Unjudged> {
		checkpoints(&task.cpu).map_err(Unjudged::BadTask)?;
		let key = self.device_key(task.device, clock.ends).await?;
		let (signed, elapsed) = match self.commitment(&task, clock, &key).await {
			Ok(committed) => committed,
			Err(reason) => {
				let sealed = seal_up(&task, Verdict::Failed { reason })?;
				return Ok(Judged { sealed, evidence: None, proof: None });
			},
		};
		let mut evidence = Evidence { signed, openings: Vec::new() };
		let finding = self.examine(&task, clock, &mut evidence).await?;
		let signed = &evidence.signed;
		let (verdict, wrong) = match finding {
			Ok(()) => {
				let millis = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
				let verdict = Verdict::Passed {
					elapsed_millis: millis.max(1),
					power: signed.commit.power,
					root: signed.commit.root,
					signature: signed.signature,
				};
				(verdict, None)
			},
			Err(Fault { reason, wrong }) => (Verdict::Failed { reason }, wrong),
		};
		let proof = wrong
			.filter(|_| self.config.prove_frauds)
			.map(|opening| FraudProof::Segment { signed: signed.clone(), opening });
		Ok(Judged { sealed: seal_up(&task, verdict)?, evidence: Some(evidence), proof })
	}

	async fn device_key(&self, device: DeviceId, until: Instant) -> Result<Public, Unjudged> {
		loop {
			let left = until.saturating_duration_since(Instant::now());
			if left.is_zero() {
				return Err(Unjudged::NoChain);
			}
			// A question that hangs must not take the others' time.
			match timed(left.min(CHAIN_TIMEOUT), self.chain.device_key(device)).await {
				Ok(key) => return key.ok_or(Unjudged::UnknownDevice),
				Err(error) => {
					tracing::warn!(device = device.0, %error, "cannot read a device's key");
					tokio::time::sleep_until(until.min(Instant::now() + CHAIN_PAUSE)).await;
				},
			}
		}
	}

	/// What the device signs when its work is done, and how long that took.
	async fn commitment(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: &Public,
	) -> Result<(SignedCommit, Duration), ChallengeFailure> {
		let start = ControlRequest::StartChallenge { task: *task };
		let response = self.ask(task.device, start, clock.ends).await?;
		let elapsed = clock.elapsed();
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
			Ok((SignedCommit { commit, signature }, elapsed))
		} else {
			Err(ChallengeFailure::BadSignature)
		}
	}

	/// Holds a commitment against its task, and a sample of what it commits to against a re-run. The
	/// openings enter the evidence as they come. The inner result is the finding.
	async fn examine(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		evidence: &mut Evidence,
	) -> Result<Result<(), Fault>, Unjudged> {
		if let Err(reason) = check_commit(task, &evidence.signed.commit) {
			return Ok(Err(reason.into()));
		}
		// Drawn only now: the device could not know it when it committed.
		let wanted = sample(randomness()?, task, self.config.samples).map_err(Unjudged::BadTask)?;
		match self.openings(task, wanted.clone(), clock).await {
			Ok(openings) => evidence.openings = openings,
			Err(reason) => return Ok(Err(reason.into())),
		}
		let mut input = evidence.openings.as_slice();
		let Ok(openings) =
			Vec::<SegmentOpening>::decode_all_with_depth_limit(MAX_DEPTH, &mut input)
		else {
			return Ok(Err(ChallengeFailure::Malformed.into()));
		};

		// Re-running is this machine's work, not the device's time.
		let _permit = self.checks.acquire().await.map_err(|_| Unjudged::Interrupted)?;
		let (task, root) = (*task, evidence.signed.commit.root);
		let checked = tokio::task::spawn_blocking(move || rerun(&task, root, &wanted, openings));
		checked.await.map_err(|_| Unjudged::Interrupted)
	}

	/// The encoded openings of the `wanted` segments.
	async fn openings(
		&self,
		task: &ChallengeTask,
		wanted: Vec<(u16, u32)>,
		clock: RoundClock,
	) -> Result<Vec<u8>, ChallengeFailure> {
		let open = ControlRequest::OpenSegments {
			round: task.round,
			task: task_hash(task),
			segments: wanted,
		};
		match self.ask(task.device, open, clock.ends).await? {
			ControlResponse::Segments { openings } => Ok(openings),
			_ => Err(ChallengeFailure::Malformed),
		}
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

/// Whether a signed commitment answers this task, with figures that can be.
fn check_commit(task: &ChallengeTask, commit: &ChallengeCommit) -> Result<(), ChallengeFailure> {
	// A commitment to another task, validly signed, is no answer to this one.
	if commit.task != task_hash(task) {
		return Err(ChallengeFailure::Malformed);
	}
	check_power(&commit.power)
}

/// Checks a whole answer by re-running its segments. A wrong one is run a second time before anybody is
/// accused: the first result may be this machine's fault.
fn rerun(
	task: &ChallengeTask,
	root: H256,
	wanted: &[(u16, u32)],
	openings: Vec<SegmentOpening>,
) -> Result<(), Fault> {
	match check_openings(task, root, wanted, &openings) {
		Ok(()) => Ok(()),
		Err(ChallengeFailure::WrongResult) => again(task, root, openings),
		Err(reason) => Err(reason.into()),
	}
}

/// The second run, which decides.
fn again(task: &ChallengeTask, root: H256, openings: Vec<SegmentOpening>) -> Result<(), Fault> {
	for opening in openings {
		match check_opening(task, root, &opening) {
			Ok(()) => {},
			Err(reason @ ChallengeFailure::WrongResult) => {
				return Err(Fault { reason, wrong: Some(opening) })
			},
			Err(reason) => return Err(reason.into()),
		}
	}
	tracing::error!(
		round = task.round.0,
		"this machine computed a segment in two ways; check its memory and processor"
	);
	Ok(())
}

/// A verdict with the salt that it is sealed with.
fn seal_up(task: &ChallengeTask, verdict: Verdict) -> Result<Sealed, Unjudged> {
	Ok(Sealed { round: task.round, task: task_hash(task), verdict, salt: randomness()? })
}

fn randomness() -> Result<H256, Unjudged> {
	let mut bytes = [0u8; 32];
	rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(Unjudged::Randomness)?;
	Ok(H256(bytes))
}
