//! Sectors that are sealed as the algorithm says, and kept.

use super::{
	filled::{filled_lane, index},
	*,
};
use armature_verifier::{
	challenge::{
		block::BLOCK_LEN,
		fill::{open_fill, FillSize, OpenedBlock},
		storage::{
			committed_root, sector_key, SealedOpening, SealedStorage, SectorPlace, StoredBlock,
		},
	},
	merkle::Tree,
};

struct Sector {
	blocks: Vec<[u8; BLOCK_LEN]>,
	tree: Tree,
}

impl Sector {
	fn opened(&self, at: u32) -> OpenedBlock {
		let path = self.tree.prove(at).unwrap().into_inner();
		OpenedBlock { bytes: self.blocks[index(at)], path: path.try_into().unwrap() }
	}
}

/// All sectors of a round.
pub(super) struct Stored {
	size: FillSize,
	sectors: Vec<Sector>,
	tree: Tree,
	salt: H256,
}

impl Stored {
	/// Sealed for a device. Where it `skips`, the second half of every sector is made up.
	fn new(task: &ChallengeTask, device: DeviceId, skips: bool) -> Self {
		// Of the device and the task: it is the same when they are committed to again.
		let salt = H256::from_low_u64_be(task.round.0 + u64::from(device.0) + 1_000);
		let storage = SealedStorage::of_round(task, H256::zero()).unwrap();
		let size = storage.sector();
		let seal = |number| {
			let key = sector_key(&GENESIS, device, number);
			let blocks = filled_lane(&key, &size, 0, skips);
			let tree = Tree::new(&blocks).unwrap();
			Sector { blocks, tree }
		};
		let sectors: Vec<_> = (0..storage.sectors).map(seal).collect();
		let tree = Tree::new(sectors.iter().map(|sector| sector.tree.root().0)).unwrap();
		Self { size, sectors, tree, salt }
	}

	fn committed_root(&self, task: &ChallengeTask) -> H256 {
		committed_root(&task_hash(task), &self.salt, &self.tree.root())
	}

	fn read(&self, sector: u32, at: u32) -> StoredBlock {
		let SealedOpening { fill, place, .. } = self.open(sector, at);
		let OpenedBlock { bytes, path } = fill.block;
		StoredBlock { sector, at, bytes, path, place }
	}

	fn open(&self, sector: u32, at: u32) -> SealedOpening {
		let sealed = &self.sectors[index(sector)];
		let path = self.tree.prove(sector).unwrap().into_inner().try_into().unwrap();
		SealedOpening {
			sector,
			fill: open_fill(&self.size, at, |at| Some(sealed.opened(at))).unwrap(),
			place: SectorPlace { root: sealed.tree.root(), path, salt: self.salt },
		}
	}
}

impl Actor {
	/// The root of all sectors.
	pub(super) fn seal(&mut self, task: ChallengeTask, is_again: bool) -> H256 {
		let other = DeviceId(self.id + 1);
		let stored = match self.script {
			Script::ComputesOtherwise if is_again => Stored::new(&task, other, false),
			script => Stored::new(&task, task.device, script == Script::Skips),
		};
		let root = stored.committed_root(&task);
		let kept = match self.script {
			Script::OpensOthers => Stored::new(&task, other, false),
			_ => stored,
		};
		self.stored.insert(task_hash(&task), kept);
		root
	}

	pub(super) async fn read_stored(
		&mut self,
		task: H256,
		blocks: Vec<(u32, u32)>,
	) -> Option<ControlResponse> {
		let count = {
			let mut reads = self.asked.reads.lock().unwrap();
			reads.push(blocks.clone());
			u32::try_from(reads.len()).unwrap() - 1
		};
		match self.script {
			Script::ReadsSlowly(time) => tokio::time::sleep(time).await,
			Script::MissesReads(times) if count < times => return None,
			Script::BusyReads(times) if count < times => return refused(Refusal::Busy),
			Script::LosesWork(times) if count < times => return self.lost(task),
			Script::ComputesOtherwise if count == 0 => return self.lost(task),
			Script::ConfusedReads => return Some(ControlResponse::Accepted),
			_ => {},
		}
		let stored = &self.stored[&task];
		let mut openings: Vec<_> =
			blocks.into_iter().map(|(sector, at)| stored.read(sector, at)).collect();
		openings[0].bytes[0] ^= u8::from(self.script == Script::SpoilsRead);
		self.opened(openings)
	}

	pub(super) fn open_sealed(
		&mut self,
		task: H256,
		blocks: Vec<(u32, u32)>,
	) -> Option<ControlResponse> {
		let count = counted(&self.asked.openings);
		self.asked.sealed.lock().unwrap().push(blocks.clone());
		match self.script {
			Script::NeverOpensSealed => return None,
			Script::MissesOpenings if count == 0 => return None,
			Script::LosesRest if count == 1 => return self.lost(task),
			_ => {},
		}
		let stored = &self.stored[&task];
		let mut openings: Vec<_> =
			blocks.into_iter().map(|(sector, at)| stored.open(sector, at)).collect();
		if self.script == Script::OpensSealedBackwards {
			openings.reverse();
		}
		self.opened(openings)
	}
}
