//! What must always hold.

use super::*;
use alloc::collections::BTreeSet;
use armature_primitives::{device::Tier, traits::DeviceInspect, DeviceId};
use frame_support::{
	ensure,
	traits::{Get, Time},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks all invariants:
	///
	/// 1. The parameters and the reference values in force are valid; the reference values are not
	///    newer than the generation.
	/// 2. A record ends after it began, is proved not after it was attested, has lapsed only after its
	///    end, ends no later than its certificates, and is of no generation to come.
	/// 3. No nonce is in two hands, and no more are out than were handed out.
	/// 4. Hardware is booked on exactly the records that name it, each piece on one; a record above T0
	///    names its platform, one of T3 a GPU besides; its device is registered.
	/// 5. Nothing that vouches for a device is revoked hardware.
	/// 6. The list of revoked certificates is in rising order; no more hardware is revoked than the
	///    bound says.
	/// 7. Each collateral has an entry and each entry a collateral.
	/// 8. No issuer is known twice.
	/// 9. A pending renewal can be disputed for a while, and is of a known generation.
	pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::try_values()?;
		Self::try_records()?;
		Self::try_nonces()?;
		Self::try_hardware()?;
		Self::try_lists()?;
		Self::try_pending()
	}

	fn try_values() -> Result<(), TryRuntimeError> {
		ensure!(Parameters::<T>::get().validate(), "1: invalid parameters");
		ensure!(References::<T>::get().validate(), "1: invalid reference values");
		let newest = Generation::<T>::get();
		ensure!(ReferencesGeneration::<T>::get() <= newest, "1: reference values to come");
		Ok(())
	}

	fn try_records() -> Result<(), TryRuntimeError> {
		let now = T::Clock::now();
		let generation = Generation::<T>::get();
		for record in Attestations::<T>::iter_values() {
			ensure!(record.attested_at < record.expires_at, "2: ends before it began");
			ensure!(record.attested_at <= now, "2: of the future");
			ensure!(record.proved_at <= record.attested_at, "2: proved after it was attested");
			ensure!(!record.lapsed || record.expires_at <= now, "2: lapsed before its end");
			ensure!(record.expires_at <= record.certified_until, "2: outlives its certificates");
			ensure!(record.generation <= generation, "2: of a generation to come");
		}
		Ok(())
	}

	fn try_nonces() -> Result<(), TryRuntimeError> {
		let mut seen = BTreeSet::new();
		let mut out = 0u64;
		for issued in Nonces::<T>::iter_values() {
			ensure!(seen.insert(issued.nonce), "3: one nonce in two hands");
			out = out.saturating_add(1);
		}
		ensure!(out <= NonceCount::<T>::get(), "3: more nonces than were handed out");
		Ok(())
	}

	fn try_hardware() -> Result<(), TryRuntimeError> {
		let booked: BTreeSet<_> = HardwareOwners::<T>::iter().collect();
		let mut named = BTreeSet::new();
		for (device, record) in Attestations::<T>::iter() {
			let least = match record.tier {
				Tier::T0 => 0,
				Tier::T1 | Tier::T2 => 1,
				Tier::T3 => 2,
			};
			ensure!(record.identities.len() >= least, "4: hardware without a name");
			ensure!(T::Devices::device(device).is_some(), "4: a record of no device");
			for id in &record.identities {
				let pair: (_, DeviceId) = (*id, device);
				ensure!(named.insert(pair), "4: named twice");
				ensure!(!RevokedHardware::<T>::contains_key(id), "5: revoked hardware vouches");
			}
		}
		ensure!(booked == named, "4: records and owners differ");
		Ok(())
	}

	fn try_lists() -> Result<(), TryRuntimeError> {
		let revoked = RevokedCertificates::<T>::get();
		ensure!(revoked.is_sorted_by(|a, b| a < b), "6: not in rising order");
		let counted = RevokedHardware::<T>::iter_keys().count();
		ensure!(
			u32::try_from(counted) == Ok(RevokedHardware::<T>::count()),
			"6: wrong count of revoked hardware"
		);
		ensure!(
			RevokedHardware::<T>::count() <= T::MaxRevokedHardware::get(),
			"6: too much revoked hardware"
		);
		let stored: BTreeSet<_> = Collaterals::<T>::iter_keys().collect();
		let listed: BTreeSet<_> = CollateralDirectory::<T>::get().keys().copied().collect();
		ensure!(stored == listed, "7: collaterals and entries differ");
		let known = KnownIssuers::<T>::get();
		let distinct: BTreeSet<_> = known.iter().map(|known| known.sha256).collect();
		ensure!(distinct.len() == known.len(), "8: an issuer is known twice");
		Ok(())
	}

	fn try_pending() -> Result<(), TryRuntimeError> {
		let now = T::Clock::now();
		let references = ReferencesGeneration::<T>::get();
		for pending in PendingRenewals::<T>::iter_values() {
			ensure!(pending.submitted_at <= now, "9: of the future");
			ensure!(pending.submitted_at < pending.disputable_until, "9: never disputable");
			ensure!(pending.references <= references, "9: of a generation to come");
		}
		Ok(())
	}
}
