use super::*;
use codec::Encode;
use frame_support::{dispatch::GetDispatchInfo, weights::Weight};
use sp_core::{ed25519, Pair};

#[test]
fn default_parameters_should_be_valid() {
	assert!(AttestationParameters::default().validate());
	assert!(parameters().validate());
}

#[test]
fn parameters_should_be_checked_at_their_bounds() {
	let legal: [fn(&mut AttestationParameters); 10] = [
		|p| p.validity = MAX_VALIDITY,
		|p| p.renewal_window = 10_000,
		|p| p.nonce_lifetime = 10_000,
		|p| (p.grace, p.dispute_window) = (10_000, 10_000),
		|p| p.grace = 0,
		|p| p.max_renewals = 0,
		|p| p.full_check_every = 1,
		|p| p.slash_share = Ppm::ONE,
		|p| p.slash_share = Ppm(1),
		|p| {
			(p.validity, p.renewal_window, p.nonce_lifetime) = (1, 1, 1);
			(p.grace, p.dispute_window) = (1, 1);
		},
	];
	for change in legal {
		let mut parameters = parameters();
		change(&mut parameters);
		assert!(parameters.validate(), "{parameters:?}");
	}
	let bad: [fn(&mut AttestationParameters); 12] = [
		|p| p.validity = 0,
		|p| p.validity = MAX_VALIDITY + 1,
		|p| p.renewal_window = 0,
		|p| p.renewal_window = 10_001,
		|p| p.nonce_lifetime = 0,
		|p| p.nonce_lifetime = 10_001,
		|p| p.grace = 10_001,
		|p| p.dispute_window = 0,
		|p| p.dispute_window = 10_001,
		|p| p.full_check_every = 0,
		|p| p.slash_share = Ppm(0),
		|p| p.slash_share = Ppm(1_000_001),
	];
	for spoil in bad {
		run(|| {
			let mut parameters = parameters();
			spoil(&mut parameters);
			assert_noop!(
				AttestationPallet::set_parameters(RuntimeOrigin::root(), parameters),
				Error::InvalidParameters
			);
		});
	}
}

#[test]
fn set_parameters_should_store_them() {
	run(|| {
		let new = AttestationParameters { validity: 20_000, ..parameters() };
		assert_ok!(AttestationPallet::set_parameters(RuntimeOrigin::root(), new));
		assert_eq!(Parameters::<Test>::get(), new);
		assert_eq!(last_event(), Event::ParametersSet { parameters: new });
	});
}

#[test]
fn every_call_should_refuse_a_wrong_origin() {
	run_with_device(|| {
		let bad = DispatchError::BadOrigin;
		let root = RuntimeOrigin::root;
		assert_noop!(AttestationPallet::request_nonce(root(), DEVICE), bad);
		let empty = EvidenceBytes::default;
		assert_noop!(AttestationPallet::submit_evidence(root(), DEVICE, empty()), bad);
		assert_noop!(AttestationPallet::renew(root(), DEVICE, empty()), bad);
		assert_noop!(AttestationPallet::dispute_renewal(root(), DEVICE, empty()), bad);
		let made = made::collateral(armature_verifier::evidence::Tee::Sgx);
		let collateral = StoredCollateral::from_collateral(&made).unwrap();
		assert_noop!(AttestationPallet::submit_collateral(root(), collateral), bad);

		let who = || signed(PROVIDER);
		let digest = H256([1; 32]);
		assert_noop!(AttestationPallet::revoke(who(), DEVICE), bad);
		assert_noop!(AttestationPallet::set_parameters(who(), parameters()), bad);
		let values = ReferenceValues::default();
		assert_noop!(AttestationPallet::set_reference_values(who(), values), bad);
		assert_noop!(AttestationPallet::revoke_certificate(who(), digest), bad);
		assert_noop!(AttestationPallet::restore_certificate(who(), digest), bad);
		assert_noop!(AttestationPallet::revoke_hardware(who(), digest), bad);
		assert_noop!(AttestationPallet::restore_hardware(who(), digest), bad);
	});
}

#[test]
fn request_nonce_should_hand_out_the_specified_hash() {
	run_with_device(|| {
		assert_ok!(AttestationPallet::request_nonce(signed(OPERATOR), DEVICE));
		let issued = Nonces::<Test>::get(DEVICE).unwrap();
		let subject = [b"att1".as_slice(), &DEVICE.encode()].concat();
		let randomness = sp_io::hashing::blake2_256(&[&[5; 32], subject.as_slice()].concat());
		let preimage =
			[b"att1".as_slice(), &[0xaa; 32], &[4, 0, 0, 0], &[0; 8], &randomness].concat();
		assert_eq!(issued.nonce, H256(sp_io::hashing::blake2_256(&preimage)));
		assert_eq!(issued.expires_at, START + 500);
		assert_eq!(
			last_event(),
			Event::NonceIssued {
				device: DEVICE,
				nonce: issued.nonce,
				expires_at: START + 500,
				full: true
			}
		);
		assert_eq!(Pallet::<Test>::nonce(DEVICE), Some(issued));
	});
}

#[test]
fn request_nonce_should_replace_only_an_expired_or_used_nonce() {
	run_with_device(|| {
		let request = || AttestationPallet::request_nonce(signed(PROVIDER), DEVICE);
		assert_ok!(request());
		let first = Nonces::<Test>::get(DEVICE).unwrap();
		advance(499);
		assert_noop!(request(), Error::NonceStillValid);
		advance(1);
		assert_eq!(Pallet::<Test>::nonce(DEVICE), None);
		assert_ok!(request());
		let second = Nonces::<Test>::get(DEVICE).unwrap();
		// The same randomness gives another nonce all the same.
		assert_ne!(first.nonce, second.nonce);
		assert_ok!(submit_as(PROVIDER, DEVICE, evidence(DEVICE)));
		assert_ok!(request());
	});
}

#[test]
fn calls_should_fail_when_device_caller_or_state_is_wrong() {
	run_with_device(|| {
		let unknown = DeviceId(99);
		let empty = EvidenceBytes::default;
		assert_noop!(
			AttestationPallet::request_nonce(signed(PROVIDER), unknown),
			Error::UnknownDevice
		);
		assert_noop!(submit_as(PROVIDER, unknown, empty()), Error::UnknownDevice);
		assert_noop!(
			AttestationPallet::request_nonce(signed(STRANGER), DEVICE),
			Error::NotOperator
		);
		assert_noop!(submit_as(STRANGER, DEVICE, empty()), Error::NotOperator);
		assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DEVICE));
		let good = evidence(DEVICE);
		for status in [DeviceStatus::Jailed, DeviceStatus::Retired] {
			set_status(DEVICE, status);
			assert_noop!(
				AttestationPallet::request_nonce(signed(PROVIDER), DEVICE),
				Error::WrongStatus
			);
			assert_noop!(submit_as(PROVIDER, DEVICE, good.clone()), Error::WrongStatus);
		}
		assert!(Trace::get().is_empty());
	});
}

#[test]
fn submit_evidence_should_attest_and_use_the_nonce_up() {
	run_with_device(|| {
		assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DEVICE));
		advance(499);
		let bytes = evidence(DEVICE);
		assert_ok!(submit_as(OPERATOR, DEVICE, bytes.clone()));
		let expires_at = START + 10_499;
		assert_eq!(
			last_event(),
			Event::Attested {
				device: DEVICE,
				tier: Tier::T0,
				format: EvidenceFormat::DeviceKeyInventory,
				expires_at
			}
		);
		assert_eq!(
			Pallet::<Test>::attestation(DEVICE),
			Some(Attestation {
				tier: Tier::T0,
				format: EvidenceFormat::DeviceKeyInventory,
				inventory: H256(sp_io::hashing::blake2_256(&inventory().encode())),
				attested_at: START + 499,
				expires_at,
				lapsed: false,
				proved_at: START + 499,
				renewals: 0,
				full_due: false,
				certified_until: u64::MAX,
				identities: Default::default(),
				tcb: 0,
				model: H256::zero(),
				certificates: Default::default(),
				generation: 0,
				warned: false,
			})
		);
		assert_eq!(Trace::get(), vec![Told::Attested(DEVICE, Tier::T0)]);
		assert_eq!(Nonces::<Test>::get(DEVICE), None);
		assert_eq!(Pallet::<Test>::tier(DEVICE, expires_at - 1), Some(Tier::T0));
		assert_eq!(Pallet::<Test>::tier(DEVICE, expires_at), None);
		assert_eq!(Pallet::<Test>::tier(DeviceId(5), 0), None);
		// The same evidence is of no use a second time.
		advance(9_000);
		assert_noop!(submit_as(PROVIDER, DEVICE, bytes), Error::NoNonce);
	});
}

#[test]
fn submit_evidence_should_fail_when_the_nonce_expired() {
	run_with_device(|| {
		assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DEVICE));
		let bytes = evidence(DEVICE);
		advance(500);
		assert_noop!(submit_as(PROVIDER, DEVICE, bytes), Error::NonceExpired);
	});
}

#[test]
fn submit_evidence_should_name_the_failing_step_and_keep_the_nonce() {
	run_with_device(|| {
		assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DEVICE));
		let nonce = Nonces::<Test>::get(DEVICE).unwrap().nonce;
		let good = evidence(DEVICE);
		let with = |change: fn(&mut Vec<u8>)| {
			let mut bytes = good.to_vec();
			change(&mut bytes);
			EvidenceBytes::try_from(bytes).unwrap()
		};
		let no_threads = armature_primitives::evidence::Inventory { threads: 0, ..inventory() };
		let stranger = ed25519::Pair::from_seed(&[99; 32]);
		let cases = [
			(EvidenceBytes::default(), Error::MalformedEvidence),
			(with(|b| b[0] = 9), Error::UnknownEvidenceFormat),
			(with(|b| b.truncate(100)), Error::MalformedEvidence),
			(with(|b| b.push(0)), Error::TrailingEvidenceBytes),
			(with(|b| b.resize(96 * 1024, 0)), Error::TrailingEvidenceBytes),
			(with(|b| b[1] ^= 1), Error::NonceMismatch),
			(with(|b| *b.last_mut().unwrap() ^= 1), Error::BadSignature),
			(evidence_for(DEVICE, nonce, inventory(), &stranger), Error::BadSignature),
			(evidence_for(DeviceId(5), nonce, inventory(), &pair(DEVICE)), Error::BadSignature),
			(evidence_for(DEVICE, nonce, no_threads, &pair(DEVICE)), Error::BadInventory),
		];
		for (bytes, error) in cases {
			assert_noop!(submit_as(PROVIDER, DEVICE, bytes), error);
		}
		assert!(Trace::get().is_empty());
		assert_ok!(submit_as(PROVIDER, DEVICE, good));
	});
}

#[test]
fn evidence_errors_should_map_to_their_own_errors() {
	use armature_verifier::evidence::{
		hardware::{Check, Failure, Fault},
		EvidenceError, InventoryField,
	};
	let mapped = [
		EvidenceError::TooLarge,
		EvidenceError::UnknownFormat(3),
		EvidenceError::Malformed,
		EvidenceError::TrailingBytes,
		EvidenceError::NonceMismatch,
		EvidenceError::BadSignature,
		EvidenceError::BadInventory(InventoryField::Memory),
		EvidenceError::Hardware(Failure::new(Check::Root, Fault::NotTrusted)),
		EvidenceError::CollateralMissing,
		EvidenceError::GpuWithoutConfidentialPlatform,
	]
	.map(|error| Error::from(error).encode());
	let distinct: std::collections::BTreeSet<_> = mapped.iter().collect();
	assert_eq!(distinct.len(), mapped.len());
	assert_eq!(mapped[0], Error::EvidenceTooLarge.encode());
}

#[test]
fn hardware_failures_should_say_where_in_three_bytes() {
	use armature_verifier::evidence::hardware::{Check, Failure, Fault};
	let platform = Failure::new(Check::CertificateDates(2), Fault::Expired);
	let encoded = Error::from(armature_verifier::evidence::EvidenceError::Hardware(platform));
	let bytes = encoded.encode();
	assert_eq!(bytes.len(), 4);
	assert_eq!(HardwareFailure::from(platform).encode(), bytes[1..]);
	assert_eq!(
		HardwareFailure::from(platform),
		HardwareFailure { check: CheckKind::CertificateDates, at: 2, fault: FaultKind::Expired }
	);
	// The eighth GPU's third certificate.
	let gpu = Failure::in_part(7, Check::CertificateSignature(2), Fault::BadSignature);
	assert_eq!(HardwareFailure::from(gpu).at, 0x82);
	let first = Failure::in_part(0, Check::Nonce, Fault::Mismatch);
	assert_eq!(HardwareFailure::from(first).at, 0x10);
	assert_eq!(HardwareFailure::from(Failure::new(Check::Nonce, Fault::Mismatch)).at, 0);
}

#[test]
fn submit_evidence_should_renew_only_inside_the_window() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		assert_eq!(Pallet::<Test>::renewable_from(DEVICE), Some(START + 7_000));
		advance(6_600);
		assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DEVICE));
		let bytes = evidence(DEVICE);
		advance(399);
		assert_noop!(submit_as(PROVIDER, DEVICE, bytes.clone()), Error::TooEarly);
		advance(1);
		assert_ok!(submit_as(PROVIDER, DEVICE, bytes));
		assert_eq!(Pallet::<Test>::attestation(DEVICE).unwrap().expires_at, START + 17_000);
	});
}

#[test]
fn submit_evidence_should_pass_at_any_time_when_the_device_fell_back_to_registered() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		advance(1);
		set_status(DEVICE, DeviceStatus::Registered);
		assert_ok!(attest(DEVICE));
		assert_eq!(Pallet::<Test>::attestation(DEVICE).unwrap().attested_at, START + 1);
	});
}

#[test]
fn submit_evidence_should_pass_when_the_attestation_ended_and_was_not_swept() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		advance(10_000);
		assert_eq!(Pallet::<Test>::renewable_from(DEVICE), None);
		assert_ok!(attest(DEVICE));
		assert_eq!(Pallet::<Test>::tier(DEVICE, Now::get()), Some(Tier::T0));
	});
}

#[test]
fn revoke_should_end_the_attestation_at_once() {
	run_with_device(|| {
		assert_noop!(AttestationPallet::revoke(RuntimeOrigin::root(), DEVICE), Error::NotAttested);
		assert_ok!(attest(DEVICE));
		assert_ok!(AttestationPallet::request_nonce(signed(PROVIDER), DEVICE));
		assert_ok!(AttestationPallet::revoke(RuntimeOrigin::root(), DEVICE));
		assert_eq!(last_event(), Event::Revoked { device: DEVICE });
		assert_eq!(Pallet::<Test>::attestation(DEVICE), None);
		assert_eq!(Nonces::<Test>::get(DEVICE), None);
		assert_eq!(Pallet::<Test>::tier(DEVICE, 0), None);
		let told = [Told::Attested(DEVICE, Tier::T0), Told::Lost(DEVICE), Told::LeasesLost(DEVICE)];
		assert_eq!(Trace::get(), told);
		assert_noop!(AttestationPallet::revoke(RuntimeOrigin::root(), DEVICE), Error::NotAttested);
	});
}

#[test]
fn calls_that_end_a_lease_should_weigh_it() {
	let weight = |call: Call<Test>| call.get_dispatch_info().call_weight;
	let with_lease = |own: Weight| own.saturating_add(LeaseEndWeight::get());
	assert_eq!(weight(Call::revoke { device: DEVICE }), with_lease(<() as WeightInfo>::revoke()));
	assert_eq!(
		weight(Call::revoke_hardware { id: H256::zero() }),
		with_lease(<() as WeightInfo>::revoke_hardware())
	);
	let evidence = EvidenceBytes::default();
	let in_full = with_lease(crate::cost::in_full::<()>(&evidence));
	assert_eq!(
		weight(Call::submit_evidence { device: DEVICE, evidence: evidence.clone() }),
		in_full
	);
	assert_eq!(
		weight(Call::dispute_renewal { device: DEVICE, evidence }),
		<() as WeightInfo>::dispute_renewal().saturating_add(in_full)
	);
}

#[test]
fn parameters_should_count_for_new_attestations_only() {
	run_with_device(|| {
		assert_ok!(attest(DEVICE));
		let new = AttestationParameters { validity: 50_000, ..parameters() };
		assert_ok!(AttestationPallet::set_parameters(RuntimeOrigin::root(), new));
		assert_eq!(Pallet::<Test>::attestation(DEVICE).unwrap().expires_at, START + 10_000);
		advance(9_000);
		assert_ok!(attest(DEVICE));
		assert_eq!(Pallet::<Test>::attestation(DEVICE).unwrap().expires_at, START + 59_000);
	});
}
