//! What belongs together, in any order.

use super::super::samples::{attest, document, hcl_report, quote, sample, signature, snp_report};
use super::{assemble, Assembled, Part};
use crate::attest::trust_roots;
use armature_verifier::evidence::hardware::{
	self,
	nvidia::MAX_GPUS,
	policy::HexBytes,
	tpm::{KeyOrigin, Pcrs},
	Check, Checks, Failure, Fault, HardwareEvidence, Policy, Question,
};

/// 2026-01-01.
const NOW: u64 = 1_767_225_600_000;

fn certificates(names: &[&str]) -> Vec<Part> {
	names.iter().map(|name| Part::Certificate(sample(name))).collect()
}

fn ders(names: &[&str]) -> Vec<Vec<u8>> {
	names.iter().map(|name| sample(name)).collect()
}

/// In the order given and in reverse.
fn both_ways(parts: &[Part], look: impl Fn(Assembled)) {
	let mut parts = parts.to_vec();
	for _ in 0..2 {
		look(assemble(parts.clone(), &[], NOW, None).unwrap());
		parts.reverse();
	}
}

fn refused(parts: Vec<Part>) -> String {
	assemble(parts, &[], NOW, None).unwrap_err()
}

#[test]
fn amd_certificates_should_be_sorted_by_report_and_issuer() {
	let all = certificates(&["asvk", "vlek", "vcek 2", "ark", "vcek 1", "ask"]);
	for (chip, signing_key, leaf, issuer, unused) in [
		(1, 0, "vcek 1", "ask", ["SEV-VLEK", "SEV-VCEK", "SEV-VLEK-Milan"]),
		(2, 0, "vcek 2", "ask", ["SEV-VLEK", "SEV-VCEK", "SEV-VLEK-Milan"]),
	] {
		let report = Part::SnpReport(snp_report(chip, signing_key));
		both_ways(&[all.clone(), vec![report]].concat(), |assembled| {
			let HardwareEvidence::SevSnp(evidence) = assembled.evidence else { panic!("another") };
			assert_eq!(evidence.report, snp_report(chip, signing_key));
			assert_eq!(evidence.leaf, sample(leaf));
			assert_eq!(evidence.issuers, ders(&[issuer, "ark"]));
			assert!(unused.iter().all(|name| assembled.notes[0].contains(name)));
		});
	}
	let vlek =
		[certificates(&["ask", "ark", "asvk", "vlek"]), vec![Part::SnpReport(snp_report(0, 1))]];
	both_ways(&vlek.concat(), |assembled| {
		let HardwareEvidence::SevSnp(evidence) = assembled.evidence else { panic!("another") };
		assert_eq!(evidence.leaf, sample("vlek"));
		assert_eq!(evidence.issuers, ders(&["asvk", "ark"]));
		assert_eq!(assembled.notes, ["certificates not used: SEV-Milan"]);
	});
}

#[test]
fn amd_report_should_be_assembled_without_what_is_missing() {
	let report = Part::SnpReport(snp_report(1, 0));
	let assembled = assemble(vec![report.clone()], &[], NOW, None).unwrap();
	let HardwareEvidence::SevSnp(evidence) = assembled.evidence else { panic!("another") };
	assert!(evidence.leaf.is_empty() && evidence.issuers.is_empty());
	// A root of --root completes the chain, and is not called unused otherwise.
	let parts = [certificates(&["vcek 1", "ask"]), vec![report.clone()]].concat();
	let roots = ders(&["ark", "android root"]);
	let assembled = assemble(parts, &roots, NOW, None).unwrap();
	let HardwareEvidence::SevSnp(evidence) = assembled.evidence else { panic!("another") };
	assert_eq!(evidence.issuers, ders(&["ask", "ark"]));
	assert!(assembled.notes.is_empty());
	// Somebody else's chain is handed on, so that the verifier can say what is wrong with it.
	let parts = [certificates(&["asvk", "vcek 1", "ark"]), vec![report]].concat();
	let assembled = assemble(parts, &[], NOW, None).unwrap();
	let HardwareEvidence::SevSnp(evidence) = assembled.evidence else { panic!("another") };
	assert_eq!(evidence.issuers, ders(&["asvk", "ark"]));
}

#[test]
fn android_chain_should_be_sorted_and_hold() {
	// A key names no box, and is refused unless the policy says otherwise.
	let mut policy = Policy { allow_android_key: true, ..Policy::default() };
	trust_roots(&mut policy.roots, &ders(&["android root"])).unwrap();
	let list = Part::AndroidStatus(b"{\"entries\":{}}".to_vec());
	let names = ["android root, expired", "android attestation", "android root", "android leaf"];
	both_ways(&[certificates(&names), vec![list]].concat(), |assembled| {
		let HardwareEvidence::AndroidKey(evidence) = &assembled.evidence else { panic!("another") };
		assert_eq!(evidence.chain, ders(&["android leaf", "android attestation", "android root"]));
		assert!(evidence.revocation.is_some());
		assert_eq!(assembled.notes, ["certificates not used: Test Android Root"]);
		let question = Question::new(&policy, Some(b"abc"), NOW);
		assert!(
			hardware::verify(&assembled.evidence, &question, &mut Checks::stop_at_first()).is_ok()
		);
	});
	// Alone, the expired certificate of the same key is used and refused for its date.
	let names = ["android attestation", "android leaf", "android root, expired"];
	let assembled = assemble(certificates(&names), &[], NOW, None).unwrap();
	let question = Question::new(&policy, None, NOW);
	assert_eq!(
		hardware::verify(&assembled.evidence, &question, &mut Checks::stop_at_first()),
		Err(Failure::new(Check::CertificateDates(2), Fault::Expired))
	);
}

#[test]
fn gpus_should_get_the_chain_that_signed_their_report() {
	let names = ["gpu leaf 2", "gpu rom 1", "gpu root", "gpu leaf 1", "gpu rom 2"];
	let reports =
		[Part::GpuReport(sample("gpu report 1")), Part::GpuReport(sample("gpu report 2"))];
	both_ways(&[certificates(&names), reports.to_vec()].concat(), |assembled| {
		let HardwareEvidence::NvidiaGpu(evidence) = assembled.evidence else { panic!("another") };
		assert_eq!(evidence.gpus.len(), 2);
		for gpu in evidence.gpus {
			let number = if gpu.report == sample("gpu report 1") { 1 } else { 2 };
			let (leaf, rom) = (format!("gpu leaf {number}"), format!("gpu rom {number}"));
			assert_eq!(gpu.chain, ders(&[&leaf, &rom, "gpu root"]));
		}
		assert!(assembled.notes.is_empty());
	});
	let mut damaged = sample("gpu report 1");
	damaged[10] ^= 1;
	let parts = [certificates(&names[..3]), vec![Part::GpuReport(damaged)]].concat();
	let assembled = assemble(parts, &[], NOW, None).unwrap();
	let HardwareEvidence::NvidiaGpu(evidence) = assembled.evidence else { panic!("another") };
	assert_eq!(evidence.gpus[0].chain[0], sample("gpu leaf 2"), "a chain, so that it is judged");
}

#[test]
fn tpm_key_should_come_with_what_vouches_for_it() {
	let quote =
		[Part::TpmAttest(attest()), Part::TpmSignature(signature()), Part::Pcrs(Pcrs::new())];
	let key = Part::TpmKey(sample("tpm key"));
	let origin = |more: &[Part]| {
		let parts = [quote.as_slice(), more].concat();
		let assembled = assemble(parts, &[], NOW, Some([3; 32])).unwrap();
		let HardwareEvidence::Tpm(evidence) = assembled.evidence else { panic!("another") };
		assert_eq!(evidence.attestation_key, sample("tpm key"));
		evidence.origin
	};
	assert_eq!(origin(std::slice::from_ref(&key)), KeyOrigin::Unknown);
	let chain = certificates(&["tpm root", "tpm certificate"]);
	let certified = KeyOrigin::Certified(ders(&["tpm certificate", "tpm root"]));
	assert_eq!(origin(&chain), certified);
	assert_eq!(origin(&[chain, vec![key.clone()]].concat()), certified);
	let chain = certificates(&["tpm root", "tpm endorsement"]);
	let KeyOrigin::Endorsed(binding) = origin(&[chain, vec![key.clone()]].concat()) else {
		panic!("another")
	};
	assert_eq!(binding.ek_chain, ders(&["tpm endorsement", "tpm root"]));
	assert_eq!(binding.credential_seed, Some([3; 32]));

	assert!(refused(quote.to_vec()).contains("the key that signed it"));
	assert!(refused(vec![quote[0].clone(), key.clone()]).contains("its signature"));
	assert!(refused(vec![quote[0].clone(), quote[1].clone(), key]).contains("PCR values"));
}

#[test]
fn azure_report_should_come_with_a_quote() {
	let quote = [
		Part::TpmAttest(attest()),
		Part::TpmSignature(signature()),
		Part::Pcrs(Pcrs::new()),
		Part::HclReport(hcl_report()),
	];
	let all = [quote.to_vec(), certificates(&["ark", "vcek 2", "vcek 1", "ask"])].concat();
	both_ways(&all, |assembled| {
		let HardwareEvidence::AzureSnpVtpm(evidence) = assembled.evidence else {
			panic!("another")
		};
		assert_eq!(evidence.vcek, sample("vcek 1"));
		assert_eq!(evidence.issuers, ders(&["ask", "ark"]));
		assert_eq!((evidence.attest, evidence.signature), (attest(), signature()));
	});
	assert!(refused(vec![quote[3].clone()]).contains("a quote of the vTPM"));
}

#[test]
fn documents_and_quotes_should_need_no_certificates() {
	let document = vec![Part::NitroDocument(document()), Part::PrivateKey];
	let parts = [document, certificates(&["ark"])].concat();
	let assembled = assemble(parts, &[], NOW, None).unwrap();
	assert!(matches!(assembled.evidence, HardwareEvidence::NitroEnclave(_)));
	assert_eq!(assembled.notes.len(), 2);
	assert_eq!(assembled.notes[1], "certificates not used: ARK-Milan");
	let parts = vec![Part::Quote(quote()), Part::Pcrs(Pcrs::new())];
	let assembled = assemble(parts, &[], NOW, None).unwrap();
	assert!(matches!(assembled.evidence, HardwareEvidence::Dcap(e) if e.collateral.is_none()));
	assert_eq!(assembled.notes, ["not used: PCR values"]);
}

#[test]
fn evidence_should_be_one() {
	let report = Part::SnpReport(snp_report(1, 0));
	assert!(refused(vec![]).contains("no report"));
	assert!(refused(certificates(&["ask", "ark"])).contains("no report"));
	let two = vec![report.clone(), Part::SnpReport(snp_report(2, 0))];
	assert!(refused(two).contains("SEV-SNP reports: 2 were given"));
	let same = vec![report.clone(), report.clone()];
	assert!(assemble(same, &[], NOW, None).is_ok());
	let kinds = refused(vec![report, Part::Quote(quote())]);
	assert!(kinds.contains("an SEV-SNP report and a DCAP quote"), "{kinds}");
}

#[test]
fn only_roots_should_be_trusted_as_roots() {
	let mut policy = Policy::default();
	let error = trust_roots(&mut policy.roots, &ders(&["ask"])).unwrap_err();
	assert_eq!(error, "SEV-Milan is no root: another certificate issued it");
	trust_roots(&mut policy.roots, &ders(&["ark"])).unwrap();
	assert_eq!(policy.roots.amd.last(), policy.roots.tpm.last());
	assert_ne!(policy.roots.amd.last(), policy.roots.android.last());
}

#[test]
fn lists_should_be_used_whatever_the_evidence_is() {
	let parts = [
		certificates(&["listed", "list issuer", "vcek 1", "ask", "ark"]),
		vec![Part::SnpReport(snp_report(1, 0)), Part::Crl(sample("list"))],
	]
	.concat();
	// 2030-01-01: the list is of 2026.
	let assembled = assemble(parts.clone(), &[], 1_893_456_000_000, None).unwrap();
	assert_eq!(assembled.revoked, [HexBytes(vec![0x05, 0x11])]);
	assert!(refused(parts).contains("not valid yet"));
}

#[test]
fn gpu_reports_should_be_counted_before_they_are_tried() {
	let reports = (0..=u8::try_from(MAX_GPUS).unwrap())
		.map(|n| Part::GpuReport(vec![n]))
		.collect();
	assert_eq!(refused(reports), "17 GPU reports were given; one box has at most 16");
}
