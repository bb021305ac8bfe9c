//! Stored types.

use armature_primitives::{
	lease::RunReport,
	market::OrderSpec,
	units::{ARMA, MILLIS_PER_HOUR},
	Balance, DeviceId, MilliWatts, Moment, OrderId, Ppm, SiteId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The shortest window that [`Parameters`] may set, in milliseconds.
pub const MIN_WINDOW_MILLIS: u64 = 1_000;

/// The longest window that [`Parameters`] may set, in milliseconds (30 days).
pub const MAX_WINDOW_MILLIS: u64 = 30 * 24 * MILLIS_PER_HOUR;

/// What differs between networks. A change applies to windows that open after it.
#[derive(
	Clone,
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
	/// From the opening: how long the provider has to acknowledge, in milliseconds.
	pub ack_millis: u64,
	/// From the acknowledgement: how long the provider has to fetch its blobs and start.
	pub start_millis: u64,
	/// Beyond the order's wall-clock limit: how long the provider has to report.
	pub result_grace_millis: u64,
	/// From the report: how long the tenant has to dispute.
	pub accept_millis: u64,
	/// From the dispute: how long the verifier has to run the module again.
	pub dispute_millis: u64,
	/// What a tenant deposits with a dispute, in planck; not zero.
	pub dispute_deposit: Balance,
	/// Share of the device's bond that a refuted result costs, at most the whole.
	pub wrong_result_slash: Ppm,
}

impl Default for Parameters {
	fn default() -> Self {
		Self {
			ack_millis: 60_000,
			start_millis: 600_000,
			result_grace_millis: 60_000,
			accept_millis: MILLIS_PER_HOUR,
			dispute_millis: 6 * MILLIS_PER_HOUR,
			dispute_deposit: ARMA,
			wrong_result_slash: Ppm::from_percent(20),
		}
	}
}

impl Parameters {
	/// Whether every window lies in [`MIN_WINDOW_MILLIS`]..=[`MAX_WINDOW_MILLIS`], disputes cost
	/// something and the slash is a share of at most one.
	pub fn validate(&self) -> bool {
		[
			self.ack_millis,
			self.start_millis,
			self.result_grace_millis,
			self.accept_millis,
			self.dispute_millis,
		]
		.iter()
		.all(|window| (MIN_WINDOW_MILLIS..=MAX_WINDOW_MILLIS).contains(window))
			&& self.dispute_deposit > 0
			&& self.wrong_result_slash <= Ppm::ONE
	}
}

/// Where an open lease stands. Each state carries the last moment at which it may be left by an
/// act; after it, the lease is settled by timeout.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum LeaseState<AccountId> {
	/// Opened by the market; the provider has not answered.
	#[codec(index = 0)]
	Offered {
		/// Last moment to acknowledge.
		ack_by: Moment,
	},
	/// The provider took it and prepares.
	#[codec(index = 1)]
	Acknowledged {
		/// Last moment to start.
		start_by: Moment,
	},
	/// The module runs.
	#[codec(index = 2)]
	Running {
		/// When it started.
		started_at: Moment,
		/// Last moment to report.
		finish_by: Moment,
	},
	/// The provider reported.
	#[codec(index = 3)]
	Reported {
		/// What it reported.
		report: RunReport,
		/// Last moment to dispute.
		accept_by: Moment,
	},
	/// The tenant disputed the report.
	#[codec(index = 4)]
	Disputed {
		/// What the provider reported.
		report: RunReport,
		/// Who runs the module again.
		verifier: AccountId,
		/// What the tenant deposited.
		deposit: Balance,
		/// Last moment for the verifier.
		resolve_by: Moment,
	},
}

impl<AccountId> LeaseState<AccountId> {
	/// The last moment of the state. The timeout is due strictly after it.
	pub fn deadline(&self) -> Moment {
		match self {
			LeaseState::Offered { ack_by } => *ack_by,
			LeaseState::Acknowledged { start_by } => *start_by,
			LeaseState::Running { finish_by, .. } => *finish_by,
			LeaseState::Reported { accept_by, .. } => *accept_by,
			LeaseState::Disputed { resolve_by, .. } => *resolve_by,
		}
	}
}

/// An open lease.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Lease<AccountId> {
	/// The order that it serves.
	pub order: OrderId,
	/// Who pays.
	pub tenant: AccountId,
	/// Who is paid.
	pub provider: AccountId,
	/// The device at work.
	pub device: DeviceId,
	/// Its site.
	pub site: SiteId,
	/// What is computed.
	pub spec: OrderSpec,
	/// Agreed price for 10^9 fuel.
	pub price_per_gfuel: Balance,
	/// What is on hold for it.
	pub escrow: Balance,
	/// Power that the site reserves for it.
	pub power: MilliWatts,
	/// Protocol fee in force at the opening, which the break-even counted on.
	pub protocol_fee: Ppm,
	/// When it was opened.
	pub opened_at: Moment,
	/// The timeout bucket that it is queued in.
	pub bucket: u64,
	/// Where it stands.
	pub state: LeaseState<AccountId>,
}

/// Refunds that could not be released because the account's free balance would have stayed below
/// the existential deposit. Still on hold in that account.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Default,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct DeferredRefund {
	/// Under `HoldReason::LeaseEscrow`.
	pub escrow: Balance,
	/// Under `HoldReason::DisputeDeposit`.
	pub deposit: Balance,
}
