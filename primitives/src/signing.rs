//! What devices sign.
//!
//! Every message is canonical SCALE behind a domain prefix, the genesis hash and the device id, so
//! that a signature made for one purpose, chain or device is worth nothing for another. Signatures
//! are ed25519 and valid exactly when ZIP-215 says so, which is the rule of
//! `sp_io::crypto::ed25519_verify`.

use crate::{DeviceId, H256};
use alloc::vec::Vec;
use codec::Encode;

/// The purpose of a signed message. The bytes are part of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domain {
	/// Possession of a device key at registration.
	Register,
	/// Attestation evidence.
	Evidence,
	/// A beat to an orchestrator.
	Beat,
	/// An uptime leaf.
	Leaf,
	/// The commitment that answers a challenge.
	ChallengeCommit,
	/// An orchestrator's acknowledgement of a beat.
	BeatAck,
	/// Hello of a device to an orchestrator or verifier.
	Hello,
	/// An answer whose round trip is measured.
	Echo,
}

impl Domain {
	/// The prefix, zero-terminated so that none is a prefix of another.
	pub const fn prefix(self) -> &'static [u8] {
		match self {
			Domain::Register => b"armature/register\0",
			Domain::Evidence => b"armature/evidence\0",
			Domain::Beat => b"armature/beat\0",
			Domain::Leaf => b"armature/leaf\0",
			Domain::ChallengeCommit => b"armature/challenge-commit\0",
			Domain::BeatAck => b"armature/beat-ack\0",
			Domain::Hello => b"armature/hello\0",
			Domain::Echo => b"armature/echo\0",
		}
	}
}

/// The bytes that a device signs: prefix, genesis hash, device id, SCALE of `body`.
pub fn device_payload<T: Encode>(
	domain: Domain,
	genesis: &H256,
	device: DeviceId,
	body: &T,
) -> Vec<u8> {
	let mut out = Vec::from(domain.prefix());
	genesis.encode_to(&mut out);
	device.encode_to(&mut out);
	body.encode_to(&mut out);
	out
}

/// The bytes that a fresh device key signs before it has an id: prefix, genesis hash, SCALE of the
/// provider's account and of the nonce that the chain expects next from that provider.
pub fn registration_payload<AccountId: Encode>(
	genesis: &H256,
	provider: &AccountId,
	nonce: u32,
) -> Vec<u8> {
	let mut out = Vec::from(Domain::Register.prefix());
	genesis.encode_to(&mut out);
	provider.encode_to(&mut out);
	nonce.encode_to(&mut out);
	out
}
