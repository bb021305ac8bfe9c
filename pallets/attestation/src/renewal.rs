//! Renewals: taken on the device key's word, and verified only when somebody doubts them.

use super::*;
use armature_primitives::{
	evidence::EvidenceFormat, traits::DeviceLifecycle, DeviceId, Moment, H256,
};
use armature_verifier::evidence;
use frame_support::{ensure, traits::Time};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_renew(who: T::AccountId, device: DeviceId, bytes: &[u8]) -> DispatchResult {
		let info = Self::attestable_device(&who, device)?;
		let now = T::Clock::now();
		let parameters = Parameters::<T>::get();
		let mut record = Attestations::<T>::get(device)
			.filter(|record| is_of_hardware(record) && record.holds(now))
			.ok_or(Error::<T>::NotRenewable)?;
		ensure!(now >= record.renewable_from(parameters.renewal_window), Error::<T>::TooEarly);
		let issued = Self::usable_nonce(device, now)?;
		ensure!(
			Self::renewable_nonce(&issued)
				&& Self::is_renewable(device, &record, parameters.max_renewals, now),
			Error::<T>::FullEvidenceNeeded
		);
		let disputable_until = Self::after(now, parameters.dispute_window)?;
		let expires_at = Self::after(now, parameters.validity)?.min(record.certified_until);

		let evidence = evidence::decode(bytes).map_err(Error::<T>::from)?;
		let context = Self::context(device, &info, issued.nonce);
		let (format, inventory) =
			evidence::check_statement(&evidence, &context).map_err(Error::<T>::from)?;
		ensure!(format == record.format, Error::<T>::DifferentFormat);
		// Without its collateral a renewal could not be disputed.
		if let Some(key) = evidence::collateral_key(&evidence).map_err(Error::<T>::from)? {
			Self::current_collateral(&key, now)?;
		}

		Nonces::<T>::remove(device);
		let pending = PendingRenewal {
			evidence_hash: H256(sp_io::hashing::blake2_256(bytes)),
			block: Self::block_number(),
			nonce: issued.nonce,
			submitted_at: now,
			disputable_until,
			platform: record.identities.first().copied(),
			identities: record.identities_hash(),
			references: ReferencesGeneration::<T>::get(),
		};
		PendingRenewals::<T>::insert(device, pending);
		record.inventory = inventory;
		record.attested_at = now;
		record.expires_at = expires_at;
		record.renewals = record.renewals.saturating_add(1);
		record.warned = false;
		let tier = record.tier;
		Attestations::<T>::insert(device, record);
		T::Devices::on_attested(device, tier);
		Self::deposit_event(Event::Renewed { device, expires_at, disputable_until });
		Ok(())
	}

	/// Whether the next evidence may go unverified: a hardware record that holds, proved under the
	/// current reference values, with renewals left that would lengthen it, and no renewal that is
	/// still open to dispute.
	pub(crate) fn is_renewable(
		device: DeviceId,
		record: &Attestation,
		max_renewals: u32,
		now: Moment,
	) -> bool {
		is_of_hardware(record)
			&& record.holds(now)
			&& !record.full_due
			&& record.renewals < max_renewals
			&& record.expires_at < record.certified_until
			&& record.generation == Generation::<T>::get()
			&& Self::disputable(device, now).is_none()
	}

	/// The renewal of a device, if it may be disputed at `now`.
	pub(crate) fn disputable(device: DeviceId, now: Moment) -> Option<PendingRenewal> {
		PendingRenewals::<T>::get(device).filter(|pending| now < pending.disputable_until)
	}
}

fn is_of_hardware(record: &Attestation) -> bool {
	record.format != EvidenceFormat::DeviceKeyInventory
}
