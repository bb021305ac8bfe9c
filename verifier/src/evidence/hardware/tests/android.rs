//! Android Key Attestation: two real chains, and the same damaged.

pub(super) mod own;

use super::{
	super::{
		android::{verify, AndroidEvidence},
		check::{Check, Checks, Failure, Fault, Side},
		claims::{Claims, DebugStatus, IdentityKind, Window},
		policy::{HexBytes, Policy, SecurityLevel},
		Question,
	},
	common::{at, failure, failures, read, refusal, vectors},
};
use std::{format, path::Path, string::String, vec, vec::Vec};

/// An instant at which both real chains are valid.
const THEN: &str = "2020-01-01T00:00:00Z";

fn chain_of(vectors: &Path, name: &str) -> AndroidEvidence {
	let chain = (0..4)
		.map(|at| read(vectors, &format!("android/{name}/cert{at}.der")))
		.collect();
	AndroidEvidence { chain, revocation: None }
}

/// The defaults, but for keys that name no box.
fn strict() -> Policy {
	Policy { allow_android_key: true, ..Policy::default() }
}

/// Accepts the boot state of the real chains.
fn lenient() -> Policy {
	Policy { allow_unlocked_boot: true, allow_unverified_boot: true, ..strict() }
}

fn question(policy: &Policy, now: u64) -> Question<'_> {
	Question::new(policy, Some(b"abc"), now)
}

fn all(evidence: &AndroidEvidence, policy: &Policy, now: u64) -> Vec<Failure> {
	failures(|checks| verify(evidence, &question(policy, now), checks))
}

fn first(evidence: &AndroidEvidence, policy: &Policy, now: u64) -> Result<Claims, Failure> {
	verify(evidence, &question(policy, now), &mut Checks::stop_at_first())
}

fn fact<'a>(claims: &'a Claims, name: &str) -> Vec<&'a str> {
	claims
		.facts
		.iter()
		.filter(|fact| fact.name == name)
		.map(|f| f.value.as_str())
		.collect()
}

fn digest_of(hex: &str) -> Vec<u8> {
	super::super::policy::from_hex(hex).unwrap()
}

#[test]
fn real_tee_chain_should_hold_in_crypto_and_be_refused_for_its_boot() {
	let Some(vectors) = vectors() else { return };
	let evidence = chain_of(&vectors, "EC_TEE");
	let policy = strict();
	let mut checks = Checks::note_all();
	let claims = verify(&evidence, &question(&policy, at(THEN)), &mut checks).unwrap();
	assert_eq!(
		checks.failed(),
		[
			failure(Check::BootLocked, Fault::NotAccepted),
			failure(Check::VerifiedBoot, Fault::NotAccepted),
		]
	);
	assert!(checks.holds(Side::Crypto));
	assert_eq!(claims.nonce, b"abc");
	assert_eq!(claims.identity.kind, IdentityKind::AndroidTee);
	assert!(!claims.identity.kind.names_box());
	assert_eq!(claims.identity.id.len(), 32);
	let valid = Window { from: at("2018-03-21T20:58:58Z"), until: at("2026-05-24T16:28:52Z") };
	assert_eq!(claims.valid, valid);
	assert_eq!(claims.tcb, 201_907);
	assert_eq!(claims.debug, DebugStatus::Enabled);
	assert_eq!(claims.firmware, "os 0 patch 201907, vendor 201907, boot 201907");
	for (name, value) in [
		("attestation-version", "3"),
		("attestation-security-level", "trusted-environment"),
		("keymint-version", "4"),
		("keymint-security-level", "trusted-environment"),
		("unique-id", ""),
		("purpose", "sign, verify"),
		("algorithm", "ec"),
		("key-size", "256"),
		("digest", "sha-256"),
		("no-auth-required", "true"),
		("origin", "generated"),
		("device-locked", "false"),
		("verified-boot-state", "unverified"),
		("creation-date-time", "2018-07-12T07:43:45.477Z"),
		(
			"application-signature",
			"301aa3cb081134501c45f1422abc66c24224fd5ded5fdc8f17e697176fd866aa",
		),
		("revocation-list", "not given"),
	] {
		assert_eq!(fact(&claims, name), [value], "{name}");
	}
	let packages = fact(&claims, "application-package");
	assert_eq!((packages.len(), packages[0]), (13, "android 29"));
	assert_eq!(claims.measurements[0].digest, [0; 32]);
	assert_eq!(
		claims.measurements[1].digest,
		digest_of("728db1274f1f1cf1571de4380b048a554ac4a380e76f5355083529084a937801")
	);
	assert!(first(&evidence, &lenient(), at(THEN)).is_ok());
}

#[test]
fn real_strong_box_chain_should_be_refused_for_its_root_and_its_issuer() {
	let Some(vectors) = vectors() else { return };
	let evidence = chain_of(&vectors, "EC_StrongBox");
	let policy = Policy { min_android_level: SecurityLevel::StrongBox, ..strict() };
	let mut checks = Checks::note_all();
	let claims = verify(&evidence, &question(&policy, at(THEN)), &mut checks).unwrap();
	assert_eq!(
		checks.failed(),
		[
			failure(Check::Root, Fault::NotTrusted),
			failure(Check::CertificateIssuer(0), Fault::Mismatch),
			failure(Check::BootLocked, Fault::NotAccepted),
			failure(Check::VerifiedBoot, Fault::NotAccepted),
		]
	);
	let passed: Vec<_> = checks.passed().collect();
	for at in 0..4 {
		assert!(passed.contains(&Check::CertificateSignature(at)), "{at}");
	}
	assert_eq!(claims.identity.kind, IdentityKind::AndroidStrongBox);
	let valid = Window { from: at("2018-03-21T04:09:19Z"), until: at("2028-03-18T03:55:01Z") };
	assert_eq!(claims.valid, valid);
	assert_eq!(claims.firmware, "os 0 patch 201907, vendor 20190705, boot 20190700");
	assert_eq!(claims.tcb, 201_907);
	assert_eq!(fact(&claims, "creation-date-time"), ["2019-06-21T11:11:28.586Z"]);
	assert_eq!(fact(&claims, "keymint-security-level"), ["strong-box"]);
}

#[test]
fn real_chains_should_be_refused_outside_their_dates() {
	let Some(vectors) = vectors() else { return };
	let tee = chain_of(&vectors, "EC_TEE");
	let policy = lenient();
	let refused = |index, fault| Err(failure(Check::CertificateDates(index), fault));
	let (from, until) = (at("2018-03-21T20:58:58Z"), at("2026-05-24T16:28:52Z"));
	assert!(first(&tee, &policy, from).is_ok() && first(&tee, &policy, until).is_ok());
	assert_eq!(first(&tee, &policy, from - 1), refused(1, Fault::NotYetValid));
	// The root as Google published it in 2016 ends; Google issued its key a later certificate.
	assert_eq!(first(&tee, &policy, until + 1), refused(3, Fault::Expired));
	let last = all(&tee, &policy, at("2107-01-01T00:00:00Z"));
	let expired = |index| failure(Check::CertificateDates(index), Fault::Expired);
	assert_eq!(last, [expired(0), expired(1), expired(2), expired(3)]);
}

#[test]
fn real_chain_should_be_held_against_the_policy() {
	let Some(vectors) = vectors() else { return };
	let tee = chain_of(&vectors, "EC_TEE");
	let policy = Policy { min_android_level: SecurityLevel::StrongBox, ..lenient() };
	let weak = failure(Check::SecurityLevel, Fault::NotAccepted);
	assert_eq!(all(&tee, &policy, at(THEN)), [weak]);
	for (floor, expected) in [(201_907, None), (201_908, Some(Fault::NotAccepted))] {
		let policy = Policy { min_android_patch: floor, ..lenient() };
		let expected: Vec<_> =
			expected.into_iter().map(|fault| failure(Check::TcbLevel, fault)).collect();
		assert_eq!(all(&tee, &policy, at(THEN)), expected, "{floor}");
	}
	// cert1, and the root.
	for serial in ["13206311789638820911", "e8fa196314d2fa18"] {
		let revoked_serials = vec![HexBytes(digest_of(serial))];
		let policy = Policy { revoked_serials, ..lenient() };
		let revoked = failure(Check::Revocation, Fault::Revoked);
		assert_eq!(all(&tee, &policy, at(THEN)), [revoked], "{serial}");
	}
}

#[test]
fn real_chain_should_be_refused_for_another_nonce() {
	let Some(vectors) = vectors() else { return };
	let tee = chain_of(&vectors, "EC_TEE");
	let policy = lenient();
	for nonce in [b"abd".as_slice(), b"ab", b"abcd", b""] {
		let question = Question::new(&policy, Some(nonce), at(THEN));
		assert_eq!(
			failures(|checks| verify(&tee, &question, checks)),
			[failure(Check::Nonce, Fault::Mismatch)]
		);
	}
	let question = Question::new(&policy, None, at(THEN));
	assert!(verify(&tee, &question, &mut Checks::stop_at_first()).is_ok());
}

#[test]
fn real_chain_should_be_refused_when_the_list_has_it_in_either_notation() {
	let Some(vectors) = vectors() else { return };
	let sample = read(&vectors, "android/status.json");
	let mut tee = chain_of(&vectors, "EC_TEE");
	tee.revocation = Some(sample.clone());
	let claims = first(&tee, &lenient(), at(THEN)).unwrap();
	assert_eq!(fact(&claims, "revocation-list"), ["given"]);
	let mut strong_box = chain_of(&vectors, "EC_StrongBox");
	strong_box.revocation = Some(sample.clone());
	let refused = all(&strong_box, &lenient(), at(THEN));
	assert!(refused.iter().all(|f| !matches!(f.check, Check::CertificateRevocation(_))));

	let sample = String::from_utf8(sample).unwrap();
	for (old, serial, index) in [
		("6681152659205225093", "16787758474318772760", 3),
		("cc66e9a93713b6e643b26c15879786f7", "e8fa196314d2fa18", 3),
		("cc66e9a93713b6e643b26c15879786f7", "388266760658996857d", 2),
		("cc66e9a93713b6e643b26c15879786f7", "0388266760658996857D", 2),
		("8350192447815228107", "90322397604352912132369", 1),
	] {
		assert!(sample.contains(old));
		tee.revocation = Some(sample.replace(old, serial).into_bytes());
		let revoked = failure(Check::CertificateRevocation(index), Fault::Revoked);
		assert_eq!(all(&tee, &lenient(), at(THEN)), [revoked], "{serial}");
	}
}

#[test]
fn real_chain_should_be_refused_when_any_byte_is_flipped() {
	let Some(vectors) = vectors() else { return };
	let tee = chain_of(&vectors, "EC_TEE");
	let policy = lenient();
	for index in 0..tee.chain.len() {
		for at_byte in 0..tee.chain[index].len() {
			let mut bad = tee.clone();
			bad.chain[index][at_byte] ^= 1 << (at_byte % 8);
			let refused = refusal(|checks| verify(&bad, &question(&policy, at(THEN)), checks));
			// A certificate is held by its own signature, its subject and key by the one below.
			let right = match refused.check {
				Check::Layout | Check::Nonce => index == 0,
				Check::Root => index == 3,
				Check::CertificateAuthority(at) => usize::from(at) == index,
				check => check
					.certificate()
					.is_some_and(|at| [index, index.saturating_sub(1)].contains(&usize::from(at))),
			};
			assert!(right, "certificate {index}, byte {at_byte}: {refused}");
		}
	}
}

#[test]
fn real_chain_should_be_refused_when_cut_extended_or_out_of_order() {
	let Some(vectors) = vectors() else { return };
	let tee = chain_of(&vectors, "EC_TEE");
	let policy = lenient();
	let now = at(THEN);
	for index in 0..4u8 {
		let whole = &tee.chain[usize::from(index)];
		let layout = Check::CertificateLayout(index);
		for len in 0..whole.len() {
			let mut bad = tee.clone();
			bad.chain[usize::from(index)].truncate(len);
			assert_eq!(first(&bad, &policy, now), Err(failure(layout, Fault::Malformed)), "{len}");
		}
		let mut bad = tee.clone();
		bad.chain[usize::from(index)].push(0);
		assert_eq!(first(&bad, &policy, now), Err(failure(layout, Fault::TrailingBytes)));
	}
	let swapped = |a, b| {
		let mut bad = tee.clone();
		bad.chain.swap(a, b);
		first(&bad, &policy, now).unwrap_err()
	};
	assert_eq!(swapped(0, 1), failure(Check::Layout, Fault::Missing));
	assert_eq!(swapped(1, 2), failure(Check::CertificateIssuer(0), Fault::Mismatch));
	assert_eq!(swapped(2, 3), failure(Check::Root, Fault::NotTrusted));
	let without = |index| {
		let mut bad = tee.clone();
		bad.chain.remove(index);
		first(&bad, &policy, now).unwrap_err()
	};
	assert_eq!(without(0), failure(Check::Layout, Fault::Missing));
	assert_eq!(without(1), failure(Check::CertificateIssuer(0), Fault::Mismatch));
	assert_eq!(without(3), failure(Check::Root, Fault::NotTrusted));
	// A leaf under another chain of the same shape.
	let mut mixed = chain_of(&vectors, "EC_StrongBox");
	mixed.chain.splice(1.., tee.chain.iter().skip(1).cloned());
	assert_eq!(
		all(&mixed, &policy, now),
		[
			failure(Check::CertificateIssuer(0), Fault::Mismatch),
			failure(Check::CertificateSignature(0), Fault::BadSignature),
		]
	);
}
