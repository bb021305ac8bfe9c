//! Plays 1,000 rounds against each kind of cheat with the code that devices, verifiers and chain run, and
//! prints how often it was found beside what the formulas say, and what it won or lost.
//!
//! `cargo run --release -p armature-verifier --example adversaries [ROUNDS [TABLE]]`, with one of the tables
//! lanes, memory, gemm, planted and network, or all.
//!
//! Lanes: tasks are small (two lanes of 120 segments of four steps); what is found depends on the share of
//! wrong segments and on the number of samples, not on the size. Money is of a device that draws 200 W at
//! 0.30 EUR/kWh for 12 s a round, earns 0.05 EUR an hour, and earns nothing for six minutes after a failed
//! round: the time before it may ask for the next one.
//!
//! Memory: two lanes of 256 blocks, filled anew in each round, and for each verifier a walk of 64 segments
//! of four reads in each lane. Rows are played at once, each on a thread of its own. How many blocks and
//! segments are wrong is counted with the checks themselves, in the first round of each row; the formula
//! is the exact one for samples that are not put back, as for lanes. With as many blocks as devices have
//! it becomes `1 - (1 - f)^24`.
//!
//! What it costs to fill missing blocks again is counted: compressions for each read. Times are made of
//! that count, not measured: 0.5 µs a read with its hash, 0.5 µs a compression with its sources, a walk of
//! a million reads, 10 to 60 ms to the verifier and back. For blocks left out by lot the formula is a bound
//! at any size, and there is none from a seventh on: there, and for blocks left out at the end of a lane,
//! the cost grows with the lane.
//!
//! Products: six states of 24 rows. Two of the devices leave out a share of all rows, and make those again
//! that a column chooses.
//!
//! Planted answers: two of five verifiers say of every round of memory that it passed. One round of a
//! hundred is answered with what was planted, by one device or another. Whoever has less than half of its
//! bond left is on no committee any more; others take its place.
//!
//! Ways to verifiers: two of five say other rates than they have measured.

mod chance;
mod gemm;
mod lanes;
mod memory;
mod network;
mod planted;

use armature_primitives::{
	challenge::{Measured, Verdict},
	ed25519::Signature,
	telemetry::{PowerReading, PowerSource},
	MilliWatts, Ppm, H256,
};
use std::io::Write;

/// Verifiers of a round.
const COMMITTEE: usize = 5;

/// A verdict that a round was passed, under the root that the device committed to.
fn passed(measured: Measured, root: H256) -> Verdict {
	let power = PowerReading {
		idle: MilliWatts(20_000),
		loaded: MilliWatts(200_000),
		source: PowerSource::WallMeter,
		error: Ppm(0),
	};
	Verdict::Passed { measured, power, root, signature: Signature::from_raw([0; 64]) }
}

fn main() {
	let rounds: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000);
	let mut out = std::io::stdout().lock();
	let mut line = |text: String| writeln!(out, "{text}").expect("standard output is open");
	let wanted = std::env::args().nth(2);
	type Print<'a> = &'a dyn Fn(u32, &mut dyn FnMut(String));
	let tables: [(&str, Print<'_>); 5] = [
		("lanes", &|rounds, mut line| lanes::print(rounds, &mut line)),
		("memory", &|rounds, mut line| memory::print(rounds, &mut line)),
		("gemm", &|rounds, mut line| gemm::print(rounds, &mut line)),
		("planted", &|rounds, mut line| planted::print(rounds, &mut line)),
		("network", &|rounds, mut line| network::print(rounds, &mut line)),
	];
	for (name, print) in tables {
		if wanted.as_ref().is_none_or(|wanted| wanted == name) {
			print(rounds, &mut line);
			line(String::new());
		}
	}
}
