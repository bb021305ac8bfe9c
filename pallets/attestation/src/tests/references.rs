//! Reference values and collateral.

use super::*;
use armature_verifier::evidence::{
	hardware::{
		dcap::IssueDates,
		policy::{HexBytes, Policy, SnpTcbFloor},
	},
	Tee,
};
use codec::{Encode, MaxEncodedLen};
use frame_support::BoundedVec;

fn made_collateral() -> StoredCollateral {
	StoredCollateral::from_collateral(&made::collateral(Tee::Tdx)).unwrap()
}

fn store(collateral: StoredCollateral) -> DispatchResult {
	AttestationPallet::submit_collateral(signed(STRANGER), collateral)
}

#[test]
fn default_reference_values_should_be_the_default_policy() {
	assert_eq!(ReferenceValues::default().to_policy(), Policy::default());
	assert_eq!(ReferenceValues::from_policy(&Policy::default()), Some(ReferenceValues::default()));
	assert!(ReferenceValues::default().validate());
}

#[test]
fn reference_values_should_say_all_that_a_policy_says() {
	let hex = |bytes: &[u8]| HexBytes(bytes.to_vec());
	let policy = Policy {
		allow_debug: true,
		allow_vlek: true,
		allow_uncertified_tpm: true,
		allow_migration_agent: true,
		max_vmpl: 2,
		min_snp_tcb: [("Genoa", 1), ("Milan", 2), ("Turin", 3)]
			.map(|(name, snp)| (name.into(), SnpTcbFloor { snp, ..Default::default() }))
			.into(),
		tcb_statuses: Vec::new(),
		min_android_patch: 202_601,
		pcrs: [(0, vec![hex(&[1; 32])]), (7, vec![hex(&[2; 32]), hex(&[3; 32])])].into(),
		..made::policy()
	};
	let values = ReferenceValues::from_policy(&policy).unwrap();
	assert!(values.validate());
	assert_eq!(values.to_policy(), policy);
	assert!(values.encode().len() <= ReferenceValues::max_encoded_len());
}

#[test]
fn policies_that_do_not_fit_should_not_become_reference_values() {
	let hex = |len| HexBytes(vec![1; len]);
	let fits = |change: &dyn Fn(&mut Policy)| {
		let mut policy = Policy::default();
		change(&mut policy);
		ReferenceValues::from_policy(&policy).is_some()
	};
	assert!(fits(&|p| p.measurements = vec![hex(64); 64]));
	assert!(!fits(&|p| p.measurements = vec![hex(65)]));
	assert!(!fits(&|p| p.measurements = vec![hex(1); 65]));
	assert!(fits(&|p| p.pcrs = [(0, vec![hex(1); 4])].into()));
	assert!(!fits(&|p| p.pcrs = [(0, vec![hex(1); 5])].into()));
	assert!(!fits(&|p| p.min_snp_tcb = [("Rome".into(), Default::default())].into()));
	assert!(!fits(&|p| p.revoked_ids = vec![hex(1)]));
	assert!(!fits(&|p| p.revoked_serials = vec![hex(1)]));
}

#[test]
fn set_reference_values_should_begin_a_generation() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let values = ReferenceValues::default();
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values.clone()));
		assert_eq!(last_event(), Event::ReferenceValuesSet { generation: 1 });
		assert_eq!(References::<Test>::get(), values);
		assert_eq!((Generation::<Test>::get(), ReferencesGeneration::<Test>::get()), (1, 1));
		// What was proved before counts to its end.
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));
		// What is proved now is held against them: the made roots are not among them.
		set_status(DEVICE, DeviceStatus::Registered);
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp(DEVICE, 0));
		let DispatchError::Module(module) = last_refusal() else { panic!("no module error") };
		assert_eq!(module.error[1], CheckKind::Root as u8);
	});
}

#[test]
fn ambiguous_reference_values_should_be_refused() {
	use crate::reference_values::{Register, SnpFloor, SnpProduct};
	run(|| {
		let register = |index| Register { index, values: BoundedVec::new() };
		let floor =
			|product| SnpFloor { product, fmc: 0, bootloader: 0, tee: 0, snp: 0, microcode: 0 };
		let cases: [fn(&mut ReferenceValues, Register, SnpFloor); 3] = [
			|v, register, _| v.pcrs = BoundedVec::truncate_from(vec![register; 2]),
			|v, register, _| v.gpu_measurements = BoundedVec::truncate_from(vec![register; 2]),
			|v, _, floor| v.min_snp_tcb = BoundedVec::truncate_from(vec![floor; 2]),
		];
		for spoil in cases {
			let mut values = ReferenceValues::default();
			spoil(&mut values, register(7), floor(SnpProduct::Milan));
			assert_noop!(
				AttestationPallet::set_reference_values(RuntimeOrigin::root(), values),
				Error::InvalidReferenceValues
			);
		}
		let pcrs = BoundedVec::truncate_from(vec![register(1), register(2)]);
		let values = ReferenceValues { pcrs, ..Default::default() };
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
	});
}

#[test]
fn submit_collateral_should_store_what_intel_signed() {
	run(|| {
		assert_ok!(store(made_collateral()));
		let (key, entry) =
			CollateralDirectory::<Test>::get().into_iter().next().expect("one is stored");
		assert_eq!(key.tee, Tee::Tdx);
		assert_eq!(entry.stored_at, START);
		assert!(entry.issued.newest() <= START && START < entry.until);
		assert_eq!(last_event(), Event::CollateralStored { key, entry });
		assert_eq!(Collaterals::<Test>::get(key), Some(made_collateral()));
		assert_eq!(Pallet::<Test>::collateral(key), Some(entry));
	});
}

#[test]
fn stored_collateral_should_be_the_verifiers_again() {
	let made = made::collateral(Tee::Tdx);
	let stored = StoredCollateral::from_collateral(&made).unwrap();
	assert_eq!(stored.to_collateral(), Some(made.clone()));
	let mut odd = made.clone();
	odd.pck_crl.pop();
	assert_eq!(StoredCollateral::from_collateral(&odd), None);
	let mut long = made;
	long.tcb_info = "x".repeat(32_769);
	assert_eq!(StoredCollateral::from_collateral(&long), None);
}

#[test]
fn collateral_should_be_refused_when_it_does_not_hold() {
	run(|| {
		let mut bad = made_collateral();
		bad.tcb_info_signature[0] ^= 1;
		let found = store(bad).unwrap_err();
		let expected = failure(CheckKind::TcbInfoSignature, 0, FaultKind::BadSignature);
		assert_eq!(found, expected);

		let mut bad = made_collateral();
		bad.qe_identity = BoundedVec::truncate_from(vec![0xff]);
		assert_noop!(store(bad), Error::MalformedCollateral);

		let mut values = References::<Test>::get();
		values.roots.intel = BoundedVec::new();
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		let DispatchError::Module(module) = store(made_collateral()).unwrap_err() else {
			panic!("no module error")
		};
		assert_eq!(module.error[1], CheckKind::Root as u8);
		assert_eq!(CollateralDirectory::<Test>::get().len(), 0);
	});
}

#[test]
fn collateral_should_be_refused_when_it_is_not_newer() {
	run(|| {
		assert_ok!(store(made_collateral()));
		assert_noop!(store(made_collateral()), Error::CollateralNotNewer);
	});
	let entry = CollateralEntry {
		tcb_evaluation_data_number: 17,
		qe_evaluation_data_number: 18,
		issued: IssueDates { tcb_info: 1_000, qe_identity: 900, pck_crl: 800, root_crl: 700 },
		until: 2_000,
		stored_at: 1_100,
		references: 0,
	};
	let issued = IssueDates { pck_crl: 801, ..entry.issued };
	let newer = CollateralEntry { issued, ..entry };
	let replaces = |new: CollateralEntry, most| new.replaces(&entry, most);
	assert!(replaces(newer, u32::MAX));
	assert!(!replaces(entry, u32::MAX));
	assert!(!replaces(CollateralEntry { tcb_evaluation_data_number: 16, ..newer }, u32::MAX));
	assert!(!replaces(CollateralEntry { qe_evaluation_data_number: 17, ..newer }, u32::MAX));
	assert!(replaces(CollateralEntry { qe_evaluation_data_number: 19, ..newer }, u32::MAX));
	// A newer TCB info does not bring an older revocation list along.
	let older = IssueDates { tcb_info: 2_000, pck_crl: 799, ..entry.issued };
	assert!(!replaces(CollateralEntry { issued: older, ..entry }, u32::MAX));
	// What is ahead of the reference values may fall back to them.
	let standard = CollateralEntry { qe_evaluation_data_number: 17, ..newer };
	assert!(replaces(standard, 17));
	assert!(!replaces(standard, 18));
}

#[test]
fn room_for_collateral_should_be_made_only_by_one_that_ended() {
	use armature_verifier::evidence::{CollateralKey, PckCaKind};
	run(|| {
		let key = |number: u8| CollateralKey {
			fmspc: [number, 0xff, 0xff, 0xff, 0xff, 0xff],
			tee: Tee::Sgx,
			ca: PckCaKind::Processor,
		};
		let entry = CollateralEntry {
			tcb_evaluation_data_number: 1,
			qe_evaluation_data_number: 1,
			issued: IssueDates { tcb_info: 0, qe_identity: 0, pck_crl: 0, root_crl: 0 },
			until: START + 1,
			stored_at: 0,
			references: 0,
		};
		for number in 0..u8::try_from(MAX_COLLATERALS).unwrap() {
			Collaterals::<Test>::insert(key(number), made_collateral());
			CollateralDirectory::<Test>::mutate(|all| all.try_insert(key(number), entry).unwrap());
		}
		assert_noop!(store(made_collateral()), Error::TooManyCollaterals);
		advance(1);
		assert_ok!(store(made_collateral()));
		assert_eq!(CollateralDirectory::<Test>::get().len() as u32, MAX_COLLATERALS);
		assert!(!Collaterals::<Test>::contains_key(key(0)));
	});
}

#[test]
fn encodings_should_stay() {
	use crate::reference_values::{AndroidLevel, IntelStatus, SnpProduct};
	assert_eq!((SnpProduct::Milan, SnpProduct::Turin).encode(), [0, 2]);
	assert_eq!((IntelStatus::UpToDate, IntelStatus::Revoked).encode(), [0, 6]);
	assert_eq!((AndroidLevel::Software, AndroidLevel::StrongBox).encode(), [0, 2]);
	let found = HardwareFailure {
		check: CheckKind::ReportSignature,
		at: 0x21,
		fault: FaultKind::BadSignature,
	};
	assert_eq!(found.encode(), [8, 0x21, 7]);
}
