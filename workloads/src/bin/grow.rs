//! Takes memory page by page, touches it, and aborts when it gets no more.

#![no_std]
#![no_main]

use armature_workloads as _;
use core::arch::wasm32::{memory_grow, memory_size, unreachable};

/// Bytes of a page.
const PAGE: usize = 65_536;

#[no_mangle]
extern "C" fn _start() {
	loop {
		let start = memory_size(0) * PAGE;
		if memory_grow(0, 1) == usize::MAX {
			unreachable();
		}
		// SAFETY: the page that begins at `start` was just added to the memory.
		unsafe { core::ptr::with_exposed_provenance_mut::<u8>(start).write_volatile(1) };
	}
}
