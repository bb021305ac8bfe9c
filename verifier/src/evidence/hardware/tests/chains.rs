//! The chains of [`made`]: who writes them, and that they are what they are said to be.

use super::super::{
	crypto::{Hash, Scheme},
	snp::{KeyKind, Product},
	testing::{
		made::{CHIPS, GPUS},
		nitro,
		nvidia::{boot_rom_key, Device},
		snp::Made,
		tpm::attestation_spec,
		CertSpec, Key, Seeded, NOW,
	},
};
use rsa::{pkcs1::EncodeRsaPrivateKey, PrivateKey};
use std::{
	collections::BTreeMap,
	fs,
	path::{Path, PathBuf},
	vec,
	vec::Vec,
};

const DAY: u64 = 86_400_000;

/// The end of NVIDIA's certificates, 9999-12-31T23:59:59Z.
const NEVER: u64 = 253_402_300_799_000;

fn rsa(seed: u64, bits: usize) -> PrivateKey {
	PrivateKey::new(&mut Seeded::new(seed), bits).unwrap()
}

/// For twenty years, as makers' authorities live.
fn lasting(spec: CertSpec) -> CertSpec {
	CertSpec { until: NOW + 20 * 365 * DAY, ..spec }
}

fn authority(subject: &'static str, issuer: &'static str, serial: u8) -> CertSpec {
	lasting(CertSpec { serial: vec![serial], ..CertSpec::new(subject, issuer).authority() })
}

/// ARK, ASK, and the VCEK of every chip.
fn snp() -> Vec<Vec<u8>> {
	let (ark, ask) = (Key::Rsa(rsa(11, 4_096)), Key::Rsa(rsa(12, 4_096)));
	let scheme = Some(Scheme::RsaPss(Hash::Sha384));
	let root = CertSpec { scheme, ..authority("ARK-Milan", "ARK-Milan", 1) };
	let issuer = CertSpec { scheme, ..authority("SEV-Milan", "ARK-Milan", 2) };
	let mut all = vec![root.sign(&ark, &ark), issuer.sign(&ask, &ark)];
	for chip in 0..CHIPS {
		let made = Made::new(Product::Milan, KeyKind::Vcek, 3).of_chip(chip);
		all.push(lasting(made.leaf).sign(&made.leaf_key, &ask));
	}
	all
}

/// Root, a TPM maker's authority, an attestation key's certificate.
fn tpm() -> Vec<Vec<u8>> {
	let (root, ca) = (Key::Rsa(rsa(14, 2_048)), Key::Rsa(rsa(2, 2_048)));
	vec![
		authority("TPM root", "TPM root", 1).sign(&root, &root),
		authority("TPM CA", "TPM root", 2).sign(&ca, &root),
		lasting(attestation_spec()).sign(&Key::Rsa(rsa(1, 2_048)), &ca),
	]
}

/// Root and the two authorities above a phone's keys.
fn android() -> Vec<Vec<u8>> {
	let (root, middle, attestation) = (Key::Rsa(rsa(13, 4_096)), Key::p384(2), Key::p256(3));
	vec![
		authority("root", "root", 1).sign(&root, &root),
		authority("middle", "root", 2).sign(&middle, &root),
		authority("attestation", "middle", 3).sign(&attestation, &middle),
	]
}

/// Root, region, zone, instance, and the leaf of three hours.
fn nitro_chain() -> Vec<Vec<u8>> {
	let (root, region, zone, instance) = (Key::p384(1), Key::p384(2), Key::p384(4), Key::p384(5));
	let leaf = CertSpec {
		serial: vec![0x77],
		from: NOW - DAY / 24,
		until: NOW + DAY / 12,
		..CertSpec::new("leaf", "instance")
	};
	vec![
		authority("root", "root", 1).sign(&root, &root),
		authority("region", "root", 2).sign(&region, &root),
		authority("zone", "region", 3).sign(&zone, &region),
		authority("instance", "zone", 4).sign(&instance, &zone),
		leaf.sign(&nitro::leaf_key(), &instance),
	]
}

/// Root, product, provisioner, and boot ROM and firmware of every GPU.
fn gpus() -> Vec<Vec<u8>> {
	let (root, product, provisioner) = (Key::p384(1), Key::p384(6), Key::p384(2));
	let never = |spec: CertSpec| CertSpec { until: NEVER, ..spec };
	let mut all = vec![
		never(authority("device identity", "device identity", 1)).sign(&root, &root),
		never(authority("GH100 identity", "device identity", 2)).sign(&product, &root),
		never(authority("GH100 provisioner", "GH100 identity", 3)).sign(&provisioner, &product),
	];
	for number in 0..GPUS {
		let gpu = Device::gpu(number);
		let boot_rom = boot_rom_key(number);
		let spec = CertSpec {
			serial: vec![0x41, number],
			..CertSpec::new(gpu.boot_rom, "GH100 provisioner").authority()
		};
		all.push(never(spec).sign(&boot_rom, &provisioner));
		all.push(never(gpu.leaf).sign(&gpu.leaf_key, &boot_rom));
	}
	all
}

fn folder() -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR")).join("src/evidence/hardware/testing")
}

#[test]
fn chains_should_be_those_that_are_committed() {
	let mut made: BTreeMap<_, _> =
		[("made/gpus.der", gpus().concat()), ("made/nitro.der", nitro_chain().concat())].into();
	// To make keys of RSA takes minutes; that these chains hold is shown by whoever verifies them.
	if std::env::var_os("ARMATURE_WRITE_CHAINS").is_some() {
		let keys = [("rsa-1.der", 1, 2_048), ("rsa-2.der", 2, 2_048), ("rsa-4096.der", 15, 4_096)];
		for (name, seed, bits) in keys {
			made.insert(name, rsa(seed, bits).to_pkcs1_der().unwrap().as_bytes().to_vec());
		}
		made.insert("made/snp.der", snp().concat());
		made.insert("made/tpm.der", tpm().concat());
		made.insert("made/android.der", android().concat());
		for (name, bytes) in &made {
			fs::write(folder().join(name), bytes).unwrap();
		}
	}
	for (name, bytes) in made {
		assert!(
			fs::read(folder().join(name)).unwrap() == bytes,
			"{name} is stale; run ARMATURE_WRITE_CHAINS=1 cargo test -p armature-verifier chains"
		);
	}
}
