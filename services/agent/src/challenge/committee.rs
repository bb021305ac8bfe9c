//! Who may ask about a round: those that the chain has seated in its committee.

use super::ChallengeFault;
use crate::{chain::ChainPort, lock::lock};
use armature_p2p::PeerId;
use armature_primitives::challenge::ChallengeTask;
use std::{
	sync::{Mutex, MutexGuard},
	time::{Duration, Instant},
};

/// The committee of one round, by its peers.
#[derive(Debug)]
pub(super) struct Committee(Mutex<Members>);

#[derive(Debug)]
struct Members {
	peers: Vec<PeerId>,
	/// When the chain was last asked for a peer that is not among them.
	asked_at: Option<Instant>,
}

impl Committee {
	/// As the chain has just named it.
	pub(super) fn new(peers: Vec<PeerId>) -> Self {
		Self(Mutex::new(Members { peers, asked_at: None }))
	}

	/// Hears a peer if it is of the committee. Of another one the chain is asked, `every` so often at most:
	/// a member may be reached elsewhere by now.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NotOfCommittee`], also when the task is no longer open;
	/// [`ChallengeFault::Chain`].
	pub(super) async fn admit(
		&self,
		peer: &PeerId,
		task: &ChallengeTask,
		chain: &dyn ChainPort,
		every: Duration,
	) -> Result<(), ChallengeFault> {
		{
			let mut members = self.lock();
			if members.peers.contains(peer) {
				return Ok(());
			}
			if members.asked_at.is_some_and(|asked_at| asked_at.elapsed() < every) {
				return Err(ChallengeFault::NotOfCommittee);
			}
			members.asked_at = Some(Instant::now());
		}
		let open = chain.open_round(task.round).await.map_err(ChallengeFault::Chain)?;
		let open = open.filter(|open| open.task == *task).ok_or(ChallengeFault::NotOfCommittee)?;
		let is_member = open.committee.contains(peer);
		self.lock().peers = open.committee;
		if is_member {
			Ok(())
		} else {
			Err(ChallengeFault::NotOfCommittee)
		}
	}

	fn lock(&self) -> MutexGuard<'_, Members> {
		lock(&self.0)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::testing::{peer, FakeChain};
	use armature_primitives::{
		challenge::{CpuChallenge, Work},
		DeviceId, RoundId, H256,
	};

	const OFTEN: Duration = Duration::ZERO;
	const SELDOM: Duration = Duration::from_secs(3_600);

	fn task() -> ChallengeTask {
		ChallengeTask {
			round: RoundId(1),
			device: DeviceId(7),
			seed: H256([9; 32]),
			work: Work::Cpu(CpuChallenge { lanes: 1, segments: 1, steps_per_segment: 1 }),
			deadline: 1,
		}
	}

	/// A committee of peer 1, and a chain that names these peers.
	fn committee(named: &[u8]) -> (Committee, FakeChain) {
		let chain = FakeChain::default();
		chain.edit(|chain| {
			chain.rounds = vec![task()];
			chain.committee = named.iter().copied().map(peer).collect();
		});
		(Committee::new(vec![peer(1)]), chain)
	}

	fn is_refused(answer: Result<(), ChallengeFault>) -> bool {
		matches!(answer, Err(ChallengeFault::NotOfCommittee))
	}

	#[tokio::test]
	async fn a_member_should_be_heard_without_asking_the_chain() {
		let (committee, chain) = committee(&[1]);
		chain.edit(|chain| chain.down = true);
		committee.admit(&peer(1), &task(), &chain, OFTEN).await.expect("a member");
		let asked = committee.admit(&peer(2), &task(), &chain, OFTEN).await;
		assert!(matches!(asked, Err(ChallengeFault::Chain(_))), "{asked:?}");
	}

	#[tokio::test]
	async fn a_member_that_is_reached_elsewhere_should_be_heard() {
		let (committee, chain) = committee(&[2, 3]);
		committee.admit(&peer(2), &task(), &chain, SELDOM).await.expect("named now");
		committee.admit(&peer(3), &task(), &chain, SELDOM).await.expect("named with it");
		assert!(is_refused(committee.admit(&peer(1), &task(), &chain, SELDOM).await));
	}

	#[tokio::test]
	async fn the_chain_should_be_asked_of_others_now_and_then_only() {
		let (committee, chain) = committee(&[1]);
		assert!(is_refused(committee.admit(&peer(2), &task(), &chain, SELDOM).await));
		chain.edit(|chain| chain.committee = vec![peer(2)]);
		assert!(is_refused(committee.admit(&peer(2), &task(), &chain, SELDOM).await));
		committee.admit(&peer(2), &task(), &chain, OFTEN).await.expect("named now");
	}

	#[tokio::test]
	async fn nobody_else_should_be_heard_in_what_is_no_longer_open() {
		let (committee, chain) = committee(&[2]);
		let replaced = ChallengeTask { seed: H256([8; 32]), ..task() };
		for rounds in [vec![replaced], Vec::new()] {
			chain.edit(|chain| chain.rounds = rounds);
			assert!(is_refused(committee.admit(&peer(2), &task(), &chain, OFTEN).await));
			committee.admit(&peer(1), &task(), &chain, OFTEN).await.expect("still a member");
		}
	}
}
