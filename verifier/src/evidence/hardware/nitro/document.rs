//! The attestation document: CBOR (RFC 8949) inside COSE_Sign1 (RFC 9052 4.2), as AWS specifies it
//! ("Verifying the root of trust", the attestation document).
//!
//! No map key may be there twice; the length of everything is bounded; maps and arrays may be of
//! indefinite length, as older hypervisors write them, strings may not. Unknown fields are skipped
//! without recursion.

use super::super::check::Fault;
use alloc::{collections::BTreeMap, vec::Vec};
use minicbor::{data::Type, decode, Decoder, Encoder};

/// The largest document that is read. Real ones have 4,600 to 4,800 bytes; AWS's bounds of the
/// fields together leave less than 14,000.
pub const MAX_DOCUMENT_LEN: usize = 16 * 1024;

/// The most certificates in the bundle: with the leaf they are the longest chain that is read.
pub const MAX_BUNDLE_LEN: u64 = 7;

/// The largest certificate, by AWS's specification.
pub const MAX_DOCUMENT_CERTIFICATE_LEN: usize = 1_024;

/// The most PCRs, by AWS's specification.
pub const MAX_PCRS: u64 = 32;

/// Largest `public_key`, by AWS's specification.
const MAX_PUBLIC_KEY_LEN: usize = 1_024;
/// Largest `user_data` and `nonce`, by AWS's specification.
const MAX_USER_DATA_LEN: usize = 512;
/// Largest `module_id`. Real ones have 39 bytes.
const MAX_MODULE_ID_LEN: usize = 128;
/// The most fields of the payload; AWS specifies nine.
const MAX_FIELDS: u64 = 16;
/// Bytes of a PCR: SHA-384.
const PCR_LEN: usize = 48;
/// Bytes of the signature: `r || s`, P-384.
const SIGNATURE_LEN: usize = 96;
/// CBOR tag of COSE_Sign1, which AWS leaves out.
const COSE_SIGN1: u64 = 18;
/// Label of the algorithm in a COSE header.
const ALGORITHM: u8 = 1;
/// ES384: ECDSA with SHA-384.
const ES384: i16 = -35;

/// COSE_Sign1: the payload and who signed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope<'a> {
	/// The protected header, encoded.
	pub protected: &'a [u8],
	/// The payload, encoded.
	pub payload: &'a [u8],
	/// The signature over [`Envelope::signed`].
	pub signature: &'a [u8],
}

impl<'a> Envelope<'a> {
	/// Reads one, tagged or not.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Truncated`], [`Fault::TrailingBytes`], [`Fault::Malformed`],
	/// [`Fault::UnknownAlgorithm`] for another than ES384.
	pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
		if bytes.len() > MAX_DOCUMENT_LEN {
			return Err(Fault::TooLarge);
		}
		let mut decoder = Decoder::new(bytes);
		if decoder.datatype().map_err(fault)? == Type::Tag {
			expect(decoder.tag().map_err(fault)?.as_u64() == COSE_SIGN1)?;
		}
		expect(decoder.array().map_err(fault)? == Some(4))?;
		let protected = decoder.bytes().map_err(fault)?;
		check_algorithm(protected)?;
		// The unprotected header is not signed; nothing may depend on it.
		expect(decoder.map().map_err(fault)? == Some(0))?;
		let payload = decoder.bytes().map_err(fault)?;
		let signature = decoder.bytes().map_err(fault)?;
		expect(signature.len() == SIGNATURE_LEN)?;
		finish(&decoder)?;
		Ok(Self { protected, payload, signature })
	}

	/// What is signed: `Sig_structure` (RFC 9052 4.4) without external data.
	///
	/// # Errors
	///
	/// None that could happen: memory takes whatever is written.
	pub fn signed(&self) -> Result<Vec<u8>, Fault> {
		let mut bytes = Vec::with_capacity(self.payload.len().saturating_add(64));
		Encoder::new(&mut bytes)
			.array(4)
			.and_then(|encoder| encoder.str("Signature1"))
			.and_then(|encoder| encoder.bytes(self.protected))
			.and_then(|encoder| encoder.bytes(&[]))
			.and_then(|encoder| encoder.bytes(self.payload))
			.map_err(|_| Fault::Malformed)?;
		Ok(bytes)
	}
}

/// The payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document<'a> {
	/// The enclave of an instance.
	pub module_id: &'a str,
	/// When it was made, in milliseconds since 1970.
	pub timestamp: u64,
	/// The PCRs by index.
	pub pcrs: BTreeMap<u8, &'a [u8]>,
	/// The leaf in DER.
	pub certificate: &'a [u8],
	/// Its issuers in DER, root first.
	pub cabundle: Vec<&'a [u8]>,
	/// A key that the enclave put in.
	pub public_key: Option<&'a [u8]>,
	/// Data that the enclave put in.
	pub user_data: Option<&'a [u8]>,
	/// The nonce that the enclave put in.
	pub nonce: Option<&'a [u8]>,
}

impl<'a> Document<'a> {
	/// Reads one.
	///
	/// # Errors
	///
	/// [`Fault::Missing`] for a field that must be there, [`Fault::UnknownAlgorithm`] for another
	/// digest than SHA-384, [`Fault::TooLarge`], [`Fault::Truncated`], [`Fault::TrailingBytes`],
	/// [`Fault::Malformed`].
	pub fn parse(payload: &'a [u8]) -> Result<Self, Fault> {
		let mut decoder = Decoder::new(payload);
		let mut seen = Vec::new();
		let (mut module_id, mut timestamp, mut digest) = (None, None, None);
		let (mut pcrs, mut certificate, mut cabundle) = (None, None, None);
		let (mut public_key, mut user_data, mut nonce) = (None, None, None);
		let len = decoder.map().map_err(fault)?;
		entries(&mut decoder, len, MAX_FIELDS, |decoder| {
			let key = decoder.str().map_err(fault)?;
			expect(!seen.contains(&key))?;
			seen.push(key);
			match key {
				"module_id" => module_id = Some(module(decoder)?),
				"timestamp" => timestamp = Some(decoder.u64().map_err(fault)?),
				"digest" => digest = Some(decoder.str().map_err(fault)?),
				"pcrs" => pcrs = Some(registers(decoder)?),
				"certificate" => certificate = Some(certificate_der(decoder)?),
				"cabundle" => cabundle = Some(bundle(decoder)?),
				"public_key" => public_key = optional(decoder, MAX_PUBLIC_KEY_LEN)?,
				"user_data" => user_data = optional(decoder, MAX_USER_DATA_LEN)?,
				"nonce" => nonce = optional(decoder, MAX_USER_DATA_LEN)?,
				_ => skip(decoder)?,
			}
			Ok(())
		})?;
		finish(&decoder)?;
		if digest.ok_or(Fault::Missing)? != "SHA384" {
			return Err(Fault::UnknownAlgorithm);
		}
		Ok(Self {
			module_id: module_id.ok_or(Fault::Missing)?,
			timestamp: timestamp.ok_or(Fault::Missing)?,
			pcrs: pcrs.ok_or(Fault::Missing)?,
			certificate: certificate.ok_or(Fault::Missing)?,
			cabundle: cabundle.ok_or(Fault::Missing)?,
			public_key,
			user_data,
			nonce,
		})
	}
}

fn fault(error: decode::Error) -> Fault {
	if error.is_end_of_input() {
		Fault::Truncated
	} else {
		Fault::Malformed
	}
}

fn expect(holds: bool) -> Result<(), Fault> {
	if holds {
		Ok(())
	} else {
		Err(Fault::Malformed)
	}
}

fn at_most(len: usize, most: usize) -> Result<(), Fault> {
	if len > most {
		Err(Fault::TooLarge)
	} else {
		Ok(())
	}
}

fn finish(decoder: &Decoder<'_>) -> Result<(), Fault> {
	if decoder.position() == decoder.input().len() {
		Ok(())
	} else {
		Err(Fault::TrailingBytes)
	}
}

/// The protected header: `{ 1: -35 }` and nothing else.
fn check_algorithm(protected: &[u8]) -> Result<(), Fault> {
	let mut decoder = Decoder::new(protected);
	expect(decoder.map().map_err(fault)? == Some(1))?;
	expect(decoder.u8().map_err(fault)? == ALGORITHM)?;
	let algorithm = decoder.i16().map_err(fault)?;
	finish(&decoder)?;
	if algorithm == ES384 {
		Ok(())
	} else {
		Err(Fault::UnknownAlgorithm)
	}
}

/// Reads the entries of a map or array, at most `most`, whose header said `len`.
fn entries<'a>(
	decoder: &mut Decoder<'a>,
	len: Option<u64>,
	most: u64,
	mut read: impl FnMut(&mut Decoder<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
	if len.is_some_and(|len| len > most) {
		return Err(Fault::TooLarge);
	}
	let mut count = 0u64;
	loop {
		let ended = match len {
			Some(len) => count >= len,
			None => decoder.datatype().map_err(fault)? == Type::Break,
		};
		if ended {
			break;
		}
		if count >= most {
			return Err(Fault::TooLarge);
		}
		read(decoder)?;
		count = count.saturating_add(1);
	}
	if len.is_none() {
		decoder.set_position(decoder.position().saturating_add(1));
	}
	Ok(())
}

/// Skips a value of an unknown field.
fn skip(decoder: &mut Decoder<'_>) -> Result<(), Fault> {
	// The decoder would take the end of the map for a value.
	expect(decoder.datatype().map_err(fault)? != Type::Break)?;
	decoder.skip().map_err(fault)
}

fn module<'a>(decoder: &mut Decoder<'a>) -> Result<&'a str, Fault> {
	let module = decoder.str().map_err(fault)?;
	expect(!module.is_empty())?;
	at_most(module.len(), MAX_MODULE_ID_LEN)?;
	Ok(module)
}

fn registers<'a>(decoder: &mut Decoder<'a>) -> Result<BTreeMap<u8, &'a [u8]>, Fault> {
	let mut pcrs = BTreeMap::new();
	let len = decoder.map().map_err(fault)?;
	entries(decoder, len, MAX_PCRS, |decoder| {
		let index = decoder.u8().map_err(fault)?;
		let value = decoder.bytes().map_err(fault)?;
		expect(u64::from(index) < MAX_PCRS && value.len() == PCR_LEN)?;
		expect(pcrs.insert(index, value).is_none())
	})?;
	expect(!pcrs.is_empty())?;
	Ok(pcrs)
}

fn certificate_der<'a>(decoder: &mut Decoder<'a>) -> Result<&'a [u8], Fault> {
	let der = decoder.bytes().map_err(fault)?;
	expect(!der.is_empty())?;
	at_most(der.len(), MAX_DOCUMENT_CERTIFICATE_LEN)?;
	Ok(der)
}

fn bundle<'a>(decoder: &mut Decoder<'a>) -> Result<Vec<&'a [u8]>, Fault> {
	let mut certificates = Vec::new();
	let len = decoder.array().map_err(fault)?;
	entries(decoder, len, MAX_BUNDLE_LEN, |decoder| {
		certificates.push(certificate_der(decoder)?);
		Ok(())
	})?;
	if certificates.is_empty() {
		return Err(Fault::Missing);
	}
	Ok(certificates)
}

/// Bytes, or null for none.
fn optional<'a>(decoder: &mut Decoder<'a>, most: usize) -> Result<Option<&'a [u8]>, Fault> {
	if decoder.datatype().map_err(fault)? == Type::Null {
		decoder.null().map_err(fault)?;
		return Ok(None);
	}
	let bytes = decoder.bytes().map_err(fault)?;
	at_most(bytes.len(), most)?;
	Ok(Some(bytes))
}
