//! What the pallet tells off chain, and checks of its constants.

use crate::{pallet::*, types::*};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{Assignment, AssignmentPhase},
	device::RoundTripTo,
	service::ServiceAddress,
	DeviceId,
};
use frame_support::traits::{Get, Time};

impl<T: Config> Pallet<T> {
	/// The open rounds that wait for something from a verifier or will, what has to be done first at the
	/// front.
	pub(crate) fn assignments_of(who: &T::AccountId) -> Vec<Assignment> {
		let now = T::Clock::now();
		let mut waiting: Vec<_> = Assignments::<T>::iter_key_prefix(who)
			.filter_map(|round| {
				let round = Rounds::<T>::get(round)?;
				let phase = round.phase(who, now)?;
				Some(Assignment { task: round.task, phase })
			})
			.collect();
		waiting.sort_by_key(|assignment| match assignment.phase {
			AssignmentPhase::Seal => (0, assignment.task.deadline),
			AssignmentPhase::Reveal { until } => (1, until),
			AssignmentPhase::Wait => (2, assignment.task.deadline),
		});
		waiting.truncate(MAX_VIEWED_ROUNDS);
		waiting
	}

	/// Round trips, as long as that part of a device's score counts.
	pub(crate) fn valid_round_trips(device: DeviceId) -> Vec<RoundTripTo<T::AccountId>> {
		match Self::performance_of(device).network {
			Some(_) => RoundTrips::<T>::get(device).into_inner(),
			None => Vec::new(),
		}
	}

	/// Where a verifier that takes assignments is reached.
	pub(crate) fn active_address(who: T::AccountId) -> Option<ServiceAddress> {
		Verifiers::<T>::get(who)
			.filter(|record| record.retired_at.is_none())
			.map(|record| record.address)
	}

	/// Panics where the runtime's constants make no sense.
	pub(crate) fn check_constants() {
		assert!(T::MaxVerifiers::get() > 0, "challenges: MaxVerifiers is zero");
		assert!(T::MaxRoundsPerBlock::get() > 7, "challenges: MaxRoundsPerBlock is below eight");
		assert!(T::MaxVerdictsPerCall::get() > 0, "challenges: MaxVerdictsPerCall is zero");
	}
}
