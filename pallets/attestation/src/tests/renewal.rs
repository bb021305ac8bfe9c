//! Optimistic renewals, and when they are not allowed.

use super::*;

/// Waits for the window of a fresh record.
fn open_window() {
	advance(7_000);
}

#[test]
fn renew_should_lengthen_the_record_and_keep_the_evidence_disputable() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		open_window();
		let before = record(DEVICE);
		assert_ok!(request(DEVICE));
		let issued = Nonces::<Test>::get(DEVICE).unwrap();
		assert!(!issued.full);
		let bytes = snp(DEVICE, 0);
		assert_ok!(AttestationPallet::renew(signed(OPERATOR), DEVICE, bytes.clone()));
		let expected = Attestation {
			attested_at: START + 7_000,
			expires_at: START + 17_000,
			renewals: 1,
			..before
		};
		assert_eq!(record(DEVICE), expected);
		assert_eq!(
			last_event(),
			Event::Renewed {
				device: DEVICE,
				expires_at: START + 17_000,
				disputable_until: START + 11_000
			}
		);
		assert_eq!(
			Pallet::<Test>::pending_renewal(DEVICE),
			Some(PendingRenewal {
				evidence_hash: H256(sp_io::hashing::blake2_256(&bytes)),
				block: 1,
				nonce: issued.nonce,
				submitted_at: START + 7_000,
				disputable_until: START + 11_000,
				platform: Some(chip_id(0)),
				identities: identities_hash(&[chip_id(0)]),
				references: 0,
			})
		);
		assert_eq!(Nonces::<Test>::get(DEVICE), None);
		assert_eq!(Trace::get(), vec![Told::Attested(DEVICE, Tier::T2); 2]);
	});
}

#[test]
fn the_outlook_should_tell_whether_a_renewal_is_enough() {
	run_with_device(|| {
		let renews =
			|bytes| Pallet::<Test>::evidence_outlook(DEVICE, bytes).map(|outlook| outlook.renews);
		assert_eq!(renews(EvidenceBytes::default()), Err(Error::NoNonce.into()));
		assert_ok!(request(DEVICE));
		assert_eq!(renews(snp_with_gpus(DEVICE, 0, &[0])), Ok(false));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[0]));
		open_window();
		assert_ok!(request(DEVICE));
		assert_eq!(renews(snp_with_gpus(DEVICE, 0, &[0])), Ok(true));
		// It would be verified in full, and be of the same platform; a renewal is of the same parts.
		assert_eq!(renews(snp(DEVICE, 0)), Ok(false));
		assert_eq!(renews(snp(DEVICE, 1)), Err(Error::IdentityChanged.into()));
		let mismatch = failure(CheckKind::Nonce, 0, FaultKind::Mismatch);
		assert_eq!(renews(forged_snp(DEVICE, 0)), Err(mismatch));
		Nonces::<Test>::mutate(DEVICE, |issued| issued.as_mut().unwrap().full = true);
		assert_eq!(renews(snp_with_gpus(DEVICE, 0, &[0])), Ok(false));
		set_status(DEVICE, DeviceStatus::Jailed);
		assert_eq!(renews(snp(DEVICE, 0)), Err(Error::WrongStatus.into()));
		let bytes = snp(DEVICE, 0);
		let registry = Registry::take();
		assert_eq!(renews(bytes), Err(Error::UnknownDevice.into()));
		Registry::set(registry);
	});
}

#[test]
fn renew_should_check_the_statement_only() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		open_window();
		assert_ok!(request(DEVICE));
		let mut bytes = snp(DEVICE, 0).to_vec();
		bytes[1] ^= 1;
		let bad = EvidenceBytes::try_from(bytes).unwrap();
		assert_noop!(AttestationPallet::renew(signed(PROVIDER), DEVICE, bad), Error::NonceMismatch);
		assert_noop!(
			AttestationPallet::renew(signed(PROVIDER), DEVICE, evidence(DEVICE)),
			Error::DifferentFormat
		);
		assert_noop!(
			AttestationPallet::renew(signed(PROVIDER), DEVICE, EvidenceBytes::default()),
			Error::MalformedEvidence
		);
		// What the hardware says is not looked at.
		let forged = forged_snp(DEVICE, 0);
		assert_ok!(AttestationPallet::renew(signed(PROVIDER), DEVICE, forged));
	});
}

#[test]
fn renew_should_fail_when_device_caller_nonce_or_time_is_wrong() {
	run_with_device(|| {
		let empty = EvidenceBytes::default;
		let renew = |who, device, bytes| AttestationPallet::renew(signed(who), device, bytes);
		assert_noop!(renew(PROVIDER, DeviceId(99), empty()), Error::UnknownDevice);
		assert_noop!(renew(STRANGER, DEVICE, empty()), Error::NotOperator);
		assert_noop!(renew(PROVIDER, DEVICE, empty()), Error::NotRenewable);
		attest_snp(DEVICE, 0);
		set_status(DEVICE, DeviceStatus::Jailed);
		assert_noop!(renew(PROVIDER, DEVICE, empty()), Error::WrongStatus);
		set_status(DEVICE, DeviceStatus::Active);
		advance(6_999);
		assert_ok!(request(DEVICE));
		assert_noop!(renew(PROVIDER, DEVICE, snp(DEVICE, 0)), Error::TooEarly);
		let bytes = snp(DEVICE, 0);
		advance(500);
		assert_noop!(renew(PROVIDER, DEVICE, bytes), Error::NonceExpired);
		sweep_blocks(2);
		assert_noop!(renew(PROVIDER, DEVICE, empty()), Error::NoNonce);
		assert_ok!(request(DEVICE));
		assert_ok!(renew(PROVIDER, DEVICE, snp(DEVICE, 0)));
	});
}

#[test]
fn an_inventory_and_an_ended_attestation_should_not_be_renewable() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		attest_snp(OTHER, 0);
		open_window();
		assert_ok!(request(DEVICE));
		let renew = |device, bytes| AttestationPallet::renew(signed(PROVIDER), device, bytes);
		assert_noop!(renew(DEVICE, evidence(DEVICE)), Error::NotRenewable);
		advance(3_000);
		assert_ok!(request(OTHER));
		assert_noop!(renew(OTHER, snp(OTHER, 0)), Error::NotRenewable);
	});
}

#[test]
fn renewals_in_a_row_should_be_bounded() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		for _ in 0..2 {
			open_window();
			assert_ok!(renew_with(DEVICE, |device| snp(device, 0)));
		}
		open_window();
		assert_ok!(request(DEVICE));
		assert!(Nonces::<Test>::get(DEVICE).unwrap().full);
		assert_noop!(
			AttestationPallet::renew(signed(PROVIDER), DEVICE, snp(DEVICE, 0)),
			Error::FullEvidenceNeeded
		);
		submit(DEVICE, snp(DEVICE, 0));
		assert_eq!((record(DEVICE).renewals, record(DEVICE).proved_at), (0, Now::get()));
		open_window();
		assert_ok!(renew_with(DEVICE, |device| snp(device, 0)));
	});
}

/// Draws the device's nonce for a full verification, or not.
fn set_rate(full_check_every: u32) {
	let new = AttestationParameters { full_check_every, ..parameters() };
	assert_ok!(AttestationPallet::set_parameters(RuntimeOrigin::root(), new));
}

#[test]
fn a_full_check_once_drawn_should_stay_until_it_is_passed() {
	// The unused nonce is replaced, or swept and asked for anew.
	for swept in [false, true] {
		run_with_device(|| {
			attest_snp(DEVICE, 0);
			open_window();
			assert_ok!(request(DEVICE));
			let issued = Nonces::<Test>::get(DEVICE).unwrap();
			assert!(!issued.full && !record(DEVICE).full_due);
			set_rate(1);
			let renew = || AttestationPallet::renew(signed(PROVIDER), DEVICE, snp(DEVICE, 0));
			assert_eq!(renew(), Err(Error::FullEvidenceNeeded.into()));
			advance(500);
			if swept {
				sweep_blocks(3);
				assert_eq!(Nonces::<Test>::get(DEVICE), None);
				assert!(record(DEVICE).full_due);
			}
			// From now on hardly any draw asks for all.
			let late = || set_rate(u32::MAX);
			if swept {
				late();
			}
			assert_ok!(request(DEVICE));
			late();
			assert!(Nonces::<Test>::get(DEVICE).unwrap().full);
			assert_eq!(renew(), Err(Error::FullEvidenceNeeded.into()));
			submit(DEVICE, snp(DEVICE, 0));
			assert!(!record(DEVICE).full_due);
		});
	}
}

#[test]
fn a_nonce_that_was_not_drawn_should_leave_nothing_behind() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		open_window();
		assert_ok!(request(DEVICE));
		advance(500);
		sweep_blocks(3);
		assert_ok!(request(DEVICE));
		assert!(!Nonces::<Test>::get(DEVICE).unwrap().full && !record(DEVICE).full_due);
	});
}

#[test]
fn a_draw_should_wait_for_the_block_after_the_request() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		open_window();
		System::set_block_number(7);
		assert_ok!(request(DEVICE));
		let renew = || AttestationPallet::renew(signed(PROVIDER), DEVICE, snp(DEVICE, 0));
		assert_noop!(renew(), Error::FullEvidenceNeeded);
		System::set_block_number(8);
		frame_system::BlockHash::<Test>::insert(7, H256([0xcc; 32]));
		assert_ok!(renew());
		assert_eq!(Pallet::<Test>::pending_renewal(DEVICE).unwrap().block, 8);
	});
}

#[test]
fn full_checks_should_be_drawn_at_their_rate() {
	run_with_device(|| {
		set_rate(4);
		let drawn = (0..400u64)
			.filter(|number| {
				let hash = H256(sp_io::hashing::blake2_256(&number.to_le_bytes()));
				frame_system::BlockHash::<Test>::insert(number + 1, hash);
				let nonce = H256([5; 32]);
				let issued = IssuedNonce { nonce, expires_at: 0, full: false, block: number + 1 };
				!Pallet::<Test>::renewable_nonce(&issued)
			})
			.count();
		// 100 are expected; the deviation is 8.7.
		assert!((60..140).contains(&drawn), "{drawn}");
	});
}

#[test]
fn a_renewal_that_is_open_to_dispute_should_not_be_covered_by_another() {
	run_with_device(|| {
		let long = AttestationParameters { dispute_window: 8_000, ..parameters() };
		assert_ok!(AttestationPallet::set_parameters(RuntimeOrigin::root(), long));
		attest_snp(DEVICE, 0);
		open_window();
		assert_ok!(renew_with(DEVICE, |device| snp(device, 0)));
		let pending = Pallet::<Test>::pending_renewal(DEVICE);
		open_window();
		assert_ok!(request(DEVICE));
		assert_noop!(
			AttestationPallet::renew(signed(PROVIDER), DEVICE, snp(DEVICE, 0)),
			Error::FullEvidenceNeeded
		);
		submit(DEVICE, snp(DEVICE, 0));
		// A full verification does not cover it either.
		assert_eq!(Pallet::<Test>::pending_renewal(DEVICE), pending);
	});
}

#[test]
fn a_record_of_older_reference_values_should_not_be_renewed() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		open_window();
		assert_ok!(request(DEVICE));
		assert!(!Nonces::<Test>::get(DEVICE).unwrap().full);
		let values = References::<Test>::get();
		assert_ok!(AttestationPallet::set_reference_values(RuntimeOrigin::root(), values));
		let renew = || AttestationPallet::renew(signed(PROVIDER), DEVICE, snp(DEVICE, 0));
		assert_noop!(renew(), Error::FullEvidenceNeeded);
		// The sweep brings the record up, and still asks for all.
		sweep_blocks(2);
		assert_eq!(record(DEVICE).generation, 1);
		assert!(record(DEVICE).full_due);
		assert_noop!(renew(), Error::FullEvidenceNeeded);
		submit(DEVICE, snp(DEVICE, 0));
		open_window();
		assert_ok!(renew_with(DEVICE, |device| snp(device, 0)));
	});
}

#[test]
fn a_renewed_quote_should_need_its_collateral() {
	run_with_device(|| {
		store_collateral();
		assert_ok!(request(DEVICE));
		submit(DEVICE, tdx(DEVICE));
		open_window();
		assert_ok!(request(DEVICE));
		let entries = CollateralDirectory::<Test>::take();
		let renew = || AttestationPallet::renew(signed(PROVIDER), DEVICE, tdx(DEVICE));
		assert_noop!(renew(), Error::CollateralMissing);
		CollateralDirectory::<Test>::put(entries);
		assert_ok!(renew());
	});
}

#[test]
fn a_renewed_record_should_be_announced_again() {
	run_with_device(|| {
		attest_snp(DEVICE, 0);
		open_window();
		sweep_blocks(2);
		assert!(record(DEVICE).warned);
		assert_ok!(renew_with(DEVICE, |device| snp(device, 0)));
		assert!(!record(DEVICE).warned);
	});
}
