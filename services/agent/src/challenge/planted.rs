//! Planted answers: now and then a round is answered with a made-up root that was announced on chain
//! before it. Verifiers that pass it have not looked.
//!
//! What is planted is on disk before it is announced, and the task that it is used for before anyone
//! sees the answer. From then on it is used for no other task, and this one gets no other answer. That
//! no task gets two roots, whatever is lost here, is seen to by [`super::signed`].

mod kept;
mod likeness;
mod refusal;
mod round;

use super::floor::floor_of;
use crate::{
	chain::{ChainError, ChainPort, PlantedView},
	clock,
	lock::lock,
	store::{Store, StoreError},
};
use armature_primitives::{
	challenge::{ChallengeTask, Work, WorkKind},
	telemetry::PowerReading,
	DeviceId, Moment, Ppm, H256,
};
use armature_verifier::challenge::task_hash;
use kept::{Kept, Plant, Used};
use likeness::{Honest, Likeness};
use rand::{rngs::OsRng, RngCore};
use refusal::{Refusal, Refused};
use std::{
	sync::{Arc, Mutex},
	time::Duration,
};

pub(super) use round::{Planted, PlantedRound};

/// How many blocks earlier than the chain wants it an answer must have been announced: a block may be
/// replaced, and its announcement come back later.
const MARGIN_BLOCKS: u32 = 10;

/// How long the chain may take to tell what is announced: the round's time runs.
const ASK_PATIENCE: Duration = Duration::from_secs(2);

/// The same in a round of this work. Where answers are held back so that none tells by its time what it is, the
/// disk needs the other half of that.
fn ask_patience(work: &Work) -> Duration {
	floor_of(work).map_or(ASK_PATIENCE, |floor| ASK_PATIENCE.min(floor / 2))
}

/// Why planted answers could not be seen to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlantedError {
	/// The chain did not do what was asked.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The store failed.
	#[error(transparent)]
	Store(#[from] StoreError),
	/// The system gave no randomness.
	#[error("no randomness from the operating system: {0}")]
	Randomness(rand::Error),
}

/// Announces, uses and shows the planted answers of one device.
pub(super) struct Plants {
	kept: Kept,
	device: DeviceId,
	share: Ppm,
	honest: Mutex<Honest>,
	/// How showing what was used has been refused.
	refused: Mutex<Option<Refused>>,
	/// Held while the chain is told of what is planted, and while it is asked: what changes meanwhile
	/// must not be used.
	tending: tokio::sync::Mutex<()>,
}

impl Plants {
	/// Over the device's store. Of all rounds, this `share_ppm` are answered with what is planted, in
	/// parts per million, as far as the chain allows. With 0 nothing is announced any more; what was
	/// used is shown still.
	pub(super) fn new(store: Arc<Store>, device: DeviceId, share_ppm: u32) -> Self {
		Self {
			kept: Kept { store },
			device,
			share: Ppm(share_ppm),
			honest: Mutex::default(),
			refused: Mutex::default(),
			tending: tokio::sync::Mutex::default(),
		}
	}

	/// What a task that the chain has confirmed is answered with instead of work, where this root was
	/// `signed` for it before, or none; `None` where it is answered with work.
	///
	/// # Errors
	///
	/// [`StoreError`]: then it must not be answered now.
	pub(super) async fn answer(
		&self,
		chain: &dyn ChainPort,
		task: &ChallengeTask,
		signed: Option<H256>,
	) -> Result<Option<Planted>, StoreError> {
		let Some(plant) = self.kept.plant().await? else { return Ok(None) };
		match plant.used {
			// The same answer again, but not to another task of the round, whose block was replaced: nobody
			// has looked whether it may be used there.
			Some(used) if used.task == task_hash(task) => {
				let again = signed.is_none_or(|root| root == plant.root);
				Ok(again.then(|| Planted::new(&plant, &used, task.work.kind())))
			},
			None if signed.is_none() => self.choose(chain, task, plant).await,
			_ => Ok(None),
		}
	}

	/// Remembers how a round went that was answered with work.
	pub(super) fn remember(&self, work: Work, took: Duration, power: PowerReading) {
		lock(&self.honest).remember(work, took, power);
	}

	/// Remembers how long a walk took over the memory of a round with this work.
	pub(super) fn remember_walk(&self, work: Work, took: Duration) {
		lock(&self.honest).remember_walk(work, took);
	}

	/// Announces an answer where none of the device's own is announced, or shows the one that was used,
	/// once its round has closed. To be called again and again.
	///
	/// # Errors
	///
	/// [`PlantedError`]. What was used and could not be shown for now is shown by a later call.
	pub(super) async fn tend(
		&self,
		chain: &dyn ChainPort,
		now: Moment,
	) -> Result<(), PlantedError> {
		let _tending = self.tending.lock().await;
		let plant = match self.kept.plant().await? {
			Some(plant @ Plant { used: Some(used), .. }) => {
				return self.show(chain, &plant, &used, now).await;
			},
			plant => plant,
		};
		if self.share.0 == 0 {
			return Ok(());
		}
		let Some(view) = chain.planted(self.device).await? else { return Ok(()) };
		let plant = match plant {
			Some(plant) => plant,
			None => {
				let plant = Plant::random().map_err(PlantedError::Randomness)?;
				self.kept.save(Some(plant)).await?;
				plant
			},
		};
		let hash = plant.hash(self.device);
		if view.announced.is_none_or(|announced| announced.hash != hash) {
			chain.plant_answer(self.device, hash).await?;
			tracing::info!(?hash, "a planted answer is announced");
		}
		Ok(())
	}

	/// Whether one was used and is not shown yet.
	///
	/// # Errors
	///
	/// [`StoreError`].
	pub(super) async fn has_used(&self) -> Result<bool, StoreError> {
		Ok(self.kept.plant().await?.is_some_and(|plant| plant.used.is_some()))
	}

	/// Uses what is planted, if it may be used and the lot says so.
	async fn choose(
		&self,
		chain: &dyn ChainPort,
		task: &ChallengeTask,
		plant: Plant,
	) -> Result<Option<Planted>, StoreError> {
		// The lot before the chain: most questions would only take the round's time.
		let Some(likeness) = self.like(task).filter(|_| self.draw()) else { return Ok(None) };
		let Ok(_tending) = self.tending.try_lock() else { return Ok(None) };
		let patience = ask_patience(&task.work);
		let view = match tokio::time::timeout(patience, chain.planted(self.device)).await {
			Ok(Ok(Some(view))) => view,
			Ok(Ok(None)) => return Ok(None),
			Ok(Err(error)) => {
				tracing::debug!(%error, "could not ask what is planted");
				return Ok(None);
			},
			Err(_) => {
				tracing::debug!("the chain did not tell in time what is planted");
				return Ok(None);
			},
		};
		let kind = task.work.kind();
		if !may_use(&plant.hash(self.device), kind, &view) {
			return Ok(None);
		}
		let (round, hash) = (task.round, task_hash(task));
		let used = Used { round, task: hash, deadline: task.deadline, likeness };
		self.kept.save(Some(Plant { used: Some(used), ..plant })).await?;
		Ok(Some(Planted::new(&plant, &used, kind)))
	}

	/// What the answer would look like after work, where that is known and there is time for it.
	fn like(&self, task: &ChallengeTask) -> Option<Likeness> {
		let left = Duration::from_millis(task.deadline.saturating_sub(clock::now()));
		lock(&self.honest).like(&task.work, left)
	}

	fn draw(&self) -> bool {
		let mut bytes = [0; 8];
		match OsRng.try_fill_bytes(&mut bytes) {
			Ok(()) => is_drawn(self.share, u64::from_le_bytes(bytes)),
			Err(error) => {
				tracing::warn!(%error, "no randomness from the operating system");
				false
			},
		}
	}

	/// Shows what was used, once its round has closed.
	async fn show(
		&self,
		chain: &dyn ChainPort,
		plant: &Plant,
		used: &Used,
		now: Moment,
	) -> Result<(), PlantedError> {
		let before = *lock(&self.refused);
		let is_due = before.is_none_or(|refused| refused.is_due(now));
		if !is_due || !chain.is_round_closed(used.round).await? {
			return Ok(());
		}
		let round = used.round.0;
		match chain.show_planted(used.round, plant.root, plant.salt).await {
			Ok(()) => tracing::info!(round, "a planted answer was shown"),
			Err(ChainError::Rejected(reason)) => {
				let refused = Refused::after(before, now);
				match Refusal::from_text(&reason) {
					// Before the deadline its block may come back.
					Refusal::NoRound if now > used.deadline => {
						tracing::info!(round, reason, "nobody judged the round of a planted answer")
					},
					Refusal::NotOperator => {
						tracing::warn!(
							round,
							reason,
							"a planted answer cannot be shown: its round counts. Have the agent's calls \
							 signed by the device's provider, or name the account that signs them with \
							 `armature provider set-operator`"
						)
					},
					Refusal::Final => {
						tracing::warn!(
							round,
							reason,
							"a planted answer cannot be shown: its round counts"
						)
					},
					_ if refused.is_over(now) => {
						tracing::warn!(
							round,
							reason,
							"a planted answer was not shown in a day: its round counts"
						)
					},
					Refusal::NoRound | Refusal::Later => {
						tracing::warn!(round, reason, "a planted answer cannot be shown for now");
						*lock(&self.refused) = Some(refused);
						return Ok(());
					},
				}
			},
			Err(error) => return Err(error.into()),
		}
		*lock(&self.refused) = None;
		Ok(self.kept.save(None).await?)
	}
}

/// Whether an answer of this hash may be used in the device's open round: it was announced well before
/// that was drawn, and may be shown after it. Without a score of that kind there would be none to come
/// back.
fn may_use(hash: &H256, kind: WorkKind, view: &PlantedView) -> bool {
	let is_old = |planted_in: u32| {
		let from = planted_in.saturating_add(view.lead_blocks).saturating_add(MARGIN_BLOCKS);
		view.opened_in.is_some_and(|opened_in| from <= opened_in)
	};
	let is_own = view
		.announced
		.is_some_and(|announced| announced.hash == *hash && is_old(announced.planted_in));
	let is_scored = match kind {
		WorkKind::Cpu => view.performance.cpu.is_some(),
		WorkKind::Memory => view.performance.memory.is_some(),
		WorkKind::Gemm => view.performance.gemm.is_some(),
		WorkKind::Storage => view.performance.storage.is_some(),
		// There is nothing to make up.
		WorkKind::Network => false,
	};
	is_own && is_scored && view.may_show_from <= view.now
}

/// Whether a random number is among this share of all.
fn is_drawn(share: Ppm, random: u64) -> bool {
	let among = random.checked_rem(u64::from(Ppm::ONE.0)).unwrap_or_default();
	among < u64::from(share.0)
}

#[cfg(test)]
mod tests;
