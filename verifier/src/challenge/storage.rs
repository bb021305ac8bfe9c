//! Storage: sealed sectors, of which blocks are asked for at moments that nobody foresees.
//!
//! A sector is filled in memory ([`super::fill`], one lane, keyed by device and number) and written
//! out; the root of all sectors goes on chain when it is sealed. Blocks are drawn later and are due
//! within a deadline that is a small share of what filling takes: a lane is sequential, whatever the
//! number of cores, so that share of a sector can be filled again in time, and no more
//! ([`longest_deadline`]).

use super::{
	block::BLOCK_LEN,
	fill::{check_fill, BlockPath, FillOpening, FillSize, SizeError},
	sampling::draw,
};
use crate::merkle::{self, Path};
use alloc::vec::Vec;
use armature_primitives::{challenge::ChallengeFailure, DeviceId, Ppm, H256};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

#[cfg(test)]
mod tests;

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
	/// Over the roots of all sectors, in their order.
	pub root: H256,
}

impl SealedStorage {
	/// What a sector is filled with: one lane.
	pub fn sector(&self) -> FillSize {
		FillSize { lanes: 1, blocks: self.blocks }
	}

	/// All bytes.
	pub fn bytes(&self) -> u64 {
		u64::from(self.sectors).saturating_mul(self.sector().bytes())
	}

	fn has_sector(&self, sector: u32, root: &H256, path: &SectorPath) -> bool {
		merkle::verify(&self.root, self.sectors, sector, root.as_bytes(), path)
	}

	fn check(&self) -> Result<(), SizeError> {
		self.sector().count()?;
		match self.sectors {
			0 => Err(SizeError::TooSmall),
			sectors if sectors > MAX_SECTORS => Err(SizeError::TooLarge),
			_ => Ok(()),
		}
	}
}

/// The key that a sector is filled under: `blake2b256("armature/sector\0" || SCALE(genesis, device,
/// epoch, number))`. `epoch` is the chain's randomness when the device began to seal: sectors of other
/// devices, chains and times are no use.
pub fn sector_key(genesis: &H256, device: DeviceId, epoch: &H256, number: u32) -> H256 {
	let key = (b"armature/sector\0", genesis, device, epoch, number);
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
	/// The root of its sector.
	pub sector_root: H256,
	/// From there to the root.
	pub sector_path: SectorPath,
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

/// Checks that a block is the one that was sealed. Whether it was filled as it should be is looked at
/// once, when it is sealed ([`check_sealed`]).
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
	let StoredBlock { sector, at, bytes, path, sector_root, sector_path } = opening;
	if (*sector, *at) != wanted {
		return Err(ChallengeFailure::Malformed);
	}
	let of_device = storage.has_sector(*sector, sector_root, sector_path);
	if of_device && merkle::verify(sector_root, storage.blocks, *at, bytes, path) {
		Ok(())
	} else {
		Err(ChallengeFailure::BadOpening)
	}
}

/// What shows that one block of a sector was filled as it should be, when it is sealed.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SealedOpening {
	/// The sector.
	pub sector: u32,
	/// The block, under the root of its sector.
	pub fill: FillOpening,
	/// That root.
	pub sector_root: H256,
	/// From there to the root.
	pub sector_path: SectorPath,
}

/// The blocks to look at when sectors are sealed, as sector and number; see [`sample_storage`].
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

/// Checks that a block of a sector was filled as it should be, under the key of the device and time
/// ([`sector_key`]).
///
/// # Errors
///
/// Those of [`check_stored`] and of [`check_fill`].
pub fn check_sealed(
	genesis: &H256,
	device: DeviceId,
	epoch: &H256,
	storage: &SealedStorage,
	wanted: (u32, u32),
	opening: &SealedOpening,
) -> Result<(), ChallengeFailure> {
	storage.check().map_err(|_| ChallengeFailure::Malformed)?;
	let SealedOpening { sector, fill, sector_root, sector_path } = opening;
	if (*sector, fill.at) != wanted {
		return Err(ChallengeFailure::Malformed);
	}
	if !storage.has_sector(*sector, sector_root, sector_path) {
		return Err(ChallengeFailure::BadOpening);
	}
	let key = sector_key(genesis, device, epoch, *sector);
	check_fill(&key, &storage.sector(), sector_root, fill)
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
