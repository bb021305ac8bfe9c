//! Judging one round.
//!
//! Whatever the kind of work, the device is told what to do, and its commitment, under one root, stops
//! the clock. What it has to show after that is of the kind: see [`lanes`], [`memory`], [`network`],
//! [`gemm`] and [`storage`]. Some kinds are due soon after the round's block: see [`hurry`].
//!
//! A round waits for its device without taking anything from others. Only what a device opens takes one
//! of `max_concurrent` places, until it is checked, and a device that is slow to send it has to give the
//! place back after `opening_millis` and stand in line again. A walk over memory takes the place that its
//! segments need before it begins: a device keeps it for seconds only. Nor does a device that reads its
//! storage give its place back before its time for that is over. Where the way to a device is measured
//! nothing waits: see [`network`].
//!
//! Where this verifier was too busy there is no verdict. A device that says to the end that this verifier
//! is not assigned to the round fails: who seals nothing is fined, and a device must not bring that about.

mod asking;
mod gemm;
mod held;
mod hurry;
mod lanes;
mod memory;
mod network;
mod openings;
mod storage;

pub(crate) use openings::decoded;

use crate::{
	chain::ChainView,
	config::ChallengeConfig,
	journal::{Evidence, Judged, Sealed},
	metrics::Metrics,
	service::{timed, CHAIN_TIMEOUT},
};
use armature_p2p::{Handle, Sessions};
use armature_primitives::{
	challenge::{
		ChallengeCommit, ChallengeFailure, ChallengeTask, Measured, Verdict, Work, WorkKind,
	},
	ed25519::Public,
	DeviceId, H256,
};
use armature_verifier::challenge::{
	check_power, check_work,
	fraud::{FraudProof, SignedCommit},
	network::commit_root,
	task_hash, ChallengeError,
};
use asking::pause;
use hurry::Hurry;
use rand::RngCore;
use std::{
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::{
	sync::{Semaphore, SemaphorePermit},
	time::Instant,
};

/// Pause before the chain is asked again.
const CHAIN_PAUSE: Duration = Duration::from_secs(1);

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
	/// Time since the round was first seen.
	pub(crate) fn elapsed(&self) -> Duration {
		self.already.saturating_add(self.since.elapsed())
	}

	/// So long after the round was first seen; now, where that has passed before this run.
	pub(crate) fn at(&self, elapsed: Duration) -> Instant {
		self.since + elapsed.saturating_sub(self.already)
	}

	/// When the device of this task has to have committed.
	fn commit_ends(&self, task: &ChallengeTask) -> Instant {
		match Hurry::of(task) {
			Some(hurry) => self.at(hurry.commit).min(self.ends),
			None => self.ends,
		}
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
	BadTask(ChallengeError),
	#[error("the chain does not know the device")]
	UnknownDevice,
	#[error("the device's key could not be read in time")]
	NoChain,
	#[error("no place for openings was free in time: raise challenges.max_concurrent")]
	NoPlace,
	#[error("too many transfers at once: raise challenges.max_transfers")]
	NoTransfer,
	#[error(
		"this verifier was away, or saw the round too late, for what is due soon after its block: keep it \
		 running, and challenges.posting_margin_millis short"
	)]
	TooLate,
	#[error("no randomness from the operating system: {0}")]
	Randomness(rand::Error),
	#[error("checking was interrupted")]
	Interrupted,
}

/// Why nothing more is asked of a device.
#[derive(Debug)]
enum Halt {
	/// It does not pass.
	Failed(ChallengeFailure),
	/// It does not pass, and that can be proved already.
	Fraud(Box<FraudProof>),
	/// There is no verdict.
	Unjudged(Unjudged),
}

impl From<ChallengeFailure> for Halt {
	fn from(reason: ChallengeFailure) -> Self {
		Self::Failed(reason)
	}
}

impl From<Unjudged> for Halt {
	fn from(reason: Unjudged) -> Self {
		Self::Unjudged(reason)
	}
}

impl Halt {
	/// What the round comes to.
	fn settled(self) -> Result<Finding, Unjudged> {
		match self {
			Self::Failed(reason) => Ok(reason.into()),
			Self::Fraud(proof) => {
				let wrong = Finding::from(ChallengeFailure::WrongResult);
				Ok(Finding { proof: Some(*proof), ..wrong })
			},
			Self::Unjudged(reason) => Err(reason),
		}
	}
}

/// What looking at what a device committed to came to.
#[derive(Debug)]
struct Finding {
	/// How fast the device was, or why it does not pass.
	result: Result<Measured, ChallengeFailure>,
	/// Shows the chain that it is a fraud.
	proof: Option<FraudProof>,
	/// What is kept of what it opened.
	openings: Vec<u8>,
}

impl From<ChallengeFailure> for Finding {
	fn from(reason: ChallengeFailure) -> Self {
		Self { result: Err(reason), proof: None, openings: Vec::new() }
	}
}

/// Judges rounds.
pub(crate) struct Judge {
	handle: Handle,
	chain: Arc<dyn ChainView>,
	genesis: H256,
	sessions: Arc<Mutex<Sessions>>,
	config: ChallengeConfig,
	metrics: Arc<Metrics>,
	/// For openings that are fetched and checked, and walks that are opened.
	places: Semaphore,
	/// For those that are checked.
	checks: Semaphore,
	/// For data that is moved.
	transfers: Semaphore,
}

/// A place for openings, while it lives.
struct Place<'a> {
	/// What has not come by then stands in line again.
	until: Instant,
	_permit: SemaphorePermit<'a>,
}

impl Judge {
	/// For a service, without a round yet.
	pub(crate) fn new(
		handle: Handle,
		chain: Arc<dyn ChainView>,
		sessions: Arc<Mutex<Sessions>>,
		config: ChallengeConfig,
		metrics: Arc<Metrics>,
	) -> Self {
		let at_once = |count: usize| Semaphore::new(count.min(Semaphore::MAX_PERMITS));
		Self {
			genesis: chain.genesis(),
			places: at_once(config.max_concurrent),
			checks: at_once(config.max_checks),
			transfers: at_once(config.max_transfers),
			handle,
			chain,
			sessions,
			config,
			metrics,
		}
	}

	/// What a round comes to, at `clock.ends` or a little later at the latest.
	pub(crate) async fn judge(
		&self,
		task: ChallengeTask,
		clock: RoundClock,
	) -> Result<Judged, Unjudged> {
		check_work(&task.work).map_err(Unjudged::BadTask)?;
		let key = self.device_key(task.device, clock.ends).await?;
		hurry::check_start(&task, clock)?;
		let (signed, millis) = match self.first_commitment(&task, clock, &key).await {
			Ok(committed) => committed,
			Err(reason) => {
				let reason = hurry::blamed(&task, clock, reason)?;
				let sealed = seal_up(&task, Verdict::Failed { reason })?;
				return Ok(Judged { sealed, evidence: None, proof: None });
			},
		};
		let finding = self.examine(&task, clock, &key, &signed, millis).await?;
		let Finding { result, proof, openings } = finding;
		let verdict = match result {
			Ok(measured) => Verdict::Passed {
				measured,
				power: signed.commit.power,
				root: signed.commit.root,
				signature: signed.signature,
			},
			Err(reason) => Verdict::Failed { reason },
		};
		Ok(Judged {
			sealed: seal_up(&task, verdict)?,
			evidence: Some(Evidence { signed, openings }),
			proof: proof.filter(|_| self.config.prove_frauds),
		})
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
					pause(until, CHAIN_PAUSE).await;
				},
			}
		}
	}

	/// Holds a commitment against its task, and a sample of what it commits to against what it should
	/// be.
	async fn examine(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: &Public,
		signed: &SignedCommit,
		millis: u32,
	) -> Result<Finding, Unjudged> {
		if let Err(reason) = check_commit(task, &signed.commit) {
			return Ok(reason.into());
		}
		match task.work {
			Work::Cpu(_) => self.examine_lanes(task, clock, key, signed, millis).await,
			Work::Memory(_) => self.examine_memory(task, clock, key, signed, millis).await,
			Work::Network(network) => {
				self.examine_network(task, &network, clock, key, signed, millis).await
			},
			Work::Gemm(_) => self.examine_gemm(task, clock, key, signed, millis).await,
			Work::Storage(_) => self.examine_storage(task, clock, key, signed, millis).await,
		}
	}

	/// Waits for a place for openings.
	async fn place(&self, clock: RoundClock) -> Result<Place<'_>, Unjudged> {
		self.place_by(clock.ends, clock).await?.ok_or(Unjudged::NoPlace)
	}

	/// Waits for a place for openings, but not beyond `until`.
	async fn place_by(
		&self,
		until: Instant,
		clock: RoundClock,
	) -> Result<Option<Place<'_>>, Unjudged> {
		match tokio::time::timeout_at(until, self.places.acquire()).await {
			Ok(Ok(permit)) => Ok(Some(Place { until: self.place_ends(clock), _permit: permit })),
			Ok(Err(_)) => Err(Unjudged::Interrupted),
			Err(_) => Ok(None),
		}
	}

	/// When a place that is taken now has to be given back.
	fn place_ends(&self, clock: RoundClock) -> Instant {
		Instant::now() + Duration::from_millis(self.config.opening_millis).min(clock.left())
	}

	/// Checks openings. That is this machine's work, not the device's time.
	async fn check<T: Send + 'static>(
		&self,
		kind: WorkKind,
		work: impl FnOnce() -> T + Send + 'static,
	) -> Result<T, Unjudged> {
		let _permit = self.checks.acquire().await.map_err(|_| Unjudged::Interrupted)?;
		let since = Instant::now();
		let done = tokio::task::spawn_blocking(work).await.map_err(|_| Unjudged::Interrupted)?;
		self.metrics.checked(kind, since.elapsed());
		Ok(done)
	}
}

/// Whether a signed commitment answers this task, with figures that can be.
fn check_commit(task: &ChallengeTask, commit: &ChallengeCommit) -> Result<(), ChallengeFailure> {
	// A commitment to another task, validly signed, is no answer to this one.
	if commit.task != task_hash(task) {
		return Err(ChallengeFailure::Malformed);
	}
	// Where nothing is computed there is one root only.
	if !task.work.kind().is_computed() && commit.root != commit_root(task) {
		return Err(ChallengeFailure::BadOpening);
	}
	check_power(&commit.power)
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
