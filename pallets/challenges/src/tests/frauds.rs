//! Proofs of fraud.

use crate::{mock::*, *};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask, WorkKind},
	device::{AcceleratorOffer, DeviceStatus, StorageOffer},
	DeviceId, Ppm, RoundId, H256,
};
use armature_verifier::{
	challenge::{
		block::BLOCK_LEN,
		fill::{first_block, open_fill, LaneKey, OpenedBlock},
		fraud::{FraudProof, SignedCommit},
		gemm::{self, row_hash, EntryOpening, GemmTask, OpenedRow},
		memory::{memory_key, sizes},
		run_lane,
		storage::{committed_root, sector_key, SealedOpening, SealedStorage, SectorPlace},
		task_hash, State, Transcript,
	},
	merkle::Tree,
};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchResultWithPostInfo, Pays},
	traits::{
		fungible::{hold::Inspect as _, Inspect as _, Mutate as _},
		Hooks, UnfilteredDispatchable,
	},
	weights::Weight,
};
use sp_runtime::{DispatchError, TokenError};
use std::ops::ControlFlow;

const PROVER: u64 = 20;
const WRONG: u32 = 3;

/// The lanes of a task, with segment [`WRONG`] of lane 0 made up.
fn transcript(task: &ChallengeTask) -> Transcript {
	let mut states = Vec::new();
	for lane in 0..task.cpu().unwrap().lanes {
		let run = run_lane(task, lane, |_, state| {
			states.push(state);
			ControlFlow::Continue(())
		});
		run.unwrap();
	}
	states[WRONG as usize] = State::from_bytes(&[7; 64]);
	Transcript::new(*task, states).unwrap()
}

fn signed(round: &RoundOf<Test>, root: H256) -> SignedCommit {
	let power = power(80);
	let commit = ChallengeCommit { task: task_hash(&round.task), root, power };
	SignedCommit { commit, signature: sign(round, root, power) }
}

/// A proof about a segment of lane 0; only [`WRONG`] is wrong.
fn segment(round: &RoundOf<Test>, segment: u32) -> FraudProof {
	let transcript = transcript(&round.task);
	let opening = transcript.open(0, segment).unwrap();
	FraudProof::Segment { signed: signed(round, transcript.root()), opening }
}

fn equivocation(round: &RoundOf<Test>) -> FraudProof {
	let [first, second] = [1, 2].map(|root| signed(round, H256([root; 32])));
	FraudProof::Equivocation { first, second }
}

/// A proof about a block of memory that is nothing but one byte; only the first block of all is filled
/// rightly.
fn block(round: &RoundOf<Test>, position: u32) -> FraudProof {
	let (fill, _) = sizes(round.task.memory().expect("a round of memory"));
	let key = memory_key(&round.task.seed, round.task.device, &fill);
	let mut blocks = vec![[5u8; BLOCK_LEN]; fill.count().unwrap() as usize];
	blocks[0] = first_block(&LaneKey::new(&key, 0)).to_bytes();
	let tree = Tree::new(&blocks).unwrap();
	let opening = open_fill(&fill, position, |position| {
		let path = tree.prove(position)?.into_inner().try_into().ok()?;
		Some(OpenedBlock { bytes: blocks[position as usize], path })
	});
	FraudProof::Block { signed: signed(round, tree.root()), opening: Box::new(opening.unwrap()) }
}

/// A proof about a block of the second sector, which is nothing but one byte; only its first block is
/// filled rightly.
fn sealed(round: &RoundOf<Test>, at: u32) -> FraudProof {
	let storage = SealedStorage::of_round(&round.task, H256::zero()).expect("a round of storage");
	let size = storage.sector();
	let key = sector_key(&Challenges::genesis(), round.task.device, 1);
	let mut blocks = vec![[5u8; BLOCK_LEN]; storage.blocks as usize];
	blocks[0] = first_block(&LaneKey::new(&key, 0)).to_bytes();
	let tree = Tree::new(&blocks).unwrap();
	let sectors = Tree::new(vec![tree.root().0; storage.sectors as usize]).unwrap();
	let fill = open_fill(&size, at, |position| {
		let path = tree.prove(position)?.into_inner().try_into().ok()?;
		Some(OpenedBlock { bytes: blocks[position as usize], path })
	});
	let path = sectors.prove(1).unwrap().into_inner().try_into().unwrap();
	let (root, salt) = (tree.root(), H256([6; 32]));
	let place = SectorPlace { root, path, salt };
	let opening = SealedOpening { sector: 1, fill: fill.unwrap(), place };
	let root = committed_root(&storage.task, &salt, &sectors.root());
	FraudProof::Sealed { signed: signed(round, root), opening: Box::new(opening) }
}

/// A proof about entries of states that are all the same; the first wrong one, or right one.
fn entry(round: &RoundOf<Test>, is_wrong: bool) -> FraudProof {
	let products = GemmTask::of_round(&round.task).expect("a round of products");
	let gemm::GemmSize { side, steps, .. } = products.size;
	let row = vec![5u8; side as usize];
	let state = Tree::from_hashes(vec![row_hash(&row); side as usize]).unwrap();
	let states = Tree::new(vec![state.root().0; steps as usize]).unwrap();
	let opened = |step: u32, at| OpenedRow {
		row: row.clone().try_into().unwrap(),
		path: state.prove(at).unwrap().into_inner().try_into().unwrap(),
		state_root: state.root(),
		state_path: states.prove(step - 1).unwrap().into_inner().try_into().unwrap(),
	};
	let committed = gemm::committed(&round.task, states.root());
	let key = gemm::choices_key(&products, &committed.nonce, steps, Some(&state.root()));
	let entries = (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
	let mut openings = entries.filter_map(|(row, column)| {
		let chosen = (steps - 1).checked_sub(gemm::choose(&products.size, &key, column))?;
		let other = (chosen > 0).then(|| opened(chosen, column));
		let (last, result) = (Some(opened(steps - 1, row)), opened(steps, row));
		Some(EntryOpening { step: steps, row, column, last, other, result })
	});
	let opening =
		openings.find(|o| gemm::check_entry(&products, &[committed], o).is_err() == is_wrong);
	let opening = Box::new(opening.expect("one of many"));
	FraudProof::Entry { signed: signed(round, states.root()), opening }
}

/// In a storage layer, as in a block.
fn prove(who: u64, round: RoundId, proof: FraudProof) -> DispatchResultWithPostInfo {
	let call = RuntimeCall::Challenges(Call::prove_fraud { round, proof: Box::new(proof) });
	call.dispatch_bypass_filter(RuntimeOrigin::signed(who))
}

fn refused(who: u64, round: RoundId, proof: FraudProof) -> DispatchError {
	let before = Balances::balance(&who);
	let error = prove(who, round, proof).expect_err("refused").error;
	assert_eq!(Balances::balance(&who), before);
	error
}

fn nothing_held(who: u64) -> bool {
	Balances::balance_on_hold(&HoldReason::DisputeBond.into(), &who) == 0
}

#[test]
fn fault_should_cost_the_device_and_pay_its_proof() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		settle(0, pass(1_000));
		let done = prove(PROVER, id, segment(&round, WRONG)).unwrap();
		assert_eq!(done.pays_fee, Pays::No);
		// 2 % of 5,000, and a fifth of that.
		assert_eq!(SlashLog::get(), vec![(DeviceId(0), Ppm(20_000))]);
		assert_eq!(
			last_event(),
			Event::FraudProved {
				who: PROVER,
				round: id,
				device: DeviceId(0),
				slashed: 100,
				reward: 20,
			}
		);
		assert_eq!(Balances::balance(&PROVER), FUNDS + 20);
		assert_eq!(Balances::balance(&POT), POT_FUNDS - 20);
		assert!(nothing_held(PROVER));
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		assert!(!Enrolments::<Test>::contains_key(DeviceId(0)));
		let again = refused(PROVER, id, segment(&round, WRONG));
		assert_eq!(again, Error::<Test>::FraudKnown.into());
	});
}

#[test]
fn wrong_block_should_cost_what_a_wrong_segment_does() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		DeviceTable::mutate(|table| table.get_mut(&DeviceId(0)).unwrap().0.memory_mib = 1);
		open_first_round(0);
		settle(0, pass(1_000));
		let round = surprise_with(0, WorkKind::Memory);
		let id = round.task.round;
		let done = prove(PROVER, id, block(&round, 0)).unwrap();
		assert_eq!(done.pays_fee, Pays::Yes);
		let amount = DISPUTE_BOND;
		assert_eq!(last_event(), Event::FraudRefuted { who: PROVER, round: id, amount });
		let done = prove(PROVER, id, block(&round, 77)).unwrap();
		assert_eq!(done.pays_fee, Pays::No);
		assert_eq!(done.actual_weight, Some(<Test as Config>::WeightInfo::prove_wrong_block()));
		assert_eq!(SlashLog::get(), vec![(DeviceId(0), Ppm(20_000))]);
		let again = refused(PROVER, id, block(&round, 78));
		assert_eq!(again, Error::<Test>::FraudKnown.into());
		// It fails the round, whatever is said.
		settle(0, pass(1_000));
		let failed = EndedRounds::<Test>::get(id).unwrap();
		assert!(failed.is_failed && failed.proved.fault);
	});
}

#[test]
fn wrong_entry_should_cost_what_a_wrong_segment_does() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		let offer = Some(AcceleratorOffer { memory_mib: 1, side: 64 });
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::offer_accelerator(who, DeviceId(0), offer));
		let round = surprise_with(0, WorkKind::Gemm);
		let id = round.task.round;
		let done = prove(PROVER, id, entry(&round, false)).unwrap();
		assert_eq!(done.pays_fee, Pays::Yes);
		let amount = DISPUTE_BOND;
		assert_eq!(last_event(), Event::FraudRefuted { who: PROVER, round: id, amount });
		let done = prove(PROVER, id, entry(&round, true)).unwrap();
		assert_eq!(done.pays_fee, Pays::No);
		assert_eq!(done.actual_weight, Some(<Test as Config>::WeightInfo::prove_wrong_entry(1)));
		assert_eq!(SlashLog::get(), vec![(DeviceId(0), Ppm(20_000))]);
		let again = refused(PROVER, id, entry(&round, true));
		assert_eq!(again, Error::<Test>::FraudKnown.into());
		settle(0, pass(1_000));
		let failed = EndedRounds::<Test>::get(id).unwrap();
		assert!(failed.is_failed && failed.proved.fault);
	});
}

#[test]
fn wrong_sector_should_cost_what_a_wrong_segment_does() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		open_first_round(0);
		settle(0, pass(1_000));
		let offer = Some(StorageOffer { sectors: 3, blocks: 16, compressions: 2 });
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::offer_storage(who, DeviceId(0), offer));
		let round = surprise_with(0, WorkKind::Storage);
		let id = round.task.round;
		let done = prove(PROVER, id, sealed(&round, 0)).unwrap();
		assert_eq!(done.pays_fee, Pays::Yes);
		let amount = DISPUTE_BOND;
		assert_eq!(last_event(), Event::FraudRefuted { who: PROVER, round: id, amount });
		let done = prove(PROVER, id, sealed(&round, 7)).unwrap();
		assert_eq!(done.pays_fee, Pays::No);
		assert_eq!(done.actual_weight, Some(<Test as Config>::WeightInfo::prove_wrong_sector(1)));
		assert_eq!(SlashLog::get(), vec![(DeviceId(0), Ppm(20_000))]);
		let again = refused(PROVER, id, sealed(&round, 7));
		assert_eq!(again, Error::<Test>::FraudKnown.into());
		settle(0, pass(1_000));
		let failed = EndedRounds::<Test>::get(id).unwrap();
		assert!(failed.is_failed && failed.proved.fault);
	});
}

#[test]
fn proofs_of_another_kind_should_be_refused() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		DeviceTable::mutate(|table| table.get_mut(&DeviceId(0)).unwrap().0.memory_mib = 1);
		let lanes = open_first_round(0);
		settle(0, pass(1_000));
		let memory = surprise_with(0, WorkKind::Memory);
		let FraudProof::Block { opening, .. } = block(&memory, 77) else { unreachable!() };
		let proof = FraudProof::Block { signed: signed(&lanes, ROOT), opening };
		let error = refused(PROVER, lanes.task.round, proof);
		assert_eq!(error, Error::<Test>::ProofNotOpened.into());
		settle(0, pass(1_000));
		let offer = Some(StorageOffer { sectors: 3, blocks: 16, compressions: 2 });
		let who = RuntimeOrigin::signed(OPERATOR);
		assert_ok!(Challenges::offer_storage(who, DeviceId(0), offer));
		let storage = surprise_with(0, WorkKind::Storage);
		let FraudProof::Sealed { opening, .. } = sealed(&storage, 7) else { unreachable!() };
		let proof = FraudProof::Sealed { signed: signed(&lanes, ROOT), opening };
		let error = refused(PROVER, lanes.task.round, proof);
		assert_eq!(error, Error::<Test>::ProofNotOpened.into());
		let FraudProof::Block { opening, .. } = block(&memory, 77) else { unreachable!() };
		let proof = FraudProof::Block { signed: signed(&storage, ROOT), opening };
		let error = refused(PROVER, storage.task.round, proof);
		assert_eq!(error, Error::<Test>::ProofNotOpened.into());
		let FraudProof::Segment { opening, .. } = segment(&lanes, WRONG) else { unreachable!() };
		let proof = FraudProof::Segment { signed: signed(&memory, ROOT), opening };
		let error = refused(PROVER, memory.task.round, proof);
		assert_eq!(error, Error::<Test>::ProofNotOpened.into());
	});
}

#[test]
fn two_roots_should_cost_more() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		settle(0, pass(1_000));
		assert_ok!(prove(PROVER, round.task.round, equivocation(&round)));
		assert_eq!(SlashLog::get(), vec![(DeviceId(0), Ppm(100_000))]);
		// A fifth of 500 is more than the reward.
		assert_eq!(Balances::balance(&PROVER), FUNDS + 30);
	});
}

#[test]
fn right_segment_should_cost_the_bond() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		settle(0, pass(1_000));
		let done = prove(PROVER, id, segment(&round, WRONG - 1)).unwrap();
		assert_eq!(done.pays_fee, Pays::Yes);
		let amount = DISPUTE_BOND;
		assert_eq!(last_event(), Event::FraudRefuted { who: PROVER, round: id, amount });
		assert_eq!(Balances::balance(&PROVER), FUNDS - DISPUTE_BOND);
		assert!(nothing_held(PROVER));
		assert_eq!(Burnt::get(), DISPUTE_BOND);
		assert!(SlashLog::get().is_empty());
		assert!(Performances::<Test>::contains_key(DeviceId(0)));
		// It may be wrong elsewhere.
		assert_ok!(prove(PROVER, id, segment(&round, WRONG)));
	});
}

#[test]
fn proof_should_be_refused_when_it_proves_nothing() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		settle(0, pass(1_000));
		let proof = || segment(&round, WRONG);
		let call =
			RuntimeCall::Challenges(Call::prove_fraud { round: id, proof: Box::new(proof()) });
		assert_noop!(call.dispatch_bypass_filter(RuntimeOrigin::root()), DispatchError::BadOrigin);
		assert_eq!(refused(PROVER, RoundId(9), proof()), Error::<Test>::RoundNotFound.into());
		let FraudProof::Segment { signed: good, opening } = proof() else { unreachable!() };
		let with = |signed| FraudProof::Segment { signed, opening: opening.clone() };
		let mut elsewhere = round.clone();
		elsewhere.task.seed = H256([1; 32]);
		let other = with(signed(&elsewhere, good.commit.root));
		assert_eq!(refused(PROVER, id, other), Error::<Test>::ProofOfOtherTask.into());
		let mut forged = good.clone();
		forged.signature.0[3] ^= 1;
		assert_eq!(refused(PROVER, id, with(forged)), Error::<Test>::ProofNotSigned.into());
		let moved = with(signed(&round, H256([5; 32])));
		assert_eq!(refused(PROVER, id, moved), Error::<Test>::ProofNotOpened.into());
		let same = FraudProof::Equivocation { first: good.clone(), second: good };
		assert_eq!(refused(PROVER, id, same), Error::<Test>::ProofOfOneRoot.into());
		// Nobody without the bond.
		let poor = refused(777, id, proof());
		assert_eq!(poor, TokenError::FundsUnavailable.into());
		Balances::set_balance(&777, DISPUTE_BOND);
		// An account needs more than its bond.
		assert_eq!(refused(777, id, proof()), TokenError::FundsUnavailable.into());
		Balances::set_balance(&777, DISPUTE_BOND + 1);
		assert_ok!(prove(777, id, proof()));
	});
}

#[test]
fn proof_should_come_in_time() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		settle(0, pass(1_000));
		let ended = Now::get();
		Now::set(ended + DISPUTE + 1);
		let late = refused(PROVER, id, segment(&round, WRONG));
		assert_eq!(late, Error::<Test>::DisputeWindowOver.into());
		Now::set(ended + DISPUTE);
		assert_ok!(prove(PROVER, id, segment(&round, WRONG)));
	});
	// A device that is gone has nothing to lose.
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		settle(0, pass(1_000));
		DeviceTable::mutate(|table| table.clear());
		let gone = refused(PROVER, round.task.round, segment(&round, WRONG));
		assert_eq!(gone, Error::<Test>::UnknownDevice.into());
	});
}

#[test]
fn proof_should_fail_a_round_that_is_open() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		assert_ok!(prove(PROVER, id, segment(&round, WRONG)));
		let again = refused(PROVER, id, segment(&round, WRONG));
		assert_eq!(again, Error::<Test>::FraudKnown.into());
		assert!(!Enrolments::<Test>::contains_key(DeviceId(0)));
		System::reset_events();
		let round = round_of(0).unwrap();
		let ok = passed(&round, 1_000, 80);
		judge(&round, &[ok, FAILED, ok]);
		let outcome = RoundOutcome::Failed { failed: 1, posted: 3 };
		assert!(events().contains(&Event::RoundClosed { round: id, device: DeviceId(0), outcome }));
		assert!(!Performances::<Test>::contains_key(DeviceId(0)));
		assert!(PowerLog::get().is_empty());
		// Verifiers that drew other segments have done their work.
		assert_eq!(TotalEarned::<Test>::get(), 3 * FEE);
		assert_eq!(
			EndedRounds::<Test>::get(id).unwrap().proved,
			Proved { fault: true, equivocation: false }
		);
		let again = refused(PROVER, id, segment(&round, WRONG));
		assert_eq!(again, Error::<Test>::FraudKnown.into());
	});
}

#[test]
fn fault_should_not_shield_from_worse() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let id = round.task.round;
		settle(0, pass(1_000));
		assert_ok!(prove(PROVER, id, segment(&round, WRONG)));
		assert_ok!(prove(PROVER, id, equivocation(&round)));
		assert_eq!(SlashLog::get(), [Ppm(20_000), Ppm(100_000)].map(|share| (DeviceId(0), share)));
		let again = refused(PROVER, id, equivocation(&round));
		assert_eq!(again, Error::<Test>::FraudKnown.into());
	});
	// Of a round that nobody judged, too, as long as somebody sealed a verdict.
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		assert_ok!(seal_one(seats(&round)[0], round.task.round, FAILED));
		Now::set(round.reveal_until + 1);
		run_blocks(1);
		assert!(round_of(0).is_none());
		assert_ok!(prove(PROVER, round.task.round, equivocation(&round)));
	});
}

#[test]
fn retired_device_should_be_slashed_for_each_round() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let rounds = [open_first_round(0), {
			settle(0, pass(1_000));
			surprise(0)
		}];
		settle(0, pass(1_000));
		for round in rounds {
			set_status(0, DeviceStatus::Retired);
			assert_ok!(prove(PROVER, round.task.round, segment(&round, WRONG)));
		}
		assert_eq!(SlashLog::get().len(), 2);
	});
}

#[test]
fn jailed_device_should_not_be_slashed_again_for_a_fault() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let first = open_first_round(0);
		settle(0, pass(1_000));
		let second = surprise(0);
		settle(0, pass(1_000));
		assert_ok!(prove(PROVER, first.task.round, segment(&first, WRONG)));
		assert_ok!(prove(PROVER, second.task.round, segment(&second, WRONG)));
		assert_eq!(SlashLog::get().len(), 1);
		assert!(matches!(last_event(), Event::FraudProved { slashed: 0, reward: 0, .. }));
		// Back again, it is.
		set_status(0, DeviceStatus::Active);
		let third = open_first_round(0);
		assert_ok!(prove(PROVER, third.task.round, segment(&third, WRONG)));
		assert_eq!(SlashLog::get().len(), 2);
	});
}

#[test]
fn reward_should_be_within_what_is_free() {
	for (pot, reward) in [(1, 0), (1_000, 0), (1_001, 1), (19_001, 19), (20_001, 20), (90_001, 20)]
	{
		ExtBuilder::default().pot(pot).parameters(without_draws).build_and_execute(|| {
			let round = open_first_round(0);
			assert_ok!(prove(PROVER, round.task.round, segment(&round, WRONG)));
			assert_eq!(Balances::balance(&PROVER), FUNDS + reward, "of {pot}");
		});
	}
}

#[test]
fn weight_should_be_that_of_the_work() {
	ExtBuilder::default().parameters(without_draws).build_and_execute(|| {
		let round = open_first_round(0);
		let done = prove(PROVER, round.task.round, segment(&round, WRONG)).unwrap();
		assert_eq!(done.actual_weight, Some(<()>::prove_fraud(1)));
		let round = open_first_round(1);
		let done = prove(PROVER, round.task.round, equivocation(&round)).unwrap();
		assert_eq!(done.actual_weight, Some(<()>::prove_equivocation()));
		Challenges::on_idle(9, Weight::MAX);
	});
}
