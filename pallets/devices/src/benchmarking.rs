//! Benchmarks of all calls, each at its worst case.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up must fail loudly")]

use super::*;
use crate::Pallet as DevicesPallet;
use alloc::vec;
use armature_primitives::{
	device::{DeviceLabel, DeviceStatus, Tier},
	ed25519,
	signing::registration_payload,
	traits::DeviceLifecycle,
	units::ARMA,
	MilliWatts, Ppm, RackId, RegionId, SiteId,
};
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{hold::Inspect as _, Mutate},
	EnsureOrigin, Get, UnfilteredDispatchable,
};
use frame_system::RawOrigin;
use sp_core::crypto::KeyTypeId;

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"bnch");
const CAP: MilliWatts = MilliWatts(3_000_000);
const PUE: Ppm = Ppm(1_200_000);

fn provider<T: Config>() -> T::AccountId {
	let who: T::AccountId = account("provider", 0, 0);
	T::Currency::set_balance(&who, 1_000_000_000 * ARMA);
	let operator = account("operator", 0, 0);
	DevicesPallet::<T>::do_register_provider(who.clone(), Some(operator)).unwrap();
	who
}

fn site<T: Config>(who: &T::AccountId) -> SiteId {
	let id = NextSiteId::<T>::get();
	DevicesPallet::<T>::do_register_site(who.clone(), RegionId(1), CAP, PUE).unwrap();
	id
}

fn rack<T: Config>(who: &T::AccountId, site: SiteId) -> RackId {
	let id = NextRackId::<T>::get();
	DevicesPallet::<T>::do_register_rack(who.clone(), site).unwrap();
	id
}

fn label() -> DeviceLabel {
	DeviceLabel::truncate_from(vec![b'x'; 64])
}

/// A device in a rack, attested.
fn device<T: Config>(who: &T::AccountId) -> DeviceId {
	let site = site::<T>(who);
	let rack = rack::<T>(who, site);
	let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
	let new = impls::NewDevice {
		site,
		rack: Some(rack),
		key,
		lanes: 1024,
		memory_mib: 1,
		label: label(),
	};
	let id = DevicesPallet::<T>::insert_device(who.clone(), new).unwrap();
	<DevicesPallet<T> as DeviceLifecycle>::on_attested(id, Tier::T0);
	id
}

fn status_of<T: Config>(id: DeviceId) -> Option<DeviceStatus> {
	Devices::<T>::get(id).map(|device| device.status)
}

/// Ends the jail or the unbonding period.
fn unlock<T: Config>(id: DeviceId) {
	Devices::<T>::mutate(id, |device| device.as_mut().unwrap().locked_until = Some(0));
}

#[benchmarks]
mod benches {
	use super::*;

	#[benchmark]
	fn register_provider() {
		let who: T::AccountId = whitelisted_caller();
		T::Currency::set_balance(&who, 1_000_000_000 * ARMA);
		let operator: T::AccountId = account("operator", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), Some(operator));

		assert!(Providers::<T>::contains_key(who));
	}

	#[benchmark]
	fn set_operator() {
		let who = provider::<T>();
		let operator: T::AccountId = account("operator", 1, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), Some(operator.clone()));

		assert_eq!(Providers::<T>::get(who).unwrap().operator, Some(operator));
	}

	#[benchmark]
	fn register_site() {
		let who = provider::<T>();
		for _ in 1..T::MaxSitesPerProvider::get() {
			site::<T>(&who);
		}

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), RegionId(1), CAP, PUE);

		assert_eq!(Providers::<T>::get(who).unwrap().sites, T::MaxSitesPerProvider::get());
	}

	#[benchmark]
	fn update_site() {
		let who = provider::<T>();
		let id = site::<T>(&who);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id, MilliWatts(7), MAX_PUE);

		assert_eq!(Sites::<T>::get(id).unwrap().power_cap, MilliWatts(7));
	}

	#[benchmark]
	fn register_rack() {
		let who = provider::<T>();
		let id = site::<T>(&who);
		for _ in 1..T::MaxRacksPerSite::get() {
			rack::<T>(&who, id);
		}

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id);

		assert_eq!(Sites::<T>::get(id).unwrap().racks, T::MaxRacksPerSite::get());
	}

	#[benchmark]
	fn remove_rack() {
		let who = provider::<T>();
		let site = site::<T>(&who);
		let id = rack::<T>(&who, site);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id);

		assert!(!Racks::<T>::contains_key(id));
	}

	#[benchmark]
	fn remove_site() {
		let who = provider::<T>();
		let id = site::<T>(&who);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id);

		assert!(!Sites::<T>::contains_key(id));
	}

	#[benchmark]
	fn deregister_provider() {
		let who = provider::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!Providers::<T>::contains_key(who));
	}

	#[benchmark]
	fn register_device() {
		let who = provider::<T>();
		let site = site::<T>(&who);
		let rack = rack::<T>(&who, site);
		let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
		let nonce = Providers::<T>::get(&who).unwrap().nonce;
		let payload = registration_payload(&DevicesPallet::<T>::genesis_hash(), &who, nonce);
		let signature: ed25519::Signature =
			sp_io::crypto::ed25519_sign(KEY_TYPE, &key, &payload).unwrap();

		#[extrinsic_call]
		_(RawOrigin::Signed(who), site, Some(rack), key, 1024, 1, label(), signature);

		assert!(DeviceByKey::<T>::contains_key(key));
	}

	#[benchmark]
	fn drain_device() {
		let who = provider::<T>();
		let id = device::<T>(&who);
		let operator: T::AccountId = account("operator", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), id);

		assert_eq!(status_of::<T>(id), Some(DeviceStatus::Draining));
	}

	#[benchmark]
	fn resume_device() {
		let who = provider::<T>();
		let id = device::<T>(&who);
		DevicesPallet::<T>::do_drain_device(who, id).unwrap();
		let operator: T::AccountId = account("operator", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), id);

		assert_eq!(status_of::<T>(id), Some(DeviceStatus::Attested));
	}

	#[benchmark]
	fn clear_jail() {
		let who = provider::<T>();
		let id = device::<T>(&who);
		<DevicesPallet<T> as DeviceLifecycle>::slash(id, Ppm::ONE);
		unlock::<T>(id);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), id);

		assert_eq!(status_of::<T>(id), Some(DeviceStatus::Registered));
		let bond = DevicesPallet::<T>::required_bond(1024).unwrap();
		assert_eq!(T::Currency::balance_on_hold(&HoldReason::DeviceBond.into(), &who), bond);
	}

	#[benchmark]
	fn retire_device() {
		let who = provider::<T>();
		let id = device::<T>(&who);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id);

		assert_eq!(status_of::<T>(id), Some(DeviceStatus::Retired));
	}

	#[benchmark]
	fn withdraw_bond() {
		let who = provider::<T>();
		let id = device::<T>(&who);
		DevicesPallet::<T>::do_retire_device(who.clone(), id).unwrap();
		unlock::<T>(id);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id);

		assert_eq!(status_of::<T>(id), None);
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
		let parameters = DeviceParameters { jail_period: 77, ..Default::default() };
		let call = Call::<T>::set_parameters { parameters };

		#[block]
		{
			call.dispatch_bypass_filter(origin)?;
		}

		assert_eq!(Parameters::<T>::get(), parameters);
		Ok(())
	}

	impl_benchmark_test_suite!(DevicesPallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
