//! What this machine is made of.

use crate::{
	key::DeviceKey,
	telemetry::{self, free_mib},
};
use armature_primitives::{
	evidence::{Inventory, InventoryText},
	H256,
};
use codec::Encode;
use std::{fs, path::Path};
use sysinfo::{MemoryRefreshKind, System};

/// Files below `/` that name this machine for good. Some only root can read.
const MACHINE_IDS: [&str; 4] = [
	"etc/machine-id",
	"sys/class/dmi/id/product_uuid",
	"sys/class/dmi/id/product_serial",
	"sys/class/dmi/id/board_serial",
];

/// Describes the machine that this runs on. `data_dir` is where workloads and blobs will be kept.
///
/// The machine digest is salted with the chain's genesis, so that it cannot be matched across
/// chains. On a machine that names no id at all it stands for the device key.
pub fn inventory(key: &DeviceKey, genesis: &H256, data_dir: &Path) -> Inventory {
	let (model, threads) = telemetry::cpu();
	let memory = System::new().map_or(0, |mut system| {
		system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
		system.total_memory()
	});
	let os = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
	let kernel = System::kernel_version().unwrap_or_default();
	Inventory {
		cpu_model: text(&model),
		threads: u16::try_from(threads).unwrap_or(u16::MAX),
		memory_mib: u32::try_from(memory >> 20).unwrap_or(u32::MAX),
		storage_mib: free_mib(data_dir),
		system: text(format!("{os}, {kernel}, {}", std::env::consts::ARCH).as_str()),
		agent: text(concat!("armature-agent ", env!("CARGO_PKG_VERSION"))),
		machine_digest: machine_digest(key, genesis, Path::new("/")),
	}
}

fn machine_digest(key: &DeviceKey, genesis: &H256, root: &Path) -> H256 {
	let ids: Vec<(&str, String)> = MACHINE_IDS
		.iter()
		.filter_map(|file| {
			let id = fs::read_to_string(root.join(file)).ok()?;
			let id = id.trim();
			(!id.is_empty()).then(|| (*file, id.to_owned()))
		})
		.collect();
	let fallback = ids.is_empty().then(|| key.public());
	H256(sp_crypto_hashing::blake2_256(&("armature/machine", genesis, ids, fallback).encode()))
}

/// Without control characters and cut at a character's end to what an inventory may hold.
fn text(raw: &str) -> InventoryText {
	let mut text = InventoryText::new();
	for character in raw.trim().chars().filter(|character| !character.is_control()) {
		let mut bytes = [0u8; 4];
		let bytes = character.encode_utf8(&mut bytes).as_bytes();
		let mut longer = text.clone();
		if bytes.iter().try_for_each(|byte| longer.try_push(*byte)).is_err() {
			break;
		}
		text = longer;
	}
	text
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn texts_should_be_cut_between_characters() {
		assert_eq!(text(" a\u{7}b\n").as_slice(), b"ab");
		let long = text(&"é".repeat(100));
		assert_eq!(long.len(), 128);
		assert!(std::str::from_utf8(&long).is_ok());
		let odd = text(&format!("x{}", "é".repeat(100)));
		assert_eq!(odd.len(), 127);
	}

	#[test]
	fn the_machine_digest_should_be_stable_and_tell_nothing_across_chains() {
		let root = tempfile::tempdir().expect("a directory");
		fs::create_dir_all(root.path().join("etc")).expect("created");
		fs::write(root.path().join("etc/machine-id"), "abc\n").expect("written");
		let key = DeviceKey::from_seed(&[9; 32]);
		let digest = |key, chain: u8| machine_digest(key, &H256([chain; 32]), root.path());
		assert_eq!(digest(&key, 1), digest(&key, 1));
		assert_ne!(digest(&key, 1), digest(&key, 2));
		let other = DeviceKey::from_seed(&[8; 32]);
		assert_eq!(digest(&key, 1), digest(&other, 1), "one machine, whatever its key");
		let before = digest(&key, 1);
		fs::write(root.path().join("etc/machine-id"), "def\n").expect("written");
		assert_ne!(digest(&key, 1), before);
		fs::remove_file(root.path().join("etc/machine-id")).expect("removed");
		assert_ne!(digest(&key, 1), digest(&other, 1), "nothing to go by but the key");
	}
}
