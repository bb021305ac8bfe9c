//! CUSUM on two labelled temperature traces of the Numenta Anomaly Benchmark.
//!
//! `ARMATURE_TRACES` names the folder that holds `nab/`; without the files the tests say so and
//! pass. What is asserted: an alarm lies in the labelled window before each labelled instant,
//! and alarms are denser there than elsewhere, so that the first finding is not mere noise.

#![allow(
	clippy::print_stdout,
	clippy::unwrap_used,
	reason = "helpers of tests fail and speak as tests do"
)]
#![allow(missing_docs)]

use armature_health::cusum::{Cusum, Trend};
use std::{
	fs,
	num::NonZeroU64,
	path::{Path, PathBuf},
};

struct Trace {
	/// Stamps as they stand in the file.
	stamps: Vec<String>,
	/// Thousandths of the file's degrees.
	values: Vec<i64>,
	/// Rows of each window's start and of the labelled instant in it.
	before_failure: Vec<(usize, usize)>,
}

fn traces() -> PathBuf {
	std::env::var_os("ARMATURE_TRACES").map(PathBuf::from).unwrap_or_else(|| {
		Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join("shared/traces")
	})
}

/// The quoted strings of the array that follows `file` in the section `section`.
fn labels<'a>(json: &'a str, section: &str, file: &str) -> Vec<&'a str> {
	let section = &json[json.find(section).expect("section is in the labels")..];
	let list = &section[section.find(file).expect("file is in the labels")..];
	let list = &list[list.find('[').expect("a list follows")..];
	let mut depth = 0;
	let end = list
		.char_indices()
		.find(|(_, c)| {
			depth += match c {
				'[' => 1,
				']' => -1,
				_ => 0,
			};
			depth == 0
		})
		.expect("the list ends")
		.0;
	list[..end].split('"').skip(1).step_by(2).collect()
}

fn load(name: &str) -> Option<Trace> {
	let folder = traces().join("nab");
	let Ok(csv) = fs::read_to_string(folder.join(name)) else {
		println!("skipped: no traces at {}", folder.display());
		return None;
	};
	let json = fs::read_to_string(folder.join("labels.json")).expect("labels lie beside the trace");
	let (mut stamps, mut values) = (Vec::new(), Vec::new());
	for line in csv.lines().skip(1) {
		let (stamp, value) = line.split_once(',').expect("two columns");
		stamps.push(stamp.to_owned());
		values.push((value.parse::<f64>().expect("a number") * 1_000.0).round() as i64);
	}
	let row = |stamp: &str| {
		let stamp = stamp.split('.').next().expect("a stamp");
		stamps.iter().position(|s| s == stamp).expect("labelled rows exist")
	};
	let instants = labels(&json, "combined_labels", name);
	let windows = labels(&json, "combined_windows", name);
	assert_eq!(windows.len(), 2 * instants.len());
	let before_failure = instants
		.iter()
		.zip(windows.chunks(2))
		.map(|(at, w)| (row(w[0]), row(at)))
		.collect();
	Some(Trace { stamps, values, before_failure })
}

/// Rows of the alarms on the residual against a trend of `half_life` samples.
fn alarms(trace: &Trace, half_life: u64) -> Vec<usize> {
	let mut trend = Trend::new(NonZeroU64::new(half_life).unwrap());
	let mut cusum = Cusum::new(NonZeroU64::new(10).unwrap());
	let found = (trace.values.iter().enumerate())
		.filter_map(|(row, x)| cusum.observe(trend.residual(*x)).map(|_| row))
		.collect();
	assert!(cusum.drain_hint());
	found
}

/// Checks an alarm before every label; returns the share of alarms and of rows that lie between a
/// window's start and its label, in percent.
fn density(trace: &Trace, alarms: &[usize]) -> (usize, usize) {
	let (mut hits, mut rows) = (0, 0);
	for (start, label) in &trace.before_failure {
		let inside: Vec<_> = alarms.iter().filter(|a| (*start..*label).contains(*a)).collect();
		let first = inside.first().unwrap_or_else(|| panic!("no alarm before row {label}"));
		println!(
			"label {} first alarm {} ({} rows before), {} alarms",
			trace.stamps[*label],
			trace.stamps[**first],
			label - **first,
			inside.len()
		);
		hits += inside.len();
		rows += label - start;
	}
	(hits * 100 / alarms.len(), rows * 100 / trace.values.len())
}

#[test]
fn cusum_should_alarm_before_each_failure_of_the_machine() {
	let Some(trace) = load("machine_temperature_system_failure.csv") else { return };
	assert_eq!(trace.values.len(), 22_695);
	assert_eq!(trace.before_failure.len(), 4);
	// Four hours of five-minute samples.
	let alarms = alarms(&trace, 48);
	let (hits, rows) = density(&trace, &alarms);
	println!("{} alarms, {hits} % of them in {rows} % of the rows", alarms.len());
	assert!(hits >= 3 * rows, "{hits} {rows}");
}

#[test]
fn cusum_should_alarm_before_each_failure_of_the_office() {
	let Some(trace) = load("ambient_temperature_system_failure.csv") else { return };
	assert_eq!(trace.values.len(), 7_267);
	assert_eq!(trace.before_failure.len(), 2);
	// Two days of hourly samples. This trace is much harder: alarms are only somewhat denser.
	let alarms = alarms(&trace, 48);
	let (hits, rows) = density(&trace, &alarms);
	println!("{} alarms, {hits} % of them in {rows} % of the rows", alarms.len());
	assert!(2 * hits >= 3 * rows, "{hits} {rows}");
}

#[test]
fn baseline_should_match_the_published_figures() {
	for (name, median, mad) in [
		("machine_temperature_system_failure.csv", 82_748, 1_927),
		("ambient_temperature_system_failure.csv", 69_280, 1_929),
	] {
		let Some(trace) = load(name) else { return };
		let mut cusum = Cusum::new(NonZeroU64::MIN);
		for x in trace.values.iter().take(256) {
			assert_eq!(cusum.observe(*x), None);
		}
		let baseline = cusum.baseline().expect("256 samples were seen");
		assert!(baseline.mu.abs_diff(median) <= 1, "{baseline:?}");
		let sigma = (mad as f64 * 1.4826) as u64;
		assert!(baseline.sigma.get().abs_diff(sigma) <= 3, "{baseline:?} {sigma}");
	}
}
