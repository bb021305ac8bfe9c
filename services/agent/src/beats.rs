//! Beats and leaves.
//!
//! A beat is on disk before anyone sees it, and so is a leaf. A restart therefore continues the
//! epoch's chain where it broke off, keeps the bits that were made, makes no slot's beat twice and
//! signs no epoch twice.

use crate::{
	key::DeviceKey,
	store::{database, decode, Store, StoreError},
	telemetry::{summarise, Sample},
};
use armature_primitives::{
	ed25519,
	signing::Domain,
	telemetry::{Beat, EpochClock, Leaf},
	DeviceId, EpochIndex, Moment, H256,
};
use codec::{Decode, Encode};
use core::num::NonZeroU64;
use redb::{ReadableDatabase, ReadableTable, Table, TableDefinition};
use std::sync::Arc;

/// Epochs by number.
const EPOCHS: TableDefinition<u64, &[u8]> = TableDefinition::new("epochs");

/// Samples by epoch and slot.
const SAMPLES: TableDefinition<(u64, u8), &[u8]> = TableDefinition::new("samples");

/// Epochs that are kept, so that a device can show what its digests stand for: a week of
/// ten-minute epochs.
const KEEP_EPOCHS: usize = 1_008;

/// What became of an epoch's leaf.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
enum LeafState {
	/// The epoch is not over.
	#[codec(index = 0)]
	Open,
	/// Signed, and not known to be on chain.
	#[codec(index = 1)]
	Sealed(Leaf, ed25519::Signature),
	/// On chain.
	#[codec(index = 2)]
	Submitted(Leaf, ed25519::Signature),
	/// Not taken, and never will be.
	#[codec(index = 3)]
	Lapsed(Leaf, ed25519::Signature),
}

/// One epoch. It keeps its slot length, so that it means the same after a change of it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct EpochRecord {
	slot_millis: u64,
	slots: u64,
	head: H256,
	leaf: LeafState,
}

impl EpochRecord {
	fn clock(&self) -> EpochClock {
		EpochClock { slot_millis: NonZeroU64::new(self.slot_millis).unwrap_or(NonZeroU64::MIN) }
	}
}

/// A leaf that waits to be submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedLeaf {
	/// The leaf.
	pub leaf: Leaf,
	/// The device's signature over it.
	pub signature: ed25519::Signature,
	/// The first instant after its epoch.
	pub ended_at: Moment,
}

/// Why no beat was made for a slot. None of these is a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skipped {
	/// The slot has its beat.
	AlreadyMade,
	/// A later slot of the epoch has its beat: the chain of beats only goes forward.
	ClockWentBack,
	/// The epoch's leaf has been signed.
	EpochSealed,
}

/// Makes beats and leaves of one device.
#[derive(Clone, Debug)]
pub struct Beats {
	store: Arc<Store>,
	key: DeviceKey,
	genesis: H256,
	device: DeviceId,
}

impl Beats {
	/// Over the device's store.
	pub fn new(store: Arc<Store>, key: DeviceKey, genesis: H256, device: DeviceId) -> Self {
		Self { store, key, genesis, device }
	}

	/// Makes the beat of the slot that `now` lies in, stores it with its sample and signs it.
	pub fn beat(
		&self,
		clock: EpochClock,
		now: Moment,
		block_hash: H256,
		sample: &Sample,
	) -> Result<Result<(Beat, ed25519::Signature), Skipped>, StoreError> {
		let (epoch, slot) = (clock.epoch_at(now), clock.slot_at(now));
		let bit = 1u64.checked_shl(u32::from(slot)).unwrap_or(0);
		let write = self.store.db.begin_write().map_err(database)?;
		let beat = {
			let mut epochs = write.open_table(EPOCHS).map_err(database)?;
			let mut record = load(&epochs, epoch)?.unwrap_or_else(|| EpochRecord {
				slot_millis: clock.slot_millis.get(),
				slots: 0,
				head: H256::zero(),
				leaf: LeafState::Open,
			});
			// A changed slot length renumbers epochs; a number that is taken stays with its owner.
			if record.leaf != LeafState::Open || record.slot_millis != clock.slot_millis.get() {
				return Ok(Err(Skipped::EpochSealed));
			}
			if record.slots & bit != 0 {
				return Ok(Err(Skipped::AlreadyMade));
			}
			if record.slots > bit {
				return Ok(Err(Skipped::ClockWentBack));
			}
			let encoded = sample.encode();
			let beat = Beat {
				device: self.device,
				epoch,
				slot,
				previous: record.head,
				block_hash,
				telemetry: H256(sp_crypto_hashing::blake2_256(&encoded)),
				sent_at: now,
			};
			record.slots |= bit;
			record.head = beat.link();
			save(&mut epochs, epoch, &record)?;
			let mut samples = write.open_table(SAMPLES).map_err(database)?;
			samples.insert((epoch.0, slot), encoded.as_slice()).map_err(database)?;
			beat
		};
		write.commit().map_err(database)?;
		let signature = self.key.sign(Domain::Beat, &self.genesis, self.device, &beat);
		Ok(Ok((beat, signature)))
	}

	/// Signs the leaf of every epoch that is over, and returns those that are not on chain yet,
	/// oldest first. Epochs without a beat have no leaf.
	pub fn seal(&self, now: Moment) -> Result<Vec<SealedLeaf>, StoreError> {
		let write = self.store.db.begin_write().map_err(database)?;
		let mut waiting = Vec::new();
		{
			let mut epochs = write.open_table(EPOCHS).map_err(database)?;
			let samples = write.open_table(SAMPLES).map_err(database)?;
			for (epoch, mut record) in all(&epochs)? {
				let ended_at = record.clock().end_of(epoch);
				if ended_at > now {
					continue;
				}
				if record.leaf == LeafState::Open {
					let leaf = self.leaf(epoch, &record, &samples)?;
					let signature = self.key.sign(Domain::Leaf, &self.genesis, self.device, &leaf);
					record.leaf = LeafState::Sealed(leaf, signature);
					save(&mut epochs, epoch, &record)?;
				}
				if let LeafState::Sealed(leaf, signature) = record.leaf {
					waiting.push(SealedLeaf { leaf, signature, ended_at });
				}
			}
		}
		write.commit().map_err(database)?;
		waiting.sort_by_key(|leaf| leaf.ended_at);
		Ok(waiting)
	}

	/// Notes that the leaf of `epoch` is on chain.
	pub fn mark_submitted(&self, epoch: EpochIndex) -> Result<(), StoreError> {
		self.settle(epoch, LeafState::Submitted)
	}

	/// Notes that the chain will not take the leaf of `epoch` any more.
	pub fn mark_lapsed(&self, epoch: EpochIndex) -> Result<(), StoreError> {
		self.settle(epoch, LeafState::Lapsed)
	}

	/// The samples behind the leaf of `epoch`, by slot: what its digest is the hash of.
	pub fn samples(&self, epoch: EpochIndex) -> Result<Vec<(u8, Sample)>, StoreError> {
		let read = self.store.db.begin_read().map_err(database)?;
		match read.open_table(SAMPLES) {
			Ok(samples) => samples_of(&samples, epoch),
			Err(redb::TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
			Err(error) => Err(database(error)),
		}
	}

	/// Forgets all but the newest settled epochs.
	pub fn prune(&self) -> Result<(), StoreError> {
		let write = self.store.db.begin_write().map_err(database)?;
		{
			let mut epochs = write.open_table(EPOCHS).map_err(database)?;
			let mut samples = write.open_table(SAMPLES).map_err(database)?;
			let mut known = all(&epochs)?;
			known.sort_by_key(|(epoch, record)| record.clock().end_of(*epoch));
			let excess = known.len().saturating_sub(KEEP_EPOCHS);
			for (epoch, record) in known.into_iter().take(excess) {
				if matches!(record.leaf, LeafState::Open | LeafState::Sealed(..)) {
					continue;
				}
				epochs.remove(epoch.0).map_err(database)?;
				for slot in 0..=u8::MAX {
					samples.remove((epoch.0, slot)).map_err(database)?;
				}
			}
		}
		write.commit().map_err(database)
	}

	fn leaf(
		&self,
		epoch: EpochIndex,
		record: &EpochRecord,
		samples: &impl ReadableTable<(u64, u8), &'static [u8]>,
	) -> Result<Leaf, StoreError> {
		let samples = samples_of(samples, epoch)?;
		let values: Vec<Sample> = samples.iter().map(|(_, sample)| sample.clone()).collect();
		Ok(Leaf {
			device: self.device,
			epoch,
			slots: record.slots,
			beat_head: record.head,
			telemetry_digest: telemetry_digest(&samples),
			summary: summarise(&values),
		})
	}

	fn settle(
		&self,
		epoch: EpochIndex,
		state: fn(Leaf, ed25519::Signature) -> LeafState,
	) -> Result<(), StoreError> {
		let write = self.store.db.begin_write().map_err(database)?;
		{
			let mut epochs = write.open_table(EPOCHS).map_err(database)?;
			if let Some(mut record) = load(&epochs, epoch)? {
				if let LeafState::Sealed(leaf, signature) = record.leaf {
					record.leaf = state(leaf, signature);
					save(&mut epochs, epoch, &record)?;
				}
			}
		}
		write.commit().map_err(database)
	}
}

/// The digest of an epoch's telemetry: blake2b-256 of the SCALE vector of `(slot, sample)`.
pub fn telemetry_digest(samples: &[(u8, Sample)]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(&samples.encode()))
}

fn load(
	epochs: &impl ReadableTable<u64, &'static [u8]>,
	epoch: EpochIndex,
) -> Result<Option<EpochRecord>, StoreError> {
	let found = epochs.get(epoch.0).map_err(database)?;
	found.map(|record| decode(record.value(), "epoch")).transpose()
}

fn save(
	epochs: &mut Table<'_, u64, &'static [u8]>,
	epoch: EpochIndex,
	record: &EpochRecord,
) -> Result<(), StoreError> {
	epochs.insert(epoch.0, record.encode().as_slice()).map_err(database)?;
	Ok(())
}

fn all(
	epochs: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<Vec<(EpochIndex, EpochRecord)>, StoreError> {
	let mut out = Vec::new();
	for entry in epochs.range::<u64>(..).map_err(database)? {
		let (epoch, record) = entry.map_err(database)?;
		out.push((EpochIndex(epoch.value()), decode(record.value(), "epoch")?));
	}
	Ok(out)
}

fn samples_of(
	samples: &impl ReadableTable<(u64, u8), &'static [u8]>,
	epoch: EpochIndex,
) -> Result<Vec<(u8, Sample)>, StoreError> {
	let mut out = Vec::new();
	for entry in samples.range((epoch.0, 0)..=(epoch.0, u8::MAX)).map_err(database)? {
		let (key, sample) = entry.map_err(database)?;
		out.push((key.value().1, decode(sample.value(), "sample")?));
	}
	Ok(out)
}

#[cfg(test)]
mod tests;
