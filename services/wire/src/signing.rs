//! The bytes that are signed.

use armature_primitives::{
	challenge::{ChallengeCommit, Echo},
	signing::{device_payload, Domain},
	telemetry::{Beat, BeatAck},
	DeviceId, Moment, H256,
};
use codec::Encode;

/// What a device signs in [`crate::ControlRequest::Hello`]. The peer id ties it to one connection's
/// authenticated end, so that nobody else can use it.
pub fn hello_payload(genesis: &H256, device: DeviceId, peer: &[u8], sent_at: Moment) -> Vec<u8> {
	device_payload(Domain::Hello, genesis, device, &(peer, sent_at))
}

/// What a device signs in [`crate::ControlRequest::Beat`].
pub fn beat_payload(genesis: &H256, beat: &Beat) -> Vec<u8> {
	device_payload(Domain::Beat, genesis, beat.device, beat)
}

/// What an orchestrator signs in [`crate::ControlResponse::BeatAck`].
pub fn beat_ack_payload(genesis: &H256, device: DeviceId, ack: &BeatAck) -> Vec<u8> {
	device_payload(Domain::BeatAck, genesis, device, ack)
}

/// What a device signs in [`crate::ControlResponse::Committed`].
pub fn commit_payload(genesis: &H256, device: DeviceId, commit: &ChallengeCommit) -> Vec<u8> {
	device_payload(Domain::ChallengeCommit, genesis, device, commit)
}

/// What a device signs in [`crate::ControlResponse::Echoed`].
pub fn echo_payload(genesis: &H256, device: DeviceId, echo: &Echo) -> Vec<u8> {
	device_payload(Domain::Echo, genesis, device, echo)
}

/// What an owner signs in [`crate::PutAuth`]: prefix, genesis hash, the blob's hash, its length (8
/// bytes, little-endian) and the uploader's peer id.
pub fn put_payload(genesis: &H256, hash: &H256, total: u64, peer: &[u8]) -> Vec<u8> {
	let mut out = Vec::from(&b"armature/put\0"[..]);
	genesis.encode_to(&mut out);
	hash.encode_to(&mut out);
	total.encode_to(&mut out);
	out.extend_from_slice(peer);
	out
}
