//! Benchmarks: each call in its most expensive case.

use crate::{
	types::{SubmittedRate, LEAST_FEEDERS},
	*,
};
use alloc::vec::Vec;
use armature_primitives::{
	energy::{CurrencyCode, Tariff, HOURS_PER_DAY},
	telemetry::{PowerReading, PowerSource},
	traits::{BenchmarkDevices, DeviceInspect},
	units::ARMA,
	DeviceId, MilliWattHours, MilliWatts, Ppm, SiteId,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{EnsureOrigin, Get, Time},
	BoundedVec,
};
use frame_system::RawOrigin;
use sp_core::crypto::KeyTypeId;

const CURRENCY: CurrencyCode = CurrencyCode(*b"XTS");

fn device<T: Config>(provider: &T::AccountId) -> (DeviceId, SiteId) {
	let key = sp_io::crypto::ed25519_generate(KeyTypeId(*b"bnch"), None);
	let id = T::BenchmarkHelper::active_device(provider, key);
	let info = T::Devices::device(id).expect("the helper made it");
	(id, info.site)
}

/// Fills the currency's list but for `free` places, each feeder with a fresh rate of its own.
fn feeders<T: Config>(free: u32) -> Vec<T::AccountId> {
	let count = T::MaxFeeders::get() - free;
	let at = T::Clock::now();
	let list: Vec<_> = (0..count)
		.map(|i| Feeder {
			who: account::<T::AccountId>("feeder", i, 0),
			// Falling, so that the median has to sort them.
			last: Some(SubmittedRate { rate: ARMA + u128::from(count - i), at }),
		})
		.collect();
	let who = list.iter().map(|f| f.who.clone()).collect();
	Feeders::<T>::insert(CURRENCY, BoundedVec::truncate_from(list));
	who
}

fn tariff<T: Config>() -> Tariff {
	Tariff { currency: CURRENCY, micro_per_kwh: [T::MaxMicroPerKwh::get(); HOURS_PER_DAY] }
}

fn power<T: Config>(device: DeviceId) {
	let reading = PowerReading {
		idle: MilliWatts(20_000),
		loaded: MilliWatts(100_000),
		source: PowerSource::BoardSensor,
		error: Ppm(50_000),
	};
	let record = PowerRecord { reading, measured_at: T::Clock::now() };
	Power::<T>::insert(device, record);
	AcceleratorPower::<T>::insert(device, record);
}

fn assert_last<T: Config>(event: Event<T>) {
	frame_system::Pallet::<T>::assert_last_event(event.into());
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn set_tariff() {
		let caller: T::AccountId = whitelisted_caller();
		let (_, site) = device::<T>(&caller);
		feeders::<T>(0);
		let tariff = tariff::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), site, tariff.clone());

		assert_eq!(Tariffs::<T>::get(site), Some(tariff));
	}

	#[benchmark]
	fn clear_tariff() {
		let caller: T::AccountId = whitelisted_caller();
		let (_, site) = device::<T>(&caller);
		Tariffs::<T>::insert(site, tariff::<T>());

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), site);

		assert!(!Tariffs::<T>::contains_key(site));
	}

	#[benchmark]
	fn add_feeder() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		feeders::<T>(1);
		let who: T::AccountId = account("new feeder", 0, 0);

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, CURRENCY, who.clone());

		assert_last::<T>(Event::FeederAdded { currency: CURRENCY, who });
		Ok(())
	}

	#[benchmark]
	fn remove_feeder() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let who = feeders::<T>(0).remove(0);

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, CURRENCY, who.clone());

		assert!(Feeders::<T>::get(CURRENCY).iter().all(|f| f.who != who));
		assert_last::<T>(Event::FeederRemoved { currency: CURRENCY, who });
		Ok(())
	}

	#[benchmark]
	fn submit_rate() {
		let who = feeders::<T>(0).pop().expect("at least three feeders");

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), CURRENCY, 2 * ARMA);

		assert!(T::MaxFeeders::get() >= u32::from(LEAST_FEEDERS));
		assert_last::<T>(Event::RateSubmitted { currency: CURRENCY, who, rate: 2 * ARMA });
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let parameters =
			EnergyParameters { margin: Ppm::from_percent(17), ..EnergyParameters::default() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, parameters.clone());

		assert_eq!(Parameters::<T>::get(), parameters);
		Ok(())
	}

	#[benchmark]
	fn review() {
		let caller: T::AccountId = whitelisted_caller();
		let (device, _) = device::<T>(&caller);
		// A window of no length is over at once, whatever the clock says.
		Parameters::<T>::put(EnergyParameters {
			window_millis: 0,
			standby_after_millis: 0,
			..EnergyParameters::default()
		});
		let mut ledger = Ledger::starting(T::Clock::now());
		ledger.energy = MilliWattHours(1_000);
		ledger.energy_cost = ARMA;
		ledger.window.energy_cost = ARMA;
		Ledgers::<T>::insert(device, ledger);

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), device);

		assert_last::<T>(Event::ProfitabilityChanged {
			device,
			ratio: Some(Ppm(0)),
			profitable: false,
		});
	}

	#[benchmark]
	fn reap_device() {
		let caller: T::AccountId = whitelisted_caller();
		// No chain has handed this id out.
		let device = DeviceId(u32::MAX);
		power::<T>(device);
		Ledgers::<T>::insert(device, Ledger::starting(T::Clock::now()));

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), device);

		assert!(!Power::<T>::contains_key(device));
		assert!(!AcceleratorPower::<T>::contains_key(device));
		assert!(!Ledgers::<T>::contains_key(device));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
