//! Rounds about the way to verifiers: devices, and verifiers that lie.
//!
//! Liars: a device of 100 Mbit/s shares it out to five verifiers, whose ways to it differ by a fifth. What
//! stands is held beside the truth, and beside what a committee could do otherwise: the sum of all rates
//! without the largest, and the shortest round trip. A liar that the others' median shows up is not paid.

mod device;

pub(crate) use device::round;

use crate::{
	chance::{mean, percent},
	committee::{self, passed, Outcomes, Round, COMMITTEE},
	money::{self, arma, LeftOut, FEE},
	rows,
};
use armature_primitives::{challenge::Verdict, Balance, H256};
use armature_verifier::challenge::{
	network::{nearest, together},
	verdict::{conclude, Standing},
};
use device::{measured, Answer, Device};
use rand::{rngs::StdRng, Rng, SeedableRng};

/// What all verifiers together could move, in kilobits per second.
const CONNECTION: u32 = 100_000;

const DEVICES: [(&str, Device, f64); 7] = [
	("honest", Device::Honest, 0.0),
	("echoes of an earlier round", Device::OldEchoes, 1.0),
	("echoes of another device", Device::OtherKey, 1.0),
	("data made ahead", Device::DataMadeAhead, 1.0),
	("receipts made up", Device::ReceiptsMadeUp, 1.0),
	("garbage", Device::Garbage, 1.0),
	("late", Device::Late, 1.0),
];

/// What a liar says instead of what it measured.
#[derive(Clone, Copy)]
enum Lie {
	Times(u32),
	Part(u32),
	Exactly(u32),
}

impl Lie {
	fn of(self, truth: u32) -> u32 {
		match self {
			Lie::Times(factor) => truth.saturating_mul(factor),
			Lie::Part(divisor) => (truth / divisor).max(1),
			Lie::Exactly(lie) => lie,
		}
	}
}

/// Of rates.
const RATES: [(&str, usize, Lie); 7] = [
	("nobody lies", 0, Lie::Times(1)),
	("one says ten times as much", 1, Lie::Times(10)),
	("two say twice as much", 2, Lie::Times(2)),
	("two say ten times as much", 2, Lie::Times(10)),
	("two say all that there is", 2, Lie::Exactly(u32::MAX)),
	("two say half", 2, Lie::Part(2)),
	("two say a hundredth", 2, Lie::Part(100)),
];

/// Of round trips.
const TRIPS: [(&str, usize, Lie); 5] = [
	("nobody lies", 0, Lie::Times(1)),
	("one says 1 µs", 1, Lie::Exactly(1)),
	("two say 1 µs", 2, Lie::Exactly(1)),
	("one says ten times as much", 1, Lie::Times(10)),
	("two say ten times as much", 2, Lie::Times(10)),
];

fn played(device: Device, rounds: u32) -> Outcomes {
	let mut rng = StdRng::seed_from_u64(12);
	let mut outcomes = Outcomes::default();
	for _ in 0..rounds {
		let mut answer = Answer::new(device, &mut rng);
		let root = answer.root();
		let verdicts = [(); COMMITTEE].map(|()| answer.verdict(root, &mut rng));
		let result = outcomes.enter(&verdicts, |_| Some(1.0));
		outcomes.books.enter(result, 0.0, LeftOut::default());
	}
	outcomes
}

/// Means of what stands, and what liars were paid.
#[derive(Default)]
struct Stand {
	/// The sum of the rates.
	rate: f64,
	/// The sum without the largest.
	otherwise: f64,
	nearest: f64,
	shortest: f64,
	median: f64,
	unpaid: u32,
	earned: Balance,
}

/// Rounds in which the first `liars` lie about rates or about round trips.
fn stand(rounds: u32, liars: usize, rate: Lie, trip: Lie) -> Stand {
	let mut rng = StdRng::seed_from_u64(13);
	let mut stand = Stand::default();
	for _ in 0..rounds {
		let shares = [(); COMMITTEE].map(|()| rng.gen_range(90..=110u32));
		let sum: u32 = shares.iter().sum();
		let trips = [(); COMMITTEE].map(|()| rng.gen_range(5_000..50_000u32));
		let said = |truth: u32, seat, lie: Lie| if seat < liars { lie.of(truth) } else { truth };
		let rates: Vec<u32> = (0..COMMITTEE)
			.map(|seat| said(CONNECTION / sum * shares[seat], seat, rate))
			.collect();
		let trips: Vec<u32> = (0..COMMITTEE).map(|seat| said(trips[seat], seat, trip)).collect();
		let verdict = |(trip, rate): (&u32, &u32)| passed(measured(*trip, *rate), H256::zero());
		let verdicts: Vec<Verdict> = trips.iter().zip(&rates).map(verdict).collect();
		let median = committee::median(&verdicts).expect("all have passed it");
		let (_, standings) = conclude(&verdicts, COMMITTEE);
		let share = |kbps: u64| kbps as f64 * 100.0 / f64::from(CONNECTION);
		let all: u64 = rates.iter().map(|rate| u64::from(*rate)).sum();
		let largest = rates.iter().max().copied().unwrap_or_default();
		stand.rate += share(together(&rates).into());
		stand.otherwise += share(all - u64::from(largest));
		stand.nearest += f64::from(nearest(&trips)) / 1e3;
		stand.shortest += f64::from(trips.iter().min().copied().unwrap_or_default()) / 1e3;
		if let armature_primitives::challenge::Measured::Network { round_trip_micros, .. } = median
		{
			stand.median += f64::from(round_trip_micros) / 1e3;
		}
		for standing in standings.iter().take(liars) {
			match standing {
				Standing::Agrees => stand.earned += FEE,
				Standing::Differs => stand.unpaid += 1,
			}
		}
	}
	stand
}

/// How often a liar was not paid, and what each of them earned; an honest one has the fee of each round.
fn money_columns(stand: &Stand, rounds: u32, liars: usize) -> String {
	let honest = arma(Balance::from(rounds) * FEE);
	match liars {
		0 => "- | -".to_string(),
		_ => format!(
			"{:.0} % | {:.2}",
			percent(stand.unpaid, rounds * liars as u32),
			arma(stand.earned) / liars as f64 - honest
		),
	}
}

/// Prints what devices come to, then a row for each lie.
pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	line(format!("{rounds} rounds about the way to verifiers each, {COMMITTEE} verifiers"));
	line(String::new());
	line(format!(
		"| device | {} | {} |\n|---|---:|---:|---:|---:|---:|---:|---:|",
		committee::HEAD,
		money::HEAD
	));
	rows(&DEVICES, |(name, device, found)| {
		let outcomes = played(*device, rounds);
		format!("| {name:<26} | {} | {} |", outcomes.columns(*found), outcomes.books.columns())
	})
	.into_iter()
	.for_each(&mut *line);
	line(String::new());
	line(
		"| of five verifiers, about rates | stands, % of the connection | sum without the largest, % | \
		 liars not paid | earned more by each, ARMA |\n|---|---:|---:|---:|---:|"
			.into(),
	);
	for (name, liars, lie) in RATES {
		let stand = stand(rounds, liars, lie, Lie::Times(1));
		let [rate, otherwise] = [stand.rate, stand.otherwise].map(|sum| mean(sum, rounds));
		let money = money_columns(&stand, rounds, liars);
		line(format!("| {name:<26} | {rate:.1} | {otherwise:.1} | {money} |"));
	}
	line(String::new());
	line(
		"| of five verifiers, about round trips | nearest, ms | shortest, ms | median, ms | liars not paid \
		 | earned more by each, ARMA |\n|---|---:|---:|---:|---:|---:|"
			.into(),
	);
	for (name, liars, lie) in TRIPS {
		let stand = stand(rounds, liars, Lie::Times(1), lie);
		let trips = [stand.nearest, stand.shortest, stand.median].map(|sum| mean(sum, rounds));
		let [nearest, shortest, median] = trips;
		let money = money_columns(&stand, rounds, liars);
		line(format!("| {name:<26} | {nearest:.2} | {shortest:.2} | {median:.2} | {money} |"));
	}
}
