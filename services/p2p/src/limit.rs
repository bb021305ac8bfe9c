//! Per-peer request rates.

use std::time::Instant;

/// How many requests a peer may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
	/// Requests per second in the long run, at least 1.
	pub per_second: u32,
	/// Requests at once, at least 1.
	pub burst: u32,
}

impl Default for RateLimit {
	fn default() -> Self {
		Self { per_second: 50, burst: 100 }
	}
}

/// What to do with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
	/// Pass it on.
	Granted,
	/// Refuse it.
	Refused,
	/// Refuse it and close the connection: the peer keeps sending in spite of refusals.
	Abusive,
}

/// Refusals that a peer may collect at least before it is disconnected.
const MIN_PATIENCE: u32 = 8;

/// Refusals are forgiven at this share of the request rate.
const FORGIVENESS: f64 = 0.1;

/// Two token buckets: one for requests, one for refusals.
#[derive(Debug)]
pub(crate) struct Bucket {
	tokens: f64,
	patience: f64,
	updated: Instant,
}

impl Bucket {
	pub(crate) fn full(limit: RateLimit, now: Instant) -> Self {
		Self { tokens: f64::from(limit.burst.max(1)), patience: patience(limit), updated: now }
	}

	/// Takes one token, or one of patience.
	pub(crate) fn admit(&mut self, limit: RateLimit, now: Instant) -> Admission {
		self.refill(limit, now);
		if self.tokens >= 1.0 {
			self.tokens -= 1.0;
			Admission::Granted
		} else {
			self.offend()
		}
	}

	/// Counts a request that was admitted and turned out malformed.
	pub(crate) fn offend(&mut self) -> Admission {
		if self.patience >= 1.0 {
			self.patience -= 1.0;
			Admission::Refused
		} else {
			Admission::Abusive
		}
	}

	/// Whether forgetting the bucket would change nothing.
	pub(crate) fn is_full(&mut self, limit: RateLimit, now: Instant) -> bool {
		self.refill(limit, now);
		self.tokens >= f64::from(limit.burst.max(1)) && self.patience >= patience(limit)
	}

	fn refill(&mut self, limit: RateLimit, now: Instant) {
		let rate = f64::from(limit.per_second.max(1));
		let seconds = now.saturating_duration_since(self.updated).as_secs_f64();
		self.updated = now;
		self.tokens = (self.tokens + seconds * rate).min(f64::from(limit.burst.max(1)));
		self.patience = (self.patience + seconds * rate * FORGIVENESS).min(patience(limit));
	}
}

fn patience(limit: RateLimit) -> f64 {
	f64::from(limit.burst.max(MIN_PATIENCE))
}
