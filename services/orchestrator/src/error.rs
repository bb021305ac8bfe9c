//! Why an orchestrator cannot start.

use crate::{chain::ChainError, store::StoreError};
use armature_metrics::MetricsError;
use armature_p2p::{IdentityError, P2pError};
use std::path::PathBuf;

/// Errors of configuration and start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// A file could not be read or written.
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
	/// The blob store could not be opened.
	#[error("opening the blob store")]
	Store(#[from] StoreError),
	/// The network node could not be started.
	#[error("starting the network node")]
	P2p(#[from] P2pError),
	/// Metrics cannot be served.
	#[error("serving metrics")]
	Metrics(#[from] MetricsError),
	/// The start was interrupted.
	#[error("opening the blob store was interrupted")]
	Interrupted(#[source] tokio::task::JoinError),
	/// The chain could not be read.
	#[error(transparent)]
	Chain(#[from] ChainError),
}
