//! Leases: what a match turns into.

use crate::{
	market::OrderSpec, Balance, DeviceId, LeaseId, MilliWatts, Moment, OrderId, SiteId, H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// What the market hands over when it has matched an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewLease<AccountId> {
	/// The order.
	pub order: OrderId,
	/// The application's account.
	pub tenant: AccountId,
	/// The provider's account, which is paid.
	pub provider: AccountId,
	/// The device.
	pub device: DeviceId,
	/// Its site.
	pub site: SiteId,
	/// What is to be computed.
	pub spec: OrderSpec,
	/// Agreed price for 10^9 fuel.
	pub price_per_gfuel: Balance,
	/// The most that the lease can cost: price times `spec.max_fuel`, rounded up.
	pub escrow: Balance,
	/// Power that the site reserves for it.
	pub power: MilliWatts,
}

/// How a lease ended.
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
#[serde(rename_all = "kebab-case")]
pub enum LeaseOutcome {
	/// The result was accepted, or the tenant did not answer in its window.
	#[codec(index = 0)]
	Completed,
	/// The provider never acknowledged.
	#[codec(index = 1)]
	NotAcknowledged,
	/// The provider never started.
	#[codec(index = 2)]
	NotStarted,
	/// No result arrived in time.
	#[codec(index = 3)]
	NoResult,
	/// The module failed by itself: out of fuel, out of memory, a trap, past its wall clock.
	/// The fuel it burnt is paid.
	#[codec(index = 4)]
	WorkloadFailed,
	/// The provider declined: blobs missing, or the device cannot run it. Nothing is paid.
	#[codec(index = 5)]
	ProviderDeclined,
	/// A verifier's re-execution contradicted the result. Nothing is paid, the device is slashed.
	#[codec(index = 6)]
	WrongResult,
	/// A disputed result that no verifier re-executed in time. Nothing is paid, no one is slashed.
	#[codec(index = 7)]
	Unresolved,
	/// The tenant cancelled before the start. Nothing is paid.
	#[codec(index = 8)]
	Cancelled,
	/// The device's attestation was revoked, or ran out for good, before a result was there.
	/// Nothing is paid.
	#[codec(index = 9)]
	AttestationLost,
}

/// How a run ended inside its sandbox.
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
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
	/// The module returned, or exited with code 0.
	#[codec(index = 0)]
	Success,
	/// It asked for more fuel than the order allows.
	#[codec(index = 1)]
	OutOfFuel,
	/// It asked for more memory than the order allows.
	#[codec(index = 2)]
	OutOfMemory,
	/// It ran longer than the order allows.
	#[codec(index = 3)]
	OutOfTime,
	/// It trapped or exited with another code.
	#[codec(index = 4)]
	Trapped,
	/// It wrote more output than the cap.
	#[codec(index = 5)]
	OutputTooLarge,
}

/// What a provider reports when a run has ended.
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
pub struct RunReport {
	/// How it ended.
	pub status: RunStatus,
	/// Blake2b-256 of what it wrote to standard output.
	pub output: H256,
	/// Length of that output in bytes.
	pub output_len: u64,
	/// Fuel that it used, deterministic for module and input.
	pub fuel: u64,
}

/// The settled account of a lease. `paid + fee + refunded == escrow`, always.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Receipt<AccountId> {
	/// The lease.
	pub lease: LeaseId,
	/// The order.
	pub order: OrderId,
	/// The device.
	pub device: DeviceId,
	/// Who paid.
	pub tenant: AccountId,
	/// Who was paid.
	pub provider: AccountId,
	/// How it ended.
	pub outcome: LeaseOutcome,
	/// The provider's report, if one arrived.
	pub report: Option<RunReport>,
	/// What was held.
	pub escrow: Balance,
	/// What the provider received.
	pub paid: Balance,
	/// What the protocol received.
	pub fee: Balance,
	/// What the tenant got back.
	pub refunded: Balance,
	/// When it was settled.
	pub settled_at: Moment,
}
