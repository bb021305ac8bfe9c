//! Android keys of our own making.

use super::{integer, octets, sequence, tlv, CertSpec};
use alloc::{vec, vec::Vec};

pub(in super::super) const EXTENSION: &str = "1.3.6.1.4.1.11129.2.1.17";

/// `[number] EXPLICIT`.
pub(in super::super) fn field(number: u32, value: &[u8]) -> Vec<u8> {
	let tag = match number {
		0..31 => vec![0xa0 | u8::try_from(number).unwrap()],
		_ => vec![
			0xbf,
			0x80 | u8::try_from(number >> 7).unwrap(),
			u8::try_from(number & 0x7f).unwrap(),
		],
	};
	// Tag numbers from 31 to 127 have one digit; they are not used here.
	assert!(!(31..=127).contains(&number));
	[tag.as_slice(), &tlv(0, value)[1..]].concat()
}

pub(in super::super) fn number(value: u32) -> Vec<u8> {
	integer(&value.to_be_bytes())
}

pub(in super::super) fn enumerated(value: u8) -> Vec<u8> {
	tlv(0x0a, &[value])
}

/// What our own keystore says.
#[derive(Clone)]
pub(in super::super) struct Description {
	pub(in super::super) version: u32,
	pub(in super::super) levels: [u8; 2],
	pub(in super::super) challenge: Vec<u8>,
	/// Fields of the two lists in addition to those below.
	pub(in super::super) software: Vec<Vec<u8>>,
	pub(in super::super) hardware: Vec<Vec<u8>>,
	pub(in super::super) origin: Option<u8>,
	pub(in super::super) root_of_trust: Option<Vec<u8>>,
	/// System, vendor, boot loader.
	pub(in super::super) patches: [Option<u32>; 3],
}

impl Default for Description {
	fn default() -> Self {
		Self {
			version: 300,
			levels: [1, 1],
			challenge: b"abc".to_vec(),
			software: Vec::new(),
			hardware: Vec::new(),
			origin: Some(0),
			root_of_trust: Some(boot(0xff, 0, true)),
			patches: [Some(202_512), Some(20_251_205), Some(20_251_201)],
		}
	}
}

pub(in super::super) fn boot(locked: u8, state: u8, hash: bool) -> Vec<u8> {
	let mut fields = vec![octets(&[7; 32]), tlv(0x01, &[locked]), enumerated(state)];
	if hash {
		fields.push(octets(&[8; 32]));
	}
	sequence(&fields)
}

impl Description {
	pub(in super::super) fn encode(&self) -> Vec<u8> {
		let mut hardware = vec![field(2, &number(3))];
		hardware.extend(self.origin.map(|origin| field(702, &integer(&[origin]))));
		hardware.extend(self.root_of_trust.as_ref().map(|boot| field(704, boot)));
		for (tag, patch) in [706, 718, 719].into_iter().zip(self.patches) {
			hardware.extend(patch.map(|patch| field(tag, &number(patch))));
		}
		hardware.extend(self.hardware.iter().cloned());
		sequence(&[
			number(self.version),
			enumerated(self.levels[0]),
			number(self.version),
			enumerated(self.levels[1]),
			octets(&self.challenge),
			octets(&[]),
			sequence(&self.software),
			sequence(&hardware),
		])
	}
}

pub(in super::super) fn leaf_spec(description: &[u8]) -> CertSpec {
	CertSpec::new("Android Keystore Key", "attestation").with(EXTENSION, description.to_vec())
}
