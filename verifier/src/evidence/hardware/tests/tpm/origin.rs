//! Where an attestation key comes from: certified, or beside an endorsement key.

use super::{
	super::{
		super::{
			check::{Check, Checks, Failure, Fault},
			claims::IdentityKind,
			crypto::sha256,
			policy::{HexBytes, Policy},
			testing::{
				oid, sequence,
				tpm::{
					alt_name, attestation_spec, certified, chain, endorsed, endorsement_spec,
					name_of, policy_for, public_area, replaced, uncertified, QuoteSpec, ALT_NAME,
					ATTESTATION, ATTESTING, ENDORSEMENT, KEY_USAGE, PURPOSE, SEED,
				},
				CertSpec, Key, NOW,
			},
			tpm::{credential_nonce, verify, EndorsementBinding, KeyOrigin, TpmEvidence},
			Question,
		},
		common::{failure, failures},
	},
	fact,
};
use std::{vec, vec::Vec};

fn binding(fault: Fault) -> Vec<Failure> {
	vec![failure(Check::KeyBinding, fault)]
}

/// Failures of a quote of a certified key, with a policy that trusts its root.
fn certified_faults(evidence: &TpmEvidence) -> Vec<Failure> {
	let policy = Policy { allow_attestation_key: true, ..policy_for(evidence) };
	let question = Question::new(&policy, Some(b"nonce"), NOW);
	failures(|checks| verify(evidence, &question, checks))
}

/// Failures of a quote beside an endorsement key, with the defaults and trust in its root.
fn endorsed_faults(evidence: &TpmEvidence, nonce: &[u8]) -> Vec<Failure> {
	let policy = policy_for(evidence);
	let question = Question::new(&policy, Some(nonce), NOW);
	failures(|checks| verify(evidence, &question, checks))
}

#[test]
fn certified_key_should_hold_when_the_policy_accepts_such_identities() {
	let evidence = certified(&attestation_spec());
	let policy = Policy { allow_attestation_key: true, ..policy_for(&evidence) };
	let question = Question::new(&policy, Some(b"nonce"), NOW);
	let mut checks = Checks::stop_at_first();
	let claims = verify(&evidence, &question, &mut checks).unwrap();
	assert_eq!(claims.identity.kind, IdentityKind::TpmAttestationKey);
	assert_eq!(claims.identity.id, sha256(&Key::p256(5).spki()));
	assert!(!claims.identity.kind.names_box());
	assert_eq!(claims.valid.contains(NOW), Ok(()));
	assert_ne!(claims.valid.from, 0);
	assert_eq!(fact(&claims, "certificate-serial"), "78");
	for check in [Check::KeyBinding, Check::Root, Check::CertificateSignature(2)] {
		assert!(checks.passed().any(|passed| passed == check), "{check}");
	}
	let policy = policy_for(&evidence);
	let question = Question { policy: &policy, ..question };
	assert_eq!(
		failures(|checks| verify(&evidence, &question, checks)),
		[failure(Check::BoxIdentity, Fault::NotAccepted)]
	);
}

#[test]
fn certificate_should_be_of_this_attestation_key() {
	let key = Key::p256(6);
	let origin = KeyOrigin::Certified(chain(&attestation_spec(), &key));
	let evidence = TpmEvidence { origin, ..certified(&attestation_spec()) };
	assert_eq!(certified_faults(&evidence), binding(Fault::Mismatch));
}

#[test]
fn certificate_should_be_for_attestation_keys() {
	let refused = |id, value| {
		let spec = replaced(attestation_spec(), id, value);
		certified_faults(&certified(&spec))
	};
	assert_eq!(refused(PURPOSE, None), binding(Fault::NotAccepted));
	let endorsement = sequence(&[oid(ENDORSEMENT)]);
	assert_eq!(refused(PURPOSE, Some(endorsement)), binding(Fault::NotAccepted));
	assert_eq!(refused(PURPOSE, Some(vec![0x30, 0x03, 0x06])), binding(Fault::NotAccepted));
	// keyCertSign.
	let signs = vec![0x03, 0x02, 0x02, 0x04];
	assert_eq!(refused(KEY_USAGE, Some(signs)), binding(Fault::NotAccepted));
	assert_eq!(refused(KEY_USAGE, Some(vec![0x03])), binding(Fault::NotAccepted));
	assert_eq!(refused(KEY_USAGE, None), []);
}

#[test]
fn chain_should_end_in_a_trusted_root_at_this_instant() {
	let evidence = certified(&attestation_spec());
	let policy = Policy { allow_attestation_key: true, ..Policy::default() };
	let question = Question::new(&policy, Some(b"nonce"), NOW);
	assert_eq!(
		failures(|checks| verify(&evidence, &question, checks)),
		[failure(Check::Root, Fault::NotTrusted)]
	);
	let late = CertSpec { until: NOW - 1_000, ..attestation_spec() };
	assert_eq!(
		certified_faults(&certified(&late)),
		[failure(Check::CertificateDates(0), Fault::Expired)]
	);
	let mut swapped = certified(&attestation_spec());
	let KeyOrigin::Certified(chain) = &mut swapped.origin else { panic!("certified") };
	chain[0] = attestation_spec().sign(&Key::p256(5), &Key::p256(9));
	assert_eq!(
		certified_faults(&swapped),
		[failure(Check::CertificateSignature(0), Fault::BadSignature)]
	);
	let none = TpmEvidence { origin: KeyOrigin::Certified(vec![]), ..evidence };
	assert_eq!(certified_faults(&none), [failure(Check::CertificateLayout(0), Fault::Missing)]);
}

#[test]
fn revoked_certificate_or_key_should_be_refused() {
	let evidence = certified(&attestation_spec());
	let with = |serial: Option<u8>, id: Option<Vec<u8>>| {
		let policy = Policy {
			allow_attestation_key: true,
			revoked_serials: serial.map(|serial| HexBytes(vec![serial])).into_iter().collect(),
			revoked_ids: id.map(HexBytes).into_iter().collect(),
			..policy_for(&evidence)
		};
		let question = Question::new(&policy, Some(b"nonce"), NOW);
		failures(|checks| verify(&evidence, &question, checks))
	};
	let revoked = [failure(Check::Revocation, Fault::Revoked)];
	assert_eq!(with(Some(0x78), None), revoked);
	assert_eq!(with(Some(1), None), revoked, "the authority");
	assert_eq!(with(Some(0x79), None), []);
	assert_eq!(with(None, Some(sha256(&Key::p256(5).spki()).to_vec())), revoked);
}

#[test]
fn endorsed_key_should_hold_by_default() {
	let (evidence, nonce) = endorsed(&endorsement_spec(), ATTESTATION);
	let policy = policy_for(&evidence);
	let question = Question::new(&policy, Some(&nonce), NOW);
	let claims = verify(&evidence, &question, &mut Checks::stop_at_first()).unwrap();
	assert_eq!(claims.identity.kind, IdentityKind::TpmEndorsementKey);
	assert_eq!(claims.identity.id, sha256(&Key::other_rsa2048().spki()));
	assert!(claims.identity.kind.names_box());
	assert_eq!((claims.maker, &*claims.model), ("Infineon", "SLB9672"));
	assert_eq!(fact(&claims, "tpm-manufacturer"), "49465800");
	assert_eq!(fact(&claims, "tpm-version"), "id:00070055");
}

#[test]
fn endorsement_should_be_proved_by_a_credential() {
	let (evidence, nonce) = endorsed(&endorsement_spec(), ATTESTATION);
	let KeyOrigin::Endorsed(honest) = &evidence.origin else { panic!("endorsed") };
	let with_seed = |credential_seed| {
		let binding = EndorsementBinding { credential_seed, ..honest.clone() };
		TpmEvidence { origin: KeyOrigin::Endorsed(binding), ..evidence.clone() }
	};
	assert_eq!(endorsed_faults(&with_seed(None), &nonce), binding(Fault::Missing));
	assert_eq!(endorsed_faults(&with_seed(Some([1; 32])), &nonce), binding(Fault::Mismatch));
	// Freshness was not asked for: nobody knows whether the nonce was a secret.
	let policy = policy_for(&evidence);
	let question = Question::new(&policy, None, NOW);
	let unasked = failures(|checks| verify(&evidence, &question, checks));
	assert_eq!(unasked, binding(Fault::Missing));
}

#[test]
fn nonce_of_another_kind_should_prove_no_endorsement() {
	// A verifier that handed out "nonce" in clear.
	let (evidence, _) = endorsed(&endorsement_spec(), ATTESTATION);
	let quote = uncertified(&Key::p256(5), &QuoteSpec::new(b"nonce"));
	let TpmEvidence { attestation_key, origin, .. } = evidence;
	let evidence = TpmEvidence { attestation_key, origin, ..quote };
	assert_eq!(endorsed_faults(&evidence, b"nonce"), binding(Fault::Mismatch));
}

#[test]
fn credential_should_be_for_these_two_keys() {
	// The credential was for the key 5, which is in the TPM; another one signs.
	let (honest, nonce) = endorsed(&endorsement_spec(), ATTESTATION);
	let foreign = Key::p256(6);
	let quote = uncertified(&foreign, &QuoteSpec::new(&nonce));
	let evidence = TpmEvidence {
		attestation_key: public_area(&foreign, ATTESTATION),
		origin: honest.origin.clone(),
		..quote
	};
	assert_eq!(endorsed_faults(&evidence, &nonce), binding(Fault::Mismatch));
	// And for another endorsement key than the one whose certificate is shown.
	let ek_chain = chain(&endorsement_spec(), &Key::rsa2048());
	let origin = KeyOrigin::Endorsed(EndorsementBinding { ek_chain, credential_seed: Some(SEED) });
	let evidence = TpmEvidence { origin, ..honest };
	assert_eq!(endorsed_faults(&evidence, &nonce), binding(Fault::Mismatch));
}

#[test]
fn credential_nonce_should_depend_on_every_part() {
	let name = name_of(&[1]);
	let all = [
		credential_nonce(&SEED, &[1; 32], &name),
		credential_nonce(&[0; 32], &[1; 32], &name),
		credential_nonce(&SEED, &[2; 32], &name),
		credential_nonce(&SEED, &[1; 32], &name_of(&[2])),
	];
	for (at, one) in all.iter().enumerate() {
		assert!(all[..at].iter().all(|other| other != one));
	}
}

#[test]
fn name_should_need_the_public_area() {
	let (evidence, nonce) = endorsed(&endorsement_spec(), ATTESTATION);
	let evidence = TpmEvidence { attestation_key: Key::p256(5).spki(), ..evidence };
	assert_eq!(endorsed_faults(&evidence, &nonce), binding(Fault::Missing));
}

#[test]
fn attributes_should_be_those_of_an_attestation_key() {
	for (attribute, why) in [
		(1 << 1, "can be duplicated"),
		(1 << 4, "can be moved with its parent"),
		(1 << 5, "came from outside"),
		(1 << 16, "signs anything"),
		(1 << 18, "does not sign"),
	] {
		let (evidence, nonce) = endorsed(&endorsement_spec(), ATTESTATION & !attribute);
		assert_eq!(endorsed_faults(&evidence, &nonce), binding(Fault::NotAccepted), "{why}");
	}
	let (evidence, nonce) = endorsed(&endorsement_spec(), ATTESTATION | 1 << 17);
	assert_eq!(endorsed_faults(&evidence, &nonce), binding(Fault::NotAccepted), "decrypts");
}

#[test]
fn certificate_should_be_for_endorsement_keys() {
	let with = |spec: CertSpec| {
		let (evidence, nonce) = endorsed(&spec, ATTESTATION);
		endorsed_faults(&evidence, &nonce)
	};
	let purpose = |value| replaced(endorsement_spec(), PURPOSE, value);
	assert_eq!(with(purpose(None)), [], "older certificates");
	let nameless = replaced(purpose(None), ALT_NAME, None);
	assert_eq!(with(nameless), binding(Fault::NotAccepted));
	let attesting = sequence(&[oid(ATTESTING)]);
	assert_eq!(with(purpose(Some(attesting))), binding(Fault::NotAccepted));
	let signs = replaced(endorsement_spec(), KEY_USAGE, Some(vec![0x03, 0x02, 0x07, 0x80]));
	assert_eq!(with(signs), binding(Fault::NotAccepted));
	let agrees = replaced(endorsement_spec(), KEY_USAGE, Some(vec![0x03, 0x02, 0x03, 0x08]));
	assert_eq!(with(agrees), []);
}

#[test]
fn certificate_should_tell_virtual_and_software_tpms() {
	let named = |maker| replaced(endorsement_spec(), ALT_NAME, Some(alt_name(maker, "model")));
	let issued = |issuer| CertSpec { issuer, ..endorsement_spec() };
	let (cloud, none) = (IdentityKind::CloudInstance, IdentityKind::None);
	for (spec, kind) in [
		(named("474F4F47"), cloud),
		(named("4D534654"), cloud),
		(named("564D5700"), cloud),
		(issued("EK/AK CA Intermediate"), cloud),
		(issued("Global Virtual TPM CA - 01"), cloud),
		(named("49424D00"), none),
		(named("00001014"), none),
		(issued("swtpm-localca"), none),
	] {
		let (evidence, nonce) = endorsed(&spec, ATTESTATION);
		assert_eq!(
			endorsed_faults(&evidence, &nonce),
			[
				failure(Check::PhysicalTpm, Fault::NotAccepted),
				failure(Check::BoxIdentity, Fault::NotAccepted)
			]
		);
		let policy = Policy {
			allow_virtual_tpm: kind == cloud,
			allow_cloud: kind == cloud,
			allow_software_tpm: kind == none,
			allow_uncertified_tpm: kind == none,
			..policy_for(&evidence)
		};
		let question = Question::new(&policy, Some(&nonce), NOW);
		let claims = verify(&evidence, &question, &mut Checks::stop_at_first()).unwrap();
		assert_eq!(claims.identity.kind, kind);
		assert_eq!(claims.identity.id.is_empty(), kind == none);
	}
}

#[test]
fn names_should_be_read_leniently() {
	for damaged in [vec![], vec![0x30], vec![0x30, 0x80], vec![0x30, 0x02, 0xa4, 0x05]] {
		let spec = replaced(endorsement_spec(), ALT_NAME, Some(damaged));
		let (evidence, nonce) = endorsed(&spec, ATTESTATION);
		assert_eq!(endorsed_faults(&evidence, &nonce), []);
	}
}

#[test]
fn endorsement_keys_that_a_chip_has_besides_should_be_refused() {
	// Each would be another name of the same TPM.
	for ek in [Key::p256(6), Key::p384(6)] {
		let area = public_area(&Key::p256(5), ATTESTATION);
		let nonce = credential_nonce(&SEED, &sha256(&ek.spki()), &name_of(&area));
		let ek_chain = chain(&endorsement_spec(), &ek);
		let binding = EndorsementBinding { ek_chain, credential_seed: Some(SEED) };
		let quote = uncertified(&Key::p256(5), &QuoteSpec::new(&nonce));
		let evidence =
			TpmEvidence { attestation_key: area, origin: KeyOrigin::Endorsed(binding), ..quote };
		let policy = policy_for(&evidence);
		let question = Question::new(&policy, Some(&nonce), NOW);
		assert_eq!(
			failures(|checks| verify(&evidence, &question, checks)),
			[failure(Check::KeyBinding, Fault::UnknownAlgorithm)]
		);
	}
}
