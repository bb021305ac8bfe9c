//! Offers of devices, held against whatever parameters the chain may have.
#![no_main]

use armature_fuzz::Input;
use armature_primitives::{
	challenge::{GemmChallenge, Work, WorkKind, MAX_LANES},
	device::{AcceleratorOffer, StorageOffer, MAX_ACCELERATOR_MIB},
	Ppm,
};
use armature_verifier::challenge::{
	check_work,
	fill::MAX_COMPRESSIONS,
	gemm::{operations_per_second, MAX_SIDE, MAX_STEPS},
	memory::{MAX_READS, MAX_SEGMENTS},
	network::{MAX_ECHOES, MAX_TRANSFER_KIB},
	storage::MAX_SECTORS,
	MAX_STEPS_PER_SEGMENT,
};
use armature_wire::MAX_DEPTH;
use codec::{DecodeLimit, Encode, MaxEncodedLen};
use libfuzzer_sys::fuzz_target;
use pallet_challenges::{Offer, Parameters, MAX_MEMORY_MIB, MAX_WINDOW_MILLIS, MIN_GEMM_SIDE};

/// The byte before a number that may be any at all; others are in bounds.
const ANY: u8 = 0x5a;

/// A number, which is mostly one of those in bounds.
fn number(input: &mut Input<'_>, least: u32, most: u32) -> u32 {
	let (any, number) = (input.u8(), u32::from_le_bytes(input.array()));
	if any == ANY {
		number
	} else {
		let count = u64::from(most - least) + 1;
		least + (u64::from(number) % count) as u32
	}
}

/// The same for types that have less room.
fn short(input: &mut Input<'_>, least: u16, most: u16) -> u16 {
	number(input, least.into(), most.into()) as u16
}

/// The default with other sizes of rounds.
fn parameters(input: &mut Input<'_>) -> Parameters {
	let window = number(input, 2, MAX_WINDOW_MILLIS as u32);
	let mut side = || number(input, MIN_GEMM_SIDE, MAX_SIDE);
	let (first, second) = (side(), side());
	let commit = number(input, 1, window / 4 + 1);
	let lead = number(input, 1, window / 2 + 1);
	Parameters {
		window_millis: window.into(),
		segments: number(input, 1, 4_096),
		steps_per_segment: number(input, 1, MAX_STEPS_PER_SEGMENT),
		memory_share: Ppm(number(input, 1, Ppm::ONE.0)),
		min_gemm_side: first.min(second),
		max_gemm_side: first.max(second),
		sector_blocks: number(input, 2, u32::MAX),
		sector_compressions: short(input, 1, MAX_COMPRESSIONS),
		storage_commit_millis: commit,
		storage_read_millis: number(input, 1, window / 4 + 1),
		walk_segments: number(input, 1, MAX_SEGMENTS),
		walk_reads: number(input, 1, MAX_READS),
		echoes: short(input, 1, MAX_ECHOES),
		transfer_lead_millis: lead,
		transfer_millis: number(input, 1, window / 8 + 1),
		transfer_kib: number(input, 1, MAX_TRANSFER_KIB),
		..Parameters::default()
	}
}

/// Bytes as parameters, which have one encoding, no longer than their type says.
fn decoded(bytes: &[u8]) -> Option<Parameters> {
	let parameters = Parameters::decode_all_with_depth_limit(MAX_DEPTH, &mut &*bytes).ok()?;
	assert_eq!(bytes, parameters.encode(), "two encodings of the parameters");
	assert!(bytes.len() <= Parameters::max_encoded_len());
	Some(parameters)
}

fn assert_in_bounds(work: Work) {
	assert_eq!(check_work(&work), Ok(()), "{work:?}");
}

/// An accelerator: as many states as fit into the share of its memory, or no round of them.
fn judge_accelerator(parameters: &Parameters, offer: AcceleratorOffer) {
	let AcceleratorOffer { memory_mib, side } = offer;
	let sides = parameters.min_gemm_side..=parameters.max_gemm_side;
	// All that is used, and a state, in millionths of bytes.
	let used = (u128::from(memory_mib) << 20) * u128::from(parameters.memory_share.0);
	let state = u128::from(side) * u128::from(side) * u128::from(Ppm::ONE.0);
	let fits = |states: u32| state * u128::from(states) <= used;
	let Some(gemm) = parameters.gemm(&offer) else {
		let is_counted = fits(1) && !fits(MAX_STEPS + 1) && memory_mib <= MAX_ACCELERATOR_MIB;
		assert!(!sides.contains(&side) || !is_counted, "{offer:?}");
		return;
	};
	let GemmChallenge { side: asked, states } = gemm;
	assert_eq!(asked, side);
	assert!(sides.contains(&side) && memory_mib <= MAX_ACCELERATOR_MIB);
	assert!(fits(states) && !fits(states + 1), "{gemm:?} of {offer:?}");
	assert_in_bounds(Work::Gemm(gemm));
	assert!(operations_per_second(&gemm, MAX_WINDOW_MILLIS as u32) >= 1, "no score");
}

/// Memory that about so many states fill, in MiB. What was offered decides on which side of that it is.
fn filled_by(parameters: &Parameters, offer: AcceleratorOffer, states: u32) -> u32 {
	let state = u128::from(offer.side) * u128::from(offer.side) * u128::from(Ppm::ONE.0);
	let bytes = state * u128::from(states) / u128::from(parameters.memory_share.0.max(1));
	u32::try_from(bytes >> 20)
		.unwrap_or(u32::MAX)
		.saturating_add(offer.memory_mib % 3)
}

/// Sectors: those that the parameters ask for, or no round of them.
fn judge_storage(parameters: &Parameters, offer: StorageOffer) {
	let StorageOffer { sectors, blocks, compressions } = offer;
	let counts = (blocks, compressions)
		== (parameters.sector_blocks, parameters.sector_compressions)
		&& (1..=MAX_SECTORS).contains(&sectors);
	let storage = parameters.storage(&offer);
	assert_eq!(storage.is_some(), counts, "{offer:?}");
	let Some(storage) = storage else { return };
	assert_eq!(
		(storage.sectors, storage.blocks, storage.compressions),
		(sectors, blocks, compressions)
	);
	assert_in_bounds(Work::Storage(storage));
	// A verifier asks for blocks once the device has committed.
	let due = u64::from(storage.commit_millis) + u64::from(storage.read_millis);
	assert!(due < parameters.window_millis);
}

/// The work of every kind for a device with this offer: always in bounds, and of another kind only where
/// there is nothing to offer for that, or a lease has it.
fn judge_work(parameters: &Parameters, offer: Offer) {
	let Offer { lanes, memory_mib, accelerator, storage } = offer;
	for is_leased in [false, true] {
		for kind in WorkKind::ALL {
			let work = parameters.work(kind, offer, is_leased);
			assert_in_bounds(work);
			let has = match kind {
				WorkKind::Cpu => true,
				WorkKind::Memory | WorkKind::Network => !is_leased,
				WorkKind::Gemm => {
					!is_leased && accelerator.and_then(|offer| parameters.gemm(&offer)).is_some()
				},
				WorkKind::Storage => storage.and_then(|offer| parameters.storage(&offer)).is_some(),
			};
			assert_eq!(work.kind(), if has { kind } else { WorkKind::Cpu });
			assert!(work.lanes() <= lanes.clamp(1, MAX_LANES));
			if let Work::Memory(memory) = work {
				// Two blocks of each lane are filled in any case.
				let filled = u64::from(memory.lanes) * u64::from(memory.blocks);
				let offered = u64::from(memory_mib.min(MAX_MEMORY_MIB)) * 1_024;
				assert!(filled <= offered.max(2 * u64::from(memory.lanes)));
			}
		}
	}
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let flags = input.u8();
	let flag = |bit: u8| flags >> bit & 1 == 1;
	let mut accelerator = AcceleratorOffer {
		memory_mib: number(&mut input, 0, MAX_ACCELERATOR_MIB),
		side: number(&mut input, MIN_GEMM_SIDE, MAX_SIDE),
	};
	let mut storage = StorageOffer {
		sectors: number(&mut input, 1, MAX_SECTORS),
		blocks: number(&mut input, 2, u32::MAX),
		compressions: short(&mut input, 1, MAX_COMPRESSIONS),
	};
	let lanes = short(&mut input, 1, MAX_LANES);
	let memory_mib = number(&mut input, 0, MAX_MEMORY_MIB);
	let parameters = if flag(0) { decoded(input.rest()) } else { Some(parameters(&mut input)) };
	let Some(parameters) = parameters else { return };
	if flag(1) {
		storage.blocks = parameters.sector_blocks;
		storage.compressions = parameters.sector_compressions;
	}
	if flag(5) {
		accelerator.side =
			accelerator.side.max(parameters.min_gemm_side).min(parameters.max_gemm_side);
	}
	if flag(6) {
		let states = if flag(7) { MAX_STEPS } else { 0 };
		accelerator.memory_mib = filled_by(&parameters, accelerator, states);
	}
	let offer = Offer {
		lanes,
		memory_mib,
		accelerator: flag(2).then_some(accelerator),
		storage: flag(3).then_some(storage),
	};
	if parameters.validate() {
		judge_accelerator(&parameters, accelerator);
		judge_storage(&parameters, storage);
		judge_work(&parameters, offer);
	} else {
		// The chain has none of these. What would be asked for is nobody's, and still no panic.
		parameters.gemm(&accelerator);
		parameters.storage(&storage);
		for kind in WorkKind::ALL {
			parameters.work(kind, offer, flag(4));
		}
	}
});
