//! Wire and storage types are contracts: their bytes are pinned here.

#![allow(
	clippy::print_stdout,
	clippy::unwrap_used,
	reason = "helpers of tests fail and speak as tests do"
)]

use armature_primitives::{
	challenge::{
		ChallengeFailure, GemmChallenge, Measured, StorageChallenge, Verdict, Work, WorkKind,
	},
	device::{DeviceStatus, Tier},
	energy::QuoteError,
	evidence::{
		hardware::{
			GpuReport, PcrValue, PlatformEvidence, TpmOrigin, MAX_CHAIN, MAX_GPUS, MAX_GPU_CHAIN,
		},
		Evidence, EvidenceFormat, Inventory, InventoryStatement, MAX_EVIDENCE_LEN,
	},
	lease::{LeaseOutcome, RunReport, RunStatus},
	location::LocationFinding,
	market::RefusalReason,
	signing::{device_payload, registration_payload, Domain},
	telemetry::{
		Beat, EpochClock, Leaf, PowerReading, PowerSource, TelemetrySummary, SLOTS_PER_EPOCH,
		SLOT_MASK,
	},
	DeviceId, EpochIndex, MilliWatts, Ppm, H256,
};
use codec::{Decode, Encode};
use serde::{
	de::{
		value::{self, StrDeserializer},
		IntoDeserializer,
	},
	Deserialize,
};
use std::num::NonZeroU64;

fn leaf() -> Leaf {
	Leaf {
		device: DeviceId(7),
		epoch: EpochIndex(9),
		slots: 0b101,
		beat_head: H256::repeat_byte(1),
		telemetry_digest: H256::repeat_byte(2),
		summary: TelemetrySummary {
			mean_power: MilliWatts(41_000),
			mean_load: Ppm(250_000),
			max_temperature: 615,
			max_memory: Ppm(500_000),
		},
	}
}

macro_rules! assert_indices {
	($enum:ident: $($variant:ident),+) => {
		for (index, encoded) in [$($enum::$variant.encode()),+].into_iter().enumerate() {
			assert_eq!(encoded, [index as u8], "{}", stringify!($enum));
		}
	};
}

#[test]
fn enums_should_keep_their_indices() {
	assert_indices!(Tier: T0, T1, T2, T3);
	assert_indices!(DeviceStatus: Registered, Attested, Active, Suspect, Draining, Standby, Offline, Jailed, Retired);
	assert_indices!(LeaseOutcome: Completed, NotAcknowledged, NotStarted, NoResult, WorkloadFailed, ProviderDeclined, WrongResult, Unresolved, Cancelled);
	assert_indices!(RunStatus: Success, OutOfFuel, OutOfMemory, OutOfTime, Trapped, OutputTooLarge);
	assert_indices!(LocationFinding: Refuted, Supported, Unknown);
	assert_indices!(WorkKind: Cpu, Memory, Network, Gemm, Storage);
	assert_indices!(ChallengeFailure: NoAnswer, Malformed, BadSignature, BadOpening, WrongResult, BadPower);
	assert_indices!(PowerSource: WallMeter, BoardSensor, PackageCounter, Estimated);
	assert_indices!(QuoteError: UnknownDevice, NoTariff, NoPower, FeedStale, Overflow);
	assert_indices!(EvidenceFormat: DeviceKeyInventory, SevSnp, Tdx, Sgx, Tpm, AzureSnpVtpm, AndroidKey, NitroEnclave);
	assert_eq!(RefusalReason::NoQuote { error: QuoteError::NoTariff }.encode(), [12, 1]);
	assert_eq!(Verdict::Failed { reason: ChallengeFailure::NoAnswer }.encode(), [1, 0]);
}

#[test]
fn kinds_of_work_should_be_called_as_they_are_serialized() {
	for (index, kind) in WorkKind::ALL.into_iter().enumerate() {
		assert_eq!(kind.encode(), [index as u8]);
		let named: StrDeserializer<'_, value::Error> = kind.name().into_deserializer();
		assert_eq!(WorkKind::deserialize(named), Ok(kind));
	}
	let next = [WorkKind::ALL.len() as u8];
	assert!(WorkKind::decode(&mut &next[..]).is_err(), "not all are listed");
}

#[test]
fn leaf_should_encode_to_its_pinned_bytes() {
	let expected = concat!(
		"07000000",
		"0900000000000000",
		"0500000000000000",
		"0101010101010101010101010101010101010101010101010101010101010101",
		"0202020202020202020202020202020202020202020202020202020202020202",
		"28a00000",
		"90d00300",
		"6702",
		"20a10700",
	);
	assert_eq!(hex(&leaf().encode()), expected);
	assert_eq!(Leaf::decode(&mut &leaf().encode()[..]).unwrap(), leaf());
}

#[test]
fn reports_and_readings_should_encode_to_their_pinned_bytes() {
	let report =
		RunReport { status: RunStatus::OutOfFuel, output: H256::zero(), output_len: 1, fuel: 258 };
	assert_eq!(
		hex(&report.encode()),
		format!("01{}01000000000000000201000000000000", "00".repeat(32))
	);
	let power = PowerReading {
		idle: MilliWatts(1),
		loaded: MilliWatts(2),
		source: PowerSource::Estimated,
		error: Ppm(3),
	};
	assert_eq!(hex(&power.encode()), "01000000020000000303000000");
	let way =
		Measured::Network { answer_millis: 1, round_trip_micros: 2, up_kbps: 3, down_kbps: 4 };
	assert_eq!(hex(&way.encode()), "0201000000020000000300000004000000");
	let products = Measured::Gemm { elapsed_millis: 1 };
	assert_eq!(hex(&products.encode()), "0301000000");
	let read = Measured::Storage { answer_millis: 1, read_millis: 2 };
	assert_eq!(hex(&read.encode()), "040100000002000000");
	let products = Work::Gemm(GemmChallenge { side: 1, states: 2 });
	assert_eq!(hex(&products.encode()), "030100000002000000");
	let storage = Work::Storage(StorageChallenge {
		sectors: 1,
		blocks: 2,
		compressions: 3,
		commit_millis: 4,
		read_millis: 5,
	});
	assert_eq!(hex(&storage.encode()), "04010000000200000003000400000005000000");
}

fn statement() -> InventoryStatement {
	InventoryStatement {
		nonce: H256::repeat_byte(3),
		inventory: Inventory {
			cpu_model: b"cpu".to_vec().try_into().unwrap(),
			threads: 2,
			memory_mib: 3,
			storage_mib: 4,
			system: Default::default(),
			agent: Default::default(),
			machine_digest: H256::zero(),
		},
	}
}

fn with_hardware(platform: PlatformEvidence, gpus: Vec<GpuReport>) -> Evidence {
	Evidence::Hardware {
		statement: statement(),
		signature: Default::default(),
		platform,
		gpus: gpus.try_into().unwrap(),
	}
}

/// Bytes in a bounded vector.
fn bounded<B: TryFrom<Vec<u8>>>(bytes: &[u8]) -> B {
	B::try_from(bytes.to_vec()).ok().unwrap()
}

#[test]
fn evidence_should_start_with_its_index_and_the_nonce() {
	let software =
		Evidence::DeviceKeyInventory { statement: statement(), signature: Default::default() };
	let nitro = PlatformEvidence::NitroEnclave { document: Default::default() };
	for (index, evidence) in [(0, software), (1, with_hardware(nitro, Vec::new()))] {
		let bytes = evidence.to_bytes().unwrap();
		assert_eq!(bytes[0], index);
		assert_eq!(bytes[1..33], [3; 32]);
		assert_eq!(Evidence::decode(&mut &bytes[..]).unwrap(), evidence);
	}
}

#[test]
fn platforms_should_encode_to_their_pinned_bytes() {
	let pcrs = || vec![PcrValue { index: 7, value: [9; 32] }].try_into().unwrap();
	let one = vec![bounded(&[5])];
	let pcr = format!("0407{}", "09".repeat(32));
	let snp = PlatformEvidence::SevSnp {
		report: bounded(&[1, 2]),
		leaf: bounded(&[3]),
		issuers: vec![bounded(&[4]), bounded(&[5])].try_into().unwrap(),
	};
	let tdx = PlatformEvidence::Dcap { quote: bounded(&[4, 0, 2, 0, 0x81, 0, 0, 0]) };
	let tpm = |origin| PlatformEvidence::Tpm {
		attest: bounded(&[1]),
		signature: bounded(&[2]),
		pcrs: pcrs(),
		attestation_key: bounded(&[3]),
		origin,
	};
	let azure = PlatformEvidence::AzureSnpVtpm {
		hcl_report: bounded(&[1]),
		vcek: bounded(&[2]),
		issuers: one.clone().try_into().unwrap(),
		attest: bounded(&[3]),
		signature: bounded(&[4]),
		pcrs: pcrs(),
	};
	let chain = || one.clone().try_into().unwrap();
	let cases = [
		(snp, EvidenceFormat::SevSnp, "0008010204030804040405".into()),
		(tdx, EvidenceFormat::Tdx, "01200400020081000000".into()),
		(tpm(TpmOrigin::Unknown), EvidenceFormat::Tpm, format!("0204010402{pcr}040300")),
		(
			tpm(TpmOrigin::Certified(chain())),
			EvidenceFormat::Tpm,
			format!("0204010402{pcr}040301040405"),
		),
		(azure, EvidenceFormat::AzureSnpVtpm, format!("030401040204040504030404{pcr}")),
		(
			PlatformEvidence::AndroidKey { chain: chain() },
			EvidenceFormat::AndroidKey,
			"04040405".into(),
		),
		(
			PlatformEvidence::NitroEnclave { document: bounded(&[1]) },
			EvidenceFormat::NitroEnclave,
			"050401".into(),
		),
	];
	for (platform, format, expected) in cases {
		assert_eq!(hex(&platform.encode()), expected, "{format:?}");
		assert_eq!(platform.format(), Some(format));
		let evidence = with_hardware(platform, Vec::new());
		assert_eq!(evidence.format(), Some(format));
	}
	let sgx = PlatformEvidence::Dcap { quote: bounded(&[3, 0, 2, 0, 0, 0, 0, 0]) };
	assert_eq!(sgx.format(), Some(EvidenceFormat::Sgx));
	for quote in [&[4, 0, 2, 0, 0x82, 0, 0, 0][..], &[4, 0, 2, 0, 0, 0, 0]] {
		assert_eq!(PlatformEvidence::Dcap { quote: bounded(quote) }.format(), None);
	}
	let gpu = GpuReport { report: bounded(&[1]), chain: vec![bounded(&[2])].try_into().unwrap() };
	assert_eq!(hex(&gpu.encode()), "0401040402");
}

#[test]
fn bounds_should_be_kept_when_decoding() {
	let gpu = GpuReport { report: Default::default(), chain: Default::default() };
	let most = usize::try_from(MAX_GPUS).unwrap();
	let nitro = PlatformEvidence::NitroEnclave { document: Default::default() };
	let mut bytes = with_hardware(nitro, vec![gpu.clone(); most]).encode();
	assert!(Evidence::decode(&mut &bytes[..]).is_ok());
	let at = bytes.len() - most * gpu.encode().len() - 1;
	assert_eq!(bytes[at], MAX_GPUS as u8 * 4);
	bytes[at] += 4;
	bytes.extend(gpu.encode());
	assert!(Evidence::decode(&mut &bytes[..]).is_err());
	assert_eq!((MAX_CHAIN, MAX_GPU_CHAIN), (8, 6));
}

#[test]
fn evidence_over_its_bound_should_have_no_wire_form() {
	let gpu = GpuReport {
		report: bounded(&[0; 8_192]),
		chain: vec![bounded(&[0; 4_096]); 2].try_into().unwrap(),
	};
	let nitro = || PlatformEvidence::NitroEnclave { document: Default::default() };
	assert!(with_hardware(nitro(), vec![gpu.clone(); 5]).to_bytes().is_some());
	let over = with_hardware(nitro(), vec![gpu; 6]);
	assert!(over.encode().len() > MAX_EVIDENCE_LEN as usize);
	assert!(over.to_bytes().is_none());
}

#[test]
fn signed_payloads_should_differ_in_every_part() {
	let genesis = H256::repeat_byte(4);
	let base = device_payload(Domain::Leaf, &genesis, DeviceId(1), &leaf());
	assert!(base.starts_with(b"armature/leaf\0"));
	assert_ne!(base, device_payload(Domain::Beat, &genesis, DeviceId(1), &leaf()));
	assert_ne!(base, device_payload(Domain::Leaf, &H256::zero(), DeviceId(1), &leaf()));
	assert_ne!(base, device_payload(Domain::Leaf, &genesis, DeviceId(2), &leaf()));
	assert_ne!(
		registration_payload(&genesis, &[1u8; 32], 0),
		registration_payload(&genesis, &[1u8; 32], 1)
	);
}

#[test]
fn domains_should_not_be_prefixes_of_each_other() {
	let all = [
		Domain::Register,
		Domain::Evidence,
		Domain::Beat,
		Domain::Leaf,
		Domain::ChallengeCommit,
		Domain::BeatAck,
		Domain::Hello,
		Domain::Echo,
	];
	for (i, a) in all.iter().enumerate() {
		for (j, b) in all.iter().enumerate() {
			assert!(i == j || !b.prefix().starts_with(a.prefix()));
		}
	}
}

#[test]
fn beat_chain_should_depend_on_each_of_its_inputs() {
	let beat = Beat {
		device: DeviceId(1),
		epoch: EpochIndex(1),
		slot: 0,
		previous: H256::zero(),
		block_hash: H256::repeat_byte(1),
		telemetry: H256::repeat_byte(2),
		sent_at: 0,
	};
	let head = beat.link();
	assert_ne!(head, Beat { previous: head, ..beat.clone() }.link());
	assert_ne!(head, Beat { block_hash: head, ..beat.clone() }.link());
	assert_ne!(head, Beat { telemetry: head, ..beat }.link());
}

#[test]
fn epoch_clock_should_agree_with_itself_at_the_edges() {
	let clock = EpochClock { slot_millis: NonZeroU64::new(10_000).unwrap() };
	let start = clock.start_of(EpochIndex(5));
	assert_eq!(clock.epoch_millis(), 600_000);
	assert_eq!(clock.epoch_at(start), EpochIndex(5));
	assert_eq!(clock.epoch_at(start - 1), EpochIndex(4));
	assert_eq!(clock.end_of(EpochIndex(4)), start);
	assert_eq!(clock.slot_at(start), 0);
	assert_eq!(u32::from(clock.slot_at(start - 1)), SLOTS_PER_EPOCH - 1);
	assert_eq!(SLOT_MASK.count_ones(), SLOTS_PER_EPOCH);
}

fn hex(bytes: &[u8]) -> String {
	bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
