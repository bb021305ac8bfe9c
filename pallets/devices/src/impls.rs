//! Bodies of the calls.

use super::*;
use alloc::vec::Vec;
use armature_primitives::{
	challenge::MAX_LANES,
	device::{DeviceLabel, DeviceStatus},
	ed25519,
	traits::DeviceBusy,
	Balance, MilliWatts, Moment, Ppm, RackId, RegionId, SiteId, H256,
};
use armature_verifier::{evidence::is_text, signature};
use frame_support::{
	ensure,
	traits::{fungible::hold::Mutate as _, tokens::Precision, Get, Time},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{traits::Zero, ArithmeticError, DispatchError, DispatchResult};

/// What a provider says of a new device.
pub(crate) struct NewDevice {
	pub(crate) site: SiteId,
	pub(crate) rack: Option<RackId>,
	pub(crate) key: ed25519::Public,
	pub(crate) lanes: u16,
	pub(crate) memory_mib: u32,
	pub(crate) label: DeviceLabel,
}

fn more(count: &mut u32) -> DispatchResult {
	*count = count.checked_add(1).ok_or(ArithmeticError::Overflow)?;
	Ok(())
}

fn fewer(count: &mut u32) -> DispatchResult {
	*count = count.checked_sub(1).ok_or(ArithmeticError::Underflow)?;
	Ok(())
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_register_provider(
		who: T::AccountId,
		operator: Option<T::AccountId>,
	) -> DispatchResult {
		ensure!(!Providers::<T>::contains_key(&who), Error::<T>::AlreadyProvider);
		let deposit = Parameters::<T>::get().provider_deposit;
		T::Currency::hold(&HoldReason::ProviderDeposit.into(), &who, deposit)?;
		let nonce = NonceFloor::<T>::get();
		Providers::<T>::insert(&who, Provider { operator, deposit, sites: 0, nonce });
		Self::deposit_event(Event::ProviderRegistered { who });
		Ok(())
	}

	pub(crate) fn do_set_operator(
		who: T::AccountId,
		operator: Option<T::AccountId>,
	) -> DispatchResult {
		let mut provider = Providers::<T>::get(&who).ok_or(Error::<T>::NotProvider)?;
		provider.operator = operator.clone();
		Providers::<T>::insert(&who, provider);
		Self::deposit_event(Event::OperatorSet { who, operator });
		Ok(())
	}

	pub(crate) fn do_register_site(
		who: T::AccountId,
		region: RegionId,
		power_cap: MilliWatts,
		pue: Ppm,
	) -> DispatchResult {
		let mut provider = Providers::<T>::get(&who).ok_or(Error::<T>::NotProvider)?;
		ensure!(provider.sites < T::MaxSitesPerProvider::get(), Error::<T>::TooManySites);
		Self::check_power(power_cap, pue)?;
		let site = NextSiteId::<T>::get();
		let next = site.next().ok_or(Error::<T>::IdsExhausted)?;
		let deposit = Parameters::<T>::get().site_deposit;
		more(&mut provider.sites)?;

		T::Currency::hold(&HoldReason::SiteDeposit.into(), &who, deposit)?;
		NextSiteId::<T>::put(next);
		Providers::<T>::insert(&who, provider);
		ProviderSites::<T>::insert(&who, site, ());
		let record =
			Site { provider: who.clone(), region, power_cap, pue, deposit, racks: 0, devices: 0 };
		Sites::<T>::insert(site, record);
		Self::deposit_event(Event::SiteRegistered { site, who });
		Ok(())
	}

	pub(crate) fn do_update_site(
		who: T::AccountId,
		id: SiteId,
		power_cap: MilliWatts,
		pue: Ppm,
	) -> DispatchResult {
		let mut site = Self::own_site(&who, id)?;
		Self::check_power(power_cap, pue)?;
		site.power_cap = power_cap;
		site.pue = pue;
		Sites::<T>::insert(id, site);
		Self::deposit_event(Event::SiteUpdated { site: id, power_cap, pue });
		Ok(())
	}

	pub(crate) fn do_register_rack(who: T::AccountId, id: SiteId) -> DispatchResult {
		let mut site = Self::own_site(&who, id)?;
		ensure!(site.racks < T::MaxRacksPerSite::get(), Error::<T>::TooManyRacks);
		let rack = NextRackId::<T>::get();
		let next = rack.next().ok_or(Error::<T>::IdsExhausted)?;
		more(&mut site.racks)?;

		NextRackId::<T>::put(next);
		Sites::<T>::insert(id, site);
		Racks::<T>::insert(rack, Rack { site: id, devices: 0 });
		Self::deposit_event(Event::RackRegistered { rack, site: id });
		Ok(())
	}

	pub(crate) fn do_remove_rack(who: T::AccountId, id: RackId) -> DispatchResult {
		let rack = Racks::<T>::get(id).ok_or(Error::<T>::UnknownRack)?;
		let mut site = Self::own_site(&who, rack.site)?;
		ensure!(rack.devices == 0, Error::<T>::InUse);
		fewer(&mut site.racks)?;

		Sites::<T>::insert(rack.site, site);
		Racks::<T>::remove(id);
		Self::deposit_event(Event::RackRemoved { rack: id });
		Ok(())
	}

	pub(crate) fn do_remove_site(who: T::AccountId, id: SiteId) -> DispatchResult {
		let site = Self::own_site(&who, id)?;
		ensure!(site.racks == 0 && site.devices == 0, Error::<T>::InUse);
		let mut provider = Providers::<T>::get(&who).ok_or(Error::<T>::NotProvider)?;
		fewer(&mut provider.sites)?;

		Self::release(HoldReason::SiteDeposit, &who, site.deposit)?;
		Providers::<T>::insert(&who, provider);
		ProviderSites::<T>::remove(&who, id);
		Sites::<T>::remove(id);
		Self::deposit_event(Event::SiteRemoved { site: id });
		Ok(())
	}

	pub(crate) fn do_deregister_provider(who: T::AccountId) -> DispatchResult {
		let provider = Providers::<T>::get(&who).ok_or(Error::<T>::NotProvider)?;
		ensure!(provider.sites == 0, Error::<T>::InUse);

		Self::release(HoldReason::ProviderDeposit, &who, provider.deposit)?;
		// Whoever comes back starts above every nonce that it used before.
		NonceFloor::<T>::mutate(|floor| *floor = provider.nonce.max(*floor));
		Providers::<T>::remove(&who);
		Self::deposit_event(Event::ProviderDeregistered { who });
		Ok(())
	}

	pub(crate) fn do_register_device(
		who: T::AccountId,
		new: NewDevice,
		possession: &ed25519::Signature,
	) -> DispatchResult {
		let provider = Providers::<T>::get(&who).ok_or(Error::<T>::NotProvider)?;
		ensure!(!signature::is_small_order(&new.key), Error::<T>::WeakKey);
		Self::check_new_device(&new)?;
		// Last: it costs the most.
		ensure!(
			signature::verify_registration(
				&Self::genesis_hash(),
				&who,
				provider.nonce,
				&new.key,
				possession
			),
			Error::<T>::BadSignature
		);
		Self::insert_device(who, new)?;
		Ok(())
	}

	fn check_new_device(new: &NewDevice) -> DispatchResult {
		ensure!((1..=MAX_LANES).contains(&new.lanes), Error::<T>::InvalidLanes);
		ensure!(new.memory_mib > 0, Error::<T>::InvalidMemory);
		ensure!(is_text(&new.label), Error::<T>::InvalidLabel);
		ensure!(!DeviceByKey::<T>::contains_key(new.key), Error::<T>::KeyInUse);
		Ok(())
	}

	/// Bonds and stores a device whose fields and signature were checked.
	pub(crate) fn insert_device(
		who: T::AccountId,
		new: NewDevice,
	) -> Result<DeviceId, DispatchError> {
		let NewDevice { site: site_id, rack, key, lanes, memory_mib, label } = new;
		let mut provider = Providers::<T>::get(&who).ok_or(Error::<T>::NotProvider)?;
		let mut site = Self::own_site(&who, site_id)?;
		ensure!(site.devices < T::MaxDevicesPerSite::get(), Error::<T>::TooManyDevices);
		if let Some(rack_id) = rack {
			let mut record = Racks::<T>::get(rack_id).ok_or(Error::<T>::UnknownRack)?;
			ensure!(record.site == site_id, Error::<T>::RackElsewhere);
			more(&mut record.devices)?;
			Racks::<T>::insert(rack_id, record);
		}
		let id = NextDeviceId::<T>::get();
		let next = id.next().ok_or(Error::<T>::IdsExhausted)?;
		provider.nonce = provider.nonce.checked_add(1).ok_or(Error::<T>::IdsExhausted)?;
		let bond = Self::required_bond(lanes)?;
		more(&mut site.devices)?;

		T::Currency::hold(&HoldReason::DeviceBond.into(), &who, bond)?;
		NextDeviceId::<T>::put(next);
		Providers::<T>::insert(&who, provider);
		Sites::<T>::insert(site_id, site);
		DeviceByKey::<T>::insert(key, id);
		ProviderDevices::<T>::insert(&who, id, ());
		let device = Device {
			provider: who.clone(),
			site: site_id,
			rack,
			key,
			lanes,
			memory_mib,
			label,
			status: DeviceStatus::Registered,
			tier: None,
			bond,
			locked_until: None,
		};
		Devices::<T>::insert(id, device);
		Self::deposit_event(Event::DeviceRegistered { device: id, who, site: site_id, key });
		Ok(id)
	}

	pub(crate) fn do_drain_device(who: T::AccountId, id: DeviceId) -> DispatchResult {
		let device = Self::operated_device(&who, id)?;
		ensure!(
			is_attested(device.status) && device.status != DeviceStatus::Draining,
			Error::<T>::WrongStatus
		);
		Self::put_status(id, device, DeviceStatus::Draining);
		Ok(())
	}

	pub(crate) fn do_resume_device(who: T::AccountId, id: DeviceId) -> DispatchResult {
		let device = Self::operated_device(&who, id)?;
		ensure!(device.status == DeviceStatus::Draining, Error::<T>::WrongStatus);
		Self::put_status(id, device, DeviceStatus::Attested);
		Ok(())
	}

	pub(crate) fn do_clear_jail(who: T::AccountId, id: DeviceId) -> DispatchResult {
		let mut device = Self::own_device(&who, id)?;
		ensure!(device.status == DeviceStatus::Jailed, Error::<T>::WrongStatus);
		Self::ensure_unlocked(&device, Error::<T>::StillJailed)?;
		let missing = Self::required_bond(device.lanes)?.saturating_sub(device.bond);
		if missing > 0 {
			device.bond = device.bond.checked_add(missing).ok_or(ArithmeticError::Overflow)?;
			T::Currency::hold(&HoldReason::DeviceBond.into(), &who, missing)?;
			Self::deposit_event(Event::BondToppedUp { device: id, amount: missing });
		}
		device.locked_until = None;
		Self::put_status(id, device, DeviceStatus::Registered);
		Ok(())
	}

	pub(crate) fn do_retire_device(who: T::AccountId, id: DeviceId) -> DispatchResult {
		let mut device = Self::own_device(&who, id)?;
		ensure!(device.status != DeviceStatus::Retired, Error::<T>::WrongStatus);
		ensure!(!T::Leases::is_busy(id), Error::<T>::Busy);
		device.locked_until = Some(
			T::Clock::now()
				.checked_add(Parameters::<T>::get().unbonding_period)
				.ok_or(ArithmeticError::Overflow)?,
		);
		Self::put_status(id, device, DeviceStatus::Retired);
		Ok(())
	}

	pub(crate) fn do_withdraw_bond(who: T::AccountId, id: DeviceId) -> DispatchResult {
		let device = Self::own_device(&who, id)?;
		ensure!(device.status == DeviceStatus::Retired, Error::<T>::WrongStatus);
		Self::ensure_unlocked(&device, Error::<T>::StillUnbonding)?;
		let mut site = Sites::<T>::get(device.site).ok_or(Error::<T>::UnknownSite)?;
		fewer(&mut site.devices)?;
		if let Some(rack_id) = device.rack {
			let mut rack = Racks::<T>::get(rack_id).ok_or(Error::<T>::UnknownRack)?;
			fewer(&mut rack.devices)?;
			Racks::<T>::insert(rack_id, rack);
		}

		Self::release(HoldReason::DeviceBond, &who, device.bond)?;
		Sites::<T>::insert(device.site, site);
		DeviceByKey::<T>::remove(device.key);
		ProviderDevices::<T>::remove(&who, id);
		Devices::<T>::remove(id);
		Self::deposit_event(Event::BondWithdrawn { device: id, who, amount: device.bond });
		Ok(())
	}

	pub(crate) fn do_set_parameters(parameters: DeviceParameters) -> DispatchResult {
		ensure!(parameters.validate(), Error::<T>::InvalidParameters);
		Parameters::<T>::put(parameters);
		Self::deposit_event(Event::ParametersSet { parameters });
		Ok(())
	}

	/// Stores the device in its new state. Keeps the tier in exactly the states that rest on one.
	pub(crate) fn put_status(id: DeviceId, mut device: DeviceOf<T>, to: DeviceStatus) {
		let from = core::mem::replace(&mut device.status, to);
		if !is_attested(to) {
			device.tier = None;
		}
		Devices::<T>::insert(id, device);
		if from != to {
			Self::deposit_event(Event::DeviceStatusChanged { device: id, from, to });
		}
	}

	/// The bond that a device with `lanes` lanes needs now.
	pub(crate) fn required_bond(lanes: u16) -> Result<Balance, DispatchError> {
		Ok(Parameters::<T>::get().bond_for(lanes).ok_or(ArithmeticError::Overflow)?)
	}

	/// Up to [`DEVICES_PER_PAGE`] devices of `provider` that follow `after` in storage order.
	pub(crate) fn page_of_devices(
		provider: &T::AccountId,
		after: Option<DeviceId>,
	) -> Vec<DeviceId> {
		match after {
			None => {
				ProviderDevices::<T>::iter_key_prefix(provider).take(DEVICES_PER_PAGE).collect()
			},
			Some(last) => {
				let from = ProviderDevices::<T>::hashed_key_for(provider, last);
				ProviderDevices::<T>::iter_key_prefix_from(provider, from)
					.take(DEVICES_PER_PAGE)
					.collect()
			},
		}
	}

	fn release(reason: HoldReason, who: &T::AccountId, amount: Balance) -> DispatchResult {
		T::Currency::release(&reason.into(), who, amount, Precision::Exact).map(drop)
	}

	fn check_power(power_cap: MilliWatts, pue: Ppm) -> DispatchResult {
		ensure!(power_cap.0 > 0, Error::<T>::InvalidPowerCap);
		ensure!((Ppm::ONE..=MAX_PUE).contains(&pue), Error::<T>::InvalidPue);
		Ok(())
	}

	fn own_site(who: &T::AccountId, id: SiteId) -> Result<SiteOf<T>, Error<T>> {
		let site = Sites::<T>::get(id).ok_or(Error::<T>::UnknownSite)?;
		ensure!(site.provider == *who, Error::<T>::NotOwner);
		Ok(site)
	}

	fn own_device(who: &T::AccountId, id: DeviceId) -> Result<DeviceOf<T>, Error<T>> {
		let device = Devices::<T>::get(id).ok_or(Error::<T>::UnknownDevice)?;
		ensure!(device.provider == *who, Error::<T>::NotOwner);
		Ok(device)
	}

	fn operated_device(who: &T::AccountId, id: DeviceId) -> Result<DeviceOf<T>, Error<T>> {
		let device = Devices::<T>::get(id).ok_or(Error::<T>::UnknownDevice)?;
		ensure!(Self::operates(who, &device), Error::<T>::NotOperator);
		Ok(device)
	}

	/// Whether `who` is the device's provider or the operator that it named.
	pub(crate) fn operates(who: &T::AccountId, device: &DeviceOf<T>) -> bool {
		device.provider == *who
			|| Providers::<T>::get(&device.provider)
				.is_some_and(|provider| provider.operator.as_ref() == Some(who))
	}

	fn ensure_unlocked(device: &DeviceOf<T>, error: Error<T>) -> DispatchResult {
		let now: Moment = T::Clock::now();
		ensure!(device.locked_until.is_some_and(|until| now >= until), error);
		Ok(())
	}

	/// Hash of the chain's first block.
	pub(crate) fn genesis_hash() -> H256 {
		frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
	}
}
