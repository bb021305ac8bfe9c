//! Orders, asks and why an order was refused.

use crate::{
	device::Tier,
	energy::{BreakEven, QuoteError},
	Balance, DeviceId, MilliWatts, Moment, Ppm, RegionId, H256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// What an application wants computed and under which conditions.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OrderSpec {
	/// Blake2b-256 of the WASI module.
	pub module: H256,
	/// Blake2b-256 of the input, given to the module as standard input.
	pub input: H256,
	/// Fuel that it may use; what it does not use is not paid.
	pub max_fuel: u64,
	/// Memory that it may use, in MiB.
	pub max_memory_mib: u32,
	/// Wall-clock limit of the run, in milliseconds.
	pub max_duration_millis: u64,
	/// Most that the tenant pays for 10^9 fuel, in planck.
	pub max_price_per_gfuel: Balance,
	/// Least attestation tier.
	pub min_tier: Tier,
	/// Least availability score.
	pub min_availability: Ppm,
	/// Least speed of one lane, in challenge steps per second.
	pub min_steps_per_second: u64,
	/// Only devices of this region, if given.
	pub region: Option<RegionId>,
	/// The order lapses when unmatched by then.
	pub deadline: Moment,
}

/// A provider's standing offer for one device.
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
pub struct AskTerms {
	/// Least price for 10^9 fuel, in planck.
	pub price_per_gfuel: Balance,
	/// What stands in for break-even while no fresh exchange rate exists; `None` means that the
	/// device takes no work then.
	pub reserve_per_gfuel: Option<Balance>,
}

/// Why one device could not take one order.
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
pub enum RefusalReason {
	/// Nobody asks.
	#[codec(index = 0)]
	NoAsks,
	/// The device is not Active.
	#[codec(index = 1)]
	NotActive,
	/// The device runs a lease, or its memory is being measured.
	#[codec(index = 2)]
	Busy,
	/// Another region.
	#[codec(index = 3)]
	Region,
	/// Attestation missing, expired or of a lower tier.
	#[codec(index = 4)]
	Tier {
		/// What the device has.
		has: Option<Tier>,
	},
	/// Availability score unknown, stale or too low.
	#[codec(index = 5)]
	Availability {
		/// What the device has.
		has: Option<Ppm>,
	},
	/// No fresh performance score, or too slow.
	#[codec(index = 6)]
	Performance {
		/// Steps per second of one lane.
		has: Option<u64>,
	},
	/// Less memory than wanted.
	#[codec(index = 7)]
	Memory {
		/// What the device offers and has shown to have lately, in MiB.
		has_mib: u32,
	},
	/// At the device's speed the fuel takes longer than the wall-clock limit.
	#[codec(index = 8)]
	TooSlow {
		/// How long it would take.
		needs_millis: u64,
	},
	/// The site would draw more than 80 % of its cap.
	#[codec(index = 9)]
	SitePower {
		/// Drawn by running leases.
		in_use: MilliWatts,
		/// Drawn by this order.
		needs: MilliWatts,
		/// 80 % of the cap.
		limit: MilliWatts,
	},
	/// The ask is above the order's limit.
	#[codec(index = 10)]
	PriceTooHigh {
		/// Planck for 10^9 fuel.
		asked: Balance,
	},
	/// The payout at the order's limit does not cover electricity, fees and margin.
	#[codec(index = 11)]
	BelowBreakEven {
		/// The most that the order can pay.
		payout: Balance,
		/// The sum.
		quote: BreakEven,
	},
	/// No break-even can be given.
	#[codec(index = 12)]
	NoQuote {
		/// Why.
		error: QuoteError,
	},
	/// The payout is below the provider's reserve while no fresh exchange rate exists.
	#[codec(index = 13)]
	BelowReserve {
		/// The provider's reserve for 10^9 fuel.
		reserve: Balance,
	},
}

/// The refusal that came closest to a match, as an event carries it.
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
pub struct Refusal {
	/// The device that refused; `None` with [`RefusalReason::NoAsks`].
	pub device: Option<DeviceId>,
	/// Why.
	pub reason: RefusalReason,
}
