//! The processor and the kernel, as `/proc` shows them.

use crate::files;
use std::path::Path;

/// Enough for the first processor's entry.
const MAX_CPUINFO_LEN: usize = 64 * 1024;

/// Enough for any machine's mounts that come before configfs.
const MAX_MOUNTS_LEN: usize = 1024 * 1024;

const MAX_RELEASE_LEN: usize = 256;

/// Whose processor it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Vendor {
	Amd,
	Intel,
	Other,
}

/// What is known of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Machine {
	pub(super) vendor: Vendor,
	/// The processor's name; empty if the kernel gives none.
	pub(super) model: String,
	flags: Vec<String>,
	/// The kernel's release as it stands.
	pub(super) release: String,
	/// Whether a configfs is mounted.
	pub(super) has_configfs: bool,
}

impl Machine {
	pub(super) fn read(proc: &Path) -> Self {
		let cpuinfo = files::text(&proc.join("cpuinfo"), MAX_CPUINFO_LEN);
		let value = |name: &str| {
			cpuinfo.lines().find_map(|line| {
				let (key, value) = line.split_once(':')?;
				(key.trim() == name).then(|| value.trim().to_owned())
			})
		};
		let vendor = match value("vendor_id").as_deref() {
			Some("AuthenticAMD") => Vendor::Amd,
			Some("GenuineIntel") => Vendor::Intel,
			_ => Vendor::Other,
		};
		let mounts = files::text(&proc.join("self/mounts"), MAX_MOUNTS_LEN);
		Self {
			vendor,
			model: value("model name").unwrap_or_default(),
			flags: value("flags")
				.unwrap_or_default()
				.split_whitespace()
				.map(str::to_owned)
				.collect(),
			release: files::text(&proc.join("sys/kernel/osrelease"), MAX_RELEASE_LEN)
				.trim()
				.to_owned(),
			has_configfs: mounts.lines().any(|line| line.split(' ').nth(2) == Some("configfs")),
		}
	}

	/// Whether the kernel names this feature of the processor.
	pub(super) fn has(&self, flag: &str) -> bool {
		self.flags.iter().any(|known| known == flag)
	}

	/// Whether it runs under a hypervisor.
	pub(super) fn is_virtual(&self) -> bool {
		self.has("hypervisor")
	}

	/// Whether the kernel is older than a version; `None` if it does not say.
	pub(super) fn is_older_than(&self, major: u32, minor: u32) -> Option<bool> {
		let mut parts = self.release.split(|part: char| !part.is_ascii_digit());
		let mut number = || parts.next()?.parse::<u32>().ok();
		Some((number()?, number()?) < (major, minor))
	}
}
