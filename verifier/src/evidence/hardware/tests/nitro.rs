//! AWS Nitro Enclaves: documents of our own making, and a real one of an enclave in debug mode.

use super::{
	super::{
		check::{Check, Checks, Failure, Fault, Side},
		claims::{Claims, DebugStatus, Hex, IdentityKind},
		crypto::sha256,
		nitro::{verify, NitroEvidence, MAX_DOCUMENT_LEN},
		policy::{Digest256, HexBytes, Policy},
		testing::{
			nitro::{
				array, bytes, cbor, document, fields, fields_with, leaf_certificate, leaf_key, map,
				parts, payload, pcrs, root_certificate, text, zone_certificate, Field, MODULE,
				NONCE,
			},
			Key, NOW,
		},
		Question,
	},
	common::{at, failure, failures, pem, read_text, refusal, vectors},
};
use proptest::prelude::*;
use std::{format, vec, vec::Vec};

fn policy() -> Policy {
	let mut policy = Policy { allow_cloud: true, ..Policy::default() };
	policy.roots.nitro = vec![Digest256(sha256(&root_certificate()))];
	policy
}

fn judged(document: &[u8], policy: &Policy, checks: &mut Checks) -> Result<Claims, Failure> {
	let evidence = NitroEvidence { document: document.to_vec() };
	verify(&evidence, &Question::new(policy, Some(NONCE), NOW), checks)
}

fn refused(document: &[u8], policy: &Policy) -> Vec<Failure> {
	failures(|checks| judged(document, policy, checks))
}

fn fact<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
	claims
		.facts
		.iter()
		.find(|fact| fact.name == name)
		.map(|fact| fact.value.as_str())
}

#[test]
fn document_should_be_accepted_with_and_without_the_tag() {
	let plain = document(&fields());
	let tagged = [vec![0xd2], plain.clone()].concat();
	for document in [plain, tagged] {
		let claims = judged(&document, &policy(), &mut Checks::stop_at_first()).unwrap();
		assert_eq!(claims.identity.kind, IdentityKind::CloudInstance);
		assert_eq!(claims.identity.id, MODULE.as_bytes());
		assert_eq!(claims.nonce, NONCE);
		assert_eq!(claims.debug, DebugStatus::Disabled);
		assert!(claims.valid.from < NOW && NOW < claims.valid.until);
		let names: Vec<_> = claims.measurements.iter().map(|m| m.name.as_ref()).collect();
		assert_eq!(names, ["pcr0", "pcr1", "pcr2"]);
		assert_eq!(fact(&claims, "user-data"), Some("6f757273"));
		assert_eq!(fact(&claims, "public-key"), None);
	}
}

#[test]
fn document_should_be_accepted_with_indefinite_maps_and_unknown_fields() {
	let deep = [vec![0x81; 64], vec![0x9f, 0xbf, 0x01, 0x9f, 0xff, 0xff, 0xff]].concat();
	let mut fields = fields_with("more", deep);
	let open = |open: u8, content: &[u8]| [&[open], &content[1..], &[0xff]].concat();
	for (key, value) in &mut fields {
		match *key {
			"pcrs" => *value = open(0xbf, value),
			"cabundle" => *value = open(0x9f, value),
			_ => {},
		}
	}
	let payload = open(0xbf, &payload(&fields));
	let document = array(&parts(&payload, &leaf_key()));
	assert_eq!(refused(&document, &policy()), []);
}

#[test]
fn cloud_should_be_refused_unless_it_is_allowed() {
	let policy = Policy { allow_cloud: false, ..policy() };
	let found = refused(&document(&fields()), &policy);
	assert_eq!(found, [failure(Check::BoxIdentity, Fault::NotAccepted)]);
}

#[test]
fn debug_mode_should_be_refused_unless_it_is_allowed() {
	let zeros = [(0, vec![0; 48]), (1, vec![0; 48]), (2, vec![0; 48]), (3, vec![9; 48])];
	for values in [&zeros[..], &zeros[3..]] {
		let document = document(&fields_with("pcrs", pcrs(values)));
		let found = refused(&document, &policy());
		assert_eq!(found, [failure(Check::Debug, Fault::NotAccepted)]);
		let allowed = Policy { allow_debug: true, ..policy() };
		let claims = judged(&document, &allowed, &mut Checks::stop_at_first()).unwrap();
		assert_eq!(claims.debug, DebugStatus::Enabled);
	}
}

#[test]
fn image_should_be_among_the_accepted() {
	let with = |byte| Policy { measurements: vec![HexBytes(vec![byte; 48])], ..policy() };
	assert_eq!(refused(&document(&fields()), &with(1)), []);
	let found = refused(&document(&fields()), &with(2));
	assert_eq!(found, [failure(Check::Measurement, Fault::NotAccepted)]);
	// An image that is not measured is not the accepted one.
	let other = document(&fields_with("pcrs", pcrs(&[(1, vec![1; 48])])));
	let found = refused(&other, &with(1));
	assert_eq!(found, [failure(Check::Measurement, Fault::NotAccepted)]);
}

#[test]
fn nonce_should_be_the_one_asked_for() {
	let mismatch = [failure(Check::Nonce, Fault::Mismatch)];
	for value in [bytes(b"another"), bytes(&[]), cbor(|e| e.null()?.ok())] {
		assert_eq!(refused(&document(&fields_with("nonce", value)), &policy()), mismatch);
	}
	let mut without = fields();
	without.pop();
	assert_eq!(refused(&document(&without), &policy()), mismatch);
}

#[test]
fn revoked_certificates_and_modules_should_be_refused() {
	let revoked = [failure(Check::Revocation, Fault::Revoked)];
	let document = document(&fields());
	let list = vec![HexBytes(vec![0x77])];
	assert_eq!(refused(&document, &Policy { revoked_serials: list, ..policy() }), revoked);
	let list = vec![HexBytes(MODULE.as_bytes().to_vec())];
	assert_eq!(refused(&document, &Policy { revoked_ids: list, ..policy() }), revoked);
}

#[test]
fn chain_should_end_in_the_trusted_root() {
	let untrusted = Policy { allow_cloud: true, ..Policy::default() };
	let found = refused(&document(&fields()), &untrusted);
	assert_eq!(found, [failure(Check::Root, Fault::NotTrusted)]);
	let swapped = array(&[bytes(&zone_certificate()), bytes(&root_certificate())]);
	let found = refused(&document(&fields_with("cabundle", swapped)), &policy());
	assert!(found.contains(&failure(Check::Root, Fault::NotTrusted)));
	assert!(found.contains(&failure(Check::CertificateSignature(0), Fault::BadSignature)));
	let rootless = array(&[bytes(&zone_certificate())]);
	let found = refused(&document(&fields_with("cabundle", rootless)), &policy());
	assert!(found.contains(&failure(Check::Root, Fault::NotTrusted)));
}

#[test]
fn signature_should_be_the_leaf_keys() {
	let bad = |key: &Key| {
		let document = array(&parts(&payload(&fields()), key));
		refused(&document, &policy())
	};
	let found = bad(&Key::p384(9));
	assert_eq!(found, [failure(Check::ReportSignature, Fault::BadSignature)]);
	let key = Key::p256(4);
	let fields = fields_with("certificate", bytes(&leaf_certificate(&key)));
	let found = refused(&array(&parts(&payload(&fields), &key)), &policy());
	assert_eq!(found, [failure(Check::ReportSignature, Fault::UnknownAlgorithm)]);
}

#[test]
fn instant_outside_the_dates_should_be_refused() {
	let evidence = NitroEvidence { document: document(&fields()) };
	let policy = policy();
	for (now, fault) in [(0, Fault::NotYetValid), (2 * NOW, Fault::Expired)] {
		let question = Question::new(&policy, None, now);
		let found = failures(|checks| verify(&evidence, &question, checks));
		let expected = [0, 1, 2].map(|at| failure(Check::CertificateDates(at), fault));
		assert_eq!(found, expected);
	}
}

#[test]
fn envelope_should_be_cose_with_es384() {
	let good = parts(&payload(&fields()), &leaf_key());
	let with = |at: usize, part: Vec<u8>| {
		let mut parts = good.clone();
		parts[at] = part;
		array(&parts)
	};
	let whole = array(&good);
	let large = vec![0x84; MAX_DOCUMENT_LEN + 1];
	for (document, fault) in [
		(vec![], Fault::Truncated),
		(large, Fault::TooLarge),
		([&whole[..], &[0]].concat(), Fault::TrailingBytes),
		([&[0xd3], &whole[..]].concat(), Fault::Malformed),
		(array(&good[..3]), Fault::Malformed),
		([&[0x9f], &whole[1..], &[0xff]].concat(), Fault::Malformed),
		(with(0, bytes(&[0xa1, 0x01, 0x26])), Fault::UnknownAlgorithm),
		(with(0, bytes(&[0xa1, 0x01, 0x38, 0x22, 0])), Fault::TrailingBytes),
		(with(0, bytes(&[0xa1, 0x02, 0x38, 0x22])), Fault::Malformed),
		(with(0, bytes(&[])), Fault::Truncated),
		(with(1, map(&[(text("a"), text("b"))])), Fault::Malformed),
		(with(2, text("a")), Fault::Malformed),
		(with(3, bytes(&[1; 95])), Fault::Malformed),
	] {
		assert_eq!(refused(&document, &policy()), [failure(Check::Layout, fault)]);
	}
}

#[test]
fn payload_should_have_the_specified_fields() {
	let layout = |fields: &[Field]| refused(&document(fields), &policy());
	for key in ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"] {
		let mut fields = fields();
		fields.retain(|(name, _)| *name != key);
		assert_eq!(layout(&fields), [failure(Check::Layout, Fault::Missing)], "{key}");
	}
	for field in fields().into_iter().chain([("more", text("a"))]) {
		let mut fields = fields_with("more", text("a"));
		fields.push(field);
		assert_eq!(layout(&fields), [failure(Check::Layout, Fault::Malformed)]);
	}
	let pcr = |index: u8| (index, vec![1u8; 48]);
	let all: Vec<_> = (0..33).map(pcr).collect();
	let certificate = bytes(&[1]);
	for (key, value, fault) in [
		("module_id", text(""), Fault::Malformed),
		("module_id", text(&"i".repeat(129)), Fault::TooLarge),
		("module_id", bytes(b"i"), Fault::Malformed),
		("digest", text("SHA256"), Fault::UnknownAlgorithm),
		("timestamp", text("now"), Fault::Malformed),
		("pcrs", pcrs(&[]), Fault::Malformed),
		("pcrs", pcrs(&all), Fault::TooLarge),
		("pcrs", pcrs(&[pcr(32)]), Fault::Malformed),
		("pcrs", pcrs(&[pcr(1), pcr(1)]), Fault::Malformed),
		("pcrs", pcrs(&[(0, vec![1; 32])]), Fault::Malformed),
		("certificate", bytes(&[]), Fault::Malformed),
		("certificate", bytes(&[1; 1_025]), Fault::TooLarge),
		("cabundle", array(&[]), Fault::Missing),
		("cabundle", array(&vec![certificate; 8]), Fault::TooLarge),
		("cabundle", vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Fault::TooLarge),
		("public_key", bytes(&[1; 1_025]), Fault::TooLarge),
		("user_data", bytes(&[1; 513]), Fault::TooLarge),
		("nonce", bytes(&[1; 513]), Fault::TooLarge),
		("nonce", vec![0x5f, 0x41, 1, 0xff], Fault::Malformed),
		("more", vec![0x9f; 100], Fault::Truncated),
		("more", vec![0xff], Fault::Malformed),
	] {
		let found = layout(&fields_with(key, value));
		assert_eq!(found, [failure(Check::Layout, fault)], "{key}");
	}
	let trailing = [payload(&fields()), vec![0]].concat();
	let found = refused(&array(&parts(&trailing, &leaf_key())), &policy());
	assert_eq!(found, [failure(Check::Layout, Fault::TrailingBytes)]);
	let names: Vec<&'static str> = (0..17).map(|n| &*format!("f{n}").leak()).collect();
	let many: Vec<_> = names.iter().map(|name| (*name, text("a"))).collect();
	assert_eq!(layout(&many), [failure(Check::Layout, Fault::TooLarge)]);
}

#[test]
fn document_should_be_refused_when_any_byte_is_flipped_or_its_end_is_missing() {
	let whole = document(&fields());
	let policy = policy();
	for at in 0..whole.len() {
		let mut bad = whole.clone();
		bad[at] ^= 1;
		let found = refusal(|checks| judged(&bad, &policy, checks));
		assert_eq!(found.check.side(), Side::Crypto, "{found} at {at}");
		let found = refusal(|checks| judged(&whole[..at], &policy, checks));
		assert_eq!(found, failure(Check::Layout, Fault::Truncated), "{at} bytes");
	}
}

proptest! {
	#[test]
	fn any_document_should_be_judged_without_panic(
		bytes in prop::collection::vec(any::<u8>(), 0..400),
	) {
		let found = refusal(|checks| judged(&bytes, &Policy::default(), checks));
		prop_assert_eq!(found.check, Check::Layout);
	}

	#[test]
	fn any_payload_should_be_judged_without_panic(
		key in prop::sample::select(vec!["module_id", "pcrs", "cabundle", "nonce", "more"]),
		value in prop::collection::vec(
			prop_oneof![any::<u8>(), prop::sample::select(vec![0x9f, 0xbf, 0xff, 0x82, 0xa1, 0x5f])],
			0..200,
		),
	) {
		let mut signed = parts(&payload(&fields_with(key, value)), &Key::p384(9));
		signed[3] = bytes(&[1; 96]);
		let found = refusal(|checks| judged(&array(&signed), &policy(), checks));
		prop_assert_eq!(found.check.side(), Side::Crypto);
	}
}

/// The real document of an enclave in debug mode.
fn real() -> Option<Vec<u8>> {
	use base64::Engine;
	let vectors = vectors()?;
	let root = pem(&read_text(&vectors, "nitro/aws-nitro-root-g1.pem"));
	let trusted = Policy::default().roots.nitro;
	assert!(trusted.contains(&Digest256(sha256(&root[0]))));
	let text = read_text(&vectors, "nitro/valid-attestation-doc-base64");
	Some(base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap())
}

const REAL_NOW: &str = "2023-09-18T15:03:31Z";

fn on_real(
	document: &[u8],
	policy: &Policy,
	nonce: Option<&[u8]>,
	now: u64,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let evidence = NitroEvidence { document: document.to_vec() };
	verify(&evidence, &Question::new(policy, nonce, now), checks)
}

#[test]
fn real_document_should_hold_and_be_refused_as_debugged_and_in_a_cloud() {
	let Some(document) = real() else { return };
	let policy = Policy::default();
	let mut checks = Checks::note_all();
	let claims = on_real(&document, &policy, None, at(REAL_NOW), &mut checks).unwrap();
	assert_eq!(
		checks.failed(),
		[
			failure(Check::Debug, Fault::NotAccepted),
			failure(Check::BoxIdentity, Fault::NotAccepted)
		]
	);
	assert!(checks.holds(Side::Crypto));
	assert_eq!(claims.identity.kind, IdentityKind::CloudInstance);
	assert_eq!(claims.identity.id, b"i-0918f6c55e3b61d89-enc018aa8b8e2285d13");
	assert_eq!(claims.debug, DebugStatus::Enabled);
	assert_eq!(claims.nonce.len(), 256);
	assert!(format!("{}", Hex(&claims.nonce)).starts_with("bba6bfd51866d2e4e095ba3277f208a4"));
	assert_eq!(claims.valid.from, at("2023-09-18T14:37:09Z"));
	assert_eq!(claims.valid.until, at("2023-09-18T17:37:12Z"));
	assert_eq!(fact(&claims, "timestamp"), Some("1695049410860"));
	assert_eq!(fact(&claims, "pcrs"), Some("16"));
	assert_eq!(fact(&claims, "public-key"), None);
	let user_data = fact(&claims, "user-data").unwrap();
	assert!(user_data.len() == 2 * 91 && user_data.starts_with("3059301306072a86"));
	let measured: Vec<_> = claims
		.measurements
		.iter()
		.map(|m| (m.name.as_ref(), format!("{}", Hex(&m.digest))))
		.collect();
	assert_eq!(
		measured,
		[
			("pcr3", "4a9329d69c836267b18abbf9f4a38889124490453419e426818626348d21f989dc930b1562682a9082887454e53425aa".into()),
			("pcr4", "d0531b1400dd43288c82c226c16bf647c637dd5e4d9b4f7a8aaadc6d6760b854a06c7008cca0d15ca80094dd33a65065".into()),
		]
	);
	let lenient = Policy { allow_debug: true, allow_cloud: true, ..Policy::default() };
	let nonce = claims.nonce;
	let found = failures(|checks| on_real(&document, &lenient, Some(&nonce), at(REAL_NOW), checks));
	assert_eq!(found, []);
	let found = failures(|checks| on_real(&document, &lenient, Some(&[1]), at(REAL_NOW), checks));
	assert_eq!(found, [failure(Check::Nonce, Fault::Mismatch)]);
}

#[test]
fn real_document_should_be_refused_outside_its_three_hours() {
	let Some(document) = real() else { return };
	let policy = Policy { allow_debug: true, allow_cloud: true, ..Policy::default() };
	let first = |now| {
		let mut checks = Checks::stop_at_first();
		on_real(&document, &policy, None, now, &mut checks).map(|_| ())
	};
	let (from, until) = (at("2023-09-18T14:37:09Z"), at("2023-09-18T17:37:12Z"));
	assert_eq!(first(from), Ok(()));
	assert_eq!(first(until), Ok(()));
	let early = failure(Check::CertificateDates(0), Fault::NotYetValid);
	assert_eq!(first(from - 1), Err(early));
	assert_eq!(first(until + 1), Err(failure(Check::CertificateDates(0), Fault::Expired)));
}

#[test]
fn real_document_should_be_refused_when_a_byte_is_flipped() {
	let Some(document) = real() else { return };
	let policy = Policy { allow_debug: true, allow_cloud: true, ..Policy::default() };
	let now = at(REAL_NOW);
	let len = document.len();
	let rest = (200..len - 98).step_by(3);
	for at in (0..200).chain(rest).chain(len - 98..len) {
		let mut bad = document.clone();
		bad[at] ^= 1;
		let found = refusal(|checks| on_real(&bad, &policy, None, now, checks));
		if at >= len - 96 {
			assert_eq!(found, failure(Check::ReportSignature, Fault::BadSignature), "{at}");
		}
		assert_eq!(found.check.side(), Side::Crypto, "{found} at {at}");
	}
	for keep in (0..len).step_by(37).chain([len - 1]) {
		let found = refusal(|checks| on_real(&document[..keep], &policy, None, now, checks));
		assert_eq!(found, failure(Check::Layout, Fault::Truncated), "{keep} bytes");
	}
	let longer = [&document[..], &[0]].concat();
	let found = refusal(|checks| on_real(&longer, &policy, None, now, checks));
	assert_eq!(found, failure(Check::Layout, Fault::TrailingBytes));
}
