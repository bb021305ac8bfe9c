//! What always holds.

#![cfg(any(feature = "try-runtime", test))]

use crate::{pallet::*, types::*};
use alloc::collections::BTreeSet;
use armature_verifier::challenge::checkpoints;
use frame_support::{ensure, traits::fungible::hold::Inspect};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// 1. Active verifiers are, once each, the registered ones that have not retired.
	/// 2. Each verifier's recorded bond is what is on hold for it.
	/// 3. A round is between the closing cursor and the next id, its committee is not empty and
	///    distinct, a verdict is missing, its task is within the verifier's caps, and its device
	///    points to it.
	/// 4. Nothing else is a device's open round.
	/// 5. Assignments are exactly the seats without a verdict.
	/// 6. The queue has an entry at each place between its ends and nowhere else, and a device is
	///    marked as queued only with an entry.
	/// 7. Only enrolled devices have a score, and every score is above zero.
	/// 8. The parameters are valid.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::try_state_verifiers()?;
		Self::try_state_rounds()?;
		Self::try_state_queue()?;
		for (device, score) in Performances::<T>::iter() {
			ensure!(Enrolments::<T>::contains_key(device), "7: score of a stranger");
			ensure!(score.steps_per_second_per_lane > 0 && score.lanes > 0, "7: empty score");
		}
		ensure!(Params::<T>::get().validate(), "8: invalid parameters");
		Ok(())
	}

	fn try_state_verifiers() -> Result<(), TryRuntimeError> {
		let active = ActiveVerifiers::<T>::get();
		let distinct: BTreeSet<_> = active.iter().collect();
		ensure!(distinct.len() == active.len(), "1: a verifier is active twice");
		let mut serving = 0usize;
		for (who, record) in Verifiers::<T>::iter() {
			if record.retired_at.is_none() {
				serving = serving.saturating_add(1);
				ensure!(distinct.contains(&who), "1: a serving verifier is not active");
			}
			let held = T::Currency::balance_on_hold(&HoldReason::VerifierBond.into(), &who);
			ensure!(held == record.bond, "2: bond and hold differ");
		}
		ensure!(serving == active.len(), "1: an active verifier does not serve");
		Ok(())
	}

	fn try_state_rounds() -> Result<(), TryRuntimeError> {
		let (oldest, next) = (OldestRound::<T>::get(), NextRound::<T>::get());
		ensure!(oldest <= next, "3: the closing cursor is ahead");
		let mut rounds = 0usize;
		let mut missing = 0usize;
		for (id, round) in Rounds::<T>::iter() {
			rounds = rounds.saturating_add(1);
			ensure!(oldest <= id && id < next, "3: round outside its range");
			ensure!(round.task.round == id, "3: round under a wrong id");
			ensure!(!round.seats.is_empty() && round.is_distinct(), "3: bad committee");
			ensure!(!round.is_complete(), "3: complete round is open");
			ensure!(checkpoints(&round.task.cpu).is_ok(), "3: task out of bounds");
			ensure!(
				OpenRounds::<T>::get(round.task.device) == Some(id),
				"3: the device does not know its round"
			);
			for seat in round.seats.iter() {
				let assigned = Assignments::<T>::contains_key(&seat.verifier, id);
				ensure!(assigned == seat.verdict.is_none(), "5: seat and assignment differ");
				ensure!(
					!assigned || Verifiers::<T>::contains_key(&seat.verifier),
					"5: assigned to no verifier"
				);
				missing = missing.saturating_add(usize::from(assigned));
			}
		}
		ensure!(OpenRounds::<T>::iter().count() == rounds, "4: a device's round is not open");
		ensure!(Assignments::<T>::iter().count() == missing, "5: an assignment without a seat");
		Ok(())
	}

	fn try_state_queue() -> Result<(), TryRuntimeError> {
		let ends = QueueEnds::<T>::get();
		ensure!(ends.head <= ends.tail, "6: queue ends crossed");
		let mut entries = 0u64;
		let mut waiting = BTreeSet::new();
		for (place, device) in Queue::<T>::iter() {
			entries = entries.saturating_add(1);
			ensure!((ends.head..ends.tail).contains(&place), "6: entry outside the queue");
			waiting.insert(device);
		}
		ensure!(entries == ends.tail.saturating_sub(ends.head), "6: hole in the queue");
		for (device, EnrolmentRecord { queued, .. }) in Enrolments::<T>::iter() {
			ensure!(!queued || waiting.contains(&device), "6: queued without an entry");
		}
		Ok(())
	}
}
