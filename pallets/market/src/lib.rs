#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
// A refusal carries its whole sum on purpose, and lives on the stack for one check. An order's
// status is only built to be encoded.
#![allow(clippy::result_large_err, clippy::large_enum_variant)]

extern crate alloc;

mod batch;
mod checks;
mod impls;
pub mod matcher;
pub mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use checks::LANES_PER_LEASE;
pub use matcher::{Greedy, MatchAlgorithm};
pub use pallet::*;
pub use types::{Agreement, ExplainError, MatchedOrder, OpenOrder, OrderStatus, Parameters};
pub use weights::WeightInfo;

/// Log target of this pallet.
pub(crate) const LOG_TARGET: &str = "runtime::market";

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use armature_primitives::{
		energy::BreakEven,
		market::{AskTerms, OrderSpec, Refusal},
		traits::{
			AttestationInspect, AvailabilityInspect, DeviceInspect, EnergyInspect, LeaseOpener,
			PerformanceInspect,
		},
		Balance, DeviceId, LeaseId, Moment, OrderId,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{hold, Inspect, Mutate},
			Time,
		},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;

	/// An open order of this runtime.
	pub type OpenOrderOf<T> = OpenOrder<<T as frame_system::Config>::AccountId>;

	/// A matched order of this runtime.
	pub type MatchedOrderOf<T> = MatchedOrder<<T as frame_system::Config>::AccountId>;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// The money.
		type Currency: Inspect<Self::AccountId, Balance = Balance>
			+ Mutate<Self::AccountId>
			+ hold::Mutate<Self::AccountId, Reason: From<HoldReason>>;

		/// Devices and sites.
		type Devices: DeviceInspect<Self::AccountId>;

		/// Tiers.
		type Attestation: AttestationInspect;

		/// Availability scores.
		type Availability: AvailabilityInspect;

		/// Speed scores.
		type Performance: PerformanceInspect;

		/// Break-even and power.
		type Energy: EnergyInspect;

		/// Opens leases.
		type Leases: LeaseOpener<Self::AccountId>;

		/// Proposes assignments.
		type Matcher: MatchAlgorithm;

		/// The block's time.
		type Clock: Time<Moment = Moment>;

		/// May change the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Most asks in the book.
		#[pallet::constant]
		type MaxAsks: Get<u32>;

		/// Most open orders in the book.
		#[pallet::constant]
		type MaxOpenOrders: Get<u32>;

		/// Most asks that one batch reads.
		#[pallet::constant]
		type MaxAsksPerBatch: Get<u32>;

		/// Most orders that one batch reads.
		#[pallet::constant]
		type MaxOrdersPerBatch: Get<u32>;

		/// Longest time from an order's submission to its deadline, in milliseconds.
		#[pallet::constant]
		type MaxOrderLifeMillis: Get<u64>;

		/// Longest wall-clock limit that an order may set, in milliseconds.
		#[pallet::constant]
		type MaxDurationMillis: Get<u64>;

		/// Weights.
		type WeightInfo: WeightInfo;

		/// Sets up devices for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>;
	}

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// What an open order may cost at most.
		#[codec(index = 0)]
		OrderEscrow,
	}

	/// Batch length, calibration and limits.
	#[pallet::storage]
	pub type Params<T: Config> = StorageValue<_, Parameters, ValueQuery>;

	/// Standing asks. One per device, whose bond pays for it.
	// Device ids are assigned by the chain, so the cheap hasher is safe.
	#[pallet::storage]
	pub type Asks<T: Config> = CountedStorageMap<_, Twox64Concat, DeviceId, AskTerms>;

	/// The id that the next order gets.
	#[pallet::storage]
	pub type NextOrderId<T: Config> = StorageValue<_, OrderId, ValueQuery>;

	/// Orders that await their match. Paid for by their escrow.
	// Order ids are assigned here.
	#[pallet::storage]
	pub type OpenOrders<T: Config> = CountedStorageMap<_, Twox64Concat, OrderId, OpenOrderOf<T>>;

	/// Open orders per account.
	#[pallet::storage]
	pub type OpenOrdersOf<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

	/// Orders whose lease is open; as many as open leases.
	#[pallet::storage]
	pub type MatchedOrders<T: Config> = StorageMap<_, Twox64Concat, OrderId, MatchedOrderOf<T>>;

	/// The block of the last batch.
	#[pallet::storage]
	pub type LastBatch<T: Config> = StorageValue<_, BlockNumberFor<T>, ValueQuery>;

	/// The last order that a batch read.
	#[pallet::storage]
	pub type OrderCursor<T: Config> = StorageValue<_, OrderId, OptionQuery>;

	/// The last ask that a batch read.
	#[pallet::storage]
	pub type AskCursor<T: Config> = StorageValue<_, DeviceId, OptionQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Batch length, calibration and limits.
		pub parameters: Parameters,
		/// Ties the configuration to the runtime.
		#[serde(skip)]
		pub _config: PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(
				self.parameters.validate(T::Currency::minimum_balance()),
				"market: invalid genesis parameters"
			);
			Params::<T>::put(&self.parameters);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A device asks for work, or changed its terms.
		AskSet {
			/// The device.
			device: DeviceId,
			/// Its terms.
			terms: AskTerms,
		},
		/// A device no longer asks for work: withdrawn, or gone.
		AskWithdrawn {
			/// The device.
			device: DeviceId,
		},
		/// An order was submitted.
		OrderSubmitted {
			/// The order.
			order: OrderId,
			/// Who pays.
			who: T::AccountId,
			/// What is on hold.
			escrow: Balance,
		},
		/// The tenant cancelled an open order; its escrow was released.
		OrderCancelled {
			/// The order.
			order: OrderId,
		},
		/// The tenant raised an order's limit.
		OrderToppedUp {
			/// The order.
			order: OrderId,
			/// The new limit for 10^9 fuel.
			max_price_per_gfuel: Balance,
			/// What is on hold now.
			escrow: Balance,
		},
		/// An order passed its deadline unmatched.
		OrderExpired {
			/// The order.
			order: OrderId,
			/// What was released.
			refunded: Balance,
		},
		/// An order was matched and its lease opened.
		OrderMatched {
			/// The order.
			order: OrderId,
			/// The lease.
			lease: LeaseId,
			/// The device.
			device: DeviceId,
			/// Agreed price for 10^9 fuel.
			price_per_gfuel: Balance,
			/// The break-even sum; `None` when the reserve stood in for it.
			quote: Option<BreakEven>,
		},
		/// An order was not matched, for another kind of reason or by another device than before.
		OrderRefused {
			/// The order.
			order: OrderId,
			/// The refusal that came closest to a match.
			refusal: Refusal,
		},
		/// A batch looked at orders.
		BatchRun {
			/// Orders that it read.
			orders: u32,
			/// Asks that it read.
			asks: u32,
			/// Orders that it matched.
			matched: u32,
		},
		/// The parameters changed.
		ParametersSet {
			/// The new ones.
			parameters: Parameters,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// No such device is bonded.
		DeviceNotFound,
		/// Only the device's provider or its operator may do this.
		NotOperator,
		/// The device is leaving; it cannot ask for work.
		DeviceRetired,
		/// The device has no ask.
		AskNotFound,
		/// A price or reserve is zero; give at least one planck, or no reserve.
		ZeroPrice,
		/// The book of asks is full; try again when others have left.
		TooManyAsks,
		/// No open order has this id: it never existed, is matched or is closed.
		OrderNotFound,
		/// Only the order's tenant may do this.
		NotTenant,
		/// The fuel limit is zero.
		ZeroFuel,
		/// The memory limit is zero.
		ZeroMemory,
		/// The wall-clock limit is zero.
		ZeroDuration,
		/// The wall-clock limit is above `MaxDurationMillis`.
		DurationTooLong,
		/// The least availability is above the whole.
		InvalidAvailability,
		/// The deadline is not in the future.
		DeadlinePassed,
		/// The deadline is further away than `MaxOrderLifeMillis`.
		DeadlineTooFar,
		/// The escrow is below the least that the chain takes; order more fuel or pay more for it.
		EscrowTooSmall,
		/// The account has as many open orders as it may; cancel one or wait.
		TooManyOwnOrders,
		/// The book of orders is full; try again later.
		TooManyOrders,
		/// All order ids are used.
		NoMoreIds,
		/// A top-up must raise the limit.
		NotARaise,
		/// The order's deadline has not passed yet.
		NotExpired,
		/// A sum does not fit its type; choose smaller figures.
		Overflow,
		/// The assignment does not pass the checks.
		NotFeasible,
		/// A parameter is zero, or the least escrow is below the existential deposit.
		InvalidParameters,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(now: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::on_batch_block(now, &mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::MaxAsks::get() > 0, "market: MaxAsks is zero");
			assert!(T::MaxOpenOrders::get() > 0, "market: MaxOpenOrders is zero");
			assert!(T::MaxAsksPerBatch::get() > 0, "market: MaxAsksPerBatch is zero");
			assert!(T::MaxOrdersPerBatch::get() > 0, "market: MaxOrdersPerBatch is zero");
			assert!(T::MaxDurationMillis::get() > 0, "market: MaxDurationMillis is zero");
			assert!(T::MaxOrderLifeMillis::get() > 0, "market: MaxOrderLifeMillis is zero");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Let a device ask for work, or change its terms.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or its operator.
		///
		/// ## Errors
		/// `ZeroPrice`, `DeviceRetired`, and `TooManyAsks` for a new ask when the book is full.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::set_ask())]
		pub fn set_ask(origin: OriginFor<T>, device: DeviceId, terms: AskTerms) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_set_ask(&who, device, terms)
		}

		/// Withdraw a device's ask. An open lease goes on.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or its operator.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::withdraw_ask())]
		pub fn withdraw_ask(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw_ask(&who, device)
		}

		/// Submit an order. Holds its escrow: the price limit times the fuel limit, rounded up.
		///
		/// ## Dispatch Origin
		/// Signed; the signer is the tenant.
		///
		/// ## Errors
		/// One for each figure that is out of range; `EscrowTooSmall`; `TooManyOwnOrders`;
		/// `TooManyOrders`; the currency's when the funds are not there.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::submit_order())]
		pub fn submit_order(origin: OriginFor<T>, spec: OrderSpec) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_submit_order(who, spec)
		}

		/// Cancel an open order and release its escrow.
		///
		/// ## Dispatch Origin
		/// Signed by the tenant.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::cancel_order())]
		pub fn cancel_order(origin: OriginFor<T>, order: OrderId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_cancel_order(&who, order)
		}

		/// Raise an open order's price limit. Holds the difference.
		///
		/// ## Dispatch Origin
		/// Signed by the tenant.
		///
		/// ## Errors
		/// `NotARaise` unless the new limit is higher; `DeadlinePassed`.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::top_up_order())]
		pub fn top_up_order(
			origin: OriginFor<T>,
			order: OrderId,
			max_price_per_gfuel: Balance,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_top_up_order(&who, order, max_price_per_gfuel)
		}

		/// Release the escrow of an order that is past its deadline.
		///
		/// ## Dispatch Origin
		/// Signed by anyone.
		///
		/// ## Errors
		/// `NotExpired` up to and including the deadline.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::expire_order())]
		pub fn expire_order(origin: OriginFor<T>, order: OrderId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_expire_order(order)
		}

		/// Change the parameters.
		///
		/// ## Dispatch Origin
		/// `AdminOrigin`.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::set_parameters())]
		pub fn set_parameters(origin: OriginFor<T>, parameters: Parameters) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			ensure!(
				parameters.validate(T::Currency::minimum_balance()),
				Error::<T>::InvalidParameters
			);
			Params::<T>::put(&parameters);
			Self::deposit_event(Event::ParametersSet { parameters });
			Ok(())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// Where an order stands; `None` when it never existed or is closed.
		pub fn order(id: OrderId) -> Option<OrderStatus<T::AccountId>> {
			match OpenOrders::<T>::get(id) {
				Some(order) => Some(OrderStatus::Open(order)),
				None => MatchedOrders::<T>::get(id).map(OrderStatus::Matched),
			}
		}

		/// The terms of a device.
		pub fn ask(device: DeviceId) -> Option<AskTerms> {
			Asks::<T>::get(device)
		}

		/// What an open order and a device would agree on now, or why not.
		pub fn explain(order: OrderId, device: DeviceId) -> Result<Agreement, ExplainError> {
			Self::do_explain(order, device)
		}
	}
}
