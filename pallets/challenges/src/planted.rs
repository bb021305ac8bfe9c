//! Planted answers: wrong ones, announced before the round, that show who passes a device without
//! looking.

use crate::{pallet::*, scores::with_part, types::*, verifiers::Credited};
use armature_primitives::{Balance, DeviceId, RoundId, H256};
use armature_verifier::challenge::verdict::planted_hash;
use frame_support::{ensure, traits::Time};
use sp_runtime::{traits::Saturating, DispatchResult, SaturatedConversion};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_plant_answer(
		who: T::AccountId,
		device: DeviceId,
		hash: H256,
	) -> DispatchResult {
		Self::operated_device(&who, device)?;
		let mut record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		let planted_in = frame_system::Pallet::<T>::block_number().saturated_into();
		record.planted = Some(PlantedAnswer { hash, planted_in });
		Enrolments::<T>::insert(device, record);
		Self::deposit_event(Event::AnswerPlanted { device, hash });
		Ok(())
	}

	/// Nobody can have computed the right root of a round before its seed was there, and nobody knew that
	/// when the root was announced but who authored all blocks since: whoever passed it has not looked.
	pub(crate) fn do_show_planted(
		who: T::AccountId,
		id: RoundId,
		root: H256,
		salt: H256,
	) -> DispatchResult {
		ensure!(!Rounds::<T>::contains_key(id), Error::<T>::RoundOpen);
		let ended = EndedRounds::<T>::get(id).ok_or(Error::<T>::RoundNotFound)?;
		let device = ended.task.device;
		Self::operated_device(&who, device)?;
		let mut record = Enrolments::<T>::get(device).ok_or(Error::<T>::NotEnrolled)?;
		let parameters = Params::<T>::get();
		let now = T::Clock::now();
		let planted = record.planted.ok_or(Error::<T>::NothingPlanted)?;
		let since = planted.planted_in.saturating_add(parameters.planted_lead_blocks);
		ensure!(since <= ended.opened_in, Error::<T>::PlantedTooLate);
		ensure!(planted_hash(device, &root, &salt) == planted.hash, Error::<T>::OtherAnswerPlanted);
		let until = ended.ended_at.saturating_add(parameters.dispute_millis);
		ensure!(now <= until, Error::<T>::DisputeWindowOver);
		ensure!(!ended.proved.any(), Error::<T>::FraudKnown);
		// It answered with something else, as it signed.
		let is_computed = ended.task.work.kind().is_computed();
		let is_answer = is_computed && ended.passed.iter().all(|(_, passed)| *passed == root);
		ensure!(is_answer, Error::<T>::OtherAnswerGiven);
		let rested = |shown: u64| now >= shown.saturating_add(parameters.planted_interval_millis);
		ensure!(record.planted_shown_at.is_none_or(rested), Error::<T>::PlantedTooOften);

		record.planted = None;
		record.planted_shown_at = Some(now);
		// A later round, or maintenance, has the last word.
		let kind = ended.task.work.kind();
		if record.last_rounds.of(kind) == Some(id) {
			if ended.is_failed {
				record.failures = record.failures.saturating_sub(1);
				Self::lower_share(&record.owner, ended.raised_share);
			}
			// What an earlier offer has shown stays gone.
			let before = record.of_offers(ended.before);
			let performance = with_part(Performances::<T>::get(device), before, kind);
			Self::set_performance(device, performance);
			Self::deposit_event(Event::PerformanceUpdated { device, performance });
		}
		Enrolments::<T>::insert(device, record);

		let (mut fooled, mut taken): (u32, Balance) = (0, 0);
		for (verifier, _) in &ended.passed {
			let fine = parameters.planted_penalty;
			taken = taken.saturating_add(Self::credit(verifier, id, Credited::Fooled { fine }));
			fooled.saturating_inc();
		}
		let reward = Self::pay(&who, (taken / 5).min(Self::free_funds() / REWARD_DIVISOR));
		Self::deposit_event(Event::PlantedShown { who, round: id, device, fooled, taken, reward });
		Ok(())
	}
}
