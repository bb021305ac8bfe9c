//! When a round of storage is answered at the earliest.

use armature_primitives::challenge::Work;
use std::time::Duration;

/// What is sealed is committed to within milliseconds. An answer that is planted asks the chain, and waits for
/// the disk once more: without this a verifier could tell by the time which rounds it has to look at.
const FLOOR: Duration = Duration::from_millis(500);

/// One in so many parts of the time to commit is the most that may take.
const PARTS: u32 = 4;

/// How long after its begin a run is answered, planted or not; `None` where the work takes its time.
pub(super) fn floor_of(work: &Work) -> Option<Duration> {
	match work {
		Work::Storage(storage) => {
			let commit = Duration::from_millis(storage.commit_millis.into());
			Some(FLOOR.min(commit / PARTS))
		},
		Work::Cpu(_) | Work::Memory(_) | Work::Network(_) | Work::Gemm(_) => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::challenge::{
		CpuChallenge, GemmChallenge, MemoryChallenge, NetworkChallenge, StorageChallenge,
	};

	#[test]
	fn storage_should_be_answered_half_a_second_later_and_well_in_time() {
		let floor = |commit_millis| {
			let (sectors, blocks, compressions, read_millis) = (1, 2, 1, 1);
			floor_of(&Work::Storage(StorageChallenge {
				sectors,
				blocks,
				compressions,
				commit_millis,
				read_millis,
			}))
		};
		for (commit_millis, micros) in [
			(u32::MAX, 500_000),
			(10_000, 500_000),
			(2_000, 500_000),
			(1_996, 499_000),
			(1_000, 250_000),
			(1, 250),
			(0, 0),
		] {
			assert_eq!(
				floor(commit_millis),
				Some(Duration::from_micros(micros)),
				"{commit_millis}"
			);
		}
	}

	#[test]
	fn other_work_should_take_the_time_that_it_takes() {
		for work in [
			Work::Cpu(CpuChallenge { lanes: 1, segments: 2, steps_per_segment: 3 }),
			Work::Memory(MemoryChallenge { lanes: 1, blocks: 2, segments: 3, reads: 4 }),
			Work::Network(NetworkChallenge {
				echoes: 1,
				lead_millis: 2,
				transfer_millis: 3,
				transfer_kib: 4,
			}),
			Work::Gemm(GemmChallenge { side: 64, states: 2 }),
		] {
			assert_eq!(floor_of(&work), None, "{work:?}");
		}
	}
}
