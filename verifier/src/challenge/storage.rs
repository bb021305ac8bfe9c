//! Storage: sealed sectors, of which blocks are asked for at moments that nobody foresees.
//!
//! A sector is filled in memory ([`super::fill`], one lane, keyed by device and number) and written
//! out, once. In a round the device commits to all sectors ([`committed_root`]). Blocks are drawn after
//! that, and are due within a deadline that is a small share of what filling takes, as is the time for the
//! commitment: a lane is sequential, so that whoever keeps the beginning of a sector fills that share of it
//! again in time, and no more ([`longest_deadline`]; what else can be left out is in [`super::fill`]). The
//! deadline has to be above what disks and the way to a verifier take, so that filling has to take long:
//! each block is compressed many times ([`DEFAULT_COMPRESSIONS`]). Of other blocks the device shows, without
//! haste, that they were filled as they should be.

use super::{
	block::BLOCK_LEN,
	fill::{check_fill, BlockPath, FillOpening, FillSize, SizeError},
	sampling::draw,
	task_hash,
};
use crate::merkle::{self, Path};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, StorageChallenge},
	DeviceId, Ppm, H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

#[cfg(test)]
mod tests;

/// Blocks of a sector unless parameters say otherwise: a GiB, which every thread that seals has in memory.
pub const DEFAULT_SECTOR_BLOCKS: u32 = 1 << 20;

/// Compressions of a block unless parameters say otherwise. One takes 0.4 to 0.6 µs, a sector of
/// [`DEFAULT_SECTOR_BLOCKS`] then two to three minutes.
pub const DEFAULT_COMPRESSIONS: u16 = 256;

/// The most sectors of a device.
pub const MAX_SECTORS: u32 = 1 << MAX_SECTOR_DEPTH;

/// Levels of the largest tree of sectors.
pub const MAX_SECTOR_DEPTH: u32 = 16;

/// The path of a sector.
pub type SectorPath = Path<MAX_SECTOR_DEPTH>;

/// What a device sealed.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct SealedStorage {
	/// Sectors, 1 to [`MAX_SECTORS`].
	pub sectors: u32,
	/// Blocks of each, at least 2.
	pub blocks: u32,
	/// Compressions of each block, 1 to [`super::fill::MAX_COMPRESSIONS`].
	pub compressions: u16,
	/// Hash of the task that is answered.
	pub task: H256,
	/// What was committed to; see [`committed_root`].
	pub root: H256,
}

impl SealedStorage {
	/// What a device has committed to in a round on chain, if it is of this kind.
	pub fn of_round(task: &ChallengeTask, root: H256) -> Option<Self> {
		let StorageChallenge { sectors, blocks, compressions, .. } = *task.storage()?;
		Some(Self { sectors, blocks, compressions, task: task_hash(task), root })
	}

	/// What a sector is filled with: one lane.
	pub fn sector(&self) -> FillSize {
		FillSize { lanes: 1, blocks: self.blocks, compressions: self.compressions }
	}

	/// All bytes.
	pub fn bytes(&self) -> u64 {
		u64::from(self.sectors).saturating_mul(self.sector().bytes())
	}

	fn has_sector(&self, sector: u32, place: &SectorPlace) -> bool {
		let SectorPlace { root, path, salt } = place;
		let leaf = merkle::leaf_hash(root.as_bytes());
		let all = merkle::root_from(self.sectors, sector, leaf, path);
		all.is_some_and(|all| committed_root(&self.task, salt, &all) == self.root)
	}

	fn check(&self) -> Result<(), SizeError> {
		self.sector().count()?;
		check_sectors(self.sectors)
	}
}

fn check_sectors(sectors: u32) -> Result<(), SizeError> {
	match sectors {
		0 => Err(SizeError::TooSmall),
		sectors if sectors > MAX_SECTORS => Err(SizeError::TooLarge),
		_ => Ok(()),
	}
}

/// What a device commits to: `blake2b256("armature/stored\0" || task || salt || all)`, where `all` is the
/// Merkle root over the roots of all sectors, in their order. The salt is the device's, another one for each
/// task, and secret until something is opened: else whoever knows what is sealed could tell, without looking,
/// whether it was committed to, or plant it as if it were wrong.
pub fn committed_root(task: &H256, salt: &H256, all: &H256) -> H256 {
	let input = (b"armature/stored\0", task, salt, all);
	H256(input.using_encoded(sp_io::hashing::blake2_256))
}

/// Where a sector stands in what was committed to.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SectorPlace {
	/// Over its blocks.
	pub root: H256,
	/// From there to the root over all sectors.
	pub path: SectorPath,
	/// What that was committed to with.
	pub salt: H256,
}

/// Checks the size of a round on chain.
///
/// # Errors
///
/// [`SizeError`].
pub fn check_size(storage: &StorageChallenge) -> Result<(), SizeError> {
	let StorageChallenge { sectors, blocks, compressions, commit_millis, read_millis } = *storage;
	FillSize { lanes: 1, blocks, compressions }.count()?;
	check_sectors(sectors)?;
	if commit_millis == 0 || read_millis == 0 {
		return Err(SizeError::TooSmall);
	}
	Ok(())
}

/// The key that a sector is filled under: `blake2b256("armature/sector\0" || SCALE(genesis, device,
/// number))`. Sectors of other devices and chains are no use. Nothing in it has to be unknown before: what
/// was sealed ahead takes as much room.
pub fn sector_key(genesis: &H256, device: DeviceId, number: u32) -> H256 {
	let key = (b"armature/sector\0", genesis, device, number);
	H256(key.using_encoded(sp_io::hashing::blake2_256))
}

/// A block that was asked for.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct StoredBlock {
	/// Its sector.
	pub sector: u32,
	/// Its number there.
	pub at: u32,
	/// The block.
	pub bytes: [u8; BLOCK_LEN],
	/// From it to the root of its sector.
	pub path: BlockPath,
	/// Where its sector stands.
	pub place: SectorPlace,
}

/// The blocks to ask for, as sector and number: `count` different ones, or all. The `randomness` must
/// not have been known before.
///
/// # Errors
///
/// [`SizeError`].
pub fn sample_storage(
	randomness: &H256,
	storage: &SealedStorage,
	count: u32,
) -> Result<Vec<(u32, u32)>, SizeError> {
	sample(b"armature/sample-stored", randomness, storage, count)
}

fn sample(
	domain: &[u8; 22],
	randomness: &H256,
	storage: &SealedStorage,
	count: u32,
) -> Result<Vec<(u32, u32)>, SizeError> {
	storage.check()?;
	let key = (domain, randomness, storage);
	let key = key.using_encoded(sp_io::hashing::blake2_256);
	let blocks = u64::from(storage.blocks);
	let total = u64::from(storage.sectors).saturating_mul(blocks);
	let place = |position: u64| {
		let sector = u32::try_from(position.checked_div(blocks)?).ok()?;
		Some((sector, u32::try_from(position.checked_rem(blocks)?).ok()?))
	};
	Ok(draw(key, total, count).into_iter().filter_map(place).collect())
}

/// Checks that a block is one of those that were committed to. Whether it was filled as it should be is what
/// [`check_sealed`] looks at, of others.
///
/// # Errors
///
/// - [`ChallengeFailure::Malformed`]: sizes are out of bounds, or it is another block than `wanted`.
/// - [`ChallengeFailure::BadOpening`]: it is not under its sector's root, or that not under the root.
pub fn check_stored(
	storage: &SealedStorage,
	wanted: (u32, u32),
	opening: &StoredBlock,
) -> Result<(), ChallengeFailure> {
	storage.check().map_err(|_| ChallengeFailure::Malformed)?;
	let StoredBlock { sector, at, bytes, path, place } = opening;
	if (*sector, *at) != wanted {
		return Err(ChallengeFailure::Malformed);
	}
	let of_device = storage.has_sector(*sector, place);
	if of_device && merkle::verify(&place.root, storage.blocks, *at, bytes, path) {
		Ok(())
	} else {
		Err(ChallengeFailure::BadOpening)
	}
}

/// What shows that one block of a sector was filled as it should be.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SealedOpening {
	/// The sector.
	pub sector: u32,
	/// The block, under the root of its sector.
	pub fill: FillOpening,
	/// Where the sector stands.
	pub place: SectorPlace,
}

/// The blocks to be shown to be filled as they should be, as sector and number; see [`sample_storage`].
///
/// # Errors
///
/// [`SizeError`].
pub fn sample_sealed(
	randomness: &H256,
	storage: &SealedStorage,
	count: u32,
) -> Result<Vec<(u32, u32)>, SizeError> {
	sample(b"armature/sample-sealed", randomness, storage, count)
}

/// Checks that a block of a sector was filled as it should be, under the sector's key ([`sector_key`]).
///
/// # Errors
///
/// Those of [`check_stored`] and of [`check_fill`].
pub fn check_sealed(
	genesis: &H256,
	device: DeviceId,
	storage: &SealedStorage,
	wanted: (u32, u32),
	opening: &SealedOpening,
) -> Result<(), ChallengeFailure> {
	storage.check().map_err(|_| ChallengeFailure::Malformed)?;
	let SealedOpening { sector, fill, place } = opening;
	if (*sector, fill.at) != wanted {
		return Err(ChallengeFailure::Malformed);
	}
	if !storage.has_sector(*sector, place) {
		return Err(ChallengeFailure::BadOpening);
	}
	let key = sector_key(genesis, device, *sector);
	check_fill(&key, &storage.sector(), &place.root, fill)
}

/// The longest deadline for blocks, in milliseconds, rounded down, by which at most a share `left_out`
/// of each sector can be missing: whoever keeps the beginning of a sector fills the rest again, one
/// block after the other, each in no less than `nanos` on any hardware. What can be left out beside that
/// is in [`super::fill`].
pub fn longest_deadline(storage: &SealedStorage, nanos: u32, left_out: Ppm) -> u64 {
	let sealing = u128::from(storage.blocks).saturating_mul(u128::from(nanos));
	let share = sealing.saturating_mul(left_out.0.into()) / u128::from(Ppm::ONE.0);
	u64::try_from(share / 1_000_000).unwrap_or(u64::MAX)
}
