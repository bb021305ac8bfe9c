//! Units. Money is planck (`u128`), power milliwatt, energy milliwatt-hour, time milliseconds
//! since the Unix epoch, shares parts per million.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Money in planck; 1 ARMA = 10^12 planck.
pub type Balance = u128;

/// Milliseconds since the Unix epoch.
pub type Moment = u64;

/// One ARMA in planck.
pub const ARMA: Balance = 1_000_000_000_000;

/// Milliseconds of one hour.
pub const MILLIS_PER_HOUR: u64 = 3_600_000;

/// Fuel units in one gigafuel, the unit that prices are quoted in.
pub const FUEL_PER_GFUEL: u64 = 1_000_000_000;

macro_rules! unit {
	($(#[$doc:meta])* $name:ident($inner:ty)) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Encode, Decode,
			DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Serialize, Deserialize,
		)]
		#[serde(transparent)]
		pub struct $name(pub $inner);
	};
}

unit!(
	/// Electric power in milliwatt.
	MilliWatts(u32)
);
unit!(
	/// Electric energy in milliwatt-hour.
	MilliWattHours(u64)
);
unit!(
	/// A share in parts per million. Values above [`Ppm::ONE`] are legal where a factor above one
	/// makes sense (PUE, margins) and refused by the pallets where it does not.
	Ppm(u32)
);

impl MilliWatts {
	/// What a circuit of this capacity may carry for hours: 80 % (the continuous-load rule, US National
	/// Electrical Code 210.19(A)). Rounded down.
	pub const fn continuous(self) -> Self {
		MilliWatts(
			(self.0 / 5)
				.saturating_mul(4)
				.saturating_add((self.0 % 5).saturating_mul(4) / 5),
		)
	}
}

impl Ppm {
	/// The whole: 1,000,000 ppm.
	pub const ONE: Ppm = Ppm(1_000_000);

	/// `percent` of the whole, saturating.
	pub const fn from_percent(percent: u32) -> Self {
		Ppm(percent.saturating_mul(10_000))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn continuous_load_should_be_four_fifths_rounded_down() {
		for (cap, limit) in [(0, 0), (1, 0), (4, 3), (5, 4), (9, 7), (999, 799), (1_000, 800)] {
			assert_eq!(MilliWatts(cap).continuous(), MilliWatts(limit), "{cap}");
		}
		let most = MilliWatts(u32::MAX).continuous().0;
		assert_eq!(u64::from(most), u64::from(u32::MAX) * 4 / 5);
	}
}
