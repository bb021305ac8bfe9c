//! Checks and faults by their kind alone, one byte each: what events and errors of a chain carry.

use super::Side;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// A [`Check`](super::Check) without its index.
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
pub enum CheckKind {
	/// [`Check::Layout`](super::Check::Layout).
	#[codec(index = 0)]
	Layout,
	/// [`Check::CertificateLayout`](super::Check::CertificateLayout).
	#[codec(index = 1)]
	CertificateLayout,
	/// [`Check::CertificateIssuer`](super::Check::CertificateIssuer).
	#[codec(index = 2)]
	CertificateIssuer,
	/// [`Check::CertificateSignature`](super::Check::CertificateSignature).
	#[codec(index = 3)]
	CertificateSignature,
	/// [`Check::CertificateDates`](super::Check::CertificateDates).
	#[codec(index = 4)]
	CertificateDates,
	/// [`Check::CertificateAuthority`](super::Check::CertificateAuthority).
	#[codec(index = 5)]
	CertificateAuthority,
	/// [`Check::CertificateRevocation`](super::Check::CertificateRevocation).
	#[codec(index = 6)]
	CertificateRevocation,
	/// [`Check::Root`](super::Check::Root).
	#[codec(index = 7)]
	Root,
	/// [`Check::ReportSignature`](super::Check::ReportSignature).
	#[codec(index = 8)]
	ReportSignature,
	/// [`Check::QuoteSignature`](super::Check::QuoteSignature).
	#[codec(index = 9)]
	QuoteSignature,
	/// [`Check::QeReportSignature`](super::Check::QeReportSignature).
	#[codec(index = 10)]
	QeReportSignature,
	/// [`Check::KeyBinding`](super::Check::KeyBinding).
	#[codec(index = 11)]
	KeyBinding,
	/// [`Check::ChipBinding`](super::Check::ChipBinding).
	#[codec(index = 12)]
	ChipBinding,
	/// [`Check::TcbBinding`](super::Check::TcbBinding).
	#[codec(index = 13)]
	TcbBinding,
	/// [`Check::PcrDigest`](super::Check::PcrDigest).
	#[codec(index = 14)]
	PcrDigest,
	/// [`Check::Nonce`](super::Check::Nonce).
	#[codec(index = 15)]
	Nonce,
	/// [`Check::TcbInfoSignature`](super::Check::TcbInfoSignature).
	#[codec(index = 16)]
	TcbInfoSignature,
	/// [`Check::TcbInfoDates`](super::Check::TcbInfoDates).
	#[codec(index = 17)]
	TcbInfoDates,
	/// [`Check::TcbInfoMatch`](super::Check::TcbInfoMatch).
	#[codec(index = 18)]
	TcbInfoMatch,
	/// [`Check::QeIdentitySignature`](super::Check::QeIdentitySignature).
	#[codec(index = 19)]
	QeIdentitySignature,
	/// [`Check::QeIdentityDates`](super::Check::QeIdentityDates).
	#[codec(index = 20)]
	QeIdentityDates,
	/// [`Check::QeIdentityMatch`](super::Check::QeIdentityMatch).
	#[codec(index = 21)]
	QeIdentityMatch,
	/// [`Check::PckCrlSignature`](super::Check::PckCrlSignature).
	#[codec(index = 22)]
	PckCrlSignature,
	/// [`Check::PckCrlDates`](super::Check::PckCrlDates).
	#[codec(index = 23)]
	PckCrlDates,
	/// [`Check::RootCrlSignature`](super::Check::RootCrlSignature).
	#[codec(index = 24)]
	RootCrlSignature,
	/// [`Check::RootCrlDates`](super::Check::RootCrlDates).
	#[codec(index = 25)]
	RootCrlDates,
	/// [`Check::TdxModule`](super::Check::TdxModule).
	#[codec(index = 26)]
	TdxModule,
	/// [`Check::Debug`](super::Check::Debug).
	#[codec(index = 27)]
	Debug,
	/// [`Check::TcbLevel`](super::Check::TcbLevel).
	#[codec(index = 28)]
	TcbLevel,
	/// [`Check::Measurement`](super::Check::Measurement).
	#[codec(index = 29)]
	Measurement,
	/// [`Check::BoxIdentity`](super::Check::BoxIdentity).
	#[codec(index = 30)]
	BoxIdentity,
	/// [`Check::PhysicalTpm`](super::Check::PhysicalTpm).
	#[codec(index = 31)]
	PhysicalTpm,
	/// [`Check::BootLocked`](super::Check::BootLocked).
	#[codec(index = 32)]
	BootLocked,
	/// [`Check::VerifiedBoot`](super::Check::VerifiedBoot).
	#[codec(index = 33)]
	VerifiedBoot,
	/// [`Check::Revocation`](super::Check::Revocation).
	#[codec(index = 34)]
	Revocation,
	/// [`Check::PrivilegeLevel`](super::Check::PrivilegeLevel).
	#[codec(index = 35)]
	PrivilegeLevel,
	/// [`Check::PlatformConfiguration`](super::Check::PlatformConfiguration).
	#[codec(index = 36)]
	PlatformConfiguration,
	/// [`Check::SecurityLevel`](super::Check::SecurityLevel).
	#[codec(index = 37)]
	SecurityLevel,
}

impl CheckKind {
	/// Which of the two questions it belongs to.
	pub fn side(self) -> Side {
		use CheckKind::*;
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

	/// Its name, as documents and outputs have it.
	pub fn name(self) -> &'static str {
		use CheckKind::*;
		match self {
			Layout => "layout",
			CertificateLayout => "certificate-layout",
			CertificateIssuer => "certificate-issuer",
			CertificateSignature => "certificate-signature",
			CertificateDates => "certificate-dates",
			CertificateAuthority => "certificate-authority",
			CertificateRevocation => "certificate-revocation",
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
}

/// A [`Fault`](super::Fault) without its number.
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
pub enum FaultKind {
	/// [`Fault::TooLarge`](super::Fault::TooLarge).
	#[codec(index = 0)]
	TooLarge,
	/// [`Fault::Truncated`](super::Fault::Truncated).
	#[codec(index = 1)]
	Truncated,
	/// [`Fault::TrailingBytes`](super::Fault::TrailingBytes).
	#[codec(index = 2)]
	TrailingBytes,
	/// [`Fault::Malformed`](super::Fault::Malformed).
	#[codec(index = 3)]
	Malformed,
	/// [`Fault::UnknownVersion`](super::Fault::UnknownVersion).
	#[codec(index = 4)]
	UnknownVersion,
	/// [`Fault::UnknownAlgorithm`](super::Fault::UnknownAlgorithm).
	#[codec(index = 5)]
	UnknownAlgorithm,
	/// [`Fault::Missing`](super::Fault::Missing).
	#[codec(index = 6)]
	Missing,
	/// [`Fault::BadSignature`](super::Fault::BadSignature).
	#[codec(index = 7)]
	BadSignature,
	/// [`Fault::NotYetValid`](super::Fault::NotYetValid).
	#[codec(index = 8)]
	NotYetValid,
	/// [`Fault::Expired`](super::Fault::Expired).
	#[codec(index = 9)]
	Expired,
	/// [`Fault::Mismatch`](super::Fault::Mismatch).
	#[codec(index = 10)]
	Mismatch,
	/// [`Fault::NotTrusted`](super::Fault::NotTrusted).
	#[codec(index = 11)]
	NotTrusted,
	/// [`Fault::Revoked`](super::Fault::Revoked).
	#[codec(index = 12)]
	Revoked,
	/// [`Fault::NotAccepted`](super::Fault::NotAccepted).
	#[codec(index = 13)]
	NotAccepted,
	/// [`Fault::NoReference`](super::Fault::NoReference).
	#[codec(index = 14)]
	NoReference,
}
