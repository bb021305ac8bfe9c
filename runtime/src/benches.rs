//! Which benchmarks there are, and how they are run.

use crate::{
	AccountId, AllPalletsWithSystem, Balances, Challenges, Devices, Energy, Runtime, RuntimeOrigin,
	Timestamp, UNIT,
};
use alloc::{string::String, vec, vec::Vec};
use armature_health::{Availability, Fraction};
use armature_primitives::{
	challenge::{ChallengeTask, WorkKind},
	device::{CpuScore, DeviceStatus, MemoryScore, Performance, Tier},
	ed25519,
	energy::{CurrencyCode, Tariff, HOURS_PER_DAY},
	evidence::EvidenceFormat,
	service::Network,
	telemetry::{PowerLoad, PowerReading, PowerSource, TelemetrySummary, SLOT_MASK},
	traits::{BenchmarkClock, BenchmarkDevices, PowerSink},
	DeviceId, MilliWatts, Moment, Ppm, RegionId, RoundId, SiteId, H256,
};
use frame_benchmarking::{
	account, baseline::Pallet as BaselineBench, define_benchmarks, BenchmarkBatch, BenchmarkConfig,
	BenchmarkList,
};
use frame_support::traits::{
	fungible::{hold::Mutate as _, Mutate as _},
	StorageInfo, StorageInfoTrait, WhitelistedStorageKeys,
};
use frame_system_benchmarking::{
	extensions::Pallet as SystemExtensionsBench, Pallet as SystemBench,
};
use sp_runtime::DispatchResult;

define_benchmarks!(
	[frame_benchmarking, BaselineBench::<Runtime>]
	[frame_system, SystemBench::<Runtime>]
	[frame_system_extensions, SystemExtensionsBench::<Runtime>]
	[pallet_babe, crate::Babe]
	[pallet_balances, crate::Balances]
	[pallet_grandpa, crate::Grandpa]
	[pallet_sudo, crate::Sudo]
	[pallet_timestamp, crate::Timestamp]
	[pallet_transaction_payment, crate::TransactionPayment]
	[pallet_utility, crate::Utility]
	[pallet_devices, crate::Devices]
	[pallet_attestation, crate::Attestation]
	[pallet_uptime, crate::Uptime]
	[pallet_challenges, crate::Challenges]
	[pallet_energy, crate::Energy]
	[pallet_market, crate::Market]
	[pallet_leases, crate::Leases]
);

impl frame_benchmarking::baseline::Config for Runtime {}
impl frame_system_benchmarking::Config for Runtime {}
impl pallet_transaction_payment::BenchmarkConfig for Runtime {}

/// The benchmarks and the storage that they touch.
pub(crate) fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
	let mut list = Vec::<BenchmarkList>::new();
	list_benchmarks!(list, extra);
	(list, AllPalletsWithSystem::storage_info())
}

/// Runs the benchmarks that `config` selects.
pub(crate) fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
	let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
	let mut batches = Vec::<BenchmarkBatch>::new();
	let params = (&config, &whitelist);
	add_benchmarks!(params, batches);
	Ok(batches)
}

/// The currency that benchmark sites pay in.
const CURRENCY: CurrencyCode = CurrencyCode(*b"EUR");

/// The time of a benchmark's block where the benchmark sets none: 2026-01-01T00:00:00Z.
const GENESIS_TIME: Moment = 1_767_225_600_000;

/// Sets up devices and the clock for the benchmarks of the domain's pallets.
pub struct Helper;

impl Helper {
	/// A site of `provider`, which is registered and rich afterwards. The block has a time then, as
	/// every block after genesis has: some paths are only there once time has begun.
	fn site(provider: &AccountId) -> SiteId {
		if Timestamp::get() == 0 {
			Self::set_now(GENESIS_TIME);
		}
		Balances::set_balance(provider, 1_000_000 * UNIT);
		let origin = || RuntimeOrigin::signed(provider.clone());
		if !pallet_devices::Providers::<Runtime>::contains_key(provider) {
			Devices::register_provider(origin(), None).expect("is rich and no provider");
		}
		let known = pallet_devices::ProviderSites::<Runtime>::iter_key_prefix(provider).next();
		known.unwrap_or_else(|| {
			let site = pallet_devices::NextSiteId::<Runtime>::get();
			let cap = MilliWatts(u32::MAX);
			Devices::register_site(origin(), RegionId(1), cap, Ppm::ONE).expect("has no site yet");
			site
		})
	}
}

impl BenchmarkDevices<AccountId> for Helper {
	// `register_device` wants a signature of the key, of which only the public half is here: this
	// writes what it and the later transitions would.
	fn active_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		let site = Self::site(provider);
		let lanes = 8;
		let bond = pallet_devices::Parameters::<Runtime>::get()
			.bond_for(lanes)
			.expect("genesis accepts no parameters that overflow");
		Balances::hold(&pallet_devices::HoldReason::DeviceBond.into(), provider, bond)
			.expect("is rich");
		let id = pallet_devices::NextDeviceId::<Runtime>::get();
		pallet_devices::NextDeviceId::<Runtime>::put(id.next().expect("few devices so far"));
		pallet_devices::Sites::<Runtime>::mutate(site, |site| {
			site.as_mut().expect("was made above").devices += 1;
		});
		pallet_devices::DeviceByKey::<Runtime>::insert(key, id);
		pallet_devices::ProviderDevices::<Runtime>::insert(provider, id, ());
		pallet_devices::Devices::<Runtime>::insert(
			id,
			pallet_devices::Device {
				provider: provider.clone(),
				site,
				rack: None,
				key,
				lanes,
				memory_mib: 16 * 1024,
				label: Default::default(),
				status: DeviceStatus::Active,
				tier: Some(Tier::T0),
				bond,
				locked_until: None,
			},
		);
		id
	}

	fn matchable_device(provider: &AccountId, key: ed25519::Public) -> DeviceId {
		let id = Self::active_device(provider, key);
		let now = Timestamp::get();

		pallet_attestation::Attestations::<Runtime>::insert(
			id,
			pallet_attestation::Attestation {
				tier: Tier::T0,
				format: EvidenceFormat::DeviceKeyInventory,
				inventory: H256::zero(),
				attested_at: now,
				expires_at: now
					.saturating_add(pallet_attestation::Parameters::<Runtime>::get().validity),
				lapsed: false,
				proved_at: now,
				renewals: 0,
				full_due: false,
				certified_until: Moment::MAX,
				identities: Default::default(),
				tcb: 0,
				model: H256::zero(),
				certificates: Default::default(),
				generation: 0,
				warned: false,
			},
		);

		let slot_millis = pallet_uptime::Parameters::<Runtime>::get().slot_millis;
		let clock = pallet_uptime::Parameters::<Runtime>::get().clock();
		let epoch = clock.epoch_at(now);
		let last = pallet_uptime::ProvedEpoch {
			epoch,
			start: clock.start_of(epoch),
			slot_millis,
			slots: SLOT_MASK,
		};
		pallet_uptime::Records::<Runtime>::insert(
			id,
			pallet_uptime::UptimeRecord {
				last,
				previous: None,
				availability: Some(Availability::new(Fraction::ONE)),
				proved: 60,
				alive_until: now,
				summary: TelemetrySummary::default(),
				telemetry_digest: H256::zero(),
				beat_head: H256::zero(),
			},
		);

		Challenges::enrol_device(RuntimeOrigin::signed(provider.clone()), id)
			.expect("an active device of the provider");
		pallet_challenges::Performances::<Runtime>::insert(
			id,
			Performance {
				cpu: Some(CpuScore {
					steps_per_second_per_lane: 1_000_000,
					lanes: 8,
					measured_at: now,
				}),
				memory: Some(MemoryScore {
					offered_mib: u32::MAX,
					filled_mib: u32::MAX,
					fill_mib_per_second: 1_000,
					read_nanos: 500,
					measured_at: now,
				}),
				..Default::default()
			},
		);

		// The market looks at what an open round of it is about.
		let round = RoundId(u64::MAX.saturating_sub(id.0.into()));
		let parameters = pallet_challenges::Params::<Runtime>::get();
		let offer = pallet_challenges::Offer {
			lanes: 8,
			memory_mib: 16_384,
			accelerator: None,
			storage: None,
		};
		let task = ChallengeTask {
			round,
			device: id,
			seed: H256::zero(),
			work: parameters.work(WorkKind::Cpu, offer, false),
			deadline: Moment::MAX,
		};
		let seat = pallet_challenges::Seat {
			verifier: provider.clone(),
			network: Network::Unknown,
			state: pallet_challenges::SeatState::Empty,
		};
		pallet_challenges::OpenRounds::<Runtime>::insert(id, round);
		pallet_challenges::Rounds::<Runtime>::insert(
			round,
			pallet_challenges::Round {
				task,
				key,
				seats: vec![seat].try_into().expect("one of five"),
				opened_at: now,
				reveal_until: Moment::MAX,
				owner: None,
				opened_in: 0,
				is_asked: false,
				offer,
				proved: Default::default(),
			},
		);

		Energy::on_power(
			id,
			PowerLoad::Lanes,
			PowerReading {
				idle: MilliWatts(40_000),
				loaded: MilliWatts(200_000),
				source: PowerSource::WallMeter,
				error: Ppm::from_percent(2),
			},
		);
		let mut feeders = 0;
		while feeders < pallet_energy::Parameters::<Runtime>::get().min_feeders {
			let feeder: AccountId = account("feeder", feeders.into(), 0);
			// The second device finds them there.
			let _ = Energy::add_feeder(RuntimeOrigin::root(), CURRENCY, feeder.clone());
			Energy::submit_rate(RuntimeOrigin::signed(feeder), CURRENCY, UNIT)
				.expect("is a feeder and says what it said before");
			feeders += 1;
		}
		let tariff = Tariff { currency: CURRENCY, micro_per_kwh: [290_000; HOURS_PER_DAY] };
		Energy::set_tariff(RuntimeOrigin::signed(provider.clone()), Self::site(provider), tariff)
			.expect("its own site, a known currency");
		id
	}

	fn verifier(who: &AccountId) -> DispatchResult {
		if pallet_challenges::Verifiers::<Runtime>::contains_key(who) {
			return Ok(());
		}
		let bond = pallet_challenges::Params::<Runtime>::get().verifier_bond;
		Balances::mint_into(who, bond.saturating_add(UNIT))?;
		Challenges::register_verifier(RuntimeOrigin::signed(who.clone()), Default::default())
	}
}

impl BenchmarkClock for Helper {
	fn set_now(now: Moment) {
		pallet_timestamp::Now::<Runtime>::put(now);
	}
}
