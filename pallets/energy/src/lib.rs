#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod impls;
pub mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use types::{EnergyParameters, Feeder, Ledger, PowerRecord, SubmittedRate, Window};
pub use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::energy";

/// A new rate may be so many times above or below the present median.
const MAX_RATE_JUMP: u128 = 8;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use armature_primitives::{
		energy::{BreakEven, CurrencyCode, Placement, QuoteError, Tariff},
		telemetry::{PowerLoad, PowerReading},
		traits::{DeviceInspect, DeviceLifecycle, EnergyInspect},
		Balance, DeviceId, Moment, Ppm, SiteId,
	};
	use frame_support::{pallet_prelude::*, traits::Time};
	use frame_system::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// Weights of the calls.
		type WeightInfo: WeightInfo;

		/// Devices and sites, and the way to put a device into Standby.
		type Devices: DeviceInspect<Self::AccountId> + DeviceLifecycle;

		/// The chain's time.
		type Clock: Time<Moment = Moment>;

		/// Names feeders and sets parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The protocol's share of every payout, which a provider must earn on top of its costs.
		type ProtocolFee: Get<Ppm>;

		/// Feeders that one currency may have, at least the quorum. It may grow, never shrink.
		#[pallet::constant]
		type MaxFeeders: Get<u32>;

		/// The dearest price of a tariff, in millionths of a currency unit per kWh. A typing error
		/// ends here; the currency with the smallest unit decides how high it must be.
		#[pallet::constant]
		type MaxMicroPerKwh: Get<u32>;

		/// Sets up devices for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>;
	}

	/// What differs between networks. Genesis and `set_parameters` write it.
	#[pallet::storage]
	pub type Parameters<T: Config> = StorageValue<_, EnergyParameters, ValueQuery>;

	/// The tariff of each site that has one. One for each site; the site's own deposit covers it.
	// Ids are handed out by the chain in order, not chosen.
	#[pallet::storage]
	pub type Tariffs<T: Config> = StorageMap<_, Twox64Concat, SiteId, Tariff>;

	/// Who may submit rates of a currency, with their last ones. A currency without feeders has no
	/// entry and is unknown.
	// Currencies are chosen by `AdminOrigin`, yet the hasher costs next to nothing here.
	#[pallet::storage]
	pub type Feeders<T: Config> = StorageMap<
		_,
		Blake2_128Concat,
		CurrencyCode,
		BoundedVec<Feeder<T::AccountId>, T::MaxFeeders>,
		ValueQuery,
	>;

	/// The last plausible power figures of each device with all lanes busy.
	#[pallet::storage]
	pub type Power<T: Config> = StorageMap<_, Twox64Concat, DeviceId, PowerRecord>;

	/// The last plausible power figures of each device while it computed products.
	#[pallet::storage]
	pub type AcceleratorPower<T: Config> = StorageMap<_, Twox64Concat, DeviceId, PowerRecord>;

	/// The account of each device that ever earned or used energy.
	#[pallet::storage]
	pub type Ledgers<T: Config> = StorageMap<_, Twox64Concat, DeviceId, Ledger>;

	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// See [`EnergyParameters`].
		pub parameters: EnergyParameters,
		/// Who may submit rates of which currency.
		pub feeders: Vec<(CurrencyCode, T::AccountId)>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self { parameters: EnergyParameters::default(), feeders: Vec::new() }
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(Pallet::<T>::are_valid(&self.parameters), "energy: invalid parameters");
			Parameters::<T>::put(&self.parameters);
			for (currency, who) in &self.feeders {
				let added = Pallet::<T>::do_add_feeder(*currency, who.clone());
				assert!(added.is_ok(), "energy: feeder refused: {added:?}");
			}
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A site has a new tariff.
		TariffSet {
			/// The site.
			site: SiteId,
		},
		/// A site has no tariff any more: its devices get no new work.
		TariffCleared {
			/// The site.
			site: SiteId,
		},
		/// An account may now submit rates of a currency.
		FeederAdded {
			/// The currency.
			currency: CurrencyCode,
			/// The feeder.
			who: T::AccountId,
		},
		/// An account may no longer submit rates of a currency; its last one no longer counts.
		FeederRemoved {
			/// The currency.
			currency: CurrencyCode,
			/// The feeder.
			who: T::AccountId,
		},
		/// A feeder submitted a rate.
		RateSubmitted {
			/// The currency.
			currency: CurrencyCode,
			/// The feeder.
			who: T::AccountId,
			/// Planck per whole unit of the currency.
			rate: Balance,
		},
		/// A device has new power figures.
		PowerRecorded {
			/// The device.
			device: DeviceId,
			/// What kept it busy.
			load: PowerLoad,
			/// The figures.
			reading: PowerReading,
		},
		/// Power figures were refused: they contradict themselves, or the device does not exist.
		/// What was known before still holds.
		PowerRejected {
			/// The device.
			device: DeviceId,
		},
		/// A device was found to earn less than its electricity, or to be worth another try.
		ProfitabilityChanged {
			/// The device.
			device: DeviceId,
			/// Income over energy cost of the window that was judged; `None` when no energy was
			/// priced in it.
			ratio: Option<Ppm>,
			/// Whether the device may take work again.
			profitable: bool,
		},
		/// What was kept of a device that is gone has been removed.
		DeviceReaped {
			/// The device.
			device: DeviceId,
		},
		/// The parameters have changed.
		ParametersSet {
			/// The new ones.
			parameters: EnergyParameters,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// There is no such site. Register it first.
		UnknownSite,
		/// Only the site's provider may set its tariff. Sign with the account that registered it.
		NotSiteOwner,
		/// A price is above `MaxMicroPerKwh`. Prices are in millionths of a currency unit per kWh.
		PriceTooHigh,
		/// Nobody feeds rates of this currency. Use one that has feeders.
		UnknownCurrency,
		/// The site has no tariff, so there is nothing to clear.
		NoTariff,
		/// A currency code is three upper-case ASCII letters.
		InvalidCurrency,
		/// The account already feeds this currency.
		AlreadyFeeder,
		/// The account does not feed this currency. `AdminOrigin` names feeders.
		NotFeeder,
		/// The currency has as many feeders as it may have. Remove one first.
		TooManyFeeders,
		/// A rate of zero would make electricity free. Submit planck per whole currency unit.
		ZeroRate,
		/// The rate is over eight times above or below the present median. Check its unit; if the
		/// market did move so far, approach it in steps.
		RateJump,
		/// The parameters contradict themselves. See their documentation for the bounds.
		InvalidParameters,
		/// The device never earned nor used energy.
		NoLedger,
		/// The device's window is not over, or nothing follows from it yet. Try again later.
		NothingToReview,
		/// The device still exists, so its records stay.
		DeviceExists,
		/// Nothing is kept of this device.
		NothingToReap,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxFeeders::get() >= u32::from(types::LEAST_FEEDERS));
			assert!(T::MaxMicroPerKwh::get() > 0);
			assert!(EnergyParameters::default().validate());
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Set what a site pays for electricity.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the site's provider.
		///
		/// ## Details
		///
		/// Holds for quotes and bookings from now on; running leases keep their price.
		#[pallet::call_index(0)]
		pub fn set_tariff(origin: OriginFor<T>, site: SiteId, tariff: Tariff) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_tariff(&who, site, tariff)
		}

		/// Remove a site's tariff. Its devices get no new work until it has another.
		///
		/// ## Dispatch Origin
		///
		/// Signed by the site's provider; by anyone when the site no longer exists.
		#[pallet::call_index(1)]
		pub fn clear_tariff(origin: OriginFor<T>, site: SiteId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_clear_tariff(&who, site)
		}

		/// Let an account submit rates of a currency.
		///
		/// ## Dispatch Origin
		///
		/// `AdminOrigin`.
		///
		/// ## Details
		///
		/// The first feeder of a currency makes it known to `set_tariff`.
		#[pallet::call_index(2)]
		pub fn add_feeder(
			origin: OriginFor<T>,
			currency: CurrencyCode,
			who: T::AccountId,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_add_feeder(currency, who)
		}

		/// Take the right to submit rates of a currency away. The account's last rate goes with it.
		///
		/// ## Dispatch Origin
		///
		/// `AdminOrigin`.
		#[pallet::call_index(3)]
		pub fn remove_feeder(
			origin: OriginFor<T>,
			currency: CurrencyCode,
			who: T::AccountId,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_remove_feeder(currency, who)
		}

		/// Submit the price of one whole unit of a currency in planck. It replaces the feeder's last
		/// one.
		///
		/// ## Dispatch Origin
		///
		/// Signed by a feeder of the currency.
		#[pallet::call_index(4)]
		pub fn submit_rate(
			origin: OriginFor<T>,
			currency: CurrencyCode,
			rate: Balance,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_submit_rate(who, currency, rate)
		}

		/// Change the parameters.
		///
		/// ## Dispatch Origin
		///
		/// `AdminOrigin`.
		#[pallet::call_index(5)]
		pub fn set_parameters(
			origin: OriginFor<T>,
			parameters: EnergyParameters,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_parameters(parameters)
		}

		/// Judge a device's accounting window now, without waiting for its next booking.
		///
		/// ## Dispatch Origin
		///
		/// Any signed origin: the outcome depends on the books alone.
		///
		/// ## Details
		///
		/// This is how a provider wakes a device whose time in Standby is over.
		#[pallet::call_index(6)]
		pub fn review(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_review(device)
		}

		/// Remove the power figures and the ledger of a device that no longer exists.
		///
		/// ## Dispatch Origin
		///
		/// Any signed origin.
		#[pallet::call_index(7)]
		pub fn reap_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_reap_device(device)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// What work on `lanes` lanes of a device from `start` on must earn, with the whole sum.
		pub fn quote(
			device: DeviceId,
			lanes: u16,
			duration_millis: u64,
			start: Moment,
		) -> Result<BreakEven, QuoteError> {
			<Self as EnergyInspect>::quote(device, Placement { start, duration_millis, lanes })
		}

		/// The account of a device.
		pub fn ledger(device: DeviceId) -> Option<Ledger> {
			Ledgers::<T>::get(device)
		}

		/// Planck per whole unit of a currency, if enough feeders are fresh.
		pub fn rate(currency: CurrencyCode) -> Option<Balance> {
			Self::fresh_rate(currency, T::Clock::now())
		}
	}
}
