//! What Intel's provisioning certification service (PCS, API version 4) says of platforms: revocation
//! lists, TCB levels, the identity of the quoting enclave.
//!
//! The JSON is read from the very bytes that are signed. What is not known in it is skipped: Intel
//! adds fields.

use super::{
	super::{
		check::{Check, Checks, Failure, Fault},
		claims::{Identity, IdentityKind, Window},
		instant::parse_rfc3339,
		policy::{from_hex, HexBytes, Policy},
		x509::{verify_chain, Certificate, ChainRules, Crl, MAX_CRL_LEN},
		Question,
	},
	pck::PckCaKind,
	pem,
	tcb::{QeIdentity, TcbInfo},
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{
	de::{DeserializeOwned, Error as _},
	Deserialize, Deserializer, Serialize,
};

/// The largest JSON of a whole collateral that is read. Real ones have 14 to 20 KB.
pub const MAX_COLLATERAL_LEN: usize = 512 * 1024;

/// The largest TCB info or identity of the quoting enclave that is read. Real ones have 0.5 to 10 KB.
pub const MAX_JSON_LEN: usize = 64 * 1024;

/// What a verifier fetches from the PCS (or a cache of it) for a platform, in the form that
/// `dcap-qvl` writes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Collateral {
	/// The PCK CA that issues [`Collateral::pck_crl`], and the root, as PEM.
	pub pck_crl_issuer_chain: String,
	/// The root's revocation list, DER in hex.
	pub root_ca_crl: String,
	/// The revocation list of platform keys, DER in hex.
	pub pck_crl: String,
	/// The certificate that signs [`Collateral::tcb_info`], and the root, as PEM.
	pub tcb_info_issuer_chain: String,
	/// The TCB levels, JSON.
	pub tcb_info: String,
	/// Over the bytes of [`Collateral::tcb_info`]: r and s in hex.
	pub tcb_info_signature: String,
	/// The certificate that signs [`Collateral::qe_identity`], and the root, as PEM.
	pub qe_identity_issuer_chain: String,
	/// The identity of the quoting enclave, JSON.
	pub qe_identity: String,
	/// Over the bytes of [`Collateral::qe_identity`]: r and s in hex.
	pub qe_identity_signature: String,
}

impl Collateral {
	/// Reads it from JSON. A part that is not there is empty, and is found missing or malformed when
	/// it is used.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`] above [`MAX_COLLATERAL_LEN`], [`Fault::Malformed`].
	pub fn from_json(bytes: &[u8]) -> Result<Self, Fault> {
		if bytes.len() > MAX_COLLATERAL_LEN {
			return Err(Fault::TooLarge);
		}
		serde_json::from_slice(bytes).map_err(|_| Fault::Malformed)
	}
}

/// What a quote is of.
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
)]
pub enum Tee {
	/// An enclave.
	#[codec(index = 0)]
	Sgx,
	/// A trust domain.
	#[codec(index = 1)]
	Tdx,
}

/// Which platforms a collateral is for.
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
)]
pub struct CollateralKey {
	/// Family, model, stepping, platform and SKU.
	pub fmspc: [u8; 6],
	/// Enclaves and trust domains have TCB levels and quoting enclaves of their own.
	pub tee: Tee,
	/// Who issued the certificate of the platform's key, and therefore its revocation list.
	pub ca: PckCaKind,
}

/// When the parts of a collateral were issued, in milliseconds since 1970.
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
)]
pub struct IssueDates {
	/// Of the TCB info.
	pub tcb_info: u64,
	/// Of the identity of the quoting enclave.
	pub qe_identity: u64,
	/// Of the revocation list of platform keys.
	pub pck_crl: u64,
	/// Of the root's revocation list.
	pub root_crl: u64,
}

impl IssueDates {
	/// That of the newest part.
	pub fn newest(&self) -> u64 {
		self.parts().into_iter().max().unwrap_or_default()
	}

	/// Whether some part is newer than that of `other`, and none is older.
	pub fn is_newer(&self, other: &Self) -> bool {
		let pairs = || self.parts().into_iter().zip(other.parts());
		pairs().all(|(own, others)| own >= others) && pairs().any(|(own, others)| own > others)
	}

	fn parts(&self) -> [u64; 4] {
		[self.tcb_info, self.qe_identity, self.pck_crl, self.root_crl]
	}
}

/// What a collateral says that was verified by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CollateralFacts {
	/// Which platforms it is for.
	pub key: CollateralKey,
	/// `tcbEvaluationDataNumber` of the TCB info.
	pub tcb_evaluation_data_number: u32,
	/// `tcbEvaluationDataNumber` of the identity of the quoting enclave.
	pub qe_evaluation_data_number: u32,
	/// When its parts were issued.
	pub issued: IssueDates,
	/// When all of its parts hold.
	pub valid: Window,
}

/// Verifies what can be verified without a quote: the root, the dates, every signature, that the
/// root's list revokes no signer, and the policy's bounds. Certificates are counted in the chain of
/// the CA that issues platform keys; what is wrong with another signer is a fault of what it signed.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify_collateral(
	collateral: &Collateral,
	policy: &Policy,
	now: u64,
	checks: &mut Checks,
) -> Result<CollateralFacts, Failure> {
	let layout = |fault, checks: &mut Checks| checks.unreadable(Check::Layout, fault);
	let decoded = Decoded::read(collateral).map_err(|fault| layout(fault, checks))?;
	let parsed = Parsed::read(&decoded).map_err(|fault| layout(fault, checks))?;
	checks.note(Check::Layout, Ok(()))?;
	let chain = parsed.pck_crl_issuers.as_slice();
	let [ca, root] = chain else {
		let fault = if chain.len() < 2 { Fault::Missing } else { Fault::TooLarge };
		return Err(checks.unreadable(Check::Root, fault));
	};
	let key = parsed.key(ca, checks)?;
	let question = Question::new(policy, None, now);
	question.check_root(chain, &policy.roots.intel, checks)?;
	let dates = parsed.check_dates(now, checks)?;
	let valid = verify_chain(chain, ChainRules::default(), &question, checks)?;
	parsed.check_signatures(ca, root, false, checks)?;
	for (at, certificate) in [(0, ca), (1, root)] {
		let revoked = parsed.root_crl.revokes(certificate);
		checks.require(Check::CertificateRevocation(at), !revoked, Fault::Revoked)?;
	}
	parsed.check_number(policy, checks)?;
	let nobody = Identity { kind: IdentityKind::None, id: Vec::new() };
	question.check_revocation(parsed.signers(), &nobody, checks)?;
	let TcbInfo { tcb_evaluation_data_number, issue_date, .. } = decoded.tcb_info;
	let issued = IssueDates {
		tcb_info: issue_date,
		qe_identity: decoded.qe_identity.issue_date,
		pck_crl: parsed.pck_crl.window().from,
		root_crl: parsed.root_crl.window().from,
	};
	Ok(CollateralFacts {
		key,
		tcb_evaluation_data_number,
		qe_evaluation_data_number: decoded.qe_identity.tcb_evaluation_data_number,
		issued,
		valid: valid.intersect(dates),
	})
}

/// A collateral out of its texts.
pub(super) struct Decoded<'a> {
	pck_crl_issuers: Vec<Vec<u8>>,
	pck_crl: Vec<u8>,
	root_crl: Vec<u8>,
	tcb_issuers: Vec<Vec<u8>>,
	qe_issuers: Vec<Vec<u8>>,
	/// The signed bytes.
	pub(super) tcb_text: &'a [u8],
	pub(super) tcb_info: TcbInfo,
	pub(super) tcb_signature: Vec<u8>,
	/// The signed bytes.
	pub(super) qe_text: &'a [u8],
	pub(super) qe_identity: QeIdentity,
	pub(super) qe_signature: Vec<u8>,
}

impl<'a> Decoded<'a> {
	/// Takes the texts apart.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Malformed`], [`Fault::UnknownVersion`]; [`Fault::Missing`] for an
	/// empty part.
	pub(super) fn read(collateral: &'a Collateral) -> Result<Self, Fault> {
		Ok(Self {
			pck_crl: hex(&collateral.pck_crl, MAX_CRL_LEN)?,
			root_crl: hex(&collateral.root_ca_crl, MAX_CRL_LEN)?,
			tcb_signature: hex(&collateral.tcb_info_signature, 64)?,
			qe_signature: hex(&collateral.qe_identity_signature, 64)?,
			pck_crl_issuers: pem::certificates(collateral.pck_crl_issuer_chain.as_bytes())?,
			tcb_issuers: pem::certificates(collateral.tcb_info_issuer_chain.as_bytes())?,
			qe_issuers: pem::certificates(collateral.qe_identity_issuer_chain.as_bytes())?,
			tcb_text: collateral.tcb_info.as_bytes(),
			tcb_info: document::<TcbInfo>(&collateral.tcb_info, 3)?.bounded()?,
			qe_text: collateral.qe_identity.as_bytes(),
			qe_identity: document::<QeIdentity>(&collateral.qe_identity, 2)?.bounded()?,
		})
	}
}

/// A collateral that could be read.
pub(super) struct Parsed<'a> {
	pub(super) pck_crl_issuers: Vec<Certificate<'a>>,
	pub(super) pck_crl: Crl<'a>,
	pub(super) root_crl: Crl<'a>,
	pub(super) tcb_issuers: Vec<Certificate<'a>>,
	pub(super) qe_issuers: Vec<Certificate<'a>>,
	pub(super) decoded: &'a Decoded<'a>,
}

impl<'a> Parsed<'a> {
	/// Reads certificates and lists.
	///
	/// # Errors
	///
	/// As [`Certificate::parse`] and [`Crl::parse`].
	pub(super) fn read(decoded: &'a Decoded<'a>) -> Result<Self, Fault> {
		Ok(Self {
			pck_crl_issuers: certificates(&decoded.pck_crl_issuers)?,
			pck_crl: Crl::parse(&decoded.pck_crl)?,
			root_crl: Crl::parse(&decoded.root_crl)?,
			tcb_issuers: certificates(&decoded.tcb_issuers)?,
			qe_issuers: certificates(&decoded.qe_issuers)?,
			decoded,
		})
	}
}

impl Parsed<'_> {
	/// Which platforms it is for.
	fn key(&self, ca: &Certificate<'_>, checks: &mut Checks) -> Result<CollateralKey, Failure> {
		let Decoded { tcb_info, qe_identity, .. } = self.decoded;
		let (tee, quoting_enclave) = match tcb_info.id.as_str() {
			"SGX" => (Tee::Sgx, "QE"),
			"TDX" => (Tee::Tdx, "TD_QE"),
			_ => return Err(checks.unreadable(Check::TcbInfoMatch, Fault::Malformed)),
		};
		let same = qe_identity.id == quoting_enclave;
		checks.require(Check::QeIdentityMatch, same, Fault::Mismatch)?;
		let ca = ca
			.common_name()
			.and_then(PckCaKind::of)
			.ok_or_else(|| checks.unreadable(Check::CertificateAuthority(0), Fault::Mismatch))?;
		Ok(CollateralKey { fmspc: tcb_info.fmspc, tee, ca })
	}
}

fn certificates(chain: &[Vec<u8>]) -> Result<Vec<Certificate<'_>>, Fault> {
	chain.iter().map(|der| Certificate::parse(der)).collect()
}

fn hex(text: &str, most: usize) -> Result<Vec<u8>, Fault> {
	if text.is_empty() {
		return Err(Fault::Missing);
	}
	if text.len() > most.saturating_mul(2) {
		return Err(Fault::TooLarge);
	}
	from_hex(text).ok_or(Fault::Malformed)
}

/// What every document of the PCS has.
#[derive(Deserialize)]
struct Versioned {
	version: u32,
}

/// A document of the PCS of a known version.
fn document<T: DeserializeOwned>(text: &str, version: u32) -> Result<T, Fault> {
	if text.is_empty() {
		return Err(Fault::Missing);
	}
	if text.len() > MAX_JSON_LEN {
		return Err(Fault::TooLarge);
	}
	let found: Versioned = serde_json::from_str(text).map_err(|_| Fault::Malformed)?;
	if found.version != version {
		return Err(Fault::UnknownVersion(found.version));
	}
	serde_json::from_str(text).map_err(|_| Fault::Malformed)
}

/// Hex of exactly `N` bytes.
pub(super) fn hex_array<'de, D: Deserializer<'de>, const N: usize>(
	deserializer: D,
) -> Result<[u8; N], D::Error> {
	let HexBytes(bytes) = HexBytes::deserialize(deserializer)?;
	bytes.try_into().map_err(|_| D::Error::custom("hex of another length"))
}

/// An RFC 3339 instant as milliseconds since 1970.
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
	let text = String::deserialize(deserializer)?;
	parse_rfc3339(&text).ok_or_else(|| D::Error::custom("not an instant"))
}
