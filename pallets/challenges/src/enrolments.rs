//! Devices that may be challenged, their owners and their scores.

use crate::{pallet::*, types::*};
use armature_primitives::{
	challenge::WorkKind,
	device::{DeviceInfo, DeviceStatus, Performance},
	traits::{DeviceBusy, DeviceInspect, PerformanceInspect},
	DeviceId, Moment, Ppm,
};
use frame_support::{ensure, traits::Time};
use sp_runtime::{ArithmeticError, DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_enrol_device(who: T::AccountId, device: DeviceId) -> DispatchResult {
		let info = Self::operated_device(&who, device)?;
		ensure!(Self::may_request(info.status), Error::<T>::DeviceNotReady);
		ensure!(!Enrolments::<T>::contains_key(device), Error::<T>::AlreadyEnrolled);
		let owner = Self::enrol(device, EnrolmentRecord::new(info.provider.clone()))?;
		let may_start = owner.queued.is_none() && owner.open == 0;
		if may_start && T::Clock::now() >= owner.rests_until {
			Self::enqueue(&info.provider, device)?;
		}
		Self::deposit_event(Event::DeviceEnrolled { who, device });
		Ok(())
	}

	pub(crate) fn do_request_challenge(who: T::AccountId, device: DeviceId) -> DispatchResult {
		Self::operated_device(&who, device)?;
		let owner = Self::requestable(device)?;
		Self::enqueue(&owner, device)?;
		Self::deposit_event(Event::ChallengeRequested { who, device });
		Ok(())
	}

	/// The owner of a device for which a round may be asked now.
	pub(crate) fn requestable(device: DeviceId) -> Result<T::AccountId, DispatchError> {
		let info = T::Devices::device(device).ok_or(Error::<T>::UnknownDevice)?;
		let record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		let owner = Owners::<T>::get(&record.owner).ok_or(Error::<T>::NotEnrolled)?;
		ensure!(record.maintenance_since.is_none(), Error::<T>::InMaintenance);
		ensure!(Self::may_request(info.status), Error::<T>::DeviceNotReady);
		ensure!(owner.queued.is_none(), Error::<T>::AlreadyRequested);
		ensure!(owner.open == 0 && !OpenRounds::<T>::contains_key(device), Error::<T>::RoundOpen);
		let now = T::Clock::now();
		let parameters = Params::<T>::get();
		let known = Self::valid_performance(&parameters, device, now);
		let is_lacking = |beside| Self::lacking(&parameters, device, &known, beside).is_some();
		ensure!(is_lacking(false), Error::<T>::ScoreValid);
		ensure!(is_lacking(true) || !T::Busy::is_busy(device), Error::<T>::LeaseOpen);
		ensure!(now >= record.cool_at(parameters.window_millis), Error::<T>::CoolingDown);
		ensure!(now >= owner.rests_until, Error::<T>::Resting);
		Ok(record.owner)
	}

	pub(crate) fn do_set_parameters(parameters: Parameters) -> DispatchResult {
		ensure!(parameters.validate(), Error::<T>::InvalidParameters);
		Params::<T>::put(&parameters);
		Self::deposit_event(Event::ParametersSet { parameters });
		Ok(())
	}

	/// A device that `who` may act for.
	pub(crate) fn operated_device(
		who: &T::AccountId,
		device: DeviceId,
	) -> Result<DeviceInfo<T::AccountId>, DispatchError> {
		let info = T::Devices::device(device).ok_or(Error::<T>::UnknownDevice)?;
		ensure!(T::Devices::may_operate(who, device), Error::<T>::NotOperator);
		Ok(info)
	}

	/// Whether a device in this state may have a round that its operator asked for.
	pub(crate) fn may_request(status: DeviceStatus) -> bool {
		status == DeviceStatus::Standby || Self::may_draw(status)
	}

	/// Whether a device in this state may be challenged unasked. Standby devices are left alone:
	/// they earn nothing that a round's electricity could be paid from.
	pub(crate) fn may_draw(status: DeviceStatus) -> bool {
		match status {
			DeviceStatus::Attested
			| DeviceStatus::Active
			| DeviceStatus::Suspect
			| DeviceStatus::Draining => true,
			DeviceStatus::Registered
			| DeviceStatus::Standby
			| DeviceStatus::Offline
			| DeviceStatus::Jailed
			| DeviceStatus::Retired => false,
		}
	}

	/// Whether its operator said that it does not answer.
	pub(crate) fn is_in_maintenance(device: DeviceId) -> bool {
		Enrolments::<T>::get(device).is_some_and(|record| record.maintenance_since.is_some())
	}

	/// Enters a device under its owner, at the next place.
	pub(crate) fn enrol(
		device: DeviceId,
		mut record: EnrolmentRecord<T::AccountId>,
	) -> Result<OwnerRecord, DispatchError> {
		let owner = match Owners::<T>::get(&record.owner) {
			Some(known) => {
				let devices = known.devices.checked_add(1).ok_or(ArithmeticError::Overflow)?;
				OwnerRecord { devices, ..known }
			},
			None => {
				let index = Owners::<T>::count();
				OwnerIndex::<T>::insert(index, &record.owner);
				let share = Params::<T>::get().max_share;
				OwnerRecord { index, devices: 1, share, queued: None, open: 0, rests_until: 0 }
			},
		};
		record.place = owner.devices.saturating_sub(1);
		Owners::<T>::insert(&record.owner, owner);
		OwnedDevices::<T>::insert(&record.owner, record.place, device);
		Enrolments::<T>::insert(device, record);
		Ok(owner)
	}

	/// Forgets a device. An open round of it runs to its end.
	pub(crate) fn unenrol(device: DeviceId) {
		let Some(record) = Enrolments::<T>::take(device) else { return };
		Self::set_performance(device, Performance::default());
		if let Some(id) = OpenRounds::<T>::get(device) {
			let owner = Rounds::<T>::mutate_extant(id, |round| round.owner.take());
			if let Some(owner) = owner {
				Self::change_owner(&owner, |record| record.open = record.open.saturating_sub(1));
			}
		}
		if let Some(owner) = Owners::<T>::get(&record.owner) {
			let left = owner.devices.saturating_sub(1);
			// The last one takes its place.
			if let Some(moved) = OwnedDevices::<T>::take(&record.owner, left) {
				if moved != device {
					OwnedDevices::<T>::insert(&record.owner, record.place, moved);
					Enrolments::<T>::mutate_extant(moved, |other| other.place = record.place);
				}
			}
			if left > 0 {
				// Its entry stays in the queue and is passed over.
				let queued = owner.queued.filter(|waiting| *waiting != device);
				Owners::<T>::insert(&record.owner, OwnerRecord { devices: left, queued, ..owner });
			} else {
				Self::forget_owner(&record.owner, owner.index);
			}
		}
		Self::deposit_event(Event::DeviceUnenrolled { device });
	}

	/// Changes the record of an owner, if there is one.
	pub(crate) fn change_owner(who: &T::AccountId, change: impl FnOnce(&mut OwnerRecord)) {
		if let Some(mut record) = Owners::<T>::get(who) {
			change(&mut record);
			Owners::<T>::insert(who, record);
		}
	}

	/// Takes an owner out of the list; the last one takes its place.
	fn forget_owner(who: &T::AccountId, index: u32) {
		Owners::<T>::remove(who);
		let last = Owners::<T>::count();
		let Some(moved) = OwnerIndex::<T>::take(last) else { return };
		if last != index {
			Self::change_owner(&moved, |record| record.index = index);
			OwnerIndex::<T>::insert(index, moved);
		}
	}

	/// Enters how a round of one of its devices ended into an owner's share: a failed one raises it by
	/// the share that the device is of all, a passed one lowers it by a sixteenth of that. So one round of
	/// all devices that they fail raises it 2 to 2.7 times, and sixteen that they pass take some two
	/// thirds. Returns what it was raised by.
	pub(crate) fn adapt_share(owner: &T::AccountId, passed: bool) -> Ppm {
		let Parameters { min_share, max_share, .. } = Params::<T>::get();
		let mut raised = Ppm(0);
		Self::change_owner(owner, |record| {
			let before = record.share;
			let Ppm(share) = record.share;
			let devices = record.devices.max(1);
			let share = if passed {
				share.saturating_sub((share / devices.saturating_mul(16)).max(1))
			} else {
				share.saturating_add(share.div_ceil(devices))
			};
			record.share = Ppm(share).clamp(min_share, max_share);
			raised = Ppm(record.share.0.saturating_sub(before.0));
		});
		raised
	}

	/// Takes back what a round of one of its devices has raised an owner's share by.
	pub(crate) fn lower_share(owner: &T::AccountId, raised: Ppm) {
		let Parameters { min_share, max_share, .. } = Params::<T>::get();
		Self::change_owner(owner, |record| {
			let share = record.share.0.saturating_sub(raised.0);
			record.share = Ppm(share).clamp(min_share, max_share);
		});
	}

	/// Puts a device at the end of the queue.
	pub(crate) fn enqueue(owner: &T::AccountId, device: DeviceId) -> DispatchResult {
		let mut ends = QueueEnds::<T>::get();
		let tail = ends.tail.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		Self::change_owner(owner, |record| record.queued = Some(device));
		Queue::<T>::insert(ends.tail, device);
		ends.tail = tail;
		QueueEnds::<T>::put(ends);
		Ok(())
	}

	/// What the `known` score of a device lacks first of what the device offers, or of what can be measured
	/// `beside` a lease: it has none of the storage, and leaves lanes. `None` where nothing is missing.
	pub(crate) fn lacking(
		parameters: &Parameters,
		device: DeviceId,
		known: &Performance,
		beside: bool,
	) -> Option<WorkKind> {
		let Performance { cpu, memory, network, gemm, storage } = known;
		[
			(WorkKind::Cpu, cpu.is_none()),
			(WorkKind::Memory, memory.is_none() && !beside),
			(WorkKind::Network, network.is_none() && !beside),
			(WorkKind::Gemm, gemm.is_none() && !beside),
			(WorkKind::Storage, storage.is_none()),
		]
		.into_iter()
		.find(|(kind, is_missing)| *is_missing && Self::offers(parameters, device, *kind))
		.map(|(kind, _)| kind)
	}

	/// Whether products can be asked for by what a device offers now.
	pub(crate) fn offers_gemm(parameters: &Parameters, device: DeviceId) -> bool {
		let offer = Enrolments::<T>::get(device).and_then(|record| record.accelerator);
		offer.is_some_and(|offer| parameters.gemm(&offer).is_some())
	}

	/// Whether storage can be asked for by what a device offers now.
	pub(crate) fn offers_storage(parameters: &Parameters, device: DeviceId) -> bool {
		let offer = Enrolments::<T>::get(device).and_then(|record| record.storage);
		offer.is_some_and(|offer| parameters.storage(&offer).is_some())
	}

	/// Whether a device offers what work of this kind is about. Everyone has lanes, memory and a way to
	/// verifiers.
	pub(crate) fn offers(parameters: &Parameters, device: DeviceId, kind: WorkKind) -> bool {
		match kind {
			WorkKind::Cpu | WorkKind::Memory | WorkKind::Network => true,
			WorkKind::Gemm => Self::offers_gemm(parameters, device),
			WorkKind::Storage => Self::offers_storage(parameters, device),
		}
	}

	/// The parts of a device's score that are within their age limit at `now`.
	pub(crate) fn valid_performance(
		parameters: &Parameters,
		device: DeviceId,
		now: Moment,
	) -> Performance {
		let Performance { cpu, memory, network, gemm, storage } = Performances::<T>::get(device);
		let counts = |since: Moment| now <= since.saturating_add(parameters.score_max_age_millis);
		Performance {
			cpu: cpu.filter(|score| counts(score.measured_at)),
			memory: memory.filter(|score| counts(score.measured_at)),
			network: network.filter(|score| counts(score.measured_at)),
			// What was offered before the parameters ruled it out says nothing of what counts now.
			gemm: gemm.filter(|score| {
				counts(score.measured_at) && parameters.gemm(&score.offer).is_some()
			}),
			storage: storage.filter(|score| {
				counts(score.measured_at) && parameters.storage(&score.offer).is_some()
			}),
		}
	}
}

impl<T: Config> PerformanceInspect for Pallet<T> {
	fn performance(device: DeviceId, now: Moment) -> Performance {
		Self::valid_performance(&Params::<T>::get(), device, now)
	}

	fn is_memory_busy(device: DeviceId) -> bool {
		let is_held = |round: &RoundOf<T>| match round.task.work.kind() {
			WorkKind::Memory | WorkKind::Gemm => !round.is_sealed(T::Clock::now()),
			WorkKind::Cpu | WorkKind::Network | WorkKind::Storage => false,
		};
		let round = OpenRounds::<T>::get(device).and_then(Rounds::<T>::get);
		round.is_some_and(|round| is_held(&round))
	}
}
