//! The tasks of a running agent and how they hang together.

mod requests;

use crate::{
	attest::{AttestError, Attestor},
	beats::{Beats, Skipped},
	blobs::OrchestratorBlobs,
	chain::{
		BestBlock, ChainError, ChainPort, ChainResult, ChallengeStanding, DeviceView, LeasePhase,
		UptimeTiming,
	},
	challenge::{Challenges, PlantedError},
	clock,
	config::{Config, ConfigError},
	key::{DeviceKey, KeyError},
	peers::Peers,
	retry::Backoff,
	store::{Store, StoreError},
	telemetry::{Collector, MeterError},
	workload::{Progress, WorkError, Workloads},
};
use armature_p2p::{
	ControlRequest, ControlResponse, Handle, Inbound, Node, NodeConfig, P2pError, PeerId,
	RateLimit, Refusal,
};
use armature_primitives::{
	ed25519, telemetry::Beat, telemetry::BeatAck, DeviceId, EpochIndex, Moment,
};
use armature_sandbox::{Sandbox, SandboxError};
use armature_sdk::refused_error;
use std::{
	collections::HashMap,
	future::Future,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant},
};
use tokio::{
	sync::{mpsc, watch, Notify},
	task::JoinSet,
};

/// How much one peer may ask. It is a service that the agent has dialled, and what it gets of a round is
/// limited: moving data takes many requests.
const RATE: RateLimit = RateLimit { per_second: 2_000, burst: 2_000 };

/// The longest exchange: a challenge's window at its longest.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Orchestrators that a beat goes to.
const BEAT_TARGETS: usize = 3;

/// Slots for which a block hash counts as recent.
const RECENT_SLOTS: u64 = 6;

/// Times that a leaf is refused before it is given up.
const LEAF_ATTEMPTS: u32 = 3;

/// How often connections are looked at.
const PEER_TICK: Duration = Duration::from_millis(500);

/// How long tasks may take to stop, and the store to be closed then. What must not be lost is on
/// disk.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Pauses after failed calls on the chain.
const CHAIN_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Pauses after refused calls, which cost fees.
const REFUSED_RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3_600));

/// Pauses after the machine gave no evidence, which costs nothing and may pass soon.
const UNREADY_RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
	/// The configuration is wrong.
	#[error(transparent)]
	Config(#[from] ConfigError),
	/// There is no usable device key.
	#[error(transparent)]
	Key(#[from] KeyError),
	/// The store cannot be used.
	#[error(transparent)]
	Store(#[from] StoreError),
	/// The configured power meter cannot be used.
	#[error(transparent)]
	Meter(#[from] MeterError),
	/// The sandbox cannot be set up.
	#[error(transparent)]
	Sandbox(#[from] SandboxError),
	/// The node cannot be set up.
	#[error(transparent)]
	P2p(#[from] P2pError),
	/// The data directory cannot be made.
	#[error("creating {path}")]
	DataDir {
		/// The directory.
		path: std::path::PathBuf,
		/// What the system says.
		source: std::io::Error,
	},
	/// The chain refused to answer what every agent has to know.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The device is not on the chain.
	#[error("device {0} is not registered: register it with `armature device add`")]
	NotRegistered(DeviceId),
	/// The device is registered with another key.
	#[error("device {0} is registered with another key than the one in {1}")]
	WrongKey(DeviceId, std::path::PathBuf),
	/// A task of the agent failed.
	#[error("a task failed: {0}")]
	Task(String),
}

/// What all tasks share.
struct Agent {
	config: Config,
	chain: Arc<dyn ChainPort>,
	attestor: Attestor,
	device: DeviceId,
	started_at: Moment,
	handle: Handle,
	peers: Arc<Peers>,
	beats: Beats,
	collector: Arc<Mutex<Collector>>,
	challenges: Arc<Challenges>,
	workloads: Workloads,
	sandbox: Sandbox,
	lease_notice: Notify,
	timing: watch::Sender<UptimeTiming>,
	stop: watch::Receiver<bool>,
}

/// Runs an agent until `shutdown` completes or something fails for good, and returns when its store
/// is closed. Waits for a chain that cannot be reached.
pub async fn run(
	config: Config,
	chain: Arc<dyn ChainPort>,
	shutdown: impl Future<Output = ()> + Send,
) -> Result<(), AgentError> {
	config.check()?;
	std::fs::create_dir_all(&config.data_dir)
		.map_err(|source| AgentError::DataDir { path: config.data_dir.clone(), source })?;
	let key = DeviceKey::load(&config.key_path())?;
	let (stop_sender, stop) = watch::channel(false);
	tokio::pin!(shutdown);

	let start = start(config, chain, key, stop);
	let (agent, inbound, mut closing) = tokio::select! {
		started = start => started?,
		() = &mut shutdown => return Ok(()),
	};
	let agent = Arc::new(agent);
	let mut tasks = JoinSet::new();
	tasks.spawn(agent.clone().keep_peers());
	tasks.spawn(agent.clone().make_beats());
	tasks.spawn(agent.clone().submit_leaves());
	tasks.spawn(agent.clone().keep_standing());
	tasks.spawn(agent.clone().run_leases());
	tasks.spawn(agent.clone().answer(inbound));
	tracing::info!(device = agent.device.0, peer = %agent.handle.peer_id(), "agent ready");

	let result = tokio::select! {
		() = &mut shutdown => Ok(()),
		ended = tasks.join_next() => match ended {
			Some(Ok(result)) => result,
			Some(Err(error)) => Err(AgentError::Task(error.to_string())),
			None => Ok(()),
		},
	};
	tracing::info!("agent stopping");
	stop_sender.send(true).ok();
	agent.sandbox.stop();
	agent.challenges.stop();
	// Tasks see the stop between two of their steps; a beat that is being stored is stored.
	let all = async { while tasks.join_next().await.is_some() {} };
	if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
		tracing::warn!("some tasks did not stop in time and are cut off");
	}
	tasks.shutdown().await;
	agent.handle.shutdown().await;
	drop(agent);
	// What was cut off is not over at once: deliveries and requests have yet to be dropped, and what
	// is being written is written to its end. All of it holds the store.
	if tokio::time::timeout(STOP_PATIENCE, closing.changed()).await.is_err() {
		tracing::warn!("the store is still in use");
	}
	result
}

async fn start(
	config: Config,
	chain: Arc<dyn ChainPort>,
	key: DeviceKey,
	stop: watch::Receiver<bool>,
) -> Result<(Agent, mpsc::Receiver<Inbound>, watch::Receiver<()>), AgentError> {
	let device = config.device;
	let genesis = patiently("asking for the genesis hash", || chain.genesis()).await?;
	let view = patiently("asking for the device", || chain.device(device)).await?;
	let view: DeviceView = view.ok_or(AgentError::NotRegistered(device))?;
	if view.key != key.public() {
		return Err(AgentError::WrongKey(device, config.key_path()));
	}
	let timing = patiently("asking for the epoch's length", || chain.uptime_timing()).await?;

	let store = Arc::new(Store::open(&config.store_path(), &genesis, device)?);
	let closing = store.closing();
	let collector = Arc::new(Mutex::new(Collector::new(&config.power, &config.data_dir)?));
	let sandbox = Sandbox::new()?;
	let (handle, inbound) = Node::spawn(NodeConfig {
		identity: key.derive_secret("armature/p2p-identity"),
		listen: Vec::new(),
		request_timeout: REQUEST_TIMEOUT,
		max_peers: config.network.max_peers,
		rate: RATE,
	})?;
	let peers =
		Arc::new(Peers::new(handle.clone(), key.clone(), genesis, device, config.network.clone()));
	let blobs = OrchestratorBlobs::new(handle.clone(), peers.clone(), key.clone(), genesis, device);
	let workloads = Workloads::new(
		chain.clone(),
		Arc::new(blobs),
		store.clone(),
		sandbox.clone(),
		view.memory_mib,
		config.workload.enabled,
	);
	let challenges = Challenges::new(
		chain.clone(),
		key.clone(),
		genesis,
		device,
		collector.clone(),
		store.clone(),
		config.challenges.planted_share_ppm,
	);
	let agent = Agent {
		attestor: Attestor::new(
			chain.clone(),
			key.clone(),
			genesis,
			device,
			config.data_dir.clone(),
			&config.evidence,
		),
		chain,
		beats: Beats::new(store, key, genesis, device),
		device,
		started_at: clock::now(),
		handle,
		peers,
		collector,
		challenges: Arc::new(challenges),
		workloads,
		sandbox,
		lease_notice: Notify::new(),
		timing: watch::channel(timing).0,
		stop,
		config,
	};
	Ok((agent, inbound, closing))
}

/// Asks the chain until it answers. A refusal is an answer.
async fn patiently<T, F>(what: &str, ask: impl Fn() -> F) -> Result<T, ChainError>
where
	F: Future<Output = Result<T, ChainError>>,
{
	let mut backoff = Backoff::new(CHAIN_RETRY.0, CHAIN_RETRY.1);
	loop {
		match ask().await {
			Err(ChainError::Unavailable(error)) => {
				let pause = backoff.fail(Instant::now());
				tracing::warn!(what, %error, ?pause, "the chain does not answer");
				tokio::time::sleep(pause).await;
			},
			answer => return answer,
		}
	}
}

impl Agent {
	/// Sleeps; false when the agent stops.
	async fn pause(&self, pause: Duration) -> bool {
		let mut stop = self.stop.clone();
		tokio::select! {
			() = tokio::time::sleep(pause) => true,
			// An error says that the sender is gone, which is a stop too.
			_ = stop.wait_for(|stop| *stop) => false,
		}
	}

	async fn keep_peers(self: Arc<Self>) -> Result<(), AgentError> {
		let upkeep = Duration::from_millis(self.config.poll.upkeep_millis);
		let mut refreshed: Option<Instant> = None;
		loop {
			if refreshed.is_none_or(|at| at.elapsed() >= upkeep) {
				match self.refresh_targets().await {
					Ok(()) => refreshed = Some(Instant::now()),
					Err(error) => {
						tracing::warn!(%error, "could not ask the chain for services");
						if !self.pause(CHAIN_RETRY.0).await {
							return Ok(());
						}
					},
				}
			}
			self.peers.maintain();
			if !self.pause(PEER_TICK).await {
				return Ok(());
			}
		}
	}

	async fn refresh_targets(&self) -> Result<(), ChainError> {
		// The region is the site's and may change.
		let Some(view) = self.chain.device(self.device).await? else { return Ok(()) };
		let orchestrators = self.chain.orchestrators_of(view.region).await?;
		let verifiers = self.chain.verifiers().await?;
		self.peers.set_targets(orchestrators, verifiers).await;
		Ok(())
	}

	async fn make_beats(self: Arc<Self>) -> Result<(), AgentError> {
		let mut block: Option<(BestBlock, Instant)> = None;
		// Ends with this task.
		let mut deliveries = JoinSet::new();
		loop {
			let timing = *self.timing.borrow();
			let slot = timing.clock.slot_millis.get();
			if !self.pause(until_next_beat(self.device, slot, clock::now())).await {
				return Ok(());
			}
			let patience = Duration::from_millis(slot.div_ceil(4)).min(Duration::from_secs(5));
			match tokio::time::timeout(patience, self.chain.best_block()).await {
				Ok(Ok(best)) => block = Some((best, Instant::now())),
				Ok(Err(error)) => tracing::warn!(%error, "could not ask for the best block"),
				Err(_) => tracing::warn!("the chain did not tell its best block in time"),
			}
			let recent = Duration::from_millis(slot.saturating_mul(RECENT_SLOTS));
			let Some((best, _)) = block.filter(|(_, at)| at.elapsed() <= recent) else {
				tracing::warn!("no recent block is known; no beat for this slot");
				continue;
			};
			let agent = self.clone();
			let made = tokio::task::spawn_blocking(move || {
				let now = clock::now();
				let sample =
					agent.collector.lock().unwrap_or_else(PoisonError::into_inner).sample(now);
				agent.beats.beat(timing.clock, clock::now(), best.hash, &sample)
			})
			.await
			.map_err(|error| AgentError::Task(error.to_string()))??;
			match made {
				Ok((beat, signature)) => self.send_beat(&mut deliveries, beat, signature, slot),
				Err(Skipped::AlreadyMade) => {},
				Err(skipped @ (Skipped::ClockWentBack | Skipped::EpochSealed)) => {
					tracing::warn!(?skipped, "no beat for this slot; check this machine's clock");
				},
			}
		}
	}

	/// Sends a beat without waiting for the answers, each target in a task of `deliveries`.
	fn send_beat(
		self: &Arc<Self>,
		deliveries: &mut JoinSet<()>,
		beat: Beat,
		signature: ed25519::Signature,
		slot_millis: u64,
	) {
		while let Some(done) = deliveries.try_join_next() {
			if let Err(error) = done {
				tracing::error!(%error, "delivering a beat failed");
			}
		}
		let targets: Vec<PeerId> =
			self.peers.orchestrators().into_iter().take(BEAT_TARGETS).collect();
		if targets.is_empty() {
			tracing::debug!(slot = beat.slot, "no orchestrator is connected for this beat");
		}
		let patience = Duration::from_millis(slot_millis)
			.clamp(Duration::from_millis(500), Duration::from_secs(20));
		for peer in targets {
			let (agent, beat, signature) = (self.clone(), beat.clone(), signature);
			deliveries.spawn(async move {
				let request = ControlRequest::Beat { beat: beat.clone(), signature };
				match agent.handle.control(peer, request, patience).await {
					Ok(ControlResponse::BeatAck { ack, .. }) if acknowledges(&ack, &beat) => {},
					Ok(ControlResponse::Refused { reason: Refusal::UnknownDevice }) => {
						agent.peers.forgot_us(&peer)
					},
					Ok(other) => tracing::warn!(%peer, ?other, "a beat was not acknowledged"),
					Err(error) => tracing::warn!(%peer, %error, "a beat was not delivered"),
				}
			});
		}
	}

	async fn submit_leaves(self: Arc<Self>) -> Result<(), AgentError> {
		let mut refusals: HashMap<EpochIndex, u32> = HashMap::new();
		loop {
			let timing = *self.timing.borrow();
			let slot = Duration::from_millis(timing.clock.slot_millis.get());
			if !self
				.pause(slot.clamp(Duration::from_millis(200), Duration::from_secs(10)))
				.await
			{
				return Ok(());
			}
			self.submit_due_leaves(&timing, &mut refusals).await?;
		}
	}

	async fn submit_due_leaves(
		&self,
		timing: &UptimeTiming,
		refusals: &mut HashMap<EpochIndex, u32>,
	) -> Result<(), StoreError> {
		let waiting = self.beats.seal(clock::now())?;
		if waiting.is_empty() {
			return Ok(());
		}
		let best = match self.chain.best_block().await {
			Ok(best) => best,
			Err(error) => {
				tracing::warn!(%error, "could not ask for the chain's time");
				return Ok(());
			},
		};
		let grace = timing
			.clock
			.epoch_millis()
			.saturating_mul(u64::from(timing.catch_up_epochs).saturating_add(1));
		for sealed in waiting {
			let epoch = sealed.leaf.epoch;
			// The chain takes no leaf of an epoch that is not over by its own clock.
			if best.time < sealed.ended_at {
				break;
			}
			match self.chain.submit_leaf(sealed.leaf, sealed.signature).await {
				Ok(()) => {
					tracing::info!(epoch = epoch.0, "leaf submitted");
					self.beats.mark_submitted(epoch)?;
					self.beats.prune()?;
					refusals.remove(&epoch);
				},
				Err(ChainError::Unavailable(error)) => {
					tracing::warn!(epoch = epoch.0, %error, "leaf not submitted yet");
					break;
				},
				Err(ChainError::Rejected(error)) => {
					let count = refusals.entry(epoch).or_default();
					*count = count.saturating_add(1);
					let late = best.time > sealed.ended_at.saturating_add(grace);
					tracing::warn!(epoch = epoch.0, %error, late, "leaf refused");
					if late || *count >= LEAF_ATTEMPTS {
						self.beats.mark_lapsed(epoch)?;
						refusals.remove(&epoch);
					} else {
						// A later leaf would shut this one out.
						break;
					}
				},
			}
		}
		Ok(())
	}

	/// Keeps the device attested, enrolled and scored, and its planted answers announced and shown.
	async fn keep_standing(self: Arc<Self>) -> Result<(), AgentError> {
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

	/// Attests and enrols the device where that is due, and asks for a round if it has no score, unless
	/// its score comes back by itself.
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

	async fn run_leases(self: Arc<Self>) -> Result<(), AgentError> {
		let pause = Duration::from_millis(self.config.poll.leases_millis);
		loop {
			let moved = match self.step_leases().await {
				Ok(moved) => moved,
				Err(WorkError::Store(error)) => return Err(error.into()),
				Err(error) => {
					tracing::warn!(%error, "a lease got no further");
					false
				},
			};
			if *self.stop.borrow() {
				return Ok(());
			}
			if moved {
				continue;
			}
			tokio::select! {
				go_on = self.pause(pause) => if !go_on { return Ok(()) },
				() = self.lease_notice.notified() => {},
			}
		}
	}

	/// One step of each open lease; true when one moved.
	async fn step_leases(&self) -> Result<bool, WorkError> {
		let leases = self.chain.leases_of_device(self.device).await?;
		self.workloads.forget_closed(&leases)?;
		let mut moved = false;
		for lease in &leases {
			// Verifiers have no use for what is filled any more, and the workload needs it.
			if matches!(lease.phase, LeasePhase::Acknowledged { .. } | LeasePhase::Running { .. }) {
				self.challenges.free_memory().await;
			}
			match self.workloads.step(lease).await {
				Ok(progress) => moved |= progress == Progress::Moved,
				Err(WorkError::Store(error)) => return Err(error.into()),
				Err(error) => tracing::warn!(lease = lease.id.0, %error, "a lease got no further"),
			}
		}
		Ok(moved)
	}
}

/// Whether a call to take part in challenges was executed. One that came too late, for a round is to come
/// or just ended, is no fault: what it was to bring about is settled.
fn is_done(called: ChainResult<()>) -> ChainResult<bool> {
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

/// Whether an acknowledgement is one of this beat.
fn acknowledges(ack: &BeatAck, beat: &Beat) -> bool {
	ack.head == beat.link() && ack.epoch == beat.epoch && ack.slot == beat.slot
}

/// How long to wait for this device's place in the next slot. Devices spread over the first half
/// of a slot by their id, so that they do not all speak at once.
fn until_next_beat(device: DeviceId, slot_millis: u64, now: Moment) -> Duration {
	let spread = (slot_millis / 2).max(1);
	// Knuth's multiplicative hash: neighbouring ids lie far apart.
	let place = u64::from(device.0.wrapping_mul(2_654_435_769));
	let offset = place.saturating_mul(spread) >> 32;
	let into = now.checked_rem(slot_millis).unwrap_or(0);
	let wait = if into < offset {
		offset.saturating_sub(into)
	} else {
		slot_millis.saturating_sub(into).saturating_add(offset)
	};
	Duration::from_millis(wait)
}

#[cfg(test)]
mod tests;
