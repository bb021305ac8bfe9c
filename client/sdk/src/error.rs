//! Errors of the SDK, one kind for each thing a caller can do about them.

/// What can go wrong between a client and a chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// No node of the list answered.
	#[error("connecting to {urls}: {reason}; is a node running there? start one with `armature-node --dev` or name another with --url")]
	Connect {
		/// The list.
		urls: String,
		/// What the last one answered.
		reason: String,
	},
	/// The node runs another runtime than the one this program was built for.
	#[error("the chain's runtime does not match this program ({0}); upgrade whichever is older")]
	Metadata(String),
	/// The chain executed the call and refused it.
	#[error("{call} was refused: {pallet}.{error}: {explanation}")]
	Refused {
		/// The call, as `Pallet.call`.
		call: String,
		/// The pallet that refused.
		pallet: String,
		/// Name of the error.
		error: String,
		/// What the pallet's documentation says of it.
		explanation: String,
	},
	/// The chain executed the call and refused it outside any pallet (bad origin, token errors).
	#[error("{call} was refused: {reason}")]
	RefusedByRuntime {
		/// The call, as `Pallet.call`.
		call: String,
		/// The runtime's reason.
		reason: String,
	},
	/// The pool did not take the transaction, or it never reached a block.
	#[error("{call} was not included: {reason}")]
	NotIncluded {
		/// The call, as `Pallet.call`.
		call: String,
		/// The pool's reason.
		reason: String,
	},
	/// An event that the call promises was not emitted.
	#[error("{call} succeeded without its event {event}")]
	MissingEvent {
		/// The call, as `Pallet.call`.
		call: &'static str,
		/// The event.
		event: &'static str,
	},
	/// A key or address could not be read.
	#[error("reading {what}: {reason}")]
	Key {
		/// What was read.
		what: String,
		/// Why it failed.
		reason: String,
	},
	/// A value is longer than the chain takes.
	#[error("{what} is longer than {limit} bytes")]
	TooLong {
		/// The value.
		what: &'static str,
		/// The chain's limit.
		limit: u32,
	},
	/// The node did not answer, or with something unusable.
	#[error("asking the node: {0}")]
	Node(Box<subxt::Error>),
	/// A wait ended before what was waited for.
	#[error("waited {seconds} s for {what}")]
	Timeout {
		/// What was waited for.
		what: String,
		/// How long.
		seconds: u64,
	},
}

/// The SDK's result.
pub type Result<T> = core::result::Result<T, Error>;

/// Wraps whatever subxt returned.
pub(crate) fn node(error: impl Into<subxt::Error>) -> Error {
	Error::Node(Box::new(error.into()))
}
