//! How the rest of a daemon talks to its node.

use crate::{
	error::P2pError,
	messages::{BlobRequest, BlobResponse, ControlRequest, ControlResponse, Message},
	node::{Command, Protocol},
};
use libp2p::{multiaddr, Multiaddr, PeerId};
use std::{
	collections::HashSet,
	sync::{Arc, RwLock},
	time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// A connection must be up by then.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// The node answers questions about itself by then.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// A cheap handle to a running node. The node stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Handle {
	pub(crate) peer_id: PeerId,
	pub(crate) commands: mpsc::Sender<Command>,
	pub(crate) connected: Arc<RwLock<HashSet<PeerId>>>,
}

impl Handle {
	/// The node's own peer id.
	pub fn peer_id(&self) -> PeerId {
		self.peer_id
	}

	/// The addresses that the node listens on, each ending in `/p2p/<own peer id>`. Waits until
	/// every listener has its address.
	pub async fn listen_addresses(&self) -> Result<Vec<String>, P2pError> {
		self.command(COMMAND_TIMEOUT, |reply| Command::ListenAddresses { reply }).await
	}

	/// Connects to `address`, which must end in `/p2p/<peer id>`; the peer proves that it has that
	/// id. Returns at once when it is connected already. The connection is kept until either side
	/// closes it; reconnecting is the caller's.
	pub async fn dial(&self, address: &str) -> Result<PeerId, P2pError> {
		let parsed: Multiaddr = address.parse().map_err(|error: multiaddr::Error| {
			P2pError::Address { address: address.into(), reason: error.to_string() }
		})?;
		let Some(multiaddr::Protocol::P2p(peer)) = parsed.iter().last() else {
			return Err(P2pError::MissingPeerId(address.into()));
		};
		let dial = |reply| Command::Dial { peer, address: parsed, reply };
		self.command(DIAL_TIMEOUT, dial).await??;
		Ok(peer)
	}

	/// Sends a control request and waits at most `timeout` (and at most the node's
	/// `request_timeout`) for its response.
	pub async fn control(
		&self,
		peer: PeerId,
		request: ControlRequest,
		timeout: Duration,
	) -> Result<ControlResponse, P2pError> {
		self.request(Protocol::Control, peer, request, timeout).await
	}

	/// Sends a blob request, as [`Handle::control`] does.
	pub async fn blob(
		&self,
		peer: PeerId,
		request: BlobRequest,
		timeout: Duration,
	) -> Result<BlobResponse, P2pError> {
		self.request(Protocol::Blob, peer, request, timeout).await
	}

	/// Whether a connection to the peer is open.
	pub fn is_connected(&self, peer: &PeerId) -> bool {
		// A poisoned lock still holds a whole set.
		self.connected
			.read()
			.unwrap_or_else(|poisoned| poisoned.into_inner())
			.contains(peer)
	}

	/// The peers with open connections.
	pub fn connected_peers(&self) -> Vec<PeerId> {
		let connected = self.connected.read().unwrap_or_else(|poisoned| poisoned.into_inner());
		connected.iter().copied().collect()
	}

	/// Closes the connections to the peer.
	pub async fn disconnect(&self, peer: PeerId) -> Result<(), P2pError> {
		self.command(COMMAND_TIMEOUT, |reply| Command::Disconnect { peer, reply }).await
	}

	/// Stops the node and waits until it has stopped. Requests under way fail.
	pub async fn shutdown(&self) {
		// An error says that it has stopped already.
		let _ = self.command(COMMAND_TIMEOUT, |reply| Command::Shutdown { reply }).await;
	}

	async fn request<Q: Message, A: Message>(
		&self,
		protocol: Protocol,
		peer: PeerId,
		request: Q,
		timeout: Duration,
	) -> Result<A, P2pError> {
		let bytes = request.to_bytes().map_err(|len| P2pError::OutOfBounds { len, cap: Q::CAP })?;
		drop(request);
		let response = self
			.command(timeout, |reply| Command::Request { protocol, peer, bytes, reply })
			.await??;
		A::from_bytes(&response).ok_or(P2pError::BadResponse)
	}

	async fn command<T>(
		&self,
		timeout: Duration,
		command: impl FnOnce(oneshot::Sender<T>) -> Command,
	) -> Result<T, P2pError> {
		let (reply, answer) = oneshot::channel();
		let command = command(reply);
		let exchange = async {
			self.commands.send(command).await.map_err(|_| P2pError::Closed)?;
			answer.await.map_err(|_| P2pError::Closed)
		};
		tokio::time::timeout(timeout, exchange).await.map_err(|_| P2pError::Timeout)?
	}
}
