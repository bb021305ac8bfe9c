//! The running service.

mod judging;

use self::judging::watch_rounds;
use crate::{
	chain::{ChainError, ChainView, Dispute},
	config::Config,
	disputes::rerun,
	error::Error,
	evidence::JOURNAL_FILE,
	journal::{Horizon, Journal, JournalError, KEEP_MILLIS},
	metrics::{Metrics, Post},
	posting::{post_verdicts, prove_frauds, Step},
	registration::watch_registration,
	renewals::Watcher,
	rounds::Judge,
};
use armature_metrics::Server;
use armature_p2p::{
	load_or_create_seed, messages::MAX_VERSION_LEN, peer_id_of, ControlRequest, ControlResponse,
	Handle, Inbound, InboundRequest, Node, NodeConfig, PeerId, Refusal, ServiceKind, Session,
	Sessions, StatusReport,
};
use armature_primitives::{
	challenge::Assignment, ed25519::Signature, signing::Domain, DeviceId, LeaseId, Moment, H256,
};
use armature_sandbox::Sandbox;
use armature_verifier::challenge::task_hash;
use std::{
	collections::HashSet,
	future::Future,
	net::SocketAddr,
	sync::{Arc, Mutex, MutexGuard},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	sync::{mpsc, watch, Notify, Semaphore},
	task::JoinSet,
	time::MissedTickBehavior,
};

/// Requests of peers that are worked on at once; more are answered `Busy`.
const MAX_REQUESTS: usize = 256;

/// Questions to the chain on behalf of peers at once.
const MAX_CHAIN_REQUESTS: usize = 16;

pub(crate) const CHAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A call must be in a block by then.
pub(crate) const POST_TIMEOUT: Duration = Duration::from_secs(60);

const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
const FORGET_INTERVAL: Duration = Duration::from_secs(600);

/// How long a stop waits for the journal's last write.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A running verifier.
pub struct Verifier {
	handle: Handle,
	addresses: Vec<String>,
	sandbox: Sandbox,
	metrics: Option<Server>,
	tasks: JoinSet<()>,
	/// Why it cannot go on.
	failures: mpsc::Receiver<Error>,
	/// The journal's [`Journal::closing`].
	closing: watch::Receiver<()>,
}

impl Verifier {
	/// Opens the journal, listens, and works until [`Verifier::stop`] or the drop of this value. Where the
	/// chain sends devices to another node, [`Verifier::failed`] says so.
	pub async fn start(config: Config, chain: Arc<dyn ChainView>) -> Result<Self, Error> {
		config.validate()?;
		let (data_dir, identity_file) = (config.data_dir.clone(), config.identity_file.clone());
		let opening = tokio::task::spawn_blocking(move || -> Result<_, Error> {
			std::fs::create_dir_all(&data_dir).map_err(|source| Error::File {
				action: "making the data folder",
				path: data_dir.clone(),
				source,
			})?;
			let seed = load_or_create_seed(&identity_file)?;
			Ok((seed, Journal::open(&data_dir.join(JOURNAL_FILE))?, Sandbox::new()?))
		});
		let (seed, journal, sandbox) = opening.await.map_err(Error::Interrupted)??;
		let closing = journal.closing();
		let own = peer_id_of(seed)?;
		let (metrics, registry) = Metrics::new();
		let metrics = Arc::new(metrics);
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
		tracing::info!(?addresses, "verifier listens");
		let sessions = Arc::new(Mutex::new(Sessions::default()));
		let service = Arc::new(Service {
			genesis: chain.genesis(),
			judge: Judge::new(
				handle.clone(),
				chain.clone(),
				sessions.clone(),
				config.challenges.clone(),
				metrics.clone(),
			),
			metrics,
			config,
			chain,
			handle: handle.clone(),
			sessions,
			journal: Arc::new(journal),
			sandbox: sandbox.clone(),
			chain_requests: Semaphore::new(MAX_CHAIN_REQUESTS),
			open_rounds: Mutex::default(),
			open_disputes: Mutex::default(),
			seal_news: Notify::new(),
			reveal_news: Notify::new(),
			frauds: Notify::new(),
			started_at: unix_millis(),
		});
		let mut tasks = JoinSet::new();
		let (failing, failures) = mpsc::channel(1);
		let patience = Duration::from_millis(service.config.network.registration_millis);
		tasks.spawn(watch_registration(service.chain.clone(), own, patience, failing));
		tasks.spawn(serve(service.clone(), inbound));
		tasks.spawn(watch_rounds(service.clone()));
		// Neither waits for the other.
		for step in [Step::Seal, Step::Reveal] {
			tasks.spawn(post_verdicts(service.clone(), step));
		}
		if service.config.challenges.prove_frauds {
			tasks.spawn(prove_frauds(service.clone()));
		}
		tasks.spawn(settle_disputes(service.clone()));
		tasks.spawn(watch_renewals(service.clone()));
		tasks.spawn(maintain(service));
		Ok(Self { handle, addresses, sandbox, metrics: server, tasks, failures, closing })
	}

	/// Its peer id.
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

	/// Completes with the reason when it cannot go on, and not before. It has to be stopped then.
	pub async fn failed(&mut self) -> Error {
		match self.failures.recv().await {
			Some(error) => error,
			// Nothing can fail any more.
			None => std::future::pending().await,
		}
	}

	/// Stops and waits until everything has stopped and the journal is closed. What was decided and
	/// not posted is posted after the next start.
	pub async fn stop(mut self) {
		self.sandbox.stop();
		if let Some(metrics) = self.metrics.take() {
			metrics.stop().await;
		}
		self.handle.shutdown().await;
		self.tasks.shutdown().await;
		// What these tasks had begun is not over with them: requests and rounds have yet to be dropped,
		// and what is being written is written to its end. All of it holds the journal.
		if tokio::time::timeout(CLOSE_TIMEOUT, self.closing.changed()).await.is_err() {
			tracing::warn!("the journal is still in use");
		}
	}
}

impl Drop for Verifier {
	fn drop(&mut self) {
		self.sandbox.stop();
	}
}

/// Runs a verifier until `shutdown` completes, or it cannot go on.
pub async fn run(
	config: Config,
	chain: Arc<dyn ChainView>,
	shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
	let mut verifier = Verifier::start(config, chain).await?;
	let ended = tokio::select! {
		() = shutdown => Ok(()),
		error = verifier.failed() => Err(error),
	};
	tracing::info!("verifier stops");
	verifier.stop().await;
	ended
}

/// What its tasks share.
pub(crate) struct Service {
	pub(crate) config: Config,
	pub(crate) chain: Arc<dyn ChainView>,
	genesis: H256,
	handle: Handle,
	sessions: Arc<Mutex<Sessions>>,
	judge: Judge,
	pub(crate) metrics: Arc<Metrics>,
	journal: Arc<Journal>,
	sandbox: Sandbox,
	chain_requests: Semaphore,
	/// Rounds and disputes that the chain listed last; `None` before the first answer.
	pub(crate) open_rounds: Mutex<Option<Vec<Assignment>>>,
	open_disputes: Mutex<Option<HashSet<LeaseId>>>,
	/// A verdict was entered into the journal, or the chain waits for something else: for those that
	/// post seals, and for those that post verdicts.
	pub(crate) seal_news: Notify,
	pub(crate) reveal_news: Notify,
	/// A proof of a fraud was entered into the journal.
	pub(crate) frauds: Notify,
	started_at: Moment,
}

impl Service {
	/// Has those that post look at once.
	fn announce(&self) {
		self.seal_news.notify_one();
		self.reveal_news.notify_one();
	}

	pub(crate) async fn with_journal<T: Send + 'static>(
		&self,
		work: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
	) -> Option<T> {
		let journal = self.journal.clone();
		match tokio::task::spawn_blocking(move || work(&journal)).await {
			Ok(Ok(value)) => Some(value),
			Ok(Err(error)) => {
				tracing::error!(%error, "the journal failed");
				None
			},
			Err(error) => {
				tracing::error!(%error, "using the journal was interrupted");
				None
			},
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
		let is_timely = now.abs_diff(sent_at) <= self.config.network.clock_skew_millis;
		if claimed != peer.to_bytes() || !is_timely {
			return Err(Refusal::Malformed);
		}
		let key = {
			let _permit = self.chain_requests.acquire().await.map_err(|_| Refusal::Internal)?;
			let key = timed(CHAIN_TIMEOUT, self.chain.device_key(device)).await;
			key.map_err(|error| {
				tracing::warn!(device = device.0, %error, "cannot read a device's key");
				Refusal::Internal
			})?
		};
		let key = key.ok_or(Refusal::UnknownDevice)?;
		let is_signed = armature_verifier::signature::verify_device(
			Domain::Hello,
			&self.genesis,
			device,
			&(claimed, sent_at),
			&key,
			&signature,
		);
		if !is_signed {
			return Err(Refusal::BadSignature);
		}
		let displaced = {
			let mut sessions = lock(&self.sessions);
			let displaced = sessions.open(device, Session { peer, key, hello_at: sent_at })?;
			self.metrics.devices(sessions.len());
			displaced
		};
		tracing::info!(device = device.0, %peer, "device said hello");
		if let Some(old) = displaced {
			if let Err(error) = self.handle.disconnect(old).await {
				tracing::warn!(peer = %old, %error, "could not disconnect");
			}
		}
		Ok(ControlResponse::Welcome { service: ServiceKind::Verifier, now })
	}

	fn status(&self) -> StatusReport {
		let mut version = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
		version.truncate(MAX_VERSION_LEN);
		let rounds = lock(&self.open_rounds).as_ref().map_or(0, Vec::len);
		let disputes = lock(&self.open_disputes).as_ref().map_or(0, HashSet::len);
		StatusReport {
			service: ServiceKind::Verifier,
			version,
			now: unix_millis(),
			started_at: self.started_at,
			devices: u32::try_from(lock(&self.sessions).len()).unwrap_or(u32::MAX),
			in_flight: u32::try_from(rounds.saturating_add(disputes)).unwrap_or(u32::MAX),
			blobs: 0,
			blob_bytes: 0,
		}
	}
}

/// Takes requests, each in a task of its own.
async fn serve(service: Arc<Service>, mut inbound: mpsc::Receiver<Inbound>) {
	let mut requests = JoinSet::new();
	loop {
		tokio::select! {
			incoming = inbound.recv() => {
				let Some(Inbound { peer, request, reply }) = incoming else { return };
				lock(&service.sessions).touch(peer, std::time::Instant::now());
				if requests.len() >= MAX_REQUESTS {
					reply.refuse(Refusal::Busy);
					continue;
				}
				match request {
					InboundRequest::Control(ControlRequest::Hello {
						device,
						peer: claimed,
						sent_at,
						signature,
					}) => {
						let service = service.clone();
						requests.spawn(async move {
							let hello = service.hello(peer, device, &claimed, sent_at, signature);
							reply.control(hello.await.unwrap_or_else(|reason| {
								tracing::debug!(device = device.0, %peer, %reason, "hello refused");
								ControlResponse::Refused { reason }
							}));
						});
					},
					InboundRequest::Control(ControlRequest::Status) => {
						reply.control(ControlResponse::Status { report: service.status() })
					},
					InboundRequest::Control(_) | InboundRequest::Blob(_) => {
						reply.refuse(Refusal::NotAssigned)
					},
				}
			},
			Some(done) = requests.join_next(), if !requests.is_empty() => {
				if let Err(error) = done {
					tracing::error!(%error, "a request failed");
				}
			},
		}
	}
}

/// Re-executes disputed leases, one after the other.
async fn settle_disputes(service: Arc<Service>) {
	let mut poll = ticker(Duration::from_millis(service.config.disputes.poll_millis));
	loop {
		poll.tick().await;
		let open = match timed(CHAIN_TIMEOUT, service.chain.open_disputes()).await {
			Ok(open) => open,
			Err(error) => {
				tracing::warn!(%error, "cannot read open disputes");
				continue;
			},
		};
		let leases: Vec<_> = open.iter().map(|dispute| dispute.lease).collect();
		service.metrics.disputes(leases.len());
		*lock(&service.open_disputes) = Some(leases.iter().copied().collect());
		let read = move |journal: &Journal| journal.reports(&leases);
		let Some(reports) = service.with_journal(read).await else { continue };
		for (dispute, decision) in open.into_iter().zip(reports) {
			let report = match decision {
				Some(decision)
					if !decision.is_due(unix_millis(), service.config.challenges.repost_millis) =>
				{
					continue
				},
				Some(decision) => decision.finding,
				None => match settle(&service, &dispute).await {
					Some(report) => report,
					None => continue,
				},
			};
			let lease = dispute.lease;
			let posted = timed(POST_TIMEOUT, service.chain.resolve_dispute(lease, report)).await;
			service.metrics.posted(Post::Dispute, &posted);
			match posted {
				Ok(()) => tracing::info!(lease = lease.0, ?report, "dispute settled"),
				Err(ChainError::Rejected(error)) => {
					tracing::warn!(lease = lease.0, error, "report refused")
				},
				Err(ChainError::Unavailable(error)) => {
					tracing::warn!(lease = lease.0, error, "report not posted yet");
					continue;
				},
			}
			let mark = move |journal: &Journal| journal.posted_dispute(lease, unix_millis());
			service.with_journal(mark).await;
		}
	}
}

/// Runs the module again and enters the report into the journal. `None` when that cannot be done
/// now; it is tried again at the next look, until the chain gives up on it.
async fn settle(
	service: &Service,
	dispute: &Dispute,
) -> Option<armature_primitives::lease::RunReport> {
	let lease = dispute.lease;
	let margin = service.config.disputes.posting_margin_millis;
	let left = dispute.resolve_by.saturating_sub(margin).saturating_sub(unix_millis());
	let limit = Duration::from_millis(left.min(KEEP_MILLIS));
	let rerun = rerun(&service.handle, &service.sandbox, &service.config.disputes, dispute);
	match tokio::time::timeout(limit, rerun).await {
		Ok(Ok(report)) => {
			let decide =
				move |journal: &Journal| journal.decide_dispute(lease, report, unix_millis());
			service.with_journal(decide).await.map(|()| report)
		},
		Ok(Err(error)) => {
			let cause = std::error::Error::source(&error).map(ToString::to_string);
			tracing::warn!(lease = lease.0, %error, cause, "dispute not settled");
			None
		},
		Err(_) => {
			tracing::warn!(lease = lease.0, "no time left to settle a dispute");
			None
		},
	}
}

/// Disputes renewals of attestations that do not hold. Nothing has to be kept: what was not looked at
/// is on the chain's list at the next start.
async fn watch_renewals(service: Arc<Service>) {
	let mut poll = ticker(Duration::from_millis(service.config.renewals.poll_millis));
	let mut watcher = Watcher::new(service.chain.clone(), CHAIN_TIMEOUT, POST_TIMEOUT);
	loop {
		poll.tick().await;
		if let Err(error) = watcher.look().await {
			tracing::warn!(%error, "cannot look at renewals");
		}
	}
}

/// Sweeps sessions and the journal.
async fn maintain(service: Arc<Service>) {
	let mut sweep = ticker(SWEEP_INTERVAL);
	let mut forget = ticker(FORGET_INTERVAL);
	let idle = Duration::from_millis(service.config.network.idle_peer_millis);
	loop {
		tokio::select! {
			_ = sweep.tick() => {
				let connected = service.handle.connected_peers();
				let now = std::time::Instant::now();
				let silent = {
					let mut sessions = lock(&service.sessions);
					let silent = sessions.sweep(&connected, now, idle);
					service.metrics.devices(sessions.len());
					silent
				};
				for peer in silent {
					tracing::debug!(%peer, "disconnecting an idle peer");
					if let Err(error) = service.handle.disconnect(peer).await {
						tracing::warn!(%peer, %error, "could not disconnect");
					}
				}
			},
			_ = forget.tick() => {
				let rounds = lock(&service.open_rounds).clone();
				let disputes = lock(&service.open_disputes).clone();
				let frauds = timed(CHAIN_TIMEOUT, service.chain.fraud_window_millis()).await;
				// Before the chain has answered, nothing is known to be closed.
				if let (Some(rounds), Some(disputes), Ok(frauds)) = (rounds, disputes, frauds) {
					let tasks =
						rounds.iter().map(|assignment| task_hash(&assignment.task)).collect();
					let kept = service.config.challenges.evidence_millis;
					let horizon = Horizon::at(unix_millis(), kept, frauds);
					let forget =
						move |journal: &Journal| journal.forget(&tasks, &disputes, horizon);
					service.with_journal(forget).await;
				}
			},
		}
	}
}

pub(crate) fn ticker(period: Duration) -> tokio::time::Interval {
	let mut interval = tokio::time::interval(period);
	interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
	interval
}

pub(crate) async fn timed<T>(
	limit: Duration,
	question: impl Future<Output = Result<T, ChainError>>,
) -> Result<T, ChainError> {
	tokio::time::timeout(limit, question)
		.await
		.unwrap_or_else(|_| Err(ChainError::Unavailable("no answer in time".into())))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// What is behind these locks is changed in single steps.
	mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub(crate) fn unix_millis() -> Moment {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.ok()
		.and_then(|since| Moment::try_from(since.as_millis()).ok())
		.unwrap_or_default()
}
