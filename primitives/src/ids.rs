//! Identifiers. Each is a newtype so that one cannot be passed for another.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

macro_rules! id {
	($(#[$doc:meta])* $name:ident($inner:ty)) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode,
			DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Serialize, Deserialize,
		)]
		#[serde(transparent)]
		pub struct $name(pub $inner);

		impl $name {
			/// The id after this one, or `None` when the space is used up.
			pub fn next(self) -> Option<Self> {
				self.0.checked_add(1).map(Self)
			}
		}

		impl core::fmt::Display for $name {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				self.0.fmt(f)
			}
		}
	};
}

id!(
	/// A physical place of a provider: one electricity meter, one power cap, one region.
	SiteId(u32)
);
id!(
	/// A rack (or shelf) of a site: one power feed, one failure domain.
	RackId(u32)
);
id!(
	/// One machine with one device key.
	DeviceId(u32)
);
id!(
	/// A region: the area that one set of orchestrators serves.
	RegionId(u16)
);
id!(
	/// An application's order.
	OrderId(u64)
);
id!(
	/// A match of an order with a device.
	LeaseId(u64)
);
id!(
	/// One performance challenge of one device.
	RoundId(u64)
);
id!(
	/// Number of an uptime epoch since the Unix epoch: `unix milliseconds / epoch length`.
	EpochIndex(u64)
);
