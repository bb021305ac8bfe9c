//! Benchmarks: every call and every unit of the sweep, each on its most expensive path.

use super::*;
use armature_primitives::{
	device::Tier,
	ed25519,
	lease::{LeaseOutcome, NewLease, RunReport, RunStatus},
	market::OrderSpec,
	traits::{BenchmarkDevices, DeviceInspect, LeaseOpener},
	units::ARMA,
	LeaseId, MilliWatts, OrderId, Ppm, H256,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{InspectHold, Mutate},
		EnsureOrigin, Get, Time,
	},
	weights::WeightMeter,
};
use frame_system::RawOrigin;

struct Setup<A> {
	tenant: A,
	provider: A,
	verifier: A,
	lease: LeaseId,
}

fn run() -> RunReport {
	RunReport {
		status: RunStatus::Success,
		output: H256::repeat_byte(9),
		output_len: 64,
		fuel: 5_000_000_000,
	}
}

/// Fills the receipt ring's next place, so that settling also drops one.
fn fill_ring<T: Config>(tenant: &T::AccountId, provider: &T::AccountId) {
	let old = LeaseId(u64::MAX);
	ReceiptRing::<T>::insert(NextReceipt::<T>::get(), old);
	Receipts::<T>::insert(
		old,
		armature_primitives::lease::Receipt {
			lease: old,
			order: OrderId(0),
			device: armature_primitives::DeviceId(0),
			tenant: tenant.clone(),
			provider: provider.clone(),
			outcome: LeaseOutcome::Cancelled,
			report: None,
			escrow: 0,
			paid: 0,
			fee: 0,
			refunded: 0,
			settled_at: 0,
		},
	);
}

fn offered<T: Config>() -> Setup<T::AccountId> {
	Params::<T>::put(Parameters::default());
	let tenant: T::AccountId = account("tenant", 0, 0);
	let provider: T::AccountId = account("provider", 0, 0);
	let verifier: T::AccountId = account("verifier", 0, 0);
	for who in [&tenant, &provider, &verifier, &T::FeeAccount::get()] {
		T::Currency::set_balance(who, 1_000_000 * ARMA);
	}
	let device =
		T::BenchmarkHelper::matchable_device(&provider, ed25519::Public::from_raw([7; 32]));
	let info = T::Devices::device(device).expect("the helper made it");
	let lease = <Pallet<T> as LeaseOpener<T::AccountId>>::open(NewLease {
		order: OrderId(1),
		tenant: tenant.clone(),
		provider: provider.clone(),
		device,
		site: info.site,
		spec: OrderSpec {
			module: H256::repeat_byte(1),
			input: H256::repeat_byte(2),
			max_fuel: 10_000_000_000,
			max_memory_mib: 1_024,
			max_duration_millis: 60_000,
			max_price_per_gfuel: ARMA,
			min_tier: Tier::T0,
			min_availability: Ppm(0),
			min_steps_per_second: 0,
			region: None,
			deadline: u64::MAX,
		},
		price_per_gfuel: ARMA,
		escrow: 10 * ARMA,
		power: MilliWatts(10_000),
	})
	.expect("funds and a free device");
	fill_ring::<T>(&tenant, &provider);
	Setup { tenant, provider, verifier, lease }
}

fn acknowledged<T: Config>() -> Setup<T::AccountId> {
	let setup = offered::<T>();
	Pallet::<T>::do_acknowledge(&setup.provider, setup.lease).expect("offered");
	setup
}

fn started<T: Config>() -> Setup<T::AccountId> {
	let setup = acknowledged::<T>();
	Pallet::<T>::do_start(&setup.provider, setup.lease).expect("acknowledged");
	setup
}

fn finished<T: Config>() -> Setup<T::AccountId> {
	let setup = started::<T>();
	Pallet::<T>::do_report_result(&setup.provider, setup.lease, run()).expect("running");
	setup
}

fn contested<T: Config>() -> Setup<T::AccountId> {
	let mut setup = finished::<T>();
	T::BenchmarkHelper::verifier(&setup.verifier).expect("a verifier");
	Pallet::<T>::do_dispute_result(&setup.tenant, setup.lease).expect("reported");
	if let Some(Lease { state: LeaseState::Disputed { verifier, .. }, .. }) =
		Leases::<T>::get(setup.lease)
	{
		setup.verifier = verifier;
	}
	setup
}

/// The clock must be past the first bucket for a window in the past to exist: the helper that makes
/// the device sets the block's time.
fn ensure_past<T: Config>() {
	assert!(T::Clock::now() >= BUCKET_MILLIS, "benchmarks need a block time");
}

fn outcome<T: Config>(id: LeaseId) -> Option<LeaseOutcome> {
	Receipts::<T>::get(id).map(|receipt| receipt.outcome)
}

#[benchmarks]
mod benches {
	use super::*;

	#[benchmark]
	fn acknowledge() {
		let setup = offered::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.provider), setup.lease);
		let lease = Leases::<T>::get(setup.lease).expect("open");
		assert!(matches!(lease.state, LeaseState::Acknowledged { .. }));
	}

	#[benchmark]
	fn decline() {
		let setup = started::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.provider), setup.lease);
		assert_eq!(outcome::<T>(setup.lease), Some(LeaseOutcome::ProviderDeclined));
	}

	#[benchmark]
	fn start() {
		let setup = acknowledged::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.provider), setup.lease);
		let lease = Leases::<T>::get(setup.lease).expect("open");
		assert!(matches!(lease.state, LeaseState::Running { .. }));
	}

	#[benchmark]
	fn report_result() {
		let setup = started::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.provider), setup.lease, run());
		let lease = Leases::<T>::get(setup.lease).expect("open");
		assert!(matches!(lease.state, LeaseState::Reported { .. }));
	}

	#[benchmark]
	fn accept_result() {
		let setup = finished::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.tenant), setup.lease);
		assert_eq!(outcome::<T>(setup.lease), Some(LeaseOutcome::Completed));
	}

	#[benchmark]
	fn dispute_result() {
		let setup = finished::<T>();
		T::BenchmarkHelper::verifier(&setup.verifier).expect("a verifier");
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.tenant), setup.lease);
		let lease = Leases::<T>::get(setup.lease).expect("open");
		assert!(matches!(lease.state, LeaseState::Disputed { .. }));
	}

	// Slashing and two releases cost more than paying three accounts.
	#[benchmark]
	fn resolve_dispute() {
		let setup = contested::<T>();
		let other = RunReport { output: H256::zero(), ..run() };
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.verifier), setup.lease, other);
		assert_eq!(outcome::<T>(setup.lease), Some(LeaseOutcome::WrongResult));
	}

	#[benchmark]
	fn cancel_lease() {
		let setup = acknowledged::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.tenant), setup.lease);
		assert_eq!(outcome::<T>(setup.lease), Some(LeaseOutcome::Cancelled));
	}

	// A report that nobody answered: paying, charging and refunding.
	#[benchmark]
	fn settle_expired() {
		let setup = finished::<T>();
		Leases::<T>::mutate(setup.lease, |lease| {
			if let Some(Lease { state: LeaseState::Reported { accept_by, .. }, .. }) = lease {
				*accept_by = 0;
			}
		});
		ensure_past::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.provider), setup.lease);
		assert_eq!(outcome::<T>(setup.lease), Some(LeaseOutcome::Completed));
	}

	#[benchmark]
	fn release_deferred() {
		let setup = contested::<T>();
		// What is on hold, as if its release had failed.
		let escrow = T::Currency::balance_on_hold(&HoldReason::LeaseEscrow.into(), &setup.tenant);
		let deposit =
			T::Currency::balance_on_hold(&HoldReason::DisputeDeposit.into(), &setup.tenant);
		Leases::<T>::remove(setup.lease);
		Deferred::<T>::insert(&setup.tenant, DeferredRefund { escrow, deposit });
		#[extrinsic_call]
		_(RawOrigin::Signed(setup.provider), setup.tenant.clone());
		assert!(Deferred::<T>::get(&setup.tenant).is_none());
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let parameters = Parameters { ack_millis: 1_234, ..Default::default() };
		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, parameters.clone());
		assert_eq!(Params::<T>::get(), parameters);
		Ok(())
	}

	// No lease and a first bucket of long ago: the one path of the frame that also writes. What a
	// bucket writes is in `sweep_bucket`.
	#[benchmark]
	fn sweep_base() {
		let provider: T::AccountId = account("provider", 0, 0);
		T::Currency::set_balance(&provider, 1_000_000 * ARMA);
		T::BenchmarkHelper::active_device(&provider, ed25519::Public::from_raw([7; 32]));
		ensure_past::<T>();
		NextBucket::<T>::put(0);
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::sweep(&mut meter);
		}
		assert_eq!(NextBucket::<T>::get(), crate::impls::bucket_of(T::Clock::now()));
	}

	#[benchmark]
	fn sweep_bucket() {
		let _ = offered::<T>();
		ensure_past::<T>();
		let current = crate::impls::bucket_of(T::Clock::now());
		// Two buckets are enough to see one step; none holds a lease.
		NextBucket::<T>::put(current.saturating_sub(1));
		let mut meter = WeightMeter::with_limit(
			T::WeightInfo::sweep_base().saturating_add(T::WeightInfo::sweep_bucket()),
		);
		#[block]
		{
			Pallet::<T>::sweep(&mut meter);
		}
		assert_eq!(NextBucket::<T>::get(), current);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
