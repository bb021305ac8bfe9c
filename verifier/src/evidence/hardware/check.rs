//! Named checks, and what happens when one fails.
//!
//! Every check has a name that a person can look up. On chain the first failure ends the work (it
//! is paid for by weight); a person who looks at a file wants to hear all of them. [`Checks`] is
//! both: it either stops at the first failure or notes it and goes on.

use alloc::vec::Vec;
use core::fmt;
use serde::Serialize;

/// What was looked at. The index counts certificates from the leaf, which is 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
	// Crypto: what the signatures, chains, dates and bindings say.
	/// Sizes, versions, declared lengths, nothing behind the end.
	Layout,
	/// The certificate can be read.
	CertificateLayout(u8),
	/// The certificate names its issuer's subject.
	CertificateIssuer(u8),
	/// The issuer's key verifies the certificate.
	CertificateSignature(u8),
	/// The certificate's dates contain the instant.
	CertificateDates(u8),
	/// An issuing certificate may issue: CA flag, key usage, path length.
	CertificateAuthority(u8),
	/// The certificate is not on its issuer's revocation list.
	CertificateRevocation(u8),
	/// The chain ends in a trusted root.
	Root,
	/// The signature over the report, quote or document itself.
	ReportSignature,
	/// The signature over a TPM quote that comes with a report of another kind.
	QuoteSignature,
	/// The platform key's signature over the report of the quoting enclave.
	QeReportSignature,
	/// The key that signed is the one that the certified part vouches for.
	KeyBinding,
	/// The chip id of the report is the certificate's.
	ChipBinding,
	/// The firmware versions of the report are the certificate's.
	TcbBinding,
	/// The digest in a quote is that of the PCR values beside it.
	PcrDigest,
	/// The report contains the expected nonce.
	Nonce,
	/// The signature of the maker over its TCB levels.
	TcbInfoSignature,
	/// The dates of the TCB levels contain the instant.
	TcbInfoDates,
	/// The TCB levels are those of this platform.
	TcbInfoMatch,
	/// The signature of the maker over the identity of the quoting enclave.
	QeIdentitySignature,
	/// The dates of the quoting enclave's identity contain the instant.
	QeIdentityDates,
	/// The quoting enclave is the maker's.
	QeIdentityMatch,
	/// The signature over the revocation list of platform keys.
	PckCrlSignature,
	/// The dates of that list contain the instant.
	PckCrlDates,
	/// The signature over the root's revocation list.
	RootCrlSignature,
	/// The dates of that list contain the instant.
	RootCrlDates,
	/// The TDX module is the maker's.
	TdxModule,

	// Policy: what the signed content says.
	/// Debugging is off.
	Debug,
	/// The firmware is at the least version that is accepted.
	TcbLevel,
	/// The launch measurement, or every firmware measurement, is an accepted one.
	Measurement,
	/// The evidence names one box (not a cloud tenant, not a vendor-wide key).
	BoxIdentity,
	/// The TPM is a chip or firmware of its own, not software or a hypervisor's.
	PhysicalTpm,
	/// The boot loader is locked.
	BootLocked,
	/// The booted system was verified.
	VerifiedBoot,
	/// Neither a key nor the chip is on the list of revoked ones.
	Revocation,
	/// The report was made at the privilege level that is asked for.
	PrivilegeLevel,
	/// The guest cannot be moved to another machine.
	PlatformConfiguration,
	/// The key is held at the security level that is asked for.
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
	/// Which of the two questions it belongs to.
	pub fn side(self) -> Side {
		use Check::*;
		match self {
			Debug
			| TcbLevel
			| Measurement
			| BoxIdentity
			| PhysicalTpm
			| BootLocked
			| VerifiedBoot
			| Revocation
			| PrivilegeLevel
			| PlatformConfiguration
			| SecurityLevel => Side::Policy,
			_ => Side::Crypto,
		}
	}

	/// Its name without the index, as documents and outputs have it.
	pub fn name(self) -> &'static str {
		use Check::*;
		match self {
			Layout => "layout",
			CertificateLayout(_) => "certificate-layout",
			CertificateIssuer(_) => "certificate-issuer",
			CertificateSignature(_) => "certificate-signature",
			CertificateDates(_) => "certificate-dates",
			CertificateAuthority(_) => "certificate-authority",
			CertificateRevocation(_) => "certificate-revocation",
			Root => "root",
			ReportSignature => "report-signature",
			QuoteSignature => "quote-signature",
			QeReportSignature => "qe-report-signature",
			KeyBinding => "key-binding",
			ChipBinding => "chip-binding",
			TcbBinding => "tcb-binding",
			PcrDigest => "pcr-digest",
			Nonce => "nonce",
			TcbInfoSignature => "tcb-info-signature",
			TcbInfoDates => "tcb-info-dates",
			TcbInfoMatch => "tcb-info-match",
			QeIdentitySignature => "qe-identity-signature",
			QeIdentityDates => "qe-identity-dates",
			QeIdentityMatch => "qe-identity-match",
			PckCrlSignature => "pck-crl-signature",
			PckCrlDates => "pck-crl-dates",
			RootCrlSignature => "root-crl-signature",
			RootCrlDates => "root-crl-dates",
			TdxModule => "tdx-module",
			Debug => "debug",
			TcbLevel => "tcb-level",
			Measurement => "measurement",
			BoxIdentity => "box-identity",
			PhysicalTpm => "physical-tpm",
			BootLocked => "boot-locked",
			VerifiedBoot => "verified-boot",
			Revocation => "revocation",
			PrivilegeLevel => "privilege-level",
			PlatformConfiguration => "platform-configuration",
			SecurityLevel => "security-level",
		}
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
	/// Longer than any honest input of its kind; nothing of it was read.
	TooLarge,
	/// Ends before it should.
	Truncated,
	/// Bytes follow the end.
	TrailingBytes,
	/// Does not have the form that its kind has.
	Malformed,
	/// Of a version that this verifier does not know.
	UnknownVersion(u32),
	/// Signed with an algorithm, or a key of a size, that its kind does not use.
	UnknownAlgorithm,
	/// A part that is needed was not given.
	Missing,
	/// The signature is not the key's over these bytes.
	BadSignature,
	/// Begins after the instant.
	NotYetValid,
	/// Ended before the instant.
	Expired,
	/// Two things that must be equal are not.
	Mismatch,
	/// Not one of the trusted or accepted.
	NotTrusted,
	/// On a list of revoked ones.
	Revoked,
	/// The policy does not accept it.
	NotAccepted,
	/// There is no reference value to compare with.
	NoReference,
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Failure {
	/// What was looked at.
	pub check: Check,
	/// Why it failed.
	pub fault: Fault,
	/// In which part of evidence that has several (the GPUs of a box), counted from 0; `None` for
	/// the whole.
	#[serde(skip_serializing_if = "Option::is_none")]
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

/// Takes the outcome of each check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checks {
	stop_at_first: bool,
	part: Option<u8>,
	passed: Vec<Check>,
	failed: Vec<Failure>,
}

impl Checks {
	/// The first failure ends the verification.
	pub fn stop_at_first() -> Self {
		Self { stop_at_first: true, part: None, passed: Vec::new(), failed: Vec::new() }
	}

	/// Failures are noted and the verification goes on where it can. Whoever uses this must look at
	/// [`Checks::failed`]: an `Ok` alone says only that everything could be read.
	pub fn note_all() -> Self {
		Self { stop_at_first: false, part: None, passed: Vec::new(), failed: Vec::new() }
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
				if self.stop_at_first {
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

	/// Whether no check of this side failed.
	pub fn holds(&self, side: Side) -> bool {
		self.failed.iter().all(|failure| failure.check.side() != side)
	}
}
