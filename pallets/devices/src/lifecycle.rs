//! The traits through which other pallets see and drive devices.

use super::*;
use armature_economics::slashing::slash_amount;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, SiteInfo, Tier},
	traits::{DeviceInspect, DeviceLifecycle},
	Balance, Ppm, SiteId,
};
use frame_support::traits::{fungible::hold::Balanced as _, Imbalance, OnUnbalanced, Time};
use DeviceStatus::*;

impl<T: Config> Pallet<T> {
	/// Moves the device to the state that `next` names, if it names one.
	fn transition(id: DeviceId, next: impl FnOnce(DeviceStatus) -> Option<DeviceStatus>) {
		let Some(device) = Devices::<T>::get(id) else { return };
		if let Some(to) = next(device.status) {
			Self::put_status(id, device, to);
		}
	}
}

impl<T: Config> DeviceInspect<T::AccountId> for Pallet<T> {
	fn device(id: DeviceId) -> Option<DeviceInfo<T::AccountId>> {
		Devices::<T>::get(id).map(|device| DeviceInfo {
			provider: device.provider,
			site: device.site,
			rack: device.rack,
			key: device.key,
			status: device.status,
			lanes: device.lanes,
			memory_mib: device.memory_mib,
		})
	}

	fn site(id: SiteId) -> Option<SiteInfo<T::AccountId>> {
		Sites::<T>::get(id).map(|site| SiteInfo {
			provider: site.provider,
			region: site.region,
			power_cap: site.power_cap,
			pue: site.pue,
		})
	}

	fn may_operate(who: &T::AccountId, device: DeviceId) -> bool {
		Devices::<T>::get(device).is_some_and(|device| Self::operates(who, &device))
	}
}

impl<T: Config> DeviceLifecycle for Pallet<T> {
	fn on_attested(id: DeviceId, tier: Tier) {
		let Some(mut device) = Devices::<T>::get(id) else { return };
		let to = match device.status {
			Registered => Attested,
			// A renewal may come with another tier.
			status if is_attested(status) => status,
			_ => return,
		};
		device.tier = Some(tier);
		Self::put_status(id, device, to);
	}

	fn on_attestation_lost(id: DeviceId) {
		Self::transition(id, |from| is_attested(from).then_some(Registered));
	}

	fn on_alive(id: DeviceId) {
		Self::transition(id, |from| matches!(from, Attested | Suspect | Offline).then_some(Active));
	}

	fn on_suspect(id: DeviceId) {
		Self::transition(id, |from| matches!(from, Active | Standby).then_some(Suspect));
	}

	fn on_offline(id: DeviceId) {
		Self::transition(id, |from| {
			matches!(from, Attested | Active | Suspect | Standby | Draining).then_some(Offline)
		});
	}

	fn on_profitability(id: DeviceId, profitable: bool) {
		Self::transition(id, |from| match (from, profitable) {
			(Active, false) => Some(Standby),
			(Standby, true) => Some(Active),
			_ => None,
		});
	}

	fn slash(id: DeviceId, share: Ppm) -> Balance {
		let Some(mut device) = Devices::<T>::get(id) else { return 0 };
		let (credit, missing) = T::Currency::slash(
			&HoldReason::DeviceBond.into(),
			&device.provider,
			slash_amount(device.bond, share),
		);
		if missing > 0 {
			// The records say that all of the bond is held, so something else moved the hold.
			log::error!(target: LOG_TARGET, "device {id}: {missing} planck of the bond not held");
		}
		let amount = credit.peek();
		device.bond = device.bond.saturating_sub(amount);
		T::OnSlash::on_unbalanced(credit);
		Self::deposit_event(Event::DeviceSlashed { device: id, amount });
		if device.status == Retired {
			Devices::<T>::insert(id, device);
		} else {
			let jail = Parameters::<T>::get().jail_period;
			device.locked_until = Some(T::Clock::now().saturating_add(jail));
			Self::put_status(id, device, Jailed);
		}
		amount
	}
}
