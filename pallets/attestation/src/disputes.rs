//! Disputes of renewals: the same verifier, at the instant of the renewal.

use super::*;
use crate::evidence::{Head, Judge};
use armature_primitives::{
	evidence::Evidence,
	traits::{DeviceInspect, DeviceLifecycle},
	DeviceId, H256,
};
use armature_verifier::evidence::{
	self,
	hardware::{Check, Checks, Side},
	Context, EvidenceError,
};
use frame_support::{
	dispatch::{DispatchResultWithPostInfo, Pays, PostDispatchInfo, WithPostDispatchInfo},
	ensure,
	traits::Time,
};
use sp_runtime::DispatchError;

/// What a renewal was found to be.
enum Verdict<T> {
	/// It holds.
	Holds,
	/// It held, as far as anyone can tell; what the chain keeps has changed since.
	Outdated(Error<T>),
	/// Honest hardware may have made it, but it does not count.
	Unacceptable(Error<T>),
	/// No honest device sends it.
	Forged(Error<T>),
}

/// A renewal that is to be judged.
struct Disputed {
	pending: PendingRenewal,
	evidence: Evidence,
	context: Context,
	head: Head,
	judge: Judge,
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_dispute_renewal(device: DeviceId, bytes: &[u8]) -> DispatchResultWithPostInfo {
		let disputed = Self::open_dispute(device, bytes)
			.map_err(|error| error.with_weight(T::WeightInfo::dispute_renewal()))?;
		let submitted_at = disputed.pending.submitted_at;

		PendingRenewals::<T>::remove(device);
		let (error, forged) = match Self::judge_renewal(&disputed) {
			Verdict::Holds => {
				Self::deposit_event(Event::RenewalUpheld { device });
				return Ok(().into());
			},
			Verdict::Outdated(error) => {
				Attestations::<T>::mutate(device, |record| {
					if let Some(record) = record {
						record.full_due |= record.proved_at <= submitted_at;
					}
				});
				Self::deposit_event(Event::RenewalOutdated { device, error: error.into() });
				return Ok(().into());
			},
			Verdict::Unacceptable(error) => (error, false),
			Verdict::Forged(error) => (error, true),
		};
		if let Some(record) = Attestations::<T>::get(device) {
			// What was proved in full since does not rest on this renewal.
			if forged || record.proved_at <= submitted_at {
				Self::end_record(device, &record);
			}
		}
		let slashed =
			if forged { T::Devices::slash(device, Parameters::<T>::get().slash_share) } else { 0 };
		Self::deposit_event(Event::RenewalRefuted { device, error: error.into(), slashed });
		Ok(PostDispatchInfo { actual_weight: None, pays_fee: Pays::No })
	}

	/// What a dispute with these bytes would come to now; an error where it would be refused.
	pub(crate) fn expected_outcome(
		device: DeviceId,
		bytes: &[u8],
	) -> Result<DisputeOutcome, DispatchError> {
		let refuted =
			|error: Error<T>, forged| DisputeOutcome::Refuted { error: error.into(), forged };
		Ok(match Self::judge_renewal(&Self::open_dispute(device, bytes)?) {
			Verdict::Holds => DisputeOutcome::Upheld,
			Verdict::Outdated(error) => DisputeOutcome::Outdated { error: error.into() },
			Verdict::Unacceptable(error) => refuted(error, false),
			Verdict::Forged(error) => refuted(error, true),
		})
	}

	/// All that is cheap. A statement was checked by the renewal, and the bytes are the same.
	fn open_dispute(device: DeviceId, bytes: &[u8]) -> Result<Disputed, Error<T>> {
		let pending = PendingRenewals::<T>::get(device).ok_or(Error::<T>::NoPendingRenewal)?;
		ensure!(T::Clock::now() < pending.disputable_until, Error::<T>::DisputeWindowOver);
		let hash = H256(sp_io::hashing::blake2_256(bytes));
		ensure!(hash == pending.evidence_hash, Error::<T>::OtherEvidence);
		let info = T::Devices::device(device).ok_or(Error::<T>::UnknownDevice)?;
		let evidence = evidence::decode(bytes)?;
		let context = Self::context(device, &info, pending.nonce);
		let head = evidence::check_statement(&evidence, &context)?;
		let judge = Self::judge_of(&evidence, pending.submitted_at)?;
		Ok(Disputed { pending, evidence, context, head, judge })
	}

	/// Judges a renewal as of its instant, by what is on chain now.
	///
	/// Only a forgery ends the verification: were it to end at a policy's refusal, or at something that
	/// others publish, whoever forges would see to one of these first.
	fn judge_renewal(disputed: &Disputed) -> Verdict<T> {
		let Disputed { pending, evidence, context, head, judge } = disputed;
		// Newer collateral has not begun at the instant of the renewal.
		let entry = judge.collateral.as_ref().map(|used| used.entry);
		let begins = entry.map_or(0, |entry| entry.issued.newest());
		let same_references = pending.references == ReferencesGeneration::<T>::get();
		let same_collateral = entry.is_none_or(|entry| entry.stored_at <= pending.submitted_at);
		let mut checks = Checks::stop_at_forgery();
		let at = pending.submitted_at.max(begins);
		let result = match judge.appraise(evidence, context, *head, at, &mut checks) {
			Ok(result) => result,
			Err(EvidenceError::Hardware(failure)) => {
				let error = Error::Hardware(failure.into());
				return match failure.check {
					// It may have been a trusted one, and may be anybody's: nothing below it was looked at.
					Check::Root if !same_references => Verdict::Unacceptable(error),
					check if check.is_forgery() => Verdict::Forged(error),
					_ => Verdict::Unacceptable(error),
				};
			},
			// The platform does not name the box that the record is of.
			Err(error @ EvidenceError::GpuWithoutConfidentialPlatform) => {
				return Verdict::Forged(error.into())
			},
			Err(error) => return Verdict::Unacceptable(error.into()),
		};
		if result.identities.first() != pending.platform.as_ref() {
			return Verdict::Forged(Error::IdentityChanged);
		}
		let excused = |check| is_excused(check, same_references, same_collateral);
		if let Some(failure) = checks.failed().iter().find(|failed| !excused(failed.check)) {
			return Verdict::Unacceptable(Error::Hardware((*failure).into()));
		}
		if identities_hash(&result.identities) != pending.identities {
			return Verdict::Unacceptable(Error::IdentityChanged);
		}
		if let Err(error) = Self::check_revocation(&result) {
			return Verdict::Unacceptable(error);
		}
		// What is excused comes last: it must not hide what is not.
		match checks.failed().first() {
			Some(failure) => Verdict::Outdated(Error::Hardware((*failure).into())),
			None => Verdict::Holds,
		}
	}
}

/// Whether a check may have held when the renewal was made, although it fails now: the reference values
/// changed since, or the collateral did and the check is against it.
pub(crate) fn is_excused(check: Check, same_references: bool, same_collateral: bool) -> bool {
	let by_collateral =
		check == Check::TcbLevel || check.side() == Side::Crypto && !check.is_forgery();
	!same_references || by_collateral && !same_collateral
}
