use super::*;
use armature_p2p::messages::MAX_DATA_LEN;
use armature_primitives::challenge::NetworkChallenge;
use armature_verifier::challenge::network::{check_echo, chunk, receipt, Direction};
use futures::future::join_all;

/// The most echoes that a round can have: with those of a second attempt more than a peer may ask at once
/// where nothing else is set.
const NETWORK: NetworkChallenge =
	NetworkChallenge { echoes: 64, lead_millis: 500, transfer_millis: 100, transfer_kib: 960 };

/// Requests that the test has on their way at once.
const AT_ONCE: u32 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_be_led_through_a_round_about_its_way() {
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
		work: Work::Network(NETWORK),
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
	let (task, data_key) = (task_hash(&round), H256([4; 32]));
	let nonce = |number: u32| {
		let mut nonce = [0; 32];
		nonce[..4].copy_from_slice(&number.to_le_bytes());
		H256(nonce)
	};
	let echo = |number: u32| ask(ControlRequest::Echo { task, nonce: nonce(number) });

	// Nothing is committed to yet.
	assert_eq!(echo(0).await, refused(Refusal::NotFound));
	let answer = ask(ControlRequest::StartChallenge { task: round }).await;
	let ControlResponse::Committed { commit, signature } = answer else { panic!("{answer:?}") };
	let domain = Domain::ChallengeCommit;
	assert!(verify_device(domain, &GENESIS, DEVICE, &commit, &key.public(), &signature));

	// All echoes of two attempts, and eight more.
	for batch in 0..9 {
		let numbers = batch * AT_ONCE..(batch + 1) * AT_ONCE;
		let answers = join_all(numbers.clone().map(echo)).await;
		for (number, answer) in numbers.zip(answers) {
			let ControlResponse::Echoed { signature } = answer else { panic!("{answer:?}") };
			assert!(check_echo(&GENESIS, &round, &key.public(), nonce(number), &signature));
		}
	}
	let answer = echo(135).await;
	assert!(matches!(answer, ControlResponse::Echoed { .. }), "{answer:?}");
	assert_eq!(echo(136).await, refused(Refusal::RateLimited));

	// The longest chunks, several at once, each way.
	let len = u32::try_from(MAX_DATA_LEN).expect("small");
	let fetch = |number: u32| ask(ControlRequest::Fetch { task, key: data_key, number, len });
	for (number, answer) in (0u32..).zip(join_all((0..8).map(fetch)).await) {
		let data = chunk(Direction::Up, &task, &data_key, number, len);
		assert!(answer == ControlResponse::Data { data }, "chunk {number}");
	}
	assert_eq!(fetch(8).await, refused(Refusal::RateLimited));
	let data_of = |number: u32| chunk(Direction::Down, &task, &data_key, number, len);
	let deliver = |number: u32| {
		let data = data_of(number);
		ask(ControlRequest::Deliver { task, key: data_key, number, data })
	};
	for (number, answer) in (0u32..).zip(join_all((0..8).map(deliver)).await) {
		let receipt = receipt(&task, &data_key, number, &data_of(number));
		assert_eq!(answer, ControlResponse::Received { receipt });
	}
	assert_eq!(deliver(8).await, refused(Refusal::RateLimited));
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
}
