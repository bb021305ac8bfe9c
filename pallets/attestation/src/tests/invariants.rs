//! Random sequences of calls, blocks and time. After each:
//!
//! INV1. `do_try_state` holds.
//! INV2. A tier is read exactly when an accepted proof is younger than the validity and was
//!       neither revoked nor replaced.
//! INV3. No nonce comes twice.
//! INV4. A failed call changed nothing.

use super::*;
use frame_support::{storage::with_storage_layer, traits::Hooks, weights::Weight};
use proptest::prelude::*;
use sp_runtime::DispatchResult;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Op {
	Request(u32),
	Submit(u32),
	SubmitWrong(u32, u8, u8),
	Revoke(u32),
	Status(u32, DeviceStatus),
	Wait(u64),
	Idle(u64),
}

fn op() -> impl Strategy<Value = Op> {
	let device = || 0u32..5;
	prop_oneof![
		6 => device().prop_map(Op::Request),
		6 => device().prop_map(Op::Submit),
		2 => (device(), any::<u8>(), 1u8..).prop_map(|(a, b, c)| Op::SubmitWrong(a, b, c)),
		1 => device().prop_map(Op::Revoke),
		2 => (device(), prop::sample::select(vec![
			DeviceStatus::Registered,
			DeviceStatus::Active,
			DeviceStatus::Jailed,
			DeviceStatus::Retired,
		])).prop_map(|(a, b)| Op::Status(a, b)),
		4 => (0u64..5_000).prop_map(Op::Wait),
		4 => (0u64..1_000_000_000).prop_map(Op::Idle),
	]
}

fn apply(op: &Op) -> DispatchResult {
	match *op {
		Op::Request(id) => AttestationPallet::request_nonce(signed(PROVIDER), DeviceId(id)),
		Op::Submit(id) => {
			let nonce = Nonces::<Test>::get(DeviceId(id)).map_or(H256::zero(), |i| i.nonce);
			let id = DeviceId(id);
			let bytes = evidence_for(id, nonce, inventory(), &pair(id));
			AttestationPallet::submit_evidence(signed(PROVIDER), id, bytes)
		},
		Op::SubmitWrong(id, at, mask) => {
			let nonce = Nonces::<Test>::get(DeviceId(id)).map_or(H256::zero(), |i| i.nonce);
			let id = DeviceId(id);
			let mut bytes = evidence_for(id, nonce, inventory(), &pair(id)).to_vec();
			let at = usize::from(at) % bytes.len();
			bytes[at] ^= mask;
			let result =
				AttestationPallet::submit_evidence(signed(PROVIDER), id, bytes.try_into().unwrap());
			assert!(result.is_err());
			result
		},
		Op::Revoke(id) => AttestationPallet::revoke(RuntimeOrigin::root(), DeviceId(id)),
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

proptest! {
	#![proptest_config(ProptestConfig::with_cases(96))]

	#[test]
	fn attestations_should_follow_the_model_after_every_operation(
		ops in prop::collection::vec(op(), 1..80),
	) {
		new_test_ext().execute_with(|| {
			(0..5).for_each(|id| add_device(DeviceId(id), DeviceStatus::Registered));
			let mut proved = BTreeMap::<u32, u64>::new();
			let mut nonces = BTreeSet::<H256>::new();
			for op in ops {
				let root = sp_io::storage::root(sp_runtime::StateVersion::V1);
				let result = with_storage_layer(|| apply(&op));
				if result.is_err() {
					assert_eq!(root, sp_io::storage::root(sp_runtime::StateVersion::V1), "{op:?}");
				}
				match (&op, result) {
					(Op::Request(id), Ok(())) => {
						let issued = Nonces::<Test>::get(DeviceId(*id)).unwrap();
						assert!(nonces.insert(issued.nonce), "{op:?}");
					},
					(Op::Submit(id), Ok(())) => {
						proved.insert(*id, Now::get());
					},
					(Op::Revoke(id), Ok(())) => {
						proved.remove(id);
					},
					_ => {},
				}
				Pallet::<Test>::do_try_state().unwrap_or_else(|e| panic!("{op:?}: {e:?}"));
				for id in 0..5 {
					let holds = proved.get(&id).is_some_and(|at| Now::get() < at + 10_000);
					let tier = Pallet::<Test>::tier(DeviceId(id), Now::get());
					assert_eq!(tier.is_some(), holds, "{op:?}");
				}
			}
		});
	}
}
