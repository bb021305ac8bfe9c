//! Power by a published table, for machines without a sensor.
//!
//! `power = threads * (min + load * (max - min))`, with the least and greatest watts of one
//! hardware thread by CPU generation. The figures are those of Cloud Carbon Footprint
//! (cloud-carbon-coefficients, `output/coefficients-gcp-use.csv`, and `coefficients-azure-use.csv`
//! for Coffee Lake and EPYC 1st Gen), Apache-2.0, which are means over the SPECpower_ssj2008
//! results of servers with such CPUs, measured at the server's supply. Unknown CPUs get the medians
//! of the table.
//!
//! The error bands are ours and wide on purpose: single servers lie far from the means, and
//! notebooks and boards with accelerators further. An estimate is never called measured.

use super::{MeterError, PowerMeter};
use armature_primitives::{telemetry::PowerSource, MilliWatts, Ppm};
use sysinfo::{CpuRefreshKind, System};

/// CPU generations that the table knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuClass {
	/// Intel Xeon E5, E3 and E7 without a version.
	SandyBridge,
	/// The same, `v2`.
	IvyBridge,
	/// The same, `v3`.
	Haswell,
	/// The same, `v4`.
	Broadwell,
	/// First generation of Xeon Scalable.
	Skylake,
	/// Second generation of Xeon Scalable.
	CascadeLake,
	/// Xeon E-21xx and E-22xx, Core 8000 and 9000.
	CoffeeLake,
	/// EPYC 7xx1.
	Epyc1,
	/// EPYC 7xx2.
	Epyc2,
	/// EPYC 7xx3.
	Epyc3,
	/// Anything else.
	Unknown,
}

impl CpuClass {
	/// Least and greatest milliwatts of one hardware thread.
	pub fn milliwatts(self) -> (u32, u32) {
		match self {
			CpuClass::SandyBridge => (2_169, 8_550),
			CpuClass::IvyBridge => (3_037, 8_200),
			CpuClass::Haswell => (1_901, 5_969),
			CpuClass::Broadwell => (713, 3_386),
			CpuClass::Skylake => (645, 3_898),
			CpuClass::CascadeLake => (639, 3_642),
			CpuClass::CoffeeLake => (1_138, 5_422),
			CpuClass::Epyc1 => (823, 2_553),
			CpuClass::Epyc2 => (474, 1_575),
			CpuClass::Epyc3 => (445, 1_872),
			// Medians of the ten above.
			CpuClass::Unknown => (768, 3_770),
		}
	}

	/// Half-width of the error band.
	pub fn error(self) -> Ppm {
		match self {
			CpuClass::Unknown => Ppm::ONE,
			_ => Ppm::from_percent(50),
		}
	}
}

/// The class of a CPU, by its model name.
pub fn class_of(model: &str) -> CpuClass {
	let words: Vec<&str> = model.split([' ', '-']).filter(|word| !word.is_empty()).collect();
	let number = |word: &&&str| {
		let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
		digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
	};
	let Some(digits) = words.iter().find(number) else { return CpuClass::Unknown };
	let at = |index: usize| digits.as_bytes().get(index).copied();
	if words.contains(&"EPYC") && at(0) == Some(b'7') {
		return match at(3) {
			Some(b'1') => CpuClass::Epyc1,
			Some(b'2') => CpuClass::Epyc2,
			Some(b'3') => CpuClass::Epyc3,
			_ => CpuClass::Unknown,
		};
	}
	if model.contains("Xeon") {
		let scalable = ["Bronze", "Silver", "Gold", "Platinum"];
		if words.iter().any(|word| scalable.contains(word)) {
			return match at(1) {
				Some(b'1') => CpuClass::Skylake,
				Some(b'2') => CpuClass::CascadeLake,
				_ => CpuClass::Unknown,
			};
		}
		if words.contains(&"E") {
			return CpuClass::CoffeeLake;
		}
		if words.iter().any(|word| ["E3", "E5", "E7"].contains(word)) {
			return match words.iter().find_map(|word| word.strip_prefix('v')) {
				None => CpuClass::SandyBridge,
				Some("2") => CpuClass::IvyBridge,
				Some("3") => CpuClass::Haswell,
				Some("4") => CpuClass::Broadwell,
				Some(_) => CpuClass::Unknown,
			};
		}
	}
	if model.contains("Core(TM)") && matches!(at(0), Some(b'8' | b'9')) {
		return CpuClass::CoffeeLake;
	}
	CpuClass::Unknown
}

/// The linear model for one machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Estimate {
	class: CpuClass,
	threads: u32,
}

impl Estimate {
	/// For a CPU model and its hardware threads.
	pub fn new(model: &str, threads: u32) -> Self {
		Self { class: class_of(model), threads: threads.max(1) }
	}

	/// For the machine that this runs on.
	pub fn of_this_machine() -> Self {
		let (model, threads) = cpu();
		Self::new(&model, threads)
	}

	/// The class that was recognised.
	pub fn class(&self) -> CpuClass {
		self.class
	}

	/// Power at a load.
	pub fn power(&self, load: Ppm) -> MilliWatts {
		let (min, max) = self.class.milliwatts();
		let span = u64::from(max.saturating_sub(min));
		let load = u64::from(load.min(Ppm::ONE).0);
		let active = span.saturating_mul(load).checked_div(u64::from(Ppm::ONE.0)).unwrap_or(0);
		let thread = u64::from(min).saturating_add(active);
		let power = thread.saturating_mul(u64::from(self.threads));
		MilliWatts(u32::try_from(power).unwrap_or(u32::MAX))
	}

	/// Half-width of the error band.
	pub fn error(&self) -> Ppm {
		self.class.error()
	}
}

impl PowerMeter for Estimate {
	fn name(&self) -> &str {
		"estimate"
	}

	fn source(&self) -> PowerSource {
		PowerSource::Estimated
	}

	fn error(&self) -> Ppm {
		self.class.error()
	}

	fn read(&mut self, load: Ppm) -> Result<Option<MilliWatts>, MeterError> {
		Ok(Some(self.power(load)))
	}
}

/// This machine's CPU model and hardware threads, at least one.
pub(crate) fn cpu() -> (String, u32) {
	let Ok(mut system) = System::new() else { return (String::new(), 1) };
	system.refresh_cpu_list(CpuRefreshKind::nothing());
	let model = system.cpus().first().map(|cpu| cpu.brand().to_owned()).unwrap_or_default();
	let threads = u32::try_from(system.cpus().len()).unwrap_or(u32::MAX).max(1);
	(model, threads)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn cpu_models_should_be_told_apart() {
		for (model, class) in [
			("Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", CpuClass::SandyBridge),
			("Intel(R) Xeon(R) CPU E5-2680 v2 @ 2.80GHz", CpuClass::IvyBridge),
			("Intel(R) Xeon(R) CPU E5-2690 v3 @ 2.60GHz", CpuClass::Haswell),
			("Intel(R) Xeon(R) CPU E5-2650 v4 @ 2.20GHz", CpuClass::Broadwell),
			("Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", CpuClass::Skylake),
			("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", CpuClass::CascadeLake),
			("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", CpuClass::Unknown),
			("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", CpuClass::CoffeeLake),
			("Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz", CpuClass::Unknown),
			("AMD EPYC 7551P 32-Core Processor", CpuClass::Epyc1),
			("AMD EPYC 7R32", CpuClass::Unknown),
			("AMD EPYC 7742 64-Core Processor", CpuClass::Epyc2),
			("AMD EPYC 7763 64-Core Processor", CpuClass::Epyc3),
			("AMD EPYC 9654 96-Core Processor", CpuClass::Unknown),
			("AMD Ryzen 9 7950X 16-Core Processor", CpuClass::Unknown),
			("Neoverse-N1", CpuClass::Unknown),
			("", CpuClass::Unknown),
		] {
			assert_eq!(class_of(model), class, "{model}");
		}
	}

	#[test]
	fn unknown_should_be_the_medians_of_the_table() {
		let mut known = [
			CpuClass::SandyBridge,
			CpuClass::IvyBridge,
			CpuClass::Haswell,
			CpuClass::Broadwell,
			CpuClass::Skylake,
			CpuClass::CascadeLake,
			CpuClass::CoffeeLake,
			CpuClass::Epyc1,
			CpuClass::Epyc2,
			CpuClass::Epyc3,
		]
		.map(CpuClass::milliwatts);
		known.sort_by_key(|(min, _)| *min);
		let min = (known[4].0 + known[5].0) / 2;
		known.sort_by_key(|(_, max)| *max);
		let max = (known[4].1 + known[5].1) / 2;
		assert_eq!(CpuClass::Unknown.milliwatts(), (min, max));
	}

	proptest! {
		#[test]
		fn estimates_should_rise_with_load_between_the_tables_bounds(
			threads in 1u32..2_048, a in 0u32..1_500_000, b in 0u32..1_500_000,
		) {
			let estimate = Estimate::new("AMD EPYC 7763 64-Core Processor", threads);
			let (low, high) = (a.min(b), a.max(b));
			prop_assert!(estimate.power(Ppm(low)) <= estimate.power(Ppm(high)));
			prop_assert!(estimate.power(Ppm(low)).0 >= 445 * threads);
			prop_assert!(estimate.power(Ppm(high)).0 <= 1_872 * threads);
			prop_assert!(estimate.error() <= Ppm::ONE);
		}
	}
}
