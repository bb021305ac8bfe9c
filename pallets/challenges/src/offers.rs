//! What devices offer to be measured beside their lanes and memory.

use crate::{pallet::*, scores::with_part, types::*};
use armature_primitives::{
	challenge::WorkKind,
	device::{AcceleratorOffer, Performance, StorageOffer},
	DeviceId, Moment,
};
use frame_support::{ensure, traits::Time};
use sp_runtime::{DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	/// What an earlier offer has shown says nothing of the new one.
	pub(crate) fn do_offer_accelerator(
		who: T::AccountId,
		device: DeviceId,
		offer: Option<AcceleratorOffer>,
	) -> DispatchResult {
		let mut record = Self::offering(&who, device, WorkKind::Gemm)?;
		if record.accelerator != offer {
			if let Some(offer) = &offer {
				let fits = Params::<T>::get().gemm(offer).is_some();
				let before = record.accelerator_offered_at;
				record.accelerator_offered_at = Some(Self::offered_now(before, fits)?);
			}
			record.accelerator = offer;
			Self::take_offer(device, record, WorkKind::Gemm);
		}
		Self::deposit_event(Event::AcceleratorOffered { device, offer });
		Ok(())
	}

	/// The same of sealed sectors.
	pub(crate) fn do_offer_storage(
		who: T::AccountId,
		device: DeviceId,
		offer: Option<StorageOffer>,
	) -> DispatchResult {
		let mut record = Self::offering(&who, device, WorkKind::Storage)?;
		if record.storage != offer {
			if let Some(offer) = &offer {
				let fits = Params::<T>::get().storage(offer).is_some();
				let before = record.storage_offered_at;
				record.storage_offered_at = Some(Self::offered_now(before, fits)?);
			}
			record.storage = offer;
			Self::take_offer(device, record, WorkKind::Storage);
		}
		Self::deposit_event(Event::StorageOffered { device, offer });
		Ok(())
	}

	/// The record of a device that `who` may offer something of, which is not being measured.
	fn offering(
		who: &T::AccountId,
		device: DeviceId,
		kind: WorkKind,
	) -> Result<EnrolmentRecord<T::AccountId>, DispatchError> {
		Self::operated_device(who, device)?;
		let record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		// Its outcome is one of what was offered.
		let open = OpenRounds::<T>::get(device).and_then(Rounds::<T>::get);
		let is_measured = open.is_some_and(|round| round.task.work.kind() == kind);
		ensure!(!is_measured, Error::<T>::RoundOpen);
		Ok(record)
	}

	/// The time of a new offer after the one of `before`. A round of it may be asked for, which is no
	/// surprise, and costs its verifiers' pay.
	fn offered_now(before: Option<Moment>, fits: bool) -> Result<Moment, DispatchError> {
		ensure!(fits, Error::<T>::InvalidOffer);
		let now = T::Clock::now();
		let interval = Params::<T>::get().offer_interval_millis;
		let is_over = |last: Moment| now >= last.saturating_add(interval);
		ensure!(before.is_none_or(is_over), Error::<T>::OfferTooOften);
		Ok(now)
	}

	/// Stores what a device offers now. What another offer has shown is gone.
	fn take_offer(device: DeviceId, record: EnrolmentRecord<T::AccountId>, kind: WorkKind) {
		Enrolments::<T>::insert(device, record);
		let score = Performances::<T>::get(device);
		let left = with_part(score, Performance::default(), kind);
		if left != score {
			Self::set_performance(device, left);
		}
	}
}
