use super::*;
use crate::merkle;
use armature_primitives::{telemetry::PowerSource, DeviceId, MilliWatts, RoundId, H256};
use codec::{Decode, DecodeAll, Encode, MaxEncodedLen};
use proptest::prelude::*;

const LANES: u16 = 3;
const SEGMENTS: u32 = 5;

fn task() -> ChallengeTask {
	ChallengeTask {
		round: RoundId(9),
		device: DeviceId(4),
		seed: H256([0x5a; 32]),
		work: Work::Cpu(CpuChallenge { lanes: LANES, segments: SEGMENTS, steps_per_segment: 7 }),
		deadline: 1_000,
	}
}

fn cpu(task: &ChallengeTask) -> CpuChallenge {
	*task.cpu().expect("a task of lanes")
}

fn cpu_mut(task: &mut ChallengeTask) -> &mut CpuChallenge {
	match &mut task.work {
		Work::Cpu(cpu) => cpu,
		_ => unreachable!(),
	}
}

fn states(task: &ChallengeTask) -> Vec<State> {
	let mut states = Vec::new();
	for lane in 0..cpu(task).lanes {
		run_lane(task, lane, |segment, state| {
			assert_eq!(states.len() as u32, u32::from(lane) * cpu(task).segments + segment);
			states.push(state);
			ControlFlow::Continue(())
		})
		.unwrap();
	}
	states
}

fn transcript(task: &ChallengeTask) -> Transcript {
	Transcript::new(*task, states(task)).unwrap()
}

/// What checking every segment of a transcript against `task` says.
fn findings(task: &ChallengeTask, lie: &Transcript) -> Vec<Result<(), ChallengeFailure>> {
	(0..cpu(task).lanes)
		.flat_map(|lane| (0..cpu(task).segments).map(move |segment| (lane, segment)))
		.map(|(lane, segment)| check_opening(task, lie.root(), &lie.open(lane, segment).unwrap()))
		.collect()
}

/// Both values were checked once against a second implementation, in Python, of ChaCha8, the
/// rounds and the trees; it is not kept here.
#[test]
fn algorithm_should_never_drift() {
	let mut task = task();
	let root = transcript(&task).root();
	assert_eq!(
		format!("{root:?}"),
		"0xd473cc94009ab4aaf33388abe31b0e6a6ffc669bc98f6c98dd72e0e5ef3cef4f"
	);
	cpu_mut(&mut task).steps_per_segment = DEFAULT_STEPS_PER_SEGMENT;
	let start = segment_start(&task.seed, task.device, 1, 0, &[]);
	let end = run_segment(&lane_table(&task.seed, 1), start, DEFAULT_STEPS_PER_SEGMENT);
	assert_eq!(
		format!("{:?}", H256(sp_io::hashing::blake2_256(&end.to_bytes()))),
		"0x66d901f4d5fe2161d423c0cbd61a84952b6465e276ede4e8f9d4813283e6ea43"
	);
}

#[test]
fn table_should_be_the_chacha8_stream_of_its_key() {
	use rand_chacha::rand_core::{RngCore, SeedableRng};
	let seed = H256([3; 32]);
	let mut key_input = b"armature/lane-table\0".to_vec();
	key_input.extend_from_slice(seed.as_bytes());
	key_input.extend_from_slice(&[1, 2]);
	let mut stream = rand_chacha::ChaCha8Rng::from_seed(sp_io::hashing::blake2_256(&key_input));
	let mut bytes = vec![0u8; TABLE_BYTES];
	stream.fill_bytes(&mut bytes);
	assert_eq!(lane_table(&seed, 0x0201).to_bytes(), bytes);
	assert_ne!(lane_table(&seed, 0x0201), lane_table(&seed, 0x0200));
}

#[test]
fn every_opening_should_pass_when_the_prover_is_honest() {
	let task = task();
	let work = transcript(&task);
	assert_eq!(commit_root(&cpu(&task), &states(&task)), Ok(work.root()));
	assert!(findings(&task, &work).iter().all(Result::is_ok));
	assert_eq!(work.open(LANES, 0), None);
	assert_eq!(work.open(0, SEGMENTS), None);
}

#[test]
fn whole_answer_should_pass_when_it_is_exactly_what_was_asked() {
	let task = task();
	let work = transcript(&task);
	let wanted = sample(H256([1; 32]), &task, 6).unwrap();
	let answer: Vec<_> = wanted.iter().map(|(l, s)| work.open(*l, *s).unwrap()).collect();
	assert_eq!(check_openings(&task, work.root(), &wanted, &answer), Ok(()));

	let malformed = Err(ChallengeFailure::Malformed);
	assert_eq!(check_openings(&task, work.root(), &wanted, &answer[1..]), malformed);
	assert_eq!(check_openings(&task, work.root(), &wanted, &[]), malformed);
	assert_eq!(check_openings(&task, work.root(), &[], &[]), malformed);
	let mut turned = answer.clone();
	turned.reverse();
	assert_eq!(check_openings(&task, work.root(), &wanted, &turned), malformed);
	let mut repeated = answer.clone();
	repeated[1] = repeated[0].clone();
	assert_eq!(check_openings(&task, work.root(), &wanted, &repeated), malformed);
	let mut longer = answer.clone();
	longer.push(answer[0].clone());
	assert_eq!(check_openings(&task, work.root(), &wanted, &longer), malformed);
	let mut wrong = answer;
	wrong[5].end[0] ^= 1;
	assert_eq!(
		check_openings(&task, work.root(), &wanted, &wrong),
		Err(ChallengeFailure::BadOpening)
	);
}

/// Runs a lane; where `made_up` has a state, it stands in the place of the true one.
fn lane_with(
	task: &ChallengeTask,
	lane: u16,
	made_up: impl Fn(u32) -> Option<State>,
) -> Vec<State> {
	let table = lane_table(&task.seed, lane);
	let mut before = Frontier::default();
	let mut states = Vec::new();
	for segment in 0..cpu(task).segments {
		let start = segment_start(&task.seed, task.device, lane, segment, &before.lefts());
		let end = run_segment(&table, start, cpu(task).steps_per_segment);
		let end = made_up(segment).unwrap_or(end);
		before.push(opening::checkpoint_hash(lane, segment, &end.to_bytes()));
		states.push(end);
	}
	states
}

#[test]
fn skipped_segment_should_be_a_wrong_result() {
	let task = task();
	let mut states = states(&task);
	// Lane 1 makes the end of segment 2 up; all later ones are computed honestly from there.
	let first = SEGMENTS as usize;
	let lane = lane_with(&task, 1, |segment| (segment == 2).then_some(State([9; 8])));
	states[first..2 * first].copy_from_slice(&lane);
	let lie = Transcript::new(task, states).unwrap();
	for (at, finding) in findings(&task, &lie).into_iter().enumerate() {
		let expected = if at == first + 2 { Err(ChallengeFailure::WrongResult) } else { Ok(()) };
		assert_eq!(finding, expected, "checkpoint {at}");
	}
}

#[test]
fn parts_that_were_computed_at_once_should_not_both_pass() {
	// Segment 4 of lane 0 was computed from a made-up hash of the four before it, at the same time.
	let task = task();
	let made_up = H256([9; 32]);
	let table = lane_table(&task.seed, 0);
	let start = segment_start(&task.seed, task.device, 0, 4, &[made_up]);
	let mut states = states(&task);
	states[4] = run_segment(&table, start, cpu(&task).steps_per_segment);
	let lie = Transcript::new(task, states.clone()).unwrap();
	// Under the true hash the second part follows from something else.
	let found = findings(&task, &lie);
	assert!(found[..4].iter().all(Result::is_ok));
	assert_eq!(found[4], Err(ChallengeFailure::WrongResult));
	// Under the made-up one the second part passes, and nothing of the first is there.
	let end = states[4].to_bytes();
	let leaf = opening::checkpoint_hash(0, 4, &end);
	let lane_root = merkle::node_hash(&made_up, &leaf);
	let roots = [lane_root, lie.open(1, 0).unwrap().lane_root, lie.open(2, 0).unwrap().lane_root];
	let tree = merkle::Tree::new(roots.map(|root| root.0)).unwrap();
	let lane_path: LanePath = tree.prove(0).unwrap().into_inner().try_into().unwrap();
	let path = vec![made_up].try_into().unwrap();
	let opening =
		SegmentOpening { lane: 0, segment: 4, end, path, lane_root, lane_path: lane_path.clone() };
	assert_eq!(check_opening(&task, tree.root(), &opening), Ok(()));
	for segment in 0..4 {
		let opening = SegmentOpening {
			lane_root,
			lane_path: lane_path.clone(),
			..lie.open(0, segment).unwrap()
		};
		let found = check_opening(&task, tree.root(), &opening);
		assert_eq!(found, Err(ChallengeFailure::BadOpening));
	}
}

#[test]
fn fewer_steps_should_be_a_wrong_result() {
	let task = task();
	let mut short = task;
	cpu_mut(&mut short).steps_per_segment -= 1;
	let lie = Transcript::new(task, states(&short)).unwrap();
	for finding in findings(&task, &lie) {
		assert_eq!(finding, Err(ChallengeFailure::WrongResult));
	}
}

#[test]
fn one_lane_copied_to_all_should_be_a_wrong_result() {
	let task = task();
	let honest = states(&task);
	let copied = honest[..5].iter().cycle().take(15).copied().collect();
	let lie = Transcript::new(task, copied).unwrap();
	for (at, finding) in findings(&task, &lie).into_iter().enumerate() {
		assert_eq!(finding.is_ok(), at < 5);
		assert!(at < 5 || finding == Err(ChallengeFailure::WrongResult));
	}
}

#[test]
fn work_of_another_seed_or_device_should_be_a_wrong_result() {
	let task = task();
	let mut other_seed = task;
	other_seed.seed.0[31] ^= 1;
	let lie = transcript(&other_seed);
	assert!(findings(&task, &lie).iter().all(|f| *f == Err(ChallengeFailure::WrongResult)));

	let mut other_device = task;
	other_device.device = DeviceId(5);
	let lie = transcript(&other_device);
	assert!(findings(&task, &lie).iter().all(|f| *f == Err(ChallengeFailure::WrongResult)));
}

#[test]
fn path_should_be_a_bad_opening_when_swapped_or_bent() {
	let task = task();
	let work = transcript(&task);
	let bad = Err(ChallengeFailure::BadOpening);
	let honest = work.open(1, 2).unwrap();
	let check = |opening: &SegmentOpening| check_opening(&task, work.root(), opening);
	assert_eq!(check(&honest), Ok(()));

	let mut rooted = honest.clone();
	rooted.lane_root.0[0] ^= 1;
	assert_eq!(check(&rooted), bad);
	let mut ended = honest.clone();
	ended.end[63] ^= 1;
	assert_eq!(check(&ended), bad);
	// Right states at another place of the tree.
	let mut moved = honest.clone();
	moved.segment = 3;
	assert_eq!(check(&moved), bad);
	let mut relaned = honest.clone();
	relaned.lane = 2;
	assert_eq!(check(&relaned), bad);
	let mut bent = honest.clone();
	bent.path[0].0[0] ^= 1;
	assert_eq!(check(&bent), bad);
	let mut cut = honest.clone();
	cut.lane_path.pop();
	assert_eq!(check(&cut), bad);
	let mut longer = honest.clone();
	longer.path.try_push(H256::zero()).unwrap();
	assert_eq!(check(&longer), bad);
	let mut root = work.root();
	root.0[0] ^= 1;
	assert_eq!(check_opening(&task, root, &honest), bad);
}

#[test]
fn opening_should_be_malformed_when_it_is_outside_the_task() {
	let task = task();
	let work = transcript(&task);
	let malformed = Err(ChallengeFailure::Malformed);
	let honest = work.open(1, 0).unwrap();
	let mut outside = honest.clone();
	outside.lane = LANES;
	assert_eq!(check_opening(&task, work.root(), &outside), malformed);
	let mut outside = honest.clone();
	outside.segment = SEGMENTS;
	assert_eq!(check_opening(&task, work.root(), &outside), malformed);
	let mut huge = task;
	cpu_mut(&mut huge).steps_per_segment = MAX_STEPS_PER_SEGMENT + 1;
	assert_eq!(check_opening(&huge, work.root(), &honest), malformed);
}

#[test]
fn a_lane_should_not_choose_its_own_start() {
	let task = task();
	let mut states = states(&task);
	// It ran honestly from there.
	let table = lane_table(&task.seed, 0);
	states[0] = run_segment(&table, State([1, 2, 3, 4, 5, 6, 7, 8]), 7);
	let lie = Transcript::new(task, states).unwrap();
	let opening = lie.open(0, 0).unwrap();
	assert_eq!(check_opening(&task, lie.root(), &opening), Err(ChallengeFailure::WrongResult));
}

#[test]
fn size_should_be_checked_on_both_sides_of_each_cap() {
	let size =
		|lanes, segments, steps_per_segment| CpuChallenge { lanes, segments, steps_per_segment };
	assert_eq!(checkpoints(&size(1, 1, 1)), Ok(1));
	assert_eq!(checkpoints(&size(0, 1, 1)), Err(ChallengeError::NoWork));
	assert_eq!(checkpoints(&size(1, 0, 1)), Err(ChallengeError::NoWork));
	assert_eq!(checkpoints(&size(1, 1, 0)), Err(ChallengeError::NoWork));
	assert_eq!(checkpoints(&size(MAX_LANES, 4_096, 1)), Ok(MAX_CHECKPOINTS));
	assert_eq!(checkpoints(&size(MAX_LANES, 4_097, 1)), Err(ChallengeError::TooManyCheckpoints));
	assert_eq!(checkpoints(&size(2, u32::MAX, 1)), Err(ChallengeError::TooManyCheckpoints));
	assert_eq!(checkpoints(&size(MAX_LANES + 1, 1, 1)), Err(ChallengeError::TooManyLanes));
	assert_eq!(checkpoints(&size(1, 1, MAX_STEPS_PER_SEGMENT)), Ok(1));
	assert_eq!(
		checkpoints(&size(1, 1, MAX_STEPS_PER_SEGMENT + 1)),
		Err(ChallengeError::TooManySteps)
	);
	// The largest tree's longest path is what an opening may carry.
	assert_eq!(crate::merkle::path_len(MAX_CHECKPOINTS, 0), Some(MAX_CHECKPOINT_DEPTH as usize));
	assert_eq!(crate::merkle::path_len(MAX_LANES.into(), 0), Some(MAX_LANE_DEPTH as usize));
}

#[test]
fn run_should_refuse_or_stop() {
	let task = task();
	let never = |_, _| -> ControlFlow<()> { panic!("no checkpoint") };
	assert_eq!(run_lane(&task, LANES, never), Err(ChallengeError::NoSuchLane));
	let mut empty = task;
	cpu_mut(&mut empty).segments = 0;
	assert_eq!(run_lane(&empty, 0, never), Err(ChallengeError::NoWork));
	let mut seen = 0;
	let stopped = run_lane(&task, 0, |segment, _| {
		seen += 1;
		if segment == 1 {
			ControlFlow::Break(())
		} else {
			ControlFlow::Continue(())
		}
	});
	assert_eq!((stopped, seen), (Err(ChallengeError::Stopped), 2));
	let mut few = states(&task);
	few.pop();
	assert_eq!(commit_root(&cpu(&task), &few), Err(ChallengeError::WrongCount));
	assert!(matches!(Transcript::new(task, few), Err(ChallengeError::WrongCount)));
}

#[test]
fn opening_should_be_bounded_while_decoding() {
	let task = task();
	let opening = transcript(&task).open(2, 4).unwrap();
	let bytes = opening.encode();
	assert_eq!(SegmentOpening::decode_all(&mut &bytes[..]), Ok(opening.clone()));
	assert_eq!(SegmentOpening::max_encoded_len(), 2 + 4 + 64 + (1 + 22 * 32) + 32 + (1 + 10 * 32));
	for cut in 0..bytes.len() {
		assert!(SegmentOpening::decode(&mut &bytes[..cut]).is_err());
	}
	let long = (
		opening.lane,
		opening.segment,
		opening.end,
		vec![H256::zero(); 23],
		opening.lane_root,
		Vec::<H256>::new(),
	);
	assert!(SegmentOpening::decode(&mut &long.encode()[..]).is_err());
}

#[test]
fn speed_should_be_steps_over_time_rounded_down() {
	let mut task = task();
	task.work = Work::Cpu(CpuChallenge { lanes: 4, segments: 10, steps_per_segment: 100 });
	assert_eq!(steps_per_second_per_lane(&cpu(&task), 1_000), 1_000);
	assert_eq!(steps_per_second_per_lane(&cpu(&task), 1_001), 999);
	assert_eq!(steps_per_second_per_lane(&cpu(&task), 1), 1_000_000);
	assert_eq!(steps_per_second_per_lane(&cpu(&task), 0), 0);
	assert_eq!(steps_per_second_per_lane(&cpu(&task), u32::MAX), 0);
	cpu_mut(&mut task).segments = u32::MAX;
	cpu_mut(&mut task).steps_per_segment = u32::MAX;
	assert_eq!(steps_per_second_per_lane(&cpu(&task), 1), u64::MAX);
}

#[test]
fn power_should_be_refused_when_it_contradicts_itself() {
	let reading = |idle, loaded, error| PowerReading {
		idle: MilliWatts(idle),
		loaded: MilliWatts(loaded),
		source: PowerSource::WallMeter,
		error: Ppm(error),
	};
	assert_eq!(check_power(&reading(0, 1, 0)), Ok(()));
	assert_eq!(check_power(&reading(5, 5, 1_000_000)), Ok(()));
	assert_eq!(check_power(&reading(6, 5, 0)), Err(ChallengeFailure::BadPower));
	assert_eq!(check_power(&reading(0, 0, 0)), Err(ChallengeFailure::BadPower));
	assert_eq!(check_power(&reading(1, 2, 1_000_001)), Err(ChallengeFailure::BadPower));
}

#[test]
fn sample_should_cover_every_segment_evenly() {
	let task = task();
	let mut hits = [0u32; 15];
	let draws = 6_000;
	for i in 0u32..draws {
		let randomness = H256(sp_io::hashing::blake2_256(&i.to_le_bytes()));
		for (lane, segment) in sample(randomness, &task, 3).unwrap() {
			hits[usize::from(lane) * 5 + segment as usize] += 1;
		}
	}
	// Each of 15 places expects 6,000 * 3 / 15 = 1,200 hits with a standard deviation of 31;
	// five of them either way is one false alarm in 100,000 runs, and the seeds are fixed.
	assert_eq!(hits.iter().sum::<u32>(), draws * 3);
	assert!(hits.iter().all(|n| (1_045..=1_355).contains(n)), "{hits:?}");
}

#[test]
fn sample_should_depend_on_randomness_and_task() {
	let mut task = task();
	cpu_mut(&mut task).segments = 4_096;
	let one = sample(H256([1; 32]), &task, 20).unwrap();
	assert_eq!(one, sample(H256([1; 32]), &task, 20).unwrap());
	assert_ne!(one, sample(H256([2; 32]), &task, 20).unwrap());
	task.round = RoundId(10);
	assert_ne!(one, sample(H256([1; 32]), &task, 20).unwrap());
	cpu_mut(&mut task).lanes = 0;
	assert_eq!(sample(H256([1; 32]), &task, 20), Err(ChallengeError::NoWork));
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn sample_should_hold_k_different_segments_of_the_task(
		randomness in any::<[u8; 32]>(), lanes in 1u16..20, segments in 1u32..50, k in 0u32..1_200,
	) {
		let mut task = task();
		task.work = Work::Cpu(CpuChallenge { lanes, segments, steps_per_segment: 1 });
		let drawn = sample(H256(randomness), &task, k).unwrap();
		prop_assert_eq!(drawn.len() as u32, k.min(u32::from(lanes) * segments));
		prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
		prop_assert!(drawn.iter().all(|(l, s)| *l < lanes && *s < segments));
	}

	#[test]
	fn honest_work_should_pass_for_any_small_task(
		seed in any::<[u8; 32]>(), device in any::<u32>(), lanes in 1u16..4, segments in 1u32..6,
		steps in 1u32..4, pick in any::<u32>(), flip in 0usize..64,
	) {
		let task = ChallengeTask {
			round: RoundId(0),
			device: DeviceId(device),
			seed: H256(seed),
			work: Work::Cpu(CpuChallenge { lanes, segments, steps_per_segment: steps }),
			deadline: 0,
		};
		let work = transcript(&task);
		let at = pick % (u32::from(lanes) * segments);
		let (lane, segment) = ((at / segments) as u16, at % segments);
		let opening = work.open(lane, segment).unwrap();
		prop_assert_eq!(check_opening(&task, work.root(), &opening), Ok(()));
		// One flipped bit of a committed checkpoint breaks exactly the segments that touch it.
		let mut states = states(&task);
		let mut bytes = states[at as usize].to_bytes();
		bytes[flip] ^= 1 << (flip % 8);
		states[at as usize] = State::from_bytes(&bytes);
		let lie = Transcript::new(task, states).unwrap();
		let opening = lie.open(lane, segment).unwrap();
		prop_assert_eq!(
			check_opening(&task, lie.root(), &opening),
			Err(ChallengeFailure::WrongResult)
		);
	}

	#[test]
	fn check_should_be_total(
		bytes in proptest::collection::vec(any::<u8>(), 0..2_000), root in any::<[u8; 32]>(),
	) {
		if let Ok(opening) = SegmentOpening::decode(&mut &bytes[..]) {
			prop_assert!(check_opening(&task(), H256(root), &opening).is_err());
		}
	}

	#[test]
	fn state_should_survive_its_encoding(words in any::<[u64; 8]>()) {
		let state = State(words);
		prop_assert_eq!(State::from_bytes(&state.to_bytes()), state);
		prop_assert_eq!(state.to_bytes().to_vec(), words.encode());
	}
}
