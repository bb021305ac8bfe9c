//! Writes without end, to standard error as well.

#![no_std]
#![no_main]

use armature_workloads::{write, STDERR, STDOUT};

#[no_mangle]
extern "C" fn _start() {
	let block = [b'x'; 1024];
	loop {
		write(STDERR, &block);
		write(STDOUT, &block);
	}
}
