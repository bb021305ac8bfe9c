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
pub use types::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use armature_primitives::{
		device::Tier,
		evidence::{EvidenceBytes, EvidenceFormat},
		traits::{DeviceInspect, DeviceLifecycle, LeaseGuard},
		DeviceId, Moment, H256,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{Randomness, Time},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// What the runtime provides.
	#[pallet::config]
	pub trait Config: frame_system::Config<Hash = H256> {
		/// The device registry.
		type Devices: DeviceInspect<Self::AccountId> + DeviceLifecycle;

		/// Ends the leases of devices that are no longer vouched for.
		type Leases: LeaseGuard;

		/// The most that [`LeaseGuard::on_attestation_lost`] of `Leases` weighs.
		type LeaseEndWeight: Get<Weight>;

		/// Where nonces get their randomness from. It must not be known long before its block.
		type Randomness: Randomness<H256, BlockNumberFor<Self>>;

		/// The chain's time.
		type Clock: Time<Moment = Moment>;

		/// Who may revoke attestations and change the parameters.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The most records, and the most nonces, that the sweep looks at in one block.
		#[pallet::constant]
		type MaxSweepPerBlock: Get<u32>;

		/// Measured weights.
		type WeightInfo: WeightInfo;

		/// Makes devices for the benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>;
	}

	/// Lengths in force.
	#[pallet::storage]
	pub type Parameters<T> = StorageValue<_, AttestationParameters, ValueQuery>;

	/// How many nonces were handed out; part of each.
	#[pallet::storage]
	pub type NonceCount<T> = StorageValue<_, u64, ValueQuery>;

	/// The nonce that a device may use. Removed when used, revoked or swept.
	// The chain gives the ids.
	#[pallet::storage]
	pub type Nonces<T> = StorageMap<_, Twox64Concat, DeviceId, IssuedNonce, OptionQuery>;

	/// The last attestation of a device. Removed when revoked or swept.
	// The chain gives the ids.
	#[pallet::storage]
	pub type Attestations<T> = StorageMap<_, Twox64Concat, DeviceId, Attestation, OptionQuery>;

	/// The record that the sweep looked at last; none at the start of a round.
	#[pallet::storage]
	pub type AttestationCursor<T> = StorageValue<_, DeviceId, OptionQuery>;

	/// The nonce that the sweep looked at last; none at the start of a round.
	#[pallet::storage]
	pub type NonceCursor<T> = StorageValue<_, DeviceId, OptionQuery>;

	/// The parameters that the chain starts with; the production values unless given.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// See [`AttestationParameters`].
		pub parameters: AttestationParameters,
		#[serde(skip)]
		#[doc(hidden)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.parameters.validate(), "attestation parameters of genesis are invalid");
			Parameters::<T>::put(self.parameters);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A device may now be attested with this nonce.
		NonceIssued {
			/// The device.
			device: DeviceId,
			/// What its evidence must contain.
			nonce: H256,
			/// The first instant at which it is of no use.
			expires_at: Moment,
		},
		/// A device is attested.
		Attested {
			/// The device.
			device: DeviceId,
			/// How far its identity is rooted in hardware.
			tier: Tier,
			/// The format of the evidence.
			format: EvidenceFormat,
			/// The first instant at which it does not hold any more.
			expires_at: Moment,
		},
		/// A device's attestation ended without a renewal.
		AttestationExpired {
			/// The device.
			device: DeviceId,
		},
		/// A device's attestation was ended.
		Revoked {
			/// The device.
			device: DeviceId,
		},
		/// The parameters changed.
		ParametersSet {
			/// The values now.
			parameters: AttestationParameters,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// There is no device of this id.
		UnknownDevice,
		/// Only the device's provider and its operator may do this.
		NotOperator,
		/// A jailed or retired device cannot be attested: clear the jail first.
		WrongStatus,
		/// The device's last nonce can still be used.
		NonceStillValid,
		/// The device has no nonce: call `request_nonce` first.
		NoNonce,
		/// The device's nonce expired: call `request_nonce` again.
		NonceExpired,
		/// The attestation holds and its renewal window is not open yet.
		TooEarly,
		/// The device has no attestation that could be revoked.
		NotAttested,
		/// The evidence is longer than any format allows.
		EvidenceTooLarge,
		/// The evidence is of a format that this runtime does not know: update the agent or wait
		/// for the runtime's update.
		UnknownEvidenceFormat,
		/// The evidence does not decode as its format.
		MalformedEvidence,
		/// Bytes follow the evidence.
		TrailingEvidenceBytes,
		/// The evidence contains another nonce than the device's current one.
		NonceMismatch,
		/// The signature is not the device key's over this statement, chain and device.
		BadSignature,
		/// The inventory contains something that cannot be.
		BadInventory,
		/// The parameters are out of range.
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
			assert!(T::MaxSweepPerBlock::get() > 0, "the sweep has to get on");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Hands out a nonce for the device's next evidence. For the provider or its operator.
		///
		/// Fails while the last nonce can still be used.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::request_nonce())]
		pub fn request_nonce(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			Self::do_request_nonce(ensure_signed(origin)?, device)
		}

		/// Attests a device by evidence over its nonce. For the provider or its operator.
		///
		/// A failure changes nothing; the nonce can be used again while it lasts.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::submit_evidence(
			u32::try_from(evidence.len()).unwrap_or(u32::MAX)
		))]
		pub fn submit_evidence(
			origin: OriginFor<T>,
			device: DeviceId,
			evidence: EvidenceBytes,
		) -> DispatchResult {
			Self::do_submit_evidence(ensure_signed(origin)?, device, &evidence)
		}

		/// Ends a device's attestation at once, and its open lease with it.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::revoke().saturating_add(T::LeaseEndWeight::get()))]
		pub fn revoke(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_revoke(device)
		}

		/// Changes the parameters. Attestations and nonces keep the ends that they have.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::set_parameters())]
		pub fn set_parameters(
			origin: OriginFor<T>,
			parameters: AttestationParameters,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_parameters(parameters)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The last attestation of a device, which may have expired.
		pub fn attestation(device: DeviceId) -> Option<Attestation> {
			Attestations::<T>::get(device)
		}

		/// The nonce of a device, if it can still be used.
		pub fn nonce(device: DeviceId) -> Option<IssuedNonce> {
			Nonces::<T>::get(device).filter(|issued| T::Clock::now() < issued.expires_at)
		}

		/// The first instant at which the device's attestation may be renewed; none for a device
		/// that has no attestation that holds, which may be attested now.
		pub fn renewable_from(device: DeviceId) -> Option<Moment> {
			Attestations::<T>::get(device)
				.filter(|current| current.holds(T::Clock::now()))
				.map(|current| current.renewable_from(Parameters::<T>::get().renewal_window))
		}
	}
}

#[cfg(any(feature = "try-runtime", test))]
impl<T: Config> Pallet<T> {
	/// Checks all invariants:
	///
	/// 1. The parameters in force are valid.
	/// 2. A record ends after it began, and is marked as lapsed only after its end.
	/// 3. No nonce is in two hands, and no more are out than were handed out.
	pub(crate) fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		use frame_support::{ensure, traits::Time};
		let now = T::Clock::now();
		ensure!(Parameters::<T>::get().validate(), "1: invalid parameters");
		for record in Attestations::<T>::iter_values() {
			ensure!(record.attested_at < record.expires_at, "2: ends before it began");
			ensure!(record.attested_at <= now, "2: of the future");
			ensure!(!record.lapsed || record.expires_at <= now, "2: lapsed before its end");
		}
		let mut seen = alloc::collections::btree_set::BTreeSet::new();
		let mut out = 0u64;
		for issued in Nonces::<T>::iter_values() {
			ensure!(seen.insert(issued.nonce), "3: one nonce in two hands");
			out = out.saturating_add(1);
		}
		ensure!(out <= NonceCount::<T>::get(), "3: more nonces than were handed out");
		Ok(())
	}
}
