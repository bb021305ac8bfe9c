//! The tasks of a running agent and how they hang together.

mod beating;
mod leasing;
mod requests;
mod standing;
mod start;

use crate::{
	attest::Attestor,
	beats::Beats,
	chain::{ChainError, ChainPort, UptimeTiming},
	challenge::Challenges,
	config::{Config, ConfigError},
	key::{DeviceKey, KeyError},
	metrics::Metrics,
	peers::Peers,
	store::StoreError,
	telemetry::{Collector, MeterError},
	workload::Workloads,
};
use armature_metrics::MetricsError;
use armature_p2p::{Handle, P2pError};
use armature_primitives::{DeviceId, Moment};
use armature_sandbox::{Sandbox, SandboxError};
use start::{start, Started};
use std::{
	future::Future,
	sync::{Arc, Mutex},
	time::{Duration, Instant},
};
use tokio::{
	sync::{watch, Notify},
	task::JoinSet,
};

/// How often connections are looked at.
const PEER_TICK: Duration = Duration::from_millis(500);

/// How long tasks may take to stop, and the store to be closed then. What must not be lost is on
/// disk.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Pauses after failed calls on the chain.
const CHAIN_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

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
	/// Metrics cannot be served.
	#[error(transparent)]
	Metrics(#[from] MetricsError),
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
	metrics: Arc<Metrics>,
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
	let Started { agent, inbound, mut closing, server } = tokio::select! {
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
	if let Some(server) = server {
		server.stop().await;
	}
	agent.handle.shutdown().await;
	drop(agent);
	// What was cut off is not over at once: deliveries and requests have yet to be dropped, and what
	// is being written is written to its end. All of it holds the store.
	if tokio::time::timeout(STOP_PATIENCE, closing.changed()).await.is_err() {
		tracing::warn!("the store is still in use");
	}
	result
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
			self.metrics.services(self.peers.connected());
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
}

#[cfg(test)]
mod tests;
