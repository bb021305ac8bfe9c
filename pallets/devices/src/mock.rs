//! A runtime with balances and this pallet.

#![allow(
	missing_docs,
	unreachable_pub,
	reason = "the pallet's traits are public, so what implements them has to be as well"
)]

use crate as pallet_devices;
use crate::*;
use armature_primitives::{
	device::DeviceLabel, ed25519, signing::registration_payload, traits::DeviceBusy, Balance,
	MilliWatts, Moment, Ppm, RackId, RegionId, SiteId, H256,
};
use frame_support::{
	derive_impl, parameter_types,
	traits::{fungible::Inspect, ConstU128, ConstU32, Imbalance, OnUnbalanced, Time},
};
use sp_core::Pair;
use sp_runtime::{BuildStorage, DispatchResult};

pub type AccountId = u64;
type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		DevicesPallet: pallet_devices,
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
	type ExistentialDeposit = ConstU128<1>;
	type AccountStore = System;
}

parameter_types! {
	pub static Now: Moment = 1_000_000;
	pub static BusyDevices: Vec<DeviceId> = Vec::new();
	pub static Slashed: Balance = 0;
}

pub struct MockClock;
impl Time for MockClock {
	type Moment = Moment;
	fn now() -> Moment {
		Now::get()
	}
}

pub struct MockLeases;
impl DeviceBusy for MockLeases {
	fn is_busy(device: DeviceId) -> bool {
		BusyDevices::get().contains(&device)
	}
}

/// Counts what is slashed and burns it.
pub struct CountAndBurn;
impl OnUnbalanced<CreditOf<Test>> for CountAndBurn {
	fn on_nonzero_unbalanced(credit: CreditOf<Test>) {
		Slashed::mutate(|sum| *sum += credit.peek());
	}
}

impl Config for Test {
	type Currency = Balances;
	type OnSlash = CountAndBurn;
	type Clock = MockClock;
	type Leases = MockLeases;
	type AdminOrigin = frame_system::EnsureRoot<AccountId>;
	type MaxSitesPerProvider = ConstU32<3>;
	type MaxRacksPerSite = ConstU32<2>;
	type MaxDevicesPerSite = ConstU32<4>;
	type WeightInfo = ();
}

pub const ALICE: AccountId = 1;
pub const BOB: AccountId = 2;
pub const OPERATOR: AccountId = 3;
pub const POOR: AccountId = 4;
pub const FUNDS: Balance = 1_000_000;

/// All values differ, so that a mix-up fails.
pub fn parameters() -> DeviceParameters {
	DeviceParameters {
		provider_deposit: 1_000,
		site_deposit: 300,
		device_bond: 5_000,
		bond_per_lane: 7,
		unbonding_period: 60_000,
		jail_period: 9_000,
	}
}

pub fn new_test_ext() -> sp_io::TestExternalities {
	let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
	pallet_balances::GenesisConfig::<Test> {
		balances: vec![(ALICE, FUNDS), (BOB, FUNDS), (OPERATOR, FUNDS), (POOR, 100)],
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	GenesisConfig::<Test> { parameters: parameters(), ..Default::default() }
		.assimilate_storage(&mut storage)
		.unwrap();
	let mut ext = sp_io::TestExternalities::new(storage);
	ext.execute_with(|| {
		System::set_block_number(1);
		frame_system::BlockHash::<Test>::insert(0, H256([0xaa; 32]));
		Now::set(1_000_000);
		BusyDevices::set(Vec::new());
		Slashed::set(0);
	});
	ext
}

/// Runs a test and checks all invariants after it.
pub fn run(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		Pallet::<Test>::do_try_state().unwrap();
	});
}

#[cfg(feature = "runtime-benchmarks")]
pub fn new_bench_ext() -> sp_io::TestExternalities {
	let mut ext = new_test_ext();
	ext.register_extension(sp_keystore::KeystoreExt::new(
		sp_keystore::testing::MemoryKeystore::new(),
	));
	ext
}

pub fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

pub fn advance(millis: u64) {
	Now::mutate(|now| *now += millis);
}

pub fn key_pair(seed: u8) -> ed25519::Pair {
	ed25519::Pair::from_seed(&[seed; 32])
}

pub fn free(who: AccountId) -> Balance {
	Balances::balance(&who)
}

pub fn held(reason: HoldReason, who: AccountId) -> Balance {
	use frame_support::traits::fungible::hold::Inspect;
	Balances::balance_on_hold(&reason.into(), &who)
}

/// The registration of a device with the arguments that tests vary. Builds a right signature.
#[derive(Clone)]
pub struct Registration {
	pub who: AccountId,
	pub site: SiteId,
	pub rack: Option<RackId>,
	pub seed: u8,
	pub lanes: u16,
	pub memory_mib: u32,
	pub label: DeviceLabel,
}

impl Registration {
	pub fn new(site: SiteId, seed: u8) -> Self {
		Self {
			who: ALICE,
			site,
			rack: None,
			seed,
			lanes: 8,
			memory_mib: 4_096,
			label: b"attic".to_vec().try_into().unwrap(),
		}
	}

	pub fn signature(&self) -> ed25519::Signature {
		let nonce = Providers::<Test>::get(self.who).map_or(0, |provider| provider.nonce);
		let genesis = System::block_hash(0);
		key_pair(self.seed).sign(&registration_payload(&genesis, &self.who, nonce))
	}

	pub fn submit_with(&self, signature: ed25519::Signature) -> DispatchResult {
		DevicesPallet::register_device(
			signed(self.who),
			self.site,
			self.rack,
			key_pair(self.seed).public(),
			self.lanes,
			self.memory_mib,
			self.label.clone(),
			signature,
		)
	}

	pub fn submit(&self) -> DispatchResult {
		self.submit_with(self.signature())
	}
}

/// A provider with `OPERATOR` and one site.
pub fn provider_with_site(who: AccountId) -> SiteId {
	DevicesPallet::register_provider(signed(who), Some(OPERATOR)).unwrap();
	add_site(who)
}

pub fn add_site(who: AccountId) -> SiteId {
	let site = NextSiteId::<Test>::get();
	DevicesPallet::register_site(signed(who), RegionId(2), MilliWatts(3_000_000), Ppm(1_100_000))
		.unwrap();
	site
}

/// Alice's first device at a fresh site.
pub fn registered_device() -> DeviceId {
	let site = provider_with_site(ALICE);
	let device = NextDeviceId::<Test>::get();
	Registration::new(site, 1).submit().unwrap();
	device
}

/// The bond of a device with 8 lanes.
pub fn bond() -> Balance {
	parameters().bond_for(8).unwrap()
}

pub fn status(device: DeviceId) -> armature_primitives::device::DeviceStatus {
	Devices::<Test>::get(device).unwrap().status
}
