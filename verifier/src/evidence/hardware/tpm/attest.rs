//! What a TPM signs: `TPMS_ATTEST` of a quote (TCG TPM 2.0 part 2, 10.12.12; big endian).

use super::super::{check::Fault, reader::Fields};
use alloc::vec::Vec;

/// The largest `TPMS_ATTEST` that is read. Real quotes have 120 to 180 bytes.
pub const MAX_ATTEST_LEN: usize = 512;

/// `TPM_GENERATED_VALUE`: a restricted key signs nothing that begins with it and does not come from
/// inside the TPM.
const GENERATED: u32 = 0xff54_4347;

/// `TPM_ST_ATTEST_QUOTE`.
const QUOTE: u16 = 0x8018;

/// `TPM_ALG_SHA256`.
pub(super) const ALG_SHA256: u16 = 0x000b;

/// The longest `TPM2B_NAME`: an algorithm and a digest of 64 bytes.
const MAX_NAME_LEN: usize = 66;

/// The longest `TPM2B_DATA` and digest: those of SHA-512.
const MAX_DATA_LEN: usize = 64;

/// Most PCR banks in one selection.
const MAX_BANKS: u32 = 16;

/// Most bytes of a bank's bit map: 32 registers.
const MAX_SELECT_LEN: usize = 4;

/// A quote. Its signature is not checked here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attest<'a> {
	/// Qualified name of the key that signed.
	pub qualified_signer: &'a [u8],
	/// What the asker wanted to have signed: the nonce.
	pub extra_data: &'a [u8],
	/// Milliseconds that the TPM was powered since its last clear.
	pub clock: u64,
	/// Resets since its last clear. For keys outside the endorsement hierarchy the TPM adds a number
	/// that is the key's own (part 1, 36.7), also to the next count and the firmware version.
	pub reset_count: u32,
	/// Restarts and resumes since the last reset.
	pub restart_count: u32,
	/// Whether `clock` never showed this value before.
	pub safe: bool,
	/// `TPM_PT_FIRMWARE_VERSION_1` and `_2`.
	pub firmware_version: u64,
	/// Registers of the SHA-256 bank that are quoted, ascending.
	pub selected: Vec<u8>,
	/// Whether registers of another bank are quoted too.
	pub other_banks: bool,
	/// Digest of the values of the registers.
	pub pcr_digest: &'a [u8],
}

impl<'a> Attest<'a> {
	/// Reads one.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Truncated`], [`Fault::TrailingBytes`]; [`Fault::Malformed`] also
	/// for what a TPM attests besides quotes.
	pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
		if bytes.len() > MAX_ATTEST_LEN {
			return Err(Fault::TooLarge);
		}
		let mut fields = Fields::new(bytes);
		if fields.u32_be()? != GENERATED || fields.u16_be()? != QUOTE {
			return Err(Fault::Malformed);
		}
		let qualified_signer = sized(&mut fields, MAX_NAME_LEN)?;
		let extra_data = sized(&mut fields, MAX_DATA_LEN)?;
		let clock = fields.u64_be()?;
		let reset_count = fields.u32_be()?;
		let restart_count = fields.u32_be()?;
		let safe = match fields.u8()? {
			0 => false,
			1 => true,
			_ => return Err(Fault::Malformed),
		};
		let firmware_version = fields.u64_be()?;
		let (selected, other_banks) = selection(&mut fields)?;
		let pcr_digest = sized(&mut fields, MAX_DATA_LEN)?;
		fields.finish()?;
		Ok(Self {
			qualified_signer,
			extra_data,
			clock,
			reset_count,
			restart_count,
			safe,
			firmware_version,
			selected,
			other_banks,
			pcr_digest,
		})
	}
}

/// A `TPM2B`: a length and that many bytes, at most `most`.
pub(super) fn sized<'a>(fields: &mut Fields<'a>, most: usize) -> Result<&'a [u8], Fault> {
	let len = usize::from(fields.u16_be()?);
	if len > most {
		return Err(Fault::TooLarge);
	}
	fields.take(len)
}

/// `TPML_PCR_SELECTION`: the registers of the SHA-256 bank, and whether other banks have any.
fn selection(fields: &mut Fields<'_>) -> Result<(Vec<u8>, bool), Fault> {
	let banks = fields.u32_be()?;
	if banks > MAX_BANKS {
		return Err(Fault::TooLarge);
	}
	let mut selected = Vec::new();
	let mut other_banks = false;
	for _ in 0..banks {
		let algorithm = fields.u16_be()?;
		let len = usize::from(fields.u8()?);
		if !(1..=MAX_SELECT_LEN).contains(&len) {
			return Err(Fault::Malformed);
		}
		let map = fields.take(len)?;
		let registers =
			(0u8..).zip(map.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1)));
		let registers = registers.filter(|(_, bit)| *bit == 1).map(|(index, _)| index);
		if algorithm != ALG_SHA256 {
			other_banks |= registers.count() > 0;
		} else if selected.is_empty() {
			selected.extend(registers);
		} else {
			// The same bank twice would be digested twice.
			return Err(Fault::Malformed);
		}
	}
	Ok((selected, other_banks))
}
