// UNMEASURED: replaced by the bencher before release
//! Weights of `pallet_leases`.

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// One weight per call and per unit of hook work.
pub trait WeightInfo {
	/// `acknowledge`.
	fn acknowledge() -> Weight;
	/// `decline`.
	fn decline() -> Weight;
	/// `start`.
	fn start() -> Weight;
	/// `report_result`.
	fn report_result() -> Weight;
	/// `accept_result`.
	fn accept_result() -> Weight;
	/// `dispute_result`.
	fn dispute_result() -> Weight;
	/// `resolve_dispute`, the more expensive of its outcomes.
	fn resolve_dispute() -> Weight;
	/// `cancel_lease`.
	fn cancel_lease() -> Weight;
	/// `settle_expired`, also one timeout of the sweep.
	fn settle_expired() -> Weight;
	/// `release_deferred`.
	fn release_deferred() -> Weight;
	/// `set_parameters`.
	fn set_parameters() -> Weight;
	/// A sweep that finds nothing to do.
	fn sweep_base() -> Weight;
	/// One empty bucket of the sweep.
	fn sweep_bucket() -> Weight;
}

/// Weights with this runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn acknowledge() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn decline() -> Weight {
		Weight::from_parts(80_000_000, 36900)
			.saturating_add(T::DbWeight::get().reads(14))
			.saturating_add(T::DbWeight::get().writes(14))
	}

	fn start() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn report_result() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}

	fn accept_result() -> Weight {
		Weight::from_parts(110_000_000, 42100)
			.saturating_add(T::DbWeight::get().reads(16))
			.saturating_add(T::DbWeight::get().writes(18))
	}

	fn dispute_result() -> Weight {
		Weight::from_parts(70_000_000, 26500)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(6))
	}

	fn resolve_dispute() -> Weight {
		Weight::from_parts(160_000_000, 62900)
			.saturating_add(T::DbWeight::get().reads(24))
			.saturating_add(T::DbWeight::get().writes(26))
	}

	fn cancel_lease() -> Weight {
		Weight::from_parts(80_000_000, 36900)
			.saturating_add(T::DbWeight::get().reads(14))
			.saturating_add(T::DbWeight::get().writes(14))
	}

	fn settle_expired() -> Weight {
		Weight::from_parts(120_000_000, 47300)
			.saturating_add(T::DbWeight::get().reads(18))
			.saturating_add(T::DbWeight::get().writes(20))
	}

	fn release_deferred() -> Weight {
		Weight::from_parts(60_000_000, 10900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(8_000_000, 500)
			.saturating_add(T::DbWeight::get().reads(0))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn sweep_base() -> Weight {
		Weight::from_parts(6_000_000, 8300)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}

	fn sweep_bucket() -> Weight {
		Weight::from_parts(5_000_000, 3100)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}

impl WeightInfo for () {
	fn acknowledge() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn decline() -> Weight {
		Weight::from_parts(80_000_000, 36900)
			.saturating_add(RocksDbWeight::get().reads(14))
			.saturating_add(RocksDbWeight::get().writes(14))
	}

	fn start() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn report_result() -> Weight {
		Weight::from_parts(20_000_000, 10900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(3))
	}

	fn accept_result() -> Weight {
		Weight::from_parts(110_000_000, 42100)
			.saturating_add(RocksDbWeight::get().reads(16))
			.saturating_add(RocksDbWeight::get().writes(18))
	}

	fn dispute_result() -> Weight {
		Weight::from_parts(70_000_000, 26500)
			.saturating_add(RocksDbWeight::get().reads(10))
			.saturating_add(RocksDbWeight::get().writes(6))
	}

	fn resolve_dispute() -> Weight {
		Weight::from_parts(160_000_000, 62900)
			.saturating_add(RocksDbWeight::get().reads(24))
			.saturating_add(RocksDbWeight::get().writes(26))
	}

	fn cancel_lease() -> Weight {
		Weight::from_parts(80_000_000, 36900)
			.saturating_add(RocksDbWeight::get().reads(14))
			.saturating_add(RocksDbWeight::get().writes(14))
	}

	fn settle_expired() -> Weight {
		Weight::from_parts(120_000_000, 47300)
			.saturating_add(RocksDbWeight::get().reads(18))
			.saturating_add(RocksDbWeight::get().writes(20))
	}

	fn release_deferred() -> Weight {
		Weight::from_parts(60_000_000, 10900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(4))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(8_000_000, 500)
			.saturating_add(RocksDbWeight::get().reads(0))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn sweep_base() -> Weight {
		Weight::from_parts(6_000_000, 8300)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(1))
	}

	fn sweep_bucket() -> Weight {
		Weight::from_parts(5_000_000, 3100)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
}
