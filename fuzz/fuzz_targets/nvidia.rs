//! NVIDIA: reports and chains of the GPUs of a box.
#![no_main]

use armature_fuzz::{judge, lenient, root_of, Asked, Input};
use armature_verifier::evidence::hardware::{
	nvidia::{GpuEvidence, NvidiaEvidence},
	HardwareEvidence,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let asked = Asked::read(&mut input);
	let gpus =
		input.list(|input| GpuEvidence { report: input.field().to_vec(), chain: input.chain() });
	let root = gpus.last().and_then(|gpu| root_of(&gpu.chain));
	judge(&HardwareEvidence::NvidiaGpu(NvidiaEvidence { gpus }), &asked, lenient(root));
});
