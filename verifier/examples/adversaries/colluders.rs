//! Two of five verifiers that collude, in rounds of all kinds. The others look, and decide.

use crate::{
	chance::percent,
	committee::{passed, Outcomes, Round, COMMITTEE},
	gemm, lanes, memory,
	money::{arma, cents, LeftOut, FEE},
	network, rows, storage,
};
use armature_primitives::{
	challenge::{ChallengeFailure, Measured, Verdict},
	Balance,
};
use armature_verifier::challenge::verdict::{conclude, Standing};
use rand::{rngs::StdRng, SeedableRng};

/// Verifiers that collude.
const COLLUDERS: usize = 2;

/// What they do instead of looking.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Collusion {
	/// They say that an honest device passed with half of the times and twice the rates.
	Flatter,
	/// They pass a device that made up a third of its work, or of its data all.
	Pass,
	/// They fail an honest device.
	Harm,
}

const COLLUSIONS: [(&str, Collusion); 3] = [
	("flatter an honest device", Collusion::Flatter),
	("pass a cheat", Collusion::Pass),
	("fail an honest device", Collusion::Harm),
];

/// What makes a round of a kind, honest or not.
type Deal = fn(bool, &mut StdRng) -> Box<dyn Round>;

/// How much of an honest device's figure was measured.
type Figure = fn(Measured) -> Option<f64>;

const KINDS: [(&str, Deal, Figure); 5] = [
	("lanes", lanes::round, lanes::figure),
	("memory", memory::round, memory::figure),
	("products", gemm::round, gemm::figure),
	("storage", storage::round, |_| Some(1.0)),
	("ways", network::round, rate_figure),
];

/// The rate of the median beside that of an honest one.
fn rate_figure(measured: Measured) -> Option<f64> {
	match measured {
		Measured::Network { up_kbps, .. } => Some(f64::from(up_kbps) / 20_000.0),
		_ => None,
	}
}

fn flattered(measured: Measured) -> Measured {
	match measured {
		Measured::Cpu { elapsed_millis } => Measured::Cpu { elapsed_millis: elapsed_millis / 2 },
		Measured::Gemm { elapsed_millis } => Measured::Gemm { elapsed_millis: elapsed_millis / 2 },
		Measured::Memory { fill_millis, read_nanos } => {
			Measured::Memory { fill_millis: fill_millis / 2, read_nanos: read_nanos / 2 }
		},
		Measured::Storage { answer_millis, read_millis } => {
			Measured::Storage { answer_millis, read_millis: read_millis / 2 }
		},
		Measured::Network { answer_millis, round_trip_micros, up_kbps, down_kbps } => {
			Measured::Network {
				answer_millis,
				round_trip_micros: round_trip_micros / 2,
				up_kbps: up_kbps * 2,
				down_kbps: down_kbps * 2,
			}
		},
	}
}

#[derive(Default)]
struct Tally {
	outcomes: Outcomes,
	colluders_paid: u32,
	others_paid: u32,
}

fn play(deal: Deal, figure: Figure, collusion: Collusion, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(5);
	let mut tally = Tally::default();
	for _ in 0..rounds {
		let mut round = deal(collusion == Collusion::Pass, &mut rng);
		let root = round.root();
		let mut verdicts: Vec<Verdict> = Vec::new();
		for seat in 0..COMMITTEE {
			let measured = round.measured(&mut rng);
			verdicts.push(match collusion {
				_ if seat >= COLLUDERS => round.verdict(root, &mut rng),
				Collusion::Flatter => passed(flattered(measured), root),
				Collusion::Pass => passed(measured, root),
				Collusion::Harm => Verdict::Failed { reason: ChallengeFailure::WrongResult },
			});
		}
		let result = tally.outcomes.enter(&verdicts, figure);
		tally.outcomes.books.enter(result, 0.0, LeftOut::default());
		let (_, standings) = conclude(&verdicts, COMMITTEE);
		for (seat, standing) in standings.iter().enumerate() {
			let paid =
				if seat < COLLUDERS { &mut tally.colluders_paid } else { &mut tally.others_paid };
			*paid += u32::from(*standing == Standing::Agrees);
		}
	}
	tally
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	line(format!("{rounds} rounds of each kind, {COLLUDERS} of {COMMITTEE} verifiers collude"));
	line(String::new());
	line(
		"| two of five | kind | failed | device's earnings, EUR | colluders paid | lost by each, ARMA | \
		 others paid |\n|---|---|---:|---:|---:|---:|---:|"
			.into(),
	);
	let all: Vec<_> = COLLUSIONS
		.iter()
		.flat_map(|collusion| KINDS.iter().map(move |kind| (collusion, kind)))
		.collect();
	rows(&all, |((name, collusion), (kind, deal, figure))| {
		let tally = play(*deal, *figure, *collusion, rounds);
		let (colluders, others) = (COLLUDERS as u32, (COMMITTEE - COLLUDERS) as u32);
		let unpaid = rounds * colluders - tally.colluders_paid;
		format!(
			"| {name:<24} | {kind:<8} | {:>6.2} % | {:>7.2} | {:>6.2} % | {:>5.2} | {:>6.2} % |",
			percent(rounds - tally.outcomes.passes(), rounds),
			cents(tally.outcomes.books.earned),
			percent(tally.colluders_paid, rounds * colluders),
			arma(Balance::from(unpaid) * FEE) / f64::from(colluders),
			percent(tally.others_paid, rounds * others),
		)
	})
	.into_iter()
	.for_each(line);
}
