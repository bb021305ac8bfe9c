use super::*;
use crate::challenge::fill::tests::Filled;
use alloc::vec;
use codec::{DecodeAll, MaxEncodedLen};
use merkle::Tree;

const FILL: FillSize = FillSize { lanes: 2, blocks: 30, compressions: 1 };
const WALK: WalkSize = WalkSize { segments: 5, reads: 4 };

fn fill_key() -> H256 {
	memory_key(&H256([7; 32]), DeviceId(3), &FILL)
}

const WALK_KEY: H256 = H256([9; 32]);

/// A walk over memory, as whoever walked keeps it.
struct Walked {
	walk: Walk,
	filled: Filled,
	/// Ends of the segments of each lane, with their tree.
	lanes: Vec<(Vec<WalkState>, Tree)>,
	tree: Tree,
}

/// What reads a line of filled memory.
fn reader(filled: &Filled) -> impl FnMut(u32, u32) -> [u8; READ_LEN] + '_ {
	|block, line| line_of(&filled.blocks[block as usize].to_bytes(), line)
}

fn leaf_of(lane: u16, segment: u32, end: &WalkState) -> H256 {
	merkle::leaf_hash(&walk_leaf(lane, segment, end))
}

/// Walks a lane; where `made_up` has an end, it stands in the place of the true one.
fn walk_lane(
	filled: &Filled,
	lane: u16,
	made_up: impl Fn(u16, u32) -> Option<WalkState>,
) -> Vec<WalkState> {
	let mut frontier = merkle::Frontier::default();
	let mut ends = Vec::new();
	for segment in 0..WALK.segments {
		let start = walk_start(&WALK_KEY, &filled.tree.root(), lane, segment, &frontier.lefts());
		let end = walk_segment(start, 60, WALK.reads, reader(filled));
		let end = made_up(lane, segment).unwrap_or(end);
		frontier.push(leaf_of(lane, segment, &end));
		ends.push(end);
	}
	ends
}

impl Walked {
	fn new() -> Self {
		Self::with(|_, _| None)
	}

	fn with(made_up: impl Fn(u16, u32) -> Option<WalkState>) -> Self {
		let filled = Filled::new(&fill_key(), FILL);
		let ends = (0..FILL.lanes).map(|lane| walk_lane(&filled, lane, &made_up)).collect();
		Self::of(filled, ends)
	}

	fn of(filled: Filled, ends: Vec<Vec<WalkState>>) -> Self {
		let lanes: Vec<_> = (0u16..)
			.zip(ends)
			.map(|(lane, ends)| {
				let hashes = (0u32..).zip(&ends).map(|(at, end)| leaf_of(lane, at, end));
				let tree = Tree::from_hashes(hashes.collect()).unwrap();
				(ends, tree)
			})
			.collect();
		let tree = Tree::new(lanes.iter().map(|(_, tree)| tree.root().0)).unwrap();
		let memory = filled.tree.root();
		let (fill_key, ends) = (fill_key(), tree.root());
		let walk = Walk { fill: FILL, size: WALK, fill_key, key: WALK_KEY, memory, ends };
		Self { walk, filled, lanes, tree }
	}

	fn open(&self, lane: u16, segment: u32) -> WalkOpening {
		let (ends, tree) = &self.lanes[usize::from(lane)];
		let path = tree.prove(segment).unwrap().into_inner();
		let lefts = merkle::left_siblings(WALK.segments, segment, &path).unwrap();
		let start = walk_start(&WALK_KEY, &self.walk.memory, lane, segment, &lefts);
		let mut blocks = Vec::new();
		walk_segment(start, 60, WALK.reads, |block, line| {
			let opened = self.filled.opened(block).unwrap();
			let line = line_of(&opened.bytes, line);
			blocks.push(opened);
			line
		});
		WalkOpening {
			lane,
			segment,
			end: ends[segment as usize],
			path: path.try_into().unwrap(),
			lane_root: tree.root(),
			lane_path: self.tree.prove(lane.into()).unwrap().into_inner().try_into().unwrap(),
			blocks: blocks.try_into().unwrap(),
		}
	}

	fn check(&self, opening: &WalkOpening) -> Result<(), ChallengeFailure> {
		check_walk(&self.walk, opening)
	}

	/// The segments that pass.
	fn passing(&self, lane: u16) -> Vec<u32> {
		let passes = |segment: &u32| self.check(&self.open(lane, *segment)).is_ok();
		(0..WALK.segments).filter(passes).collect()
	}
}

/// Checked against a second implementation, in Python, which is not kept here.
#[test]
fn the_walk_should_never_drift() {
	assert_eq!(
		format!("{:?}", Walked::new().tree.root()),
		"0x2cf2b8abfa57ae02e17a91d679d09dd157c20a73f673d35986a981979ee13953"
	);
}

#[test]
fn every_segment_of_an_honest_walk_should_pass() {
	let walked = Walked::new();
	for lane in 0..FILL.lanes {
		assert_eq!(walked.passing(lane), [0, 1, 2, 3, 4]);
	}
	for position in 0..60 {
		let opening =
			crate::challenge::fill::open_fill(&FILL, position, |at| walked.filled.opened(at));
		assert_eq!(walked.walk.check_fill(&opening.unwrap()), Ok(()));
	}
}

#[test]
fn a_segment_that_was_not_walked_should_be_a_wrong_result() {
	// Those behind it were walked from where it says that it ended.
	let lie = Walked::with(|lane, segment| (lane == 1 && segment == 2).then_some([0; 32]));
	assert_eq!(lie.check(&lie.open(1, 2)), Err(ChallengeFailure::WrongResult));
	assert_eq!(lie.passing(1), [0, 1, 3, 4]);
	assert_eq!(lie.passing(0), [0, 1, 2, 3, 4]);
}

#[test]
fn parts_that_were_walked_at_once_should_fail_as_a_whole() {
	// The second part of the lane was walked from a made-up hash of the first four segments, which are
	// one subtree.
	let filled = Filled::new(&fill_key(), FILL);
	let memory = filled.tree.root();
	let mut ends = walk_lane(&filled, 0, |_, _| None);
	let made_up = H256([9; 32]);
	let start = walk_start(&WALK_KEY, &memory, 0, 4, &[made_up]);
	ends[4] = walk_segment(start, 60, WALK.reads, reader(&filled));
	let other = walk_lane(&filled, 1, |_, _| None);
	let mut lie = Walked::of(filled, vec![ends, other]);
	// With the true hashes, the second part does not follow the first.
	assert_eq!(lie.passing(0), [0, 1, 2, 3]);
	// With the made-up one, nothing of the first is under the root.
	let last = leaf_of(0, 4, &lie.lanes[0].0[4]);
	let lane_root = merkle::node_hash(&made_up, &last);
	lie.tree = Tree::new([lane_root.0, lie.lanes[1].1.root().0]).unwrap();
	lie.walk.ends = lie.tree.root();
	let lane_path = || lie.tree.prove(0).unwrap().into_inner().try_into().unwrap();
	let of = |segment, path: WalkPath| {
		let lane_path = lane_path();
		let opening = WalkOpening { lane_root, lane_path, path, ..lie.open(0, segment) };
		lie.check(&opening)
	};
	for segment in 0..4 {
		let path = lie.open(0, segment).path;
		assert_eq!(of(segment, path), Err(ChallengeFailure::BadOpening));
	}
	let opening = of(4, vec![made_up].try_into().unwrap());
	// Its blocks were opened for another start.
	assert_eq!(opening, Err(ChallengeFailure::BadOpening));
}

#[test]
fn a_walk_over_other_memory_should_not_pass() {
	let walked = Walked::new();
	let mut elsewhere = walked.walk;
	elsewhere.memory = Filled::new(&H256([1; 32]), FILL).tree.root();
	for segment in 0..2 {
		let found = check_walk(&elsewhere, &walked.open(0, segment));
		assert_eq!(found, Err(ChallengeFailure::BadOpening));
	}
	let later = Walk { key: H256([2; 32]), ..walked.walk };
	assert_eq!(check_walk(&later, &walked.open(0, 0)), Err(ChallengeFailure::BadOpening));
	let other = Walk { fill_key: H256([2; 32]), ..walked.walk };
	let opening = crate::challenge::fill::open_fill(&FILL, 0, |at| walked.filled.opened(at));
	assert_eq!(other.check_fill(&opening.unwrap()), Err(ChallengeFailure::WrongResult));
}

#[test]
fn openings_that_do_not_fit_should_be_told_apart() {
	let walked = Walked::new();
	let good = walked.open(1, 3);
	let edited = |edit: &dyn Fn(&mut WalkOpening)| {
		let mut opening = good.clone();
		edit(&mut opening);
		walked.check(&opening)
	};
	assert_eq!(edited(&|_| ()), Ok(()));
	let malformed = Err(ChallengeFailure::Malformed);
	assert_eq!(edited(&|opening| opening.lane = 2), malformed);
	assert_eq!(edited(&|opening| opening.segment = 5), malformed);
	let fewer = |opening: &mut WalkOpening| {
		opening.blocks.pop();
	};
	assert_eq!(edited(&fewer), malformed);
	let longer = |opening: &mut WalkOpening| {
		let first = opening.blocks[0].clone();
		opening.blocks.try_push(first).unwrap();
	};
	assert_eq!(edited(&longer), malformed);
	let bad = Err(ChallengeFailure::BadOpening);
	assert_eq!(edited(&|opening| opening.lane = 0), bad);
	assert_eq!(edited(&|opening| opening.segment = 2), bad);
	assert_eq!(edited(&|opening| opening.end[0] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.path[0].0[0] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.lane_root.0[0] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.lane_path[0].0[0] ^= 1), bad);
	let shorter = |opening: &mut WalkOpening| {
		opening.path.pop();
	};
	assert_eq!(edited(&shorter), bad);
	for block in 0..4 {
		assert_eq!(edited(&|opening| opening.blocks[block].bytes[512] ^= 1), bad);
	}
	let other = (1..4).find(|at| good.blocks[*at] != good.blocks[0]).unwrap();
	let turned = |opening: &mut WalkOpening| {
		let first = opening.blocks[0].clone();
		opening.blocks[0] = opening.blocks[other].clone();
		opening.blocks[other] = first;
	};
	assert_eq!(edited(&turned), bad);
}

#[test]
fn memory_should_be_of_one_device_and_challenge() {
	let key = |seed, device, blocks| {
		memory_key(
			&H256([seed; 32]),
			DeviceId(device),
			&FillSize { lanes: 1, blocks, compressions: 1 },
		)
	};
	let base = key(1, 2, 3);
	for other in [key(0, 2, 3), key(1, 0, 3), key(1, 2, 4)] {
		assert_ne!(base, other);
	}
}

#[test]
fn sizes_should_be_bounded() {
	let count = |segments, reads| WalkSize { segments, reads }.count(&FILL);
	assert_eq!(count(0, 1), Err(SizeError::TooSmall));
	assert_eq!(count(1, 0), Err(SizeError::TooSmall));
	assert_eq!(count(1, 17), Err(SizeError::TooLarge));
	assert_eq!(count(1, 16), Ok(2));
	assert_eq!(count(1 << 23, 1), Ok(1 << 24));
	assert_eq!(count((1 << 23) + 1, 1), Err(SizeError::TooLarge));
	assert_eq!(count(u32::MAX, 1), Err(SizeError::TooLarge));
	// Sixteen lanes walk, however many have filled.
	let of_lanes = |lanes| WALK.count(&FillSize { lanes, blocks: 2, compressions: 1 });
	assert_eq!((of_lanes(16), of_lanes(17), of_lanes(u16::MAX)), (Ok(80), Ok(80), Ok(80)));
	let none = FillSize { lanes: 0, blocks: 9, compressions: 1 };
	assert_eq!(WALK.count(&none), Err(SizeError::TooSmall));
	assert_eq!(WALK.reads(&FILL), 40);
	let largest = WalkOpening::max_encoded_len();
	assert!((34_000..36_000).contains(&largest), "{largest}");
	let opening = Walked::new().open(1, 1);
	assert_eq!(WalkOpening::decode_all(&mut &opening.encode()[..]), Ok(opening));
}

#[test]
fn samples_should_follow_what_was_committed_to() {
	let walk = Walked::new().walk;
	let (blocks, segments) = sample_memory(&H256([3; 32]), &walk, 6).unwrap();
	assert_eq!((blocks.len(), segments.len()), (6, 6));
	assert!(blocks.iter().all(|block| *block < 60));
	assert!(segments.iter().all(|(lane, segment)| *lane < 2 && *segment < 5));
	let other = Walk { ends: H256([4; 32]), ..walk };
	assert_ne!(sample_memory(&H256([3; 32]), &other, 6), Ok((blocks.clone(), segments.clone())));
	assert_ne!(sample_memory(&H256([5; 32]), &walk, 6), Ok((blocks, segments)));
	let all = sample_memory(&H256([3; 32]), &walk, 100).unwrap();
	assert_eq!((all.0.len(), all.1.len()), (60, 10));
}

#[test]
fn every_line_should_be_reached() {
	let mut seen = alloc::collections::BTreeSet::new();
	for word in 0..=u8::MAX {
		let mut state = [0; 32];
		state[7] = word;
		seen.insert(walk_place(&state, 16));
	}
	assert_eq!(seen.len(), 256);
	assert_eq!(seen.last(), Some(&(15, 15)));
	let mut highest = [0xff; 32];
	assert_eq!(walk_place(&highest, u32::MAX), (u32::MAX - 1, 15));
	highest[..8].fill(0);
	assert_eq!(walk_place(&highest, u32::MAX), (0, 0));
	let bytes: [u8; BLOCK_LEN] = core::array::from_fn(|at| (at / READ_LEN) as u8);
	assert_eq!(line_of(&bytes, 15), [15; READ_LEN]);
}

#[test]
fn rounds_on_chain_should_have_their_own_bounds() {
	let memory = |lanes, blocks, segments, reads| {
		check_size(&MemoryChallenge { lanes, blocks, segments, reads })
	};
	let (small, large) = (Err(SizeError::TooSmall), Err(SizeError::TooLarge));
	assert_eq!(memory(1, 2, 1, 1), Ok(()));
	assert_eq!(memory(0, 2, 1, 1), small);
	assert_eq!(memory(1, 1, 1, 1), small);
	assert_eq!(memory(1, 2, 0, 1), small);
	assert_eq!(memory(1, 2, 1, 0), small);
	assert_eq!(memory(MAX_LANES, 2, 1, MAX_READS), Ok(()));
	assert_eq!(memory(MAX_LANES + 1, 2, 1, 1), large);
	assert_eq!(memory(1, 2, 1, MAX_READS + 1), large);
	assert_eq!(memory(2, 2, MAX_SEGMENTS / 2, 1), Ok(()));
	assert_eq!(memory(2, 2, MAX_SEGMENTS / 2 + 1, 1), large);
	assert_eq!(memory(2, u32::MAX / 2, 1, 1), Ok(()));
	assert_eq!(memory(2, u32::MAX / 2 + 1, 1, 1), large);
}

#[test]
fn speed_should_be_rounded_against_the_device() {
	let size = |segments, reads| WalkSize { segments, reads };
	assert_eq!(nanos_per_read(&size(5, 4), 1_000), Some(50_000));
	// 3 ms over 7 reads are 428,571.4 ns each.
	assert_eq!(nanos_per_read(&size(7, 1), 3_000), Some(428_572));
	assert_eq!(nanos_per_read(&size(0, 1), 1), None);
	assert_eq!(nanos_per_read(&size(1, 0), 1), None);
	assert_eq!(nanos_per_read(&size(1, 1), u64::MAX), Some(u32::MAX));
	// 3 MiB in 2 s, and in no time.
	let memory = MemoryChallenge { lanes: 3, blocks: 1_024, segments: 1, reads: 1 };
	assert_eq!(fill_mib_per_second(&memory, 2_000), 1);
	assert_eq!(fill_mib_per_second(&memory, 1), 3_000);
	assert_eq!(fill_mib_per_second(&memory, 0), 0);
}

#[test]
fn what_is_to_the_left_should_be_known_before_a_segment_and_cover_all_before_it() {
	for count in 1..=35u32 {
		let leaves: Vec<H256> = (0..count).map(|at| H256::from_low_u64_be(at.into())).collect();
		let tree = Tree::from_hashes(leaves.clone()).unwrap();
		let mut frontier = merkle::Frontier::default();
		for (at, leaf) in (0u32..).zip(&leaves) {
			let path = tree.prove(at).unwrap().into_inner();
			let lefts = frontier.lefts();
			assert_eq!(
				merkle::left_siblings(count, at, &path),
				Some(lefts.clone()),
				"{count} {at}"
			);
			assert_eq!(lefts.len() as u32, at.count_ones());
			let longer = [&path[..], &[H256::zero()]].concat();
			assert_eq!(merkle::left_siblings(count, at, &longer), None);
			frontier.push(*leaf);
		}
		assert_eq!(merkle::left_siblings(count, count, &[]), None);
	}
}
