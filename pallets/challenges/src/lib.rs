#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
#[cfg(test)]
mod mock;
mod outcome;
mod rounds;
#[cfg(test)]
mod tests;
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

/// The target of this pallet's logs.
pub const LOG_TARGET: &str = "runtime::challenges";

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use armature_primitives::{
		challenge::{ChallengeTask, Verdict},
		device::Performance,
		service::ServiceAddress,
		traits::{DeviceInspect, PowerSink},
		Balance, DeviceId, Moment, RoundId, H256,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{fungible, Randomness, Time},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// What the pallet needs from its runtime.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// Holds the verifiers' bonds.
		type Currency: fungible::hold::Mutate<
			Self::AccountId,
			Reason: From<HoldReason>,
			Balance = Balance,
		>;

		/// Knows the devices.
		type Devices: DeviceInspect<Self::AccountId>;

		/// Takes the power figures of passed rounds.
		type Power: PowerSink;

		/// Randomness that no one could know before the block. The parent block's hash is part of
		/// the subject, so an implementation over BABE's epoch randomness gives other values in
		/// every block; only one that follows each block's VRF gives values that a block's author
		/// cannot try out.
		type Randomness: Randomness<H256, BlockNumberFor<Self>>;

		/// The chain's clock, in milliseconds since the Unix epoch.
		type Clock: Time<Moment = Moment>;

		/// May change the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The most verifiers that take assignments at once; at least 1. Must not shrink below the
		/// number of active verifiers.
		#[pallet::constant]
		type MaxVerifiers: Get<u32>;

		/// The most devices that one block looks at, and so the most rounds it opens; at least 2,
		/// one for the requests and one for the draw.
		#[pallet::constant]
		type MaxRoundsPerBlock: Get<u32>;

		/// The most verdicts of one call; at least 1.
		#[pallet::constant]
		type MaxVerdictsPerCall: Get<u32>;

		/// Weights of the calls and of the hooks' units of work.
		type WeightInfo: WeightInfo;

		/// Sets up devices for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>;
	}

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// A verifier's bond, until it is withdrawn.
		#[codec(index = 0)]
		VerifierBond,
	}

	/// Lengths and rates.
	#[pallet::storage]
	pub type Params<T: Config> = StorageValue<_, Parameters, ValueQuery>;

	/// Every verifier with a bond, retired ones included; the bond pays for it.
	// Blake2: accounts are chosen by their owners.
	#[pallet::storage]
	pub type Verifiers<T: Config> =
		CountedStorageMap<_, Blake2_128Concat, T::AccountId, VerifierRecord>;

	/// The verifiers that take assignments.
	#[pallet::storage]
	pub type ActiveVerifiers<T: Config> = StorageValue<_, ActiveVerifiersOf<T>, ValueQuery>;

	/// Devices that may be challenged; the device's bond pays for it.
	// Twox64: ids are counted up by the chain.
	#[pallet::storage]
	pub type Enrolments<T: Config> = CountedStorageMap<_, Twox64Concat, DeviceId, EnrolmentRecord>;

	/// Scores of enrolled devices, whatever their age.
	#[pallet::storage]
	pub type Performances<T: Config> = StorageMap<_, Twox64Concat, DeviceId, Performance>;

	/// Open rounds.
	#[pallet::storage]
	pub type Rounds<T: Config> = StorageMap<_, Twox64Concat, RoundId, RoundOf<T>>;

	/// The open round of a device.
	#[pallet::storage]
	pub type OpenRounds<T: Config> = StorageMap<_, Twox64Concat, DeviceId, RoundId>;

	/// Open rounds that wait for a verifier's verdict.
	#[pallet::storage]
	pub type Assignments<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, RoundId, (), OptionQuery>;

	/// The id of the next round.
	#[pallet::storage]
	pub type NextRound<T: Config> = StorageValue<_, RoundId, ValueQuery>;

	/// No round before this one is open; the cursor of the closing sweep.
	#[pallet::storage]
	pub type OldestRound<T: Config> = StorageValue<_, RoundId, ValueQuery>;

	/// The draw in progress.
	#[pallet::storage]
	pub type CurrentDraw<T: Config> = StorageValue<_, Draw>;

	/// Devices waiting for a requested round, in order of request. At most one living entry for
	/// each enrolled device.
	#[pallet::storage]
	pub type Queue<T: Config> = StorageMap<_, Twox64Concat, u64, DeviceId>;

	/// Where the queue begins and ends.
	#[pallet::storage]
	pub type QueueEnds<T: Config> = StorageValue<_, QueueBounds, ValueQuery>;

	/// When [`Event::NoVerifiers`] was emitted last.
	#[pallet::storage]
	pub type NoVerifiersAt<T: Config> = StorageValue<_, BlockNumberFor<T>>;

	/// The parameters at genesis.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Lengths and rates; production values by default.
		pub parameters: Parameters,
		/// No field.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.parameters.validate(), "challenges: invalid genesis parameters");
			Params::<T>::put(&self.parameters);
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A verifier bonded and takes assignments.
		VerifierRegistered {
			/// The verifier.
			who: T::AccountId,
			/// Where it is reached.
			address: ServiceAddress,
			/// What it bonded.
			bond: Balance,
		},
		/// A verifier moved.
		VerifierUpdated {
			/// The verifier.
			who: T::AccountId,
			/// Where it is reached now.
			address: ServiceAddress,
		},
		/// A verifier takes no more assignments.
		VerifierRetired {
			/// The verifier.
			who: T::AccountId,
			/// From when on it may withdraw its bond.
			withdrawable_at: Moment,
		},
		/// A retired verifier's bond was released.
		VerifierBondWithdrawn {
			/// The former verifier.
			who: T::AccountId,
			/// The released bond.
			amount: Balance,
		},
		/// A device may be challenged from now on; its first round waits in the queue.
		DeviceEnrolled {
			/// Its provider or operator.
			who: T::AccountId,
			/// The device.
			device: DeviceId,
		},
		/// A device left for good or was jailed: it is challenged no more and its score is gone.
		DeviceUnenrolled {
			/// The device.
			device: DeviceId,
		},
		/// A round was asked for.
		ChallengeRequested {
			/// The device's provider or operator.
			who: T::AccountId,
			/// The device.
			device: DeviceId,
		},
		/// A round began.
		RoundOpened {
			/// The round.
			round: RoundId,
			/// The device under test.
			device: DeviceId,
			/// The seed of its work.
			seed: H256,
			/// Who judges it.
			verifiers: Vec<T::AccountId>,
			/// Verdicts are accepted until then.
			deadline: Moment,
		},
		/// A verifier judged a round.
		VerdictPosted {
			/// The verifier.
			who: T::AccountId,
			/// The round.
			round: RoundId,
			/// What it found.
			verdict: Verdict,
		},
		/// A round ended.
		RoundClosed {
			/// The round.
			round: RoundId,
			/// The device under test.
			device: DeviceId,
			/// How.
			outcome: RoundOutcome,
		},
		/// A device has a new score.
		PerformanceUpdated {
			/// The device.
			device: DeviceId,
			/// The score.
			performance: Performance,
		},
		/// A round was due and no verifier could take it. At most once per round interval.
		NoVerifiers,
		/// The parameters changed.
		ParametersSet {
			/// The new parameters.
			parameters: Parameters,
		},
	}

	/// What went wrong.
	#[pallet::error]
	pub enum Error<T> {
		/// The account is a verifier already, maybe a retired one. Withdraw its bond first.
		AlreadyVerifier,
		/// All verifier seats are taken. Wait until one retires.
		TooManyVerifiers,
		/// The account is no verifier. Register first.
		NotVerifier,
		/// The verifier has retired. Withdraw the bond and register again.
		VerifierRetired,
		/// The verifier has not retired. Retire first.
		NotRetired,
		/// The unbonding time is not over. Wait until the moment that the retirement's event names.
		StillUnbonding,
		/// Rounds still wait for this verifier. Post their verdicts or wait for their deadlines.
		RoundsAssigned,
		/// There is no such device. Check the id.
		UnknownDevice,
		/// The caller is neither the device's provider nor its operator. Sign as one of them.
		NotOperator,
		/// The device is not attested, is offline, jailed or retired. Bring it up first.
		DeviceNotReady,
		/// The device is enrolled already. Nothing is left to do.
		AlreadyEnrolled,
		/// The device is not enrolled. Enrol it first.
		NotEnrolled,
		/// The device has a valid score. Wait until it ages out or a round is drawn.
		ScoreValid,
		/// The device has an open round. Wait for its end.
		RoundOpen,
		/// The device waits in the queue already. Wait for its round.
		AlreadyRequested,
		/// The last round closed less than one window ago. Wait that long.
		CoolingDown,
		/// The list of verdicts is empty. Post at least one.
		NoVerdicts,
		/// There is no such open round: it has closed or never was. Leave it out.
		RoundNotFound,
		/// The round is not this verifier's. Leave it out.
		NotAssigned,
		/// This verifier has judged the round already. Leave it out.
		VerdictTwice,
		/// The round's deadline has passed. Leave it out.
		DeadlinePassed,
		/// A passed verdict took no time or longer than the window, or its power figures
		/// contradict themselves. Judge such a device as failed.
		ImplausibleVerdict,
		/// A parameter is out of bounds. See `Parameters::validate`.
		InvalidParameters,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(block: BlockNumberFor<T>) -> Weight {
			Self::draw_rounds(block)
		}

		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::close_expired(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::MaxVerifiers::get() > 0, "challenges: MaxVerifiers is zero");
			assert!(T::MaxRoundsPerBlock::get() > 1, "challenges: MaxRoundsPerBlock is below two");
			assert!(T::MaxVerdictsPerCall::get() > 0, "challenges: MaxVerdictsPerCall is zero");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Bond and become a verifier.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Details
		/// Holds `verifier_bond` of the parameters. The verifier may be assigned from the next
		/// block on.
		///
		/// ## Errors
		/// `AlreadyVerifier`, `TooManyVerifiers`, or the currency's when the bond is not there.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register_verifier())]
		pub fn register_verifier(origin: OriginFor<T>, address: ServiceAddress) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_register_verifier(who, address)
		}

		/// Change the address at which a verifier is reached.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Errors
		/// `NotVerifier`, `VerifierRetired`.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::update_verifier())]
		pub fn update_verifier(origin: OriginFor<T>, address: ServiceAddress) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_update_verifier(who, address)
		}

		/// Take no more assignments.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Details
		/// Rounds already assigned stay assigned, and the bond stays held for
		/// `verifier_unbonding_millis`.
		///
		/// ## Errors
		/// `NotVerifier`, `VerifierRetired`.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::retire_verifier())]
		pub fn retire_verifier(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_retire_verifier(who)
		}

		/// Take a retired verifier's bond back.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Errors
		/// `NotVerifier`, `NotRetired`, `StillUnbonding`, `RoundsAssigned`.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::withdraw_verifier_bond())]
		pub fn withdraw_verifier_bond(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw_verifier_bond(who)
		}

		/// Let a device be challenged, which is how it gets a score.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// The first round is queued at once. There is no way back: a device leaves when it
		/// retires or is jailed.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `DeviceNotReady`, `AlreadyEnrolled`.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::enrol_device())]
		pub fn enrol_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_enrol_device(who, device)
		}

		/// Ask for a round of a device that has no valid score.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// The round is drawn in a later block and takes its seed from that block's randomness, so
		/// asking gives no head start.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`, `DeviceNotReady`, `AlreadyRequested`,
		/// `RoundOpen`, `ScoreValid`, `CoolingDown`.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::request_challenge())]
		pub fn request_challenge(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_request_challenge(who, device)
		}

		/// Post findings about rounds.
		///
		/// ## Dispatch Origin
		/// Signed by a verifier that sits in every named round.
		///
		/// ## Details
		/// A round closes with its last verdict. The first bad item fails the whole call.
		///
		/// ## Errors
		/// `NoVerdicts`, `RoundNotFound`, `NotAssigned`, `VerdictTwice`, `DeadlinePassed`,
		/// `ImplausibleVerdict`.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::post_verdicts(verdicts.len() as u32))]
		pub fn post_verdicts(origin: OriginFor<T>, verdicts: VerdictsOf<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_post_verdicts(who, verdicts)
		}

		/// Change lengths and rates.
		///
		/// ## Dispatch Origin
		/// `AdminOrigin`.
		///
		/// ## Details
		/// Open rounds keep their task and deadline, verifiers their bond; the age limit of scores
		/// and the unbonding time apply at once.
		///
		/// ## Errors
		/// `InvalidParameters`.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::set_parameters())]
		pub fn set_parameters(origin: OriginFor<T>, parameters: Parameters) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_parameters(parameters)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The open rounds that wait for `who`'s verdict, at most [`MAX_VIEWED_ROUNDS`], in no
		/// particular order.
		pub fn open_rounds_of_verifier(who: T::AccountId) -> Vec<ChallengeTask> {
			Assignments::<T>::iter_key_prefix(who)
				.take(MAX_VIEWED_ROUNDS)
				.filter_map(|round| Rounds::<T>::get(round).map(|round| round.task))
				.collect()
		}

		/// The score of a device, if it counts now.
		pub fn performance_of(device: DeviceId) -> Option<Performance> {
			Self::valid_performance(&Params::<T>::get(), device, T::Clock::now())
		}

		/// Where a verifier that takes assignments is reached.
		pub fn verifier_address(who: T::AccountId) -> Option<ServiceAddress> {
			Verifiers::<T>::get(who)
				.filter(|record| record.retired_at.is_none())
				.map(|record| record.address)
		}
	}
}
