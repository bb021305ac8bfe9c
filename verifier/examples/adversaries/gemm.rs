//! Rounds of products.

mod answer;

pub(crate) use answer::{measured, round, HONEST_MILLIS};

use crate::{
	chance::{mean, miss},
	committee::{self, Outcomes, Round, COMMITTEE},
	money::{self, LeftOut},
	rows,
};
use answer::{Answer, Device, ENTRIES, GEMM, ROWS, SAMPLES};
use armature_primitives::challenge::Measured;
use rand::{rngs::StdRng, SeedableRng};

/// What the chain adds to the time of products: `head_start_millis`.
const HEAD_START_MILLIS: f64 = 1_000.0;

/// Rounds in which all entries are looked at, for the formula.
const COUNTED: u32 = 20;

const DEVICES: [(&str, Device); 13] = [
	("honest", Device::Honest),
	("makes up 1 % of its entries", Device::MakesUp(1)),
	("makes up 5 %", Device::MakesUp(5)),
	("makes up 10 %", Device::MakesUp(10)),
	("makes up 33 %", Device::MakesUp(33)),
	("states of low rank", Device::LowRank),
	("states of Hankel's form", Device::Hankel),
	("states of another seed", Device::OtherSeed),
	("another device's states", Device::Foreign),
	("garbage", Device::Garbage),
	("late", Device::Late),
	("leaves out 10 % of all rows", Device::LeavesOut(10)),
	("leaves out 33 % of all rows", Device::LeavesOut(33)),
];

#[derive(Default)]
struct Tally {
	outcomes: Outcomes,
	/// In the first [`COUNTED`] rounds.
	wrong: u32,
	made_again: u64,
}

/// How much of an honest device's speed stands.
pub(crate) fn figure(measured: Measured) -> Option<f64> {
	let honest = f64::from(HONEST_MILLIS) + 200.0 + HEAD_START_MILLIS;
	Some(honest / (f64::from(measured.elapsed_millis()) + HEAD_START_MILLIS))
}

fn play(device: Device, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(3);
	let mut tally = Tally::default();
	for number in 0..rounds {
		let mut answer = Answer::new(device, &mut rng);
		if number < COUNTED {
			tally.wrong += answer.wrong();
		}
		let root = answer.root();
		let verdicts = [(); COMMITTEE].map(|()| answer.verdict(root, &mut rng));
		let result = tally.outcomes.enter(&verdicts, figure);
		tally.made_again += u64::from(answer.made_again());
		let accelerator = match device {
			Device::LeavesOut(share) => f64::from(share) / 100.0,
			_ => 0.0,
		};
		let left_out = LeftOut { accelerator, ..LeftOut::default() };
		let spared = answer.spared() * f64::from(HONEST_MILLIS) / 1e3;
		tally.outcomes.books.enter(result, spared, left_out);
	}
	tally
}

fn row(name: &str, device: Device, tally: &Tally, rounds: u32) -> String {
	let counted = rounds.clamp(1, COUNTED);
	let wrong = (tally.wrong + counted / 2) / counted;
	let formula = match device {
		// Of the window of step `t` `t - 1` states are made.
		Device::LeavesOut(share) => {
			f64::from(share) / 100.0 * f64::from(GEMM.states - 1) / f64::from(2 * GEMM.states)
		},
		_ => 0.0,
	};
	format!(
		"| {name:<27} | {wrong:>4} | {} | {:>5.1} % | {:>5.1} % | {} |",
		tally.outcomes.columns(1.0 - miss(ENTRIES, wrong, SAMPLES)),
		mean(tally.made_again as f64, rounds) / f64::from(ROWS) * 100.0,
		formula * 100.0,
		tally.outcomes.books.columns(),
	)
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	line(format!(
		"{rounds} rounds of products each, {COMMITTEE} verifiers, {SAMPLES} samples of {ENTRIES} \
		 entries, not put back; rows to be made again are those that columns choose, and not what \
		 these need in their turn"
	));
	line(String::new());
	line(format!(
		"| device | wrong entries | {} | rows made again, at least | formula | {} |\n\
		 |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
		committee::HEAD,
		money::HEAD
	));
	let row = |(name, device): &(&str, Device)| row(name, *device, &play(*device, rounds), rounds);
	rows(&DEVICES, row).into_iter().for_each(line);
}
