//! What always holds.

use super::*;
use alloc::collections::btree_map::BTreeMap;
use armature_primitives::{device::DeviceStatus, Balance, RackId, SiteId};
use frame_support::{
	ensure,
	traits::{fungible::hold::Inspect as _, Get},
};
use sp_runtime::TryRuntimeError;

/// What the records say that an account has on hold.
#[derive(Default)]
struct Held {
	provider: Balance,
	sites: Balance,
	devices: Balance,
}

impl<T: Config> Pallet<T> {
	/// Checks all invariants:
	///
	/// 1. The parameters in force are valid.
	/// 2. A provider counts its sites right, has no more than it may, and the index lists them.
	/// 3. A site counts its racks and devices right and has no more than it may.
	/// 4. A rack counts its devices right and stands at a site that exists.
	/// 5. A device's provider and site belong together, and its rack stands at its site.
	/// 6. The key index and the provider index list each device once and nothing else.
	/// 7. All ids are below the next one.
	/// 8. A tier is set in exactly the states that rest on an attestation, a lock in exactly
	///    Jailed and Retired.
	/// 9. For each provider, the holds are exactly the recorded deposits and bonds.
	pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
		ensure!(Parameters::<T>::get().validate(), "1: invalid parameters");
		let mut held = BTreeMap::<T::AccountId, Held>::new();
		Self::check_topology(&mut held)?;
		Self::check_devices(&mut held)?;
		for (who, held) in &held {
			let on_hold = |reason: HoldReason| T::Currency::balance_on_hold(&reason.into(), who);
			ensure!(on_hold(HoldReason::ProviderDeposit) == held.provider, "9: provider deposit");
			ensure!(on_hold(HoldReason::SiteDeposit) == held.sites, "9: site deposits");
			ensure!(on_hold(HoldReason::DeviceBond) == held.devices, "9: device bonds");
		}
		Ok(())
	}

	fn check_topology(held: &mut BTreeMap<T::AccountId, Held>) -> Result<(), TryRuntimeError> {
		let mut sites = BTreeMap::<T::AccountId, u32>::new();
		let mut racks = BTreeMap::<SiteId, u32>::new();
		for (id, rack) in Racks::<T>::iter() {
			ensure!(Sites::<T>::contains_key(rack.site), "4: rack without site");
			ensure!(id < NextRackId::<T>::get(), "7: rack id");
			count(&mut racks, rack.site);
		}
		for (id, site) in Sites::<T>::iter() {
			ensure!(ProviderSites::<T>::contains_key(&site.provider, id), "2: site not listed");
			ensure!(racks.get(&id).copied().unwrap_or(0) == site.racks, "3: count of racks");
			ensure!(site.racks <= T::MaxRacksPerSite::get(), "3: too many racks");
			ensure!(site.devices <= T::MaxDevicesPerSite::get(), "3: too many devices");
			ensure!(id < NextSiteId::<T>::get(), "7: site id");
			add(&mut held.entry(site.provider.clone()).or_default().sites, site.deposit)?;
			count(&mut sites, site.provider);
		}
		let listed = ProviderSites::<T>::iter_keys().count();
		ensure!(listed == Sites::<T>::iter_keys().count(), "2: site listed that does not exist");
		for (who, provider) in Providers::<T>::iter() {
			ensure!(sites.remove(&who).unwrap_or(0) == provider.sites, "2: count of sites");
			ensure!(provider.sites <= T::MaxSitesPerProvider::get(), "2: too many sites");
			add(&mut held.entry(who).or_default().provider, provider.deposit)?;
		}
		ensure!(sites.is_empty(), "2: site without provider");
		Ok(())
	}

	fn check_devices(held: &mut BTreeMap<T::AccountId, Held>) -> Result<(), TryRuntimeError> {
		let mut by_site = BTreeMap::<SiteId, u32>::new();
		let mut by_rack = BTreeMap::<RackId, u32>::new();
		let mut devices = 0usize;
		for (id, device) in Devices::<T>::iter() {
			let site = Sites::<T>::get(device.site).ok_or("5: device without site")?;
			ensure!(site.provider == device.provider, "5: device at another provider's site");
			count(&mut by_site, device.site);
			if let Some(rack) = device.rack {
				let record = Racks::<T>::get(rack).ok_or("5: device without rack")?;
				ensure!(record.site == device.site, "5: device in a rack elsewhere");
				count(&mut by_rack, rack);
			}
			ensure!(DeviceByKey::<T>::get(device.key) == Some(id), "6: key not listed");
			ensure!(
				ProviderDevices::<T>::contains_key(&device.provider, id),
				"6: device not listed"
			);
			ensure!(id < NextDeviceId::<T>::get(), "7: device id");
			ensure!(is_attested(device.status) == device.tier.is_some(), "8: tier");
			let locked = matches!(device.status, DeviceStatus::Jailed | DeviceStatus::Retired);
			ensure!(locked == device.locked_until.is_some(), "8: lock");
			add(&mut held.entry(device.provider).or_default().devices, device.bond)?;
			devices = devices.saturating_add(1);
		}
		ensure!(DeviceByKey::<T>::iter_keys().count() == devices, "6: key of no device");
		ensure!(ProviderDevices::<T>::iter_keys().count() == devices, "6: no device listed");
		for (id, site) in Sites::<T>::iter() {
			ensure!(by_site.get(&id).copied().unwrap_or(0) == site.devices, "3: count of devices");
		}
		for (id, rack) in Racks::<T>::iter() {
			ensure!(by_rack.get(&id).copied().unwrap_or(0) == rack.devices, "4: count of devices");
		}
		Ok(())
	}
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) {
	let count = counts.entry(key).or_default();
	*count = count.saturating_add(1);
}

fn add(sum: &mut Balance, amount: Balance) -> Result<(), TryRuntimeError> {
	*sum = sum.checked_add(amount).ok_or("9: sum of deposits overflows")?;
	Ok(())
}
