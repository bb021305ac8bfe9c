//! Disputes of renewals.

use super::*;
use armature_primitives::evidence::PlatformEvidence;
use frame_support::dispatch::Pays;

/// Renews a fresh record with this evidence and returns it.
fn renewed(evidence: impl FnOnce(DeviceId) -> EvidenceBytes) -> EvidenceBytes {
	advance(7_000);
	assert_ok!(request(DEVICE));
	let bytes = evidence(DEVICE);
	assert_ok!(AttestationPallet::renew(signed(PROVIDER), DEVICE, bytes.clone()));
	Trace::set(Vec::new());
	bytes
}

/// Disputes, and checks that it comes to what was foretold.
fn dispute(bytes: EvidenceBytes) -> Pays {
	let expected = expected(bytes.clone()).unwrap();
	let pays = AttestationPallet::dispute_renewal(signed(STRANGER), DEVICE, bytes)
		.unwrap()
		.pays_fee;
	let outcome = match last_event() {
		Event::RenewalUpheld { .. } => DisputeOutcome::Upheld,
		Event::RenewalRefuted { error, slashed, .. } => {
			DisputeOutcome::Refuted { error, forged: slashed > 0 }
		},
		Event::RenewalOutdated { error, .. } => DisputeOutcome::Outdated { error },
		other => panic!("{other:?}"),
	};
	assert_eq!(outcome, expected);
	pays
}

fn expected(bytes: EvidenceBytes) -> Result<DisputeOutcome, DispatchError> {
	Pallet::<Test>::expected_dispute_outcome(DEVICE, bytes)
}

const LOST: [Told; 2] = [Told::Lost(DEVICE), Told::LeasesLost(DEVICE)];
const SLASH: Told = Told::Slashed(DEVICE, Ppm(250_000));

fn last_refutation() -> (DispatchError, u128) {
	match last_event() {
		Event::RenewalRefuted { device: DEVICE, error, slashed } => (error, slashed),
		other => panic!("{other:?}"),
	}
}

#[test]
fn a_good_renewal_should_be_upheld_and_the_dispute_be_paid() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| snp(device, 0));
		let before = record(DEVICE);
		advance(3_999);
		assert_eq!(dispute(bytes.clone()), Pays::Yes);
		assert_eq!(last_event(), Event::RenewalUpheld { device: DEVICE });
		assert_eq!(record(DEVICE), before);
		assert_eq!(Trace::get(), vec![]);
		assert_noop!(dispute_as(STRANGER, DEVICE, bytes), Error::NoPendingRenewal);
	});
}

#[test]
fn a_forged_renewal_should_end_the_attestation_and_be_slashed() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| forged_snp(device, 0));
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));
		assert_eq!(dispute(bytes), Pays::No);
		let mismatch = failure(CheckKind::Nonce, 0, FaultKind::Mismatch);
		assert_eq!(last_refutation(), (mismatch, SLASHED));
		assert_eq!(Trace::get(), [&LOST[..], &[SLASH]].concat());
		assert_eq!(Attestations::<Test>::get(DEVICE), None);
		assert_eq!(HardwareOwners::<Test>::get(chip_id(0)), None);
		assert!(!PendingRenewals::<Test>::contains_key(DEVICE));
		assert_eq!(request(DEVICE), Err(Error::WrongStatus.into()));
	});
}

#[test]
fn a_renewal_by_other_hardware_should_be_slashed() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| snp(device, 1));
		assert_eq!(dispute(bytes), Pays::No);
		assert_eq!(last_refutation(), (Error::IdentityChanged.into(), SLASHED));
	});
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[0]));
		// The same box without its GPU: nothing is forged, but it is not what the record says.
		let bytes = renewed(|device| snp(device, 0));
		dispute(bytes);
		assert_eq!(last_refutation(), (Error::IdentityChanged.into(), 0));
		assert_eq!(Trace::get(), LOST);
	});
}

#[test]
fn a_renewal_that_the_policy_refuses_should_end_without_a_slash() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| {
			let data = armature_verifier::evidence::report_data(&context(device));
			hardware(device, made::snp_with_debug(&data), Vec::new())
		});
		assert_eq!(dispute(bytes), Pays::No);
		assert_eq!(last_refutation(), (failure(CheckKind::Debug, 0, FaultKind::NotAccepted), 0));
		assert_eq!(Trace::get(), LOST);
		assert_eq!(Attestations::<Test>::get(DEVICE), None);
	});
}

#[test]
fn a_revoked_certificate_should_end_a_disputed_renewal_without_a_slash() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let sha256 = record(DEVICE).certificates[0];
		let bytes = renewed(|device| snp(device, 0));
		assert_ok!(AttestationPallet::revoke_certificate(RuntimeOrigin::root(), sha256));
		assert_eq!(dispute(bytes), Pays::No);
		assert_eq!(last_refutation(), (Error::CertificateIsRevoked.into(), 0));
		assert_eq!(Trace::get(), LOST);
	});
}

/// Checks that the last dispute was of a renewal that is outdated, which the device is not made to pay.
fn assert_outdated(check: CheckKind) {
	let Event::RenewalOutdated { device: DEVICE, error: DispatchError::Module(module) } =
		last_event()
	else {
		panic!("{:?}", last_event())
	};
	// Behind the error's index.
	assert_eq!(module.error[1], check as u8);
	assert_eq!(Trace::get(), vec![]);
	assert!(record(DEVICE).full_due);
}

#[test]
fn roots_that_changed_since_should_not_be_held_against_the_device() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| snp(device, 0));
		let mut values = References::<Test>::get();
		values.roots.amd = Default::default();
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		assert_eq!(dispute(bytes), Pays::No);
		let (error, slashed) = last_refutation();
		let DispatchError::Module(module) = error else { panic!("{error:?}") };
		assert_eq!((module.error[1], slashed), (CheckKind::Root as u8, 0));
		// Whom the network trusts no more vouches for nothing.
		assert_eq!(Trace::get(), LOST);
	});
}

#[test]
fn only_what_depends_on_what_changed_should_be_excused() {
	use crate::disputes::is_excused;
	use armature_verifier::evidence::hardware::Check;
	for check in [Check::Debug, Check::Measurement, Check::TcbLevel, Check::TdxModule] {
		assert!(!is_excused(check, true, true), "{check}");
		assert!(is_excused(check, false, true), "{check}");
	}
	// Newer collateral says nothing about a debugger.
	for check in [Check::TcbLevel, Check::TdxModule, Check::PckCrlDates, Check::QeIdentityMatch] {
		assert!(is_excused(check, true, false), "{check}");
	}
	for check in [Check::Debug, Check::Measurement, Check::BoxIdentity] {
		assert!(!is_excused(check, true, false), "{check}");
	}
}

#[test]
fn a_policy_that_changed_since_should_not_be_held_against_the_device() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| snp(device, 0));
		let mut policy = made::policy();
		policy.measurements =
			vec![armature_verifier::evidence::hardware::policy::HexBytes(vec![1; 48])];
		let values = ReferenceValues::from_policy(&policy).unwrap();
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		assert_eq!(dispute(bytes), Pays::Yes);
		assert_outdated(CheckKind::Measurement);
		// It goes on to its end, and is verified in full then.
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));
	});
}

#[test]
fn what_is_excused_should_not_hide_other_gpus() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[0]));
		let bytes = renewed(|device| snp_with_gpus(device, 0, &[1]));
		let mut policy = made::policy();
		policy.measurements =
			vec![armature_verifier::evidence::hardware::policy::HexBytes(vec![1; 48])];
		let values = ReferenceValues::from_policy(&policy).unwrap();
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		assert_eq!(dispute(bytes), Pays::No);
		assert_eq!(last_refutation(), (Error::IdentityChanged.into(), 0));
		assert_eq!(Trace::get(), LOST);
	});
}

#[test]
fn a_forgery_should_be_slashed_whatever_else_fails_or_has_changed() {
	// GPUs without the nonce, behind a platform that the policy refuses.
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[0]));
		let bytes = renewed(|device| {
			let data = armature_verifier::evidence::report_data(&context(device));
			hardware(device, made::snp_with_debug(&data), vec![made::gpu(&[1; 32], 0)])
		});
		assert_eq!(dispute(bytes), Pays::No);
		let mismatch = failure(CheckKind::Nonce, 0x10, FaultKind::Mismatch);
		assert_eq!(last_refutation(), (mismatch, SLASHED));
	});
	// A quote for another nonce; since then collateral and reference values are newer.
	run_with_device(|| {
		store_collateral();
		assert_ok!(request(DEVICE));
		submit(DEVICE, tdx(DEVICE));
		let bytes = renewed(|device| hardware(device, made::tdx(&[1; 32]), Vec::new()));
		CollateralDirectory::<Test>::mutate(|all| {
			for (_, entry) in all.iter_mut() {
				entry.stored_at = Now::get() + 1;
			}
		});
		let mut values = References::<Test>::get();
		values.min_tcb_evaluation_data_number = u32::MAX;
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		assert_eq!(dispute(bytes), Pays::No);
		let mismatch = failure(CheckKind::Nonce, 0, FaultKind::Mismatch);
		assert_eq!(last_refutation(), (mismatch, SLASHED));
	});
	// Bytes that are no report.
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| {
			let PlatformEvidence::SevSnp { leaf, issuers, .. } = made::snp(&[0; 32]) else {
				panic!("no SEV-SNP")
			};
			let report = vec![0xff; 8].try_into().unwrap();
			hardware(device, PlatformEvidence::SevSnp { report, leaf, issuers }, Vec::new())
		});
		assert_eq!(dispute(bytes), Pays::No);
		let (error, slashed) = last_refutation();
		assert!(
			matches!(error, DispatchError::Module(module) if module.error[1] == CheckKind::Layout as u8)
		);
		assert_eq!(slashed, SLASHED);
	});
}

#[test]
fn a_quote_should_be_judged_at_the_instant_of_the_renewal() {
	run_with_device(|| {
		store_collateral();
		assert_ok!(request(DEVICE));
		submit(DEVICE, tdx(DEVICE));
		let bytes = renewed(tdx);
		// At the instant of the dispute the collateral has ended.
		let until = CollateralDirectory::<Test>::get().values().next().unwrap().until;
		PendingRenewals::<Test>::mutate(DEVICE, |pending| {
			pending.as_mut().unwrap().disputable_until = until + 2;
		});
		Now::set(until + 1);
		assert_eq!(dispute(bytes), Pays::Yes);
		assert_eq!(last_event(), Event::RenewalUpheld { device: DEVICE });
	});
}

#[test]
fn collateral_that_is_newer_than_the_renewal_should_be_no_ground_for_a_slash() {
	run_with_device(|| {
		store_collateral();
		assert_ok!(request(DEVICE));
		submit(DEVICE, tdx(DEVICE));
		let bytes = renewed(tdx);
		// The made collateral's own dates begin before; only the entry says otherwise.
		let later = Now::get() + 1;
		CollateralDirectory::<Test>::mutate(|all| {
			for entry in all.iter_mut().map(|(_, entry)| entry) {
				(entry.stored_at, entry.issued.tcb_info) = (later, later);
			}
		});
		let mut values = References::<Test>::get();
		values.min_tcb_evaluation_data_number = u32::MAX;
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		advance(1);
		assert_eq!(dispute(bytes), Pays::Yes);
		assert_outdated(CheckKind::TcbLevel);
	});
}

#[test]
fn dispute_should_fail_when_there_is_nothing_to_dispute() {
	run_with_device(|| {
		let empty = EvidenceBytes::default;
		assert_noop!(dispute_as(STRANGER, DEVICE, empty()), Error::NoPendingRenewal);
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| forged_snp(device, 0));
		assert_noop!(dispute_as(STRANGER, DEVICE, empty()), Error::OtherEvidence);
		let registry = Registry::take();
		assert_noop!(dispute_as(STRANGER, DEVICE, bytes.clone()), Error::UnknownDevice);
		Registry::set(registry);
		advance(4_000);
		assert_eq!(expected(bytes.clone()), Err(Error::DisputeWindowOver.into()));
		assert_noop!(dispute_as(STRANGER, DEVICE, bytes), Error::DisputeWindowOver);
	});
}

#[test]
fn a_dispute_without_collateral_should_wait_for_it() {
	run_with_device(|| {
		store_collateral();
		assert_ok!(request(DEVICE));
		submit(DEVICE, tdx(DEVICE));
		let bytes = renewed(tdx);
		let entries = CollateralDirectory::<Test>::take();
		assert_noop!(dispute_as(STRANGER, DEVICE, bytes.clone()), Error::CollateralMissing);
		CollateralDirectory::<Test>::put(entries);
		assert_ok!(dispute_as(STRANGER, DEVICE, bytes));
	});
}

#[test]
fn a_forgery_should_be_slashed_after_the_attestation_is_gone() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| forged_snp(device, 0));
		assert_ok!(AttestationPallet::revoke(RuntimeOrigin::root(), DEVICE));
		Trace::set(Vec::new());
		assert_eq!(dispute(bytes), Pays::No);
		assert_eq!(Trace::get(), vec![SLASH]);
	});
}

#[test]
fn a_proof_since_should_save_the_attestation_but_not_a_forger() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| forged_snp(device, 0));
		advance(1);
		set_status(DEVICE, DeviceStatus::Registered);
		attest_snp(DEVICE, 0);
		Trace::set(Vec::new());
		dispute(bytes);
		assert_eq!(Trace::get(), [&LOST[..], &[SLASH]].concat());
	});
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		let bytes = renewed(|device| {
			let data = armature_verifier::evidence::report_data(&context(device));
			hardware(device, made::snp_with_debug(&data), Vec::new())
		});
		advance(1);
		set_status(DEVICE, DeviceStatus::Registered);
		attest_snp(DEVICE, 0);
		Trace::set(Vec::new());
		assert_eq!(dispute(bytes), Pays::No);
		assert_eq!(Trace::get(), vec![]);
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));
	});
}
