//! Rounds of CPU lanes.

mod device;

pub(crate) use device::{measured, round, task, MACHINE, SEGMENTS, WINDOW_MICROS};

use crate::{
	chance::{mean, miss},
	committee::{self, said, Outcomes, Round, COMMITTEE},
	money::{self, LeftOut},
	rows,
};
use armature_primitives::challenge::{ChallengeFailure, Measured, Verdict};
use device::{Answer, Device, CPU, SAMPLES};
use rand::{rngs::StdRng, SeedableRng};

/// What an honest device's round takes, with half of what verifiers see later.
pub(crate) const HONEST_MILLIS: f64 = 12_200.0;

const DEVICES: [(&str, Device, u32); 10] = [
	("honest", Device::Honest, 0),
	("skips 1 %", Device::Skips(1), 2),
	("skips 5 %", Device::Skips(5), 10),
	("skips 10 %", Device::Skips(10), 20),
	("skips 33 %", Device::Skips(33), 66),
	("computes both parts of a lane at once", Device::Parts, 72),
	("computed before", Device::Precomputed, SEGMENTS),
	("another device's answer", Device::Replays, SEGMENTS),
	("garbage", Device::Garbage, SEGMENTS),
	("late", Device::Late, SEGMENTS),
];

#[derive(Default)]
struct Tally {
	outcomes: Outcomes,
	millis: u64,
}

/// How much of an honest device's speed stands.
pub(crate) fn figure(measured: Measured) -> Option<f64> {
	Some(HONEST_MILLIS / f64::from(measured.elapsed_millis()))
}

fn play(device: Device, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(1);
	let mut tally = Tally::default();
	for _ in 0..rounds {
		let task = task(&mut rng);
		let mut answer = Answer::new(device, &task, &mut rng);
		let root = answer.root();
		let verdicts = [(); COMMITTEE].map(|()| verdict(&mut answer, root, &mut rng));
		let result = tally.outcomes.enter(&verdicts, figure);
		if let Some(measured) = committee::median(&verdicts) {
			tally.millis += u64::from(measured.elapsed_millis());
		}
		let unit = MACHINE.unit_micros as f64 / 1e6 / f64::from(CPU.lanes);
		let spared = f64::from(answer.spared) * unit;
		tally.outcomes.books.enter(result, spared, LeftOut::default());
	}
	tally
}

/// What a verifier says, for whom there is no answer after the window.
fn verdict(answer: &mut Answer, root: armature_primitives::H256, rng: &mut StdRng) -> Verdict {
	if answer.micros > WINDOW_MICROS {
		return Verdict::Failed { reason: ChallengeFailure::NoAnswer };
	}
	let measured = answer.measured(rng);
	said(answer.look(root, rng), measured, root)
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	line(format!(
		"{rounds} rounds of lanes each, {COMMITTEE} verifiers, {SAMPLES} samples of {SEGMENTS} segments, \
		 not put back"
	));
	line(String::new());
	line(format!(
		"| device | {} | measured, s | {} |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|",
		committee::HEAD,
		money::HEAD
	));
	rows(&DEVICES, |(name, device, wrong)| {
		let Tally { outcomes, millis } = play(*device, rounds);
		let passes = outcomes.passes();
		let seconds = match passes {
			0 => "-".to_string(),
			_ => format!("{:.1}", mean(millis as f64 / 1e3, passes)),
		};
		format!(
			"| {name:<37} | {} | {seconds:>5} | {} |",
			outcomes.columns(1.0 - miss(SEGMENTS, *wrong, SAMPLES)),
			outcomes.books.columns(),
		)
	})
	.into_iter()
	.for_each(line);
}
