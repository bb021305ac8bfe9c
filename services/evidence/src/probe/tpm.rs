//! TPM 2.0.

use super::{State, View};
use crate::files;

const MAX_VERSION_LEN: usize = 16;

pub(super) fn state(view: &View<'_>) -> State {
	let class = view.sys("class/tpm/tpm0");
	let device = view.dev("tpmrm0");
	let version = files::text(&class.join("tpm_version_major"), MAX_VERSION_LEN);
	if version.trim() == "1" {
		return State::not_supported(
			"the TPM is of version 1.2, which has no keys of today's kinds",
		);
	}
	if !device.exists() {
		return absent(view, class.exists());
	}
	let remedy = "let the user into the device's group and log in again: usermod -aG tss USER; \
	              in a container, also map that group";
	if let Some(denied) = view.denied(&device, remedy) {
		return denied;
	}
	if cfg!(feature = "tpm") {
		State::Available
	} else {
		State::missing(
			"this build does not talk to TPMs",
			"install libtss2-dev and build with --features tpm",
		)
	}
}

/// Why there is no device.
fn absent(view: &View<'_>, known_to_kernel: bool) -> State {
	if view.dev("tpm0").exists() {
		return State::missing(
			format!(
				"{} is there, and its resource manager {} is not",
				view.dev("tpm0").display(),
				view.dev("tpmrm0").display()
			),
			"use Linux 4.12 or later; in a container, pass the other one: --device /dev/tpmrm0",
		);
	}
	if known_to_kernel {
		return State::missing(
			"the kernel has a TPM, and this environment has no device for it",
			"in a container, pass it: --device /dev/tpmrm0; else see that udev runs",
		);
	}
	State::missing(
		"the kernel finds no TPM",
		if view.machine.is_virtual() {
			"a virtual machine's TPM names no box: run the agent on the host if its TPM is to count"
		} else {
			"enable it in the BIOS (Intel PTT, AMD fTPM, or the chip), then modprobe tpm_crb tpm_tis"
		},
	)
}
