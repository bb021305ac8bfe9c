//! Copies standard input to standard output.

#![no_std]
#![no_main]

use armature_workloads::{read_input, write, STDOUT};

#[no_mangle]
extern "C" fn _start() {
	let mut buffer = [0; 4096];
	loop {
		let read = read_input(&mut buffer);
		if read.is_empty() {
			return;
		}
		write(STDOUT, read);
	}
}
