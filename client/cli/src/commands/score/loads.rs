//! What there is of a device for each load that its power is read under.

use armature_primitives::telemetry::PowerLoad;

/// One for each load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Loads<T> {
	/// While all lanes are busy.
	pub(super) lanes: T,
	/// While products are computed.
	pub(super) accelerator: T,
}

impl<T> Loads<T> {
	pub(super) fn of(&self, load: PowerLoad) -> &T {
		match load {
			PowerLoad::Lanes => &self.lanes,
			PowerLoad::Accelerator => &self.accelerator,
		}
	}

	pub(super) fn map<U>(&self, to: impl Fn(&T) -> U) -> Loads<U> {
		Loads { lanes: to(&self.lanes), accelerator: to(&self.accelerator) }
	}
}
