//! The runtime as a whole: presets, composition, adapters.

#![allow(
	clippy::print_stdout,
	clippy::unwrap_used,
	reason = "helpers of tests fail and speak as tests do"
)]

use armature_runtime::{
	adapters::{fee_account, BlockRandomness, DisableOffenders, REPORTABLE_SESSIONS},
	genesis_presets::{get_preset, preset_names, PRODUCTION_RUNTIME_PRESET},
	network, AccountId, Babe, Balances, Block, Historical, PalletInfo, Runtime,
	RuntimeGenesisConfig, Session, SessionKeys, System, TxExtension, EXISTENTIAL_DEPOSIT,
};
use codec::Encode;
use frame_support::traits::{
	fungible::Inspect, Hooks, KeyOwnerProofSystem, PalletInfo as _, PalletsInfoAccess, Randomness,
};
use serde_json::Value;
use sp_consensus_babe::{
	digests::{PreDigest, SecondaryPlainPreDigest},
	runtime_decl_for_babe_api::BabeApi,
	BABE_ENGINE_ID,
};
use sp_core::H256;
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::{
	traits::{Header as _, TransactionExtension},
	BuildStorage, Digest, DigestItem, Perbill,
};
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};

/// RFC 7386, as the chain spec does it.
fn merge(target: &mut Value, patch: &Value) {
	match patch {
		Value::Object(fields) => {
			if !target.is_object() {
				*target = Value::Object(Default::default());
			}
			for (key, value) in fields {
				if value.is_null() {
					target.as_object_mut().unwrap().remove(key);
				} else {
					let slot = target.as_object_mut().unwrap().entry(key.clone());
					merge(slot.or_insert(Value::Null), value);
				}
			}
		},
		other => *target = other.clone(),
	}
}

fn genesis(preset: &str) -> RuntimeGenesisConfig {
	let mut json = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	let patch = get_preset(&preset.into()).expect("a known preset");
	merge(&mut json, &serde_json::from_slice(&patch).unwrap());
	serde_json::from_value(json).unwrap()
}

fn ext(preset: &str) -> sp_io::TestExternalities {
	sp_io::TestExternalities::new(genesis(preset).build_storage().unwrap())
}

fn validators(keys: [Sr25519Keyring; 4]) -> sp_io::TestExternalities {
	let mut config = genesis(DEV_RUNTIME_PRESET);
	config.session.keys = keys
		.into_iter()
		.map(|key| {
			let id = key.to_account_id();
			let grandpa = Ed25519Keyring::from_raw_public(
				Ed25519Keyring::iter()
					.find(|grandpa| grandpa.to_string() == key.to_string())
					.unwrap()
					.to_raw_public(),
			);
			let keys = SessionKeys {
				babe: key.public().into(),
				grandpa: grandpa.unwrap().public().into(),
			};
			(id.clone(), id, keys)
		})
		.collect();
	sp_io::TestExternalities::new(config.build_storage().unwrap())
}

/// Starts block `number`, a whole BABE epoch of the development presets after the one before, and
/// runs what rotates sessions.
fn start_block(number: u32) {
	let digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
		authority_index: 1,
		slot: (u64::from(number) * 20).into(),
	});
	System::reset_events();
	System::initialize(
		&number,
		&H256::repeat_byte(7),
		&Digest { logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, digest.encode())] },
	);
	Babe::on_initialize(number);
	Session::on_initialize(number);
}

fn end_block(number: u32) {
	Babe::on_finalize(number);
	System::finalize();
}

#[test]
fn presets_should_be_listed_and_all_build() {
	let names = preset_names();
	assert_eq!(
		names,
		[DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET, PRODUCTION_RUNTIME_PRESET]
	);
	for name in &names {
		ext(name).execute_with(|| {
			assert_eq!(Balances::balance(&fee_account()), EXISTENTIAL_DEPOSIT, "{name}");
		});
	}
	assert!(get_preset(&"unknown".into()).is_none());
}

#[test]
fn default_genesis_should_build_without_people() {
	let storage = RuntimeGenesisConfig::default().build_storage().unwrap();
	sp_io::TestExternalities::new(storage).execute_with(|| {
		assert_eq!(Balances::total_issuance(), 0);
		assert!(Session::validators().is_empty());
	});
}

#[test]
fn development_should_have_one_validator_and_short_lengths() {
	ext(DEV_RUNTIME_PRESET).execute_with(|| {
		assert_eq!(Session::validators(), [Sr25519Keyring::Alice.to_account_id()]);
		assert_eq!(pallet_sudo::Key::<Runtime>::get(), Some(Sr25519Keyring::Alice.to_account_id()));
		assert_eq!(network::BabeEpochSlots::<Runtime>::get(), 20);
		assert_eq!(pallet_uptime::Parameters::<Runtime>::get().slot_millis, 500);
		assert_eq!(pallet_market::Params::<Runtime>::get().batch_blocks, 2);
		assert_eq!(pallet_challenges::Params::<Runtime>::get().round_interval_blocks, 2);
		let endowed = Sr25519Keyring::well_known().count();
		assert_eq!(endowed, 12);
		for key in Sr25519Keyring::well_known() {
			assert!(Balances::balance(&key.to_account_id()) > 0, "{key}");
		}
	});
}

#[test]
fn local_testnet_should_have_three_validators_with_the_keys_of_the_node_flags() {
	ext(LOCAL_TESTNET_RUNTIME_PRESET).execute_with(|| {
		let mut expected = [Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie]
			.map(|key| key.to_account_id());
		expected.sort();
		assert_eq!(Session::validators(), expected);
		let babe: Vec<_> = pallet_babe::Authorities::<Runtime>::get()
			.iter()
			.map(|(id, _)| id.clone())
			.collect();
		assert_eq!(babe.len(), 3);
		for key in [Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie] {
			assert!(babe.contains(&key.public().into()));
		}
		let grandpa = armature_runtime::Grandpa::grandpa_authorities();
		for key in [Ed25519Keyring::Alice, Ed25519Keyring::Bob, Ed25519Keyring::Charlie] {
			assert!(grandpa.contains(&(key.public().into(), 1)));
		}
	});
}

#[test]
fn production_should_have_production_lengths_and_no_development_key() {
	let patch = String::from_utf8(get_preset(&PRODUCTION_RUNTIME_PRESET.into()).unwrap()).unwrap();
	for key in Sr25519Keyring::iter() {
		assert!(!patch.contains(&key.to_account_id().to_string()), "{key}");
	}
	ext(PRODUCTION_RUNTIME_PRESET).execute_with(|| {
		assert!(Session::validators().is_empty());
		assert_eq!(pallet_sudo::Key::<Runtime>::get(), None);
		assert_eq!(Balances::total_issuance(), EXISTENTIAL_DEPOSIT);
		assert_eq!(network::BabeEpochSlots::<Runtime>::get(), network::DEFAULT_BABE_EPOCH_SLOTS);
		assert_eq!(pallet_uptime::Parameters::<Runtime>::get(), Default::default());
		assert_eq!(pallet_leases::Params::<Runtime>::get(), Default::default());
	});
}

#[test]
fn a_bond_should_stay_slashable_while_a_renewal_can_be_disputed() {
	for preset in preset_names() {
		ext(preset.as_ref()).execute_with(|| {
			let window = pallet_attestation::Parameters::<Runtime>::get().dispute_window;
			let bond = pallet_devices::Parameters::<Runtime>::get().unbonding_period;
			assert!(window < bond, "{preset:?}: {window} and {bond}");
		});
	}
}

#[test]
fn a_bond_should_stay_slashable_while_a_fraud_in_a_round_can_be_proved() {
	for preset in preset_names() {
		ext(preset.as_ref()).execute_with(|| {
			let rounds = pallet_challenges::Params::<Runtime>::get();
			let open = rounds.window_millis + rounds.reveal_millis;
			let bond = pallet_devices::Parameters::<Runtime>::get().unbonding_period;
			assert!(open + rounds.dispute_millis < bond, "{preset:?}");
		});
	}
}

#[test]
fn babe_configuration_should_follow_the_genesis_epoch_length() {
	for (preset, slots) in
		[(DEV_RUNTIME_PRESET, 20), (PRODUCTION_RUNTIME_PRESET, network::DEFAULT_BABE_EPOCH_SLOTS)]
	{
		ext(preset).execute_with(|| {
			let config = <Runtime as BabeApi<Block>>::configuration();
			assert_eq!(config.epoch_length, slots, "{preset}");
			assert_eq!(config.slot_duration, 3_000);
			let epoch = <Runtime as BabeApi<Block>>::current_epoch();
			assert_eq!(epoch.duration, slots);
		});
	}
}

#[test]
#[should_panic(expected = "babeEpochSlots")]
fn genesis_should_be_refused_when_the_babe_epoch_is_too_short() {
	let mut config = genesis(DEV_RUNTIME_PRESET);
	config.network.babe_epoch_slots = network::MIN_BABE_EPOCH_SLOTS - 1;
	let _ = config.build_storage();
}

#[test]
fn pallet_indices_should_stay_as_they_are() {
	let expected = [
		(0, "System"),
		(1, "Timestamp"),
		(2, "Babe"),
		(3, "Authorship"),
		(4, "Balances"),
		(5, "TransactionPayment"),
		(6, "Offences"),
		(7, "Historical"),
		(8, "Session"),
		(9, "Grandpa"),
		(10, "Utility"),
		(11, "Sudo"),
		(12, "Network"),
		(20, "Devices"),
		(21, "Attestation"),
		(22, "Uptime"),
		(23, "Challenges"),
		(24, "Energy"),
		(25, "Market"),
		(26, "Leases"),
	];
	let infos = armature_runtime::AllPalletsWithSystem::infos();
	let found: Vec<_> = infos.iter().map(|info| (info.index, info.name)).collect();
	assert_eq!(found, expected);
	assert_eq!(PalletInfo::index::<armature_runtime::Leases>(), Some(26));
}

#[test]
fn extensions_should_stay_in_order() {
	let names: Vec<_> = TxExtension::metadata().into_iter().map(|one| one.identifier).collect();
	assert_eq!(
		names,
		[
			"AuthorizeCall",
			"CheckNonZeroSender",
			"CheckSpecVersion",
			"CheckTxVersion",
			"CheckGenesis",
			"CheckMortality",
			"CheckNonce",
			"CheckWeight",
			"ChargeTransactionPayment",
			"CheckMetadataHash",
			"WeightReclaim",
		]
	);
}

#[test]
fn limits_should_be_those_of_the_design() {
	use frame_support::{dispatch::DispatchClass, traits::Get};
	let weights = <Runtime as frame_system::Config>::BlockWeights::get();
	assert_eq!(weights.max_block.ref_time(), 1_000_000_000_000);
	let normal = weights.get(DispatchClass::Normal).max_total.unwrap();
	assert_eq!(normal.ref_time(), 750_000_000_000);
	let length = <Runtime as frame_system::Config>::BlockLength::get();
	assert_eq!(*length.max.get(DispatchClass::Operational), 5 * 1024 * 1024);
	assert_eq!(*length.max.get(DispatchClass::Normal), 3_932_160);
	assert_eq!(<<Runtime as frame_system::Config>::SS58Prefix as Get<u16>>::get(), 42);
}

#[test]
fn block_randomness_should_be_the_vrf_output_and_never_zero() {
	ext(DEV_RUNTIME_PRESET).execute_with(|| {
		start_block(1);
		let (first, _) = BlockRandomness::random(b"a");
		assert_ne!(first, H256::zero());
		assert_ne!(first, BlockRandomness::random(b"b").0);

		end_block(1);
		pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some([9u8; 32]));
		start_block(2);
		let (random, known_since) = BlockRandomness::random(b"a");
		assert_eq!(known_since, 1);
		assert_ne!(random, first);
		let mut subject = b"a".to_vec();
		subject.extend([9u8; 32]);
		assert_eq!(random, H256(sp_io::hashing::blake2_256(&subject)));
	});
}

/// What is drawn when a block ends is drawn from its own randomness.
#[test]
fn babe_should_finalise_before_rounds_are_drawn() {
	use armature_runtime::AllPalletsWithSystem;
	use frame_support::traits::PalletsInfoAccess;
	let infos = AllPalletsWithSystem::infos();
	let place = |name| infos.iter().position(|info| info.name == name);
	let (babe, challenges) = (place("Babe"), place("Challenges"));
	assert!(babe.is_some() && babe < challenges, "{babe:?} {challenges:?}");

	ext(DEV_RUNTIME_PRESET).execute_with(|| {
		start_block(1);
		let (before, _) = BlockRandomness::random(b"a");
		// As BABE does with the VRF output of a block that has one.
		pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some([9u8; 32]));
		assert_ne!(BlockRandomness::random(b"a").0, before);
	});
}

#[test]
fn validator_set_should_stay_and_be_provable_when_sessions_rotate() {
	ext(LOCAL_TESTNET_RUNTIME_PRESET).execute_with(|| {
		let genesis = Session::validators();
		let last = REPORTABLE_SESSIONS + 6;
		for number in 1..=last {
			start_block(number);
			end_block(number);
		}
		// Block 1 is in the epoch of genesis, each block after it begins one.
		assert_eq!(Session::current_index(), last - 1);
		assert_eq!(Session::validators(), genesis);

		let key = (
			sp_consensus_babe::KEY_TYPE,
			sp_consensus_babe::AuthorityId::from(Sr25519Keyring::Bob.public()),
		);
		let proof = Historical::prove(key.clone()).expect("a validator of this session");
		let (owner, ()) = Historical::check_proof(key, proof).expect("the proof just made");
		assert_eq!(owner, Sr25519Keyring::Bob.to_account_id());

		// Roots of sessions that no one can report any more are gone.
		let stored = pallet_session::historical::HistoricalSessions::<Runtime>::iter().count();
		assert!(stored <= REPORTABLE_SESSIONS as usize + 3, "{stored} roots");
		assert!(stored >= REPORTABLE_SESSIONS as usize, "{stored} roots");
	});
}

fn report(offender: AccountId) {
	DisableOffenders::on_offence(
		&[OffenceDetails { offender: (offender, ()), reporters: vec![] }],
		&[Perbill::from_percent(10)],
		0,
	);
}

#[test]
fn offenders_should_be_disabled_up_to_a_third() {
	let four =
		[Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie, Sr25519Keyring::Dave];
	validators(four).execute_with(|| {
		start_block(1);
		let set = Session::validators();
		report(set[2].clone());
		assert_eq!(Session::disabled_validators(), [2]);
		// Only one of four may be: the later of two equal offences takes the place.
		report(set[0].clone());
		assert_eq!(Session::disabled_validators(), [0]);
		// It lasts over sessions, as the set does not change.
		end_block(1);
		for number in 2..6 {
			start_block(number);
			end_block(number);
		}
		assert_eq!(Session::current_index(), 4);
		assert_eq!(Session::disabled_validators(), [0]);
	});
}

#[test]
fn a_lone_validator_should_never_be_disabled() {
	ext(DEV_RUNTIME_PRESET).execute_with(|| {
		start_block(1);
		report(Sr25519Keyring::Alice.to_account_id());
		assert!(Session::disabled_validators().is_empty());
	});
}

#[test]
fn metadata_should_be_offered_in_all_current_versions() {
	ext(DEV_RUNTIME_PRESET).execute_with(|| {
		assert_eq!(Runtime::metadata_versions(), [14, 15, 16]);
		for version in [14, 15, 16] {
			let metadata = Runtime::metadata_at_version(version).expect("offered");
			assert!(metadata.encode().len() > 10_000);
		}
	});
	// The header type of the node is the runtime's.
	let header = armature_runtime::Header::new(
		1,
		H256::zero(),
		H256::zero(),
		H256::zero(),
		Default::default(),
	);
	assert_eq!(header.number(), &1);
}
