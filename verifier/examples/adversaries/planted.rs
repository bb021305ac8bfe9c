//! Verifiers that never look, and answers planted for them, in rounds of all kinds in which something is
//! computed.
//!
//! Two of five never look. One round of a hundred is answered with what was planted, by one device or
//! another; whoever passed it is fined. Whoever has less than half of its bond left is on no committee any
//! more; others take its place.
//!
//! What is sealed is the same in each round: a verifier that has seen it once computes what the device should
//! commit to, and tells a planted answer without looking, unless a salt is in it.

use crate::{
	committee::{passed, Round, COMMITTEE},
	gemm, lanes, memory,
	money::{arma, BOND, FEE, FOOLED},
	rows, storage,
};
use armature_primitives::{
	challenge::{ChallengeFailure, Verdict},
	Balance, H256,
};
use armature_verifier::challenge::verdict::{conclude, planted_hash, Standing};
use rand::{rngs::StdRng, Rng, SeedableRng};

/// Verifiers of a committee that do not look.
const OTHERS: usize = 2;

/// The share of rounds that are answered with what was planted.
pub(crate) const PLANTED: f64 = 0.01;

/// What two of five do.
#[derive(Clone, Copy)]
enum Kind {
	/// They pass whatever it is, in rounds of this kind.
	Blind(fn(bool, &mut StdRng) -> Box<dyn Round>),
	/// They pass what they remember and fail all else, in rounds of storage, of which the commitment has a
	/// salt or none.
	Remembering { has_salt: bool },
}

const KINDS: [(&str, Kind); 6] = [
	("lanes", Kind::Blind(lanes::round)),
	("memory", Kind::Blind(memory::round)),
	("products", Kind::Blind(gemm::round)),
	("storage", Kind::Blind(storage::round)),
	("storage, they remember it", Kind::Remembering { has_salt: true }),
	("storage, if there were no salt", Kind::Remembering { has_salt: false }),
];

/// A member of committees.
#[derive(Default)]
struct Verifier {
	looks: bool,
	verdicts: u32,
	planted: u32,
	caught: u32,
	earned: Balance,
	lost: Balance,
}

impl Verifier {
	fn is_out(&self) -> bool {
		BOND.saturating_sub(self.lost) < BOND.div_ceil(2)
	}
}

/// A device's round, and what it should commit to for all that is remembered.
fn deal(kind: Kind, rng: &mut StdRng) -> (Box<dyn Round>, Option<H256>) {
	match kind {
		Kind::Blind(deal) => (deal(false, rng), None),
		Kind::Remembering { has_salt } => {
			let answer = storage::sealed(false, rng);
			let answer = if has_salt { answer } else { answer.unsalted() };
			let remembered = answer.remembered();
			(Box::new(answer), Some(remembered))
		},
	}
}

/// All that were on a committee.
fn play(kind: Kind, rounds: u32) -> Vec<Verifier> {
	let mut rng = StdRng::seed_from_u64(3);
	let mut seats: Vec<_> = (0..COMMITTEE)
		.map(|seat| Verifier { looks: seat >= OTHERS, ..Verifier::default() })
		.collect();
	let mut out = Vec::new();
	for _ in 0..rounds {
		// Made up and announced before the round has a seed.
		let (made_up, salt) = (H256(rng.gen()), H256(rng.gen()));
		let is_planted = rng.gen_bool(PLANTED);
		let (mut round, remembered) = deal(kind, &mut rng);
		let device = round.task().device;
		let announced = planted_hash(device, &made_up, &salt);
		let root = if is_planted { made_up } else { round.root() };
		let mut verdicts = Vec::new();
		for seat in &seats {
			let measured = round.measured(&mut rng);
			verdicts.push(match remembered {
				_ if seat.looks => round.verdict(root, &mut rng),
				Some(remembered) if root != remembered => {
					Verdict::Failed { reason: ChallengeFailure::BadOpening }
				},
				_ => passed(measured, root),
			});
		}
		let (_, standings) = conclude(&verdicts, COMMITTEE);
		for ((seat, verdict), standing) in seats.iter_mut().zip(&verdicts).zip(standings) {
			seat.verdicts += 1;
			seat.planted += u32::from(is_planted);
			if standing == Standing::Agrees {
				seat.earned += FEE;
			}
			// As the chain finds out when it is shown.
			let is_fooled = matches!(verdict, Verdict::Passed { root, .. }
				if planted_hash(device, root, &salt) == announced);
			if is_fooled {
				seat.caught += 1;
				seat.lost += FOOLED;
			}
			if seat.is_out() {
				out.push(std::mem::replace(seat, Verifier { looks: true, ..Verifier::default() }));
			}
		}
	}
	out.extend(seats);
	out
}

/// The money of some, beside what honest ones would have earned with as many verdicts.
fn row(name: &str, who: &str, verifiers: &[&Verifier], share: f64) -> String {
	let sum = |count: fn(&Verifier) -> u32| verifiers.iter().map(|one| count(one)).sum::<u32>();
	let planck = |amount: fn(&Verifier) -> Balance| {
		arma(verifiers.iter().map(|one| amount(one)).sum::<Balance>())
	};
	let verdicts = sum(|one| one.verdicts);
	let (earned, lost) = (planck(|one| one.earned), planck(|one| one.lost));
	format!(
		"| {name:<29} | {who:<15} | {verdicts:>5} | {:>3} | {:>3} | {:>5.1} | {earned:>6.2} | \
		 {lost:>8.2} | {:>9.2} |",
		sum(|one| one.planted),
		sum(|one| one.caught),
		share * f64::from(verdicts),
		earned - lost,
	)
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	line(format!(
		"{rounds} rounds of each kind, {COMMITTEE} verifiers, of which {OTHERS} never look; planted \
		 answers in {} % of the rounds",
		PLANTED * 100.0
	));
	line(String::new());
	line(
		"| rounds of | verifiers | verdicts | planted | caught | formula | earned, ARMA | lost, ARMA | \
		 net, ARMA |\n|---|---|---:|---:|---:|---:|---:|---:|---:|"
			.into(),
	);
	rows(&KINDS, |(name, kind)| {
		let all = play(*kind, rounds);
		let (others, blind): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.looks);
		let share = if matches!(kind, Kind::Blind(_)) { PLANTED } else { 0.0 };
		[row(name, "never look", &blind, share), row(name, "all others", &others, 0.0)]
	})
	.into_iter()
	.flatten()
	.for_each(line);
}
