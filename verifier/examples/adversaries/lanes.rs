//! Rounds of CPU lanes.

use crate::{
	chance::{majority, miss, percent},
	COMMITTEE,
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, CpuChallenge, Measured, Verdict, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::{
	challenge::{
		check_openings, lane_table, run_lane, run_segment, sample, segment_start,
		verdict::{conclude, Conclusion, Standing},
		SegmentOpening, State, Transcript,
	},
	merkle::{self, Frontier},
};
use codec::{Decode, Encode};
use rand::{rngs::StdRng, seq::index, Rng, RngCore, SeedableRng};
use std::ops::ControlFlow;

const SAMPLES: u32 = 44;
const CPU: CpuChallenge = CpuChallenge { lanes: 2, segments: 120, steps_per_segment: 4 };
const HONEST_MILLIS: u32 = 12_000;
const WINDOW_MILLIS: u32 = 180_000;
const EUR_OF_A_ROUND: f64 = 0.2 * 12.0 / 3_600.0 * 0.30;
const EUR_OF_A_FAILURE: f64 = 0.05 / 10.0;

/// What a device does instead of the work.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Device {
	Honest,
	/// Makes up so many of the segments' ends.
	Skips(u32),
	/// Answers with what it computed for another seed.
	Precomputed,
	/// Answers with what another device computed.
	Replays,
	/// Makes up the middle of each lane and computes both halves at once.
	Halves,
	/// Opens with bytes.
	Garbage,
	/// Answers after the deadline.
	Late,
	/// Is one machine behind two identities that start together.
	Shared,
}

/// What members of a committee do instead of checking; the rest is honest.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Verifiers {
	Honest,
	/// Two of five say that whatever it was passed, in half of the time.
	FlatteringMinority,
	/// Two of five say that whatever it was failed.
	HarmingMinority,
}

fn task(rng: &mut StdRng) -> ChallengeTask {
	let seed = H256(rng.gen());
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DeviceId(7),
		seed,
		work: Work::Cpu(CPU),
		deadline: 1,
	}
}

fn computed(task: &ChallengeTask) -> Vec<State> {
	let mut states = Vec::new();
	for lane in 0..CPU.lanes {
		run_lane(task, lane, |_, state| {
			states.push(state);
			ControlFlow::Continue(())
		})
		.expect("a valid task");
	}
	states
}

fn made_up(rng: &mut StdRng) -> State {
	State(std::array::from_fn(|_| rng.next_u64()))
}

/// What the device has to show, and after how long it committed to it.
fn answer(device: Device, task: &ChallengeTask, rng: &mut StdRng) -> (Transcript, u32) {
	let mut millis = HONEST_MILLIS;
	let states = match device {
		Device::Honest | Device::Garbage => computed(task),
		Device::Late => {
			millis = WINDOW_MILLIS + 1;
			computed(task)
		},
		Device::Shared => {
			millis *= 2;
			computed(task)
		},
		Device::Precomputed => computed(&ChallengeTask { seed: H256(rng.gen()), ..*task }),
		Device::Replays => computed(&ChallengeTask { device: DeviceId(8), ..*task }),
		Device::Skips(count) => {
			let total = usize::from(CPU.lanes) * CPU.segments as usize;
			let mut skipped = index::sample(rng, total, count as usize).into_vec();
			skipped.sort_unstable();
			lanes_without(task, &skipped, rng)
		},
		Device::Halves => {
			millis /= 2;
			halves(task, rng)
		},
	};
	(Transcript::new(*task, states).expect("all segments"), millis)
}

/// The lanes with these ends made up; what follows is computed from them, as the best cheat does.
fn lanes_without(task: &ChallengeTask, skipped: &[usize], rng: &mut StdRng) -> Vec<State> {
	let segments = CPU.segments as usize;
	let mut states = Vec::new();
	for lane in 0..usize::from(CPU.lanes) {
		let of_lane: Vec<_> = skipped.iter().filter(|at| *at / segments == lane).collect();
		let ends = of_lane.iter().map(|at| (*at % segments, made_up(rng))).collect::<Vec<_>>();
		states.extend(lane_from(task, lane as u16, &ends));
	}
	states
}

/// A lane in which some ends are given.
fn lane_from(task: &ChallengeTask, lane: u16, given: &[(usize, State)]) -> Vec<State> {
	let table = lane_table(&task.seed, lane);
	let mut before = Frontier::default();
	let mut states = Vec::new();
	for segment in 0..CPU.segments {
		let start = segment_start(&task.seed, task.device, lane, segment, &before.lefts());
		let state = given
			.iter()
			.find(|(at, _)| *at == segment as usize)
			.map_or_else(|| run_segment(&table, start, CPU.steps_per_segment), |(_, end)| *end);
		before.push(merkle::leaf_hash(&(lane, segment, state.to_bytes()).encode()));
		states.push(state);
	}
	states
}

/// Both halves at once: the second starts from a made-up hash of the first, so that all of it hangs on
/// something that is not there.
fn halves(task: &ChallengeTask, rng: &mut StdRng) -> Vec<State> {
	let honest = computed(task);
	let segments = CPU.segments as usize;
	let mut states = honest.clone();
	for lane in 0..usize::from(CPU.lanes) {
		for segment in segments / 2..segments {
			states[lane * segments + segment] = made_up(rng);
		}
	}
	states
}

fn honest_verdict(
	device: Device,
	task: &ChallengeTask,
	(transcript, millis): &(Transcript, u32),
	rng: &mut StdRng,
) -> Verdict {
	let failed = |reason| Verdict::Failed { reason };
	if *millis > WINDOW_MILLIS {
		return failed(ChallengeFailure::NoAnswer);
	}
	let wanted = sample(H256(rng.gen()), task, SAMPLES).expect("a valid task");
	let openings = if device == Device::Garbage {
		let mut bytes = vec![0u8; 4_096];
		rng.fill_bytes(&mut bytes);
		let Ok(openings) = Vec::<SegmentOpening>::decode(&mut bytes.as_slice()) else {
			return failed(ChallengeFailure::Malformed);
		};
		openings
	} else {
		wanted
			.iter()
			.filter_map(|(lane, segment)| transcript.open(*lane, *segment))
			.collect()
	};
	match check_openings(task, transcript.root(), &wanted, &openings) {
		Ok(()) => passed(*millis + rng.gen_range(0..400), transcript.root()),
		Err(reason) => failed(reason),
	}
}

fn passed(elapsed_millis: u32, root: H256) -> Verdict {
	crate::passed(Measured::Cpu { elapsed_millis }, root)
}

#[derive(Default)]
struct Tally {
	found: u32,
	checks: u32,
	failed: u32,
	void: u32,
	millis: u64,
	paid: u32,
	paid_cheats: u32,
}

fn play(device: Device, verifiers: Verifiers, rounds: u32) -> Tally {
	let mut rng = StdRng::seed_from_u64(1);
	let mut tally = Tally::default();
	for _ in 0..rounds {
		let task = task(&mut rng);
		let shown = answer(device, &task, &mut rng);
		let verdicts: Vec<_> = (0..COMMITTEE)
			.map(|seat| match verifiers {
				Verifiers::FlatteringMinority if seat < 2 => passed(shown.1 / 2, shown.0.root()),
				Verifiers::HarmingMinority if seat < 2 => {
					Verdict::Failed { reason: ChallengeFailure::WrongResult }
				},
				_ => honest_verdict(device, &task, &shown, &mut rng),
			})
			.collect();
		let honest = if verifiers == Verifiers::Honest { 0 } else { 2 };
		tally.checks += verdicts[honest..].len() as u32;
		let found = |verdict: &&Verdict| matches!(verdict, Verdict::Failed { .. });
		tally.found += verdicts[honest..].iter().filter(found).count() as u32;
		let (conclusion, standings) = conclude(&verdicts, COMMITTEE);
		match conclusion {
			Conclusion::Failed { .. } | Conclusion::TwoRoots { .. } => tally.failed += 1,
			Conclusion::Void => tally.void += 1,
			Conclusion::Passed { measured, .. } => {
				tally.millis += u64::from(measured.elapsed_millis())
			},
		}
		for (seat, standing) in standings.iter().enumerate() {
			let paid = u32::from(*standing == Standing::Agrees);
			*(if seat < honest { &mut tally.paid_cheats } else { &mut tally.paid }) += paid;
		}
	}
	tally
}

pub(crate) fn print(rounds: u32, line: &mut impl FnMut(String)) {
	let total = u32::from(CPU.lanes) * CPU.segments;
	line(format!("{rounds} rounds each, {COMMITTEE} verifiers, {SAMPLES} samples of 240 segments"));
	line(format!(
		"{:<34} {:>9} {:>9}  {:>9} {:>9}  {:>8}  {:>12} {:>12}",
		"device", "found", "formula", "failed", "formula", "seconds", "saved EUR", "lost EUR"
	));
	let devices = [
		(Device::Honest, "honest", 0, 0.0),
		(Device::Skips(2), "skips 0.8 %", 2, 2.0 / 240.0),
		(Device::Skips(12), "skips 5 %", 12, 0.05),
		(Device::Skips(24), "skips 10 %", 24, 0.1),
		(Device::Skips(80), "skips 33 %", 80, 1.0 / 3.0),
		(Device::Halves, "both halves of a lane at once", 120, 0.0),
		(Device::Precomputed, "computed before", 240, 1.0),
		(Device::Replays, "another device's answer", 240, 1.0),
		(Device::Garbage, "garbage", 240, 1.0),
		(Device::Late, "late", 240, 0.0),
		(Device::Shared, "two identities, one machine", 0, 0.5),
	];
	for (device, name, wrong, saved) in devices {
		let tally = play(device, Verifiers::Honest, rounds);
		let found = 1.0 - miss(total, wrong, SAMPLES);
		let passes = rounds - tally.failed - tally.void;
		line(format!(
			"{name:<34} {:>8.2}% {:>8.2}%  {:>8.2}% {:>8.2}%  {:>8.1}  {:>12.4} {:>12.4}",
			percent(tally.found, tally.checks),
			found * 100.0,
			percent(tally.failed, rounds),
			majority(found) * 100.0,
			tally.millis as f64 / f64::from(passes.max(1)) / 1_000.0,
			saved * EUR_OF_A_ROUND * f64::from(rounds),
			f64::from(tally.failed) * EUR_OF_A_FAILURE,
		));
	}
	line(format!(
		"{:<34} {:>9}  {:>8}  {:>14} {:>14}",
		"verifiers", "failed", "seconds", "honest paid", "others paid"
	));
	for (device, verifiers, name) in [
		(Device::Honest, Verifiers::FlatteringMinority, "two of five flatter an honest one"),
		(Device::Skips(80), Verifiers::FlatteringMinority, "two of five pass 33 % skipped"),
		(Device::Honest, Verifiers::HarmingMinority, "two of five fail an honest one"),
	] {
		let tally = play(device, verifiers, rounds);
		let passes = rounds - tally.failed - tally.void;
		line(format!(
			"{name:<34} {:>8.2}%  {:>8.1}  {:>13.2}% {:>13.2}%",
			f64::from(tally.failed) / f64::from(rounds) * 100.0,
			tally.millis as f64 / f64::from(passes.max(1)) / 1_000.0,
			f64::from(tally.paid) / f64::from(rounds * 3) * 100.0,
			f64::from(tally.paid_cheats) / f64::from(rounds * 2) * 100.0,
		));
	}
}
