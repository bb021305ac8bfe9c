// UNMEASURED: replaced by the bencher before release
//! Weights of `pallet_energy`.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// One weight for each call.
pub trait WeightInfo {
	/// `set_tariff`.
	fn set_tariff() -> Weight;
	/// `clear_tariff`.
	fn clear_tariff() -> Weight;
	/// `add_feeder`, with room for one more.
	fn add_feeder() -> Weight;
	/// `remove_feeder`, from a full list.
	fn remove_feeder() -> Weight;
	/// `submit_rate`, with a full list of fresh rates.
	fn submit_rate() -> Weight;
	/// `set_parameters`.
	fn set_parameters() -> Weight;
	/// `review`, when the device changes its state.
	fn review() -> Weight;
	/// `reap_device`, with all records there are.
	fn reap_device() -> Weight;
}

/// Weights with this runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn set_tariff() -> Weight {
		Weight::from_parts(25_000_000, 8000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn clear_tariff() -> Weight {
		Weight::from_parts(22_000_000, 8000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn add_feeder() -> Weight {
		Weight::from_parts(20_000_000, 6000)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn remove_feeder() -> Weight {
		Weight::from_parts(20_000_000, 6000)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn submit_rate() -> Weight {
		Weight::from_parts(24_000_000, 6000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(10_000_000, 2000)
			.saturating_add(T::DbWeight::get().reads(0))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn review() -> Weight {
		Weight::from_parts(35_000_000, 12000)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn reap_device() -> Weight {
		Weight::from_parts(20_000_000, 9000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
}

impl WeightInfo for () {
	fn set_tariff() -> Weight {
		Weight::from_parts(25_000_000, 8000)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn clear_tariff() -> Weight {
		Weight::from_parts(22_000_000, 8000)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn add_feeder() -> Weight {
		Weight::from_parts(20_000_000, 6000)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn remove_feeder() -> Weight {
		Weight::from_parts(20_000_000, 6000)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn submit_rate() -> Weight {
		Weight::from_parts(24_000_000, 6000)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(10_000_000, 2000)
			.saturating_add(RocksDbWeight::get().reads(0))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn review() -> Weight {
		Weight::from_parts(35_000_000, 12000)
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn reap_device() -> Weight {
		Weight::from_parts(20_000_000, 9000)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(2))
	}
}
