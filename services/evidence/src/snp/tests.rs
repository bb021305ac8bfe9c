use super::*;
use crate::testing::{vectors, Tree};
use armature_verifier::evidence::hardware::{
	snp::SnpEvidence, Check, Checks, HardwareEvidence, Policy, Question,
};
use std::fs;

/// 2024-01-01.
const NOW: u64 = 1_704_067_200_000;

/// Offsets in a report (AMD 56860).
const FLAGS: usize = 0x48;
const DATA: usize = 0x50;
const CPUID: usize = 0x188;
const CHIP: usize = 0x1a0;

struct Real {
	report: Vec<u8>,
	vcek: Vec<u8>,
	chain: Vec<u8>,
	vlek_report: Vec<u8>,
}

fn real() -> Option<Real> {
	let vectors = vectors()?;
	let read = |name: &str| fs::read(vectors.join("snp").join(name)).unwrap();
	Some(Real {
		report: hex::decode(String::from_utf8(read("report_milan.hex")).unwrap().trim()).unwrap(),
		vcek: read("vcek_milan.der"),
		chain: read("cert_chain_milan"),
		vlek_report: read("test-vlek-report.bin"),
	})
}

fn data(report: &[u8]) -> [u8; 64] {
	report[DATA..DATA + 64].try_into().unwrap()
}

fn refused(report: &[u8], directory: Option<&Path>) -> SnpError {
	evidence(report, &data(report), &[], directory).unwrap_err()
}

#[test]
fn evidence_of_a_real_chip_should_be_accepted_by_the_verifier() {
	let Some(real) = real() else { return };
	let tree = Tree::new().file("c/vcek.der", &real.vcek).file("c/chain.pem", &real.chain);
	let asked = data(&real.report);
	let evidence = evidence(&real.report, &asked, &[], Some(&tree.path("c"))).unwrap();
	let PlatformEvidence::SevSnp { report, leaf, issuers } = evidence else {
		panic!("not SEV-SNP evidence")
	};
	let issuers: Vec<Vec<u8>> = issuers.iter().map(|issuer| issuer.to_vec()).collect();
	let evidence = HardwareEvidence::SevSnp(SnpEvidence {
		report: report.to_vec(),
		leaf: leaf.to_vec(),
		issuers,
	});
	let policy = Policy::default();
	let question = Question::new(&policy, Some(&asked), NOW);
	let mut checks = Checks::note_all();
	armature_verifier::evidence::hardware::verify(&evidence, &question, &mut checks).unwrap();
	assert_eq!(checks.failed(), []);
	let other = Question { nonce: Some(b"other"), ..question };
	let refusal = armature_verifier::evidence::hardware::verify(
		&evidence,
		&other,
		&mut Checks::stop_at_first(),
	);
	assert_eq!(refusal.unwrap_err().check, Check::Nonce);
}

#[test]
fn report_should_be_refused_when_it_is_not_what_was_asked_for() {
	let Some(real) = real() else { return };
	let other = evidence(&real.report, &[1; 64], &[], None);
	assert!(matches!(other, Err(SnpError::OtherData)));
	assert!(matches!(refused(&real.report[..1_183], None), SnpError::Report(_)));
	assert!(matches!(refused(&[0; 1_184], None), SnpError::Report(_)), "version 0");
}

#[test]
fn missing_certificates_should_be_named_with_the_way_to_them() {
	let Some(real) = real() else { return };
	let error = refused(&real.report, None);
	assert!(matches!(&error, SnpError::LeafMissing { key: "VCEK", .. }));
	let how = error.what_to_do();
	let chip = hex::encode(&real.report[CHIP..CHIP + 64]);
	let address = format!(
		"https://kdsintf.amd.com/vcek/v1/PRODUCT/{chip}?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115"
	);
	assert!(how.contains(&address), "{how}");
	assert!(how.contains("DIRECTORY/vcek.der"), "{how}");

	let tree = Tree::new().file("c/vcek.der", &real.vcek);
	let error = refused(&real.report, Some(&tree.path("c")));
	assert!(matches!(
		&error,
		SnpError::IssuersMissing { missing: "the intermediate and the root", .. }
	));
	let how = error.what_to_do();
	assert!(how.contains("/vcek/v1/PRODUCT/cert_chain"), "{how}");
	assert!(how.contains(&tree.path("c").display().to_string()), "{how}");

	let chain = String::from_utf8(real.chain).unwrap();
	let first = chain.split_inclusive("-----END CERTIFICATE-----").next().unwrap();
	let tree = tree.file("c/ask.pem", first);
	let error = refused(&real.report, Some(&tree.path("c")));
	assert!(matches!(error, SnpError::IssuersMissing { missing: "the root", .. }));
}

#[test]
fn address_should_follow_the_product() {
	let Some(mut real) = real() else { return };
	// Version 3 names the processor: a Turin has a short id and one more level.
	real.report[0] = 3;
	real.report[CPUID..CPUID + 3].copy_from_slice(&[0x1a, 0x02, 0x01]);
	let how = refused(&real.report, None).what_to_do();
	let chip = hex::encode(&real.report[CHIP..CHIP + 8]);
	assert!(how.contains(&format!("/vcek/v1/Turin/{chip}?fmcSPL=3&blSPL=0&")), "{how}");
	assert!(!how.contains("PRODUCT"), "{how}");
}

#[test]
fn another_chips_certificate_should_not_be_taken() {
	let Some(mut real) = real() else { return };
	let tree = Tree::new().file("c/vcek.der", &real.vcek).file("c/chain.pem", &real.chain);
	let at = |report: &[u8]| refused(report, Some(&tree.path("c")));
	real.report[CHIP] ^= 1;
	assert!(matches!(at(&real.report), SnpError::LeafMissing { .. }), "another chip");
	real.report[CHIP] ^= 1;
	// REPORTED_TCB.
	real.report[0x180] ^= 1;
	assert!(matches!(at(&real.report), SnpError::LeafMissing { .. }), "other firmware");
}

#[test]
fn masked_keys_and_chips_should_be_named() {
	let Some(real) = real() else { return };
	let with = |change: fn(&mut Vec<u8>)| {
		let mut report = real.report.clone();
		change(&mut report);
		refused(&report, None)
	};
	let unsigned = with(|report| report[FLAGS] = 7 << 2);
	assert!(matches!(unsigned, SnpError::Unsigned));
	assert!(unsigned.what_to_do().contains("MASK_CHIP_KEY"));
	let hidden = with(|report| report[CHIP..CHIP + 64].fill(0));
	assert!(matches!(hidden, SnpError::ChipHidden));
	assert!(hidden.what_to_do().contains("MASK_CHIP_ID"));
	let cloud = refused(&real.vlek_report, None);
	assert!(matches!(&cloud, SnpError::LeafMissing { key: "VLEK", .. }));
	assert!(cloud.what_to_do().contains("no box"));
}
