use super::*;
use crate::{
	chain::{ChallengeStanding, PlantedView},
	config::ChallengeConfig,
	testing::PLANTED_IN,
};
use armature_primitives::{
	challenge::ChallengeFailure,
	device::{CpuScore, Performance},
};
use armature_verifier::challenge::verdict::planted_hash;

fn count(chain: &FakeChain, call: &str) -> usize {
	chain.edit(|chain| chain.calls.iter().filter(|known| **known == call).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_should_announce_use_and_show_a_planted_answer() {
	let dir = tempfile::tempdir().expect("a directory");
	let config = Config {
		challenges: ChallengeConfig { planted_share_ppm: 1_000_000 },
		..config(dir.path())
	};
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let service = Service::spawn(key.public()).await;
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	let round = |id: u64| ChallengeTask {
		round: RoundId(id),
		device: DEVICE,
		seed: H256([8; 32]),
		work: Work::Cpu(CpuChallenge { lanes: 2, segments: 10, steps_per_segment: 16 }),
		deadline: clock::now() + 120_000,
	};
	let first = round(1);
	let now = 10_000_000;
	let cpu = CpuScore { steps_per_second_per_lane: 1, lanes: 2, measured_at: 1 };
	chain.edit(|chain| {
		chain.verifiers = vec![service.address.clone()];
		chain.rounds = vec![first];
		chain.planted = Some(PlantedView {
			announced: None,
			may_show_from: 0,
			opened_in: Some(PLANTED_IN),
			lead_blocks: 64,
			performance: Performance { cpu: Some(cpu), ..Performance::default() },
			now,
		});
	});
	let (stop, stopped) = oneshot::channel::<()>();
	let agent = tokio::spawn(run(config, chain.clone(), async {
		stopped.await.ok();
	}));
	until("an announcement", || count(&chain, "plant") == 1).await;
	until("a request", || count(&chain, "request") == 1).await;
	until("a greeting", || service.seen(|seen| seen.hello.is_some())).await;
	let peer = service.seen(|seen| seen.hello).expect("greeted");
	let ask = |request| {
		let answer = service.handle.control(peer, request, Duration::from_secs(60));
		async move { answer.await.expect("answered") }
	};

	// The first round is answered with work, the second one with what was planted.
	let answer = ask(ControlRequest::StartChallenge { task: first }).await;
	let ControlResponse::Committed { commit: worked, .. } = answer else { panic!("{answer:?}") };
	let second = round(2);
	chain.edit(|chain| {
		chain.rounds = vec![second];
		let view = chain.planted.as_mut().expect("enrolled");
		view.opened_in = Some(PLANTED_IN + 74);
	});
	let answer = ask(ControlRequest::StartChallenge { task: second }).await;
	let ControlResponse::Committed { commit, .. } = answer else { panic!("{answer:?}") };
	assert_eq!(commit.task, task_hash(&second));
	assert_eq!(commit.power.source, worked.power.source);
	let wanted = sample(H256([3; 32]), &second, 5).expect("a sample");
	let open = ControlRequest::OpenSegments {
		round: second.round,
		task: task_hash(&second),
		segments: wanted.clone(),
	};
	let answer = ask(open).await;
	let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
	let openings = Vec::<SegmentOpening>::decode(&mut &openings[..]).expect("decodes");
	let checked = check_openings(&second, commit.root, &wanted, &openings);
	assert_eq!(checked, Err(ChallengeFailure::Malformed));

	// All have sealed, but nobody has said what: it is too early to show it.
	chain.edit(|chain| {
		chain.rounds.clear();
		chain.sealed = vec![second.round];
	});
	tokio::time::sleep(Duration::from_secs(1)).await;
	assert_eq!((count(&chain, "show"), count(&chain, "showing refused")), (0, 0));

	// The round is failed, long before its deadline. No other one is asked for: the score comes back.
	let announced = chain.edit(|chain| {
		chain.sealed.clear();
		chain.standing = ChallengeStanding::Unscored;
		chain.refuse_planted = Some(ChainError::Unavailable("away".into()));
		chain.planted.and_then(|view| view.announced).expect("announced")
	});
	until("attempts", || count(&chain, "showing refused") >= 3).await;
	assert_eq!(count(&chain, "request"), 1);
	chain.edit(|chain| chain.refuse_planted = None);
	until("the next request", || count(&chain, "request") == 2).await;
	let shown = chain.edit(|chain| chain.shown.clone());
	let [(of, root, salt)] = shown.as_slice() else { panic!("{shown:?}") };
	assert_eq!((*of, *root), (second.round, commit.root));
	assert_eq!(planted_hash(DEVICE, root, salt), announced.hash);
	until("the next announcement", || count(&chain, "plant") == 2).await;
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
}
