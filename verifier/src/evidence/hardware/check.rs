//! Named checks, and what happens when one fails.
//!
//! Every check has a name that a person can look up. On chain the first failure ends the work (it
//! is paid for by weight); a person who looks at a file wants to hear all of them. [`Checks`] is
//! both: it either stops at the first failure or notes it and goes on.

mod kind;

pub use kind::{CheckKind, FaultKind};

use super::x509::Issuer;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// What was looked at. The index counts certificates from the leaf, which is 0.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
	// Crypto: what the signatures, chains, dates and bindings say.
	/// Sizes, versions, declared lengths, nothing behind the end.
	#[codec(index = 0)]
	Layout,
	/// The certificate can be read.
	#[codec(index = 1)]
	CertificateLayout(u8),
	/// The certificate names its issuer's subject.
	#[codec(index = 2)]
	CertificateIssuer(u8),
	/// The issuer's key verifies the certificate.
	#[codec(index = 3)]
	CertificateSignature(u8),
	/// The certificate's dates contain the instant.
	#[codec(index = 4)]
	CertificateDates(u8),
	/// An issuing certificate may issue: CA flag, key usage, path length.
	#[codec(index = 5)]
	CertificateAuthority(u8),
	/// The certificate is not on its issuer's revocation list.
	#[codec(index = 6)]
	CertificateRevocation(u8),
	/// The chain ends in a trusted root.
	#[codec(index = 7)]
	Root,
	/// The signature over the report, quote or document itself.
	#[codec(index = 8)]
	ReportSignature,
	/// The signature over a TPM quote that comes with a report of another kind.
	#[codec(index = 9)]
	QuoteSignature,
	/// The platform key's signature over the report of the quoting enclave.
	#[codec(index = 10)]
	QeReportSignature,
	/// The key that signed is the one that the certified part vouches for.
	#[codec(index = 11)]
	KeyBinding,
	/// The chip id of the report is the certificate's.
	#[codec(index = 12)]
	ChipBinding,
	/// The firmware versions of the report are the certificate's.
	#[codec(index = 13)]
	TcbBinding,
	/// The digest in a quote is that of the PCR values beside it.
	#[codec(index = 14)]
	PcrDigest,
	/// The report contains the expected nonce.
	#[codec(index = 15)]
	Nonce,
	/// The signature of the maker over its TCB levels.
	#[codec(index = 16)]
	TcbInfoSignature,
	/// The dates of the TCB levels contain the instant.
	#[codec(index = 17)]
	TcbInfoDates,
	/// The TCB levels are those of this platform.
	#[codec(index = 18)]
	TcbInfoMatch,
	/// The signature of the maker over the identity of the quoting enclave.
	#[codec(index = 19)]
	QeIdentitySignature,
	/// The dates of the quoting enclave's identity contain the instant.
	#[codec(index = 20)]
	QeIdentityDates,
	/// The quoting enclave is the maker's.
	#[codec(index = 21)]
	QeIdentityMatch,
	/// The signature over the revocation list of platform keys.
	#[codec(index = 22)]
	PckCrlSignature,
	/// The dates of that list contain the instant.
	#[codec(index = 23)]
	PckCrlDates,
	/// The signature over the root's revocation list.
	#[codec(index = 24)]
	RootCrlSignature,
	/// The dates of that list contain the instant.
	#[codec(index = 25)]
	RootCrlDates,
	/// The TDX module is the maker's.
	#[codec(index = 26)]
	TdxModule,

	// Policy: what the signed content says.
	/// Debugging is off.
	#[codec(index = 27)]
	Debug,
	/// The firmware is at the least version that is accepted.
	#[codec(index = 28)]
	TcbLevel,
	/// The launch measurement, or every firmware measurement, is an accepted one.
	#[codec(index = 29)]
	Measurement,
	/// The evidence names one box (not a cloud tenant, not a vendor-wide key).
	#[codec(index = 30)]
	BoxIdentity,
	/// The TPM is a chip or firmware of its own, not software or a hypervisor's.
	#[codec(index = 31)]
	PhysicalTpm,
	/// The boot loader is locked.
	#[codec(index = 32)]
	BootLocked,
	/// The booted system was verified.
	#[codec(index = 33)]
	VerifiedBoot,
	/// Neither a key nor the chip is on the list of revoked ones.
	#[codec(index = 34)]
	Revocation,
	/// The report was made at the privilege level that is asked for.
	#[codec(index = 35)]
	PrivilegeLevel,
	/// The guest cannot be moved to another machine.
	#[codec(index = 36)]
	PlatformConfiguration,
	/// The key is held at the security level that is asked for.
	#[codec(index = 37)]
	SecurityLevel,
}

/// The two questions that evidence answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
	/// Signatures, chains, dates, bindings: did the maker's hardware say this, now, for us?
	Crypto,
	/// Is what it said good enough?
	Policy,
}

impl Check {
	/// It without its index.
	pub fn kind(self) -> CheckKind {
		match self {
			Check::Layout => CheckKind::Layout,
			Check::CertificateLayout(_) => CheckKind::CertificateLayout,
			Check::CertificateIssuer(_) => CheckKind::CertificateIssuer,
			Check::CertificateSignature(_) => CheckKind::CertificateSignature,
			Check::CertificateDates(_) => CheckKind::CertificateDates,
			Check::CertificateAuthority(_) => CheckKind::CertificateAuthority,
			Check::CertificateRevocation(_) => CheckKind::CertificateRevocation,
			Check::Root => CheckKind::Root,
			Check::ReportSignature => CheckKind::ReportSignature,
			Check::QuoteSignature => CheckKind::QuoteSignature,
			Check::QeReportSignature => CheckKind::QeReportSignature,
			Check::KeyBinding => CheckKind::KeyBinding,
			Check::ChipBinding => CheckKind::ChipBinding,
			Check::TcbBinding => CheckKind::TcbBinding,
			Check::PcrDigest => CheckKind::PcrDigest,
			Check::Nonce => CheckKind::Nonce,
			Check::TcbInfoSignature => CheckKind::TcbInfoSignature,
			Check::TcbInfoDates => CheckKind::TcbInfoDates,
			Check::TcbInfoMatch => CheckKind::TcbInfoMatch,
			Check::QeIdentitySignature => CheckKind::QeIdentitySignature,
			Check::QeIdentityDates => CheckKind::QeIdentityDates,
			Check::QeIdentityMatch => CheckKind::QeIdentityMatch,
			Check::PckCrlSignature => CheckKind::PckCrlSignature,
			Check::PckCrlDates => CheckKind::PckCrlDates,
			Check::RootCrlSignature => CheckKind::RootCrlSignature,
			Check::RootCrlDates => CheckKind::RootCrlDates,
			Check::TdxModule => CheckKind::TdxModule,
			Check::Debug => CheckKind::Debug,
			Check::TcbLevel => CheckKind::TcbLevel,
			Check::Measurement => CheckKind::Measurement,
			Check::BoxIdentity => CheckKind::BoxIdentity,
			Check::PhysicalTpm => CheckKind::PhysicalTpm,
			Check::BootLocked => CheckKind::BootLocked,
			Check::VerifiedBoot => CheckKind::VerifiedBoot,
			Check::Revocation => CheckKind::Revocation,
			Check::PrivilegeLevel => CheckKind::PrivilegeLevel,
			Check::PlatformConfiguration => CheckKind::PlatformConfiguration,
			Check::SecurityLevel => CheckKind::SecurityLevel,
		}
	}

	/// Which of the two questions it belongs to.
	pub fn side(self) -> Side {
		self.kind().side()
	}

	/// Whether evidence that fails it is nobody's but the sender's doing: signatures, bindings and the
	/// form depend on nothing else. Dates pass by themselves, and what a maker publishes of a
	/// platform (its levels, identities and lists) changes without its owner.
	pub fn is_forgery(self) -> bool {
		use Check::*;
		match self {
			CertificateDates(_)
			| CertificateRevocation(_)
			| TcbInfoSignature
			| TcbInfoDates
			| TcbInfoMatch
			| QeIdentitySignature
			| QeIdentityDates
			| QeIdentityMatch
			| PckCrlSignature
			| PckCrlDates
			| RootCrlSignature
			| RootCrlDates
			| TdxModule => false,
			other => other.side() == Side::Crypto,
		}
	}

	/// Its name without the index, as documents and outputs have it.
	pub fn name(self) -> &'static str {
		self.kind().name()
	}

	/// The certificate that it is about, counted from the leaf.
	pub fn certificate(self) -> Option<u8> {
		use Check::*;
		match self {
			CertificateLayout(at)
			| CertificateIssuer(at)
			| CertificateSignature(at)
			| CertificateDates(at)
			| CertificateAuthority(at)
			| CertificateRevocation(at) => Some(at),
			_ => None,
		}
	}
}

impl fmt::Display for Check {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(self.name())?;
		match self.certificate() {
			Some(at) => write!(f, "[{at}]"),
			None => Ok(()),
		}
	}
}

/// Why a check failed.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
	/// Longer than any honest input of its kind; nothing of it was read.
	#[codec(index = 0)]
	TooLarge,
	/// Ends before it should.
	#[codec(index = 1)]
	Truncated,
	/// Bytes follow the end.
	#[codec(index = 2)]
	TrailingBytes,
	/// Does not have the form that its kind has.
	#[codec(index = 3)]
	Malformed,
	/// Of a version that this verifier does not know.
	#[codec(index = 4)]
	UnknownVersion(u32),
	/// Signed with an algorithm, or a key of a size, that its kind does not use.
	#[codec(index = 5)]
	UnknownAlgorithm,
	/// A part that is needed was not given.
	#[codec(index = 6)]
	Missing,
	/// The signature is not the key's over these bytes.
	#[codec(index = 7)]
	BadSignature,
	/// Begins after the instant.
	#[codec(index = 8)]
	NotYetValid,
	/// Ended before the instant.
	#[codec(index = 9)]
	Expired,
	/// Two things that must be equal are not.
	#[codec(index = 10)]
	Mismatch,
	/// Not one of the trusted or accepted.
	#[codec(index = 11)]
	NotTrusted,
	/// On a list of revoked ones.
	#[codec(index = 12)]
	Revoked,
	/// The policy does not accept it.
	#[codec(index = 13)]
	NotAccepted,
	/// There is no reference value to compare with.
	#[codec(index = 14)]
	NoReference,
}

impl Fault {
	/// It without its number.
	pub fn kind(self) -> FaultKind {
		match self {
			Fault::TooLarge => FaultKind::TooLarge,
			Fault::Truncated => FaultKind::Truncated,
			Fault::TrailingBytes => FaultKind::TrailingBytes,
			Fault::Malformed => FaultKind::Malformed,
			Fault::UnknownVersion(_) => FaultKind::UnknownVersion,
			Fault::UnknownAlgorithm => FaultKind::UnknownAlgorithm,
			Fault::Missing => FaultKind::Missing,
			Fault::BadSignature => FaultKind::BadSignature,
			Fault::NotYetValid => FaultKind::NotYetValid,
			Fault::Expired => FaultKind::Expired,
			Fault::Mismatch => FaultKind::Mismatch,
			Fault::NotTrusted => FaultKind::NotTrusted,
			Fault::Revoked => FaultKind::Revoked,
			Fault::NotAccepted => FaultKind::NotAccepted,
			Fault::NoReference => FaultKind::NoReference,
		}
	}
}

impl fmt::Display for Fault {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Fault::TooLarge => f.write_str("longer than any honest input of its kind"),
			Fault::Truncated => f.write_str("ends before it should"),
			Fault::TrailingBytes => f.write_str("bytes follow the end"),
			Fault::Malformed => f.write_str("does not have the form of its kind"),
			Fault::UnknownVersion(version) => write!(f, "version {version} is not known"),
			Fault::UnknownAlgorithm => f.write_str("an algorithm or key size of another kind"),
			Fault::Missing => f.write_str("a part that is needed was not given"),
			Fault::BadSignature => f.write_str("the signature is not the key's"),
			Fault::NotYetValid => f.write_str("not valid yet at this instant"),
			Fault::Expired => f.write_str("expired at this instant"),
			Fault::Mismatch => f.write_str("does not agree"),
			Fault::NotTrusted => f.write_str("not one of the trusted"),
			Fault::Revoked => f.write_str("revoked"),
			Fault::NotAccepted => f.write_str("not accepted by the policy"),
			Fault::NoReference => f.write_str("no reference value to compare with"),
		}
	}
}

/// A failed check.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub struct Failure {
	/// What was looked at.
	pub check: Check,
	/// Why it failed.
	pub fault: Fault,
	/// In which part of evidence that has several (the GPUs of a box), counted from 0; `None` for
	/// the whole.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub part: Option<u8>,
}

impl Failure {
	/// A failure of `check` in the whole.
	pub fn new(check: Check, fault: Fault) -> Self {
		Self { check, fault, part: None }
	}

	/// A failure of `check` in one part.
	pub fn in_part(part: u8, check: Check, fault: Fault) -> Self {
		Self { check, fault, part: Some(part) }
	}
}

impl fmt::Display for Failure {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		if let Some(part) = self.part {
			write!(f, "part {part}: ")?;
		}
		write!(f, "{}: {}", self.check, self.fault)
	}
}

impl core::error::Error for Failure {}

/// Which failures end a verification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
	/// The first one.
	AtFirst,
	/// The first forgery.
	AtForgery,
	/// None.
	Never,
}

/// Takes the outcome of each check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checks {
	stop: Stop,
	part: Option<u8>,
	passed: Vec<Check>,
	failed: Vec<Failure>,
	certificates: Vec<[u8; 32]>,
	issuers: Vec<Issuer>,
}

impl Checks {
	/// The first failure ends the verification.
	pub fn stop_at_first() -> Self {
		Self::new(Stop::AtFirst)
	}

	/// The first failure that is a forgery ([`Check::is_forgery`]) ends the verification; others are
	/// noted, so that none of them hides one. Costs at most what evidence that holds costs. Whoever
	/// uses this must look at [`Checks::failed`].
	pub fn stop_at_forgery() -> Self {
		Self::new(Stop::AtForgery)
	}

	/// Failures are noted and the verification goes on where it can. Whoever uses this must look at
	/// [`Checks::failed`]: an `Ok` alone says only that everything could be read.
	pub fn note_all() -> Self {
		Self::new(Stop::Never)
	}

	fn new(stop: Stop) -> Self {
		Self {
			stop,
			part: None,
			passed: Vec::new(),
			failed: Vec::new(),
			certificates: Vec::new(),
			issuers: Vec::new(),
		}
	}

	/// From now on, checks are about this part of the evidence; `None`: about the whole again.
	pub fn enter(&mut self, part: Option<u8>) {
		self.part = part;
	}

	/// Notes the outcome of `check`.
	///
	/// # Errors
	///
	/// The failure, where the first one ends the verification.
	pub fn note(&mut self, check: Check, outcome: Result<(), Fault>) -> Result<(), Failure> {
		match outcome {
			Ok(()) => {
				if !self.passed.contains(&check) {
					self.passed.push(check);
				}
				Ok(())
			},
			Err(fault) => {
				let failure = Failure { check, fault, part: self.part };
				self.failed.push(failure);
				let stops = match self.stop {
					Stop::AtFirst => true,
					Stop::AtForgery => check.is_forgery(),
					Stop::Never => false,
				};
				if stops {
					Err(failure)
				} else {
					Ok(())
				}
			},
		}
	}

	/// Notes whether `holds`, with `fault` when it does not.
	///
	/// # Errors
	///
	/// As [`Checks::note`].
	pub fn require(&mut self, check: Check, holds: bool, fault: Fault) -> Result<(), Failure> {
		self.note(check, if holds { Ok(()) } else { Err(fault) })
	}

	/// Notes that something could not be read: that always ends the verification.
	pub fn unreadable(&mut self, check: Check, fault: Fault) -> Failure {
		let failure = Failure { check, fault, part: self.part };
		if !self.failed.contains(&failure) {
			self.failed.push(failure);
		}
		failure
	}

	/// The checks that held, in order, each once. A check that also failed somewhere is not among
	/// them.
	pub fn passed(&self) -> impl Iterator<Item = Check> + '_ {
		self.passed
			.iter()
			.copied()
			.filter(|check| !self.failed.iter().any(|f| f.check == *check))
	}

	/// The checks that failed, in order.
	pub fn failed(&self) -> &[Failure] {
		&self.failed
	}

	/// Records a certificate that was consulted, by the SHA-256 of its DER.
	pub(super) fn consulted(&mut self, sha256: [u8; 32]) {
		if !self.certificates.contains(&sha256) {
			self.certificates.push(sha256);
		}
	}

	/// Records an issuing certificate whose signature holds.
	pub(super) fn issued(&mut self, issuer: Issuer) {
		if !self.verified(&issuer.sha256) {
			self.issuers.push(issuer);
		}
	}

	/// Whether the signature of this issuing certificate was found to hold before, see
	/// [`Issuer::sha256`].
	pub(super) fn verified(&self, sha256: &[u8; 32]) -> bool {
		self.issuers.iter().any(|issuer| issuer.sha256 == *sha256)
	}

	/// SHA-256 of every certificate that was consulted, each once.
	pub fn certificates(&self) -> &[[u8; 32]] {
		&self.certificates
	}

	/// The issuing certificates whose signatures hold, roots included, each once.
	pub fn issuers(&self) -> &[Issuer] {
		&self.issuers
	}

	/// Whether no check of this side failed.
	pub fn holds(&self, side: Side) -> bool {
		self.failed.iter().all(|failure| failure.check.side() != side)
	}
}
