//! Beats, and the leaves that they make.

use super::{Agent, AgentError};
use crate::{
	beats::Skipped,
	chain::{BestBlock, ChainError, UptimeTiming},
	clock,
	lock::lock,
	metrics::BeatOutcome,
	store::StoreError,
};
use armature_p2p::{ControlRequest, ControlResponse, PeerId, Refusal};
use armature_primitives::{
	ed25519,
	telemetry::{Beat, BeatAck},
	DeviceId, EpochIndex, Moment,
};
use std::{
	collections::HashMap,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Orchestrators that a beat goes to.
const BEAT_TARGETS: usize = 3;

/// Slots for which a block hash counts as recent.
const RECENT_SLOTS: u64 = 6;

/// Times that a leaf is refused before it is given up.
const LEAF_ATTEMPTS: u32 = 3;

impl Agent {
	/// Makes a beat in each slot, and sends it, until the agent stops.
	///
	/// # Errors
	///
	/// [`AgentError::Store`], [`AgentError::Task`].
	pub(super) async fn make_beats(self: Arc<Self>) -> Result<(), AgentError> {
		let mut block: Option<(BestBlock, Instant)> = None;
		// Ends with this task.
		let mut deliveries = JoinSet::new();
		loop {
			let timing = *self.timing.borrow();
			let slot = timing.clock.slot_millis.get();
			if !self.pause(until_next_beat(self.device, slot, clock::now())).await {
				return Ok(());
			}
			let patience = Duration::from_millis(slot.div_ceil(4)).min(Duration::from_secs(5));
			match tokio::time::timeout(patience, self.chain.best_block()).await {
				Ok(Ok(best)) => block = Some((best, Instant::now())),
				Ok(Err(error)) => tracing::warn!(%error, "could not ask for the best block"),
				Err(_) => tracing::warn!("the chain did not tell its best block in time"),
			}
			let recent = Duration::from_millis(slot.saturating_mul(RECENT_SLOTS));
			let Some((best, _)) = block.filter(|(_, at)| at.elapsed() <= recent) else {
				tracing::warn!("no recent block is known; no beat for this slot");
				self.metrics.beat(BeatOutcome::Skipped);
				continue;
			};
			let agent = self.clone();
			let made = tokio::task::spawn_blocking(move || {
				let now = clock::now();
				let sample = lock(&agent.collector).sample(now);
				agent.beats.beat(timing.clock, clock::now(), best.hash, &sample)
			})
			.await
			.map_err(|error| AgentError::Task(error.to_string()))??;
			match made {
				Ok((beat, signature)) => self.send_beat(&mut deliveries, beat, signature, slot),
				Err(Skipped::AlreadyMade) => {},
				Err(skipped @ (Skipped::ClockWentBack | Skipped::EpochSealed)) => {
					self.metrics.beat(BeatOutcome::Skipped);
					tracing::warn!(?skipped, "no beat for this slot; check this machine's clock");
				},
			}
		}
	}

	/// Sends a beat without waiting for the answers, each target in a task of `deliveries`.
	fn send_beat(
		self: &Arc<Self>,
		deliveries: &mut JoinSet<()>,
		beat: Beat,
		signature: ed25519::Signature,
		slot_millis: u64,
	) {
		while let Some(done) = deliveries.try_join_next() {
			if let Err(error) = done {
				tracing::error!(%error, "delivering a beat failed");
			}
		}
		let targets: Vec<PeerId> =
			self.peers.orchestrators().into_iter().take(BEAT_TARGETS).collect();
		if targets.is_empty() {
			tracing::debug!(slot = beat.slot, "no orchestrator is connected for this beat");
			self.metrics.beat(BeatOutcome::Unsent);
		}
		let patience = Duration::from_millis(slot_millis)
			.clamp(Duration::from_millis(500), Duration::from_secs(20));
		for peer in targets {
			let (agent, beat, signature) = (self.clone(), beat.clone(), signature);
			deliveries.spawn(async move {
				let request = ControlRequest::Beat { beat: beat.clone(), signature };
				let outcome = match agent.handle.control(peer, request, patience).await {
					Ok(ControlResponse::BeatAck { ack, .. }) if acknowledges(&ack, &beat) => {
						BeatOutcome::Acknowledged
					},
					Ok(ControlResponse::Refused { reason: Refusal::UnknownDevice }) => {
						agent.peers.forgot_us(&peer);
						BeatOutcome::Refused
					},
					Ok(other) => {
						tracing::warn!(%peer, ?other, "a beat was not acknowledged");
						BeatOutcome::Refused
					},
					Err(error) => {
						tracing::warn!(%peer, %error, "a beat was not delivered");
						BeatOutcome::Undelivered
					},
				};
				agent.metrics.beat(outcome);
			});
		}
	}

	/// Submits the leaf of each epoch that is over, until the agent stops.
	///
	/// # Errors
	///
	/// [`AgentError::Store`].
	pub(super) async fn submit_leaves(self: Arc<Self>) -> Result<(), AgentError> {
		let mut refusals: HashMap<EpochIndex, u32> = HashMap::new();
		loop {
			let timing = *self.timing.borrow();
			let slot = Duration::from_millis(timing.clock.slot_millis.get());
			if !self
				.pause(slot.clamp(Duration::from_millis(200), Duration::from_secs(10)))
				.await
			{
				return Ok(());
			}
			self.submit_due_leaves(&timing, &mut refusals).await?;
		}
	}

	async fn submit_due_leaves(
		&self,
		timing: &UptimeTiming,
		refusals: &mut HashMap<EpochIndex, u32>,
	) -> Result<(), StoreError> {
		let waiting = self.beats.seal(clock::now())?;
		if waiting.is_empty() {
			return Ok(());
		}
		let best = match self.chain.best_block().await {
			Ok(best) => best,
			Err(error) => {
				tracing::warn!(%error, "could not ask for the chain's time");
				return Ok(());
			},
		};
		let grace = timing
			.clock
			.epoch_millis()
			.saturating_mul(u64::from(timing.catch_up_epochs).saturating_add(1));
		for sealed in waiting {
			let epoch = sealed.leaf.epoch;
			// The chain takes no leaf of an epoch that is not over by its own clock.
			if best.time < sealed.ended_at {
				break;
			}
			match self.chain.submit_leaf(sealed.leaf, sealed.signature).await {
				Ok(()) => {
					tracing::info!(epoch = epoch.0, "leaf submitted");
					self.beats.mark_submitted(epoch)?;
					self.beats.prune()?;
					refusals.remove(&epoch);
				},
				Err(ChainError::Unavailable(error)) => {
					tracing::warn!(epoch = epoch.0, %error, "leaf not submitted yet");
					break;
				},
				Err(ChainError::Rejected(error)) => {
					let count = refusals.entry(epoch).or_default();
					*count = count.saturating_add(1);
					let late = best.time > sealed.ended_at.saturating_add(grace);
					tracing::warn!(epoch = epoch.0, %error, late, "leaf refused");
					if late || *count >= LEAF_ATTEMPTS {
						self.beats.mark_lapsed(epoch)?;
						refusals.remove(&epoch);
					} else {
						// A later leaf would shut this one out.
						break;
					}
				},
			}
		}
		Ok(())
	}
}

/// Whether an acknowledgement is one of this beat.
pub(super) fn acknowledges(ack: &BeatAck, beat: &Beat) -> bool {
	ack.head == beat.link() && ack.epoch == beat.epoch && ack.slot == beat.slot
}

/// How long to wait for this device's place in the next slot. Devices spread over the first half
/// of a slot by their id, so that they do not all speak at once.
pub(super) fn until_next_beat(device: DeviceId, slot_millis: u64, now: Moment) -> Duration {
	let spread = (slot_millis / 2).max(1);
	// Knuth's multiplicative hash: neighbouring ids lie far apart.
	let place = u64::from(device.0.wrapping_mul(2_654_435_769));
	let offset = place.saturating_mul(spread) >> 32;
	let into = now.checked_rem(slot_millis).unwrap_or(0);
	let wait = if into < offset {
		offset.saturating_sub(into)
	} else {
		slot_millis.saturating_sub(into).saturating_add(offset)
	};
	Duration::from_millis(wait)
}
