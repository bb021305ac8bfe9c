//! Disputed leases are run again.

use super::{restart::wait_for, *};
use armature_p2p::{BlobRequest, BlobResponse};
use armature_primitives::{device::Tier, lease::RunStatus, market::OrderSpec};
use std::collections::HashSet;

/// `_start` traps.
const TRAPPING: &[u8] = &[
	0, b'a', b's', b'm', 1, 0, 0, 0, // header
	1, 4, 1, 0x60, 0, 0, // type 0: nothing to nothing
	3, 2, 1, 0, // function 0 has type 0
	7, 10, 1, 6, b'_', b's', b't', b'a', b'r', b't', 0, 0, // exported as _start
	10, 5, 1, 3, 0, 0x00, 0x0b, // its body: unreachable
];

/// Copies its input to its output.
const ECHO: &[u8] = include_bytes!("../../../../workloads/wasm/echo.wasm");

fn hash_of(bytes: &[u8]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(bytes))
}

/// A node that serves blobs as an orchestrator does.
async fn blob_node(seed: u8, blobs: &[&[u8]]) -> (Handle, String) {
	let (handle, mut inbound) = Node::spawn(NodeConfig {
		identity: [seed; 32],
		listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
		request_timeout: WAIT,
		max_peers: 4,
		rate: RateLimit::default(),
	})
	.unwrap();
	let blobs: HashMap<H256, Vec<u8>> =
		blobs.iter().map(|bytes| (hash_of(bytes), bytes.to_vec())).collect();
	tokio::spawn(async move {
		while let Some(Inbound { request, reply, .. }) = inbound.recv().await {
			match request {
				InboundRequest::Blob(BlobRequest::Stat { hash }) => {
					let len = blobs.get(&hash).map(|bytes| u64::try_from(bytes.len()).unwrap());
					reply.blob(BlobResponse::Stat { len });
				},
				InboundRequest::Blob(BlobRequest::Get { hash, offset, len }) => {
					let start = usize::try_from(offset).unwrap();
					let rest = &blobs[&hash][start..];
					let end = rest.len().min(usize::try_from(len).unwrap());
					reply.blob(BlobResponse::Chunk { bytes: rest[..end].to_vec() });
				},
				_ => reply.refuse(Refusal::NotAssigned),
			}
		}
	});
	let address = handle.listen_addresses().await.unwrap().remove(0);
	(handle, address)
}

fn dispute(lease: u64, module: &[u8], input: &[u8], orchestrators: Vec<String>) -> Dispute {
	Dispute {
		lease: LeaseId(lease),
		spec: OrderSpec {
			module: hash_of(module),
			input: hash_of(input),
			max_fuel: 100_000_000,
			max_memory_mib: 64,
			max_duration_millis: 20_000,
			max_price_per_gfuel: 1,
			min_tier: Tier::T0,
			min_availability: Ppm(0),
			min_steps_per_second: 0,
			region: None,
			deadline: 0,
		},
		orchestrators,
		resolve_by: unix_millis() + 60_000,
	}
}

async fn settled(chain: &MemoryChain, count: usize) {
	wait_for(|| chain.reports.lock().unwrap().len() >= count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disputes_should_be_settled_by_running_the_module_again() {
	let input = b"what goes in comes out".as_slice();
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	// The first orchestrator is away, the second knows part, the third the rest.
	let (gone, away) = blob_node(201, &[]).await;
	gone.shutdown().await;
	let (_first, one) = blob_node(202, &[ECHO, b"no module at all"]).await;
	let (_second, two) = blob_node(203, &[TRAPPING, input]).await;
	let all = vec![away, one, two];
	let mut starved = dispute(4, ECHO, input, all.clone());
	starved.spec.max_fuel = 10;
	*chain.disputes.lock().unwrap() = vec![
		dispute(1, ECHO, input, all.clone()),
		dispute(2, TRAPPING, input, all.clone()),
		dispute(3, b"no module at all", input, all),
		starved,
	];
	settled(&chain, 4).await;
	verifier.stop().await;
	let reports = chain.reports.lock().unwrap();
	let echoed = reports[&LeaseId(1)];
	assert_eq!(echoed.status, RunStatus::Success);
	assert_eq!((echoed.output, echoed.output_len), (hash_of(input), 22));
	assert!((1..100_000_000).contains(&echoed.fuel), "{}", echoed.fuel);
	let trapped = reports[&LeaseId(2)];
	assert_eq!((trapped.status, trapped.output), (RunStatus::Trapped, hash_of(&[])));
	let invalid = reports[&LeaseId(3)];
	assert_eq!((invalid.status, invalid.fuel), (RunStatus::Trapped, 0));
	let starved = reports[&LeaseId(4)];
	assert_eq!((starved.status, starved.fuel), (RunStatus::OutOfFuel, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dispute_should_be_left_alone_when_it_cannot_be_settled() {
	let input = b"x".as_slice();
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	let verifier = start(dir.path(), &chain).await;
	let (_node, address) = blob_node(202, &[ECHO, input]).await;
	let mut hungry = dispute(1, ECHO, input, vec![address.clone()]);
	hungry.spec.max_memory_mib = 1 << 20;
	let mut expired = dispute(2, ECHO, input, vec![address.clone()]);
	expired.resolve_by = unix_millis();
	let blobless = dispute(3, b"nobody has this", input, vec![address.clone()]);
	let homeless = dispute(4, ECHO, input, vec![]);
	let fine = dispute(5, ECHO, input, vec![address]);
	*chain.disputes.lock().unwrap() = vec![hungry, expired, blobless, homeless, fine];
	settled(&chain, 1).await;
	// Several more looks change nothing.
	tokio::time::sleep(Duration::from_millis(300)).await;
	let reported: HashSet<_> = chain.reports.lock().unwrap().keys().copied().collect();
	assert_eq!(reported, HashSet::from([LeaseId(5)]));
	verifier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_should_be_posted_after_a_restart_without_running_again() {
	let input = b"x".as_slice();
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	chain.is_deaf.store(true, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	let (node, address) = blob_node(202, &[ECHO, input]).await;
	*chain.disputes.lock().unwrap() = vec![dispute(1, ECHO, input, vec![address])];
	wait_for(|| chain.calls.load(Ordering::SeqCst) > 0).await;
	verifier.stop().await;
	// The blobs are gone: only the journal can know.
	node.shutdown().await;
	chain.is_deaf.store(false, Ordering::SeqCst);
	let verifier = start(dir.path(), &chain).await;
	settled(&chain, 1).await;
	assert_eq!(chain.reports.lock().unwrap()[&LeaseId(1)].status, RunStatus::Success);
	verifier.stop().await;
}
