//! Wants a function that no host offers.

#![no_std]
#![no_main]

use armature_workloads as _;

#[link(wasm_import_module = "env")]
extern "C" {
	fn spawn_process() -> u32;
}

#[no_mangle]
extern "C" fn _start() {
	// SAFETY: the call has no preconditions; a host that offered it would be at fault.
	unsafe { spawn_process() };
}
