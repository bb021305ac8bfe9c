//! A whole agent against a service on loopback and a chain in memory.

use super::{
	beating::{acknowledges, until_next_beat},
	standing::is_done,
	*,
};
use crate::{
	chain::{DeviceView, LeasePhase, LeaseView},
	clock,
	config::NetworkConfig,
	store::Store,
	testing::{peer, FakeChain, GENESIS, NONCE},
};
use armature_p2p::{
	messages::{beat_payload, hello_payload, put_payload},
	BlobRequest, BlobResponse, ControlRequest, ControlResponse, Inbound, InboundRequest, Node,
	NodeConfig, PeerId, PutAuth, RateLimit, Refusal, ServiceKind,
};
use armature_primitives::{
	challenge::{ChallengeTask, CpuChallenge, MemoryChallenge, Work},
	device::{DeviceStatus, Tier},
	ed25519,
	lease::RunStatus,
	market::OrderSpec,
	signing::Domain,
	telemetry::{Beat, BeatAck, SLOTS_PER_EPOCH},
	EpochIndex, LeaseId, Ppm, RegionId, RoundId, H256,
};
use armature_verifier::{
	challenge::{
		check_openings,
		fill::FillOpening,
		memory::{check_walk, sample_memory, Walk, WalkOpening},
		sample, task_hash, SegmentOpening,
	},
	evidence::{check_statement, decode, Context},
	signature::verify_device,
};
use codec::Decode;
use sp_core::{ed25519::Pair as EdPair, Pair};
use std::collections::HashMap;
use tokio::sync::oneshot;

mod metrics;
mod network;
mod planted;
mod storage;

const DEVICE: DeviceId = DeviceId(7);

/// The number of the service's peer.
const SERVICE: u8 = 9;

const PRIMES: &[u8] = include_bytes!("../../../../workloads/wasm/prime-count.wasm");

#[test]
fn beats_should_keep_their_place_in_the_slot() {
	for device in [0, 1, 2, 77, u32::MAX] {
		let device = DeviceId(device);
		let mut now = 1_000_000_007;
		let mut last = None;
		for _ in 0..5 {
			now += u64::try_from(until_next_beat(device, 10_000, now).as_millis()).expect("small");
			assert!(now % 10_000 < 5_000, "in the first half");
			if let Some(last) = last {
				assert_eq!(now - last, 10_000);
			}
			last = Some(now);
		}
	}
	// The shortest slot still makes progress.
	assert!(until_next_beat(DeviceId(1), 1, 5) > Duration::ZERO);
}

#[test]
fn an_acknowledgement_should_be_of_the_beat_it_answers() {
	let beat = Beat {
		device: DEVICE,
		epoch: EpochIndex(1),
		slot: 3,
		previous: H256::zero(),
		block_hash: H256([1; 32]),
		telemetry: H256([2; 32]),
		sent_at: 5,
	};
	let ack = BeatAck { head: beat.link(), epoch: EpochIndex(1), slot: 3, received_at: 6 };
	assert!(acknowledges(&ack, &beat));
	assert!(!acknowledges(&BeatAck { slot: 4, ..ack.clone() }, &beat));
	assert!(!acknowledges(&BeatAck { epoch: EpochIndex(2), ..ack.clone() }, &beat));
	assert!(!acknowledges(&BeatAck { head: H256::zero(), ..ack }, &beat));
}

/// What the service of a test saw.
#[derive(Default)]
struct Seen {
	hello: Option<PeerId>,
	beats: Vec<Beat>,
	blobs: HashMap<H256, Vec<u8>>,
}

/// An orchestrator and verifier in one, which checks every signature.
struct Service {
	handle: Handle,
	address: String,
	seen: Arc<Mutex<Seen>>,
}

impl Service {
	async fn spawn(key: ed25519::Public) -> Self {
		let (handle, mut inbound) = Node::spawn(NodeConfig {
			identity: [SERVICE; 32],
			listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
			request_timeout: Duration::from_secs(60),
			max_peers: 8,
			rate: RateLimit { per_second: 1_000, burst: 1_000 },
		})
		.expect("a node");
		let address = handle.listen_addresses().await.expect("listening").remove(0);
		let seen = Arc::new(Mutex::new(Seen::default()));
		let noted = seen.clone();
		tokio::spawn(async move {
			while let Some(Inbound { peer, request, reply }) = inbound.recv().await {
				let mut seen = noted.lock().expect("not poisoned");
				match request {
					InboundRequest::Control(request) => {
						reply.control(answer_control(&mut seen, peer, &key, request))
					},
					InboundRequest::Blob(request) => {
						reply.blob(answer_blob(&mut seen, peer, &key, request))
					},
				}
			}
		});
		Self { handle, address, seen }
	}

	fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
		look(&mut self.seen.lock().expect("not poisoned"))
	}
}

fn verified(key: &ed25519::Public, payload: &[u8], signature: &ed25519::Signature) -> bool {
	EdPair::verify(signature, payload, key)
}

fn answer_control(
	seen: &mut Seen,
	peer: PeerId,
	key: &ed25519::Public,
	request: ControlRequest,
) -> ControlResponse {
	let refused = ControlResponse::Refused { reason: Refusal::BadSignature };
	match request {
		ControlRequest::Hello { device, peer: claimed, sent_at, signature } => {
			let payload = hello_payload(&GENESIS, device, &claimed, sent_at);
			if claimed != peer.to_bytes() || !verified(key, &payload, &signature) {
				return refused;
			}
			seen.hello = Some(peer);
			ControlResponse::Welcome { service: ServiceKind::Orchestrator, now: clock::now() }
		},
		ControlRequest::Beat { beat, signature } => {
			if !verified(key, &beat_payload(&GENESIS, &beat), &signature) {
				return refused;
			}
			let ack = BeatAck {
				head: beat.link(),
				epoch: beat.epoch,
				slot: beat.slot,
				received_at: clock::now(),
			};
			seen.beats.push(beat);
			ControlResponse::BeatAck { ack, signature: ed25519::Signature::default() }
		},
		_ => ControlResponse::Refused { reason: Refusal::Malformed },
	}
}

fn answer_blob(
	seen: &mut Seen,
	peer: PeerId,
	key: &ed25519::Public,
	request: BlobRequest,
) -> BlobResponse {
	match request {
		BlobRequest::Stat { hash } => {
			BlobResponse::Stat { len: seen.blobs.get(&hash).map(|blob| blob.len() as u64) }
		},
		BlobRequest::Get { hash, offset, len } => {
			let from = usize::try_from(offset).expect("small");
			let blob = &seen.blobs[&hash][from..];
			BlobResponse::Chunk { bytes: blob[..blob.len().min(len as usize)].to_vec() }
		},
		BlobRequest::Put { hash, total, bytes, auth, .. } => {
			let payload = put_payload(&GENESIS, &hash, total, &peer.to_bytes());
			let PutAuth::Device { device, signature } = auth else { panic!("not a device") };
			assert_eq!(device, DEVICE);
			assert!(verified(key, &payload, &ed25519::Signature::from_raw(signature)));
			seen.blobs.insert(hash, bytes);
			BlobResponse::Stored { complete: true }
		},
	}
}

fn hash(bytes: &[u8]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(bytes))
}

fn config(data_dir: &std::path::Path) -> Config {
	Config {
		data_dir: data_dir.to_owned(),
		network: NetworkConfig { retry_min_millis: 100, retry_max_millis: 500, max_peers: 8 },
		poll: crate::config::PollConfig { leases_millis: 200, upkeep_millis: 200 },
		..Config::new(DEVICE)
	}
}

fn registered(chain: &FakeChain, key: &DeviceKey) {
	chain.edit(|chain| {
		chain.device = Some(DeviceView {
			key: key.public(),
			status: DeviceStatus::Registered,
			region: RegionId(1),
			memory_mib: 1_024,
		});
		// The service of the test, where it is a verifier at all.
		chain.committee = vec![peer(SERVICE)];
	});
}

fn order() -> OrderSpec {
	OrderSpec {
		module: hash(PRIMES),
		input: hash(b"10000"),
		max_fuel: 10_000_000,
		max_memory_mib: 16,
		max_duration_millis: 60_000,
		max_price_per_gfuel: 1,
		min_tier: Tier::T0,
		min_availability: Ppm(0),
		min_steps_per_second: 0,
		region: None,
		deadline: 0,
	}
}

async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
	let deadline = Instant::now() + Duration::from_secs(60);
	while !is_true() {
		assert!(Instant::now() < deadline, "{what} did not happen in time");
		tokio::time::sleep(Duration::from_millis(20)).await;
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_should_live_a_whole_life() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = config(dir.path());
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let service = Service::spawn(key.public()).await;
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	let round = ChallengeTask {
		round: RoundId(1),
		device: DEVICE,
		seed: H256([8; 32]),
		work: Work::Cpu(CpuChallenge { lanes: 2, segments: 10, steps_per_segment: 16 }),
		deadline: clock::now() + 120_000,
	};
	chain.edit(|chain| {
		// An epoch of 1.2 s.
		chain.slot_millis = 20;
		chain.orchestrators = vec![service.address.clone()];
		chain.verifiers = vec![service.address.clone()];
		chain.rounds = vec![round];
	});
	let (stop, stopped) = oneshot::channel::<()>();
	let agent = tokio::spawn(run(config.clone(), chain.clone(), async {
		stopped.await.ok();
	}));

	// It attests, enrols and asks for its first challenge.
	until("standing", || chain.edit(|chain| chain.calls.contains(&"request"))).await;
	let evidence = chain.edit(|chain| chain.evidence[0].clone());
	let context = Context { genesis: GENESIS, device: DEVICE, key: key.public(), nonce: NONCE };
	check_statement(&decode(&evidence).expect("evidence"), &context)
		.expect("signed for this nonce");

	// It greets and beats.
	until("beats", || service.seen(|seen| seen.beats.len() >= 3)).await;
	let peer = service.seen(|seen| seen.hello).expect("greeted");

	// It answers a challenge and opens what is asked for.
	let wait = Duration::from_secs(60);
	let start = ControlRequest::StartChallenge { task: round };
	let answer = service.handle.control(peer, start, wait).await.expect("answered");
	let ControlResponse::Committed { commit, signature } = answer else {
		panic!("no commitment: {answer:?}")
	};
	let domain = Domain::ChallengeCommit;
	assert!(verify_device(domain, &GENESIS, DEVICE, &commit, &key.public(), &signature));
	let wanted = sample(H256([3; 32]), &round, 5).expect("a sample");
	let open = ControlRequest::OpenSegments {
		round: round.round,
		task: task_hash(&round),
		segments: wanted.clone(),
	};
	let answer = service.handle.control(peer, open, wait).await.expect("answered");
	let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
	let openings = Vec::<SegmentOpening>::decode(&mut &openings[..]).expect("decodes");
	assert_eq!(check_openings(&round, commit.root, &wanted, &openings), Ok(()));

	// It runs a lease and delivers the output.
	service.seen(|seen| {
		for blob in [PRIMES, b"10000"] {
			seen.blobs.insert(hash(blob), blob.to_vec());
		}
	});
	chain.edit(|chain| {
		chain.leases = vec![LeaseView {
			id: LeaseId(5),
			spec: order(),
			phase: LeasePhase::Offered { until: clock::now() + 120_000 },
		}];
	});
	let notice = ControlRequest::LeaseNotice { lease: LeaseId(5) };
	let answer = service.handle.control(peer, notice, wait).await.expect("answered");
	assert_eq!(answer, ControlResponse::Accepted);
	until("a report", || chain.edit(|chain| !chain.reports.is_empty())).await;
	let report = chain.edit(|chain| chain.reports[0].1);
	assert_eq!((report.status, report.output), (RunStatus::Success, hash(b"1229\n")));
	assert!(service.seen(|seen| seen.blobs.contains_key(&report.output)));

	// Its leaves say what its beats said.
	until("leaves", || chain.edit(|chain| chain.leaves.len() >= 2)).await;
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
	let beats = service.seen(|seen| std::mem::take(&mut seen.beats));
	let leaves = chain.edit(|chain| chain.leaves.clone());
	for (leaf, signature) in &leaves {
		assert!(verify_device(Domain::Leaf, &GENESIS, DEVICE, leaf, &key.public(), signature));
		assert_eq!(leaf.slots >> SLOTS_PER_EPOCH, 0);
		for beat in beats.iter().filter(|beat| beat.epoch == leaf.epoch) {
			assert_ne!(leaf.slots & (1 << beat.slot), 0, "a delivered beat is missing");
		}
	}
	let mut epochs: Vec<_> = leaves.iter().map(|(leaf, _)| leaf.epoch).collect();
	let submitted = epochs.len();
	epochs.dedup();
	assert_eq!(epochs.len(), submitted, "one leaf an epoch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_be_led_through_a_round_of_memory() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = config(dir.path());
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let service = Service::spawn(key.public()).await;
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	let round = ChallengeTask {
		round: RoundId(1),
		device: DEVICE,
		seed: H256([8; 32]),
		work: Work::Memory(MemoryChallenge { lanes: 2, blocks: 40, segments: 6, reads: 5 }),
		deadline: clock::now() + 120_000,
	};
	chain.edit(|chain| {
		chain.verifiers = vec![service.address.clone()];
		chain.rounds = vec![round];
	});
	let (stop, stopped) = oneshot::channel::<()>();
	let agent = tokio::spawn(run(config, chain.clone(), async {
		stopped.await.ok();
	}));
	until("a greeting", || service.seen(|seen| seen.hello.is_some())).await;
	let peer = service.seen(|seen| seen.hello).expect("greeted");
	let ask = |request| {
		let answer = service.handle.control(peer, request, Duration::from_secs(60));
		async move { answer.await.expect("answered") }
	};
	let refused = |reason| ControlResponse::Refused { reason };
	let (task, start) = (task_hash(&round), H256([4; 32]));

	// Nothing is filled yet.
	assert_eq!(ask(ControlRequest::ReserveWalk { task }).await, refused(Refusal::NotFound));
	let answer = ask(ControlRequest::StartChallenge { task: round }).await;
	let ControlResponse::Committed { commit, signature } = answer else { panic!("{answer:?}") };
	let domain = Domain::ChallengeCommit;
	assert!(verify_device(domain, &GENESIS, DEVICE, &commit, &key.public(), &signature));

	// One walk, in its turn.
	let walk = || ask(ControlRequest::Walk { task, key: start });
	assert_eq!(walk().await, refused(Refusal::NotAssigned));
	assert_eq!(ask(ControlRequest::ReserveWalk { task }).await, ControlResponse::Accepted);
	let answer = walk().await;
	let ControlResponse::Walked { ends } = answer else { panic!("{answer:?}") };
	assert_eq!(walk().await, refused(Refusal::NotAssigned));

	// What was drawn after it is opened, and right.
	let walk = Walk::of_task(&round, start, commit.root, ends).expect("of this kind");
	let (positions, segments) = sample_memory(&H256([3; 32]), &walk, 5).expect("in bounds");
	let answer = ask(ControlRequest::OpenBlocks { task, positions: positions.clone() }).await;
	let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
	let openings = Vec::<FillOpening>::decode(&mut &openings[..]).expect("decodes");
	assert_eq!(openings.len(), positions.len());
	for opening in &openings {
		assert_eq!(walk.check_fill(opening), Ok(()));
	}
	let open = |key| ask(ControlRequest::OpenWalk { task, key, segments: segments.clone() });
	assert_eq!(open(H256::zero()).await, refused(Refusal::NotFound));
	let answer = open(start).await;
	let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
	let openings = Vec::<WalkOpening>::decode(&mut &openings[..]).expect("decodes");
	let found: Vec<_> = openings.iter().map(|found| (found.lane, found.segment)).collect();
	assert_eq!(found, segments);
	for opening in &openings {
		assert_eq!(check_walk(&walk, opening), Ok(()));
	}

	// A workload gets the memory, though the round is still there.
	chain.edit(|chain| {
		let phase = LeasePhase::Acknowledged { until: clock::now() + 120_000 };
		chain.leases = vec![LeaseView { id: LeaseId(5), spec: order(), phase }];
	});
	let deadline = Instant::now() + Duration::from_secs(60);
	loop {
		let open = ControlRequest::OpenBlocks { task, positions: vec![0] };
		match ask(open).await {
			ControlResponse::Refused { reason: Refusal::NotFound } => break,
			// It may ask so often only, but for what is there.
			other => assert!(Instant::now() < deadline, "{other:?}"),
		}
		tokio::time::sleep(Duration::from_millis(50)).await;
	}
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_should_get_nothing() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = config(dir.path());
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let service = Service::spawn(key.public()).await;
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	// An orchestrator, but no verifier.
	chain.edit(|chain| chain.orchestrators = vec![service.address.clone()]);
	let (stop, stopped) = oneshot::channel::<()>();
	let agent = tokio::spawn(run(config, chain.clone(), async {
		stopped.await.ok();
	}));
	until("a greeting", || service.seen(|seen| seen.hello.is_some())).await;
	let peer = service.seen(|seen| seen.hello).expect("greeted");
	let ask = |request| service.handle.control(peer, request, Duration::from_secs(10));
	let refused = |reason| ControlResponse::Refused { reason };
	let task = ChallengeTask {
		round: RoundId(1),
		device: DEVICE,
		seed: H256::zero(),
		work: Work::Cpu(CpuChallenge { lanes: 1, segments: 1, steps_per_segment: 1 }),
		deadline: u64::MAX,
	};
	let answer = ask(ControlRequest::StartChallenge { task }).await.expect("answered");
	assert_eq!(answer, refused(Refusal::NotAssigned));
	let (task, key) = (task_hash(&task), H256([4; 32]));
	for request in [
		ControlRequest::OpenSegments { round: RoundId(1), task, segments: vec![(0, 0)] },
		ControlRequest::ReserveWalk { task },
		ControlRequest::Walk { task, key },
		ControlRequest::OpenBlocks { task, positions: vec![0] },
		ControlRequest::OpenWalk { task, key, segments: vec![(0, 0)] },
		ControlRequest::ReadStored { task, blocks: vec![(0, 0)] },
		ControlRequest::OpenSealed { task, blocks: vec![(0, 0)] },
		ControlRequest::Echo { task, nonce: key },
		ControlRequest::Fetch { task, key, number: 0, len: 1 },
		ControlRequest::Deliver { task, key, number: 0, data: vec![1] },
	] {
		assert_eq!(ask(request).await.expect("answered"), refused(Refusal::NotAssigned));
	}
	let stat = BlobRequest::Stat { hash: H256::zero() };
	let answer = service
		.handle
		.blob(peer, stat, Duration::from_secs(10))
		.await
		.expect("answered");
	assert_eq!(answer, BlobResponse::Refused { reason: Refusal::NotFound });
	assert!(matches!(
		ask(ControlRequest::Status).await.expect("answered"),
		ControlResponse::Status { .. }
	));
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_should_leave_the_store_free() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = config(dir.path());
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let service = Service::spawn(key.public()).await;
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	// More work than any attempt takes.
	let round = ChallengeTask {
		round: RoundId(1),
		device: DEVICE,
		seed: H256([8; 32]),
		work: Work::Cpu(CpuChallenge { lanes: 1, segments: 100_000, steps_per_segment: 8_192 }),
		deadline: clock::now() + 600_000,
	};
	chain.edit(|chain| {
		chain.slot_millis = 20;
		chain.orchestrators = vec![service.address.clone()];
		chain.verifiers = vec![service.address.clone()];
		chain.rounds = vec![round];
	});
	let wait = Duration::from_secs(60);
	for _ in 0..5 {
		service.seen(|seen| *seen = Seen::default());
		let (stop, stopped) = oneshot::channel::<()>();
		let agent = tokio::spawn(run(config.clone(), chain.clone(), async {
			stopped.await.ok();
		}));
		until("beats", || service.seen(|seen| seen.beats.len() >= 3)).await;
		let peer = service.seen(|seen| seen.hello).expect("greeted");
		let handle = service.handle.clone();
		let start = ControlRequest::StartChallenge { task: round };
		let asked = tokio::spawn(async move { handle.control(peer, start, wait).await });
		let in_flight = async {
			loop {
				let answer = service.handle.control(peer, ControlRequest::Status, wait).await;
				match answer.expect("answered") {
					ControlResponse::Status { report } if report.in_flight > 0 => return,
					_ => tokio::time::sleep(Duration::from_millis(50)).await,
				}
			}
		};
		tokio::time::timeout(wait, in_flight).await.expect("begun");
		stop.send(()).expect("running");
		agent.await.expect("no panic").expect("a clean end");
		Store::open(&config.store_path(), &GENESIS, DEVICE).expect("free");
		let answer = asked.await.expect("no panic");
		assert!(!matches!(answer, Ok(ControlResponse::Committed { .. })), "{answer:?}");
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_should_not_start_for_a_device_that_is_not_its_own() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = config(dir.path());
	let chain = Arc::new(FakeChain::default());
	let go = |chain: &Arc<FakeChain>| run(config.clone(), chain.clone(), std::future::pending());
	assert!(matches!(go(&chain).await, Err(AgentError::Key(KeyError::Missing(_)))));
	DeviceKey::generate(&config.key_path()).expect("a key");
	assert!(matches!(go(&chain).await, Err(AgentError::NotRegistered(DEVICE))));
	registered(&chain, &DeviceKey::from_seed(&[1; 32]));
	assert!(matches!(go(&chain).await, Err(AgentError::WrongKey(DEVICE, _))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_should_wait_for_its_chain_and_stop_when_asked() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = config(dir.path());
	DeviceKey::generate(&config.key_path()).expect("a key");
	let chain = Arc::new(FakeChain::default());
	chain.edit(|chain| chain.down = true);
	let soon = tokio::time::sleep(Duration::from_millis(200));
	run(config, chain, soon).await.expect("stopped while waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_leaves_should_be_given_up_after_some_attempts() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = config(dir.path());
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	chain.edit(|chain| {
		chain.slot_millis = 20;
		chain.refuse_leaves = true;
	});
	let refusals = |chain: &FakeChain| {
		chain.edit(|chain| chain.calls.iter().filter(|call| **call == "leaf refused").count())
	};
	let (stop, stopped) = oneshot::channel::<()>();
	let agent = tokio::spawn(run(config, chain.clone(), async {
		stopped.await.ok();
	}));
	until("refusals", || refusals(&chain) >= 3).await;
	chain.edit(|chain| chain.refuse_leaves = false);
	until("a later leaf", || chain.edit(|chain| !chain.leaves.is_empty())).await;
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
}

#[test]
fn refused_requests_should_count_as_settled_where_they_are() {
	let refused = |reason: &str| {
		let text = format!("Challenges.request_challenge was refused: {reason}");
		is_done(Err(ChainError::Rejected(text)))
	};
	assert!(matches!(is_done(Ok(())), Ok(true)));
	for name in ["AlreadyRequested", "RoundOpen", "ScoreValid", "CoolingDown", "Resting"] {
		assert!(matches!(refused(&format!("Challenges.{name}: Why.")), Ok(false)), "{name}");
	}
	for reason in [
		"Challenges.NotOperator: No.",
		"Challenges.NotOperator: No Challenges.Resting: either.",
		"Challenges.RestingNot: No.",
		"Devices.Resting: No.",
		"Resting",
	] {
		assert!(matches!(refused(reason), Err(ChainError::Rejected(_))), "{reason}");
	}
	let away = is_done(Err(ChainError::Unavailable("Resting".into())));
	assert!(matches!(away, Err(ChainError::Unavailable(_))));
}
