//! Prints what a segment costs on this machine: the figures behind
//! `challenge::DEFAULT_STEPS_PER_SEGMENT`.

use armature_primitives::{DeviceId, H256};
use armature_verifier::challenge::{
	lane_table, run_segment, segment_start, DEFAULT_STEPS_PER_SEGMENT, ROUNDS_PER_STEP,
};
use std::time::Instant;

const RUNS: u32 = 200;

fn main() {
	let seed = H256([7; 32]);
	let started = Instant::now();
	for lane in 0..RUNS {
		std::hint::black_box(lane_table(&seed, lane as u16));
	}
	let table_cost = started.elapsed() / RUNS;

	let table = lane_table(&seed, 0);
	let mut state = segment_start(&seed, DeviceId(1), 0, 0, &[]);
	let mut times: Vec<_> = (0..RUNS)
		.map(|_| {
			let started = Instant::now();
			state = run_segment(&table, state, DEFAULT_STEPS_PER_SEGMENT);
			started.elapsed()
		})
		.collect();
	times.sort();
	let median = times[times.len() / 2];
	let rounds = f64::from(DEFAULT_STEPS_PER_SEGMENT * ROUNDS_PER_STEP);
	let mut out = std::io::stdout().lock();
	std::io::Write::write_fmt(
		&mut out,
		format_args!(
			"table {:.3} ms; segment of {} steps: fastest {:.3} ms, median {:.3} ms, slowest {:.3} \
			 ms, {:.2} ns a round, {:.0} steps/s; end {:?}\n",
			table_cost.as_secs_f64() * 1e3,
			DEFAULT_STEPS_PER_SEGMENT,
			times.first().map_or(0.0, |t| t.as_secs_f64() * 1e3),
			median.as_secs_f64() * 1e3,
			times.last().map_or(0.0, |t| t.as_secs_f64() * 1e3),
			median.as_secs_f64() * 1e9 / rounds,
			f64::from(DEFAULT_STEPS_PER_SEGMENT) / median.as_secs_f64(),
			state.0[0],
		),
	)
	.expect("standard output is open");
}
