//! Who walks over the memory of a round, one verifier after the other: two walks at once would both
//! look slow.

use super::{
	quota::{Quota, MAX_PEERS},
	ChallengeFault,
};
use armature_p2p::PeerId;
use std::{
	collections::VecDeque,
	time::{Duration, Instant},
};

/// Turns that one peer gets in a round: no verifier keeps a device walking.
pub(super) const MAX_TURNS: u32 = 3;

/// How long is waited for a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
	/// From the turn to its walk.
	pub(super) walk: Duration,
	/// From the walk to the request to open it.
	pub(super) opening: Duration,
	/// Until a peer that waits for its turn asks again.
	pub(super) asking: Duration,
}

impl Default for Patience {
	fn default() -> Self {
		Self {
			walk: Duration::from_secs(3),
			opening: Duration::from_secs(5),
			asking: Duration::from_secs(2),
		}
	}
}

/// How far a turn is.
#[derive(Clone, Copy, Debug)]
enum Phase {
	/// Given then; nothing was walked yet.
	Given(Instant),
	/// The walk lasts.
	Walking,
	/// The walk was over then; it was not opened yet.
	Walked(Instant),
}

/// A peer that waits for its turn.
#[derive(Clone, Copy, Debug)]
struct Waiting {
	peer: PeerId,
	/// When it asked last.
	asked_at: Instant,
}

/// The turns of one round.
#[derive(Debug)]
pub(super) struct Turns {
	patience: Patience,
	current: Option<(PeerId, Phase)>,
	given: Quota,
	/// Who has waited longest is first.
	waiting: VecDeque<Waiting>,
}

impl Turns {
	pub(super) fn new(patience: Patience) -> Self {
		Self { patience, current: None, given: Quota::new(MAX_TURNS), waiting: VecDeque::new() }
	}

	/// Gives a peer the turn, or notes that it waits for one. Whoever has it and asks again keeps it as it
	/// is; whoever has walked gives the walk up, and waits behind the others.
	///
	/// # Errors
	///
	/// [`ChallengeFault::Busy`] while a turn lasts, or others have waited longer and still ask;
	/// [`ChallengeFault::TooManyTurns`].
	pub(super) fn reserve(&mut self, peer: PeerId, now: Instant) -> Result<(), ChallengeFault> {
		self.expire(now);
		match self.current {
			Some((holder, Phase::Given(_))) if holder == peer => return Ok(()),
			_ if !self.given.has_left(&peer) => return Err(ChallengeFault::TooManyTurns),
			Some((holder, Phase::Walked(_))) if holder == peer => self.current = None,
			_ => {},
		}
		self.stand_in_line(peer, now);
		let is_first = self.waiting.front().is_some_and(|first| first.peer == peer);
		if self.current.is_some() || !is_first {
			return Err(ChallengeFault::Busy);
		}
		self.waiting.pop_front();
		self.given.take(peer);
		self.current = Some((peer, Phase::Given(now)));
		Ok(())
	}

	/// Begins the walk of a peer's turn.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NotYourTurn`], also when the turn's walk was begun before.
	pub(super) fn begin(&mut self, peer: PeerId, now: Instant) -> Result<(), ChallengeFault> {
		self.expire(now);
		match self.current {
			Some((holder, Phase::Given(_))) if holder == peer => {
				self.current = Some((peer, Phase::Walking));
				Ok(())
			},
			_ => Err(ChallengeFault::NotYourTurn),
		}
	}

	/// Notes that the walk is over, and can be opened.
	pub(super) fn walked(&mut self, now: Instant) {
		if let Some((_, phase)) = &mut self.current {
			*phase = Phase::Walked(now);
		}
	}

	/// Ends the turn, for its walk failed.
	pub(super) fn fail(&mut self) {
		self.current = None;
	}

	/// Ends the turn of a peer whose walk was opened.
	pub(super) fn opened(&mut self, peer: PeerId) {
		if matches!(self.current, Some((holder, Phase::Walked(_))) if holder == peer) {
			self.current = None;
		}
	}

	/// Keeps a peer's place in the line, or gives it the last one. Whoever has not asked for a while loses
	/// its own.
	fn stand_in_line(&mut self, peer: PeerId, now: Instant) {
		let patience = self.patience.asking;
		self.waiting
			.retain(|one| now.saturating_duration_since(one.asked_at) <= patience);
		let has_room = self.waiting.len() < MAX_PEERS;
		match self.waiting.iter_mut().find(|one| one.peer == peer) {
			Some(own) => own.asked_at = now,
			None if has_room => {
				self.waiting.push_back(Waiting { peer, asked_at: now });
			},
			None => {},
		}
	}

	/// Ends a turn that nobody makes use of.
	fn expire(&mut self, now: Instant) {
		let (since, patience) = match self.current {
			Some((_, Phase::Given(since))) => (since, self.patience.walk),
			Some((_, Phase::Walked(since))) => (since, self.patience.opening),
			// A walk ends by itself.
			Some((_, Phase::Walking)) | None => return,
		};
		if now.saturating_duration_since(since) >= patience {
			self.current = None;
		}
	}
}

#[cfg(test)]
mod tests;
