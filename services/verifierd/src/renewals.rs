//! Renewals of attestations: the chain takes them on the device key's word, and somebody has to look.

use crate::{
	chain::{ChainError, ChainView, Renewal, RenewalOutcome},
	service::timed,
};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// The longest that a verifier waits before it disputes, so that not all of them do at once. Only the
/// first is not in vain.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// After so many renewals in a row about which the node did not answer, the others wait for the next
/// look.
const MAX_UNANSWERED: u32 = 3;

/// What a look at one renewal came to.
enum Judgement {
	/// There is nothing to dispute.
	Done,
	/// Its evidence is not there yet.
	Later,
	/// It does not hold, by this evidence.
	Refuted(Vec<u8>),
}

/// Looks at renewals that nobody verified, and disputes those that do not hold.
pub(crate) struct Watcher {
	chain: Arc<dyn ChainView>,
	/// Those that were looked at, as long as the chain lists them.
	seen: HashSet<Renewal>,
	/// Those whose evidence was looked for in vain, which is told once.
	missing: HashSet<Renewal>,
	question_timeout: Duration,
	post_timeout: Duration,
	max_delay: Duration,
}

impl Watcher {
	pub(crate) fn new(
		chain: Arc<dyn ChainView>,
		question_timeout: Duration,
		post_timeout: Duration,
	) -> Self {
		Self {
			chain,
			seen: HashSet::new(),
			missing: HashSet::new(),
			question_timeout,
			post_timeout,
			max_delay: MAX_DELAY,
		}
	}

	/// Looks at what is new, and disputes what does not hold. What could not be done is tried again the
	/// next time.
	pub(crate) async fn look(&mut self) -> Result<(), ChainError> {
		let pending = timed(self.question_timeout, self.chain.pending_renewals()).await?;
		let listed: HashSet<_> = pending.iter().copied().collect();
		self.seen.retain(|renewal| listed.contains(renewal));
		self.missing.retain(|renewal| listed.contains(renewal));
		let mut refuted = Vec::new();
		let mut unanswered = 0u32;
		for renewal in pending {
			if self.seen.contains(&renewal) {
				continue;
			}
			// What cannot be asked about one renewal says nothing about the next.
			match self.judge(&renewal).await {
				Ok(judgement) => {
					unanswered = 0;
					match judgement {
						Judgement::Done => {
							self.seen.insert(renewal);
						},
						Judgement::Later => {},
						Judgement::Refuted(evidence) => refuted.push((renewal, evidence)),
					}
				},
				Err(error) => {
					tracing::warn!(device = renewal.device.0, %error, "cannot look at a renewal");
					unanswered = unanswered.saturating_add(1);
				},
			}
			// A node that is gone would take its time for every one, and disputes have a window.
			if unanswered >= MAX_UNANSWERED {
				tracing::warn!("the node does not answer: the other renewals have to wait");
				break;
			}
		}
		if !refuted.is_empty() {
			tokio::time::sleep(self.max_delay.mul_f64(rand::random::<f64>())).await;
		}
		for (renewal, evidence) in refuted {
			match self.dispute(&renewal, &evidence).await {
				Ok(()) => {
					self.seen.insert(renewal);
				},
				Err(error) => {
					tracing::warn!(device = renewal.device.0, %error, "not disputed yet")
				},
			}
		}
		Ok(())
	}

	async fn judge(&mut self, renewal: &Renewal) -> Result<Judgement, ChainError> {
		let Some(evidence) = self.evidence(renewal).await? else { return Ok(Judgement::Later) };
		Ok(match self.outcome(renewal, &evidence).await? {
			RenewalOutcome::Stands => Judgement::Done,
			RenewalOutcome::Refuted { reason, forged } => {
				let device = renewal.device.0;
				tracing::warn!(device, reason, forged, "a renewal does not hold");
				Judgement::Refuted(evidence)
			},
		})
	}

	/// The evidence of a renewal, if the chain shows it.
	async fn evidence(&mut self, renewal: &Renewal) -> Result<Option<Vec<u8>>, ChainError> {
		let found = timed(self.question_timeout, self.chain.renewal_evidence(renewal)).await?;
		if found.is_none() && self.missing.insert(*renewal) {
			tracing::warn!(
				device = renewal.device.0,
				"the evidence of a renewal is not in its block; does the node keep all bodies?"
			);
		}
		Ok(found)
	}

	/// Disputes a renewal, unless another verifier was faster.
	async fn dispute(&self, renewal: &Renewal, evidence: &[u8]) -> Result<(), ChainError> {
		if self.outcome(renewal, evidence).await? == RenewalOutcome::Stands {
			return Ok(());
		}
		let device = renewal.device;
		let dispute = self.chain.dispute_renewal(device, evidence);
		match timed(self.post_timeout, dispute).await {
			Ok(()) => tracing::info!(device = device.0, "renewal disputed"),
			Err(ChainError::Rejected(error)) => {
				tracing::warn!(device = device.0, error, "dispute refused")
			},
			Err(error @ ChainError::Unavailable(_)) => return Err(error),
		}
		Ok(())
	}

	/// What a dispute would come to; one that would be refused is none.
	async fn outcome(
		&self,
		renewal: &Renewal,
		evidence: &[u8],
	) -> Result<RenewalOutcome, ChainError> {
		let outcome = self.chain.renewal_outcome(renewal.device, evidence);
		match timed(self.question_timeout, outcome).await {
			Err(ChainError::Rejected(error)) => {
				tracing::debug!(device = renewal.device.0, error, "nothing to dispute");
				Ok(RenewalOutcome::Stands)
			},
			outcome => outcome,
		}
	}
}

#[cfg(test)]
impl Watcher {
	/// One that does not wait for others.
	pub(crate) fn hasty(chain: Arc<dyn ChainView>) -> Self {
		let limit = Duration::from_secs(5);
		Self { max_delay: Duration::ZERO, ..Self::new(chain, limit, limit) }
	}
}
