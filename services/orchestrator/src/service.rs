//! The running service: requests in, notices out.

mod blobs;
mod dispatch;
mod maintenance;
mod requests;

use self::{dispatch::dispatch, maintenance::maintain, requests::serve};
use crate::{
	beats::{check_signatures, BeatBook, Check},
	chain::{ChainError, ChainView, DeviceView},
	config::Config,
	error::Error,
	metrics::Metrics,
	store::Store,
};
use armature_metrics::Server;
use armature_p2p::{load_or_create_seed, Handle, Node, NodeConfig, PeerId, Refusal, Sessions};
use armature_primitives::{
	device::DeviceStatus,
	ed25519::{Public, Signature},
	telemetry::EpochClock,
	DeviceId, Moment, H256,
};
use ed25519_dalek::SigningKey;
use std::{
	future::Future,
	net::SocketAddr,
	sync::{atomic::AtomicU32, Arc, Mutex, MutexGuard},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	sync::{mpsc, oneshot, watch, Semaphore},
	task::JoinSet,
};

/// Requests that use the disk at once.
const MAX_DISK_REQUESTS: usize = 4;

/// Questions to the chain at once.
const MAX_CHAIN_REQUESTS: usize = 32;

/// Signatures that may wait to be checked.
const CHECK_QUEUE: usize = 1024;

const CHAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stop waits for the store's last write.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A running orchestrator.
pub struct Orchestrator {
	handle: Handle,
	addresses: Vec<String>,
	metrics: Option<Server>,
	tasks: JoinSet<()>,
	/// The store's [`Store::closing`].
	closing: watch::Receiver<()>,
}

impl Orchestrator {
	/// Opens the store, listens, and serves until [`Orchestrator::stop`] or the drop of this value.
	pub async fn start(config: Config, chain: Arc<dyn ChainView>) -> Result<Self, Error> {
		config.validate()?;
		let clock = timed(chain.epoch_clock()).await?;
		let (data_dir, identity_file) = (config.data_dir.clone(), config.identity_file.clone());
		let limits = config.blobs.clone();
		let opening = tokio::task::spawn_blocking(move || -> Result<_, Error> {
			std::fs::create_dir_all(&data_dir).map_err(|source| Error::File {
				action: "making the data folder",
				path: data_dir.clone(),
				source,
			})?;
			let seed = load_or_create_seed(&identity_file)?;
			Ok((seed, Store::open(&data_dir, limits)?))
		});
		let (seed, store) = opening.await.map_err(Error::Interrupted)??;
		let closing = store.closing();
		let (metrics, registry) = Metrics::new();
		metrics.stored(store.totals());
		let server = match config.metrics.listen {
			Some(listen) => Some(armature_metrics::serve(listen, Arc::new(registry)).await?),
			None => None,
		};
		let (handle, inbound) = Node::spawn(NodeConfig {
			identity: seed,
			listen: config.listen.clone(),
			request_timeout: config.request_timeout(),
			max_peers: config.network.max_peers,
			rate: config.rate(),
		})?;
		let addresses = handle.listen_addresses().await?;
		tracing::info!(region = config.region.0, ?addresses, "orchestrator serves");
		let (checks, check_receiver) = mpsc::channel(CHECK_QUEUE);
		let service = Arc::new(Service {
			genesis: chain.genesis(),
			config,
			chain,
			clock: Mutex::new(clock),
			handle: handle.clone(),
			key: SigningKey::from_bytes(&seed),
			sessions: Mutex::default(),
			beats: Mutex::default(),
			store: Arc::new(store),
			metrics: Arc::new(metrics),
			checks,
			disk: Semaphore::new(MAX_DISK_REQUESTS),
			chain_requests: Semaphore::new(MAX_CHAIN_REQUESTS),
			offered: AtomicU32::new(0),
			started_at: unix_millis(),
		});
		let mut tasks = JoinSet::new();
		tasks.spawn(check_signatures(check_receiver));
		tasks.spawn(serve(service.clone(), inbound));
		tasks.spawn(dispatch(service.clone()));
		tasks.spawn(maintain(service));
		Ok(Self { handle, addresses, metrics: server, tasks, closing })
	}

	/// Its peer id, which is also the key that it acknowledges beats with.
	pub fn peer_id(&self) -> PeerId {
		self.handle.peer_id()
	}

	/// Where it listens, each ending in `/p2p/<peer id>`.
	pub fn addresses(&self) -> &[String] {
		&self.addresses
	}

	/// Where its metrics are served, if the settings say so.
	pub fn metrics_address(&self) -> Option<SocketAddr> {
		self.metrics.as_ref().map(Server::address)
	}

	/// Stops serving and waits until everything has stopped and the store is closed.
	pub async fn stop(mut self) {
		if let Some(metrics) = self.metrics.take() {
			metrics.stop().await;
		}
		self.handle.shutdown().await;
		self.tasks.shutdown().await;
		// What these tasks had begun is not over with them: requests have yet to be dropped, and what
		// is being written is written to its end. All of it holds the store.
		if tokio::time::timeout(CLOSE_TIMEOUT, self.closing.changed()).await.is_err() {
			tracing::warn!("the store is still in use");
		}
	}
}

/// Runs an orchestrator until `shutdown` completes.
pub async fn run(
	config: Config,
	chain: Arc<dyn ChainView>,
	shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
	let orchestrator = Orchestrator::start(config, chain).await?;
	shutdown.await;
	tracing::info!("orchestrator stops");
	orchestrator.stop().await;
	Ok(())
}

struct Service {
	config: Config,
	chain: Arc<dyn ChainView>,
	genesis: H256,
	clock: Mutex<EpochClock>,
	handle: Handle,
	key: SigningKey,
	sessions: Mutex<Sessions>,
	beats: Mutex<BeatBook>,
	store: Arc<Store>,
	metrics: Arc<Metrics>,
	checks: mpsc::Sender<Check>,
	disk: Semaphore,
	chain_requests: Semaphore,
	/// Leases that waited at the last look.
	offered: AtomicU32,
	started_at: Moment,
}

impl Service {
	/// A device of this region that has not left.
	async fn device(&self, id: DeviceId) -> Result<DeviceView, Refusal> {
		let _permit = self.chain_requests.acquire().await.map_err(|_| Refusal::Internal)?;
		let view = timed(self.chain.device(id)).await.map_err(|error| {
			tracing::warn!(device = id.0, %error, "cannot read a device");
			Refusal::Internal
		})?;
		let view = view.ok_or(Refusal::UnknownDevice)?;
		if view.region != self.config.region || view.status == DeviceStatus::Retired {
			return Err(Refusal::NotAssigned);
		}
		Ok(view)
	}

	async fn is_signed(
		&self,
		payload: Vec<u8>,
		signature: Signature,
		key: Public,
	) -> Result<bool, Refusal> {
		let (verdict, answer) = oneshot::channel();
		let check = Check { payload, signature, key, verdict };
		self.checks.try_send(check).map_err(|_| Refusal::Busy)?;
		answer.await.map_err(|_| Refusal::Internal)
	}

	async fn with_store<T: Send + 'static>(
		&self,
		work: impl FnOnce(&Store) -> Result<T, Refusal> + Send + 'static,
	) -> Result<T, Refusal> {
		let _permit = self.disk.acquire().await.map_err(|_| Refusal::Internal)?;
		let (store, metrics) = (self.store.clone(), self.metrics.clone());
		let working = tokio::task::spawn_blocking(move || {
			let done = work(&store);
			metrics.stored(store.totals());
			done
		});
		working.await.map_err(|error| {
			tracing::error!(%error, "a disk request failed");
			Refusal::Internal
		})?
	}
}

async fn timed<T>(question: impl Future<Output = Result<T, ChainError>>) -> Result<T, ChainError> {
	tokio::time::timeout(CHAIN_TIMEOUT, question)
		.await
		.unwrap_or_else(|_| Err(ChainError("no answer in time".into())))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// What is behind these locks is changed in single steps.
	mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn unix_millis() -> Moment {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.ok()
		.and_then(|since| Moment::try_from(since.as_millis()).ok())
		.unwrap_or_default()
}
