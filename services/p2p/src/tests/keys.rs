//! Peer ids and the keys behind them.

use crate::{peer_id_of, peer_key, PeerId};
use sp_core::{ed25519, Pair};

#[test]
fn peer_key_should_be_the_identitys_public_key() {
	let peer = peer_id_of([7; 32]).unwrap();
	let key = ed25519::Pair::from_seed(&[7; 32]).public();
	assert_eq!(peer_key(&peer), Some(key));
	assert_eq!(peer_key(&PeerId::random()), None);
}
