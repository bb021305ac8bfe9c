//! The parts of a score, beside each other and as people and programs read them.

use super::*;
use armature_primitives::{
	device::{AcceleratorOffer, StorageOffer},
	location::LocationFinding,
};
use serde_json::json;

/// Parts that were measured at 100 count until 160.
const AGES: Ages = Ages { now: 150, max_age_millis: 60 };

const OWN: DeviceId = DeviceId(1);

fn cpu(steps_per_second_per_lane: u64, measured_at: Moment) -> CpuScore {
	CpuScore { steps_per_second_per_lane, lanes: 4, measured_at }
}

fn memory(offered_mib: u32, read_nanos: u32, measured_at: Moment) -> MemoryScore {
	MemoryScore { offered_mib, filled_mib: 900, fill_mib_per_second: 450, read_nanos, measured_at }
}

fn fast(steps_per_second_per_lane: u64) -> Performance {
	Performance { cpu: Some(cpu(steps_per_second_per_lane, 100)), ..Performance::default() }
}

fn large(offered_mib: u32, read_nanos: u32) -> Performance {
	Performance { memory: Some(memory(offered_mib, read_nanos, 100)), ..Performance::default() }
}

fn network(nearest_micros: u32, up_kbps: u32, down_kbps: u32, measured_at: Moment) -> NetworkScore {
	let (median_micros, location) = (20_000, LocationFinding::Unknown);
	NetworkScore { nearest_micros, median_micros, up_kbps, down_kbps, location, measured_at }
}

fn near(nearest_micros: u32, up_kbps: u32, down_kbps: u32) -> Performance {
	let network = network(nearest_micros, up_kbps, down_kbps, 100);
	Performance { network: Some(network), ..Performance::default() }
}

fn gemm(operations_per_second: u64, shown_mib: u32, measured_at: Moment) -> GemmScore {
	let offer = AcceleratorOffer { memory_mib: 24_576, side: 4_096 };
	GemmScore { offer, shown_mib, operations_per_second, measured_at }
}

fn multiplying(operations_per_second: u64, shown_mib: u32) -> Performance {
	let gemm = gemm(operations_per_second, shown_mib, 100);
	Performance { gemm: Some(gemm), ..Performance::default() }
}

fn storage(sectors: u32, read_millis: u32, measured_at: Moment) -> StorageScore {
	let offer = StorageOffer { sectors, blocks: 1 << 20, compressions: 256 };
	StorageScore { offer, read_millis, measured_at }
}

fn storing(sectors: u32, read_millis: u32) -> Performance {
	let storage = storage(sectors, read_millis, 100);
	Performance { storage: Some(storage), ..Performance::default() }
}

/// Puts a score beside those of devices 2 and up.
fn beside(own: Performance, others: &[Performance], partial: bool) -> Parts {
	let scores: Vec<_> = (2..).map(DeviceId).zip(others.iter().copied()).collect();
	Parts::new(OWN, &own, &Others { scores: &scores, partial }, AGES)
}

fn speed_of(parts: Parts) -> Comparison {
	parts.cpu.expect("a speed").comparison.expect("others")
}

fn memory_of(parts: Parts) -> MemoryComparison {
	parts.memory.expect("memory").comparison.expect("others")
}

#[test]
fn speeds_should_be_compared_with_those_of_others() {
	assert_eq!(beside(fast(5), &[], false).cpu.expect("a speed").comparison, None);
	let compared = |own| speed_of(beside(fast(own), &[3, 5, 5, 9].map(fast), false));
	let expected = Comparison { behind: 1, others: 4, percent: 25, partial: false };
	assert_eq!(compared(5), expected);
	assert_eq!(compared(10).percent, 100);
	assert_eq!(compared(3).percent, 0);
	assert_eq!(speed_sentence(compared(9)), "faster than 75 % of 4 other measured devices");
	let some = speed_of(beside(fast(9), &[3, 5, 5, 9].map(fast), true));
	assert_eq!(speed_sentence(some), "faster than 75 % of at least 4 other measured devices");
	let one = speed_of(beside(fast(2), &[fast(1)], false));
	assert_eq!(speed_sentence(one), "faster than 100 % of 1 other measured device");
}

#[test]
fn memory_should_be_compared_by_size_and_by_reads() {
	assert_eq!(beside(large(8, 300), &[], false).memory.expect("memory").comparison, None);
	let others = [large(4, 100), large(8, 300), large(7, 301), large(9, 400)];
	let compared = memory_of(beside(large(8, 300), &others, false));
	let half = Comparison { behind: 2, others: 4, percent: 50, partial: false };
	assert_eq!(compared, MemoryComparison { size: half, reads: half });
	let compared = memory_of(beside(large(10, 400), &others, true));
	assert_eq!((compared.size.percent, compared.reads.percent), (100, 0));
	assert_eq!(
		memory_sentence(compared),
		"more memory than 100 %, faster reads than 0 % of at least 4 other measured devices"
	);
}

#[test]
fn ways_should_be_compared_by_each_figure() {
	let others = [near(9, 50, 50), near(7, 40, 90)];
	let compared = |own| beside(own, &others, false).network.expect("a way").comparison;
	let found = compared(near(8, 45, 90)).expect("others");
	assert_eq!((found.nearest.percent, found.up.percent, found.down.percent), (50, 50, 50));
	assert_eq!(found.nearest.others, 2);
	assert_eq!(beside(near(8, 45, 90), &[fast(1)], false).network.expect("a way").comparison, None);
}

#[test]
fn accelerators_should_be_compared_by_speed_and_by_memory() {
	let own = multiplying(20, 8);
	assert_eq!(beside(own, &[], false).gemm.expect("products").comparison, None);
	let compared = |others: &[Performance]| beside(own, others, false).gemm.expect("products");
	// The same memory at the same speed is not behind.
	let others = [multiplying(10, 9), multiplying(20, 8), multiplying(30, 7), multiplying(19, 7)];
	let found = compared(&others).comparison.expect("others");
	let half = Comparison { behind: 2, others: 4, percent: 50, partial: false };
	assert_eq!(found, GemmComparison { speed: half, size: half });
	let found = compared(&[multiplying(10, 8), fast(1)]).comparison.expect("another one");
	assert_eq!(
		gemm_sentence(found),
		"faster than 100 %, more memory than 0 % of 1 other measured device"
	);
	assert_eq!(compared(&[fast(1)]).comparison, None);
}

#[test]
fn storage_should_be_compared_by_size_and_by_reads() {
	let own = storing(500, 800);
	assert_eq!(beside(own, &[], false).storage.expect("storage").comparison, None);
	let compared = |others: &[Performance]| beside(own, others, false).storage.expect("storage");
	// The same storage with the same reads is not behind.
	let others = [storing(400, 900), storing(500, 800), storing(499, 801), storing(600, 700)];
	let found = compared(&others).comparison.expect("others");
	let half = Comparison { behind: 2, others: 4, percent: 50, partial: false };
	assert_eq!(found, StorageComparison { size: half, reads: half });
	let found = compared(&[storing(10, 700), fast(1)]).comparison.expect("another one");
	assert_eq!(
		storage_sentence(found),
		"more storage than 100 %, faster reads than 0 % of 1 other measured device"
	);
	assert_eq!(compared(&[fast(1)]).comparison, None);
}

#[test]
fn own_old_and_absent_parts_should_not_be_compared() {
	let aged = |measured_at| Performance {
		cpu: Some(cpu(1, measured_at)),
		memory: Some(memory(1, 900, measured_at)),
		network: Some(network(90_000, 1, 1, measured_at)),
		gemm: Some(gemm(1, 1, measured_at)),
		storage: Some(storage(1, 900, measured_at)),
	};
	let own = Performance {
		memory: large(8, 300).memory,
		gemm: multiplying(20, 8).gemm,
		storage: storing(500, 800).storage,
		..fast(5)
	};
	// The last one is the device's own. One that ends now still counts.
	let scores = [(DeviceId(2), aged(90)), (DeviceId(3), aged(89)), (OWN, own)];
	let parts = Parts::new(OWN, &own, &Others { scores: &scores, partial: false }, AGES);
	let one = Comparison { behind: 1, others: 1, percent: 100, partial: false };
	assert_eq!(speed_of(parts), one);
	assert_eq!(memory_of(parts), MemoryComparison { size: one, reads: one });
	let products = parts.gemm.expect("products").comparison;
	assert_eq!(products, Some(GemmComparison { speed: one, size: one }));
	let stored = parts.storage.expect("storage").comparison;
	assert_eq!(stored, Some(StorageComparison { size: one, reads: one }));
	let parts = beside(own, &[large(1, 900)], false);
	assert_eq!(parts.cpu.expect("a speed").comparison, None);
	assert_eq!(memory_of(parts).size, one);
}

#[test]
fn parts_should_count_up_to_their_end() {
	let own = Performance {
		cpu: Some(cpu(5, 90)),
		memory: Some(memory(8, 300, 89)),
		network: Some(network(1, 2, 3, 89)),
		gemm: Some(gemm(20, 8, 89)),
		storage: Some(storage(500, 800, 89)),
	};
	let parts = beside(own, &[], false);
	let expected = Span { age_millis: 60, expires_at: 150 };
	assert_eq!(parts.cpu.expect("a speed").span, expected);
	assert_eq!((parts.memory, parts.network), (None, None));
	assert_eq!((parts.gemm, parts.storage), (None, None));
}

#[test]
fn part_should_be_missing_from_the_first_end_on() {
	let part = |speed, size, way| Performance {
		cpu: Some(cpu(5, speed)),
		memory: Some(memory(8, 300, size)),
		network: Some(network(1, 2, 3, way)),
		..Performance::default()
	};
	let nothing = Asked::default();
	for own in [part(100, 110, 110), part(110, 100, 110), part(110, 110, 100)] {
		assert_eq!(beside(own, &[], false).missing_from(nothing), 161);
		let lacking = Performance { network: None, ..own };
		assert_eq!(beside(lacking, &[], false).missing_from(nothing), 0);
	}
	let everything = Asked { gemm: true, storage: true, ..Asked::default() };
	for own in
		[fast(5), large(8, 300), multiplying(20, 8), storing(500, 800), Performance::default()]
	{
		assert_eq!(beside(own, &[], false).missing_from(nothing), 0);
		assert_eq!(beside(own, &[], false).missing_from(everything), 0);
	}
	// Products and storage count where they are offered alone.
	let with =
		|gemm, storage| beside(Performance { gemm, storage, ..part(110, 110, 110) }, &[], false);
	let [products, stored] =
		[(true, false), (false, true)].map(|(gemm, storage)| Asked { gemm, storage, ..nothing });
	let without = with(None, None);
	let found = [nothing, products, stored, everything].map(|asked| without.missing_from(asked));
	assert_eq!(found, [171, 0, 0, 0]);
	let first = with(Some(gemm(20, 8, 100)), Some(storage(500, 800, 99)));
	let found = [nothing, products, stored, everything].map(|asked| first.missing_from(asked));
	assert_eq!(found, [171, 161, 160, 160]);
	let last = with(Some(gemm(20, 8, 120)), Some(storage(500, 800, 120)));
	assert_eq!(last.missing_from(everything), 171);
}

#[test]
fn rounds_should_be_about_the_first_part_that_is_missing() {
	let own = Performance {
		memory: Some(memory(8, 300, 105)),
		network: Some(network(1, 2, 3, 120)),
		storage: Some(storage(500, 800, 100)),
		..fast(5)
	};
	let parts = beside(own, &[], false);
	let stored = Asked { storage: true, ..Asked::default() };
	let lacking = [160, 161, 165, 166].map(|moment| parts.lacking_at(Asked::default(), moment));
	assert_eq!(lacking, [None, Some(WorkKind::Cpu), Some(WorkKind::Cpu), Some(WorkKind::Cpu)]);
	let own = Performance { cpu: Some(cpu(5, 120)), ..own };
	let parts = beside(own, &[], false);
	let lacking = [160, 161, 165, 166].map(|moment| parts.lacking_at(stored, moment));
	let [storage, memory] = [WorkKind::Storage, WorkKind::Memory].map(Some);
	assert_eq!(lacking, [None, storage, storage, memory]);
	let leased = Asked { is_leased: true, ..stored };
	let lacking = [160, 161, 170, 171].map(|moment| parts.lacking_at(leased, moment));
	assert_eq!(lacking, [None, storage, storage, storage]);
	let products = Asked { gemm: true, ..stored };
	assert_eq!(parts.lacking_at(products, 0), Some(WorkKind::Gemm));
}

#[test]
fn parts_should_be_told_to_people_and_programs() {
	let own = Performance {
		memory: large(8, 300).memory,
		network: near(7, 1_000, 50).network,
		gemm: multiplying(20, 8).gemm,
		storage: storing(500, 800).storage,
		..fast(5)
	};
	let other = Performance {
		memory: large(9, 400).memory,
		network: near(8, 900, 51).network,
		gemm: multiplying(30, 7).gemm,
		storage: storing(400, 700).storage,
		..fast(4)
	};
	let parts = beside(own, &[other], false);
	let rows = [
		("speed counts until", "in 10 ms"),
		("speed compared", "faster than 100 % of 1 other measured device"),
		("memory counts until", "in 10 ms"),
		(
			"memory compared",
			"more memory than 0 %, faster reads than 100 % of 1 other measured device",
		),
		("network counts until", "in 10 ms"),
		(
			"network compared",
			"nearer than 100 %, faster up than 100 % and down than 0 % of 1 other measured device",
		),
		("accelerator counts until", "in 10 ms"),
		(
			"accelerator compared",
			"faster than 0 %, more memory than 100 % of 1 other measured device",
		),
		("storage counts until", "in 10 ms"),
		(
			"storage compared",
			"more storage than 100 %, faster reads than 0 % of 1 other measured device",
		),
	];
	assert_eq!(parts.rows(150), rows.map(|(row, cell)| (row, cell.to_owned())));
	let compared = |behind: usize| {
		let percent = behind * 100;
		json!({ "behind": behind, "others": 1, "percent": percent, "partial": false })
	};
	let expected = json!({
		"cpu": { "age_millis": 50, "expires_at": 160, "comparison": compared(1) },
		"memory": {
			"age_millis": 50,
			"expires_at": 160,
			"comparison": { "size": compared(0), "reads": compared(1) },
		},
		"network": {
			"age_millis": 50,
			"expires_at": 160,
			"comparison": { "nearest": compared(1), "up": compared(1), "down": compared(0) },
		},
		"gemm": {
			"age_millis": 50,
			"expires_at": 160,
			"comparison": { "speed": compared(0), "size": compared(1) },
		},
		"storage": {
			"age_millis": 50,
			"expires_at": 160,
			"comparison": { "size": compared(1), "reads": compared(0) },
		},
	});
	assert_eq!(serde_json::to_value(parts).unwrap(), expected);
	let nothing = beside(Performance::default(), &[other], false);
	assert!(nothing.rows(150).iter().all(|(_, cell)| cell == "-"));
	assert_eq!(
		serde_json::to_value(nothing).unwrap(),
		json!({ "cpu": null, "memory": null, "network": null, "gemm": null, "storage": null })
	);
}

#[test]
fn figures_should_name_their_units() {
	let own = Performance {
		memory: large(1_000, 300).memory,
		network: near(9_050, 12_345, 250_000).network,
		gemm: multiplying(12_345_678_901_234, 22_112).gemm,
		storage: storing(500, 812).storage,
		..fast(5)
	};
	let [speed, memory, network, gemm, storage] = figures(&own, 150);
	let expected = "5 steps/s on each of 4 lanes, measured 50 ms ago";
	assert_eq!(speed, ("speed", expected.to_owned()));
	let expected =
		"1000 MiB offered, 900 MiB filled at 450 MiB/s, 300 ns a read, measured 50 ms ago";
	assert_eq!(memory, ("memory shown", expected.to_owned()));
	let expected = "12.345 Mbit/s up, 250.000 Mbit/s down, 9.050 ms to the nearest verifier, \
	                20.000 ms to half of them, measured 50 ms ago";
	assert_eq!(network, ("network", expected.to_owned()));
	let expected = "12.3 tera-operations/s with a side of 4096 rows, 22112 MiB shown of 24576 MiB \
	                offered, measured 50 ms ago";
	assert_eq!(gemm, ("accelerator shown", expected.to_owned()));
	let expected = "500 sectors, 512000 MiB, blocks read within 812 ms, measured 50 ms ago";
	assert_eq!(storage, ("storage shown", expected.to_owned()));
	let rows = ["speed", "memory shown", "network", "accelerator shown", "storage shown"];
	let expected = rows.map(|row| (row, "-".to_owned()));
	assert_eq!(figures(&Performance::default(), 150), expected);
}
