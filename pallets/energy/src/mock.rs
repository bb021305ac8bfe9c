//! A runtime with this pallet and doubles for the rest.

use crate as pallet_energy;
use crate::EnergyParameters;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, SiteInfo, Tier},
	ed25519,
	energy::{CurrencyCode, Tariff, HOURS_PER_DAY},
	telemetry::{PowerLoad, PowerReading, PowerSource},
	traits::{DeviceInspect, DeviceLifecycle, PowerSink},
	units::ARMA,
	Balance, DeviceId, MilliWatts, Moment, Ppm, RegionId, SiteId,
};
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU32, Time},
};
use frame_system::EnsureRoot;
use sp_runtime::BuildStorage;
use std::collections::BTreeMap;

pub(crate) type AccountId = u64;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Energy: pallet_energy,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
}

pub(crate) const EUR: CurrencyCode = CurrencyCode(*b"EUR");
pub(crate) const USD: CurrencyCode = CurrencyCode(*b"USD");
/// The feeders of [`EUR`] at genesis.
pub(crate) const FEEDERS: [AccountId; 3] = [11, 12, 13];
pub(crate) const PROVIDER: AccountId = 21;
pub(crate) const STRANGER: AccountId = 99;
pub(crate) const SITE: SiteId = SiteId(4);
pub(crate) const DEVICE: DeviceId = DeviceId(7);
pub(crate) const LANES: u16 = 8;
pub(crate) const HOUR: u64 = 3_600_000;
/// 2027-01-15, 08:00 UTC.
pub(crate) const START: Moment = 1_800_000_000_000;
pub(crate) const MAX_FEEDERS: u32 = 5;
pub(crate) const MAX_MICRO_PER_KWH: u32 = 100_000_000;

parameter_types! {
	pub static Now: Moment = START;
	pub static ProtocolFee: Ppm = Ppm(25_000);
	pub static DeviceTable: BTreeMap<DeviceId, DeviceInfo<AccountId>> = BTreeMap::new();
	pub static SiteTable: BTreeMap<SiteId, SiteInfo<AccountId>> = BTreeMap::new();
	/// Each call of `on_profitability`.
	pub static Judged: Vec<(DeviceId, bool)> = Vec::new();
}

pub struct MockClock;
impl Time for MockClock {
	type Moment = Moment;
	fn now() -> Moment {
		Now::get()
	}
}

/// Devices and sites in tables; only `on_profitability` may be called.
pub struct MockDevices;

impl DeviceInspect<AccountId> for MockDevices {
	fn device(id: DeviceId) -> Option<DeviceInfo<AccountId>> {
		DeviceTable::get().get(&id).cloned()
	}
	fn site(id: SiteId) -> Option<SiteInfo<AccountId>> {
		SiteTable::get().get(&id).cloned()
	}
	fn may_operate(who: &AccountId, device: DeviceId) -> bool {
		Self::device(device).is_some_and(|d| d.provider == *who)
	}
}

impl DeviceLifecycle for MockDevices {
	fn on_profitability(device: DeviceId, profitable: bool) {
		Judged::mutate(|calls| calls.push((device, profitable)));
		DeviceTable::mutate(|table| {
			let Some(info) = table.get_mut(&device) else { return };
			match (info.status, profitable) {
				(DeviceStatus::Active, false) => info.status = DeviceStatus::Standby,
				(DeviceStatus::Standby, true) => info.status = DeviceStatus::Active,
				_ => (),
			}
		});
	}
	fn on_attested(_: DeviceId, _: Tier) {
		unreachable!("energy does not attest")
	}
	fn on_attestation_lost(_: DeviceId) {
		unreachable!("energy does not attest")
	}
	fn on_alive(_: DeviceId) {
		unreachable!("energy does not watch")
	}
	fn on_suspect(_: DeviceId) {
		unreachable!("energy does not watch")
	}
	fn on_offline(_: DeviceId) {
		unreachable!("energy does not watch")
	}
	fn slash(_: DeviceId, _: Ppm) -> Balance {
		unreachable!("energy does not slash")
	}
}

impl crate::Config for Test {
	type WeightInfo = ();
	type Devices = MockDevices;
	type Clock = MockClock;
	type AdminOrigin = EnsureRoot<AccountId>;
	type ProtocolFee = ProtocolFee;
	type MaxFeeders = ConstU32<MAX_FEEDERS>;
	type MaxMicroPerKwh = ConstU32<MAX_MICRO_PER_KWH>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = BenchDevices;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct BenchDevices;

#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkDevices<AccountId> for BenchDevices {
	fn active_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		insert_site(*provider);
		insert_device(DeviceInfo { key, provider: *provider, ..device_info() });
		DEVICE
	}
	fn matchable_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		Self::active_device(provider, key)
	}
	fn verifier(_: &AccountId) -> sp_runtime::DispatchResult {
		Ok(())
	}
}

pub(crate) fn device_info() -> DeviceInfo<AccountId> {
	DeviceInfo {
		provider: PROVIDER,
		site: SITE,
		rack: None,
		key: ed25519::Public::from_raw([1; 32]),
		status: DeviceStatus::Active,
		lanes: LANES,
		memory_mib: 16 * 1024,
	}
}

pub(crate) fn insert_device(info: DeviceInfo<AccountId>) {
	DeviceTable::mutate(|table| table.insert(DEVICE, info));
}

pub(crate) fn insert_site(provider: AccountId) {
	let site = SiteInfo {
		provider,
		region: RegionId(1),
		power_cap: MilliWatts(3_000_000),
		pue: Ppm(1_100_000),
	};
	SiteTable::mutate(|table| table.insert(SITE, site));
}

pub(crate) fn set_status(status: DeviceStatus) {
	DeviceTable::mutate(|table| table.get_mut(&DEVICE).expect("inserted").status = status);
}

pub(crate) fn advance(millis: u64) {
	Now::set(Now::get() + millis);
}

pub(crate) fn flat(currency: CurrencyCode, micro_per_kwh: u32) -> Tariff {
	Tariff { currency, micro_per_kwh: [micro_per_kwh; HOURS_PER_DAY] }
}

/// 20 W idle, 100 W loaded, 5 % of error.
pub(crate) fn reading() -> PowerReading {
	PowerReading {
		idle: MilliWatts(20_000),
		loaded: MilliWatts(100_000),
		source: PowerSource::PackageCounter,
		error: Ppm(50_000),
	}
}

pub(crate) fn submit_all(rate: Balance) {
	for who in FEEDERS {
		Energy::submit_rate(RuntimeOrigin::signed(who), EUR, rate).expect("a feeder");
	}
}

/// The events of this pallet since the last call.
pub(crate) fn events() -> Vec<crate::Event<Test>> {
	let events = System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Energy(event) => Some(event),
			_ => None,
		})
		.collect();
	System::reset_events();
	events
}

pub(crate) struct ExtBuilder {
	parameters: EnergyParameters,
	ready: bool,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		let parameters = EnergyParameters {
			max_rate_age_millis: HOUR,
			min_feeders: 3,
			margin: Ppm::from_percent(10),
			fixed_fee: 2_000_000_000,
			power_max_age_millis: 5 * HOUR,
			window_millis: 10 * HOUR,
			standby_ratio: Ppm::ONE,
			resume_ratio: Ppm::from_percent(120),
			standby_after_millis: 25 * HOUR,
			standby_retry_millis: 30 * HOUR,
		};
		Self { parameters, ready: false }
	}
}

impl ExtBuilder {
	pub(crate) fn parameters(mut self, parameters: EnergyParameters) -> Self {
		self.parameters = parameters;
		self
	}

	/// With a tariff of 0.30 EUR/kWh, a power reading, and one euro at 50 ARMA.
	pub(crate) fn ready(mut self) -> Self {
		self.ready = true;
		self
	}

	pub(crate) fn build(self) -> sp_io::TestExternalities {
		Now::set(START);
		ProtocolFee::set(Ppm(25_000));
		DeviceTable::set(BTreeMap::new());
		SiteTable::set(BTreeMap::new());
		Judged::set(Vec::new());
		insert_site(PROVIDER);
		insert_device(device_info());

		let mut storage =
			frame_system::GenesisConfig::<Test>::default().build_storage().expect("valid");
		crate::GenesisConfig::<Test> {
			parameters: self.parameters,
			feeders: FEEDERS.iter().map(|who| (EUR, *who)).collect(),
		}
		.assimilate_storage(&mut storage)
		.expect("valid");
		let mut ext = sp_io::TestExternalities::from(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			if self.ready {
				let origin = RuntimeOrigin::signed(PROVIDER);
				Energy::set_tariff(origin, SITE, flat(EUR, 300_000)).expect("the owner");
				<Energy as PowerSink>::on_power(DEVICE, PowerLoad::Lanes, reading());
				submit_all(50 * ARMA);
				System::reset_events();
			}
		});
		ext
	}

	/// Runs `test`, then checks the invariants.
	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Energy::do_try_state().expect("invariants hold");
		});
	}
}

#[cfg(feature = "runtime-benchmarks")]
pub(crate) fn new_bench_ext() -> sp_io::TestExternalities {
	let mut ext = ExtBuilder::default().build();
	ext.register_extension(sp_keystore::KeystoreExt::new(
		sp_keystore::testing::MemoryKeystore::new(),
	));
	ext
}
