#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
mod lifecycle;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use armature_primitives::DeviceId;

const LOG_TARGET: &str = "runtime::devices";

/// Devices that one page of `devices_of` holds at most.
pub const DEVICES_PER_PAGE: usize = 256;

/// [`Provider`] of a runtime.
pub type ProviderOf<T> = Provider<<T as frame_system::Config>::AccountId>;
/// [`Site`] of a runtime.
pub type SiteOf<T> = Site<<T as frame_system::Config>::AccountId>;
/// [`Device`] of a runtime.
pub type DeviceOf<T> = Device<<T as frame_system::Config>::AccountId>;
/// What a slash takes.
pub type CreditOf<T> = frame_support::traits::fungible::Credit<
	<T as frame_system::Config>::AccountId,
	<T as Config>::Currency,
>;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use armature_primitives::{
		device::{DeviceLabel, DeviceStatus},
		ed25519,
		traits::DeviceBusy,
		Balance, MilliWatts, Moment, Ppm, RackId, RegionId, SiteId, H256,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{
				hold::{Balanced as BalancedHold, Mutate as MutateHold},
				Mutate,
			},
			OnUnbalanced, Time,
		},
	};
	use frame_system::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// What the runtime provides.
	#[pallet::config]
	pub trait Config: frame_system::Config<Hash = H256> {
		/// Holds deposits and bonds.
		type Currency: Mutate<Self::AccountId, Balance = Balance>
			+ MutateHold<Self::AccountId, Reason: From<HoldReason>>
			+ BalancedHold<Self::AccountId>;

		/// Takes what slashes take.
		type OnSlash: OnUnbalanced<CreditOf<Self>>;

		/// The chain's time.
		type Clock: Time<Moment = Moment>;

		/// Says which devices have an open lease.
		type Leases: DeviceBusy;

		/// Who may change the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The most sites of one provider.
		#[pallet::constant]
		type MaxSitesPerProvider: Get<u32>;

		/// The most racks of one site.
		#[pallet::constant]
		type MaxRacksPerSite: Get<u32>;

		/// The most devices of one site.
		#[pallet::constant]
		type MaxDevicesPerSite: Get<u32>;

		/// Measured weights.
		type WeightInfo: WeightInfo;
	}

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit of a provider.
		#[codec(index = 0)]
		ProviderDeposit,
		/// Deposit of a site.
		#[codec(index = 1)]
		SiteDeposit,
		/// Bond of a device.
		#[codec(index = 2)]
		DeviceBond,
	}

	/// Amounts and lengths in force.
	#[pallet::storage]
	pub type Parameters<T> = StorageValue<_, DeviceParameters, ValueQuery>;

	/// Every provider. Paid for by its deposit.
	// Accounts are chosen by users, hence the cryptographic hash.
	#[pallet::storage]
	pub type Providers<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, ProviderOf<T>, OptionQuery>;

	/// The first registration nonce of a new provider: above all nonces of providers that left.
	#[pallet::storage]
	pub type NonceFloor<T> = StorageValue<_, u32, ValueQuery>;

	/// The id of the next site.
	#[pallet::storage]
	pub type NextSiteId<T> = StorageValue<_, SiteId, ValueQuery>;

	/// Every site. Paid for by its deposit.
	// The chain gives the ids.
	#[pallet::storage]
	pub type Sites<T: Config> = StorageMap<_, Twox64Concat, SiteId, SiteOf<T>, OptionQuery>;

	/// Sites by provider.
	#[pallet::storage]
	pub type ProviderSites<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, SiteId, (), OptionQuery>;

	/// The id of the next rack.
	#[pallet::storage]
	pub type NextRackId<T> = StorageValue<_, RackId, ValueQuery>;

	/// Every rack. Covered by the deposit of its site, which bounds their number.
	// The chain gives the ids.
	#[pallet::storage]
	pub type Racks<T> = StorageMap<_, Twox64Concat, RackId, Rack, OptionQuery>;

	/// The id of the next device.
	#[pallet::storage]
	pub type NextDeviceId<T> = StorageValue<_, DeviceId, ValueQuery>;

	/// Every device. Paid for by its bond.
	// The chain gives the ids.
	#[pallet::storage]
	pub type Devices<T: Config> = StorageMap<_, Twox64Concat, DeviceId, DeviceOf<T>, OptionQuery>;

	/// The device that a key belongs to.
	// Keys are chosen by users, hence the cryptographic hash.
	#[pallet::storage]
	pub type DeviceByKey<T> =
		StorageMap<_, Blake2_128Concat, ed25519::Public, DeviceId, OptionQuery>;

	/// Devices by provider.
	#[pallet::storage]
	pub type ProviderDevices<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Twox64Concat,
		DeviceId,
		(),
		OptionQuery,
	>;

	/// The parameters that the chain starts with; the production values unless given.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// See [`DeviceParameters`].
		pub parameters: DeviceParameters,
		#[serde(skip)]
		#[doc(hidden)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.parameters.validate(), "device parameters of genesis are invalid");
			Parameters::<T>::put(self.parameters);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A provider joined.
		ProviderRegistered {
			/// Its account.
			who: T::AccountId,
		},
		/// A provider named its operator, or none.
		OperatorSet {
			/// The provider.
			who: T::AccountId,
			/// The operator now.
			operator: Option<T::AccountId>,
		},
		/// A site joined.
		SiteRegistered {
			/// Its id.
			site: SiteId,
			/// Its provider.
			who: T::AccountId,
		},
		/// A site's circuit or efficiency changed.
		SiteUpdated {
			/// The site.
			site: SiteId,
			/// Its power cap now.
			power_cap: MilliWatts,
			/// Its power usage effectiveness now.
			pue: Ppm,
		},
		/// A rack joined.
		RackRegistered {
			/// Its id.
			rack: RackId,
			/// Its site.
			site: SiteId,
		},
		/// A rack is gone.
		RackRemoved {
			/// Its id.
			rack: RackId,
		},
		/// A site is gone and its deposit back.
		SiteRemoved {
			/// Its id.
			site: SiteId,
		},
		/// A provider left and has its deposit back.
		ProviderDeregistered {
			/// Its account.
			who: T::AccountId,
		},
		/// A device joined and is bonded.
		DeviceRegistered {
			/// Its id.
			device: DeviceId,
			/// Its provider.
			who: T::AccountId,
			/// Its site.
			site: SiteId,
			/// Its key.
			key: ed25519::Public,
		},
		/// A device's state changed.
		DeviceStatusChanged {
			/// The device.
			device: DeviceId,
			/// The state before.
			from: DeviceStatus,
			/// The state now.
			to: DeviceStatus,
		},
		/// Part of a device's bond was taken.
		DeviceSlashed {
			/// The device.
			device: DeviceId,
			/// What was taken.
			amount: Balance,
		},
		/// A device's bond was brought up to what is required.
		BondToppedUp {
			/// The device.
			device: DeviceId,
			/// What was added.
			amount: Balance,
		},
		/// A retired device is gone and what was left of its bond is back.
		BondWithdrawn {
			/// The device.
			device: DeviceId,
			/// Its provider.
			who: T::AccountId,
			/// What came back.
			amount: Balance,
		},
		/// The parameters changed.
		ParametersSet {
			/// The values now.
			parameters: DeviceParameters,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The account is not a provider: call `register_provider` first.
		NotProvider,
		/// The account is a provider already.
		AlreadyProvider,
		/// There is no site of this id.
		UnknownSite,
		/// There is no rack of this id.
		UnknownRack,
		/// There is no device of this id, or its bond was withdrawn.
		UnknownDevice,
		/// The site, rack or device belongs to another provider.
		NotOwner,
		/// Only the device's provider and its operator may do this.
		NotOperator,
		/// The provider has as many sites as it may have.
		TooManySites,
		/// The site has as many racks as it may have.
		TooManyRacks,
		/// The site has as many devices as it may have.
		TooManyDevices,
		/// All ids or nonces are used up.
		IdsExhausted,
		/// The rack is at another site than the device.
		RackElsewhere,
		/// Something is still in it: remove racks, withdraw bonds, or remove sites first.
		InUse,
		/// The power cap must be above zero.
		InvalidPowerCap,
		/// The power usage effectiveness must lie between 1 and 5 (in parts per million).
		InvalidPue,
		/// A device offers between 1 and 1024 lanes.
		InvalidLanes,
		/// A device offers memory.
		InvalidMemory,
		/// The label must be UTF-8 text without control characters.
		InvalidLabel,
		/// The key belongs to a device already, perhaps one whose bond is not withdrawn yet.
		KeyInUse,
		/// Anybody can sign for this key: generate a fresh one.
		WeakKey,
		/// The signature is not the key's over this chain, provider and its next nonce.
		BadSignature,
		/// The device's state does not allow this.
		WrongStatus,
		/// The jail period is not over.
		StillJailed,
		/// The unbonding period is not over.
		StillUnbonding,
		/// The device has an open lease: drain it and wait.
		Busy,
		/// The parameters are out of range.
		InvalidParameters,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxSitesPerProvider::get() > 0, "a provider needs room for a site");
			assert!(T::MaxDevicesPerSite::get() > 0, "a site needs room for a device");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Makes the caller a provider and holds the provider deposit.
		///
		/// `operator` may drain, resume and attest the provider's devices and report for them.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register_provider())]
		pub fn register_provider(
			origin: OriginFor<T>,
			operator: Option<T::AccountId>,
		) -> DispatchResult {
			Self::do_register_provider(ensure_signed(origin)?, operator)
		}

		/// Names the operator of the caller's devices, or none.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::set_operator())]
		pub fn set_operator(
			origin: OriginFor<T>,
			operator: Option<T::AccountId>,
		) -> DispatchResult {
			Self::do_set_operator(ensure_signed(origin)?, operator)
		}

		/// Adds a site of the caller and holds the site deposit.
		///
		/// `power_cap` is what the circuit may carry, above zero. `pue` is wall power over IT
		/// power, from 1,000,000 to 5,000,000 ppm.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::register_site())]
		pub fn register_site(
			origin: OriginFor<T>,
			region: RegionId,
			power_cap: MilliWatts,
			pue: Ppm,
		) -> DispatchResult {
			Self::do_register_site(ensure_signed(origin)?, region, power_cap, pue)
		}

		/// Changes what a site of the caller says of its circuit. Work that runs there goes on;
		/// new work counts against the new cap.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::update_site())]
		pub fn update_site(
			origin: OriginFor<T>,
			site: SiteId,
			power_cap: MilliWatts,
			pue: Ppm,
		) -> DispatchResult {
			Self::do_update_site(ensure_signed(origin)?, site, power_cap, pue)
		}

		/// Adds a rack to a site of the caller.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::register_rack())]
		pub fn register_rack(origin: OriginFor<T>, site: SiteId) -> DispatchResult {
			Self::do_register_rack(ensure_signed(origin)?, site)
		}

		/// Removes an empty rack of the caller.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::remove_rack())]
		pub fn remove_rack(origin: OriginFor<T>, rack: RackId) -> DispatchResult {
			Self::do_remove_rack(ensure_signed(origin)?, rack)
		}

		/// Removes an empty site of the caller and gives its deposit back.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::remove_site())]
		pub fn remove_site(origin: OriginFor<T>, site: SiteId) -> DispatchResult {
			Self::do_remove_site(ensure_signed(origin)?, site)
		}

		/// Ends the caller's being a provider and gives its deposit back. It must have no sites.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::deregister_provider())]
		pub fn deregister_provider(origin: OriginFor<T>) -> DispatchResult {
			Self::do_deregister_provider(ensure_signed(origin)?)
		}

		/// Adds a device of the caller and holds its bond.
		///
		/// `signature` is the device key's over the registration payload with the provider's next
		/// nonce; the nonce rises with success.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::register_device())]
		pub fn register_device(
			origin: OriginFor<T>,
			site: SiteId,
			rack: Option<RackId>,
			key: ed25519::Public,
			lanes: u16,
			memory_mib: u32,
			label: DeviceLabel,
			signature: ed25519::Signature,
		) -> DispatchResult {
			let new = impls::NewDevice { site, rack, key, lanes, memory_mib, label };
			Self::do_register_device(ensure_signed(origin)?, new, &signature)
		}

		/// Asks for no new work on a device. Open leases go on. For the provider or its operator.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::drain_device())]
		pub fn drain_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_drain_device(ensure_signed(origin)?, device)
		}

		/// Takes back a drain; the next proof of life activates the device. For the provider or
		/// its operator.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::resume_device())]
		pub fn resume_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_resume_device(ensure_signed(origin)?, device)
		}

		/// Frees a jailed device after the jail period and brings its bond up to what is required
		/// now. It has to be attested anew.
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::clear_jail())]
		pub fn clear_jail(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_clear_jail(ensure_signed(origin)?, device)
		}

		/// Ends a device's life, if it has no open lease. Its bond unbonds from now on.
		#[pallet::call_index(12)]
		#[pallet::weight(T::WeightInfo::retire_device())]
		pub fn retire_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_retire_device(ensure_signed(origin)?, device)
		}

		/// Gives back what is left of a retired device's bond after the unbonding period and
		/// forgets the device.
		#[pallet::call_index(13)]
		#[pallet::weight(T::WeightInfo::withdraw_bond())]
		pub fn withdraw_bond(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_withdraw_bond(ensure_signed(origin)?, device)
		}

		/// Changes the parameters. Existing deposits and running periods stay as they are.
		#[pallet::call_index(14)]
		#[pallet::weight(T::WeightInfo::set_parameters())]
		pub fn set_parameters(
			origin: OriginFor<T>,
			parameters: DeviceParameters,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_parameters(parameters)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// Up to 256 devices of a provider in no particular order, those after `after`. Fewer
		/// than 256 means that there are no more.
		pub fn devices_of(provider: T::AccountId, after: Option<DeviceId>) -> Vec<DeviceId> {
			Self::page_of_devices(&provider, after)
		}

		/// The sites of a provider; at most `MaxSitesPerProvider`.
		pub fn sites_of(provider: T::AccountId) -> Vec<SiteId> {
			ProviderSites::<T>::iter_key_prefix(provider).collect()
		}

		/// A device with what one needs to know besides.
		pub fn device_detail(id: DeviceId) -> Option<DeviceDetail<T::AccountId>> {
			let device = Devices::<T>::get(id)?;
			let region = Sites::<T>::get(device.site)?.region;
			let required_bond = Parameters::<T>::get().bond_for(device.lanes);
			Some(DeviceDetail { id, region, required_bond, device })
		}

		/// The bond that a new device with this many lanes needs; `None` for a number of lanes
		/// that no device may offer.
		pub fn bond_for(lanes: u16) -> Option<Balance> {
			(1..=armature_primitives::challenge::MAX_LANES)
				.contains(&lanes)
				.then(|| Parameters::<T>::get().bond_for(lanes))
				.flatten()
		}

		/// The nonce that the next device key of a provider must sign; for an account that is not
		/// a provider, the one that it would start with now.
		pub fn registration_nonce(provider: T::AccountId) -> u32 {
			Providers::<T>::get(provider)
				.map_or_else(NonceFloor::<T>::get, |provider| provider.nonce)
		}
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl<T: Config> Pallet<T> {
	/// For benchmarks of other pallets: an Active device of `provider` with `key`, 8 lanes and
	/// 16 GiB, at a site with a power cap of 1 MW. Makes the provider and the site where they are
	/// missing, funds and bonds them as the calls would, and skips only the key's signature.
	pub fn benchmark_active_device(
		provider: &T::AccountId,
		key: armature_primitives::ed25519::Public,
	) -> Result<DeviceId, sp_runtime::DispatchError> {
		use armature_primitives::{device, units::ARMA, MilliWatts, Ppm, RegionId};
		use frame_support::traits::fungible::Mutate;

		T::Currency::mint_into(provider, 1_000_000 * ARMA)?;
		if !Providers::<T>::contains_key(provider) {
			Self::do_register_provider(provider.clone(), None)?;
		}
		let site = match ProviderSites::<T>::iter_key_prefix(provider).next() {
			Some(site) => site,
			None => {
				let site = NextSiteId::<T>::get();
				Self::do_register_site(
					provider.clone(),
					RegionId(0),
					MilliWatts(1_000_000_000),
					Ppm::ONE,
				)?;
				site
			},
		};
		let new = impls::NewDevice {
			site,
			rack: None,
			key,
			lanes: 8,
			memory_mib: 16 * 1024,
			label: Default::default(),
		};
		let id = Self::insert_device(provider.clone(), new)?;
		Devices::<T>::mutate(id, |device| {
			if let Some(device) = device {
				device.status = device::DeviceStatus::Active;
				device.tier = Some(device::Tier::T0);
			}
		});
		Ok(id)
	}
}
