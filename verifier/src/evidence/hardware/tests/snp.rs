//! SEV-SNP: evidence of our own making, every rule both ways; real evidence is in `vectors`.

mod vectors;

use super::{
	super::{
		check::{Check, Checks, Failure, Fault, Side},
		claims::{Claims, DebugStatus, IdentityKind},
		policy::{HexBytes, Policy, SnpTcbFloor},
		snp::{report, verify, verify_report, KeyKind, Product, Report, SnpEvidence, Tcb},
		testing::{
			integer, octets,
			snp::{offset, policy_for, Made},
			tlv, Key, NOW,
		},
		x509::MAX_CERTIFICATE_LEN,
		Question,
	},
	common::{failure, failures, refusal},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, format, string::String, vec, vec::Vec};

const HARDWARE_ID: &str = "1.3.6.1.4.1.3704.1.4";
const PRODUCT_NAME: &str = "1.3.6.1.4.1.3704.1.2";

fn question(policy: &Policy) -> Question<'_> {
	Question::new(policy, Some(b"nonce"), NOW)
}

/// All failures under the default policy that trusts the evidence's own root.
fn faults(made: &Made) -> Vec<Failure> {
	let evidence = made.evidence();
	let policy = policy_for(&evidence);
	failures(|checks| verify(&evidence, &question(&policy), checks))
}

/// All failures under this policy, which is made to trust the evidence's own root.
fn faults_under(made: &Made, policy: Policy) -> Vec<Failure> {
	let evidence = made.evidence();
	let policy = Policy { roots: policy_for(&evidence).roots, ..policy };
	failures(|checks| verify(&evidence, &question(&policy), checks))
}

fn accepted(made: &Made, policy: Policy) -> Claims {
	let evidence = made.evidence();
	let policy = Policy { roots: policy_for(&evidence).roots, ..policy };
	verify(&evidence, &question(&policy), &mut Checks::stop_at_first()).unwrap()
}

fn fact(claims: &Claims, name: &str) -> String {
	let found = claims.facts.iter().find(|fact| fact.name == name);
	found.unwrap_or_else(|| panic!("no fact {name}")).value.clone()
}

#[test]
fn made_evidence_should_hold_for_every_product_and_version() {
	for product in [Product::Milan, Product::Genoa, Product::Turin] {
		for version in 2..=5 {
			let made = Made::new(product, KeyKind::Vcek, version);
			let claims = accepted(&made, Policy::default());
			assert_eq!(claims.model, product.name());
			assert_eq!(claims.identity.kind, IdentityKind::AmdChip);
			assert_eq!(claims.identity.id, Made::chip_id()[..product.chip_id_len()]);
			assert_eq!(claims.debug, DebugStatus::Disabled);
			assert_eq!(claims.valid.contains(NOW), Ok(()));
			assert_eq!(claims.measurements[0].digest, [7; 48]);
			assert_eq!(claims.facts.iter().any(|fact| fact.name == "cpuid"), version >= 3);
			let mitigations = claims.facts.iter().any(|fact| fact.name == "launch-mitigations");
			assert_eq!(mitigations, version >= 5);
		}
	}
}

#[test]
fn versions_should_be_read_as_each_product_lays_them_out() {
	let claims = accepted(&Made::milan(), Policy::default());
	assert_eq!(claims.firmware, "bl 3, tee 1, snp 8, ucode 115");
	assert_eq!(claims.tcb, 0x00_03_01_08_73);
	let claims = accepted(&Made::new(Product::Turin, KeyKind::Vcek, 5), Policy::default());
	assert_eq!(claims.firmware, "fmc 2, bl 3, tee 1, snp 8, ucode 115");
	assert_eq!(claims.tcb, 0x02_03_01_08_73);
}

#[test]
fn mitigations_should_be_read_when_the_version_has_them() {
	let mut vectors = vec![5, 0, 0, 0, 0, 0, 0, 0];
	vectors.extend([9, 0, 0, 0, 0, 0, 0, 0x80]);
	let made =
		Made::new(Product::Turin, KeyKind::Vcek, 5).put(offset::LAUNCH_MITIGATIONS, &vectors);
	let claims = accepted(&made, Policy::default());
	assert_eq!(fact(&claims, "launch-mitigations"), "0x5");
	assert_eq!(fact(&claims, "current-mitigations"), "0x8000000000000009");
}

#[test]
fn every_check_should_be_listed_when_all_hold() {
	let evidence = Made::milan().evidence();
	let policy = policy_for(&evidence);
	let mut checks = Checks::note_all();
	verify(&evidence, &question(&policy), &mut checks).unwrap();
	assert_eq!(checks.failed(), []);
	let passed: BTreeSet<_> = checks.passed().map(|check| format!("{check}")).collect();
	let mut expected: BTreeSet<String> = [
		"layout",
		"root",
		"report-signature",
		"key-binding",
		"chip-binding",
		"tcb-binding",
		"nonce",
		"debug",
		"tcb-level",
		"measurement",
		"box-identity",
		"revocation",
		"privilege-level",
		"platform-configuration",
	]
	.map(String::from)
	.into();
	for at in 0..3 {
		for name in ["layout", "issuer", "signature", "dates"] {
			expected.insert(format!("certificate-{name}[{at}]"));
		}
	}
	expected.extend([1, 2].map(|at| format!("certificate-authority[{at}]")));
	assert_eq!(passed, expected);
}

#[test]
fn report_should_be_judged_without_its_nonce_when_another_format_asks() {
	let evidence = Made::milan().evidence();
	let policy = policy_for(&evidence);
	let question = Question::new(&policy, Some(b"another"), NOW);
	let SnpEvidence { report, leaf, issuers } = &evidence;
	let mut checks = Checks::stop_at_first();
	let (claims, report) =
		verify_report(report, leaf, issuers, &[], &question, &mut checks).unwrap();
	assert_eq!(&report.report_data[..5], b"nonce");
	assert_eq!(claims.nonce, report.report_data);
	assert!(checks.passed().all(|check| check != Check::Nonce));
}

#[test]
fn nonce_should_be_the_one_that_was_asked_for() {
	let evidence = Made::milan().evidence();
	let policy = policy_for(&evidence);
	let ask = |nonce| {
		let question = Question::new(&policy, nonce, NOW);
		failures(|checks| verify(&evidence, &question, checks))
	};
	let mismatch = [failure(Check::Nonce, Fault::Mismatch)];
	assert_eq!(ask(None), []);
	assert_eq!(ask(Some(b"nonce".as_slice())), []);
	for wrong in [b"nonc".as_slice(), b"nonce2", b"Nonce", b"", &[0; 64], &[0; 65]] {
		assert_eq!(ask(Some(wrong)), mismatch, "{wrong:?}");
	}
}

#[test]
fn vlek_should_be_refused_when_the_policy_wants_a_box() {
	for product in [Product::Milan, Product::Genoa, Product::Turin] {
		let made = Made::new(product, KeyKind::Vlek, 3);
		assert_eq!(faults(&made), [failure(Check::BoxIdentity, Fault::NotAccepted)]);
		let claims = accepted(&made, Policy { allow_vlek: true, ..Policy::default() });
		assert_eq!(claims.identity.kind, IdentityKind::CloudInstance);
		assert_eq!(claims.identity.id, b"CN=cloud.example");
		assert_eq!(fact(&claims, "csp-id"), "CN=cloud.example");
	}
}

#[test]
fn policy_should_refuse_when_the_guest_can_be_debugged_or_moved() {
	let debug = Made::milan().put(offset::POLICY, &0xb001f_u64.to_le_bytes());
	assert_eq!(faults(&debug), [failure(Check::Debug, Fault::NotAccepted)]);
	let claims = accepted(&debug, Policy { allow_debug: true, ..Policy::default() });
	assert_eq!(claims.debug, DebugStatus::Enabled);
	let moved = Made::milan().put(offset::POLICY, &0x7001f_u64.to_le_bytes());
	assert_eq!(faults(&moved), [failure(Check::PlatformConfiguration, Fault::NotAccepted)]);
	accepted(&moved, Policy { allow_migration_agent: true, ..Policy::default() });
}

#[test]
fn policy_should_refuse_when_the_privilege_level_is_too_high() {
	let made = Made::milan().put(offset::VMPL, &2_u32.to_le_bytes());
	let refused = [failure(Check::PrivilegeLevel, Fault::NotAccepted)];
	assert_eq!(faults(&made), refused);
	assert_eq!(faults_under(&made, Policy { max_vmpl: 1, ..Policy::default() }), refused);
	assert_eq!(faults_under(&made, Policy { max_vmpl: 2, ..Policy::default() }), []);
}

#[test]
fn policy_should_refuse_when_any_version_is_below_its_floor() {
	let turin = Made::new(Product::Turin, KeyKind::Vcek, 5);
	let at = SnpTcbFloor { fmc: 2, bootloader: 3, tee: 1, snp: 8, microcode: 115 };
	let under = |floor: SnpTcbFloor| {
		let min_snp_tcb = [("Turin".into(), floor)].into();
		faults_under(&turin, Policy { min_snp_tcb, ..Policy::default() })
	};
	assert_eq!(under(at), []);
	for above in [
		SnpTcbFloor { fmc: 3, ..at },
		SnpTcbFloor { bootloader: 4, ..at },
		SnpTcbFloor { tee: 2, ..at },
		SnpTcbFloor { snp: 9, ..at },
		SnpTcbFloor { microcode: 116, ..at },
	] {
		assert_eq!(under(above), [failure(Check::TcbLevel, Fault::NotAccepted)], "{above:?}");
	}
}

#[test]
fn policy_should_refuse_when_floors_leave_the_product_out() {
	let min_snp_tcb = [("Genoa".into(), SnpTcbFloor::default())].into();
	assert_eq!(
		faults_under(&Made::milan(), Policy { min_snp_tcb, ..Policy::default() }),
		[failure(Check::TcbLevel, Fault::NoReference)]
	);
}

#[test]
fn policy_should_refuse_when_the_measurement_is_another() {
	let with = |digest: u8| Policy {
		measurements: vec![HexBytes(vec![1; 48]), HexBytes(vec![digest; 48])],
		..Policy::default()
	};
	assert_eq!(faults_under(&Made::milan(), with(7)), []);
	assert_eq!(
		faults_under(&Made::milan(), with(8)),
		[failure(Check::Measurement, Fault::NotAccepted)]
	);
}

#[test]
fn policy_should_refuse_when_chip_cloud_or_issuer_is_revoked() {
	let revoked = [failure(Check::Revocation, Fault::Revoked)];
	let id = |id: &[u8]| Policy { revoked_ids: vec![HexBytes(id.to_vec())], ..Policy::default() };
	let serial =
		|serial: u8| Policy { revoked_serials: vec![HexBytes(vec![serial])], ..Policy::default() };
	let made = Made::milan();
	assert_eq!(faults_under(&made, id(&Made::chip_id())), revoked);
	assert_eq!(faults_under(&made, id(&[9; 64])), []);
	let vlek = Made::new(Product::Milan, KeyKind::Vlek, 3);
	let policy = Policy { allow_vlek: true, ..id(b"CN=cloud.example") };
	assert_eq!(faults_under(&vlek, policy), revoked);
	assert_eq!(faults_under(&made, serial(1)), revoked, "ARK");
	assert_eq!(faults_under(&made, serial(2)), revoked, "ASK");
	assert_eq!(faults_under(&made, serial(0)), [], "every VCEK has serial number 0");
}

#[test]
fn chip_should_be_the_certificates() {
	let chip = [failure(Check::ChipBinding, Fault::Mismatch)];
	let mut other = Made::chip_id();
	other[63] ^= 1;
	assert_eq!(faults(&Made::milan().put(offset::CHIP_ID, &other)), chip);
	let turin = Made::new(Product::Turin, KeyKind::Vcek, 5);
	assert_eq!(faults(&turin.put(offset::CHIP_ID, &[1, 2, 3, 4, 5, 6, 7, 9])), chip);
	let wrapped = octets(&Made::chip_id());
	assert_eq!(faults(&Made::milan().extension(HARDWARE_ID, Some(wrapped.clone()))), []);
	let missing = Made::milan().extension(HARDWARE_ID, None);
	assert_eq!(faults(&missing), [failure(Check::ChipBinding, Fault::Missing)]);
	let trailing = [wrapped, vec![0]].concat();
	for value in [vec![], octets(&[]), vec![1; 8], octets(&[1; 8]), vec![1; 65], trailing] {
		let made = Made::milan().extension(HARDWARE_ID, Some(value.clone()));
		assert_eq!(faults(&made), [failure(Check::ChipBinding, Fault::Malformed)], "{value:?}");
	}
}

#[test]
fn chip_should_be_of_the_certificates_product() {
	let made = Made::milan().put(offset::CPUID, &[0x19, 0x11, 1]);
	assert_eq!(faults(&made), [failure(Check::ChipBinding, Fault::Mismatch)]);
	let unknown = Made::milan().put(offset::CPUID, &[0x1b, 0, 0]);
	assert_eq!(faults(&unknown), [], "the certificate decides about models that came later");
}

#[test]
fn chip_that_is_hidden_should_name_no_box() {
	let hidden = Made::milan().put(offset::CHIP_ID, &[0; 64]);
	let expected = [
		failure(Check::ChipBinding, Fault::Mismatch),
		failure(Check::BoxIdentity, Fault::NotAccepted),
	];
	assert_eq!(faults(&hidden), expected);
	let masked = Made::milan().put(offset::KEY_FLAGS, &[2]);
	assert_eq!(faults(&masked), [failure(Check::BoxIdentity, Fault::NotAccepted)]);
	let zero = hidden.extension(HARDWARE_ID, Some(vec![0; 64]));
	assert_eq!(faults(&zero), [failure(Check::BoxIdentity, Fault::NotAccepted)]);
}

#[test]
fn versions_should_be_the_certificates() {
	for (product, places) in
		[(Product::Milan, [0, 1, 6, 7].as_slice()), (Product::Turin, &[0, 1, 2, 3, 7])]
	{
		for place in places {
			let mut made = Made::new(product, KeyKind::Vcek, 3);
			made.report[offset::REPORTED_TCB + place] += 1;
			assert_eq!(faults(&made), [failure(Check::TcbBinding, Fault::Mismatch)], "{place}");
		}
	}
	for oid in [
		"1.3.6.1.4.1.3704.1.3.1",
		"1.3.6.1.4.1.3704.1.3.2",
		"1.3.6.1.4.1.3704.1.3.3",
		"1.3.6.1.4.1.3704.1.3.8",
		"1.3.6.1.4.1.3704.1.3.9",
	] {
		let turin = || Made::new(Product::Turin, KeyKind::Vcek, 5);
		let missing = turin().extension(oid, None);
		assert_eq!(faults(&missing), [failure(Check::TcbBinding, Fault::Missing)], "{oid}");
		let trailing = [integer(&[3]), vec![0]].concat();
		for value in [vec![], integer(&[1, 0]), octets(&[3]), trailing] {
			let made = turin().extension(oid, Some(value));
			assert_eq!(faults(&made), [failure(Check::TcbBinding, Fault::Malformed)], "{oid}");
		}
	}
}

#[test]
fn key_should_be_the_kind_that_the_report_names() {
	for flags in [4, 7 << 2, 2 << 2] {
		let made = Made::milan().put(offset::KEY_FLAGS, &[flags]);
		assert_eq!(faults(&made), [failure(Check::KeyBinding, Fault::Mismatch)], "{flags}");
	}
	let vlek = Made::new(Product::Milan, KeyKind::Vlek, 3).put(offset::KEY_FLAGS, &[0]);
	assert_eq!(
		faults_under(&vlek, Policy { allow_vlek: true, ..Policy::default() }),
		[failure(Check::KeyBinding, Fault::Mismatch)]
	);
	let author = Made::milan().put(offset::KEY_FLAGS, &[1]);
	assert_eq!(faults(&author), []);
}

#[test]
fn vlek_should_name_its_cloud() {
	let policy = || Policy { allow_vlek: true, ..Policy::default() };
	let made = || Made::new(Product::Milan, KeyKind::Vlek, 3);
	let oid = "1.3.6.1.4.1.3704.1.5";
	let missing = [failure(Check::CertificateLayout(0), Fault::Missing)];
	assert_eq!(faults_under(&made().extension(oid, None), policy()), missing);
	let utf8 = made().extension(oid, Some(tlv(0x0c, b"CN=cloud")));
	let malformed = [failure(Check::CertificateLayout(0), Fault::Malformed)];
	assert_eq!(faults_under(&utf8, policy()), malformed);
}

#[test]
fn issuer_should_be_the_one_for_the_kind_of_key_and_the_product() {
	let mut made = Made::milan();
	made.leaf.issuer = "SEV-VLEK-Milan";
	made.issuer.subject = "SEV-VLEK-Milan";
	let wrong_issuer = failure(Check::CertificateAuthority(1), Fault::Mismatch);
	assert_eq!(faults(&made), [wrong_issuer]);
	let mut made = Made::milan();
	made.leaf.issuer = "SEV-Genoa";
	made.issuer.subject = "SEV-Genoa";
	assert_eq!(faults(&made), [wrong_issuer]);
	let mut made = Made::milan();
	made.issuer.issuer = "ARK-Genoa";
	made.root.subject = "ARK-Genoa";
	made.root.issuer = "ARK-Genoa";
	assert_eq!(faults(&made), [failure(Check::CertificateAuthority(2), Fault::Mismatch)]);
	let mut made = Made::milan();
	made.issuer.ca = false;
	assert_eq!(faults(&made), [failure(Check::CertificateAuthority(1), Fault::NotAccepted)]);
}

#[test]
fn leaf_should_name_a_key_and_a_product_that_are_known() {
	let malformed = [failure(Check::CertificateLayout(0), Fault::Malformed)];
	let mut made = Made::milan();
	made.leaf.subject = "SEV-Milan";
	assert_eq!(faults(&made), malformed);
	let missing = Made::milan().extension(PRODUCT_NAME, None);
	assert_eq!(faults(&missing), [failure(Check::CertificateLayout(0), Fault::Missing)]);
	for value in [vec![], tlv(0x16, b"Rome-B0"), tlv(0x16, &[0xff]), tlv(0x04, b"Milan-B0")] {
		assert_eq!(faults(&Made::milan().extension(PRODUCT_NAME, Some(value))), malformed);
	}
}

#[test]
fn signature_should_be_the_certified_keys() {
	let mut made = Made::milan();
	made.report_key = Key::p384(4);
	assert_eq!(faults(&made), [failure(Check::ReportSignature, Fault::BadSignature)]);
	let mut made = Made::milan();
	made.leaf_key = Key::p256(3);
	assert_eq!(faults(&made), [failure(Check::ReportSignature, Fault::UnknownAlgorithm)]);
	let mut made = Made::milan();
	made.leaf_key = Key::rsa2048();
	assert_eq!(faults(&made), [failure(Check::ReportSignature, Fault::UnknownAlgorithm)]);
}

#[test]
fn instant_should_be_inside_every_certificate() {
	for at in 0..3_u8 {
		let made = |from, until| {
			let mut made = Made::milan();
			let spec = match at {
				0 => &mut made.leaf,
				1 => &mut made.issuer,
				_ => &mut made.root,
			};
			(spec.from, spec.until) = (from, until);
			made
		};
		let window = accepted(&made(NOW, NOW), Policy::default()).valid;
		assert_eq!((window.from, window.until), (NOW, NOW));
		let check = Check::CertificateDates(at);
		assert_eq!(faults(&made(NOW + 1_000, NOW + 2_000)), [failure(check, Fault::NotYetValid)]);
		assert_eq!(faults(&made(NOW - 2_000, NOW - 1_000)), [failure(check, Fault::Expired)]);
	}
}

#[test]
fn certificates_should_be_there_in_order_and_trusted() {
	let evidence = Made::milan().evidence();
	let policy = policy_for(&evidence);
	let try_with = |change: &dyn Fn(&mut SnpEvidence), policy: &Policy| {
		let mut changed = evidence.clone();
		change(&mut changed);
		failures(|checks| verify(&changed, &question(policy), checks))
	};
	let same = |_: &mut SnpEvidence| {};
	let untrusted = [failure(Check::Root, Fault::NotTrusted)];
	assert_eq!(try_with(&same, &policy), []);
	assert_eq!(try_with(&same, &Policy::default()), untrusted);
	let missing = [failure(Check::Root, Fault::Missing)];
	assert_eq!(try_with(&|e| e.issuers.clear(), &policy), missing);
	assert_eq!(try_with(&|e| e.issuers.truncate(1), &policy), missing);
	let more = |e: &mut SnpEvidence| e.issuers.push(vec![]);
	assert_eq!(try_with(&more, &policy), [failure(Check::Layout, Fault::TooLarge)]);
	let no_leaf = |e: &mut SnpEvidence| e.leaf.clear();
	assert_eq!(try_with(&no_leaf, &policy), [failure(Check::CertificateLayout(0), Fault::Missing)]);
	for at in 0..3 {
		let large = |e: &mut SnpEvidence| {
			*[&mut e.leaf].into_iter().chain(&mut e.issuers).nth(at).unwrap() =
				vec![0x30; MAX_CERTIFICATE_LEN + 1];
		};
		let check = Check::CertificateLayout(u8::try_from(at).unwrap());
		assert_eq!(try_with(&large, &policy), [failure(check, Fault::TooLarge)]);
	}
	let swapped = try_with(&|e| e.issuers.reverse(), &policy);
	assert_eq!(
		swapped,
		[
			failure(Check::CertificateAuthority(1), Fault::Mismatch),
			failure(Check::CertificateAuthority(2), Fault::Mismatch),
			failure(Check::Root, Fault::NotTrusted),
			failure(Check::CertificateIssuer(0), Fault::Mismatch),
			failure(Check::CertificateIssuer(1), Fault::Mismatch),
			failure(Check::CertificateIssuer(2), Fault::Mismatch),
			failure(Check::CertificateSignature(2), Fault::BadSignature),
			failure(Check::CertificateSignature(1), Fault::BadSignature),
			failure(Check::CertificateSignature(0), Fault::BadSignature),
		]
	);
}

#[test]
fn layout_should_be_refused_when_length_version_or_algorithm_is_another() {
	let evidence = Made::milan().evidence();
	let policy = policy_for(&evidence);
	let refused = |report: Vec<u8>| {
		let changed = SnpEvidence { report, ..evidence.clone() };
		refusal(|checks| verify(&changed, &question(&policy), checks))
	};
	for len in 0..report::REPORT_LEN {
		let cut = evidence.report[..len].to_vec();
		assert_eq!(refused(cut), failure(Check::Layout, Fault::Truncated), "{len}");
	}
	for more in [1, 70, 1_000_000] {
		let mut long = evidence.report.clone();
		long.resize(long.len() + more, 0);
		assert_eq!(refused(long), failure(Check::Layout, Fault::TrailingBytes));
	}
	for version in [0, 1, 6, u32::MAX] {
		let made = Made::milan().put(offset::VERSION, &version.to_le_bytes());
		assert_eq!(faults(&made), [failure(Check::Layout, Fault::UnknownVersion(version))]);
	}
	for algorithm in [0, 2, 257_u32] {
		let made = Made::milan().put(offset::ALGORITHM, &algorithm.to_le_bytes());
		assert_eq!(faults(&made), [failure(Check::Layout, Fault::UnknownAlgorithm)]);
	}
}

#[test]
fn signature_should_be_written_in_one_way() {
	let evidence = Made::milan().evidence();
	let policy = policy_for(&evidence);
	let malformed = failure(Check::ReportSignature, Fault::Malformed);
	for at in (0x030..0x048).chain(0x078..0x200) {
		let mut changed = evidence.clone();
		let at = offset::SIGNATURE + at;
		changed.report[at] = 1;
		let (_, signature) = changed.report.split_at(report::SIGNED_LEN);
		assert_eq!(report::signature(signature), Err(Fault::Malformed), "{at:#x}");
		if [0x2d0, 0x2e7, 0x318, 0x32f, 0x330, 0x49f].contains(&at) {
			let found = failures(|checks| verify(&changed, &question(&policy), checks));
			assert_eq!(found, [malformed], "{at:#x}");
		}
	}
}

#[test]
fn every_failing_check_should_be_listed_when_all_are_noted() {
	let mut made = Made::milan()
		.put(offset::POLICY, &0xf001f_u64.to_le_bytes())
		.put(offset::VMPL, &[3])
		.put(offset::KEY_FLAGS, &[4])
		.put(offset::REPORT_DATA, b"other")
		.put(offset::REPORTED_TCB, &[2])
		.put(offset::CHIP_ID, &[0; 64]);
	made.leaf.until = NOW - 1_000;
	made.report_key = Key::p384(5);
	let evidence = made.evidence();
	let policy = Policy {
		roots: Policy::default().roots,
		min_snp_tcb: [("Milan".into(), SnpTcbFloor { bootloader: 3, ..SnpTcbFloor::default() })]
			.into(),
		measurements: vec![HexBytes(vec![1; 48])],
		revoked_serials: vec![HexBytes(vec![2])],
		..Policy::default()
	};
	let expected = [
		failure(Check::Nonce, Fault::Mismatch),
		failure(Check::KeyBinding, Fault::Mismatch),
		failure(Check::ChipBinding, Fault::Mismatch),
		failure(Check::TcbBinding, Fault::Mismatch),
		failure(Check::Root, Fault::NotTrusted),
		failure(Check::CertificateDates(0), Fault::Expired),
		failure(Check::ReportSignature, Fault::BadSignature),
		failure(Check::Debug, Fault::NotAccepted),
		failure(Check::PlatformConfiguration, Fault::NotAccepted),
		failure(Check::PrivilegeLevel, Fault::NotAccepted),
		failure(Check::BoxIdentity, Fault::NotAccepted),
		failure(Check::TcbLevel, Fault::NotAccepted),
		failure(Check::Measurement, Fault::NotAccepted),
		failure(Check::Revocation, Fault::Revoked),
	];
	let mut checks = Checks::note_all();
	assert!(verify(&evidence, &question(&policy), &mut checks).is_ok(), "all could be read");
	assert_eq!(checks.failed(), expected);
	assert!(!checks.holds(Side::Crypto) && !checks.holds(Side::Policy));
	assert_eq!(refusal(|checks| verify(&evidence, &question(&policy), checks)), expected[0]);
}

/// A report of any version with any content.
fn any_report() -> impl Strategy<Value = Vec<u8>> {
	let content = prop::collection::vec(any::<u8>(), report::REPORT_LEN);
	(0..8_u32, content).prop_map(|(version, mut bytes)| {
		bytes[..4].copy_from_slice(&version.to_le_bytes());
		bytes[offset::ALGORITHM..][..4].copy_from_slice(&1_u32.to_le_bytes());
		bytes
	})
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn any_report_should_be_refused_without_panic(report in any_report()) {
		let evidence = SnpEvidence { report, ..Made::milan().evidence() };
		let policy = policy_for(&evidence);
		let question = Question::new(&policy, None, NOW);
		let failed = failures(|checks| verify(&evidence, &question, checks));
		let read = Report::parse(&evidence.report).is_ok();
		let expected = if read { Check::ReportSignature } else { Check::Layout };
		prop_assert!(failed.iter().any(|failure| failure.check == expected), "{failed:?}");
	}

	#[test]
	fn any_bytes_should_be_refused_without_panic(
		report in prop::collection::vec(any::<u8>(), 0..1_400),
		leaf in prop::collection::vec(any::<u8>(), 0..300),
		issuers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4),
	) {
		let evidence = SnpEvidence { report, leaf, issuers };
		let policy = Policy::default();
		prop_assert!(!failures(|checks| verify(&evidence, &question(&policy), checks)).is_empty());
	}

	#[test]
	fn packed_versions_should_not_fall_when_no_part_does(low: [u8; 8], high: [u8; 8]) {
		for product in [Product::Milan, Product::Genoa, Product::Turin] {
			let (low, high) = (Tcb::read(low, product), Tcb::read(high, product));
			let floor = SnpTcbFloor {
				fmc: low.fmc,
				bootloader: low.bootloader,
				tee: low.tee,
				snp: low.snp,
				microcode: low.microcode,
			};
			let top = Tcb {
				fmc: low.fmc.max(high.fmc),
				bootloader: low.bootloader.max(high.bootloader),
				tee: low.tee.max(high.tee),
				snp: low.snp.max(high.snp),
				microcode: low.microcode.max(high.microcode),
			};
			prop_assert!(top.reaches(&floor));
			prop_assert!(top.packed() >= low.packed());
			prop_assert!(!high.reaches(&floor) || high.packed() >= low.packed());
			prop_assert!(high == low || high.packed() != low.packed());
		}
	}
}
