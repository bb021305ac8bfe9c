//! How often each peer may ask for something in one round.

use armature_p2p::PeerId;
use std::collections::HashMap;

/// Peers that are counted in a round. A committee has five members at most, but any of them may be
/// reached elsewhere meanwhile.
pub(super) const MAX_PEERS: usize = 16;

/// What a request for so many parts counts: one also where it asks for nothing.
pub(super) fn asked<T>(parts: &[T]) -> u32 {
	u32::try_from(parts.len()).unwrap_or(u32::MAX).max(1)
}

/// Counts what each peer has had.
#[derive(Debug)]
pub(super) struct Quota {
	most: u32,
	had: HashMap<PeerId, u32>,
}

impl Quota {
	/// Each peer may have this `most`.
	pub(super) fn new(most: u32) -> Self {
		Self { most, had: HashMap::new() }
	}

	/// Whether a peer may have one more.
	pub(super) fn has_left(&self, peer: &PeerId) -> bool {
		match self.had.get(peer) {
			Some(had) => *had < self.most,
			None => self.most > 0 && self.had.len() < MAX_PEERS,
		}
	}

	/// Takes one, if the peer may have one more.
	pub(super) fn take(&mut self, peer: PeerId) -> bool {
		self.take_some(peer, 1)
	}

	/// Takes as many as this, if the peer may have all of them.
	pub(super) fn take_some(&mut self, peer: PeerId, amount: u32) -> bool {
		if !self.has_left(&peer) {
			return false;
		}
		let had = self.had.entry(peer).or_default();
		match had.checked_add(amount).filter(|sum| *sum <= self.most) {
			Some(sum) => {
				*had = sum;
				true
			},
			None => false,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::testing::peer;

	#[test]
	fn each_peer_should_get_its_share_and_no_more() {
		let mut quota = Quota::new(2);
		for number in [1, 2] {
			assert!(quota.take(peer(number)));
			assert!(quota.has_left(&peer(number)));
			assert!(quota.take(peer(number)));
			assert!(!quota.has_left(&peer(number)) && !quota.take(peer(number)));
		}
		assert!(!Quota::new(0).take(peer(1)));
	}

	#[test]
	fn some_should_be_taken_whole_or_not_at_all() {
		let mut quota = Quota::new(5);
		assert!(!quota.take_some(peer(1), 6));
		assert!(quota.take_some(peer(1), 3));
		assert!(!quota.take_some(peer(1), 3) && !quota.take_some(peer(1), u32::MAX));
		assert!(quota.take_some(peer(1), 2) && !quota.take(peer(1)));
		assert!(quota.take_some(peer(2), 5));
	}

	#[test]
	fn no_more_peers_than_are_counted_should_get_anything() {
		let mut quota = Quota::new(2);
		let most = u8::try_from(MAX_PEERS).expect("few");
		for number in 0..most {
			assert!(quota.take(peer(number)));
		}
		assert!(!quota.has_left(&peer(most)) && !quota.take(peer(most)));
		assert!(quota.take(peer(0)), "known");
	}
}
