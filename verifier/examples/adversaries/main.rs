//! Plays 1,000 rounds against each kind of cheat with the code that devices, verifiers and chain run, and
//! prints how often it was found beside what the formulas say, and what it won or lost.
//!
//! `cargo run --release -p armature-verifier --example adversaries [ROUNDS [TABLE]]`, with one of the tables
//! lanes, memory, gemm, storage, planted and network, or all.
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
//! Storage: three sectors of 1,024 blocks, sealed anew every fifty rounds. Which blocks are refused or late
//! is counted as for memory, and the formula is the same. Those that are made up are found only where they
//! are filled again; those that are left out are made again when they are asked for, and found where that
//! takes longer than the deadline. Blocks made again are counted, each once for a request. Times are made of
//! that count: sectors of 2^20 blocks with 256 compressions of 0.4 µs, so 0.1 ms a block and 107 s a sector;
//! two reads of 8 ms for each of the 24 blocks, and 50 ms of way. Late is who takes five seconds for filling
//! alone, as if disk and way took no time. Whoever makes blocks again and would be late breaks the connection,
//! and gets one other draw, so that its formula is squared.
//!
//! Blocks left out by lot or by choice take little more in larger sectors, and are made one after the other.
//! At the end of a larger sector the same share is late: it takes as many more; sectors are filled at once
//! there, so that the longest chain counts. Who fills since the round's block has ten seconds before the
//! commitment and five after it, 13.97 % of each sector, with a core and a GiB of memory for each; what it fills
//! before counts among the blocks made again only where it is asked for. Layers of 128 blocks with segments of
//! 16 are made again in chains that are short enough, which takes many processors at once: time is that of the
//! longest chain, whatever is made beside it. Of small sectors they leave out less than of large ones, which
//! the line below the table is about, played with no bytes.
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
mod storage;

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
	let tables: [(&str, Print<'_>); 6] = [
		("lanes", &|rounds, mut line| lanes::print(rounds, &mut line)),
		("memory", &|rounds, mut line| memory::print(rounds, &mut line)),
		("gemm", &|rounds, mut line| gemm::print(rounds, &mut line)),
		("storage", &|rounds, mut line| storage::print(rounds, &mut line)),
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
