use super::*;
use armature_verifier::challenge::memory::{check_walk, sample_memory};
use std::sync::atomic::{AtomicU32, Ordering};

const KEY: H256 = H256([3; 32]);

fn go_on() -> bool {
	false
}

fn filled(lanes: u16, blocks: u32) -> FilledMemory {
	let size = FillSize { lanes, blocks, compressions: 1 };
	FilledMemory::fill(&KEY, DeviceId(1), size, &go_on).expect("filled")
}

#[test]
fn what_was_filled_and_walked_should_be_accepted_by_the_verifier() {
	let memory = filled(3, 50);
	let walked = memory
		.walk(H256([4; 32]), WalkSize { segments: 6, reads: 5 }, &go_on)
		.expect("walked");
	let (blocks, segments) =
		sample_memory(&H256([5; 32]), walked.walk(), 1_000).expect("in bounds");
	assert_eq!((blocks.len(), segments.len()), (150, 18));
	for position in blocks {
		let opening = memory.open(position).expect("inside");
		assert_eq!(walked.walk().check_fill(&opening), Ok(()), "{position}");
	}
	for (lane, segment) in segments {
		let opening = walked.open(&memory, lane, segment).expect("inside");
		assert_eq!(check_walk(walked.walk(), &opening), Ok(()), "{lane} {segment}");
	}
	assert!(memory.open(150).is_none());
	assert!(walked.open(&memory, 3, 0).is_none() && walked.open(&memory, 0, 6).is_none());
	// Of another memory nothing that was walked can be shown.
	assert!(walked.open(&filled(3, 51), 0, 0).is_none());
}

#[test]
fn sizes_out_of_bounds_should_be_refused_before_anything_is_reserved() {
	let fill = |lanes, blocks| {
		let size = FillSize { lanes, blocks, compressions: 1 };
		FilledMemory::fill(&KEY, DeviceId(1), size, &go_on).err()
	};
	assert_eq!(fill(0, 9), Some(MemoryFault::Size(SizeError::TooSmall)));
	assert_eq!(fill(9, u32::MAX), Some(MemoryFault::Size(SizeError::TooLarge)));
	let walk = filled(1, 2).walk(KEY, WalkSize { segments: 0, reads: 1 }, &go_on).err();
	assert_eq!(walk, Some(MemoryFault::Size(SizeError::TooSmall)));
}

/// Says when it was asked so often, and counts.
fn stop_at(asked: &AtomicU32, times: u32) -> impl Fn() -> bool + Sync + '_ {
	move || asked.fetch_add(1, Ordering::SeqCst) + 1 >= times
}

#[test]
fn filling_should_ask_again_and_again_whether_to_stop() {
	let fill = |blocks, times| {
		let asked = AtomicU32::new(0);
		let size = FillSize { lanes: 1, blocks, compressions: 1 };
		let filled = FilledMemory::fill(&KEY, DeviceId(1), size, &stop_at(&asked, times));
		(filled.err(), asked.into_inner())
	};
	assert_eq!(fill(2, 1), (Some(MemoryFault::Stopped), 1));
	assert_eq!(fill(FILL_CHECK, 2), (None, 1));
	assert_eq!(fill(FILL_CHECK + 1, 2), (Some(MemoryFault::Stopped), 2));
}

/// So many leaves, all different.
fn leaves(count: usize) -> Vec<H256> {
	(0..count).map(|at| leaf_hash(&at.to_le_bytes())).collect()
}

#[test]
fn any_number_of_threads_should_make_the_same_tree() {
	for count in [0, 1, 2, 5, TREE_CHECK, TREE_CHECK + 1, 3 * TREE_CHECK - 1, 5 * TREE_CHECK + 3] {
		let expected = Tree::from_hashes(leaves(count));
		for threads in [0, 1, 2, 3, 9] {
			let built = built(leaves(count), threads, &go_on);
			assert_eq!(built.ok(), expected, "{count} by {threads}");
		}
	}
}

#[test]
fn building_should_ask_again_and_again_whether_to_stop() {
	let build = |count, times| {
		let asked = AtomicU32::new(0);
		let built = built(leaves(count), 1, &stop_at(&asked, times));
		(built.err(), asked.into_inner())
	};
	assert_eq!(build(TREE_CHECK, 1), (None, 0));
	assert_eq!(build(TREE_CHECK + 1, 1), (Some(MemoryFault::Stopped), 1));
	// Two pieces, and what is above fits one.
	assert_eq!(build(2 * TREE_CHECK, 2), (Some(MemoryFault::Stopped), 2));
	assert_eq!(build(2 * TREE_CHECK, 3), (None, 2));
}

#[test]
fn parts_should_be_joined_in_their_order_and_without_room_for_more() {
	let parts = || leaves(10).chunks(4).map(<[H256]>::to_vec).collect::<Vec<_>>();
	let all = joined(parts(), &go_on).expect("room");
	assert_eq!(all, leaves(10));
	assert_eq!(all.capacity(), 10);
	assert_eq!(joined(Vec::new(), &go_on), Ok(Vec::new()));
	assert_eq!(joined(parts(), &|| true), Err(MemoryFault::Stopped));
	// One alone is taken as it is.
	assert_eq!(joined(vec![leaves(3)], &|| true), Ok(leaves(3)));
}

#[test]
fn walking_should_ask_again_and_again_whether_to_stop() {
	let memory = filled(1, 2);
	let walk = |segments, times| {
		let asked = AtomicU32::new(0);
		let size = WalkSize { segments, reads: 1 };
		let walked = memory.walk(KEY, size, &stop_at(&asked, times));
		(walked.err(), asked.into_inner())
	};
	assert_eq!(walk(1, 1), (Some(MemoryFault::Stopped), 1));
	assert_eq!(walk(WALK_CHECK, 2), (None, 1));
	assert_eq!(walk(WALK_CHECK + 1, 2), (Some(MemoryFault::Stopped), 2));
}

#[test]
fn what_is_needed_should_be_little_more_than_what_is_filled() {
	let challenge = MemoryChallenge { lanes: 4, blocks: 1 << 20, segments: 1 << 16, reads: 8 };
	let filled: u64 = 4 << 30;
	let needed = needed_bytes(&challenge);
	assert_eq!(needed, filled + (96 << 22) + (128 << 18));
	assert!(needed - filled < filled / 9);
	// Nobody has so much, but the sum should not wrap.
	let all =
		MemoryChallenge { lanes: u16::MAX, blocks: u32::MAX, segments: u32::MAX, reads: u32::MAX };
	assert!(needed_bytes(&all) > needed_bytes(&MemoryChallenge { blocks: u32::MAX - 1, ..all }));
}
