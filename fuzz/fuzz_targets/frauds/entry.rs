//! Products of which entries are made up.

use crate::{changes::Changes, judge::Round, task, GEMM};
use armature_primitives::{
	challenge::{ChallengeTask, Work},
	H256,
};
use armature_verifier::{
	challenge::{
		fraud::{FraudProof, SignedCommit},
		gemm::{
			choices_key, choose, first_row, mask_row, round_nonce, row_hash, EntryOpening, Factor,
			GemmSize, GemmTask, OpenedRow,
		},
	},
	merkle::Tree,
};
use std::sync::LazyLock;

const TASK: ChallengeTask = task(Work::Gemm(GEMM));
const SIDE: usize = GEMM.side as usize;
const PRODUCTS: GemmTask = GemmTask {
	seed: TASK.seed,
	device: TASK.device,
	size: GemmSize { side: GEMM.side, window: GEMM.states, rounds: 1, steps: GEMM.states },
};

/// What an honest device computes.
static HONEST: LazyLock<Products> = LazyLock::new(|| Products::new(&Changes::NONE));

/// The states of all steps, and what the device committed to.
pub(crate) struct Products {
	/// Row after row, with the tree of the rows.
	states: Vec<(Vec<u8>, Tree)>,
	tree: Tree,
}

impl Products {
	/// Multiplied with these changes.
	pub(crate) fn new(changes: &Changes) -> Self {
		let mut states = Vec::new();
		for step in 1..=GEMM.states {
			let mut state = if changes.carries_on {
				multiply(&states, step)
			} else {
				HONEST.states[step as usize - 1].0.clone()
			};
			let len = state.len();
			changes.apply(&mut state, len * (step as usize - 1), len * GEMM.states as usize);
			let rows = state.chunks_exact(SIDE).map(row_hash).collect();
			states.push((state, Tree::from_hashes(rows).expect("not empty")));
		}
		let roots = states.iter().map(|(_, tree)| tree.root().0);
		let tree = Tree::new(roots).expect("not empty");
		Self { states, tree }
	}

	/// A row of a state; `None` where everyone can compute it.
	fn opened(&self, state: i64, row: u32) -> Option<OpenedRow> {
		let step = u32::try_from(state).ok()?.checked_sub(1)?;
		let (_, tree) = &self.states[step as usize];
		let path = tree.prove(row).expect("inside").into_inner();
		let state_path = self.tree.prove(step).expect("inside").into_inner();
		Some(OpenedRow {
			row: row_of(&self.states, state, row).try_into().expect("in bounds"),
			path: path.try_into().expect("in bounds"),
			state_root: tree.root(),
			state_path: state_path.try_into().expect("in bounds"),
		})
	}
}

/// The next state, as it should be.
fn multiply(states: &[(Vec<u8>, Tree)], step: u32) -> Vec<u8> {
	let places = (0..GEMM.side).flat_map(|row| (0..GEMM.side).map(move |column| (row, column)));
	places.map(|(row, column)| right(states, step, row, column)).collect()
}

/// A row of the state after a step; there are some before the first one.
fn row_of(states: &[(Vec<u8>, Tree)], state: i64, row: u32) -> Vec<u8> {
	match usize::try_from(state - 1) {
		Ok(at) => states[at].0[SIDE * row as usize..][..SIDE].to_vec(),
		Err(_) => first_row(&PRODUCTS, state.unsigned_abs() as u32, row),
	}
}

/// The state that a column takes its row from in a step.
fn chosen(states: &[(Vec<u8>, Tree)], step: u32, column: u32) -> i64 {
	let last = step.checked_sub(2).map(|at| states[at as usize].1.root());
	let key = choices_key(&PRODUCTS, &round_nonce(&TASK), step, last.as_ref());
	i64::from(step) - 1 - i64::from(choose(&PRODUCTS.size, &key, column))
}

/// An entry as it should be: the definition of [`armature_verifier::challenge::gemm`], said again in
/// numbers that cannot overflow.
fn right(states: &[(Vec<u8>, Tree)], step: u32, row: u32, column: u32) -> u8 {
	let factor = |factor, state, row| {
		let mask = mask_row(factor, &PRODUCTS, step, row);
		let bytes = row_of(states, state, row).into_iter().zip(mask);
		bytes.map(|(byte, mask)| i64::from((byte ^ mask) as i8)).collect::<Vec<_>>()
	};
	let left = factor(Factor::Left, i64::from(step) - 1, row);
	let right = factor(Factor::Right, chosen(states, step, column), column);
	let sum: i64 = left.iter().zip(&right).map(|(left, right)| left * right).sum();
	((sum ^ sum.div_euclid(1 << 12)) & 0xff) as u8
}

impl Round for Products {
	type Place = (u32, u32, u32);
	type Opening = EntryOpening;

	const LEN: u32 = 1;
	const COUNT: u32 = GEMM.states * GEMM.side * GEMM.side;

	fn task(&self) -> ChallengeTask {
		TASK
	}

	fn root(&self) -> H256 {
		self.tree.root()
	}

	fn place(&self, number: u32) -> (u32, u32, u32) {
		let (state, column) = (number / GEMM.side, number % GEMM.side);
		(state / GEMM.side + 1, state % GEMM.side, column)
	}

	fn place_of(&self, opening: &EntryOpening) -> Option<(u32, u32, u32)> {
		let EntryOpening { step, row, column, .. } = *opening;
		let is_inside = (1..=GEMM.states).contains(&step) && row < GEMM.side && column < GEMM.side;
		is_inside.then_some((step, row, column))
	}

	fn open(&self, (step, row, column): (u32, u32, u32)) -> EntryOpening {
		let last = self.opened(i64::from(step) - 1, row);
		let other = self.opened(chosen(&self.states, step, column), column);
		let result = self.opened(step.into(), row).expect("above 0");
		EntryOpening { step, row, column, last, other, result }
	}

	fn is_wrong(&self, (step, row, column): (u32, u32, u32)) -> bool {
		let stands = row_of(&self.states, step.into(), row)[column as usize];
		right(&self.states, step, row, column) != stands
	}

	fn proof(signed: SignedCommit, opening: EntryOpening) -> FraudProof {
		FraudProof::Entry { signed, opening: Box::new(opening) }
	}
}
