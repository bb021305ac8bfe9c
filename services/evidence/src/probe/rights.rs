//! What this process may do, from `/proc/self/status`: asking the device would open it.

use crate::files;
use std::{os::unix::fs::MetadataExt, path::Path};

const MAX_STATUS_LEN: usize = 64 * 1024;

/// `CAP_DAC_OVERRIDE`: permissions of files do not hold.
const OVERRIDE: u64 = 1 << 1;

/// Of this process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rights {
	user: u32,
	groups: Vec<u32>,
	overrides: bool,
}

impl Rights {
	/// `None` if the kernel does not say.
	pub(super) fn read(proc: &Path) -> Option<Self> {
		let status = files::text(&proc.join("self/status"), MAX_STATUS_LEN);
		let value = |name: &str| {
			status.lines().find_map(|line| {
				let (key, value) = line.split_once(':')?;
				(key == name).then_some(value)
			})
		};
		// Real, effective, saved, file system.
		let effective = |name| value(name)?.split_whitespace().nth(1)?.parse::<u32>().ok();
		let capabilities = u64::from_str_radix(value("CapEff")?.trim(), 16).ok()?;
		let mut groups: Vec<u32> =
			value("Groups")?.split_whitespace().filter_map(|id| id.parse().ok()).collect();
		groups.push(effective("Gid")?);
		Some(Self { user: effective("Uid")?, groups, overrides: capabilities & OVERRIDE != 0 })
	}

	/// Whether permissions do not hold for it.
	pub(super) fn overrides(&self) -> bool {
		self.overrides
	}

	/// Whether it may read and write a file.
	pub(super) fn may_use(&self, path: &Path) -> bool {
		let Ok(metadata) = path.metadata() else { return false };
		let needed = if self.overrides {
			return true;
		} else if metadata.uid() == self.user {
			0o600
		} else if self.groups.contains(&metadata.gid()) {
			0o060
		} else {
			0o006
		};
		metadata.mode() & needed == needed
	}
}
