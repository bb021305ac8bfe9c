//! What devices do instead of multiplying, and what verifiers see of it.

use crate::committee::{decoded, garbage, Looked, Round};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, GemmChallenge, Measured, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::gemm::{
	check_entry, committed, dot, keep, masked, round_nonce, sample_entries, Backend, EntryOpening,
	Factor, GemmProver, GemmRound, GemmTask, HostStates,
};
use codec::Encode;
use rand::{rngs::StdRng, seq::index, Rng, SeedableRng};
use std::{collections::BTreeSet, convert::Infallible};

/// What a round asks for: so many rows and entries that a hundredth of them are some.
pub(super) const GEMM: GemmChallenge = GemmChallenge { side: 20, states: 5 };

/// Rows of all states.
pub(super) const ROWS: u32 = GEMM.side * GEMM.states;

/// Entries of all states.
pub(super) const ENTRIES: u32 = GEMM.side * ROWS;

/// Entries that a verifier looks at.
pub(super) const SAMPLES: u32 = 24;

/// How long all products take.
pub(crate) const HONEST_MILLIS: u32 = 12_000;

/// How long verifiers wait.
const WINDOW_MILLIS: u32 = 180_000;

/// What a device does instead of the work. Shares are in percent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Device {
	Honest,
	/// Makes up such a share of all entries.
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
	/// Begins when it should have answered.
	Late,
	/// Keeps all but such a share of all rows, and makes those again when a column chooses them.
	LeavesOut(u32),
}

/// Multiplies as a device does.
struct Cheat {
	device: Device,
	states: HostStates,
	rng: StdRng,
	/// Entries that are made up, or rows that are left out, in the order of states.
	chosen: BTreeSet<u32>,
	/// Rows that a column chose, and that are not there.
	missing: u32,
}

impl Cheat {
	fn new(device: Device, task: &GemmTask, mut rng: StdRng) -> Self {
		let (of, share) = match device {
			Device::MakesUp(share) => (ENTRIES, share),
			Device::LeavesOut(share) => (ROWS, share),
			_ => (ROWS, 0),
		};
		let drawn = index::sample(&mut rng, of as usize, (of * share / 100) as usize);
		let chosen = drawn.into_iter().map(|at| at as u32).collect();
		Self { device, states: HostStates::first(task), rng, chosen, missing: 0 }
	}

	/// What a device has in the place of an entry.
	fn entry(&mut self, at: (u32, u32, u32), form: u8, right: impl FnOnce() -> u8) -> u8 {
		let (step, row, column) = at;
		let place = ((step - 1) * GEMM.side + row) * GEMM.side + column;
		match self.device {
			Device::LowRank => form.wrapping_mul(column as u8),
			Device::Hankel => form.wrapping_mul((row + column) as u8),
			Device::MakesUp(_) if self.chosen.contains(&place) => self.rng.gen(),
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
		if let Device::LeavesOut(_) = self.device {
			// What is `back` steps before the last state was made in the round, or is a key stream.
			let made = |(row, back): (u32, &u32)| {
				step.checked_sub(2 + back).map(|state| state * side + row)
			};
			let chosen = (0..).zip(back).filter_map(made);
			self.missing += chosen.filter(|row| self.chosen.contains(row)).count() as u32;
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
				let at = (step, row, column);
				state.push(self.entry(at, form, || keep(dot(left, right))));
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

/// What a device has computed for a task.
pub(super) struct Answer {
	device: Device,
	task: ChallengeTask,
	prover: GemmProver<Cheat>,
	round: GemmRound,
}

impl Answer {
	pub(super) fn new(device: Device, rng: &mut StdRng) -> Self {
		let task = task(rng);
		let own = GemmTask::of_round(&task).expect("of this kind");
		let products = match device {
			Device::OtherSeed => GemmTask { seed: H256(rng.gen()), ..own },
			Device::Foreign => GemmTask { device: DeviceId(8), ..own },
			_ => own,
		};
		let cheat = Cheat::new(device, &products, StdRng::from_rng(rng).expect("seeded"));
		let mut prover = GemmProver::begin(products, cheat).expect("in bounds");
		let root = prover.round(round_nonce(&task)).expect("computed");
		Self { device, task, prover, round: committed(&task, root) }
	}

	fn products(&self) -> GemmTask {
		GemmTask::of_round(&self.task).expect("of this kind")
	}

	/// Rows that were made again at least.
	pub(super) fn made_again(&self) -> u32 {
		self.prover.backend().missing
	}

	/// The share of the products that was not made, or, below zero, made again.
	pub(super) fn spared(&self) -> f64 {
		match self.device {
			Device::Honest | Device::Late => 0.0,
			Device::MakesUp(share) => f64::from(share) / 100.0,
			Device::LeavesOut(_) => -f64::from(self.made_again()) / f64::from(ROWS),
			_ => 1.0,
		}
	}

	/// From the round's block to the commitment.
	fn millis(&self) -> u32 {
		let late = if self.device == Device::Late { WINDOW_MILLIS } else { 0 };
		late + (f64::from(HONEST_MILLIS) * (1.0 - self.spared())) as u32
	}

	/// All entries that the check refuses.
	pub(super) fn wrong(&mut self) -> u32 {
		if matches!(self.device, Device::Garbage | Device::Late) {
			return ENTRIES;
		}
		let (products, round) = (self.products(), self.round);
		let all = sample_entries(&H256::zero(), &products, 0, &round, ENTRIES);
		let is_wrong = |(step, row, column): &(u32, u32, u32)| {
			let opening = self.prover.open(*step, *row, *column).expect("kept");
			check_entry(&products, &[round], &opening).is_err()
		};
		all.expect("a valid task").iter().map(is_wrong).filter(|wrong| *wrong).count() as u32
	}
}

impl Round for Answer {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn root(&self) -> H256 {
		self.round.root
	}

	fn look(&mut self, root: H256, rng: &mut StdRng) -> Looked {
		if self.millis() > WINDOW_MILLIS {
			return Err(ChallengeFailure::NoAnswer);
		}
		let (products, round) = (self.products(), committed(&self.task, root));
		let drawn = sample_entries(&H256(rng.gen()), &products, 0, &round, SAMPLES);
		let wanted = drawn.expect("a valid task");
		let bytes = if self.device == Device::Garbage {
			garbage(rng)
		} else {
			let open =
				|(step, row, column): &(u32, u32, u32)| self.prover.open(*step, *row, *column);
			let openings: Vec<_> = wanted.iter().map(open).collect::<Result<_, _>>().expect("kept");
			openings.encode()
		};
		let openings = decoded::<EntryOpening>(&bytes)?;
		let places = openings.iter().map(|opening| (opening.step, opening.row, opening.column));
		if !places.eq(wanted) {
			return Err(ChallengeFailure::Malformed);
		}
		openings
			.iter()
			.try_for_each(|opening| check_entry(&products, &[round], opening))
	}

	fn measured(&self, rng: &mut StdRng) -> Measured {
		measured(self.millis().into(), rng)
	}
}

/// What a verifier measures of products that took so long: it sees block and commitment when it does.
pub(crate) fn measured(millis: u64, rng: &mut StdRng) -> Measured {
	let millis = u32::try_from(millis).expect("some minutes");
	Measured::Gemm { elapsed_millis: (millis + rng.gen_range(0..400)).max(1) }
}

/// A round that an honest device or, with a third of its entries made up, a cheat answers.
pub(crate) fn round(is_cheat: bool, rng: &mut StdRng) -> Box<dyn Round> {
	Box::new(Answer::new(if is_cheat { Device::MakesUp(33) } else { Device::Honest }, rng))
}
