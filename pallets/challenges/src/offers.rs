//! What devices offer to be measured beside their lanes and memory.

use crate::pallet::*;
use armature_primitives::{
	device::{AcceleratorOffer, Performance},
	DeviceId,
};
use frame_support::{ensure, traits::Time};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
	/// What an earlier offer has shown says nothing of the new one.
	pub(crate) fn do_offer_accelerator(
		who: T::AccountId,
		device: DeviceId,
		offer: Option<AcceleratorOffer>,
	) -> DispatchResult {
		Self::operated_device(&who, device)?;
		let mut record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		// Its outcome is one of what was offered.
		let open = OpenRounds::<T>::get(device).and_then(Rounds::<T>::get);
		let is_measured = open.is_some_and(|round| round.task.gemm().is_some());
		ensure!(!is_measured, Error::<T>::RoundOpen);
		if record.accelerator != offer {
			if let Some(offer) = &offer {
				let parameters = Params::<T>::get();
				ensure!(parameters.gemm(offer).is_some(), Error::<T>::InvalidOffer);
				// A round of it may be asked for, which is no surprise, and costs its verifiers' pay.
				let now = T::Clock::now();
				let interval = parameters.offer_interval_millis;
				let is_over = |last: u64| now >= last.saturating_add(interval);
				ensure!(record.offered_at.is_none_or(is_over), Error::<T>::OfferTooOften);
				record.offered_at = Some(now);
			}
			record.accelerator = offer;
			Enrolments::<T>::insert(device, record);
			let score = Performances::<T>::get(device);
			if score.gemm.is_some() {
				Self::set_performance(device, Performance { gemm: None, ..score });
			}
		}
		Self::deposit_event(Event::AcceleratorOffered { device, offer });
		Ok(())
	}
}
