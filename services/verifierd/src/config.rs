//! Settings, their defaults and their bounds.

use crate::error::Error;
use armature_p2p::{messages::MAX_SEGMENTS, RateLimit};
use serde::{Deserialize, Serialize};
use std::{
	fs,
	path::{Path, PathBuf},
	time::Duration,
};

/// The largest configuration file that is read, in bytes.
const MAX_CONFIG_LEN: u64 = 64 * 1024;

/// How a verifier runs. Times are milliseconds, sizes bytes unless they say otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
	/// Where the journal lies; made if missing.
	pub data_dir: PathBuf,
	/// The file with the seed of its peer id, 64 hexadecimal digits; made if missing.
	pub identity_file: PathBuf,
	/// Multiaddresses to listen on.
	#[serde(default = "default_listen")]
	pub listen: Vec<String>,
	/// The network.
	#[serde(default)]
	pub network: NetworkConfig,
	/// Challenge rounds.
	#[serde(default)]
	pub challenges: ChallengeConfig,
	/// Lease disputes.
	#[serde(default)]
	pub disputes: DisputeConfig,
	/// Renewals of attestations.
	#[serde(default)]
	pub renewals: RenewalConfig,
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
	/// Upper bound on any exchange; a longer challenge is asked for again.
	pub request_timeout_millis: u64,
	/// Peers that say no hello for this long are disconnected.
	pub idle_peer_millis: u64,
	/// How far a device's clock may be from ours when it says hello.
	pub clock_skew_millis: u64,
}

/// How rounds are judged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChallengeConfig {
	/// How often the chain is asked for open rounds. What passes before a round is noticed is
	/// missing from its time.
	pub poll_millis: u64,
	/// Segments that a device must open. If a share f is wrong, a lie passes with (1 - f)^samples.
	pub samples: u32,
	/// Rounds judged at once.
	pub max_concurrent: usize,
	/// Segments are re-run for so many rounds at once.
	pub max_checks: usize,
	/// A round is judged this long before its deadline at the latest, so that its verdict arrives.
	pub posting_margin_millis: u64,
	/// Verdicts in one call.
	pub batch: usize,
	/// A verdict whose round the chain still lists as open is posted again after this time.
	pub repost_millis: u64,
}

/// How disputes are settled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DisputeConfig {
	/// How often the chain is asked for disputes.
	pub poll_millis: u64,
	/// Memory that a module may have here, in MiB; disputes that need more are left alone.
	pub max_memory_mib: u32,
	/// The largest input that is fetched.
	pub max_input_bytes: u64,
	/// Wall clock here, as a multiple of the order's: this machine may be slower.
	pub time_factor: u32,
	/// A report is made this long before its last moment, or not at all.
	pub posting_margin_millis: u64,
}

/// How renewals of attestations are watched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenewalConfig {
	/// How often the chain is asked for renewals that nobody verified.
	pub poll_millis: u64,
}

fn default_listen() -> Vec<String> {
	vec!["/ip4/0.0.0.0/tcp/30500".into(), "/ip4/0.0.0.0/udp/30500/quic-v1".into()]
}

impl Default for NetworkConfig {
	fn default() -> Self {
		Self {
			max_peers: 10_000,
			requests_per_second: 10,
			request_burst: 20,
			request_timeout_millis: 600_000,
			idle_peer_millis: 300_000,
			clock_skew_millis: 5_000,
		}
	}
}

impl Default for ChallengeConfig {
	fn default() -> Self {
		Self {
			poll_millis: 500,
			samples: 30,
			max_concurrent: 256,
			max_checks: 1,
			posting_margin_millis: 15_000,
			batch: 16,
			repost_millis: 30_000,
		}
	}
}

impl Default for DisputeConfig {
	fn default() -> Self {
		Self {
			poll_millis: 5_000,
			max_memory_mib: 4_096,
			max_input_bytes: 64 * 1024 * 1024,
			time_factor: 2,
			posting_margin_millis: 15_000,
		}
	}
}

impl Default for RenewalConfig {
	fn default() -> Self {
		Self { poll_millis: 30_000 }
	}
}

impl Config {
	/// A configuration with defaults for everything that has one.
	pub fn new(data_dir: PathBuf) -> Self {
		Self {
			identity_file: data_dir.join("identity"),
			data_dir,
			listen: default_listen(),
			network: NetworkConfig::default(),
			challenges: ChallengeConfig::default(),
			disputes: DisputeConfig::default(),
			renewals: RenewalConfig::default(),
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
		let Self { network, challenges, disputes, renewals, .. } = self;
		check(!self.listen.is_empty(), "listen", "is empty")?;
		check(network.max_peers > 0, "network.max_peers", "is 0")?;
		check(network.requests_per_second > 0, "network.requests_per_second", "is 0")?;
		check(network.request_burst > 0, "network.request_burst", "is 0")?;
		check(network.request_timeout_millis > 0, "network.request_timeout_millis", "is 0")?;
		check(network.idle_peer_millis > 0, "network.idle_peer_millis", "is 0")?;
		check(challenges.poll_millis > 0, "challenges.poll_millis", "is 0")?;
		let samples = usize::try_from(challenges.samples).unwrap_or(usize::MAX);
		check((1..=MAX_SEGMENTS).contains(&samples), "challenges.samples", "is not from 1 to 160")?;
		check(challenges.max_concurrent > 0, "challenges.max_concurrent", "is 0")?;
		check(challenges.max_checks > 0, "challenges.max_checks", "is 0")?;
		check(challenges.batch > 0, "challenges.batch", "is 0")?;
		check(disputes.poll_millis > 0, "disputes.poll_millis", "is 0")?;
		check(renewals.poll_millis > 0, "renewals.poll_millis", "is 0")?;
		check(disputes.time_factor > 0, "disputes.time_factor", "is 0")?;
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
