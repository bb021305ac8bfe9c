//! Random sequences of calls, blocks and outside changes. After every step `do_try_state` holds, and
//! the issuance is what it was, less what penalties burnt: whatever verifiers are paid is gone from the
//! account that they are paid from.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{AssignmentPhase, ChallengeCommit, Verdict},
	device::{AcceleratorOffer, DeviceStatus, StorageOffer},
	location::Position,
	DeviceId, Ppm, RoundId, H256,
};
use armature_verifier::challenge::{
	fraud::{FraudProof, SignedCommit},
	task_hash,
	verdict::planted_hash,
};
use frame_support::traits::{
	fungible::{Inspect as _, Mutate as _},
	UnfilteredDispatchable,
};
use proptest::prelude::*;

const DEVICES: u32 = 5;

/// What devices plant, and sometimes answer with.
const PLANT: H256 = H256([9; 32]);

#[derive(Clone, Debug)]
enum Op {
	Register(u64),
	Update(u64),
	Retire(u64),
	Withdraw(u64),
	Enrol(u32),
	Request(u32),
	/// A verifier seals what it will say about everything that waits for that.
	Seal(u64),
	/// It reveals everything that waits for that, unless this says to keep one from the rest.
	Reveal(u64, bool),
	/// It seals and reveals for one round id, seated or not.
	PostOne(u64, u64),
	Claim(u64),
	/// Maintenance begins, or ends.
	Maintain(u32, bool),
	Plant(u32),
	/// A planted answer of a round is shown.
	Show(u64),
	/// A lease begins, or ends.
	Lease(u32),
	/// Somebody proves two roots, if the device signed them.
	Prove(u64, u64, bool),
	/// The protocol earns or spends.
	Pot(u64),
	Blocks(u64),
	Wait(u64),
	Status(u32, u8),
	Vanish(u32),
	Share(u32),
	/// A device offers an accelerator with rows of this length, or none.
	Offer(u32, Option<u32>),
	/// A device offers so many sectors, or none.
	Store(u32, Option<u32>),
	/// A device or a verifier is said to be somewhere, or nowhere.
	Place(u32, Option<(i32, i32)>),
}

fn op() -> impl Strategy<Value = Op> {
	let who = 1u64..10;
	let device = 0..DEVICES + 1;
	prop_oneof![
		3 => who.clone().prop_map(Op::Register),
		1 => who.clone().prop_map(Op::Update),
		1 => who.clone().prop_map(Op::Retire),
		2 => who.clone().prop_map(Op::Withdraw),
		4 => device.clone().prop_map(Op::Enrol),
		3 => device.clone().prop_map(Op::Request),
		8 => who.clone().prop_map(Op::Seal),
		8 => (who.clone(), any::<bool>()).prop_map(|(who, one)| Op::Reveal(who, one)),
		1 => (who.clone(), 0u64..30).prop_map(|(who, id)| Op::PostOne(who, id)),
		2 => who.clone().prop_map(Op::Claim),
		3 => (device.clone(), any::<bool>()).prop_map(|(d, on)| Op::Maintain(d, on)),
		2 => device.clone().prop_map(Op::Plant),
		2 => (0u64..30).prop_map(Op::Show),
		1 => device.clone().prop_map(Op::Lease),
		1 => (who, 0u64..30, any::<bool>()).prop_map(|(who, id, real)| Op::Prove(who, id, real)),
		1 => (0u64..2_000_000).prop_map(Op::Pot),
		6 => (1u64..8).prop_map(Op::Blocks),
		2 => (0u64..400_000).prop_map(Op::Wait),
		2 => (device.clone(), 0u8..9).prop_map(|(d, s)| Op::Status(d, s)),
		1 => device.prop_map(Op::Vanish),
		1 => (0u32..1_100_000).prop_map(Op::Share),
		3 => (0..DEVICES + 1, proptest::option::of(10u32..200)).prop_map(|(d, s)| Op::Offer(d, s)),
		3 => (0..DEVICES + 1, proptest::option::of(0u32..4)).prop_map(|(d, s)| Op::Store(d, s)),
		2 => (0u32..12, proptest::option::of((any::<i32>(), any::<i32>())))
			.prop_map(|(n, place)| Op::Place(n, place)),
	]
}

/// Places that are there, for the most part.
fn place((latitude, longitude): (i32, i32)) -> Position {
	Position { latitude: latitude / 20, longitude: longitude / 11 }
}

fn status(n: u8) -> DeviceStatus {
	use DeviceStatus::*;
	[Registered, Attested, Active, Suspect, Draining, Standby, Offline, Jailed, Retired]
		[usize::from(n)]
}

fn call(who: u64, call: Call<Test>) -> bool {
	RuntimeCall::Challenges(call)
		.dispatch_bypass_filter(RuntimeOrigin::signed(who))
		.is_ok()
}

/// What a verifier says about a round: for the most part that it passed.
fn opinion(who: u64, id: RoundId) -> Verdict {
	let round = Rounds::<Test>::get(id).expect("it is assigned");
	let is_computed = round.task.work.kind().is_computed();
	match (who + id.0) % 5 {
		0 => FAILED,
		1 if is_computed && id.0.is_multiple_of(3) => passed_under(&round, 1_000, PLANT),
		_ if is_computed && id.0 % 7 == 1 => passed_under(&round, 1_000, PLANT),
		_ => passed(&round, 1_000 + 100 * who as u32, 80),
	}
}

fn task_of(id: RoundId) -> Option<armature_primitives::challenge::ChallengeTask> {
	let open = Rounds::<Test>::get(id).map(|round| round.task);
	open.or_else(|| EndedRounds::<Test>::get(id).map(|ended| ended.task))
}

/// A round of a task, for those who sign.
fn any_round(task: armature_primitives::challenge::ChallengeTask) -> RoundOf<Test> {
	Round {
		task,
		key: key(task.device.0),
		seats: Default::default(),
		opened_at: 0,
		reveal_until: 0,
		owner: None,
		opened_in: 0,
		is_asked: false,
		offer: Offer { lanes: 1, memory_mib: 0, accelerator: None, storage: None },
		proved: Proved::default(),
	}
}

fn apply(op: Op) {
	match op {
		Op::Register(who) => drop(call(who, Call::register_verifier { address: address(1) })),
		Op::Update(who) => drop(call(who, Call::update_verifier { address: address(2) })),
		Op::Retire(who) => drop(call(who, Call::retire_verifier {})),
		Op::Withdraw(who) => drop(call(who, Call::withdraw_verifier_bond {})),
		Op::Enrol(d) => drop(call(OPERATOR, Call::enrol_device { device: DeviceId(d) })),
		Op::Request(d) => drop(call(OPERATOR, Call::request_challenge { device: DeviceId(d) })),
		Op::Seal(who) => {
			for assignment in Challenges::open_rounds_of_verifier(who) {
				let id = assignment.task.round;
				let sealed = seal_one(who, id, opinion(who, id)).is_ok();
				assert_eq!(sealed, assignment.phase == AssignmentPhase::Seal);
			}
		},
		Op::Reveal(who, one) => {
			for assignment in Challenges::open_rounds_of_verifier(who) {
				let id = assignment.task.round;
				let revealed = reveal_one(who, id, opinion(who, id)).is_ok();
				assert_eq!(revealed, matches!(assignment.phase, AssignmentPhase::Reveal { .. }));
				if one {
					break;
				}
			}
		},
		Op::PostOne(who, id) => {
			let id = RoundId(id);
			let seated = Assignments::<Test>::contains_key(who, id);
			if !seated {
				// No such round, another committee, or it has said all it had to say.
				let known = [
					Error::<Test>::RoundNotFound.into(),
					Error::<Test>::NotAssigned.into(),
					Error::<Test>::SealedTwice.into(),
					Error::<Test>::NotSealed.into(),
				];
				for refused in [seal_one(who, id, FAILED), reveal_one(who, id, FAILED)] {
					assert!(refused.is_err_and(|error| known.contains(&error)));
				}
			}
		},
		Op::Claim(who) => drop(call(who, Call::claim_earnings {})),
		Op::Maintain(d, true) => {
			call(OPERATOR, Call::start_maintenance { device: DeviceId(d) });
		},
		Op::Maintain(d, false) => {
			call(OPERATOR, Call::end_maintenance { device: DeviceId(d) });
		},
		Op::Plant(d) => {
			let device = DeviceId(d);
			let hash = planted_hash(device, &PLANT, &H256::zero());
			call(OPERATOR, Call::plant_answer { device, hash });
		},
		Op::Show(id) => {
			let (round, root, salt) = (RoundId(id), PLANT, H256::zero());
			call(OPERATOR, Call::show_planted { round, root, salt });
		},
		Op::Lease(d) => Leased::mutate(|leased| {
			if !leased.remove(&DeviceId(d)) {
				leased.insert(DeviceId(d));
			}
		}),
		Op::Prove(who, id, real) => {
			let Some(task) = task_of(RoundId(id)) else { return };
			let sign = |root: u8| {
				let round = any_round(task);
				let root = H256([root; 32]);
				let commit = ChallengeCommit { task: task_hash(&task), root, power: power(80) };
				SignedCommit { commit, signature: sign(&round, root, power(80)) }
			};
			let (first, mut second) = (sign(1), sign(2));
			if !real {
				second.signature.0[0] ^= 1;
			}
			let proof = Box::new(FraudProof::Equivocation { first, second });
			let proved = call(who, Call::prove_fraud { round: RoundId(id), proof });
			assert!(real || !proved);
		},
		Op::Pot(funds) => {
			let owed = TotalEarned::<Test>::get();
			Balances::set_balance(&POT, owed + 1 + u128::from(funds));
		},
		Op::Blocks(n) => run_blocks(n),
		Op::Wait(millis) => Now::mutate(|now| *now += millis),
		Op::Status(d, s) => {
			if DeviceTable::get().contains_key(&DeviceId(d)) {
				set_status(d, status(s));
			} else {
				put_device_of(provider(d / 2), d, status(s));
			}
		},
		Op::Place(n, position) => {
			let position = position.map(place);
			call(OPERATOR, Call::claim_position { device: DeviceId(n), position });
			call(n.into(), Call::set_verifier_position { position });
		},
		Op::Offer(d, side) => {
			let offer = side.map(|side| AcceleratorOffer { memory_mib: 1, side });
			call(OPERATOR, Call::offer_accelerator { device: DeviceId(d), offer });
		},
		Op::Store(d, sectors) => {
			let offer =
				sectors.map(|sectors| StorageOffer { sectors, blocks: 16, compressions: 2 });
			call(OPERATOR, Call::offer_storage { device: DeviceId(d), offer });
		},
		Op::Vanish(d) => DeviceTable::mutate(|table| table.retain(|device, _| device.0 != d)),
		Op::Share(ppm) => {
			let mut parameters = crate::mock::parameters();
			parameters.max_share = Ppm(ppm);
			parameters.dispute_millis = 1 + u64::from(ppm % 400_000);
			parameters.reveal_millis = 1 + u64::from(ppm % 60_000);
			parameters.committee = 1 + (ppm % 5) as u8;
			parameters.memory_part = Ppm(ppm);
			parameters.network_part = Ppm(1_000_000u32.saturating_sub(ppm) / 2);
			parameters.gemm_part = Ppm(1_000_000u32.saturating_sub(ppm) / 4);
			parameters.storage_part = Ppm(1_000_000u32.saturating_sub(ppm) / 4);
			parameters.verifier_unbonding_millis = 1_000_000;
			let valid = parameters.validate();
			let call =
				RuntimeCall::Challenges(Call::set_parameters { parameters: Box::new(parameters) });
			assert_eq!(call.dispatch_bypass_filter(RuntimeOrigin::root()).is_ok(), valid);
		},
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(96))]

	#[test]
	fn invariants_should_hold_after_every_step(ops in proptest::collection::vec(op(), 1..60)) {
		ExtBuilder::default().devices(0).build_and_execute(|| {
			// Two devices for each owner.
			(0..DEVICES).for_each(|d| put_device_of(provider(d / 2), d, DeviceStatus::Active));
			let mut issuance = Balances::total_issuance();
			for op in ops {
				let described = format!("{op:?}");
				if let Op::Pot(_) = op {
					// The only thing that makes money.
					issuance -= Balances::balance(&POT);
					apply(op);
					issuance += Balances::balance(&POT);
				} else {
					apply(op);
				}
				if let Err(broken) = Challenges::do_try_state() {
					panic!("after {described}: {broken:?}");
				}
				assert_eq!(Balances::total_issuance() + Burnt::get(), issuance, "{described}");
				assert!(TotalEarned::<Test>::get() < Balances::balance(&POT), "{described}");
			}
		});
	}

	#[test]
	fn every_round_should_end_within_its_window_and_the_next_block(
		ops in proptest::collection::vec(op(), 1..40),
	) {
		ExtBuilder::default().devices(DEVICES).build_and_execute(|| {
			for op in ops {
				apply(op);
			}
			// No verdict, no new round: everything open has to expire.
			DeviceTable::mutate(|table| table.clear());
			run_blocks(1);
			Now::mutate(|now| *now += 2 * WINDOW + 1);
			run_blocks(1);
			assert_eq!(Rounds::<Test>::iter().count(), 0);
			assert_eq!(Assignments::<Test>::iter().count(), 0);
			assert_eq!(OldestRound::<Test>::get(), NextRound::<Test>::get());
		});
	}
}
