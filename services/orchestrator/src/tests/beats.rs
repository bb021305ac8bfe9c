//! Beats: the book alone, then over the wire.

use super::*;
use crate::beats::{is_timely, BeatBook, Presence};
use armature_p2p::{
	messages::{beat_ack_payload, beat_payload},
	peer_key, Refusal,
};
use armature_primitives::{
	telemetry::{Beat, BeatAck},
	EpochIndex,
};

fn beat(device: u32, epoch: u64, slot: u8, previous: H256) -> Beat {
	let epoch = EpochIndex(epoch);
	Beat {
		device: DeviceId(device),
		epoch,
		slot,
		previous,
		block_hash: H256([2; 32]),
		telemetry: H256([slot; 32]),
		sent_at: CLOCK.start_of(epoch) + u64::from(slot) * 1_000,
	}
}

fn accept(book: &mut BeatBook, beat: &Beat) -> Result<BeatAck, Refusal> {
	book.accept(beat, CLOCK, beat.sent_at, |_| Signature::from([1; 64]))
		.map(|(ack, _)| ack)
}

#[test]
fn book_should_follow_the_chain_of_beats() {
	let mut book = BeatBook::default();
	let first = beat(1, 5, 0, H256::zero());
	let ack = accept(&mut book, &first).unwrap();
	assert_eq!((ack.head, ack.epoch, ack.slot), (first.link(), EpochIndex(5), 0));
	assert_eq!(ack.received_at, first.sent_at);
	let second = beat(1, 5, 1, first.link());
	assert_eq!(accept(&mut book, &second).unwrap().head, second.link());
	// A gap: the chain cannot be followed, the next one again.
	let after_gap = beat(1, 5, 4, H256([9; 32]));
	assert!(accept(&mut book, &after_gap).is_ok());
	assert!(accept(&mut book, &beat(1, 5, 5, after_gap.link())).is_ok());
	// A new epoch starts from nothing, also for a device that lost its state.
	assert!(accept(&mut book, &beat(1, 6, 0, H256::zero())).is_ok());
	assert!(accept(&mut book, &beat(2, 6, 30, H256([8; 32]))).is_ok());
}

#[test]
fn book_should_refuse_replays_forks_and_broken_chains() {
	let mut book = BeatBook::default();
	let first = beat(1, 5, 3, H256::zero());
	let second = beat(1, 5, 4, first.link());
	let ack = accept(&mut book, &first).unwrap();
	// The same beat again, before the next: its ack may have been lost.
	assert_eq!(accept(&mut book, &first), Ok(ack));
	accept(&mut book, &second).unwrap();
	assert_eq!(accept(&mut book, &first), Err(Refusal::Malformed));
	// Another beat for an acknowledged slot.
	let mut fork = second.clone();
	fork.telemetry = H256([77; 32]);
	assert_eq!(accept(&mut book, &fork), Err(Refusal::Malformed));
	// The next slot, not continuing.
	let broken = beat(1, 5, 5, first.link());
	assert_eq!(accept(&mut book, &broken), Err(Refusal::Malformed));
	// A restarted chain within the epoch.
	let restarted = beat(1, 5, 9, H256::zero());
	assert_eq!(accept(&mut book, &restarted), Err(Refusal::Malformed));
	assert_eq!(accept(&mut book, &beat(1, 4, 59, H256::zero())), Err(Refusal::Malformed));
	assert!(accept(&mut book, &beat(1, 5, 5, second.link())).is_ok());
}

#[test]
fn timeliness_should_hold_within_slot_and_skew_only() {
	let beat = beat(1, 5, 10, H256::zero());
	let start = beat.sent_at;
	let timely = |now| is_timely(&Beat { sent_at: now, ..beat.clone() }, CLOCK, now, 500);
	assert!(!timely(start - 501));
	assert!(timely(start - 500));
	assert!(timely(start + 1_500));
	assert!(!timely(start + 1_501));
	// The device's clock.
	assert!(is_timely(&beat, CLOCK, start + 500, 500));
	assert!(!is_timely(&beat, CLOCK, start + 501, 500));
	// No such slot, though the time would fit.
	let past = Beat { epoch: EpochIndex(4), slot: 60, ..beat.clone() };
	let now = CLOCK.start_of(EpochIndex(5));
	assert!(!is_timely(&Beat { sent_at: now, ..past }, CLOCK, now, 500));
	assert!(!is_timely(&Beat { epoch: EpochIndex(u64::MAX), ..beat }, CLOCK, start, 500));
}

#[test]
fn silence_should_become_suspicion_and_be_forgotten() {
	let mut book = BeatBook::default();
	let mut previous = H256::zero();
	for slot in 0..20 {
		let beat = beat(1, 5, slot, previous);
		previous = beat.link();
		accept(&mut book, &beat).unwrap();
	}
	let last = CLOCK.start_of(EpochIndex(5)) + 19_000;
	assert_eq!(book.sweep(CLOCK, last + 1_000), []);
	// phi 8 is reached after 8 ln 10 = 18.4 mean gaps, phi 12 after 27.6.
	assert_eq!(book.sweep(CLOCK, last + 20_000), [(DeviceId(1), Presence::Suspect)]);
	assert_eq!(book.sweep(CLOCK, last + 29_000), [(DeviceId(1), Presence::Down)]);
	assert_eq!(book.sweep(CLOCK, last + 30_000), []);
	let back = beat(1, 5, 59, H256([3; 32]));
	accept(&mut book, &back).unwrap();
	assert_eq!(book.sweep(CLOCK, back.sent_at), []);
	// Forgotten after three epochs: even an old beat is then new.
	book.sweep(CLOCK, CLOCK.start_of(EpochIndex(9)));
	assert!(accept(&mut book, &beat(1, 5, 0, H256::zero())).is_ok());
}

/// An instant within the skew that leaves ten slots of its epoch.
pub(super) fn base() -> Moment {
	let now = unix_millis();
	if CLOCK.slot_at(now) < 50 {
		now
	} else {
		CLOCK.end_of(CLOCK.epoch_at(now))
	}
}

pub(super) fn beat_at(at: Moment, device: u32, previous: H256) -> Beat {
	let mut beat = beat(device, CLOCK.epoch_at(at).0, CLOCK.slot_at(at), previous);
	beat.sent_at = at;
	beat
}

pub(super) fn request(beat: &Beat, signer: u32) -> ControlRequest {
	let signature = device_key(signer).sign(&beat_payload(&GENESIS, beat)).to_bytes();
	ControlRequest::Beat { beat: beat.clone(), signature: Signature::from(signature) }
}

#[tokio::test]
async fn beats_should_be_acknowledged_under_the_peer_ids_key() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	let device = Client::connect(1, &orchestrator).await;
	device.hello(1).await;
	let key = peer_key(&device.server).unwrap();
	let (base, mut previous) = (base(), H256::zero());
	for slot in 0..3 {
		let beat = beat_at(base + slot * 1_000, 1, previous);
		previous = beat.link();
		let ControlResponse::BeatAck { ack, signature } = device.ask(request(&beat, 1)).await
		else {
			panic!("no ack")
		};
		assert_eq!((ack.head, ack.epoch, ack.slot), (beat.link(), beat.epoch, beat.slot));
		let payload = beat_ack_payload(&GENESIS, DeviceId(1), &ack);
		let valid = armature_verifier::signature::verify_batch(&[(payload, signature, key)]);
		assert_eq!(valid, [true]);
	}
	orchestrator.stop().await;
}

#[tokio::test]
async fn beats_should_be_refused_when_forged_replayed_or_unannounced() {
	let dir = tempfile::tempdir().unwrap();
	let orchestrator = start(dir.path(), chain()).await;
	let device = Client::connect(1, &orchestrator).await;
	let base = base();
	let first = beat_at(base, 1, H256::zero());
	assert_eq!(device.ask(request(&first, 1)).await, refused(Refusal::UnknownDevice));
	device.hello(1).await;
	assert_eq!(device.ask(request(&first, 2)).await, refused(Refusal::BadSignature));
	// Another device's beat over this device's connection.
	let others = beat_at(base, 2, H256::zero());
	assert_eq!(device.ask(request(&others, 2)).await, refused(Refusal::UnknownDevice));
	let early = beat_at(base + 300_000, 1, H256::zero());
	assert_eq!(device.ask(request(&early, 1)).await, refused(Refusal::Malformed));

	assert!(matches!(device.ask(request(&first, 1)).await, ControlResponse::BeatAck { .. }));
	let second = beat_at(base + 1_000, 1, first.link());
	assert!(matches!(device.ask(request(&second, 1)).await, ControlResponse::BeatAck { .. }));
	assert_eq!(device.ask(request(&first, 1)).await, refused(Refusal::Malformed));
	orchestrator.stop().await;
}

#[tokio::test]
async fn bad_signature_should_not_spoil_the_batch_it_is_in() {
	let dir = tempfile::tempdir().unwrap();
	let chain = chain();
	for id in 10..26 {
		chain.add_device(id, REGION, DeviceStatus::Active);
	}
	let orchestrator = start(dir.path(), chain).await;
	let mut devices = Vec::new();
	for id in 10..26u32 {
		let client = Client::connect(u8::try_from(id).unwrap(), &orchestrator).await;
		client.hello(id).await;
		devices.push((id, client));
	}
	let base = base();
	// Every fourth signs with a wrong key.
	let asked = devices.iter().map(|(id, client)| {
		let signer = if id % 4 == 0 { 99 } else { *id };
		client.ask(request(&beat_at(base, *id, H256::zero()), signer))
	});
	for ((id, _), response) in devices.iter().zip(futures::future::join_all(asked).await) {
		if id % 4 == 0 {
			assert_eq!(response, refused(Refusal::BadSignature));
		} else {
			assert!(matches!(response, ControlResponse::BeatAck { .. }), "{id}: {response:?}");
		}
	}
	orchestrator.stop().await;
}
