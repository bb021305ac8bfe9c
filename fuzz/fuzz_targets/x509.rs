//! A certificate, its issuer's, and a revocation list.
#![no_main]

use armature_fuzz::{same_outcome, Asked, Input};
use armature_verifier::evidence::hardware::{
	check::{Check, Fault},
	crypto::sha256,
	policy::Policy,
	x509::{parse_chain, verify_chain, Certificate, ChainRules, Crl},
	Question,
};
use libfuzzer_sys::fuzz_target;

/// What can be read ends where its first element ends.
fn assert_exact(der: &[u8], read: impl Fn(&[u8]) -> Result<(), Fault>) {
	let longer = [der, &[0]].concat();
	assert!(matches!(read(&longer), Err(Fault::TrailingBytes | Fault::TooLarge)));
	if let Some((_, shorter)) = der.split_last() {
		assert_eq!(read(shorter), Err(Fault::Malformed));
	}
}

fn assert_certificate(der: &[u8]) {
	let Ok(certificate) = Certificate::parse(der) else { return };
	assert_exact(der, |bytes| Certificate::parse(bytes).map(|_| ()));
	assert_eq!(certificate.der, der);
	assert_eq!(certificate.sha256(), sha256(der));
	assert_eq!(certificate.spki_sha256(), sha256(certificate.spki()));
	assert_ne!(certificate.serial().first(), Some(&0));
	assert!(certificate.common_name().is_none_or(|name| name.len() <= der.len()));
	// DER has one encoding: the key stands in the certificate as it is.
	assert!(der.windows(certificate.spki().len()).any(|window| window == certificate.spki()));
	let _ = certificate.public_key();
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let (leaf, issuer, crl) = (input.field(), input.field(), input.field());
	assert_certificate(leaf);
	assert_certificate(issuer);

	let rules = ChainRules {
		authority: !asked.flag(2),
		root_dates: !asked.flag(3),
		..ChainRules::default()
	};
	let policy = Policy::default();
	let outcome = same_outcome(|checks| {
		let chain = [leaf, issuer];
		let chain = parse_chain(&chain, checks)?;
		verify_chain(&chain, rules, &Question::new(&policy, None, asked.now), checks)
	});
	if let Ok(window) = outcome {
		assert_eq!(window.contains(asked.now), Ok(()));
	}
	if let Err(failure) = outcome {
		assert!(failure.check.certificate().is_some_and(|at| at < 2), "{}", failure.check);
		assert_ne!(failure.check, Check::Root);
	}

	let Ok(list) = Crl::parse(crl) else { return };
	assert_exact(crl, |bytes| Crl::parse(bytes).map(|_| ()));
	let _ = list.window().contains(asked.now);
	for der in [leaf, issuer] {
		if let Ok(certificate) = Certificate::parse(der) {
			let revoked = list.revokes(&certificate);
			assert_eq!(list.verify(&certificate), list.verify(&certificate));
			assert_eq!(revoked, list.revokes(&certificate));
		}
	}
});
