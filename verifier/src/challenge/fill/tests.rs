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

const SIZE: FillSize = FillSize { lanes: 2, blocks: 20, compressions: 1 };

/// Checked against a second implementation, in Python, which is not kept here.
#[test]
fn the_fill_should_never_drift() {
	let root = Filled::new(&KEY, SIZE).tree.root();
	assert_eq!(
		format!("{root:?}"),
		"0xce55ab0e5e44283362a552178728cea95cd3505c85fcd26a89cbcc8ddbcbd0cf"
	);
	let slow = Filled::new(&KEY, FillSize { compressions: 3, ..SIZE }).tree.root();
	assert_eq!(
		format!("{slow:?}"),
		"0x5b6c82108567eb809476821bb56c7158124dbe98ef5c00ea7cfda299726a69c6"
	);
}

#[test]
fn blocks_should_be_compressed_as_often_as_asked_for() {
	let size = FillSize { compressions: 3, ..SIZE };
	let slow = Filled::new(&KEY, size);
	for position in 0..40 {
		assert_eq!(slow.check(&slow.open(position)), Ok(()), "{position}");
	}
	for compressions in [2, 4] {
		let size = FillSize { compressions, ..SIZE };
		let root = slow.tree.root();
		let outcome = check_fill(&KEY, &size, &root, &slow.open(7));
		assert_eq!(outcome, Err(ChallengeFailure::WrongResult), "{compressions}");
	}
	let quick = Filled::new(&KEY, SIZE);
	let twice = Block::compress(&Block::compress(&quick.blocks[1]));
	assert_eq!(slow.blocks[0], quick.blocks[0]);
	assert_eq!(slow.blocks[1], twice);
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
	let count = |lanes, blocks| FillSize { lanes, blocks, compressions: 1 }.count();
	assert_eq!(count(0, 9), Err(SizeError::TooSmall));
	assert_eq!(count(1, 1), Err(SizeError::TooSmall));
	assert_eq!(count(1, 2), Ok(2));
	assert_eq!(count(1, u32::MAX), Ok(u32::MAX));
	assert_eq!(count(2, u32::MAX / 2), Ok(u32::MAX - 1));
	assert_eq!(count(2, u32::MAX / 2 + 1), Err(SizeError::TooLarge));
	assert_eq!(FillSize { lanes: 3, blocks: 5, compressions: 1 }.bytes(), 15 * 1_024);
	let of = |compressions| FillSize { compressions, ..SIZE }.count();
	assert_eq!(of(0), Err(SizeError::TooSmall));
	assert_eq!((of(1), of(MAX_COMPRESSIONS)), (Ok(40), Ok(40)));
	assert_eq!(of(MAX_COMPRESSIONS + 1), Err(SizeError::TooLarge));
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
fn parents_should_be_near_and_far() {
	let filled = Filled::new(&KEY, FillSize { lanes: 1, blocks: 512, compressions: 1 });
	let mut ranges = [0u32; 9];
	let mut far = [0u32; 2];
	for at in 256..512u32 {
		for parent in parents(&filled.blocks[at as usize - 1], at) {
			let back = at - parent;
			assert!((1..=at).contains(&back));
			ranges[back.ilog2() as usize] += 1;
			if (64..128).contains(&back) {
				far[usize::from(back >= 96)] += 1;
			}
		}
	}
	// 1,536 draws: 171 each, standard deviation 12; and 85 in each half of a range, standard deviation 9.
	assert!(ranges.iter().all(|count| (120..222).contains(count)), "{ranges:?}");
	assert!(far.iter().all(|count| (50..130).contains(count)), "{far:?}");
}

#[test]
fn parents_should_be_what_a_word_says() {
	// Of block 5 there are three ranges of distances: 1, 2 and 3, 4 and 5.
	let third = u64::MAX / 3 + 1;
	let of = |word| parent(word, 5);
	assert_eq!((of(0), of(third - 1)), (4, 4));
	assert_eq!((of(third), of(third + third / 2 + 1), of(2 * third - 2)), (3, 2, 2));
	assert_eq!((of(2 * third), of(u64::MAX)), (1, 0));
	assert_eq!((parent(0, 1), parent(u64::MAX, 1)), (0, 0));
	assert_eq!((parent(0, u32::MAX), parent(u64::MAX, u32::MAX)), (u32::MAX - 1, 0));
}

proptest! {
	#[test]
	fn places_should_be_read_back(lanes in 1u16..50, blocks in 2u32..1_000, at: u32) {
		let size = FillSize { lanes, blocks, compressions: 1 };
		let position = at % size.count().unwrap();
		let (lane, number) = size.place(position).unwrap();
		prop_assert_eq!(size.position(lane, number), Some(position));
	}
}
