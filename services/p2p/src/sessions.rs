//! Which peer speaks for which device, for services that devices dial.

use crate::messages::Refusal;
use armature_primitives::{ed25519, DeviceId, Moment};
use libp2p::PeerId;
use std::{
	collections::HashMap,
	time::{Duration, Instant},
};

/// A device that has said hello over a connection.
#[derive(Clone, Debug)]
pub struct Session {
	/// The peer that speaks for it.
	pub peer: PeerId,
	/// The device's key.
	pub key: ed25519::Public,
	/// The clock of the device when it said hello.
	pub hello_at: Moment,
}

/// One session a device, one device a peer. Whoever opens a session has verified the hello.
#[derive(Debug, Default)]
pub struct Sessions {
	by_device: HashMap<DeviceId, Session>,
	by_peer: HashMap<PeerId, DeviceId>,
	/// When each peer last asked something.
	active: HashMap<PeerId, Instant>,
}

impl Sessions {
	/// Notes that the peer asked something.
	pub fn touch(&mut self, peer: PeerId, now: Instant) {
		self.active.insert(peer, now);
	}

	/// Opens a session. Returns the peer that spoke for the device before, if it was another.
	pub fn open(&mut self, device: DeviceId, session: Session) -> Result<Option<PeerId>, Refusal> {
		let peer = session.peer;
		if self.by_peer.get(&peer).is_some_and(|bound| *bound != device) {
			return Err(Refusal::NotAssigned);
		}
		// A hello that is older than the one in force must not displace it.
		let is_stale = self
			.by_device
			.get(&device)
			.is_some_and(|old| old.peer != peer && old.hello_at >= session.hello_at);
		if is_stale {
			return Err(Refusal::Malformed);
		}
		self.by_peer.insert(peer, device);
		let old = self.by_device.insert(device, session).map(|old| old.peer);
		let displaced = old.filter(|old| *old != peer);
		if let Some(old) = displaced {
			self.by_peer.remove(&old);
		}
		Ok(displaced)
	}

	/// The session of a device, if `peer` speaks for it.
	pub fn of(&self, device: DeviceId, peer: PeerId) -> Option<Session> {
		self.by_device.get(&device).filter(|session| session.peer == peer).cloned()
	}

	/// The peer that speaks for a device.
	pub fn peer_of(&self, device: DeviceId) -> Option<PeerId> {
		self.by_device.get(&device).map(|session| session.peer)
	}

	/// How many sessions are open.
	pub fn len(&self) -> usize {
		self.by_device.len()
	}

	/// Whether none is open.
	pub fn is_empty(&self) -> bool {
		self.by_device.is_empty()
	}

	/// Drops what concerns peers that are gone and returns the connected ones that are no device
	/// and have asked nothing for `idle`.
	pub fn sweep(&mut self, connected: &[PeerId], now: Instant, idle: Duration) -> Vec<PeerId> {
		let connected: std::collections::HashSet<_> = connected.iter().copied().collect();
		self.by_device.retain(|_, session| connected.contains(&session.peer));
		self.by_peer.retain(|peer, _| connected.contains(peer));
		self.active.retain(|peer, _| connected.contains(peer));
		let mut silent = Vec::new();
		for peer in connected {
			if self.by_peer.contains_key(&peer) {
				continue;
			}
			let since = *self.active.entry(peer).or_insert(now);
			if now.saturating_duration_since(since) >= idle {
				silent.push(peer);
			}
		}
		silent
	}
}
