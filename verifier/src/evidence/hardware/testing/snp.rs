//! SEV-SNP evidence of our own making.

use super::{
	super::{
		crypto::{sha256, Hash, Scheme},
		policy::{Digest256, Policy, Roots},
		snp::{KeyKind, Product, SnpEvidence},
	},
	integer, tlv, CertSpec, Key,
};
use alloc::{vec, vec::Vec};

/// Offsets of fields in a report.
pub(in super::super) mod offset {
	pub(in super::super::super) const VERSION: usize = 0x000;
	pub(in super::super::super) const POLICY: usize = 0x008;
	pub(in super::super::super) const VMPL: usize = 0x030;
	pub(in super::super::super) const ALGORITHM: usize = 0x034;
	pub(in super::super::super) const KEY_FLAGS: usize = 0x048;
	pub(in super::super::super) const REPORT_DATA: usize = 0x050;
	pub(in super::super::super) const MEASUREMENT: usize = 0x090;
	pub(in super::super::super) const REPORTED_TCB: usize = 0x180;
	pub(in super::super::super) const CPUID: usize = 0x188;
	pub(in super::super::super) const CHIP_ID: usize = 0x1a0;
	pub(in super::super::super) const LAUNCH_MITIGATIONS: usize = 0x1f8;
	pub(in super::super::super) const SIGNATURE: usize = 0x2a0;
}

/// The extension with the chip's id.
const HARDWARE_ID: &str = "1.3.6.1.4.1.3704.1.4";

/// Evidence that is complete and honest until a test changes a part of it.
#[derive(Clone)]
pub(in super::super) struct Made {
	/// The signed part of the report.
	pub(in super::super) report: Vec<u8>,
	/// The certificate of the signing key.
	pub(in super::super) leaf: CertSpec,
	/// ASK or ASVK.
	pub(in super::super) issuer: CertSpec,
	/// ARK.
	pub(in super::super) root: CertSpec,
	/// The key that is certified.
	pub(in super::super) leaf_key: Key,
	/// The key that signs the report.
	pub(in super::super) report_key: Key,
}

/// Versions in the certificate and in the report: boot loader 3, TEE 1, SNP 8, microcode 115; on
/// Turin FMC 2 as well.
pub(in super::super) fn tcb(product: Product) -> [u8; 8] {
	match product {
		Product::Milan | Product::Genoa => [3, 1, 0, 0, 0, 0, 8, 115],
		Product::Turin => [2, 3, 1, 8, 0, 0, 0, 115],
	}
}

pub(in super::super) fn authority(
	subject: &'static str,
	issuer: &'static str,
	serial: u8,
) -> CertSpec {
	let scheme = Some(Scheme::RsaPss(Hash::Sha384));
	CertSpec { scheme, serial: vec![serial], ..CertSpec::new(subject, issuer).authority() }
}

impl Made {
	/// The chip that a VCEK is of: bytes 1 to 64.
	pub(in super::super) fn chip_id() -> Vec<u8> {
		(1..=64).collect()
	}

	/// Of this product, signed by this kind of key, with a report of this version.
	pub(in super::super) fn new(product: Product, kind: KeyKind, version: u32) -> Self {
		let (root, issuer, name, cpuid) = match (product, kind) {
			(Product::Milan, KeyKind::Vcek) => ("ARK-Milan", "SEV-Milan", "Milan-B0", [25, 1, 1]),
			(Product::Milan, KeyKind::Vlek) => ("ARK-Milan", "SEV-VLEK-Milan", "Milan", [25, 1, 1]),
			(Product::Genoa, KeyKind::Vcek) => ("ARK-Genoa", "SEV-Genoa", "Genoa-B1", [25, 17, 1]),
			(Product::Genoa, KeyKind::Vlek) => {
				("ARK-Genoa", "SEV-VLEK-Genoa", "Genoa", [25, 17, 1])
			},
			(Product::Turin, KeyKind::Vcek) => ("ARK-Turin", "SEV-Turin", "Turin-C1", [26, 2, 1]),
			(Product::Turin, KeyKind::Vlek) => ("ARK-Turin", "SEV-VLEK-Turin", "Turin", [26, 2, 1]),
		};
		let subject = match kind {
			KeyKind::Vcek => "SEV-VCEK",
			KeyKind::Vlek => "SEV-VLEK",
		};
		let mut leaf = CertSpec::new(subject, issuer)
			.with("1.3.6.1.4.1.3704.1.2", tlv(0x16, name.as_bytes()))
			.with("1.3.6.1.4.1.3704.1.3.1", integer(&[3]))
			.with("1.3.6.1.4.1.3704.1.3.2", integer(&[1]))
			.with("1.3.6.1.4.1.3704.1.3.3", integer(&[8]))
			.with("1.3.6.1.4.1.3704.1.3.8", integer(&[115]));
		leaf.serial = vec![0];
		leaf.scheme = Some(Scheme::RsaPss(Hash::Sha384));
		let mut chip = vec![0; 64];
		let len = product.chip_id_len();
		match kind {
			KeyKind::Vcek => {
				chip[..len].copy_from_slice(&Self::chip_id()[..len]);
				leaf = leaf.with(HARDWARE_ID, chip[..len].to_vec());
			},
			KeyKind::Vlek => {
				leaf = leaf.with("1.3.6.1.4.1.3704.1.5", tlv(0x16, b"CN=cloud.example"));
			},
		}
		if product == Product::Turin {
			leaf = leaf.with("1.3.6.1.4.1.3704.1.3.9", integer(&[2]));
		}
		let made = Self {
			report: vec![0; offset::SIGNATURE],
			leaf,
			issuer: authority(issuer, root, 2),
			root: authority(root, root, 1),
			leaf_key: Key::p384(3),
			report_key: Key::p384(3),
		};
		let made = made
			.put(offset::VERSION, &version.to_le_bytes())
			.put(offset::POLICY, &0x3001f_u64.to_le_bytes())
			.put(offset::ALGORITHM, &[1])
			.put(offset::KEY_FLAGS, &(kind.number() << 2).to_le_bytes())
			.put(offset::REPORT_DATA, b"nonce")
			.put(offset::MEASUREMENT, &[7; 48])
			.put(offset::REPORTED_TCB, &tcb(product))
			.put(offset::CHIP_ID, &chip);
		if version >= 3 {
			made.put(offset::CPUID, &cpuid)
		} else {
			made
		}
	}

	/// A version-3 report of a Milan chip.
	pub(in super::super) fn milan() -> Self {
		Self::new(Product::Milan, KeyKind::Vcek, 3)
	}

	/// The same with other bytes in the report.
	pub(in super::super) fn put(mut self, at: usize, bytes: &[u8]) -> Self {
		self.report[at..at + bytes.len()].copy_from_slice(bytes);
		self
	}

	/// The same with another value of an extension of the leaf, or without it.
	pub(in super::super) fn extension(mut self, oid: &'static str, value: Option<Vec<u8>>) -> Self {
		self.leaf.extensions.retain(|(id, _)| *id != oid);
		if let Some(value) = value {
			self.leaf = self.leaf.with(oid, value);
		}
		self
	}

	/// Of another chip, with a key of its own. Its number is the last byte of its id.
	pub(in super::super) fn of_chip(self, chip: u8) -> Self {
		let mut id = Self::chip_id();
		*id.last_mut().unwrap() = chip;
		let made = self.put(offset::CHIP_ID, &id).extension(HARDWARE_ID, Some(id));
		let key = Key::p384(0x20 + chip);
		Self { leaf_key: key.clone(), report_key: key, ..made }
	}

	/// The report, signed.
	pub(in super::super) fn signed(&self) -> Vec<u8> {
		let signature = self.report_key.sign_fixed(Hash::Sha384, &self.report);
		let mut report = self.report.clone();
		for half in signature.chunks(signature.len() / 2) {
			report.extend(half.iter().rev());
			report.extend(vec![0; 72 - half.len()]);
		}
		report.resize(0x4a0, 0);
		report
	}

	/// Signed by everybody.
	pub(in super::super) fn evidence(&self) -> SnpEvidence {
		let (issuer_key, root_key) = (Key::rsa2048(), Key::other_rsa2048());
		SnpEvidence {
			report: self.signed(),
			leaf: self.leaf.sign(&self.leaf_key, &issuer_key),
			issuers: vec![
				self.issuer.sign(&issuer_key, &root_key),
				self.root.sign(&root_key, &root_key),
			],
		}
	}
}

/// The defaults, but trusting the root of this evidence alone.
pub(in super::super) fn policy_for(evidence: &SnpEvidence) -> Policy {
	let amd = evidence
		.issuers
		.last()
		.map(|root| Digest256(sha256(root)))
		.into_iter()
		.collect();
	Policy { roots: Roots { amd, ..Roots::default() }, ..Policy::default() }
}
