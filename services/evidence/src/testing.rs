//! Made-up machines.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use crate::Roots;
use std::{
	fs,
	path::{Path, PathBuf},
};

/// Trees in a temporary directory.
pub(crate) struct Tree {
	pub(crate) root: tempfile::TempDir,
}

impl Tree {
	pub(crate) fn new() -> Self {
		let root = tempfile::tempdir().unwrap();
		for name in ["sys", "dev", "proc"] {
			fs::create_dir(root.path().join(name)).unwrap();
		}
		Self { root }
	}

	pub(crate) fn path(&self, path: &str) -> PathBuf {
		self.root.path().join(path)
	}

	pub(crate) fn roots(&self) -> Roots {
		Roots {
			sys: self.path("sys"),
			dev: self.path("dev"),
			proc: self.path("proc"),
			nvml: self.path("libnvidia-ml.so.1"),
		}
	}

	/// Writes a file, with the directories above it.
	pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
		let path = self.path(path);
		fs::create_dir_all(path.parent().unwrap()).unwrap();
		fs::write(path, content).unwrap();
		self
	}

	pub(crate) fn directory(self, path: &str) -> Self {
		fs::create_dir_all(self.path(path)).unwrap();
		self
	}

	pub(crate) fn cpu(self, vendor: &str, model: &str, flags: &str) -> Self {
		let text = format!(
			"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: {model}\nflags\t\t: fpu {flags}\n"
		);
		self.file("proc/cpuinfo", text)
	}

	pub(crate) fn kernel(self, release: &str) -> Self {
		self.file("proc/sys/kernel/osrelease", format!("{release}\n"))
	}

	/// An SEV-SNP guest in which all is well.
	pub(crate) fn snp_guest() -> Self {
		Self::new()
			.cpu("AuthenticAMD", "AMD EPYC-Milan Processor", "hypervisor")
			.kernel("6.8.0-45-generic")
			.root_rights()
			.file("dev/sev-guest", "")
			.file(
				"proc/self/mounts",
				"sysfs /sys sysfs rw 0 0\nnone /sys/kernel/config configfs rw 0 0\n",
			)
			.directory("sys/kernel/config/tsm/report")
	}

	/// A process that is root.
	pub(crate) fn root_rights(self) -> Self {
		self.rights(0, 0, "", "000001ffffffffff")
	}

	pub(crate) fn rights(self, user: u32, group: u32, groups: &str, capabilities: &str) -> Self {
		let status = format!(
			"Name:\tx\nUid:\t9\t{user}\t9\t9\nGid:\t9\t{group}\t9\t9\nGroups:\t{groups} \n\
			 CapEff:\t{capabilities}\n"
		);
		self.file("proc/self/status", status)
	}
}

/// The directory of captured evidence; `None` after saying so where it is absent.
pub(crate) fn vectors() -> Option<PathBuf> {
	let path = std::env::var_os("ARMATURE_VECTORS").map_or_else(
		|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
		PathBuf::from,
	);
	if path.is_dir() {
		return Some(path);
	}
	println!("skipped: no vectors at {}", path.display());
	None
}
