//! The calls' bodies and the traits that other pallets ask.

use crate::{pallet::*, types::*};
use armature_primitives::{
	challenge::Verdict,
	device::{DeviceInfo, DeviceStatus, Performance},
	service::ServiceAddress,
	traits::{DeviceInspect, PerformanceInspect, VerifierInspect},
	DeviceId, Moment, RoundId, H256,
};
use armature_verifier::challenge::check_power;
use frame_support::{
	ensure,
	traits::{fungible::hold::Mutate, tokens::Precision, Time},
};
use sp_runtime::{ArithmeticError, DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_register_verifier(
		who: T::AccountId,
		address: ServiceAddress,
	) -> DispatchResult {
		ensure!(!Verifiers::<T>::contains_key(&who), Error::<T>::AlreadyVerifier);
		let bond = Params::<T>::get().verifier_bond;
		ActiveVerifiers::<T>::try_mutate(|active| active.try_push(who.clone()))
			.map_err(|_| Error::<T>::TooManyVerifiers)?;
		T::Currency::hold(&HoldReason::VerifierBond.into(), &who, bond)?;
		let record = VerifierRecord { address: address.clone(), bond, retired_at: None };
		Verifiers::<T>::insert(&who, record);
		Self::deposit_event(Event::VerifierRegistered { who, address, bond });
		Ok(())
	}

	pub(crate) fn do_update_verifier(who: T::AccountId, address: ServiceAddress) -> DispatchResult {
		let record = Self::active_verifier(&who)?;
		Verifiers::<T>::insert(&who, VerifierRecord { address: address.clone(), ..record });
		Self::deposit_event(Event::VerifierUpdated { who, address });
		Ok(())
	}

	pub(crate) fn do_retire_verifier(who: T::AccountId) -> DispatchResult {
		let record = Self::active_verifier(&who)?;
		let now = T::Clock::now();
		let unbonding = Params::<T>::get().verifier_unbonding_millis;
		ActiveVerifiers::<T>::mutate(|active| active.retain(|verifier| verifier != &who));
		Verifiers::<T>::insert(&who, VerifierRecord { retired_at: Some(now), ..record });
		let withdrawable_at = now.saturating_add(unbonding);
		Self::deposit_event(Event::VerifierRetired { who, withdrawable_at });
		Ok(())
	}

	pub(crate) fn do_withdraw_verifier_bond(who: T::AccountId) -> DispatchResult {
		let record = Verifiers::<T>::get(&who).ok_or(Error::<T>::NotVerifier)?;
		let retired_at = record.retired_at.ok_or(Error::<T>::NotRetired)?;
		let unbonding = Params::<T>::get().verifier_unbonding_millis;
		ensure!(
			T::Clock::now() >= retired_at.saturating_add(unbonding),
			Error::<T>::StillUnbonding
		);
		ensure!(
			Assignments::<T>::iter_key_prefix(&who).next().is_none(),
			Error::<T>::RoundsAssigned
		);
		let reason = HoldReason::VerifierBond.into();
		let amount = T::Currency::release(&reason, &who, record.bond, Precision::Exact)?;
		Verifiers::<T>::remove(&who);
		Self::deposit_event(Event::VerifierBondWithdrawn { who, amount });
		Ok(())
	}

	pub(crate) fn do_enrol_device(who: T::AccountId, device: DeviceId) -> DispatchResult {
		let info = Self::operated_device(&who, device)?;
		ensure!(Self::may_request(info.status), Error::<T>::DeviceNotReady);
		ensure!(!Enrolments::<T>::contains_key(device), Error::<T>::AlreadyEnrolled);
		Self::enqueue(device)?;
		Enrolments::<T>::insert(device, EnrolmentRecord { queued: true, ..Default::default() });
		Self::deposit_event(Event::DeviceEnrolled { who, device });
		Ok(())
	}

	pub(crate) fn do_request_challenge(who: T::AccountId, device: DeviceId) -> DispatchResult {
		let info = Self::operated_device(&who, device)?;
		let record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		ensure!(Self::may_request(info.status), Error::<T>::DeviceNotReady);
		ensure!(!record.queued, Error::<T>::AlreadyRequested);
		ensure!(!OpenRounds::<T>::contains_key(device), Error::<T>::RoundOpen);
		let now = T::Clock::now();
		let parameters = Params::<T>::get();
		ensure!(
			Self::valid_performance(&parameters, device, now).is_none(),
			Error::<T>::ScoreValid
		);
		ensure!(
			record
				.last_closed_at
				.is_none_or(|closed| now >= closed.saturating_add(parameters.window_millis)),
			Error::<T>::CoolingDown
		);
		Self::enqueue(device)?;
		Enrolments::<T>::insert(device, EnrolmentRecord { queued: true, ..record });
		Self::deposit_event(Event::ChallengeRequested { who, device });
		Ok(())
	}

	pub(crate) fn do_post_verdicts(who: T::AccountId, verdicts: VerdictsOf<T>) -> DispatchResult {
		ensure!(!verdicts.is_empty(), Error::<T>::NoVerdicts);
		let now = T::Clock::now();
		// A failure rolls back what came before it: calls run in a storage layer.
		for (id, verdict) in verdicts {
			Self::post_verdict(&who, id, verdict, now)?;
		}
		Ok(())
	}

	pub(crate) fn do_set_parameters(parameters: Parameters) -> DispatchResult {
		ensure!(parameters.validate(), Error::<T>::InvalidParameters);
		Params::<T>::put(&parameters);
		Self::deposit_event(Event::ParametersSet { parameters });
		Ok(())
	}

	fn post_verdict(
		who: &T::AccountId,
		id: RoundId,
		verdict: Verdict,
		now: Moment,
	) -> DispatchResult {
		let mut round = Rounds::<T>::get(id).ok_or(Error::<T>::RoundNotFound)?;
		ensure!(now <= round.task.deadline, Error::<T>::DeadlinePassed);
		if let Verdict::Passed { elapsed_millis, power } = &verdict {
			let window = round.task.deadline.saturating_sub(round.opened_at);
			ensure!(
				*elapsed_millis > 0 && u64::from(*elapsed_millis) <= window,
				Error::<T>::ImplausibleVerdict
			);
			ensure!(check_power(power).is_ok(), Error::<T>::ImplausibleVerdict);
		}
		let seat = round
			.seats
			.iter_mut()
			.find(|seat| &seat.verifier == who)
			.ok_or(Error::<T>::NotAssigned)?;
		ensure!(seat.verdict.is_none(), Error::<T>::VerdictTwice);
		seat.verdict = Some(verdict);
		Assignments::<T>::remove(who, id);
		Self::deposit_event(Event::VerdictPosted { who: who.clone(), round: id, verdict });
		if round.is_complete() {
			Self::close_round(id, round, now);
		} else {
			Rounds::<T>::insert(id, round);
		}
		Ok(())
	}

	/// The record of a verifier that takes assignments.
	fn active_verifier(who: &T::AccountId) -> Result<VerifierRecord, DispatchError> {
		let record = Verifiers::<T>::get(who).ok_or(Error::<T>::NotVerifier)?;
		ensure!(record.retired_at.is_none(), Error::<T>::VerifierRetired);
		Ok(record)
	}

	/// A device that `who` may act for.
	fn operated_device(
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

	fn enqueue(device: DeviceId) -> DispatchResult {
		let mut ends = QueueEnds::<T>::get();
		let tail = ends.tail.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		Queue::<T>::insert(ends.tail, device);
		ends.tail = tail;
		QueueEnds::<T>::put(ends);
		Ok(())
	}

	/// The score of a device, if it is within its age limit at `now`.
	pub(crate) fn valid_performance(
		parameters: &Parameters,
		device: DeviceId,
		now: Moment,
	) -> Option<Performance> {
		Performances::<T>::get(device).filter(|score| {
			now <= score.measured_at.saturating_add(parameters.score_max_age_millis)
		})
	}
}

impl<T: Config> PerformanceInspect for Pallet<T> {
	fn performance(device: DeviceId, now: Moment) -> Option<Performance> {
		Self::valid_performance(&Params::<T>::get(), device, now)
	}
}

impl<T: Config> VerifierInspect<T::AccountId> for Pallet<T> {
	fn is_verifier(who: &T::AccountId) -> bool {
		Verifiers::<T>::get(who).is_some_and(|record| record.retired_at.is_none())
	}

	fn draw(seed: H256, exclude: &dyn Fn(&T::AccountId) -> bool) -> Option<T::AccountId> {
		Self::by_lot(seed, &ActiveVerifiers::<T>::get())
			.into_iter()
			.find(|verifier| !exclude(verifier))
	}
}
