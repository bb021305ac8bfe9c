//! Records, and the hardware that is booked on them.

use super::*;
use armature_primitives::{
	traits::{DeviceLifecycle, LeaseGuard},
	DeviceId, H256,
};

impl<T: Config> Pallet<T> {
	/// Stores a record in the place of `old` and books its hardware on the device.
	pub(crate) fn put_record(device: DeviceId, old: Option<&Attestation>, new: Attestation) {
		let before: &[H256] = old.map_or(&[], |old| &old.identities);
		for gone in before.iter().filter(|id| !new.identities.contains(id)) {
			HardwareOwners::<T>::remove(gone);
		}
		for added in new.identities.iter().filter(|id| !before.contains(id)) {
			HardwareOwners::<T>::insert(added, device);
		}
		Attestations::<T>::insert(device, new);
	}

	/// Ends an attestation for good: releases its hardware and tells who relies on it.
	pub(crate) fn end_record(device: DeviceId, record: &Attestation) {
		for id in &record.identities {
			HardwareOwners::<T>::remove(id);
		}
		Attestations::<T>::remove(device);
		T::Devices::on_attestation_lost(device);
		T::Leases::on_tier_lost(device, None);
	}
}
