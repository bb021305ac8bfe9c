//! TPM 2.0: evidence of our own making, every rule both ways; real evidence is in `vectors`.

mod origin;
mod vectors;

use super::{
	super::{
		check::{Check, Checks, Failure, Fault},
		claims::{Claims, Hex, IdentityKind, Window},
		crypto::{Hash, PublicKey, Scheme},
		policy::{HexBytes, Policy},
		testing::{
			tpm::{name_of, public_area, signature, sized, uncertified, QuoteSpec, ATTESTATION},
			Key, Seeded, NOW,
		},
		tpm::{
			attest::MAX_ATTEST_LEN,
			key::{MAX_KEY_LEN, MAX_SIGNATURE_LEN},
			verify, Attest, AttestationKey, Signature, TpmEvidence,
		},
		Question,
	},
	common::{failure, failures, refusal},
};
use proptest::prelude::*;
use rsa::{
	pss,
	signature::{RandomizedSigner, SignatureEncoding},
};
use sha2::Sha256;
use std::{collections::BTreeSet, format, string::String, vec, vec::Vec};

/// Accepts keys that nobody knows.
fn lenient() -> Policy {
	Policy { allow_uncertified_tpm: true, ..Policy::default() }
}

fn quote() -> TpmEvidence {
	uncertified(&Key::p256(5), &QuoteSpec::new(b"nonce"))
}

fn faults_under(evidence: &TpmEvidence, policy: &Policy) -> Vec<Failure> {
	let question = Question::new(policy, Some(b"nonce"), NOW);
	failures(|checks| verify(evidence, &question, checks))
}

fn faults(evidence: &TpmEvidence) -> Vec<Failure> {
	faults_under(evidence, &lenient())
}

fn accepted(evidence: &TpmEvidence) -> Claims {
	let policy = lenient();
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

/// Only the named fact's value.
fn fact(claims: &Claims, name: &str) -> String {
	let found = claims.facts.iter().find(|fact| fact.name == name);
	found.unwrap_or_else(|| panic!("no fact {name}")).value.clone()
}

#[test]
fn quote_should_hold_for_every_form_of_key_and_signature() {
	for key in [Key::rsa2048(), Key::p256(5)] {
		let area = public_area(&key, ATTESTATION);
		for attestation_key in [key.spki(), area.clone(), sized(&area)] {
			let evidence = uncertified(&key, &QuoteSpec::new(b"nonce"));
			accepted(&TpmEvidence { attestation_key, ..evidence });
		}
	}
	let key = Key::rsa2048();
	let evidence = uncertified(&key, &QuoteSpec::new(b"nonce"));
	let bare = evidence.signature[6..].to_vec();
	accepted(&TpmEvidence { signature: bare, ..evidence });
}

#[test]
fn pss_should_hold_with_salt_of_either_length() {
	let key = Key::rsa2048();
	let Key::Rsa(private) = &key else { panic!("an RSA key") };
	let evidence = uncertified(&key, &QuoteSpec::new(b"nonce"));
	let with_salt = |salt| {
		let mut rng = Seeded::new(1);
		let signer = pss::SigningKey::<Sha256>::new_with_salt_len(private.clone(), salt);
		let bytes = signer.sign_with_rng(&mut rng, &evidence.attest).to_vec();
		let signature = [&[0x00, 0x16, 0x00, 0x0b][..], &sized(&bytes)].concat();
		faults(&TpmEvidence { signature, ..evidence.clone() })
	};
	// The digest's length, and as much as fits.
	assert_eq!(with_salt(32), []);
	assert_eq!(with_salt(256 - 32 - 2), []);
	assert_eq!(with_salt(20), [failure(Check::ReportSignature, Fault::BadSignature)]);
}

#[test]
fn claims_should_say_what_the_quote_says() {
	let area = public_area(&Key::p256(5), ATTESTATION);
	let claims = accepted(&TpmEvidence { attestation_key: area.clone(), ..quote() });
	assert_eq!(claims.nonce, b"nonce");
	assert_eq!(claims.identity.kind, IdentityKind::None);
	assert!(claims.identity.id.is_empty());
	assert_eq!(claims.firmware, "0x0007005500114600");
	assert_eq!((claims.boot_count, claims.clock_millis), (Some(5), Some(3_600_001)));
	assert_eq!(claims.valid, Window::ALWAYS);
	let measured: Vec<_> = claims.measurements.iter().map(|m| (&*m.name, m.digest[0])).collect();
	assert_eq!(measured, [("pcr0", 0), ("pcr7", 7), ("pcr16", 16)]);
	assert_eq!(fact(&claims, "restart-count"), "2");
	assert_eq!(fact(&claims, "clock-safe"), "true");
	assert_eq!(fact(&claims, "tpm-kind"), "physical");
	assert_eq!(fact(&claims, "qualified-signer"), format!("000b{}", "51".repeat(32)));
	assert_eq!(fact(&claims, "attestation-key-name"), hex(&name_of(&area)));
	assert_eq!(fact(&claims, "attestation-key-attributes"), "0x00050072");
}

#[test]
fn every_check_should_be_listed_when_all_hold() {
	let policy = lenient();
	let question = Question::new(&policy, Some(b"nonce"), NOW);
	let mut checks = Checks::note_all();
	verify(&quote(), &question, &mut checks).unwrap();
	let passed: BTreeSet<_> = checks.passed().map(Check::name).collect();
	let expected = [
		"layout",
		"nonce",
		"pcr-digest",
		"report-signature",
		"physical-tpm",
		"box-identity",
		"measurement",
		"revocation",
	];
	assert_eq!(passed, expected.into());
}

#[test]
fn nonce_should_be_the_one_that_was_asked_for() {
	let mismatch = [failure(Check::Nonce, Fault::Mismatch)];
	for wrong in [b"nonc".as_slice(), b"another", b"", b"nonce "] {
		assert_eq!(faults(&uncertified(&Key::p256(5), &QuoteSpec::new(wrong))), mismatch);
	}
	let padded = [&b"nonce"[..], &[0; 59]].concat();
	accepted(&uncertified(&Key::p256(5), &QuoteSpec::new(&padded)));
}

#[test]
fn uncertified_key_should_be_refused_unless_allowed() {
	assert_eq!(
		faults_under(&quote(), &Policy::default()),
		[failure(Check::BoxIdentity, Fault::NotAccepted)]
	);
	assert_eq!(faults_under(&quote(), &lenient()), []);
}

#[test]
fn firmware_version_should_tell_software_and_virtual_tpms() {
	let kind = |firmware| {
		let quote = QuoteSpec { firmware, ..QuoteSpec::new(b"nonce") };
		let evidence = uncertified(&Key::p256(5), &quote);
		let all = Policy { allow_virtual_tpm: true, allow_software_tpm: true, ..lenient() };
		assert_eq!(faults_under(&evidence, &all), []);
		let software = Policy { allow_software_tpm: true, ..lenient() };
		let virtual_too = Policy { allow_virtual_tpm: true, ..lenient() };
		(
			faults(&evidence).is_empty(),
			faults_under(&evidence, &virtual_too).is_empty(),
			faults_under(&evidence, &software).is_empty(),
		)
	};
	let (physical, virtual_only, software) =
		((true, true, true), (false, true, false), (false, false, true));
	assert_eq!(kind(0x2019_1023_0016_3636), software, "libtpms");
	assert_eq!(kind(0x2016_0511_0016_2800), software, "the reference code");
	assert_eq!(kind(0x2020_0312_0012_0003), virtual_only, "Azure");
	assert_eq!(kind(0x0007_0055_0011_4600), physical, "Infineon");
	assert_eq!(kind(0x2019_1323_0000_0000), physical, "no month");
	assert_eq!(kind(0x2019_1000_0000_0000), physical, "no day");
	assert_eq!(kind(0x200a_1010_0000_0000), physical, "no year");
}

#[test]
fn software_tpm_should_be_named_when_refused() {
	let spec = QuoteSpec { firmware: 0x2019_1023_0016_3636, ..QuoteSpec::new(b"nonce") };
	let evidence = uncertified(&Key::p256(5), &spec);
	assert_eq!(faults(&evidence), [failure(Check::PhysicalTpm, Fault::NotAccepted)]);
}

#[test]
fn pcr_values_should_be_those_that_were_quoted() {
	let digest = |fault| vec![failure(Check::PcrDigest, fault)];
	let mut other = quote();
	other.pcrs.insert(7, vec![8; 32]);
	assert_eq!(faults(&other), digest(Fault::Mismatch));
	let mut missing = quote();
	missing.pcrs.remove(&16);
	assert_eq!(faults(&missing), digest(Fault::Missing));
	let mut more = quote();
	more.pcrs.insert(8, vec![8; 32]);
	assert!(accepted(&more).measurements.iter().all(|m| m.name != "pcr8"));
	let mut short = quote();
	short.pcrs.insert(7, vec![7; 20]);
	assert_eq!(faults(&short), layout(Fault::Malformed));
	let mut many = quote();
	many.pcrs.extend((0..33).map(|index| (index, vec![0; 32])));
	assert_eq!(faults(&many), layout(Fault::TooLarge));
}

#[test]
fn banks_should_be_one_of_sha256() {
	let with = |banks| {
		let quote = QuoteSpec { banks, ..QuoteSpec::new(b"nonce") };
		faults(&uncertified(&Key::p256(5), &quote))
	};
	let ours = (0x000b, vec![0x81, 0, 1]);
	assert_eq!(with(vec![(0x0004, vec![0, 0, 0]), ours.clone()]), [], "empty SHA-1 bank");
	assert_eq!(with(vec![(0x000b, vec![0x81, 0, 1, 0])]), [], "room for 32 registers");
	assert_eq!(
		with(vec![(0x0004, vec![1, 0, 0]), ours.clone()]),
		[failure(Check::PcrDigest, Fault::UnknownAlgorithm)]
	);
	assert_eq!(with(vec![ours.clone(), ours.clone()]), layout(Fault::Malformed));
	assert_eq!(with(vec![(0x000b, vec![])]), layout(Fault::Malformed));
	assert_eq!(with(vec![(0x000b, vec![0; 5])]), layout(Fault::Malformed));
	assert_eq!(with(vec![(0x0004, vec![0]); 17]), layout(Fault::TooLarge));
	let nothing = QuoteSpec { banks: vec![], pcrs: [].into(), ..QuoteSpec::new(b"nonce") };
	assert_eq!(accepted(&uncertified(&Key::p256(5), &nothing)).measurements, []);
}

#[test]
fn policy_should_compare_the_registers_that_it_names() {
	let with = |index, values: &[u8]| {
		let values = values.iter().map(|value| HexBytes(vec![*value; 32])).collect();
		faults_under(&quote(), &Policy { pcrs: [(index, values)].into(), ..lenient() })
	};
	assert_eq!(with(7, &[9, 7]), []);
	assert_eq!(with(7, &[9]), [failure(Check::Measurement, Fault::NotAccepted)]);
	assert_eq!(with(7, &[]), [failure(Check::Measurement, Fault::NotAccepted)]);
	assert_eq!(with(1, &[1]), [failure(Check::Measurement, Fault::Missing)], "not quoted");
	let mut given = quote();
	given.pcrs.insert(1, vec![1; 32]);
	let pcrs = [(1, vec![HexBytes(vec![1; 32])])].into();
	assert_eq!(
		faults_under(&given, &Policy { pcrs, ..lenient() }),
		[failure(Check::Measurement, Fault::Missing)],
		"given, but not quoted"
	);
}

#[test]
fn layout_should_be_refused_when_sizes_are_wrong() {
	let with = |change: fn(&mut TpmEvidence)| {
		let mut evidence = quote();
		change(&mut evidence);
		faults(&evidence)
	};
	assert_eq!(with(|e| e.attest.resize(MAX_ATTEST_LEN + 1, 0)), layout(Fault::TooLarge));
	assert_eq!(with(|e| e.attest.push(0)), layout(Fault::TrailingBytes));
	assert_eq!(with(|e| e.attest.clear()), layout(Fault::Truncated));
	assert_eq!(with(|e| e.attest[0] = 0xfe), layout(Fault::Malformed), "not from the TPM");
	// TPM_ST_ATTEST_CERTIFY.
	assert_eq!(with(|e| e.attest[5] = 0x17), layout(Fault::Malformed));
	assert_eq!(with(|e| e.attest[7] = 67), layout(Fault::TooLarge), "name");
	assert_eq!(with(|e| e.attest[43] = 65), layout(Fault::TooLarge), "extra data");
	assert_eq!(with(|e| e.attest[65] = 2), layout(Fault::Malformed), "safe");
	assert_eq!(with(|e| e.signature.resize(MAX_SIGNATURE_LEN + 1, 0)), layout(Fault::TooLarge));
	assert_eq!(with(|e| e.signature.push(0)), layout(Fault::TrailingBytes));
	assert_eq!(with(|e| e.signature.clear()), layout(Fault::Truncated));
	assert_eq!(with(|e| e.attestation_key.resize(MAX_KEY_LEN + 1, 0)), layout(Fault::TooLarge));
	assert_eq!(with(|e| e.attestation_key.push(0)), layout(Fault::Malformed));
	assert_eq!(with(|e| e.attestation_key.clear()), layout(Fault::Truncated));
}

#[test]
fn signature_should_be_of_a_kind_that_tpms_use() {
	let with = |bytes: Vec<u8>| faults(&TpmEvidence { signature: bytes, ..quote() });
	let half = sized(&[1; 32]);
	let ecdsa = |r: &[u8], s: &[u8]| [&[0x00, 0x18, 0x00, 0x0b][..], r, s].concat();
	let bad = [failure(Check::ReportSignature, Fault::BadSignature)];
	assert_eq!(with(ecdsa(&half, &half)), bad);
	assert_eq!(with(ecdsa(&sized(&[0; 32]), &half)), bad, "zero");
	assert_eq!(with(ecdsa(&half, &sized(&[1; 33]))), layout(Fault::TooLarge));
	let sha384 = [&[0x00, 0x18, 0x00, 0x0c][..], &half, &half].concat();
	assert_eq!(with(sha384), layout(Fault::UnknownAlgorithm));
	let ecdaa = [&[0x00, 0x1a, 0x00, 0x0b][..], &half, &half].concat();
	assert_eq!(with(ecdaa), layout(Fault::UnknownAlgorithm));
	let rsa = signature(&Key::rsa2048(), &quote().attest);
	assert_eq!(with(rsa), [failure(Check::ReportSignature, Fault::UnknownAlgorithm)]);
}

#[test]
fn ecdsa_should_hold_when_the_tpm_leaves_zeros_out() {
	// One number in 256 begins with a zero byte.
	let key = Key::p256(5);
	let short = (0u32..)
		.map(|at| QuoteSpec::new(&[&b"nonce"[..], &[0; 8]].concat()).firmware_with(at))
		.find_map(|spec| {
			let attest = spec.attest();
			let halves = key.sign_fixed(Hash::Sha256, &attest);
			(halves[0] == 0).then_some((attest, halves))
		});
	let (attest, halves) = short.unwrap();
	let signature =
		[&[0x00, 0x18, 0x00, 0x0b][..], &sized(&halves[1..32]), &sized(&halves[32..])].concat();
	accepted(&TpmEvidence { attest, signature, ..quote() });
}

impl QuoteSpec {
	fn firmware_with(mut self, low: u32) -> Self {
		self.firmware |= u64::from(low);
		self
	}
}

#[test]
fn key_should_be_rsa_or_p256_and_not_a_storage_key() {
	let with = |attestation_key| faults(&TpmEvidence { attestation_key, ..quote() });
	assert_eq!(with(Key::p384(1).spki()), layout(Fault::UnknownAlgorithm));
	let area = public_area(&Key::p256(5), ATTESTATION);
	let changed = |at: usize, value: u8| {
		let mut area = area.clone();
		area[at] = value;
		with(area)
	};
	assert_eq!(changed(1, 0x08), layout(Fault::UnknownAlgorithm), "a keyed hash");
	assert_eq!(changed(3, 0x04), layout(Fault::UnknownAlgorithm), "a SHA-1 name");
	assert_eq!(changed(11, 0x06), layout(Fault::Malformed), "AES: a storage key");
	assert_eq!(changed(13, 0x1a), layout(Fault::UnknownAlgorithm), "ECDAA");
	assert_eq!(changed(17, 0x04), layout(Fault::UnknownAlgorithm), "P-384");
	assert_eq!(changed(22, area[22] ^ 1), layout(Fault::Malformed), "no point");
	for len in 0..area.len() {
		assert!(AttestationKey::parse(&area[..len]).is_err(), "{len}");
	}
	let more = [&area[..], &[0]].concat();
	assert_eq!(with(more), layout(Fault::TrailingBytes));
}

#[test]
fn another_key_should_not_verify() {
	let bad = [failure(Check::ReportSignature, Fault::BadSignature)];
	let other = TpmEvidence { attestation_key: Key::p256(6).spki(), ..quote() };
	assert_eq!(faults(&other), bad);
	let rsa = uncertified(&Key::rsa2048(), &QuoteSpec::new(b"nonce"));
	let other = TpmEvidence { attestation_key: Key::other_rsa2048().spki(), ..rsa };
	assert_eq!(faults(&other), bad);
}

#[test]
fn every_flipped_bit_and_truncation_should_be_refused() {
	let policy = lenient();
	let question = Question::new(&policy, Some(b"nonce"), NOW);
	let refused = |evidence: &TpmEvidence| refusal(|checks| verify(evidence, &question, checks));
	let honest = quote();
	for at in 0..honest.attest.len() {
		for bit in 0..8 {
			let mut bad = honest.clone();
			bad.attest[at] ^= 1 << bit;
			let check = refused(&bad).check;
			let expected = [Check::Layout, Check::Nonce, Check::PcrDigest, Check::ReportSignature];
			assert!(expected.contains(&check), "{check} at byte {at}, bit {bit}");
		}
		let cut = TpmEvidence { attest: honest.attest[..at].to_vec(), ..honest.clone() };
		assert_eq!(refused(&cut), failure(Check::Layout, Fault::Truncated));
	}
	for at in 0..honest.signature.len() {
		for bit in 0..8 {
			let mut bad = honest.clone();
			bad.signature[at] ^= 1 << bit;
			let check = refused(&bad).check;
			assert!([Check::Layout, Check::ReportSignature].contains(&check), "{check} at {at}");
		}
		let cut = TpmEvidence { signature: honest.signature[..at].to_vec(), ..honest.clone() };
		assert_eq!(refused(&cut), failure(Check::Layout, Fault::Truncated));
	}
}

proptest! {
	#[test]
	fn parsers_should_end_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
		let _ = Attest::parse(&bytes);
		let _ = AttestationKey::parse(&bytes);
		let key = PublicKey::from_spki(&Key::rsa2048().spki()).unwrap();
		let _ = Signature::parse(&bytes, &key);
	}

	#[test]
	fn parsers_should_end_on_changed_evidence(
		at in 0usize..150, value: u8, field in 0usize..3, cut in 0usize..20,
	) {
		let mut evidence = quote();
		evidence.attestation_key = public_area(&Key::p256(5), ATTESTATION);
		let original = evidence.clone();
		let bytes = match field {
			0 => &mut evidence.attest,
			1 => &mut evidence.signature,
			_ => &mut evidence.attestation_key,
		};
		let at = at % bytes.len();
		bytes[at] = value;
		bytes.truncate(bytes.len() - cut);
		// The public area has unsigned fields, and is only the word of whoever sent it.
		if evidence != original && field < 2 {
			prop_assert!(!faults(&evidence).is_empty());
		}
	}

	#[test]
	fn quotes_should_be_read_back(
		extra_data in prop::collection::vec(any::<u8>(), 0..=64),
		firmware: u64,
		map in prop::collection::vec(any::<u8>(), 1..=4),
	) {
		let banks = vec![(0x000b, map.clone())];
		let spec = QuoteSpec { extra_data, firmware, banks, pcrs: [].into() };
		let bytes = spec.attest();
		let attest = Attest::parse(&bytes).unwrap();
		prop_assert_eq!(attest.extra_data, spec.extra_data);
		prop_assert_eq!(attest.firmware_version, firmware);
		let selected: Vec<u8> = (0..32)
			.filter(|index| map.get(*index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1))
			.map(|index| u8::try_from(index).unwrap())
			.collect();
		prop_assert_eq!(attest.selected, selected);
	}
}

#[test]
fn schemes_of_the_key_should_not_be_mixed() {
	// An X.509 style ECDSA signature is none of a TPM.
	let key = Key::p256(5);
	let der = key.sign(Scheme::Ecdsa(Hash::Sha256), &quote().attest);
	assert_eq!(faults(&TpmEvidence { signature: der, ..quote() }), layout(Fault::UnknownAlgorithm));
}
