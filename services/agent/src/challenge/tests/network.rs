use super::*;
use armature_primitives::signing::Domain;
use armature_verifier::{
	challenge::{
		check_power,
		network::{check_echo, chunk, commit_root, receipt, Direction},
	},
	signature::verify_device,
};

const KEY: H256 = H256([4; 32]);

fn nonce(number: u8) -> H256 {
	H256([number; 32])
}

/// A round that is committed to, and open for peers 1 and 2.
async fn ready(deadline: u64) -> (Challenges, ChallengeTask, H256) {
	let task = ChallengeTask { deadline, ..task(1, Work::Network(NETWORK)) };
	let (challenges, chain) = challenges(&[task]);
	chain.edit(|chain| chain.committee = vec![peer(1), peer(2)]);
	challenges.answer(task).await.expect("answered");
	(challenges, task, task_hash(&task))
}

async fn open_round() -> (Challenges, ChallengeTask, H256) {
	ready(clock::now() + 60_000).await
}

fn is_over_quota<T>(answer: Result<T, ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::TooManyRequests))
}

#[tokio::test(flavor = "multi_thread")]
async fn commitment_should_be_the_only_one_that_there_is() {
	let task = task(1, Work::Network(NETWORK));
	let (challenges, _) = challenges(&[task]);
	let (commit, signature) = challenges.answer(task).await.expect("answered");
	assert_eq!((commit.task, commit.root), (task_hash(&task), commit_root(&task)));
	assert_eq!(check_power(&commit.power), Ok(()));
	let domain = Domain::ChallengeCommit;
	let key = key().public();
	assert!(verify_device(domain, &GENESIS, DEVICE, &commit, &key, &signature));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_should_convince_the_verifiers_code() {
	let (challenges, task, hash) = open_round().await;
	let signature = challenges.echo(peer(1), hash, nonce(1)).await.expect("echoed");
	assert!(check_echo(&GENESIS, &task, &key().public(), nonce(1), &signature));
	assert!(!check_echo(&GENESIS, &task, &key().public(), nonce(2), &signature));

	let data = challenges.fetch(peer(1), hash, KEY, 7, 2_000).await.expect("sent");
	assert_eq!(data, chunk(Direction::Up, &hash, &KEY, 7, 2_000));

	let data = chunk(Direction::Down, &hash, &KEY, 7, 1_500);
	let received = challenges.deliver(peer(1), hash, KEY, 7, &data).await.expect("taken");
	assert_eq!(received, receipt(&hash, &KEY, 7, &data));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verifier_should_get_its_part_twice_and_no_more() {
	let (challenges, _, hash) = open_round().await;
	for number in [1, 2] {
		for _ in 0..12 {
			challenges
				.echo(peer(number), hash, nonce(1))
				.await
				.expect("twice two and eight");
		}
		assert!(is_over_quota(challenges.echo(peer(number), hash, nonce(1)).await));
		// Six KiB each way; a started one counts whole.
		for len in [1_025, 1_024, 3_000] {
			challenges.fetch(peer(number), hash, KEY, 0, len).await.expect("within six");
			let data = vec![0; usize::try_from(len).expect("small")];
			challenges.deliver(peer(number), hash, KEY, 0, &data).await.expect("within six");
		}
		assert!(is_over_quota(challenges.fetch(peer(number), hash, KEY, 0, 1).await));
		assert!(is_over_quota(challenges.deliver(peer(number), hash, KEY, 0, &[1]).await));
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_should_be_heard() {
	let (challenges, _, hash) = open_round().await;
	let not_theirs = |fault| matches!(fault, ChallengeFault::NotOfCommittee);
	assert!(challenges.echo(peer(3), hash, nonce(1)).await.is_err_and(not_theirs));
	assert!(challenges.fetch(peer(3), hash, KEY, 0, 1).await.is_err_and(not_theirs));
	assert!(challenges.deliver(peer(3), hash, KEY, 0, &[1]).await.is_err_and(not_theirs));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_should_be_measured_in_other_rounds_or_after_the_deadline() {
	let is_nothing = |fault| matches!(fault, ChallengeFault::NothingToOpen);
	let (challenges, _, hash) = open_round().await;
	assert!(challenges.echo(peer(1), nonce(9), nonce(1)).await.is_err_and(is_nothing));
	assert!(challenges.open(peer(1), hash, &[(0, 0)]).await.is_err_and(is_nothing));
	assert!(challenges.reserve_walk(peer(1), hash).await.is_err_and(is_nothing));

	let lanes = task(2, lanes(20, 16));
	let (others, _) = super::challenges(&[lanes]);
	others.answer(lanes).await.expect("answered");
	let other = task_hash(&lanes);
	assert!(others.echo(peer(1), other, nonce(1)).await.is_err_and(is_nothing));
	assert!(others.fetch(peer(1), other, KEY, 0, 1).await.is_err_and(is_nothing));
	assert!(others.deliver(peer(1), other, KEY, 0, &[1]).await.is_err_and(is_nothing));

	let (challenges, task, hash) = ready(clock::now() + 1_500).await;
	challenges.echo(peer(1), hash, nonce(1)).await.expect("in time");
	until("the deadline", || clock::now() >= task.deadline).await;
	assert!(challenges.echo(peer(1), hash, nonce(1)).await.is_err_and(is_nothing));
	assert!(challenges.fetch(peer(1), hash, KEY, 0, 1).await.is_err_and(is_nothing));
	assert!(challenges.deliver(peer(1), hash, KEY, 0, &[1]).await.is_err_and(is_nothing));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_an_earlier_round_should_be_left_alone() {
	let tasks = [task(1, Work::Memory(MEMORY)), task(2, Work::Network(NETWORK))];
	let (challenges, _) = challenges(&tasks);
	for task in tasks {
		challenges.answer(task).await.expect("answered");
	}
	let [of_memory, of_network] = tasks.map(|task| task_hash(&task));
	challenges.open_blocks(peer(1), of_memory, &[0]).await.expect("kept");
	challenges.echo(peer(1), of_network, nonce(1)).await.expect("echoed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_should_be_noted_of_a_root_that_is_the_only_one() {
	let (challenges, task, _) = open_round().await;
	let opened_at = clock::now();
	let noted = challenges.runner.signed.root(&task, opened_at).expect("known");
	assert_eq!(noted, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_should_be_planted() {
	let dir = tempfile::tempdir().expect("a directory");
	let chain = Arc::new(FakeChain::default());
	let challenges = planting(&chain, settings(), &dir.path().join("db"), 1_000_000);
	challenges.tend_planted().await.expect("nothing to do");
	for round in [1, 2] {
		let task = task(round, Work::Network(NETWORK));
		chain.edit(|chain| chain.rounds = vec![task]);
		let (commit, _) = challenges.answer(task).await.expect("answered");
		assert_eq!(commit.root, commit_root(&task));
	}
	assert!(!challenges.has_used_planted().await.expect("the store works"));
}
