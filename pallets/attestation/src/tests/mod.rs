mod calls;
mod invariants;
mod sweep;

use crate::{mock::*, *};
use armature_primitives::{
	device::{DeviceStatus, Tier},
	evidence::{EvidenceBytes, EvidenceFormat},
	traits::AttestationInspect,
	DeviceId, H256,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

type Error = crate::Error<Test>;

const DEVICE: DeviceId = DeviceId(4);

/// Runs a test with one Registered device.
fn run_with_device(test: impl FnOnce()) {
	run(|| {
		add_device(DEVICE, DeviceStatus::Registered);
		test();
	});
}
