//! Nonces, and who may be attested.

use super::*;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus},
	traits::DeviceInspect,
	DeviceId, Moment, H256,
};
use armature_verifier::evidence::Context;
use codec::Encode;
use frame_support::{
	ensure,
	traits::{Randomness, Time},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{
	traits::Zero, ArithmeticError, DispatchError, DispatchResult, SaturatedConversion,
};

/// First bytes of every nonce's preimage.
const NONCE_DOMAIN: [u8; 4] = *b"att1";

/// First bytes of what a draw is made by.
const DRAW_DOMAIN: &[u8] = b"armature/full-check/1";

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
		let parameters = Parameters::<T>::get();
		let expires_at = Self::after(now, parameters.nonce_lifetime)?;
		let (randomness, _) = T::Randomness::random(&(NONCE_DOMAIN, device).encode());
		let preimage = (NONCE_DOMAIN, Self::genesis_hash(), device, count, randomness);
		let nonce = H256(sp_io::hashing::blake2_256(&preimage.encode()));
		// Whether the last one was drawn, and never used, is known by now.
		if let Some(unused) = Nonces::<T>::get(device) {
			Self::forget_nonce(device, &unused);
		}
		let full = !Self::may_renew(device, &parameters, now);
		let block = Self::block_number();

		NonceCount::<T>::put(next);
		Nonces::<T>::insert(device, IssuedNonce { nonce, expires_at, full, block });
		Self::deposit_event(Event::NonceIssued { device, nonce, expires_at, full });
		Ok(())
	}

	/// Whether the device's record may be renewed, the draw apart.
	fn may_renew(device: DeviceId, parameters: &AttestationParameters, now: Moment) -> bool {
		Attestations::<T>::get(device)
			.is_some_and(|record| Self::is_renewable(device, &record, parameters.max_renewals, now))
	}

	/// Whether a renewal may be made with a nonce: it was not handed out for a full verification, and
	/// is not drawn.
	pub fn renewable_nonce(issued: &IssuedNonce) -> bool {
		!issued.full && !Self::is_drawn(issued)
	}

	/// One nonce in so many is drawn by the hash of the block that handed it out, which nobody knew
	/// when it was asked for. Until that hash is known, and when it is known no more, every nonce is.
	fn is_drawn(issued: &IssuedNonce) -> bool {
		let hash = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::saturated_from(
			issued.block,
		));
		let every = Parameters::<T>::get().full_check_every;
		hash == H256::default() || draw(&hash, &issued.nonce, every)
	}

	/// Removes a nonce that was not used. One that was drawn makes the next evidence a full one, so
	/// that letting it expire does not help.
	pub(crate) fn forget_nonce(device: DeviceId, unused: &IssuedNonce) {
		Nonces::<T>::remove(device);
		if unused.full || !Self::is_drawn(unused) {
			return;
		}
		Attestations::<T>::mutate(device, |record| {
			if let Some(record) = record {
				record.full_due = true;
			}
		});
	}

	pub(crate) fn block_number() -> u64 {
		frame_system::Pallet::<T>::block_number().saturated_into()
	}

	/// The device, if `who` may act for it and its state allows an attestation.
	pub(crate) fn attestable_device(
		who: &T::AccountId,
		device: DeviceId,
	) -> Result<DeviceInfo<T::AccountId>, Error<T>> {
		let info = T::Devices::device(device).ok_or(Error::<T>::UnknownDevice)?;
		ensure!(T::Devices::may_operate(who, device), Error::<T>::NotOperator);
		Self::ensure_attestable(&info)?;
		Ok(info)
	}

	/// Whether the device's state allows an attestation.
	pub(crate) fn ensure_attestable(info: &DeviceInfo<T::AccountId>) -> Result<(), Error<T>> {
		ensure!(
			!matches!(info.status, DeviceStatus::Jailed | DeviceStatus::Retired),
			Error::<T>::WrongStatus
		);
		Ok(())
	}

	/// The nonce that the device may use.
	pub(crate) fn usable_nonce(device: DeviceId, now: Moment) -> Result<IssuedNonce, Error<T>> {
		let issued = Nonces::<T>::get(device).ok_or(Error::<T>::NoNonce)?;
		ensure!(now < issued.expires_at, Error::<T>::NonceExpired);
		Ok(issued)
	}

	/// What evidence of the device must speak of.
	pub(crate) fn context(
		device: DeviceId,
		info: &DeviceInfo<T::AccountId>,
		nonce: H256,
	) -> Context {
		Context { genesis: Self::genesis_hash(), device, key: info.key, nonce }
	}

	pub(crate) fn after(now: Moment, length: Moment) -> Result<Moment, DispatchError> {
		Ok(now.checked_add(length).ok_or(ArithmeticError::Overflow)?)
	}

	/// Hash of the chain's first block.
	pub(crate) fn genesis_hash() -> H256 {
		frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
	}
}

/// One in `every`.
fn draw(block_hash: &H256, nonce: &H256, every: u32) -> bool {
	let input = [DRAW_DOMAIN, block_hash.as_bytes(), nonce.as_bytes()].concat();
	let [a, b, c, d, e, f, g, h, ..] = sp_io::hashing::blake2_256(&input);
	u64::from_le_bytes([a, b, c, d, e, f, g, h]).is_multiple_of(u64::from(every.max(1)))
}
