//! The parts of a score, beside each other and as people and programs read them.

use super::{
	super::samples::{
		beside, cpu, fast, gemm, large, memory, multiplying, near, network, storage, storing,
	},
	*,
};
use armature_primitives::device::Performance;
use serde_json::{json, Value};

/// Parts that were measured at 100 count until 160; it is 150.
fn put_beside(own: Performance, others: &[Performance]) -> Parts {
	Parts::new(&beside(own, others, false))
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
	let parts = put_beside(own, &[]);
	let expected = Span { age_millis: 60, expires_at: 150 };
	assert_eq!(parts.cpu.as_ref().expect("a speed").span, expected);
	let has = WorkKind::ALL.map(|kind| parts.has(kind));
	assert_eq!(has, WorkKind::ALL.map(|kind| kind == WorkKind::Cpu));
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
		assert_eq!(put_beside(own, &[]).missing_from(nothing), 161);
		let lacking = Performance { network: None, ..own };
		assert_eq!(put_beside(lacking, &[]).missing_from(nothing), 0);
	}
	let everything = Asked { gemm: true, storage: true, ..Asked::default() };
	for own in
		[fast(5), large(8, 300), multiplying(20, 8), storing(500, 800), Performance::default()]
	{
		assert_eq!(put_beside(own, &[]).missing_from(nothing), 0);
		assert_eq!(put_beside(own, &[]).missing_from(everything), 0);
	}
	// Products and storage count where they are offered alone.
	let with =
		|gemm, storage| put_beside(Performance { gemm, storage, ..part(110, 110, 110) }, &[]);
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
	let parts = put_beside(own, &[]);
	let stored = Asked { storage: true, ..Asked::default() };
	let lacking = [160, 161, 165, 166].map(|moment| parts.lacking_at(Asked::default(), moment));
	assert_eq!(lacking, [None, Some(WorkKind::Cpu), Some(WorkKind::Cpu), Some(WorkKind::Cpu)]);
	let own = Performance { cpu: Some(cpu(5, 120)), ..own };
	let parts = put_beside(own, &[]);
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
	let told = put_beside(own, &[other]);
	let rows = [
		("speed counts until", "in 10 ms"),
		("speed compared", "faster than 100 % of 1 other device of its class, 100 % of all 1"),
		("memory counts until", "in 10 ms"),
		(
			"memory compared",
			"more memory than 0 %, filled faster than 0 %, faster reads than 100 % of 1 other device \
			 of its class; 0 %, 0 %, 100 % of all 1",
		),
		("network counts until", "in 10 ms"),
		(
			"network compared",
			"nearer to two verifiers than 100 %, nearer to half of them than 0 %, faster up than 100 %, \
			 faster down than 0 % of 1 other device",
		),
		("accelerator counts until", "in 10 ms"),
		(
			"accelerator compared",
			"faster than 0 %, more memory than 100 % of 1 other device, none of them known to be of \
			 its class",
		),
		("storage counts until", "in 10 ms"),
		(
			"storage compared",
			"more storage than 100 %, faster reads than 0 % of 1 other device of its class; 100 %, \
			 0 % of all 1",
		),
	];
	assert_eq!(told.rows(150), rows.map(|(row, cell)| (row, cell.to_owned())));

	let figure = |behind: usize| {
		let percent = behind * 100;
		json!({ "behind": behind, "others": 1, "percent": percent, "partial": false })
	};
	let speed = json!({ "speed": figure(1) });
	let memory = json!({ "size": figure(0), "fill": figure(0), "reads": figure(1) });
	let network = json!({
		"nearest": figure(1),
		"median": figure(0),
		"up": figure(1),
		"down": figure(0),
	});
	let products = json!({ "speed": figure(0), "size": figure(1) });
	let storage = json!({ "size": figure(1), "reads": figure(0) });
	let part = |by: &[&str], class: &Value, all: &Value| {
		json!({
			"age_millis": 50,
			"expires_at": 160,
			"comparison": { "by": by, "class": class, "all": all },
		})
	};
	let expected = json!({
		"cpu": part(&["lanes"], &speed, &speed),
		"memory": part(&["lanes", "memory_mib"], &memory, &memory),
		"network": part(&[], &Value::Null, &network),
		"gemm": part(&["accelerator_mib"], &Value::Null, &products),
		"storage": part(&["storage_mib"], &storage, &storage),
	});
	assert_eq!(serde_json::to_value(told).unwrap(), expected);

	let nothing = put_beside(Performance::default(), &[other]);
	assert!(nothing.rows(150).iter().all(|(_, cell)| cell == "-"));
	assert_eq!(
		serde_json::to_value(nothing).unwrap(),
		json!({ "cpu": null, "memory": null, "network": null, "gemm": null, "storage": null })
	);
}
