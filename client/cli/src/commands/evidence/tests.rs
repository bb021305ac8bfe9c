//! Kept rounds as people and programs read them, and where they are looked for.

use super::*;
use armature_primitives::{
	challenge::ChallengeCommit, ed25519::Signature, telemetry::PowerSource, H256,
};
use serde_json::json;

const POWER: PowerReading = PowerReading {
	idle: MilliWatts(60_000),
	loaded: MilliWatts(250_000),
	source: PowerSource::WallMeter,
	error: Ppm(20_000),
};

const NETWORK: Measured = Measured::Network {
	answer_millis: 1_500,
	round_trip_micros: 9_050,
	up_kbps: 12_345,
	down_kbps: 250_000,
};

fn signature() -> Signature {
	Signature::from_raw([9; 64])
}

/// Passed, sealed, and not revealed.
fn passed(round: u64, measured: Measured) -> KeptRound {
	let root = H256([2; 32]);
	let commit = ChallengeCommit { task: H256([1; 32]), root, power: POWER };
	KeptRound {
		round,
		task: H256([1; 32]),
		decided_at: 90_000,
		verdict: Verdict::Passed { measured, power: POWER, root, signature: signature() },
		seal_posted_at: Some(95_000),
		reveal_posted_at: None,
		signed: Some(SignedCommit { commit, signature: signature() }),
		openings_len: 33_000,
		segments: vec![(0, 5), (3, 17)],
		proof: None,
	}
}

/// Failed, without anything that the device signed.
fn failed(round: u64, reason: ChallengeFailure) -> KeptRound {
	KeptRound {
		verdict: Verdict::Failed { reason },
		seal_posted_at: None,
		signed: None,
		openings_len: 0,
		segments: Vec::new(),
		..passed(round, NETWORK)
	}
}

fn cell(kept: &Kept, row: &str) -> String {
	let rows = kept.rows(100_000);
	let found = rows.into_iter().find(|(name, _)| *name == row);
	found.map(|(_, cell)| cell).expect("the row")
}

#[test]
fn passed_round_should_be_told_to_people_and_programs() {
	let kept = Kept::from(&passed(7, NETWORK));
	let measured =
		"answered after 1.5 s, 9.050 ms there and back, 12.345 Mbit/s up, 250.000 Mbit/s \
	                down";
	let expected = ["7", "10.0 s ago", "passed", measured, "5.0 s ago", "-", "33000 B", "-"];
	assert_eq!(kept.cells(100_000), expected);
	for (row, expected) in [
		("round", "7".to_owned()),
		("task", format!("0x{}", "01".repeat(32))),
		("decided", "10.0 s ago".to_owned()),
		("verdict", "passed".to_owned()),
		("measured", measured.to_owned()),
		("seal posted", "5.0 s ago".to_owned()),
		("verdict posted", "-".to_owned()),
		("signed root", format!("0x{}", "02".repeat(32))),
		("signature", format!("0x{}", "09".repeat(64))),
		("openings", "33000 B".to_owned()),
		("segments", "5 of lane 0, 17 of lane 3".to_owned()),
		("open proof", "-".to_owned()),
	] {
		assert_eq!(cell(&kept, row), expected, "{row}");
	}
	let power = cell(&kept, "signed power");
	assert!(power.contains(" idle, ") && power.ends_with("(wall-meter)"), "{power}");
	let expected = json!({
		"round": 7,
		"task": format!("0x{}", "01".repeat(32)),
		"decided_at": 90_000,
		"passed": true,
		"failure": null,
		"measured": {
			"kind": "network",
			"answer_millis": 1_500,
			"round_trip_micros": 9_050,
			"up_kbps": 12_345,
			"down_kbps": 250_000,
		},
		"seal_posted_at": 95_000,
		"reveal_posted_at": null,
		"signed": {
			"root": format!("0x{}", "02".repeat(32)),
			"power": {
				"idle": 60_000,
				"loaded": 250_000,
				"source": "wall-meter",
				"error_ppm": 20_000,
			},
			"signature": format!("0x{}", "09".repeat(64)),
		},
		"openings_len": 33_000,
		"segments": [{ "lane": 0, "segment": 5 }, { "lane": 3, "segment": 17 }],
		"proof": null,
	});
	assert_eq!(serde_json::to_value(&kept).unwrap(), expected);
}

#[test]
fn failed_round_should_say_why_and_lack_the_rest() {
	let round = KeptRound {
		reveal_posted_at: Some(99_000),
		proof: Some("segment"),
		..failed(7, ChallengeFailure::NoAnswer)
	};
	let kept = Kept::from(&round);
	let expected =
		["7", "10.0 s ago", "failed: no-answer", "-", "-", "1.0 s ago", "0 B", "segment"];
	assert_eq!(kept.cells(100_000), expected);
	for row in ["measured", "seal posted", "signed root", "signature", "signed power", "segments"] {
		assert_eq!(cell(&kept, row), "-", "{row}");
	}
	assert_eq!(cell(&kept, "verdict posted"), "1.0 s ago");
	assert_eq!(cell(&kept, "open proof"), "segment");
	let value = serde_json::to_value(&kept).unwrap();
	assert_eq!(
		(&value["passed"], &value["failure"], &value["proof"]),
		(&json!(false), &json!("no-answer"), &json!("segment"))
	);
	assert!(value["measured"].is_null() && value["signed"].is_null());
}

#[test]
fn each_kind_should_be_told_with_its_figures() {
	let cpu = Measured::Cpu { elapsed_millis: 12_300 };
	assert_eq!(figures(&cpu), "committed after 12.3 s");
	let memory = Measured::Memory { fill_millis: 900, read_nanos: 300 };
	assert_eq!(figures(&memory), "filled after 900 ms, 300 ns a read");
	let gemm = Measured::Gemm { elapsed_millis: 45_600 };
	assert_eq!(figures(&gemm), "multiplied after 45.6 s");
	let storage = Measured::Storage { answer_millis: 1_200, read_millis: 812 };
	assert_eq!(figures(&storage), "answered after 1.2 s, blocks read within 812 ms");
}

#[test]
fn rounds_should_be_listed_in_order_and_found_by_number() {
	let later = KeptRound { decided_at: 91_000, ..failed(7, ChallengeFailure::Malformed) };
	let rounds = [later, passed(9, NETWORK), passed(7, NETWORK)];
	let kept = || rounds.iter().map(Kept::from).collect::<Vec<_>>();
	let order = |kept: Vec<Kept>| -> Vec<_> {
		kept.into_iter().map(|kept| (kept.round, kept.passed)).collect()
	};
	assert_eq!(order(sorted(kept())), [(7, true), (7, false), (9, true)]);
	// Its block was replaced: both judgements are shown.
	assert_eq!(order(of_round(kept(), 7).unwrap()), [(7, true), (7, false)]);
	assert_eq!(order(of_round(kept(), 9).unwrap()), [(9, true)]);
	let told = of_round(kept(), 8).unwrap_err().to_string();
	assert!(told.contains("no verdict on round 8"), "{told}");
	assert!(told.contains("armature verifier evidence"), "{told}");
}

#[test]
fn journal_should_be_found_by_folder_or_by_configuration() {
	let folder = tempfile::tempdir().unwrap();
	let data_dir = folder.path().join("data");
	let config = folder.path().join("verifier.toml");
	let text = toml::to_string_pretty(&armature_verifierd::Config::new(data_dir.clone())).unwrap();
	std::fs::write(&config, text).unwrap();
	let expected = data_dir.join("journal.redb");
	assert_eq!(journal(None, Some(data_dir.clone())).unwrap(), expected);
	assert_eq!(journal(Some(&config), None).unwrap(), expected);
	let missing = read_evidence(&expected).unwrap_err().to_string();
	assert!(missing.contains("there is no journal"), "{missing}");
	assert!(!data_dir.exists(), "looking makes nothing");
	let unread = journal(Some(&folder.path().join("none.toml")), None).unwrap_err().to_string();
	assert!(unread.starts_with("reading the configuration"), "{unread}");
	assert!(unread.ends_with("none.toml"), "{unread}");
	assert!(journal(None, None).unwrap_err().is::<Usage>());
}
