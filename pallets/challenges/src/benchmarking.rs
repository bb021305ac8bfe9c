//! Benchmarks of the calls and of the hooks' units of work.

use crate::{
	draw::{DrawContext, Queued, SiteLoads, Start, Visit},
	pallet::*,
	types::*,
};
use alloc::{boxed::Box, vec::Vec};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask, CpuChallenge, Measured, Verdict, Work, WorkKind},
	device::{
		AcceleratorOffer, CpuScore, GemmScore, MemoryScore, NetworkScore, Performance, RoundTripTo,
		StorageOffer, StorageScore,
	},
	ed25519,
	location::{LocationFinding, Position},
	service::{Network, ServiceAddress, MAX_ADDRESS_LEN},
	signing::{device_payload, Domain},
	telemetry::{PowerReading, PowerSource},
	traits::{BenchmarkClock, BenchmarkDevices, DeviceBusy, DeviceInspect},
	Balance, DeviceId, MilliWatts, Moment, Ppm, RoundId, H256,
};
use armature_verifier::challenge::{
	fill::MAX_COMPRESSIONS,
	fraud::{FraudProof, SignedCommit},
	gemm, task_hash,
	verdict::{planted_hash, seal},
	State, Transcript, MAX_STEPS_PER_SEGMENT,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{fungible::Mutate, EnsureOrigin, Get, Time},
	weights::WeightMeter,
};
use frame_system::RawOrigin;
use frauds::{wrong_block, wrong_entry, wrong_sector};
use sp_runtime::KeyTypeId;

mod frauds;

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"bnch");

/// As much money as anybody needs.
const RICH: Balance = 1 << 100;

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
		distinct_networks: false,
		verifier_unbonding_millis: 0,
		..Default::default()
	});
	T::Currency::set_balance(&T::PayFrom::get(), RICH);
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

/// A device that is not enrolled.
fn new_device<T: Config>(n: u32) -> (T::AccountId, DeviceId) {
	let provider: T::AccountId = account("provider", n, SEED);
	let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
	let device = T::BenchmarkHelper::active_device(&provider, key);
	Pallet::<T>::unenrol(device);
	(provider, device)
}

/// An enrolled one.
fn enrolled<T: Config>(n: u32) -> (T::AccountId, DeviceId) {
	let (provider, device) = new_device::<T>(n);
	Pallet::<T>::enrol(device, EnrolmentRecord::new(provider.clone())).expect("a first device");
	(provider, device)
}

/// An enrolled one that offers an accelerator. Its power under products is looked for, and then that of its lanes.
fn multiplying<T: Config>(n: u32) -> DeviceId {
	let (_, device) = enrolled::<T>(n);
	Enrolments::<T>::mutate(device, |record| {
		record.as_mut().expect("it is enrolled").accelerator = Some(OFFER);
	});
	device
}

/// The clock, but never the zero before the first timestamp.
fn now<T: Config>() -> Moment {
	T::Clock::now().max(1)
}

fn context<T: Config>() -> DrawContext<T> {
	DrawContext {
		parameters: Params::<T>::get(),
		verifiers: ActiveVerifiers::<T>::get(),
		beacon: H256([7; 32]),
		block: 1u32.into(),
		now: now::<T>(),
	}
}

/// What the device of a task signs.
fn signed<T: Config>(task: &ChallengeTask, key: &ed25519::Public, root: H256) -> SignedCommit {
	let power = PowerReading {
		idle: MilliWatts(20_000),
		loaded: MilliWatts(90_000),
		source: PowerSource::WallMeter,
		error: Ppm(20_000),
	};
	let commit = ChallengeCommit { task: task_hash(task), root, power };
	let domain = Domain::ChallengeCommit;
	let payload = device_payload(domain, &Pallet::<T>::genesis(), task.device, &commit);
	let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, key, &payload).expect("a known key");
	SignedCommit { commit, signature }
}

fn way() -> Measured {
	Measured::Network {
		answer_millis: 300,
		round_trip_micros: 20_000,
		up_kbps: 10_000,
		down_kbps: 50_000,
	}
}

fn verdict<T: Config>(round: &RoundOf<T>) -> Verdict {
	let SignedCommit { commit, signature } = signed::<T>(&round.task, &round.key, H256([1; 32]));
	let ChallengeCommit { power, root, .. } = commit;
	let measured = match round.task.work {
		Work::Cpu(_) => Measured::Cpu { elapsed_millis: 12_000 },
		Work::Memory(_) => Measured::Memory { fill_millis: 12_000, read_nanos: 400 },
		Work::Network(_) => way(),
		Work::Gemm(_) => Measured::Gemm { elapsed_millis: 12_000 },
		Work::Storage(storage) => Measured::Storage {
			answer_millis: storage.commit_millis,
			read_millis: storage.read_millis,
		},
	};
	Verdict::Passed { measured, power, root, signature }
}

/// Opens a round of a fresh device with a full committee.
fn open<T: Config>(n: u32) -> RoundId {
	let (_, device) = enrolled::<T>(n);
	let info = T::Devices::device(device).expect("just made");
	let id = NextRound::<T>::get();
	// Power figures are taken only from such rounds.
	let start = Start { kind: WorkKind::Cpu, is_asked: false, is_leased: false };
	assert!(Pallet::<T>::open_round(&context::<T>(), device, &info, start));
	id
}

/// Brings a round as far as it gets before `last` reveals: two members of the committee have revealed,
/// the others have sealed nothing.
fn almost_judged<T: Config>(id: RoundId, last: &T::AccountId) -> Verdict {
	let mut round = Rounds::<T>::get(id).expect("it is open");
	let verdict = verdict::<T>(&round);
	let mut revealed = 0;
	for seat in round.seats.iter_mut() {
		if &seat.verifier == last {
			seat.state = SeatState::Sealed(seal(id, last, &verdict, &H256::zero()));
		} else if revealed < 2 {
			revealed += 1;
			seat.state = SeatState::Revealed(verdict);
			Assignments::<T>::remove(&seat.verifier, id);
		}
	}
	Rounds::<T>::insert(id, round);
	verdict
}

/// A proof against the device of an ended round in which a segment of `steps` steps is wrong.
fn wrong_segment<T: Config>(steps: u32) -> (T::AccountId, RoundId, FraudProof) {
	let id = open::<T>(0);
	// Takes the place of the owner that will be forgotten.
	enrolled::<T>(1);
	let round = Rounds::<T>::take(id).expect("it is open");
	let cpu = CpuChallenge { lanes: 16, segments: 512, steps_per_segment: steps.max(1) };
	let task = ChallengeTask { work: Work::Cpu(cpu), ..round.task };
	let states = alloc::vec![State([5; 8]); 16 * 512];
	let transcript = Transcript::new(task, states).expect("all segments");
	let opening = transcript.open(15, 511).expect("within the task");
	let signed = signed::<T>(&task, &round.key, transcript.root());
	close_with::<T>(id, &round, task);
	(prover::<T>(), id, FraudProof::Segment { signed, opening })
}

fn close_with<T: Config>(id: RoundId, round: &RoundOf<T>, task: ChallengeTask) {
	OpenRounds::<T>::remove(task.device);
	for seat in &round.seats {
		Assignments::<T>::remove(&seat.verifier, id);
	}
	EndedRounds::<T>::insert(id, ended::<T>(round.key, task));
}

/// A round that has just ended with a full committee.
fn ended<T: Config>(key: ed25519::Public, task: ChallengeTask) -> EndedRoundOf<T> {
	let passed = (0..MAX_COMMITTEE).map(|i| (account("verifier", i, SEED), H256([1; 32])));
	EndedRound {
		task,
		key,
		opened_in: u32::MAX,
		ended_at: now::<T>(),
		passed: passed.collect::<Vec<_>>().try_into().expect("a committee"),
		before: performance(),
		is_failed: true,
		raised_share: Ppm(1),
		proved: Proved::default(),
	}
}

fn performance() -> Performance {
	Performance {
		cpu: Some(CpuScore { steps_per_second_per_lane: 1_000, lanes: 8, measured_at: 1_000 }),
		memory: Some(MemoryScore {
			offered_mib: 1_024,
			filled_mib: 1_000,
			fill_mib_per_second: 100,
			read_nanos: 500,
			measured_at: 1_000,
		}),
		network: Some(NetworkScore {
			nearest_micros: 9_000,
			median_micros: 20_000,
			up_kbps: 10_000,
			down_kbps: 50_000,
			location: LocationFinding::Supported,
			measured_at: 1_000,
		}),
		gemm: Some(GemmScore {
			offer: OFFER,
			shown_mib: 1_000,
			operations_per_second: 1_000_000,
			measured_at: 1_000,
		}),
		storage: Some(StorageScore { offer: STORAGE, read_millis: 900, measured_at: 1_000 }),
	}
}

/// An accelerator.
const OFFER: AcceleratorOffer = AcceleratorOffer { memory_mib: 1_024, side: 4_096 };

/// Storage; the parameters are set so.
const STORAGE: StorageOffer = StorageOffer { sectors: 1_000, blocks: 1 << 20, compressions: 256 };

/// A score of each part, with as many round trips as there may be.
fn score<T: Config>(device: DeviceId) {
	Performances::<T>::insert(device, performance());
	let trips = (0..MAX_COMMITTEE).map(|i| RoundTripTo {
		verifier: account("verifier", i, SEED),
		micros: 9_000,
		measured_at: 1_000,
	});
	RoundTrips::<T>::insert(device, RoundTripsOf::<T>::truncate_from(trips.collect()));
}

fn place() -> Position {
	Position { latitude: 50_110_000, longitude: 8_680_000 }
}

/// As many other verifiers as there may be, which take part in nothing.
fn crowd<T: Config>() {
	ActiveVerifiers::<T>::mutate(|all| {
		let mut n = 0u32;
		let network = Network::Unknown;
		while all.try_push(ActiveVerifier { who: account("crowd", n, SEED), network }).is_ok() {
			n = n.saturating_add(1);
		}
	});
}

fn earn<T: Config>(who: &T::AccountId) {
	let earned = RICH / 2;
	Verifiers::<T>::mutate_exists(who, |record| {
		*record = record.take().map(|record| VerifierRecord { earned, ..record });
	});
	TotalEarned::<T>::put(earned);
}

/// The next penalty takes all verifiers out of the draw.
fn at_the_edge<T: Config>(all: &[T::AccountId]) {
	for who in all {
		Verifiers::<T>::mutate_exists(who, |record| {
			*record = record
				.take()
				.map(|record| VerifierRecord { bonded: record.bond.saturating_mul(2), ..record });
		});
	}
}

fn prover<T: Config>() -> T::AccountId {
	let who = account("prover", 0, SEED);
	T::Currency::set_balance(&who, RICH);
	who
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

		assert!(ActiveVerifiers::<T>::get().iter().all(|active| active.who != who));
	}

	#[benchmark]
	fn withdraw_verifier_bond() {
		prepare::<T>();
		let all = verifiers::<T>(1);
		let who = all.last().expect("one was made").clone();
		earn::<T>(&who);
		Pallet::<T>::do_retire_verifier(who.clone()).expect("it serves");

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!Verifiers::<T>::contains_key(&who));
	}

	#[benchmark]
	fn enrol_device() {
		prepare::<T>();
		let (provider, device) = new_device::<T>(0);

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device);

		assert!(Enrolments::<T>::contains_key(device));
	}

	#[benchmark]
	fn request_challenge() {
		prepare::<T>();
		let (provider, device) = enrolled::<T>(0);
		// Leases are looked for where something else than lanes is missing.
		let measured_at = T::Clock::now();
		let cpu = performance().cpu.map(|cpu| CpuScore { measured_at, ..cpu });
		Performances::<T>::insert(device, Performance { cpu, ..Default::default() });

		#[extrinsic_call]
		_(RawOrigin::Signed(provider.clone()), device);

		assert!(Owners::<T>::get(&provider).is_some_and(|record| record.queued == Some(device)));
	}

	#[benchmark]
	fn seal_verdicts(n: Linear<1, { T::MaxVerdictsPerCall::get() }>) {
		prepare::<T>();
		let all = verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let who = all.last().expect("a committee has a member").clone();
		let seals: Vec<_> = (0..n).map(|i| (open::<T>(i), H256([9; 32]))).collect();
		let seals = SealsOf::<T>::truncate_from(seals);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), seals);

		let sealed = |round: &RoundOf<T>| {
			round.seats.iter().any(|seat| matches!(seat.state, SeatState::Sealed(_)))
		};
		assert!(Rounds::<T>::iter_values().all(|round| sealed(&round)));
	}

	/// `n` verdicts, each the last that can come after a deadline: the round is closed, three verifiers are
	/// paid and two fined.
	#[benchmark]
	fn reveal_verdicts(n: Linear<1, { T::MaxVerdictsPerCall::get() }>) {
		prepare::<T>();
		let all = verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let who = all.first().expect("a committee has a member").clone();
		let reveals: Vec<_> = (0..n)
			.map(|i| {
				let id = open::<T>(i);
				let verdict = almost_judged::<T>(id, &who);
				(id, verdict, H256::zero())
			})
			.collect();
		crowd::<T>();
		at_the_edge::<T>(&all);
		let last = reveals.last().expect("n is not zero").0;
		let deadline = Rounds::<T>::get(last).expect("it is open").task.deadline;
		T::BenchmarkHelper::set_now(deadline.saturating_add(1));
		let reveals = RevealsOf::<T>::truncate_from(reveals);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), reveals);

		assert!(!Rounds::<T>::contains_key(last));
	}

	#[benchmark]
	fn claim_earnings() {
		prepare::<T>();
		let all = verifiers::<T>(1);
		let who = all.last().expect("one was made").clone();
		earn::<T>(&who);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert_eq!(Verifiers::<T>::get(&who).map(|record| record.earned), Some(0));
	}

	/// A segment of `s` times 1,024 steps that is wrong, against the last device of its owner.
	#[benchmark]
	fn prove_fraud(s: Linear<1, { MAX_STEPS_PER_SEGMENT / 1_024 }>) {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let (who, id, proof) = wrong_segment::<T>(s.saturating_mul(1_024));

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id, Box::new(proof));

		assert!(EndedRounds::<T>::get(id).is_some_and(|ended| ended.proved.any()));
	}

	#[benchmark]
	fn prove_equivocation() {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let id = open::<T>(0);
		enrolled::<T>(1);
		let round = Rounds::<T>::take(id).expect("it is open");
		let [first, second] =
			[1, 2].map(|root| signed::<T>(&round.task, &round.key, H256([root; 32])));
		close_with::<T>(id, &round, round.task);
		let who = prover::<T>();
		let proof = FraudProof::Equivocation { first, second };
		#[block]
		{
			Pallet::<T>::do_prove_fraud(who, id, &proof).expect("two roots");
		}
		assert!(EndedRounds::<T>::get(id).is_some_and(|ended| ended.proved.any()));
	}

	/// A block under the longest paths, all of whose sources are there, against the last device of its
	/// owner.
	#[benchmark]
	fn prove_wrong_block() {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let (who, id, proof) = wrong_block::<T>();
		#[block]
		{
			Pallet::<T>::do_prove_fraud(who, id, &proof).expect("a wrong block");
		}
		assert!(EndedRounds::<T>::get(id).is_some_and(|ended| ended.proved.any()));
	}

	/// An entry of rows of `k` KiB under the longest paths, against the last device of its owner.
	#[benchmark]
	fn prove_wrong_entry(k: Linear<1, { gemm::MAX_SIDE / 1_024 }>) {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let (who, id, proof) = wrong_entry::<T>(k);
		#[block]
		{
			Pallet::<T>::do_prove_fraud(who, id, &proof).expect("a wrong entry");
		}
		assert!(EndedRounds::<T>::get(id).is_some_and(|ended| ended.proved.any()));
	}

	/// A block of a sector, of 16 times `c` compressions, under the longest paths, against the last device of
	/// its owner.
	#[benchmark]
	fn prove_wrong_sector(c: Linear<1, { MAX_COMPRESSIONS as u32 / 16 }>) {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let compressions = u16::try_from(c.saturating_mul(16)).expect("within the range");
		let (who, id, proof) = wrong_sector::<T>(compressions);
		#[block]
		{
			Pallet::<T>::do_prove_fraud(who, id, &proof).expect("a wrong block");
		}
		assert!(EndedRounds::<T>::get(id).is_some_and(|ended| ended.proved.any()));
	}

	/// What comes on top of [`close_round`] where the device signed two roots.
	#[benchmark]
	fn two_roots() {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let id = open::<T>(0);
		enrolled::<T>(1);
		let mut round = Rounds::<T>::get(id).expect("it is open");
		for (seat, root) in round.seats.iter_mut().zip([1u8, 2]) {
			let signed = signed::<T>(&round.task, &round.key, H256([root; 32]));
			let ChallengeCommit { power, root, .. } = signed.commit;
			let measured = Measured::Cpu { elapsed_millis: 12_000 };
			let signature = signed.signature;
			seat.state = SeatState::Revealed(Verdict::Passed { measured, power, root, signature });
		}
		let closed;
		#[block]
		{
			closed = Pallet::<T>::close_round(id, round, now::<T>());
		}
		assert!(closed.is_punished);
	}

	#[benchmark]
	fn start_maintenance() {
		prepare::<T>();
		let (provider, device) = enrolled::<T>(0);
		score::<T>(device);

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device);

		assert!(!Performances::<T>::contains_key(device));
	}

	#[benchmark]
	fn end_maintenance() {
		prepare::<T>();
		let (provider, device) = enrolled::<T>(0);
		Pallet::<T>::do_start_maintenance(provider.clone(), device).expect("it is idle");

		#[extrinsic_call]
		_(RawOrigin::Signed(provider.clone()), device);

		assert!(Owners::<T>::get(&provider).is_some_and(|record| record.queued == Some(device)));
	}

	#[benchmark]
	fn plant_answer() {
		prepare::<T>();
		let (provider, device) = enrolled::<T>(0);

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device, H256([3; 32]));

		assert!(Enrolments::<T>::get(device).is_some_and(|record| record.planted.is_some()));
	}

	/// A whole committee has passed it.
	#[benchmark]
	fn show_planted() {
		prepare::<T>();
		let all = verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		crowd::<T>();
		at_the_edge::<T>(&all);
		let (provider, device) = enrolled::<T>(0);
		let (root, salt) = (H256([1; 32]), H256([2; 32]));
		let hash = planted_hash(device, &root, &salt);
		Enrolments::<T>::mutate_extant(device, |record| {
			record.planted = Some(PlantedAnswer { hash, planted_in: 0 });
			record.last_rounds.set(WorkKind::Memory, RoundId(7));
		});
		let id = RoundId(7);
		let task = ChallengeTask {
			round: id,
			device,
			seed: H256::zero(),
			work: Work::Memory(Params::<T>::get().memory(1, 1)),
			deadline: 0,
		};
		let key = ed25519::Public::from_raw([1; 32]);
		EndedRounds::<T>::insert(id, ended::<T>(key, task));
		NextRound::<T>::put(RoundId(8));
		OldestRound::<T>::put(RoundId(8));

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), id, root, salt);

		assert_eq!(Verifiers::<T>::get(&all[0]).map(|record| record.history.fooled), Some(1));
		assert!(Performances::<T>::contains_key(device));
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let origin =
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let parameters = Parameters { committee: 1, ..Default::default() };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, Box::new(parameters.clone()));

		assert_eq!(Params::<T>::get(), parameters);
		Ok(())
	}

	/// What all of a block's rounds share, with as many verifiers as there may be.
	#[benchmark]
	fn draw_base() {
		prepare::<T>();
		SetAside::<T>::put(0);
		verifiers::<T>(T::MaxVerifiers::get());
		let (owner, device) = enrolled::<T>(0);
		Pallet::<T>::do_request_challenge(owner, device).expect("it has no score");
		let old = Beacon::<T>::get();
		let picks;
		#[block]
		{
			assert!(Pallet::<T>::set_aside().ref_time() > 0);
			SetAside::<T>::kill();
			let beacon = Pallet::<T>::advance_beacon();
			let context = Pallet::<T>::draw_context(200u32.into(), beacon, now::<T>());
			picks = context.map(|context| Pallet::<T>::picks(&context));
			// It does not fit.
			assert_eq!(Pallet::<T>::dequeue(0), Queued::Wait);
		}
		assert!(picks.is_some() && Beacon::<T>::get() != old);
	}

	/// An owner at the front of the queue with many more devices than start together, of which those that are
	/// looked at all offer what the lot is about, and may not start.
	#[benchmark]
	fn visit_owner() {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let (owner, device) = enrolled::<T>(0);
		let away = |n| {
			let device = multiplying::<T>(n);
			Enrolments::<T>::mutate(device, |record| {
				record.as_mut().expect("it is enrolled").maintenance_since = Some(1);
			});
			device
		};
		let group: Vec<_> = (1..=Pallet::<T>::largest_group()).map(away).collect();
		Pallet::<T>::do_request_challenge(owner.clone(), device).expect("it has no score");
		let many = Pallet::<T>::largest_group().saturating_mul(100);
		for place in 1..many {
			OwnedDevices::<T>::insert(&owner, place, DeviceId(u32::MAX.saturating_sub(place)));
		}
		Params::<T>::mutate(|parameters| parameters.gemm_part = Ppm::ONE);
		Params::<T>::mutate(|parameters| parameters.memory_part = Ppm(0));
		Params::<T>::mutate(|parameters| parameters.network_part = Ppm(0));
		let context = context::<T>();
		let devices;
		#[block]
		{
			let Queued::Served(owner, device) = Pallet::<T>::dequeue(u32::MAX) else {
				panic!("it waits")
			};
			let record = Owners::<T>::get(&owner).expect("it is enrolled");
			assert!(!Pallet::<T>::is_in_maintenance(device));
			devices = Pallet::<T>::devices_of(&context, &owner, many, Some(device));
			let (parameters, now) = (&context.parameters, context.now);
			let known = Pallet::<T>::valid_performance(parameters, device, now);
			let beside = T::Busy::is_busy(device);
			assert!(Pallet::<T>::lacking(parameters, device, &known, beside).is_some());
			let kind = Pallet::<T>::kind_of_start(&context, &record, &group, None);
			assert_eq!(kind, WorkKind::Cpu);
		}
		assert!(!devices.is_empty());
	}

	/// A device that finds too few verifiers, since all there may be are in one network: everything is
	/// read, the lack is said, and nothing opened.
	#[benchmark]
	fn visit_candidate() {
		prepare::<T>();
		verifiers::<T>(T::MaxVerifiers::get());
		Params::<T>::mutate(|parameters| parameters.distinct_networks = true);
		let device = multiplying::<T>(0);
		let context = context::<T>();
		let visit;
		#[block]
		{
			let mut loads = SiteLoads::new();
			visit = Pallet::<T>::visit(&context, device, None, WorkKind::Gemm, &mut loads);
		}
		assert_eq!(visit, Visit::Passed);
		assert!(NoVerifiersAt::<T>::exists());
	}

	/// A device that `Devices` no longer knows, with a score, the last of an owner in the middle of the
	/// list.
	#[benchmark]
	fn drop_candidate() {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let device = DeviceId(u32::MAX);
		let owner = account("gone", 0, SEED);
		Pallet::<T>::enrol(device, EnrolmentRecord::new(owner)).expect("a first device");
		enrolled::<T>(0);
		score::<T>(device);
		let context = context::<T>();
		let visit;
		#[block]
		{
			let mut loads = SiteLoads::new();
			visit = Pallet::<T>::visit(&context, device, None, WorkKind::Memory, &mut loads);
		}
		assert_eq!(visit, Visit::Dropped);
		assert!(!Performances::<T>::contains_key(device));
	}

	#[benchmark]
	fn open_round() {
		prepare::<T>();
		verifiers::<T>(T::MaxVerifiers::get());
		let device = multiplying::<T>(0);
		let context = context::<T>();
		let visit;
		#[block]
		{
			let mut loads = SiteLoads::new();
			visit = Pallet::<T>::visit(&context, device, None, WorkKind::Gemm, &mut loads);
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

	/// A round that can be forgotten.
	#[benchmark]
	fn forget_round() {
		prepare::<T>();
		let key = ed25519::Public::from_raw([1; 32]);
		let task = ChallengeTask {
			round: RoundId(0),
			device: DeviceId(0),
			seed: H256::zero(),
			work: Work::Memory(Params::<T>::get().memory(1, 1)),
			deadline: 0,
		};
		let ended = EndedRound { ended_at: 0, ..ended::<T>(key, task) };
		EndedRounds::<T>::insert(RoundId(0), ended);
		OldestRound::<T>::put(RoundId(1));
		T::BenchmarkHelper::set_now(MAX_DISPUTE_MILLIS.saturating_add(1));
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::forget_ended(&mut meter);
		}
		assert!(!EndedRounds::<T>::contains_key(RoundId(0)));
	}

	/// A full committee of which three have judged, and two kept to themselves what they had sealed, which
	/// takes them out of the draw.
	#[benchmark]
	fn close_round() {
		prepare::<T>();
		let all = verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let id = open::<T>(0);
		crowd::<T>();
		at_the_edge::<T>(&all);
		let mut round = Rounds::<T>::get(id).expect("it is open");
		let verdict = verdict::<T>(&round);
		for (place, seat) in round.seats.iter_mut().enumerate() {
			seat.state = if place < 3 {
				SeatState::Revealed(verdict)
			} else {
				SeatState::Sealed(H256::zero())
			};
		}
		#[block]
		{
			Pallet::<T>::close_round(id, round, now::<T>());
		}
		assert!(!Rounds::<T>::contains_key(id) && all.len() <= 5);
		assert_eq!(Performances::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn claim_position() {
		prepare::<T>();
		let (provider, device) = enrolled::<T>(0);
		score::<T>(device);

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device, Some(place()));

		let location = Performances::<T>::get(device).network.map(|network| network.location);
		assert_eq!(location, Some(LocationFinding::Unknown));
	}

	#[benchmark]
	fn offer_accelerator() {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let id = open::<T>(0);
		let device = Rounds::<T>::get(id).expect("it is open").task.device;
		let provider = account("provider", 0, SEED);
		// Round trips are looked for where no way is scored.
		score::<T>(device);
		Performances::<T>::insert(device, Performance { network: None, ..performance() });
		Enrolments::<T>::mutate_extant(device, |record| {
			(record.accelerator, record.storage) = (Some(OFFER), Some(STORAGE));
		});
		let other = AcceleratorOffer { memory_mib: 2_048, ..OFFER };

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device, Some(other));

		let record = Enrolments::<T>::get(device);
		assert_eq!(record.and_then(|record| record.accelerator), Some(other));
		assert!(Performances::<T>::get(device).gemm.is_none());
	}

	#[benchmark]
	fn offer_storage() {
		prepare::<T>();
		verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		let id = open::<T>(0);
		let device = Rounds::<T>::get(id).expect("it is open").task.device;
		let provider = account("provider", 0, SEED);
		let StorageOffer { blocks, compressions, .. } = STORAGE;
		Params::<T>::mutate(|parameters| {
			(parameters.sector_blocks, parameters.sector_compressions) = (blocks, compressions);
		});
		// Round trips are looked for where no way is scored.
		score::<T>(device);
		Performances::<T>::insert(device, Performance { network: None, ..performance() });
		Enrolments::<T>::mutate_extant(device, |record| {
			(record.accelerator, record.storage) = (Some(OFFER), Some(STORAGE));
		});
		let other = StorageOffer { sectors: 999, ..STORAGE };

		#[extrinsic_call]
		_(RawOrigin::Signed(provider), device, Some(other));

		let record = Enrolments::<T>::get(device);
		assert_eq!(record.and_then(|record| record.storage), Some(other));
		assert!(Performances::<T>::get(device).storage.is_none());
	}

	#[benchmark]
	fn set_verifier_position() {
		prepare::<T>();
		let who = verifiers::<T>(1).remove(0);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), Some(place()));

		assert_eq!(Verifiers::<T>::get(&who).and_then(|record| record.position), Some(place()));
	}

	/// What comes on top of [`close_round`] where a full committee has measured the way to a device that is
	/// claimed to be somewhere.
	#[benchmark]
	fn score_network() {
		prepare::<T>();
		let all = verifiers::<T>(MAX_COMMITTEE.min(T::MaxVerifiers::get()));
		for who in &all {
			Pallet::<T>::do_set_verifier_position(who.clone(), Some(place())).expect("it serves");
		}
		let id = open::<T>(0);
		let mut round = Rounds::<T>::get(id).expect("it is open");
		let device = round.task.device;
		round.task.work = Work::Network(Params::<T>::get().network());
		let verdict = verdict::<T>(&round);
		for seat in round.seats.iter_mut() {
			seat.state = SeatState::Revealed(verdict);
		}
		let parameters = Params::<T>::get();
		let before = Performance::default();
		#[block]
		{
			Pallet::<T>::score(&parameters, before, &round, way(), Some(&place()), 1);
		}
		let trips = RoundTrips::<T>::get(device).len();
		assert!(trips == all.len() && Performances::<T>::contains_key(device));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
