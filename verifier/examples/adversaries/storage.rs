//! Rounds of storage.

mod device;
mod graph;

use crate::{
	chance::{majority, miss, percent},
	COMMITTEE,
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, StorageChallenge, Verdict, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::{
	storage::{
		check_sealed, check_stored, committed_root, sample_sealed, sample_storage, sector_key,
		SealedOpening, SealedStorage, StoredBlock, DEFAULT_COMPRESSIONS, DEFAULT_SECTOR_BLOCKS,
	},
	task_hash,
	verdict::{conclude, Conclusion},
};
use codec::{Decode, DecodeAll, Encode};
use device::{place_of, Again, Sealed, BLOCKS, SECTOR, SECTORS};
use graph::Graph;
use rand::{rngs::StdRng, seq::index, Rng, RngCore, SeedableRng};
use std::{collections::BTreeSet, thread};

/// What a round asks for.
const STORAGE: StorageChallenge = StorageChallenge {
	sectors: SECTORS,
	blocks: SECTOR.blocks,
	compressions: SECTOR.compressions,
	commit_millis: 10_000,
	read_millis: 5_000,
};

/// Blocks that a verifier has read in time.
const READ_SAMPLES: u32 = 24;

/// Blocks that it fills again.
const SEALED_SAMPLES: u32 = 12;

/// Rounds for which a device seals once; then there is another chain.
const ROUNDS_A_SEAL: u32 = 50;

/// A compression.
const COMPRESSION_NANOS: u64 = 400;

/// A block of a sector on chain, made again.
const BLOCK_NANOS: u64 = COMPRESSION_NANOS * DEFAULT_COMPRESSIONS as u64;

/// Blocks of a sector on chain for each that a sector has here.
const SCALE: u64 = DEFAULT_SECTOR_BLOCKS as u64 / SECTOR.blocks as u64;

/// A block with its path from a disk that turns, twice 8 ms for each, and the way to the verifier.
const READ_MICROS: u64 = READ_SAMPLES as u64 * 2 * 8_000 + 50_000;

/// Whoever is late is late by so much.
const LATE_MICROS: u64 = 1_000_000;

/// Whom sectors are to be sealed for.
const DEVICE: DeviceId = DeviceId(7);

/// The most blocks to be made again for one that is left out by choice.
const MOST_CHOSEN: usize = 30;

/// Blocks on chain that are made in time, one after the other.
const LONGEST_CHAIN: u64 = STORAGE.read_millis as u64 * 1_000_000 / BLOCK_NANOS;

/// The most draws of blocks to read that a device sees of a verifier.
const MAX_DRAWS: u32 = 2;

/// What a device does instead of the work. Shares are of a thousand.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Device {
	Honest,
	/// Makes up such a share of its blocks.
	MakesUp(u32),
	/// Answers with another device's sectors.
	Foreign,
	/// Answers with what it sealed for another chain.
	OtherChain,
	/// Seals one sector, and says that all are like it.
	OneSector,
	/// Opens with bytes.
	Garbage,
	/// Has everything, and takes longer than it may.
	Late,
	/// Answers with what it committed to in another round.
	OtherRound,
	/// Keeps all but such a share, left out by lot, and makes those again that are asked for.
	LeavesOutByLot(u32),
	/// Leaves out such a share at the end of each sector.
	LeavesOutEnds(u32),
	/// The same, and fills it again from the round's block on, with a core and a GiB for each sector.
	FillsEnds(u32),
	/// Leaves out what takes at most [`MOST_CHOSEN`] blocks to be made again.
	LeavesOutChosen,
	/// Leaves out what is made again in chains that are short enough, on many cores at once.
	LeavesOutLayers,
}

const DEVICES: [(&str, Device); 21] = [
	("honest", Device::Honest),
	("makes up 1 % of its blocks", Device::MakesUp(10)),
	("makes up 5 %", Device::MakesUp(50)),
	("makes up 10 %", Device::MakesUp(100)),
	("makes up 33 %", Device::MakesUp(330)),
	("another device's sectors", Device::Foreign),
	("sectors of another chain", Device::OtherChain),
	("one sector in the place of all", Device::OneSector),
	("garbage", Device::Garbage),
	("late", Device::Late),
	("another round's answer", Device::OtherRound),
	("leaves out 5 %, by lot", Device::LeavesOutByLot(50)),
	("leaves out 10 %, by lot", Device::LeavesOutByLot(100)),
	("leaves out the last 5 % of each sector", Device::LeavesOutEnds(50)),
	("leaves out the last 10 %", Device::LeavesOutEnds(100)),
	("leaves out the last 33 %", Device::LeavesOutEnds(330)),
	("the last 10 %, filled since the block", Device::FillsEnds(100)),
	("the last 13 %, filled since the block", Device::FillsEnds(130)),
	("the last 20 %, filled since the block", Device::FillsEnds(200)),
	("leaves out what takes up to 30 blocks", Device::LeavesOutChosen),
	("leaves out by layers and segments", Device::LeavesOutLayers),
];

const HEAD: &str =
	"| device | found | formula | failed | formula | left out | longest chain | made again for each \
	 block read, on chain | 24 blocks, on chain, s |\n\
	 |---|---:|---:|---:|---:|---:|---:|---:|---:|";

fn task(rng: &mut StdRng) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DEVICE,
		seed: H256(rng.gen()),
		work: Work::Storage(STORAGE),
		deadline: 1,
	}
}

fn share_of(blocks: u32, thousandths: u32) -> u32 {
	(blocks * thousandths + 500) / 1_000
}

fn by_lot(share: u32, rng: &mut StdRng) -> BTreeSet<u32> {
	let count = share_of(BLOCKS, share);
	let drawn = index::sample(rng, BLOCKS as usize, count as usize);
	drawn.into_iter().map(|position| position as u32).collect()
}

fn ends(share: u32) -> impl Iterator<Item = u32> {
	let first = SECTOR.blocks - share_of(SECTOR.blocks, share);
	(0..BLOCKS).filter(move |position| place_of(*position).1 >= first)
}

impl Device {
	/// What it has sealed on the chain that begins with `genesis`.
	fn sealed(self, genesis: &H256, rng: &mut StdRng) -> Sealed {
		let none = BTreeSet::new();
		let own = |number| sector_key(genesis, DEVICE, number);
		match self {
			Device::Honest | Device::Garbage | Device::Late | Device::OtherRound => {
				Sealed::new(own, &none, rng)
			},
			Device::MakesUp(share) => Sealed::new(own, &by_lot(share, rng), rng),
			Device::Foreign => {
				Sealed::new(|number| sector_key(genesis, DeviceId(8), number), &none, rng)
			},
			Device::OtherChain => {
				let genesis = H256(rng.gen());
				Sealed::new(|number| sector_key(&genesis, DEVICE, number), &none, rng)
			},
			Device::OneSector => Sealed::one(&own(0), rng),
			Device::LeavesOutByLot(share) => {
				Sealed::new(own, &none, rng).without(by_lot(share, rng))
			},
			Device::LeavesOutEnds(share) | Device::FillsEnds(share) => {
				Sealed::new(own, &none, rng).without(ends(share))
			},
			Device::LeavesOutChosen => {
				let leave_out = |graph: &mut Graph| graph.leave_out_chosen(MOST_CHOSEN);
				Sealed::new(own, &none, rng).thinned(leave_out)
			},
			Device::LeavesOutLayers => {
				let longest = (LONGEST_CHAIN / SCALE) as u32;
				let leave_out = |graph: &mut Graph| graph.leave_out_layers(longest);
				Sealed::new(own, &none, rng).thinned(leave_out)
			},
		}
	}

	/// Whether what it makes again grows with the sector: long chains, which are a share of it. They are
	/// made in all sectors at once, else one block follows the other.
	fn has_chains(self) -> bool {
		use Device::{FillsEnds, LeavesOutEnds, LeavesOutLayers};
		matches!(self, LeavesOutEnds(_) | FillsEnds(_) | LeavesOutLayers)
	}

	/// How often it has blocks drawn until they can be made in time: whoever makes blocks again breaks the
	/// connection.
	fn draws(self) -> u32 {
		match self {
			Device::LeavesOutByLot(_) | Device::LeavesOutChosen => MAX_DRAWS,
			_ if self.has_chains() => MAX_DRAWS,
			_ => 1,
		}
	}

	/// As how many on chain a block counts that is made again.
	fn scale(self) -> u64 {
		if self.has_chains() {
			SCALE
		} else {
			1
		}
	}

	/// What it takes on chain to make blocks again, in microseconds.
	fn making_micros(self, again: Again) -> u64 {
		let blocks = if self.has_chains() { again.chain.into() } else { again.blocks as u64 };
		self.scale() * blocks * BLOCK_NANOS / 1_000
	}

	/// How long it makes blocks again before they are drawn, in microseconds.
	fn early_micros(self) -> u64 {
		match self {
			Device::FillsEnds(_) => u64::from(STORAGE.commit_millis) * 1_000,
			_ => 0,
		}
	}

	/// What is left of that when they are drawn.
	fn left_micros(self, again: Again) -> u64 {
		self.making_micros(again).saturating_sub(self.early_micros())
	}

	/// Whether blocks come too late for which so much is made again. Whoever makes blocks again has a disk
	/// and a way that take no time.
	fn is_late(self, again: Again) -> bool {
		self == Device::Late || self.left_micros(again) > u64::from(STORAGE.read_millis) * 1_000
	}

	/// How long a verifier waits for what it asked for, in microseconds.
	fn read_micros(self, again: Again) -> u64 {
		match self {
			Device::Late => u64::from(STORAGE.read_millis) * 1_000 + LATE_MICROS,
			_ => READ_MICROS + self.left_micros(again),
		}
	}
}

/// A device in a round.
struct Round<'a> {
	device: Device,
	genesis: H256,
	sealed: &'a Sealed,
	storage: SealedStorage,
	salt: H256,
}

impl<'a> Round<'a> {
	/// Commits to what is sealed.
	fn new(device: Device, genesis: H256, sealed: &'a Sealed, rng: &mut StdRng) -> Self {
		let (task, other, salt) = (task(rng), task(rng), H256(rng.gen()));
		let answered = if device == Device::OtherRound { other } else { task };
		let root = committed_root(&task_hash(&answered), &salt, &sealed.root());
		let storage = SealedStorage::of_round(&task, root).expect("of this kind");
		Self { device, genesis, sealed, storage, salt }
	}

	/// The encoded openings that a verifier gets.
	fn answer<O: Encode>(
		&self,
		wanted: &[(u32, u32)],
		open: impl Fn(&Sealed, (u32, u32), H256) -> O,
		rng: &mut StdRng,
	) -> Vec<u8> {
		if self.device == Device::Garbage {
			let mut bytes = vec![0; 4_096];
			rng.fill_bytes(&mut bytes);
			return bytes;
		}
		let open = |wanted: &(u32, u32)| open(self.sealed, *wanted, self.salt);
		wanted.iter().map(open).collect::<Vec<_>>().encode()
	}

	/// The blocks that a verifier draws, and draws anew as often as the device has it, and what it takes to
	/// make them again.
	fn draw(&self, rng: &mut StdRng) -> (Vec<(u32, u32)>, Again) {
		let mut draws = 1;
		loop {
			let wanted = sample_storage(&H256(rng.gen()), &self.storage, READ_SAMPLES);
			let wanted = wanted.expect("a valid size");
			let again = self.sealed.again(&wanted);
			if draws == self.device.draws() || !self.device.is_late(again) {
				return (wanted, again);
			}
			draws += 1;
		}
	}

	/// What a verifier finds in the blocks that it draws, for which so much is made again.
	fn look(
		&self,
		wanted: &[(u32, u32)],
		again: Again,
		rng: &mut StdRng,
	) -> Result<(), ChallengeFailure> {
		if self.device.is_late(again) {
			return Err(ChallengeFailure::NoAnswer);
		}
		let bytes = self.answer(wanted, Sealed::read, rng);
		let blocks = decoded::<StoredBlock>(&bytes)?;
		if blocks.len() != wanted.len() {
			return Err(ChallengeFailure::Malformed);
		}
		let mut blocks = blocks.iter().zip(wanted);
		blocks.try_for_each(|(block, wanted)| check_stored(&self.storage, *wanted, block))?;
		let wanted = sample_sealed(&H256(rng.gen()), &self.storage, SEALED_SAMPLES);
		let wanted = wanted.expect("a valid size");
		let openings = decoded::<SealedOpening>(&self.answer(&wanted, Sealed::open, rng))?;
		if openings.len() != wanted.len() {
			return Err(ChallengeFailure::Malformed);
		}
		let mut openings = openings.iter().zip(wanted);
		openings.try_for_each(|(opening, wanted)| self.check(wanted, opening))
	}

	fn check(&self, wanted: (u32, u32), opening: &SealedOpening) -> Result<(), ChallengeFailure> {
		check_sealed(&self.genesis, DEVICE, &self.storage, wanted, opening)
	}

	/// All blocks that are refused or late when they are read, and all that are refused when they are
	/// filled again.
	fn wrong(&self) -> (u32, u32) {
		if self.device == Device::Garbage {
			return (BLOCKS, BLOCKS);
		}
		let all = || (0..BLOCKS).map(place_of);
		let is_bad = |wanted: &(u32, u32)| {
			let block = self.sealed.read(*wanted, self.salt);
			let is_late = self.device.is_late(self.sealed.again(&[*wanted]));
			is_late || check_stored(&self.storage, *wanted, &block).is_err()
		};
		let read = all().filter(is_bad).count();
		let is_bad = |wanted: &(u32, u32)| {
			self.check(*wanted, &self.sealed.open(*wanted, self.salt)).is_err()
		};
		(read as u32, all().filter(is_bad).count() as u32)
	}
}

fn decoded<T: Decode>(mut bytes: &[u8]) -> Result<Vec<T>, ChallengeFailure> {
	Vec::decode_all(&mut bytes).map_err(|_| ChallengeFailure::Malformed)
}

#[derive(Default)]
struct Tally {
	/// In the first round.
	wrong: (u32, u32),
	left_out: u64,
	longest_chain: u32,
	made: u64,
	micros: u64,
	found: u32,
	failed: u32,
}

fn play(device: Device, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(4);
	let mut tally = Tally::default();
	let mut genesis = H256(rng.gen());
	let mut sealed = device.sealed(&genesis, &mut rng);
	for number in 0..rounds {
		if number > 0 && number % ROUNDS_A_SEAL == 0 {
			genesis = H256(rng.gen());
			sealed = device.sealed(&genesis, &mut rng);
		}
		let round = Round::new(device, genesis, &sealed, &mut rng);
		if number == 0 {
			tally.wrong = round.wrong();
		}
		tally.left_out += u64::from(sealed.left_out());
		tally.longest_chain = tally.longest_chain.max(sealed.longest_chain());
		let verdicts = [(); COMMITTEE].map(|()| verdict(&round, &mut tally, &mut rng));
		let conclusion = conclude(&verdicts, COMMITTEE).0;
		tally.failed += u32::from(matches!(conclusion, Conclusion::Failed { .. }));
	}
	tally
}

/// What a verifier says.
fn verdict(round: &Round<'_>, tally: &mut Tally, rng: &mut StdRng) -> Verdict {
	let (wanted, again) = round.draw(rng);
	let micros = round.device.read_micros(again);
	tally.made += round.device.scale() * again.blocks as u64;
	tally.micros += micros;
	match round.look(&wanted, again, rng) {
		Ok(()) => {
			let read_millis = u32::try_from(micros.div_ceil(1_000)).expect("some seconds");
			let measured = Measured::Storage { answer_millis: 100, read_millis };
			crate::passed(measured, round.storage.root)
		},
		Err(reason) => {
			tally.found += 1;
			Verdict::Failed { reason }
		},
	}
}

fn row(name: &str, device: Device, tally: &Tally, rounds: u32) -> String {
	let (read, sealed) = tally.wrong;
	let late = 1.0 - miss(BLOCKS, read, READ_SAMPLES);
	let draws = device.draws() as i32;
	let missed = (1.0 - late.powi(draws)) * miss(BLOCKS, sealed, SEALED_SAMPLES);
	let verdicts = rounds * COMMITTEE as u32;
	let of_verdicts = |sum: u64| sum as f64 / f64::from(verdicts.max(1));
	let chain = device.has_chains().then(|| percent(tally.longest_chain, SECTOR.blocks));
	format!(
		"| {name:<38} | {:>6.2} % | {:>6.2} % | {:>6.2} % | {:>6.2} % | {:>4.1} % | {:>7} | \
		 {:>8.2} | {:>5.2} |",
		percent(tally.found, verdicts),
		(1.0 - missed) * 100.0,
		percent(tally.failed, rounds),
		majority(1.0 - missed) * 100.0,
		tally.left_out as f64 / f64::from(rounds.max(1)) / f64::from(BLOCKS) * 100.0,
		chain.map_or("-".to_string(), |chain| format!("{chain:.2} %")),
		of_verdicts(tally.made) / f64::from(READ_SAMPLES),
		of_verdicts(tally.micros) / 1e6,
	)
}

/// What layers and segments leave out of a sector as large as on chain, where there are parents farther
/// off.
fn layers_on_chain() -> String {
	let mut rng = StdRng::seed_from_u64(5);
	let mut graph = Graph::drawn(DEFAULT_SECTOR_BLOCKS, &mut rng);
	graph.leave_out_layers(LONGEST_CHAIN as u32);
	let mut made = BTreeSet::new();
	for at in index::sample(&mut rng, DEFAULT_SECTOR_BLOCKS as usize, READ_SAMPLES as usize) {
		graph.make(at as u32, usize::MAX, &mut made);
	}
	format!(
		"by layers and segments, in a sector of {DEFAULT_SECTOR_BLOCKS} blocks: {:.1} % left out, the \
		 longest chain {:.2} %, made again for {READ_SAMPLES} blocks {}",
		percent(graph.left_out(), DEFAULT_SECTOR_BLOCKS),
		percent(graph.longest_chain(), DEFAULT_SECTOR_BLOCKS),
		made.len(),
	)
}

pub(crate) fn print(rounds: u32, line: &mut impl FnMut(String)) {
	line(format!(
		"{rounds} rounds of storage each, {COMMITTEE} verifiers, {READ_SAMPLES} and {SEALED_SAMPLES} \
		 samples of {BLOCKS} blocks in {SECTORS} sectors, not put back"
	));
	line(String::new());
	line(HEAD.into());
	thread::scope(|scope| {
		let rows = DEVICES.map(|(name, device)| {
			let tally = scope.spawn(move || play(device, rounds));
			(name, device, tally)
		});
		for (name, device, tally) in rows {
			let tally = tally.join().expect("all rounds are played");
			line(row(name, device, &tally, rounds));
		}
	});
	line(String::new());
	line(layers_on_chain());
}
