//! Connections to orchestrators and verifiers. Devices dial; nobody dials them.

use crate::{clock, config::NetworkConfig, key::DeviceKey, lock::lock, retry::Backoff};
use armature_p2p::{
	messages::hello_payload, ControlRequest, ControlResponse, Handle, PeerId, Refusal,
};
use armature_primitives::{DeviceId, H256};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, MutexGuard},
	time::{Duration, Instant},
};

/// A greeting must be answered by then.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// A clock that differs by more from a peer's is worth a warning, in milliseconds.
const MAX_SKEW_MILLIS: u64 = 2_000;

/// What a peer is to this device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Roles {
	/// Serves the device's region.
	pub orchestrator: bool,
	/// Challenges devices.
	pub verifier: bool,
}

#[derive(Debug)]
struct Entry {
	address: String,
	roles: Roles,
	backoff: Backoff,
	attempting: bool,
	greeted: bool,
}

/// The peers that the chain names, and how each stands.
#[derive(Debug)]
pub struct Peers {
	handle: Handle,
	key: DeviceKey,
	genesis: H256,
	device: DeviceId,
	config: NetworkConfig,
	entries: Mutex<HashMap<PeerId, Entry>>,
}

impl Peers {
	/// Without peers yet.
	pub fn new(
		handle: Handle,
		key: DeviceKey,
		genesis: H256,
		device: DeviceId,
		config: NetworkConfig,
	) -> Self {
		Self { handle, key, genesis, device, config, entries: Mutex::default() }
	}

	/// Takes over who the chain names now, orchestrators first when there are more than fit.
	/// Those that are gone are disconnected.
	pub async fn set_targets(&self, orchestrators: Vec<String>, verifiers: Vec<String>) {
		let mut wanted: HashMap<PeerId, (String, Roles)> = HashMap::new();
		let most = usize::try_from(self.config.max_peers).unwrap_or(usize::MAX);
		let orchestrators = orchestrators.into_iter().map(|address| (address, true));
		let verifiers = verifiers.into_iter().map(|address| (address, false));
		for (address, is_orchestrator) in orchestrators.chain(verifiers) {
			let Some(peer) = peer_of(&address) else {
				tracing::warn!(%address, "the chain names an address without a peer id");
				continue;
			};
			if wanted.len() >= most && !wanted.contains_key(&peer) {
				tracing::warn!(%address, most, "more services than network.max-peers allows");
				continue;
			}
			let (_, roles) = wanted.entry(peer).or_insert((address, Roles::default()));
			if is_orchestrator {
				roles.orchestrator = true;
			} else {
				roles.verifier = true;
			}
		}
		let mut gone = Vec::new();
		{
			let mut entries = self.lock();
			entries.retain(|peer, _| {
				let keep = wanted.contains_key(peer);
				if !keep {
					gone.push(*peer);
				}
				keep
			});
			for (peer, (address, roles)) in wanted {
				let min = Duration::from_millis(self.config.retry_min_millis);
				let max = Duration::from_millis(self.config.retry_max_millis);
				let entry = entries.entry(peer).or_insert_with(|| Entry {
					address: String::new(),
					roles,
					backoff: Backoff::new(min, max),
					attempting: false,
					greeted: false,
				});
				entry.roles = roles;
				if entry.address != address {
					entry.address = address;
					entry.backoff.succeed();
				}
			}
		}
		for peer in gone {
			self.handle.disconnect(peer).await.ok();
		}
	}

	/// Starts what is due: dials and greetings, each in a task of its own.
	pub fn maintain(self: &Arc<Self>) {
		let now = Instant::now();
		let mut due = Vec::new();
		for (peer, entry) in self.lock().iter_mut() {
			if !self.handle.is_connected(peer) {
				entry.greeted = false;
			}
			if !entry.greeted && !entry.attempting && entry.backoff.is_due(now) {
				entry.attempting = true;
				due.push((*peer, entry.address.clone()));
			}
		}
		for (peer, address) in due {
			let peers = self.clone();
			tokio::spawn(async move {
				let result = peers.connect(peer, &address).await;
				let mut entries = peers.lock();
				let Some(entry) = entries.get_mut(&peer) else { return };
				entry.attempting = false;
				match result {
					Ok(()) => {
						entry.greeted = true;
						entry.backoff.succeed();
						tracing::info!(%address, "connected");
					},
					Err(error) => {
						let pause = entry.backoff.fail(Instant::now());
						tracing::warn!(%address, %error, ?pause, "could not connect");
					},
				}
			});
		}
	}

	/// Orchestrators that know this device and are connected, in a stable order.
	pub fn orchestrators(&self) -> Vec<PeerId> {
		let mut found: Vec<PeerId> = self
			.lock()
			.iter()
			.filter(|(peer, entry)| {
				entry.roles.orchestrator && entry.greeted && self.handle.is_connected(peer)
			})
			.map(|(peer, _)| *peer)
			.collect();
		found.sort();
		found
	}

	/// What the chain says that a peer is.
	pub fn roles(&self, peer: &PeerId) -> Roles {
		self.lock().get(peer).map(|entry| entry.roles).unwrap_or_default()
	}

	/// Peers that know this device and are connected.
	pub fn connected(&self) -> usize {
		self.lock()
			.iter()
			.filter(|(peer, entry)| entry.greeted && self.handle.is_connected(peer))
			.count()
	}

	/// Notes that a peer does not know this device any more; it is greeted again.
	pub fn forgot_us(&self, peer: &PeerId) {
		if let Some(entry) = self.lock().get_mut(peer) {
			entry.greeted = false;
		}
	}

	async fn connect(&self, peer: PeerId, address: &str) -> Result<(), String> {
		self.handle.dial(address).await.map_err(|error| error.to_string())?;
		let own = self.handle.peer_id().to_bytes();
		let sent_at = clock::now();
		let payload = hello_payload(&self.genesis, self.device, &own, sent_at);
		let hello = ControlRequest::Hello {
			device: self.device,
			peer: own,
			sent_at,
			signature: self.key.sign_payload(&payload),
		};
		match self.handle.control(peer, hello, HELLO_TIMEOUT).await {
			Ok(ControlResponse::Welcome { now, .. }) => {
				let skew = now.abs_diff(clock::now());
				if skew > MAX_SKEW_MILLIS {
					tracing::warn!(
						%address,
						skew_millis = skew,
						"this clock and the peer's differ; synchronise it, or beats will be late"
					);
				}
				Ok(())
			},
			Ok(ControlResponse::Refused { reason: Refusal::UnknownDevice }) => Err(format!(
				"it does not know device {}: registration may not have reached it yet",
				self.device
			)),
			Ok(ControlResponse::Refused { reason }) => Err(format!("it refused: {reason}")),
			Ok(_) => Err("it answered the greeting with something else".into()),
			Err(error) => Err(error.to_string()),
		}
	}

	fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Entry>> {
		lock(&self.entries)
	}
}

/// The peer id at an address's end.
pub(crate) fn peer_of(address: &str) -> Option<PeerId> {
	let (_, peer) = address.rsplit_once("/p2p/")?;
	peer.parse().ok()
}
