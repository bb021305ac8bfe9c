//! The rounds that run, or have run.

use super::{committee::Committee, fault::Pauses, runner::Done, ChallengeFault};
use crate::lock::lock;
use armature_p2p::PeerId;
use armature_primitives::{
	challenge::{ChallengeTask, WorkKind},
	H256,
};
use armature_verifier::challenge::task_hash;
use futures::future::{BoxFuture, Shared};
use std::{
	collections::VecDeque,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc, Mutex, MutexGuard,
	},
	time::Instant,
};

/// Rounds that are remembered, the one that runs included. Lanes take up to half a gigabyte at the
/// protocol's largest task, and some megabytes at a usual one. Filled memory is kept of one round.
const KEEP_ROUNDS: usize = 2;

/// What a run comes to, for all who wait for it.
pub(super) type Running = Shared<BoxFuture<'static, Result<Arc<Done>, ChallengeFault>>>;

/// A round that runs, or has run.
struct Run {
	task: ChallengeTask,
	committee: Arc<Committee>,
	running: Running,
	/// Ends this run, if it has not ended.
	stop: Arc<AtomicBool>,
	/// Since when it is known that the machine cannot run it: see [`ChallengeFault::lasts`].
	fails_since: Option<Instant>,
	/// Whether the log has that of an earlier run of the task.
	is_told: bool,
}

impl Run {
	/// Whether it answers a task still: filled memory may have been given back since, and a run that failed
	/// is tried again. Where the machine could not run it, only after a pause.
	fn answers(&self, task: &ChallengeTask, pauses: &Pauses) -> bool {
		let lasts = || match self.running.peek() {
			None => true,
			Some(Ok(done)) => done.is_kept(),
			Some(Err(fault)) => fault
				.lasts(pauses)
				.is_some_and(|pause| self.fails_since.is_none_or(|since| since.elapsed() < pause)),
		};
		self.task == *task && lasts()
	}
}

/// A committed round, as far as it is asked about.
pub(super) struct Committed {
	pub(super) task: ChallengeTask,
	pub(super) committee: Arc<Committee>,
	pub(super) done: Arc<Done>,
}

/// The last rounds.
pub(super) struct Rounds {
	runs: Mutex<VecDeque<Run>>,
	pauses: Pauses,
}

impl Rounds {
	pub(super) fn new(pauses: Pauses) -> Self {
		Self { runs: Mutex::default(), pauses }
	}

	/// The run that answers a task, and who may wait for it.
	pub(super) fn known(&self, task: &ChallengeTask) -> Option<(Running, Arc<Committee>)> {
		let runs = self.lock();
		let known = runs.iter().find(|known| known.answers(task, &self.pauses))?;
		Some((known.running.clone(), known.committee.clone()))
	}

	/// A committed task, by its hash.
	pub(super) fn committed(&self, task: H256) -> Option<Committed> {
		let runs = self.lock();
		let run = runs.iter().find(|known| task_hash(&known.task) == task)?;
		let done = run.running.peek()?.as_ref().ok()?.clone();
		Some(Committed { task: run.task, committee: run.committee.clone(), done })
	}

	/// Begins the round that the chain has just confirmed, unless another call just did. `begin` gets what
	/// ends it. A device has one open round: others that have not ended are stopped, for theirs is not on
	/// chain any more and would lengthen the time of this one.
	pub(super) fn begin(
		&self,
		task: ChallengeTask,
		committee: Vec<PeerId>,
		begin: impl FnOnce(Arc<AtomicBool>) -> Running,
	) -> Running {
		let mut runs = self.lock();
		if let Some(known) = runs.iter().find(|known| known.answers(&task, &self.pauses)) {
			return known.running.clone();
		}
		let is_told = runs
			.iter()
			.any(|known| known.task == task && (known.is_told || known.fails_since.is_some()));
		runs.retain(|known| known.task != task);
		for other in runs.iter() {
			other.stop.store(true, Ordering::SeqCst);
		}
		while runs.len() >= KEEP_ROUNDS {
			runs.pop_front();
		}
		let stop = Arc::new(AtomicBool::new(false));
		let running = begin(stop.clone());
		runs.push_back(Run {
			task,
			committee: Arc::new(Committee::new(committee)),
			running: running.clone(),
			stop,
			fails_since: None,
			is_told,
		});
		running
	}

	/// Forgets a run that failed, so that the next call begins another. Where the machine cannot run it that
	/// is remembered for a while, and told once.
	pub(super) fn failed(&self, running: &Running, fault: &ChallengeFault) {
		let mut runs = self.lock();
		if fault.lasts(&self.pauses).is_none() {
			runs.retain(|known| !known.running.ptr_eq(running));
			return;
		}
		let run = runs.iter_mut().find(|known| known.running.ptr_eq(running));
		let Some(run) = run.filter(|run| run.fails_since.is_none()) else { return };
		run.fails_since = Some(Instant::now());
		if !run.is_told {
			tracing::error!(round = run.task.round.0, error = %fault, "a round cannot be run");
		}
	}

	/// Stops all rounds of memory or products that have not ended, and returns them.
	pub(super) fn stop_filling(&self) -> Vec<Running> {
		let mut stopped = Vec::new();
		for run in self.lock().iter() {
			let fills = match run.task.work.kind() {
				WorkKind::Memory | WorkKind::Gemm => true,
				WorkKind::Cpu | WorkKind::Network | WorkKind::Storage => false,
			};
			if fills && run.running.peek().is_none() {
				run.stop.store(true, Ordering::SeqCst);
				stopped.push(run.running.clone());
			}
		}
		stopped
	}

	fn lock(&self) -> MutexGuard<'_, VecDeque<Run>> {
		lock(&self.runs)
	}
}
