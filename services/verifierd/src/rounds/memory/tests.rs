use super::{opening::segments_of, walking::micros, *};
use armature_p2p::messages::{MAX_BLOCKS, MAX_OPENINGS_LEN, MAX_WALK_SEGMENTS};
use armature_verifier::challenge::{
	fill::OpenedBlock,
	memory::{WalkOpening, WalkSize, MAX_READS},
};
use codec::MaxEncodedLen;
use std::time::Duration;

fn of_reads(reads: u32) -> WalkSize {
	WalkSize { segments: 1, reads }
}

/// The most bytes of a list of openings; its length takes four at most.
fn encoded_len(count: usize, each: usize) -> usize {
	count * each + 4
}

#[test]
fn no_more_segments_should_be_opened_than_fit_one_response() {
	// A longer segment has more blocks.
	let blocks = OpenedBlock::max_encoded_len();
	let empty = WalkOpening::max_encoded_len() - usize::try_from(MAX_READS).unwrap() * blocks;
	for reads in 1..=MAX_READS {
		let count = usize::try_from(segments_of(&of_reads(reads), u32::MAX)).unwrap();
		assert!((1..=MAX_WALK_SEGMENTS).contains(&count), "{reads}: {count}");
		let each = empty + usize::try_from(reads).unwrap() * blocks;
		assert!(encoded_len(count, each) <= MAX_OPENINGS_LEN, "{reads}: {count} of {each} bytes");
	}
	assert_eq!(segments_of(&of_reads(8), 24), 12);
	assert_eq!(segments_of(&of_reads(9), 24), 10);
	assert_eq!(segments_of(&of_reads(16), 24), 6);
	assert_eq!(segments_of(&of_reads(8), 11), 11);
	assert_eq!(segments_of(&of_reads(16), 1), 1);
	assert_eq!(segments_of(&of_reads(0), 24), 0);
}

#[test]
fn as_many_blocks_as_one_request_asks_for_should_fit_one_response() {
	assert!(encoded_len(MAX_BLOCKS, FillOpening::max_encoded_len()) <= MAX_OPENINGS_LEN);
}

#[test]
fn no_time_should_count_as_the_least() {
	assert_eq!(micros(Duration::ZERO), 1);
	assert_eq!(micros(Duration::from_nanos(999)), 1);
	assert_eq!(micros(Duration::from_micros(2)), 2);
	assert_eq!(micros(Duration::MAX), u64::MAX);
}
