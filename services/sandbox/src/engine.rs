//! The engine's configuration and the bound on concurrent compilations.

use std::{
	sync::{Arc, Condvar, Mutex, PoisonError},
	time::Duration,
};
use wasmtime::{Config, Engine, OptLevel, Result, Strategy};

/// Stack that a guest may use.
const GUEST_STACK_BYTES: usize = 512 * 1024;

/// An engine whose guests behave the same on every machine. Every proposal is set by hand so that
/// a new default of wasmtime changes nothing.
pub(crate) fn engine() -> Result<Engine> {
	let mut config = Config::new();
	config
		.strategy(Strategy::Cranelift)
		.cranelift_opt_level(OptLevel::Speed)
		.cranelift_nan_canonicalization(true)
		.consume_fuel(true)
		.epoch_interruption(true)
		.max_wasm_stack(GUEST_STACK_BYTES)
		.wasm_backtrace_max_frames(None)
		.memory_init_cow(false)
		.wasm_bulk_memory(true)
		.wasm_multi_value(true)
		.wasm_simd(true)
		.wasm_relaxed_simd(true)
		.relaxed_simd_deterministic(true)
		.wasm_extended_const(true)
		.wasm_tail_call(false)
		.wasm_multi_memory(false)
		.wasm_memory64(false)
		.wasm_custom_page_sizes(false)
		.wasm_wide_arithmetic(false)
		.wasm_component_model(false)
		.shared_memory(false);
	Engine::new(&config)
}

/// Bounds how many compilations run at once, including those that nobody waits for any more.
pub(crate) struct CompileSlots {
	free: Mutex<usize>,
	freed: Condvar,
}

impl CompileSlots {
	pub(crate) fn new(slots: usize) -> Self {
		Self { free: Mutex::new(slots), freed: Condvar::new() }
	}

	/// A slot, or `None` when none came free in time.
	pub(crate) fn acquire(slots: &Arc<Self>, within: Duration) -> Option<CompileSlot> {
		let free = slots.free.lock().unwrap_or_else(PoisonError::into_inner);
		let (mut free, _) = slots
			.freed
			.wait_timeout_while(free, within, |free| *free == 0)
			.unwrap_or_else(PoisonError::into_inner);
		*free = free.checked_sub(1)?;
		Some(CompileSlot(slots.clone()))
	}
}

/// Gives its slot back when dropped.
pub(crate) struct CompileSlot(Arc<CompileSlots>);

impl Drop for CompileSlot {
	fn drop(&mut self) {
		let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
		*free = free.saturating_add(1);
		self.0.freed.notify_one();
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn slots_should_run_out_and_come_back() {
		let slots = Arc::new(CompileSlots::new(1));
		let held = CompileSlots::acquire(&slots, Duration::ZERO).expect("one is free");
		assert!(CompileSlots::acquire(&slots, Duration::from_millis(5)).is_none());
		drop(held);
		assert!(CompileSlots::acquire(&slots, Duration::ZERO).is_some());
	}
}
