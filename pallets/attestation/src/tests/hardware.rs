//! Evidence of hardware, verified in full.

use super::*;
use armature_verifier::evidence::{report_data, Tee};
use frame_support::{dispatch::GetDispatchInfo, weights::Weight};

fn refused() -> u64 {
	FailedEvidence::<Test>::get()
}

#[test]
fn evidence_of_a_chip_should_attest_and_book_the_hardware() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp(DEVICE, 0));
		let stored = record(DEVICE);
		assert_eq!(stored.tier, Tier::T2);
		assert_eq!(stored.format, EvidenceFormat::SevSnp);
		assert_eq!(stored.identities.to_vec(), vec![chip_id(0)]);
		// VCEK, ASK, ARK.
		assert_eq!(stored.certificates.len(), 3);
		assert_ne!(stored.model, H256::zero());
		assert_eq!(stored.expires_at, START + 10_000);
		assert!(stored.certified_until > stored.expires_at);
		assert_eq!(HardwareOwners::<Test>::get(chip_id(0)), Some(DEVICE));
		assert_eq!(Pallet::<Test>::hardware_owner(chip_id(0)), Some(DEVICE));
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));
		assert_eq!(Trace::get(), vec![Told::Attested(DEVICE, Tier::T2)]);
		assert_eq!(
			last_event(),
			Event::Attested {
				device: DEVICE,
				tier: Tier::T2,
				format: EvidenceFormat::SevSnp,
				expires_at: START + 10_000
			}
		);
		assert_eq!(Nonces::<Test>::get(DEVICE), None);
		assert_eq!(refused(), 0);
	});
}

#[test]
fn every_format_should_attest_at_its_tier() {
	run_with_device(|| {
		for tee in [Tee::Sgx, Tee::Tdx] {
			let stored = StoredCollateral::from_collateral(&made::collateral(tee)).unwrap();
			assert_ok!(AttestationPallet::submit_collateral(signed(STRANGER), stored));
		}
		type Make = fn(&[u8; 32]) -> armature_primitives::evidence::PlatformEvidence;
		let cases: [(Make, EvidenceFormat, Tier, usize); 7] = [
			(made::snp, EvidenceFormat::SevSnp, Tier::T2, 1),
			(made::tdx, EvidenceFormat::Tdx, Tier::T2, 1),
			(made::sgx, EvidenceFormat::Sgx, Tier::T1, 1),
			(made::tpm, EvidenceFormat::Tpm, Tier::T0, 0),
			(made::azure, EvidenceFormat::AzureSnpVtpm, Tier::T0, 0),
			(made::android, EvidenceFormat::AndroidKey, Tier::T0, 0),
			(made::nitro, EvidenceFormat::NitroEnclave, Tier::T0, 0),
		];
		for (at, (make, format, tier, identities)) in (20..).zip(cases) {
			let device = DeviceId(at);
			add_device(device, DeviceStatus::Registered);
			assert_ok!(request(device));
			submit(device, hardware(device, make(&report_data(&context(device))), Vec::new()));
			let stored = record(device);
			assert_eq!((stored.format, stored.tier), (format, tier));
			assert_eq!(stored.identities.len(), identities, "{format:?}");
			// SGX and TDX of one made platform would be one box.
			assert_ok!(AttestationPallet::revoke(RuntimeOrigin::root(), device));
		}
		assert_eq!(refused(), 0);
	});
}

#[test]
fn gpus_should_raise_the_tier_and_be_booked() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[0, 1]));
		let first = record(DEVICE);
		assert_eq!((first.tier, first.identities.len()), (Tier::T3, 3));
		for id in &first.identities {
			assert_eq!(HardwareOwners::<Test>::get(id), Some(DEVICE));
		}

		// One GPU is taken out, another put in.
		advance(7_000);
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[1, 2]));
		let second = record(DEVICE);
		assert_eq!(second.identities.len(), 3);
		// They are in rising order, whichever slot they are in.
		let (gone, added): (Vec<_>, Vec<_>) = (
			first.identities.iter().filter(|id| !second.identities.contains(id)).collect(),
			second.identities.iter().filter(|id| !first.identities.contains(id)).collect(),
		);
		assert_eq!((gone.len(), added.len()), (1, 1));
		assert_eq!(HardwareOwners::<Test>::get(gone[0]), None);
		assert_eq!(HardwareOwners::<Test>::get(added[0]), Some(DEVICE));

		// The GPU that is still in cannot vouch for another box.
		assert_ok!(request(OTHER));
		submit(OTHER, snp_with_gpus(OTHER, 1, &[2]));
		assert_eq!(last_refusal(), Error::HardwareInUse.into());
		submit(OTHER, snp_with_gpus(OTHER, 1, &[0]));
		assert_eq!(record(OTHER).tier, Tier::T3);
	});
}

#[test]
fn refused_evidence_should_be_counted_and_leave_the_nonce() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let issued = Nonces::<Test>::get(DEVICE);
		let paid = submit(DEVICE, forged_snp(DEVICE, 0)).actual_weight;
		// All of the verification, and no lease that would have ended.
		assert_eq!(paid, Some(<() as WeightInfo>::submit_sev_snp()));
		let mismatch = failure(CheckKind::Nonce, 0, FaultKind::Mismatch);
		assert_eq!(last_event(), Event::EvidenceRefused { device: DEVICE, error: mismatch });
		assert_eq!(refused(), 1);

		let debugged = made::snp_with_debug(&report_data(&context(DEVICE)));
		submit(DEVICE, hardware(DEVICE, debugged, Vec::new()));
		assert_eq!(last_refusal(), failure(CheckKind::Debug, 0, FaultKind::NotAccepted));
		assert_eq!(refused(), 2);

		assert_eq!(Attestations::<Test>::get(DEVICE), None);
		assert_eq!(Nonces::<Test>::get(DEVICE), issued);
		assert_eq!(Trace::get(), vec![]);
		submit(DEVICE, snp(DEVICE, 0));
		assert_eq!(record(DEVICE).tier, Tier::T2);
		assert_eq!(refused(), 2);
	});
}

#[test]
fn a_failing_gpu_should_be_named() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let data = report_data(&context(DEVICE));
		let gpus = vec![made::gpu(&[1; 32], 0)];
		submit(DEVICE, hardware(DEVICE, made::snp(&data), gpus.clone()));
		assert_eq!(last_refusal(), failure(CheckKind::Nonce, 0x10, FaultKind::Mismatch));
		// What could never count is told before any signature of the hardware is verified.
		assert_noop!(
			submit_as(PROVIDER, DEVICE, hardware(DEVICE, made::tpm(&data), gpus)),
			Error::GpuWithoutConfidentialPlatform
		);
		assert_eq!(refused(), 1);
	});
}

#[test]
fn a_broken_statement_should_be_an_error_and_not_counted() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let mut bytes = snp(DEVICE, 0).to_vec();
		bytes[1] ^= 1;
		let bad = EvidenceBytes::try_from(bytes).unwrap();
		assert_noop!(submit_as(PROVIDER, DEVICE, bad), Error::NonceMismatch);
		let whole = snp(DEVICE, 0);
		let short = EvidenceBytes::try_from(whole[..whole.len() - 1].to_vec()).unwrap();
		assert_noop!(submit_as(PROVIDER, DEVICE, short), Error::MalformedEvidence);
		assert_eq!(refused(), 0);
	});
}

#[test]
fn hardware_should_vouch_for_one_device_until_its_record_is_gone() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		assert_ok!(request(OTHER));
		submit(OTHER, snp(OTHER, 0));
		assert_eq!(last_refusal(), Error::HardwareInUse.into());
		assert_eq!(Attestations::<Test>::get(OTHER), None);
		assert_ok!(AttestationPallet::revoke(RuntimeOrigin::root(), DEVICE));
		submit(OTHER, snp(OTHER, 0));
		assert_eq!(HardwareOwners::<Test>::get(chip_id(0)), Some(OTHER));
	});
}

#[test]
fn a_device_should_keep_its_platform_while_its_record_exists() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		advance(10_000);
		sweep_blocks(2);
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp(DEVICE, 1));
		assert_eq!(last_refusal(), Error::IdentityChanged.into());
		// To say nothing of the platform would release it.
		submit(DEVICE, evidence(DEVICE));
		assert_eq!(last_refusal(), Error::IdentityChanged.into());
		assert_eq!(refused(), 2);
		assert_eq!(HardwareOwners::<Test>::get(chip_id(1)), None);

		advance(1_500);
		sweep_blocks(2);
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp(DEVICE, 1));
		assert_eq!(record(DEVICE).identities.to_vec(), vec![chip_id(1)]);
	});
}

#[test]
fn hardware_should_take_the_place_of_an_inventory() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		advance(7_000);
		attest_snp(DEVICE, 0);
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));
	});
}

#[test]
fn an_attestation_should_end_with_its_certificates() {
	run_with_device(|| {
		let long = AttestationParameters { validity: MAX_VALIDITY, ..parameters() };
		assert_ok!(AttestationPallet::set_parameters(RuntimeOrigin::root(), long));
		store_collateral();
		assert_ok!(request(DEVICE));
		submit(DEVICE, tdx(DEVICE));
		let stored = record(DEVICE);
		let key = *CollateralDirectory::<Test>::get().keys().next().unwrap();
		let entry = Pallet::<Test>::collateral(key).unwrap();
		assert!(entry.until < START + MAX_VALIDITY);
		assert_eq!(stored.certified_until, entry.until);
		assert_eq!(stored.expires_at, entry.until);
		// Nothing would be gained by a renewal.
		Now::set(entry.until - 1);
		assert_ok!(request(DEVICE));
		assert!(Nonces::<Test>::get(DEVICE).unwrap().full);
	});
}

#[test]
fn a_quote_should_need_collateral_that_holds() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		assert_noop!(submit_as(PROVIDER, DEVICE, tdx(DEVICE)), Error::CollateralMissing);
		store_collateral();
		submit(DEVICE, tdx(DEVICE));
		assert_eq!(record(DEVICE).format, EvidenceFormat::Tdx);

		let until = CollateralDirectory::<Test>::get().values().next().unwrap().until;
		Now::set(until);
		assert_ok!(request(DEVICE));
		assert_noop!(submit_as(PROVIDER, DEVICE, tdx(DEVICE)), Error::CollateralMissing);
	});
}

#[test]
fn known_issuers_should_be_remembered_and_lower_what_is_paid() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let paid = submit(DEVICE, snp(DEVICE, 0)).actual_weight;
		assert_eq!(paid, Some(<() as WeightInfo>::submit_sev_snp()));
		// The ASK. The ARK is pinned.
		assert_eq!(KnownIssuers::<Test>::get().len(), 1);
		assert_ok!(request(OTHER));
		let paid = submit(OTHER, snp(OTHER, 1)).actual_weight;
		assert_eq!(paid, Some(<() as WeightInfo>::submit_sev_snp_known()));
		assert_eq!(KnownIssuers::<Test>::get().len(), 1);
	});
}

#[test]
fn known_collateral_should_count_until_the_reference_values_change() {
	run_with_device(|| {
		store_collateral();
		let tdx_paid = |device| {
			assert_ok!(request(device));
			submit(device, tdx(device)).actual_weight
		};
		let known = Some(<() as WeightInfo>::submit_tdx_known());
		let in_full = Some(<() as WeightInfo>::submit_tdx());
		// Its signers are no issuers that the chain knows.
		assert_eq!(tdx_paid(DEVICE), in_full);
		advance(7_000);
		assert_eq!(tdx_paid(DEVICE), known);

		let values = References::<Test>::get();
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		advance(7_000);
		assert_eq!(tdx_paid(DEVICE), in_full);
		advance(7_000);
		assert_eq!(tdx_paid(DEVICE), known);
	});
}

#[test]
fn evidence_of_a_lower_tier_should_reach_the_leases() {
	run_with_device(|| {
		let lost = || Trace::take().contains(&Told::TierLost(DEVICE, Tier::T2));
		// With these GPUs of chip 0's box.
		let attest = |gpus: &[u8]| {
			assert_ok!(request(DEVICE));
			let evidence =
				if gpus.is_empty() { snp(DEVICE, 0) } else { snp_with_gpus(DEVICE, 0, gpus) };
			submit(DEVICE, evidence).actual_weight.unwrap()
		};
		attest(&[0]);
		assert!(!lost());
		advance(7_000);
		attest(&[1]);
		assert!(!lost(), "other GPUs give the same tier");
		advance(7_000);
		let paid = attest(&[]);
		assert!(lost());
		let known = <() as WeightInfo>::submit_sev_snp_known();
		assert_eq!(paid, known.saturating_add(LeaseEndWeight::get()));
		advance(7_000);
		assert_eq!(attest(&[]), known);
		assert!(!lost());
		advance(7_000);
		attest(&[0]);
		assert!(!lost(), "a higher tier takes nothing away");
	});
}

#[test]
fn room_for_issuers_should_be_made_by_the_ended_then_by_the_oldest() {
	run_with_device(|| {
		let filler = |at: u32, until| {
			let mut sha256 = [0xee; 32];
			sha256[..4].copy_from_slice(&at.to_le_bytes());
			KnownIssuer { sha256, until }
		};
		let mut full: Vec<_> = (0..MAX_KNOWN_ISSUERS).map(|at| filler(at, u64::MAX)).collect();
		full[5] = filler(5, START - 1);
		KnownIssuers::<Test>::put(frame_support::BoundedVec::truncate_from(full));
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[0]));
		let kept = KnownIssuers::<Test>::get();
		assert_eq!(kept.len() as u32, MAX_KNOWN_ISSUERS);
		// Three came (AMD's one, NVIDIA's two), one had ended, the two oldest went.
		assert!(!kept.contains(&filler(5, START - 1)));
		assert!(!kept.contains(&filler(0, u64::MAX)));
		assert!(!kept.contains(&filler(1, u64::MAX)));
		assert!(kept.contains(&filler(2, u64::MAX)));
	});
}

#[test]
fn cheap_errors_should_cost_less_than_a_verification() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let bytes = snp(DEVICE, 0);
		let call = Call::<Test>::submit_evidence { device: DEVICE, evidence: bytes.clone() };
		let announced: Weight = call.get_dispatch_info().call_weight;
		advance(500);
		let failed = AttestationPallet::submit_evidence(signed(PROVIDER), DEVICE, bytes.clone())
			.unwrap_err();
		assert_eq!(failed.error, Error::NonceExpired.into());
		let paid = failed.post_info.actual_weight.unwrap();
		assert_eq!(paid, <() as WeightInfo>::renew(bytes.len() as u32));
		assert!(paid.all_lt(announced));
	});
}
