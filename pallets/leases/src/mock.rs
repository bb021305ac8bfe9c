//! A runtime with balances, this pallet and recording doubles of everything it asks.

use crate as pallet_leases;
use alloc::collections::BTreeMap;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, SiteInfo, Tier},
	ed25519,
	lease::{LeaseOutcome, NewLease, Receipt, RunReport, RunStatus},
	market::OrderSpec,
	traits::{
		AttestationInspect, DeviceInspect, DeviceLifecycle, EnergyLedger, LeaseOpener,
		OnLeaseClosed, VerifierInspect,
	},
	Balance, DeviceId, LeaseId, MilliWattHours, MilliWatts, Moment, OrderId, Ppm, RegionId, SiteId,
	H256,
};
use frame_support::{
	derive_impl, parameter_types,
	traits::{fungible::InspectHold, Randomness, Time},
	weights::Weight,
};
use frame_system::EnsureRoot;
use sp_runtime::{BuildStorage, DispatchError};

pub(crate) type AccountId = u64;

pub(crate) const TENANT: AccountId = 1;
pub(crate) const PROVIDER: AccountId = 2;
pub(crate) const OPERATOR: AccountId = 3;
pub(crate) const STRANGER: AccountId = 4;
pub(crate) const VERIFIER: AccountId = 5;
pub(crate) const FEES: AccountId = 6;
/// Has no account at the start.
pub(crate) const GHOST: AccountId = 77;

pub(crate) const ED: Balance = 10;
pub(crate) const FUNDS: Balance = 1_000_000;
pub(crate) const DEVICE: DeviceId = DeviceId(7);
pub(crate) const SITE: SiteId = SiteId(70);
pub(crate) const START: Moment = 1_000_003;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Leases: pallet_leases,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

parameter_types! {
	pub const ExistentialDeposit: Balance = ED;
	pub static Now: Moment = START;
	pub static Devices: BTreeMap<DeviceId, (AccountId, AccountId, SiteId)> = BTreeMap::new();
	pub static AttestedTier: Option<Tier> = Some(Tier::T0);
	pub static Slashes: Vec<(DeviceId, Ppm)> = Vec::new();
	pub static Verifiers: Vec<AccountId> = vec![TENANT, PROVIDER, OPERATOR, VERIFIER];
	/// Ignores the exclusion, as a broken set would.
	pub static DrawsAnyone: bool = false;
	pub static Income: Vec<(DeviceId, Balance)> = Vec::new();
	pub static Closed: Vec<(OrderId, LeaseId, LeaseOutcome)> = Vec::new();
	pub static FeeAccount: AccountId = FEES;
	pub static ProtocolFee: Ppm = Ppm(20_000);
	pub static MaxOpenLeases: u32 = 3;
	pub static MaxReceipts: u32 = 4;
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

pub struct Topology;
impl DeviceInspect<AccountId> for Topology {
	fn device(id: DeviceId) -> Option<DeviceInfo<AccountId>> {
		Devices::get().get(&id).map(|(provider, _, site)| DeviceInfo {
			provider: *provider,
			site: *site,
			rack: None,
			key: ed25519::Public::from_raw([1; 32]),
			status: DeviceStatus::Active,
			lanes: 8,
			memory_mib: 16_384,
		})
	}
	fn site(id: SiteId) -> Option<SiteInfo<AccountId>> {
		Devices::get()
			.values()
			.find(|(_, _, site)| *site == id)
			.map(|(provider, _, _)| SiteInfo {
				provider: *provider,
				region: RegionId(1),
				power_cap: MilliWatts(2_000_000),
				pue: Ppm::ONE,
			})
	}
	fn may_operate(who: &AccountId, device: DeviceId) -> bool {
		Devices::get().get(&device).is_some_and(|(p, o, _)| who == p || who == o)
	}
}
impl DeviceLifecycle for Topology {
	fn on_attested(_: DeviceId, _: Tier) {}
	fn on_attestation_lost(_: DeviceId) {}
	fn on_alive(_: DeviceId) {}
	fn on_suspect(_: DeviceId) {}
	fn on_offline(_: DeviceId) {}
	fn on_profitability(_: DeviceId, _: bool) {}
	fn slash(device: DeviceId, share: Ppm) -> Balance {
		Slashes::mutate(|all| all.push((device, share)));
		1
	}
}

pub struct Attestations;
impl AttestationInspect for Attestations {
	fn tier(_: DeviceId, _: Moment) -> Option<Tier> {
		AttestedTier::get()
	}
}

pub struct VerifierSet;
impl VerifierInspect<AccountId> for VerifierSet {
	fn is_verifier(who: &AccountId) -> bool {
		Verifiers::get().contains(who)
	}
	fn draw(_: H256, exclude: &dyn Fn(&AccountId) -> bool) -> Option<AccountId> {
		Verifiers::get().into_iter().find(|who| DrawsAnyone::get() || !exclude(who))
	}
}

pub struct Ledger;
impl EnergyLedger for Ledger {
	fn on_energy(_: DeviceId, _: MilliWattHours, _: Moment) {}
	fn on_income(device: DeviceId, amount: Balance) {
		Income::mutate(|all| all.push((device, amount)));
	}
}

pub struct Orders;
impl OnLeaseClosed for Orders {
	fn on_lease_closed(order: OrderId, lease: LeaseId, outcome: LeaseOutcome) {
		Closed::mutate(|all| all.push((order, lease, outcome)));
	}
}

pub struct Seeds;
impl Randomness<H256, u64> for Seeds {
	fn random(subject: &[u8]) -> (H256, u64) {
		(H256(sp_io::hashing::blake2_256(subject)), 0)
	}
}

impl pallet_leases::Config for Test {
	type Currency = Balances;
	type Devices = Topology;
	type Attestation = Attestations;
	type Verifiers = VerifierSet;
	type Energy = Ledger;
	type Market = Orders;
	type Randomness = Seeds;
	type Clock = Clock;
	type FeeAccount = FeeAccount;
	type ProtocolFee = ProtocolFee;
	type AdminOrigin = EnsureRoot<AccountId>;
	type MaxOpenLeases = MaxOpenLeases;
	type MaxReceipts = MaxReceipts;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = BenchHelper;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct BenchHelper;
#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkDevices<AccountId> for BenchHelper {
	fn active_device(provider: &AccountId, _: ed25519::Public) -> DeviceId {
		Devices::mutate(|all| {
			let id = DeviceId(u32::try_from(all.len()).unwrap() + 1_000);
			all.insert(id, (*provider, *provider, SITE));
			id
		})
	}
	fn matchable_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		Self::active_device(provider, key)
	}
	fn verifier(who: &AccountId) -> sp_runtime::DispatchResult {
		Verifiers::set(vec![*who]);
		Ok(())
	}
}

pub(crate) struct ExtBuilder {
	fees_exist: bool,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self { fees_exist: true }
	}
}

impl ExtBuilder {
	/// Leaves the fee account without existential deposit.
	pub(crate) fn without_fee_account(mut self) -> Self {
		self.fees_exist = false;
		self
	}

	pub(crate) fn build(self) -> sp_io::TestExternalities {
		let mut balances: Vec<_> = [TENANT, PROVIDER, OPERATOR, STRANGER, VERIFIER]
			.into_iter()
			.map(|who| (who, FUNDS + Balance::from(who)))
			.collect();
		if self.fees_exist {
			balances.push((FEES, ED));
		}
		let storage = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
			leases: pallet_leases::GenesisConfig { parameters: parameters(), ..Default::default() },
			..Default::default()
		}
		.build_storage()
		.unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			Now::set(START);
			Devices::set(
				(0..4)
					.map(|n| (DeviceId(DEVICE.0 + n), (PROVIDER, OPERATOR, SiteId(SITE.0 + n / 2))))
					.collect(),
			);
			AttestedTier::set(Some(Tier::T0));
			Slashes::set(Vec::new());
			Verifiers::set(vec![TENANT, PROVIDER, OPERATOR, VERIFIER]);
			DrawsAnyone::set(false);
			Income::set(Vec::new());
			Closed::set(Vec::new());
			ProtocolFee::set(Ppm(20_000));
			MaxOpenLeases::set(3);
		});
		ext
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			let issued = Balances::total_issuance();
			test();
			Leases::do_try_state().unwrap();
			assert_eq!(Balances::total_issuance(), issued);
		});
	}
}

#[cfg(feature = "runtime-benchmarks")]
pub(crate) fn new_bench_ext() -> sp_io::TestExternalities {
	ExtBuilder::default().build()
}

/// Windows that all differ.
pub(crate) fn parameters() -> crate::Parameters {
	crate::Parameters {
		ack_millis: 60_000,
		start_millis: 70_000,
		result_grace_millis: 11_000,
		accept_millis: 80_000,
		dispute_millis: 90_000,
		dispute_deposit: 500,
		wrong_result_slash: Ppm(123_000),
	}
}

pub(crate) fn spec() -> OrderSpec {
	OrderSpec {
		module: H256::repeat_byte(1),
		input: H256::repeat_byte(2),
		max_fuel: 10_000_000_000,
		max_memory_mib: 256,
		max_duration_millis: 30_000,
		max_price_per_gfuel: 120,
		min_tier: Tier::T0,
		min_availability: Ppm(0),
		min_steps_per_second: 0,
		region: None,
		deadline: START + 1_000_000,
	}
}

/// 10 gigafuel at 100 planck: 1,000 planck of escrow, on the `n`-th device.
pub(crate) fn new_lease(n: u32) -> NewLease<AccountId> {
	NewLease {
		order: OrderId(u64::from(n) + 40),
		tenant: TENANT,
		provider: PROVIDER,
		device: DeviceId(DEVICE.0 + n),
		site: SiteId(SITE.0 + n / 2),
		spec: spec(),
		price_per_gfuel: 100,
		escrow: 1_000,
		power: MilliWatts(5_000 + n),
	}
}

pub(crate) fn open() -> LeaseId {
	<Leases as LeaseOpener<AccountId>>::open(new_lease(0)).unwrap()
}

pub(crate) fn open_as(new: NewLease<AccountId>) -> Result<LeaseId, DispatchError> {
	<Leases as LeaseOpener<AccountId>>::open(new)
}

pub(crate) fn report() -> RunReport {
	RunReport {
		status: RunStatus::Success,
		output: H256::repeat_byte(9),
		output_len: 42,
		fuel: 5_000_000_000,
	}
}

pub(crate) fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

/// Opens a lease and walks it to `Running`.
pub(crate) fn running() -> LeaseId {
	let id = open();
	Leases::acknowledge(signed(OPERATOR), id).unwrap();
	Leases::start(signed(OPERATOR), id).unwrap();
	id
}

/// Opens a lease and walks it to `Reported`.
pub(crate) fn reported(report: RunReport) -> LeaseId {
	let id = running();
	Leases::report_result(signed(OPERATOR), id, report).unwrap();
	id
}

/// Opens a lease and walks it to `Disputed`.
pub(crate) fn disputed(report: RunReport) -> LeaseId {
	let id = reported(report);
	Leases::dispute_result(signed(TENANT), id).unwrap();
	id
}

pub(crate) fn advance(millis: u64) {
	Now::mutate(|now| *now += millis);
}

pub(crate) fn escrowed(who: AccountId) -> Balance {
	Balances::balance_on_hold(&crate::HoldReason::LeaseEscrow.into(), &who)
}

pub(crate) fn deposited(who: AccountId) -> Balance {
	Balances::balance_on_hold(&crate::HoldReason::DisputeDeposit.into(), &who)
}

pub(crate) fn receipt(id: LeaseId) -> Receipt<AccountId> {
	Leases::receipt(id).unwrap()
}

pub(crate) fn idle(limit: Weight) -> Weight {
	use frame_support::traits::Hooks;
	Leases::on_idle(System::block_number(), limit)
}
