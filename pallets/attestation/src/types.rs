//! Stored types and the small pure rules on them.

use armature_primitives::{device::Tier, evidence::EvidenceFormat, Moment, H256};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The longest validity: a year of 366 days.
pub const MAX_VALIDITY: Moment = 366 * 24 * 3_600_000;

/// Lengths that differ between networks, in milliseconds.
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
	/// How long before its end it may be renewed, and how long a record is kept after its end.
	pub renewal_window: Moment,
	/// How long a nonce may be used.
	pub nonce_lifetime: Moment,
}

impl Default for AttestationParameters {
	/// The production values.
	fn default() -> Self {
		use armature_primitives::units::MILLIS_PER_HOUR;
		Self {
			validity: 24 * MILLIS_PER_HOUR,
			renewal_window: 6 * MILLIS_PER_HOUR,
			nonce_lifetime: MILLIS_PER_HOUR / 4,
		}
	}
}

impl AttestationParameters {
	/// Whether the values can be used: all at least 1 ms, the validity at most [`MAX_VALIDITY`],
	/// the other two at most the validity.
	pub fn validate(&self) -> bool {
		(1..=MAX_VALIDITY).contains(&self.validity)
			&& (1..=self.validity).contains(&self.renewal_window)
			&& (1..=self.validity).contains(&self.nonce_lifetime)
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
}

/// What evidence proved.
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
pub struct Attestation {
	/// How far the identity is rooted in hardware.
	pub tier: Tier,
	/// The format of the evidence.
	pub format: EvidenceFormat,
	/// Blake2b-256 of the encoded inventory.
	pub inventory: H256,
	/// When it was proved.
	pub attested_at: Moment,
	/// The first instant at which it does not hold any more.
	pub expires_at: Moment,
	/// Whether the device registry was told of the end.
	pub lapsed: bool,
}

impl Attestation {
	/// Whether it holds at `now`.
	pub fn holds(&self, now: Moment) -> bool {
		!self.lapsed && now < self.expires_at
	}

	/// The first instant at which it may be renewed.
	pub fn renewable_from(&self, renewal_window: Moment) -> Moment {
		self.expires_at.saturating_sub(renewal_window)
	}
}
