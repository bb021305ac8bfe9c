#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod claims;
mod committee;
mod draw;
mod enrolments;
mod frauds;
mod maintenance;
#[cfg(test)]
mod mock;
mod offers;
pub mod parameters;
mod planted;
mod rounds;
mod scores;
#[cfg(test)]
mod tests;
mod try_state;
pub mod types;
mod verdicts;
mod verifiers;
mod views;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

/// The target of this pallet's logs.
pub const LOG_TARGET: &str = "runtime::challenges";

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::rounds::Closed;
	use alloc::{boxed::Box, vec::Vec};
	use armature_primitives::{
		challenge::{Assignment, Verdict, WorkKind},
		device::{AcceleratorOffer, Performance, RoundTripTo, StorageOffer},
		location::Position,
		service::ServiceAddress,
		traits::{DeviceBusy, DeviceInspect, DeviceLifecycle, EnergyInspect, PowerSink},
		Balance, DeviceId, Moment, RoundId, H256,
	};
	use armature_verifier::challenge::{fraud::FraudProof, power::PowerFault};
	use frame_support::{
		dispatch::DispatchResultWithPostInfo,
		pallet_prelude::*,
		traits::{fungible, OnUnbalanced, Randomness, Time},
	};
	use frame_system::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// What was taken from a bond.
	pub type CreditOf<T> =
		fungible::Credit<<T as frame_system::Config>::AccountId, <T as Config>::Currency>;

	/// What the pallet needs from its runtime.
	#[pallet::config]
	pub trait Config: frame_system::Config<Hash = H256> {
		/// Holds bonds and pays verifiers.
		type Currency: fungible::Mutate<Self::AccountId, Balance = Balance>
			+ fungible::hold::Mutate<Self::AccountId, Reason: From<HoldReason>>
			+ fungible::hold::Balanced<Self::AccountId>;

		/// Takes what penalties take.
		type OnSlash: OnUnbalanced<CreditOf<Self>>;

		/// Verifiers and proofs of fraud are paid out of this account, as far as it goes.
		type PayFrom: Get<Self::AccountId>;

		/// Knows the devices.
		type Devices: DeviceInspect<Self::AccountId>;

		/// Slashes devices.
		type Lifecycle: DeviceLifecycle;

		/// Knows which devices run a lease.
		type Busy: DeviceBusy;

		/// Takes the power figures of passed rounds.
		type Power: PowerSink;

		/// Knows what devices draw.
		type Energy: EnergyInspect;

		/// Randomness of the block when it ends: a VRF output that its author could not choose, and nobody else
		/// could know. Every block's goes into the beacon that lots, committees and seeds are drawn from.
		type Randomness: Randomness<H256, BlockNumberFor<Self>>;

		/// The chain's clock, in milliseconds since the Unix epoch.
		type Clock: Time<Moment = Moment>;

		/// May change the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The most verifiers that take assignments at once, at least 1 and as many as do already.
		#[pallet::constant]
		type MaxVerifiers: Get<u32>;

		/// The most owners and devices that one block looks at, and so the most rounds it opens, at least 8:
		/// half of them by draws, and no more than a quarter beyond, the rest by requests.
		#[pallet::constant]
		type MaxRoundsPerBlock: Get<u32>;

		/// The most verdicts of one call; at least 1.
		#[pallet::constant]
		type MaxVerdictsPerCall: Get<u32>;

		/// Weights of the calls and of the hooks' units of work.
		type WeightInfo: WeightInfo;

		/// Sets up devices and the time for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>
			+ armature_primitives::traits::BenchmarkClock;
	}

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// A verifier's bond, until it is withdrawn.
		#[codec(index = 0)]
		VerifierBond,
		/// The bond of a proof of fraud, while it is checked.
		#[codec(index = 1)]
		DisputeBond,
	}

	/// Lengths, rates and sums.
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
	pub type Enrolments<T: Config> =
		StorageMap<_, Twox64Concat, DeviceId, EnrolmentRecord<T::AccountId>>;

	/// Owners of enrolled devices.
	// Blake2: accounts are chosen by their owners.
	#[pallet::storage]
	pub type Owners<T: Config> = CountedStorageMap<_, Blake2_128Concat, T::AccountId, OwnerRecord>;

	/// The enrolled devices of each owner, in no particular order, without a hole.
	#[pallet::storage]
	pub type OwnedDevices<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, u32, DeviceId>;

	/// Scores of enrolled devices, whatever their age.
	#[pallet::storage]
	pub type Performances<T: Config> =
		StorageMap<_, Twox64Concat, DeviceId, Performance, ValueQuery>;

	/// Round trips of devices whose way to verifiers is scored.
	#[pallet::storage]
	pub type RoundTrips<T: Config> =
		StorageMap<_, Twox64Concat, DeviceId, RoundTripsOf<T>, ValueQuery>;

	/// Open rounds.
	#[pallet::storage]
	pub type Rounds<T: Config> = StorageMap<_, Twox64Concat, RoundId, RoundOf<T>>;

	/// The open round of a device.
	#[pallet::storage]
	pub type OpenRounds<T: Config> = StorageMap<_, Twox64Concat, DeviceId, RoundId>;

	/// Open rounds in which a verifier has not revealed its verdict.
	#[pallet::storage]
	pub type Assignments<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, RoundId, (), OptionQuery>;

	/// Rounds in which somebody sealed, as long as frauds in them can be proved or planted answers shown.
	#[pallet::storage]
	pub type EndedRounds<T: Config> = StorageMap<_, Twox64Concat, RoundId, EndedRoundOf<T>>;

	/// The id of the next round.
	#[pallet::storage]
	pub type NextRound<T: Config> = StorageValue<_, RoundId, ValueQuery>;

	/// No round before this one is open; the cursor of the closing sweep.
	#[pallet::storage]
	pub type OldestRound<T: Config> = StorageValue<_, RoundId, ValueQuery>;

	/// No round before this one is kept; the cursor that forgets ended rounds.
	#[pallet::storage]
	pub type OldestEnded<T: Config> = StorageValue<_, RoundId, ValueQuery>;

	/// All owners, in no particular order, without a hole.
	#[pallet::storage]
	pub type OwnerIndex<T: Config> = StorageMap<_, Twox64Concat, u32, T::AccountId>;

	/// All blocks' randomness so far.
	#[pallet::storage]
	pub type Beacon<T: Config> = StorageValue<_, H256, ValueQuery>;

	/// Devices waiting for a requested start, in order of request; at most one of each owner, but for
	/// entries of devices that have left.
	#[pallet::storage]
	pub type Queue<T: Config> = StorageMap<_, Twox64Concat, u64, DeviceId>;

	/// How many owners and devices may be looked at when this block ends; nothing between blocks.
	#[pallet::storage]
	pub type SetAside<T: Config> = StorageValue<_, u32, ValueQuery>;

	/// What all verifiers have earned and not claimed, in planck.
	#[pallet::storage]
	pub type TotalEarned<T: Config> = StorageValue<_, Balance, ValueQuery>;

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
		/// Lengths, rates and sums; production values by default.
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
		/// A verifier takes no more assignments: it retired, or too little of its bond is left.
		VerifierRetired {
			/// The verifier.
			who: T::AccountId,
			/// From when on it may withdraw its bond.
			withdrawable_at: Moment,
		},
		/// A retired verifier's bond was released. What it had earned and could not be paid is lost.
		VerifierBondWithdrawn {
			/// The former verifier.
			who: T::AccountId,
			/// The released bond.
			amount: Balance,
			/// What it was paid of its earnings.
			paid: Balance,
			/// Earnings for which there was no money.
			lost: Balance,
		},
		/// A verifier was paid.
		EarningsClaimed {
			/// The verifier.
			who: T::AccountId,
			/// What it was paid.
			paid: Balance,
			/// What it has still earned, for which there is no money yet.
			left: Balance,
		},
		/// Part of a verifier's bond was taken.
		VerifierPenalised {
			/// The verifier.
			who: T::AccountId,
			/// The round that it was for.
			round: RoundId,
			/// What was taken.
			amount: Balance,
		},
		/// A device may be challenged from now on.
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
			/// What it has to do.
			kind: WorkKind,
			/// The seed of its work.
			seed: H256,
			/// Who judges it.
			verifiers: Vec<T::AccountId>,
			/// Seals are taken until then.
			deadline: Moment,
		},
		/// A verifier sealed its verdict on a round.
		VerdictSealed {
			/// The verifier.
			who: T::AccountId,
			/// The round.
			round: RoundId,
		},
		/// A verifier judged a round.
		VerdictRevealed {
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
		/// A device was proved a fraud.
		FraudProved {
			/// Who proved it.
			who: T::AccountId,
			/// The round.
			round: RoundId,
			/// The device.
			device: DeviceId,
			/// What was taken of its bond.
			slashed: Balance,
			/// What the proof earned.
			reward: Balance,
		},
		/// Verdicts showed that a device signed two roots in one round.
		TwoRootsSigned {
			/// The round.
			round: RoundId,
			/// The device.
			device: DeviceId,
			/// What was taken of its bond.
			slashed: Balance,
		},
		/// A device is in maintenance: it is not challenged, and its score is gone.
		MaintenanceStarted {
			/// Its provider or operator.
			who: T::AccountId,
			/// The device.
			device: DeviceId,
		},
		/// A device may be challenged again.
		MaintenanceEnded {
			/// Its provider or operator.
			who: T::AccountId,
			/// The device.
			device: DeviceId,
		},
		/// A device announced a wrong answer.
		AnswerPlanted {
			/// The device.
			device: DeviceId,
			/// Of its root.
			hash: H256,
		},
		/// A device showed that its answer in a round was planted. The round counts no more.
		PlantedShown {
			/// The device's provider or operator.
			who: T::AccountId,
			/// The round.
			round: RoundId,
			/// The device.
			device: DeviceId,
			/// Verifiers that had passed it.
			fooled: u32,
			/// What was taken of their bonds.
			taken: Balance,
			/// What that earned.
			reward: Balance,
		},
		/// The power figures of a passed round were not taken: no device of its class draws that.
		PowerImplausible {
			/// The round.
			round: RoundId,
			/// The device.
			device: DeviceId,
			/// What is wrong with them.
			fault: PowerFault,
		},
		/// A device is claimed to be somewhere, or nowhere.
		PositionClaimed {
			/// The device.
			device: DeviceId,
			/// Where.
			position: Option<Position>,
		},
		/// A verifier said where it is, or took that back.
		VerifierPositionSet {
			/// The verifier.
			who: T::AccountId,
			/// Where.
			position: Option<Position>,
		},
		/// A device offers an accelerator to be measured, or none any more.
		AcceleratorOffered {
			/// The device.
			device: DeviceId,
			/// What it offers.
			offer: Option<AcceleratorOffer>,
		},
		/// What was to be a proof of fraud showed that a device was right.
		FraudRefuted {
			/// Who sent it.
			who: T::AccountId,
			/// The round.
			round: RoundId,
			/// What it cost.
			amount: Balance,
		},
		/// The parameters changed.
		ParametersSet {
			/// The new parameters.
			parameters: Parameters,
		},
		/// A device offers sealed storage to be measured, or none any more.
		StorageOffered {
			/// The device.
			device: DeviceId,
			/// What it offers.
			offer: Option<StorageOffer>,
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
		/// The device has a valid score of all that it offers. Wait until it ages out or a round is drawn.
		ScoreValid,
		/// The device, or another one of its owner, has an open round. Wait for its end.
		RoundOpen,
		/// The owner's devices wait to be started already. Wait for their rounds.
		AlreadyRequested,
		/// The last round was failed too short a time ago: one window, more with each failure. Wait.
		CoolingDown,
		/// The owner's devices have just worked for a round. Wait until they have rested.
		Resting,
		/// The list is empty. Name at least one round.
		NoVerdicts,
		/// There is no such open round: it has closed or never was. Leave it out.
		RoundNotFound,
		/// The round is not this verifier's. Leave it out.
		NotAssigned,
		/// This verifier has sealed a verdict on the round already. Leave it out.
		SealedTwice,
		/// The round's deadline has passed. Leave it out.
		DeadlinePassed,
		/// This verifier has not sealed a verdict on the round, or has revealed it already. Leave it out.
		NotSealed,
		/// Others can still seal their verdicts. Wait until they have or the deadline has passed.
		RevealTooEarly,
		/// The time to reveal is over. Leave it out.
		RevealTooLate,
		/// The verdict and its salt are not what was sealed. Reveal what was.
		SealBroken,
		/// A passed verdict took no time or too long, moved nothing, is of another kind of work, is under another
		/// root than it has to be, or its power figures contradict themselves. Judge such a device as failed.
		ImplausibleVerdict,
		/// The device has not signed a passed verdict's root and power figures. Judge it as failed.
		ForgedCommitment,
		/// The verifier has earned nothing since it was paid last. Judge a round.
		NothingEarned,
		/// There is no money to pay verifiers. Wait until the protocol has earned fees.
		NoFunds,
		/// The time in which a fraud in this round can be proved is over.
		DisputeWindowOver,
		/// This kind of fraud was proved in this round already.
		FraudKnown,
		/// A commitment in the proof is for another task.
		ProofOfOtherTask,
		/// A commitment's signature is not the device's.
		ProofNotSigned,
		/// Both commitments have the same root, which is no fraud.
		ProofOfOneRoot,
		/// The opening is not under the committed root, or of nothing that the task asks for.
		ProofNotOpened,
		/// A parameter is out of bounds. See `Parameters::validate`.
		InvalidParameters,
		/// The device is in maintenance. End that first.
		InMaintenance,
		/// The device is not in maintenance. Nothing is left to do.
		NotInMaintenance,
		/// The device runs a lease. Wait for its end.
		LeaseOpen,
		/// The device has planted no answer, or has shown it. Plant one before the round.
		NothingPlanted,
		/// The answer was planted after the round had begun, or too shortly before. Plant one before.
		PlantedTooLate,
		/// Root and salt are not those that were planted.
		OtherAnswerPlanted,
		/// The device showed a planted answer too short a time ago.
		PlantedTooOften,
		/// The device answered the round with something else than what it planted.
		OtherAnswerGiven,
		/// The last maintenance of the device began too short a time ago. Wait.
		MaintenanceTooOften,
		/// There is no such place. Give at most 90 degrees north or south and 180 east or west.
		InvalidPosition,
		/// Not one state of such rows fits the memory, too many do, or rows or sectors are not of the sizes, or as
		/// many, as count. Offer what is within the parameters' bounds.
		InvalidOffer,
		/// The device's last offer of that was made too short a time ago. Wait, or take it back.
		OfferTooOften,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// What draws will take is known only when they happen, so as much is set aside as they may take.
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			Self::set_aside()
		}

		/// At the end, when the block's own randomness is there: that of its parent is known a slot ahead.
		fn on_finalize(block: BlockNumberFor<T>) {
			Self::draw_rounds(block);
		}

		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			Self::sweep(remaining)
		}

		fn integrity_test() {
			Self::check_constants();
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
		/// Holds `verifier_bond` of the parameters. The verifier may be assigned from the next block on.
		///
		/// ## Errors
		/// `AlreadyVerifier`, `TooManyVerifiers`, or the currency's when the bond is not there.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register_verifier())]
		pub fn register_verifier(origin: OriginFor<T>, address: ServiceAddress) -> DispatchResult {
			Self::do_register_verifier(ensure_signed(origin)?, address)
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
			Self::do_update_verifier(ensure_signed(origin)?, address)
		}

		/// Take no more assignments.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Details
		/// Rounds already assigned stay assigned, and the bond stays held for `verifier_unbonding_millis`.
		///
		/// ## Errors
		/// `NotVerifier`, `VerifierRetired`.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::retire_verifier())]
		pub fn retire_verifier(origin: OriginFor<T>) -> DispatchResult {
			Self::do_retire_verifier(ensure_signed(origin)?)
		}

		/// Take what is left of a retired verifier's bond back, and be paid.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Errors
		/// `NotVerifier`, `NotRetired`, `StillUnbonding`, `RoundsAssigned`.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::withdraw_verifier_bond())]
		pub fn withdraw_verifier_bond(origin: OriginFor<T>) -> DispatchResult {
			Self::do_withdraw_verifier_bond(ensure_signed(origin)?)
		}

		/// Let a device be challenged, which is how it gets a score.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// The first round begins soon, with other devices of the owner, unless they wait or have just worked:
		/// then with a draw or a request. A device leaves when it retires or is jailed.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `DeviceNotReady`, `AlreadyEnrolled`.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::enrol_device())]
		pub fn enrol_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_enrol_device(ensure_signed(origin)?, device)
		}

		/// Ask for a round of a device that has no valid score.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// All devices of the owner that may be challenged, as far as a block has room, start together in a
		/// later block, with seeds of its randomness. Where there are too few verifiers then, nothing begins.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`, `DeviceNotReady`, `AlreadyRequested`,
		/// `RoundOpen`, `ScoreValid`, `CoolingDown`, `Resting`, `InMaintenance`, `LeaseOpen`.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::request_challenge())]
		pub fn request_challenge(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_request_challenge(ensure_signed(origin)?, device)
		}

		/// Post hashes of verdicts.
		///
		/// ## Dispatch Origin
		/// Signed by a verifier that sits in every named round.
		///
		/// ## Details
		/// What is sealed has to be revealed, once all have sealed or the deadline has passed; see
		/// `armature_verifier::challenge::verdict::seal` for the hash. The first bad item fails the whole call.
		///
		/// ## Errors
		/// `NoVerdicts`, `RoundNotFound`, `NotAssigned`, `SealedTwice`, `DeadlinePassed`.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::seal_verdicts(seals.len() as u32))]
		pub fn seal_verdicts(origin: OriginFor<T>, seals: SealsOf<T>) -> DispatchResult {
			Self::do_seal_verdicts(ensure_signed(origin)?, seals)
		}

		/// Change lengths, rates and sums.
		///
		/// ## Dispatch Origin
		/// `AdminOrigin`.
		///
		/// ## Details
		/// Open rounds keep their task, committee and deadlines, verifiers their bond. The rest applies at once,
		/// also to scores, unbonding verifiers and ended rounds. `dispute_millis` should stay below the time that
		/// a device's bond unbonds.
		///
		/// ## Errors
		/// `InvalidParameters`.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::set_parameters())]
		pub fn set_parameters(origin: OriginFor<T>, parameters: Box<Parameters>) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_parameters(*parameters)
		}

		/// Say what was sealed.
		///
		/// ## Dispatch Origin
		/// Signed by a verifier that has sealed a verdict on every named round.
		///
		/// ## Details
		/// A round closes with its last verdict. The first bad item fails the whole call. Where passed
		/// verdicts name two roots, both signed by the device, it is slashed at once, as by `prove_fraud`.
		///
		/// ## Errors
		/// `NoVerdicts`, `RoundNotFound`, `NotAssigned`, `NotSealed`, `RevealTooEarly`, `RevealTooLate`,
		/// `SealBroken`, `ImplausibleVerdict`, `ForgedCommitment`.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::reveal_verdicts(reveals.len() as u32)
			.saturating_add(Closed::most_weight::<T>().saturating_mul(reveals.len() as u64)))]
		pub fn reveal_verdicts(
			origin: OriginFor<T>,
			reveals: RevealsOf<T>,
		) -> DispatchResultWithPostInfo {
			Self::do_reveal_verdicts(ensure_signed(origin)?, reveals)
		}

		/// Be paid what verdicts have earned.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Details
		/// Pays out of the account of the protocol's fees as far as it goes; the rest stays earned.
		///
		/// ## Errors
		/// `NotVerifier`, `NothingEarned`, `NoFunds`.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::claim_earnings())]
		pub fn claim_earnings(origin: OriginFor<T>) -> DispatchResult {
			Self::do_claim_earnings(ensure_signed(origin)?)
		}

		/// Prove that a device answered a round with what no honest device sends.
		///
		/// ## Dispatch Origin
		/// Signed by anyone who can bond `dispute_bond`.
		///
		/// ## Details
		/// Decided at once: a segment is re-run, a block of memory or of a sector filled, or an entry computed
		/// again. A wrong one costs the device `fault_slash` of its bond, unless it is in jail already, two roots
		/// `fraud_slash`. It is enrolled no more, and the round fails. The proof earns `fraud_reward`, at most a
		/// fifth of what was slashed, and is free. What is right costs the bond.
		///
		/// ## Errors
		/// `RoundNotFound`, `DisputeWindowOver`, `FraudKnown`, `UnknownDevice`, `ProofOfOtherTask`,
		/// `ProofNotSigned`, `ProofOfOneRoot`, `ProofNotOpened`, or the currency's when the bond is not there.
		#[pallet::call_index(10)]
		#[pallet::weight(Pallet::<T>::dearest_proof())]
		pub fn prove_fraud(
			origin: OriginFor<T>,
			round: RoundId,
			proof: Box<FraudProof>,
		) -> DispatchResultWithPostInfo {
			Self::do_prove_fraud(ensure_signed(origin)?, round, &proof)
		}

		/// Say that a device will not answer.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// The device is not challenged, and has no score: it gets no work. Ends with `end_maintenance`.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`, `InMaintenance`, `RoundOpen`, `LeaseOpen`,
		/// `MaintenanceTooOften`.
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::start_maintenance())]
		pub fn start_maintenance(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_start_maintenance(ensure_signed(origin)?, device)
		}

		/// Say that a device answers again.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// All of the owner's devices that may be challenged start soon, unless some wait, work or rest, or the
		/// device has failed a round too short a time ago: then its operator asks later.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`, `NotInMaintenance`.
		#[pallet::call_index(12)]
		#[pallet::weight(T::WeightInfo::end_maintenance())]
		pub fn end_maintenance(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_end_maintenance(ensure_signed(origin)?, device)
		}

		/// Announce a wrong answer to some later round. Takes the place of one that was announced and not
		/// shown.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// See `armature_verifier::challenge::verdict::planted_hash`. It is public: a device should have one
		/// announced at all times. Nothing must ever be opened under the planted root: that would be a fraud.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`.
		#[pallet::call_index(13)]
		#[pallet::weight(T::WeightInfo::plant_answer())]
		pub fn plant_answer(origin: OriginFor<T>, device: DeviceId, hash: H256) -> DispatchResult {
			Self::do_plant_answer(ensure_signed(origin)?, device, hash)
		}

		/// Show that a device answered a round with what it had planted.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// Score, failures and share are what they were, unless the score has changed since. Verifiers that passed
		/// the answer lose `planted_penalty` each; a fifth of that goes to the caller, as long as there is money.
		///
		/// ## Errors
		/// `RoundOpen`, `RoundNotFound`, `UnknownDevice`, `NotOperator`, `NotEnrolled`, `NothingPlanted`,
		/// `PlantedTooLate`, `OtherAnswerPlanted`, `DisputeWindowOver`, `FraudKnown`, `OtherAnswerGiven`,
		/// `PlantedTooOften`.
		#[pallet::call_index(14)]
		#[pallet::weight(T::WeightInfo::show_planted())]
		pub fn show_planted(
			origin: OriginFor<T>,
			round: RoundId,
			root: H256,
			salt: H256,
		) -> DispatchResult {
			Self::do_show_planted(ensure_signed(origin)?, round, root, salt)
		}

		/// Say where a device is, or take that back.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// The next round about its way to verifiers says whether that can be; what the last one said is gone.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`, `InvalidPosition`.
		#[pallet::call_index(15)]
		#[pallet::weight(T::WeightInfo::claim_position())]
		pub fn claim_position(
			origin: OriginFor<T>,
			device: DeviceId,
			position: Option<Position>,
		) -> DispatchResult {
			Self::do_claim_position(ensure_signed(origin)?, device, position)
		}

		/// Say where a verifier is, or take that back.
		///
		/// ## Dispatch Origin
		/// Signed by the verifier's account.
		///
		/// ## Details
		/// Its round trips support or refute claims of devices only while it says where it is.
		///
		/// ## Errors
		/// `NotVerifier`, `VerifierRetired`, `InvalidPosition`.
		#[pallet::call_index(16)]
		#[pallet::weight(T::WeightInfo::set_verifier_position())]
		pub fn set_verifier_position(
			origin: OriginFor<T>,
			position: Option<Position>,
		) -> DispatchResult {
			Self::do_set_verifier_position(ensure_signed(origin)?, position)
		}

		/// Offer an accelerator to be measured, another one, or none any more.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// Rounds of products follow: the device has to make `2 * side` operations for each byte of
		/// `memory_share` of the offered memory, keep what comes of it, and be done within `window_millis`. What
		/// an earlier offer has shown is gone. A new one can be made once in `offer_interval_millis`.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`, `RoundOpen`, `InvalidOffer`, `OfferTooOften`.
		#[pallet::call_index(17)]
		#[pallet::weight(T::WeightInfo::offer_accelerator())]
		pub fn offer_accelerator(
			origin: OriginFor<T>,
			device: DeviceId,
			offer: Option<AcceleratorOffer>,
		) -> DispatchResult {
			Self::do_offer_accelerator(ensure_signed(origin)?, device, offer)
		}

		/// Offer sealed storage to be measured, other storage, or none any more.
		///
		/// ## Dispatch Origin
		/// Signed by the device's provider or operator.
		///
		/// ## Details
		/// Rounds about storage follow, in which blocks are due within `storage_read_millis`: what is offered has
		/// to be sealed by now. The first sectors count where more are. What an earlier offer has shown is gone. A
		/// new one can be made once in `offer_interval_millis`.
		///
		/// ## Errors
		/// `UnknownDevice`, `NotOperator`, `NotEnrolled`, `RoundOpen`, `InvalidOffer`, `OfferTooOften`.
		#[pallet::call_index(18)]
		#[pallet::weight(T::WeightInfo::offer_storage())]
		pub fn offer_storage(
			origin: OriginFor<T>,
			device: DeviceId,
			offer: Option<StorageOffer>,
		) -> DispatchResult {
			Self::do_offer_storage(ensure_signed(origin)?, device, offer)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// At most [`MAX_VIEWED_ROUNDS`] that wait for something from `who` or will, first what is to be sealed.
		pub fn open_rounds_of_verifier(who: T::AccountId) -> Vec<Assignment> {
			Self::assignments_of(&who)
		}

		/// Whether the operator of a device may ask for a round of it now.
		pub fn may_request_challenge(device: DeviceId) -> bool {
			Self::requestable(device).is_ok()
		}

		/// The parts of a device's score that count now.
		pub fn performance_of(device: DeviceId) -> Performance {
			Self::valid_performance(&Params::<T>::get(), device, T::Clock::now())
		}

		/// A device's round trips to verifiers, as long as that part of its score counts.
		pub fn round_trips_of(device: DeviceId) -> Vec<RoundTripTo<T::AccountId>> {
			Self::valid_round_trips(device)
		}

		/// Where a verifier that takes assignments is reached.
		pub fn verifier_address(who: T::AccountId) -> Option<ServiceAddress> {
			Self::active_address(who)
		}
	}
}
