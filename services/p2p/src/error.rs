//! What can go wrong between two nodes.

use crate::messages::Refusal;
use libp2p::PeerId;

/// Errors of a node and of the requests that it sends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum P2pError {
	/// The identity seed is not an ed25519 secret key.
	#[error("identity seed is not a secret key")]
	Identity(#[source] libp2p::identity::DecodingError),
	/// Noise could not be set up.
	#[error("setting up the transport: {0}")]
	Transport(String),
	/// An address does not parse.
	#[error("address {address:?} is not a multiaddress: {reason}")]
	Address {
		/// What was given.
		address: String,
		/// What the parser says.
		reason: String,
	},
	/// An address to dial does not end in `/p2p/<peer id>`.
	#[error("address {0:?} does not end in /p2p/<peer id>")]
	MissingPeerId(String),
	/// A listener could not be opened.
	#[error("listening on {address:?}: {reason}")]
	Listen {
		/// The address.
		address: String,
		/// What the system says.
		reason: String,
	},
	/// No connection could be made.
	#[error("dialling: {0}")]
	Dial(String),
	/// There is no connection to the peer.
	#[error("not connected to {0}")]
	NotConnected(PeerId),
	/// The connection closed before the response arrived.
	#[error("connection closed before the response")]
	Disconnected,
	/// The response did not arrive in time.
	#[error("no response in time")]
	Timeout,
	/// The node has been shut down.
	#[error("node is shut down")]
	Closed,
	/// Too many requests are waiting for responses.
	#[error("too many outstanding requests")]
	Busy,
	/// The peer does not speak the protocol.
	#[error("peer does not speak the protocol")]
	Unsupported,
	/// The stream failed.
	#[error("stream failed: {0}")]
	Io(String),
	/// A message of ours breaks the bounds of its protocol.
	#[error("message breaks the protocol's bounds ({len} bytes, cap {cap})")]
	OutOfBounds {
		/// Encoded length.
		len: usize,
		/// Largest frame.
		cap: u32,
	},
	/// The response does not decode, breaks its bounds or is not one to this request.
	#[error("response is malformed")]
	BadResponse,
	/// The peer refused.
	#[error("peer refused: {0}")]
	Refused(#[from] Refusal),
	/// A blob is longer than the caller allows.
	#[error("blob has {len} bytes, at most {max} are allowed")]
	BlobTooLarge {
		/// Its length.
		len: u64,
		/// The cap.
		max: u64,
	},
	/// The peer does not have the blob.
	#[error("peer does not have the blob")]
	BlobNotFound,
	/// The bytes are not those that the hash names.
	#[error("blob's bytes do not have its hash")]
	HashMismatch,
}
