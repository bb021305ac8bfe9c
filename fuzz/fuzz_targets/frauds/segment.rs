//! Lanes of which checkpoints are made up.

use crate::{changes::Changes, judge::Round, task, CPU};
use armature_primitives::{
	challenge::{ChallengeTask, Work},
	H256,
};
use armature_verifier::{
	challenge::{
		fraud::{FraudProof, SignedCommit},
		lane_table, run_segment, segment_start, LaneTable, SegmentOpening, State, Transcript,
		STATE_LEN,
	},
	merkle::{leaf_hash, Frontier},
};
use codec::Encode;
use std::sync::LazyLock;

const TASK: ChallengeTask = task(Work::Cpu(CPU));

/// Making one takes longer than all else here.
static TABLES: LazyLock<Vec<LaneTable>> =
	LazyLock::new(|| (0..CPU.lanes).map(|lane| lane_table(&TASK.seed, lane)).collect());

/// The checkpoints of all lanes.
pub(crate) struct Lanes {
	transcript: Transcript,
	/// Of each, lane 0's first, whether it is none that its segment ends in.
	wrong: Vec<bool>,
}

impl Lanes {
	/// Run with these changes of the checkpoints.
	pub(crate) fn new(changes: &Changes) -> Self {
		let (mut states, mut wrong) = (Vec::new(), Vec::new());
		for lane in 0..CPU.lanes {
			let (mut before, mut is_wrong) = (Frontier::default(), false);
			for segment in 0..CPU.segments {
				let start = segment_start(&TASK.seed, TASK.device, lane, segment, &before.lefts());
				let table = &TABLES[usize::from(lane)];
				let right = run_segment(table, start, CPU.steps_per_segment).to_bytes();
				let mut state = right;
				let all = STATE_LEN * usize::from(CPU.lanes) * CPU.segments as usize;
				changes.apply(&mut state, STATE_LEN * states.len(), all);
				// A segment starts from the hashes of all before it: the first change is in each that follows,
				// unless those are run from it.
				is_wrong = state != right || (is_wrong && !changes.carries_on);
				wrong.push(is_wrong);
				states.push(State::from_bytes(&state));
				let next = if changes.carries_on { state } else { right };
				before.push(leaf_hash(&(lane, segment, next).encode()));
			}
		}
		let transcript = Transcript::new(TASK, states).expect("all states are there");
		Self { transcript, wrong }
	}
}

impl Round for Lanes {
	type Place = (u16, u32);
	type Opening = SegmentOpening;

	const LEN: u32 = STATE_LEN as u32;
	const COUNT: u32 = CPU.lanes as u32 * CPU.segments;

	fn task(&self) -> ChallengeTask {
		TASK
	}

	fn root(&self) -> H256 {
		self.transcript.root()
	}

	fn place(&self, number: u32) -> (u16, u32) {
		((number / CPU.segments) as u16, number % CPU.segments)
	}

	fn place_of(&self, opening: &SegmentOpening) -> Option<(u16, u32)> {
		let SegmentOpening { lane, segment, .. } = *opening;
		(lane < CPU.lanes && segment < CPU.segments).then_some((lane, segment))
	}

	fn open(&self, (lane, segment): (u16, u32)) -> SegmentOpening {
		self.transcript.open(lane, segment).expect("inside")
	}

	fn is_wrong(&self, (lane, segment): (u16, u32)) -> bool {
		self.wrong[(u32::from(lane) * CPU.segments + segment) as usize]
	}

	fn proof(signed: SignedCommit, opening: SegmentOpening) -> FraudProof {
		FraudProof::Segment { signed, opening }
	}
}
