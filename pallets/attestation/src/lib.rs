#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod cost;
mod disputes;
mod evidence;
mod inspect;
#[cfg(test)]
mod mock;
mod nonces;
mod records;
pub mod reference_values;
mod references;
mod renewal;
mod revocation;
mod sweep;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use reference_values::ReferenceValues;
pub use types::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use armature_primitives::{
		device::Tier,
		evidence::{EvidenceBytes, EvidenceFormat},
		traits::{DeviceInspect, DeviceLifecycle, LeaseGuard},
		Balance, DeviceId, Moment, H256,
	};
	use armature_verifier::evidence::CollateralKey;
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

		/// The most that [`LeaseGuard::on_tier_lost`] of `Leases` weighs.
		type LeaseEndWeight: Get<Weight>;

		/// Where nonces get their randomness from. It must not be known long before its block.
		type Randomness: Randomness<H256, BlockNumberFor<Self>>;

		/// The chain's time.
		type Clock: Time<Moment = Moment>;

		/// Who may revoke, restore, and change the parameters and the reference values.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The most records, nonces and pending renewals, of each, that the sweep looks at in one
		/// block.
		#[pallet::constant]
		type MaxSweepPerBlock: Get<u32>;

		/// The most hardware ids that are revoked at a time. Do not reduce.
		#[pallet::constant]
		type MaxRevokedHardware: Get<u32>;

		/// Measured weights.
		type WeightInfo: WeightInfo;

		/// Makes devices for the benchmarks and sets their time.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: armature_primitives::traits::BenchmarkDevices<Self::AccountId>
			+ armature_primitives::traits::BenchmarkClock;
	}

	/// Lengths and rates in force.
	#[pallet::storage]
	pub type Parameters<T> = StorageValue<_, AttestationParameters, ValueQuery>;

	/// How many nonces were handed out; part of each.
	#[pallet::storage]
	pub type NonceCount<T> = StorageValue<_, u64, ValueQuery>;

	/// The nonce that a device may use. Removed when used, revoked or swept.
	// The chain gives the ids.
	#[pallet::storage]
	pub type Nonces<T> = StorageMap<_, Twox64Concat, DeviceId, IssuedNonce, OptionQuery>;

	/// The last attestation of a device. Removed when it ended for good.
	// The chain gives the ids.
	#[pallet::storage]
	pub type Attestations<T> = StorageMap<_, Twox64Concat, DeviceId, Attestation, OptionQuery>;

	/// The record that the sweep looked at last; none at the start of a round.
	#[pallet::storage]
	pub type AttestationCursor<T> = StorageValue<_, DeviceId, OptionQuery>;

	/// The nonce that the sweep looked at last; none at the start of a round.
	#[pallet::storage]
	pub type NonceCursor<T> = StorageValue<_, DeviceId, OptionQuery>;

	/// The pending renewal that the sweep looked at last; none at the start of a round.
	#[pallet::storage]
	pub type PendingCursor<T> = StorageValue<_, DeviceId, OptionQuery>;

	/// The renewal of a device that may still be disputed. Removed when disputed or swept.
	// The chain gives the ids.
	#[pallet::storage]
	pub type PendingRenewals<T> =
		StorageMap<_, Twox64Concat, DeviceId, PendingRenewal, OptionQuery>;

	/// Which device a piece of hardware vouches for. As long as the device's record.
	// The keys are digests of what makers burned in; nobody chooses them.
	#[pallet::storage]
	pub type HardwareOwners<T> = StorageMap<_, Identity, H256, DeviceId, OptionQuery>;

	/// Whom the chain trusts and what it accepts.
	#[pallet::storage]
	pub type References<T> = StorageValue<_, ReferenceValues, ValueQuery>;

	/// Rises with every change of the reference values and with every revoked certificate. A record
	/// of an older generation counts only while none of its certificates is revoked.
	#[pallet::storage]
	pub type Generation<T> = StorageValue<_, u32, ValueQuery>;

	/// The generation at which the reference values changed last.
	#[pallet::storage]
	pub type ReferencesGeneration<T> = StorageValue<_, u32, ValueQuery>;

	/// SHA-256 of the revoked certificates, in rising order.
	#[pallet::storage]
	pub type RevokedCertificates<T> = StorageValue<_, RevokedList, ValueQuery>;

	/// Hardware that vouches for nothing.
	// Digests, chosen by the admin.
	#[pallet::storage]
	pub type RevokedHardware<T> = CountedStorageMap<_, Identity, H256, (), OptionQuery>;

	/// Issuing certificates whose signatures held, those that were not needed for longest first.
	#[pallet::storage]
	pub type KnownIssuers<T> =
		StorageValue<_, BoundedVec<KnownIssuer, ConstU32<MAX_KNOWN_ISSUERS>>, ValueQuery>;

	/// What Intel says of each kind of platform. Whoever submits it pays by its length.
	// Intel gives the keys.
	#[pallet::storage]
	pub type Collaterals<T> =
		StorageMap<_, Twox64Concat, CollateralKey, StoredCollateral, OptionQuery>;

	/// What is kept of each collateral beside its bytes.
	#[pallet::storage]
	pub type CollateralDirectory<T> = StorageValue<
		_,
		BoundedBTreeMap<CollateralKey, CollateralEntry, ConstU32<MAX_COLLATERALS>>,
		ValueQuery,
	>;

	/// How often evidence was refused after its hardware part was judged.
	#[pallet::storage]
	pub type FailedEvidence<T> = StorageValue<_, u64, ValueQuery>;

	/// What the chain starts with; the production values and the makers' roots unless given.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// See [`AttestationParameters`].
		pub parameters: AttestationParameters,
		/// See [`ReferenceValues`].
		pub reference_values: ReferenceValues,
		#[serde(skip)]
		#[doc(hidden)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.parameters.validate(), "attestation parameters of genesis are invalid");
			assert!(self.reference_values.validate(), "reference values of genesis are invalid");
			Parameters::<T>::put(self.parameters);
			References::<T>::put(&self.reference_values);
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
			/// Whether only `submit_evidence` takes it. By the draw of a later block it may be so all the
			/// same.
			full: bool,
		},
		/// A device is attested: its evidence was verified in full.
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
		/// Evidence of hardware was verified and does not count. The nonce can still be used.
		EvidenceRefused {
			/// The device.
			device: DeviceId,
			/// Why, as an error of this pallet.
			error: DispatchError,
		},
		/// A device's attestation goes on; whoever doubts the evidence may dispute it.
		Renewed {
			/// The device.
			device: DeviceId,
			/// The first instant at which it does not hold any more.
			expires_at: Moment,
			/// The first instant at which it cannot be disputed any more.
			disputable_until: Moment,
		},
		/// The evidence of a disputed renewal was verified in full and holds.
		RenewalUpheld {
			/// The device.
			device: DeviceId,
		},
		/// The evidence of a disputed renewal does not hold by what the chain keeps now, which changed
		/// since. The attestation goes on to its end; the next evidence is verified in full.
		RenewalOutdated {
			/// The device.
			device: DeviceId,
			/// Why, as an error of this pallet.
			error: DispatchError,
		},
		/// The evidence of a disputed renewal does not hold.
		RenewalRefuted {
			/// The device.
			device: DeviceId,
			/// Why, as an error of this pallet.
			error: DispatchError,
			/// What was taken from the bond; zero where nothing was forged.
			slashed: Balance,
		},
		/// A device's attestation ends soon: it may be renewed now.
		AttestationExpiring {
			/// The device.
			device: DeviceId,
			/// The first instant at which it does not hold any more.
			expires_at: Moment,
		},
		/// A device's attestation ended. The device keeps its state for the grace period, without a
		/// tier.
		AttestationInGrace {
			/// The device.
			device: DeviceId,
			/// The first instant at which the device loses its state.
			until: Moment,
		},
		/// A device's attestation and its grace ended without a renewal.
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
		/// The reference values changed: the next evidence of every device is verified in full.
		ReferenceValuesSet {
			/// Their generation.
			generation: u32,
		},
		/// What Intel says of one kind of platform is on chain.
		CollateralStored {
			/// Which platforms.
			key: CollateralKey,
			/// What is kept of it.
			entry: CollateralEntry,
		},
		/// Nothing that rests on this certificate counts any more.
		CertificateRevoked {
			/// SHA-256 of the certificate in DER.
			sha256: H256,
		},
		/// Evidence may rest on this certificate again.
		CertificateRestored {
			/// SHA-256 of the certificate in DER.
			sha256: H256,
		},
		/// This hardware vouches for nothing any more.
		HardwareRevoked {
			/// Its id.
			id: H256,
		},
		/// This hardware may vouch for a device again.
		HardwareRestored {
			/// Its id.
			id: H256,
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
		/// What the hardware says does not hold or is not accepted.
		Hardware(HardwareFailure),
		/// There is no collateral for this platform that holds now: call `submit_collateral` first.
		CollateralMissing,
		/// GPUs count only beside a confidential platform.
		GpuWithoutConfidentialPlatform,
		/// The evidence is of more hardware, or rests on more certificates, than any honest evidence.
		TooManyParts,
		/// The evidence rests on a revoked certificate.
		CertificateIsRevoked,
		/// The hardware is revoked.
		HardwareIsRevoked,
		/// The hardware vouches for another device.
		HardwareInUse,
		/// The evidence is of other hardware than the device's record: wait until the record is gone.
		IdentityChanged,
		/// Only a hardware attestation that holds can be renewed: call `submit_evidence`.
		NotRenewable,
		/// This renewal must be verified in full: call `submit_evidence`.
		FullEvidenceNeeded,
		/// The evidence is of another format than the record: call `submit_evidence`.
		DifferentFormat,
		/// The device has no renewal that could be disputed.
		NoPendingRenewal,
		/// The renewal cannot be disputed any more.
		DisputeWindowOver,
		/// These are not the bytes that the renewal was made with.
		OtherEvidence,
		/// A text of the collateral is not UTF-8.
		MalformedCollateral,
		/// The collateral on chain is as new, or has higher numbers.
		CollateralNotNewer,
		/// There is room for no more platforms, and no collateral that ended.
		TooManyCollaterals,
		/// The reference values name a product or a register twice.
		InvalidReferenceValues,
		/// It is revoked already.
		AlreadyRevoked,
		/// It is not revoked.
		NotRevoked,
		/// There is room for no more.
		TooManyRevoked,
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
			assert!(T::MaxRevokedHardware::get() > 0, "hardware has to be revocable");
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
		/// A failure leaves the nonce as it is: it can be used again while it lasts. Evidence of
		/// hardware that was verified and does not count ends as success with `EvidenceRefused`, so
		/// that it is counted. Evidence of a lower tier than before ends an open lease whose order asks
		/// for more.
		#[pallet::call_index(1)]
		#[pallet::weight(
			cost::in_full::<T::WeightInfo>(evidence).saturating_add(T::LeaseEndWeight::get())
		)]
		pub fn submit_evidence(
			origin: OriginFor<T>,
			device: DeviceId,
			evidence: EvidenceBytes,
		) -> DispatchResultWithPostInfo {
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

		/// Renews a hardware attestation without verifying the hardware part of the evidence. For the
		/// provider or its operator.
		///
		/// The evidence stays in the block, and anyone may have it verified with `dispute_renewal`
		/// until the dispute window is over.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::renew(cost::len(evidence)))]
		pub fn renew(
			origin: OriginFor<T>,
			device: DeviceId,
			evidence: EvidenceBytes,
		) -> DispatchResult {
			Self::do_renew(ensure_signed(origin)?, device, &evidence)
		}

		/// Has the evidence of a renewal verified in full. For anyone.
		///
		/// Free when it did not hold when it was sent: the attestation ends, and the device is slashed
		/// where the evidence was forged.
		#[pallet::call_index(5)]
		#[pallet::weight(
			T::WeightInfo::dispute_renewal()
				.saturating_add(T::LeaseEndWeight::get())
				.saturating_add(cost::in_full::<T::WeightInfo>(evidence))
		)]
		pub fn dispute_renewal(
			origin: OriginFor<T>,
			device: DeviceId,
			evidence: EvidenceBytes,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_dispute_renewal(device, &evidence)
		}

		/// Puts on chain what Intel says of one kind of platform. For anyone: Intel signed it.
		///
		/// It must hold now, and be newer than what is there.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::submit_collateral(
			u32::try_from(collateral.encoded_size()).unwrap_or(u32::MAX)
		))]
		pub fn submit_collateral(
			origin: OriginFor<T>,
			collateral: StoredCollateral,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_submit_collateral(collateral)
		}

		/// Changes whom the chain trusts and what it accepts. Attestations keep the ends that they
		/// have, but for renewals under a root that is gone, which end when they are disputed; the
		/// next evidence of each device is verified in full.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::set_reference_values())]
		pub fn set_reference_values(
			origin: OriginFor<T>,
			values: ReferenceValues,
		) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_reference_values(values)
		}

		/// Revokes a certificate: no attestation that rests on it counts any more.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::revoke_certificate())]
		pub fn revoke_certificate(origin: OriginFor<T>, sha256: H256) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_revoke_certificate(sha256)
		}

		/// Takes a certificate off the list of revoked ones. Attestations that ended stay ended.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::restore_certificate())]
		pub fn restore_certificate(origin: OriginFor<T>, sha256: H256) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_restore_certificate(sha256)
		}

		/// Revokes a piece of hardware, and ends the attestation that it is part of and the open lease.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::revoke_hardware().saturating_add(T::LeaseEndWeight::get()))]
		pub fn revoke_hardware(origin: OriginFor<T>, id: H256) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_revoke_hardware(id)
		}

		/// Takes a piece of hardware off the list of revoked ones.
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::restore_hardware())]
		pub fn restore_hardware(origin: OriginFor<T>, id: H256) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_restore_hardware(id)
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

		/// The renewal of a device, if it may still be disputed.
		pub fn pending_renewal(device: DeviceId) -> Option<PendingRenewal> {
			Self::disputable(device, T::Clock::now())
		}

		/// What evidence for the device's nonce would come to if it were verified in full now; the
		/// error that it would be refused with. An agent asks before it submits: a renewal that
		/// does not hold costs the bond.
		pub fn evidence_outlook(
			device: DeviceId,
			evidence: EvidenceBytes,
		) -> Result<EvidenceOutlook, DispatchError> {
			Self::outlook(device, &evidence)
		}

		/// What `dispute_renewal` with this evidence would come to now; an error where it would be
		/// refused. Verifiers ask before they dispute: it runs on their node, at nobody's cost.
		pub fn expected_dispute_outcome(
			device: DeviceId,
			evidence: EvidenceBytes,
		) -> Result<DisputeOutcome, DispatchError> {
			Self::expected_outcome(device, &evidence)
		}

		/// The device that a piece of hardware vouches for.
		pub fn hardware_owner(id: H256) -> Option<DeviceId> {
			HardwareOwners::<T>::get(id)
		}

		/// What is kept of the collateral for one kind of platform, beside its bytes.
		pub fn collateral(key: CollateralKey) -> Option<CollateralEntry> {
			CollateralDirectory::<T>::get().get(&key).copied()
		}
	}
}
