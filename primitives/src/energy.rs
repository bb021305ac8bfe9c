//! Tariffs, placements and the arithmetic that refusals show.

use crate::{telemetry::PowerSource, Balance, MilliWattHours, MilliWatts, Moment, Ppm};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// ISO 4217 code of a currency, upper-case ASCII.
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
	Serialize,
	Deserialize,
)]
#[serde(transparent)]
pub struct CurrencyCode(pub [u8; 3]);

/// Hours of a day that a tariff names.
pub const HOURS_PER_DAY: usize = 24;

/// A time-of-use tariff: the price of each UTC hour of the day. A flat tariff repeats one value.
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
pub struct Tariff {
	/// What the prices are in.
	pub currency: CurrencyCode,
	/// Micro-units of the currency per kWh, by UTC hour (0.29 EUR/kWh = 290,000).
	pub micro_per_kwh: [u32; HOURS_PER_DAY],
}

/// A stretch of work whose cost is asked for.
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
pub struct Placement {
	/// When it starts.
	pub start: Moment,
	/// How long it runs.
	pub duration_millis: u64,
	/// Lanes that it keeps busy, at least 1.
	pub lanes: u16,
}

/// The sum behind a break-even price. `break_even` is what the tenant must pay at least.
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
pub struct BreakEven {
	/// Power of the placement at the device: idle share plus active power, upper end of its error
	/// band.
	pub power: MilliWatts,
	/// Where the power figure comes from.
	pub power_source: PowerSource,
	/// Power usage effectiveness of the site.
	pub pue: Ppm,
	/// Length of the placement.
	pub duration_millis: u64,
	/// Energy at the wall.
	pub energy: MilliWattHours,
	/// Mean price over the placement's hours, micro-currency per kWh.
	pub micro_per_kwh: u32,
	/// The tariff's currency.
	pub currency: CurrencyCode,
	/// Planck per whole unit of the currency.
	pub rate: Balance,
	/// Electricity, in planck, rounded up.
	pub energy_cost: Balance,
	/// Transaction fees that the provider pays for the lease.
	pub fixed_fee: Balance,
	/// Protocol fee on the payout.
	pub protocol_fee: Ppm,
	/// Margin that the provider must be left with.
	pub margin: Ppm,
	/// The least payout at which the provider does not lose.
	pub break_even: Balance,
}

/// Why no break-even can be given. No quote means no match.
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
pub enum QuoteError {
	/// The device or its site does not exist.
	#[codec(index = 0)]
	UnknownDevice,
	/// The site has no tariff.
	#[codec(index = 1)]
	NoTariff,
	/// The device's power was never measured under challenge load, or too long ago.
	#[codec(index = 2)]
	NoPower,
	/// Fewer fresh exchange rates than the quorum.
	#[codec(index = 3)]
	FeedStale,
	/// A figure is out of range.
	#[codec(index = 4)]
	Overflow,
}
