//! What other pallets read.

use super::*;
use armature_primitives::{device::Tier, traits::AttestationInspect, DeviceId, Moment};

impl<T: Config> Pallet<T> {
	/// Whether a certificate was revoked under the record. The sweep brings records up to the current
	/// generation, so that only those that it has not reached yet are looked at.
	fn is_revoked(record: &Attestation) -> bool {
		!record.certificates.is_empty()
			&& record.generation != Generation::<T>::get()
			&& record.rests_on(&RevokedCertificates::<T>::get())
	}
}

impl<T: Config> AttestationInspect for Pallet<T> {
	fn tier(device: DeviceId, now: Moment) -> Option<Tier> {
		Attestations::<T>::get(device)
			.filter(|current| current.holds(now) && !Self::is_revoked(current))
			.map(|current| current.tier)
	}
}
