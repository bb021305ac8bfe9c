//! Pauses between attempts.

use rand::Rng;
use std::time::{Duration, Instant};

/// Doubling pauses with jitter, so that devices that failed together do not return together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
	min: Duration,
	max: Duration,
	failures: u32,
	next: Option<Instant>,
}

impl Backoff {
	pub(crate) fn new(min: Duration, max: Duration) -> Self {
		Self { min, max, failures: 0, next: None }
	}

	/// Whether the next attempt is due.
	pub(crate) fn is_due(&self, now: Instant) -> bool {
		self.next.is_none_or(|next| now >= next)
	}

	/// Notes a failure and returns the pause before the next attempt: half of the doubled pause
	/// and up to the whole.
	pub(crate) fn fail(&mut self, now: Instant) -> Duration {
		let factor = 1u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX);
		let pause = self.min.saturating_mul(factor).min(self.max);
		let pause = pause.mul_f64(rand::thread_rng().gen_range(0.5..=1.0));
		self.failures = self.failures.saturating_add(1);
		self.next = now.checked_add(pause);
		pause
	}

	/// Forgets past failures.
	pub(crate) fn succeed(&mut self) {
		self.failures = 0;
		self.next = None;
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn pauses_should_double_up_to_the_cap_within_their_jitter() {
		let now = Instant::now();
		let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
		assert!(backoff.is_due(now));
		for whole in [1u64, 2, 4, 8, 16, 32, 60, 60] {
			let pause = backoff.fail(now);
			let whole = Duration::from_secs(whole);
			assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
			assert!(!backoff.is_due(now) && backoff.is_due(now + whole));
		}
		for _ in 0..100 {
			backoff.fail(now);
		}
		backoff.succeed();
		assert!(backoff.is_due(now));
	}
}
