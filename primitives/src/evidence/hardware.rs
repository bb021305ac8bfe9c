//! Hardware evidence on the wire: what a platform and its GPUs said, as the makers' tools write it.
//!
//! Bounds are those of the verifier's parsers; [`super::MAX_EVIDENCE_LEN`] bounds the whole.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::ConstU32;
use sp_runtime::BoundedVec;

use super::EvidenceFormat;

/// The most GPUs and switches of one device.
pub const MAX_GPUS: u32 = 8;

/// The longest chain of certificates, root included.
pub const MAX_CHAIN: u32 = 8;

/// The longest chain of a GPU, root included.
pub const MAX_GPU_CHAIN: u32 = 6;

/// A certificate in DER.
pub type Certificate = BoundedVec<u8, ConstU32<4_096>>;

/// Certificates, leaf first, root last.
pub type Chain = BoundedVec<Certificate, ConstU32<MAX_CHAIN>>;

/// The two certificates above AMD's leaf: ASK or ASVK, then ARK.
pub type AmdIssuers = BoundedVec<Certificate, ConstU32<2>>;

/// An SEV-SNP report.
pub type SnpReport = BoundedVec<u8, ConstU32<1_184>>;

/// `TPMS_ATTEST`.
pub type TpmAttest = BoundedVec<u8, ConstU32<512>>;

/// `TPMT_SIGNATURE`, or the bare bytes of an RSASSA signature with SHA-256.
pub type TpmSignature = BoundedVec<u8, ConstU32<518>>;

/// Values of registers of a TPM's SHA-256 bank; an index that is there twice is refused.
pub type PcrValues = BoundedVec<PcrValue, ConstU32<32>>;

/// What a platform said of itself.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum PlatformEvidence {
	/// AMD SEV-SNP.
	#[codec(index = 0)]
	SevSnp {
		/// The report.
		report: SnpReport,
		/// The certificate of the VCEK or VLEK.
		leaf: Certificate,
		/// ASK or ASVK, then ARK.
		issuers: AmdIssuers,
	},
	/// Intel TDX or SGX. The collateral is on chain.
	#[codec(index = 1)]
	Dcap {
		/// The quote with the chain of the platform's key in it.
		quote: BoundedVec<u8, ConstU32<16_384>>,
	},
	/// TPM 2.0.
	#[codec(index = 2)]
	Tpm {
		/// What was signed.
		attest: TpmAttest,
		/// The signature over it.
		signature: TpmSignature,
		/// The register values that it is about.
		pcrs: PcrValues,
		/// The key that signed: `SubjectPublicKeyInfo` in DER, `TPMT_PUBLIC` or `TPM2B_PUBLIC`.
		attestation_key: BoundedVec<u8, ConstU32<1_024>>,
		/// Where the key comes from.
		origin: TpmOrigin,
	},
	/// Azure: SEV-SNP with a vTPM.
	#[codec(index = 3)]
	AzureSnpVtpm {
		/// The HCL report, as NV index 0x01400001 has it.
		hcl_report: BoundedVec<u8, ConstU32<4_096>>,
		/// The certificate of the VCEK.
		vcek: Certificate,
		/// ASK, then ARK.
		issuers: AmdIssuers,
		/// What the vTPM signed.
		attest: TpmAttest,
		/// The signature over it.
		signature: TpmSignature,
		/// The register values that it is about.
		pcrs: PcrValues,
	},
	/// Android Key Attestation.
	#[codec(index = 4)]
	AndroidKey {
		/// The key's certificates.
		chain: Chain,
	},
	/// AWS Nitro Enclaves.
	#[codec(index = 5)]
	NitroEnclave {
		/// COSE_Sign1, with or without its tag.
		document: BoundedVec<u8, ConstU32<16_384>>,
	},
}

/// Where a TPM's attestation key comes from.
///
/// An endorsement key is not among them: it decrypts and does not sign, so that it takes a secret
/// of the verifier to bind an attestation key to it, and a chain has no secrets. An authority that
/// keeps one can bind the two and certify the attestation key.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum TpmOrigin {
	/// Nobody says.
	#[default]
	#[codec(index = 0)]
	Unknown,
	/// The chain of its own certificate.
	#[codec(index = 1)]
	Certified(Chain),
}

/// The value of one register.
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
pub struct PcrValue {
	/// Its index.
	pub index: u8,
	/// Its value, SHA-256.
	pub value: [u8; 32],
}

/// The report of one GPU or switch.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct GpuReport {
	/// The SPDM request and its response, one behind the other.
	pub report: BoundedVec<u8, ConstU32<8_192>>,
	/// Its certificates.
	pub chain: BoundedVec<Certificate, ConstU32<MAX_GPU_CHAIN>>,
}

/// The reports of the GPUs of one device.
pub type GpuReports = BoundedVec<GpuReport, ConstU32<MAX_GPUS>>;

/// The bytes of a bounded chain.
pub fn ders(chain: &[Certificate]) -> Vec<Vec<u8>> {
	chain.iter().map(|certificate| certificate.to_vec()).collect()
}

impl PlatformEvidence {
	/// The format. For [`PlatformEvidence::Dcap`] the quote's header tells TDX from SGX (Intel, "TDX
	/// DCAP Quoting Library API", A.3.1: TEE type, u32 little endian at byte 4); `None` where it is
	/// neither.
	pub fn format(&self) -> Option<EvidenceFormat> {
		match self {
			PlatformEvidence::SevSnp { .. } => Some(EvidenceFormat::SevSnp),
			PlatformEvidence::Dcap { quote } => match quote.get(4..8) {
				Some([0, 0, 0, 0]) => Some(EvidenceFormat::Sgx),
				Some([0x81, 0, 0, 0]) => Some(EvidenceFormat::Tdx),
				_ => None,
			},
			PlatformEvidence::Tpm { .. } => Some(EvidenceFormat::Tpm),
			PlatformEvidence::AzureSnpVtpm { .. } => Some(EvidenceFormat::AzureSnpVtpm),
			PlatformEvidence::AndroidKey { .. } => Some(EvidenceFormat::AndroidKey),
			PlatformEvidence::NitroEnclave { .. } => Some(EvidenceFormat::NitroEnclave),
		}
	}
}
