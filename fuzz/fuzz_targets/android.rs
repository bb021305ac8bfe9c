//! Android Key Attestation: a chain and, with flag 2, Google's revocation list.
#![no_main]

use armature_fuzz::{judge, lenient, root_key_of, Asked, Input};
use armature_verifier::evidence::hardware::{android::AndroidEvidence, HardwareEvidence};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let chain = input.chain();
	let revocation = asked.flag(2).then(|| input.rest().to_vec());
	let root = root_key_of(&chain);
	judge(
		&HardwareEvidence::AndroidKey(AndroidEvidence { chain, revocation }),
		&asked,
		lenient(root),
	);
});
