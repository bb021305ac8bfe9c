//! Random sequences of calls, blocks and time, with inventories and with chips that are passed from
//! device to device. After each:
//!
//! INV1. `do_try_state` holds.
//! INV2. A tier is read only when accepted evidence is younger than the validity and was neither
//!       ended nor replaced; for inventories, exactly then.
//! INV3. No nonce comes twice.
//! INV4. A failed call changed nothing.
//! INV5. Nothing that rests on a revoked certificate, and no revoked chip, has a tier.
//! INV6. The counter of failed evidence and the events of refusals agree.
//! INV7. A disputed forgery ends the attestation and is slashed; a disputed good renewal is not.

use super::*;
use frame_support::{storage::with_storage_layer, traits::Hooks, weights::Weight};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Op {
	Request(u32),
	Submit(u32),
	SubmitWrong(u32, u8, u8),
	SubmitChip(u32, u8),
	SubmitForged(u32, u8),
	Renew(u32, u8, bool),
	Dispute(u32),
	Revoke(u32),
	RevokeChip(u8),
	RestoreChip(u8),
	RevokeIssuer,
	RestoreIssuer,
	SetReferences,
	Status(u32, DeviceStatus),
	Wait(u64),
	Idle(u64),
}

const DEVICES: u32 = 4;
const CHIPS: u8 = 3;

fn op() -> impl Strategy<Value = Op> {
	let device = || 0u32..DEVICES;
	let chip = || 0u8..CHIPS;
	prop_oneof![
		8 => device().prop_map(Op::Request),
		4 => device().prop_map(Op::Submit),
		1 => (device(), any::<u8>(), 1u8..).prop_map(|(a, b, c)| Op::SubmitWrong(a, b, c)),
		6 => (device(), chip()).prop_map(|(a, b)| Op::SubmitChip(a, b)),
		1 => (device(), chip()).prop_map(|(a, b)| Op::SubmitForged(a, b)),
		6 => (device(), chip(), any::<bool>()).prop_map(|(a, b, c)| Op::Renew(a, b, c)),
		3 => device().prop_map(Op::Dispute),
		1 => device().prop_map(Op::Revoke),
		1 => chip().prop_map(Op::RevokeChip),
		1 => chip().prop_map(Op::RestoreChip),
		1 => Just(Op::RevokeIssuer),
		2 => Just(Op::RestoreIssuer),
		1 => Just(Op::SetReferences),
		3 => (device(), prop::sample::select(vec![
			DeviceStatus::Registered,
			DeviceStatus::Active,
			DeviceStatus::Jailed,
			DeviceStatus::Retired,
		])).prop_map(|(a, b)| Op::Status(a, b)),
		4 => (0u64..5_000).prop_map(Op::Wait),
		4 => (0u64..3_000_000_000).prop_map(Op::Idle),
	]
}

/// What the test knows beside the chain.
#[derive(Default)]
struct Model {
	/// When evidence of a device was taken last, and whether it was an inventory.
	taken: BTreeMap<u32, (u64, bool)>,
	nonces: BTreeSet<H256>,
	/// The evidence of the last renewal, and whether it is forged.
	renewed: BTreeMap<u32, (EvidenceBytes, bool)>,
	refused: u64,
	/// What the renewal under way sends.
	sent: Option<EvidenceBytes>,
	/// AMD's ASK, once seen.
	issuer: Option<H256>,
}

/// The device's nonce, or one that it does not have.
fn with_nonce(device: u32, evidence: impl Fn(DeviceId) -> EvidenceBytes) -> EvidenceBytes {
	let id = DeviceId(device);
	let had = Nonces::<Test>::get(id);
	if had.is_none() {
		let nonce = IssuedNonce { nonce: H256::zero(), expires_at: 0, full: true, block: 0 };
		Nonces::<Test>::insert(id, nonce);
	}
	let bytes = evidence(id);
	Nonces::<Test>::set(id, had);
	bytes
}

fn apply(op: &Op, model: &Model) -> DispatchResult {
	let root = RuntimeOrigin::root;
	match *op {
		Op::Request(id) => request(DeviceId(id)),
		Op::Submit(id) => submit_as(PROVIDER, DeviceId(id), with_nonce(id, evidence)),
		Op::SubmitWrong(id, at, mask) => {
			let mut bytes = with_nonce(id, evidence).to_vec();
			let at = usize::from(at) % bytes.len();
			bytes[at] ^= mask;
			let result = submit_as(PROVIDER, DeviceId(id), bytes.try_into().unwrap());
			assert!(result.is_err());
			result
		},
		Op::SubmitChip(id, chip) => {
			submit_as(PROVIDER, DeviceId(id), with_nonce(id, |device| snp(device, chip)))
		},
		Op::SubmitForged(id, chip) => {
			submit_as(PROVIDER, DeviceId(id), with_nonce(id, |device| forged_snp(device, chip)))
		},
		Op::Renew(id, ..) => {
			let sent = model.sent.clone().unwrap();
			AttestationPallet::renew(signed(PROVIDER), DeviceId(id), sent)
		},
		Op::Dispute(id) => {
			let bytes = model.renewed.get(&id).map(|(bytes, _)| bytes.clone());
			dispute_as(STRANGER, DeviceId(id), bytes.unwrap_or_default())
		},
		Op::Revoke(id) => AttestationPallet::revoke(root(), DeviceId(id)),
		Op::RevokeChip(chip) => AttestationPallet::revoke_hardware(root(), chip_id(chip)),
		Op::RestoreChip(chip) => AttestationPallet::restore_hardware(root(), chip_id(chip)),
		Op::RevokeIssuer => {
			AttestationPallet::revoke_certificate(root(), model.issuer.unwrap_or_default())
		},
		Op::RestoreIssuer => {
			AttestationPallet::restore_certificate(root(), model.issuer.unwrap_or_default())
		},
		Op::SetReferences => {
			AttestationPallet::set_reference_values(root(), References::<Test>::get())
		},
		Op::Status(id, status) => {
			set_status(DeviceId(id), status);
			Ok(())
		},
		Op::Wait(millis) => {
			advance(millis);
			Ok(())
		},
		Op::Idle(ref_time) => {
			let limit = Weight::from_parts(ref_time, u64::MAX);
			let used = AttestationPallet::on_idle(1, limit);
			assert!(used.all_lte(limit));
			Ok(())
		},
	}
}

fn renewal(id: u32, chip: u8, forged: bool) -> EvidenceBytes {
	with_nonce(id, |device| if forged { forged_snp(device, chip) } else { snp(device, chip) })
}

/// Learns from a call that succeeded.
fn note(op: &Op, model: &mut Model, told: usize) {
	match *op {
		Op::Request(id) => {
			let issued = Nonces::<Test>::get(DeviceId(id)).unwrap();
			assert!(model.nonces.insert(issued.nonce), "{op:?}");
		},
		Op::Submit(id) | Op::SubmitChip(id, _) | Op::SubmitForged(id, _) => match last_event() {
			Event::Attested { .. } => {
				assert!(!matches!(op, Op::SubmitForged(..)));
				model.taken.insert(id, (Now::get(), matches!(op, Op::Submit(_))));
			},
			Event::EvidenceRefused { .. } => model.refused += 1,
			other => panic!("{other:?}"),
		},
		Op::Renew(id, chip, forged) => {
			let owner = HardwareOwners::<Test>::get(chip_id(chip));
			let other = owner != Some(DeviceId(id));
			let sent = model.sent.take().unwrap();
			model.renewed.insert(id, (sent, forged || other));
			model.taken.insert(id, (Now::get(), false));
		},
		Op::Dispute(id) => {
			let (_, forged) = model.renewed.remove(&id).unwrap();
			match last_event() {
				Event::RenewalUpheld { .. } => assert!(!forged && told == 0),
				Event::RenewalRefuted { slashed, .. } => {
					assert_eq!(slashed > 0, forged);
					if Attestations::<Test>::get(DeviceId(id)).is_none() {
						model.taken.remove(&id);
					}
				},
				other => panic!("{other:?}"),
			}
		},
		Op::Revoke(id) => {
			model.taken.remove(&id);
		},
		_ => {},
	}
	if let Some(of_chip) = Attestations::<Test>::iter_values().find(|r| !r.certificates.is_empty())
	{
		// The second of the chain, which all chips share.
		model.issuer = Some(of_chip.certificates[1]);
	}
}

fn check(op: &Op, model: &Model) {
	Pallet::<Test>::do_try_state().unwrap_or_else(|e| panic!("{op:?}: {e:?}"));
	assert_eq!(FailedEvidence::<Test>::get(), model.refused, "{op:?}");
	let revoked = RevokedCertificates::<Test>::get();
	for id in 0..DEVICES {
		let device = DeviceId(id);
		let tier = Pallet::<Test>::tier(device, Now::get());
		let taken = model.taken.get(&id).filter(|(at, _)| Now::get() < at + 10_000);
		assert!(taken.is_some() || tier.is_none(), "{op:?}");
		if let Some((_, true)) = taken {
			assert_eq!(tier, Some(Tier::T0), "{op:?}");
		}
		if let (Some(_), Some(record)) = (tier, Attestations::<Test>::get(device)) {
			assert!(!record.rests_on(&revoked), "{op:?}");
			assert!(!record.identities.iter().any(RevokedHardware::<Test>::contains_key));
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(32))]

	#[test]
	fn attestations_should_follow_the_model_after_every_operation(
		ops in prop::collection::vec(op(), 1..80),
	) {
		new_test_ext().execute_with(|| {
			(0..DEVICES).for_each(|id| add_device(DeviceId(id), DeviceStatus::Registered));
			let mut model = Model::default();
			for op in ops {
				model.sent = match op {
					Op::Renew(id, chip, forged) => Some(renewal(id, chip, forged)),
					_ => None,
				};
				let told = Trace::get().len();
				let root = sp_io::storage::root(sp_runtime::StateVersion::V1);
				match with_storage_layer(|| apply(&op, &model)) {
					Ok(()) => note(&op, &mut model, Trace::get().len() - told),
					Err(_) => {
						let now = sp_io::storage::root(sp_runtime::StateVersion::V1);
						assert_eq!(root, now, "{op:?}");
					},
				}
				check(&op, &model);
			}
		});
	}
}
