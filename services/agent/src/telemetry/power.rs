//! Power meters and the choice between them.

use super::{Estimate, ExecMeter, HwmonMeter, RaplMeter};
use armature_primitives::{telemetry::PowerSource, MilliWatts, Ppm};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Duration};

/// Something that tells the machine's power.
pub trait PowerMeter: Send {
	/// For logs.
	fn name(&self) -> &str;

	/// How far its figures can be trusted.
	fn source(&self) -> PowerSource;

	/// Half-width of its error band, at most one.
	fn error(&self) -> Ppm;

	/// Power now, or since the last reading for meters that count energy. `load` is the CPU
	/// utilisation over the same time, which only an estimate looks at. `None` while nothing can
	/// be told yet.
	fn read(&mut self, load: Ppm) -> Result<Option<MilliWatts>, MeterError>;
}

/// Why a meter cannot be used or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeterError {
	/// There is none of this kind here.
	#[error("no {0} found on this machine")]
	Absent(&'static str),
	/// It is there and may not be read.
	#[error("may not read {path}: run the agent as root, or grant it with: chmod a+r {path}")]
	Denied {
		/// The file.
		path: String,
	},
	/// The configuration lacks what the meter needs.
	#[error("power.source = \"{source_name}\" needs power.{field} to be set")]
	Incomplete {
		/// The source's name in the configuration.
		source_name: &'static str,
		/// The missing field.
		field: &'static str,
	},
	/// Reading failed.
	#[error("{0}")]
	Io(String),
	/// It said something that is no power.
	#[error("the meter said {0:?}, which is no number of watts")]
	Nonsense(String),
	/// The command took too long and was killed.
	#[error("the meter's command did not end within {0:?}")]
	Timeout(Duration),
}

/// Where power figures are to come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerSourceConfig {
	/// The best that is there: a power meter on the board, then the package counter, then the
	/// estimate.
	#[default]
	Auto,
	/// A command that prints watts.
	Exec,
	/// The hwmon chip that `chip` names.
	Hwmon,
	/// The CPU package's energy counter.
	Rapl,
	/// The table.
	Estimated,
}

/// The `[power]` part of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PowerConfig {
	/// Where power figures come from.
	pub source: PowerSourceConfig,
	/// For `exec`: program and arguments. It must print one number, the watts at the wall, and
	/// end.
	pub command: Vec<String>,
	/// For `exec`: how long the command may take, in milliseconds.
	pub timeout_millis: u64,
	/// For `exec` and `hwmon`: half-width of the meter's error band, in parts per million.
	pub error_ppm: u32,
	/// For `hwmon`: the chip's name, as `/sys/class/hwmon/*/name` says it.
	pub chip: Option<String>,
}

impl Default for PowerConfig {
	fn default() -> Self {
		Self {
			source: PowerSourceConfig::Auto,
			command: Vec::new(),
			timeout_millis: 5_000,
			error_ppm: 50_000,
			chip: None,
		}
	}
}

/// Builds the configured meter. Only `auto` falls back, to what it then names in its source.
pub fn detect(
	config: &PowerConfig,
	sys: &Path,
	estimate: &Estimate,
) -> Result<Box<dyn PowerMeter>, MeterError> {
	let error = Ppm(config.error_ppm.min(Ppm::ONE.0));
	match config.source {
		PowerSourceConfig::Exec => Ok(Box::new(ExecMeter::new(
			&config.command,
			Duration::from_millis(config.timeout_millis),
			error,
		)?)),
		PowerSourceConfig::Hwmon => {
			let chip = config
				.chip
				.as_deref()
				.ok_or(MeterError::Incomplete { source_name: "hwmon", field: "chip" })?;
			Ok(Box::new(HwmonMeter::open(sys, chip, error)?))
		},
		PowerSourceConfig::Rapl => Ok(Box::new(RaplMeter::open(sys)?)),
		PowerSourceConfig::Estimated => Ok(Box::new(estimate.clone())),
		PowerSourceConfig::Auto => {
			match HwmonMeter::open(sys, HwmonMeter::SYSTEM_CHIP, error) {
				Ok(meter) => return Ok(Box::new(meter)),
				Err(error) => tracing::debug!(%error, "no board sensor"),
			}
			match RaplMeter::open(sys) {
				Ok(meter) => return Ok(Box::new(meter)),
				Err(error @ MeterError::Denied { .. }) => {
					tracing::warn!(%error, "the package counter would be better than an estimate")
				},
				Err(error) => tracing::debug!(%error, "no package counter"),
			}
			Ok(Box::new(estimate.clone()))
		},
	}
}

/// The highest load at which a machine counts as idle.
const IDLE_LOAD: Ppm = Ppm::from_percent(10);

/// Remembers the lowest power at next to no load.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdleTracker(Option<MilliWatts>);

impl IdleTracker {
	/// Takes note of a reading.
	pub fn observe(&mut self, power: MilliWatts, load: Ppm) {
		if load <= IDLE_LOAD {
			self.0 = Some(self.0.map_or(power, |lowest| lowest.min(power)));
		}
	}

	/// The lowest so far; `None` while the machine was never idle.
	pub fn lowest(&self) -> Option<MilliWatts> {
		self.0
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::fs;

	#[test]
	fn auto_should_fall_back_to_an_estimate_that_says_so() {
		let empty = tempfile::tempdir().expect("a directory");
		let estimate = Estimate::new("some CPU", 8);
		let meter = detect(&PowerConfig::default(), empty.path(), &estimate).expect("always");
		assert_eq!(meter.source(), PowerSource::Estimated);
	}

	#[test]
	fn auto_should_prefer_a_board_sensor() {
		let sys = tempfile::tempdir().expect("a directory");
		let chip = sys.path().join("class/hwmon/hwmon0");
		fs::create_dir_all(&chip).expect("created");
		fs::write(chip.join("name"), "power_meter\n").expect("written");
		fs::write(chip.join("power1_average"), "150000000\n").expect("written");
		let estimate = Estimate::new("some CPU", 8);
		let mut meter = detect(&PowerConfig::default(), sys.path(), &estimate).expect("found");
		assert_eq!(meter.source(), PowerSource::BoardSensor);
		assert_eq!(meter.read(Ppm(0)).expect("reads"), Some(MilliWatts(150_000)));
	}

	#[test]
	fn a_named_source_should_never_fall_back() {
		let empty = tempfile::tempdir().expect("a directory");
		let estimate = Estimate::new("some CPU", 8);
		let with = |source| PowerConfig { source, ..PowerConfig::default() };
		let rapl = detect(&with(PowerSourceConfig::Rapl), empty.path(), &estimate);
		assert!(matches!(rapl, Err(MeterError::Absent(_))));
		let hwmon = detect(&with(PowerSourceConfig::Hwmon), empty.path(), &estimate);
		assert!(matches!(hwmon, Err(MeterError::Incomplete { field: "chip", .. })));
		let exec = detect(&with(PowerSourceConfig::Exec), empty.path(), &estimate);
		assert!(matches!(exec, Err(MeterError::Incomplete { field: "command", .. })));
	}

	#[test]
	fn idle_power_should_be_the_lowest_at_low_load() {
		let mut idle = IdleTracker::default();
		idle.observe(MilliWatts(10), Ppm::from_percent(11));
		assert_eq!(idle.lowest(), None);
		idle.observe(MilliWatts(50), Ppm::from_percent(10));
		idle.observe(MilliWatts(40), Ppm(0));
		idle.observe(MilliWatts(45), Ppm(0));
		assert_eq!(idle.lowest(), Some(MilliWatts(40)));
	}
}
