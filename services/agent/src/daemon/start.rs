//! How an agent is set up.

use super::{Agent, AgentError, CHAIN_RETRY};
use crate::{
	attest::Attestor,
	beats::Beats,
	blobs::OrchestratorBlobs,
	chain::{ChainError, ChainPort, DeviceView},
	challenge::Challenges,
	clock,
	config::Config,
	key::DeviceKey,
	metrics::Metrics,
	peers::Peers,
	retry::Backoff,
	store::Store,
	telemetry::Collector,
	workload::Workloads,
};
use armature_metrics::Server;
use armature_p2p::{Inbound, Node, NodeConfig, RateLimit};
use armature_sandbox::Sandbox;
use std::{
	future::Future,
	sync::{Arc, Mutex},
	time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch, Notify};

/// How much one peer may ask. It is a service that the agent has dialled, and what it gets of a round is
/// limited: moving data takes many requests.
const RATE: RateLimit = RateLimit { per_second: 2_000, burst: 2_000 };

/// The longest exchange: a challenge's window at its longest.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3_600);

/// An agent that is set up.
pub(super) struct Started {
	pub(super) agent: Agent,
	/// What its peers ask.
	pub(super) inbound: mpsc::Receiver<Inbound>,
	/// See [`Store::closing`].
	pub(super) closing: watch::Receiver<()>,
	/// What serves its metrics, if the settings say so.
	pub(super) server: Option<Server>,
}

/// Sets an agent up. Waits for a chain that cannot be reached.
///
/// # Errors
///
/// [`AgentError`].
pub(super) async fn start(
	config: Config,
	chain: Arc<dyn ChainPort>,
	key: DeviceKey,
	stop: watch::Receiver<bool>,
) -> Result<Started, AgentError> {
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
	let (metrics, registry) = Metrics::new();
	let metrics = Arc::new(metrics);
	let server = match config.metrics.listen {
		Some(listen) => Some(armature_metrics::serve(listen, Arc::new(registry)).await?),
		None => None,
	};
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
		metrics.clone(),
	);
	let challenges = Challenges::new(
		chain.clone(),
		key.clone(),
		genesis,
		device,
		collector.clone(),
		store.clone(),
		config.challenges.planted_share_ppm,
		config.accelerator,
		config.storage.clone(),
		metrics.clone(),
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
		metrics,
		lease_notice: Notify::new(),
		timing: watch::channel(timing).0,
		stop,
		config,
	};
	Ok(Started { agent, inbound, closing, server })
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
