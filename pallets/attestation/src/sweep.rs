//! The sweep: what time does to records, nonces and pending renewals, a bounded part in each block.

use super::*;
use armature_primitives::{DeviceId, Moment};
use frame_support::{
	traits::{Get, Time},
	weights::{Weight, WeightMeter},
};

/// What one block's sweep holds records against.
pub(crate) struct Sweep {
	now: Moment,
	grace: Moment,
	renewal_window: Moment,
	generation: u32,
	references: u32,
	revoked: RevokedList,
}

/// What a step of the sweep came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
	/// This entry was handled.
	Handled(DeviceId),
	/// There is no further entry: the round is over.
	Over,
	/// The next entry needs more weight than there is.
	Short,
}

impl<T: Config> Pallet<T> {
	/// Looks at as many entries of each kind as the meter and `MaxSweepPerBlock` allow.
	pub(crate) fn sweep(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::sweep_base()).is_err() {
			return;
		}
		let sweep = Self::this_sweep();
		AttestationCursor::<T>::set(Self::walk(
			AttestationCursor::<T>::get(),
			meter,
			T::WeightInfo::sweep_attestation(),
			|after, meter| Self::sweep_attestation(after, &sweep, meter),
		));
		NonceCursor::<T>::set(Self::walk(
			NonceCursor::<T>::get(),
			meter,
			T::WeightInfo::sweep_nonce(),
			|after, _| Self::sweep_nonce(after, sweep.now),
		));
		PendingCursor::<T>::set(Self::walk(
			PendingCursor::<T>::get(),
			meter,
			T::WeightInfo::sweep_pending(),
			|after, _| Self::sweep_pending(after, sweep.now),
		));
	}

	pub(crate) fn this_sweep() -> Sweep {
		let parameters = Parameters::<T>::get();
		Sweep {
			now: T::Clock::now(),
			grace: parameters.grace,
			renewal_window: parameters.renewal_window,
			generation: Generation::<T>::get(),
			references: ReferencesGeneration::<T>::get(),
			revoked: RevokedCertificates::<T>::get(),
		}
	}

	/// Repeats `step` from `cursor` on until the end, the bound or no weight is left. Returns where
	/// to go on; `None` starts a new round.
	fn walk(
		mut cursor: Option<DeviceId>,
		meter: &mut WeightMeter,
		unit: Weight,
		step: impl Fn(Option<DeviceId>, &mut WeightMeter) -> Step,
	) -> Option<DeviceId> {
		for _ in 0..T::MaxSweepPerBlock::get() {
			if meter.try_consume(unit).is_err() {
				break;
			}
			match step(cursor, meter) {
				Step::Handled(device) => cursor = Some(device),
				Step::Over => return None,
				Step::Short => break,
			}
		}
		cursor
	}

	/// Handles the record that follows `after` in storage order.
	pub(crate) fn sweep_attestation(
		after: Option<DeviceId>,
		sweep: &Sweep,
		meter: &mut WeightMeter,
	) -> Step {
		let next = match after {
			None => Attestations::<T>::iter().next(),
			Some(last) => {
				Attestations::<T>::iter_from(Attestations::<T>::hashed_key_for(last)).next()
			},
		};
		let Some((device, record)) = next else { return Step::Over };
		let revoked = record.generation != sweep.generation && record.rests_on(&sweep.revoked);
		let expired = sweep.now >= record.expires_at.saturating_add(sweep.grace);
		if revoked || expired {
			let parts = u32::try_from(record.identities.len()).unwrap_or(u32::MAX);
			let end = T::WeightInfo::sweep_end(parts).saturating_add(T::LeaseEndWeight::get());
			if meter.try_consume(end).is_err() {
				return Step::Short;
			}
			if revoked {
				Self::suspend(device, &record);
			} else {
				Self::end_record(device, &record);
				Self::deposit_event(Event::AttestationExpired { device });
			}
		} else {
			Self::age(device, record, sweep);
		}
		Step::Handled(device)
	}

	/// Brings a record that goes on up to date, and announces its end and its grace, each once.
	fn age(device: DeviceId, mut record: Attestation, sweep: &Sweep) {
		let before = (record.generation, record.warned, record.lapsed);
		let Attestation { expires_at, .. } = record;
		if record.generation != sweep.generation {
			// Nothing under it is revoked. Newer reference values may still refuse it.
			record.full_due |= record.generation < sweep.references;
			record.generation = sweep.generation;
		}
		if sweep.now >= expires_at {
			if !record.lapsed {
				record.lapsed = true;
				let until = expires_at.saturating_add(sweep.grace);
				Self::deposit_event(Event::AttestationInGrace { device, until });
			}
		} else if !record.warned && sweep.now >= record.renewable_from(sweep.renewal_window) {
			record.warned = true;
			Self::deposit_event(Event::AttestationExpiring { device, expires_at });
		}
		if before != (record.generation, record.warned, record.lapsed) {
			Attestations::<T>::insert(device, record);
		}
	}

	/// Handles the nonce that follows `after` in storage order.
	pub(crate) fn sweep_nonce(after: Option<DeviceId>, now: Moment) -> Step {
		let next = match after {
			None => Nonces::<T>::iter().next(),
			Some(last) => Nonces::<T>::iter_from(Nonces::<T>::hashed_key_for(last)).next(),
		};
		let Some((device, issued)) = next else { return Step::Over };
		if now >= issued.expires_at {
			Self::forget_nonce(device, &issued);
		}
		Step::Handled(device)
	}

	/// Handles the pending renewal that follows `after` in storage order.
	pub(crate) fn sweep_pending(after: Option<DeviceId>, now: Moment) -> Step {
		let next = match after {
			None => PendingRenewals::<T>::iter().next(),
			Some(last) => {
				PendingRenewals::<T>::iter_from(PendingRenewals::<T>::hashed_key_for(last)).next()
			},
		};
		let Some((device, pending)) = next else { return Step::Over };
		if now >= pending.disputable_until {
			PendingRenewals::<T>::remove(device);
		}
		Step::Handled(device)
	}
}
