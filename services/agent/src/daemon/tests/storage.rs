use super::*;
use crate::{
	compute::{SealPlan, SealedSectors},
	config::StorageConfig,
};
use armature_primitives::challenge::StorageChallenge;
use armature_verifier::challenge::storage::{
	check_sealed, check_stored, sample_sealed, sample_storage, SealedOpening, SealedStorage,
	StoredBlock,
};
use std::num::NonZeroUsize;

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_be_led_through_a_round_of_storage_while_a_lease_runs() {
	let dir = tempfile::tempdir().expect("a directory");
	let sealed = tempfile::tempdir().expect("a directory");
	let (sectors, blocks, compressions) = (2, 100, 2);
	let plan = SealPlan { genesis: GENESIS, device: DEVICE, sectors, blocks, compressions };
	SealedSectors::seal(sealed.path(), plan, NonZeroUsize::MIN, &|| false, |_| ()).expect("sealed");
	let storage = StorageConfig { directory: Some(sealed.path().to_owned()) };
	let config = Config { storage, ..config(dir.path()) };
	let key = DeviceKey::generate(&config.key_path()).expect("a key");
	let service = Service::spawn(key.public()).await;
	let chain = Arc::new(FakeChain::default());
	registered(&chain, &key);
	let (commit_millis, read_millis) = (5_000, 5_000);
	let work = StorageChallenge { sectors, blocks, compressions, commit_millis, read_millis };
	let round = ChallengeTask {
		round: RoundId(1),
		device: DEVICE,
		seed: H256([8; 32]),
		work: Work::Storage(work),
		deadline: clock::now() + 120_000,
	};
	chain.edit(|chain| {
		chain.verifiers = vec![service.address.clone()];
		chain.rounds = vec![round];
		// Looked at five times a second, and never over.
		let phase = LeasePhase::Running { until: 1 };
		chain.leases = vec![LeaseView { id: LeaseId(5), spec: order(), phase }];
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
	let task = task_hash(&round);
	let read = |blocks| ask(ControlRequest::ReadStored { task, blocks });
	let refused = |reason| ControlResponse::Refused { reason };
	assert_eq!(read(vec![(0, 0)]).await, refused(Refusal::NotFound));

	let answer = ask(ControlRequest::StartChallenge { task: round }).await;
	let ControlResponse::Committed { commit, signature } = answer else { panic!("{answer:?}") };
	let domain = Domain::ChallengeCommit;
	assert!(verify_device(domain, &GENESIS, DEVICE, &commit, &key.public(), &signature));
	let storage = SealedStorage::of_round(&round, commit.root).expect("of this kind");
	// The lease is looked at meanwhile.
	tokio::time::sleep(Duration::from_millis(500)).await;

	let wanted = sample_storage(&H256([3; 32]), &storage, 24).expect("in bounds");
	let answer = read(wanted.clone()).await;
	let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
	let found = Vec::<StoredBlock>::decode(&mut &openings[..]).expect("decodes");
	assert_eq!(found.len(), wanted.len());
	for (at, block) in wanted.iter().zip(&found) {
		assert_eq!(check_stored(&storage, *at, block), Ok(()));
	}
	let wanted = sample_sealed(&H256([3; 32]), &storage, 12).expect("in bounds");
	let answer = ask(ControlRequest::OpenSealed { task, blocks: wanted.clone() }).await;
	let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
	let found = Vec::<SealedOpening>::decode(&mut &openings[..]).expect("decodes");
	assert_eq!(found.len(), wanted.len());
	for (at, opening) in wanted.iter().zip(&found) {
		assert_eq!(check_sealed(&GENESIS, DEVICE, &storage, *at, opening), Ok(()));
	}

	// Beyond its share it gets nothing.
	for _ in 1..3 {
		let answer = read(vec![(0, 0)]).await;
		assert!(matches!(answer, ControlResponse::Opened { .. }), "{answer:?}");
	}
	assert_eq!(read(vec![(0, 0)]).await, refused(Refusal::RateLimited));
	stop.send(()).expect("running");
	agent.await.expect("no panic").expect("a clean end");
}
