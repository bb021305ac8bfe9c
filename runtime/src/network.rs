//! Lengths of the network that are fixed at genesis and belong to no pallet of their own.
//!
//! `pallet_babe` takes its epoch length as a constant of the code. Reading it from storage that
//! only genesis writes keeps it constant for a chain, and lets one Wasm serve a network whose
//! epochs take a minute and one whose epochs take hours. There is no call that changes it: a
//! change after genesis would stop block production.

pub use pallet::*;

/// Slots of a BABE epoch where genesis says nothing else: one hour.
pub const DEFAULT_BABE_EPOCH_SLOTS: u64 = 3_600_000 / crate::SLOT_DURATION;

/// The shortest BABE epoch that genesis accepts, in slots. A validator has to learn of the next
/// epoch before the present one ends.
pub const MIN_BABE_EPOCH_SLOTS: u64 = 10;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use core::marker::PhantomData;
	use frame_support::pallet_prelude::*;

	/// Holds the lengths.
	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Nothing to configure.
	#[pallet::config]
	pub trait Config: frame_system::Config {}

	/// The value of a chain whose genesis does not name one.
	#[pallet::type_value]
	pub fn DefaultEpochSlots() -> u64 {
		DEFAULT_BABE_EPOCH_SLOTS
	}

	/// Slots of a BABE epoch. Written at genesis, never after.
	#[pallet::storage]
	pub type BabeEpochSlots<T> = StorageValue<_, u64, ValueQuery, DefaultEpochSlots>;

	/// What genesis fixes.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// Slots of a BABE epoch, at least [`MIN_BABE_EPOCH_SLOTS`].
		pub babe_epoch_slots: u64,
		/// Binds the type parameter.
		#[serde(skip)]
		pub _config: PhantomData<T>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self { babe_epoch_slots: DEFAULT_BABE_EPOCH_SLOTS, _config: PhantomData }
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(
				self.babe_epoch_slots >= MIN_BABE_EPOCH_SLOTS,
				"network.babeEpochSlots is {}, the least is {MIN_BABE_EPOCH_SLOTS}",
				self.babe_epoch_slots,
			);
			BabeEpochSlots::<T>::put(self.babe_epoch_slots);
		}
	}
}

/// Reads the length of a BABE epoch in slots.
pub struct EpochDuration<T>(core::marker::PhantomData<T>);

impl<T: Config> frame_support::traits::Get<u64> for EpochDuration<T> {
	fn get() -> u64 {
		BabeEpochSlots::<T>::get()
	}
}
