//! Opening, closing and forgetting rounds.

use crate::{
	draw::{DrawContext, Start},
	pallet::*,
	scores::{with_part, worked_millis},
	types::*,
	verifiers::Credited,
	weights::WeightInfo,
};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{ChallengeTask, Measured, Verdict, WorkKind, MAX_LANES},
	device::{DeviceInfo, Performance},
	traits::DeviceLifecycle,
	DeviceId, Moment, Ppm, RoundId, H256,
};
use armature_verifier::challenge::verdict::{conclude, Conclusion, Standing};
use codec::Encode;
use frame_support::{
	traits::Time,
	weights::{Weight, WeightMeter},
	BoundedVec,
};
use sp_runtime::{traits::Saturating, SaturatedConversion};

impl<T: Config> Pallet<T> {
	/// Opens a round of the device. Returns whether a committee could be found.
	pub(crate) fn open_round(
		context: &DrawContext<T>,
		device: DeviceId,
		info: &DeviceInfo<T::AccountId>,
		start: Start,
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
		let seat = |active: &ActiveVerifier<T::AccountId>| {
			let (verifier, network) = (active.who.clone(), active.network);
			Seat { verifier, network, state: SeatState::Empty }
		};
		let seats = verifiers.iter().map(seat);
		let record = Enrolments::<T>::get(device);
		let offer = Offer {
			lanes: info.lanes.clamp(1, MAX_LANES),
			memory_mib: info.memory_mib.min(MAX_MEMORY_MIB),
			accelerator: record.as_ref().and_then(|record| record.accelerator),
			storage: record.as_ref().and_then(|record| record.storage),
		};
		let work = parameters.work(start.kind, offer, start.is_leased);
		let kind = work.kind();
		let owner = record.map(|record| record.owner);
		if let Some(owner) = &owner {
			Self::change_owner(owner, |record| record.open.saturating_inc());
		}
		let round = Round {
			task: ChallengeTask { round: id, device, seed, work, deadline },
			key: info.key,
			seats: BoundedVec::truncate_from(seats.collect()),
			opened_at: context.now,
			reveal_until: deadline.saturating_add(parameters.reveal_millis),
			owner,
			opened_in: context.block.saturated_into(),
			is_asked: start.is_asked,
			offer,
			proved: Proved::default(),
		};
		for seat in &round.seats {
			Assignments::<T>::insert(&seat.verifier, id, ());
		}
		Rounds::<T>::insert(id, round);
		OpenRounds::<T>::insert(device, id);
		NextRound::<T>::put(next);
		Self::deposit_event(Event::RoundOpened {
			round: id,
			device,
			kind,
			seed,
			verifiers: verifiers.into_iter().map(|active| active.who).collect(),
			deadline,
		});
		true
	}

	/// Closes and forgets rounds, as far as what is left of a block allows. Returns what that took.
	pub(crate) fn sweep(remaining: Weight) -> Weight {
		let mut meter = WeightMeter::with_limit(remaining);
		Self::close_expired(&mut meter);
		Self::forget_ended(&mut meter);
		meter.consumed()
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
		// What a round comes to is known only then.
		let dearest = T::WeightInfo::close_round().saturating_add(Closed::most_weight::<T>());
		while oldest < next && meter.can_consume(dearest) {
			match Rounds::<T>::get(oldest) {
				Some(round) if round.reveal_until < now || round.is_complete(now) => {
					meter.consume(T::WeightInfo::close_round());
					let closed = Self::close_round(oldest, round, now);
					meter.consume(closed.extra_weight::<T>());
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

	/// Judges a round by the verdicts that were revealed, removes it, pays and fines its committee, and
	/// slashes a device that signed two roots.
	pub(crate) fn close_round(id: RoundId, round: RoundOf<T>, now: Moment) -> Closed {
		let (device, kind) = (round.task.device, round.task.work.kind());
		let verdicts: Vec<Verdict> = round
			.seats
			.iter()
			.filter_map(|seat| match seat.state {
				SeatState::Revealed(verdict) => Some(verdict),
				SeatState::Empty | SeatState::Sealed(_) => None,
			})
			.collect();
		let (conclusion, mut standings) = conclude(&verdicts, round.seats.len());
		let mut proved = round.proved;
		if proved.any() {
			// Both who found it and who sampled elsewhere did their work.
			standings.fill(Standing::Agrees);
		}
		let parameters = Params::<T>::get();
		let outcome = match conclusion {
			_ if proved.any() => failed_by(&verdicts),
			Conclusion::Void => RoundOutcome::Void,
			Conclusion::Failed { failed, posted } | Conclusion::TwoRoots { failed, posted } => {
				RoundOutcome::Failed { failed, posted }
			},
			Conclusion::Passed { measured, .. } if is_too_slow(&parameters, &measured) => {
				RoundOutcome::TooSlow { measured }
			},
			Conclusion::Passed { measured, .. } => RoundOutcome::Passed { measured },
		};
		let is_new_fraud =
			matches!(conclusion, Conclusion::TwoRoots { .. }) && !proved.equivocation;
		proved.equivocation |= is_new_fraud;
		let before = Performances::<T>::get(device);
		Self::forget_open(id, &round);
		Self::deposit_event(Event::RoundClosed { round: id, device, outcome });
		Self::credit_committee(&parameters, id, &round.seats, standings);

		let mut raised_share = Ppm(0);
		// A device that left meanwhile keeps no score, also where it has come back.
		let enrolled = round.owner.as_ref().and_then(|_| Enrolments::<T>::get(device));
		if let Some(mut record) = enrolled {
			record.last_closed_at = Some(now);
			match outcome {
				RoundOutcome::Passed { measured } => {
					record.failures = 0;
					let performance = Self::score(
						&parameters,
						before,
						&round,
						measured,
						record.position.as_ref(),
						now,
					);
					record.last_rounds.set(kind, id);
					// What was asked for was no surprise.
					if !round.is_asked {
						Self::adapt_share(&record.owner, true);
					}
					Self::deposit_event(Event::PerformanceUpdated { device, performance });
				},
				RoundOutcome::Failed { .. } | RoundOutcome::TooSlow { .. } => {
					record.failures.saturating_inc();
					record.last_rounds.set(kind, id);
					let left = with_part(before, Performance::default(), kind);
					Self::set_performance(device, left);
					raised_share = Self::adapt_share(&record.owner, false);
				},
				RoundOutcome::Void => {},
			}
			if let (Conclusion::Passed { power, .. }, RoundOutcome::Passed { measured }) =
				(conclusion, outcome)
			{
				Self::rest(&parameters, &round, &record.owner, measured);
				Self::take_power(&parameters, &round, power, measured);
			}
			Enrolments::<T>::insert(device, record);
		}
		if round.seats.iter().any(|seat| seat.state != SeatState::Empty) {
			let is_failed =
				matches!(outcome, RoundOutcome::Failed { .. } | RoundOutcome::TooSlow { .. });
			let passed = round.passed();
			let Round { task, key, opened_in, .. } = round;
			let ended = EndedRound {
				task,
				key,
				opened_in,
				ended_at: now,
				passed,
				before,
				is_failed,
				raised_share,
				proved,
			};
			EndedRounds::<T>::insert(id, ended);
		}
		let closed = Closed { is_punished: is_new_fraud, is_network: kind == WorkKind::Network };
		if !is_new_fraud {
			return closed;
		}
		// Both signatures were checked when the verdicts were revealed: that is the proof.
		let slashed = T::Lifecycle::slash(device, parameters.fraud_slash);
		Self::unenrol(device);
		Self::deposit_event(Event::TwoRootsSigned { round: id, device, slashed });
		closed
	}

	/// Takes a round out of what is open.
	fn forget_open(id: RoundId, round: &RoundOf<T>) {
		Rounds::<T>::remove(id);
		OpenRounds::<T>::remove(round.task.device);
		if let Some(owner) = &round.owner {
			Self::change_owner(owner, |record| record.open = record.open.saturating_sub(1));
		}
		for seat in &round.seats {
			Assignments::<T>::remove(&seat.verifier, id);
		}
	}

	/// Lets an owner's devices rest after a round that one of them passed.
	fn rest(parameters: &Parameters, round: &RoundOf<T>, owner: &T::AccountId, measured: Measured) {
		let worked = worked_millis(parameters, &round.task.work, measured, round.seats.len());
		let group = Self::largest_group();
		Self::change_owner(owner, |owner| {
			let worked = elapsed_of_all(worked, group, owner.devices);
			let until = rest_until(round.opened_at, worked, parameters.max_load);
			owner.rests_until = owner.rests_until.max(until);
		});
	}

	/// Enters the end of a round into its verifiers' records. Where no more than half have sealed, none
	/// is fined for not having done so, and where nobody has revealed anything, none for that: the chain
	/// stood still, or whatever else kept many from it.
	fn credit_committee(
		parameters: &Parameters,
		id: RoundId,
		seats: &[Seat<T::AccountId>],
		standings: Vec<Standing>,
	) {
		let fee = Self::affordable_fee(parameters);
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

/// What closing a round took beside what it always takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Closed {
	/// The device was slashed: it had signed two roots.
	pub(crate) is_punished: bool,
	/// It may have got a score of its way to verifiers.
	pub(crate) is_network: bool,
}

impl Closed {
	/// What all of it weighs.
	pub(crate) fn extra_weight<T: Config>(self) -> Weight {
		let mut weight = Weight::default();
		if self.is_punished {
			weight.saturating_accrue(T::WeightInfo::two_roots());
		}
		if self.is_network {
			weight.saturating_accrue(T::WeightInfo::score_network());
		}
		weight
	}

	/// The most that it can weigh: a device cannot sign two roots where nothing is computed.
	pub(crate) fn most_weight<T: Config>() -> Weight {
		T::WeightInfo::two_roots().max(T::WeightInfo::score_network())
	}
}

/// Whether what was filled is no memory.
fn is_too_slow(parameters: &Parameters, measured: &Measured) -> bool {
	match measured {
		Measured::Cpu { .. }
		| Measured::Network { .. }
		| Measured::Gemm { .. }
		| Measured::Storage { .. } => false,
		Measured::Memory { read_nanos, .. } => *read_nanos > parameters.max_read_nanos,
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
