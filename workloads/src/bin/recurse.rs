//! Calls itself until the stack is full.

#![no_std]
#![no_main]

use armature_workloads::write_number;
use core::hint::black_box;

#[inline(never)]
fn deeper(depth: u64) -> u64 {
	if black_box(depth) == u64::MAX {
		return 0;
	}
	black_box(deeper(depth + 1)) + 1
}

#[no_mangle]
extern "C" fn _start() {
	write_number(deeper(0));
}
