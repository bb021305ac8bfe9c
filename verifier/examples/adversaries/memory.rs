//! Rounds of memory.

mod answer;
mod device;

pub(crate) use answer::{measured, round, READ_NANOS};

use crate::{
	chance::{mean, miss},
	committee::{self, said, Outcomes, Round, COMMITTEE},
	money::{self, LeftOut},
	rows,
};
use answer::{Answer, Device, BLOCK_SAMPLES, FILL_MILLIS, SEGMENTS, SEGMENT_SAMPLES};
use armature_primitives::challenge::Measured;
use device::{BLOCKS, FILL, WALK};
use rand::{rngs::StdRng, SeedableRng};

/// Memory of which a read takes longer is none: the round fails.
const MAX_READ_NANOS: u32 = 5_000;

/// What a read of an honest device takes, with half of the ways to verifiers.
const HONEST_NANOS: f64 = 534.0;

const DEVICES: [(&str, Device); 18] = [
	("honest", Device::Honest),
	("makes up 1 % of its blocks", Device::MakesUp(1)),
	("makes up 5 %", Device::MakesUp(5)),
	("makes up 10 %", Device::MakesUp(10)),
	("makes up 33 %", Device::MakesUp(33)),
	("walks both halves of a lane at once", Device::Halves),
	("memory of another seed", Device::OtherSeed),
	("another device's memory", Device::Foreign),
	("one lane in the place of all", Device::OneLane),
	("garbage", Device::Garbage),
	("late", Device::Late),
	("leaves out 5 %, by lot", Device::LeavesOutByLot(5)),
	("leaves out 10 %, by lot", Device::LeavesOutByLot(10)),
	("leaves out 20 %, by lot", Device::LeavesOutByLot(20)),
	("leaves out what takes one compression", Device::LeavesOutByGraph),
	("leaves out the last 5 % of each lane", Device::LeavesOutEnds(5)),
	("leaves out the last 10 %", Device::LeavesOutEnds(10)),
	("leaves out the last 20 %", Device::LeavesOutEnds(20)),
];

#[derive(Default)]
struct Tally {
	outcomes: Outcomes,
	/// Blocks and segments, in the first round.
	wrong: (u32, u32),
	left_out: u64,
	compressions: u64,
	nanos: u64,
}

/// How much of an honest device's memory stands, and what a read takes.
pub(crate) fn figure(measured: Measured) -> Option<f64> {
	match measured {
		Measured::Memory { read_nanos, .. } if read_nanos <= MAX_READ_NANOS => {
			Some(HONEST_NANOS / f64::from(read_nanos))
		},
		_ => None,
	}
}

fn play(device: Device, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(2);
	let mut tally = Tally::default();
	for round in 0..rounds {
		let answer = Answer::new(device, &mut rng);
		let mut verdicts = Vec::new();
		for seat in 0..COMMITTEE {
			let walked = answer.walk(&mut rng);
			if round == 0 && seat == 0 {
				tally.wrong = answer.wrong(&walked);
			}
			tally.compressions += walked.compressions;
			let measured = answer.measured_of(&walked, &mut rng);
			let looked = answer.look_at(&walked, &walked.walk, &mut rng);
			verdicts.push(said(looked, measured, answer.root()));
		}
		let result = tally.outcomes.enter(&verdicts, |measured| {
			let figure = figure(measured)?;
			tally.nanos += (HONEST_NANOS / figure) as u64;
			Some(figure)
		});
		let left_out = answer.memory.left_out();
		tally.left_out += u64::from(left_out);
		let (fill, memory) = device.spared(f64::from(left_out) / f64::from(BLOCKS));
		let spared = fill * f64::from(FILL_MILLIS) / 1e3;
		tally
			.outcomes
			.books
			.enter(result, spared, LeftOut { memory, ..LeftOut::default() });
	}
	tally
}

fn row(name: &str, device: Device, tally: &Tally, rounds: u32) -> String {
	let (blocks, segments) = tally.wrong;
	let missed = miss(BLOCKS, blocks, BLOCK_SAMPLES) * miss(SEGMENTS, segments, SEGMENT_SAMPLES);
	let outcomes = &tally.outcomes;
	let reads = u64::from(outcomes.looks().max(1)) * WALK.reads(&FILL);
	let left_out = mean(tally.left_out as f64, rounds) / f64::from(BLOCKS);
	let formula = device.compressions(left_out);
	let bound = if matches!(device, Device::LeavesOutByLot(_)) { "≤ " } else { "" };
	let passes = outcomes.passes();
	let micros = match passes {
		0 => "-".to_string(),
		_ => format!("{:.2}", mean(tally.nanos as f64 / 1e3, passes)),
	};
	format!(
		"| {name:<37} | {blocks:>3} | {segments:>3} | {} | {:>5.1} % | {:>6.3} | {:>7} | {micros:>5} | {} |",
		outcomes.columns(1.0 - missed),
		left_out * 100.0,
		tally.compressions as f64 / reads as f64,
		formula.map_or("-".to_string(), |formula| format!("{bound}{formula:.3}")),
		outcomes.books.columns(),
	)
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	line(format!(
		"{rounds} rounds of memory each, {COMMITTEE} verifiers, {BLOCK_SAMPLES} samples of \
		 {BLOCKS} blocks and {SEGMENT_SAMPLES} of {SEGMENTS} segments, not put back"
	));
	line(String::new());
	line(format!(
		"| device | wrong blocks | wrong segments | {} | left out | compressions a read | formula | a \
		 read, µs | {} |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
		committee::HEAD,
		money::HEAD
	));
	let row = |(name, device): &(&str, Device)| row(name, *device, &play(*device, rounds), rounds);
	rows(&DEVICES, row).into_iter().for_each(line);
}
