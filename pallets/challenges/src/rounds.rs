//! Drawing, opening and closing rounds.

use crate::{outcome::judge, pallet::*, types::*, weights::WeightInfo};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::ChallengeTask,
	device::{DeviceInfo, DeviceStatus},
	traits::{DeviceInspect, PowerSink},
	DeviceId, Moment, Ppm, RoundId, H256,
};
use codec::Encode;
use frame_support::{
	traits::{Get, Randomness, Time},
	weights::{Weight, WeightMeter},
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::{SaturatedConversion, Saturating, Zero};

/// What all rounds of one block share.
pub(crate) struct DrawContext<T: Config> {
	pub(crate) parameters: Parameters,
	pub(crate) verifiers: ActiveVerifiersOf<T>,
	pub(crate) randomness: H256,
	pub(crate) block: BlockNumberFor<T>,
	pub(crate) now: Moment,
}

/// Why a device is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
	/// Its request came up in the queue.
	Request,
	/// A draw passes over it.
	Draw,
}

/// What became of a device that was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visit {
	/// A round of it began.
	Opened,
	/// Nothing.
	Passed,
	/// It is gone, and forgotten.
	Dropped,
}

impl<T: Config> Pallet<T> {
	/// One block's part of the draw: at most `MaxRoundsPerBlock` devices, requests first. While a
	/// draw runs, requests get no more than half, so that no flood of new devices
	/// holds up the surprise rounds of the old ones.
	pub(crate) fn draw_rounds(block: BlockNumberFor<T>) -> Weight {
		let mut weight = T::WeightInfo::draw_base();
		let Some(context) = Self::draw_context(block, T::Clock::now()) else { return weight };
		let budget = T::MaxRoundsPerBlock::get();
		let drawing = CurrentDraw::<T>::exists();
		let for_requests = if drawing { budget / 2 } else { budget };

		let mut visit = |device, cause| {
			weight.saturating_accrue(match Self::visit(&context, device, cause) {
				Visit::Opened => T::WeightInfo::open_round(),
				Visit::Passed => T::WeightInfo::visit_candidate(),
				Visit::Dropped => T::WeightInfo::drop_candidate(),
			});
		};
		let requested = Self::dequeue(for_requests);
		let left = budget.saturating_sub(requested.len().saturated_into());
		for device in requested {
			visit(device, Cause::Request);
		}
		if drawing {
			for device in Self::advance_draw(left) {
				visit(device, Cause::Draw);
			}
		}
		weight
	}

	/// What this block's rounds share; `None` when the block draws none. Starts a draw when one is
	/// due. One that takes longer than the interval is followed by the next at the next multiple.
	pub(crate) fn draw_context(block: BlockNumberFor<T>, now: Moment) -> Option<DrawContext<T>> {
		// Before the first timestamp there is no time from which a deadline could run.
		if now == 0 {
			return None;
		}
		let parameters = Params::<T>::get();
		let interval: BlockNumberFor<T> = parameters.round_interval_blocks.into();
		let due = !interval.is_zero() && (block % interval).is_zero();
		if due && !CurrentDraw::<T>::exists() && Enrolments::<T>::count() > 0 {
			CurrentDraw::<T>::put(Draw::default());
		}
		let ends = QueueEnds::<T>::get();
		if !CurrentDraw::<T>::exists() && ends.head == ends.tail {
			return None;
		}
		let verifiers = ActiveVerifiers::<T>::get();
		if verifiers.is_empty() {
			Self::note_no_verifiers(&parameters, block);
			return None;
		}
		let subject = (b"armature/challenge", frame_system::Pallet::<T>::parent_hash()).encode();
		let (randomness, _) = T::Randomness::random(&subject);
		Some(DrawContext { parameters, verifiers, randomness, block, now })
	}

	/// Takes up to `limit` devices from the front of the queue.
	pub(crate) fn dequeue(limit: u32) -> Vec<DeviceId> {
		let ends = QueueEnds::<T>::get();
		let head = ends.tail.min(ends.head.saturating_add(u64::from(limit)));
		if head == ends.head {
			return Vec::new();
		}
		QueueEnds::<T>::put(QueueBounds { head, ..ends });
		(ends.head..head).filter_map(Queue::<T>::take).collect()
	}

	/// The next `limit` devices of the running draw; ends it at the end of the ring.
	pub(crate) fn advance_draw(limit: u32) -> Vec<DeviceId> {
		let Some(draw) = CurrentDraw::<T>::get() else { return Vec::new() };
		let ring = match draw.cursor {
			Some(device) => Enrolments::<T>::iter_from(Enrolments::<T>::hashed_key_for(device)),
			None => Enrolments::<T>::iter(),
		};
		let devices: Vec<_> = ring.map(|(device, _)| device).take(limit.saturated_into()).collect();
		match devices.last() {
			Some(last) if devices.len() == limit.saturated_into::<usize>() => {
				CurrentDraw::<T>::put(Draw { cursor: Some(*last) })
			},
			_ => CurrentDraw::<T>::kill(),
		}
		devices
	}

	/// Looks at one device and opens a round if it is due.
	pub(crate) fn visit(context: &DrawContext<T>, device: DeviceId, cause: Cause) -> Visit {
		let Some(mut record) = Enrolments::<T>::get(device) else { return Visit::Passed };
		if cause == Cause::Request {
			// A device that left and came back can have an old entry in the queue.
			if !record.queued {
				return Visit::Passed;
			}
			record.queued = false;
			Enrolments::<T>::insert(device, &record);
		}
		let gone = [DeviceStatus::Jailed, DeviceStatus::Retired];
		let info = match T::Devices::device(device) {
			Some(info) if !gone.contains(&info.status) => info,
			_ => {
				Self::unenrol(device);
				return Visit::Dropped;
			},
		};
		let due = !OpenRounds::<T>::contains_key(device)
			&& match cause {
				Cause::Request => Self::may_request(info.status),
				Cause::Draw => {
					Self::may_draw(info.status) && Self::is_drawn(context, device, &record)
				},
			};
		if due && Self::open_round(context, device, &info) {
			Visit::Opened
		} else {
			Visit::Passed
		}
	}

	/// Whether a draw hits the device: always when its score ran out through no failure of its
	/// own, else with the probability of the parameters.
	fn is_drawn(context: &DrawContext<T>, device: DeviceId, record: &EnrolmentRecord) -> bool {
		let scored = Self::valid_performance(&context.parameters, device, context.now).is_some();
		if !scored && record.failures == 0 {
			return true;
		}
		let lot = (b"chlp", context.randomness, device, context.block)
			.using_encoded(sp_io::hashing::blake2_128);
		// 64 random bits, scaled to the parts per million.
		let point = (u128::from_le_bytes(lot) >> 64).saturating_mul(Ppm::ONE.0.into()) >> 64;
		point < u128::from(context.parameters.challenge_share.0)
	}

	/// Opens a round of the device. Returns whether a committee could be found.
	pub(crate) fn open_round(
		context: &DrawContext<T>,
		device: DeviceId,
		info: &DeviceInfo<T::AccountId>,
	) -> bool {
		let id = NextRound::<T>::get();
		let Some(next) = id.next() else { return false };
		let seed = H256(
			(b"chl1", context.randomness, context.block, device, id)
				.using_encoded(sp_io::hashing::blake2_256),
		);
		let size = usize::from(context.parameters.committee);
		let verifiers: Vec<_> = Self::by_lot(seed, &context.verifiers)
			.into_iter()
			.filter(|who| who != &info.provider && !T::Devices::may_operate(who, device))
			.take(size)
			.collect();
		if verifiers.is_empty() {
			Self::note_no_verifiers(&context.parameters, context.block);
			return false;
		}
		let deadline = context.now.saturating_add(context.parameters.window_millis);
		let seats = verifiers.iter().cloned().map(|verifier| Seat { verifier, verdict: None });
		let round = Round {
			task: ChallengeTask {
				round: id,
				device,
				seed,
				cpu: context.parameters.cpu(info.lanes),
				deadline,
			},
			seats: BoundedVec::truncate_from(seats.collect()),
			opened_at: context.now,
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

	/// The verifiers in an order that `seed` decides.
	pub(crate) fn by_lot(seed: H256, verifiers: &[T::AccountId]) -> Vec<T::AccountId> {
		let mut lots: Vec<_> = verifiers
			.iter()
			.map(|who| ((b"chlc", seed, who).using_encoded(sp_io::hashing::blake2_256), who))
			.collect();
		lots.sort();
		lots.into_iter().map(|(_, who)| who.clone()).collect()
	}

	/// Says that a due round found no verifier, at most once per interval.
	fn note_no_verifiers(parameters: &Parameters, block: BlockNumberFor<T>) {
		let interval = parameters.round_interval_blocks.into();
		if NoVerifiersAt::<T>::get().is_none_or(|last| block >= last.saturating_add(interval)) {
			NoVerifiersAt::<T>::put(block);
			Self::deposit_event(Event::NoVerifiers);
		}
	}

	/// Forgets a device. An open round of it runs to its end.
	pub(crate) fn unenrol(device: DeviceId) {
		Enrolments::<T>::remove(device);
		Performances::<T>::remove(device);
		Self::deposit_event(Event::DeviceUnenrolled { device });
	}

	/// Closes rounds past their deadline, oldest first, as far as the meter allows. A round whose
	/// window was shortened after it opened waits for the ones before it.
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
				Some(round) if round.task.deadline < now => {
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

	/// Judges a round by the verdicts that came and removes it.
	pub(crate) fn close_round(id: RoundId, round: RoundOf<T>, now: Moment) {
		let device = round.task.device;
		let verdicts = round.seats.iter().filter_map(|seat| seat.verdict).collect::<Vec<_>>();
		let (outcome, power) = judge(&round.task, &verdicts, now);

		Rounds::<T>::remove(id);
		OpenRounds::<T>::remove(device);
		for seat in round.seats.iter().filter(|seat| seat.verdict.is_none()) {
			Assignments::<T>::remove(&seat.verifier, id);
		}
		Self::deposit_event(Event::RoundClosed { round: id, device, outcome });

		// A device that left meanwhile keeps no score.
		let Some(mut record) = Enrolments::<T>::get(device) else { return };
		record.last_closed_at = Some(now);
		match outcome {
			RoundOutcome::Passed { performance } => {
				record.failures = 0;
				Performances::<T>::insert(device, performance);
				Self::deposit_event(Event::PerformanceUpdated { device, performance });
			},
			RoundOutcome::Failed { .. } => {
				record.failures.saturating_inc();
				Performances::<T>::remove(device);
			},
			RoundOutcome::Void => {},
		}
		Enrolments::<T>::insert(device, record);
		if let Some(power) = power {
			T::Power::on_power(device, power);
		}
	}
}
