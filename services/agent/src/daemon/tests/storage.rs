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

/// An agent with sealed sectors, which a verifier is to ask for.
struct Bed {
	dir: tempfile::TempDir,
	sealed: tempfile::TempDir,
	key: DeviceKey,
	service: Service,
	chain: Arc<FakeChain>,
	round: ChallengeTask,
}

impl Bed {
	async fn new() -> Self {
		let dir = tempfile::tempdir().expect("a directory");
		let sealed = tempfile::tempdir().expect("a directory");
		let (sectors, blocks, compressions) = (2, 100, 2);
		let plan = SealPlan { genesis: GENESIS, device: DEVICE, sectors, blocks, compressions };
		SealedSectors::seal(sealed.path(), plan, NonZeroUsize::MIN, &|| false, |_| ())
			.expect("sealed");
		let key = DeviceKey::generate(&config(dir.path()).key_path()).expect("a key");
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
		});
		Self { dir, sealed, key, service, chain, round }
	}

	/// Starts the agent, and waits until it has greeted. Returns how to stop it.
	async fn start(&self, network: NetworkConfig) -> (PeerId, impl AsyncFnOnce()) {
		let storage = StorageConfig { directory: Some(self.sealed.path().to_owned()) };
		let config = Config { storage, network, ..config(self.dir.path()) };
		let (stop, stopped) = oneshot::channel::<()>();
		let agent = tokio::spawn(run(config, self.chain.clone(), async {
			stopped.await.ok();
		}));
		let peer = self.greeted().await;
		let stop = async move || {
			stop.send(()).expect("running");
			agent.await.expect("no panic").expect("a clean end");
		};
		(peer, stop)
	}

	/// The agent's peer, once it has greeted anew.
	async fn greeted(&self) -> PeerId {
		let seen = || self.service.seen(|seen| seen.hello);
		until("a greeting", || seen().is_some()).await;
		let peer = seen().expect("greeted");
		self.service.seen(|seen| seen.hello = None);
		peer
	}

	async fn ask(&self, peer: PeerId, request: ControlRequest) -> ControlResponse {
		let answer = self.service.handle.control(peer, request, Duration::from_secs(60)).await;
		answer.expect("answered")
	}

	/// What the agent commits to.
	async fn committed(&self, peer: PeerId) -> SealedStorage {
		let answer = self.ask(peer, ControlRequest::StartChallenge { task: self.round }).await;
		let ControlResponse::Committed { commit, signature } = answer else { panic!("{answer:?}") };
		let (domain, key) = (Domain::ChallengeCommit, self.key.public());
		assert!(verify_device(domain, &GENESIS, DEVICE, &commit, &key, &signature));
		SealedStorage::of_round(&self.round, commit.root).expect("of this kind")
	}

	async fn read(&self, peer: PeerId, blocks: Vec<(u32, u32)>) -> ControlResponse {
		let task = task_hash(&self.round);
		self.ask(peer, ControlRequest::ReadStored { task, blocks }).await
	}

	/// Has blocks read, as a verifier does.
	async fn has_read(&self, peer: PeerId, storage: &SealedStorage) {
		let wanted = sample_storage(&H256([3; 32]), storage, 24).expect("in bounds");
		let answer = self.read(peer, wanted.clone()).await;
		let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
		let found = Vec::<StoredBlock>::decode(&mut &openings[..]).expect("decodes");
		assert_eq!(found.len(), wanted.len());
		for (at, block) in wanted.iter().zip(&found) {
			assert_eq!(check_stored(storage, *at, block), Ok(()));
		}
	}
}

fn refused(reason: Refusal) -> ControlResponse {
	ControlResponse::Refused { reason }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_should_be_led_through_a_round_of_storage_while_a_lease_runs() {
	let bed = Bed::new().await;
	bed.chain.edit(|chain| {
		// Looked at five times a second, and never over.
		let phase = LeasePhase::Running { until: 1 };
		chain.leases = vec![LeaseView { id: LeaseId(5), spec: order(), phase }];
	});
	let (peer, stop) = bed.start(config(bed.dir.path()).network).await;
	assert_eq!(bed.read(peer, vec![(0, 0)]).await, refused(Refusal::NotFound));
	let storage = bed.committed(peer).await;
	// The lease is looked at meanwhile.
	tokio::time::sleep(Duration::from_millis(500)).await;
	bed.has_read(peer, &storage).await;
	let wanted = sample_sealed(&H256([3; 32]), &storage, 12).expect("in bounds");
	let task = task_hash(&bed.round);
	let answer = bed.ask(peer, ControlRequest::OpenSealed { task, blocks: wanted.clone() }).await;
	let ControlResponse::Opened { openings } = answer else { panic!("{answer:?}") };
	let found = Vec::<SealedOpening>::decode(&mut &openings[..]).expect("decodes");
	assert_eq!(found.len(), wanted.len());
	for (at, opening) in wanted.iter().zip(&found) {
		assert_eq!(check_sealed(&GENESIS, DEVICE, &storage, *at, opening), Ok(()));
	}

	// Beyond its share it gets nothing.
	for _ in 1..3 {
		let answer = bed.read(peer, vec![(0, 0)]).await;
		assert!(matches!(answer, ControlResponse::Opened { .. }), "{answer:?}");
	}
	assert_eq!(bed.read(peer, vec![(0, 0)]).await, refused(Refusal::RateLimited));
	stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_storage_should_go_on_soon_after_a_break_and_a_restart() {
	let bed = Bed::new().await;
	// As configured where nothing else is.
	let (peer, stop) = bed.start(NetworkConfig::default()).await;
	let storage = bed.committed(peer).await;
	let broken = Instant::now();
	bed.service.handle.disconnect(peer).await.expect("disconnected");
	assert_eq!(bed.greeted().await, peer);
	bed.has_read(peer, &storage).await;
	stop().await;
	let (peer, stop) = bed.start(NetworkConfig::default()).await;
	// It commits again, to the same.
	assert_eq!(bed.read(peer, vec![(0, 0)]).await, refused(Refusal::NotFound));
	assert_eq!(bed.committed(peer).await, storage);
	bed.has_read(peer, &storage).await;
	// Some three seconds; a busy machine may take longer.
	assert!(broken.elapsed() < Duration::from_secs(30), "{:?}", broken.elapsed());
	stop().await;
}
