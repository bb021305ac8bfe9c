//! Computing the chain, and opening what was computed.

use super::{
	choices_key, choose, dot, first_row, keep, masked, row_hash, EntryOpening, Factor, GemmSize,
	GemmTask, OpenedRow,
};
use crate::{challenge::fill::SizeError, merkle::Tree};
use alloc::{borrow::Cow, collections::VecDeque, vec::Vec};
use armature_primitives::H256;
use core::convert::Infallible;

/// What multiplies, and holds the states: the reference ([`Reference`]), or hardware that gives the
/// same bytes.
pub trait Backend {
	/// Why it failed.
	type Error;

	/// Begins with the first states ([`first_row`]), of which there are as many as the window has. Their rows
	/// can be made when they are needed: that is little beside a product.
	///
	/// # Errors
	///
	/// Whatever the hardware says.
	fn begin(&mut self, task: &GemmTask) -> Result<(), Self::Error>;

	/// Makes the state after `step`. Row `j` of the other factor is row `j` of the state that is
	/// `back[j]` steps before the last one. Returns the hashes of its rows ([`row_hash`]).
	///
	/// # Errors
	///
	/// Whatever the hardware says.
	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, Self::Error>;

	/// A row of the state after `step`, above 0; `None` where it is not kept any more.
	/// [`GemmSize::kept`] of them are.
	///
	/// # Errors
	///
	/// Whatever the hardware says.
	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// States in this machine's memory, as many as have to stay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostStates {
	task: GemmTask,
	/// Of the last steps, row after row, the oldest first.
	states: VecDeque<Vec<u8>>,
	/// Steps made.
	last: u32,
	side: usize,
	most: usize,
}

impl HostStates {
	/// The first states of a task, whose rows are made when they are needed.
	pub fn first(task: &GemmTask) -> Self {
		Self {
			task: *task,
			states: VecDeque::new(),
			last: 0,
			side: usize::try_from(task.size.side).unwrap_or(usize::MAX),
			most: usize::try_from(task.size.kept()).unwrap_or(usize::MAX),
		}
	}

	/// A row of the state that is `back` steps before the last one, if that is kept.
	pub fn before(&self, back: u32, row: u32) -> Option<Cow<'_, [u8]>> {
		let GemmSize { side, window, .. } = self.task.size;
		match back.checked_sub(self.last) {
			Some(back) if back < window && row < side => {
				Some(Cow::Owned(first_row(&self.task, back, row)))
			},
			Some(_) => None,
			None => self.made(back, row).map(Cow::Borrowed),
		}
	}

	/// A row of the state after a step, above 0, if that is kept.
	pub fn after(&self, step: u32, row: u32) -> Option<&[u8]> {
		self.made(self.last.checked_sub(step)?, row)
	}

	fn made(&self, back: u32, row: u32) -> Option<&[u8]> {
		let newest = self.states.len().checked_sub(1)?;
		let state = self.states.get(newest.checked_sub(usize::try_from(back).ok()?)?)?;
		state.chunks_exact(self.side.max(1)).nth(usize::try_from(row).ok()?)
	}

	/// Takes the state after the next step, row after row, and lets the oldest go. Returns the hashes
	/// of its rows.
	pub fn push(&mut self, state: Vec<u8>) -> Vec<H256> {
		let hashes = state.chunks_exact(self.side.max(1)).map(row_hash).collect();
		self.put(state);
		hashes
	}

	/// The same for whoever has hashed its rows.
	pub fn put(&mut self, state: Vec<u8>) {
		self.states.push_back(state);
		self.last = self.last.saturating_add(1);
		if self.states.len() > self.most {
			self.states.pop_front();
		}
	}
}

/// Multiplies as it is defined, one entry after the other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reference(Option<HostStates>);

impl Backend for Reference {
	type Error = Infallible;

	fn begin(&mut self, task: &GemmTask) -> Result<(), Infallible> {
		self.0 = Some(HostStates::first(task));
		Ok(())
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, Infallible> {
		let states = self.0.get_or_insert_with(|| HostStates::first(task));
		let right = |(column, back): (u32, &u32)| {
			let row = states.before(*back, column).unwrap_or_default();
			masked(Factor::Right, task, step, column, &row)
		};
		let rights: Vec<_> = (0u32..).zip(back).map(right).collect();
		let mut state = Vec::new();
		for row in 0..task.size.side {
			let last = states.before(0, row).unwrap_or_default();
			let left = masked(Factor::Left, task, step, row, &last);
			state.extend(rights.iter().map(|right| keep(dot(&left, right))));
		}
		Ok(states.push(state))
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Infallible> {
		let states = self.0.as_ref();
		Ok(states.and_then(|states| states.after(step, row)).map(<[u8]>::to_vec))
	}
}

/// Why nothing was computed or opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GemmError<E> {
	/// The task is out of bounds.
	Size(SizeError),
	/// The backend failed.
	Backend(E),
	/// The backend returned another number of rows.
	WrongLength,
	/// All rounds are done.
	Done,
	/// The caller stopped the round.
	Stopped,
	/// A round failed before, and what the backend holds is not known.
	Broken,
	/// There is no such entry, or what it is made of is not kept any more.
	NotThere,
}

impl<E: core::fmt::Display> core::fmt::Display for GemmError<E> {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		match self {
			GemmError::Size(error) => error.fmt(f),
			GemmError::Backend(error) => error.fmt(f),
			GemmError::WrongLength => f.write_str("the backend returned another number of rows"),
			GemmError::Done => f.write_str("all rounds are done"),
			GemmError::Stopped => f.write_str("the round was stopped"),
			GemmError::Broken => f.write_str("a round failed before"),
			GemmError::NotThere => {
				f.write_str("there is no such entry, or what it is made of is not kept any more")
			},
		}
	}
}

impl<E: core::fmt::Debug + core::fmt::Display> core::error::Error for GemmError<E> {}

/// A chain that is being computed.
#[derive(Clone, Debug)]
pub struct GemmProver<B> {
	task: GemmTask,
	backend: B,
	/// Steps made.
	made: u32,
	/// Over the rows of the last states, as many as the backend keeps of those made.
	states: VecDeque<Tree>,
	/// One for each round, over the roots of its states, with its nonce.
	rounds: Vec<(H256, Tree)>,
	broken: bool,
}

impl<B: Backend> GemmProver<B> {
	/// Makes the first states.
	///
	/// # Errors
	///
	/// [`GemmError::Size`], [`GemmError::Backend`].
	pub fn begin(task: GemmTask, mut backend: B) -> Result<Self, GemmError<B::Error>> {
		task.size.check().map_err(GemmError::Size)?;
		backend.begin(&task).map_err(GemmError::Backend)?;
		let (states, rounds) = (VecDeque::new(), Vec::new());
		Ok(Self { task, backend, made: 0, states, rounds, broken: false })
	}

	/// Computes the next round and returns its root.
	///
	/// # Errors
	///
	/// [`GemmError`]; after a failure of the backend, every further round is [`GemmError::Broken`].
	pub fn round(&mut self, nonce: H256) -> Result<H256, GemmError<B::Error>> {
		self.round_unless(nonce, &|| false)
	}

	/// Computes the next round and returns its root. Asks `is_stopped` before each step.
	///
	/// # Errors
	///
	/// As [`GemmProver::round`], and [`GemmError::Stopped`] when `is_stopped` said so: no further round can
	/// be computed then.
	pub fn round_unless(
		&mut self,
		nonce: H256,
		is_stopped: &impl Fn() -> bool,
	) -> Result<H256, GemmError<B::Error>> {
		if self.broken {
			return Err(GemmError::Broken);
		}
		if self.task.size.place(self.made.saturating_add(1)).is_none() {
			return Err(GemmError::Done);
		}
		self.broken = true;
		let round = self.compute(&nonce, is_stopped)?;
		self.broken = false;
		let root = round.root();
		self.rounds.push((nonce, round));
		Ok(root)
	}

	/// The tree over the states of the next round.
	fn compute(
		&mut self,
		nonce: &H256,
		is_stopped: &impl Fn() -> bool,
	) -> Result<Tree, GemmError<B::Error>> {
		let size = self.task.size;
		let most = usize::try_from(size.kept()).unwrap_or(usize::MAX);
		let mut roots = Vec::new();
		for _ in 0..size.steps {
			if is_stopped() {
				return Err(GemmError::Stopped);
			}
			let last = self.states.back().map(Tree::root);
			let step = self.made.saturating_add(1);
			let key = choices_key(&self.task, nonce, step, last.as_ref());
			let back: Vec<u32> = (0..size.side).map(|at| choose(&size, &key, at)).collect();
			let hashes = self.backend.step(&self.task, step, &back).map_err(GemmError::Backend)?;
			if u32::try_from(hashes.len()) != Ok(size.side) {
				return Err(GemmError::WrongLength);
			}
			let tree = Tree::from_hashes(hashes).ok_or(GemmError::WrongLength)?;
			roots.push(tree.root().0);
			self.made = step;
			self.states.push_back(tree);
			if self.states.len() > most {
				self.states.pop_front();
			}
		}
		Tree::new(roots).ok_or(GemmError::WrongLength)
	}

	/// What multiplies.
	pub fn backend(&self) -> &B {
		&self.backend
	}

	/// Opens an entry of a round that is done.
	///
	/// # Errors
	///
	/// [`GemmError::NotThere`], [`GemmError::Backend`].
	pub fn open(
		&mut self,
		step: u32,
		row: u32,
		column: u32,
	) -> Result<EntryOpening, GemmError<B::Error>> {
		let size = self.task.size;
		let (round, _) = size.place(step).ok_or(GemmError::NotThere)?;
		let nonce = self.rounds.get(round).ok_or(GemmError::NotThere)?.0;
		if row >= size.side || column >= size.side {
			return Err(GemmError::NotThere);
		}
		let result = self.opened(step, row)?;
		let before = i64::from(step).saturating_sub(1);
		let last = self.source(before, row)?;
		let key = choices_key(&self.task, &nonce, step, last.as_ref().map(|last| &last.state_root));
		let chosen = before.saturating_sub(choose(&size, &key, column).into());
		let other = self.source(chosen, column)?;
		Ok(EntryOpening { step, row, column, last, other, result })
	}

	/// A row of a state; `None` where everyone can compute it.
	fn source(&mut self, state: i64, row: u32) -> Result<Option<OpenedRow>, GemmError<B::Error>> {
		match u32::try_from(state) {
			Ok(step) if step > 0 => self.opened(step, row).map(Some),
			_ => Ok(None),
		}
	}

	/// A row of a computed state, with its paths.
	pub(super) fn opened(&mut self, step: u32, row: u32) -> Result<OpenedRow, GemmError<B::Error>> {
		let found = self.backend.row(step, row).map_err(GemmError::Backend)?;
		let open = || {
			let (round, at) = self.task.size.place(step)?;
			let (_, states) = self.rounds.get(round)?;
			let back = usize::try_from(self.made.checked_sub(step)?).ok()?;
			let tree = self.states.get(self.states.len().checked_sub(back.checked_add(1)?)?)?;
			Some(OpenedRow {
				row: found?.try_into().ok()?,
				path: tree.prove(row)?.into_inner().try_into().ok()?,
				state_root: tree.root(),
				state_path: states.prove(at)?.into_inner().try_into().ok()?,
			})
		};
		open().ok_or(GemmError::NotThere)
	}
}
