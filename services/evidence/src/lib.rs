#![doc = include_str!("../README.md")]

pub mod certificates;
mod collect;
mod files;
pub mod gpu;
pub mod probe;
pub mod snp;
#[cfg(feature = "tpm")]
pub mod tpm;
pub mod tsm;

#[cfg(test)]
mod testing;

pub use collect::{CollectError, Collector};
pub use probe::{probe, probe_platforms, Finding, State, Survey};

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where kernel and drivers show themselves. Tests have roots of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roots {
	/// `/sys`.
	pub sys: PathBuf,
	/// `/dev`.
	pub dev: PathBuf,
	/// `/proc`.
	pub proc: PathBuf,
	/// NVIDIA's library, by a path or by a name that the dynamic linker knows.
	pub nvml: PathBuf,
}

impl Default for Roots {
	fn default() -> Self {
		Self {
			sys: "/sys".into(),
			dev: "/dev".into(),
			proc: "/proc".into(),
			nvml: "libnvidia-ml.so.1".into(),
		}
	}
}

/// What can give evidence, in the order in which it is preferred.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
	/// AMD SEV-SNP, asked from inside a guest.
	SevSnp,
	/// Intel TDX, asked from inside a guest.
	Tdx,
	/// TPM 2.0.
	Tpm,
	/// NVIDIA GPUs in confidential mode.
	NvidiaGpu,
}

impl Source {
	/// All of them.
	pub const ALL: [Self; 4] = [Self::SevSnp, Self::Tdx, Self::Tpm, Self::NvidiaGpu];

	/// Its name in settings and outputs, the same as serde's.
	pub fn name(self) -> &'static str {
		match self {
			Source::SevSnp => "sev-snp",
			Source::Tdx => "tdx",
			Source::Tpm => "tpm",
			Source::NvidiaGpu => "nvidia-gpu",
		}
	}
}

impl std::fmt::Display for Source {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str(self.name())
	}
}
