//! The real evidence.

use super::{
	super::{
		super::{
			azure::{verify, AzureEvidence},
			check::{Check, Checks, Failure, Fault, Side},
			claims::{Claims, DebugStatus, IdentityKind, Window},
			policy::{from_hex, HexBytes, Policy, SnpTcbFloor},
			tpm::Pcrs,
			Question,
		},
		common::{at as instant, failure, failures, pem, read, read_text, refusal, vectors},
	},
	fact, hex,
};
use base64::{engine::general_purpose::URL_SAFE, Engine};
use serde_json::Value;
use std::{println, vec, vec::Vec};

const WHEN: &str = "2025-06-01T00:00:00Z";

/// Lengths of the parts of the HCL report.
const HEADER: usize = 32;
const REPORT: usize = 1_184;
const RUNTIME_AT: usize = HEADER + REPORT + 20;
const RUNTIME_END: usize = RUNTIME_AT + 1_110;

fn evidence() -> Option<AzureEvidence> {
	let vectors = vectors()?;
	let json = read(&vectors, "tpm/az-snp-vtpm-evidence-v1.json");
	let json: Value = serde_json::from_slice(&json).unwrap();
	let base64 = |value: &Value| URL_SAFE.decode(value.as_str().unwrap()).unwrap();
	let unhex = |value: &Value| from_hex(value.as_str().unwrap()).unwrap();
	let quote = &json["tpm_quote"];
	let pcrs: Pcrs = (0..).zip(quote["pcrs"].as_array().unwrap().iter().map(unhex)).collect();
	let issuers = ["snp/ask-milan.pem", "snp/ark-milan.pem"];
	Some(AzureEvidence {
		hcl_report: base64(&json["hcl_report"]),
		vcek: base64(&json["vcek"]),
		issuers: issuers.iter().flat_map(|name| pem(&read_text(&vectors, name))).collect(),
		attest: unhex(&quote["message"]),
		signature: unhex(&quote["signature"]),
		pcrs,
	})
}

/// Launch measurement of the firmware.
const FIRMWARE: &str = "6a063be9dd79f6371c842e480f8dc3b5c725961344e57130e88c5adf49e8f7f6c79b75a5eb77fc769959f4aeb2f9401e";

fn open() -> Policy {
	Policy {
		allow_virtual_tpm: true,
		allow_cloud: true,
		azure_measurements: vec![HexBytes(from_hex(FIRMWARE).unwrap())],
		..Policy::default()
	}
}

fn judged(evidence: &AzureEvidence, policy: &Policy, nonce: &[u8], when: &str) -> Vec<Failure> {
	let question = Question::new(policy, Some(nonce), instant(when));
	failures(|checks| verify(evidence, &question, checks))
}

fn claims(evidence: &AzureEvidence) -> Claims {
	let policy = open();
	let question = Question::new(&policy, Some(b"challenge"), instant(WHEN));
	verify(evidence, &question, &mut Checks::stop_at_first()).unwrap()
}

#[test]
fn evidence_should_hold_end_to_end() {
	let Some(evidence) = evidence() else { return };
	assert_eq!(judged(&evidence, &open(), b"challenge", WHEN), []);
	let policy = Policy::default();
	let question = Question::new(&policy, Some(b"challenge"), instant(WHEN));
	let mut checks = Checks::note_all();
	verify(&evidence, &question, &mut checks).unwrap();
	assert!(checks.holds(Side::Crypto));
	assert_eq!(
		checks.failed(),
		[
			failure(Check::PhysicalTpm, Fault::NotAccepted),
			failure(Check::BoxIdentity, Fault::NotAccepted),
			failure(Check::Measurement, Fault::NoReference)
		]
	);
}

#[test]
fn claims_should_be_those_of_the_table() {
	let Some(evidence) = evidence() else { return };
	let claims = claims(&evidence);
	assert_eq!(claims.nonce, b"challenge");
	assert_eq!(claims.identity.kind, IdentityKind::CloudInstance);
	assert_eq!(hex(&claims.identity.id), "26f8bc30774e42908e7a535f3b672aee");
	assert_eq!((&*claims.model, &*claims.firmware), ("Milan", "bl 4, tee 0, snp 24, ucode 219"));
	assert_eq!(claims.debug, DebugStatus::Disabled);
	assert_eq!((claims.boot_count, claims.clock_millis), (Some(2), Some(3_513_262)));
	let window =
		Window { from: instant("2025-01-28T16:26:55Z"), until: instant("2032-01-28T16:26:55Z") };
	assert_eq!(claims.valid, window);
	assert_eq!(
		fact(&claims, "runtime-claims-sha256"),
		"af2910341dd8108360e485f1b72494255190b9cdd5ccb44b73b883037cf99f21"
	);
	assert_eq!(fact(&claims, "vm-unique-id"), "26F8BC30-774E-4290-8E7A-535F3B672AEE");
	assert_eq!(fact(&claims, "user-data"), "0".repeat(128));
	assert_eq!(claims.measurements.len(), 25);
	assert!(hex(&claims.measurements[0].digest).starts_with("6a063be9dd79f6371c842e48"));
	assert_eq!(
		hex(&claims.measurements[1].digest),
		"e15c44796beabf46abcec7c57e590942041e47497e4ec27571c8b7664f48dced"
	);

	let [snp, tpm] = &claims.parts[..] else { panic!("two parts") };
	assert_eq!(snp.identity.kind, IdentityKind::AmdChip);
	assert!(hex(&snp.identity.id).starts_with("66a5a7b4403a3006ca734aa36a76dd30"));
	for (name, value) in [
		("report-version", "3"),
		("guest-svn", "10"),
		("vmpl", "0"),
		("guest-policy", "0x3001f"),
		("platform-info", "0x25"),
		("reported-tcb", "04000000000018db"),
		("current-tcb", "04000000000018db"),
		("committed-tcb", "04000000000018db"),
		("launch-tcb", "04000000000018db"),
		("cpuid", "190101"),
	] {
		assert_eq!(fact(snp, name), value, "{name}");
	}
	assert_eq!(tpm.firmware, "0x2020031200120003");
	assert_eq!(fact(tpm, "restart-count"), "0");
	assert_eq!(
		fact(tpm, "pcr-digest"),
		"cfa3a9112493e8c8741c1d895ced6d05a9ea19a24a02a44a8b02eaf22a1b143f"
	);
}

#[test]
fn evidence_should_be_refused_with_another_nonce_instant_or_version() {
	let Some(evidence) = evidence() else { return };
	for nonce in [b"challenge2".as_slice(), b"challeng", b"another", b""] {
		assert_eq!(
			judged(&evidence, &open(), nonce, WHEN),
			[failure(Check::Nonce, Fault::Mismatch)]
		);
	}
	assert_eq!(
		judged(&evidence, &open(), b"challenge", "2025-01-28T16:26:54Z"),
		[failure(Check::CertificateDates(0), Fault::NotYetValid)]
	);
	assert_eq!(
		judged(&evidence, &open(), b"challenge", "2032-01-28T16:26:56Z"),
		[failure(Check::CertificateDates(0), Fault::Expired)]
	);
	let floor = SnpTcbFloor { microcode: 220, ..SnpTcbFloor::default() };
	let policy = Policy { min_snp_tcb: [("Milan".into(), floor)].into(), ..open() };
	assert_eq!(
		judged(&evidence, &policy, b"challenge", WHEN),
		[failure(Check::TcbLevel, Fault::NotAccepted)]
	);
	let vm = from_hex("26f8bc30774e42908e7a535f3b672aee").unwrap();
	let policy = Policy { revoked_ids: vec![HexBytes(vm)], ..open() };
	assert_eq!(
		judged(&evidence, &policy, b"challenge", WHEN),
		[failure(Check::Revocation, Fault::Revoked)]
	);
}

#[test]
fn swapped_certificates_should_be_refused() {
	let Some(evidence) = evidence() else { return };
	let swapped = AzureEvidence {
		issuers: evidence.issuers.iter().rev().cloned().collect(),
		..evidence.clone()
	};
	let found = judged(&swapped, &open(), b"challenge", WHEN);
	assert!(found.contains(&failure(Check::Root, Fault::NotTrusted)), "{found:?}");
	let Some(vectors) = vectors() else { return };
	let other = read(&vectors, "snp/test-vcek.der");
	let found = judged(&AzureEvidence { vcek: other, ..evidence }, &open(), b"challenge", WHEN);
	assert!(found.contains(&failure(Check::ChipBinding, Fault::Mismatch)), "{found:?}");
	assert!(found.contains(&failure(Check::ReportSignature, Fault::BadSignature)), "{found:?}");
}

#[test]
fn every_damaged_byte_should_be_refused() {
	let Some(honest) = evidence() else { return };
	let policy = open();
	let question = Question::new(&policy, Some(b"challenge"), instant(WHEN));
	let refused = |evidence: &AzureEvidence| refusal(|checks| verify(evidence, &question, checks));
	let mut seen = 0;
	// Both headers, the runtime claims, what follows; every eighth byte of the report, which the
	// tests of SEV-SNP damage byte by byte.
	let report = (HEADER..HEADER + REPORT).step_by(8);
	let rest = (0..HEADER).chain(HEADER + REPORT..honest.hcl_report.len());
	for at in rest.chain(report) {
		let mut bad = honest.clone();
		bad.hcl_report[at] ^= if at == 4 { 4 } else { 1 << (at % 8) };
		let found = refused(&bad);
		match at {
			// A changed claim is no JSON, no key, or not what was hashed.
			RUNTIME_AT..RUNTIME_END => {
				assert!([Check::Layout, Check::KeyBinding].contains(&found.check), "{found}");
			},
			RUNTIME_END.. => assert_eq!(found, failure(Check::Layout, Fault::TrailingBytes)),
			HEADER..RUNTIME_AT if at < HEADER + REPORT => {},
			_ => assert_eq!(found.check, Check::Layout, "{found} at {at}"),
		}
		seen += 1;
	}
	for at in (0..RUNTIME_END).step_by(7) {
		let cut = honest.hcl_report[..at].to_vec();
		let cut = AzureEvidence { hcl_report: cut, ..honest.clone() };
		assert_eq!(refused(&cut), failure(Check::Layout, Fault::Truncated), "{at} bytes");
		seen += 1;
	}
	for at in 0..honest.attest.len() {
		let mut bad = honest.clone();
		bad.attest[at] ^= 1 << (at % 8);
		let found = refused(&bad);
		let expected = [Check::Layout, Check::Nonce, Check::PcrDigest, Check::QuoteSignature];
		assert!(expected.contains(&found.check), "{found} at {at}");
		seen += 1;
	}
	for at in 0..honest.signature.len() {
		let mut bad = honest.clone();
		bad.signature[at] ^= 1 << (at % 8);
		assert_eq!(refused(&bad), failure(Check::QuoteSignature, Fault::BadSignature));
		seen += 1;
	}
	for at in (0..honest.vcek.len()).step_by(4) {
		let mut bad = honest.clone();
		bad.vcek[at] ^= 1 << (at % 8);
		refused(&bad);
		seen += 1;
	}
	println!("{seen} damaged ones refused");
}
