//! Devices that say beforehand that they will not answer.

use crate::{pallet::*, types::*};
use armature_primitives::{device::Performance, traits::DeviceBusy, DeviceId};
use frame_support::{ensure, traits::Time};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
	/// The score goes: whoever could keep it would be measured only when it suits. With it goes all new
	/// work. Not often, since the round that follows is no surprise.
	pub(crate) fn do_start_maintenance(who: T::AccountId, device: DeviceId) -> DispatchResult {
		Self::operated_device(&who, device)?;
		let mut record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		ensure!(record.maintenance_since.is_none(), Error::<T>::InMaintenance);
		ensure!(!OpenRounds::<T>::contains_key(device), Error::<T>::RoundOpen);
		ensure!(!T::Busy::is_busy(device), Error::<T>::LeaseOpen);
		let now = T::Clock::now();
		let interval = Params::<T>::get().maintenance_interval_millis;
		let is_over = |last: u64| now >= last.saturating_add(interval);
		ensure!(record.last_maintenance_at.is_none_or(is_over), Error::<T>::MaintenanceTooOften);
		record.maintenance_since = Some(now);
		record.last_maintenance_at = Some(now);
		record.last_rounds = LastRounds::default();
		Enrolments::<T>::insert(device, record);
		Self::set_performance(device, Performance::default());
		Self::deposit_event(Event::MaintenanceStarted { who, device });
		Ok(())
	}

	/// A round follows, of all of the owner's devices, as soon as one may be asked for: identities that
	/// share a machine gain nothing by taking turns.
	pub(crate) fn do_end_maintenance(who: T::AccountId, device: DeviceId) -> DispatchResult {
		Self::operated_device(&who, device)?;
		let mut record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		ensure!(record.maintenance_since.is_some(), Error::<T>::NotInMaintenance);
		record.maintenance_since = None;
		Enrolments::<T>::insert(device, record);
		// Where none may be asked for yet, its operator asks later.
		if let Ok(owner) = Self::requestable(device) {
			Self::enqueue(&owner, device)?;
		}
		Self::deposit_event(Event::MaintenanceEnded { who, device });
		Ok(())
	}
}
