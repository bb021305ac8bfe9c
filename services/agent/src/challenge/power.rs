//! Power figures under the load of a round.

use super::ChallengeFault;
use crate::{lock::lock, telemetry::Collector};
use armature_primitives::{
	telemetry::{PowerReading, PowerSource},
	MilliWatts, Ppm,
};
use std::{
	sync::{
		atomic::{AtomicBool, Ordering},
		mpsc, Arc, Mutex,
	},
	thread::{Builder, Thread},
	time::{Duration, Instant},
};

/// How often power is read under load.
const POWER_INTERVAL: Duration = Duration::from_millis(250);

/// How long a round that has nothing to run waits for a reading: its verifiers begin at a set time.
const PRESENT_PATIENCE: Duration = Duration::from_millis(200);

/// What a meter tells.
type Reading = (MilliWatts, PowerSource, Ppm);

/// Reads power while rounds run, and never has them wait for it.
pub(super) struct Meter {
	collector: Arc<Mutex<Collector>>,
	/// Stands in where a round was over before anything was read.
	assumed: Reading,
}

/// What was read during one round.
#[derive(Default)]
struct Readings {
	loaded: Vec<Reading>,
	idle: Option<MilliWatts>,
}

/// One round, as its meter sees it.
#[derive(Default)]
struct Load {
	is_over: AtomicBool,
	readings: Mutex<Readings>,
}

/// Ends the meter of a load, also when that panics.
struct End {
	load: Arc<Load>,
	meter: Thread,
}

impl Drop for End {
	fn drop(&mut self) {
		self.load.is_over.store(true, Ordering::SeqCst);
		self.meter.unpark();
	}
}

impl Meter {
	/// Over the machine's sensors.
	pub(super) fn new(collector: Arc<Mutex<Collector>>) -> Self {
		let assumed = {
			let collector = lock(&collector);
			let estimate = collector.estimate();
			(estimate.power(Ppm::ONE), PowerSource::Estimated, estimate.error())
		};
		Self { collector, assumed }
	}

	/// Does the work, and reads power meanwhile. A reading that lasts when the work is done is left alone:
	/// waiting for it would count as work.
	///
	/// # Errors
	///
	/// [`ChallengeFault::Failed`] when the meter's thread could not be started.
	pub(super) fn metered<T>(
		&self,
		work: impl FnOnce() -> T,
	) -> Result<(T, PowerReading), ChallengeFault> {
		self.beside(measure, work)
	}

	/// What the machine draws now, without any load of a round. One reading, which is waited for a moment
	/// only.
	///
	/// # Errors
	///
	/// As [`Meter::metered`].
	pub(super) fn present(&self) -> Result<PowerReading, ChallengeFault> {
		let (reading, is_read) = mpsc::channel::<()>();
		let once = move |collector: &Mutex<Collector>, load: &Load| {
			read(collector, load, |readings, reading| readings.loaded.push(reading));
			drop(reading);
		};
		// Its end is what is waited for: nothing is ever sent.
		let (_, power) = self.beside(once, || is_read.recv_timeout(PRESENT_PATIENCE).ok())?;
		Ok(power)
	}

	/// Does the work while `measure` runs on a thread of its own, and condenses what that has read by then.
	fn beside<T>(
		&self,
		measure: impl FnOnce(&Mutex<Collector>, &Load) + Send + 'static,
		work: impl FnOnce() -> T,
	) -> Result<(T, PowerReading), ChallengeFault> {
		let load = Arc::new(Load::default());
		let meter = {
			let (collector, load) = (self.collector.clone(), load.clone());
			Builder::new()
				.name("meter".into())
				.spawn(move || measure(&collector, &load))
				.map_err(|error| ChallengeFault::Failed(format!("the power meter: {error}")))?
		};
		let end = End { load: load.clone(), meter: meter.thread().clone() };
		let done = work();
		drop(end);
		let readings = std::mem::take(&mut *lock(&load.readings));
		Ok((done, condensed(&readings, self.assumed)))
	}
}

/// Reads power until the load is over.
fn measure(collector: &Mutex<Collector>, load: &Load) {
	// Closes the interval before the load; energy counters tell the mean since then.
	if !read(collector, load, |_, _| {}) {
		return;
	}
	loop {
		let since = Instant::now();
		while since.elapsed() < POWER_INTERVAL {
			if load.is_over.load(Ordering::SeqCst) {
				return;
			}
			std::thread::park_timeout(POWER_INTERVAL.saturating_sub(since.elapsed()));
		}
		if !read(collector, load, |readings, reading| readings.loaded.push(reading)) {
			return;
		}
	}
}

/// Reads power and takes note of it, unless the load is over.
fn read(
	collector: &Mutex<Collector>,
	load: &Load,
	note: impl FnOnce(&mut Readings, Reading),
) -> bool {
	let (reading, idle) = {
		let mut collector = lock(collector);
		// Another reading may have lasted for long.
		if load.is_over.load(Ordering::SeqCst) {
			return false;
		}
		(collector.power(), collector.idle_power())
	};
	let mut readings = lock(&load.readings);
	readings.idle = idle;
	note(&mut readings, reading);
	true
}

/// Condenses what was read: the mean over the load, the worst source and error.
fn condensed(readings: &Readings, assumed: Reading) -> PowerReading {
	let Readings { loaded, idle } = readings;
	let assumed = [assumed];
	let loaded: &[Reading] = if loaded.is_empty() { &assumed } else { loaded };
	let sum: u64 = loaded.iter().map(|(power, ..)| u64::from(power.0)).sum();
	let count = u64::try_from(loaded.len()).unwrap_or(u64::MAX);
	let mean = sum.checked_div(count).unwrap_or(0);
	let source = loaded.iter().map(|(_, source, _)| *source).max();
	let error = loaded.iter().map(|(.., error)| *error).max();
	// A device that computes draws something.
	let mean = MilliWatts(u32::try_from(mean).unwrap_or(u32::MAX).max(1));
	PowerReading {
		// Never seen idle: then nothing says that the load added anything.
		idle: idle.unwrap_or(mean).min(mean),
		loaded: mean,
		source: source.unwrap_or(PowerSource::Estimated),
		error: error.unwrap_or(Ppm::ONE).min(Ppm::ONE),
	}
}

/// A reading under the load of what is not a part of the processors: what only these counters see, or what is
/// estimated by them, says little of that, and is no more than an estimate that may be off by all of it.
pub(super) fn of_all(reading: PowerReading) -> PowerReading {
	match reading.source {
		PowerSource::WallMeter | PowerSource::BoardSensor => reading,
		PowerSource::PackageCounter | PowerSource::Estimated => {
			PowerReading { source: PowerSource::Estimated, error: Ppm::ONE, ..reading }
		},
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::telemetry::{PowerConfig, PowerSourceConfig};
	use armature_verifier::challenge::check_power;
	use std::path::Path;

	/// Longer than any test takes, but for a machine that stands still.
	const LONG: Duration = Duration::from_secs(20);

	/// A meter that runs a script.
	fn meter(script: &str, dir: &Path) -> Meter {
		let config = PowerConfig {
			source: PowerSourceConfig::Exec,
			command: ["/bin/sh", "-c", script].map(String::from).to_vec(),
			timeout_millis: 600_000,
			..PowerConfig::default()
		};
		Meter::new(Arc::new(Mutex::new(Collector::new(&config, dir).expect("a meter"))))
	}

	#[test]
	fn power_should_be_condensed_with_the_worst_trust() {
		let assumed = (MilliWatts(70), PowerSource::Estimated, Ppm(500_000));
		let of = |loaded: &[Reading], idle: Option<u32>| {
			let readings = Readings { loaded: loaded.to_vec(), idle: idle.map(MilliWatts) };
			condensed(&readings, assumed)
		};
		let readings = [
			(MilliWatts(100), PowerSource::PackageCounter, Ppm(5)),
			(MilliWatts(301), PowerSource::Estimated, Ppm(9)),
		];
		let reading = of(&readings, Some(50));
		assert_eq!(reading.loaded, MilliWatts(200));
		assert_eq!(reading.idle, MilliWatts(50));
		assert_eq!((reading.source, reading.error), (PowerSource::Estimated, Ppm(9)));
		assert_eq!(of(&readings, Some(900)).idle, MilliWatts(200));
		assert_eq!(of(&readings, None).idle, MilliWatts(200));
		// Nothing was read: the estimate, which says what it is.
		let reading = of(&[], Some(20));
		assert_eq!((reading.idle, reading.loaded), (MilliWatts(20), MilliWatts(70)));
		assert_eq!((reading.source, reading.error), (PowerSource::Estimated, Ppm(500_000)));
		let nothing = [(MilliWatts(0), PowerSource::WallMeter, Ppm(0))];
		for reading in [reading, of(&[], None), of(&nothing, None)] {
			check_power(&reading).expect("plausible");
		}
	}

	#[test]
	fn what_only_processors_show_should_say_little_of_an_accelerator() {
		let of = |source| {
			let error = Ppm(50_000);
			let reading =
				PowerReading { idle: MilliWatts(20), loaded: MilliWatts(90), source, error };
			(reading, of_all(reading))
		};
		for source in [PowerSource::WallMeter, PowerSource::BoardSensor] {
			let (before, after) = of(source);
			assert_eq!(before, after);
		}
		for source in [PowerSource::PackageCounter, PowerSource::Estimated] {
			let (before, after) = of(source);
			let source = PowerSource::Estimated;
			assert_eq!(after, PowerReading { source, error: Ppm::ONE, ..before });
			check_power(&after).expect("plausible");
		}
	}

	#[test]
	fn a_load_should_be_read_and_have_its_result() {
		let dir = tempfile::tempdir().expect("a directory");
		let meter = meter("echo 42", dir.path());
		let work = || {
			std::thread::sleep(4 * POWER_INTERVAL);
			7
		};
		let (done, power) = meter.metered(work).expect("metered");
		assert_eq!(done, 7);
		check_power(&power).expect("plausible");
		// A machine that stands still may give the estimate.
		if power.source == PowerSource::WallMeter {
			assert_eq!(power.loaded, MilliWatts(42_000));
		}
	}

	#[test]
	fn a_reading_that_lasts_should_not_be_waited_for() {
		let dir = tempfile::tempdir().expect("a directory");
		let slow = dir.path().join("slow");
		let script = format!("if [ -e '{}' ]; then sleep 60; fi; echo 42", slow.display());
		let meter = meter(&script, dir.path());
		std::fs::write(&slow, "").expect("written");
		let began = Instant::now();
		let (_, power) = meter.metered(|| std::thread::sleep(POWER_INTERVAL)).expect("metered");
		assert_eq!(power.source, PowerSource::Estimated);
		check_power(&power).expect("plausible");
		// Nor by the next round, whose meter waits for it in vain.
		meter.metered(|| ()).expect("metered");
		assert!(began.elapsed() < LONG);
	}

	#[test]
	fn what_is_drawn_now_should_be_read_once() {
		let dir = tempfile::tempdir().expect("a directory");
		let count = dir.path().join("count");
		let script = format!("echo >> '{}'; echo 42", count.display());
		let meter = meter(&script, dir.path());
		let readings = || std::fs::read_to_string(&count).map_or(0, |text| text.lines().count());
		let before = readings();
		let power = meter.present().expect("read");
		check_power(&power).expect("plausible");
		// A machine that stands still may give the estimate.
		if power.source == PowerSource::WallMeter {
			assert_eq!(power.loaded, MilliWatts(42_000));
			assert_eq!(readings(), before + 1);
		}
	}

	#[test]
	fn what_is_drawn_now_should_be_waited_for_a_moment_only() {
		let dir = tempfile::tempdir().expect("a directory");
		let slow = dir.path().join("slow");
		let script = format!("if [ -e '{}' ]; then sleep 60; fi; echo 42", slow.display());
		let meter = meter(&script, dir.path());
		std::fs::write(&slow, "").expect("written");
		let began = Instant::now();
		for _ in 0..2 {
			let power = meter.present().expect("assumed");
			assert_eq!(power.source, PowerSource::Estimated);
			check_power(&power).expect("plausible");
		}
		assert!(began.elapsed() >= 2 * PRESENT_PATIENCE);
		assert!(began.elapsed() < LONG);
	}

	#[test]
	fn the_meter_of_a_load_should_end_with_it() {
		let dir = tempfile::tempdir().expect("a directory");
		let meter = meter("echo 42", dir.path());
		let only = |meter: &Meter| Arc::strong_count(&meter.collector) == 1;
		meter.metered(|| ()).expect("metered");
		let panics = std::panic::AssertUnwindSafe(|| meter.metered::<()>(|| panic!("a lane")));
		assert!(std::panic::catch_unwind(panics).is_err());
		let began = Instant::now();
		while !only(&meter) {
			assert!(began.elapsed() < LONG, "a meter goes on");
			std::thread::sleep(Duration::from_millis(5));
		}
	}
}
