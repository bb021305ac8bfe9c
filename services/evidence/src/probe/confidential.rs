//! SEV-SNP and TDX. Evidence of both is made inside a guest, through configfs-tsm.

use super::{machine::Vendor, State, View};
use crate::tsm;

/// The first kernel with configfs-tsm.
const FIRST_KERNEL: (u32, u32) = (6, 7);

/// AMD SEV-SNP.
pub(super) fn sev_snp(view: &View<'_>) -> State {
	let machine = &view.machine;
	if view.dev("sev-guest").exists() {
		return through_tsm(view, "sev-guest");
	}
	// The kernel makes it in SEV-SNP guests only.
	if view.sys("devices/platform/sev-guest").exists() {
		return State::missing(
			"this is an SEV-SNP guest, and the driver of its firmware is not loaded",
			"modprobe sev-guest; if there is no such module, install a kernel with CONFIG_SEV_GUEST",
		);
	}
	if machine.vendor != Vendor::Amd {
		return State::not_supported("the processor is not AMD's");
	}
	if machine.is_virtual() {
		return State::missing(
			"this virtual machine is not an SEV-SNP guest, or its driver is not loaded",
			"modprobe sev-guest; if that fails, have the host start it with SEV-SNP \
			 (QEMU: -object sev-snp-guest and -machine confidential-guest-support)",
		);
	}
	if !machine.model.contains("EPYC") {
		return State::not_supported(format!(
			"only EPYC 7003 and later have SEV-SNP; this is {}",
			named(&machine.model)
		));
	}
	if machine.has("sev_snp") {
		return State::missing(
			"this is the host: SEV-SNP evidence is made inside a guest",
			"run the agent in an SEV-SNP guest on this machine (docs/operations/attesting.md)",
		);
	}
	State::missing(
		"the kernel finds no SEV-SNP on this host",
		"in the BIOS set SMEE, SEV-SNP memory (RMP) coverage and SEV-SNP support to enabled; boot \
		 Linux 6.11 or later with kvm_amd.sev=1; EPYC before 7003 has none",
	)
}

/// Intel TDX.
pub(super) fn tdx(view: &View<'_>) -> State {
	let machine = &view.machine;
	if view.dev("tdx_guest").exists() {
		return through_tsm(view, "tdx_guest");
	}
	if machine.has("tdx_guest") {
		return State::missing(
			"this is a TDX guest, and its driver is not loaded",
			"modprobe tdx_guest; if there is no such module, install a kernel with \
			 CONFIG_TDX_GUEST_DRIVER",
		);
	}
	if machine.vendor != Vendor::Intel {
		return State::not_supported("the processor is not Intel's");
	}
	if machine.is_virtual() {
		return State::missing(
			"this virtual machine is not a TDX guest",
			"have the host start it as one (QEMU: -object tdx-guest and \
			 -machine confidential-guest-support) with a quote generation service",
		);
	}
	if !machine.model.to_ascii_lowercase().contains("xeon") {
		return State::not_supported(format!(
			"only Xeon of the 4th generation (some), 5th and later have TDX; this is {}",
			named(&machine.model)
		));
	}
	if machine.has("tdx_host_platform") {
		return State::missing(
			"this is the host: TDX evidence is made inside a guest",
			"run the agent in a TDX guest on this machine (docs/operations/attesting.md)",
		);
	}
	State::missing(
		"the kernel finds no TDX on this host",
		"in the BIOS enable memory encryption (TME-MT), SGX and TDX; boot Linux 6.16 or later with \
		 kvm_intel.tdx=1",
	)
}

/// The guest's device is there: what remains is the interface, and the right to use it.
fn through_tsm(view: &View<'_>, module: &str) -> State {
	let directory = tsm::report_directory(&view.roots.sys);
	if directory.is_dir() {
		// What is made there belongs to root whatever the directory's permissions.
		if view.rights.as_ref().is_some_and(|rights| rights.overrides()) {
			return State::Available;
		}
		let remedy = "run it as root: entries of configfs-tsm belong to root \
		              (CAP_DAC_OVERRIDE is enough)";
		return view.denied(&directory, remedy).unwrap_or_else(|| {
			State::missing(
				format!("this process may not use what is made in {}", directory.display()),
				remedy,
			)
		});
	}
	let device = view.dev(module);
	let release = named(&view.machine.release);
	let (major, minor) = FIRST_KERNEL;
	if view.machine.is_older_than(major, minor) == Some(true) {
		return State::missing(
			format!(
				"{} is there, and kernel {release} is older than {major}.{minor}, the first with \
				 configfs-tsm",
				device.display()
			),
			format!("install Linux {major}.{minor} or later in the guest"),
		);
	}
	if !view.machine.has_configfs {
		return State::missing(
			format!("{} is there, and no configfs is mounted", device.display()),
			"mount -t configfs none /sys/kernel/config",
		);
	}
	State::missing(
		format!(
			"{} and configfs are there, and kernel {release} shows no {}",
			device.display(),
			directory.display()
		),
		format!(
			"modprobe -r {module}; modprobe {module}; if that does not help, install a kernel with \
			 CONFIG_TSM_REPORTS"
		),
	)
}

/// A name, or a word for none.
fn named(name: &str) -> &str {
	if name.is_empty() {
		"unknown"
	} else {
		name
	}
}
