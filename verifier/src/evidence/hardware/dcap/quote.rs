//! The quote: what it says, and the chain of signatures in it (Intel, "SGX ECDSA QuoteLibReference
//! DCAP API", appendix A, for version 3; "TDX DCAP Quoting Library API", appendix A, for 4 and 5).
//! All numbers are little endian.

use super::super::{check::Fault, reader::Fields};

/// The largest quote that is read. Real ones have 4,600 to 5,100 bytes.
pub const MAX_QUOTE_LEN: usize = 16 * 1024;

/// `att_key_type`: ECDSA-256-with-P-256.
const ECDSA_P256: u16 = 2;
/// `qe_vendor_id` of Intel's quoting enclaves.
const INTEL_QE: [u8; 16] = [
	0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];
/// `tee_type` of TDX; SGX has 0.
const TEE_TDX: u32 = 0x81;
/// Certification data: a chain as PEM.
const PCK_CHAIN: u16 = 5;
/// Certification data: the quoting enclave's report with its own certification data.
const QE_REPORT: u16 = 6;

/// Bytes of an [`EnclaveReport`].
pub const ENCLAVE_REPORT_LEN: usize = 384;
/// Bytes of a [`TdReport`] of TDX 1.0.
pub const TD_REPORT_10_LEN: usize = 584;
/// Bytes of a [`TdReport`] of TDX 1.5.
pub const TD_REPORT_15_LEN: usize = 648;

/// What an SGX enclave is (`sgx_report_body_t`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnclaveReport {
	/// Security version of the processor.
	pub cpu_svn: [u8; 16],
	/// Extended features, as a bit field.
	pub misc_select: [u8; 4],
	/// Flags and the mask of extended registers.
	pub attributes: [u8; 16],
	/// Digest of the enclave.
	pub mrenclave: [u8; 32],
	/// SHA-256 of the key that signed the enclave.
	pub mrsigner: [u8; 32],
	/// Product number that the signer gave it.
	pub isv_prod_id: u16,
	/// Security version that the signer gave it.
	pub isv_svn: u16,
	/// What the enclave put into the report.
	pub report_data: [u8; 64],
}

impl EnclaveReport {
	/// Whether it can be debugged: `DEBUG` of `ATTRIBUTES.FLAGS` (Intel SDM volume 3D, 38.7.1).
	pub fn debugs(&self) -> bool {
		self.attributes.first().is_none_or(|flags| flags & 0x02 != 0)
	}

	fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
		let cpu_svn = fields.array()?;
		let misc_select = fields.array()?;
		fields.take(28)?;
		let attributes = fields.array()?;
		let mrenclave = fields.array()?;
		fields.take(32)?;
		let mrsigner = fields.array()?;
		fields.take(96)?;
		let isv_prod_id = fields.u16_le()?;
		let isv_svn = fields.u16_le()?;
		fields.take(60)?;
		let report_data = fields.array()?;
		Ok(Self {
			cpu_svn,
			misc_select,
			attributes,
			mrenclave,
			mrsigner,
			isv_prod_id,
			isv_svn,
			report_data,
		})
	}
}

/// What a TDX 1.5 report says beyond 1.0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TdReport15 {
	/// Security versions of the TDX module that runs now; the other ones are those of the start.
	pub tee_tcb_svn: [u8; 16],
	/// Digest of the service domains bound to it.
	pub mrservicetd: [u8; 48],
}

/// What a trust domain is (`TDREPORT` parts, in the order of the quote).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TdReport {
	/// Security versions of TDX: byte 0 is the module's, byte 1 its major version.
	pub tee_tcb_svn: [u8; 16],
	/// Digest of the TDX module.
	pub mrseam: [u8; 48],
	/// Digest of the key that signed the TDX module; zero for Intel's.
	pub mrsignerseam: [u8; 48],
	/// Attributes of the TDX module.
	pub seam_attributes: [u8; 8],
	/// Attributes of the domain.
	pub td_attributes: [u8; 8],
	/// Mask of the processor's extended features.
	pub xfam: [u8; 8],
	/// Digest of the domain's initial contents.
	pub mrtd: [u8; 48],
	/// Configuration that the host gave.
	pub mrconfigid: [u8; 48],
	/// Owner that the host gave.
	pub mrowner: [u8; 48],
	/// Owner's configuration that the host gave.
	pub mrownerconfig: [u8; 48],
	/// Registers that the domain extends as it boots.
	pub rtmr: [[u8; 48]; 4],
	/// What the domain put into the report.
	pub report_data: [u8; 64],
	/// What TDX 1.5 adds.
	pub more: Option<TdReport15>,
}

impl TdReport {
	/// Whether it is under debugging: any of the `TUD` bits, 7:0 (Intel TDX module ABI, table
	/// "ATTRIBUTES"); bit 0 is `DEBUG`, the others are kept for the like.
	pub fn debugs(&self) -> bool {
		self.td_attributes.first().is_none_or(|bits| *bits != 0)
	}

	/// `SEPT_VE_DISABLE`, bit 28: the host cannot raise exceptions in it by taking pages away.
	pub fn disables_sept_ve(&self) -> bool {
		self.attribute(28)
	}

	/// `MIGRATABLE`, bit 29: a migration domain may move it to another box.
	pub fn migratable(&self) -> bool {
		self.attribute(29)
	}

	fn attribute(&self, bit: u32) -> bool {
		u64::from_le_bytes(self.td_attributes)
			.checked_shr(bit)
			.is_some_and(|bits| bits & 1 == 1)
	}

	fn read(fields: &mut Fields<'_>, version_15: bool) -> Result<Self, Fault> {
		Ok(Self {
			tee_tcb_svn: fields.array()?,
			mrseam: fields.array()?,
			mrsignerseam: fields.array()?,
			seam_attributes: fields.array()?,
			td_attributes: fields.array()?,
			xfam: fields.array()?,
			mrtd: fields.array()?,
			mrconfigid: fields.array()?,
			mrowner: fields.array()?,
			mrownerconfig: fields.array()?,
			rtmr: [fields.array()?, fields.array()?, fields.array()?, fields.array()?],
			report_data: fields.array()?,
			more: if version_15 {
				Some(TdReport15 { tee_tcb_svn: fields.array()?, mrservicetd: fields.array()? })
			} else {
				None
			},
		})
	}
}

/// What the quote is about.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it per quote")]
pub enum Body {
	/// An SGX enclave.
	Sgx(EnclaveReport),
	/// A TDX trust domain.
	Tdx(TdReport),
}

impl Body {
	/// The freshness field.
	pub fn report_data(&self) -> &[u8; 64] {
		match self {
			Body::Sgx(report) => &report.report_data,
			Body::Tdx(report) => &report.report_data,
		}
	}

	/// The launch measurement: `MRENCLAVE` or `MRTD`.
	pub fn measurement(&self) -> &[u8] {
		match self {
			Body::Sgx(report) => &report.mrenclave,
			Body::Tdx(report) => &report.mrtd,
		}
	}

	/// Whether it can be debugged.
	pub fn debugs(&self) -> bool {
		match self {
			Body::Sgx(report) => report.debugs(),
			Body::Tdx(report) => report.debugs(),
		}
	}

	/// Of a quote of this version; version 5 says itself what it has.
	fn read(version: u16, tdx: bool, fields: &mut Fields<'_>) -> Result<Self, Fault> {
		let (tdx_body, version_15) = match version {
			5 => {
				let kind = fields.u16_le()?;
				let len = usize::try_from(fields.u32_le()?).map_err(|_| Fault::TooLarge)?;
				let (expected, kind) = match kind {
					1 => (ENCLAVE_REPORT_LEN, (false, false)),
					2 => (TD_REPORT_10_LEN, (true, false)),
					3 => (TD_REPORT_15_LEN, (true, true)),
					other => return Err(Fault::UnknownVersion(u32::from(other))),
				};
				if len != expected {
					return Err(Fault::Malformed);
				}
				kind
			},
			_ => (tdx, false),
		};
		if tdx_body != tdx {
			return Err(Fault::Mismatch);
		}
		if tdx {
			TdReport::read(fields, version_15).map(Body::Tdx)
		} else {
			EnclaveReport::read(fields).map(Body::Sgx)
		}
	}
}

/// A quote. All that follows [`Quote::signed`] is bound by signatures, except zeros at the end: two
/// quotes that differ in those, or have `(r, n - s)` for `(r, s)`, are the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quote<'a> {
	/// 3, 4 or 5.
	pub version: u16,
	/// 20 bytes that the quoting enclave puts there; its own id comes first.
	pub user_data: [u8; 20],
	/// What it is about.
	pub body: Body,
	/// The bytes that [`Quote::signature`] is over: header and body.
	pub signed: &'a [u8],
	/// Of the attestation key: r and s, big endian.
	pub signature: [u8; 64],
	/// The attestation key: x and y, big endian.
	pub attestation_key: [u8; 64],
	/// The quoting enclave, which holds the attestation key.
	pub qe_report: EnclaveReport,
	/// The bytes that [`Quote::qe_report_signature`] is over.
	pub qe_report_bytes: &'a [u8],
	/// Of the platform key (PCK): r and s, big endian.
	pub qe_report_signature: [u8; 64],
	/// What the quoting enclave binds beside the attestation key.
	pub qe_auth_data: &'a [u8],
	/// The certificates of the platform key as PEM, leaf first, without the zero at their end.
	pub certificates: &'a [u8],
}

impl<'a> Quote<'a> {
	/// Reads one.
	///
	/// # Errors
	///
	/// [`Fault::TooLarge`], [`Fault::Truncated`], [`Fault::TrailingBytes`] (zeros behind the declared
	/// end are none), [`Fault::UnknownVersion`] for a quote, body or certification data of another
	/// kind, [`Fault::UnknownAlgorithm`] for another key type, [`Fault::NotTrusted`] for a quoting
	/// enclave that is not Intel's, [`Fault::Mismatch`] for a body of another technology,
	/// [`Fault::Malformed`].
	pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
		if bytes.len() > MAX_QUOTE_LEN {
			return Err(Fault::TooLarge);
		}
		let mut fields = Fields::new(bytes);
		let version = fields.u16_le()?;
		if !(3..=5).contains(&version) {
			return Err(Fault::UnknownVersion(u32::from(version)));
		}
		if fields.u16_le()? != ECDSA_P256 {
			return Err(Fault::UnknownAlgorithm);
		}
		let tdx = match (fields.u32_le()?, version) {
			(0, _) => false,
			(TEE_TDX, 4 | 5) => true,
			_ => return Err(Fault::Malformed),
		};
		// Security versions of the quoting and the provisioning enclave in version 3, else reserved.
		fields.take(4)?;
		if fields.array()? != INTEL_QE {
			return Err(Fault::NotTrusted);
		}
		let user_data = fields.array()?;
		let body = Body::read(version, tdx, &mut fields)?;
		let signed_len = bytes.len().saturating_sub(fields.rest().len());
		let signed = bytes.get(..signed_len).ok_or(Fault::Truncated)?;
		let mut data = Fields::new(sized(&mut fields)?);
		if fields.rest().iter().any(|byte| *byte != 0) {
			return Err(Fault::TrailingBytes);
		}
		let signature = data.array()?;
		let attestation_key = data.array()?;
		let mut data = match version {
			3 => data,
			_ => Fields::new(certification_data(QE_REPORT, data)?),
		};
		let qe_report_bytes = data.take(ENCLAVE_REPORT_LEN)?;
		let qe_report = EnclaveReport::read(&mut Fields::new(qe_report_bytes))?;
		let qe_report_signature = data.array()?;
		let auth_len = usize::from(data.u16_le()?);
		let qe_auth_data = data.take(auth_len)?;
		let certificates = certification_data(PCK_CHAIN, data)?;
		Ok(Self {
			version,
			user_data,
			body,
			signed,
			signature,
			attestation_key,
			qe_report,
			qe_report_bytes,
			qe_report_signature,
			qe_auth_data,
			certificates: certificates.strip_suffix(&[0]).unwrap_or(certificates),
		})
	}
}

/// Bytes behind their length, a u32.
fn sized<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], Fault> {
	let len = usize::try_from(fields.u32_le()?).map_err(|_| Fault::TooLarge)?;
	fields.take(len)
}

/// Certification data, which must be of this kind and the last in its place.
fn certification_data(kind: u16, mut fields: Fields<'_>) -> Result<&[u8], Fault> {
	let found = fields.u16_le()?;
	if found != kind {
		return Err(Fault::UnknownVersion(u32::from(found)));
	}
	let data = sized(&mut fields)?;
	fields.finish()?;
	Ok(data)
}
