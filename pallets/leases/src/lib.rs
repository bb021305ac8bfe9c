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
pub use types::{DeferredRefund, Lease, LeaseState, Parameters};
pub use weights::WeightInfo;

/// Log target of this pallet.
pub(crate) const LOG_TARGET: &str = "runtime::leases";

/// Width of a timeout bucket in milliseconds: how late `on_idle` is at most when blocks have room.
pub const BUCKET_MILLIS: u64 = 10_000;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use armature_primitives::{
		lease::{Receipt, RunReport},
		traits::{
			AttestationInspect, DeviceInspect, DeviceLifecycle, EnergyLedger, OnLeaseClosed,
			VerifierInspect,
		},
		Balance, DeviceId, LeaseId, MilliWatts, Moment, OrderId, Ppm, SiteId, H256,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{hold, Inspect, Mutate},
			Randomness, Time,
		},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;

	/// An open lease of this runtime.
	pub type LeaseOf<T> = Lease<<T as frame_system::Config>::AccountId>;

	/// A receipt of this runtime.
	pub type ReceiptOf<T> = Receipt<<T as frame_system::Config>::AccountId>;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// The money.
		type Currency: Inspect<Self::AccountId, Balance = Balance>
			+ Mutate<Self::AccountId>
			+ hold::Mutate<Self::AccountId, Reason: From<HoldReason>>;

		/// Devices: who may act for them, and slashing.
		type Devices: DeviceInspect<Self::AccountId> + DeviceLifecycle;

		/// Whether a device is still attested when its lease starts.
		type Attestation: AttestationInspect;

		/// Who re-executes disputed results.
		type Verifiers: VerifierInspect<Self::AccountId>;

		/// Books what providers earn.
		type Energy: EnergyLedger;

		/// Hears of closed leases.
		type Market: OnLeaseClosed;

		/// Seeds the draw of verifiers.
		type Randomness: Randomness<H256, BlockNumberFor<Self>>;

		/// The block's time.
		type Clock: Time<Moment = Moment>;

		/// Receives protocol fees. Should always exist (be endowed at genesis).
		type FeeAccount: Get<Self::AccountId>;

		/// Protocol fee on payouts, frozen into each lease at its opening; at most the whole.
		type ProtocolFee: Get<Ppm>;

		/// May change the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Most leases open at once.
		#[pallet::constant]
		type MaxOpenLeases: Get<u32>;

		/// Receipts that stay in storage. Must not shrink on a live chain.
		#[pallet::constant]
		type MaxReceipts: Get<u32>;

		/// Weights.
		type WeightInfo: WeightInfo;

		/// Sets up devices and verifiers for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>;
	}

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// What a lease may cost at most.
		#[codec(index = 0)]
		LeaseEscrow,
		/// What a tenant loses when its dispute fails.
		#[codec(index = 1)]
		DisputeDeposit,
	}

	/// Windows, deposit and slash.
	#[pallet::storage]
	pub type Params<T: Config> = StorageValue<_, Parameters, ValueQuery>;

	/// The id that the next lease gets.
	#[pallet::storage]
	pub type NextLeaseId<T: Config> = StorageValue<_, LeaseId, ValueQuery>;

	/// Open leases. Paid for by their escrow.
	// Ids are assigned here, so the cheap hasher is safe.
	#[pallet::storage]
	pub type Leases<T: Config> = CountedStorageMap<_, Twox64Concat, LeaseId, LeaseOf<T>>;

	/// The open lease of a device.
	#[pallet::storage]
	pub type DeviceLeases<T: Config> = StorageMap<_, Twox64Concat, DeviceId, LeaseId>;

	/// Power reserved by the open leases of a site.
	#[pallet::storage]
	pub type ReservedPower<T: Config> = StorageMap<_, Twox64Concat, SiteId, MilliWatts, ValueQuery>;

	/// Leases by the bucket (`deadline / BUCKET_MILLIS`) in which their timeout falls.
	#[pallet::storage]
	pub type Deadlines<T: Config> =
		StorageDoubleMap<_, Twox64Concat, u64, Twox64Concat, LeaseId, ()>;

	/// The first bucket that may still hold a lease.
	#[pallet::storage]
	pub type NextBucket<T: Config> = StorageValue<_, u64, ValueQuery>;

	/// The last `MaxReceipts` receipts.
	#[pallet::storage]
	pub type Receipts<T: Config> = StorageMap<_, Twox64Concat, LeaseId, ReceiptOf<T>>;

	/// Which lease's receipt occupies a place of the ring.
	#[pallet::storage]
	pub type ReceiptRing<T: Config> = StorageMap<_, Twox64Concat, u32, LeaseId>;

	/// The ring's next place, below `MaxReceipts`.
	#[pallet::storage]
	pub type NextReceipt<T: Config> = StorageValue<_, u32, ValueQuery>;

	/// Refunds that wait in their owner's account.
	#[pallet::storage]
	pub type Deferred<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, DeferredRefund, OptionQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Windows, deposit and slash.
		pub parameters: Parameters,
		/// Ties the configuration to the runtime.
		#[serde(skip)]
		pub _config: PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.parameters.validate(), "leases: invalid genesis parameters");
			Params::<T>::put(&self.parameters);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A lease was opened.
		LeaseOpened {
			/// The lease.
			lease: LeaseId,
			/// The order that it serves.
			order: OrderId,
			/// The device at work.
			device: DeviceId,
			/// Who pays.
			tenant: T::AccountId,
			/// What is on hold.
			escrow: Balance,
		},
		/// The provider took the lease.
		LeaseAcknowledged {
			/// The lease.
			lease: LeaseId,
		},
		/// The module runs.
		LeaseStarted {
			/// The lease.
			lease: LeaseId,
		},
		/// The provider reported.
		ResultReported {
			/// The lease.
			lease: LeaseId,
			/// What it reported.
			report: RunReport,
		},
		/// The tenant accepted the report.
		ResultAccepted {
			/// The lease.
			lease: LeaseId,
		},
		/// The tenant disputed the report.
		ResultDisputed {
			/// The lease.
			lease: LeaseId,
			/// Who runs the module again.
			verifier: T::AccountId,
		},
		/// The verifier answered.
		DisputeResolved {
			/// The lease.
			lease: LeaseId,
			/// Whether the provider's report was confirmed.
			upheld: bool,
		},
		/// The lease ended; its money is where the receipt says.
		LeaseSettled {
			/// The lease.
			lease: LeaseId,
			/// Its account.
			receipt: ReceiptOf<T>,
		},
		/// A refund stays on hold in its owner's account because its free balance cannot take it.
		RefundDeferred {
			/// The owner.
			who: T::AccountId,
			/// How much.
			amount: Balance,
		},
		/// Deferred refunds were released.
		RefundReleased {
			/// The owner.
			who: T::AccountId,
			/// How much.
			amount: Balance,
		},
		/// The parameters changed.
		ParametersSet {
			/// The new ones.
			parameters: Parameters,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// No open lease has this id: it never existed or is settled.
		LeaseNotFound,
		/// Only the lease's provider or the device's operator may do this.
		NotProvider,
		/// Only the lease's tenant may do this.
		NotTenant,
		/// Only the verifier that was drawn for this dispute may do this.
		NotVerifier,
		/// The lease is in another state than this call needs.
		WrongState,
		/// The device's attestation has ended or is below the order's tier: attest it again.
		NotAttested,
		/// The window for this call is over; the lease awaits its settlement.
		TooLate,
		/// The lease's window is still open; wait until it is over.
		NotExpired,
		/// A report may not claim more fuel than the order allows.
		FuelAboveLimit,
		/// No verifier is free of ties to this lease; try again later within the window.
		NoVerifier,
		/// The device has an open lease.
		DeviceBusy,
		/// As many leases are open as the chain allows; wait for some to settle.
		TooManyLeases,
		/// All lease ids are used.
		NoMoreIds,
		/// A time or sum does not fit its type; choose smaller figures.
		Overflow,
		/// Nothing is deferred for this account.
		NothingDeferred,
		/// A window, the deposit or the slash is out of range.
		InvalidParameters,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::sweep(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::MaxOpenLeases::get() > 0, "leases: MaxOpenLeases is zero");
			assert!(T::MaxReceipts::get() > 0, "leases: MaxReceipts is zero");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Take an offered lease.
		///
		/// ## Dispatch Origin
		/// Signed by the lease's provider or the device's operator.
		///
		/// ## Errors
		/// `TooLate` after `ack_by`.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::acknowledge())]
		pub fn acknowledge(origin: OriginFor<T>, lease: LeaseId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_acknowledge(&who, lease)
		}

		/// Decline a lease before its result: blobs missing, or the device cannot run it. The
		/// tenant is refunded in full.
		///
		/// ## Dispatch Origin
		/// Signed by the lease's provider or the device's operator.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::decline())]
		pub fn decline(origin: OriginFor<T>, lease: LeaseId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_decline(&who, lease)
		}

		/// Say that the module runs now. The wall-clock limit counts from here.
		///
		/// ## Dispatch Origin
		/// Signed by the lease's provider or the device's operator.
		///
		/// ## Errors
		/// `TooLate` after `start_by`; `NotAttested` when the device's attestation does not hold at
		/// the order's tier any more.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::start())]
		pub fn start(origin: OriginFor<T>, lease: LeaseId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_start(&who, lease)
		}

		/// Report how the run ended.
		///
		/// ## Dispatch Origin
		/// Signed by the lease's provider or the device's operator.
		///
		/// ## Errors
		/// `FuelAboveLimit` when the report claims more fuel than the order allows; `TooLate` after
		/// `finish_by`.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::report_result())]
		pub fn report_result(
			origin: OriginFor<T>,
			lease: LeaseId,
			report: RunReport,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_report_result(&who, lease, report)
		}

		/// Accept the report: the lease is settled at once.
		///
		/// ## Dispatch Origin
		/// Signed by the tenant.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::accept_result())]
		pub fn accept_result(origin: OriginFor<T>, lease: LeaseId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_accept_result(&who, lease)
		}

		/// Dispute the report: a drawn verifier runs the module again. Holds the dispute deposit,
		/// which is lost to the verifier when the report is confirmed.
		///
		/// ## Dispatch Origin
		/// Signed by the tenant.
		///
		/// ## Errors
		/// `NoVerifier` when none without ties exists; `TooLate` after `accept_by`.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::dispute_result())]
		pub fn dispute_result(origin: OriginFor<T>, lease: LeaseId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_dispute_result(&who, lease)
		}

		/// Report what the module did at the verifier's machine; decides the dispute.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier that was drawn.
		///
		/// ## Errors
		/// `FuelAboveLimit` when the report claims more fuel than the order allows; `TooLate` after
		/// `resolve_by`.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::resolve_dispute())]
		pub fn resolve_dispute(
			origin: OriginFor<T>,
			lease: LeaseId,
			report: RunReport,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_resolve_dispute(&who, lease, report)
		}

		/// Cancel a lease that does not run yet. The tenant is refunded in full.
		///
		/// ## Dispatch Origin
		/// Signed by the tenant.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::cancel_lease())]
		pub fn cancel_lease(origin: OriginFor<T>, lease: LeaseId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_cancel_lease(&who, lease)
		}

		/// Settle a lease whose window is over.
		///
		/// ## Dispatch Origin
		/// Signed by anyone.
		///
		/// ## Errors
		/// `NotExpired` until the window is over.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::settle_expired())]
		pub fn settle_expired(origin: OriginFor<T>, lease: LeaseId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_settle_expired(lease)
		}

		/// Release what was deferred for `who`. Fails while the free balance of `who` plus the
		/// larger of its deferred refunds is below the existential deposit.
		///
		/// ## Dispatch Origin
		/// Signed by anyone.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::release_deferred())]
		pub fn release_deferred(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_release_deferred(&who)
		}

		/// Change the parameters. Windows that are open keep their ends.
		///
		/// ## Dispatch Origin
		/// `AdminOrigin`.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::set_parameters())]
		pub fn set_parameters(origin: OriginFor<T>, parameters: Parameters) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			ensure!(parameters.validate(), Error::<T>::InvalidParameters);
			Params::<T>::put(&parameters);
			Self::deposit_event(Event::ParametersSet { parameters });
			Ok(())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// An open lease.
		pub fn lease(id: LeaseId) -> Option<LeaseOf<T>> {
			Leases::<T>::get(id)
		}

		/// The open leases of a device: none or one.
		pub fn leases_of_device(device: DeviceId) -> Vec<LeaseId> {
			DeviceLeases::<T>::get(device).into_iter().collect()
		}

		/// The receipt of a settled lease, while it is among the last `MaxReceipts`.
		pub fn receipt(id: LeaseId) -> Option<ReceiptOf<T>> {
			Receipts::<T>::get(id)
		}
	}
}
