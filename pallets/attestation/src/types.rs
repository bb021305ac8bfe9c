//! Stored types and the small pure rules on them.

use alloc::string::String;
use armature_primitives::{
	device::Tier,
	evidence::{EvidenceFormat, MAX_COLLATERAL_PART_LEN, MAX_PCK_CRL_LEN, MAX_TCB_INFO_LEN},
	units::MILLIS_PER_HOUR,
	Moment, Ppm, H256,
};
use armature_verifier::evidence::hardware::{
	dcap::{Collateral, IssueDates},
	policy::from_hex,
	CheckKind, Failure, FaultKind,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
	traits::{ConstU32, PalletError},
	BoundedVec,
};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::DispatchError;

/// The longest validity: a year of 366 days.
pub const MAX_VALIDITY: Moment = 366 * 24 * 3_600_000;

/// The most hardware ids of one device: the platform and eight GPUs.
pub const MAX_IDENTITIES: u32 = 9;

/// The most certificates that one device's evidence may rest on.
pub const MAX_CERTIFICATES: u32 = 64;

/// The most certificates that are revoked at a time.
pub const MAX_REVOKED_CERTIFICATES: u32 = 256;

/// The most issuing certificates whose signatures are remembered.
pub const MAX_KNOWN_ISSUERS: u32 = 128;

/// The most platforms whose collateral is kept.
pub const MAX_COLLATERALS: u32 = 128;

/// Hardware ids of one device, the platform's first.
pub type Identities = BoundedVec<H256, ConstU32<MAX_IDENTITIES>>;

/// SHA-256 of the certificates that evidence rests on.
pub type Certificates = BoundedVec<H256, ConstU32<MAX_CERTIFICATES>>;

/// SHA-256 of the revoked certificates, in rising order.
pub type RevokedList = BoundedVec<H256, ConstU32<MAX_REVOKED_CERTIFICATES>>;

/// Lengths and rates that differ between networks; lengths in milliseconds.
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
#[serde(deny_unknown_fields)]
pub struct AttestationParameters {
	/// How long an attestation holds.
	pub validity: Moment,
	/// How long before its end it may be renewed.
	pub renewal_window: Moment,
	/// How long a nonce may be used.
	pub nonce_lifetime: Moment,
	/// How long after its end a device keeps its state, without a tier.
	pub grace: Moment,
	/// How long a renewal may be disputed.
	pub dispute_window: Moment,
	/// One nonce in so many asks for a full verification.
	pub full_check_every: u32,
	/// The most renewals in a row.
	pub max_renewals: u32,
	/// What a renewal with forged evidence costs, as a share of the device's bond.
	pub slash_share: Ppm,
}

impl Default for AttestationParameters {
	/// The production values.
	fn default() -> Self {
		Self {
			validity: 24 * MILLIS_PER_HOUR,
			renewal_window: 6 * MILLIS_PER_HOUR,
			nonce_lifetime: MILLIS_PER_HOUR / 4,
			grace: MILLIS_PER_HOUR,
			dispute_window: 6 * MILLIS_PER_HOUR,
			full_check_every: 16,
			max_renewals: 30,
			slash_share: Ppm::from_percent(50),
		}
	}
}

impl AttestationParameters {
	/// Whether the values can be used: the validity at most [`MAX_VALIDITY`], no other length above
	/// the validity, nothing but the grace and the renewals zero, the share at most the whole.
	pub fn validate(&self) -> bool {
		(1..=MAX_VALIDITY).contains(&self.validity)
			&& (1..=self.validity).contains(&self.renewal_window)
			&& (1..=self.validity).contains(&self.nonce_lifetime)
			&& self.grace <= self.validity
			&& (1..=self.validity).contains(&self.dispute_window)
			&& self.full_check_every > 0
			&& self.slash_share > Ppm::default()
			&& self.slash_share <= Ppm::ONE
	}
}

/// A nonce that was handed out.
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
pub struct IssuedNonce {
	/// What the evidence must contain.
	pub nonce: H256,
	/// The first instant at which it is of no use.
	pub expires_at: Moment,
	/// Whether only `submit_evidence` takes it, by what was known when it was handed out. By draw it
	/// may be so all the same, see [`crate::Pallet::renewable_nonce`].
	pub full: bool,
	/// The number of the block that handed it out.
	pub block: u64,
}

/// What evidence proved.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Attestation {
	/// How far the identity is rooted in hardware.
	pub tier: Tier,
	/// The format of the evidence.
	pub format: EvidenceFormat,
	/// Blake2b-256 of the encoded inventory.
	pub inventory: H256,
	/// When evidence was taken last, verified in full or as a renewal.
	pub attested_at: Moment,
	/// The first instant at which it does not hold any more.
	pub expires_at: Moment,
	/// Whether its end was noted. The device has its grace then.
	pub lapsed: bool,
	/// When evidence was last verified in full.
	pub proved_at: Moment,
	/// Renewals since then.
	pub renewals: u32,
	/// Whether the next evidence must be verified in full.
	pub full_due: bool,
	/// The first instant at which some certificate or collateral does not hold any more.
	pub certified_until: Moment,
	/// What it vouches for, the platform first; empty where nothing names a box.
	pub identities: Identities,
	/// Firmware versions as a number to compare within one product.
	pub tcb: u64,
	/// Blake2b-256 of maker and model.
	pub model: H256,
	/// What it rests on.
	pub certificates: Certificates,
	/// The generation of the reference values that it was last held against.
	pub generation: u32,
	/// Whether the end was announced.
	pub warned: bool,
}

impl Attestation {
	/// Whether it holds at `now`, revocation apart.
	pub fn holds(&self, now: Moment) -> bool {
		!self.lapsed && now < self.expires_at
	}

	/// The first instant at which it may be renewed.
	pub fn renewable_from(&self, renewal_window: Moment) -> Moment {
		self.expires_at.saturating_sub(renewal_window)
	}

	/// Whether it rests on a certificate of the list, which must be in rising order.
	pub fn rests_on(&self, revoked: &[H256]) -> bool {
		self.certificates.iter().any(|sha256| revoked.binary_search(sha256).is_ok())
	}

	/// The digest of what it vouches for.
	pub fn identities_hash(&self) -> H256 {
		identities_hash(&self.identities)
	}
}

/// Blake2b-256 of hardware ids.
pub fn identities_hash(identities: &[H256]) -> H256 {
	H256(identities.using_encoded(sp_io::hashing::blake2_256))
}

/// A renewal that may be disputed.
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
pub struct PendingRenewal {
	/// Blake2b-256 of the evidence, which is in the body of the block.
	pub evidence_hash: H256,
	/// The number of that block.
	pub block: u64,
	/// The nonce that it was made for.
	pub nonce: H256,
	/// When it was taken; what it is judged at.
	pub submitted_at: Moment,
	/// The first instant at which it cannot be disputed any more.
	pub disputable_until: Moment,
	/// The platform that it claims to be, where the record names one.
	pub platform: Option<H256>,
	/// [`identities_hash`] of platform and GPUs.
	pub identities: H256,
	/// The generation of the reference values at that instant.
	pub references: u32,
}

/// What evidence for a device's nonce would come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EvidenceOutlook {
	/// The tier that it gives.
	pub tier: Tier,
	/// The first instant at which it would not hold any more.
	pub expires_at: Moment,
	/// Whether `renew` takes it, too.
	pub renews: bool,
}

/// What a dispute comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum DisputeOutcome {
	/// The evidence holds.
	Upheld,
	/// It does not by what the chain keeps now, which changed since: the next evidence of the device is
	/// verified in full.
	Outdated {
		/// Why, as an error of this pallet.
		error: DispatchError,
	},
	/// It does not.
	Refuted {
		/// Why, as an error of this pallet.
		error: DispatchError,
		/// Whether no honest device sends it, so that the device is slashed.
		forged: bool,
	},
}

/// An issuing certificate whose signature was found to hold.
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
pub struct KnownIssuer {
	/// What the verifier knows it by.
	pub sha256: [u8; 32],
	/// When it ends.
	pub until: Moment,
}

/// A chain of certificates as PEM.
pub type PemChain = BoundedVec<u8, ConstU32<MAX_COLLATERAL_PART_LEN>>;

/// What Intel says of one kind of platform, as its provisioning certification service gives it.
/// Lists and signatures are bytes here, hex there.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct StoredCollateral {
	/// The PCK CA that issues [`StoredCollateral::pck_crl`], and the root.
	pub pck_crl_issuer_chain: PemChain,
	/// The root's revocation list, DER.
	pub root_ca_crl: BoundedVec<u8, ConstU32<MAX_COLLATERAL_PART_LEN>>,
	/// The revocation list of platform keys, DER.
	pub pck_crl: BoundedVec<u8, ConstU32<MAX_PCK_CRL_LEN>>,
	/// The certificate that signs [`StoredCollateral::tcb_info`], and the root.
	pub tcb_info_issuer_chain: PemChain,
	/// The TCB levels, JSON.
	pub tcb_info: BoundedVec<u8, ConstU32<MAX_TCB_INFO_LEN>>,
	/// Over the bytes of [`StoredCollateral::tcb_info`]: r and s.
	pub tcb_info_signature: [u8; 64],
	/// The certificate that signs [`StoredCollateral::qe_identity`], and the root.
	pub qe_identity_issuer_chain: PemChain,
	/// The identity of the quoting enclave, JSON.
	pub qe_identity: BoundedVec<u8, ConstU32<MAX_COLLATERAL_PART_LEN>>,
	/// Over the bytes of [`StoredCollateral::qe_identity`]: r and s.
	pub qe_identity_signature: [u8; 64],
}

/// The digits of `bytes` in lower case.
fn hex(bytes: &[u8]) -> String {
	let mut text = String::with_capacity(bytes.len().saturating_mul(2));
	for byte in bytes {
		text.extend(char::from_digit(u32::from(byte >> 4), 16));
		text.extend(char::from_digit(u32::from(byte & 0x0f), 16));
	}
	text
}

impl StoredCollateral {
	/// In the verifier's form. `None` where a text is not UTF-8.
	pub fn to_collateral(&self) -> Option<Collateral> {
		let text = |bytes: &[u8]| core::str::from_utf8(bytes).map(String::from).ok();
		Some(Collateral {
			pck_crl_issuer_chain: text(&self.pck_crl_issuer_chain)?,
			root_ca_crl: hex(&self.root_ca_crl),
			pck_crl: hex(&self.pck_crl),
			tcb_info_issuer_chain: text(&self.tcb_info_issuer_chain)?,
			tcb_info: text(&self.tcb_info)?,
			tcb_info_signature: hex(&self.tcb_info_signature),
			qe_identity_issuer_chain: text(&self.qe_identity_issuer_chain)?,
			qe_identity: text(&self.qe_identity)?,
			qe_identity_signature: hex(&self.qe_identity_signature),
		})
	}

	/// From the verifier's form. `None` where a part is too long or not hex.
	pub fn from_collateral(collateral: &Collateral) -> Option<Self> {
		let signature = |hex: &str| from_hex(hex)?.try_into().ok();
		Some(Self {
			pck_crl_issuer_chain: text(&collateral.pck_crl_issuer_chain)?,
			root_ca_crl: from_hex(&collateral.root_ca_crl)?.try_into().ok()?,
			pck_crl: from_hex(&collateral.pck_crl)?.try_into().ok()?,
			tcb_info_issuer_chain: text(&collateral.tcb_info_issuer_chain)?,
			tcb_info: text(&collateral.tcb_info)?,
			tcb_info_signature: signature(&collateral.tcb_info_signature)?,
			qe_identity_issuer_chain: text(&collateral.qe_identity_issuer_chain)?,
			qe_identity: text(&collateral.qe_identity)?,
			qe_identity_signature: signature(&collateral.qe_identity_signature)?,
		})
	}
}

fn text<const MAX: u32>(text: &str) -> Option<BoundedVec<u8, ConstU32<MAX>>> {
	text.as_bytes().to_vec().try_into().ok()
}

/// What is kept of a collateral beside its bytes.
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
pub struct CollateralEntry {
	/// `tcbEvaluationDataNumber` of the TCB levels.
	pub tcb_evaluation_data_number: u32,
	/// The same of the quoting enclave's identity.
	pub qe_evaluation_data_number: u32,
	/// When its parts were issued.
	pub issued: IssueDates,
	/// The first instant at which some part does not hold any more.
	pub until: Moment,
	/// When it came on chain.
	pub stored_at: Moment,
	/// The generation of the reference values under which its signatures were verified.
	pub references: u32,
}

impl CollateralEntry {
	/// Whether it may take the place of `other`: some part is newer, none is older, and no number
	/// falls, unless `other` has one above `most`, which the reference values no longer accept.
	pub fn replaces(&self, other: &Self, most: u32) -> bool {
		let is_ahead = other.numbers().into_iter().any(|number| number > most);
		let falls = self.numbers().into_iter().zip(other.numbers()).any(|(own, old)| own < old);
		self.issued.is_newer(&other.issued) && (is_ahead || !falls)
	}

	fn numbers(&self) -> [u32; 2] {
		[self.tcb_evaluation_data_number, self.qe_evaluation_data_number]
	}
}

/// The check that hardware evidence failed, in the three bytes that an error may have.
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
pub struct HardwareFailure {
	/// What was looked at.
	pub check: CheckKind,
	/// Where: the certificate, counted from the leaf, in the low four bits; the GPU, counted from
	/// one, in the high four bits, which are zero for the platform.
	pub at: u8,
	/// Why it failed.
	pub fault: FaultKind,
}

impl PalletError for HardwareFailure {
	const MAX_ENCODED_SIZE: usize = 3;
}

impl From<Failure> for HardwareFailure {
	fn from(failure: Failure) -> Self {
		// Chains and boxes are shorter than four bits count: see `MAX_CHAIN` and `MAX_GPUS`.
		let certificate = failure.check.certificate().unwrap_or_default().min(0x0f);
		let gpu = failure.part.map_or(0, |part| part.saturating_add(1)).min(0x0f);
		Self {
			check: failure.check.kind(),
			at: (gpu << 4) | certificate,
			fault: failure.fault.kind(),
		}
	}
}
