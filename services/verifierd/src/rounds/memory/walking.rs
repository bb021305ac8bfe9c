//! Turns, and the walks that are timed in them.
//!
//! A device gives each verifier three turns. It keeps one for three seconds until its walk is asked for,
//! and the walk for five seconds until its segments are. So there has to be a place for these before the
//! walk begins; where none is free in time, the turn is let go, and the next one is asked for with a
//! place at hand.

use super::{opening::wanted_segments, Inspection, MAX_WALKS};
use crate::rounds::{
	asking::{pause, RETRY_PAUSE},
	openings::{decoded, exactly},
	randomness, Halt, Place, Unjudged,
};
use armature_p2p::{ControlRequest, ControlResponse, P2pError, Refusal};
use armature_primitives::challenge::ChallengeFailure;
use armature_verifier::challenge::{
	fill::SizeError,
	memory::{nanos_per_read, Walk, WalkOpening},
	task_hash, ChallengeError,
};
use std::time::Duration;
use tokio::time::Instant;

/// How long a turn waits for a place: as long again is left of what the device gives it, for the ways
/// there and back.
const PLACE_PATIENCE: Duration = Duration::from_millis(1_500);

/// What a device gets for a walk and its openings at least, unless the settings give it less: a walk takes
/// seconds.
const WALK_TIME: Duration = Duration::from_secs(10);

/// A walk that was opened.
pub(super) struct Walked {
	pub(super) walk: Walk,
	pub(super) read_nanos: u32,
	pub(super) segments: Vec<WalkOpening>,
}

/// A turn, with the place for what comes of it.
struct Turn<'a> {
	place: Place<'a>,
	/// How long it waited for the place.
	waited: Duration,
	/// Whether the round leaves the device the time that it gets for a walk.
	is_whole: bool,
}

/// What came of asking for a turn.
enum Reserved {
	Turn,
	/// The place that was held for it has to be given back.
	NotYet,
	/// The device has lost its memory.
	Gone,
}

impl<'a> Inspection<'a> {
	/// Has the device walk until it has opened a walk, [`MAX_WALKS`] times at most.
	pub(super) async fn walked(&mut self) -> Result<(Walked, Place<'a>), Halt> {
		while self.walks < MAX_WALKS {
			let Some(turn) = self.turn().await? else { continue };
			// Whatever comes of it: a device that is gone in its turn has had it.
			self.walks = self.walks.saturating_add(1);
			// What comes of a whole turn is the device's own doing.
			self.let_go &= !turn.is_whole;
			if let Some(walked) = self.walk(&turn).await? {
				self.let_go = false;
				return Ok((walked, turn.place));
			}
			drop(turn);
			tracing::debug!(round = self.held.task.round.0, "another walk is needed");
			pause(self.held.clock.ends, RETRY_PAUSE).await;
		}
		Err(ChallengeFailure::NoAnswer.into())
	}

	/// Waits for a turn, and for a place in it. `None` where both have to be waited for again.
	async fn turn(&mut self) -> Result<Option<Turn<'a>>, Halt> {
		let (judge, clock) = (self.held.judge, self.held.clock);
		let kept = if self.let_go { Some(judge.place(clock).await?) } else { None };
		let until = kept.as_ref().map_or(clock.ends, |place| place.until);
		match self.reserve(until).await? {
			Reserved::Turn => {},
			Reserved::NotYet => return Ok(None),
			Reserved::Gone => {
				drop(kept);
				self.held.again(self.held.clock.ends).await?;
				return Ok(None);
			},
		}
		let since = Instant::now();
		let found = match kept {
			// What is left of its time may be too short for a walk.
			Some(place) => Some(Place { until: judge.place_ends(clock), ..place }),
			None => judge.place_by(clock.ends.min(since + PLACE_PATIENCE), clock).await?,
		};
		if found.is_none() {
			let round = self.held.task.round.0;
			tracing::warn!(round, "no place for openings: a turn to walk is let go");
			self.let_go = true;
		}
		let least = Duration::from_millis(judge.config.opening_millis).min(WALK_TIME);
		let is_whole = clock.left() >= least;
		Ok(found.map(|place| Turn { place, waited: since.elapsed(), is_whole }))
	}

	/// Waits for a turn.
	async fn reserve(&self, until: Instant) -> Result<Reserved, Halt> {
		let reserve = ControlRequest::ReserveWalk { task: task_hash(self.held.task) };
		let gone = [Refusal::NotFound];
		match self.held.judge.ask(self.held.task.device, reserve, until, &gone).await {
			Ok(ControlResponse::Accepted) => Ok(Reserved::Turn),
			Ok(ControlResponse::Refused { .. }) => Ok(Reserved::Gone),
			Ok(_) => Err(ChallengeFailure::Malformed.into()),
			Err(no_reply) => match no_reply.reason() {
				ChallengeFailure::NoAnswer if !self.held.clock.left().is_zero() => {
					Ok(Reserved::NotYet)
				},
				reason => Err(reason.into()),
			},
		}
	}

	/// A walk with its segments; `None` where nothing came of it.
	async fn walk(&mut self, turn: &Turn<'_>) -> Result<Option<Walked>, Halt> {
		let Some((walk, read_nanos)) = self.timed_walk(turn).await? else { return Ok(None) };
		// Drawn only now: the device could not know them when it walked.
		let wanted = wanted_segments(&walk, self.held.judge.config.memory_samples)?;
		let segments = self.opened_segments(&walk, wanted, turn.place.until).await?;
		Ok(segments.map(|segments| Walked { walk, read_nanos, segments }))
	}

	/// Asks for one walk, once, and times it: nanoseconds of a read.
	async fn timed_walk(&mut self, turn: &Turn<'_>) -> Result<Option<(Walk, u32)>, Halt> {
		let device = self.held.task.device;
		let Some(peer) = self.held.judge.peer_of(device) else { return Ok(None) };
		let key = randomness()?;
		let request = ControlRequest::Walk { task: task_hash(self.held.task), key };
		let sent = Instant::now();
		let left = turn.place.until.saturating_duration_since(sent);
		let answer = self.held.judge.handle.control(peer, request, left).await;
		let took = sent.elapsed();
		let ends = match answer {
			Ok(ControlResponse::Walked { ends }) => ends,
			Ok(ControlResponse::Refused { reason }) => {
				tracing::debug!(device = device.0, %reason, "device does not walk for now");
				// The turn may have been over, for it waited here.
				self.let_go |= reason == Refusal::NotAssigned && turn.waited >= RETRY_PAUSE;
				return Ok(None);
			},
			Ok(_) | Err(P2pError::BadResponse) => return Err(ChallengeFailure::Malformed.into()),
			Err(error) => {
				tracing::debug!(device = device.0, %error, "device did not answer a walk");
				return Ok(None);
			},
		};
		let walk = Walk::of_task(self.held.task, key, self.held.signed.commit.root, ends)
			.ok_or(Unjudged::BadTask(ChallengeError::OtherKind))?;
		let nanos = nanos_per_read(&walk.size, micros(took))
			.ok_or(Unjudged::BadTask(ChallengeError::Size(SizeError::TooSmall)))?;
		Ok(Some((walk, nanos)))
	}

	/// The openings of the `wanted` segments; `None` where the walk is lost.
	async fn opened_segments(
		&self,
		walk: &Walk,
		wanted: Vec<(u16, u32)>,
		until: Instant,
	) -> Result<Option<Vec<WalkOpening>>, ChallengeFailure> {
		let (task, key) = (task_hash(self.held.task), walk.key);
		let open = ControlRequest::OpenWalk { task, key, segments: wanted.clone() };
		// Another verifier walked since, or its turn has come.
		let gone = [Refusal::NotFound, Refusal::NotAssigned];
		let encoded = match self.held.judge.open(self.held.task, open, until, &gone).await {
			Ok(Some(encoded)) => encoded,
			Ok(None) => return Ok(None),
			// Others come first for now.
			Err(ChallengeFailure::NoAnswer) if !self.held.clock.left().is_zero() => {
				return Ok(None)
			},
			Err(reason) => return Err(reason),
		};
		let at = |opening: &WalkOpening| Some((opening.lane, opening.segment));
		exactly(decoded(&encoded)?, &wanted, at).map(Some)
	}
}

/// Microseconds, at least one: what takes no time was not measured.
pub(super) fn micros(took: Duration) -> u64 {
	u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1)
}
