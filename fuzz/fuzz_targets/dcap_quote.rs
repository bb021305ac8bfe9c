//! Intel DCAP: a quote, with collateral (flag 2) part by part.
#![no_main]

use armature_fuzz::{judge, lenient, root_of, Asked, Input};
use armature_verifier::evidence::hardware::{
	dcap::{pem, Collateral, DcapEvidence, Quote, MAX_QUOTE_LEN},
	HardwareEvidence,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let quote = input.field().to_vec();
	let collateral = asked.flag(2).then(|| Collateral {
		pck_crl_issuer_chain: input.text(),
		root_ca_crl: input.text(),
		pck_crl: input.text(),
		tcb_info_issuer_chain: input.text(),
		tcb_info: input.text(),
		tcb_info_signature: input.text(),
		qe_identity_issuer_chain: input.text(),
		qe_identity: input.text(),
		qe_identity_signature: input.text(),
	});
	let chain = match Quote::parse(&quote) {
		Ok(parsed) => {
			assert!(quote.len() <= MAX_QUOTE_LEN);
			pem::certificates(parsed.certificates).unwrap_or_default()
		},
		Err(_) => Vec::new(),
	};
	judge(
		&HardwareEvidence::Dcap(DcapEvidence { quote, collateral }),
		&asked,
		lenient(root_of(&chain)),
	);
});
