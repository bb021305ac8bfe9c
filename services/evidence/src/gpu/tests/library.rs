//! NVML's interface, as `nvml.c` has it.

use super::*;
use crate::{
	probe::{probe, State},
	testing::Tree,
	Collector, Source,
};
use std::{path::PathBuf, process::Command};

/// What the library answers.
struct Answers {
	init: u32,
	gpus: u32,
	feature: u32,
	developer: u32,
	lost: i32,
	old: bool,
}

impl Default for Answers {
	fn default() -> Self {
		Self { init: 0, gpus: 2, feature: 1, developer: 0, lost: -1, old: false }
	}
}

impl Answers {
	/// Builds the library where the tree expects it; `None` after saying so without a compiler.
	fn build(&self, tree: &Tree) -> Option<PathBuf> {
		let library = tree.roots().nvml;
		let chain = pem(&made_gpu(&[0; 32], 0).chain).replace('\n', "\\n");
		let mut compiler = Command::new("cc");
		compiler
			.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
			.arg(&library)
			.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/gpu/tests/nvml.c"))
			.arg(format!("-DINIT={}", self.init))
			.arg(format!("-DGPUS={}", self.gpus))
			.arg(format!("-DFEATURE={}", self.feature))
			.arg(format!("-DDEVTOOLS={}", self.developer))
			.arg(format!("-DLOST={}", self.lost))
			.arg(format!("-DCHAIN=\"{chain}\""));
		if self.old {
			compiler.arg("-DOLD");
		}
		match compiler.status() {
			Ok(status) => assert!(status.success(), "the library does not build"),
			Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
				println!("skipped: no C compiler (cc)");
				return None;
			},
			Err(error) => panic!("cc: {error}"),
		}
		Some(library)
	}

	/// Asks beside an AMD chip; `None` without a compiler.
	fn ask(&self) -> Option<Result<GpuReports, GpuError>> {
		let tree = Tree::new();
		let library = self.build(&tree)?;
		let data = report_data(&context());
		let asked = Nvml::open(&library).and_then(|nvml| reports(&nvml, &data, &made::snp(&data)));
		Some(asked)
	}
}

#[test]
fn nonce_and_answers_should_pass_through_the_library() {
	let Some(asked) = Answers::default().ask() else { return };
	let gpus = asked.unwrap();
	let data = report_data(&context());
	let named = claimed_box(&made::snp(&data)).unwrap().unwrap();
	let nonce = gpu_nonce(&data, &named);
	assert_eq!(gpus.len(), 2);
	for (number, gpu) in (0u8..).zip(&gpus) {
		assert_eq!(gpu.report.to_vec(), [&[number], &nonce[..]].concat());
		assert_eq!(gpu.chain, made_gpu(&[0; 32], 0).chain);
	}
}

#[test]
fn refusals_of_the_library_should_be_told_apart() {
	let of = |answers: Answers| answers.ask().map(|asked| asked.unwrap_err());
	let Some(off) = of(Answers { feature: 0, ..Answers::default() }) else { return };
	assert!(matches!(off, GpuError::NotConfidential), "{off}");
	let developer = of(Answers { developer: 1, ..Answers::default() }).unwrap();
	assert!(matches!(developer, GpuError::DeveloperMode), "{developer}");
	let none = of(Answers { gpus: 0, ..Answers::default() }).unwrap();
	assert!(matches!(none, GpuError::None), "{none}");
	let many = of(Answers { gpus: 9, ..Answers::default() }).unwrap();
	assert!(matches!(many, GpuError::TooMany(9)), "{many}");
	let lost = of(Answers { lost: 1, ..Answers::default() }).unwrap();
	assert!(lost.to_string().starts_with("GPU 1 gave no report: "), "{lost}");
	assert!(lost.what_to_do().contains("dmesg"));
	// NVML_ERROR_DRIVER_NOT_LOADED.
	let unloaded = of(Answers { init: 9, ..Answers::default() }).unwrap();
	assert!(matches!(unloaded, GpuError::Driver(_)), "{unloaded}");
	assert!(unloaded.what_to_do().contains("modprobe nvidia"));
	let old = of(Answers { old: true, ..Answers::default() }).unwrap();
	assert!(matches!(old, GpuError::Library { .. }), "{old}");
	assert!(old.what_to_do().contains("550 or later"));
}

#[test]
fn gpus_of_a_guest_should_raise_its_tier() {
	let guest = || {
		Tree::snp_guest()
			.file("proc/driver/nvidia/gpus/0000:03:00.0/information", "Model: NVIDIA H100\n")
	};
	let tree = guest();
	if Answers::default().build(&tree).is_none() {
		return;
	}
	let survey = probe(&tree.roots());
	assert_eq!((survey.tier, survey.source), (Tier::T3, Some(Source::SevSnp)));
	assert!(survey.is_available(Source::NvidiaGpu));
	assert_eq!(survey.next_step, "attest with sev-snp and nvidia-gpu evidence; they give T3");
	let collector = Collector { roots: tree.roots(), ..Collector::default() };
	let data = report_data(&context());
	assert_eq!(collector.gpus(&data, &made::snp(&data)).unwrap().len(), 2);

	let tree = guest();
	Answers { feature: 0, ..Answers::default() }.build(&tree);
	let survey = probe(&tree.roots());
	assert_eq!((survey.tier, survey.source), (Tier::T2, Some(Source::SevSnp)));
	let State::Missing { why, what_to_do } = &survey.finding(Source::NvidiaGpu).unwrap().state
	else {
		panic!("{survey:?}")
	};
	let expected = "there is one NVIDIA GPU (NVIDIA H100); the GPUs are not in confidential mode";
	assert_eq!(why, expected);
	assert!(what_to_do.contains("gpu-admin-tools"), "{what_to_do}");
}
