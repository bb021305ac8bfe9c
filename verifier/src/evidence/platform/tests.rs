//! Evidence of every format from the wire to the tier.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::{
	appraise, appraise_hardware, check_statement, claimed_box, collateral_key, decode, gpu_nonce,
	hardware::{
		dcap::{verify_collateral, Collateral, CollateralKey, PckCaKind, Tee},
		policy::{Digest256, HexBytes, Policy},
		testing::{
			made::{self, NOW},
			signatures::{self, recorded, Signed},
		},
		Check, Checks, Failure, Fault, Identity, IdentityKind, Known,
	},
	hardware_id, report_data, AttestationResult, Context, EvidenceError, References,
};
use alloc::{vec, vec::Vec};
use armature_primitives::{
	device::Tier,
	ed25519,
	evidence::{
		hardware::{Certificate, PcrValue, PlatformEvidence},
		Evidence, EvidenceFormat, GpuReport, Inventory, InventoryStatement,
	},
	signing::{device_payload, Domain},
	DeviceId, H256,
};
use codec::Encode;
use sha2::Digest;
use sp_core::Pair;

const DAY: u64 = 86_400_000;

fn pair() -> ed25519::Pair {
	ed25519::Pair::from_seed(&[3; 32])
}

fn context() -> Context {
	Context {
		genesis: H256([1; 32]),
		device: DeviceId(9),
		key: pair().public(),
		nonce: H256([2; 32]),
	}
}

fn inventory() -> Inventory {
	Inventory {
		cpu_model: Default::default(),
		threads: 64,
		memory_mib: 1,
		storage_mib: 1,
		system: Default::default(),
		agent: Default::default(),
		machine_digest: H256([4; 32]),
	}
}

/// Evidence that the device signed for this context.
fn signed(platform: PlatformEvidence, gpus: Vec<GpuReport>) -> Evidence {
	let statement = InventoryStatement { nonce: context().nonce, inventory: inventory() };
	let payload = device_payload(Domain::Evidence, &context().genesis, DeviceId(9), &statement);
	let signature = pair().sign(&payload);
	Evidence::Hardware { statement, signature, platform, gpus: gpus.try_into().unwrap() }
}

fn data() -> [u8; 32] {
	report_data(&context())
}

fn platforms() -> Vec<(EvidenceFormat, PlatformEvidence)> {
	vec![
		(EvidenceFormat::SevSnp, made::snp(&data())),
		(EvidenceFormat::Tdx, made::tdx(&data())),
		(EvidenceFormat::Sgx, made::sgx(&data())),
		(EvidenceFormat::Tpm, made::tpm(&data())),
		(EvidenceFormat::AzureSnpVtpm, made::azure(&data())),
		(EvidenceFormat::AndroidKey, made::android(&data())),
		(EvidenceFormat::NitroEnclave, made::nitro(&data())),
	]
}

/// Asked with the nonce for chip 0.
fn gpus(count: u8) -> Vec<GpuReport> {
	let chip = hardware_id(&amd_chip(0)).unwrap();
	(0..count).map(|number| made::gpu(&gpu_nonce(&data(), &chip), number)).collect()
}

fn amd_chip(number: u8) -> Identity {
	let mut id: Vec<u8> = (1..=64).collect();
	id[63] = number;
	Identity { kind: IdentityKind::AmdChip, id }
}

fn collateral_of(evidence: &Evidence) -> Option<Collateral> {
	let key = collateral_key(evidence).unwrap();
	key.map(|key| made::collateral(key.tee))
}

fn under(
	evidence: &Evidence,
	policy: &Policy,
	known: &Known,
	now: u64,
) -> Result<AttestationResult, EvidenceError> {
	let collateral = collateral_of(evidence);
	let references = References { policy, known, collateral: collateral.as_ref(), now };
	let wire = evidence.to_bytes().unwrap();
	appraise(&decode(&wire).unwrap(), &context(), &references)
}

fn judged(evidence: &Evidence) -> Result<AttestationResult, EvidenceError> {
	under(evidence, &made::policy(), Known::nothing(), NOW)
}

fn hardware(check: Check, fault: Fault) -> Result<AttestationResult, EvidenceError> {
	Err(EvidenceError::Hardware(Failure::new(check, fault)))
}

#[test]
fn every_format_should_have_its_tier_and_identity() {
	let identity = |kind, id: &[u8]| hardware_id(&Identity { kind, id: id.to_vec() });
	for (format, platform) in platforms() {
		let result = judged(&signed(platform, Vec::new())).unwrap();
		assert_eq!(result.format, format);
		let (tier, named) = match format {
			EvidenceFormat::SevSnp => (Tier::T2, hardware_id(&amd_chip(0))),
			EvidenceFormat::Tdx => (Tier::T2, identity(IdentityKind::IntelPlatform, &[0xa5; 16])),
			EvidenceFormat::Sgx => (Tier::T1, identity(IdentityKind::IntelPlatform, &[0xa5; 16])),
			_ => (Tier::T0, None),
		};
		assert_eq!(result.tier, tier, "{format:?}");
		assert_eq!(result.identities, Vec::from_iter(named), "{format:?}");
		assert_eq!(result.inventory, H256(sp_io::hashing::blake2_256(&inventory().encode())));
		assert!(NOW < result.expires_at && result.expires_at < u64::MAX, "{format:?}");
		assert!(!result.issuers.is_empty() && !result.certificates.is_empty(), "{format:?}");
		assert_ne!(result.model, H256::zero());
	}
}

#[test]
fn the_box_should_be_read_before_the_chain_judges_it() {
	for (format, platform) in platforms() {
		let has_gpus = matches!(format, EvidenceFormat::SevSnp | EvidenceFormat::Tdx);
		let judged = judged(&signed(platform.clone(), Vec::new())).unwrap();
		let expected = has_gpus.then(|| judged.identities[0]);
		assert_eq!(claimed_box(&platform), Ok(expected), "{format:?}");
	}
	// Neither its nonce nor a debugged guest matters to what the box is called.
	let debugged = claimed_box(&made::snp_with_debug(&[9; 32]));
	assert_eq!(debugged, Ok(hardware_id(&amd_chip(0))));
	assert_ne!(debugged, claimed_box(&made::snp_of_chip(&data(), 1)));
	let quote = PlatformEvidence::Dcap { quote: vec![4; 700].try_into().unwrap() };
	assert!(matches!(
		claimed_box(&quote),
		Err(EvidenceError::Hardware(Failure { check: Check::Layout, .. }))
	));
}

#[test]
fn evidence_should_fit_the_wire_with_all_its_gpus() {
	for count in [1, 8] {
		let evidence = signed(made::snp(&data()), gpus(count));
		let result = judged(&evidence).unwrap();
		assert_eq!(result.tier, Tier::T3);
		let mut named = result.identities.clone();
		named.sort();
		named.dedup();
		assert_eq!(named.len(), 1 + usize::from(count));
		assert_eq!(result.identities[0], hardware_id(&amd_chip(0)).unwrap());
		// ASK; provisioner, product. Roots are pinned; the boot ROM of each GPU is in no other box.
		assert_eq!(result.issuers.len(), 1 + 2);
		assert_eq!(result.certificates.len(), 3 + 2 * usize::from(count) + 3);
	}
}

#[test]
fn the_order_of_gpus_should_not_matter() {
	let mut reports = gpus(3);
	let first = judged(&signed(made::snp(&data()), reports.clone())).unwrap();
	reports.rotate_left(1);
	let second = judged(&signed(made::snp(&data()), reports)).unwrap();
	assert_eq!(first.identities, second.identities);
	assert!(first.identities[1..].is_sorted());
}

/// Judges the hardware until a forgery is found.
fn examined(
	evidence: &Evidence,
	policy: &Policy,
) -> (Result<AttestationResult, EvidenceError>, Vec<Failure>) {
	let collateral = collateral_of(evidence);
	let references =
		References { policy, known: Known::nothing(), collateral: collateral.as_ref(), now: NOW };
	let head = check_statement(evidence, &context()).unwrap();
	let mut checks = Checks::stop_at_forgery();
	let result = appraise_hardware(evidence, &context(), &references, head, &mut checks);
	(result, checks.failed().to_vec())
}

#[test]
fn a_forgery_should_be_found_behind_what_a_policy_refuses() {
	let debug = Failure::new(Check::Debug, Fault::NotAccepted);
	let nonce = gpu_nonce(&data(), &hardware_id(&amd_chip(0)).unwrap());
	let good = signed(made::snp_with_debug(&data()), vec![made::gpu(&nonce, 1)]);
	let (result, failed) = examined(&good, &made::policy());
	assert_eq!((result.unwrap().tier, failed), (Tier::T3, vec![debug]));

	// GPUs that never saw the nonce.
	let bad = signed(made::snp_with_debug(&data()), vec![made::gpu(&[1; 32], 1)]);
	let (result, failed) = examined(&bad, &made::policy());
	let forged = Failure::in_part(0, Check::Nonce, Fault::Mismatch);
	assert_eq!(result, Err(EvidenceError::Hardware(forged)));
	assert_eq!(failed[0], debug);

	// A quote under roots that nobody trusts, whose collateral is of other platforms besides.
	let quote = signed(made::tdx(&data()), Vec::new());
	let mut policy = made::policy();
	policy.roots.intel.clear();
	policy.max_tcb_evaluation_data_number = 17;
	let (result, _) = examined(&quote, &policy);
	let root = Failure::new(Check::Root, Fault::NotTrusted);
	assert_eq!(result, Err(EvidenceError::Hardware(root)));
}

#[test]
fn forgeries_should_be_what_depends_on_the_sender_alone() {
	for check in [
		Check::Layout,
		Check::Root,
		Check::Nonce,
		Check::ReportSignature,
		Check::CertificateSignature(1),
		Check::TcbBinding,
	] {
		assert!(check.is_forgery(), "{check}");
	}
	for check in [
		Check::CertificateDates(1),
		Check::CertificateRevocation(0),
		Check::TcbInfoMatch,
		Check::QeIdentityMatch,
		Check::TdxModule,
		Check::Debug,
		Check::TcbLevel,
	] {
		assert!(!check.is_forgery(), "{check}");
	}
}

#[test]
fn gpus_beside_a_format_without_a_confidential_platform_should_be_refused_by_the_statement() {
	for (format, platform) in platforms() {
		let refused = check_statement(&signed(platform, gpus(1)), &context());
		match format {
			EvidenceFormat::SevSnp | EvidenceFormat::Tdx => assert!(refused.is_ok()),
			_ => assert_eq!(refused, Err(EvidenceError::GpuWithoutConfidentialPlatform)),
		}
	}
}

#[test]
fn made_up_certificates_should_end_the_work_at_the_first() {
	// Below a root that is trusted, as long as a chain may be.
	let PlatformEvidence::AndroidKey { chain } = made::android(&data()) else { panic!("Android") };
	let (root, leaf) = (chain.last().unwrap().clone(), chain[0].clone());
	let mut long = vec![leaf; 7];
	long.push(root);
	let evidence =
		signed(PlatformEvidence::AndroidKey { chain: long.try_into().unwrap() }, Vec::new());
	let policy = made::policy();
	let references =
		References { policy: &policy, known: Known::nothing(), collateral: None, now: NOW };
	let head = check_statement(&evidence, &context()).unwrap();
	let mut checks = Checks::note_all();
	let _ = appraise_hardware(&evidence, &context(), &references, head, &mut checks);
	let signatures: Vec<_> = checks
		.failed()
		.iter()
		.filter_map(|failure| match failure.check {
			Check::CertificateSignature(at) => Some(at),
			_ => None,
		})
		.collect();
	assert_eq!(signatures, [6, 5, 4, 3, 2, 1, 0], "from the root down");
}

#[test]
fn evidence_for_another_context_should_be_refused() {
	let evidence = signed(made::snp(&data()), Vec::new());
	let policy = made::policy();
	let references =
		References { policy: &policy, known: Known::nothing(), collateral: None, now: NOW };
	let with = |context: Context| appraise(&evidence, &context, &references);
	let nonce = Context { nonce: H256([9; 32]), ..context() };
	assert_eq!(with(nonce), Err(EvidenceError::NonceMismatch));
	let genesis = Context { genesis: H256([9; 32]), ..context() };
	assert_eq!(with(genesis), Err(EvidenceError::BadSignature));
	assert_eq!(check_statement(&evidence, &genesis), Err(EvidenceError::BadSignature));
	// The hardware of another context below a statement of this one.
	for other in [
		nonce,
		genesis,
		Context { device: DeviceId(8), ..context() },
		Context { key: ed25519::Pair::from_seed(&[8; 32]).public(), ..context() },
	] {
		let borrowed = signed(made::snp(&report_data(&other)), Vec::new());
		assert_eq!(judged(&borrowed), hardware(Check::Nonce, Fault::Mismatch));
		let digest = H256(sp_io::hashing::blake2_256(&inventory().encode()));
		let cheap = check_statement(&borrowed, &context());
		assert_eq!(cheap, Ok((EvidenceFormat::SevSnp, digest)));
	}
}

#[test]
fn gpus_of_another_platform_should_be_refused() {
	let evidence = signed(made::snp_of_chip(&data(), 1), gpus(1));
	let failure = Failure::in_part(0, Check::Nonce, Fault::Mismatch);
	assert_eq!(judged(&evidence), Err(EvidenceError::Hardware(failure)));
	let twice = signed(made::snp(&data()), [gpus(1), gpus(1)].concat());
	assert_eq!(judged(&twice), hardware(Check::ChipBinding, Fault::Mismatch));
}

#[test]
fn gpus_should_count_beside_confidential_platforms_only() {
	for (format, platform) in platforms() {
		let platform_id = match format {
			EvidenceFormat::SevSnp | EvidenceFormat::Tdx => {
				judged(&signed(platform.clone(), Vec::new())).unwrap().identities[0]
			},
			_ => H256::zero(),
		};
		let gpu = made::gpu(&gpu_nonce(&data(), &platform_id), 3);
		let outcome = judged(&signed(platform, vec![gpu])).map(|result| result.tier);
		match format {
			EvidenceFormat::SevSnp | EvidenceFormat::Tdx => assert_eq!(outcome, Ok(Tier::T3)),
			_ => assert_eq!(outcome, Err(EvidenceError::GpuWithoutConfidentialPlatform)),
		}
	}
}

#[test]
fn policy_should_decide_what_passes() {
	let debug = signed(made::snp_with_debug(&data()), Vec::new());
	assert_eq!(judged(&debug), hardware(Check::Debug, Fault::NotAccepted));
	let none = Policy { allow_debug: true, ..made::policy() };
	assert_eq!(under(&debug, &none, Known::nothing(), NOW).unwrap().tier, Tier::T2);
	let trusted = |policy: &Policy, platform| {
		under(&signed(platform, Vec::new()), policy, Known::nothing(), NOW)
	};
	let roots = Policy { roots: Default::default(), ..made::policy() };
	for (format, platform) in platforms() {
		assert_eq!(
			trusted(&roots, platform),
			hardware(Check::Root, Fault::NotTrusted),
			"{format:?}"
		);
	}
	for (policy, platform) in [
		(Policy { allow_android_key: false, ..made::policy() }, made::android(&data())),
		(Policy { allow_attestation_key: false, ..made::policy() }, made::tpm(&data())),
		(Policy { allow_cloud: false, ..made::policy() }, made::azure(&data())),
		(Policy { allow_cloud: false, ..made::policy() }, made::nitro(&data())),
	] {
		let refused = trusted(&policy, platform);
		assert_eq!(refused, hardware(Check::BoxIdentity, Fault::NotAccepted));
	}
	// Azure's firmware is looked for in its own list, and other guests in theirs.
	let (azure, other) = (vec![HexBytes(vec![8; 48])], vec![HexBytes(vec![7; 48])]);
	let swapped = Policy { measurements: azure, azure_measurements: other, ..made::policy() };
	for platform in [made::azure(&data()), made::snp(&data())] {
		let refused = trusted(&swapped, platform);
		assert_eq!(refused, hardware(Check::Measurement, Fault::NotAccepted));
	}
	for platform in [made::tdx(&data()), made::sgx(&data())] {
		let low = Policy { min_tcb_evaluation_data_number: 19, ..made::policy() };
		let early = Policy { max_tcb_evaluation_data_number: 17, ..made::policy() };
		for policy in [low, early] {
			let refused = trusted(&policy, platform.clone());
			assert_eq!(refused, hardware(Check::TcbLevel, Fault::NotAccepted));
		}
	}
}

#[test]
fn collateral_should_be_that_of_the_quote() {
	let keys =
		[(made::tdx(&data()), Tee::Tdx), (made::sgx(&data()), Tee::Sgx)].map(|(platform, tee)| {
			let key = collateral_key(&signed(platform, Vec::new())).unwrap().unwrap();
			let facts = verify_collateral(
				&made::collateral(tee),
				&made::policy(),
				NOW,
				&mut Checks::stop_at_first(),
			)
			.unwrap();
			assert_eq!(facts.key, key);
			assert_eq!(
				(facts.tcb_evaluation_data_number, facts.qe_evaluation_data_number),
				(18, 18)
			);
			assert!(facts.issued.newest() <= NOW && NOW <= facts.valid.until);
			key
		});
	let fmspc = [0x10, 0x20, 0x30, 0, 0, 0];
	let key = |tee| CollateralKey { fmspc, tee, ca: PckCaKind::Platform };
	assert_eq!(keys, [key(Tee::Tdx), key(Tee::Sgx)]);
	assert_eq!(collateral_key(&signed(made::snp(&data()), Vec::new())), Ok(None));

	let policy = made::policy();
	let evidence = signed(made::tdx(&data()), Vec::new());
	let with = |collateral: Option<&Collateral>| {
		let references =
			References { policy: &policy, known: Known::nothing(), collateral, now: NOW };
		appraise(&evidence, &context(), &references)
	};
	assert_eq!(with(None), Err(EvidenceError::CollateralMissing));
	let other = made::collateral(Tee::Sgx);
	assert_eq!(with(Some(&other)), hardware(Check::TcbInfoMatch, Fault::Mismatch));
}

#[test]
fn quote_without_certificates_should_name_no_collateral() {
	let quote = made::tdx(&data());
	let PlatformEvidence::Dcap { mut quote } = quote else { panic!("a quote") };
	quote.truncate(700);
	let evidence = signed(PlatformEvidence::Dcap { quote: quote.clone() }, Vec::new());
	let failure = Failure::new(Check::Layout, Fault::Truncated);
	assert_eq!(collateral_key(&evidence), Err(EvidenceError::Hardware(failure)));
	quote[4] = 7;
	let evidence = signed(PlatformEvidence::Dcap { quote }, Vec::new());
	let failure = Failure::new(Check::Layout, Fault::Malformed);
	let unknown = Err(EvidenceError::Hardware(failure));
	assert_eq!(check_statement(&evidence, &context()), unknown);
}

/// Spoils the signature at the end of a certificate, which stays readable.
fn spoil(certificate: &mut Certificate) {
	let last = certificate.len() - 1;
	certificate[last] ^= 1;
}

#[test]
fn a_root_should_vouch_for_itself_only_where_its_bytes_are_not_pinned() {
	let PlatformEvidence::SevSnp { report, leaf, mut issuers } = made::snp(&data()) else {
		panic!("SEV-SNP")
	};
	spoil(&mut issuers[1]);
	let mut policy = made::policy();
	policy.roots.amd = vec![Digest256(sha2::Sha256::digest(&issuers[1]).into())];
	let pinned = signed(PlatformEvidence::SevSnp { report, leaf, issuers }, Vec::new());
	assert_eq!(under(&pinned, &policy, Known::nothing(), NOW).unwrap().tier, Tier::T2);

	// Google's is pinned by its key.
	let PlatformEvidence::AndroidKey { mut chain } = made::android(&data()) else {
		panic!("Android")
	};
	spoil(chain.last_mut().unwrap());
	let last = u8::try_from(chain.len() - 1).unwrap();
	let refused = judged(&signed(PlatformEvidence::AndroidKey { chain }, Vec::new()));
	assert_eq!(refused, hardware(Check::CertificateSignature(last), Fault::BadSignature));
}

#[test]
fn known_issuers_should_not_be_verified_again_and_nothing_else_be_skipped() {
	let evidence = signed(made::snp(&data()), gpus(2));
	let fresh = judged(&evidence).unwrap();
	let issuers = fresh.issuers.iter().map(|issuer| issuer.sha256).collect();
	let known = Known { issuers, collateral: false };
	assert_eq!(under(&evidence, &made::policy(), &known, NOW), Ok(fresh.clone()));

	// A known certificate is known by its bytes: another signature is none.
	let Evidence::Hardware { platform: PlatformEvidence::SevSnp { report, leaf, issuers }, .. } =
		evidence.clone()
	else {
		panic!("SEV-SNP")
	};
	let mut spoiled = issuers.clone();
	spoil(&mut spoiled[0]);
	let platform =
		PlatformEvidence::SevSnp { report: report.clone(), leaf: leaf.clone(), issuers: spoiled };
	let outcome = under(&signed(platform, Vec::new()), &made::policy(), &known, NOW);
	assert_eq!(outcome, hardware(Check::CertificateSignature(1), Fault::BadSignature));
	// The leaf's signature is always verified.
	let mut bad_leaf = leaf;
	spoil(&mut bad_leaf);
	let platform = PlatformEvidence::SevSnp { report, leaf: bad_leaf, issuers };
	let outcome = under(&signed(platform, Vec::new()), &made::policy(), &known, NOW);
	assert_eq!(outcome, hardware(Check::CertificateSignature(0), Fault::BadSignature));
	// So are dates and roots.
	let late = fresh.expires_at;
	let outcome = under(&evidence, &made::policy(), &known, late);
	assert!(
		matches!(
			outcome,
			Err(EvidenceError::Hardware(Failure {
				check: Check::CertificateDates(_),
				fault: Fault::Expired,
				..
			}))
		),
		"{outcome:?}"
	);
	assert!(under(&evidence, &made::policy(), &known, late - 1).is_ok());
	let roots = Policy { roots: Default::default(), ..made::policy() };
	let outcome = under(&evidence, &roots, &known, NOW);
	assert_eq!(outcome, hardware(Check::Root, Fault::NotTrusted));
}

#[test]
fn known_collateral_should_be_taken_at_its_signatures_only() {
	let evidence = signed(made::tdx(&data()), Vec::new());
	let mut collateral = made::collateral(Tee::Tdx);
	collateral.tcb_info_signature = "00".repeat(64);
	let policy = made::policy();
	let with = |collateral: &Collateral, known: bool, now: u64| {
		let known = Known { collateral: known, ..Known::default() };
		let references =
			References { policy: &policy, known: &known, collateral: Some(collateral), now };
		appraise(&evidence, &context(), &references).map(|result| result.tier)
	};
	let failure = |check, fault| Err(EvidenceError::Hardware(Failure::new(check, fault)));
	let bad = failure(Check::TcbInfoSignature, Fault::BadSignature);
	assert_eq!(with(&collateral, false, NOW), bad);
	assert_eq!(with(&collateral, true, NOW), Ok(Tier::T2));
	let late = failure(Check::TcbInfoDates, Fault::Expired);
	assert_eq!(with(&collateral, true, NOW + 19 * DAY), late);
	collateral.tcb_info = collateral.tcb_info.replace("102030000000", "102030000001");
	assert_eq!(with(&collateral, true, NOW), failure(Check::TcbInfoMatch, Fault::Mismatch));
	let spoiled = verify_collateral(&collateral, &policy, NOW, &mut Checks::stop_at_first());
	let bad = Failure::new(Check::TcbInfoSignature, Fault::BadSignature);
	assert_eq!(spoiled, Err(bad));
}

#[test]
fn collateral_should_be_refused_for_each_of_its_parts() {
	type Spoil = fn(&mut Collateral);
	let good = made::collateral(Tee::Tdx);
	let judged = |collateral: &Collateral, policy: &Policy, now: u64| {
		let outcome = verify_collateral(collateral, policy, now, &mut Checks::stop_at_first());
		outcome.map(|facts| facts.key.tee)
	};
	let policy = made::policy();
	assert_eq!(judged(&good, &policy, NOW), Ok(Tee::Tdx));
	let cases: [(Spoil, Check, Fault); 8] = [
		(|c| c.pck_crl.clear(), Check::Layout, Fault::Missing),
		(|c| c.pck_crl_issuer_chain.clear(), Check::Root, Fault::Missing),
		(
			|c| c.qe_identity = made::collateral(Tee::Sgx).qe_identity,
			Check::QeIdentityMatch,
			Fault::Mismatch,
		),
		(
			|c| c.tcb_info = c.tcb_info.replace("\"TDX\"", "\"TDY\""),
			Check::TcbInfoMatch,
			Fault::Malformed,
		),
		(
			|c| c.qe_identity_signature = "00".repeat(64),
			Check::QeIdentitySignature,
			Fault::BadSignature,
		),
		(|c| c.root_ca_crl = c.pck_crl.clone(), Check::RootCrlSignature, Fault::Mismatch),
		(|c| c.pck_crl = c.root_ca_crl.clone(), Check::PckCrlSignature, Fault::Mismatch),
		(
			|c| c.tcb_info_issuer_chain = c.pck_crl_issuer_chain.clone(),
			Check::TcbInfoSignature,
			Fault::NotTrusted,
		),
	];
	for (spoil, check, fault) in cases {
		let mut collateral = good.clone();
		spoil(&mut collateral);
		assert_eq!(judged(&collateral, &policy, NOW), Err(Failure::new(check, fault)));
	}
	let early = Failure::new(Check::PckCrlDates, Fault::NotYetValid);
	assert_eq!(judged(&good, &policy, NOW - 2 * DAY), Err(early));
	let floor = Policy { min_tcb_evaluation_data_number: 19, ..made::policy() };
	let low = Failure::new(Check::TcbLevel, Fault::NotAccepted);
	assert_eq!(judged(&good, &floor, NOW), Err(low));
	// 0x44 is the serial number of the certificate that signs documents.
	let revoked = Policy { revoked_serials: vec![HexBytes(vec![0x44])], ..made::policy() };
	let listed = Failure::new(Check::Revocation, Fault::Revoked);
	assert_eq!(judged(&good, &revoked, NOW), Err(listed));
	let strange = Policy { roots: Default::default(), ..made::policy() };
	let untrusted = Failure::new(Check::Root, Fault::NotTrusted);
	assert_eq!(judged(&good, &strange, NOW), Err(untrusted));
}

#[test]
fn register_should_not_be_there_twice() {
	let PlatformEvidence::Tpm { attest, signature, mut pcrs, attestation_key, origin } =
		made::tpm(&data())
	else {
		panic!("a TPM")
	};
	pcrs.try_push(PcrValue { index: 7, value: [9; 32] }).unwrap();
	let platform = PlatformEvidence::Tpm { attest, signature, pcrs, attestation_key, origin };
	let outcome = judged(&signed(platform, Vec::new()));
	assert_eq!(outcome, hardware(Check::Layout, Fault::Malformed));
}

#[test]
fn spoiled_bytes_should_be_refused_or_change_nothing() {
	for (format, platform) in platforms() {
		let evidence = signed(platform, Vec::new());
		let collateral = collateral_of(&evidence);
		let policy = made::policy();
		let references = References {
			policy: &policy,
			known: Known::nothing(),
			collateral: collateral.as_ref(),
			now: NOW,
		};
		let wire = evidence.to_bytes().unwrap().into_inner();
		let whole = judged(&evidence).unwrap();
		// A prime, so that every kind of field is met.
		for at in (0..wire.len()).step_by(7) {
			let mut bad = wire.clone();
			bad[at] ^= 0x10;
			let outcome = decode(&bad).and_then(|e| appraise(&e, &context(), &references));
			// What nobody signed (attributes of a TPM's key beside its certificate) changes nothing.
			assert!(outcome.is_err() || outcome == Ok(whole.clone()), "{format:?}, byte {at}");
			assert!(decode(&wire[..at]).is_err());
		}
	}
}

/// Otherwise a benchmark could not say what they cost.
#[test]
fn signatures_of_evidence_should_be_of_kinds_that_are_made() {
	let made: Vec<Signed> = vec![
		signatures::p256(100),
		signatures::p384(100),
		signatures::rsa2048(100),
		signatures::rsa4096_pkcs1(100),
		signatures::rsa4096_pss(100),
	];
	assert!(made.iter().all(|signed| signed.holds() && signed.bytes() == 100));
	let kinds: Vec<_> = made.iter().map(Signed::kind).collect();
	let alone = platforms().into_iter().map(|(_, platform)| signed(platform, Vec::new()));
	for evidence in alone.chain([signed(made::snp(&data()), gpus(2))]) {
		let checked = recorded(|| assert!(judged(&evidence).is_ok()));
		assert!(!checked.is_empty());
		assert!(checked.iter().all(|signed| signed.holds() && kinds.contains(&signed.kind())));
	}
	// Nothing is kept where nobody asks.
	assert!(recorded(|| ()).is_empty());
}

#[test]
fn bindings_should_be_what_is_documented() {
	// Computed by Python's hashlib.blake2b.
	let key = ed25519::Public::from_raw([7; 32]);
	let context =
		Context { genesis: H256([1; 32]), device: DeviceId(9), key, nonce: H256([2; 32]) };
	let bytes = report_data(&context);
	assert_eq!(hex::encode(bytes), REPORT_DATA);
	assert_eq!(hex::encode(gpu_nonce(&bytes, &H256([5; 32]))), GPU_NONCE);
	let identity = Identity { kind: IdentityKind::NvidiaGpu, id: vec![0x41, 1] };
	assert_eq!(hex::encode(hardware_id(&identity).unwrap()), HARDWARE_ID);
	for kind in [
		IdentityKind::TpmAttestationKey,
		IdentityKind::NvidiaSwitch,
		IdentityKind::AndroidTee,
		IdentityKind::AndroidStrongBox,
		IdentityKind::CloudInstance,
		IdentityKind::None,
	] {
		assert_eq!(hardware_id(&Identity { kind, id: vec![1] }), None);
	}
}

const REPORT_DATA: &str = "e1ec27c28b88618d4c5d01851ca2ba74c6ab445d66f3a52cb9dbb46a30812642";
const GPU_NONCE: &str = "fbb4134f00f5b0eb4f50211a167264adf474b1262ea4fd09ab862f6dc4399d64";
const HARDWARE_ID: &str = "3ea24922f6e80213ee2a899cbf4933b7e00c6a83dcc6f7b327e1424df688df38";
