//! Beats: what is acknowledged, and who is alive.

use armature_health::phi::{Phi, DOWN, SUSPECT};
use armature_p2p::Refusal;
use armature_primitives::{
	ed25519::{Public, Signature},
	telemetry::{Beat, BeatAck, EpochClock, SLOTS_PER_EPOCH},
	DeviceId, EpochIndex, Moment, H256,
};
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};

/// Epochs after which a silent device is forgotten.
const FORGET_AFTER_EPOCHS: u64 = 3;

/// Beats whose signatures are checked together.
const BATCH: usize = 256;

/// What silence says of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Presence {
	Alive,
	Suspect,
	Down,
}

struct Heard {
	epoch: EpochIndex,
	slot: u8,
	head: H256,
	ack: (BeatAck, Signature),
	phi: Phi,
	presence: Presence,
}

/// The last beat of each device.
#[derive(Default)]
pub(crate) struct BeatBook {
	devices: HashMap<DeviceId, Heard>,
}

impl BeatBook {
	/// Records a beat whose signature is valid and whose slot is current (see [`is_timely`]), and
	/// acknowledges it.
	///
	/// Slots of an epoch only go forward. A beat of the very next slot must continue the chain; after
	/// a gap the device may have sent beats that never came here, so its word is taken. The very
	/// same beat gets the very same acknowledgement, in case that was lost.
	pub(crate) fn accept(
		&mut self,
		beat: &Beat,
		clock: EpochClock,
		now: Moment,
		sign: impl FnOnce(&BeatAck) -> Signature,
	) -> Result<(BeatAck, Signature), Refusal> {
		let head = beat.link();
		let known = self.devices.get(&beat.device);
		if let Some(last) = known {
			if (beat.epoch, beat.slot) == (last.epoch, last.slot) && head == last.head {
				return Ok(last.ack.clone());
			}
			if (beat.epoch, beat.slot) <= (last.epoch, last.slot) {
				return Err(Refusal::Malformed);
			}
			if beat.epoch == last.epoch {
				let is_next = last.slot.checked_add(1) == Some(beat.slot);
				let continues = beat.previous == last.head;
				if beat.previous.is_zero() || (is_next && !continues) {
					return Err(Refusal::Malformed);
				}
			}
		}
		let mut phi = known.map_or_else(|| Phi::new(clock.slot_millis, now), |last| last.phi);
		phi.heard(now);
		let ack = BeatAck { head, epoch: beat.epoch, slot: beat.slot, received_at: now };
		let signature = sign(&ack);
		let heard = Heard {
			epoch: beat.epoch,
			slot: beat.slot,
			head,
			ack: (ack.clone(), signature),
			phi,
			presence: Presence::Alive,
		};
		self.devices.insert(beat.device, heard);
		Ok((ack, signature))
	}

	/// Re-judges everyone by their silence and forgets the long silent. Returns whose presence
	/// changed.
	pub(crate) fn sweep(&mut self, clock: EpochClock, now: Moment) -> Vec<(DeviceId, Presence)> {
		let oldest = clock.epoch_at(now).0.saturating_sub(FORGET_AFTER_EPOCHS);
		self.devices.retain(|_, heard| heard.epoch.0 >= oldest);
		let mut changed = Vec::new();
		for (device, heard) in &mut self.devices {
			let phi = heard.phi.phi(now);
			let presence = if phi >= DOWN {
				Presence::Down
			} else if phi >= SUSPECT {
				Presence::Suspect
			} else {
				Presence::Alive
			};
			if presence != heard.presence {
				heard.presence = presence;
				changed.push((*device, presence));
			}
		}
		changed
	}
}

/// Whether the beat's slot exists and is now, give or take `skew` milliseconds, and the device's
/// clock agrees.
pub(crate) fn is_timely(beat: &Beat, clock: EpochClock, now: Moment, skew: u64) -> bool {
	if u32::from(beat.slot) >= SLOTS_PER_EPOCH {
		return false;
	}
	let into = u64::from(beat.slot).saturating_mul(clock.slot_millis.get());
	let start = clock.start_of(beat.epoch).saturating_add(into);
	let end = start.saturating_add(clock.slot_millis.get());
	now.saturating_add(skew) >= start
		&& now <= end.saturating_add(skew)
		&& now.abs_diff(beat.sent_at) <= skew
}

/// A signature to check.
pub(crate) struct Check {
	pub(crate) payload: Vec<u8>,
	pub(crate) signature: Signature,
	pub(crate) key: Public,
	pub(crate) verdict: oneshot::Sender<bool>,
}

/// Checks signatures in batches: while one is checked, the next gathers.
pub(crate) async fn check_signatures(mut checks: mpsc::Receiver<Check>) {
	let mut gathered = Vec::with_capacity(BATCH);
	while checks.recv_many(&mut gathered, BATCH).await > 0 {
		let (entries, verdicts): (Vec<_>, Vec<_>) = gathered
			.drain(..)
			.map(|check: Check| ((check.payload, check.signature, check.key), check.verdict))
			.unzip();
		let checked = tokio::task::spawn_blocking(move || {
			armature_verifier::signature::verify_batch(&entries)
		});
		match checked.await {
			Ok(valid) => {
				for (verdict, valid) in verdicts.into_iter().zip(valid) {
					// The peer may be gone.
					let _ = verdict.send(valid);
				}
			},
			// Dropping the verdicts answers an internal failure.
			Err(error) => tracing::error!(%error, "checking signatures failed"),
		}
	}
}
