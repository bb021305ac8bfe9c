//! Verdicts as people and programs read them.

use super::super::samples::{sample, snp_report};
use super::{Given, View};
use crate::attest::{assemble, trust_roots, Part};
use armature_verifier::evidence::hardware::{self, Checks, Policy, Question};
use serde_json::{json, Value};

const NOW: u64 = 1_767_225_600_000;

fn view(parts: Vec<Part>, nonce: Option<&[u8]>, trusted: bool) -> View {
	// A key names no box, and is refused unless the policy says otherwise.
	let mut policy = Policy { allow_android_key: true, ..Policy::default() };
	if trusted {
		trust_roots(&mut policy.roots, &[sample("android root")]).unwrap();
	}
	let assembled = assemble(parts, &[], NOW, None).unwrap();
	let question = Question::new(&policy, nonce, NOW);
	let mut checks = Checks::note_all();
	let outcome = hardware::verify(&assembled.evidence, &question, &mut checks);
	let files = vec![Given { path: "a.der".into(), recognised: "certificate (binary)".into() }];
	let (evidence, notes) = (&assembled.evidence, assembled.notes);
	View::new(evidence, NOW, nonce.is_some(), outcome, &checks, notes, files)
}

fn android() -> Vec<Part> {
	["android leaf", "android attestation", "android root"]
		.map(|name| Part::Certificate(sample(name)))
		.to_vec()
}

fn row(view: &View, name: &str) -> Vec<String> {
	view.rows()
		.into_iter()
		.filter(|(row, _)| *row == name)
		.map(|(_, value)| value)
		.collect()
}

#[test]
fn accepted_evidence_should_be_told_with_its_claims() {
	let view = view(android(), Some(b"abc"), true);
	assert_eq!(view.refusal(), None);
	for (name, value) in [
		("file", "a.der: certificate (binary)"),
		("format", "android-key"),
		("at", "2026-01-01T00:00:00Z"),
		("crypto", "holds"),
		("policy", "accepted"),
		("freshness", "checked against the nonce"),
		("names one box", "no"),
		("verified-boot-state", "verified"),
		("tcb", "202512"),
		("valid", "2020-01-01T00:00:00Z to 2090-01-01T00:00:00Z"),
	] {
		assert_eq!(row(&view, name), [value], "{name}");
	}
	assert!(row(&view, "passed")[0].contains("certificate-signature[0], "));
	assert!(row(&view, "crypto failed").is_empty());
	let json = serde_json::to_value(&view).unwrap();
	assert_eq!(json["format"], json!("android-key"));
	assert_eq!(json["crypto"], json!({ "holds": true, "failed": [] }));
	assert_eq!(json["policy"]["holds"], json!(true));
	assert_eq!(json["claims"]["eat_nonce"], json!("616263"));
	assert_eq!(json["files"][0]["path"], json!("a.der"));
	assert!(json["passed"].as_array().is_some_and(|passed| passed.contains(&json!("root"))));
}

#[test]
fn refused_evidence_should_be_told_with_what_to_do() {
	let view = view(android(), None, false);
	assert_eq!(view.refusal().unwrap(), "the evidence is refused (crypto: root)");
	assert_eq!(row(&view, "crypto"), ["refused"]);
	assert_eq!(row(&view, "policy"), ["accepted"]);
	assert!(row(&view, "crypto failed")[0].starts_with("root: not one of the trusted; "));
	assert!(row(&view, "freshness")[0].starts_with("freshness not checked"));
	let json = serde_json::to_value(&view).unwrap();
	let failed = &json["crypto"]["failed"][0];
	assert_eq!(failed["check"], json!("root"));
	assert_eq!(failed["certificate"], Value::Null);
	assert_eq!(failed["fault"], json!("not-trusted"));
	assert!(failed["message"].as_str().unwrap().contains("--root"));
	assert_eq!(json["freshness_checked"], json!(false));
}

#[test]
fn evidence_that_cannot_be_read_to_the_end_should_hold_in_nothing() {
	let view = view(vec![Part::SnpReport(snp_report(1, 0))], None, false);
	assert_eq!(row(&view, "format"), ["sev-snp"]);
	assert_eq!(row(&view, "crypto"), ["refused"]);
	assert!(row(&view, "policy")[0].starts_with("not judged"));
	assert!(row(&view, "crypto failed")[0].contains("cert_chain"));
	assert!(view.refusal().is_some());
	let json = serde_json::to_value(&view).unwrap();
	assert_eq!((&json["complete"], &json["claims"]), (&json!(false), &Value::Null));
	assert_eq!(json["policy"]["holds"], json!(false));
	assert_eq!(json["crypto"]["failed"][0]["certificate"], json!(0));
}

#[test]
fn what_evidence_says_should_not_drive_a_terminal() {
	assert_eq!(super::printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
	assert_eq!(super::printable("Zürich, 2 × GH100"), "Zürich, 2 × GH100");
	let mut view = view(android(), None, true);
	view.notes = vec!["not used: \u{1b}[31mroot".into()];
	assert_eq!(row(&view, "note"), ["not used: \\u{1b}[31mroot"]);
}
