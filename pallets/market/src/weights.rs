// UNMEASURED: replaced by the bencher before release
//! Weights of `pallet_market`.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// One weight per call and per unit of hook work.
pub trait WeightInfo {
	/// `set_ask`.
	fn set_ask() -> Weight;
	/// `withdraw_ask`.
	fn withdraw_ask() -> Weight;
	/// `submit_order`.
	fn submit_order() -> Weight;
	/// `cancel_order`.
	fn cancel_order() -> Weight;
	/// `top_up_order`.
	fn top_up_order() -> Weight;
	/// `expire_order`, also one expiry of the batch.
	fn expire_order() -> Weight;
	/// `set_parameters`.
	fn set_parameters() -> Weight;
	/// Deciding whether a batch is due, and its frame.
	fn batch_base() -> Weight;
	/// Reading one ask with everything known of its device.
	fn batch_ask() -> Weight;
	/// Reading one order and noting why it was not matched.
	fn batch_order() -> Weight;
	/// Checking one order against one ask, with a quote.
	fn batch_pair() -> Weight;
	/// Opening one lease.
	fn batch_match() -> Weight;
}

/// Weights with this runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn set_ask() -> Weight {
		Weight::from_parts(25_000_000, 10900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn withdraw_ask() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn submit_order() -> Weight {
		Weight::from_parts(65_000_000, 18700)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(7))
	}

	fn cancel_order() -> Weight {
		Weight::from_parts(60_000_000, 13500)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	fn top_up_order() -> Weight {
		Weight::from_parts(60_000_000, 10900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn expire_order() -> Weight {
		Weight::from_parts(60_000_000, 16100)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(8_000_000, 500)
			.saturating_add(T::DbWeight::get().reads(0))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn batch_base() -> Weight {
		Weight::from_parts(15_000_000, 18700)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn batch_ask() -> Weight {
		Weight::from_parts(30_000_000, 42100)
			.saturating_add(T::DbWeight::get().reads(16))
			.saturating_add(T::DbWeight::get().writes(2))
	}

	fn batch_order() -> Weight {
		Weight::from_parts(20_000_000, 5700)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn batch_pair() -> Weight {
		Weight::from_parts(15_000_000, 500).saturating_add(T::DbWeight::get().reads(0))
	}

	fn batch_match() -> Weight {
		Weight::from_parts(120_000_000, 52500)
			.saturating_add(T::DbWeight::get().reads(20))
			.saturating_add(T::DbWeight::get().writes(16))
	}
}

impl WeightInfo for () {
	fn set_ask() -> Weight {
		Weight::from_parts(25_000_000, 10900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn withdraw_ask() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn submit_order() -> Weight {
		Weight::from_parts(65_000_000, 18700)
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(7))
	}

	fn cancel_order() -> Weight {
		Weight::from_parts(60_000_000, 13500)
			.saturating_add(RocksDbWeight::get().reads(5))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn top_up_order() -> Weight {
		Weight::from_parts(60_000_000, 10900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn expire_order() -> Weight {
		Weight::from_parts(60_000_000, 16100)
			.saturating_add(RocksDbWeight::get().reads(6))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(8_000_000, 500)
			.saturating_add(RocksDbWeight::get().reads(0))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn batch_base() -> Weight {
		Weight::from_parts(15_000_000, 18700)
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn batch_ask() -> Weight {
		Weight::from_parts(30_000_000, 42100)
			.saturating_add(RocksDbWeight::get().reads(16))
			.saturating_add(RocksDbWeight::get().writes(2))
	}

	fn batch_order() -> Weight {
		Weight::from_parts(20_000_000, 5700)
			.saturating_add(RocksDbWeight::get().reads(2))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn batch_pair() -> Weight {
		Weight::from_parts(15_000_000, 500).saturating_add(RocksDbWeight::get().reads(0))
	}

	fn batch_match() -> Weight {
		Weight::from_parts(120_000_000, 52500)
			.saturating_add(RocksDbWeight::get().reads(20))
			.saturating_add(RocksDbWeight::get().writes(16))
	}
}
