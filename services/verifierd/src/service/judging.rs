//! Looking for rounds, and having them judged.

use super::{lock, ticker, timed, unix_millis, Service, CHAIN_TIMEOUT, KEEP_MILLIS};
use crate::{
	journal::{Journal, Judged, Sealed},
	rounds::{RoundClock, Unjudged},
};
use armature_primitives::{
	challenge::{Assignment, AssignmentPhase, ChallengeTask, WorkKind},
	DeviceId, H256,
};
use armature_verifier::challenge::task_hash;
use std::{
	collections::{HashMap, HashSet},
	sync::Arc,
	time::Duration,
};
use tokio::{
	task::{AbortHandle, Id, JoinError, JoinSet},
	time::Instant,
};

/// Rounds under judgement at once, most of which wait for their devices. The chain opens at most 32 a
/// block: 1,920 within its window of three minutes, 6,400 in ten minutes. What is beyond has to wait, for a
/// node sends no more than 4,096 requests at once, and each round has one under way and may have given
/// another one up.
const MAX_ROUNDS: usize = 2_048;

/// What judging a round came to, and how long after its first sight.
type Outcome = (ChallengeTask, Duration, Result<Judged, Unjudged>);

/// A round under judgement.
struct Running {
	/// Hash of its task: a round whose block was replaced may have another one.
	task: H256,
	device: DeviceId,
	abort: AbortHandle,
}

/// Looks for new rounds and judges them.
///
/// A device has one round under judgement here at a time: the next one begins when that is judged, or
/// at once where the chain no longer lists it. While a device computes, or lets others walk first, its
/// round takes none of `max_concurrent` places, and one that its walk or its openings have goes to the next in
/// line after a while: see [`crate::rounds`]. So slow devices do not keep others from being judged, up to
/// [`MAX_ROUNDS`] of them.
pub(super) async fn watch_rounds(service: Arc<Service>) {
	let mut poll = ticker(Duration::from_millis(service.config.challenges.poll_millis));
	let mut watch = Watch {
		service,
		judging: JoinSet::new(),
		running: HashMap::new(),
		hopeless: HashSet::new(),
	};
	loop {
		tokio::select! {
			_ = poll.tick() => watch.look().await,
			Some(done) = watch.judging.join_next_with_id(), if !watch.judging.is_empty() => {
				watch.finish(done).await
			},
		}
	}
}

struct Watch {
	service: Arc<Service>,
	judging: JoinSet<Outcome>,
	/// What each of these judges.
	running: HashMap<Id, Running>,
	/// Hashes of tasks that cannot be judged, kept while the chain lists them.
	hopeless: HashSet<H256>,
}

impl Watch {
	/// Begins what the chain lists and nobody works on.
	async fn look(&mut self) {
		let open = match timed(CHAIN_TIMEOUT, self.service.chain.open_rounds()).await {
			Ok(open) => open,
			Err(error) => {
				tracing::warn!(%error, "cannot read open rounds");
				return;
			},
		};
		let listed: HashSet<_> =
			open.iter().map(|assignment| task_hash(&assignment.task)).collect();
		self.hopeless.retain(|task| listed.contains(task));
		let running = self.running.values().map(|running| running.task);
		let busy: HashSet<_> = running.chain(self.hopeless.iter().copied()).collect();
		let unjudged = unjudged(&self.service, &open, &busy).await;
		list(&self.service, open);
		let min_window = Duration::from_millis(self.service.config.challenges.min_window_millis);
		for (task, clock) in unjudged {
			if clock.left() < min_window {
				tracing::warn!(round = task.round.0, "round seen too late to be judged");
				self.give_up(task_hash(&task));
				continue;
			}
			if self.judging.len() >= MAX_ROUNDS {
				tracing::warn!("too many rounds are open: the others have to wait");
				break;
			}
			if self.is_free(task.device, &listed) {
				self.begin(task, clock);
			}
		}
	}

	/// Whether a device has no round under judgement. One that the chain no longer lists, as after a fork,
	/// is ended: the device has to work on another one.
	fn is_free(&self, device: DeviceId, listed: &HashSet<H256>) -> bool {
		let of_device = || self.running.values().filter(move |running| running.device == device);
		if of_device().any(|running| listed.contains(&running.task)) {
			return false;
		}
		of_device().for_each(|running| running.abort.abort());
		true
	}

	fn begin(&mut self, task: ChallengeTask, clock: RoundClock) {
		tracing::info!(round = task.round.0, device = task.device.0, "round begins");
		let service = self.service.clone();
		let abort = self.judging.spawn(async move {
			let judged = service.judge.judge(task, clock).await;
			(task, clock.elapsed(), judged)
		});
		let running = Running { task: task_hash(&task), device: task.device, abort };
		self.running.insert(running.abort.id(), running);
	}

	async fn finish(&mut self, done: Result<(Id, Outcome), JoinError>) {
		match done {
			Ok((id, (task, elapsed, Ok(judged)))) => {
				self.running.remove(&id);
				decide(&self.service, task.work.kind(), elapsed, judged).await;
			},
			Ok((id, (task, _, Err(error)))) => {
				self.running.remove(&id);
				tracing::error!(round = task.round.0, %error, "round cannot be judged");
				self.give_up(task_hash(&task));
			},
			// It is judged anew if the chain lists it again.
			Err(error) if error.is_cancelled() => {
				self.running.remove(&error.id());
			},
			Err(error) => {
				tracing::error!(%error, "judging a round was interrupted");
				if let Some(Running { task, .. }) = self.running.remove(&error.id()) {
					self.give_up(task);
				}
			},
		}
	}

	fn give_up(&mut self, task: H256) {
		self.service.metrics.unjudged();
		self.hopeless.insert(task);
	}
}

/// Takes what the chain lists, and has it looked at where it is something else than before.
fn list(service: &Service, open: Vec<Assignment>) {
	service.metrics.listed(&open);
	let mut listed = lock(&service.open_rounds);
	if listed.as_ref() != Some(&open) {
		*listed = Some(open);
		service.announce();
	}
}

/// Enters what a round came to into the journal, and has it posted.
async fn decide(service: &Service, kind: WorkKind, elapsed: Duration, judged: Judged) {
	let Sealed { round, verdict, .. } = judged.sealed;
	tracing::info!(round = round.0, ?verdict, "round judged");
	let is_fraud = judged.proof.is_some();
	let decide = move |journal: &Journal| journal.decide_round(&judged, unix_millis());
	// Without the journal the round is judged anew at the next look.
	if service.with_journal(decide).await.is_some() {
		service.metrics.judged(kind, &verdict, elapsed);
		service.announce();
		if is_fraud {
			service.frauds.notify_one();
		}
	}
}

/// The open rounds that wait for a seal, that nobody works on and that have no verdict, with their
/// clocks.
async fn unjudged(
	service: &Service,
	open: &[Assignment],
	busy: &HashSet<H256>,
) -> Vec<(ChallengeTask, RoundClock)> {
	let fresh: Vec<_> = open
		.iter()
		.filter(|assignment| assignment.phase == AssignmentPhase::Seal)
		.map(|assignment| assignment.task)
		.filter(|task| !busy.contains(&task_hash(task)))
		.collect();
	if fresh.is_empty() {
		return Vec::new();
	}
	let (now, since) = (unix_millis(), Instant::now());
	let tasks: Vec<_> = fresh.iter().map(task_hash).collect();
	let read =
		move |journal: &Journal| Ok((journal.first_seen(&tasks, now)?, journal.verdicts(&tasks)?));
	let Some((seen, verdicts)) = service.with_journal(read).await else { return Vec::new() };
	let margin = service.config.challenges.posting_margin_millis;
	let known = seen.into_iter().zip(verdicts);
	fresh
		.into_iter()
		.zip(known)
		.filter(|(task, (_, decision))| decision.is_none() && task.deadline > now)
		.map(|(task, (seen, _))| {
			let left = task.deadline.saturating_sub(margin).saturating_sub(now);
			let clock = RoundClock {
				already: Duration::from_millis(now.saturating_sub(seen)),
				since,
				// An absurdly far deadline is one that never comes: a day.
				ends: since + Duration::from_millis(left.min(KEEP_MILLIS)),
			};
			(task, clock)
		})
		.collect()
}
