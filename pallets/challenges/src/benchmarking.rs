//! Benchmarks of the calls and of the hooks' units of work.

use crate::{
	pallet::*,
	rounds::{Cause, DrawContext, Visit},
	types::*,
};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::Verdict,
	device::Performance,
	ed25519,
	service::{ServiceAddress, MAX_ADDRESS_LEN},
	telemetry::{PowerReading, PowerSource},
	traits::{BenchmarkDevices, DeviceInspect},
	DeviceId, MilliWatts, Moment, Ppm, RoundId, H256,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{EnsureOrigin, Get, Time},
	weights::WeightMeter,
};
use frame_system::RawOrigin;

const SEED: u32 = 0;

fn address() -> ServiceAddress {
	let longest = usize::try_from(MAX_ADDRESS_LEN).expect("128 fits");
	ServiceAddress::truncate_from(alloc::vec![b'a'; longest])
}

/// Parameters with which nothing has to wait: benchmarks have no say over the clock.
fn prepare<T: Config>() {
	let committee = u8::try_from(MAX_COMMITTEE).expect("5 fits");
	Params::<T>::put(Parameters {
		committee,
		challenge_share: Ppm(1),
		verifier_unbonding_millis: 0,
		..Default::default()
	});
}

/// As many verifiers as there may be.
fn verifiers<T: Config>(count: u32) -> Vec<T::AccountId> {
	(0..count)
		.map(|i| {
			let who = account("verifier", i, SEED);
			T::BenchmarkHelper::verifier(&who).expect("a fresh account can become a verifier");
			who
		})
		.collect()
}

fn new_device<T: Config>(n: u32) -> (T::AccountId, DeviceId) {
	let provider = account("provider", n, SEED);
	let key = sp_io::hashing::blake2_256(&n.to_le_bytes());
	let device = T::BenchmarkHelper::active_device(&provider, ed25519::Public::from_raw(key));
	(provider, device)
}

/// The clock, but never the zero before the first timestamp.
fn now<T: Config>() -> Moment {
	T::Clock::now().max(1)
}

fn context<T: Config>() -> DrawContext<T> {
	DrawContext {
		parameters: Params::<T>::get(),
		verifiers: ActiveVerifiers::<T>::get(),
		randomness: H256([7; 32]),
		block: 1u32.into(),
		now: now::<T>(),
	}
}

fn verdict() -> Verdict {
	let power = PowerReading {
		idle: MilliWatts(20_000),
		loaded: MilliWatts(90_000),
		source: PowerSource::WallMeter,
		error: Ppm(20_000),
	};
	Verdict::Passed { elapsed_millis: 12_000, power }
}

/// Opens a round of a fresh device with a full committee.
fn open<T: Config>(n: u32) -> RoundId {
	let (_, device) = new_device::<T>(n);
	Enrolments::<T>::insert(device, EnrolmentRecord::default());
	let info = T::Devices::device(device).expect("just made");
	let id = NextRound::<T>::get();
	assert!(Pallet::<T>::open_round(&context::<T>(), device, &info));
	id
}

/// Puts `verdict` on all seats but those of `but`.
fn judge_all<T: Config>(id: RoundId, but: Option<&T::AccountId>) {
	Rounds::<T>::mutate(id, |round| {
		for seat in round.iter_mut().flat_map(|round| round.seats.iter_mut()) {
			if Some(&seat.verifier) != but {
				seat.verdict = Some(verdict());
				Assignments::<T>::remove(&seat.verifier, id);
			}
		}
	});
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register_verifier() {
		prepare::<T>();
		// The helper funds and registers; leaving again gives an account with the bond at hand.
		let all = verifiers::<T>(T::MaxVerifiers::get());
		let who = all.last().expect("MaxVerifiers is not zero").clone();
		Pallet::<T>::do_retire_verifier(who.clone()).expect("it serves");
		Pallet::<T>::do_withdraw_verifier_bond(who.clone()).expect("unbonding takes no time");

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), address());

		assert!(Verifiers::<T>::contains_key(&who));
	}

	#[benchmark]
	fn update_verifier() {
		prepare::<T>();
		let all = verifiers::<T>(1);
		let who = all.last().expect("one was made").clone();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), address());

		assert_eq!(Verifiers::<T>::get(&who).map(|record| record.address), Some(address()));
	}

	#[benchmark]
	fn retire_verifier() {
		prepare::<T>();
		let all = verifiers::<T>(T::MaxVerifiers::get());
		let who = all.first().expect("MaxVerifiers is not zero").clone();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!ActiveVerifiers::<T>::get().contains(&who));
	}

	#[benchmark]
	fn withdraw_verifier_bond() {
		prepare::<T>();
		let all = verifiers::<T>(1);
		let who = all.last().expect("one was made").clone();
		Pallet::<T>::do_retire_verifier(who.clone()).expect("it serves");

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!Verifiers::<T>::contains_key(&who));
	}

	#[benchmark]
	fn enrol_device() {
		prepare::<T>();
		let (provider, device) = new_device::<T>(0);
		Enrolments::<T>::remove(device);

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device);

		assert!(Enrolments::<T>::contains_key(device));
	}

	#[benchmark]
	fn request_challenge() {
		prepare::<T>();
		let (provider, device) = new_device::<T>(0);
		Enrolments::<T>::insert(device, EnrolmentRecord::default());

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device);

		assert!(Enrolments::<T>::get(device).is_some_and(|record| record.queued));
	}

	/// `n` verdicts, each the last of a full committee.
	#[benchmark]
	fn post_verdicts(n: Linear<1, { T::MaxVerdictsPerCall::get() }>) {
		prepare::<T>();
		let all = verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let who = all.last().expect("a committee has a member").clone();
		let verdicts: Vec<_> = (0..n)
			.map(|i| {
				let id = open::<T>(i);
				judge_all::<T>(id, Some(&who));
				(id, verdict())
			})
			.collect();
		let last = verdicts.last().expect("n is not zero").0;
		let verdicts = VerdictsOf::<T>::truncate_from(verdicts);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), verdicts);

		assert!(!Rounds::<T>::contains_key(last));
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let parameters = Parameters { committee: 1, ..Default::default() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, parameters.clone());

		assert_eq!(Params::<T>::get(), parameters);
		Ok(())
	}

	/// The reads that all of a block's devices share, with all verifiers, and the bookkeeping of
	/// the queue and the draw for one device.
	#[benchmark]
	fn draw_base() {
		prepare::<T>();
		verifiers::<T>(T::MaxVerifiers::get());
		let (_, queued) = new_device::<T>(0);
		let (_, drawn) = new_device::<T>(1);
		Enrolments::<T>::insert(queued, EnrolmentRecord::default());
		Enrolments::<T>::insert(drawn, EnrolmentRecord::default());
		QueueEnds::<T>::put(QueueBounds { head: 0, tail: 1 });
		Queue::<T>::insert(0, queued);
		CurrentDraw::<T>::put(Draw::default());
		let taken;
		#[block]
		{
			let context = Pallet::<T>::draw_context(200u32.into(), now::<T>());
			taken = (Pallet::<T>::dequeue(1).len(), Pallet::<T>::advance_draw(1).len());
			assert!(context.is_some());
		}
		assert_eq!(taken, (1, 1));
	}

	/// A requested device that finds no verifier but its own provider: everything is read, the
	/// lack is said, and nothing opened.
	#[benchmark]
	fn visit_candidate() {
		prepare::<T>();
		let (provider, device) = new_device::<T>(0);
		T::BenchmarkHelper::verifier(&provider).expect("a provider can become a verifier");
		Enrolments::<T>::insert(device, EnrolmentRecord { queued: true, ..Default::default() });
		let context = context::<T>();
		let visit;
		#[block]
		{
			visit = Pallet::<T>::visit(&context, device, Cause::Request);
		}
		assert_eq!(visit, Visit::Passed);
		assert!(NoVerifiersAt::<T>::exists());
	}

	/// A requested device that `Devices` no longer knows, with a score.
	#[benchmark]
	fn drop_candidate() {
		prepare::<T>();
		let device = DeviceId(u32::MAX);
		Enrolments::<T>::insert(device, EnrolmentRecord { queued: true, ..Default::default() });
		let score = Performance { steps_per_second_per_lane: 1_000, lanes: 8, measured_at: 1_000 };
		Performances::<T>::insert(device, score);
		let context = context::<T>();
		let visit;
		#[block]
		{
			visit = Pallet::<T>::visit(&context, device, Cause::Request);
		}
		assert_eq!(visit, Visit::Dropped);
		assert!(!Performances::<T>::contains_key(device));
	}

	#[benchmark]
	fn open_round() {
		prepare::<T>();
		verifiers::<T>(T::MaxVerifiers::get());
		let (_, device) = new_device::<T>(0);
		Enrolments::<T>::insert(device, EnrolmentRecord { queued: true, ..Default::default() });
		let context = context::<T>();
		let visit;
		#[block]
		{
			visit = Pallet::<T>::visit(&context, device, Cause::Request);
		}
		assert_eq!(visit, Visit::Opened);
		assert!(OpenRounds::<T>::contains_key(device));
	}

	#[benchmark]
	fn close_base() {
		prepare::<T>();
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::close_expired(&mut meter);
		}
		assert_eq!(OldestRound::<T>::get(), NextRound::<T>::get());
	}

	/// A round that has closed before.
	#[benchmark]
	fn skip_round() {
		prepare::<T>();
		NextRound::<T>::put(RoundId(1));
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::close_expired(&mut meter);
		}
		assert_eq!(OldestRound::<T>::get(), RoundId(1));
	}

	/// A full committee of which all but one have judged.
	#[benchmark]
	fn close_round() {
		prepare::<T>();
		let all = verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let id = open::<T>(0);
		judge_all::<T>(id, all.last());
		#[block]
		{
			let round = Rounds::<T>::get(id).expect("it is open");
			Pallet::<T>::close_round(id, round, now::<T>());
		}
		assert!(!Rounds::<T>::contains_key(id));
		assert_eq!(Performances::<T>::iter().count(), 1);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
