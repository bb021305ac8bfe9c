use crate::{self as pallet_challenges, draw::Start, *};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeFailure, Measured, Verdict, Work, WorkKind},
	device::{DeviceInfo, DeviceStatus, MemoryScore, NetworkScore, RoundTripTo, SiteInfo, Tier},
	ed25519,
	energy::{BreakEven, Placement, QuoteError},
	location::LocationFinding,
	service::ServiceAddress,
	signing::{device_payload, Domain},
	telemetry::{PowerLoad, PowerReading, PowerSource},
	traits::{DeviceBusy, DeviceInspect, DeviceLifecycle, EnergyInspect, PowerSink},
	Balance, DeviceId, MilliWatts, Moment, Ppm, RegionId, RoundId, SiteId, H256,
};
use armature_verifier::challenge::{network::commit_root, task_hash, verdict::seal};
use codec::Encode;
use frame_support::{
	assert_ok, derive_impl, parameter_types,
	traits::{ConstU128, ConstU32, Hooks, OnUnbalanced, Randomness, Time, UnfilteredDispatchable},
	weights::Weight,
};
use sp_core::Pair as _;
use sp_runtime::{BuildStorage, DispatchResult};
use std::collections::{BTreeMap, BTreeSet};

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
	pub static PowerLog: Vec<(DeviceId, PowerLoad, PowerReading)> = Vec::new();
	/// What every site's circuit carries.
	pub static PowerCap: MilliWatts = MilliWatts(1_000_000);
	/// What devices draw at the wall, where it is known.
	pub static WallPower: BTreeMap<DeviceId, MilliWatts> = BTreeMap::new();
	/// The same while they compute products.
	pub static AcceleratorPower: BTreeMap<DeviceId, MilliWatts> = BTreeMap::new();
	/// Devices that run a lease.
	pub static Leased: BTreeSet<DeviceId> = BTreeSet::new();
	/// Slashed devices and shares.
	pub static SlashLog: Vec<(DeviceId, Ppm)> = Vec::new();
	/// What penalties took.
	pub static Burnt: Balance = 0;
	/// Protocol fees.
	pub const PotAccount: AccountId = POT;
}

/// Drops what it is given, which burns it, and remembers the sum.
pub struct MockBurn;

impl OnUnbalanced<CreditOf<Test>> for MockBurn {
	fn on_nonzero_unbalanced(credit: CreditOf<Test>) {
		use frame_support::traits::Imbalance;
		Burnt::mutate(|sum| *sum += credit.peek());
	}
}

pub struct MockLifecycle;

impl DeviceLifecycle for MockLifecycle {
	fn on_attested(_: DeviceId, _: Tier) {}
	fn on_attestation_lost(_: DeviceId) {}
	fn on_alive(_: DeviceId) {}
	fn on_suspect(_: DeviceId) {}
	fn on_offline(_: DeviceId) {}
	fn on_profitability(_: DeviceId, _: bool) {}
	/// Every device has bonded [`DEVICE_BOND`].
	fn slash(device: DeviceId, share: Ppm) -> Balance {
		SlashLog::mutate(|log| log.push((device, share)));
		set_status(device.0, DeviceStatus::Jailed);
		DEVICE_BOND * Balance::from(share.0) / 1_000_000
	}
}

pub struct MockLeases;

impl DeviceBusy for MockLeases {
	fn is_busy(device: DeviceId) -> bool {
		Leased::get().contains(&device)
	}
}

pub struct MockEnergy;

impl EnergyInspect for MockEnergy {
	fn quote(_: DeviceId, _: Placement) -> Result<BreakEven, QuoteError> {
		Err(QuoteError::NoPower)
	}
	fn wall_power(device: DeviceId, _: u16) -> Result<MilliWatts, QuoteError> {
		WallPower::get().get(&device).copied().ok_or(QuoteError::NoPower)
	}
	fn full_power(device: DeviceId, load: PowerLoad) -> Result<MilliWatts, QuoteError> {
		match load {
			PowerLoad::Lanes => Self::wall_power(device, 1),
			PowerLoad::Accelerator => {
				AcceleratorPower::get().get(&device).copied().ok_or(QuoteError::NoPower)
			},
		}
	}
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
		Some(SiteInfo {
			provider: 0,
			region: RegionId(0),
			power_cap: PowerCap::get(),
			pue: Ppm::ONE,
		})
	}

	fn may_operate(who: &AccountId, device: DeviceId) -> bool {
		DeviceTable::get()
			.get(&device)
			.is_some_and(|(info, operator)| info.provider == *who || *operator == Some(*who))
	}
}

pub struct MockPower;

impl PowerSink for MockPower {
	fn on_power(device: DeviceId, load: PowerLoad, reading: PowerReading) {
		PowerLog::mutate(|log| log.push((device, load, reading)));
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
	type Busy = MockLeases;
	type Currency = Balances;
	type Devices = MockDevices;
	type Energy = MockEnergy;
	type Lifecycle = MockLifecycle;
	type OnSlash = MockBurn;
	type PayFrom = PotAccount;
	type Power = MockPower;
	type Randomness = MockRandomness;
	type Clock = MockClock;
	type AdminOrigin = frame_system::EnsureRoot<AccountId>;
	type MaxVerifiers = ConstU32<7>;
	type MaxRoundsPerBlock = ConstU32<16>;
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

#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkClock for BenchHelper {
	fn set_now(now: Moment) {
		Now::set(now);
	}
}

pub(crate) const BOND: Balance = 1_000;
pub(crate) const FUNDS: Balance = 10_000;
/// The account that verifiers are paid from, and what it begins with.
pub(crate) const POT: AccountId = 9_999;
pub(crate) const POT_FUNDS: Balance = 1_000_001;
pub(crate) const DEVICE_BOND: Balance = 5_000;
pub(crate) const FEE: Balance = 10;
pub(crate) const PENALTY: Balance = 20;
pub(crate) const DISPUTE_BOND: Balance = 500;
pub(crate) const PLANTED_PENALTY: Balance = 100;
pub(crate) const PLANTED_INTERVAL: u64 = 200_000;
/// Blocks between a planted answer and its round.
pub(crate) const LEAD: u32 = 4;
pub(crate) const OFFER_INTERVAL: u64 = 70_000;
pub(crate) const MAINTENANCE_INTERVAL: u64 = 500_000;
pub(crate) const WINDOW: u64 = 60_000;
pub(crate) const REVEAL: u64 = 30_000;
pub(crate) const DISPUTE: u64 = 300_000;
pub(crate) const MAX_AGE: u64 = 600_000;
pub(crate) const UNBONDING: u64 = 420_000;
/// Milliseconds of a block.
pub(crate) const SLOT: u64 = 3_000;
/// The operator of every device.
pub(crate) const OPERATOR: AccountId = 50;
/// What a read of honest memory takes.
pub(crate) const READ_NANOS: u32 = 400;
pub(crate) const READ_MILLIS: u32 = 120;
/// What honest devices commit to.
pub(crate) const ROOT: H256 = H256([7; 32]);

pub(crate) fn parameters() -> Parameters {
	Parameters {
		round_interval_blocks: 5,
		min_share: Ppm(100_000),
		max_share: Ppm(500_000),
		max_load: Ppm::ONE,
		committee: 3,
		distinct_networks: false,
		window_millis: WINDOW,
		reveal_millis: REVEAL,
		dispute_millis: DISPUTE,
		score_max_age_millis: MAX_AGE,
		segments: 8,
		steps_per_segment: 100,
		verifier_bond: BOND,
		verifier_unbonding_millis: UNBONDING,
		verdict_fee: FEE,
		verdict_penalty: PENALTY,
		dispute_bond: DISPUTE_BOND,
		fault_slash: Ppm(20_000),
		fraud_slash: Ppm(100_000),
		fraud_reward: 30,
		memory_part: Ppm(0),
		memory_share: Ppm(500_000),
		gemm_part: Ppm(0),
		min_gemm_side: 16,
		max_gemm_side: 1_024,
		storage_part: Ppm(0),
		sector_blocks: 16,
		sector_compressions: 2,
		storage_commit_millis: 5_000,
		storage_read_millis: 400,
		walk_segments: 16,
		walk_reads: 4,
		max_read_nanos: 1_000,
		network_part: Ppm(0),
		echoes: 4,
		transfer_lead_millis: 10_000,
		transfer_millis: 5_000,
		transfer_kib: 1_024,
		near_metres: 100_000,
		near_slack_micros: 2_000,
		most_steps_per_joule: 1_000_000,
		most_base_power: MilliWatts(500),
		most_lane_power: MilliWatts(100),
		most_operations_per_joule: 1_000_000_000_000,
		most_accelerator_power: MilliWatts(2_000),
		most_power_error: Ppm(100_000),
		planted_lead_blocks: LEAD,
		planted_interval_millis: PLANTED_INTERVAL,
		maintenance_interval_millis: MAINTENANCE_INTERVAL,
		offer_interval_millis: OFFER_INTERVAL,
		head_start_millis: 50,
		planted_penalty: PLANTED_PENALTY,
	}
}

/// Draws are so rare that none happens.
pub(crate) fn without_draws(parameters: &mut Parameters) {
	parameters.round_interval_blocks = u32::MAX;
}

/// An address in a network of its own.
pub(crate) fn address(n: u8) -> ServiceAddress {
	let text = format!("/ip4/203.{n}.113.1/tcp/30333");
	ServiceAddress::truncate_from(text.into_bytes())
}

/// The account that owns a device.
pub(crate) fn provider(device: u32) -> AccountId {
	100 + u64::from(device)
}

/// A device's key.
pub(crate) fn pair(device: u32) -> ed25519::Pair {
	ed25519::Pair::from_seed(&[device as u8 + 1; 32])
}

/// Its public half.
pub(crate) fn key(device: u32) -> ed25519::Public {
	pair(device).public()
}

pub(crate) fn put_device(device: u32, status: DeviceStatus) {
	put_device_of(provider(device), device, status);
}

pub(crate) fn put_device_of(owner: AccountId, device: u32, status: DeviceStatus) {
	put_device_with(DeviceId(device), owner, status, 4 + device as u16, key(device));
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
	DeviceTable::mutate(|table| {
		if let Some((info, _)) = table.get_mut(&DeviceId(device)) {
			info.status = status;
		}
	});
}

pub(crate) fn power(loaded: u32) -> PowerReading {
	PowerReading {
		idle: MilliWatts(loaded / 4),
		loaded: MilliWatts(loaded),
		source: PowerSource::BoardSensor,
		error: Ppm(50_000),
	}
}

/// What the device of a round signs.
pub(crate) fn sign(round: &RoundOf<Test>, root: H256, power: PowerReading) -> ed25519::Signature {
	let commit = ChallengeCommit { task: task_hash(&round.task), root, power };
	let domain = Domain::ChallengeCommit;
	let payload = device_payload(domain, &System::block_hash(0), round.task.device, &commit);
	pair(round.task.device.0).sign(&payload)
}

pub(crate) fn passed_under(round: &RoundOf<Test>, elapsed_millis: u32, root: H256) -> Verdict {
	let power = power(80);
	let signature = sign(round, root, power);
	Verdict::Passed { measured: measured(round, elapsed_millis), power, root, signature }
}

pub(crate) fn passed(round: &RoundOf<Test>, elapsed_millis: u32, loaded: u32) -> Verdict {
	let (power, root) = (power(loaded), root_of(round));
	let signature = sign(round, root, power);
	Verdict::Passed { measured: measured(round, elapsed_millis), power, root, signature }
}

/// What an honest device commits to.
pub(crate) fn root_of(round: &RoundOf<Test>) -> H256 {
	match round.task.work {
		Work::Cpu(_) | Work::Memory(_) | Work::Gemm(_) | Work::Storage(_) => ROOT,
		Work::Network(_) => commit_root(&round.task),
	}
}

/// A way that is measured in a round of that kind.
pub(crate) fn way(round_trip_micros: u32, up_kbps: u32, down_kbps: u32) -> Measured {
	Measured::Network { answer_millis: 300, round_trip_micros, up_kbps, down_kbps }
}

/// A measurement of the round's kind; reads of memory take [`READ_NANOS`], of storage [`READ_MILLIS`].
pub(crate) fn measured(round: &RoundOf<Test>, elapsed_millis: u32) -> Measured {
	match round.task.work {
		Work::Cpu(_) => Measured::Cpu { elapsed_millis },
		Work::Memory(_) => Measured::Memory { fill_millis: elapsed_millis, read_nanos: READ_NANOS },
		Work::Network(_) => way(20_000, 10_000, 50_000),
		Work::Gemm(_) => Measured::Gemm { elapsed_millis },
		Work::Storage(_) => {
			Measured::Storage { answer_millis: elapsed_millis, read_millis: READ_MILLIS }
		},
	}
}

pub(crate) const FAILED: Verdict = Verdict::Failed { reason: ChallengeFailure::WrongResult };

/// The salt of every verdict of a verifier.
pub(crate) fn salt(who: AccountId) -> H256 {
	H256::from_low_u64_be(who)
}

fn call(who: AccountId, call: Call<Test>) -> DispatchResult {
	use frame_support::dispatch::GetDispatchInfo;
	let call = RuntimeCall::Challenges(call);
	assert!(call.get_dispatch_info().call_weight.all_gt(Weight::zero()));
	call.dispatch_bypass_filter(RuntimeOrigin::signed(who))
		.map(|_| ())
		.map_err(|e| e.error)
}

pub(crate) fn seal_all(who: AccountId, items: &[(RoundId, Verdict)]) -> DispatchResult {
	let seals = items.iter().map(|(id, verdict)| (*id, seal(*id, &who, verdict, &salt(who))));
	call(who, Call::seal_verdicts { seals: seals.collect::<Vec<_>>().try_into().unwrap() })
}

pub(crate) fn reveal_all(who: AccountId, items: &[(RoundId, Verdict)]) -> DispatchResult {
	let reveals = items.iter().map(|(id, verdict)| (*id, *verdict, salt(who)));
	call(who, Call::reveal_verdicts { reveals: reveals.collect::<Vec<_>>().try_into().unwrap() })
}

pub(crate) fn seal_one(who: AccountId, id: RoundId, verdict: Verdict) -> DispatchResult {
	seal_all(who, &[(id, verdict)])
}

pub(crate) fn reveal_one(who: AccountId, id: RoundId, verdict: Verdict) -> DispatchResult {
	reveal_all(who, &[(id, verdict)])
}

/// The committee of a round.
pub(crate) fn seats(round: &RoundOf<Test>) -> Vec<AccountId> {
	round.seats.iter().map(|seat| seat.verifier).collect()
}

/// Seals and reveals a verdict of each member, in the order of the seats.
pub(crate) fn judge(round: &RoundOf<Test>, verdicts: &[Verdict]) {
	let id = round.task.round;
	for (who, verdict) in seats(round).into_iter().zip(verdicts) {
		assert_ok!(seal_one(who, id, *verdict));
	}
	for (who, verdict) in seats(round).into_iter().zip(verdicts) {
		assert_ok!(reveal_one(who, id, *verdict));
	}
}

/// Runs blocks up to and including `block`: the hooks with the clock where a runtime has it.
pub(crate) fn run_to(block: u64) {
	while System::block_number() < block {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Challenges::on_initialize(next);
		Now::mutate(|now| *now += SLOT);
		Challenges::on_idle(next, Weight::MAX);
		Challenges::on_finalize(next);
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

/// Ends the open round of a device with the same verdict of the whole committee.
pub(crate) fn settle(device: u32, verdict: impl Fn(&RoundOf<Test>) -> Verdict) {
	let round = round_of(device).expect("it has an open round");
	let verdict = verdict(&round);
	judge(&round, &vec![verdict; round.seats.len()]);
}

/// A verdict for [`settle`].
pub(crate) fn pass(elapsed_millis: u32) -> impl Fn(&RoundOf<Test>) -> Verdict {
	move |round| passed(round, elapsed_millis, 80)
}

/// A verdict for [`settle`].
pub(crate) fn fail(_: &RoundOf<Test>) -> Verdict {
	FAILED
}

/// Has a device show its memory, with nothing else to wait for.
pub(crate) fn give_memory(device: u32) {
	Performances::<Test>::mutate(DeviceId(device), |known| {
		known.memory = Some(MemoryScore {
			offered_mib: 16_384,
			filled_mib: 8_192,
			fill_mib_per_second: 100,
			read_nanos: READ_NANOS,
			measured_at: Now::get(),
		});
	});
}

/// Has a device show its way to a verifier, with nothing else to wait for.
pub(crate) fn give_network(device: u32) {
	let (device, measured_at) = (DeviceId(device), Now::get());
	let score = NetworkScore {
		nearest_micros: 9_000,
		median_micros: 9_000,
		up_kbps: 10_000,
		down_kbps: 50_000,
		location: LocationFinding::Unknown,
		measured_at,
	};
	Performances::<Test>::mutate(device, |known| known.network = Some(score));
	let trip = RoundTripTo { verifier: 1, micros: 9_000, measured_at };
	RoundTrips::<Test>::insert(device, RoundTripsOf::<Test>::truncate_from(vec![trip]));
}

/// Opens a round of lanes of a device now, whatever else there is.
pub(crate) fn surprise(device: u32) -> RoundOf<Test> {
	surprise_with(device, WorkKind::Cpu)
}

/// Opens a round of a device now, whatever else there is.
pub(crate) fn surprise_with(device: u32, kind: WorkKind) -> RoundOf<Test> {
	let beacon = Challenges::advance_beacon();
	let block = System::block_number();
	let context = Challenges::draw_context(block, beacon, Now::get()).expect("there are verifiers");
	let info = DeviceTable::get()[&DeviceId(device)].0.clone();
	let is_leased = MockLeases::is_busy(DeviceId(device));
	let start = Start { kind, is_asked: false, is_leased };
	assert!(Challenges::open_round(&context, DeviceId(device), &info, start));
	round_of(device).expect("just opened")
}

pub(crate) struct ExtBuilder {
	devices: u32,
	verifiers: u64,
	pot: Balance,
	parameters: Parameters,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self { devices: 2, verifiers: 4, pot: POT_FUNDS, parameters: parameters() }
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

	/// What there is to pay verifiers with.
	pub(crate) fn pot(mut self, funds: Balance) -> Self {
		self.pot = funds;
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
		PowerCap::set(MilliWatts(1_000_000));
		WallPower::set(BTreeMap::new());
		AcceleratorPower::set(BTreeMap::new());
		Leased::set(BTreeSet::new());
		SlashLog::set(Vec::new());
		Burnt::set(0);
		let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
		pallet_balances::GenesisConfig::<Test> {
			balances: (1..=20).map(|who| (who, FUNDS)).chain([(POT, self.pot)]).collect(),
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
	let mut ext = ExtBuilder::default().devices(0).verifiers(0).build();
	ext.register_extension(sp_keystore::KeystoreExt::new(
		sp_keystore::testing::MemoryKeystore::new(),
	));
	ext
}

/// Draws an owner, and returns which of its devices begin, and what.
pub(crate) fn started(owner: u64) -> Vec<(u32, WorkKind)> {
	Now::mutate(|now| *now += 1_000_000);
	let beacon = Challenges::advance_beacon();
	let context = Challenges::draw_context(50, beacon, Now::get()).unwrap();
	Challenges::start(&context, &owner, None);
	let devices = Enrolments::<Test>::iter().map(|(device, _)| device.0);
	let mut rounds: Vec<_> = devices
		.filter_map(|device| Some((device, round_of(device)?.task.work.kind())))
		.collect();
	rounds.sort();
	rounds
}
