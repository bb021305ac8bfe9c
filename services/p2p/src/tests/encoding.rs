//! The bytes of every message, pinned: changing one breaks deployed peers.

use crate::messages::*;
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask, CpuChallenge},
	ed25519::Signature,
	telemetry::{Beat, BeatAck, PowerReading, PowerSource},
	DeviceId, EpochIndex, LeaseId, MilliWatts, Ppm, RoundId, H256,
};
use codec::Encode;

pub(super) fn task() -> ChallengeTask {
	ChallengeTask {
		round: RoundId(3),
		device: DeviceId(4),
		seed: H256([5; 32]),
		cpu: CpuChallenge { lanes: 2, segments: 6, steps_per_segment: 7 },
		deadline: 8,
	}
}

pub(super) fn beat() -> Beat {
	Beat {
		device: DeviceId(4),
		epoch: EpochIndex(9),
		slot: 10,
		previous: H256([11; 32]),
		block_hash: H256([12; 32]),
		telemetry: H256([13; 32]),
		sent_at: 14,
	}
}

pub(super) fn commit() -> ChallengeCommit {
	ChallengeCommit {
		task: H256([14; 32]),
		root: H256([15; 32]),
		power: PowerReading {
			idle: MilliWatts(16),
			loaded: MilliWatts(17),
			source: PowerSource::BoardSensor,
			error: Ppm(18),
		},
	}
}

pub(super) fn signature() -> Signature {
	Signature::from([19; 64])
}

pub(super) fn control_requests() -> Vec<ControlRequest> {
	vec![
		ControlRequest::Hello {
			device: DeviceId(1),
			peer: vec![2, 3],
			sent_at: 4,
			signature: signature(),
		},
		ControlRequest::Beat { beat: beat(), signature: signature() },
		ControlRequest::StartChallenge { task: task() },
		ControlRequest::OpenSegments {
			round: RoundId(3),
			task: H256([6; 32]),
			segments: vec![(1, 2), (3, 4)],
		},
		ControlRequest::LeaseNotice { lease: LeaseId(5) },
		ControlRequest::Status,
	]
}

pub(super) fn control_responses() -> Vec<ControlResponse> {
	vec![
		ControlResponse::Welcome { service: ServiceKind::Verifier, now: 1 },
		ControlResponse::BeatAck {
			ack: BeatAck { head: H256([1; 32]), epoch: EpochIndex(2), slot: 3, received_at: 4 },
			signature: signature(),
		},
		ControlResponse::Committed { commit: commit(), signature: signature() },
		ControlResponse::Segments { openings: vec![1, 2, 3] },
		ControlResponse::Accepted,
		ControlResponse::Status {
			report: StatusReport {
				service: ServiceKind::Orchestrator,
				version: b"1".to_vec(),
				now: 2,
				started_at: 3,
				devices: 4,
				in_flight: 5,
				blobs: 6,
				blob_bytes: 7,
			},
		},
		ControlResponse::Refused { reason: Refusal::NotFound },
	]
}

pub(super) fn blob_requests() -> Vec<BlobRequest> {
	let hash = H256([1; 32]);
	let put = |auth| BlobRequest::Put { hash, total: 9, offset: 4, bytes: vec![5, 6], auth };
	vec![
		BlobRequest::Stat { hash },
		BlobRequest::Get { hash, offset: 2, len: 3 },
		put(PutAuth::Account { account: [7; 32], signature: [8; 64] }),
		put(PutAuth::Device { device: DeviceId(9), signature: [8; 64] }),
	]
}

pub(super) fn blob_responses() -> Vec<BlobResponse> {
	vec![
		BlobResponse::Stat { len: None },
		BlobResponse::Stat { len: Some(2) },
		BlobResponse::Chunk { bytes: vec![3, 4] },
		BlobResponse::Stored { complete: true },
		BlobResponse::Refused { reason: Refusal::QuotaExceeded },
	]
}

/// `(byte, count)` runs, to keep the vectors readable.
fn runs(parts: &[(u8, usize)]) -> Vec<u8> {
	parts.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect()
}

fn le64(value: u8) -> [(u8, usize); 2] {
	[(value, 1), (0, 7)]
}

#[test]
fn control_requests_should_keep_their_bytes() {
	let sig = (19, 64);
	let [a, b] = le64(4);
	let hello = runs(&[(0, 1), (1, 1), (0, 3), (8, 1), (2, 1), (3, 1), a, b, sig]);
	let [epoch, epoch_rest] = le64(9);
	let [sent, sent_rest] = le64(14);
	let beat = runs(&[
		(1, 1),
		(4, 1),
		(0, 3),
		epoch,
		epoch_rest,
		(10, 1),
		(11, 32),
		(12, 32),
		(13, 32),
		sent,
		sent_rest,
		sig,
	]);
	let [round, round_rest] = le64(3);
	let [deadline, deadline_rest] = le64(8);
	let start = runs(&[
		(2, 1),
		round,
		round_rest,
		(4, 1),
		(0, 3),
		(5, 32),
		(2, 1),
		(0, 1),
		(6, 1),
		(0, 3),
		(7, 1),
		(0, 3),
		deadline,
		deadline_rest,
	]);
	let mut open = runs(&[(3, 1), round, round_rest, (6, 32)]);
	open.extend([8, 1, 0, 2, 0, 0, 0, 3, 0, 4, 0, 0, 0]);
	let notice = vec![4, 5, 0, 0, 0, 0, 0, 0, 0];
	let expected = [hello, beat, start, open, notice, vec![5]];
	let encoded: Vec<_> = control_requests().iter().map(Encode::encode).collect();
	assert_eq!(encoded, expected);
}

#[test]
fn control_responses_should_keep_their_bytes() {
	let sig = (19, 64);
	let welcome = vec![0, 2, 1, 0, 0, 0, 0, 0, 0, 0];
	let ack = runs(&[(1, 1), (1, 32), (2, 1), (0, 7), (3, 1), (4, 1), (0, 7), sig]);
	let committed = runs(&[
		(2, 1),
		(14, 32),
		(15, 32),
		(16, 1),
		(0, 3),
		(17, 1),
		(0, 3),
		(1, 1),
		(18, 1),
		(0, 3),
		sig,
	]);
	let segments = vec![3, 12, 1, 2, 3];
	let mut status = vec![5, 1, 4, b'1'];
	status.extend(runs(&[(2, 1), (0, 7), (3, 1), (0, 7), (4, 1), (0, 3), (5, 1), (0, 3)]));
	status.extend(runs(&[(6, 1), (0, 7), (7, 1), (0, 7)]));
	let expected = [welcome, ack, committed, segments, vec![4], status, vec![6, 6]];
	let encoded: Vec<_> = control_responses().iter().map(Encode::encode).collect();
	assert_eq!(encoded, expected);
}

#[test]
fn blob_messages_should_keep_their_bytes() {
	let stat = runs(&[(0, 1), (1, 32)]);
	let get = runs(&[(1, 1), (1, 32), (2, 1), (0, 7), (3, 1), (0, 3)]);
	let put = runs(&[(2, 1), (1, 32), (9, 1), (0, 7), (4, 1), (0, 7), (8, 1), (5, 1), (6, 1)]);
	let account = [put.clone(), runs(&[(0, 1), (7, 32), (8, 64)])].concat();
	let device = [put, runs(&[(1, 1), (9, 1), (0, 3), (8, 64)])].concat();
	let encoded: Vec<_> = blob_requests().iter().map(Encode::encode).collect();
	assert_eq!(encoded, [stat, get, account, device]);

	let expected =
		[vec![0, 0], vec![0, 1, 2, 0, 0, 0, 0, 0, 0, 0], vec![1, 8, 3, 4], vec![2, 1], vec![3, 5]];
	let encoded: Vec<_> = blob_responses().iter().map(Encode::encode).collect();
	assert_eq!(encoded, expected);
}

#[test]
fn plain_enums_should_keep_their_indices() {
	let services =
		[ServiceKind::Agent, ServiceKind::Orchestrator, ServiceKind::Verifier, ServiceKind::Client];
	let refusals = [
		Refusal::RateLimited,
		Refusal::UnknownDevice,
		Refusal::BadSignature,
		Refusal::Malformed,
		Refusal::TooLarge,
		Refusal::QuotaExceeded,
		Refusal::NotFound,
		Refusal::HashMismatch,
		Refusal::NotAssigned,
		Refusal::Busy,
		Refusal::Internal,
	];
	for (index, service) in services.iter().enumerate() {
		assert_eq!(service.encode(), [u8::try_from(index).unwrap()]);
	}
	for (index, refusal) in refusals.iter().enumerate() {
		assert_eq!(refusal.encode(), [u8::try_from(index).unwrap()]);
	}
}

#[test]
fn put_payload_should_bind_prefix_chain_blob_and_peer() {
	let payload = put_payload(&H256([1; 32]), &H256([2; 32]), 3, &[4, 5]);
	let mut expected = b"armature/put\0".to_vec();
	expected.extend(runs(&[(1, 32), (2, 32), (3, 1), (0, 7), (4, 1), (5, 1)]));
	assert_eq!(payload, expected);
}

#[test]
fn hello_payload_should_encode_peer_and_time() {
	let payload = hello_payload(&H256([1; 32]), DeviceId(2), &[4, 5], 6);
	let mut expected = b"armature/hello\0".to_vec();
	expected.extend(runs(&[(1, 32), (2, 1), (0, 3), (8, 1), (4, 1), (5, 1), (6, 1), (0, 7)]));
	assert_eq!(payload, expected);
}

#[test]
fn decoder_should_refuse_what_breaks_bounds_or_has_a_tail() {
	for request in control_requests() {
		let mut bytes = request.encode();
		assert_eq!(ControlRequest::from_bytes(&bytes), Some(request));
		bytes.push(0);
		assert_eq!(ControlRequest::from_bytes(&bytes), None);
		bytes.truncate(bytes.len().saturating_sub(2));
		assert_eq!(ControlRequest::from_bytes(&bytes), None);
	}

	let open = |count| ControlRequest::OpenSegments {
		round: RoundId(1),
		task: H256::zero(),
		segments: vec![(0, 0); count],
	};
	assert!(ControlRequest::from_bytes(&open(MAX_SEGMENTS).encode()).is_some());
	assert!(ControlRequest::from_bytes(&open(MAX_SEGMENTS + 1).encode()).is_none());

	let get = |len| BlobRequest::Get { hash: H256::zero(), offset: 0, len };
	assert!(BlobRequest::from_bytes(&get(1).encode()).is_some());
	assert!(BlobRequest::from_bytes(&get(MAX_CHUNK_LEN).encode()).is_some());
	assert!(BlobRequest::from_bytes(&get(0).encode()).is_none());
	assert!(BlobRequest::from_bytes(&get(MAX_CHUNK_LEN + 1).encode()).is_none());

	let put = |total, offset, len: usize| BlobRequest::Put {
		hash: H256::zero(),
		total,
		offset,
		bytes: vec![0; len],
		auth: PutAuth::Account { account: [0; 32], signature: [0; 64] },
	};
	let chunk = usize::try_from(MAX_CHUNK_LEN).unwrap();
	assert!(put(9, 4, 5).to_bytes().is_ok());
	assert!(put(0, 0, 0).to_bytes().is_ok());
	assert!(put(u64::from(MAX_CHUNK_LEN), 0, chunk).to_bytes().is_ok());
	assert!(put(9, 4, 6).to_bytes().is_err());
	assert!(put(9, 4, 0).to_bytes().is_err());
	assert!(put(u64::MAX, u64::MAX, 1).to_bytes().is_err());
	assert!(put(u64::MAX, 0, chunk + 1).to_bytes().is_err());
}

#[test]
fn peer_key_should_be_the_identitys_public_key() {
	use sp_core::Pair;
	let peer = crate::peer_id_of([7; 32]).unwrap();
	let key = sp_core::ed25519::Pair::from_seed(&[7; 32]).public();
	assert_eq!(crate::peer_key(&peer), Some(key));
	assert_eq!(crate::peer_key(&crate::PeerId::random()), None);
}
