use super::*;
use armature_primitives::{challenge::ChallengeFailure, signing::Domain};
use armature_verifier::{
	challenge::{check_openings, check_power, sample},
	signature::verify_device,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_should_convince_the_verifiers_code() {
	let task = task(1, lanes(20, 16));
	let (challenges, _) = challenges(&[task]);
	let (commit, signature) = challenges.answer(task).await.expect("answered");
	assert_eq!(commit.task, task_hash(&task));
	assert!(verify_device(
		Domain::ChallengeCommit,
		&GENESIS,
		DEVICE,
		&commit,
		&key().public(),
		&signature
	));
	check_power(&commit.power).expect("plausible");
	let wanted = sample(H256([4; 32]), &task, 12).expect("a sample");
	let bytes = challenges.open(peer(1), task_hash(&task), &wanted).await.expect("opened");
	let openings = decoded::<SegmentOpening>(&bytes);
	assert_eq!(check_openings(&task, commit.root, &wanted, &openings), Ok(()));
	let other = check_openings(&task, H256::zero(), &wanted, &openings);
	assert_eq!(other, Err(ChallengeFailure::BadOpening));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committee_should_get_one_answer() {
	let task = task(1, lanes(400, 16));
	let (challenges, _) = challenges(&[task]);
	let all = (1..=5).map(|number| challenges.commit(peer(number), task));
	let answers = futures::future::join_all(all).await;
	let first = answers[0].as_ref().expect("answered");
	for answer in &answers {
		assert_eq!(answer.as_ref().expect("answered"), first);
	}
	assert_eq!(challenges.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_last_rounds_should_be_open() {
	let tasks: Vec<_> = (1..=3).map(|round| task(round, lanes(20, 16))).collect();
	let (challenges, _) = challenges(&tasks);
	for task in &tasks {
		challenges.answer(*task).await.expect("answered");
	}
	let hashes: Vec<_> = tasks.iter().map(task_hash).collect();
	let open = |round: usize, segment| {
		let (challenges, hash) = (&challenges, hashes[round - 1]);
		async move { challenges.open(peer(1), hash, &[(0, segment)]).await }
	};
	assert!(matches!(open(1, 0).await, Err(ChallengeFault::NothingToOpen)));
	open(2, 0).await.expect("remembered");
	open(3, 19).await.expect("remembered");
	assert!(matches!(open(3, 20).await, Err(ChallengeFault::NothingToOpen)));
	let many = vec![(0u16, 1u32); 4_096];
	let refused = challenges.open(peer(1), hashes[2], &many).await;
	assert!(matches!(refused, Err(ChallengeFault::TooLarge)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_task_of_a_round_should_be_opened_by_itself() {
	let replaced = task(1, lanes(20, 16));
	let later = ChallengeTask { seed: H256([8; 32]), ..replaced };
	let (challenges, chain) = challenges(&[]);
	let mut answers = Vec::new();
	for task in [replaced, later] {
		chain.edit(|chain| chain.rounds = vec![task]);
		answers.push(challenges.answer(task).await.expect("answered").0);
	}
	let [first, second] = answers.as_slice() else { panic!("two answers") };
	assert_eq!((first.task, second.task), (task_hash(&replaced), task_hash(&later)));
	let wanted = [(2, 19)];
	for (task, commit) in [(replaced, first), (later, second)] {
		let bytes = challenges.open(peer(1), task_hash(&task), &wanted).await.expect("opened");
		let openings = decoded::<SegmentOpening>(&bytes);
		assert_eq!(check_openings(&task, commit.root, &wanted, &openings), Ok(()));
	}
}
