//! Why a verifier cannot start.

use crate::journal::JournalError;
use armature_metrics::MetricsError;
use armature_p2p::{IdentityError, P2pError, PeerId};
use armature_sandbox::SandboxError;
use std::path::PathBuf;

/// Errors of configuration and start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// A file could not be read or made.
	#[error("{action} {}", path.display())]
	File {
		/// What was being done.
		action: &'static str,
		/// With what.
		path: PathBuf,
		/// The cause.
		#[source]
		source: std::io::Error,
	},
	/// The configuration file does not parse.
	#[error("reading the configuration {}", path.display())]
	Parse {
		/// The file.
		path: PathBuf,
		/// The cause.
		#[source]
		source: Box<toml::de::Error>,
	},
	/// A setting makes no sense.
	#[error("setting {name}: {reason}")]
	Setting {
		/// Its name in the file.
		name: &'static str,
		/// What is wrong.
		reason: &'static str,
	},
	/// There is no key.
	#[error("loading the identity")]
	Identity(#[from] IdentityError),
	/// The journal could not be opened.
	#[error("opening the journal")]
	Journal(#[from] JournalError),
	/// The sandbox could not be set up.
	#[error("setting up the sandbox")]
	Sandbox(#[from] SandboxError),
	/// The network node could not be started.
	#[error("starting the network node")]
	P2p(#[from] P2pError),
	/// Metrics cannot be served.
	#[error("serving metrics")]
	Metrics(#[from] MetricsError),
	/// Devices look for this verifier at another node.
	#[error(
		"the chain tells devices to find this verifier at {address}, which is the peer {registered}, and \
		 this node is the peer {own}: run `armature verifier register --address ADDRESS/p2p/{own}`, or \
		 use the identity file of {registered}"
	)]
	OtherPeer {
		/// The address that is registered.
		address: String,
		/// The peer that it ends in.
		registered: String,
		/// This node.
		own: PeerId,
	},
	/// The start was interrupted.
	#[error("opening the journal was interrupted")]
	Interrupted(#[source] tokio::task::JoinError),
}
