//! Never ends.

#![no_std]
#![no_main]

use armature_workloads as _;
use core::hint::black_box;

#[no_mangle]
extern "C" fn _start() {
	let mut turns: u64 = 0;
	loop {
		turns = black_box(turns.wrapping_add(1));
	}
}
