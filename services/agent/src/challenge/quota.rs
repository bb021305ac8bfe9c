//! How often each peer may ask for something in one round.

use armature_p2p::PeerId;
use std::collections::HashMap;

/// Peers that are counted in a round. A committee has five members at most, but any of them may be
/// reached elsewhere meanwhile.
pub(super) const MAX_PEERS: usize = 16;

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
		if !self.has_left(&peer) {
			return false;
		}
		let had = self.had.entry(peer).or_default();
		*had = had.saturating_add(1);
		true
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
