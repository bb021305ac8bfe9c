//! Random sequences of calls, blocks and outside changes. After every step `do_try_state` holds
//! and, as nothing here pays or burns, the issuance stays what it was and every account's free
//! and held money add up to what it began with.

use crate::{mock::*, *};
use armature_primitives::{device::DeviceStatus, DeviceId, Ppm, RoundId};
use frame_support::traits::{
	fungible::{hold::Inspect as _, Inspect as _},
	UnfilteredDispatchable,
};
use proptest::prelude::*;

const DEVICES: u32 = 5;

#[derive(Clone, Debug)]
enum Op {
	Register(u64),
	Update(u64),
	Retire(u64),
	Withdraw(u64),
	Enrol(u32),
	Request(u32),
	/// A verifier posts for everything that waits for it: passed when the time is above zero.
	Post(u64, u32),
	/// It posts for one round id, seated or not.
	PostOne(u64, u64),
	Blocks(u64),
	Wait(u64),
	Status(u32, u8),
	Vanish(u32),
	Share(u32),
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
		6 => (who.clone(), 0u32..70_000).prop_map(|(who, ms)| Op::Post(who, ms)),
		1 => (who, 0u64..30).prop_map(|(who, id)| Op::PostOne(who, id)),
		6 => (1u64..8).prop_map(Op::Blocks),
		2 => (0u64..400_000).prop_map(Op::Wait),
		2 => (device.clone(), 0u8..9).prop_map(|(d, s)| Op::Status(d, s)),
		1 => device.prop_map(Op::Vanish),
		1 => (0u32..1_100_000).prop_map(Op::Share),
	]
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

fn apply(op: Op) {
	match op {
		Op::Register(who) => drop(call(who, Call::register_verifier { address: address(1) })),
		Op::Update(who) => drop(call(who, Call::update_verifier { address: address(2) })),
		Op::Retire(who) => drop(call(who, Call::retire_verifier {})),
		Op::Withdraw(who) => drop(call(who, Call::withdraw_verifier_bond {})),
		Op::Enrol(d) => drop(call(provider(d), Call::enrol_device { device: DeviceId(d) })),
		Op::Request(d) => drop(call(OPERATOR, Call::request_challenge { device: DeviceId(d) })),
		Op::Post(who, ms) => {
			let verdict = if ms % 3 == 0 { FAILED } else { passed(ms, 80) };
			for task in Challenges::open_rounds_of_verifier(who) {
				let late = Now::get() > task.deadline;
				let implausible = verdict != FAILED && u64::from(ms) > WINDOW;
				let posted = post(who, &[(task.round, verdict)]).is_ok();
				assert_eq!(posted, !late && !implausible);
			}
		},
		Op::PostOne(who, id) => {
			let seated = Assignments::<Test>::contains_key(who, RoundId(id));
			let posted = post(who, &[(RoundId(id), FAILED)]).is_ok();
			assert!(seated || !posted);
		},
		Op::Blocks(n) => run_blocks(n),
		Op::Wait(millis) => Now::mutate(|now| *now += millis),
		Op::Status(d, s) => {
			if DeviceTable::get().contains_key(&DeviceId(d)) {
				set_status(d, status(s));
			} else {
				put_device(d, status(s));
			}
		},
		Op::Vanish(d) => DeviceTable::mutate(|table| table.retain(|device, _| device.0 != d)),
		Op::Share(ppm) => {
			let mut parameters = crate::mock::parameters();
			parameters.challenge_share = Ppm(ppm);
			let valid = parameters.validate();
			let call = RuntimeCall::Challenges(Call::set_parameters { parameters });
			assert_eq!(call.dispatch_bypass_filter(RuntimeOrigin::root()).is_ok(), valid);
		},
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(96))]

	#[test]
	fn invariants_should_hold_after_every_step(ops in proptest::collection::vec(op(), 1..60)) {
		ExtBuilder::default().devices(DEVICES).build_and_execute(|| {
			let issuance = Balances::total_issuance();
			for op in ops {
				let described = format!("{op:?}");
				apply(op);
				if let Err(broken) = Challenges::do_try_state() {
					panic!("after {described}: {broken:?}");
				}
				assert_eq!(Balances::total_issuance(), issuance);
				for who in 1..=20 {
					let held = Balances::total_balance_on_hold(&who);
					assert_eq!(Balances::balance(&who) + held, FUNDS);
				}
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
			Now::mutate(|now| *now += WINDOW + 1);
			run_blocks(1);
			assert_eq!(Rounds::<Test>::iter().count(), 0);
			assert_eq!(Assignments::<Test>::iter().count(), 0);
			assert_eq!(OldestRound::<Test>::get(), NextRound::<Test>::get());
		});
	}
}
