// UNMEASURED: replaced by the bencher before release
//! Weights of pallet-uptime.

#![allow(missing_docs)]

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// Weight functions needed for pallet-uptime.
pub trait WeightInfo {
	fn register_orchestrator() -> Weight;
	fn update_orchestrator() -> Weight;
	fn deregister_orchestrator() -> Weight;
	fn submit_leaf() -> Weight;
	fn set_parameters() -> Weight;
	fn record_block_time() -> Weight;
	fn sweep_base() -> Weight;
	fn sweep_record() -> Weight;
}

/// Weights for a Substrate chain.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn register_orchestrator() -> Weight {
		Weight::from_parts(60_000_000, 6_000).saturating_add(T::DbWeight::get().reads_writes(5, 4))
	}
	fn update_orchestrator() -> Weight {
		Weight::from_parts(20_000_000, 4_000).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}
	fn deregister_orchestrator() -> Weight {
		Weight::from_parts(55_000_000, 6_000).saturating_add(T::DbWeight::get().reads_writes(4, 4))
	}
	fn submit_leaf() -> Weight {
		Weight::from_parts(160_000_000, 14_000)
			.saturating_add(T::DbWeight::get().reads_writes(12, 5))
	}
	fn set_parameters() -> Weight {
		Weight::from_parts(10_000_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn record_block_time() -> Weight {
		Weight::from_parts(15_000_000, 3_000).saturating_add(T::DbWeight::get().reads_writes(4, 2))
	}
	fn sweep_base() -> Weight {
		Weight::from_parts(8_000_000, 3_000).saturating_add(T::DbWeight::get().reads_writes(5, 1))
	}
	fn sweep_record() -> Weight {
		Weight::from_parts(30_000_000, 8_000).saturating_add(T::DbWeight::get().reads_writes(5, 3))
	}
}

/// For tests.
impl WeightInfo for () {
	fn register_orchestrator() -> Weight {
		Weight::from_parts(60_000_000, 6_000)
			.saturating_add(RocksDbWeight::get().reads_writes(5, 4))
	}
	fn update_orchestrator() -> Weight {
		Weight::from_parts(20_000_000, 4_000)
			.saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}
	fn deregister_orchestrator() -> Weight {
		Weight::from_parts(55_000_000, 6_000)
			.saturating_add(RocksDbWeight::get().reads_writes(4, 4))
	}
	fn submit_leaf() -> Weight {
		Weight::from_parts(160_000_000, 14_000)
			.saturating_add(RocksDbWeight::get().reads_writes(12, 5))
	}
	fn set_parameters() -> Weight {
		Weight::from_parts(10_000_000, 0).saturating_add(RocksDbWeight::get().writes(1))
	}
	fn record_block_time() -> Weight {
		Weight::from_parts(15_000_000, 3_000)
			.saturating_add(RocksDbWeight::get().reads_writes(4, 2))
	}
	fn sweep_base() -> Weight {
		Weight::from_parts(8_000_000, 3_000).saturating_add(RocksDbWeight::get().reads_writes(5, 1))
	}
	fn sweep_record() -> Weight {
		Weight::from_parts(30_000_000, 8_000)
			.saturating_add(RocksDbWeight::get().reads_writes(5, 3))
	}
}
