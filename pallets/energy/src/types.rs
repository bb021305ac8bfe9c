//! Stored types.

use armature_economics::rates::Feed;
use armature_primitives::{
	telemetry::PowerReading, units::ARMA, Balance, MilliWattHours, Moment, Ppm,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The least quorum that any network may choose: with fewer, one feeder is the median.
pub const LEAST_FEEDERS: u8 = 3;

/// The widest margin that may be set, ten times the costs.
const MAX_MARGIN: Ppm = Ppm(10_000_000);

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

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
#[serde(deny_unknown_fields)]
pub struct EnergyParameters {
	/// A rate counts for so long after it was submitted.
	pub max_rate_age_millis: u64,
	/// Fresh rates that a median needs, at least [`LEAST_FEEDERS`].
	pub min_feeders: u8,
	/// What a provider must be left with beyond its costs.
	pub margin: Ppm,
	/// Transaction fees that a provider pays for one lease.
	pub fixed_fee: Balance,
	/// A power reading counts for so long after it was measured.
	pub power_max_age_millis: u64,
	/// Length of an accounting window.
	pub window_millis: u64,
	/// An Active device whose window earned less than this share of its electricity goes to Standby.
	pub standby_ratio: Ppm,
	/// A device in Standby whose window earned this share of its electricity wakes.
	pub resume_ratio: Ppm,
	/// No device goes to Standby before its ledger is so old.
	pub standby_after_millis: u64,
	/// A device in Standby is tried again after so long.
	pub standby_retry_millis: u64,
}

impl EnergyParameters {
	/// Whether the values make sense together.
	pub fn validate(&self) -> bool {
		self.max_rate_age_millis > 0
			&& self.min_feeders >= LEAST_FEEDERS
			&& self.margin <= MAX_MARGIN
			&& self.power_max_age_millis > 0
			&& self.window_millis > 0
			&& self.resume_ratio >= self.standby_ratio
			&& self.standby_after_millis >= self.window_millis
			&& self.standby_retry_millis >= self.window_millis
	}
}

impl Default for EnergyParameters {
	/// The values of a production network.
	fn default() -> Self {
		Self {
			max_rate_age_millis: HOUR,
			min_feeders: LEAST_FEEDERS,
			margin: Ppm::from_percent(5),
			// Acknowledge, start and report, at one thousandth of an ARMA each.
			fixed_fee: 3 * (ARMA / 1_000),
			power_max_age_millis: 7 * DAY,
			window_millis: DAY,
			standby_ratio: Ppm::ONE,
			resume_ratio: Ppm::from_percent(110),
			standby_after_millis: 7 * DAY,
			standby_retry_millis: DAY,
		}
	}
}

/// One who may submit rates of a currency, and its last one.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Feeder<AccountId> {
	/// Its account.
	pub who: AccountId,
	/// What it said last, if anything.
	pub last: Option<SubmittedRate>,
}

/// A rate as a feeder submitted it.
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
pub struct SubmittedRate {
	/// Planck per whole unit of the currency, not zero.
	pub rate: Balance,
	/// The chain's time when it arrived.
	pub at: Moment,
}

impl From<SubmittedRate> for Feed {
	fn from(rate: SubmittedRate) -> Self {
		Feed { rate: rate.rate, at: rate.at }
	}
}

/// A power reading with the time when it was stored.
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
pub struct PowerRecord {
	/// The figures.
	pub reading: PowerReading,
	/// When the round that measured them closed.
	pub measured_at: Moment,
}

/// What a device earned and what its electricity cost since the present window began.
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
pub struct Window {
	/// When it began.
	pub since: Moment,
	/// Paid to the provider.
	pub income: Balance,
	/// Cost of the energy that could be priced.
	pub energy_cost: Balance,
}

impl Window {
	/// An empty window.
	pub fn starting(since: Moment) -> Self {
		Self { since, income: 0, energy_cost: 0 }
	}
}

/// The running account of a device. Sums stop at the top of their type.
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
pub struct Ledger {
	/// When the first booking was made.
	pub since: Moment,
	/// All that the provider was paid for the device's work.
	pub income: Balance,
	/// All energy at the wall, priced or not.
	pub energy: MilliWattHours,
	/// Cost of the energy that could be priced, each booking at its own tariff and rate.
	pub energy_cost: Balance,
	/// The part of `energy` that could not be priced.
	pub unpriced: MilliWattHours,
	/// The present accounting window.
	pub window: Window,
}

impl Ledger {
	/// An empty account.
	pub fn starting(since: Moment) -> Self {
		Self {
			since,
			income: 0,
			energy: MilliWattHours(0),
			energy_cost: 0,
			unpriced: MilliWattHours(0),
			window: Window::starting(since),
		}
	}
}
