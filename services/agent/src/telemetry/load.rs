//! CPU utilisation from the kernel's counters.

use super::share;
use armature_primitives::Ppm;
use std::path::{Path, PathBuf};

/// Ticks since boot over all CPUs, from the first line of `/proc/stat`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuTimes {
	/// Ticks in which something ran.
	pub busy: u64,
	/// All ticks.
	pub total: u64,
}

impl CpuTimes {
	/// Parses `/proc/stat`. Waiting for disks counts as idle. Guest time is part of user time
	/// already (proc(5)) and is not added again.
	pub fn parse(stat: &str) -> Option<Self> {
		let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
		let ticks: Vec<u64> = line
			.split_ascii_whitespace()
			.take(8)
			.map_while(|field| field.parse().ok())
			.collect();
		let idle = ticks.get(3)?.saturating_add(ticks.get(4).copied().unwrap_or(0));
		let total = ticks.iter().fold(0u64, |sum, ticks| sum.saturating_add(*ticks));
		Some(Self { busy: total.saturating_sub(idle), total })
	}

	/// The share of ticks since `earlier` in which something ran.
	pub fn load_since(&self, earlier: &Self) -> Ppm {
		share(self.busy.saturating_sub(earlier.busy), self.total.saturating_sub(earlier.total))
	}
}

/// Tells the utilisation between its readings.
#[derive(Debug)]
pub struct LoadMeter {
	path: PathBuf,
	last: CpuTimes,
	load: Ppm,
}

impl LoadMeter {
	/// Reads `stat` below `root`, which is `/proc` outside of tests.
	pub fn new(root: &Path) -> Self {
		Self { path: root.join("stat"), last: CpuTimes::default(), load: Ppm(0) }
	}

	/// Utilisation since the last reading; the first says since boot. When no tick has passed or
	/// the counters cannot be read, the last value stands.
	pub fn read(&mut self) -> Ppm {
		let read = std::fs::read_to_string(&self.path).ok();
		if let Some(now) = read.as_deref().and_then(CpuTimes::parse) {
			if now.total > self.last.total {
				self.load = now.load_since(&self.last);
				self.last = now;
			}
		}
		self.load
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn proc_stat_should_parse() {
		let stat = "cpu  100 10 50 800 40 0 0 0 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n";
		assert_eq!(CpuTimes::parse(stat), Some(CpuTimes { busy: 160, total: 1_000 }));
		assert_eq!(CpuTimes::parse("intr 5\n"), None);
		assert_eq!(CpuTimes::parse("cpu  1 2\n"), None);
		assert_eq!(CpuTimes::parse(""), None);
	}

	#[test]
	fn load_should_be_the_share_between_readings() {
		let dir = tempfile::tempdir().expect("a directory");
		let write = |text: &str| std::fs::write(dir.path().join("stat"), text).expect("written");
		let mut meter = LoadMeter::new(dir.path());
		write("cpu  0 0 0 100 0\n");
		assert_eq!(meter.read(), Ppm(0));
		write("cpu  30 0 0 170 0\n");
		assert_eq!(meter.read(), Ppm(300_000));
		// No tick passed: the last value stands.
		assert_eq!(meter.read(), Ppm(300_000));
		std::fs::remove_file(dir.path().join("stat")).expect("removed");
		assert_eq!(meter.read(), Ppm(300_000));
	}
}
