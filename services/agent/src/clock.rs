//! The device's clock.

use armature_primitives::Moment;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; zero on a clock before it.
pub(crate) fn now() -> Moment {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	Moment::try_from(since.as_millis()).unwrap_or(Moment::MAX)
}
