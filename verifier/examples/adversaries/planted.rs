//! Verifiers that never look, and answers planted for them, in rounds of memory.

use crate::{
	memory::{self, Memory},
	COMMITTEE,
};
use armature_primitives::{
	challenge::{ChallengeTask, Verdict},
	Balance, H256,
};
use armature_verifier::challenge::{
	fill::FillOpening,
	memory::{Walk, WalkOpening},
	verdict::{conclude, planted_hash, Standing},
};
use codec::Encode;
use rand::{rngs::StdRng, Rng, SeedableRng};

/// Verifiers of a committee that never look.
const BLIND: usize = 2;

/// The share of rounds that are answered with what was planted.
const PLANTED: f64 = 0.01;

const ARMA: Balance = 1_000_000_000_000;

/// What a verifier bonds.
const BOND: Balance = 10_000 * ARMA;

/// What a verdict earns.
const FEE: Balance = ARMA / 100;

/// What it costs to have passed a planted answer.
const PENALTY: Balance = 1_000 * ARMA;

const HEAD: &str =
	"| verifiers | verdicts | planted | caught | formula | earned, ARMA | lost, ARMA | \
	 net, ARMA |\n\
	 |---|---:|---:|---:|---:|---:|---:|---:|";

/// A member of committees.
#[derive(Default)]
struct Verifier {
	is_blind: bool,
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

/// Nanoseconds of a read, which all have, whether they look or not.
fn timed(rng: &mut StdRng) -> u32 {
	memory::read_nanos(memory::walk_nanos(0), rng)
}

/// What a verifier says that looks. Where there is no memory, the answer is planted, and nothing is
/// opened.
fn looked(task: &ChallengeTask, root: H256, memory: Option<&Memory>, rng: &mut StdRng) -> Verdict {
	let key = H256(rng.gen());
	let nanos = timed(rng);
	let Some(memory) = memory else {
		let walk = Walk::of_task(task, key, root, H256(rng.gen())).expect("a task of memory");
		let (segments, blocks) = (Vec::<WalkOpening>::new(), Vec::<FillOpening>::new());
		return memory::verdict(&walk, nanos, rng, |_| segments.encode(), |_| blocks.encode());
	};
	let walked = memory.walk(task, key, None);
	memory::verdict(
		&walked.walk,
		nanos,
		rng,
		|wanted| memory::open_walk(&walked, memory, wanted),
		|wanted| memory::open_blocks(memory, wanted),
	)
}

/// All that were on a committee.
fn play(rounds: u32) -> Vec<Verifier> {
	let mut rng = StdRng::seed_from_u64(3);
	let mut seats: Vec<_> = (0..COMMITTEE)
		.map(|seat| Verifier { is_blind: seat < BLIND, ..Verifier::default() })
		.collect();
	let mut out = Vec::new();
	for _ in 0..rounds {
		// Made up and announced before the round has a seed.
		let (made_up, salt) = (H256(rng.gen()), H256(rng.gen()));
		let is_planted = rng.gen_bool(PLANTED);
		let task = memory::task(&mut rng);
		let announced = planted_hash(task.device, &made_up, &salt);
		let held = (!is_planted).then(|| Memory::filled(memory::key_of(&task)));
		let root = held.as_ref().map_or(made_up, Memory::root);
		let mut verdicts = Vec::new();
		for seat in &seats {
			verdicts.push(if seat.is_blind {
				memory::passed(timed(&mut rng), root)
			} else {
				looked(&task, root, held.as_ref(), &mut rng)
			});
		}
		let (_, standings) = conclude(&verdicts, COMMITTEE);
		for ((seat, verdict), standing) in seats.iter_mut().zip(&verdicts).zip(standings) {
			seat.verdicts += 1;
			seat.planted += u32::from(is_planted);
			if standing == Standing::Agrees {
				seat.earned += FEE;
			}
			if is_fooled(verdict, &task, &announced, &salt) {
				seat.caught += 1;
				seat.lost += PENALTY;
			}
			if seat.is_out() {
				out.push(std::mem::take(seat));
			}
		}
	}
	out.extend(seats);
	out
}

/// Whether a verdict passed what was announced, as the chain finds out when it is shown.
fn is_fooled(verdict: &Verdict, task: &ChallengeTask, announced: &H256, salt: &H256) -> bool {
	match verdict {
		Verdict::Passed { root, .. } => planted_hash(task.device, root, salt) == *announced,
		Verdict::Failed { .. } => false,
	}
}

fn row(name: &str, verifiers: &[&Verifier], share: f64) -> String {
	let sum = |count: fn(&Verifier) -> u32| verifiers.iter().map(|one| count(one)).sum::<u32>();
	let arma = |amount: fn(&Verifier) -> Balance| {
		let planck: Balance = verifiers.iter().map(|one| amount(one)).sum();
		planck as f64 / ARMA as f64
	};
	let verdicts = sum(|one| one.verdicts);
	let (earned, lost) = (arma(|one| one.earned), arma(|one| one.lost));
	format!(
		"| {name:<31} | {verdicts:>5} | {:>3} | {:>3} | {:>5.1} | {earned:>6.2} | {lost:>8.2} | \
		 {:>9.2} |",
		sum(|one| one.planted),
		sum(|one| one.caught),
		share * f64::from(verdicts),
		earned - lost,
	)
}

pub(crate) fn print(rounds: u32, line: &mut impl FnMut(String)) {
	let all = play(rounds);
	let (blind, others): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.is_blind);
	line(format!(
		"{rounds} rounds of memory, {COMMITTEE} verifiers, of which {BLIND} never look; planted \
		 answers in {} % of the rounds",
		PLANTED * 100.0
	));
	line(String::new());
	line(HEAD.into());
	line(row("two that never look", &blind, PLANTED));
	line(row("all others", &others, 0.0));
}
