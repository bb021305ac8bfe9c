//! Benchmarks: every call and every unit of the batch.

use super::*;
use crate::checks::Load;
use armature_primitives::{
	device::Tier,
	ed25519,
	market::{AskTerms, OrderSpec, Refusal, RefusalReason},
	traits::{BenchmarkDevices, LeaseOpener},
	units::ARMA,
	DeviceId, OrderId, Ppm, H256,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{fungible::Mutate, EnsureOrigin, Get},
	weights::WeightMeter,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_runtime::traits::Zero;

const PRICE: u128 = 100 * ARMA;

fn terms() -> AskTerms {
	AskTerms { price_per_gfuel: ARMA, reserve_per_gfuel: Some(ARMA) }
}

fn spec<T: Config>() -> OrderSpec {
	OrderSpec {
		module: H256::repeat_byte(1),
		input: H256::repeat_byte(2),
		max_fuel: 1_000_000_000,
		max_memory_mib: 1,
		max_duration_millis: T::MaxDurationMillis::get(),
		max_price_per_gfuel: PRICE,
		min_tier: Tier::T0,
		min_availability: Ppm(0),
		min_steps_per_second: 0,
		region: None,
		deadline: Pallet::<T>::now().saturating_add(T::MaxOrderLifeMillis::get()),
	}
}

/// A device with an ask, and its provider.
fn asking<T: Config>() -> (T::AccountId, DeviceId) {
	Params::<T>::put(Parameters::default());
	// Account 3 in number: the mock's only provider; any account elsewhere.
	let provider: T::AccountId = provider::<T>();
	let device =
		T::BenchmarkHelper::matchable_device(&provider, ed25519::Public::from_raw([7; 32]));
	Pallet::<T>::do_set_ask(&provider, device, terms()).expect("the helper's device");
	(provider, device)
}

fn provider<T: Config>() -> T::AccountId {
	#[cfg(test)]
	{
		let id = codec::Encode::encode(&crate::mock::PROVIDER);
		if let Ok(provider) = codec::Decode::decode(&mut &id[..]) {
			return provider;
		}
	}
	let provider: T::AccountId = account("provider", 0, 0);
	T::Currency::set_balance(&provider, 1_000_000 * ARMA);
	provider
}

/// An open order after `provider`'s device exists, so that its deadline is in the block's time.
fn ordered<T: Config>() -> (T::AccountId, OrderId) {
	let tenant: T::AccountId = account("tenant", 0, 0);
	T::Currency::set_balance(&tenant, 1_000_000 * ARMA);
	let order = NextOrderId::<T>::get();
	Pallet::<T>::do_submit_order(tenant.clone(), spec::<T>()).expect("funds and a valid spec");
	(tenant, order)
}

#[benchmarks]
mod benches {
	use super::*;

	#[benchmark]
	fn set_ask() {
		let (provider, device) = asking::<T>();
		Asks::<T>::remove(device);
		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device, terms());
		assert_eq!(Asks::<T>::get(device), Some(terms()));
	}

	#[benchmark]
	fn withdraw_ask() {
		let (provider, device) = asking::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device);
		assert_eq!(Asks::<T>::get(device), None);
	}

	#[benchmark]
	fn submit_order() {
		let (tenant, first) = ordered::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(tenant), spec::<T>());
		assert!(first.next().is_some_and(OpenOrders::<T>::contains_key));
	}

	#[benchmark]
	fn cancel_order() {
		let (tenant, order) = ordered::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(tenant), order);
		assert!(!OpenOrders::<T>::contains_key(order));
	}

	#[benchmark]
	fn top_up_order() {
		let (tenant, order) = ordered::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(tenant), order, PRICE * 2);
		let order = OpenOrders::<T>::get(order).expect("open");
		assert_eq!(order.escrow, PRICE * 2);
	}

	#[benchmark]
	fn expire_order() {
		let _ = asking::<T>();
		let (tenant, order) = ordered::<T>();
		assert!(Pallet::<T>::now() > 0, "benchmarks need a block time");
		OpenOrders::<T>::mutate(order, |order| {
			if let Some(order) = order {
				order.spec.deadline = 0;
			}
		});
		#[extrinsic_call]
		_(RawOrigin::Signed(tenant), order);
		assert!(!OpenOrders::<T>::contains_key(order));
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let parameters = Parameters { batch_blocks: 17, ..Default::default() };
		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, parameters.clone());
		assert_eq!(Params::<T>::get(), parameters);
		Ok(())
	}

	// A due batch of one order and no ask: its frame with all that it writes, and one order more
	// than there need be.
	#[benchmark]
	fn batch_base() {
		Params::<T>::put(Parameters::default());
		let (_, order) = ordered::<T>();
		LastBatch::<T>::put(BlockNumberFor::<T>::zero());
		let block = BlockNumberFor::<T>::from(1_000u32);
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::on_batch_block(block, &mut meter);
		}
		assert_eq!(LastBatch::<T>::get(), block);
		assert!(OpenOrders::<T>::contains_key(order));
	}

	#[benchmark]
	fn batch_ask() {
		let (_, device) = asking::<T>();
		let found;
		#[block]
		{
			let first = Asks::<T>::iter().next();
			AskCursor::<T>::put(device);
			found = first.and_then(|(device, terms)| {
				let candidate = Pallet::<T>::candidate(device, terms, Pallet::<T>::now())?;
				let busy = T::Leases::is_busy(device);
				Some((busy, T::Leases::reserved_power(candidate.info.site)))
			});
		}
		assert!(found.is_some_and(|(busy, _)| !busy));
	}

	#[benchmark]
	fn batch_order() {
		let (_, order) = ordered::<T>();
		let refusal = Refusal { device: Some(DeviceId(1)), reason: RefusalReason::Busy };
		#[block]
		{
			let first = OpenOrders::<T>::iter().next();
			OrderCursor::<T>::put(order);
			if let Some((id, _)) = first {
				Pallet::<T>::note_refusal(id, Some(refusal));
			}
		}
		let order = OpenOrders::<T>::get(order).expect("open");
		assert_eq!(order.last_refusal, Some(refusal));
	}

	#[benchmark]
	fn batch_pair() {
		let (_, device) = asking::<T>();
		let (_, order) = ordered::<T>();
		let now = Pallet::<T>::now();
		let candidate = Pallet::<T>::candidate(device, terms(), now).expect("exists");
		let order = OpenOrders::<T>::get(order).expect("open");
		let load = Load { busy: false, reserved: T::Leases::reserved_power(candidate.info.site) };
		let fuel_per_step = Params::<T>::get().fuel_per_step;
		let agreed;
		#[block]
		{
			agreed = Pallet::<T>::check(&order.spec, &candidate, load, now, fuel_per_step);
		}
		assert!(agreed.is_ok(), "{agreed:?}");
	}

	#[benchmark]
	fn batch_match() {
		let (_, device) = asking::<T>();
		let (_, order) = ordered::<T>();
		let now = Pallet::<T>::now();
		let candidate = Pallet::<T>::candidate(device, terms(), now).expect("exists");
		let fuel_per_step = Params::<T>::get().fuel_per_step;
		let opened;
		#[block]
		{
			opened = Pallet::<T>::execute(order, &candidate, now, fuel_per_step);
		}
		assert!(opened.is_ok(), "{opened:?}");
		assert!(MatchedOrders::<T>::contains_key(order));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
