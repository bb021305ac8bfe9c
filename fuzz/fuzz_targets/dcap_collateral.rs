//! Intel DCAP: the collateral as JSON, held against a quote.
#![no_main]

use armature_fuzz::{judge, lenient, root_of, Asked, Input};
use armature_verifier::evidence::hardware::{
	dcap::{pem, Collateral, DcapEvidence, MAX_COLLATERAL_LEN},
	HardwareEvidence,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let quote = input.field().to_vec();
	let json = input.rest();
	let Ok(collateral) = Collateral::from_json(json) else { return };
	assert!(json.len() <= MAX_COLLATERAL_LEN);
	let written = serde_json::to_vec(&collateral).expect("it can be written");
	if written.len() <= MAX_COLLATERAL_LEN {
		assert_eq!(Collateral::from_json(&written).as_ref(), Ok(&collateral));
	}
	let root = root_of(
		&pem::certificates(collateral.tcb_info_issuer_chain.as_bytes()).unwrap_or_default(),
	);
	let evidence = DcapEvidence { quote, collateral: Some(collateral) };
	judge(&HardwareEvidence::Dcap(evidence), &asked, lenient(root));
});
