//! Scores and power figures for tests.

use super::{
	loads::Loads,
	peers::{Ages, Limits, Metered, Peers, Stored},
};
use armature_primitives::{
	device::{
		AcceleratorOffer, CpuScore, GemmScore, MemoryScore, NetworkScore, Performance,
		StorageOffer, StorageScore,
	},
	location::LocationFinding,
	telemetry::{PowerReading, PowerSource},
	DeviceId, MilliWatts, Moment, Ppm,
};

pub(super) const OWN: DeviceId = DeviceId(1);

/// When all is measured that is not said to be measured at another time. Parts of scores count until 160.
pub(super) const MEASURED_AT: Moment = 100;

pub(super) const LIMITS: Limits = Limits {
	scores: Ages { now: 150, max_age_millis: 60 },
	power: Ages { now: 150, max_age_millis: 70 },
};

pub(super) fn cpu(steps_per_second_per_lane: u64, measured_at: Moment) -> CpuScore {
	CpuScore { steps_per_second_per_lane, lanes: 4, measured_at }
}

pub(super) fn memory(offered_mib: u32, read_nanos: u32, measured_at: Moment) -> MemoryScore {
	MemoryScore { offered_mib, filled_mib: 900, fill_mib_per_second: 450, read_nanos, measured_at }
}

pub(super) fn network(
	nearest_micros: u32,
	up_kbps: u32,
	down_kbps: u32,
	measured_at: Moment,
) -> NetworkScore {
	let (median_micros, location) = (20_000, LocationFinding::Unknown);
	NetworkScore { nearest_micros, median_micros, up_kbps, down_kbps, location, measured_at }
}

pub(super) fn gemm(operations_per_second: u64, shown_mib: u32, measured_at: Moment) -> GemmScore {
	let offer = AcceleratorOffer { memory_mib: 24_576, side: 4_096 };
	GemmScore { offer, shown_mib, operations_per_second, measured_at }
}

/// Of sectors of a GiB.
pub(super) fn storage(sectors: u32, read_millis: u32, measured_at: Moment) -> StorageScore {
	let offer = StorageOffer { sectors, blocks: 1 << 20, compressions: 256 };
	StorageScore { offer, read_millis, measured_at }
}

/// With four lanes.
pub(super) fn fast(steps_per_second_per_lane: u64) -> Performance {
	lanes(4, steps_per_second_per_lane)
}

pub(super) fn lanes(lanes: u16, steps_per_second_per_lane: u64) -> Performance {
	let cpu = CpuScore { lanes, ..cpu(steps_per_second_per_lane, MEASURED_AT) };
	Performance { cpu: Some(cpu), ..Performance::default() }
}

pub(super) fn large(offered_mib: u32, read_nanos: u32) -> Performance {
	let memory = memory(offered_mib, read_nanos, MEASURED_AT);
	Performance { memory: Some(memory), ..Performance::default() }
}

pub(super) fn near(nearest_micros: u32, up_kbps: u32, down_kbps: u32) -> Performance {
	let network = network(nearest_micros, up_kbps, down_kbps, MEASURED_AT);
	Performance { network: Some(network), ..Performance::default() }
}

pub(super) fn multiplying(operations_per_second: u64, shown_mib: u32) -> Performance {
	let gemm = gemm(operations_per_second, shown_mib, MEASURED_AT);
	Performance { gemm: Some(gemm), ..Performance::default() }
}

pub(super) fn storing(sectors: u32, read_millis: u32) -> Performance {
	let storage = storage(sectors, read_millis, MEASURED_AT);
	Performance { storage: Some(storage), ..Performance::default() }
}

/// In milliwatts, by a meter at the wall.
pub(super) fn metered(idle: u32, loaded: u32) -> Metered {
	let reading = PowerReading {
		idle: MilliWatts(idle),
		loaded: MilliWatts(loaded),
		source: PowerSource::WallMeter,
		error: Ppm(20_000),
	};
	Metered { reading, measured_at: MEASURED_AT }
}

/// A device beside those with ids from 2 up.
pub(super) fn beside(own: Performance, others: &[Performance], is_partial: bool) -> Peers {
	let scores = (2..).map(DeviceId).zip(others.iter().copied()).collect();
	let stored = Stored { scores, is_partial, ..Stored::default() };
	Peers::new(OWN, &own, Loads::default(), &stored, LIMITS)
}
