//! What devices do instead of keeping sectors, and what verifiers see of it.

use super::{
	device::{place_of, Again, Sealed, BLOCKS, SECTOR, SECTORS},
	graph::Graph,
};
use crate::{
	committee::{decoded, garbage, Looked, Round, COMMITTEE},
	money::LeftOut,
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, StorageChallenge, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::{
	storage::{
		check_sealed, check_stored, committed_root, sample_sealed, sample_storage, sector_key,
		SealedOpening, SealedStorage, StoredBlock, DEFAULT_COMPRESSIONS, DEFAULT_SECTOR_BLOCKS,
	},
	task_hash,
};
use codec::Encode;
use rand::{rngs::StdRng, seq::index, Rng};
use std::{collections::BTreeSet, rc::Rc};

/// What a round asks for.
const STORAGE: StorageChallenge = StorageChallenge {
	sectors: SECTORS,
	blocks: SECTOR.blocks,
	compressions: SECTOR.compressions,
	commit_millis: 10_000,
	read_millis: 5_000,
};

/// Blocks that a verifier has read in time.
pub(super) const READ_SAMPLES: u32 = 24;

/// Blocks that it fills again.
pub(super) const SEALED_SAMPLES: u32 = 12;

/// A compression.
const COMPRESSION_NANOS: u64 = 400;

/// A block of a sector on chain, made again.
pub(super) const BLOCK_NANOS: u64 = COMPRESSION_NANOS * DEFAULT_COMPRESSIONS as u64;

/// A block with its path from a disk that turns, twice 8 ms for each, and the way to the verifier.
const READ_MICROS: u64 = READ_SAMPLES as u64 * 2 * 8_000 + 50_000;

/// Whoever is late is late by so much.
const LATE_MICROS: u64 = 1_000_000;

/// Whom sectors are to be sealed for.
const DEVICE: DeviceId = DeviceId(7);

/// The most blocks to be made again for one that is left out by choice.
const MOST_CHOSEN: usize = 30;

/// Blocks on chain that are made in time, one after the other.
pub(super) const LONGEST_CHAIN: u64 = STORAGE.read_millis as u64 * 1_000_000 / BLOCK_NANOS;

/// Sectors of 4 TB.
const SECTORS_ON_CHAIN: f64 = 3_725.0;

/// Sectors of which blocks are asked for in a round, at most.
const SECTORS_ASKED: f64 = READ_SAMPLES as f64 * COMMITTEE as f64;

/// Cores that make a sector's blocks again at once, where these are left out by layers (decision 0016).
const CORES_OF_LAYERS: f64 = 11.0;

/// The most draws of blocks to read that a device sees of a verifier.
const MAX_DRAWS: u32 = 2;

/// How long a device may be away before each of them, in milliseconds, as the verifier daemon has it.
const GRACE_MILLIS: u64 = 2_000;

/// What a device does instead of the work. Shares are in percent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Device {
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
	/// The same, and fills it again from the round's block on, with a core and a GiB for each sector. It is away
	/// as long as it may be, and breaks the first draw's connection.
	FillsEnds(u32),
	/// Keeps nothing but what it commits to, and comes back when it has filled all of it.
	StaysAway,
	/// Leaves out what takes at most [`MOST_CHOSEN`] blocks to be made again.
	LeavesOutChosen,
	/// Leaves out what is made again in chains that are short enough, on many cores at once.
	LeavesOutLayers,
}

fn task(rng: &mut StdRng) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DEVICE,
		seed: H256(rng.gen()),
		work: Work::Storage(STORAGE),
		deadline: 1,
	}
}

fn share_of(blocks: u32, percent: u32) -> u32 {
	blocks * percent / 100
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
	pub(super) fn sealed(self, genesis: &H256, rng: &mut StdRng) -> Sealed {
		let none = BTreeSet::new();
		let own = |number| sector_key(genesis, DEVICE, number);
		match self {
			Device::Honest
			| Device::Garbage
			| Device::Late
			| Device::OtherRound
			| Device::StaysAway => Sealed::new(own, &none, rng),
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
				let here = LONGEST_CHAIN * u64::from(SECTOR.blocks);
				let longest = (here / u64::from(DEFAULT_SECTOR_BLOCKS)) as u32;
				let leave_out = |graph: &mut Graph| graph.leave_out_layers(longest);
				Sealed::new(own, &none, rng).thinned(leave_out)
			},
		}
	}

	/// Whether what it makes again grows with the sector: long chains, which are a share of it. They are
	/// made in all sectors at once, else one block follows the other.
	pub(super) fn has_chains(self) -> bool {
		use Device::{FillsEnds, LeavesOutEnds, LeavesOutLayers};
		matches!(self, LeavesOutEnds(_) | FillsEnds(_) | LeavesOutLayers)
	}

	/// The share of the disk space that it does not need, where so much of its blocks is left out, and how
	/// many cores make blocks again at once.
	pub(super) fn spared(self, left_out: f64) -> LeftOut {
		let (disk, cores) = match self {
			Device::MakesUp(share) => (f64::from(share) / 100.0, 0.0),
			Device::Foreign | Device::OtherChain | Device::Garbage | Device::OtherRound => {
				(1.0, 0.0)
			},
			Device::OneSector => (1.0 - 1.0 / SECTORS_ON_CHAIN, 0.0),
			Device::LeavesOutEnds(_) => (left_out, SECTORS_ASKED),
			Device::FillsEnds(_) => (left_out, SECTORS_ON_CHAIN),
			Device::StaysAway => (1.0, SECTORS_ON_CHAIN),
			Device::LeavesOutLayers => (left_out, SECTORS_ASKED * CORES_OF_LAYERS),
			_ => (left_out, 0.0),
		};
		LeftOut { disk, cores, ..LeftOut::default() }
	}

	/// How often it has blocks drawn until they can be made in time: whoever makes blocks again breaks the
	/// connection.
	pub(super) fn draws(self) -> u32 {
		match self {
			Device::LeavesOutByLot(_) | Device::LeavesOutChosen => MAX_DRAWS,
			// It takes the second one for its time.
			Device::FillsEnds(_) => 1,
			_ if self.has_chains() => MAX_DRAWS,
			_ => 1,
		}
	}

	/// As how many on chain so many blocks count that are made again.
	pub(super) fn on_chain(self, blocks: u64) -> u64 {
		if self.has_chains() {
			blocks * u64::from(DEFAULT_SECTOR_BLOCKS) / u64::from(SECTOR.blocks)
		} else {
			blocks
		}
	}

	/// What it takes on chain to make blocks again, in microseconds.
	fn making_micros(self, again: Again) -> u64 {
		let blocks = if self.has_chains() { again.chain.into() } else { again.blocks as u64 };
		self.on_chain(blocks) * BLOCK_NANOS / 1_000
	}

	/// How long it makes blocks again before they are drawn, in microseconds.
	fn early_micros(self) -> u64 {
		let (commit, read) = (u64::from(STORAGE.commit_millis), u64::from(STORAGE.read_millis));
		match self {
			Device::FillsEnds(_) => (commit + read + 2 * GRACE_MILLIS) * 1_000,
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
		let is_away = matches!(self, Device::Late | Device::StaysAway);
		is_away || self.left_micros(again) > u64::from(STORAGE.read_millis) * 1_000
	}

	/// How long a verifier waits for what it asked for, in microseconds.
	pub(super) fn read_micros(self, again: Again) -> u64 {
		match self {
			Device::Late | Device::StaysAway => {
				u64::from(STORAGE.read_millis) * 1_000 + LATE_MICROS
			},
			_ => READ_MICROS + self.left_micros(again),
		}
	}
}

/// A device in a round, and what it has committed to.
pub(crate) struct Answer {
	device: Device,
	genesis: H256,
	sealed: Rc<Sealed>,
	task: ChallengeTask,
	storage: SealedStorage,
	salt: H256,
}

impl Answer {
	/// Commits to what is sealed.
	pub(super) fn new(device: Device, genesis: H256, sealed: Rc<Sealed>, rng: &mut StdRng) -> Self {
		let (task, other, salt) = (task(rng), task(rng), H256(rng.gen()));
		let answered = if device == Device::OtherRound { other } else { task };
		let root = committed_root(&task_hash(&answered), &salt, &sealed.root());
		let storage = SealedStorage::of_round(&task, root).expect("of this kind");
		Self { device, genesis, sealed, task, storage, salt }
	}

	/// With a commitment that is made with a known salt.
	pub(crate) fn unsalted(self) -> Self {
		let root = self.remembered();
		Self { storage: SealedStorage { root, ..self.storage }, salt: H256::zero(), ..self }
	}

	/// What whoever remembers what is sealed takes for the commitment.
	pub(crate) fn remembered(&self) -> H256 {
		committed_root(&task_hash(&self.task), &H256::zero(), &self.sealed.root())
	}

	/// The encoded openings that a verifier gets.
	fn answer<O: Encode>(
		&self,
		wanted: &[(u32, u32)],
		open: impl Fn(&Sealed, (u32, u32), H256) -> O,
		rng: &mut StdRng,
	) -> Vec<u8> {
		if self.device == Device::Garbage {
			return garbage(rng);
		}
		let open = |wanted: &(u32, u32)| open(&self.sealed, *wanted, self.salt);
		wanted.iter().map(open).collect::<Vec<_>>().encode()
	}

	/// The blocks that a verifier draws, and draws anew as often as the device has it, and what it takes to
	/// make them again.
	pub(super) fn draw(&self, rng: &mut StdRng) -> (Vec<(u32, u32)>, Again) {
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

	/// What a verifier finds in the blocks that it draws, for which so much is made again, where the device
	/// has committed to `root`.
	pub(super) fn look_at(
		&self,
		root: H256,
		wanted: &[(u32, u32)],
		again: Again,
		rng: &mut StdRng,
	) -> Looked {
		if self.device.is_late(again) {
			return Err(ChallengeFailure::NoAnswer);
		}
		let storage = SealedStorage { root, ..self.storage };
		let bytes = self.answer(wanted, Sealed::read, rng);
		let blocks = decoded::<StoredBlock>(&bytes)?;
		if blocks.len() != wanted.len() {
			return Err(ChallengeFailure::Malformed);
		}
		let mut blocks = blocks.iter().zip(wanted);
		blocks.try_for_each(|(block, wanted)| check_stored(&storage, *wanted, block))?;
		let wanted = sample_sealed(&H256(rng.gen()), &storage, SEALED_SAMPLES);
		let wanted = wanted.expect("a valid size");
		let openings = decoded::<SealedOpening>(&self.answer(&wanted, Sealed::open, rng))?;
		if openings.len() != wanted.len() {
			return Err(ChallengeFailure::Malformed);
		}
		let mut openings = openings.iter().zip(wanted);
		openings.try_for_each(|(opening, wanted)| {
			check_sealed(&self.genesis, DEVICE, &storage, wanted, opening)
		})
	}

	/// All blocks that are refused or late when they are read, and all that are refused when they are
	/// filled again.
	pub(super) fn wrong(&self) -> (u32, u32) {
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
			let opening = self.sealed.open(*wanted, self.salt);
			check_sealed(&self.genesis, DEVICE, &self.storage, *wanted, &opening).is_err()
		};
		(read as u32, all().filter(is_bad).count() as u32)
	}
}

impl Round for Answer {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn root(&self) -> H256 {
		self.storage.root
	}

	fn look(&mut self, root: H256, rng: &mut StdRng) -> Looked {
		let (wanted, again) = self.draw(rng);
		self.look_at(root, &wanted, again, rng)
	}

	fn measured(&self, rng: &mut StdRng) -> Measured {
		// The disk serves five at once, and ways differ.
		measured(READ_MICROS + rng.gen_range(0..200_000))
	}
}

/// What a verifier measures of blocks that took so long.
pub(super) fn measured(micros: u64) -> Measured {
	let read_millis = u32::try_from(micros.div_ceil(1_000)).expect("some seconds");
	Measured::Storage { answer_millis: 100, read_millis }
}

/// A device that has sealed its sectors, or made a third of them up, in a round of its own.
pub(crate) fn sealed(is_cheat: bool, rng: &mut StdRng) -> Answer {
	let device = if is_cheat { Device::MakesUp(33) } else { Device::Honest };
	let genesis = H256(rng.gen());
	let sealed = Rc::new(device.sealed(&genesis, rng));
	Answer::new(device, genesis, sealed, rng)
}

/// The same, as any kind of round.
pub(crate) fn round(is_cheat: bool, rng: &mut StdRng) -> Box<dyn Round> {
	Box::new(sealed(is_cheat, rng))
}
