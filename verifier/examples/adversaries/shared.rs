//! One machine behind several identities, in rounds of lanes.
//!
//! Of one owner: all start in one block, and the machine's processors run the lanes of all of them
//! ([`crate::machine`]). What they show is the sum of their speeds beside that of the machine.
//!
//! Of two owners: each is drawn alone, in any block with the same probability but while it rests. They meet
//! when one begins while the other one works. Starts are drawn block by block, a thousand times as many as
//! there are rounds, since meetings are rare.

use crate::{
	chance::{mean, percent},
	committee::{said, Outcomes, COMMITTEE},
	lanes::{self, MACHINE, SEGMENTS},
	machine::{Job, Order},
	money::{self, LeftOut},
	rows,
};
use armature_primitives::challenge::Verdict;
use rand::{rngs::StdRng, Rng, SeedableRng};

/// Of how many rounds one is played with all of its answers.
pub(crate) const PART: u32 = 10;

const BLOCK_MILLIS: u64 = 3_000;

/// Blocks in which an owner is hit with its share: `round_interval_blocks`.
const INTERVAL_BLOCKS: f64 = 200.0;

/// The share of a new owner, or one in doubt, and the one of an owner with good history: `max_share` and
/// `min_share`.
const NEW: f64 = 0.111_112;
const GOOD: f64 = 0.006_944;

/// For how long a device rests, in times of its round: `max_load` is a hundredth.
const REST: u64 = 100;

/// How many starts are drawn for each round that is played.
const DRAWN: u32 = 1_000;

const ONE_OWNER: [(&str, usize, Order); 6] = [
	("one", 1, Order::InTurn),
	("two, in turn", 2, Order::InTurn),
	("two, one after the other", 2, Order::OneByOne),
	("three, one after the other", 3, Order::OneByOne),
	("seven, in turn", 7, Order::InTurn),
	("seven, one after the other", 7, Order::OneByOne),
];

const TWO_OWNERS: [(&str, f64, f64); 3] = [
	("both new", NEW, NEW),
	("one new, one with good history", NEW, GOOD),
	("both with good history", GOOD, GOOD),
];

/// All lanes of a round.
fn job(at_micros: u64) -> Job {
	let lanes = vec![SEGMENTS / MACHINE.processors as u32; MACHINE.processors];
	Job { at_micros, lanes }
}

/// What identities of one owner that share a machine show: seconds of the first and of the last, and the sum
/// of all figures.
struct Shown {
	outcomes: Outcomes,
	seconds: (f64, f64),
	sum: f64,
}

fn of_one_owner(identities: usize, order: Order, rounds: u32) -> Shown {
	let mut rng = StdRng::seed_from_u64(6);
	let ends = MACHINE.ends(&vec![job(0); identities], order);
	let mut shown = Shown { outcomes: Outcomes::default(), seconds: (0.0, 0.0), sum: 0.0 };
	for _ in 0..rounds {
		let mut sum = 0.0;
		for micros in &ends {
			let mut round = lanes::round(false, &mut rng);
			let root = round.root();
			let verdicts: [Verdict; COMMITTEE] = [(); COMMITTEE].map(|()| {
				let measured = lanes::measured(*micros, &mut rng);
				said(round.look(root, &mut rng), measured, root)
			});
			shown.outcomes.enter(&verdicts, |measured| {
				let figure = lanes::figure(measured)?;
				sum += figure;
				Some(figure)
			});
		}
		shown.sum += sum;
		// Beside one honest device: the sum counts as its figure, and the machine works longer.
		let busy = ends.iter().max().copied().unwrap_or_default() as f64 / 1e6;
		let spared = MACHINE.alone(job(0).lanes) as f64 / 1e6 - busy;
		let result = money::Result::Passed(sum);
		shown.outcomes.books.enter(result, spared, LeftOut::default());
	}
	let seconds = |micros: Option<&u64>| micros.copied().unwrap_or_default() as f64 / 1e6;
	shown.seconds = (seconds(ends.first()), seconds(ends.iter().max()));
	shown
}

/// Blocks of a round, and of a rest from its block on.
fn round_blocks() -> (u64, u64) {
	let millis = MACHINE.alone(job(0).lanes) / 1_000;
	(millis.div_ceil(BLOCK_MILLIS), (REST * millis).div_ceil(BLOCK_MILLIS))
}

/// Blocks in which an owner of this share starts, up to a block.
struct Starts {
	hit: f64,
	next: u64,
}

impl Starts {
	fn new(share: f64, rng: &mut StdRng) -> Self {
		let mut starts = Self { hit: share / INTERVAL_BLOCKS, next: 0 };
		starts.next = starts.wait(rng);
		starts
	}

	/// How many blocks it is not hit in, and the one in which it is.
	fn wait(&self, rng: &mut StdRng) -> u64 {
		let lot: f64 = 1.0 - rng.gen::<f64>();
		(lot.ln() / (1.0 - self.hit).ln()).floor() as u64 + 1
	}

	fn advance(&mut self, rng: &mut StdRng) {
		self.next += round_blocks().1 + self.wait(rng) - 1;
	}

	/// Starts in a block.
	fn rate(share: f64) -> f64 {
		1.0 / (INTERVAL_BLOCKS / share + round_blocks().1 as f64 - 1.0)
	}
}

/// What two owners of one machine meet with.
struct Met {
	met: u32,
	blocks: u64,
	/// Seconds of all rounds that met another one.
	seconds: f64,
}

fn of_two_owners(one: f64, other: f64, starts: u32) -> Met {
	let mut rng = StdRng::seed_from_u64(7);
	let (mut of_one, mut of_other) = (Starts::new(one, &mut rng), Starts::new(other, &mut rng));
	let works = round_blocks().0;
	let mut met = Met { met: 0, blocks: 0, seconds: 0.0 };
	for _ in 0..starts {
		let at = of_one.next;
		while of_other.next + works <= at {
			of_other.advance(&mut rng);
		}
		if of_other.next < at + works {
			met.met += 1;
			let [one, other] = [at, of_other.next]
				.map(|block| (block - at.min(of_other.next)) * BLOCK_MILLIS * 1_000);
			let ends = MACHINE.ends(&[job(one), job(other)], Order::InTurn);
			met.seconds += (ends[0] - one) as f64 / 1e6;
		}
		met.blocks = at;
		of_one.advance(&mut rng);
	}
	met
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	let played = rounds.div_ceil(PART);
	line(format!("{played} rounds of lanes each, {COMMITTEE} verifiers; identities of one owner"));
	line(String::new());
	line(format!(
		"| identities on one machine | found | failed | the first, s | the last, s | all show, of one machine \
		 | {} |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|",
		money::HEAD
	));
	rows(&ONE_OWNER, |(name, identities, order)| {
		let Shown { outcomes, seconds, sum } = of_one_owner(*identities, *order, played);
		format!(
			"| {name:<26} | {} | {:.1} | {:.1} | {:.2} | {} |",
			outcomes.shares(),
			seconds.0,
			seconds.1,
			mean(sum, played),
			outcomes.books.columns(),
		)
	})
	.into_iter()
	.for_each(&mut *line);
	let starts = rounds.saturating_mul(DRAWN);
	line(String::new());
	line(format!("{starts} rounds drawn of the first of two owners that share a machine"));
	line(String::new());
	line(
		"| owners | rounds a day | of the other | meet, of 10,000 rounds | formula | days between | formula \
		 | a round that meets, s | earned more, EUR |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
			.into(),
	);
	rows(&TWO_OWNERS, |(name, one, other)| {
		let Met { met, blocks, seconds } = of_two_owners(*one, *other, starts);
		let per_day = 86_400_000.0 / BLOCK_MILLIS as f64;
		// The other one starts in the same block, or in one of those before and after in which it still works.
		let near = (2 * round_blocks().0 - 1) as f64;
		let formula = near * Starts::rate(*other);
		let between = blocks as f64 / per_day / f64::from(met.max(1));
		// The second identity earns what an honest device does, but for rounds that meet.
		let shown = MACHINE.alone(job(0).lanes) as f64 / 1e6 / mean(seconds, met.max(1));
		let share = percent(met, starts) / 100.0;
		let lost = if met == 0 { 0.0 } else { share * (1.0 - shown) };
		let earned = money::hours(rounds) * money::EUR_AN_HOUR * (1.0 - 2.0 * lost);
		format!(
			"| {name:<30} | {:.2} | {:.2} | {:.2} | {:.2} | {between:.0} | {:.0} | {:.1} | {earned:.2} |",
			Starts::rate(*one) * per_day,
			Starts::rate(*other) * per_day,
			percent(met, starts) * 100.0,
			formula * 1e4,
			1.0 / (Starts::rate(*one) * per_day * formula),
			mean(seconds, met),
		)
	})
	.into_iter()
	.for_each(line);
}
