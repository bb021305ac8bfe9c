use super::*;
use armature_primitives::{challenge::Work, DeviceId, RoundId};
use proptest::prelude::*;
use sp_core::{ed25519, Pair};

const NETWORK: NetworkChallenge =
	NetworkChallenge { echoes: 4, lead_millis: 100, transfer_millis: 50, transfer_kib: 64 };

fn task() -> ChallengeTask {
	ChallengeTask {
		round: RoundId(3),
		device: DeviceId(7),
		seed: H256([9; 32]),
		work: Work::Network(NETWORK),
		deadline: 1_000,
	}
}

#[test]
fn sizes_should_be_checked_on_both_sides_of_their_bounds() {
	let largest = NetworkChallenge {
		echoes: MAX_ECHOES,
		lead_millis: MAX_LEAD_MILLIS,
		transfer_millis: MAX_TRANSFER_MILLIS,
		transfer_kib: MAX_TRANSFER_KIB,
	};
	let smallest =
		NetworkChallenge { echoes: 1, lead_millis: 1, transfer_millis: 1, transfer_kib: 1 };
	for right in [NETWORK, smallest, largest] {
		assert_eq!(check_size(&right), Ok(()));
	}
	for small in [
		NetworkChallenge { echoes: 0, ..NETWORK },
		NetworkChallenge { lead_millis: 0, ..NETWORK },
		NetworkChallenge { transfer_millis: 0, ..NETWORK },
		NetworkChallenge { transfer_kib: 0, ..NETWORK },
	] {
		assert_eq!(check_size(&small), Err(SizeError::TooSmall));
	}
	for large in [
		NetworkChallenge { echoes: MAX_ECHOES + 1, ..largest },
		NetworkChallenge { lead_millis: MAX_LEAD_MILLIS + 1, ..largest },
		NetworkChallenge { transfer_millis: MAX_TRANSFER_MILLIS + 1, ..largest },
		NetworkChallenge { transfer_kib: MAX_TRANSFER_KIB + 1, ..largest },
	] {
		assert_eq!(check_size(&large), Err(SizeError::TooLarge));
	}
}

#[test]
fn an_echo_should_be_of_this_device_task_and_nonce() {
	let pair = ed25519::Pair::from_seed(&[1; 32]);
	let genesis = H256([2; 32]);
	let sign = |domain, genesis: &H256, task: &ChallengeTask, nonce| {
		let echo = Echo { task: task_hash(task), nonce: H256([nonce; 32]) };
		pair.sign(&armature_primitives::signing::device_payload(
			domain,
			genesis,
			task.device,
			&echo,
		))
	};
	let is_right =
		|signature| check_echo(&genesis, &task(), &pair.public(), H256([5; 32]), &signature);
	assert!(is_right(sign(Domain::Echo, &genesis, &task(), 5)));
	assert!(!is_right(sign(Domain::Echo, &genesis, &task(), 6)));
	assert!(!is_right(sign(Domain::ChallengeCommit, &genesis, &task(), 5)));
	assert!(!is_right(sign(Domain::Echo, &H256([3; 32]), &task(), 5)));
	for other in [
		ChallengeTask { device: DeviceId(8), ..task() },
		ChallengeTask { seed: H256([8; 32]), ..task() },
	] {
		assert!(!is_right(sign(Domain::Echo, &genesis, &other, 5)));
	}
	let other = ed25519::Pair::from_seed(&[4; 32]).public();
	let signature = sign(Domain::Echo, &genesis, &task(), 5);
	assert!(!check_echo(&genesis, &task(), &other, H256([5; 32]), &signature));
}

#[test]
fn data_should_never_drift() {
	// From a second implementation: verifiers and devices of different versions meet.
	let (task, key) = (H256([1; 32]), H256([2; 32]));
	let up = chunk(Direction::Up, &task, &key, 3, 100);
	assert_eq!(up.len(), 100);
	assert_eq!(sp_io::hashing::blake2_256(&up)[..8], PINNED_UP);
	let down = chunk(Direction::Down, &task, &key, 3, 100);
	assert_eq!(sp_io::hashing::blake2_256(&down)[..8], PINNED_DOWN);
	assert_eq!(receipt(&task, &key, 3, &down).to_fixed_bytes()[..8], PINNED_RECEIPT);
}

const PINNED_UP: [u8; 8] = [250, 177, 36, 135, 214, 147, 192, 47];
const PINNED_DOWN: [u8; 8] = [166, 187, 48, 55, 224, 111, 244, 82];
const PINNED_RECEIPT: [u8; 8] = [200, 103, 133, 57, 237, 135, 248, 60];

#[test]
fn data_should_be_of_its_direction_task_key_and_number() {
	let (task, key, other) = (H256([1; 32]), H256([2; 32]), H256([3; 32]));
	let base = chunk(Direction::Up, &task, &key, 4, 64);
	for changed in [
		chunk(Direction::Down, &task, &key, 4, 64),
		chunk(Direction::Up, &other, &key, 4, 64),
		chunk(Direction::Up, &task, &other, 4, 64),
		chunk(Direction::Up, &task, &key, 5, 64),
	] {
		assert_ne!(base, changed);
	}
	// A shorter one is its beginning.
	assert_eq!(chunk(Direction::Up, &task, &key, 4, 10), base[..10]);
	assert!(chunk(Direction::Up, &task, &key, 4, 0).is_empty());
	let longest = usize::try_from(MAX_CHUNK_LEN).unwrap();
	assert_eq!(chunk(Direction::Up, &task, &key, 4, u32::MAX).len(), longest);
	let receipts = [
		receipt(&task, &key, 4, &base),
		receipt(&other, &key, 4, &base),
		receipt(&task, &other, 4, &base),
		receipt(&task, &key, 5, &base),
		receipt(&task, &key, 4, &base[..63]),
	];
	for (at, one) in receipts.iter().enumerate() {
		assert!(!receipts[at + 1..].contains(one));
	}
}

#[test]
fn rates_should_be_rounded_down() {
	assert_eq!(kbps(125, 1_000), 1_000);
	assert_eq!(kbps(1_000_000, 1_000_000), 8_000);
	assert_eq!(kbps(1, 8_000), 1);
	assert_eq!(kbps(1, 8_001), 0);
	assert_eq!(kbps(0, 5), 0);
	assert_eq!(kbps(5, 0), 0);
	assert_eq!(kbps(u64::MAX, 1), u32::MAX);
}

#[test]
fn one_verifier_alone_should_not_bring_a_device_nearer() {
	assert_eq!(nearest(&[]), 0);
	assert_eq!(nearest(&[70]), 70);
	assert_eq!(nearest(&[70, 50]), 70);
	assert_eq!(nearest(&[30, 10, 20]), 20);
	assert_eq!(nearest(&[1, 500, 400, 600, 700]), 400);
	assert_eq!(nearest(&[500, 500, u32::MAX]), 500);
	assert_eq!(nearest(&[u32::MAX; 5]), u32::MAX);
}

#[test]
fn no_rate_should_count_beyond_the_lower_median() {
	assert_eq!(together(&[]), 0);
	assert_eq!(together(&[70]), 70);
	assert_eq!(together(&[70, 50]), 100);
	assert_eq!(together(&[10, 20, 30]), 50);
	assert_eq!(together(&[10, 20, 30, 40]), 70);
	// Two of five may say what they like.
	assert_eq!(together(&[100, 100, 100, u32::MAX, u32::MAX]), 500);
	assert_eq!(together(&[100, 100, 100, 0, 0]), 300);
	assert_eq!(together(&[u32::MAX; 5]), u32::MAX);
}

proptest! {
	#[test]
	fn a_minority_should_add_no_more_than_the_fastest_honest_verifier_each(
		honest in proptest::collection::vec(0u32..1_000_000, 3),
		liars in proptest::collection::vec(any::<u32>(), 0..3),
	) {
		let fastest = *honest.iter().max().unwrap();
		let sum: u32 = honest.iter().sum();
		let all: Vec<u32> = honest.iter().chain(&liars).copied().collect();
		let lies = u32::try_from(liars.len()).unwrap();
		prop_assert!(together(&all) <= sum + lies * fastest);
		prop_assert!(together(&all) <= all.iter().fold(0, |sum: u32, rate| sum.saturating_add(*rate)));
		let mut turned = all.clone();
		turned.reverse();
		prop_assert_eq!(together(&turned), together(&all));
	}
}
