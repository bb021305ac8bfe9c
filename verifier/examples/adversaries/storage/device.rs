//! Sectors that a device sealed, all of them kept or a part.

use super::graph::Graph;
use armature_primitives::H256;
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::{
			fill_lane, first_block, next_block, open_fill, parents, FillSize, LaneKey, OpenedBlock,
		},
		storage::{SealedOpening, SectorPlace, StoredBlock},
	},
	merkle::Tree,
};
use rand::{rngs::StdRng, RngCore};
use std::{cell::RefCell, collections::BTreeSet, convert::Infallible};

/// What a sector is filled with: so many blocks that a hundredth of them are some.
pub(super) const SECTOR: FillSize = FillSize { lanes: 1, blocks: 1_000, compressions: 2 };

pub(super) const SECTORS: u32 = 3;

/// Blocks of all sectors.
pub(super) const BLOCKS: u32 = SECTORS * SECTOR.blocks;

/// What it takes to make blocks again.
#[derive(Clone, Copy)]
pub(super) struct Again {
	/// Blocks, of all sectors.
	pub(super) blocks: usize,
	/// How many of them have to be made one after the other at least.
	pub(super) chain: u32,
}

/// One sector: with all of its blocks, so that what is made again need only be counted.
#[derive(Clone)]
struct Sector {
	blocks: Vec<Block>,
	tree: Tree,
	graph: Graph,
}

impl Sector {
	/// Filled under a key; with these blocks made up, what follows is filled from them.
	fn filled(key: &H256, made_up: &BTreeSet<u32>, rng: &mut StdRng) -> Self {
		let blocks = if made_up.is_empty() {
			filled(key)
		} else {
			with_made_up(&LaneKey::new(key, 0), made_up, rng)
		};
		let tree = Tree::new(blocks.iter().map(Block::to_bytes)).expect("some blocks");
		Self { graph: Graph::of(&blocks), blocks, tree }
	}

	fn opened(&self, at: u32) -> Option<OpenedBlock> {
		let path = self.tree.prove(at)?.into_inner().try_into().ok()?;
		Some(OpenedBlock { bytes: self.blocks[at as usize].to_bytes(), path })
	}
}

fn filled(key: &H256) -> Vec<Block> {
	let blocks = RefCell::new(Vec::<Block>::new());
	let get = |at: u32| Ok(blocks.borrow()[at as usize].clone());
	let put = |_: u32, block: &Block| {
		blocks.borrow_mut().push(block.clone());
		Ok(())
	};
	let Ok(()) = fill_lane::<Infallible>(key, &SECTOR, 0, get, put);
	blocks.into_inner()
}

fn with_made_up(key: &LaneKey, made_up: &BTreeSet<u32>, rng: &mut StdRng) -> Vec<Block> {
	let mut blocks = Vec::<Block>::new();
	for at in 0..SECTOR.blocks {
		blocks.push(match blocks.last() {
			_ if made_up.contains(&at) => random_block(rng),
			None => first_block(key),
			Some(before) => {
				let parents = parents(before, at).map(|parent| &blocks[parent as usize]);
				next_block(key, before, parents, at, SECTOR.compressions)
			},
		});
	}
	blocks
}

fn random_block(rng: &mut StdRng) -> Block {
	let mut bytes = [0; BLOCK_LEN];
	rng.fill_bytes(&mut bytes);
	Block::from_bytes(&bytes)
}

/// Sector and number of a block among all.
pub(super) fn place_of(position: u32) -> (u32, u32) {
	(position / SECTOR.blocks, position % SECTOR.blocks)
}

/// All sectors of a device.
pub(super) struct Sealed {
	sectors: Vec<Sector>,
	tree: Tree,
}

impl Sealed {
	/// Each sector under its key, with these blocks of all made up.
	pub(super) fn new(
		key: impl Fn(u32) -> H256,
		made_up: &BTreeSet<u32>,
		rng: &mut StdRng,
	) -> Self {
		let sector = |number: u32| {
			let own = made_up.iter().map(|position| place_of(*position));
			let own = own.filter(|(sector, _)| *sector == number).map(|(_, at)| at);
			Sector::filled(&key(number), &own.collect(), rng)
		};
		Self::of((0..SECTORS).map(sector).collect())
	}

	/// One sector in the place of all.
	pub(super) fn one(key: &H256, rng: &mut StdRng) -> Self {
		Self::of(vec![Sector::filled(key, &BTreeSet::new(), rng); SECTORS as usize])
	}

	fn of(sectors: Vec<Sector>) -> Self {
		let roots = sectors.iter().map(|sector| sector.tree.root().0);
		let tree = Tree::new(roots).expect("some sectors");
		Self { sectors, tree }
	}

	/// Without these blocks, in their order, which are made again when they are asked for.
	pub(super) fn without(mut self, left_out: impl IntoIterator<Item = u32>) -> Self {
		for position in left_out {
			let (sector, at) = place_of(position);
			self.sectors[sector as usize].graph.leave_out(at);
		}
		self
	}

	/// Each sector with less of its blocks.
	pub(super) fn thinned(mut self, leave_out: impl Fn(&mut Graph)) -> Self {
		for sector in &mut self.sectors {
			leave_out(&mut sector.graph);
		}
		self
	}

	/// Blocks that are not kept.
	pub(super) fn left_out(&self) -> u32 {
		self.sectors.iter().map(|sector| sector.graph.left_out()).sum()
	}

	/// The longest chain of such blocks.
	pub(super) fn longest_chain(&self) -> u32 {
		let of_sectors = self.sectors.iter().map(|sector| sector.graph.longest_chain());
		of_sectors.max().unwrap_or_default()
	}

	/// Over the roots of all sectors.
	pub(super) fn root(&self) -> H256 {
		self.tree.root()
	}

	/// What it takes to make these again, asked for at once.
	pub(super) fn again(&self, wanted: &[(u32, u32)]) -> Again {
		let mut again = Again { blocks: 0, chain: 0 };
		for (number, Sector { graph, .. }) in (0..).zip(&self.sectors) {
			let mut made = BTreeSet::new();
			for (_, at) in wanted.iter().filter(|(sector, _)| *sector == number) {
				graph.make(*at, usize::MAX, &mut made);
				again.chain = again.chain.max(graph.chain(*at));
			}
			again.blocks += made.len();
		}
		again
	}

	/// A block that was asked for.
	pub(super) fn read(&self, (sector, at): (u32, u32), salt: H256) -> StoredBlock {
		let OpenedBlock { bytes, path } =
			self.sectors[sector as usize].opened(at).expect("a block of the sector");
		StoredBlock { sector, at, bytes, path, place: self.place(sector, salt) }
	}

	/// Opens a block with what it was filled from.
	pub(super) fn open(&self, (sector, at): (u32, u32), salt: H256) -> SealedOpening {
		let opened = |at| self.sectors[sector as usize].opened(at);
		let fill = open_fill(&SECTOR, at, opened).expect("a block of the sector");
		SealedOpening { sector, fill, place: self.place(sector, salt) }
	}

	fn place(&self, sector: u32, salt: H256) -> SectorPlace {
		let path = self.tree.prove(sector).expect("a sector of the device").into_inner();
		SectorPlace {
			root: self.sectors[sector as usize].tree.root(),
			path: path.try_into().expect("a path of the device"),
			salt,
		}
	}
}
