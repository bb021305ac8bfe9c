//! Certificates, chains and revocation lists (RFC 5280, the part that attestation hardware uses).
//!
//! Signatures are checked over the bytes that were given: nothing is encoded again.

use super::{
	check::{Check, Checks, Failure, Fault},
	claims::Window,
	crypto::{sha256, Hash, PublicKey, Scheme},
	Question,
};
use alloc::vec::Vec;
use codec::{Decode as ScaleDecode, DecodeWithMemTracking, Encode as ScaleEncode, MaxEncodedLen};
use const_oid::ObjectIdentifier;
use scale_info::TypeInfo;
use x509_cert::{
	certificate::TbsCertificate,
	crl::TbsCertList,
	der::{asn1::BitStringRef, Decode, Encode, Reader, SliceReader},
	ext::pkix::{BasicConstraints, KeyUsage},
	spki::AlgorithmIdentifierOwned,
	time::Time,
};

/// The largest certificate that is read. Real ones have 500 to 1,400 bytes.
pub const MAX_CERTIFICATE_LEN: usize = 4 * 1024;

/// The longest chain that is read, root included. Real ones have 3 to 5 certificates.
pub const MAX_CHAIN_LEN: usize = 8;

/// The largest revocation list that is read.
pub const MAX_CRL_LEN: usize = 64 * 1024;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// A signed structure: the bytes that are signed, how, and the signature.
struct Signed<'a> {
	tbs: &'a [u8],
	algorithm: AlgorithmIdentifierOwned,
	signature: &'a [u8],
}

/// `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`, nothing behind it.
fn signed(bytes: &[u8], limit: usize) -> Result<Signed<'_>, Fault> {
	if bytes.len() > limit {
		return Err(Fault::TooLarge);
	}
	let malformed = |_| Fault::Malformed;
	let mut reader = SliceReader::new(bytes).map_err(malformed)?;
	let parts = reader
		.sequence(|inner| {
			let tbs = inner.tlv_bytes()?;
			let algorithm = AlgorithmIdentifierOwned::decode(inner)?;
			let signature = BitStringRef::decode(inner)?;
			Ok((tbs, algorithm, signature))
		})
		.map_err(malformed)?;
	if !reader.is_finished() {
		return Err(Fault::TrailingBytes);
	}
	let (tbs, algorithm, signature) = parts;
	let signature = signature.as_bytes().ok_or(Fault::Malformed)?;
	Ok(Signed { tbs, algorithm, signature })
}

/// Milliseconds since 1970; instants before it count as its beginning (some honest certificates
/// begin then).
fn millis(time: &Time) -> u64 {
	u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX)
}

/// A certificate.
pub struct Certificate<'a> {
	/// As it was given.
	pub der: &'a [u8],
	tbs: &'a [u8],
	content: TbsCertificate,
	algorithm: AlgorithmIdentifierOwned,
	signature: &'a [u8],
	spki: Vec<u8>,
}

impl<'a> Certificate<'a> {
	/// Reads one.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::TrailingBytes`], [`Fault::Malformed`].
	pub fn parse(der: &'a [u8]) -> Result<Self, Fault> {
		let Signed { tbs, algorithm, signature } = signed(der, MAX_CERTIFICATE_LEN)?;
		let content = TbsCertificate::from_der(tbs).map_err(|_| Fault::Malformed)?;
		// RFC 5280 4.1.1.2: both places must name the same algorithm, parameters included: those of
		// the outer one are not signed.
		if content.signature != algorithm {
			return Err(Fault::Mismatch);
		}
		let spki = content.subject_public_key_info.to_der().map_err(|_| Fault::Malformed)?;
		Ok(Self { der, tbs, content, algorithm, signature, spki })
	}

	/// The key that it certifies.
	///
	/// # Errors
	///
	/// As [`PublicKey::from_spki`].
	pub fn public_key(&self) -> Result<PublicKey, Fault> {
		PublicKey::from_spki(&self.spki)
	}

	/// Its `SubjectPublicKeyInfo` in DER.
	pub fn spki(&self) -> &[u8] {
		&self.spki
	}

	/// SHA-256 of [`Certificate::spki`].
	pub fn spki_sha256(&self) -> [u8; 32] {
		sha256(&self.spki)
	}

	/// SHA-256 of the whole.
	pub fn sha256(&self) -> [u8; 32] {
		sha256(self.der)
	}

	/// Serial number, big endian, without leading zeros; empty for zero.
	pub fn serial(&self) -> &[u8] {
		let bytes = self.content.serial_number.as_bytes();
		let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
		bytes.get(zeros..).unwrap_or_default()
	}

	/// The value of an extension.
	pub fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
		self.content
			.extensions
			.as_ref()?
			.iter()
			.find(|extension| extension.extn_id == oid)
			.map(|extension| extension.extn_value.as_bytes())
	}

	/// The first value of an attribute of the subject, if it is text.
	pub fn subject_attribute(&self, oid: ObjectIdentifier) -> Option<&str> {
		self.content
			.subject
			.0
			.iter()
			.flat_map(|set| set.0.iter())
			.find(|attribute| attribute.oid == oid)
			.and_then(|attribute| core::str::from_utf8(attribute.value.value()).ok())
	}

	/// `commonName` of the subject.
	pub fn common_name(&self) -> Option<&str> {
		self.subject_attribute(ObjectIdentifier::new_unwrap("2.5.4.3"))
	}

	/// When it is valid.
	pub fn window(&self) -> Window {
		Window {
			from: millis(&self.content.validity.not_before),
			until: millis(&self.content.validity.not_after),
		}
	}

	/// Whether `issuer` is the subject that this names as its issuer.
	pub fn names_issuer(&self, issuer: &Certificate<'_>) -> bool {
		self.content.issuer == issuer.content.subject
	}

	/// Verifies its signature.
	///
	/// # Errors
	///
	/// [`Fault::BadSignature`], [`Fault::UnknownAlgorithm`].
	pub fn verify(&self, issuer: &PublicKey) -> Result<(), Fault> {
		issuer.verify_der(Scheme::of(&self.algorithm)?, self.tbs, self.signature)
	}

	/// Verifies an ECDSA signature of two big-endian halves over something else, where only keys of
	/// P-384 with SHA-384 sign.
	///
	/// # Errors
	///
	/// [`Fault::UnknownAlgorithm`] for another key, as [`PublicKey::verify_fixed`].
	pub fn verify_p384(&self, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
		match self.public_key()? {
			key @ PublicKey::P384(_) => key.verify_fixed(Hash::Sha384, message, signature),
			PublicKey::P256(_) | PublicKey::Rsa(_) => Err(Fault::UnknownAlgorithm),
		}
	}

	/// What [`Issuer::sha256`] is of it under the key of `issuer`.
	fn link(&self, issuer: &Certificate<'_>) -> [u8; 32] {
		// DER tells its own length: the two cannot be cut elsewhere.
		sha256(&[self.der, issuer.spki()].concat())
	}

	/// Whether it may issue certificates with `below` issuing certificates between it and the leaf.
	fn may_issue(&self, below: usize) -> Result<(), Fault> {
		let constraints = self.extension(BASIC_CONSTRAINTS).ok_or(Fault::NotAccepted)?;
		let constraints = BasicConstraints::from_der(constraints).map_err(|_| Fault::Malformed)?;
		if !constraints.ca {
			return Err(Fault::NotAccepted);
		}
		if constraints.path_len_constraint.is_some_and(|most| below > usize::from(most)) {
			return Err(Fault::NotAccepted);
		}
		if let Some(usage) = self.extension(KEY_USAGE) {
			let usage = KeyUsage::from_der(usage).map_err(|_| Fault::Malformed)?;
			if !usage.key_cert_sign() {
				return Err(Fault::NotAccepted);
			}
		}
		Ok(())
	}
}

/// Reads the certificates of a chain, leaf first.
///
/// # Errors
///
/// The first that cannot be read; [`Fault::Missing`] for an empty chain, [`Fault::TooLarge`] for
/// one longer than [`MAX_CHAIN_LEN`].
pub fn parse_chain<'a, C: AsRef<[u8]>>(
	chain: &'a [C],
	checks: &mut Checks,
) -> Result<Vec<Certificate<'a>>, Failure> {
	if chain.is_empty() {
		return Err(checks.unreadable(Check::CertificateLayout(0), Fault::Missing));
	}
	if chain.len() > MAX_CHAIN_LEN {
		return Err(checks.unreadable(Check::CertificateLayout(0), Fault::TooLarge));
	}
	let mut parsed = Vec::with_capacity(chain.len());
	for (at, der) in (0u8..).zip(chain) {
		let check = Check::CertificateLayout(at);
		match Certificate::parse(der.as_ref()) {
			Ok(certificate) => {
				checks.note(check, Ok(()))?;
				parsed.push(certificate);
			},
			Err(fault) => return Err(checks.unreadable(check, fault)),
		}
	}
	Ok(parsed)
}

/// What a chain must satisfy beyond its signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainRules {
	/// Whether issuing certificates must carry the CA flag. Some makers' intermediate certificates
	/// are issued by keys whose role is fixed otherwise.
	pub authority: bool,
	/// Whether the dates of the root itself count. A pinned root is trusted for its key.
	pub root_dates: bool,
	/// The first certificate, counted from the leaf, that more than one box has. Signatures of those
	/// from there on are remembered.
	pub shared_from: usize,
}

impl Default for ChainRules {
	fn default() -> Self {
		Self { authority: true, root_dates: true, shared_from: 1 }
	}
}

/// An issuing certificate whose signature was found to hold.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	ScaleEncode,
	ScaleDecode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Issuer {
	/// SHA-256 of the certificate in DER with the `SubjectPublicKeyInfo` of its issuer behind it: the
	/// whole input of the check that need not be made again. A known certificate therefore cannot
	/// stand in another chain, below another key.
	pub sha256: [u8; 32],
	/// The last instant of its dates, in milliseconds since 1970.
	pub until: u64,
}

/// Verifies a chain, leaf first, root last: each link's issuer name, authority and dates, then each
/// signature from the root's own down, which is not looked at where the policy pins the very root. Whether the root is trusted is the caller's to check
/// ([`Check::Root`]). Returns the common window of the dates.
///
/// Signatures of issuing certificates that are in [`Known::issuers`](super::Known::issuers), or
/// that held before in the same evidence, are not computed again.
///
/// # Errors
///
/// The first failure, if `checks` stops there, or a key that cannot be read.
pub fn verify_chain(
	chain: &[Certificate<'_>],
	rules: ChainRules,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Window, Failure> {
	let mut window = Window::ALWAYS;
	let root_at = chain.len().saturating_sub(1);
	let links: Vec<_> = chain
		.iter()
		.enumerate()
		.map(|(at, certificate)| {
			(at, certificate, chain.get(at.saturating_add(1)).unwrap_or(certificate))
		})
		.collect();
	for &(at, certificate, issuer) in &links {
		let index = u8::try_from(at).unwrap_or(u8::MAX);
		checks.consulted(certificate.sha256());
		checks.require(
			Check::CertificateIssuer(index),
			certificate.names_issuer(issuer),
			Fault::Mismatch,
		)?;
		if at > 0 && rules.authority {
			let below = at.saturating_sub(1);
			checks.note(Check::CertificateAuthority(index), certificate.may_issue(below))?;
		}
		if at < root_at || rules.root_dates {
			let dates = certificate.window();
			checks.note(Check::CertificateDates(index), dates.contains(question.now))?;
			window = window.intersect(dates);
		}
	}
	// From the root down: the first one that the maker did not sign ends the work, however many the
	// sender made up below it.
	for &(at, certificate, issuer) in links.iter().rev() {
		let index = u8::try_from(at).unwrap_or(u8::MAX);
		let signature = || issuer.public_key().and_then(|key| certificate.verify(&key));
		// What is trusted byte for byte gains nothing by its own word.
		if at == root_at && question.policy.roots.pin(&certificate.sha256()) {
			checks.note(Check::CertificateSignature(index), Ok(()))?;
			continue;
		}
		// A certificate of one box is seen once: to know it would save nothing.
		let signature = if at < rules.shared_from {
			signature()
		} else {
			let until = certificate.window().until;
			let link = Issuer { sha256: certificate.link(issuer), until };
			let known = question.known.issuers.contains(&link.sha256);
			let outcome = if known || checks.verified(&link.sha256) { Ok(()) } else { signature() };
			if outcome.is_ok() {
				checks.issued(link);
			}
			outcome
		};
		checks.note(Check::CertificateSignature(index), signature)?;
	}
	Ok(window)
}

/// A revocation list.
pub struct Crl<'a> {
	tbs: &'a [u8],
	content: TbsCertList,
	algorithm: AlgorithmIdentifierOwned,
	signature: &'a [u8],
}

impl<'a> Crl<'a> {
	/// Reads one.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::TrailingBytes`], [`Fault::Malformed`].
	pub fn parse(der: &'a [u8]) -> Result<Self, Fault> {
		let Signed { tbs, algorithm, signature } = signed(der, MAX_CRL_LEN)?;
		let content = TbsCertList::from_der(tbs).map_err(|_| Fault::Malformed)?;
		if content.signature != algorithm {
			return Err(Fault::Mismatch);
		}
		Ok(Self { tbs, content, algorithm, signature })
	}

	/// Verifies that `issuer` made it.
	///
	/// # Errors
	///
	/// [`Fault::Mismatch`] for another issuer's name, [`Fault::BadSignature`],
	/// [`Fault::UnknownAlgorithm`].
	pub fn verify(&self, issuer: &Certificate<'_>) -> Result<(), Fault> {
		if self.content.issuer != issuer.content.subject {
			return Err(Fault::Mismatch);
		}
		let key = issuer.public_key()?;
		key.verify_der(Scheme::of(&self.algorithm)?, self.tbs, self.signature)
	}

	/// From its issue until its next update. A list without a next update is never current.
	pub fn window(&self) -> Window {
		Window {
			from: millis(&self.content.this_update),
			until: self.content.next_update.as_ref().map_or(0, millis),
		}
	}

	/// Whether it lists the certificate.
	pub fn revokes(&self, certificate: &Certificate<'_>) -> bool {
		self.content.revoked_certificates.as_ref().is_some_and(|list| {
			list.iter()
				.any(|entry| entry.serial_number == certificate.content.serial_number)
		})
	}
}
