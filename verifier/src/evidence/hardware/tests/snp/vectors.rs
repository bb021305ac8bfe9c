//! Real reports of real chips.

use super::{
	super::{
		super::{
			check::{Check, Checks, Failure, Fault, Side},
			claims::{Claims, DebugStatus, IdentityKind, Window},
			crypto::sha256,
			policy::{from_hex, Digest256, HexBytes, Policy, Roots, SnpTcbFloor},
			snp::{report, verify, verify_report, SnpEvidence},
			x509::{parse_chain, verify_chain, ChainRules},
			Question,
		},
		common::{at, failure, failures, pem, read, read_text, refusal, vectors},
	},
	fact,
};
use std::{path::Path, vec, vec::Vec};

/// An instant at which the Milan chips' evidence holds.
const INSTANT: &str = "2024-01-01T00:00:00Z";

/// An instant at which the cloud key's evidence holds.
const VLEK_INSTANT: &str = "2025-06-01T00:00:00Z";

/// The report data of test-report.bin, of which the rest is zero.
const NONCE: &str = "ec6c52d7533cc2c4f45be7849cf112ab82b2009fe7bd43e71ed08c14400ad7e2";

/// ASK and ARK of a product.
fn issuers(folder: &Path, product: &str) -> Vec<Vec<u8>> {
	["ask", "ark"]
		.iter()
		.flat_map(|name| pem(&read_text(folder, &std::format!("snp/{name}-{product}.pem"))))
		.collect()
}

/// ASVK and ARK of a product.
fn vlek_issuers(folder: &Path, product: &str) -> Vec<Vec<u8>> {
	let mut all = pem(&read_text(folder, &std::format!("snp/{product}_ask_ark_asvk.pem")));
	assert_eq!(all.len(), 3, "ASK, ARK, ASVK");
	all.rotate_right(1);
	all.remove(1);
	all
}

fn test_report(folder: &Path) -> SnpEvidence {
	SnpEvidence {
		report: read(folder, "snp/test-report.bin"),
		leaf: read(folder, "snp/test-vcek.der"),
		issuers: issuers(folder, "milan"),
	}
}

fn report_milan(folder: &Path) -> SnpEvidence {
	SnpEvidence {
		report: from_hex(&read_text(folder, "snp/report_milan.hex")).unwrap(),
		leaf: read(folder, "snp/vcek_milan.der"),
		issuers: pem(&read_text(folder, "snp/cert_chain_milan")),
	}
}

fn vlek_report(folder: &Path) -> SnpEvidence {
	SnpEvidence {
		report: read(folder, "snp/test-vlek-report.bin"),
		leaf: read(folder, "snp/test-vlek.der"),
		issuers: vlek_issuers(folder, "milan"),
	}
}

fn accepted(evidence: &SnpEvidence, policy: &Policy, nonce: &str, now: &str) -> Claims {
	let nonce = from_hex(nonce).unwrap();
	let question = Question::new(policy, Some(&nonce), at(now));
	let mut checks = Checks::stop_at_first();
	let claims = verify(evidence, &question, &mut checks).unwrap();
	assert!(checks.holds(Side::Crypto) && checks.holds(Side::Policy));
	claims
}

/// All failures under the default policy, no nonce asked for.
fn faults(evidence: &SnpEvidence, now: &str) -> Vec<Failure> {
	let policy = Policy::default();
	let question = Question::new(&policy, None, at(now));
	failures(|checks| verify(evidence, &question, checks))
}

fn assert_facts(claims: &Claims, expected: &[(&str, &str)]) {
	for (name, value) in expected {
		assert_eq!(fact(claims, name), *value, "{name}");
	}
}

#[test]
fn test_report_should_hold_with_its_claims() {
	let Some(folder) = vectors() else { return };
	let claims = accepted(&test_report(&folder), &Policy::default(), NONCE, INSTANT);
	assert_eq!(claims.model, "Milan");
	assert_eq!(claims.identity.kind, IdentityKind::AmdChip);
	assert_eq!(claims.identity.id[..16], from_hex("c38427a30d4c7af9d96f7a15b9726982").unwrap());
	assert_eq!(claims.identity.id.len(), 64);
	assert_eq!(claims.nonce[..32], from_hex(NONCE).unwrap());
	assert_eq!(claims.nonce[32..], [0; 32]);
	assert_eq!(claims.firmware, "bl 3, tee 0, snp 8, ucode 115");
	assert_eq!(claims.tcb, 0x03_00_08_73);
	assert_eq!(claims.debug, DebugStatus::Disabled);
	let measurement = "a1f3930413247bb38cfc171579ea3c12d5fe4901f0c792f63fd75d98f1ef827c\
		23500644e0e692e6be917f9050d3d38c";
	assert_eq!(claims.measurements[0].digest, from_hex(measurement).unwrap());
	let window = Window { from: at("2023-01-24T17:58:26Z"), until: at("2030-01-24T17:58:26Z") };
	assert_eq!(claims.valid, window);
	let zeros = "00".repeat(32);
	assert_facts(
		&claims,
		&[
			("report-version", "2"),
			("guest-svn", "4"),
			("vmpl", "0"),
			("guest-policy", "0x3001f"),
			("platform-info", "0x01"),
			("key-flags", "0x0"),
			("signing-key", "vcek"),
			("product-name", "Milan-B0"),
			("reported-tcb", "0300000000000873"),
			("current-tcb", "03000000000008ce"),
			("committed-tcb", "0300000000000873"),
			("launch-tcb", "0300000000000873"),
			("host-data", &zeros),
		],
	);
	assert!(fact(&claims, "report-id").starts_with("385eba81216de477"));
	assert!(claims.facts.iter().all(|fact| fact.name != "cpuid"), "version 2 has none");
}

#[test]
fn report_milan_should_hold_with_its_claims() {
	let Some(folder) = vectors() else { return };
	let nonce = "d447b55d197491bfe15cf298f9de9986b7a7c4be2468b4f6e2d53b71d7c64581\
		0b0f2cdfca0040433be063fc1a8293f0f3f8dae7b79fecb3d1cd82bd6a93ebfd";
	let claims = accepted(&report_milan(&folder), &Policy::default(), nonce, INSTANT);
	assert_eq!(claims.identity.kind, IdentityKind::AmdChip);
	assert_eq!(claims.identity.id[..16], from_hex("d49554ec717f4e5b0fe6b143bcf0405b").unwrap());
	let measurement = "7a1e5c266c0108dbc9bb94fa926951320940915d0aafb42464bd88b579ea158d\
		3e1a0dc39b2c60bd95b9c480cd81841f";
	assert_eq!(claims.measurements[0].digest, from_hex(measurement).unwrap());
	assert_eq!(claims.tcb, 0x03_00_08_73);
	let window = Window { from: at("2023-04-03T19:23:43Z"), until: at("2030-04-03T19:23:43Z") };
	assert_eq!(claims.valid, window);
	assert_facts(
		&claims,
		&[
			("report-version", "2"),
			("guest-svn", "0"),
			("vmpl", "0"),
			("guest-policy", "0x30000"),
			("platform-info", "0x01"),
			("key-flags", "0x0"),
			("reported-tcb", "0300000000000873"),
			("current-tcb", "0300000000000873"),
			("committed-tcb", "0300000000000873"),
			("launch-tcb", "0300000000000873"),
		],
	);
	assert!(fact(&claims, "report-id").starts_with("92b3b47d59f0a2a1"));
}

#[test]
fn report_inside_a_vtpm_document_should_hold_without_its_nonce() {
	use base64::{engine::general_purpose::URL_SAFE, Engine};
	let Some(folder) = vectors() else { return };
	let text = read_text(&folder, "tpm/az-snp-vtpm-evidence-v1.json");
	let document: serde_json::Value = serde_json::from_str(&text).unwrap();
	let part = |name: &str| URL_SAFE.decode(document[name].as_str().unwrap()).unwrap();
	let (hcl, leaf) = (part("hcl_report"), part("vcek"));
	let now = at(VLEK_INSTANT);
	// The nonce is the TPM's; the report data has something else.
	let policy = Policy::default();
	let question = Question::new(&policy, Some(b"challenge"), now);
	let mut checks = Checks::stop_at_first();
	let issuers = issuers(&folder, "milan");
	let (claims, report) =
		verify_report(&hcl[32..1_216], &leaf, &issuers, &[], &question, &mut checks).unwrap();
	let bound = "af2910341dd8108360e485f1b72494255190b9cdd5ccb44b73b883037cf99f21";
	assert_eq!(report.report_data[..32], from_hex(bound).unwrap());
	assert_eq!(claims.identity.kind, IdentityKind::AmdChip);
	assert_eq!(claims.identity.id[..16], from_hex("66a5a7b4403a3006ca734aa36a76dd30").unwrap());
	assert_eq!(claims.tcb, 0x04_00_18_db);
	assert_facts(
		&claims,
		&[
			("report-version", "3"),
			("guest-svn", "10"),
			("guest-policy", "0x3001f"),
			("platform-info", "0x25"),
			("cpuid", "190101"),
			("reported-tcb", "04000000000018db"),
		],
	);
}

#[test]
fn vlek_report_should_hold_in_crypto_and_fail_in_policy() {
	let Some(folder) = vectors() else { return };
	let evidence = vlek_report(&folder);
	let expected = [
		failure(Check::PrivilegeLevel, Fault::NotAccepted),
		failure(Check::BoxIdentity, Fault::NotAccepted),
	];
	assert_eq!(faults(&evidence, VLEK_INSTANT), expected);

	let policy = Policy { allow_vlek: true, max_vmpl: 1, ..Policy::default() };
	let nonce = "819770b7e6ea6df8dd8fd4dd146b073c0bf4f3ce5b0977ecac486e3a05ed1bd5\
		4e2a7ac1f5d1ca02e7d7d5ef9f73b8574fd9359e3a480d741a4478e8a7bc27ca";
	let claims = accepted(&evidence, &policy, nonce, VLEK_INSTANT);
	assert_eq!(claims.model, "Milan");
	assert_eq!(claims.identity.kind, IdentityKind::CloudInstance);
	assert!(!claims.identity.kind.names_box());
	assert_eq!(claims.identity.id, b"CN=cc-us-east-2.amazonaws.com");
	assert_eq!(claims.firmware, "bl 4, tee 0, snp 24, ucode 217");
	let measurement = "8922ebbdd00ec2c541f36a6e7a82a8773a7accb451ed67bc94e740dbe92c93c4\
		e8c9af857f5ceeb5a493df2a570d7bf0";
	assert_eq!(claims.measurements[0].digest, from_hex(measurement).unwrap());
	let window = Window { from: at("2024-12-10T22:14:21Z"), until: at("2025-12-10T22:14:21Z") };
	assert_eq!(claims.valid, window);
	let zeros = "00".repeat(64);
	assert_facts(
		&claims,
		&[
			("report-version", "3"),
			("guest-svn", "0"),
			("vmpl", "1"),
			("guest-policy", "0x30000"),
			("platform-info", "0x27"),
			("key-flags", "0x4"),
			("signing-key", "vlek"),
			("product-name", "Milan"),
			("csp-id", "CN=cc-us-east-2.amazonaws.com"),
			("reported-tcb", "04000000000018d9"),
			("current-tcb", "04000000000018dc"),
			("committed-tcb", "04000000000018db"),
			("launch-tcb", "04000000000018db"),
			("current-version", "1.55.29"),
			("cpuid", "190101"),
			("chip-id", &zeros),
		],
	);
	assert!(fact(&claims, "report-id").starts_with("62e04fba700afd93"));
}

#[test]
fn vlek_should_be_refused_when_its_issuer_or_instant_is_wrong() {
	let Some(folder) = vectors() else { return };
	let policy = Policy { allow_vlek: true, max_vmpl: 1, ..Policy::default() };
	let faults = |evidence: &SnpEvidence, now| {
		let question = Question::new(&policy, None, at(now));
		failures(|checks| verify(evidence, &question, checks))
	};
	let evidence = vlek_report(&folder);
	let expired = [failure(Check::CertificateDates(0), Fault::Expired)];
	assert_eq!(faults(&evidence, "2026-01-01T00:00:00Z"), expired);
	let early = [failure(Check::CertificateDates(0), Fault::NotYetValid)];
	assert_eq!(faults(&evidence, "2024-12-10T22:14:20Z"), early);
	let under_ask = SnpEvidence { issuers: issuers(&folder, "milan"), ..evidence };
	assert_eq!(
		faults(&under_ask, VLEK_INSTANT),
		[
			failure(Check::CertificateAuthority(1), Fault::Mismatch),
			failure(Check::CertificateIssuer(0), Fault::Mismatch),
			failure(Check::CertificateSignature(0), Fault::BadSignature),
		]
	);
}

#[test]
fn overwritten_certificates_should_be_refused() {
	let Some(folder) = vectors() else { return };
	let bad_leaf = failure(Check::CertificateSignature(0), Fault::BadSignature);
	for name in ["snp/test-vcek-invalid-legacy.der", "snp/test-vcek-invalid-new.der"] {
		for evidence in [test_report(&folder), report_milan(&folder)] {
			let evidence = SnpEvidence { leaf: read(&folder, name), ..evidence };
			assert_eq!(
				faults(&evidence, INSTANT),
				[
					failure(Check::ChipBinding, Fault::Mismatch),
					failure(Check::TcbBinding, Fault::Mismatch),
					bad_leaf,
					failure(Check::ReportSignature, Fault::BadSignature),
				],
				"{name}"
			);
			let others = ["genoa", "turin"].map(|product| issuers(&folder, product));
			for issuers in others.into_iter().chain([vlek_issuers(&folder, "milan")]) {
				let evidence = SnpEvidence { issuers, ..evidence.clone() };
				assert!(faults(&evidence, INSTANT).contains(&bad_leaf), "{name}");
			}
		}
	}
}

#[test]
fn roots_should_be_pinned_and_sign_their_issuers() {
	let Some(folder) = vectors() else { return };
	let pinned = Roots::default().amd;
	for (product, ask_from) in [
		("milan", "2020-10-22T18:24:20Z"),
		("genoa", "2022-10-31T13:33:48Z"),
		("turin", "2023-05-15T20:25:21Z"),
	] {
		let asks = issuers(&folder, product);
		let asvks = vlek_issuers(&folder, product);
		let bundle = pem(&read_text(&folder, &std::format!("snp/{product}_ask_ark_asvk.pem")));
		assert_eq!(bundle[..2], asks, "{product}");
		for chain in [&asks, &asvks] {
			assert!(pinned.contains(&Digest256(sha256(&chain[1]))), "{product}");
			let mut checks = Checks::stop_at_first();
			let parsed = parse_chain(chain, &mut checks).unwrap();
			let policy = Policy::default();
			let question = Question::new(&policy, None, at(INSTANT));
			verify_chain(&parsed, ChainRules::default(), &question, &mut checks).unwrap();
		}
		let mut checks = Checks::stop_at_first();
		let parsed = parse_chain(&asks, &mut checks).unwrap();
		assert_eq!(parsed[0].window().from, at(ask_from));
	}
}

#[test]
fn chain_file_should_hold_at_every_instant_of_its_window() {
	let Some(folder) = vectors() else { return };
	let chain = pem(&read_text(&folder, "snp/cert_chain_milan"));
	assert_eq!(chain, issuers(&folder, "milan"));
	let held = |now| {
		let mut checks = Checks::stop_at_first();
		let parsed = parse_chain(&chain, &mut checks).unwrap();
		let policy = Policy::default();
		let question = Question::new(&policy, None, at(now));
		verify_chain(&parsed, ChainRules::default(), &question, &mut checks)
	};
	let (from, until) = ("2020-10-22T18:24:20Z", "2045-10-22T17:23:05Z");
	let window = Window { from: at(from), until: at(until) };
	assert_eq!(held(from), Ok(window));
	assert_eq!(held(until), Ok(window));
	let early = failure(Check::CertificateDates(0), Fault::NotYetValid);
	assert_eq!(held("2020-10-22T18:24:19Z"), Err(early));
	let late = failure(Check::CertificateDates(1), Fault::Expired);
	assert_eq!(held("2045-10-22T17:23:06Z"), Err(late));
}

#[test]
fn reports_should_be_refused_when_certificates_are_swapped() {
	let Some(folder) = vectors() else { return };
	let (test, milan) = (test_report(&folder), report_milan(&folder));
	let expected = [
		failure(Check::ChipBinding, Fault::Mismatch),
		failure(Check::ReportSignature, Fault::BadSignature),
	];
	let crossed = SnpEvidence { leaf: milan.leaf.clone(), ..test.clone() };
	assert_eq!(faults(&crossed, INSTANT), expected);
	let crossed = SnpEvidence { leaf: test.leaf.clone(), ..milan };
	assert_eq!(faults(&crossed, INSTANT), expected);
	let genoa = SnpEvidence { issuers: issuers(&folder, "genoa"), ..test.clone() };
	assert_eq!(
		faults(&genoa, INSTANT),
		[
			failure(Check::CertificateAuthority(1), Fault::Mismatch),
			failure(Check::CertificateAuthority(2), Fault::Mismatch),
			failure(Check::CertificateIssuer(0), Fault::Mismatch),
			failure(Check::CertificateSignature(0), Fault::BadSignature),
		]
	);
	let ask = issuers(&folder, "milan").remove(0);
	let mixed = SnpEvidence { issuers: vec![ask, genoa.issuers[1].clone()], ..test.clone() };
	assert_eq!(
		faults(&mixed, INSTANT),
		[
			failure(Check::CertificateAuthority(2), Fault::Mismatch),
			failure(Check::CertificateIssuer(1), Fault::Mismatch),
			failure(Check::CertificateSignature(1), Fault::BadSignature),
		]
	);
}

#[test]
fn report_should_be_refused_when_instant_nonce_or_policy_is_another() {
	let Some(folder) = vectors() else { return };
	let evidence = test_report(&folder);
	let early = [failure(Check::CertificateDates(0), Fault::NotYetValid)];
	assert_eq!(faults(&evidence, "2023-01-24T17:58:25Z"), early);
	let late = [failure(Check::CertificateDates(0), Fault::Expired)];
	assert_eq!(faults(&evidence, "2030-01-24T17:58:27Z"), late);
	let under = |policy: &Policy, nonce: &[u8]| {
		let question = Question::new(policy, Some(nonce), at(INSTANT));
		failures(|checks| verify(&evidence, &question, checks))
	};
	let nonce = from_hex(NONCE).unwrap();
	let other = [failure(Check::Nonce, Fault::Mismatch)];
	assert_eq!(under(&Policy::default(), &nonce[..31]), other);
	let revoked = [failure(Check::Revocation, Fault::Revoked)];
	let serial = HexBytes(vec![1, 0, 1]);
	let policy = Policy { revoked_serials: vec![serial], ..Policy::default() };
	assert_eq!(under(&policy, &nonce), revoked, "ASK-Milan is 0x10001");
	let chip = HexBytes(evidence.report[0x1a0..0x1e0].to_vec());
	let policy = Policy { revoked_ids: vec![chip], ..Policy::default() };
	assert_eq!(under(&policy, &nonce), revoked);
	let level = |microcode| {
		let floor = SnpTcbFloor { bootloader: 3, snp: 8, microcode, ..SnpTcbFloor::default() };
		let min_snp_tcb = [("Milan".into(), floor)].into();
		under(&Policy { min_snp_tcb, ..Policy::default() }, &nonce)
	};
	assert_eq!(level(115), []);
	let low = [failure(Check::TcbLevel, Fault::NotAccepted)];
	assert_eq!(level(116), low, "the current microcode is 206, but 115 is what the key stands for");
}

/// What bit 6 of a byte, flipped, must be refused with, first of all.
fn flipped(at: usize) -> Failure {
	match at {
		0x000..0x004 => failure(Check::Layout, Fault::UnknownVersion(2 ^ (0x40 << (8 * at)))),
		0x034..0x038 => failure(Check::Layout, Fault::UnknownAlgorithm),
		0x180 | 0x181 | 0x186 | 0x187 => failure(Check::TcbBinding, Fault::Mismatch),
		0x1a0..0x1e0 => failure(Check::ChipBinding, Fault::Mismatch),
		0x2d0..0x2e8 | 0x318..0x4a0 => failure(Check::ReportSignature, Fault::Malformed),
		_ => failure(Check::ReportSignature, Fault::BadSignature),
	}
}

#[test]
fn every_flipped_byte_of_a_report_should_be_refused() {
	let Some(folder) = vectors() else { return };
	let evidence = test_report(&folder);
	let policy = Policy::default();
	let question = Question::new(&policy, None, at(INSTANT));
	for at in 0..report::REPORT_LEN {
		let mut bad = evidence.clone();
		// A bit that means nothing in the key flags, so that the signature has to notice.
		bad.report[at] ^= 0x40;
		let found = refusal(|checks| verify(&bad, &question, checks));
		assert_eq!(found, flipped(at), "{at:#x}");
	}
}

#[test]
fn flipped_bits_should_break_the_signature_whatever_they_mean() {
	let Some(folder) = vectors() else { return };
	let bad_signature = failure(Check::ReportSignature, Fault::BadSignature);
	for at in [0x2a, 0x90, 0x180, 0x1a0, 0x29f] {
		let mut bad = test_report(&folder);
		bad.report[at] ^= 1;
		assert!(faults(&bad, INSTANT).contains(&bad_signature), "{at:#x}");
	}
}

#[test]
fn damaged_certificates_should_be_refused() {
	let Some(folder) = vectors() else { return };
	let evidence = test_report(&folder);
	let policy = Policy::default();
	let question = Question::new(&policy, None, at(INSTANT));
	let refused = |change: &dyn Fn(&mut Vec<u8>), which: usize| {
		let mut bad = evidence.clone();
		match which {
			0 => change(&mut bad.leaf),
			other => change(&mut bad.issuers[other - 1]),
		}
		refusal(|checks| verify(&bad, &question, checks))
	};
	for which in 0..3 {
		let der = if which == 0 { &evidence.leaf } else { &evidence.issuers[which - 1] };
		let index = u8::try_from(which).unwrap();
		let layout = Check::CertificateLayout(index);
		for at in 0..der.len() {
			// Any bit of a pinned root changes its digest.
			let found = refused(&|der| der[at] ^= 1, which);
			if at >= der.len() - 512 {
				let expected = match which {
					2 => failure(Check::Root, Fault::NotTrusted),
					_ => failure(Check::CertificateSignature(index), Fault::BadSignature),
				};
				assert_eq!(found, expected, "certificate {which}, byte {at}");
			}
		}
		for len in 1..der.len() {
			let expected = failure(layout, Fault::Malformed);
			assert_eq!(refused(&|der| der.truncate(len), which), expected, "{which}, {len}");
		}
		let trailing = failure(layout, Fault::TrailingBytes);
		assert_eq!(refused(&|der| der.push(0), which), trailing);
	}
}
