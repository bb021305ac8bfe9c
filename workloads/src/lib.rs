//! The four WASI preview 1 calls that the modules of this crate need.
//!
//! The modules are built for `wasm32v1-none`, the target that the chain's runtime needs anyway, so
//! that no WASI toolchain has to be installed.

#![no_std]

use core::panic::PanicInfo;

/// A stretch of memory to read into; WASI's `iovec`.
#[repr(C)]
struct Slice {
	start: *mut u8,
	length: usize,
}

/// A stretch of memory to write out; WASI's `ciovec`.
#[repr(C)]
struct ConstSlice {
	start: *const u8,
	length: usize,
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
	fn fd_read(fd: u32, slices: *const Slice, count: usize, read: *mut usize) -> u16;
	fn fd_write(fd: u32, slices: *const ConstSlice, count: usize, written: *mut usize) -> u16;
	fn proc_exit(code: u32) -> !;
}

/// Standard input.
const STDIN: u32 = 0;

/// Standard output.
pub const STDOUT: u32 = 1;

/// Standard error.
pub const STDERR: u32 = 2;

/// Fills `buffer` from standard input as far as that lasts and returns what was read.
pub fn read_input(buffer: &mut [u8]) -> &[u8] {
	let mut filled = 0;
	while filled < buffer.len() {
		let rest = &mut buffer[filled..];
		let slice = Slice { start: rest.as_mut_ptr(), length: rest.len() };
		let mut read = 0;
		// SAFETY: `slice` describes `rest`, which is borrowed exclusively, and `read` is writable.
		if unsafe { fd_read(STDIN, &slice, 1, &mut read) } != 0 {
			fail(b"cannot read standard input\n");
		}
		if read == 0 {
			break;
		}
		filled += read;
	}
	&buffer[..filled]
}

/// Writes all of `bytes`.
pub fn write(fd: u32, mut bytes: &[u8]) {
	while !bytes.is_empty() {
		let slice = ConstSlice { start: bytes.as_ptr(), length: bytes.len() };
		let mut written = 0;
		// SAFETY: `slice` describes `bytes`, which outlives the call, and `written` is writable.
		if unsafe { fd_write(fd, &slice, 1, &mut written) } != 0 || written == 0 {
			exit(3);
		}
		bytes = &bytes[written.min(bytes.len())..];
	}
}

/// Writes `value` in decimal, with a line feed.
pub fn write_number(mut value: u64) {
	let mut text = [b'\n'; 21];
	let mut at = text.len() - 1;
	loop {
		at -= 1;
		text[at] = b'0' + (value % 10) as u8;
		value /= 10;
		if value == 0 {
			break;
		}
	}
	write(STDOUT, &text[at..]);
}

/// The decimal number that standard input holds, white space around it allowed.
pub fn read_number() -> Option<u64> {
	let mut buffer = [0; 64];
	let text = read_input(&mut buffer).trim_ascii();
	if text.is_empty() {
		return None;
	}
	text.iter().try_fold(0u64, |value, byte| match byte {
		b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
		_ => None,
	})
}

/// Ends the run.
pub fn exit(code: u32) -> ! {
	// SAFETY: takes a plain number and does not return.
	unsafe { proc_exit(code) }
}

/// Says why on standard error and ends the run with code 1.
pub fn fail(why: &[u8]) -> ! {
	write(STDERR, why);
	exit(1)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
	core::arch::wasm32::unreachable()
}
