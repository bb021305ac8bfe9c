//! Sealing and revealing verdicts.

use crate::{pallet::*, rounds::Closed, types::*, weights::WeightInfo};
use armature_primitives::{
	challenge::{ChallengeCommit, Measured, Verdict, Work},
	signing::Domain,
	Moment, RoundId, H256,
};
use armature_verifier::{
	challenge::{check_power, network::commit_root, task_hash, verdict::seal},
	signature::verify_device,
};
use frame_support::{
	dispatch::{DispatchResultWithPostInfo, PostDispatchInfo},
	ensure,
	traits::Time,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{traits::Zero, DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_seal_verdicts(who: T::AccountId, seals: SealsOf<T>) -> DispatchResult {
		ensure!(!seals.is_empty(), Error::<T>::NoVerdicts);
		let now = T::Clock::now();
		// A failure rolls back what came before it: calls run in a storage layer.
		for (id, seal) in seals {
			Self::seal_verdict(&who, id, seal, now)?;
		}
		Ok(())
	}

	pub(crate) fn do_reveal_verdicts(
		who: T::AccountId,
		reveals: RevealsOf<T>,
	) -> DispatchResultWithPostInfo {
		ensure!(!reveals.is_empty(), Error::<T>::NoVerdicts);
		let now = T::Clock::now();
		let count = u32::try_from(reveals.len()).unwrap_or(u32::MAX);
		let mut weight = T::WeightInfo::reveal_verdicts(count);
		for (id, verdict, salt) in reveals {
			let closed = Self::reveal_verdict(&who, id, verdict, salt, now)?;
			weight.saturating_accrue(closed.extra_weight::<T>());
		}
		Ok(PostDispatchInfo::from(Some(weight)))
	}

	fn seal_verdict(who: &T::AccountId, id: RoundId, seal: H256, now: Moment) -> DispatchResult {
		let mut round = Rounds::<T>::get(id).ok_or(Error::<T>::RoundNotFound)?;
		let deadline = round.task.deadline;
		let seat = Self::seat(&mut round, who)?;
		ensure!(seat.state == SeatState::Empty, Error::<T>::SealedTwice);
		ensure!(now <= deadline, Error::<T>::DeadlinePassed);
		seat.state = SeatState::Sealed(seal);
		Rounds::<T>::insert(id, round);
		Self::deposit_event(Event::VerdictSealed { who: who.clone(), round: id });
		Ok(())
	}

	fn reveal_verdict(
		who: &T::AccountId,
		id: RoundId,
		verdict: Verdict,
		salt: H256,
		now: Moment,
	) -> Result<Closed, DispatchError> {
		let mut round = Rounds::<T>::get(id).ok_or(Error::<T>::RoundNotFound)?;
		let is_open = round.is_sealed(now);
		let window = round.task.deadline.saturating_sub(round.opened_at);
		let (task, key, reveal_until) = (round.task, round.key, round.reveal_until);
		let seat = Self::seat(&mut round, who)?;
		let SeatState::Sealed(sealed) = seat.state else {
			return Err(Error::<T>::NotSealed.into());
		};
		ensure!(is_open, Error::<T>::RevealTooEarly);
		ensure!(now <= reveal_until, Error::<T>::RevealTooLate);
		ensure!(seal(id, who, &verdict, &salt) == sealed, Error::<T>::SealBroken);
		if let Verdict::Passed { measured, power, root, signature } = &verdict {
			ensure!(is_plausible(&task.work, measured, window), Error::<T>::ImplausibleVerdict);
			let computed = task.work.kind().is_computed();
			ensure!(computed || *root == commit_root(&task), Error::<T>::ImplausibleVerdict);
			ensure!(check_power(power).is_ok(), Error::<T>::ImplausibleVerdict);
			let commit = ChallengeCommit { task: task_hash(&task), root: *root, power: *power };
			let domain = Domain::ChallengeCommit;
			ensure!(
				verify_device(domain, &Self::genesis(), task.device, &commit, &key, signature),
				Error::<T>::ForgedCommitment
			);
		}
		seat.state = SeatState::Revealed(verdict);
		Assignments::<T>::remove(who, id);
		Self::deposit_event(Event::VerdictRevealed { who: who.clone(), round: id, verdict });
		if round.is_complete(now) {
			Ok(Self::close_round(id, round, now))
		} else {
			Rounds::<T>::insert(id, round);
			Ok(Closed::default())
		}
	}

	/// What devices' signatures are bound to.
	pub(crate) fn genesis() -> H256 {
		frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
	}

	fn seat<'a>(
		round: &'a mut RoundOf<T>,
		who: &T::AccountId,
	) -> Result<&'a mut Seat<T::AccountId>, DispatchError> {
		round
			.seats
			.iter_mut()
			.find(|seat| &seat.verifier == who)
			.ok_or(Error::<T>::NotAssigned.into())
	}
}

/// Whether work whose answers are due within `window` milliseconds can have been measured so.
fn is_plausible(work: &Work, measured: &Measured, window: u64) -> bool {
	let elapsed = measured.elapsed_millis();
	let in_time = elapsed > 0 && u64::from(elapsed) <= window;
	match (work, measured) {
		(Work::Cpu(_), Measured::Cpu { .. }) | (Work::Gemm(_), Measured::Gemm { .. }) => in_time,
		(Work::Memory(memory), Measured::Memory { read_nanos, .. }) => {
			let walked = memory.reads_per_lane().saturating_mul(u64::from(*read_nanos));
			// Rounded up by less than one for each read.
			let least = walked.saturating_sub(memory.reads_per_lane());
			in_time && *read_nanos > 0 && least <= window.saturating_mul(1_000_000)
		},
		(
			Work::Network(_),
			Measured::Network { round_trip_micros: micros, up_kbps, down_kbps, .. },
		) => {
			let round_trip = u64::from(*micros);
			let is_measured = round_trip > 0 && *up_kbps > 0 && *down_kbps > 0;
			in_time && is_measured && round_trip <= window.saturating_mul(1_000)
		},
		(Work::Storage(storage), Measured::Storage { read_millis, .. }) => {
			in_time
				&& elapsed <= storage.commit_millis
				&& (1..=storage.read_millis).contains(read_millis)
		},
		_ => false,
	}
}
