//! Chains of our own making: every rule, both ways.

use super::{
	super::{
		check::{Check, Checks, Failure, Fault},
		claims::Window,
		crypto::{Hash, PublicKey, Scheme},
		policy::Policy,
		testing::{crl, CertSpec, Key, NOW},
		x509::{parse_chain, verify_chain, Certificate, ChainRules, Crl, MAX_CERTIFICATE_LEN},
		Question,
	},
	common::failure,
};
use std::{vec, vec::Vec};

fn root_spec() -> CertSpec {
	CertSpec::new("root", "root").authority()
}

fn middle_spec() -> CertSpec {
	CertSpec::new("middle", "root").authority()
}

fn leaf_spec() -> CertSpec {
	CertSpec::new("leaf", "middle")
}

fn chain_of(leaf: &CertSpec, middle: &CertSpec, root: &CertSpec) -> Vec<Vec<u8>> {
	let (leaf_key, middle_key, root_key) = (Key::p256(3), Key::p384(2), Key::rsa2048());
	vec![
		leaf.sign(&leaf_key, &middle_key),
		middle.sign(&middle_key, &root_key),
		root.sign(&root_key, &root_key),
	]
}

fn verified(chain: &[Vec<u8>], now: u64) -> Result<Window, Failure> {
	let mut checks = Checks::stop_at_first();
	let chain = parse_chain(chain, &mut checks)?;
	let policy = Policy::default();
	verify_chain(&chain, ChainRules::default(), &Question::new(&policy, None, now), &mut checks)
}

#[test]
fn chain_should_hold_across_key_kinds() {
	let window = verified(&chain_of(&leaf_spec(), &middle_spec(), &root_spec()), NOW).unwrap();
	assert!(window.from < NOW && NOW < window.until);
}

#[test]
fn chain_should_hold_with_pss_and_null_parameters() {
	let middle = CertSpec { scheme: Some(Scheme::RsaPss(Hash::Sha384)), ..middle_spec() };
	let leaf = CertSpec { null_parameters: true, ..leaf_spec() };
	let root = CertSpec { scheme: Some(Scheme::RsaPss(Hash::Sha384)), ..root_spec() };
	assert!(verified(&chain_of(&leaf, &middle, &root), NOW).is_ok());
}

#[test]
fn hash_should_follow_the_algorithm_and_not_the_curve() {
	let leaf = CertSpec { scheme: Some(Scheme::Ecdsa(Hash::Sha256)), ..leaf_spec() };
	assert!(verified(&chain_of(&leaf, &middle_spec(), &root_spec()), NOW).is_ok());
}

#[test]
fn dates_should_be_inclusive_on_both_sides() {
	let leaf = CertSpec { from: NOW, until: NOW + 1_000, ..leaf_spec() };
	let chain = chain_of(&leaf, &middle_spec(), &root_spec());
	assert_eq!(verified(&chain, NOW).unwrap(), Window { from: NOW, until: NOW + 1_000 });
	assert!(verified(&chain, NOW + 1_000).is_ok());
	let early = failure(Check::CertificateDates(0), Fault::NotYetValid);
	let late = failure(Check::CertificateDates(0), Fault::Expired);
	assert_eq!(verified(&chain, NOW - 1), Err(early));
	assert_eq!(verified(&chain, NOW + 1_001), Err(late));
}

#[test]
fn issuer_should_carry_the_flag() {
	let middle = CertSpec { ca: false, ..middle_spec() };
	assert_eq!(
		verified(&chain_of(&leaf_spec(), &middle, &root_spec()), NOW),
		Err(failure(Check::CertificateAuthority(1), Fault::NotAccepted))
	);
}

#[test]
fn path_length_should_bound_the_certificates_below() {
	// pathLenConstraint 0: a root that may issue leaves only.
	let constraints = vec![0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00];
	let root = CertSpec { ca: false, ..root_spec() }.with("2.5.29.19", constraints.clone());
	assert_eq!(
		verified(&chain_of(&leaf_spec(), &middle_spec(), &root), NOW),
		Err(failure(Check::CertificateAuthority(2), Fault::NotAccepted))
	);
	let middle = CertSpec { ca: false, ..middle_spec() }.with("2.5.29.19", constraints);
	assert!(verified(&chain_of(&leaf_spec(), &middle, &root_spec()), NOW).is_ok());
}

#[test]
fn key_usage_should_allow_signing_certificates() {
	let flag = vec![0x30, 0x03, 0x01, 0x01, 0xff];
	// digitalSignature alone.
	let middle = CertSpec { ca: false, ..middle_spec() }
		.with("2.5.29.19", flag)
		.with("2.5.29.15", vec![0x03, 0x02, 0x07, 0x80]);
	assert_eq!(
		verified(&chain_of(&leaf_spec(), &middle, &root_spec()), NOW),
		Err(failure(Check::CertificateAuthority(1), Fault::NotAccepted))
	);
}

#[test]
fn names_should_chain() {
	let leaf = CertSpec { issuer: "somebody", ..leaf_spec() };
	assert_eq!(
		verified(&chain_of(&leaf, &middle_spec(), &root_spec()), NOW),
		Err(failure(Check::CertificateIssuer(0), Fault::Mismatch))
	);
}

#[test]
fn links_should_be_signed_by_the_next() {
	let mut chain = chain_of(&leaf_spec(), &middle_spec(), &root_spec());
	chain[0] = leaf_spec().sign(&Key::p256(3), &Key::p384(9));
	assert_eq!(
		verified(&chain, NOW),
		Err(failure(Check::CertificateSignature(0), Fault::BadSignature))
	);
}

#[test]
fn empty_long_and_large_should_be_refused() {
	let none: [Vec<u8>; 0] = [];
	assert_eq!(verified(&none, NOW), Err(failure(Check::CertificateLayout(0), Fault::Missing)));
	let long = vec![leaf_spec().sign(&Key::p256(3), &Key::p384(2)); 9];
	assert_eq!(verified(&long, NOW), Err(failure(Check::CertificateLayout(0), Fault::TooLarge)));
	let large = vec![0u8; MAX_CERTIFICATE_LEN + 1];
	assert_eq!(Certificate::parse(&large).err(), Some(Fault::TooLarge));
}

#[test]
fn trailing_bytes_should_be_refused() {
	let mut der = root_spec().sign(&Key::p256(1), &Key::p256(1));
	der.push(0);
	assert_eq!(Certificate::parse(&der).err(), Some(Fault::TrailingBytes));
}

#[test]
fn every_flipped_bit_and_truncation_should_be_refused() {
	let (key, issuer) = (Key::p256(1), Key::p256(2));
	let der = leaf_spec().sign(&key, &issuer);
	let public = PublicKey::from_spki(&issuer.spki()).unwrap();
	let holds = |der: &[u8]| Certificate::parse(der).is_ok_and(|c| c.verify(&public).is_ok());
	assert!(holds(&der));
	for at in 0..der.len() {
		for bit in 0..8 {
			let mut bad = der.clone();
			bad[at] ^= 1 << bit;
			assert!(!holds(&bad), "byte {at}, bit {bit}");
		}
		assert!(!holds(&der[..at]), "{at} bytes");
	}
}

#[test]
fn revocation_list_should_speak_for_its_issuer() {
	let issuer_key = Key::p256(2);
	let issuer = root_spec().sign(&issuer_key, &issuer_key);
	let issuer = Certificate::parse(&issuer).unwrap();
	let listed = CertSpec { serial: vec![0x80, 7], ..leaf_spec() }.sign(&Key::p256(3), &issuer_key);
	let other = CertSpec { serial: vec![8], ..leaf_spec() }.sign(&Key::p256(3), &issuer_key);
	let der = crl("root", &issuer_key, NOW, NOW + 5_000, &[&[0x80, 7]]);
	let list = Crl::parse(&der).unwrap();
	assert_eq!(list.verify(&issuer), Ok(()));
	assert!(list.revokes(&Certificate::parse(&listed).unwrap()));
	assert!(!list.revokes(&Certificate::parse(&other).unwrap()));
	assert_eq!(list.window(), Window { from: NOW, until: NOW + 5_000 });

	let forged = crl("root", &Key::p256(4), NOW, NOW + 5_000, &[]);
	assert_eq!(Crl::parse(&forged).unwrap().verify(&issuer), Err(Fault::BadSignature));
	let foreign = crl("other", &issuer_key, NOW, NOW + 5_000, &[]);
	assert_eq!(Crl::parse(&foreign).unwrap().verify(&issuer), Err(Fault::Mismatch));
}

#[test]
fn unusual_keys_should_be_refused() {
	assert_eq!(
		PublicKey::rsa_from_parts(&[0xff; 128], &[1, 0, 1]),
		Err(Fault::UnknownAlgorithm),
		"1,024 bits"
	);
	assert_eq!(
		PublicKey::rsa_from_parts(&[0xff; 1_024], &[1, 0, 1]),
		Err(Fault::UnknownAlgorithm),
		"8,192 bits"
	);
	assert!(PublicKey::rsa_from_parts(&[0xff; 256], &[1, 0, 1]).is_ok());
	assert_eq!(
		PublicKey::rsa_from_parts(&[0xff; 256], &[2, 0, 1]),
		Err(Fault::UnknownAlgorithm),
		"an exponent of 18 bits"
	);
	assert_eq!(PublicKey::p256(&[4; 65]), Err(Fault::Malformed), "no point of the curve");
	assert_eq!(PublicKey::from_spki(&[0x30, 0]), Err(Fault::Malformed));
}
