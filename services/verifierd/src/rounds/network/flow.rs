//! How much is asked for at once: enough that a fast connection has always something to do, and no more
//! than a slow one brings in time.

use armature_verifier::challenge::network::MAX_CHUNK_LEN;
use std::time::Duration;

/// The first length of a chunk, and the shortest.
const FIRST_LEN: u32 = 32 * 1_024;

/// The first number of chunks under way.
const FIRST_WINDOW: usize = 2;

/// The most chunks under way: half of the streams that a connection may have.
pub(super) const MAX_WINDOW: usize = 16;

/// A chunk that takes longer tells of a queue.
const SLOW: Duration = Duration::from_millis(400);

/// What is asked for next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flow {
	window: usize,
	len: u32,
}

impl Default for Flow {
	fn default() -> Self {
		Self { window: FIRST_WINDOW, len: FIRST_LEN }
	}
}

impl Flow {
	/// Chunks that may be under way.
	pub(super) fn window(&self) -> usize {
		self.window
	}

	/// The length of the next one.
	pub(super) fn len(&self) -> u32 {
		self.len
	}

	/// A chunk has come after this time.
	pub(super) fn came(&mut self, took: Duration) {
		if took >= SLOW {
			self.shrink();
		} else if self.window < MAX_WINDOW {
			self.window = self.window.saturating_add(1);
		} else {
			self.len = self.len.saturating_mul(2).min(MAX_CHUNK_LEN);
		}
	}

	/// A chunk was refused or lost, or was slow: less at once.
	pub(super) fn shrink(&mut self) {
		if self.len > FIRST_LEN {
			self.len = (self.len / 2).max(FIRST_LEN);
		} else {
			self.window = (self.window / 2).max(1);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const FAST: Duration = Duration::from_millis(399);

	#[test]
	fn flow_should_grow_while_chunks_come_fast() {
		let mut flow = Flow::default();
		assert_eq!((flow.window(), flow.len()), (2, 32 * 1_024));
		for window in 3..=MAX_WINDOW {
			flow.came(FAST);
			assert_eq!((flow.window(), flow.len()), (window, FIRST_LEN));
		}
		for len in [64 * 1_024, 128 * 1_024, MAX_CHUNK_LEN, MAX_CHUNK_LEN] {
			flow.came(FAST);
			assert_eq!((flow.window(), flow.len()), (MAX_WINDOW, len));
		}
	}

	#[test]
	fn flow_should_shrink_when_chunks_wait() {
		let mut flow = Flow { window: MAX_WINDOW, len: MAX_CHUNK_LEN };
		let mut seen = Vec::new();
		for _ in 0..8 {
			flow.came(SLOW);
			seen.push((flow.window(), flow.len() / 1_024));
		}
		let expected = [(16, 120), (16, 60), (16, 32), (8, 32), (4, 32), (2, 32), (1, 32), (1, 32)];
		assert_eq!(seen, expected);
		flow.came(FAST);
		assert_eq!(flow.window(), 2);
	}
}
