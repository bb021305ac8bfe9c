//! What the machine says of itself: load, memory, temperature, disks, network, power.
//!
//! Everything works without sensors, in containers and virtual machines: what cannot be read is
//! left out or, for power, estimated and marked as such.

mod estimate;
mod exec;
mod hwmon;
mod load;
mod power;
mod rapl;

pub(crate) use estimate::cpu;
pub use estimate::{class_of, CpuClass, Estimate};
pub use exec::ExecMeter;
pub use hwmon::{max_temperature, HwmonMeter};
pub use load::{CpuTimes, LoadMeter};
pub use power::{detect, IdleTracker, MeterError, PowerConfig, PowerMeter, PowerSourceConfig};
pub use rapl::RaplMeter;

use armature_primitives::{
	telemetry::{PowerSource, TelemetrySummary},
	MilliWatts, Moment, Ppm,
};
use codec::{Decode, Encode};
use std::path::{Path, PathBuf};
use sysinfo::{Disks, MemoryRefreshKind, Networks, System};

/// Where the kernel shows its sensors.
pub const SYS_ROOT: &str = "/sys";

/// Where the kernel shows its counters.
pub const PROC_ROOT: &str = "/proc";

/// One slot's telemetry. A leaf's digest is the hash of an epoch's samples.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Sample {
	/// When it was taken, by the device's clock.
	pub taken_at: Moment,
	/// Mean power since the sample before it, or now, as the meter can tell.
	pub power: MilliWatts,
	/// Where the power figure comes from.
	pub power_source: PowerSource,
	/// Half-width of its error band.
	pub power_error: Ppm,
	/// CPU utilisation of all threads since the sample before it.
	pub load: Ppm,
	/// Memory in use.
	pub memory: Ppm,
	/// The hottest sensor, in tenths of a degree Celsius; `i16::MIN` when there is none.
	pub temperature: i16,
	/// Free space of the agent's data directory, in MiB.
	pub disk_free_mib: u64,
	/// Bytes received since the sample before it, loopback excluded.
	pub received: u64,
	/// Bytes sent since the sample before it, loopback excluded.
	pub sent: u64,
}

/// Means and extremes of an epoch's samples. All zero, and no temperature, without samples.
pub fn summarise(samples: &[Sample]) -> TelemetrySummary {
	let mean = |of: fn(&Sample) -> u32| {
		let sum: u64 = samples.iter().map(|sample| u64::from(of(sample))).sum();
		let count = u64::try_from(samples.len()).unwrap_or(u64::MAX);
		u32::try_from(sum.checked_div(count).unwrap_or(0)).unwrap_or(u32::MAX)
	};
	TelemetrySummary {
		mean_power: MilliWatts(mean(|sample| sample.power.0)),
		mean_load: Ppm(mean(|sample| sample.load.0)),
		max_temperature: samples.iter().map(|s| s.temperature).max().unwrap_or(i16::MIN),
		max_memory: samples.iter().map(|s| s.memory).max().unwrap_or_default(),
	}
}

/// Reads all of it.
pub struct Collector {
	system: System,
	networks: Option<Networks>,
	load: LoadMeter,
	meter: Box<dyn PowerMeter>,
	estimate: Estimate,
	idle: IdleTracker,
	data_dir: PathBuf,
}

impl Collector {
	/// A collector with the power meter that `config` names. Fails when that meter cannot be
	/// used; `auto` never does.
	pub fn new(config: &PowerConfig, data_dir: &Path) -> Result<Self, MeterError> {
		let estimate = Estimate::of_this_machine();
		let meter = detect(config, Path::new(SYS_ROOT), &estimate)?;
		tracing::info!(
			meter = meter.name(),
			source = ?meter.source(),
			error_ppm = meter.error().0,
			"power meter chosen"
		);
		let mut collector = Self {
			system: System::new()
				.map_err(|error| MeterError::Io(format!("reading the system: {error}")))?,
			networks: Networks::new_with_refreshed_list().ok(),
			load: LoadMeter::new(Path::new(PROC_ROOT)),
			meter,
			estimate,
			idle: IdleTracker::default(),
			data_dir: data_dir.to_owned(),
		};
		// Counters need a first reading before they can tell a rate.
		collector.load.read();
		collector.meter.read(Ppm(0)).ok();
		Ok(collector)
	}

	/// Takes a sample. May block for as long as the configured meter may.
	pub fn sample(&mut self, now: Moment) -> Sample {
		let load = self.load.read();
		let (power, power_source, power_error) = self.power_at(load);
		self.idle.observe(power, load);
		self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
		let (received, sent) = self.traffic();
		Sample {
			taken_at: now,
			power,
			power_source,
			power_error,
			load,
			memory: share(self.system.used_memory(), self.system.total_memory()),
			temperature: max_temperature(Path::new(SYS_ROOT)).unwrap_or(i16::MIN),
			disk_free_mib: free_mib(&self.data_dir),
			received,
			sent,
		}
	}

	/// Power since the last reading, with its source and error band.
	pub fn power(&mut self) -> (MilliWatts, PowerSource, Ppm) {
		let load = self.load.read();
		let reading = self.power_at(load);
		self.idle.observe(reading.0, load);
		reading
	}

	/// The lowest power seen while the machine had next to nothing to do; for an estimate the
	/// table's value.
	pub fn idle_power(&self) -> Option<MilliWatts> {
		if self.meter.source() == PowerSource::Estimated {
			return Some(self.estimate.power(Ppm(0)));
		}
		self.idle.lowest()
	}

	/// What to assume of power with every thread busy when nothing was measured.
	pub fn estimate(&self) -> &Estimate {
		&self.estimate
	}

	fn power_at(&mut self, load: Ppm) -> (MilliWatts, PowerSource, Ppm) {
		match self.meter.read(load) {
			Ok(Some(power)) => return (power, self.meter.source(), self.meter.error()),
			Ok(None) => {},
			// Said, and visible in the sample's source: never passed off as a measurement.
			Err(error) => tracing::warn!(
				meter = self.meter.name(),
				%error,
				"power meter failed; this reading is an estimate"
			),
		}
		(self.estimate.power(load), PowerSource::Estimated, self.estimate.error())
	}

	fn traffic(&mut self) -> (u64, u64) {
		let Some(networks) = &mut self.networks else { return (0, 0) };
		networks.refresh(true);
		networks.iter().filter(|(name, _)| name.to_str() != Some("lo")).fold(
			(0, 0),
			|(received, sent): (u64, u64), (_, data)| {
				(received.saturating_add(data.received()), sent.saturating_add(data.transmitted()))
			},
		)
	}
}

/// `part / whole`, zero when there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> Ppm {
	let scaled = u128::from(part).saturating_mul(u128::from(Ppm::ONE.0));
	let share = scaled.checked_div(u128::from(whole)).unwrap_or(0);
	Ppm(u32::try_from(share).unwrap_or(u32::MAX).min(Ppm::ONE.0))
}

/// Free space of the file system that holds `path`, in MiB; zero when it cannot be told.
pub(crate) fn free_mib(path: &Path) -> u64 {
	let Ok(disks) = Disks::new_with_refreshed_list() else { return 0 };
	let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
	disks
		.iter()
		.filter(|disk| path.starts_with(disk.mount_point()))
		.max_by_key(|disk| disk.mount_point().as_os_str().len())
		.map_or(0, |disk| disk.available_space() >> 20)
}

#[cfg(test)]
mod tests {
	use super::*;

	pub(crate) fn sample(power: u32, load: u32, temperature: i16, memory: u32) -> Sample {
		Sample {
			taken_at: 1,
			power: MilliWatts(power),
			power_source: PowerSource::Estimated,
			power_error: Ppm(1),
			load: Ppm(load),
			memory: Ppm(memory),
			temperature,
			disk_free_mib: 1,
			received: 1,
			sent: 1,
		}
	}

	#[test]
	fn summaries_should_be_means_and_extremes() {
		let samples = [sample(1_000, 100, 300, 5), sample(4_000, 301, -50, 9)];
		let summary = summarise(&samples);
		assert_eq!(summary.mean_power, MilliWatts(2_500));
		assert_eq!(summary.mean_load, Ppm(200));
		assert_eq!(summary.max_temperature, 300);
		assert_eq!(summary.max_memory, Ppm(9));
		assert_eq!(summarise(&[]).max_temperature, i16::MIN);
		assert_eq!(summarise(&[]).mean_power, MilliWatts(0));
		let hot = vec![sample(u32::MAX, u32::MAX, 0, 0); 60];
		assert_eq!(summarise(&hot).mean_power, MilliWatts(u32::MAX));
	}

	#[test]
	fn shares_should_stay_within_bounds() {
		assert_eq!(share(1, 4), Ppm(250_000));
		assert_eq!(share(5, 4), Ppm::ONE);
		assert_eq!(share(5, 0), Ppm(0));
		assert_eq!(share(u64::MAX, u64::MAX), Ppm::ONE);
	}

	#[test]
	fn this_machine_should_give_a_plausible_sample() {
		let dir = tempfile::tempdir().expect("a directory");
		let mut collector =
			Collector::new(&PowerConfig::default(), dir.path()).expect("auto never fails");
		let sample = collector.sample(42);
		assert_eq!(sample.taken_at, 42);
		assert!(sample.power.0 > 0);
		assert!(sample.load <= Ppm::ONE && sample.memory > Ppm(0) && sample.memory <= Ppm::ONE);
		assert!(sample.power_error <= Ppm::ONE);
	}
}
