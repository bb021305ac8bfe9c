//! The traits through which pallets talk. A pallet names these in its `Config`; the runtime wires
//! the implementing pallet in. Reading traits end in `Inspect`.

use crate::{
	device::{DeviceInfo, Performance, SiteInfo, Tier},
	energy::{BreakEven, Placement, QuoteError},
	lease::{LeaseOutcome, NewLease},
	telemetry::{PowerLoad, PowerReading},
	Balance, DeviceId, LeaseId, MilliWattHours, MilliWatts, Moment, OrderId, Ppm, SiteId, H256,
};
use sp_runtime::DispatchError;
#[cfg(feature = "runtime-benchmarks")]
use sp_runtime::DispatchResult;

/// Reads devices and topology. Implemented by `devices`.
pub trait DeviceInspect<AccountId> {
	/// A device, whatever its status, until its bond is withdrawn.
	fn device(id: DeviceId) -> Option<DeviceInfo<AccountId>>;

	/// A site.
	fn site(id: SiteId) -> Option<SiteInfo<AccountId>>;

	/// Whether `who` may act for the device: its provider, or the operator that the provider named.
	fn may_operate(who: &AccountId, device: DeviceId) -> bool;
}

/// Drives a device's life cycle from outside `devices`. Every call is idempotent and a no-op for
/// unknown devices and in states that it does not name.
pub trait DeviceLifecycle {
	/// `Registered -> Attested`.
	fn on_attested(device: DeviceId, tier: Tier);

	/// `Attested | Active | Suspect | Standby | Offline | Draining -> Registered`.
	fn on_attestation_lost(device: DeviceId);

	/// `Attested | Suspect | Offline -> Active`.
	fn on_alive(device: DeviceId);

	/// `Active | Standby -> Suspect`.
	fn on_suspect(device: DeviceId);

	/// `Attested | Active | Suspect | Standby | Draining -> Offline`.
	fn on_offline(device: DeviceId);

	/// `Active -> Standby` when `profitable` is false, `Standby -> Active` when it is true.
	fn on_profitability(device: DeviceId, profitable: bool);

	/// Slashes `share` of what is left of the device's bond, rounded up, and jails the device.
	/// Returns what was taken. Works while the bond is unbonding.
	fn slash(device: DeviceId, share: Ppm) -> Balance;
}

/// Asks whether a device is in use. Implemented by `leases`, called by `devices`.
pub trait DeviceBusy {
	/// Whether the device has an open lease.
	fn is_busy(device: DeviceId) -> bool;
}

impl DeviceBusy for () {
	fn is_busy(_: DeviceId) -> bool {
		false
	}
}

/// Hears that a device is no longer vouched for as it was. Implemented by `leases`, called by
/// `attestation`.
pub trait LeaseGuard {
	/// Ends the device's open lease if its order asks for more than what is `left`, unless its result
	/// is already there. A no-op without one. `None` is no attestation at all.
	fn on_tier_lost(device: DeviceId, left: Option<Tier>);
}

impl LeaseGuard for () {
	fn on_tier_lost(_: DeviceId, _: Option<Tier>) {}
}

/// Reads attestations. Implemented by `attestation`.
pub trait AttestationInspect {
	/// The tier of an attestation that is neither expired nor revoked at `now`.
	fn tier(device: DeviceId, now: Moment) -> Option<Tier>;
}

/// Reads availability. Implemented by `uptime`.
pub trait AvailabilityInspect {
	/// The score, decayed to `now`; `None` for a device that never proved an epoch.
	fn availability(device: DeviceId, now: Moment) -> Option<Ppm>;

	/// Whether the device proved one of the last two full epochs.
	fn is_fresh(device: DeviceId, now: Moment) -> bool;
}

/// Reads performance scores. Implemented by `challenges`.
pub trait PerformanceInspect {
	/// The parts of the score that are within their age limit at `now`.
	fn performance(device: DeviceId, now: Moment) -> Performance;

	/// Whether the device's memory, or that of its accelerator, which may be the same, is being measured: then
	/// a workload has no room beside that.
	fn is_memory_busy(device: DeviceId) -> bool;
}

/// Reads the verifier set. Implemented by `challenges`.
pub trait VerifierInspect<AccountId> {
	/// Whether `who` is a bonded verifier that is not leaving.
	fn is_verifier(who: &AccountId) -> bool;

	/// A verifier drawn by `seed`, other than those that `exclude` says are party to the matter.
	fn draw(seed: H256, exclude: &dyn Fn(&AccountId) -> bool) -> Option<AccountId>;
}

/// Takes power figures measured under challenge load. Implemented by `energy`.
pub trait PowerSink {
	/// Stores the median figures of a passed round, under what kept the device busy in it.
	fn on_power(device: DeviceId, load: PowerLoad, reading: PowerReading);
}

/// Answers what a placement must earn. Implemented by `energy`.
pub trait EnergyInspect {
	/// The break-even sum of `placement` on `device`. Fails closed.
	fn quote(device: DeviceId, placement: Placement) -> Result<BreakEven, QuoteError>;

	/// The power that a placement of `lanes` lanes adds at the wall: what a site has to reserve.
	fn wall_power(device: DeviceId, lanes: u16) -> Result<MilliWatts, QuoteError>;

	/// The power at the wall of all of a device under such a load: what its site's circuit has to carry.
	fn full_power(device: DeviceId, load: PowerLoad) -> Result<MilliWatts, QuoteError>;
}

/// Books income and energy per device. Implemented by `energy`.
pub trait EnergyLedger {
	/// The device used `energy` at the wall, priced at the tariff of `at`.
	fn on_energy(device: DeviceId, energy: MilliWattHours, at: Moment);

	/// The device's provider was paid `amount` for its work.
	fn on_income(device: DeviceId, amount: Balance);
}

/// Opens leases. Implemented by `leases`, called by `market`.
pub trait LeaseOpener<AccountId> {
	/// Takes `lease.escrow` from the tenant's free balance into the lease's hold and opens it. The
	/// market releases its own hold before it calls. Fails without effect.
	fn open(lease: NewLease<AccountId>) -> Result<LeaseId, DispatchError>;

	/// Whether the device has an open lease.
	fn is_busy(device: DeviceId) -> bool;

	/// Power reserved by the open leases of a site.
	fn reserved_power(site: SiteId) -> MilliWatts;
}

/// Hears of closed leases. Implemented by `market`, called by `leases`.
pub trait OnLeaseClosed {
	/// The lease of `order` has been settled.
	fn on_lease_closed(order: OrderId, lease: LeaseId, outcome: LeaseOutcome);
}

impl OnLeaseClosed for () {
	fn on_lease_closed(_: OrderId, _: LeaseId, _: LeaseOutcome) {}
}

/// Sets up devices for benchmarks of pallets that only know [`DeviceInspect`].
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkDevices<AccountId> {
	/// An Active device with this key, owned by `provider`, with 8 lanes and 16 GiB.
	fn active_device(provider: &AccountId, key: sp_core::ed25519::Public) -> DeviceId;

	/// The same, and also attested, fresh, scored, with power figures, a tariff and fresh rates:
	/// everything that the market asks for.
	fn matchable_device(provider: &AccountId, key: sp_core::ed25519::Public) -> DeviceId;

	/// Makes `who` a bonded verifier.
	fn verifier(who: &AccountId) -> DispatchResult;
}

/// Sets the time for benchmarks of pallets that only know `Config::Clock`.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkClock {
	/// Makes the clock say `now` until the end of the benchmark.
	fn set_now(now: Moment);
}
