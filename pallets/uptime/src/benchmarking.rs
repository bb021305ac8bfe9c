//! Benchmarks: every call and every unit of work of the hooks, in its worst case.

use super::*;
use alloc::{vec, vec::Vec};
use armature_primitives::{
	ed25519,
	service::{ServiceAddress, MAX_ADDRESS_LEN},
	signing::{device_payload, Domain},
	telemetry::{Leaf, TelemetrySummary, SLOT_MASK},
	traits::{BenchmarkClock, BenchmarkDevices, DeviceLifecycle},
	DeviceId, EpochIndex, MilliWatts, Moment, Ppm, RegionId, H256,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{Inspect, InspectHold, Mutate},
		EnsureOrigin, Get, Hooks,
	},
	BoundedVec,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_core::crypto::KeyTypeId;
use sp_runtime::traits::Zero;

const REGION: RegionId = RegionId(1);
const KEY_TYPE: KeyTypeId = KeyTypeId(*b"bnch");
/// The epoch of the leaf under test.
const EPOCH: u64 = 3_000_000;

fn funded<T: Config>(index: u32) -> T::AccountId {
	let who: T::AccountId = account("orchestrator", index, 0);
	let bond = Parameters::<T>::get().orchestrator_bond;
	let funds = bond.saturating_mul(2).saturating_add(T::Currency::minimum_balance());
	T::Currency::set_balance(&who, funds);
	who
}

fn longest_address() -> ServiceAddress {
	BoundedVec::truncate_from(vec![b'a'; MAX_ADDRESS_LEN as usize])
}

/// A region with room for one more; its last member if it is full.
fn fill_region<T: Config>(members: u32) -> Result<T::AccountId, BenchmarkError> {
	let mut last = funded::<T>(0);
	for index in 0..members {
		last = funded::<T>(index);
		Pallet::<T>::do_register_orchestrator(last.clone(), REGION, longest_address())?;
	}
	Ok(last)
}

/// As many outages as fit, in the epochs before the one under test and in its first slots, and a
/// gap before the running block.
fn fill_outages<T: Config>(now: Moment) {
	let parameters = Parameters::<T>::get();
	let start = parameters.clock().start_of(EpochIndex(EPOCH));
	let n = u64::from(T::MaxOutages::get());
	let outages: Vec<Outage> = (0..n)
		.map(|i| {
			let from = start - 2 * (n - i) + 2;
			Outage { from, to: from + 1 }
		})
		.collect();
	Outages::<T>::put(BoundedVec::truncate_from(outages));
	LastBlockAt::<T>::put(now - parameters.outage_millis - 1);
	T::BenchmarkHelper::set_now(now);
}

/// A device with two epochs on record, proven long before the epoch under test.
fn proven_device<T: Config>(provider: &T::AccountId) -> (DeviceId, ed25519::Public) {
	let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
	let device = T::BenchmarkHelper::active_device(provider, key);
	let parameters = Parameters::<T>::get();
	let proved = |epoch| ProvedEpoch {
		epoch: EpochIndex(epoch),
		start: parameters.clock().start_of(EpochIndex(epoch)),
		slot_millis: parameters.slot_millis,
		slots: SLOT_MASK,
	};
	let last = proved(EPOCH - 1_001);
	let record = UptimeRecord {
		last,
		previous: Some(proved(EPOCH - 1_002)),
		availability: Some(armature_health::Availability::new(armature_health::Fraction::ONE)),
		proved: 120,
		alive_until: last.end(),
		summary: TelemetrySummary::default(),
		telemetry_digest: H256::zero(),
		beat_head: H256::zero(),
	};
	Records::<T>::insert(device, record);
	(device, key)
}

fn assert_last_event<T: Config>(event: Event<T>) {
	let event: <T as frame_system::Config>::RuntimeEvent = event.into();
	frame_system::Pallet::<T>::assert_last_event(event);
}

#[benchmarks(where <T as frame_system::Config>::RuntimeEvent: From<Event<T>>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register_orchestrator() -> Result<(), BenchmarkError> {
		let most = T::MaxOrchestratorsPerRegion::get();
		fill_region::<T>(most - 1)?;
		let who = funded::<T>(most);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), REGION, longest_address());

		let held = T::Currency::balance_on_hold(&HoldReason::OrchestratorBond.into(), &who);
		assert_eq!(held, Parameters::<T>::get().orchestrator_bond);
		assert!(RegionOrchestrators::<T>::get(REGION).is_full());
		Ok(())
	}

	#[benchmark]
	fn update_orchestrator() -> Result<(), BenchmarkError> {
		let who = fill_region::<T>(1)?;
		let address: ServiceAddress = BoundedVec::truncate_from(vec![b'b'; 128]);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), address.clone());

		assert_eq!(Orchestrators::<T>::get(&who).map(|o| o.address), Some(address));
		Ok(())
	}

	#[benchmark]
	fn deregister_orchestrator() -> Result<(), BenchmarkError> {
		let who = fill_region::<T>(T::MaxOrchestratorsPerRegion::get())?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		let held = T::Currency::balance_on_hold(&HoldReason::OrchestratorBond.into(), &who);
		assert!(held.is_zero());
		assert!(!Orchestrators::<T>::contains_key(&who));
		Ok(())
	}

	#[benchmark]
	fn submit_leaf() -> Result<(), BenchmarkError> {
		let who = funded::<T>(0);
		let (device, key) = proven_device::<T>(&who);
		T::Lifecycle::on_suspect(device);
		let clock = Parameters::<T>::get().clock();
		fill_outages::<T>(clock.end_of(EpochIndex(EPOCH)) + Parameters::<T>::get().outage_millis);
		let leaf = Leaf {
			device,
			epoch: EpochIndex(EPOCH),
			slots: SLOT_MASK,
			beat_head: H256::repeat_byte(1),
			telemetry_digest: H256::repeat_byte(2),
			summary: TelemetrySummary {
				mean_power: MilliWatts(500_000),
				mean_load: Ppm::ONE,
				max_temperature: 900,
				max_memory: Ppm::ONE,
			},
		};
		let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
		let payload = device_payload(Domain::Leaf, &genesis, device, &leaf);
		let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key, &payload)
			.ok_or(BenchmarkError::Stop("the keystore has the key"))?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who), leaf, signature);

		let record = Records::<T>::get(device).ok_or(BenchmarkError::Stop("no record"))?;
		assert_eq!(record.last.epoch, EpochIndex(EPOCH));
		assert!(record.proved > 120);
		Ok(())
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let parameters = UptimeParameters { catch_up_epochs: 2, ..Default::default() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, parameters.clone());

		assert_last_event::<T>(Event::ParametersSet { parameters });
		Ok(())
	}

	#[benchmark]
	fn record_block_time() -> Result<(), BenchmarkError> {
		let clock = Parameters::<T>::get().clock();
		let now = clock.end_of(EpochIndex(EPOCH)) + Parameters::<T>::get().outage_millis;
		fill_outages::<T>(now);

		#[block]
		{
			Pallet::<T>::on_finalize(BlockNumberFor::<T>::zero());
		}

		assert_eq!(LastBlockAt::<T>::get(), Some(now));
		assert_eq!(Outages::<T>::get().last().map(|outage| outage.to), Some(now));
		Ok(())
	}

	#[benchmark]
	fn sweep_base() -> Result<(), BenchmarkError> {
		let clock = Parameters::<T>::get().clock();
		let now = clock.end_of(EpochIndex(EPOCH)) + Parameters::<T>::get().outage_millis;
		fill_outages::<T>(now);
		SweepCursor::<T>::put(DeviceId(7));
		let cursor;
		let view;

		#[block]
		{
			view = Pallet::<T>::view(now);
			cursor = SweepCursor::<T>::take();
		}

		assert_eq!(cursor, Some(DeviceId(7)));
		assert_eq!(view.outages.len() as u32, T::MaxOutages::get() + 1);
		Ok(())
	}

	#[benchmark]
	fn sweep_record() -> Result<(), BenchmarkError> {
		let who = funded::<T>(0);
		let (device, _) = proven_device::<T>(&who);
		let clock = Parameters::<T>::get().clock();
		let now = clock.end_of(EpochIndex(EPOCH)) + Parameters::<T>::get().outage_millis;
		fill_outages::<T>(now);
		let view = Pallet::<T>::view(now);
		let swept;

		#[block]
		{
			swept = Pallet::<T>::sweep_next(&view, None);
		}

		assert_eq!(swept, Some(device));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
