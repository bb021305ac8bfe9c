//! Writes what the host tells: both clocks twice, 16 random bytes, the count of arguments and of
//! environment variables, and the error codes of a sleep and of opening a file. Two runs must
//! write the same.

#![no_std]
#![no_main]

use armature_workloads::{write, STDOUT};

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
	fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
	fn random_get(buffer: *mut u8, length: usize) -> u16;
	fn args_sizes_get(count: *mut usize, bytes: *mut usize) -> u16;
	fn environ_sizes_get(count: *mut usize, bytes: *mut usize) -> u16;
	fn poll_oneoff(subs: *const u8, events: *mut u8, count: usize, ready: *mut usize) -> u16;
	fn fd_prestat_get(fd: u32, prestat: *mut u64) -> u16;
	fn sock_accept(fd: u32, flags: u32, accepted: *mut u32) -> u16;
}

#[no_mangle]
extern "C" fn _start() {
	let mut times = [0u64; 4];
	let mut random = [0u8; 16];
	let (mut args, mut environ, mut bytes, mut ready) = (0usize, 0usize, 0usize, 0usize);
	let subscription = [0u8; 48];
	let mut event = [0u8; 32];
	let mut prestat = 0u64;
	let mut accepted = 0u32;
	// SAFETY: every pointer leads to a local of the size that the call fills or reads.
	let codes = unsafe {
		[
			clock_time_get(0, 1, &mut times[0]),
			clock_time_get(1, 1, &mut times[1]),
			clock_time_get(0, 1, &mut times[2]),
			clock_time_get(1, 1, &mut times[3]),
			random_get(random.as_mut_ptr(), random.len()),
			args_sizes_get(&mut args, &mut bytes),
			environ_sizes_get(&mut environ, &mut bytes),
			poll_oneoff(subscription.as_ptr(), event.as_mut_ptr(), 1, &mut ready),
			fd_prestat_get(3, &mut prestat),
			sock_accept(3, 0, &mut accepted),
		]
	};
	for code in codes {
		write(STDOUT, &code.to_le_bytes());
	}
	for time in times {
		write(STDOUT, &time.to_le_bytes());
	}
	write(STDOUT, &[args as u8, environ as u8]);
	write(STDOUT, &random);
}
