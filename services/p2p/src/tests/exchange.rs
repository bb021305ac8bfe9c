//! Well-behaved peers.

use super::{address, config, pair, serve, WAIT};
use crate::{
	get_blob,
	messages::{
		testing::{blob_requests, blob_responses, control_requests, control_responses},
		MAX_CHUNK_LEN,
	},
	put_blob, BlobRequest, BlobResponse, ControlRequest, ControlResponse, InboundRequest, Node,
	P2pError, PutAuth, Refusal,
};
use armature_primitives::{LeaseId, RoundId, H256};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex},
	time::Duration,
};

#[tokio::test]
async fn every_control_message_should_arrive_as_it_was_sent() {
	let (client, peer, _server, mut inbound) = pair(config(1), config(2)).await;
	let me = client.peer_id();
	// Whichever are fewer are repeated for the rest of the others.
	let (requests, responses) = (control_requests(), control_responses());
	let count = requests.len().max(responses.len());
	let exchanges = requests.into_iter().cycle().zip(responses.into_iter().cycle());
	for (request, response) in exchanges.take(count) {
		let (sent, answer) = (request.clone(), response.clone());
		let exchange = client.control(peer, request, WAIT);
		let answering = async {
			let incoming = inbound.recv().await.unwrap();
			assert_eq!(incoming.peer, me);
			assert_eq!(incoming.request, InboundRequest::Control(sent));
			incoming.reply.control(answer);
		};
		let (received, ()) = tokio::join!(exchange, answering);
		assert_eq!(received.unwrap(), response);
	}
}

#[tokio::test]
async fn every_blob_message_should_arrive_as_it_was_sent_over_quic() {
	let mut server = config(2);
	server.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".into()];
	let (client, peer, _server, mut inbound) = pair(config(1), server).await;
	let responses = blob_responses();
	let requests: Vec<_> = blob_requests().into_iter().cycle().take(responses.len()).collect();
	for (request, response) in requests.into_iter().zip(responses) {
		let (sent, answer) = (request.clone(), response.clone());
		let exchange = client.blob(peer, request, WAIT);
		let answering = async {
			let incoming = inbound.recv().await.unwrap();
			assert_eq!(incoming.request, InboundRequest::Blob(sent));
			incoming.reply.blob(answer);
		};
		let (received, ()) = tokio::join!(exchange, answering);
		assert_eq!(received.unwrap(), response);
	}
}

#[tokio::test]
async fn server_should_ask_the_client_over_the_clients_connection() {
	let (server, _server_inbound) = Node::spawn(config(2)).unwrap();
	let mut dialer = config(1);
	dialer.listen.clear();
	let (client, inbound) = Node::spawn(dialer).unwrap();
	assert_eq!(client.listen_addresses().await.unwrap(), Vec::<String>::new());
	client.dial(&address(&server).await).await.unwrap();
	serve(inbound, |_| ControlResponse::Accepted, |_| BlobResponse::Stat { len: None });
	wait_until(|| server.is_connected(&client.peer_id())).await;
	let notice = ControlRequest::LeaseNotice { lease: LeaseId(1) };
	let response = server.control(client.peer_id(), notice, WAIT).await;
	assert_eq!(response.unwrap(), ControlResponse::Accepted);
}

#[tokio::test]
async fn slow_request_should_time_out_and_not_block_others() {
	let (client, peer, _server, mut inbound) = pair(config(1), config(2)).await;
	tokio::spawn(async move {
		let mut kept = Vec::new();
		while let Some(incoming) = inbound.recv().await {
			if incoming.request == InboundRequest::Control(ControlRequest::Status) {
				incoming.reply.control(ControlResponse::Accepted);
			} else {
				kept.push(incoming);
			}
		}
	});
	let open =
		ControlRequest::OpenSegments { round: RoundId(1), task: H256::zero(), segments: vec![] };
	let slow = client.control(peer, open, Duration::from_millis(700));
	let quick = async {
		tokio::time::sleep(Duration::from_millis(100)).await;
		client.control(peer, ControlRequest::Status, Duration::from_millis(500)).await
	};
	let (slow, quick) = tokio::join!(slow, quick);
	assert!(matches!(slow, Err(P2pError::Timeout)));
	assert_eq!(quick.unwrap(), ControlResponse::Accepted);
}

#[tokio::test]
async fn dropped_reply_should_be_answered_as_a_failure() {
	let (client, peer, _server, mut inbound) = pair(config(1), config(2)).await;
	tokio::spawn(async move {
		while let Some(incoming) = inbound.recv().await {
			drop(incoming);
		}
	});
	let response = client.control(peer, ControlRequest::Status, WAIT).await.unwrap();
	assert_eq!(response, ControlResponse::Refused { reason: Refusal::Internal });
}

#[tokio::test]
async fn requests_should_fail_when_there_is_no_connection() {
	let (client, peer, server, _inbound) = pair(config(1), config(2)).await;
	let address = address(&server).await;
	assert!(client.is_connected(&peer));
	client.disconnect(peer).await.unwrap();
	wait_until(|| !client.is_connected(&peer)).await;
	let response = client.control(peer, ControlRequest::Status, WAIT).await;
	assert!(matches!(response, Err(P2pError::NotConnected(p)) if p == peer));

	server.shutdown().await;
	assert!(matches!(server.listen_addresses().await, Err(P2pError::Closed)));
	assert!(matches!(client.dial(&address).await, Err(P2pError::Dial(_))));
}

#[tokio::test]
async fn dial_should_refuse_bad_addresses_and_other_peers() {
	let (server, _inbound) = Node::spawn(config(2)).unwrap();
	let (client, _) = Node::spawn(config(1)).unwrap();
	let address = address(&server).await;
	assert!(matches!(client.dial("nonsense").await, Err(P2pError::Address { .. })));
	let bare = address.split("/p2p/").next().unwrap();
	assert!(matches!(client.dial(bare).await, Err(P2pError::MissingPeerId(_))));
	let (other, _) = Node::spawn(config(3)).unwrap();
	let wrong = format!("{bare}/p2p/{}", other.peer_id());
	assert!(matches!(client.dial(&wrong).await, Err(P2pError::Dial(_))));
}

#[tokio::test]
async fn own_messages_should_be_refused_before_sending_when_out_of_bounds() {
	let (client, peer, _server, _inbound) = pair(config(1), config(2)).await;
	let request = BlobRequest::Get { hash: H256::zero(), offset: 0, len: MAX_CHUNK_LEN + 1 };
	let response = client.blob(peer, request, WAIT).await;
	assert!(matches!(response, Err(P2pError::OutOfBounds { .. })));
}

#[tokio::test]
async fn node_should_refuse_connections_over_its_limit() {
	let mut server = config(2);
	server.max_peers = 1;
	let (first, peer, server, inbound) = pair(config(1), server).await;
	serve(inbound, |_| ControlResponse::Accepted, |_| BlobResponse::Stat { len: None });
	let (second, _) = Node::spawn(config(3)).unwrap();
	// The dialler's side may come up for an instant, but no request gets through.
	if let Ok(peer) = second.dial(&address(&server).await).await {
		assert!(second.control(peer, ControlRequest::Status, WAIT).await.is_err());
	}
	assert!(!server.is_connected(&second.peer_id()));
	assert!(first.control(peer, ControlRequest::Status, WAIT).await.is_ok());
}

type Blobs = Arc<Mutex<HashMap<H256, Vec<u8>>>>;

/// A store that trusts everyone, enough for the helpers. It is whole when as long as announced.
fn store(request: BlobRequest, blobs: &Blobs, totals: &Mutex<HashMap<H256, u64>>) -> BlobResponse {
	let mut blobs = blobs.lock().unwrap();
	match request {
		BlobRequest::Stat { hash } => {
			let len = blobs.get(&hash).map(|bytes| u64::try_from(bytes.len()).unwrap());
			BlobResponse::Stat { len }
		},
		BlobRequest::Get { hash, offset, len } => {
			let bytes = blobs.get(&hash).unwrap();
			let start = usize::try_from(offset).unwrap();
			let end = bytes.len().min(start + usize::try_from(len).unwrap());
			BlobResponse::Chunk { bytes: bytes[start..end].to_vec() }
		},
		BlobRequest::Put { hash, total, offset, bytes, .. } => {
			totals.lock().unwrap().insert(hash, total);
			let blob = blobs.entry(hash).or_default();
			assert_eq!(u64::try_from(blob.len()).unwrap(), offset);
			blob.extend(bytes);
			BlobResponse::Stored { complete: u64::try_from(blob.len()).unwrap() == total }
		},
	}
}

#[tokio::test]
async fn blobs_should_survive_the_way_there_and_back() {
	let (client, peer, _server, inbound) = pair(config(1), config(2)).await;
	let blobs = Blobs::default();
	let (shared, totals) = (blobs.clone(), Mutex::default());
	serve(inbound, |_| ControlResponse::Accepted, move |request| store(request, &shared, &totals));
	let genesis = H256([9; 32]);
	let auth = |_: &[u8]| PutAuth::Account { account: [1; 32], signature: [2; 64] };
	let chunk = usize::try_from(MAX_CHUNK_LEN).unwrap();
	for len in [0, 1, chunk, chunk + 1, 3 * chunk - 1] {
		let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
		let hash = put_blob(&client, peer, genesis, &bytes, auth).await.unwrap();
		// A second upload sends nothing: the store above would fail on its offset.
		assert_eq!(put_blob(&client, peer, genesis, &bytes, auth).await.unwrap(), hash);
		let max = u64::try_from(len).unwrap();
		assert_eq!(get_blob(&client, peer, hash, max).await.unwrap(), bytes);
		if let Some(less) = max.checked_sub(1) {
			let error = get_blob(&client, peer, hash, less).await.unwrap_err();
			assert!(matches!(error, P2pError::BlobTooLarge { len, max } if len > max));
		}
	}
	let missing = get_blob(&client, peer, H256([7; 32]), 10).await;
	assert!(matches!(missing, Err(P2pError::BlobNotFound)));

	// GIVEN a store that serves other bytes under a name
	let forged = H256([8; 32]);
	blobs.lock().unwrap().insert(forged, vec![1, 2, 3]);
	let error = get_blob(&client, peer, forged, 10).await.unwrap_err();
	assert!(matches!(error, P2pError::HashMismatch));
}

#[tokio::test]
async fn put_blob_should_report_a_refusal() {
	let (client, peer, _server, inbound) = pair(config(1), config(2)).await;
	serve(
		inbound,
		|_| ControlResponse::Accepted,
		|request| match request {
			BlobRequest::Stat { .. } => BlobResponse::Stat { len: None },
			_ => BlobResponse::Refused { reason: Refusal::QuotaExceeded },
		},
	);
	let auth = |_: &[u8]| PutAuth::Account { account: [1; 32], signature: [2; 64] };
	let error = put_blob(&client, peer, H256::zero(), b"x", auth).await.unwrap_err();
	assert!(matches!(error, P2pError::Refused(Refusal::QuotaExceeded)));
}

pub(super) async fn wait_until(condition: impl Fn() -> bool) {
	for _ in 0..500 {
		if condition() {
			return;
		}
		tokio::time::sleep(Duration::from_millis(10)).await;
	}
	panic!("condition did not come true in 5 s");
}
