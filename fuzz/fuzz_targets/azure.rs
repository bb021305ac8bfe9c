//! Azure: HCL report, its certificates, and the quote of the vTPM.
#![no_main]

use armature_fuzz::{judge, lenient, root_of, Asked, Input};
use armature_verifier::evidence::hardware::{
	azure::AzureEvidence,
	policy::{HexBytes, Policy},
	HardwareEvidence,
};
use libfuzzer_sys::fuzz_target;

/// Where the launch measurement is in an HCL report.
const MEASUREMENT: std::ops::Range<usize> = 32 + 0x90..32 + 0x90 + 48;

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let evidence = AzureEvidence {
		hcl_report: input.field().to_vec(),
		vcek: input.field().to_vec(),
		issuers: input.chain(),
		attest: input.field().to_vec(),
		signature: input.field().to_vec(),
		pcrs: input.pcrs(),
	};
	let root = root_of(&evidence.issuers);
	// Without a reference for the firmware nothing passes: it is what the evidence brings.
	let azure_measurements = evidence
		.hcl_report
		.get(MEASUREMENT)
		.map(|m| HexBytes(m.to_vec()))
		.into_iter()
		.collect();
	let lenient = Policy { azure_measurements, ..lenient(root) };
	judge(&HardwareEvidence::AzureSnpVtpm(evidence), &asked, lenient);
});
