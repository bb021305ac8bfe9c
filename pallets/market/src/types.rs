//! Stored types and answers of the view functions.

use armature_primitives::{
	energy::BreakEven,
	market::{OrderSpec, Refusal, RefusalReason},
	units::ARMA,
	Balance, LeaseId, MilliWatts, Moment,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// What differs between networks.
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
	/// Blocks from one batch to the next; not zero.
	pub batch_blocks: u32,
	/// Fuel that the time of one challenge step is worth: calibrates speed scores to fuel. Not
	/// zero.
	pub fuel_per_step: u32,
	/// Open orders that one account may have; not zero.
	pub max_open_orders_per_tenant: u32,
	/// Least escrow of an order, in planck; at least the existential deposit.
	pub min_escrow: Balance,
}

impl Default for Parameters {
	fn default() -> Self {
		Self {
			batch_blocks: 4,
			fuel_per_step: 1_000,
			max_open_orders_per_tenant: 64,
			min_escrow: ARMA / 100,
		}
	}
}

impl Parameters {
	/// Whether no figure is zero and an order's escrow can always be released: it is then at least
	/// `existential_deposit`, which any account can take.
	pub fn validate(&self, existential_deposit: Balance) -> bool {
		self.batch_blocks > 0
			&& self.fuel_per_step > 0
			&& self.max_open_orders_per_tenant > 0
			&& self.min_escrow > 0
			&& self.min_escrow >= existential_deposit
	}
}

/// An order that awaits its match.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OpenOrder<AccountId> {
	/// Who pays.
	pub tenant: AccountId,
	/// What is to be computed.
	pub spec: OrderSpec,
	/// What is on hold: the limit price times the fuel limit, rounded up.
	pub escrow: Balance,
	/// When it was submitted.
	pub submitted_at: Moment,
	/// Why the last batch that looked at it did not match it.
	pub last_refusal: Option<Refusal>,
}

/// An order whose lease is open.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct MatchedOrder<AccountId> {
	/// Who pays.
	pub tenant: AccountId,
	/// Its lease.
	pub lease: LeaseId,
	/// Agreed price for 10^9 fuel.
	pub price_per_gfuel: Balance,
}

/// Where an order stands. Closed orders are forgotten here; their lease's receipt remains.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum OrderStatus<AccountId> {
	/// It awaits its match.
	#[codec(index = 0)]
	Open(OpenOrder<AccountId>),
	/// Its lease is open.
	#[codec(index = 1)]
	Matched(MatchedOrder<AccountId>),
}

/// What order and device would agree on.
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
pub struct Agreement {
	/// Price for 10^9 fuel.
	pub price_per_gfuel: Balance,
	/// What the lease holds.
	pub escrow: Balance,
	/// How long the whole fuel takes at the device's speed, in milliseconds.
	pub duration_millis: u64,
	/// What the site reserves.
	pub power: MilliWatts,
	/// The break-even sum; `None` when the reserve stood in for it.
	pub quote: Option<BreakEven>,
}

/// Why a dry run found no agreement.
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
pub enum ExplainError {
	/// No open order has this id.
	#[codec(index = 0)]
	UnknownOrder,
	/// The device has no ask.
	#[codec(index = 1)]
	NoAsk,
	/// The device is gone or retired; the next batch drops its ask.
	#[codec(index = 2)]
	DeviceGone,
	/// The device refuses the order.
	#[codec(index = 3)]
	Refused(RefusalReason),
}
