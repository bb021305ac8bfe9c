//! Devices beside each other.

use super::{
	super::{
		aspects::{CPU, GEMM, MEMORY, NETWORK, STORAGE},
		loads::Loads,
		peers::Stored,
		samples::{
			beside, cpu, fast, gemm, lanes, large, memory, multiplying, near, network, storage,
			storing, LIMITS, OWN,
		},
	},
	*,
};
use armature_primitives::{
	device::{MemoryScore, NetworkScore},
	DeviceId,
};
use serde_json::json;

fn standings(aspect: &Aspect, own: Performance, others: &[Performance]) -> Standings {
	Standings::new(aspect, &beside(own, others, false))
}

/// Each figure's name, who is behind, and of how many.
fn counts(standing: Option<&Standing>) -> Vec<(&'static str, usize, usize)> {
	let Some(Standing { figures, comparisons }) = standing else { return Vec::new() };
	let figures = figures.iter().zip(comparisons);
	figures
		.map(|(figure, found)| (figure.name, found.behind, found.others))
		.collect()
}

/// Those of its class, and those of all.
fn both(
	aspect: &Aspect,
	own: Performance,
	others: &[Performance],
) -> [Vec<(&'static str, usize, usize)>; 2] {
	let found = standings(aspect, own, others);
	[found.class, found.all].map(|standing| counts(standing.as_ref()))
}

fn with_lanes(score: Performance, own: Performance) -> Performance {
	Performance { cpu: own.cpu, ..score }
}

#[test]
fn speeds_should_be_compared_by_lanes() {
	// Both sides of both ends of four to seven lanes.
	let others = [lanes(3, 4), lanes(4, 4), lanes(7, 6), lanes(8, 3)];
	let found = both(&CPU, fast(5), &others);
	assert_eq!(found, [[("speed", 1, 2)], [("speed", 3, 4)]]);
	// The same speed is not behind.
	assert_eq!(both(&CPU, fast(4), &others), [[("speed", 0, 2)], [("speed", 1, 4)]]);
}

#[test]
fn memory_should_be_compared_by_lanes_and_size() {
	let own = with_lanes(large(12, 300), fast(5));
	let filled = |fill_mib_per_second: u32| {
		let memory = MemoryScore { fill_mib_per_second, ..memory(9, 301, 100) };
		with_lanes(Performance { memory: Some(memory), ..Performance::default() }, fast(1))
	};
	let others = [
		filled(449),
		filled(451),
		with_lanes(large(15, 300), lanes(7, 1)),
		// Less memory, more memory, fewer lanes, more lanes, lanes that are not known.
		with_lanes(large(7, 299), fast(1)),
		with_lanes(large(16, 299), fast(1)),
		with_lanes(large(12, 299), lanes(3, 1)),
		with_lanes(large(12, 299), lanes(8, 1)),
		large(12, 301),
	];
	let class = vec![("size", 2, 3), ("fill", 1, 3), ("reads", 2, 3)];
	let all = vec![("size", 3, 8), ("fill", 1, 8), ("reads", 3, 8)];
	assert_eq!(both(&MEMORY, own, &others), [class, all.clone()]);
	// Without lanes of its own the class is not known.
	assert_eq!(both(&MEMORY, large(12, 300), &others), [vec![], all]);
}

#[test]
fn ways_should_be_compared_by_each_figure_and_with_all() {
	let away = |median_micros: u32| {
		let network = NetworkScore { median_micros, ..network(9, 50, 50, 100) };
		Performance { network: Some(network), ..Performance::default() }
	};
	let others = [away(20_001), away(19_999), near(7, 40, 90)];
	let own = with_lanes(near(8, 45, 90), fast(5));
	let found = vec![("nearest", 2, 3), ("median", 1, 3), ("up", 1, 3), ("down", 2, 3)];
	assert_eq!(both(&NETWORK, own, &others), [vec![], found]);
	assert_eq!(both(&NETWORK, own, &[fast(1)]), [vec![], vec![]]);
}

#[test]
fn accelerators_should_be_compared_by_their_memory() {
	let others = [
		multiplying(10, 31),
		multiplying(20, 20),
		multiplying(30, 16),
		multiplying(19, 15),
		multiplying(19, 32),
	];
	let class = vec![("speed", 1, 3), ("size", 1, 3)];
	let all = vec![("speed", 3, 5), ("size", 2, 5)];
	assert_eq!(both(&GEMM, multiplying(20, 20), &others), [class, all]);
}

#[test]
fn storage_should_be_compared_by_its_size() {
	let others = [
		storing(256, 900),
		storing(500, 800),
		storing(511, 801),
		storing(255, 700),
		storing(512, 900),
	];
	let class = vec![("size", 1, 3), ("reads", 2, 3)];
	let all = vec![("size", 2, 5), ("reads", 3, 5)];
	assert_eq!(both(&STORAGE, storing(500, 800), &others), [class, all]);
}

#[test]
fn nobody_should_be_compared_with_nobody() {
	for (aspect, own) in [
		(&CPU, fast(5)),
		(&MEMORY, large(8, 300)),
		(&NETWORK, near(8, 45, 90)),
		(&GEMM, multiplying(20, 8)),
		(&STORAGE, storing(500, 800)),
	] {
		for others in [vec![], vec![Performance::default()]] {
			let found = standings(aspect, own, &others);
			assert_eq!(found.sentence(), None);
			let value = serde_json::to_value(found).unwrap();
			assert!(value["class"].is_null() && value["all"].is_null(), "{value}");
		}
		// Nor without a figure of its own.
		let found = standings(aspect, Performance::default(), &[own]);
		assert_eq!(found.sentence(), None);
	}
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
		network: near(8, 45, 90).network,
		gemm: multiplying(20, 8).gemm,
		storage: storing(500, 800).storage,
		..fast(5)
	};
	// The last one is the device's own. One that ends now still counts.
	let scores = vec![(DeviceId(2), aged(90)), (DeviceId(3), aged(89)), (OWN, own)];
	let stored = Stored { scores, ..Stored::default() };
	let peers = Peers::new(OWN, &own, Loads::default(), &stored, LIMITS);
	for aspect in [&CPU, &MEMORY, &NETWORK, &GEMM, &STORAGE] {
		let found = Standings::new(aspect, &peers);
		let counts = counts(found.all.as_ref());
		assert_eq!(counts.len(), aspect.figures.len());
		assert!(counts.iter().all(|(_, _, others)| *others == 1), "{counts:?}");
	}
	// A part that is over makes no class either.
	let lapsed = Performance { cpu: Some(cpu(1, 89)), ..large(8, 300) };
	let [class, all] = both(&MEMORY, own, &[lapsed]);
	assert!(class.is_empty());
	assert_eq!(all, [("size", 0, 1), ("fill", 0, 1), ("reads", 0, 1)]);
}

#[test]
fn sentences_should_tell_the_class_and_all() {
	let sentence = |own, others: &[Performance]| standings(&CPU, own, others).sentence();
	let others = [lanes(4, 3), lanes(5, 5), lanes(6, 5), lanes(7, 9), lanes(8, 1), lanes(3, 1)];
	assert_eq!(
		sentence(fast(6), &others).as_deref(),
		Some("faster than 75 % of 4 other devices of its class, 83 % of all 6")
	);
	assert_eq!(
		sentence(fast(6), &others[..1]).as_deref(),
		Some("faster than 100 % of 1 other device of its class, 100 % of all 1")
	);
	assert_eq!(
		sentence(fast(6), &others[4..]).as_deref(),
		Some("faster than 100 % of 2 other devices, none of them known to be of its class")
	);
	let some = Standings::new(&CPU, &beside(fast(6), &others, true));
	assert_eq!(
		some.sentence().as_deref(),
		Some("faster than 75 % of at least 4 other devices of its class, 83 % of at least 6")
	);
	let value = serde_json::to_value(some).unwrap();
	let expected = json!({
		"by": ["lanes"],
		"class": { "speed": { "behind": 3, "others": 4, "percent": 75, "partial": true } },
		"all": { "speed": { "behind": 5, "others": 6, "percent": 83, "partial": true } },
	});
	assert_eq!(value, expected);
	let ways = Standings::new(&NETWORK, &beside(near(8, 45, 90), &[near(9, 45, 91)], true));
	assert_eq!(
		ways.sentence().as_deref(),
		Some(
			"nearer to two verifiers than 100 %, nearer to half of them than 0 %, faster up than 0 %, \
			 faster down than 0 % of at least 1 other device"
		)
	);
}

#[test]
fn shares_should_be_rounded_down() {
	let others = [fast(1), fast(1), fast(9)];
	let found = standings(&CPU, fast(5), &others).all.expect("others");
	assert_eq!(
		found.comparisons,
		[Comparison { behind: 2, others: 3, percent: 66, partial: false }]
	);
}
