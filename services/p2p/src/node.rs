//! The task that drives the swarm.

use crate::{
	codec::{Frame, FrameCodec},
	error::P2pError,
	handle::Handle,
	inbound::{Inbound, InboundRequest, Reply, ReplySender},
	limit::{Admission, Bucket, RateLimit},
	messages::{
		BlobRequest, BlobResponse, ControlRequest, ControlResponse, Message, Refusal,
		BLOB_PROTOCOL, CONTROL_PROTOCOL, MAX_BLOB_LEN, MAX_CONTROL_LEN,
	},
};
use futures::{future::BoxFuture, stream::FuturesUnordered, FutureExt, StreamExt};
use libp2p::{
	connection_limits,
	core::{transport::ListenerId, upgrade},
	identify, identity, noise, ping,
	request_response::{
		self, InboundFailure, OutboundFailure, OutboundRequestId, ProtocolSupport, ResponseChannel,
	},
	swarm::{
		dial_opts::{DialOpts, PeerCondition},
		ConnectionId, NetworkBehaviour, SwarmEvent,
	},
	tcp, yamux, Multiaddr, PeerId, StreamProtocol, Swarm,
};
use std::{
	collections::{HashMap, HashSet},
	sync::{Arc, RwLock},
	time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// What the identify protocol calls this network.
const IDENTIFY_PROTOCOL: &str = "/armature/1";

/// Commands that may wait for the task.
const COMMAND_QUEUE: usize = 256;

/// Requests of peers that may wait for the application.
const INBOUND_QUEUE: usize = 256;

/// Requests of peers that the application may work on at once.
const MAX_INBOUND_IN_FLIGHT: usize = 4096;

/// Own requests that may wait for responses at once.
const MAX_OUTBOUND_IN_FLIGHT: usize = 4096;

/// Dials that may be under way at once.
const MAX_DIALS: usize = 64;

/// Streams of one protocol that one connection may have open.
const MAX_STREAMS: usize = 32;

/// Connections to one peer: one each way, and their successors while the old ones close.
const MAX_CONNECTIONS_PER_PEER: u32 = 4;

/// Half-open connections beyond a share of the peers.
const MIN_PENDING: u32 = 16;

/// Connections are kept as long as pings are answered; whoever wants them closed closes them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Rate buckets kept for each allowed peer, so that reconnecting does not refill them.
const BUCKETS_PER_PEER: usize = 4;

/// How to run a node.
#[derive(Clone)]
pub struct NodeConfig {
	/// Seed of the ed25519 key behind the peer id. Secret.
	pub identity: [u8; 32],
	/// Multiaddresses to listen on, such as `/ip4/0.0.0.0/tcp/30400` or
	/// `/ip4/0.0.0.0/udp/30400/quic-v1`; none for a node that only dials.
	pub listen: Vec<String>,
	/// Upper bound on every exchange in both directions, whatever the caller's timeout. At least
	/// the longest challenge.
	pub request_timeout: Duration,
	/// Connections at once.
	pub max_peers: u32,
	/// How much one peer may ask.
	pub rate: RateLimit,
}

impl std::fmt::Debug for NodeConfig {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("NodeConfig")
			.field("listen", &self.listen)
			.field("request_timeout", &self.request_timeout)
			.field("max_peers", &self.max_peers)
			.field("rate", &self.rate)
			.finish_non_exhaustive()
	}
}

/// Starts nodes.
#[derive(Debug)]
pub struct Node;

impl Node {
	/// Starts a node on the current tokio runtime. Requests of peers arrive in the receiver; when
	/// it is full or dropped they are refused.
	pub fn spawn(config: NodeConfig) -> Result<(Handle, mpsc::Receiver<Inbound>), P2pError> {
		let keypair =
			identity::Keypair::ed25519_from_bytes(config.identity).map_err(P2pError::Identity)?;
		let peer_id = keypair.public().to_peer_id();
		let mut swarm = build_swarm(keypair, &config)?;
		let mut listeners = HashMap::new();
		for address in &config.listen {
			let parsed: Multiaddr =
				address.parse().map_err(|error: libp2p::multiaddr::Error| P2pError::Address {
					address: address.clone(),
					reason: error.to_string(),
				})?;
			let listener = swarm.listen_on(parsed).map_err(|error| P2pError::Listen {
				address: address.clone(),
				reason: error.to_string(),
			})?;
			listeners.insert(listener, false);
		}
		let (command_sender, commands) = mpsc::channel(COMMAND_QUEUE);
		let (inbound, inbound_receiver) = mpsc::channel(INBOUND_QUEUE);
		let connected = Arc::new(RwLock::new(HashSet::new()));
		let driver = Driver {
			swarm,
			commands,
			inbound,
			connected: connected.clone(),
			connections: HashMap::new(),
			listeners,
			address_waiters: Vec::new(),
			dials: HashMap::new(),
			pending: HashMap::new(),
			replies: FuturesUnordered::new(),
			buckets: HashMap::new(),
			rate: config.rate,
			max_buckets: usize::try_from(config.max_peers)
				.unwrap_or(usize::MAX)
				.saturating_mul(BUCKETS_PER_PEER)
				.max(BUCKETS_PER_PEER),
		};
		tokio::spawn(driver.run());
		Ok((Handle { peer_id, commands: command_sender, connected }, inbound_receiver))
	}
}

fn build_swarm(
	keypair: identity::Keypair,
	config: &NodeConfig,
) -> Result<Swarm<Behaviour>, P2pError> {
	let exchange = || {
		request_response::Config::default()
			.with_request_timeout(config.request_timeout)
			.with_max_concurrent_streams(MAX_STREAMS)
	};
	let protocol = |name, cap| {
		request_response::Behaviour::with_codec(
			FrameCodec { cap },
			[(StreamProtocol::new(name), ProtocolSupport::Full)],
			exchange(),
		)
	};
	let pending = config.max_peers.checked_div(4).unwrap_or(0).saturating_add(MIN_PENDING);
	let limits = connection_limits::ConnectionLimits::default()
		.with_max_established(Some(config.max_peers))
		.with_max_established_per_peer(Some(MAX_CONNECTIONS_PER_PEER))
		.with_max_pending_incoming(Some(pending))
		.with_max_pending_outgoing(Some(pending));
	let behaviour = Behaviour {
		control: protocol(CONTROL_PROTOCOL, MAX_CONTROL_LEN),
		blob: protocol(BLOB_PROTOCOL, MAX_BLOB_LEN),
		ping: ping::Behaviour::new(
			ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
		),
		identify: identify::Behaviour::new(
			identify::Config::new(IDENTIFY_PROTOCOL.into(), keypair.public())
				.with_agent_version(concat!("armature/", env!("CARGO_PKG_VERSION")).into())
				.with_hide_listen_addrs(true)
				.with_cache_size(0),
		),
		limits: connection_limits::Behaviour::new(limits),
	};
	let built = libp2p::SwarmBuilder::with_existing_identity(keypair)
		.with_tokio()
		.with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
		.map_err(|error| P2pError::Transport(error.to_string()))?
		.with_quic()
		.with_behaviour(|_| behaviour)
		.map_err(|error| P2pError::Transport(error.to_string()))?
		.with_swarm_config(|swarm| {
			swarm
				.with_idle_connection_timeout(IDLE_TIMEOUT)
				// Each behaviour speaks one protocol, so that a request need not wait until the other end
				// has agreed to it: that would double every round trip.
				.with_substream_upgrade_protocol_override(upgrade::Version::V1Lazy)
		});
	Ok(built.build())
}

#[derive(NetworkBehaviour)]
struct Behaviour {
	control: request_response::Behaviour<FrameCodec>,
	blob: request_response::Behaviour<FrameCodec>,
	ping: ping::Behaviour,
	identify: identify::Behaviour,
	limits: connection_limits::Behaviour,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Protocol {
	Control,
	Blob,
}

impl Protocol {
	fn refusal(self, reason: Refusal) -> Vec<u8> {
		let bytes = match self {
			Protocol::Control => ControlResponse::Refused { reason }.to_bytes(),
			Protocol::Blob => BlobResponse::Refused { reason }.to_bytes(),
		};
		// A refusal is two bytes and always within bounds.
		bytes.unwrap_or_default()
	}
}

#[derive(Debug)]
pub(crate) enum Command {
	ListenAddresses {
		reply: oneshot::Sender<Vec<String>>,
	},
	Dial {
		peer: PeerId,
		address: Multiaddr,
		reply: oneshot::Sender<Result<(), P2pError>>,
	},
	Request {
		protocol: Protocol,
		peer: PeerId,
		bytes: Vec<u8>,
		reply: oneshot::Sender<Result<Vec<u8>, P2pError>>,
	},
	Disconnect {
		peer: PeerId,
		reply: oneshot::Sender<()>,
	},
	Shutdown {
		reply: oneshot::Sender<()>,
	},
}

/// One end of a connection.
struct Link {
	id: ConnectionId,
	is_dialer: bool,
}

/// An answer on its way back: to whom, over what, and its bytes.
type Answer = (Protocol, ResponseChannel<Frame>, Vec<u8>);

struct Driver {
	swarm: Swarm<Behaviour>,
	commands: mpsc::Receiver<Command>,
	inbound: mpsc::Sender<Inbound>,
	connected: Arc<RwLock<HashSet<PeerId>>>,
	connections: HashMap<PeerId, Vec<Link>>,
	/// Whether each listener has an address yet.
	listeners: HashMap<ListenerId, bool>,
	address_waiters: Vec<oneshot::Sender<Vec<String>>>,
	dials: HashMap<ConnectionId, (PeerId, oneshot::Sender<Result<(), P2pError>>)>,
	pending: HashMap<(Protocol, OutboundRequestId), oneshot::Sender<Result<Vec<u8>, P2pError>>>,
	replies: FuturesUnordered<BoxFuture<'static, Answer>>,
	buckets: HashMap<PeerId, Bucket>,
	rate: RateLimit,
	max_buckets: usize,
}

impl Driver {
	async fn run(mut self) {
		let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
		let stopped = loop {
			tokio::select! {
				event = self.swarm.select_next_some() => self.on_event(event),
				command = self.commands.recv() => match command {
					None => break None,
					Some(Command::Shutdown { reply }) => break Some(reply),
					Some(command) => self.on_command(command),
				},
				Some((protocol, channel, bytes)) = self.replies.next(),
					if !self.replies.is_empty() => self.respond(protocol, channel, bytes),
				_ = sweep.tick() => self.sweep(),
			}
		};
		self.connected.write().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
		// Connections and listeners close as the swarm is dropped.
		drop(self);
		if let Some(reply) = stopped {
			let _ = reply.send(());
		}
	}

	fn on_command(&mut self, command: Command) {
		match command {
			Command::ListenAddresses { reply } => {
				self.address_waiters.retain(|waiter| !waiter.is_closed());
				self.address_waiters.push(reply);
				self.answer_address_waiters();
			},
			Command::Dial { peer, address, reply } => self.dial(peer, address, reply),
			Command::Request { protocol, peer, bytes, reply } => {
				if self.pending.len() >= MAX_OUTBOUND_IN_FLIGHT {
					let _ = reply.send(Err(P2pError::Busy));
				} else if !self.swarm.is_connected(&peer) {
					let _ = reply.send(Err(P2pError::NotConnected(peer)));
				} else {
					let behaviour = self.swarm.behaviour_mut();
					let exchange = match protocol {
						Protocol::Control => &mut behaviour.control,
						Protocol::Blob => &mut behaviour.blob,
					};
					let id = exchange.send_request(&peer, Frame::Bytes(bytes));
					self.pending.insert((protocol, id), reply);
				}
			},
			Command::Disconnect { peer, reply } => {
				self.disconnect(peer);
				let _ = reply.send(());
			},
			Command::Shutdown { reply } => {
				let _ = reply.send(());
			},
		}
	}

	fn dial(
		&mut self,
		peer: PeerId,
		address: Multiaddr,
		reply: oneshot::Sender<Result<(), P2pError>>,
	) {
		let result = if self.swarm.is_connected(&peer) {
			Ok(())
		} else if self.dials.len() >= MAX_DIALS {
			Err(P2pError::Busy)
		} else {
			let options = DialOpts::peer_id(peer)
				.addresses(vec![address])
				.condition(PeerCondition::Always)
				.build();
			let id = options.connection_id();
			match self.swarm.dial(options) {
				Ok(()) => {
					self.dials.insert(id, (peer, reply));
					return;
				},
				Err(error) => Err(P2pError::Dial(error.to_string())),
			}
		};
		let _ = reply.send(result);
	}

	fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
		match event {
			SwarmEvent::Behaviour(BehaviourEvent::Control(event)) => {
				self.on_exchange(Protocol::Control, event)
			},
			SwarmEvent::Behaviour(BehaviourEvent::Blob(event)) => {
				self.on_exchange(Protocol::Blob, event)
			},
			SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => match event.result {
				Ok(_) | Err(ping::Failure::Unsupported) => {},
				Err(error) => {
					tracing::debug!(peer = %event.peer, %error, "closing a silent connection");
					self.swarm.close_connection(event.connection);
				},
			},
			SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
				tracing::debug!(peer = %peer_id, ?endpoint, "connected");
				self.on_connected(peer_id, connection_id, endpoint.is_dialer());
			},
			SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
				tracing::debug!(peer = %peer_id, left = num_established, "connection closed");
				if let Some(links) = self.connections.get_mut(&peer_id) {
					links.retain(|link| link.id != connection_id);
					if links.is_empty() {
						self.connections.remove(&peer_id);
					}
				}
				if num_established == 0 {
					let mut connected =
						self.connected.write().unwrap_or_else(|poisoned| poisoned.into_inner());
					connected.remove(&peer_id);
				}
			},
			SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
				if let Some((peer, reply)) = self.dials.remove(&connection_id) {
					tracing::debug!(%peer, %error, "dial failed");
					let _ = reply.send(Err(P2pError::Dial(error.to_string())));
				}
			},
			SwarmEvent::IncomingConnectionError { error, .. } => {
				tracing::debug!(%error, "incoming connection failed");
			},
			SwarmEvent::NewListenAddr { listener_id, address } => {
				tracing::info!(%address, "listening");
				self.listeners.insert(listener_id, true);
				self.answer_address_waiters();
			},
			SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
				tracing::warn!(?reason, "listener closed");
				self.listeners.remove(&listener_id);
				self.answer_address_waiters();
			},
			SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener failed"),
			_ => {},
		}
	}

	fn on_connected(&mut self, peer: PeerId, id: ConnectionId, is_dialer: bool) {
		let links = self.connections.entry(peer).or_default();
		// A peer that connects anew has lost its old connection, whether or not we noticed. The
		// two sides may dial each other at once, so only connections of one direction replace
		// each other.
		let stale: Vec<_> = links
			.iter()
			.filter(|link| link.is_dialer == is_dialer)
			.map(|link| link.id)
			.collect();
		links.push(Link { id, is_dialer });
		for old in stale {
			self.swarm.close_connection(old);
		}
		self.connected
			.write()
			.unwrap_or_else(|poisoned| poisoned.into_inner())
			.insert(peer);
		let waiting: Vec<_> = self
			.dials
			.iter()
			.filter(|(_, (dialled, _))| *dialled == peer)
			.map(|(id, _)| *id)
			.collect();
		for dial in waiting {
			if let Some((_, reply)) = self.dials.remove(&dial) {
				let _ = reply.send(Ok(()));
			}
		}
	}

	fn on_exchange(&mut self, protocol: Protocol, event: request_response::Event<Frame, Frame>) {
		use request_response::{Event, Message as Exchange};
		match event {
			Event::Message {
				peer, message: Exchange::Request { request, channel, .. }, ..
			} => self.on_request(protocol, peer, request, channel),
			Event::Message { message: Exchange::Response { request_id, response }, .. } => {
				let result = match response {
					Frame::Bytes(bytes) => Ok(bytes),
					Frame::TooLarge => Err(P2pError::BadResponse),
				};
				self.resolve(protocol, request_id, result);
			},
			Event::OutboundFailure { request_id, error, .. } => {
				let error = match error {
					OutboundFailure::DialFailure | OutboundFailure::ConnectionClosed => {
						P2pError::Disconnected
					},
					OutboundFailure::Timeout => P2pError::Timeout,
					OutboundFailure::UnsupportedProtocols => P2pError::Unsupported,
					OutboundFailure::Io(error) => P2pError::Io(error.to_string()),
				};
				self.resolve(protocol, request_id, Err(error));
			},
			Event::InboundFailure { peer, error, .. } => {
				tracing::debug!(%peer, ?protocol, %error, "incoming request failed");
				// A stream that broke off in mid-frame costs the peer as a malformed frame does.
				if matches!(error, InboundFailure::Io(_)) {
					self.offend(peer);
				}
			},
			Event::ResponseSent { .. } => {},
		}
	}

	fn resolve(
		&mut self,
		protocol: Protocol,
		id: OutboundRequestId,
		result: Result<Vec<u8>, P2pError>,
	) {
		if let Some(reply) = self.pending.remove(&(protocol, id)) {
			// The caller may have given up.
			let _ = reply.send(result);
		}
	}

	fn on_request(
		&mut self,
		protocol: Protocol,
		peer: PeerId,
		frame: Frame,
		channel: ResponseChannel<Frame>,
	) {
		let admission = self.admit(peer);
		if admission != Admission::Granted {
			self.respond(protocol, channel, protocol.refusal(Refusal::RateLimited));
			if admission == Admission::Abusive {
				tracing::warn!(%peer, "disconnecting a peer over its rate");
				self.disconnect(peer);
			}
			return;
		}
		let request = match frame {
			Frame::TooLarge => Err(Refusal::TooLarge),
			Frame::Bytes(bytes) => match protocol {
				Protocol::Control => {
					ControlRequest::from_bytes(&bytes).map(InboundRequest::Control)
				},
				Protocol::Blob => BlobRequest::from_bytes(&bytes).map(InboundRequest::Blob),
			}
			.ok_or(Refusal::Malformed),
		};
		let request = match request {
			Ok(request) => request,
			Err(reason) => {
				tracing::debug!(%peer, ?protocol, %reason, "refusing a frame");
				self.respond(protocol, channel, protocol.refusal(reason));
				self.offend(peer);
				return;
			},
		};
		if self.replies.len() >= MAX_INBOUND_IN_FLIGHT {
			self.respond(protocol, channel, protocol.refusal(Refusal::Busy));
			return;
		}
		let (reply, answer) = match protocol {
			Protocol::Control => {
				let (sender, receiver) = oneshot::channel::<ControlResponse>();
				(ReplySender::Control(sender), encode_answer(protocol, receiver).boxed())
			},
			Protocol::Blob => {
				let (sender, receiver) = oneshot::channel::<BlobResponse>();
				(ReplySender::Blob(sender), encode_answer(protocol, receiver).boxed())
			},
		};
		match self.inbound.try_send(Inbound { peer, request, reply: Reply(reply) }) {
			Ok(()) => {
				let answer = answer.map(move |bytes| (protocol, channel, bytes));
				self.replies.push(answer.boxed());
			},
			Err(mpsc::error::TrySendError::Full(_)) => {
				self.respond(protocol, channel, protocol.refusal(Refusal::Busy))
			},
			Err(mpsc::error::TrySendError::Closed(_)) => {
				self.respond(protocol, channel, protocol.refusal(Refusal::Internal))
			},
		}
	}

	fn respond(&mut self, protocol: Protocol, channel: ResponseChannel<Frame>, bytes: Vec<u8>) {
		let behaviour = self.swarm.behaviour_mut();
		let exchange = match protocol {
			Protocol::Control => &mut behaviour.control,
			Protocol::Blob => &mut behaviour.blob,
		};
		if exchange.send_response(channel, Frame::Bytes(bytes)).is_err() {
			tracing::debug!(?protocol, "response has nowhere to go");
		}
	}

	/// What the peer's bucket says of one more request.
	fn admit(&mut self, peer: PeerId) -> Admission {
		let now = Instant::now();
		if self.buckets.len() >= self.max_buckets && !self.buckets.contains_key(&peer) {
			let connections = &self.connections;
			self.buckets.retain(|peer, _| connections.contains_key(peer));
		}
		let rate = self.rate;
		let bucket = self.buckets.entry(peer).or_insert_with(|| Bucket::full(rate, now));
		bucket.admit(rate, now)
	}

	/// Counts something malformed against the peer.
	fn offend(&mut self, peer: PeerId) {
		let abusive = self.buckets.get_mut(&peer).map(Bucket::offend) == Some(Admission::Abusive);
		if abusive {
			tracing::warn!(%peer, "disconnecting a peer that sends malformed frames");
			self.disconnect(peer);
		}
	}

	fn disconnect(&mut self, peer: PeerId) {
		// An error says that it is not connected.
		let _ = self.swarm.disconnect_peer_id(peer);
	}

	fn answer_address_waiters(&mut self) {
		if self.listeners.values().all(|ready| *ready) {
			let own = *self.swarm.local_peer_id();
			let addresses: Vec<String> = self
				.swarm
				.listeners()
				.filter_map(|address| address.clone().with_p2p(own).ok())
				.map(|address| address.to_string())
				.collect();
			for waiter in self.address_waiters.drain(..) {
				let _ = waiter.send(addresses.clone());
			}
		}
	}

	fn sweep(&mut self) {
		let (now, rate, connections) = (Instant::now(), self.rate, &self.connections);
		self.buckets
			.retain(|peer, bucket| connections.contains_key(peer) || !bucket.is_full(rate, now));
	}
}

/// The bytes of the response, once the application has given it.
async fn encode_answer<A: Message>(protocol: Protocol, answer: oneshot::Receiver<A>) -> Vec<u8> {
	match answer.await.map(|response| response.to_bytes()) {
		Ok(Ok(bytes)) => bytes,
		Ok(Err(len)) => {
			tracing::error!(?protocol, len, "own response breaks the protocol's bounds");
			protocol.refusal(Refusal::Internal)
		},
		Err(_) => protocol.refusal(Refusal::Internal),
	}
}
