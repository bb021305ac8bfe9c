//! Settings, their defaults and their bounds.

use crate::error::Error;
use armature_p2p::RateLimit;
use armature_primitives::RegionId;
use serde::{Deserialize, Serialize};
use std::{
	fs,
	net::SocketAddr,
	path::{Path, PathBuf},
	time::Duration,
};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// The largest configuration file that is read, in bytes.
const MAX_CONFIG_LEN: u64 = 64 * 1024;

/// How an orchestrator runs. Times are milliseconds, sizes bytes, money planck.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
	/// The region that it serves.
	pub region: RegionId,
	/// Where blobs and the index lie; made if missing.
	pub data_dir: PathBuf,
	/// The file with the seed of its key, 64 hexadecimal digits; made if missing.
	pub identity_file: PathBuf,
	/// Multiaddresses to listen on.
	#[serde(default = "default_listen")]
	pub listen: Vec<String>,
	/// The network.
	#[serde(default)]
	pub network: NetworkConfig,
	/// Beats.
	#[serde(default)]
	pub beats: BeatConfig,
	/// The blob store.
	#[serde(default)]
	pub blobs: BlobConfig,
	/// Lease notices.
	#[serde(default)]
	pub dispatch: DispatchConfig,
	/// Metrics.
	#[serde(default)]
	pub metrics: MetricsConfig,
}

/// Limits on peers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
	/// Connections at once.
	pub max_peers: u32,
	/// Requests per second of one peer.
	pub requests_per_second: u32,
	/// Requests of one peer at once.
	pub request_burst: u32,
	/// Upper bound on any exchange.
	pub request_timeout_millis: u64,
	/// Peers that are no device and ask nothing for this long are disconnected.
	pub idle_peer_millis: u64,
}

/// Limits on time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeatConfig {
	/// How far a device's clock may be from ours.
	pub clock_skew_millis: u64,
}

/// Limits on stored blobs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlobConfig {
	/// The largest blob.
	pub max_blob_bytes: u64,
	/// All blobs together, uploads under way included.
	pub max_total_bytes: u64,
	/// Blobs at once, uploads under way included.
	pub max_blobs: u64,
	/// All blobs of one account or device.
	pub max_owner_bytes: u64,
	/// Blobs that nobody read or wrote for this long may go.
	pub ttl_millis: u64,
	/// An upload must make progress within this time.
	pub upload_timeout_millis: u64,
	/// What an account must be able to spend before it may store blobs, in planck.
	pub min_account_balance: u64,
}

/// How leases reach devices.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DispatchConfig {
	/// How often the chain is asked for offered leases.
	pub poll_millis: u64,
	/// A device that has not acknowledged on chain is told again after this time.
	pub repeat_millis: u64,
}

/// What others can read of this orchestrator's work.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
	/// Address and port, on loopback, where Prometheus finds `/metrics`, such as `127.0.0.1:9701`. Without
	/// one nothing is served.
	pub listen: Option<SocketAddr>,
}

fn default_listen() -> Vec<String> {
	vec!["/ip4/0.0.0.0/tcp/30400".into(), "/ip4/0.0.0.0/udp/30400/quic-v1".into()]
}

impl Default for NetworkConfig {
	fn default() -> Self {
		Self {
			max_peers: 20_000,
			requests_per_second: 50,
			request_burst: 100,
			request_timeout_millis: 120_000,
			idle_peer_millis: 300_000,
		}
	}
}

impl Default for BeatConfig {
	fn default() -> Self {
		Self { clock_skew_millis: 5_000 }
	}
}

impl Default for BlobConfig {
	fn default() -> Self {
		Self {
			max_blob_bytes: 64 * MIB,
			max_total_bytes: 20 * GIB,
			max_blobs: 100_000,
			max_owner_bytes: GIB,
			ttl_millis: 7 * 24 * 3_600_000,
			upload_timeout_millis: 60_000,
			min_account_balance: 1_000_000_000_000,
		}
	}
}

impl Default for DispatchConfig {
	fn default() -> Self {
		Self { poll_millis: 3_000, repeat_millis: 15_000 }
	}
}

impl Config {
	/// A configuration with defaults for everything that has one.
	pub fn new(region: RegionId, data_dir: PathBuf) -> Self {
		Self {
			region,
			identity_file: data_dir.join("identity"),
			data_dir,
			listen: default_listen(),
			network: NetworkConfig::default(),
			beats: BeatConfig::default(),
			blobs: BlobConfig::default(),
			dispatch: DispatchConfig::default(),
			metrics: MetricsConfig::default(),
		}
	}

	/// Reads and checks a TOML file.
	pub fn load(path: &Path) -> Result<Self, Error> {
		let file = |source| Error::File {
			action: "reading the configuration",
			path: path.to_path_buf(),
			source,
		};
		if fs::metadata(path).map_err(file)?.len() > MAX_CONFIG_LEN {
			return Err(Error::Setting { name: "(file)", reason: "is over 64 KiB" });
		}
		let text = fs::read_to_string(path).map_err(file)?;
		let config: Self = toml::from_str(&text).map_err(|source| Error::Parse {
			path: path.to_path_buf(),
			source: Box::new(source),
		})?;
		config.validate()?;
		Ok(config)
	}

	/// Checks relations that types do not.
	pub fn validate(&self) -> Result<(), Error> {
		let check = |holds, name, reason| {
			if holds {
				Ok(())
			} else {
				Err(Error::Setting { name, reason })
			}
		};
		let Self { network, blobs, dispatch, .. } = self;
		check(!self.listen.is_empty(), "listen", "is empty")?;
		check(network.max_peers > 0, "network.max_peers", "is 0")?;
		check(network.requests_per_second > 0, "network.requests_per_second", "is 0")?;
		check(network.request_burst > 0, "network.request_burst", "is 0")?;
		check(network.request_timeout_millis > 0, "network.request_timeout_millis", "is 0")?;
		check(network.idle_peer_millis > 0, "network.idle_peer_millis", "is 0")?;
		check(blobs.max_blobs > 0, "blobs.max_blobs", "is 0")?;
		check(blobs.upload_timeout_millis > 0, "blobs.upload_timeout_millis", "is 0")?;
		check(
			blobs.max_blob_bytes <= blobs.max_owner_bytes,
			"blobs.max_owner_bytes",
			"is below blobs.max_blob_bytes",
		)?;
		check(
			blobs.max_owner_bytes <= blobs.max_total_bytes,
			"blobs.max_total_bytes",
			"is below blobs.max_owner_bytes",
		)?;
		check(dispatch.poll_millis > 0, "dispatch.poll_millis", "is 0")?;
		Ok(())
	}

	pub(crate) fn rate(&self) -> RateLimit {
		RateLimit {
			per_second: self.network.requests_per_second,
			burst: self.network.request_burst,
		}
	}

	pub(crate) fn request_timeout(&self) -> Duration {
		Duration::from_millis(self.network.request_timeout_millis)
	}
}
