//! Carries the messages between agents, orchestrators and verifiers over rust-libp2p.
//!
//! Two request-response protocols, each versioned in its name: [`messages::CONTROL_PROTOCOL`] for
//! greetings, beats, challenges and notices, and [`messages::BLOB_PROTOCOL`] for content-addressed
//! bytes. A frame is a little-endian `u32` length and that many bytes of canonical SCALE. The
//! length is checked against the protocol's cap before anything is read; the bytes must decode
//! whole, within a depth limit, and within the bounds of [`messages`].
//!
//! Transports are TCP with noise and yamux, and QUIC. Devices dial out and keep the connection;
//! whoever they dialled sends its own requests back over it.
//!
//! A [`Node`] runs as one task. [`Handle`] sends requests, the [`Inbound`] queue delivers what
//! others ask. Every queue is bounded and every wait has a limit.

mod blob;
mod codec;
mod error;
mod handle;
mod identity;
mod inbound;
mod limit;
mod node;
mod sessions;

pub use armature_wire as messages;
pub use blob::{get_blob, put_blob, BLOB_REQUEST_TIMEOUT};
pub use error::P2pError;
pub use handle::Handle;
pub use identity::{load_or_create_seed, IdentityError};
pub use inbound::{Inbound, InboundRequest, Reply};
pub use libp2p::{Multiaddr, PeerId};
pub use limit::RateLimit;
pub use messages::{
	BlobRequest, BlobResponse, ControlRequest, ControlResponse, PutAuth, Refusal, ServiceKind,
	StatusReport,
};
pub use node::{Node, NodeConfig};
pub use sessions::{Session, Sessions};

/// The ed25519 key behind a peer id, if it is one of such a key. Nodes of this network sign with
/// the key that their peer id names, so that who knows an address also knows whose word counts.
pub fn peer_key(peer: &PeerId) -> Option<armature_primitives::ed25519::Public> {
	// A peer id of a short key is the identity multihash of its protobuf: code 0, length, bytes.
	let bytes = peer.to_bytes();
	let [0, _, protobuf @ ..] = bytes.as_slice() else { return None };
	let key = libp2p::identity::PublicKey::try_decode_protobuf(protobuf).ok()?;
	let key = key.try_into_ed25519().ok()?;
	Some(armature_primitives::ed25519::Public::from(key.to_bytes()))
}

/// The peer id of a node whose identity has this seed.
pub fn peer_id_of(seed: [u8; 32]) -> Result<PeerId, P2pError> {
	libp2p::identity::Keypair::ed25519_from_bytes(seed)
		.map(|keypair| keypair.public().to_peer_id())
		.map_err(P2pError::Identity)
}

#[cfg(test)]
mod tests;
