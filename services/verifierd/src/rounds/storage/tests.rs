use super::*;
use armature_p2p::messages::{MAX_OPENINGS_LEN, MAX_STORED};
use codec::MaxEncodedLen;

/// The most bytes of a list of openings; its length takes four at most.
fn encoded_len(count: usize, each: usize) -> usize {
	count * each + 4
}

#[test]
fn as_many_blocks_as_one_request_asks_for_should_fit_one_response() {
	assert!(encoded_len(MAX_STORED, StoredBlock::max_encoded_len()) <= MAX_OPENINGS_LEN);
	assert!(encoded_len(MAX_BLOCKS, SealedOpening::max_encoded_len()) <= MAX_OPENINGS_LEN);
}

#[test]
fn time_to_read_should_be_rounded_up_to_one_millisecond_at_least() {
	assert_eq!(millis(Duration::ZERO), 1);
	assert_eq!(millis(Duration::from_nanos(1)), 1);
	assert_eq!(millis(Duration::from_millis(1)), 1);
	assert_eq!(millis(Duration::from_nanos(1_000_001)), 2);
	assert_eq!(millis(Duration::from_millis(700)), 700);
	assert_eq!(millis(Duration::MAX), u32::MAX);
}

#[test]
fn draws_should_be_due_soon_after_the_commitment() {
	let seconds = |millis, read, draws| drawn_within(millis, read, draws).as_secs_f64();
	assert_eq!(seconds(10_000, 5_000, 0), 12.0);
	assert_eq!(seconds(10_000, 5_000, 1), 19.0);
	assert_eq!(seconds(0, 0, 0), GRACE.as_secs_f64());
	// The longest times that a task can name.
	let longest = Duration::from_millis(u32::MAX.into());
	assert_eq!(drawn_within(u32::MAX, u32::MAX, 1), longest * 2 + GRACE * 2);
}
