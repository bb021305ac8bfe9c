//! AMD SEV-SNP: report, leaf, issuers.
#![no_main]

use armature_fuzz::{judge, lenient, root_of, Asked, Input};
use armature_verifier::evidence::hardware::{
	snp::{Report, SnpEvidence, REPORT_LEN},
	HardwareEvidence,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let evidence = SnpEvidence {
		report: input.field().to_vec(),
		leaf: input.field().to_vec(),
		issuers: input.chain(),
	};
	if Report::parse(&evidence.report).is_ok() {
		assert_eq!(evidence.report.len(), REPORT_LEN);
	}
	let root = root_of(&evidence.issuers);
	judge(&HardwareEvidence::SevSnp(evidence), &asked, lenient(root));
});
