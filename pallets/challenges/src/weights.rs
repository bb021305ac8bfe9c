//! Weights of the calls and of the hooks' units of work.
// UNMEASURED: replaced by the bencher before release

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// What the calls and the hooks' units of work cost.
pub trait WeightInfo {
	/// `register_verifier`.
	fn register_verifier() -> Weight;
	/// `update_verifier`.
	fn update_verifier() -> Weight;
	/// `retire_verifier`.
	fn retire_verifier() -> Weight;
	/// `withdraw_verifier_bond`.
	fn withdraw_verifier_bond() -> Weight;
	/// `enrol_device`.
	fn enrol_device() -> Weight;
	/// `request_challenge`.
	fn request_challenge() -> Weight;
	/// `post_verdicts` with `n` verdicts, each of which closes its round.
	fn post_verdicts(n: u32) -> Weight;
	/// `set_parameters`.
	fn set_parameters() -> Weight;
	/// A block's part of a draw, without the devices that it looks at.
	fn draw_base() -> Weight;
	/// Looking at one device without opening a round.
	fn visit_candidate() -> Weight;
	/// Looking at one device and forgetting it.
	fn drop_candidate() -> Weight;
	/// Looking at one device and opening a round.
	fn open_round() -> Weight;
	/// The closing sweep, without the rounds that it looks at.
	fn close_base() -> Weight;
	/// Passing over one round.
	fn skip_round() -> Weight;
	/// Closing one round.
	fn close_round() -> Weight;
}

/// Weights for a runtime.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn register_verifier() -> Weight {
		Weight::from_parts(60_000_000, 5_000).saturating_add(T::DbWeight::get().reads_writes(5, 4))
	}

	fn update_verifier() -> Weight {
		Weight::from_parts(25_000_000, 4_000).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}

	fn retire_verifier() -> Weight {
		Weight::from_parts(35_000_000, 6_000).saturating_add(T::DbWeight::get().reads_writes(4, 2))
	}

	fn withdraw_verifier_bond() -> Weight {
		Weight::from_parts(60_000_000, 8_000).saturating_add(T::DbWeight::get().reads_writes(6, 4))
	}

	fn enrol_device() -> Weight {
		Weight::from_parts(35_000_000, 8_000).saturating_add(T::DbWeight::get().reads_writes(5, 4))
	}

	fn request_challenge() -> Weight {
		Weight::from_parts(40_000_000, 9_000).saturating_add(T::DbWeight::get().reads_writes(9, 3))
	}

	fn post_verdicts(n: u32) -> Weight {
		Weight::from_parts(20_000_000, 3000)
			.saturating_add(Weight::from_parts(80_000_000, 9_000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads_writes(2, 0))
			.saturating_add(T::DbWeight::get().reads_writes(9, 8).saturating_mul(n.into()))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(15_000_000, 1_500).saturating_add(T::DbWeight::get().reads_writes(0, 1))
	}

	fn draw_base() -> Weight {
		Weight::from_parts(40_000_000, 12_000)
			.saturating_add(T::DbWeight::get().reads_writes(12, 4))
	}

	fn visit_candidate() -> Weight {
		Weight::from_parts(30_000_000, 6_000).saturating_add(T::DbWeight::get().reads_writes(6, 3))
	}

	fn drop_candidate() -> Weight {
		Weight::from_parts(30_000_000, 6_000).saturating_add(T::DbWeight::get().reads_writes(4, 4))
	}

	fn open_round() -> Weight {
		Weight::from_parts(150_000_000, 12_000)
			.saturating_add(T::DbWeight::get().reads_writes(9, 10))
	}

	fn close_base() -> Weight {
		Weight::from_parts(10_000_000, 2_000).saturating_add(T::DbWeight::get().reads_writes(3, 1))
	}

	fn skip_round() -> Weight {
		Weight::from_parts(10_000_000, 3_000).saturating_add(T::DbWeight::get().reads_writes(1, 0))
	}

	fn close_round() -> Weight {
		Weight::from_parts(70_000_000, 9_000).saturating_add(T::DbWeight::get().reads_writes(8, 10))
	}
}

/// For tests.
impl WeightInfo for () {
	fn register_verifier() -> Weight {
		Weight::from_parts(60_000_000, 5_000)
			.saturating_add(RocksDbWeight::get().reads_writes(5, 4))
	}

	fn update_verifier() -> Weight {
		Weight::from_parts(25_000_000, 4_000)
			.saturating_add(RocksDbWeight::get().reads_writes(1, 1))
	}

	fn retire_verifier() -> Weight {
		Weight::from_parts(35_000_000, 6_000)
			.saturating_add(RocksDbWeight::get().reads_writes(4, 2))
	}

	fn withdraw_verifier_bond() -> Weight {
		Weight::from_parts(60_000_000, 8_000)
			.saturating_add(RocksDbWeight::get().reads_writes(6, 4))
	}

	fn enrol_device() -> Weight {
		Weight::from_parts(35_000_000, 8_000)
			.saturating_add(RocksDbWeight::get().reads_writes(5, 4))
	}

	fn request_challenge() -> Weight {
		Weight::from_parts(40_000_000, 9_000)
			.saturating_add(RocksDbWeight::get().reads_writes(9, 3))
	}

	fn post_verdicts(n: u32) -> Weight {
		Weight::from_parts(20_000_000, 3000)
			.saturating_add(Weight::from_parts(80_000_000, 9_000).saturating_mul(n.into()))
			.saturating_add(RocksDbWeight::get().reads_writes(2, 0))
			.saturating_add(RocksDbWeight::get().reads_writes(9, 8).saturating_mul(n.into()))
	}

	fn set_parameters() -> Weight {
		Weight::from_parts(15_000_000, 1_500)
			.saturating_add(RocksDbWeight::get().reads_writes(0, 1))
	}

	fn draw_base() -> Weight {
		Weight::from_parts(40_000_000, 12_000)
			.saturating_add(RocksDbWeight::get().reads_writes(12, 4))
	}

	fn visit_candidate() -> Weight {
		Weight::from_parts(30_000_000, 6_000)
			.saturating_add(RocksDbWeight::get().reads_writes(6, 3))
	}

	fn drop_candidate() -> Weight {
		Weight::from_parts(30_000_000, 6_000)
			.saturating_add(RocksDbWeight::get().reads_writes(4, 4))
	}

	fn open_round() -> Weight {
		Weight::from_parts(150_000_000, 12_000)
			.saturating_add(RocksDbWeight::get().reads_writes(9, 10))
	}

	fn close_base() -> Weight {
		Weight::from_parts(10_000_000, 2_000)
			.saturating_add(RocksDbWeight::get().reads_writes(3, 1))
	}

	fn skip_round() -> Weight {
		Weight::from_parts(10_000_000, 3_000)
			.saturating_add(RocksDbWeight::get().reads_writes(1, 0))
	}

	fn close_round() -> Weight {
		Weight::from_parts(70_000_000, 9_000)
			.saturating_add(RocksDbWeight::get().reads_writes(8, 10))
	}
}
