//! Chains of our own making: every rule, both ways.

use super::{
	super::{
		super::{
			android::{verify, AndroidEvidence, MAX_CHALLENGE_LEN, MAX_STATUS_LEN},
			check::{Check, Checks, Failure, Fault},
			claims::{DebugStatus, IdentityKind},
			crypto::sha256,
			policy::{Digest256, HexBytes, Policy, SecurityLevel},
			testing::{
				android::{boot, field, leaf_spec, number, Description, EXTENSION},
				integer, octets, sequence, tlv, CertSpec, Key, NOW,
			},
			Question,
		},
		common::{failure, refusal},
	},
	all, fact, first, question,
};
use proptest::prelude::*;
use std::{format, string::String, sync::OnceLock, vec, vec::Vec};

/// The chain above a leaf, and the key that signs leaves.
fn issuers() -> (Vec<Vec<u8>>, Key) {
	static CHAIN: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
	let (root, middle, attestation) = (Key::rsa2048(), Key::p384(2), Key::p256(3));
	let make = || {
		vec![
			CertSpec {
				serial: vec![0x0a, 0xbc],
				..CertSpec::new("attestation", "middle").authority()
			}
			.sign(&attestation, &middle),
			CertSpec::new("middle", "root").authority().sign(&middle, &root),
			CertSpec::new("root", "root").authority().sign(&root, &root),
		]
	};
	(CHAIN.get_or_init(make).clone(), attestation)
}

fn evidence_of(leaf: &CertSpec) -> AndroidEvidence {
	let (mut chain, attestation) = issuers();
	chain.insert(0, leaf.sign(&Key::p256(4), &attestation));
	AndroidEvidence { chain, revocation: None }
}

fn evidence(description: &Description) -> AndroidEvidence {
	evidence_of(&leaf_spec(&description.encode()))
}

/// Evidence that holds, for those who have no interest in its parts.
pub(in super::super) fn specimen() -> AndroidEvidence {
	evidence(&Description::default())
}

/// Trusts our root; strict otherwise.
fn own_policy() -> Policy {
	let mut policy = Policy { allow_android_key: true, ..Policy::default() };
	policy.roots.android = vec![Digest256(sha256(&Key::rsa2048().spki()))];
	policy
}

fn refusals(description: &Description, policy: &Policy) -> Vec<Failure> {
	all(&evidence(description), policy, NOW)
}

#[test]
fn own_chain_should_be_accepted_in_every_version() {
	for version in [1, 2, 3, 4, 100, 200, 300, 400, 500] {
		let description = Description { version, ..Description::default() };
		let claims = first(&evidence(&description), &own_policy(), NOW).unwrap();
		assert_eq!(claims.identity.id, sha256(&Key::p256(4).spki()));
		assert_eq!(claims.debug, DebugStatus::Disabled);
		assert_eq!(claims.tcb, 202_512);
	}
	for version in [0, 5, 99, 101, 600] {
		let description = Description { version, ..Description::default() };
		let unknown = failure(Check::Layout, Fault::UnknownVersion(version));
		assert_eq!(refusals(&description, &own_policy()), [unknown]);
	}
}

#[test]
fn leaf_with_null_parameters_should_be_accepted() {
	let leaf = CertSpec { null_parameters: true, ..leaf_spec(&Description::default().encode()) };
	assert!(first(&evidence_of(&leaf), &own_policy(), NOW).is_ok());
}

#[test]
fn lower_of_both_levels_should_count() {
	let low = failure(Check::SecurityLevel, Fault::NotAccepted);
	let strong = Policy { min_android_level: SecurityLevel::StrongBox, ..own_policy() };
	for (levels, kind, expected, expected_strong) in [
		([2, 2], IdentityKind::AndroidStrongBox, vec![], vec![]),
		([2, 1], IdentityKind::AndroidTee, vec![], vec![low]),
		([1, 2], IdentityKind::AndroidTee, vec![], vec![low]),
		([0, 2], IdentityKind::None, vec![low], vec![low]),
		([1, 0], IdentityKind::None, vec![low], vec![low]),
	] {
		let description = Description { levels, ..Description::default() };
		assert_eq!(refusals(&description, &own_policy()), expected);
		assert_eq!(refusals(&description, &strong), expected_strong);
		let policy = own_policy();
		let claims =
			verify(&evidence(&description), &question(&policy, NOW), &mut Checks::note_all());
		assert_eq!(claims.unwrap().identity.kind, kind);
	}
}

#[test]
fn key_should_have_been_made_where_it_is() {
	for (origin, fault) in [(Some(2), Fault::NotAccepted), (None, Fault::Missing)] {
		let mut description = Description { origin, ..Description::default() };
		// What the operating system says does not help.
		description.software.push(field(702, &integer(&[0])));
		let expected = failure(Check::SecurityLevel, fault);
		assert_eq!(refusals(&description, &own_policy()), [expected]);
	}
}

#[test]
fn boot_should_be_locked_and_verified() {
	let unlocked = failure(Check::BootLocked, Fault::NotAccepted);
	let unverified = failure(Check::VerifiedBoot, Fault::NotAccepted);
	let any = Policy { allow_unlocked_boot: true, allow_unverified_boot: true, ..own_policy() };
	for (locked, state, expected) in [
		(0xff, 0, vec![]),
		(0x00, 0, vec![unlocked]),
		(0xff, 1, vec![unverified]),
		(0x00, 2, vec![unlocked, unverified]),
		(0xff, 3, vec![unverified]),
	] {
		let root_of_trust = Some(boot(locked, state, true));
		let description = Description { root_of_trust, ..Description::default() };
		assert_eq!(refusals(&description, &own_policy()), expected);
		assert_eq!(refusals(&description, &any), []);
	}
	let malformed = failure(Check::Layout, Fault::Malformed);
	for (locked, state) in [(0x01, 0), (0xff, 4)] {
		let root_of_trust = Some(boot(locked, state, true));
		let description = Description { root_of_trust, ..Description::default() };
		assert_eq!(refusals(&description, &any), [malformed]);
	}
}

#[test]
fn root_of_trust_should_be_the_hardwares() {
	let software = vec![field(704, &boot(0xff, 0, true))];
	let description = Description { root_of_trust: None, software, ..Description::default() };
	assert_eq!(
		refusals(&description, &own_policy()),
		[failure(Check::BootLocked, Fault::Missing), failure(Check::VerifiedBoot, Fault::Missing),]
	);
}

#[test]
fn every_patch_level_should_reach_the_floor() {
	let policy = Policy { min_android_patch: 202_512, ..own_policy() };
	let old = vec![failure(Check::TcbLevel, Fault::NotAccepted)];
	let missing = vec![failure(Check::TcbLevel, Fault::Missing)];
	let (os, vendor, boot) = (Some(202_512), Some(20_251_205), Some(20_251_201));
	for (version, patches, expected) in [
		(300, [os, vendor, boot], vec![]),
		(300, [os, os, os], vec![]),
		(300, [Some(202_511), vendor, boot], old.clone()),
		(300, [os, Some(20_251_130), boot], old.clone()),
		(300, [os, vendor, Some(20_251_100)], old.clone()),
		(300, [os, vendor, Some(0)], old.clone()),
		(300, [Some(9_999_999), vendor, boot], old.clone()),
		(300, [Some(u32::MAX), vendor, boot], old),
		(300, [None, vendor, boot], missing.clone()),
		(3, [os, None, boot], missing.clone()),
		(300, [os, vendor, None], missing.clone()),
		// The earliest versions have the system's level alone.
		(2, [os, None, None], vec![]),
		(2, [None, None, None], missing),
	] {
		let description = Description { version, patches, ..Description::default() };
		assert_eq!(refusals(&description, &policy), expected, "{version} {patches:?}");
		assert_eq!(refusals(&description, &own_policy()), []);
	}
}

#[test]
fn descriptions_of_another_form_should_be_refused() {
	let good = Description::default();
	let layout = |description: Vec<u8>, fault| {
		let evidence = evidence_of(&leaf_spec(&description));
		assert_eq!(all(&evidence, &own_policy(), NOW), [failure(Check::Layout, fault)]);
	};
	layout([good.encode(), vec![0]].concat(), Fault::TrailingBytes);
	layout(Vec::new(), Fault::Malformed);
	let twice = vec![field(702, &integer(&[0]))];
	layout(Description { hardware: twice, ..good.clone() }.encode(), Fault::Malformed);
	let unwrapped = vec![integer(&[1])];
	layout(Description { hardware: unwrapped, ..good.clone() }.encode(), Fault::Malformed);
	let double = vec![field(705, &[number(1), number(2)].concat())];
	layout(Description { hardware: double, ..good.clone() }.encode(), Fault::Malformed);
	layout(Description { levels: [1, 3], ..good.clone() }.encode(), Fault::Malformed);
	let challenge = vec![1; MAX_CHALLENGE_LEN + 1];
	layout(Description { challenge, ..good.clone() }.encode(), Fault::TooLarge);
	let no_extension = evidence_of(&CertSpec::new("Android Keystore Key", "attestation"));
	assert_eq!(all(&no_extension, &own_policy(), NOW), [failure(Check::Layout, Fault::Missing)]);
	// Fields that later versions may add are passed over.
	let unknown = vec![field(724, &octets(&[1])), field(5_000, &octets(&[1]))];
	assert_eq!(refusals(&Description { hardware: unknown, ..good }, &own_policy()), []);
}

#[test]
fn longest_challenge_should_be_compared_whole() {
	let challenge = vec![1; MAX_CHALLENGE_LEN];
	let evidence =
		evidence(&Description { challenge: challenge.clone(), ..Description::default() });
	let policy = own_policy();
	let question = Question::new(&policy, Some(&challenge), NOW);
	assert!(verify(&evidence, &question, &mut Checks::stop_at_first()).is_ok());
	let question = Question { nonce: Some(&challenge[1..]), ..question };
	assert_eq!(
		refusal(|checks| verify(&evidence, &question, checks)),
		failure(Check::Nonce, Fault::Mismatch)
	);
}

#[test]
fn attested_key_should_not_issue() {
	// The owner of an attested key signs a leaf that claims to be elsewhere; even a CA flag, which
	// no keystore would write, does not help.
	let (mut chain, attestation) = issuers();
	let (attested, forged) = (Key::p256(4), Key::p256(5));
	let lie = Description { levels: [2, 2], ..Description::default() }.encode();
	for (flag, times) in [(true, 1), (false, 2)] {
		let spec = leaf_spec(&Description::default().encode());
		let spec = if flag { spec.authority() } else { spec };
		chain.insert(0, spec.sign(&attested, &attestation));
		chain.insert(
			0,
			CertSpec::new("forged", "Android Keystore Key")
				.with(EXTENSION, lie.clone())
				.sign(&forged, &attested),
		);
		let refused = failure(Check::CertificateAuthority(1), Fault::NotAccepted);
		let evidence = AndroidEvidence { chain: chain.clone(), revocation: None };
		assert_eq!(all(&evidence, &own_policy(), NOW), vec![refused; times]);
		chain.drain(..2);
	}
}

#[test]
fn another_root_should_not_be_trusted() {
	let policy = Policy { allow_android_key: true, ..Policy::default() };
	assert_eq!(
		all(&evidence(&Description::default()), &policy, NOW),
		[failure(Check::Root, Fault::NotTrusted)]
	);
}

#[test]
fn keys_should_be_accepted_as_such_only_where_no_box_is_asked_for() {
	let policy = Policy { allow_android_key: false, ..own_policy() };
	assert_eq!(
		refusals(&Description::default(), &policy),
		[failure(Check::BoxIdentity, Fault::NotAccepted)]
	);
}

#[test]
fn lists_should_be_read_as_a_whole() {
	let mut evidence = evidence(&Description::default());
	let mut judged = |list: &str| {
		evidence.revocation = Some(list.as_bytes().to_vec());
		all(&evidence, &own_policy(), NOW)
	};
	let revoked = [failure(Check::CertificateRevocation(1), Fault::Revoked)];
	let malformed = [failure(Check::CertificateRevocation(0), Fault::Malformed)];
	assert_eq!(judged(r#"{"entries":{}}"#), []);
	assert_eq!(judged(r#"{"x":[{"abc":1}],"entries":{"abd":{"status":"REVOKED"}}}"#), []);
	for key in ["abc", "ABC", "0abc", "0xabc", "2748"] {
		assert_eq!(judged(&format!(r#"{{"entries":{{"{key}":{{"status":"X"}}}}}}"#)), revoked);
	}
	// A second mention cannot take the first back.
	assert_eq!(judged(r#"{"entries":{"abc":{},"abc":null},"entries":{}}"#), revoked);
	for list in ["", "{}", "[]", r#"{"entries":[]}"#, r#"{"entries":{}} x"#, r#"{"entries":{"abc"#]
	{
		assert_eq!(judged(list), malformed, "{list}");
	}
	assert_eq!(judged(r#"{"entries":{"a b":{}}}"#), malformed);
	let deep = format!(r#"{{"a":{}}}"#, "[".repeat(100_000));
	assert_eq!(judged(&deep), malformed);
	assert_eq!(judged(&" ".repeat(MAX_STATUS_LEN + 1)), [failure(Check::Layout, Fault::TooLarge)]);
}

#[test]
fn revoked_key_should_be_refused() {
	let revoked_ids = vec![HexBytes(sha256(&Key::p256(4).spki()).to_vec())];
	let policy = Policy { revoked_ids, ..own_policy() };
	assert_eq!(
		all(&evidence(&Description::default()), &policy, NOW),
		[failure(Check::Revocation, Fault::Revoked)]
	);
}

#[test]
fn facts_should_tell_what_is_unreadable() {
	let package = sequence(&[octets("a\u{fffd}".as_bytes()), number(1)]);
	let id = sequence(&[tlv(0x31, &package), tlv(0x31, &octets(&[1, 2]))]);
	for (id, package, unreadable) in
		[(id, vec!["a\u{fffd} 1"], vec![]), (vec![1], vec![], vec!["unreadable"])]
	{
		let software = vec![field(709, &octets(&id))];
		let hardware = vec![
			field(1, &tlv(0x31, &[number(2), number(99)].concat())),
			field(716, &octets(b"Maker")),
			field(717, &octets(b"Phone 1")),
		];
		let description = Description { software, hardware, ..Description::default() };
		let claims = first(&evidence(&description), &own_policy(), NOW).unwrap();
		assert_eq!(fact(&claims, "application-package"), package);
		assert_eq!(fact(&claims, "application-id"), unreadable);
		assert_eq!(fact(&claims, "purpose"), ["sign, 99"]);
		assert_eq!(claims.model, "Maker Phone 1");
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(200))]

	#[test]
	fn any_description_should_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
		let evidence = evidence_of(&leaf_spec(&bytes));
		let _ = all(&evidence, &own_policy(), NOW);
	}

	#[test]
	fn damaged_descriptions_should_end_without_a_better_key(
		at_byte in any::<prop::sample::Index>(),
		value in any::<u8>(),
	) {
		let weak = Description { levels: [0, 0], ..Description::default() };
		let mut bytes = weak.encode();
		let at_byte = at_byte.index(bytes.len());
		bytes[at_byte] = value;
		// Signed as it is: one byte cannot raise both levels.
		prop_assert!(!all(&evidence_of(&leaf_spec(&bytes)), &own_policy(), NOW).is_empty());
	}

	#[test]
	fn any_chain_should_end(
		chain in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..10),
		revocation in prop::option::of("\\PC{0,80}"),
	) {
		let revocation = revocation.map(|text: String| text.into_bytes());
		let evidence = AndroidEvidence { chain, revocation };
		prop_assert!(!all(&evidence, &own_policy(), NOW).is_empty());
	}
}
