//! Settings, their defaults and their bounds.

use crate::error::Error;
use armature_p2p::{
	messages::{MAX_BLOCKS, MAX_ENTRIES, MAX_SEGMENTS, MAX_STORED},
	RateLimit,
};
use serde::{Deserialize, Serialize};
use std::{
	fs,
	net::SocketAddr,
	path::{Path, PathBuf},
	time::Duration,
};

/// The largest configuration file that is read, in bytes.
const MAX_CONFIG_LEN: u64 = 64 * 1024;

/// The chain's bound on verdicts in one call.
const MAX_BATCH: usize = 32;

/// The most blocks of memory that are looked at: those of ten requests.
const MAX_MEMORY_SAMPLES: usize = 10 * MAX_BLOCKS;

/// The most entries of products that are looked at: those of two requests, or of 64 where rows are longest.
const MAX_GEMM_SAMPLES: usize = 2 * MAX_ENTRIES;

/// The most blocks of storage that are filled again: those of ten requests.
const MAX_SEALED_SAMPLES: usize = 10 * MAX_BLOCKS;

/// Evidence that is gone before anyone could look at it is of no use.
const MIN_EVIDENCE_MILLIS: u64 = 3_600_000;

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
	/// Upper bound on any exchange; a longer challenge is asked for again.
	pub request_timeout_millis: u64,
	/// Peers that say no hello for this long are disconnected.
	pub idle_peer_millis: u64,
	/// How long the chain may send devices to another node after the start, which whoever starts this one
	/// may be about to change, before it ends.
	pub registration_millis: u64,
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
	/// Blocks of filled memory that a device must open. They are drawn once a round, so if a share f is
	/// wrong, a lie passes with (1 - f)^memory_samples. As many segments of its walk are looked at, but no
	/// more than fit one response: 12 of eight reads. A device has three walks, each with a draw of its
	/// own, and may lose one after it saw what is drawn: if a share f of them is wrong and n segments are
	/// looked at, a lie passes with 1 - (1 - (1 - f)^n)^3, at most three times (1 - f)^n.
	pub memory_samples: u32,
	/// Entries of products that a device must open. They are drawn once a round. A made-up entry is right by
	/// chance once in 256 times, so if a share f of them is made up, a lie passes with
	/// (1 - f * 255/256)^gemm_samples. Each comes with three rows: 26 kB where rows have 8,192 bytes, 100 kB of
	/// the longest.
	pub gemm_samples: u32,
	/// Blocks of storage that a device must read at once, in the time that the round gives for that. If a
	/// share f is left out and cannot be filled again in time, that passes with (1 - f)^stored_samples. A
	/// device whose connection breaks, or that has lost what it committed to, gets one more draw: it passes
	/// with 1 - (1 - (1 - f)^stored_samples)^2, at most twice as much. Each comes with its paths: at most
	/// 2.7 kB.
	pub stored_samples: u32,
	/// Blocks of storage that a device must open, with what they were filled from, and that are filled
	/// again. They are drawn once a round, so if a share f is wrong, a lie passes with
	/// (1 - f)^sealed_samples. Each comes with seven others: at most 17 kB.
	pub sealed_samples: u32,
	/// Rounds whose openings are fetched and checked, or whose device walks over its memory or reads its
	/// storage, at once. A round that waits for its device to commit, or for others to walk, takes no
	/// place. Where all are taken a device's turn to walk is let go, and may not come again, and its time
	/// to read may pass: rounds of memory and storage then get no verdict.
	pub max_concurrent: usize,
	/// How long a device may take to walk and to send its openings before its place goes to the next in
	/// line. It is asked again when it is its turn; a walk that was not opened by then is lost. Walks
	/// take seconds: below 10000 honest devices may lose theirs.
	pub opening_millis: u64,
	/// Openings are checked for so many rounds at once.
	pub max_checks: usize,
	/// Devices that data is moved from and to at once. Their connections are shared out among them: with
	/// more than this machine's can carry, devices look slow. A round beyond that gets no verdict.
	pub max_transfers: usize,
	/// A round is judged this long before its deadline at the latest, so that the seal of its verdict
	/// arrives.
	pub posting_margin_millis: u64,
	/// Seals, or verdicts, in one call; the chain takes 32.
	pub batch: usize,
	/// A round that has less time than this until it has to be judged is left alone: its device could
	/// not answer, which is not its fault.
	pub min_window_millis: u64,
	/// A seal or verdict that the chain still waits for is posted again after this time: before the
	/// posting margin is over.
	pub repost_millis: u64,
	/// What a device signed and opened in a round is kept for this time, and as long as the chain takes proofs
	/// of a fraud in it, whichever is longer. Of memory, products and storage nothing is kept that was opened.
	pub evidence_millis: u64,
	/// Whether a segment, a block or an entry that was found to be wrong, or that a device signed two roots,
	/// is proved to the chain, which slashes the device. Pays a reward; a proof of what is right costs its bond.
	pub prove_frauds: bool,
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

/// What others can read of this verifier's work.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
	/// Address and port, on loopback, where Prometheus finds `/metrics`, such as `127.0.0.1:9702`. Without
	/// one nothing is served. They tell what was found before it is revealed, so they are for this machine
	/// alone.
	pub listen: Option<SocketAddr>,
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
			registration_millis: 60_000,
			clock_skew_millis: 5_000,
		}
	}
}

impl Default for ChallengeConfig {
	fn default() -> Self {
		Self {
			poll_millis: 500,
			samples: 44,
			memory_samples: 24,
			gemm_samples: 24,
			stored_samples: 24,
			sealed_samples: 12,
			max_concurrent: 256,
			opening_millis: 60_000,
			max_checks: 1,
			max_transfers: 64,
			posting_margin_millis: 15_000,
			batch: 16,
			min_window_millis: 5_000,
			repost_millis: 5_000,
			evidence_millis: 90_000_000,
			prove_frauds: true,
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
		let samples = usize::try_from(challenges.memory_samples).unwrap_or(usize::MAX);
		check(
			(1..=MAX_MEMORY_SAMPLES).contains(&samples),
			"challenges.memory_samples",
			"is not from 1 to 140",
		)?;
		let samples = usize::try_from(challenges.gemm_samples).unwrap_or(usize::MAX);
		check(
			(1..=MAX_GEMM_SAMPLES).contains(&samples),
			"challenges.gemm_samples",
			"is not from 1 to 128",
		)?;
		let samples = usize::try_from(challenges.stored_samples).unwrap_or(usize::MAX);
		check(
			(1..=MAX_STORED).contains(&samples),
			"challenges.stored_samples",
			"is not from 1 to 64",
		)?;
		let samples = usize::try_from(challenges.sealed_samples).unwrap_or(usize::MAX);
		check(
			(1..=MAX_SEALED_SAMPLES).contains(&samples),
			"challenges.sealed_samples",
			"is not from 1 to 140",
		)?;
		check(challenges.opening_millis > 0, "challenges.opening_millis", "is 0")?;
		check(challenges.max_concurrent > 0, "challenges.max_concurrent", "is 0")?;
		check(challenges.max_checks > 0, "challenges.max_checks", "is 0")?;
		check(challenges.max_transfers > 0, "challenges.max_transfers", "is 0")?;
		let is_batch = (1..=MAX_BATCH).contains(&challenges.batch);
		check(is_batch, "challenges.batch", "is not from 1 to 32")?;
		check(
			challenges.repost_millis < challenges.posting_margin_millis,
			"challenges.repost_millis",
			"is not below challenges.posting_margin_millis: a seal could not be posted again in time",
		)?;
		check(
			challenges.evidence_millis >= MIN_EVIDENCE_MILLIS,
			"challenges.evidence_millis",
			"is below an hour (3600000)",
		)?;
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn challenge_settings_should_be_held_to_their_bounds() {
		let named = |change: fn(&mut ChallengeConfig)| {
			let mut config = Config::new(PathBuf::from("data"));
			change(&mut config.challenges);
			match config.validate() {
				Err(Error::Setting { name, .. }) => Some(name),
				_ => None,
			}
		};
		assert_eq!(named(|_| {}), None);
		assert_eq!(named(|config| config.batch = 32), None);
		let bounds: [(fn(&mut ChallengeConfig, u32), u32, &str); 5] = [
			(|config, count| config.samples = count, 160, "challenges.samples"),
			(|config, count| config.memory_samples = count, 140, "challenges.memory_samples"),
			(|config, count| config.gemm_samples = count, 128, "challenges.gemm_samples"),
			(|config, count| config.stored_samples = count, 64, "challenges.stored_samples"),
			(|config, count| config.sealed_samples = count, 140, "challenges.sealed_samples"),
		];
		for (set, most, name) in bounds {
			let found = |count| {
				let mut config = Config::new(PathBuf::from("data"));
				set(&mut config.challenges, count);
				match config.validate() {
					Err(Error::Setting { name, reason }) => {
						assert!(reason.contains(&most.to_string()), "{reason}");
						Some(name)
					},
					_ => None,
				}
			};
			assert_eq!([0, 1, most, most + 1].map(found), [Some(name), None, None, Some(name)]);
		}
		assert_eq!(named(|config| config.opening_millis = 0), Some("challenges.opening_millis"));
		assert_eq!(named(|config| config.max_transfers = 0), Some("challenges.max_transfers"));
		assert_eq!(named(|config| config.max_transfers = 1), None);
		let changes: [fn(&mut ChallengeConfig); 2] =
			[|config| config.batch = 0, |config| config.batch = 33];
		for change in changes {
			assert_eq!(named(change), Some("challenges.batch"));
		}
		let reposts_late = |config: &mut ChallengeConfig| config.repost_millis = 15_000;
		assert_eq!(named(reposts_late), Some("challenges.repost_millis"));
		assert_eq!(named(|config| config.repost_millis = 14_999), None);
		let forgets = |config: &mut ChallengeConfig| config.evidence_millis = 3_599_999;
		assert_eq!(named(forgets), Some("challenges.evidence_millis"));
	}

	#[test]
	fn metrics_should_be_off_unless_an_address_is_named() {
		let parsed = |metrics: &str| {
			let text = format!("data_dir = \"a\"\nidentity_file = \"b\"\n{metrics}");
			toml::from_str::<Config>(&text).map(|config| config.metrics.listen)
		};
		assert_eq!(parsed(""), Ok(None));
		assert_eq!(parsed("[metrics]\n"), Ok(None));
		let listen = "127.0.0.1:9702".parse().ok();
		assert_eq!(parsed("[metrics]\nlisten = \"127.0.0.1:9702\"\n"), Ok(listen));
		for wrong in ["listen = \"9702\"", "listen = \"localhost:9702\"", "port = 9702"] {
			assert!(parsed(&format!("[metrics]\n{wrong}\n")).is_err(), "{wrong}");
		}
	}
}
