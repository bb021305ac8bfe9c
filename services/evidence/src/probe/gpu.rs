//! NVIDIA GPUs. Their reports are not collected here; that they are there is said all the same.

use super::{State, View};
use crate::files;

/// Most devices that are looked at.
const MAX_DEVICES: usize = 4_096;

/// Most names in a message.
const MAX_NAMED: usize = 8;

const MAX_TEXT_LEN: usize = 4 * 1024;

/// PCI vendor and the class of displays and accelerators (first byte of three).
const VENDOR: &str = "0x10de";
const CLASS: &str = "0x03";

pub(super) fn state(view: &View<'_>) -> State {
	let driven = files::entries(&view.roots.proc.join("driver/nvidia/gpus"), MAX_DEVICES);
	if driven.is_empty() {
		let found = files::entries(&view.sys("bus/pci/devices"), MAX_DEVICES)
			.iter()
			.filter(|device| {
				let says = |file: &str, what: &str| {
					files::text(&device.join(file), MAX_TEXT_LEN).starts_with(what)
				};
				says("vendor", VENDOR) && says("class", CLASS)
			})
			.count();
		return match found {
			0 => State::not_supported("there is no NVIDIA GPU"),
			count => State::missing(
				format!("{}, without NVIDIA's driver", counted(count)),
				"nothing for attestation: this build does not collect GPU evidence",
			),
		};
	}
	let names: Vec<String> = driven
		.iter()
		.take(MAX_NAMED)
		.filter_map(|gpu| {
			let text = files::text(&gpu.join("information"), MAX_TEXT_LEN);
			let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
			Some(model.trim().to_owned())
		})
		.collect();
	State::missing(
		format!(
			"{} ({}), and this build does not collect GPU evidence",
			counted(driven.len()),
			names.join(", ")
		),
		"attest with the platform alone; the GPUs can be used all the same",
	)
}

fn counted(count: usize) -> String {
	match count {
		1 => "there is one NVIDIA GPU".into(),
		count => format!("there are {count} NVIDIA GPUs"),
	}
}
