//! What the blocks of a sector are made from, and which of them are not kept.

use armature_verifier::challenge::{
	block::{Block, BLOCK_LEN},
	fill::parents,
};
use rand::{rngs::StdRng, RngCore};
use std::{collections::BTreeSet, iter::once};

/// Blocks of a layer.
const LAYER: u32 = 128;

/// Blocks of a segment of a layer.
const SEGMENT: u32 = 16;

/// Bytes of a block that choose parents.
const CHOOSING: usize = 64;

/// A sector without its bytes.
#[derive(Clone)]
pub(super) struct Graph {
	/// What each block is made from.
	sources: Vec<Vec<u32>>,
	/// For each block that is not kept the longest chain of such blocks that ends with it, else 0.
	chains: Vec<u32>,
}

impl Graph {
	/// Of blocks that are all kept.
	pub(super) fn of(blocks: &[Block]) -> Self {
		let mut sources = vec![Vec::new()];
		for (at, before) in (1..).zip(blocks).take(blocks.len() - 1) {
			sources.push(once(at - 1).chain(parents(before, at)).collect());
		}
		Self { chains: vec![0; sources.len()], sources }
	}

	/// Of so many blocks, with words by lot.
	pub(super) fn drawn(blocks: u32, rng: &mut StdRng) -> Self {
		let mut sources = vec![Vec::new()];
		let mut bytes = [0; BLOCK_LEN];
		for at in 1..blocks {
			rng.fill_bytes(&mut bytes[..CHOOSING]);
			let parents = parents(&Block::from_bytes(&bytes), at);
			sources.push(once(at - 1).chain(parents).collect());
		}
		Self { chains: vec![0; sources.len()], sources }
	}

	fn blocks(&self) -> u32 {
		self.chains.len() as u32
	}

	fn is_kept(&self, at: u32) -> bool {
		self.chain(at) == 0
	}

	/// The longest chain of blocks that are not kept which ends with this one.
	pub(super) fn chain(&self, at: u32) -> u32 {
		self.chains[at as usize]
	}

	/// The same of all.
	pub(super) fn longest_chain(&self) -> u32 {
		self.chains.iter().copied().max().unwrap_or_default()
	}

	/// Blocks that are not kept.
	pub(super) fn left_out(&self) -> u32 {
		self.chains.iter().filter(|chain| **chain > 0).count() as u32
	}

	/// Makes a block again if it is not kept, and all that takes: `made` are those that are there by now.
	/// Stops when there are more than `most` of them.
	pub(super) fn make(&self, at: u32, most: usize, made: &mut BTreeSet<u32>) {
		let mut wanted = vec![at];
		while let Some(at) = wanted.pop() {
			if made.len() > most {
				return;
			}
			if !self.is_kept(at) && made.insert(at) {
				wanted.extend(&self.sources[at as usize]);
			}
		}
	}

	/// Leaves out a block, after all before it that are.
	pub(super) fn leave_out(&mut self, at: u32) {
		let chains = self.sources[at as usize].iter().map(|source| self.chain(*source));
		self.chains[at as usize] = chains.max().unwrap_or_default() + 1;
	}

	/// Leaves out, from the first on, whatever takes at most so many blocks to be made again.
	pub(super) fn leave_out_chosen(&mut self, most: usize) {
		for at in 0..self.blocks() {
			self.leave_out(at);
			let mut made = BTreeSet::new();
			self.make(at, most, &mut made);
			if made.len() > most {
				self.chains[at as usize] = 0;
			}
		}
	}

	/// Leaves out all but the last block of each segment, those that are made from one that is left out in
	/// another segment of their layer, and those that end a chain of more than `longest`: within a layer no
	/// chain is longer than a segment.
	pub(super) fn leave_out_layers(&mut self, longest: u32) {
		for at in 0..self.blocks() {
			let is_across = |source: &u32| {
				let is_other = source / LAYER == at / LAYER && source / SEGMENT != at / SEGMENT;
				is_other && !self.is_kept(*source)
			};
			if at % SEGMENT == SEGMENT - 1 || self.sources[at as usize].iter().any(is_across) {
				continue;
			}
			self.leave_out(at);
			if self.chain(at) > longest {
				self.chains[at as usize] = 0;
			}
		}
	}
}
