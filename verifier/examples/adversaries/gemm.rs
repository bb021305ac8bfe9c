//! Rounds of products.

use crate::{
	chance::{majority, miss, percent},
	COMMITTEE,
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, GemmChallenge, Measured, Verdict, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::{
	gemm::{
		check_entry, committed, dot, keep, masked, round_nonce, sample_entries, Backend,
		EntryOpening, Factor, GemmProver, GemmRound, GemmTask, HostStates,
	},
	verdict::{conclude, Conclusion},
};
use codec::{DecodeAll, Encode};
use rand::{rngs::StdRng, Rng, RngCore, SeedableRng};
use std::{convert::Infallible, thread};

const GEMM: GemmChallenge = GemmChallenge { side: 24, states: 6 };

/// Entries of all states.
const ENTRIES: u32 = GEMM.side * GEMM.side * GEMM.states;

/// Entries that a verifier looks at.
const SAMPLES: u32 = 24;

/// Rounds in which all entries are looked at, for the formula.
const COUNTED: u32 = 50;

const ELAPSED_MILLIS: u32 = 12_000;

/// What a device does instead of the work.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Device {
	Honest,
	/// Makes up so many of a thousand entries.
	MakesUp(u32),
	/// Every row of a state is the same.
	LowRank,
	/// Every state is one of the sums of row and column.
	Hankel,
	/// Answers with states that it computed for another seed.
	OtherSeed,
	/// Answers with another device's states.
	Foreign,
	/// Opens with bytes.
	Garbage,
	/// Keeps all but so many of a thousand rows, and makes those again when a column chooses them.
	LeavesOut(u32),
}

const DEVICES: [(&str, Device); 12] = [
	("honest", Device::Honest),
	("makes up 1 % of its entries", Device::MakesUp(10)),
	("makes up 5 %", Device::MakesUp(50)),
	("makes up 10 %", Device::MakesUp(100)),
	("makes up 33 %", Device::MakesUp(330)),
	("states of low rank", Device::LowRank),
	("states of Hankel's form", Device::Hankel),
	("states of another seed", Device::OtherSeed),
	("another device's states", Device::Foreign),
	("garbage", Device::Garbage),
	("leaves out 10 % of all rows", Device::LeavesOut(100)),
	("leaves out 33 % of all rows", Device::LeavesOut(330)),
];

/// Multiplies as a device does.
struct Cheat {
	device: Device,
	states: HostStates,
	rng: StdRng,
	/// Rows that a column chose, and that are not there.
	missing: u64,
}

impl Cheat {
	/// What a device has in the place of an entry.
	fn entry(&mut self, row: u32, column: u32, form: u8, right: impl FnOnce() -> u8) -> u8 {
		match self.device {
			Device::LowRank => form.wrapping_mul(column as u8),
			Device::Hankel => form.wrapping_mul((row + column) as u8),
			Device::MakesUp(share) if self.rng.gen_range(0..1_000) < share => self.rng.gen(),
			_ => right(),
		}
	}
}

impl Backend for Cheat {
	type Error = Infallible;

	fn begin(&mut self, task: &GemmTask) -> Result<(), Infallible> {
		self.states = HostStates::first(task);
		Ok(())
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, Infallible> {
		let side = task.size.side;
		let form = self.rng.gen::<u8>() | 1;
		if let Device::LeavesOut(share) = self.device {
			for _ in back.iter().filter(|back| **back < step - 1) {
				self.missing += u64::from(self.rng.gen_range(0..1_000) < share);
			}
		}
		let of = |factor, back, row| {
			let source = self.states.before(back, row).expect("within the window");
			masked(factor, task, step, row, &source)
		};
		let rights: Vec<_> =
			(0u32..).zip(back).map(|(at, back)| of(Factor::Right, *back, at)).collect();
		let lefts: Vec<_> = (0..side).map(|row| of(Factor::Left, 0, row)).collect();
		let mut state = Vec::new();
		for (row, left) in (0u32..).zip(&lefts) {
			for (column, right) in (0u32..).zip(&rights) {
				state.push(self.entry(row, column, form, || keep(dot(left, right))));
			}
		}
		Ok(self.states.push(state))
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Infallible> {
		Ok(self.states.after(step, row).map(<[u8]>::to_vec))
	}
}

/// A task of device 7.
fn task(rng: &mut StdRng) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DeviceId(7),
		seed: H256(rng.gen()),
		work: Work::Gemm(GEMM),
		deadline: 1,
	}
}

/// What a device has computed for a task, and its root.
fn computed(
	device: Device,
	task: &ChallengeTask,
	rng: &mut StdRng,
) -> (GemmProver<Cheat>, GemmRound) {
	let own = GemmTask::of_round(task).expect("of this kind");
	let products = match device {
		Device::OtherSeed => GemmTask { seed: H256(rng.gen()), ..own },
		Device::Foreign => GemmTask { device: DeviceId(8), ..own },
		_ => own,
	};
	let states = HostStates::first(&products);
	let cheat = Cheat { device, states, rng: StdRng::from_rng(rng).expect("seeded"), missing: 0 };
	let mut prover = GemmProver::begin(products, cheat).expect("in bounds");
	let root = prover.round(round_nonce(task)).expect("computed");
	(prover, committed(task, root))
}

/// The encoded openings that a verifier gets.
fn opened(
	device: Device,
	prover: &mut GemmProver<Cheat>,
	wanted: &[(u32, u32, u32)],
	rng: &mut StdRng,
) -> Vec<u8> {
	if device == Device::Garbage {
		let mut bytes = vec![0; 4_096];
		rng.fill_bytes(&mut bytes);
		return bytes;
	}
	let open = |(step, row, column): &(u32, u32, u32)| prover.open(*step, *row, *column);
	let openings: Vec<_> = wanted.iter().map(open).collect::<Result<_, _>>().expect("kept");
	openings.encode()
}

/// What a verifier finds in the entries that it draws.
fn look(
	device: Device,
	task: &ChallengeTask,
	prover: &mut GemmProver<Cheat>,
	round: &GemmRound,
	rng: &mut StdRng,
) -> Result<(), ChallengeFailure> {
	let products = GemmTask::of_round(task).expect("of this kind");
	let drawn = sample_entries(&H256(rng.gen()), &products, 0, round, SAMPLES);
	let wanted = drawn.expect("a valid task");
	let bytes = opened(device, prover, &wanted, rng);
	let openings = Vec::<EntryOpening>::decode_all(&mut bytes.as_slice());
	let openings = openings.map_err(|_| ChallengeFailure::Malformed)?;
	let places = openings.iter().map(|opening| (opening.step, opening.row, opening.column));
	if !places.eq(wanted) {
		return Err(ChallengeFailure::Malformed);
	}
	openings
		.iter()
		.try_for_each(|opening| check_entry(&products, &[*round], opening))
}

/// All entries that the check refuses.
fn wrong(
	device: Device,
	task: &ChallengeTask,
	prover: &mut GemmProver<Cheat>,
	round: &GemmRound,
) -> u32 {
	if device == Device::Garbage {
		return ENTRIES;
	}
	let products = GemmTask::of_round(task).expect("of this kind");
	let all = sample_entries(&H256::zero(), &products, 0, round, ENTRIES).expect("a valid task");
	let is_wrong = |(step, row, column): &(u32, u32, u32)| {
		let opening = prover.open(*step, *row, *column).expect("kept");
		check_entry(&products, &[*round], &opening).is_err()
	};
	u32::try_from(all.iter().map(is_wrong).filter(|wrong| *wrong).count()).expect("few")
}

#[derive(Default)]
struct Tally {
	/// In the first [`COUNTED`] rounds.
	wrong: u32,
	found: u32,
	failed: u32,
	missing: u64,
}

fn play(device: Device, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(3);
	let mut tally = Tally::default();
	for number in 0..rounds {
		let task = task(&mut rng);
		let (mut prover, round) = computed(device, &task, &mut rng);
		if number < COUNTED {
			tally.wrong += wrong(device, &task, &mut prover, &round);
		}
		let verdicts = [(); COMMITTEE].map(|()| {
			let found = look(device, &task, &mut prover, &round, &mut rng);
			let measured = Measured::Gemm { elapsed_millis: ELAPSED_MILLIS };
			found.map_or_else(
				|reason| Verdict::Failed { reason },
				|()| crate::passed(measured, round.root),
			)
		});
		let failed = |verdict: &&Verdict| matches!(verdict, Verdict::Failed { .. });
		tally.found += u32::try_from(verdicts.iter().filter(failed).count()).expect("five");
		let (conclusion, _) = conclude(&verdicts, COMMITTEE);
		tally.failed += u32::from(!matches!(conclusion, Conclusion::Passed { .. }));
		tally.missing += prover.backend().missing;
	}
	tally
}

fn row(name: &str, device: Device, tally: &Tally, rounds: u32) -> String {
	let counted = rounds.clamp(1, COUNTED);
	let wrong = (tally.wrong + counted / 2) / counted;
	let missed = miss(ENTRIES, wrong, SAMPLES);
	let rows = f64::from(rounds.max(1)) * f64::from(GEMM.side * GEMM.states);
	let formula = match device {
		// Of the window of step `t` `t - 1` states are made.
		Device::LeavesOut(share) => {
			f64::from(share) / 1_000.0 * f64::from(GEMM.states - 1) / f64::from(2 * GEMM.states)
		},
		_ => 0.0,
	};
	format!(
		"| {name:<27} | {:>4} | {:>6.2} % | {:>6.2} % | {:>6.2} % | {:>6.2} % | {:>5.1} % | {:>5.1} % |",
		wrong,
		percent(tally.found, rounds * COMMITTEE as u32),
		(1.0 - missed) * 100.0,
		percent(tally.failed, rounds),
		majority(1.0 - missed) * 100.0,
		tally.missing as f64 / rows * 100.0,
		formula * 100.0,
	)
}

pub(crate) fn print(rounds: u32, line: &mut impl FnMut(String)) {
	line(format!(
		"{rounds} rounds of products each, {COMMITTEE} verifiers, {SAMPLES} samples of {ENTRIES} \
		 entries, not put back; rows to be made again are those that columns choose, and not what \
		 these need in their turn"
	));
	line(String::new());
	line(
		"| device | wrong entries | found | formula | failed | formula | rows made again, at least \
		 | formula |\n|---|---:|---:|---:|---:|---:|---:|---:|"
			.into(),
	);
	thread::scope(|scope| {
		let rows = DEVICES.map(|(name, device)| {
			let tally = scope.spawn(move || play(device, rounds));
			(name, device, tally)
		});
		for (name, device, tally) in rows {
			let tally = tally.join().expect("all rounds are played");
			line(row(name, device, &tally, rounds));
		}
	});
}
