//! A device that is this processor: the kernels' source, compiled for it, over buffers in its memory.

use crate::{
	device::{Device, Kernel},
	CudaError,
};
use libloading::Library;
use std::{cell::Cell, io::ErrorKind, path::Path, process::Command, rc::Rc, sync::OnceLock};

type Launch = unsafe extern "C" fn(u32, u32, u32, u32, *const u64);

/// Bytes before and after a buffer that nothing may write.
const FENCE: usize = 256;

/// What is in the fences, and in a buffer before it is written.
const JUNK: u8 = 0xa7;

/// As GPUs place buffers.
const ALIGNMENT: usize = 64;

/// The kernels for this processor; `None` where no C compiler is.
fn library() -> Option<&'static Library> {
	static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
	LIBRARY
		.get_or_init(|| ["cc", "clang", "gcc"].into_iter().find_map(compiled))
		.as_ref()
}

#[allow(unsafe_code, reason = "loads what was just compiled")]
fn compiled(compiler: &str) -> Option<Library> {
	let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/gemm.c");
	let folder = tempfile::tempdir().expect("a folder");
	let built = folder.path().join("gemm.so");
	let mut command = Command::new(compiler);
	command.args(["-DARMATURE_HOST", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
	let output = match command.arg(&built).arg(source).output() {
		Err(error) if error.kind() == ErrorKind::NotFound => return None,
		output => output.expect("run"),
	};
	assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	// SAFETY: nothing runs when it is loaded.
	Some(unsafe { Library::new(built) }.expect("loaded"))
}

pub(crate) struct Emulated {
	library: &'static Library,
	total: u64,
	used: Rc<Cell<u64>>,
	/// The most that was used.
	pub(crate) peak: u64,
	/// Copies back have a wrong bit from this one on.
	pub(crate) wrong_from: Option<u32>,
	reads: u32,
}

pub(crate) struct Buffer {
	bytes: Vec<u8>,
	begin: usize,
	len: usize,
	used: Rc<Cell<u64>>,
}

impl Emulated {
	/// With so many bytes of memory. Says so where it cannot be made.
	pub(crate) fn new(total: u64) -> Option<Self> {
		let Some(library) = library() else {
			// What builds this project has one.
			assert!(std::env::var_os("ARMATURE_NO_CC").is_some(), "no C compiler: install clang");
			println!("skipped: no C compiler");
			return None;
		};
		let used = Rc::default();
		Some(Self { library, total, used, peak: 0, wrong_from: None, reads: 0 })
	}
}

impl Drop for Buffer {
	fn drop(&mut self) {
		self.used.set(self.used.get() - self.len as u64);
		let (before, rest) = self.bytes.split_at(self.begin);
		let fences = before.iter().chain(&rest[self.len..]);
		assert!(fences.copied().all(|byte| byte == JUNK), "a kernel wrote past a buffer");
	}
}

impl Device for Emulated {
	type Buffer = Buffer;

	fn memory(&self) -> Result<(u64, u64), CudaError> {
		Ok((self.total - self.used.get(), self.total))
	}

	fn allocate(&mut self, len: usize) -> Result<Buffer, CudaError> {
		let (needed, free) = (len as u64, self.total - self.used.get());
		if needed > free {
			return Err(CudaError::OutOfMemory { needed, free });
		}
		self.used.set(self.used.get() + needed);
		self.peak = self.peak.max(self.used.get());
		let bytes = vec![JUNK; len + 2 * FENCE + ALIGNMENT];
		let begin = FENCE + (bytes.as_ptr() as usize + FENCE).wrapping_neg() % ALIGNMENT;
		Ok(Buffer { bytes, begin, len, used: self.used.clone() })
	}

	fn address(&self, buffer: &Buffer) -> u64 {
		(buffer.bytes.as_ptr() as usize + buffer.begin) as u64
	}

	fn write(&mut self, buffer: &mut Buffer, bytes: &[u8]) -> Result<(), CudaError> {
		assert!(bytes.len() <= buffer.len);
		buffer.bytes[buffer.begin..][..bytes.len()].copy_from_slice(bytes);
		Ok(())
	}

	fn read(&mut self, buffer: &Buffer, at: usize, out: &mut [u8]) -> Result<(), CudaError> {
		assert!(at + out.len() <= buffer.len);
		// The kernels wrote behind the compiler's back.
		let bytes = std::hint::black_box(&buffer.bytes);
		out.copy_from_slice(&bytes[buffer.begin + at..][..out.len()]);
		self.reads += 1;
		if self.wrong_from.is_some_and(|from| self.reads >= from) {
			out[0] ^= 1;
		}
		Ok(())
	}

	#[allow(unsafe_code, reason = "a kernel uses memory by addresses that nothing checks")]
	unsafe fn launch(
		&mut self,
		kernel: Kernel,
		blocks: (u32, u32),
		arguments: &[u64],
	) -> Result<(), CudaError> {
		assert_eq!(arguments.len(), super::parameters(kernel));
		// SAFETY: the function is of this type in `kernels/gemm.c`; the caller vouches for the arguments.
		unsafe {
			let launch = self.library.get::<Launch>(b"armature_launch").expect("there");
			launch(kernel as u32, blocks.0, blocks.1, kernel.threads(), arguments.as_ptr());
		}
		Ok(())
	}
}
