//! Products as they are defined, with one entry made up where a device lies.

use super::*;
use armature_verifier::challenge::gemm::{
	round_nonce, row_hash, Backend, EntryOpening, GemmProver, GemmTask, Reference,
};
use std::convert::Infallible;

/// Row and column of the entry of the last state that is made up.
const MADE_UP: (u32, usize) = (3, 2);

/// Multiplies, and makes one entry up where nothing more is made of it.
struct Made {
	honest: Reference,
	lies: bool,
	/// The last step.
	last: u32,
}

impl Backend for Made {
	type Error = Infallible;

	fn begin(&mut self, task: &GemmTask) -> Result<(), Infallible> {
		self.last = task.size.steps;
		self.honest.begin(task)
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, Infallible> {
		self.honest.step(task, step, back)?;
		let hash = |row| Ok(row_hash(&self.row(step, row)?.unwrap()));
		(0..task.size.side).map(hash).collect()
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Infallible> {
		let mut found = self.honest.row(step, row)?;
		let (wrong, column) = MADE_UP;
		if let Some(bytes) = &mut found {
			bytes[column] ^= u8::from(self.lies && (step, row) == (self.last, wrong));
		}
		Ok(found)
	}
}

/// All states of a round.
pub(super) struct Multiplied {
	prover: GemmProver<Made>,
	root: H256,
}

impl Multiplied {
	/// Where it `lies`, one entry of the last state is made up.
	pub(super) fn new(task: &ChallengeTask, lies: bool) -> Self {
		let products = GemmTask::of_round(task).unwrap();
		let made = Made { honest: Reference::default(), lies, last: 0 };
		let mut prover = GemmProver::begin(products, made).unwrap();
		let root = prover.round(round_nonce(task)).unwrap();
		Self { prover, root }
	}

	pub(super) fn root(&self) -> H256 {
		self.root
	}

	pub(super) fn open(&mut self, (step, row, column): (u32, u32, u32)) -> EntryOpening {
		self.prover.open(step, row, column).unwrap()
	}
}
