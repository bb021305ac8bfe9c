//! Rounds of storage.

mod answer;
mod device;
mod graph;

pub(crate) use answer::{round, sealed};

use crate::{
	chance::{mean, miss, percent},
	committee::{self, said, Outcomes, Round, COMMITTEE},
	money, rows,
};
use answer::{Answer, Device, BLOCK_NANOS, LONGEST_CHAIN, READ_SAMPLES, SEALED_SAMPLES};
use armature_primitives::{challenge::Verdict, H256};
use armature_verifier::challenge::storage::DEFAULT_SECTOR_BLOCKS;
use device::{BLOCKS, SECTOR, SECTORS};
use graph::Graph;
use rand::{rngs::StdRng, seq::index, Rng, SeedableRng};
use std::{collections::BTreeSet, rc::Rc};

/// Rounds for which a device seals once; then there is another chain.
const ROUNDS_A_SEAL: u32 = 50;

const DEVICES: [(&str, Device); 22] = [
	("honest", Device::Honest),
	("makes up 1 % of its blocks", Device::MakesUp(1)),
	("makes up 5 %", Device::MakesUp(5)),
	("makes up 10 %", Device::MakesUp(10)),
	("makes up 33 %", Device::MakesUp(33)),
	("another device's sectors", Device::Foreign),
	("sectors of another chain", Device::OtherChain),
	("one sector in the place of all", Device::OneSector),
	("garbage", Device::Garbage),
	("late", Device::Late),
	("another round's answer", Device::OtherRound),
	("leaves out 5 %, by lot", Device::LeavesOutByLot(5)),
	("leaves out 10 %, by lot", Device::LeavesOutByLot(10)),
	("leaves out the last 5 % of each sector", Device::LeavesOutEnds(5)),
	("leaves out the last 10 %", Device::LeavesOutEnds(10)),
	("leaves out the last 33 %", Device::LeavesOutEnds(33)),
	("the last 15 %, filled since the block", Device::FillsEnds(15)),
	("the last 22 %, filled since the block", Device::FillsEnds(22)),
	("the last 30 %, filled since the block", Device::FillsEnds(30)),
	("commits, and is away until all is filled", Device::StaysAway),
	("leaves out what takes up to 30 blocks", Device::LeavesOutChosen),
	("leaves out by layers and segments", Device::LeavesOutLayers),
];

#[derive(Default)]
struct Tally {
	outcomes: Outcomes,
	/// In the first round.
	wrong: (u32, u32),
	left_out: u64,
	longest_chain: u32,
	made: u64,
	micros: u64,
}

fn play(device: Device, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(4);
	let mut tally = Tally::default();
	let mut genesis = H256(rng.gen());
	let mut sealed = Rc::new(device.sealed(&genesis, &mut rng));
	for number in 0..rounds {
		if number > 0 && number % ROUNDS_A_SEAL == 0 {
			genesis = H256(rng.gen());
			sealed = Rc::new(device.sealed(&genesis, &mut rng));
		}
		let answer = Answer::new(device, genesis, sealed.clone(), &mut rng);
		if number == 0 {
			tally.wrong = answer.wrong();
		}
		let left_out = sealed.left_out();
		tally.left_out += u64::from(left_out);
		tally.longest_chain = tally.longest_chain.max(sealed.longest_chain());
		let made = tally.made;
		let verdicts = [(); COMMITTEE].map(|()| verdict(device, &answer, &mut tally, &mut rng));
		let result = tally.outcomes.enter(&verdicts, |_| Some(1.0));
		let spared = device.spared(f64::from(left_out) / f64::from(BLOCKS));
		tally.outcomes.books.enter(result, 0.0, spared);
		let made = (tally.made - made) as f64;
		tally.outcomes.books.take_core_seconds(made * BLOCK_NANOS as f64 / 1e9);
	}
	tally
}

/// What a verifier says.
fn verdict(device: Device, answer: &Answer, tally: &mut Tally, rng: &mut StdRng) -> Verdict {
	let (wanted, again) = answer.draw(rng);
	let micros = device.read_micros(again);
	tally.made += device.on_chain(again.blocks as u64);
	tally.micros += micros;
	let looked = answer.look_at(answer.root(), &wanted, again, rng);
	said(looked, answer::measured(micros), answer.root())
}

fn row(name: &str, device: Device, tally: &Tally, rounds: u32) -> String {
	let (read, sealed) = tally.wrong;
	let late = 1.0 - miss(BLOCKS, read, READ_SAMPLES);
	let draws = device.draws() as i32;
	let missed = (1.0 - late.powi(draws)) * miss(BLOCKS, sealed, SEALED_SAMPLES);
	let of_looks = |sum: u64| mean(sum as f64, tally.outcomes.looks());
	let chain = device.has_chains().then(|| percent(tally.longest_chain, SECTOR.blocks));
	format!(
		"| {name:<38} | {} | {:>4.1} % | {:>7} | {:>8.2} | {:>5.2} | {:>5.0} | {} |",
		tally.outcomes.columns(1.0 - missed),
		mean(tally.left_out as f64, rounds) / f64::from(BLOCKS) * 100.0,
		chain.map_or("-".to_string(), |chain| format!("{chain:.2} %")),
		of_looks(tally.made) / f64::from(READ_SAMPLES),
		of_looks(tally.micros) / 1e6,
		device.spared(0.0).cores,
		tally.outcomes.books.columns(),
	)
}

/// What layers and segments leave out of a sector as large as on chain, where there are parents farther
/// off.
fn layers_on_chain() -> String {
	let mut rng = StdRng::seed_from_u64(5);
	let mut graph = Graph::drawn(DEFAULT_SECTOR_BLOCKS, &mut rng);
	graph.leave_out_layers(LONGEST_CHAIN as u32);
	let mut made = BTreeSet::new();
	for at in index::sample(&mut rng, DEFAULT_SECTOR_BLOCKS as usize, READ_SAMPLES as usize) {
		graph.make(at as u32, usize::MAX, &mut made);
	}
	format!(
		"by layers and segments, in a sector of {DEFAULT_SECTOR_BLOCKS} blocks: {:.1} % left out, the \
		 longest chain {:.2} %, made again for {READ_SAMPLES} blocks {}",
		percent(graph.left_out(), DEFAULT_SECTOR_BLOCKS),
		percent(graph.longest_chain(), DEFAULT_SECTOR_BLOCKS),
		made.len(),
	)
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	line(format!(
		"{rounds} rounds of storage each, {COMMITTEE} verifiers, {READ_SAMPLES} and {SEALED_SAMPLES} \
		 samples of {BLOCKS} blocks in {SECTORS} sectors, not put back"
	));
	line(String::new());
	line(format!(
		"| device | {} | left out | longest chain | made again for each block read, on chain | 24 \
		 blocks, on chain, s | cores at hand | {} |\n\
		 |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
		committee::HEAD,
		money::HEAD
	));
	let row = |(name, device): &(&str, Device)| row(name, *device, &play(*device, rounds), rounds);
	rows(&DEVICES, row).into_iter().for_each(&mut *line);
	line(String::new());
	line(layers_on_chain());
}
