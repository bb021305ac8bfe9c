//! Benchmarks of all calls and of each unit of the sweep, each at its worst case.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up must fail loudly")]

use super::*;
use crate::Pallet as AttestationPallet;
use alloc::vec;
use armature_primitives::{
	device::Tier,
	evidence::{
		Evidence, EvidenceBytes, EvidenceFormat, Inventory, InventoryStatement, InventoryText,
	},
	signing::{device_payload, Domain},
	traits::{BenchmarkDevices, DeviceInspect},
	DeviceId, H256,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{EnsureOrigin, Time, UnfilteredDispatchable},
	weights::WeightMeter,
};
use frame_system::RawOrigin;
use sp_runtime::KeyTypeId;

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"bnch");

/// Bytes of evidence whose three texts are empty.
const SMALLEST: u32 = 146;

/// The most bytes of the three texts.
const TEXTS: u32 = 3 * 128;

/// An Active device without attestation or nonce.
fn device<T: Config>(who: &T::AccountId) -> DeviceId {
	let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
	let id = T::BenchmarkHelper::active_device(who, key);
	Attestations::<T>::remove(id);
	Nonces::<T>::remove(id);
	id
}

fn record<T: Config>() -> Attestation {
	let now = T::Clock::now();
	Attestation {
		tier: Tier::T0,
		format: EvidenceFormat::DeviceKeyInventory,
		inventory: H256([1; 32]),
		attested_at: now.saturating_sub(1),
		expires_at: now,
		lapsed: false,
	}
}

/// Evidence of `bytes` bytes, or three more where the texts are long.
fn evidence<T: Config>(id: DeviceId, bytes: u32) -> EvidenceBytes {
	let mut left = bytes.saturating_sub(SMALLEST).min(TEXTS);
	let mut text = || {
		let len = left.min(128);
		left -= len;
		InventoryText::truncate_from(vec![b'x'; len as usize])
	};
	let statement = InventoryStatement {
		nonce: Nonces::<T>::get(id).unwrap().nonce,
		inventory: Inventory {
			cpu_model: text(),
			threads: 1,
			memory_mib: 1,
			storage_mib: 1,
			system: text(),
			agent: text(),
			machine_digest: H256([2; 32]),
		},
	};
	let genesis = AttestationPallet::<T>::genesis_hash();
	let payload = device_payload(Domain::Evidence, &genesis, id, &statement);
	let key = T::Devices::device(id).unwrap().key;
	let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key, &payload).unwrap();
	Evidence::DeviceKeyInventory { statement, signature }.to_bytes().unwrap()
}

#[benchmarks]
mod benches {
	use super::*;

	#[benchmark]
	fn request_nonce() {
		let who: T::AccountId = whitelisted_caller();
		let id = device::<T>(&who);
		let expired = IssuedNonce { nonce: H256([3; 32]), expires_at: T::Clock::now() };
		Nonces::<T>::insert(id, expired);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id);

		assert_ne!(Nonces::<T>::get(id), Some(expired));
	}

	#[benchmark]
	fn submit_evidence(b: Linear<SMALLEST, { SMALLEST + TEXTS }>) {
		let who: T::AccountId = whitelisted_caller();
		let id = device::<T>(&who);
		AttestationPallet::<T>::do_request_nonce(who.clone(), id).unwrap();
		Attestations::<T>::insert(id, record::<T>());
		let bytes = evidence::<T>(id, b);
		assert!(bytes.len() as u32 >= b);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id, bytes);

		assert!(Attestations::<T>::get(id).unwrap().holds(T::Clock::now()));
	}

	#[benchmark]
	fn revoke() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
		let who: T::AccountId = whitelisted_caller();
		let id = device::<T>(&who);
		AttestationPallet::<T>::do_request_nonce(who, id)?;
		Attestations::<T>::insert(id, record::<T>());
		let call = Call::<T>::revoke { device: id };

		#[block]
		{
			call.dispatch_bypass_filter(origin)?;
		}

		assert!(!Attestations::<T>::contains_key(id));
		assert!(!Nonces::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
		let parameters = AttestationParameters { nonce_lifetime: 77, ..Default::default() };
		let call = Call::<T>::set_parameters { parameters };

		#[block]
		{
			call.dispatch_bypass_filter(origin)?;
		}

		assert_eq!(Parameters::<T>::get(), parameters);
		Ok(())
	}

	#[benchmark]
	fn sweep_base() {
		AttestationCursor::<T>::put(DeviceId(7));
		NonceCursor::<T>::put(DeviceId(7));
		let mut meter = WeightMeter::with_limit(T::WeightInfo::sweep_base());

		#[block]
		{
			AttestationPallet::<T>::sweep(&mut meter);
		}

		assert_eq!(AttestationCursor::<T>::get(), Some(DeviceId(7)));
	}

	#[benchmark]
	fn sweep_attestation() {
		let who: T::AccountId = whitelisted_caller();
		let id = device::<T>(&who);
		Attestations::<T>::insert(id, record::<T>());
		let now = T::Clock::now();

		#[block]
		{
			AttestationPallet::<T>::sweep_attestation(None, now, 1, &mut WeightMeter::new());
		}

		assert!(Attestations::<T>::get(id).unwrap().lapsed);
	}

	#[benchmark]
	fn sweep_nonce() {
		let now = T::Clock::now();
		let id = DeviceId(3);
		Nonces::<T>::insert(id, IssuedNonce { nonce: H256([4; 32]), expires_at: now });

		#[block]
		{
			AttestationPallet::<T>::sweep_nonce(None, now);
		}

		assert!(!Nonces::<T>::contains_key(id));
	}

	impl_benchmark_test_suite!(AttestationPallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
