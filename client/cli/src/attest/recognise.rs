//! What a file is, by its content.
//!
//! Reports are known by how they begin, not by whether they hold: a damaged one is the verifier's
//! to refuse.

use super::{
	encoding::{base64, hex, pem, text},
	json,
};
use armature_verifier::evidence::hardware::{
	check::Fault,
	crypto::PublicKey,
	dcap::Collateral,
	snp::REPORT_LEN,
	tpm::{AttestationKey, Pcrs, PCR_LEN},
	x509::{Certificate, Crl},
};
use std::collections::BTreeMap;

/// How many encodings may be around another: hex of JSON of base64 of PEM.
const MAX_LAYERS: usize = 4;

/// The most parts of one file.
const MAX_PARTS: usize = 256;

/// Registers of a PCR bank.
const BANK: u8 = 24;

/// Something that evidence is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
	/// AMD SEV-SNP attestation report.
	SnpReport(Vec<u8>),
	/// Intel TDX or SGX quote.
	Quote(Vec<u8>),
	/// What goes with a quote.
	Collateral(Box<Collateral>),
	/// NVIDIA GPU or switch report.
	GpuReport(Vec<u8>),
	/// AWS Nitro Enclaves attestation document.
	NitroDocument(Vec<u8>),
	/// Azure's report: SEV-SNP with the keys of a vTPM.
	HclReport(Vec<u8>),
	/// `TPMS_ATTEST`.
	TpmAttest(Vec<u8>),
	/// `TPMT_SIGNATURE`, or the bytes of an RSA signature.
	TpmSignature(Vec<u8>),
	/// A public key: `SubjectPublicKeyInfo` or the TPM's own form.
	TpmKey(Vec<u8>),
	/// PCR values, SHA-256 bank.
	Pcrs(Pcrs),
	/// Certificate, DER.
	Certificate(Vec<u8>),
	/// Revocation list, DER. A quote has its own in the collateral.
	Crl(Vec<u8>),
	/// Google's `status.json`.
	AndroidStatus(Vec<u8>),
	/// A private key, which belongs nowhere near here.
	PrivateKey,
}

impl Part {
	/// What it is, for people.
	pub(crate) fn name(&self) -> &'static str {
		match self {
			Part::SnpReport(_) => "SEV-SNP report",
			Part::Quote(_) => "DCAP quote",
			Part::Collateral(_) => "DCAP collateral",
			Part::GpuReport(_) => "NVIDIA GPU report",
			Part::NitroDocument(_) => "Nitro attestation document",
			Part::HclReport(_) => "Azure HCL report",
			Part::TpmAttest(_) => "TPM quote",
			Part::TpmSignature(_) => "TPM signature",
			Part::TpmKey(_) => "public key",
			Part::Pcrs(_) => "PCR values",
			Part::Certificate(_) => "certificate",
			Part::Crl(_) => "revocation list",
			Part::AndroidStatus(_) => "Android revocation list",
			Part::PrivateKey => "private key (ignored: keep it to yourself)",
		}
	}
}

/// What is in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
	/// How it is written.
	pub(crate) form: &'static str,
	/// At least one.
	pub(crate) parts: Vec<Part>,
}

impl Found {
	/// One line for people: "3 certificates, public key (PEM)".
	pub(crate) fn summary(&self) -> String {
		let mut counts = BTreeMap::<_, usize>::new();
		for part in &self.parts {
			let count = counts.entry(part.name()).or_default();
			*count = count.saturating_add(1);
		}
		let names: Vec<_> = counts
			.into_iter()
			.map(|(name, count)| match count {
				1 => name.to_owned(),
				_ => format!("{count} {name}s"),
			})
			.collect();
		format!("{} ({})", names.join(", "), self.form)
	}
}

/// What is in the bytes of a file.
///
/// # Errors
///
/// A sentence that says why it is nothing.
pub(crate) fn recognise(bytes: &[u8]) -> Result<Found, String> {
	if bytes.is_empty() {
		return Err("the file is empty".into());
	}
	let found = layer(bytes, Layers(MAX_LAYERS), true)?;
	if found.parts.len() > MAX_PARTS {
		return Err(format!("the file has more than {MAX_PARTS} parts"));
	}
	if found.parts.is_empty() {
		let head = hex::encode(bytes.get(..bytes.len().min(16)).unwrap_or_default());
		return Err(format!(
			"{} bytes that begin with {head} are nothing that can be verified; tried: SEV-SNP \
			 report, DCAP quote, NVIDIA GPU report, Nitro attestation document, Azure HCL report, \
			 TPM quote, signature, key and PCR values, X.509 certificates, DCAP collateral, Android \
			 revocation list; each as it is, in PEM, JSON, hex and base64",
			bytes.len()
		));
	}
	Ok(found)
}

/// Encodings that may still be taken off.
#[derive(Clone, Copy)]
pub(crate) struct Layers(usize);

impl Layers {
	fn next(self) -> Option<Self> {
		self.0.checked_sub(1).map(Self)
	}
}

/// The parts of bytes in any encoding. `whole` says that they are all there is: then bytes without
/// any structure are looked at too, by their number.
pub(crate) fn layer(bytes: &[u8], layers: Layers, whole: bool) -> Result<Found, String> {
	let found = |form, parts| Ok(Found { form, parts });
	let parts = binary(bytes)?;
	if !parts.is_empty() {
		return found("binary", parts);
	}
	if let (Some(text), Some(inner)) = (text(bytes), layers.next()) {
		if text.starts_with(['{', '[', '"']) {
			return found("JSON", json::parts(text, inner)?);
		}
		if let Some(blocks) = pem(text) {
			let mut parts = Vec::new();
			for block in blocks? {
				if block.label.contains("PRIVATE KEY") {
					parts.push(Part::PrivateKey);
					continue;
				}
				let Found { parts: inside, .. } = layer(&block.bytes, inner, false)?;
				if inside.is_empty() {
					return Err(format!("a PEM block is labelled {} but is none", block.label));
				}
				parts.extend(inside);
			}
			return found("PEM", parts);
		}
		for (form, decoded) in [("hex", hex(text)), ("base64", base64(text))] {
			let Some(decoded) = decoded else { continue };
			let Found { parts, .. } = layer(&decoded, inner, whole)?;
			if !parts.is_empty() {
				return found(form, parts);
			}
		}
		return found("text", Vec::new());
	}
	found("binary", if whole { unstructured(bytes) } else { Vec::new() })
}

/// The parts of bytes that are no text.
fn binary(bytes: &[u8]) -> Result<Vec<Part>, String> {
	let own = || bytes.to_vec();
	let byte = |at: usize| bytes.get(at).copied();
	let word = |at: usize| Some(u16::from_le_bytes([byte(at)?, byte(at.checked_add(1)?)?]));
	let double = |at: usize| bytes.get(at..at.checked_add(4)?).map(le32);
	if bytes.starts_with(b"HCLA") {
		return Ok(vec![Part::HclReport(own())]);
	}
	// `TPM_GENERATED_VALUE`, or `TPM2B_ATTEST` around it.
	if bytes.starts_with(b"\xffTCG") {
		return Ok(vec![Part::TpmAttest(own())]);
	}
	if let Some((size, inner)) = bytes.split_at_checked(2) {
		if inner.starts_with(b"\xffTCG") && be16(size) == inner.len() {
			return Ok(vec![Part::TpmAttest(inner.to_vec())]);
		}
	}
	// SPDM 1.1: request of 37 bytes, then the response.
	if (byte(0), byte(1), byte(37), byte(38)) == (Some(0x11), Some(0xe0), Some(0x11), Some(0x60)) {
		return Ok(vec![Part::GpuReport(own())]);
	}
	// COSE_Sign1 with or without its tag, protected header {1: -35}.
	let cose = bytes.strip_prefix(&[0xd2]).unwrap_or(bytes);
	if cose.starts_with(&[0x84, 0x44, 0xa1, 0x01, 0x38]) {
		return Ok(vec![Part::NitroDocument(own())]);
	}
	if byte(0) == Some(0x30) {
		return der(bytes);
	}
	// Version, kind of key, TEE.
	if bytes.len() > 432
		&& matches!(word(0), Some(3..=5))
		&& matches!(word(2), Some(2 | 3))
		&& matches!(double(4), Some(0 | 0x81))
	{
		return Ok(vec![Part::Quote(own())]);
	}
	if let Some((report, rest)) = bytes.split_at_checked(REPORT_LEN) {
		// Version, and ECDSA P-384 with SHA-384 in front of the flags.
		if matches!(double(0), Some(2..=5)) && double(0x34) == Some(1) {
			if rest.is_empty() {
				return Ok(vec![Part::SnpReport(own())]);
			}
			let certificates = certificate_table(rest)?;
			if !certificates.is_empty() {
				let report = Part::SnpReport(report.to_vec());
				return Ok(std::iter::once(report).chain(certificates).collect());
			}
			return Ok(vec![Part::SnpReport(own())]);
		}
	}
	let certificates = certificate_table(bytes)?;
	if !certificates.is_empty() {
		return Ok(certificates);
	}
	if is_tpm_signature(bytes) {
		return Ok(vec![Part::TpmSignature(own())]);
	}
	Ok(AttestationKey::parse(bytes).map_or_else(|_| Vec::new(), |_| vec![Part::TpmKey(own())]))
}

/// Bytes that only their number tells: an RSA signature as `tpm2_quote --format plain` writes it,
/// or the values of all PCRs one after the other.
fn unstructured(bytes: &[u8]) -> Vec<Part> {
	match bytes.len() {
		256 | 384 | 512 => vec![Part::TpmSignature(bytes.to_vec())],
		768 => {
			let values = bytes.chunks_exact(PCR_LEN).map(<[u8]>::to_vec);
			vec![Part::Pcrs((0..BANK).zip(values).collect())]
		},
		_ => Vec::new(),
	}
}

/// DER elements, one after the other: certificates, revocation lists, public keys.
fn der(bytes: &[u8]) -> Result<Vec<Part>, String> {
	let mut parts = Vec::new();
	let mut rest = bytes;
	while let Some((element, after)) = der_len(rest)
		.and_then(|len| rest.split_at_checked(len))
		.filter(|(head, _)| !head.is_empty())
	{
		rest = after;
		match Certificate::parse(element) {
			Ok(_) => parts.push(Part::Certificate(element.to_vec())),
			Err(_) if PublicKey::from_spki(element).is_ok() => {
				parts.push(Part::TpmKey(element.to_vec()));
			},
			Err(_) if Crl::parse(element).is_ok() => {
				parts.push(Part::Crl(element.to_vec()));
			},
			Err(fault) if looks_like_certificate(element) => {
				let at = parts.len().saturating_add(1);
				return Err(format!("certificate {at} cannot be read: {fault}"));
			},
			Err(_) => return Ok(Vec::new()),
		}
	}
	if parts.is_empty() || rest.is_empty() {
		Ok(parts)
	} else {
		Err(format!("behind the last certificate: {}", Fault::TrailingBytes))
	}
}

/// The length of the DER element in front.
fn der_len(bytes: &[u8]) -> Option<usize> {
	let (_, rest) = bytes.split_first()?;
	let (first, rest) = rest.split_first()?;
	if *first < 0x80 {
		return usize::from(*first).checked_add(2);
	}
	let digits = usize::from(*first & 0x7f);
	if digits == 0 || digits > 3 {
		return None;
	}
	let len = rest
		.get(..digits)?
		.iter()
		.fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
	len.checked_add(2)?.checked_add(digits)
}

/// Whether it begins as certificates of version 3 do: two sequences with a version in them.
fn looks_like_certificate(element: &[u8]) -> bool {
	element
		.get(..16)
		.is_some_and(|head| head.windows(5).any(|window| window == [0xa0, 0x03, 0x02, 0x01, 0x02]))
}

/// The certificates that a host gives with a report (AMD, "GHCB specification", the table of
/// `SNP_GET_EXT_REPORT`): entries of a GUID, an offset and a length, the last one zero.
fn certificate_table(bytes: &[u8]) -> Result<Vec<Part>, String> {
	let mut parts = Vec::new();
	for entry in bytes.chunks_exact(24).take(16) {
		if entry.iter().all(|byte| *byte == 0) {
			return Ok(parts);
		}
		let number = |at: usize| {
			let digits = entry.get(at..at.checked_add(4)?)?;
			usize::try_from(le32(digits)).ok()
		};
		let content = number(16)
			.zip(number(20))
			.and_then(|(offset, len)| bytes.get(offset..offset.checked_add(len)?));
		match content {
			// Some entries are no certificates; text means PEM.
			Some(content) if content.first() == Some(&0x30) => parts.extend(der(content)?),
			Some(content) if content.starts_with(b"-----BEGIN ") => {
				parts.extend(layer(content, Layers(1), false)?.parts);
			},
			Some(_) => {},
			None => return Ok(Vec::new()),
		}
	}
	Ok(Vec::new())
}

/// `TPMT_SIGNATURE`: RSASSA, RSAPSS or ECDSA, its hash, and lengths that end where it ends.
fn is_tpm_signature(bytes: &[u8]) -> bool {
	let Some((head, rest)) = bytes.split_at_checked(4) else { return false };
	let (algorithm, hash) = head.split_at(2);
	if !matches!(be16(hash), 0x0b..=0x0d) {
		return false;
	}
	let sized = |bytes: &[u8]| {
		let (size, rest) = bytes.split_at_checked(2)?;
		rest.get(be16(size)..).map(<[u8]>::to_vec)
	};
	match be16(algorithm) {
		0x14 | 0x16 => sized(rest).is_some_and(|rest| rest.is_empty()),
		0x18 => sized(rest).and_then(|rest| sized(&rest)).is_some_and(|rest| rest.is_empty()),
		_ => false,
	}
}

fn le32(bytes: &[u8]) -> u32 {
	bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn be16(bytes: &[u8]) -> usize {
	bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests;
