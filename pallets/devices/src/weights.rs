//! Weights of the calls.
// UNMEASURED: replaced by the bencher before release

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// What each call costs.
pub trait WeightInfo {
	/// Registers a provider with an operator.
	fn register_provider() -> Weight;
	/// Names an operator.
	fn set_operator() -> Weight;
	/// Registers the last site that a provider may have.
	fn register_site() -> Weight;
	/// Updates a site.
	fn update_site() -> Weight;
	/// Registers the last rack that a site may have.
	fn register_rack() -> Weight;
	/// Removes an empty rack.
	fn remove_rack() -> Weight;
	/// Removes an empty site.
	fn remove_site() -> Weight;
	/// Removes a provider without sites.
	fn deregister_provider() -> Weight;
	/// Registers a device in a rack; verifies one ed25519 signature.
	fn register_device() -> Weight;
	/// Drains a device on behalf of the operator.
	fn drain_device() -> Weight;
	/// Resumes a device on behalf of the operator.
	fn resume_device() -> Weight;
	/// Clears a jail and tops up the whole bond.
	fn clear_jail() -> Weight;
	/// Retires a device.
	fn retire_device() -> Weight;
	/// Withdraws the bond of a retired device in a rack.
	fn withdraw_bond() -> Weight;
	/// Sets the parameters.
	fn set_parameters() -> Weight;
}

/// Weights on the reference machine with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn register_provider() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn set_operator() -> Weight {
		Weight::from_parts(40_000_000, 4100)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn register_site() -> Weight {
		Weight::from_parts(40_000_000, 14500)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	fn update_site() -> Weight {
		Weight::from_parts(40_000_000, 4100)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn register_rack() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn remove_rack() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn remove_site() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn deregister_provider() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn register_device() -> Weight {
		Weight::from_parts(120_000_000, 27500)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(9))
	}
	fn drain_device() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn resume_device() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn clear_jail() -> Weight {
		Weight::from_parts(40_000_000, 14500)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn retire_device() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(40_000_000, 14500)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	fn set_parameters() -> Weight {
		Weight::from_parts(40_000_000, 1500).saturating_add(T::DbWeight::get().writes(1))
	}
}

impl WeightInfo for () {
	fn register_provider() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}
	fn set_operator() -> Weight {
		Weight::from_parts(40_000_000, 4100)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
	fn register_site() -> Weight {
		Weight::from_parts(40_000_000, 14500)
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().writes(6))
	}
	fn update_site() -> Weight {
		Weight::from_parts(40_000_000, 4100)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
	fn register_rack() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(3))
	}
	fn remove_rack() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(2))
	}
	fn remove_site() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(5))
	}
	fn deregister_provider() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(4))
	}
	fn register_device() -> Weight {
		Weight::from_parts(120_000_000, 27500)
			.saturating_add(RocksDbWeight::get().reads(10))
			.saturating_add(RocksDbWeight::get().writes(9))
	}
	fn drain_device() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
	fn resume_device() -> Weight {
		Weight::from_parts(40_000_000, 6700)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
	fn clear_jail() -> Weight {
		Weight::from_parts(40_000_000, 14500)
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().writes(3))
	}
	fn retire_device() -> Weight {
		Weight::from_parts(40_000_000, 11900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(40_000_000, 14500)
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().writes(7))
	}
	fn set_parameters() -> Weight {
		Weight::from_parts(40_000_000, 1500).saturating_add(RocksDbWeight::get().writes(1))
	}
}
