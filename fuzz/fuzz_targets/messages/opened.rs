//! What devices open: lists of openings within a response.

use crate::{decode, judge};
use armature_fuzz::Input;
use armature_primitives::H256;
use armature_verifier::{
	challenge::{
		block::BLOCK_LEN,
		fill::{FillOpening, OpenedBlock},
		gemm::{EntryOpening, OpenedRow},
		memory::WalkOpening,
		storage::{SealedOpening, SectorPlace, StoredBlock},
		SegmentOpening, STATE_LEN,
	},
	merkle::Path,
};
use armature_wire::{
	ControlResponse, Message, MAX_BLOCKS, MAX_OPENINGS_LEN, MAX_SEGMENTS, MAX_STORED,
	MAX_WALK_SEGMENTS,
};
use codec::{Decode, Encode, MaxEncodedLen};
use std::fmt::Debug;

const HASH: H256 = H256([1; 32]);

/// Reads of a walk's segment, so that as many segments as may be asked for fit.
const READS: usize = 8;

/// Bytes as openings of each kind, then openings of a kind that are as large as the input says.
pub(crate) fn judge_opened(input: &mut Input<'_>) {
	if input.u8() % 2 == 0 {
		judge_lists(input.take(usize::MAX));
	} else {
		judge_many(input);
	}
}

fn judge_lists(bytes: &[u8]) {
	judge_list::<SegmentOpening>(bytes);
	judge_list::<FillOpening>(bytes);
	judge_list::<WalkOpening>(bytes);
	judge_list::<EntryOpening>(bytes);
	judge_list::<StoredBlock>(bytes);
	judge_list::<SealedOpening>(bytes);
}

/// A list has one encoding, and none of its openings is longer than its type says.
fn judge_list<O: Encode + Decode + Debug + PartialEq + MaxEncodedLen>(bytes: &[u8]) {
	let Some(openings) = decode::<Vec<O>>(bytes) else { return };
	for opening in &openings {
		assert!(opening.encoded_size() <= O::max_encoded_len(), "too long: {opening:?}");
	}
}

/// A path with as many hashes as the input says, or its bound.
fn path<const MAX: u32>(input: &mut Input<'_>) -> Path<MAX> {
	let len = usize::from(input.u8()).min(MAX as usize);
	vec![HASH; len].try_into().expect("in bounds")
}

fn block(input: &mut Input<'_>) -> OpenedBlock {
	OpenedBlock { bytes: [2; BLOCK_LEN], path: path(input) }
}

fn fill(input: &mut Input<'_>) -> FillOpening {
	let (block, source) = (block(input), block(input));
	let sources = vec![source; usize::from(input.u8() % 8)];
	FillOpening { lane: 3, at: 4, block, sources: sources.try_into().expect("in bounds") }
}

fn place(input: &mut Input<'_>) -> SectorPlace {
	SectorPlace { root: HASH, path: path(input), salt: HASH }
}

fn row(input: &mut Input<'_>) -> OpenedRow {
	let row = vec![5; usize::from(u16::from_le_bytes(input.array()) % 0x8001)];
	OpenedRow {
		row: row.try_into().expect("in bounds"),
		path: path(input),
		state_root: HASH,
		state_path: path(input),
	}
}

/// Openings of one kind: however deep their trees, as many as may be asked for fit a response. Of entries
/// it depends on their rows.
fn judge_many(input: &mut Input<'_>) {
	let (kind, count) = (input.u8(), usize::from(input.u8()));
	match kind % 6 {
		0 => {
			let (path, lane_path) = (path(input), path(input));
			let (end, lane_root) = ([2; STATE_LEN], HASH);
			let opening = SegmentOpening { lane: 3, segment: 4, end, path, lane_root, lane_path };
			judge_response(&opening, count, MAX_SEGMENTS);
		},
		1 => judge_response(&fill(input), count, MAX_BLOCKS),
		2 => {
			let blocks = vec![block(input); usize::from(input.u8()) % (READS + 1)];
			let opening = WalkOpening {
				lane: 3,
				segment: 4,
				end: [2; 32],
				path: path(input),
				lane_root: HASH,
				lane_path: path(input),
				blocks: blocks.try_into().expect("in bounds"),
			};
			judge_response(&opening, count, MAX_WALK_SEGMENTS);
		},
		3 => {
			let (last, other) = (row(input), row(input));
			let flags = input.u8();
			let opening = EntryOpening {
				step: 3,
				row: 4,
				column: 5,
				last: (flags & 1 == 1).then_some(last),
				other: (flags & 2 == 2).then_some(other),
				result: row(input),
			};
			judge_response(&opening, count % 16, 0);
		},
		4 => {
			let OpenedBlock { bytes, path } = block(input);
			let opening = StoredBlock { sector: 3, at: 4, bytes, path, place: place(input) };
			judge_response(&opening, count, MAX_STORED);
		},
		_ => {
			let opening = SealedOpening { sector: 3, fill: fill(input), place: place(input) };
			judge_response(&opening, count, MAX_BLOCKS);
		},
	}
}

/// A response with `count` of these, of which `most` may be asked for.
fn judge_response<O>(opening: &O, count: usize, most: usize)
where
	O: Encode + Decode + Clone + Debug + PartialEq + MaxEncodedLen,
{
	let openings = vec![opening.clone(); count].encode();
	judge_list::<O>(&openings);
	let fits = openings.len() <= MAX_OPENINGS_LEN;
	assert!(fits || count > most, "{count} openings take {} bytes", openings.len());
	let response = ControlResponse::Opened { openings };
	let bytes = response.encode();
	judge::<ControlResponse>(&bytes);
	assert_eq!(ControlResponse::from_bytes(&bytes), fits.then_some(response));
}
