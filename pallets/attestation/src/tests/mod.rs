mod calls;
mod cost;
mod disputes;
mod hardware;
mod invariants;
mod references;
mod renewal;
mod revocation;
mod sweep;
mod vectors;

use crate::{mock::*, *};
use armature_primitives::{
	device::{DeviceStatus, Tier},
	evidence::{EvidenceBytes, EvidenceFormat},
	traits::AttestationInspect,
	DeviceId, Ppm, H256,
};
use armature_verifier::evidence::hardware::{testing::made, CheckKind, FaultKind};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, DispatchResult};

type Error = crate::Error<Test>;

const DEVICE: DeviceId = DeviceId(4);
const OTHER: DeviceId = DeviceId(5);

/// Runs a test with two Registered devices.
fn run_with_device(test: impl FnOnce()) {
	run(|| {
		add_device(DEVICE, DeviceStatus::Registered);
		add_device(OTHER, DeviceStatus::Registered);
		test();
	});
}

/// The call without what it cost.
fn submit_as(who: AccountId, device: DeviceId, evidence: EvidenceBytes) -> DispatchResult {
	AttestationPallet::submit_evidence(signed(who), device, evidence)
		.map(|_| ())
		.map_err(|failed| failed.error)
}

/// The same for a dispute.
fn dispute_as(who: AccountId, device: DeviceId, evidence: EvidenceBytes) -> DispatchResult {
	AttestationPallet::dispute_renewal(signed(who), device, evidence)
		.map(|_| ())
		.map_err(|failed| failed.error)
}

fn record(device: DeviceId) -> Attestation {
	Attestations::<Test>::get(device).unwrap()
}

fn failure(check: CheckKind, at: u8, fault: FaultKind) -> DispatchError {
	Error::Hardware(HardwareFailure { check, at, fault }).into()
}

/// One block's sweep with all the weight it may want. Returns what it used.
fn sweep() -> frame_support::weights::Weight {
	use frame_support::traits::Hooks;
	AttestationPallet::on_idle(1, frame_support::weights::Weight::MAX)
}

/// The sweeps of some blocks.
fn sweep_blocks(blocks: u32) {
	for _ in 0..blocks {
		sweep();
	}
}
