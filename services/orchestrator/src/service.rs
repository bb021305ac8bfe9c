//! The running service: requests in, notices out.

use crate::{
	beats::{check_signatures, is_timely, BeatBook, Check},
	chain::{Account, ChainError, ChainView, DeviceView},
	config::Config,
	error::Error,
	store::{Owner, Part, Store},
};
use armature_p2p::{
	load_or_create_seed,
	messages::{beat_ack_payload, beat_payload, hello_payload, put_payload, MAX_VERSION_LEN},
	BlobRequest, BlobResponse, ControlRequest, ControlResponse, Handle, Inbound, InboundRequest,
	Node, NodeConfig, PeerId, PutAuth, Refusal, ServiceKind, Session, Sessions, StatusReport,
};
use armature_primitives::{
	device::DeviceStatus,
	ed25519::{Public, Signature},
	telemetry::{Beat, EpochClock},
	Balance, DeviceId, LeaseId, Moment, H256,
};
use ed25519_dalek::{Signer, SigningKey};
use futures::StreamExt;
use std::{
	collections::{HashMap, HashSet},
	future::Future,
	sync::{
		atomic::{AtomicU32, Ordering},
		Arc, Mutex, MutexGuard,
	},
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
	sync::{mpsc, oneshot, watch, Semaphore},
	task::JoinSet,
};

/// Requests that are worked on at once; more are answered `Busy`.
const MAX_REQUESTS: usize = 1024;

/// Requests that use the disk at once.
const MAX_DISK_REQUESTS: usize = 4;

/// Questions to the chain at once.
const MAX_CHAIN_REQUESTS: usize = 32;

/// Signatures that may wait to be checked.
const CHECK_QUEUE: usize = 1024;

/// Notices under way at once.
const MAX_NOTICES: usize = 32;

const CHAIN_TIMEOUT: Duration = Duration::from_secs(10);
const NOTICE_TIMEOUT: Duration = Duration::from_secs(10);
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

/// How long a stop waits for the store's last write.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A difference to the chain's clock that is worth a warning: some blocks and a lot of drift.
const MAX_DRIFT_MILLIS: u64 = 60_000;

/// A running orchestrator.
pub struct Orchestrator {
	handle: Handle,
	addresses: Vec<String>,
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
		Ok(Self { handle, addresses, tasks, closing })
	}

	/// Its peer id, which is also the key that it acknowledges beats with.
	pub fn peer_id(&self) -> PeerId {
		self.handle.peer_id()
	}

	/// Where it listens, each ending in `/p2p/<peer id>`.
	pub fn addresses(&self) -> &[String] {
		&self.addresses
	}

	/// Stops serving and waits until everything has stopped and the store is closed.
	pub async fn stop(mut self) {
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
	checks: mpsc::Sender<Check>,
	disk: Semaphore,
	chain_requests: Semaphore,
	/// Leases that waited at the last look.
	offered: AtomicU32,
	started_at: Moment,
}

/// Takes requests, each in a task of its own.
async fn serve(service: Arc<Service>, mut inbound: mpsc::Receiver<Inbound>) {
	let mut requests = JoinSet::new();
	loop {
		tokio::select! {
			incoming = inbound.recv() => {
				let Some(Inbound { peer, request, reply }) = incoming else { return };
				lock(&service.sessions).touch(peer, Instant::now());
				if requests.len() >= MAX_REQUESTS {
					reply.refuse(Refusal::Busy);
					continue;
				}
				let service = service.clone();
				requests.spawn(async move {
					match request {
						InboundRequest::Control(request) => {
							let response = service.control(peer, request).await;
							reply.control(response.unwrap_or_else(|reason| {
								tracing::debug!(%peer, %reason, "control request refused");
								ControlResponse::Refused { reason }
							}));
						},
						InboundRequest::Blob(request) => {
							let response = service.blob(peer, request).await;
							reply.blob(response.unwrap_or_else(|reason| {
								tracing::debug!(%peer, %reason, "blob request refused");
								BlobResponse::Refused { reason }
							}));
						},
					}
				});
			},
			Some(done) = requests.join_next(), if !requests.is_empty() => {
				if let Err(error) = done {
					tracing::error!(%error, "a request failed");
				}
			},
		}
	}
}

impl Service {
	async fn control(
		&self,
		peer: PeerId,
		request: ControlRequest,
	) -> Result<ControlResponse, Refusal> {
		match request {
			ControlRequest::Hello { device, peer: claimed, sent_at, signature } => {
				self.hello(peer, device, &claimed, sent_at, signature).await
			},
			ControlRequest::Beat { beat, signature } => self.beat(peer, beat, signature).await,
			ControlRequest::Status => Ok(ControlResponse::Status { report: self.status() }),
			ControlRequest::StartChallenge { .. }
			| ControlRequest::OpenSegments { .. }
			| ControlRequest::ReserveWalk { .. }
			| ControlRequest::Walk { .. }
			| ControlRequest::OpenBlocks { .. }
			| ControlRequest::OpenWalk { .. }
			| ControlRequest::Echo { .. }
			| ControlRequest::Fetch { .. }
			| ControlRequest::Deliver { .. }
			| ControlRequest::LeaseNotice { .. } => Err(Refusal::NotAssigned),
		}
	}

	async fn hello(
		&self,
		peer: PeerId,
		device: DeviceId,
		claimed: &[u8],
		sent_at: Moment,
		signature: Signature,
	) -> Result<ControlResponse, Refusal> {
		let now = unix_millis();
		let is_timely = now.abs_diff(sent_at) <= self.config.beats.clock_skew_millis;
		if claimed != peer.to_bytes() || !is_timely {
			return Err(Refusal::Malformed);
		}
		let view = self.device(device).await?;
		let payload = hello_payload(&self.genesis, device, claimed, sent_at);
		if !self.is_signed(payload, signature, view.key).await? {
			return Err(Refusal::BadSignature);
		}
		let session = Session { peer, key: view.key, hello_at: sent_at };
		let displaced = lock(&self.sessions).open(device, session)?;
		tracing::info!(device = device.0, %peer, status = ?view.status, "device said hello");
		if let Some(old) = displaced {
			tracing::info!(device = device.0, peer = %old, "device moved to another peer");
			if let Err(error) = self.handle.disconnect(old).await {
				tracing::warn!(peer = %old, %error, "could not disconnect");
			}
		}
		Ok(ControlResponse::Welcome { service: ServiceKind::Orchestrator, now })
	}

	async fn beat(
		&self,
		peer: PeerId,
		beat: Beat,
		signature: Signature,
	) -> Result<ControlResponse, Refusal> {
		let session = lock(&self.sessions).of(beat.device, peer).ok_or(Refusal::UnknownDevice)?;
		let now = unix_millis();
		let clock = *lock(&self.clock);
		if !is_timely(&beat, clock, now, self.config.beats.clock_skew_millis) {
			return Err(Refusal::Malformed);
		}
		let payload = beat_payload(&self.genesis, &beat);
		if !self.is_signed(payload, signature, session.key).await? {
			return Err(Refusal::BadSignature);
		}
		let sign = |ack: &_| {
			let payload = beat_ack_payload(&self.genesis, beat.device, ack);
			Signature::from(self.key.sign(&payload).to_bytes())
		};
		let (ack, signature) = lock(&self.beats).accept(&beat, clock, now, sign)?;
		Ok(ControlResponse::BeatAck { ack, signature })
	}

	fn status(&self) -> StatusReport {
		let (blobs, blob_bytes) = self.store.totals();
		let mut version = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
		version.truncate(MAX_VERSION_LEN);
		StatusReport {
			service: ServiceKind::Orchestrator,
			version,
			now: unix_millis(),
			started_at: self.started_at,
			devices: u32::try_from(lock(&self.sessions).len()).unwrap_or(u32::MAX),
			in_flight: self.offered.load(Ordering::Relaxed),
			blobs,
			blob_bytes,
		}
	}

	async fn blob(&self, peer: PeerId, request: BlobRequest) -> Result<BlobResponse, Refusal> {
		let now = unix_millis();
		match request {
			BlobRequest::Stat { hash } => {
				Ok(BlobResponse::Stat { len: self.store.stat(&hash, now) })
			},
			BlobRequest::Get { hash, offset, len } => {
				let bytes = self
					.with_store(move |store| {
						store.read(&hash, offset, len, now).map_err(|error| {
							tracing::debug!(blob = ?hash, %error, "read refused");
							error.refusal()
						})
					})
					.await?;
				Ok(BlobResponse::Chunk { bytes })
			},
			BlobRequest::Put { hash, total, offset, bytes, auth } => {
				let owner = match &auth {
					PutAuth::Account { account, .. } => Owner::Account(*account),
					PutAuth::Device { device, .. } => Owner::Device(*device),
				};
				if offset == 0 {
					if self.store.stat(&hash, now).is_some() {
						return Ok(BlobResponse::Stored { complete: true });
					}
					if total > self.config.blobs.max_blob_bytes {
						return Err(Refusal::TooLarge);
					}
					let payload = put_payload(&self.genesis, &hash, total, &peer.to_bytes());
					// Later parts belong to the upload that this opens, of this peer and owner.
					self.authorize(auth, payload).await?;
				}
				let complete = self
					.with_store(move |store| {
						let part = Part { peer, owner, hash, total, offset, bytes: &bytes };
						store.put(part, now).map_err(|error| {
							tracing::debug!(blob = ?hash, %error, "write refused");
							error.refusal()
						})
					})
					.await?;
				Ok(BlobResponse::Stored { complete })
			},
		}
	}

	async fn authorize(&self, auth: PutAuth, payload: Vec<u8>) -> Result<(), Refusal> {
		match auth {
			PutAuth::Account { account, signature } => {
				let is_signed = tokio::task::spawn_blocking(move || {
					armature_verifier::signature::verify_account(
						&payload,
						&sp_core::sr25519::Signature::from(signature),
						&sp_core::sr25519::Public::from(account),
					)
				});
				if !is_signed.await.map_err(|_| Refusal::Internal)? {
					return Err(Refusal::BadSignature);
				}
				self.can_store(account).await
			},
			PutAuth::Device { device, signature } => {
				let view = self.device(device).await?;
				if view.status == DeviceStatus::Jailed {
					return Err(Refusal::NotAssigned);
				}
				if !self.is_signed(payload, Signature::from(signature), view.key).await? {
					return Err(Refusal::BadSignature);
				}
				Ok(())
			},
		}
	}

	async fn can_store(&self, account: Account) -> Result<(), Refusal> {
		let _permit = self.chain_requests.acquire().await.map_err(|_| Refusal::Internal)?;
		let balance = timed(self.chain.free_balance(account)).await.map_err(|error| {
			tracing::warn!(%error, "cannot read a balance");
			Refusal::Internal
		})?;
		if balance < Balance::from(self.config.blobs.min_account_balance) {
			return Err(Refusal::QuotaExceeded);
		}
		Ok(())
	}

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
		let store = self.store.clone();
		tokio::task::spawn_blocking(move || work(&store)).await.map_err(|error| {
			tracing::error!(%error, "a disk request failed");
			Refusal::Internal
		})?
	}
}

/// Tells connected devices of leases that wait for them.
async fn dispatch(service: Arc<Service>) {
	let config = &service.config.dispatch;
	let repeat = Duration::from_millis(config.repeat_millis);
	let mut poll = tokio::time::interval(Duration::from_millis(config.poll_millis));
	poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	let mut told: HashMap<LeaseId, Instant> = HashMap::new();
	loop {
		poll.tick().await;
		let offered = match timed(service.chain.offered_leases(service.config.region)).await {
			Ok(offered) => offered,
			Err(error) => {
				tracing::warn!(%error, "cannot read offered leases");
				continue;
			},
		};
		service
			.offered
			.store(u32::try_from(offered.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
		let waiting: HashSet<_> = offered.iter().map(|lease| lease.lease).collect();
		told.retain(|lease, _| waiting.contains(lease));
		let now = Instant::now();
		let due: Vec<_> = {
			let sessions = lock(&service.sessions);
			offered
				.iter()
				.filter(|offer| {
					told.get(&offer.lease).is_none_or(|at| now.duration_since(*at) >= repeat)
				})
				.filter_map(|offer| sessions.peer_of(offer.device).map(|peer| (*offer, peer)))
				.filter(|(_, peer)| service.handle.is_connected(peer))
				.collect()
		};
		let notices = due.into_iter().map(|(offer, peer)| {
			let handle = &service.handle;
			async move {
				let notice = ControlRequest::LeaseNotice { lease: offer.lease };
				let response = handle.control(peer, notice, NOTICE_TIMEOUT).await;
				(offer, response)
			}
		});
		let mut notices = futures::stream::iter(notices).buffer_unordered(MAX_NOTICES);
		while let Some((offer, response)) = notices.next().await {
			let (lease, device) = (offer.lease.0, offer.device.0);
			match response {
				Ok(ControlResponse::Accepted) => {
					tracing::info!(lease, device, "device knows of its lease");
					told.insert(offer.lease, now);
				},
				Ok(response) => {
					tracing::warn!(lease, device, ?response, "device does not take the notice");
					told.insert(offer.lease, now);
				},
				Err(error) => tracing::debug!(lease, device, %error, "notice not delivered"),
			}
		}
	}
}

/// Sweeps tables and follows the chain's clock.
async fn maintain(service: Arc<Service>) {
	let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
	let mut clock = tokio::time::interval(CLOCK_INTERVAL);
	sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	let idle = Duration::from_millis(service.config.network.idle_peer_millis);
	loop {
		tokio::select! {
			_ = sweep.tick() => {
				let connected = service.handle.connected_peers();
				let silent = lock(&service.sessions).sweep(&connected, Instant::now(), idle);
				for peer in silent {
					tracing::debug!(%peer, "disconnecting an idle peer");
					if let Err(error) = service.handle.disconnect(peer).await {
						tracing::warn!(%peer, %error, "could not disconnect");
					}
				}
				let now = unix_millis();
				let epochs = *lock(&service.clock);
				for (device, presence) in lock(&service.beats).sweep(epochs, now) {
					tracing::info!(device = device.0, ?presence, "presence changed");
				}
				let swept = service.with_store(move |store| {
					store.sweep(now).map_err(|error| {
						tracing::error!(%error, "sweeping the blob store failed");
						Refusal::Internal
					})
				});
				// Already logged; the next sweep tries again.
				let _ = swept.await;
			},
			_ = clock.tick() => {
				match timed(service.chain.epoch_clock()).await {
					Ok(epochs) => *lock(&service.clock) = epochs,
					Err(error) => tracing::warn!(%error, "cannot read the epoch length"),
				}
				match timed(service.chain.now()).await {
					Ok(now) if now.abs_diff(unix_millis()) > MAX_DRIFT_MILLIS => {
						tracing::warn!(chain = now, "own clock and the chain's are far apart");
					},
					Ok(_) => {},
					Err(error) => tracing::warn!(%error, "cannot read the chain's clock"),
				}
			},
		}
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
