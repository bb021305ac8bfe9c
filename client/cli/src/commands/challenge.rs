//! `armature challenge`.

use crate::{
	cli::{Challenge, ChallengeKind, ChallengeRun, LocalAccelerator},
	context::Context,
	output::Progress,
};
use anyhow::Result;
use armature_agent::{
	compute::{Accelerator, AcceleratorBackend, AcceleratorConfig, AcceleratorError},
	measure::{self, MeasureError, Measurement},
};
use std::{
	num::NonZeroUsize,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
};
use tokio::task::JoinHandle;

/// The order in which they run: the short-lived first.
const ALL: [ChallengeKind; 4] =
	[ChallengeKind::Cpu, ChallengeKind::Gemm, ChallengeKind::Memory, ChallengeKind::Storage];

pub(crate) async fn run(context: &Context, command: Challenge) -> Result<()> {
	let Challenge::Run(options) = command;
	let mut kinds = if options.kind.is_empty() { ALL.to_vec() } else { options.kind.clone() };
	// Storage is the last: once it listened to interrupts, they no longer end the command at once.
	kinds.sort_by_key(|kind| *kind == ChallengeKind::Storage);
	let available = std::thread::available_parallelism().map_or(1, usize::from);
	let lanes = options.lanes.unwrap_or_else(|| u16::try_from(available).unwrap_or(u16::MAX));
	let options = Arc::new(options);
	let stopped = Arc::new(AtomicBool::new(false));
	let mut measured = Vec::new();
	for kind in kinds {
		let progress = Progress::start(format!("{kind:?}: computing and checking").to_lowercase());
		let (options, is_stopped) = (options.clone(), stopped.clone());
		let work = tokio::task::spawn_blocking(move || {
			one(kind, lanes, &options, &|| is_stopped.load(Ordering::Relaxed))
		});
		let done = match kind {
			ChallengeKind::Storage => or_interrupted(work, &stopped).await,
			_ => work.await.map_err(Into::into),
		};
		drop(progress);
		measured.push(done??);
	}
	context.output.rows(
		&["kind", "took", "measured", "samples checked", "checking took", "would be sent"],
		&measured,
		|row| {
			vec![
				row.kind.to_owned(),
				format!("{} ms", row.elapsed_millis),
				figures(row),
				row.samples.to_string(),
				format!("{} µs", row.check_micros),
				format!("{} kB", row.opening_bytes.div_ceil(1_000)),
			]
		},
	)
}

/// Waits for work. At an interrupt it is told to stop, and still waited for: it removes what it wrote.
async fn or_interrupted<T>(mut work: JoinHandle<T>, stopped: &AtomicBool) -> Result<T> {
	tokio::select! {
		done = &mut work => return Ok(done?),
		interrupt = tokio::signal::ctrl_c() => interrupt?,
	}
	stopped.store(true, Ordering::Relaxed);
	Ok(work.await?)
}

fn one(
	kind: ChallengeKind,
	lanes: u16,
	options: &ChallengeRun,
	is_stopped: &(impl Fn() -> bool + Sync),
) -> Result<Measurement, MeasureError> {
	const MIB: u64 = 1024 * 1024;
	let ChallengeRun { duration, memory, storage, directory, side, window, .. } = options;
	match kind {
		ChallengeKind::Cpu => measure::cpu(lanes, *duration),
		ChallengeKind::Gemm => {
			measure::gemm(*side, *window, accelerator(lanes, options)?, *duration)
		},
		ChallengeKind::Memory => {
			let bytes = u64::from(*memory).saturating_mul(MIB);
			measure::memory(bytes, lanes, *duration)
		},
		ChallengeKind::Storage => {
			let bytes = u64::from(*storage).saturating_mul(MIB);
			let directory = directory.clone().unwrap_or_else(std::env::temp_dir);
			measure::storage(&directory, bytes, lanes, *duration, is_stopped)
		},
	}
}

fn accelerator(lanes: u16, options: &ChallengeRun) -> Result<Accelerator, AcceleratorError> {
	match options.accelerator {
		LocalAccelerator::Processor => {
			let threads = NonZeroUsize::new(usize::from(lanes)).unwrap_or(NonZeroUsize::MIN);
			Ok(Accelerator::processor(threads))
		},
		LocalAccelerator::Cuda => Accelerator::open(&AcceleratorConfig {
			backend: AcceleratorBackend::Cuda,
			ordinal: options.ordinal,
		}),
	}
}

fn figures(measured: &Measurement) -> String {
	let lines: Vec<_> = measured
		.figures
		.iter()
		.map(|figure| format!("{}: {} {}", figure.name, scaled(figure.value), figure.unit))
		.collect();
	lines.join("\n")
}

/// With a decimal prefix from 10,000 on: 12345678 is "12.3 M".
fn scaled(value: u64) -> String {
	const PREFIXES: [(u64, &str); 5] = [
		(1_000_000_000_000_000, "P"),
		(1_000_000_000_000, "T"),
		(1_000_000_000, "G"),
		(1_000_000, "M"),
		(1_000, "k"),
	];
	if value < 10_000 {
		return value.to_string();
	}
	let prefix = PREFIXES.into_iter().find(|(size, _)| value >= *size);
	prefix.map_or_else(
		|| value.to_string(),
		|(size, name)| {
			let tenths = u128::from(value).saturating_mul(10) / u128::from(size);
			format!("{}.{} {name}", tenths / 10, tenths % 10)
		},
	)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn large_figures_should_be_readable() {
		assert_eq!(scaled(0), "0");
		assert_eq!(scaled(9_999), "9999");
		assert_eq!(scaled(10_000), "10.0 k");
		assert_eq!(scaled(12_345_678), "12.3 M");
		assert_eq!(scaled(1_073_741_824), "1.0 G");
		assert_eq!(scaled(u64::MAX), "18446.7 P");
	}

	#[test]
	fn each_kind_should_be_measured_here() {
		let directory = tempfile::tempdir().expect("a directory");
		let options = ChallengeRun {
			local: true,
			kind: Vec::new(),
			duration: std::time::Duration::from_millis(20),
			lanes: None,
			memory: 1,
			storage: 1,
			directory: Some(directory.path().to_owned()),
			side: 32,
			window: 2,
			accelerator: LocalAccelerator::Processor,
			ordinal: 0,
		};
		for kind in ALL {
			let measured = one(kind, 2, &options, &|| false).expect("measured");
			assert_eq!(measured.kind, format!("{kind:?}").to_lowercase());
			assert!(figures(&measured).lines().count() >= 3, "{measured:?}");
		}
		let left = std::fs::read_dir(directory.path()).expect("listed").count();
		assert_eq!(left, 0, "what was sealed is removed");
	}
}
