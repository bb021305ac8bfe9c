//! Why a round is not answered.

use crate::{
	chain::ChainError,
	compute::{LaneFault, MemoryFault},
	store::StoreError,
};
use armature_p2p::Refusal;
use armature_verifier::challenge::ChallengeError;
use std::time::Duration;

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// Why a round is not answered.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeFault {
	/// The chain has no such task open for this device.
	#[error("the chain has no such task open for this device")]
	NotOnChain,
	/// The chain has not seated the peer in the round's committee.
	#[error("the peer is not of the round's committee")]
	NotOfCommittee,
	/// The chain could not be asked.
	#[error(transparent)]
	Chain(ChainError),
	/// The task breaks its bounds.
	#[error("the task cannot be run: {0}")]
	Task(ChallengeError),
	/// The machine cannot give the memory that the round needs.
	#[error(
		"the round needs {} MiB of memory, and this machine can give {} MiB: free some, or offer \
		 less. An accelerator is offered anew with `armature device accelerator`; what else a \
		 registered device offers cannot be changed: retire it (`armature device retire`), and \
		 register it with less (`armature device add --memory`)",
		.needed.div_ceil(MIB),
		.available / MIB
	)]
	NoMemory {
		/// Bytes that the round needs.
		needed: u64,
		/// Bytes that the machine can give.
		available: u64,
	},
	/// What computes products could not be opened, or failed.
	#[error(
		"the products of the round were not computed: {0}. Take the offer back while that lasts \
		 (`armature device accelerator withdraw`)"
	)]
	Accelerator(String),
	/// The sectors that the round asks for are not there, or damaged.
	#[error(
		"the storage of the round cannot be read: {0}. Where that takes long to mend, take the offer back \
		 (`armature device storage withdraw`): rounds about it are lost. Nothing can be offered again \
		 before `offer_interval_millis` have passed since the last offer, a day unless the network has \
		 it otherwise"
	)]
	Storage(String),
	/// The deadline passed, another task took this one's place, the round is over, or the agent stops.
	#[error("the run was stopped before it was done")]
	Stopped,
	/// Another root was signed for the task before.
	#[error(
		"another root was signed for this task before, and a second one would cost a part of the \
		 bond: this machine computed wrongly once, its memory or processor may be defective; or \
		 what it had planted was lost"
	)]
	OtherRoot,
	/// The round opened before the record of what was signed begins.
	#[error(
		"what was signed before is not known, and a second root for a task would cost a part of the \
		 bond: this round is not answered, but those that open later are. Keep the data directory \
		 while a round is open, and this machine's clock right"
	)]
	SignedLost,
	/// The round is unknown, over or forgotten, or of another kind, or has no such part.
	#[error("nothing to open")]
	NothingToOpen,
	/// The openings asked for do not fit one answer.
	#[error("too many openings for one answer")]
	TooLarge,
	/// A walk is kept for another peer, or lasts; or many wait to have blocks shown.
	#[error("others come first")]
	Busy,
	/// The peer did not reserve a walk, was too late for it, or has had it.
	#[error("no walk is kept for this peer")]
	NotYourTurn,
	/// The peer has had all walks that it gets in a round.
	#[error("this peer has had all its walks of the round")]
	TooManyTurns,
	/// The peer has asked for blocks, entries, echoes or data as often as it may in a round.
	#[error("this peer has asked too often in the round")]
	TooManyRequests,
	/// A thread or the store failed, or the system gave no memory.
	#[error("the run failed: {0}")]
	Failed(String),
}

/// How long a round is not tried again where the machine could not run it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pauses {
	/// Where it lacked memory, or what computes products failed.
	pub(super) work: Duration,
	/// Where what is sealed could not be read. That takes no time to find out, and a verifier takes a
	/// commitment for some seconds only (`storage_commit_millis`).
	pub(super) storage: Duration,
}

impl Default for Pauses {
	fn default() -> Self {
		Self { work: Duration::from_secs(10), storage: Duration::from_secs(1) }
	}
}

impl From<LaneFault> for ChallengeFault {
	fn from(fault: LaneFault) -> Self {
		match fault {
			LaneFault::Task(ChallengeError::Stopped) => ChallengeFault::Stopped,
			LaneFault::Task(error) => ChallengeFault::Task(error),
			LaneFault::Thread(error) => ChallengeFault::Failed(error),
		}
	}
}

impl From<MemoryFault> for ChallengeFault {
	fn from(fault: MemoryFault) -> Self {
		match fault {
			MemoryFault::Stopped => ChallengeFault::Stopped,
			MemoryFault::Size(error) => ChallengeFault::Task(error.into()),
			MemoryFault::NoMemory(_) | MemoryFault::Thread => {
				ChallengeFault::Failed(fault.to_string())
			},
		}
	}
}

impl From<StoreError> for ChallengeFault {
	fn from(error: StoreError) -> Self {
		ChallengeFault::Failed(match error {
			StoreError::Database(source) => format!("the store failed: {source}"),
			error => error.to_string(),
		})
	}
}

impl ChallengeFault {
	/// What a verifier is told.
	pub fn refusal(&self) -> Refusal {
		match self {
			ChallengeFault::NotOnChain
			| ChallengeFault::NotOfCommittee
			| ChallengeFault::NotYourTurn
			| ChallengeFault::TooManyTurns => Refusal::NotAssigned,
			ChallengeFault::Task(_) => Refusal::Malformed,
			ChallengeFault::NothingToOpen => Refusal::NotFound,
			ChallengeFault::TooLarge => Refusal::TooLarge,
			ChallengeFault::Busy => Refusal::Busy,
			ChallengeFault::TooManyRequests => Refusal::RateLimited,
			ChallengeFault::Chain(_)
			| ChallengeFault::NoMemory { .. }
			| ChallengeFault::Accelerator(_)
			| ChallengeFault::Storage(_)
			| ChallengeFault::Stopped
			| ChallengeFault::OtherRoot
			| ChallengeFault::SignedLost
			| ChallengeFault::Failed(_) => Refusal::Internal,
		}
	}

	/// How long it is taken to stay so, however often the round is asked for; `None` where it is tried again
	/// at once.
	pub(super) fn lasts(&self, pauses: &Pauses) -> Option<Duration> {
		match self {
			ChallengeFault::NoMemory { .. } | ChallengeFault::Accelerator(_) => Some(pauses.work),
			ChallengeFault::Storage(_) => Some(pauses.storage),
			_ => None,
		}
	}

	/// Whether any verifier can bring it about again and again, by what it asks for or by asking too
	/// often: that says nothing about this device.
	pub fn is_askers(&self) -> bool {
		match self {
			ChallengeFault::NotOnChain
			| ChallengeFault::NotOfCommittee
			| ChallengeFault::Task(_)
			| ChallengeFault::NothingToOpen
			| ChallengeFault::TooLarge
			| ChallengeFault::Busy
			| ChallengeFault::NotYourTurn
			| ChallengeFault::TooManyTurns
			| ChallengeFault::TooManyRequests => true,
			ChallengeFault::Chain(_)
			| ChallengeFault::NoMemory { .. }
			| ChallengeFault::Accelerator(_)
			| ChallengeFault::Storage(_)
			| ChallengeFault::Stopped
			| ChallengeFault::OtherRoot
			| ChallengeFault::SignedLost
			| ChallengeFault::Failed(_) => false,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn each_fault_should_be_told_by_its_refusal_and_be_the_askers_or_the_devices() {
		let chain = ChainError::Unavailable("down".into());
		for (fault, refusal, is_askers) in [
			(ChallengeFault::NotOnChain, Refusal::NotAssigned, true),
			(ChallengeFault::NotOfCommittee, Refusal::NotAssigned, true),
			(ChallengeFault::NotYourTurn, Refusal::NotAssigned, true),
			(ChallengeFault::TooManyTurns, Refusal::NotAssigned, true),
			(ChallengeFault::TooManyRequests, Refusal::RateLimited, true),
			(ChallengeFault::Busy, Refusal::Busy, true),
			(ChallengeFault::Task(ChallengeError::NoWork), Refusal::Malformed, true),
			(ChallengeFault::NothingToOpen, Refusal::NotFound, true),
			(ChallengeFault::TooLarge, Refusal::TooLarge, true),
			(ChallengeFault::NoMemory { needed: 2, available: 1 }, Refusal::Internal, false),
			(ChallengeFault::Chain(chain), Refusal::Internal, false),
			(ChallengeFault::Accelerator("a driver".into()), Refusal::Internal, false),
			(ChallengeFault::Storage("a disk".into()), Refusal::Internal, false),
			(ChallengeFault::Stopped, Refusal::Internal, false),
			(ChallengeFault::OtherRoot, Refusal::Internal, false),
			(ChallengeFault::SignedLost, Refusal::Internal, false),
			(ChallengeFault::Failed("a thread".into()), Refusal::Internal, false),
		] {
			assert_eq!(fault.refusal(), refusal, "{fault}");
			assert_eq!(fault.is_askers(), is_askers, "{fault}");
		}
	}

	#[test]
	fn what_the_machine_lacks_should_be_tried_again_in_time_for_the_round() {
		let pauses = Pauses::default();
		for (fault, seconds) in [
			(ChallengeFault::NoMemory { needed: 2, available: 1 }, Some(10)),
			(ChallengeFault::Accelerator("a driver".into()), Some(10)),
			(ChallengeFault::Storage("a disk".into()), Some(1)),
			(ChallengeFault::Stopped, None),
			(ChallengeFault::Failed("a thread".into()), None),
			(ChallengeFault::OtherRoot, None),
		] {
			assert_eq!(fault.lasts(&pauses), seconds.map(Duration::from_secs), "{fault}");
		}
	}

	#[test]
	fn whoever_is_advised_to_take_an_offer_back_should_be_told_what_that_costs() {
		let told = ChallengeFault::Storage("a disk".into()).to_string();
		assert!(told.contains("cannot be read: a disk. "), "{told}");
		assert!(told.contains("armature device storage withdraw"), "{told}");
		assert!(told.contains("offer_interval_millis"), "{told}");
	}
}
