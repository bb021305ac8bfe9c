//! Reports of GPUs and switches of our own making.

use super::{
	super::{crypto::Hash, nvidia::GpuEvidence},
	integer, octets, oid, sequence, CertSpec, Key,
};
use alloc::{vec, vec::Vec};

pub(in super::super) const DEVICE_ID: &str = "2.23.133.5.4.1";
pub(in super::super) const SHA384: &str = "2.16.840.1.101.3.4.2.2";
pub(in super::super) const NONCE: [u8; 32] = [7; 32];
pub(in super::super) const FWID: [u8; 48] = [0xf1; 48];
/// Bytes before the measurements: the request and the header of the response.
pub(in super::super) const HEADERS: usize = 37 + 8;
pub(in super::super) const SIGNATURE: usize = 96;

/// What a device of our own says.
#[derive(Clone)]
pub(in super::super) struct Device {
	/// Number of its keys, from 1.
	pub(in super::super) number: u8,
	pub(in super::super) boot_rom: &'static str,
	pub(in super::super) nonce: [u8; 32],
	/// Index and digest of each block.
	pub(in super::super) blocks: Vec<(u8, Vec<u8>)>,
	/// Type and value of each field of the maker's own data.
	pub(in super::super) fields: Vec<(u16, Vec<u8>)>,
	pub(in super::super) leaf: CertSpec,
	pub(in super::super) leaf_key: Key,
}

pub(in super::super) fn boot_rom_key(number: u8) -> Key {
	Key::p384(0x40 + number)
}

/// `CompositeDeviceID`.
pub(in super::super) fn device_id(issuer: &Key, hash: &str, fwid: &[u8]) -> Vec<u8> {
	sequence(&[integer(&[1]), issuer.spki(), sequence(&[oid(hash), octets(fwid)])])
}

impl Device {
	pub(in super::super) fn gpu(number: u8) -> Self {
		let boot_rom = "GH100 A01 GSP BROM";
		let id = device_id(&boot_rom_key(number), SHA384, &FWID);
		Self {
			number,
			boot_rom,
			nonce: NONCE,
			blocks: vec![(1, vec![0; 48]), (2, vec![2; 48]), (35, vec![3; 48])],
			fields: vec![
				(6, vec![0x00, 0x9f, 0x00, 0x96, 0x01, 0, 0, 0]),
				(3, b"550.90.07\0".to_vec()),
				(20, FWID.to_vec()),
				(21, vec![0xaa]),
				(11, vec![3]),
			],
			leaf: CertSpec::new("GH100 A01 GSP FMC LF", boot_rom).with(DEVICE_ID, id),
			leaf_key: Key::p384(0x80 + number),
		}
	}

	/// As LS10 switches report: text for the VBIOS, no digest of the firmware.
	pub(in super::super) fn switch(number: u8) -> Self {
		let boot_rom = "LS_10 A01 FSP BROM";
		let fields = vec![(6, b"96.10.73.00.01".to_vec()), (22, vec![0x66; 8])];
		let leaf = CertSpec { issuer: boot_rom, ..Self::gpu(number).leaf };
		Self { boot_rom, fields, leaf, ..Self::gpu(number) }
	}

	pub(in super::super) fn with_leaf(self, leaf: CertSpec) -> Self {
		Self { leaf, ..self }
	}

	/// Request and response, not signed.
	pub(in super::super) fn message(&self) -> Vec<u8> {
		let record: Vec<u8> = self
			.blocks
			.iter()
			.flat_map(|(index, digest)| {
				let len = u16::try_from(digest.len()).unwrap();
				let [low, high] = len.to_le_bytes();
				let [outer_low, outer_high] = (len + 3).to_le_bytes();
				[&[*index, 1, outer_low, outer_high, 1, low, high], digest.as_slice()].concat()
			})
			.collect();
		let fields: Vec<u8> = self
			.fields
			.iter()
			.flat_map(|(kind, value)| {
				let len = u16::try_from(value.len()).unwrap();
				[&kind.to_le_bytes(), &len.to_le_bytes(), value.as_slice()].concat()
			})
			.collect();
		let blocks = u8::try_from(self.blocks.len()).unwrap();
		let [low, middle, high, _] = u32::try_from(record.len()).unwrap().to_le_bytes();
		let fields_len = u16::try_from(fields.len()).unwrap().to_le_bytes();
		[
			&[0x11, 0xe0, 0x01, 0xff],
			&self.nonce[..],
			&[0, 0x11, 0x60, 0, 0, blocks, low, middle, high],
			&record,
			&[0xb4; 32],
			&fields_len,
			&fields,
		]
		.concat()
	}

	pub(in super::super) fn chain(&self) -> Vec<Vec<u8>> {
		let (root, ica) = (Key::p384(1), Key::p384(2));
		let boot_rom = boot_rom_key(self.number);
		let serial = vec![0x41, self.number];
		vec![
			self.leaf.sign(&self.leaf_key, &boot_rom),
			CertSpec { serial, ..CertSpec::new(self.boot_rom, "ica").authority() }
				.sign(&boot_rom, &ica),
			CertSpec::new("ica", "root").authority().sign(&ica, &root),
			root_certificate(),
		]
	}

	pub(in super::super) fn evidence(&self) -> GpuEvidence {
		GpuEvidence { report: self.signed(), chain: self.chain() }
	}

	/// The report, signed.
	pub(in super::super) fn signed(&self) -> Vec<u8> {
		let mut report = self.message();
		report.extend(self.leaf_key.sign_fixed(Hash::Sha384, &report));
		report.resize(self.message().len() + SIGNATURE, 0);
		report
	}
}

pub(in super::super) fn root_certificate() -> Vec<u8> {
	let root = Key::p384(1);
	CertSpec::new("root", "root").authority().sign(&root, &root)
}
