//! Writes a little and exits with code 7.

#![no_std]
#![no_main]

use armature_workloads::{exit, write, STDOUT};

#[no_mangle]
extern "C" fn _start() {
	write(STDOUT, b"partial");
	exit(7)
}
