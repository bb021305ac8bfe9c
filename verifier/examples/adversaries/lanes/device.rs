//! What devices do instead of running lanes.

use crate::{
	committee::{decoded, garbage, Looked, Round},
	machine::{Job, Machine, Order},
};
use armature_primitives::{
	challenge::{ChallengeTask, CpuChallenge, Measured, Work},
	DeviceId, RoundId, H256,
};
use armature_verifier::{
	challenge::{
		check_openings, lane_table, run_segment, sample, segment_start, SegmentOpening, State,
		Transcript,
	},
	merkle::{leaf_hash, Frontier},
};
use codec::Encode;
use rand::{rngs::StdRng, seq::index, Rng, RngCore};

/// What a round asks for: so many segments that a hundredth of them are some.
pub(crate) const CPU: CpuChallenge = CpuChallenge { lanes: 2, segments: 100, steps_per_segment: 4 };

/// Segments of all lanes.
pub(crate) const SEGMENTS: u32 = CPU.lanes as u32 * CPU.segments;

/// Segments that a verifier looks at.
pub(super) const SAMPLES: u32 = 44;

/// What devices are: twelve seconds for a round.
pub(crate) const MACHINE: Machine = Machine { processors: 2, unit_micros: 120_000 };

/// How long verifiers wait.
pub(crate) const WINDOW_MICROS: u64 = 180_000_000;

/// Where a lane is cut by whoever computes both parts at once: what is before is one subtree.
const CUT: u32 = 64;

/// What a device does instead of the work.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Device {
	Honest,
	/// Makes up so many percent of the segments' ends.
	Skips(u32),
	/// Answers with what it computed for another seed.
	Precomputed,
	/// Answers with what another device computed.
	Replays,
	/// Makes up what it does not have of each lane, and computes both parts at once.
	Parts,
	/// Opens with bytes.
	Garbage,
	/// Begins when it should have answered.
	Late,
}

/// A device's answer.
pub(super) struct Answer {
	task: ChallengeTask,
	transcript: Transcript,
	is_garbage: bool,
	/// From the round's block to its commitment.
	pub(super) micros: u64,
	/// Segments that it did not compute in the round.
	pub(super) spared: u32,
}

/// A task of device 7.
pub(crate) fn task(rng: &mut StdRng) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DeviceId(7),
		seed: H256(rng.gen()),
		work: Work::Cpu(CPU),
		deadline: 1,
	}
}

/// Ends that are given instead of computed, as lane and segment.
type Given = Vec<((u16, u32), State)>;

impl Answer {
	pub(super) fn new(device: Device, task: &ChallengeTask, rng: &mut StdRng) -> Self {
		let whole = vec![CPU.segments; usize::from(CPU.lanes)];
		let none = vec![0; usize::from(CPU.lanes)];
		let lanes = |task: &ChallengeTask, given: &Given| -> Vec<State> {
			(0..CPU.lanes).flat_map(|lane| part(task, lane, 0, None, given)).collect()
		};
		let (states, work) = match device {
			Device::Honest | Device::Late => (lanes(task, &Vec::new()), whole),
			Device::Garbage => (lanes(task, &Vec::new()), none),
			Device::Precomputed => {
				let seed = H256(rng.gen());
				(lanes(&ChallengeTask { seed, ..*task }, &Vec::new()), none)
			},
			Device::Replays => {
				let device = DeviceId(8);
				(lanes(&ChallengeTask { device, ..*task }, &Vec::new()), none)
			},
			Device::Skips(percent) => {
				let given = made_up(SEGMENTS * percent / 100, rng);
				let made_up = |lane| given.iter().filter(|((of, _), _)| *of == lane).count() as u32;
				let work = (0..CPU.lanes).map(|lane| CPU.segments - made_up(lane)).collect();
				(lanes(task, &given), work)
			},
			Device::Parts => {
				let before = H256(rng.gen());
				let lane = |lane| {
					let mut states = part(task, lane, 0, None, &Vec::new());
					states.truncate(CUT as usize);
					states.extend(part(task, lane, CUT, Some(before), &Vec::new()));
					states
				};
				let parts = (0..CPU.lanes).flat_map(|_| [CUT, CPU.segments - CUT]).collect();
				((0..CPU.lanes).flat_map(lane).collect(), parts)
			},
		};
		let machine = match device {
			Device::Parts => Machine { processors: 2 * MACHINE.processors, ..MACHINE },
			_ => MACHINE,
		};
		let at_micros = if device == Device::Late { WINDOW_MICROS } else { 0 };
		let spared = SEGMENTS.saturating_sub(work.iter().sum());
		let ends = machine.ends(&[Job { at_micros, lanes: work }], Order::InTurn);
		Self {
			task: *task,
			transcript: Transcript::new(*task, states).expect("all segments"),
			is_garbage: device == Device::Garbage,
			micros: ends.iter().sum(),
			spared,
		}
	}
}

/// So many ends, by lot.
fn made_up(count: u32, rng: &mut StdRng) -> Given {
	let drawn = index::sample(rng, SEGMENTS as usize, count as usize).into_iter();
	let place = |at| ((at as u32 / CPU.segments) as u16, at as u32 % CPU.segments);
	let state = |rng: &mut StdRng| State(std::array::from_fn(|_| rng.next_u64()));
	drawn.map(|at| (place(at), state(rng))).collect()
}

/// A lane from a segment on. What is before that is one hash, or nothing. Where ends are given, what follows
/// is computed from them, as the best cheat does.
fn part(
	task: &ChallengeTask,
	lane: u16,
	from: u32,
	before: Option<H256>,
	given: &Given,
) -> Vec<State> {
	let table = lane_table(&task.seed, lane);
	let mut frontier = Frontier::default();
	let mut states = Vec::new();
	for segment in from..CPU.segments {
		let lefts: Vec<H256> = before.into_iter().chain(frontier.lefts()).collect();
		let start = segment_start(&task.seed, task.device, lane, segment, &lefts);
		let made_up = given.iter().find(|(place, _)| *place == (lane, segment));
		let state = made_up
			.map_or_else(|| run_segment(&table, start, CPU.steps_per_segment), |(_, end)| *end);
		frontier.push(leaf_hash(&(lane, segment, state.to_bytes()).encode()));
		states.push(state);
	}
	states
}

impl Round for Answer {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn root(&self) -> H256 {
		self.transcript.root()
	}

	fn look(&mut self, root: H256, rng: &mut StdRng) -> Looked {
		let wanted = sample(H256(rng.gen()), &self.task, SAMPLES).expect("a valid task");
		let open = |(lane, segment): &(u16, u32)| self.transcript.open(*lane, *segment);
		let openings: Vec<_> = wanted.iter().filter_map(open).collect();
		let bytes = if self.is_garbage { garbage(rng) } else { openings.encode() };
		check_openings(&self.task, root, &wanted, &decoded::<SegmentOpening>(&bytes)?)
	}

	fn measured(&self, rng: &mut StdRng) -> Measured {
		measured(self.micros, rng)
	}
}

/// What a verifier measures of what took so long: it sees block and commitment when it does.
pub(crate) fn measured(micros: u64, rng: &mut StdRng) -> Measured {
	let millis = u32::try_from(micros / 1_000).expect("some minutes");
	Measured::Cpu { elapsed_millis: (millis + rng.gen_range(0..400)).max(1) }
}

/// A round that an honest device or, of a third of its segments, a cheat answers.
pub(crate) fn round(is_cheat: bool, rng: &mut StdRng) -> Box<dyn Round> {
	let device = if is_cheat { Device::Skips(33) } else { Device::Honest };
	let task = task(rng);
	Box::new(Answer::new(device, &task, rng))
}
