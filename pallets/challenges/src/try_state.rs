//! What always holds.

#![cfg(any(feature = "try-runtime", test))]

use crate::{pallet::*, types::*};
use alloc::collections::{BTreeMap, BTreeSet};
use armature_primitives::{device::NetworkScore, service::Network};
use armature_verifier::challenge::{check_work, network::nearest};
use frame_support::{ensure, traits::fungible::hold::Inspect};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// 1. Active verifiers are, once each and in the network of their address, the registered ones that
	///    have not retired.
	/// 2. Each verifier's recorded bond is what is on hold for it, not more than it bonded, and at least
	///    half of that while it is active.
	/// 3. A round is between the closing cursor and the next id, its committee is not empty and
	///    distinct, its task is within the verifier's caps, and its device points to it.
	/// 4. Nothing else is a device's open round.
	/// 5. Assignments are exactly the seats that have not revealed a verdict.
	/// 6. The queue has an entry at each place between its ends and nowhere else, and what waits for an
	///    owner is a device of its own with an entry.
	/// 7. Only enrolled devices have a score, none of them in maintenance; no score is empty, and speeds,
	///    lanes, times of reads, round trips and rates are above zero. Round trips are kept of those whose
	///    way is scored, once for each verifier, and the second nearest is the score's.
	/// 8. The parameters are valid.
	/// 9. Owners are exactly those of enrolled devices, with as many as they have, and listed without a
	///    hole.
	/// 10. Ended rounds are at or after the forgetting cursor, before the next id, and not open; who passed
	///     one is there once.
	/// 11. What all verifiers have earned is the sum of what each has.
	/// 12. Each owner has as many open rounds as count among its own, and no device in maintenance has one.
	/// 13. Claimed places are on the Earth.
	/// 14. Products were computed with what the device offers, and at some speed; storage is what it offers,
	///     and was read in some time.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::try_state_verifiers()?;
		Self::try_state_rounds()?;
		Self::try_state_queue()?;
		Self::try_state_owners()?;
		for (device, score) in Performances::<T>::iter() {
			let record = Enrolments::<T>::get(device).ok_or("7: score of a stranger")?;
			ensure!(record.maintenance_since.is_none(), "7: score in maintenance");
			let speeds = score.cpu.iter().all(|cpu| cpu.steps_per_second_per_lane > 0);
			let lanes = score.cpu.iter().all(|cpu| cpu.lanes > 0);
			let reads = score.memory.iter().all(|memory| memory.read_nanos > 0);
			ensure!(!score.is_empty() && speeds && lanes && reads, "7: empty score");
			ensure!(record.of_offers(score) == score, "14: score of what is not offered");
			let is_fast = score.gemm.iter().all(|gemm| gemm.operations_per_second > 0);
			let is_read = score.storage.iter().all(|storage| storage.read_millis > 0);
			ensure!(is_fast && is_read, "14: empty score");
			let trips = RoundTrips::<T>::get(device);
			let micros: Vec<_> = trips.iter().map(|trip| trip.micros).collect();
			let nearest = (!micros.is_empty()).then(|| nearest(&micros));
			let scored = score.network.map(|network| network.nearest_micros);
			ensure!(nearest == scored && !micros.contains(&0), "7: round trips and score differ");
			let is_moved = |network: &NetworkScore| network.up_kbps > 0 && network.down_kbps > 0;
			ensure!(score.network.iter().all(is_moved), "7: nothing was moved");
			let distinct: BTreeSet<_> = trips.iter().map(|trip| &trip.verifier).collect();
			ensure!(distinct.len() == trips.len(), "7: two round trips to a verifier");
		}
		for device in RoundTrips::<T>::iter_keys() {
			ensure!(Performances::<T>::get(device).network.is_some(), "7: round trips of none");
		}
		for (_, record) in Enrolments::<T>::iter() {
			ensure!(record.position.is_none_or(|place| place.is_valid()), "13: no such place");
		}
		for (_, record) in Verifiers::<T>::iter() {
			ensure!(record.position.is_none_or(|place| place.is_valid()), "13: no such place");
		}
		ensure!(Params::<T>::get().validate(), "8: invalid parameters");
		Ok(())
	}

	fn try_state_verifiers() -> Result<(), TryRuntimeError> {
		let active = ActiveVerifiers::<T>::get();
		let networks: BTreeMap<_, _> =
			active.iter().map(|active| (&active.who, &active.network)).collect();
		ensure!(networks.len() == active.len(), "1: a verifier is active twice");
		let mut serving = 0usize;
		let mut earned = 0u128;
		for (who, record) in Verifiers::<T>::iter() {
			if record.retired_at.is_none() {
				serving = serving.saturating_add(1);
				let network = Network::of(&record.address);
				ensure!(networks.get(&who) == Some(&&network), "1: a verifier is not active");
				ensure!(record.bond >= record.bonded.div_ceil(2), "2: too little bond");
			}
			let held = T::Currency::balance_on_hold(&HoldReason::VerifierBond.into(), &who);
			ensure!(held == record.bond, "2: bond and hold differ");
			ensure!(record.bond <= record.bonded, "2: more held than bonded");
			earned = earned.saturating_add(record.earned);
		}
		ensure!(earned == TotalEarned::<T>::get(), "11: earnings do not add up");
		ensure!(serving == active.len(), "1: an active verifier does not serve");
		Ok(())
	}

	fn try_state_rounds() -> Result<(), TryRuntimeError> {
		let (oldest, next) = (OldestRound::<T>::get(), NextRound::<T>::get());
		ensure!(oldest <= next, "3: the closing cursor is ahead");
		let mut rounds = 0usize;
		let mut missing = 0usize;
		for (id, round) in Rounds::<T>::iter() {
			rounds = rounds.saturating_add(1);
			ensure!(oldest <= id && id < next, "3: round outside its range");
			ensure!(round.task.round == id, "3: round under a wrong id");
			ensure!(!round.seats.is_empty() && round.is_distinct(), "3: bad committee");
			ensure!(round.task.deadline < round.reveal_until, "3: no time to reveal");
			ensure!(check_work(&round.task.work).is_ok(), "3: task out of bounds");
			ensure!(
				OpenRounds::<T>::get(round.task.device) == Some(id),
				"3: the device does not know its round"
			);
			for seat in round.seats.iter() {
				let assigned = Assignments::<T>::contains_key(&seat.verifier, id);
				let revealed = matches!(seat.state, SeatState::Revealed(_));
				ensure!(assigned != revealed, "5: seat and assignment differ");
				ensure!(
					!assigned || Verifiers::<T>::contains_key(&seat.verifier),
					"5: assigned to no verifier"
				);
				missing = missing.saturating_add(usize::from(assigned));
			}
		}
		ensure!(OpenRounds::<T>::iter().count() == rounds, "4: a device's round is not open");
		ensure!(Assignments::<T>::iter().count() == missing, "5: an assignment without a seat");
		for (id, ended) in EndedRounds::<T>::iter() {
			ensure!(OldestEnded::<T>::get() <= id && id < next, "10: ended round out of range");
			ensure!(ended.task.round == id, "10: ended round under a wrong id");
			ensure!(!Rounds::<T>::contains_key(id), "10: ended round is open");
			let passed: BTreeSet<_> = ended.passed.iter().map(|(who, _)| who).collect();
			ensure!(passed.len() == ended.passed.len(), "10: passed twice by one verifier");
		}
		Ok(())
	}

	fn try_state_queue() -> Result<(), TryRuntimeError> {
		let ends = QueueEnds::<T>::get();
		ensure!(ends.head <= ends.tail, "6: queue ends crossed");
		let mut entries = 0u64;
		let mut waiting = BTreeSet::new();
		for (place, device) in Queue::<T>::iter() {
			entries = entries.saturating_add(1);
			ensure!((ends.head..ends.tail).contains(&place), "6: entry outside the queue");
			waiting.insert(device);
		}
		ensure!(entries == ends.tail.saturating_sub(ends.head), "6: hole in the queue");
		for (owner, OwnerRecord { queued, .. }) in Owners::<T>::iter() {
			let Some(device) = queued else { continue };
			ensure!(waiting.contains(&device), "6: queued without an entry");
			let record = Enrolments::<T>::get(device);
			ensure!(
				record.is_some_and(|record| record.owner == owner),
				"6: another one's device is queued"
			);
		}
		Ok(())
	}

	fn try_state_owners() -> Result<(), TryRuntimeError> {
		let mut open = BTreeMap::<T::AccountId, u32>::new();
		for (_, round) in Rounds::<T>::iter() {
			ensure!(!Self::is_in_maintenance(round.task.device), "12: a round in maintenance");
			let Some(owner) = round.owner else { continue };
			let record = Enrolments::<T>::get(round.task.device);
			ensure!(record.is_some_and(|record| record.owner == owner), "12: another owner");
			let count = open.entry(owner).or_default();
			*count = count.saturating_add(1);
		}
		for (owner, record) in Owners::<T>::iter() {
			ensure!(open.remove(&owner).unwrap_or_default() == record.open, "12: a wrong count");
		}
		ensure!(open.is_empty(), "12: rounds of no owner");
		let mut counted = BTreeMap::<T::AccountId, u32>::new();
		for (device, record) in Enrolments::<T>::iter() {
			ensure!(
				OwnedDevices::<T>::get(&record.owner, record.place) == Some(device),
				"9: a device not in its place"
			);
			let count = counted.entry(record.owner).or_default();
			*count = count.saturating_add(1);
		}
		let entries: u32 = counted.values().sum();
		ensure!(
			u32::try_from(OwnedDevices::<T>::iter().count()) == Ok(entries),
			"9: an owner has a device that is not enrolled"
		);
		ensure!(Owners::<T>::iter().count() == counted.len(), "9: an owner of nothing");
		ensure!(OwnerIndex::<T>::iter().count() == counted.len(), "9: a place too many");
		for (owner, record) in Owners::<T>::iter() {
			ensure!(counted.get(&owner) == Some(&record.devices), "9: a wrong count");
			ensure!(OwnerIndex::<T>::get(record.index) == Some(owner), "9: not in its place");
		}
		Ok(())
	}
}
