//! Against a TPM in software. It is a real one in all but that nobody vouches for it.

mod swtpm;

use super::*;
use crate::testing::Tree;
use armature_verifier::evidence::hardware::{
	self,
	tpm::{credential_nonce, EndorsementBinding, KeyOrigin, TpmEvidence},
	x509::Certificate,
	Check, Checks, Failure, Fault, HardwareEvidence, Policy, Question,
};
use swtpm::Swtpm;
use tss_esapi::{
	attributes::NvIndexAttributesBuilder,
	handles::PcrHandle,
	interface_types::resource_handles::Provision,
	structures::{Auth, Digest, DigestValues, MaxNvBuffer, NvPublic},
};

const NONCE: [u8; 32] = [5; 32];

/// Now: certificates of the tests are made as they run.
fn now() -> u64 {
	let since = std::time::UNIX_EPOCH.elapsed().unwrap();
	u64::try_from(since.as_millis()).unwrap()
}

/// What the verifier takes.
fn given(evidence: PlatformEvidence) -> TpmEvidence {
	let PlatformEvidence::Tpm { attest, signature, pcrs, attestation_key, origin } = evidence
	else {
		panic!("not TPM evidence")
	};
	TpmEvidence {
		attest: attest.to_vec(),
		signature: signature.to_vec(),
		pcrs: pcrs.iter().map(|pcr| (pcr.index, pcr.value.to_vec())).collect(),
		attestation_key: attestation_key.to_vec(),
		origin: match origin {
			TpmOrigin::Unknown => KeyOrigin::Unknown,
			TpmOrigin::Certified(chain) => {
				KeyOrigin::Certified(chain.iter().map(|der| der.to_vec()).collect())
			},
		},
	}
}

/// All that fails.
fn failures(evidence: &TpmEvidence, policy: &Policy, nonce: &[u8]) -> Vec<Failure> {
	let question = Question::new(policy, Some(nonce), now());
	let mut checks = Checks::note_all();
	let evidence = HardwareEvidence::Tpm(evidence.clone());
	// What ends the verification is noted too.
	let _ = hardware::verify(&evidence, &question, &mut checks);
	checks.failed().to_vec()
}

fn lenient() -> Policy {
	Policy { allow_software_tpm: true, allow_uncertified_tpm: true, ..Policy::default() }
}

fn evidence(swtpm: &Swtpm) -> TpmEvidence {
	given(swtpm.open().evidence(&NONCE, &Pool::default()).unwrap())
}

#[test]
fn quote_should_hold_and_be_refused_by_default() {
	let Some(swtpm) = Swtpm::start() else { return };
	let evidence = evidence(&swtpm);
	assert_eq!(failures(&evidence, &lenient(), &NONCE), []);
	let refused = failures(&evidence, &Policy::default(), &NONCE);
	let checks: Vec<Check> = refused.iter().map(|failure| failure.check).collect();
	assert_eq!(checks, [Check::PhysicalTpm, Check::BoxIdentity]);
	assert!(refused.iter().all(|failure| failure.fault == Fault::NotAccepted));
}

#[test]
fn quote_should_be_refused_when_anything_is_changed() {
	let Some(swtpm) = Swtpm::start() else { return };
	let evidence = evidence(&swtpm);
	let only = |evidence: &TpmEvidence, nonce: &[u8]| match failures(evidence, &lenient(), nonce)[..]
	{
		[Failure { check, fault, .. }] => (check, fault),
		ref other => panic!("{other:?}"),
	};
	assert_eq!(only(&evidence, &[6; 32]), (Check::Nonce, Fault::Mismatch));
	let mut changed = evidence.clone();
	changed.pcrs.insert(7, vec![1; 32]);
	assert_eq!(only(&changed, &NONCE), (Check::PcrDigest, Fault::Mismatch));
	let mut changed = evidence.clone();
	*changed.signature.last_mut().unwrap() ^= 1;
	assert_eq!(only(&changed, &NONCE), (Check::ReportSignature, Fault::BadSignature));
	let mut changed = evidence;
	changed.attest[20] ^= 1;
	assert_eq!(only(&changed, &NONCE), (Check::ReportSignature, Fault::BadSignature));
}

#[test]
fn quote_should_follow_the_registers() {
	let Some(swtpm) = Swtpm::start() else { return };
	let before = evidence(&swtpm);
	let mut tpm = swtpm.open();
	let mut extension = DigestValues::new();
	extension.set(HashingAlgorithm::Sha256, Digest::try_from(vec![1; 32]).unwrap());
	tpm.context
		.execute_with_session(Some(AuthSession::Password), |context| {
			context.pcr_extend(PcrHandle::Pcr7, extension)
		})
		.unwrap();
	drop(tpm);
	let after = evidence(&swtpm);
	assert_ne!(before.pcrs[&7], after.pcrs[&7]);
	assert_eq!(before.pcrs[&0], after.pcrs[&0]);
	assert_eq!(failures(&after, &lenient(), &NONCE), []);
	let stale = TpmEvidence { pcrs: before.pcrs, ..after };
	let refused = failures(&stale, &lenient(), &NONCE);
	assert_eq!(refused.len(), 1);
	assert_eq!(refused[0].check, Check::PcrDigest);
}

#[test]
fn attestation_key_should_stay_the_same_and_be_bound_to_its_tpm() {
	let (Some(one), Some(other)) = (Swtpm::start(), Swtpm::start()) else { return };
	let area = |swtpm: &Swtpm| swtpm.open().attestation_key_area().unwrap();
	assert_eq!(area(&one), area(&one));
	assert_ne!(area(&one), area(&other));
	let key = AttestationKey::parse(&area(&one)).unwrap();
	assert!(key.area.unwrap().is_attestation_key());
}

#[test]
fn one_open_tpm_should_quote_many_times() {
	let Some(swtpm) = Swtpm::start() else { return };
	let mut tpm = swtpm.open();
	// A TPM has room for three keys.
	for round in 0..8u8 {
		let quote = tpm.quote(&[round; 32]).unwrap();
		let evidence = given(quote.into_evidence(TpmOrigin::Unknown).unwrap());
		assert_eq!(failures(&evidence, &lenient(), &[round; 32]), [], "{round}");
	}
	assert!(matches!(tpm.quote(&[0; 33]), Err(TpmError::TooLong(33))));
}

#[test]
fn endorsement_certificate_should_be_read_without_what_follows_it() {
	let Some(swtpm) = Swtpm::start() else { return };
	let mut tpm = swtpm.open();
	assert_eq!(tpm.endorsement_certificate(EndorsementKey::Rsa2048).unwrap(), None);
	// Longer than one read, and with what makers leave behind the end.
	let mut certificate = vec![0x30, 0x82, 0x07, 0x00];
	certificate.extend((0..0x700u32).map(|at| u8::try_from(at % 251).unwrap()));
	store(&mut tpm, 0x01c0_000a, &[&certificate[..], &[0xff; 64]].concat());
	assert_eq!(tpm.endorsement_certificate(EndorsementKey::P256).unwrap(), Some(certificate));
	assert_eq!(tpm.endorsement_certificate(EndorsementKey::Rsa2048).unwrap(), None);
	store(&mut tpm, 0x01c0_0002, &[0xff; 16]);
	let read = tpm.endorsement_certificate(EndorsementKey::Rsa2048);
	assert!(matches!(read, Err(TpmError::Malformed("certificate"))));
}

/// Puts bytes into an index, as makers do.
fn store(tpm: &mut Tpm, index: u32, bytes: &[u8]) {
	let attributes = NvIndexAttributesBuilder::new()
		.with_owner_write(true)
		.with_owner_read(true)
		.with_auth_read(true)
		.with_no_da(true)
		.build()
		.unwrap();
	let public = NvPublic::builder()
		.with_nv_index(NvIndexTpmHandle::new(index).unwrap())
		.with_index_name_algorithm(HashingAlgorithm::Sha256)
		.with_index_attributes(attributes)
		.with_data_area_size(bytes.len())
		.build()
		.unwrap();
	tpm.context.execute_with_session(Some(AuthSession::Password), |context| {
		let handle = context.nv_define_space(Provision::Owner, None, public).unwrap();
		for (number, part) in bytes.chunks(512).enumerate() {
			let buffer = MaxNvBuffer::try_from(part.to_vec()).unwrap();
			let offset = u16::try_from(number * 512).unwrap();
			context.nv_write(NvAuth::Owner, handle, buffer, offset).unwrap();
		}
	});
}

/// Makes a credential in the TPM itself; only public parts go into it.
fn credential(tpm: &mut Tpm, key: EndorsementKey, content: &[u8]) -> (Vec<u8>, Vec<u8>) {
	let (attestation, _) = tpm.attestation_key().unwrap();
	let (_, name, _) = tpm.context.read_public(attestation).unwrap();
	let endorsement = tpm.endorsement_key(key).unwrap();
	let content = Digest::try_from(content.to_vec()).unwrap();
	let (blob, secret) = tpm.context.make_credential(endorsement, content, name).unwrap();
	tpm.context.flush_context(endorsement.into()).unwrap();
	(blob.value().to_vec(), secret.value().to_vec())
}

#[test]
fn credential_should_open_only_where_both_keys_are() {
	let (Some(one), Some(other)) = (Swtpm::start(), Swtpm::start()) else { return };
	for key in [EndorsementKey::Rsa2048, EndorsementKey::P256] {
		let mut tpm = one.open();
		let (blob, secret) = credential(&mut tpm, key, &NONCE);
		assert_eq!(tpm.activate_credential(key, &blob, &secret).unwrap(), NONCE);
		// Again: nothing stays loaded.
		for _ in 0..4 {
			assert_eq!(tpm.activate_credential(key, &blob, &secret).unwrap(), NONCE);
		}
		let refused = other.open().activate_credential(key, &blob, &secret);
		assert!(matches!(refused, Err(TpmError::Command { doing: "open the credential", .. })));
		let mut changed = blob.clone();
		*changed.last_mut().unwrap() ^= 1;
		for _ in 0..4 {
			assert!(tpm.activate_credential(key, &changed, &secret).is_err());
		}
		assert_eq!(tpm.activate_credential(key, &blob, &secret).unwrap(), NONCE);
	}
}

#[test]
fn quote_should_be_bound_to_a_certified_endorsement_key() {
	let Some(swtpm) = Swtpm::start_certified() else { return };
	let mut tpm = swtpm.open();
	let leaf = tpm.endorsement_certificate(EndorsementKey::Rsa2048).unwrap().unwrap();
	let authority = swtpm.authority_with(&leaf);
	let ek_chain = authority.chain(|certificate| certificate.der == leaf).unwrap();
	assert_eq!(ek_chain.len(), 3, "leaf, authority, root");
	let leaf = Certificate::parse(&ek_chain[0]).unwrap();
	let root = Certificate::parse(&ek_chain[2]).unwrap();

	// The certificate is that of the key that credentials are made for.
	let endorsement = tpm.endorsement_key(EndorsementKey::Rsa2048).unwrap();
	let (public, ..) = tpm.context.read_public(endorsement).unwrap();
	tpm.context.flush_context(endorsement.into()).unwrap();
	let Public::Rsa { unique, .. } = public else { panic!("not RSA") };
	assert!(leaf.spki().windows(256).any(|part| part == unique.value()));

	let area = tpm.attestation_key_area().unwrap();
	let name = AttestationKey::parse(&area).unwrap().area.unwrap().name;
	let seed = [3; 32];
	let nonce = credential_nonce(&seed, &leaf.spki_sha256(), &name);
	let (blob, secret) = credential(&mut tpm, EndorsementKey::Rsa2048, &nonce);
	let opened = tpm.activate_credential(EndorsementKey::Rsa2048, &blob, &secret).unwrap();
	let quote = tpm.quote(&opened).unwrap();
	let mut evidence = given(quote.into_evidence(TpmOrigin::Unknown).unwrap());
	evidence.origin = KeyOrigin::Endorsed(EndorsementBinding {
		ek_chain: ek_chain.clone(),
		credential_seed: Some(seed),
	});
	let mut policy = lenient();
	policy.roots.tpm.push(hardware::policy::Digest256(root.sha256()));
	assert_eq!(failures(&evidence, &policy, &nonce), []);
	policy.allow_software_tpm = false;
	let refused = failures(&evidence, &policy, &nonce);
	assert_eq!(refused.len(), 1);
	assert_eq!(refused[0].check, Check::PhysicalTpm);
}

#[test]
fn certificate_of_the_attestation_key_should_go_with_its_quote() {
	let Some(swtpm) = Swtpm::start() else { return };
	let mut tpm = swtpm.open();
	let area = tpm.attestation_key_area().unwrap();
	let Some(directory) = swtpm::certify(&area) else { return };
	let pool = Pool::from_directory(directory.path()).unwrap();
	let evidence = given(tpm.evidence(&NONCE, &pool).unwrap());
	let KeyOrigin::Certified(chain) = &evidence.origin else { panic!("not certified") };
	assert_eq!(chain.len(), 2);
	let root = Certificate::parse(&chain[1]).unwrap().sha256();
	let mut policy = Policy { allow_software_tpm: true, ..Policy::default() };
	policy.roots.tpm.push(hardware::policy::Digest256(root));
	policy.allow_uncertified_tpm = true;
	assert_eq!(failures(&evidence, &policy, &NONCE), []);
	// Another key's certificate is not taken.
	let Some(other) = Swtpm::start() else { return };
	let evidence = given(other.open().evidence(&NONCE, &pool).unwrap());
	assert_eq!(evidence.origin, KeyOrigin::Unknown);
}

#[test]
fn password_of_the_hierarchy_should_be_named() {
	let Some(swtpm) = Swtpm::start() else { return };
	let mut tpm = swtpm.open();
	tpm.context
		.execute_with_session(Some(AuthSession::Password), |context| {
			let password = Auth::try_from(b"secret".to_vec()).unwrap();
			context.hierarchy_change_auth(AuthHandle::Endorsement, password)
		})
		.unwrap();
	drop(tpm);
	let error = swtpm.open().quote(&NONCE).unwrap_err();
	assert!(matches!(&error, TpmError::Command { doing: "make an attestation key", .. }));
	assert!(error.what_to_do().contains("password"), "{error}: {}", error.what_to_do());
}

#[test]
fn tpm_that_is_not_there_should_be_named() {
	let tree = Tree::new();
	let error = Tpm::open(&tree.roots()).err().unwrap();
	assert!(matches!(&error, TpmError::NoDevice(_)));
	assert!(error.what_to_do().contains("BIOS"));
	let tree = tree.file("dev/tpmrm0", "");
	let error = Tpm::open(&tree.roots()).and_then(|mut tpm| tpm.quote(&NONCE)).err().unwrap();
	assert!(!matches!(&error, TpmError::NoDevice(_)), "a file is there, and is no TPM");
	assert!(matches!(Tpm::connect("carrier-pigeon:"), Err(TpmError::Open { .. })));
}

#[test]
fn der_should_be_cut_at_its_end() {
	assert_eq!(der_at_the_front(&[0x30, 0x82, 0, 1, 7, 8]), Some(&[0x30, 0x82, 0, 1, 7][..]));
	assert_eq!(der_at_the_front(&[0x30, 0x82, 0, 2, 7]), None);
	assert_eq!(der_at_the_front(&[0x30, 0x03, 1, 2, 3]), None);
	assert_eq!(der_at_the_front(&[0x30, 0x82]), None);
	let mut large = vec![0x30, 0x82, 0x0f, 0xfd];
	large.resize(8_192, 0);
	assert_eq!(der_at_the_front(&large), None, "more than any certificate");
}
