//! The service over real connections on loopback, with a chain in memory.

mod beats;
mod blobs;
mod config;
mod metrics;
mod rendezvous;
mod store;

use crate::{
	chain::{Account, ChainError, ChainView, DeviceView, OfferedLease},
	Config, Orchestrator,
};
use armature_p2p::{
	messages::hello_payload, ControlRequest, ControlResponse, Handle, Inbound, InboundRequest,
	Node, NodeConfig, PeerId, PutAuth, RateLimit,
};
use armature_primitives::{
	device::DeviceStatus,
	ed25519::{Public, Signature},
	telemetry::EpochClock,
	units::ARMA,
	Balance, DeviceId, LeaseId, Moment, RegionId, H256,
};
use async_trait::async_trait;
use ed25519_dalek::{Signer, SigningKey};
use std::{
	collections::HashMap,
	num::NonZeroU64,
	path::Path,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc, Mutex,
	},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;

pub(crate) const WAIT: Duration = Duration::from_secs(10);
pub(crate) const REGION: RegionId = RegionId(7);
pub(crate) const GENESIS: H256 = H256([0xa1; 32]);
pub(crate) const CLOCK: EpochClock = EpochClock { slot_millis: NonZeroU64::new(1_000).unwrap() };

pub(crate) fn unix_millis() -> Moment {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
	Moment::try_from(since.as_millis()).unwrap()
}

#[derive(Default)]
pub(crate) struct MemoryChain {
	devices: Mutex<HashMap<DeviceId, DeviceView>>,
	balances: Mutex<HashMap<Account, Balance>>,
	leases: Mutex<Vec<(RegionId, OfferedLease)>>,
	is_down: AtomicBool,
}

impl MemoryChain {
	fn read<T>(&self, value: T) -> Result<T, ChainError> {
		if self.is_down.load(Ordering::SeqCst) {
			Err(ChainError("connection refused".into()))
		} else {
			Ok(value)
		}
	}

	pub(crate) fn set_down(&self, is_down: bool) {
		self.is_down.store(is_down, Ordering::SeqCst);
	}

	pub(crate) fn add_device(&self, id: u32, region: RegionId, status: DeviceStatus) {
		let key = Public::from(device_key(id).verifying_key().to_bytes());
		let view = DeviceView { key, provider: [id as u8; 32], region, status };
		self.devices.lock().unwrap().insert(DeviceId(id), view);
	}

	pub(crate) fn set_balance(&self, account: Account, balance: Balance) {
		self.balances.lock().unwrap().insert(account, balance);
	}

	pub(crate) fn offer(&self, lease: u64, device: u32) {
		let offered = OfferedLease { lease: LeaseId(lease), device: DeviceId(device) };
		self.leases.lock().unwrap().push((REGION, offered));
	}
}

#[async_trait]
impl ChainView for MemoryChain {
	fn genesis(&self) -> H256 {
		GENESIS
	}

	async fn now(&self) -> Result<Moment, ChainError> {
		self.read(unix_millis())
	}

	async fn epoch_clock(&self) -> Result<EpochClock, ChainError> {
		self.read(CLOCK)
	}

	async fn device(&self, id: DeviceId) -> Result<Option<DeviceView>, ChainError> {
		self.read(self.devices.lock().unwrap().get(&id).cloned())
	}

	async fn free_balance(&self, account: Account) -> Result<Balance, ChainError> {
		self.read(self.balances.lock().unwrap().get(&account).copied().unwrap_or(0))
	}

	async fn offered_leases(&self, region: RegionId) -> Result<Vec<OfferedLease>, ChainError> {
		let leases = self.leases.lock().unwrap();
		self.read(leases.iter().filter(|(r, _)| *r == region).map(|(_, lease)| *lease).collect())
	}
}

/// Device 1 and 2 of this region, 3 of another, 4 retired; account 0x11.. with 1 ARMA.
pub(crate) fn chain() -> Arc<MemoryChain> {
	let chain = MemoryChain::default();
	chain.add_device(1, REGION, DeviceStatus::Active);
	chain.add_device(2, REGION, DeviceStatus::Attested);
	chain.add_device(3, RegionId(8), DeviceStatus::Active);
	chain.add_device(4, REGION, DeviceStatus::Retired);
	chain.set_balance(tenant_account(1), ARMA);
	Arc::new(chain)
}

pub(crate) fn test_config(dir: &Path) -> Config {
	let mut config = Config::new(REGION, dir.join("data"));
	config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
	config.beats.clock_skew_millis = 60_000;
	config.dispatch.poll_millis = 50;
	config.dispatch.repeat_millis = 400;
	config.network.requests_per_second = 1_000;
	config.network.request_burst = 1_000;
	config
}

pub(crate) async fn start(dir: &Path, chain: Arc<MemoryChain>) -> Orchestrator {
	Orchestrator::start(test_config(dir), chain).await.unwrap()
}

pub(crate) fn device_key(id: u32) -> SigningKey {
	SigningKey::from_bytes(&H256::from_low_u64_be(u64::from(id)).0)
}

pub(crate) fn tenant(seed: u8) -> sp_core::sr25519::Pair {
	use sp_core::Pair;
	sp_core::sr25519::Pair::from_seed(&[seed; 32])
}

pub(crate) fn tenant_account(seed: u8) -> Account {
	use sp_core::Pair;
	tenant(seed).public().0
}

pub(crate) fn account_auth(seed: u8) -> impl Fn(&[u8]) -> PutAuth {
	use sp_core::Pair;
	move |payload: &[u8]| PutAuth::Account {
		account: tenant_account(seed),
		signature: tenant(seed).sign(payload).0,
	}
}

pub(crate) fn device_auth(id: u32) -> impl Fn(&[u8]) -> PutAuth {
	move |payload: &[u8]| PutAuth::Device {
		device: DeviceId(id),
		signature: device_key(id).sign(payload).to_bytes(),
	}
}

/// A peer connected to the orchestrator.
pub(crate) struct Client {
	pub(crate) handle: Handle,
	pub(crate) server: PeerId,
	pub(crate) inbound: mpsc::Receiver<Inbound>,
}

impl Client {
	pub(crate) async fn connect(seed: u8, orchestrator: &Orchestrator) -> Self {
		let (handle, inbound) = Node::spawn(NodeConfig {
			identity: [seed; 32],
			listen: vec![],
			request_timeout: Duration::from_secs(30),
			max_peers: 4,
			rate: RateLimit::default(),
		})
		.unwrap();
		let server = handle.dial(&orchestrator.addresses()[0]).await.unwrap();
		assert_eq!(server, orchestrator.peer_id());
		Self { handle, server, inbound }
	}

	pub(crate) async fn ask(&self, request: ControlRequest) -> ControlResponse {
		self.handle.control(self.server, request, WAIT).await.unwrap()
	}

	pub(crate) fn hello_at(&self, device: u32, sent_at: Moment) -> ControlRequest {
		let (device, peer) = (DeviceId(device), self.handle.peer_id().to_bytes());
		let payload = hello_payload(&GENESIS, device, &peer, sent_at);
		let signature = Signature::from(device_key(device.0).sign(&payload).to_bytes());
		ControlRequest::Hello { device, peer, sent_at, signature }
	}

	pub(crate) async fn hello(&self, device: u32) -> ControlResponse {
		self.ask(self.hello_at(device, unix_millis())).await
	}

	/// The next lease that it is told of; the notice is accepted.
	pub(crate) async fn next_notice(&mut self) -> LeaseId {
		let incoming = tokio::time::timeout(WAIT, self.inbound.recv()).await.unwrap().unwrap();
		let InboundRequest::Control(ControlRequest::LeaseNotice { lease }) = incoming.request
		else {
			panic!("{:?}", incoming.request)
		};
		incoming.reply.control(ControlResponse::Accepted);
		lease
	}
}

pub(crate) fn refused(reason: armature_p2p::Refusal) -> ControlResponse {
	ControlResponse::Refused { reason }
}
