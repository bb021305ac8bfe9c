//! The genesis of each known kind of network, as patches of the default genesis.
//!
//! | preset | who | lengths |
//! |---|---|---|
//! | `development` | Alice validates alone | short |
//! | `local_testnet` | Alice, Bob and Charlie validate | short |
//! | `production` | no one: a template | production |
//!
//! The development keys are public: whoever runs one of the first two presets where strangers can
//! reach it gives them everything. A production network starts from the template: export it with
//! `armature-node export-chain-spec --chain production`, add `session.keys`, `balances.balances`
//! and `sudo.key`, and publish the raw form of the result.

use crate::{
	adapters::fee_account, AccountId, AttestationConfig, Balance, BalancesConfig, ChallengesConfig,
	DevicesConfig, EnergyConfig, LeasesConfig, MarketConfig, NetworkConfig, RuntimeGenesisConfig,
	SessionConfig, SessionKeys, SudoConfig, UptimeConfig, EXISTENTIAL_DEPOSIT, UNIT,
};
use alloc::{vec, vec::Vec};
use armature_primitives::{energy::CurrencyCode, Moment, Ppm};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// The preset of a network in earnest, without people in it.
pub const PRODUCTION_RUNTIME_PRESET: &str = "production";

/// Slots of a BABE epoch on development networks: one minute.
const SHORT_BABE_EPOCH_SLOTS: u64 = 20;

/// What each well-known account owns on development networks.
const DEV_ENDOWMENT: Balance = 1_000_000 * UNIT;

/// Milliseconds of a minute.
const MINUTE: Moment = 60_000;

/// The session keys that `--alice`, `--bob` and `--charlie` put into a node's keystore.
fn dev_validator(
	account: Sr25519Keyring,
	grandpa: Ed25519Keyring,
) -> (AccountId, AccountId, SessionKeys) {
	let id = account.to_account_id();
	(
		id.clone(),
		id,
		SessionKeys { babe: account.public().into(), grandpa: grandpa.public().into() },
	)
}

/// Who owns what on a development network.
fn dev_balances() -> Vec<(AccountId, Balance)> {
	Sr25519Keyring::well_known()
		.map(|key| (key.to_account_id(), DEV_ENDOWMENT))
		.chain([(fee_account(), EXISTENTIAL_DEPOSIT)])
		.collect()
}

/// Bonds are free within minutes.
fn short_devices() -> pallet_devices::DeviceParameters {
	pallet_devices::DeviceParameters {
		unbonding_period: 10 * MINUTE,
		jail_period: 5 * MINUTE,
		..Default::default()
	}
}

/// An attestation has to be renewed after twenty minutes. A renewal can be disputed for less time than
/// a bond unbonds: what would be slashed is still there.
fn short_attestation() -> pallet_attestation::AttestationParameters {
	pallet_attestation::AttestationParameters {
		validity: 30 * MINUTE,
		renewal_window: 10 * MINUTE,
		nonce_lifetime: 5 * MINUTE,
		grace: 5 * MINUTE,
		dispute_window: 8 * MINUTE,
		..Default::default()
	}
}

/// Epochs of 30 s; suspect after a minute and a half, offline after three minutes.
fn short_uptime() -> pallet_uptime::UptimeParameters {
	pallet_uptime::UptimeParameters {
		slot_millis: 500,
		outage_millis: MINUTE / 2,
		suspect_after: 3,
		offline_after: 6,
		..Default::default()
	}
}

/// In 6 s one owner in twenty is drawn, and all of its devices are challenged with about a second of
/// work, a fiftieth of their memory, or two seconds of data. One verifier is enough for a round,
/// wherever it is.
fn short_challenges() -> pallet_challenges::Parameters {
	pallet_challenges::Parameters {
		round_interval_blocks: 2,
		min_share: Ppm::from_percent(1),
		max_share: Ppm::from_percent(5),
		max_load: Ppm::from_percent(50),
		committee: 1,
		distinct_networks: false,
		window_millis: MINUTE,
		reveal_millis: MINUTE,
		dispute_millis: 6 * MINUTE,
		score_max_age_millis: 60 * MINUTE,
		segments: 250,
		memory_share: Ppm::from_percent(2),
		walk_segments: 4_096,
		max_read_nanos: 1_000_000,
		transfer_lead_millis: 6_000,
		transfer_millis: 1_000,
		transfer_kib: 4_096,
		min_gemm_side: 64,
		sector_blocks: 4_096,
		sector_compressions: 16,
		offer_interval_millis: MINUTE,
		planted_lead_blocks: 3,
		planted_interval_millis: MINUTE,
		maintenance_interval_millis: MINUTE,
		planted_penalty: 100 * UNIT,
		verifier_bond: 1_000 * UNIT,
		verifier_unbonding_millis: 10 * MINUTE,
		..Default::default()
	}
}

/// Windows of ten minutes; a device that earns nothing rests after an hour.
fn short_energy() -> pallet_energy::EnergyParameters {
	pallet_energy::EnergyParameters {
		window_millis: 10 * MINUTE,
		standby_after_millis: 60 * MINUTE,
		standby_retry_millis: 10 * MINUTE,
		..Default::default()
	}
}

/// A batch every other block.
fn short_market() -> pallet_market::Parameters {
	pallet_market::Parameters { batch_blocks: 2, ..Default::default() }
}

/// A minute to accept a result, five to settle a dispute.
fn short_leases() -> pallet_leases::Parameters {
	pallet_leases::Parameters {
		ack_millis: MINUTE / 2,
		start_millis: 2 * MINUTE,
		result_grace_millis: MINUTE,
		accept_millis: MINUTE,
		dispute_millis: 5 * MINUTE,
		..Default::default()
	}
}

/// Who says what a euro costs on a development network: as many as the quorum.
fn dev_feeders() -> Vec<(CurrencyCode, AccountId)> {
	[Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie]
		.map(|key| (CurrencyCode(*b"EUR"), key.to_account_id()))
		.to_vec()
}

/// A network of `validators` with short lengths.
fn dev_genesis(validators: Vec<(AccountId, AccountId, SessionKeys)>) -> Value {
	build_struct_json_patch!(RuntimeGenesisConfig {
		attestation: AttestationConfig {
			parameters: short_attestation(),
			reference_values: Default::default(),
		},
		balances: BalancesConfig { balances: dev_balances() },
		challenges: ChallengesConfig { parameters: short_challenges() },
		devices: DevicesConfig { parameters: short_devices() },
		energy: EnergyConfig { feeders: dev_feeders(), parameters: short_energy() },
		leases: LeasesConfig { parameters: short_leases() },
		market: MarketConfig { parameters: short_market() },
		network: NetworkConfig { babe_epoch_slots: SHORT_BABE_EPOCH_SLOTS },
		session: SessionConfig { keys: validators },
		sudo: SudoConfig { key: Some(Sr25519Keyring::Alice.to_account_id()) },
		uptime: UptimeConfig { parameters: short_uptime() },
	})
}

/// One validator.
fn development() -> Value {
	dev_genesis(vec![dev_validator(Sr25519Keyring::Alice, Ed25519Keyring::Alice)])
}

/// Three validators. Finality needs all three of them: more than two thirds have to vote.
fn local_testnet() -> Value {
	dev_genesis(vec![
		dev_validator(Sr25519Keyring::Alice, Ed25519Keyring::Alice),
		dev_validator(Sr25519Keyring::Bob, Ed25519Keyring::Bob),
		dev_validator(Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
	])
}

/// The production lengths are every pallet's defaults. Only the account of the protocol has to
/// exist.
fn production() -> Value {
	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig { balances: vec![(fee_account(), EXISTENTIAL_DEPOSIT)] },
	})
}

/// The preset of this name as a JSON patch.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let patch = match id.as_str() {
		DEV_RUNTIME_PRESET => development(),
		LOCAL_TESTNET_RUNTIME_PRESET => local_testnet(),
		PRODUCTION_RUNTIME_PRESET => production(),
		_ => return None,
	};
	serde_json::to_vec(&patch).ok()
}

/// The names of the presets.
pub fn preset_names() -> Vec<PresetId> {
	[DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET, PRODUCTION_RUNTIME_PRESET]
		.map(PresetId::from)
		.to_vec()
}
