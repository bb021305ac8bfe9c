//! What makers signed, on chain. Set `ARMATURE_VECTORS` to where the files are.

use super::*;
use armature_primitives::evidence::PlatformEvidence;
use armature_verifier::evidence::{
	hardware::dcap::{pem::certificates, Collateral},
	PckCaKind, Tee,
};
use std::path::{Path, PathBuf};

/// 2025-06-19T11:32:00Z.
const INSTANT: u64 = 1_750_332_720_000;
/// 2025-06-19T10:32:27Z, when the newest part was issued.
const ISSUED: u64 = 1_750_329_147_000;
/// 2025-07-19T10:00:35Z, when the first part ends.
const LAST: u64 = 1_752_919_235_000;

fn vectors() -> Option<PathBuf> {
	let path = std::env::var_os("ARMATURE_VECTORS").map_or_else(
		|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
		PathBuf::from,
	);
	if path.is_dir() {
		Some(path)
	} else {
		println!("skipped: no vectors at {}", path.display());
		None
	}
}

fn read(vectors: &Path, name: &str) -> Vec<u8> {
	let path = vectors.join(name);
	std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a test at an instant with the makers' roots.
fn run_at(now: u64, test: impl FnOnce()) {
	run_with_device(|| {
		Now::set(now);
		References::<Test>::put(ReferenceValues::default());
		test();
	});
}

fn intel(vectors: &Path, name: &str) -> StoredCollateral {
	let collateral = Collateral::from_json(&read(vectors, name)).unwrap();
	StoredCollateral::from_collateral(&collateral).unwrap()
}

#[test]
fn intels_collateral_should_be_stored() {
	let Some(vectors) = vectors() else { return };
	run_at(INSTANT, || {
		let stored = intel(&vectors, "tdx/tdx_quote_collateral.json");
		assert_ok!(AttestationPallet::submit_collateral(signed(STRANGER), stored.clone()));
		let (key, entry) = CollateralDirectory::<Test>::get().into_iter().next().unwrap();
		assert_eq!(key.fmspc, [0xb0, 0xc0, 0x6f, 0, 0, 0]);
		assert_eq!(entry.issued.newest(), ISSUED);
		assert_eq!((key.tee, key.ca), (Tee::Tdx, PckCaKind::Platform));
		assert_eq!(
			entry,
			CollateralEntry {
				tcb_evaluation_data_number: 17,
				qe_evaluation_data_number: 17,
				issued: entry.issued,
				until: LAST + 1,
				stored_at: INSTANT,
				references: 0,
			}
		);
		assert_noop!(
			AttestationPallet::submit_collateral(signed(STRANGER), stored),
			Error::CollateralNotNewer
		);
	});
}

#[test]
fn intels_collateral_should_be_refused_outside_its_dates() {
	let Some(vectors) = vectors() else { return };
	for now in [ISSUED - 1_000, LAST + 1_000] {
		run_at(now, || {
			let stored = intel(&vectors, "tdx/tdx_quote_collateral.json");
			let found = AttestationPallet::submit_collateral(signed(STRANGER), stored);
			assert!(matches!(found, Err(DispatchError::Module(_))), "{found:?}");
			assert_eq!(Collaterals::<Test>::iter().count(), 0);
		});
	}
}

#[test]
fn a_real_quote_should_find_its_collateral_and_fail_by_its_nonce_only() {
	let Some(vectors) = vectors() else { return };
	run_at(INSTANT, || {
		let quote = read(&vectors, "tdx/tdx_quote").try_into().unwrap();
		let platform = PlatformEvidence::Dcap { quote };
		assert_ok!(request(DEVICE));
		let bytes = hardware(DEVICE, platform, Vec::new());
		assert_noop!(submit_as(PROVIDER, DEVICE, bytes.clone()), Error::CollateralMissing);
		let stored = intel(&vectors, "tdx/tdx_quote_collateral.json");
		assert_ok!(AttestationPallet::submit_collateral(signed(STRANGER), stored));
		submit(DEVICE, bytes);
		assert_eq!(last_refusal(), failure(CheckKind::Nonce, 0, FaultKind::Mismatch));
	});
}

#[test]
fn a_real_report_should_fail_by_its_nonce_only() {
	let Some(vectors) = vectors() else { return };
	run_at(INSTANT, || {
		let text = String::from_utf8(read(&vectors, "snp/report_milan.hex")).unwrap();
		let report = armature_verifier::evidence::hardware::policy::from_hex(text.trim()).unwrap();
		let leaf = read(&vectors, "snp/vcek_milan.der");
		let issuers: Vec<_> = ["snp/ask-milan.pem", "snp/ark-milan.pem"]
			.iter()
			.flat_map(|name| certificates(&read(&vectors, name)).unwrap())
			.map(|der| der.try_into().unwrap())
			.collect();
		let platform = PlatformEvidence::SevSnp {
			report: report.try_into().unwrap(),
			leaf: leaf.try_into().unwrap(),
			issuers: issuers.try_into().unwrap(),
		};
		assert_ok!(request(DEVICE));
		submit(DEVICE, hardware(DEVICE, platform, Vec::new()));
		assert_eq!(last_refusal(), failure(CheckKind::Nonce, 0, FaultKind::Mismatch));
	});
}
