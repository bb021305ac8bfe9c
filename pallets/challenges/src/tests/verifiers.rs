use crate::{mock::*, *};
use armature_primitives::{traits::VerifierInspect, H256};
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
		assert_eq!(ActiveVerifiers::<Test>::get().to_vec(), vec![1]);
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
	ExtBuilder::default().devices(1).verifiers(3).build_and_execute(|| {
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
		assert_eq!(seated, BTreeSet::from([1, 3]));
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
			Parameters { verifier_bond: 5 * BOND, ..crate::mock::parameters() }
		));
		assert_ok!(withdraw(1));
		assert_eq!((held(1), Balances::balance(&1)), (0, FUNDS));
		assert_eq!(last_event(), Event::VerifierBondWithdrawn { who: 1, amount: BOND });
		assert_noop!(withdraw(1), Error::<Test>::NotVerifier);
		assert_ok!(Challenges::register_verifier(RuntimeOrigin::signed(1), address(1)));
		assert_eq!(held(1), 5 * BOND);
	});
}

#[test]
fn bond_should_stay_held_while_a_round_waits_for_the_verifier() {
	ExtBuilder::default().verifiers(2).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(1)));
		// No idle time in these blocks, so the round outlives its deadline.
		Now::mutate(|now| *now += UNBONDING);
		let withdraw = || Challenges::withdraw_verifier_bond(RuntimeOrigin::signed(1));
		assert_noop!(withdraw(), Error::<Test>::RoundsAssigned);
		assert_eq!(Challenges::open_rounds_of_verifier(1), vec![round.task]);
		run_blocks(1);
		assert!(!Rounds::<Test>::contains_key(id));
		assert_ok!(withdraw());
	});
}

#[test]
fn retired_verifier_should_still_judge_its_rounds() {
	ExtBuilder::default().verifiers(1).build_and_execute(|| {
		let round = open_first_round(0);
		assert_ok!(Challenges::retire_verifier(RuntimeOrigin::signed(1)));
		assert_ok!(post(1, &[(round.task.round, passed(1_000, 90))]));
		assert_eq!(Challenges::open_rounds_of_verifier(1), vec![]);
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
