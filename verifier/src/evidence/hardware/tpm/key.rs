//! Attestation keys and their signatures (TCG TPM 2.0 part 2, 11.2, 11.3 and 12.2; big endian).

use super::{
	super::{
		check::Fault,
		crypto::{Hash, PublicKey, Scheme},
		reader::Fields,
	},
	attest::{sized, ALG_SHA256},
};
use alloc::vec::Vec;
use rsa::{pss, signature::Verifier, traits::PublicKeyParts};
use sha2::Sha256;

/// The largest public key that is read, in any of its forms.
pub const MAX_KEY_LEN: usize = 1_024;

/// The largest signature that is read: RSA-4096 with its header.
pub const MAX_SIGNATURE_LEN: usize = 518;

const ALG_RSA: u16 = 0x0001;
const ALG_SHA384: u16 = 0x000c;
const ALG_SHA512: u16 = 0x000d;
const ALG_NULL: u16 = 0x0010;
const ALG_RSASSA: u16 = 0x0014;
const ALG_RSAPSS: u16 = 0x0016;
const ALG_ECDSA: u16 = 0x0018;
const ALG_ECC: u16 = 0x0023;

/// `TPM_ECC_NIST_P256`.
const CURVE_P256: u16 = 0x0003;

/// The exponent that a public area means with 0.
const DEFAULT_EXPONENT: u32 = 65_537;

/// Length of a number of P-256.
const HALF: usize = 32;

/// The longest RSA number: 4,096 bits.
const MAX_RSA_LEN: usize = 512;

/// First byte of a `SubjectPublicKeyInfo`: a SEQUENCE. No public area begins so.
const DER_SEQUENCE: u8 = 0x30;

/// `TPMA_OBJECT` (part 2, 8.3): fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign.
const ATTESTATION: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 18;

/// `TPMA_OBJECT`: decrypt.
const DECRYPT: u32 = 1 << 17;

/// The public key that verifies quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttestationKey {
	/// The key.
	pub public: PublicKey,
	/// What the TPM says about it, if it was given as a public area. It is true of a key only if its
	/// name is bound to a TPM.
	pub area: Option<Area>,
}

/// What a public area says besides the key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Area {
	/// Name: the algorithm and the digest of the whole public area.
	pub name: Vec<u8>,
	/// `TPMA_OBJECT`.
	pub attributes: u32,
}

impl Area {
	/// Whether the key was made in the TPM, cannot leave it, and signs only what comes from inside.
	pub fn is_attestation_key(&self) -> bool {
		self.attributes & (ATTESTATION | DECRYPT) == ATTESTATION
	}
}

impl AttestationKey {
	/// Reads a `SubjectPublicKeyInfo` in DER, a `TPMT_PUBLIC`, or a `TPM2B_PUBLIC`.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Truncated`], [`Fault::TrailingBytes`], [`Fault::Malformed`];
	/// [`Fault::UnknownAlgorithm`] for keys other than RSA and P-256.
	pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
		if bytes.len() > MAX_KEY_LEN {
			return Err(Fault::TooLarge);
		}
		if bytes.first() == Some(&DER_SEQUENCE) {
			return match PublicKey::from_spki(bytes)? {
				PublicKey::P384(_) => Err(Fault::UnknownAlgorithm),
				public => Ok(Self { public, area: None }),
			};
		}
		let mut fields = Fields::new(bytes);
		let len = usize::from(fields.u16_be()?);
		if len == fields.rest().len() {
			Self::public_area(fields.rest())
		} else {
			Self::public_area(bytes)
		}
	}

	/// Reads a `TPMT_PUBLIC` of a key that signs.
	fn public_area(bytes: &[u8]) -> Result<Self, Fault> {
		let mut fields = Fields::new(bytes);
		let kind = fields.u16_be()?;
		if kind != ALG_RSA && kind != ALG_ECC {
			return Err(Fault::UnknownAlgorithm);
		}
		let name_algorithm = fields.u16_be()?;
		let attributes = fields.u32_be()?;
		let _policy = sized(&mut fields, 64)?;
		// The symmetric algorithm is that of storage keys.
		if fields.u16_be()? != ALG_NULL {
			return Err(Fault::Malformed);
		}
		match fields.u16_be()? {
			ALG_NULL => {},
			ALG_RSASSA | ALG_RSAPSS | ALG_ECDSA => {
				fields.u16_be()?;
			},
			_ => return Err(Fault::UnknownAlgorithm),
		}
		let public = if kind == ALG_RSA {
			let _bits = fields.u16_be()?;
			let exponent = match fields.u32_be()? {
				0 => DEFAULT_EXPONENT,
				other => other,
			};
			let modulus = sized(&mut fields, MAX_RSA_LEN)?;
			PublicKey::rsa_from_parts(modulus, &exponent.to_be_bytes())?
		} else {
			let curve = fields.u16_be()?;
			let derivation = fields.u16_be()?;
			if curve != CURVE_P256 || derivation != ALG_NULL {
				return Err(Fault::UnknownAlgorithm);
			}
			let x = padded(sized(&mut fields, HALF)?)?;
			let y = padded(sized(&mut fields, HALF)?)?;
			PublicKey::p256(&[&[4][..], &x, &y].concat())?
		};
		fields.finish()?;
		let hash = match name_algorithm {
			ALG_SHA256 => Hash::Sha256,
			ALG_SHA384 => Hash::Sha384,
			ALG_SHA512 => Hash::Sha512,
			_ => return Err(Fault::UnknownAlgorithm),
		};
		let name = [&name_algorithm.to_be_bytes()[..], &hash.digest(bytes)].concat();
		Ok(Self { public, area: Some(Area { name, attributes }) })
	}
}

/// A number of P-256 in its full length.
fn padded(bytes: &[u8]) -> Result<[u8; HALF], Fault> {
	let mut out = [0u8; HALF];
	let zeros = HALF.checked_sub(bytes.len()).ok_or(Fault::Malformed)?;
	out.iter_mut().skip(zeros).zip(bytes).for_each(|(to, from)| *to = *from);
	Ok(out)
}

/// A signature over a quote, always with SHA-256.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signature<'a> {
	/// RSASSA-PKCS1-v1_5.
	RsaPkcs1(&'a [u8]),
	/// RSASSA-PSS.
	RsaPss(&'a [u8]),
	/// ECDSA, `r || s`.
	Ecdsa([u8; 64]),
}

impl<'a> Signature<'a> {
	/// Reads a `TPMT_SIGNATURE`, or the bare bytes of an RSASSA signature of `key`.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Truncated`], [`Fault::TrailingBytes`];
	/// [`Fault::UnknownAlgorithm`] for other algorithms than the three, and other hashes.
	pub fn parse(bytes: &'a [u8], key: &PublicKey) -> Result<Self, Fault> {
		if bytes.len() > MAX_SIGNATURE_LEN {
			return Err(Fault::TooLarge);
		}
		if let PublicKey::Rsa(key) = key {
			// With its header it would be longer.
			if bytes.len() == key.size() {
				return Ok(Signature::RsaPkcs1(bytes));
			}
		}
		let mut fields = Fields::new(bytes);
		let algorithm = fields.u16_be()?;
		if fields.u16_be()? != ALG_SHA256 {
			return Err(Fault::UnknownAlgorithm);
		}
		let signature = match algorithm {
			ALG_RSASSA => Signature::RsaPkcs1(sized(&mut fields, MAX_RSA_LEN)?),
			ALG_RSAPSS => Signature::RsaPss(sized(&mut fields, MAX_RSA_LEN)?),
			ALG_ECDSA => {
				let r = padded(sized(&mut fields, HALF)?)?;
				let s = padded(sized(&mut fields, HALF)?)?;
				let mut halves = [0u8; 64];
				let bytes = r.iter().chain(&s);
				halves.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
				Signature::Ecdsa(halves)
			},
			_ => return Err(Fault::UnknownAlgorithm),
		};
		fields.finish()?;
		Ok(signature)
	}

	/// Verifies it.
	///
	/// # Errors
	///
	/// [`Fault::BadSignature`]; [`Fault::UnknownAlgorithm`] when it is of another kind of key.
	pub fn verify(&self, key: &PublicKey, message: &[u8]) -> Result<(), Fault> {
		match (self, key) {
			(Signature::RsaPkcs1(bytes), PublicKey::Rsa(_)) => {
				key.verify_der(Scheme::RsaPkcs1(Hash::Sha256), message, bytes)
			},
			(Signature::RsaPss(bytes), PublicKey::Rsa(rsa)) => key
				.verify_der(Scheme::RsaPss(Hash::Sha256), message, bytes)
				.or_else(|_| verify_longest_salt(rsa, message, bytes)),
			(Signature::Ecdsa(halves), PublicKey::P256(_)) => {
				key.verify_fixed(Hash::Sha256, message, halves)
			},
			_ => Err(Fault::UnknownAlgorithm),
		}
	}
}

/// TPMs before revision 1.38, and those that are not in FIPS mode, fill the signature with salt
/// (part 1, B.7).
fn verify_longest_salt(
	key: &rsa::PublicKey,
	message: &[u8],
	signature: &[u8],
) -> Result<(), Fault> {
	let bad = |_| Fault::BadSignature;
	// Digest, and two bytes that are always there (RFC 8017 9.1.1).
	let salt = key.size().checked_sub(HALF + 2).ok_or(Fault::BadSignature)?;
	let signature = pss::Signature::try_from(signature).map_err(bad)?;
	pss::VerifyingKey::<Sha256>::new_with_salt_len(key.clone(), salt)
		.verify(message, &signature)
		.map_err(bad)
}
