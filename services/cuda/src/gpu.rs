//! A GPU, through its driver.

use crate::{
	device::{Device, Kernel},
	CudaError,
};
use cudarc::{
	driver::{
		sys::{self, CUevent_flags, CUresult},
		CudaContext, CudaFunction, CudaSlice, CudaStream, DevicePtr, DriverError, LaunchConfig,
		PushKernelArg,
	},
	nvrtc::Ptx,
};
use std::sync::Arc;

/// The kernels, for the driver to compile.
pub(crate) const PTX: &str = include_str!("../kernels/gemm.ptx");

/// The first compute capability that has `dp4a`, and that the PTX is for.
const LEAST_CAPABILITY: (i32, i32) = (6, 1);

/// One GPU. Everything is done in the order of one stream.
#[derive(Debug)]
pub(crate) struct Gpu {
	context: Arc<CudaContext>,
	stream: Arc<CudaStream>,
	mask: CudaFunction,
	product: CudaFunction,
	hash: CudaFunction,
}

impl Gpu {
	/// Opens a GPU; with its name. Panics where the driver lacks a function.
	pub(crate) fn open(ordinal: usize) -> Result<(Self, String), CudaError> {
		// The bindings panic where there is no library.
		// SAFETY: what runs when a library of this name is loaded is NVIDIA's, or what the machine's owner
		// has put in its place.
		#[allow(unsafe_code, reason = "the bindings leave it to us whether to load the driver")]
		let present = unsafe { sys::is_culib_present() };
		if !present {
			return Err(CudaError::NoDriver);
		}
		let found = match CudaContext::device_count() {
			Ok(found) => usize::try_from(found).unwrap_or_default(),
			Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => 0,
			// What a CUDA toolkit brings to link with.
			Err(DriverError(CUresult::CUDA_ERROR_STUB_LIBRARY)) => return Err(CudaError::NoDriver),
			Err(source) => return Err(failed("start")(source)),
		};
		if ordinal >= found {
			return Err(CudaError::NoGpu { ordinal, found });
		}
		let context = CudaContext::new(ordinal).map_err(failed("open the GPU"))?;
		let asked = failed("say what the GPU is");
		let name = context.name().map_err(&asked)?;
		let (major, minor) = context.compute_capability().map_err(&asked)?;
		if (major, minor) < LEAST_CAPABILITY {
			return Err(CudaError::OldGpu { name, major, minor });
		}
		let compiled = failed("compile the kernels");
		let module = context.load_module(Ptx::from_src(PTX)).map_err(&compiled)?;
		let kernel = |kernel: Kernel| module.load_function(kernel.name()).map_err(&compiled);
		let gpu = Self {
			stream: context.default_stream(),
			mask: kernel(Kernel::Mask)?,
			product: kernel(Kernel::Product)?,
			hash: kernel(Kernel::Hash)?,
			context,
		};
		Ok((gpu, name))
	}
}

impl Device for Gpu {
	type Buffer = CudaSlice<u8>;

	fn memory(&self) -> Result<(u64, u64), CudaError> {
		let asked = failed("say how much memory is free");
		// What was dropped is free only once the stream has got there.
		self.stream.synchronize().map_err(&asked)?;
		let (free, total) = self.context.mem_get_info().map_err(&asked)?;
		let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
		Ok((bytes(free), bytes(total)))
	}

	fn allocate(&mut self, bytes: usize) -> Result<CudaSlice<u8>, CudaError> {
		match self.stream.alloc_zeros(bytes) {
			Ok(buffer) => Ok(buffer),
			Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
				let needed = u64::try_from(bytes).unwrap_or(u64::MAX);
				Err(CudaError::OutOfMemory { needed, free: self.memory()?.0 })
			},
			Err(source) => Err(failed("allocate memory")(source)),
		}
	}

	fn address(&self, buffer: &CudaSlice<u8>) -> u64 {
		buffer.device_ptr(&self.stream).0
	}

	fn write(&mut self, buffer: &mut CudaSlice<u8>, bytes: &[u8]) -> Result<(), CudaError> {
		let written = failed("copy to the GPU");
		if bytes.len() > buffer.len() {
			return Err(written(DriverError(CUresult::CUDA_ERROR_INVALID_VALUE)));
		}
		self.stream.memcpy_htod(bytes, buffer).map_err(&written)?;
		// Where the GPU reads the processor's memory itself, the bytes have to stay until it has.
		self.stream.synchronize().map_err(&written)
	}

	fn read(&mut self, buffer: &CudaSlice<u8>, at: usize, out: &mut [u8]) -> Result<(), CudaError> {
		let computed = failed("compute");
		// A thread that waits for a copy turns in circles until then; one that waits for this sleeps.
		let done = self.stream.record_event(Some(CUevent_flags::CU_EVENT_BLOCKING_SYNC));
		done.and_then(|done| done.synchronize()).map_err(computed)?;
		let copied = failed("copy from the GPU");
		let from = at.checked_add(out.len()).and_then(|end| buffer.try_slice(at..end));
		let from = from.ok_or_else(|| copied(DriverError(CUresult::CUDA_ERROR_INVALID_VALUE)))?;
		self.stream.memcpy_dtoh(&from, out).map_err(&copied)?;
		self.stream.synchronize().map_err(&copied)
	}

	#[allow(unsafe_code, reason = "a kernel uses memory by addresses that nothing checks")]
	unsafe fn launch(
		&mut self,
		kernel: Kernel,
		blocks: (u32, u32),
		arguments: &[u64],
	) -> Result<(), CudaError> {
		let function = match kernel {
			Kernel::Mask => &self.mask,
			Kernel::Product => &self.product,
			Kernel::Hash => &self.hash,
		};
		let mut launch = self.stream.launch_builder(function);
		for argument in arguments {
			launch.arg(argument);
		}
		let grid = LaunchConfig {
			grid_dim: (blocks.0, blocks.1, 1),
			block_dim: (kernel.threads(), 1, 1),
			shared_mem_bytes: 0,
		};
		// SAFETY: every argument is 64 bits wide, as all of the kernels' are; the caller vouches for what
		// they mean. Buffers are freed in the stream's order.
		unsafe { launch.launch(grid) }.map_err(failed("start a kernel"))?;
		Ok(())
	}
}

/// What the driver failed to do.
fn failed(doing: &'static str) -> impl Fn(DriverError) -> CudaError {
	move |source| CudaError::Driver { doing, source }
}
