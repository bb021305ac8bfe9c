use crate::{mock::*, *};
use armature_primitives::{
	challenge::{Assignment, AssignmentPhase},
	service::Network,
	traits::VerifierInspect,
	DeviceId, H256,
};
use frame_support::{
	assert_noop, assert_ok,
	traits::fungible::{hold::Inspect as _, Inspect as _},
};
use sp_runtime::{DispatchError, TokenError};
use std::collections::BTreeSet;

fn held(who: u64) -> u128 {
	Balances::balance_on_hold(&HoldReason::VerifierBond.into(), &who)
}

#[test]
fn verifier_should_be_bonded_when_it_registers() {
	ExtBuilder::default().verifiers(0).build_and_execute(|| {
		assert!(!Challenges::is_verifier(&1));
		assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(1), address(9)));
		assert_eq!(held(1), BOND);
		assert_eq!(Balances::balance(&1), FUNDS - BOND);
		assert!(Challenges::is_verifier(&1));
		let active = ActiveVerifier { who: 1, network: Network::V4([203, 9]) };
		assert_eq!(ActiveVerifiers::<Test>::get().to_vec(), vec![active]);
		assert_eq!(Challenges::verifier_address(1), Some(address(9)));
		assert_eq!(
			last_event(),
			Event::VerifierRegistered { who: 1, address: address(9), bond: BOND }
		);
	});
}

#[test]
fn registration_should_fail_when_it_may_not_be() {
	ExtBuilder::default().verifiers(6).build_and_execute(|| {
		let register = |who| Challenges::register_verifier(RuntimeOrigin::signed(who), address(0));
		assert_noop!(
			Challenges::register_verifier(RuntimeOrigin::root(), address(0)),
			DispatchError::BadOrigin
		);
		assert_noop!(register(1), Error::<Test>::AlreadyVerifier);
		// 999 has no money. The call runs in a storage layer, as it does in a block.
		let poor = RuntimeCall::Challenges(Call::register_verifier { address: address(0) });
		use frame_support::traits::UnfilteredDispatchable;
		assert_noop!(
			poor.dispatch_bypass_filter(RuntimeOrigin::signed(999)),
			TokenError::FundsUnavailable
		);
		// The seventh seat is the last.
		assert_ok!(register(7));
		assert_noop!(register(8), Error::<Test>::TooManyVerifiers);
	});
}

#[test]
fn address_should_change_only_while_the_verifier_serves() {
	ExtBuilder::default().build_and_execute(|| {
		let update = |who| Challenges::update_verifier(RuntimeOrigin::signed(who), address(77));
		assert_noop!(
			Challenges::update_verifier(RuntimeOrigin::none(), address(1)),
			DispatchError::BadOrigin
		);
		assert_noop!(update(9), Error::<Test>::NotVerifier);
		assert_ok!(update(2));
		assert_eq!(Challenges::verifier_address(2), Some(address(77)));
		assert_eq!(last_event(), Event::VerifierUpdated { who: 2, address: address(77) });
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(2)));
		assert_noop!(update(2), Error::<Test>::VerifierRetired);
		assert_eq!(Challenges::verifier_address(2), None);
	});
}

#[test]
fn retired_verifier_should_keep_its_bond_held_and_get_no_rounds() {
	ExtBuilder::default().devices(1).verifiers(4).build_and_execute(|| {
		assert_noop!(Challenges::retire_verifier(RuntimeOrigin::root()), DispatchError::BadOrigin);
		assert_noop!(
			Challenges::retire_verifier(RuntimeOrigin::signed(9)),
			Error::<Test>::NotVerifier
		);
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(2)));
		let withdrawable_at = Now::get() + UNBONDING;
		assert_eq!(last_event(), Event::VerifierRetired { who: 2, withdrawable_at });
		assert_eq!(held(2), BOND);
		assert!(!Challenges::is_verifier(&2));
		assert_noop!(
			Challenges::retire_verifier(RuntimeOrigin::signed(2)),
			Error::<Test>::VerifierRetired
		);
		assert_noop!(
			Challenges::register_verifier(RuntimeOrigin::signed(2), address(2)),
			Error::<Test>::AlreadyVerifier
		);
		let round = open_first_round(0);
		let seated: BTreeSet<_> = round.seats.iter().map(|seat| seat.verifier).collect();
		assert_eq!(seated, BTreeSet::from([1, 3, 4]));
	});
}

#[test]
fn bond_should_come_back_exactly_when_unbonding_ends() {
	ExtBuilder::default().build_and_execute(|| {
		let withdraw = |who| Challenges::withdraw_verifier_bond(RuntimeOrigin::signed(who));
		assert_noop!(
			Challenges::withdraw_verifier_bond(RuntimeOrigin::root()),
			DispatchError::BadOrigin
		);
		assert_noop!(withdraw(9), Error::<Test>::NotVerifier);
		assert_noop!(withdraw(1), Error::<Test>::NotRetired);
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(1)));
		Now::mutate(|now| *now += UNBONDING - 1);
		assert_noop!(withdraw(1), Error::<Test>::StillUnbonding);
		Now::mutate(|now| *now += 1);
		// The bond is what was held, whatever the parameters say by now.
		assert_ok!(Challenges::set_parameters(
			RuntimeOrigin::root(),
			Box::new(Parameters { verifier_bond: 5 * BOND, ..crate::mock::parameters() })
		));
		assert_ok!(withdraw(1));
		assert_eq!((held(1), Balances::balance(&1)), (0, FUNDS));
		let amount = BOND;
		assert_eq!(last_event(), Event::VerifierBondWithdrawn { who: 1, amount, paid: 0, lost: 0 });
		assert_noop!(withdraw(1), Error::<Test>::NotVerifier);
		assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(1), address(1)));
		assert_eq!(held(1), 5 * BOND);
	});
}

#[test]
fn bond_should_stay_held_while_a_round_waits_for_the_verifier() {
	ExtBuilder::default().verifiers(3).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(1)));
		// No idle time in these blocks, so the round outlives its deadline.
		Now::mutate(|now| *now += UNBONDING);
		let withdraw = || Challenges::withdraw_verifier_bond(RuntimeOrigin::signed(1));
		assert_noop!(withdraw(), Error::<Test>::RoundsAssigned);
		assert!(Assignments::<Test>::contains_key(1, id));
		run_blocks(1);
		assert!(!Rounds::<Test>::contains_key(id));
		assert_ok!(withdraw());
	});
}

#[test]
fn retired_verifier_should_still_judge_its_rounds() {
	ExtBuilder::default().verifiers(3).build_and_execute(|| {
		let round = open_first_round(0);
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(1)));
		let phase = AssignmentPhase::Seal;
		let waiting = vec![Assignment { task: round.task, phase }];
		assert_eq!(Challenges::open_rounds_of_verifier(1), waiting);
		settle(0, pass(1_000));
		assert_eq!(Challenges::open_rounds_of_verifier(1), vec![]);
		assert_eq!(Verifiers::<Test>::get(1).unwrap().earned, FEE);
	});
}

fn claim(who: u64) -> sp_runtime::DispatchResult {
	Challenges::claim_earnings(RuntimeOrigin::signed(who))
}

#[test]
fn verdicts_with_the_majority_should_be_paid() {
	ExtBuilder::default().verifiers(3).build_and_execute(|| {
		assert_noop!(Challenges::claim_earnings(RuntimeOrigin::root()), DispatchError::BadOrigin);
		assert_noop!(claim(9), Error::<Test>::NotVerifier);
		assert_noop!(claim(1), Error::<Test>::NothingEarned);
		let round = open_first_round(0);
		let ok = passed(&round, 1_000, 80);
		judge(&round, &[ok, FAILED, ok]);
		let who = seats(&round);
		assert_eq!(TotalEarned::<Test>::get(), 2 * FEE);
		assert_noop!(claim(who[1]), Error::<Test>::NothingEarned);
		assert_ok!(claim(who[0]));
		assert_eq!(last_event(), Event::EarningsClaimed { who: who[0], paid: FEE, left: 0 });
		assert_eq!(Balances::balance(&who[0]), FUNDS - BOND + FEE);
		assert_eq!(Balances::balance(&POT), POT_FUNDS - FEE);
		assert_eq!(TotalEarned::<Test>::get(), FEE);
		let history = |who| Verifiers::<Test>::get(who).unwrap().history;
		assert_eq!(history(who[0]), VerdictHistory { agreed: 1, ..Default::default() });
		assert_eq!(history(who[1]), VerdictHistory { differed: 1, ..Default::default() });
		assert_eq!(Burnt::get(), 0);
	});
}

#[test]
fn pay_should_never_exceed_a_ten_thousandth_of_what_is_free() {
	for (pot, fee) in [(1, 0), (10_000, 0), (10_001, 1), (50_001, 5), (100_001, 10), (900_000, 10)]
	{
		ExtBuilder::default().verifiers(3).pot(pot).build_and_execute(|| {
			open_first_round(0);
			settle(0, pass(1_000));
			let earned = Verifiers::<Test>::get(1).unwrap().earned;
			assert_eq!(earned, fee, "of {pot}");
		});
	}
	// What is earned and not claimed is not free.
	ExtBuilder::default()
		.verifiers(3)
		.pot(100_001)
		.parameters(without_draws)
		.build_and_execute(|| {
			open_first_round(0);
			settle(0, pass(1_000));
			surprise(0);
			settle(0, pass(1_000));
			assert_eq!(TotalEarned::<Test>::get(), 3 * (10 + 9));
		});
}

#[test]
fn earnings_should_wait_where_there_is_no_money() {
	ExtBuilder::default().verifiers(3).build_and_execute(|| {
		use frame_support::traits::fungible::Mutate;
		open_first_round(0);
		settle(0, pass(1_000));
		// Somebody else emptied the account, all but what an account needs.
		Balances::set_balance(&POT, 1);
		assert_noop!(claim(1), Error::<Test>::NoFunds);
		Balances::set_balance(&POT, 5);
		assert_ok!(claim(1));
		assert_eq!(last_event(), Event::EarningsClaimed { who: 1, paid: 4, left: 6 });
		// Who leaves takes what is there; the rest is lost.
		Balances::set_balance(&POT, 4);
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(1)));
		Now::mutate(|now| *now += UNBONDING);
		assert_ok!(Challenges::withdraw_verifier_bond(RuntimeOrigin::signed(1)));
		assert_eq!(
			last_event(),
			Event::VerifierBondWithdrawn { who: 1, amount: BOND, paid: 3, lost: 3 }
		);
		assert_eq!(TotalEarned::<Test>::get(), 2 * FEE);
	});
}

#[test]
fn silence_should_be_fined_only_where_most_spoke() {
	let burnt = |sealing: usize, revealing: usize| {
		let mut all = (0, Vec::new());
		ExtBuilder::default()
			.verifiers(5)
			.parameters(|p| {
				without_draws(p);
				p.committee = 5;
			})
			.build_and_execute(|| {
				let round = open_first_round(0);
				let verdict = passed(&round, 1_000, 80);
				let id = round.task.round;
				let who = seats(&round);
				for who in &who[..sealing] {
					assert_ok!(seal_one(*who, id, verdict));
				}
				Now::set(round.task.deadline + 1);
				for who in &who[..revealing] {
					assert_ok!(reveal_one(*who, id, verdict));
				}
				Now::set(round.reveal_until + 1);
				run_blocks(1);
				assert!(round_of(0).is_none());
				let histories = who.iter().map(|who| Verifiers::<Test>::get(who).unwrap().history);
				all = (Burnt::get(), histories.collect());
			});
		all
	};
	let (sum, histories) = burnt(3, 3);
	assert_eq!(sum, 2 * FEE);
	assert_eq!(histories[4], VerdictHistory { missed: 1, ..Default::default() });
	// Two of five: whatever kept the others from it.
	assert_eq!(burnt(2, 2).0, 0);
	assert_eq!(burnt(0, 0).0, 0);
	// Who seals and keeps it to itself pays where somebody spoke; else the chain may have stood still.
	assert_eq!(burnt(2, 0).0, 0);
	let (sum, histories) = burnt(2, 1);
	assert_eq!(sum, PENALTY);
	assert_eq!(histories[1], VerdictHistory { unrevealed: 1, ..Default::default() });
	assert_eq!(burnt(5, 3).0, 2 * PENALTY);
}

#[test]
fn verifier_should_be_retired_when_half_of_its_bond_is_gone() {
	ExtBuilder::default()
		.verifiers(3)
		.parameters(|p| {
			without_draws(p);
			p.verdict_penalty = BOND / 10;
		})
		.build_and_execute(|| {
			assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(provider(0)), DeviceId(0)));
			run_blocks(1);
			for round in 1..=6 {
				let open = round_of(0).unwrap();
				for who in seats(&open) {
					assert_ok!(seal_one(who, open.task.round, FAILED));
				}
				for who in [2, 3] {
					assert_ok!(reveal_one(who, open.task.round, FAILED));
				}
				Now::set(open.reveal_until + 1);
				run_blocks(1);
				assert_eq!(held(1), BOND - u128::from(round as u32) * BOND / 10);
				// Exactly half is still enough.
				assert_eq!(Challenges::is_verifier(&1), round < 6, "after {round}");
				if round < 6 {
					surprise(0);
				}
			}
			let retired =
				|event: &Event<Test>| matches!(event, Event::VerifierRetired { who: 1, .. });
			assert!(events().iter().any(retired));
			Now::mutate(|now| *now += UNBONDING);
			assert_ok!(Challenges::withdraw_verifier_bond(RuntimeOrigin::signed(1)));
			assert_eq!(Balances::balance(&1), FUNDS - 6 * BOND / 10);
		});
}

#[test]
fn lot_should_be_fair_and_keep_out_the_excluded() {
	ExtBuilder::default().verifiers(5).build_and_execute(|| {
		let mut hits = [0u32; 6];
		for i in 0u32..5_000 {
			let seed = H256(sp_io::hashing::blake2_256(&i.to_le_bytes()));
			let drawn = <Challenges as VerifierInspect<u64>>::draw(seed, &|who| *who == 3);
			hits[drawn.unwrap() as usize] += 1;
		}
		// Four of equal chance: 1,250 each, standard deviation 31.
		assert_eq!(hits[3], 0);
		for who in [1, 2, 4, 5] {
			assert!((1_095..=1_405).contains(&hits[who]), "{hits:?}");
		}
		assert_eq!(Challenges::draw(H256::zero(), &|_| true), None);
	});
}
