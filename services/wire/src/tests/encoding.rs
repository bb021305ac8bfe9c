//! The bytes of every message, pinned: changing one breaks deployed peers.

use crate::{
	hello_payload, put_payload,
	testing::{blob_requests, blob_responses, control_requests, control_responses},
	Refusal, ServiceKind, BLOB_PROTOCOL, CONTROL_PROTOCOL,
};
use armature_primitives::{DeviceId, H256};
use codec::Encode;

/// `(byte, count)` runs, to keep the vectors readable.
fn runs(parts: &[(u8, usize)]) -> Vec<u8> {
	parts.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect()
}

fn le64(value: u8) -> [(u8, usize); 2] {
	[(value, 1), (0, 7)]
}

#[test]
fn protocols_should_keep_their_names() {
	assert_eq!(CONTROL_PROTOCOL, "/armature/control/6");
	assert_eq!(BLOB_PROTOCOL, "/armature/blob/1");
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
		// Lanes.
		(0, 1),
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
	let reserve = runs(&[(6, 1), (6, 32)]);
	let walk = runs(&[(7, 1), (6, 32), (7, 32)]);
	let mut blocks = runs(&[(8, 1), (6, 32)]);
	blocks.extend([8, 1, 0, 0, 0, 4, 3, 2, 1]);
	let mut open_walk = runs(&[(9, 1), (6, 32), (7, 32)]);
	open_walk.extend([8, 1, 0, 2, 0, 0, 0, 3, 0, 4, 0, 0, 0]);
	let start_memory = runs(&[
		(2, 1),
		round,
		round_rest,
		(4, 1),
		(0, 3),
		(5, 32),
		// Memory.
		(1, 1),
		(2, 1),
		(0, 1),
		(6, 1),
		(0, 3),
		(7, 1),
		(0, 3),
		(9, 1),
		(0, 3),
		deadline,
		deadline_rest,
	]);
	let start_network = runs(&[
		(2, 1),
		round,
		round_rest,
		(4, 1),
		(0, 3),
		(5, 32),
		// Network.
		(2, 2),
		(0, 1),
		(6, 1),
		(0, 3),
		(7, 1),
		(0, 3),
		(9, 1),
		(0, 3),
		deadline,
		deadline_rest,
	]);
	let echo = runs(&[(10, 1), (6, 32), (7, 32)]);
	let fetch = runs(&[(11, 1), (6, 32), (7, 32), (1, 1), (0, 3), (2, 1), (0, 3)]);
	let deliver = runs(&[(12, 1), (6, 32), (7, 32), (1, 1), (0, 3), (8, 1), (2, 1), (3, 1)]);
	let start_gemm = runs(&[
		(2, 1),
		round,
		round_rest,
		(4, 1),
		(0, 3),
		(5, 32),
		// Products.
		(3, 1),
		(6, 1),
		(0, 3),
		(7, 1),
		(0, 3),
		deadline,
		deadline_rest,
	]);
	let mut entries = runs(&[(13, 1), (6, 32)]);
	entries.extend([8, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
	entries.extend([4, 0, 0, 0, 5, 0, 0, 0, 4, 3, 2, 1]);
	let start_storage = runs(&[
		(2, 1),
		round,
		round_rest,
		(4, 1),
		(0, 3),
		(5, 32),
		// Storage.
		(4, 1),
		(6, 1),
		(0, 3),
		(7, 1),
		(0, 3),
		(2, 1),
		(1, 1),
		(8, 1),
		(0, 3),
		(9, 1),
		(0, 3),
		deadline,
		deadline_rest,
	]);
	let mut read = runs(&[(14, 1), (6, 32)]);
	read.extend([8, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 3, 2, 1]);
	let mut sealed = runs(&[(15, 1), (6, 32)]);
	sealed.extend([4, 1, 0, 0, 0, 2, 0, 0, 0]);
	let memory = [reserve, walk, blocks, open_walk, start_memory];
	let network = [start_network, echo, fetch, deliver];
	let others = [hello, beat, start, open, notice, vec![5]];
	let gemm = [start_gemm, entries];
	let storage = [start_storage, read, sealed];
	let expected = [&others[..], &memory[..], &network[..], &gemm[..], &storage[..]].concat();
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
	let opened = vec![3, 12, 1, 2, 3];
	let walked = runs(&[(7, 1), (8, 32)]);
	let mut status = vec![5, 1, 4, b'1'];
	status.extend(runs(&[(2, 1), (0, 7), (3, 1), (0, 7), (4, 1), (0, 3), (5, 1), (0, 3)]));
	status.extend(runs(&[(6, 1), (0, 7), (7, 1), (0, 7)]));
	let echoed = runs(&[(8, 1), sig]);
	let data = vec![9, 8, 2, 3];
	let received = runs(&[(10, 1), (8, 32)]);
	let others = [welcome, ack, committed, opened, vec![4], status, vec![6, 6], walked];
	let expected = [&others[..], &[echoed, data, received][..]].concat();
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
