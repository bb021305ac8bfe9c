use crate::{self as pallet_challenges, *};
use armature_primitives::{
	challenge::{ChallengeFailure, Verdict},
	device::{DeviceInfo, DeviceStatus, SiteInfo},
	ed25519,
	service::ServiceAddress,
	telemetry::{PowerReading, PowerSource},
	traits::{DeviceInspect, PowerSink},
	Balance, DeviceId, MilliWatts, Moment, Ppm, RoundId, SiteId, H256,
};
use codec::Encode;
use frame_support::{
	assert_ok, derive_impl, parameter_types,
	traits::{ConstU128, ConstU32, Hooks, Randomness, Time},
	weights::Weight,
};
use sp_runtime::BuildStorage;
use std::collections::BTreeMap;

pub(crate) type AccountId = u64;

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system::Pallet<Test>;
	#[runtime::pallet_index(1)]
	pub type Balances = pallet_balances::Pallet<Test>;
	#[runtime::pallet_index(2)]
	pub type Challenges = pallet_challenges::Pallet<Test>;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<1>;
	type AccountStore = System;
}

parameter_types! {
	/// The chain's clock.
	pub static Now: Moment = 1_000_000;
	/// Mixed into each block's randomness.
	pub static Entropy: u64 = 0;
	/// The devices and their operators.
	pub static DeviceTable: BTreeMap<DeviceId, (DeviceInfo<AccountId>, Option<AccountId>)> =
		BTreeMap::new();
	/// What `PowerSink` was told.
	pub static PowerLog: Vec<(DeviceId, PowerReading)> = Vec::new();
}

pub struct MockClock;

impl Time for MockClock {
	type Moment = Moment;
	fn now() -> Moment {
		Now::get()
	}
}

pub struct MockDevices;

impl DeviceInspect<AccountId> for MockDevices {
	fn device(id: DeviceId) -> Option<DeviceInfo<AccountId>> {
		DeviceTable::get().get(&id).map(|(info, _)| info.clone())
	}

	fn site(_: SiteId) -> Option<SiteInfo<AccountId>> {
		None
	}

	fn may_operate(who: &AccountId, device: DeviceId) -> bool {
		DeviceTable::get()
			.get(&device)
			.is_some_and(|(info, operator)| info.provider == *who || *operator == Some(*who))
	}
}

pub struct MockPower;

impl PowerSink for MockPower {
	fn on_power(device: DeviceId, reading: PowerReading) {
		PowerLog::mutate(|log| log.push((device, reading)));
	}
}

pub struct MockRandomness;

impl Randomness<H256, u64> for MockRandomness {
	fn random(subject: &[u8]) -> (H256, u64) {
		let block = System::block_number();
		let input = (subject, Entropy::get(), block).encode();
		(H256(sp_io::hashing::blake2_256(&input)), block.saturating_sub(1))
	}
}

impl Config for Test {
	type Currency = Balances;
	type Devices = MockDevices;
	type Power = MockPower;
	type Randomness = MockRandomness;
	type Clock = MockClock;
	type AdminOrigin = frame_system::EnsureRoot<AccountId>;
	type MaxVerifiers = ConstU32<7>;
	type MaxRoundsPerBlock = ConstU32<4>;
	type MaxVerdictsPerCall = ConstU32<8>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = BenchHelper;
}

/// Sets up the doubles for benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub struct BenchHelper;

#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkDevices<AccountId> for BenchHelper {
	fn active_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		let id = DeviceId(DeviceTable::get().len() as u32);
		put_device_with(id, *provider, DeviceStatus::Active, 8, key);
		id
	}

	fn matchable_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		Self::active_device(provider, key)
	}

	fn verifier(who: &AccountId) -> sp_runtime::DispatchResult {
		use frame_support::traits::fungible::Mutate;
		Balances::set_balance(who, Params::<Test>::get().verifier_bond * 2);
		Challenges::do_register_verifier(*who, address(0))
	}
}

pub(crate) const BOND: Balance = 1_000;
pub(crate) const FUNDS: Balance = 10_000;
pub(crate) const WINDOW: u64 = 60_000;
pub(crate) const MAX_AGE: u64 = 600_000;
pub(crate) const UNBONDING: u64 = 120_000;
/// Milliseconds of a block.
pub(crate) const SLOT: u64 = 3_000;
/// The operator of every device.
pub(crate) const OPERATOR: AccountId = 50;

pub(crate) fn parameters() -> Parameters {
	Parameters {
		round_interval_blocks: 5,
		challenge_share: Ppm(500_000),
		committee: 3,
		window_millis: WINDOW,
		score_max_age_millis: MAX_AGE,
		segments: 8,
		steps_per_segment: 100,
		verifier_bond: BOND,
		verifier_unbonding_millis: UNBONDING,
	}
}

pub(crate) fn address(n: u8) -> ServiceAddress {
	ServiceAddress::truncate_from(vec![b'/', n])
}

/// The account that owns a device.
pub(crate) fn provider(device: u32) -> AccountId {
	100 + u64::from(device)
}

pub(crate) fn put_device(device: u32, status: DeviceStatus) {
	let key = ed25519::Public::from_raw([device as u8; 32]);
	put_device_with(DeviceId(device), provider(device), status, 4 + device as u16, key);
}

pub(crate) fn put_device_with(
	id: DeviceId,
	provider: AccountId,
	status: DeviceStatus,
	lanes: u16,
	key: ed25519::Public,
) {
	let info = DeviceInfo {
		provider,
		site: SiteId(0),
		rack: None,
		key,
		status,
		lanes,
		memory_mib: 16_384,
	};
	DeviceTable::mutate(|table| table.insert(id, (info, Some(OPERATOR))));
}

pub(crate) fn set_status(device: u32, status: DeviceStatus) {
	DeviceTable::mutate(|table| table.get_mut(&DeviceId(device)).unwrap().0.status = status);
}

pub(crate) fn passed(elapsed_millis: u32, loaded: u32) -> Verdict {
	let power = PowerReading {
		idle: MilliWatts(loaded / 4),
		loaded: MilliWatts(loaded),
		source: PowerSource::BoardSensor,
		error: Ppm(50_000),
	};
	Verdict::Passed { elapsed_millis, power }
}

pub(crate) const FAILED: Verdict = Verdict::Failed { reason: ChallengeFailure::WrongResult };

pub(crate) fn post(who: AccountId, items: &[(RoundId, Verdict)]) -> sp_runtime::DispatchResult {
	use frame_support::dispatch::GetDispatchInfo;
	use sp_runtime::traits::Dispatchable;
	let verdicts = items.to_vec().try_into().unwrap();
	let call = RuntimeCall::Challenges(Call::post_verdicts { verdicts });
	assert!(call.get_dispatch_info().call_weight.all_gt(Weight::zero()));
	call.dispatch(RuntimeOrigin::signed(who)).map(|_| ()).map_err(|e| e.error)
}

/// Runs blocks up to and including `block`: the hooks with the clock where a runtime has it.
pub(crate) fn run_to(block: u64) {
	while System::block_number() < block {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Challenges::on_initialize(next);
		Now::mutate(|now| *now += SLOT);
		Challenges::on_idle(next, Weight::MAX);
	}
}

pub(crate) fn run_blocks(n: u64) {
	run_to(System::block_number() + n);
}

pub(crate) fn events() -> Vec<Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Challenges(event) => Some(event),
			_ => None,
		})
		.collect()
}

pub(crate) fn last_event() -> Event<Test> {
	events().pop().expect("an event")
}

/// Enrols a device, runs the block that opens its first round, and returns that round.
pub(crate) fn open_first_round(device: u32) -> RoundOf<Test> {
	assert_ok!(Challenges::enrol_device(RuntimeOrigin::signed(provider(device)), DeviceId(device)));
	run_blocks(1);
	round_of(device).expect("the queue opens it")
}

pub(crate) fn round_of(device: u32) -> Option<RoundOf<Test>> {
	OpenRounds::<Test>::get(DeviceId(device)).map(|id| Rounds::<Test>::get(id).unwrap())
}

/// Posts the same verdict of every seat still missing.
pub(crate) fn settle(device: u32, verdict: Verdict) {
	let round = round_of(device).unwrap();
	for seat in round.seats.iter().filter(|seat| seat.verdict.is_none()) {
		assert_ok!(post(seat.verifier, &[(round.task.round, verdict)]));
	}
}

pub(crate) struct ExtBuilder {
	devices: u32,
	verifiers: u64,
	parameters: Parameters,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self { devices: 2, verifiers: 4, parameters: parameters() }
	}
}

impl ExtBuilder {
	/// Active devices `0..n`, none enrolled.
	pub(crate) fn devices(mut self, n: u32) -> Self {
		self.devices = n;
		self
	}

	/// Registered verifiers `1..=n`.
	pub(crate) fn verifiers(mut self, n: u64) -> Self {
		self.verifiers = n;
		self
	}

	pub(crate) fn parameters(mut self, change: impl FnOnce(&mut Parameters)) -> Self {
		change(&mut self.parameters);
		self
	}

	pub(crate) fn build(self) -> sp_io::TestExternalities {
		Now::set(1_000_000);
		Entropy::set(0);
		DeviceTable::set(BTreeMap::new());
		PowerLog::set(Vec::new());
		let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
		pallet_balances::GenesisConfig::<Test> {
			balances: (1..=20).map(|who| (who, FUNDS)).collect(),
			..Default::default()
		}
		.assimilate_storage(&mut storage)
		.unwrap();
		pallet_challenges::GenesisConfig::<Test> {
			parameters: self.parameters,
			..Default::default()
		}
		.assimilate_storage(&mut storage)
		.unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			for device in 0..self.devices {
				put_device(device, DeviceStatus::Active);
			}
			for who in 1..=self.verifiers {
				assert_ok!(Challenges::register_verifier(
					RuntimeOrigin::signed(who),
					address(who as u8)
				));
			}
			System::reset_events();
		});
		ext
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Challenges::do_try_state().unwrap();
		})
	}
}

#[cfg(feature = "runtime-benchmarks")]
pub(crate) fn new_bench_ext() -> sp_io::TestExternalities {
	ExtBuilder::default().devices(0).verifiers(0).build()
}
