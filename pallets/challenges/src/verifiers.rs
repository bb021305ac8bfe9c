//! Verifiers: bonds, penalties, earnings.

use crate::{pallet::*, types::*};
use armature_primitives::{
	service::{Network, ServiceAddress},
	traits::VerifierInspect,
	Balance, RoundId, H256,
};
use frame_support::{
	ensure,
	traits::{
		fungible::{
			hold::{Balanced as _, Mutate as _},
			Inspect as _, Mutate as _,
		},
		tokens::{Fortitude, Precision, Preservation},
		Get, Imbalance, OnUnbalanced, Time,
	},
};
use sp_runtime::{DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_register_verifier(
		who: T::AccountId,
		address: ServiceAddress,
	) -> DispatchResult {
		ensure!(!Verifiers::<T>::contains_key(&who), Error::<T>::AlreadyVerifier);
		let bond = Params::<T>::get().verifier_bond;
		let active = ActiveVerifier { who: who.clone(), network: Network::of(&address) };
		ActiveVerifiers::<T>::try_mutate(|all| all.try_push(active))
			.map_err(|_| Error::<T>::TooManyVerifiers)?;
		T::Currency::hold(&HoldReason::VerifierBond.into(), &who, bond)?;
		let record = VerifierRecord {
			address: address.clone(),
			bonded: bond,
			bond,
			earned: 0,
			retired_at: None,
			history: VerdictHistory::default(),
			position: None,
		};
		Verifiers::<T>::insert(&who, record);
		Self::deposit_event(Event::VerifierRegistered { who, address, bond });
		Ok(())
	}

	pub(crate) fn do_update_verifier(who: T::AccountId, address: ServiceAddress) -> DispatchResult {
		let record = Self::active_verifier(&who)?;
		ActiveVerifiers::<T>::mutate(|all| {
			for active in all.iter_mut().filter(|active| active.who == who) {
				active.network = Network::of(&address);
			}
		});
		Verifiers::<T>::insert(&who, VerifierRecord { address: address.clone(), ..record });
		Self::deposit_event(Event::VerifierUpdated { who, address });
		Ok(())
	}

	pub(crate) fn do_retire_verifier(who: T::AccountId) -> DispatchResult {
		let mut record = Self::active_verifier(&who)?;
		Self::retire(&who, &mut record);
		Verifiers::<T>::insert(&who, record);
		Ok(())
	}

	/// Takes it out of the draw and marks the record.
	fn retire(who: &T::AccountId, record: &mut VerifierRecord) {
		let now = T::Clock::now();
		ActiveVerifiers::<T>::mutate(|all| all.retain(|active| &active.who != who));
		record.retired_at = Some(now);
		let unbonding = Params::<T>::get().verifier_unbonding_millis;
		let withdrawable_at = now.saturating_add(unbonding);
		Self::deposit_event(Event::VerifierRetired { who: who.clone(), withdrawable_at });
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
		let paid = Self::pay(&who, record.earned);
		Self::settle(record.earned);
		Verifiers::<T>::remove(&who);
		let lost = record.earned.saturating_sub(paid);
		Self::deposit_event(Event::VerifierBondWithdrawn { who, amount, paid, lost });
		Ok(())
	}

	pub(crate) fn do_claim_earnings(who: T::AccountId) -> DispatchResult {
		let mut record = Verifiers::<T>::get(&who).ok_or(Error::<T>::NotVerifier)?;
		ensure!(record.earned > 0, Error::<T>::NothingEarned);
		let paid = Self::pay(&who, record.earned);
		ensure!(paid > 0, Error::<T>::NoFunds);
		Self::settle(paid);
		record.earned = record.earned.saturating_sub(paid);
		let left = record.earned;
		Verifiers::<T>::insert(&who, record);
		Self::deposit_event(Event::EarningsClaimed { who, paid, left });
		Ok(())
	}

	/// `amount` is owed no more.
	fn settle(amount: Balance) {
		TotalEarned::<T>::mutate(|total| *total = total.saturating_sub(amount));
	}

	/// What can be paid without closing the account of the protocol's fees.
	fn payable() -> Balance {
		T::Currency::reducible_balance(
			&T::PayFrom::get(),
			Preservation::Preserve,
			Fortitude::Polite,
		)
	}

	/// What is there and nobody has earned yet.
	pub(crate) fn free_funds() -> Balance {
		Self::payable().saturating_sub(TotalEarned::<T>::get())
	}

	/// What a verdict earns now.
	pub(crate) fn affordable_fee(parameters: &Parameters) -> Balance {
		parameters.verdict_fee.min(Self::free_funds() / PAY_DIVISOR)
	}

	/// Pays up to `most` out of the protocol's fees. Returns what was paid.
	pub(crate) fn pay(who: &T::AccountId, most: Balance) -> Balance {
		let pot = T::PayFrom::get();
		let amount = most.min(Self::payable());
		if amount == 0 || *who == pot {
			return 0;
		}
		// Fails only where the receiver would have less than an account needs.
		T::Currency::transfer(&pot, who, amount, Preservation::Preserve).unwrap_or_default()
	}

	/// Enters the end of a round into a verifier's record. Returns what it was fined.
	pub(crate) fn credit(who: &T::AccountId, round: RoundId, credit: Credited) -> Balance {
		let Some(mut record) = Verifiers::<T>::get(who) else { return 0 };
		let history = &mut record.history;
		let (counter, fine) = match credit {
			Credited::Agreed { fee } => {
				record.earned = record.earned.saturating_add(fee);
				TotalEarned::<T>::mutate(|total| *total = total.saturating_add(fee));
				(&mut history.agreed, 0)
			},
			Credited::Differed => (&mut history.differed, 0),
			Credited::Missed { fine } => (&mut history.missed, fine),
			Credited::Unrevealed { fine } => (&mut history.unrevealed, fine),
			Credited::Fooled { fine } => (&mut history.fooled, fine),
		};
		*counter = counter.saturating_add(1);
		let fined = if fine > 0 { Self::penalise(who, &mut record, round, fine) } else { 0 };
		Verifiers::<T>::insert(who, record);
		fined
	}

	/// Takes up to `penalty` of its bond, and lets it take no more rounds when less than half of what
	/// it bonded is left. Returns what was taken.
	fn penalise(
		who: &T::AccountId,
		record: &mut VerifierRecord,
		round: RoundId,
		penalty: Balance,
	) -> Balance {
		let reason = HoldReason::VerifierBond.into();
		let (credit, missing) = T::Currency::slash(&reason, who, penalty.min(record.bond));
		if missing > 0 {
			// The record says that all of the bond is held, so something else moved the hold.
			log::error!(target: crate::LOG_TARGET, "{missing} planck of a bond are not held");
		}
		let amount = credit.peek();
		record.bond = record.bond.saturating_sub(amount);
		T::OnSlash::on_unbalanced(credit);
		Self::deposit_event(Event::VerifierPenalised { who: who.clone(), round, amount });
		if record.retired_at.is_none() && record.bond < record.bonded.div_ceil(2) {
			Self::retire(who, record);
		}
		amount
	}

	/// The record of a verifier that takes assignments.
	pub(crate) fn active_verifier(who: &T::AccountId) -> Result<VerifierRecord, DispatchError> {
		let record = Verifiers::<T>::get(who).ok_or(Error::<T>::NotVerifier)?;
		ensure!(record.retired_at.is_none(), Error::<T>::VerifierRetired);
		Ok(record)
	}
}

/// What a round comes to for a verifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Credited {
	/// Its verdict is paid.
	Agreed {
		/// So much.
		fee: Balance,
	},
	/// Its verdict is not paid.
	Differed,
	/// It sealed none.
	Missed {
		/// What that costs.
		fine: Balance,
	},
	/// It kept its verdict to itself.
	Unrevealed {
		/// What that costs.
		fine: Balance,
	},
	/// It passed a planted answer.
	Fooled {
		/// What that costs.
		fine: Balance,
	},
}

impl<T: Config> VerifierInspect<T::AccountId> for Pallet<T> {
	fn is_verifier(who: &T::AccountId) -> bool {
		Verifiers::<T>::get(who).is_some_and(|record| record.retired_at.is_none())
	}

	fn draw(seed: H256, exclude: &dyn Fn(&T::AccountId) -> bool) -> Option<T::AccountId> {
		Self::by_lot(seed, &ActiveVerifiers::<T>::get())
			.into_iter()
			.map(|verifier| verifier.who)
			.find(|verifier| !exclude(verifier))
	}
}
