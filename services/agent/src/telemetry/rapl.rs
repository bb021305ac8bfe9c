//! The CPU package's energy counter (RAPL), through the kernel's powercap tree.
//!
//! Since the fix of CVE-2020-8694 only root may read it, unless the file's mode says otherwise. It
//! counts the CPU packages alone: neither memory, disks nor losses in the supply.

use super::{MeterError, PowerMeter};
use armature_primitives::{telemetry::PowerSource, MilliWatts, Ppm};
use std::{
	fs, io,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// Error of the counter itself (techniques 2.6).
const ERROR: Ppm = Ppm::from_percent(5);

/// Readings closer than this say nothing: the counter moves every millisecond.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// Sums the packages' counters.
#[derive(Debug)]
pub struct RaplMeter {
	zones: Vec<Zone>,
	began: Instant,
	last: Duration,
}

#[derive(Debug)]
struct Zone {
	energy: PathBuf,
	/// Where the counter wraps, in microjoules.
	range: u64,
	last: u64,
}

impl RaplMeter {
	/// Opens the package zones below `sys`, which is `/sys` outside of tests.
	pub fn open(sys: &Path) -> Result<Self, MeterError> {
		let root = sys.join("class/powercap");
		let mut zones = Vec::new();
		for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
			let directory = entry.path();
			let name = fs::read_to_string(directory.join("name")).unwrap_or_default();
			// `intel-rapl:0` is a package, `intel-rapl:0:0` a part of it. The same packages show
			// up again below `intel-rapl-mmio`. AMD's use the first name too.
			let file = entry.file_name();
			let is_package = file
				.to_str()
				.and_then(|file| file.strip_prefix("intel-rapl:"))
				.is_some_and(|rest| !rest.contains(':'));
			if !is_package || !name.starts_with("package") {
				continue;
			}
			let energy = directory.join("energy_uj");
			let last = read_counter(&energy)?;
			let range = read_counter(&directory.join("max_energy_range_uj"))?;
			zones.push(Zone { energy, range, last });
		}
		if zones.is_empty() {
			return Err(MeterError::Absent("RAPL package counter"));
		}
		Ok(Self { zones, began: Instant::now(), last: Duration::ZERO })
	}

	/// Power between the last reading and `at`, a time since the meter was opened.
	fn read_at(&mut self, at: Duration) -> Result<Option<MilliWatts>, MeterError> {
		let elapsed = at.saturating_sub(self.last);
		if elapsed < MIN_INTERVAL {
			return Ok(None);
		}
		// All are read before any is booked, so that a failure loses no energy.
		let readings: Vec<u64> = self
			.zones
			.iter()
			.map(|zone| read_counter(&zone.energy))
			.collect::<Result<_, _>>()?;
		let mut microjoules: u64 = 0;
		for (zone, now) in self.zones.iter_mut().zip(readings) {
			microjoules = microjoules.saturating_add(energy_between(zone.last, now, zone.range));
			zone.last = now;
		}
		self.last = at;
		// Microjoules per millisecond are milliwatts.
		let milliwatts = u128::from(microjoules)
			.saturating_mul(1_000)
			.checked_div(elapsed.as_micros())
			.unwrap_or(0);
		Ok(Some(MilliWatts(u32::try_from(milliwatts).unwrap_or(u32::MAX))))
	}
}

impl PowerMeter for RaplMeter {
	fn name(&self) -> &str {
		"rapl"
	}

	fn source(&self) -> PowerSource {
		PowerSource::PackageCounter
	}

	fn error(&self) -> Ppm {
		ERROR
	}

	fn read(&mut self, _load: Ppm) -> Result<Option<MilliWatts>, MeterError> {
		self.read_at(self.began.elapsed())
	}
}

/// Energy from counter value `from` to `to`, with at most one wrap: at 500 W a 32-bit counter of
/// 15 microjoule units, the smallest in use, wraps every two minutes.
fn energy_between(from: u64, to: u64, range: u64) -> u64 {
	if to >= from {
		to.saturating_sub(from)
	} else {
		range.saturating_sub(from).saturating_add(to)
	}
}

fn read_counter(path: &Path) -> Result<u64, MeterError> {
	let text = fs::read_to_string(path).map_err(|error| match error.kind() {
		io::ErrorKind::PermissionDenied => MeterError::Denied { path: path.display().to_string() },
		_ => MeterError::Io(format!("reading {}: {error}", path.display())),
	})?;
	text.trim().parse().map_err(|_| MeterError::Nonsense(text))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn zone(sys: &Path, directory: &str, name: &str, energy: u64) -> PathBuf {
		let directory = sys.join("class/powercap").join(directory);
		fs::create_dir_all(&directory).expect("created");
		fs::write(directory.join("name"), name).expect("written");
		fs::write(directory.join("max_energy_range_uj"), "262143328850\n").expect("written");
		fs::write(directory.join("energy_uj"), format!("{energy}\n")).expect("written");
		directory.join("energy_uj")
	}

	#[test]
	fn wraps_should_be_counted_through() {
		assert_eq!(energy_between(10, 25, 100), 15);
		assert_eq!(energy_between(90, 5, 100), 15);
		assert_eq!(energy_between(5, 5, 100), 0);
		// A counter beyond its own range cannot produce a huge figure.
		assert_eq!(energy_between(200, 5, 100), 5);
	}

	#[test]
	fn packages_should_be_summed_and_their_parts_left_out() {
		let sys = tempfile::tempdir().expect("a directory");
		let first = zone(sys.path(), "intel-rapl:0", "package-0\n", 1_000);
		let second = zone(sys.path(), "intel-rapl:1", "package-1\n", 262_143_328_850 - 500_000);
		zone(sys.path(), "intel-rapl:0:0", "core\n", 77);
		zone(sys.path(), "intel-rapl-mmio:0", "package-0\n", 1_000);
		zone(sys.path(), "intel-rapl:2", "psys\n", 1);
		let mut meter = RaplMeter::open(sys.path()).expect("two packages");
		assert_eq!(meter.zones.len(), 2);
		// 20 J on the first, 10 J over the wrap on the second, in 2 s.
		fs::write(&first, "20001000\n").expect("written");
		fs::write(&second, "9500000\n").expect("written");
		let power = meter.read_at(Duration::from_secs(2)).expect("reads");
		assert_eq!(power, Some(MilliWatts(15_000)));
		assert_eq!(meter.read_at(Duration::from_millis(2_010)).expect("reads"), None);
	}

	#[test]
	fn a_failed_reading_should_lose_no_energy() {
		let sys = tempfile::tempdir().expect("a directory");
		let energy = zone(sys.path(), "intel-rapl:0", "package-0", 0);
		let mut meter = RaplMeter::open(sys.path()).expect("one package");
		fs::write(&energy, "rubbish").expect("written");
		assert!(meter.read_at(Duration::from_secs(1)).is_err());
		fs::write(&energy, "4000000").expect("written");
		let power = meter.read_at(Duration::from_secs(2)).expect("reads");
		assert_eq!(power, Some(MilliWatts(2_000)));
	}

	#[test]
	fn a_machine_without_counters_should_say_so() {
		let sys = tempfile::tempdir().expect("a directory");
		assert!(matches!(RaplMeter::open(sys.path()), Err(MeterError::Absent(_))));
	}
}
