//! The agent's configuration file.

use crate::{compute::AcceleratorConfig, telemetry::PowerConfig};
use armature_primitives::DeviceId;
use serde::{Deserialize, Serialize};
use std::{
	net::SocketAddr,
	path::{Path, PathBuf},
};

/// The largest configuration file, in bytes.
const MAX_FILE_LEN: u64 = 64 * 1024;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
	/// The file cannot be read.
	#[error("reading {path}")]
	Io {
		/// The file.
		path: PathBuf,
		/// What the system says.
		source: std::io::Error,
	},
	/// The file is far too long to be one.
	#[error("{0} has more than {MAX_FILE_LEN} bytes")]
	TooLong(PathBuf),
	/// The file does not parse, or names an unknown field.
	#[error("in {path}: {source}")]
	Parse {
		/// The file.
		path: PathBuf,
		/// Where and why.
		source: Box<toml::de::Error>,
	},
	/// A value is out of range.
	#[error("{field} must be {rule}")]
	Range {
		/// The field.
		field: &'static str,
		/// Its bounds.
		rule: &'static str,
	},
}

/// The agent's configuration. Every field may be left out but `device`.
///
/// ```toml
/// device = 7
/// data-dir = "/var/lib/armature"
///
/// [evidence]
/// source = "sev-snp"
/// certificates = "/etc/armature/certificates"
///
/// [power]
/// source = "exec"
/// command = ["/usr/local/bin/plug-watts", "192.168.1.20"]
///
/// [storage]
/// directory = "/srv/armature/sealed"
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
	/// The device's id on the chain, as registration gave it.
	pub device: DeviceId,
	/// Where the store, and unless named otherwise the key, are kept.
	#[serde(default = "Config::default_data_dir")]
	pub data_dir: PathBuf,
	/// The device key. `device.key` in the data directory if not given.
	#[serde(default)]
	pub key_file: Option<PathBuf>,
	/// What the device is attested with.
	#[serde(default)]
	pub evidence: EvidenceConfig,
	/// Where power figures come from.
	#[serde(default)]
	pub power: PowerConfig,
	/// Connections.
	#[serde(default)]
	pub network: NetworkConfig,
	/// Rounds of performance challenges.
	#[serde(default)]
	pub challenges: ChallengeConfig,
	/// What computes the products that the device offers.
	#[serde(default)]
	pub accelerator: AcceleratorConfig,
	/// Sealed storage that the device offers.
	#[serde(default)]
	pub storage: StorageConfig,
	/// Work for tenants.
	#[serde(default)]
	pub workload: WorkloadConfig,
	/// How often the chain is looked at.
	#[serde(default)]
	pub poll: PollConfig,
	/// Metrics.
	#[serde(default)]
	pub metrics: MetricsConfig,
}

/// The `[evidence]` part.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct EvidenceConfig {
	/// What vouches for the device.
	pub source: EvidenceSource,
	/// Directory of certificates that the machine does not give itself: VCEK, ASK and ARK for
	/// SEV-SNP; the chain of the attestation key for a TPM.
	pub certificates: Option<PathBuf>,
	/// Another TPM than the machine's own, by the words of tpm2-tss: `swtpm:host=127.0.0.1,port=2321`.
	pub tpm: Option<String>,
	/// Whether GPUs are asked beside SEV-SNP or TDX.
	pub gpus: GpuUse,
}

/// Whether the reports of GPUs go beside a platform's evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpuUse {
	/// Where there are GPUs in confidential mode. The platform alone where that fails, unless an
	/// attestation with GPUs holds.
	#[default]
	Auto,
	/// Always, and no attestation where that fails.
	Always,
	/// Never.
	Never,
}

/// What vouches for a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceSource {
	/// The hardware that gives the highest tier, and the device key where it gives nothing.
	#[default]
	Auto,
	/// The device key alone: T0.
	DeviceKey,
	/// AMD SEV-SNP, and nothing where that fails.
	SevSnp,
	/// Intel TDX, and nothing where that fails.
	Tdx,
	/// The TPM, and nothing where that fails. Only networks that accept TPMs take it, at T0.
	Tpm,
}

/// The `[network]` part. The agent dials out and listens nowhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct NetworkConfig {
	/// The most connections.
	pub max_peers: u32,
	/// First pause before a failed connection is tried again, in milliseconds. It doubles with
	/// each failure.
	pub retry_min_millis: u64,
	/// Longest such pause, in milliseconds.
	pub retry_max_millis: u64,
}

impl Default for NetworkConfig {
	fn default() -> Self {
		Self { max_peers: 64, retry_min_millis: 1_000, retry_max_millis: 60_000 }
	}
}

/// The `[challenges]` part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ChallengeConfig {
	/// The share of rounds, in parts per million and at most all of them, that the agent answers with
	/// what it has planted, where it may: a made-up result, which it announces on chain before the round
	/// and shows there after it. 0: it announces nothing.
	///
	/// Verifiers that say it passed have not looked. Each pays the network's `planted_penalty`, and a
	/// fifth of that goes to the account that signs the agent's calls, as long as the protocol's funds
	/// allow. The round counts no more once it is shown; until then the device lacks the part of its
	/// score that the round was about. Announcing and showing cost a transaction's fee each. At most one
	/// is used in the network's `planted_interval_millis`. If the agent stops for the whole dispute
	/// window after such a round, the round counts as failed.
	pub planted_share_ppm: u32,
}

impl Default for ChallengeConfig {
	fn default() -> Self {
		Self { planted_share_ppm: 10_000 }
	}
}

/// The `[storage]` part.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct StorageConfig {
	/// The directory with the sectors that were sealed for this device (`armature storage seal`). The
	/// agent reads them when rounds of storage ask for blocks, and writes nothing there. Without one no such
	/// round is answered.
	pub directory: Option<PathBuf>,
}

/// The `[workload]` part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct WorkloadConfig {
	/// Whether leases are taken. When not, they are declined.
	pub enabled: bool,
}

impl Default for WorkloadConfig {
	fn default() -> Self {
		Self { enabled: true }
	}
}

/// The `[poll]` part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PollConfig {
	/// Pause between looks for leases, in milliseconds. A notice from an orchestrator cuts it
	/// short.
	pub leases_millis: u64,
	/// Pause between looks at peers, attestation and challenges, in milliseconds.
	pub upkeep_millis: u64,
}

impl Default for PollConfig {
	fn default() -> Self {
		Self { leases_millis: 6_000, upkeep_millis: 30_000 }
	}
}

/// The `[metrics]` part.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct MetricsConfig {
	/// Address and port, on loopback, where Prometheus finds `/metrics`, such as `127.0.0.1:9703`. Without
	/// one nothing is served. What is told there of rounds and leases is for this machine alone.
	pub listen: Option<SocketAddr>,
}

impl Config {
	/// The defaults for one device.
	pub fn new(device: DeviceId) -> Self {
		Self {
			device,
			data_dir: Self::default_data_dir(),
			key_file: None,
			evidence: EvidenceConfig::default(),
			power: PowerConfig::default(),
			network: NetworkConfig::default(),
			challenges: ChallengeConfig::default(),
			accelerator: AcceleratorConfig::default(),
			storage: StorageConfig::default(),
			workload: WorkloadConfig::default(),
			poll: PollConfig::default(),
			metrics: MetricsConfig::default(),
		}
	}

	/// Reads and checks a file.
	pub fn load(path: &Path) -> Result<Self, ConfigError> {
		let io = |source| ConfigError::Io { path: path.to_owned(), source };
		if std::fs::metadata(path).map_err(io)?.len() > MAX_FILE_LEN {
			return Err(ConfigError::TooLong(path.to_owned()));
		}
		let text = std::fs::read_to_string(path).map_err(io)?;
		let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
			path: path.to_owned(),
			source: Box::new(source),
		})?;
		config.check()?;
		Ok(config)
	}

	/// Checks the ranges that the types leave open.
	pub fn check(&self) -> Result<(), ConfigError> {
		let check = |ok, field, rule| {
			if ok {
				Ok(())
			} else {
				Err(ConfigError::Range { field, rule })
			}
		};
		let network = &self.network;
		check((1..=1_024).contains(&network.max_peers), "network.max-peers", "1 to 1024")?;
		check(network.retry_min_millis >= 100, "network.retry-min-millis", "at least 100")?;
		check(
			(network.retry_min_millis..=3_600_000).contains(&network.retry_max_millis),
			"network.retry-max-millis",
			"from network.retry-min-millis to 3600000",
		)?;
		let range = 100..=600_000;
		check(range.contains(&self.poll.leases_millis), "poll.leases-millis", "100 to 600000")?;
		check(range.contains(&self.poll.upkeep_millis), "poll.upkeep-millis", "100 to 600000")?;
		check(
			self.challenges.planted_share_ppm <= 1_000_000,
			"challenges.planted-share-ppm",
			"at most 1000000",
		)?;
		check(
			(1..=60_000).contains(&self.power.timeout_millis),
			"power.timeout-millis",
			"1 to 60000",
		)?;
		check(
			self.storage.directory.as_ref().is_none_or(|directory| directory.is_absolute()),
			"storage.directory",
			"an absolute path, of the directory that sectors were sealed in",
		)?;
		check(self.power.error_ppm <= 1_000_000, "power.error-ppm", "at most 1000000")?;
		let evidence = &self.evidence;
		let no_gpus = matches!(evidence.source, EvidenceSource::DeviceKey | EvidenceSource::Tpm);
		check(
			!(no_gpus && evidence.gpus == GpuUse::Always),
			"evidence.gpus",
			"auto or never where evidence.source is device-key or tpm: GPUs count beside SEV-SNP and TDX",
		)
	}

	/// Where the device key is.
	pub fn key_path(&self) -> PathBuf {
		self.key_file.clone().unwrap_or_else(|| self.data_dir.join("device.key"))
	}

	/// Where the store is.
	pub fn store_path(&self) -> PathBuf {
		self.data_dir.join("agent.redb")
	}

	fn default_data_dir() -> PathBuf {
		PathBuf::from("/var/lib/armature")
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::telemetry::PowerSourceConfig;

	fn load(text: &str) -> Result<Config, ConfigError> {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("agent.toml");
		std::fs::write(&path, text).expect("written");
		Config::load(&path)
	}

	#[test]
	fn a_device_should_be_all_that_is_needed() {
		assert_eq!(load("device = 7").expect("valid"), Config::new(DeviceId(7)));
		assert!(matches!(load(""), Err(ConfigError::Parse { .. })));
	}

	#[test]
	fn fields_should_be_read() {
		let config = load(
			"device = 1\ndata-dir = \"/d\"\n[evidence]\nsource = \"sev-snp\"\n\
			 certificates = \"/c\"\ngpus = \"always\"\n[power]\nsource = \"exec\"\ncommand = [\"a\", \"b\"]\n\
			 [challenges]\nplanted-share-ppm = 1000000\n[storage]\ndirectory = \"/s\"\n\
			 [workload]\nenabled = false\n",
		)
		.expect("valid");
		assert_eq!(config.evidence.source, EvidenceSource::SevSnp);
		assert_eq!(config.evidence.certificates, Some("/c".into()));
		assert_eq!(config.evidence.gpus, GpuUse::Always);
		assert_eq!(config.power.source, PowerSourceConfig::Exec);
		assert_eq!(config.power.command, ["a", "b"]);
		assert_eq!(config.challenges.planted_share_ppm, 1_000_000);
		assert_eq!(config.storage.directory, Some("/s".into()));
		assert!(!config.workload.enabled);
		assert_eq!(config.key_path(), Path::new("/d/device.key"));
	}

	#[test]
	fn unknown_fields_and_bad_ranges_should_be_named() {
		for text in [
			"device = 1\ncolour = 2",
			"device = 1\n[power]\nwatts = 2",
			"device = 1\n[challenges]\nshare = 2",
			"device = 1\n[storage]\npath = \"/d\"",
		] {
			let error = load(text).expect_err("unknown field").to_string();
			assert!(error.contains("unknown field"), "{error}");
		}
		for (text, field) in [
			("[network]\nmax-peers = 0", "network.max-peers"),
			("[network]\nretry-min-millis = 99", "network.retry-min-millis"),
			("[network]\nretry-max-millis = 999", "network.retry-max-millis"),
			("[poll]\nleases-millis = 99", "poll.leases-millis"),
			("[poll]\nupkeep-millis = 600001", "poll.upkeep-millis"),
			("[challenges]\nplanted-share-ppm = 1000001", "challenges.planted-share-ppm"),
			("[power]\ntimeout-millis = 0", "power.timeout-millis"),
			("[power]\nerror-ppm = 1000001", "power.error-ppm"),
			("[storage]\ndirectory = \"sealed\"", "storage.directory"),
			("[storage]\ndirectory = \"\"", "storage.directory"),
			("[evidence]\nsource = \"tpm\"\ngpus = \"always\"", "evidence.gpus"),
			("[evidence]\nsource = \"device-key\"\ngpus = \"always\"", "evidence.gpus"),
		] {
			match load(&format!("device = 1\n{text}")) {
				Err(ConfigError::Range { field: named, .. }) => assert_eq!(named, field),
				other => panic!("{field}: {other:?}"),
			}
		}
	}

	#[test]
	fn metrics_should_be_off_unless_an_address_is_named() {
		let listen = |metrics: &str| {
			load(&format!("device = 1\n{metrics}")).map(|config| config.metrics.listen)
		};
		assert_eq!(listen("").expect("valid"), None);
		assert_eq!(listen("[metrics]\n").expect("valid"), None);
		let named = "[metrics]\nlisten = \"127.0.0.1:9703\"\n";
		assert_eq!(listen(named).expect("valid"), "127.0.0.1:9703".parse().ok());
		for wrong in ["listen = \"9703\"", "listen = \"localhost:9703\"", "port = 9703"] {
			let refused = listen(&format!("[metrics]\n{wrong}\n"));
			assert!(matches!(refused, Err(ConfigError::Parse { .. })), "{wrong}");
		}
	}

	#[test]
	fn the_documented_defaults_should_be_valid_and_round_trip() {
		let config = Config::new(DeviceId(3));
		config.check().expect("valid");
		let text = toml::to_string(&config).expect("serialises");
		assert_eq!(load(&text).expect("valid"), config);
	}
}
