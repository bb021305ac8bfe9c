//! The memory budget of a run.

use crate::Verdicts;
use std::sync::{atomic::Ordering, Arc};
use wasmtime::{bail, Error, ResourceLimiter, Result};

/// What a table element is charged, in bytes: the largest that wasmtime stores for one.
const TABLE_ELEMENT_BYTES: u64 = 16;

/// The most that a 32-bit memory can hold.
const MAX_MEMORY_BYTES: u64 = 1 << 32;

/// Counts linear memory and tables against one limit.
pub(crate) struct Budget {
	used: u64,
	limit: u64,
	verdicts: Arc<Verdicts>,
}

impl Budget {
	pub(crate) fn new(limit: u64, verdicts: Arc<Verdicts>) -> Self {
		Self { used: 0, limit: limit.min(MAX_MEMORY_BYTES), verdicts }
	}

	/// Books growth from `current` to `desired`, in units of `unit` bytes.
	///
	/// Over the limit this fails, which ends the run on the spot: a guest that saw the refusal
	/// could go on and make its result depend on it, and one that aborts would look like a trap.
	fn grow(
		&mut self,
		current: usize,
		desired: usize,
		maximum: Option<usize>,
		unit: u64,
	) -> Result<bool> {
		if maximum.is_some_and(|maximum| desired > maximum) {
			// The module's own bound, the same everywhere: the guest gets its -1.
			return Ok(false);
		}
		let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(unit);
		let used = self.used.saturating_sub(bytes(current)).saturating_add(bytes(desired));
		if used > self.limit {
			self.verdicts.out_of_memory.store(true, Ordering::SeqCst);
			bail!("memory limit of {} bytes reached", self.limit);
		}
		self.used = used;
		Ok(true)
	}

	/// The limit allowed it and the machine could not: not the guest's doing.
	fn host_failed(&mut self, error: Error) -> Result<()> {
		self.verdicts.host_failed.store(true, Ordering::SeqCst);
		Err(error)
	}
}

impl ResourceLimiter for Budget {
	fn memory_growing(
		&mut self,
		current: usize,
		desired: usize,
		maximum: Option<usize>,
	) -> Result<bool> {
		self.grow(current, desired, maximum, 1)
	}

	fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
		self.host_failed(error)
	}

	fn table_growing(
		&mut self,
		current: usize,
		desired: usize,
		maximum: Option<usize>,
	) -> Result<bool> {
		self.grow(current, desired, maximum, TABLE_ELEMENT_BYTES)
	}

	fn table_grow_failed(&mut self, error: Error) -> Result<()> {
		self.host_failed(error)
	}

	fn instances(&self) -> usize {
		1
	}

	fn tables(&self) -> usize {
		8
	}

	fn memories(&self) -> usize {
		1
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn budget(limit: u64) -> Budget {
		Budget::new(limit, Arc::default())
	}

	#[test]
	fn growth_should_pass_at_the_limit_and_end_the_run_above() {
		let mut budget = budget(131_072);
		assert!(budget.memory_growing(0, 65_536, None).expect("within"));
		assert!(budget.memory_growing(65_536, 131_072, None).expect("at the limit"));
		assert!(budget.memory_growing(131_072, 131_073, None).is_err());
		assert!(budget.verdicts.out_of_memory.load(Ordering::SeqCst));
	}

	#[test]
	fn tables_should_share_the_budget() {
		let mut budget = budget(65_536 + 160);
		assert!(budget.memory_growing(0, 65_536, None).expect("within"));
		assert!(budget.table_growing(0, 10, None).expect("160 bytes"));
		assert!(budget.table_growing(10, 11, None).is_err());
	}

	#[test]
	fn a_modules_own_maximum_should_refuse_without_ending_the_run() {
		let mut budget = budget(1 << 30);
		assert!(!budget.memory_growing(0, 2, Some(1)).expect("no trap"));
		assert!(!budget.verdicts.out_of_memory.load(Ordering::SeqCst));
		assert_eq!(budget.used, 0);
	}
}
