//! NVIDIA GPUs, which count beside a confidential platform.

use super::{State, View};
use crate::{
	files,
	gpu::{ready, GpuError, Nvml},
};

/// Most devices that are looked at.
const MAX_DEVICES: usize = 4_096;

/// Most names in a message.
const MAX_NAMED: usize = 8;

const MAX_TEXT_LEN: usize = 4 * 1024;

/// PCI vendor and the class of displays and accelerators (first byte of three).
const VENDOR: &str = "0x10de";
const CLASS: &str = "0x03";

const DRIVER: &str =
	"install NVIDIA's data center driver 550 or later, and load it: modprobe nvidia";

/// `beside`: whether there is a platform that GPUs count beside. The driver is asked only then.
pub(super) fn state(view: &View<'_>, beside: bool) -> State {
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
				if beside { DRIVER } else { GpuError::NoBox.what_to_do() },
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
	let asked = if beside {
		Nvml::open(&view.roots.nvml).and_then(|driver| ready(&driver))
	} else {
		Err(GpuError::NoBox)
	};
	match asked {
		Ok(_) => State::Available,
		Err(error) => State::missing(
			format!("{} ({}); {error}", counted(driven.len()), names.join(", ")),
			error.what_to_do(),
		),
	}
}

fn counted(count: usize) -> String {
	match count {
		1 => "there is one NVIDIA GPU".into(),
		count => format!("there are {count} NVIDIA GPUs"),
	}
}
