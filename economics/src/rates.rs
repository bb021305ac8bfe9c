//! The median of exchange-rate feeds.

use alloc::vec::Vec;
use armature_primitives::{Balance, Moment};

/// One feeder's last word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feed {
	/// Planck per whole currency unit.
	pub rate: Balance,
	/// When it was said.
	pub at: Moment,
}

impl Feed {
	/// Whether the feed counts at `now`: not zero, not from the future, and at most
	/// `max_age_millis` old.
	pub fn is_fresh(&self, now: Moment, max_age_millis: u64) -> bool {
		self.rate > 0 && now.checked_sub(self.at).is_some_and(|age| age <= max_age_millis)
	}
}

/// The upper median: with an even number of rates the higher of the middle two, which is the one
/// that makes electricity dearer in planck. `None` without rates.
pub fn upper_median(mut rates: Vec<Balance>) -> Option<Balance> {
	rates.sort_unstable();
	let middle = rates.len().checked_div(2)?;
	rates.get(middle).copied()
}

/// The [`upper_median`] of the feeds that are fresh at `now`, if they are at least `quorum` and at
/// least one.
///
/// As long as fewer than half of the fresh feeds lie, the result is between two honest rates.
pub fn fresh_median(
	feeds: impl IntoIterator<Item = Feed>,
	now: Moment,
	max_age_millis: u64,
	quorum: usize,
) -> Option<Balance> {
	let fresh: Vec<Balance> = feeds
		.into_iter()
		.filter(|feed| feed.is_fresh(now, max_age_millis))
		.map(|feed| feed.rate)
		.collect();
	if fresh.len() < quorum {
		return None;
	}
	upper_median(fresh)
}
