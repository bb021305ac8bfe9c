//! A runtime with this pallet over a recorded device registry.

#![allow(
	missing_docs,
	unreachable_pub,
	reason = "the pallet's traits are public, so what implements them has to be as well"
)]

use crate as pallet_attestation;
use crate::*;
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, SiteInfo, Tier},
	ed25519,
	evidence::{
		Evidence, EvidenceBytes, GpuReport, Inventory, InventoryStatement, PlatformEvidence,
	},
	signing::{device_payload, Domain},
	traits::{DeviceInspect, DeviceLifecycle, LeaseGuard},
	Balance, DeviceId, Moment, Ppm, SiteId, H256,
};
use armature_verifier::evidence::{
	gpu_nonce,
	hardware::{testing::made, Identity, IdentityKind},
	hardware_id, report_data, Context, Tee,
};
use frame_support::{
	derive_impl,
	dispatch::PostDispatchInfo,
	parameter_types,
	traits::{ConstU32, Randomness, Time},
	weights::Weight,
};
use sp_core::Pair;
use sp_runtime::{BuildStorage, DispatchResult};
use std::collections::BTreeMap;

pub type AccountId = u64;
type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		AttestationPallet: pallet_attestation,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
}

/// What the pallet told the registry and the leases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
	Attested(DeviceId, Tier),
	Lost(DeviceId),
	LeasesLost(DeviceId),
	TierLost(DeviceId, Tier),
	Slashed(DeviceId, Ppm),
}

parameter_types! {
	pub static Now: Moment = START;
	/// Whose the devices are.
	pub static Owner: AccountId = PROVIDER;
	/// Key and state of each device.
	pub static Registry: BTreeMap<DeviceId, (ed25519::Public, DeviceStatus)> = BTreeMap::new();
	pub static Trace: Vec<Told> = Vec::new();
	pub LeaseEndWeight: Weight = Weight::from_parts(1_000_000_000, 10_000);
	pub static Seed: H256 = H256([5; 32]);
}

pub struct MockClock;
impl Time for MockClock {
	type Moment = Moment;
	fn now() -> Moment {
		Now::get()
	}
}

pub struct MockRandomness;
impl Randomness<H256, u64> for MockRandomness {
	fn random(subject: &[u8]) -> (H256, u64) {
		let input = [Seed::get().as_bytes(), subject].concat();
		(H256(sp_io::hashing::blake2_256(&input)), System::block_number())
	}
}

pub struct MockDevices;

impl DeviceInspect<AccountId> for MockDevices {
	fn device(id: DeviceId) -> Option<DeviceInfo<AccountId>> {
		let (key, status) = Registry::get().get(&id).copied()?;
		Some(DeviceInfo {
			provider: Owner::get(),
			site: SiteId(0),
			rack: None,
			key,
			status,
			lanes: 8,
			memory_mib: 16_384,
		})
	}

	fn site(_: SiteId) -> Option<SiteInfo<AccountId>> {
		None
	}

	fn may_operate(who: &AccountId, device: DeviceId) -> bool {
		Registry::get().contains_key(&device) && [Owner::get(), OPERATOR].contains(who)
	}
}

impl DeviceLifecycle for MockDevices {
	fn on_attested(device: DeviceId, tier: Tier) {
		Trace::mutate(|trace| trace.push(Told::Attested(device, tier)));
		Registry::mutate(|all| {
			if let Some((_, status @ DeviceStatus::Registered)) = all.get_mut(&device) {
				*status = DeviceStatus::Attested;
			}
		});
	}

	fn on_attestation_lost(device: DeviceId) {
		Trace::mutate(|trace| trace.push(Told::Lost(device)));
		Registry::mutate(|all| {
			if let Some((_, status @ DeviceStatus::Attested)) = all.get_mut(&device) {
				*status = DeviceStatus::Registered;
			}
		});
	}

	fn on_alive(_: DeviceId) {}
	fn on_suspect(_: DeviceId) {}
	fn on_offline(_: DeviceId) {}
	fn on_profitability(_: DeviceId, _: bool) {}
	fn slash(device: DeviceId, share: Ppm) -> Balance {
		Trace::mutate(|trace| trace.push(Told::Slashed(device, share)));
		Registry::mutate(|all| {
			all.get_mut(&device).map_or(0, |(_, status)| {
				*status = DeviceStatus::Jailed;
				SLASHED
			})
		})
	}
}

pub struct MockLeases;

impl LeaseGuard for MockLeases {
	fn on_tier_lost(device: DeviceId, left: Option<Tier>) {
		let told = left.map_or(Told::LeasesLost(device), |tier| Told::TierLost(device, tier));
		Trace::mutate(|trace| trace.push(told));
	}
}

#[cfg(feature = "runtime-benchmarks")]
pub struct BenchmarkHelper;

#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkDevices<AccountId> for BenchmarkHelper {
	fn active_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		Owner::set(*provider);
		let id = DeviceId(Registry::get().len() as u32);
		Registry::mutate(|all| all.insert(id, (key, DeviceStatus::Active)));
		id
	}

	fn matchable_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		Self::active_device(provider, key)
	}

	fn verifier(_: &AccountId) -> DispatchResult {
		Err("this pallet knows no verifiers".into())
	}
}

#[cfg(feature = "runtime-benchmarks")]
impl armature_primitives::traits::BenchmarkClock for BenchmarkHelper {
	fn set_now(now: Moment) {
		Now::set(now);
	}
}

impl Config for Test {
	type Devices = MockDevices;
	type Leases = MockLeases;
	type LeaseEndWeight = LeaseEndWeight;
	type Randomness = MockRandomness;
	type Clock = MockClock;
	type AdminOrigin = frame_system::EnsureRoot<AccountId>;
	type MaxSweepPerBlock = ConstU32<3>;
	type MaxRevokedHardware = ConstU32<3>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = BenchmarkHelper;
}

pub const PROVIDER: AccountId = 1;
pub const OPERATOR: AccountId = 3;
pub const STRANGER: AccountId = 4;
pub const GENESIS: H256 = H256([0xaa; 32]);

/// When every test starts. The certificates of made evidence hold then.
pub const START: Moment = made::NOW;
/// What a slash takes.
pub const SLASHED: Balance = 77;

/// All values differ, so that a mix-up fails.
pub fn parameters() -> AttestationParameters {
	AttestationParameters {
		validity: 10_000,
		renewal_window: 3_000,
		nonce_lifetime: 500,
		grace: 1_500,
		dispute_window: 4_000,
		// So rarely that only a test that asks for it meets it.
		full_check_every: u32::MAX,
		max_renewals: 2,
		slash_share: Ppm(250_000),
	}
}

pub fn new_test_ext() -> sp_io::TestExternalities {
	let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
	GenesisConfig::<Test> {
		parameters: parameters(),
		reference_values: ReferenceValues::from_policy(&made::policy()).unwrap(),
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	let mut ext = sp_io::TestExternalities::new(storage);
	ext.execute_with(|| {
		System::set_block_number(1);
		frame_system::BlockHash::<Test>::insert(0, GENESIS);
		// The first block is over as far as draws go: tests ask and renew in one block.
		frame_system::BlockHash::<Test>::insert(1, H256([0xbb; 32]));
		Now::set(START);
		Owner::set(PROVIDER);
		Trace::set(Vec::new());
		Registry::set(BTreeMap::new());
		Seed::set(H256([5; 32]));
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

/// The key of a device.
pub fn pair(device: DeviceId) -> ed25519::Pair {
	let mut seed = [7; 32];
	seed[..4].copy_from_slice(&device.0.to_le_bytes());
	ed25519::Pair::from_seed(&seed)
}

pub fn add_device(device: DeviceId, status: DeviceStatus) {
	Registry::mutate(|all| all.insert(device, (pair(device).public(), status)));
}

pub fn set_status(device: DeviceId, new: DeviceStatus) {
	Registry::mutate(|all| {
		if let Some((_, status)) = all.get_mut(&device) {
			*status = new;
		}
	});
}

pub fn inventory() -> Inventory {
	Inventory {
		cpu_model: b"Ampere Altra".to_vec().try_into().unwrap(),
		threads: 80,
		memory_mib: 131_072,
		storage_mib: 900_000,
		system: b"Linux 6.12".to_vec().try_into().unwrap(),
		agent: b"0.1.0".to_vec().try_into().unwrap(),
		machine_digest: H256([6; 32]),
	}
}

/// Evidence of a device for a nonce, as its agent would sign it.
pub fn evidence_for(
	device: DeviceId,
	nonce: H256,
	inventory: Inventory,
	pair: &ed25519::Pair,
) -> EvidenceBytes {
	let statement = InventoryStatement { nonce, inventory };
	let payload = device_payload(Domain::Evidence, &GENESIS, device, &statement);
	Evidence::DeviceKeyInventory { statement, signature: pair.sign(&payload) }
		.to_bytes()
		.unwrap()
}

/// Right evidence for the nonce that the device has.
pub fn evidence(device: DeviceId) -> EvidenceBytes {
	let nonce = Nonces::<Test>::get(device).unwrap().nonce;
	evidence_for(device, nonce, inventory(), &pair(device))
}

/// What the hardware of a device is asked with for the nonce that the device has.
pub fn context(device: DeviceId) -> Context {
	let nonce = Nonces::<Test>::get(device).unwrap().nonce;
	Context { genesis: GENESIS, device, key: pair(device).public(), nonce }
}

/// Evidence of hardware with the statement of the device.
pub fn hardware(
	device: DeviceId,
	platform: PlatformEvidence,
	gpus: Vec<GpuReport>,
) -> EvidenceBytes {
	let nonce = Nonces::<Test>::get(device).unwrap().nonce;
	let statement = InventoryStatement { nonce, inventory: inventory() };
	let payload = device_payload(Domain::Evidence, &GENESIS, device, &statement);
	let signature = pair(device).sign(&payload);
	let gpus = gpus.try_into().unwrap();
	Evidence::Hardware { statement, signature, platform, gpus }.to_bytes().unwrap()
}

/// Right evidence of an AMD chip.
pub fn snp(device: DeviceId, chip: u8) -> EvidenceBytes {
	hardware(device, made::snp_of_chip(&report_data(&context(device)), chip), Vec::new())
}

/// Evidence of an AMD chip for another nonce: forged, as somebody would who has no such chip.
pub fn forged_snp(device: DeviceId, chip: u8) -> EvidenceBytes {
	hardware(device, made::snp_of_chip(&[1; 32], chip), Vec::new())
}

/// Right evidence of a trust domain.
pub fn tdx(device: DeviceId) -> EvidenceBytes {
	hardware(device, made::tdx(&report_data(&context(device))), Vec::new())
}

/// Right evidence of an AMD chip with GPUs.
pub fn snp_with_gpus(device: DeviceId, chip: u8, gpus: &[u8]) -> EvidenceBytes {
	let data = report_data(&context(device));
	let nonce = gpu_nonce(&data, &chip_id(chip));
	let gpus = gpus.iter().map(|gpu| made::gpu(&nonce, *gpu)).collect();
	hardware(device, made::snp_of_chip(&data, chip), gpus)
}

/// The hardware id of a made AMD chip, read out of what it says.
pub fn chip_id(chip: u8) -> H256 {
	let PlatformEvidence::SevSnp { report, .. } = made::snp_of_chip(&[0; 32], chip) else {
		panic!("no SEV-SNP")
	};
	// CHIP_ID: AMD 56860, table 23.
	let id = report[0x1a0..0x1e0].to_vec();
	hardware_id(&Identity { kind: IdentityKind::AmdChip, id }).unwrap()
}

pub fn request(device: DeviceId) -> DispatchResult {
	AttestationPallet::request_nonce(signed(PROVIDER), device)
}

/// Submits evidence, which must end as a success; refused evidence does too. Checks that it comes to
/// what was foretold.
pub fn submit(device: DeviceId, evidence: EvidenceBytes) -> PostDispatchInfo {
	let expected = Pallet::<Test>::evidence_outlook(device, evidence.clone());
	let done = AttestationPallet::submit_evidence(signed(PROVIDER), device, evidence).unwrap();
	let outcome = match last_event() {
		Event::Attested { tier, expires_at, .. } => Ok((tier, expires_at)),
		Event::EvidenceRefused { error, .. } => Err(error),
		other => panic!("{other:?}"),
	};
	assert_eq!(outcome, expected.map(|outlook| (outlook.tier, outlook.expires_at)));
	done
}

/// Asks for a nonce and submits evidence of an AMD chip.
pub fn attest_snp(device: DeviceId, chip: u8) {
	request(device).unwrap();
	submit(device, snp(device, chip));
	assert_eq!(Attestations::<Test>::get(device).unwrap().proved_at, Now::get());
}

/// Asks for a nonce and renews with this evidence.
pub fn renew_with(
	device: DeviceId,
	evidence: impl FnOnce(DeviceId) -> EvidenceBytes,
) -> DispatchResult {
	request(device)?;
	AttestationPallet::renew(signed(PROVIDER), device, evidence(device))
}

/// Stores the collateral of made TDX platforms.
pub fn store_collateral() {
	let made = made::collateral(Tee::Tdx);
	let stored = StoredCollateral::from_collateral(&made).unwrap();
	AttestationPallet::submit_collateral(signed(STRANGER), stored).unwrap();
}

/// Asks for a nonce and submits right evidence.
pub fn attest(device: DeviceId) -> DispatchResult {
	request(device)?;
	AttestationPallet::submit_evidence(signed(PROVIDER), device, evidence(device))
		.map(|_| ())
		.map_err(|failed| failed.error)
}

pub fn last_event() -> Event<Test> {
	events().pop().unwrap()
}

/// The pallet's events so far.
pub fn events() -> Vec<Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::AttestationPallet(event) => Some(event),
			RuntimeEvent::System(_) => None,
		})
		.collect()
}

/// The refusal that the last event tells of.
pub fn last_refusal() -> sp_runtime::DispatchError {
	match last_event() {
		Event::EvidenceRefused { error, .. } => error,
		other => panic!("{other:?}"),
	}
}
