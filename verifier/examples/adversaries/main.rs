//! Plays 1,000 rounds against each kind of cheat with the code that devices, verifiers and chain run, and
//! prints how often it was found beside what the formulas say, and what it won or lost.
//!
//! `./scripts/bench.sh adversaries [ROUNDS [TABLE]]`, or `cargo run --release -p armature-verifier --example
//! adversaries [ROUNDS [TABLE]]`, with one of the tables lanes, memory, gemm, storage, network, shared,
//! forward, colluders, copying and planted, or all. Seeds are fixed: each run prints the same. What is
//! assumed about money is in [`money`], and nowhere else.
//!
//! In rounds of all kinds a device skips 1, 5, 10 and 33 % of its work, answers with what it computed before or
//! what another device computed, with garbage, or late. What is found depends on the share of wrong parts and
//! on the number of samples, not on the size, so that tasks are small; how many are wrong is counted with the
//! checks themselves, or known. The formula is the exact one for samples that are not put back; with as many
//! parts as devices have it becomes `1 - (1 - f)^k`.
//!
//! Lanes: two of 100 segments. Times are those of a machine of two processors that runs 120 ms a segment,
//! unit by unit ([`machine`]).
//!
//! Memory: two lanes of 200 blocks, filled anew in each round, and for each verifier a walk of 64 segments
//! of four reads in each lane. What it costs to fill missing blocks again is counted: compressions for each
//! read. Times are made of that count, not measured: 0.5 µs a read with its hash, 0.5 µs a compression with
//! its sources, a walk of a million reads, 10 to 60 ms to the verifier and back. For blocks left out by lot
//! the formula is a bound at any size, and there is none from a seventh on: there, and for blocks left out at
//! the end of a lane, the cost grows with the lane.
//!
//! Products: five states of 20 rows. Two of the devices leave out a share of all rows, and make those again
//! that a column chooses.
//!
//! Storage: three sectors of 1,000 blocks, sealed anew every fifty rounds. Blocks that are made up are found
//! only where they are filled again; those that are left out are made again when they are asked for, and
//! found where that takes longer than the deadline. Blocks made again are counted, each once for a request.
//! Times are made of that count: sectors of 2^20 blocks with 256 compressions of 0.4 µs, so 0.1 ms a block and
//! 107 s a sector; two reads of 8 ms for each of the 24 blocks, and 50 ms of way. Late is who takes five
//! seconds for filling alone, as if disk and way took no time. Whoever makes blocks again and would be late
//! breaks the connection, and gets one other draw, so that its formula is squared.
//!
//! Blocks left out by lot or by choice take little more in larger sectors, and are made one after the other.
//! At the end of a larger sector the same share is late: it takes as many more; sectors are filled at once
//! there, so that the longest chain counts. Who fills since the round's block has ten seconds before the
//! commitment, two before a draw that it breaks, seven to the next one and five after that, 22.35 % of each
//! sector, with a core and a GiB of memory for each; what it fills before counts among the blocks made again only
//! where it is asked for. Who is away for longer has answered no draw. Layers of 128 blocks with
//! segments of 16 are made again in chains that are short enough, which takes many processors at once: time is
//! that of the longest chain, whatever is made beside it. Of small sectors they leave out less than of large
//! ones, which the line below the table is about, played with no bytes.
//!
//! Ways to verifiers: echoes with real signatures, and small chunks. Of five verifiers one or two say other
//! rates or round trips than they have measured.
//!
//! One machine behind several identities, of one owner or of two ([`shared`]); work that is forwarded over a
//! link ([`forward`]). Verifiers' cheats: two of five that collude in rounds of each kind ([`colluders`]); one
//! that copies ([`copying`]), which does not depend on the kind; two that never look, and answers planted for
//! them ([`planted`]), one round of a hundred. Whoever has less than half of its bond left is on no committee
//! any more; others take its place.

mod chance;
mod colluders;
mod committee;
mod copying;
mod forward;
mod gemm;
mod lanes;
mod machine;
mod memory;
mod money;
mod network;
mod planted;
mod shared;
mod storage;

use std::{
	io::Write,
	sync::atomic::{AtomicUsize, Ordering},
	thread,
	time::Instant,
};

/// What `of` makes of each of `all`, in their order, on as many threads as there are processors.
fn rows<T: Sync, R: Send>(all: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
	let next = AtomicUsize::new(0);
	let work = || {
		let mut done = Vec::new();
		while let Some((at, one)) = {
			let at = next.fetch_add(1, Ordering::Relaxed);
			all.get(at).map(|one| (at, one))
		} {
			done.push((at, of(one)));
		}
		done
	};
	let threads = thread::available_parallelism().map_or(1, usize::from);
	let mut done: Vec<(usize, R)> = thread::scope(|scope| {
		let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
		let join = |worker: thread::ScopedJoinHandle<'_, Vec<(usize, R)>>| {
			worker.join().expect("all rows are played")
		};
		workers.into_iter().flat_map(join).collect()
	});
	done.sort_by_key(|(at, _)| *at);
	done.into_iter().map(|(_, one)| one).collect()
}

/// Prints a table of so many rounds.
type Print = fn(u32, &mut dyn FnMut(String));

const TABLES: [(&str, Print); 10] = [
	("lanes", lanes::print),
	("memory", memory::print),
	("gemm", gemm::print),
	("storage", storage::print),
	("network", network::print),
	("shared", shared::print),
	("forward", forward::print),
	("colluders", colluders::print),
	("copying", copying::print),
	("planted", planted::print),
];

/// What was asked for is not there.
fn usage() -> ! {
	let names: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
	eprintln!("Usage: adversaries [ROUNDS [TABLE]]\nTables: {}", names.join(", "));
	std::process::exit(2)
}

fn main() {
	let mut arguments = std::env::args().skip(1);
	let rounds = match arguments.next() {
		None => 1_000,
		Some(rounds) => rounds.parse().ok().filter(|rounds| *rounds > 0).unwrap_or_else(|| usage()),
	};
	let wanted = arguments.next();
	let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
	if arguments.next().is_some() || !TABLES.iter().any(|(name, _)| is_wanted(name)) {
		usage();
	}
	let mut out = std::io::stdout().lock();
	let mut line = |text: String| writeln!(out, "{text}").expect("standard output is open");
	for (name, print) in TABLES.iter().filter(|(name, _)| is_wanted(name)) {
		let started = Instant::now();
		print(rounds, &mut line);
		line(String::new());
		eprintln!("{name}: {} s", started.elapsed().as_secs());
	}
}
