//! The last failed round of a device.
//!
//! The chain keeps of it when it ended and what it was about, as long as frauds in it can be proved. What verifiers
//! found fault with is kept nowhere but in old blocks' events, which few nodes have, and in the agent's log.

use super::parts::Parts;
use crate::show::when;
use anyhow::Result;
use armature_primitives::{challenge::WorkKind, Moment, RoundId};
use armature_sdk::{
	query::{self, LastRounds},
	AtBlock,
};
use serde::Serialize;

/// A failed round whose part of the score is still missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Failure {
	round: u64,
	kind: WorkKind,
	ended_at: Moment,
}

impl Failure {
	/// The last one that the chain still keeps.
	pub(super) async fn find(
		at: &AtBlock,
		last: &LastRounds,
		parts: &Parts,
	) -> Result<Option<Self>> {
		let mut failures = Vec::new();
		for (kind, round) in candidates(last, parts) {
			let ended = query::ended_round(at, round).await?.filter(|ended| ended.is_failed);
			let failure =
				ended.map(|ended| Self { round: round.0, kind, ended_at: ended.ended_at });
			failures.extend(failure);
		}
		Ok(failures.into_iter().max_by_key(|failure| failure.ended_at))
	}

	/// In words, with what to do.
	pub(super) fn show(&self, now: Moment) -> String {
		let Self { round, kind, ended_at } = *self;
		let (kind, ended, advice) = (kind.name(), when(ended_at, now), advice(kind));
		format!("{kind}, round {round}, {ended}; the agent's log of then has more: {advice}")
	}
}

/// The last round of each kind of which the score has nothing. A failed one whose part is there again was answered
/// with what was planted, and does not count.
fn candidates(last: &LastRounds, parts: &Parts) -> Vec<(WorkKind, RoundId)> {
	let of = |kind| match kind {
		WorkKind::Cpu => &last.cpu,
		WorkKind::Memory => &last.memory,
		WorkKind::Network => &last.network,
		WorkKind::Gemm => &last.gemm,
		WorkKind::Storage => &last.storage,
	};
	let missing = WorkKind::ALL.into_iter().filter(|kind| !parts.has(*kind));
	missing
		.filter_map(|kind| of(kind).as_ref().map(|round| (kind, round.0)))
		.collect()
}

/// What has to hold for a round to be passed, in the words of a device's operator.
fn advice(kind: WorkKind) -> &'static str {
	match kind {
		WorkKind::Cpu => {
			"its agent has to be up and connected, and all lanes that it offers free for that"
		},
		WorkKind::Memory => {
			"as much memory as it offers has to be free, and none of it may be swapped out"
		},
		WorkKind::Network => {
			"its agent has to be up, and nothing else may fill its connection meanwhile"
		},
		WorkKind::Gemm => {
			"the accelerator has to be free and done in time: else offer less memory or a smaller side"
		},
		WorkKind::Storage => {
			"all sectors that it offers have to be sealed, and their disks awake and free"
		},
	}
}

#[cfg(test)]
mod tests {
	use super::{
		super::samples::{beside, fast},
		*,
	};
	use armature_sdk::Static;
	use serde_json::json;

	#[test]
	fn rounds_should_be_looked_up_where_the_score_has_nothing() {
		let last = LastRounds {
			cpu: Some(Static(RoundId(3))),
			memory: Some(Static(RoundId(4))),
			network: None,
			gemm: None,
			storage: Some(Static(RoundId(2))),
		};
		let parts = Parts::new(&beside(fast(5), &[], false));
		let mut found = candidates(&last, &parts);
		found.sort_by_key(|(_, round)| *round);
		assert_eq!(found, [(WorkKind::Storage, RoundId(2)), (WorkKind::Memory, RoundId(4))]);
	}

	#[test]
	fn failure_should_be_told_with_what_to_do() {
		let failure = Failure { round: 7, kind: WorkKind::Memory, ended_at: 1_000 };
		let expected = "memory, round 7, 1 min 0 s ago; the agent's log of then has more: as much \
		                memory as it offers has to be free, and none of it may be swapped out";
		assert_eq!(failure.show(61_000), expected);
		let expected = json!({ "round": 7, "kind": "memory", "ended_at": 1_000 });
		assert_eq!(serde_json::to_value(failure).unwrap(), expected);
		for kind in WorkKind::ALL {
			assert!(!advice(kind).is_empty());
		}
	}
}
