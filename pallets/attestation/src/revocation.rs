//! Revocation of attestations, certificates and hardware.

use super::*;
use armature_primitives::{DeviceId, H256};
use frame_support::{ensure, traits::Get};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_revoke(device: DeviceId) -> DispatchResult {
		let record = Attestations::<T>::get(device).ok_or(Error::<T>::NotAttested)?;
		Nonces::<T>::remove(device);
		Self::suspend(device, &record);
		Ok(())
	}

	/// Ends an attestation that nobody should rely on.
	pub(crate) fn suspend(device: DeviceId, record: &Attestation) {
		Self::end_record(device, record);
		Self::deposit_event(Event::Revoked { device });
	}

	pub(crate) fn do_revoke_certificate(sha256: H256) -> DispatchResult {
		RevokedCertificates::<T>::try_mutate(|list| {
			let at = match list.binary_search(&sha256) {
				Ok(_) => return Err(Error::<T>::AlreadyRevoked),
				Err(at) => at,
			};
			list.try_insert(at, sha256).map_err(|_| Error::<T>::TooManyRevoked)
		})?;
		// From now on every record is held against the list.
		Self::next_generation();
		Self::deposit_event(Event::CertificateRevoked { sha256 });
		Ok(())
	}

	pub(crate) fn do_restore_certificate(sha256: H256) -> DispatchResult {
		RevokedCertificates::<T>::try_mutate(|list| {
			let at = list.binary_search(&sha256).map_err(|_| Error::<T>::NotRevoked)?;
			list.remove(at);
			Ok::<_, Error<T>>(())
		})?;
		Self::deposit_event(Event::CertificateRestored { sha256 });
		Ok(())
	}

	pub(crate) fn do_revoke_hardware(id: H256) -> DispatchResult {
		ensure!(!RevokedHardware::<T>::contains_key(id), Error::<T>::AlreadyRevoked);
		ensure!(
			RevokedHardware::<T>::count() < T::MaxRevokedHardware::get(),
			Error::<T>::TooManyRevoked
		);
		RevokedHardware::<T>::insert(id, ());
		Self::deposit_event(Event::HardwareRevoked { id });
		if let Some(device) = HardwareOwners::<T>::get(id) {
			if let Some(record) = Attestations::<T>::get(device) {
				Self::suspend(device, &record);
			}
		}
		Ok(())
	}

	pub(crate) fn do_restore_hardware(id: H256) -> DispatchResult {
		RevokedHardware::<T>::take(id).ok_or(Error::<T>::NotRevoked)?;
		Self::deposit_event(Event::HardwareRestored { id });
		Ok(())
	}
}
