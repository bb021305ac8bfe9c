//! Liars in rounds about the way to verifiers.
//!
//! A device of 100 Mbit/s shares it out to five verifiers, whose ways to it differ by a fifth, and two of
//! them lie. What stands is held beside the truth and beside the sum without the largest, which is what a
//! committee could do otherwise. A liar that the others' median shows up is not paid.

use crate::{passed, COMMITTEE};
use armature_primitives::{
	challenge::{Measured, Verdict},
	H256,
};
use armature_verifier::challenge::{
	network::together,
	verdict::{conclude, Conclusion, Standing},
};
use rand::{rngs::StdRng, Rng, SeedableRng};

/// What all verifiers together could move, in kilobits per second.
const CONNECTION: u32 = 100_000;

/// Verifiers that lie.
const LIARS: usize = 2;

/// What a liar says instead of what it measured.
#[derive(Clone, Copy)]
enum Lie {
	None,
	Times(u32),
	Part(u32),
	Most,
}

impl Lie {
	fn of(self, rate: u32) -> u32 {
		match self {
			Lie::None => rate,
			Lie::Times(factor) => rate.saturating_mul(factor),
			Lie::Part(divisor) => (rate / divisor).max(1),
			Lie::Most => u32::MAX,
		}
	}
}

const LIES: [(&str, Lie); 6] = [
	("nobody lies", Lie::None),
	("two say twice as much", Lie::Times(2)),
	("two say ten times as much", Lie::Times(10)),
	("two say all that there is", Lie::Most),
	("two say half", Lie::Part(2)),
	("two say a hundredth", Lie::Part(100)),
];

/// Mean percent of the connection: what stands, and what the sum without the largest would be; and how
/// often a liar was not paid.
fn play(rounds: u32, lie: Lie, rng: &mut StdRng) -> (f64, f64, f64) {
	let (mut stands, mut otherwise, mut unpaid) = (0.0, 0.0, 0u32);
	for _ in 0..rounds {
		let shares: Vec<u32> = (0..COMMITTEE).map(|_| rng.gen_range(90..=110)).collect();
		let sum: u32 = shares.iter().sum();
		let said: Vec<u32> = shares
			.iter()
			.enumerate()
			.map(|(seat, share)| {
				let rate = CONNECTION / sum * share;
				if seat < LIARS {
					lie.of(rate)
				} else {
					rate
				}
			})
			.collect();
		let verdicts: Vec<Verdict> = said
			.iter()
			.map(|rate| {
				let measured = Measured::Network {
					answer_millis: 200,
					round_trip_micros: rng.gen_range(5_000..50_000),
					up_kbps: *rate,
					down_kbps: *rate,
				};
				passed(measured, H256::zero())
			})
			.collect();
		let (conclusion, standings) = conclude(&verdicts, COMMITTEE);
		assert!(matches!(conclusion, Conclusion::Passed { .. }));
		let percent = |kbps: u64| kbps as f64 * 100.0 / f64::from(CONNECTION);
		stands += percent(together(&said).into());
		let all: u64 = said.iter().map(|rate| u64::from(*rate)).sum();
		let largest = said.iter().max().copied().unwrap_or_default();
		otherwise += percent(all - u64::from(largest));
		let liars = standings.iter().take(LIARS);
		unpaid += liars.filter(|standing| **standing == Standing::Differs).count() as u32;
	}
	let mean = |sum: f64| sum / f64::from(rounds.max(1));
	let share = f64::from(unpaid) * 100.0 / f64::from(rounds.max(1) * LIARS as u32);
	(mean(stands), mean(otherwise), share)
}

/// Prints a row for each lie.
pub(crate) fn print(rounds: u32, line: &mut impl FnMut(String)) {
	line(
		"| of five verifiers | stands, % of the connection | sum without the largest, % | liars not \
		 paid |\n|---|---:|---:|---:|"
			.into(),
	);
	let mut rng = StdRng::seed_from_u64(13);
	for (name, lie) in LIES {
		let (stands, otherwise, unpaid) = play(rounds, lie, &mut rng);
		line(format!("| {name} | {stands:.1} | {otherwise:.1} | {unpaid:.0} % |"));
	}
}
