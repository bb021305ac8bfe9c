//! Keys, certificates and revocation lists of our own making, so that every format can be tested
//! without a maker's hardware.

#![allow(clippy::unwrap_used, reason = "what cannot be made must fail loudly")]
#![cfg_attr(not(test), allow(dead_code, reason = "the tests of this crate use what others do not"))]

pub(super) mod android;
pub(super) mod azure;
pub(super) mod dcap;
pub mod made;
pub(super) mod nitro;
pub(super) mod nvidia;
pub mod signatures;
pub(super) mod snp;
pub(super) mod tpm;

use super::{
	claims::Hex,
	crypto::{Hash, Scheme},
};
use alloc::{format, string::String, vec, vec::Vec};
use const_oid::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};
use rsa::{
	pkcs1::{DecodeRsaPrivateKey, EncodeRsaPublicKey},
	pkcs1v15, pss,
	signature::{RandomizedSigner, SignatureEncoding, Signer},
	traits::PublicKeyParts,
	PrivateKey,
};
use sha2::{Sha256, Sha384, Sha512};

/// An instant at which everything made with [`CertSpec::new`] is valid: 2026-01-01T00:00:00Z.
pub const NOW: u64 = 1_767_225_600_000;

const DAY: u64 = 86_400_000;

/// What looks random to the library of RSA and is the same each time.
pub(super) struct Seeded(ChaCha8Rng);

impl Seeded {
	pub(super) fn new(seed: u64) -> Self {
		Self(ChaCha8Rng::seed_from_u64(seed))
	}
}

impl rsa::rand_core::TryRng for Seeded {
	type Error = core::convert::Infallible;

	fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
		Ok(self.0.next_u32())
	}

	fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
		Ok(self.0.next_u64())
	}

	fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
		self.0.fill_bytes(bytes);
		Ok(())
	}
}

impl rsa::rand_core::TryCryptoRng for Seeded {}

/// A key that signs.
#[derive(Clone)]
pub(super) enum Key {
	P256(p256::ecdsa::SigningKey),
	P384(p384::ecdsa::SigningKey),
	Rsa(PrivateKey),
}

impl Key {
	/// The P-256 key of this number, from 1.
	pub(super) fn p256(number: u8) -> Self {
		Key::P256(p256::ecdsa::SigningKey::from_slice(&[number; 32]).unwrap())
	}

	/// The P-384 key of this number, from 1.
	pub(super) fn p384(number: u8) -> Self {
		Key::P384(p384::ecdsa::SigningKey::from_slice(&[number; 48]).unwrap())
	}

	/// An RSA-2048 key.
	pub(super) fn rsa2048() -> Self {
		Key::Rsa(PrivateKey::from_pkcs1_der(include_bytes!("testing/rsa-1.der")).unwrap())
	}

	/// Another RSA-2048 key.
	pub(super) fn other_rsa2048() -> Self {
		Key::Rsa(PrivateKey::from_pkcs1_der(include_bytes!("testing/rsa-2.der")).unwrap())
	}

	/// An RSA-4096 key.
	pub(super) fn rsa4096() -> Self {
		Key::Rsa(PrivateKey::from_pkcs1_der(include_bytes!("testing/rsa-4096.der")).unwrap())
	}

	/// `SubjectPublicKeyInfo` in DER.
	pub(super) fn spki(&self) -> Vec<u8> {
		let ec = |curve: &str, point: &[u8]| {
			let algorithm = sequence(&[oid("1.2.840.10045.2.1"), oid(curve)]);
			sequence(&[algorithm, bit_string(point)])
		};
		match self {
			Key::P256(_) => ec("1.2.840.10045.3.1.7", &self.point()),
			Key::P384(_) => ec("1.3.132.0.34", &self.point()),
			Key::Rsa(key) => {
				let algorithm = sequence(&[oid("1.2.840.113549.1.1.1"), null()]);
				let key = key.to_public_key().to_pkcs1_der().unwrap();
				sequence(&[algorithm, bit_string(key.as_bytes())])
			},
		}
	}

	/// The uncompressed SEC1 point of an elliptic-curve key: `04 || x || y`.
	pub(super) fn point(&self) -> Vec<u8> {
		match self {
			Key::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
			Key::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
			Key::Rsa(_) => panic!("an RSA key has no point"),
		}
	}

	/// Modulus of an RSA key, big endian.
	pub(super) fn modulus(&self) -> Vec<u8> {
		match self {
			Key::Rsa(key) => key.n().to_be_bytes().to_vec(),
			_ => panic!("no RSA key"),
		}
	}

	/// A signature as X.509 carries it.
	pub(super) fn sign(&self, scheme: Scheme, message: &[u8]) -> Vec<u8> {
		match (self, scheme) {
			(Key::P256(key), Scheme::Ecdsa(hash)) => {
				let signature: p256::ecdsa::Signature =
					key.sign_prehash(&hash.digest(message)).unwrap();
				signature.to_der().as_bytes().to_vec()
			},
			(Key::P384(key), Scheme::Ecdsa(hash)) => {
				let signature: p384::ecdsa::Signature =
					key.sign_prehash(&hash.digest(message)).unwrap();
				signature.to_der().as_bytes().to_vec()
			},
			(Key::Rsa(key), Scheme::RsaPkcs1(hash)) => match hash {
				Hash::Sha256 => pkcs1v15::SigningKey::<Sha256>::new(key.clone()).sign(message),
				Hash::Sha384 => pkcs1v15::SigningKey::<Sha384>::new(key.clone()).sign(message),
				Hash::Sha512 => pkcs1v15::SigningKey::<Sha512>::new(key.clone()).sign(message),
			}
			.to_vec(),
			(Key::Rsa(key), Scheme::RsaPss(hash)) => {
				let mut rng = Seeded::new(7);
				let key = key.clone();
				match hash {
					Hash::Sha256 => {
						pss::SigningKey::<Sha256>::new(key).sign_with_rng(&mut rng, message)
					},
					Hash::Sha384 => {
						pss::SigningKey::<Sha384>::new(key).sign_with_rng(&mut rng, message)
					},
					Hash::Sha512 => {
						pss::SigningKey::<Sha512>::new(key).sign_with_rng(&mut rng, message)
					},
				}
				.to_vec()
			},
			_ => panic!("the scheme is not the key's"),
		}
	}

	/// An ECDSA signature as `r || s`, big endian.
	pub(super) fn sign_fixed(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
		match self {
			Key::P256(key) => {
				let signature: p256::ecdsa::Signature =
					key.sign_prehash(&hash.digest(message)).unwrap();
				signature.to_bytes().to_vec()
			},
			Key::P384(key) => {
				let signature: p384::ecdsa::Signature =
					key.sign_prehash(&hash.digest(message)).unwrap();
				signature.to_bytes().to_vec()
			},
			Key::Rsa(_) => panic!("an RSA signature has no halves"),
		}
	}

	/// The scheme that this kind of key signs certificates with, unless told otherwise.
	fn usual_scheme(&self) -> Scheme {
		match self {
			Key::P256(_) => Scheme::Ecdsa(Hash::Sha256),
			Key::P384(_) => Scheme::Ecdsa(Hash::Sha384),
			Key::Rsa(_) => Scheme::RsaPkcs1(Hash::Sha256),
		}
	}
}

/// What a certificate is to say.
#[derive(Clone)]
pub(super) struct CertSpec {
	/// `commonName` of its subject.
	pub(super) subject: &'static str,
	/// `commonName` of its issuer.
	pub(super) issuer: &'static str,
	/// Serial number, big endian, positive.
	pub(super) serial: Vec<u8>,
	/// First instant, in milliseconds since 1970 (whole seconds are kept).
	pub(super) from: u64,
	/// Last instant.
	pub(super) until: u64,
	/// Whether it carries the CA flag and the right to sign certificates and revocation lists.
	pub(super) ca: bool,
	/// More extensions: object identifier and value.
	pub(super) extensions: Vec<(&'static str, Vec<u8>)>,
	/// How it is signed; by the issuer key's kind when `None`.
	pub(super) scheme: Option<Scheme>,
	/// Whether ECDSA's algorithm identifier carries NULL, as some chips write it.
	pub(super) null_parameters: bool,
}

impl CertSpec {
	/// A certificate that is valid for a year on both sides of [`NOW`].
	pub(super) fn new(subject: &'static str, issuer: &'static str) -> Self {
		Self {
			subject,
			issuer,
			serial: vec![1],
			from: NOW - 365 * DAY,
			until: NOW + 365 * DAY,
			ca: false,
			extensions: Vec::new(),
			scheme: None,
			null_parameters: false,
		}
	}

	/// The same as an issuing certificate.
	pub(super) fn authority(mut self) -> Self {
		self.ca = true;
		self
	}

	/// The same with one more extension.
	pub(super) fn with(mut self, oid: &'static str, value: Vec<u8>) -> Self {
		self.extensions.push((oid, value));
		self
	}

	/// The certificate of `key`, signed by `issuer`, in DER.
	pub(super) fn sign(&self, key: &Key, issuer: &Key) -> Vec<u8> {
		let scheme = self.scheme.unwrap_or_else(|| issuer.usual_scheme());
		let algorithm = algorithm(scheme, self.null_parameters);
		let mut extensions: Vec<Vec<u8>> = Vec::new();
		if self.ca {
			let constraints = sequence(&[tlv(0x01, &[0xff])]);
			extensions.push(extension("2.5.29.19", &constraints));
			// keyCertSign and cRLSign.
			extensions.push(extension("2.5.29.15", &[0x03, 0x02, 0x01, 0x06]));
		}
		extensions.extend(self.extensions.iter().map(|(oid, value)| extension(oid, value)));
		let mut fields = vec![
			tlv(0xa0, &integer(&[2])),
			integer(&self.serial),
			algorithm.clone(),
			name(self.issuer),
			sequence(&[time(self.from), time(self.until)]),
			name(self.subject),
			key.spki(),
		];
		if !extensions.is_empty() {
			fields.push(tlv(0xa3, &sequence(&extensions)));
		}
		let tbs = sequence(&fields);
		let signature = bit_string(&issuer.sign(scheme, &tbs));
		sequence(&[tbs, algorithm, signature])
	}
}

/// A revocation list of the issuer named `issuer`, in DER.
pub(super) fn crl(issuer: &str, key: &Key, from: u64, until: u64, revoked: &[&[u8]]) -> Vec<u8> {
	let scheme = key.usual_scheme();
	let algorithm = algorithm(scheme, false);
	let mut fields = vec![integer(&[1]), algorithm.clone(), name(issuer), time(from), time(until)];
	if !revoked.is_empty() {
		let entries: Vec<_> =
			revoked.iter().map(|serial| sequence(&[integer(serial), time(from)])).collect();
		fields.push(sequence(&entries));
	}
	let tbs = sequence(&fields);
	let signature = bit_string(&key.sign(scheme, &tbs));
	sequence(&[tbs, algorithm, signature])
}

/// A DER element. Tags of one byte, lengths below 64 KiB.
pub(super) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
	let mut out = vec![tag];
	let len = u16::try_from(value.len()).unwrap();
	let [high, low] = len.to_be_bytes();
	match len {
		0..0x80 => out.push(low),
		0x80..0x100 => out.extend([0x81, low]),
		_ => out.extend([0x82, high, low]),
	}
	out.extend(value);
	out
}

/// SEQUENCE of encoded elements.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
	tlv(0x30, &parts.concat())
}

/// OBJECT IDENTIFIER.
pub(super) fn oid(dotted: &str) -> Vec<u8> {
	tlv(0x06, ObjectIdentifier::new(dotted).unwrap().as_bytes())
}

/// INTEGER of a non-negative number, big endian.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
	let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
	let bytes = &bytes[zeros.min(bytes.len().saturating_sub(1))..];
	if bytes.first().is_none_or(|first| *first >= 0x80) {
		tlv(0x02, &[&[0], bytes].concat())
	} else {
		tlv(0x02, bytes)
	}
}

/// OCTET STRING.
pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
	tlv(0x04, bytes)
}

fn null() -> Vec<u8> {
	vec![0x05, 0x00]
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
	tlv(0x03, &[&[0], bytes].concat())
}

fn extension(id: &str, value: &[u8]) -> Vec<u8> {
	sequence(&[oid(id), octets(value)])
}

fn name(common_name: &str) -> Vec<u8> {
	let attribute = sequence(&[oid("2.5.4.3"), tlv(0x0c, common_name.as_bytes())]);
	sequence(&[tlv(0x31, &attribute)])
}

fn algorithm(scheme: Scheme, null_parameters: bool) -> Vec<u8> {
	let hash_oid = |hash| match hash {
		Hash::Sha256 => "2.16.840.1.101.3.4.2.1",
		Hash::Sha384 => "2.16.840.1.101.3.4.2.2",
		Hash::Sha512 => "2.16.840.1.101.3.4.2.3",
	};
	match scheme {
		Scheme::Ecdsa(hash) => {
			let id = oid(match hash {
				Hash::Sha256 => "1.2.840.10045.4.3.2",
				Hash::Sha384 => "1.2.840.10045.4.3.3",
				Hash::Sha512 => "1.2.840.10045.4.3.4",
			});
			sequence(&if null_parameters { vec![id, null()] } else { vec![id] })
		},
		Scheme::RsaPkcs1(hash) => {
			let id = oid(match hash {
				Hash::Sha256 => "1.2.840.113549.1.1.11",
				Hash::Sha384 => "1.2.840.113549.1.1.12",
				Hash::Sha512 => "1.2.840.113549.1.1.13",
			});
			sequence(&[id, null()])
		},
		Scheme::RsaPss(hash) => {
			let digest = sequence(&[oid(hash_oid(hash)), null()]);
			let mask = sequence(&[oid("1.2.840.113549.1.1.8"), digest.clone()]);
			let salt = match hash {
				Hash::Sha256 => 32,
				Hash::Sha384 => 48,
				Hash::Sha512 => 64,
			};
			let parameters = sequence(&[
				tlv(0xa0, &digest),
				tlv(0xa1, &mask),
				tlv(0xa2, &integer(&[salt])),
				tlv(0xa3, &integer(&[1])),
			]);
			sequence(&[oid("1.2.840.113549.1.1.10"), parameters])
		},
	}
}

/// GeneralizedTime, to the second.
fn time(millis: u64) -> Vec<u8> {
	let moment = x509_cert::der::DateTime::from_unix_duration(core::time::Duration::from_secs(
		millis / 1_000,
	))
	.unwrap();
	let text = format!(
		"{:04}{:02}{:02}{:02}{:02}{:02}Z",
		moment.year(),
		moment.month(),
		moment.day(),
		moment.hour(),
		moment.minutes(),
		moment.seconds()
	);
	// RFC 5280 4.1.2.5: UTCTime until 2049.
	if moment.year() < 2050 {
		tlv(0x17, &text.as_bytes()[2..])
	} else {
		tlv(0x18, text.as_bytes())
	}
}

/// The digits of base64 (RFC 4648, section 4).
pub(super) const STANDARD: &[u8; 64] =
	b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Those for names (section 5).
pub(super) const URL_SAFE: &[u8; 64] =
	b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 with or without padding.
pub(super) fn base64(bytes: &[u8], digits: &[u8; 64], padded: bool) -> String {
	let mut out = String::new();
	for chunk in bytes.chunks(3) {
		let mut group = [0; 4];
		group[1..1 + chunk.len()].copy_from_slice(chunk);
		let bits = u32::from_be_bytes(group);
		for at in 0..4 {
			if at <= chunk.len() {
				let digit = bits >> (18 - 6 * at) & 0x3f;
				out.push(char::from(digits[usize::try_from(digit).unwrap()]));
			} else if padded {
				out.push('=');
			}
		}
	}
	out
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
	format!("{}", Hex(bytes))
}
