//! The running service.

use crate::{
	chain::{ChainError, ChainView, Dispute},
	config::Config,
	disputes::rerun,
	error::Error,
	journal::{Journal, JournalError},
	renewals::Watcher,
	rounds::{Judge, RoundClock, Unjudged},
};
use armature_p2p::{
	load_or_create_seed, messages::MAX_VERSION_LEN, ControlRequest, ControlResponse, Handle,
	Inbound, InboundRequest, Node, NodeConfig, PeerId, Refusal, ServiceKind, Session, Sessions,
	StatusReport,
};
use armature_primitives::{
	challenge::{ChallengeTask, Verdict},
	ed25519::Signature,
	signing::Domain,
	DeviceId, LeaseId, Moment, RoundId, H256,
};
use armature_sandbox::Sandbox;
use std::{
	collections::{HashMap, HashSet},
	future::Future,
	sync::{Arc, Mutex, MutexGuard},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	sync::{mpsc, watch, Notify, Semaphore},
	task::JoinSet,
	time::{Instant, MissedTickBehavior},
};

/// Requests of peers that are worked on at once; more are answered `Busy`.
const MAX_REQUESTS: usize = 256;

/// Questions to the chain on behalf of peers at once.
const MAX_CHAIN_REQUESTS: usize = 16;

const CHAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A call must be in a block by then.
const POST_TIMEOUT: Duration = Duration::from_secs(60);

/// Decided verdicts that nobody announced are looked for so often.
const POST_INTERVAL: Duration = Duration::from_secs(1);

const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
const FORGET_INTERVAL: Duration = Duration::from_secs(600);

/// How long a stop waits for the journal's last write.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The journal keeps what is closed for a day.
const KEEP_MILLIS: u64 = 24 * 3_600_000;

/// A running verifier.
pub struct Verifier {
	handle: Handle,
	addresses: Vec<String>,
	sandbox: Sandbox,
	tasks: JoinSet<()>,
	/// The journal's [`Journal::closing`].
	closing: watch::Receiver<()>,
}

impl Verifier {
	/// Opens the journal, listens, and works until [`Verifier::stop`] or the drop of this value.
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
			Ok((seed, Journal::open(&data_dir.join("journal.redb"))?, Sandbox::new()?))
		});
		let (seed, journal, sandbox) = opening.await.map_err(Error::Interrupted)??;
		let closing = journal.closing();
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
			judge: Judge {
				handle: handle.clone(),
				chain: chain.clone(),
				genesis: chain.genesis(),
				sessions: sessions.clone(),
				config: config.challenges.clone(),
				checks: Semaphore::new(config.challenges.max_checks),
			},
			config,
			chain,
			handle: handle.clone(),
			sessions,
			journal: Arc::new(journal),
			sandbox: sandbox.clone(),
			chain_requests: Semaphore::new(MAX_CHAIN_REQUESTS),
			open_rounds: Mutex::default(),
			open_disputes: Mutex::default(),
			decided: Notify::new(),
			started_at: unix_millis(),
		});
		let mut tasks = JoinSet::new();
		tasks.spawn(serve(service.clone(), inbound));
		tasks.spawn(watch_rounds(service.clone()));
		tasks.spawn(post_verdicts(service.clone()));
		tasks.spawn(settle_disputes(service.clone()));
		tasks.spawn(watch_renewals(service.clone()));
		tasks.spawn(maintain(service));
		Ok(Self { handle, addresses, sandbox, tasks, closing })
	}

	/// Its peer id.
	pub fn peer_id(&self) -> PeerId {
		self.handle.peer_id()
	}

	/// Where it listens, each ending in `/p2p/<peer id>`.
	pub fn addresses(&self) -> &[String] {
		&self.addresses
	}

	/// Stops and waits until everything has stopped and the journal is closed. What was decided and
	/// not posted is posted after the next start.
	pub async fn stop(mut self) {
		self.sandbox.stop();
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

/// Runs a verifier until `shutdown` completes.
pub async fn run(
	config: Config,
	chain: Arc<dyn ChainView>,
	shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
	let verifier = Verifier::start(config, chain).await?;
	shutdown.await;
	tracing::info!("verifier stops");
	verifier.stop().await;
	Ok(())
}

struct Service {
	config: Config,
	chain: Arc<dyn ChainView>,
	genesis: H256,
	handle: Handle,
	sessions: Arc<Mutex<Sessions>>,
	judge: Judge,
	journal: Arc<Journal>,
	sandbox: Sandbox,
	chain_requests: Semaphore,
	/// Rounds and disputes that the chain listed last; `None` before the first answer.
	open_rounds: Mutex<Option<HashSet<RoundId>>>,
	open_disputes: Mutex<Option<HashSet<LeaseId>>>,
	/// A verdict was entered into the journal.
	decided: Notify,
	started_at: Moment,
}

impl Service {
	async fn with_journal<T: Send + 'static>(
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
		let displaced =
			lock(&self.sessions).open(device, Session { peer, key, hello_at: sent_at })?;
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
		let rounds = lock(&self.open_rounds).as_ref().map_or(0, HashSet::len);
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

/// Looks for new rounds and judges them.
async fn watch_rounds(service: Arc<Service>) {
	let mut poll = ticker(Duration::from_millis(service.config.challenges.poll_millis));
	let mut judging: JoinSet<(RoundId, Result<Verdict, Unjudged>)> = JoinSet::new();
	let mut running: HashMap<tokio::task::Id, RoundId> = HashMap::new();
	// Rounds that cannot be judged, kept while the chain lists them.
	let mut hopeless: HashSet<RoundId> = HashSet::new();
	loop {
		tokio::select! {
			_ = poll.tick() => {
				let open = match timed(CHAIN_TIMEOUT, service.chain.open_rounds()).await {
					Ok(open) => open,
					Err(error) => {
						tracing::warn!(%error, "cannot read open rounds");
						continue;
					},
				};
				let ids: HashSet<_> = open.iter().map(|task| task.round).collect();
				hopeless.retain(|round| ids.contains(round));
				*lock(&service.open_rounds) = Some(ids);
				let busy: HashSet<_> = running.values().chain(&hopeless).copied().collect();
				for (task, clock) in unjudged(&service, open, &busy).await {
					if judging.len() >= service.config.challenges.max_concurrent {
						break;
					}
					tracing::info!(round = task.round.0, device = task.device.0, "round begins");
					let service = service.clone();
					let handle = judging.spawn(async move {
						(task.round, service.judge.judge(task, clock).await)
					});
					running.insert(handle.id(), task.round);
				}
			},
			Some(done) = judging.join_next_with_id(), if !judging.is_empty() => {
				match done {
					Ok((id, (round, Ok(verdict)))) => {
						running.remove(&id);
						tracing::info!(round = round.0, ?verdict, "round judged");
						let decide = move |journal: &Journal| {
							journal.decide_round(round, verdict, unix_millis())
						};
						// Without the journal the round is judged anew at the next look.
						if service.with_journal(decide).await.is_some() {
							service.decided.notify_one();
						}
					},
					Ok((id, (round, Err(error)))) => {
						running.remove(&id);
						tracing::error!(round = round.0, %error, "round cannot be judged");
						hopeless.insert(round);
					},
					Err(error) => {
						tracing::error!(%error, "judging a round was interrupted");
						if let Some(round) = running.remove(&error.id()) {
							hopeless.insert(round);
						}
					},
				}
			},
		}
	}
}

/// The open rounds that nobody works on and that have no verdict, with their clocks.
async fn unjudged(
	service: &Service,
	open: Vec<ChallengeTask>,
	busy: &HashSet<RoundId>,
) -> Vec<(ChallengeTask, RoundClock)> {
	let fresh: Vec<_> = open.into_iter().filter(|task| !busy.contains(&task.round)).collect();
	if fresh.is_empty() {
		return Vec::new();
	}
	let (now, since) = (unix_millis(), Instant::now());
	let rounds: Vec<_> = fresh.iter().map(|task| task.round).collect();
	let read = move |journal: &Journal| {
		Ok((journal.first_seen(&rounds, now)?, journal.verdicts(&rounds)?))
	};
	let Some((seen, verdicts)) = service.with_journal(read).await else { return Vec::new() };
	let margin = service.config.challenges.posting_margin_millis;
	let known = seen.into_iter().zip(verdicts);
	fresh
		.into_iter()
		.zip(known)
		.filter(|(task, (_, verdict))| verdict.is_none() && task.deadline > now)
		.map(|(task, (seen, _))| {
			let left = task.deadline.saturating_sub(margin).saturating_sub(now);
			let clock = RoundClock {
				already: Duration::from_millis(now.saturating_sub(seen)),
				since,
				// An absurdly far deadline is one that never comes: a day.
				ends: since + Duration::from_millis(left.min(KEEP_MILLIS)),
			};
			(task, clock)
		})
		.collect()
}

/// Posts verdicts until the chain no longer waits for them.
async fn post_verdicts(service: Arc<Service>) {
	let mut interval = ticker(POST_INTERVAL);
	let config = &service.config.challenges;
	loop {
		tokio::select! {
			_ = interval.tick() => {},
			() = service.decided.notified() => {},
		}
		let Some(open) = lock(&service.open_rounds).clone() else { continue };
		let rounds: Vec<_> = open.into_iter().collect();
		let now = unix_millis();
		let repost = config.repost_millis;
		let read = move |journal: &Journal| {
			let verdicts = journal.verdicts(&rounds)?;
			let due = rounds.into_iter().zip(verdicts).filter_map(|(round, decision)| {
				let decision = decision.filter(|decision| decision.is_due(now, repost))?;
				Some((round, decision.finding))
			});
			Ok(due.collect::<Vec<_>>())
		};
		let Some(due) = service.with_journal(read).await else { continue };
		for batch in due.chunks(config.batch) {
			post_batch(&service, batch).await;
		}
	}
}

/// Posts a batch; one that is refused as a whole is posted one by one.
async fn post_batch(service: &Service, batch: &[(RoundId, Verdict)]) {
	match timed(POST_TIMEOUT, service.chain.post_verdicts(batch)).await {
		Ok(()) => {
			let rounds = batch.iter().map(|(round, _)| *round).collect();
			mark_posted(service, rounds).await;
		},
		Err(ChainError::Unavailable(error)) => {
			tracing::warn!(count = batch.len(), error, "verdicts not posted yet");
		},
		Err(ChainError::Rejected(error)) => {
			tracing::warn!(count = batch.len(), error, "verdicts refused");
			if let [(round, _)] = batch {
				mark_posted(service, vec![*round]).await;
				return;
			}
			for (round, verdict) in batch {
				let single = [(*round, *verdict)];
				match timed(POST_TIMEOUT, service.chain.post_verdicts(&single)).await {
					Ok(()) => mark_posted(service, vec![*round]).await,
					Err(ChainError::Rejected(error)) => {
						tracing::warn!(round = round.0, error, "verdict refused");
						mark_posted(service, vec![*round]).await;
					},
					Err(ChainError::Unavailable(error)) => {
						tracing::warn!(round = round.0, error, "verdict not posted yet");
						return;
					},
				}
			}
		},
	}
}

async fn mark_posted(service: &Service, rounds: Vec<RoundId>) {
	let mark = move |journal: &Journal| journal.posted_rounds(&rounds, unix_millis());
	// Unmarked verdicts are posted again, which the chain refuses without harm.
	service.with_journal(mark).await;
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
				let silent = lock(&service.sessions).sweep(&connected, now, idle);
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
				// Before the chain has answered, nothing is known to be closed.
				if let (Some(rounds), Some(disputes)) = (rounds, disputes) {
					let before = unix_millis().saturating_sub(KEEP_MILLIS);
					let forget =
						move |journal: &Journal| journal.forget(&rounds, &disputes, before);
					service.with_journal(forget).await;
				}
			},
		}
	}
}

fn ticker(period: Duration) -> tokio::time::Interval {
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

fn unix_millis() -> Moment {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.ok()
		.and_then(|since| Moment::try_from(since.as_millis()).ok())
		.unwrap_or_default()
}
