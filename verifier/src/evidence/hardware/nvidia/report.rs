//! The report of a GPU or switch: an SPDM 1.1 `GET_MEASUREMENTS` request with the `MEASUREMENTS`
//! response behind it (DMTF DSP0274 1.1.0, 10.11), as NVML and NSCQ hand it out.
//!
//! Numbers are little endian, the signature is big endian. The maker's own data (`OpaqueData`) is a
//! row of fields of a type, a length and a value each; the types are those of NVIDIA's nvtrust.

use super::super::{check::Fault, claims::Hex, policy::from_hex, reader::Fields};
use alloc::{borrow::Cow, collections::BTreeMap, format, string::String};

/// The largest report that is read. Real ones have 2,172 (switch) to 4,274 bytes.
pub const MAX_REPORT_LEN: usize = 8 * 1024;

/// Bytes of the signature: `r || s`, P-384.
pub const SIGNATURE_LEN: usize = 96;

/// SPDM 1.1, as both messages begin.
const SPDM_1_1: u8 = 0x11;
/// Code of the request.
const GET_MEASUREMENTS: u8 = 0xe0;
/// Code of the response.
const MEASUREMENTS: u8 = 0x60;
/// Attribute of the request: sign the response.
const SIGNED: u8 = 0x01;
/// Operation of the request: all measurements.
const ALL: u8 = 0xff;
/// `MeasurementSpecification` of a block: DMTF.
const DMTF: u8 = 0x01;
/// Bit of `DMTFSpecMeasurementValueType`: a value instead of a digest.
const RAW: u8 = 0x80;

/// Types of the fields in the maker's own data.
pub mod opaque {
	/// Version of the driver, text.
	pub const DRIVER_VERSION: u16 = 3;
	/// Version of the VBIOS: 8 raw bytes of a GPU, text of a switch.
	pub const VBIOS_VERSION: u16 = 6;
	/// Whether the first video decoder is on: [`ON`] or [`OFF`].
	pub const NVDEC0_STATUS: u16 = 11;
	/// Board id, raw.
	pub const BOARD_ID: u16 = 14;
	/// SKU of the chip, text.
	pub const CHIP_SKU: u16 = 15;
	/// Modification of that SKU, text.
	pub const CHIP_SKU_MOD: u16 = 16;
	/// Number of the board's project, text.
	pub const PROJECT: u16 = 17;
	/// SKU within the project, text.
	pub const PROJECT_SKU: u16 = 18;
	/// Modification of that SKU, text.
	pub const PROJECT_SKU_MOD: u16 = 19;
	/// Digest of the firmware whose key signs, SHA-384.
	pub const FWID: u16 = 20;
	/// Whether the PCIe links are protected: [`ON`] or [`OFF`].
	pub const PROTECTED_PCIE_STATUS: u16 = 21;
	/// Ids of the switches that a GPU is connected with; of a switch, its own. 8 bytes each.
	pub const SWITCH_PDI: u16 = 22;
	/// Whether the switch is locked, raw.
	pub const LOCK_SWITCH_STATUS: u16 = 25;

	/// A status that says on.
	pub const ON: u8 = 0xaa;
	/// A status that says off.
	pub const OFF: u8 = 0x55;
}

/// A report that could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report<'a> {
	/// Nonce of the request: the freshness field.
	pub nonce: [u8; 32],
	/// Nonce that the device put into the response.
	pub response_nonce: [u8; 32],
	/// Digests by their index, those of only zeros included.
	pub measurements: BTreeMap<u8, &'a [u8]>,
	/// Everything before the signature: what is signed.
	pub signed: &'a [u8],
	/// The signature.
	pub signature: &'a [u8],
	opaque: BTreeMap<u16, &'a [u8]>,
}

impl<'a> Report<'a> {
	/// Reads one. The lengths that it declares count: nothing but one zero may follow the signature.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Truncated`], [`Fault::TrailingBytes`],
	/// [`Fault::UnknownVersion`] of SPDM, [`Fault::Malformed`].
	pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
		if bytes.len() > MAX_REPORT_LEN {
			return Err(Fault::TooLarge);
		}
		let mut fields = Fields::new(bytes);
		version(fields.u8()?)?;
		let [code, attributes, operation] = fields.array()?;
		expect(code == GET_MEASUREMENTS && attributes == SIGNED && operation == ALL)?;
		let nonce = fields.array()?;
		let _slot = fields.u8()?;

		version(fields.u8()?)?;
		let [code, _, _, blocks] = fields.array()?;
		expect(code == MEASUREMENTS)?;
		let record = u24(&mut fields)?;
		let record = fields.take(record)?;
		let measurements = measurements(record, blocks).map_err(|_| Fault::Malformed)?;
		let response_nonce = fields.array()?;
		let opaque = usize::from(fields.u16_le()?);
		let opaque = fields.take(opaque)?;
		let opaque = opaque_fields(opaque).map_err(|_| Fault::Malformed)?;

		let signed = bytes.len().saturating_sub(fields.rest().len());
		let signed = bytes.get(..signed).ok_or(Fault::Truncated)?;
		let signature = fields.take(SIGNATURE_LEN)?;
		// Some tools copy one byte too many out of their buffer (nvtrust's own samples).
		match fields.rest() {
			[] | [0] => {},
			_ => return Err(Fault::TrailingBytes),
		}
		Ok(Self { nonce, response_nonce, measurements, signed, signature, opaque })
	}

	/// A field of the maker's own data, by its type (see [`opaque`]).
	pub fn opaque(&self, kind: u16) -> Option<&'a [u8]> {
		self.opaque.get(&kind).copied()
	}

	/// Such a field for people: text without the zeros at its end, or hex where it is no text.
	pub fn opaque_text(&self, kind: u16) -> Option<Cow<'a, str>> {
		self.opaque(kind).map(text)
	}

	/// Version of the VBIOS, its most significant part first. GPUs give it as a number, switches as
	/// text ("96.10.73.00.01").
	pub fn vbios(&self) -> Option<[u8; 5]> {
		let field = self.opaque(opaque::VBIOS_VERSION)?;
		match *field {
			[fourth, third, second, first, fifth, 0, 0, 0] => {
				Some([first, second, third, fourth, fifth])
			},
			_ => text(field)
				.split('.')
				.map(|part| <[u8; 1]>::try_from(from_hex(part)?).ok().map(|[byte]| byte))
				.collect::<Option<alloc::vec::Vec<u8>>>()?
				.try_into()
				.ok(),
		}
	}
}

/// A version of a VBIOS as the maker writes it: "96.00.9F.00.01".
pub fn vbios_text([a, b, c, d, e]: [u8; 5]) -> String {
	format!("{a:02X}.{b:02X}.{c:02X}.{d:02X}.{e:02X}")
}

fn expect(holds: bool) -> Result<(), Fault> {
	if holds {
		Ok(())
	} else {
		Err(Fault::Malformed)
	}
}

fn version(version: u8) -> Result<(), Fault> {
	if version == SPDM_1_1 {
		Ok(())
	} else {
		Err(Fault::UnknownVersion(u32::from(version)))
	}
}

/// A length of three bytes.
fn u24(fields: &mut Fields<'_>) -> Result<usize, Fault> {
	let [low, middle, high] = fields.array()?;
	usize::try_from(u32::from_le_bytes([low, middle, high, 0])).map_err(|_| Fault::TooLarge)
}

/// The measurement record: as many blocks as declared, each index once.
fn measurements(record: &[u8], blocks: u8) -> Result<BTreeMap<u8, &[u8]>, Fault> {
	let mut fields = Fields::new(record);
	let mut measurements = BTreeMap::new();
	for _ in 0..blocks {
		let [index, specification] = fields.array()?;
		expect(specification == DMTF)?;
		let len = usize::from(fields.u16_le()?);
		let mut block = Fields::new(fields.take(len)?);
		expect(block.u8()? & RAW == 0)?;
		let len = usize::from(block.u16_le()?);
		let digest = block.take(len)?;
		block.finish()?;
		expect(measurements.insert(index, digest).is_none())?;
	}
	fields.finish()?;
	Ok(measurements)
}

/// The maker's own data, each type once.
fn opaque_fields(bytes: &[u8]) -> Result<BTreeMap<u16, &[u8]>, Fault> {
	let mut fields = Fields::new(bytes);
	let mut found = BTreeMap::new();
	while !fields.rest().is_empty() {
		let kind = fields.u16_le()?;
		let len = usize::from(fields.u16_le()?);
		expect(found.insert(kind, fields.take(len)?).is_none())?;
	}
	Ok(found)
}

fn text(field: &[u8]) -> Cow<'_, str> {
	let zeros = field.iter().rev().take_while(|byte| **byte == 0).count();
	let content = field.get(..field.len().saturating_sub(zeros)).unwrap_or_default();
	match core::str::from_utf8(content) {
		Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => {
			Cow::Borrowed(text)
		},
		_ => Cow::Owned(format!("{}", Hex(field))),
	}
}
