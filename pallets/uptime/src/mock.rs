use crate as pallet_uptime;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, SiteInfo, Tier},
	ed25519,
	service::ServiceAddress,
	signing::{device_payload, Domain},
	telemetry::{Leaf, TelemetrySummary, SLOT_MASK},
	traits::{DeviceInspect, DeviceLifecycle, EnergyLedger},
	units::ARMA,
	Balance, DeviceId, EpochIndex, MilliWattHours, MilliWatts, Moment, Ppm, RegionId, SiteId, H256,
};
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU128, ConstU32, Hooks, Time},
	weights::Weight,
};
use pallet_uptime::{UptimeParameters, UptimeRecord};
use sp_core::Pair;
use sp_runtime::{BuildStorage, DispatchResult};
use std::collections::BTreeMap;

type Block = frame_system::mocking::MockBlock<Test>;
pub(crate) type AccountId = u64;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Uptime: pallet_uptime,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<ARMA>;
	type AccountStore = System;
}

/// What the life cycle was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(unreachable_pub)] // `parameter_types` exposes it.
pub enum Told {
	Alive(DeviceId),
	Suspect(DeviceId),
	Offline(DeviceId),
}

parameter_types! {
	pub static Pue: Ppm = Ppm::ONE;
	pub static Now: Moment = 0;
	pub static Fleet: BTreeMap<DeviceId, DeviceInfo<AccountId>> = BTreeMap::new();
	pub static LifecycleLog: Vec<Told> = Vec::new();
	pub static EnergyLog: Vec<(DeviceId, MilliWattHours, Moment)> = Vec::new();
}

pub struct TestClock;
impl Time for TestClock {
	type Moment = Moment;
	fn now() -> Moment {
		Now::get()
	}
}

/// The account that may operate every device beside its provider.
pub(crate) const OPERATOR: AccountId = 77;

pub struct Devices;
impl DeviceInspect<AccountId> for Devices {
	fn device(id: DeviceId) -> Option<DeviceInfo<AccountId>> {
		Fleet::get().get(&id).cloned()
	}
	fn site(_: SiteId) -> Option<SiteInfo<AccountId>> {
		Some(SiteInfo {
			provider: 1,
			region: RegionId(0),
			power_cap: MilliWatts(3_000_000),
			pue: Pue::get(),
		})
	}
	fn may_operate(who: &AccountId, device: DeviceId) -> bool {
		*who == OPERATOR || Self::device(device).is_some_and(|info| info.provider == *who)
	}
}

fn tell(told: Told) {
	LifecycleLog::mutate(|log| log.push(told));
}

pub struct Lifecycle;
impl DeviceLifecycle for Lifecycle {
	fn on_attested(_: DeviceId, _: Tier) {}
	fn on_attestation_lost(_: DeviceId) {}
	fn on_alive(device: DeviceId) {
		tell(Told::Alive(device));
	}
	fn on_suspect(device: DeviceId) {
		tell(Told::Suspect(device));
	}
	fn on_offline(device: DeviceId) {
		tell(Told::Offline(device));
	}
	fn on_profitability(_: DeviceId, _: bool) {}
	fn slash(_: DeviceId, _: Ppm) -> Balance {
		0
	}
}

pub struct Energy;
impl EnergyLedger for Energy {
	fn on_energy(device: DeviceId, energy: MilliWattHours, at: Moment) {
		EnergyLog::mutate(|log| log.push((device, energy, at)));
	}
	fn on_income(_: DeviceId, _: Balance) {}
}

impl pallet_uptime::Config for Test {
	type Currency = Balances;
	type Clock = TestClock;
	type AdminOrigin = frame_system::EnsureRoot<AccountId>;
	type Devices = Devices;
	type Lifecycle = Lifecycle;
	type Energy = Energy;
	type MaxOrchestratorsPerRegion = ConstU32<3>;
	type MaxOutages = ConstU32<4>;
	type MaxSweptPerBlock = ConstU32<5>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Helper;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct Helper;
#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkDevices<AccountId> for Helper {
	fn active_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		add_device(*provider, key)
	}
	fn matchable_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		add_device(*provider, key)
	}
	fn verifier(_: &AccountId) -> DispatchResult {
		Err(sp_runtime::DispatchError::Unavailable)
	}
}
#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkClock for Helper {
	fn set_now(now: Moment) {
		Now::set(now);
	}
}

fn add_device(provider: AccountId, key: ed25519::Public) -> DeviceId {
	Fleet::mutate(|fleet| {
		let id = DeviceId(fleet.len() as u32 + 1);
		let info = DeviceInfo {
			provider,
			site: SiteId(1),
			rack: None,
			key,
			status: DeviceStatus::Active,
			lanes: 8,
			memory_mib: 16_384,
		};
		fleet.insert(id, info);
		id
	})
}

// Lengths differ from each other on purpose; an epoch is 6 s.
pub(crate) const SLOT: u64 = 100;
pub(crate) const EPOCH: u64 = 60 * SLOT;
pub(crate) const BOND: Balance = 10 * ARMA;
/// The epoch that tests start in, just after its first instant.
pub(crate) const START: u64 = 1_000;
/// The provider of every device.
pub(crate) const PROVIDER: AccountId = 1;
/// Accounts with money.
pub(crate) const ACCOUNTS: [AccountId; 6] = [1, 2, 3, 4, 5, OPERATOR];
/// Money of each of them.
pub(crate) const FUNDS: Balance = 100 * ARMA;

pub(crate) fn test_parameters() -> UptimeParameters {
	UptimeParameters {
		slot_millis: SLOT,
		skew_millis: 250,
		catch_up_epochs: 1,
		outage_millis: 1_500,
		suspect_after: 3,
		offline_after: 7,
		orchestrator_bond: BOND,
	}
}

pub(crate) struct ExtBuilder {
	devices: u32,
	parameters: UptimeParameters,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self { devices: 2, parameters: test_parameters() }
	}
}

impl ExtBuilder {
	pub(crate) fn devices(mut self, n: u32) -> Self {
		self.devices = n;
		self
	}

	pub(crate) fn build(self) -> sp_io::TestExternalities {
		Fleet::set(BTreeMap::new());
		LifecycleLog::set(Vec::new());
		EnergyLog::set(Vec::new());
		Now::set(START * EPOCH);
		for n in 1..=self.devices {
			add_device(PROVIDER, pair(DeviceId(n)).public());
		}
		let storage = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: ACCOUNTS.iter().map(|who| (*who, FUNDS)).collect(),
				..Default::default()
			},
			uptime: pallet_uptime::GenesisConfig {
				parameters: self.parameters,
				..Default::default()
			},
			..Default::default()
		}
		.build_storage()
		.expect("genesis is valid");
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			Uptime::on_finalize(1);
		});
		ext
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Uptime::do_try_state().expect("invariants hold after the test");
		});
	}
}

#[cfg(feature = "runtime-benchmarks")]
pub(crate) fn new_bench_ext() -> sp_io::TestExternalities {
	let mut ext = ExtBuilder::default().devices(0).build();
	ext.register_extension(sp_keystore::KeystoreExt::new(
		sp_keystore::testing::MemoryKeystore::new(),
	));
	ext
}

/// The key pair of a device.
pub(crate) fn pair(device: DeviceId) -> ed25519::Pair {
	let mut seed = [7u8; 32];
	seed[..4].copy_from_slice(&device.0.to_le_bytes());
	ed25519::Pair::from_seed(&seed)
}

pub(crate) fn genesis() -> H256 {
	System::block_hash(0)
}

pub(crate) fn sign(leaf: &Leaf) -> ed25519::Signature {
	pair(leaf.device).sign(&device_payload(Domain::Leaf, &genesis(), leaf.device, leaf))
}

/// A leaf for the epoch `START + offset` with the lowest `up` slots.
pub(crate) fn leaf(device: u32, offset: u64, up: u32) -> Leaf {
	Leaf {
		device: DeviceId(device),
		epoch: EpochIndex(START + offset),
		slots: ((1u128 << up) - 1) as u64 & SLOT_MASK,
		beat_head: H256::repeat_byte(up as u8),
		telemetry_digest: H256::repeat_byte(offset as u8),
		summary: TelemetrySummary {
			mean_power: MilliWatts(120_000),
			mean_load: Ppm(400_000),
			max_temperature: 612,
			max_memory: Ppm(700_000),
		},
	}
}

/// Submits a leaf as the provider.
pub(crate) fn submit(leaf: Leaf) -> DispatchResult {
	let signature = sign(&leaf);
	Uptime::submit_leaf(RuntimeOrigin::signed(PROVIDER), leaf, signature)
}

/// The first instant of the epoch `START + offset`.
pub(crate) fn start_of(offset: u64) -> Moment {
	(START + offset) * EPOCH
}

/// Finishes a block at `now`, with a sweep when `idle` allows.
pub(crate) fn block_at(now: Moment, idle: Weight) {
	let n = System::block_number() + 1;
	System::set_block_number(n);
	Uptime::on_initialize(n);
	Now::set(now);
	Uptime::on_idle(n, idle);
	Uptime::on_finalize(n);
}

/// Makes blocks every second without a sweep, the last one exactly at `until`.
pub(crate) fn run_until(until: Moment) {
	while Now::get() < until {
		block_at((Now::get() + 1_000).min(until), Weight::zero());
	}
}

/// Makes no block until `until`, then one.
pub(crate) fn stall_until(until: Moment) {
	block_at(until, Weight::zero());
}

pub(crate) fn record(device: u32) -> UptimeRecord {
	pallet_uptime::Records::<Test>::get(DeviceId(device)).expect("device has a record")
}

pub(crate) fn told() -> Vec<Told> {
	LifecycleLog::mutate(std::mem::take)
}

pub(crate) fn address(text: &str) -> ServiceAddress {
	text.as_bytes().to_vec().try_into().expect("address is short")
}
