//! Evidence that is verified in full.

use super::*;
use alloc::vec::Vec;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus},
	evidence::{Evidence, EvidenceFormat},
	traits::{DeviceInspect, DeviceLifecycle, LeaseGuard},
	DeviceId, Moment, H256,
};
use armature_verifier::evidence::{
	self,
	hardware::{dcap::Collateral, Checks, Known, Policy},
	AttestationResult, CollateralKey, Context, EvidenceError, Issuer,
};
use frame_support::{
	dispatch::{DispatchResultWithPostInfo, PostDispatchInfo, WithPostDispatchInfo},
	ensure,
	traits::{Get, Time},
	BoundedVec,
};
use sp_runtime::DispatchError;

impl<T: Config> From<EvidenceError> for Error<T> {
	fn from(error: EvidenceError) -> Self {
		match error {
			EvidenceError::TooLarge => Error::EvidenceTooLarge,
			EvidenceError::UnknownFormat(_) => Error::UnknownEvidenceFormat,
			EvidenceError::Malformed => Error::MalformedEvidence,
			EvidenceError::TrailingBytes => Error::TrailingEvidenceBytes,
			EvidenceError::NonceMismatch => Error::NonceMismatch,
			EvidenceError::BadSignature => Error::BadSignature,
			EvidenceError::BadInventory(_) => Error::BadInventory,
			EvidenceError::Hardware(failure) => Error::Hardware(failure.into()),
			EvidenceError::CollateralMissing => Error::CollateralMissing,
			EvidenceError::GpuWithoutConfidentialPlatform => Error::GpuWithoutConfidentialPlatform,
		}
	}
}

/// Format and digest of the inventory, out of a statement that holds.
pub(crate) type Head = (EvidenceFormat, H256);

/// The collateral that evidence needs.
pub(crate) struct UsedCollateral {
	key: CollateralKey,
	pub(crate) entry: CollateralEntry,
	collateral: Collateral,
}

/// What evidence is held against, as it is on chain.
pub(crate) struct Judge {
	policy: Policy,
	known: Known,
	pub(crate) collateral: Option<UsedCollateral>,
}

impl Judge {
	/// Judges the hardware of evidence as of `now`; `head` is what its statement gave.
	pub(crate) fn appraise(
		&self,
		evidence: &Evidence,
		context: &Context,
		head: Head,
		now: Moment,
		checks: &mut Checks,
	) -> Result<AttestationResult, EvidenceError> {
		let references = evidence::References {
			policy: &self.policy,
			known: &self.known,
			collateral: self.collateral.as_ref().map(|used| &used.collateral),
			now,
		};
		evidence::appraise_hardware(evidence, context, &references, head, checks)
	}

	/// Whether no signature but those of this very evidence had to be verified.
	fn knew(&self, result: &AttestationResult) -> bool {
		(self.collateral.is_none() || self.known.collateral)
			&& result.issuers.iter().all(|issuer| self.known.issuers.contains(&issuer.sha256))
	}
}

/// Evidence that is about to be judged.
struct Opened {
	record: Option<Attestation>,
	evidence: Evidence,
	context: Context,
	head: Head,
	judge: Judge,
}

impl Opened {
	fn appraise(&self, now: Moment) -> Result<AttestationResult, EvidenceError> {
		let checks = &mut Checks::stop_at_first();
		self.judge.appraise(&self.evidence, &self.context, self.head, now, checks)
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_submit_evidence(
		who: T::AccountId,
		device: DeviceId,
		bytes: &[u8],
	) -> DispatchResultWithPostInfo {
		let now = T::Clock::now();
		let cheap = |error: Error<T>| error.with_weight(cost::of_statement::<T::WeightInfo>(bytes));
		let info = Self::attestable_device(&who, device).map_err(cheap)?;
		let opened = Self::open(device, &info, bytes, now).map_err(cheap)?;
		let validity = Parameters::<T>::get().validity;
		let until = Self::after(now, validity)?;
		let result = match opened.appraise(now) {
			Ok(result) => result,
			Err(
				error
				@ (EvidenceError::Hardware(_) | EvidenceError::GpuWithoutConfidentialPlatform),
			) => return Ok(Self::refuse(device, error.into(), bytes)),
			Err(error) => return Err(cheap(error.into())),
		};
		if let Err(error) = Self::accept(device, opened.record.as_ref(), &result, now, until) {
			return Ok(Self::refuse(device, error, bytes));
		}
		let mut weight = if opened.judge.knew(&result) {
			cost::when_known::<T::WeightInfo>(bytes)
		} else {
			cost::in_full::<T::WeightInfo>(bytes)
		};
		Self::remember(&opened.judge, &result.issuers, now);
		if opened.record.is_some_and(|record| result.tier < record.tier) {
			// Its GPUs are free for another device from now on.
			T::Leases::on_tier_lost(device, Some(result.tier));
			weight.saturating_accrue(T::LeaseEndWeight::get());
		}
		Ok(Some(weight).into())
	}

	/// All that is cheap, the device key's signature included.
	fn open(
		device: DeviceId,
		info: &DeviceInfo<T::AccountId>,
		bytes: &[u8],
		now: Moment,
	) -> Result<Opened, Error<T>> {
		let record = Attestations::<T>::get(device);
		if let Some(current) = record.as_ref().filter(|current| current.holds(now)) {
			let window = Parameters::<T>::get().renewal_window;
			// A device that fell back to Registered cannot wait for the window.
			ensure!(
				info.status == DeviceStatus::Registered || now >= current.renewable_from(window),
				Error::<T>::TooEarly
			);
		}
		let issued = Self::usable_nonce(device, now)?;
		let evidence = evidence::decode(bytes)?;
		let context = Self::context(device, info, issued.nonce);
		let head = evidence::check_statement(&evidence, &context)?;
		let judge = Self::judge_of(&evidence, now)?;
		Ok(Opened { record, evidence, context, head, judge })
	}

	/// What evidence would come to now, of which nothing is kept.
	pub(crate) fn outlook(
		device: DeviceId,
		bytes: &[u8],
	) -> Result<EvidenceOutlook, DispatchError> {
		let now = T::Clock::now();
		let parameters = Parameters::<T>::get();
		let info = T::Devices::device(device).ok_or(Error::<T>::UnknownDevice)?;
		Self::ensure_attestable(&info)?;
		let opened = Self::open(device, &info, bytes, now)?;
		let result = opened.appraise(now).map_err(Error::<T>::from)?;
		Self::check_acceptable(device, opened.record.as_ref(), &result)?;
		let renews = Self::renewable_nonce(&Self::usable_nonce(device, now)?)
			&& opened.record.is_some_and(|record| {
				Self::is_renewable(device, &record, parameters.max_renewals, now)
					&& now >= record.renewable_from(parameters.renewal_window)
					&& record.format == result.format
					&& record.identities_hash() == identities_hash(&result.identities)
			});
		let expires_at = Self::after(now, parameters.validity)?.min(result.expires_at);
		Ok(EvidenceOutlook { tier: result.tier, expires_at, renews })
	}

	/// What is needed to judge evidence that was made at `at`.
	pub(crate) fn judge_of(evidence: &Evidence, at: Moment) -> Result<Judge, Error<T>> {
		let key = evidence::collateral_key(evidence)?;
		let collateral = key.map(|key| Self::used_collateral(key, at)).transpose()?;
		let fresh = collateral
			.as_ref()
			.is_some_and(|used| used.entry.references == ReferencesGeneration::<T>::get());
		let issuers = KnownIssuers::<T>::get().iter().map(|known| known.sha256).collect();
		Ok(Judge {
			policy: References::<T>::get().to_policy(),
			known: Known { issuers, collateral: fresh },
			collateral,
		})
	}

	fn used_collateral(key: CollateralKey, at: Moment) -> Result<UsedCollateral, Error<T>> {
		let entry = Self::current_collateral(&key, at)?;
		let stored = Collaterals::<T>::get(key).ok_or(Error::<T>::CollateralMissing)?;
		let collateral = stored.to_collateral().ok_or(Error::<T>::MalformedCollateral)?;
		Ok(UsedCollateral { key, entry, collateral })
	}

	/// The entry of a collateral that holds at an instant.
	pub(crate) fn current_collateral(
		key: &CollateralKey,
		at: Moment,
	) -> Result<CollateralEntry, Error<T>> {
		CollateralDirectory::<T>::get()
			.get(key)
			.copied()
			.filter(|entry| at < entry.until)
			.ok_or(Error::<T>::CollateralMissing)
	}

	/// Counts evidence that does not hold. An error would take the count back.
	fn refuse(device: DeviceId, error: Error<T>, bytes: &[u8]) -> PostDispatchInfo {
		FailedEvidence::<T>::mutate(|count| *count = count.saturating_add(1));
		Self::deposit_event(Event::EvidenceRefused { device, error: error.into() });
		Some(cost::in_full::<T::WeightInfo>(bytes)).into()
	}

	/// Whether nothing that evidence rests on, or that it is of, is revoked.
	pub(crate) fn check_revocation(result: &AttestationResult) -> Result<(), Error<T>> {
		if !result.certificates.is_empty() {
			let revoked = RevokedCertificates::<T>::get();
			ensure!(
				!result.certificates.iter().any(|sha256| revoked.binary_search(sha256).is_ok()),
				Error::<T>::CertificateIsRevoked
			);
		}
		ensure!(
			!result.identities.iter().any(RevokedHardware::<T>::contains_key),
			Error::<T>::HardwareIsRevoked
		);
		Ok(())
	}

	/// What evidence is of and rests on, if the chain knows nothing against it.
	fn check_acceptable(
		device: DeviceId,
		old: Option<&Attestation>,
		result: &AttestationResult,
	) -> Result<(Identities, Certificates), Error<T>> {
		Self::check_revocation(result)?;
		let before: &[H256] = old.map_or(&[], |old| &old.identities);
		ensure!(
			before
				.first()
				.is_none_or(|platform| result.identities.first() == Some(platform)),
			Error::<T>::IdentityChanged
		);
		let taken = |id: &H256| HardwareOwners::<T>::get(id).is_some_and(|owner| owner != device);
		ensure!(!result.identities.iter().any(taken), Error::<T>::HardwareInUse);
		let identities = Identities::try_from(result.identities.clone());
		let certificates = Certificates::try_from(result.certificates.clone());
		Ok((
			identities.map_err(|_| Error::<T>::TooManyParts)?,
			certificates.map_err(|_| Error::<T>::TooManyParts)?,
		))
	}

	/// Writes down what evidence proved, unless the chain knows something against it.
	fn accept(
		device: DeviceId,
		old: Option<&Attestation>,
		result: &AttestationResult,
		now: Moment,
		until: Moment,
	) -> Result<(), Error<T>> {
		let (identities, certificates) = Self::check_acceptable(device, old, result)?;
		let expires_at = until.min(result.expires_at);

		Nonces::<T>::remove(device);
		let attestation = Attestation {
			tier: result.tier,
			format: result.format,
			inventory: result.inventory,
			attested_at: now,
			expires_at,
			lapsed: false,
			proved_at: now,
			renewals: 0,
			full_due: false,
			certified_until: result.expires_at,
			identities,
			tcb: result.tcb,
			model: result.model,
			certificates,
			generation: Generation::<T>::get(),
			warned: false,
		};
		Self::put_record(device, old, attestation);
		T::Devices::on_attested(device, result.tier);
		Self::deposit_event(Event::Attested {
			device,
			tier: result.tier,
			format: result.format,
			expires_at,
		});
		Ok(())
	}

	/// Notes the signatures that need not be verified again. Room is made by those that ended, then
	/// by those that new evidence did not need for longest.
	fn remember(judge: &Judge, used: &[Issuer], now: Moment) {
		if let Some(UsedCollateral { key, entry, .. }) =
			judge.collateral.as_ref().filter(|_| !judge.known.collateral)
		{
			let references = ReferencesGeneration::<T>::get();
			CollateralDirectory::<T>::mutate(|all| {
				if let Some(kept) = all.get_mut(key).filter(|kept| *kept == entry) {
					kept.references = references;
				}
			});
		}
		if used.iter().all(|issuer| judge.known.issuers.contains(&issuer.sha256)) {
			return;
		}
		let mut all: Vec<KnownIssuer> = KnownIssuers::<T>::get().into_inner();
		all.retain(|known| {
			now <= known.until && !used.iter().any(|issuer| issuer.sha256 == known.sha256)
		});
		all.extend(
			used.iter()
				.map(|issuer| KnownIssuer { sha256: issuer.sha256, until: issuer.until }),
		);
		let most = usize::try_from(MAX_KNOWN_ISSUERS).unwrap_or(usize::MAX);
		let kept = all.split_off(all.len().saturating_sub(most));
		KnownIssuers::<T>::put(BoundedVec::truncate_from(kept));
	}
}
