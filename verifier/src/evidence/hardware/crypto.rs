//! Signature checks of the algorithms that attestation hardware uses.
//!
//! High-S ECDSA signatures are valid: honest hardware makes them half of the time.

use super::check::Fault;
#[cfg(all(any(test, feature = "testing"), feature = "std"))]
use super::testing::signatures::{note, Form};
use const_oid::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{pkcs1::DecodeRsaPublicKey, pkcs1v15, pss, traits::PublicKeyParts, BoxedUint};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

/// `id-ecPublicKey`, RFC 5480.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1`.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `secp384r1`.
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `rsaEncryption`, RFC 8017.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const SHA256_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
/// `id-mgf1`, RFC 8017.
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// RSA moduli that hardware makers use, in bits. A larger one would cost more than its weight.
const RSA_BITS: core::ops::RangeInclusive<u32> = 2_048..=4_096;

/// The widest public exponent: makers use 65,537. What a sender chooses could cost four times as much.
const MAX_EXPONENT_BITS: u32 = 17;

/// Bytes of the largest modulus, with the zero in front that DER asks for.
const MAX_MODULUS_LEN: usize = 513;

/// The hash of a signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
	/// SHA-256.
	Sha256,
	/// SHA-384.
	Sha384,
	/// SHA-512.
	Sha512,
}

impl Hash {
	/// The digest of `message`.
	pub fn digest(self, message: &[u8]) -> alloc::vec::Vec<u8> {
		match self {
			Hash::Sha256 => Sha256::digest(message).to_vec(),
			Hash::Sha384 => Sha384::digest(message).to_vec(),
			Hash::Sha512 => Sha512::digest(message).to_vec(),
		}
	}
}

/// How something was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
	/// ECDSA on the key's curve.
	Ecdsa(Hash),
	/// RSASSA-PKCS1-v1_5.
	RsaPkcs1(Hash),
	/// RSASSA-PSS with MGF1 of the same hash and a salt of the hash's length.
	RsaPss(Hash),
}

impl Scheme {
	/// The scheme of an X.509 `AlgorithmIdentifier`. Parameters of ECDSA should be absent; some
	/// honest chips write NULL, which means the same.
	///
	/// # Errors
	///
	/// [`Fault::UnknownAlgorithm`].
	pub fn of(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, Fault> {
		Ok(match algorithm.oid {
			ECDSA_SHA256 => Scheme::Ecdsa(Hash::Sha256),
			ECDSA_SHA384 => Scheme::Ecdsa(Hash::Sha384),
			ECDSA_SHA512 => Scheme::Ecdsa(Hash::Sha512),
			RSA_SHA256 => Scheme::RsaPkcs1(Hash::Sha256),
			RSA_SHA384 => Scheme::RsaPkcs1(Hash::Sha384),
			RSA_SHA512 => Scheme::RsaPkcs1(Hash::Sha512),
			RSA_PSS => Scheme::RsaPss(pss_hash(algorithm)?),
			_ => return Err(Fault::UnknownAlgorithm),
		})
	}
}

/// The hash of `RSASSA-PSS-params` (RFC 8017 A.2.3), if they are the usual ones: MGF1 of the same
/// hash, a salt of its length, trailer field 1.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Result<Hash, Fault> {
	use super::der::{Class, Reader};
	let parameters = algorithm.parameters.as_ref().ok_or(Fault::UnknownAlgorithm)?;
	let mut rest = Reader::new(parameters.value());
	let unknown = |_| Fault::UnknownAlgorithm;
	let mut hash = None;
	let mut mask = None;
	let mut salt = None;
	while let Some(field) = rest.next().map_err(unknown)? {
		let inner = Reader::new(field.value);
		match (field.class, field.number) {
			(Class::Context, 0) => hash = Some(algorithm_oid(inner)?),
			(Class::Context, 1) => {
				let mut outer = inner;
				let mut sequence = outer.sequence().map_err(unknown)?;
				let oid = sequence.oid().map_err(unknown)?;
				if oid != MGF1 {
					return Err(Fault::UnknownAlgorithm);
				}
				mask = Some(algorithm_oid(sequence)?);
			},
			(Class::Context, 2) => {
				let mut inner = inner;
				salt = Some(inner.small_integer().map_err(unknown)?);
			},
			(Class::Context, 3) => {
				let mut inner = inner;
				if inner.small_integer().map_err(unknown)? != 1 {
					return Err(Fault::UnknownAlgorithm);
				}
			},
			_ => return Err(Fault::UnknownAlgorithm),
		}
	}
	let (hash, length) = match hash {
		Some(SHA256_OID) => (Hash::Sha256, 32),
		Some(SHA384_OID) => (Hash::Sha384, 48),
		Some(SHA512_OID) => (Hash::Sha512, 64),
		_ => return Err(Fault::UnknownAlgorithm),
	};
	let mask_agrees = matches!(
		(mask, hash),
		(Some(SHA256_OID), Hash::Sha256)
			| (Some(SHA384_OID), Hash::Sha384)
			| (Some(SHA512_OID), Hash::Sha512)
	);
	if mask_agrees && salt == Some(length) {
		Ok(hash)
	} else {
		Err(Fault::UnknownAlgorithm)
	}
}

fn algorithm_oid(mut reader: super::der::Reader<'_>) -> Result<ObjectIdentifier, Fault> {
	reader
		.sequence()
		.and_then(|mut sequence| sequence.oid())
		.map_err(|_| Fault::UnknownAlgorithm)
}

/// A key that verifies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublicKey {
	/// NIST P-256.
	P256(p256::ecdsa::VerifyingKey),
	/// NIST P-384.
	P384(p384::ecdsa::VerifyingKey),
	/// RSA of 2,048 to 4,096 bits.
	Rsa(rsa::PublicKey),
}

impl PublicKey {
	/// The key of a `SubjectPublicKeyInfo` in DER.
	///
	/// # Errors
	///
	/// [`Fault::Malformed`], [`Fault::UnknownAlgorithm`].
	pub fn from_spki(der: &[u8]) -> Result<Self, Fault> {
		let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| Fault::Malformed)?;
		let bytes = spki.subject_public_key.as_bytes().ok_or(Fault::Malformed)?;
		match spki.algorithm.oid {
			EC_PUBLIC_KEY => {
				let curve = spki
					.algorithm
					.parameters
					.and_then(|any| any.decode_as::<ObjectIdentifier>().ok())
					.ok_or(Fault::UnknownAlgorithm)?;
				match curve {
					P256 => Self::p256(bytes),
					P384 => Self::p384(bytes),
					_ => Err(Fault::UnknownAlgorithm),
				}
			},
			RSA => {
				let key = rsa::PublicKey::from_pkcs1_der(bytes).map_err(|_| Fault::Malformed)?;
				Self::rsa(key)
			},
			_ => Err(Fault::UnknownAlgorithm),
		}
	}

	/// A P-256 point in SEC1 form (`04 || x || y`, or compressed).
	///
	/// # Errors
	///
	/// [`Fault::Malformed`] when it is no point of the curve.
	pub fn p256(sec1: &[u8]) -> Result<Self, Fault> {
		p256::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
			.map(PublicKey::P256)
			.map_err(|_| Fault::Malformed)
	}

	/// A P-384 point in SEC1 form.
	///
	/// # Errors
	///
	/// [`Fault::Malformed`] when it is no point of the curve.
	pub fn p384(sec1: &[u8]) -> Result<Self, Fault> {
		p384::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
			.map(PublicKey::P384)
			.map_err(|_| Fault::Malformed)
	}

	/// An RSA key from modulus and exponent, big endian.
	///
	/// # Errors
	///
	/// [`Fault::Malformed`], [`Fault::UnknownAlgorithm`] for a modulus or an exponent of unusual size.
	pub fn rsa_from_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self, Fault> {
		if modulus.len() > MAX_MODULUS_LEN || exponent.len() > 8 {
			return Err(Fault::UnknownAlgorithm);
		}
		let key = rsa::PublicKey::new(
			BoxedUint::from_be_slice_vartime(modulus),
			BoxedUint::from_be_slice_vartime(exponent),
		)
		.map_err(|_| Fault::Malformed)?;
		Self::rsa(key)
	}

	fn rsa(key: rsa::PublicKey) -> Result<Self, Fault> {
		let narrow = key.e().bit_width_vartime() <= MAX_EXPONENT_BITS;
		if narrow && RSA_BITS.contains(&key.n().bit_width_vartime()) {
			Ok(PublicKey::Rsa(key))
		} else {
			Err(Fault::UnknownAlgorithm)
		}
	}

	/// Whether it is an RSA key with a modulus of this many bits.
	pub fn is_rsa(&self, bits: u32) -> bool {
		matches!(self, PublicKey::Rsa(key) if key.n().bit_width_vartime() == bits)
	}

	/// Verifies a signature as X.509 and CMS carry it: ECDSA in DER, RSA raw.
	///
	/// # Errors
	///
	/// [`Fault::BadSignature`]; [`Fault::UnknownAlgorithm`] when the scheme is not the key's.
	pub fn verify_der(
		&self,
		scheme: Scheme,
		message: &[u8],
		signature: &[u8],
	) -> Result<(), Fault> {
		#[cfg(all(any(test, feature = "testing"), feature = "std"))]
		note(self, scheme, Form::Der, message, signature);
		match (self, scheme) {
			(PublicKey::P256(key), Scheme::Ecdsa(hash)) => {
				let signature = p256::ecdsa::Signature::from_der(signature).map_err(bad)?;
				key.verify_prehash(&hash.digest(message), &signature).map_err(bad)
			},
			(PublicKey::P384(key), Scheme::Ecdsa(hash)) => {
				let signature = p384::ecdsa::Signature::from_der(signature).map_err(bad)?;
				key.verify_prehash(&hash.digest(message), &signature).map_err(bad)
			},
			(PublicKey::Rsa(key), Scheme::RsaPkcs1(hash)) => {
				verify_pkcs1(key, hash, message, signature)
			},
			(PublicKey::Rsa(key), Scheme::RsaPss(hash)) => {
				verify_pss(key, hash, message, signature)
			},
			_ => Err(Fault::UnknownAlgorithm),
		}
	}

	/// Verifies an ECDSA signature of two big-endian halves, `r || s`.
	///
	/// # Errors
	///
	/// As [`PublicKey::verify_der`].
	pub fn verify_fixed(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
		#[cfg(all(any(test, feature = "testing"), feature = "std"))]
		note(self, Scheme::Ecdsa(hash), Form::Fixed, message, signature);
		match self {
			PublicKey::P256(key) => {
				let signature = p256::ecdsa::Signature::from_slice(signature).map_err(bad)?;
				key.verify_prehash(&hash.digest(message), &signature).map_err(bad)
			},
			PublicKey::P384(key) => {
				let signature = p384::ecdsa::Signature::from_slice(signature).map_err(bad)?;
				key.verify_prehash(&hash.digest(message), &signature).map_err(bad)
			},
			PublicKey::Rsa(_) => Err(Fault::UnknownAlgorithm),
		}
	}
}

fn bad<E>(_: E) -> Fault {
	Fault::BadSignature
}

fn verify_pkcs1(
	key: &rsa::PublicKey,
	hash: Hash,
	message: &[u8],
	signature: &[u8],
) -> Result<(), Fault> {
	use rsa::signature::Verifier;
	let signature = pkcs1v15::Signature::try_from(signature).map_err(bad)?;
	match hash {
		Hash::Sha256 => pkcs1v15::VerifyingKey::<Sha256>::new(key.clone())
			.verify(message, &signature)
			.map_err(bad),
		Hash::Sha384 => pkcs1v15::VerifyingKey::<Sha384>::new(key.clone())
			.verify(message, &signature)
			.map_err(bad),
		Hash::Sha512 => pkcs1v15::VerifyingKey::<Sha512>::new(key.clone())
			.verify(message, &signature)
			.map_err(bad),
	}
}

fn verify_pss(
	key: &rsa::PublicKey,
	hash: Hash,
	message: &[u8],
	signature: &[u8],
) -> Result<(), Fault> {
	use rsa::signature::Verifier;
	let signature = pss::Signature::try_from(signature).map_err(bad)?;
	match hash {
		Hash::Sha256 => pss::VerifyingKey::<Sha256>::new(key.clone())
			.verify(message, &signature)
			.map_err(bad),
		Hash::Sha384 => pss::VerifyingKey::<Sha384>::new(key.clone())
			.verify(message, &signature)
			.map_err(bad),
		Hash::Sha512 => pss::VerifyingKey::<Sha512>::new(key.clone())
			.verify(message, &signature)
			.map_err(bad),
	}
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
	Sha256::digest(bytes).into()
}
