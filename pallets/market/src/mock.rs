//! A runtime with balances, this pallet and doubles of everything it asks. The leases double takes
//! the escrow out of the tenant's free balance into an account of its own.

use crate as pallet_market;
use alloc::collections::BTreeMap;
use armature_primitives::{
	device::{CpuScore, DeviceInfo, DeviceStatus, MemoryScore, Performance, SiteInfo, Tier},
	ed25519,
	energy::{BreakEven, CurrencyCode, Placement, QuoteError},
	lease::NewLease,
	market::{AskTerms, OrderSpec, Refusal},
	telemetry::{PowerLoad, PowerSource},
	traits::{
		AttestationInspect, AvailabilityInspect, DeviceInspect, EnergyInspect, LeaseOpener,
		PerformanceInspect,
	},
	Balance, DeviceId, LeaseId, MilliWattHours, MilliWatts, Moment, OrderId, Ppm, RegionId, SiteId,
	H256,
};
use frame_support::{
	derive_impl, parameter_types,
	traits::{
		fungible::{InspectHold, Mutate},
		tokens::Preservation,
		ConstU32, ConstU64, Hooks, Time,
	},
	weights::Weight,
};
use frame_system::EnsureRoot;
use sp_runtime::{BuildStorage, DispatchError};

pub(crate) type AccountId = u64;

pub(crate) const TENANT: AccountId = 1;
pub(crate) const OTHER: AccountId = 2;
pub(crate) const PROVIDER: AccountId = 3;
pub(crate) const OPERATOR: AccountId = 4;
pub(crate) const STRANGER: AccountId = 5;
/// Where the leases double keeps escrows.
pub(crate) const VAULT: AccountId = 9;

pub(crate) const ED: Balance = 10;
pub(crate) const FUNDS: Balance = 1_000_000;
pub(crate) const START: Moment = 1_000_003;
pub(crate) const REGION: RegionId = RegionId(3);
pub(crate) const LIFE: u64 = 1_000_000;
pub(crate) const MAX_DURATION: u64 = 600_000;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Market: pallet_market,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

/// What the doubles know of a device. `pub` because `parameter_types` makes its holder so.
#[allow(unreachable_pub)]
#[derive(Clone, Debug)]
pub struct Machine {
	pub site: SiteId,
	pub status: DeviceStatus,
	pub memory_mib: u32,
	/// What it has shown of that.
	pub shown_mib: Option<u32>,
	/// Whether its memory is being measured.
	pub memory_busy: bool,
	pub tier: Option<Tier>,
	pub availability: Option<Ppm>,
	pub fresh: bool,
	pub speed: Option<u64>,
	pub power: Result<MilliWatts, QuoteError>,
	/// The break-even payout of any placement.
	pub break_even: Result<Balance, QuoteError>,
}

impl Default for Machine {
	/// Matchable: 1,000 steps/s, so that 10^9 fuel at 100,000 fuel per step takes 10 s.
	fn default() -> Self {
		Self {
			site: SiteId(1),
			status: DeviceStatus::Active,
			memory_mib: 1_024,
			shown_mib: Some(1_024),
			memory_busy: false,
			tier: Some(Tier::T1),
			availability: Some(Ppm(900_000)),
			fresh: true,
			speed: Some(1_000),
			power: Ok(MilliWatts(10_000)),
			break_even: Ok(1),
		}
	}
}

parameter_types! {
	pub const ExistentialDeposit: Balance = ED;
	pub static Now: Moment = START;
	pub static Boxes: BTreeMap<DeviceId, Machine> = BTreeMap::new();
	pub static PowerCap: MilliWatts = MilliWatts(1_000_000);
	pub static Opened: Vec<NewLease<AccountId>> = Vec::new();
	pub static Running: BTreeMap<DeviceId, (LeaseId, SiteId, MilliWatts, AccountId, Balance)> =
		BTreeMap::new();
	pub static FailOpen: bool = false;
	pub static Quotes: Vec<(DeviceId, Placement)> = Vec::new();
	pub static MaxAsksPerBatch: u32 = 4;
	pub static MaxOrdersPerBatch: u32 = 4;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ExistentialDeposit;
	type AccountStore = System;
}

pub struct Clock;
impl Time for Clock {
	type Moment = Moment;
	fn now() -> Moment {
		Now::get()
	}
}

fn known(device: DeviceId) -> Option<Machine> {
	Boxes::get().get(&device).cloned()
}

pub struct World;
impl DeviceInspect<AccountId> for World {
	fn device(id: DeviceId) -> Option<DeviceInfo<AccountId>> {
		known(id).map(|one| DeviceInfo {
			provider: PROVIDER,
			site: one.site,
			rack: None,
			key: ed25519::Public::from_raw([1; 32]),
			status: one.status,
			lanes: 8,
			memory_mib: one.memory_mib,
		})
	}
	fn site(id: SiteId) -> Option<SiteInfo<AccountId>> {
		(id != SiteId(404)).then(|| SiteInfo {
			provider: PROVIDER,
			region: REGION,
			power_cap: PowerCap::get(),
			pue: Ppm::ONE,
		})
	}
	fn may_operate(who: &AccountId, device: DeviceId) -> bool {
		known(device).is_some() && (*who == PROVIDER || *who == OPERATOR)
	}
}
impl AttestationInspect for World {
	fn tier(device: DeviceId, _: Moment) -> Option<Tier> {
		known(device)?.tier
	}
}
impl AvailabilityInspect for World {
	fn availability(device: DeviceId, _: Moment) -> Option<Ppm> {
		known(device)?.availability
	}
	fn is_fresh(device: DeviceId, _: Moment) -> bool {
		known(device).is_some_and(|one| one.fresh)
	}
}
impl PerformanceInspect for World {
	fn performance(device: DeviceId, now: Moment) -> Performance {
		let Some(one) = known(device) else { return Performance::default() };
		let cpu = one.speed.map(|steps_per_second_per_lane| CpuScore {
			steps_per_second_per_lane,
			lanes: 8,
			measured_at: now,
		});
		let memory = one.shown_mib.map(|offered_mib| MemoryScore {
			offered_mib,
			filled_mib: offered_mib,
			fill_mib_per_second: 1_000,
			read_nanos: 500,
			measured_at: now,
		});
		Performance { cpu, memory, ..Default::default() }
	}

	fn is_memory_busy(device: DeviceId) -> bool {
		known(device).is_some_and(|one| one.memory_busy)
	}
}
impl EnergyInspect for World {
	fn quote(device: DeviceId, placement: Placement) -> Result<BreakEven, QuoteError> {
		Quotes::mutate(|all| all.push((device, placement)));
		let break_even = known(device).ok_or(QuoteError::UnknownDevice)?.break_even?;
		Ok(quote(break_even, placement.duration_millis))
	}
	fn wall_power(device: DeviceId, _: u16) -> Result<MilliWatts, QuoteError> {
		known(device).ok_or(QuoteError::UnknownDevice)?.power
	}
	fn full_power(device: DeviceId, _: PowerLoad) -> Result<MilliWatts, QuoteError> {
		known(device).ok_or(QuoteError::UnknownDevice)?.power
	}
}

/// A quote whose only meaningful figure is its result.
pub(crate) fn quote(break_even: Balance, duration_millis: u64) -> BreakEven {
	BreakEven {
		power: MilliWatts(10_000),
		power_source: PowerSource::WallMeter,
		pue: Ppm::ONE,
		duration_millis,
		energy: MilliWattHours(1),
		micro_per_kwh: 290_000,
		currency: CurrencyCode(*b"EUR"),
		rate: 1,
		energy_cost: break_even,
		fixed_fee: 0,
		protocol_fee: Ppm(0),
		margin: Ppm(0),
		break_even,
	}
}

pub struct LeaseDouble;
impl LeaseOpener<AccountId> for LeaseDouble {
	fn open(new: NewLease<AccountId>) -> Result<LeaseId, DispatchError> {
		// Takes the money first, so that a failure after it tests the caller's storage layer.
		Balances::transfer(&new.tenant, &VAULT, new.escrow, Preservation::Preserve)?;
		if FailOpen::get() {
			return Err(DispatchError::Other("told to fail"));
		}
		let lease = LeaseId(u64::try_from(Opened::get().len()).unwrap() + 500);
		let row = (lease, new.site, new.power, new.tenant, new.escrow);
		Running::mutate(|all| all.insert(new.device, row));
		Opened::mutate(|all| all.push(new));
		Ok(lease)
	}
	fn is_busy(device: DeviceId) -> bool {
		Running::get().contains_key(&device)
	}
	fn reserved_power(site: SiteId) -> MilliWatts {
		MilliWatts(Running::get().values().filter(|row| row.1 == site).map(|row| row.2 .0).sum())
	}
}

/// Ends the lease of a device: half is paid, half refunded.
pub(crate) fn close(device: DeviceId) {
	use armature_primitives::{lease::LeaseOutcome, traits::OnLeaseClosed};
	let Some((lease, _, _, tenant, escrow)) = Running::mutate(|all| all.remove(&device)) else {
		return;
	};
	Balances::transfer(&VAULT, &tenant, escrow / 2, Preservation::Preserve).unwrap();
	Balances::transfer(&VAULT, &PROVIDER, escrow - escrow / 2, Preservation::Preserve).unwrap();
	let order = Opened::get()[usize::try_from(lease.0 - 500).unwrap()].order;
	Market::on_lease_closed(order, lease, LeaseOutcome::Completed);
}

impl pallet_market::Config for Test {
	type Currency = Balances;
	type Devices = World;
	type Attestation = World;
	type Availability = World;
	type Performance = World;
	type Energy = World;
	type Leases = LeaseDouble;
	type Matcher = pallet_market::Greedy;
	type Clock = Clock;
	type AdminOrigin = EnsureRoot<AccountId>;
	type MaxAsks = ConstU32<6>;
	type MaxOpenOrders = ConstU32<8>;
	type MaxAsksPerBatch = MaxAsksPerBatch;
	type MaxOrdersPerBatch = MaxOrdersPerBatch;
	type MaxOrderLifeMillis = ConstU64<LIFE>;
	type MaxDurationMillis = ConstU64<MAX_DURATION>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = BenchHelper;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct BenchHelper;
#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkDevices<AccountId> for BenchHelper {
	fn active_device(_: &AccountId, _: ed25519::Public) -> DeviceId {
		let id = DeviceId(u32::try_from(Boxes::get().len()).unwrap() + 1_000);
		// Anyone's device: the doubles know one provider, so the benchmark signs as it.
		Boxes::mutate(|all| {
			all.insert(
				id,
				Machine {
					memory_mib: 16_384,
					shown_mib: Some(16_384),
					speed: Some(1_000_000),
					..Machine::default()
				},
			)
		});
		id
	}
	fn matchable_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		Self::active_device(provider, key)
	}
	fn verifier(_: &AccountId) -> sp_runtime::DispatchResult {
		Ok(())
	}
}

#[derive(Default)]
pub(crate) struct ExtBuilder {
	asks: Vec<(u32, Balance, Machine)>,
}

impl ExtBuilder {
	/// A default device with an ask.
	pub(crate) fn ask(self, device: u32, price: Balance) -> Self {
		self.ask_of(device, price, Machine::default())
	}

	/// A device with an ask.
	pub(crate) fn ask_of(mut self, device: u32, price: Balance, one: Machine) -> Self {
		self.asks.push((device, price, one));
		self
	}

	pub(crate) fn build(self) -> sp_io::TestExternalities {
		let balances = [TENANT, OTHER, PROVIDER, OPERATOR, STRANGER, VAULT]
			.into_iter()
			.map(|who| (who, FUNDS + Balance::from(who)))
			.collect();
		let storage = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
			market: pallet_market::GenesisConfig { parameters: parameters(), ..Default::default() },
			..Default::default()
		}
		.build_storage()
		.unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			Now::set(START);
			Boxes::set(BTreeMap::new());
			PowerCap::set(MilliWatts(1_000_000));
			Opened::set(Vec::new());
			Running::set(BTreeMap::new());
			Quotes::set(Vec::new());
			FailOpen::set(false);
			MaxAsksPerBatch::set(4);
			MaxOrdersPerBatch::set(4);
			for (device, price, one) in self.asks {
				Boxes::mutate(|all| all.insert(DeviceId(device), one));
				Market::set_ask(signed(OPERATOR), DeviceId(device), terms(price)).unwrap();
			}
		});
		ext
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			let issued = Balances::total_issuance();
			test();
			Market::do_try_state().unwrap();
			assert_eq!(Balances::total_issuance(), issued);
		});
	}
}

#[cfg(feature = "runtime-benchmarks")]
pub(crate) fn new_bench_ext() -> sp_io::TestExternalities {
	ExtBuilder::default().build()
}

pub(crate) fn parameters() -> crate::Parameters {
	crate::Parameters {
		batch_blocks: 3,
		fuel_per_step: 100_000,
		max_open_orders_per_tenant: 6,
		min_escrow: 100,
	}
}

pub(crate) fn terms(price_per_gfuel: Balance) -> AskTerms {
	AskTerms { price_per_gfuel, reserve_per_gfuel: None }
}

/// 2 gigafuel at up to 500 planck each: 1,000 planck of escrow, 20 s on a default device.
pub(crate) fn spec() -> OrderSpec {
	OrderSpec {
		module: H256::repeat_byte(1),
		input: H256::repeat_byte(2),
		max_fuel: 2_000_000_000,
		max_memory_mib: 512,
		max_duration_millis: 30_000,
		max_price_per_gfuel: 500,
		min_tier: Tier::T0,
		min_availability: Ppm(500_000),
		min_steps_per_second: 10,
		region: None,
		deadline: START + 500_000,
	}
}

pub(crate) fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Submits an order of the tenant and returns its id.
pub(crate) fn submit(spec: OrderSpec) -> OrderId {
	let id = crate::NextOrderId::<Test>::get();
	Market::submit_order(signed(TENANT), spec).unwrap();
	id
}

/// Runs the next batch with all the weight there is.
pub(crate) fn batch() {
	idle(3, Weight::MAX);
}

/// Goes on by `blocks` and runs that block's idle hook.
pub(crate) fn idle(blocks: u64, limit: Weight) -> Weight {
	System::set_block_number(System::block_number() + blocks);
	Market::on_idle(System::block_number(), limit)
}

pub(crate) fn held(who: AccountId) -> Balance {
	Balances::balance_on_hold(&crate::HoldReason::OrderEscrow.into(), &who)
}

/// The refusal kept with an open order.
pub(crate) fn refusal(id: OrderId) -> Option<Refusal> {
	crate::OpenOrders::<Test>::get(id).unwrap().last_refusal
}

pub(crate) fn events() -> Vec<crate::Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Market(event) => Some(event),
			_ => None,
		})
		.collect()
}
