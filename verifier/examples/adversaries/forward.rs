//! Devices that forward their work to another machine over a link.
//!
//! What crosses the link is modelled: the task there and the root back, or what parts of a product need of
//! each other; openings are asked for when time does not count any more. Answers are right, and are looked at
//! as all others. What counts is which figure stands, and what the other machine costs: what it would earn if
//! it were enrolled itself.

use crate::{
	chance::mean,
	committee::{median, passed, said, Outcomes, Round, COMMITTEE},
	gemm,
	lanes::{self, MACHINE},
	machine::{Job, Link, Machine, Order},
	memory,
	money::{self, cents, LeftOut, EUR_AN_HOUR},
	rows,
	shared::PART,
};
use armature_primitives::{challenge::Measured, H256};
use rand::{rngs::StdRng, SeedableRng};

/// How many times as fast the other machine is.
const FASTER: u64 = 4;

/// Within a data centre, to one in the same country, and to a home at the other end of the world.
const NEAR: Link = Link { round_trip_micros: 500, megabits: 10_000 };
const FAR: Link = Link { round_trip_micros: 20_000, megabits: 100 };
const FARTHEST: Link = Link { round_trip_micros: 300_000, megabits: 1 };

/// Rows of the products that are split, and how many states: 24 GB.
const SIDE: u64 = 4_096;
const STATES: u64 = 1_350;

/// Who does the work.
#[derive(Clone, Copy)]
enum Where {
	/// The device itself.
	Here,
	/// Another machine, which nobody knows of, for so many identities of different owners.
	Unknown { link: Link, identities: u32 },
	/// Another machine of the same owner that is enrolled too, and starts in the same block.
	Enrolled { link: Link, order: Order },
	/// Another accelerator like the device's, over a link, each half of the rows of every product.
	Split { link: Link },
	/// Memory of another machine, of which so many percent are read over a link.
	Memory { link: Link, percent: u64 },
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
	Lanes,
	Products,
	Memory,
}

const ROWS: [(&str, Kind, Where); 17] = [
	("lanes, here", Kind::Lanes, Where::Here),
	("lanes, to one that is not enrolled, near", Kind::Lanes, unknown(NEAR, 1)),
	("the same, far", Kind::Lanes, unknown(FAR, 1)),
	("the same, farthest", Kind::Lanes, unknown(FARTHEST, 1)),
	("the same, far, for five identities of five owners", Kind::Lanes, unknown(FAR, 5)),
	("lanes, to one of the same owner, in turn", Kind::Lanes, enrolled(Order::InTurn)),
	("the same, its own first", Kind::Lanes, enrolled(Order::OneByOne)),
	("products, here", Kind::Products, Where::Here),
	("products, to one that is not enrolled, far", Kind::Products, unknown(FAR, 1)),
	("products, to one of the same owner, in turn", Kind::Products, enrolled(Order::InTurn)),
	("the same, its own first", Kind::Products, enrolled(Order::OneByOne)),
	("products, half of the rows over 10 Gbit/s", Kind::Products, split(10_000)),
	("the same, over 100 Gbit/s", Kind::Products, split(100_000)),
	("memory, here", Kind::Memory, Where::Here),
	("memory, all of the round to one that is not enrolled, far", Kind::Memory, unknown(FAR, 1)),
	("memory, a twentieth read over a link of 20 µs", Kind::Memory, remote(5)),
	("memory, all of it", Kind::Memory, remote(100)),
];

const fn unknown(link: Link, identities: u32) -> Where {
	Where::Unknown { link, identities }
}

const fn enrolled(order: Order) -> Where {
	Where::Enrolled { link: FAR, order }
}

const fn split(megabits: u64) -> Where {
	Where::Split { link: Link { round_trip_micros: 20, megabits } }
}

const fn remote(percent: u64) -> Where {
	let link = Link { round_trip_micros: 20, megabits: 10_000 };
	Where::Memory { link, percent }
}

/// What the device and, where it is enrolled, the other one take, in microseconds; of memory a read, in
/// nanoseconds, which is no faster elsewhere. `asked` is what crosses the link.
fn takes(kind: Kind, place: Where, asked: &impl codec::Encode) -> (u64, Option<u64>) {
	// A device's lanes, or all products: work that a faster machine does so many times as fast.
	let machine = match kind {
		Kind::Lanes => MACHINE,
		Kind::Products | Kind::Memory => {
			Machine { processors: 1, unit_micros: u64::from(gemm::HONEST_MILLIS) }
		},
	};
	let lanes = match kind {
		Kind::Lanes => vec![lanes::SEGMENTS / 2; 2],
		Kind::Products | Kind::Memory => vec![1_000],
	};
	let over = |link: Link| link.ask_micros(asked, &H256::zero());
	match (kind, place) {
		(Kind::Memory, Where::Memory { link, percent }) => {
			// Each read waits for the one before it.
			let read = memory::READ_NANOS + percent * link.bytes_micros(64) * 2_000 / 100;
			(read, None)
		},
		// A read takes as long elsewhere, and the way is once in a million reads.
		(Kind::Memory, Where::Unknown { link, .. }) => {
			(memory::READ_NANOS + over(link) * 1_000 / (1 << 20), None)
		},
		(Kind::Memory, _) => (memory::READ_NANOS, None),
		(_, Where::Here | Where::Memory { .. }) => (machine.alone(lanes), None),
		(_, Where::Unknown { link, .. }) => (over(link) + machine.times(FASTER).alone(lanes), None),
		(_, Where::Enrolled { link, order }) => {
			let arrives = link.bytes_micros(asked.encoded_size() as u64);
			let own = Job { at_micros: 0, lanes: lanes.clone() };
			let forwarded = Job { at_micros: arrives, lanes };
			let ends = machine.times(FASTER).ends(&[own, forwarded], order);
			(ends[1] + over(link) - arrives, Some(ends[0]))
		},
		(_, Where::Split { link }) => {
			// Half of the last state goes each way before the next product can begin.
			let product = machine.alone(lanes) / STATES;
			((product / 2 + link.bytes_micros(SIDE * SIDE / 2)) * STATES, None)
		},
	}
}

fn measured(kind: Kind, took: u64, rng: &mut StdRng) -> Measured {
	match kind {
		Kind::Lanes => lanes::measured(took, rng),
		Kind::Products => gemm::measured(took / 1_000, rng),
		Kind::Memory => memory::measured(took, rng),
	}
}

fn figure(kind: Kind, measured: Measured) -> Option<f64> {
	match kind {
		Kind::Lanes => lanes::figure(measured),
		Kind::Products => gemm::figure(measured),
		Kind::Memory => memory::figure(measured),
	}
}

/// What stands of a machine that takes so long, and answers rightly.
fn standing(kind: Kind, took: u64, root: H256, rng: &mut StdRng) -> f64 {
	let verdicts = [(); COMMITTEE].map(|()| passed(measured(kind, took, rng), root));
	median(&verdicts)
		.and_then(|measured| figure(kind, measured))
		.unwrap_or_default()
}

#[derive(Default)]
struct Tally {
	outcomes: Outcomes,
	shown: f64,
	other: Option<f64>,
	/// What the other machine would earn, or earns less.
	cost: f64,
}

fn play(kind: Kind, place: Where, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(9);
	let mut tally = Tally::default();
	for _ in 0..rounds {
		let mut round: Box<dyn Round> = match kind {
			Kind::Lanes => lanes::round(false, &mut rng),
			Kind::Products => gemm::round(false, &mut rng),
			Kind::Memory => memory::round(false, &mut rng),
		};
		let root = round.root();
		let (took, other) = takes(kind, place, round.task());
		let verdicts = [(); COMMITTEE].map(|()| {
			let measured = measured(kind, took, &mut rng);
			said(round.look(root, &mut rng), measured, root)
		});
		let mut shown = 0.0;
		let result = tally.outcomes.enter(&verdicts, |measured| {
			shown = figure(kind, measured)?;
			Some(shown)
		});
		tally.outcomes.books.enter(result, 0.0, LeftOut::default());
		tally.shown += shown;
		if let Some(other) = other {
			let shown = standing(kind, other, root, &mut rng);
			tally.other = Some(tally.other.unwrap_or_default() + shown);
		}
	}
	let hours = money::hours(rounds);
	// What the other machine would show if it did nothing else.
	let mut full = |place| {
		let (took, _) = takes(kind, place, &());
		let all = (0..rounds).map(|_| standing(kind, took, H256::zero(), &mut rng));
		mean(all.sum(), rounds)
	};
	match place {
		Where::Here => {},
		Where::Unknown { identities, .. } => {
			tally.cost = full(unknown(Link::NONE, 1)) * hours * EUR_AN_HOUR;
			tally
				.outcomes
				.books
				.add(0.0, f64::from(identities - 1) * tally.outcomes.books.earned);
		},
		Where::Enrolled { .. } => {
			let shown = mean(tally.other.unwrap_or_default(), rounds);
			tally.cost = (full(unknown(Link::NONE, 1)) - shown) * hours * EUR_AN_HOUR;
		},
		Where::Split { .. } | Where::Memory { .. } => {
			tally.cost = full(Where::Here) * hours * EUR_AN_HOUR;
		},
	}
	tally
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	let played = rounds.div_ceil(PART);
	line(format!(
		"{played} rounds each, {COMMITTEE} verifiers, of devices that forward what they should do to a machine \
		 {FASTER} times as fast"
	));
	line(String::new());
	line(
		"| work, and where it is done | found | failed | shows, of an honest one | the other shows | earned \
		 more, EUR | the other one's earnings lost, EUR | net, EUR |\n|---|---:|---:|---:|---:|---:|---:|---:|"
			.into(),
	);
	rows(&ROWS, |(name, kind, place)| {
		let tally = play(*kind, *place, played);
		let earned = tally.outcomes.books.earned;
		let [earned, cost, net] = [earned, tally.cost, earned - tally.cost].map(cents);
		format!(
			"| {name:<57} | {} | {:.2} | {} | {earned:>7.2} | {cost:>7.2} | {net:>7.2} |",
			tally.outcomes.shares(),
			mean(tally.shown, played),
			tally.other.map_or("-".to_string(), |sum| format!("{:.2}", mean(sum, played))),
		)
	})
	.into_iter()
	.for_each(line);
}
