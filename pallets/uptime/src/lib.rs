#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use types::{Orchestrator, Outage, ProvedEpoch, UptimeParameters, UptimeRecord};
pub use weights::WeightInfo;

/// Log target of this pallet.
pub(crate) const LOG_TARGET: &str = "runtime::uptime";

// The pallet macro generates public items without docs.
#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use armature_primitives::{
		ed25519,
		service::ServiceAddress,
		telemetry::Leaf,
		traits::{AvailabilityInspect, DeviceInspect, DeviceLifecycle, EnergyLedger},
		Balance, DeviceId, EpochIndex, Moment, Ppm, RegionId, H256,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{fungible, Time},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;

	/// The accounts of a region's orchestrators, in order of registration.
	pub type RegionMembers<T> = BoundedVec<
		<T as frame_system::Config>::AccountId,
		<T as Config>::MaxOrchestratorsPerRegion,
	>;

	#[pallet::config]
	pub trait Config: frame_system::Config<Hash = H256> {
		/// Holds the bonds.
		type Currency: fungible::hold::Mutate<Self::AccountId, Reason: From<HoldReason>, Balance = Balance>
			+ fungible::Mutate<Self::AccountId, Balance = Balance>;

		/// The time of the block.
		type Clock: Time<Moment = Moment>;

		/// May change the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Knows the devices, their keys and who may act for them.
		type Devices: DeviceInspect<Self::AccountId>;

		/// Hears that a device is alive, suspect or offline.
		type Lifecycle: DeviceLifecycle;

		/// Hears of the energy that leaves tell of.
		type Energy: EnergyLedger;

		/// The most orchestrators that a region has room for. May not shrink on a live chain.
		#[pallet::constant]
		type MaxOrchestratorsPerRegion: Get<u32>;

		/// The most outages that are kept. May not shrink on a live chain.
		#[pallet::constant]
		type MaxOutages: Get<u32>;

		/// The most records that the sweep looks at in one block.
		#[pallet::constant]
		type MaxSweptPerBlock: Get<u32>;

		/// Weights.
		type WeightInfo: WeightInfo;

		/// Sets up devices and the clock for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>
			+ armature_primitives::traits::BenchmarkClock;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The bond of a registered orchestrator; released when it deregisters.
		#[codec(index = 0)]
		OrchestratorBond,
	}

	/// Lengths and prices that differ between networks.
	#[pallet::storage]
	pub type Parameters<T: Config> = StorageValue<_, UptimeParameters, ValueQuery>;

	/// What is known of each device that ever sent a leaf. Paid for by the device's bond; removed by
	/// the sweep once the device is gone.
	// Ids are counted up by the devices pallet; users cannot choose them.
	#[pallet::storage]
	pub type Records<T: Config> = StorageMap<_, Twox64Concat, DeviceId, UptimeRecord>;

	/// Registered orchestrators. Paid for by their bonds.
	#[pallet::storage]
	pub type Orchestrators<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Orchestrator>;

	/// The orchestrators of each region that has any.
	// Users choose the region.
	#[pallet::storage]
	pub type RegionOrchestrators<T: Config> =
		StorageMap<_, Blake2_128Concat, RegionId, RegionMembers<T>, ValueQuery>;

	/// The latest outages of the chain, oldest first, disjoint.
	#[pallet::storage]
	pub type Outages<T: Config> = StorageValue<_, BoundedVec<Outage, T::MaxOutages>, ValueQuery>;

	/// The time of the last finished block.
	#[pallet::storage]
	pub type LastBlockAt<T: Config> = StorageValue<_, Moment>;

	/// The record that the sweep looked at last; `None` when it starts over.
	#[pallet::storage]
	pub type SweepCursor<T: Config> = StorageValue<_, DeviceId>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The first parameters.
		pub parameters: UptimeParameters,
		/// Nothing.
		#[serde(skip)]
		pub _config: PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			let valid = self.parameters.validate();
			assert!(valid.is_ok(), "uptime parameters: {}", valid.err().unwrap_or_default());
			Parameters::<T>::put(&self.parameters);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An orchestrator registered and was bonded.
		OrchestratorRegistered {
			/// Its account.
			who: T::AccountId,
			/// The region that it serves.
			region: RegionId,
			/// Where it is reached.
			address: ServiceAddress,
		},
		/// An orchestrator moved to another address.
		OrchestratorUpdated {
			/// Its account.
			who: T::AccountId,
			/// The region that it serves.
			region: RegionId,
			/// Where it is reached from now on.
			address: ServiceAddress,
		},
		/// An orchestrator left and has its bond back.
		OrchestratorDeregistered {
			/// Its account.
			who: T::AccountId,
			/// The region that it served.
			region: RegionId,
		},
		/// A device proved an epoch.
		LeafAccepted {
			/// The device.
			device: DeviceId,
			/// The epoch.
			epoch: EpochIndex,
			/// Slots that it was up in, of 60.
			up_slots: u32,
			/// Its score now; `None` while all that it spoke of fell into outages.
			availability: Option<Ppm>,
		},
		/// The chain made no block for long; devices are not held responsible for that time.
		OutageRecorded {
			/// The last block before.
			from: Moment,
			/// The first block after.
			to: Moment,
		},
		/// The parameters were changed.
		ParametersSet {
			/// The new ones.
			parameters: UptimeParameters,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// No device has this id. Check the id in the leaf.
		DeviceNotFound,
		/// The device is leaving the network; its leaves are no longer taken.
		DeviceRetired,
		/// The signer is neither the device's provider nor the operator that the provider named.
		NotOperator,
		/// The bitmap has bits beyond the 60 slots of an epoch.
		BadSlotBitmap,
		/// A share in the summary is above one million parts per million.
		BadSummary,
		/// The epoch is not over yet. Wait for its end; check the device's clock.
		LeafFromTheFuture,
		/// The epoch ended too long ago. Send leaves within the epoch that follows.
		LeafTooLate,
		/// A leaf of this or a later epoch was already accepted.
		LeafReplayed,
		/// The signature is not the device key's over this leaf, device and chain.
		BadSignature,
		/// A parameter is out of its range; the log says which.
		InvalidParameters,
		/// The account already is an orchestrator. Deregister first to change the region.
		AlreadyOrchestrator,
		/// The account is not an orchestrator.
		NotOrchestrator,
		/// The region has no room for another orchestrator.
		RegionFull,
		/// The address is empty.
		EmptyAddress,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxOrchestratorsPerRegion::get() > 0, "regions need orchestrators");
			assert!(T::MaxOutages::get() > 0, "an outage must have a place");
			assert!(T::MaxSweptPerBlock::get() > 0, "the sweep must advance");
		}

		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			// For on_finalize, which has the block's timestamp.
			T::WeightInfo::record_block_time()
		}

		fn on_finalize(_: BlockNumberFor<T>) {
			Self::record_block_time();
		}

		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::sweep(&mut meter);
			meter.consumed()
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Register the signer as an orchestrator of `region`, reached at `address`.
		///
		/// ## Dispatch Origin
		///
		/// Signed, by an account with `orchestrator_bond` to spare.
		///
		/// ## Details
		///
		/// The bond is held until the orchestrator deregisters. Later changes of the parameter do
		/// not touch it.
		///
		/// ## Errors
		///
		/// `EmptyAddress`, `AlreadyOrchestrator`, `RegionFull`, or the currency's when funds lack.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register_orchestrator())]
		pub fn register_orchestrator(
			origin: OriginFor<T>,
			region: RegionId,
			address: ServiceAddress,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_register_orchestrator(who, region, address)
		}

		/// Change the signer's address.
		///
		/// ## Dispatch Origin
		///
		/// Signed, by an orchestrator.
		///
		/// ## Errors
		///
		/// `EmptyAddress`, `NotOrchestrator`.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::update_orchestrator())]
		pub fn update_orchestrator(
			origin: OriginFor<T>,
			address: ServiceAddress,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_update_orchestrator(who, address)
		}

		/// Leave the set of orchestrators. The bond is free at once.
		///
		/// ## Dispatch Origin
		///
		/// Signed, by an orchestrator.
		///
		/// ## Errors
		///
		/// `NotOrchestrator`.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::deregister_orchestrator())]
		pub fn deregister_orchestrator(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_deregister_orchestrator(who)
		}

		/// Prove an epoch of a device.
		///
		/// ## Dispatch Origin
		///
		/// Signed, by the device's provider or its operator.
		///
		/// ## Details
		///
		/// `signature` is the device key's over the leaf (domain `Leaf`). A leaf is taken from the end
		/// of its epoch, less `skew_millis`, until it is more than `catch_up_epochs` full epochs
		/// late; outages of the chain do not count. An empty bitmap is allowed: the device was down.
		///
		/// ## Errors
		///
		/// `BadSlotBitmap`, `BadSummary`, `DeviceNotFound`, `DeviceRetired`, `NotOperator`,
		/// `LeafFromTheFuture`, `LeafReplayed`, `LeafTooLate`, `BadSignature`.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::submit_leaf())]
		pub fn submit_leaf(
			origin: OriginFor<T>,
			leaf: Leaf,
			signature: ed25519::Signature,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_submit_leaf(who, leaf, signature)
		}

		/// Replace the parameters.
		///
		/// ## Dispatch Origin
		///
		/// `AdminOrigin`.
		///
		/// ## Errors
		///
		/// `InvalidParameters`.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::set_parameters())]
		pub fn set_parameters(
			origin: OriginFor<T>,
			parameters: UptimeParameters,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_parameters(parameters)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The availability score of `device`, decayed to the time of the block; `None` for a device
		/// that never proved an epoch.
		pub fn availability_of(device: DeviceId) -> Option<Ppm> {
			<Self as AvailabilityInspect>::availability(device, T::Clock::now())
		}

		/// The orchestrators of `region`, in order of registration, and where they are reached.
		pub fn orchestrators_of(
			region: RegionId,
		) -> BoundedVec<(T::AccountId, ServiceAddress), T::MaxOrchestratorsPerRegion> {
			let members = RegionOrchestrators::<T>::get(region).into_iter();
			BoundedVec::truncate_from(
				members
					.filter_map(|who| {
						Orchestrators::<T>::get(&who).map(|found| (who, found.address))
					})
					.collect(),
			)
		}
	}
}
