//! The real quote, which a software TPM made.

use super::{
	super::{
		super::{
			check::{Check, Checks, Failure, Fault, Side},
			claims::{Claims, IdentityKind},
			policy::{from_hex, Policy},
			tpm::{verify, Pcrs, TpmEvidence},
			Question,
		},
		common::{failure, failures, read, refusal, vectors},
	},
	fact,
};
use base64::{engine::general_purpose::STANDARD, Engine};
use serde_json::Value;
use std::{println, vec, vec::Vec};

/// 48 bytes of entropy; 16 zero bytes follow in the quote.
const NONCE: &str = "a04182b506878d4f29b91ee606a71a0d3361ccf1b22db20c98adcaa537bea393\
	ef0e41a18b3569ab678f1497fbc5c120";

fn nonce() -> Vec<u8> {
	from_hex(NONCE).unwrap()
}

fn evidence() -> Option<TpmEvidence> {
	let json: Value = serde_json::from_slice(&read(&vectors()?, "tpm/tpm_evidence.json")).unwrap();
	let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
	let quote = &json["tpm_quote"];
	let pcrs = quote["pcrs"].as_array().unwrap().iter();
	let pcrs: Pcrs = (0..).zip(pcrs.map(|pcr| from_hex(pcr.as_str().unwrap()).unwrap())).collect();
	Some(TpmEvidence {
		attest: bytes(&quote["message"]),
		signature: bytes(&quote["signature"]),
		pcrs,
		attestation_key: bytes(&json["ak_public"]),
		..TpmEvidence::default()
	})
}

fn open() -> Policy {
	Policy { allow_software_tpm: true, allow_uncertified_tpm: true, ..Policy::default() }
}

fn judged(evidence: &TpmEvidence, policy: &Policy, nonce: &[u8]) -> Vec<Failure> {
	let question = Question::new(policy, Some(nonce), 0);
	failures(|checks| verify(evidence, &question, checks))
}

fn claims(evidence: &TpmEvidence) -> Claims {
	let (policy, nonce) = (open(), nonce());
	let question = Question::new(&policy, Some(&nonce), 0);
	verify(evidence, &question, &mut Checks::stop_at_first()).unwrap()
}

#[test]
fn quote_should_hold_in_crypto_and_be_refused_by_policy() {
	let Some(evidence) = evidence() else { return };
	let (policy, nonce) = (Policy::default(), nonce());
	let question = Question::new(&policy, Some(&nonce), 0);
	let mut checks = Checks::note_all();
	verify(&evidence, &question, &mut checks).unwrap();
	assert!(checks.holds(Side::Crypto));
	assert_eq!(
		checks.failed(),
		[
			failure(Check::PhysicalTpm, Fault::NotAccepted),
			failure(Check::BoxIdentity, Fault::NotAccepted)
		]
	);
	let first = refusal(|checks| verify(&evidence, &question, checks));
	assert_eq!(first, failure(Check::PhysicalTpm, Fault::NotAccepted));
	assert_eq!(judged(&evidence, &open(), &nonce), []);
}

#[test]
fn claims_should_be_those_of_the_table() {
	let Some(evidence) = evidence() else { return };
	assert_eq!(evidence.attest.len(), 177);
	let claims = claims(&evidence);
	assert_eq!(claims.nonce, [&nonce()[..], &[0; 16]].concat());
	assert_eq!(claims.identity.kind, IdentityKind::None);
	assert_eq!(claims.firmware, "0x2019102300163636");
	assert_eq!((claims.boot_count, claims.clock_millis), (Some(2), Some(1_913_548_331)));
	assert_eq!(fact(&claims, "restart-count"), "0");
	assert_eq!(fact(&claims, "clock-safe"), "true");
	assert_eq!(fact(&claims, "tpm-kind"), "software");
	assert_eq!(
		fact(&claims, "pcr-digest"),
		"019de64c9318655e422c3d03831169896e31f02a1d74e4d8fef575bf4e0d75fa"
	);
	assert!(fact(&claims, "qualified-signer").starts_with("000b3081a4cbbe307f3de1456f98"));
	assert_eq!(claims.measurements.len(), 24);
	for (at, measurement) in claims.measurements.iter().enumerate() {
		let filler = if (17..=22).contains(&at) { 0xff } else { 0 };
		assert_eq!(measurement.digest, [filler; 32], "{}", measurement.name);
	}
}

#[test]
fn signature_should_hold_without_its_header() {
	let Some(mut evidence) = evidence() else { return };
	assert_eq!(evidence.signature[..6], [0x00, 0x14, 0x00, 0x0b, 0x01, 0x00]);
	evidence.signature.drain(..6);
	claims(&evidence);
}

#[test]
fn wrong_nonce_and_pcrs_should_be_refused() {
	let Some(evidence) = evidence() else { return };
	assert_eq!(judged(&evidence, &open(), b"another"), [failure(Check::Nonce, Fault::Mismatch)]);
	let mut swapped = evidence.clone();
	swapped.pcrs.insert(17, vec![0; 32]);
	assert_eq!(judged(&swapped, &open(), &nonce()), [failure(Check::PcrDigest, Fault::Mismatch)]);
}

#[test]
fn every_damaged_byte_should_be_refused() {
	let Some(honest) = evidence() else { return };
	let (policy, nonce) = (open(), nonce());
	let question = Question::new(&policy, Some(&nonce), 0);
	let refused = |evidence: &TpmEvidence| refusal(|checks| verify(evidence, &question, checks));
	let mut seen = 0;
	for at in 0..honest.attest.len() {
		let mut bad = honest.clone();
		bad.attest[at] ^= 1 << (at % 8);
		let check = refused(&bad).check;
		let expected = [Check::Layout, Check::Nonce, Check::PcrDigest, Check::ReportSignature];
		assert!(expected.contains(&check), "{check} at {at}");
		let cut = TpmEvidence { attest: honest.attest[..at].to_vec(), ..honest.clone() };
		assert_eq!(refused(&cut), failure(Check::Layout, Fault::Truncated));
		seen += 2;
	}
	for at in 0..honest.signature.len() {
		let mut bad = honest.clone();
		bad.signature[at] ^= 1 << (at % 8);
		let found = refused(&bad);
		if at >= 6 {
			assert_eq!(found, failure(Check::ReportSignature, Fault::BadSignature));
		} else {
			assert!([Check::Layout, Check::ReportSignature].contains(&found.check), "{found}");
		}
		// At 256 bytes a cut signature is taken for a bare one.
		let cut = TpmEvidence { signature: honest.signature[..at].to_vec(), ..honest.clone() };
		let expected = match at {
			256 => failure(Check::ReportSignature, Fault::BadSignature),
			_ => failure(Check::Layout, Fault::Truncated),
		};
		assert_eq!(refused(&cut), expected);
		seen += 2;
	}
	for at in 0..honest.attestation_key.len() {
		let mut bad = honest.clone();
		bad.attestation_key[at] ^= 1 << (at % 8);
		let check = refused(&bad).check;
		assert!([Check::Layout, Check::ReportSignature].contains(&check), "{check} at {at}");
		seen += 1;
	}
	for field in [
		|e: &mut TpmEvidence| e.attest.push(0),
		|e: &mut TpmEvidence| e.signature.push(0),
		|e: &mut TpmEvidence| e.attestation_key.push(0),
	] {
		let mut bad = honest.clone();
		field(&mut bad);
		assert_eq!(refused(&bad).check, Check::Layout);
		seen += 1;
	}
	println!("{seen} damaged ones refused");
}
