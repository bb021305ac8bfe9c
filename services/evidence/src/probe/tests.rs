use super::*;
use crate::testing::Tree;
use std::{fs, os::unix::fs::PermissionsExt};

const AMD: &str = "AuthenticAMD";
const INTEL: &str = "GenuineIntel";
const EPYC: &str = "AMD EPYC 7763 64-Core Processor";
const XEON: &str = "INTEL(R) XEON(R) PLATINUM 8592+";
const REPORTS: &str = "sys/kernel/config/tsm/report";

fn state(tree: &Tree, source: Source) -> State {
	probe(&tree.roots()).finding(source).unwrap().state.clone()
}

/// What is missing, and what to do.
fn missing(tree: &Tree, source: Source) -> (String, String) {
	match state(tree, source) {
		State::Missing { why, what_to_do } => (why, what_to_do),
		other => panic!("{source} is not missing: {other:?}"),
	}
}

fn not_supported(tree: &Tree, source: Source) -> String {
	match state(tree, source) {
		State::NotSupported { why } => why,
		other => panic!("{source} may be supported: {other:?}"),
	}
}

/// A TDX guest in which all is well.
fn tdx_guest() -> Tree {
	Tree::new()
		.cpu(INTEL, XEON, "hypervisor tdx_guest")
		.kernel("6.11.0")
		.root_rights()
		.file("dev/tdx_guest", "")
		.directory(REPORTS)
}

#[test]
fn guests_should_reach_their_tier() {
	for (tree, source) in [(Tree::snp_guest(), Source::SevSnp), (tdx_guest(), Source::Tdx)] {
		let survey = probe(&tree.roots());
		assert_eq!((survey.tier, survey.source), (Tier::T2, Some(source)));
		assert_eq!(survey.next_step, format!("attest with {source} evidence; it gives T2"));
		assert!(survey.is_available(source));
	}
}

#[test]
fn machine_without_anything_should_be_told_to_use_the_device_key() {
	let survey = probe(&Tree::new().roots());
	assert_eq!((survey.tier, survey.source), (Tier::T0, None));
	assert_eq!(survey.findings.len(), Source::ALL.len());
	assert!(survey.next_step.contains("device key alone"), "{}", survey.next_step);
	let sources: Vec<Source> = survey.findings.iter().map(|finding| finding.source).collect();
	assert_eq!(sources, Source::ALL);
}

#[test]
fn old_kernel_should_be_named() {
	for release in ["6.6.52-1-lts", "5.15.0", "6.1"] {
		let tree = Tree::snp_guest().kernel(release);
		fs::remove_dir_all(tree.path("sys/kernel/config")).unwrap();
		let (why, what_to_do) = missing(&tree, Source::SevSnp);
		assert!(why.contains(release) && why.contains("older than 6.7"), "{why}");
		assert_eq!(what_to_do, "install Linux 6.7 or later in the guest");
	}
}

#[test]
fn missing_mount_should_be_named() {
	for release in ["6.7.0", "7.0.1", ""] {
		let tree = Tree::snp_guest()
			.kernel(release)
			.file("proc/self/mounts", "sysfs /sys sysfs rw 0 0\n");
		fs::remove_dir_all(tree.path("sys/kernel/config")).unwrap();
		let (why, what_to_do) = missing(&tree, Source::SevSnp);
		assert!(why.contains("no configfs is mounted"), "{why}");
		assert_eq!(what_to_do, "mount -t configfs none /sys/kernel/config");
	}
}

#[test]
fn kernel_without_reports_should_be_named() {
	let tree = Tree::snp_guest();
	fs::remove_dir_all(tree.path("sys/kernel/config/tsm")).unwrap();
	let (why, what_to_do) = missing(&tree, Source::SevSnp);
	assert!(why.contains("shows no") && why.contains("tsm/report"), "{why}");
	assert!(what_to_do.contains("modprobe sev-guest"), "{what_to_do}");
	assert!(what_to_do.contains("CONFIG_TSM_REPORTS"), "{what_to_do}");
}

#[test]
fn users_without_rights_should_be_told() {
	let tree = Tree::snp_guest().rights(1000, 1000, "", "0000000000000000");
	let (why, what_to_do) = missing(&tree, Source::SevSnp);
	assert!(why.contains("may not use"), "{why}");
	assert!(what_to_do.contains("root"), "{what_to_do}");
	// Permissions of the directory do not make it so: what is made in it belongs to root.
	fs::set_permissions(tree.path(REPORTS), fs::Permissions::from_mode(0o777)).unwrap();
	let (why, _) = missing(&tree, Source::SevSnp);
	assert!(why.contains("what is made in"), "{why}");
	let capable = tree.rights(1000, 1000, "", "0000000000000002");
	assert_eq!(state(&capable, Source::SevSnp), State::Available);
	fs::remove_file(capable.path("proc/self/status")).unwrap();
	let (why, what_to_do) = missing(&capable, Source::SevSnp);
	assert!(why.contains("self/status") && what_to_do.contains("/proc"), "{why}");
}

#[test]
fn guest_without_its_driver_should_be_told_apart() {
	let tree = Tree::snp_guest().directory("sys/devices/platform/sev-guest");
	fs::remove_file(tree.path("dev/sev-guest")).unwrap();
	let (why, what_to_do) = missing(&tree, Source::SevSnp);
	assert!(why.contains("driver of its firmware is not loaded"), "{why}");
	assert!(what_to_do.starts_with("modprobe sev-guest"), "{what_to_do}");
	let tree = tdx_guest();
	fs::remove_file(tree.path("dev/tdx_guest")).unwrap();
	let (_, what_to_do) = missing(&tree, Source::Tdx);
	assert!(what_to_do.starts_with("modprobe tdx_guest"), "{what_to_do}");
}

#[test]
fn sev_snp_should_follow_the_processor() {
	let of = |model, flags| Tree::new().cpu(AMD, model, flags);
	assert!(missing(&of(EPYC, "hypervisor"), Source::SevSnp)
		.0
		.contains("not an SEV-SNP guest"));
	let host = of(EPYC, "sev sev_es sev_snp");
	assert!(missing(&host, Source::SevSnp).0.contains("this is the host"));
	assert!(missing(&of(EPYC, "sev sev_es"), Source::SevSnp).1.contains("BIOS"));
	assert!(not_supported(&of("AMD Ryzen 9 7950X", ""), Source::SevSnp).contains("Ryzen 9 7950X"));
	let intel = Tree::new().cpu(INTEL, XEON, "");
	assert!(not_supported(&intel, Source::SevSnp).contains("not AMD's"));
	assert!(probe(&host.roots())
		.next_step
		.starts_with("for T2: run the agent in an SEV-SNP guest"));
}

#[test]
fn tdx_should_follow_the_processor() {
	let of = |model, flags| Tree::new().cpu(INTEL, model, flags);
	assert!(missing(&of(XEON, "hypervisor"), Source::Tdx).0.contains("not a TDX guest"));
	assert!(missing(&of(XEON, "tdx_host_platform"), Source::Tdx)
		.0
		.contains("this is the host"));
	assert!(missing(&of(XEON, ""), Source::Tdx).1.contains("BIOS"));
	assert!(not_supported(&of("Intel(R) Core(TM) i9", ""), Source::Tdx).contains("Core(TM) i9"));
	assert!(not_supported(&Tree::new().cpu(AMD, EPYC, ""), Source::Tdx).contains("not Intel's"));
}

#[test]
fn processor_that_is_not_named_should_be_said_to_be_unknown() {
	let tree = Tree::new().file("proc/cpuinfo", "vendor_id : AuthenticAMD\n");
	assert!(not_supported(&tree, Source::SevSnp).ends_with("this is unknown"));
}

/// A machine with a TPM that its user may use.
fn with_tpm() -> Tree {
	Tree::new()
		.root_rights()
		.file("dev/tpmrm0", "")
		.file("sys/class/tpm/tpm0/tpm_version_major", "2\n")
}

#[test]
fn tpm_should_be_available_when_the_build_has_it() {
	let tree = with_tpm();
	if cfg!(feature = "tpm") {
		assert_eq!(state(&tree, Source::Tpm), State::Available);
	} else {
		assert!(missing(&tree, Source::Tpm).1.contains("--features tpm"));
	}
	let survey = probe(&tree.roots());
	assert_eq!((survey.tier, survey.source), (Tier::T0, None), "a TPM alone names no box on chain");
}

#[test]
fn tpm_of_the_older_kind_should_not_be_supported() {
	let tree = with_tpm().file("sys/class/tpm/tpm0/tpm_version_major", "1\n");
	assert!(not_supported(&tree, Source::Tpm).contains("1.2"));
}

#[test]
fn tpm_that_is_not_there_should_be_told_apart() {
	let none = Tree::new();
	assert!(missing(&none, Source::Tpm).1.contains("BIOS"));
	let guest = Tree::new().cpu(AMD, EPYC, "hypervisor");
	assert!(missing(&guest, Source::Tpm).1.contains("host"));
	let contained = Tree::new().directory("sys/class/tpm/tpm0");
	assert!(missing(&contained, Source::Tpm).1.contains("--device /dev/tpmrm0"));
	let old = Tree::new().file("dev/tpm0", "");
	assert!(missing(&old, Source::Tpm).0.contains("resource manager"));
}

#[test]
fn rights_to_the_tpm_should_follow_owner_group_and_others() {
	let tree = with_tpm();
	let device = tree.path("dev/tpmrm0");
	let (user, group) = {
		use std::os::unix::fs::MetadataExt;
		let metadata = device.metadata().unwrap();
		(metadata.uid(), metadata.gid())
	};
	let may = |mode: u32, user: u32, group: u32, groups: &str, capabilities: &str| {
		fs::set_permissions(&device, fs::Permissions::from_mode(mode)).unwrap();
		let status = format!(
			"Uid:\t0\t{user}\t0\t0\nGid:\t0\t{group}\t0\t0\nGroups:\t{groups}\nCapEff:\t{capabilities}\n"
		);
		let proc = tree.path("proc");
		fs::write(proc.join("self/status"), status).unwrap();
		let denied = match state(&tree, Source::Tpm) {
			State::Missing { why, what_to_do } if why.contains("may not use") => {
				assert!(what_to_do.contains("usermod -aG tss"), "{what_to_do}");
				true
			},
			_ => false,
		};
		!denied
	};
	let (other, foreign) = (user + 1, group + 1);
	assert!(may(0o600, user, foreign, "", "0"));
	assert!(!may(0o060, user, group, "", "0"), "the owner's permissions are the owner's");
	assert!(may(0o660, other, group, "", "0"));
	assert!(may(0o660, other, foreign, &format!("{} {group}", group + 2), "0"));
	assert!(!may(0o660, other, foreign, "", "0"));
	assert!(!may(0o640, other, group, "", "0"), "read only");
	assert!(may(0o666, other, foreign, "", "0"));
	assert!(may(0o000, other, foreign, "", "2"));
	assert!(!may(0o000, other, foreign, "", "fffffffffffffffd"));
}

#[test]
fn rights_should_be_unknown_when_the_kernel_says_something_else() {
	let read = |text: &str| {
		let tree = Tree::new().file("proc/self/status", text);
		Rights::read(&tree.path("proc"))
	};
	let good = "Uid:\t1\t2\t3\t4\nGid:\t1\t2\t3\t4\nGroups:\t7 x 8\nCapEff:\t2\n";
	assert!(read(good).is_some_and(|rights| rights.overrides()));
	for name in ["Uid", "Gid", "Groups", "CapEff"] {
		assert_eq!(read(&good.replace(name, "Other")), None, "{name}");
	}
	assert_eq!(read(&good.replace("CapEff:\t2", "CapEff:\tx")), None);
	assert_eq!(read("Uid:\t1\nGid:\t1\nGroups:\t\nCapEff:\t0\n"), None);
}

#[test]
fn gpus_should_be_counted_and_named() {
	let gpu = |tree: Tree, at: &str, vendor: &str, class: &str| {
		tree.file(&format!("sys/bus/pci/devices/{at}/vendor"), vendor)
			.file(&format!("sys/bus/pci/devices/{at}/class"), class)
	};
	assert!(not_supported(&Tree::new(), Source::NvidiaGpu).contains("no NVIDIA GPU"));
	// Another maker's display, and NVIDIA's network card.
	let tree = gpu(Tree::new(), "0000:01:00.0", "0x1002\n", "0x030000\n");
	let tree = gpu(tree, "0000:02:00.0", "0x10de\n", "0x020000\n");
	assert!(not_supported(&tree, Source::NvidiaGpu).contains("no NVIDIA GPU"));
	let tree = gpu(tree, "0000:03:00.0", "0x10de\n", "0x030200\n");
	assert!(missing(&tree, Source::NvidiaGpu).0.contains("one NVIDIA GPU, without"));
	let tree = gpu(tree, "0000:04:00.0", "0x10de\n", "0x030000\n");
	assert!(missing(&tree, Source::NvidiaGpu).0.contains("2 NVIDIA GPUs, without"));
	let tree = tree.file(
		"proc/driver/nvidia/gpus/0000:03:00.0/information",
		"Model: \t NVIDIA H100 PCIe\nIRQ: 1\n",
	);
	let (why, what_to_do) = missing(&tree, Source::NvidiaGpu);
	assert!(why.contains("one NVIDIA GPU (NVIDIA H100 PCIe); reports of GPUs count only"), "{why}");
	assert!(what_to_do.contains("in an SEV-SNP or TDX guest"), "{what_to_do}");
}

#[test]
fn gpus_should_not_raise_the_tier_of_a_guest() {
	let tree =
		Tree::snp_guest().file("proc/driver/nvidia/gpus/0000:03:00.0/information", "Model: H100\n");
	assert_eq!(probe(&tree.roots()).tier, Tier::T2);
}

#[test]
fn every_finding_should_say_what_to_do() {
	let machines = [
		Tree::new(),
		Tree::snp_guest(),
		tdx_guest(),
		with_tpm(),
		Tree::new().cpu(AMD, EPYC, ""),
		Tree::new().cpu(INTEL, XEON, "").file("dev/tpm0", ""),
	];
	for tree in machines {
		let survey = probe(&tree.roots());
		assert!(!survey.next_step.is_empty());
		for finding in &survey.findings {
			let text = finding.to_string();
			assert!(text.starts_with(finding.source.name()), "{text}");
			match &finding.state {
				State::Available => {},
				State::Missing { why, what_to_do } => {
					assert!(!why.is_empty() && !what_to_do.is_empty(), "{text}");
				},
				State::NotSupported { why } => assert!(!why.is_empty(), "{text}"),
			}
		}
	}
}

#[test]
fn survey_should_be_read_back_from_json() {
	let survey = probe(&Tree::snp_guest().roots());
	let json = serde_json::to_value(&survey).unwrap();
	assert_eq!(json["source"], "sev-snp");
	assert_eq!(json["findings"][0]["state"], "available");
	assert_eq!(json["findings"][1]["state"], "not-supported");
	assert_eq!(json["findings"][1]["gives"], "t2");
	assert_eq!(serde_json::from_value::<Survey>(json).unwrap(), survey);
	for source in Source::ALL {
		assert_eq!(serde_json::to_value(source).unwrap(), source.name());
	}
}

#[test]
fn this_machine_should_be_looked_at_without_harm() {
	let survey = probe(&Roots::default());
	assert_eq!(survey.findings.len(), Source::ALL.len());
}
