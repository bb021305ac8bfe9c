//! Bodies of the calls, the sweep, and what other pallets read.

use super::*;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, Tier},
	traits::{AttestationInspect, DeviceInspect, DeviceLifecycle, LeaseGuard},
	DeviceId, Moment, H256,
};
use armature_verifier::evidence::{self, Context, EvidenceError};
use codec::Encode;
use frame_support::{
	ensure,
	traits::{Get, Randomness, Time},
	weights::{Weight, WeightMeter},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{traits::Zero, ArithmeticError, DispatchError, DispatchResult};

/// First bytes of every nonce's preimage.
const NONCE_DOMAIN: [u8; 4] = *b"att1";

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
		}
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_request_nonce(who: T::AccountId, device: DeviceId) -> DispatchResult {
		Self::attestable_device(&who, device)?;
		let now = T::Clock::now();
		ensure!(
			Nonces::<T>::get(device).is_none_or(|issued| now >= issued.expires_at),
			Error::<T>::NonceStillValid
		);
		let count = NonceCount::<T>::get();
		let next = count.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		let lifetime = Parameters::<T>::get().nonce_lifetime;
		let expires_at = Self::after(now, lifetime)?;
		let (randomness, _) = T::Randomness::random(&(NONCE_DOMAIN, device).encode());
		let preimage = (NONCE_DOMAIN, Self::genesis_hash(), device, count, randomness);
		let nonce = H256(sp_io::hashing::blake2_256(&preimage.encode()));

		NonceCount::<T>::put(next);
		Nonces::<T>::insert(device, IssuedNonce { nonce, expires_at });
		Self::deposit_event(Event::NonceIssued { device, nonce, expires_at });
		Ok(())
	}

	pub(crate) fn do_submit_evidence(
		who: T::AccountId,
		device: DeviceId,
		bytes: &[u8],
	) -> DispatchResult {
		let info = Self::attestable_device(&who, device)?;
		let now = T::Clock::now();
		let parameters = Parameters::<T>::get();
		if let Some(current) = Attestations::<T>::get(device).filter(|current| current.holds(now)) {
			// A device that fell back to Registered cannot wait for the window.
			ensure!(
				info.status == DeviceStatus::Registered
					|| now >= current.renewable_from(parameters.renewal_window),
				Error::<T>::TooEarly
			);
		}
		let issued = Nonces::<T>::get(device).ok_or(Error::<T>::NoNonce)?;
		ensure!(now < issued.expires_at, Error::<T>::NonceExpired);
		let expires_at = Self::after(now, parameters.validity)?;
		let context =
			Context { genesis: Self::genesis_hash(), device, key: info.key, nonce: issued.nonce };
		// Last: it costs the most.
		let result = evidence::verify(bytes, &context).map_err(Error::<T>::from)?;

		Nonces::<T>::remove(device);
		let attestation = Attestation {
			tier: result.tier,
			format: result.format,
			inventory: result.inventory,
			attested_at: now,
			expires_at,
			lapsed: false,
		};
		Attestations::<T>::insert(device, attestation);
		T::Devices::on_attested(device, result.tier);
		Self::deposit_event(Event::Attested {
			device,
			tier: result.tier,
			format: result.format,
			expires_at,
		});
		Ok(())
	}

	pub(crate) fn do_revoke(device: DeviceId) -> DispatchResult {
		// Also one that ran out: its lease goes on for the grace unless this ends it.
		ensure!(Attestations::<T>::contains_key(device), Error::<T>::NotAttested);
		Attestations::<T>::remove(device);
		Nonces::<T>::remove(device);
		T::Devices::on_attestation_lost(device);
		T::Leases::on_attestation_lost(device);
		Self::deposit_event(Event::Revoked { device });
		Ok(())
	}

	pub(crate) fn do_set_parameters(parameters: AttestationParameters) -> DispatchResult {
		ensure!(parameters.validate(), Error::<T>::InvalidParameters);
		Parameters::<T>::put(parameters);
		Self::deposit_event(Event::ParametersSet { parameters });
		Ok(())
	}

	/// Looks at as many records and nonces as the meter and `MaxSweepPerBlock` allow.
	pub(crate) fn sweep(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::sweep_base()).is_err() {
			return;
		}
		let now = T::Clock::now();
		let grace = Parameters::<T>::get().renewal_window;
		let records = Self::walk(
			AttestationCursor::<T>::get(),
			meter,
			T::WeightInfo::sweep_attestation(),
			|after, meter| Self::sweep_attestation(after, now, grace, meter),
		);
		AttestationCursor::<T>::set(records);
		let nonces =
			Self::walk(NonceCursor::<T>::get(), meter, T::WeightInfo::sweep_nonce(), |after, _| {
				Self::sweep_nonce(after, now)
			});
		NonceCursor::<T>::set(nonces);
	}

	/// Repeats `step` from `cursor` on until the end, the bound or no weight is left. Returns where
	/// to go on; `None` starts a new round.
	fn walk(
		mut cursor: Option<DeviceId>,
		meter: &mut WeightMeter,
		unit: Weight,
		step: impl Fn(Option<DeviceId>, &mut WeightMeter) -> Option<DeviceId>,
	) -> Option<DeviceId> {
		for _ in 0..T::MaxSweepPerBlock::get() {
			if meter.try_consume(unit).is_err() {
				break;
			}
			cursor = step(cursor, meter);
			if cursor.is_none() {
				break;
			}
		}
		cursor
	}

	/// Handles the record that follows `after` in storage order and returns its device; `after`, when
	/// there is no weight for what the record needs.
	pub(crate) fn sweep_attestation(
		after: Option<DeviceId>,
		now: Moment,
		grace: Moment,
		meter: &mut WeightMeter,
	) -> Option<DeviceId> {
		let (device, mut record) = match after {
			None => Attestations::<T>::iter().next(),
			Some(last) => {
				Attestations::<T>::iter_from(Attestations::<T>::hashed_key_for(last)).next()
			},
		}?;
		if !record.lapsed && now >= record.expires_at {
			T::Devices::on_attestation_lost(device);
			record.lapsed = true;
			Attestations::<T>::insert(device, record);
			Self::deposit_event(Event::AttestationExpired { device });
		} else if record.lapsed && now >= record.expires_at.saturating_add(grace) {
			// Until now the device could be attested again and go on with its lease.
			if meter.try_consume(T::LeaseEndWeight::get()).is_err() {
				return after;
			}
			Attestations::<T>::remove(device);
			T::Leases::on_attestation_lost(device);
		}
		Some(device)
	}

	/// Handles the nonce that follows `after` in storage order and returns its device.
	pub(crate) fn sweep_nonce(after: Option<DeviceId>, now: Moment) -> Option<DeviceId> {
		let (device, issued) = match after {
			None => Nonces::<T>::iter().next(),
			Some(last) => Nonces::<T>::iter_from(Nonces::<T>::hashed_key_for(last)).next(),
		}?;
		if now >= issued.expires_at {
			Nonces::<T>::remove(device);
		}
		Some(device)
	}

	/// The device, if `who` may act for it and its state allows an attestation.
	fn attestable_device(
		who: &T::AccountId,
		device: DeviceId,
	) -> Result<DeviceInfo<T::AccountId>, Error<T>> {
		let info = T::Devices::device(device).ok_or(Error::<T>::UnknownDevice)?;
		ensure!(T::Devices::may_operate(who, device), Error::<T>::NotOperator);
		ensure!(
			!matches!(info.status, DeviceStatus::Jailed | DeviceStatus::Retired),
			Error::<T>::WrongStatus
		);
		Ok(info)
	}

	fn after(now: Moment, length: Moment) -> Result<Moment, DispatchError> {
		Ok(now.checked_add(length).ok_or(ArithmeticError::Overflow)?)
	}

	/// Hash of the chain's first block.
	pub(crate) fn genesis_hash() -> H256 {
		frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
	}
}

impl<T: Config> AttestationInspect for Pallet<T> {
	fn tier(device: DeviceId, now: Moment) -> Option<Tier> {
		Attestations::<T>::get(device)
			.filter(|current| current.holds(now))
			.map(|current| current.tier)
	}
}
