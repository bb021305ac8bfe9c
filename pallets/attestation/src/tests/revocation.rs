//! Revocation of certificates and hardware.

use super::*;

fn revoke_certificate(sha256: H256) -> DispatchResult {
	AttestationPallet::revoke_certificate(RuntimeOrigin::root(), sha256)
}

fn restore_certificate(sha256: H256) -> DispatchResult {
	AttestationPallet::restore_certificate(RuntimeOrigin::root(), sha256)
}

fn revoke_hardware(id: H256) -> DispatchResult {
	AttestationPallet::revoke_hardware(RuntimeOrigin::root(), id)
}

/// The VCEK of a device's record, and AMD's ASK, which others rest on too.
fn leaf_and_issuer() -> (H256, H256) {
	attest_snp(DEVICE, 0);
	attest_snp(OTHER, 1);
	let others = record(OTHER).certificates;
	let own = record(DEVICE).certificates;
	let leaf = *own.iter().find(|sha256| !others.contains(sha256)).unwrap();
	let issuer = *own.iter().find(|sha256| others.contains(sha256)).unwrap();
	Trace::set(Vec::new());
	(leaf, issuer)
}

#[test]
fn a_revoked_certificate_should_count_at_once_and_end_records_by_the_sweep() {
	run_with_device(|| {
		let (leaf, _) = leaf_and_issuer();
		assert_ok!(revoke_certificate(leaf));
		assert_eq!(last_event(), Event::CertificateRevoked { sha256: leaf });
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), None);
		assert_eq!(Pallet::<Test>::tier(OTHER, Now::get()), Some(Tier::T2));
		assert_eq!(Trace::get(), vec![]);

		sweep_blocks(2);
		assert_eq!(Trace::get(), vec![Told::Lost(DEVICE), Told::LeasesLost(DEVICE)]);
		assert_eq!(events().pop(), Some(Event::Revoked { device: DEVICE }));
		assert_eq!(Attestations::<Test>::get(DEVICE), None);
		assert_eq!(HardwareOwners::<Test>::get(chip_id(0)), None);
		// The other record was brought up; nothing asks for a full verification.
		let other = record(OTHER);
		assert_eq!((other.generation, other.full_due), (1, false));

		assert_ok!(request(DEVICE));
		submit(DEVICE, snp(DEVICE, 0));
		assert_eq!(last_refusal(), Error::CertificateIsRevoked.into());
	});
}

#[test]
fn a_revoked_issuer_should_end_all_that_rest_on_it() {
	run_with_device(|| {
		let (_, issuer) = leaf_and_issuer();
		assert_ok!(revoke_certificate(issuer));
		for device in [DEVICE, OTHER] {
			assert_eq!(Pallet::<Test>::tier(device, Now::get()), None);
		}
		sweep_blocks(2);
		assert_eq!(Trace::get().len(), 4);
		assert_eq!(Attestations::<Test>::iter().count(), 0);
	});
}

#[test]
fn an_inventory_should_not_mind_revocations() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		assert_ok!(revoke_certificate(H256([1; 32])));
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T0));
		sweep_blocks(2);
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T0));
	});
}

#[test]
fn a_restored_certificate_should_count_again() {
	run_with_device(|| {
		let (leaf, _) = leaf_and_issuer();
		assert_noop!(restore_certificate(leaf), Error::NotRevoked);
		assert_ok!(revoke_certificate(leaf));
		assert_noop!(revoke_certificate(leaf), Error::AlreadyRevoked);
		sweep_blocks(2);
		assert_ok!(restore_certificate(leaf));
		assert_eq!(last_event(), Event::CertificateRestored { sha256: leaf });
		// What ended stays ended; new evidence counts.
		assert_eq!(Attestations::<Test>::get(DEVICE), None);
		attest_snp(DEVICE, 0);
		// Once more: the record is of the generation of the first time.
		assert_ok!(revoke_certificate(leaf));
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), None);
	});
}

#[test]
fn the_list_of_certificates_should_be_bounded_and_in_order() {
	run(|| {
		let digest = |at: u32| H256(sp_io::hashing::blake2_256(&at.to_le_bytes()));
		for at in 0..MAX_REVOKED_CERTIFICATES {
			assert_ok!(revoke_certificate(digest(at)));
		}
		assert_noop!(revoke_certificate(digest(1_000)), Error::TooManyRevoked);
		assert_noop!(revoke_certificate(digest(3)), Error::AlreadyRevoked);
		assert!(RevokedCertificates::<Test>::get().is_sorted());
		assert_ok!(restore_certificate(digest(3)));
		assert_ok!(revoke_certificate(digest(1_000)));
	});
}

#[test]
fn revoked_hardware_should_end_its_attestation_at_once() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[3]));
		attest_snp(OTHER, 1);
		Trace::set(Vec::new());
		let gpu = record(DEVICE).identities[1];
		assert_ok!(revoke_hardware(gpu));
		assert_eq!(Trace::get(), vec![Told::Lost(DEVICE), Told::LeasesLost(DEVICE)]);
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), None);
		assert_eq!(Pallet::<Test>::tier(OTHER, Now::get()), Some(Tier::T2));
		let told: Vec<_> = events().into_iter().rev().take(2).collect();
		assert_eq!(
			told,
			vec![Event::Revoked { device: DEVICE }, Event::HardwareRevoked { id: gpu }]
		);

		assert_ok!(request(DEVICE));
		submit(DEVICE, snp_with_gpus(DEVICE, 0, &[3]));
		assert_eq!(last_refusal(), Error::HardwareIsRevoked.into());
		// The box without it counts.
		submit(DEVICE, snp(DEVICE, 0));
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T2));
	});
}

#[test]
fn hardware_should_be_restored_and_bounded() {
	run(|| {
		let id = |at: u8| H256([at; 32]);
		let restore = |at| AttestationPallet::restore_hardware(RuntimeOrigin::root(), id(at));
		assert_noop!(restore(0), Error::NotRevoked);
		for at in 0..3 {
			assert_ok!(revoke_hardware(id(at)));
		}
		assert_eq!(last_event(), Event::HardwareRevoked { id: id(2) });
		assert_noop!(revoke_hardware(id(2)), Error::AlreadyRevoked);
		assert_noop!(revoke_hardware(id(3)), Error::TooManyRevoked);
		assert_ok!(restore(1));
		assert_eq!(last_event(), Event::HardwareRestored { id: id(1) });
		assert_ok!(revoke_hardware(id(3)));
	});
}
