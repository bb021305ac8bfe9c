//! Opening, closing and forgetting rounds.

use crate::{draw::DrawContext, pallet::*, types::*, verifiers::Credited, weights::WeightInfo};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{ChallengeTask, Verdict},
	device::{DeviceInfo, Performance},
	traits::PowerSink,
	DeviceId, Moment, Ppm, RoundId, H256,
};
use armature_verifier::challenge::{
	steps_per_second_per_lane,
	verdict::{conclude, Conclusion, Standing},
};
use codec::Encode;
use frame_support::{traits::Time, weights::WeightMeter, BoundedVec};
use sp_runtime::traits::Saturating;

impl<T: Config> Pallet<T> {
	/// Opens a round of the device. Returns whether a committee could be found.
	pub(crate) fn open_round(
		context: &DrawContext<T>,
		device: DeviceId,
		info: &DeviceInfo<T::AccountId>,
	) -> bool {
		let parameters = &context.parameters;
		let id = NextRound::<T>::get();
		let Some(next) = id.next() else { return false };
		let seed = H256(
			(b"chl1", context.beacon, context.block, device, id)
				.using_encoded(sp_io::hashing::blake2_256),
		);
		let verifiers = Self::committee(seed, parameters, &context.verifiers, device, info);
		if verifiers.len() < parameters.quorum() {
			Self::note_no_verifiers(parameters, context.block);
			return false;
		}
		let deadline = context.now.saturating_add(parameters.window_millis);
		let seats = verifiers
			.iter()
			.cloned()
			.map(|verifier| Seat { verifier, state: SeatState::Empty });
		let cpu = parameters.cpu(info.lanes);
		let round = Round {
			task: ChallengeTask { round: id, device, seed, cpu, deadline },
			key: info.key,
			seats: BoundedVec::truncate_from(seats.collect()),
			opened_at: context.now,
			reveal_until: deadline.saturating_add(parameters.reveal_millis),
			proved: Proved::default(),
		};
		for seat in &round.seats {
			Assignments::<T>::insert(&seat.verifier, id, ());
		}
		Rounds::<T>::insert(id, round);
		OpenRounds::<T>::insert(device, id);
		NextRound::<T>::put(next);
		Self::deposit_event(Event::RoundOpened { round: id, device, seed, verifiers, deadline });
		true
	}

	/// Closes rounds for which nothing can come any more, oldest first, as far as the meter allows. A
	/// round whose windows were shortened after it opened waits for the ones before it.
	pub(crate) fn close_expired(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::close_base()).is_err() {
			return;
		}
		let now = T::Clock::now();
		let next = NextRound::<T>::get();
		let first = OldestRound::<T>::get();
		let mut oldest = first;
		while oldest < next && meter.can_consume(T::WeightInfo::close_round()) {
			match Rounds::<T>::get(oldest) {
				Some(round) if round.reveal_until < now || round.is_complete(now) => {
					meter.consume(T::WeightInfo::close_round());
					Self::close_round(oldest, round, now);
				},
				Some(_) => {
					meter.consume(T::WeightInfo::skip_round());
					break;
				},
				None => meter.consume(T::WeightInfo::skip_round()),
			}
			oldest = RoundId(oldest.0.saturating_add(1));
		}
		if oldest != first {
			OldestRound::<T>::put(oldest);
		}
	}

	/// Forgets rounds in which no fraud can be proved any more, oldest first, as far as the meter
	/// allows.
	pub(crate) fn forget_ended(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::close_base()).is_err() {
			return;
		}
		let now = T::Clock::now();
		let dispute = Params::<T>::get().dispute_millis;
		let closed = OldestRound::<T>::get();
		let first = OldestEnded::<T>::get();
		let mut oldest = first;
		while oldest < closed && meter.try_consume(T::WeightInfo::forget_round()).is_ok() {
			match EndedRounds::<T>::get(oldest) {
				Some(ended) if now <= ended.ended_at.saturating_add(dispute) => break,
				Some(_) => EndedRounds::<T>::remove(oldest),
				None => {},
			}
			oldest = RoundId(oldest.0.saturating_add(1));
		}
		if oldest != first {
			OldestEnded::<T>::put(oldest);
		}
	}

	/// Judges a round by the verdicts that were revealed, removes it, and pays and fines its
	/// committee.
	pub(crate) fn close_round(id: RoundId, round: RoundOf<T>, now: Moment) {
		let Round { task, key, seats, opened_at, proved, .. } = round;
		let device = task.device;
		let verdicts: Vec<Verdict> = seats
			.iter()
			.filter_map(|seat| match seat.state {
				SeatState::Revealed(verdict) => Some(verdict),
				SeatState::Empty | SeatState::Sealed(_) => None,
			})
			.collect();
		let (conclusion, mut standings) = conclude(&verdicts, seats.len());
		if proved.any() {
			// Both who found it and who sampled elsewhere did their work.
			standings.fill(Standing::Agrees);
		}

		Rounds::<T>::remove(id);
		OpenRounds::<T>::remove(device);
		for seat in &seats {
			Assignments::<T>::remove(&seat.verifier, id);
		}
		if seats.iter().any(|seat| seat.state != SeatState::Empty) {
			EndedRounds::<T>::insert(id, EndedRound { task, key, ended_at: now, proved });
		}
		let outcome = match conclusion {
			_ if proved.any() => failed_by(&verdicts),
			Conclusion::Void => RoundOutcome::Void,
			Conclusion::Failed { failed, posted } => RoundOutcome::Failed { failed, posted },
			Conclusion::Passed { elapsed_millis, .. } => {
				let performance = Performance {
					steps_per_second_per_lane: steps_per_second_per_lane(&task, elapsed_millis),
					lanes: task.cpu.lanes,
					measured_at: now,
				};
				RoundOutcome::Passed { performance }
			},
		};
		Self::deposit_event(Event::RoundClosed { round: id, device, outcome });
		Self::credit_committee(id, &seats, standings);

		// A device that left meanwhile keeps no score.
		let Some(mut record) = Enrolments::<T>::get(device) else { return };
		record.last_closed_at = Some(now);
		match outcome {
			RoundOutcome::Passed { performance } => {
				record.failures = 0;
				Performances::<T>::insert(device, performance);
				Self::adapt_share(&record.owner, true);
				Self::deposit_event(Event::PerformanceUpdated { device, performance });
			},
			RoundOutcome::Failed { .. } => {
				record.failures.saturating_inc();
				Performances::<T>::remove(device);
				Self::adapt_share(&record.owner, false);
			},
			RoundOutcome::Void => {},
		}
		if let (Conclusion::Passed { elapsed_millis, power }, false) = (conclusion, proved.any()) {
			let max_load = Params::<T>::get().max_load;
			let group = Self::largest_group();
			Self::change_owner(&record.owner, |owner| {
				let worked = elapsed_of_all(elapsed_millis, group, owner.devices);
				let until = rest_until(opened_at, worked, max_load);
				owner.rests_until = owner.rests_until.max(until);
			});
			T::Power::on_power(device, power);
		}
		Enrolments::<T>::insert(device, record);
	}

	/// Enters the end of a round into its verifiers' records. Where no more than half have sealed, none
	/// is fined for not having done so, and where nobody has revealed anything, none for that: the chain
	/// stood still, or whatever else kept many from it.
	fn credit_committee(id: RoundId, seats: &[Seat<T::AccountId>], standings: Vec<Standing>) {
		let parameters = Params::<T>::get();
		let fee = Self::affordable_fee(&parameters);
		let empty = seats.iter().filter(|seat| seat.state == SeatState::Empty).count();
		let outage = empty.saturating_mul(2) >= seats.len();
		let silence = standings.is_empty();
		let mut standings = standings.into_iter();
		for seat in seats {
			let credit = match seat.state {
				SeatState::Empty if outage => continue,
				SeatState::Sealed(_) if silence => continue,
				SeatState::Empty => Credited::Missed { fine: fee },
				SeatState::Sealed(_) => Credited::Unrevealed { fine: parameters.verdict_penalty },
				SeatState::Revealed(_) => match standings.next() {
					Some(Standing::Agrees) => Credited::Agreed { fee },
					Some(Standing::Differs) | None => Credited::Differed,
				},
			};
			Self::credit(&seat.verifier, id, credit);
		}
	}
}

/// The outcome of a round in which a fraud was proved.
fn failed_by(verdicts: &[Verdict]) -> RoundOutcome {
	let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
	let failed = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Failed { .. }));
	RoundOutcome::Failed { failed: count(failed.count()), posted: count(verdicts.len()) }
}

/// What a round of `group` devices at most takes of the time of each of all `devices`, on average,
/// rounded up.
fn elapsed_of_all(elapsed_millis: u32, group: u32, devices: u32) -> u32 {
	let (elapsed, group) = (u64::from(elapsed_millis), u64::from(group.min(devices)));
	let of_each = elapsed.saturating_mul(group).div_ceil(u64::from(devices).max(1));
	u32::try_from(of_each).unwrap_or(u32::MAX)
}

/// When a device that worked for `elapsed_millis` from `opened_at` on may be drawn again: when that
/// is `max_load` of the time since.
fn rest_until(opened_at: Moment, elapsed_millis: u32, max_load: Ppm) -> Moment {
	let scaled = u64::from(elapsed_millis).saturating_mul(Ppm::ONE.0.into());
	let rest = scaled.div_ceil(u64::from(max_load.0).max(1));
	opened_at.saturating_add(rest)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn devices_that_were_not_started_should_share_the_rest() {
		assert_eq!(elapsed_of_all(10_000, 7, 1), 10_000);
		assert_eq!(elapsed_of_all(10_000, 7, 7), 10_000);
		assert_eq!(elapsed_of_all(10_000, 7, 8), 8_750);
		assert_eq!(elapsed_of_all(10_000, 7, 1_000), 70);
		assert_eq!(elapsed_of_all(1, 7, 1_000), 1);
		assert_eq!(elapsed_of_all(u32::MAX, 7, 7), u32::MAX);
	}

	#[test]
	fn rest_should_keep_the_load_to_its_share() {
		// Ten seconds at one hundredth: a thousand seconds.
		assert_eq!(rest_until(5_000, 10_000, Ppm(10_000)), 1_005_000);
		assert_eq!(rest_until(0, 1, Ppm(300_000)), 4);
		assert_eq!(rest_until(7, 100, Ppm::ONE), 107);
		assert_eq!(rest_until(u64::MAX - 1, u32::MAX, Ppm(1)), u64::MAX);
	}
}
