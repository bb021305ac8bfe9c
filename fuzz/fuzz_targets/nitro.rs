//! AWS Nitro Enclaves: a document.
#![no_main]

use armature_fuzz::{judge, lenient, root_of, Asked, Input};
use armature_verifier::evidence::hardware::{
	nitro::{Document, Envelope, NitroEvidence, MAX_DOCUMENT_LEN},
	HardwareEvidence,
};
use libfuzzer_sys::fuzz_target;

/// The root comes first.
fn root(document: &[u8]) -> Option<&[u8]> {
	let envelope = Envelope::parse(document).ok()?;
	assert!(document.len() <= MAX_DOCUMENT_LEN);
	Document::parse(envelope.payload).ok()?.cabundle.first().copied()
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let document = input.rest().to_vec();
	let root = root(&document).and_then(|root| root_of(&[root]));
	judge(&HardwareEvidence::NitroEnclave(NitroEvidence { document }), &asked, lenient(root));
});
