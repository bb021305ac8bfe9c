//! What the products are made on: a GPU, or what stands for one in tests.

use crate::CudaError;

/// A kernel of `kernels/gemm.c`, with its place in that file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kernel {
	/// out, keys, sources, firsts, side, rows.
	Mask = 0,
	/// out, left, right, side, pitch, rows, parts.
	Product = 1,
	/// out, state, side, pitch.
	Hash = 2,
}

impl Kernel {
	/// Its name in the PTX.
	pub(crate) fn name(self) -> &'static str {
		match self {
			Kernel::Mask => "mask",
			Kernel::Product => "product",
			Kernel::Hash => "hash",
		}
	}

	/// Threads of a block: what the kernel was compiled for.
	pub(crate) fn threads(self) -> u32 {
		match self {
			Kernel::Mask | Kernel::Hash => 64,
			Kernel::Product => 256,
		}
	}
}

/// Holds buffers and runs kernels over them, one after the other in the order of the calls.
pub(crate) trait Device {
	/// Memory of the device, freed when it is dropped and nothing uses it any more.
	type Buffer;

	/// Bytes of memory: those that nobody holds, and all.
	fn memory(&self) -> Result<(u64, u64), CudaError>;

	/// A buffer of whatever content, on a multiple of 64.
	fn allocate(&mut self, bytes: usize) -> Result<Self::Buffer, CudaError>;

	/// Where a buffer begins. Never zero.
	fn address(&self, buffer: &Self::Buffer) -> u64;

	/// Copies bytes to the beginning of a buffer.
	fn write(&mut self, buffer: &mut Self::Buffer, bytes: &[u8]) -> Result<(), CudaError>;

	/// Waits for all kernels and copies bytes from a place in a buffer.
	fn read(&mut self, buffer: &Self::Buffer, at: usize, out: &mut [u8]) -> Result<(), CudaError>;

	/// Begins to run a kernel over a grid of blocks.
	///
	/// # Safety
	///
	/// The arguments must be those that the kernel takes, in their order, and the memory that it then reads
	/// and writes must be within buffers of this device that were not dropped yet.
	#[allow(unsafe_code, reason = "a kernel uses memory by addresses that nothing checks")]
	unsafe fn launch(
		&mut self,
		kernel: Kernel,
		blocks: (u32, u32),
		arguments: &[u64],
	) -> Result<(), CudaError>;
}
