//! A year of real day-ahead prices (bidding zone DE-LU, 2024, Bundesnetzagentur | SMARD.de,
//! CC BY 4.0) as time-of-use tariffs.
//!
//! The files are no part of the repository. `ARMATURE_TRACES` names their folder; without it they
//! are looked for in `shared/traces` beside the workspace.

use crate::EUR;
use armature_economics::tariff;
use armature_primitives::energy::{Tariff, HOURS_PER_DAY};
use std::{collections::BTreeMap, fs, path::PathBuf};

const FILE: &str = "dayahead/de_lu_day_ahead_2024.csv";
const SECONDS_PER_DAY: u64 = 86_400;

fn folder() -> PathBuf {
	std::env::var_os("ARMATURE_TRACES").map_or_else(
		|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces"),
		PathBuf::from,
	)
}

/// Days since the Unix epoch with their 24 prices in micro-euro per kWh. One EUR/MWh is 1,000 of
/// them; a negative price counts as zero, as a tariff has no sign.
fn days(text: &str) -> BTreeMap<u64, [u32; HOURS_PER_DAY]> {
	let mut days = BTreeMap::<u64, BTreeMap<u64, u32>>::new();
	for line in text.lines().skip(1) {
		let (seconds, price) = line.split_once(',').expect("two columns");
		let seconds: u64 = seconds.parse().expect("a time stamp");
		let price: f64 = price.parse().expect("a price");
		let micro = (price * 1_000.0).round().max(0.0) as u32;
		let hour = seconds % SECONDS_PER_DAY / 3_600;
		days.entry(seconds / SECONDS_PER_DAY).or_default().insert(hour, micro);
	}
	days.into_iter()
		.map(|(day, hours)| {
			let prices: Vec<u32> = hours.into_values().collect();
			(day, prices.try_into().expect("24 hours"))
		})
		.collect()
}

/// The mean over `[start, start + duration)`, hour by hour, in floating point.
fn walked(prices: &[u32; HOURS_PER_DAY], start: u64, duration: u64) -> f64 {
	let (mut at, end, mut sum) = (start, start + duration, 0.0);
	while at < end {
		let hour = at / 3_600_000;
		let next = ((hour + 1) * 3_600_000).min(end);
		sum += f64::from(prices[(hour % 24) as usize]) * (next - at) as f64;
		at = next;
	}
	sum / duration as f64
}

#[test]
fn mean_price_should_agree_with_floats_when_tariffs_are_real_days() {
	let path = folder().join(FILE);
	if !path.exists() {
		println!("skipped: no traces at {}", path.display());
		return;
	}
	let days = days(&fs::read_to_string(&path).expect("a readable file"));
	assert_eq!(days.len(), 365, "days in {FILE}");
	// Odd steps, so that starts and ends fall anywhere within hours and days.
	let starts = (0..24u64).map(|i| i * 3_700_013);
	let durations = [1, 36_000, 1_800_000, 3_600_000, 17_123_457, 86_400_000, 500_000_003];
	let mut compared = 0;
	for (day, prices) in &days {
		let tariff = Tariff { currency: EUR, micro_per_kwh: *prices };
		for offset in starts.clone() {
			let start = day * SECONDS_PER_DAY * 1_000 + offset;
			for duration in durations {
				let mean = tariff::mean_micro_per_kwh(&tariff, start, duration).unwrap();
				let float = walked(prices, start, duration);
				let above = f64::from(mean) - float;
				assert!((-1e-6..1.0).contains(&above), "day {day}, {start}: {mean} for {float}");
				compared += 1;
			}
		}
	}
	assert_eq!(compared, 365 * 24 * durations.len());
	// Real days differ by hour, or the comparison would be idle.
	let varied = days.values().filter(|p| p.iter().max() != p.iter().min()).count();
	assert!(varied > 360, "{varied} days with more than one price");
}
