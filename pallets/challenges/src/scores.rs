//! What rounds have shown of a device.

use crate::{pallet::*, types::*};
use alloc::vec::Vec;
use armature_primitives::{
	challenge::{Measured, Verdict, Work, WorkKind},
	device::{
		CpuScore, GemmScore, MemoryScore, NetworkScore, Performance, RoundTripTo, StorageScore,
	},
	location::{LocationFinding, Position},
	telemetry::{PowerLoad, PowerReading},
	traits::PowerSink,
	DeviceId, Moment,
};
use armature_verifier::challenge::{
	gemm::operations_per_second,
	location::{appraise_location, RoundTrip},
	memory::fill_mib_per_second,
	network::{nearest, together},
	power::check_energy,
	steps_per_second_per_lane,
};

/// What one verifier measured of the way to a device.
struct Way<'a, AccountId> {
	seat: &'a Seat<AccountId>,
	micros: u32,
	up_kbps: u32,
	down_kbps: u32,
}

impl<T: Config> Pallet<T> {
	/// Stores the score with what a passed round showed, and returns it.
	pub(crate) fn score(
		parameters: &Parameters,
		before: Performance,
		round: &RoundOf<T>,
		measured: Measured,
		claimed: Option<&Position>,
		now: Moment,
	) -> Performance {
		let device = round.task.device;
		let after = match (round.task.work, measured) {
			(Work::Cpu(cpu), Measured::Cpu { elapsed_millis }) => {
				let score = CpuScore {
					steps_per_second_per_lane: steps_per_second_per_lane(&cpu, elapsed_millis),
					lanes: round.offer.lanes,
					measured_at: now,
				};
				Performance { cpu: Some(score), ..before }
			},
			(Work::Memory(memory), Measured::Memory { fill_millis, read_nanos }) => {
				let score = MemoryScore {
					offered_mib: round.offer.memory_mib,
					filled_mib: memory.mib(),
					fill_mib_per_second: fill_mib_per_second(&memory, fill_millis),
					read_nanos,
					measured_at: now,
				};
				Performance { memory: Some(score), ..before }
			},
			(Work::Network(_), Measured::Network { round_trip_micros, .. }) => {
				let ways = ways(round);
				let rates = |rate: fn(&Way<T::AccountId>) -> u32| {
					together(&ways.iter().map(rate).collect::<Vec<_>>())
				};
				let score = NetworkScore {
					nearest_micros: nearest(&ways.iter().map(|way| way.micros).collect::<Vec<_>>()),
					median_micros: round_trip_micros,
					up_kbps: rates(|way| way.up_kbps),
					down_kbps: rates(|way| way.down_kbps),
					location: Self::appraise(parameters, claimed, &ways),
					measured_at: now,
				};
				let trips = ways.iter().map(|way| RoundTripTo {
					verifier: way.seat.verifier.clone(),
					micros: way.micros,
					measured_at: now,
				});
				RoundTrips::<T>::insert(device, RoundTripsOf::<T>::truncate_from(trips.collect()));
				Performance { network: Some(score), ..before }
			},
			(Work::Gemm(gemm), Measured::Gemm { elapsed_millis }) => {
				// Products are asked of those only that offer an accelerator.
				let score = round.offer.accelerator.map(|offer| GemmScore {
					offer,
					shown_mib: gemm.mib(),
					operations_per_second: operations_per_second(
						&gemm,
						elapsed_millis.saturating_add(parameters.head_start_millis),
					),
					measured_at: now,
				});
				Performance { gemm: score, ..before }
			},
			(Work::Storage(_), Measured::Storage { read_millis, .. }) => {
				// Blocks are asked of those only that offer storage.
				let score = round.offer.storage.map(|offer| StorageScore {
					offer,
					read_millis,
					measured_at: now,
				});
				Performance { storage: score, ..before }
			},
			// Verdicts of another kind are not taken.
			_ => before,
		};
		Self::set_performance(device, after);
		after
	}

	/// Holds round trips against where a device is claimed to be. A verifier that does not say where it is
	/// has no say.
	fn appraise(
		parameters: &Parameters,
		claimed: Option<&Position>,
		ways: &[Way<T::AccountId>],
	) -> LocationFinding {
		let Some(claimed) = claimed else { return LocationFinding::Unknown };
		let Parameters { near_metres, near_slack_micros, .. } = *parameters;
		let trips: Vec<_> = ways
			.iter()
			.filter_map(|way| {
				let verifier = Verifiers::<T>::get(&way.seat.verifier)?.position?;
				Some(RoundTrip { verifier, network: way.seat.network, micros: way.micros })
			})
			.collect();
		appraise_location(claimed, near_metres, near_slack_micros, &trips)
	}

	/// Stores what counts of a device.
	pub(crate) fn set_performance(device: DeviceId, performance: Performance) {
		if performance.network.is_none() {
			RoundTrips::<T>::remove(device);
		}
		if performance.is_empty() {
			Performances::<T>::remove(device);
		} else {
			Performances::<T>::insert(device, performance);
		}
	}

	/// Passes the power figures of a round on, if physics and the device's class allow them. They are those of
	/// all lanes, one of which a lease may have had, or of products; memory and data load a device less.
	pub(crate) fn take_power(
		parameters: &Parameters,
		round: &RoundOf<T>,
		power: PowerReading,
		measured: Measured,
	) {
		let (load, operations) = match round.task.work {
			Work::Cpu(cpu) => {
				let steps = u128::from(cpu.steps_per_lane()).saturating_mul(cpu.lanes.into());
				(PowerLoad::Lanes, steps)
			},
			Work::Gemm(gemm) => (PowerLoad::Accelerator, gemm.operations()),
			Work::Memory(_) | Work::Network(_) | Work::Storage(_) => return,
		};
		let limits = parameters.power_limits(load, round.offer.lanes);
		let device = round.task.device;
		match check_energy(&power, operations, measured.elapsed_millis(), &limits) {
			Ok(()) => T::Power::on_power(device, load, power),
			Err(fault) => {
				let round = round.task.round;
				Self::deposit_event(Event::PowerImplausible { round, device, fault });
			},
		}
	}
}

/// What the verifiers of a round say that the device passed with.
fn ways<AccountId>(round: &Round<AccountId>) -> Vec<Way<'_, AccountId>> {
	let mut ways = Vec::new();
	for seat in &round.seats {
		let SeatState::Revealed(Verdict::Passed { measured, .. }) = seat.state else { continue };
		let Measured::Network { round_trip_micros, up_kbps, down_kbps, .. } = measured else {
			continue;
		};
		ways.push(Way { seat, micros: round_trip_micros, up_kbps, down_kbps });
	}
	ways
}

/// A score with its part of this kind `from` another one.
pub(crate) fn with_part(score: Performance, from: Performance, kind: WorkKind) -> Performance {
	match kind {
		WorkKind::Cpu => Performance { cpu: from.cpu, ..score },
		WorkKind::Memory => Performance { memory: from.memory, ..score },
		WorkKind::Network => Performance { network: from.network, ..score },
		WorkKind::Gemm => Performance { gemm: from.gemm, ..score },
		WorkKind::Storage => Performance { storage: from.storage, ..score },
	}
}

/// How long a device worked for a round: until it committed, and, over its memory or storage, once for each
/// of its `seats`; or how long its connection was in use. Of products at least the head start, so that there is a
/// rest after however little was offered.
pub(crate) fn worked_millis(
	parameters: &Parameters,
	work: &Work,
	measured: Measured,
	seats: usize,
) -> u32 {
	let elapsed = u64::from(measured.elapsed_millis());
	let all = match (work, measured) {
		(Work::Memory(memory), Measured::Memory { read_nanos, .. }) => {
			let nanos = memory.reads_per_lane().saturating_mul(read_nanos.into());
			let each = nanos.div_ceil(1_000_000);
			let walks = each.saturating_mul(u64::try_from(seats).unwrap_or(u64::MAX));
			elapsed.saturating_add(walks)
		},
		(Work::Storage(_), Measured::Storage { read_millis, .. }) => {
			let seats = u64::try_from(seats).unwrap_or(u64::MAX);
			elapsed.saturating_add(u64::from(read_millis).saturating_mul(seats))
		},
		(Work::Network(network), _) => network.busy_millis(),
		(Work::Gemm(_), _) => elapsed.saturating_add(parameters.head_start_millis.into()),
		_ => elapsed,
	};
	u32::try_from(all).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::challenge::{
		CpuChallenge, GemmChallenge, MemoryChallenge, NetworkChallenge, StorageChallenge,
	};

	#[test]
	fn work_should_count_all_walks() {
		let parameters = Parameters { head_start_millis: 90, ..Default::default() };
		let gemm = Work::Gemm(GemmChallenge { side: 1, states: 1 });
		let measured = Measured::Gemm { elapsed_millis: 7 };
		assert_eq!(worked_millis(&parameters, &gemm, measured, 5), 97);
		let memory = MemoryChallenge { lanes: 4, blocks: 9, segments: 100_000, reads: 10 };
		let measured = Measured::Memory { fill_millis: 700, read_nanos: 1_001 };
		// A million reads of 1,001 ns take 1,001 ms.
		assert_eq!(worked_millis(&parameters, &Work::Memory(memory), measured, 5), 700 + 5 * 1_001);
		assert_eq!(worked_millis(&parameters, &Work::Memory(memory), measured, 0), 700);
		let forever = Measured::Memory { fill_millis: u32::MAX, read_nanos: u32::MAX };
		assert_eq!(worked_millis(&parameters, &Work::Memory(memory), forever, 5), u32::MAX);
		let cpu = CpuChallenge { lanes: 4, segments: 9, steps_per_segment: 9 };
		let measured = Measured::Cpu { elapsed_millis: 700 };
		assert_eq!(worked_millis(&parameters, &Work::Cpu(cpu), measured, 5), 700);
		let network =
			NetworkChallenge { echoes: 1, lead_millis: 90, transfer_millis: 20, transfer_kib: 1 };
		let measured = Measured::Network {
			answer_millis: 700,
			round_trip_micros: 1,
			up_kbps: 1,
			down_kbps: 1,
		};
		assert_eq!(worked_millis(&parameters, &Work::Network(network), measured, 5), 40);
		let storage = StorageChallenge {
			sectors: 1,
			blocks: 2,
			compressions: 1,
			commit_millis: 1,
			read_millis: 1,
		};
		let measured = Measured::Storage { answer_millis: 30, read_millis: 200 };
		assert_eq!(worked_millis(&parameters, &Work::Storage(storage), measured, 5), 1_030);
	}
}
