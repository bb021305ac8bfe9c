//! The pallets of the domain: devices, attestation, uptime, challenges, energy, market, leases.

use crate::{
	adapters::{fee_account, BlockRandomness, Burn, PROTOCOL_FEE},
	AccountId, Attestation, Balances, Challenges, Devices, Energy, Leases, Market, Runtime,
	Timestamp, Uptime,
};
use armature_primitives::{units::MILLIS_PER_HOUR, Ppm};
use frame_support::{
	parameter_types,
	traits::{ConstU32, ConstU64},
	weights::Weight,
};
use frame_system::EnsureRoot;

parameter_types! {
	/// The protocol's share of every payout.
	pub const ProtocolFee: Ppm = PROTOCOL_FEE;

	/// Where it goes.
	pub FeeAccount: AccountId = fee_account();
}

parameter_types! {
	/// To end a lease is to settle it; this is the longest way to do so.
	pub LeaseEndWeight: Weight =
		<pallet_leases::weights::SubstrateWeight<Runtime> as pallet_leases::WeightInfo>::settle_expired();
}

/// Who changes parameters: root, only for as long as there is no governance.
type Admin = EnsureRoot<AccountId>;

impl pallet_devices::Config for Runtime {
	type AdminOrigin = Admin;
	type Clock = Timestamp;
	type Currency = Balances;
	type Leases = Leases;
	type MaxDevicesPerSite = ConstU32<1_024>;
	type MaxRacksPerSite = ConstU32<64>;
	type MaxSitesPerProvider = ConstU32<64>;
	type OnSlash = Burn;
	type WeightInfo = pallet_devices::weights::SubstrateWeight<Runtime>;
}

impl pallet_attestation::Config for Runtime {
	type AdminOrigin = Admin;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benches::Helper;
	type Clock = Timestamp;
	type Devices = Devices;
	type LeaseEndWeight = LeaseEndWeight;
	type Leases = Leases;
	type MaxRevokedHardware = ConstU32<65_536>;
	type MaxSweepPerBlock = ConstU32<32>;
	type Randomness = BlockRandomness;
	type WeightInfo = pallet_attestation::weights::SubstrateWeight<Runtime>;
}

impl pallet_uptime::Config for Runtime {
	type AdminOrigin = Admin;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benches::Helper;
	type Clock = Timestamp;
	type Currency = Balances;
	type Devices = Devices;
	type Energy = Energy;
	type Lifecycle = Devices;
	type MaxOrchestratorsPerRegion = ConstU32<16>;
	type MaxOutages = ConstU32<64>;
	type MaxSweptPerBlock = ConstU32<32>;
	type WeightInfo = pallet_uptime::weights::SubstrateWeight<Runtime>;
}

impl pallet_challenges::Config for Runtime {
	type AdminOrigin = Admin;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benches::Helper;
	type Busy = Leases;
	type Clock = Timestamp;
	type Currency = Balances;
	type Devices = Devices;
	type Energy = Energy;
	type Lifecycle = Devices;
	type MaxRoundsPerBlock = ConstU32<32>;
	type MaxVerdictsPerCall = ConstU32<32>;
	type MaxVerifiers = ConstU32<256>;
	type OnSlash = Burn;
	type PayFrom = FeeAccount;
	type Power = Energy;
	type Randomness = BlockRandomness;
	type WeightInfo = pallet_challenges::weights::SubstrateWeight<Runtime>;
}

impl pallet_energy::Config for Runtime {
	type AdminOrigin = Admin;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benches::Helper;
	type Clock = Timestamp;
	type Devices = Devices;
	type MaxFeeders = ConstU32<16>;
	/// 4,000 units per kWh: room for the currencies with the smallest units.
	type MaxMicroPerKwh = ConstU32<4_000_000_000>;
	type ProtocolFee = ProtocolFee;
	type WeightInfo = pallet_energy::weights::SubstrateWeight<Runtime>;
}

impl pallet_market::Config for Runtime {
	type AdminOrigin = Admin;
	type Attestation = Attestation;
	type Availability = Uptime;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benches::Helper;
	type Clock = Timestamp;
	type Currency = Balances;
	type Devices = Devices;
	type Energy = Energy;
	type Leases = Leases;
	type Matcher = pallet_market::Greedy;
	type MaxAsks = ConstU32<65_536>;
	type MaxAsksPerBatch = ConstU32<256>;
	type MaxDurationMillis = ConstU64<{ 24 * MILLIS_PER_HOUR }>;
	type MaxOpenOrders = ConstU32<65_536>;
	type MaxOrderLifeMillis = ConstU64<{ 7 * 24 * MILLIS_PER_HOUR }>;
	type MaxOrdersPerBatch = ConstU32<128>;
	type Performance = Challenges;
	type WeightInfo = pallet_market::weights::SubstrateWeight<Runtime>;
}

impl pallet_leases::Config for Runtime {
	type AdminOrigin = Admin;
	type Attestation = Attestation;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benches::Helper;
	type Clock = Timestamp;
	type Currency = Balances;
	type Devices = Devices;
	type Energy = Energy;
	type FeeAccount = FeeAccount;
	type Market = Market;
	type MaxOpenLeases = ConstU32<65_536>;
	type MaxReceipts = ConstU32<65_536>;
	type ProtocolFee = ProtocolFee;
	type Randomness = BlockRandomness;
	type Verifiers = Challenges;
	type WeightInfo = pallet_leases::weights::SubstrateWeight<Runtime>;
}
