//! Azure: evidence of our own making, and the real one, honest and damaged.

use super::{
	super::{
		azure::{verify, AzureEvidence, MAX_HCL_LEN},
		check::{Check, Checks, Failure, Fault},
		claims::{Claims, Format, Hex, IdentityKind},
		crypto::sha256,
		policy::{from_hex, HexBytes, Policy},
		snp::Report,
		testing::{
			azure::{around, made, made_with, runtime},
			snp::{offset, policy_for, Made},
			Key, NOW,
		},
		Question,
	},
	common::{failure, failures, refusal},
};
use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine};
use proptest::prelude::*;
use std::{format, string::String, vec, vec::Vec};

mod vectors;

/// Trusts our own AMD root and accepts a VM in a cloud.
fn open() -> Policy {
	let policy = knowing(policy_for(&Made::milan().evidence()));
	Policy { allow_virtual_tpm: true, allow_cloud: true, ..policy }
}

/// The policy with the measurement of the firmware.
fn knowing(policy: Policy) -> Policy {
	let report = Report::parse(&Made::milan().evidence().report).unwrap();
	Policy { azure_measurements: vec![HexBytes(report.measurement.to_vec())], ..policy }
}

fn faults_under(evidence: &AzureEvidence, policy: &Policy) -> Vec<Failure> {
	let question = Question::new(policy, Some(b"nonce"), NOW);
	failures(|checks| verify(evidence, &question, checks))
}

fn faults(evidence: &AzureEvidence) -> Vec<Failure> {
	faults_under(evidence, &open())
}

fn accepted(evidence: &AzureEvidence) -> Claims {
	let policy = open();
	let question = Question::new(&policy, Some(b"nonce"), NOW);
	verify(evidence, &question, &mut Checks::stop_at_first()).unwrap()
}

fn layout(fault: Fault) -> Vec<Failure> {
	vec![failure(Check::Layout, fault)]
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
	format!("{}", Hex(bytes))
}

fn fact(claims: &Claims, name: &str) -> String {
	let found = claims.facts.iter().find(|fact| fact.name == name);
	found.unwrap_or_else(|| panic!("no fact {name}")).value.clone()
}

#[test]
fn made_evidence_should_hold() {
	let claims = accepted(&made());
	assert_eq!(claims.format, Format::AzureSnpVtpm);
	assert_eq!(claims.nonce, b"nonce");
	assert_eq!(claims.identity.kind, IdentityKind::CloudInstance);
	assert_eq!(hex(&claims.identity.id), "00112233445566778899aabbccddeeff");
	assert_eq!((claims.boot_count, claims.clock_millis), (Some(5), Some(3_600_001)));
	assert_eq!((&*claims.model, claims.tcb), ("Milan", 0x00_03_01_08_73));
	let names: Vec<_> = claims.measurements.iter().map(|m| &*m.name).collect();
	assert_eq!(names, ["launch", "pcr0", "pcr7", "pcr16"]);
	assert_eq!(fact(&claims, "secure-boot"), "true");
	assert_eq!(fact(&claims, "user-data"), "00ff");
	assert_eq!(fact(&claims, "hcl-version"), "2");
	assert!(claims.facts.iter().all(|fact| fact.name != "tpm-enabled"));
	let [snp, tpm] = &claims.parts[..] else { panic!("two parts") };
	assert_eq!((snp.format, tpm.format), (Format::SevSnp, Format::Tpm));
	assert_eq!(snp.identity.kind, IdentityKind::AmdChip);
	assert_eq!(tpm.identity.kind, IdentityKind::None);
	assert_eq!(claims.valid, snp.valid);
}

#[test]
fn identity_should_be_the_key_when_the_vm_has_no_id() {
	let without = runtime(&Key::rsa2048()).replace("vmUniqueId", "other");
	let claims = accepted(&made_with(Made::milan(), &without));
	assert_eq!(claims.identity.kind, IdentityKind::CloudInstance);
	assert_eq!(claims.identity.id, sha256(&Key::rsa2048().modulus()));
}

#[test]
fn cloud_should_be_refused_unless_allowed() {
	let trusting = knowing(policy_for(&Made::milan().evidence()));
	let (tpm, identity) = (
		failure(Check::PhysicalTpm, Fault::NotAccepted),
		failure(Check::BoxIdentity, Fault::NotAccepted),
	);
	assert_eq!(faults_under(&made(), &trusting), [tpm, identity]);
	let policy = Policy { allow_virtual_tpm: true, ..trusting.clone() };
	assert_eq!(faults_under(&made(), &policy), [identity]);
	let policy = Policy { allow_cloud: true, ..trusting };
	assert_eq!(faults_under(&made(), &policy), [tpm]);
}

#[test]
fn firmware_should_be_known() {
	let unknown = Policy { azure_measurements: vec![], ..open() };
	let no_reference = [failure(Check::Measurement, Fault::NoReference)];
	assert_eq!(faults_under(&made(), &unknown), no_reference);
	let other = Policy { azure_measurements: vec![HexBytes(vec![9; 48])], ..open() };
	assert_eq!(faults_under(&made(), &other), [failure(Check::Measurement, Fault::NotAccepted)]);
}

#[test]
fn runtime_claims_should_be_those_of_the_report() {
	let mismatch = [failure(Check::KeyBinding, Fault::Mismatch)];
	let runtime = runtime(&Key::rsa2048());
	assert_eq!(faults(&around(Made::milan(), &runtime)), mismatch);
	let data = [&sha256(runtime.as_bytes())[..], &[1; 32]].concat();
	let more = Made::milan().put(offset::REPORT_DATA, &data);
	assert_eq!(faults(&around(more, &runtime)), mismatch, "something behind the hash");
	// Another VM's claims around this VM's quote.
	let other = self::runtime(&Key::other_rsa2048());
	assert_eq!(
		faults(&made_with(Made::milan(), &other)),
		[failure(Check::QuoteSignature, Fault::BadSignature)]
	);
}

#[test]
fn report_should_be_the_firmwares_own_whatever_the_policy_accepts() {
	let guest = Made::milan().put(offset::VMPL, &2_u32.to_le_bytes());
	let evidence = made_with(guest, &runtime(&Key::rsa2048()));
	let policy = Policy { max_vmpl: 3, ..open() };
	assert_eq!(faults_under(&evidence, &policy), [failure(Check::KeyBinding, Fault::NotAccepted)]);
}

#[test]
fn nonce_and_pcrs_should_be_those_of_the_quote() {
	let policy = open();
	let question = Question::new(&policy, Some(b"another"), NOW);
	assert_eq!(
		failures(|checks| verify(&made(), &question, checks)),
		[failure(Check::Nonce, Fault::Mismatch)]
	);
	let mut evidence = made();
	evidence.pcrs.insert(7, vec![1; 32]);
	assert_eq!(faults(&evidence), [failure(Check::PcrDigest, Fault::Mismatch)]);
	let pcrs = [(7, vec![HexBytes(vec![1; 32])])].into();
	assert_eq!(
		faults_under(&made(), &Policy { pcrs, ..open() }),
		[failure(Check::Measurement, Fault::NotAccepted)]
	);
}

#[test]
fn launch_measurement_should_be_an_accepted_one() {
	let with = |digest| Policy {
		azure_measurements: vec![HexBytes(vec![digest; 48])],
		// Those of other guests are not looked at.
		measurements: vec![HexBytes(vec![8; 48])],
		..open()
	};
	assert_eq!(faults_under(&made(), &with(7)), []);
	assert_eq!(faults_under(&made(), &with(8)), [failure(Check::Measurement, Fault::NotAccepted)]);
}

#[test]
fn report_should_be_verified_as_any_other() {
	let mut forged = made();
	forged.hcl_report[32 + offset::SIGNATURE] ^= 1;
	assert_eq!(faults(&forged), [failure(Check::ReportSignature, Fault::BadSignature)]);
	let untrusted = Policy { roots: Policy::default().roots, ..open() };
	assert_eq!(faults_under(&made(), &untrusted), [failure(Check::Root, Fault::NotTrusted)]);
	let none = AzureEvidence { vcek: vec![], ..made() };
	assert_eq!(faults(&none), [failure(Check::CertificateLayout(0), Fault::Missing)]);
	let none = AzureEvidence { issuers: vec![], ..made() };
	assert_eq!(faults(&none), [failure(Check::Root, Fault::Missing)]);
}

#[test]
fn revoked_vm_or_chip_should_be_refused() {
	let vm = from_hex("00112233445566778899aabbccddeeff").unwrap();
	for id in [vm, Made::chip_id()] {
		let policy = Policy { revoked_ids: vec![HexBytes(id)], ..open() };
		assert_eq!(faults_under(&made(), &policy), [failure(Check::Revocation, Fault::Revoked)]);
	}
}

#[test]
fn runtime_claims_should_have_one_rsa_key() {
	let with = |from: &str, to: &str| {
		let text = runtime(&Key::rsa2048());
		let changed = text.replacen(from, to, 1);
		assert_ne!(text, changed);
		faults(&made_with(Made::milan(), &changed))
	};
	assert_eq!(with("HCLAkPub", "other"), layout(Fault::Missing));
	assert_eq!(with("HCLEkPub", "HCLAkPub"), layout(Fault::Malformed), "two keys");
	assert_eq!(with("RSA", "EC"), layout(Fault::UnknownAlgorithm));
	assert_eq!(with("AQAB", "AQAB="), layout(Fault::Malformed), "padding");
	assert_eq!(with("AQAB", "AQAB+"), layout(Fault::Malformed));
	assert_eq!(with("\"n\":", "\"m\":"), layout(Fault::Missing));
	assert_eq!(with("\"e\":", "\"kid\":\"HCLAkPub\",\"e\":"), layout(Fault::Malformed), "twice");
	assert_eq!(with("00112233-", ""), layout(Fault::Malformed), "no GUID");
	assert_eq!(with("{", "["), layout(Fault::Malformed));
	assert_eq!(with("}", "},"), layout(Fault::Malformed));
	let deep = format!("\"new\":{}", "[".repeat(1_000));
	assert_eq!(with("\"new\":", &deep), layout(Fault::Malformed), "deep");
	let small = URL_SAFE_NO_PAD.encode([0xff; 128]);
	let modulus = URL_SAFE_NO_PAD.encode(Key::rsa2048().modulus());
	assert_eq!(with(&modulus, &small), layout(Fault::UnknownAlgorithm), "1,024 bits");
}

#[test]
fn headers_should_be_as_documented() {
	let with = |at: usize, value: u8| {
		let mut evidence = made();
		assert_ne!(evidence.hcl_report[at], value);
		evidence.hcl_report[at] = value;
		faults(&evidence)
	};
	assert_eq!(with(0, b'h'), layout(Fault::Malformed));
	assert_eq!(with(4, 1), [], "an older version");
	assert_eq!(with(4, 3), layout(Fault::UnknownVersion(3)));
	assert_eq!(with(8, 0), layout(Fault::Malformed), "length of the whole");
	assert_eq!(with(12, 4), layout(Fault::Malformed), "request");
	assert_eq!(with(16, 1), layout(Fault::Malformed), "status");
	assert_eq!(with(31, 1), layout(Fault::Malformed), "reserved");
	assert_eq!(with(32, 9), layout(Fault::UnknownVersion(9)), "version of the SNP report");
	assert_eq!(with(1_217, 0xff), layout(Fault::Malformed), "length with header");
	assert_eq!(with(1_220, 2), layout(Fault::UnknownVersion(2)));
	assert_eq!(with(1_224, 4), layout(Fault::UnknownAlgorithm), "TDX");
	assert_eq!(with(1_228, 2), layout(Fault::UnknownAlgorithm), "SHA-384");
	assert_eq!(with(1_235, 0xff), layout(Fault::Malformed), "length");
	assert_eq!(with(2_599, 1), layout(Fault::TrailingBytes));
	let mut large = made();
	large.hcl_report.resize(MAX_HCL_LEN + 1, 0);
	assert_eq!(faults(&large), layout(Fault::TooLarge));
	let mut cut = made();
	cut.hcl_report.truncate(1_500);
	assert_eq!(faults(&cut), layout(Fault::Truncated));
	// A length that does not fit: the sum would not either.
	let mut huge = made();
	huge.hcl_report[1_232..1_236].copy_from_slice(&[0xff; 4]);
	assert_eq!(faults(&huge), layout(Fault::TooLarge));
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]
	#[test]
	fn any_damage_should_be_refused(at in 0usize..2_600, bit in 0u32..8) {
		let mut evidence = made();
		let honest = evidence.hcl_report.clone();
		evidence.hcl_report[at] ^= 1 << bit;
		// The version has two values; nothing signs the headers.
		prop_assume!(at != 4);
		let policy = open();
		let question = Question::new(&policy, Some(b"nonce"), NOW);
		let found = refusal(|checks| verify(&evidence, &question, checks));
		prop_assert_ne!(&evidence.hcl_report, &honest);
		let expected = [
			Check::Layout, Check::KeyBinding, Check::ReportSignature, Check::ChipBinding,
			Check::TcbBinding,
		];
		prop_assert!(expected.contains(&found.check), "{} at {}", found, at);
	}

	#[test]
	fn any_bytes_should_end(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..1_300) {
		let mut evidence = made();
		let end = at + bytes.len();
		evidence.hcl_report[at..end].copy_from_slice(&bytes);
		let _ = faults(&evidence);
		evidence.hcl_report = bytes;
		prop_assert!(!faults(&evidence).is_empty());
	}
}
