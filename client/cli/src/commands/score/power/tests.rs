//! What devices draw, in rows and in JSON.

use super::{
	super::{
		compare::Machine,
		loads::Loads,
		peers::{Metered, Stored},
		samples::{self, fast, lanes, metered, multiplying, LIMITS, OWN},
	},
	*,
};
use armature_primitives::{device::Performance, DeviceId};
use serde_json::json;

/// A device of four lanes beside others.
fn beside(own: Option<Metered>, others: &[(Performance, Metered)]) -> Option<PowerView> {
	let ids = || (2..).map(DeviceId);
	let scores = ids().zip(others.iter().map(|(score, _)| *score)).collect();
	let lanes = ids().zip(others.iter().map(|(_, power)| *power)).collect();
	let powers = Loads { lanes, ..Loads::default() };
	let stored = Stored { scores, powers, is_partial: false };
	let own = Loads { lanes: own, accelerator: None };
	PowerView::new(&Peers::new(OWN, &fast(50), own, &stored, LIMITS), PowerLoad::Lanes)
}

/// A device with an accelerator of 20 MiB beside others, by what they draw for products.
fn multiplying_beside(
	own: Option<Metered>,
	others: &[(Performance, Metered)],
) -> Option<PowerView> {
	let ids = || (2..).map(DeviceId);
	let scores = ids().zip(others.iter().map(|(score, _)| *score)).collect();
	let accelerator = ids().zip(others.iter().map(|(_, power)| *power)).collect();
	let powers = Loads { accelerator, ..Loads::default() };
	let stored = Stored { scores, powers, is_partial: false };
	// What its lanes draw has no part in that.
	let own = Loads { lanes: Some(metered(1, 1)), accelerator: own };
	let peers = Peers::new(OWN, &multiplying(600, 20), own, &stored, LIMITS);
	PowerView::new(&peers, PowerLoad::Accelerator)
}

fn lane_rows(view: Option<&PowerView>) -> [(&'static str, String); 3] {
	PowerView::rows(view, PowerLoad::Lanes, 150).try_into().expect("three rows")
}

fn compared(view: Option<PowerView>) -> String {
	let [_, _, (_, compared)] = lane_rows(view.as_ref());
	compared
}

fn from(source: PowerSource, mut power: Metered) -> Metered {
	power.reading.source = source;
	power
}

#[test]
fn power_should_be_told_to_people_and_programs() {
	let others = [
		// In the class, which has four to seven lanes.
		(lanes(4, 50), metered(11_000, 41_000)),
		(lanes(7, 10), metered(9_000, 50_000)),
		// Beyond it.
		(lanes(3, 50), metered(2_000, 9_000)),
		(lanes(8, 90), metered(30_000, 80_000)),
	];
	let view = beside(Some(metered(10_000, 40_000)), &others).expect("power");
	let rows = [
		("power", "0.01 kW idle, 0.04 kW loaded, within 2 % (wall-meter), measured 50 ms ago"),
		("power counts until", "in 20 ms"),
		(
			"power compared",
			"less power idle than 50 %, less loaded than 100 %, more work for a joule than 100 % \
			 of 2 other devices of its class; 50 %, 75 %, 50 % of all 4 with such a meter",
		),
	];
	let rows = rows.map(|(row, cell)| (row, cell.to_owned()));
	assert_eq!(lane_rows(Some(&view)), rows);
	let figure = |behind: usize, others: usize| {
		let percent = behind * 100 / others;
		json!({ "behind": behind, "others": others, "percent": percent, "partial": false })
	};
	let expected = json!({
		"idle": 10_000,
		"loaded": 40_000,
		"source": "wall-meter",
		"error_ppm": 20_000,
		"measured_at": 100,
		"age_millis": 50,
		"expires_at": 170,
		"comparison": {
			"by": ["lanes", "accelerator_mib"],
			"class": {
				"idle": figure(1, 2),
				"loaded": figure(2, 2),
				"efficiency": figure(2, 2),
			},
			"all": {
				"idle": figure(2, 4),
				"loaded": figure(3, 4),
				"efficiency": figure(2, 4),
			},
		},
	});
	assert_eq!(serde_json::to_value(view).unwrap(), expected);
}

#[test]
fn meters_of_one_kind_should_be_compared_alone() {
	let own = metered(10_000, 40_000);
	let counter = from(PowerSource::PackageCounter, metered(11_000, 41_000));
	assert_eq!(compared(beside(Some(own), &[(fast(50), counter)])), "-");
	let others = [(fast(50), counter), (fast(50), metered(11_000, 41_000))];
	let expected = "less power idle than 100 %, less loaded than 100 %, more work for a joule \
	                than 100 % of 1 other device of its class; 100 %, 100 %, 100 % of all 1 with \
	                such a meter";
	assert_eq!(compared(beside(Some(own), &others)), expected);
}

#[test]
fn accelerators_should_be_a_class_of_their_own() {
	let accelerated = Performance { gemm: samples::multiplying(20, 8).gemm, ..samples::fast(50) };
	let others = [(accelerated, metered(50_000, 90_000))];
	let expected = "less power idle than 100 %, less loaded than 100 %, more work for a joule \
	                than 100 % of 1 other device with such a meter, none of them known to be of \
	                its class";
	assert_eq!(compared(beside(Some(metered(10_000, 40_000)), &others)), expected);
}

#[test]
fn estimates_should_not_be_compared() {
	let estimate = from(PowerSource::Estimated, metered(10_000, 40_000));
	let others = [(fast(50), estimate), (fast(50), metered(10_000, 40_000))];
	let view = beside(Some(estimate), &others).expect("power");
	assert!(serde_json::to_value(&view).unwrap()["comparison"].is_null());
	let expected = "not at all: an estimate is of a table, not of this machine";
	assert_eq!(compared(Some(view)), expected);
	assert_eq!(compared(beside(Some(metered(10_000, 40_000)), &[(fast(50), estimate)])), "-");
}

#[test]
fn old_and_absent_figures_should_not_be_compared() {
	let at = |measured_at| Metered { measured_at, ..metered(10_000, 40_000) };
	// Those that end now still count.
	let others = [(fast(50), at(80))];
	assert_ne!(compared(beside(Some(at(80)), &others)), "-");
	assert_eq!(compared(beside(Some(at(80)), &[(fast(50), at(79))])), "-");
	let old = beside(Some(at(79)), &others).expect("power");
	let [_, (_, until), (_, sentence)] = lane_rows(Some(&old));
	assert_eq!((until.as_str(), sentence.as_str()), ("1 ms ago", "-"));
	assert!(serde_json::to_value(&old).unwrap()["comparison"].is_null());
	let absent = beside(None, &others);
	assert!(absent.is_none());
	assert!(lane_rows(None).iter().all(|(_, cell)| cell == "-"));
	// What a device does with a joule takes a speed as well.
	assert_eq!(compared(beside(Some(at(80)), &[(Performance::default(), at(80))])), "-");
}

#[test]
fn accelerator_power_should_be_told_to_people_and_programs() {
	let others = [
		// In the class, which has 16 to 31 MiB. The lanes beside it make no difference.
		(multiplying(500, 16), metered(90_000, 290_000)),
		(Performance { cpu: lanes(64, 9).cpu, ..multiplying(400, 31) }, metered(60_000, 200_000)),
		// Beyond it.
		(multiplying(900, 15), metered(101_000, 500_000)),
		(multiplying(900, 32), metered(101_000, 250_000)),
		// Without products nothing tells what it does with a joule.
		(fast(50), metered(200_000, 900_000)),
	];
	let view = multiplying_beside(Some(metered(100_000, 300_000)), &others).expect("power");
	let rows = [
		(
			"accelerator power",
			"0.1 kW idle, 0.3 kW loaded, within 2 % (wall-meter), measured 50 ms ago",
		),
		("accelerator power counts until", "in 20 ms"),
		(
			"accelerator power compared",
			"less power idle than 0 %, less loaded than 0 %, more work for a joule than 50 % of 2 \
			 other devices of its class; 50 %, 25 %, 50 % of all 4 with such a meter",
		),
	];
	let rows = rows.map(|(row, cell)| (row, cell.to_owned()));
	assert_eq!(PowerView::rows(Some(&view), PowerLoad::Accelerator, 150), rows);
	let value = serde_json::to_value(view).unwrap();
	assert_eq!((&value["idle"], &value["loaded"]), (&json!(100_000), &json!(300_000)));
	assert_eq!(value["expires_at"], json!(170));
	let comparison = &value["comparison"];
	assert_eq!(comparison["by"], json!(["accelerator_mib"]));
	let figure = json!({ "behind": 1, "others": 2, "percent": 50, "partial": false });
	assert_eq!(comparison["class"]["efficiency"], figure);
	let figure = json!({ "behind": 2, "others": 4, "percent": 50, "partial": false });
	assert_eq!(comparison["all"]["efficiency"], figure);
}

#[test]
fn accelerator_power_should_be_told_only_where_there_is_any() {
	let own = metered(100_000, 300_000);
	let others = [(multiplying(500, 16), own)];
	let rows =
		|view: Option<PowerView>| PowerView::rows(view.as_ref(), PowerLoad::Accelerator, 150);
	let absent = multiplying_beside(None, &others);
	assert!(absent.is_none());
	assert!(rows(absent).is_empty());
	let sentence = |own| rows(multiplying_beside(Some(own), &others)).pop().map(|(_, cell)| cell);
	assert!(sentence(own).is_some_and(|sentence| sentence.contains("of its class")));
	// Old figures are told, and so are those that no other meter reads alike.
	assert_eq!(sentence(Metered { measured_at: 79, ..own }).as_deref(), Some("-"));
	assert_eq!(sentence(from(PowerSource::PackageCounter, own)).as_deref(), Some("-"));
	let estimate = "not at all: an estimate is of a table, not of this machine";
	assert_eq!(sentence(from(PowerSource::Estimated, own)).as_deref(), Some(estimate));
}

#[test]
fn efficiency_should_take_a_meter_and_the_work_of_the_load() {
	let both = Performance { cpu: fast(50).cpu, ..multiplying(600, 20) };
	let machine = |score: Performance, lanes, accelerator| -> Machine {
		let powers = Loads { lanes, accelerator };
		*Peers::new(OWN, &score, powers, &Stored::default(), LIMITS).own()
	};
	let found = |machine: Machine| {
		[PowerLoad::Lanes, PowerLoad::Accelerator].map(|load| machine.has_efficiency(load))
	};
	let power = metered(10_000, 40_000);
	let some = Some(power);
	assert_eq!(found(machine(both, some, some)), [true, true]);
	assert_eq!(found(machine(both, None, some)), [false, true]);
	assert_eq!(found(machine(both, some, None)), [true, false]);
	assert_eq!(found(machine(fast(50), some, some)), [true, false]);
	assert_eq!(found(machine(multiplying(600, 20), some, some)), [false, true]);
	let estimate = Some(from(PowerSource::Estimated, power));
	assert_eq!(found(machine(both, some, estimate)), [true, false]);
	let old = Some(Metered { measured_at: 79, ..power });
	assert_eq!(found(machine(both, old, some)), [false, true]);
}
