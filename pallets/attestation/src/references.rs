//! Parameters, reference values, and what Intel says of platforms.

use super::*;
use armature_verifier::evidence::hardware::{dcap::verify_collateral, Checks};
use frame_support::{ensure, traits::Time};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_set_parameters(parameters: AttestationParameters) -> DispatchResult {
		ensure!(parameters.validate(), Error::<T>::InvalidParameters);
		Parameters::<T>::put(parameters);
		Self::deposit_event(Event::ParametersSet { parameters });
		Ok(())
	}

	pub(crate) fn do_set_reference_values(values: ReferenceValues) -> DispatchResult {
		ensure!(values.validate(), Error::<T>::InvalidReferenceValues);
		let generation = Self::next_generation();
		References::<T>::put(values);
		ReferencesGeneration::<T>::put(generation);
		Self::deposit_event(Event::ReferenceValuesSet { generation });
		Ok(())
	}

	/// Makes every record one of an older generation.
	pub(crate) fn next_generation() -> u32 {
		Generation::<T>::mutate(|generation| {
			// Only the admin counts it up; it does not come round.
			*generation = generation.wrapping_add(1);
			*generation
		})
	}

	pub(crate) fn do_submit_collateral(stored: StoredCollateral) -> DispatchResult {
		let collateral = stored.to_collateral().ok_or(Error::<T>::MalformedCollateral)?;
		let policy = References::<T>::get().to_policy();
		let now = T::Clock::now();
		let mut checks = Checks::stop_at_first();
		let facts = verify_collateral(&collateral, &policy, now, &mut checks)
			.map_err(|failure| Error::<T>::Hardware(failure.into()))?;
		let key = facts.key;
		let entry = CollateralEntry {
			tcb_evaluation_data_number: facts.tcb_evaluation_data_number,
			qe_evaluation_data_number: facts.qe_evaluation_data_number,
			issued: facts.issued,
			// The window's end is its last instant.
			until: facts.valid.until.saturating_add(1),
			stored_at: now,
			references: ReferencesGeneration::<T>::get(),
		};
		let mut all = CollateralDirectory::<T>::get();
		ensure!(
			all.get(&key)
				.is_none_or(|old| entry.replaces(old, policy.max_tcb_evaluation_data_number)),
			Error::<T>::CollateralNotNewer
		);
		if all.try_insert(key, entry).is_err() {
			let ended = all.iter().find(|(_, kept)| kept.until <= now).map(|(key, _)| *key);
			let ended = ended.ok_or(Error::<T>::TooManyCollaterals)?;
			all.remove(&ended);
			Collaterals::<T>::remove(ended);
			all.try_insert(key, entry).map_err(|_| Error::<T>::TooManyCollaterals)?;
		}
		CollateralDirectory::<T>::put(all);
		Collaterals::<T>::insert(key, stored);
		Self::deposit_event(Event::CollateralStored { key, entry });
		Ok(())
	}
}
