//! Storage: blocks that nobody could foresee are read in time, and others are filled again.
//!
//! A device commits soon, or it could fill its sectors between the round's block and that: see
//! [`super::hurry`]. Nor may it fill them between its commitment and the draw: a device that is away then has
//! [`GRACE`] to come back.
//!
//! What is read is timed from the moment when the draw is sent. Whoever has seen it can fill blocks again
//! that are not kept, so the clock runs on whatever a device says instead, and it is asked for the same
//! blocks until its time is over. Where the connection breaks, or the device has lost what it committed
//! to, no time would mean anything: other blocks are drawn, in [`MAX_DRAWS`] draws at most, for each is
//! another chance for a device that has left blocks out. So it has from the round's block until then, at most
//! `commit + read + 2 GRACE`, to fill what it does not keep, and `read` for what was drawn. One that has to
//! commit again has no more time for that.
//!
//! The blocks that are filled again are drawn once, and asked for in parts: see [`super::held`].
//!
//! Nothing of what was opened is kept, which is up to 270 kB a round with the default samples: a wrong
//! block is in its proof.

use super::{
	asking::{pause, RETRY_PAUSE},
	held::Held,
	openings::{check_each, decoded, exactly, Fault},
	randomness, Finding, Halt, Judge, Place, RoundClock, Unjudged,
};
use armature_p2p::{
	messages::MAX_BLOCKS, ControlRequest, ControlResponse, P2pError, PeerId, Refusal,
};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Measured, StorageChallenge, WorkKind},
	ed25519::Public,
};
use armature_verifier::challenge::{
	fill::SizeError,
	fraud::{FraudProof, SignedCommit},
	storage::{
		check_sealed, check_stored, sample_sealed, sample_storage, SealedOpening, SealedStorage,
		StoredBlock,
	},
	task_hash, ChallengeError,
};
use std::time::Duration;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// The most draws of blocks to read that a device sees in one round.
const MAX_DRAWS: u32 = 2;

/// How often a device may lose what it committed to.
const MAX_LOSSES: u32 = 2;

/// How long a device may be away before a draw: what coming back takes after a connection broke.
const GRACE: Duration = Duration::from_secs(2);

/// How long an answer is waited for beyond the time that the device has: one that comes late is told from
/// none.
const LATE: Duration = Duration::from_millis(100);

/// How far looking at the storage of one round has come.
struct Inspection<'a> {
	held: Held<'a>,
	storage: SealedStorage,
	/// How long after the round's block the device may take to commit.
	commit_millis: u32,
	/// How long it may take to read.
	read_millis: u32,
}

/// What came of asking for blocks.
enum Read {
	/// They came, after so many milliseconds.
	Done(u32),
	/// The device has lost what it committed to.
	Gone,
	/// The connection broke.
	CutOff,
	/// The device has not seen what was drawn.
	Unsent,
}

impl Judge {
	/// Times how long the device takes to read blocks, and fills a sample of the others again. Nothing of
	/// what was opened is kept.
	pub(super) async fn examine_storage(
		&self,
		task: &ChallengeTask,
		clock: RoundClock,
		key: &Public,
		signed: &SignedCommit,
		answer_millis: u32,
	) -> Result<Finding, Unjudged> {
		let storage = SealedStorage::of_round(task, signed.commit.root);
		let (Some(size), Some(storage)) = (task.storage(), storage) else {
			return Err(Unjudged::BadTask(ChallengeError::OtherKind));
		};
		let held = Held { judge: self, task, clock, key, signed, losses_left: MAX_LOSSES };
		let StorageChallenge { commit_millis, read_millis, .. } = *size;
		let mut inspection = Inspection { held, storage, commit_millis, read_millis };
		match inspection.shown().await {
			Ok(read_millis) => {
				let measured = Measured::Storage { answer_millis, read_millis };
				Ok(Finding { result: Ok(measured), proof: None, openings: Vec::new() })
			},
			Err(halt) => halt.settled(),
		}
	}
}

impl<'a> Inspection<'a> {
	/// Has the device read blocks, and open others: the milliseconds that the former took.
	async fn shown(&mut self) -> Result<u32, Halt> {
		let (read_millis, place) = self.read().await?;
		self.look(place).await?;
		Ok(read_millis)
	}

	/// Has the device read blocks in time, with the place that they take.
	async fn read(&mut self) -> Result<(u32, Place<'a>), Halt> {
		let (judge, task) = (self.held.judge, self.held.task);
		let mut draws = 0u32;
		// The commitment came in time: this verifier did nothing about it until now.
		if Instant::now() >= self.draw_ends(draws) {
			return Err(Unjudged::TooLate.into());
		}
		while draws < MAX_DRAWS {
			let until = self.draw_ends(draws);
			if Instant::now() >= until {
				break;
			}
			if let Some(peer) = judge.peer_of(task.device) {
				let place = self.place(until).await?;
				let read = self.timed_read(peer).await?;
				if !matches!(read, Read::Unsent) {
					draws = draws.saturating_add(1);
				}
				match read {
					Read::Done(millis) => return Ok((millis, place)),
					Read::Gone if draws < MAX_DRAWS => {
						drop(place);
						self.held.again(self.draw_ends(draws)).await?;
						continue;
					},
					Read::Gone | Read::CutOff | Read::Unsent => {},
				}
			}
			pause(self.draw_ends(draws), RETRY_PAUSE).await;
		}
		let (round, device) = (task.round.0, task.device.0);
		tracing::info!(round, device, draws, "device has read no blocks");
		Err(ChallengeFailure::NoAnswer.into())
	}

	/// Until when blocks may be drawn after so many draws. There is time to read them before the verdict is
	/// due.
	fn draw_ends(&self, draws: u32) -> Instant {
		let clock = self.held.clock;
		let latest = clock.at(drawn_within(self.commit_millis, self.read_millis, draws));
		let read = Duration::from_millis(self.read_millis.into());
		clock.ends.checked_sub(read).map_or(clock.since, |ends| ends.min(latest))
	}

	/// Waits for a place while blocks may be drawn. None was free where the device would have had its time.
	async fn place(&self, until: Instant) -> Result<Place<'a>, Unjudged> {
		let Held { judge, clock, .. } = self.held;
		judge.place_by(until, clock).await?.ok_or(Unjudged::NoPlace)
	}

	/// How long an answer is waited for.
	fn limit(&self) -> Duration {
		Duration::from_millis(self.read_millis.into()).saturating_add(LATE)
	}

	/// Draws blocks, and times until all of them have come.
	async fn timed_read(&self, peer: PeerId) -> Result<Read, Halt> {
		let Held { judge, task, clock, .. } = self.held;
		let (round, device) = (task.round.0, task.device.0);
		let samples = judge.config.stored_samples;
		let wanted =
			sample_storage(&randomness()?, &self.storage, samples).map_err(out_of_bounds)?;
		let request = ControlRequest::ReadStored { task: task_hash(task), blocks: wanted.clone() };
		let sent = Instant::now();
		let until = clock.ends.min(sent + self.limit());
		let mut is_seen = false;
		loop {
			let left = until.saturating_duration_since(Instant::now());
			if left.is_zero() {
				return Err(ChallengeFailure::NoAnswer.into());
			}
			match judge.handle.control(peer, request.clone(), left).await {
				Ok(ControlResponse::Opened { openings }) => {
					let millis = millis(sent.elapsed());
					judge.metrics.opened(WorkKind::Storage, openings.len());
					if millis > self.read_millis {
						tracing::info!(round, device, millis, "device reads too slowly");
						return Err(ChallengeFailure::NoAnswer.into());
					}
					self.check_read(&wanted, &openings).await?;
					return Ok(Read::Done(millis));
				},
				Ok(ControlResponse::Refused { reason: Refusal::NotFound }) => {
					return Ok(Read::Gone)
				},
				Ok(ControlResponse::Refused { reason }) => {
					tracing::debug!(device, %reason, "device does not read for now");
				},
				Ok(_) | Err(P2pError::BadResponse) => {
					return Err(ChallengeFailure::Malformed.into())
				},
				// At the end, or before it where the settings say so of any exchange.
				Err(P2pError::Timeout) => {},
				Err(error @ (P2pError::Disconnected | P2pError::Io(_))) => {
					tracing::debug!(device, %error, "device was cut off while it read");
					return Ok(Read::CutOff);
				},
				Err(error) => {
					tracing::debug!(device, %error, "device could not be asked to read");
					return Ok(if is_seen { Read::CutOff } else { Read::Unsent });
				},
			}
			is_seen = true;
			pause(until, RETRY_PAUSE).await;
		}
	}

	/// Checks that what was read is what is `wanted`, under the committed root.
	async fn check_read(&self, wanted: &[(u32, u32)], encoded: &[u8]) -> Result<(), Halt> {
		let at = |block: &StoredBlock| Some((block.sector, block.at));
		let blocks = exactly(decoded(encoded)?, wanted, at)?;
		let (round, storage) = (self.held.task.round, self.storage);
		let check = move || {
			check_each(round, blocks, |block| {
				check_stored(&storage, (block.sector, block.at), block)
			})
		};
		let checked = self.held.judge.check(WorkKind::Storage, check).await?;
		checked.map_err(|fault| fault.reason.into())
	}

	/// Has the device open other blocks, and fills them again.
	async fn look(&mut self, place: Place<'a>) -> Result<(), Halt> {
		let Held { judge, task, clock, signed, .. } = self.held;
		// Drawn only now, and once.
		let samples = judge.config.sealed_samples;
		let wanted =
			sample_sealed(&randomness()?, &self.storage, samples).map_err(out_of_bounds)?;
		let hash = task_hash(task);
		let open = |blocks| ControlRequest::OpenSealed { task: hash, blocks };
		let at = |opening: &SealedOpening| Some((opening.sector, opening.fill.at));
		let (genesis, storage) = (judge.genesis, self.storage);
		let (round, device) = (task.round, task.device);
		// Reading took of its time.
		let mut place = Place { until: judge.place_ends(clock), ..place };
		// Each part is looked at when it comes: all of many rounds would take much memory.
		for part in wanted.chunks(MAX_BLOCKS) {
			let (openings, kept) = self.held.all_opened(place, part, MAX_BLOCKS, open, at).await?;
			place = kept;
			let fill = move || {
				check_each(round, openings, |opening| {
					let wanted = (opening.sector, opening.fill.at);
					check_sealed(&genesis, device, &storage, wanted, opening)
				})
			};
			if let Err(Fault { reason, wrong }) = judge.check(WorkKind::Storage, fill).await? {
				let proof = |opening| FraudProof::Sealed {
					signed: signed.clone(),
					opening: Box::new(opening),
				};
				return Err(match wrong.map(proof) {
					Some(proof) => Halt::Fraud(Box::new(proof)),
					None => reason.into(),
				});
			}
		}
		Ok(())
	}
}

/// How long after the round's block, at the most, blocks are drawn after so many draws.
fn drawn_within(commit_millis: u32, read_millis: u32, draws: u32) -> Duration {
	let commit = Duration::from_millis(commit_millis.into());
	let again = Duration::from_millis(read_millis.into()).saturating_add(GRACE);
	commit.saturating_add(GRACE).saturating_add(again.saturating_mul(draws))
}

fn out_of_bounds(error: SizeError) -> Unjudged {
	Unjudged::BadTask(error.into())
}

/// Milliseconds, rounded up, at least one: what takes no time was not measured.
fn millis(took: Duration) -> u32 {
	u32::try_from(took.as_nanos().div_ceil(1_000_000).max(1)).unwrap_or(u32::MAX)
}
