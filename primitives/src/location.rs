//! Where somebody says to be, and what round trips say of it.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// A quarter turn in micro-degrees.
const QUARTER_TURN: u32 = 90_000_000;

/// A place on the Earth, as somebody claims it.
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
pub struct Position {
	/// Micro-degrees north.
	pub latitude: i32,
	/// Micro-degrees east.
	pub longitude: i32,
}

impl Position {
	/// Whether it is on the Earth: not beyond a pole, nor beyond a half turn.
	pub fn is_valid(&self) -> bool {
		self.latitude.unsigned_abs() <= QUARTER_TURN
			&& self.longitude.unsigned_abs() <= QUARTER_TURN.saturating_mul(2)
	}
}

/// What round trips say of a claim.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Default,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum LocationFinding {
	/// The device answered verifiers in enough networks sooner than light could from there.
	#[codec(index = 0)]
	Refuted,
	/// Enough verifiers in different networks are near it, by their round trips.
	#[codec(index = 1)]
	Supported,
	/// Neither, or nothing is claimed.
	#[default]
	#[codec(index = 2)]
	Unknown,
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn places_should_be_on_the_earth() {
		for (latitude, longitude, is_valid) in [
			(0, 0, true),
			(90_000_000, 180_000_000, true),
			(-90_000_000, -180_000_000, true),
			(90_000_001, 0, false),
			(-90_000_001, 0, false),
			(0, 180_000_001, false),
			(0, -180_000_001, false),
			(i32::MIN, i32::MIN, false),
		] {
			assert_eq!(Position { latitude, longitude }.is_valid(), is_valid);
		}
	}
}
