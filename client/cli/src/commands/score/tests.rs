//! What is told of a score beside its parts.

use super::*;
use armature_primitives::{
	device::{CpuScore, Performance},
	DeviceId,
};
use loads::Loads;
use peers::{Ages, Limits, Stored};
use serde_json::json;

/// With a speed that counts until 200,000, and without memory.
fn view() -> ScoreView {
	let cpu = CpuScore { steps_per_second_per_lane: 5, lanes: 4, measured_at: 80_000 };
	let own = Performance { cpu: Some(cpu), ..Performance::default() };
	let ages = Ages { now: 140_000, max_age_millis: 120_000 };
	let limits = Limits { scores: ages, power: ages };
	let peers = Peers::new(DeviceId(1), &own, Loads::default(), &Stored::default(), limits);
	ScoreView {
		class: peers.own().class,
		parts: Parts::new(&peers),
		ways: Ways::new(None, &own, Vec::new()),
		accelerator: None,
		next_offer_at: None,
		storage_offer: None,
		next_storage_offer_at: None,
		failures: 0,
		last_failure: None,
		open_round: None,
		maintenance_since: None,
		queued: false,
		may_request: false,
		next_request_at: Some(200_001),
		next_request_kind: Some(WorkKind::Memory),
		is_leased: false,
		owner_share_ppm: 6_944,
		surprise_rounds_per_day: Some(1.0),
		rests_until: None,
	}
}

fn cell(view: &ScoreView, name: &str) -> String {
	let rows = view.rows(140_000);
	let found = rows.into_iter().find(|(row, _)| *row == name);
	found.map(|(_, cell)| cell).expect("the row")
}

#[test]
fn draws_should_be_told_by_the_day() {
	// Ten minutes of 3 s blocks, 144 times a day: the production values.
	assert_eq!(rounds_per_day(Ppm(111_112), 200, 3_000), Some(16.0));
	assert_eq!(rounds_per_day(Ppm(6_944), 200, 3_000), Some(1.0));
	assert_eq!(rounds_per_day(Ppm(29_000), 200, 3_000), Some(4.2));
	assert_eq!(rounds_per_day(Ppm(1), 0, 3_000), None);
	assert_eq!(mean(16.0), "about 16 a day");
	assert_eq!(mean(4.2), "about 4.2 a day");
}

#[test]
fn last_moment_should_count_unless_it_is_over() {
	assert_eq!(later(5, [3, 9, 7]), Some(9));
	assert_eq!(later(9, [3, 9, 7]), None);
}

#[test]
fn draws_should_be_told_only_of_devices_that_get_rounds() {
	assert!(may_be_drawn(DeviceStatus::Attested) && may_be_drawn(DeviceStatus::Draining));
	assert!(!may_be_drawn(DeviceStatus::Standby) && !may_be_drawn(DeviceStatus::Offline));
}

#[test]
fn next_request_should_name_what_stands_in_its_way() {
	assert_eq!(view().next_request(140_001), "in 1 min 0 s (memory)");
	let now = ScoreView { may_request: true, ..view() };
	assert_eq!(now.next_request(0), "now (memory)");
	let queued = ScoreView { queued: true, ..view() };
	assert_eq!(queued.next_request(0), "a round is about to begin");
	let round = OpenRound { id: 7, kind: WorkKind::Memory };
	let open = ScoreView { open_round: Some(round), ..queued };
	assert_eq!(open.next_request(0), "round 7 has to end first");
	let kept = ScoreView { maintenance_since: Some(0), next_request_at: None, ..view() };
	assert_eq!(kept.next_request(0), "after its maintenance");
	let down = ScoreView { next_request_at: None, ..view() };
	assert_eq!(down.next_request(0), "once it is attested and up (memory)");
	let leased = ScoreView { is_leased: true, ..down };
	assert_eq!(leased.next_request(0), "after its lease (memory)");
	let stored = ScoreView { next_request_kind: Some(WorkKind::Storage), ..leased };
	assert_eq!(stored.next_request(0), "once it is attested and up (storage)");
	let stored = ScoreView { may_request: true, ..stored };
	assert_eq!(stored.next_request(0), "now (storage)");
}

#[test]
fn score_should_be_told_to_people_and_programs() {
	let view = view();
	let class = "4 to 7 lanes, memory not shown, no accelerator, no storage";
	assert_eq!(cell(&view, "class"), class);
	assert_eq!(cell(&view, "speed counts until"), "in 1 min 0 s");
	assert_eq!(cell(&view, "memory counts until"), "-");
	assert_eq!(cell(&view, "network counts until"), "-");
	assert_eq!(cell(&view, "accelerator counts until"), "-");
	assert_eq!(cell(&view, "accelerator offered"), "-");
	assert_eq!(cell(&view, "storage counts until"), "-");
	assert_eq!(cell(&view, "storage offered"), "-");
	assert_eq!(cell(&view, "position"), "-");
	assert_eq!(cell(&view, "open round"), "-");
	assert_eq!(cell(&view, "in maintenance since"), "-");
	assert_eq!(cell(&view, "failures"), "0 since the last passed round");
	assert_eq!(cell(&view, "last failure"), "-");
	assert_eq!(cell(&view, "surprise rounds"), "about 1.0 a day");
	assert_eq!(cell(&view, "rests until"), "-");
	let value = serde_json::to_value(view).unwrap();
	assert_eq!(value["class"]["lanes"], json!({ "least": 4, "most": 7 }));
	assert!(value["class"]["memory_mib"].is_null() && value["last_failure"].is_null());
	assert_eq!(value["cpu"]["expires_at"], json!(200_000));
	assert_eq!(value["surprise_rounds_per_day"], json!(1.0));
	assert!(value["memory"].is_null() && value["open_round"].is_null());
	assert!(value["network"].is_null() && value["position"].is_null());
	assert!(value["gemm"].is_null() && value["accelerator"].is_null());
	assert!(value["next_offer_at"].is_null() && value["next_storage_offer_at"].is_null());
	assert!(value["storage"].is_null() && value["storage_offer"].is_null());
	assert_eq!(value["next_request_kind"], json!("memory"));
	assert_eq!(value["round_trips"], json!([]));
	assert!(value["maintenance_since"].is_null() && value["rests_until"].is_null());
}

#[test]
fn open_round_should_be_told_with_its_kind() {
	for kind in WorkKind::ALL {
		let value = kind.name();
		let row = format!("7 ({value})");
		let open = ScoreView { open_round: Some(OpenRound { id: 7, kind }), ..view() };
		assert_eq!(cell(&open, "open round"), row);
		let shown = serde_json::to_value(open).unwrap();
		assert_eq!(shown["open_round"], json!({ "id": 7, "kind": value }));
	}
}

#[test]
fn offer_should_be_told_with_when_it_may_be_changed() {
	let accelerator = Some(AcceleratorOffer { memory_mib: 24_576, side: 4_096 });
	let offering = ScoreView { accelerator, ..view() };
	let offer = "24576 MiB with a side of 4096 rows";
	assert_eq!(cell(&offering, "accelerator offered"), offer);
	let waiting = ScoreView { next_offer_at: Some(200_000), ..offering };
	let expected = format!("{offer}, another one may be offered in 1 min 0 s");
	assert_eq!(cell(&waiting, "accelerator offered"), expected);
	let withdrawn = ScoreView { accelerator: None, next_offer_at: Some(200_000), ..view() };
	let expected = "-, another one may be offered in 1 min 0 s";
	assert_eq!(cell(&withdrawn, "accelerator offered"), expected);
	let value = serde_json::to_value(waiting).unwrap();
	assert_eq!(value["accelerator"], json!({ "memory_mib": 24_576, "side": 4_096 }));
	assert_eq!(value["next_offer_at"], json!(200_000));
}

#[test]
fn storage_should_be_told_with_when_it_may_be_changed() {
	let offer = StorageOffer { sectors: 500, blocks: 1 << 20, compressions: 256 };
	let offering = ScoreView { storage_offer: Some(offer), ..view() };
	assert_eq!(cell(&offering, "storage offered"), "500 sectors, 512000 MiB");
	let waiting = ScoreView { next_storage_offer_at: Some(200_000), ..offering };
	let expected = "500 sectors, 512000 MiB, another one may be offered in 1 min 0 s";
	assert_eq!(cell(&waiting, "storage offered"), expected);
	let value = serde_json::to_value(waiting).unwrap();
	let expected = json!({ "sectors": 500, "blocks": 1_048_576, "compressions": 256 });
	assert_eq!(value["storage_offer"], expected);
	assert_eq!(value["next_storage_offer_at"], json!(200_000));
}

#[test]
fn maintenance_should_be_told_since_when() {
	let kept = ScoreView { maintenance_since: Some(80_000), ..view() };
	assert_eq!(cell(&kept, "in maintenance since"), "1 min 0 s ago");
	let value = serde_json::to_value(kept).unwrap();
	assert_eq!(value["maintenance_since"], json!(80_000));
}
