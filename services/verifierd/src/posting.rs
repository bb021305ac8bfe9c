//! Posting what was decided: seals, later the verdicts that they seal, and proofs of frauds.

use crate::{
	chain::ChainError,
	journal::{is_due, Journal, OpenProof, Sealed},
	metrics::Post,
	service::{lock, ticker, timed, unix_millis, Service, POST_TIMEOUT},
};
use armature_primitives::{
	challenge::{Assignment, AssignmentPhase},
	Moment, RoundId, H256,
};
use armature_sdk::refused_error;
use armature_verifier::challenge::task_hash;
use std::{
	collections::{HashMap, HashSet},
	sync::Arc,
	time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// What was decided and nobody announced is looked for so often.
const POST_INTERVAL: Duration = Duration::from_secs(1);

/// The longest pause before a seal that was refused is posted again.
const MAX_SEAL_PAUSE: Duration = Duration::from_secs(5);

/// A reveal that was refused so often is given up.
const MAX_REVEALS: u32 = 5;

/// Pause before a proof that was refused is posted again.
const PROOF_PAUSE: Duration = Duration::from_secs(60);

/// How long the chain may not know what a proof is about before the proof is dropped. Also the time
/// between two complaints about one proof.
const PROOF_PATIENCE: Duration = Duration::from_secs(3_600);

/// What is posted of a verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
	/// Its hash.
	Seal,
	/// The verdict itself, and its salt.
	Reveal,
}

impl Step {
	/// The last moment for this step, if the round waits for it.
	fn ends(self, assignment: &Assignment) -> Option<Moment> {
		match (self, assignment.phase) {
			(Step::Seal, AssignmentPhase::Seal) => Some(assignment.task.deadline),
			(Step::Reveal, AssignmentPhase::Reveal { until }) => Some(until),
			_ => None,
		}
	}
}

/// How often the chain refused what was posted on a task, and when that is tried again.
#[derive(Clone, Copy, Debug)]
struct Refused {
	times: u32,
	next: Instant,
}

impl Refused {
	/// Once more, now.
	fn again(before: Option<Self>, now: Instant) -> Self {
		let earlier = before.map_or(0, |before| before.times);
		let factor = 1u32.checked_shl(earlier).unwrap_or(u32::MAX);
		let pause = POST_INTERVAL.saturating_mul(factor).min(MAX_SEAL_PAUSE);
		Self { times: earlier.saturating_add(1), next: now + pause }
	}

	/// Whether it is tried (again) now. When a reveal is, the journal says: it marks also those that
	/// were refused.
	fn is_due(&self, step: Step, now: Instant) -> bool {
		match step {
			Step::Seal => self.next <= now,
			Step::Reveal => self.times < MAX_REVEALS,
		}
	}
}

/// Posts seals, or verdicts, until the chain no longer waits for them.
pub(crate) async fn post_verdicts(service: Arc<Service>, step: Step) {
	let news = match step {
		Step::Seal => &service.seal_news,
		Step::Reveal => &service.reveal_news,
	};
	let mut interval = ticker(POST_INTERVAL);
	let mut refused: HashMap<H256, Refused> = HashMap::new();
	loop {
		tokio::select! {
			_ = interval.tick() => {},
			() = news.notified() => {},
		}
		let Some(open) = lock(&service.open_rounds).clone() else { continue };
		let listed: HashSet<_> =
			open.iter().map(|assignment| task_hash(&assignment.task)).collect();
		refused.retain(|task, _| listed.contains(task));
		let mut due = due(&service, step, &open).await;
		let now = Instant::now();
		due.retain(|sealed| {
			refused.get(&sealed.task).is_none_or(|refused| refused.is_due(step, now))
		});
		let posts: JoinSet<_> = due
			.chunks(service.config.challenges.batch.max(1))
			.map(|batch| post_batch(service.clone(), step, batch.to_vec()))
			.collect();
		for sealed in joined(posts).await.into_iter().flatten() {
			let before = refused.get(&sealed.task).copied();
			let again = Refused::again(before, Instant::now());
			if step == Step::Reveal && again.times >= MAX_REVEALS {
				tracing::error!(round = sealed.round.0, "a verdict cannot be revealed");
			}
			refused.insert(sealed.task, again);
		}
	}
}

/// What was decided of the open tasks that wait for this step and has to be posted now, the most urgent
/// first.
async fn due(service: &Service, step: Step, open: &[Assignment]) -> Vec<Sealed> {
	let (now, repost) = (unix_millis(), service.config.challenges.repost_millis);
	let mut waiting: Vec<_> = open
		.iter()
		.filter_map(|assignment| Some((step.ends(assignment)?, task_hash(&assignment.task))))
		// Too late: the chain would refuse it.
		.filter(|(ends, _)| *ends >= now)
		.collect();
	if waiting.is_empty() {
		return Vec::new();
	}
	waiting.sort_by_key(|(ends, _)| *ends);
	let tasks: Vec<_> = waiting.into_iter().map(|(_, task)| task).collect();
	let read = move |journal: &Journal| {
		let known = journal.verdicts(&tasks)?.into_iter().zip(journal.revealed(&tasks)?);
		let due = known.filter_map(|(decision, revealed)| {
			let decision = decision.filter(|decision| match step {
				Step::Seal => decision.is_due(now, repost),
				Step::Reveal => is_due(revealed, now, repost),
			})?;
			Some(decision.finding)
		});
		Ok(due.collect::<Vec<_>>())
	};
	service.with_journal(read).await.unwrap_or_default()
}

/// Waits for all of these. One that is interrupted yields nothing.
async fn joined<T: 'static>(mut running: JoinSet<T>) -> Vec<T> {
	let mut all = Vec::new();
	while let Some(done) = running.join_next().await {
		match done {
			Ok(value) => all.push(value),
			Err(error) => tracing::error!(%error, "posting was interrupted"),
		}
	}
	all
}

/// Posts a batch; one that is refused as a whole is posted one by one, all at once. Returns what was
/// refused.
async fn post_batch(service: Arc<Service>, step: Step, batch: Vec<Sealed>) -> Vec<Sealed> {
	match batch.as_slice() {
		[] => return Vec::new(),
		[single] => return post_single(service, step, *single).await.into_iter().collect(),
		_ => {},
	}
	match post(&service, step, &batch).await {
		Ok(()) => {
			mark_posted(&service, step, &batch).await;
			Vec::new()
		},
		Err(ChainError::Unavailable(error)) => {
			tracing::warn!(?step, count = batch.len(), error, "verdicts not posted yet");
			Vec::new()
		},
		Err(ChainError::Rejected(error)) => {
			tracing::warn!(?step, count = batch.len(), error, "verdicts refused");
			let singles: JoinSet<_> = batch
				.into_iter()
				.map(|sealed| post_single(service.clone(), step, sealed))
				.collect();
			joined(singles).await.into_iter().flatten().collect()
		},
	}
}

/// Posts one. Returns it if it was refused.
async fn post_single(service: Arc<Service>, step: Step, sealed: Sealed) -> Option<Sealed> {
	let round = sealed.round.0;
	match post(&service, step, &[sealed]).await {
		Ok(()) => {
			mark_posted(&service, step, &[sealed]).await;
			None
		},
		Err(ChainError::Unavailable(error)) => {
			tracing::warn!(?step, round, error, "verdict not posted yet");
			None
		},
		Err(ChainError::Rejected(error)) => {
			tracing::warn!(?step, round, error, "verdict refused");
			// A seal may be taken any moment, as after a fork; a reveal can wait for a while.
			if step == Step::Reveal {
				mark_posted(&service, step, &[sealed]).await;
			}
			Some(sealed)
		},
	}
}

async fn post(service: &Service, step: Step, batch: &[Sealed]) -> Result<(), ChainError> {
	let (post, answer) = match step {
		Step::Seal => {
			let account = service.chain.account();
			let seals: Vec<_> =
				batch.iter().map(|sealed| (sealed.round, sealed.hash(&account))).collect();
			(Post::Seal, timed(POST_TIMEOUT, service.chain.seal_verdicts(&seals)).await)
		},
		Step::Reveal => {
			let reveals: Vec<_> =
				batch.iter().map(|sealed| (sealed.round, sealed.verdict, sealed.salt)).collect();
			(Post::Reveal, timed(POST_TIMEOUT, service.chain.reveal_verdicts(&reveals)).await)
		},
	};
	service.metrics.posted(post, &answer);
	answer
}

async fn mark_posted(service: &Service, step: Step, batch: &[Sealed]) {
	let tasks: Vec<_> = batch.iter().map(|sealed| sealed.task).collect();
	let mark = move |journal: &Journal| match step {
		Step::Seal => journal.posted_seals(&tasks, unix_millis()),
		Step::Reveal => journal.posted_reveals(&tasks, unix_millis()),
	};
	// Unmarked verdicts are posted again, which the chain refuses without harm.
	service.with_journal(mark).await;
}

/// What a refusal says about a proof of a fraud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ProofRefusal {
	/// Nothing is left to prove, or it was found to prove nothing.
	Final,
	/// The chain does not know what it is about, as after a fork.
	Missing,
	/// It can be taken once something else has changed: the account has no bond for it, perhaps.
	Later,
}

impl ProofRefusal {
	/// By the name of the error, as the SDK writes it into the text.
	fn from_text(error: &str) -> Self {
		match refused_error(error, "Challenges") {
			Some("FraudKnown" | "DisputeWindowOver" | "FraudRefuted") => Self::Final,
			Some("UnknownDevice" | "RoundNotFound") => Self::Missing,
			_ => Self::Later,
		}
	}
}

/// How a proof has fared that the chain has not taken.
#[derive(Clone, Copy, Debug)]
struct Pending {
	/// When it is posted again.
	next: Instant,
	/// Since when the chain has not known what it is about.
	missing_since: Option<Instant>,
	/// When its refusal was last complained about.
	logged_at: Option<Instant>,
}

/// Posts each proof of a fraud until the chain has executed it, or nobody can prove it any more.
pub(crate) async fn prove_frauds(service: Arc<Service>) {
	let mut interval = ticker(POST_INTERVAL);
	let mut pending: HashMap<H256, Pending> = HashMap::new();
	loop {
		tokio::select! {
			_ = interval.tick() => {},
			() = service.frauds.notified() => {},
		}
		// Before the chain has answered, nothing is known of what the others have sealed.
		let Some(open) = lock(&service.open_rounds).clone() else { continue };
		let Some(proofs) = service.with_journal(|journal| journal.proofs()).await else { continue };
		let kept: HashSet<_> = proofs.iter().map(|proof| proof.task).collect();
		pending.retain(|task, _| kept.contains(task));
		let now = Instant::now();
		let due = proofs.into_iter().filter(|proof| {
			!tells_too_much(proof.round, &open)
				&& pending.get(&proof.task).is_none_or(|pending| pending.next <= now)
		});
		let posts: JoinSet<_> = due.map(|proof| post_proof(service.clone(), proof)).collect();
		for (proof, answer) in joined(posts).await {
			let before = pending.get(&proof.task).copied();
			match unproved(proof.round, answer, before, Instant::now()) {
				Some(again) => {
					pending.insert(proof.task, again);
				},
				None => {
					service.with_journal(move |journal| journal.closed_proof(&proof)).await;
				},
			}
		}
	}
}

async fn post_proof(
	service: Arc<Service>,
	proof: OpenProof,
) -> (OpenProof, Result<(), ChainError>) {
	let call = service.chain.prove_fraud(proof.round, &proof.proof);
	let answer = timed(POST_TIMEOUT, call).await;
	service.metrics.posted(Post::Fraud, &answer);
	(proof, answer)
}

/// Whether a proof would tell others what the round comes to, before they have sealed it themselves.
fn tells_too_much(round: RoundId, open: &[Assignment]) -> bool {
	open.iter().any(|assignment| {
		assignment.task.round == round
			&& matches!(assignment.phase, AssignmentPhase::Seal | AssignmentPhase::Wait)
	})
}

/// What is left to do for a proof after the chain's answer; `None` when nothing is.
fn unproved(
	round: RoundId,
	answer: Result<(), ChainError>,
	before: Option<Pending>,
	now: Instant,
) -> Option<Pending> {
	let fresh = Pending { next: now, missing_since: None, logged_at: None };
	let before = before.unwrap_or(fresh);
	let error = match answer {
		Ok(()) => {
			tracing::info!(round = round.0, "fraud proved");
			return None;
		},
		Err(ChainError::Unavailable(error)) => {
			tracing::warn!(round = round.0, error, "fraud not proved yet");
			return Some(Pending { next: now + POST_INTERVAL, ..before });
		},
		Err(ChainError::Rejected(error)) => error,
	};
	let is_longer = |since: Instant| now.saturating_duration_since(since) >= PROOF_PATIENCE;
	let missing_since = match ProofRefusal::from_text(&error) {
		ProofRefusal::Final => {
			tracing::warn!(round = round.0, error, "proof of a fraud refused");
			return None;
		},
		ProofRefusal::Missing => {
			let since = before.missing_since.unwrap_or(now);
			if is_longer(since) {
				tracing::warn!(round = round.0, error, "proof of a fraud given up");
				return None;
			}
			Some(since)
		},
		ProofRefusal::Later => None,
	};
	let logged_at = before.logged_at.filter(|logged| !is_longer(*logged)).unwrap_or_else(|| {
		tracing::warn!(round = round.0, error, "proof of a fraud refused for now");
		now
	});
	Some(Pending { next: now + PROOF_PAUSE, missing_since, logged_at: Some(logged_at) })
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn refusals_of_proofs_should_be_told_apart_by_the_errors_name() {
		let of = |error: &str| {
			let text = format!("Challenges.prove_fraud was refused: {error}");
			ProofRefusal::from_text(&text)
		};
		for known in ["FraudKnown", "DisputeWindowOver", "FraudRefuted"] {
			assert_eq!(of(&format!("Challenges.{known}: Why.")), ProofRefusal::Final);
		}
		for known in ["UnknownDevice", "RoundNotFound"] {
			assert_eq!(of(&format!("Challenges.{known}: Why.")), ProofRefusal::Missing);
		}
		for other in [
			"Challenges.FraudKnownToNobody: Why.",
			"Others.FraudKnown: Why.",
			"Token error: FundsUnavailable",
			"Challenges.ProofOfOtherTask: not one of FraudKnown",
			"Challenges.ProofOfOtherTask: see Challenges.FraudKnown: Why.",
		] {
			assert_eq!(of(other), ProofRefusal::Later, "{other}");
		}
		// Not said by the chain of the call.
		let text = "Challenges.FraudKnown: Why.";
		assert_eq!(ProofRefusal::from_text(text), ProofRefusal::Later);
	}

	#[test]
	fn proofs_should_be_kept_until_the_chain_has_done_with_them() {
		let (round, now) = (RoundId(1), Instant::now());
		let refusal = |error: &str| {
			let text = format!("Challenges.prove_fraud was refused: {error}");
			Err(ChainError::Rejected(text))
		};
		assert!(unproved(round, Ok(()), None, now).is_none());
		assert!(unproved(round, refusal("Challenges.FraudKnown: It is."), None, now).is_none());
		let away = Err(ChainError::Unavailable("away".into()));
		assert_eq!(unproved(round, away, None, now).unwrap().next, now + POST_INTERVAL);

		let poor = unproved(round, refusal("Token error"), None, now).unwrap();
		assert_eq!((poor.next, poor.logged_at), (now + PROOF_PAUSE, Some(now)));
		let later = now + PROOF_PATIENCE / 2;
		let poor = unproved(round, refusal("Token error"), Some(poor), later).unwrap();
		assert_eq!(poor.logged_at, Some(now));
		let later = now + PROOF_PATIENCE;
		let poor = unproved(round, refusal("Token error"), Some(poor), later).unwrap();
		assert_eq!(poor.logged_at, Some(later));

		let missing = "Challenges.RoundNotFound: No.";
		let lost = unproved(round, refusal(missing), None, now).unwrap();
		let half = now + PROOF_PATIENCE / 2;
		let lost = unproved(round, refusal(missing), Some(lost), half).unwrap();
		assert_eq!(lost.missing_since, Some(now));
		assert!(unproved(round, refusal(missing), Some(lost), later).is_none());
	}

	#[test]
	fn pauses_after_refused_seals_should_double_up_to_a_bound() {
		let now = Instant::now();
		let mut refused = None;
		for pause in [1, 2, 4, 5, 5] {
			let again = Refused::again(refused, now);
			assert_eq!(again.next, now + Duration::from_secs(pause));
			assert!(!again.is_due(Step::Seal, now) && again.is_due(Step::Seal, again.next));
			assert_eq!(again.is_due(Step::Reveal, now), again.times < 5);
			refused = Some(again);
		}
	}
}
