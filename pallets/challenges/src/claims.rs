//! Where devices and verifiers say to be.

use crate::{pallet::*, types::*};
use armature_primitives::{
	device::{NetworkScore, Performance},
	location::{LocationFinding, Position},
	DeviceId,
};
use frame_support::ensure;
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
	/// What was found of an earlier claim says nothing of the new one.
	pub(crate) fn do_claim_position(
		who: T::AccountId,
		device: DeviceId,
		position: Option<Position>,
	) -> DispatchResult {
		Self::operated_device(&who, device)?;
		let mut record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		ensure!(position.is_none_or(|place| place.is_valid()), Error::<T>::InvalidPosition);
		if record.position != position {
			record.position = position;
			Enrolments::<T>::insert(device, record);
			let score = Performances::<T>::get(device);
			if let Some(network) = score.network {
				let network = NetworkScore { location: LocationFinding::Unknown, ..network };
				let score = Performance { network: Some(network), ..score };
				Self::set_performance(device, score);
			}
		}
		Self::deposit_event(Event::PositionClaimed { device, position });
		Ok(())
	}

	pub(crate) fn do_set_verifier_position(
		who: T::AccountId,
		position: Option<Position>,
	) -> DispatchResult {
		let record = Self::active_verifier(&who)?;
		ensure!(position.is_none_or(|place| place.is_valid()), Error::<T>::InvalidPosition);
		Verifiers::<T>::insert(&who, VerifierRecord { position, ..record });
		Self::deposit_event(Event::VerifierPositionSet { who, position });
		Ok(())
	}
}
