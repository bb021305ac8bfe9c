//! What Intel's provisioning certification service (PCS, API version 4) says of platforms: revocation
//! lists, TCB levels, the identity of the quoting enclave.
//!
//! The JSON is read from the very bytes that are signed. What is not known in it is skipped: Intel
//! adds fields.

use super::{
	super::{
		check::Fault,
		instant::parse_rfc3339,
		policy::{from_hex, HexBytes},
		x509::{Certificate, Crl, MAX_CRL_LEN},
	},
	pem,
	tcb::{QeIdentity, TcbInfo},
};
use alloc::{string::String, vec::Vec};
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
