//! Stored types and the small pure rules on them.

use armature_primitives::{
	challenge::MAX_LANES,
	device::{DeviceLabel, DeviceStatus, Tier},
	ed25519, Balance, DeviceId, MilliWatts, Moment, Ppm, RackId, RegionId, SiteId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The highest power usage effectiveness that a site may declare: five times the IT power.
pub const MAX_PUE: Ppm = Ppm(5_000_000);

/// The longest unbonding or jail period: a year of 366 days.
pub const MAX_PERIOD: Moment = 366 * 24 * 3_600_000;

/// Amounts and lengths that differ between networks.
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
pub struct DeviceParameters {
	/// Held from each provider.
	pub provider_deposit: Balance,
	/// Held for each site.
	pub site_deposit: Balance,
	/// Held for each device, whatever its size.
	pub device_bond: Balance,
	/// Held besides for each lane that a device offers.
	pub bond_per_lane: Balance,
	/// From retirement until the bond can be withdrawn, in milliseconds.
	pub unbonding_period: Moment,
	/// From a slash until the jail can be cleared, in milliseconds.
	pub jail_period: Moment,
}

impl Default for DeviceParameters {
	/// The production values.
	fn default() -> Self {
		use armature_primitives::units::{ARMA, MILLIS_PER_HOUR};
		Self {
			provider_deposit: 10 * ARMA,
			site_deposit: 5 * ARMA,
			device_bond: 50 * ARMA,
			bond_per_lane: 2 * ARMA,
			unbonding_period: 7 * 24 * MILLIS_PER_HOUR,
			jail_period: 24 * MILLIS_PER_HOUR,
		}
	}
}

impl DeviceParameters {
	/// Whether the values can be used: storage is never free, bonds of the largest device do not
	/// overflow, periods are at least 1 ms and at most [`MAX_PERIOD`].
	pub fn validate(&self) -> bool {
		let period = 1..=MAX_PERIOD;
		self.provider_deposit > 0
			&& self.site_deposit > 0
			&& self.device_bond > 0
			&& self.bond_for(MAX_LANES).is_some()
			&& period.contains(&self.unbonding_period)
			&& period.contains(&self.jail_period)
	}

	/// The bond of a device with `lanes` lanes. `None` on overflow.
	pub fn bond_for(&self, lanes: u16) -> Option<Balance> {
		self.bond_per_lane.checked_mul(u128::from(lanes))?.checked_add(self.device_bond)
	}
}

/// An account that provides hardware.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Provider<AccountId> {
	/// A second account that may run its devices.
	pub operator: Option<AccountId>,
	/// What is held for the provider itself.
	pub deposit: Balance,
	/// Number of its sites.
	pub sites: u32,
	/// What the next device key must sign, see `registration_payload`.
	pub nonce: u32,
}

/// One electricity meter.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Site<AccountId> {
	/// The account that registered it.
	pub provider: AccountId,
	/// The region whose orchestrators serve it.
	pub region: RegionId,
	/// What its circuit may carry; above zero.
	pub power_cap: MilliWatts,
	/// Wall power over IT power, from 1 to [`MAX_PUE`].
	pub pue: Ppm,
	/// What is held for it.
	pub deposit: Balance,
	/// Number of its racks.
	pub racks: u32,
	/// Number of its devices, retired ones included until their bond is withdrawn.
	pub devices: u32,
}

/// One power feed of a site.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Rack {
	/// Its site.
	pub site: SiteId,
	/// Number of its devices, retired ones included until their bond is withdrawn.
	pub devices: u32,
}

/// One machine.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Device<AccountId> {
	/// The account that bonded it.
	pub provider: AccountId,
	/// Its site.
	pub site: SiteId,
	/// Its rack, if the provider keeps racks.
	pub rack: Option<RackId>,
	/// The key that its messages are signed with.
	pub key: ed25519::Public,
	/// Parallel lanes that it offers, from 1 to `MAX_LANES`.
	pub lanes: u16,
	/// Memory that it offers, in MiB, above zero.
	pub memory_mib: u32,
	/// Its name in lists.
	pub label: DeviceLabel,
	/// Where it is in its life.
	pub status: DeviceStatus,
	/// The tier of its attestation; set in exactly the states that need one.
	pub tier: Option<Tier>,
	/// What is left of its bond, all of it held.
	pub bond: Balance,
	/// While Jailed: when the jail can be cleared. While Retired: when the bond can be withdrawn.
	pub locked_until: Option<Moment>,
}

/// A device with its id, as clients read it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct DeviceDetail<AccountId> {
	/// Its id.
	pub id: DeviceId,
	/// The region of its site.
	pub region: RegionId,
	/// What its bond must be when a jail is cleared now; `None` if that overflows.
	pub required_bond: Option<Balance>,
	/// The record.
	pub device: Device<AccountId>,
}

/// Whether a state rests on an attestation.
pub fn is_attested(status: DeviceStatus) -> bool {
	match status {
		DeviceStatus::Attested
		| DeviceStatus::Active
		| DeviceStatus::Suspect
		| DeviceStatus::Draining
		| DeviceStatus::Standby
		| DeviceStatus::Offline => true,
		DeviceStatus::Registered | DeviceStatus::Jailed | DeviceStatus::Retired => false,
	}
}
