//! TPM 2.0: quote, signature, PCR values, key, and where the key comes from.
#![no_main]

use armature_fuzz::{judge, lenient, root_of, Asked, Input};
use armature_verifier::evidence::hardware::{
	tpm::{EndorsementBinding, KeyOrigin, TpmEvidence},
	HardwareEvidence,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let (attest, signature) = (input.field().to_vec(), input.field().to_vec());
	let (pcrs, attestation_key) = (input.pcrs(), input.field().to_vec());
	let chain = input.chain();
	let root = root_of(&chain);
	let origin = match (asked.flag(2), asked.flag(3)) {
		(false, false) => KeyOrigin::Unknown,
		(false, true) => KeyOrigin::Certified(chain),
		(true, seeded) => KeyOrigin::Endorsed(EndorsementBinding {
			ek_chain: chain,
			credential_seed: seeded.then(|| input.array()),
		}),
	};
	let evidence = TpmEvidence { attest, signature, pcrs, attestation_key, origin };
	judge(&HardwareEvidence::Tpm(evidence), &asked, lenient(root));
});
