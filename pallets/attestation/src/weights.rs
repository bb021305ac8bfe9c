//! Weights of the calls and of the sweep's steps.
// UNMEASURED: replaced by the bencher before release

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::RocksDbWeight, Weight},
};

/// What each call and each step costs.
pub trait WeightInfo {
	/// Hands out a nonce in place of an expired one.
	fn request_nonce() -> Weight;
	/// Renews an attestation with `b` bytes of evidence; verifies one ed25519 signature.
	fn submit_evidence(b: u32) -> Weight;
	/// Revokes an attestation with a nonce pending.
	fn revoke() -> Weight;
	/// Sets the parameters.
	fn set_parameters() -> Weight;
	/// The sweep's fixed part: parameters, time and both cursors.
	fn sweep_base() -> Weight;
	/// One record that expired: the registry is told.
	fn sweep_attestation() -> Weight;
	/// One nonce that expired: it is removed.
	fn sweep_nonce() -> Weight;
}

/// Weights on the reference machine with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn request_nonce() -> Weight {
		Weight::from_parts(35_000_000, 19700)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn submit_evidence(b: u32) -> Weight {
		Weight::from_parts(110_000_000, 19700)
			.saturating_add(Weight::from_parts(3_000, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn revoke() -> Weight {
		Weight::from_parts(35_000_000, 9300)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn set_parameters() -> Weight {
		Weight::from_parts(35_000_000, 1500).saturating_add(T::DbWeight::get().writes(1))
	}
	fn sweep_base() -> Weight {
		Weight::from_parts(10_000_000, 11900)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn sweep_attestation() -> Weight {
		Weight::from_parts(25_000_000, 9300)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn sweep_nonce() -> Weight {
		Weight::from_parts(12_000_000, 4100)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}

impl WeightInfo for () {
	fn request_nonce() -> Weight {
		Weight::from_parts(35_000_000, 19700)
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(2))
	}
	fn submit_evidence(b: u32) -> Weight {
		Weight::from_parts(110_000_000, 19700)
			.saturating_add(Weight::from_parts(3_000, 0).saturating_mul(b.into()))
			.saturating_add(RocksDbWeight::get().reads(7))
			.saturating_add(RocksDbWeight::get().writes(3))
	}
	fn revoke() -> Weight {
		Weight::from_parts(35_000_000, 9300)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(3))
	}
	fn set_parameters() -> Weight {
		Weight::from_parts(35_000_000, 1500).saturating_add(RocksDbWeight::get().writes(1))
	}
	fn sweep_base() -> Weight {
		Weight::from_parts(10_000_000, 11900)
			.saturating_add(RocksDbWeight::get().reads(4))
			.saturating_add(RocksDbWeight::get().writes(2))
	}
	fn sweep_attestation() -> Weight {
		Weight::from_parts(25_000_000, 9300)
			.saturating_add(RocksDbWeight::get().reads(3))
			.saturating_add(RocksDbWeight::get().writes(2))
	}
	fn sweep_nonce() -> Weight {
		Weight::from_parts(12_000_000, 4100)
			.saturating_add(RocksDbWeight::get().reads(1))
			.saturating_add(RocksDbWeight::get().writes(1))
	}
}
