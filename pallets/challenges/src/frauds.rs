//! Proofs of fraud: the verifier's code, at once.

use crate::{pallet::*, types::*, weights::WeightInfo};
use armature_primitives::{
	challenge::ChallengeTask,
	device::DeviceStatus,
	ed25519::Public,
	traits::{DeviceInspect, DeviceLifecycle},
	RoundId,
};
use armature_verifier::challenge::{
	fill::MAX_COMPRESSIONS,
	fraud::{check_fraud, FraudError, FraudProof},
	gemm::MAX_SIDE,
	MAX_STEPS_PER_SEGMENT,
};
use frame_support::{
	dispatch::{DispatchResultWithPostInfo, Pays, PostDispatchInfo},
	ensure,
	traits::{
		fungible::hold::{Balanced as _, Mutate as _},
		tokens::Precision,
		Imbalance, OnUnbalanced, Time,
	},
	weights::Weight,
};
use sp_runtime::DispatchError;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_prove_fraud(
		who: T::AccountId,
		id: RoundId,
		proof: &FraudProof,
	) -> DispatchResultWithPostInfo {
		let (task, key) = Self::disputable(id, proof)?;
		let device = task.device;
		let info = T::Devices::device(device).ok_or(Error::<T>::UnknownDevice)?;
		let parameters = Params::<T>::get();
		let bond = parameters.dispute_bond;
		let reason = HoldReason::DisputeBond.into();
		T::Currency::hold(&reason, &who, bond)?;
		let actual_weight = Some(Self::proof_weight(&task, proof));
		match check_fraud(&Self::genesis(), &task, &key, proof) {
			Ok(()) => {},
			Err(FraudError::RightResult) => {
				let (credit, _) = T::Currency::slash(&reason, &who, bond);
				let amount = credit.peek();
				T::OnSlash::on_unbalanced(credit);
				Self::deposit_event(Event::FraudRefuted { who, round: id, amount });
				return Ok(PostDispatchInfo { actual_weight, pays_fee: Pays::Yes });
			},
			// Rolls the hold back: calls run in a storage layer.
			Err(error) => return Err(Self::refusal(error).into()),
		}
		T::Currency::release(&reason, &who, bond, Precision::Exact)?;
		Self::mark_proved(id, proof);
		let share = match proof {
			FraudProof::Segment { .. }
			| FraudProof::Block { .. }
			| FraudProof::Entry { .. }
			| FraudProof::Sealed { .. } => parameters.fault_slash,
			FraudProof::Equivocation { .. } => parameters.fraud_slash,
		};
		// Wrong segments of several rounds may have one cause; it is in jail for that, or for worse. Two
		// roots are a fraud each time.
		let is_known = info.status == DeviceStatus::Jailed && is_fault(proof);
		let slashed = if is_known { 0 } else { T::Lifecycle::slash(device, share) };
		Self::unenrol(device);
		let affordable = Self::free_funds() / REWARD_DIVISOR;
		let reward = parameters.fraud_reward.min(slashed / 5).min(affordable);
		let reward = Self::pay(&who, reward);
		Self::deposit_event(Event::FraudProved { who, round: id, device, slashed, reward });
		Ok(PostDispatchInfo { actual_weight, pays_fee: Pays::No })
	}

	/// The task of a round in which this kind of fraud can be proved now, and the device's key then.
	fn disputable(
		id: RoundId,
		proof: &FraudProof,
	) -> Result<(ChallengeTask, Public), DispatchError> {
		let is_known = |proved: Proved| {
			if is_fault(proof) {
				proved.fault
			} else {
				proved.equivocation
			}
		};
		if let Some(round) = Rounds::<T>::get(id) {
			ensure!(!is_known(round.proved), Error::<T>::FraudKnown);
			return Ok((round.task, round.key));
		}
		let ended = EndedRounds::<T>::get(id).ok_or(Error::<T>::RoundNotFound)?;
		let until = ended.ended_at.saturating_add(Params::<T>::get().dispute_millis);
		ensure!(T::Clock::now() <= until, Error::<T>::DisputeWindowOver);
		ensure!(!is_known(ended.proved), Error::<T>::FraudKnown);
		Ok((ended.task, ended.key))
	}

	fn mark_proved(id: RoundId, proof: &FraudProof) {
		let mark = |proved: &mut Proved| {
			proved.fault |= is_fault(proof);
			proved.equivocation |= !is_fault(proof);
		};
		Rounds::<T>::mutate_extant(id, |round| mark(&mut round.proved));
		EndedRounds::<T>::mutate_extant(id, |ended| mark(&mut ended.proved));
	}

	/// What the dearest proof weighs.
	pub(crate) fn dearest_proof() -> Weight {
		T::WeightInfo::prove_fraud(MAX_STEPS_PER_SEGMENT / 1_024)
			.max(T::WeightInfo::prove_wrong_block())
			.max(T::WeightInfo::prove_equivocation())
			.max(T::WeightInfo::prove_wrong_entry(MAX_SIDE / 1_024))
			.max(T::WeightInfo::prove_wrong_sector(u32::from(MAX_COMPRESSIONS) / 16))
	}

	fn proof_weight(task: &ChallengeTask, proof: &FraudProof) -> Weight {
		match proof {
			FraudProof::Segment { .. } => {
				let steps = task.cpu().map_or(0, |cpu| cpu.steps_per_segment);
				T::WeightInfo::prove_fraud(steps.div_ceil(1_024))
			},
			FraudProof::Block { .. } => T::WeightInfo::prove_wrong_block(),
			FraudProof::Entry { .. } => {
				let side = task.gemm().map_or(0, |gemm| gemm.side);
				T::WeightInfo::prove_wrong_entry(side.div_ceil(1_024))
			},
			FraudProof::Sealed { .. } => {
				let compressions = task.storage().map_or(0, |storage| storage.compressions);
				T::WeightInfo::prove_wrong_sector(u32::from(compressions).div_ceil(16))
			},
			FraudProof::Equivocation { .. } => T::WeightInfo::prove_equivocation(),
		}
	}

	fn refusal(error: FraudError) -> Error<T> {
		match error {
			FraudError::OtherTask => Error::ProofOfOtherTask,
			FraudError::BadSignature => Error::ProofNotSigned,
			FraudError::SameRoot => Error::ProofOfOneRoot,
			// A right result is no refusal; the caller has dealt with it.
			FraudError::BadOpening | FraudError::RightResult => Error::ProofNotOpened,
		}
	}
}

fn is_fault(proof: &FraudProof) -> bool {
	match proof {
		FraudProof::Segment { .. }
		| FraudProof::Block { .. }
		| FraudProof::Entry { .. }
		| FraudProof::Sealed { .. } => true,
		FraudProof::Equivocation { .. } => false,
	}
}
