use super::*;
use alloc::vec;
use codec::{DecodeAll, MaxEncodedLen};
use core::convert::Infallible;
use merkle::Tree;
use proptest::prelude::*;

pub(crate) const KEY: H256 = H256([7; 32]);

/// Filled memory with its tree.
pub(crate) struct Filled {
	pub(crate) size: FillSize,
	pub(crate) blocks: Vec<Block>,
	pub(crate) tree: Tree,
}

impl Filled {
	pub(crate) fn of(size: FillSize, blocks: Vec<Block>) -> Self {
		let tree = Tree::new(blocks.iter().map(Block::to_bytes)).unwrap();
		Self { size, blocks, tree }
	}

	pub(crate) fn new(key: &H256, size: FillSize) -> Self {
		let mut all = Vec::new();
		for lane in 0..size.lanes {
			let lane_blocks = core::cell::RefCell::new(Vec::<Block>::new());
			fill_lane::<Infallible>(
				key,
				&size,
				lane,
				|at| Ok(lane_blocks.borrow()[at as usize].clone()),
				|at, block| {
					assert_eq!(lane_blocks.borrow().len(), at as usize);
					lane_blocks.borrow_mut().push(block.clone());
					Ok(())
				},
			)
			.unwrap();
			all.extend(lane_blocks.into_inner());
		}
		Self::of(size, all)
	}

	pub(crate) fn opened(&self, position: u32) -> Option<OpenedBlock> {
		let block = self.blocks.get(position as usize)?;
		Some(OpenedBlock {
			bytes: block.to_bytes(),
			path: self.tree.prove(position)?.into_inner().try_into().ok()?,
		})
	}

	fn open(&self, position: u32) -> FillOpening {
		open_fill(&self.size, position, |at| self.opened(at)).unwrap()
	}

	fn check(&self, opening: &FillOpening) -> Result<(), ChallengeFailure> {
		check_fill(&KEY, &self.size, &self.tree.root(), opening)
	}
}

const SIZE: FillSize = FillSize { lanes: 2, blocks: 20 };

/// Checked against a second implementation, in Python, which is not kept here.
#[test]
fn the_fill_should_never_drift() {
	let root = Filled::new(&KEY, SIZE).tree.root();
	assert_eq!(
		format!("{root:?}"),
		"0x41da77a079320994f176a61ca5768b0326e0b3fb6cbb5136638ea2e4516bb257"
	);
}

#[test]
fn every_block_of_an_honest_fill_should_pass() {
	let filled = Filled::new(&KEY, SIZE);
	for position in 0..40 {
		assert_eq!(filled.check(&filled.open(position)), Ok(()), "{position}");
	}
	assert_eq!(open_fill(&SIZE, 40, |at| filled.opened(at)), None);
	let other = Filled::new(&H256([8; 32]), SIZE);
	assert_eq!(other.check(&other.open(0)), Err(ChallengeFailure::WrongResult));
}

#[test]
fn every_block_of_another_fill_should_be_a_wrong_result() {
	// Another key's memory, and a lane in the place of another.
	let other = Filled::new(&H256([8; 32]), SIZE);
	let honest = Filled::new(&KEY, SIZE);
	let lane = &honest.blocks[..20];
	let twice = Filled::of(SIZE, [lane, lane].concat());
	for position in 0..40 {
		let wrong = Err(ChallengeFailure::WrongResult);
		assert_eq!(other.check(&other.open(position)), wrong, "{position}");
		let expected = if position < 20 { Ok(()) } else { wrong };
		assert_eq!(twice.check(&twice.open(position)), expected, "{position}");
	}
}

#[test]
fn a_block_that_was_not_filled_should_be_a_wrong_result() {
	let honest = Filled::new(&KEY, SIZE);
	for wrong in [0, 1, 19, 20, 27] {
		let mut blocks = honest.blocks.clone();
		blocks[wrong as usize].0[100] ^= 1;
		let lie = Filled::of(SIZE, blocks);
		assert_eq!(lie.check(&lie.open(wrong)), Err(ChallengeFailure::WrongResult), "{wrong}");
	}
	// Blocks in another order, and a lane in the place of another.
	let mut swapped = honest.blocks.clone();
	swapped.swap(5, 6);
	let lie = Filled::of(SIZE, swapped);
	assert_eq!(lie.check(&lie.open(5)), Err(ChallengeFailure::WrongResult));
	let mut lanes = honest.blocks.clone();
	lanes.rotate_left(20);
	let lie = Filled::of(SIZE, lanes);
	assert_eq!(lie.check(&lie.open(0)), Err(ChallengeFailure::WrongResult));
	assert_eq!(lie.check(&lie.open(20)), Err(ChallengeFailure::WrongResult));
}

#[test]
fn openings_that_do_not_fit_should_be_told_apart() {
	let filled = Filled::new(&KEY, SIZE);
	let good = filled.open(30);
	let edited = |edit: &dyn Fn(&mut FillOpening)| {
		let mut opening = good.clone();
		edit(&mut opening);
		filled.check(&opening)
	};
	let malformed = Err(ChallengeFailure::Malformed);
	assert_eq!(edited(&|opening| opening.lane = 2), malformed);
	assert_eq!(edited(&|opening| opening.at = 20), malformed);
	assert_eq!(
		edited(&|opening| {
			opening.sources.pop();
		}),
		malformed
	);
	assert_eq!(edited(&|opening| opening.sources = Default::default()), malformed);
	let bad = Err(ChallengeFailure::BadOpening);
	assert_eq!(edited(&|opening| opening.at = 11), bad);
	assert_eq!(edited(&|opening| opening.block.bytes[0] ^= 1), bad);
	assert_eq!(
		edited(&|opening| {
			opening.block.path.pop();
		}),
		bad
	);
	for source in 0..7 {
		assert_eq!(edited(&|opening| opening.sources[source].bytes[1_023] ^= 1), bad);
		assert_eq!(edited(&|opening| opening.sources[source].path[0].0[0] ^= 1), bad);
	}
	let mut first = filled.open(0);
	first.sources = good.sources.clone();
	assert_eq!(filled.check(&first), malformed);
	let size = FillSize { lanes: 1, ..SIZE };
	assert_eq!(check_fill(&KEY, &size, &filled.tree.root(), &good), malformed);
	let size = FillSize { blocks: 1, ..SIZE };
	assert_eq!(check_fill(&KEY, &size, &filled.tree.root(), &good), malformed);
}

#[test]
fn sizes_should_be_bounded() {
	let count = |lanes, blocks| FillSize { lanes, blocks }.count();
	assert_eq!(count(0, 9), Err(SizeError::TooSmall));
	assert_eq!(count(1, 1), Err(SizeError::TooSmall));
	assert_eq!(count(1, 2), Ok(2));
	assert_eq!(count(1, u32::MAX), Ok(u32::MAX));
	assert_eq!(count(2, u32::MAX / 2), Ok(u32::MAX - 1));
	assert_eq!(count(2, u32::MAX / 2 + 1), Err(SizeError::TooLarge));
	assert_eq!(FillSize { lanes: 3, blocks: 5 }.bytes(), 15 * 1_024);
	assert_eq!(SIZE.position(1, 19), Some(39));
	assert_eq!(SIZE.place(39), Some((1, 19)));
	assert_eq!((SIZE.position(2, 0), SIZE.position(0, 20), SIZE.place(40)), (None, None, None));
}

#[test]
fn openings_should_be_bounded_on_the_wire() {
	let largest = FillOpening::max_encoded_len();
	assert!((16_000..17_000).contains(&largest), "{largest}");
	let opening = Filled::new(&KEY, SIZE).open(9);
	assert_eq!(FillOpening::decode_all(&mut &opening.encode()[..]), Ok(opening));
	let long = (0u16, 1u32, [0u8; BLOCK_LEN].to_vec(), vec![[0u8; 32]; 33]).encode();
	assert!(FillOpening::decode_all(&mut &long[..]).is_err());
}

#[test]
fn parents_should_be_spread_over_all_that_was_before() {
	let filled = Filled::new(&KEY, FillSize { lanes: 1, blocks: 400 });
	let mut quarters = [0u32; 4];
	for at in 200..400u32 {
		for parent in parents(&filled.blocks[at as usize - 1], at) {
			assert!(parent < at);
			quarters[(parent * 4 / at) as usize] += 1;
		}
	}
	// 1,200 draws: 300 each, standard deviation 15.
	assert!(quarters.iter().all(|count| (225..375).contains(count)), "{quarters:?}");
}

proptest! {
	#[test]
	fn places_should_be_read_back(lanes in 1u16..50, blocks in 2u32..1_000, at: u32) {
		let size = FillSize { lanes, blocks };
		let position = at % size.count().unwrap();
		let (lane, number) = size.place(position).unwrap();
		prop_assert_eq!(size.position(lane, number), Some(position));
	}
}
