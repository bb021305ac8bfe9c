use super::*;
use codec::{DecodeAll, MaxEncodedLen};
use proptest::prelude::*;

const SIDE: u32 = 12;
const SIZE: GemmSize = GemmSize { side: SIDE, window: 3, rounds: 2, steps: 4 };

fn task() -> GemmTask {
	GemmTask { seed: H256([6; 32]), device: DeviceId(5), size: SIZE }
}

fn nonce(round: u8) -> H256 {
	H256([0x40 + round; 32])
}

/// A run with what was committed to.
struct Run<B> {
	prover: GemmProver<B>,
	rounds: Vec<GemmRound>,
}

impl<B: Backend<Error: core::fmt::Debug>> Run<B> {
	/// All rounds of a task.
	fn of(task: GemmTask, backend: B) -> Self {
		let mut prover = GemmProver::begin(task, backend).unwrap();
		let mut rounds = Vec::new();
		for round in 0..task.size.rounds {
			let nonce = nonce(round as u8);
			rounds.push(GemmRound { nonce, root: prover.round(nonce).unwrap() });
		}
		Self { prover, rounds }
	}

	fn check(&mut self, step: u32, row: u32, column: u32) -> Result<(), ChallengeFailure> {
		let opening = self.prover.open(step, row, column).unwrap();
		check_entry(&task(), &self.rounds, &opening)
	}
}

fn honest() -> Run<Reference> {
	Run::of(task(), Reference::default())
}

/// Checked against a second implementation, in Python, which is not kept here.
#[test]
fn the_chain_should_never_drift() {
	let root = honest().rounds[1].root;
	assert_eq!(
		format!("{root:?}"),
		"0xe3b3193e59a8f90bd7a6b4a17ad232fe51abbb58e4d33bfdfba73689f3b39917"
	);
}

#[test]
fn every_entry_of_the_last_round_should_pass() {
	let mut run = honest();
	for step in 5..=8 {
		for row in 0..SIDE {
			for column in 0..SIDE {
				assert_eq!(run.check(step, row, column), Ok(()), "{step} {row} {column}");
			}
		}
	}
	// What an older step was made of is not kept any more.
	assert_eq!(run.prover.open(1, 0, 0), Err(GemmError::NotThere));
	assert_eq!(run.prover.open(9, 0, 0), Err(GemmError::NotThere));
	assert_eq!(run.prover.open(0, 0, 0), Err(GemmError::NotThere));
	assert_eq!(run.prover.open(8, SIDE, 0), Err(GemmError::NotThere));
	assert_eq!(run.prover.open(8, 0, SIDE), Err(GemmError::NotThere));
	assert_eq!(run.prover.round(nonce(9)), Err(GemmError::Done));
}

#[test]
fn entries_of_the_first_round_should_pass_while_it_is_the_last() {
	let mut prover = GemmProver::begin(task(), Reference::default()).unwrap();
	let root = prover.round(nonce(0)).unwrap();
	let rounds = [GemmRound { nonce: nonce(0), root }];
	for step in 1..=4 {
		for entry in 0..SIDE {
			let opening = prover.open(step, entry, (entry * 5) % SIDE).unwrap();
			assert_eq!(opening.last.is_none(), step == 1);
			assert_eq!(check_entry(&task(), &rounds, &opening), Ok(()));
		}
	}
	assert_eq!(prover.open(5, 0, 0), Err(GemmError::NotThere));
}

/// Multiplies rightly, and then changes a share of each state.
struct Forger {
	honest: HostStates,
	/// Entries of each state, row after row, that it makes up.
	made_up: fn(u32, usize) -> bool,
}

impl Backend for Forger {
	type Error = core::convert::Infallible;

	fn begin(&mut self, task: &GemmTask) -> Result<(), Self::Error> {
		self.honest = HostStates::first(task);
		Ok(())
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, Self::Error> {
		let mut state = Vec::new();
		for row in 0..task.size.side {
			let last = self.honest.before(0, row).unwrap();
			let left = masked(Factor::Left, task, step, row, &last);
			for (column, back) in (0u32..).zip(back) {
				let right = self.honest.before(*back, column).unwrap();
				let right = masked(Factor::Right, task, step, column, &right);
				let true_value = keep(dot(&left, &right));
				let made_up = (self.made_up)(step, state.len());
				state.push(if made_up { true_value ^ 0x55 } else { true_value });
			}
		}
		Ok(self.honest.push(state))
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Self::Error> {
		Ok(self.honest.after(step, row).map(<[u8]>::to_vec))
	}
}

fn forger(made_up: fn(u32, usize) -> bool) -> Run<Forger> {
	Run::of(task(), Forger { honest: HostStates::first(&task()), made_up })
}

#[test]
fn a_made_up_entry_should_be_found_where_it_is_and_nowhere_else() {
	let mut run = forger(|step, at| step == 6 && at == 29);
	for step in 5..=8 {
		for row in 0..SIDE {
			for column in 0..SIDE {
				let expected = if (step, row * SIDE + column) == (6, 29) {
					Err(ChallengeFailure::WrongResult)
				} else {
					Ok(())
				};
				assert_eq!(run.check(step, row, column), expected, "{step} {row} {column}");
			}
		}
	}
}

#[test]
fn a_share_of_made_up_entries_should_be_found_by_its_share_of_samples() {
	// Every tenth entry.
	let mut run = forger(|_, at| at % 10 == 0);
	let mut caught = 0;
	let mut openings = 0;
	for randomness in 0..20 {
		let wanted =
			sample_entries(&H256([randomness; 32]), &task(), 1, &run.rounds[1], 20).unwrap();
		for (step, row, column) in wanted {
			openings += 1;
			caught += u32::from(run.check(step, row, column).is_err());
		}
	}
	// 400 draws of 60 in 576: 41.7 expected, standard deviation 6.
	assert_eq!(openings, 400);
	assert!((20..65).contains(&caught), "{caught}");
}

/// Gives the same row everywhere, which has rank 1, or zero.
struct LowRank(HostStates, fn(usize) -> u8);

impl Backend for LowRank {
	type Error = core::convert::Infallible;

	fn begin(&mut self, task: &GemmTask) -> Result<(), Self::Error> {
		self.0 = HostStates::first(task);
		Ok(())
	}

	fn step(&mut self, task: &GemmTask, _: u32, _: &[u32]) -> Result<Vec<H256>, Self::Error> {
		let side = task.size.side as usize;
		Ok(self.0.push((0..side * side).map(|at| self.1(at % side)).collect()))
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Self::Error> {
		Ok(self.0.after(step, row).map(<[u8]>::to_vec))
	}
}

#[test]
fn states_of_low_rank_should_not_pass() {
	let forms: [fn(usize) -> u8; 3] = [|column| column as u8, |_| 0, |_| 0x80];
	for form in forms {
		let mut run = Run::of(task(), LowRank(HostStates::first(&task()), form));
		let entries = 0..SIDE * SIDE;
		let passed = entries.filter(|at| run.check(7, at / SIDE, at % SIDE).is_ok()).count();
		// By chance one in 256.
		assert!(passed <= 5, "{passed}");
	}
}

/// Fails in one step.
struct Failing(Reference);

impl Backend for Failing {
	type Error = &'static str;

	fn begin(&mut self, task: &GemmTask) -> Result<(), Self::Error> {
		let Ok(()) = self.0.begin(task);
		Ok(())
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, Self::Error> {
		let Ok(hashes) = self.0.step(task, step, back);
		if step == 6 {
			return Err("lost");
		}
		Ok(hashes)
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, Self::Error> {
		let Ok(found) = self.0.row(step, row);
		Ok(found)
	}
}

#[test]
fn a_round_that_failed_should_not_be_gone_on_with() {
	let mut prover = GemmProver::begin(task(), Failing(Reference::default())).unwrap();
	prover.round(nonce(0)).unwrap();
	assert_eq!(prover.round(nonce(1)), Err(GemmError::Backend("lost")));
	assert_eq!(prover.round(nonce(1)), Err(GemmError::Broken));
	assert_eq!(prover.open(6, 0, 0), Err(GemmError::NotThere));
}

#[test]
fn a_round_that_was_stopped_should_not_be_gone_on_with() {
	// At the first question, or a later one.
	let stop_at = |step| {
		let asked = core::cell::Cell::new(0);
		move || {
			asked.set(asked.get() + 1);
			asked.get() == step
		}
	};
	let mut prover = GemmProver::begin(task(), Reference::default()).unwrap();
	assert_eq!(prover.clone().round_unless(nonce(0), &stop_at(1)), Err(GemmError::Stopped));
	assert_eq!(prover.clone().round_unless(nonce(0), &stop_at(5)), prover.clone().round(nonce(0)));
	assert_eq!(prover.round_unless(nonce(0), &stop_at(4)), Err(GemmError::Stopped));
	assert_eq!(prover.round(nonce(0)), Err(GemmError::Broken));
	assert_eq!(prover.open(1, 0, 0), Err(GemmError::NotThere));
}

#[test]
fn another_round_trip_should_give_another_chain() {
	let mut prover = GemmProver::begin(task(), Reference::default()).unwrap();
	let first = prover.round(nonce(0)).unwrap();
	let mut again = prover.clone();
	assert_ne!(prover.round(nonce(1)).unwrap(), again.round(nonce(2)).unwrap());
	let other = GemmTask { device: DeviceId(6), ..task() };
	assert_ne!(first, Run::of(other, Reference::default()).rounds[0].root);
	let later = GemmTask { seed: H256([1; 32]), ..task() };
	assert_ne!(first, Run::of(later, Reference::default()).rounds[0].root);
}

#[test]
fn openings_that_do_not_fit_should_be_told_apart() {
	let mut run = honest();
	let good = run.prover.open(6, 3, 8).unwrap();
	let rounds = run.rounds.clone();
	let edited = |edit: &dyn Fn(&mut EntryOpening)| {
		let mut opening = good.clone();
		edit(&mut opening);
		check_entry(&task(), &rounds, &opening)
	};
	assert_eq!(edited(&|_| ()), Ok(()));
	let malformed = Err(ChallengeFailure::Malformed);
	assert_eq!(edited(&|opening| opening.step = 0), malformed);
	assert_eq!(edited(&|opening| opening.step = 9), malformed);
	assert_eq!(edited(&|opening| opening.row = SIDE), malformed);
	assert_eq!(edited(&|opening| opening.column = SIDE), malformed);
	assert_eq!(edited(&|opening| opening.last = None), malformed);
	assert_eq!(edited(&|opening| opening.other = None), malformed);
	assert_eq!(
		edited(&|opening| {
			opening.result.row.pop();
		}),
		malformed
	);
	assert_eq!(check_entry(&task(), &rounds[..1], &good), malformed);
	assert_eq!(check_entry(&task(), &[], &good), malformed);
	let size = GemmSize { window: 0, ..SIZE };
	assert_eq!(check_entry(&GemmTask { size, ..task() }, &rounds, &good), malformed);

	let bad = Err(ChallengeFailure::BadOpening);
	assert_eq!(edited(&|opening| opening.row = 4), bad);
	assert_eq!(edited(&|opening| opening.result.row[0] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.result.state_root.0[0] ^= 1), bad);
	assert_eq!(
		edited(&|opening| {
			opening.result.state_path.pop();
		}),
		bad
	);
	assert_eq!(edited(&|opening| opening.last.as_mut().unwrap().row[0] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.other.as_mut().unwrap().row[0] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.last = opening.other.clone()), bad);
	// A row of a state that was not chosen.
	let foreign = run.prover.opened(7, 8).unwrap();
	assert_eq!(edited(&|opening| opening.other = Some(foreign.clone())), bad);
}

#[test]
fn the_first_step_should_take_nothing_on_trust() {
	let mut prover = GemmProver::begin(task(), Reference::default()).unwrap();
	let root = prover.round(nonce(0)).unwrap();
	let rounds = [GemmRound { nonce: nonce(0), root }];
	let mut opening = prover.open(1, 2, 2).unwrap();
	opening.last = Some(opening.result.clone());
	assert_eq!(check_entry(&task(), &rounds, &opening), Err(ChallengeFailure::Malformed));
	opening.last = None;
	opening.other = Some(opening.result.clone());
	assert_eq!(check_entry(&task(), &rounds, &opening), Err(ChallengeFailure::Malformed));
}

#[test]
fn sizes_should_be_bounded() {
	let check = |side, window, rounds, steps| GemmSize { side, window, rounds, steps }.check();
	assert_eq!(check(1, 1, 1, 1), Ok(()));
	assert_eq!(check(MAX_SIDE, MAX_STEPS, MAX_ROUNDS, MAX_STEPS), Ok(()));
	for at in 0..4 {
		let with = |value| {
			let mut parts = [1; 4];
			parts[at] = value;
			let [side, window, rounds, steps] = parts;
			check(side, window, rounds, steps)
		};
		assert_eq!(with(0), Err(SizeError::TooSmall));
		let most = [MAX_SIDE, MAX_STEPS, MAX_ROUNDS, MAX_STEPS][at];
		assert_eq!(with(most), Ok(()));
		assert_eq!(with(most + 1), Err(SizeError::TooLarge));
	}
	assert_eq!(SIZE.operations(), 2 * 12 * 12 * 12 * 8);
	assert_eq!(SIZE.shown_bytes(2), 12 * 12 * 2);
	assert_eq!(SIZE.shown_bytes(8), 12 * 12 * 3);
	let size = GemmSize { steps: MAX_STEPS + 1, ..SIZE };
	let begun = GemmProver::begin(GemmTask { size, ..task() }, Reference::default());
	assert_eq!(begun.err(), Some(GemmError::Size(SizeError::TooLarge)));
	let round = GemmRound { nonce: nonce(0), root: H256::zero() };
	let none = sample_entries(&H256::zero(), &task(), 2, &round, 1);
	assert_eq!(none, Err(SizeError::TooLarge));
}

#[test]
fn openings_should_be_bounded_on_the_wire() {
	let largest = EntryOpening::max_encoded_len();
	assert!((100_000..102_000).contains(&largest), "{largest}");
	let opening = honest().prover.open(8, 1, 1).unwrap();
	assert_eq!(EntryOpening::decode_all(&mut &opening.encode()[..]), Ok(opening));
}

#[test]
fn sums_should_be_exact_at_their_extremes() {
	let least = [0x80; 131_071];
	assert_eq!(dot(&least, &least), 131_071 << 14);
	assert_eq!(dot(&least, &[0x7f; 131_071]), -131_071 * 128 * 127);
	assert_eq!(dot(&[], &[]), 0);
	assert_eq!(keep(0), 0);
	assert_eq!(keep(0x1234), 0x34 ^ 0x01);
	assert_eq!(keep(0x000f_f000), 0xff);
	assert_eq!(keep(-1), 0);
}

#[test]
fn samples_should_be_of_their_round() {
	let rounds = honest().rounds;
	let of = |randomness, round: u32, count| {
		sample_entries(&H256([randomness; 32]), &task(), round, &rounds[round as usize], count)
			.unwrap()
	};
	assert!(of(1, 0, 50)
		.iter()
		.all(|(step, row, column)| { (1..=4).contains(step) && *row < SIDE && *column < SIDE }));
	assert!(of(1, 1, 50).iter().all(|(step, ..)| (5..=8).contains(step)));
	assert_eq!(of(1, 1, 10_000).len(), 576);
	assert_ne!(of(1, 1, 9), of(2, 1, 9));
}

proptest! {
	#[test]
	fn choices_should_be_within_the_window(window in 1u32..=MAX_STEPS, column: u32, key: [u8; 32]) {
		let size = GemmSize { window, ..SIZE };
		prop_assert!(choose(&size, &H256(key), column) < window);
	}

	#[test]
	fn sums_should_be_those_of_wide_integers(rows: Vec<(u8, u8)>) {
		let (left, right): (Vec<u8>, Vec<u8>) = rows.iter().copied().unzip();
		let wide: i64 =
			rows.iter().map(|(a, b)| i64::from(*a as i8) * i64::from(*b as i8)).sum();
		prop_assert_eq!(i64::from(dot(&left, &right)), wide);
	}

	#[test]
	fn changed_openings_should_be_refused(at: u16, bit in 0u8..8, cut: u8) {
		let mut run = honest();
		let mut bytes = run.prover.open(7, 4, 9).unwrap().encode();
		let at = usize::from(at) % bytes.len();
		bytes[at] ^= 1 << bit;
		if let Ok(opening) = EntryOpening::decode_all(&mut &bytes[..]) {
			prop_assert!(check_entry(&task(), &run.rounds, &opening).is_err());
		}
		bytes.truncate(bytes.len() - 1 - usize::from(cut) % bytes.len());
		prop_assert!(EntryOpening::decode_all(&mut &bytes[..]).is_err());
	}
}
