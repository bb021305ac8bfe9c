//! Sensors on the board, through the kernel's hwmon tree.

use super::{MeterError, PowerMeter};
use armature_primitives::{telemetry::PowerSource, MilliWatts, Ppm};
use std::{
	fs, io,
	path::{Path, PathBuf},
};

/// The most chips that are looked at, and sensors of each.
const MAX_ENTRIES: usize = 256;

/// Sums the power sensors of one chip.
#[derive(Debug)]
pub struct HwmonMeter {
	chip: String,
	sensors: Vec<PathBuf>,
	error: Ppm,
}

impl HwmonMeter {
	/// The ACPI meter of the whole machine. Other chips see parts (a graphics card, one rail), and
	/// only the provider can know that such a part stands for the whole.
	pub const SYSTEM_CHIP: &'static str = "power_meter";

	/// Opens the sensors of `chip` below `sys`, which is `/sys` outside of tests. Of a sensor that
	/// has both an average and a momentary value the average is taken.
	pub fn open(sys: &Path, chip: &str, error: Ppm) -> Result<Self, MeterError> {
		let mut sensors = Vec::new();
		for directory in chips(sys) {
			let name = fs::read_to_string(directory.join("name")).unwrap_or_default();
			if name.trim() != chip {
				continue;
			}
			let average = files(&directory, "power", "_average");
			let momentary = files(&directory, "power", "_input").into_iter().filter(|input| {
				let twin = input.to_string_lossy().replace("_input", "_average");
				!average.contains(&PathBuf::from(twin))
			});
			sensors.extend(momentary);
			sensors.extend(average);
		}
		if sensors.is_empty() {
			return Err(MeterError::Absent("hwmon power sensor of that name"));
		}
		let mut meter = Self { chip: chip.to_owned(), sensors, error };
		// Some firmware lists a meter that it does not serve: better to learn it now.
		meter.read(Ppm(0))?;
		Ok(meter)
	}
}

impl PowerMeter for HwmonMeter {
	fn name(&self) -> &str {
		&self.chip
	}

	fn source(&self) -> PowerSource {
		PowerSource::BoardSensor
	}

	fn error(&self) -> Ppm {
		self.error
	}

	fn read(&mut self, _load: Ppm) -> Result<Option<MilliWatts>, MeterError> {
		let mut microwatts: u64 = 0;
		for sensor in &self.sensors {
			let text = fs::read_to_string(sensor).map_err(|error| match error.kind() {
				io::ErrorKind::PermissionDenied => {
					MeterError::Denied { path: sensor.display().to_string() }
				},
				_ => MeterError::Io(format!("reading {}: {error}", sensor.display())),
			})?;
			let value: u64 = text.trim().parse().map_err(|_| MeterError::Nonsense(text))?;
			microwatts = microwatts.saturating_add(value);
		}
		let milliwatts = u32::try_from(microwatts.div_ceil(1_000)).unwrap_or(u32::MAX);
		Ok(Some(MilliWatts(milliwatts)))
	}
}

/// The hottest sensor of all chips, in tenths of a degree Celsius. Readings outside of -50 to 200
/// degrees are unconnected sensors.
pub fn max_temperature(sys: &Path) -> Option<i16> {
	chips(sys)
		.iter()
		.flat_map(|chip| files(chip, "temp", "_input"))
		.filter_map(|sensor| fs::read_to_string(sensor).ok()?.trim().parse::<i32>().ok())
		.filter(|millidegrees| (-50_000..=200_000).contains(millidegrees))
		.filter_map(|millidegrees| i16::try_from(millidegrees.checked_div(100)?).ok())
		.max()
}

fn chips(sys: &Path) -> Vec<PathBuf> {
	let root = sys.join("class/hwmon");
	let entries = fs::read_dir(root).into_iter().flatten().flatten();
	entries.take(MAX_ENTRIES).map(|entry| entry.path()).collect()
}

fn files(directory: &Path, prefix: &str, suffix: &str) -> Vec<PathBuf> {
	let entries = fs::read_dir(directory).into_iter().flatten().flatten();
	let mut found: Vec<PathBuf> = entries
		.filter(|entry| {
			entry.file_name().to_str().is_some_and(|name| {
				name.strip_prefix(prefix)
					.and_then(|rest| rest.strip_suffix(suffix))
					.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
			})
		})
		.take(MAX_ENTRIES)
		.map(|entry| entry.path())
		.collect();
	found.sort();
	found
}

#[cfg(test)]
mod tests {
	use super::*;

	fn chip(sys: &Path, directory: &str, files: &[(&str, &str)]) {
		let directory = sys.join("class/hwmon").join(directory);
		fs::create_dir_all(&directory).expect("created");
		for (file, text) in files {
			fs::write(directory.join(file), text).expect("written");
		}
	}

	#[test]
	fn a_chips_sensors_should_be_summed_once_each() {
		let sys = tempfile::tempdir().expect("a directory");
		chip(
			sys.path(),
			"hwmon0",
			&[
				("name", "psu\n"),
				("power1_average", "100000000\n"),
				("power1_input", "999999999\n"),
				("power2_input", "20000500\n"),
				("power2_cap", "1\n"),
			],
		);
		chip(sys.path(), "hwmon1", &[("name", "gpu\n"), ("power1_average", "7\n")]);
		let mut meter = HwmonMeter::open(sys.path(), "psu", Ppm(1)).expect("found");
		assert_eq!(meter.read(Ppm(0)).expect("reads"), Some(MilliWatts(120_001)));
		assert!(HwmonMeter::open(sys.path(), "bmc", Ppm(1)).is_err());
	}

	#[test]
	fn the_hottest_plausible_sensor_should_count() {
		let sys = tempfile::tempdir().expect("a directory");
		assert_eq!(max_temperature(sys.path()), None);
		chip(
			sys.path(),
			"hwmon0",
			&[("temp1_input", "45600\n"), ("temp2_input", "3276700\n"), ("temp1_max", "99000\n")],
		);
		chip(sys.path(), "hwmon1", &[("temp1_input", "-3000\n"), ("temp2_input", "oops")]);
		assert_eq!(max_temperature(sys.path()), Some(456));
	}
}
