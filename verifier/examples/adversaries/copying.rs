//! Verifiers that copy what another one seals or says, or guess.
//!
//! One of five does not look at all; the others are honest. Seals, signatures and judgement are those of the
//! chain (`seal`, `verify_device`, `conclude`). Which call is taken when is repeated from
//! `pallets/challenges/src/verdicts.rs`: a seal until the deadline and once, a reveal when all have sealed or
//! the deadline has passed; and what is paid and fined from `rounds.rs` there. Rounds are of lanes; nothing of
//! that depends on their kind. One round of a hundred is answered with what was planted.

use crate::{
	chance::percent,
	committee::{Round, COMMITTEE, POWER},
	lanes,
	money::{arma, BOND, FEE, FOOLED, UNREVEALED},
	planted::PLANTED,
};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeFailure, ChallengeTask, Measured, Verdict},
	ed25519::{Public, Signature},
	signing::{device_payload, Domain},
	Balance, RoundId, H256,
};
use armature_verifier::{
	challenge::{
		task_hash,
		verdict::{conclude, planted_hash, seal, Standing},
	},
	signature::verify_device,
};
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_core::{ed25519::Pair, Pair as _};

const GENESIS: H256 = H256([1; 32]);

/// The seat of the one that does not look.
const COPIER: usize = COMMITTEE - 1;

type Account = [u8; 32];

/// What a verifier does that does not look.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Copier {
	/// It does look.
	Honest,
	/// It seals another one's hash, and reveals what that one has revealed.
	CopiesSeal,
	/// It waits until another one has revealed its verdict, and seals that.
	CopiesVerdict,
	/// It seals "failed".
	SaysFailed,
	/// It seals that the device passed, without having asked it: with the signature of its last round.
	GuessesAll,
	/// It takes the device's commitment, and says the time of its last round.
	GuessesTime,
	/// A friend that looks tells it its verdict, before both seal.
	HasFriend,
}

const COPIERS: [(&str, Copier); 7] = [
	("looks", Copier::Honest),
	("copies a seal", Copier::CopiesSeal),
	("copies a verdict that is revealed", Copier::CopiesVerdict),
	("says that all failed", Copier::SaysFailed),
	("passes all, without a commitment", Copier::GuessesAll),
	("passes all, in the last round's time", Copier::GuessesTime),
	("says what a friend tells it", Copier::HasFriend),
];

/// What a seat holds.
#[derive(Clone, Copy, PartialEq)]
enum Seat {
	Empty,
	Sealed(H256),
	Revealed(Verdict),
}

/// A call that the chain does not take.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Refused {
	TooLate,
	TooEarly,
	NotSealed,
	SealBroken,
	ForgedCommitment,
}

/// A round on chain.
struct Board {
	task: ChallengeTask,
	key: Public,
	is_over: bool,
	seats: [Seat; COMMITTEE],
}

fn account(seat: usize) -> Account {
	[seat as u8; 32]
}

impl Board {
	fn new(task: ChallengeTask, key: Public) -> Self {
		Self { task, key, is_over: false, seats: [Seat::Empty; COMMITTEE] }
	}

	fn id(&self) -> RoundId {
		self.task.round
	}

	fn seal(&mut self, seat: usize, hash: H256) -> Result<(), Refused> {
		if self.is_over || self.seats[seat] != Seat::Empty {
			return Err(Refused::TooLate);
		}
		self.seats[seat] = Seat::Sealed(hash);
		Ok(())
	}

	fn reveal(&mut self, seat: usize, verdict: Verdict, salt: &H256) -> Result<(), Refused> {
		let Seat::Sealed(sealed) = self.seats[seat] else { return Err(Refused::NotSealed) };
		if !self.is_over && self.seats.contains(&Seat::Empty) {
			return Err(Refused::TooEarly);
		}
		if seal(self.id(), &account(seat), &verdict, salt) != sealed {
			return Err(Refused::SealBroken);
		}
		if let Verdict::Passed { power, root, signature, .. } = verdict {
			let commit = ChallengeCommit { task: task_hash(&self.task), root, power };
			let (domain, device) = (Domain::ChallengeCommit, self.task.device);
			if !verify_device(domain, &GENESIS, device, &commit, &self.key, &signature) {
				return Err(Refused::ForgedCommitment);
			}
		}
		self.seats[seat] = Seat::Revealed(verdict);
		Ok(())
	}

	/// What the copier earns, what it is fined, and whether its verdict is paid.
	fn close(&self) -> (Balance, Balance, bool) {
		let revealed = self.seats.iter().filter_map(|seat| match seat {
			Seat::Revealed(verdict) => Some(*verdict),
			Seat::Empty | Seat::Sealed(_) => None,
		});
		let verdicts: Vec<Verdict> = revealed.collect();
		let (_, standings) = conclude(&verdicts, COMMITTEE);
		match self.seats[COPIER] {
			// The four others have sealed and revealed.
			Seat::Empty => (0, FEE, false),
			Seat::Sealed(_) => (0, UNREVEALED, false),
			// It sits last, so that its verdict is the last one.
			Seat::Revealed(_) if standings.last() == Some(&Standing::Agrees) => (FEE, 0, true),
			Seat::Revealed(_) => (0, 0, false),
		}
	}
}

/// What a round has for all copiers.
struct Dealt {
	task: ChallengeTask,
	key: Public,
	/// What was answered, which may be planted, and the device's signature.
	root: H256,
	signature: Signature,
	/// What the honest say, and what the copier would.
	verdicts: [Verdict; COMMITTEE],
	salts: [H256; COMMITTEE],
	/// The last round's time, and its signature.
	last: (Measured, Signature),
}

#[derive(Default)]
struct Tally {
	rounds: u32,
	refused: u32,
	paid: u32,
	fooled: u32,
	earned: Balance,
	lost: Balance,
}

impl Tally {
	fn is_out(&self) -> bool {
		BOND.saturating_sub(self.lost) < BOND.div_ceil(2)
	}
}

/// Plays a round with one copier. Returns what it has revealed, and whether the chain refused a call of it.
fn play(copier: Copier, dealt: &Dealt, rng: &mut StdRng) -> (Board, bool) {
	let Dealt { task, key, root, signature, verdicts, salts, last } = dealt;
	let mut board = Board::new(*task, *key);
	for seat in 0..COPIER {
		let hash = seal(board.id(), &account(seat), &verdicts[seat], &salts[seat]);
		board.seal(seat, hash).expect("the first seal in time");
	}
	let passed =
		|measured, root, signature| Verdict::Passed { measured, power: POWER, root, signature };
	let own = match copier {
		Copier::Honest => Some(verdicts[COPIER]),
		Copier::SaysFailed => Some(Verdict::Failed { reason: ChallengeFailure::NoAnswer }),
		Copier::GuessesAll => Some(passed(last.0, H256(rng.gen()), last.1)),
		Copier::GuessesTime => Some(passed(last.0, *root, *signature)),
		Copier::HasFriend => Some(verdicts[0]),
		Copier::CopiesSeal | Copier::CopiesVerdict => None,
	};
	let salt = salts[COPIER];
	let sealed = match (copier, own, board.seats[0]) {
		(_, Some(own), _) => board.seal(COPIER, seal(board.id(), &account(COPIER), &own, &salt)),
		(Copier::CopiesSeal, _, Seat::Sealed(hash)) => board.seal(COPIER, hash),
		_ => Ok(()),
	};
	// Whoever waits for a verdict waits until the deadline: nothing is revealed before all have sealed.
	let early = board.reveal(0, verdicts[0], &salts[0]);
	if early.is_err() {
		board.is_over = true;
		board.reveal(0, verdicts[0], &salts[0]).expect("after the deadline");
	}
	for seat in 1..COPIER {
		board.reveal(seat, verdicts[seat], &salts[seat]).expect("as sealed");
	}
	let revealed = match (own, board.seats[0]) {
		(Some(own), _) => board.reveal(COPIER, own, &salt),
		// What another one has revealed is there for all to see, with its salt.
		(None, Seat::Revealed(verdict)) if copier == Copier::CopiesVerdict => {
			let hash = seal(board.id(), &account(COPIER), &verdict, &salt);
			board.seal(COPIER, hash).and_then(|()| board.reveal(COPIER, verdict, &salt))
		},
		(None, Seat::Revealed(verdict)) => board.reveal(COPIER, verdict, &salts[0]),
		_ => Ok(()),
	};
	(board, sealed.is_err() || revealed.is_err())
}

/// What a device signs in a round.
fn sign(task: &ChallengeTask, root: H256, key: &Pair) -> Signature {
	let commit = ChallengeCommit { task: task_hash(task), root, power: POWER };
	key.sign(&device_payload(Domain::ChallengeCommit, &GENESIS, task.device, &commit))
}

/// The honest verdicts of a round, signed.
fn deal(round: &mut dyn Round, root: H256, last: (Measured, Signature), rng: &mut StdRng) -> Dealt {
	let key = Pair::from_seed(&[7; 32]);
	let task = *round.task();
	let signature = sign(&task, root, &key);
	let verdicts = [(); COMMITTEE].map(|()| match round.verdict(root, rng) {
		Verdict::Passed { measured, power, root, .. } => {
			Verdict::Passed { measured, power, root, signature }
		},
		failed => failed,
	});
	let salts = [(); COMMITTEE].map(|()| H256(rng.gen()));
	Dealt { task, key: key.public(), root, signature, verdicts, salts, last }
}

pub(crate) fn print(rounds: u32, line: &mut dyn FnMut(String)) {
	let mut rng = StdRng::seed_from_u64(8);
	let mut tallies = COPIERS.map(|_| Tally::default());
	let mut last = (Measured::Cpu { elapsed_millis: 12_200 }, Signature::from_raw([0; 64]));
	for _ in 0..rounds {
		let (made_up, salt) = (H256(rng.gen()), H256(rng.gen()));
		let is_planted = rng.gen_bool(PLANTED);
		let mut round = lanes::round(false, &mut rng);
		let device = round.task().device;
		let announced = planted_hash(device, &made_up, &salt);
		let root = if is_planted { made_up } else { round.root() };
		let dealt = deal(round.as_mut(), root, last, &mut rng);
		for ((_, copier), tally) in COPIERS.iter().zip(&mut tallies) {
			if tally.is_out() {
				continue;
			}
			let (board, is_refused) = play(*copier, &dealt, &mut rng);
			let (earned, lost, is_paid) = board.close();
			let is_fooled = matches!(board.seats[COPIER], Seat::Revealed(Verdict::Passed { root, .. })
				if planted_hash(device, &root, &salt) == announced);
			tally.rounds += 1;
			tally.refused += u32::from(is_refused);
			tally.paid += u32::from(is_paid);
			tally.fooled += u32::from(is_fooled);
			tally.earned += earned;
			tally.lost += lost + if is_fooled { FOOLED } else { 0 };
		}
		if let Verdict::Passed { measured, signature, .. } = dealt.verdicts[0] {
			last = (measured, signature);
		}
	}
	table(rounds, &tallies, line);
}

fn table(rounds: u32, tallies: &[Tally], line: &mut dyn FnMut(String)) {
	line(format!(
		"{rounds} rounds of lanes, one of {COMMITTEE} verifiers does not look; planted answers in {} % of \
		 the rounds",
		PLANTED * 100.0
	));
	line(String::new());
	line(
		"| the fifth | rounds | refused by the chain | paid | planted answers passed | earned, ARMA | lost, \
		 ARMA | net, ARMA |\n|---|---:|---:|---:|---:|---:|---:|---:|"
			.into(),
	);
	for ((name, _), tally) in COPIERS.iter().zip(tallies) {
		let Tally { rounds, refused, paid, fooled, .. } = *tally;
		let (earned, lost) = (arma(tally.earned), arma(tally.lost));
		line(format!(
			"| {name:<36} | {rounds} | {:>6.2} % | {:>6.2} % | {fooled} | {earned:>6.2} | {lost:>8.2} | {:>8.2} |",
			percent(refused, rounds),
			percent(paid, rounds),
			earned - lost,
		));
	}
}
